"""Trainable layers made of a node model: input weights, the node, recurrent connections, a loop over the sequence."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from brainstate.nn import Linear, Param
from braintools.init import Constant, KaimingNormal

from brainmass._common.checks import is_function, numbers, whole
from brainmass._common.messages import Argument, argument_error, suggestion
from brainmass._common.precision import matching_precision
from brainmass._common.times import time_step
from brainmass._common.typing import ArrayLike, Initialiser, Numbers, Pytree, Shape, Time
from brainmass.delays.lines import History, checked_delays, delay_steps
from brainmass.dynamics.declaration import batch_shape, population_shape
from brainmass.dynamics.module import Module, fixed
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.rows import through_rows

__all__ = [
    "CONNECTIONS",
    "KAIMING",
    "ZERO",
    "AdditiveConn",
    "Built",
    "DelayedAdditiveConn",
    "DelayedLaplacianConn",
    "SequenceLayer",
    "SequenceNetwork",
    "checked_sequence",
    "initial",
    "linear",
    "over_time",
    "plain",
]

KAIMING, ZERO = KaimingNormal(), Constant(0.0)

CONNECTIONS: dict[str, Any] = {
    "delay": None,
    "delay_init": ZERO,
    "rec_w_init": KAIMING,
    "rec_b_init": ZERO,
    "inp_w_init": KAIMING,
    "inp_b_init": ZERO,
}
"""What a layer takes beside the arguments of its node, with defaults."""


def over_time(
    node: NeuralMassDynamics, drive: Numbers, received: Callable[[Numbers], dict], recorded: Sequence[str] | None = None
) -> Pytree:
    """The activity of a node that gets `received(row)`, by port, for each row of `drive`.

    With `recorded`, names of states (none: all), what they become as well: `(states by name, activity)`.
    """
    names = recorded or tuple(node._states)

    def step(row: object) -> Pytree:
        out = node.update(**received(row))
        return out if recorded is None else ({name: getattr(node, name).value for name in names}, out)

    return through_rows(step, drive)


def checked_sequence(owner: Module, node: NeuralMassDynamics, inputs: object, n_input: int) -> Numbers:
    """The inputs, if they have the shape (time, batch..., n_input) with the batch of the node's states."""
    inputs = u.math.asarray(inputs)
    batch = u.math.shape(next(iter(node.state_values().values())))[:-1]
    if u.math.ndim(inputs) < 2 or u.math.shape(inputs)[1:] != (*batch, n_input):
        wanted = ", ".join(map(str, ("time", *batch, n_input)))
        raise argument_error(
            Argument("inputs", f"{type(owner).__name__}"),
            f"must have shape ({wanted}), with the batch of the states",
            f"has shape {u.math.shape(inputs)}",
            hint="Another batch: brainstate.nn.init_all_states(model, batch_size=...).",
        )
    return inputs


def plain(node: NeuralMassDynamics, state: str, value: Numbers = None) -> Numbers:
    """The present value of a state, or a value like it, as a plain number in the state's unit."""
    unit = node._states[state].unit or u.UNITLESS
    return u.Quantity(getattr(node, state).value if value is None else value).to_decimal(unit)


class Initial:
    """An initialiser, or the array it would give, that knows whose argument it is and checks what it gives."""

    def __init__(self, owner: str, argument: str, init: object):
        self.what = Argument(argument, owner, "initial values")
        self.init: Any = init if is_function(init) else numbers(self.what, init, example=f"{argument}={_EXAMPLE}")

    def __call__(self, shape: Shape) -> Numbers:
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        value = numbers(self.what, self.init(shape) if is_function(self.init) else self.init)
        if u.math.shape(value) != shape:
            raise argument_error(self.what, f"must have shape {shape}", f"has shape {u.math.shape(value)}")
        return u.math.asarray(value)


_EXAMPLE = "braintools.init.KaimingNormal()"


def initial(owner: object, argument: str, init: object) -> Initial:
    """The initialiser that an argument is; one that is checked already belongs to another owner."""
    return init if isinstance(init, Initial) else Initial(type(owner).__name__, argument, init)


def linear(n: int, m: int, w_init: Initial, b_init: Initial | None) -> Linear:
    """Trainable weights from `n` to `m`, and offsets if they have an initialiser, in JAX's precision."""
    with matching_precision():
        made = Linear(n, m, w_init, b_init)
    # Offsets start as weakly typed numbers: the first update of a training would change their type, and recompile.
    made.weight.value = jax.tree.map(lambda x: x.astype(x.dtype), made.weight.value)
    return made


