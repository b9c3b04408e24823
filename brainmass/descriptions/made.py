"""From a `Description` to a model class, with rows like one written in Python."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant, Uniform

from brainmass._common.typing import Numbers
from brainmass._common.units import per
from brainmass.descriptions.description import Description, State
from brainmass.descriptions.dimensions import Dimensions, Measure
from brainmass.descriptions.expressions import names_in, outside_conditions
from brainmass.descriptions.reading import TAKEN
from brainmass.descriptions.values import Scope
from brainmass.dynamics import integrators
from brainmass.dynamics.fields import Initializer, Par, option, param, state
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.noise import Noise

__all__ = ["Described", "make_model"]


class Described(type(NeuralMassDynamics)):
    """The class of the classes that descriptions make."""


def make_model(description: Description, written: tuple = ()) -> type[NeuralMassDynamics]:
    """The model class that a description stands for; `written` is what a pickle of it keeps.

    Raises
    ------
    UnitMismatchError
        If the units of its equations do not agree.
    """
    return _Maker(description).model(written)


class _Maker:
    def __init__(self, description: Description):
        self.d = d = description
        self.derived = {name: tree for name, (_, tree, _) in d.derived.items()}
        given = {**d.parameters, **d.states}
        self.units = {name: x.unit for name, x in given.items()}
        self.port_units = {name: x.unit for name, x in d.inputs.items()}
        self.per_time = dict.fromkeys(d.states, False)
        if d.with_units:
            self._solve()
        self.port_units = {name: u.UNITLESS if unit is None else unit for name, unit in self.port_units.items()}
        self.closures = self._closures()
        reached = set().union(*(self.closures[f"d{name}"] for name in d.states))
        for name in d.inputs:
            if name not in reached:
                raise d.place.other(f"Input `{name}`").fault(
                    "must enter an equation of a state", "does not: what a network sends there would be lost"
                )

    # --- units --------------------------------------------------------------------------------------------------------
    def _solve(self) -> None:
        """Find the units of inputs, and whether a right-hand side is in the unit of its state or in that per time."""
        d = self.d
        found = Dimensions({**self.units, **self.port_units}, {n: (place, x) for n, (place, x, _) in d.derived.items()})
        equations = [(place, x, Measure(unit)) for place, x, unit in d.derived.values() if unit is not None]
        for name, x in d.states.items():
            unit, first = Measure(x.unit), found.of(x.place, x.equation)
            # Public files often leave out that a rate is per time: then it is per `time_unit`. One that depends on an
            # input of unknown unit is taken as it should be, which tells that unit.
            self.per_time[name] = isinstance(first, Measure) and (
                first.is_zero or not first.powers and first.unit.has_same_dim(x.unit)
            )
            rate = unit if self.per_time[name] else unit.times(Measure(d.time_unit), -1.0)
            equations.append((x.place, x.equation, rate))
        found.solve(equations)
        for place, tree, _ in d.derived.values():
            found.of(place, tree)
        self.port_units = {name: found.units[name] for name in d.inputs}

    def _closures(self) -> dict[str, set[str]]:
        """By equation, and derived symbol, all symbols that it depends on."""
        known: dict[str, set[str]] = {}

        def closure(tree: ast.expr) -> set[str]:
            # It ends, since the reader has refused symbols that depend on themselves.
            names = names_in(tree)
            for name in names & self.derived.keys():
                if name not in known:
                    known[name] = closure(self.derived[name])
                names = names | known[name]
            return names

        for name, tree in self.derived.items():
            known[name] = closure(tree)
        return known | {f"d{name}": closure(x.equation) for name, x in self.d.states.items()}

    # --- values -------------------------------------------------------------------------------------------------------
    def _scope(self, node: NeuralMassDynamics, values: Mapping[str, Numbers], names: set[str]) -> Scope:
        params = {name: getattr(node, name).value() for name in names & self.d.parameters.keys()}
        known = {**params, **{name: values[name] for name in names & values.keys()}}
        if not self.d.with_units:
            units = {**self.units, **self.port_units}
            # The equations of such a file hold for numbers, in the units that it states.
            known = {name: _number(x, units[name]) for name, x in known.items()}
        return Scope(known, self.derived)

    def _rate(self, name: str) -> Callable[..., Numbers]:
        """The method `d<state>`."""
        d, x = self.d, self.d.states[name]
        names = self.closures[f"d{name}"]
        rate_unit = _rate_unit(x, d.time_unit)
        entering = [port for port in d.inputs if port in names]
        arguments = [name, *(n for n in d.states if n in names and n != name), *entering]
        arguments += [x.input] if x.adds else []

        def rate(self_: NeuralMassDynamics, *given: Numbers) -> Numbers:
            values = dict(zip(arguments, given, strict=True))
            found = self._scope(self_, values, names).of(x.equation)
            if not d.with_units:
                # Of numbers in the units of the file come numbers: the unit of the rate is put on.
                found = u.maybe_decimal(found * rate_unit)
            elif self.per_time[name]:
                found = u.maybe_decimal(found / d.time_unit)
            if not names & d.states.keys():  # else it has the shape of a state
                found = found + u.maybe_decimal(0.0 * given[0] / d.time_unit)
            return found + values[x.input] if x.adds else found

        P = inspect.Parameter
        # By these names the base binds states and ports, as to equations written in Python.
        rate.__signature__ = inspect.Signature([P(n, P.POSITIONAL_OR_KEYWORD) for n in ("self", *arguments)])
        rate.__name__, rate.__doc__ = f"d{name}", f"Rate of change of `{name}`."
        return rate

    def _told(self, node: NeuralMassDynamics, name: str, values: Mapping[str, Numbers]) -> Numbers:
        """A derived symbol; of numbers, in the unit that the file gives it."""
        value, unit = self._scope(node, values, self.closures[name])[name], self.d.derived[name][2]
        return value if self.d.with_units or unit is None else u.maybe_decimal(value * unit)

    def _watched(self, name: str) -> Callable[[NeuralMassDynamics], Numbers]:
        """The method that gives a derived symbol at the present states."""

        def watched(node: NeuralMassDynamics) -> Numbers:
            received = {port: getattr(node, f"received_{port}").value for port in node.remembers}
            return self._told(node, name, {**node.state_values(), **received})

        watched.__name__, watched.__doc__ = name, f"`{name}` at the present states."
        return watched

    def _source(self, sources: tuple[str, ...]) -> Callable[[NeuralMassDynamics, str, Mapping[str, Numbers]], Numbers]:
        def source(node: NeuralMassDynamics, name: str, values: Mapping[str, Numbers]) -> Numbers:
            if name not in sources:
                return values[name]
            return self._told(node, name, values)

        return source

    # --- the class ----------------------------------------------------------------------------------------------------
    def model(self, written: tuple) -> type[NeuralMassDynamics]:
        d = self.d
        own = {x.input for x in d.states.values()} | {x.noise_input for x in d.states.values()}
        remembered = self._remembered()
        # A derived symbol with the name of something that nodes have is a part of equations, and no more.
        reached = {name: self.closures[name] & d.inputs.keys() for name in self.derived if name not in TAKEN}
        # To be sent, a symbol must follow from states alone: what enters the ports is not known yet.
        sources = tuple(name for name, ports in reached.items() if not ports)
        watched = [name for name, ports in reached.items() if ports <= set(remembered)]
        shared = {name: unit for name, unit in self.port_units.items() if name not in own}
        rows: dict[str, tuple[object, object]] = {}
        slopes = self._with_slopes()
        for name, x in d.parameters.items():
            unit = x.unit
            default = x.value if unit.dim == u.DIMENSIONLESS else x.value * unit
            # Where none of the rates has a slope in it, the tests of models ask for none.
            rows[name] = Par, param(default=default, doc=x.doc, domain=x.domain, in_derivative=name in slopes)
        for name, x in d.states.items():
            rows[f"init_{name}"] = Initializer, _start(x)
            if x.input or x.noise_input:
                rows[f"noise_{name}"] = Noise | None, None
        for name, x in d.states.items():
            rows[name] = HiddenState, self._state_row(x)
        if d.method:
            rows["method"] = str, option(default=d.method, check=integrators.check_method)
        if d.clamp:
            rows["clamp"] = bool, option(default=True)
        namespace: dict[str, object] = {
            "__doc__": d.doc,
            # Not of the package, whose models alone `list_models` lists.
            "__module__": "descriptions",
            "__annotations__": {name: annotation for name, (annotation, _) in rows.items()},
            **{name: default for name, (_, default) in rows.items()},
            "category": d.category,
            "use_case": d.use_case,
            "output": d.output,
            "shared_inputs": {n: unit for n, unit in shared.items() if not d.inputs[n].is_optional},
            "further_inputs": {n: unit for n, unit in shared.items() if d.inputs[n].is_optional},
            "sources": sources,
            "source": self._source(sources),
            "remembers": remembered,
            "description": d,
            "_written": written,
            **{name: self._watched(name) for name in watched},
            **{f"d{name}": self._rate(name) for name in d.states},
        }
        if d.inputs:
            namespace["coupling_port"] = next(iter(d.inputs))
        return cast(type[NeuralMassDynamics], Described(d.name, (NeuralMassDynamics,), namespace))

    def _remembered(self) -> tuple[str, ...]:
        """The inputs that what `update` returns depends on."""
        outputs = (self.d.output,) if isinstance(self.d.output, str) else self.d.output
        reached = set().union(*(self.closures.get(name, ()) for name in outputs))
        return tuple(name for name in self.d.inputs if name in reached)

    def _with_slopes(self) -> set[str]:
        """Parameters that some rate of change varies with; one that only chooses between cases has no slope."""
        reached: set[str] = set()
        waiting = [x.equation for x in self.d.states.values()]
        while waiting:
            new = outside_conditions(waiting.pop()) - reached
            reached |= new
            waiting += [self.derived[name] for name in new & self.derived.keys()]
        return reached & self.d.parameters.keys()

    def _state_row(self, x: State) -> object:
        rate_unit = _rate_unit(x, self.d.time_unit)
        unit = rate_unit if x.adds else self.port_units.get(x.input)
        return state(
            x.doc,
            unit=x.unit,
            port=x.input,
            port_unit=unit,
            add=x.noise_input,
            add_unit=self.port_units.get(x.noise_input),
            domain=x.domain,
            is_angle=x.is_angle,
        )


def _number(value: Numbers, unit: u.Unit) -> Numbers:
    """The number of a value in a unit."""
    return u.Quantity(value).to_decimal(unit)


def _rate_unit(x: State, time_unit: u.Unit) -> u.Unit:
    return per(x.unit, time_unit)


def _start(x: State) -> Initializer:
    unit: Any = 1.0 if x.unit.dim == u.DIMENSIONLESS else x.unit
    if isinstance(x.start, tuple):
        low, high = x.start
        return Uniform(low * unit, high * unit)
    return Constant(x.start * unit)
