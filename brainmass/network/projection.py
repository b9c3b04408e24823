"""`Projection`: one set of connections, from the regions of a population to an input port of another or of the same."""

from __future__ import annotations

import functools
import operator
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from brainstate.nn import Param

from brainmass._common.checks import is_traced
from brainmass._common.display import page, table
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.precision import default_dtype
from brainmass._common.times import time_step
from brainmass._common.typing import ArrayLike, Speed
from brainmass.connectome.edges import Edges
from brainmass.connectome.given import Connections, as_connections
from brainmass.delays.lines import InterpolatedLine, Line, NoDelay, delay_line
from brainmass.dynamics.declared import WithRows
from brainmass.dynamics.fields import Domain, Par, param
from brainmass.dynamics.module import ClosedModule, ShowsConstructor, fixed
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.network.arranged import Arranged, check_known, kept_if_equal, stored
from brainmass.network.conduction import as_lengths, as_speed
from brainmass.network.coupling import Coupling, as_weights
from brainmass.network.edge_weights import EdgeWeights
from brainmass.network.ends import Ends
from brainmass.network.kernels import make_coupling
from brainmass.network.words import described, in_a_line, odd_delays

__all__ = ["Projection"]

# As an object of its own it tells whether a strength was given, which beside a kernel that has one is refused.
_DEFAULT_STRENGTH = float("1")

Values = Mapping[str, Any]

_NO_DELAY = NoDelay()
_ROOM = {False: 1, True: 2}  # how much slower than at first a speed may become, if it is trained


