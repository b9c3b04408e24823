# %% [markdown]
# # Bayesian inference of an evoked response
#
# **Which synapses made this response, and how sure can one be?**
#
# A fit gives one set of values. Bayes' rule gives all that the same noisy recording allows, as a distribution: the
# *posterior* is the prior times the likelihood. In brain modelling this matters more than elsewhere, since parameters
# trade off against one another: strong synapses with a weak input may answer as weak synapses with a strong input do.
# The posterior shows it; a single best value hides it.
#
# The run is a differentiable function, so the sampler may be Hamiltonian Monte Carlo, which follows the gradient of the
# posterior (NUTS; Hoffman and Gelman 2014). A model that draws noise has no likelihood to follow; its posteriors are
# learnt from simulations, as [those from functional connectivity](16_posteriors_from_fc_and_fcd.py). This tutorial
# needs `pip install ".[bayes,viz]"`.

# %%
import arviz
import brainunit as u
import matplotlib.pyplot as plt
import numpy as np

import brainmass
from brainmass import inference

plt.rcParams["figure.constrained_layout.use"] = True
BLUE, GREEN, RED = "#0072B2", "#009E73", "#D55E00"

# %% [markdown]
# ## A recording
#
# The model is the cortical column of dynamic causal modelling (David et al. 2006). A sensory input of 20 ms reaches the
# spiny stellate cells, and these excite the pyramidal cells (with the strength $\gamma_2$), whose potential is what EEG
# and MEG see. The pyramidal cells excite the stellate cells in return ($\gamma_1$), and inhibitory interneurons
# ($\gamma_3$), which inhibit the pyramidal cells ($\gamma_4$). Excitatory synapses have the gain $H_e$ and the time
# constant $\tau_e$, inhibitory ones $H_i$ and $\tau_i$.
#
# We record the potential each millisecond for 200 ms, with errors of 0.06 mV, and pretend not to know these eight
# parameters, the strength of the input, and the size of the errors.

# %%
column = brainmass.ERPColumnStep(1, method="heun")
pulse = brainmass.Pulse(1, 20 * u.ms, 100 * u.Hz, onset=10 * u.ms)
simulator = brainmass.Simulator(column, dt=0.5 * u.ms)
run = dict(
    duration=200 * u.ms,
    inputs={"u_inp": pulse},
    monitors={"eeg": lambda column: column.x0()},
    sample_every=1 * u.ms,
)
truth = {
    "He": 4.6 * u.mV,
    "Hi": 29.0 * u.mV,
    "tau_e": 8.8 * u.ms,
    "tau_i": 13.5 * u.ms,
    "gamma_1": 115.0,
    "gamma_2": 110.0,
    "gamma_3": 37.0,
    "gamma_4": 30.0,
    "amplitude": 90.0 * u.Hz,
    "likelihood.sigma": 0.06 * u.mV,
}

# %% [markdown]
# ## What is known before
#
# Each parameter is positive, and likely to be within some 20 % of its published value. A log-normal distribution says
# so, with that value as its median and 0.2 as the standard deviation of its logarithm. Units stay. The
# [search space](../fitting.md) is that of all solvers, and takes any other distribution of numpyro as a
# `brainmass.Prior`. The size of the errors is a parameter of the likelihood, and is named like all others.

# %%
usual = {
    "He": 4.0 * u.mV,
    "Hi": 32.0 * u.mV,
    "tau_e": 8.0 * u.ms,
    "tau_i": 16.0 * u.ms,
    "gamma_1": 128.0,
    "gamma_2": 102.4,
    "gamma_3": 32.0,
    "gamma_4": 32.0,
    "amplitude": 100.0 * u.Hz,
}
priors = {name: brainmass.LogNormal(value, 0.2) for name, value in usual.items()}
priors["likelihood.sigma"] = brainmass.LogNormal(0.1 * u.mV, 0.5)
asked = inference.Problem(simulator, priors, inference.Gaussian(0.1 * u.mV), **run)

