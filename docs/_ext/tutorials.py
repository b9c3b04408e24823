"""Tutorials and case studies: scripts that the build executes as notebooks, each with its files to take along."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jupytext
from reference_pages import write_if_changed

FOLDERS = "tutorials", "case_studies"
NOTEBOOKS = "_notebooks"
_NEXT_CELL = re.compile(r"\n# %%")


def setup(app: Any) -> dict[str, Any]:
    app.connect("builder-inited", write_notebooks)
    app.connect("source-read", offer_downloads)
    return {"parallel_read_safe": True}


def write_notebooks(app: Any) -> None:
    for folder in (Path(app.srcdir) / name for name in FOLDERS):
        (folder / NOTEBOOKS).mkdir(exist_ok=True)
        for script in sorted(folder.glob("[0-9]*.py")):
            write_if_changed(folder / NOTEBOOKS / f"{script.stem}.ipynb", _notebook(script))


def offer_downloads(app: Any, name: str, source: list[str]) -> None:
    """Put links to the notebook and the script below the title."""
    if not re.match(rf"({'|'.join(FOLDERS)})/[0-9]", name):
        return
    stem = Path(name).name
    notebook, script = f"{{download}}`notebook <{NOTEBOOKS}/{stem}.ipynb>`", f"{{download}}`script <{stem}.py>`"
    cell = f"\n# %% [markdown]\n# Download: {notebook}, {script}\n\n# %%"
    source[0] = _NEXT_CELL.sub(cell, source[0], count=1)


def read(text: str) -> Any:
    """A script as a notebook, which tells its language although nothing has executed it."""
    notebook = jupytext.reads(text, fmt="py:percent")
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    return notebook


def _notebook(script: Path) -> str:
    notebook = read(script.read_text(encoding="utf-8"))
    for i, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{i}"  # not a new one in each writing
    return jupytext.writes(notebook, fmt="ipynb")
