"""Amortised posteriors of the problems of vbi's notebooks (0.4.4), by brainmass: simulations, training, 100 truths.

Cases are `oscillator`, `wilson_cowan`, `wong_wang` and `montbrio`; each run of `simulate_...` is n simulations with
their features. The networks have vbi's 84 regions. A case leaves what it simulated in a temporary file, for vbi to
learn from, too. In every simulation noise is another; in the notebooks it is that of the observation.
"""

import contextlib
import sys
import tempfile
import time
import warnings
from pathlib import Path

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from brainstate import HiddenState
from braintools.init import Constant
from protocol import serve
from shrinkage import measured

import brainmass as bm
from brainmass import inference
from brainmass.declare import Initializer, Par, param, state
from brainmass.inference.simulated import Simulated

HERE = Path(__file__).parent
N = 84
TRUTHS, THERE = 100, 20  # of the prior, and observations at the truth of the notebook
# what is estimated, between which ends, and the truth of the notebook
PRIORS = {
    "oscillator": ({"a": (0.0, 1.0), "b": (0.0, 1.0)}, [0.1, 0.1]),
    "wilson_cowan": ({"coupling.k": (0.0, 1.0)}, [0.27]),
    "wong_wang": ({"G": (0.0, 2.5)}, [1.9]),
    "montbrio": ({"coupling.k": (0.0, 1.0)}, [0.7]),
}


def weights():
    (file,) = HERE.parent.glob(".venv-vbi/lib/*/site-packages/vbi/dataset/connectivity_84/weights.txt")
    w = np.loadtxt(file, dtype=np.float32)
    np.fill_diagonal(w, 0)
    return np.maximum(w / w.max(), 0)


class DampedOscillator(bm.NeuralMassDynamics):
    """Predator and prey, as in vbi."""

    a: Par = param(default=0.1, doc="damping of x")
    b: Par = param(default=0.05, doc="damping of y")
    init_x: Initializer = Constant(0.5)
    init_y: Initializer = Constant(1.0)

    x: HiddenState = state("prey", port="x_inp")
    y: HiddenState = state("predator")

    def dx(self, x, y, x_inp):
        return (x - x * y - self.p.a * x * x) / u.ms + x_inp

    def dy(self, y, x):
        return (x * y - y - self.p.b * y * y) / u.ms


def oscillator():
    simulator = bm.Simulator(DampedOscillator(1, method="rk4"), dt=0.01 * u.ms)
    monitors = {"xy": lambda node: jnp.concatenate([node.x.value, node.y.value])}
    return simulator, dict(duration=100 * u.ms, transient=20 * u.ms, monitors=monitors), ["mean", "std"]


def wilson_cowan():
    """Noise enters with the input, not into the rates."""
    noise = {name: bm.WhiteNoise(N, sigma=0.04) for name in ("noise_E", "noise_I")}
    own = dict(a_E=1.3, a_I=2.0, theta_E=4.0, theta_I=3.7, wEE=16.0, wIE=12.0, wEI=15.0, wII=3.0)
    node = bm.WilsonCowanStep(N, tau_E=8 * u.ms, tau_I=8 * u.ms, **own, **noise)
    network = bm.Network(node, conn=weights(), coupling="additive", coupled_var="rE", k=0.5)
    run = dict(duration=2 * u.second, transient=100 * u.ms, monitors=["rE"], sample_every=1 * u.ms)
    return bm.Simulator(network, dt=0.1 * u.ms), run | {"inputs": {"rE_inp": 1.22}}, [level, spread, rhythm]


def wong_wang():
    noise = {name: bm.WhiteNoise(N, sigma=0.05) for name in ("noise_e", "noise_i")}
    node = bm.WongWangExcInhStep(N, a_i=0.615, I_o=0.05, G=1.0, **noise)
    network = bm.Network(node, conn=weights(), coupling="additive", coupled_var="S_e")
    bold = {"bold": bm.Monitor(bm.BOLDSignal(N), every=300 * u.ms)}
    run = dict(duration=300 * u.second, transient=60 * u.second, monitors=bold)
    return bm.Simulator(network, dt=2.5 * u.ms), run, BOLD


