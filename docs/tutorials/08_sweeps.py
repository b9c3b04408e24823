# %% [markdown]
# # Sweeps on CPU and GPU
#
# **At which coupling and which noise does the simulated brain look most like the measured one, and how does one run
# hundreds of simulations to find out?**
#
# The first figure of many whole-brain papers is a sweep: for each value of the global coupling $G$ a simulation, and
# how well its functional connectivity (FC) agrees with that of the data (Deco et al. 2013, 2014; Cabral et al. 2011).
# The best agreement tends to lie where the resting state is about to lose its stability. Here are two parameters,
# coupling and noise. [Sweeps](../sweeps.md) has the options; this needs `pip install ".[io,fit,viz]"`.

# %%
import tempfile
import time
from pathlib import Path

import brainunit as u
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from braintools.init import Constant

import brainmass
from brainmass.objectives import functional_connectivity

data = brainmass.datasets.load_dataset("hcp_schaefer100")
conn = data.connectome.normalize("spectral")
n, TR = conn.n_regions, data.repetition_time
print(data.source)
print(jax.devices())

# %% [markdown]
# ## One simulation
#
# The reduced Wong-Wang model with an excitatory and an inhibitory pool in each region, observed as BOLD every 0.72 s,
# the repetition time of the data. Its step is 4.8 ms: the slow gating, which is what makes BOLD, decays with 100 ms.
# Gating is a share of open channels: `clamp=True` keeps it between 0 and 1, whatever the noise does.


# %%
def brain(G):
    noise = brainmass.WhiteNoise(n, sigma=0.01)
    rest = dict(init_S_e=Constant(0.165), init_S_i=Constant(0.039))  # at 3 Hz
    node = brainmass.WongWangExcInhStep(
        n, G=G, J_i=np.ones(n), method="euler", clamp=True, noise_e=noise, **rest
    )
    return brainmass.Network(node, conn=conn, coupling="additive", coupled_var="S_e")


simulator = brainmass.Simulator(brain(0.5), dt=4.8 * u.ms)
settings = dict(
    monitors={"bold": brainmass.Monitor(brainmass.BOLDSignal(n), every=TR)},
    transient=30 * TR,  # the haemodynamics settle
)
duration = 180 * TR  # 108 s are kept
simulator.run(duration, seed=0, **settings)  # compiles
begin = time.perf_counter()
print(simulator.run(duration, seed=1, **settings))
one = time.perf_counter() - begin
print(
    f"{one:.2f} s: {duration.to_decimal(u.second) / one:.0f} times as fast as a brain"
)

# %% [markdown]
# ## The points
#
# Without control, stronger coupling also means higher rates. To change the coupling alone, each region gets the local
# inhibition that keeps it at 3 Hz ([feedback inhibition control](../feedback_inhibition.md)). It differs from point to
# point: `J_i` has a row for each coupling. `jit` and `vmap` work them out in one program.

# %%
couplings = np.array([0.1, 0.3, 0.5, 0.7, 0.9, 1.0, 1.1, 1.2])
noises = np.array([0.002, 0.006, 0.02])  # per sqrt(ms)


@jax.jit
@jax.vmap
def inhibition(G):
    return brainmass.feedback_inhibition(brain(G), 3.06 * u.Hz)


def points(G, sigma):
    """What `design="list"` takes: the values of point i stand in row i."""
    return {"G": G, "sigma": sigma, "J_i": np.asarray(inhibition(jnp.asarray(G)))}


at_G, at_noise = (x.ravel() for x in np.meshgrid(couplings, noises, indexing="ij"))
grid = points(at_G, at_noise)

# %% [markdown]
# ## What to keep
#
# `measure` is compiled with the run. Two seeds per point; each gives an FC, and the mean BOLD tells a network that has
# left its resting state. Nothing else leaves the device.

# %%
pairs = np.tril_indices(n, -1)
empirical = data.fc[pairs]


def measure(run):
    return {"fc": functional_connectivity(run["bold"]), "mean": run["bold"].mean()}


store = Path(tempfile.mkdtemp()) / "coupling_and_noise.zarr"
begin = time.perf_counter()
swept = brainmass.sweep(
    simulator,
    duration,
    grid,
    design="list",
    seeds=2,
    measure=measure,
    store=store,
    at_once=16,
    **settings,
)
wall = time.perf_counter() - begin
n_runs = swept.sizes["point"] * swept.sizes["seed"]
print(swept)
print(
    f"{n_runs} runs in {wall:.0f} s, the compilation included: {wall / n_runs:.2f} s for a run of {duration}"
)
assert (swept["failed"] == "").all()

# %% [markdown]
# Sixteen runs go side by side (without `at_once`, as many as memory allows). Compare the two times per run: on a CPU a
# single network of 100 regions keeps a core busy, and a batch gains little more than the other cores
# ([measured](../speed.md)); a GPU, which one such run would leave almost idle, needs batches to be worth its while. The
# script is the same: JAX takes the accelerator that it finds ([installation](../install.md#gpu-and-tpu)). For several
# GPUs see [sweeps](../sweeps.md), and for several hosts [run on a cluster](../cluster.md).
#
# ## Stopped, and gone on
#
# Results went to the store batch by batch. Call the same sweep again, as after a crash: what is there is not run again.

# %%
begin = time.perf_counter()
again = brainmass.sweep(
    simulator,
    duration,
    grid,
    design="list",
    seeds=2,
    measure=measure,
    store=store,
    at_once=16,
    **settings,
)
print(f"again: {time.perf_counter() - begin:.1f} s")
assert again.identical(swept)

