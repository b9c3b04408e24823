"""`brainmass sweep FILE`."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import numpy as np

import brainmass
from brainmass._common.messages import show
from brainmass.cli.running import Work
from brainmass.experiments.document import WRONG, ExperimentError
from brainmass.experiments.experiment import Experiment, by_parameter
from brainmass.experiments.measures import Measures, read_measure
from brainmass.sweeps.design import as_design
from brainmass.sweeps.run import arranged
from brainmass.sweeps.store import is_store

__all__ = ["sweep"]


class Sweep:
    """What the tables `sweep`, `sweep.values` and `sweep.measure` say."""

    def __init__(self, experiment: Experiment):
        self.experiment, self.document = experiment, experiment.document
        self.options = experiment.tables.read("sweep", experiment.maker("design"))
        self.values = self._values()
        given = experiment.tables.given("sweep.measure")
        self.measures = {n: read_measure(experiment, ("sweep", "measure", n), x) for n, x in given.items()}
        experiment.try_out({("sweep", "measure", n): x for n, x in self.measures.items() if x is not WRONG})

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of `brainmass.sweep`."""
        names = ("seeds", "common_random_numbers", "at_once")
        options = {name: self.options[name] for name in names if name in self.options}
        design = self.options.get("design", "grid")
        values = self.values if isinstance(design, str) else self._drawn(design, self.values)
        return {
            "values": values,
            "design": design if isinstance(design, str) else "list",
            "measure": Measures(self.measures) if self.measures else None,
            **options,
        }

    def try_all(self) -> None:
        """All points together, and what is made of a run; nothing is run."""
        run = self.experiment.of_a_run
        settings = dict.fromkeys(("monitors", "inputs", "transient", "sample_every")) | run
        arranged(self.experiment.simulator, settings.pop("duration"), settings=settings, **self.arguments)

    def _values(self) -> dict[str, Any]:
        """The values of each parameter, or the bounds they are drawn from; each checked by itself."""
        given = self.experiment.tables.given("sweep.values")
        if not given and "sweep" in self.document.data:
            self.document.complain(("sweep",), "[sweep] needs the table [sweep.values], of values by parameter.")
        maker = self.experiment.maker("range")
        written = by_parameter(("sweep", "values"), given)
        values = {name: maker.value(path, x) for name, (path, x) in written.items()}
        found, design = self.experiment.held, self.options.get("design", "grid")

        def check(one: dict[str, Any]) -> Any:
            return as_design(found, one if isinstance(design, str) else self._drawn(design, one), "grid")

        for name, x in values.items():
            if x is not WRONG and found is not None and design is not WRONG:
                self.document.attempt(written[name][0], lambda name=name, x=x: check({name: x}))
        return values

    def _drawn(self, design: Any, bounds: dict[str, Any]) -> dict[str, Any]:
        """Points between bounds."""
        kind = {"random_design": brainmass.random_design, "sobol_design": brainmass.sobol_design}[design["type"]]
        ends = {name: tuple(x) if len(x) == 2 else x for name, x in bounds.items()}
        return kind(ends, **{name: x for name, x in design.items() if name != "type"})


def sweep(given: argparse.Namespace) -> int:
    """Go through the values that a file names, and keep what it asks for in a store."""
    work = Work(given)
    experiment = Experiment(work.document)
    plan = Sweep(experiment)
    if "sweep" not in work.document.data:
        work.document.complain((), "`brainmass sweep` needs the table [sweep]: which values of which parameters.")
    work.document.check()
    named = work.document.folder / plan.options["store"] if "store" in plan.options else None
    work.write_to(named or Path(f"{given.file.stem}_sweep.zarr"), (".zarr", ".nc"))
    work.tell(*experiment.describe())
    if given.check:
        work.call(plan.try_all)
        return 0
    if given.force:
        _remove(work.output)
    data = work.call(
        lambda: brainmass.sweep(
            experiment.simulator,
            **experiment.of_a_run,
            **plan.arguments,
            store=work.output,
            progress=not given.quiet,
            attrs=work.provenance,
        )
    )
    work.tell(*summary(data))
    work.tell_end(work.output)
    return 0


def _remove(path: Path) -> None:
    """Remove the store of an earlier sweep, and nothing else."""
    for there in (path, path.with_name(f"{path.name}.unfinished.zarr")):
        if there.exists() and not is_store(there):
            raise ExperimentError(f"{there} is no file of a sweep: it is not written over. Nothing was run.")
        shutil.rmtree(there) if there.is_dir() else there.unlink(missing_ok=True)


def summary(data: Any) -> list[str]:
    """What a sweep gave: its size, runs that failed, and of numbers the least and the greatest with their place."""
    failed = data["failed"].values
    sizes = ", ".join(f"{dim} {n}" for dim, n in data["failed"].sizes.items())
    lines = [f"sweep of {failed.size} runs ({sizes})"]
    if (failed != "").any():
        first = next(text for text in failed.ravel() if text)
        lines.append(f"{(failed != '').sum()} failed, the first since: {first}")
    for name, variable in data.data_vars.items():
        if name == "failed":
            continue
        if set(variable.dims) != set(data["failed"].dims):
            lines.append(f"  {name}  {dict(variable.sizes)}")
        elif np.isfinite(mean := variable.mean("seed").values).any():
            lines += [f"  {name}  {word} {_at(data, variable, which(mean))}" for word, which in _ENDS.items()]
    return lines


_ENDS = {"least": np.nanargmin, "greatest": np.nanargmax}


def _at(data: Any, variable: Any, where: Any) -> str:
    """The mean over seeds at a point, and which it is."""
    mean = variable.mean("seed")
    place = dict(zip(mean.dims, np.unravel_index(where, mean.shape), strict=True))
    point = mean.isel(place)
    given = [n for n, c in data.coords.items() if c.dims and set(c.dims) <= set(mean.dims) and n != "point"]
    at = ", ".join(f"{n} = {show(point[n].item())}{_unit(data[n])}" for n in given if point[n].ndim == 0)
    return f"{point.item():.4g}{_unit(variable)} at {at}"


def _unit(variable: Any) -> str:
    unit = variable.attrs.get("units", "1")
    return "" if unit == "1" else f" {unit}"
