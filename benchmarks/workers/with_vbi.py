"""vbi 0.4.4, in its own environment: its numba forms, float64.

Cases: `mpr`, `mpr_bold`, `wong_wang`, with BOLD, and `sets_8` or the like, of `mpr`. Its MPR model divides `t_end` by
ten, and so makes `t_end / (10 dt)` steps. The noise of its two states is fixed in ratio and depends on one amplitude;
the cost is that of any.
"""

import multiprocessing
import sys
import time

import numpy as np
from problem import (
    COUPLING,
    DELTA,
    DT,
    ETA,
    NOISE_R,
    REGIONS,
    SAMPLE_EVERY,
    TAU,
    WONG_WANG_DT,
    WONG_WANG_G,
    WONG_WANG_NOISE,
    WONG_WANG_TR,
    J,
    couplings,
    weights,
)
from protocol import serve


def mpr(n, bold=False, coupling=COUPLING):
    from vbi.models.numba.mpr import MPR_sde

    settings = {
        "G": coupling,
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
    return lambda: MPR_sde(settings).run()["bold_d" if bold else "rv_d"]


def wong_wang(n):
    from vbi.models.numba.ww import WW_sde

    settings = {
        "G_exc": WONG_WANG_G,
        "dt": WONG_WANG_DT,
        "noise_amp": WONG_WANG_NOISE,
        "weights": weights().astype(np.float64),
        "t_end": n * WONG_WANG_DT,
        "t_cut": 0.0,
        "tr": WONG_WANG_TR,
        "RECORD_S": False,
        "RECORD_BOLD": True,
    }
    return lambda: WW_sde(settings).run()["bold_d"]


def one_set(job):
    coupling, n = job
    return mpr(n, coupling=coupling)()


def sets(n, size):
    """As many couplings, one after the other in a process for each core."""
    pool = multiprocessing.Pool()
    return lambda: np.stack(pool.map(one_set, [(float(c), n) for c in couplings(size)], chunksize=1))


if __name__ == "__main__":
    case, n = sys.argv[1], int(sys.argv[2])
    if case.startswith("sets"):
        f = sets(n, int(case.removeprefix("sets_")))
    else:
        f = wong_wang(n) if case == "wong_wang" else mpr(n, case == "mpr_bold")

    def run():
        kept = f()
        assert np.isfinite(kept).all() and kept.size

    start = time.perf_counter()
    run()
    serve(run, first=time.perf_counter() - start)
