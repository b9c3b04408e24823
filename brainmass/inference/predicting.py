"""What a problem asks of a run, read from what was given: likelihoods by monitor, and what is predicted of what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import brainstate
import jax

from brainmass._common.checks import is_function
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import Numbers, Pytree
from brainmass.fitting.recorded import Recorded, Subject
from brainmass.inference.likelihoods import Likelihood
from brainmass.simulation.simulator import Simulator

__all__ = ["Asked", "Exact", "Function", "Prediction", "as_likelihoods", "given_by", "recorded_by"]


class Asked(Subject):
    """What a fit changes, and the likelihoods, so that their parameters are named like all others."""

    def __init__(self, subject: Subject, likelihood: Mapping[str, Likelihood]):
        # Not that of `Subject`, which would take apart what the other has apart already.
        brainstate.nn.Module.__init__(self)
        self.model, self.inputs, self.observers = subject.model, subject.inputs, subject.observers
        self.parameters = subject.courses  # pyright: ignore[reportAttributeAccessIssue]
        self.likelihood = likelihood[""] if set(likelihood) == {""} else dict(likelihood)

    @property
    def likelihoods(self) -> Mapping[str, Likelihood]:
        return self.likelihood if isinstance(self.likelihood, dict) else {"": self.likelihood}


class Function(Likelihood):
    """A log density that a user wrote."""

    def __init__(self, function: Callable[[Numbers, Numbers], Numbers]):
        super().__init__()
        self._function = function

    def pointwise(self, predicted: Numbers, observed: Numbers) -> Numbers:
        return self._function(predicted, observed)

    def draw(self, key: jax.Array, predicted: Numbers) -> Numbers:
        raise TypeError("A log density alone has no observations to draw: give a Likelihood with `draw`.")

    def log_density(self, predicted: Numbers, observed: Numbers) -> Numbers:
        return self._function(predicted, observed)


class Exact(Likelihood):
    """What is recorded is what is observed: nothing is added to the noise of the run, and there is no density."""

    def pointwise(self, predicted: Numbers, observed: Numbers) -> Numbers:
        raise ValueError(
            "A Problem without a likelihood has no density: give it one, such as brainmass.inference.Gaussian(0.1), or "
            "let `npe` learn the posterior from simulations."
        )

    def draw(self, key: jax.Array, predicted: Numbers) -> Numbers:
        return predicted


class Prediction(NamedTuple):
    """What is called, of what, by which hand it is taken from the subject, and the likelihoods by monitor."""

    predict: Callable[..., Pytree]
    subject: Subject
    hand: Callable[[Subject], Any]
    likelihoods: dict[str, Likelihood]


def as_likelihoods(given: Any) -> dict[str, Likelihood] | None:
    """By monitor, or one under an empty name; None where none is given."""
    what = Argument("likelihood", "Problem")
    if given is None:
        return None
    if isinstance(given, Mapping):
        if not given:
            raise argument_error(what, "must hold at least one", "is empty")
        for name, one in given.items():
            if not isinstance(one, Likelihood):
                raise argument_error(what, "must hold likelihoods", f"for `{name}` has {show(one)}", kind=TypeError)
        return dict(given)
    if isinstance(given, Likelihood):
        return {"": given}
    if not is_function(given) or isinstance(given, type):
        raise argument_error(
            what,
            "must be a likelihood",
            f"is {show(given)}",
            "likelihood=brainmass.inference.Gaussian(0.1).",
            kind=TypeError,
        )
    return {"": Function(given)}


def recorded_by(simulator: Simulator, run: Mapping[str, Any], likelihoods: dict[str, Likelihood] | None) -> Prediction:
    """A run that the problem makes itself."""
    if run["duration"] is None:
        raise argument_error(
            Argument("duration", "Problem"),
            "is needed for the run, or `predict`",
            "is missing",
            "duration=1 * u.second.",
        )
    # `Recorded` compares what a mapping names: likelihoods stand in the place of objectives.
    objective = None if likelihoods is None or set(likelihoods) == {""} else likelihoods
    recorded = Recorded(simulator, run, objective)
    several = len(recorded.compared) > 1
    if several and objective is None and likelihoods is not None:
        raise argument_error(
            Argument("likelihood", "Problem"),
            f"must map monitors to likelihoods, as `monitors` are several: {', '.join(recorded.compared)}",
        )
    if likelihoods is None:
        likelihoods = {name: Exact() for name in (recorded.compared if several else [""])}
    predict = recorded if objective is None or several else partial(_by_name, recorded)
    return Prediction(predict, recorded.subject_of(simulator, run), _itself, likelihoods)


def given_by(
    predict: Callable[..., Pytree], model: Any, run: Mapping[str, Any], likelihoods: dict[str, Likelihood] | None
) -> Prediction:
    """A function of the user."""
    if odd := [name for name, x in run.items() if x is not None]:
        raise argument_error(
            Argument(odd[0], "Problem"),
            "belongs to the run that it makes itself; `predict` makes its own",
            hint="Leave one of the two out.",
        )
    simulated = isinstance(model, Simulator)
    subject = Subject(model.model if simulated else model)
    hand = partial(_simulator_of, model.dt) if simulated else _model_of
    return Prediction(predict, subject, hand, {"": Exact()} if likelihoods is None else likelihoods)


def _by_name(recorded: Recorded, subject: Subject) -> dict[str, Numbers]:
    return {recorded.compared[0]: recorded(subject)}


def _itself(subject: Subject) -> Subject:
    return subject


def _model_of(subject: Subject) -> Any:
    return subject.model


def _simulator_of(dt: Numbers, subject: Subject) -> Simulator:
    return Simulator(subject.model, dt)
