"""`Projection`: one set of connections, from the regions of a population to an input port of another or of the same."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

import brainstate
import brainunit as u
import numpy as np
from brainstate.nn import Param

from brainmass._common.checks import is_traced
from brainmass._common.display import page, table
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.precision import default_dtype
from brainmass._common.times import milliseconds, time_step
from brainmass._common.typing import ArrayLike, Numbers, Speed
from brainmass.connectome.edges import Edges
from brainmass.connectome.given import Connections, as_connections
from brainmass.delays.lines import Line
from brainmass.dynamics.module import ClosedModule, ShowsConstructor, fixed
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.network.arranged import Arranged
from brainmass.network.conduction import as_lengths, delay_of_edges, distance_beside_delay
from brainmass.network.coupling import Coupling, as_weights
from brainmass.network.edge_weights import EdgeWeights
from brainmass.network.ends import Ends
from brainmass.network.kernels import make_coupling
from brainmass.network.plasticity import Plasticity, as_plasticity
from brainmass.network.synapses import Synapse, as_synapse
from brainmass.network.underway import Underway
from brainmass.network.words import described, in_a_line

__all__ = ["Projection"]

# As an object of its own it tells whether a strength was given, which beside a kernel that has one is refused.
_DEFAULT_STRENGTH = float("1")

Values = Mapping[str, Numbers]
_NONE: Values = MappingProxyType({})


class Projection(ShowsConstructor, Underway):
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
    coupling, k, port, speed, delay, synapse, plasticity, interpolate, delay_init, self_connection
        As of `Network`.
    """

    _prepared: Any = None
    _elsewhere = (
        fixed("source", "target", instead="it is fixed when the projection is made, so make a new one")
        | fixed("coupling", instead="a kernel is chosen when the projection is made; its parameters can be set, as in "
                                    "projection.coupling.k = 0.1")
        | fixed("synapse", instead="a synapse is chosen when the projection is made; its parameters can be set, as in "
                                   "projection.synapse.tau = 5 * u.ms")
        | fixed("plasticity", instead="a rule is chosen when the projection is made; its parameters can be set, as in "
                                      "projection.plasticity.tau = 5 * u.second")
        | fixed("delays", instead="they are the past that a run keeps: set `delay`, or `distance` and `speed`")
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
        delay: ArrayLike | Param | None = None,
        synapse: str | Synapse | type[Synapse] | None = None,
        plasticity: str | Plasticity | type[Plasticity] | None = None,
    ):
        ClosedModule.__init__(self)
        conn = as_connections("Network", conn)
        # For its errors, before a kernel is made.
        if not isinstance(conn, Edges):
            as_weights("Network", conn)
        self.coupling = make_coupling(coupling, conn, k, k is not _DEFAULT_STRENGTH)
        try:
            self.synapse, self.plasticity = as_synapse(synapse), as_plasticity(plasticity)
            self._exists = self._nonzero()
            if distance is not None and delay is not None:
                raise distance_beside_delay()
            self._distance = None if distance is None else as_lengths(distance, speed, self._exists.shape, conn)
            delay = delay_of_edges(delay, conn) if isinstance(conn, Edges) else delay
            self._set_rows({"speed": speed, "delay": delay})
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
        self._arranged = Arranged(self)

    def _let_go(self, given: Any) -> None:
        """Where the rest cannot be made: a kernel that was given is free for another attempt."""
        if self.coupling is given:
            given.release()

    def _refuse_name(self, key: str, value: Any) -> None:
        if key != "delays" or not isinstance(value, Line):
            super()._refuse_name(key, value)

    def _close(self) -> None:
        super()._close()
        self._arranged = Arranged(self)  # a copy arranges its own delays

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._arranged.belong_to(self)

    @property
    def _owner(self) -> str:
        return "Network"

    def shape_of(self, key: str, value: Any) -> tuple[int, ...] | None:
        return self._exists.shape

    def _admitted(self, key: str, value: Any) -> Any:
        if key in ("self_connection", "interpolate") and not (isinstance(value, bool | np.bool_) or value is None):
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
        # An empty name is one that was not given.
        port = target.coupling_port if isinstance(self._port, str) and not self._port else self._port
        ends.check_port(port)
        ends.check_sizes(self.coupling)
        if self.synapse is not None:
            self.synapse.attach(target.varshape[0])
        if self.plasticity is not None:
            weights = u.math.shape(self.coupling.conn.value())
            self.plasticity.attach(source.varshape[0], target.varshape[0], weights)
        self._ends, self._port = ends, port
        self._check_underway()
        self._allowed = self._pairs()  # now, while there are numbers: in a run the layout is an argument

    def _check_underway(self) -> None:
        # Of what can be set: what is sent, and whether there are delays.
        if self.plasticity is not None and self._ends is not None:
            self._ends.check_plasticity(self.plasticity, self._coupled_var, self.coupling, self.is_delayed)

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

    # --- delays -----------------------------------------------------------------------------------------------------
    def set_time_step(self, dt: Numbers, source: NeuralMassDynamics) -> None:
        """Make room for the past, in steps of `dt`."""
        if self._ends is None:
            raise RuntimeError(
                "This Projection was not given to its network when that was made: "
                "write Network(..., projections=[...])."
            )
        step = milliseconds("dt", dt)
        if self._checked:
            self._arrange(step)
        else:  # a copy, handed to a function that is traced, as a fit does
            self._arrange_as_original(step)
        self._fill_if_missing(source)

    def _fill_if_missing(self, source: NeuralMassDynamics) -> None:
        # A node without states has no past yet: `fill` sees to it once they are there.
        if self.delays is not None and not self.delays.is_filled and _has_states(source) and self._knows_factor:
            self._fill_history(source)

    @property
    def _knows_factor(self) -> bool:
        return self.plasticity is None or self.plasticity.has_states

    def _pairs(self) -> np.ndarray:
        """Which connections there may be."""
        n_out, n_in, places = self.coupling.n_out, self.coupling.n_in, self.coupling.places
        filled = np.ones(u.math.shape(self.coupling.conn.value()), bool) if places is None else places
        if self.self_connection or not self._within:
            return filled
        # Both in the layout of the weights, (rows, width): a region's own number, and that of each of its sources.
        sources = np.arange(n_in)[None, :] if self.coupling.sources is None else self.coupling.sources
        targets = np.arange(n_out) if self.coupling.targets is None else np.asarray(self.coupling.targets)
        return filled & (sources != targets[:, None])

    def fill(self, source: NeuralMassDynamics, batch_size: Any, rng: Any) -> None:
        """Fill the history from the initial state of the source."""
        if not self.is_delayed:
            return
        dt = time_step("Network")
        if self._checked or self._steps_dt != float(dt.to_decimal(u.ms)):  # not in the copies of a run: it is arranged
            self.set_time_step(dt, source)
        if self.delays is None:
            return
        if not _has_states(source):
            source.init_state(batch_size, rng=rng)
        if self.plasticity is not None and not self.plasticity.has_states:
            self.plasticity.init_state(batch_size, rng=rng)
        self._fill_history(source)

    def _fill_history(self, source: NeuralMassDynamics) -> None:
        x = source.source(self.coupled_var, source.state_values())
        if self.delay_init is not None:
            # It is the state that was so, in its unit; what was sent is a function of it.
            given = self.delay_init(u.math.shape(x))
            x = given * u.get_unit(x) if u.get_unit(given).dim == u.DIMENSIONLESS else given
        self._line.start(self._scaled(x, self._slow_now), self.prepared["delayed"])

    def resume(self) -> None:
        """Before a run that goes on: what is under way follows from the past and from the weights as they are now."""
        self._line.renew(self.prepared["delayed"])

    # --- coupling ---------------------------------------------------------------------------------------------------
    def note_given(self, params: Collection[Param]) -> None:
        """That a run, or a fit, gives other values to these: connections may come, unless gains keep zeros."""
        conn = self.coupling.conn
        # Gains multiply the weights that are there, and a zero stays one.
        are_gains = isinstance(conn, EdgeWeights) and conn.precompute is not None
        self._may_come = self._may_come or (not are_gains and any(param is conn for param in params))

    def check_moving(self, param: object) -> None:
        """Refuse to let the weights of delayed connections move, where what they bring is worked out ahead."""
        if param is self.coupling.conn and self.is_delayed and not self._keeps_fractions:
            raise argument_error(
                Argument("parameters", "run", entry="conn", text="Parameter `conn`"),
                "cannot move where delays are whole steps",
                "is given a course",
                hint="Make it with Network(..., interpolate=True).",
            )

    def prepare(self) -> dict[str, Numbers]:
        """What follows from the weights alone; a run computes it once."""
        weights = self._weights()
        # The tables of what takes a step or more, and of what arrives at once; either may be missing.
        delayed, now = self._line.parted(weights, self._in_steps)
        tables = {"strength": self.coupling.strength(weights), "delayed": delayed}
        if self._works_out_each:
            return tables | {"each": weights}
        # where every connection is delayed, the product without delay would be one with zeros
        if now is None or (delayed is not None and self._all_delayed[self._may_come]):
            return tables
        return tables | {"now": self.coupling.layout(now)}

    def _weights(self) -> Numbers:
        weights = self.coupling.conn.value()
        if not np.all(self._allowed):
            # Times zero and not cut out: weights keep their layout, and those on the diagonal get no gradient.
            weights = weights * self._allowed.astype(default_dtype())
        return weights

    @property
    def prepared(self) -> dict[str, Numbers]:
        """What `prepare` gave, from the run if it was called there."""
        return self.prepare() if self._prepared is None else self._prepared

    def _sent(self, node: NeuralMassDynamics, values: Values, slow: Values = _NONE) -> Numbers:
        """What is sent at these states of the source, and of the plasticity."""
        return self._scaled(node.source(self.coupled_var, values), slow)

    def _scaled(self, x: Numbers, slow: Values) -> Numbers:
        sent = self._leaving(x)
        if self.plasticity is None or not self.plasticity.of_sources:
            return sent
        return sent * self.plasticity.factor_of(slow, {"pre": self._seen_before(x, sent)})

    def _leaving(self, x: Numbers) -> Numbers:
        """What is sent, and kept under way: of a kernel that looks at both ends the activity itself."""
        return x if self.coupling.pairwise else self.coupling.pre(x)

    def _seen_before(self, x: Numbers, sent: Numbers) -> Numbers:
        """What plasticity sees of a source: what is sent, or the activity itself where several numbers are."""
        return sent if u.math.ndim(sent) == u.math.ndim(x) else x

    @property
    def _slow_now(self) -> Values:
        """The present states of the plasticity."""
        return _NONE if self.plasticity is None else self.plasticity.state_values()

    @property
    def _works_out_each(self) -> bool:
        rule = self.plasticity
        return super()._works_out_each or (rule is not None and not rule.of_sources)

    def field(
        self, source: NeuralMassDynamics, target: NeuralMassDynamics, advance: bool
    ) -> Callable[[Values, Values, Numbers, Values], tuple[Numbers, Values]]:
        """What arrives, from the states of source and target at a stage, the fraction of the step that has passed and
        the states of the plasticity; and what the plasticity sees.

        With `advance` the source sends now, at the start of a step; else nothing changes.
        """
        coupling = self.coupling
        send = (lambda: self._sent(source, source.state_values(), self._slow_now)) if advance else None
        # Once for the step, before its stages: the line moves on by one, and each stage reads between its two ends.
        arriving = self._line.arrivals(send, self.prepared["delayed"])

        def field(sending: Values, receiving: Values, fraction: Numbers, slow: Values) -> tuple[Numbers, Values]:
            tables = self.prepared  # that of the run, or, where weights move, that of the stage
            here = self._here(target, receiving)
            sent = self._sent(source, sending, slow)
            if self._works_out_each:
                each = self._at_connections(sent, fraction, tables["delayed"])
                seen = self._seen(source, target, sending, receiving, tables["each"], each)
                return self._of_each(tables["each"], each, here, slow, seen), seen
            parts = [] if arriving is None else [coupling.by_target(arriving(sent, fraction, tables["delayed"]))]
            parts += [coupling.sum(tables["now"], sent)] if "now" in tables else []
            total = functools.reduce(operator.add, parts)
            return coupling.post(total, here, tables["strength"]), self._seen(source, target, sending, receiving)

        return field

    def _here(self, target: NeuralMassDynamics, receiving: Values) -> Numbers:
        return target.source(self.coupled_var, receiving) if self._knows_itself(target) else None

    def _of_each(self, weights: Numbers, each: Numbers, here: Numbers, slow: Values, seen: Values) -> Numbers:
        """What enters the targets where each connection is worked out, from what arrives over each."""
        coupling = self.coupling
        if self.plasticity is not None and not self.plasticity.of_sources:
            weights = weights * self.plasticity.factor_of(slow, seen)
        total = (
            coupling.sum_of_pairs(weights, each, here)
            if coupling.pairwise
            else coupling.by_target(u.math.sum(weights * each, axis=-1))
        )
        return coupling.post(total, here, coupling.strength(weights))

    def _seen(
        self,
        source: NeuralMassDynamics,
        target: NeuralMassDynamics,
        sending: Values,
        receiving: Values,
        weights: Numbers = None,
        each: Numbers = None,
    ) -> Values:
        """What the plasticity sees, by name."""
        rule = self.plasticity
        if rule is None:
            return _NONE
        x = source.source(self.coupled_var, sending)
        if rule.of_sources:
            return {"pre": self._seen_before(x, self._leaving(x)), "post": None, "conn": None, "rows": None}
        if u.math.ndim(each) > u.math.ndim(x) + 1:  # of several numbers that are sent; there are no delays then
            each = self.coupling.by_connection(x)
        post = target.source(rule.post or self.coupled_var, receiving) if rule.looks_at("post") else None
        return {"pre": each, "post": post, "conn": weights, "rows": self.coupling.targets}

    def _at_connections(self, sent: Numbers, fraction: Numbers, table: Numbers) -> Numbers:
        """The activity of the source of each connection, at the time at which it left: shape (..., rows, width)."""
        now = self.coupling.by_connection(sent)
        where = np.arange(now.shape[-1])[None, :] if self.coupling.sources is None else self.coupling.sources
        return self._line.of_each(now, fraction, table, where)

    def at_rest(
        self,
        ends: tuple[Numbers, Numbers],
        sending: Values,
        receiving: Values,
        slow: Values = _NONE,
        arriving: Numbers = None,
    ) -> tuple[Numbers, Values]:
        """What arrives if both ends have long been so, or if what is `arriving`, (..., rows, width), left before; and
        what the plasticity sees.
        """
        source, target = ends
        weights, coupling, sent = self._weights(), self.coupling, self._sent(source, sending, slow)
        # At rest a delay changes nothing: what left is what is there now.
        here = self._here(target, receiving)
        if self._works_out_each or arriving is not None:
            each = coupling.by_connection(sent) if arriving is None else arriving
            seen = self._seen(source, target, sending, receiving, weights, each)
            return self._of_each(weights, each, here, slow, seen), seen
        entering = coupling.post(coupling.sum(coupling.layout(weights), sent), here, coupling.strength(weights))
        return entering, self._seen(source, target, sending, receiving)

    def _knows_itself(self, target: NeuralMassDynamics) -> bool:
        return self.coupled_var in target._states or self.coupled_var in target.sources

    def described(self) -> dict[str, str]:
        """What is sent, through which coupling, into which port; strength, connections and delays, in words."""
        there, delays = self._exists & self._allowed, None
        if (pace := self._pace) is not None:
            delays = "traced" if is_traced(pace.value()) else np.asarray(self._delays())[there]
        words = described(self.coupling, self.coupled_var, self.port, int(there.sum()), delays)
        more = [repr(part) for part in (self.synapse, self.plasticity) if part is not None]
        return words | {"through": " and ".join([words["through"], *more])}

    def _repr_html_(self) -> str:
        words = self.described()
        return page("Projection", "", table(tuple(words), [tuple(words.values())]))

    def __repr__(self) -> str:
        return in_a_line(self.described(), self.source, self.target)


def _has_states(node: NeuralMassDynamics) -> bool:
    return all(isinstance(vars(node).get(s), brainstate.State) for s in node._states)
