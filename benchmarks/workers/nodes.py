"""Node models alone and in a network of 84 regions: brainmass and the published package, by the same lines.

Cases: `JansenRit_1`, `WilsonCowan_84`, `Epileptor_84` ...: Heun's method, no noise, every 10th step of all states kept
(of one state in the published package, which takes one monitor).
"""

import sys
import time

import brainstate
import brainunit as u
import jax
from problem import NODE_DT, SAMPLE_EVERY, weights
from protocol import serve

import brainmass

PUBLISHED = brainmass.__version__ == "0.1.1"
KINDS = {
    "JansenRit": (brainmass.JansenRitStep, "M", 0.1 if PUBLISHED else 0.1 * u.Hz / u.mV),
    "WilsonCowan": (brainmass.WilsonCowanStep, "rE", 0.1),
    "Epileptor": (brainmass.EpileptorStep, "x1", 0.1),
}

if __name__ == "__main__":
    case, n = sys.argv[1], int(sys.argv[2])
    kind, regions = case.split("_")
    brainstate.environ.set(dt=NODE_DT * u.ms)
    make, coupled, k = KINDS[kind]
    model = make(int(regions), method="rk2" if PUBLISHED else "heun")
    if regions != "1":
        model = brainmass.Network(model, conn=weights(int(regions)), coupling="diffusive", coupled_var=coupled, k=k)
    sim = brainmass.Simulator(model, dt=NODE_DT * u.ms)

    def run():
        result = sim.run(n * NODE_DT * u.ms, sample_every=SAMPLE_EVERY)
        jax.block_until_ready(jax.tree.leaves(dict(result)))

    start = time.perf_counter()
    run()
    serve(run, first=time.perf_counter() - start)
