"""`check_model`: what every node model must do, generated from its declaration. `check_closed`: what can be set.

A model of your own passes the same checks as those of the package:

    brainmass.testing.check_model(MyModel)

and whatever has been made, a noise, a kernel, a network:

    brainmass.testing.check_closed(thing)
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, cast

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from braintools.init import Constant

from brainmass._common.typing import Numbers, Pytree
from brainmass.dynamics.declaration import plain_text
from brainmass.dynamics.declared import WithRows
from brainmass.dynamics.fields import Domain, ParamSpec, StateSpec
from brainmass.dynamics.module import Closed
from brainmass.dynamics.node import NeuralMassDynamics

__all__ = ["CHECKS", "check_closed", "check_model"]

Model = type[NeuralMassDynamics]
REGIONS = 6


def check_model(cls: Model) -> None:
    """Run all `CHECKS` on a model class; an `AssertionError` says what does not hold."""
    for check in CHECKS:
        check(cls)


def check_closed(thing: Closed) -> None:
    """What is made refuses a name that it does not have, and for a parameter what its constructor refuses."""
    owner, before = type(thing).__name__, dict(vars(thing))
    for name in (*thing._public_names(), "attribute"):
        with _refused(AttributeError, f"{name}_", owner):
            setattr(thing, f"{name}_", 1.0)
    for name, spec in thing._params.items() if isinstance(thing, WithRows) else ():
        if name in thing._elsewhere or getattr(thing, name) is None:
            continue
        _check_parameter_is_closed(cast(WithRows, thing), name, spec)
    changed = [name for name, x in vars(thing).items() if name not in before or before[name] is not x]
    assert vars(thing).keys() == before.keys() and not changed, f"a refusal has changed {changed}"


def _check_parameter_is_closed(thing: WithRows, name: str, spec: ParamSpec) -> None:
    present = getattr(thing, name)
    try:
        setattr(thing, name, present)
    except (TypeError, ValueError) as refusal:
        assert f"`{name}`" in str(refusal)
        return  # it has no part in what this one is
    value = present.value()
    unit, shape = u.get_unit(value), thing.shape_of(name, value)
    if spec.units:
        with _refused(u.UnitMismatchError, f"`{name}`"):
            setattr(thing, name, 1.0 * u.katal)
    for bad in spec.domain.outside:
        with _refused(ValueError, f"`{name}`", spec.domain.text):
            setattr(thing, name, u.maybe_decimal(np.full(u.math.shape(value), bad) * unit))
    with _refused((TypeError, ValueError), f"`{name}`"):
        setattr(thing, name, object())
    if shape is not None:
        with _refused(ValueError, f"`{name}`"):
            setattr(thing, name, u.maybe_decimal(np.ones((*shape, 7)) * unit))


# --- a point in state space that the declaration allows -----------------------------------------------------
def _numbers(domain: Domain, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Numbers of both signs where the domain allows it, else their sizes."""
    numbers = np.random.default_rng(seed).uniform(-0.9, 0.9, shape)
    return numbers if np.all(domain.contains(numbers)) else np.abs(numbers)


def _point(cls: Model, shape: tuple[int, ...]) -> tuple[Numbers, ...]:
    return tuple(
        u.maybe_decimal(jnp.asarray(_numbers(s.domain, shape, i)) * _unit(s))
        for i, s in enumerate(cls._states.values())
    )


def _inputs(cls: Model, shape: tuple[int, ...] = ()) -> dict[str, Numbers]:
    """Of the ports that a derivative needs."""
    ports = [port for port in cls._ports if port not in cls.further_inputs]
    numbers = {port: np.random.default_rng(100 + i).uniform(0.1, 0.5, shape) for i, port in enumerate(ports)}
    return {port: u.maybe_decimal(jnp.asarray(x) * cls._port_units[port]) for port, x in numbers.items()}


def _present(cls: Model) -> dict[str, ParamSpec]:
    """The parameters that the model has when nothing is said of them."""
    return {name: spec for name, spec in cls._params.items() if spec.default is not None}


def _unit(state: StateSpec) -> u.Unit:
    return u.UNITLESS if state.unit is None else state.unit


def _plain(values: tuple[Numbers, ...], cls: Model, per: u.Unit = u.UNITLESS) -> jax.Array:
    """Values of the states (`per=u.ms`: of their derivatives) as one array, in the declared units."""
    return jnp.stack(
        [
            u.Quantity(x).to_decimal(_unit(s) / per)  # pyright: ignore[reportArgumentType]
            for x, s in zip(values, cls._states.values(), strict=True)
        ]
    )


