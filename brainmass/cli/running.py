"""`brainmass run FILE`, and what it shares with `sweep` and `fit`."""

from __future__ import annotations

import argparse
import datetime
import time
from pathlib import Path
from typing import Any

import brainmass
from brainmass._common.precision import default_dtype
from brainmass.experiments.document import EXPECTED, Document, ExperimentError
from brainmass.experiments.experiment import Experiment
from brainmass.experiments.machine import devices, versions

__all__ = ["Work", "run"]


class Work:
    """One command on one experiment file: checks, what is written, and what is told of it."""

    def __init__(self, given: argparse.Namespace):
        self.given, self.command = given, given.command
        self.started = time.perf_counter()
        self.document = Document(given.file)

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

    def call(self, compute: Any) -> Any:
        """What `compute()` gives; input that is found to be wrong as the run begins is told as such."""
        try:
            return compute()
        except EXPECTED as error:
            if self.given.traceback:
                raise
            self.document.blame((), error)
            self.document.check()
            raise

    @property
    def provenance(self) -> dict[str, str]:
        """Where numbers come from: the file, the versions, the device."""
        document = self.document
        checksums = {f"sha256 of {name}": text for name, text in document.files.items()}
        return {
            "command": f"brainmass {self.command}",
            "experiment": document.path.name,
            "experiment_sha256": document.sha256,
            "experiment_text": document.text,
            **checksums,
            "written": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "device": devices(),
            "precision": str(default_dtype()),
            **versions(),
        }

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
    experiment = Experiment(work.document)
    work.document.check()
    work.tell(*experiment.describe())
    if given.check:
        return 0
    work.refuse_to_overwrite()
    seed, batch = experiment.settings.get("seed", 0), experiment.settings.get("batch_size")
    progress = not given.quiet and batch is None  # a bar counts the steps of one program, a batch is several
    try:
        result = work.call(
            lambda: experiment.simulator.run(**experiment.of_a_run, batch_size=batch, seed=seed, progress=progress)
        )
    except brainmass.DivergenceError as error:
        there = work.output.with_name(f"{work.output.stem}_diverged{work.output.suffix}")
        with_provenance(error.result, work.provenance).save(there)
        raise ExperimentError(f"{error}\nwrote what was recorded to {there}", status=1) from error
    with_provenance(result, work.provenance).save(work.output)
    work.tell(repr(result))
    work.tell_end(work.output)
    return 0


def with_provenance(result: Any, provenance: dict[str, str]) -> Any:
    """A result that says where it comes from."""
    return brainmass.Result(
        result.recorded,
        result.times,
        dt=result.dt,
        duration=result.duration,
        final=result.final,
        labels=result.labels,
        provenance={**provenance, **result.provenance},
    )
