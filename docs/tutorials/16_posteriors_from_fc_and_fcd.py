# %% [markdown]
# # Posteriors from functional connectivity
#
# **What do functional connectivity and its dynamics say of how strongly regions are coupled, and of how near they are
# to oscillating, in every recording of a study, without a fit to each?**
#
# A network that is driven by noise has no likelihood that could be written down, but it can be run. *Neural posterior
# estimation* runs it at many draws of the prior and learns how the parameters are distributed given what is seen
# (Papamakarios and Murray 2016; Cranmer et al. 2020). It learns for all recordings at once: the posterior is
# *amortised*. Needs `pip install ".[bayes,viz]"`; [the page on it](../posteriors_by_simulation.md) is the reference.

# %%
import time
import warnings

import brainunit as u
import jax
import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import gaussian_kde, spearmanr

import brainmass
from brainmass import inference

plt.rcParams["figure.constrained_layout.use"] = True
BLUE, RED, GREEN, GRAY = "#0072B2", "#D55E00", "#009E73", "0.6"

# %% [markdown]
# ## A network at rest
#
# The bundled connectome has a hundred regions. Fourteen are quicker: the seven networks of Yeo in each hemisphere, with
# the mean weight from a region of one to the whole of another.

# %%
data = brainmass.datasets.load_dataset("hcp_schaefer100")
sides = np.array([label[:2] for label in data.connectome.labels])
names = ["visual", "somatomotor", "dorsal attention", "ventral attention",
         "limbic", "control", "default"]  # fmt: skip
member = np.array([(sides == side) & (data.yeo7 == i)
                   for side in ("LH", "RH") for i in range(7)], float)  # fmt: skip
weights = member @ data.connectome.weights @ member.T / member.sum(axis=1)[:, None]
np.fill_diagonal(weights, 0)
labels = [f"{side} {name}" for side in "LR" for name in names]
connectome = brainmass.Connectome(weights, labels=labels).normalize("spectral")
n = connectome.n_regions

# %% [markdown]
# In the Hopf model of rest (Deco et al. 2017) the variable $x$ of a region is its BOLD signal: noise, which the region
# answers by ringing at 0.05 Hz. For $a < 0$ it rings down within $1/|a|$, for $a > 0$ it oscillates by itself. Other
# models need a [forward model](05_bold_eeg_meg.py), and all else below stays as it is. Plain numbers of this model are
# per ms; a recording is ten minutes long, with a repetition time of 2 s.

# %%
per_second = 1e-3
noise = {f"noise_{v}": brainmass.WhiteNoise(n, sigma=6e-4) for v in "xy"}
node = brainmass.HopfStep(
    n, a=-0.02 * per_second, w=2 * np.pi * 0.05 * per_second, beta=1e-3, **noise
)
network = brainmass.Network(node, conn=connectome, coupled_var="x", k=0.1 * per_second)
simulator = brainmass.Simulator(network, dt=200 * u.ms)
run = dict(
    duration=700 * u.second,
    transient=100 * u.second,
    monitors=["x"],
    sample_every=2 * u.second,
)

# %% [markdown]
# ## What could be recorded?
#
# A problem is a run with priors. Bounds are a prior that is even between them. It has no likelihood: what is recorded
# is what is observed.

# %%
priors = {
    "a": (-0.05 * per_second, 0.01 * per_second),
    "k": (0.0, 0.2 * per_second),
}
problem = inference.Problem(simulator, priors, **run)

# %% [markdown]
# A recording is told by features. Functional connectivity (FC) is the correlation of each pair of regions; its dynamics
# (FCD) is how alike the FC of each two windows is, here of a minute ([how](05_bold_eeg_meg.py)). We take their means
# and standard deviations, by name. None of the four depends on the scale of a recording, and a scanner has none.

# %%
windows = dict(window_size=30, step_size=3)
sets = {
    "FC": inference.Features(["fc_mean", "fc_std"]),
    "FCD": inference.Features(["fcd_mean", "fcd_std"], **windows),
    "both": inference.Features(["fc_mean", "fc_std", "fcd_mean", "fcd_std"], **windows),
}
drawn = problem.prior_predictive(200, seed=0)
a, k = np.asarray(drawn["a"]) / per_second, np.asarray(drawn["k"]) / per_second
feature_names = sets["both"].names(drawn["y"][0])
told = np.asarray(jax.vmap(sets["both"])(drawn["y"]))