def _step(
    cls: Model, values: Mapping[str, Numbers], point: Sequence[Numbers], inputs: Mapping[str, Numbers], **options: Any
) -> jax.Array:
    """The states one time step after `point`, as numbers."""
    shape = u.math.shape(point[0])
    node = cls(shape[-1], **values, **options)
    node.init_state(shape[:-1], rng=brainstate.random.RandomState(0))
    for name, value in zip(cls._states, point, strict=True):
        getattr(node, name).value = value
    node.update(**inputs)
    return _plain(tuple(node.state_values().values()), cls)


@contextlib.contextmanager
def _refused(error: type[Exception] | tuple[type[Exception], ...], *words: str) -> Iterator[None]:
    try:
        yield
    except error as raised:
        lacking = [word for word in words if word not in str(raised)]
        assert not lacking, f"the message must name {lacking}: {raised}"
        return
    raise AssertionError(f"nothing was raised, but {error} naming {words} was due")


# --- the checks ---------------------------------------------------------------------------------------------
def check_signature(cls: Model) -> None:
    """Constructor and `update` show what was declared."""
    shown = inspect.signature(cls).parameters
    assert next(iter(shown)) == "in_size"
    others = {*cls._options, *cls._spellings}
    assert set(shown) == {"in_size", *cls._params, *cls._starts, *cls._noises, *others, "name"}
    for name, spec in cls._params.items():
        assert shown[name].default is spec.default, f"default of `{name}`"
    assert list(inspect.signature(cls.update).parameters)[1:] == [*cls._ports, *cls.other_inputs]
    positional = [p.default for p in shown.values() if p.kind is p.POSITIONAL_OR_KEYWORD][1:]
    assert repr(cls(REGIONS, *positional)) == repr(cls(REGIONS))


def check_table(cls: Model) -> None:
    """`help()` describes every argument and every state."""
    lines = (inspect.getdoc(cls) or "").splitlines()
    bounded = any(spec.domain.is_bounded for spec in cls._states.values())  # else there is nothing to clamp
    for name in set(inspect.signature(cls).parameters) - {"name", *(() if bounded else ("clamp",))}:
        assert any(line.startswith(f"{name} : ") for line in lines), f"the table lacks `{name}`"
    for spec in cls._params.values():
        row = lines[lines.index(f"{spec.name} : default {plain_text(spec.default)}") + 1]
        assert spec.doc[1:] in row and spec.domain.text in row, row
    for name, spec in cls._states.items():
        assert spec.doc[1:] in lines[lines.index(f"{name} : HiddenState") + 1]


def check_shapes_and_units(cls: Model) -> None:
    """A derivative has the shape of its state and its unit per time: for a vector, a batch, a sheet."""

    def start_and_rates(
        in_size: tuple[int, ...], batch: tuple[int, ...]
    ) -> tuple[dict[str, Numbers], tuple[Numbers, ...]]:
        node = cls(in_size)
        node.init_state(batch, rng=brainstate.random.RandomState(0))
        rates = node.derivative(_point(cls, batch + in_size), 0.0 * u.ms, *_inputs(cls).values())
        return node.state_values(), rates

    for in_size, batch in ((REGIONS,), ()), ((REGIONS,), (2,)), ((2, 3), ()):
        # nothing is computed, as shapes and units show without
        start, rates = jax.eval_shape(partial(start_and_rates, in_size, batch))
        for (name, spec), rate in zip(cls._states.items(), rates, strict=True):
            assert u.math.shape(start[name]) == batch + in_size, f"initial value of `{name}`"
            assert u.get_unit(start[name]).has_same_dim(_unit(spec)), f"unit of `{name}`"
            assert u.math.shape(rate) == batch + in_size, f"shape of d{name}"
            assert u.get_unit(rate).has_same_dim(_unit(spec) / u.ms), f"unit of d{name}: {u.get_unit(rate)}"


