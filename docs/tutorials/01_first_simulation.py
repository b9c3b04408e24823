# %% [markdown]
# # First simulation
#
# **How does one simulate a piece of cortex, and then a whole brain, and what comes back?**
#
# A *neural mass* describes some ten thousand neurons by a few numbers. Here these are the mean firing rate $r$ and the
# mean membrane potential $v$ of Montbrió, Pazó and Roxin
# ([2015, Phys. Rev. X 5:021028](https://doi.org/10.1103/PhysRevX.5.021028)):
#
# $$\tau\dot r = \frac{\Delta}{\pi\tau} + 2 r v, \qquad
#   \tau\dot v = v^2 + \bar\eta + J\tau r - (\pi\tau r)^2 + I$$
#
# $\tau$ is the time constant of the neurons, $\bar\eta$ and $\Delta$ are the centre and the width of the distribution
# of their excitabilities, and $J$ is the strength with which they excite each other. The equations are exact for
# infinitely many quadratic integrate-and-fire neurons, each connected to all others.

# %%
import brainunit as u
import matplotlib.pyplot as plt
import numpy as np
from braintools.init import Constant

import brainmass

plt.rcParams["figure.constrained_layout.use"] = True

# %% [markdown]
# ## One region
#
# The first argument of a model is its number of regions. As long as no network connects them they do not know of each
# other, so two regions are a cheap way to try two initial states. Quantities with a dimension carry their unit:

# %%
start = Constant(np.array([2.0, 150.0]) * u.Hz)
node = brainmass.MontbrioPazoRoxinStep(
    2,
    tau=10 * u.ms,
    delta=1.0,
    eta=-5.0,
    J=15.0,
    method="heun",
    init_r=start,
    init_v=Constant(np.array([-2.0, 0.0])),
)
simulator = brainmass.Simulator(node, dt=0.1 * u.ms)
result = simulator.run(300 * u.ms)
print(result)

# %% [markdown]
# The result is a mapping of what was recorded, by default all states: here 3000 samples of two regions, with unit and
# range. `result.time` has the time stamps; a sample is the state at the *end* of its period, so the first is at 0.1 ms.
# `.to_decimal(unit)` makes plain numbers of quantities.

# %%
ax = brainmass.viz.plot_timeseries(
    result["r"],
    result.time,
    labels=["started at 2 Hz", "started at 150 Hz"],
    ax=plt.subplots(figsize=(7, 3))[1],
)
ax.set(ylabel="firing rate (Hz)", title="one region, two initial states")
plt.show()

# %% [markdown]
# The same region, with the same parameters, ends at about 8 Hz or at about 103 Hz: it is *bistable*. The upper state is
# a focus, reached in damped oscillations; the lower a node, approached without. Are the numbers right? At rest both
# derivatives vanish, which leaves a polynomial for $x = \tau r$,
# $\;\pi^2 x^4 - J x^3 - \bar\eta x^2 - \Delta^2/4\pi^2 = 0$. Its roots do not know of the package:

# %%
roots = np.roots([np.pi**2, -15.0, 5.0, 0.0, -1.0 / (4 * np.pi**2)])
low, unstable, high = 100 * np.sort(
    roots[roots.real > 0].real
)  # divided by 10 ms: in Hz
final = result["r"][-1].to_decimal(u.Hz)
print(
    f"fixed points {low:.3f}, {unstable:.3f} (unstable) and {high:.3f} Hz; runs end at {final[0]:.3f}, {final[1]:.3f}"
)
assert np.allclose(final, [low, high], rtol=1e-3)

# %% [markdown]
# ## Units, and what errors look like
#
# A number without its unit, or with the wrong one, is refused where it enters, before anything runs:

# %%
for wrong in ({"tau": 10}, {"tau": 10 * u.mV}, {"tua": 10 * u.ms}):
    try:
        brainmass.MontbrioPazoRoxinStep(1, **wrong)
    except (u.UnitMismatchError, TypeError) as error:
        print(f"{type(error).__name__}: {error}\n")

# %% [markdown]
# ## The time step
#
# `dt` belongs to the solution, not to the model, so a result must not depend on it. `method="heun"` is of second order:
# half the step makes a quarter of the error. Halving the step once is the cheapest check there is:


# %%
def rate_after_20_ms(dt):
    run = brainmass.Simulator(node, dt=dt * u.ms).run(
        20 * u.ms, monitors=["r"], sample_every=20 * u.ms
    )
    return float(run["r"][0, 1].to_decimal(u.Hz))


reference = rate_after_20_ms(0.01)
errors = {dt: abs(rate_after_20_ms(dt) - reference) for dt in (1.0, 0.5, 0.25, 0.125)}
for dt, error in errors.items():
    print(f"dt = {dt:5.3f} ms: error {error:7.3f} Hz of {reference:.1f} Hz")
