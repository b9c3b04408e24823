# %% [markdown]
# # Jansen and Rit 1995: alpha, spikes, and what lies between
#
# **For which input does a column of cortex rest, for which does it have an alpha rhythm or spikes as in epilepsy, and
# where does one turn into the other?** The bifurcation diagram of
# [Grimbert and Faugeras 2006](https://doi.org/10.1162/neco.2006.18.12.3052) for the model of
# [Jansen and Rit 1995](https://doi.org/10.1007/BF00199471): equilibria and cycles, stable and unstable, as lines from
# theory, and simulations as dots upon them. It needs `pip install ".[viz]"`.
#
# Pyramidal cells ($M$ is the potential that they evoke in others) receive an excitatory potential $E$ and an inhibitory
# one $I$, and an input of $p$ pulses per second:
#
# $$\ddot M = A a\, S(E - I) - 2a \dot M - a^2 M$$
#
# $$\ddot E = A a \left(p + C_2 S(C_1 M)\right) - 2a \dot E - a^2 E$$
#
# $$\ddot I = B b\, C_4 S(C_3 M) - 2b \dot I - b^2 I$$
#
# The EEG is $y = E - I$. The paper's parameters are the model's defaults.

# %%
import brainunit as u
import matplotlib.pyplot as plt
import numpy as np
from braintools.init import Constant

import brainmass

plt.rcParams["figure.constrained_layout.use"] = True
ORANGE, BLUE, GREEN = "#D55E00", "#0072B2", "#009E73"

# %% [markdown]
# ## Equilibria and cycles
#
# `continue_equilibria` follows what is at rest while the input changes, and finds where its stability changes. A real
# eigenvalue changes its sign at a *fold*, where two equilibria meet, a pair of complex ones at a *Hopf* point, where
# a rhythm begins. `continue_cycles` follows the rhythms, also those that are unstable and that no simulation shows.

# %%
column = brainmass.JansenRitStep(1)
diagram = brainmass.continue_equilibria(column, "E_inp", (-60 * u.Hz, 350 * u.Hz))
diagram = brainmass.continue_cycles(diagram)
print(diagram)

assert np.allclose(diagram.values("Hopf"), [-12.15, 89.83, 315.70], atol=0.01)
assert np.allclose(diagram.values("fold"), [-41.301, 113.586], atol=0.001)
assert np.allclose(diagram.values("fold of cycles"), 137.38, atol=0.01)
equilibria, spikes, alpha = diagram.branches

# %% [markdown]
# The paper has the Hopf points at −12.15, 89.83 and 315.70, and a fold at 113.6. A
# [continuation](https://github.com/pclus/auto-tutorial) of the same equations with AUTO has −12.148 for the first, and
# 113.586 and −41.301 for the folds.
#
# The branch from the first Hopf point is unstable as far as 137.38, a fold of cycles (137.4 in the paper). There it
# turns back as the spikes. Towards the fold of equilibria at 113.59 they come at ever longer intervals: the cycle is
# about to run through the point where two equilibria will be.
#
# ## The simulation
#
# For each $p$ there are two columns, one that starts from silence and one that starts near the uppermost equilibrium.
# Each is a region of one node, and has its own input.

# %%
p_run = np.arange(-40.0, 341.0, 5.0)
turn = equilibria.values[:-1] > equilibria.values[1:]  # between the folds
upper = slice(np.flatnonzero(turn)[-1] + 1, None)
above = [np.interp(p_run, equilibria.values[upper], x[upper]) for x in equilibria.x.T]
M0, E0, I0 = np.concatenate([np.zeros((3, len(p_run))), above[:3]], axis=1)
E0[len(p_run) :] += 0.8
columns = brainmass.JansenRitStep(
    2 * len(p_run),
    M_init=Constant(M0 * u.mV),
    E_init=Constant(E0 * u.mV),
    I_init=Constant(I0 * u.mV),
    method="rk4",
)
run = brainmass.Simulator(columns, dt=1 * u.ms).run(
    18 * u.second,
    transient=14 * u.second,
    inputs={"E_inp": np.tile(p_run, 2) * u.Hz},
    monitors={"eeg": lambda model: model.eeg()},
)
eeg = run["eeg"].to_decimal(u.mV).reshape(-1, 2, len(p_run))
print(run)


def frequency(x):
    """In Hz, from the times at which `x` goes up through the middle of its range."""
    x = x - (x.max() + x.min()) / 2
    up = np.flatnonzero((x[:-1] < 0) & (x[1:] >= 0))
    times = (up - x[up] / (x[up + 1] - x[up])) / 1000
    return (len(times) - 1) / (times[-1] - times[0])


