"""vbi 0.4.4, in its own environment: its simulators with its features, and its flow without torch.

Cases: `oscillator`, `wilson_cowan`, `wong_wang` and `montbrio` learn from what the worker of brainmass simulated,
by the settings of vbi's notebooks; `simulate_...` are n simulations in a process for each core, as there.
"""

import contextlib
import multiprocessing
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from protocol import serve
from shrinkage import measured

# flows, hidden units, iterations and learning rate of each notebook
SETTINGS = {
    "oscillator": (8, 128, 500, 5e-4),
    "wilson_cowan": (4, 64, 500, 2e-4),
    "wong_wang": (4, 64, 500, 2e-4),
    "montbrio": (4, 64, 1000, 2e-4),
}
SPECTRUM = {"fs": 1e4, "method": "welch", "nperseg": 1024, "average": True}
DYNAMICS = {"k": None, "win_len": 30, "TR": 0.3}
BOLD = dict(t_cut=60_000.0, sigma=0.05, ext_current=0.05, RECORD_S=False, tr=300.0)


def features(recording, domain, names, fs, parameters=None):
    import vbi

    chosen = vbi.get_features_by_given_names(vbi.get_features_by_domain(domain), names)
    if parameters:
        chosen = vbi.update_cfg(chosen, names[0], parameters=parameters)
    return vbi.extract_features([recording.T], fs, chosen, n_workers=1, verbose=False).values[0]


def oscillator(theta):
    from vbi.models.numba.damp_oscillator import DO

    run = dict(dt=0.01, t_start=0, method="rk4", t_end=100.0, t_cut=20, output=tempfile.gettempdir())
    found = DO(run | {"initial_state": [0.5, 1.0]}).run({"a": theta, "b": 1 - theta})["x"]
    return features(found, "statistical", ["calc_std", "calc_mean"], 1e5)


def wilson_cowan(theta):
    from vbi.models.numba.wilson_cowan import WC_sde

    run = dict(dt=0.1, t_end=2000.0, t_cut=101.0, noise_amp=0.001, P=1.22, RECORD_EI="EI", decimate=1, seed=2)
    found = WC_sde(run | {"weights": weights()}).run({"g_e": theta})["E"]
    return features(found, "spectral", ["spectrum_stats"], 10.0, SPECTRUM)


def wong_wang(theta):
    from vbi.models.numba.ww import WW_sde

    run = BOLD | dict(weights=weights(), dt=2.5, t_end=300_000.0, G_inh=0.0, seed=42)
    return features(WW_sde(run).run({"G_exc": 2.5 * theta})["bold_d"], "connectivity", ["fcd_stat"], 1 / 0.3, DYNAMICS)


def montbrio(theta):
    from vbi.models.numba.mpr import MPR_sde

    run = dict(weights=weights(), dt=0.01, t_cut=20_000, t_end=100_000, tr=300.0, rv_decimate=10, seed=42)
    found = MPR_sde(run | {"RECORD_RV": False, "RECORD_BOLD": True}).run({"G": theta})["bold_d"]
    return features(found, "connectivity", ["fcd_stat"], 1 / 0.3)


def weights():
    import vbi

    return vbi.LoadSample(nn=84).get_weights()


def learn(case):
    from autograd.numpy.random import RandomState
    from vbi.cde import MAFEstimator

    n_flows, hidden_units, n_iter, rate = SETTINGS[case]
    parts = dict(np.load(Path(tempfile.gettempdir()) / f"brainmass_npe_{case}.npz"))
    good = np.isfinite(parts["x"]).all(1)
    begun = time.perf_counter()
    flow = MAFEstimator(n_flows=n_flows, hidden_units=hidden_units)
    with contextlib.redirect_stdout(sys.stderr):
        flow.train(parts["theta"][good], parts["x"][good], n_iter=n_iter, learning_rate=rate, use_tqdm=False)
    training = time.perf_counter() - begun
    return {"training": training} | measured(
        lambda rows, seed: flow.sample(rows, n_samples=1000, rng=RandomState(seed)), parts
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    case, n = sys.argv[1], int(sys.argv[2])
    if case.startswith("simulate_"):
        pool, one = multiprocessing.Pool(), globals()[case.removeprefix("simulate_")]
        pool.map(one, [0.5] * os.cpu_count(), chunksize=1)
        serve(lambda: pool.map(one, np.random.default_rng(0).random(n)) and None)
    else:
        serve(lambda: learn(case))
