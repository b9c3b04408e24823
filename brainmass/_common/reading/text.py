"""Tables of numbers in text files, whichever program has written them.

Rows and columns in messages count from 1, as editors do.
"""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Iterator, Sequence

import numpy as np

from brainmass._common import checks
from brainmass._common.foreign import Held
from brainmass._common.messages import Argument, argument_error
from brainmass._common.reading.problems import bad

__all__ = [
    "Quoted", "Row", "TextStyle", "cut_short", "is_number", "labelled_matrix", "numbers", "rows_of", "text_of",
    "tidied",
]  # fmt: skip


class Quoted(str):
    """A cell that stood in quotes: text, even if it looks like a number."""


Row = tuple[int, list[str]]  # number of the line, cells


@dataclasses.dataclass(frozen=True)
class TextStyle:
    """How numbers are written in a text file; what is None is found out.

    `empty` is the number that an empty cell stands for, `header` whether the first row and column are names.
    """

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    empty: float | None = None
    header: bool | None = None

    def __post_init__(self) -> None:
        if self.decimal is not None:
            checks.one_of(Argument("decimal"), self.decimal, (".", ","))
        checks.instance(Argument("encoding"), self.encoding, str | None, "text", example="encoding='latin-1'")
        if self.header is not None:
            checks.flag(Argument("header"), self.header)
        if self.delimiter is not None and (not isinstance(self.delimiter, str) or len(self.delimiter) != 1):
            raise argument_error(Argument("delimiter"), "must be one character", f"is {self.delimiter!r}")
        if self.empty is not None and not isinstance(self.empty, int | float):
            raise argument_error(Argument("empty"), "must be a number", f"is {self.empty!r}", "empty=0.0")


# --- characters -------------------------------------------------------------------------------------------------------
_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")


