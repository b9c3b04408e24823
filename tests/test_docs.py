"""The code of the documentation runs as it stands there."""

import re
import sys
from pathlib import Path

import brainstate
import brainunit as u
import pytest

DOCS = Path(__file__).parents[1] / "docs"
PAGES = [p for p in sorted(DOCS.glob("*.md")) if "```python" in p.read_text()]
LONG = {"cluster", "feedback_inhibition", "training"}


def cases():
    return [pytest.param(p, id=p.stem, marks=pytest.mark.slow if p.stem in LONG else ()) for p in PAGES]


@pytest.mark.parametrize("page", cases())
def test_page(page, capsys):
    brainstate.environ.set(dt=0.1 * u.ms)
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL))
    exec(compile(code, str(page), "exec"), {"__name__": page.stem})
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


def test_every_public_name_is_documented(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    import public_api

    assert public_api.undocumented() == []
    found = {name for names in public_api.groups().values() for name in names}
    assert {"brainmass.Network", "brainmass.list_models", "brainmass.objectives.fc_corr"} <= found


def test_an_undocumented_method_is_found(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    import public_api

    monkeypatch.setattr(public_api.brainmass.Result.save, "__doc__", None)
    monkeypatch.setattr(public_api.brainmass.sweep, "__doc__", "")
    assert sorted(public_api.undocumented()) == ["brainmass.Result.save", "brainmass.sweep"]
