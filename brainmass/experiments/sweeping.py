"""The tables of a sweep: the values of parameters, and what is kept of each run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import brainmass
from brainmass.experiments.document import WRONG
from brainmass.experiments.experiment import Experiment, by_parameter
from brainmass.experiments.measures import Measures, read_measure
from brainmass.simulation.inventory import Inventory
from brainmass.sweeps.design import as_design
from brainmass.sweeps.run import arranged

__all__ = ["Sweep"]


class Sweep:
    """What the tables `sweep`, `sweep.values` and `sweep.measure` say."""

    def __init__(self, experiment: Experiment):
        self.experiment, self.document = experiment, experiment.document
        if "sweep" not in self.document.data:
            self.document.complain((), "A sweep needs the table [sweep]: which values of which parameters.")
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

    @property
    def store(self) -> Path | None:
        """The file to write, where the table names one, seen from the folder of the experiment file."""
        return self.document.folder / self.options["store"] if "store" in self.options else None

    def try_all(self) -> None:
        """All points together, and what is made of a run; nothing is run."""
        run = self.experiment.of_a_run
        # `arranged` wants each of them, None where the file says nothing.
        settings = dict.fromkeys(("monitors", "inputs", "parameters", "transient", "sample_every")) | run
        arranged(self.experiment.simulator, settings.pop("duration"), settings=settings, **self.arguments)

    def _values(self) -> dict[str, object]:
        """The values of each parameter, or the bounds they are drawn from; each checked by itself."""
        given = self.experiment.tables.given("sweep.values")
        if not given and "sweep" in self.document.data:
            self.document.complain(("sweep",), "[sweep] needs the table [sweep.values], of values by parameter.")
        maker = self.experiment.maker("range")
        written = by_parameter(("sweep", "values"), given)
        values = {name: maker.value(path, x) for name, (path, x) in written.items()}
        found, design = self.experiment.held, self.options.get("design", "grid")

        def check(held: Inventory, one: dict[str, object]) -> object:
            # One parameter by itself is a grid under any design: that lists have one length is asked of all together.
            return as_design(held, one if isinstance(design, str) else self._drawn(design, one), "grid")

        for name, x in values.items():
            if x is not WRONG and found is not None and design is not WRONG:
                self.document.attempt(written[name][0], lambda name=name, x=x: check(found, {name: x}))
        return values

    def _drawn(self, design: Any, bounds: dict[str, Any]) -> dict[str, Any]:
        """Points between bounds."""
        kind = {"random_design": brainmass.random_design, "sobol_design": brainmass.sobol_design}[design["type"]]
        # What is no pair goes on as it is, to the error of the design.
        ends = {name: tuple(x) if len(x) == 2 else x for name, x in bounds.items()}
        return kind(ends, **{name: x for name, x in design.items() if name != "type"})
