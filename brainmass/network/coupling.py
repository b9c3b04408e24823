"""Coupling kernels: `c_i = post(Σ_j w_ij · pre(x_j))`, where row i receives.

`pre` depends on the source alone, and what depends on the target is split off, so that coupling without delays is a
matrix product and with delays `pre` is applied once, when a value leaves its region.
"""

from __future__ import annotations

from typing import Any

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from brainstate.nn import Param

from brainmass.dynamics.fields import ParamSpec, as_param, default_dtype, is_traced, show, suggestion
from brainmass.dynamics.module import Module
from brainmass.network.edges import Edges, SplitTable
from brainmass.network.given import as_connections
from brainmass.network.products import gathered_product, product

__all__ = [
    "AdditiveCoupling",
    "Coupling",
    "DiffusiveCoupling",
    "EdgeWeights",
    "HyperbolicTangentCoupling",
    "KuramotoCoupling",
    "PreSigmoidalCoupling",
    "PreTanhCoupling",
    "SigmoidalCoupling",
    "SigmoidalJansenRitCoupling",
    "additive_coupling",
    "coupling_by_name",
    "diffusive_coupling",
    "hyperbolic_tangent_coupling",
    "sigmoidal_coupling",
    "sigmoidal_jansen_rit_coupling",
]


def _sum_over_edges(weights: Any, x: Any) -> Any:
    """The same for sources given per edge, shape (..., N_out, N_in) or flat; one axis (N_in,) serves all targets."""
    shape = u.math.shape(weights)
    if len(shape) != 2:
        raise ValueError(f"Argument `conn` must be a matrix (N_out, N_in), but has shape {shape}.")
    if u.math.shape(x) == (shape[1],):
        return product(weights, x)
    if u.math.shape(x)[-1] == shape[0] * shape[1]:
        x = u.math.reshape(x, (*u.math.shape(x)[:-1], *shape))
    if u.math.shape(x)[-2:] != shape:
        raise ValueError(
            f"Sources must have shape (..., {shape[0]}, {shape[1]}), as `conn`, or ({shape[1]},), "
            f"but have {u.math.shape(x)}."
        )
    return u.math.sum(weights * x, axis=-1)


class Coupling(Module):
    """Base of the coupling kernels. Call it with an activity of shape (..., N), or without, on bound sources.

    `sources`, shape (rows, width), says where the weights of an edge list come from; None: from all, in order.

    Parameters
    ----------
    x, y : callable, optional
        Bound sources and targets: called without arguments they return arrays, as brainstate's prefetches do.
        Sources have shape (..., N_out, N_in), one per edge, or (N_in,).
    conn : array, Connectome or Param, shape (N_out, N_in), or Edges
        Weights; `conn[i, j]` is onto i from j. Of an edge list the cost follows the edges.
    k : number, array (N_out,), quantity or Param
        Global strength.
    """

    def __init__(self, x: Any = None, y: Any = None, conn: Any = None, k: Any = 1.0):
        super().__init__()
        self.x, self.y = x, y
        self.sources: np.ndarray | None = None
        self._slots: brainstate.LongTermState | None = None
        self._targets: brainstate.LongTermState | None = None
        conn = as_connections(type(self).__name__, conn)
        if isinstance(conn, Edges):
            rows = conn.rows()
            self.sources = rows.sources
            short = np.uint16 if conn.n <= 2**16 else np.int32
            self._slots = brainstate.LongTermState(jnp.asarray(rows.sources.T.astype(short)))
            if isinstance(rows, SplitTable):
                self._targets = brainstate.LongTermState(jnp.asarray(rows.targets))
            self.conn = as_weights(type(self).__name__, rows.weights)
            self.n_out = self.n_in = conn.n
        else:
            self.conn = as_weights(type(self).__name__, conn)
            self.n_out, self.n_in = u.math.shape(self.conn.value())
        self.k = self._parameter("k", k, "global strength")

    @property
    def targets(self) -> Any:
        """Which region each row of the weights is onto; None: each region has one, in order."""
        return None if self._targets is None else self._targets.value

    @staticmethod
    def lengths_of(conn: Any) -> Any:
        """The lengths that come with weights, in the same layout; None: there are none."""
        return conn.rows().lengths if isinstance(conn, Edges) else getattr(conn, "lengths", None)

    def layout(self, weights: Any) -> Any:
        """The weights as `sum` takes them; a run computes it once."""
        return weights if self._slots is None else u.math.transpose(weights)

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

    def _parameter(self, name: str, value: Any, meaning: str) -> Param:
        spec = ParamSpec(1.0, meaning, units=(), name=name)
        return as_param(type(self).__name__, spec, value, (self.n_out,))

    def pre(self, x: Any) -> Any:
        """What leaves a source region."""
        return x

    def post(self, total: Any, target: Any, strength: Any) -> Any:
        """What enters a target region: from the weighted sum, its own activity, and its summed weights."""
        raise NotImplementedError

    def update(self, activity: Any = None) -> Any:
        """What each target region receives, shape (..., n_out), from `activity` or from the prefetched sources."""
        weights = self.conn.value()
        if activity is not None:
            x = activity[0] if isinstance(activity, tuple | list) else activity
            if u.math.shape(x)[-1:] != (self.n_in,):
                raise ValueError(
                    f"{type(self).__name__} couples {self.n_in} regions, but the activity has shape {u.math.shape(x)}."
                )
            return self.post(self.sum(self.layout(weights), self.pre(x)), x, self.strength(weights))
        if self.x is None:
            raise ValueError(f"{type(self).__name__} has no bound sources: call it with the activity, coupling(x).")
        target = self.y() if callable(self.y) else self.y
        total = self.by_target(_sum_over_edges(weights, self.pre(_fetch(self.x))))
        return self.post(total, target, self.strength(weights))