# %% [markdown]
# ## The fit
#
# The correlation of the FC, averaged over seeds, with the data's, pair by pair.


# %%
def fits(found):
    fc = found["fc"].mean("seed").values
    return np.array([np.corrcoef(matrix[pairs], empirical)[0, 1] for matrix in fc])


fit = fits(swept).reshape(len(couplings), len(noises))
best_G, best_noise = np.unravel_index(fit.argmax(), fit.shape)
print(np.round(fit, 2))
print(
    f"best: r = {fit.max():.2f} at G = {couplings[best_G]}, sigma = {noises[best_noise]}"
)
reliability = np.corrcoef(*swept["fc"].values[fit.argmax()][:, pairs[0], pairs[1]])[
    0, 1
]
print(f"correlation of the FC of its two seeds: {reliability:.2f}")
mean = 100 * swept["mean"].mean("seed").values.reshape(fit.shape)
print("mean BOLD signal change (%), 1.63 at rest:\n", np.round(mean, 2))
structure = np.corrcoef(conn.weights[pairs], empirical)[0, 1]
print(f"correlation of the connectome itself with the FC: {structure:.2f}")
low, high = (
    fit[couplings <= 0.5].mean(),
    fit[(couplings >= 0.9) & (couplings <= 1.1)].mean(),
)
print(f"mean fit: {low:.2f} up to G = 0.5, {high:.2f} from 0.9 to 1.1")
assert high > low + 0.04

# %% [markdown]
# The fit grows with the coupling up to $G = 1.1$ and is lost at 1.2, where the network leaves its resting state for
# one of high rates: the mean BOLD signal tells. The resting point itself is stable up to 1.35 on this connectome, but
# what holds it there is ever weaker. That is the classical result: the best fit is near the critical point. The
# strongest noise (last column) often pushes gating onto its lower bound, which raises the mean everywhere.
#
# The fit is also smaller than in the papers. The two seeds of the best point agree with each other by little more than
# a third: two minutes are short, and what a correlation with data can reach is limited by how well the simulation
# agrees with itself. Longer runs, more seeds and regional parameters get further (the
# [demo](../examples/01_resting_state_fit.rst)).
#
# ## Points that fill the space
#
# A grid of $k$ parameters with 8 values each has $8^k$ points, and tries only 8 values of each. A Sobol sequence
# spreads any number of points evenly, and each has new values of all parameters: 24 points see 24 couplings.

# %%
drawn = brainmass.sobol_design(
    {"G": (0.1, 1.2), "log_sigma": (np.log(0.002), np.log(0.02))}, 24, seed=0
)
sobol = points(drawn["G"], np.exp(drawn["log_sigma"]))
filled = brainmass.sweep(
    simulator,
    duration,
    sobol,
    design="list",
    seeds=2,
    measure=measure,
    at_once=16,
    **settings,
)
sobol_fit = fits(filled)
at = sobol_fit.argmax()
print(
    f"best of 24: r = {sobol_fit[at]:.2f} at G = {sobol['G'][at]:.2f}, sigma = {sobol['sigma'][at]:.3f}"
)

# %%
figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
scale = dict(vmin=0, vmax=max(fit.max(), sobol_fit.max()), cmap="viridis")
image = axes[0].imshow(fit.T, origin="lower", aspect="auto", **scale)
axes[0].set_xticks(range(len(couplings)), couplings)
axes[0].set_yticks(range(len(noises)), noises)
axes[0].set(xlabel="global coupling G", ylabel="noise σ (per √ms)", title="grid")
dots = axes[1].scatter(
    sobol["G"], sobol["sigma"], c=sobol_fit, s=90, edgecolor="k", **scale
)
axes[1].set(
    yscale="log",
    xlabel="global coupling G",
    ylabel="noise σ (per √ms)",
    title="Sobol sequence",
)
figure.colorbar(dots, ax=axes[:2], label="correlation with the empirical FC")
for i, sigma in enumerate(noises):
    axes[2].plot(
        couplings,
        fit[:, i],
        "o-",
        color=plt.get_cmap("viridis")(i / 3),
        label=f"σ = {sigma}",
    )
axes[2].plot(sobol["G"], sobol_fit, "x", color="0.6", label="Sobol, all σ")
axes[2].axvline(1.35, color="#D55E00", ls="--", label="rest unstable")
axes[2].set(
    xlabel="global coupling G",
    ylabel="correlation with the empirical FC",
    title="fit along G",
)
axes[2].legend(fontsize=8)
plt.show()

# %% [markdown]
# *Left*: each row is a strength of noise; the fit grows with the coupling to 1.1, and at 1.2 is lost, save for the
# strongest noise. *Middle*: the same landscape from points that fill it. *Right*: all against $G$. Strong noise fits
# worse where coupling is weak, since little of what a region does then comes from the others, and no worse near the
# critical point. The scatter between neighbours is some hundredths: do not read more into a single point.
#
# ## Exercises
#
# 1. How much of the scatter is the length of the run? Plot the correlation of the FC of seed 0 with that of seed 1
#    against $G$, for a `duration` of 180 and of 600 TR.
# 2. Set `J_i` to one everywhere. Where is the best fit now, and what do the rates do?
# 3. Use `brainmass.objectives` for another measure, such as the distance of the FCD, and see whether it picks the same
#    coupling.
#
# ## References
#
# - Cabral et al. 2011, NeuroImage 57:130; Deco et al. 2013, J. Neurosci. 33:11239: FC fit against global coupling.
# - Deco et al. 2014, J. Neurosci. 34:7886: feedback inhibition control.
