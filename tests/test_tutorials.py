"""Tutorials and case studies run as plain scripts. The site's build executes them as notebooks."""

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
SCRIPTS = [s for folder in ("tutorials", "case_studies") for s in sorted((DOCS / folder).glob("[0-9]*.py"))]
QUICK = {"01_first_simulation"}  # seconds; the others are marked slow


def cases():
    return [pytest.param(s, id=s.stem, marks=() if s.stem in QUICK else pytest.mark.slow) for s in SCRIPTS]


@pytest.mark.pages
@pytest.mark.parametrize("script", cases())
def test_tutorial(script, monkeypatch, capsys):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    monkeypatch.setattr(plt, "show", lambda: plt.close("all"))
    runpy.run_path(str(script), run_name="__main__")
    assert not plt.get_fignums(), "each figure is followed by plt.show()"
    assert "it/s]" not in capsys.readouterr().err, "progress bars litter the notebook"
