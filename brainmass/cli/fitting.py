"""`brainmass fit FILE` and `brainmass posterior FILE`: what takes long, and goes on from a file where it stopped."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from brainmass.cli.running import Work

__all__ = ["fit", "posterior"]


def _found(command: str, given: argparse.Namespace) -> int:
    """Find what a file asks for by this command, and save it."""
    work = Work(given)
    work.file.check(command)
    work.write_to(Path(f"{given.file.stem}_{command}.npz"), (".npz",))
    work.tell(*work.file.describe())
    if given.check:
        work.file.try_out(command)
        return 0
    work.refuse_to_overwrite()
    # Beside the result, and named after it: the same command finds it again.
    unfinished = work.output.with_name(f"{work.output.stem}_unfinished.npz")
    # From the beginning, as asked: a result that is written over is not gone on from.
    if given.force:
        unfinished.unlink(missing_ok=True)
    if unfinished.exists():
        work.tell(f"going on from {unfinished}")
    find = {"fit": work.file.fit, "posterior": work.file.posterior}[command]
    result = find(checkpoint=unfinished, progress=not given.quiet)
    result.save(work.output)
    # Only once the result is there.
    unfinished.unlink(missing_ok=True)
    work.tell(repr(result))
    work.tell_end(work.output)
    return 0


fit, posterior = partial(_found, "fit"), partial(_found, "posterior")