def montbrio():
    """A time constant of 10 ms, as vbi's haemodynamics count time."""
    noise = {"noise_r": bm.WhiteNoise(N, sigma=(0.2 * 0.037) ** 0.5 / u.ms)}
    noise["noise_v"] = bm.WhiteNoise(N, sigma=(40 * 0.037) ** 0.5)
    node = bm.MontbrioPazoRoxinStep(N, tau=10 * u.ms, delta=0.7, eta=-4.6, J=14.5, clamp=True, **noise)
    network = bm.Network(node, conn=weights(), coupling="additive", coupled_var="r", k=0.5)
    drive = lambda model: 10 * u.get_mantissa(model.node.r.value.in_unit(u.kHz))  # noqa: E731
    bold = {"bold": bm.Monitor(bm.BOLDSignal(N), source=drive, every=300 * u.ms)}
    run = dict(duration=100 * u.second, transient=20 * u.second, monitors=bold)
    return bm.Simulator(network, dt=0.1 * u.ms), run, BOLD


def level(x):
    return jnp.mean(u.get_mantissa(x))


def spread(x):
    return jnp.mean(jnp.std(u.get_mantissa(x), axis=0))


RHYTHM = inference.Features(["peak_frequency", "peak_power", "spectral_entropy"], sampling_period=1 * u.ms)


def rhythm(x):
    return jnp.mean(RHYTHM(x).reshape(3, -1), axis=1)


BOLD = inference.Features([spread, "fc_mean", "fc_std", "fcd_mean", "fcd_std"], window_size=100)


def key(seed):
    return np.asarray(jax.random.key_data(jax.random.key(seed)))


def simulate(simulated, n, seed):
    values, _ = simulated.draws(key(seed), n)
    return values, simulated.run(values, key(seed + 1000))


def learn(case, simulated, features, n):
    """Posteriors of 100 truths of the prior, and of the notebook's, in one batch each; and a file for vbi."""
    warnings.simplefilter("ignore")
    truths, of_truths = simulate(simulated, TRUTHS, 1)
    there = {name: jnp.full(THERE, t) for name, t in zip(truths, PRIORS[case][1], strict=True)}
    parts = {"truths": table(truths), "of_truths": of_truths, "there": table(there)}
    parts["of_there"] = simulated.run(there, key(2))
    begun = time.perf_counter()
    with simulations() as kept:
        estimator = inference.npe(simulated.problem, n, features=features, n_layers=3)
    facts = {"training": time.perf_counter() - begun - kept["seconds"]}
    parts |= {"theta": kept["theta"], "x": kept["x"]}
    np.savez(Path(tempfile.gettempdir()) / f"brainmass_npe_{case}.npz", **parts)
    return facts | measured(lambda rows, seed: natural(estimator, rows, seed), parts)


@contextlib.contextmanager
def simulations():
    """What `npe` simulates, and how long that takes."""
    run, kept = Simulated.run, {}

    def timed(self, values, *others):
        begun = time.perf_counter()
        x = run(self, values, *others)
        kept.update(theta=table(values), x=x, seconds=time.perf_counter() - begun)
        return x

    Simulated.run = timed
    try:
        yield kept
    finally:
        Simulated.run = run


def natural(estimator, rows, seed):
    """Draws (row, draw, parameter), as the equations see them, in one batch."""
    z = jnp.asarray(estimator.draws(rows, 1000, key(seed)))
    values = jax.vmap(jax.vmap(estimator._simulated.reals.values))(z)
    return np.stack([np.asarray(v) for v in values.values()], axis=-1)


def table(values):
    return np.stack([np.asarray(v) for v in values.values()], axis=-1)


if __name__ == "__main__":
    case, n = sys.argv[1], int(sys.argv[2])
    name = case.removeprefix("simulate_")
    simulator, run, features = globals()[name]()
    simulated = Simulated(inference.Problem(simulator, PRIORS[name][0], **run), features)
    if name == case:
        serve(lambda: learn(case, simulated, features, n))
    else:
        simulate(simulated, n, 9)
        serve(lambda: simulate(simulated, n, 0) and None)
