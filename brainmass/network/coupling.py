"""Coupling kernels: what region i receives is `c_i = post(Σ_j w_ij · pre(x_j))`; row i of the weights receives.

In all kernels here `pre` depends on the source alone, and `post` brings in the target: diffusive coupling is
`Σ_j w_ij x_j − x_i Σ_j w_ij`. So coupling without delays is a matrix product, and with delays `pre` is applied once,
when a value leaves its region. A kernel of one's own may write `pre(x_j, x_i)`: then every connection is worked out.
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
from brainmass._common.messages import show, suggestion
from brainmass._common.precision import default_dtype
from brainmass.connectome.edges import Edges, SplitTable
from brainmass.connectome.given import as_connections
from brainmass.dynamics.checks import as_param
from brainmass.dynamics.declared import WithRows
from brainmass.dynamics.fields import Domain, Par, option, param
from brainmass.network.products import gathered_product, product

__all__ = [
    "COUPLINGS",
    "AdditiveCoupling",
    "Coupling",
    "DiffusiveCoupling",
    "HyperbolicTangentCoupling",
    "KuramotoCoupling",
    "PreSigmoidalCoupling",
    "PreTanhCoupling",
    "SigmoidalCoupling",
    "SigmoidalJansenRitCoupling",
    "additive_coupling",
    "diffusive_coupling",
    "hyperbolic_tangent_coupling",
    "make_coupling",
    "sigmoidal_coupling",
    "sigmoidal_jansen_rit_coupling",
]


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

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.pairwise = len(inspect.signature(cls.pre).parameters) > 2
        cls.needs_target = cls.needs_target or cls.pairwise

    def _admitted(self, key: str, value: Any) -> Any:
        if key == "conn" and (value is not None or self._shape is not None):
            value = self._laid_out(value)
        return super()._admitted(key, value)

    def shape_of(self, key: str, value: Any) -> tuple[int, ...] | None:
        if key == "conn":
            return u.math.shape(value.value())
        return None if self._shape is None else (self._shape[key in self.of_sources],)

    def check_given(self, name: str, value: Any) -> None:
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
    def _laid_out(self, conn: Any) -> Param:
        """The weights as a parameter; their layout is kept."""
        conn = as_connections(self._owner, conn)
        weights = as_weights(self._owner, conn.rows().weights if isinstance(conn, Edges) else conn)
        shape = (conn.n, conn.n) if isinstance(conn, Edges) else u.math.shape(weights.value())
        if self._sources is not None and shape == self._sources.shape and not isinstance(conn, Edges):
            return weights  # others for the same list of connections
        if self._shape not in (None, shape):
            raise ValueError(
                f"Argument `conn` of {self._owner} must have shape {self._shape}, as the weights in whose place it "
                f"comes, but has shape {shape}."
            )
        self._shape, self._lengths = shape, _lengths_in_mm(conn, self._lengths, self._sources is None)
        self._sources = self._slots = self._targets = self._places = None
        if isinstance(conn, Edges):
            self._lay_out_edges(conn.rows(), conn.n)
            places = dataclasses.replace(conn, weight=np.ones(conn.weight.size)).rows().weights != 0
            self._places = None if places.all() else places
        return weights

    def release(self) -> None:
        """Be without weights again."""
        vars(self).update(
            conn=None, _shape=None, _lengths=None, _sources=None, _slots=None, _targets=None, _places=None
        )

    def _lay_out_edges(self, rows: Any, n: int) -> None:
        self._sources = rows.sources
        short = np.uint16 if n <= 2**16 else np.int32
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
    def targets(self) -> Any:
        """Which region each row of the weights is onto; None: each region has one, in order."""
        return None if self._targets is None else self._targets.value

    @property
    def places(self) -> np.ndarray | None:
        """Where in the layout of the weights a connection can be; None: everywhere."""
        return self._places

    def layout(self, weights: Any) -> Any:
        """The weights as `sum` takes them; a run computes it once."""
        return weights if self._slots is None else u.math.transpose(weights)

    # --- what a target receives ---------------------------------------------------------------------------------------
    def sum(self, weights: Any, x: Any) -> Any:
        """The weighted sum over the sources, for what `layout` returned."""
        if self._slots is None:
            return product(weights, x)
        return self.by_target(gathered_product(weights, x, self._slots.value))

    def strength(self, weights: Any) -> Any:
        """The summed weights of each target."""
        return self.by_target(u.math.sum(weights, axis=1))

    def by_target(self, rows: Any) -> Any:
        """What the rows of the weights bring, shape (..., rows), summed for each target: shape (..., N_out)."""
        if self.targets is None:
            return rows
        values, unit = u.split_mantissa_unit(rows)
        total = jnp.zeros((*values.shape[:-1], self.n_out), values.dtype)
        total = total.at[..., self.targets].add(values, indices_are_sorted=True)
        return u.maybe_decimal(u.Quantity(total, unit=unit))

    def by_connection(self, x: Any) -> Any:
        """The activity of the sources, shape (..., N_in), at each weight: shape (..., rows, width)."""
        return u.math.asarray(x)[..., np.arange(self.n_in)[None, :] if self._sources is None else self._sources]

    def sum_of_pairs(self, weights: Any, x: Any, target: Any) -> Any:
        """The weighted sum of what is sent over each connection, for sources of shape (..., rows, width)."""
        here = u.math.asarray(_needed(self, target))
        here = here if self.targets is None else here[..., self.targets]
        pre: Any = self.pre  # one of the user's, of source and target
        return self.by_target(u.math.sum(weights * pre(x, here[..., None]), axis=-1))

    def pre(self, x: Any) -> Any:
        """What leaves a source region."""
        return x

    def post(self, total: Any, target: Any, strength: Any) -> Any:
        """What enters a target region: from the weighted sum, its own activity, and its summed weights."""
        raise NotImplementedError

    def update(self, activity: Any = None) -> Any:
        """What each target region receives, shape (..., n_out), from `activity` or from the prefetched sources."""
        n_in = self.n_in
        weights = self.conn.value()
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

    def of_bound(self, owner: str, y: Any = None, **sources: Any) -> Any:
        """What each target region receives from sources bound to connections; errors call them as they are given.

        Sources have shape (..., N_out, N_in), flat or not, or (N_in,) for all targets.
        """
        ((name, x),) = sources.items()
        self._known_shape  # or the error that says what is missing  # noqa: B018
        weights = self.conn.value()
        x = self._per_connection(f"Argument `{name}` of {owner} (activity of the sources)", x)
        if self.needs_target:
            y = self._at_targets(f"Argument `y` of {owner} (activity of the targets)", y, u.get_unit(x))
        if self.pairwise:
            total = self.sum_of_pairs(weights, x, y)
        else:
            total = self.by_target(u.math.sum(weights * self.pre(x), axis=-1))
        return self.post(total, y, self.strength(weights))

    def _per_connection(self, what: str, x: Any) -> Any:
        """Bound sources, one for each weight."""
        x, shape = numbers(what, x), u.math.shape(self.conn.value())
        got = u.math.shape(x)
        if got == (self.n_in,):
            return u.math.broadcast_to(self.by_connection(x), shape)
        if got[-1:] == (shape[0] * shape[1],):
            return u.math.reshape(x, (*got[:-1], *shape))
        if got[-2:] != shape:
            raise ValueError(
                f"{what} must have shape (..., {shape[0]}, {shape[1]}), as `conn`, or ({self.n_in},), but has {got}."
            )
        return x

    def _at_targets(self, what: str, y: Any, unit: u.Unit) -> Any:
        """Bound targets, like the sources."""
        y = numbers(what, _needed(self, y))
        if u.math.shape(y)[-1:] not in ((), (self.n_out,)):
            raise ValueError(f"{what} must have shape (..., {self.n_out}), but has {u.math.shape(y)}.")
        if not u.get_unit(y).has_same_dim(unit):
            raise u.UnitMismatchError(f"{what} must have the unit of the sources, {unit}, but is in {u.get_unit(y)}.")
        return y


def _lengths_in_mm(conn: Any, present: np.ndarray | None, dense: bool) -> np.ndarray | None:
    """The lengths that come with weights, in the same layout; those there are where a matrix comes without."""
    lengths = conn.rows().lengths if isinstance(conn, Edges) else getattr(conn, "lengths", None)
    if lengths is None:
        return present if dense and not isinstance(conn, Edges) else None
    return np.asarray(lengths.to_decimal(u.mm) if isinstance(lengths, u.Quantity) else lengths, np.float64)


def _needed(coupling: Coupling, target: Any) -> Any:
    if target is None:
        raise ValueError(
            f"{type(coupling).__name__} compares sources with targets: with bound sources `x` it needs its targets `y` "
            "as well."
        )
    return target


def _fetch(source: Any) -> Any:
    return source() if callable(source) else source


def as_weights(owner: str, conn: Any) -> Param:
    """Weights as a parameter: from a matrix, a Connectome, or a Param."""
    if conn is None:
        raise TypeError(f"{owner} needs the argument `conn`, the weights: conn[i, j] is onto i from j.")
    conn = getattr(conn, "weights", conn)
    if not isinstance(conn, Param):
        conn = _as_matrix(f"Argument `conn` of {owner}", u.math.asarray(numbers(f"Argument `conn` of {owner}", conn)))
    shape = u.math.shape(conn.value() if isinstance(conn, Param) else conn)
    if len(shape) != 2:
        raise ValueError(f"Argument `conn` of {owner} must be a matrix (N_out, N_in), but has shape {shape}.")
    return as_param(owner, Coupling._params["conn"], conn, shape)


def _as_matrix(what: str, weights: Any) -> Any:
    """Weights as a matrix; a flat array of N * N is one, row by row."""
    shape = u.math.shape(weights)
    if len(shape) == 1 and (n := math.isqrt(shape[0])) ** 2 == shape[0] > 0:
        return u.math.reshape(weights, (n, n))
    if len(shape) != 2:
        raise ValueError(
            f"{what} must be a matrix (N_out, N_in), or the N * N weights of N regions row by row, but has shape "
            f"{shape}. Example: conn=weights.reshape(n_out, n_in)."
        )
    return weights


class DiffusiveCoupling(Coupling):
    r"""Diffusive coupling, :math:`c_i = k \sum_j w_{ij}\,(x_j - x_i)`: The Virtual Brain's `Difference`."""

    needs_target = True

    def post(self, total: Any, target: Any, strength: Any) -> Any:
        return self.k.value() * (total - strength * _needed(self, target))


