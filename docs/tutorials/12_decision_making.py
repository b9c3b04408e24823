# %% [markdown]
# # Decision making
#
# **How does a cortical circuit make up its mind, and why is it slower when the evidence is weak, and slower still when
# it is wrong?**
#
# A monkey watches a cloud of moving dots. A few of them, a share called the *coherence*, move together to the left or
# to the right; the monkey looks that way as soon as it knows (Roitman and Shadlen 2002). Neurons in the parietal cortex
# that stand for one of the two answers ramp up over hundreds of milliseconds, though a membrane forgets within tens.
# Wong and Wang (2006) explain the slow ramp: two pools of neurons that excite themselves through slow NMDA receptors
# and inhibit one another.
#
# You will run a batch of six thousand trials, read accuracy and reaction times from it as an experimenter does, and
# find in the equations what sets the time.

# %%
import brainunit as u
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import curve_fit, root

import brainmass

# %% [markdown]
# ## Six thousand trials in one run
#
# `WongWangStep` is the model of the paper's appendix, without fast recurrent excitation. Its two states are the shares
# of open NMDA channels, $S_1$ and $S_2$, which decay with 100 ms; rates follow from them at once. The stimulus drives
# the pools with 30 Hz × (1 ± coherence). The current noise has a standard deviation of 0.02/√2 nA and a correlation
# time of 2 ms, the paper's values.
#
# Six regions, uncoupled, stand for six coherences, and a batch of 1000 runs for the trials of each: all go side by side
# in one compiled program.

# %%
coherences = np.array([0.0, 0.032, 0.064, 0.128, 0.256, 0.512])
n, n_trials, every = len(coherences), 1000, 5


def pools():
    noise = [brainmass.OUProcess(n, sigma=0.02 * u.nA, tau=2 * u.ms) for _ in range(2)]
    return brainmass.WongWangStep(n, noise_s1=noise[0], noise_s2=noise[1])


result = brainmass.Simulator(pools(), dt=0.5 * u.ms).run(
    2500 * u.ms,
    inputs={"coherence": coherences},
    monitors={"r1": lambda model: model.r1(), "r2": lambda model: model.r2()},
    sample_every=every * u.ms,
    batch_size=n_trials,
    seed=0,
)
print(result)

# %% [markdown]
# A decision is made when the rate of a pool, in a window of 50 ms, first reaches 15 Hz. The paper adds 100 ms for the
# way to the eye muscles.


