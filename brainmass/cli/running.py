"""`brainmass run FILE`, and what it shares with the other commands on a file."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import brainmass
from brainmass.experiments.document import ExperimentError
from brainmass.experiments.file import ExperimentFile

__all__ = ["Work", "run"]


class Work:
    """One command on one experiment file: checks, what is written, and what is told of it."""

    def __init__(self, given: argparse.Namespace):
        self.given, self.command = given, given.command
        self.started = time.perf_counter()
        self.file = ExperimentFile(given.file)

    def write_to(self, default: Path, suffixes: tuple[str, ...]) -> None:
        """Decide on the file that is written: the one asked for, or else this."""
        path = self.given.output or default
        if path.suffix not in suffixes:
            raise ExperimentError(f"The result must be a file that ends in {' or '.join(suffixes)}, but is {path}.")
        if not path.resolve().parent.is_dir():
            raise ExperimentError(f"The result must lie in an existing folder, but {path.resolve().parent} is none.")
        self.output = path

    def refuse_to_overwrite(self) -> None:
        """A result that is there stays, unless `--force` says otherwise."""
        if self.output.exists() and not self.given.force:
            raise ExperimentError(
                f"{self.output} is there already: nothing was run. Name another file with --output, or write over it "
                "with --force."
            )

    def tell(self, *lines: str) -> None:
        """Tell what was done, on stdout."""
        if not self.given.quiet:
            print(*lines, sep="\n")

    def tell_end(self, where: Path) -> None:
        """How long it took, and where the result is; also in a quiet run."""
        self.tell(f"{self.command} took {time.perf_counter() - self.started:.1f} s")
        print(f"wrote {where}")


def run(given: argparse.Namespace) -> int:
    """Simulate what a file describes, and save the result."""
    work = Work(given)
    work.write_to(Path(f"{given.file.stem}_run.npz"), (".npz", ".nc"))
    work.file.check()
    work.tell(*work.file.describe())
    if given.check:
        return 0
    # After `--check`, which writes nothing, and before the run.
    work.refuse_to_overwrite()
    try:
        result = work.file.run(progress=not given.quiet)
    except brainmass.DivergenceError as error:
        there = work.output.with_name(f"{work.output.stem}_diverged{work.output.suffix}")
        error.result.save(there)
        raise ExperimentError(f"{error}\nwrote what was recorded to {there}", status=1) from error
    result.save(work.output)
    work.tell(repr(result))
    work.tell_end(work.output)
    return 0
