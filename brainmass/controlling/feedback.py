"""Feedback: what enters a port follows from what is observed, at once or late."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Set
from typing import TYPE_CHECKING, Any, ClassVar

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from brainstate.nn import Param

from brainmass._common.checks import is_function, numbers, region_numbers, whole
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.precision import default_dtype
from brainmass._common.times import steps_of
from brainmass._common.typing import Numbers
from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Par, nonnegative, option, param, positive, required, setting
from brainmass.stimuli.algebra import Drive

__all__ = ["Feedback", "LinearFeedback", "PolicyFeedback"]


def _signals(what: Argument, given: object) -> tuple[Any, ...]:
    several = given if isinstance(given, list | tuple) else (given,)
    if not several or not all(isinstance(one, str) or is_function(one) for one in several):
        rule = "must be the name of a state, or of a forward model of the run, a function of the model, or several"
        raise argument_error(what, rule, f"is {show(given)}", 'of="x"', kind=TypeError)
    return tuple(several)


def _ends(what: Argument, given: Any) -> tuple[float, float]:
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise argument_error(what, "must be (low, high)", f"is {show(given)}", "limits=(-1.0, 1.0)")
    ends = [numbers(what, end, unit=u.UNITLESS) if end is not None else None for end in given]
    low, high = (open_ if x is None else float(x) for x, open_ in zip(ends, (-np.inf, np.inf), strict=True))
    if not low < high:  # NaN is refused, too
        raise argument_error(what, "must go from low to high", f"is {show(given)}", "limits=(-1.0, 1.0)")
    return low, high


class Feedback(Drive, Declared):
    """Base of the feedbacks: an input of a run, or a part of one, that follows from what is observed in it.

    At the start of each step the signals `of` are read at the regions `observed`, one signal after the other; they are
    seen `delay` later, through a low-pass filter where there is a `time_constant`, and what a subclass makes of these
    numbers, `act(seen)`, enters at the `sites` through the step. All are plain numbers in the units of signals and
    port. Before the run the signals were what they are at its start. A run records what a feedback puts in as
    `"inputs.<port>"`.

    Other Parameters
    ----------------
    of : str, function of the model, or several
        Names of states, or of forward models among the monitors of the run.
    sites : list of int
        Where it enters; default all regions.
    observed : list of int
        The regions that are looked at; default all.
    n_observed : int
        How many numbers are seen, where the signals are none of the population, such as those of sensors.
    limits : (low, high)
        Between which it stays; one that is None is open.
    """

    of: Any = required()
    delay: Any = setting(
        default=0.0 * u.ms, doc="how late it sees, a multiple of the time step", domain=nonnegative, unit=u.ms
    )
    time_constant: Par = param(
        default=None, doc="of the low-pass filter that it sees through", domain=positive, unit=u.ms, kw_only=True
    )
    sites: Any = option(default=None)
    observed: Any = option(default=None)
    n_observed: int | None = option(default=None, check=whole)
    limits: Any = option(default=None, check=_ends)

    _first_rows = ("in_size", "of")
    of_any_shape: ClassVar[tuple[str, ...]] = ("time_constant",)
    if TYPE_CHECKING:  # states, which a run makes; in the body these would be arguments
        entered: ClassVar[brainstate.ShortTermState]
        past: ClassVar[brainstate.ShortTermState]
        filtered: ClassVar[brainstate.ShortTermState]
        count: ClassVar[brainstate.ShortTermState]

    @property
    def unit(self) -> Numbers:
        return u.UNITLESS

    @property
    def closing(self) -> tuple[Feedback, ...]:
        return (self,)

    @property
    def n_sites(self) -> int:
        """How many numbers `act` returns."""
        return int(np.prod(self.varshape)) if self.sites is None else len(self.sites)

    @property
    def n_seen(self) -> int:
        """How many numbers `act` is given."""
        if self.n_observed is not None:
            return self.n_observed
        return len(self.of) * (int(np.prod(self.varshape)) if self.observed is None else len(self.observed))

    def __setattr__(self, key: str, value: object) -> None:
        if self._checked and key in ("sites", "observed") and value is not None:
            n = int(np.prod(self.varshape))
            # As a tuple, which is compared by its numbers: programs are kept for such facts.
            found = region_numbers(Argument(key, self._owner), value, n, example=f"{key}=[0]")
            value = tuple(int(x) for x in found)
        if self._checked and key == "of":
            value = _signals(Argument(key, self._owner), value)
        super().__setattr__(key, value)

    def check(self) -> None:
        if self.time_constant is not None and u.math.shape(self.p.time_constant) not in ((), (1,)):
            raise argument_error(Argument("time_constant", self._owner), "must be one time for all it sees")
        if self.n_observed is not None and self.observed is not None:
            what = Argument("n_observed", self._owner)
            raise argument_error(what, "must not be given together with `observed`, which says how many there are")

    @property
    def seen_in(self) -> u.Unit | None:
        """The unit in which signals are seen; None for that of each."""
        return None

    @abstractmethod
    def act(self, seen: Numbers) -> Numbers:
        """What enters, shape (n_sites,), at what is seen, shape (n_seen,)."""

    # --- in a run -----------------------------------------------------------------------------------------------------
    def init_state(self, batch_size: Any = None, *, rng: Any = None, **kwargs: object) -> None:
        super().init_state(batch_size, rng=rng)
        dtype, n = default_dtype(), self.n_seen
        held = {"entered": jnp.zeros(self.varshape, dtype)}
        if self._late:
            held |= {"past": jnp.zeros((self._late, n), dtype)}
        if self.time_constant is not None:
            held |= {"filtered": jnp.zeros(n, dtype)}
        if len(held) > 1:
            # So many steps have been seen: at the first, what was before it is not known.
            held |= {"count": jnp.int32(0)}
        for name in ("entered", "past", "filtered", "count"):
            if name in held:
                setattr(self, name, brainstate.ShortTermState(held[name]))
            elif name in vars(self):  # of a run with another time step
                delattr(self, name)

    @property
    def _made(self) -> Set[str]:
        return {"entered"}

    def reset_state(self, *args: object, **kwargs: object) -> None:
        self.init_state(self._batch)

    @property
    def _late(self) -> int:
        """The delay, in steps."""
        dt = brainstate.environ.get("dt", default=None)
        if dt is None or not float(self.delay.to_decimal(u.ms)):
            return 0
        # Within a trace an error would show tracers.
        with jax.ensure_compile_time_eval():
            return steps_of("delay", self.delay, dt, self._owner)

    def update(self) -> Numbers:
        rule = "is an input of a run, whose model it sees"
        example = f'simulator.run(..., inputs={{"x_inp": {self._owner}(...)}})'
        raise argument_error(
            Argument("inputs", text=f"A {self._owner}"), rule, "has none here", example, kind=TypeError
        )

    def entering(self, look: Callable[[Any], Numbers]) -> Numbers:
        seen = self._as_seen(self._observed_in(look))
        acting = jnp.asarray(self.act(seen))
        if acting.shape not in ((), (self.n_sites,)):
            rule = f"must return one number for each of the {self.n_sites} sites"
            raise argument_error(Argument("act", text=f"`act` of {self._owner}"), rule, f"has shape {acting.shape}")
        if self.limits is not None:
            acting = jnp.clip(acting, *self.limits)
        sites = np.arange(self.n_sites) if self.sites is None else np.asarray(self.sites)
        like = self.entered.value
        whole_ = jnp.zeros(like.size, like.dtype).at[sites].set(acting.astype(like.dtype)).reshape(like.shape)
        self.entered.value = whole_
        return whole_

    def _observed_in(self, look: Callable[[Any], Numbers]) -> Numbers:
        """All that is observed now, in one row."""
        rows = [self._plain(what, look(what)) for what in self.of]
        if self.observed is not None:
            n = int(np.prod(self.varshape))
            for what, row in zip(self.of, rows, strict=True):
                if len(row) != n:
                    rule = f"needs signals of the {n} regions"
                    raise argument_error(Argument("observed", self._owner), rule, f"{show(what)} has {len(row)} values")
            rows = [row[np.asarray(self.observed)] for row in rows]
        now = jnp.concatenate(rows)
        if len(now) != self.n_seen:
            rule = f"must have {self.n_seen} values, {len(self.of)} signals of the population"
            raise argument_error(
                Argument("of", self._owner), rule, f"has {len(now)}", f"{self._owner}(..., n_observed={len(now)})"
            )
        return now.astype(self.entered.value.dtype)

    def _plain(self, what: object, signal: Numbers) -> Numbers:
        unit, own = self.seen_in, u.get_unit(signal)
        if unit is not None and not own.has_same_dim(unit):
            kind = u.UnitMismatchError
            raise argument_error(
                Argument("target", self._owner),
                f"must be in {own}, the unit of {show(what)}",
                f"is in {unit}",
                kind=kind,
            )
        plain = signal if unit is None else u.Quantity(signal).to_decimal(unit)
        return jnp.ravel(u.get_mantissa(u.maybe_decimal(plain)))

    def _as_seen(self, now: Numbers) -> Numbers:
        if "count" not in vars(self):
            return now
        count = self.count.value
        if "past" in vars(self):
            # A ring: its oldest row gives way to the newest.
            past = jnp.where(count == 0, now, self.past.value)
            place = count % len(past)
            now, self.past.value = past[place], past.at[place].set(now)
        if "filtered" in vars(self):
            before = jnp.where(count == 0, now, self.filtered.value)
            dt = brainstate.environ.get("dt")
            # Exact for what holds through the step.
            rest = jnp.exp(-dt.to_decimal(u.ms) / jnp.reshape(u.Quantity(self.p.time_constant).to_decimal(u.ms), ()))
            self.filtered.value = (now + rest * (before - now)).astype(before.dtype)
            now = self.filtered.value
        # It goes round with the ring, and never back to zero, however long the run.
        period = len(self.past.value) if "past" in vars(self) else 1
        self.count.value = jnp.where(count >= period, count - period, count) + 1
        return now


class LinearFeedback(Feedback):
    r"""Proportional feedback, :math:`u = K (x^* - x) + b`.

    Signals are seen in the unit of the target, where it has one. Left out, the gain is a trainable matrix that starts
    from zero; one that is given is trained, as any parameter, if it is `brainstate.nn.Param(value, fit=True)`.

    Examples
    --------
    >>> import brainmass, brainunit as u
    >>> towards = brainmass.LinearFeedback(3, "x", gain=2.0, target=1.0)
    >>> simulator = brainmass.Simulator(brainmass.LinearStep(3, gamma=-1.0), dt=0.1 * u.ms)
    >>> result = simulator.run(20 * u.ms, inputs={"x_inp": towards}, state={"x": 0.0}, monitors=["x"])
    >>> print(f"{result['x'][-1, 0]:.2f}")
    0.67
    """

    gain: Par = param(
        default=None, doc="K: one number, one for each site, or shape (sites, seen)", unit=u.UNITLESS, kw_only=True
    )
    target: Par = param(default=0.0, doc="of what is seen, one or one for each", unit="any", kw_only=True)
    bias: Par = param(default=0.0, doc="b, one or one for each site", unit=u.UNITLESS, kw_only=True)

    of_any_shape = ("time_constant", "gain", "target", "bias")

    def check(self) -> None:
        super().check()
        m, n = self.n_sites, self.n_seen
        if self.gain is None:
            self.gain = Param(np.zeros((m, n), default_dtype()), fit=True)
        square = [(), (m,)] if m == n else []
        for name, shapes in {"gain": [*square, (m, n)], "target": [(), (n,)], "bias": [(), (m,)]}.items():
            if (shape := u.math.shape(getattr(self, name).value())) not in shapes:
                rule = f"must have shape {' or '.join(map(str, shapes))}, of {m} sites and {n} values that are seen"
                raise argument_error(Argument(name, self._owner), rule, f"has shape {shape}")

    @property
    def seen_in(self) -> u.Unit | None:
        unit = u.get_unit(self.p.target)
        return None if unit.dim == u.DIMENSIONLESS else unit

    def act(self, seen: Numbers) -> Numbers:
        gain, missing = self.p.gain, u.get_mantissa(self.p.target) - seen
        return (gain @ missing if gain.ndim == 2 else gain * missing) + self.p.bias


class PolicyFeedback(Feedback):
    """Feedback by a function of what is seen, or by a module, such as layers of a network.

    It is given an array (seen,) and returns (sites,).

    Other Parameters
    ----------------
    policy : callable
    """

    policy: Any = option(default=None)

    def check(self) -> None:
        super().check()
        if not callable(self.policy):
            rule = "must be a function or a module that takes an array of what is seen"
            example = "policy=brainstate.nn.Linear(3, 1)"
            raise argument_error(
                Argument("policy", self._owner), rule, f"is {show(self.policy)}", example, kind=TypeError
            )

    def act(self, seen: Numbers) -> Numbers:
        return self.policy(seen)
