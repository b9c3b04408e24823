"""The errors of files."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import zipfile
import zlib
from typing import Any

__all__ = ["DAMAGE", "bad", "check_size", "unpacked"]

# what libraries raise where a file is damaged depends on where it is
DAMAGE = (
    OSError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, NotImplementedError,
    OverflowError, MemoryError, AssertionError, RecursionError, UnicodeError, struct.error, zipfile.BadZipFile,
    zlib.error, lzma.LZMAError, gzip.BadGzipFile,
)  # fmt: skip

_ALWAYS = 2**28  # bytes that a small file may unfold to
_RATIO = 100  # and by how much a larger one may grow
_PIECE = 2**16  # bytes that are unpacked at a time


def bad(where: object, must: str, but: str) -> ValueError:
    but = " ".join(str(but).split())  # messages of libraries may have several lines
    but = "".join(c if c.isprintable() else repr(c)[1:-1] for c in but)
    return ValueError(f"File {str(where)!r} must {must}, but {but}.")


def check_size(where: Any, declared: int, stored: int, what: str = "it") -> None:
    """Refuse what would take far more memory than the file has bytes, before it is asked for."""
    if declared > max(_ALWAYS, _RATIO * stored):
        but = f"{what} declares {declared / 1e9:.3g} GB in {stored} bytes of file"
        raise bad(where, "declare no more than it holds", but)


def unpacked(where: object, data: bytes) -> bytes:
    """The bytes behind gzip, bzip2 or xz; others as they are."""
    stream = _stream(data[:6])
    if stream is None:
        return data
    parts, size, limit, at = [], 0, max(_ALWAYS, _RATIO * len(data)), 0
    while at < len(data):
        if stream.eof:  # one stream after the other, as of bgzip and pbzip2, perhaps with zeros at the end
            stream = _stream(data[at : at + 6])
            if stream is None and not data[at:].strip(b"\0"):
                break
            if stream is None:
                raise bad(where, "be whole", f"it goes on with {len(data) - at} bytes that are not compressed")
        piece = data[at : at + _PIECE]
        try:
            parts.append(stream.decompress(piece, limit + 1 - size))
        except DAMAGE as error:
            raise bad(where, "be whole", f"it cannot be read ({error})") from error
        size += len(parts[-1])
        if size > limit:
            but = f"it unfolds to more than {limit / 1e9:.3g} GB from {len(data)} bytes"
            raise bad(where, "declare no more than it holds", but)
        # What follows a stream that has ended belongs to the next one.
        at += len(piece) - len(stream.unused_data if stream.eof else b"")
    if stream is not None and not stream.eof:
        raise bad(where, "be whole", "it is cut short")
    out = b"".join(parts)
    if _stream(out[:6]) is not None:
        raise bad(where, "be compressed once", "it is compressed twice: unpack it first")
    return out


def _stream(data: bytes) -> Any:
    """What unpacks these bytes, or None."""
    if data[:2] == b"\x1f\x8b":
        return zlib.decompressobj(wbits=31)
    if data[:3] == b"BZh":
        return bz2.BZ2Decompressor()
    return lzma.LZMADecompressor(memlimit=_ALWAYS) if data[:6] == b"\xfd7zXZ\0" else None
