"""A picture of the rooms of the package: from what their files import, in the order that a test holds them to."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from html import escape
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

from reference_pages import write_if_changed

import brainmass

PACKAGE = Path(brainmass.__file__).parent
ORDER = Path(__file__).parents[2] / "tests" / "test_architecture.py"

_BOX, _HEIGHT, _STEP = 100, 30, 76  # a box, and from one row to the next
_GAP = {True: _BOX + 14, False: 26}  # of places in a row, where one of them has a box, or both are lines in passing
_SWEEPS = 40


def setup(app: Any) -> dict[str, Any]:
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}


def write(app: Any) -> None:
    folder = Path(app.srcdir) / "_figures"
    folder.mkdir(exist_ok=True)
    write_if_changed(folder / "rooms.svg", svg(rows(), nearest(knows())))


# --- what is true ---------------------------------------------------------------------------------------------------
def rows() -> list[list[str]]:
    """The rooms from the ground up, as `tests/test_architecture.py` has them."""
    for node in ast.parse(ORDER.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "ROOMS":
            return [line.split() for line in ast.literal_eval(node.value).split("\n") if line]
    raise LookupError(f"{ORDER} must have the order of the rooms as ROOMS.")


def knows() -> dict[str, set[str]]:
    """The rooms whose modules each room imports."""
    found: dict[str, set[str]] = {room: set() for row in rows() for room in row}
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).with_suffix("").parts[0]
        if room in found:
            found[room] |= {other for other in _imported(path) if other in found} - {room}
    return found


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        names: Iterable[str] = ()
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{name.name}" for name in node.names]
        elif isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        yield from (name.split(".")[1] for name in names if name.startswith("brainmass."))


def reached(known: dict[str, set[str]], room: str) -> set[str]:
    """What a room knows, and what that knows."""
    return known[room].union(*(reached(known, other) for other in known[room]))


def nearest(known: dict[str, set[str]]) -> dict[str, set[str]]:
    """Without what a room also reaches through another that it knows."""
    return {room: others - set().union(*(reached(known, other) for other in others)) for room, others in known.items()}


# --- where it stands ------------------------------------------------------------------------------------------------
class _Line:
    """From a room to one that it knows: a place in each row, in those between for the line alone."""

    def __init__(self, above: str, below: str, level: dict[str, int]):
        between = [f"{above} {below} {i}" for i in range(level[above] - 1, level[below], -1)]
        if level[below] >= level[above]:
            raise ValueError(f"Room {above} imports {below}, which does not stand below it.")
        self.places = [above, *between, below]


def _arranged(rooms: list[list[str]], lines: list[_Line]) -> dict[str, float]:
    """The middle of each place: below and above those with which it is connected, as far as there is room."""
    level = {room: i for i, row in enumerate(rooms) for room in row}
    rows = [list(row) for row in rooms]
    for line in lines:
        top = level[line.places[0]]
        for i, place in enumerate(line.places[1:-1], 1):
            rows[top - i].append(place)
    beside: dict[str, list[str]] = {place: [] for row in rows for place in row}
    for line in lines:
        for a, b in pairwise(line.places):
            beside[a].append(b)
            beside[b].append(a)
    x = {place: float(k * _BOX) for row in rows for k, place in enumerate(row)}
    for sweep in range(_SWEEPS):
        for row in rows if sweep % 2 else reversed(rows):
            wished = {place: fmean([x[other] for other in beside[place]] or [x[place]]) for place in row}
            x |= _apart(sorted(row, key=wished.__getitem__), wished, level)
    left = min(x.values()) - _BOX / 2 - 2
    return {place: value - left for place, value in x.items()}


def _apart(row: list[str], wished: dict[str, float], level: dict[str, int]) -> dict[str, float]:
    """Places in this order, as near to where they wish to be as they can be without touching."""
    ends = [0.0]
    for a, b in pairwise(row):
        ends.append(ends[-1] + _GAP[a in level or b in level])
    pushed = [wished[place] - end for place, end in zip(row, ends, strict=True)]
    blocks: list[list[float]] = []  # neighbours that push one another share the mean of what they wish
    for wish in pushed:
        blocks.append([wish])
        while len(blocks) > 1 and fmean(blocks[-2]) > fmean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    shifts = [fmean(block) for block in blocks for _ in block]
    return {place: shift + end for place, shift, end in zip(row, shifts, ends, strict=True)}


# --- how it is drawn ------------------------------------------------------------------------------------------------
def svg(rooms: list[list[str]], known: dict[str, set[str]]) -> str:
    level = {room: i for i, row in enumerate(rooms) for room in row}
    lines = [_Line(room, other, level) for room in level for other in sorted(known[room])]
    x = _arranged(rooms, lines)
    y = {room: 2 + _STEP * (len(rooms) - 1 - i) for room, i in level.items()}
    width, height = max(x.values()) + _BOX / 2 + 2, _STEP * (len(rooms) - 1) + _HEIGHT + 4
    arrows = "".join(f'<path d="{_path(line, x, y)}"/>\n' for line in lines)
    boxes = "".join(_box(room, x[room], y[room]) for room in level)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img" '
        f'style="max-width:{width:.0f}px;width:100%" font-family="sans-serif" font-size="14">\n'
        "<title>The rooms of the package; an arrow goes from each to those that it knows</title>\n"
        f'<g fill="none" stroke="currentColor" stroke-width="1.2" opacity="0.65">\n{arrows}</g>\n{boxes}</svg>\n'
    )


def _path(line: _Line, x: dict[str, float], y: dict[str, int]) -> str:
    """Down from box to box, straight where it passes a row, with a head at its end."""
    at = y[line.places[0]] + _HEIGHT
    parts = [f"M{x[line.places[0]]:.1f} {at}"]
    for a, b in pairwise(line.places):
        end = at + _STEP - _HEIGHT
        middle = (at + end) / 2
        parts.append(f"C{x[a]:.1f} {middle:.0f} {x[b]:.1f} {middle:.0f} {x[b]:.1f} {end}")
        at = end
        if b != line.places[-1]:
            at += _HEIGHT
            parts.append(f"V{at}")
    return "".join([*parts, "m-4-7 4 7 4-7"])


def _box(room: str, x: float, y: int) -> str:
    return (
        f"<g><title>{escape(_words(room))}</title>"
        f'<rect x="{x - _BOX / 2:.1f}" y="{y}" width="{_BOX}" height="{_HEIGHT}" rx="6" stroke="currentColor" '
        'style="fill:var(--pst-color-surface,none)"/>'
        f'<text x="{x:.1f}" y="{y + 20}" text-anchor="middle" fill="currentColor">{room}</text></g>\n'
    )


def _words(room: str) -> str:
    path = PACKAGE / room / "__init__.py" if (PACKAGE / room).is_dir() else PACKAGE / f"{room}.py"
    return (ast.get_docstring(ast.parse(path.read_text())) or room).splitlines()[0]
