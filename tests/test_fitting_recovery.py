"""Known parameters found again from records of their models, as `examples/07_recovery.py` does."""

import runpy
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("nevergrad")

EXAMPLE = Path(__file__).parents[1] / "examples" / "07_recovery.py"
STUDIES = runpy.run_path(str(EXAMPLE))["STUDIES"] if EXAMPLE.exists() else {}

# The largest relative error of a parameter, and how many runs until the fit is close: by gradient, and by CMA.
EXPECTED = {
    "Montbrió-Pazó-Roxin": {"gradient": (0.01, 120), "CMA": (0.02, 500)},
    "Jansen-Rit": {"gradient": (0.005, 200), "CMA": (1e-4, 300)},
    "Hopf": {"gradient": (0.05, 200), "CMA": (0.04, 400)},  # from a record with noise
    "Wong-Wang": {"gradient": (0.05, 300), "CMA": (0.05, 600)},
}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("solver", ["gradient", "CMA"])
@pytest.mark.parametrize("name", EXPECTED)
def test_the_parameters_of_a_record_are_found_again(name, solver, seed):
    study, (largest, most_runs) = STUDIES[name], EXPECTED[name][solver]
    result = study.fit(solver, seed)
    assert max(study.errors(result).values()) < largest
    assert study.runs(result) <= most_runs
