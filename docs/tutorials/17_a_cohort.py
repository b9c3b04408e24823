# %% [markdown]
# # A cohort
#
# **Fourteen controls and fourteen patients were recorded, each briefly. How do people differ, and do the groups?**
#
# Two answers are wrong. To ask each recording alone is to take its errors for differences between people; to ask all
# as if they were of one person is to say that nobody differs. A *hierarchical* posterior has both, the people and the
# group that they are drawn from, and the data say how much each borrows from the others (Gelman et al. 2013, chapter
# 5). Needs `pip install ".[bayes,viz]"`; [inference](../inference.md) is the reference.

# %%
import brainunit as u
import matplotlib.pyplot as plt
import numpy as np
from braintools.init import Constant

import brainmass
from brainmass import inference

plt.rcParams["figure.constrained_layout.use"] = True
BLUE, RED, GRAY = "#0072B2", "#D55E00", "0.6"
COLORS = {"controls": BLUE, "patients": RED}

# %% [markdown]
# ## One person
#
# A flash makes the alpha rhythm ring. Near the onset of oscillations it rings as a damped oscillator, $x(t) = e^{at}
# \cos \omega t$ with $a < 0$: the nearer $a$ is to zero, the longer (in the `HopfStep` without its cubic term). We
# record $x$ for 300 ms, every 10 ms, with an error of 0.3. The problem has no observation yet: it is what everybody is
# asked. Plain numbers of this model are per ms; we write and show them per second.

# %%
per_second = 1e-3
node = brainmass.HopfStep(
    1,
    a=-10 * per_second,
    w=2 * np.pi * 10 * per_second,
    beta=0.0,
    init_x=Constant(1.0),
    init_y=Constant(0.0),
)
simulator = brainmass.Simulator(node, dt=2 * u.ms)
run = dict(duration=300 * u.ms, monitors=["x"], sample_every=10 * u.ms)
prior = brainmass.Normal(-10 * per_second, 6 * per_second)
problem = inference.Problem(simulator, {"a": prior}, inference.Gaussian(0.3), **run)

# %% [markdown]
# ## Two groups
#
# In patients the rhythm rings for longer, by 5/s on average. Within a group people differ by a standard deviation of
# 2.5/s.

# %%
n = 14
mean, spread = {"controls": -12.0, "patients": -7.0}, 2.5
rng = np.random.default_rng(2)
truth, recordings = {}, {}
for i, group in enumerate(mean):
    truth[group] = mean[group] + spread * rng.standard_normal(n)
    drawn = problem.observations({"a": truth[group] * per_second}, seed=10 + i)
    recordings[group] = np.asarray(drawn["observed y"])

figure, axes = plt.subplots(1, 2, figsize=(10, 3), sharey=True)
times = 10 * np.arange(1, 31)
for ax, group in zip(axes, mean, strict=True):
    ax.plot(times, recordings[group][:3, :, 0].T, ".-", lw=0.7, color=COLORS[group])
    ax.set(xlabel="time after the flash (ms)", title=f"three {group}")
axes[0].set_ylabel("rhythm (its amplitude is 1 at first)")
plt.show()

# %% [markdown]
# ## Each alone
#
# With many people the cheapest way to the posterior of each is to learn it once, for all recordings that the prior
# allows, and to ask them all in one batch: it is *amortised* ([the tutorial
# before](16_posteriors_from_fc_and_fcd.py) says how).

# %%
estimator = inference.npe(
    problem, 3000, features=["series"], n_layers=1, n_epochs=40, seed=1
)
calibration = inference.calibrate(estimator, 300, seed=2)
print(calibration)
assert not calibration.notes
alone = {
    group: estimator.posteriors(list(x), seed=3) for group, x in recordings.items()
}

# %% [markdown]
# This problem has a likelihood and one parameter, so that the exact posterior is known, too: prior times likelihood, at
# many values of $a$ in one batch.

# %%
values = np.linspace(-40, 15, 400)
clean = np.asarray(problem.observations({"a": values * per_second})["y"])[:, :, 0]
before = -0.5 * ((values + 10) / 6) ** 2


def moments(recording):
    """Mean and standard deviation of the exact posterior, per second."""
    log = before - 0.5 * ((clean - recording[:, 0]) ** 2).sum(axis=1) / 0.3**2
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    center = np.sum(weight * values)
    return center, np.sqrt(np.sum(weight * (values - center) ** 2))


exact = {
    group: np.array([moments(one) for one in x]) for group, x in recordings.items()
}
learnt = {
    group: np.array([[x.mean()["a"], x.std()["a"]] for x in found.values()])
    / per_second
    for group, found in alone.items()
}
for group in mean:
    shift = (learnt[group][:, 0] - exact[group][:, 0]) / exact[group][:, 1]
    wider = learnt[group][:, 1] / exact[group][:, 1]
    print(
        f"{group}: off by {np.sqrt(np.mean(shift**2)):.2f} standard deviations of the exact, {wider.mean():.2f} as wide"
    )
    assert np.sqrt(np.mean(shift**2)) < 0.5 and 0.8 < wider.mean() < 1.3

# %% [markdown]
# ## All together
#
# A `HierarchicalProblem` takes the problem and what was observed of each. A parameter that is named in `group` is drawn
# from a group: $a_s = m + \tau\,\epsilon_s$ with $\epsilon_s \sim N(0, 1)$. The mean $m$ has the prior that $a$ had,
# the spread $\tau$ one of its own. What is sampled are $m$, $\tau$ and the $\epsilon_s$ (*non-centred*): the $a_s$
# themselves crowd together where the spread is small, a funnel that chains do not enter (Betancourt and Girolami 2015).
# The runs of all people are one batch, and the second group is not compiled again.

