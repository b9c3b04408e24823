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
# posterior (NUTS; Hoffman and Gelman 2014). brainmass gives the simulation; the sampler is
# [numpyro](https://num.pyro.ai)'s. This tutorial needs `pip install ".[bayes,fit,viz]"`.

# %%
import brainunit as u
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import numpyro
import numpyro.distributions as dist
import optax
from braintools.init import Constant
from numpyro.infer import MCMC, NUTS, init_to_value

import brainmass

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
    method="heun",
    init_r=Constant(1.5 * u.kHz),
    init_v=Constant(0.0),
)
run = brainmass.Simulator(node, dt=0.1 * u.ms).pure(
    12 * u.ms, monitors=["r"], sample_every=0.2 * u.ms, free=["eta", "tau"]
)


def rate(values):
    """Firing rate, per ms, of shape (60,)."""
    return run(values, 0)["r"].to_decimal(u.kHz)[:, 0]


truth = {"eta": -4.4, "tau": 1.1 * u.ms, "sigma": 0.05}
times = 0.2 * np.arange(1, 61)
clean = rate({"eta": truth["eta"], "tau": truth["tau"]})
recording = jnp.asarray(
    clean + truth["sigma"] * np.random.default_rng(1).standard_normal(60), jnp.float32
)

# %% [markdown]
# ## What is known before
#
# The description of a [search space](../fitting.md) serves every solver, and a `Prior` in it takes any distribution of
# numpyro. Units stay: `Prior(distribution, unit=u.ms)` has numbers in ms. A gamma distribution of shape 60 and rate 60
# has a mean of 1 ms and a standard deviation of 0.13 ms, and no negative time constants.

# %%
priors = {
    "eta": brainmass.Prior(dist.Normal(-4.0, 0.5)),
    "tau": brainmass.Prior(dist.Gamma(60.0, 60.0), unit=u.ms),
}
prior_of_sigma = dist.LogNormal(np.log(0.05), 0.3)

# %% [markdown]
# First the most probable values, with the same description: `Fitter` adds the negative log density of the priors to the
# loss. If the loss is the negative log likelihood, here for a known error, the fit finds the maximum of the posterior.


# %%
def misfit(model):
    found = brainmass.Simulator(model, dt=0.1 * u.ms).run(
        12 * u.ms, monitors=["r"], sample_every=0.2 * u.ms
    )["r"]
    return -jnp.sum(
        dist.Normal(found.to_decimal(u.kHz)[:, 0], 0.05).log_prob(recording)
    )


start = brainmass.MontbrioPazoRoxinStep(
    1,
    J=15.0,
    delta=1 / u.ms,
    eta=-4.0,
    tau=1.0 * u.ms,
    method="heun",
    init_r=Constant(1.5 * u.kHz),
    init_v=Constant(0.0),
)
fitter = brainmass.Fitter(start, optax.adam(0.03), loss_fn=misfit, search_space=priors)
fitted = fitter.fit(n_steps=150)
print("most probable:", {name: value for name, value in fitted.best_params.items()})

# %% [markdown]
# ## The posterior
#
# A numpyro model draws the parameters from the priors and says how the recording came about. Two settings matter for
# simulations: with few parameters `forward_mode_differentiation` is cheaper than going back through the run, and
# `dense_mass` lets the sampler learn that η and τ go together. The four chains are one batched program.


# %%
def model(observed):
    values = {
        name: prior.unit * numpyro.sample(name, prior.distribution)
        for name, prior in priors.items()
    }
    sigma = numpyro.sample("sigma", prior_of_sigma)
    numpyro.sample("rate", dist.Normal(rate(values), sigma), obs=observed)


def sampler(**options):
    begin = init_to_value(values={"eta": -4.0, "tau": 1.0, "sigma": 0.05})
    kernel = NUTS(
        model, forward_mode_differentiation=True, dense_mass=True, init_strategy=begin
    )
    return MCMC(kernel, progress_bar=False, **options)


mcmc = sampler(num_warmup=300, num_samples=300, num_chains=4, chain_method="vectorized")
mcmc.run(jax.random.key(0), recording, extra_fields=("num_steps", "diverging"))
mcmc.print_summary()
samples = {name: np.asarray(x) for name, x in mcmc.get_samples().items()}
extra = mcmc.get_extra_fields()
print(f"runs with a gradient for each draw: {np.mean(extra['num_steps']):.1f}")

# %% [markdown]
# Read three things before anything else. `r_hat` near 1: the four chains, run apart, agree. `n_eff`: how many
# independent draws the 1200 are worth. No divergences: the sampler met no place that it could not follow.

# %%
summary = numpyro.diagnostics.summary(mcmc.get_samples(group_by_chain=True))
assert all(row["r_hat"] < 1.05 and row["n_eff"] > 200 for row in summary.values())
assert extra["diverging"].sum() < 5
plain = {name: float(u.get_mantissa(value)) for name, value in truth.items()}
for name, true in plain.items():
    low, high = np.quantile(samples[name], [0.025, 0.975])
    print(
        f"{name}: truth {true:.3f}, 95 % of the posterior between {low:.3f} and {high:.3f}"
    )
    assert low < true < high
