"""From what a YAML file holds to a `Description`: each key has a meaning, or is refused."""

from __future__ import annotations

import ast
import keyword
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import brainunit as u
import numpy as np

from brainmass._common.messages import show, suggestion
from brainmass._common.units import per, unit_of
from brainmass.descriptions.description import Description, Input, Parameter, State
from brainmass.descriptions.expressions import Functions, names_in, parse, unknown_names
from brainmass.descriptions.faults import Place
from brainmass.dynamics.fields import Domain, nonnegative, positive, real, unit_interval
from brainmass.dynamics.node import NeuralMassDynamics

__all__ = ["TAKEN", "read_description", "read_unit"]

Table = Mapping[str, Any]

# Keys that say what no equation needs.
_NOTES = {"definition", "description", "grounding", "iri", "label", "name", "source", "symbol", "record"}
_KEYS = {
    "model": {
        *("parameters", "derived_parameters", "functions", "derived_variables", "coupling_inputs", "state_variables"),
        *("model_type", "number_of_modes", "system_type", "events", "units", "time_unit", "output", "method"),
        *("references", "has_reference", "autonomous", "cse", "use_case"),
    },
    "parameter": {"value", "unit", "domain", "explored_values"},
    "derived": {"equation", "unit", "conditional", "cases", "domain"},
    "function": {"equation", "arguments", "unit"},
    "input": {"unit", "local", "optional"},
    "state": {
        *("equation", "unit", "domain", "initial_value", "distribution", "coupling_variable", "variable_of_interest"),
        *("equation_type", "equation_order", "input", "noise_input", "is_angle"),
    },
    "domain": {"lo", "hi", "step", "enforce", "open"},
    "equation": {"lhs", "rhs", "latex"},
}
_NOT_HERE = {
    "components": "is made of components: write their equations out",
    "number_of_modes": "has modes, which are no axis here: write each as a state of its own",
    "system_type": "is a map from one step to the next: only differential equations are models of a node",
}
_ARGUMENTS = {"self", "state", "t"}
TAKEN = set(dir(NeuralMassDynamics)) - {"p"}
"""What every node has: no parameter, state or input can be called so."""


