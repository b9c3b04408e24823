# %% [markdown]
# # A network from a connectome
#
# **How does a matrix of fibre counts become a network, which of the choices on the way matter, and what do delays do?**
#
# Diffusion MRI and tractography give, for each pair of regions, a number of streamlines and their length. Between these
# and a simulation lie four choices: the scale of the weights, the kind of coupling, its strength, and the speed of
# conduction.

# %%
import tempfile
from pathlib import Path

import brainunit as u
import matplotlib.pyplot as plt
import numpy as np
from braintools.init import Constant, Uniform
from scipy.optimize import brentq

import brainmass

plt.rcParams["figure.constrained_layout.use"] = True
BLUE, RED, GREEN = "#0072B2", "#D55E00", "#009E73"

# %% [markdown]
# ## Look at it first
#
# The bundled connectome is the average of 706 people of the Human Connectome Project in a hundred cortical regions.
# `report()` says what is odd about a connectome before it is used:

# %%
data = brainmass.datasets.load_dataset("hcp_schaefer100")
connectome = data.connectome
print(connectome.report())
print("please cite:", data.citation)

# %%
pairs = np.tril_indices(100, -1)
weights, lengths = connectome.weights[pairs], connectome.lengths.to_decimal(u.mm)[pairs]
weights, lengths = weights[weights > 0], lengths[weights > 0]
slope, _ = np.polyfit(lengths, np.log(weights), 1)
strongest = np.sort(weights)[::-1]
share = strongest[: len(weights) // 20].sum() / weights.sum()
print(
    f"weights span {np.log10(weights.max() / weights.min()):.1f} orders of magnitude; the strongest 5 % of the"
)
print(
    f"connections carry {100 * share:.0f} % of the weight; weights fall by a factor e in {-1 / slope:.0f} mm"
)

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8))
brainmass.viz.plot_connectivity(connectome, labels=[""] * 100, ax=left, norm="log")
left.set(title="streamlines, left hemisphere first")
right.semilogy(lengths, weights, ".", ms=2, color=BLUE)
right.set(xlabel="tract length (mm)", ylabel="weight (streamlines)")
plt.show()

# %% [markdown]
# Two blocks are the two hemispheres; connections within are stronger than between. On the right, weights fall about
# exponentially with the length of the tract, as they do in tracer data
# ([Ercsey-Ravasz et al. 2013](https://doi.org/10.1016/j.neuron.2013.07.036)). Few strong connections carry almost
# everything, so a threshold that makes a matrix sparse often changes little, and a logarithm changes everything.
#
# ## Your own
#
# **Rows receive**: `weights[i, j]` is the strength of the connection *to* region i *from* region j. Nothing in a file
# says so; for one in which rows send, call `.transpose()`. A first row of text is read as labels:

# %%
folder = Path(tempfile.mkdtemp())
(folder / "weights.csv").write_text("V1,V2,MT\n0,5,0.5\n10,0,2\n1,4,0\n")
(folder / "lengths.csv").write_text("V1,V2,MT\n0,2.1,4.8\n2.1,0,3.5\n4.8,3.5,0\n")
mine = brainmass.Connectome.from_csv(
    folder / "weights.csv", lengths=folder / "lengths.csv", length_unit=u.cm
)
print(mine)
print(f"to V2 from V1: {mine.weights[1, 0]}, length {mine.lengths[1, 0]}")
try:
    brainmass.Connectome(np.array([[0.0, np.nan], [1.0, 0.0]]), labels=["V1", "V2"])
except ValueError as error:
    print(error)

# %% [markdown]
# Some of the regions, by label, number or mask, are a connectome again. Here the visual network, number 0 of the seven
# networks of [Yeo et al. (2011)](https://doi.org/10.1152/jn.00338.2011), and one hemisphere:

# %%
print(connectome.subnetwork(data.yeo7 == 0))
print(connectome.hemisphere("left"))

# %% [markdown]
# ## The scale of the weights
#
# Streamlines are no unit of anything. Each normalisation divides by another number, and the coupling strength `k`
# means what it leaves; values of `k` can only be compared between studies that normalise alike:

# %%
for kind in ("max", "row", "spectral"):
    normalised = connectome.normalize(kind)
    strength = normalised.weights.sum(axis=1)
    radius = np.abs(np.linalg.eigvals(normalised.weights)).max()
    print(
        f"{kind:>8}: largest weight {normalised.weights.max():.2f}, input of a region {strength.min():.2f}",
        end="",
    )
    print(f" to {strength.max():.2f}, spectral radius {radius:.2f}")

