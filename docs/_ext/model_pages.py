"""The gallery: one page for each model, from its declaration, with a figure of a short run."""

from __future__ import annotations

import inspect
import math
from pathlib import Path
from typing import Any

from model_figures import caption, draw, drawable
from reference_pages import heading, write_if_changed

import brainmass
from brainmass.dynamics.catalogue import QUESTIONS
from brainmass.dynamics.declaration import plain_text
from brainmass.dynamics.declared import Declared


def setup(app: Any) -> dict[str, Any]:
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-signature", shorten_signature)
    app.connect("autodoc-process-docstring", tabulate, priority=400)  # before napoleon
    return {"parallel_read_safe": True}


def write_pages(app: Any) -> None:
    folder = Path(app.srcdir) / "models"
    folder.mkdir(exist_ok=True)
    sources = [*Path(brainmass.__file__).parent.rglob("*.py"), *Path(__file__).parent.glob("model_*.py")]
    newest = max(path.stat().st_mtime for path in sources)
    for info in brainmass.list_models():
        if not drawable(info.name):
            continue
        figure = Path(app.srcdir) / "_figures" / f"{info.name}.png"
        if not figure.exists() or figure.stat().st_mtime < newest:
            draw(info.name, figure)
    for info in brainmass.list_models():
        write_if_changed(folder / f"{info.name}.rst", _page(info))
    write_if_changed(folder / "index.rst", _index())


# --- pages ----------------------------------------------------------------------------------------------------------
def _page(info: Any) -> str:
    return (
        heading(info.name)
        + f"{info.category.capitalize()}; {info.use_case}.\n\n"
        + (f".. figure:: /_figures/{info.name}.png\n\n   {caption(info.name)}\n\n" if drawable(info.name) else "")
        + f".. autoclass:: brainmass.{info.name}\n   :members:\n"
    )


def _index() -> str:
    text = (
        heading("Models") + "What `brainmass models` lists in a terminal; each page is made from its declaration.\n\n"
    )
    for key, question in QUESTIONS.items():
        rows = [
            (f":doc:`{m.name} <{m.name}>`", ", ".join(m.states), m.method, _step(m.largest_step), m.use_case)
            for m in brainmass.list_models()
            if key in m.questions
        ]
        text += (
            heading(question, "-") + "\n".join(_table(("model", "states", "method", "step up to", "for"), rows)) + "\n"
        )
    text += heading("At a glance", "-") + "".join(_thumbnail(m.name) for m in brainmass.list_models())
    entries = "\n".join(f"   {m.name}" for m in brainmass.list_models())
    return f"{text}\n.. toctree::\n   :hidden:\n\n{entries}\n"


def _step(ms: float) -> str:
    return f"{ms:g} ms" if math.isfinite(ms) else ""


def _thumbnail(name: str) -> str:
    if not drawable(name):
        return ""
    return f".. image:: /_figures/{name}.png\n   :width: 48%\n   :target: {name}.html\n   :alt: {name}\n\n"


def shorten_signature(app: Any, what: str, name: str, symbol: Any, options: Any, signature: Any, returns: Any) -> Any:
    """The names of a model's arguments: defaults stand in the table."""
    if not (inspect.isclass(symbol) and issubclass(symbol, Declared)):
        return None
    names = [str(p).partition("=")[0].partition(":")[0] for p in inspect.signature(symbol).parameters.values()]
    return f"({', '.join(names)})", ""


def tabulate(app: Any, what: str, name: str, symbol: Any, options: Any, lines: list[str]) -> None:
    """Parameters, states and presets of a model as tables, in the place of their sections in the docstring."""
    if not (inspect.isclass(symbol) and issubclass(symbol, Declared) and symbol._params):
        return
    prose, _, rest = "\n".join(lines).partition("\nParameters\n----------\n")
    prose, _, own = prose.partition("\nOther Parameters\n----------------\n")
    others = [*own.strip("\n").splitlines(), *rest.split("\n\n")[0].splitlines()]
    lines[:] = [
        *prose.splitlines(),
        "",
        *_titled("Parameters", ("parameter", "default", "unit", "range", "meaning"), _parameters(symbol)),
        *_titled("States", ("state", "unit", "input", "meaning"), _states(symbol)),
        *_titled("Presets", ("preset", "meaning", "source"), _presets(symbol)),
        "Other arguments",
        "---------------",
        *_without(others, {*symbol._params}),
        "",
    ]


def _without(rows: list[str], names: set[str]) -> list[str]:
    """The entries of a numpy-style section but those of some names."""
    kept: list[str] = []
    for row in rows:
        if not row.startswith(" "):
            keep = row.partition(" :")[0] not in names
        if keep:
            kept.append(row)
    return kept


def _parameters(model: Any) -> list[tuple[str, ...]]:
    return [
        (f"``{key}``", _default(spec.default), _units(spec.units), spec.domain.text, spec.doc)
        for key, spec in model._params.items()
    ]


def _states(model: Any) -> list[tuple[str, ...]]:
    return [(f"``{s.name}``", _units((s.unit,)), s.port or "", s.doc) for s in model._states.values()]


def _presets(model: Any) -> list[tuple[str, ...]]:
    return [(f"``{key}``", x.doc, x.reference) for key, x in getattr(model, "presets", {}).items()]


def _default(value: Any) -> str:
    return "" if value is None else plain_text(value)


def _units(units: tuple) -> str:
    plain = ["" if unit is None or str(unit) == "1" else str(unit) for unit in units]
    return " or ".join(x or "none" for x in plain) if any(plain) else "" if units else "any"


def _titled(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return [f"**{title}**", "", *_table(head, rows)] if rows else []


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (head, *rows):
        lines += [f"   {'* -' if i == 0 else '  -'} {cell}" for i, cell in enumerate(row)]
    return [*lines, ""]