figure, axes = plt.subplots(1, 4, figsize=(13, 3.1), sharey=True)
for ax, name, values in zip(axes, feature_names, told.T, strict=True):
    points = ax.scatter(a, k, c=values, s=14)
    figure.colorbar(points, ax=ax)
    ax.axvline(0, color=GRAY, lw=0.8)
    ax.set(xlabel="$a$ (1/s)", title=name)
    print(f"{name:9} rank correlation with a {spearmanr(a, values)[0]:5.2f}, "
          f"with k {spearmanr(k, values)[0]:5.2f}")  # fmt: skip
axes[0].set_ylabel("coupling $k$ (1/s)")
plt.show()

# %% [markdown]
# Coupling raises the mean FC, and so does nearness to the bifurcation at $a = 0$: no one number can tell the two apart.
# But lines of equal means fall from left to right, and those of equal standard deviations rise. Regions that ring for
# long have FC that scatters by chance, from pair to pair and from window to window; coupling makes the same pairs
# correlate in all windows.
#
# ## Learning the posterior
#
# `npe` simulates and trains. We do it once for FC alone, once for FCD alone, and once for both, with 1000 simulations
# each. For so few, two layers of the flow are enough; the five that are the default would learn the noise.

# %%
few = dict(n_layers=2, n_epochs=60)
estimators = {
    name: inference.npe(problem, 1000, features=features, **few, seed=1)
    for name, features in sets.items()
}
estimator = estimators["both"]
print(estimator)

# %% [markdown]
# Before it sees data an estimator can be tried on 300 recordings whose truth was drawn from the prior (Talts et al.
# 2018). If its posteriors are right, the truth has any rank among their draws equally often, 80 % intervals hold four
# truths of five, and z-scores, the errors over the standard deviation of the posterior, have a standard deviation of
# one. *Shrinkage* is how much smaller the variance of the posterior is than that of the prior.

# %%
calibrations = {
    name: inference.calibrate(each, 300, seed=4) for name, each in estimators.items()
}
shrinkage = {name: each.shrinkage.mean(axis=0) for name, each in calibrations.items()}
calibration = calibrations["both"]
print(calibration)
for name, shares in shrinkage.items():
    print(f"{name:5} shrinkage of a {shares[0]:.2f}, of k {shares[1]:.2f}")
    # 240 expected; beyond four standard errors, 28, with a probability of 1e-4
    assert all(
        abs(x - 0.8) < 28 / 300 for x in calibrations[name].coverage(0.8).values()
    )
assert np.all(np.abs(calibration.z_scores.std(axis=0) - 1) < 0.2)
assert np.mean(np.abs(calibration.z_scores) > 2) < 0.08
assert np.all(shrinkage["both"] > shrinkage["FC"] + 0.05)
assert np.all(shrinkage["both"] > shrinkage["FCD"] + 0.05)

# %%
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.6))
where = np.arange(2)
for i, (name, color) in enumerate(zip(sets, (BLUE, GREEN, RED), strict=True)):
    left.bar(where + 0.25 * (i - 1), shrinkage[name], 0.25, color=color, label=name)
left.set(ylabel="shrinkage", ylim=(0, 1), title="what the features tell")
left.set_xticks(where, ["$a$", "coupling $k$"])
left.legend(loc="upper left", ncols=3)
shares = np.arange(1, len(calibration.ranks) + 1) / len(calibration.ranks)
# Of an even distribution 95 of 100 curves stay inside (Kolmogorov and Smirnov).
band = 1.36 / np.sqrt(len(shares))
middle.fill_between([0, 1], [-band, 1 - band], [band, 1 + band], color="0.9")
for name, column, color in (("$a$", 0, BLUE), ("$k$", 1, RED)):
    ranks = np.sort(calibration.ranks[:, column]) / 99
    middle.step(ranks, shares, where="post", color=color, label=name)
    right.plot(calibration.shrinkage[:, column], calibration.z_scores[:, column],
               ".", ms=4, color=color, label=name)  # fmt: skip
middle.set(
    xlabel="rank of the truth among the draws, over 99",
    ylabel="share of the recordings",
    title="calibration, both features",
    ylim=(0, 1),
)
middle.legend(loc="upper left")
for z in (-2, 2):
    right.axhline(z, color=GRAY, lw=0.8, ls="--")
right.set(
    xlabel="shrinkage", ylabel="z-score of the truth", title="each of 300 recordings"
)
right.legend(loc="upper left")
plt.show()

# %% [markdown]
# *Left*: FC tells something of both parameters, FCD does, and the two together tell more than either. *Middle*: the
# ranks stay in the gray band, where 95 of 100 curves of even ranks would. *Right*: one z-score in twenty lies outside
# of the dashed lines, where posteriors are narrow (to the right) as elsewhere; an estimator that is overconfident fans
# out. Shrinkage and z-scores are of numbers without bounds, in which a truth at an end of its prior is far out: those
# are the few points at the bottom.
#
# ## A study
#
# Twelve people, whose parameters we know and the estimator does not. All posteriors come at once, without a further
# simulation:

# %%
truth = problem.sample_prior(12, seed=3)
recordings = problem.observations(truth, seed=4)["observed y"]
posteriors = estimator.posteriors(list(recordings), seed=5)
begin = time.perf_counter()
posteriors = estimator.posteriors(list(recordings), seed=5)
print(
    f"{len(posteriors)} posteriors, compiled before, in {time.perf_counter() - begin:.2f} s"
)

ends = {name: np.array([each.interval(0.9)[name] for each in posteriors.values()]) / per_second
        for name in ("a", "k")}  # fmt: skip
for name, each in ends.items():
    true = np.asarray(truth[name]) / per_second
    inside = int(((each[:, 0] < true) & (true < each[:, 1])).sum())
    print(f"{name}: the 90 % intervals hold {inside} truths of 12")
    assert inside >= 8  # fewer, by chance, in 4 of 1000 studies

# %%
one = "3"
figure, axes = plt.subplots(1, 3, figsize=(12, 3.6))
for ax, (name, each) in zip(axes, ends.items(), strict=False):
    true = np.asarray(truth[name]) / per_second
    ax.vlines(true, *each.T, color=BLUE, lw=2)
    ax.plot(true, each.mean(axis=1), "o", color=BLUE, ms=4)
    ax.plot(*[np.array(priors[name]) / per_second] * 2, "--", color=GRAY, lw=0.8)
axes[0].set(
    xlabel="true $a$ (1/s)",
    ylabel="90 % interval (1/s)",
    title="nearness to oscillation",
)
axes[1].set(xlabel="true $k$ (1/s)", ylabel="90 % interval (1/s)", title="coupling")
grid = [np.linspace(*np.array(priors[name]) / per_second, 60) for name in ("a", "k")]
places = np.stack(np.meshgrid(*grid))
for name, color in (("FC", BLUE), ("FCD", GREEN), ("both", RED)):
    found = estimators[name].posterior(recordings[int(one)], seed=6)
    draws = np.array([np.ravel(found[path]) for path in ("a", "k")]) / per_second
    density = gaussian_kde(draws)
    level = np.quantile(density(draws), 0.2)  # four draws of five lie inside
    axes[2].contour(
        *grid,
        density(places.reshape(2, -1)).reshape(60, 60),
        levels=[level],
        colors=color,
    )
    axes[2].plot([], [], color=color, label=f"by {name}")
axes[2].plot(
    truth["a"][int(one)] / per_second,
    truth["k"][int(one)] / per_second,
    "k+",
    ms=14,
    mew=2,
)
axes[2].set(
    xlabel="$a$ (1/s)", ylabel="coupling $k$ (1/s)", title="80 % of three posteriors",
    xlim=np.array(priors["a"]) / per_second, ylim=np.array(priors["k"]) / per_second,
)  # fmt: skip
axes[2].legend(loc="lower right")
plt.show()

# %% [markdown]
# *Left and middle*: lines are 90 % intervals, dots their middle. Nearness to oscillation is known best close to the
# bifurcation, coupling where it is weak. *Right*: of one person, whose truth is the cross, the region that holds 80 %
# of the posterior by FC, by FCD, and by both.
#
# ## Does the model do what the recording does?
#
# A posterior is the best that a model can say; whether the model is good enough is another question. *Posterior
# predictive* runs are the answer: recordings of the model at draws of the posterior. They should look like what was
# recorded, also in what the estimator was not shown, such as the single pairs of FC and the amplitude.

# %%
predicted = np.asarray(posteriors[one].predict(100, seed=7)["y"])
observed = np.asarray(recordings[int(one)])
above = np.triu_indices(n, 1)
fc = {
    "recorded": np.corrcoef(observed.T),
    "predicted": np.mean([np.corrcoef(x.T) for x in predicted], axis=0),
}
dynamics = jax.vmap(inference.Features(["fcd"], **windows))
density = np.asarray(dynamics(predicted))
points = np.linspace(-0.95, 0.95, density.shape[1])  # where `"fcd"` has the density
similar = np.corrcoef(fc["recorded"][above], fc["predicted"][above])[0, 1]
low, high = np.quantile(predicted.std(axis=1).mean(axis=1), [0.025, 0.975])
print(f"FC of the pairs, recorded and predicted, correlates by {similar:.2f}")
print(f"amplitude {observed.std(axis=0).mean():.4f}, predicted {low:.4f} to {high:.4f}")
told, seen = (
    np.asarray(jax.vmap(sets["both"])(predicted)),
    np.asarray(sets["both"](observed)),
)
assert np.all(
    (np.quantile(told, 0.01, axis=0) < seen) & (seen < np.quantile(told, 0.99, axis=0))
)
assert similar > 0.5 and low < observed.std(axis=0).mean() < high

