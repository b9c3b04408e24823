"""What an experiment file can make: values with units, arrays from files, and things by their type."""

from __future__ import annotations

import functools
import inspect
import math
import pathlib
import re
import types
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

import brainstate
import braintools
import brainunit as u
import numpy as np
import optax

import brainmass
from brainmass._common.messages import ArgumentError, suggestion
from brainmass._common.reading.contents import read_array
from brainmass._common.typing import Array, ArrayLike
from brainmass._common.units import unit_of
from brainmass.dynamics.checks import as_param
from brainmass.dynamics.declared import WithRows
from brainmass.dynamics.fields import ParamSpec
from brainmass.experiments.document import WRONG, Document, Wrong
from brainmass.experiments.places import Path
from brainmass.forward.observer import Observer
from brainmass.network.kernels import COUPLINGS
from brainmass.network.plasticity import PLASTICITY
from brainmass.network.synapses import SYNAPSES

if TYPE_CHECKING:
    from brainmass.datasets.hcp import EmpiricalDataset


__all__ = ["Maker", "catalogue", "quantity"]

_NUMBER = re.compile(r"\s*([-+]?(?:inf(?!\w)|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?))\s*(.*?)\s*$", re.DOTALL)
_NOT_GIVEN = ("self", "in_size", "name")


# --- things by name ---------------------------------------------------------------------------------------------------
@functools.cache
def catalogue() -> dict[str, dict[str, Callable[..., object]]]:
    """The types that there are, by name, in groups."""
    public = {n: x for n, x in vars(brainmass).items() if inspect.isclass(x) and not inspect.isabstract(x)}

    def of(base: type) -> dict[str, Callable[..., object]]:
        return {n: x for n, x in public.items() if issubclass(x, base) and x is not base}

    models = of(brainmass.NeuralMassDynamics)
    listed = [info.name for info in brainmass.list_models()]
    return {
        "model": {name: models[name] for name in listed if name in models},
        "noise": of(brainmass.Noise),
        "stimulus": of(brainmass.Stimulus),
        "observer": of(Observer),
        # Both names, "sigmoidal" and that of the class.
        "coupling": COUPLINGS | {n: x for n, x in of(brainmass.Coupling).items() if x in COUPLINGS.values()},
        "synapse": SYNAPSES | of(brainmass.Synapse),
        "plasticity": PLASTICITY | of(brainmass.Plasticity),
        "initialiser": _classes(braintools.init, braintools.init.Initialization),
        "map": {"RegionalMap": brainmass.RegionalMap},
        "search": {x.__name__: x for x in (brainmass.Bounds, brainmass.Free, brainmass.Fixed)},
        "prior": {x.__name__: x for x in (brainmass.Normal, brainmass.LogNormal, brainmass.RandomWalk)},
        "transform": _classes(brainstate.nn, brainstate.nn.Transform),
        "regularisation": _classes(brainstate.nn, brainstate.nn.Regularization),
        "range": {"linspace": _with_units(np.linspace), "geomspace": _with_units(np.geomspace)},
        "design": {x.__name__: x for x in (brainmass.random_design, brainmass.sobol_design)},
        # optax has two types of transformations, with and without further arguments: adam and clip stand for them.
        "optimiser": _functions(optax, optax.adam) | _functions(optax, optax.clip),
        "schedule": _functions(optax, optax.constant_schedule),
    }


def _classes(module: types.ModuleType, base: type) -> dict[str, Callable[..., object]]:
    found = {n: x for n, x in vars(module).items() if inspect.isclass(x) and issubclass(x, base) and x is not base}
    return {name: x for name, x in found.items() if not inspect.isabstract(x) and not name.startswith("_")}


def _functions(module: types.ModuleType, like: Callable[..., object]) -> dict[str, Callable[..., object]]:
    """The functions of a module that return what one of them does."""
    kinds = types.FunctionType, functools.partial
    found = {n: x for n, x in vars(module).items() if not n.startswith("_") and isinstance(x, kinds)}
    return {name: x for name, x in found.items() if _returned(x) == _returned(like)}


def _returned(function: Callable[..., object]) -> object:
    return inspect.signature(function).return_annotation


def _with_units(function: Callable[..., np.ndarray]) -> Callable[..., Array]:
    """A range of numpy between two quantities."""

    @functools.wraps(function)
    def between(start: ArrayLike, stop: ArrayLike, *args: object, **kwargs: object) -> Array:
        unit = u.get_unit(start)
        if not u.get_unit(stop).has_same_dim(unit):
            raise u.UnitMismatchError(f"Both ends must have one unit, but are {start} and {stop}.")
        # numpy's ranges know no units.
        ends = [u.Quantity(x).to_decimal(unit) for x in (start, stop)]
        values = function(*map(float, ends), *args, **kwargs)
        return values if unit.is_unitless else u.Quantity(values, unit=unit)

    return between


