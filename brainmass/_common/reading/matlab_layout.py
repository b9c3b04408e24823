"""Whether a MATLAB file up to version 7 is laid out as it says: scipy ends the process at some that are not.

The layouts are those of MathWorks' "MAT-File Format", chapters 1 and 2 (version 4).
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from brainmass._common.reading.problems import bad, check_size

__all__ = ["check_layout", "is_matlab_4"]

_SIZES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}  # bytes of a number
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _OBJECT, _CHAR, _SPARSE, _FUNCTION = 1, 2, 3, 4, 5, 16
_DEEPEST = 20


class _Odd(Exception):
    """What is not as it should be."""


def check_layout(where: object, data: bytes) -> None:
    """Refuse a file whose parts do not fit into each other."""
    if data[:6] != b"MATLAB":
        _check_version_4(where, data)
        return
    order: Any = "little" if data[126:128] == b"IM" else "big"
    try:
        at = 128
        while at < len(data):
            kind, start, end, at = _element(data, at, len(data), order, padded=False)
            if kind == _COMPRESSED:
                inner = _unfolded(where, data[start:end], order)
                kind, start, end, _ = _element(inner, 0, len(inner), order)
                _check_matrix(inner, kind, start, end, order, 0)
            else:
                _check_matrix(data, kind, start, end, order, 0)
    except _Odd as error:
        raise bad(where, "be a whole MATLAB file", f"it cannot be read ({error})") from None


def _unfolded(where: object, packed: bytes, order: Any) -> bytes:
    try:
        stream = zlib.decompressobj()
        # Its first bytes say how long it is, before it is unfolded.
        start = stream.decompress(packed, 16)
        declared = 8 + int.from_bytes(start[4:8], order)
        check_size(where, declared, len(packed), "a variable")
        return start + stream.decompress(stream.unconsumed_tail, declared + 64)
    except zlib.error as error:
        raise _Odd(str(error)) from None


def _element(data: bytes, at: int, limit: int, order: Any, padded: bool = True) -> tuple[int, int, int, int]:
    """Kind, first and last place of an element, and where the next one begins."""
    if at + 8 > limit:
        raise _Odd("a part is cut short")
    word = int.from_bytes(data[at : at + 4], order)
    if word >> 16:  # a small one, within eight bytes
        size, kind, start = word >> 16, word & 0xFFFF, at + 4
        if size > 4:
            raise _Odd("a small part is too long")
        return kind, start, start + size, at + 8
    kind, size, start = word, int.from_bytes(data[at + 4 : at + 8], order), at + 8
    end = start + size
    if end > limit:
        raise _Odd("a part is longer than what holds it")
    # Elements begin at multiples of eight bytes; compressed ones follow each other closely.
    return kind, start, end, min(end + (-size % 8 if padded and kind != _COMPRESSED else 0), limit)


def _check_matrix(data: bytes, kind: int, at: int, limit: int, order: Any, depth: int) -> None:
    if kind != _MATRIX or depth > _DEEPEST:
        raise _Odd("a variable is no matrix, or nested too deep")
    if at == limit:
        return  # an empty one
    _, start, _, at = _numbers(data, at, limit, order, (6,), 8)
    flags = int.from_bytes(data[start : start + 4], order)
    kind, is_complex = flags & 0xFF, bool(flags & 0x800)
    if kind > _FUNCTION:
        return  # what only MATLAB can read
    _, start, end, at = _numbers(data, at, limit, order, (5, 6))
    dims = [int.from_bytes(data[i : i + 4], order, signed=True) for i in range(start, end, 4)]
    count = int(np.prod(dims, dtype=object))
    # Each entry takes a byte or more. Of a sparse matrix only the entries that are not zero are there.
    if not 2 <= len(dims) <= 32 or min(dims) < 0 or (count > limit and kind != _SPARSE):
        raise _Odd("a variable has no possible shape")
    _, start, end, at = _numbers(data, at, limit, order, (1, 2, 16))
    if kind in (_CELL, _STRUCT, _OBJECT):
        fields = 1
        if kind == _OBJECT:
            at = _numbers(data, at, limit, order, (1, 2, 16))[3]
        if kind != _CELL:
            _, start, end, at = _numbers(data, at, limit, order, (5,), 4)
            width = int.from_bytes(data[start:end], order)
            _, start, end, at = _numbers(data, at, limit, order, (1, 2, 16))
            if not width or (end - start) % width:
                raise _Odd("a struct has no names")
            fields = (end - start) // width
        for _ in range(count * fields):
            inner, start, end, at = _element(data, at, limit, order)
            _check_matrix(data, inner, start, end, order, depth + 1)
        return
    if kind == _FUNCTION:
        return
    # Of a sparse one the rows and where columns begin, then real and imaginary parts.
    for _ in range((2 if kind == _SPARSE else 0) + 1 + is_complex):
        inner, start, end, at = _numbers(data, at, limit, order, tuple(_SIZES))
        if kind not in (_CHAR, _SPARSE) and (end - start) != count * _SIZES[inner]:
            raise _Odd("a variable has another number of numbers than its shape says")


def _numbers(
    data: bytes, at: int, limit: int, order: object, kinds: tuple[int, ...], size: int | None = None
) -> tuple[int, int, int, int]:
    """An element of numbers of one of these kinds, and of this many bytes."""
    kind, start, end, after = _element(data, at, limit, order)
    if kind not in kinds or (size is not None and end - start != size) or (end - start) % _SIZES[kind]:
        raise _Odd("a part is not of the kind that it should be")
    return kind, start, end, after


# --- version 4 --------------------------------------------------------------------------------------------------------
_SIZES_4 = {0: 8, 1: 4, 2: 4, 3: 2, 4: 2, 5: 1}  # bytes of a number, by its kind
_LONGEST_NAME = 256


def is_matlab_4(data: bytes) -> bool:
    """Whether it begins as a variable of MATLAB 4 does: five numbers, and a name that ends with zero."""
    head = _head_4(data, 0)
    return head is not None and _is_name(data[20 : 20 + head[-1]])


def _is_name(name: bytes) -> bool:
    return name[-1:] == b"\0" and name[:-1].isascii() and name[:-1].decode("ascii").isidentifier()


def _head_4(data: bytes, at: int) -> tuple[int, int, int, int, int, int] | None:
    """Kind of number, kind of matrix, rows, columns, whether it is complex, and length of the name."""
    for order in ("little", "big"):
        words = [int.from_bytes(data[at + 4 * i : at + 4 * i + 4], order) for i in range(5)]  # type: ignore[arg-type]
        kind, matrix = words[0] // 10 % 10, words[0] % 10
        # The digits of the first word: the order of bytes, 0, the kind of number, the kind of matrix.
        if len(data) >= at + 20 and words[0] // 1000 == (order == "big") and not words[0] // 100 % 10:
            if kind in _SIZES_4 and matrix < 3 and words[3] < 2 and 1 < words[4] <= _LONGEST_NAME:
                return kind, matrix, words[1], words[2], words[3], words[4]
    return None


def _check_version_4(where: object, data: bytes) -> None:
    at = 0
    while at < len(data):
        head = _head_4(data, at)
        if head is None or not _is_name(data[at + 20 : at + 20 + head[-1]]):
            raise bad(where, "be a whole MATLAB file", "it cannot be read (a variable has no possible head)")
        kind, _, rows, columns, is_complex, name = head
        at += 20 + name + rows * columns * _SIZES_4[kind] * (1 + is_complex)
    if at > len(data):
        raise bad(where, "be a whole MATLAB file", "it cannot be read (a part is cut short)")
