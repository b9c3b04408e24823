"""`Network`: node × connectome × coupling, a system that is stepped like a node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import brainstate
import brainunit as u
import numpy as np
from brainstate.nn import Param

from brainmass.dynamics.base import NeuralMassDynamics, time_step
from brainmass.dynamics.declaration import bind_inputs
from brainmass.dynamics.delays import DelayLine, delay_steps
from brainmass.dynamics.fields import default_dtype, show, suggestion
from brainmass.network.connectome import Connectome
from brainmass.network.coupling import EdgeWeights, as_weights, coupling_by_name, weighted_sum
from brainmass.noise import Noise

__all__ = ["Network"]


class Network(brainstate.nn.Module):
    """Regions that follow one node model, coupled through a connectome.

    Coupling without delay is a matrix product, evaluated at every stage of the integration method; delayed coupling
    reads the history, interpolated in time between the steps.

    Parameters
    ----------
    node : NeuralMassDynamics
        Model of the regions, with `in_size` equal to their number.
    conn : Connectome, array (N, N) or Param
        Weights; `conn[i, j]` is onto i from j. The diagonal is ignored unless `self_connection`.
    distance : Quantity (N, N), optional
        Lengths of the connections; default those of the Connectome. Plain numbers are millimetres.
    speed : Quantity, optional
        Conduction speed. Without it there are no delays. A plain number is in mm/ms (m/s).
    coupling : str or Coupling class, default 'diffusive'
        `'diffusive'` or `'additive'`.
    coupled_var : str
        What is sent: a state of the node, or one of its `sources`.
    k : number, quantity or Param
        Global coupling strength.
    delay_init : callable, optional
        Initialiser of what was sent before the start; default: the initial state, for ever.
    self_connection : bool
        Whether a region receives from itself.
    noise : Noise, optional
        Added to the coupling input.
    port : str, optional
        Input port that receives; default the node's coupling port.
    """

    _prepared: Any = None

    def __init__(
        self,
        node: NeuralMassDynamics,
        *,
        conn: Any,
        distance: Any = None,
        speed: Any = None,
        coupling: Any = "diffusive",
        coupled_var: str,
        k: Any = 1.0,
        delay_init: Callable | None = None,
        self_connection: bool = False,
        noise: Noise | None = None,
        port: str | None = None,
    ):
        super().__init__()
        self.node = _check_node(node, coupled_var, port)
        self.coupled_var, self.port = coupled_var, port or node.coupling_port
        weights = _check_weights(conn, node.varshape[0])
        self.connectome = _as_connectome(conn, weights, distance, speed)
        self.coupling = coupling_by_name(coupling)(conn=weights, k=k)
        self.self_connection = self_connection
        self.delay_init = delay_init
        self.noise = _check_noise(noise, node)
        self._delays = None if speed is None else self.connectome.delays(_as_speed(speed))
        self.delays: DelayLine | None = None
        self._steps_dt: float | None = None
        self._all_delayed = False

    # --- states -----------------------------------------------------------------------------------------------------
    def set_time_step(self, dt: Any) -> None:
        """Turn the delays into steps of `dt`."""
        if self._delays is None:
            return
        step = float(dt.to_decimal(u.ms))
        if self._steps_dt != step:
            steps = np.where(self._pairs(), delay_steps(self._delays, dt), 0)
            self._steps_dt, self._all_delayed = step, bool((steps[self._edges()] > 0).all())
            self.delays = DelayLine(steps) if steps.any() else None
        if self.delays is not None and not self.delays.is_filled and self._has_states():
            self._fill_history()

    def _pairs(self) -> np.ndarray:
        """Which pairs of regions may be connected."""
        n = self.node.varshape[0]
        return np.ones((n, n), bool) if self.self_connection else ~np.eye(n, dtype=bool)

    def _edges(self) -> np.ndarray:
        """Where a connection is, or may come to be."""
        conn = self.coupling.conn
        if conn.fit and not isinstance(conn, EdgeWeights):
            return self._pairs()
        return self._pairs() & (self.connectome.weights != 0)

    def _has_states(self) -> bool:
        return all(isinstance(vars(self.node).get(s), brainstate.State) for s in self.node._states)

    def init_state(self, batch_size: Any = None, *, rng: Any = None, **kwargs: Any) -> None:
        """Fill the history of delayed connections from the initial state of the node."""
        if self._delays is None:
            return
        self.set_time_step(time_step("Network"))
        if self.delays is None:
            return
        if not self._has_states():
            self.node.init_state(batch_size, rng=rng)
        self._fill_history()

    def _fill_history(self) -> None:
        sent = self._sent(self.node.state_values())
        if self.delay_init is not None:
            given = self.delay_init(u.math.shape(sent))
            sent = self.coupling.pre(given * u.get_unit(sent) if u.get_unit(given).dim == u.DIMENSIONLESS else given)
        self.delays.start(sent, self.prepared["delayed"])  # type: ignore[union-attr]

    def reset_state(self, *args: Any, **kwargs: Any) -> None:
        """Back to the initial values, with the batch as it was."""
        self.node.reset_state()
        if self.noise is not None:
            self.noise.reset_state()
        self.init_state()

    def state_values(self) -> dict[str, Any]:
        """The present values of the node's states, by name."""
        return self.node.state_values()

    # --- coupling ---------------------------------------------------------------------------------------------------
    def prepare(self) -> dict[str, Any]:
        """What follows from the weights alone; a run computes it once."""
        weights = self.coupling.conn.value()
        if not self.self_connection:
            weights = weights * (1 - np.eye(self.node.varshape[0], dtype=default_dtype()))
        tables = {"now": weights, "strength": u.math.sum(weights, axis=1)}
        if self.delays is not None:
            delayed = self.delays.steps.value > 0
            tables["delayed"] = weights * delayed
            tables["now"] = weights * ~delayed
        return tables

    @property
    def prepared(self) -> dict[str, Any]:
        return self.prepare() if self._prepared is None else self._prepared

    def _sent(self, values: dict[str, Any]) -> Any:
        return self.coupling.pre(self.node.source(self.coupled_var, values))

    def _field(self, advance: bool) -> Callable[[dict, Any], dict]:
        """The coupling input as a function of the state at a stage and of the fraction of the step that has passed."""
        tables = self.prepared
        start = end = None
        if self.delays is not None and advance:
            start, end = self.delays.advance(self._sent(self.node.state_values()), tables["delayed"])
        elif self.delays is not None:
            start = end = self.delays.arriving.value

        def field(values: dict[str, Any], fraction: Any) -> dict[str, Any]:
            target = self.node.source(self.coupled_var, values)
            total = None if self._all_delayed else weighted_sum(tables["now"], self.coupling.pre(target))
            if start is not None:
                arrived = start + fraction * (end - start)
                total = arrived if total is None else total + arrived
            return {self.port: self.coupling.post(total, target, tables["strength"])}

        return field

    def coupling_input(self) -> Any:
        """What the network sends into the coupling port at the present state, shape (batch..., N)."""
        return self._field(advance=False)(self.node.state_values(), 0.0)[self.port]

    def activity(self) -> Any:
        """The present activity that a forward model takes by default."""
        return self.node.activity()

    # --- motion -----------------------------------------------------------------------------------------------------
    def derivative(self, state: tuple, t: Any, *inputs: Any) -> tuple:
        """Rates of change of the node's states under the coupling of this very state."""
        node = self.node
        given = dict(zip(node._ports, inputs, strict=False))
        held = {port: given.get(port, u.maybe_decimal(0.0 * unit)) for port, unit in node._port_units.items()}
        extra = self._field(advance=False)(dict(zip(node._states, state, strict=True)), 0.0)
        return node.derivative(state, t, *(x + node._read(p, extra[p]) if p in extra else x for p, x in held.items()))

    def update(self, *node_inputs: Any, **inputs: Any) -> Any:
        """Advance one time step; takes the inputs of the node and returns what the node returns."""
        given = bind_inputs(self.node, node_inputs, inputs)
        if self.noise is not None:
            sample = self.node._read(self.port, self.noise())
            given[self.port] = (
                sample if given.get(self.port) is None else self.node._read(self.port, given[self.port]) + sample
            )
        return self.node._advance(given, self._field(advance=True))

    def __repr__(self) -> str:
        delays = "" if self._delays is None else f", delays up to {np.max(self._delays.to_decimal(u.ms)):.3g} ms"
        name = type(self.coupling).__name__
        path = f"{name} of {self.coupled_var} into {self.port}"
        return f"Network({self.node!r} × {self.connectome.n_regions} regions, {path}{delays})"