figure, axes = plt.subplots(1, 4, figsize=(13, 3.4), width_ratios=(1, 1, 1, 1.2))
for ax, (title, matrix) in zip(axes, fc.items(), strict=False):
    image = ax.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
    ax.set(title=f"FC {title}", xticks=[], yticks=[])
axes[0].set_yticks(range(n), labels, fontsize=7)
figure.colorbar(image, ax=axes[1], label="correlation", shrink=0.8)
each = np.array([np.corrcoef(x.T)[above] for x in predicted])
axes[2].errorbar(
    fc["recorded"][above],
    each.mean(axis=0),
    each.std(axis=0),
    fmt=".",
    color=BLUE,
    ms=3,
    lw=0.4,
)
axes[2].axline((0, 0), slope=1, color=GRAY, lw=0.8, ls="--")
axes[2].set(xlabel="FC recorded", ylabel="FC predicted", title="pairs, mean ± sd")
axes[3].fill_between(points, *np.quantile(density, [0.05, 0.95], axis=0), color=BLUE, alpha=0.3,
                     label="90 % of the predicted")  # fmt: skip
axes[3].plot(
    points, np.asarray(dynamics(observed[None]))[0], color=RED, label="recorded"
)
axes[3].set(xlabel="FCD", ylabel="density", title="FCD", ylim=(0, 3.8))
axes[3].legend(loc="upper left", fontsize=8)
plt.show()

# %% [markdown]
# ## A recording that the model cannot make
#
# Breathing and motion of the head move the signal of all regions together. We add such a signal to the same recording,
# half as large as that of a region, and three times as large.

# %%
common = np.random.default_rng(8).standard_normal((len(observed), 1))
common *= observed.std(axis=0).mean()
for share in (0.0, 0.5, 3.0):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = estimator.posterior(observed + share * common, seed=9)
    low, high = (x / per_second for x in found.interval(0.9)["k"])
    print(
        f"common signal {share}: k from {low:.3f} to {high:.3f}/s; {len(caught)} warnings"
    )
    print(
        *(f"  {note}" for note in found.notes), sep="\n", end="\n" * bool(found.notes)
    )
    assert bool(caught) == (share == 3.0)
assert "fc_mean is" in found.notes[0]

# %% [markdown]
# What lies outside of all simulations is told, by the name of the feature; then no number of the posterior means
# anything. What is wrong and lies inside is *not* told: half a common signal is read as more coupling. A model that
# knows of it (a further parameter, or the global signal taken off the recording and off each simulation, by a function
# among the features) is the remedy, not more simulations.
#
# ## Exercises
#
# 1. Take `["fc", "fcd"]`, all pairs and the distribution of the FCD, in place of the four numbers. What does the
#    calibration say with 1000 simulations, and with 4000?
# 2. Which feature tells most of $a$? `inference.list_features()` has others: try `["autocorrelation"]`.
# 3. Ask one recording again with `npe(problem.replace(recordings[0]), 300, n_rounds=3, ...)`. Is the posterior as
#    narrow with fewer simulations, and what does it say of another person?
# 4. Record for half an hour. Which of the two parameters gains?
#
# [The next tutorial](17_a_cohort.py) asks what the people of a study have in common.
#
# ## References
#
# - Cranmer, Brehmer and Louppe 2020, *The frontier of simulation-based inference*, PNAS 117:30055.
# - Papamakarios and Murray 2016, *Fast ε-free inference of simulation models with Bayesian conditional density
#   estimation*, NeurIPS 29.
# - Talts, Betancourt, Simpson, Vehtari and Gelman 2018, *Validating Bayesian inference algorithms with simulation-based
#   calibration*, arXiv:1804.06788.
# - Deco, Kringelbach, Jirsa and Ritter 2017, *The dynamics of resting fluctuations in the brain*, Sci. Rep. 7:3095.
# - Hansen, Battaglia, Spiegler, Deco and Jirsa 2015, *Functional connectivity dynamics: modeling the switching behavior
#   of the resting state*, NeuroImage 105:525.
# - Hashemi et al. 2023, *Amortized Bayesian inference on generative dynamical network models of epilepsy using deep
#   neural density estimators*, Neural Netw. 163:178.
