"""The run that a fit makes itself: these monitors, driven by these inputs, against the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import brainunit as u
import jax
import numpy as np

from brainmass._common.checks import mapping
from brainmass._common.messages import Argument, argument_error, show, suggestion
from brainmass._common.typing import Numbers, Pytree
from brainmass.dynamics.noise import Noise
from brainmass.fitting.saved import digest
from brainmass.forward.observer import Observer
from brainmass.objectives.combination import Several
from brainmass.simulation.monitors import Monitor, as_monitors
from brainmass.simulation.program import Bundle
from brainmass.simulation.simulator import Simulator
from brainmass.stimuli.algebra import Drive

__all__ = ["ByMonitor", "Recorded", "Subject", "as_objective"]


class Subject(Bundle):
    """What a fit changes: a model, what drives it and what observes it. The paths of the model are its own."""

    transparent = "model"

    def __init__(
        self, model: Any, monitors: Mapping[str, Monitor] | None = None, inputs: Any = None, parameters: Any = None
    ):
        super().__init__(model, dict(monitors or {}), inputs, parameters)
        for name in ("inputs", "observers", "parameters"):
            if getattr(self, name) and name in vars(model):
                raise ValueError(
                    f"Fitter cannot tell what the attribute `{name}` of {type(model).__name__} holds from the {name} "
                    "of the run: give the attribute another name."
                )


class Recorded:
    """What the monitors of a run record, of those that are compared: the array of one, or of several by name.

    Parameters
    ----------
    simulator : Simulator
    settings : mapping
        Arguments of `Simulator.run`: duration, inputs, monitors, transient, sample_every, parameters.
    objective : callable, mapping of them, or None
    """

    def __init__(self, simulator: Simulator, settings: Mapping[str, Any], objective: object):
        monitors = as_monitors(settings["monitors"], simulator.model)
        inputs = _as_mapping(settings["inputs"], simulator.model)
        self.dt = simulator.dt
        given = settings.get("parameters")
        parameters = {} if given is None else mapping(Argument("parameters", "run"), given, "values or courses")
        apart = ("monitors", "inputs", "parameters")
        self.times = {n: x for n, x in settings.items() if x is not None and n not in apart}
        simulator.pure(**self.times, monitors=monitors, inputs=inputs, parameters=given)  # for its errors
        self.by_name = isinstance(objective, Mapping)
        self._names = set(objective.names) if isinstance(objective, Several) else None
        if not monitors:
            raise argument_error(Argument("monitors", "run"), "must have what is compared", "is empty")
        self.compared = [*(objective if isinstance(objective, Mapping) else monitors)]
        # What has parameters is in the subject: of others, and of how they are recorded, the rest.
        self.monitors = {n: (_unless_module(m.what), m.every, m.source) for n, m in monitors.items()}
        self.inputs = {port: _kept(x) for port, x in inputs.items() if not _is_module(x)}
        self.parameters = {name: _kept(x) for name, x in parameters.items() if not _is_module(x)}

    @staticmethod
    def subject_of(simulator: Simulator, settings: Mapping[str, object]) -> Subject:
        """What such a run has parameters in."""
        inputs = _as_mapping(settings["inputs"], simulator.model)
        modules = {port: x for port, x in inputs.items() if _is_module(x)}
        parameters: Any = settings.get("parameters") or {}
        courses = {name: x for name, x in parameters.items() if _is_module(x)}
        return Subject(simulator.model, as_monitors(settings["monitors"], simulator.model), modules, courses)

    def __call__(self, subject: Subject) -> Pytree:
        observers: Mapping[str, object] = subject.observers
        # Observers, stimuli and courses come from the copy, which holds the traced values; the rest is as it was given.
        monitors = {
            name: Monitor(observers[name] if name in observers else what, every, source)
            for name, (what, every, source) in self.monitors.items()
        }
        run = Simulator(subject.model, self.dt).run
        inputs, parameters = self.inputs | subject.inputs, self.parameters | subject.courses
        result = run(**self.times, monitors=monitors, inputs=inputs, parameters=parameters)
        if nothing := [name for name in self.compared if name not in result]:
            what = Argument("monitors", "run")
            raise argument_error(what, "must record what is compared", f"records nothing as {nothing[0]!r}")
        return {name: result[name] for name in self.compared} if len(self.compared) > 1 else result[self.compared[0]]

    def against(self, target: Numbers) -> Pytree:
        """Data in the form of the prediction: by name, or of the one monitor."""
        several = len(self.compared) > 1
        if isinstance(target, Mapping) and target.keys() == self._names:  # one for each of several objectives
            return target
        if isinstance(target, Mapping) or (several and self.by_name):
            _check_names("target", "fit", target, self.compared)
        return target if several or not isinstance(target, Mapping) else target[self.compared[0]]

    def describe(self) -> dict[str, object]:
        """What a file must agree with."""
        times = {name: self._ms(x) for name, x in self.times.items()}
        given = self.inputs | {f"parameters.{name}": x for name, x in self.parameters.items()}
        arrays = {name: x for name, x in given.items() if not callable(x)}
        monitors = {
            n: [_words(what), self._ms(every), _words(source)] for n, (what, every, source) in self.monitors.items()
        }
        inputs = {name: _words(x) for name, x in given.items() if name not in arrays}
        return {"run": [self._ms(1), times, monitors, inputs, digest(arrays)]}

    def _ms(self, time: Any) -> str:
        """A time, or a number of steps, in ms."""
        time = time if time is None or isinstance(time, u.Quantity) else time * self.dt
        # Nine digits: what single precision tells apart, so that one time is one text.
        return "" if time is None else f"{float(time.to_decimal(u.ms)):.9g}"


def as_objective(objective: object, monitors: object) -> Any:
    """One function of prediction and target: of a mapping the sum, each of what its monitor records and its data."""
    if not isinstance(objective, Mapping):
        return objective
    if not objective:
        raise argument_error(Argument("objective", "Fitter"), "must hold at least one function", "is empty")
    _check_names("objective", "Fitter", objective, monitors, all_of=False)
    if len(objective) == 1:
        return next(iter(objective.values()))
    for name, function in objective.items():
        if not callable(function):
            raise argument_error(
                Argument("objective", "Fitter"),
                "must hold functions",
                f"for `{name}` has {show(function)}",
                kind=TypeError,
            )

    return ByMonitor(objective)


class ByMonitor:
    """Objectives, each of what its monitor records and of the data of that name; several of one by 'monitor.name'."""

    def __init__(self, objectives: Mapping[str, Any]):
        self._objectives = dict(objectives)
        self.weights: dict[str, float] = {}
        for monitor, f in objectives.items():
            named = f.weights if isinstance(f, Several) else {"": 1.0}
            self.weights |= {f"{monitor}.{name}".rstrip("."): weight for name, weight in named.items()}

    def each(self, prediction: Mapping[str, Numbers], target: Pytree) -> dict[str, Numbers]:
        found: dict[str, Numbers] = {}
        for monitor, f in self._objectives.items():
            pair = prediction[monitor], target[monitor]
            if isinstance(f, Several):
                found |= {f"{monitor}.{name}": value for name, value in f.each(*pair).items()}
            else:
                found[monitor] = f(*pair)
        return found

    def __call__(self, prediction: Mapping[str, Numbers], target: Pytree) -> Numbers:
        return sum(self.weights[name] * value for name, value in self.each(prediction, target).items())


def _check_names(argument: str, of: str, given: object, known: Pytree, all_of: bool = True) -> None:
    """That a mapping has the names of the monitors that are compared."""
    if not isinstance(given, Mapping):
        raise argument_error(
            Argument(argument, of),
            f"must map {', '.join(known)} to what belongs to each",
            f"is {show(given)}",
            kind=TypeError,
        )
    if strange := [name for name in given if name not in known]:
        raise argument_error(
            Argument(argument, of),
            f"names {strange[0]!r}, which is not compared",
            hint=f"{suggestion(str(strange[0]), known)} There are {', '.join(known)}.",
        )
    if all_of and (missing := [name for name in known if name not in given]):
        raise argument_error(Argument(argument, of), f"lacks {', '.join(missing)}")


def _as_mapping(inputs: Pytree, model: Any) -> dict[str, object]:
    if inputs is None or isinstance(inputs, Mapping):
        return dict(inputs or {})
    return {getattr(model, "node", model)._ports[0]: inputs}


def _is_module(x: Numbers) -> bool:
    return isinstance(x, Drive | Noise | Observer)


def _unless_module(what: object) -> Any:
    return type(what).__name__ if _is_module(what) else what


def _kept(x: Numbers) -> object:
    """Numbers as they are now, whatever becomes of the array that they were given in."""
    return x if callable(x) else jax.tree.map(np.array, x)


def _words(what: object) -> str:
    named = what if what is None or isinstance(what, str) else getattr(what, "__qualname__", type(what).__qualname__)
    return str(named)
