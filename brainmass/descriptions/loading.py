"""`load_model`: a model class from a file."""

from __future__ import annotations

import copyreg
import functools
from os import PathLike
from typing import Any, Literal

import brainunit as u

from brainmass._common.checks import instance, one_of
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.paths import as_path
from brainmass.descriptions.made import Described, make_model
from brainmass.descriptions.reading import read_description
from brainmass.descriptions.yaml_files import read_yaml
from brainmass.dynamics.node import NeuralMassDynamics

__all__ = ["load_model"]

_OWNER = "load_model"


def load_model(
    path: str | PathLike[str],
    *,
    units: Literal["checked", "numbers"] | None = None,
    time_unit: u.Unit | None = None,
) -> type[NeuralMassDynamics]:
    """The model class that a file describes: parameters, states and equations in YAML, as in the TVB Ontology.

    Parameters
    ----------
    path : path
        Of a `.yaml` or `.yml` file. Its expressions are parsed and never run as Python.
    units : 'checked' or 'numbers', optional
        Whether the equations hold for quantities, so that their terms must agree in their units; or for the numbers in
        the units of the file, as many public files mean them. Default what the file says under `units`, else 'checked'.
    time_unit : Unit, optional
        Unit of time of a right-hand side that has none. Default what the file says, else ms.

    Returns
    -------
    type
        A subclass of `NeuralMassDynamics`. Each input of the file is a port. Where no state of the file names its
        `input`, each has one of its own, `<state>_inp`, that adds to its rate of change, and takes its noise.

    Raises
    ------
    ValueError, UnitMismatchError
        If the description lacks something, or says what no model here can be; the message names the place.
    ImportError
        If PyYAML is not installed.
    """
    what = Argument("path", _OWNER)
    target = as_path(path, what, (".yaml", ".yml"), 'load_model("jansen_rit.yaml").')
    if units is not None:
        one_of(Argument("units", _OWNER), units, ("checked", "numbers"))
    if time_unit is not None:
        instance(Argument("time_unit", _OWNER), time_unit, u.Unit, "a unit of time")
        if not time_unit.has_same_dim(u.ms):
            raise argument_error(
                Argument("time_unit", _OWNER), "must be a unit of time", f"is {show(time_unit)}", "time_unit=u.second.",
                kind=u.UnitMismatchError,
            )  # fmt: skip
    try:
        text = target.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
        raise argument_error(what, "must be a description in YAML", f"cannot be read: {error}", kind=kind) from error
    return _model(text, target.name, None if units is None else units == "checked", time_unit)


# By the text and not the path: a file that has changed is another model.
@functools.lru_cache(maxsize=256)
def _model(text: str, file: str, with_units: bool | None, time_unit: u.Unit | None) -> type[NeuralMassDynamics]:
    """One class for one text, also where a model comes out of a pickle."""
    data = read_yaml(text, file, Argument("path", _OWNER))
    return make_model(read_description(data, file, with_units, time_unit), (text, file, with_units, time_unit))


def _reduced(model: Any) -> tuple:
    """A class as a pickle holds it: by what it was made from, or a class of a user's own by its name."""
    return (_model, vars(model)["_written"]) if vars(model).get("_written") else model.__qualname__


# Else a pickle would name the class, and look for it in a module that there is not.
copyreg.pickle(Described, _reduced)
