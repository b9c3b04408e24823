"""`Closed`: what is made, once it is made, has the names that it has. `Module`: brainstate's, closed."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from abc import ABCMeta
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import brainstate

from brainmass._common.copying import CopiedByParts
from brainmass._common.messages import Argument, suggestion

__all__ = ["Closed", "ClosedModule", "Module", "ShowsConstructor", "fixed", "show_constructor"]


def fixed(*names: str, instead: str = "it is fixed when the object is made, so make a new one") -> dict[str, str]:
    """Names for `_elsewhere`, and what to do in place of setting them."""
    return dict.fromkeys(names, instead)


class _Closing(ABCMeta):
    """Closes an object when its whole construction is over, that of a user's subclass included."""

    # Static tools would take the arguments of a class from here, and know none.
    if not TYPE_CHECKING:

        def __call__(cls, *args: object, **kwargs: object) -> Any:
            made = super().__call__(*args, **kwargs)
            # `__new__` may give something that was made before, or of another class.
            if isinstance(made, cls):
                made._closed = True
            return made


class _ClosingModule(_Closing, type(brainstate.nn.Module)):
    """The same for modules, whose metaclass is brainstate's."""


class Closed(metaclass=_Closing):
    """Refuses, once it is made, to be given a public name that it does not have.

    Names that begin with an underscore are free, and so are new states: a module may make them in `init_state`.
    """

    # Not of the copies that brainstate puts together from parts: a run does that at every trace.
    _closed = False
    # Where what is sometimes looked for here is to be found: the end of an error, by name.
    _elsewhere: ClassVar[Mapping[str, str]] = {}
    # What is asked of attributes that are no rows, by name: as the `check` of an option.
    _asked: ClassVar[Mapping[str, Callable[[str, Any], Any]]] = {}

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if not issubclass(cls, brainstate.nn.Module):
            # Of modules the metaclass of brainstate is in the way, for which there is `ShowsConstructor`.
            show_constructor(cls)

    def __setattr__(self, key: str, value: object) -> None:
        if self._closed and not key.startswith("_"):
            self._refuse_name(key, value)
            value = self._ask(**{key: value})[key] if key in self._asked else value
        super().__setattr__(key, value)

    @classmethod
    def _ask(cls, **given: object) -> dict[str, object]:
        """Arguments by name, if they are what is asked of them."""
        return {key: cls._asked[key](Argument(key, cls.__name__), value) for key, value in given.items()}

    def _refuse_name(self, key: str, value: object) -> None:
        owner, kind = type(self).__name__, _kind(type(self), key)
        if where := self._elsewhere.get(key):
            raise AttributeError(f"`{key}` of {owner} cannot be set: {where}.")
        if kind == "settable" or (not kind and (key in vars(self) or isinstance(value, brainstate.State))):
            return
        if kind:
            raise AttributeError(f"`{key}` of {owner} cannot be set: it is {kind}.")
        if key in inspect.signature(type(self)).parameters:
            raise AttributeError(
                f"`{key}` of {owner} cannot be set: it is given to the constructor, so make a new one."
            )
        known = self._public_names()
        raise AttributeError(f"{owner} has no attribute {key!r}.{suggestion(key, known)} It has {', '.join(known)}.")

    def _public_names(self) -> list[str]:
        """What can be set."""
        names = [*vars(self), *(n for n in dir(type(self)) if _kind(type(self), n) == "settable")]
        names = [n for n in dict.fromkeys(names) if not n.startswith("_") and n not in self._elsewhere]
        return [n for n in names if _kind(type(self), n) in ("", "settable")]


@functools.lru_cache(maxsize=4096)
def _kind(cls: type, name: str) -> str:
    """What a class has under a name: 'settable', '' for nothing or a mere default, else why it cannot be set."""
    there = inspect.getattr_static(cls, name, None)
    if isinstance(there, property):
        return "settable" if there.fset else "worked out from other attributes"
    if isinstance(there, types.FunctionType | classmethod | staticmethod):
        return "a method; write a class of your own with another"
    if _is_class_variable(cls, name):
        return "a fact of the class; write a class of your own with another"
    return "settable" if _is_default_of_ones_own(cls, name) else ""


def _is_default_of_ones_own(cls: type, name: str) -> bool:
    """Whether a class outside of the package has a value for this name, which an instance may have otherwise."""
    owner = next((base for base in cls.__mro__ if name in vars(base)), object)
    return owner.__module__.partition(".")[0] not in ("brainmass", "brainstate", "builtins")


def _is_class_variable(cls: type, name: str) -> bool:
    for base in cls.__mro__:
        written = inspect.get_annotations(base).get(name)
        if written is not None:
            return str(written).startswith(("ClassVar", "typing.ClassVar")) or typing.get_origin(written) is ClassVar
    return False


class ShowsConstructor:
    """Gives `inspect.signature` of a class that of its constructor; brainstate's metaclass hides it otherwise."""

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        writer = next(c for c in cls.__mro__ if "__init__" in vars(c))
        # A constructor that is made from rows has its signature from there.
        if issubclass(writer, ShowsConstructor):
            show_constructor(cls)


def show_constructor(cls: Any) -> None:
    """Metaclasses that take part in the making hide the arguments from `inspect.signature`."""
    shown = inspect.signature(cls.__init__)
    cls.__signature__ = shown.replace(parameters=list(shown.parameters.values())[1:])


class ClosedModule(CopiedByParts, Closed, brainstate.nn.Module, metaclass=_ClosingModule):
    """A module of brainstate, closed."""

    _elsewhere = fixed("in_size", "out_size", "name")

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        # brainstate copies what it sees, and puts a copy together attribute by attribute: it must not be closed then.
        unseen = [name for base in cls.__mro__ for name in vars(base).get("graph_invisible_attrs", ())]
        cls.graph_invisible_attrs = tuple(dict.fromkeys((*unseen, "_closed")))

    def __deepcopy__(self, memo: Any = None) -> Any:
        made = super().__deepcopy__(memo)
        for _, module in brainstate.graph.iter_node(made):
            # A copy that a user makes is closed as the original is, with all that it holds.
            if isinstance(module, ClosedModule):
                module._close()
        return made

    def _close(self) -> None:
        self._closed = True


class Module(ShowsConstructor, ClosedModule):
    """The base of what holds states or parameters and writes its constructor by hand."""
