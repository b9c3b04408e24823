"""Two states of one brain: the Montbrió-Pazó-Roxin model on a human connectome, and its BOLD.

With J = 15, eta = -5 and Delta = 1 a region can rest at a low or at a high firing rate (Montbrió, Pazó, Roxin
2015: tau r = 0.0811 and 1.0306; the band of eta with two states is -5.7435 < eta < -3.1361). Noise and the network
make regions jump between them, and the jumps show in the BOLD signal.
"""

from pathlib import Path

import brainunit as u
import matplotlib
import numpy as np
from braintools.init import Constant

import brainmass

matplotlib.use("Agg")
import matplotlib.pyplot as plt

N = 100
data = brainmass.datasets.load_dataset("hcp_schaefer100")

# One isolated region, started low and high: it stays where it is.
for start, published in ((0.05, 0.08113), (1.2, 1.03060)):
    node = brainmass.MontbrioPazoRoxinStep(
        1, delta=1 / u.ms, method="heun", init_r=Constant(start * u.kHz), init_v=Constant(0.0 if start > 1 else -2.0)
    )
    end = brainmass.Simulator(node, dt=0.01 * u.ms).run(100 * u.ms, monitors=["r"], sample_every=100 * u.ms)
    rate = float(end["r"][-1, 0].to_decimal(u.kHz))
    print(f"one region started at {start:.2f}/ms rests at tau r = {rate:.5f} (published {published:.5f})")

# The whole brain with noise: stochastic Heun, BOLD every 0.72 s.
node = brainmass.MontbrioPazoRoxinStep(
    N,
    delta=1 / u.ms,
    eta=-4.0,
    method="heun",
    init_r=Constant(0.08 * u.kHz),
    init_v=Constant(-1.9),
    noise_v=brainmass.WhiteNoise(N, sigma=0.65),
)
brain = brainmass.Network(node, conn=data.connectome.normalize("max"), coupling="additive", coupled_var="r", k=0.2)
result = brainmass.Simulator(brain, dt=0.02 * u.ms).run(
    36 * u.second,
    monitors={
        "r": brainmass.Monitor("r", every=36 * u.ms),
        "bold": brainmass.Monitor(brainmass.BOLDSignal(N), every=0.72 * u.second),
    },
    seed=0,
    progress=True,
)
print(result)

rates = np.asarray(result["r"].to_decimal(u.kHz))
high = rates > 0.5
print(f"share of time in the high state: {high.mean():.2f}; jumps up: {int((high[1:] & ~high[:-1]).sum())}")

figure, axes = plt.subplots(1, 3, figsize=(14, 4), layout="constrained")
axes[0].hist(rates.ravel(), bins=80, color="#0072B2")
axes[0].set(xlabel="firing rate (1/ms)", ylabel="samples", yscale="log", title="two states")
picture = axes[1].imshow(rates.T, aspect="auto", extent=(0, 36, N, 0), cmap="viridis")
axes[1].set(xlabel="time (s)", ylabel="region", title="firing rate")
figure.colorbar(picture, ax=axes[1], label="1/ms")
chosen = np.argsort(-np.asarray(result["bold"]).std(0))[:5]
labels = [data.connectome.labels[i] for i in chosen]
seconds = result.times["bold"].to_decimal(u.second) * u.second
brainmass.viz.plot_timeseries(100 * result["bold"][:, chosen], seconds, labels=labels, ax=axes[2])
axes[2].set(ylabel="BOLD signal change (%)", title="the regions that change most")
out = Path(__file__).with_name("02_bistable_mpr.png")
figure.savefig(out, dpi=120)
print(f"wrote {out.name}")
