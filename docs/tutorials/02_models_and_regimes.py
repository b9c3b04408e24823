# %% [markdown]
# # Models and their regimes
#
# **What can a model do, and at which parameters does it change its mind?**
#
# A parameter on its own says little; what matters is which *regime* it puts the model into: rest, rhythm, two states at
# once, seizures. Where one regime ends and another begins is a *bifurcation*. This page draws the bifurcation diagrams
# of four models, each from one batched run, and compares them with theory or with what was published.

# %%
import brainunit as u
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from braintools.init import Constant

import brainmass

plt.rcParams["figure.constrained_layout.use"] = True
BLUE, RED, GREEN = "#0072B2", "#D55E00", "#009E73"

# %% [markdown]
# ## Birth of a rhythm: Hopf
#
# The normal form of the Hopf bifurcation, $\dot z = (a + i\omega) z - \beta |z|^2 z$, is the simplest model with a
# rhythm. For $a < 0$ every oscillation dies out, for $a > 0$ it settles at the amplitude $\sqrt{a/\beta}$. Large-scale
# models of the resting brain work close to $a = 0$
# ([Deco et al. 2017](https://doi.org/10.1038/s41598-017-03073-5)).
#
# A parameter may differ from region to region, and regions that no network connects are independent. So **one node
# with many regions is a scan**, and it runs as fast as a node does:

# %%
a = np.linspace(-0.1, 0.2, 61)  # per ms
node = brainmass.HopfStep(
    len(a),
    a=a,
    w=2 * np.pi * 0.01,
    init_x=Constant(0.3),
    init_y=Constant(0.0),
    method="heun",
)  # 10 Hz is 2 pi 0.01 rad per ms
run = brainmass.Simulator(node, dt=0.5 * u.ms).run(
    1 * u.second, transient=0.8 * u.second, monitors=["x"]
)
amplitude = np.asarray(run["x"]).max(axis=0)
theory = np.sqrt(np.maximum(a, 0))

away = np.abs(a) > 0.02
print(
    f"largest deviation from theory: {np.abs(amplitude - theory)[away].max():.1e}, but for |a| <= 0.02"
)
at_zero = np.abs(a).argmin()
print(
    f"at a = 0: {amplitude[at_zero]:.4f} after 0.8 s; 1/sqrt(2 t) = {1 / np.sqrt(2 * 800):.4f}"
)
assert np.allclose(amplitude[away], theory[away], atol=2e-3)
assert np.isclose(amplitude[at_zero], 1 / np.sqrt(2 * 800), rtol=0.03)

figure, ax = plt.subplots(figsize=(6, 3.2))
ax.plot(a, amplitude, "o", ms=4, color=BLUE, label="simulated")
ax.plot(a, theory, color=RED, label=r"$\sqrt{a/\beta}$")
ax.set(xlabel="a (per ms)", ylabel="amplitude of x", title="Hopf bifurcation")
ax.legend()
plt.show()

# %% [markdown]
# The points lie on the curve. At $a = 0$ itself an oscillation decays, but only as $1/\sqrt{2\beta t}$: 0.8 s are not
# enough. This *critical slowing down* is why long runs are needed near a bifurcation, and also why a brain near one
# fluctuates slowly.
#
# ## Two states: Montbrió–Pazó–Roxin
#
# The model of [the first tutorial](01_first_simulation.py) has two stable states for some $\bar\eta$. All its fixed
# points lie on one curve: with $x = \tau r$,
#
# $$\bar\eta + I = (\pi x)^2 - J x - \frac{\Delta^2}{(2\pi x)^2}.$$
#
# A slow input $I(t)$ that goes up and comes down again moves the region along the curve until it ends. An input is
# given by the name of its port, here as a function of time:

# %%
ramp_time = 15 * u.second
region = brainmass.MontbrioPazoRoxinStep(
    1,
    tau=10 * u.ms,
    delta=1.0,
    eta=-7.0,
    J=15.0,
    method="heun",
    init_r=Constant(5 * u.Hz),
    init_v=Constant(-3.0),
)


def ramp(t):
    """From 0 to 5 and back."""
    return 5.0 * (1 - jnp.abs(1 - t / ramp_time))


run = brainmass.Simulator(region, dt=0.25 * u.ms).run(
    2 * ramp_time, inputs={"v_inp": ramp}, monitors=["r"], sample_every=5 * u.ms
)
rate = run["r"][:, 0].to_decimal(u.Hz)
excitability = -7.0 + np.asarray(ramp(run.time))
half = len(rate) // 2
up = excitability[:half][rate[:half] > 60][
    0
]  # the first time above 60 Hz on the way up
down = excitability[half:][rate[half:] > 30][-1]  # the last above 30 Hz on the way down

