"""`Drift`: the equations of a model as one pure function of a flat state and of named parameters."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import instance, is_traced, mapping
from brainmass._common.messages import Argument, argument_error, named, show, suggestion
from brainmass._common.precision import double_precision, doubled
from brainmass._common.same import Pictures
from brainmass._common.typing import Array, ArrayLike, Numbers, Pytree
from brainmass.analysis.equations import Equations, held_inputs
from brainmass.dynamics.checks import check_input_shape, check_param_value
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.network.attached import Attached
from brainmass.network.network import Network
from brainmass.simulation.inventory import Template, inventory

__all__ = ["Drift", "as_drift"]

Parameters = Mapping[str, ArrayLike]
_NONE: Parameters = MappingProxyType({})


class Drift:
    """The drift of a model: the rates of change of all its states, without noise and with its inputs held.

    `drift(x)` is a pure function of a flat state `x`, shape (..., n), in the units `drift.units`; the rates are per ms.
    `drift(x, {"a": 0.1, "E_inp": 220.0})` takes other values of parameters, by the names that a run knows, and of the
    input ports; quantities, or numbers in the unit `drift.unit_of(name)`. It serves under `jit`, `grad`, `vmap`, in
    the precision of `x`. Noises enter with their mean. The model is not changed, and later changes of it are not seen.

    Coupling with conduction delays is without them in `drift(x)`, as at rest. `drift.delayed(x, past)` has them, where
    `past`, shape (K, n), holds the states at the times `drift.delays` ago: shape (K,), in ms, not rounded to steps.

    Parameters
    ----------
    model : NeuralMassDynamics or Network
    inputs : mapping, optional
        What is held at the input ports, by name (`population.port` where there are several); default zero. A noise
        stands for its mean.

    Attributes
    ----------
    names : tuple of str
        The states, by name; with several populations `population.state`; those of synapses and plasticity by
        their path, `projections.0.synapse.filtered`, of filters in the unit of the port.
    units, shapes : dict
        Of each state.
    size : int
        The number n of entries of the flat state: the states one after the other.
    labels : tuple of str
        Of each entry: `"V"`, or `"V[3]"` of region 3.
    lower, upper : array (n,)
        The physical domain of each entry.
    angles : array (n,) of bool
        Whether an entry is an angle, in rad.
    parameters : dict
        All parameters and inputs by name, with the present values.
    delays : array (K,)
        Conduction delays, in ms, ascending; empty where there are none.

    Raises
    ------
    TypeError, ValueError
        If the model is no node or network, an input is unknown or depends on time, a value does not fit.

    Examples
    --------
    >>> import brainmass, jax
    >>> drift = brainmass.Drift(brainmass.FitzHughNagumoStep.preset("classic", 1), inputs={"V_inp": 0.5})
    >>> drift.names, drift.size
    (('V', 'w'), 2)
    >>> x = drift.pack({"V": 0.1, "w": 0.2})
    >>> jax.jacfwd(drift)(x).shape, jax.grad(lambda a: drift(x, {"delta": a})[1])(0.7).shape
    ((2, 2), ())
    """

    def __init__(self, model: NeuralMassDynamics | Network, inputs: Mapping[str, Any] | None = None):
        if not isinstance(model, NeuralMassDynamics | Network):
            raise argument_error(
                Argument("model", "Drift"),
                "must be a NeuralMassDynamics or a Network",
                f"is {show(model)}",
                "Drift(brainmass.HopfStep(1))",
                kind=TypeError,
            )
        if isinstance(model, Network) and any(node._source_needs_inputs for node in model.populations.values()):
            rule = "must be of nodes that send what follows from their states; analyse one of these alone"
            raise argument_error(Argument("model", "Drift"), rule)
        self.model = model
        self._template, self._found = Template(model), inventory(model)
        natural = self._template.natural(self._found.raw(), {})
        # Connectomes' tables and other states that are no parameters keep their type.
        self._values = {path: _exact(x) if path in self._found.params else x for path, x in natural.items()}
        self._of_model()
        self._inputs = {name: _exact(x) for name, x in held_inputs(model, inputs).items()}
        self.input_names = tuple(self._inputs)
        self._programs: dict[tuple[Any, ...], Any] = {}

    def _of_model(self) -> None:
        """What is known of the states."""
        self.units: dict[str, u.Unit] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        specs = {}
        for prefix, part in (_nodes(self.model) | _attached(self.model)).items():
            for name, value in _initial(part, 0).items():
                self.units[prefix + name], self.shapes[prefix + name] = u.get_unit(value), u.math.shape(value)
                specs[prefix + name] = part._states[name]
        self.names = tuple(self.units)
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in self.shapes.values())])
        self.slices = {name: slice(int(a), int(b)) for name, a, b in zip(self.names, ends, ends[1:], strict=False)}
        self.size = int(ends[-1])
        sizes = {name: part.stop - part.start for name, part in self.slices.items()}
        self.lower, self.upper = (
            np.concatenate([np.full(n, specs[name].domain.bounds[end]) for name, n in sizes.items()]) for end in (0, 1)
        )
        self.angles = np.concatenate([np.full(n, specs[name].is_angle) for name, n in sizes.items()])
        self.labels = tuple(label for name in self.names for label in _entries(name, self.shapes[name]))

    def __repr__(self) -> str:
        states = ", ".join(f"{name} {shape}" for name, shape in self.shapes.items())
        delays = f", with {self.delays.size} delays up to {self.delays[-1]:g} ms" if self.delays.size else ""
        return f"Drift of {type(self.model).__name__}: {self.size} entries ({states}){delays}"

    # --- the function -----------------------------------------------------------------------------------------------
    def __call__(self, x: ArrayLike, parameters: Parameters = _NONE, *, coupling: jax.Array | float = 1.0) -> jax.Array:
        """Rates of change per ms at the flat state `x`, shape (..., n), when it has been the same for long.

        `coupling` is a factor on all that the projections of a network send: at zero its regions are alone.
        """
        x = self._checked(x)
        return self._flat(self.equations(parameters, x.dtype).rates(self.unpack(x), coupling=coupling))

    def delayed(self, x: ArrayLike, past: ArrayLike, parameters: Parameters = _NONE) -> jax.Array:
        """Rates of change per ms at `x`, shape (n,), with the states `past`, shape (K, n), the times `delays` ago."""
        x, past = self._checked(x), self._checked(past)
        if past.shape != (self.delays.size, self.size):
            raise argument_error(
                Argument("past", "Drift.delayed"),
                f"must have one row for each of the delays, ({self.delays.size}, {self.size})",
                f"has shape {past.shape}",
            )
        equations = self.equations(parameters, x.dtype)
        # Row 0 is the present, and connections without a delay read it: their number in `_which` is 0.
        sent = equations.sent(self.unpack(jnp.concatenate([x[None], past])))
        arriving = {key: sent[key][self._which[key], source] for key, source in equations.sources().items()}
        return self._flat(equations.rates(self.unpack(x), arriving))

    def jacobian(self, x: ArrayLike, parameters: Parameters = _NONE) -> jax.Array:
        """Of `drift(x)`, shape (n, n), per ms."""
        return jax.jacfwd(lambda x: self(x, parameters))(self._checked(x))

    def equations(self, parameters: Parameters, dtype: Any) -> Equations:
        """The model and its inputs on these values."""
        values, inputs = dict(self._values), dict(self._inputs)
        for name, value in parameters.items():
            place = self.find(name)
            value = self.quantity(name, value)
            if place in inputs:
                inputs[place] = value
            else:
                # One number is meant for all regions.
                values[place] = u.math.broadcast_to(value, u.math.shape(values[place])) if _is_number(value) else value
        values = {path: _as(x, dtype) if path in self._found.params else x for path, x in values.items()}
        model, _ = self._template.bind(values)
        return Equations(model, {name: _as(x, dtype) for name, x in inputs.items()})

    def _checked(self, x: ArrayLike) -> jax.Array:
        x = jnp.asarray(x)
        x = x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(float)
        if x.shape[-1:] != (self.size,):
            raise argument_error(
                Argument("x", "Drift", "flat state"), f"must have shape (..., {self.size})", f"has shape {x.shape}"
            )
        return x

    def _flat(self, rates: Mapping[str, Numbers]) -> jax.Array:
        return self._joined({name: u.Quantity(x).to_decimal(self.units[name] / u.ms) for name, x in rates.items()})  # pyright: ignore[reportArgumentType]

    def _joined(self, values: Mapping[str, Numbers]) -> jax.Array:
        batch = np.broadcast_shapes(*(v.shape[: v.ndim - len(self.shapes[k])] for k, v in values.items()))
        # The rate of a state may not depend on the batch, or on the region.
        parts = [jnp.broadcast_to(values[name], (*batch, *self.shapes[name])) for name in self.names]
        return jnp.concatenate([part.reshape(*batch, -1) for part in parts], axis=-1)

    # --- states -----------------------------------------------------------------------------------------------------
    def unpack(self, x: ArrayLike) -> dict[str, Numbers]:
        """The states by name, in their units, each of shape (..., in_size)."""
        x = self._checked(x)
        parts = {name: x[..., self.slices[name]].reshape(*x.shape[:-1], *self.shapes[name]) for name in self.names}
        return {name: u.maybe_decimal(part * self.units[name]) for name, part in parts.items()}

    def pack(self, states: Mapping[str, ArrayLike]) -> jax.Array:
        """The flat state, shape (..., n), from all states by name: quantities, or numbers in `units`."""
        for name in states:
            if name not in self.units:
                what = Argument("states", "Drift.pack")
                raise argument_error(what, f"has no {named(name)}", hint=f"There are {', '.join(self.names)}.")
        if missing := [name for name in self.names if name not in states]:
            raise argument_error(Argument("states", "Drift.pack"), f"must have all states, but misses {missing[0]!r}")
        values = {name: _decimal(f"State `{name}`", states[name], self.units[name]) for name in self.names}
        return self._joined({n: v if v.ndim else jnp.broadcast_to(v, self.shapes[n]) for n, v in values.items()})

    def flat(self, given: ArrayLike | Mapping[str, ArrayLike], what: str, rule: str) -> np.ndarray:
        """States that an argument gives, by name or as an array of numbers."""
        if isinstance(given, Mapping):
            if given.keys() != self.units.keys():
                raise argument_error(what, f"must have just the states {', '.join(self.names)}", f"is {show(given)}")
            return np.asarray(self.pack(given))
        try:
            return np.asarray(given, float)
        except (TypeError, ValueError):
            raise argument_error(what, rule, f"is {show(given)}", kind=TypeError) from None

    def starts(self, n: int, seed: int = 0) -> np.ndarray:
        """Initial states, drawn as a run draws them, shape (n, size)."""
        with double_precision(), jax.ensure_compile_time_eval():
            parts = _nodes(self.model) | _attached(self.model)
            drawn = [{p: _initial(part, seed + i) for p, part in parts.items()} for i in range(n)]
            flat = [self.pack({p + k: x for p, states in one.items() for k, x in states.items()}) for one in drawn]
            return np.stack([np.asarray(x) for x in flat])

    # --- parameters -------------------------------------------------------------------------------------------------
    @functools.cached_property
    def parameters(self) -> dict[str, Array]:
        """All parameters and inputs by name, with the present values."""
        return {name: self._values[name] for name in self._found.params} | self._inputs

    def find(self, name: str, owner: str = "Drift") -> str:
        """The whole name of the parameter or input that a name, or the end of one, stands for."""
        instance(Argument("name", owner), name, str, "the name of a parameter or an input")
        if name in self._inputs:
            return name
        try:
            return self._found.find_param(name)
        except ValueError:
            if any(path.endswith(f".{name}") for path in self._found.params):  # it says which there are
                raise
            known = self.parameters
            short = [k.rpartition(".")[2] for k in known]
            hint = f"{suggestion(name, [*known, *short])} There are {', '.join(known)}."
            what = Argument("parameters", "Drift", entry=name, text=type(self.model).__name__)
            raise argument_error(what, f"has no parameter or input {name!r}", hint=hint) from None

    def held_values(self, parameters: Parameters, owner: str) -> dict[str, ArrayLike]:
        """The argument `parameters` of a function: values by names that are known."""
        given = mapping(Argument("parameters", owner), parameters, "values", example="parameters={'k': 0.1}")
        for name in given:
            self.find(name)
        return given

    def unit_of(self, name: str) -> u.Unit:
        """The unit in which plain numbers of a parameter or an input are read."""
        return u.get_unit(self.parameters[self.find(name)])

    def quantity(self, name: str, value: Numbers) -> Numbers:
        """A value of a parameter, or of an input, with its unit; refused where it does not fit."""
        place, unit = self.find(name), self.unit_of(name)
        if u.get_unit(value).dim == u.DIMENSIONLESS:
            value = u.maybe_decimal(u.Quantity(u.get_mantissa(value), unit=unit))
        if place in self._inputs:
            prefix, _, port = place.rpartition(".")
            node = _nodes(self.model)[f"{prefix}." if prefix else ""]
            value = node._read(port, value)
            check_input_shape(node._owner, port, value, node.varshape)
            return value
        owner, attribute = self._found.modules.get(place.rpartition(".")[0]), place.rpartition(".")[2]
        spec = getattr(owner, "_params", {}).get(attribute)
        return check_param_value(name, spec, self.parameters[place], value)

    # --- delays -----------------------------------------------------------------------------------------------------
    def delays_of(self, parameters: Parameters = _NONE) -> jax.Array:
        """The delays, shape (K,), in ms, with other values of parameters, such as the speed."""
        every = self.equations(parameters, jnp.result_type(float)).delays()
        flat = jnp.concatenate([jnp.zeros(1), *(jnp.ravel(every[key]) for key in self._which)])
        delays = flat[self._first]
        which = np.concatenate([[0], *(np.ravel(numbers) for numbers in self._which.values())])
        # One of each group stands for all: a speed changes them alike, a matrix of other delays may not.
        if not is_traced(flat) and not np.allclose(flat, np.append(0.0, delays)[which], rtol=1e-5, atol=1e-6):
            raise argument_error(
                Argument("parameters", "Drift"),
                "must leave delays equal that are equal in the model",
                "parts some of them",
                hint="Make a Drift of a model with these delays.",
            )
        return delays

    @functools.cached_property
    def delays(self) -> np.ndarray:
        """Conduction delays, in ms, ascending."""
        if not self._which:
            return np.zeros(0)
        with double_precision(), jax.ensure_compile_time_eval():
            return np.asarray(self.delays_of())

    @functools.cached_property
    def _grouped(self) -> tuple[dict[Any, np.ndarray], np.ndarray]:
        with double_precision(), jax.ensure_compile_time_eval():
            every = self.equations(_NONE, np.float64).delays()
        if is_traced(every):
            raise ValueError("The conduction delays must be known: give the speed as a parameter of the drift instead.")
        # One delay for all lengths that differ by rounding. Zero comes first, and is no delay of its own.
        flat = np.concatenate([np.zeros(1), *(np.ravel(x) for x in every.values())])
        _, first, which = np.unique(np.round(flat, 9), return_index=True, return_inverse=True)
        ends = np.cumsum([1, *(np.size(x) for x in every.values())])
        groups = {
            key: which[a:b].reshape(np.shape(x)) for (key, x), a, b in zip(every.items(), ends, ends[1:], strict=False)
        }
        return groups, first[1:]

    @property
    def _which(self) -> dict[Any, np.ndarray]:
        """By term, the number of the delay of each connection; 0: none."""
        return self._grouped[0]

    @property
    def _first(self) -> np.ndarray:
        """Where in all connections each delay stands first."""
        return self._grouped[1]

    def held(self) -> Drift:
        """The same, without gradients by the parameters of the model."""
        fixed = copy.copy(self)
        fixed._values, fixed._inputs = jax.lax.stop_gradient((self._values, self._inputs))
        # Programs have the values in them, and their gradients.
        fixed._programs = {}
        return fixed

    # --- compiled, for those who call it many times ---------------------------------------------------------------
    def program(self, make: Callable[..., Pytree], *settings: str | None) -> Pytree:
        """What `make(self, *settings)` compiles, made once."""
        if (make, *settings) not in self._programs:
            self._programs[make, *settings] = make(self, *settings)
        return self._programs[make, *settings]


def as_drift(model: NeuralMassDynamics | Network | Drift, inputs: Mapping[str, Any] | None = None) -> Drift:
    """The drift of a model, or the one that was given."""
    if not isinstance(model, Drift):
        return _as_before(Drift(model, inputs))
    if inputs is not None:
        raise argument_error(Argument("inputs"), "has no effect beside a Drift, which has its inputs", kind=TypeError)
    return model


_MOST_RECENT = 8
_recent: list[tuple[Any, Pictures, dict[int, Drift]]] = []  # models that were analysed last, and drifts of each


def _as_before(drift: Drift) -> Drift:
    """One with compiled programs, where the model, a user's functions included, is still what it was; else this one."""
    # Tracers belong to one trace, and must not be kept past it.
    if is_traced((drift._values, drift._inputs)):
        return drift
    known = next((entry for entry in _recent if entry[0] is drift.model), None)
    if known is None:
        known = drift.model, Pictures("analysis"), {}
        _recent[:] = [*_recent[1 - _MOST_RECENT :], known]
    _, pictures, drifts = known
    found = drift._found
    things = {"structure": found.structure, "others": found.others, "values": drift._values, "inputs": drift._inputs}
    return drifts.setdefault(pictures.number(things), drift)