# --- numbers with units -----------------------------------------------------------------------------------------------
def quantity(text: str) -> u.Quantity | None:
    """The number with unit that a text is; None where it does not begin with a number.

    Raises
    ------
    ValueError
        If its unit is not known.
    """
    match = _NUMBER.match(text)
    if match is None:
        return None
    number, unit = float(match[1]), match[2]
    if not unit:
        raise ValueError(f"A number without unit is written without quotes: {match[1]}.")
    return u.Quantity(number, unit=unit_of(unit))


# --- from what the file holds to what Python takes --------------------------------------------------------------------
class Maker:
    """Turns what an experiment file holds into what the functions of the package take.

    Parameters
    ----------
    document : Document
        Is told what is wrong.
    n_regions : int, optional
        The `in_size` of what has one.
    groups : names of groups
        Whose types there are here: some names are there twice, as those of a prior and of an initialiser.
    """

    def __init__(self, document: Document, n_regions: int | None, *groups: str):
        self.document, self.n_regions, self.groups = document, n_regions, groups

    def value(self, path: Path, given: object) -> Any:
        """A number, text, quantity, array, or a thing that is made; or `WRONG`."""
        if isinstance(given, str):
            text = self.document.attempt(path, lambda: quantity(given))
            return given if text is None else text
        if isinstance(given, list):
            return self._list(path, given)
        if isinstance(given, Mapping):
            if "type" in given:
                return self.thing(path, given)
            if "file" in given or "dataset" in given:
                return self.array(path, given)
            return self.each(path, given)
        return given

    def each(self, path: Path, given: Mapping[str, object]) -> dict[int | str, object] | Wrong:
        """A table whose keys are names of its own; whole numbers among them are numbers."""
        # Keys of TOML are text.
        values = {int(key) if key.isdecimal() else key: self.value((*path, key), x) for key, x in given.items()}
        return WRONG if WRONG in map(_mark, values.values()) else values

    def _list(self, path: Path, given: list[object]) -> object:
        values = [self.value((*path, i), x) for i, x in enumerate(given)]
        if WRONG in map(_mark, values):
            return WRONG
        # One array with one unit, in which numbers of several, "1 s" and "500 ms", may be written.
        if values and all(isinstance(x, u.Quantity) for x in values):
            unit = values[0].unit
            odd = [i for i, x in enumerate(values) if not x.unit.has_same_dim(unit)]
            if odd:
                return self.document.complain((*path, odd[0]), f"All entries must be in {unit}, as the first one is.")
            return u.Quantity(np.asarray([x.to_decimal(unit) for x in values]), unit=unit)
        if values and all(_is_number(x) or isinstance(x, np.ndarray) for x in values):
            return self.document.attempt(path, lambda: np.asarray(values))
        return values

    # --- arrays -------------------------------------------------------------------------------------------------------
    def array(self, path: Path, given: Mapping[str, Any]) -> Array | Wrong:
        """Numbers from a file of any kind that `brainmass.read_array` reads, or those of a data set."""
        known = ("file", "array", "unit") if "file" in given else ("dataset", "array", "unit")
        self._check_names(path, given, known, "a table of numbers")
        unit = self.document.attempt((*path, "unit"), lambda: unit_of(given["unit"])) if "unit" in given else None
        source = self._of_file if "file" in given else self._of_dataset
        values = source(path, given)
        if values is WRONG or unit is WRONG:
            return WRONG
        return values if unit is None else u.Quantity(values, unit=unit)

    def _of_file(self, path: Path, given: Mapping[str, Any]) -> np.ndarray | Wrong:
        target = self.document.file((*path, "file"), given["file"])
        if target is WRONG:
            return WRONG
        return self.document.attempt((*path, "file"), lambda: _numbers_of(target, given.get("array")))

    def _of_dataset(self, path: Path, given: Mapping[str, Any]) -> np.ndarray | Wrong:
        data = self.dataset(path, given["dataset"])
        if data is WRONG:
            return WRONG
        name = given.get("array")
        arrays = {key: x for key, x in vars(data).items() if isinstance(x, np.ndarray)}
        arrays |= {f"maps.{key}": x for key, x in getattr(data, "maps", {}).items()}
        if name not in arrays:
            what = f"Key `array` must name numbers of the data set {given['dataset']!r}, but is {name!r}"
            near = suggestion(str(name), arrays)
            return self.document.complain((*path, "array"), f"{what}.{near} There are {', '.join(arrays)}.")
        return arrays[name]

    def dataset(self, path: Path, name: str) -> EmpiricalDataset | Wrong:
        """A data set by its name."""
        return self.document.attempt((*path, "dataset"), lambda: brainmass.datasets.load_dataset(name))

    # --- things -------------------------------------------------------------------------------------------------------
    def thing(self, path: Path, given: Mapping[str, object], skip: tuple[str, ...] = ()) -> object:
        """What a table with a `type` stands for: that class or function, called with the keys but those of `skip`."""
        function = self.type((*path, "type"), given["type"])
        return WRONG if function is WRONG else self.called(path, function, given, ("type", *skip))

    def type(self, path: Path, name: Any) -> Any:
        """A class or function by its name."""
        known = {n: x for group in self.groups for n, x in catalogue()[group].items()}
        if name in known:
            return known[name]
        hint = suggestion(str(name), known) or suggestion(f"{name}Step", known)
        what = f"{self.groups[0]} {name!r}" if len(self.groups) == 1 else f"type {name!r} here"
        listed = "`brainmass models` lists them." if self.groups == ("model",) else f"There are {', '.join(known)}."
        return self.document.complain(path, f"There is no {what}.{hint} {listed if len(listed) < 400 else ''}".rstrip())

    def called(
        self,
        path: Path,
        function: Callable[..., object],
        given: Mapping[str, object],
        skip: tuple[str, ...],
        **more: object,
    ) -> object:
        """What a function gives for the keys of a table but those of `skip`."""
        arguments = self.arguments(path, function, given, skip, tuple(more))
        if arguments is WRONG:
            return WRONG
        takes_size = "in_size" in inspect.signature(function).parameters
        if takes_size and self.n_regions is None:
            return WRONG  # what would say how many has been complained about
        size = {"in_size": self.n_regions} if takes_size else {}
        return self.document.attempt(path, lambda: function(**size, **arguments, **more))

    def arguments(
        self,
        path: Path,
        function: Callable[..., object],
        given: Mapping[str, object],
        skip: tuple[str, ...] = (),
        known_already: tuple[str, ...] = (),
    ) -> dict[str, Any] | Wrong:
        """The keys of a table as arguments of a function, each checked as far as it can be by itself."""
        parameters = inspect.signature(function).parameters
        known = [name for name in parameters if name not in (*_NOT_GIVEN, *known_already)]
        named = {key: x for key, x in given.items() if key not in skip}
        owner = function.__name__
        right = True
        # What takes any name checks names itself.
        if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            right = self._check_names(path, named, known, owner)
        for name in known:
            p = parameters[name]
            if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL) and name not in named:
                self.document.complain(path, f"{owner} needs `{name}`, which is missing.")
                right = False
        values = {key: self.value((*path, key), x) for key, x in named.items()}
        specs = function._params if inspect.isclass(function) and issubclass(function, WithRows) else {}
        for key in specs.keys() & values.keys():
            values[key] = self._checked((*path, key), function, specs[key], values[key])
        return values if right and WRONG not in map(_mark, values.values()) else WRONG

    def _checked(self, path: Path, function: Any, spec: ParamSpec, value: object) -> object:
        """A parameter of a declared class, checked by itself, so that all problems are found at once."""
        if value is WRONG or self.n_regions is None:
            return value
        try:
            as_param(function.__name__, spec, value, None if spec.name in function.of_any_shape else (self.n_regions,))
        except ArgumentError as error:
            return self.document.complain(path, f"{error.brief} Example: {spec.name} = {_in_toml(spec)}")
        except (ValueError, TypeError, u.UnitMismatchError) as error:
            return self.document.blame(path, error)
        return value

    def _check_names(self, path: Path, given: Mapping[str, object], known: Collection[str], owner: str) -> bool:
        for key in given:
            if key not in known:
                self.document.unknown((*path, key), f"`{key}` is no argument of {owner}", known)
        return all(key in known for key in given)


def _mark(value: object) -> Wrong | None:
    """The value where it can be compared with `WRONG`; arrays cannot."""
    return value if value is WRONG else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _in_toml(spec: ParamSpec) -> str:
    """A value that a parameter can have, as it is written in a file."""
    unit = spec.units[0] if spec.units else u.UNITLESS
    default = 1.0 * unit if spec.default is None else spec.default
    number, unit = u.get_mantissa(default), u.get_unit(default)
    # A bound that is not there, by default infinite, is no example.
    if not math.isfinite(np.asarray(number).flat[0]):
        number = 1.0
    return f"{number}" if unit.dim == u.DIMENSIONLESS else f'"{number} {unit}"'


def _numbers_of(path: pathlib.Path, name: str | None) -> np.ndarray:
    values = read_array(path, name)
    if not np.isfinite(values).all():
        raise ValueError(f"File {path.name!r} must hold finite numbers only.")
    return values
