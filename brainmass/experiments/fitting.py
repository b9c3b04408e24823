"""The tables of a fit: what is fitted, to what, and how."""

from __future__ import annotations

import dataclasses
from typing import Any

import brainunit as u
import numpy as np
import optax

import brainmass
from brainmass._common.typing import Numbers
from brainmass.experiments.document import WRONG, Document
from brainmass.experiments.experiment import Experiment, by_parameter
from brainmass.experiments.measures import read_measure
from brainmass.fitting.description import described

__all__ = ["Fit", "read_space"]

_SOUGHT = {"fit": "what is fitted", "posterior": "the priors"}

_OF_FIT = ("n_steps", "seed", "fresh_noise", "patience", "min_delta")
_OF_FITTER = ("backend", "transient", "n_starts", "popsize", "mode", "grad_horizon")


class Fit:
    """What the tables `fit`, `fit.loss` and `fit.search_space` say."""

    def __init__(self, experiment: Experiment):
        self.experiment, self.document = experiment, experiment.document
        tables = experiment.tables
        if "fit" not in self.document.data:
            self.document.complain((), "A fit needs the table [fit]: what is fitted, and to what.")
        self.options = tables.read("fit", experiment.maker("optimiser", "schedule"))
        self.loss: Any = WRONG
        if "fit" in self.document.data:
            self.loss = read_measure(experiment, ("fit", "loss"), tables.given("fit.loss"), is_loss=True)
            if self.loss is not WRONG and self.loss.type:
                # By shapes alone, before anything is run: a target that does not fit is told with its line.
                experiment.try_out({("fit", "loss"): self._compared})
        self.space = read_space(experiment, "fit")
        self.optimizer = self._optimizer(self.options.get("optimizer"))
        self.fitter = self._fitter()

    def _compared(self, result: brainmass.Result) -> Numbers:
        """The loss of a result, save for the samples at its beginning that it leaves out."""
        # WRONG where that key was complained about: the loss itself is looked at all the same.
        first, recorded = self.options.get("transient", 0), result[self.loss.of]
        return self.loss.score(recorded if first is WRONG else recorded[first:], self.loss.target)

    def _optimizer(self, given: object) -> Any:
        """Several optimisers of optax as a chain of them."""
        path = ("fit", "optimizer")
        if isinstance(given, dict):
            return self.document.complain(path, f'{Document.call(path)} needs a `type`, such as "adam".')
        return self.document.attempt(path, lambda: optax.chain(*given)) if isinstance(given, list) else given

    def _fitter(self) -> Any:
        experiment = self.experiment
        parts = (self.optimizer, self.loss, *self.options.values(), *self.space.values())
        if not experiment.is_whole or any(part is WRONG for part in parts) or not self.space:
            return WRONG
        run = experiment.of_a_run
        if "transient" in run and "transient" in self.options:
            return self.document.complain(
                ("fit", "transient"), "The run leaves out its own `transient`, of [simulation]: give one of the two."
            )
        options = run | {name: self.options[name] for name in _OF_FITTER if name in self.options}
        objective = {self.loss.of: self.loss.score}
        return self.document.attempt(
            ("fit",),
            lambda: brainmass.Fitter(
                experiment.simulator, self.optimizer, objective=objective, search_space=self.space, **options
            ),
        )

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of `Fitter.fit`."""
        return {name: self.options[name] for name in _OF_FIT if name in self.options} | {"target": self.loss.target}

    def try_all(self) -> None:
        """What a fit says before its first step; nothing is run."""
        self.fitter._arranged(**self.arguments)


def read_space(experiment: Experiment, table: str) -> dict[str, object]:
    """How each parameter that is searched is described, checked by itself; of [fit] or [posterior]."""
    document, given = experiment.document, experiment.tables.given(f"{table}.search_space")
    if not given and table in document.data:
        document.complain((table,), f"[{table}] needs the table [{table}.search_space], of {_SOUGHT[table]}.")
    maker = experiment.maker("search", "prior", "transform", "regularisation")
    written = by_parameter((table, "search_space"), given)
    space = {name: _bounds(maker.value(path, x)) for name, (path, x) in written.items()}
    found = experiment.held
    for name, how in space.items():
        # those of a likelihood are found when there is one
        if how is not WRONG and found is not None and not name.startswith("likelihood."):
            path = written[name][0]
            document.attempt(path, lambda name=name: found.find_param(name))
            document.attempt(path, lambda name=name, how=how: described({name: how}))
    return space


def _bounds(how: object) -> object:
    """Two bounds as a pair."""
    if isinstance(how, brainmass.Free):
        return dataclasses.replace(how, bounds=_bounds(how.bounds))
    # TOML knows no tuples.
    if isinstance(how, np.ndarray | u.Quantity | list) and len(how) == 2:
        return how[0], how[1]
    return how