clean = asked.predict(truth)
errors = 0.06 * np.random.default_rng(1).standard_normal(clean.shape)
recording = clean + errors * u.mV
problem = asked.replace(recording)

# %% [markdown]
# What responses do the priors allow? If the recording lay outside of them, one would have to think again before
# inferring anything.

# %%
ms = np.arange(1, 201)
before = problem.prior_predictive(50, seed=0)["y"].to_decimal(u.mV)[..., 0]
figure, axis = plt.subplots(figsize=(7, 3.5))
axis.plot(ms, before.T, color="0.75", lw=0.7)
axis.plot([], [], color="0.75", label="50 draws from the prior")
axis.plot(ms, recording.to_decimal(u.mV), ".", color="k", ms=4, label="recording")
axis.axvspan(10, 30, color=GREEN, alpha=0.15, lw=0, label="input")
axis.set(xlabel="time (ms)", ylabel="pyramidal potential (mV)")
axis.legend(frameon=False)
plt.show()

# %% [markdown]
# ## The posterior
#
# The four chains are one batched program. They begin near peaks of the density that a search finds from draws of the
# prior; the warm-up learns the step size, and which parameters go together. With a `target_accept` above the usual 0.8
# the steps are smaller and safer.

# %%
nuts = dict(method="nuts", n_warmup=300, target_accept=0.9, seed=0)
posterior = inference.sample(problem, 500, **nuts)
print(posterior)

# %% [markdown]
# Read three things before anything else. Where one of them is bad, a warning says so, and the last lines of the table:
#
# - `r̂` compares the spread among the four chains, run apart, with that within them. At 1 they agree; above 1.01 they
#   have not found the same distribution.
# - `ess`, the effective sample size: how many independent draws the 2000 are worth. Below 400 intervals are rough.
# - Divergences: steps that went wrong where the density bends too sharply. There should be none.

# %%
found = posterior.diagnostics()
print("largest r̂", max(float(d["rhat"]) for d in found.values()))
print("smallest ess", min(float(d["ess_bulk"]) for d in found.values()))
print("divergences", int(posterior.stats["diverging"].sum()))
assert all(d["rhat"] < 1.02 and d["ess_bulk"] > 400 for d in found.values())

# %% [markdown]
# ## What the recording says
#
# The left panel below checks the model: does what it predicts look like the recording? The dark band holds 90 % of the
# responses that the posterior allows, the light one 90 % of what would be recorded of them. Right: 90 % intervals of
# each parameter, over the median of its prior. `laplace` is a quicker way to a posterior: the normal distribution that
# has its curvature at the highest peak.

# %%
quick = inference.sample(problem, 500, method="laplace", seed=0)


def ratios(draws):
    """Logarithms of the parameters over their usual values, shape (draw, parameter)."""
    return np.stack(
        [np.log(np.ravel(draws[name] / value)) for name, value in usual.items()], axis=1
    )


after, by_laplace = ratios(posterior), ratios(quick)
true = ratios(truth)[0]
predicted = posterior.predict(300)
response, observed = (
    np.quantile(predicted[name].to_decimal(u.mV)[..., 0], [0.05, 0.95], axis=0)
    for name in ("y", "observed y")
)
names = ["$H_e$", "$H_i$", r"$\tau_e$", r"$\tau_i$"]
names += [rf"$\gamma_{i}$" for i in range(1, 5)] + ["input"]

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2))
left.fill_between(
    ms, *observed, color=BLUE, alpha=0.2, lw=0, label="90 % of recordings"
)
left.fill_between(ms, *response, color=BLUE, alpha=0.6, lw=0, label="90 % of responses")
left.plot(ms, recording.to_decimal(u.mV), "k.", ms=3, label="recording")
left.set(xlabel="time (ms)", ylabel="pyramidal potential (mV)")
left.legend(frameon=False)

