"""The connectome: who is connected to whom, how strongly, and over what distance."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Self

import brainunit as u
import numpy as np

from brainmass._common.checks import function
from brainmass._common.foreign import is_table
from brainmass._common.messages import argument_error
from brainmass._common.reading.text import TextStyle
from brainmass._common.typing import ArrayLike, Numbers, Pytree
from brainmass.connectome import files
from brainmass.connectome.checks import (
    argument_of,
    checked_length_unit,
    checked_lengths,
    checked_weights,
)
from brainmass.connectome.regions import PathLike, Regions
from brainmass.connectome.report import ConnectomeReport
from brainmass.connectome.symmetry import COMBINED
from brainmass.connectome.tables import in_one_order

if TYPE_CHECKING:
    import networkx

    from brainmass.connectome.edges import Edges

__all__ = ["Connectome"]


@dataclasses.dataclass(frozen=True, eq=False, init=False, repr=False)
class Connectome(Regions):
    """Structural connectivity between regions. Rows receive.

    Parameters
    ----------
    weights : array or table, shape (N, N)
        `weights[i, j]` is the strength of the connection from region j to region i. Finite; may be
        negative (inhibitory) and asymmetric (directed). A table of pandas or xarray names the
        regions, and further tables are put in its order.
    lengths : Quantity of length, shape (N, N), optional
        Length of each connection, finite and nonnegative; same orientation as `weights`.
    labels : sequence of N different names, optional
        Names of the regions; those of the tables, else "region 0", "region 1", ... if not given.
    name : str
        Name of the connectome.
    hemispheres : sequence of N of 'left', 'right', 'midline', or N booleans (True is right), optional
        Side of each region.
    centres : Quantity of length, shape (N, 3), optional
        Coordinates of the regions.

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
    >>> from brainmass.connectome.dense import Connectome
    >>> Connectome(np.array([[0.0, 2.0], [1.0, 0.0]]), lengths=np.array([[0.0, 30.0], [30.0, 0.0]]) * u.mm)
    Connectome('connectome': 2 regions, 2 connections (density 1), lengths 30 to 30 mm)
    """

    weights: np.ndarray
    lengths: u.Quantity | None

    def __init__(
        self,
        weights: Numbers,
        lengths: Numbers = None,
        labels: Sequence[str] | None = None,
        name: str = "connectome",
        hemispheres: Any = None,
        centres: Numbers = None,
    ) -> None:
        owner, example = type(self).__name__, "weights=np.ones((3, 3))"
        arrays = {"weights": weights, "lengths": lengths, "centres": centres, "hemispheres": hemispheres}
        # While tables still have their labels.
        labels, arrays = in_one_order(owner, labels, arrays)
        weights, lengths, centres, hemispheres = arrays.values()
        weights = checked_weights(owner, "weights", weights, example)
        if weights.ndim != 2 or weights.shape[0] != weights.shape[1] or weights.size == 0:
            raise argument_error(
                argument_of(owner, "weights"),
                "must be a square matrix (N, N)",
                f"are of shape {weights.shape}",
                example,
            )
        lengths = None if lengths is None else checked_lengths(owner, "lengths", lengths, weights.shape)
        self._set(weights=weights, lengths=lengths)
        self._set_regions(weights.shape[0], labels, name, hemispheres, centres)

    # --- containers of other libraries ------------------------------------------------------------------------------
    @classmethod
    def from_pandas(cls, weights: Numbers, lengths: Numbers = None, *, length_unit: Any = u.mm, **regions: Any) -> Self:
        """The connectome of tables with one row and one column per region; rows receive.

        `lengths`, `centres` and `hemispheres` are put in the order of the weights by their labels. Of a list of
        connections, `Edges.from_pandas`.

        Parameters
        ----------
        weights, lengths : DataFrame (N, N)
            The lengths in `length_unit`, as are the `centres`.
        length_unit : unit of length
        labels, name, hemispheres, centres
            As of `Connectome`.

        Raises
        ------
        ValueError
            If rows, columns or tables name different regions; the message names the first.
        """
        unit = checked_length_unit(length_unit)
        far = {"lengths": lengths, "centres": regions.pop("centres", None)}
        for name, table in far.items():
            if is_table(table):  # others are numbers with a unit, or refused below
                table = table.copy()
                # Tables carry a unit in this attribute alone, where `opened` looks for it.
                table.attrs["units"] = str(unit)
                far[name] = table
        return cls(weights, **far, **regions)

    @classmethod
    def from_networkx(
        cls,
        graph: networkx.Graph,
        *,
        weight: str = "weight",
        length: str | None = None,
        length_unit: Any = u.mm,
        **regions: object,
    ) -> Self:
        """The connectome of a graph; an edge from a to b is a connection from a to b, an undirected one goes both ways.

        Parameters
        ----------
        graph : networkx graph
            Its nodes are the regions, in their order. Edges without any weight have weight 1.
        weight, length : str
            The attributes of the edges that hold weight and length; lengths are in `length_unit`.
        name, hemispheres, centres
            As of `Connectome`.
        """
        edges = cls._kinds["Edges"].from_networkx(
            graph, weight=weight, length=length, length_unit=length_unit, **regions
        )
        # A list of connections has another name where none is given.
        fields = {"name": edges.name if "name" in regions else "connectome"}
        dense = edges.to_connectome()
        return cls(dense.weights, dense.lengths, dense.labels, fields["name"], dense.hemispheres, dense.centres)

    # --- files ------------------------------------------------------------------------------------------------------
    @classmethod
    def from_file(
        cls,
        path: PathLike,
        *,
        weights: str | None = None,
        lengths: Numbers = None,
        labels: Iterable[str] | PathLike | None = None,
        centres: object = None,
        hemispheres: Iterable[object] | PathLike | None = None,
        length_unit: u.Unit | None = None,
        name: str | None = None,
        symmetrize: bool | None = None,
        number_repeated: bool = False,
        delimiter: str | None = None,
        decimal: str | None = None,
        encoding: str | None = None,
        empty: float | None = None,
        header: bool | None = None,
        sheet: str | int = 0,
    ) -> Self:
        """Read a connectome from a file of any kind that is known, which is told by its first bytes.

        Text (CSV and its relatives, as of MRtrix, R, Excel and MATLAB), archives of The Virtual Brain, `.npz` and
        `.npy`, sparse matrices of scipy, MATLAB of all versions, HDF5, Excel, parquet, CIFTI; with gzip, bzip2 or xz.
        Rows receive; of a file made the other way, call `transpose`.

        Parameters
        ----------
        path : str or path
            The file, or a folder of The Virtual Brain.
        weights : str, optional
            Which array of the file, where it is not a usual one ("weights", "SC", "connectivity", ...). Parts of a
            struct are named with dots, "data.SC".
        lengths, labels, centres, hemispheres : name, path or values, optional
            Each an array of the file by its name, a file of its own, or the values. Labels in a file stand one on a
            line, or are the one column of text; centres are x, y, z, with the label before them if there is one.
        length_unit : unit of length, optional
            Of lengths and centres; default mm, or what an archive of The Virtual Brain says.
        name : str, optional
            Default: what the file says, else the file's.
        symmetrize : bool, optional
            Whether to mirror a matrix of which one triangle alone is filled. Default: no, with a warning.
        number_repeated : bool
            Whether labels that are there several times get numbers. Default: they are refused.
        delimiter, decimal, encoding : str, optional
            How a text file is written, where it is not found out: the mark between columns, '.' or ',' in numbers, and
            the code page.
        empty : float, optional
            What an empty cell, or NA, stands for, such as 0.0. Default: it is refused.
        header : bool, optional
            Whether the first row and column are names, where numbers leave that open.
        sheet : int or str
            Of an Excel file.

        Raises
        ------
        ValueError
            If the file is damaged, of another kind, or leaves something open; the message says which argument tells.
        """
        style = TextStyle(delimiter, decimal, encoding, empty, header)
        unit = u.mm if length_unit is None else checked_length_unit(length_unit)
        given = files.Given(
            weights, lengths, labels, centres, hemispheres, unit, symmetrize, number_repeated, sheet, style
        )
        if files.is_tvb(path):
            return cls._from_file(path, name, files.read_tvb(path, given, length_unit))
        return cls._from_file(path, name, files.read_dense(path, given))

    @classmethod
    def from_tvb(
        cls,
        path: PathLike,
        *,
        name: str | None = None,
        length_unit: u.Unit | None = None,
        labels: Iterable[str] | PathLike | None = None,
        centres: str | None = None,
        symmetrize: bool | None = None,
        number_repeated: bool = False,
    ) -> Self:
        """Read a connectivity of The Virtual Brain: a zip archive, or a folder, of text files, or its HDF5 file.

        Rows receive there as here. `weights.txt` must be there; `tract_lengths.txt`, `centres.txt` (label x y z, in mm)
        and `hemispheres.txt` (1 is right) are read if they are; each may be compressed, `.txt.bz2`. Other files are
        not read. Without `tract_lengths.txt` there are no lengths.

        Parameters
        ----------
        path : str or path
            The archive or folder.
        name : str, optional
            Default: the file's.
        length_unit : unit of length, optional
            Of the tract lengths. Default: what `info.txt` says, else mm.
        labels : sequence or path, optional
            Other labels than those of `centres.txt`.
        centres : str, optional
            Which file holds them, where there are several, as in centres='centres.txt'.
        symmetrize, number_repeated
            As of `from_file`.

        Raises
        ------
        ValueError
            If a file is damaged, cut short or holds no numbers; the message says where.

        Notes
        -----
        The order of indices is stated in The Virtual Brain's documentation of `tvb.simulator.coupling` ("to" along
        the rows, "from" along the columns). For a file made the other way, call `transpose`.
        """
        unit = None if length_unit is None else checked_length_unit(length_unit)
        given = files.Given(
            labels=labels, centres=centres, symmetrize=symmetrize, number_repeated=number_repeated,
            length_unit=unit or u.mm,
        )  # fmt: skip
        return cls._from_file(path, name, files.read_tvb(path, given, unit))

    def to_tvb(self, path: PathLike) -> None:
        """Write a zip archive that The Virtual Brain reads; it needs `centres`.

        Blanks in labels become underscores, since blanks separate columns there.
        """
        files.write_tvb(path, self)

    @classmethod
    def from_csv(
        cls,
        path: PathLike,
        lengths: Numbers = None,
        *,
        length_unit: u.Unit = u.mm,
        delimiter: str | None = None,
        name: str | None = None,
        labels: Iterable[str] | PathLike | None = None,
        centres: object = None,
        symmetrize: bool | None = None,
        number_repeated: bool = False,
        decimal: str | None = None,
        encoding: str | None = None,
        empty: float | None = None,
        header: bool | None = None,
    ) -> Self:
        """Read weights, and lengths and centres from further files, from text files with one row per receiving region.

        A first row that holds text is read as labels, and a first column of labels must agree with it. Lines that
        start with '#' or '%' are skipped.

        Parameters
        ----------
        path, lengths, centres : str or path
            The files.
        length_unit : unit of length
            Of the numbers in the files of lengths and centres.
        delimiter : str, optional
            Default: the one of tab, ';', ',' and blank that cuts the file into numbers.
        name : str, optional
            Default: the file's.
        labels, symmetrize, number_repeated, decimal, encoding, empty, header
            As of `from_file`.

        Raises
        ------
        ValueError
            If a file is cut short or holds text where a number should be; the message says where.
        """
        style = TextStyle(delimiter, decimal, encoding, empty, header)
        unit = checked_length_unit(length_unit)
        given = files.Given(None, lengths, labels, centres, None, unit, symmetrize, number_repeated, style=style)
        return cls._from_file(path, name, files.read_dense(path, given, ("text",)))

    def to_csv(self, path: PathLike, lengths: PathLike | None = None, centres: PathLike | None = None) -> None:
        """Write the weights with a first row of labels, and lengths and centres in mm to further files."""
        files.write_csv(path, lengths, centres, self)

    @classmethod
    def from_npz(
        cls,
        path: PathLike,
        *,
        weights: str | None = None,
        lengths: Numbers = None,
        labels: Iterable[str] | PathLike | None = None,
        length_unit: u.Unit = u.mm,
        name: str | None = None,
        centres: object = None,
        symmetrize: bool | None = None,
    ) -> Self:
        """Read what `to_npz` wrote, or another archive of numpy arrays, or a sparse matrix of scipy.

        Parameters
        ----------
        path : str or path
            The file.
        weights, lengths, labels, centres : optional
            Names of the arrays, where they are not usual ones ("weights", "SC", "lengths", "tract_lengths", ...);
            lengths, labels and centres may also be files of their own, or values.
        length_unit : unit of length
            Of the lengths and centres.
        name : str, optional
            Default: what the file says, else the file's.
        symmetrize
            As of `from_file`.

        Raises
        ------
        ValueError
            If the file is damaged, or has no such array; the message lists those it has.
        """
        unit = checked_length_unit(length_unit)
        given = files.Given(weights, lengths, labels, centres, length_unit=unit, symmetrize=symmetrize)
        return cls._from_file(path, name, files.read_dense(path, given, ("npz",)))

    def to_npz(self, path: PathLike) -> None:
        """Write a `.npz` file that `from_npz` reads; lengths and centres in mm. It appears whole or not at all."""
        files.write_npz(path, files.dense_variables(self))

    @classmethod
    def from_mat(
        cls,
        path: PathLike,
        *,
        weights: str | None = None,
        lengths: Numbers = None,
        labels: Iterable[str] | PathLike | None = None,
        length_unit: u.Unit = u.mm,
        name: str | None = None,
        centres: object = None,
        symmetrize: bool | None = None,
    ) -> Self:
        """Read a MATLAB file of any version; arguments and errors as those of `from_npz`, "data.SC" in a struct."""
        unit = checked_length_unit(length_unit)
        given = files.Given(weights, lengths, labels, centres, length_unit=unit, symmetrize=symmetrize)
        return cls._from_file(path, name, files.read_dense(path, given, ("mat", "hdf5")))

    def to_mat(self, path: PathLike) -> None:
        """Write a MATLAB file with the variables `weights`, `lengths_mm`, `labels` and so on, as far as known."""
        files.write_mat(path, files.dense_variables(self))

    def symmetrize(self, by: str | None = None) -> Self:
        """Return the connectome with the same weight both ways between two regions.

        Parameters
        ----------
        by : {'mean', 'max', 'sum'}, optional
            What becomes of two weights that differ. Needed unless one triangle alone is filled, which is mirrored.

        Raises
        ------
        ValueError
            Where both triangles are filled and nothing is said.
        """
        halves = np.triu(self.weights, 1).any(), np.tril(self.weights, -1).any()
        how = self._symmetry(by, np.array_equal(self.weights, self.weights.T), *halves)
        if how is None:
            return self
        weights = COMBINED[how](self.weights, self.weights.T)
        # A self-connection is one connection, and not two that are added.
        np.fill_diagonal(weights, np.diag(self.weights))
        far = None if self.lengths is None else np.asarray(self.lengths.mantissa)
        # Of two lengths the longer one: where one triangle is filled, the other is zero.
        lengths = None if far is None or self.lengths is None else np.maximum(far, far.T) * self.lengths.unit
        return dataclasses.replace(self, weights=weights, lengths=lengths)

    # --- forms ------------------------------------------------------------------------------------------------------
    def to_edges(self) -> Edges:
        """Return the connections that are there as a list; see `Edges`."""
        return self._kinds["Edges"].from_dense(self)

    def report(self) -> ConnectomeReport:
        """Return what there is to know before it is used; print it, or look at its `problems`.

        It judges direction and symmetry, negative weights, self-connections, regions without connections, and whether
        the lengths can be of a human brain in the unit that they carry.
        """
        return self.to_edges().report()

    def transpose(self) -> Self:
        """Return the connectome with all connections turned round: for weights in which rows send."""
        return dataclasses.replace(
            self, weights=self.weights.T, lengths=None if self.lengths is None else self.lengths.T
        )

    def map_weights(self, f: Callable[[np.ndarray], Numbers]) -> Self:
        """Return the connectome with weights `f(weights)`; for example `map_weights(np.log1p)`.

        Raises
        ------
        ValueError
            If the result has another shape or an entry that is not finite.
        """
        function(argument_of(type(self).__name__, "f"), f, example="map_weights(np.log1p)")
        weights = np.asarray(f(self.weights))
        if weights.shape != self.weights.shape:
            raise argument_error(
                argument_of(type(self).__name__, "f"),
                f"must keep the shape {self.weights.shape}",
                f"returns an array of shape {weights.shape}",
                "map_weights(np.log1p)",
            )
        return dataclasses.replace(self, weights=weights)

    def delays(self, speed: Numbers) -> u.Quantity:
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
        return self._delays(self.lengths, speed, "Connectome(weights, lengths=L * u.mm)")

    def _among(self, indices: np.ndarray) -> dict[str, Pytree]:
        block = np.ix_(indices, indices)
        return {"weights": self.weights[block], "lengths": None if self.lengths is None else self.lengths[block]}

    @property
    def _strengths(self) -> np.ndarray:
        return self.weights

    def _divided(self, scale: ArrayLike) -> Self:
        return self.map_weights(lambda weights: weights / scale)

    def _into(self, values: np.ndarray) -> np.ndarray:
        return values.sum(axis=1)

    def _at_rows(self, values: np.ndarray) -> np.ndarray:
        return values[:, None]

    def _radius(self, values: np.ndarray) -> float:
        return float(np.abs(np.linalg.eigvals(values)).max())

    def __repr__(self) -> str:
        target, source = np.nonzero(self.weights)
        return self._described(source, target, None if self.lengths is None else self.lengths[target, source])
