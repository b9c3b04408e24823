"""How long what is sent is under way: lengths and speed, or delays, and the room for the past that they need."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from brainstate.nn import Param

from brainmass._common.checks import is_traced
from brainmass._common.messages import Argument, argument_error
from brainmass._common.typing import Numbers
from brainmass.delays.lines import InterpolatedLine, Line, NoDelay, delay_line
from brainmass.dynamics.declared import WithRows
from brainmass.dynamics.fields import Domain, Par, nonnegative, param
from brainmass.network.arranged import Arranged, check_known, kept_if_equal, stored
from brainmass.network.conduction import as_delay, as_lengths, as_speed, distance_beside_delay
from brainmass.network.coupling import Coupling
from brainmass.network.edge_weights import EdgeWeights
from brainmass.network.words import odd_delays

__all__ = ["Underway"]

_NO_DELAY = NoDelay()
# The past is an array, whose length a compiled run cannot change.
_ROOM = {False: 1, True: 2}  # how many times longer than at first delays may become, if they are trained


class Underway(WithRows):
    """The delays of a projection: by the lengths of its connections and a conduction speed, or given as times."""

    if TYPE_CHECKING:  # what a projection has
        coupling: Coupling
        delays: Any
        interpolate: Any
        self_connection: Any
        _exists: np.ndarray
        _allowed: Any
        _all_delayed: tuple[bool, ...]
        _may_come: bool
        _distance: np.ndarray | None
        _arranged: Arranged

    # an infinite speed is one without delays
    speed: Par = param(
        default=None, doc="conduction speed", domain=Domain("> 0", lambda x: x > 0, (0.0, -1.0)), unit=u.mm / u.ms
    )
    delay: Par = param(default=None, doc="conduction delay", domain=nonnegative, unit=u.ms)

    _steps_dt: float | None = None

    def _pairs(self) -> np.ndarray:
        """Which connections there may be."""
        raise NotImplementedError

    def _admitted(self, key: str, value: Any) -> Any:
        if key in ("speed", "delay") and value is not None:
            other = {"speed": "delay", "delay": "speed"}[key]
            if vars(self).get(other) is not None:
                raise argument_error(
                    Argument(key, "Network"),
                    f"must not come beside `{other}`, which says how long the connections take as well",
                    hint=f"Set `{other}` to None first.",
                )
            value = as_delay(value) if key == "delay" else self._as_speed(value)
        return super()._admitted(key, value)

    def _as_speed(self, speed: Numbers) -> Numbers:
        if self._lengths is None:
            raise argument_error(
                Argument("speed", "Network"), "needs lengths: give `distance`, or a Connectome that has lengths"
            )
        return as_speed(speed)

    # --- what is known of the delays ----------------------------------------------------------------------------------
    @property
    def is_delayed(self) -> bool:
        """Whether there are delays at all."""
        return self._pace is not None

    @property
    def _pace(self) -> Param | None:
        """The parameter that the delays follow."""
        return self.speed if self.delay is None else self.delay

    @property
    def distance(self) -> Numbers:
        """The lengths of the connections, in the layout of the weights; None: there are none."""
        return None if self._lengths is None else u.Quantity(self._lengths, unit=u.mm)

    @distance.setter
    def distance(self, distance: Any) -> None:
        if self.delay is not None:
            raise distance_beside_delay()
        self._distance = as_lengths(distance, True, self._nonzero().shape, self)

    @property
    def _lengths(self) -> np.ndarray | None:
        return self.coupling._lengths if self._distance is None else self._distance

    @property
    def _keeps_fractions(self) -> bool:
        """Whether delays are kept as they are, and not rounded to whole steps."""
        # Rounded delays have no slope: what is trained keeps its fractions, unless it is told not to.
        pace = self._pace
        return bool(pace is not None and pace.fit) if self.interpolate is None else bool(self.interpolate)

    def _delays(self) -> Numbers:
        """Conduction delays in ms, one per connection, in the layout of the weights."""
        if self.delay is not None:
            return u.math.broadcast_to(u.Quantity(self.delay.value()).to_decimal(u.ms), self._exists.shape)
        # A constant of numpy would keep in one trace the precision that another gave it.
        return jnp.asarray(self._lengths) / self.speed.value().to_decimal(u.mm / u.ms)  # type: ignore[union-attr]

    def _in_steps(self) -> Numbers:
        steps = u.math.asarray(self._delays() / self._steps_dt)
        return steps if self._keeps_fractions else jnp.rint(steps)

    def _nonzero(self) -> np.ndarray:
        """Which weights are there; of traced ones it is not known, and all may be."""
        weights = u.get_mantissa(self.coupling.conn.value())
        return np.ones(weights.shape, bool) if is_traced(weights) else np.asarray(weights) != 0

    def _edges(self) -> np.ndarray:
        """Where a connection is, or may come to be."""
        conn = self.coupling.conn
        # A weight that is trained may leave zero and become a connection; the gains of EdgeWeights keep a zero for
        # ever.
        if conn.fit and not isinstance(conn, EdgeWeights):
            return self._allowed
        return self._allowed & self._exists

    def check_given(self, name: str, value: Any) -> None:
        """Refuse a speed or delays given to a run where these are fixed, or longer than the past that is kept."""
        if name not in ("speed", "delay"):
            return
        if not self._keeps_fractions:
            raise ValueError(
                f"Values of `{name}` have no effect, as delays of whole steps are fixed when the network is made: "
                "write Network(..., interpolate=True)."
            )
        pace = getattr(self, name)
        # Within a trace there are no numbers to compare.
        if is_traced(value) or is_traced(pace.value()):
            return
        unit, room = self._params[name].units[0], _ROOM[pace.fit]
        present, given = np.asarray(pace.value().to_decimal(unit)), np.asarray(value.to_decimal(unit))
        slowest, longest = present.min() / room, present.max() * room
        if (given < slowest * (1 - 1e-6)).any() if name == "speed" else (given > longest * (1 + 1e-6)).any():
            least = f"at least {slowest:g} mm/ms" if name == "speed" else f"at most {longest:g} ms"
            with_its = "lowest speed" if name == "speed" else "longest delays"
            raise ValueError(
                f"Values of `{name}` must be {least}, as the network keeps no longer past: make it with its "
                f"{with_its}, and interpolate=True."
            )

    def warn_of_odd_delays(self, dt: float, duration: float) -> None:
        """Warn where no delay is felt in a run of these ms, as when lengths are in another unit than thought."""
        if self._pace is None or is_traced(self._pace.value()):
            return
        there = self._edges()
        with jax.ensure_compile_time_eval():
            delays = np.asarray(self._delays())
        lengths = self._lengths if self.delay is None else None
        # Regions at no distance from one another are not meant to be delayed.
        felt = there & ((delays if lengths is None else lengths) > 0)
        odd = odd_delays(delays[felt], None if lengths is None else lengths[there], dt, duration, self._keeps_fractions)
        if odd:
            warnings.warn(odd, stacklevel=4)

    # --- the room for the past ----------------------------------------------------------------------------------------
    def _arrange(self, step: float) -> None:
        """Fit the room for the past to weights and delays, where what these follow from is another than it was."""
        conn, pace = stored(self.coupling.conn), stored(self._pace)
        rest = (self.delay is None, step, self._keeps_fractions, self.self_connection, self._lengths)
        self._arranged.wanted = step
        self._may_come = is_traced(conn)  # as in a fit of weights: connections that are not there now
        self._check_underway()
        # The first time the room for the past has to follow from numbers.
        if self._steps_dt is None:
            check_known("speed" if self.delay is None else "delay", pace)
        # In a trace the room stays what it is, as its length is a part of the program.
        elif is_traced((conn, pace)) or self._arranged.is_from(conn, pace, rest):
            return
        if self._arranged.conn is not conn:
            self._exists = kept_if_equal(self._exists, self._nonzero())
        self._allowed = kept_if_equal(self._allowed, self._pairs())
        self._arranged.note(conn, pace, rest)
        steps = None
        if self._pace is not None:
            if self.delay is None and (self._lengths is None or self._lengths.shape != self._exists.shape):
                raise ValueError(
                    f"The lengths of a delayed connection must have the shape of the weights, {self._exists.shape}: "
                    "set `distance` as well, or `conn` to a Connectome or Edges with lengths."
                )
            with jax.ensure_compile_time_eval():  # what is given are numbers, also within a trace
                # Of pairs that never connect, such as the diagonal, a delay would only make the past longer.
                steps = np.where(self._allowed, np.asarray(self._delays(), np.float64) / step, 0.0)
        self._steps_dt = step
        self._make_line(steps)

    @property
    def _works_out_each(self) -> bool:
        """Whether what arrives is worked out for each connection."""
        return self.coupling.pairwise

    def _check_underway(self) -> None:
        """Refuse what does not go together with what is under way."""

    def _arrange_as_original(self, step: float) -> None:
        """In a copy within a trace: as the original would be arranged, whose weights and delays are numbers there.

        The original stays as it is until `bring_up_to_date`, as a program that is being made knows it so.
        """
        original = self._arranged.original
        if original is None:
            if self.is_delayed and self._steps_dt != step:
                raise ValueError(
                    f"A copy of a Network has no past in steps of {step:g} ms, and what it was copied from is no more: "
                    "keep that, or run it once before."
                )
            return
        self._arranged.wanted = step
        if self._steps_dt == step and original._is_arranged(step):
            return
        own = object.__new__(type(original))  # shares its parts, and makes a line of its own
        vars(own).update(vars(original), _arranged=Arranged(own), _steps_dt=None)
        own._arrange(step)
        self._exists, self._allowed, self._all_delayed = own._exists, own._allowed, own._all_delayed
        self._steps_dt, vars(self)["delays"] = step, own.delays

    def _is_arranged(self, step: float) -> bool:
        """Whether the room for the past is that of the present weights and delays, in steps of so many ms."""
        conn, pace = stored(self.coupling.conn), stored(self._pace)
        rest = (self.delay is None, step, self._keeps_fractions, self.self_connection, self._lengths)
        return (self._steps_dt == step and is_traced((conn, pace))) or self._arranged.is_from(conn, pace, rest)

    def bring_up_to_date(self) -> None:
        """Before a fit: arrange the past for what the weights and delays are by now, in the steps of the last run."""
        step = self._arranged.wanted or self._steps_dt
        if step is not None:
            self._arrange(step)

    def _make_line(self, steps: np.ndarray | None) -> None:
        """A new past of these delays, in steps, unless the one there is serves."""
        known, sources = self._arranged, self.coupling.sources
        before = known.steps if known.sources is sources else None
        known.steps, known.sources = steps, sources
        if steps is not None and not self._keeps_fractions:
            steps = known.steps = np.rint(steps).astype(np.int32)
            self._all_delayed = tuple(bool((steps[which] > 0).all()) for which in (self._edges(), self._allowed))
        if before is not None and steps is not None and before.dtype == steps.dtype:
            # The same line, with what is in it, so that a second run finds its program again.
            if np.array_equal(before, steps):
                return
            if self._line.serves(self._room(steps)):
                return
        vars(self)["delays"] = None if steps is None else self._new_line(steps)

    def _room(self, steps: np.ndarray) -> int:
        room = _ROOM[self._pace.fit] if self._keeps_fractions else 1  # type: ignore[union-attr]
        # reaching back `depth - 1` steps; a delay between two steps reads the later of them as well
        return int(np.ceil(room * steps.max())) + 2

    @property
    def _line(self) -> Line:
        return _NO_DELAY if self.delays is None else self.delays

    def _new_line(self, steps: np.ndarray) -> Line | None:
        where = self.coupling.sources
        with jax.ensure_compile_time_eval():  # numbers, also within a trace, which the original outlives
            if self._keeps_fractions:
                return InterpolatedLine(self._room(steps), where)
            # All round to no step: this is a network without delays.
            if not steps.any():
                return None
            return InterpolatedLine(self._room(steps), where) if self._works_out_each else delay_line(steps, where)
