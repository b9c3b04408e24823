"""Other names for what classes and functions of the package have."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, TypeVar

from brainmass.dynamics.catalogue import ModelInfo

__all__ = ["install", "set_module_as"]

# Class -> other name -> what it stands for.
_PROPERTIES = {
    "Connectome": {"distances": lambda self: self.lengths},
    "ModelInfo": {"n_state_vars": lambda self: len(self.states)},
    "Network": {
        "n_node": lambda self: self._n_regions,
    },
}
_LAYERS = {
    "training.horn": {
        "HORNSeqLayer": {"horn": "node", "i2h": "inp", "h2h": "rec"},
        "HORNSeqNetwork": {"h2o": "readout"},
    },
    "training.jansen_rit": {
        layer: {"dynamics": "node", "i2h": "inp", "h2h": "rec"} for layer in ("JansenRitLayer", "JansenRit2Layer")
    }
    | {"JansenRitNetwork": {"h2o": "readout"}},
    "training.wilson_cowan": {
        "WilsonCowanSeqLayer": {"dynamics": "node", "i2h": "inp", "h2h": "rec"},
        "WilsonCowanSeqNetwork": {"h2o": "readout"},
    },
}
F = TypeVar("F", bound=Callable)
_READ = "What version 0.1.1 calls `{}`; to be read."


def install(package: ModuleType) -> None:
    for name, properties in _PROPERTIES.items():
        for other, read in properties.items():
            _add(getattr(package, name), other, read)
    for home, layers in _LAYERS.items():
        module = importlib.import_module(f"{package.__name__}.{home}")
        for name, others in layers.items():
            for other, own in others.items():
                _add(getattr(module, name), other, lambda self, own=own: getattr(self, own))
            if "Layer" in name:
                _add(getattr(module, name), "n_hidden", lambda self: self.node.varshape[-1])
    package.list_models.to_table = lambda: table(package.list_models())
    package.datasets.Connectome.__iter__ = _parts
    package.network.Network = package.Network


def set_module_as(module: str) -> Callable[[F], F]:
    """A decorator that gives a function another `__module__`."""

    def decorate(function: F) -> F:
        function.__module__ = module
        return function

    return decorate


def _add(kind: type, name: str, read: Callable) -> None:
    if name in vars(kind):
        raise TypeError(f"{kind.__name__} has `{name}` itself: take it out of brainmass.published.")
    setattr(kind, name, property(read, doc=_READ.format(name)))


def _parts(connectome: Any) -> Any:
    """Weights, distances and labels, as the tuple has them that a connectome is there."""
    return iter((connectome.weights, connectome.lengths, connectome.labels))


def table(models: Sequence[ModelInfo]) -> str:
    """The catalogue of models as text, in columns."""
    rows: list[tuple[str, ...]] = [("name", "category", "#states", "use_case")]
    rows += [(m.name, m.category, str(len(m.states)), m.use_case) for m in models]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, tuple("-" * width for width in widths))
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
