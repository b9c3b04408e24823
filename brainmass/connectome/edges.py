"""The sparse connectome: a list of connections, whose cost follows their number."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Self

import brainunit as u
import numpy as np

from brainmass._common.checks import whole
from brainmass._common.messages import suggestion
from brainmass._common.reading.text import TextStyle
from brainmass._common.typing import ArrayLike, Numbers
from brainmass.connectome import files
from brainmass.connectome.checks import (
    argument_error,
    argument_of,
    checked_length_unit,
    checked_lengths,
    checked_weights,
)
from brainmass.connectome.dense import Connectome
from brainmass.connectome.neighbours import Inputs, NeighbourTable, SplitTable
from brainmass.connectome.regions import PathLike, Regions
from brainmass.connectome.report import ConnectomeReport, report_on
from brainmass.connectome.spectral_radius import spectral_radius
from brainmass.connectome.symmetry import listed_both_ways
from brainmass.connectome.tables import (
    checked_ends,
    frame_connections,
    graph_connections,
    in_one_order,
    sparse_connections,
)

if TYPE_CHECKING:
    import scipy


__all__ = ["Edges"]

_MOST_REGIONS = 10**7  # their labels alone take a gigabyte


@dataclasses.dataclass(frozen=True, eq=False, init=False, repr=False)
class Edges(Regions):
    """Structural connectivity as a list of connections: memory and time follow their number.

    Parameters
    ----------
    n : int
        Number of regions.
    source, target : array of indices, or sequence of labels, shape (E,)
        Region that sends, and region that receives, for each connection. A pair may be there once.
    weight : array, shape (E,)
        Strength of each connection, finite.
    length : Quantity of length, shape (E,), optional
        Length of each connection, finite and nonnegative.
    labels, name, hemispheres, centres
        As of `Connectome`.

    Raises
    ------
    ValueError, TypeError
        Where an argument does not meet the above; the message names the first offending entry.

    Notes
    -----
    The arrays are read-only copies in the order given. Methods return new lists.

    Examples
    --------
    >>> import brainunit as u
    >>> from brainmass.connectome.edges import Edges
    >>> Edges(3, source=[0, 1], target=[1, 2], weight=[0.5, 2.0], length=[20.0, 30.0] * u.mm)
    Edges('edges': 3 regions, 2 connections (density 0.333), lengths 20 to 30 mm)
    """

    n: int
    source: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    length: u.Quantity | None

    def __init__(
        self,
        n: int,
        source: Any,
        target: Any,
        weight: Any,
        length: Any = None,
        labels: Sequence[str] | None = None,
        name: str = "edges",
        hemispheres: Any = None,
        centres: Any = None,
    ) -> None:
        owner, example = type(self).__name__, "weight=np.ones(len(source))"
        self._set(n=_checked_n(n))
        labels, places = in_one_order(owner, labels, {"centres": centres, "hemispheres": hemispheres})
        centres, hemispheres = places.values()
        # First, as sources and targets may be given by label.
        self._set_regions(self.n, labels, name, hemispheres, centres)
        weight = checked_weights(owner, "weight", weight, example)
        if weight.ndim != 1:
            raise argument_error(
                argument_of(owner, "weight"), "must be of shape (E,)", f"are of shape {weight.shape}", example
            )
        ends = {
            argument: checked_ends(argument, given, weight.size, self.labels)
            for argument, given in (("source", source), ("target", target))
        }
        length = None if length is None else checked_lengths(owner, "length", length, weight.shape)
        self._set(weight=weight, length=length, **ends)
        self._check_different()

    def _check_different(self) -> None:
        # Stable, so that the later one of two is named.
        order = np.argsort(self._pairs(), kind="stable")
        pairs = self._pairs()[order]
        twice = np.flatnonzero(pairs[1:] == pairs[:-1])
        if twice.size:
            edge = order[twice[0] + 1]
            ends = f"{self.labels[self.source[edge]]!r} to {self.labels[self.target[edge]]!r}"
            raise argument_error(
                argument_of(type(self).__name__, "source"),
                "must give a connection once",
                f"the one from {ends} is there twice",
                "sum the weights of the two",
            )

    def _pairs(self) -> np.ndarray:
        """One number for each pair of regions."""
        # Indices have 32 bits, in which the square of 46,341 regions has no place.
        return self.target.astype(np.int64) * self.n + self.source

    # --- forms ------------------------------------------------------------------------------------------------------
    @classmethod
    def from_dense(cls, weights: Any, lengths: Any = None, **regions: Any) -> Self:
        """List the connections of a Connectome, or of a matrix (N, N), whose weight is not zero, row by row.

        Parameters
        ----------
        weights : Connectome or array (N, N)
            Rows receive.
        lengths : Quantity of length (N, N), optional
            With a matrix.
        labels, name, hemispheres, centres
            With a matrix; as of `Connectome`.
        """
        dense = weights if isinstance(weights, Connectome) else Connectome(weights, lengths, **regions)
        if dense is weights and (lengths is not None or regions):
            raise TypeError("Edges.from_dense takes lengths and labels with a matrix, not with a Connectome.")
        target, source = np.nonzero(dense.weights)
        return cls(
            dense.n_regions,
            source,
            target,
            dense.weights[target, source],
            None if dense.lengths is None else dense.lengths[target, source],
            dense.labels,
            dense.name,
            dense.hemispheres,
            dense.centres,
        )

    def to_connectome(self) -> Connectome:
        """Return the dense form, with weight 0 and length 0 where there is no connection."""
        weights = np.zeros((self.n, self.n))
        weights[self.target, self.source] = self.weight
        lengths = None
        if self.length is not None:
            values = np.zeros_like(weights)
            values[self.target, self.source] = self.length.mantissa
            lengths = u.Quantity(values, unit=self.length.unit)
        return Connectome(weights, lengths, self.labels, self.name, self.hemispheres, self.centres)

    @classmethod
    def from_scipy(cls, weights: Any, **regions: Any) -> Self:
        """List the stored entries of a sparse matrix of scipy (N, N), row by row; rows receive.

        Parameters
        ----------
        weights : scipy sparse array or matrix
            Entries that are stored twice are summed, as scipy does.
        labels, name, hemispheres, centres
            As of `Connectome`.
        """
        return cls(**sparse_connections(cls.__name__, weights), **regions)

    @classmethod
    def from_networkx(
        cls, graph: Any, *, weight: str = "weight", length: str | None = None, length_unit: Any = u.mm, **regions: Any
    ) -> Self:
        """The connections of a graph; an edge from a to b is one from a to b, an undirected one goes both ways.

        Parameters
        ----------
        graph : networkx graph
            Its nodes are the regions, in their order. Edges without any weight have weight 1.
        weight, length : str
            The attributes of the edges that hold weight and length; lengths are in `length_unit`.
        name, hemispheres, centres
            As of `Connectome`.
        """
        unit = checked_length_unit(length_unit)
        fields = graph_connections(cls.__name__, graph, weight, length)
        if "length" in fields:
            fields["length"] = fields["length"] * unit
        return cls(**fields, **regions)

    @classmethod
    def from_pandas(
        cls,
        table: Any,
        *,
        source: str = "source",
        target: str = "target",
        weight: str = "weight",
        length: str | None = None,
        length_unit: Any = u.mm,
        n: int | None = None,
        labels: Any = None,
        numbering: Any = None,
        **regions: Any,
    ) -> Self:
        """The connections of a table with one row per connection.

        Parameters
        ----------
        table : DataFrame
        source, target, weight, length : str
            Names of its columns; lengths are in `length_unit`.
        n : int, optional
            Number of regions, where sources and targets are indices.
        labels : sequence, optional
            Names of the regions, in order, those without a connection included. Default: where sources and targets
            are texts, they are the names, in the order in which they first appear.
        numbering : 0, 1 or 'ids', optional
            Whether numbers count the regions from 0 or from 1, or are names. Default 0 where there is a region 0.
        name, hemispheres, centres
            As of `Connectome`.

        Raises
        ------
        ValueError
            If a column is missing, or the regions cannot be told; the message says which argument tells them.
        """
        unit = checked_length_unit(length_unit)
        wanted = {"source": source, "target": target, "weight": weight} | ({"length": length} if length else {})
        fields = frame_connections(cls.__name__, table, wanted, n, labels, numbering)
        if "length" in fields:
            fields["length"] = fields["length"] * unit
        return cls(**fields, **regions)

    def to_scipy(self) -> scipy.sparse.csr_array:
        """Return the weights as a `scipy.sparse.csr_array` (N, N); rows receive."""
        return self._matrix(self.weight)

    def _matrix(self, values: np.ndarray) -> scipy.sparse.csr_array:
        from scipy.sparse import csr_array

        return csr_array((values, (self.target, self.source)), shape=(self.n, self.n))

    @classmethod
    def from_file(
        cls,
        path: PathLike,
        *,
        n: int | None = None,
        numbering: int | str | None = None,
        name: str | None = None,
        **how: Any,
    ) -> Self:
        """Read connections from a file of any kind that is known, which is told by its first bytes.

        A list of connections (text, Excel, parquet, with the columns of `from_csv`; what `to_npz` wrote), a sparse
        matrix (scipy's `.npz`, MATLAB), which is never filled in, or whatever `Connectome.from_file` reads.

        Parameters
        ----------
        path : str or path
            The file.
        n, numbering
            Of a list of connections, as of `from_csv`.
        name : str, optional
            Default: what the file says, else the file's.
        **how
            Further arguments of `Connectome.from_file`: labels, centres, length_unit, delimiter, sheet, and so on.

        Raises
        ------
        ValueError
            If the file is damaged, of another kind, or leaves something open; the message says which argument tells.
            Also for an argument that has no part in what the file holds.
        """
        # Its arguments are passed on, and stand in its signature alone.
        known = set(inspect.signature(Connectome.from_file).parameters) - {"path", "name"}
        strange = next((argument for argument in how if argument not in known), None)
        if strange is not None:
            raise TypeError(f"{cls.__name__}.from_file has no argument {strange!r}.{suggestion(strange, known)}")
        if how.get("length_unit") is not None:
            checked_length_unit(how["length_unit"])
        fields = files.read_connections(path, files.given_by(how), n, numbering)
        if fields is not None:
            return cls._from_file(path, name, fields)
        return cls.from_dense(Connectome.from_file(path, name=name, **how))

    @classmethod
    def from_csv(
        cls,
        path: PathLike,
        *,
        n: int | None = None,
        labels: Iterable[str] | PathLike | None = None,
        length_unit: u.Unit = u.mm,
        delimiter: str | None = None,
        name: str | None = None,
        numbering: int | str | None = None,
        decimal: str | None = None,
        encoding: str | None = None,
    ) -> Self:
        """Read a text file with the columns source, target, weight and, if it has them, length.

        The first row names the columns, in any order; others are not read. A row with a source alone names a region.

        Parameters
        ----------
        path : str or path
            The file.
        n : int, optional
            Number of regions, where sources and targets are indices; default: one more than the largest.
        labels : sequence of strings, or path, optional
            Names of the regions, in order. Default: where sources and targets are not all whole numbers, they are
            labels, and the regions are in the order in which they first appear.
        length_unit : unit of length
            Of the lengths.
        delimiter : str, optional
            Default: the one of tab, ';', ',' and blank that cuts the file into numbers.
        name : str, optional
            Default: the file's.
        numbering : 0, 1 or 'ids', optional
            Whether whole numbers count the regions from 0 or from 1, or are names, as those of FreeSurfer. Default 0
            where there is a region 0.
        decimal, encoding
            As of `Connectome.from_file`.

        Raises
        ------
        ValueError
            If a column is missing, the file is cut short or holds text where a number should be, or the regions
            cannot be told; the message says which argument tells them.
        """
        style, unit = TextStyle(delimiter, decimal, encoding), checked_length_unit(length_unit)
        return cls._from_file(path, name, files.read_edge_list(path, n, labels, numbering, unit, style))

    def to_csv(self, path: PathLike) -> None:
        """Write the columns source, target, weight and, if there are lengths, length in mm; regions by their labels.

        Where the connections do not show all regions in their order, rows with a source alone name them first.
        """
        files.write_edge_list(path, self)

    @classmethod
    def from_npz(cls, path: PathLike, *, name: str | None = None) -> Self:
        """Read what `to_npz` wrote."""
        return cls._from_file(path, name, files.read_edges_npz(path))

    def to_npz(self, path: PathLike) -> None:
        """Write a `.npz` file that `from_npz` reads; lengths and centres in mm. It appears whole or not at all."""
        files.write_npz(path, files.sparse_variables(self))

    # --- tables -----------------------------------------------------------------------------------------------------
    def table(self) -> NeighbourTable:
        """Return the connections by receiving region: row i of `weights * x[sources]` sums to what region i receives.

        Sources are int32 and padded with the region itself; rows are as wide as the region with most inputs needs and
        ordered by source.

        Returns
        -------
        NeighbourTable
            `sources`, `weights`, `lengths` (or None), each of shape (N, width).

        Raises
        ------
        ValueError
            If inputs are so unequal that a large table would be mostly padding; `split_table` has no such limit.
        """
        inputs = Inputs(self.n, self.source, self.target)
        if inputs.would_be_padding(inputs.most):
            raise ValueError(
                f"Method `table` of Edges needs inputs of similar number, but "
                f"{self.labels[int(inputs.number.argmax())]!r} has {inputs.most} and the mean is "
                f"{self.weight.size / self.n:.3g}: {self.n * inputs.most} entries for {self.weight.size} connections. "
                "Example: edges.split_table()"
            )
        return inputs.table(self.weight, self.length)

    def rows(self) -> NeighbourTable | SplitTable:
        """Return `table()`, or `split_table()` where a few hubs would make that mostly padding."""
        inputs = Inputs(self.n, self.source, self.target)
        return self.split_table() if inputs.would_be_padding(inputs.most) else inputs.table(self.weight, self.length)

    def slots(self) -> tuple[np.ndarray, np.ndarray]:
        """Return row and column of each connection in `table()`, to put other values of the connections there."""
        return self.target, Inputs(self.n, self.source, self.target).rank()

    def split_table(self, width: int | None = None) -> SplitTable:
        """Return the connections in rows of this width; a region with more inputs has several rows.

        What region i receives is the sum over the rows where `targets` is i (`jax.ops.segment_sum`).

        Parameters
        ----------
        width : int, optional
            Default: the mean number of inputs, rounded up; the table then has at most 2 E + N entries.

        Returns
        -------
        SplitTable
            `targets` (R,), int32 and sorted; `sources`, `weights`, `lengths` (or None), each of shape (R, width).
        """
        inputs = Inputs(self.n, self.source, self.target)
        if width is None:
            width = max(-(-self.weight.size // self.n), 1)
        width = whole(argument_of(type(self).__name__, "width"), width, example="split_table(width=16)")
        if inputs.split_would_be_padding(width):
            raise argument_error(
                argument_of(type(self).__name__, "width"),
                "must not make a table that is mostly padding",
                f"is {width}, for {self.weight.size} connections",
                "split_table()",
            )
        return inputs.split_table(int(width), self.weight, self.length)

    # --- as of Connectome -------------------------------------------------------------------------------------------
    def report(self) -> ConnectomeReport:
        """Return what there is to know before it is used; print it, or look at its `problems`. As of `Connectome`."""
        return report_on(self)

    def transpose(self) -> Self:
        """Return the list with all connections turned round."""
        return dataclasses.replace(self, source=self.target, target=self.source)

    def symmetrize(self, by: str | None = None) -> Self:
        """Return the list with the same weight both ways between two regions, row by row. As of `Connectome`."""
        plain = (self.source, self.target, self.weight)
        far = None if self.length is None else np.asarray(self.length.mantissa)
        pairs = self._pairs()
        order, back = np.argsort(pairs), np.argsort(self.source.astype(np.int64) * self.n + self.target)
        # The pairs, and those turned round, both in order: the same list where each connection has one back.
        same = np.array_equal(pairs[order], (self.source.astype(np.int64) * self.n + self.target)[back])
        same = same and np.array_equal(self.weight[order], self.weight[back])
        present = self.weight != 0
        # Entries of weight zero fill no triangle.
        upper, lower = (present & (self.source > self.target)).any(), (present & (self.source < self.target)).any()
        how = self._symmetry(by, same, upper, lower)
        if how is None:
            return self
        source, target, weight, *length = listed_both_ways(self.n, *plain, far, how)
        lengths = None if self.length is None else length[0] * self.length.unit
        return dataclasses.replace(self, source=source, target=target, weight=weight, length=lengths)

    def delays(self, speed: Numbers) -> u.Quantity:
        """Return the conduction delays `length / speed` in ms, shape (E,).

        Parameters
        ----------
        speed : Quantity of speed, scalar or shape (E,)
            Conduction speed, positive. It may be traced: the delays are differentiable in it.

        Raises
        ------
        ValueError
            If there are no lengths, or `speed` is not a positive speed.
        """
        return self._delays(self.length, speed, "Edges(n, source, target, weight, length=L * u.mm)")

    def _among(self, indices: np.ndarray) -> dict[str, object]:
        # From old indices to new ones; -1 marks who is left out.
        new = np.full(self.n, -1)
        new[indices] = np.arange(indices.size)
        kept = (new[self.source] >= 0) & (new[self.target] >= 0)
        return {
            "n": indices.size,
            "source": new[self.source[kept]],
            "target": new[self.target[kept]],
            "weight": self.weight[kept],
            "length": None if self.length is None else self.length[kept],
        }

    @property
    def _strengths(self) -> np.ndarray:
        return self.weight

    def _divided(self, scale: ArrayLike) -> Self:
        return dataclasses.replace(self, weight=self.weight / scale)

    def _into(self, values: np.ndarray) -> np.ndarray:
        return np.bincount(self.target, values, minlength=self.n)

    def _at_rows(self, values: np.ndarray) -> np.ndarray:
        return values[self.target]

    def _radius(self, values: np.ndarray) -> float:
        return spectral_radius(self._matrix(values))

    def __repr__(self) -> str:
        return self._described(self.source, self.target, self.length)


def _checked_n(n: int | None) -> int:
    return whole(argument_of("Edges", "n"), n, most=_MOST_REGIONS, example="Edges(100, ...)")
