"""The benchmark problems: MPR networks with random weights, dense or sparse, with noise or delays."""

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


def couplings(n):
    """The values of a sweep of the global coupling."""
    return np.linspace(0.1, 1.0, n, dtype=np.float32)


LONGEST = 250


def delay_steps(n, seed=1):
    """Delays of the connections, 1 to 250 steps."""
    return np.random.default_rng(seed).integers(1, LONGEST + 1, size=(n, n))


LARGE, INPUTS = 10_000, 500


def large_connectome(seed=2):
    """Source, target, weight and delay in steps of 5 % of all connections: 500 inputs for each of 10,000 regions."""
    rng = np.random.default_rng(seed)
    source = np.concatenate([rng.choice(LARGE, INPUTS, replace=False) for _ in range(LARGE)])
    target = np.repeat(np.arange(LARGE), INPUTS)
    weight = rng.random(source.size, np.float32) / INPUTS
    return source, target, weight, rng.integers(1, LONGEST + 1, source.size)


# Reduced Wong-Wang, excitatory and inhibitory: time step and period of BOLD in ms, global coupling, noise per sqrt(ms).
WONG_WANG_DT, WONG_WANG_TR, WONG_WANG_G, WONG_WANG_NOISE = 0.1, 1000.0, 0.5, 0.003

NODE_DT = 0.1  # ms, of single node models and their networks
