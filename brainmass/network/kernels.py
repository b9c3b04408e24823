"""The classical kernels of coupling, by class and by name.

In all of them `pre` depends on the source alone, and `post` brings in the target: diffusive coupling is
`Σ_j w_ij x_j − x_i Σ_j w_ij`. So coupling without delays is a matrix product, and with delays `pre` is applied once,
when a value leaves its region. A kernel of one's own may write `pre(x_j, x_i)`: then every connection is worked out.
"""

from __future__ import annotations

from typing import Any, ClassVar

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.messages import Argument, argument_error, show, suggestion
from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Domain, Par, option, param
from brainmass.network.coupling import Coupling, needed

__all__ = [
    "COUPLINGS",
    "AdditiveCoupling",
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


class DiffusiveCoupling(Coupling):
    r"""Diffusive coupling, :math:`c_i = k \sum_j w_{ij}\,(x_j - x_i)`: The Virtual Brain's `Difference`."""

    needs_target = True

    def post(self, total: Numbers, target: Numbers, strength: Numbers) -> Numbers:
        # The sum of w_ij (x_j - x_i) over j is that of w_ij x_j less x_i times that of w_ij: N differences, and not
        # N².
        return self.k.value() * (total - strength * needed(self, target))


class _PostSum(Coupling):
    """Base of the kernels that need no targets."""

    # No row of theirs: to give targets to a kernel that would ignore them is then an unknown argument.
    y: ClassVar[None] = None  # pyright: ignore[reportIncompatibleVariableOverride]


class AdditiveCoupling(_PostSum):
    r"""Additive coupling, :math:`c_i = k \sum_j w_{ij}\,x_j + b`: The Virtual Brain's `Linear` and `Scaling`.

    An offset `b` without unit is read in the unit of the sum.
    """

    b: Par = param(default=0.0, doc="offset", unit="any")

    def post(self, total: Numbers, target: Numbers, strength: Numbers) -> Numbers:
        scaled, b = self.k.value() * total, self.b.value()
        unit = u.get_unit(scaled)
        if not u.get_unit(b).has_same_dim(u.UNITLESS) and not u.get_unit(b).has_same_dim(unit):
            raise argument_error(
                Argument("b", self._owner, "offset"),
                f"must be in the unit of the sum, {unit}, or a plain number",
                f"is in {u.get_unit(b)}",
                kind=u.UnitMismatchError,
            )
        # A plain offset takes the unit of the sum, but one with a unit is never taken for a number.
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

    def post(self, total: Numbers, target: Numbers, strength: Numbers) -> Numbers:
        # An exponent has no unit: the sum is taken as a number, in the unit of the source.
        drive = self.a.value() * u.get_mantissa(total) + self.b.value() - self.midpoint.value()
        return self.k.value() * jax.nn.sigmoid(self.slope.value() * drive)


class HyperbolicTangentCoupling(_PostSum):
    r"""Hyperbolic tangent of the sum, :math:`c_i = k \tanh(scale \sum_j w_{ij} x_j)`; the sum as a number.

    The Virtual Brain's coupling of this name acts before the sum: `PreTanhCoupling`. By name, and as a class, in a
    network, `k` is that of the network.
    """

    k: Par = param(default=0.5, doc="global strength", unit="any")
    scale: Par = param(default=2.0, doc="gain of the sum")

    def post(self, total: Numbers, target: Numbers, strength: Numbers) -> Numbers:
        return self.k.value() * jnp.tanh(self.scale.value() * u.get_mantissa(total))


class _PreSum(_PostSum):
    """Base of the kernels that sum a function of the sources: `k` times that sum."""

    def post(self, total: Numbers, target: Numbers, strength: Numbers) -> Numbers:
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

    def pre(self, x: Numbers) -> jax.Array:
        # Midpoint and steepness are numbers in mV, so that potentials in volt are read as what they are.
        x = x.to_decimal(u.mV) if isinstance(x, u.Quantity) and x.unit.has_same_dim(u.mV) else u.get_mantissa(x)
        low: Numbers = self.cmin.value()
        high: Numbers = self.cmax.value()
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

    def pre(self, x: Numbers) -> jax.Array:
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

    def pre(self, x: Numbers) -> jax.Array:
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

    def pre(self, x: Numbers) -> jax.Array:
        # sin(x_j - y) = sin x_j cos y - cos x_j sin y: what is sent does not depend on who receives it.
        return jnp.stack([jnp.sin(x), jnp.cos(x)])

    def post(self, total: Numbers, target: Numbers, strength: Numbers) -> Numbers:
        # sin(x_j - x_i - alpha): the lag is that of a target turned on by alpha
        here = needed(self, target) + self.alpha.value()
        n = self.n_in if self.normalize_by_n else 1
        return self.k.value() / n * (total[0] * jnp.cos(here) - total[1] * jnp.sin(here))


def diffusive_coupling(delayed_x: Numbers, y: Numbers, conn: Numbers, k: Numbers) -> jax.Array:
    """`k Σ_j w_ij (x_ij - y_i)` for sources of shape (..., N_out, N_in), flat, or (N_in,)."""
    return DiffusiveCoupling(conn=conn, k=k).of_bound("diffusive_coupling", delayed_x=delayed_x, y=y)


def additive_coupling(delayed_x: Numbers, conn: Numbers, k: Numbers = 1.0, b: Numbers = 0.0) -> jax.Array:
    """`k Σ_j w_ij x_ij + b` for sources of shape (..., N_out, N_in), flat, or (N_in,)."""
    return AdditiveCoupling(conn=conn, k=k, b=b).of_bound("additive_coupling", delayed_x=delayed_x)


def sigmoidal_coupling(
    delayed_x: Numbers,
    conn: Numbers,
    k: Numbers = 1.0,
    a: Numbers = 1.0,
    b: Numbers = 0.0,
    slope: Numbers = 1.0,
    midpoint: Numbers = 0.0,
) -> jax.Array:
    """`k / (1 + exp(-slope (a Σ_j w_ij x_ij + b - midpoint)))`; sources as in `additive_coupling`."""
    kernel = SigmoidalCoupling(conn=conn, k=k, a=a, b=b, slope=slope, midpoint=midpoint)
    return kernel.of_bound("sigmoidal_coupling", delayed_x=delayed_x)


def hyperbolic_tangent_coupling(delayed_x: Numbers, conn: Numbers, k: Numbers = 0.5, scale: Numbers = 2.0) -> jax.Array:
    """`k tanh(scale Σ_j w_ij x_ij)`; sources as in `additive_coupling`."""
    kernel = HyperbolicTangentCoupling(conn=conn, k=k, scale=scale)
    return kernel.of_bound("hyperbolic_tangent_coupling", delayed_x=delayed_x)


def sigmoidal_jansen_rit_coupling(
    delayed_x: Numbers,
    conn: Numbers,
    k: Numbers = 1.0,
    cmin: Numbers = 0.0,
    cmax: Numbers = 0.005,
    midpoint: Numbers = 6.0,
    r: Numbers = 0.56,
) -> jax.Array:
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


def make_coupling(coupling: Any, conn: object, k: object, k_is_given: bool) -> Coupling:
    """The kernel with this name, of this class, or the one that was made without weights, on these weights."""
    if isinstance(coupling, Coupling):
        return _put_on(coupling, conn, k, k_is_given)
    if isinstance(coupling, type) and issubclass(coupling, Coupling):
        return coupling(conn=conn, k=k)
    if not isinstance(coupling, str) or coupling not in COUPLINGS:
        raise argument_error(
            Argument("coupling", "Network"),
            f"must be one of {', '.join(map(repr, COUPLINGS))}, a Coupling class, or one that is made",
            f"is {show(coupling)}",
            "coupling=brainmass.SigmoidalCoupling(slope=2.0).",
            hint=suggestion(str(coupling), COUPLINGS),
        )
    return COUPLINGS[coupling](conn=conn, k=k)


def _put_on(coupling: Coupling, conn: object, k: object, k_is_given: bool) -> Coupling:
    owner = type(coupling).__name__
    # Two networks with one kernel would share its parameters, and each would overwrite the other's weights.
    if coupling.conn is not None:
        raise argument_error(
            Argument("coupling", "Network"),
            f"is a {owner} that has weights already, its own or those of another network or "
            "projection: make one without for each",
            example=f"coupling=brainmass.{owner}().",
        )
    if coupling.x is not None:
        raise argument_error(
            Argument("coupling", "Network"), f"is a {owner} with bound sources: a network sends its own"
        )
    if k_is_given:
        raise argument_error(
            Argument("k", "Network"),
            f"is given beside a {owner} that has its own, {show(coupling.k.value())}: write "
            f"coupling=brainmass.{owner}(k={show(k)}), without the other",
        )
    coupling.conn = conn
    return coupling
