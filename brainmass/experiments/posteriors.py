"""The tables of a posterior: what is asked of the data, and how it is answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax

from brainmass import inference
from brainmass.experiments.document import WRONG
from brainmass.experiments.experiment import Experiment
from brainmass.experiments.fitting import read_space
from brainmass.experiments.measures import read_recording

__all__ = ["Inferred"]

_LIKELIHOODS = {x.__name__: x for x in (inference.Gaussian, inference.StudentT)}


class Inferred:
    """What the tables `posterior`, `posterior.likelihood` and `posterior.search_space` say."""

    def __init__(self, experiment: Experiment):
        self.experiment, self.document = experiment, experiment.document
        tables = experiment.tables
        if "posterior" not in self.document.data:
            self.document.complain((), "A posterior needs the table [posterior]: what is asked, and of which data.")
        self.options = tables.read("posterior", experiment.maker())
        self.space = read_space(experiment, "posterior")
        self.of = self.likelihood = self.observed = WRONG
        if "posterior" in self.document.data:
            self._read(tables.given("posterior.likelihood"))
        self.problem = self._problem()

    def _read(self, given: Mapping[str, Any]) -> None:
        """The likelihood, of which monitor, and what was observed."""
        document, path = self.document, ("posterior", "likelihood")
        if not given:
            document.complain(("posterior",), "[posterior] needs the table [posterior.likelihood].")
            return
        if (name := given.get("type")) not in _LIKELIHOODS:
            place = (*path, "type", str(name)) if name else path
            document.unknown(place, f"There is no likelihood {name!r}", _LIKELIHOODS)
            return
        self.of = read_recording(self.experiment, path, given)
        if "observed" not in given:
            document.complain(path, f"{name} needs `observed`, the data.")
            return
        maker = self.experiment.maker()
        self.observed = maker.value((*path, "observed"), given["observed"])
        kind = _LIKELIHOODS[name]
        arguments = maker.arguments(path, kind, given, ("type", "of", "observed"))
        if arguments is not WRONG:
            self.likelihood = document.attempt(path, lambda: kind(**arguments))

    def _problem(self) -> Any:
        parts = (self.of, self.likelihood, self.observed, *self.options.values(), *self.space.values())
        if not self.experiment.is_whole or any(part is WRONG for part in parts) or not self.space:
            return WRONG
        checked = self.document.attempt(("posterior",), lambda: inference.sampling.check_arguments(**self.options))  # pyright: ignore[reportAttributeAccessIssue]
        if checked is WRONG:
            return WRONG
        run = self.experiment.of_a_run
        monitors = run["monitors"]
        # Nothing else is recorded: the likelihood sees this one, and every draw is a run.
        run["monitors"] = {self.of: self.of if monitors is None else monitors[self.of]}
        return self.document.attempt(
            ("posterior",),
            lambda: inference.Problem(
                self.experiment.simulator, self.space, self.likelihood, self.observed, **run  # pyright: ignore[reportArgumentType]
            ),
        )  # fmt: skip

    def try_all(self) -> None:
        """What sampling says before its first run; nothing is run."""
        density = self.problem.density()
        jax.eval_shape(density.log_density, jax.numpy.zeros(density.reals.size), density.given)