def _needed(coupling: Coupling, target: Any) -> Any:
    if target is None:
        raise ValueError(f"{type(coupling).__name__} with bound sources `x` needs its targets `y` as well.")
    return target


def _fetch(source: Any) -> Any:
    return source() if callable(source) else source


def as_weights(owner: str, conn: Any) -> Param:
    """Weights as a parameter: from a matrix, a Connectome, or a Param."""
    spec = ParamSpec(np.zeros((2, 2)), "weights, row receives", units=(), name="conn")
    if conn is None:
        raise TypeError(f"{owner} needs the argument `conn`, the weights: conn[i, j] is onto i from j.")
    conn = getattr(conn, "weights", conn)
    values = conn.value() if isinstance(conn, Param) else conn
    shape = np.shape(u.get_mantissa(values))
    if len(shape) != 2:
        raise ValueError(f"Argument `conn` of {owner} must be a matrix (N_out, N_in), but has shape {shape}.")
    return as_param(owner, spec, conn if isinstance(conn, Param) else u.math.asarray(conn), shape)


class DiffusiveCoupling(Coupling):
    r"""Diffusive coupling, :math:`c_i = k \sum_j w_{ij}\,(x_j - x_i)`: The Virtual Brain's `Difference`."""

    def post(self, total: Any, target: Any, strength: Any) -> Any:
        return self.k.value() * (total - strength * _needed(self, target))


class _PostSum(Coupling):
    """Base of the kernels that need no targets."""

    def __init__(self, x: Any = None, conn: Any = None, k: Any = 1.0):
        super().__init__(x, None, conn, k)


class AdditiveCoupling(_PostSum):
    r"""Additive coupling, :math:`c_i = k \sum_j w_{ij}\,x_j + b`: The Virtual Brain's `Linear` and `Scaling`.

    Parameters
    ----------
    b : number, array (N_out,), quantity or Param
        Offset, in the unit of the sum.
    """

    def __init__(self, x: Any = None, conn: Any = None, k: Any = 1.0, b: Any = 0.0):
        super().__init__(x, conn, k)
        self.b = self._parameter("b", b, "offset")

    def post(self, total: Any, target: Any, strength: Any) -> Any:
        scaled, b = self.k.value() * total, self.b.value()
        unit = u.get_unit(scaled)
        return scaled + (b * unit if u.get_unit(b).dim == u.DIMENSIONLESS != unit.dim else b)


