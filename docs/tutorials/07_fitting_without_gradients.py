# %% [markdown]
# # Fitting without gradients
#
# **A gradient is cheap and exact. When is it nevertheless better to do without, and what does that cost?**
#
# A gradient says which way is down from *here*. It cannot say that a deeper valley lies behind the next hill. Losses of
# rhythms are full of hills: a simulated oscillation that is a little too fast slips out of phase with the recorded one,
# and back in, and each slip is a local minimum. A search with a population of candidates looks at many places at once.
# It pays with the number of simulations, and with the number of parameters.
#
# Here are one problem that gradients lose and one that they win, with the runs that each solver needed.
# [Fitting](../fitting.md) has all solvers; this needs `pip install ".[fit,viz]"`.

# %%
import brainunit as u
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from braintools.init import Constant

import brainmass

# %% [markdown]
# ## Two rhythms in one signal
#
# A field potential is the sum of two oscillators at their limit cycles, of 10 and 24 Hz, α and β, recorded for 500 ms
# every 4 ms with an error. The frequencies are to be found from the time series; the loss is the mean squared
# difference. The error has a variance of 0.0009, and no fit can get much below it.

# %%
HZ = 2 * np.pi / 1000  # rad per ms


def oscillators(hz):
    start = dict(init_x=Constant(0.14), init_y=Constant(0.0))
    return brainmass.HopfStep(2, a=0.02, w=HZ * np.asarray(hz), method="heun", **start)


def field_potential(model):
    run = brainmass.Simulator(model, dt=1.0 * u.ms).run(
        500 * u.ms, monitors=["x"], sample_every=4
    )
    return run["x"].sum(axis=-1)


record = np.asarray(
    field_potential(oscillators([10.0, 24.0]))
) + 0.03 * np.random.default_rng(0).standard_normal(125)


def loss(model):
    return jnp.mean((field_potential(model) - record) ** 2)


space = {"w": (4 * HZ, 40 * HZ)}

# %% [markdown]
# Two parameters can be looked at. All 3721 losses on a grid are one batched run: `pure` is a function of the
# parameters, and `jax.vmap` makes it one of many.

# %%
run = brainmass.Simulator(oscillators([10.0, 24.0]), dt=1.0 * u.ms).pure(
    500 * u.ms, monitors=["x"], sample_every=4, free=["w"]
)
grid = np.linspace(4, 40, 61)
pairs = jnp.asarray(HZ * np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2))
landscape = jax.jit(
    jax.vmap(lambda w: jnp.mean((run({"w": w}, 0)["x"].sum(-1) - record) ** 2))
)(pairs).reshape(61, 61)
inner = landscape[1:-1, 1:-1]
neighbours = [
    landscape[1 + i : 60 + i, 1 + j : 60 + j]
    for i in (-1, 0, 1)
    for j in (-1, 0, 1)
    if i or j
]
n_minima = int(np.all([inner < other for other in neighbours], axis=0).sum())
print(f"local minima on the grid: {n_minima}")
assert n_minima > 10

# %% [markdown]
# ## Five solvers
#
# The same model, loss and bounds for all; only the solver changes. In `"nevergrad"` (CMA-ES; Hansen 2016) and
# differential evolution (Storn and Price 1997) the candidates of a generation are one batched run. `histories` has a
# number for each run, so that its size is what a fit cost. A run of a gradient solver comes with its gradient, worth
# three to four runs. A fit leaves the model with the best it found, so that each here gets a model of its own.

# %%
solvers = {
    "Adam, 1 start": dict(optimizer=optax.adam(0.003), backend="grad", n_steps=100),
    "L-BFGS-B": dict(optimizer="L-BFGS-B", backend="scipy", n_steps=100),
    "Adam, 16 starts": dict(
        optimizer=optax.adam(0.003), backend="grad", n_starts=16, n_steps=100
    ),
    "CMA, 16 candidates": dict(
        optimizer="CMA", backend="nevergrad", popsize=16, n_steps=40
    ),
    "differential evolution": dict(backend="scipy", popsize=32, n_steps=40),
}
fits = {}
for name, options in solvers.items():
    n_steps = options.pop("n_steps")
    for seed in (0, 1) if "candidates" in name or "evolution" in name else (0,):
        fitter = brainmass.Fitter(
            oscillators([15.0, 30.0]), loss_fn=loss, search_space=space, **options
        )
        found = fits[name, seed] = fitter.fit(n_steps=n_steps, seed=seed)
        low, high = np.sort(np.asarray(found.best_params["w"])) / HZ
        print(
            f"{name:<23} seed {seed}: {found.histories.size:5d} runs, loss {found.best_loss:.4f}",
            end="",
        )
        print(f", {low:.2f} and {high:.2f} Hz")

# %% [markdown]
# Descent from one start ends in the nearest valley. Sixteen starts get one of the two rhythms right. CMA-ES, which
# shrinks its cloud of candidates as it goes, depends on the seed: a cloud of 16 is small for so many valleys.
# Differential evolution, which keeps its candidates apart for longer, finds both each time.

# %%
best = fits["differential evolution", 0]
assert all(fits["differential evolution", seed].best_loss < 0.0012 for seed in (0, 1))
assert (
    fits["Adam, 1 start", 0].best_loss > 0.01 and fits["L-BFGS-B", 0].best_loss > 0.01
)

# %% [markdown]
# ## Twenty parameters
#
# The other extreme: a ring of 20 oscillators of one known frequency, kicked at the start, each with an excitability of
# its own that sets how fast it decays or grows. The amplitudes tell; there is nothing to slip out of phase.

