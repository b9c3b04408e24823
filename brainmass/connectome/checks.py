"""Checks of what enters a connectome, dense or sparse."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from numbers import Real
from typing import Any

import brainunit as u
import numpy as np
from jax.core import Tracer

from brainmass._common.foreign import as_text, plain
from brainmass._common.messages import Argument, argument_error, suggestion
from brainmass._common.typing import Array, ArrayLike, Numbers, Pytree

__all__ = [
    "SIDES",
    "argument_of",
    "check_entries",
    "checked_centres",
    "checked_hemispheres",
    "checked_labels",
    "checked_length_unit",
    "checked_lengths",
    "checked_name",
    "checked_speed",
    "checked_weights",
    "region_indices",
    "side_of",
    "sides_from_labels",
    "without_unit",
]

_MM_PER_MS = u.get_unit(u.mm / u.ms)
_MEANING = {
    "weights": "connection strengths, weights[i, j] from region j to region i",
    "lengths": "lengths of the connections",
    "labels": "names of the regions",
    "name": "name of the connectome",
    "hemispheres": "side of each region",
    "centres": "coordinates of the regions",
    "by": "kind of normalisation",
    "f": "function of the weights",
    "speed": "conduction speed",
    "regions": "regions to keep",
    "order": "regions in their new order",
    "side": "hemisphere",
    "n": "number of regions",
    "source": "regions that send, one per connection",
    "target": "regions that receive, one per connection",
    "weight": "strength of each connection",
    "length": "length of each connection",
    "width": "largest number of connections in a row of the table",
}

SIDES = ("left", "right", "midline")
_SPELLINGS = {"l": "left", "lh": "left", "r": "right", "rh": "right"} | {side: side for side in SIDES}


def argument_of(owner: str, argument: str) -> Argument:
    """How messages name an argument."""
    return Argument(argument, owner, _MEANING[argument])


def without_unit(owner: str, argument: str, given: object, example: str) -> Pytree:
    """What was given, if it is no quantity."""
    if isinstance(given, u.Quantity) and not given.is_unitless:
        raise argument_error(
            argument_of(owner, argument), "must be plain numbers", f"are in {u.get_unit(given)}", example
        )
    return u.get_mantissa(given) if isinstance(given, u.Quantity) else given


def checked_weights(owner: str, argument: str, weights: Pytree, example: str) -> np.ndarray:
    """Finite plain numbers, as read-only float64."""
    values = _real_array(owner, argument, without_unit(owner, argument, weights, example), example)
    example = f"{argument}=np.where(np.isfinite(W), W, 0.0), where what is not known is no connection"
    check_entries(owner, argument, values, np.isfinite(values), "must be finite", example)
    return values


def checked_lengths(owner: str, argument: str, lengths: Numbers, shape: tuple[int, ...]) -> u.Quantity:
    """Finite nonnegative lengths of this shape."""
    example = f"{argument}=L * u.mm"
    values, unit = _with_unit_of_length(owner, argument, lengths, example)
    if values.shape != shape:
        raise argument_error(
            argument_of(owner, argument),
            f"must be of the shape of the weights, {shape}",
            f"are of shape {values.shape}",
            example,
        )
    good = np.isfinite(values) & (values >= 0)
    example = f"{argument}=np.maximum(L, 0) * u.mm, where -1 marks that there is no connection"
    check_entries(owner, argument, values, good, "must be finite and nonnegative", example)
    return u.Quantity(values, unit=unit)


def checked_length_unit(unit: object) -> u.Unit:
    """A unit of length."""
    if not isinstance(unit, u.Unit) or not unit.has_same_dim(u.mm):
        raise argument_error(Argument("length_unit"), "must be a unit of length", f"is {unit!r}", "length_unit=u.mm")
    return unit


def checked_centres(owner: str, centres: Numbers, n_regions: int) -> u.Quantity | None:
    """Finite coordinates, shape (N, 3)."""
    if centres is None:
        return None
    example = "centres=xyz * u.mm"
    values, unit = _with_unit_of_length(owner, "centres", centres, example)
    if values.shape != (n_regions, 3):
        raise argument_error(
            argument_of(owner, "centres"),
            f"must be of shape ({n_regions}, 3), one row per region",
            f"are of shape {values.shape}",
            example,
        )
    check_entries(owner, "centres", values, np.isfinite(values), "must be finite", example)
    return u.Quantity(values, unit=unit)


def checked_labels(owner: str, labels: object, n_regions: int) -> tuple[str, ...]:
    """One name per region, all different, as text; "region 0", ... if not given."""
    if labels is None:
        return tuple(f"region {i}" for i in range(n_regions))
    example = "labels=['V1', 'V2', 'MT']"
    try:
        # As objects: numpy would write numbers beside texts in its own way.
        given = np.ravel(np.asarray(plain(Argument("labels", owner), labels), dtype=object)).tolist()
        texts = [as_text(Argument("labels", owner, _MEANING["labels"]), label) for label in given]
    except TypeError as error:
        raise argument_error(
            argument_of(owner, "labels"),
            "must be texts or numbers, one per region",
            f"are {labels!r}",
            example,
            kind=TypeError,
        ) from error
    if len(texts) != n_regions:
        raise argument_error(
            argument_of(owner, "labels"), f"must be one per region ({n_regions})", f"are {len(texts)}", example
        )
    repeated = [label for label, times in Counter(texts).items() if times > 1]
    if repeated:
        raise argument_error(
            argument_of(owner, "labels"), "must differ from each other", f"{repeated[0]!r} is there twice", example
        )
    return tuple(texts)


def checked_name(owner: str, name: object) -> str:
    if not isinstance(name, str):
        raise argument_error(
            argument_of(owner, "name"), "must be a string", f"is {name!r}", "name='macaque'", kind=TypeError
        )
    return name


def checked_hemispheres(owner: str, hemispheres: object, n_regions: int) -> tuple[str, ...] | None:
    """The side of each region; where booleans are given, True is right, as in The Virtual Brain."""
    if hemispheres is None:
        return None
    given = without_unit(owner, "hemispheres", hemispheres, "hemispheres=['left', 'right']")
    sides = [side_of(owner, "hemispheres", side) for side in np.atleast_1d(np.asarray(given)).tolist()]
    if len(sides) != n_regions:
        raise argument_error(
            argument_of(owner, "hemispheres"),
            f"must be one per region ({n_regions})",
            f"are {len(sides)}",
            "hemispheres=['left', 'right']",
        )
    return tuple(sides)


def side_of(owner: str, argument: str, given: object) -> str:
    """'left', 'right' or 'midline', from one of their spellings."""
    if isinstance(given, str):
        side = _SPELLINGS.get(given.lower())
    else:
        # 0 and 1, also as 0.0 and 1.0 of a file, are equal to these and found by them.
        side = {False: "left", True: "right"}.get(given) if isinstance(given, int | float) else None  # type: ignore
    if side is None:
        example = "hemisphere('left')" if argument == "side" else "hemispheres=['left', 'right']"
        raise argument_error(
            argument_of(owner, argument),
            f"must be {', '.join(map(repr, SIDES[:-1]))} or {SIDES[-1]!r}",
            f"is {given!r}",
            example,
        )
    return side


# a token of its own, as in "lh_V1", "ctx-rh-cuneus", "Precentral_L", "Left-Thalamus"; or a first letter, as in "lV1"
_SIDE_TOKEN = re.compile(r"(?:(?<=[-_. ])|^)(l|lh|left|r|rh|right)(?=[-_. ]|$)", re.IGNORECASE)
_MIDLINE_SHARE = 0.2  # of the regions, at most
_SIDE_LETTER = re.compile(r"^([lr])(?=[A-Z])")


def sides_from_labels(labels: Sequence[str]) -> tuple[str, ...] | None:
    """The side of each region where labels name them in the same way and both sides are there.

    The few that name none lie in the middle, as do brain stem and vermis.
    """
    for pattern in (_SIDE_TOKEN, _SIDE_LETTER):
        found = [pattern.findall(label) for label in labels]
        # A label with two, such as "L_R_border", tells nothing.
        if sum(len(tokens) != 1 for tokens in found) > _MIDLINE_SHARE * len(labels) or any(len(t) > 1 for t in found):
            continue
        sides = tuple(_SPELLINGS[tokens[0].lower()] if tokens else "midline" for tokens in found)
        return sides if {"left", "right"} <= set(sides) else None
    return None


def checked_speed(owner: str, speed: Numbers, shape: tuple[int, ...]) -> Array:
    """A positive speed in mm/ms; it may be traced."""
    example = "delays(5 * u.meter / u.second)"
    unit = u.get_unit(speed) if isinstance(speed, u.Quantity) else None
    if unit is None or not unit.has_same_dim(_MM_PER_MS):
        raise argument_error(argument_of(owner, "speed"), "must have a unit of speed", f"is {speed}", example)
    value = speed.to_decimal(_MM_PER_MS)
    if np.shape(value) not in ((), shape):
        raise argument_error(
            argument_of(owner, "speed"),
            f"must be a scalar or of shape {shape}",
            f"is of shape {np.shape(value)}",
            example,
        )
    # There is no number to look at.
    if isinstance(value, Tracer):
        return value
    value = np.asarray(value, dtype=np.float64)
    if not (np.isfinite(value) & (value > 0)).all():
        raise argument_error(argument_of(owner, "speed"), "must be positive and finite", f"is {speed}", example)
    return value


def region_indices(owner: str, argument: str, regions: object, labels: Sequence[str], example: str) -> np.ndarray:
    """Different regions, given by index, label or mask, as indices; at least one."""
    regions = without_unit(owner, argument, regions, example)
    given = [regions] if isinstance(regions, str) else np.asarray(regions, dtype=object).tolist()
    if not isinstance(given, list):
        raise argument_error(
            argument_of(owner, argument), "must be a sequence", f"is {regions!r}", example, kind=TypeError
        )
    # Before indices, as True is an int as well.
    if given and all(isinstance(entry, bool | np.bool_) for entry in given):
        if len(given) != len(labels):
            raise argument_error(
                argument_of(owner, argument),
                f"must, as a mask, have one entry per region ({len(labels)})",
                f"has {len(given)}",
                example,
            )
        given = np.flatnonzero(given).tolist()
    position = {label: i for i, label in enumerate(labels)}
    indices = [_region_index(owner, argument, entry, labels, position, example) for entry in given]
    if not indices:
        raise argument_error(argument_of(owner, argument), "must name at least one region", "name none", example)
    repeated = [i for i, times in Counter(indices).items() if times > 1]
    if repeated:
        raise argument_error(
            argument_of(owner, argument),
            "must differ from each other",
            f"{labels[repeated[0]]!r} is there twice",
            example,
        )
    return np.asarray(indices)


def _region_index(
    owner: str, argument: str, entry: object, labels: Sequence[str], position: dict[str, int], example: str
) -> int:
    n_regions = len(labels)
    if isinstance(entry, str) and entry in position:
        return position[entry]
    if isinstance(entry, str):
        hint = suggestion(entry, position).strip()
        but = f"{entry!r} is none" + f" ({hint})" * bool(hint)
        raise argument_error(argument_of(owner, argument), "must be regions of this connectome", but, example)
    if isinstance(entry, bool | np.bool_) or not isinstance(entry, int | np.integer):
        raise argument_error(
            argument_of(owner, argument),
            "must be indices, labels or a mask",
            f"one is {entry!r}",
            example,
            kind=TypeError,
        )
    if not -n_regions <= entry < n_regions:
        raise argument_error(
            argument_of(owner, argument), f"must lie between 0 and {n_regions - 1}", f"one is {entry}", example
        )
    return int(entry) % n_regions


def check_entries(owner: str, argument: str, values: np.ndarray, good: np.ndarray, must: str, example: str) -> None:
    """Every entry is good; else the first that is not is named."""
    if not good.all():
        at = tuple(np.argwhere(~good)[0].tolist())
        raise argument_error(
            argument_of(owner, argument), must, f"{argument}[{', '.join(map(str, at))}] is {values[at]}", example
        )


def _with_unit_of_length(owner: str, argument: str, values: ArrayLike, example: str) -> tuple[np.ndarray, Numbers]:
    unit = u.get_unit(values) if isinstance(values, u.Quantity) else None
    if unit is None or not unit.has_same_dim(u.mm):
        but = "plain numbers" if unit is None else f"in {unit}"
        raise argument_error(argument_of(owner, argument), "must carry a unit of length", f"are {but}", example)
    return _real_array(owner, argument, u.get_mantissa(values), example), unit


def _is_number(value: Any) -> bool:
    return isinstance(value, Real | np.bool_) or np.ndim(value) > 0 and np.asarray(value).dtype.kind in "biuf"


def _real_array(owner: str, argument: str, values: Pytree, example: str) -> np.ndarray:
    """A read-only float64 copy of `values`."""
    try:
        array = np.asarray(plain(Argument(argument, owner), values))
        # numpy would turn texts into numbers, too.
        if array.dtype.kind not in "biuf" and not (array.dtype == object and all(map(_is_number, array.ravel()))):
            raise TypeError(f"type {array.dtype}")
        array = np.array(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        kind = f" of {values.dtype}" if isinstance(values, np.ndarray) else ""
        raise argument_error(
            argument_of(owner, argument),
            "must be an array of real numbers",
            f"are of type {type(values).__name__}{kind}",
            example,
            kind=TypeError,
        ) from error
    array.setflags(write=False)
    return array
