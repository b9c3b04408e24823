"""The benchmark problem: a stochastic MPR network on 84 regions with dense random weights. Plain numpy."""

import numpy as np

REGIONS = 84
DT = 0.01  # ms
TAU, ETA, DELTA, J, COUPLING = 1.0, -4.6, 0.7, 14.5, 0.5
NOISE_R = NOISE_V = 0.03  # per sqrt(ms)
SAMPLE_EVERY = 10


def weights(n=REGIONS, seed=0):
    rng = np.random.default_rng(seed)
    w = rng.lognormal(size=(n, n)).astype(np.float32)
    np.fill_diagonal(w, 0)
    return w / w.sum(1).max()
