"""The code of the documentation runs as it stands there."""

import re
from pathlib import Path

import brainstate
import brainunit as u
import pytest

PAGES = sorted((Path(__file__).parents[1] / "docs").glob("*.md"))


@pytest.mark.parametrize("page", [p for p in PAGES if "```python" in p.read_text()], ids=lambda page: page.stem)
def test_page(page, capsys):
    brainstate.environ.set(dt=0.1 * u.ms)
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL))
    exec(compile(code, str(page), "exec"), {"__name__": page.stem})