# --- connections ------------------------------------------------------------------------------------------------
class AdditiveConn(Module):
    r"""Recurrent connections without delay, :math:`\sum_j W_{ij} x_j + b_i`, trainable.

    Parameters
    ----------
    model : NeuralMassDynamics
        Node whose units are connected.
    state : str
        State that is sent; a state with a unit by its number.
    w_init, b_init : callable
        Initial weights and offsets.
    """

    _elsewhere = fixed("model", "state", "linear", "in_size", "out_size", "name")

    def __init__(self, model: NeuralMassDynamics, state: str, w_init: object = KAIMING, b_init: object = ZERO):
        super().__init__()
        self.model, self.state = model, state
        n = model.varshape[-1]
        offsets = None if b_init is None else initial(self, "b_init", b_init)
        self.linear = linear(n, n, initial(self, "w_init", w_init), offsets)

    def update(self) -> Numbers:
        """What arrives at each unit now."""
        return self.linear(plain(self.model, self.state))

    def update_tr(self) -> float:
        """What is held through a repetition time: nothing."""
        return 0.0


class DelayedAdditiveConn(Module):
    r"""Recurrent connections with delays, :math:`k \sum_j W_{ij}\, x_j(t - d_{ij})`, trainable.

    Parameters
    ----------
    model : NeuralMassDynamics
        Node whose units are connected.
    delay_time : Quantity, scalar or (N, N)
        Delays, rounded to whole steps.
    state : str
        State that is sent; a state with a unit by its number.
    delay_init : callable
        What was sent before the start.
    w_init : callable
        Initial weights, `W[i, j]` onto i from j.
    k : number
        Global strength.
    period : Quantity, optional
        Time between two calls; default the time step.
    """

    _elsewhere = fixed("model", "state", "delay_time", "period", "weight", "steps", "history", "in_size", "name")

    def __init__(
        self,
        model: NeuralMassDynamics,
        delay_time: ArrayLike,
        state: str,
        delay_init: Initialiser = ZERO,
        w_init: object = KAIMING,
        k: Numbers = 1.0,
        period: Time | None = None,
    ):
        super().__init__()
        self.model, self.state, self.k, self.period = model, state, k, period
        self.delay_init = initial(self, "delay_init", delay_init)
        n = model.varshape[-1]
        # As times: the step, which makes numbers of steps of them, is known when states are made.
        self.delay_time = checked_delays(Argument("delay_time", f"{type(self).__name__}"), delay_time, n)
        with matching_precision():
            self.weight = Param(initial(self, "w_init", w_init)((n, n)), fit=True)

    def weights(self) -> Numbers:
        """The matrix that acts on what was sent."""
        return self.weight.value()

    @property
    def _under_way(self) -> History:
        return vars(self)["history"]

    def init_state(self, batch_size: Shape | None = None, **kwargs: object) -> None:
        """Fill the history with what was sent before the start."""
        name = type(self).__name__
        self._steps = delay_steps(self.delay_time, time_step(name) if self.period is None else self.period)
        # One row more than the longest delay, for what is sent now.
        vars(self)["history"] = History(int(self._steps.max()) + 1)  # a part, which is not set from outside
        shape = (*batch_shape(name, batch_size), *self.model.varshape)
        self._under_way.fill(plain(self.model, self.state, _with_unit(self.model, self.state, self.delay_init(shape))))

    def update(self) -> Numbers:
        """Take in what is sent now; what arrives at each unit."""
        if "history" not in vars(self):
            raise RuntimeError(f"{type(self).__name__} has no states yet: call brainstate.nn.init_all_states() first.")
        # First of all: without delay what arrives is what is sent now.
        self._under_way.push(plain(self.model, self.state))
        arrived = self._under_way.ago(self._steps, np.arange(self._steps.shape[1])[None, :])
        # `arrived` has shape (batch..., to, from).
        return self.k * jnp.sum(self.weights() * arrived, axis=-1)

    def update_tr(self) -> float:
        """What is held through a repetition time: nothing."""
        return 0.0


class DelayedLaplacianConn(DelayedAdditiveConn):
    r"""The same with the Laplacian of the weights, :math:`W_{ij} - \delta_{ij} \sum_l W_{il}`, in their place."""

    def weights(self) -> Numbers:
        weights = self.weight.value()
        return weights - u.math.diag(u.math.sum(weights, axis=1))


def _with_unit(node: NeuralMassDynamics, state: str, value: Numbers) -> Numbers:
    unit = node._states[state].unit or u.UNITLESS
    return u.Quantity(value, unit) if u.get_unit(value).dim == u.DIMENSIONLESS else value


