"""The benchmark problems: MPR networks with dense random weights, 84 regions with noise, 84 or 400 with delays."""

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


LONGEST = 250


def delay_steps(n, seed=1):
    """Delays of the connections, 1 to 250 steps."""
    return np.random.default_rng(seed).integers(1, LONGEST + 1, size=(n, n))