class _PostSum(Coupling):
    """Base of the kernels that need no targets."""

    y: ClassVar[None] = None


class AdditiveCoupling(_PostSum):
    r"""Additive coupling, :math:`c_i = k \sum_j w_{ij}\,x_j + b`: The Virtual Brain's `Linear` and `Scaling`.

    An offset `b` without unit is read in the unit of the sum.
    """

    b: Par = param(default=0.0, doc="offset", unit="any")

    def post(self, total: Any, target: Any, strength: Any) -> Any:
        scaled, b = self.k.value() * total, self.b.value()
        unit = u.get_unit(scaled)
        if not u.get_unit(b).has_same_dim(u.UNITLESS) and not u.get_unit(b).has_same_dim(unit):
            raise u.UnitMismatchError(
                f"Argument `b` of {self._owner} (offset) must be in the unit of the sum, {unit}, or a plain number, "
                f"but is in {u.get_unit(b)}."
            )
        return scaled + (b * unit if u.get_unit(b).dim == u.DIMENSIONLESS != unit.dim else b)


class SigmoidalCoupling(_PostSum):
    r"""Logistic function of the sum, :math:`c_i = k / (1 + e^{-slope\,(a \sum_j w_{ij} x_j + b - midpoint)})`.

    The sum is read as a number, in the unit of the source. At a silent network it is not zero, but
    :math:`k / (1 + e^{slope\,(midpoint - b)})`. The Virtual Brain's `Sigmoidal(cmin, cmax, midpoint, a, sigma)` is
    `cmin` more than this one with `k = cmax - cmin`, `slope = a / sigma` and the same `midpoint`.
    """

    a: Par = param(default=1.0, doc="gain of the sum")
    b: Par = param(default=0.0, doc="offset of the sum")
    slope: Par = param(default=1.0, doc="steepness")
    midpoint: Par = param(default=0.0, doc="where half of the strength is reached")

    def post(self, total: Any, target: Any, strength: Any) -> Any:
        drive = self.a.value() * u.get_mantissa(total) + self.b.value() - self.midpoint.value()
        return self.k.value() * jax.nn.sigmoid(self.slope.value() * drive)


