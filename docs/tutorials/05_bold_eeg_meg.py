# %% [markdown]
# # From activity to BOLD, EEG and MEG
#
# **What would a scanner, an electrode or a magnetometer see of the activity of a model, and how alike is it to data?**
#
# Nobody measures firing rates of a hundred regions. fMRI sees blood oxygenation, seconds late; EEG and MEG see sums of
# currents over centimetres, at once. Each needs a *forward model*, and what is compared with data are statistics of its
# signal.

# %%
import brainunit as u
import matplotlib.pyplot as plt
import numpy as np

import brainmass
from brainmass.objectives import fcd_ks, functional_connectivity, power_spectral_density

plt.rcParams["figure.constrained_layout.use"] = True
BLUE, RED, GREEN = "#0072B2", "#D55E00", "#009E73"

# %% [markdown]
# ## BOLD: a balloon, or a convolution
#
# The Balloon–Windkessel model ([Friston et al. 2003](https://doi.org/10.1016/S1053-8119(03)00202-7)) follows blood
# flow, volume and deoxyhaemoglobin. A forward model can be run by itself, on activity that is there already. Three
# regions are active for 1 s: one fully, one by half, and one twice, 3 s apart:

# %%
activity = np.zeros((6000, 3))  # 30 s in steps of 5 ms
activity[:200] = [1.0, 0.5, 1.0]
activity[600:800, 2] = 1.0
balloon = brainmass.Simulator(brainmass.BOLDSignal(3), dt=5 * u.ms)
response = balloon.run(
    6000 * 5 * u.ms,
    inputs={"z": activity},
    monitors={"bold": lambda model: model.bold()},
)
bold, seconds = 100 * np.asarray(response["bold"]), response.time.to_decimal(u.second)
peak, trough = bold[:, 0].argmax(), bold[:, 0].argmin()
late = np.concatenate([np.zeros(600), bold[:-600, 0]])  # the first response, 3 s later
ratio = bold[:, 1].max() / bold[:, 0].max()
print(
    f"peak of {bold[peak, 0]:.2f} % at {seconds[peak]:.1f} s, undershoot of {bold[trough, 0]:.2f} % at",
    end=" ",
)
print(f"{seconds[trough]:.1f} s")
print(
    f"half the activity gives {ratio:.2f} of the peak; two responses give {bold[:, 2].max():.2f} %,",
    end=" ",
)
print(f"their sum would be {(bold[:, 0] + late).max():.2f} %")

# %% [markdown]
# The other road is linear: convolve the activity with a haemodynamic response function (HRF). `HRFBold` does it with
# any of four kernels; the mixture of two gamma densities is the usual one of fMRI analyses:

# %%
kernels = {
    "Volterra": brainmass.FirstOrderVolterraHRFKernel(),
    "gamma": brainmass.GammaHRFKernel(),
    "mixture of gammas": brainmass.MixtureOfGammasHRFKernel(),
}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4))
for column, color, name in (
    (0, BLUE, "1 s"),
    (1, GREEN, "1 s, half as active"),
    (2, RED, "twice 1 s"),
):
    left.plot(seconds, bold[:, column], color=color, label=name)
left.plot(seconds, bold[:, 0] + late, "--", color=RED, lw=0.8, label="sum of two")
left.set(xlabel="time (s)", ylabel="BOLD signal change (%)", title="Balloon–Windkessel")
left.legend()
for (name, kernel), color in zip(kernels.items(), (GREEN, RED, BLUE), strict=True):
    h = np.asarray(kernel(seconds * u.second))
    right.plot(
        seconds,
        h / h.max(),
        color=color,
        label=f"{name}, peak at {seconds[h.argmax()]:.1f} s",
    )
right.set(
    xlabel="time (s)",
    ylabel="response over its maximum",
    title="kernels for convolution",
    xlim=(0, 20),
)
right.legend()
plt.show()

# %% [markdown]
# The balloon rises to 2.5 % at 3.4 s and undershoots: the classical response. It saturates: half the activity gives
# more than half of the peak, and two stimuli give less than the sum, the dashed curve. No kernel can do that. The
# kernels on the right differ in their delay: that called Volterra is the response of blood *flow*, and precedes the
# oxygenation that the mixture describes.
#
# What drives either of them has a scale: it is a plain number, 0 at rest and of order 1 where a region is active, as
# the gating variable below. A rate in Hz is none, and is refused; `scale` makes it one: by
# `BOLDSignal(n, scale=0.01 / u.Hz)` 100 Hz are a drive of 1. Without a `source` the Montbrió–Pazó–Roxin model drives
# with $\tau r$, which has no unit.
#
# ## The resting brain in the scanner
#
# The Wong–Wang model of a region with excitatory and inhibitory cells
# ([Deco et al. 2014](https://doi.org/10.1523/JNEUROSCI.5068-13.2014)), with its working point at 3 Hz in every region:
# the local inhibition $J_i$ cancels what the network, of strength $G$, adds to the excitatory current. With the gating
# variables at that rate it follows from the equation of the current. ([Feedback inhibition](../feedback_inhibition.md)
# does it for any rate.) Noise would take the gating of a region below zero now and then, which means nothing;
# `clamp=True` holds it at the bounds. A forward model is a monitor: it is integrated while the run goes on, and what is
# kept is a sample each repetition time.

