"""How models are pickled and copied: by what they hold, without locks, hooks and compiled programs.

brainstate's states and parameters hold locks and weak references, which cannot be pickled, and a copy of a parameter
shares them with the original. Here it is said, by `copyreg`, how they are taken apart and made anew.
"""

from __future__ import annotations

import copy
import copyreg
from typing import Any

import brainstate
from brainstate.nn import IdentityT, Param

from brainmass._common.precision import matching_precision
from brainmass._common.typing import Numbers, Pytree

__all__ = ["CopiedByParts", "register"]


def register() -> None:
    """Tell `pickle` and `copy` of the states and parameters of brainstate that are known by now."""
    for kind in _with_subclasses(brainstate.State) - _with_subclasses(brainstate.random.RandomState):
        copyreg.pickle(kind, _parts_of_state)
    for kind in _with_subclasses(Param):
        copyreg.pickle(kind, _parts_of_param)


def _with_subclasses(kind: type) -> set[type]:
    return {kind}.union(*map(_with_subclasses, kind.__subclasses__()))


def _parts_of_state(state: Pytree) -> tuple:
    return _state, (type(state), state.value, _besides(state, brainstate.State(0)) | {"tag": state.tag})


def _state(kind: type, value: object, more: dict[str, object]) -> Any:
    state = object.__new__(kind)
    brainstate.State.__init__(state, value)
    vars(state).update(more)
    return state


def _parts_of_param(param: Any) -> tuple:
    stored = param.val.value if param.fit else param.val
    more = _besides(param, Param(0.0)) | {"t": param.t}
    return _param, (type(param), stored, param.fit, param.reg, param.precompute, more)


def _param(kind: type, stored: Numbers, fit: bool, reg: Any, precompute: Any, more: dict[str, object]) -> Any:
    """One that has this stored value, before its transform."""
    # With its transform the constructor would take the value for one after it, and go back through the transform once
    # more.
    param = object.__new__(kind)
    with matching_precision():
        Param.__init__(param, stored, IdentityT(), reg, precompute, fit)
    if fit:
        param.val.value = stored
    else:
        param.val = stored
    vars(param).update(more)
    return param


def _besides(thing: object, plain: object) -> dict[str, object]:
    """The attributes that a plain one has not."""
    return {name: value for name, value in vars(thing).items() if name not in vars(plain)}


class CopiedByParts:
    """Deep copies hold copies of all that is held, parameters and their transforms included."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if isinstance(self, Param):
            make, parts = _parts_of_param(self)
            return make(*copy.deepcopy(parts, memo))
        new = type(self).__new__(type(self))
        # Noted before its parts are copied, as they may hold it.
        memo[id(self)] = new
        vars(new).update({name: _copied(value, memo) for name, value in vars(self).items()})
        return new


def _copied(value: object, memo: dict[int, object]) -> Any:
    """A deep copy; brainstate's own of a parameter would share its lock, and what tells it to forget old values."""
    if isinstance(value, Param) and id(value) not in memo:
        make, parts = _parts_of_param(value)
        memo[id(value)] = make(*copy.deepcopy(parts, memo))
    elif type(value) in (list, dict) and id(value) not in memo:
        parts = value.items() if isinstance(value, dict) else enumerate(value)  # pyright: ignore[reportArgumentType]
        copies = {name: _copied(part, memo) for name, part in parts}
        memo[id(value)] = copies if type(value) is dict else list(copies.values())
    return copy.deepcopy(value, memo)
