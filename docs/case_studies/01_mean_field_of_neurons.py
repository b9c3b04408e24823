# %% [markdown]
# # Montbrió, Pazó and Roxin 2015: one equation for ten thousand neurons
#
# **Do two numbers, a rate and a mean potential, really follow a network of spiking neurons, and where does that network
# have two states?** Figures 1 and 2 of
# [Phys. Rev. X 5:021028](https://doi.org/10.1103/PhysRevX.5.021028), once with `brainmass` and once with the neurons
# themselves, written in a few lines of numpy.
#
# The neurons are quadratic integrate-and-fire units, each connected to all,
#
# $$\dot v_j = v_j^2 + \eta_j + J r + I(t),$$
#
# whose excitabilities $\eta_j$ are spread as a Lorentzian with centre $\bar\eta$ and half-width $\Delta$. Time is in
# units of their time constant, which we take to be a millisecond. For infinitely many of them the paper derives
#
# $$\dot r = \frac{\Delta}{\pi} + 2 r v, \qquad \dot v = v^2 + \bar\eta + J r - (\pi r)^2 + I(t).$$

# %%
import brainunit as u
import matplotlib.pyplot as plt
import numpy as np
from braintools.init import Constant

import brainmass

plt.rcParams["figure.constrained_layout.use"] = True

# %% [markdown]
# ## Figure 1: where there are two states
#
# Each point of a grid of $\bar\eta$ and $J$ is a region of its own, started once from silence and once from
# $r = 0.6\,J/\pi^2$: an active state lies between half of $J/\pi^2$ and the whole, where recurrent excitation $J r$
# balances $(\pi r)^2$. Where the two end apart the network is bistable.

# %%
etas, strengths = np.linspace(-12, 1, 53), np.linspace(2, 22, 41)
eta, J = (x.ravel() for x in np.meshgrid(etas, strengths))


def end_from(rate):
    node = brainmass.MontbrioPazoRoxinStep(
        eta.size,
        eta=eta,
        J=J,
        delta=1 / u.ms,
        method="heun",
        init_r=Constant(rate * u.kHz),
        init_v=Constant(0.0),
    )
    simulator = brainmass.Simulator(node, dt=0.005 * u.ms)
    end = simulator.run(60 * u.ms, monitors=["r"], sample_every=60 * u.ms)
    return np.asarray(end["r"].to_decimal(u.kHz))[-1]


apart = (end_from(0.6 * J / np.pi**2) - end_from(0.01 + 0 * J)).reshape(
    strengths.size, etas.size
)

# %% [markdown]
# The border is known. In equilibrium $v = -\Delta/(2\pi r)$, which leaves $\bar\eta$ as a function of $r$; its extrema
# are the folds. They meet in a cusp, for $\Delta = 1$ at $\pi r = (3/4)^{1/4}$, $\bar\eta = -\sqrt 3$ and
# $J \approx 7.80$:

# %%
r = np.geomspace(0.03, 3, 4000)
fold_J = 2 * np.pi**2 * r + 1 / (2 * np.pi**2 * r**3)  # where dη/dr = 0
fold_eta = -1 / (2 * np.pi * r) ** 2 + (np.pi * r) ** 2 - fold_J * r
cusp = fold_J.argmin()
print(f"cusp at η = {fold_eta[cusp]:.3f}, J = {fold_J[cusp]:.3f}, r = {r[cusp]:.4f}")

low, high = (
    r < r[cusp],
    r > r[cusp],
)  # the silent state ends at the one, the active state at the other
inside = np.zeros_like(apart, bool)
for i, strength in enumerate(strengths):
    if strength > fold_J[cusp]:
        silent_ends = np.interp(strength, fold_J[low][::-1], fold_eta[low][::-1])
        active_ends = np.interp(strength, fold_J[high], fold_eta[high])
        inside[i] = (etas > active_ends) & (etas < silent_ends)
agree = np.mean((apart > 0.05) == inside)
print(f"{agree:.1%} of {apart.size} networks are bistable just where the folds say")
assert agree > 0.98

# %% [markdown]
# ## Figure 2: a current step, and a slow wave
#
# With $J = 15$, $\bar\eta = -5$ and $\Delta = 1$ the network has two states. A current of 3 for 30 time units lifts it
# into the active one, where it stays; a sinusoid of the same size takes it up and down again. The neurons, in
# steps in which the current is constant, so that the solution is a tangent and passes through infinity at a spike:


