# %% [markdown]
# # Switching a bistable network with least energy
#
# **A region fires at a high rate, and could as well be silent. What is the weakest stimulus that silences it?** The
# first idea is a pulse. It must be strong, or long, to push the region over the edge between both states. But a region
# that swings on its way to rest can be pushed like a child on a swing, with little force at the right moments.
#
# The region is the mean field of Montbrió, Pazó and Roxin where it is bistable: a silent state, an active one, and
# between them a saddle on whose other side everything falls towards the other state.

# %%
import brainunit as u
import jax
import matplotlib.pyplot as plt
import numpy as np

import brainmass

jax.config.update("jax_enable_x64", True)
plt.rcParams["figure.constrained_layout.use"] = True


def region(n, **options):
    return brainmass.MontbrioPazoRoxinStep.preset(
        "bistable", n, method="heun", **options
    )


found = brainmass.fixed_points(region(1))
silent, saddle, active = found
print(found)

# %% [markdown]
# ## The best rectangular pulse
#
# 3,920 regions start in the active state, and each gets another pulse into its rate, up or down; `clamp` keeps rates
# from falling below zero. Of those that are silent in the end, which one took the least energy, $\int u^2\,dt$?

# %%
strengths = np.linspace(0.05, 2.5, 49)  # kHz
amplitude, width = (
    x.ravel()
    for x in np.meshgrid(
        np.concatenate([-strengths, strengths]), np.linspace(0.1, 4, 40)
    )
)
n = len(amplitude)
pulses = brainmass.Pulse(
    n, amplitude=1e3 * amplitude, onset=0 * u.ms, width=width * u.ms
)
tried = brainmass.Simulator(region(n, clamp=True), dt=0.01 * u.ms).run(
    40 * u.ms,
    inputs={"r_inp": pulses},
    state={k: x[0] for k, x in active.state.items()},
    monitors=["r"],
    sample_every=20 * u.ms,
)
threshold = saddle.state["r"]
silenced = np.asarray(tried["r"][-1] < threshold)
energy = np.where(silenced, amplitude**2 * width, np.inf)
best = energy.argmin()
print(
    f"best pulse: {amplitude[best]:.2f} kHz for {width[best]:.1f} ms, "
    f"energy {energy[best]:.2f} kHz² ms"
)

# %% [markdown]
# ## The optimal control
#
# Asked for is the silent state at the end of 30 ms, at as little energy as possible. The search goes downhill, so that
# it matters where it starts: here from an input that grows as the swing of the active state dies away, and in its
# rhythm. Both are in the eigenvalues of the active state, $-0.31 \pm 3.32\,i$ per ms.

# %%
duration, every = 30 * u.ms, 0.1 * u.ms
t = (np.arange(300) + 0.5) * 0.1
rate = np.ravel(active.eigenvalues)[0]
swing = np.where(t < 24, -300 * np.exp(-rate * (t - 24)).imag, 0.0)
simulator = brainmass.Simulator(region(1), dt=0.01 * u.ms)
at_the_end = (29.9 * u.ms, 30 * u.ms)
cost = [
    brainmass.TrackingCost("r", silent.state["r"], 1e-4, window=at_the_end),
    brainmass.EnergyCost(1e-6),  # of numbers in Hz
]
control = brainmass.control(
    simulator,
    duration,
    cost,
    ports="r_inp",
    every=every,
    start={"r_inp": swing[:, None]},
    state=active.state,
    n_steps=300,
)
print(control)
least = 1e-6 * control.energy
print(f"energy {least:.2f} kHz² ms, {least / energy[best]:.0%} of the pulse")
assert least < 0.33 * energy[best]

