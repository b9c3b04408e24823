"""A fit that is stopped, written to a file and resumed is the fit that was never stopped."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from brainstate.nn import Param

import brainmass as bm

# Steps that end a minimisation, and gradients of zero at the start, are what some of these fits are about.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*ended before it converged:RuntimeWarning", "ignore:The gradient is exactly zero:RuntimeWarning"
)


SPACE = {"a": (-2.0, 2.0), "beta": (0.01, 3.0)}


def hopf(a=0.2, w=0.3, n=1):
    return bm.HopfStep(n, a=Param(np.full(n, a, np.float32), fit=True), beta=Param(0.5, fit=True), w=w)


def predict(model, key):
    """With noise, so that the keys matter."""
    return jnp.stack([model.a.value().sum(), model.beta.value()]) + 0.1 * jax.random.normal(key, (2,))


def distance(prediction, target):
    return jnp.sum((prediction - target) ** 2) + prediction[0] ** 4


def fitter(backend="grad", optimizer=None, model=None, **options):
    if backend == "grad":
        optimizer = optax.adam(0.1) if optimizer is None else optimizer
    options = {"search_space": None if backend == "optimistix" else SPACE} | options
    objective = None if backend == "optimistix" else distance
    model = hopf() if model is None else model
    return bm.Fitter(model, optimizer, predict=predict, objective=objective, backend=backend, **options)


@pytest.fixture(scope="module")
def two_steps(tmp_path_factory):
    first, path = fitter(), tmp_path_factory.mktemp("fit") / "fit.npz"
    first.fit(TARGET, n_steps=2)
    first.save(path)
    return path


TARGET = np.array([0.5, 1.0], np.float32)
KINDS = [
    ("grad", None, {}),
    ("grad", None, {"n_starts": 3}),
    ("nevergrad", None, {}),
    pytest.param("nevergrad", "TwoPointsDE", {}, marks=pytest.mark.slow),
    ("scipy", None, {}),
    ("scipy", "L-BFGS-B", {}),
    pytest.param("scipy", "Nelder-Mead", {}, marks=pytest.mark.slow),
    ("optimistix", None, {}),
]


def same(one, other):
    np.testing.assert_array_equal(one.histories, other.histories)
    assert one.best_loss == other.best_loss and one.n_steps == other.n_steps
    for name, value in one.best_params.items():
        np.testing.assert_array_equal(value, other.best_params[name])
    np.testing.assert_array_equal(one.prediction, other.prediction)
    if one.grad_norms is not None:
        np.testing.assert_array_equal(one.grad_norms, other.grad_norms)


@pytest.mark.few(2)
@pytest.mark.parametrize(("backend", "optimizer", "options"), KINDS)
def test_resumed_is_the_same_bit_for_bit(tmp_path, backend, optimizer, options):
    seen, model, minimises = [], hopf(), optimizer in ("L-BFGS-B", "Nelder-Mead")

    def watch(step):
        seen.append(step.step)
        return step.step + 1 == last  # minimisations end by themselves; their evaluations are counted here

    fit = fitter(backend, optimizer, model, callbacks=watch, **options)

    def anew(n_steps, **run):
        nonlocal last
        last = 4 if n_steps == 4 else None
        model.a.set_value(jnp.full(1, 0.2))
        model.beta.set_value(jnp.array(0.5))
        return fit.fit(TARGET, n_steps=2 if minimises else n_steps, seed=4, **run)

    last = None
    whole = anew(9)
    assert anew(4).n_steps == 4 < whole.n_steps
    fit.save(tmp_path / "fit.npz")
    seen.clear()
    same(anew(9, resume=tmp_path / "fit.npz"), whole)
    assert seen == list(range(4, whole.n_steps))
    fit.save(tmp_path / "end.npz")
    same(anew(9, resume=tmp_path / "end.npz"), whole)


def test_a_fit_that_is_interrupted_leaves_its_checkpoint(tmp_path):
    def interrupt(step):
        if step.step == 5:
            raise KeyboardInterrupt

    file = tmp_path / "fit.npz"
    with pytest.raises(KeyboardInterrupt):
        fitter(callbacks=interrupt).fit(TARGET, n_steps=8, checkpoint=file, checkpoint_every=0.0)
    same(fitter().fit(TARGET, n_steps=8, resume=file), fitter().fit(TARGET, n_steps=8))
    assert [p.name for p in tmp_path.iterdir()] == ["fit.npz"]


@pytest.mark.parametrize(
    ("other", "run", "message"),
    [
        (lambda: fitter(model=hopf(n=2)), {}, "another parameters"),
        (lambda: fitter(model=hopf(w=0.4)), {}, "another set of other parameters"),
        (lambda: fitter("nevergrad"), {}, "another back end: grad there, nevergrad here"),
        (lambda: fitter(optimizer=optax.adam(0.2)), {}, "another optimizer"),
        (lambda: fitter(optimizer=optax.sgd(0.1)), {}, "another optimizer"),
        (lambda: fitter(search_space={"a": (-1.0, 2.0)}), {}, "another search space"),
        (lambda: fitter(n_starts=2), {}, "another n_starts: 1 there, 2 here"),
        (lambda: fitter(grad_horizon=3), {}, "another horizon"),
        (lambda: fitter(), {"target": TARGET + 1}, "another target"),
        (lambda: fitter(), {"seed": 1}, "another seed"),
        (lambda: fitter(), {"fresh_noise": False}, "another fresh_noise: True there, False here"),
    ],
)
def test_a_file_of_another_fit_is_refused(two_steps, other, run, message):
    with pytest.raises(ValueError, match=f"`resume` of fit must be a file of the same fit.*{message}"):
        other().fit(**({"target": TARGET, "n_steps": 3, "resume": two_steps} | run))


def test_what_is_no_such_file(tmp_path):
    with pytest.raises(ValueError, match="Fitter.save needs a fit to save"):
        fitter().save(tmp_path / "fit.npz")
    with pytest.raises(FileNotFoundError):
        fitter().fit(TARGET, resume=tmp_path / "fit.npz")
    (tmp_path / "fit.npz").write_bytes(b"PK\x03\x04 broken")
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    for name in "fit.npz", "other.npz":
        with pytest.raises(ValueError, match="must be a whole file written by `save`"):
            fitter().fit(TARGET, resume=tmp_path / name)