class HyperbolicTangentCoupling(_PostSum):
    r"""Hyperbolic tangent of the sum, :math:`c_i = k \tanh(scale \sum_j w_{ij} x_j)`; the sum as a number.

    The Virtual Brain's coupling of this name acts before the sum: `PreTanhCoupling`. By name, and as a class, in a
    network, `k` is that of the network.
    """

    k: Par = param(default=0.5, doc="global strength", unit="any")
    scale: Par = param(default=2.0, doc="gain of the sum")

    def post(self, total: Any, target: Any, strength: Any) -> Any:
        return self.k.value() * jnp.tanh(self.scale.value() * u.get_mantissa(total))


class _PreSum(_PostSum):
    """Base of the kernels that sum a function of the sources: `k` times that sum."""

    def post(self, total: Any, target: Any, strength: Any) -> Any:
        return self.k.value() * total


class SigmoidalJansenRitCoupling(_PreSum):
    r"""Sum of firing rates, :math:`c_i = k \sum_j w_{ij}\,[cmin + (cmax - cmin) / (1 + e^{r\,(midpoint - x_j)})]`.

    For the potentials :math:`x` of `JansenRitStep` (its `eeg`), as numbers in mV. The defaults give a rate per ms, as
    The Virtual Brain has it: for `E_inp`, in Hz, write `k=1000`.

    Reference: Jansen, Rit 1995, Biol. Cybern. 73:357.
    """

    cmin: Par = param(default=0.0, doc="rate from afar")
    cmax: Par = param(default=0.005, doc="largest rate")
    midpoint: Par = param(default=6.0, doc="potential of half the rate, mV")
    r: Par = param(default=0.56, doc="steepness, per mV")

    of_sources = ("cmin", "cmax", "midpoint", "r")

    def pre(self, x: Any) -> Any:
        x = x.to_decimal(u.mV) if isinstance(x, u.Quantity) and x.unit.has_same_dim(u.mV) else u.get_mantissa(x)
        low: Any = self.cmin.value()
        high: Any = self.cmax.value()
        return low + (high - low) * jax.nn.sigmoid(self.r.value() * (x - self.midpoint.value()))