# %%
def in_windows(rate, width=50 // every):
    """Means over the last 50 ms."""
    total = np.cumsum(np.asarray(rate.to_decimal(u.Hz)), axis=0)
    return (total[width:] - total[:-width]) / width


r1, r2 = in_windows(result["r1"]), in_windows(result["r2"])
reached = np.maximum(r1, r2) >= 15
assert reached.any(axis=0).all(), "every trial ends in a decision"
first = reached.argmax(axis=0)
chose_1 = np.take_along_axis(r1 > r2, first[None], axis=0)[0]
reaction = 50 + (first + 1) * every + 100  # ms, of shape (trial, coherence)

accuracy = chose_1.mean(axis=0)
correct = np.array([reaction[chose_1[:, i], i].mean() for i in range(n)])
wrong = np.array(
    [
        reaction[~chose_1[:, i], i].mean() if (~chose_1[:, i]).sum() > 5 else np.nan
        for i in range(n)
    ]
)
print("coherence   choices of pool 1   reaction time when right, wrong (ms)")
for row in zip(coherences, accuracy, correct, wrong, strict=True):
    print("{:8.1%} {:16.3f} {:24.0f} {:10.0f}".format(*row))

# %% [markdown]
# At 0 % both answers are right, and each is given in half of the trials. Accuracy is summed up by a Weibull function,
# $p = 1 - \frac12 e^{-(c/\alpha)^\beta}$: at the threshold $c = \alpha$ it is 82 % correct.


# %%
def weibull(c, alpha, beta):
    return 1 - 0.5 * np.exp(-((c / alpha) ** beta))


(alpha, beta), _ = curve_fit(weibull, coherences[1:], accuracy[1:], p0=[0.07, 1.3])
print(f"alpha = {alpha:.1%}, beta = {beta:.2f}")
assert 0.03 < alpha < 0.07 and 1.0 < beta < 1.7
assert (
    abs(accuracy[0] - 0.5) < 0.05
    and np.all(np.diff(correct) < 0)
    and np.all(wrong[1:3] > correct[1:3])  # where there are enough that are wrong
)

# %% [markdown]
# Wong and Wang report α = 7.2 % and β = 1.25 for their other set of parameters, which has fast recurrent excitation and
# less noise. The set of the appendix, here, is more sensitive, and its slope the same within the error of the fit.
#
# ## Where the time goes
#
# Two variables can be drawn. The *nullclines*, where one of them stands still, cross at the fixed points. Their
# stability is told by the eigenvalues of the Jacobian, and both come from the model itself: its derivative is a
# function that JAX differentiates.


# %%
def drift(S, mu_0=30.0, coherence=0.0):
    """Rates of change of (S1, S2), per second; `S` is of shape (2, ...)."""
    model = brainmass.WongWangStep(S.shape[1:], mu_0=mu_0 * u.Hz)
    change = model.derivative((S[0], S[1]), 0 * u.ms, coherence, 0 * u.nA, 0 * u.nA)
    return jnp.stack([d.to_decimal(u.Hz) for d in change])


def fixed_points(mu_0):
    """Each with the time constants of the motion around it, in ms; negative ones are those of growth."""
    flow = jax.jit(lambda S: drift(S[:, None], mu_0)[:, 0])
    jacobian = jax.jit(jax.jacfwd(flow))
    found = {}
    for start in np.stack(np.meshgrid(*2 * [np.linspace(0, 0.8, 9)]), axis=-1).reshape(
        -1, 2
    ):
        solved = root(
            lambda S: np.asarray(flow(jnp.asarray(S)), float),
            start,
            jac=lambda S: np.asarray(jacobian(jnp.asarray(S)), float),
            tol=1e-6,
        )
        at_rest = np.abs(solved.fun).max() < 1e-4  # per second
        if at_rest and (solved.x > 0).all():
            eigenvalues = np.linalg.eigvals(
                np.asarray(jacobian(jnp.asarray(solved.x)), float)
            ).real
            found[tuple(solved.x.round(3).tolist())] = np.sort(-1000 / eigenvalues)
    return found


during, before = fixed_points(30.0), fixed_points(0.0)
for name, points in ("during the stimulus", during), ("without a stimulus", before):
    print(name)
    for place, times in sorted(points.items()):
        kind = "stable" if (times > 0).all() else "saddle"
        print(
            f"  S = {place}  {kind}, time constants {times[0]:.0f} and {times[1]:.0f} ms"
        )
saddle = next(place for place, times in during.items() if (times < 0).any())
assert (len(during), len(before)) == (3, 5)

# %% [markdown]
# During the stimulus there are two attractors, one for each answer, and between them a *saddle*. A trial comes up
# along the diagonal towards the saddle and leaves it sideways, growing as $e^{t/\tau}$ with τ = 230 ms: more than twice
# the 100 ms of the receptors, though nothing in the circuit is slower than they are. A trial that comes within δ of the
# saddle stays for about $\tau \log(1/\delta)$. This is the paper's account of the long reaction times: weak evidence
# means a path close to the saddle. And an error means that noise carried the trial over from the wrong side: closer
# still, so that errors take longer than correct choices at the same coherence.
#
# Without the stimulus there are three attractors: at rest, and two in which one pool goes on firing. The decision is
# remembered after the dots are gone: the model of a choice is also one of working memory.

# %%
grid = np.linspace(0.0, 0.8, 200)
S1, S2 = np.meshgrid(grid, grid)
flow = np.asarray(drift(jnp.asarray(np.stack([S1, S2]))))
gating = brainmass.Simulator(pools(), dt=0.5 * u.ms).run(  # some trials in the plane
    2000 * u.ms,
    inputs={"coherence": coherences},
    monitors=["S1", "S2"],
    sample_every=every * u.ms,
    batch_size=8,
    seed=1,
)

figure, axes = plt.subplots(2, 2, figsize=(10, 7.5), layout="constrained")
time = result.time.to_decimal(u.ms)
for i, color in (1, "#0072B2"), (5, "#D55E00"):
    winner, *_ = axes[0, 0].plot(time[10:], r1[:, :4, i], color=color, lw=1.2)
    winner.set_label(f"coherence {coherences[i]:.1%}")
    axes[0, 0].plot(time[10:], r2[:, :4, i], color=color, lw=0.8, ls=":")
    axes[0, 1].plot(
        gating["S2"][:, :4, i], gating["S1"][:, :4, i], color=color, lw=0.7, alpha=0.7
    )
axes[0, 0].axhline(15, color="0.4", ls="--", lw=1)
axes[0, 0].set(
    xlim=(0, 1500), xlabel="time from stimulus (ms)", ylabel="rate in 50 ms (Hz)"
)
axes[0, 0].set_title("pool 1 (solid), pool 2 (dotted)")
axes[0, 0].legend()

axes[0, 1].contour(S2, S1, flow[0], levels=[0], colors="#009E73")
axes[0, 1].contour(S2, S1, flow[1], levels=[0], colors="#CC79A7")
for place, times in during.items():
    axes[0, 1].plot(
        place[1],
        place[0],
        "o",
        ms=7,
        mec="k",
        mfc="k" if (times > 0).all() else "w",
        zorder=5,
    )
axes[0, 1].set(
    xlabel="$S_2$",
    ylabel="$S_1$",
    title="nullclines at 0 %, and trials",
    xlim=(0, 0.8),
    ylim=(0, 0.8),
)

fine = np.geomspace(0.01, 1, 100)
error = np.sqrt(accuracy * (1 - accuracy) / n_trials)
axes[1, 0].errorbar(
    100 * coherences[1:], accuracy[1:], error[1:], fmt="o", color="#0072B2"
)
axes[1, 0].plot(
    100 * fine,
    weibull(fine, alpha, beta),
    color="#0072B2",
    label=f"here: α = {alpha:.1%}, β = {beta:.2f}",
)
axes[1, 0].plot(
    100 * fine,
    weibull(fine, 0.072, 1.25),
    "--",
    color="0.5",
    label="the paper's other set: 7.2 %, 1.25",
)
axes[1, 0].set(
    xscale="log",
    xlabel="coherence (%)",
    ylabel="share of right choices",
    title="psychometric function",
)
axes[1, 0].legend(fontsize=8)

axes[1, 1].plot(100 * coherences[1:], correct[1:], "o-", color="#0072B2", label="right")
axes[1, 1].plot(
    100 * coherences[1:], wrong[1:], "o--", color="#D55E00", mfc="w", label="wrong"
)
axes[1, 1].axhline(correct[0], color="0.6", lw=1, ls=":", label="at 0 %")
axes[1, 1].set(
    xscale="log",
    xlabel="coherence (%)",
    ylabel="mean reaction time (ms)",
    ylim=(0, None),
)
axes[1, 1].set_title("chronometric function")
axes[1, 1].legend()
for axis in axes[1]:
    axis.set_xticks(100 * coherences[1:], [f"{100 * c:.1f}" for c in coherences[1:]])
    axis.minorticks_off()
plt.show()

# %% [markdown]
# *Top left*: at 51 % the winner leaves at once; at 3 % both pools rise together, for hundreds of milliseconds, before
# one of them suppresses the other, and at times it is the wrong one. *Top right*: trials start at the lower left, run
# along the diagonal towards the saddle (open circle), and turn off to an attractor (filled); those with strong evidence
# turn off early. *Bottom*: accuracy and reaction time, as a psychophysicist would plot them.
#
# ## Exercises
#
# 1. Speed or accuracy: take 12 Hz and 20 Hz in place of the threshold of 15 Hz. How do α and the reaction times at
#    3.2 % change?
# 2. Memory: stop the stimulus after 1 s. The stimulus is a parameter, `mu_0`: run for 1 s, set `model.mu_0 = 0 * u.Hz`,
#    and go on with `state=result.final`. Which pool still fires a second later?
# 3. Make NMDA receptors faster, `tau_S=50 * u.ms`, and look for the fixed points again. Can the circuit still decide?
#
# ## References
#
# - Wong and Wang 2006, J. Neurosci. 26:1314: the model; figures 3, 5 and the appendix.
# - Wang 2002, Neuron 36:955: the network of spiking neurons that it reduces.
# - Roitman and Shadlen 2002, J. Neurosci. 22:9475: the experiment.
