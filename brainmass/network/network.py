"""`Network`: populations of regions, and the projections between and within them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypedDict, Unpack

import brainunit as u
from brainstate.nn import Param

from brainmass._common.checks import instance, items
from brainmass._common.display import Html, folded, page, table
from brainmass._common.messages import Argument, argument_error, show, suggestion
from brainmass._common.places import refuse_two_places
from brainmass._common.typing import ArrayLike, Numbers, Pytree, Speed
from brainmass.connectome.given import Connections
from brainmass.dynamics.declaration import bind_inputs, read_input
from brainmass.dynamics.declared import near_name
from brainmass.dynamics.module import Module, fixed, show_constructor
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.noise import Noise
from brainmass.dynamics.step import advance
from brainmass.network.attached import Attached
from brainmass.network.coupling import Coupling
from brainmass.network.plasticity import Plasticity
from brainmass.network.projection import Projection
from brainmass.network.synapses import Synapse

__all__ = ["Network"]


def _of_own(name: str, doc: str) -> Any:
    """What is an attribute of the network's own projection, to be read and set."""
    return property(
        lambda network: getattr(network._own(), name),
        lambda network, value: setattr(network._own(), name, value),
        doc=doc,
    )


class OwnConnections(TypedDict, total=False):
    """What a `Network` hands on to the `Projection` of its own connections; the defaults stand there."""

    distance: ArrayLike | None
    speed: Speed | None
    coupling: str | Coupling | type[Coupling]
    k: ArrayLike | Param
    delay_init: Callable | None
    self_connection: bool
    port: str | None
    interpolate: bool | None
    delay: ArrayLike | Param | None
    synapse: str | Synapse | type[Synapse] | None
    plasticity: str | Plasticity | type[Plasticity] | None