# %%
runs = {
    "best pulse": brainmass.Pulse(
        1, amplitude=1e3 * amplitude[best], onset=24 * u.ms, width=width[best] * u.ms
    ),
    "optimal control": control.stimuli["r_inp"],
}
figure, axes = plt.subplots(1, 3, figsize=(13, 3.8))
for (name, stimulus), color in zip(runs.items(), ("#D55E00", "#0072B2"), strict=True):
    run = simulator.run(
        60 * u.ms, inputs={"r_inp": stimulus}, state=active.state, monitors=["r", "v"]
    )
    assert run["r"][-1, 0] < threshold[0]  # and stays there, when all is over
    time, first = np.asarray(run.time / u.ms), 3500
    u_of_t = stimulus.series(60 * u.ms, 0.01 * u.ms)
    axes[0].plot(time[:first], u_of_t[:first, 0], color=color, label=name)
    axes[1].plot(time[:first], run["r"][:first, 0] / u.Hz, color=color)
    axes[2].plot(run["r"][:first, 0] / u.Hz, run["v"][:first, 0], color=color)
for point, mark in ((silent, "o"), (saddle, "X"), (active, "o")):
    axes[2].plot(point.state["r"] / u.Hz, point.state["v"], mark, color="0.3")
axes[0].set(xlabel="time (ms)", ylabel="input to r (Hz)")
axes[0].legend(frameon=False)
axes[1].set(xlabel="time (ms)", ylabel="rate (Hz)")
axes[2].set(xlabel="rate (Hz)", ylabel="v")
plt.show()

# %% [markdown]
# The control pushes in the rhythm in which the active state swings, a little more each time, until a last push leads
# past the saddle (cross). It takes less than a third of the energy of the best pulse.
#
# No stimulus can do with much less. As Pontryagin's principle has it, the path of least energy in unlimited time ends
# in the saddle; the boundary value problem of states and costates gives 0.288 kHz² ms for it. Where the stimulus
# enters matters: into the potential, `v_inp`, the least is 0.677, 56 % of the energy of the best pulse there. Back
# from the silent state, which does not swing, the best control takes 88 % of the energy of the best pulse, through
# either port.
#
# ## A network
#
# Four such regions in a ring excite each other, with a delay of 0.5 ms, and rest active together. The target asks all
# four for silence, by a stimulus to the potentials that changes no more often than each 0.2 ms and is at most 1.5.

# %%
ring = np.roll(np.eye(4), 1, axis=1) + np.roll(np.eye(4), -1, axis=1)
network = brainmass.Network(
    region(4),
    conn=ring,
    distance=2.0 * ring,
    speed=4.0,
    coupled_var="r",
    coupling="additive",
    k=0.1,
)
four = brainmass.Simulator(network, dt=0.02 * u.ms)
rest = four.run(60 * u.ms, state={k: x[0] for k, x in active.state.items()})
print("active:", rest["r"][-1].round(0))
silence = brainmass.TrackingCost(
    "r", silent.state["r"][0], 1e-4, window=(26 * u.ms, 30 * u.ms)
)
both = brainmass.control(
    four,
    duration,
    [silence, brainmass.EnergyCost()],
    ports="v_inp",
    every=0.2 * u.ms,
    limits=(-1.5, 1.5),
    start={"v_inp": np.where((t > 14) & (t < 18), -1.5, 0.0)[::2, None] * np.ones(4)},
    state={name: rest[name][-1] for name in "rv"},
    n_steps=200,
)
print(both)
print(f"energy {both.energy / 4:.2f} for each")
run = both.run(monitors=["r"])
assert (run["r"][-1] < threshold).all()

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8))
brainmass.viz.plot_control(both, ax=left)
brainmass.viz.plot_timeseries(run["r"], run.time, ax=right)
plt.show()

# %% [markdown]
# ## What to try
#
# 1. The way back, from silence to activity: exchange `silent` and `active`. Do you find 88 %?
# 2. Add `brainmass.SparsityCost(0.1, over="time")`. How many pushes are left, and at what energy?
# 3. Give the region noise, `noise_v=brainmass.WhiteNoise(1, sigma=0.05)`, and find the control again with
#    `n_noises=20, seed=0`. How does it differ, and what does it cost on fresh noises, `control.validation`?