_not_zero = Domain("other than zero", lambda x: np.isfinite(x) & (x != 0), (0.0, np.nan, np.inf))


class PreTanhCoupling(_PreSum):
    r"""The Virtual Brain's `HyperbolicTangent`, :math:`c_i = k \sum_j w_{ij}\,[1 + \tanh((b\,x_j - midpoint)/sigma)]`.

    The strength called `a` there is `k`.
    """

    b: Par = param(default=1.0, doc="gain of the source")
    midpoint: Par = param(default=0.0, doc="where the tangent is zero")
    sigma: Par = param(default=1.0, doc="width", domain=_not_zero)

    of_sources = ("b", "midpoint", "sigma")

    def pre(self, x: Any) -> Any:
        return 1 + jnp.tanh((self.b.value() * u.get_mantissa(x) - self.midpoint.value()) / self.sigma.value())


class PreSigmoidalCoupling(_PreSum):
    r"""The Virtual Brain's `PreSigmoidal`, :math:`c_i = k \sum_j w_{ij}\,H\,[Q + \tanh(G\,(P\,x_j - theta))]`.

    As documented there, with its static threshold; version 2.10 in fact applies the function to the receiver's
    :math:`x_i`. `dynamic` and `globalT` are not offered.
    """

    H: Par = param(default=0.5, doc="height")
    Q: Par = param(default=1.0, doc="offset")
    G: Par = param(default=60.0, doc="gain")
    P: Par = param(default=1.0, doc="scale of the source")
    theta: Par = param(default=0.5, doc="threshold")

    of_sources = ("H", "Q", "G", "P", "theta")

    def pre(self, x: Any) -> Any:
        p = {name: getattr(self, name).value() for name in "HQGP"}
        return p["H"] * (p["Q"] + jnp.tanh(p["G"] * (p["P"] * u.get_mantissa(x) - self.theta.value())))


class KuramotoCoupling(Coupling):
    r"""Phase coupling, :math:`c_i = \frac{k}{N} \sum_j w_{ij} \sin(x_j - x_i - alpha)`; phases in rad.

    Sources send sine and cosine, so that it is two matrix products. :math:`N` is the number of sources, or with
    `normalize_by_n=False` one. The Virtual Brain 2.10 documents the division and does not do it.
    """

    alpha: Par = param(default=0.0, doc="phase lag, rad")
    normalize_by_n: bool = option(
        default=True, kw_only=False, doc="Whether the sum is divided by the number of sources"
    )

    needs_target = True

    def pre(self, x: Any) -> Any:
        return jnp.stack([jnp.sin(x), jnp.cos(x)])

    def post(self, total: Any, target: Any, strength: Any) -> Any:
        here = _needed(self, target) + self.alpha.value()
        n = self.n_in if self.normalize_by_n else 1
        return self.k.value() / n * (total[0] * jnp.cos(here) - total[1] * jnp.sin(here))


def diffusive_coupling(delayed_x: Any, y: Any, conn: Any, k: Any) -> Any:
    """`k Σ_j w_ij (x_ij - y_i)` for sources of shape (..., N_out, N_in), flat, or (N_in,)."""
    return DiffusiveCoupling(conn=conn, k=k).of_bound("diffusive_coupling", delayed_x=delayed_x, y=y)