class Reader:
    """Reads the parts of one file, in the order in which they need one another."""

    def __init__(self, data: Table, place: Place, with_units: bool | None, time_unit: u.Unit | None):
        self.data, self.place = data, place
        self.whole = place.other("The description")
        self._check_model()
        self.time_unit = time_unit or self._time_unit()
        says = self._text(self.whole, data.get("units", "checked"))
        if says not in ("checked", "numbers"):
            raise self.whole.fault("must have `units` that are 'checked' or 'numbers'", f"has {show(says)!r}")
        self.with_units = says == "checked" if with_units is None else with_units
        self.parameters = {n: self._parameter(n, x) for n, x in self._table("parameters").items()}
        self.inputs = {n: self._input(n, x) for n, x in self._table("coupling_inputs").items()}
        self.functions = self._functions()
        derived = {**self._table("derived_parameters"), **self._table("derived_variables")}
        self.derived = {n: self._derived(n, x) for n, x in derived.items()}
        self.states = self._states()
        self._check_names()

    # --- tables -----------------------------------------------------------------------------------------------------
    def _check_model(self) -> None:
        if "components" in self.data:
            raise self.whole.fault("must be one table of equations", _NOT_HERE["components"])
        self._check_keys(self.whole, self.data, "model")
        if self.data.get("number_of_modes", 1) not in (1, None):
            raise self.whole.fault("must have one mode", _NOT_HERE["number_of_modes"])
        if self.data.get("system_type", "continuous") != "continuous":
            raise self.whole.fault("must have equations of motion", _NOT_HERE["system_type"])
        for name, event in self._table("events").items():
            # Other events tell when something happens, and change nothing.
            if isinstance(event, Mapping) and event.get("affect"):
                raise self.whole.fault(
                    "must have equations of motion alone",
                    f"has the event `{name}`, which sets states: {show(event['affect'])}",
                )
        if not self._table("state_variables"):
            raise self.whole.fault("must have `state_variables`", f"has {', '.join(self.data) or 'nothing'}")

    def _table(self, key: str) -> dict[str, Table]:
        """Entries by name, which all are tables."""
        given = self.data.get(key) or {}
        if not isinstance(given, Mapping):
            raise self.whole.fault(f"must have `{key}` as a table by name", f"has {show(given)}")
        found = {}
        for name, entry in given.items():
            entry = {} if entry is None else entry
            if not isinstance(entry, Mapping):
                raise self.place.other(f"Entry `{name}` of `{key}`").fault("must be a table", f"is {show(entry)}")
            # As Python's parser does with the names in equations (PEP 3131).
            found[unicodedata.normalize("NFKC", str(name))] = entry
        return found

    def _check_keys(self, place: Place, given: Table, kind: str) -> None:
        known = _KEYS[kind] | _NOTES
        for key in given:
            if key not in known:
                raise place.fault(
                    "must have keys that are known", f"has `{key}`", hint=f"{suggestion(str(key), known)} There are "
                    f"{', '.join(sorted(known))}.",
                )  # fmt: skip

    def _text(self, place: Place, given: object) -> str:
        if not isinstance(given, str):
            raise place.fault("must have text where a name or a unit stands", f"has {show(given)}")
        return given

    def _number(self, place: Place, given: Any, what: str) -> float:
        """A number; text such as "1e-3" in a file that another reader of YAML wrote is one."""
        try:
            if isinstance(given, bool | list | Mapping):
                raise TypeError
            return float(given)
        except (TypeError, ValueError):
            hint = " Matrices are not: write their entries as parameters." * isinstance(given, list)
            raise place.fault(f"must have a number as `{what}`", f"has {show(given)}", hint=hint) from None

    def _unit(self, place: Place, given: Table) -> u.Unit:
        return read_unit(place, given["unit"]) if given.get("unit") is not None else u.UNITLESS

    def _time_unit(self) -> u.Unit:
        unit = read_unit(self.whole, self.data.get("time_unit", "ms"))
        if not unit.has_same_dim(u.ms):
            raise self.whole.fault("must have a unit of time as `time_unit`", f"has {unit}")
        return unit

    def _doc(self, name: str, given: Table) -> str:
        for key in ("description", "definition", "label"):
            if given.get(key):
                text = " ".join(str(given[key]).split()).rstrip(".")
                # It stands within sentences. An abbreviation, as EEG, keeps its capitals.
                return text[0].lower() + text[1:] if text[1:2].islower() else text
        return name

    def _domain(self, place: Place, given: Table) -> Domain:
        """Bounds that the file enforces; others are ranges for browsing."""
        bounds = given.get("domain") or {}
        self._check_keys(place, bounds, "domain")
        if not bounds.get("enforce"):
            return real
        low = self._number(place, bounds.get("lo", -np.inf), "lo")
        high = self._number(place, bounds.get("hi", np.inf), "hi")
        if not low < high:
            raise place.fault("must have a domain whose `lo` is below its `hi`", f"has {low:g} and {high:g}")
        return _domain(low, high, bounds.get("open", ""))

    # --- entries ----------------------------------------------------------------------------------------------------
    def _parameter(self, name: str, given: Table) -> Parameter:
        place = self.place.other(f"Parameter `{name}`")
        self._check_keys(place, given, "parameter")
        if "value" not in given:
            raise place.fault("must have a `value`", f"has {', '.join(given) or 'nothing'}")
        value, domain = self._number(place, given["value"], "value"), self._domain(place, given)
        if not domain.contains(np.asarray(value)):
            raise place.fault(f"must be {domain.text}", f"is {value:g}")
        return Parameter(value, self._unit(place, given), self._doc(name, given), domain)

    def _input(self, name: str, given: Table) -> Input:
        place = self.place.other(f"Input `{name}`")
        self._check_keys(place, given, "input")
        unit = self._unit(place, given) if given.get("unit") else None
        return Input(unit, self._doc(name, given), bool(given.get("optional") or given.get("local")))

    def _functions(self) -> Functions:
        """Functions of the file, each with those that it calls written out."""
        given, made, open_ = self._table("functions"), {}, []

        # Functions are made when they are first called, in whatever order they stand; `open_` are those being made,
        # among which a call is a circle.
        class Written(dict):
            def __missing__(self, name: str) -> tuple[tuple[str, ...], ast.expr]:
                return make(name)

            def __contains__(self, name: object) -> bool:
                return name in given

        def make(name: str) -> Any:
            place = self.place.other(f"Function `{name}`")
            self._check_keys(place, given[name], "function")
            if name in open_:
                raise place.fault("must not call itself", f"does, by {' -> '.join([*open_, name])}")
            open_.append(name)
            arguments = tuple(map(str, given[name].get("arguments") or ()))
            made[name] = arguments, parse(place, self._rhs(place, name, given[name]), functions)
            open_.pop()
            functions[name] = made[name]
            return made[name]

        functions = Written()
        for name in given:
            functions[name]  # those that nothing calls, for their errors
        return functions

    def _rhs(self, place: Place, name: str, given: Table) -> object:
        """The right-hand side as it is written; of a symbol with cases alone, put together from those."""
        equation = given.get("equation")
        if equation is not None and not isinstance(equation, Mapping):
            return equation
        equation = equation or {}
        self._check_keys(place, equation, "equation")
        if equation.get("latex"):
            raise place.fault("must be an expression", f"is LaTeX: {show(equation.get('rhs'))}")
        if "rhs" in equation:
            return equation["rhs"]
        cases = given.get("cases") or ()
        pairs = [f"({(x.get('equation') or {}).get('rhs')}, {x.get('condition')})" for x in cases]
        if not pairs:
            raise place.fault("must have an `equation` with its `rhs`", f"has {', '.join(given) or 'nothing'}")
        return f"Piecewise({', '.join(pairs)})"

    def _derived(self, name: str, given: Table) -> tuple[Place, ast.expr, u.Unit | None]:
        place = self.place.other(f"Equation of `{name}`")
        self._check_keys(place, given, "derived")
        unit = self._unit(place, given) if given.get("unit") else None
        return place, parse(place, self._rhs(place, name, given), self.functions), unit

    def _states(self) -> dict[str, State]:
        tables = self._table("state_variables")
        # A file that names inputs of states, as `save_model` writes them, means no others.
        own = any("input" in x for x in tables.values())
        return {name: self._state(name, x, own) for name, x in tables.items()}

    def _state(self, name: str, given: Table, own: bool) -> State:
        """A state; where no state of the file names its `input`, each has one that adds to its equation."""
        place = self.place.other(f"Equation of `{name}`")
        self._check_keys(place, given, "state")
        if given.get("equation_order", 1) != 1 or given.get("equation_type", "differential") != "differential":
            raise place.fault("must be a differential equation of first order", "is of another kind")
        entering = [str(given.get(key) or "") for key in ("input", "noise_input")]
        for port in filter(None, entering):
            if port not in self.inputs:
                raise place.fault("must name inputs that are among `coupling_inputs`", f"names `{port}`")
        return State(
            parse(place, self._rhs(place, name, given), self.functions),
            place,
            self._unit(place, given),
            self._doc(name, given),
            self._domain(place, given),
            self._start(place, given),
            bool(given.get("is_angle")),
            entering[0] if own else f"{name}_inp",
            not own,
            entering[1],
        )

    def _start(self, place: Place, given: Table) -> float | tuple[float, float]:
        spread = given.get("distribution")
        if spread and spread.get("name") == "Uniform":
            ends = spread.get("domain") or spread.get("parameters") or {}
            return self._number(place, ends.get("lo"), "lo"), self._number(place, ends.get("hi"), "hi")
        if spread:
            raise place.fault("must start from a number or a `Uniform` distribution", f"has {show(spread)}")
        return self._number(place, given.get("initial_value", 0.0), "initial_value")

    # --- names ------------------------------------------------------------------------------------------------------
    def _check_names(self) -> None:
        own = [state.input for state in self.states.values() if state.adds]
        groups = [self.parameters, self.inputs, self.derived, self.states, own]
        seen: set[str] = set()
        for names, name in ((group, name) for group in groups for name in group):
            place = self.place.other(f"Symbol `{name}`")
            if not name.isidentifier() or keyword.iskeyword(name):
                raise place.fault("must have letters, digits and _ alone, and be no word of Python", f"is {name!r}")
            # Derived symbols are no attributes of the class where the name is taken.
            if (name in TAKEN and names is not self.derived) or name in _ARGUMENTS or name.startswith("_"):
                raise place.fault("must not be called as something that every node has", "is", hint="Rename it.")
            if name in seen:
                raise place.fault("must have one meaning", "is there twice")
            seen.add(name)
        equations = [*self.derived.values(), *((x.place, x.equation) for x in self.states.values())]
        known = {*self.parameters, *self.inputs, *self.derived, *self.states}
        for place, tree, *_ in equations:
            for name in unknown_names(tree, known):
                self._refuse_name(place, name, known)
        self._check_circles()

    def _refuse_name(self, place: Place, name: str, known: Iterable[str]) -> None:
        if name == "t":
            raise place.fault(
                "must not depend on the time t", "does", hint="Give it an input, and what enters there to the run."
            )
        raise place.fault(
            "must have symbols that the file declares", f"has `{name}`", hint=suggestion(name, known).strip()
        )

    def _check_circles(self) -> None:
        done: set[str] = set()

        def visit(name: str, path: tuple[str, ...]) -> None:
            if name in path:
                circle = " -> ".join([*path[path.index(name) :], name])
                raise self.derived[name][0].fault("must not depend on itself", f"does, by {circle}")
            if name not in done:
                for other in sorted(names_in(self.derived[name][1]) & self.derived.keys()):
                    visit(other, (*path, name))
                done.add(name)

        for name in self.derived:
            visit(name, ())

    # --- what it all is -----------------------------------------------------------------------------------------------
    def description(self) -> Description:
        # It is to be the name of a class.
        name = re.sub(r"\W", "_", str(self.data.get("name") or self.place.file.partition(".")[0]))
        return Description(
            name=name if name.isidentifier() and not keyword.iskeyword(name) else f"Model_{name}",
            place=self.whole,
            doc=self._class_doc(),
            category=str(self.data.get("model_type") or "described"),
            use_case=str(self.data.get("use_case") or ""),
            parameters=self.parameters,
            inputs=self.inputs,
            derived=self.derived,
            states=self.states,
            with_units=self.with_units,
            time_unit=self.time_unit,
            output=self._output(),
            method=str(self.data.get("method") or ""),
            clamp=any(
                (x.get("domain") or {}).get("enforce") == "clamp" for x in self._table("state_variables").values()
            ),
        )

    def _class_doc(self) -> str:
        text = str(self.data.get("description") or f"Model described by {self.place.file}").strip()
        references = self.data.get("references") or ()
        references = [references] if isinstance(references, str) else [str(x) for x in references]
        return f"{text}\n\nReference: {'; '.join(references)}." if references else text

    def _output(self) -> str | tuple[str, ...]:
        """What the file says, else the first state that couples, that is of interest, or that there is."""
        if given := self.data.get("output"):
            names = tuple(map(str, given)) if isinstance(given, list) else str(given)
            for name in (names,) if isinstance(names, str) else names:
                if name not in self.states and name not in self.derived:
                    raise self.whole.fault("must have states or derived symbols as `output`", f"has `{name}`")
            return names
        tables = self._table("state_variables")
        for key in ("coupling_variable", "variable_of_interest"):
            for name, table in tables.items():
                if table.get(key):
                    return name
        return next(iter(tables))


