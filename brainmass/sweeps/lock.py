"""A store that one sweep at a time writes to."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

__all__ = ["only_writer"]


@contextlib.contextmanager
def only_writer(store: Path) -> Iterator[bool]:
    """Hold the store; the operating system lets go of it when the process ends, in whatever way.

    Gives whether it is held: where that cannot be, there may be others.

    Raises
    ------
    RuntimeError
        If another sweep holds it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield False
        return
    path = store.with_name(f".{store.name}.lock")
    try:
        file = _opened(path)
    except PermissionError:  # a folder to read from only: a sweep that is done can still be returned
        yield False
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(
                f"{store} is being written to by another sweep, {file.read().strip() or 'which just began'}: wait "
                "until it has ended, or give `store` another name."
            ) from None
        if not _is_at(path, file.fileno()):  # its last holder removed it between our two steps
            raise RuntimeError(f"{store} was being written to by another sweep until now: call this one again.")
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        try:
            yield True
        finally:
            path.unlink(missing_ok=True)


def _opened(path: Path):
    return open(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+")


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
