# %% [markdown]
# # Bayesian inference
#
# **A fit gives one value. Which other values does the same noisy recording allow?**
#
# Bayes' rule answers with a distribution: the *posterior* is the prior times the likelihood. In brain modelling this
# matters more than elsewhere, since parameters trade off against one another: a network that is more excitable and
# slower may look like one that is less so and faster. The posterior shows it; a single best value hides it.
#
# The run is a differentiable function, so the sampler may be Hamiltonian Monte Carlo, which follows the gradient of the
# posterior (NUTS; Hoffman and Gelman 2014). This tutorial needs `pip install ".[bayes,fit,viz]"`.

# %%
import brainunit as u
import matplotlib.pyplot as plt
import numpy as np
import numpyro.distributions as dist
from braintools.init import Constant

import brainmass
from brainmass import inference

# %% [markdown]
# ## A recording
#
# One population of the Montbrió-Pazó-Roxin model starts at a high rate and settles, ringing, as quadratic
# integrate-and-fire neurons that were synchronous do. Its mean excitability η sets where it settles, the membrane time
# constant τ how fast it rings. We record the firing rate every 0.2 ms for 12 ms, with an error of 0.05/ms, and pretend
# not to know η, τ and the size of the error.

# %%
node = brainmass.MontbrioPazoRoxinStep(
    1,
    J=15.0,
    delta=1 / u.ms,
    eta=-4.4,
    tau=1.1 * u.ms,
    method="heun",
    init_r=Constant(1.5 * u.kHz),
    init_v=Constant(0.0),
)
simulator = brainmass.Simulator(node, dt=0.1 * u.ms)
run = dict(duration=12 * u.ms, monitors=["r"], sample_every=0.2 * u.ms)

truth = {"eta": -4.4, "tau": 1.1, "sigma": 0.05}
times = 0.2 * np.arange(1, 61)
clean = simulator.run(**run)["r"].to_decimal(u.kHz)
recording = clean + truth["sigma"] * np.random.default_rng(1).standard_normal(
    clean.shape
)

# %% [markdown]
# ## What is known before
#
# The description of a [search space](../fitting.md) serves every solver, and a `Prior` in it takes any distribution of
# numpyro. Units stay: `Prior(distribution, unit=u.ms)` has numbers in ms. A gamma distribution of shape 60 and rate 60
# has a mean of 1 ms and a standard deviation of 0.13 ms, and no negative time constants. The size of the error is a
# parameter of the likelihood, and is named like all others.

# %%
prior_of_sigma = brainmass.LogNormal(0.05 * u.kHz, 0.3)
priors = {
    "eta": brainmass.Normal(-4.0, 0.5),
    "tau": brainmass.Prior(dist.Gamma(60.0, 60.0), unit=u.ms),
    "likelihood.sigma": prior_of_sigma,
}
problem = inference.Problem(
    simulator,
    priors,
    inference.Gaussian(0.05 * u.kHz),
    recording * u.kHz,
    **run,
)

# %% [markdown]
# ## The posterior
#
# The four chains are one batched program. They begin near peaks of the density that a search finds from draws of the
# prior; the warm-up learns the step size, and that η and τ go together.

# %%
posterior = inference.sample(problem, 300, method="nuts", n_warmup=300, seed=0)
print(posterior)

# %% [markdown]
# Read three things before anything else; where one of them is bad, a warning says so, and the last lines of the table.
# `r̂` near 1: the four chains, run apart, agree. `ess`: how many independent draws the 1200 are worth. No divergences:
# the sampler met no place that it could not follow.

# %%
found = posterior.diagnostics()
assert all(d["rhat"] < 1.05 and d["ess_bulk"] > 200 for d in found.values())
samples = {
    "eta": posterior.flat("eta"),
    "tau": posterior.flat("tau").to_decimal(u.ms),
    "sigma": posterior.flat("sigma").to_decimal(u.kHz),
}
samples = {name: np.ravel(x) for name, x in samples.items()}
for name, true in truth.items():
    low, high = np.quantile(samples[name], [0.025, 0.975])
    print(
        f"{name}: truth {true:.3f}, 95 % of the posterior between {low:.3f} and {high:.3f}"
    )
    assert low < true < high
correlation = np.corrcoef(samples["eta"], samples["tau"])[0, 1]
print(f"correlation of eta and tau: {correlation:.2f}")

# %% [markdown]
# η and τ are known to a few percent, and they are correlated: each alone is less certain than the two together.
#
# A quicker look is often enough. Laplace's approximation is the normal distribution with the curvature of the posterior
# at its peak, which a few searches find; [which method when](../inference.md) says what else there is.

# %%
quick = inference.sample(problem, 300, method="laplace", seed=0)
shift = (np.mean(quick["eta"]) - samples["eta"].mean()) / samples["eta"].std()
print(f"mean of eta by Laplace: {shift:.2f} standard deviations away")
assert abs(shift) < 0.3

