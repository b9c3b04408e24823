"""`brainmass models`: the catalogue of models, and all about one of them; `brainmass keys`: an experiment file."""

from __future__ import annotations

import inspect
import math
import re
import shutil
import sys
import textwrap
import unicodedata
from typing import Any

__all__ = ["catalogue", "describe", "keys", "keys_for_editors"]


def catalogue() -> int:
    from brainmass import list_models
    from brainmass.dynamics.catalogue import QUESTIONS

    for key, question in QUESTIONS.items():
        print(question)
        models = [m for m in list_models() if key in m.questions]
        rows = [(m.name, ", ".join(m.states), m.method, _step(m.largest_step), m.use_case) for m in models]
        print_table(rows, ("model", "states", "method", "step up to", "for"))
        print()
    print("brainmass models NAME says all about one of them.")
    return 0


def _step(ms: float) -> str:
    return f"{ms:g} ms" if math.isfinite(ms) else ""


def describe(name: str) -> int:
    import brainmass
    from brainmass._common.messages import suggestion
    from brainmass.dynamics.regime import default_method, longest_step

    known = [m.name for m in brainmass.list_models()]
    if name not in known:
        # "JansenRit" is nearer to JansenRitStep with its ending.
        near = suggestion(name, known) or suggestion(f"{name}Step", known)
        print(f"There is no model {name!r}.{near} `brainmass models` lists them.", file=sys.stderr)
        return 1
    model = getattr(brainmass, name)
    # Without the table of the docstring, which is printed from the rows below.
    prose, _, table = (inspect.getdoc(model) or "").partition("\nParameters\n----------\n")
    print(f"{name}  ({model.category})\n\n{_without_markup(prose)}")
    rows = [
        (key, _default(spec.default), "any unit" if not spec.units else _units(spec.units), spec.domain.text, spec.doc)
        for key, spec in model._params.items()
    ]
    if rows:
        print_table(rows, ("parameter", "default", "unit", "range", "meaning"))
        print()
    if method := default_method(model):
        limit = getattr(model, "largest_step", None)
        up_to = "" if limit is None else f", for time steps up to {longest_step(model):g} ms ({limit})"
        print(f"Method {method!r}{up_to}.\n")
    print_table(
        [(s.name, _units((s.unit,)), s.port, s.doc) for s in model._states.values()],
        ("state", "unit", "input", "meaning"),
    )
    if model.presets:
        print()
        print_table([(key, f"{x.doc} ({x.reference})") for key, x in model.presets.items()], ("preset", "meaning"))
    print(f"\nbrainmass.{name}{_short(inspect.signature(model))}")
    print(f".update{_short(inspect.signature(model.update))}  ->  {_returned(model.output)}")
    return 0


def keys(name: str | None) -> int:
    """What may stand in an experiment file, or in one of its tables."""
    from brainmass._common.messages import suggestion
    from brainmass.experiments.schema import TABLES

    chosen = [table for table in TABLES.values() if name is None or table.name == name]
    if not chosen:
        near = suggestion(str(name), TABLES)
        print(f"There is no table {name!r}.{near} There are {', '.join(TABLES)}.", file=sys.stderr)
        return 2
    for table in chosen:
        print(f"[{table.name}]{'' if table.required else ' (optional)'}\n{_plain(table.says)}")
        rows = [(key.name, key.kind.words, _plain(key.meaning)) for key in table.keys]
        print_table(rows + [("...", "", _plain(table.others))] * bool(table.others), ("key", "holds", "meaning"))
        print()
    return 0


def keys_for_editors() -> int:
    """What may stand in an experiment file, as a JSON schema."""
    import json

    from brainmass.experiments.json_schema import json_schema

    print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
    return 0


def _plain(text: str) -> str:
    return text.replace("`", "")


def _returned(output: Any) -> str:
    return output if isinstance(output, str) else f"({', '.join(output)})"


# In this order: each finds what those before it have left.
_REWRITES = (
    (r":math:`([^`]*)`", r"\1"),
    (r"\.\. math::\n", "\n"),
    (r"[`&]", ""),
    (r"\\begin\{cases\}", "{ "),
    (r"\\end\{cases\}", " }"),
    (r"\\\\[ \t]*\n", "\n"),
    (r"\\\\", "; "),
    (r"\\(?:bar|mathrm|text|operatorname)\s*\{?(\\?\w+)\}?", r"\1"),
    (r"\\[bB]ig[lr]?", ""),
    (r"\\ddot\s*\{?(\\?\w+)\}?", r" \1''"),
    (r"\\dot\s*\{?(\\?\w+)\}?", r" \1'"),
    (r"\\tfrac(\d)(\d)", r"\1/\2"),
    (r"_\{([^{}]*)\}", r"_\1"),
    (r"\^\{([^{}]*)\}", r"^(\1)"),
    (r"\\d?frac\{([^{}]*)\}\{([^{}]*)\}", r"(\1) / (\2)"),
    (r"\\sqrt\{([^{}]*)\}", r"√(\1)"),
    (r"\\sqrt\s*(\w)", r"√\1"),
    (r"\\[,;:! ]", " "),
)


_SIGNS = {
    "sum": "Σ", "qquad": "   ", "quad": "  ", "cdot": "·", "times": "×", "infty": "∞", "in": "∈", "ge": "≥", "le": "≤",
    "neq": "≠", "left": " ", "right": " ",
}  # fmt: skip


def _without_markup(text: str) -> str:
    """The docstring for a terminal: Greek letters for their names, `x'` for a derivative, `a / b` for a fraction."""
    for pattern, plain in _REWRITES:
        text = re.sub(pattern, plain, text)
    text = re.sub(r"\\([A-Za-z]+)", lambda word: _greek(word.group(1)), text)
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+\n", "\n", text))


def _greek(word: str) -> str:
    try:
        size = "CAPITAL" if word[0].isupper() else "SMALL"
        # Unicode calls the letter lamda.
        return _SIGNS.get(word) or unicodedata.lookup(f"GREEK {size} LETTER {word.upper().replace('LAMBDA', 'LAMDA')}")
    except KeyError:
        return word


def _default(value: object) -> str:
    from brainmass.dynamics.declaration import plain_text

    return "-" if value is None else plain_text(value)


def _units(units: tuple) -> str:
    return " or ".join("-" if unit is None or str(unit) == "1" else str(unit) for unit in units)


def _short(signature: inspect.Signature) -> str:
    """The names of the arguments; defaults stand in the table."""
    names = [name for name in signature.parameters if name != "self"]
    return textwrap.fill(f"({', '.join(names)})", _width(), subsequent_indent="    ")


def print_table(rows: list[tuple[str, ...]], head: tuple[str, ...]) -> None:
    """Aligned columns; the last one is wrapped to the width of the terminal."""
    # All columns but the last, which is the one that may be long.
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head) - 1)]
    indent = " " * (2 + sum(w + 2 for w in widths))
    for row in [head, *rows]:
        # Thirty characters at least for the last, even if lines are then longer than the terminal is wide.
        start = "  " + "".join(cell.ljust(width + 2) for cell, width in zip(row, widths, strict=False))
        print(
            textwrap.fill(
                start + row[-1], max(_width(), len(indent) + 30), subsequent_indent=indent, break_on_hyphens=False
            )
        )


def _width() -> int:
    # Where there is no terminal, as in a pipe, 100; lines of more than 120 are hard to read.
    return min(shutil.get_terminal_size((100, 24)).columns, 120)
