"""The posterior of an evoked response (David et al. 2006): a column, 10 parameters, 201 samples.

Cases are `laplace`, and `nuts`, which draws n from each of four chains after 200; both of brainmass alone. A first run
compiles; each further one has another seed.
"""

import sys
import warnings

import brainunit as u
import numpy as np
from protocol import serve

import brainmass as bm
from brainmass import inference

RUN = dict(duration=201 * u.ms, sample_every=1 * u.ms, monitors={"x0": lambda node: node.x0()})
KNOWN = {
    "He": 4.0 * u.mV, "Hi": 32.0 * u.mV, "tau_e": 8.0 * u.ms, "tau_i": 16.0 * u.ms,
    "gamma_1": 128.0, "gamma_2": 102.4, "gamma_3": 32.0, "gamma_4": 32.0, "amplitude": 100.0 * u.Hz,
}  # fmt: skip


def problem():
    node = bm.ERPColumnStep(1, method="heun")
    pulse = bm.Pulse(1, 20 * u.ms, 100.0 * u.Hz, onset=10 * u.ms)
    simulator = bm.Simulator(node, dt=0.5 * u.ms)
    space = {f"u_inp.{k}" if k == "amplitude" else k: bm.LogNormal(x, 0.2) for k, x in KNOWN.items()}
    run = RUN | {"inputs": {"u_inp": pulse}}
    clean = np.asarray(u.get_mantissa(simulator.run(**run)["x0"]))
    sigma = 0.05 * np.ptp(clean)
    space["likelihood.sigma"] = bm.LogNormal(sigma * u.mV, 0.5)
    noisy = (clean + sigma * np.random.default_rng(0).standard_normal(clean.shape)) * u.mV
    return inference.Problem(simulator, space, inference.Gaussian(sigma * u.mV), noisy, **run)


def main(case, n):
    warnings.simplefilter("ignore")
    asked = problem()
    options = {"n_warmup": 200} if case == "nuts" else {}

    def run():
        posterior = inference.sample(asked, n, method=case, n_chains=4, seed=run.seed, **options)
        run.seed += 1
        found = posterior.diagnostics()
        facts = {
            "ess": float(min(np.min(d["ess_bulk"]) for d in found.values())),
            "rhat": float(max(np.max(d["rhat"]) for d in found.values())),
            "seconds": posterior.seconds,
            "mean": [float(u.get_mantissa(x)) for x in posterior.mean().values()],
            "sd": [float(u.get_mantissa(x)) for x in posterior.std().values()],
        }
        if case == "nuts":
            facts["runs"] = float(np.sum(posterior.stats["n_steps"]))
            facts["diverging"] = int(np.sum(posterior.stats["diverging"]))
        return facts

    run.seed = 0
    serve(run)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