# %%
def rate_of_neurons(current, dt, n=5000):
    quantiles = (2 * np.arange(1, n + 1) - n - 1) / (n + 1)
    excitabilities = -5 + np.tan(np.pi / 2 * quantiles)
    v, rate, rates = np.full(n, -2.0), 0.0, []
    for drive in current:
        total = excitabilities + 15 * rate + drive
        root = np.sqrt(np.abs(total)) + 1e-12
        excited = total > 0
        angle = root * dt
        cosine = np.where(excited, np.cos(angle), np.cosh(angle))
        sine = np.where(excited, np.sin(angle), np.sinh(angle)) / root
        below = cosine - v * sine
        v = (v * cosine + total * sine) / below
        rate = np.count_nonzero(below <= 0) / n / dt
        rates.append(rate)
    return np.array(rates)


dt = 0.004
time = dt * np.arange(round(50 / dt)) - 10
currents = {
    "step": np.where((time >= 0) & (time < 30), 3.0, 0.0),
    "wave": np.where(time >= 0, 3 * np.sin(np.pi * time / 20), 0.0),
}
node = brainmass.MontbrioPazoRoxinStep(
    1,
    eta=-5.0,
    J=15.0,
    delta=1 / u.ms,
    method="heun",
    init_r=Constant(0.0 * u.kHz),
    init_v=Constant(-2.0),
)
simulator = brainmass.Simulator(node, dt=dt * u.ms)
rates = {}
for name, current in currents.items():
    run = simulator.run(50 * u.ms, inputs={"v_inp": current[:, None]}, monitors=["r"])
    field = np.asarray(run["r"].to_decimal(u.kHz))[:, 0]
    rates[name] = rate_of_neurons(current, dt), field


# %% [markdown]
# Spikes are counted in windows of 0.2, as few of them fall into one step.


# %%
width = round(0.2 / dt)


def smooth(x):
    return np.convolve(x, np.full(width, 1 / width), mode="valid")


inner = time[width // 2 : width // 2 + time.size - width + 1]


figure, axes = plt.subplots(1, 3, figsize=(13, 3.8), width_ratios=(1, 1.2, 1.2))
picture = axes[0].pcolormesh(etas, strengths, apart, cmap="cividis")
axes[0].plot(fold_eta[low], fold_J[low], color="w", lw=2)
axes[0].plot(fold_eta[high], fold_J[high], color="w", lw=2, ls="--")
axes[0].set(
    xlabel=r"$\bar\eta / \Delta$",
    ylabel=r"$J / \sqrt{\Delta}$",
    xlim=(etas[0], etas[-1]),
    ylim=(strengths[0], strengths[-1]),
    title="distance of the two ends",
)
figure.colorbar(picture, ax=axes[0], label="rate (1/ms)")
for ax, (name, (neurons, field)) in zip(axes[1:], rates.items(), strict=True):
    ax.plot(inner, smooth(neurons), color="0.6", lw=3, label="5000 neurons")
    ax.plot(inner, smooth(field), color="#D55E00", lw=1.2, label="mean field")
    ax.plot(
        time, currents[name] / 10 - 0.5, color="#0072B2", lw=1, label="current / 10"
    )
    ax.set(xlabel="time (ms)", ylabel="rate (1/ms)", title=name)
axes[2].legend(loc="upper right", fontsize=8)
plt.show()

# %% [markdown]
# Left: bistable networks are bright; the lines are the folds, where the silent state ends (solid) and the active one
# (dashed). Middle and right: the mean field lies on the neurons, through the damped bursts after the current comes on,
# the decay after it goes, and the rise and fall with the wave. Correlations are less than one as a burst that comes
# 50 µs later is several per cent off on its flanks.

# %%
for name, (neurons, field) in rates.items():
    correlation = np.corrcoef(smooth(neurons), smooth(field))[0, 1]
    print(f"{name}: correlation of neurons and mean field {correlation:.4f}")
    assert correlation > 0.93
step = smooth(rates["step"][1])
stays = step[inner > 37].mean()
equilibria = np.roots(
    [-(np.pi**2), 15, -5, 0, 1 / (4 * np.pi**2)]
)  # of r, from v = -1/(2πr)
active = equilibria[np.isreal(equilibria)].real.max()
print(f"after the step the rate is {stays:.3f}, the active equilibrium {active:.3f}")
assert abs(stays - active) < 0.03 * active

# %% [markdown]
# ## Exercises
#
# 1. With how few neurons does the mean field still describe the first burst? And with a spread $\Delta$ of 0.1?
# 2. Which shortest current step switches the network on? Which negative one switches it off again?
# 3. Fit $\bar\eta$ and $J$ of the mean field to the rate of the neurons by gradient, as in the
#    [sixth tutorial](../tutorials/06_fitting_with_gradients.py).