def read_description(
    data: Table, file: str, with_units: bool | None = None, time_unit: u.Unit | None = None
) -> Description:
    """What a file describes; None where it is left to the file.

    Raises
    ------
    ValueError, UnitMismatchError
        With the place in the file, and what it lacks.
    """
    return Reader(data, Place(file, "The description"), with_units, time_unit).description()


def _domain(low: float, high: float, ends: str) -> Domain:
    """`ends` says which bounds are no values themselves: none, "lo" or "both"."""
    is_open = ends in ("lo", "both")
    for known in (nonnegative, unit_interval, positive):
        if known.bounds == (low, high) and (known is positive) == is_open and ends != "both":
            return known
    contains: Callable[[np.ndarray], np.ndarray] = lambda x: np.isfinite(x) & (x >= low) & (x <= high)  # noqa: E731
    if is_open:
        contains = lambda x: np.isfinite(x) & (x > low) & (x <= high)  # noqa: E731
    text = f"between {low:g} and {high:g}" if np.isfinite(high) else f"{'>' if is_open else '>='} {low:g}"
    text = text if np.isfinite(low) else f"<= {high:g}"
    if ends == "both":
        closed = contains
        contains = lambda x: closed(x) & (x < high)  # noqa: E731
        text += ", and neither of them"
    below = (low - 1.0,) if np.isfinite(low) else ()
    above = (high + 1.0,) if np.isfinite(high) else ()
    return Domain(text, contains, (*below, *above, np.nan), (low, high))


def read_unit(place: Place, text: object) -> u.Unit:
    """A unit as brainunit writes it, "mV/ms", or as LEMS and TVB-O do, "mV_per_ms"."""
    if not isinstance(text, str):
        raise place.fault("must have text as a unit", f"has {show(text)}", "mV")
    if text.strip() in ("", "1", "dimensionless", "none"):
        return u.UNITLESS
    # "mV_per_ms", "per_s"; of each part "m2" is m^2.
    first, *others = re.split(r"(?:^|_)per_", text.strip())
    first, *parts = (re.sub(r"([A-Za-z])(\d)$", r"\1^\2", part.strip("_")) for part in (first, *others))
    try:
        unit = unit_of(first) if first else u.UNITLESS
        for part in parts:
            unit = per(unit, unit_of(part))
    except ValueError as error:
        raise place.fault("must have a unit that is known", f"has {text!r}", hint=str(error)) from None
    return u.UNITLESS if unit.dim == u.DIMENSIONLESS and unit.has_same_magnitude(u.UNITLESS) else unit