place = np.arange(len(usual))
allowed = ratios(problem.sample_prior(2000, seed=0))
for draws, color, shift, label in (
    (allowed, "0.6", -0.25, "prior"),
    (after, BLUE, 0.0, "NUTS"),
    (by_laplace, GREEN, 0.25, "Laplace"),
):
    low, high = np.exp(np.quantile(draws, [0.05, 0.95], axis=0))
    right.hlines(place + shift, low, high, color=color, lw=3, label=label)
right.plot(np.exp(true), place, "|", color=RED, ms=22, mew=2, label="truth")
right.set(xlabel="value / median of the prior", yticks=place, yticklabels=names)
right.invert_yaxis()
right.legend(frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
plt.show()

# %%
low, high = np.quantile(after, [0.05, 0.95], axis=0)
inside = int(((low < true) & (true < high)).sum())
shrinkage = 1 - after.var(axis=0) / 0.2**2
print(f"{inside} of 9 true values lie within their 90 % intervals")
for name, x in zip(usual, shrinkage, strict=True):
    print(f"{name:10} the variance has shrunk by {100 * x:.0f} %")
away = np.abs(by_laplace.mean(axis=0) - after.mean(axis=0)) / after.std(axis=0)
print(f"means by Laplace: at most {away.max():.2f} standard deviations away")
assert inside >= 6 and shrinkage[2] > 0.95 and away.max() < 0.5

# %% [markdown]
# The model predicts the recording to within its errors. But only the time constants are known well; of the inhibitory
# gain and the strengths of the inhibitory loop this recording says next to nothing that was not known before. An
# interval as wide as that of the prior is no failure of the method, and is what a single best value would have hidden.
#
# Here Laplace's approximation is nearly as good as the draws of NUTS, and costs a fraction. It need not be: look at
# both once, for each kind of recording. [Which method when](../inference.md#which-method-when) says what else there is.
#
# ## What is known together
#
# Parameters that are uncertain one by one may be known together.

# %%
shown = [0, 5, 8, 2]  # He, gamma_2, the amplitude of the input, tau_e
figure = plt.figure(figsize=(11, 5))
of_pairs, of_all = figure.subfigures(1, 2)
axes = of_pairs.subplots(4, 4, sharex="col")
for i, j in np.ndindex(4, 4):
    axis, x, y = axes[i, j], shown[j], shown[i]
    if j > i:
        axis.set_visible(False)
    elif i == j:
        axis.hist(np.exp(allowed[:, x]), 30, color="0.8", density=True)
        axis.hist(np.exp(after[:, x]), 30, color=BLUE, density=True, alpha=0.7)
        axis.set(yticks=[], xlim=(0.5, 1.7))
    else:
        axis.plot(*np.exp(allowed[:, [x, y]]).T, ".", color="0.8", ms=1)
        axis.plot(*np.exp(after[:, [x, y]]).T, ".", color=BLUE, ms=1)
        axis.plot(*np.exp(true[[x, y]]), "+", color=RED, ms=10, mew=2)
        axis.set(ylim=(0.5, 1.7), yticks=[1.0])
    if i == 3:
        axis.set_xlabel(names[x])
    if j == 0 and i:
        axis.set_ylabel(names[y])
axis = of_all.subplots()
image = axis.imshow(np.corrcoef(after.T), cmap="RdBu_r", vmin=-1, vmax=1)
axis.set(xticks=place, xticklabels=names, yticks=place, yticklabels=names)
of_all.colorbar(image, ax=axis, label="correlation in the posterior", shrink=0.8)
plt.show()

# %% [markdown]
# Left: draws from the prior (grey) and the posterior (blue), each over the median of the prior, with the truth (red);
# right: correlations of all pairs. The gain $H_e$ goes against the strength $\gamma_2$ and against the input: what one
# of them lacks another makes up for. The model says why. The input passes an excitatory synapse of the stellate cells
# and another of the pyramidal cells, so that a small response grows as $H_e^2\,\gamma_2\,u$. This product is what the
# recording tells:

# %%
product = after @ np.array([2, 0, 0, 0, 0, 1, 0, 0, 1])
print(f"He, alone, to within {100 * after[:, 0].std():.0f} %")
print(f"He² γ2 u, to within {100 * product.std():.1f} %")
assert product.std() < 0.5 * after[:, 0].std()

# %% [markdown]
# ## Does the response need the loop?
#
# The stellate cells excite the pyramidal cells, which excite them in return. Could a column without that return,
# $\gamma_1 = 0$, have made this recording? Models are compared by how well they predict what they have not seen: the
# expected log predictive density (elpd), by leave-one-out cross-validation (LOO). ArviZ estimates it from the draws
# alone, by importance sampling (Vehtari et al. 2017), without a second inference for each datum.

# %%
without = brainmass.Simulator(
    brainmass.ERPColumnStep(1, gamma_1=0.0, method="heun"), dt=0.5 * u.ms
)
fewer = {name: prior for name, prior in priors.items() if name != "gamma_1"}
simpler = inference.Problem(
    without, fewer, inference.Gaussian(0.1 * u.mV), recording, **run
)
both = {
    "with the loop": posterior.to_arviz(),
    "without": inference.sample(simpler, 500, **nuts).to_arviz(),
}
table = arviz.compare(both)
print(table[["rank", "elpd_diff", "dse"]])
assert table.index[0] == "with the loop"

# %% [markdown]
# The simpler model loses by `elpd_diff`, with a standard error of `dse`: several standard errors are a clear answer,
# here for the loop. That $\gamma_1$ itself is not well known is no contradiction: the recording asks for some return,
# and does not say of which strength. WAIC is an older estimate of the same; LOO warns where it cannot be trusted.
#
# ## Can the posterior be trusted?
#
# One truth inside its interval proves little. *Simulation-based calibration* (Talts et al. 2018) draws many truths from
# the prior, simulates a recording of each, and infers: the rank of the truth among the draws must then be evenly
# distributed, so that an 80 % interval holds the truth in 80 % of the cases. Nothing is compiled again for another
# recording. The quick method is put to the test, since it is the one in doubt.

# %%
calibration = inference.calibrate(problem, 40, method="laplace", n_draws=200, seed=7)
print(calibration)
# 32 expected; fewer than 23 have a probability of 0.03 % (binomial), of each parameter
assert min(calibration.coverage(0.8).values()) >= 23 / 40

figure, axis = plt.subplots(figsize=(5, 4))
shares = np.arange(1, 41) / 40
for ranks in calibration.ranks.T:
    axis.step(np.sort(ranks) / 99, shares, where="post", color=BLUE, lw=0.8)
axis.plot([0, 1], [0, 1], color="0.5", ls="--")
axis.set(
    xlabel="rank of the truth among the draws (share)",
    ylabel="share of the 40 studies",
)
plt.show()

# %% [markdown]
# One line for each parameter. They follow the diagonal within what 40 studies allow; an overconfident posterior would
# have its truths pile up at both ends.
#
# ## Exercises
#
# 1. Draw 30 after a warm-up of 20. Which of the three diagnostics tell that this is too little?
# 2. Record only the first 60 ms, or with errors of 0.02 mV. Which parameters lose most, which gain?
# 3. Add 0.5 mV to three of the samples, as a blink would, and infer with `inference.Gaussian` and with
#    `inference.StudentT`, whose scale is `"likelihood.sigma"`, too. What becomes of $\tau_i$? Which likelihood has the
#    better elpd?
# 4. `after` holds the logarithms of the parameters. Work out the eigenvalues of their covariance, over the variance of
#    the prior. How many combinations of parameters does the recording tell, and which is known best?
#
# ## References
#
# - David et al. 2006, NeuroImage 30:1255: the model.
# - Hoffman and Gelman 2014, J. Mach. Learn. Res. 15:1593: NUTS.
# - Vehtari et al. 2021, Bayesian Anal. 16:667: r̂ and effective sample sizes.
# - Vehtari, Gelman and Gabry 2017, Stat. Comput. 27:1413: LOO and WAIC.
# - Talts et al. 2018, arXiv:1804.06788: calibration by simulation.
