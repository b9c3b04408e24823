"""What the dense and the sparse connectome have in common: named regions, and how they are chosen and scaled."""

from __future__ import annotations

import abc
import dataclasses
import os
from typing import ClassVar, Self

import brainunit as u
import numpy as np

from brainmass._common.checks import one_of
from brainmass._common.display import folded, page, table
from brainmass._common.messages import argument_error, counted
from brainmass._common.typing import Array, ArrayLike, Numbers
from brainmass.connectome.checks import (
    argument_of,
    checked_centres,
    checked_hemispheres,
    checked_labels,
    checked_name,
    checked_speed,
    region_indices,
    side_of,
    sides_from_labels,
)
from brainmass.connectome.report import ConnectomeReport, density
from brainmass.connectome.symmetry import COMBINED

__all__ = ["PathLike", "Regions"]

PathLike = str | os.PathLike[str]

_MOST_ROWS = 200
_KINDS = ("max", "row", "spectral")


@dataclasses.dataclass(frozen=True, eq=False, init=False, repr=False)
class Regions(abc.ABC):
    """Base of the connectomes: their regions, and what is done with them in the same way."""

    #: names of the regions
    labels: tuple[str, ...]
    #: name of the connectome
    name: str
    #: 'left', 'right' or 'midline' for each region
    hemispheres: tuple[str, ...] | None
    #: coordinates of the regions, shape (N, 3)
    centres: u.Quantity | None

    # The kinds of connectome by name: each can be made from another, and none imports another's file for that.
    _kinds: ClassVar[dict[str, type]] = {}

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        Regions._kinds.setdefault(cls.__name__, cls)

    def _set_regions(
        self, n_regions: int, labels: object, name: object, hemispheres: object, centres: Array | None
    ) -> None:
        owner = type(self).__name__
        self._set(
            labels=checked_labels(owner, labels, n_regions),
            name=checked_name(owner, name),
            hemispheres=checked_hemispheres(owner, hemispheres, n_regions),
            centres=checked_centres(owner, centres, n_regions),
        )

    def _set(self, **fields: object) -> None:
        for field, value in fields.items():
            object.__setattr__(self, field, value)

    @property
    def n_regions(self) -> int:
        """Number of regions."""
        return len(self.labels)

    @classmethod
    def _from_file(cls, path: PathLike, name: str | None, fields: dict[str, object]) -> Self:
        if name is not None:
            checked_name(cls.__name__, name)
        # A folder may be written with a slash at its end.
        fields["name"] = name or fields.get("name") or os.path.splitext(os.path.basename(os.path.normpath(path)))[0]
        try:
            return cls(**fields)
        except (TypeError, ValueError) as error:
            raise type(error)(f"File {os.fspath(path)!r} does not hold a connectome. {error}") from error

    # --- choosing ---------------------------------------------------------------------------------------------------
    def subnetwork(self, regions: object) -> Self:
        """Return the connectome of some regions, in the order given, with the connections among them.

        Parameters
        ----------
        regions : sequence of indices or labels, or a mask of shape (N,)
            Different regions, at least one.

        Raises
        ------
        ValueError, TypeError
            If a region is unknown or there twice.
        """
        return self._taken("regions", regions, "subnetwork(['V1', 'MT'])")

    def hemisphere(self, side: str) -> Self:
        """Return the connectome within one hemisphere, 'left' or 'right'.

        Without `hemispheres`, the sides are read from the labels, if each of them names one ("lh_V1", "V1_R", "LH 3").

        Raises
        ------
        ValueError
            If the sides are not known, or no region is on this one.
        """
        side = side_of(type(self).__name__, "side", side)
        sides = self._sides()
        if sides is None or side not in sides:
            but = "its sides are not known" if sides is None else f"it has only {', '.join(sorted(set(sides)))}"
            raise argument_error(
                argument_of(type(self).__name__, "side"),
                f"must be a side of {self.name!r}",
                f"{but}",
                "hemispheres=['left', 'right']",
            )
        return self.subnetwork([s == side for s in sides])

    def permute(self, order: object) -> Self:
        """Return the connectome with its regions in another order.

        Parameters
        ----------
        order : sequence of all N indices or labels
            Region `order[0]` becomes the first.

        Raises
        ------
        ValueError, TypeError
            If `order` is not a permutation of the regions.
        """
        permuted = self._taken("order", order, "permute(range(N)[::-1])")
        if permuted.n_regions != self.n_regions:
            missing = next(label for label in self.labels if label not in set(permuted.labels))
            raise argument_error(
                argument_of(type(self).__name__, "order"),
                f"must have all {self.n_regions} regions",
                f"{missing!r} is missing",
                "subnetwork(['V1', 'MT'])",
            )
        return permuted

    def sorted_by_label(self) -> Self:
        """Return the connectome with its regions in the alphabetical order of their labels."""
        return self.permute(sorted(self.labels))

    def _taken(self, argument: str, regions: object, example: str) -> Self:
        indices = region_indices(type(self).__name__, argument, regions, self.labels, example)
        kept = {
            "labels": [self.labels[i] for i in indices],
            "hemispheres": None if self.hemispheres is None else [self.hemispheres[i] for i in indices],
            "centres": None if self.centres is None else self.centres[indices],
        }
        return dataclasses.replace(self, **kept, **self._among(indices))

    @abc.abstractmethod
    def _among(self, indices: np.ndarray) -> dict[str, object]:
        """The fields that hold the connections among these regions, which are numbered anew."""

    def _symmetry(self, by: str | None, is_symmetric: bool, upper: Numbers, lower: Numbers) -> str | None:
        """How weights there and back are combined; None where nothing is to be done."""
        if by is not None:
            one_of(argument_of(type(self).__name__, "by"), by, COMBINED)
        if by is None and not is_symmetric and upper and lower:
            raise argument_error(
                argument_of(type(self).__name__, "by"),
                "must be 'mean', 'max' or 'sum' where weights differ each way",
                "is None",
                "symmetrize('mean')",
            )
        # Of one triangle the other half is zero: the sum mirrors it.
        return None if is_symmetric and by is None else by or "sum"

    @abc.abstractmethod
    def transpose(self) -> Self:
        """Return the connectome with all connections turned round."""

    # --- scaling ----------------------------------------------------------------------------------------------------
    def normalize(self, by: str = "max") -> Self:
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
        by = one_of(argument_of(type(self).__name__, "by"), by, _KINDS)
        scales = {"max": self._largest_weight, "row": self._sums_of_rows, "spectral": self._spectral_radius}
        return self._divided(scales[by]())

    def _largest_weight(self) -> float:
        return float(np.abs(self._strengths).max(initial=0.0)) or 1.0

    def _sums_of_rows(self) -> np.ndarray:
        sums = self._into(self._strengths)
        # By sizes: the sum of weights that cancel is zero, too, and no scale.
        empty = self._into(np.abs(self._strengths)) == 0
        bad = np.flatnonzero((sums <= 0) & ~empty)
        if bad.size:
            raise argument_error(
                argument_of(type(self).__name__, "by"),
                "'row' needs rows with a positive sum",
                f"the weights into region {bad[0]} sum to {sums[bad[0]]:g}",
                "normalize('spectral')",
            )
        return self._at_rows(np.where(empty, 1.0, sums))

    def _spectral_radius(self) -> float:
        largest = self._largest_weight()
        radius = self._radius(self._strengths / largest)
        # The largest weight is 1 here, so that what is only rounding is known by its size.
        if self._strengths.any() and radius <= np.sqrt(np.finfo(float).eps):
            raise argument_error(
                argument_of(type(self).__name__, "by"),
                "'spectral' needs a spectral radius above zero",
                "these weights have none (no feedback loop)",
                "normalize('max')",
            )
        return radius * largest or 1.0

    @property
    @abc.abstractmethod
    def _strengths(self) -> np.ndarray:
        """The weights, in whatever shape they are kept."""

    @abc.abstractmethod
    def _divided(self, scale: ArrayLike) -> Self:
        """The connectome with the weights divided by `scale`."""

    @abc.abstractmethod
    def _into(self, values: np.ndarray) -> np.ndarray:
        """Sums of `values`, kept as the weights are, over the connections into each region, shape (N,)."""

    @abc.abstractmethod
    def _at_rows(self, values: np.ndarray) -> np.ndarray:
        """Values per receiving region, shape (N,), such that they can be divided by."""

    @abc.abstractmethod
    def _radius(self, values: np.ndarray) -> float:
        """Spectral radius of the matrix with these weights."""

    # --- delays -----------------------------------------------------------------------------------------------------
    def _delays(self, lengths: u.Quantity | None, speed: Numbers, example: str) -> u.Quantity:
        owner = type(self).__name__
        if lengths is None:
            raise ValueError(
                f"Delays of {owner} {self.name!r} must come from lengths, but it has none. Example: {example}"
            )
        speed_mm_per_ms = checked_speed(owner, speed, lengths.shape)
        return u.Quantity(lengths.to_decimal(u.mm) / speed_mm_per_ms, unit=u.ms)

    @abc.abstractmethod
    def report(self) -> ConnectomeReport:
        """Return what there is to know before it is used."""

    # --- describing -------------------------------------------------------------------------------------------------
    def _sides(self) -> tuple[str, ...] | None:
        return self.hemispheres or sides_from_labels(self.labels)

    def _repr_html_(self) -> str:
        report = self.report()
        facts = [*((line, "") for line in report.lines), *((line, "look at it") for line in report.problems)]
        sides = self._sides() or [""] * self.n_regions
        places = [""] * self.n_regions if self.centres is None else [_place(xyz) for xyz in self.centres]
        rows = [(i, *row) for i, row in enumerate(zip(self.labels, sides, places, strict=True))][:_MOST_ROWS]
        more = "" if self.n_regions <= _MOST_ROWS else f" (the first {_MOST_ROWS})"
        regions = table(("", "region", "hemisphere", "centre"), rows)
        return page(type(self).__name__, self.name, table(("", "problem"), facts), folded(f"regions{more}", regions))

    def _described(self, source: np.ndarray, target: np.ndarray, length: u.Quantity | None) -> str:
        between = source != target
        n_edges, n_self = int(between.sum()), int((~between).sum())
        parts = [
            counted(self.n_regions, "region"),
            f"{counted(n_edges, 'connection')} (density {density(self.n_regions, n_edges):.3g})",
        ]
        if n_self:
            parts.append(counted(n_self, "self-connection"))
        parts.append(_described_lengths(length, between))
        return f"{type(self).__name__}({self.name!r}: {', '.join(parts)})"


def _place(xyz: u.Quantity) -> str:
    return f"{', '.join(f'{float(x):.4g}' for x in np.asarray(xyz.mantissa))} {xyz.unit}"


def _described_lengths(length: u.Quantity | None, between: np.ndarray) -> str:
    if length is None:
        return "no lengths"
    values = np.asarray(length.mantissa)[between]
    span = f"{values.min():.4g} to {values.max():.4g}" if values.size else "in"
    return f"lengths {span} {length.unit}"