class SigmoidalCoupling(_PostSum):
    r"""Logistic function of the weighted sum, :math:`c_i = k / (1 + e^{-s\,(a \sum_j w_{ij} x_j + b - \theta)})`.

    The sum is read as a number, in the unit of the source. At a silent network it is not zero, but
    :math:`k / (1 + e^{s (\theta - b)})`. The Virtual Brain's `Sigmoidal(cmin, cmax, midpoint, a, sigma)` is `cmin` more
    than this one with `k = cmax - cmin`, `slope = a / sigma` and the same `midpoint`.

    Parameters
    ----------
    a, b, slope, midpoint : number, array (N_out,) or Param
        :math:`a, b, s, \theta`.
    """

    def __init__(
        self,
        x: Any = None,
        conn: Any = None,
        k: Any = 1.0,
        a: Any = 1.0,
        b: Any = 0.0,
        slope: Any = 1.0,
        midpoint: Any = 0.0,
    ):
        super().__init__(x, conn, k)
        self.a = self._parameter("a", a, "gain")
        self.b = self._parameter("b", b, "offset")
        self.slope = self._parameter("slope", slope, "slope")
        self.midpoint = self._parameter("midpoint", midpoint, "midpoint")

    def post(self, total: Any, target: Any, strength: Any) -> Any:
        drive = self.a.value() * u.get_mantissa(total) + self.b.value() - self.midpoint.value()
        return self.k.value() * jax.nn.sigmoid(self.slope.value() * drive)


class HyperbolicTangentCoupling(_PostSum):
    r"""Hyperbolic tangent of the weighted sum, :math:`c_i = k \tanh(s \sum_j w_{ij} x_j)`; the sum as a number.

    The Virtual Brain's coupling of this name acts before the sum: `PreTanhCoupling`.
    """

    def __init__(self, x: Any = None, conn: Any = None, k: Any = 0.5, scale: Any = 2.0):
        super().__init__(x, conn, k)
        self.scale = self._parameter("scale", scale, "scale")

    def post(self, total: Any, target: Any, strength: Any) -> Any:
        return self.k.value() * jnp.tanh(self.scale.value() * u.get_mantissa(total))


class _PreSum(_PostSum):
    """Base of the kernels that sum a function of the sources: `k` times that sum."""

    def post(self, total: Any, target: Any, strength: Any) -> Any:
        return self.k.value() * total


class SigmoidalJansenRitCoupling(_PreSum):
    r"""Sum of firing rates, :math:`c_i = k \sum_j w_{ij}\,[c_0 + (c_1 - c_0) / (1 + e^{r (\theta - x_j)})]`.

    For the potentials :math:`x` of `JansenRitStep` (its `eeg`), as numbers in mV. The defaults give a rate per ms, as
    The Virtual Brain has it: for `E_inp`, in Hz, write `k=1000`.

    Parameters
    ----------
    cmin, cmax, midpoint, r : number or Param
        :math:`c_0, c_1, \theta` in mV, :math:`r` in 1/mV.

    Reference: Jansen, Rit 1995, Biol. Cybern. 73:357.
    """

    def __init__(
        self,
        x: Any = None,
        conn: Any = None,
        k: Any = 1.0,
        cmin: Any = 0.0,
        cmax: Any = 0.005,
        midpoint: Any = 6.0,
        r: Any = 0.56,
    ):
        super().__init__(x, conn, k)
        self.cmin = self._parameter("cmin", cmin, "rate from afar")
        self.cmax = self._parameter("cmax", cmax, "largest rate")
        self.midpoint = self._parameter("midpoint", midpoint, "midpoint")
        self.r = self._parameter("r", r, "steepness")

    def pre(self, x: Any) -> Any:
        x = x.to_decimal(u.mV) if isinstance(x, u.Quantity) and x.unit.has_same_dim(u.mV) else u.get_mantissa(x)
        low: Any = self.cmin.value()
        high: Any = self.cmax.value()
        return low + (high - low) * jax.nn.sigmoid(self.r.value() * (x - self.midpoint.value()))