# %% [markdown]
# `"row"` gives each region the same input, so hubs are lost. `"spectral"` has a meaning for dynamics. Linear regions
# that decay at the rate $\lambda$, coupled by $\dot x = -\lambda x + k W x$, have rates of growth
# $k\,\mu_i - \lambda$ with the eigenvalues $\mu_i$ of $W$. With the largest at 1, activity explodes for $k > \lambda$:

# %%
spectral = connectome.normalize("spectral")
for k in (0.08, 0.09, 0.11):  # per ms
    node = brainmass.LinearStep(100, gamma=-0.1, init_x=Constant(0.01), method="heun")
    network = brainmass.Network(
        node, conn=spectral, coupling="additive", coupled_var="x", k=k
    )
    run = brainmass.Simulator(network, dt=0.5 * u.ms).run(
        400 * u.ms, monitors=["x"], sample_every=100 * u.ms
    )
    activity = np.asarray(run["x"]).mean(axis=1)
    growth = np.log(activity[-1] / activity[-2]) / 100
    print(f"k = {k:.2f}: grows at {growth:+.4f} per ms; k - lambda = {k - 0.1:+.4f}")
    assert abs(growth - (k - 0.1)) < 1e-3

# %% [markdown]
# ## Additive or diffusive
#
# `additive` coupling gives region i $k \sum_j w_{ij} x_j$: the choice for rates, which add up. `diffusive` gives
# $k \sum_j w_{ij} (x_j - x_i)$, nothing where all do the same: the choice for oscillators.
# [The table](../networks.md#coupling) has the other kernels.
#
# ## Delays
#
# A delay is a length divided by a speed. Speeds of cortico-cortical fibres are of the order of 1 to 20 m/s, which is
# the same number in mm/ms:

# %%
delays = connectome.delays(5 * u.mm / u.ms).to_decimal(u.ms)[pairs]
delays, weight = delays[delays > 0], connectome.weights[pairs][delays > 0]
print(
    f"at 5 m/s: median {np.median(delays):.0f} ms, longest {delays.max():.0f} ms,",
    end=" ",
)
print(f"mean weighted by streamlines {np.average(delays, weights=weight):.0f} ms")

# %% [markdown]
# What matters is a delay's share of a period. Two oscillators of angular frequency $\omega$ that are weakly coupled
# with strength $K$ over the delay $d$ lock in phase (upper sign) or in antiphase (lower), at a frequency $\Omega$ that
# the delay decides ([Schuster & Wagner 1989](https://doi.org/10.1143/PTP.81.939)):
#
# $$\Omega = \omega \mp \tfrac{K}{2} \sin(\Omega d)$$
#
# The half belongs to a coupling through x alone. Fifty-one pairs with delays from 0 to 25 ms, one period at 40 Hz, are
# a single network of 102 regions:

# %%
tested = np.linspace(0, 25, 51)  # ms; at 1 mm/ms also the lengths in mm
exchange = np.array([[0.0, 1.0], [1.0, 0.0]])
ladder = brainmass.Connectome(
    np.kron(np.eye(51), exchange), np.kron(np.diag(tested), exchange) * u.mm
)
omega, K, a = 2 * np.pi * 0.04, 0.04, 0.1  # rad per ms, per ms, per ms
angles = np.zeros(102)
angles[1::2] = np.where(
    np.arange(51) % 2, 0.5, 2.5
)  # by turns nearly in phase, nearly in antiphase
node = brainmass.HopfStep(
    102,
    a=a,
    w=omega,
    init_x=Constant(np.sqrt(a) * np.cos(angles)),
    init_y=Constant(np.sqrt(a) * np.sin(angles)),
    method="heun",
)
network = brainmass.Network(
    node, conn=ladder, speed=1 * u.mm / u.ms, coupling="diffusive", coupled_var="x", k=K
)
run = brainmass.Simulator(network, dt=0.1 * u.ms).run(
    3 * u.second, transient=2.5 * u.second, monitors=["x", "y"], sample_every=0.5 * u.ms
)


def phases(run):
    return np.unwrap(np.arctan2(np.asarray(run["y"]), np.asarray(run["x"])), axis=0)


theta = phases(run)
frequency = (theta[-1] - theta[0])[::2] / ((len(theta) - 1) * 0.5) * 1000 / (2 * np.pi)
together = np.cos(theta[:, ::2] - theta[:, 1::2]).mean(axis=0)


def locked(d, sign):
    """The frequency in Hz of the solution in phase (+1) or in antiphase (-1)."""
    root = brentq(
        lambda w: w - omega + sign * K / 2 * np.sin(w * d), omega - K, omega + K
    )
    return root * 1000 / (2 * np.pi)


