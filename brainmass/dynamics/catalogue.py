"""The catalogue of models: what stands in it, and the list of it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeVar

from brainmass.dynamics.regime import default_method, longest_step

__all__ = ["QUESTIONS", "ModelInfo", "catalogued", "list_models"]

QUESTIONS = {
    "rest": "Which regions correlate at rest?",
    "alpha": "Alpha rhythm and spectra of EEG and MEG",
    "seizures": "Seizures: onset, spread, end",
    "sleep": "Sleep: slow oscillations, spindles, K-complexes",
    "decisions": "Decisions",
    "evoked": "Evoked responses",
    "up and down": "Up and down states",
    "excitation and inhibition": "Balance and rhythms of excitation and inhibition",
    "synchrony": "Synchrony of oscillators",
    "neurons": "What do spiking neurons do on average?",
    "drugs": "Drugs, ions and neuromodulators",
    "chaos": "Chaos, excitability, planes to look at",
    "tasks": "Tasks and memories",
}
"""What models are for, in the order in which they are listed: the words of a class, and the question in full."""


M = TypeVar("M", bound=type)


class ModelInfo(NamedTuple):
    """One row of the catalogue of models."""

    name: str
    category: str
    states: tuple[str, ...]
    use_case: str
    method: str = ""
    largest_step: float = math.inf
    """That of the default parameters, in ms."""
    questions: tuple[str, ...] = ()
    """Those that it can answer, the first before all: keys of `QUESTIONS`."""


_models: list[Any] = []


def catalogued(model: M) -> M:
    """Put a class into the catalogue that is no complete node: a base of nodes, or a network of them."""
    _models.append(model)
    return model


def list_models() -> list[ModelInfo]:
    """The models of the package, in alphabetical order."""
    # Classes of users, which stand in the catalogue as well, are no models of the package.
    own = [m for m in _models if m.__module__.startswith("brainmass.")]
    return sorted(
        ModelInfo(m.__name__, m.category, tuple(m._states), m.use_case, default_method(m), longest_step(m), m.questions)
        for m in own
    )
