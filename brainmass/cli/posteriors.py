"""`brainmass posterior FILE`."""

from __future__ import annotations

import argparse
from pathlib import Path

from brainmass.cli.running import Work

__all__ = ["posterior"]


def posterior(given: argparse.Namespace) -> int:
    """Draw from the posterior of the parameters that a file names, and save the draws."""
    work = Work(given)
    work.file.check("posterior")
    work.write_to(Path(f"{given.file.stem}_posterior.npz"), (".npz",))
    work.tell(*work.file.describe())
    if given.check:
        work.file.try_out("posterior")
        return 0
    work.refuse_to_overwrite()
    unfinished = work.output.with_name(f"{work.output.stem}_unfinished.npz")
    if given.force:
        unfinished.unlink(missing_ok=True)
    if unfinished.exists():
        work.tell(f"going on from {unfinished}")
    result = work.file.posterior(checkpoint=unfinished, progress=not given.quiet)
    result.save(work.output)
    unfinished.unlink(missing_ok=True)
    work.tell(repr(result))
    work.tell_end(work.output)
    return 0