def additive_coupling(delayed_x: Any, conn: Any, k: Any = 1.0, b: Any = 0.0) -> Any:
    """`k Σ_j w_ij x_ij + b` for sources of shape (..., N_out, N_in), flat, or (N_in,)."""
    return AdditiveCoupling(conn=conn, k=k, b=b).of_bound("additive_coupling", delayed_x=delayed_x)


def sigmoidal_coupling(
    delayed_x: Any, conn: Any, k: Any = 1.0, a: Any = 1.0, b: Any = 0.0, slope: Any = 1.0, midpoint: Any = 0.0
) -> Any:
    """`k / (1 + exp(-slope (a Σ_j w_ij x_ij + b - midpoint)))`; sources as in `additive_coupling`."""
    kernel = SigmoidalCoupling(conn=conn, k=k, a=a, b=b, slope=slope, midpoint=midpoint)
    return kernel.of_bound("sigmoidal_coupling", delayed_x=delayed_x)


def hyperbolic_tangent_coupling(delayed_x: Any, conn: Any, k: Any = 0.5, scale: Any = 2.0) -> Any:
    """`k tanh(scale Σ_j w_ij x_ij)`; sources as in `additive_coupling`."""
    kernel = HyperbolicTangentCoupling(conn=conn, k=k, scale=scale)
    return kernel.of_bound("hyperbolic_tangent_coupling", delayed_x=delayed_x)


def sigmoidal_jansen_rit_coupling(
    delayed_x: Any, conn: Any, k: Any = 1.0, cmin: Any = 0.0, cmax: Any = 0.005, midpoint: Any = 6.0, r: Any = 0.56
) -> Any:
    """`k Σ_j w_ij (cmin + (cmax - cmin) / (1 + exp(r (midpoint - x_ij))))`; sources as in `additive_coupling`."""
    kernel = SigmoidalJansenRitCoupling(conn=conn, k=k, cmin=cmin, cmax=cmax, midpoint=midpoint, r=r)
    return kernel.of_bound("sigmoidal_jansen_rit_coupling", delayed_x=delayed_x)


COUPLINGS: dict[str, type[Coupling]] = {
    "additive": AdditiveCoupling,
    "diffusive": DiffusiveCoupling,
    "laplacian": DiffusiveCoupling,  # k L x is the same thing
    "sigmoidal": SigmoidalCoupling,
    "tanh": HyperbolicTangentCoupling,
    "sigmoidal_jansen_rit": SigmoidalJansenRitCoupling,
    "pre_tanh": PreTanhCoupling,
    "pre_sigmoidal": PreSigmoidalCoupling,
    "kuramoto": KuramotoCoupling,
}


def make_coupling(coupling: Any, conn: Any, k: Any, k_is_given: bool) -> Coupling:
    """The kernel with this name, of this class, or the one that was made without weights, on these weights."""
    if isinstance(coupling, Coupling):
        return _put_on(coupling, conn, k, k_is_given)
    if isinstance(coupling, type) and issubclass(coupling, Coupling):
        return coupling(conn=conn, k=k)
    if not isinstance(coupling, str) or coupling not in COUPLINGS:
        raise ValueError(
            f"Argument `coupling` of Network must be one of {', '.join(map(repr, COUPLINGS))}, a Coupling class, or "
            f"one that is made, but is {show(coupling)}.{suggestion(str(coupling), COUPLINGS)} "
            "Example: coupling=brainmass.SigmoidalCoupling(slope=2.0)."
        )
    return COUPLINGS[coupling](conn=conn, k=k)


def _put_on(coupling: Coupling, conn: Any, k: Any, k_is_given: bool) -> Coupling:
    owner = type(coupling).__name__
    if coupling.conn is not None:
        raise ValueError(
            f"Argument `coupling` of Network is a {owner} that has weights already, its own or those of another "
            f"network or projection: make one without for each. Example: coupling=brainmass.{owner}()."
        )
    if coupling.x is not None:
        raise ValueError(f"Argument `coupling` of Network is a {owner} with bound sources: a network sends its own.")
    if k_is_given:
        raise ValueError(
            f"Argument `k` of Network is given beside a {owner} that has its own, {show(coupling.k.value())}: "
            f"write coupling=brainmass.{owner}(k={show(k)}), without the other."
        )
    coupling.conn = conn
    return coupling
