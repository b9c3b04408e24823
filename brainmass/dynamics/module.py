"""`Module`: brainstate's, with the signature of its constructor shown."""

from __future__ import annotations

import inspect
from typing import Any

import brainstate

__all__ = ["Module", "ShowsConstructor"]


class ShowsConstructor:
    """Gives `inspect.signature` of a class that of its constructor; brainstate's metaclass hides it otherwise."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        writer = next(c for c in cls.__mro__ if "__init__" in vars(c))
        if issubclass(writer, ShowsConstructor):
            shown = inspect.signature(cls.__init__)
            cls.__signature__ = shown.replace(parameters=list(shown.parameters.values())[1:])


class Module(ShowsConstructor, brainstate.nn.Module):
    """The base of everything here that holds states or parameters."""
