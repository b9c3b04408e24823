"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

__all__ = ["whole_file"]


@contextlib.contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """A path to write to, renamed to `target` once all is written; a write that fails leaves what was there.

    A file that is replaced keeps its permissions.
    """
    # In the folder of the target: between file systems there is no renaming at once.
    partial = target.with_name(f".{target.stem}.{secrets.token_hex(4)}.partial{target.suffix}")
    try:
        yield partial
        # Else a machine that loses power may keep the new name and not the content. For writing, as Windows refuses it
        # otherwise.
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        if target.exists():
            os.chmod(partial, stat.S_IMODE(target.stat().st_mode))
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