def text_of(where: object, data: bytes, encoding: str | None = None) -> str:
    """The text of a file in UTF-8, UTF-16 with its mark, or the code page of western Windows, which is told."""
    if encoding is not None:
        return _decoded(where, data, encoding)
    # Before UTF-16, whose mark this one begins with.
    if data[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff"):
        return _decoded(where, data, "utf-32")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") and len(data) % 2 == 0:  # Excel's "Unicode text"
        return _decoded(where, data, "utf-16")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if _CONTROLS.search(data) or not _is_western(data):
            raise bad(where, "be a text file", f"byte {error.start} is no text") from error
        warnings.warn(
            f"File {str(where)!r} is no UTF-8 and is read as written by Windows in western Europe: say "
            "encoding='cp1252', or which other it is.",
            stacklevel=2,
        )
        return data.decode("cp1252")
    control = _CONTROLS.search(data)
    if control:
        wide = " (say encoding='utf-16' if it is such a text without its mark)" if data[1::2].count(0) > 1 else ""
        raise bad(where, "be a text file", f"byte {control.start()} is no text{wide}")
    return text


def _decoded(where: object, data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except (UnicodeError, LookupError) as error:
        raise bad(where, f"be a text file in {encoding!r}", f"it is none ({error})") from error


def _is_western(data: bytes) -> bool:
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        return False
    return True


# --- cells ------------------------------------------------------------------------------------------------------------
_COMMENTS = ("#", "%")
# In this order: of marks that cut equally well, the first.
_MARKS = "\t;, "


def rows_of(where: object, text: str, style: TextStyle = TextStyle()) -> list[Row]:
    """The lines that are neither empty nor comments, in cells."""
    filled = [(i, line) for i, line in enumerate(_lines(text), 1) if line.strip()]
    lines = [(i, line) for i, line in filled if line.lstrip()[0] not in _COMMENTS]
    comments = [(i, line.strip()) for i, line in filled if line.lstrip()[0] in _COMMENTS]
    delimiter = style.delimiter
    if lines and (said := re.fullmatch(r'"?sep=(.)"?', lines[0][1].strip("\r\n"))):  # Excel's first line
        delimiter, lines = delimiter or said[1], lines[1:]
    if not lines:
        raise bad(where, "hold numbers", "it is empty")
    delimiter = _delimiter(where, lines, style) if delimiter is None else delimiter
    rows = [(i, cells_of(where, i, line, delimiter)) for i, line in lines]
    if all(len(cells) > 1 and not cells[-1] and not isinstance(cells[-1], Quoted) for _, cells in rows):
        rows = [(i, cells[:-1]) for i, cells in rows]  # every line ends with the delimiter
    return tidied(where, _with_names_in_comments(where, rows, comments, style, delimiter), style, delimiter)


def _with_names_in_comments(
    where: object, rows: list[Row], comments: list[tuple[int, str]], style: TextStyle, delimiter: str
) -> list[Row]:
    """Comments that may be none: names over the columns, as of numpy's savetxt, and rows whose name has a '#'."""
    for i, line in comments:
        try:
            cells = cells_of(where, i, line[1:].strip(), delimiter)
        except ValueError:
            continue
        numeric = sum(_looks_like_number(cell) for cell in cells)
        # A sentence, or numbers that were commented out.
        if len(cells) != len(rows[0][1]) or len(cells) < 2 or numeric == len(cells):
            continue
        if i > rows[0][0] and any(_looks_like_number(cell) for cell in cells[1:]):
            but = (
                f"row {i} begins with {line[0]!r} and has as many cells as a row: put its name in quotes, or remove it"
            )
            raise bad(where, "mark comments so that they differ from rows", but)
        if (
            i < rows[0][0]
            and not numeric
            and all(map(_looks_like_number, rows[0][1]))
            and len(set(cells)) == len(cells)
        ):
            if style.header:
                return [(i, cells), *rows]
            if style.header is None:
                warnings.warn(
                    f"File {str(where)!r} has a comment with as many words as columns ({cells[0]!r}, ...), which are "
                    "left out: say header=True if they are the names of the regions, or header=False.",
                    stacklevel=2,
                )
    return rows


def tidied(where: object, rows: list[Row], style: TextStyle, delimiter: str = "") -> list[Row]:
    """Cells without needless quotes, and numbers as Python writes them."""
    return _with_exponents(_with_points(where, _without_needless_quotes(rows), style, delimiter))


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def cells_of(where: object, number: int, line: str, delimiter: str) -> list[str]:
    """The cells of a line; those in quotes are `Quoted`, with all their blanks."""
    if '"' not in line:
        return line.split() if delimiter == " " else [cell.strip() for cell in line.split(delimiter)]
    return list(_quoted_cells(where, number, line, delimiter))


def _quoted_cells(where: object, number: int, line: str, delimiter: str) -> Iterator[str]:
    at, end = 0, len(line.rstrip(" " if delimiter != " " else None))
    while at <= end:
        if delimiter == " ":
            at += len(line[at:]) - len(line[at:].lstrip())
        blanks = len(line[at:]) - len(line[at:].lstrip(" "))
        if line[at + blanks : at + blanks + 1] == '"':
            match = re.compile(r'"((?:[^"]|"")*)"').match(line, at + blanks)
            after = None if match is None else line[match.end() :].lstrip(" " if delimiter != " " else "")
            if match is None or (after and after[0] != delimiter):
                raise bad(where, "be a table of text", f"row {number} has a quote that does not end")
            yield Quoted(match[1].replace('""', '"'))
            at = len(line) - len(after or "") + 1
        else:
            stop = line.find(delimiter, at)
            stop = len(line) if stop < 0 else stop
            yield line[at:stop].strip()
            at = stop + 1


def _without_needless_quotes(rows: list[Row]) -> list[Row]:
    """Where a program puts everything in quotes, they say nothing."""
    body = [cell for _, cells in rows[1:] for cell in cells[1:] if cell]
    if not body or not all(isinstance(cell, Quoted) for cell in body):
        return rows
    bare = [(i, [str(cell) for cell in cells]) for i, cells in rows[1:]]
    return [rows[0], *bare] if any(not _looks_like_number(cell) for cell in rows[0][1]) else [
        (i, [str(cell) for cell in cells]) for i, cells in rows
    ]  # fmt: skip


# --- delimiter and decimal mark ---------------------------------------------------------------------------------------
_LOOKED_AT = 60  # lines
_COMMA_NUMBER = re.compile(r"[-+]?\d*,\d+(?:[eE][-+]?\d+)?|[-+]?\d+,(?:[eE][-+]?\d+)?")
_GROUPED = re.compile(r"[-+]?[1-9]\d{0,2}(?:(?:,\d{3})+\.\d+|(?:\.\d{3})+,\d+)")
_THOUSANDS = {mark: re.compile(rf"[-+]?[1-9]\d{{0,2}}(?:{re.escape(mark)}\d{{3}})+") for mark in (",", ".")}


def _delimiter(where: object, lines: Sequence[tuple[int, str]], style: TextStyle) -> str:
    """The mark that cuts the lines into most numbers, in rows of equal length."""
    best, found = (0.0, 0.0), None
    for mark in _MARKS:
        # A comma cannot be both.
        if mark == "," and style.decimal == ",":
            continue
        score = _score(where, lines[:_LOOKED_AT], mark)
        if score > best:
            best, found = score, mark
    return found or next((mark for mark in "\t;," if mark in lines[0][1]), " ")


def _score(where: object, lines: Sequence[tuple[int, str]], mark: str) -> tuple[float, float]:
    try:
        rows = [cells_of(where, i, line, mark) for i, line in lines]
    except ValueError:
        return 0.0, 0.0
    body = rows[1:] or rows
    widths = [len(cells) for cells in body]
    if max(widths) < 2:
        return 0.0, 0.0
    # The first row and the first column may be names.
    cells = [cell for row in body for cell in row[1:]] or [""]
    # Empty cells are numbers that are missing.
    numeric = sum(not cell or _looks_like_number(cell) for cell in cells) / len(cells)
    even = sum(width == widths[0] for width in widths) / len(widths)
    cut = sum(width > 1 for width in widths) / len(widths)
    return round(numeric * even, 3), cut


def _looks_like_number(cell: str) -> bool:
    return _is_plain_number(cell) or any(form.fullmatch(cell) for form in (_COMMA_NUMBER, _GROUPED, _FORTRAN))


def _with_points(where: object, rows: list[Row], style: TextStyle, delimiter: str) -> list[Row]:
    """With decimal points where there were commas, and without the marks of thousands."""
    if style.decimal is not None:
        return [(i, [_plainly(cell, style.decimal) for cell in cells]) for i, cells in rows]
    _ask_for_thousands(where, rows)
    # Commas that part cells are no decimal marks.
    if delimiter == ",":
        return rows
    commas = [(i, cell) for i, cells in rows for cell in cells if "," in cell and _COMMA_NUMBER.fullmatch(cell)]
    if not commas:
        return rows
    pointed = next((cell for _, cells in rows for cell in cells if "." in cell and _is_plain_number(cell)), None)
    if pointed is not None or all(_THOUSANDS[","].fullmatch(cell) for _, cell in commas):
        i, cell = commas[0]
        but = f"row {i} holds {cell!r}" + (f" and another {pointed!r}" if pointed else "")
        raise bad(where, _ONE_MARK, but)
    return [(i, [_plainly(cell, ",") for cell in cells]) for i, cells in rows]


_ONE_MARK = "have one decimal mark: say decimal=',' or decimal='.'"


def _ask_for_thousands(where: object, rows: list[Row]) -> None:
    """Where all that looks like a decimal could as well be thousands, beside whole numbers: 1.500 and 500."""
    cells = [(i, cell) for i, row in rows for cell in row if not isinstance(cell, Quoted)]
    for mark in _THOUSANDS:
        found = [(i, cell) for i, cell in cells if mark in cell and cell.replace(mark, "").lstrip("+-").isdigit()]
        thousands = bool(found) and all(_THOUSANDS[mark].fullmatch(cell) for _, cell in found)
        if thousands and (mark == "," or _are_thousands([cell for _, cell in found], [cell for _, cell in cells])):
            raise bad(where, _ONE_MARK, f"row {found[0][0]} holds {found[0][1]!r}, which could be thousands")


def _are_thousands(pointed: list[str], cells: list[str]) -> bool:
    """Programs that write 500 for a whole number do not write 1.500."""
    return any(cell.endswith("0") for cell in pointed) and any(re.fullmatch(r"[-+]?[1-9]\d*", cell) for cell in cells)


def _plainly(cell: str, decimal: str) -> str:
    """A number as Python writes it, where this is the decimal mark and the other one that of thousands."""
    if isinstance(cell, Quoted):
        return cell
    other = "." if decimal == "," else ","
    whole, mark, rest = cell.partition(decimal)
    if other in whole and _THOUSANDS[other].fullmatch(whole) and (not rest or rest[0].isdigit()):
        return whole.replace(other, "") + (f".{rest}" if mark else "")
    return cell.replace(",", ".") if decimal == "," and _COMMA_NUMBER.fullmatch(cell) else cell


_FORTRAN = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+))[dD]([-+]\d+)")