size = np.ptp(eeg, axis=0)
spiking, rhythmic = size > 6, (size > 0.5) & (size < 6)
seen = {}
for name, cycles, where in (("alpha", alpha, rhythmic), ("spikes", spikes, spiking)):
    stable = np.flatnonzero(cycles.stable)
    order = stable[cycles.values[stable].argsort()]
    at = [(p_run[j], frequency(eeg[:, start, j])) for start, j in np.argwhere(where)]
    at_p, hertz = seen[name] = np.transpose(at)
    off = hertz - np.interp(at_p, cycles.values[order], 1000 / cycles.period[order])
    print(
        f"{name}: {len(at)} columns, up to {np.abs(off).max():.3f} Hz off the theory,",
        f"by median {np.median(np.abs(off)):.4f} Hz",
    )
    assert np.abs(off).max() < 0.03

# %%
figure, (left, middle, right) = plt.subplots(
    1, 3, figsize=(13, 4.4), width_ratios=(1.6, 1, 1)
)
brainmass.viz.plot_bifurcations(diagram, lambda x: x["E"] - x["I"], ax=left)
for cycles in (alpha, spikes):
    for stable, style in ((cycles.stable, "-"), (~cycles.stable, "--")):
        hertz = np.where(stable, 1000 / cycles.period, np.nan)
        middle.plot(cycles.values, hertz, style, color=ORANGE)
dots = dict(color=GREEN, ms=3.5, mfc="none", ls="none", mew=0.8)
for start, marker, name in ((0, "o", "from silence"), (1, "x", "from above")):
    left.plot(p_run, eeg[..., start, :].min(axis=0), marker, **dots, label=name)
    left.plot(p_run, eeg[..., start, :].max(axis=0), marker, **dots)
for pairs in seen.values():
    middle.plot(*pairs, "o", **dots)
left.set(
    ylabel="EEG at rest, or its lowest and highest (mV)",
    ylim=(-2.5, 12.5),
    title="equilibria and cycles",
)
left.legend(ncols=2, fontsize=8, loc="lower right")
middle.set(ylabel="frequency (Hz)", ylim=(0, 12), title="frequency of the cycles")
for ax in (left, middle):
    ax.set(xlabel="input p (pulses per second)", xlim=(-50, 340))
column_120 = np.abs(p_run - 120).argmin()
for start, color, name in ((0, ORANGE, "from silence"), (1, BLUE, "from above")):
    shown = eeg[:2000, start, column_120]
    right.plot(np.arange(2000) / 1000, shown, color=color, label=name)
right.set(
    xlabel="time (s)", ylabel="EEG (mV)", ylim=(0, 14), title="a column at p = 120"
)
right.legend(fontsize=8, loc="upper right", ncols=2)
plt.show()

# %% [markdown]
# Left: lines are theory, circles and crosses simulated columns. They leave the lines only near Hopf points, where an
# oscillation grows or fades too slowly for the 14 s before it was looked at. Below 89.83 the column rests, above −12.15
# in one of two states. From 89.83 to 315.70 it has an alpha rhythm of 10.4 to 11.2 Hz. A silent column stays silent up
# to 113.59, then spikes up to 137.38: in this range alpha and spikes exist side by side (right), and between them lies
# the unstable cycle. The input of Jansen and Rit, noise between 120 and 320 pulses per second, covers it, which is how
# one column makes both.
#
# | | Grimbert, Faugeras | here |
# | --- | --- | --- |
# | Hopf points | −12.15, 89.83, 315.70 | −12.15, 89.83, 315.70 |
# | fold of the silent state | 113.6 | 113.59 |
# | fold of cycles, where spikes end | 137.4 | 137.38 |
#
# Middle: alpha hardly depends on the input, as a Hopf point has a frequency of its own. Spikes do, as they are born
# with an infinite period.
#
# ## What to try
#
# 1. Scale the numbers of synapses ($C_1$ to $C_4$; `C` of the model) from 135 to 130 and to 140. Are alpha and spikes
#    still there side by side?
# 2. Start at $p = 120$ in the alpha rhythm and give `inputs={"E_inp": ...}` a pulse. Which is the smallest that turns
#    it into spikes, and does its phase matter? The unstable cycle is what it has to cross.
# 3. Drive the column with noise, `noise_E=brainmass.WhiteNoise(1, ...)`, about $p = 130$ and look for spikes among the
#    alpha waves.