correlation = np.corrcoef(samples["eta"], samples["tau"])[0, 1]
print(f"correlation of eta and tau: {correlation:.2f}")
best = {name: float(u.get_mantissa(fitted.best_params[name])) for name in priors}
assert all(
    abs(best[name] - samples[name].mean()) < samples[name].std() for name in priors
)

# %% [markdown]
# η and τ are known to a few percent, and they are correlated: each alone is less certain than the two together.
#
# ## Can the posterior be trusted?
#
# One truth inside one interval proves little. *Simulation-based calibration* (Talts et al. 2018) draws many truths from
# the prior, simulates a recording of each, and infers: the rank of the truth among the draws must then be evenly
# distributed, so that an 80 % interval holds the truth in 80 % of the cases. The inference is a function of a key and
# can be batched like any other: here are 30 at once.


# %%
@jax.jit
@jax.vmap
def study(key):
    keys = jax.random.split(key, 4)
    values = {
        name: prior.sample(k)
        for k, (name, prior) in zip(keys, priors.items(), strict=False)
    }
    sigma = prior_of_sigma.sample(keys[2])
    noise_key, chain_key = jax.random.split(keys[3])
    observed = rate(values) + sigma * jax.random.normal(noise_key, recording.shape)
    inference = sampler(num_warmup=150, num_samples=150)
    inference.run(chain_key, observed)
    return {
        **{name: u.get_mantissa(x) for name, x in values.items()},
        "sigma": sigma,
    }, inference.get_samples()


truths, draws = study(jax.random.split(jax.random.key(7), 30))
ranks = {
    name: np.mean(np.asarray(draws[name]) < np.asarray(truths[name])[:, None], axis=1)
    for name in truths
}
held = {name: int(np.sum((rank > 0.1) & (rank < 0.9))) for name, rank in ranks.items()}
print("of 30 truths, inside the 80 % interval:", held)
# 24 expected; fewer than 17 have a probability of 0.2 % (binomial)
assert min(held.values()) >= 17

# %%
figure, axes = plt.subplots(2, 2, figsize=(10, 7.5), layout="constrained")
some = [
    {"eta": samples["eta"][i], "tau": samples["tau"][i] * u.ms}
    for i in range(0, 1200, 24)
]
predicted = np.array([rate(values) for values in some])
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
before = {
    name: np.asarray(u.get_mantissa(prior.sample(jax.random.key(3), (400,))))
    for name, prior in priors.items()
}
axes[0, 1].plot(
    before["eta"], before["tau"], ".", color="0.75", ms=3, zorder=0, label="prior"
)
axes[0, 1].plot(
    plain["eta"], plain["tau"], "+", color="#D55E00", ms=14, mew=2, label="truth"
)
axes[0, 1].plot(
    best["eta"], best["tau"], "x", color="k", ms=8, label="most probable (Fitter)"
)
axes[0, 1].set(
    xlabel="excitability η", ylabel="time constant τ (ms)", title="prior and posterior"
)
axes[0, 1].legend(fontsize=8)

axes[1, 0].hist(samples["sigma"], 40, density=True, color="#0072B2", label="posterior")
fine = np.linspace(0.02, 0.12, 200)
axes[1, 0].plot(fine, np.exp(prior_of_sigma.log_prob(fine)), color="0.6", label="prior")
axes[1, 0].axvline(plain["sigma"], color="#D55E00", label="truth")
axes[1, 0].set(
    xlabel="error of the recording (1/ms)",
    ylabel="density",
    title="the size of the error",
)
axes[1, 0].legend(fontsize=8)

for name, color in zip(ranks, ("#0072B2", "#009E73", "#CC79A7"), strict=True):
    axes[1, 1].step(
        np.sort(ranks[name]),
        np.arange(1, 31) / 30,
        where="post",
        color=color,
        label=name,
    )
axes[1, 1].plot([0, 1], [0, 1], color="0.5", ls="--")
axes[1, 1].set(
    xlabel="rank of the truth among the draws",
    ylabel="share of 30 studies",
    title="calibration",
)
axes[1, 1].legend()
plt.show()

# %% [markdown]
# *Top left*: the draws pass through the recording; they hardly differ from one another,
# since sixty samples together say much more than each. *Top right*:
# the recording has shrunk the cloud of the prior to a short diagonal streak that holds the truth; the fit lies in its
# middle. *Bottom left*: the error, too, was found. *Bottom right*: ranks of the truth in 30 studies follow the
# diagonal within what 30 allow; an overconfident posterior would pile up at both ends.
#
# ## Exercises
#
# 1. Free `J` as well, with `brainmass.Prior(dist.LogNormal(np.log(15.0), 0.07))`. What is its correlation with η, and
#    how many runs does a draw cost now?
# 2. Record 4 ms only. Which parameter loses most?
# 3. Give the inference a wrong error, `sigma` fixed at 0.02 in `model`, and repeat the calibration. What do the ranks
#    look like?
#
# ## References
#
# - Montbrió, Pazó and Roxin 2015, Phys. Rev. X 5:021028: the model.
# - Hoffman and Gelman 2014, J. Mach. Learn. Res. 15:1593: NUTS.
# - Talts et al. 2018, arXiv:1804.06788: calibration by simulation.
# - Hashemi et al. 2020, NeuroImage 217:116839: the same for epileptic networks.
