"""The Virtual Brain 2.10, in its own environment: its MPR model (numba) with its Heun scheme and additive noise."""

import sys
import time

import numpy as np
from problem import COUPLING, DELTA, DT, ETA, NOISE_R, REGIONS, SAMPLE_EVERY, TAU, J, weights
from protocol import serve
from tvb.datatypes.connectivity import Connectivity
from tvb.simulator import coupling, integrators, models, monitors, noise, simulator

if __name__ == "__main__":
    n = int(sys.argv[2])
    conn = Connectivity(
        weights=weights().astype(float),
        tract_lengths=np.zeros((REGIONS, REGIONS)),
        region_labels=np.array([f"r{i}" for i in range(REGIONS)]),
        centres=np.zeros((REGIONS, 3)),
        speed=np.array([1.0]),
    )
    conn.configure()
    one = lambda x: np.array([x])  # noqa: E731
    sim = simulator.Simulator(
        model=models.MontbrioPazoRoxin(
            tau=one(TAU), eta=one(ETA), Delta=one(DELTA), J=one(J), cr=one(0.0), cv=one(1.0)
        ),
        connectivity=conn,
        coupling=coupling.Linear(a=one(COUPLING), b=one(0.0)),
        integrator=integrators.HeunStochastic(dt=DT, noise=noise.Additive(nsig=one(NOISE_R**2 / 2))),
        monitors=[monitors.SubSample(period=SAMPLE_EVERY * DT)],
        simulation_length=n * DT,
        initial_conditions=np.full((1, 2, REGIONS, 1), 0.02),
    )
    sim.configure()

    def run():
        ((_, kept),) = sim.run()
        assert np.isfinite(kept).all()

    start = time.perf_counter()
    run()
    serve(run, first=time.perf_counter() - start)
