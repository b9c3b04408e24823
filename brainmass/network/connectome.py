"""The connectome: who is connected to whom, how strongly, and over what distance."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import brainunit as u
import numpy as np
from jax.core import Tracer

__all__ = ["Connectome"]

_MM_PER_MS = u.get_unit(u.mm / u.ms)
_MEANING = {
    "weights": "connection strengths, weights[i, j] from region j to region i",
    "lengths": "lengths of the connections",
    "labels": "names of the regions",
    "name": "name of the connectome",
    "by": "kind of normalisation",
    "f": "function of the weights",
    "speed": "conduction speed",
}


@dataclasses.dataclass(frozen=True, eq=False, init=False, repr=False)
class Connectome:
    """Structural connectivity between regions. Rows receive.

    Parameters
    ----------
    weights : array, shape (N, N)
        `weights[i, j]` is the strength of the connection from region j to region i. Finite; may be
        negative (inhibitory) and asymmetric (directed).
    lengths : Quantity of length, shape (N, N), optional
        Length of each connection, finite and nonnegative; same orientation as `weights`.
    labels : sequence of N different strings, optional
        Names of the regions; "region 0", "region 1", ... if not given.
    name : str
        Name of the connectome.

    Raises
    ------
    ValueError, TypeError
        Where an argument does not meet the above; the message names the first offending entry.

    Notes
    -----
    The arrays are read-only float64 copies. Methods return new connectomes.

    Examples
    --------
    >>> import numpy as np, brainunit as u
    >>> from brainmass.network.connectome import Connectome
    >>> Connectome(np.array([[0.0, 2.0], [1.0, 0.0]]), lengths=np.array([[0.0, 30.0], [30.0, 0.0]]) * u.mm)
    Connectome('connectome': 2 regions, 2 connections (density 1), lengths 30 to 30 mm)
    """

    weights: np.ndarray
    lengths: u.Quantity | None
    labels: tuple[str, ...]
    name: str

    def __init__(
        self,
        weights: Any,
        lengths: Any = None,
        labels: Sequence[str] | None = None,
        name: str = "connectome",
    ) -> None:
        weights = _checked_weights(weights)
        n_regions = weights.shape[0]
        fields = {
            "weights": weights,
            "lengths": None if lengths is None else _checked_lengths(lengths, n_regions),
            "labels": _checked_labels(labels, n_regions),
            "name": _checked_name(name),
        }
        for field, value in fields.items():
            object.__setattr__(self, field, value)

    @property
    def n_regions(self) -> int:
        """Number of regions."""
        return self.weights.shape[0]

    def map_weights(self, f: Callable[[np.ndarray], Any]) -> Connectome:
        """Return the connectome with weights `f(weights)`; for example `map_weights(np.log1p)`.

        Raises
        ------
        ValueError
            If the result has another shape or an entry that is not finite.
        """
        weights = np.asarray(f(self.weights))
        if weights.shape != self.weights.shape:
            must = f"must keep the shape {self.weights.shape}, but returns an array of shape {weights.shape}"
            raise _error("f", must, "map_weights(np.log1p)")
        return Connectome(weights, self.lengths, self.labels, self.name)

    def normalize(self, by: str = "max") -> Connectome:
        """Return the connectome with scaled weights.

        Parameters
        ----------
        by : {'max', 'row', 'spectral'}
            'max': the largest absolute weight becomes 1. 'row': the weights into each region sum to 1.
            'spectral': the spectral radius becomes 1. What is zero (a row, a whole matrix) stays zero.

        Raises
        ------
        ValueError
            For another name; for 'row', if the weights into a region are not all zero but their sum is
            zero or negative; for 'spectral', if the spectral radius of nonzero weights is zero.
        """
        if by not in _SCALES:
            must = f"must be one of {', '.join(map(repr, _SCALES))}, but is {by!r}"
            raise _error("by", must, "normalize('max')")
        return self.map_weights(lambda weights: weights / _SCALES[by](weights))

    def delays(self, speed: Any) -> u.Quantity:
        """Return the conduction delays `lengths / speed` in ms, shape (N, N).

        Parameters
        ----------
        speed : Quantity of speed, scalar or shape (N, N)
            Conduction speed, positive. It may be traced: the delays are differentiable in it.

        Raises
        ------
        ValueError
            If the connectome has no lengths, or `speed` is not a positive speed.
        """
        if self.lengths is None:
            raise ValueError(
                f"Delays of Connectome {self.name!r} must come from lengths, but it has none. "
                "Example: Connectome(weights, lengths=L * u.mm)"
            )
        speed_mm_per_ms = _checked_speed(speed, self.weights.shape)
        return u.Quantity(self.lengths.to_decimal(u.mm) / speed_mm_per_ms, unit=u.ms)

    def __repr__(self) -> str:
        connected = self.weights != 0
        between = connected & ~np.eye(self.n_regions, dtype=bool)
        n_edges, n_self = int(between.sum()), int(connected.sum() - between.sum())
        density = n_edges / max(self.n_regions * (self.n_regions - 1), 1)
        parts = [_count(self.n_regions, "region"), f"{_count(n_edges, 'connection')} (density {density:.3g})"]
        if n_self:
            parts.append(_count(n_self, "self-connection"))
        parts.append(_describe_lengths(self.lengths, between))
        return f"Connectome({self.name!r}: {', '.join(parts)})"


def _row_sums(weights: np.ndarray) -> np.ndarray:
    sums = weights.sum(axis=1, keepdims=True)
    empty = ~weights.any(axis=1, keepdims=True)
    bad = np.flatnonzero((sums <= 0) & ~empty)
    if bad.size:
        total = sums[bad[0], 0]
        must = f"'row' needs rows with a positive sum, but the weights into region {bad[0]} sum to {total:g}"
        raise _error("by", must, "normalize('spectral')")
    return np.where(empty, 1.0, sums)


def _largest(weights: np.ndarray) -> float:
    return float(np.abs(weights).max()) or 1.0


def _spectral_radius(weights: np.ndarray) -> float:
    largest = _largest(weights)
    radius = float(np.abs(np.linalg.eigvals(weights / largest)).max())
    if weights.any() and radius <= np.sqrt(np.finfo(float).eps):
        must = "'spectral' needs a spectral radius above zero, but these weights have none (no feedback loop)"
        raise _error("by", must, "normalize('max')")
    return radius * largest or 1.0


_SCALES: dict[str, Callable[[np.ndarray], Any]] = {
    "max": _largest,
    "row": _row_sums,
    "spectral": _spectral_radius,
}


def _checked_weights(weights: Any) -> np.ndarray:
    example = "weights=np.ones((3, 3))"
    if isinstance(weights, u.Quantity) and not weights.is_unitless:
        raise _error("weights", f"must be plain numbers, but are in {u.get_unit(weights)}", example)
    weights = _real_array("weights", u.get_mantissa(weights), example)
    if weights.ndim != 2 or weights.shape[0] != weights.shape[1] or weights.size == 0:
        raise _error("weights", f"must be a square matrix (N, N), but are of shape {weights.shape}", example)
    _check_entries("weights", weights, np.isfinite(weights), "must be finite", "weights=np.nan_to_num(W)")
    return weights


def _checked_lengths(lengths: Any, n_regions: int) -> u.Quantity:
    example = "lengths=L * u.mm"
    unit = u.get_unit(lengths) if isinstance(lengths, u.Quantity) else None
    if unit is None or not unit.has_same_dim(u.mm):
        but = "plain numbers" if unit is None else f"in {unit}"
        raise _error("lengths", f"must carry a unit of length, but are {but}", example)
    values = _real_array("lengths", u.get_mantissa(lengths), example)
    if values.shape != (n_regions, n_regions):
        must = f"must be of the shape of the weights, {(n_regions,) * 2}, but are of shape {values.shape}"
        raise _error("lengths", must, example)
    good = np.isfinite(values) & (values >= 0)
    _check_entries("lengths", values, good, "must be finite and nonnegative", "lengths=np.abs(L) * u.mm")
    return u.Quantity(values, unit=unit)


def _checked_labels(labels: Any, n_regions: int) -> tuple[str, ...]:
    if labels is None:
        return tuple(f"region {i}" for i in range(n_regions))
    example = "labels=['V1', 'V2', 'MT']"
    labels = (labels,) if isinstance(labels, str) else tuple(labels)
    for label in labels:
        if not isinstance(label, str):
            raise _error("labels", f"must be strings, but one is {label!r}", example, TypeError)
    if len(labels) != n_regions:
        raise _error("labels", f"must be one per region ({n_regions}), but are {len(labels)}", example)
    repeated = [label for i, label in enumerate(labels) if label in labels[:i]]
    if repeated:
        raise _error("labels", f"must differ from each other, but {repeated[0]!r} is there twice", example)
    return tuple(str(label) for label in labels)


def _checked_name(name: Any) -> str:
    if not isinstance(name, str):
        raise _error("name", f"must be a string, but is {name!r}", "name='macaque'", TypeError)
    return name


def _checked_speed(speed: Any, shape: tuple[int, ...]) -> Any:
    example = "delays(5 * u.meter / u.second)"
    unit = u.get_unit(speed) if isinstance(speed, u.Quantity) else None
    if unit is None or not unit.has_same_dim(_MM_PER_MS):
        raise _error("speed", f"must have a unit of speed, but is {speed}", example)
    value = speed.to_decimal(_MM_PER_MS)
    if np.shape(value) not in ((), shape):
        must = f"must be a scalar or of shape {shape}, but is of shape {np.shape(value)}"
        raise _error("speed", must, example)
    if isinstance(value, Tracer):
        return value
    value = np.asarray(value, dtype=np.float64)
    if not (np.isfinite(value) & (value > 0)).all():
        raise _error("speed", f"must be positive and finite, but is {speed}", example)
    return value


def _real_array(argument: str, values: Any, example: str) -> np.ndarray:
    """A read-only float64 copy of `values`."""
    try:
        array = np.asarray(values)
        if np.iscomplexobj(array):
            raise TypeError("complex numbers")
        array = np.array(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        must = f"must be an array of real numbers, but are of type {type(values).__name__}"
        raise _error(argument, must, example, TypeError) from error
    array.setflags(write=False)
    return array


def _check_entries(argument: str, values: np.ndarray, good: np.ndarray, must: str, example: str) -> None:
    if not good.all():
        i, j = np.argwhere(~good)[0]
        raise _error(argument, f"{must}, but {argument}[{i}, {j}] is {values[i, j]}", example)


def _describe_lengths(lengths: u.Quantity | None, connected: np.ndarray) -> str:
    if lengths is None:
        return "no lengths"
    values = np.asarray(lengths.mantissa)[connected]
    span = f"{values.min():.4g} to {values.max():.4g}" if values.size else "in"
    return f"lengths {span} {lengths.unit}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _error(argument: str, must: str, example: str, kind: type[Exception] = ValueError) -> Exception:
    return kind(f"Argument `{argument}` of Connectome ({_MEANING[argument]}) {must}. Example: {example}")
