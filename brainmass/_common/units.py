"""Units by their names, as files write them."""

from __future__ import annotations

import re
from typing import cast

import brainunit as u

from brainmass._common.messages import suggestion

__all__ = ["per", "unit_of"]


def unit_of(text: str) -> u.Unit:
    """The unit of this name, such as "mV", "1/ms" or "mm/ms"."""
    try:
        return u.parse_unit(f"1{text}" if text.startswith("/") else text)
    except ValueError:
        known = {str(unit) for unit in vars(u).values() if isinstance(unit, u.Unit)}
        words = [word for word in re.findall(r"[^\W\d_]+", text) if word not in known]
        near = next((hint for word in words if (hint := suggestion(word, known))), "")
        written = "Units are written as in mV, Hz, 1/ms, mm/ms, ms^2."
        raise ValueError(f"There is no unit {text!r}.{near} {written}") from None


def per(unit: u.Unit | None, other: u.Unit) -> u.Unit:
    """The quotient of two units, the first of which may be none."""
    return cast(u.Unit, (u.UNITLESS if unit is None else unit) / other)
