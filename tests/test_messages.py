"""What errors say, and carry."""

import ast
import pickle
from pathlib import Path

import brainunit as u
import jax.numpy as jnp
import pytest

import brainmass
from brainmass._common.messages import Argument, ArgumentError, argument_error

HOUSE = Path(brainmass.__file__).parent


def raised(call):
    with pytest.raises(ArgumentError) as caught:
        call()
    return caught.value


def test_an_error_carries_its_parts_and_says_them_in_one_form():
    what = Argument("tau", "Step", "time constant")
    error = argument_error(what, "must have unit of time", "is 1 mV", "tau=10 * u.ms", kind=u.UnitMismatchError)
    assert isinstance(error, u.UnitMismatchError)
    # the format of the design
    assert str(error) == (
        "Argument `tau` of Step (time constant) must have unit of time, but is 1 mV. Example: tau=10 * u.ms"
    )
    assert (error.argument, error.owner, error.rule) == ("tau", "Step", "must have unit of time")
    assert (error.given, error.example) == ("is 1 mV", "tau=10 * u.ms")


@pytest.mark.parametrize("kind", [ValueError, TypeError, u.UnitMismatchError, FileNotFoundError])
def test_an_error_is_of_the_kind_that_is_asked_for_and_goes_through_a_pickle(kind):
    error = argument_error(Argument("k", "Network", entry="a"), "must be > 0", "is -1", hint="Turn it.", kind=kind)
    there = pickle.loads(pickle.dumps(error))
    assert isinstance(there, kind) and isinstance(there, ArgumentError)
    assert str(there) == str(error) == "Argument `k` of Network must be > 0, but is -1. Turn it."
    assert vars(there) == vars(error) and (there.argument, there.owner, there.entry) == ("k", "Network", "a")


SIMULATOR = brainmass.Simulator(brainmass.HopfStep(2), dt=0.1 * u.ms)
RMSE = brainmass.objectives.timeseries_rmse()
CALLS = {  # of each part of the package: argument, owner, kind, and how it is called
    "declared": ("a", "HopfStep", u.UnitMismatchError, lambda: brainmass.HopfStep(2, a=1 * u.mV)),
    "checks": ("jit", "run", TypeError, lambda: SIMULATOR.run(1 * u.ms, jit=3)),
    "times": ("duration", "", u.UnitMismatchError, lambda: SIMULATOR.run(1 * u.mV)),
    "connectome": ("weights", "Connectome", ValueError, lambda: brainmass.Connectome([[1.0, 2.0]])),
    "network": ("node", "Network", TypeError, lambda: brainmass.Network(3, conn=jnp.ones((2, 2)), coupled_var="x")),
    "objectives": ("prediction", "timeseries_rmse", ValueError, lambda: RMSE(jnp.ones((3, 2)), jnp.ones((4, 2)))),
    "viz": ("matrix", "plot_connectivity", ValueError, lambda: brainmass.viz.plot_connectivity(jnp.ones(3))),
    "fitting": ("backend", "Fitter", ValueError, lambda: brainmass.Fitter(SIMULATOR, backend="gard")),
    "sweeps": ("values", "sweep", TypeError, lambda: brainmass.sweep(SIMULATOR, 1 * u.ms, 3)),
}


@pytest.mark.parametrize(("argument", "owner", "kind", "call"), CALLS.values(), ids=CALLS)
def test_all_parts_of_the_package_raise_it(argument, owner, kind, call):
    error = raised(call)
    assert isinstance(error, kind) and (error.argument, error.owner) == (argument, owner), vars(error)
    assert str(error).startswith(f"Argument `{argument}`") and error.rule in str(error)


@pytest.mark.slow
def test_no_message_names_an_argument_by_itself():
    """All others could not be found by the command line."""
    texts = []
    for path in set(HOUSE.rglob("*.py")) - {HOUSE / "_common" / "messages.py"}:
        tree = ast.parse(path.read_text())
        documents = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
        here = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in documents]
        texts += [f"{path.name}:{n.lineno}" for n in here if str(n.value).startswith("Argument `")]
    assert not texts
