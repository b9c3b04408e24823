"""Paths, and the errors of files."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

__all__ = ["DAMAGE", "as_path", "bad", "check_size", "unpacked"]

# what libraries raise where a file is damaged depends on where it is
DAMAGE = (
    OSError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, NotImplementedError,
    OverflowError, MemoryError, AssertionError, RecursionError, UnicodeError, struct.error, zipfile.BadZipFile,
    zlib.error, lzma.LZMAError, gzip.BadGzipFile,
)  # fmt: skip

_ALWAYS = 2**28  # bytes that a small file may unfold to
_RATIO = 100  # and by how much a larger one may grow


def bad(where: Any, must: str, but: str) -> ValueError:
    return ValueError(f"File {str(where)!r} must {must}, but {but}.")


def as_path(path: Any) -> Path:
    """A path, in which '~' is the home folder."""
    return Path(os.path.expanduser(os.fspath(path)))


def check_size(where: Any, declared: int, stored: int, what: str = "it") -> None:
    """Refuse what would take far more memory than the file has bytes, before it is asked for."""
    if declared > max(_ALWAYS, _RATIO * stored):
        but = f"{what} declares {declared / 1e9:.3g} GB in {stored} bytes of file"
        raise bad(where, "declare no more than it holds", but)


def unpacked(where: Any, data: bytes) -> bytes:
    """The bytes behind gzip, bzip2 or xz; others as they are."""
    if data[:2] == b"\x1f\x8b":
        stream: Any = zlib.decompressobj(wbits=31)
    elif data[:3] == b"BZh":
        stream = bz2.BZ2Decompressor()
    elif data[:6] == b"\xfd7zXZ\0":
        stream = lzma.LZMADecompressor(memlimit=_ALWAYS)
    else:
        return data
    limit = max(_ALWAYS, _RATIO * len(data))
    try:
        out = stream.decompress(data, limit + 1)
    except DAMAGE as error:
        raise bad(where, "be whole", f"it cannot be read ({error})") from error
    if len(out) > limit:
        check_size(where, len(out), 0)
    if not stream.eof:
        raise bad(where, "be whole", "it is cut short")
    return out
