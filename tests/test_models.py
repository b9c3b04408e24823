"""Every model of the package, against what it declares."""

import inspect

import pytest

import brainmass
from brainmass.dynamics.catalogue import _models
from brainmass.testing import CHECKS

# A base class without equations, and a network of nodes, which has tests of its own.
NO_NODES = {"XY_Oscillator", "JansenRitTR"}
MODELS = [getattr(brainmass, info.name) for info in brainmass.list_models() if info.name not in NO_NODES]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_model(model, check):
    check(model)


def test_catalogue():
    rows = brainmass.list_models()
    assert [row.name for row in rows] == sorted({m.__name__ for m in _models if m.__module__.startswith("brainmass.")})
    for row in rows:
        model = getattr(brainmass, row.name)
        assert row.category in ("phenomenological", "physiological") and row.use_case
        assert row.states == tuple(model._states)
        assert model.__module__.startswith("brainmass.models")
        assert inspect.getdoc(model).splitlines()[0].endswith(".") and "Reference: " in model.__doc__