# %%
N = 20
ring = 0.5 * (np.roll(np.eye(N), 1, axis=0) + np.roll(np.eye(N), -1, axis=0))
truth = np.random.default_rng(1).uniform(-0.05, 0.1, N)


def network(a):
    start = dict(init_x=Constant(0.5), init_y=Constant(0.0))
    node = brainmass.HopfStep(N, a=a, w=40 * HZ, method="heun", **start)
    return brainmass.Network(node, conn=ring, coupled_var="x", k=0.01)


def activity(model):
    return brainmass.Simulator(model, dt=0.5 * u.ms).run(
        60 * u.ms, monitors=["x"], sample_every=2
    )["x"]


target = np.asarray(activity(network(truth)))
regional, until_close = {}, {}
for name, options, n_steps in (
    ("L-BFGS-B", dict(optimizer="L-BFGS-B", backend="scipy"), 60),
    ("CMA, 16 candidates", dict(optimizer="CMA", backend="nevergrad", popsize=16), 80),
):
    fitter = brainmass.Fitter(
        network(np.zeros(N)),
        loss_fn=lambda model: jnp.mean((activity(model) - target) ** 2),
        search_space={"a": (-0.1, 0.15)},
        **options,
    )
    found = regional[name] = fitter.fit(n_steps=n_steps)
    error = np.sqrt(np.mean((np.asarray(found.best_params["a"]) - truth) ** 2))
    steps = int(np.argmax(found.histories.min(1) < 1e-6) + 1)
    until_close[name] = steps * found.histories.shape[1]
    print(
        f"{name:<20} {until_close[name]:5d} runs until the loss is below 1e-6; error of the excitabilities {error:.1e}"
    )
    assert error < 2e-3
assert until_close["L-BFGS-B"] * 20 < until_close["CMA, 16 candidates"]

# %% [markdown]
# A run tells a search one number, and there are 20 to find. A gradient tells 20. With regional parameters or the
# weights of a connectome, hundreds to thousands of them, searches are out of the question.

# %%
figure, axes = plt.subplots(1, 3, figsize=(14, 4.2), layout="constrained")
image = axes[0].pcolormesh(grid, grid, np.log10(landscape), cmap="viridis")
figure.colorbar(image, ax=axes[0], label="log₁₀ of the loss")
places = {
    "Adam, 1 start": "w^",
    "Adam, 16 starts": "ws",
    "differential evolution": "r*",
}
for name, marker in places.items():
    axes[0].plot(
        *np.asarray(fits[name, 0].best_params["w"]) / HZ,
        marker,
        ms=9,
        mec="k",
        label=name,
    )
axes[0].plot(15, 30, "wo", ms=5, mec="k", label="start")
axes[0].set(
    xlabel="frequency of oscillator 1 (Hz)",
    ylabel="frequency of oscillator 2 (Hz)",
    title="valleys",
)
axes[0].legend(fontsize=7, loc="upper right")

colors = dict(
    zip(solvers, ("#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00"), strict=True)
)
for (name, seed), found in fits.items():
    lowest = np.minimum.accumulate(found.histories.min(1))
    runs = found.histories.shape[1] * np.arange(1, len(lowest) + 1)
    axes[1].loglog(
        runs,
        lowest,
        color=colors[name],
        ls="-" if seed == 0 else "--",
        label=name if seed == 0 else None,
    )
axes[1].axhline(0.0009, color="0.6", ls=":", label="error of the record")
axes[1].set(xlabel="runs", ylabel="lowest loss so far", title="two rhythms")
axes[1].legend(fontsize=7)

for name, found in regional.items():
    lowest = np.minimum.accumulate(found.histories.min(1))
    axes[2].loglog(
        found.histories.shape[1] * np.arange(1, len(lowest) + 1),
        lowest,
        color=colors[name],
        label=name,
    )
axes[2].axhline(1e-6, color="0.6", ls=":")
axes[2].set(xlabel="runs", ylabel="lowest loss so far", title="twenty excitabilities")
axes[2].legend(fontsize=8)
plt.show()

# %% [markdown]
# *Left*: the loss over both frequencies. The two dark spots are the truth and its mirror image, for the oscillators may
# be exchanged; dark stripes are where one rhythm is right, and all along them lie small valleys. *Middle*: the lowest
# loss against the number of runs; only what reaches the dotted line has found both rhythms (dashed: another seed).
# *Right*: with twenty parameters and one valley the order is reversed, by two orders of magnitude.
#
# ## Which one, then?
#
# | the loss | take |
# | --- | --- |
# | smooth, one valley, or a good start | gradients; `"L-BFGS-B"` if it has no noise |
# | many valleys, few parameters (up to ten or so) | differential evolution, CMA with many candidates; then gradients |
# | steps or thresholds: its gradient is zero or undefined | a search |
# | chaotic: the gradient is huge and useless ([why](../gradients.md)) | a search, or a smoother loss |
# | many parameters and many valleys | another loss: a spectrum in place of a time series has no phases to slip |
#
# ## Exercises
#
# 1. From the result of differential evolution go on with `"L-BFGS-B"`: how many runs until the loss no longer falls?
# 2. Give CMA 64 candidates and 20 generations. In how many of four seeds does it find both rhythms?
# 3. Replace the loss by the distance of the spectra (`brainmass.objectives`), and try Adam with 16 starts again.
#
# ## References
#
# - Hansen 2016, arXiv:1604.00772: CMA-ES. Storn and Price 1997, J. Global Optim. 11:341: differential evolution.
# - Byrd et al. 1995, SIAM J. Sci. Comput. 16:1190: L-BFGS-B.