def _with_exponents(rows: list[Row]) -> list[Row]:
    """With 1.5E+00 for Fortran's 1.5D+00."""
    if not any(_FORTRAN.fullmatch(cell) for _, cells in rows for cell in cells):
        return rows
    return [(i, [c if isinstance(c, Quoted) else _FORTRAN.sub(r"\1E\2", c) for c in cells]) for i, cells in rows]


# --- numbers ----------------------------------------------------------------------------------------------------------
_MISSING = ("", "na", "n/a", "nan", "null", "none", "#n/a")


def _is_plain_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell  # Python's thousands, nobody else's


def is_number(cell: str) -> bool:
    """Whether a cell is one, and not in quotes."""
    return not isinstance(cell, Quoted) and _is_plain_number(cell)


def numbers(where: object, rows: Sequence[Row], first_column: int = 1, empty: float | None = None) -> np.ndarray:
    """Rows of equal length as a matrix."""
    first, width = rows[0][0], len(rows[0][1])
    for i, cells in rows:
        if len(cells) != width:
            word = next((cell for cell in cells if cell and not is_number(cell) and cell.lower() not in _MISSING), None)
            if word is not None:
                raise bad(where, "hold numbers", f"row {i} holds {str(word)!r}, and {_counted(cells)} of {width}")
            short = cut_short(rows, i, len(cells) < width)
            but = f"row {i} has {len(cells)} numbers and row {first} {width}{short}"
            raise bad(where, "have rows of equal length", but)
    return np.asarray([[_number(where, i, j, cell, empty) for j, cell in enumerate(cells, first_column)]
                       for i, cells in rows])  # fmt: skip