# --- constructors: the arguments of the node and those of the connections, in a given order -----------------------
class Built(Module):
    """A module whose constructor takes `sizes`, then `order`, and what else the node or `defaults` has by keyword.

    With `others` the arguments of the node that `order` does not name are taken unseen, as `**others`.
    """

    # So that `Simulator`, which takes a module by one step at a call, refuses it.
    loops_over_time = True
    _elsewhere = fixed("n_input", "node", "inp", "rec", "layers", "readout", "in_size", "out_size", "name")
    node_class: ClassVar[Any] = None
    sizes: ClassVar[tuple[str, ...]] = ()
    # That of the published package, whose scripts give arguments by their place.
    order: ClassVar[tuple[str, ...]] = ()
    others: ClassVar[str] = ""
    defaults: ClassVar[Mapping[str, Any]] = {**CONNECTIONS, "rec_scale": 1.0}

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if cls.order:
            cls.__signature__ = cls._signature()
            # Layers say what they are; the table of arguments is that of their base.
            _, heading, table = inspect.cleandoc(cls.__base__.__doc__ or "").partition("\n\nParameters\n")
            cls.__doc__ = inspect.cleandoc(cls.__doc__ or "") + heading + table

    @classmethod
    def _signature(cls) -> inspect.Signature:
        P = inspect.Parameter
        of_node = {k: p.default for k, p in inspect.signature(cls.node_class).parameters.items()}
        known = {**of_node, **cls.defaults}
        rest = [k for k in (cls.defaults if cls.others else known) if k not in (*cls.order, "in_size", "name")]
        return inspect.Signature(
            [P(k, P.POSITIONAL_OR_KEYWORD) for k in cls.sizes]
            + [P(k, P.POSITIONAL_OR_KEYWORD, default=known[k]) for k in cls.order]
            + [P(k, P.KEYWORD_ONLY, default=known[k]) for k in rest]
            + ([P(cls.others, P.VAR_KEYWORD)] if cls.others else [])
        )

    def given(self, args: tuple, kwargs: Mapping[str, object]) -> dict[str, Any]:
        owner, signature = type(self).__name__, type(self).__signature__
        unknown = [k for k in kwargs if k not in signature.parameters]
        if unknown and not self.others:
            known = list(signature.parameters)
            raise TypeError(
                f"{owner} has no argument `{unknown[0]}`.{suggestion(unknown[0], known)} It has {', '.join(known)}."
            )
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{owner}: {error}.") from None
        # Without defaults: what was written must be told from what was not, to refuse what would have no effect.
        given = dict(bound.arguments)
        return given | given.pop(self.others, {})


