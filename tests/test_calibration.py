"""Posteriors of three models by three engines hold as many truths as they say: those of the benchmark."""

import importlib.util
from pathlib import Path

import pytest

FILE = Path(__file__).parents[1] / "benchmarks" / "workers" / "calibration.py"


@pytest.mark.slow
@pytest.mark.parametrize("case", ["montbrio_laplace", "hopf_nuts", "wong_wang_npe"])
def test_a_hundred_studies(case):
    spec = importlib.util.spec_from_file_location("calibration", FILE)
    worker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(worker)
    found = worker.calibrated(case)
    assert len(found.ranks) == 100 and not found.notes
    assert min(found.p_values.values()) > 0.01
    assert all(0.75 <= share <= 0.85 for share in found.coverage(0.8).values())