# %%
data = brainmass.datasets.load_dataset("hcp_schaefer100")
connectome = data.connectome.normalize("spectral")
n, TR = 100, data.repetition_time
strength = connectome.weights.sum(axis=1)
node = brainmass.WongWangExcInhStep(
    n,
    G=1.0,
    J_i=np.ones(n),
    method="euler",
    clamp=True,
    noise_e=brainmass.WhiteNoise(n, sigma=0.008),
)
brain = brainmass.Network(node, conn=connectome, coupling="additive", coupled_var="S_e")
simulator = brainmass.Simulator(brain, dt=5 * u.ms)
hrf = brainmass.HRFBold(
    kernel=kernels["mixture of gammas"],
    period=TR,
    downsample_period=20 * u.ms,
    in_size=n,
)
monitors = {
    "balloon": brainmass.Monitor(brainmass.BOLDSignal(n), every=TR),
    "convolution": brainmass.Monitor(hrf, every=TR),
}


def sessions(G, seed=0):
    """Three sessions of 500 volumes, 6 minutes each."""
    gating_e, gating_i, J_N = 0.16476, 0.03922, 0.15  # at 3 Hz; nA
    node.G, node.J_i = G, 1 + G * J_N * gating_e * strength / gating_i
    return simulator.run(
        540 * TR, transient=40 * TR, monitors=monitors, batch_size=3, seed=seed
    )


result = sessions(1.0)
print(result)

# %% [markdown]
# *Functional connectivity* (FC) is the correlation of each pair of regions over a session. The data are an average of
# many people, so the simulated matrices are averaged as well:

# %%
pairs = np.tril_indices(n, -1)
measured = data.fc[pairs]


def mean_fc(bold):
    return np.mean(
        [functional_connectivity(session) for session in bold.swapaxes(0, 1)], axis=0
    )


def alike(a, b):
    return np.corrcoef(a, b)[0, 1]


by_balloon, by_convolution = (
    np.asarray(result["balloon"]),
    np.asarray(result["convolution"]),
)
same_signal = np.mean(
    [alike(by_balloon[:, 0, i], by_convolution[:, 0, i]) for i in range(n)]
)
same_fc = alike(mean_fc(by_balloon)[pairs], mean_fc(by_convolution)[pairs])
print(
    f"balloon and convolution: signals correlate by {same_signal:.2f}, their FC by {same_fc:.2f}"
)
assert same_fc > 0.9

# %% [markdown]
# The two roads to BOLD give different signals, since one responds later, but nearly the same FC: a delay that all
# regions share does not change correlations. For FC the cheap, linear way will do.
#
# *Functional connectivity dynamics* (FCD; [Hansen et al. 2015](https://doi.org/10.1016/j.neuroimage.2014.11.001))
# asks whether FC changes during a session: take the FC of short windows, here of 43 volumes (31 s) and 7 apart, and
# correlate the FC of each two windows. Two sessions at rest cannot be compared window by window, but the distributions
# of these numbers can, by the distance of Kolmogorov and Smirnov (KS).
#
# How alike are model and data, for a weak and a strong network? A parameter of the model may be set, and the run is not
# compiled again:

# %%
strengths = [0.5, 1.0, 1.1, 1.2]
table = {}
for G in strengths:
    bold = by_balloon if G == 1.0 else np.asarray(sessions(G)["balloon"])
    fc = mean_fc(bold)
    distance = float(fcd_ks(43, 7, target_is_fcd=True)(bold[:, 0], data.fcd_tril))
    table[G] = {"fc": fc, "r": alike(fc[pairs], measured), "ks": distance}
    print(
        f"G = {G}: FC correlates by {table[G]['r']:.2f} and has a mean of {fc[pairs].mean():.2f}; ",
        end="",
    )
    print(f"FCD is at a KS distance of {distance:.2f}")
print(
    f"empirical mean FC {measured.mean():.2f}; weights and FC: {alike(connectome.weights[pairs], measured):.2f}"
)

