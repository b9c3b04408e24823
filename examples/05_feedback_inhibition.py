"""Feedback inhibition control: every region of a human brain at 3 Hz, however strong the coupling.

In the reduced Wong-Wang model (Deco et al. 2014, J. Neurosci. 34:7886) stronger long-range excitation drives the hubs
of the connectome, then all regions, to high rates. Local inhibition J_i that is set region by region holds each at the
3.06 Hz of cortex at rest, until the resting state itself loses its stability. The inhibition follows from the
equations; a simulation with noise that it has not seen tells whether it holds.
"""

from pathlib import Path

import brainunit as u
import matplotlib
import numpy as np

import brainmass

matplotlib.use("Agg")
import matplotlib.pyplot as plt

N, TARGET, DT = 100, 3.06 * u.Hz, 2 * u.ms
conn = brainmass.datasets.load_dataset("hcp_schaefer100").connectome.normalize("spectral")
noise = brainmass.WhiteNoise(N, sigma=0.01)
node = brainmass.WongWangExcInhStep(N, J_i=np.ones(N), method="euler", clamp=True, noise_e=noise)
network = brainmass.Network(node, conn=conn, coupling="additive", coupled_var="S_e")
simulator = brainmass.Simulator(network, dt=DT)
rate = brainmass.Monitor(brainmass.Mean(N), source=lambda model: model.node.H_e())


def mean_rates(J):
    """Excitatory rate of each region in Hz, the mean of 8 runs of 20 s."""
    node.J_i = J
    runs = simulator.run(25 * u.second, transient=5 * u.second, monitors={"rate": rate}, batch_size=8, seed=1)
    return np.asarray(runs["rate"]).mean((0, 1))


couplings, free, controlled, inhibition = np.linspace(0, 1.2, 5), [], [], []
for G in couplings:
    node.G = G
    inhibition.append(np.asarray(brainmass.feedback_inhibition(network, TARGET)))
    free.append(mean_rates(np.ones(N)))
    controlled.append(mean_rates(inhibition[-1]))
    print(
        f"G = {G:.1f}: rates {free[-1].min():5.2f} to {free[-1].max():5.2f} Hz without control, "
        f"{controlled[-1].min():.2f} to {controlled[-1].max():.2f} Hz with it"
    )

# Near the end of the stable range noise makes regions leave the fixed point; runs with noise refine the inhibition.
inhibition[-1] = np.asarray(brainmass.feedback_inhibition(network, TARGET, duration=50 * u.second, dt=DT))
refined = mean_rates(inhibition[-1])
print(f"G = {couplings[-1]:.1f}: {refined.min():.2f} to {refined.max():.2f} Hz with control refined under noise")

figure, axes = plt.subplots(1, 3, figsize=(14, 4), layout="constrained", width_ratios=[1, 1, 1])
for axis, rates, title in (axes[0], free, "J = 1"), (axes[1], controlled, "feedback inhibition control"):
    axis.plot(couplings, rates, color="#0072B2", lw=0.6, alpha=0.5)
    axis.axhline(3.06, color="#D55E00", lw=1.5, label="target, 3.06 Hz")
    axis.set(xlabel="global coupling G", ylabel="mean excitatory rate (Hz)", yscale="log", title=title)
    axis.set(ylim=(1.5, 80), yticks=[2, 5, 10, 20, 50], yticklabels=[2, 5, 10, 20, 50])
    axis.minorticks_off()
axes[1].plot(np.full(N, couplings[-1]), refined, ".", color="#009E73", ms=4, label="refined under noise")
axes[1].legend(fontsize=8, loc="upper left")
strength = np.asarray(conn.weights).sum(1)
for i in range(len(couplings)):
    axes[2].plot(
        strength, inhibition[i], ".", color=plt.get_cmap("viridis")(i / len(couplings)), label=f"G = {couplings[i]:.1f}"
    )
axes[2].set(xlabel="strength of the region's connections", ylabel="inhibition J (nA)", title="what it takes")
axes[2].legend(fontsize=8)
out = Path(__file__).with_name("05_feedback_inhibition.png")
figure.savefig(out, dpi=120)
print(f"wrote {out.name}")