def _counted(cells: Sequence[str]) -> str:
    return "1 cell" if len(cells) == 1 else f"{len(cells)} cells"


def _number(where: object, row: int, column: int, cell: str, empty: float | None) -> float:
    if empty is not None and cell.lower() in _MISSING:
        return float(empty)
    if is_number(cell):
        return float(cell)
    hint = " (say empty=0.0 for what an empty cell means)" if cell.lower() in _MISSING else ""
    raise bad(where, "hold numbers", f"row {row}, column {column} holds {str(cell)!r}{hint}")


def cut_short(rows: Sequence[Row], number: int, shorter: bool) -> str:
    return " (is the file cut short?)" if shorter and number == rows[-1][0] else ""


# --- matrices with labels ---------------------------------------------------------------------------------------------
def labelled_matrix(where: object, rows: list[Row], style: TextStyle = TextStyle()) -> Held:
    """A matrix, and the labels in its first row and perhaps its first column."""
    (first, head), body = rows[0], rows[1:]
    if style.header is False:
        return Held(numbers(where, rows, empty=style.empty))
    # A head is a row of names, or of names with an empty corner; numbers with one text among them are a row whose name
    # comes first.
    texts = sum(not is_number(cell) for cell in head)
    corner = texts == 1 < len(head) and _is_corner(head, body)  # numbers name the rows
    quoted = all(isinstance(cell, Quoted) for cell in head)
    missing = style.empty is not None and all(is_number(cell) or cell.lower() in _MISSING for cell in head)
    if style.header is None and not quoted and (texts == 0 or missing or texts == 1 < len(head) - 1 and not corner):
        return _without_header(where, rows, style)
    if not body:
        raise bad(where, "hold numbers", _why_no_numbers(head))
    if style.header is None and is_number(head[0]) and texts == len(head) - 1 and not is_number(body[0][1][0]):
        but = f"row {first} begins with {', '.join(repr(str(cell)) for cell in head[:3])}"
        raise bad(where, "hold numbers, or names in its first row and column (say header=True)", but)
    named = corner or len(head) == len(body[0][1]) - 1 or all(not is_number(c[0]) for _, c in body if c)
    if style.header:
        named = named or len(head) == len(body) + 1
    if not named:
        return _checked_width(where, first, head, body, numbers(where, body, empty=style.empty), None)
    names = [str(cells[0]) for _, cells in body]
    if all(len(cells) == 1 for _, cells in body):
        raise bad(where, "hold numbers", _why_no_numbers(body[0][1]))
    labels = head[1:] if len(head) == len(body[0][1]) else head
    body = [(i, cells[1:]) for i, cells in body]
    return _checked_width(where, first, labels, body, numbers(where, body, 2, style.empty), names)


