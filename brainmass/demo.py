"""The resting brain, simulated and fitted: from a human connectome to functional connectivity, by gradient.

Run it with `brainmass demo`, or as a script. In about three minutes it

1. loads the group-average connectome and functional connectivity (FC) of the Human Connectome Project,
2. simulates the reduced Wong-Wang model on its 100 regions to BOLD, and compares simulated with empirical FC,
3. finds the best global coupling by a sweep, then fits regional parameters, then the weights of the connections,
   by gradient through the whole simulation,
4. evaluates each of them with noise that it was not fitted on,
5. writes `brainmass_demo.npz` and `brainmass_demo.png`.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

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

    def __init__(self, weights: Any, coupling: float, start: Brain | None = None, edges: bool = False):
        super().__init__()
        n = len(weights)
        self.weights, self.coupling = jnp.asarray(weights, jnp.float32), coupling
        self.excitation = Param(jnp.zeros(n) if start is None else start.excitation.value(), fit=True)
        self.inhibition = Param(jnp.zeros(n) if start is None else start.inhibition.value(), fit=True)
        self.noise = Param(jnp.zeros(n) if start is None else start.noise.value(), fit=True)
        self.edges = Param(jnp.zeros((n, n)), fit=edges)

    def values(self) -> dict[str, Any]:
        """The parameters of the simulation."""
        strength = self.weights.sum(1)
        gained = self.weights * jnp.exp(6 * self.edges.value())  # never negative; no edge where there is none
        weights = gained * (strength / gained.sum(1))[:, None]  # a region's input keeps its total
        w_p = W_P + 0.6 * self.excitation.value()
        j_i = balanced_inhibition(w_p, self.coupling * strength) * jnp.exp(0.32 * self.inhibition.value())
        sigma = SIGMA * jnp.exp(1.6 * self.noise.value())
        return {"conn": weights, "w_p": w_p, "J_i": j_i, "sigma": sigma, "coupling.k": jnp.float32(self.coupling)}


def balanced_inhibition(w_p: Any, network_strength: Any) -> Any:
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
        self.sim = brainmass.Simulator(self.network(FIRST_COUPLING), dt=DT)
        self.monitors = {"bold": brainmass.Monitor(brainmass.BOLDSignal(self.connectome.n_regions), every=TR)}
        self.evaluation = jax.jit(self.bold(420, 30))

    def network(self, coupling: float) -> brainmass.Network:
        n = self.connectome.n_regions
        node = brainmass.WongWangExcInhStep(
            n,
            G=1.0,
            J_i=balanced_inhibition(W_P, coupling * self.weights.sum(1)),
            method="euler",
            clamp=True,  # gating is a share of channels: not below zero, whatever the noise
            noise_e=brainmass.WhiteNoise(n, sigma=np.full(n, SIGMA)),
        )
        return brainmass.Network(node, conn=self.connectome, coupling="additive", coupled_var="S_e", k=coupling)

    def first_run(self) -> brainmass.Result:
        """Two minutes of BOLD. All later runs start where it ends, so that their haemodynamics are settled."""
        result = self.sim.run(200 * TR, monitors=self.monitors, transient=30 * TR, seed=self.seed, progress=True)
        self.settled = result.final
        return result

    def bold(self, n: int, skip: int) -> Any:
        """A function of parameter values and keys: one run for each key, BOLD of shape (runs, n, regions)."""
        run = self.sim.pure(
            (n + skip) * TR,
            monitors=self.monitors,
            transient=skip * TR,
            free=["conn", "w_p", "J_i", "sigma", "coupling.k"],
        )

        def one(values: dict[str, object], key: object) -> Any:
            return run(values, key, self.settled)["bold"]

        return jax.vmap(one, in_axes=(None, 0))

    def connectivity(self, bold: object) -> jax.Array:
        """The mean FC of some runs: the data are a mean of many people too."""
        return jax.vmap(functional_connectivity)(bold).mean(0)

    def score(self, fc: Any) -> jax.Array:
        """Correlation with the empirical FC, upper triangle."""
        return jnp.corrcoef(fc[self.upper], self.target)[0, 1]

    def loss(self, n: int, skip: int, runs: int) -> Any:
        simulate = self.bold(n, skip)

        def loss(brain: Brain, key: Any) -> Any:
            bold = simulate(brain.values(), jax.random.split(jax.random.wrap_key_data(key), runs))
            fc = self.connectivity(bold)
            apart = jnp.mean((fc[self.upper] - self.target) ** 2)
            drift = jnp.mean((bold.mean((0, 1)) / RESTING_BOLD - 1) ** 2)  # regions stay near their working point
            return 1 - self.score(fc) + apart + 0.3 * drift

        return loss


# --- the steps of the job -----------------------------------------------------------------------------------------
def sweep(job: Job, n: int = 170, runs: int = 4) -> np.ndarray:
    """Correlation of simulated with empirical FC for every global coupling, all in one batch."""
    simulate = job.bold(n, 30)

    def score(coupling: Any, keys: object) -> jax.Array:
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


def evaluate(job: Job, brain: Brain, runs: int = 16) -> dict[str, Any]:
    """Five minutes of BOLD in each of some runs, with noise never used before."""
    keys = jax.random.split(jax.random.key(job.seed + 1000), runs)
    bold = job.evaluation(brain.values(), keys)
    fc = job.connectivity(bold)
    single = np.mean([float(job.score(functional_connectivity(run))) for run in bold])
    return {"mean": float(job.score(fc)), "single": float(single), "fc": np.asarray(fc), "bold": np.asarray(bold[0])}


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

    brains = {"one global coupling": Brain(job.weights, coupling)}
    say("fitting excitation, inhibition and noise of each region, by gradient")
    brains["regional parameters"] = Brain(job.weights, coupling)
    losses = {"regional parameters": fit(job, brains["regional parameters"], 14, n=50, skip=14, runs=28).history}
    say("fitting the weights of the connections as well, by gradient")
    brains["connection weights"] = Brain(job.weights, coupling, brains["regional parameters"], edges=True)
    losses["connection weights"] = fit(job, brains["connection weights"], 18, n=46, skip=10, runs=20).history

    say("evaluating with noise that nothing was fitted on")
    found = {name: evaluate(job, brain) for name, brain in brains.items()}
    print("\n         correlation with empirical FC     mean of 16 runs   single run")
    for name, it in found.items():
        print(f"         {name:<33} {it['mean']:>15.2f} {it['single']:>12.2f}")

    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    written = _write(out / "brainmass_demo.npz", job, scores, losses, brains, found)
    picture = _draw(out / "brainmass_demo.png", job, scores, coupling, losses, found)
    print()
    say(f"wrote {written} and {picture}")
    return {"first": first, "scores": scores, "coupling": coupling, "losses": losses, "found": found}


# --- files --------------------------------------------------------------------------------------------------------
def _write(path: Path, job: Job, scores: Array, losses: Numbers, brains: Any, found: Any) -> Path:
    arrays = {"couplings": COUPLINGS, "sweep": scores, "empirical_fc": job.data.fc}
    for name, it in found.items():
        key = name.replace(" ", "_")
        arrays |= {f"{key}/fc": it["fc"], f"{key}/bold": it["bold"], f"{key}/correlation": it["mean"]}
        arrays |= {f"{key}/{k}": np.asarray(v) for k, v in brains[name].values().items()}
    arrays |= {f"{name.replace(' ', '_')}/loss": history for name, history in losses.items()}
    partial = path.with_suffix(".partial.npz")
    np.savez_compressed(partial, **arrays)
    partial.replace(path)
    return path


def _draw(path: Path, job: Job, scores: Array, coupling: float, losses: Numbers, found: Any) -> Path:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(14, 7.6), layout="constrained")
    axes = figure.subplot_mosaic([["data", *found], ["sweep", "loss", "bold", "bold"]])
    matrices = {"data": job.data.fc, **{name: it["fc"] for name, it in found.items()}}
    for name, fc in matrices.items():
        brainmass.viz.plot_functional_connectivity(fc, is_matrix=True, ax=axes[name], colorbar=False)
        axes[name].set_title("empirical" if name == "data" else f"{name}, r = {found[name]['mean']:.2f}", fontsize=10)
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
