"""Simulation-based calibration of three models by three engines: `calibrate`, one call each.

Cases: `montbrio_laplace`, a ringing population; `hopf_nuts`, a damped oscillation with unknown errors;
`wong_wang_npe`, a region that fluctuates, of which no likelihood can be written down. n are the studies.
"""

import sys
import warnings

import brainunit as u
from braintools.init import Constant

import brainmass as bm
from brainmass import inference


def montbrio_laplace():
    starts = {"init_r": Constant(1.5 * u.kHz), "init_v": Constant(0.0)}
    node = bm.MontbrioPazoRoxinStep(1, J=15.0, delta=1 / u.ms, **starts)
    space = {"eta": bm.Normal(-4.4, 0.2), "tau": bm.LogNormal(1.1 * u.ms, 0.1)}
    run = dict(duration=12 * u.ms, monitors=["r"], sample_every=0.2 * u.ms)
    problem = inference.Problem(bm.Simulator(node, dt=0.1 * u.ms), space, inference.Gaussian(0.05 * u.kHz), **run)
    return problem, dict(method="laplace", n_draws=250, n_starts=2)


def hopf_nuts():
    node = bm.HopfStep(1, init_x=Constant(0.6), init_y=Constant(0.0))
    space = {"a": bm.Normal(-0.05, 0.05), "w": (0.1, 0.4), "likelihood.sigma": bm.LogNormal(0.1, 0.3)}
    run = dict(duration=30 * u.ms, monitors=["x"], sample_every=1 * u.ms)
    problem = inference.Problem(bm.Simulator(node, dt=0.5 * u.ms), space, inference.Gaussian(0.1), **run)
    return problem, dict(method="nuts", n_draws=200, n_chains=2, n_warmup=200)


def wong_wang_npe():
    node = bm.ReducedWongWangStep(1, noise_S=bm.WhiteNoise(1, sigma=0.01))
    run = dict(duration=2 * u.second, transient=0.5 * u.second, monitors=["S"], sample_every=5 * u.ms)
    space = {"w": (0.2, 0.8), "I_0": (0.30 * u.nA, 0.34 * u.nA)}
    problem = inference.Problem(bm.Simulator(node, dt=1 * u.ms), space, **run)
    features = ["mean", "std", "skewness", "autocorrelation"]
    return inference.npe(problem, 4000, features=features, n_layers=3, seed=1), {}


def calibrated(case, n=100, seed=0):
    asked, options = globals()[case]()
    return inference.calibrate(asked, n, seed=seed, **options)


if __name__ == "__main__":
    from protocol import serve

    warnings.simplefilter("ignore")

    def run():
        found = calibrated(sys.argv[1], int(sys.argv[2]))
        return {
            "p": list(found.p_values.values()), "covered": list(found.coverage(0.8).values()),
            "shrinkage": found.shrinkage.mean(0).tolist(), "z": found.z_scores.std(0).tolist(),
            "names": found.names,
        }  # fmt: skip

    serve(run)
