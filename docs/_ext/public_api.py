"""The public names by room, and those of the public modules."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import brainmass

MODULES = ("objectives", "datasets", "viz", "experiments", "inference", "declare", "testing")


def groups() -> dict[str, list[str]]:
    """Full names by room, in the order of `__init__.py`, under the title with which the room's docstring begins."""
    order = re.findall(r"^__all__ \+= (\w+)\.__all__$", Path(inspect.getfile(brainmass)).read_text(), re.MULTILINE)
    rooms = [getattr(brainmass, name) for name in order]
    of_rooms = {inspect.getdoc(room).partition(":")[0]: [f"brainmass.{x}" for x in room.__all__] for room in rooms}
    return of_rooms | {
        f"brainmass.{name}": [f"brainmass.{name}.{x}" for x in importlib.import_module(f"brainmass.{name}").__all__]
        for name in MODULES
    }


def resolve(full: str) -> Any:
    module, _, name = full.rpartition(".")
    return getattr(importlib.import_module(module), name)


def canonical(name: str) -> str:
    """The shortest of its public names."""
    short = name.rpartition(".")[2]
    return f"brainmass.{short}" if getattr(brainmass, short, None) is resolve(name) else name


def is_model(symbol: Any) -> bool:
    return inspect.isclass(symbol) and symbol.__name__ in {m.name for m in brainmass.list_models()}


def documentation(name: str) -> str:
    """The docstring; of data, the string below its assignment."""
    symbol = resolve(name)
    return (inspect.getdoc(symbol) or "") if is_code(symbol) else _below_assignment(name.rpartition(".")[2])


def is_code(symbol: Any) -> bool:
    return inspect.isclass(symbol) or inspect.isroutine(symbol)


def _below_assignment(name: str) -> str:
    for file in sorted(Path(inspect.getfile(brainmass)).parent.rglob("*.py")):
        body = ast.parse(file.read_text()).body
        for node, below in zip(body, body[1:], strict=False):
            targets = getattr(node, "targets", [getattr(node, "target", None)])
            if name in {getattr(target, "id", None) for target in targets} and isinstance(below, ast.Expr):
                return str(ast.literal_eval(below.value))
    return ""


def summary(name: str) -> str:
    """The first sentence of the documentation."""
    first = documentation(name).split("\n\n")[0].replace("\n", " ")
    return re.split(r"(?<=[^.].\.)\s", first)[0]


def undocumented() -> list[str]:
    """Public functions, classes and their public methods that say nothing about themselves.

    The equation of a state, `d<state>`, is documented by its class.
    """
    every = [name for names in groups().values() for name in names]
    return [gap for name in every for gap in _gaps(name, resolve(name))]


def _gaps(name: str, symbol: Any) -> Iterator[str]:
    if inspect.isclass(symbol):
        if not vars(symbol).get("__doc__"):
            yield name
        for key, member in vars(symbol).items():
            if _is_method(symbol, key, member) and not inspect.getdoc(getattr(symbol, key)):
                yield f"{name}.{key}"
    elif not documentation(name):
        yield name


def _is_method(owner: type, key: str, member: Any) -> bool:
    kinds = (property, classmethod, staticmethod)
    if key.startswith("_") or not (inspect.isfunction(member) or isinstance(member, kinds)):
        return False
    return key not in {f"d{state}" for state in getattr(owner, "_states", ())}
