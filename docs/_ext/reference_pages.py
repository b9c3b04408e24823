"""Pages of the reference, one for each group of public names, written before a build."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import feature_table
from public_api import canonical, documentation, groups, is_model, resolve, summary, undocumented

_MORE = {"brainmass.objectives": feature_table.section}  # what stands below the names


def setup(app: Any) -> dict[str, Any]:
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-skip-member", skip_equations)
    return {"parallel_read_safe": True}


def write_pages(app: Any) -> None:
    gaps = undocumented()
    if gaps:
        raise ValueError(f"Public names must have a docstring, but these have none: {', '.join(gaps)}.")
    folder = Path(app.srcdir) / "reference"
    folder.mkdir(exist_ok=True)
    pages = {_file_name(title): _page(title, names) for title, names in groups().items()}
    pages["index"] = _index(list(pages))
    for name, text in pages.items():
        write_if_changed(folder / f"{name}.rst", text)


def write_if_changed(path: Path, text: str) -> None:
    """Sphinx reads again only what has a new date."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def skip_equations(app: Any, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """Leave out what says nothing: the fields of a declaration, and equations, which the docstring has."""
    return True if what == "class" and not inspect.getdoc(member) else None


def heading(text: str, rule: str = "=") -> str:
    return f"{text}\n{rule * len(text)}\n\n"


def _file_name(title: str) -> str:
    return re.sub(r"\W+", "_", title.removeprefix("brainmass.")).lower()


def _index(pages: list[str]) -> str:
    entries = "\n".join(f"   {page}" for page in pages)
    intro = "Every public name, from its docstring. What is not here is not promised.\n\n"
    return f"{heading('Reference')}{intro}.. toctree::\n   :maxdepth: 1\n\n{entries}\n"


def _page(title: str, names: list[str]) -> str:
    rows = "".join(f"   * - :py:obj:`{_short(name)} <{canonical(name)}>`\n     - {summary(name)}\n" for name in names)
    table = f".. list-table::\n   :widths: 30 70\n\n{rows}\n"
    entries = "".join(_entry(name) for name in names if not has_own_page(name))
    return heading(title) + table + entries + (_MORE[title]() if title in _MORE else "")


def has_own_page(name: str) -> bool:
    """Whether it stands in the gallery, or under a shorter name."""
    return is_model(resolve(name)) or canonical(name) != name


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _entry(name: str) -> str:
    symbol = resolve(name)
    if inspect.isclass(symbol):
        return f".. autoclass:: {name}\n   :members:\n\n"
    if inspect.isroutine(symbol):
        return f".. autofunction:: {name}\n\n"
    return f".. py:data:: {name}\n\n   {documentation(name)}\n\n"