# %% [markdown]
# ## Can the posterior be trusted?
#
# One truth inside one interval proves little. *Simulation-based calibration* (Talts et al. 2018) draws many truths from
# the prior, simulates a recording of each, and infers: the rank of the truth among the draws must then be evenly
# distributed, so that an 80 % interval holds the truth in 80 % of the cases. Nothing is compiled again for another
# recording.

# %%
calibration = inference.calibrate(
    problem, 40, method="laplace", n_draws=300, n_starts=2, seed=7
)
print(calibration)
# 32 expected; fewer than 24 have a probability of 0.3 % (binomial)
assert min(calibration.coverage(0.8).values()) >= 24 / 40

# %%
figure, axes = plt.subplots(2, 2, figsize=(10, 7.5), layout="constrained")
predicted = posterior.predict(50)["y"].to_decimal(u.kHz)[..., 0]
axes[0, 0].plot(times, predicted.T, color="#56B4E9", lw=0.5, alpha=0.5)
axes[0, 0].plot(times, recording, "k.", ms=4, label="recording")
axes[0, 0].plot([], [], color="#56B4E9", label="50 draws from the posterior")
axes[0, 0].set(
    xlabel="time (ms)", ylabel="firing rate (1/ms)", title="what the posterior predicts"
)
axes[0, 0].legend()

axes[0, 1].plot(
    samples["eta"],
    samples["tau"],
    ".",
    color="#0072B2",
    ms=2,
    alpha=0.4,
    label="posterior",
)
before = problem.sample_prior(400, seed=3)
axes[0, 1].plot(
    before["eta"],
    before["tau"].to_decimal(u.ms),
    ".",
    color="0.75",
    ms=3,
    zorder=0,
    label="prior",
)
axes[0, 1].plot(
    truth["eta"], truth["tau"], "+", color="#D55E00", ms=14, mew=2, label="truth"
)
axes[0, 1].plot(
    np.ravel(quick["eta"]),
    np.ravel(quick["tau"].to_decimal(u.ms)),
    "k.",
    ms=1,
    alpha=0.3,
    label="Laplace",
)
axes[0, 1].set(
    xlabel="excitability η", ylabel="time constant τ (ms)", title="prior and posterior"
)
axes[0, 1].legend(fontsize=8)

axes[1, 0].hist(samples["sigma"], 40, density=True, color="#0072B2", label="posterior")
fine = np.linspace(0.02, 0.12, 200)
axes[1, 0].plot(
    fine,
    [np.exp(prior_of_sigma.log_density(x * u.kHz)) for x in fine],
    color="0.6",
    label="prior",
)
axes[1, 0].axvline(truth["sigma"], color="#D55E00", label="truth")
axes[1, 0].set(
    xlabel="error of the recording (1/ms)",
    ylabel="density",
    title="the size of the error",
)
axes[1, 0].legend(fontsize=8)

colors = ("#0072B2", "#009E73", "#CC79A7")
for name, ranks, color in zip(
    calibration.names, calibration.ranks.T, colors, strict=True
):
    shares = np.arange(1, 41) / 40
    axes[1, 1].step(np.sort(ranks) / 99, shares, where="post", color=color, label=name)
axes[1, 1].plot([0, 1], [0, 1], color="0.5", ls="--")
axes[1, 1].set(
    xlabel="rank of the truth among the draws",
    ylabel="share of 40 studies",
    title="calibration",
)
axes[1, 1].legend()
plt.show()

# %% [markdown]
# *Top left*: the draws pass through the recording; they hardly differ from one another,
# since sixty samples together say much more than each. *Top right*:
# the recording has shrunk the cloud of the prior to a short diagonal streak that holds the truth; Laplace's draws
# cover it. *Bottom left*: the error, too, was found. *Bottom right*: ranks of the truth in 40 studies follow the
# diagonal within what 40 allow; an overconfident posterior would pile up at both ends.
#
# ## Exercises
#
# 1. Free `J` as well, with `brainmass.LogNormal(15.0, 0.07)`. What is its correlation with η, and
#    how many runs does a draw cost now?
# 2. Record 4 ms only. Which parameter loses most?
# 3. Give the inference a wrong error, `Gaussian(0.02 * u.kHz)` without `likelihood.sigma`, and repeat the calibration.
#    What do the ranks look like?
#
# ## References
#
# - Montbrió, Pazó and Roxin 2015, Phys. Rev. X 5:021028: the model.
# - Hoffman and Gelman 2014, J. Mach. Learn. Res. 15:1593: NUTS.
# - Talts et al. 2018, arXiv:1804.06788: calibration by simulation.
# - Hashemi et al. 2020, NeuroImage 217:116839: the same for epileptic networks.