x = np.linspace(0.04, 1.3, 2000)
curve = (np.pi * x) ** 2 - 15.0 * x - 1 / (2 * np.pi * x) ** 2
folds = curve[1:-1][np.diff(np.sign(np.diff(curve))) != 0]
print(
    f"jumps at {up:.2f} on the way up and {down:.2f} on the way down; the curve turns at {folds.round(4)}"
)
assert abs(up - folds.max()) < 0.1 and abs(down - folds.min()) < 0.1

figure, ax = plt.subplots(figsize=(6, 3.6))
ax.plot(curve, 100 * x, "--", color="0.6", label="fixed points")
ax.plot(excitability[:half], rate[:half], color=BLUE, label="input goes up")
ax.plot(excitability[half:], rate[half:], color=RED, label="input comes down")
ax.set(
    xlabel=r"excitability $\bar\eta + I$",
    ylabel="firing rate (Hz)",
    xlim=(-7, -2),
    ylim=(0, 160),
)
ax.legend(loc="upper left")
plt.show()

# %% [markdown]
# This is *hysteresis*. On the way up the region follows the lower branch until the curve of fixed points turns back, at
# −3.14, and jumps; on the way down it stays on the upper branch until −5.74. Between the two, history decides. The
# middle part of the dashed curve is unstable, and no run follows it. The wiggles at the jump up are the damped
# oscillations of the upper state; both jumps come a little late, since the ramp does not wait.
#
# ## Alpha and spikes: Jansen–Rit
#
# Three populations of a cortical column give an EEG that depends on the input $p$ from elsewhere, in pulses per second
# ([Jansen & Rit 1995](https://doi.org/10.1007/BF00199471)). Its bifurcations were worked out by
# [Grimbert and Faugeras (2006)](https://doi.org/10.1162/neco.2006.18.12.3052). Two starts for each $p$ find the regimes
# that exist side by side:

# %%
p = np.arange(0.0, 401.0, 4.0) * u.Hz
high = dict(
    M_init=Constant(0.14 * u.mV), E_init=Constant(16 * u.mV), I_init=Constant(9 * u.mV)
)
found = {}
for start, initial in (("from rest", {}), ("from a high potential", high)):
    columns = brainmass.JansenRitStep(len(p), method="heun", **initial)
    found[start] = brainmass.Simulator(columns, dt=1 * u.ms).run(
        16 * u.second,
        transient=12 * u.second,
        inputs={"E_inp": p},
        monitors={"eeg": lambda model: model.eeg()},
    )
    print(found[start])

# %% [markdown]
# An oscillation that still shrinks is on its way to rest, so it counts only where the last second has the size of the
# first:

# %%
rates = p.to_decimal(u.Hz)
regimes = {}
for start, run in found.items():
    eeg = run["eeg"].to_decimal(u.mV)
    first, last = np.ptp(eeg[:1000], axis=0), np.ptp(eeg[-1000:], axis=0)
    lasts = (last > 0.05) & (last > 0.9 * first)
    power = np.abs(np.fft.rfft(eeg - eeg.mean(axis=0), axis=0)) ** 2
    frequency = np.fft.rfftfreq(len(eeg), 1e-3)[power.argmax(axis=0)]
    regimes[start] = {"alpha": lasts & (last < 6), "spikes": lasts & (last > 6)}
    for name, where in regimes[start].items():
        if where.any():
            hz = frequency[where]
            print(
                f"{start}: {name} for p = {rates[where].min():.0f} to {rates[where].max():.0f}",
                end="",
            )
            print(f" at {hz.min():.1f} to {hz.max():.1f} Hz")

spikes, alpha = (
    regimes["from rest"]["spikes"],
    regimes["from a high potential"]["alpha"],
)
assert np.allclose([rates[spikes].min(), rates[spikes].max()], [113.6, 137.4], atol=4)
assert np.allclose([rates[alpha].min(), rates[alpha].max()], [89.8, 315.7], atol=8)

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), width_ratios=(3, 2))
for (start, run), color, marker in zip(
    found.items(), (RED, BLUE), ("o", "."), strict=True
):
    eeg = run["eeg"][-1000:].to_decimal(u.mV)
    left.plot(rates, eeg.max(axis=0), marker, color=color, ms=4, label=start)
    left.plot(rates, eeg.min(axis=0), marker, color=color, ms=4)
for bifurcation in (89.8, 113.6, 137.4, 315.7):
    left.axvline(bifurcation, color="0.7", lw=0.8)