class PreTanhCoupling(_PreSum):
    r"""The Virtual Brain's `HyperbolicTangent`, :math:`c_i = k \sum_j w_{ij}\,[1 + \tanh((b\,x_j - \theta)/\sigma)]`.

    Parameters
    ----------
    b, midpoint, sigma : number or Param
        :math:`b, \theta, \sigma`; the strength called `a` there is `k`.
    """

    def __init__(
        self, x: Any = None, conn: Any = None, k: Any = 1.0, b: Any = 1.0, midpoint: Any = 0.0, sigma: Any = 1.0
    ):
        super().__init__(x, conn, k)
        self.b = self._parameter("b", b, "gain")
        self.midpoint = self._parameter("midpoint", midpoint, "midpoint")
        self.sigma = self._parameter("sigma", sigma, "width")

    def pre(self, x: Any) -> Any:
        return 1 + jnp.tanh((self.b.value() * u.get_mantissa(x) - self.midpoint.value()) / self.sigma.value())


class PreSigmoidalCoupling(_PreSum):
    r"""The Virtual Brain's `PreSigmoidal`, :math:`c_i = k \sum_j w_{ij}\,H\,[Q + \tanh(G\,(P\,x_j - \theta))]`.

    As documented there, with its static threshold; version 2.10 in fact applies the function to the receiver's
    :math:`x_i`. `dynamic` and `globalT` are not offered.

    Parameters
    ----------
    H, Q, G, P, theta : number or Param
    """

    def __init__(
        self,
        x: Any = None,
        conn: Any = None,
        k: Any = 1.0,
        H: Any = 0.5,
        Q: Any = 1.0,
        G: Any = 60.0,
        P: Any = 1.0,
        theta: Any = 0.5,
    ):
        super().__init__(x, conn, k)
        self.H = self._parameter("H", H, "height")
        self.Q = self._parameter("Q", Q, "offset")
        self.G = self._parameter("G", G, "gain")
        self.P = self._parameter("P", P, "scale")
        self.theta = self._parameter("theta", theta, "threshold")

    def pre(self, x: Any) -> Any:
        p = {name: getattr(self, name).value() for name in "HQGP"}
        return p["H"] * (p["Q"] + jnp.tanh(p["G"] * (p["P"] * u.get_mantissa(x) - self.theta.value())))


class KuramotoCoupling(Coupling):
    r"""Phase coupling, :math:`c_i = \frac{k}{N} \sum_j w_{ij} \sin(x_j - x_i - \alpha)`; phases in rad.

    Sources send sine and cosine, so that it is two matrix products.

    Parameters
    ----------
    alpha : number, array (N_out,) or Param
        Phase lag.
    normalize_by_n : bool
        Whether the sum is divided by the number of sources. The Virtual Brain 2.10 documents that and does not do it.
    """

    def __init__(
        self,
        x: Any = None,
        y: Any = None,
        conn: Any = None,
        k: Any = 1.0,
        alpha: Any = 0.0,
        normalize_by_n: bool = True,
    ):
        super().__init__(x, y, conn, k)
        self.alpha = self._parameter("alpha", alpha, "phase lag, rad")
        self.normalize_by_n = normalize_by_n

    def pre(self, x: Any) -> Any:
        return jnp.stack([jnp.sin(x), jnp.cos(x)])

    def post(self, total: Any, target: Any, strength: Any) -> Any:
        here = _needed(self, target) + self.alpha.value()
        n = self.n_in if self.normalize_by_n else 1
        return self.k.value() / n * (total[0] * jnp.cos(here) - total[1] * jnp.sin(here))


def diffusive_coupling(delayed_x: Any, y: Any, conn: Any, k: Any) -> Any:
    """`k Σ_j w_ij (x_ij - y_i)` for sources of shape (..., N_out, N_in), flat, or (N_in,)."""
    return DiffusiveCoupling(delayed_x, y, conn, k)()