# %%
of_spread = {"a": brainmass.LogNormal(3 * per_second, 0.7)}
together = {}
for group, observed in recordings.items():
    names = [f"{group[:-1]} {i}" for i in range(n)]
    of_all = inference.HierarchicalProblem(
        problem, list(observed), of_spread, subjects=names
    )
    together[group] = inference.sample(
        of_all, 800, n_warmup=500, target_accept=0.95, seed=0
    )
print(together["controls"])

# %% [markdown]
# For each person there is `a`, and for the group `a.mean` and `a.spread`.

# %%
for group, posterior in together.items():
    found = posterior.diagnostics()
    assert all(np.max(x["rhat"]) < 1.05 for x in found.values())
    for name, true in (("a.mean", mean[group]), ("a.spread", spread)):
        low, high = (float(x) / per_second for x in posterior.interval(0.9)[name])
        print(f"{group}: {name} from {low:.1f} to {high:.1f}/s, truth {true}")
        assert low < true < high

pooled = {g: np.asarray(p.mean()["a"]) / per_second for g, p in together.items()}
errors = {
    "alone": [exact[g][:, 0] - truth[g] for g in mean],
    "together": [pooled[g] - truth[g] for g in mean],
}
rms = {name: np.sqrt(np.mean(np.square(x))) for name, x in errors.items()}
print(f"errors alone {rms['alone']:.2f}/s, together {rms['together']:.2f}/s")
assert rms["together"] < rms["alone"]

# %% [markdown]
# ## Do the groups differ?
#
# The groups were asked separately, so that draws of the one are independent of those of the other, and their difference
# is a difference of draws. It knows of all that is uncertain: errors of the recordings, and how few people there are.

# %%
difference = (
    np.ravel(together["patients"]["a.mean"] - together["controls"]["a.mean"])
    / per_second
)
low, high = np.quantile(difference, [0.05, 0.95])
print(f"patients - controls: {low:.1f} to {high:.1f}/s (90 %), truth 5; "
      f"above zero with a probability of {np.mean(difference > 0):.3f}")  # fmt: skip
assert low < 5 < high and np.mean(difference > 0) > 0.99

# %%
figure, axes = plt.subplots(1, 3, figsize=(13, 4.2), width_ratios=(1.4, 1, 1))
for side, group in enumerate(mean):
    where = np.stack(
        [np.full(n, 3.0 * side), np.full(n, 3.0 * side + 1), np.full(n, 3.0 * side + 2)]
    )
    lines = np.stack([exact[group][:, 0], pooled[group], truth[group]])
    axes[0].plot(where, lines, "o-", color=COLORS[group], ms=3, lw=0.8, alpha=0.8)
    middle = float(together[group].mean()["a.mean"]) / per_second
    axes[0].hlines(middle, 3 * side - 0.3, 3 * side + 2.3, color="k", ls="--", lw=0.8)
    axes[0].text(3 * side + 1, 4.5, group, ha="center", color=COLORS[group])
axes[0].set_xticks(range(6), ["alone", "together", "truth"] * 2, fontsize=8)
axes[0].set(ylabel="$a$ (1/s)", title="each person", ylim=(None, 6))
for group, posterior in together.items():
    draws = {
        name: np.ravel(posterior[name]) / per_second for name in ("a.mean", "a.spread")
    }
    axes[1].plot(
        draws["a.mean"],
        draws["a.spread"],
        ".",
        ms=2,
        alpha=0.4,
        color=COLORS[group],
        label=group,
    )
    axes[1].plot(mean[group], spread, "k+", ms=12, mew=2)
axes[1].set(xlabel="mean of the group (1/s)", ylabel="spread of the group (1/s)",
            title="the groups", ylim=(0, None))  # fmt: skip
axes[1].legend(markerscale=5)
axes[2].hist(difference, 40, density=True, color=GRAY)
axes[2].axvline(5, color="k", label="truth")
axes[2].axvline(0, color="k", ls="--", lw=0.8, label="no difference")
axes[2].set(xlabel="patients - controls (1/s)", ylabel="density", title="difference of the means",
            xlim=(-1, None))  # fmt: skip
axes[2].legend()
plt.show()

# %% [markdown]
# *Left*: together, the people of a group are drawn to its mean (dashed), those most who are farthest from it or whose
# recording says least, and on the whole they are nearer to the truth: *partial pooling*. What each person alone seems
# to differ from the others is partly error. *Middle*: draws of mean and spread of both groups, with the truths (+). The
# spread of fourteen people is known roughly only, and the posterior says so. *Right*: the difference of the means.
#
# What is drawn to the mean is good for the group and for a prediction of the person, and bad where a person is to be
# found who is unlike all others: then ask each alone.
#
# ## Exercises
#
# 1. Take three people of each group. What becomes of the spread, and how much does its prior matter?
# 2. Record for 100 ms. Which of the people move most?
# 3. Estimate the error as well, the same in all: `"likelihood.sigma"` among the priors and `shared="sigma"`.
# 4. Free the frequency `w` of each person, without a group. Is `a` known less well?
#
# ## References
#
# - Gelman, Carlin, Stern, Dunson, Vehtari and Rubin 2013, *Bayesian Data Analysis*, 3rd ed., CRC Press, chapter 5.
# - Betancourt and Girolami 2015, *Hamiltonian Monte Carlo for hierarchical models*, in: Current Trends in Bayesian
#   Methodology with Applications, CRC Press (arXiv:1312.0906): the funnel, and what non-centred numbers do to it.
# - Hoffman and Gelman 2014, *The No-U-Turn sampler*, J. Mach. Learn. Res. 15:1593.
# - Cranmer, Brehmer and Louppe 2020, *The frontier of simulation-based inference*, PNAS 117:30055: amortised
#   posteriors.