def _why_no_numbers(cells: Sequence[str]) -> str:
    """Of rows with one cell of text: which mark may cut them."""
    mark = next((mark for mark in "|:/&" if len(cells) == 1 and cells[0].count(mark) > 0), None)
    if mark is not None:
        return f"a row is {str(cells[0])[:40]!r}: say delimiter={mark!r} if that is the mark between columns"
    return "it ends after a row of labels" if len(cells) != 1 else f"a row is {str(cells[0])[:40]!r}"


def _is_corner(head: list[str], body: list[Row]) -> bool:
    """Whether an empty first cell stands over numbers that name the rows, and not on the diagonal."""
    if isinstance(head[0], Quoted) or head[0] != "":
        return False
    return len(body) != len(head) - 1 or [cells[0] for _, cells in body] == head[1:]


def _without_header(where: object, rows: list[Row], style: TextStyle) -> Held:
    """Numbers alone, or with a name at the start of every row."""
    if all(len(cells) > 1 and not is_number(cells[0]) and cells[0].lower() not in _MISSING for _, cells in rows):
        names = [str(cells[0]) for _, cells in rows]
        matrix = numbers(where, [(i, cells[1:]) for i, cells in rows], 2, style.empty)
        return Held(matrix, (np.asarray(names, object), None))
    matrix = numbers(where, rows, empty=style.empty)
    if style.header is None and _counts_its_edges(matrix):
        but = f"they are {', '.join(f'{x:g}' for x in matrix[0, :4])}, ..."
        raise bad(where, "say whether its first row and column are names, header=True or header=False", but)
    return Held(matrix)


def _counts_its_edges(matrix: np.ndarray) -> bool:
    """Whether first row and column hold the same rising whole numbers, as names of regions do."""
    if matrix.shape[0] != matrix.shape[1] or len(matrix) < 4 or matrix[0, 0] not in (0.0,):
        return False
    names = matrix[0, 1:]
    rising = bool((np.diff(names) >= 1).all() and (names == np.round(names)).all())
    return rising and bool((matrix[1:, 0] == names).all()) and not np.array_equal(matrix[1:, 1:], matrix[1:, 1:] * 0)


def _checked_width(
    where: object, first: int, labels: list[str], body: list[Row], matrix: np.ndarray, names: list[str] | None
) -> Held:
    if len(labels) != matrix.shape[1]:
        but = f"row {first} has {len(labels)} labels and row {body[0][0]} {matrix.shape[1]} numbers"
        raise bad(where, "have one label per column", but)
    nameless = [j for j, label in enumerate(labels) if not label and not isinstance(label, Quoted)]
    if nameless and len(nameless) < len(labels):
        but = f"row {first} has none for column {nameless[0] + 1} of numbers"
        raise bad(where, "have a name for each column", but)
    columns = [str(label) for label in labels]
    if nameless:
        return Held(matrix)
    rows = None if names is None else np.asarray(names, object)
    return Held(matrix, (rows, np.asarray(columns, object)))
