"""vbi 0.4.4, in its own environment: its numba form of the MPR model, float64.

It divides `t_end` by ten, and so makes `t_end / (10 dt)` steps. The noise of its two states is fixed in ratio and
depends on one amplitude; the cost is that of any.
"""

import sys
import time

import numpy as np
from problem import COUPLING, DELTA, DT, ETA, NOISE_R, REGIONS, SAMPLE_EVERY, TAU, J, weights
from protocol import serve
from vbi.models.numba.mpr import MPR_sde

if __name__ == "__main__":
    case, n = sys.argv[1], int(sys.argv[2])
    bold = case.endswith("bold")
    settings = {
        "G": COUPLING,
        "dt": DT,
        "J": J,
        "eta": np.full(REGIONS, ETA),
        "tau": TAU,
        "delta": DELTA,
        "rv_decimate": SAMPLE_EVERY,
        "noise_amp": NOISE_R**2 / 2,
        "weights": weights().astype(np.float64),
        "t_end": 10 * n * DT,
        "t_cut": 0.0,
        "tr": n * DT,  # ten samples, as its time goes
        "RECORD_RV": not bold,
        "RECORD_BOLD": bold,
    }

    def run():
        out = MPR_sde(settings).run()
        kept = out["bold_d"] if bold else out["rv_d"]
        assert np.isfinite(kept).all() and kept.size

    start = time.perf_counter()
    run()
    serve(run, first=time.perf_counter() - start)
