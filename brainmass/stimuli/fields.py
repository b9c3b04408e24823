"""Electric fields of electrodes in regions, from a lead field: what a stimulus weighs there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import brainunit as u
import numpy as np

from brainmass._common.checks import as_array, items, numbers
from brainmass._common.foreign import as_text, opened
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import ArrayLike, Numbers

__all__ = ["field_of_electrodes"]

_OWNER = "field_of_electrodes"
_UNIT_OF_FIELD: Any = u.volt / u.meter
_UNIT_OF_LEAD_FIELD: Any = u.volt / (u.ampere * u.meter)
_SENSORS = ("sensor", "sensors", "channel", "channels", "electrode", "electrodes")


def field_of_electrodes(
    lead_field: ArrayLike, currents: Mapping[str, Numbers] | ArrayLike, *, sensors: Any = None
) -> Numbers:
    r"""The electric field of currents through electrodes, in each region along its dipole, by reciprocity.

    What a dipole in a region does to the potential between two electrodes, a current between them does to the field
    there: :math:`E_r = -\sum_e I_e L_{er}`. Positive is along the dipole for which the lead field was made, mostly out
    of the cortex, so that it is negative below an anode.

    Parameters
    ----------
    lead_field : array or Quantity, shape (sensor, region), or a table with names of sensors
        Potentials of dipoles of unit size. Plain numbers are volt per ampere metre; one of the same reference for all
        sensors, or the average one.
    currents : mapping from names of sensors, or array (sensor,)
        That enter the head, and leave it where negative; their sum is zero. Plain numbers are ampere.
    sensors : list of str, optional
        Names of the rows of the lead field.

    Returns
    -------
    Quantity (region,)
        In volt per metre. The `weights` of a stimulus are these numbers, `field.to_decimal(u.volt / u.meter)`, and its
        amplitude is then what 1 V/m does at the port.

    References
    ----------
    Rush, Driscoll 1969, IEEE Trans. Biomed. Eng. 16:15.

    Examples
    --------
    >>> import brainunit as u
    >>> print(field_of_electrodes([[3.0, 1.0], [-1.0, 2.0]], {"C3": 2 * u.mA, "C4": -2 * u.mA}, sensors=["C3", "C4"]))
    [-0.008  0.002] V / m
    """
    what = Argument("lead_field", _OWNER)
    held = opened(what, as_array(lead_field))
    if len(held.dims) == 2 and str(held.dims[1]).lower() in _SENSORS:
        held = held.transposed((1, 0))
    lead = np.asarray(_in_unit(what, held.values, _UNIT_OF_LEAD_FIELD), float)
    if lead.ndim != 2 or not np.isfinite(lead).all():
        raise argument_error(what, "must be finite numbers of shape (sensor, region)", f"is {show(lead_field)}")
    names = held.texts(what, 0) if sensors is None else _names(sensors, len(lead))
    through = _currents(currents, names, len(lead))
    if abs(through.sum()) > 1e-6 * np.abs(through).sum():
        rule = "must have the sum zero, as what enters the head leaves it"
        raise argument_error(Argument("currents", _OWNER), rule, f"has the sum {through.sum():g} A")
    return u.Quantity(-through @ lead, unit=_UNIT_OF_FIELD)


def _in_unit(what: Argument, given: Numbers, unit: u.Unit) -> Numbers:
    values = numbers(what, given)
    return values if u.get_unit(values).has_same_dim(u.UNITLESS) else numbers(what, values, unit=unit)


def _names(sensors: Any, n: int) -> list[str]:
    what = Argument("sensors", _OWNER)
    names = [as_text(what, one) for one in items(what, sensors, "names", example='sensors=["Fz", "Cz"]')]
    if len(names) != n or len(set(names)) < n:
        raise argument_error(what, f"must be {n} names that differ, for the rows of `lead_field`", f"are {names!r}")
    return names


def _currents(currents: Any, names: list[str] | None, n: int) -> np.ndarray:
    what, example = Argument("currents", _OWNER), 'currents={"C3": 1 * u.mA, "Fp2": -1 * u.mA}'
    if not isinstance(currents, Mapping):
        through = np.asarray(u.maybe_decimal(_in_unit(what, as_array(currents), u.ampere)), float)
        if through.shape != (n,) or not np.isfinite(through).all():
            raise argument_error(what, f"must be {n} finite numbers, or by name", f"is {show(currents)}", example)
        return through
    through = np.zeros(n)
    for name, current in currents.items():
        if names is None or name not in names:
            known = "which the lead field has none of: give `sensors`" if names is None else ", ".join(names[:8])
            raise argument_error(what, f"must be of sensors by name, {known}", f"has {name!r}", example)
        value = np.asarray(u.maybe_decimal(_in_unit(what, current, u.ampere)), float)
        if value.shape != () or not np.isfinite(value):
            raise argument_error(what, "must be one finite current each", f"{name!r} has {show(current)}", example)
        through[names.index(name)] = value
    return through