def additive_coupling(delayed_x: Any, conn: Any, k: Any = 1.0, b: Any = 0.0) -> Any:
    """`k Σ_j w_ij x_ij + b` for sources of shape (..., N_out, N_in), flat, or (N_in,)."""
    return AdditiveCoupling(delayed_x, conn, k, b)()


def sigmoidal_coupling(
    delayed_x: Any, conn: Any, k: Any = 1.0, a: Any = 1.0, b: Any = 0.0, slope: Any = 1.0, midpoint: Any = 0.0
) -> Any:
    """`k / (1 + exp(-slope (a Σ_j w_ij x_ij + b - midpoint)))`; sources as in `additive_coupling`."""
    return SigmoidalCoupling(delayed_x, conn, k, a, b, slope, midpoint)()


def hyperbolic_tangent_coupling(delayed_x: Any, conn: Any, k: Any = 0.5, scale: Any = 2.0) -> Any:
    """`k tanh(scale Σ_j w_ij x_ij)`; sources as in `additive_coupling`."""
    return HyperbolicTangentCoupling(delayed_x, conn, k, scale)()


def sigmoidal_jansen_rit_coupling(
    delayed_x: Any, conn: Any, k: Any = 1.0, cmin: Any = 0.0, cmax: Any = 0.005, midpoint: Any = 6.0, r: Any = 0.56
) -> Any:
    """`k Σ_j w_ij (cmin + (cmax - cmin) / (1 + exp(r (midpoint - x_ij))))`; sources as in `additive_coupling`."""
    return SigmoidalJansenRitCoupling(delayed_x, conn, k, cmin, cmax, midpoint, r)()


_BY_NAME: dict[str, type[Coupling]] = {
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


def coupling_by_name(coupling: Any) -> type[Coupling]:
    """The kernel with this name, or the kernel class itself."""
    if isinstance(coupling, type) and issubclass(coupling, Coupling):
        return coupling
    if not isinstance(coupling, str) or coupling not in _BY_NAME:
        raise ValueError(
            f"Argument `coupling` of Network must be one of {', '.join(map(repr, _BY_NAME))} or a Coupling class, "
            f"but is {show(coupling)}.{suggestion(str(coupling), _BY_NAME)}"
        )
    return _BY_NAME[coupling]


class EdgeWeights(Param):
    r"""Trainable weights of the edges that exist, :math:`w_{ij} e^{g_{ij}}`: zeros stay zero and no sign changes.

    Parameters
    ----------
    weights : array (N, N)
        Where the gains :math:`g` start from zero.
    reg : brainstate Regularization, optional
        Acts on the weights.
    """

    def __init__(self, weights: Any, reg: Any = None, fit: bool = True):
        start = u.math.asarray(getattr(weights, "weights", weights))
        super().__init__(jnp.zeros(u.math.shape(start), default_dtype()), reg=reg, fit=fit)
        self.precompute = _Scale(start)

    def set_value(self, value: Any) -> None:
        start = self.precompute.start
        value = u.math.asarray(getattr(value, "weights", value))
        _check_same_edges(start, value)
        ratio = u.maybe_decimal(u.math.where(start == 0, 1.0, value / u.math.where(start == 0, 1.0, start)))
        super().set_value(u.math.log(ratio))


def _check_same_edges(start: Any, value: Any) -> None:
    if u.math.shape(value) != u.math.shape(start):
        raise ValueError(f"EdgeWeights has shape {u.math.shape(start)}, but is to be set to {u.math.shape(value)}.")
    if is_traced((start, value)):
        return
    changed = np.argwhere(np.sign(u.get_mantissa(value)) != np.sign(u.get_mantissa(start)))
    if len(changed):
        i, j = map(int, changed[0])
        raise ValueError(
            f"EdgeWeights keeps the zeros and the signs of its weights, but is to be set to {value[i, j]} "
            f"at [{i}, {j}], where it has {start[i, j]}. Make new ones: EdgeWeights(weights)."
        )


class _Scale:
    """From log-gains to weights."""

    def __init__(self, start: Any):
        self.start = start

    def __call__(self, gain: Any) -> Any:
        return self.start * u.math.exp(gain)
