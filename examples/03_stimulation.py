"""A pulse train into one region of a human connectome, and where it goes.

The regions are damped oscillators of 10 Hz near their Hopf bifurcation, coupled through the connectome with conduction
delays. The first region of the left hemisphere gets ten pulses; what a region does beyond what it does without them,
under the very same noise, is its response.
"""

from pathlib import Path

import brainunit as u
import matplotlib
import numpy as np

import brainmass

matplotlib.use("Agg")
import matplotlib.pyplot as plt

N, DT = 100, 0.5 * u.ms
conn = brainmass.datasets.load_dataset("hcp_schaefer100").connectome
site = 0

node = brainmass.HopfStep(N, a=-0.01, w=2 * np.pi * 0.010, method="heun", noise_x=brainmass.WhiteNoise(N, sigma=0.002))
brain = brainmass.Network(
    node, conn=conn.normalize("row"), speed=6 * u.mm / u.ms, coupling="additive", coupled_var="x", k=0.0095
)
pulses = brainmass.PulseTrain(
    N, amplitude=0.2, width=5 * u.ms, period=100 * u.ms, count=10, onset=500 * u.ms, regions=[site]
)

simulator = brainmass.Simulator(brain, dt=DT)
runs = [
    simulator.run(2500 * u.ms, inputs=inputs, monitors=["x"], sample_every=2 * u.ms, seed=0)
    for inputs in (None, {"x_inp": pulses})
]
response = np.asarray(runs[1]["x"]) - np.asarray(runs[0]["x"])
time = np.asarray(runs[0].time.to_decimal(u.ms))

strength = np.abs(response).max(axis=0)
arrival = time[(np.abs(response) > 0.05 * strength).argmax(axis=0)] - 500
hears = conn.weights[:, site] > 0
others = np.arange(N) != site
print(f"stimulated: {conn.labels[site]}; it reaches {hears.sum()} regions directly")
print(f"peak response there {strength[site]:.3f}, elsewhere {strength[others].mean():.4f} on average")
rank = np.corrcoef(*(np.argsort(np.argsort(v[others & hears])) for v in (conn.weights[:, site], strength)))[0, 1]
print(f"rank correlation of the response with the connection from the site: {rank:.2f}")

figure, axes = plt.subplots(1, 3, figsize=(15, 4.2), layout="constrained")
order = np.argsort(-strength)
scale = np.percentile(np.abs(response[:, others]), 99.5)
picture = axes[0].imshow(
    response[:, order].T, aspect="auto", extent=(time[0], time[-1], N, 0), cmap="RdBu_r", vmin=-scale, vmax=scale
)
axes[0].set(xlabel="time (ms)", ylabel="region, the strongest response first", title="response to the pulses")
figure.colorbar(picture, ax=axes[0], label="x with pulses less x without")
for i in order[1:5]:
    axes[1].plot(time, response[:, i], lw=1, label=conn.labels[i])
axes[1].axvspan(500, 1500, color="0.9", zorder=0, label="pulses")
axes[1].set(xlabel="time (ms)", ylabel="response", title="the four other regions that respond most")
axes[1].legend(fontsize=7, loc="upper right")
shown = others & hears
points = axes[2].scatter(conn.weights[shown, site], strength[shown], c=arrival[shown], cmap="viridis", s=18)
axes[2].set(xscale="log", yscale="log", xlabel="connection from the site (streamlines)", ylabel="peak response")
axes[2].set_title("strong connections carry it")
figure.colorbar(points, ax=axes[2], label="arrival after the first pulse (ms)")
out = Path(__file__).with_name("03_stimulation.png")
figure.savefig(out, dpi=120)
print(f"wrote {out.name}")