figure, axes = plt.subplots(1, 4, figsize=(13, 3.2), width_ratios=(1, 1, 1, 1.2))
shown = {"empirical": data.fc, "G = 1.0": table[1.0]["fc"], "G = 1.2": table[1.2]["fc"]}
for ax, (name, matrix) in zip(axes, shown.items(), strict=False):
    brainmass.viz.plot_functional_connectivity(
        matrix,
        is_matrix=True,
        labels=[""] * n,
        ax=ax,
        colorbar=False,
        vmin=-0.6,
        vmax=0.6,
    )
    ax.set(title=name, xticks=[], yticks=[])
figure.colorbar(axes[2].images[0], ax=axes[2], label="correlation")
axes[3].plot(
    strengths,
    [row["r"] for row in table.values()],
    "o-",
    color=BLUE,
    label="correlation of FC",
)
axes[3].plot(
    strengths,
    [row["ks"] for row in table.values()],
    "o-",
    color=RED,
    label="KS distance of FCD",
)
axes[3].set(xlabel="strength of the network G", ylim=(0, 1))
axes[3].legend()
plt.show()

# %% [markdown]
# The empirical FC has networks within each hemisphere, and the same again between hemispheres. At $G = 1.0$ the model
# has some of the first and little of the second: tractography misses many fibres that cross. At $G = 1.2$, shortly
# before the working point loses its stability, one slow pattern takes over. The FC is then larger than in the data, and
# fluctuates nearly as much (small KS distance), but its pattern is wrong. No $G$ is good for both, and FC by one
# parameter is no better than the weights themselves: hence [the next tutorial](06_fitting_with_gradients.py).
#
# ## EEG and MEG: the lead field
#
# Currents of pyramidal cells make each patch of cortex a dipole. What a sensor sees is a sum of dipole moments $m_i$,
# weighted by a *lead field*, $y = L^\top m$. Lead fields come from a head model, by MNE-Python, Brainstorm or
# FieldTrip. Here the head is a sphere, for which the formulas are short: the potential of a dipole in a homogeneous
# conductor, and for MEG the field outside a sphere of [Sarvas (1987)](https://doi.org/10.1088/0031-9155/32/1/004).


# %%
def on_a_sphere(count, radius, lowest):
    """Points spread evenly over the part of a sphere above a height, in mm."""
    z = np.linspace(0.98 * radius, lowest, count)
    angle = np.pi * (1 + 5**0.5) * np.arange(count)
    around = np.sqrt(radius**2 - z**2)
    return np.stack([around * np.cos(angle), around * np.sin(angle), z], axis=1)


sources, electrodes, magnetometers = (
    on_a_sphere(n, 70, -20),
    on_a_sphere(32, 90, 0),
    on_a_sphere(60, 110, 0),
)
outwards = sources / np.linalg.norm(sources, axis=1, keepdims=True)
anywhere = np.random.default_rng(0).normal(
    size=(n, 3)
)  # the folded cortex points in all directions
anywhere /= np.linalg.norm(anywhere, axis=1, keepdims=True)


def potential(directions):
    """Lead field of EEG, uV per nA m, shape (regions, electrodes)."""
    way = electrodes[None] - sources[:, None]  # mm
    along = np.einsum("nk,nmk->nm", directions, way)
    return (
        along / (4 * np.pi * 0.3 * np.linalg.norm(way, axis=-1) ** 3) * 1e3
    )  # 0.3 S/m


def radial_field(directions):
    """Lead field of radial magnetometers, fT per nA m: outside a sphere, that of the dipole alone."""
    way = magnetometers[None] - sources[:, None]
    normal = magnetometers / np.linalg.norm(magnetometers, axis=1, keepdims=True)
    turned = np.einsum("nmk,mk->nm", np.cross(directions[:, None], way), normal)
    return (
        1e-7 * turned / np.linalg.norm(way, axis=-1) ** 3 * 1e12
    )  # mu_0 / 4 pi; nA m, mm, fT


for name, directions in (("radial", outwards), ("any", anywhere)):
    eeg_gain, meg_gain = (
        np.abs(potential(directions)).max(),
        np.abs(radial_field(directions)).max(),
    )
    print(
        f"{name:>6} direction: at most {eeg_gain:.3f} uV and {meg_gain:.3f} fT per nA m"
    )
assert np.abs(radial_field(outwards)).max() < 1e-9

