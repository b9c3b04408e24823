"""The base of all coupling: what region i receives is `c_i = post(Σ_j w_ij · pre(x_j))`; row i of the weights receives.

A kernel writes `pre`, of the source, and `post`, which brings in the target; the sum between them is here, on weights
that are a matrix or a list of connections. The classical kernels are in `kernels`.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from typing import Any, ClassVar

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from brainstate.nn import Param

from brainmass._common.checks import numbers
from brainmass._common.messages import Argument, argument_error
from brainmass._common.precision import default_dtype
from brainmass._common.typing import Array, Numbers, Pytree
from brainmass.connectome.edges import Edges
from brainmass.connectome.given import as_connections
from brainmass.connectome.neighbours import SplitTable
from brainmass.dynamics.checks import as_param
from brainmass.dynamics.declared import WithRows
from brainmass.dynamics.fields import Par, option, param
from brainmass.network.products import columns, gathered_product, product

__all__ = ["Coupling", "as_weights", "needed"]


class Coupling(WithRows):
    """Base of the coupling kernels. Call it with an activity of shape (..., N), or without, on bound sources.

    In a `Network` or a `Projection` a kernel is named, or given as a class, or as one that is made without weights:
    `Network(..., coupling=SigmoidalCoupling(slope=2.0))`. Its parameters are then those of `network.coupling`.

    A kernel of your own writes `pre(x_j)`, what leaves a source, and `post(total, target, strength)`, what enters a
    target. Where what is sent depends on the target in a way that does not split into products, it writes
    `pre(x_j, x_i)`: each connection is then worked out by itself, in time and memory that grow with their number at
    every step, where others are a matrix product.

    Bound sources and targets are called without arguments and return arrays, as brainstate's prefetches do; sources
    have shape (..., N_out, N_in), one per connection, or (N_in,). Weights may be a matrix (N_out, N_in), a
    `Connectome`, a `Param` or `Edges`, of which the cost follows the edges.
    """

    x: Any = option(default=None, kw_only=False, doc="Bound sources")
    y: Any = option(default=None, kw_only=False, doc="Bound targets")
    conn: Par = param(default=None, doc="weights, `conn[i, j]` is onto i from j", unit="any")
    k: Par = param(default=1.0, doc="global strength", unit="any")

    _first_rows = ("x", "y", "conn", "k")

    # Parameters that belong to what is sent, one number or one for each source; others have one for each target.
    of_sources: ClassVar[tuple[str, ...]] = ()
    # Whether it compares what is sent with the same of the target.
    needs_target: ClassVar[bool] = False
    # Whether what is sent depends on the target, so that each connection is worked out by itself.
    pairwise: ClassVar[bool] = False

    # Layout of the weights: of an edge list the sources of each row, and which region it is onto.
    _shape: tuple[int, int] | None = None
    _sources: np.ndarray | None = None
    _slots: brainstate.LongTermState | None = None
    _targets: brainstate.LongTermState | None = None
    # Where a connection of the list is: rows that are shorter than others are filled up. None: everywhere.
    _places: np.ndarray | None = None
    # Lengths that came with the weights, in mm and in their layout.
    _lengths: np.ndarray | None = None

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        cls.pairwise = len(inspect.signature(cls.pre).parameters) > 2
        cls.needs_target = cls.needs_target or cls.pairwise

    def _admitted(self, key: str, value: object) -> Any:
        if key == "conn" and (value is not None or self._shape is not None):
            value = self._laid_out(value)
        return super()._admitted(key, value)

    def shape_of(self, key: str, value: Any) -> tuple[int, ...] | None:
        if key == "conn":
            return u.math.shape(value.value())
        return None if self._shape is None else (self._shape[key in self.of_sources],)

    def check_given(self, name: str, value: Numbers) -> None:
        """Refuse weights given to a run, or to each of several, in another layout than of those that are there."""
        shape = u.math.shape(self.conn.value()) if name == "conn" else None
        if shape is not None and u.math.shape(value)[-2:] != shape:
            rows = "" if self._sources is None else ", one row of connections as in Edges.rows().weights"
            raise ValueError(
                f"Values of `conn` must have the shape of the weights of the network, {shape}{rows}, but have "
                f"{u.math.shape(value)}."
            )

    def check(self) -> None:
        if self._shape is not None:
            for name in self._params.keys() - {"conn"}:
                as_param(self._owner, self._params[name], getattr(self, name), self.shape_of(name, None))

    # --- weights ----------------------------------------------------------------------------------------------------
    def _laid_out(self, conn: object) -> Param:
        """The weights as a parameter; their layout is kept."""
        conn = as_connections(self._owner, conn)
        weights = as_weights(self._owner, conn.rows().weights if isinstance(conn, Edges) else conn)
        shape = (conn.n, conn.n) if isinstance(conn, Edges) else u.math.shape(weights.value())
        if self._sources is not None and shape == self._sources.shape and not isinstance(conn, Edges):
            # of the shape (rows, width) of `Edges.rows()`, not (N, N)
            return weights  # others for the same list of connections
        if self._shape not in (None, shape):
            raise argument_error(
                Argument("conn", self._owner),
                f"must have shape {self._shape}, as the weights in whose place it comes",
                f"has shape {shape}",
            )
        self._shape, self._lengths = shape, _lengths_in_mm(conn, self._lengths, self._sources is None)
        # A matrix in place of a list: nothing may be left of the layout of the list.
        self._sources = self._slots = self._targets = self._places = None
        if isinstance(conn, Edges):
            self._lay_out_edges(conn.rows(), conn.n)
            # What only fills up the layout is no connection. Asked of ones, as an edge may itself weigh zero.
            places = dataclasses.replace(conn, weight=np.ones(conn.weight.size)).rows().weights != 0
            self._places = None if places.all() else places
        return weights

    def release(self) -> None:
        """Be without weights again."""
        vars(self).update(
            conn=None, _shape=None, _lengths=None, _sources=None, _slots=None, _targets=None, _places=None
        )

    def _lay_out_edges(self, rows: Numbers, n: int) -> None:
        self._sources = rows.sources
        # Half as much to read at each step.
        short = np.uint16 if n <= 2**16 else np.int32
        # Turned round, (width, rows): the product goes through the places of all rows, one after the other.
        self._slots = brainstate.LongTermState(jnp.asarray(rows.sources.T.astype(short)))
        if isinstance(rows, SplitTable):
            self._targets = brainstate.LongTermState(jnp.asarray(rows.targets))

    @property
    def sources(self) -> np.ndarray | None:
        """Where the weights of an edge list come from, shape (rows, width); None: from all regions, in order."""
        return self._sources

    @property
    def n_out(self) -> int:
        """The number of targets."""
        return self._known_shape[0]

    @property
    def n_in(self) -> int:
        """The number of sources."""
        return self._known_shape[1]

    @property
    def _known_shape(self) -> tuple[int, int]:
        if self._shape is None:
            raise TypeError(f"{self._owner} needs the argument `conn`, the weights: conn[i, j] is onto i from j.")
        return self._shape

    @property
    def targets(self) -> Numbers:
        """Which region each row of the weights is onto; None: each region has one, in order."""
        return None if self._targets is None else self._targets.value

    @property
    def places(self) -> np.ndarray | None:
        """Where in the layout of the weights a connection can be; None: everywhere."""
        return self._places

    def layout(self, weights: Numbers) -> Array:
        """The weights as `sum` takes them; a run computes it once."""
        return columns(weights) if self._slots is None else u.math.transpose(weights)

    # --- what a target receives ---------------------------------------------------------------------------------------
    def sum(self, weights: Numbers, x: Numbers) -> Numbers:
        """The weighted sum over the sources, for what `layout` returned."""
        if self._slots is None:
            return product(weights, x, self.n_out)
        return self.by_target(gathered_product(weights, x, self._slots.value))

    def strength(self, weights: Numbers) -> Numbers:
        """The summed weights of each target."""
        return self.by_target(u.math.sum(weights, axis=-1))

    def by_target(self, rows: Numbers) -> Numbers:
        """What the rows of the weights bring, shape (..., rows), summed for each target: shape (..., N_out)."""
        # One row for each target, in order: there is nothing to add up.
        if self.targets is None:
            return rows
        values, unit = u.split_mantissa_unit(rows)
        # A region of many connections has several rows, next to each other: [0, 0, 1, 2, 2, 2] are the targets of six
        # rows.
        total = jnp.zeros((*values.shape[:-1], self.n_out), values.dtype)
        total = total.at[..., self.targets].add(values, indices_are_sorted=True)
        return u.maybe_decimal(u.Quantity(total, unit=unit))

    def by_connection(self, x: Numbers) -> np.ndarray:
        """The activity of the sources, shape (..., N_in), at each weight: shape (..., rows, width)."""
        return u.math.asarray(x)[..., np.arange(self.n_in)[None, :] if self._sources is None else self._sources]

    def sum_of_pairs(self, weights: Numbers, x: Numbers, target: Numbers) -> Numbers:
        """The weighted sum of what is sent over each connection, for sources of shape (..., rows, width)."""
        here = u.math.asarray(needed(self, target))
        # One value per row: a region with several rows stands in each of them.
        here = here if self.targets is None else here[..., self.targets]
        pre: Any = self.pre  # one of the user's, of source and target
        return self.by_target(u.math.sum(weights * pre(x, here[..., None]), axis=-1))

    def pre(self, x: Numbers) -> Array:
        """What leaves a source region."""
        return x

    def post(self, total: Numbers, target: Numbers, strength: Numbers) -> Numbers:
        """What enters a target region: from the weighted sum, its own activity, and its summed weights."""
        raise NotImplementedError

    def update(self, activity: Pytree = None) -> Numbers:
        """What each target region receives, shape (..., n_out), from `activity` or from the prefetched sources."""
        n_in = self.n_in
        weights = self.conn.value()
        # A parameter is free everywhere, also where the layout is only filled up.
        if self._places is not None:
            weights = weights * self._places.astype(default_dtype())
        if activity is not None:
            x = numbers(
                f"The activity given to {self._owner}", activity[0] if isinstance(activity, tuple | list) else activity
            )
            if u.math.shape(x)[-1:] != (n_in,):
                raise ValueError(f"{self._owner} couples {n_in} regions, but the activity has shape {u.math.shape(x)}.")
            if self.pairwise:
                total = self.sum_of_pairs(weights, self.by_connection(x), x)
            else:
                total = self.sum(self.layout(weights), self.pre(x))
            return self.post(total, x, self.strength(weights))
        if self.x is None:
            raise ValueError(f"{self._owner} has no bound sources: call it with the activity, coupling(x).")
        return self.of_bound(self._owner, x=_fetch(self.x), y=_fetch(self.y))

    def of_bound(self, owner: str, y: Numbers = None, **sources: object) -> jax.Array:
        """What each target region receives from sources bound to connections; errors call them as they are given.

        Sources have shape (..., N_out, N_in), flat or not, or (N_in,) for all targets.
        """
        ((name, x),) = sources.items()
        self._known_shape  # or the error that says what is missing  # noqa: B018
        weights = self.conn.value()
        x = self._per_connection(Argument(name, owner, "activity of the sources"), x)
        if self.needs_target:
            y = self._at_targets(Argument("y", owner, "activity of the targets"), y, u.get_unit(x))
        if self.pairwise:
            total = self.sum_of_pairs(weights, x, y)
        else:
            # Each connection has a source value of its own here, so that this is no product of matrices.
            total = self.by_target(u.math.sum(weights * self.pre(x), axis=-1))
        return self.post(total, y, self.strength(weights))

    def _per_connection(self, what: str, x: Numbers) -> Array:
        """Bound sources, one for each weight."""
        x, shape = numbers(what, x), u.math.shape(self.conn.value())
        got = u.math.shape(x)
        # The same for all targets; the other two shapes have one value for each target and source.
        if got == (self.n_in,):
            return u.math.broadcast_to(self.by_connection(x), shape)
        if got[-1:] == (shape[0] * shape[1],):
            return u.math.reshape(x, (*got[:-1], *shape))
        if got[-2:] != shape:
            raise argument_error(
                what, f"must have shape (..., {shape[0]}, {shape[1]}), as `conn`, or ({self.n_in},)", f"has {got}"
            )
        return x

    def _at_targets(self, what: str, y: Numbers, unit: u.Unit) -> Numbers:
        """Bound targets, like the sources."""
        y = numbers(what, needed(self, y))
        if u.math.shape(y)[-1:] not in ((), (self.n_out,)):
            raise argument_error(what, f"must have shape (..., {self.n_out})", f"has {u.math.shape(y)}")
        if not u.get_unit(y).has_same_dim(unit):
            raise argument_error(
                what, f"must have the unit of the sources, {unit}", f"is in {u.get_unit(y)}", kind=u.UnitMismatchError
            )
        return y


def _lengths_in_mm(conn: object, present: np.ndarray | None, dense: bool) -> np.ndarray | None:
    """The lengths that come with weights, in the same layout; those there are where a matrix comes without."""
    lengths = conn.rows().lengths if isinstance(conn, Edges) else getattr(conn, "lengths", None)
    if lengths is None:
        return present if dense and not isinstance(conn, Edges) else None
    return np.asarray(lengths.to_decimal(u.mm) if isinstance(lengths, u.Quantity) else lengths, np.float64)


def needed(coupling: Coupling, target: Numbers) -> Numbers:
    """The activity of the targets, for a kernel that cannot do without."""
    if target is None:
        raise ValueError(
            f"{type(coupling).__name__} compares sources with targets: with bound sources `x` it needs its targets `y` "
            "as well."
        )
    return target


def _fetch(source: object) -> Numbers:
    return source() if callable(source) else source


def as_weights(owner: str, conn: object) -> Param:
    """Weights as a parameter: from a matrix, a Connectome, or a Param."""
    if conn is None:
        raise TypeError(f"{owner} needs the argument `conn`, the weights: conn[i, j] is onto i from j.")
    conn = getattr(conn, "weights", conn)
    if not isinstance(conn, Param):
        conn = _as_matrix(Argument("conn", owner), u.math.asarray(numbers(Argument("conn", owner), conn)))
    shape = u.math.shape(conn.value() if isinstance(conn, Param) else conn)
    if len(shape) != 2:
        raise argument_error(Argument("conn", owner), "must be a matrix (N_out, N_in)", f"has shape {shape}")
    return as_param(owner, Coupling._params["conn"], conn, shape)


def _as_matrix(what: str, weights: Numbers) -> np.ndarray:
    """Weights as a matrix; a flat array of N * N is one, row by row."""
    shape = u.math.shape(weights)
    if len(shape) == 1 and (n := math.isqrt(shape[0])) ** 2 == shape[0] > 0:
        return u.math.reshape(weights, (n, n))
    if len(shape) != 2:
        raise argument_error(
            what,
            "must be a matrix (N_out, N_in), or the N * N weights of N regions row by row",
            f"has shape {shape}",
            "conn=weights.reshape(n_out, n_in).",
        )
    return weights