# --- checks -------------------------------------------------------------------------------------------------------
def _check_node(node: Any, coupled_var: Any, port: Any) -> NeuralMassDynamics:
    if not isinstance(node, NeuralMassDynamics):
        raise TypeError(f"Argument `node` of Network must be a NeuralMassDynamics model, but is {show(node)}.")
    if len(node.varshape) != 1:
        raise ValueError(
            f"Argument `node` of Network must have one axis, the regions, but has in_size={node.varshape}."
        )
    known = (*node._states, *node.sources)
    if coupled_var not in known:
        raise ValueError(
            f"Argument `coupled_var` of Network must be a state of {type(node).__name__} ({', '.join(known)}), "
            f"but is {coupled_var!r}.{suggestion(str(coupled_var), known)}"
        )
    if port is not None and port not in node._ports:
        raise ValueError(
            f"Argument `port` of Network must be an input of {type(node).__name__} ({', '.join(node._ports)}), "
            f"but is {port!r}.{suggestion(str(port), node._ports)}"
        )
    return node


def _check_weights(conn: Any, n: int) -> Param:
    weights = as_weights("Network", conn)
    shape = u.math.shape(weights.value())
    if shape != (n, n):
        raise ValueError(
            f"Argument `conn` of Network must be square with one row per region of the node, ({n}, {n}), "
            f"but has shape {shape}."
        )
    return weights


def _as_connectome(conn: Any, weights: Param, distance: Any, speed: Any) -> Connectome:
    values = np.asarray(u.get_mantissa(weights.value()))
    lengths = conn.lengths if isinstance(conn, Connectome) else None
    if distance is not None:
        if speed is None:
            raise ValueError(
                "Argument `distance` of Network needs the conduction speed as well. Example: speed=10 * u.mm / u.ms."
            )
        lengths = distance if u.get_unit(distance).dim != u.DIMENSIONLESS else np.asarray(distance) * u.mm
    if speed is not None and lengths is None:
        raise ValueError(
            "Argument `speed` of Network needs lengths: give `distance`, or a Connectome that has lengths."
        )
    labels = conn.labels if isinstance(conn, Connectome) else None
    return Connectome(weights=values, lengths=lengths, labels=labels)


def _as_speed(speed: Any) -> Any:
    return speed if u.get_unit(speed).dim != u.DIMENSIONLESS else speed * (u.mm / u.ms)


def _check_noise(noise: Any, node: NeuralMassDynamics) -> Noise | None:
    if noise is None:
        return None
    if not isinstance(noise, Noise):
        raise TypeError(f"Argument `noise` of Network must be a brainmass.Noise or None, but is {show(noise)}.")
    if noise.varshape != node.varshape:
        raise ValueError(
            f"Argument `noise` of Network must have in_size={node.varshape}, as the node, but has {noise.varshape}."
        )
    return noise
