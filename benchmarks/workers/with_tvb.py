"""The Virtual Brain 2.10, in its own environment: its Heun scheme with additive noise.

Cases: `forward`, MPR; `forward_numba`; `sets_4` or the like, this for many couplings, in a process for each core;
`wong_wang`, the reduced Wong-Wang model with BOLD.
"""

import logging
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
from tvb.datatypes.connectivity import Connectivity
from tvb.simulator import coupling, integrators, models, monitors, noise, simulator

logging.disable()  # its logger writes to standard output


def one(x):
    return np.array([x])


def connectivity():
    conn = Connectivity(
        weights=weights().astype(float),
        tract_lengths=np.zeros((REGIONS, REGIONS)),
        region_labels=np.array([f"r{i}" for i in range(REGIONS)]),
        centres=np.zeros((REGIONS, 3)),
        speed=np.array([1.0]),
    )
    conn.configure()
    return conn


def made(model, factor, dt, sigma, monitor, n, start):
    sim = simulator.Simulator(
        model=model,
        connectivity=connectivity(),
        coupling=coupling.Linear(a=one(factor), b=one(0.0)),
        integrator=integrators.HeunStochastic(dt=dt, noise=noise.Additive(nsig=one(sigma**2 / 2))),
        monitors=[monitor],
        simulation_length=n * dt,
        initial_conditions=np.full((1, 2, REGIONS, 1), start),
    )
    sim.configure()
    return sim


def forward(n, factor=COUPLING):
    model = models.MontbrioPazoRoxin(tau=one(TAU), eta=one(ETA), Delta=one(DELTA), J=one(J), cr=one(0.0), cv=one(1.0))
    return made(model, factor, DT, NOISE_R, monitors.SubSample(period=SAMPLE_EVERY * DT), n, 0.02)


def with_numba(n, factor=COUPLING):
    """The network of `forward` by the numba back end, which knows no other monitor than this one and the raw one."""
    from tvb.simulator.backend.nb_mpr import NbMPRBackend

    sim = forward(n, factor)
    sim.monitors = (monitors.TemporalAverage(period=SAMPLE_EVERY * DT),)
    sim.configure()
    return lambda: NbMPRBackend().run_sim(sim, nstep=n, chunksize=n)[0][1]


def wong_wang(n):
    model = models.ReducedWongWangExcInh(G=one(WONG_WANG_G))
    monitor = monitors.Bold(period=WONG_WANG_TR)
    return made(model, 1.0, WONG_WANG_DT, WONG_WANG_NOISE, monitor, n, 0.001)


def one_set(job):
    factor, n = job
    return with_numba(n, factor)()


if __name__ == "__main__":
    case, n = sys.argv[1], int(sys.argv[2])
    if case.startswith("sets"):
        pool, jobs = multiprocessing.Pool(), [(float(c), n) for c in couplings(int(case.removeprefix("sets_")))]
        f = lambda: np.stack(pool.map(one_set, jobs, chunksize=1))  # noqa: E731
    elif case == "forward_numba":
        f = with_numba(n)
    else:
        sim = {"forward": forward, "wong_wang": wong_wang}[case](n)
        f = lambda: sim.run()[0][1]  # noqa: E731

    def run():
        assert np.isfinite(f()).all()

    start = time.perf_counter()
    run()
    serve(run, first=time.perf_counter() - start)