left.set(xlabel="input p (pulses per second)", ylabel="EEG, minimum and maximum (mV)")
left.legend(loc="lower right")
i = int(np.abs(rates - 120).argmin())
for (start, run), color in zip(found.items(), (RED, BLUE), strict=True):
    right.plot(
        np.arange(1000) / 1000,
        run["eeg"][-1000:, i].to_decimal(u.mV),
        color=color,
        label=start,
    )
right.set(xlabel="time (s)", ylabel="EEG (mV)", title="the same column, p = 120")
plt.show()

# %% [markdown]
# Left: with little input the column rests. Started high, it has an alpha rhythm of 10 to 11 Hz between the two outer
# grey lines, which are Hopf bifurcations. Started at rest it stays there until the rest state vanishes, at 113.6, and
# then gives large, slow *spikes* like those of epilepsy up to 137.4, where that cycle ends. All four values are those
# of Grimbert and Faugeras. What little range there is just outside the outer lines is oscillations that have not died
# out yet. Right: at $p = 120$ both exist, and only the past says which one is seen.
#
# ## Seizures: Epileptor
#
# The Epileptor ([Jirsa et al. 2014](https://doi.org/10.1093/brain/awu133)) adds a slow variable $z$, the
# permittivity, which switches fast discharges on and off. $x_0$ says how epileptogenic a region is; somewhere
# between −2.08 and −2.04 begins the regime of seizures. Variables and time of this model are dimensionless; a unit of
# time is called 1 ms.

# %%
x0 = np.array([-2.2, -2.1, -2.08, -2.04, -2.0, -1.9, -1.8, -1.7, -1.6, -1.5])
start = {
    "init_x1": -1.5,
    "init_y1": -10.0,
    "init_z": 3.5,
    "init_x2": -1.0,
    "init_y2": 0.0,
    "init_g": 0.0,
}
start = {name: Constant(value) for name, value in start.items()}
patches = brainmass.EpileptorStep(len(x0), x0=x0, method="heun", **start)
run = brainmass.Simulator(patches, dt=0.05 * u.ms).run(
    20 * u.second, monitors=["x1", "x2", "z"], sample_every=1 * u.ms
)
discharging = np.asarray(run["x1"] > 0, float)
active = (
    np.apply_along_axis(np.convolve, 0, discharging, np.ones(201) / 201, mode="same")
    > 0.02
)
onsets = (active[1:] & ~active[:-1])[5000:].sum(axis=0)
for value, count, share in zip(x0, onsets, active[5000:].mean(axis=0), strict=True):
    print(
        f"x0 = {value:5.2f}: {count:2d} seizures in 15,000 units of time, {100 * share:3.0f} % of it"
    )
assert (onsets[x0 < -2.06] == 0).all() and (onsets[x0 > -2.06] > 0).all()

figure, (top, bottom) = plt.subplots(
    2, 1, figsize=(8, 4), sharex=True, height_ratios=(2, 1)
)
shown, time = slice(5000, 13000), run.time.to_decimal(u.second)
field = np.asarray(run["x2"] - run["x1"])
for value, color, shift in ((-2.1, GREEN, 10), (-2.04, BLUE, 5), (-1.6, RED, 0)):
    j = int(np.abs(x0 - value).argmin())
    top.plot(
        time[shown],
        field[shown, j] + shift,
        color=color,
        lw=0.6,
        label=f"$x_0$ = {value}",
    )
    bottom.plot(time[shown], run["z"][shown, j], color=color)
top.set(ylabel="$x_2 - x_1$, shifted", yticks=[])
top.legend(loc="upper right")
bottom.set(xlabel="time (1000 units)", ylabel="z")
plt.show()

# %% [markdown]
# The upper panel is what an electrode would see. With $x_0 = -1.6$ seizures begin with fast discharges, end by
# themselves, and come again as soon as the permittivity in the lower panel has fallen far enough; with $-2.04$ they are
# rarer and shorter, and with $-2.1$ the region is healthy: it comes to rest and $z$ stays where it is. In a network a
# seizing neighbour may push it over; [networks](../networks.md) shows how.
#
# ## What to take along
#
# A node with a parameter per region is the quickest scan. For whole networks, several seeds, and files to go on from,
# use [`brainmass.sweep`](../sweeps.md), whose runs are independent by construction. Every [model's
# page](../models/index.rst) has its presets and its regimes' reference.
#
# ## Exercises
#
# 1. Make the ramp ten times shorter. How far beyond the folds are the jumps, and does a slower ramp bring them back?
# 2. Scan the inhibitory gain `Ai` of Jansen–Rit at `p = 220 * u.Hz`: for which values is there a rhythm, and how does
#    its frequency depend on them?
# 3. At which rate `r` of the permittivity does the number of seizures double for $x_0 = -1.6$?