class Network(Module):
    """Regions that follow one node model, or populations that follow several, coupled through connectomes.

    Coupling without delay is a matrix product, evaluated at every stage of the integration method; delayed coupling
    reads the history, interpolated in time between the steps.

    What was given can be set afterwards, and holds from the next run on: `network.k = 0.2`, `network.speed`,
    `network.conn`, `network.noise`; parameters of the kernel as in `network.coupling.slope = 2.0`; of further
    projections as in `network.projections[1].k = 0.1`.

    Parameters
    ----------
    node : NeuralMassDynamics, or mapping of str to NeuralMassDynamics
        Model of the regions, with `in_size` equal to their number; or one for each population, by name.
    conn : Connectome, Edges, array (N, N) or Param
        Weights; `conn[i, j]` is onto i from j. The diagonal is ignored unless `self_connection`.
    distance : Quantity (N, N), optional
        Lengths of the connections; default those of the Connectome. Plain numbers are millimetres.
    speed : Quantity or Param, optional
        Conduction speed. Without it there are no delays. A plain number is in mm/ms (m/s). It can be trained.
    delay : Quantity or Param, optional
        Conduction delays in place of lengths and speed: one, or one for each connection, as (N, N), or (E,) of `Edges`.
        A plain number is in ms. It can be trained.
    synapse : str, Synapse class or Synapse, optional
        Filter of what arrives: `'alpha'`, `'double_exponential'`, `'nmda'`, or one with time constants of its own,
        `brainmass.AlphaSynapse(tau=5 * u.ms)`. Default: none.
    plasticity : str, Plasticity class or Plasticity, optional
        Rule by which what is sent, or the weights, change with activity: `'tsodyks_markram'`, `'hebbian'`,
        `'inhibitory'`, `'bcm'`, `'stdp'`, or one with parameters of its own. Default: none.
    coupling : str, Coupling class or Coupling, default 'diffusive'
        `'diffusive'`, `'additive'`, or another name or class of `brainmass.network.kernels`; or a kernel with
        parameters of its own, `brainmass.SigmoidalCoupling(slope=2.0)`, made without weights.
    coupled_var : str
        What is sent: a state of the node, or one of its `sources`.
    k : number, quantity or Param
        Global coupling strength; of a kernel that is made it is its own.
    delay_init : callable, optional
        Initialiser of what was sent before the start; default: the initial state, for ever.
    self_connection : bool
        Whether a region receives from itself.
    noise : Noise, optional
        Added to the coupling input.
    port : str, optional
        Input port that receives; default the node's coupling port.
    interpolate : bool, optional
        Whether the past is interpolated between the steps; default: where speed or delay are trainable.
    projections : sequence of Projection
        Further connections, into other ports or between populations.

    Examples
    --------
    A thalamic population that drives a cortical one:

    >>> import brainmass, brainunit as u, numpy as np
    >>> nodes = {"cortex": brainmass.HopfStep(3), "thalamus": brainmass.HopfStep(1, a=0.1)}
    >>> down = brainmass.Projection(np.ones((3, 1)), coupled_var="x", source="thalamus", target="cortex", k=0.1)
    >>> network = brainmass.Network(nodes, projections=[down])
    >>> result = brainmass.Simulator(network, dt=0.1 * u.ms).run(5 * u.ms, monitors=["cortex.x", "thalamus.x"], seed=0)
    >>> result["cortex.x"].shape, result["thalamus.x"].shape
    ((50, 3), (50, 1))
    """

    def __init__(
        self,
        node: NeuralMassDynamics | Mapping[str, NeuralMassDynamics],
        *,
        conn: Connections = None,
        coupled_var: str | None = None,
        noise: Noise | None = None,
        projections: Sequence[Projection] = (),
        **own: Unpack[OwnConnections],
    ):
        super().__init__()
        _check_names(own)
        self._names = [*_check_nodes(node)]
        for name in self._names:
            setattr(self, name, node[name] if isinstance(node, Mapping) else node)
        projections = [
            instance("Each of the `projections` of Network", projection, Projection, "a brainmass.Projection")
            for projection in items(Argument("projections", "Network"), projections, "projections")
        ]
        if conn is not None or not projections:
            if isinstance(node, Mapping):
                raise argument_error(
                    Argument("conn", "Network"),
                    "belongs to one node; of several, name their `projections`",
                    kind=TypeError,
                )
            if coupled_var is None:
                raise TypeError(
                    f"Network needs the argument `coupled_var`, what is sent: one of {', '.join(node._states)}."
                )
            projections.insert(0, Projection(conn, coupled_var=coupled_var, **own))
        elif own or coupled_var is not None:
            name = next(iter(own), "coupled_var")
            raise argument_error(
                Argument(name, "Network", more=" belongs to its own connections, and without `conn` it"),
                "has none",
                example=f"Projection(weights, {name}=...).",
                kind=TypeError,
            )
        self._has_own = len(projections) == 1 or conn is not None
        if len(projections) == 1:
            self.coupling = projections[0].coupling  # and so the path of its parameters: `coupling.k`
        self.projections = projections
        try:
            for projection in projections:
                projection.attach("Network", *self._ends(projection))
            self.noise = _check_noise(noise, self)
            refuse_two_places("Network", self._places())
        except BaseException:
            # A kernel that was given is free again, so that a call that failed for another reason can be repeated
            # with it.
            coupling = own.get("coupling")
            if isinstance(coupling, Coupling) and coupling is projections[0].coupling:
                coupling.release()
            raise

    def _places(self) -> list[tuple[str, Any]]:
        """Where its processes stand."""
        nodes = self.populations
        places = [*nodes.items(), *((f"projections[{i}]", p) for i, p in enumerate(self.projections))]
        places += [(f"projections[{i}].coupling", p.coupling) for i, p in enumerate(self.projections)]
        places += [(path, part) for path, part in self.attached.items()]
        places += [(f"{name}.{noise}", getattr(node, noise)) for name, node in nodes.items() for noise in node._noises]
        return [*places, ("noise", self.noise)]

    @property
    def populations(self) -> dict[str, NeuralMassDynamics]:
        """The node models by population; of a network with one, its name is 'node'."""
        return {name: getattr(self, name) for name in self._names}

    # --- what can be set ------------------------------------------------------------------------------------------
    conn = _of_own("conn", "The weights.")
    k = _of_own("k", "The global coupling strength.")
    speed = _of_own("speed", "The conduction speed; None: there are no delays.")
    distance = _of_own("distance", "The lengths of the connections.")
    delay = _of_own("delay", "The conduction delays, where they are given as times; else None.")
    synapse = _of_own("synapse", "The filter of what arrives; None: there is none.")
    plasticity = _of_own("plasticity", "The rule by which connections change; None: they do not.")
    coupled_var = _of_own("coupled_var", "What is sent.")
    port = _of_own("port", "The port that the network's own projection enters.")
    interpolate = _of_own("interpolate", "Whether the past is interpolated between the steps.")
    delay_init = _of_own("delay_init", "Initialiser of what was sent before the start.")
    self_connection = _of_own("self_connection", "Whether a region receives from itself.")

    _elsewhere = (
        fixed("node", "projections", "populations", instead="a network is made of its parts, so make a new one")
        | fixed("coupling", instead="a kernel is chosen when the network is made; its parameters can be set, as in "
                                    "network.coupling.k = 0.1")
        | fixed("weights", "connectome", instead="the weights are `conn`")
        | fixed("delays", instead="set `delay`, or `distance` and `speed`")
        | fixed("dt", instead="the time step is that of Simulator(network, dt=...)")
        | fixed("method", instead="the method is that of its nodes: network.node.method")
        | fixed("labels", instead="they come with the weights: set `conn` to a Connectome")
    )  # fmt: skip

    def _own(self) -> Projection:
        """The projection that the network's own arguments describe: the first, or the only one."""
        if not self._has_own:
            raise AttributeError(
                f"This Network has {len(self.projections)} projections: name one, as in network.projections[0].k."
            )
        return self.projections[0]

    def __getattr__(self, key: str) -> Any:
        # Reached only when the attribute is missing, or is one of several projections.
        if "projections" in vars(self) and (key == "coupling" or isinstance(getattr(type(self), key, None), property)):
            return getattr(self._own(), key)
        raise AttributeError(f"Network has no attribute {key!r}.{near_name(type(self), key)}")

    def __setattr__(self, key: str, value: Any) -> None:
        if self._closed and key in self._names:
            raise AttributeError(f"`{key}` of Network cannot be set: {self._elsewhere['node']}.")
        super().__setattr__(key, _check_noise(value, self) if self._closed and key == "noise" else value)

    @property
    def labels(self) -> tuple[str, ...] | None:
        """Names of the regions, where the network has one population."""
        return self.projections[0].labels if len(self._names) == 1 else None

    def _ends(self, projection: Projection) -> tuple[NeuralMassDynamics, NeuralMassDynamics]:
        """Source and target of a projection."""
        ends = []
        for argument in "source", "target":
            name = getattr(projection, argument)
            if name is None and len(self._names) > 1:
                raise argument_error(
                    Argument(argument, "Projection"),
                    f"must name a population in a network of several: {', '.join(self._names)}",
                )
            if name is not None and name not in self._names:
                raise argument_error(
                    Argument(argument, "Projection"),
                    f"must be one of {', '.join(self._names)}",
                    f"is {name!r}",
                    hint=suggestion(str(name), self._names),
                )
            ends.append(getattr(self, name or self._names[0]))
        return ends[0], ends[1]

    @property
    def synapses(self) -> dict[str, Synapse]:
        """The synapse filters, by the path of their parameters."""
        return {path: part for path, part in self.attached.items() if isinstance(part, Synapse)}

    @property
    def attached(self) -> dict[str, Attached]:
        """What has states beside the nodes, synapses and plasticity, by the path of its parameters."""
        parts = {
            f"projections.{i}.{name}": getattr(projection, name)
            for i, projection in enumerate(self.projections)
            for name in ("synapse", "plasticity")
        }
        return {path: part for path, part in parts.items() if part is not None}

    # --- states -----------------------------------------------------------------------------------------------------
    def set_time_step(self, dt: Numbers) -> None:
        """Turn the delays into steps of `dt`."""
        for node in self.populations.values():
            node.set_time_step(dt)
        for projection in self.projections:
            projection.set_time_step(dt, self._ends(projection)[0])

    def warn_of_odd_delays(self, dt: float, duration: float) -> None:
        """Warn where no delay of a projection is felt in a run of these ms."""
        for projection in self.projections:
            projection.warn_of_odd_delays(dt, duration)

    def init_state(self, batch_size: Any = None, *, rng: Any = None, **kwargs: Any) -> None:
        """Fill the history of delayed connections from the initial states of the nodes."""
        for projection in self.projections:
            projection.fill(self._ends(projection)[0], batch_size, rng)

    def reset_state(self, *args: Any, **kwargs: Any) -> None:
        """Back to the initial values, with the batch as it was."""
        for node in self.populations.values():
            node.reset_state()
        for part in self.attached.values():
            part.reset_state()
        if self.noise is not None:
            self.noise.reset_state()
        self.init_state()

    def state_values(self) -> dict[str, Numbers]:
        """The present values of the nodes' states, by name; with several populations by `population.state`."""
        if len(self._names) == 1:
            return getattr(self, self._names[0]).state_values()
        return {f"{n}.{s}": value for n, node in self.populations.items() for s, value in node.state_values().items()}

    # --- coupling ---------------------------------------------------------------------------------------------------
    def _field(self, send: bool) -> Callable[[list[dict[str, Numbers]], Numbers], list[dict[str, Numbers]]]:
        """What the projections add to the ports of each node, from all states at a stage of the step."""
        fields = [p.field(*self._ends(p), send) for p in self.projections]
        return self._summed(fields)

    def _summed(
        self, fields: list[Callable]
    ) -> Callable[[list[dict[str, Numbers]], Numbers], list[dict[str, Numbers]]]:
        nodes, attached = [*self.populations.values()], [*self.attached.values()]
        ends = [[nodes.index(node) for node in self._ends(p)] for p in self.projections]

        def field(values: list[dict[str, Numbers]], fraction: Numbers) -> list[dict[str, Numbers]]:
            # What is attached comes after the nodes; at rest synapses are left out, as they pass a constant unchanged.
            added: list[dict[str, Numbers]] = [{} for _ in values]
            for projection, (source, target), within in zip(self.projections, ends, fields, strict=True):
                place = None if projection.plasticity is None else len(nodes) + attached.index(projection.plasticity)
                slow = {} if place is None else values[place]
                arrives, seen = within(values[source], values[target], fraction, slow)
                if place is not None:
                    added[place] = dict(seen)
                ports, port = added[target], projection.port
                # A synapse is a system of its own: what arrives is its input, and the port gets its state, filtered.
                if projection.synapse is not None and len(values) > len(nodes):
                    place, unit = len(nodes) + attached.index(projection.synapse), nodes[target]._port_units[port]
                    added[place]["arriving"] = u.Quantity(nodes[target]._read(port, arrives)).to_decimal(unit)
                    arrives = u.maybe_decimal(values[place]["filtered"] * unit)
                if port in ports:
                    # Two projections may bring the same in different units, mV and V: both are read in that of the
                    # port, then added.
                    arrives = nodes[target]._read(port, arrives) + nodes[target]._read(port, ports[port])
                ports[port] = arrives
            return added

        return field

    def coupling_input(self, port: str | None = None) -> Numbers:
        """What the network sends into an input port at the present state, shape (batch..., N); default the first's."""
        first = self.projections[0]
        nodes = self.populations
        target = self._names[0] if first.target is None else first.target
        if port is not None:
            target, _, port = port.rpartition(".")
            target = target or self._names[0]
        # Nothing is sent: to look at the input must not move the past on.
        # In the order that `_summed` counts on: the nodes, then what is attached.
        moving = [*nodes.values(), *self.attached.values()]
        added = self._field(send=False)([thing.state_values() for thing in moving], 0.0)
        return added[list(nodes).index(target)][port or first.port]

    def inputs_at_rest(
        self,
        values: list[dict[str, Numbers]],
        arriving: Mapping[int, Numbers] = MappingProxyType({}),
        factor: Numbers = 1.0,
    ) -> list[dict[str, Numbers]]:
        """What arrives at each input port of each population, when the states of all have long been these `values`; and
        what is attached, where they go on with the states of that.

        `arriving`: what the sources sent when it left, by number of the projection, of shape (..., rows, width), where
        that was something else. `factor`: of all that is sent.
        """

        def field(i: int, projection: Projection) -> Callable:
            ends = self._ends(projection)

            def within(sending: Numbers, receiving: Numbers, _: Numbers, slow: Numbers) -> tuple:
                arrives, seen = projection.at_rest(ends, sending, receiving, slow, arriving.get(i))
                return factor * arrives, seen

            return within

        return self._summed([field(i, p) for i, p in enumerate(self.projections)])(values, 0.0)

    def activity(self) -> Numbers:
        """The present activity that a forward model takes by default; that of several populations side by side."""
        each = [node.activity() for node in self.populations.values()]
        return each[0] if len(each) == 1 else u.math.concatenate(each, axis=-1)

    # --- motion -----------------------------------------------------------------------------------------------------
    def derivative(self, state: tuple, t: Numbers, *inputs: Numbers) -> tuple:
        """Rates of change of the node's states under the coupling of this very state."""
        if len(self._names) > 1:
            raise TypeError("Network.derivative is that of one population; of several, ask each node.")
        if self.attached:
            raise TypeError(
                "Network.derivative is that of a node's states alone, and here "
                f"{next(iter(self.attached.values())).argument} has states as well."
            )
        node = getattr(self, self._names[0])
        # By position, as of a node; those at the end may be left out.
        given = dict(zip(node._ports, inputs, strict=False))
        # Ports of which nothing is said are zero, as in a run.
        held = {port: given.get(port, u.maybe_decimal(0.0 * unit)) for port, unit in node._port_units.items()}
        extra = self._field(send=False)([dict(zip(node._states, state, strict=True))], 0.0)[0]
        return node.derivative(state, t, *(x + node._read(p, extra[p]) if p in extra else x for p, x in held.items()))

    def update(self, *node_inputs: Numbers, **inputs: Numbers) -> Pytree:
        """Advance one time step; takes the inputs of the node and returns what the node returns.

        With several populations inputs are named `population.port`, and what the nodes return comes by population.
        """
        nodes = self.populations
        if len(nodes) == 1:
            given = [bind_inputs(next(iter(nodes.values())), node_inputs, inputs)]
        elif node_inputs:
            raise TypeError("Network.update takes the inputs of several populations by name: `population.port`.")
        else:
            given = [{} for _ in nodes]
            for name, value in inputs.items():
                population, node, port = self.find_input(name)
                port, value = read_input(node, port, value)
                given[list(nodes).index(population)][port] = value
        if self.noise is not None:
            self._add_noise(given)
        # All take the step together: at each stage the coupling is that of this stage, which keeps the method's order.
        attached = self.attached.values()
        advance([*nodes.values(), *attached], [*given, *({} for _ in attached)], self._field(send=True))
        results = {name: node._result() for name, node in nodes.items()}
        return next(iter(results.values())) if len(nodes) == 1 else results

    def find_input(self, name: str) -> tuple[str, NeuralMassDynamics, str]:
        """Population, node and input that a name stands for."""
        population, _, port = name.rpartition(".")
        population = population or self._names[0]
        if population not in self._names or ("." not in name and len(self._names) > 1):
            raise ValueError(
                f"Input {name!r} of Network must be named `population.port`, with one of {', '.join(self._names)}."
            )
        return population, getattr(self, population), port

    def _add_noise(self, given: list[dict[str, Numbers]]) -> None:
        node, port = getattr(self, self._names[0]), self.projections[0].port
        # Drawn once for the step, so that all stages of a method meet the same sample.
        sample, present = node._read(port, self.noise()), given[0].get(port)  # type: ignore[misc]
        given[0][port] = sample if present is None else node._read(port, present) + sample

    def __repr__(self) -> str:
        lines = [f"{name}: {node!r}" for name, node in self.populations.items()]
        lines += [repr(projection) for projection in self.projections]
        lines += [] if self.noise is None else [f"noise: {self.noise!r}"]
        return "\n  ".join([f"Network of {self._n_regions} regions", *lines])

    def _repr_html_(self) -> str:
        head = ("from", "to", "sends", "through", "into", "k", "trainable", "connections", "delays")
        ends = [(p.source or self._names[0], p.target or self._names[0]) for p in self.projections]
        rows = [(*pair, *p.described().values()) for pair, p in zip(ends, self.projections, strict=True)]
        nodes = [Html(folded(f"{name}: {node!r}", *node._tables())) for name, node in self.populations.items()]
        noise = [] if self.noise is None else [table(("noise", ""), [(self.projections[0].port, repr(self.noise))])]
        return page("Network", f"{self._n_regions} regions", *nodes, table(head, rows), *noise)

    @property
    def _n_regions(self) -> int:
        return sum(node.varshape[0] for node in self.populations.values())


