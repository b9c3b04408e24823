"""Representations for notebooks: titles and tables as HTML.

Colours are those of the page, so that they are read on a white and on a dark one; there are no scripts.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

import brainunit as u
import numpy as np
from brainstate.nn import Param

from brainmass._common.checks import is_traced
from brainmass._common.typing import Numbers

__all__ = ["Html", "folded", "number", "page", "parameter_words", "table"]

_LEFT = 'style="text-align: left"'


class Html(str):
    """Text that is HTML already."""


def page(title: str, subtitle: str, *parts: Html) -> str:
    """A title, what stands beside it, and parts below."""
    head = f"<strong>{_text(title)}</strong>" + (f" &nbsp; {_text(subtitle)}" if subtitle else "")
    return f"<div>{head}{''.join(parts)}</div>"


def table(head: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> Html:
    """A table without the columns that are empty; nothing if there are no rows."""
    rows = [[_text(cell) for cell in row] for row in rows]
    if not rows:
        return Html()
    kept = [i for i in range(len(head)) if any(row[i] for row in rows)]
    above = f'<caption style="text-align: left; caption-side: top">{_text(caption)}</caption>' if caption else ""
    lines = [_row("th", [_text(head[i]) for i in kept]), *(_row("td", [row[i] for i in kept]) for row in rows)]
    return Html(f"<table>{above}<thead>{lines[0]}</thead><tbody>{''.join(lines[1:])}</tbody></table>")


def folded(summary: str, *parts: Html) -> Html:
    """Parts that are seen when one opens them; nothing if there are none."""
    inside = "".join(parts)
    return Html(f"<details><summary>{_text(summary)}</summary>{inside}</details>" if inside else "")


def number(value: Numbers) -> tuple[str, str]:
    """A number, or the range and shape of an array, in words; and its unit."""
    unit = "" if u.get_unit(value).has_same_dim(u.UNITLESS) else str(u.get_unit(value))
    if is_traced(value):
        return f"traced, {u.math.shape(value)}", unit
    numbers = np.asarray(u.get_mantissa(value))
    if numbers.ndim == 0 or (numbers.size and (numbers == numbers.flat[0]).all()):
        shape = "" if numbers.ndim == 0 else f", all of {numbers.shape}"
        return f"{numbers.flat[0]:.6g}{shape}", unit
    if numbers.size == 0:
        return f"none, {numbers.shape}", unit
    return f"{numbers.min():.4g} to {numbers.max():.4g}, {numbers.shape}", unit


def parameter_words(param: Param) -> tuple[str, str, str]:
    """Value, unit, and whether it is trainable, of a `Param`."""
    return *number(param.value()), "yes" if param.fit else ""


def _row(kind: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{kind} {_LEFT}>{cell}</{kind}>' for cell in cells)}</tr>"


def _text(x: Numbers) -> str:
    return x if isinstance(x, Html) else html.escape(str(x))