# %% [markdown]
# A dipole that points outwards has a potential, but no magnetic field outside a sphere: MEG is blind to the crowns of
# the gyri, and sees the walls of the sulci. This is not a matter of the sensors but of the equations.
#
# The activity is that of a hundred Jansen–Rit columns. A potential of 1 mV stands for a dipole moment of 10 nA m here,
# the order of magnitude of a few square centimetres of cortex in step
# ([Hämäläinen et al. 1993](https://doi.org/10.1103/RevModPhys.65.413)). Sensors have noise of their own:

# %%
columns = brainmass.JansenRitStep(
    n, method="heun", noise_E=brainmass.WhiteNoise(n, sigma=100 * u.Hz)
)
cortex = brainmass.Network(
    columns,
    conn=data.connectome.normalize("row"),
    coupling="sigmoidal_jansen_rit",
    coupled_var="eeg",
    port="E_inp",
    k=1000.0,
)
nAm = u.nA * u.meter
moment = dict(scale=10 * nAm / u.mV)
eeg = brainmass.EEGLeadFieldModel(
    n,
    32,
    potential(anywhere),
    sensor_unit=u.uvolt,
    noise_cov=0.3**2 * np.eye(32),
    **moment,
)
meg = brainmass.MEGLeadFieldModel(
    n,
    60,
    radial_field(anywhere),
    sensor_unit=u.ftesla,
    noise_cov=20.0**2 * np.eye(60),
    **moment,
)
source = dict(source=lambda model: model.node.eeg(), every=4 * u.ms)
recording = brainmass.Simulator(cortex, dt=1 * u.ms).run(
    8 * u.second,
    inputs={"E_inp": 220 * u.Hz},
    transient=2 * u.second,
    monitors={
        "eeg": brainmass.Monitor(eeg, **source),
        "meg": brainmass.Monitor(meg, **source),
    },
    seed=0,
)
print(recording)

# %%
spectra = {}
for name in ("eeg", "meg"):
    frequency, power = power_spectral_density(
        recording[name], 4 * u.ms, window_size=500
    )
    spectra[name] = frequency.to_decimal(u.Hz), power.mantissa
    hz, density = spectra[name]
    alpha = (hz >= 8) & (hz <= 13)
    peak = hz[1:][density[1:].mean(axis=1).argmax()]
    share = density[alpha].sum() / density[1:].sum()
    print(
        f"{name}: peak at {peak:.1f} Hz, {100 * share:.0f} % of the power between 8 and 13 Hz, ",
        end="",
    )
    print(
        f"standard deviation {np.std(recording[name].mantissa, axis=0).mean():.1f} {recording[name].unit}"
    )
    assert 9 < peak < 12

figure, axes = plt.subplots(1, 3, figsize=(13, 3.6), width_ratios=(1.3, 1, 1))
time = recording.time[-375:]
brainmass.viz.plot_timeseries(recording["eeg"][-375:, ::3], time, ax=axes[0])
axes[0].set(title="EEG, eleven electrodes", ylabel="electrode, stacked")
for name, color in (("eeg", BLUE), ("meg", RED)):
    hz, density = spectra[name]
    average = density.mean(axis=1)
    axes[1].semilogy(
        hz[1:], average[1:] / average[1:].max(), color=color, label=name.upper()
    )
axes[1].set(
    xlabel="frequency (Hz)",
    ylabel="power over its maximum",
    xlim=(1, 60),
    title="mean over the sensors",
)
axes[1].legend()
hz, density = spectra["eeg"]
power = density[(hz >= 8) & (hz <= 13)].mean(axis=0)
points = axes[2].scatter(
    *electrodes[:, :2].T, c=power, s=170, cmap="viridis", edgecolor="k"
)
axes[2].set(
    aspect="equal",
    xlabel="x (mm)",
    ylabel="y (mm)",
    title="EEG alpha power, from above",
)
figure.colorbar(points, ax=axes[2], label="µV²/Hz")
plt.show()

# %% [markdown]
# Left: alpha waxes and wanes, and is alike on neighbouring electrodes, since each sees many regions and each region is
# seen by many. Middle: both spectra have the peak of the columns, at 10.5 Hz, and the same slope: a lead field mixes
# regions, not frequencies, so a spectrum can be fitted without a head model, and a topography, on the right, cannot.
# The amplitudes, some ten microvolts and several hundred femtotesla, are those of a real alpha rhythm; directions of
# sources and positions of regions are made up here, and so is the topography.
#
# ## Exercises
#
# 1. How far apart must the two stimuli be for their responses to add up within 1 %?
# 2. Replace `anywhere` by `outwards` in both lead fields. What is left of MEG?
# 3. Average the FC of one, three and ten sessions for $G = 1.0$. Where does the correlation with the data level off,
#    and what does [the tutorial on noise](03_noise.py) say about it?
