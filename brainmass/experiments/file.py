"""An experiment file from Python: what it describes, and its run, its sweep, its fit and its posterior."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeVar

import brainmass
from brainmass._common.paths import as_path
from brainmass._common.precision import default_dtype
from brainmass.experiments.document import EXPECTED, Document
from brainmass.experiments.experiment import Experiment
from brainmass.experiments.fitting import Fit
from brainmass.experiments.machine import devices, versions
from brainmass.experiments.posteriors import Inferred
from brainmass.experiments.sweeping import Sweep

if TYPE_CHECKING:
    from pathlib import Path

    from xarray import Dataset

__all__ = ["ExperimentFile", "load"]

T = TypeVar("T")


def load(path: str | PathLike[str]) -> ExperimentFile:
    """The experiment that a TOML file describes, which was checked as a whole.

    Parameters
    ----------
    path : path
        What may stand in it is told by `brainmass keys`, on the command line.

    Raises
    ------
    ExperimentError
        With all that is wrong with the file, and the lines.
    """
    file = ExperimentFile(path)
    file.check()
    return file


class ExperimentFile:
    """What an experiment file describes; what `brainmass.experiments.load` gives.

    Each result says where it comes from, in its `provenance`: the text of the file and its SHA-256, those of the files
    that it names, versions, device and time.

    Attributes
    ----------
    simulator : Simulator
        Of the model that the file describes, with its time step.
    """

    def __init__(self, path: str | PathLike[str]):
        self._document = Document(path)
        self._described = Experiment(self._document)

    @property
    def simulator(self) -> brainmass.Simulator:
        """Of the model that the file describes, with its time step."""
        return self._described.simulator

    @property
    def arguments(self) -> dict[str, Any]:
        """Those of `Simulator.run`: duration, monitors, inputs and what else the file says of a run."""
        settings = self._described.settings
        own = {name: settings[name] for name in ("batch_size", "seed") if name in settings}
        # Without a seed in the file still the same numbers at each run of it.
        return self._described.of_a_run | {"seed": 0} | own

    @property
    def store(self) -> Path | None:
        """Path of the file that a sweep writes, where the table [sweep] names one; else None."""
        return self._sweep.store

    def run(self, *, progress: bool = False) -> brainmass.Result:
        """Simulate what the file describes.

        Raises
        ------
        ExperimentError
            Where what a run finds at its start is wrong with the file, with the line.
        DivergenceError
            If a state became infinite or NaN; its `result` holds what was recorded.
        """
        self.check()
        # a bar counts the steps of one program, a batch is several
        progress = progress and "batch_size" not in self.arguments
        try:
            result = self._called(lambda: self.simulator.run(**self.arguments, progress=progress))
        except brainmass.DivergenceError as error:
            error.result = _with_provenance(error.result, self._provenance("run"))
            raise
        return _with_provenance(result, self._provenance("run"))

    def sweep(self, *, store: str | PathLike[str] | None = None, progress: bool = False) -> Dataset:
        """Go through the values that the file names.

        Parameters
        ----------
        store : path, optional
            File to write, `.zarr` or `.nc`, in which a sweep that was cut off goes on. Default that of the file, if it
            names one; else memory alone.
        progress : bool
            Show a progress bar.

        Returns
        -------
        xarray.Dataset
            As `brainmass.sweep` gives it.
        """
        self.check("sweep")
        store = self.store if store is None else store
        return self._called(
            lambda: brainmass.sweep(
                self.simulator, **self._described.of_a_run, **self._sweep.arguments, store=store, progress=progress,
                attrs=self._provenance("sweep"),
            )
        )  # fmt: skip

    def fit(self, *, checkpoint: str | PathLike[str] | None = None, progress: bool = False) -> brainmass.FitResult:
        """Fit the parameters that the file names.

        Parameters
        ----------
        checkpoint : path, optional
            File to write now and then; a fit goes on from it where it is there.
        progress : bool
            Show a progress bar.
        """
        self.check("fit")
        there = None if checkpoint is None else as_path(checkpoint)
        # One file for both: a command that was cut off goes on when it is given once more.
        saved = {"checkpoint": there, "resume": there if there is not None and there.exists() else None}
        result = self._called(lambda: self._fit.fitter.fit(**self._fit.arguments, **saved, progress=progress))
        result.provenance = self._provenance("fit")
        return result

    def posterior(
        self, *, checkpoint: str | PathLike[str] | None = None, progress: bool = False
    ) -> brainmass.inference.Posterior:
        """Draw from the posterior of the parameters that the file names.

        Parameters
        ----------
        checkpoint : path, optional
            File to write now and then, by methods that can go on from one; they do where it is there.
        progress : bool
            Show a progress bar.
        """
        self.check("posterior")
        options, saved = dict(self._inferred.options), {}
        if checkpoint is not None and brainmass.inference.sampling.keeps(options.get("method", "nuts")):  # pyright: ignore[reportAttributeAccessIssue]
            there = as_path(checkpoint)
            saved = {"checkpoint": there, "resume": there if there.exists() else None}
        found = self._called(
            lambda: brainmass.inference.sample(self._inferred.problem, **options, **saved, progress=progress)
        )
        found.provenance = self._provenance("posterior")
        return found

    def check(self, command: str = "run") -> None:
        """Raise an `ExperimentError` with all that is wrong with what a command needs, such as "fit", of the file."""
        # What it finds to be wrong is noted while it is made.
        self._plan(command)
        self._document.check()

    def try_out(self, command: str) -> None:
        """Besides, what a "sweep", "fit" or "posterior" says before its first run; nothing is run."""
        self._called(self._plan(command).try_all)

    def describe(self) -> list[str]:
        """What is run, in a few lines."""
        return self._described.describe()

    # --- within -------------------------------------------------------------------------------------------------------
    @functools.cached_property
    def _sweep(self) -> Sweep:
        return Sweep(self._described)

    @functools.cached_property
    def _fit(self) -> Fit:
        return Fit(self._described)

    @functools.cached_property
    def _inferred(self) -> Inferred:
        return Inferred(self._described)

    def _plan(self, command: str) -> Any:
        plans = {"sweep": lambda: self._sweep, "fit": lambda: self._fit, "posterior": lambda: self._inferred}
        return plans.get(command, lambda: None)()

    def _called(self, compute: Callable[[], T]) -> T:
        """What `compute()` gives; input that is found to be wrong as the run begins is told as such."""
        try:
            return compute()
        except EXPECTED as error:
            self._document.blame((), error)
            problems = self._document.problems()
            self._document.forget()
            raise problems from error

    def _provenance(self, command: str) -> dict[str, str]:
        """Where numbers come from: the file, the versions, the device."""
        document = self._document
        checksums = {f"sha256 of {name}": text for name, text in document.files.items()}
        return {
            "command": f"brainmass {command}",
            "experiment": document.path.name,
            "experiment_sha256": document.sha256,
            "experiment_text": document.text,
            **checksums,
            "written": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "device": devices(),
            "precision": str(default_dtype()),
            **versions(),
        }


def _with_provenance(result: brainmass.Result, provenance: dict[str, str]) -> brainmass.Result:
    """A result that says where it comes from."""
    result._provenance = tuple({**provenance, **result.provenance}.items())
    return result