class SequenceLayer(Built):
    r"""A layer of units that follow a node model, driven by a sequence and by one another.

    At each step the node's `port` receives :math:`W_{in} s_t + b_{in}` and, from the state `recurrent`,
    :math:`W x + b`, or :math:`\sum_j W_{ij} x_j(t - d_{ij})` where delays are given.

    Parameters
    ----------
    n_input, n_hidden : int
        Numbers of inputs and of units.
    delay : Quantity, scalar or (n_hidden, n_hidden), optional
        Delays of the recurrent connections; default none.
    delay_init : callable
        What was sent before the start.
    rec_w_init, rec_b_init, inp_w_init, inp_b_init : callable
        Initial weights and offsets of the recurrent and of the input connections; delayed ones have no offsets.
    rec_scale : number
        Factor of what comes from the other units.
    **others
        Arguments of the node.
    """

    sizes = ("n_input", "n_hidden")
    _asked = {"rec_scale": partial(numbers, unit=u.UNITLESS)}
    recurrent: ClassVar[str]
    port: ClassVar[str]
    recorded: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *args: object, **kwargs: object):
        super().__init__()
        given = self.given(args, kwargs)
        # While `given` still has only what was written.
        self._refuse_what_is_ignored(given)
        own = {k: given.pop(k, default) for k, default in self.defaults.items()}
        self._check_initialisers(own)
        self.n_input, n_hidden = (whole(Argument(k, f"{type(self).__name__}"), given.pop(k)) for k in self.sizes)
        self.rec_scale = self._ask(rec_scale=own["rec_scale"])["rec_scale"]
        self.node = self.make_node(n_hidden, own, given)
        if own["delay"] is not None:
            own["delay"] = checked_delays(Argument("delay", f"{type(self).__name__}"), own["delay"], n_hidden)
        self.inp = linear(self.n_input, n_hidden, own["inp_w_init"], own["inp_b_init"])
        self.connect(own)

    def _check_initialisers(self, own: dict[str, object]) -> None:
        for key in own:
            # Offsets may be None, which is to have none.
            if key.endswith("_init") and not (own[key] is None and key.endswith("b_init")):
                own[key] = initial(self, key, own[key])

    def _refuse_what_is_ignored(self, given: Mapping[str, object]) -> None:
        delayed = given.get("delay") is not None
        for key, of_delayed in ("delay_init", True), ("rec_b_init", False):
            # What is written as it is by default asks for nothing, and may stand.
            if key in given and delayed != of_delayed and given[key] is not CONNECTIONS[key]:
                raise argument_error(
                    Argument(key, f"{type(self).__name__}"),
                    f"has a meaning only with{'' if of_delayed else 'out'} `delay`: leave it out",
                )

    def make_node(self, n_hidden: int, own: Mapping[str, Any], arguments: Mapping[str, Any]) -> NeuralMassDynamics:
        """The units."""
        return self.node_class(n_hidden, **arguments)

    def connect(self, own: Mapping[str, Any]) -> None:
        """Make the recurrent connections."""
        self.rec = (
            AdditiveConn(self.node, self.recurrent, own["rec_w_init"], own["rec_b_init"])
            if own["delay"] is None
            else DelayedAdditiveConn(self.node, own["delay"], self.recurrent, own["delay_init"], own["rec_w_init"])
        )

    def received(self, drive: Numbers) -> dict[str, Numbers]:
        """What enters the node in one step, by port, from the weighted input of that step."""
        return {self.port: drive + self.rec_scale * self.rec()}

    def update(self, inputs: object, record_state: bool = False) -> Numbers:
        """The activity for a sequence, from the present state on.

        Parameters
        ----------
        inputs : array (time, batch..., n_input)
            The batch is that of the states: `brainstate.nn.init_all_states(layer, batch_size=...)`.
        record_state : bool
            Whether to return the states as well: `(states by name, activity)`.

        Returns
        -------
        array (time, batch..., n_hidden)
        """
        drive = self.inp(checked_sequence(self, self.node, inputs, self.n_input))
        return over_time(self.node, drive, self.received, self.recorded if record_state else None)


class SequenceNetwork(Built):
    """Layers one after the other, and a linear readout of the last step of the last.

    Parameters
    ----------
    n_input : int
        Number of inputs.
    n_hidden : int or sequence of int
        Number of units, by layer.
    n_output : int
        Number of outputs.
    **others
        Arguments of the layers; the readout starts like the input weights.
    """

    sizes = ("n_input", "n_hidden", "n_output")
    layer_class: ClassVar[type[SequenceLayer]]

    def __init__(self, *args: object, **kwargs: object):
        super().__init__()
        given = self.given(args, kwargs)
        what = partial(Argument, owner=type(self).__name__)
        n_input, n_hidden, n_output = (given.pop(k) for k in self.sizes)
        n_input, n_output = whole(what("n_input"), n_input), whole(what("n_output"), n_output)
        hidden = population_shape(type(self).__name__, n_hidden, "n_hidden")
        # Each takes in as many as the one before has units; the last number of units begins no layer.
        self.layers = [self.layer_class(n, m, **given) for n, m in zip((n_input, *hidden), hidden, strict=False)]
        start = {**self.defaults, **given}
        offsets = None if start["inp_b_init"] is None else initial(self, "inp_b_init", start["inp_b_init"])
        self.readout = linear(hidden[-1], n_output, initial(self, "inp_w_init", start["inp_w_init"]), offsets)

    def hidden_activation(self, inputs: Pytree) -> list[Numbers]:
        """The activity of each layer, arrays (time, batch..., units)."""
        return [out for _, out in self._through(inputs)]

    def _through(self, inputs: object) -> list[Numbers]:
        found = []
        for layer in self.layers:
            states, out = layer.update(inputs, record_state=True)
            found.append((states, out))
            # A plain number: weights have no unit.
            inputs = plain(layer.node, layer.recurrent, out)
        return found

    def update(self, inputs: Pytree, record_state: bool = False) -> Numbers:
        """The output for a sequence of shape (time, batch..., n_input), shape (batch..., n_output).

        With `record_state` the states of each layer as well: `([states by name], output)`.
        """
        found = self._through(inputs)
        last = self.layers[-1]
        output = self.readout(plain(last.node, last.recurrent, found[-1][1][-1]))
        return ([states for states, _ in found], output) if record_state else output