class Projection(ShowsConstructor, WithRows):
    """Connections from the regions of a population to an input port of another population, or of the same.

    All of it can be set afterwards, and holds from the next run on: `projection.k = 0.2`,
    `projection.coupling.slope = 2.0`, `projection.conn = weights`, which have the size of those in whose place they
    come.

    Other Parameters
    ----------------
    conn : Connectome, Edges, array (N_target, N_source) or Param
        Weights; `conn[i, j]` is onto i from j.
    coupled_var : str
        What is sent: a state of the source, or one of its `sources`.
    source, target : str, optional
        Names of the populations; needless in a network that has one.
    distance : Quantity (N_target, N_source), optional
        Lengths of the connections; default those of the Connectome. Plain numbers are millimetres.
    coupling, k, port, speed, interpolate, delay_init, self_connection
        As of `Network`.
    """

    # an infinite speed is one without delays
    speed: Par = param(
        default=None, doc="conduction speed", domain=Domain("> 0", lambda x: x > 0, (0.0, -1.0)), unit=u.mm / u.ms
    )

    _prepared: Any = None
    _steps_dt: float | None = None
    _elsewhere = (
        fixed("source", "target", instead="it is fixed when the projection is made, so make a new one")
        | fixed("coupling", instead="a kernel is chosen when the projection is made; its parameters can be set, as in "
                                    "projection.coupling.k = 0.1")
        | fixed("delays", instead="delays follow from the lengths and the speed: set `distance` or `speed`")
        | fixed("labels", instead="they come with the weights: set `conn` to a Connectome")
        | fixed("weights", instead="the weights are `conn`")
    )  # fmt: skip

    def __init__(
        self,
        conn: Connections,
        *,
        coupled_var: str,
        coupling: str | Coupling | type[Coupling] = "diffusive",
        k: ArrayLike | Param = _DEFAULT_STRENGTH,
        source: str | None = None,
        target: str | None = None,
        port: str | None = None,
        distance: ArrayLike | None = None,
        speed: Speed | None = None,
        interpolate: bool | None = None,
        delay_init: Callable | None = None,
        self_connection: bool = False,
    ):
        ClosedModule.__init__(self)
        conn = as_connections("Network", conn)
        if not isinstance(conn, Edges):
            as_weights("Network", conn)
        self.coupling = make_coupling(coupling, conn, k, k is not _DEFAULT_STRENGTH)
        try:
            self._exists = self._nonzero()
            self._distance = None if distance is None else as_lengths(distance, speed, self._exists.shape, conn)
            self._set_rows({"speed": speed})
        except BaseException:
            self._let_go(coupling)
            raise
        self.labels = getattr(conn, "labels", None)
        self.source, self.target = source, target
        self._coupled_var, self._port = coupled_var, "" if port is None else port
        self.interpolate, self.self_connection, self.delay_init = interpolate, self_connection, delay_init
        self.delays: Any = None  # the line, as a part; None: there are no delays
        self._ends: Ends | None = None
        self._allowed: Any = True
        # Whether all connections are delayed, of those that are there and of all that may come: then the product
        # without delay is left out. Where a run gives other weights, the second counts.
        self._all_delayed, self._may_come = (False, False), False
        self._arranged = Arranged()

    def _let_go(self, given: Any) -> None:
        """Where the rest cannot be made: a kernel that was given is free for another attempt."""
        if self.coupling is given:
            given.release()

    def _refuse_name(self, key: str, value: Any) -> None:
        if key != "delays" or not isinstance(value, Line):
            super()._refuse_name(key, value)

    def _close(self) -> None:
        super()._close()
        self._arranged = Arranged()  # a copy arranges its own delays

    @property
    def _owner(self) -> str:
        return "Network"

    def shape_of(self, key: str, value: Any) -> tuple[int, ...] | None:
        return self._exists.shape

    def _admitted(self, key: str, value: Any) -> Any:
        if key == "speed" and value is not None:
            if self._lengths is None:
                raise argument_error(
                    Argument("speed", "Network"), "needs lengths: give `distance`, or a Connectome that has lengths"
                )
            value = as_speed(value)
        elif key in ("self_connection", "interpolate") and not (isinstance(value, bool | np.bool_) or value is None):
            raise argument_error(Argument(key, "Network"), "must be True or False", f"is {show(value)}", kind=TypeError)
        elif key == "delay_init" and not (value is None or callable(value)):
            raise argument_error(
                Argument("delay_init", "Network"),
                "must be a callable that takes a shape",
                f"is {show(value)}",
                f"delay_init=braintools.init.Constant({show(value)}).",
                kind=TypeError,
            )
        return super()._admitted(key, value)

    # --- what is connected, and how -----------------------------------------------------------------------------------
    def attach(self, owner: str, source: NeuralMassDynamics, target: NeuralMassDynamics) -> None:
        """Check that the nodes fit, and take the default port."""
        ends = Ends.of(owner, source, target)
        ends.check_sent(self._coupled_var, self.coupling)
        port = target.coupling_port if isinstance(self._port, str) and not self._port else self._port
        ends.check_port(port)
        ends.check_sizes(self.coupling)
        self._ends, self._port = ends, port
        self._allowed = self._pairs()  # now, while there are numbers: in a run the layout is an argument

    @property
    def _within(self) -> bool:
        return self._ends is not None and self._ends.same

    @property
    def coupled_var(self) -> str:
        """What is sent."""
        return self._coupled_var

    @coupled_var.setter
    def coupled_var(self, name: str) -> None:
        if self._ends is None:
            raise AttributeError("`coupled_var` of a Projection can be set once it is part of a network.")
        self._ends.check_sent(name, self.coupling)
        self._coupled_var = name

    @property
    def port(self) -> str:
        """The input port that receives."""
        return self._port

    @port.setter
    def port(self, name: str) -> None:
        if self._ends is None:
            raise AttributeError("`port` of a Projection can be set once it is part of a network.")
        self._ends.check_port(name)
        self._port = name

    @property
    def k(self) -> Any:
        """The global strength, a parameter of the kernel."""
        return self.coupling.k

    @k.setter
    def k(self, k: Any) -> None:
        self.coupling.k = k

    @property
    def conn(self) -> Any:
        """The weights, a parameter of the kernel."""
        return self.coupling.conn

    @conn.setter
    def conn(self, conn: Any) -> None:
        self.coupling.conn = conn
        vars(self)["labels"] = getattr(conn, "labels", self.labels)

    @property
    def distance(self) -> Any:
        """The lengths of the connections, in the layout of the weights; None: there are none."""
        return None if self._lengths is None else u.Quantity(self._lengths, unit=u.mm)

    @distance.setter
    def distance(self, distance: Any) -> None:
        self._distance = as_lengths(distance, True, self._nonzero().shape, self)

    @property
    def _lengths(self) -> np.ndarray | None:
        return self.coupling._lengths if self._distance is None else self._distance

    @property
    def _keeps_fractions(self) -> bool:
        """Whether delays are kept as they are, and not rounded to whole steps."""
        return bool(self.speed is not None and self.speed.fit) if self.interpolate is None else bool(self.interpolate)

    # --- delays -----------------------------------------------------------------------------------------------------
    def _delays(self) -> Any:
        """Conduction delays in ms, one per connection, in the layout of the weights."""
        return self._lengths / self.speed.value().to_decimal(u.mm / u.ms)  # type: ignore[union-attr]

    def check_given(self, name: str, value: Any) -> None:
        """Refuse a speed given to a run where delays are fixed, or longer than the past that is kept."""
        if name != "speed":
            return
        if not self._keeps_fractions:
            raise ValueError(
                f"Values of `{name}` have no effect, as delays of whole steps are fixed when the network is made: "
                "write Network(..., interpolate=True)."
            )
        if is_traced(value) or is_traced(self.speed.value()):  # type: ignore[union-attr]
            return
        present = np.min(self.speed.value().to_decimal(u.mm / u.ms))  # type: ignore[union-attr]
        slowest = present / _ROOM[self.speed.fit]  # type: ignore[union-attr]
        if (np.asarray(value.to_decimal(u.mm / u.ms)) < slowest * (1 - 1e-6)).any():
            raise ValueError(
                f"Values of `{name}` must be at least {slowest:g} mm/ms, as the network keeps no longer past: make it "
                "with its lowest speed, and interpolate=True."
            )

    def set_time_step(self, dt: Any, source: NeuralMassDynamics) -> None:
        """Make room for the past, in steps of `dt`."""
        if self._ends is None:
            raise RuntimeError(
                "This Projection was not given to its network when that was made: "
                "write Network(..., projections=[...])."
            )
        if self._checked:  # not in the copies of a run, where it is arranged
            self._arrange(float(dt.to_decimal(u.ms)))
        if self.delays is not None and not self.delays.is_filled and _has_states(source):
            self._fill_history(source)

    def _arrange(self, step: float) -> None:
        """Fit the room for the past to weights, lengths and speed, where one of them is another than it was."""
        conn, speed = stored(self.coupling.conn), stored(self.speed)
        rest = (step, self._keeps_fractions, self.self_connection, self._lengths)
        self._may_come = is_traced(conn)  # as in a fit of weights: connections that are not there now
        if self._steps_dt is None:
            check_known(speed)
        elif is_traced((conn, speed)) or self._arranged.is_from(conn, speed, rest):
            return
        if self._arranged.conn is not conn:
            self._exists = kept_if_equal(self._exists, self._nonzero())
        self._allowed = kept_if_equal(self._allowed, self._pairs())
        self._arranged.note(conn, speed, rest)
        steps = None
        if self.speed is not None:
            if self._lengths is None or self._lengths.shape != self._exists.shape:
                raise ValueError(
                    f"The lengths of a delayed connection must have the shape of the weights, {self._exists.shape}: "
                    "set `distance` as well, or `conn` to a Connectome or Edges with lengths."
                )
            with jax.ensure_compile_time_eval():  # of given lengths and speed delays are numbers, also within a trace
                steps = np.where(self._allowed, np.asarray(self._delays(), np.float64) / step, 0.0)
        self._steps_dt = step
        self._make_line(steps)

    def _make_line(self, steps: np.ndarray | None) -> None:
        """A new past of these delays, in steps, unless the one there is serves."""
        known, sources = self._arranged, self.coupling.sources
        before = known.steps if known.sources is sources else None
        known.steps, known.sources = steps, sources
        if steps is not None and not self._keeps_fractions:
            steps = known.steps = np.rint(steps).astype(np.int32)
            self._all_delayed = tuple(bool((steps[which] > 0).all()) for which in (self._edges(), self._allowed))
        if before is not None and steps is not None and before.dtype == steps.dtype:
            if np.array_equal(before, steps):
                return
            if self._line.serves(self._room(steps)):
                return
        vars(self)["delays"] = None if steps is None else self._new_line(steps)

    def _room(self, steps: np.ndarray) -> int:
        room = _ROOM[self.speed.fit] if self._keeps_fractions else 1  # type: ignore[union-attr]
        # reaching back `depth - 1` steps; a delay between two steps reads the later of them as well
        return int(np.ceil(room * steps.max())) + 2

    def warn_of_odd_delays(self, dt: float, duration: float) -> None:
        """Warn where no delay is felt in a run of these ms, as when lengths are in another unit than thought."""
        if self.speed is None or is_traced(self.speed.value()):
            return
        there = self._edges() & (self._lengths > 0)  # type: ignore[operator]
        with jax.ensure_compile_time_eval():
            delays = np.asarray(self._delays())[there]
        odd = odd_delays(delays, self._lengths[self._edges()], dt, duration, self._keeps_fractions)  # type: ignore[index]
        if odd:
            warnings.warn(odd, stacklevel=4)

    @property
    def _line(self) -> Line:
        return _NO_DELAY if self.delays is None else self.delays

    def _new_line(self, steps: np.ndarray) -> Line | None:
        where = self.coupling.sources
        if self._keeps_fractions:
            return InterpolatedLine(self._room(steps), where)
        if not steps.any():
            return None
        return InterpolatedLine(self._room(steps), where) if self.coupling.pairwise else delay_line(steps, where)

    def _nonzero(self) -> np.ndarray:
        """Which weights are there; of traced ones it is not known, and all may be."""
        weights = u.get_mantissa(self.coupling.conn.value())
        return np.ones(weights.shape, bool) if is_traced(weights) else np.asarray(weights) != 0

    def _pairs(self) -> np.ndarray:
        """Which connections there may be."""
        n_out, n_in, places = self.coupling.n_out, self.coupling.n_in, self.coupling.places
        filled = np.ones(u.math.shape(self.coupling.conn.value()), bool) if places is None else places
        if self.self_connection or not self._within:
            return filled
        sources = np.arange(n_in)[None, :] if self.coupling.sources is None else self.coupling.sources
        targets = np.arange(n_out) if self.coupling.targets is None else np.asarray(self.coupling.targets)
        return filled & (sources != targets[:, None])

    def _edges(self) -> np.ndarray:
        """Where a connection is, or may come to be."""
        conn = self.coupling.conn
        # A weight that is trained may leave zero and become a connection; the gains of EdgeWeights keep a zero for
        # ever.
        if conn.fit and not isinstance(conn, EdgeWeights):
            return self._allowed
        return self._allowed & self._exists

    def fill(self, source: NeuralMassDynamics, batch_size: Any, rng: Any) -> None:
        """Fill the history from the initial state of the source."""
        if self.speed is None:
            return
        self.set_time_step(time_step("Network"), source)
        if self.delays is None:
            return
        if not _has_states(source):
            source.init_state(batch_size, rng=rng)
        self._fill_history(source)

    def _fill_history(self, source: NeuralMassDynamics) -> None:
        x = source.source(self.coupled_var, source.state_values())
        sent = self._leaving(x)
        if self.delay_init is not None:
            given = self.delay_init(u.math.shape(x))
            sent = self._leaving(given * u.get_unit(x) if u.get_unit(given).dim == u.DIMENSIONLESS else given)
        self._line.start(sent, self.prepared["delayed"])

    def resume(self) -> None:
        """Before a run that goes on: what is under way follows from the past and from the weights as they are now."""
        self._line.renew(self.prepared["delayed"])

    # --- coupling ---------------------------------------------------------------------------------------------------
    def note_given(self, params: Collection[Param]) -> None:
        """That a run, or a fit, gives other values to these: connections may come, unless gains keep zeros."""
        conn = self.coupling.conn
        are_gains = isinstance(conn, EdgeWeights) and conn.precompute is not None
        self._may_come = self._may_come or (not are_gains and any(param is conn for param in params))

    def prepare(self) -> dict[str, Any]:
        """What follows from the weights alone; a run computes it once."""
        weights = self._weights()
        delayed, now = self._line.parted(weights, self._in_steps)
        tables = {"strength": self.coupling.strength(weights), "delayed": delayed}
        if self.coupling.pairwise:
            return tables | {"each": weights}
        # where every connection is delayed, the product without delay would be one with zeros
        if now is None or (delayed is not None and self._all_delayed[self._may_come]):
            return tables
        return tables | {"now": self.coupling.layout(now)}

    def _in_steps(self) -> Any:
        steps = u.math.asarray(self._delays() / self._steps_dt)
        return steps if self._keeps_fractions else jnp.rint(steps)

    def _weights(self) -> Any:
        weights = self.coupling.conn.value()
        if not np.all(self._allowed):
            # Times zero and not cut out: weights keep their layout, and those on the diagonal get no gradient.
            weights = weights * self._allowed.astype(default_dtype())
        return weights

    @property
    def prepared(self) -> dict[str, Any]:
        """What `prepare` gave, from the run if it was called there."""
        return self.prepare() if self._prepared is None else self._prepared

    def _sent(self, node: NeuralMassDynamics, values: Values) -> Any:
        return self._leaving(node.source(self.coupled_var, values))

    def _leaving(self, x: Any) -> Any:
        """What is sent, and kept under way: of a kernel that looks at both ends the activity itself."""
        return x if self.coupling.pairwise else self.coupling.pre(x)

    def field(
        self, source: NeuralMassDynamics, target: NeuralMassDynamics, advance: bool
    ) -> Callable[[Values, Values, Any], Any]:
        """What arrives, from the states of source and target at a stage and the fraction of the step that has passed.

        With `advance` the source sends now, at the start of a step; else nothing changes.
        """
        tables, coupling = self.prepared, self.coupling
        send = (lambda: self._sent(source, source.state_values())) if advance else None
        # Once for the step, before its stages: the line moves on by one, and each stage reads between its two ends.
        arriving = self._line.arrivals(send, tables["delayed"])
        knows_itself = self._knows_itself(target)

        def field(sending: Values, receiving: Values, fraction: Any) -> Any:
            here = target.source(self.coupled_var, receiving) if knows_itself else None
            if coupling.pairwise:
                each = self._at_connections(self._sent(source, sending), fraction, tables["delayed"])
                total = coupling.sum_of_pairs(tables["each"], each, here)
            else:
                sent = self._sent(source, sending)
                parts = [] if arriving is None else [coupling.by_target(arriving(sent, fraction))]
                parts += [coupling.sum(tables["now"], sent)] if "now" in tables else []
                total = functools.reduce(operator.add, parts)
            return coupling.post(total, here, tables["strength"])

        return field

    def _at_connections(self, sent: Any, fraction: Any, table: Any) -> Any:
        """The activity of the source of each connection, at the time at which it left: shape (..., rows, width)."""
        now = self.coupling.by_connection(sent)
        where = np.arange(now.shape[-1])[None, :] if self.coupling.sources is None else self.coupling.sources
        return self._line.of_each(now, fraction, table, where)

    def at_rest(self, ends: tuple[Any, Any], sending: Values, receiving: Values, arriving: Any = None) -> Any:
        """What arrives if both ends have long been so, or if what is `arriving`, (..., rows, width), left before."""
        source, target = ends
        weights, coupling, sent = self._weights(), self.coupling, self._sent(source, sending)
        here = target.source(self.coupled_var, receiving) if self._knows_itself(target) else None
        if coupling.pairwise:
            total = coupling.sum_of_pairs(weights, coupling.by_connection(sent) if arriving is None else arriving, here)
        elif arriving is None:
            total = coupling.sum(coupling.layout(weights), sent)
        else:
            total = coupling.by_target(u.math.sum(weights * arriving, axis=-1))
        return coupling.post(total, here, coupling.strength(weights))

    def _knows_itself(self, target: NeuralMassDynamics) -> bool:
        return self.coupled_var in target._states or self.coupled_var in target.sources

    def described(self) -> dict[str, str]:
        """What is sent, through which coupling, into which port; strength, connections and delays, in words."""
        there, delays = self._exists & self._allowed, None
        if self.speed is not None:
            delays = "traced" if is_traced(self.speed.value()) else np.asarray(self._delays())[there]
        return described(self.coupling, self.coupled_var, self.port, int(there.sum()), delays)

    def _repr_html_(self) -> str:
        words = self.described()
        return page("Projection", "", table(tuple(words), [tuple(words.values())]))

    def __repr__(self) -> str:
        return in_a_line(self.described(), self.source, self.target)


def _has_states(node: NeuralMassDynamics) -> bool:
    return all(isinstance(vars(node).get(s), brainstate.State) for s in node._states)
