"""A store that one sweep at a time writes to."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from brainmass._common.extras import import_io

__all__ = ["only_writer"]


@contextlib.contextmanager
def only_writer(store: Path) -> Iterator[bool]:
    """Hold the store; the operating system lets go of it when the process ends, in whatever way.

    Gives whether it is held: in a folder to read from only it is not, and a sweep that is done can still be returned.

    Raises
    ------
    RuntimeError
        If another sweep holds it.
    """
    filelock = import_io("filelock")
    path = store.with_name(f".{store.name}.lock")
    lock = filelock.FileLock(path, timeout=0)
    holder = _text(path)  # before we try: to open it may empty it
    try:
        lock.acquire()
    except filelock.Timeout:
        raise RuntimeError(
            f"{store} is being written to by another sweep, {holder or 'which just began'}: wait until it has "
            "ended, or give `store` another name."
        ) from None
    except PermissionError:
        yield False
        return
    try:
        with contextlib.suppress(OSError):  # where a file that is held cannot be written, nothing is told of its holder
            path.write_text(f"process {os.getpid()} on {socket.gethostname()}")
        yield True
    finally:
        with contextlib.suppress(OSError):  # the same; while it is held, that none takes it in between
            path.unlink(missing_ok=True)
        lock.release()


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
