"""Whose trainable parameters are in a run: within a fit, all must be those that the fit changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import CellType
from typing import Any

import brainstate
from brainstate.nn import Param

from brainmass._common.checks import is_traced
from brainmass._common.messages import show
from brainmass._common.typing import Array
from brainmass.dynamics.noise import Noise
from brainmass.forward.observer import Observer
from brainmass.simulation.inventory import Inventory, inventory
from brainmass.stimuli.algebra import Drive

__all__ = ["Owner", "trainable_within"]


class Owner:
    """A fit: the parameters of the copy that it runs, and those of the module that it was given."""

    def __init__(self, copy: Inventory, original: Inventory):
        self._own = list(copy.params.values())
        self._original = list(original.params.values())

    def check(self, params: Mapping[str, Param]) -> None:
        """Refuse a trainable parameter of a run, by path, that no step of the fit changes."""
        for path, param in params.items():
            # a copy of one that the fit changes has its very number
            if param.fit and not any(param is own or _number(param) is _number(own) for own in self._own):
                raise ValueError(self._stranger(path.removeprefix("model."), param))

    def _stranger(self, name: str, param: Param) -> str:
        if any(param is its for its in self._original):
            return (
                f"Parameter `{name}` of a run in this fit is that of the model itself, not of the copy whose "
                "parameters the fit changes: run the model that the function is given, `def predict(model): "
                "Simulator(model, dt=...)...`."
            )
        value = param.value()
        stays = "as it is" if is_traced(value) else f"at {show(value)}"
        return (
            f"Parameter `{name}` of a run in this fit is trainable, but not one that the fit knows, so that it would "
            f"stay {stays}. Let the fit make the run, with its inputs and monitors: "
            "Fitter(simulator, duration=..., inputs=..., monitors=..., objective=...); or fit a module that holds the "
            "model and what drives it; or give the parameter without `fit=True`."
        )


def _number(param: Param) -> Array:
    """As it is stored, without its unit: the object itself."""
    # Not `value()`, which makes a new array: by the object itself a copy is told to hold the number of the original.
    value = param.val
    value = value.value if isinstance(value, brainstate.State) else value
    return getattr(value, "mantissa", value)


_HOLDERS = (Param, Drive, Noise, Observer)


def trainable_within(functions: Iterable[Any]) -> dict[str, Param]:
    """Trainable parameters that functions close over or look up, alone or in what drives and observes, by name."""
    found: dict[str, Param] = {}
    seen: set[int] = set()
    for function in functions:
        for name, thing in _held_by(function, seen):
            inside = {"": thing} if isinstance(thing, Param) else inventory(thing).params
            found |= {f"{name}.{path}".rstrip("."): param for path, param in inside.items() if param.fit}
    return found


def _held_by(function: Callable[..., Any], seen: set[int]) -> Iterator[tuple[str, Any]]:
    # A bound method has no closure of its own.
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    if code is None or id(function) in seen:
        return
    # Functions may name one another in a circle.
    seen.add(id(function))
    cells = zip(code.co_freevars, function.__closure__ or (), strict=False)
    held = {name: cell.cell_contents for name, cell in cells if _is_filled(cell)}
    held |= {name: function.__globals__[name] for name in _names_in(code) if name in function.__globals__}
    held |= function.__kwdefaults__ or {}
    held |= {f"a default of {function.__name__}": x for x in function.__defaults__ or ()}
    for name, thing in held.items():
        if isinstance(thing, _HOLDERS):
            yield name, thing
        elif callable(thing):
            yield from _held_by(thing, seen)


def _names_in(code: Any) -> set[str]:
    """The names that a function looks up, functions written inside it included."""
    inner = (c for c in code.co_consts if isinstance(c, type(code)))
    return set(code.co_names).union(*map(_names_in, inner))


def _is_filled(cell: CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True
