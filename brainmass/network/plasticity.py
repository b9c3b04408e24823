"""Plasticity: rules by which what a source sends, or the weights of connections, change slowly with activity."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

import brainunit as u
import numpy as np
from brainstate import HiddenState
from braintools.init import Constant

from brainmass._common.checks import instance
from brainmass._common.messages import Argument, argument_error
from brainmass._common.typing import Numbers
from brainmass.dynamics.declaration import bind_derivative, check_derivatives
from brainmass.dynamics.fields import (
    Domain,
    Initializer,
    Par,
    nonnegative,
    option,
    param,
    positive,
    state,
    unit_interval,
)
from brainmass.dynamics.module import fixed
from brainmass.network.attached import Attached, chosen

__all__ = [
    "PLASTICITY",
    "BCMPlasticity",
    "HebbianPlasticity",
    "InhibitoryPlasticity",
    "PairPlasticity",
    "Plasticity",
    "TsodyksMarkram",
    "as_plasticity",
]

SEEN = ("pre", "post", "conn")


class Plasticity(Attached):
    r"""Base of the rules of plasticity: slow states of a projection, and the factor that they make.

    A rule declares parameters and states as a model does, and one derivative `d<state>` for each state. Its arguments
    are states of the rule and what a synapse can know, by name:

    - `pre`: what is sent over the connection, as it arrives;
    - `post`: the activity of the target: of the state that is sent, or of the one that the option `post` names;
    - `conn`: the weight of the connection, as the network was given it.

    `factor`, a method that takes the same, multiplies; without it the first state does. Where it follows from `pre`
    alone there is one of each state for each source, and the factor is of what is sent, when it leaves: short-term
    plasticity. Else it is of the weights, when what is sent arrives, and there is one of each state for each connection
    (in the layout of the weights, of `Edges` that of `Edges.rows()`), or for each target where it follows from `post`
    alone. States are integrated with those of the nodes, by their method, and after each step put back to the bounds of
    their domains; where a weight is zero there is no connection, and nothing moves.

    Activities carry their units, and a derivative has that of its state per time. Parameters are one number; of what is
    sent also one for each source, else a matrix that fits the weights, as (N_target, 1).

    Examples
    --------
    >>> import brainmass, brainunit as u
    >>> from brainstate import HiddenState
    >>> from braintools.init import Constant
    >>> from brainmass.declare import Par, param, positive, state
    >>> class Depression(brainmass.Plasticity):
    ...     tau: Par = param(default=200 * u.ms, doc="time of recovery", domain=positive)
    ...     x: HiddenState = state("resources", start=Constant(1.0))
    ...
    ...     def dx(self, x, pre):
    ...         return (1 - x) / self.p.tau - 0.5 * u.Hz * x * pre
    """

    post: str | None = option(
        default=None,
        doc="State of the target that a rule looks at, or one of its `sources`; default the state that is sent",
        check=functools.partial(instance, kinds=str, must="the name of a state", example="'E'"),
    )

    _elsewhere = fixed("post", instead="give it to the rule when that is made")

    argument = "plasticity"
    awaits = (*SEEN, "rows")

    # Of the class: whether the factor is of what is sent, what derivatives and factor take, states of the targets.
    of_sources: ClassVar[bool] = False
    _arguments: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    _factor: ClassVar[tuple[str, ...]] = ()
    _of_targets: ClassVar[tuple[str, ...]] = ()
    _port_units: ClassVar[Mapping[str, u.Unit]] = dict.fromkeys(SEEN, u.UNITLESS)

    # Numbers of sources and targets, and the shape of the weights.
    _sizes: tuple[int, int, tuple[int, int]] | None = None

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        cls.of_any_shape = tuple(cls._params)
        check_derivatives(cls)
        if cls._states:
            _read_rule(cls)

    def __init__(self, *args: Any, **kwargs: Any):
        if not self._states:
            raise TypeError(f"{self._owner} has no states: declare them in a subclass, or use one of those there are.")
        super().__init__(*args, **kwargs)

    @classmethod
    def looks_at(cls, name: str) -> bool:
        """Whether a derivative, or the factor, takes `pre`, `post` or `conn`."""
        return any(name in arguments for arguments in (*cls._arguments.values(), cls._factor))

    # --- what it belongs to -------------------------------------------------------------------------------------------
    def attach(self, n_sources: int, n_targets: int, weights: tuple[int, int]) -> None:
        """Told how many sources and targets there are, and the shape of the weights."""
        sizes = n_sources, n_targets, weights
        if self._sizes not in (None, sizes):
            raise self._refuse_another()
        self._sizes = sizes
        self.check()

    def shape_of(self, key: str, value: Any) -> None:
        return None

    def check(self) -> None:
        if self._sizes is None:
            return
        n_sources, _, (rows, width) = self._sizes
        for name, spec in self._params.items():
            if getattr(self, name) is None:
                continue
            shape = u.math.shape(getattr(self, name).value())
            fits = shape == (n_sources,) if self.of_sources else len(shape) == 2 and _fit(shape, (rows, width))
            if shape and not fits:
                others = f"one for each of {n_sources} sources" if self.of_sources else _matrices(rows, width)
                raise argument_error(
                    Argument(name, self._owner, spec.doc), f"must be one, or {others}", f"has shape {shape}"
                )

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        n_sources, n_targets, weights = self._sizes or (1, 1, (1, 1))
        if self.of_sources:
            return dict.fromkeys(self._states, (n_sources,))
        return {name: (n_targets,) if name in self._of_targets else weights for name in self._states}

    # --- at a stage ---------------------------------------------------------------------------------------------------
    def factor_of(self, states: Mapping[str, Numbers], seen: Mapping[str, Numbers]) -> Numbers:
        """The factor for these states: of what each source sends, or of the weights, in their layout."""
        known = self._at_connections(states, seen)
        factor = getattr(type(self), "factor", None)
        if factor is None:
            return known[next(iter(self._states))]
        return u.maybe_decimal(factor(self, *(known[name] for name in self._factor)))

    def _at_connections(self, states: Mapping[str, Numbers], seen: Mapping[str, Numbers]) -> dict[str, Numbers]:
        """All that a derivative may take; at connections what is of targets stands in the rows of the weights."""
        known = {**seen, **states}
        if self.of_sources:
            return known
        return known | {name: _in_rows(known[name], seen["rows"]) for name in ("post", *self._of_targets)}

    def _motion(self, state: tuple, t: Numbers, *inputs: Numbers) -> tuple:
        states, seen = dict(zip(self._states, state, strict=True)), dict(zip(self.awaits, inputs, strict=True))
        if self.of_sources:
            return tuple(self._rate(name, {**seen, **states}) for name in states)
        there = u.get_mantissa(seen["conn"]) != 0
        # A rule may divide by the weight, also where there is none.
        seen["conn"] = u.math.where(there, seen["conn"], u.math.ones_like(seen["conn"]))
        at_connections, at_targets = self._at_connections(states, seen), {**seen, **states}
        rates = []
        for name in states:
            rate = self._rate(name, at_targets if name in self._of_targets else at_connections)
            rates.append(rate if name in self._of_targets else u.math.where(there, rate, u.math.zeros_like(rate)))
        return tuple(rates)

    def drift(self, state: tuple, *inputs: Numbers) -> tuple:
        rates = super().drift(state, *inputs)
        if self.of_sources:
            return rates
        # What never moves would make every equilibrium one of a line of them: where no connection is it goes to zero.
        there = u.get_mantissa(inputs[self.awaits.index("conn")]) != 0
        alone = [name not in self._of_targets for name in self._states]
        return tuple(
            u.math.where(there, rate, -x / u.ms) if at_connections else rate
            for rate, x, at_connections in zip(rates, state, alone, strict=True)
        )

    def _rate(self, name: str, known: Mapping[str, Numbers]) -> Numbers:
        """The rate of change of a state, of its shape; or an error in words, before anything runs."""
        value, arguments = known[name], self._arguments[name]
        try:
            rate = getattr(self, f"d{name}")(*(known[argument] for argument in arguments))
        except u.UnitMismatchError as error:
            raise self._misfit(name, known, str(error).rpartition("because ")[2].rstrip(".")) from error
        if not u.get_unit(rate).has_same_dim(u.get_unit(value) / u.ms):
            raise self._misfit(name, known, f"it is in {u.get_unit(rate)}")
        if not _fit(u.math.shape(rate), u.math.shape(value)):
            rule = f"must return the shape of its state, {u.math.shape(value)}"
            raise argument_error(
                Argument(f"d{name}", self._owner, text=f"`d{name}` of {self._owner}"), rule, f"gives {rate.shape}"
            )
        return u.math.broadcast_to(rate, u.math.shape(value))

    def _misfit(self, name: str, known: Mapping[str, Numbers], but: str) -> Exception:
        units = [f"`{a}` in {_unit_words(u.get_unit(known[a]))}" for a in self._arguments[name] if a in SEEN]
        return argument_error(
            Argument(f"d{name}", self._owner, text=f"`d{name}` of {self._owner}"),
            f"must be that of its state per time, with {' and '.join(units) or 'its states'}",
            but.strip(),
            hint="Give its parameters units that fit.",
            kind=u.UnitMismatchError,
        )

    def _settled(self, name: str, value: Numbers) -> Numbers:
        """A state at the end of a step, within its bounds."""
        domain: Domain = self._states[name].domain
        if not domain.is_bounded:
            return value
        low, high = (u.maybe_decimal(bound * u.get_unit(value)) for bound in domain.bounds)
        return u.math.clip(value, low, high)


def _read_rule(cls: type[Plasticity]) -> None:
    """What derivatives and factor take, and so where each state is."""
    cls._arguments = {name: bind_derivative(cls, spec) for name, spec in cls._states.items()}
    factor, known = getattr(cls, "factor", None), {*cls._states, *SEEN}
    cls._factor = tuple(inspect.signature(factor).parameters)[1:] if factor else (next(iter(cls._states)),)
    if strange := [name for name in cls._factor if name not in known]:
        raise TypeError(
            f"{cls.__name__}.factor takes `{strange[0]}`, which is neither a state ({', '.join(cls._states)}) nor one "
            f"of {', '.join(SEEN)}."
        )
    reach = {name: _reach(name, cls._arguments) for name in cls._states}
    of_factor = {seen for name in cls._factor for seen in reach.get(name, {name})} & {*SEEN}
    cls.of_sources = of_factor == {"pre"}
    cls._of_targets = tuple(name for name, seen in reach.items() if seen & {*SEEN} == {"post"})
    if cls.of_sources and (wrong := [name for name, seen in reach.items() if seen & {"post", "conn"}]):
        raise TypeError(
            f"{cls.__name__} has the factor of what is sent, as it follows from `pre` alone, but its state "
            f"`{wrong[0]}` knows more: such a state has no part in it."
        )


def _reach(name: str, arguments: Mapping[str, tuple[str, ...]]) -> set[str]:
    """All that a state follows from, in the end."""
    found, new = set(), {name}
    while new:
        found |= new
        new = {other for known in new for other in arguments.get(known, ())} - found
    return found


def _in_rows(x: Numbers, rows: Numbers) -> Numbers:
    """What is of targets, shape (..., N_target), at the rows of the weights: shape (..., rows, 1)."""
    if x is None:
        return None
    return (x if rows is None else x[..., rows])[..., None]


def _fit(got: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(got, shape) == tuple(shape)
    except ValueError:
        return False


def _matrices(rows: int, width: int) -> str:
    return f"one for each connection, ({rows}, {width}), ({rows}, 1) or (1, {width})"


def _unit_words(unit: u.Unit) -> str:
    return "plain numbers" if unit.dim == u.DIMENSIONLESS else str(unit)


# --- rules --------------------------------------------------------------------------------------------------------
def _as_rate(rule: Plasticity, activity: Numbers) -> Numbers:
    """An activity as a firing rate: a plain number is one times `scale`."""
    unit, scale = u.get_unit(activity), rule.scale
    if unit.dim == u.DIMENSIONLESS:
        return activity * (1.0 * u.Hz if scale is None else scale.value())
    what = Argument("scale", rule._owner)
    if not unit.has_same_dim(u.Hz):
        raise argument_error(
            Argument("plasticity", "Network"),
            f"is a {rule._owner}, which looks at rates or plain numbers",
            f"activity is in {unit}",
            kind=u.UnitMismatchError,
        )
    if scale is not None:
        raise argument_error(what, f"has no effect, as activity is a rate, in {unit}")
    return activity


def _scale() -> Any:
    return param(
        default=None, doc="firing rate at activity 1, where that is a plain number: then by default 1 Hz",
        domain=positive, unit=u.Hz,
    )  # fmt: skip


class TsodyksMarkram(Plasticity):
    r"""Short-term depression and facilitation: what a source sends, times :math:`u x`.

    .. math:: \dot x = \frac{1 - x}{\tau_D} - u x r, \qquad \dot u = \frac{U - u}{\tau_F} + U (1 - u)\, r

    :math:`r` is the firing rate of the source. At rest the factor is :math:`U`. With the defaults facilitation
    outlives depression, as in prefrontal cortex; synapses that depress have a :math:`U` near 0.5, and a longer
    :math:`\tau_D` than :math:`\tau_F`.

    Reference: Tsodyks, Pawelzik, Markram 1998, Neural Comput. 10:821; Mongillo, Barak, Tsodyks 2008, Science 319:1543.
    """

    tau_D: Par = param(default=200.0 * u.ms, doc="time constant of recovery from depression", domain=positive)
    tau_F: Par = param(default=1500.0 * u.ms, doc="time constant of facilitation", domain=positive)
    U: Par = param(default=0.3, doc="release at rest", domain=unit_interval)
    scale: Par = _scale()

    x: HiddenState = state("transmitter that is there", start=Constant(1.0), domain=unit_interval)
    u: HiddenState = state("share of it that a spike releases", start=Constant(0.0), domain=unit_interval)

    def dx(self, x, u, pre):
        return (1 - x) / self.p.tau_D - u * x * _as_rate(self, pre)

    def du(self, u, pre):
        p = self.p
        return (p.U - u) / p.tau_F + p.U * (1 - u) * _as_rate(self, pre)

    def factor(self, x, u):
        """The share of the transmitter that a spike releases now."""
        return u * x

    def initial(self):
        return {"u": self.p.U}


class _OfWeights(Plasticity):
    """Base of those whose factor of the weight is a state of its own."""

    init_g: Initializer = Constant(1.0)


class HebbianPlasticity(_OfWeights):
    r"""Hebbian weights that forget: :math:`w_{ij} g_{ij}` with :math:`\tau\,\dot g_{ij} = \eta\, x_j x_i - g_{ij}`.

    At constant activity :math:`g_{ij} = \eta\, x_j x_i`.

    Reference: Gerstner, Kistler 2002, Biol. Cybern. 87:404.
    """

    tau: Par = param(default=10.0 * u.second, doc="time constant of learning and forgetting", domain=positive)
    eta: Par = param(default=1.0, doc="factor at activities of 1, over the units of `pre` and `post`", unit="any")

    g: HiddenState = state("factor of the weight")

    def dg(self, g, pre, post):
        return (self.p.eta * pre * post - g) / self.p.tau


class InhibitoryPlasticity(_OfWeights):
    r"""Inhibition that brings its targets to a rate: :math:`\dot g_{ij} = \eta\, x_j\, (x_i - \rho)`.

    For connections that inhibit, which have a negative `k` or negative weights: they grow where the target is more
    active than :math:`\rho`, and shrink, down to nothing, where it is less.

    Reference: Vogels, Sprekeler, Zenke, Clopath, Gerstner 2011, Science 334:1569.
    """

    eta: Par = param(default=0.1 * u.Hz, doc="speed, per time and over the units of `pre` and `post`", unit="any")
    rho: Par = param(default=0.1, doc="target, in the unit of `post`", unit="any")

    g: HiddenState = state("factor of the weight", domain=nonnegative)

    def dg(self, g, pre, post):
        return self.p.eta * pre * (post - self.p.rho)


class BCMPlasticity(_OfWeights):
    r"""The rule of Bienenstock, Cooper and Munro, whose threshold slides with the activity of the target.

    .. math::
        \dot g_{ij} = \eta\, x_j x_i \left(\frac{x_i}{\rho} - \theta_i\right), \qquad
        \tau_\theta\, \dot\theta_i = \left(\frac{x_i}{\rho}\right)^2 - \theta_i

    Connections grow where the target is more active than its threshold, and shrink, down to nothing, where it is less;
    it comes to rest at :math:`\rho`, if the threshold is fast against the weights.

    Reference: Bienenstock, Cooper, Munro 1982, J. Neurosci. 2:32; the form of the threshold of Intrator, Cooper 1992,
    Neural Netw. 5:3.
    """

    eta: Par = param(default=0.1 * u.Hz, doc="speed, per time and over the units of `pre` and `post`", unit="any")
    rho: Par = param(default=0.1, doc="activity at which the target comes to rest, in the unit of `post`", unit="any")
    tau_theta: Par = param(default=1.0 * u.second, doc="time constant of the threshold", domain=positive)
    init_theta: Initializer = Constant(1.0)

    g: HiddenState = state("factor of the weight", domain=nonnegative)
    theta: HiddenState = state("threshold, over the activity at rest", domain=nonnegative)

    def dg(self, g, theta, pre, post):
        return self.p.eta * pre * post * (post / self.p.rho - theta)

    def dtheta(self, theta, post):
        return (u.maybe_decimal(post / self.p.rho) ** 2 - theta) / self.p.tau_theta


class PairPlasticity(_OfWeights):
    r"""Spike-timing-dependent plasticity of rates: what the pairs of spikes of all trains bring on average.

    .. math::
        \dot g_{ij} = A_+\, p_{ij} r_i - A_-\, q_i r_j, \qquad
        \dot p_{ij} = r_j - \frac{p_{ij}}{\tau_+}, \qquad \dot q_i = r_i - \frac{q_i}{\tau_-}

    :math:`r_j` is the rate of the source, as it arrives, and :math:`r_i` that of the target; :math:`p` and :math:`q`
    are traces that each spike would move by one. The connection from a source that leads its target grows, and that
    from one that follows shrinks, down to nothing.

    Reference: Kempter, Gerstner, van Hemmen 1999, Phys. Rev. E 59:4498; traces of Morrison, Diesmann, Gerstner 2008,
    Biol. Cybern. 98:459.
    """

    A_plus: Par = param(default=0.005, doc="strengthening by a pair", domain=nonnegative)
    A_minus: Par = param(default=0.005, doc="weakening by a pair", domain=nonnegative)
    tau_plus: Par = param(default=20.0 * u.ms, doc="time constant of the source's trace", domain=positive)
    tau_minus: Par = param(default=20.0 * u.ms, doc="time constant of the target's trace", domain=positive)
    scale: Par = _scale()

    g: HiddenState = state("factor of the weight", domain=nonnegative)
    p_trace: HiddenState = state("trace of the source", start=Constant(0.0))
    q_trace: HiddenState = state("trace of the target", start=Constant(0.0))

    def dg(self, g, p_trace, q_trace, pre, post):
        grows = self.p.A_plus * p_trace * _as_rate(self, post)
        return grows - self.p.A_minus * q_trace * _as_rate(self, pre)

    def dp_trace(self, p_trace, pre):
        return _as_rate(self, pre) - p_trace / self.p.tau_plus

    def dq_trace(self, q_trace, post):
        return _as_rate(self, post) - q_trace / self.p.tau_minus


PLASTICITY: dict[str, type[Attached]] = {
    "tsodyks_markram": TsodyksMarkram,
    "hebbian": HebbianPlasticity,
    "inhibitory": InhibitoryPlasticity,
    "bcm": BCMPlasticity,
    "stdp": PairPlasticity,
}


def as_plasticity(plasticity: Any) -> Plasticity | None:
    """A rule by its name, its class, or itself."""
    return chosen(Plasticity, PLASTICITY, plasticity, "plasticity=brainmass.HebbianPlasticity(tau=5 * u.second).")