assert 3 < errors[0.25] / errors[0.125] < 5

# %% [markdown]
# A run whose step is larger than the model's largest, here $\tau/10$ or 1 ms, warns. From 0.5 ms on the error falls by
# a factor of three to four with each halving. Below, 0.25 ms will do: noise moves the rates by more than this error.
#
# ## The resting brain
#
# Now a hundred regions, connected as in the average of 706 people of the Human Connectome Project
# ([Van Essen et al. 2013](https://doi.org/10.1016/j.neuroimage.2013.05.041)), in the parcellation of
# [Schaefer et al. (2018)](https://doi.org/10.1093/cercor/bhx179). Noise on $v$ stands for all that is not modelled. It
# can push a region from one state to the other, and each region that is up pushes those to which it projects:

# %%
data = brainmass.datasets.load_dataset("hcp_schaefer100")
connectome = data.connectome.normalize("max")  # the strongest connection has weight 1
n = connectome.n_regions
nodes = brainmass.MontbrioPazoRoxinStep(
    n,
    tau=10 * u.ms,
    delta=1.0,
    eta=-4.0,
    J=15.0,
    method="heun",
    init_r=Constant(8 * u.Hz),
    init_v=Constant(-1.9),
    noise_v=brainmass.WhiteNoise(n, sigma=2.2),
)
brain = brainmass.Network(
    nodes, conn=connectome, coupling="additive", coupled_var="r", k=0.25
)
simulator = brainmass.Simulator(brain, dt=0.25 * u.ms)
settings = dict(monitors=["r"], sample_every=20 * u.ms)
result = simulator.run(20 * u.second, transient=2 * u.second, seed=0, **settings)
print(result)

# %% [markdown]
# `monitors` says what to keep, `sample_every` how often, and `transient` what to skip at the beginning. Memory goes
# with what is kept: 80,000 steps were made, 900 rows recorded. `seed` decides the noise: the same seed, the same run.
# `result.final` is the state at the end, and a run can go on from there, its noise included:

# %%
more = simulator.run(2 * u.second, state=result.final, **settings)
print(f"went on from {result.time[-1]:.0f} to {more.time[-1]:.0f}")
again = simulator.run(20 * u.second, transient=2 * u.second, seed=0, **settings)
assert np.array_equal(again["r"].mantissa, result["r"].mantissa)

# %% [markdown]
# Which regions are up, and when? A rate above 50 Hz lies beyond the unstable state that separates the two. The
# *strength* of a region is the sum of the weights of the connections that reach it.

# %%
rates = result["r"].to_decimal(u.Hz)
up = np.asarray(rates > 50).mean(axis=0)
strength = connectome.weights.sum(axis=1)
ranks = np.argsort(np.argsort([up, strength]))
rank_correlation = np.corrcoef(ranks)[0, 1]
print(
    f"regions are up for {100 * up.mean():.0f} % of the time, from {100 * up.min():.0f} to {100 * up.max():.0f} %"
)
print(f"rank correlation of time up with strength: {rank_correlation:.2f}")
assert rank_correlation > 0.7

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), width_ratios=(2, 1))
order = np.argsort(-strength)
image = left.imshow(
    rates.T[order],
    aspect="auto",
    extent=(2, 20, n, 0),
    cmap="viridis",
    vmin=0,
    vmax=150,
)
left.set(
    xlabel="time (s)",
    ylabel="region, strongest at the top",
    title="firing rates of the resting brain",
)
figure.colorbar(image, ax=left, label="Hz", extend="max")
right.scatter(strength, 100 * up, s=14, color="#0072B2")
right.set(
    xlabel="strength (sum of incoming weights)", ylabel="time in the upper state (%)"
)
plt.show()

# %% [markdown]
# On the left, regions jump between the two states at irregular times. On the right, it is not chance where: the regions
# at the top of the left picture, which get the most input, are up most of the time. Such noise-driven wandering between
# states has been proposed as the origin of the fluctuations of the resting brain
# ([Deco & Jirsa 2012](https://doi.org/10.1523/JNEUROSCI.2523-11.2012)).
#
# ## Exercises
#
# 1. Start one region at 40 Hz and at 60 Hz with `init_v` such that $\dot r = 0$, that is $v = -\Delta / (2\pi\tau r)$.
#    On which side of the unstable state does each fall?
# 2. Set `k=0` in the network. What remains of the picture on the right? And with `sigma=0`?
# 3. How much longer does a run of 10,000 unconnected regions take than one of 100? Time the second run of a
#    `Simulator`: the first one compiles.