def _nodes(model: NeuralMassDynamics | Network) -> dict[str, NeuralMassDynamics]:
    """The nodes of a model, by the beginning of the names of their states."""
    if not isinstance(model, Network):
        return {"": model}
    several = len(model.populations) > 1
    return {f"{name}." * several: node for name, node in model.populations.items()}


def _attached(model: NeuralMassDynamics | Network) -> dict[str, Attached]:
    """The synapses and plasticity of a model, by the same."""
    return {f"{path}.": part for path, part in model.attached.items()} if isinstance(model, Network) else {}


def _initial(node: NeuralMassDynamics | Attached, seed: int) -> dict[str, Numbers]:
    """Initial values of one run, whatever batch the node has now."""
    batch, node._batch = node._batch, ()
    try:
        with jax.ensure_compile_time_eval(), brainstate.random.seed_context(seed):
            values = node._initial(brainstate.random.RandomState(seed))
    finally:
        node._batch = batch
    return {name: values[name] for name in node._states}


def _entries(name: str, shape: tuple[int, ...]) -> list[str]:
    if shape == (1,):
        return [name]
    return [f"{name}[{', '.join(map(str, index))}]" for index in np.ndindex(*shape)]


def _is_number(value: Numbers) -> bool:
    return u.math.ndim(value) == 0


def _exact(x: Numbers) -> Numbers:
    """Numbers in double precision, kept by numpy; traced ones as they are."""
    if is_traced(x):
        return x
    # JAX would cut them to single precision here: it computes in double precision within an analysis only.
    return u.maybe_decimal(u.Quantity(doubled(u.get_mantissa(x)), unit=u.get_unit(x)))


def _as(x: Numbers, dtype: Any) -> Numbers:
    return u.maybe_decimal(u.Quantity(jnp.asarray(u.get_mantissa(x), dtype), unit=u.get_unit(x)))


def _decimal(what: str, value: Numbers, unit: u.Unit) -> jax.Array:
    got = u.get_unit(value)
    if got.dim == u.DIMENSIONLESS:
        return jnp.asarray(u.maybe_decimal(value), float)
    if not got.has_same_dim(unit):
        raise argument_error(
            Argument("states", "Drift.pack", text=what),
            f"must be in {unit}",
            f"is {show(value)}",
            kind=u.UnitMismatchError,
        )
    return jnp.asarray(value.to_decimal(unit), float)
