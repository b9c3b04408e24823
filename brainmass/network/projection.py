"""`Projection`: one set of connections, from the regions of a population to an input port of another or of the same."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import brainstate
import brainunit as u
import numpy as np
from brainstate.nn import Param

from brainmass._common.foreign import plain
from brainmass.display import parameter_words
from brainmass.dynamics.base import NeuralMassDynamics, time_step
from brainmass.dynamics.delays import BlockedLine, DelayLine, InterpolatedLine, delay_line
from brainmass.dynamics.fields import Domain, ParamSpec, as_param, default_dtype, is_traced, show, suggestion
from brainmass.dynamics.module import Module
from brainmass.network.coupling import Coupling, EdgeWeights, as_weights, coupling_by_name
from brainmass.network.edges import Edges
from brainmass.network.given import as_connections

__all__ = ["Projection"]

Values = Mapping[str, Any]


class Projection(Module):
    """Connections from the regions of a population to an input port of another population, or of the same.

    Parameters
    ----------
    conn : Connectome, array (N_target, N_source) or Param
        Weights; `conn[i, j]` is onto i from j.
    coupled_var : str
        What is sent: a state of the source, or one of its `sources`.
    coupling : str or Coupling class, default 'additive'
        `'diffusive'`, `'additive'`, or another name or class of `brainmass.network.coupling`.
    k : number, quantity or Param
        Global strength.
    source, target : str, optional
        Names of the populations; needless in a network that has one.
    port : str, optional
        Input port that receives; default the target's coupling port.
    distance : Quantity (N_target, N_source), optional
        Lengths of the connections; default those of the Connectome. Plain numbers are millimetres.
    speed : Quantity or Param, optional
        Conduction speed, one for all or (N_target, N_source). Without it there are no delays. A plain number is in
        mm/ms (m/s). It can be trained: `Param(10.0 * u.mm / u.ms, fit=True)`.
    interpolate : bool, optional
        Whether delays are kept as they are and the past is interpolated linearly between the steps, or rounded to
        whole steps, which is faster. Default: where the speed is trainable.
    delay_init : callable, optional
        Initialiser of what was sent before the start; default: the initial state, for ever.
    self_connection : bool
        Whether a region receives from itself, where a population projects onto itself.
    """

    _prepared: Any = None

    def __init__(
        self,
        conn: Any,
        *,
        coupled_var: str,
        coupling: Any = "additive",
        k: Any = 1.0,
        source: str | None = None,
        target: str | None = None,
        port: str | None = None,
        distance: Any = None,
        speed: Any = None,
        interpolate: bool | None = None,
        delay_init: Callable | None = None,
        self_connection: bool = False,
    ):
        super().__init__()
        conn = as_connections("Network", conn)
        weights = conn if isinstance(conn, Edges) else as_weights("Network", conn)
        self.coupling = coupling_by_name(coupling)(conn=weights, k=k)
        weights = u.get_mantissa(self.coupling.conn.value())
        self._exists = np.asarray(weights) != 0
        self._lengths = _lengths(conn, distance, speed, self.coupling)
        self.speed = None if speed is None else as_param("Network", SPEED, _as_speed(speed), self._exists.shape)
        self.interpolate = bool(self.speed is not None and self.speed.fit) if interpolate is None else interpolate
        self.labels = getattr(conn, "labels", None)
        self.coupled_var, self.port = coupled_var, port or ""
        self.source, self.target = source, target
        self.self_connection, self.delay_init = self_connection, delay_init
        self.delays: DelayLine | BlockedLine | InterpolatedLine | None = None
        self._steps_dt: float | None = None
        self._all_delayed = False

    def attach(self, owner: str, source: NeuralMassDynamics, target: NeuralMassDynamics) -> None:
        """Check that the nodes fit, and take the default port."""
        known = (*source._states, *source.sources)
        if self.coupled_var not in known:
            raise ValueError(
                f"Argument `coupled_var` of {owner} must be a state of {type(source).__name__} ({', '.join(known)}), "
                f"but is {self.coupled_var!r}.{suggestion(str(self.coupled_var), known)}"
            )
        self.port = self.port or target.coupling_port
        if self.port not in target._ports:
            raise ValueError(
                f"Argument `port` of {owner} must be an input of {type(target).__name__} ({', '.join(target._ports)}), "
                f"but is {self.port!r}.{suggestion(str(self.port), target._ports)}"
            )
        shape = (self.coupling.n_out, self.coupling.n_in)
        wanted = (target.varshape[0], source.varshape[0])
        if shape != wanted:
            whose = "one row per region of the node" if source is target else "a row per target, a column per source"
            raise ValueError(
                f"Argument `conn` of {owner} must be {'square with ' if source is target else ''}{whose}, "
                f"({wanted[0]}, {wanted[1]}), but has shape {shape}."
            )
        self._within = source is target
        self._allowed = self._pairs()  # now, while there are numbers: in a run the layout is an argument

    # --- delays -----------------------------------------------------------------------------------------------------
    def _delays(self) -> Any:
        """Conduction delays in ms, one per connection, in the layout of the weights."""
        return self._lengths / self.speed.value().to_decimal(u.mm / u.ms)  # type: ignore[union-attr]

    def check_given(self, name: str, value: Any) -> None:
        """Refuse a speed given to a run where delays are fixed, or longer than the past that is kept."""
        if name != "speed":
            return
        if not self.interpolate:
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
        if self.speed is None:
            return
        step = float(dt.to_decimal(u.ms))
        if self._steps_dt != step and not is_traced(self.speed.value()):
            self._steps_dt = step
            self.delays = self._line(np.where(self._allowed, np.asarray(self._delays(), np.float64) / step, 0.0))
        if self.delays is not None and not self.delays.is_filled and _has_states(source):
            self._fill_history(source)

    def warn_of_odd_delays(self, dt: float, duration: float) -> None:
        """Warn where no delay is felt in a run of these ms, as when lengths are in another unit than thought."""
        if self.speed is None or is_traced(self.speed.value()):
            return
        delays = np.asarray(self._delays())[self._edges() & (self._lengths > 0)]  # type: ignore[operator]
        if not delays.size or not delays.any():
            return
        lengths = self._lengths[self._edges()]  # type: ignore[index]
        spread = (
            f"(lengths of {lengths.min():g} to {lengths.max():g} mm, delays of {delays.min():g} to {delays.max():g} ms)"
        )
        if delays.max() < dt / 2 and not self.interpolate:
            warnings.warn(f"All delays are shorter than half a step of {dt:g} ms, and so zero {spread}.", stacklevel=4)
        elif delays.min() > duration:
            warnings.warn(f"All delays are longer than the run of {duration:g} ms {spread}.", stacklevel=4)

    def _line(self, steps: np.ndarray) -> DelayLine | BlockedLine | InterpolatedLine | None:
        where = self.coupling.sources
        if self.interpolate:
            room = _ROOM[self.speed.fit]  # type: ignore[union-attr]
            return InterpolatedLine(int(np.ceil(room * steps.max())) + 2, where)
        whole = np.rint(steps).astype(np.int32)
        self._all_delayed = bool((whole[self._edges()] > 0).all())
        return delay_line(whole, where) if whole.any() else None

    def _pairs(self) -> np.ndarray:
        """Which connections there may be."""
        n_out, n_in = self.coupling.n_out, self.coupling.n_in
        if self.self_connection or not self._within:
            return np.ones(self._exists.shape, bool)
        sources = np.arange(n_in)[None, :] if self.coupling.sources is None else self.coupling.sources
        targets = np.arange(n_out) if self.coupling.targets is None else np.asarray(self.coupling.targets)
        return sources != targets[:, None]

    def _edges(self) -> np.ndarray:
        """Where a connection is, or may come to be."""
        conn = self.coupling.conn
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
        sent = self._sent(source, source.state_values())
        if self.delay_init is not None:
            given = self.delay_init(u.math.shape(sent))
            sent = self.coupling.pre(given * u.get_unit(sent) if u.get_unit(given).dim == u.DIMENSIONLESS else given)
        if isinstance(self.delays, DelayLine | BlockedLine):
            self.delays.start(sent, self.prepared["delayed"])
        else:
            self.delays.fill(sent)  # type: ignore[union-attr]

    def resume(self) -> None:
        """Before a run that goes on: what is under way follows from the past and from the weights as they are now."""
        if isinstance(self.delays, BlockedLine):
            self.delays.renew(self.prepared["delayed"])

    # --- coupling ---------------------------------------------------------------------------------------------------
    def prepare(self) -> dict[str, Any]:
        """What follows from the weights alone; a run computes it once."""
        weights = self._weights()
        tables = {"strength": self.coupling.strength(weights)}
        if isinstance(self.delays, InterpolatedLine):
            return tables | {"interpolated": weights, "steps": u.math.asarray(self._delays() / self._steps_dt)}
        if isinstance(self.delays, DelayLine | BlockedLine):
            delayed = self.delays.steps.value > 0
            tables["delayed"] = self.delays.layout(weights * delayed)
            weights = weights * ~delayed
        return tables | {"now": self.coupling.layout(weights)}

    def _weights(self) -> Any:
        weights = self.coupling.conn.value()
        if self._within and not self.self_connection:
            weights = weights * self._allowed.astype(default_dtype())
        return weights

    @property
    def prepared(self) -> dict[str, Any]:
        """What `prepare` gave, from the run if it was called there."""
        return self.prepare() if self._prepared is None else self._prepared

    def _sent(self, node: NeuralMassDynamics, values: Values) -> Any:
        return self.coupling.pre(node.source(self.coupled_var, values))

    def field(
        self, source: NeuralMassDynamics, target: NeuralMassDynamics, advance: bool
    ) -> Callable[[Values, Values, Any], Any]:
        """What arrives, from the states of source and target at a stage and the fraction of the step that has passed.

        With `advance` the source sends now, at the start of a step; else nothing changes.
        """
        tables, line = self.prepared, self.delays
        start = end = None
        if isinstance(line, InterpolatedLine) and advance:
            line.push(self._sent(source, source.state_values()))
        elif isinstance(line, DelayLine | BlockedLine) and advance:
            start, end = line.advance(self._sent(source, source.state_values()), tables["delayed"])
        elif isinstance(line, DelayLine | BlockedLine):
            start = end = line.arriving.value

        def field(sending: Values, receiving: Values, fraction: Any) -> Any:
            if isinstance(line, InterpolatedLine):
                rows = line.arriving(tables["interpolated"], tables["steps"], self._sent(source, sending), fraction)
                total = self.coupling.by_target(rows)
            elif start is None:
                total = self.coupling.sum(tables["now"], self._sent(source, sending))
            else:
                total = self.coupling.by_target(start + fraction * (end - start))
                if not self._all_delayed:
                    total = total + self.coupling.sum(tables["now"], self._sent(source, sending))
            here = target.source(self.coupled_var, receiving) if self._knows_itself(target) else None
            return self.coupling.post(total, here, tables["strength"])

        return field

    def at_rest(
        self, source: NeuralMassDynamics, target: NeuralMassDynamics, sending: Values, receiving: Values
    ) -> Any:
        """What arrives when source and target have been in these states for longer than any delay."""
        weights = self._weights()
        total = self.coupling.sum(self.coupling.layout(weights), self._sent(source, sending))
        here = target.source(self.coupled_var, receiving) if self._knows_itself(target) else None
        return self.coupling.post(total, here, self.coupling.strength(weights))

    def _knows_itself(self, target: NeuralMassDynamics) -> bool:
        return self.coupled_var in target._states or self.coupled_var in target.sources

    def described(self) -> dict[str, str]:
        """What is sent, through which coupling, into which port; strength, connections and delays, in words."""
        strength, unit, trainable = parameter_words(self.coupling.k)
        allowed = getattr(self, "_allowed", True)
        n = int((self._exists & allowed).sum())
        return {
            "sends": self.coupled_var,
            "through": type(self.coupling).__name__,
            "into": self.port,
            "k": f"{strength} {unit}".rstrip(),
            "trainable": ", ".join(["k"] * bool(trainable) + ["weights"] * bool(self.coupling.conn.fit)),
            "connections": str(n),
            "delays": self._delays_in_words(allowed),
        }

    def _delays_in_words(self, allowed: Any) -> str:
        if self.speed is None:
            return ""
        if is_traced(self.speed.value()):
            return "traced"
        there = np.asarray(self._delays())[self._exists & allowed]
        ends = list(dict.fromkeys(f"{x:.3g}" for x in (there.min(initial=np.inf), there.max(initial=0.0))))
        return f"{' to '.join(ends)} ms" if there.size else "none"

    def __repr__(self) -> str:
        words = self.described()
        delays = f", delays {words['delays']}" if words["delays"] else ""
        trainable = f" (trainable: {words['trainable']})" if words["trainable"] else ""
        ends = "" if self.source is None else f"{self.source} to {self.target}: "
        what = f"{words['through']} of {words['sends']} into {words['into']}"
        return f"{ends}{what}, k={words['k']}{trainable}, {words['connections']} connections{delays}"


def _has_states(node: NeuralMassDynamics) -> bool:
    return all(isinstance(vars(node).get(s), brainstate.State) for s in node._states)


# --- checks -------------------------------------------------------------------------------------------------------
def _lengths(conn: Any, distance: Any, speed: Any, coupling: Coupling) -> np.ndarray | None:
    """Lengths in mm, in the layout of the weights, where there is a speed."""
    if distance is not None and speed is None:
        raise ValueError(
            "Argument `distance` of Network needs the conduction speed as well. Example: speed=10 * u.mm / u.ms."
        )
    if speed is None:
        return None
    lengths = coupling.lengths_of(conn) if distance is None else distance
    if lengths is None:
        raise ValueError(
            "Argument `speed` of Network needs lengths: give `distance`, or a Connectome that has lengths."
        )
    lengths = plain("Argument `distance` of Network", lengths, getattr(conn, "labels", None))
    lengths = lengths if u.get_unit(lengths).dim != u.DIMENSIONLESS else np.asarray(lengths) * u.mm
    if not u.get_unit(lengths).has_same_dim(u.mm):
        raise u.UnitMismatchError(
            f"Argument `distance` of Network must have unit of length, but is {show(lengths)}. "
            "Example: distance=D * u.mm."
        )
    values, shape = np.asarray(lengths.to_decimal(u.mm), np.float64), u.math.shape(coupling.conn.value())
    if values.shape != shape:
        raise ValueError(f"Argument `distance` of Network must have shape {shape}, as `conn`, but has {values.shape}.")
    if not (np.isfinite(values) & (values >= 0)).all():
        i, j = np.argwhere(~(np.isfinite(values) & (values >= 0)))[0]
        raise ValueError(
            f"Argument `distance` of Network must be finite and nonnegative, but is {values[i, j]:g} mm at [{i}, {j}]."
        )
    return values


_ROOM = {False: 1, True: 2}  # how much slower than at first a speed may become, if it is trained
_FAST = Domain("> 0", lambda x: x > 0)  # an infinite speed is one without delays
SPEED = ParamSpec(1.0 * u.mm / u.ms, "conduction speed", _FAST, (u.get_unit(u.mm / u.ms),), name="speed")


def _as_speed(speed: Any) -> Any:
    plain = not isinstance(speed, Param) and u.get_unit(speed).dim == u.DIMENSIONLESS
    return speed * (u.mm / u.ms) if plain else speed
