"""The resting brain, simulated and fitted: from a human connectome to functional connectivity, by gradient.

Run it with `brainmass demo`, or as a script. In two to four minutes it

1. loads the group-average connectome and functional connectivity (FC) of the Human Connectome Project,
2. simulates the reduced Wong-Wang model on its 100 regions to BOLD, and compares simulated with empirical FC,
3. finds the best global coupling by a sweep, then fits regional parameters, then the weights of the connections,
   by gradient through the whole simulation, and, by linear theory alone, far fewer connections,
4. evaluates each of them with fresh noise on the group that it was fitted to and on another, beside
   the connectome itself and the empirical FC of the fitted group as predictors,
5. writes `brainmass_demo.npz` and `brainmass_demo.png`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypedDict

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import optax
from brainstate.nn import Param
from tqdm.auto import tqdm

import brainmass
from brainmass._common.typing import Array, Numbers
from brainmass.objectives import functional_connectivity

TR = 0.72 * u.second  # repetition time of the data
DT = 4.8 * u.ms
SPARSITY = 0.02
SIGMA = 0.008  # noise on the excitatory gating variable, per sqrt(ms)

# Working point of the isolated model with J_i = 1 (Deco et al. 2014): its gating variables, at a rate of 3.08 Hz.
S_E, S_I = 0.16476, 0.0392221
W_P, J_N, I_O = 1.4, 0.15, 0.382
RESTING_BOLD = 0.0163  # the BOLD signal there

FIRST_COUPLING = 0.5
COUPLINGS = np.round(np.linspace(0.1, 1.2, 12), 1)
LARGEST_COUPLING = 0.9  # beyond, the working point is about to lose its stability, and fits wander off
RATE = 0.06


# --- the model ----------------------------------------------------------------------------------------------------
class Brain(brainstate.nn.Module):
    """What is fitted: a few numbers of each region, and the weights of the connections. All start from zero.

    Scales are chosen so that one learning rate suits them all.
    """

    def __init__(
        self,
        weights: np.ndarray | jax.Array,
        coupling: float | jax.Array,
        start: Brain | None = None,
        edges: bool = False,
    ):
        super().__init__()
        n = len(weights)
        self.weights, self.coupling = jnp.asarray(weights, jnp.float32), coupling
        self.excitation = Param(jnp.zeros(n) if start is None else start.excitation.value(), fit=True)
        self.inhibition = Param(jnp.zeros(n) if start is None else start.inhibition.value(), fit=True)
        self.noise = Param(jnp.zeros(n) if start is None else start.noise.value(), fit=True)
        self.edges = Param(jnp.zeros((n, n)), fit=edges)

    def values(self) -> dict[str, Numbers]:
        """The parameters of the simulation."""
        strength = self.weights.sum(1)
        gained = self.weights * jnp.exp(6 * self.edges.value())  # never negative; no edge where there is none
        weights = gained * (strength / gained.sum(1))[:, None]  # a region's input keeps its total
        w_p = W_P + 0.6 * self.excitation.value()
        j_i = balanced_inhibition(w_p, self.coupling * strength) * jnp.exp(0.32 * self.inhibition.value())
        sigma = SIGMA * jnp.exp(1.6 * self.noise.value())
        return {"conn": weights, "w_p": w_p, "J_i": j_i, "sigma": sigma, "coupling.k": jnp.float32(self.coupling)}

    @property
    def n_parameters(self) -> int:
        """How many numbers were fitted: the coupling, or three of each region, and the connections that are there."""
        if not np.any(self.excitation.value()):
            return 1
        return 3 * len(self.weights) + (int((self.weights > 0).sum()) if np.any(self.edges.value()) else 0)


class SparseBrain:
    """Few connections, by linear theory alone: those of `sparse_connectivity`, in the scale of the model.

    Slowly, a region is one leak with a gain for its input: inhibition follows at once. Of the modes of such a network
    BOLD, itself slow, passes the slow ones best; their rates are set so that it shows them as strongly as in the FC.
    """

    def __init__(self, job: Job):
        alone = brainmass.Drift(region(1, balanced_inhibition(W_P, np.zeros(1))))
        x = jnp.asarray([S_E, S_I])
        (ee, ei), (ie, ii) = np.asarray(alone.jacobian(x))
        leak = ei * ie / ii - ee
        gain = float(jax.jacfwd(lambda received: alone(x, {"coupling": received})[0])(0.0))
        rates = np.geomspace(0.01, 3, 25)
        noise = brainmass.WhiteNoise(rates.size, sigma=1e-4 * u.UNITLESS)
        modes = brainmass.LinearStep(rates.size, gamma=-leak * rates, noise_x=noise)
        passed = brainmass.linear_response(modes, through=brainmass.BOLDSignal(rates.size), at=np.zeros(rates.size))
        shown = np.log(np.diag(passed.covariance()))
        strength, vectors = np.linalg.eigh(job.data.fc.astype(float))
        slowest = np.interp(np.log(0.03), np.log(rates), shown)  # the strongest mode, safely stable
        wanted = slowest + np.log(strength / strength[-1])
        rate = np.exp(np.interp(-wanted, -shown, np.log(rates)))
        covariance = (vectors / rate) @ vectors.T
        deviation = np.sqrt(np.diag(covariance))
        fc = covariance / np.outer(deviation, deviation)
        self.found = brainmass.sparse_connectivity(fc, job.connectome, SPARSITY, anatomy="weights", n_steps=400)
        self.n_parameters = self.found.n_parameters
        self.weights = (self.found.weights * leak / gain).astype(np.float32)

    def values(self) -> dict[str, jax.Array]:
        n = len(self.weights)
        j_i = balanced_inhibition(W_P, self.weights.sum(1)).astype(np.float32)
        same = {"w_p": jnp.full(n, W_P), "sigma": jnp.full(n, SIGMA), "coupling.k": jnp.float32(1)}
        return {"conn": jnp.asarray(self.weights), "J_i": jnp.asarray(j_i), **same}


def region(n: int, j_i: Numbers, **noise: Any) -> brainmass.WongWangExcInhStep:
    # gating is a share of channels: not below zero, whatever the noise
    return brainmass.WongWangExcInhStep(n, G=1.0, J_i=j_i, method="euler", clamp=True, **noise)


def balanced_inhibition(w_p: Numbers, network_strength: Numbers) -> Numbers:
    """Local inhibition that keeps each region at its isolated rate of 3.08 Hz under its network input."""
    isolated = W_P * J_N * S_E - S_I + I_O
    return (w_p * J_N * S_E + I_O + J_N * S_E * network_strength - isolated) / S_I


class Job:
    """Runs and scores of the model on the data."""

    def __init__(self, seed: int):
        self.seed = seed
        self.data = brainmass.datasets.load_dataset("hcp_schaefer100")
        self.connectome = self.data.connectome.normalize("spectral")
        self.weights = self.connectome.weights.astype(np.float32)
        self.upper = np.triu_indices(self.connectome.n_regions, 1)
        self.target = jnp.asarray(self.data.fc[self.upper], jnp.float32)
        self.other = brainmass.datasets.load_dataset("hcp_schaefer100_test").fc[self.upper]
        self.sim = brainmass.Simulator(self.network(FIRST_COUPLING), dt=DT)
        self.monitors = {"bold": brainmass.Monitor(brainmass.BOLDSignal(self.connectome.n_regions), every=TR)}
        self.evaluation = jax.jit(self.bold(420, 30))

    def network(self, coupling: float) -> brainmass.Network:
        n = self.connectome.n_regions
        noise = brainmass.WhiteNoise(n, sigma=np.full(n, SIGMA))
        node = region(n, balanced_inhibition(W_P, coupling * self.weights.sum(1)), noise_e=noise)
        return brainmass.Network(node, conn=self.connectome, coupling="additive", coupled_var="S_e", k=coupling)

    def first_run(self) -> brainmass.Result:
        """Two minutes of BOLD. All later runs start where it ends, so that their haemodynamics are settled."""
        result = self.sim.run(200 * TR, monitors=self.monitors, transient=30 * TR, seed=self.seed, progress=True)
        self.settled = result.final
        return result

    def bold(self, n: int, skip: int) -> Callable[..., jax.Array]:
        """A function of parameter values and keys: one run for each key, BOLD of shape (runs, n, regions)."""
        run = self.sim.pure(
            (n + skip) * TR,
            monitors=self.monitors,
            transient=skip * TR,
            free=["conn", "w_p", "J_i", "sigma", "coupling.k"],
        )

        def one(values: dict[str, object], key: object) -> jax.Array:
            return run(values, key, self.settled)["bold"]

        return jax.vmap(one, in_axes=(None, 0))

    def connectivity(self, bold: object) -> jax.Array:
        """The mean FC of some runs: the data are a mean of many people too."""
        return jax.vmap(functional_connectivity)(bold).mean(0)

    def score(self, fc: jax.Array | np.ndarray) -> jax.Array:
        """Correlation with the empirical FC, upper triangle."""
        return jnp.corrcoef(fc[self.upper], self.target)[0, 1]

    def held_out(self, fc: jax.Array | np.ndarray) -> float:
        """The same with the FC of the group that nothing is fitted to."""
        return float(np.corrcoef(np.asarray(fc)[self.upper], self.other)[0, 1])

    def loss(self, n: int, skip: int, runs: int) -> Callable[[Brain, jax.Array], jax.Array]:
        simulate = self.bold(n, skip)

        def loss(brain: Brain, key: jax.Array) -> jax.Array:
            bold = simulate(brain.values(), jax.random.split(jax.random.wrap_key_data(key), runs))
            fc = self.connectivity(bold)
            apart = jnp.mean((fc[self.upper] - self.target) ** 2)
            drift = jnp.mean((bold.mean((0, 1)) / RESTING_BOLD - 1) ** 2)  # regions stay near their working point
            return 1 - self.score(fc) + apart + 0.3 * drift

        return loss


class Evaluation(TypedDict):
    """Correlations with the FC of the fitted group, of the mean FC and of one run, and with that of the other group."""

    mean: float
    single: float
    other: float
    parameters: int
    fc: np.ndarray
    bold: np.ndarray


# --- the steps of the job -----------------------------------------------------------------------------------------
def sweep(job: Job, n: int = 170, runs: int = 4) -> np.ndarray:
    """Correlation of simulated with empirical FC for every global coupling, all in one batch."""
    simulate = job.bold(n, 30)

    def score(coupling: jax.Array, keys: object) -> jax.Array:
        return job.score(job.connectivity(simulate(Brain(job.weights, coupling).values(), keys)))

    keys = jax.random.split(jax.random.key(job.seed + 1), runs)
    return np.asarray(jax.jit(jax.vmap(score, in_axes=(0, None)))(jnp.asarray(COUPLINGS, jnp.float32), keys))


def fit(job: Job, brain: Brain, n_steps: int, *, n: int, skip: int, runs: int) -> brainmass.FitResult:
    """Fit by gradient through the simulation, the haemodynamics and the FC, with new noise at every step."""
    schedule = optax.warmup_cosine_decay_schedule(0.3 * RATE, RATE, 3, n_steps, 0.1 * RATE)
    optimizer = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(schedule, b2=0.95))

    def tell(step: brainmass.FitStep) -> None:
        if step.step % 3 == 0 or step.step == n_steps - 1:
            tqdm.write(f"         step {step.step + 1:2d} of {n_steps}: loss {step.loss:.3f}")

    fitter = brainmass.Fitter(brain, optimizer, loss_fn=job.loss(n, skip, runs), callbacks=tell)
    return fitter.fit(n_steps=n_steps, seed=job.seed + 2, progress=True)


def evaluate(job: Job, brain: Brain | SparseBrain, runs: int = 16) -> Evaluation:
    """Five minutes of BOLD in each of some runs, with noise never used before."""
    keys = jax.random.split(jax.random.key(job.seed + 1000), runs)
    bold = job.evaluation(brain.values(), keys)
    fc = job.connectivity(bold)
    single = np.mean([float(job.score(functional_connectivity(run))) for run in bold])
    return {
        "mean": float(job.score(fc)),
        "single": float(single),
        "other": job.held_out(fc),
        "parameters": brain.n_parameters,
        "fc": np.asarray(fc),
        "bold": np.asarray(bold[0]),
    }


def report(job: Job, found: Mapping[str, Evaluation]) -> None:
    """What was found, between what predicts without a model and the most that could be."""
    structure, data = (np.asarray(matrix) for matrix in (job.weights, job.data.fc))
    rows = [("the connectome itself", "0", float(job.score(structure)), job.held_out(structure), "")]
    rows += [(n, f"{it['parameters']:,}", it["mean"], it["other"], f"{it['single']:.2f}") for n, it in found.items()]
    rows += [("FC of the fitted group: the ceiling", "", 1.0, job.held_out(data), "")]
    print(f"\n         {'correlation with empirical FC':<36} parameters  fitted group  other group  fitted, single run")
    for name, parameters, fitted, other, single in rows:
        print(f"         {name:<36} {parameters:>10} {fitted:>13.3f} {other:>12.3f} {single:>19}".rstrip())
    print(f"         means of 16 runs; each was fitted to the {len(job.target):,} numbers of an FC")


def main(seed: int = 0, out: Path | str = ".") -> dict[str, Any]:
    """Do the whole job; returns what it writes."""
    started = time.perf_counter()

    def say(text: str) -> None:
        print(f"[{time.perf_counter() - started:4.0f} s] {text}", flush=True)

    job = Job(seed)
    print(job.data, "\n")
    say(f"simulating the reduced Wong-Wang model on {job.connectome.n_regions} regions: 2 minutes of BOLD, TR {TR}")
    first = float(job.score(functional_connectivity(job.first_run()["bold"])))
    say(f"coupling {FIRST_COUPLING}: correlation of simulated with empirical functional connectivity {first:.2f}")

    say(f"sweeping {len(COUPLINGS)} global couplings at once")
    scores = sweep(job)
    stable = np.where(LARGEST_COUPLING >= COUPLINGS, scores, -1)
    coupling = float(COUPLINGS[stable.argmax()])
    say(f"best global coupling at which the working point is stable, {coupling:.1f}: correlation {stable.max():.2f}")

    brains: dict[str, Any] = {"one global coupling": Brain(job.weights, coupling)}
    say("fitting excitation, inhibition and noise of each region, by gradient")
    brains["regional parameters"] = Brain(job.weights, coupling)
    losses = {"regional parameters": fit(job, brains["regional parameters"], 14, n=50, skip=14, runs=28).history}
    say("fitting the weights of the connections as well, by gradient")
    brains["connection weights"] = Brain(job.weights, coupling, brains["regional parameters"], edges=True)
    losses["connection weights"] = fit(job, brains["connection weights"], 18, n=46, skip=10, runs=20).history

    say("finding far fewer connections, by linear theory")
    brains["sparse connections"] = SparseBrain(job)

    say("evaluating with noise that nothing was fitted on")
    found = {name: evaluate(job, brain) for name, brain in brains.items()}
    report(job, found)

    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    written = _write(out / "brainmass_demo.npz", job, scores, losses, brains, found)
    picture = _draw(out / "brainmass_demo.png", job, scores, coupling, losses, found)
    print()
    say(f"wrote {written} and {picture}")
    return {"first": first, "scores": scores, "coupling": coupling, "losses": losses, "found": found}


# --- files --------------------------------------------------------------------------------------------------------
def _write(
    path: Path,
    job: Job,
    scores: Array,
    losses: Numbers,
    brains: Mapping[str, Brain | SparseBrain],
    found: Mapping[str, Evaluation],
) -> Path:
    arrays = {"couplings": COUPLINGS, "sweep": scores, "empirical_fc": job.data.fc}
    for name, it in found.items():
        key = name.replace(" ", "_")
        arrays |= {f"{key}/fc": it["fc"], f"{key}/bold": it["bold"], f"{key}/correlation": it["mean"]}
        arrays |= {f"{key}/other_group": it["other"], f"{key}/parameters": it["parameters"]}
        arrays |= {f"{key}/{k}": np.asarray(v) for k, v in brains[name].values().items()}
    arrays |= {f"{name.replace(' ', '_')}/loss": history for name, history in losses.items()}
    partial = path.with_suffix(".partial.npz")
    np.savez_compressed(partial, **arrays)
    partial.replace(path)
    return path


def _draw(
    path: Path, job: Job, scores: Array, coupling: float, losses: Numbers, found: Mapping[str, Evaluation]
) -> Path:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(16.5, 7.6), layout="constrained")
    axes = figure.subplot_mosaic([["data", *found], ["sweep", "loss", "bold", "bold", "bold"]])
    matrices = {"data": job.data.fc, **{name: it["fc"] for name, it in found.items()}}
    for name, fc in matrices.items():
        brainmass.viz.plot_functional_connectivity(fc, is_matrix=True, ax=axes[name], colorbar=False)
        axes[name].set_title(
            "empirical"
            if name == "data"
            else f"{name}\nr = {found[name]['mean']:.2f}, other group {found[name]['other']:.2f}",
            fontsize=10,
        )
    shared = [axes[name] for name in matrices]
    figure.colorbar(axes["data"].images[0], ax=shared, label="functional connectivity", shrink=0.8)
    brainmass.viz.plot_sweep(
        COUPLINGS, scores, best=coupling, ax=axes["sweep"], xlabel="global coupling", ylabel="FC correlation"
    )
    for name, history in losses.items():
        brainmass.viz.plot_loss(history, ax=axes["loss"], label=name)
    shown = [0, 20, 40, 60, 80]
    bold = 100 * found["connection weights"]["bold"][:, shown]
    seconds = np.arange(1, len(bold) + 1) * TR
    labels = [job.connectome.labels[i] for i in shown]
    brainmass.viz.plot_timeseries(bold - bold.mean(0), seconds, labels=labels, ax=axes["bold"], linewidth=0.8)
    axes["bold"].set_ylabel("BOLD signal change (%)")
    axes["bold"].set_title("simulated BOLD, connection weights fitted", fontsize=10)
    figure.suptitle("Functional connectivity: data, and simulations evaluated with fresh noise")
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return path


if __name__ == "__main__":
    main()