# --- its arguments ------------------------------------------------------------------------------------------------
def _signature() -> inspect.Signature:
    """With the arguments of its own connections, and the defaults that they have there, in place of `**own`."""
    *arguments, _ = list(inspect.signature(Network.__init__).parameters.values())
    there = inspect.signature(Projection).parameters
    # Names, order and defaults stand with Projection; a second list here would drift away from them.
    own = [there[name] for name in OwnConnections.__annotations__]
    return inspect.Signature([*arguments, *own])


def _check_names(own: Mapping[str, Any]) -> None:
    known = list(inspect.signature(Network).parameters)
    for name in own:
        if name not in OwnConnections.__annotations__:
            raise TypeError(f"Network has no argument `{name}`.{suggestion(name, known)} It has {', '.join(known)}.")


Network.__init__.__signature__ = _signature()  # type: ignore[attr-defined]
show_constructor(Network)


# --- checks -------------------------------------------------------------------------------------------------------
def _check_nodes(node: Any) -> tuple[str, ...]:
    """The names of the populations."""
    nodes = node if isinstance(node, Mapping) else {"node": node}
    for name, model in nodes.items():
        if not isinstance(model, NeuralMassDynamics):
            raise argument_error(
                Argument("node", "Network"), "must be a NeuralMassDynamics model", f"is {show(model)}", kind=TypeError
            )
        if len(model.varshape) != 1:
            raise argument_error(
                Argument("node", "Network"), "must have one axis, the regions", f"has in_size={model.varshape}"
            )
        if isinstance(node, Mapping) and (not str(name).isidentifier() or hasattr(Network, name)):
            raise argument_error(
                Argument("node", "Network"), "must name its populations by words such as 'cortex'", f"has {name!r}"
            )
    methods = {name: model.method for name, model in nodes.items()}
    if len(set(methods.values())) != 1:
        last = type([*nodes.values()][-1]).__name__
        raise ValueError(
            f"The populations of a Network must share one integration method, but have {methods}. "
            f"Example: {last}(..., method='heun')."
        )
    return tuple(nodes)


def _check_noise(noise: Any, network: Network) -> Noise | None:
    if noise is None:
        return None
    if not isinstance(noise, Noise):
        raise argument_error(
            Argument("noise", "Network"), "must be a brainmass.Noise or None", f"is {show(noise)}", kind=TypeError
        )
    if noise.amplitude is not None:
        raise argument_error(Argument("noise", "Network"), "must have no amplitude; give such a noise to the node")
    if len(network._names) > 1:
        rule = "belongs to one population; give each node its own noise"
        raise argument_error(Argument("noise", "Network"), rule, kind=TypeError)
    shape = getattr(network, network._names[0]).varshape
    if noise.varshape != shape:
        raise argument_error(
            Argument("noise", "Network"), f"must have in_size={shape}, as the node", f"has {noise.varshape}"
        )
    return noise
