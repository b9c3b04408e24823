"""Functional connectivity at rest over global coupling: where the brain works, between too weak and too strong.

The dynamic mean field (Deco et al. 2013, J. Neurosci. 33:11239) on a human connectome. A region alone has one state of
low activity, S = 0.0344. From some global coupling G on, the brain has a second one, in which hubs fire fast; beyond a
larger G the low state is gone. Noise around the low state gives BOLD, its correlations between regions functional
connectivity (FC). The fluctuations that regions share grow towards the loss of the low state, and with them the
correlation with the FC of people: in six minutes weak coupling leaves no trace. It stays below what the weights alone
explain (0.26); more comes with parameters that differ between regions, as in the first example.
"""

from pathlib import Path

import brainunit as u
import jax.numpy as jnp
import matplotlib
import numpy as np

import brainmass

matplotlib.use("Agg")
import matplotlib.pyplot as plt

N, TR = 100, 0.72 * u.second
data = brainmass.datasets.load_dataset("hcp_schaefer100")
conn = data.connectome.normalize("spectral")


def brain(start=0.03, **noise):
    node = brainmass.ReducedWongWangStep(N, init_S=lambda shape: jnp.full(shape, start), clamp=True, **noise)
    return brainmass.Simulator(brainmass.Network(node, conn=conn, coupling="additive", coupled_var="S"), dt=8 * u.ms)


# Without noise: the states, from a low and a high start.
states = np.linspace(0, 1, 41)
settle = dict(monitors=["S"], sample_every=30 * u.second)
low, high = (
    brainmass.sweep(brain(start), 30 * u.second, {"G": states}, **settle)["S"].isel(seed=0, time=-1).values
    for start in (0.0, 1.0)
)
apart = np.abs(high - low).max(1) > 0.1
two, lost = states[apart][0], states[apart][-1]
print(f"alone: S = {low[0].mean():.4f} (published 0.0344); two states for G from {two:.3f} to {lost:.3f}")

# With noise: six runs of six minutes of BOLD at each G, and the correlation of their FC with that of people.
couplings = np.array([0.0, 0.2, 0.4, 0.6, 0.7, 0.75, 0.85])
noisy = brain(noise_S=brainmass.WhiteNoise(N, sigma=0.001))
bold = {"bold": brainmass.Monitor(brainmass.BOLDSignal(N), every=TR)}
upper = np.triu_indices(N, 1)


def measure(result):
    fc = brainmass.objectives.functional_connectivity(result["bold"])
    return {"fc": fc, "fit": jnp.corrcoef(fc[upper], data.fc[upper])[0, 1]}


runs = brainmass.sweep(
    noisy, 600 * TR, {"G": couplings}, seeds=6, monitors=bold, transient=100 * TR, measure=measure, progress=True
)
fc, fit = np.asarray(runs["fc"]).mean(1), np.asarray(runs["fit"])
pooled = np.array([np.corrcoef(matrix[upper], data.fc[upper])[0, 1] for matrix in fc])
best = int(pooled.argmax())
by_weights = np.corrcoef(np.asarray(conn.weights)[upper], data.fc[upper])[0, 1]
for G, one, mean in zip(couplings, fit.mean(1), pooled, strict=True):
    print(f"G = {G:.2f}: correlation with empirical FC {one:.2f} in a single run, {mean:.2f} of the mean FC")
print(
    f"best at G = {couplings[best]:.2f}, where {'two states exist' if two <= couplings[best] <= lost else 'one exists'}"
)
print(f"the weights of the connections alone: {by_weights:.2f}")

figure, axes = plt.subplots(1, 4, figsize=(17, 4), layout="constrained", width_ratios=[1.2, 1.2, 1, 1])
axes[0].plot(states, low, color="#0072B2", lw=0.5, alpha=0.5)
axes[0].plot(states, high, color="#D55E00", lw=0.5, alpha=0.5)
axes[0].plot([], [], color="#0072B2", label="from a low start")
axes[0].plot([], [], color="#D55E00", label="from a high start")
axes[0].set(xlabel="global coupling G", ylabel="gating S of each region", title="states without noise")
axes[0].legend(fontsize=8, loc="center left")
axes[1].plot(couplings, fit, ".", color="#0072B2", alpha=0.5)
axes[1].plot(couplings, pooled, "o-", color="black", label="mean FC of six runs")
axes[1].axhline(by_weights, color="black", ls=":", label="the weights alone")
axes[1].axvspan(two, lost, color="#009E73", alpha=0.15, label="two states")
axes[1].set(xlabel="global coupling G", ylabel="correlation with empirical FC", title="fit")
axes[1].legend(fontsize=8)
for axis, matrix, title in (axes[2], data.fc, "empirical FC"), (axes[3], fc[best], f"G = {couplings[best]:.2f}"):
    brainmass.viz.plot_functional_connectivity(matrix, is_matrix=True, ax=axis, colorbar=False)
    axis.set_title(title)
out = Path(__file__).with_name("08_resting_fc.png")
figure.savefig(out, dpi=120)
print(f"wrote {out.name}")
