"""neurolib 0.6.2 (numba), in its own environment: its reduced Wong-Wang model, Euler scheme, with BOLD.

Its noise is an Ornstein-Uhlenbeck process in each population.
"""

import sys
import time

import numpy as np
from neurolib.models.ww import WWModel
from problem import REGIONS, WONG_WANG_DT, WONG_WANG_G, WONG_WANG_NOISE, weights
from protocol import serve

if __name__ == "__main__":
    n = int(sys.argv[2])
    model = WWModel(Cmat=weights().astype(float), Dmat=np.zeros((REGIONS, REGIONS)), seed=0)
    model.params |= {
        "duration": n * WONG_WANG_DT,
        "dt": WONG_WANG_DT,
        "K_gl": WONG_WANG_G,
        "sigma_ou": WONG_WANG_NOISE,
        "sampling_dt": 1000.0,
    }

    def run():
        model.run(bold=True, chunkwise=True, chunksize=100_000)
        assert np.isfinite(model.BOLD.BOLD).all() and model.BOLD.BOLD.size

    start = time.perf_counter()
    run()
    serve(run, first=time.perf_counter() - start)
