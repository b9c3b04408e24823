"""The alpha rhythm in the EEG: Jansen-Rit columns on a human connectome, seen by electrodes through a lead field.

The bundled connectome has no positions, so the head is a sketch: each region is a dipole on a sphere that points
outwards, and an electrode sees its potential in a homogeneous conductor, p cos(angle) / (4 pi sigma d^2). With a lead
field of your own (from MNE, Brainstorm, FieldTrip) put its matrix in the place of `gain`.
"""

from pathlib import Path

import brainunit as u
import matplotlib
import numpy as np
import scipy.signal

import brainmass

matplotlib.use("Agg")
import matplotlib.pyplot as plt

conn = brainmass.datasets.load_dataset("hcp_schaefer100").connectome
N, M, DT = conn.n_regions, 16, 0.5 * u.ms


def on_a_sphere(n, radius, lowest):
    """Points evenly spread over the part of a sphere above a height, as a spiral."""
    z = np.linspace(radius * 0.98, lowest, n)
    angle = np.pi * (1 + 5**0.5) * np.arange(n)
    return np.stack([np.sqrt(radius**2 - z**2) * np.cos(angle), np.sqrt(radius**2 - z**2) * np.sin(angle), z], axis=1)


sources, electrodes = on_a_sphere(N, 70.0, -20.0), on_a_sphere(M, 90.0, 0.0)  # mm
sources = sources[np.argsort(sources[:, 0], kind="stable")]  # the first half of the regions is the left hemisphere
way = electrodes[None] - sources[:, None]
distance = np.linalg.norm(way, axis=-1)
outwards = sources / np.linalg.norm(sources, axis=1, keepdims=True)
cosine = np.einsum("nk,nmk->nm", outwards, way) / distance
conductivity = 0.3  # S/m
gain = cosine / (4 * np.pi * conductivity * (distance * 1e-3) ** 2) * u.volt / (u.amp * u.meter)

node = brainmass.JansenRitStep(N, method="heun", noise_E=brainmass.WhiteNoise(N, sigma=100 * u.Hz))
brain = brainmass.Network(
    node,
    conn=conn.normalize("row"),
    speed=8 * u.mm / u.ms,
    coupling="sigmoidal_jansen_rit",
    coupled_var="eeg",
    port="E_inp",
    k=1000.0,
)
# A column's potential of 1 mV stands for a dipole moment of 1 nA m here.
eeg = brainmass.EEGLeadFieldModel(N, M, gain, noise_cov=(0.05 * u.uvolt) ** 2 * np.eye(M), sensor_unit=u.uvolt)
result = brainmass.Simulator(brain, dt=DT).run(
    12 * u.second,
    inputs={"E_inp": 220 * u.Hz},
    transient=2 * u.second,
    monitors={"eeg": brainmass.Monitor(eeg, source=lambda model: model.node.eeg(), every=4 * u.ms)},
    seed=0,
)
print(result)

signal = np.asarray(result["eeg"].to_decimal(u.uvolt))
frequencies, power = scipy.signal.welch(signal - signal.mean(0), fs=250, nperseg=500, axis=0)
peaks = frequencies[1:][power[1:].argmax(axis=0)]
alpha = (frequencies >= 8) & (frequencies <= 13)
share = power[alpha].sum() / power[1:].sum()
print(f"peak of the spectrum: {np.median(peaks):.1f} Hz (electrodes from {peaks.min():.1f} to {peaks.max():.1f} Hz)")
print(f"share of the power between 8 and 13 Hz: {share:.2f}")

figure, axes = plt.subplots(1, 3, figsize=(15, 4.2), layout="constrained")
shown, seconds = signal[-500:], np.arange(500) / 250
gap = 5 * shown.std()
for m in range(M):
    axes[0].plot(seconds, shown[:, m] - shown[:, m].mean() - m * gap, lw=0.8, color="#0072B2")
axes[0].set(xlabel="time (s)", yticks=[-m * gap for m in range(M)], yticklabels=range(1, M + 1), ylabel="electrode")
axes[0].set_title(f"EEG, 2 s; lines are {gap:.2g} µV apart")
axes[1].semilogy(frequencies[1:], power[1:], lw=0.6, color="0.7")
axes[1].semilogy(frequencies[1:], power[1:].mean(axis=1), lw=2, color="#0072B2", label="mean of the electrodes")
axes[1].axvspan(8, 13, color="#E69F00", alpha=0.25, label="alpha, 8 to 13 Hz")
axes[1].set(xlim=(1, 50), xlabel="frequency (Hz)", ylabel="power (µV²/Hz)", title="spectrum")
axes[1].legend(fontsize=8)
points = axes[2].scatter(*electrodes[:, :2].T, c=power[alpha].mean(axis=0), s=220, cmap="viridis", edgecolor="k")
axes[2].set(aspect="equal", xlabel="left to right (mm)", ylabel="back to front (mm)", title="alpha power, from above")
figure.colorbar(points, ax=axes[2], label="µV²/Hz")
out = Path(__file__).with_name("04_eeg.png")
figure.savefig(out, dpi=120)
print(f"wrote {out.name}")
