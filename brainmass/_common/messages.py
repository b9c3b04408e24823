"""What errors say, and carry: the argument that is wrong, the rule, what was given; and the name that was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import brainunit as u

__all__ = [
    "Argument",
    "ArgumentError",
    "argument_error",
    "counted",
    "input_named",
    "monitor_named",
    "named",
    "parameter_named",
    "show",
    "suggestion",
]


class Argument(str):
    """How a message names what was given, "Argument `tau` of MontbrioPazoRoxinStep (time constant)", and its parts.

    Parameters
    ----------
    name, owner : str
        The argument, and the function or class that it is one of.
    meaning : str
        What it is, in a few words.
    entry : str
        Which entry of a mapping it is about.
    more : str
        What the message says behind that, as ", for 'k',".
    text : str
        What the message says in place of all that, where it has a subject of its own.
    """

    name: str
    owner: str
    entry: str

    def __new__(
        cls, name: str, owner: str = "", meaning: str = "", *, entry: str = "", more: str = "", text: str = ""
    ) -> Argument:
        of, is_ = f" of {owner}" * bool(owner), f" ({meaning})" * bool(meaning)
        made = super().__new__(cls, text or f"Argument `{name}`{of}{is_}{more}")
        # A message may name the value, too: `init_states=False`.
        made.name, made.owner, made.entry = name.partition("=")[0], owner, entry
        return made


def input_named(name: str, more: str = "") -> Argument:
    """One of the `inputs` of a run."""
    return Argument("inputs", "run", entry=name, text=f"Input `{name}`{more}")


def monitor_named(name: str, more: str = "") -> Argument:
    """One of the `monitors` of a run."""
    return Argument("monitors", "run", entry=name, text=f"Monitor `{name}`{more}")


def parameter_named(name: str, more: str = "") -> Argument:
    """One of the `parameters` of a run."""
    return Argument("parameters", "run", entry=name, text=f"Parameter `{name}`{more}")


class ArgumentError(Exception):
    """Something was given that is not as it must be. Each is a `ValueError`, a `TypeError`, ... too.

    Attributes
    ----------
    argument : str
        Name of the argument; empty where there is none.
    owner : str
        The function or class that it is one of.
    entry : str
        The entry of it, where the argument is a mapping.
    rule : str
        How it must be.
    given : str
        How it is.
    example : str
        How it could be written.
    nearest : quantity or None
        The nearest value that would do, where there is one.
    brief : str
        The message without example and nearest value, which are written in Python.
    """

    argument = owner = entry = rule = given = example = brief = ""
    nearest: Any = None


class ArgumentValueError(ArgumentError, ValueError):
    """A value out of its range, a wrong shape, an unknown name."""


class ArgumentTypeError(ArgumentError, TypeError):
    """An object of the wrong kind."""


class ArgumentUnitError(ArgumentError, u.UnitMismatchError):
    """A value in the wrong unit."""


class ArgumentFileError(ArgumentError, FileNotFoundError):
    """A path to nothing."""


_KINDS: dict[type[Exception], type[ArgumentError]] = {
    ValueError: ArgumentValueError,
    TypeError: ArgumentTypeError,
    u.UnitMismatchError: ArgumentUnitError,
    FileNotFoundError: ArgumentFileError,
}


def argument_error(
    what: str,
    rule: str,
    given: str = "",
    example: str = "",
    *,
    hint: str = "",
    nearest: Any = None,
    kind: type[Exception] = ValueError,
) -> ArgumentError:
    """The error "`what` `rule`, but `given`. `hint` Example: `example`", which carries its parts.

    Parameters
    ----------
    what : Argument or str
        What is wrong.
    rule, given : str
        How it must be, and how it is, both with their verb: "must be positive", "is -1".
    example, hint : str
        How it could be written; another sentence that helps.
    nearest : quantity
        The nearest value that would do.
    kind : type
        The kind of exception that it is.
    """
    name = what.name if isinstance(what, Argument) else ""
    brief = f"{what} {rule}{f', but {given}' * bool(given)}.{f' {hint.strip()}' * bool(hint)}"
    instead = "" if nearest is None else f" The nearest that is: {name}={nearest.mantissa:.12g} * u.{nearest.unit}."
    error = _KINDS[kind](f"{brief}{instead}{f' Example: {example}' * bool(example)}")
    if isinstance(what, Argument):
        error.argument, error.owner, error.entry = name, what.owner, what.entry
    error.rule, error.given, error.example, error.brief = rule, given, example.rstrip("."), brief
    error.nearest = nearest
    return error


def show(value: object) -> str:
    """A value as shown in an error message: short, with its unit."""
    text = str(value).replace("\n", " ")
    return text if len(text) <= 60 else f"{text[:57]}..."


def named(value: object) -> str:
    """A value as shown where a name is asked: text in quotes."""
    return repr(str(value)) if isinstance(value, str) else show(value)


def suggestion(given: str, known: Iterable[str]) -> str:
    """' Did you mean ...?' when a known name is near."""
    return "".join(f" Did you mean {near!r}?" for near in nearest(given, known))


def nearest(given: str, known: Iterable[str], most: int = 1) -> list[str]:
    """Known names that are near, whatever their case; the nearest first."""
    names = {name.lower(): name for name in known}
    return [names[near] for near in difflib.get_close_matches(given.lower(), names, most)]


def counted(number: int, noun: str) -> str:
    """'1 region', '2 regions'."""
    return f"{number} {noun}" + ("" if number == 1 else "es" if noun.endswith("ch") else "s")
