"""`load_model`: a model class from a file."""

from __future__ import annotations

from os import PathLike
from typing import Literal

import brainunit as u

from brainmass._common.checks import instance, one_of
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.paths import as_path
from brainmass.descriptions.made import make_model
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
        instance(Argument("time_unit", _OWNER), time_unit, u.Unit, "a unit of time", "u.ms")
        if not time_unit.has_same_dim(u.ms):
            raise argument_error(
                Argument("time_unit", _OWNER), "must be a unit of time", f"is {show(time_unit)}", "time_unit=u.second.",
                kind=u.UnitMismatchError,
            )  # fmt: skip
    data = read_yaml(target, what)
    with_units = None if units is None else units == "checked"
    return make_model(read_description(data, target.name, with_units, time_unit))