def check_refusals(cls: Model) -> None:
    """A wrong unit, a value outside the domain, or a wrong shape is refused by the name of the argument."""
    for name, spec in _present(cls).items():
        unit = u.get_unit(spec.default)
        if spec.units:
            with _refused(u.UnitMismatchError, f"`{name}`", cls.__name__, spec.doc):
                cls(REGIONS, **{name: 1.0 * u.katal})
        for bad in spec.domain.outside:
            values = np.full(REGIONS, u.get_mantissa(spec.default))
            values[2] = bad
            with _refused(ValueError, f"`{name}`", cls.__name__, spec.domain.text, "(2,)"):
                cls(REGIONS, **{name: u.maybe_decimal(values * unit)})
        with _refused(ValueError, f"`{name}`", f"({REGIONS},)", f"({REGIONS + 1},)"):
            cls(REGIONS, **{name: u.maybe_decimal(np.full(REGIONS + 1, u.get_mantissa(spec.default)) * unit)})
    for name, spec in cls._states.items():
        if isinstance(spec.init, str):
            for bad in spec.domain.outside:
                with _refused(ValueError, f"`{spec.init}`", spec.domain.text):
                    cls(REGIONS, **{spec.init: Constant(bad)}).init_state()
            with _refused(u.UnitMismatchError, f"`{spec.init}`"):
                cls(REGIONS, **{spec.init: Constant(u.Quantity(1.0, u.katal))}).init_state()
        assert spec.domain.contains(_numbers(spec.domain, (1,), 0)).all(), f"no value of `{name}` at hand"
    node = cls(REGIONS)
    node.init_state()
    with brainstate.environ.context(dt=0.01 * u.ms):
        for port in cls._ports:
            with _refused(u.UnitMismatchError, f"`{port}`", cls.__name__):
                node.update(**{port: 1.0 * u.katal})


def check_ports(cls: Model) -> None:
    """What enters a port changes a rate of change: else input, coupling and noise that are sent there are lost."""
    node, point, inputs = cls(REGIONS), _point(cls, (REGIONS,)), _inputs(cls, (REGIONS,))
    optional = (*cls._adds, *cls.further_inputs)
    inputs |= {port: u.maybe_decimal(jnp.zeros(REGIONS) * cls._port_units[port]) for port in optional}
    for port in inputs:
        lost = inputs | {port: u.maybe_decimal(jnp.full(REGIONS, jnp.nan) * cls._port_units[port])}
        rates = node.derivative(point, 0.0 * u.ms, *lost.values())
        # NaN passes through a factor that is zero by default, too
        assert np.isnan(_plain(rates, cls, per=u.ms)).any(), f"nothing depends on what enters the port `{port}`"


def check_assigning(cls: Model) -> None:
    """A node is closed, and one whose parameters are set afterwards moves as one that was made with them."""
    node = cls(REGIONS)
    check_closed(node)
    values = {name: _other_value(spec) for name, spec in _present(cls).items()}
    made = cls(REGIONS, **values)
    for name, value in values.items():
        setattr(node, name, value)
    for one, other in zip(*(_rates_of(x) for x in (node, made)), strict=True):
        np.testing.assert_array_equal(u.get_mantissa(one), u.get_mantissa(other))


def _other_value(spec: ParamSpec) -> Numbers:
    number = u.get_mantissa(spec.default)
    near = [x for x in (number * 1.01, number * 0.99, number + 0.01) if x != number and spec.domain.contains(x)]
    return u.maybe_decimal(near[0] * u.get_unit(spec.default))


def _rates_of(node: NeuralMassDynamics) -> tuple[Numbers, ...]:
    cls = type(node)
    return node.derivative(_point(cls, (REGIONS,)), 0.0 * u.ms, *_inputs(cls, (REGIONS,)).values())


def check_gradients(cls: Model) -> None:
    """Each parameter matters, and the slope of the derivative in it agrees with finite differences."""
    with jax.enable_x64(True):
        direct = {name: spec for name, spec in _present(cls).items() if spec.in_derivative}
        numbers = {n: jnp.asarray(u.get_mantissa(s.default), jnp.float64) for n, s in direct.items()}

        def rates(numbers: dict[str, Numbers], from_start: bool = False) -> Any:
            node = cls(REGIONS, **_with_units(cls, numbers))
            point = tuple(node._initial(brainstate.random.RandomState(0)).values()) if from_start else ()
            point = point[: len(cls._states)] or _point(cls, (REGIONS,))
            found = node.derivative(point, 0.0 * u.ms, *_inputs(cls, (REGIONS,)).values())
            return _plain(found, cls, per=u.ms)

        matters = partial(rates, from_start=True)  # asked where a parameter is of another branch than the point
        slopes, rates = jax.jit(jax.jacfwd(rates))(numbers), jax.jit(rates)
        for name, x in numbers.items():
            h = 1e-6 * max(1.0, abs(float(x)))
            above, below = rates(numbers | {name: x + h}), rates(numbers | {name: x - h})
            expected = np.asarray((above - below) / (2 * h))
            if not np.any(expected):
                moved = matters(numbers | {name: x + h}) - matters(numbers | {name: x - h})
                assert np.any(moved), f"`{name}` has no influence on the derivative"
            noise = 1e-15 * np.abs(above).max() / h
            np.testing.assert_allclose(slopes[name], expected, rtol=1e-5, atol=10 * noise, err_msg=name)


