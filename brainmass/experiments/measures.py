"""What is made of a result: a score against data, a statistic, or the recording itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import brainunit as u

from brainmass import objectives
from brainmass._common.messages import show
from brainmass._common.typing import Array, Numbers
from brainmass.experiments.document import WRONG, Wrong
from brainmass.experiments.experiment import Experiment
from brainmass.experiments.places import Path
from brainmass.simulation.result import Result

__all__ = ["Measure", "Measures", "read_measure", "read_recording"]


def _of_objectives(returned: str, *first: str) -> dict[str, Any]:
    """The functions there that return this, by name, of those whose first argument has one of these names."""
    found = {name: getattr(objectives, name) for name in objectives.__all__ if name != "Objective"}
    signatures = {name: inspect.signature(x) for name, x in found.items()}
    # Annotations are text there, since they are not evaluated.
    right = {name for name, s in signatures.items() if s.return_annotation == returned}
    return {name: found[name] for name in right if not first or next(iter(signatures[name].parameters)) in first}


def _reduction(name: str) -> Callable[..., Numbers]:
    def reduction(x: Array, axis: int | None = None) -> Numbers:
        return getattr(u.math, name)(x, axis=axis)

    reduction.__name__ = name
    return reduction


SCORES = {name: x for name, x in sorted(_of_objectives("Objective").items()) if name != "combine"}
STATISTICS = dict(sorted(_of_objectives("jax.Array", "x", "phases").items()))
STATISTICS |= {name: _reduction(name) for name in ("mean", "std", "var", "min", "max", "median")}


@dataclass(frozen=True, eq=False)
# eq=False: two of them are not compared entry by entry, as target and arguments may be arrays.
class Measure:
    """A number or array from one recording of a result; of phases those in a `band`, where it is not phases already."""

    of: str
    type: str = ""
    arguments: Mapping[str, object] = field(default_factory=dict)
    target: object = None
    band: tuple[u.Quantity, ...] | None = None

    @property
    def score(self) -> Any:
        """The objective, from a prediction and data to a number; None where there is none."""
        return SCORES[self.type](**self.arguments) if self.type in SCORES else None

    def __call__(self, result: Result) -> Numbers:
        recorded = result[self.of]
        if self.band is not None:
            first, second = result.times[self.of][:2]
            recorded = objectives.instantaneous_phase(recorded, self.band, second - first)
        if self.type in SCORES:
            return self.score(recorded, self.target)
        return STATISTICS[self.type](recorded, **self.arguments) if self.type else recorded


@dataclass(frozen=True, eq=False)
class Measures:
    """Several, by name: what `measure` of a sweep is."""

    by_name: Mapping[str, Measure]

    def __call__(self, result: Result) -> dict[str, Numbers]:
        return {name: measure(result) for name, measure in self.by_name.items()}


def read_measure(experiment: Experiment, path: Path, given: object, *, is_loss: bool = False) -> Any:
    """A measure as a file has it; `WRONG` where that is wrong."""
    document = experiment.document
    if not isinstance(given, Mapping):
        text = f'must be a table, such as {{type = "mean", of = "x"}}, but is {show(given)}.'
        return document.complain(path, f"{document.call(path)} {text}")
    known = SCORES if is_loss else {**SCORES, **STATISTICS}
    name, right = given.get("type", ""), True
    if name and name not in known:
        document.unknown(
            (*path, "type", str(name)), f"There is no {'objective' if is_loss else 'measure'} {name!r}", known
        )
        right = False
    of = read_recording(experiment, path, given)
    needs_target = name in SCORES or is_loss
    if needs_target and "target" not in given:
        document.complain(path, f"{name or 'A loss'} needs `target`, the data to compare with.")
        right = False
    if not right or of is WRONG:
        return WRONG
    maker = experiment.maker()
    target = maker.value((*path, "target"), given["target"]) if needs_target else None
    function = known[name] if name else _no_arguments
    first = () if name in SCORES or not name else (next(iter(inspect.signature(function).parameters)),)
    takes_phases = first == ("phases",)
    skip = ("type", "of", *["target"] * needs_target, *["band"] * takes_phases)
    arguments = maker.arguments(path, function, given, skip, first)
    band = _band(experiment, path, given, of) if takes_phases else None
    if target is WRONG or arguments is WRONG or band is WRONG:
        return WRONG
    measure = Measure(of, name, arguments, target, band)
    # Made once for the errors of its arguments.
    if document.attempt(path, lambda: measure.score) is WRONG:
        return WRONG
    if is_loss and "as_loss" in inspect.signature(function).parameters and not arguments.get("as_loss"):
        return document.complain(path, f"A fit makes {name} small: write as_loss = true.")
    return measure


def _band(
    experiment: Experiment, path: Path, given: Mapping[str, object], of: str
) -> tuple[u.Quantity, ...] | Wrong | None:
    """The band of which the phases are taken; None where the monitor records phases."""
    document = experiment.document
    if "band" in given:
        band = experiment.maker().value((*path, "band"), given["band"])
        is_pair = isinstance(band, u.Quantity) and band.shape == (2,)
        if band is WRONG or is_pair:
            return band if band is WRONG else tuple(band)
        text = f'must be two frequencies, such as ["8 Hz", "12 Hz"], but is {show(given["band"])}.'
        return document.complain((*path, "band"), f"{document.call((*path, 'band'))} {text}")
    if experiment.records_phases(of):
        return None
    return document.complain(
        path,
        f'{given["type"]} takes phases, and {of!r} records none: say of which band, band = ["8 Hz", "12 Hz"].',
    )


def read_recording(experiment: Experiment, path: Path, given: Mapping[str, object]) -> Any:
    """The name of the monitor that it is about."""
    document = experiment.document
    if "of" not in given:
        return document.complain(path, f"{document.call(path)} needs `of`, the name of a monitor.")
    written = experiment.tables.given("monitors")  # also of those that are wrong
    # Without monitors a run records all states, by their names.
    known = list(written or ([] if experiment.node_type is WRONG else experiment.node_type._states))
    if given["of"] not in known and known:
        return document.unknown((*path, "of", str(given["of"])), f"There is no monitor {given['of']!r}", known)
    return given["of"]


def _no_arguments() -> None:
    """The recording itself: there is nothing to say about it."""