in_phase, antiphase = (np.array([locked(d, sign) for d in tested]) for sign in (1, -1))
expected = np.where(together > 0, in_phase, antiphase)
print(
    f"frequencies {frequency.min():.1f} to {frequency.max():.1f} Hz, though each oscillator has 40 Hz"
)
print(
    f"largest deviation from the formula: {np.abs(frequency - expected).max():.2f} Hz"
)
assert np.abs(frequency - expected).max() < 0.15 and (np.abs(together) > 0.99).all()

figure, ax = plt.subplots(figsize=(7, 3.6))
ax.plot(tested, in_phase, color=BLUE, lw=0.8, label="theory, in phase")
ax.plot(tested, antiphase, color=RED, lw=0.8, label="theory, antiphase")
for color, where in ((BLUE, together > 0), (RED, together < 0)):
    ax.plot(tested[where], frequency[where], "o", ms=4, color=color)
ax.set(
    xlabel="delay (ms)", ylabel="frequency of the pair (Hz)", title="dots: simulated"
)
ax.legend()
plt.show()

# %% [markdown]
# A short delay slows the pair down: each waits for the other. From about a third of a period on, coupling that without
# a delay attracts holds them in antiphase, and from two thirds on in phase again. Near the borders both states are
# stable, and the start decides. Delay is thus no detail for fast rhythms.
#
# ## The whole brain
#
# A hundred noisy oscillators on the connectome, slow ones of 10 Hz and fast ones of 40 Hz, and three speeds. The order
# parameter $R = |\frac{1}{N}\sum_j e^{i\theta_j}|$ is 1 when all are at the same phase:

# %%
rng = np.random.default_rng(0)
detuning = 1 + 0.02 * rng.normal(size=100)  # two per cent
speeds = (np.inf, 20.0, 5.0)  # m/s
coherence = {}
for hertz in (10, 40):
    for speed in speeds:
        node = brainmass.HopfStep(
            100,
            a=0.05,
            w=2 * np.pi * hertz / 1000 * detuning,
            init_x=Uniform(-0.2, 0.2),
            init_y=Uniform(-0.2, 0.2),
            noise_x=brainmass.WhiteNoise(100, sigma=0.01),
            method="heun",
        )
        brain = brainmass.Network(
            node,
            conn=spectral,
            speed=speed * u.mm / u.ms,
            coupling="diffusive",
            coupled_var="x",
            k=0.1,
        )
        run = brainmass.Simulator(brain, dt=0.5 * u.ms).run(
            3 * u.second,
            transient=1 * u.second,
            monitors=["x", "y"],
            sample_every=2 * u.ms,
            seed=0,
        )
        theta = phases(run)
        coherence[hertz, speed] = np.asarray(
            brainmass.objectives.order_parameter(theta)
        )
        rate = (theta[-1] - theta[0]).mean() / ((len(theta) - 1) * 0.002) / (2 * np.pi)
        print(
            f"{hertz} Hz at {speed:4.0f} m/s: R = {coherence[hertz, speed].mean():.2f}, mean frequency {rate:.1f} Hz"
        )

figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True)
for ax, hertz in zip(axes, (10, 40), strict=True):
    for speed, color in zip(speeds, (BLUE, GREEN, RED), strict=True):
        name = "no delays" if np.isinf(speed) else f"{speed:.0f} m/s"
        ax.plot(
            1 + 0.002 * np.arange(1, 1001),
            coherence[hertz, speed],
            color=color,
            lw=1,
            label=name,
        )
    ax.set(xlabel="time (s)", title=f"oscillators of {hertz} Hz", ylim=(0, 1))
axes[0].set(ylabel="order parameter R")
axes[1].legend()
plt.show()

# %% [markdown]
# Without delays both kinds synchronise almost fully. At 20 m/s the slow oscillators hardly notice, the fast ones are in
# step by half; at 5 m/s the slow ones are still mostly in step, though at 7.7 in place of 10 Hz, and the fast ones not
# at all. So delays slow a rhythm down and decide which rhythms the whole brain can share; in this way
# [Cabral et al. (2014)](https://doi.org/10.1016/j.neuroimage.2013.11.047) explain slow rhythms in MEG from fast
# oscillators. For BOLD alone, with its seconds, delays can be left out, and a run is several times faster.
#
# ## Exercises
#
# 1. Repeat the last figure with `conn=connectome.normalize("row")`, or with `map_weights(np.log1p)` before
#    `normalize("spectral")`. Which of the two changes more?
# 2. Simulate the left hemisphere alone, `spectral.hemisphere("left")`. Are fast oscillators more in step?
# 3. Take `a=-0.05`, below the bifurcation, and more noise. What is left of the synchrony of 10 Hz, and of 40 Hz?