def _with_units(cls: Model, numbers: Mapping[str, Numbers]) -> dict[str, Numbers]:
    return {name: u.maybe_decimal(x * u.get_unit(cls._params[name].default)) for name, x in numbers.items()}


def check_methods_agree(cls: Model) -> None:
    """The increments of other methods differ from that of 'rk4' by a fraction that falls with the step."""
    with jax.enable_x64(True):
        point, inputs = _point(cls, (2,)), _inputs(cls)
        start = _plain(point, cls)

        def increments(method: str) -> list[Numbers]:
            def increment(dt: float) -> Any:
                with brainstate.environ.context(dt=dt * u.ms):
                    return _step(cls, {}, point, inputs, method=method) - start

            # compiled for each: a model that keeps its past must know the time step
            return [jax.jit(partial(increment, dt))() for dt in (1e-3, 1e-4)]

        best = increments("rk4")
        for method in "exp_euler", "euler", "heun":
            far, near = map(_apart, increments(method), best)
            assert near < max(0.11 * far, 1e-8), f"{method}: {far:.1e} at dt = 1e-3 ms, {near:.1e} at 1e-4 ms"


def _apart(x: Numbers, y: Numbers) -> Any:
    """The largest fraction by which increments differ; a state that at this point does not move must not in either."""
    still = np.asarray((x == 0) & (y == 0))
    return np.max(np.abs(np.where(still, 1.0, x) / np.where(still, 1.0, y) - 1))


def check_batch(cls: Model) -> None:
    """A batch, and a sheet of regions, take the step that each member takes alone."""
    point, inputs = _point(cls, (2, REGIONS)), _inputs(cls, (2, REGIONS))
    with brainstate.environ.context(dt=0.01 * u.ms):
        step = jax.jit(lambda point, inputs: _step(cls, {}, point, inputs))
        together = step(point, inputs)
        for i in range(2):
            alone = step(tuple(x[i] for x in point), {port: x[i] for port, x in inputs.items()})
            np.testing.assert_allclose(together[:, i], alone, rtol=1e-5, atol=1e-7)
    rates = cls(REGIONS).derivative(tuple(x[0] for x in point), 0.0 * u.ms, *(x[0] for x in inputs.values()))
    sheet = cls((2, 3)).derivative(
        tuple(x[0].reshape((2, 3)) for x in point),
        0.0 * u.ms,
        *(x[0].reshape((2, 3)) for x in inputs.values()),
    )
    for rate, other in zip(rates, sheet, strict=True):
        np.testing.assert_allclose(u.get_mantissa(rate), u.get_mantissa(other).reshape(REGIONS), rtol=1e-5, atol=1e-7)


def check_transforms(cls: Model) -> None:
    """A step can be compiled, mapped over parameter values, and differentiated, with the same numbers."""
    name, spec = next((n, s) for n, s in _present(cls).items() if s.in_derivative)
    values = u.get_mantissa(spec.default) * jnp.asarray([1.0, 1.25])
    point, inputs = _point(cls, (REGIONS,)), _inputs(cls)

    def step(number: Numbers) -> Numbers:
        return _step(cls, _with_units(cls, {name: number}), point, inputs)

    with brainstate.environ.context(dt=0.01 * u.ms):
        compiled = jax.jit(step)
        expected = np.stack([compiled(x) for x in values])
        np.testing.assert_allclose(expected[1], step(values[1]), rtol=1e-5, atol=1e-7)

        @jax.jit  # one program: each by itself would be compiled operation by operation, for seconds
        def transformed(values: Pytree) -> Pytree:
            def total(x: Numbers) -> Numbers:
                return jnp.sum(jnp.sin(step(x)))

            along = jax.jvp(total, (values[1],), (jnp.ones_like(values[1]),))[1]
            return jax.vmap(step)(values), jax.grad(total)(values[1]), along

        mapped, slope, along = transformed(values)
        np.testing.assert_allclose(mapped, expected, rtol=1e-5, atol=1e-7)
        assert np.isfinite(slope), f"gradient in `{name}`"
        np.testing.assert_allclose(slope, along, rtol=1e-3, atol=1e-7)


CHECKS = (
    check_signature,
    check_table,
    check_shapes_and_units,
    check_refusals,
    check_ports,
    check_assigning,
    check_gradients,
    check_methods_agree,
    check_batch,
    check_transforms,
)
"""What `check_model` runs, in this order."""
