"""Every model of the package, against what it declares."""

import inspect
import re
from pathlib import Path

import pytest
from long_models import ONE_OF_A_KIND

import brainmass
from brainmass.dynamics.catalogue import QUESTIONS, _models
from brainmass.testing import CHECKS

# A base class without equations, and a network of nodes, which has tests of its own.
NO_NODES = {"XY_Oscillator", "JansenRitTR"}
MODELS = [getattr(brainmass, info.name) for info in brainmass.list_models() if info.name not in NO_NODES]


BY_KIND = {"check_transforms", "check_methods_agree", "check_batch"}


def is_long(model, check):
    if check.__name__ in BY_KIND:
        return model.__name__ not in ONE_OF_A_KIND
    # second derivatives of the last take long to compile, in all checks
    tables = model.__name__ == "ALNStep" and check.__name__ in ("check_gradients", "check_ports")
    return tables or model.__name__ == "ZerlautSecondOrderStep"


CASES = [
    pytest.param(
        model,
        check,
        id=f"{model.__name__}-{check.__name__}",
        marks=[pytest.mark.slow] if is_long(model, check) else [],
    )
    for model in MODELS
    for check in CHECKS
]


@pytest.mark.parametrize(("model", "check"), CASES)
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
        assert row.questions and set(row.questions) <= set(QUESTIONS), row.name


def test_the_page_to_choose_a_model_has_each_where_the_catalogue_has_it():
    """One row for each question, in their order, with all models that can answer it."""
    page = (Path(__file__).parents[1] / "docs" / "choose_a_model.md").read_text()
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")][2:]
    assert [row[0].removeprefix("| ") for row in rows] == list(QUESTIONS.values())
    infos = brainmass.list_models()
    for key, row in zip(QUESTIONS, rows, strict=True):
        assert sorted(re.findall(r"`(\w+)`", row[1])) == [info.name for info in infos if key in info.questions], key
