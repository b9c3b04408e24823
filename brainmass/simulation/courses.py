"""Parameters that a run is given for itself: a number for all of it, or a course in time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, runtime_checkable

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import instance, is_function, is_traced
from brainmass._common.clock import at_stage, time_of_stage
from brainmass._common.foreign import plain
from brainmass._common.messages import Argument, argument_error, parameter_named, show
from brainmass._common.precision import default_dtype
from brainmass._common.typing import Numbers, RunParameters
from brainmass.dynamics.fields import ParamSpec
from brainmass.dynamics.noise import Noise
from brainmass.simulation.inputs import arguments_of
from brainmass.simulation.inventory import Inventory, Values, inventory
from brainmass.simulation.values import check_course_values, check_unit, checked_value, declared_of
from brainmass.stimuli.algebra import Drive

__all__ = ["Courses", "as_courses", "reading"]

_MOST_LOOKS = 2000  # times within a run at which a course is looked at before it


@runtime_checkable
class KnowsWhatMoves(Protocol):
    """A module for which it matters that parameters move."""

    def check_moving(self, param: object) -> None: ...


@dataclass
class Courses:
    """What a run is given for parameters, by path: constants, functions of time, and stimuli.

    `names` are those that the user wrote, under which a run holds the stimuli.
    """

    constants: dict[str, Numbers] = field(default_factory=dict)
    functions: dict[str, Callable[..., Numbers]] = field(default_factory=dict)
    drives: dict[str, Drive] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    @property
    def moving(self) -> tuple[str, ...]:
        """The paths of those that move."""
        return (*self.functions, *self.drives)

    @property
    def holds(self) -> bool:
        """Whether some hold through each step."""
        return any(drive.holds for drive in self.drives.values())

    @property
    def structure(self) -> tuple:
        """What tells one program from another, besides what functions and stimuli are made of."""
        return tuple(self.functions), tuple((path, self.names[path]) for path in self.drives)

    @property
    def modules(self) -> dict[str, Drive]:
        """The stimuli by the names that the user wrote."""
        return {self.names[path]: drive for path, drive in self.drives.items()}

    def put(self, bundle: Any, found: Inventory, held: Values | None = None) -> None:
        """Let the parameters of a copy follow their courses: each reading gives the value at the present stage.

        `held` are those that hold through the present step, where they were worked out for it.
        """
        for path in self.moving:
            param = found.params[path]
            like = u.math.shape(param.value())
            value: Numbers = self.functions.get(path) or bundle.courses[self.names[path]].at_stage
            if held is not None and path in held:
                # Bound now, as a closure over the loop's variable would give all parameters the last one.
                value = partial(_same, held[path])
            # The one place at which a parameter of brainstate asks for its value whenever it is read.
            param.precompute = partial(_present, value, path in self.functions, like)

    def held(self, bundle: Any) -> Values:
        """The values of the courses that hold through a step, in the present one."""
        return {path: bundle.courses[self.names[path]].at_stage() for path, x in self.drives.items() if x.holds}

    def specs(self, found: Inventory) -> dict[str, ParamSpec]:
        """The rows of those that move and have bounds to stay in."""
        specs = {path: declared_of(found, path)[2] for path in self.moving}
        return {path: spec for path, spec in specs.items() if spec is not None and spec.domain.is_bounded}

    def refuse_given(self, named: Mapping[str, str]) -> None:
        """Refuse to free parameters, by name, that the run is given already."""
        for name, path in named.items():
            if path in self.names:
                course = f"parameters.{self.names[path]}"
                raise argument_error(
                    Argument("free", "pure", text=f"Parameter `{name}`"),
                    "cannot be freed or swept",
                    "is given by `parameters` of the run",
                    hint=f"What moves it can be freed, as {course}.amplitude." if path in self.drives else "",
                )

    def check(self, found: Inventory, start: int, n_steps: int, dt: Numbers) -> None:
        """Refuse courses that leave the domain of their parameter in a run of these steps, or end before it."""
        step = float(dt.to_decimal(u.ms))
        # The starts of as many steps as there is time to look at, and the end of the last.
        steps = np.unique(np.linspace(start, start + n_steps - 1, min(n_steps, _MOST_LOOKS)).astype(np.int32))
        steps, parts = np.r_[steps, steps[-1]], np.r_[np.zeros(len(steps)), 1.0]
        for path in self.moving:
            what = parameter_named(self.names[path])
            if path in self.drives:
                self.drives[path].check_duration(what, (start + n_steps) * step)
            seen = self._seen(path, found, steps, parts, dt)
            _check_shape(what, found, path, u.math.shape(seen)[1:])
            if is_traced(seen) or isinstance(u.get_mantissa(seen), jax.ShapeDtypeStruct):
                check_unit(found, path, u.get_unit(seen), what)
            else:
                check_course_values(found, path, seen, (steps + parts) * step, what)

    def _seen(self, path: str, found: Inventory, steps: np.ndarray, parts: np.ndarray, dt: Numbers) -> Numbers:
        """The values of a course at these steps, and parts of them; of one that is traced their form alone."""
        is_of_time = path in self.functions
        course: Any = self.functions[path] if is_of_time else self.drives[path].at_stage
        like = u.math.shape(found.params[path].value())

        def at(i: Any, part: Any) -> Any:
            with brainstate.environ.context(i=i, t=i * dt, dt=dt), at_stage(part):
                return _present(course, is_of_time, like)

        with jax.ensure_compile_time_eval():
            given = jnp.asarray(steps), jnp.asarray(parts, default_dtype())
        if path in self.drives and is_traced(inventory(self.drives[path]).raw()):
            return jax.eval_shape(jax.vmap(at), *given)
        # Within a trace as well: times are numbers, and an error before the run is better than NaN after it.
        with jax.ensure_compile_time_eval():
            return jax.vmap(at)(*given)


def _present(value: Callable[..., Numbers], is_of_time: bool, like: tuple[int, ...], _: object = None) -> Numbers:
    """The value of a course at the present stage; one number for all as the parameter has it."""
    now = u.math.asarray(value(time_of_stage()) if is_of_time else value(), dtype=default_dtype())
    for note in _readings.get():
        note.found = True
    # A stimulus of one place gives (1,), which in an equation would add an axis to a parameter of shape ().
    return u.math.reshape(now, ()) if u.math.shape(now) == (1,) != like else now


def _same(value: Numbers) -> Numbers:
    return value


# --- what depends on a parameter that moves -------------------------------------------------------------------------
@dataclass
class Reading:
    found: bool = False


_readings: ContextVar[tuple[Reading, ...]] = ContextVar("who is told that a parameter that moves is read", default=())


@contextmanager
def reading() -> Iterator[Reading]:
    """Tells whether a parameter that moves was read within it."""
    one = Reading()
    token = _readings.set((*_readings.get(), one))
    try:
        yield one
    finally:
        _readings.reset(token)


# --- from what a user writes ----------------------------------------------------------------------------------------
def as_courses(given: RunParameters, holds: Callable[[], Inventory]) -> Courses:
    """Courses from what a user may write; names are those of parameters among what the run `holds`."""
    courses = Courses()
    if given is None:
        return courses
    # Asked for only here: most runs are given no parameters, and need no inventory for them.
    found = holds()
    instance(
        Argument("parameters", "run"), given, Mapping, "a mapping of names of parameters to their courses",
        example='parameters={"a": -0.5 + brainmass.Ramp(1, amplitude=1.0, duration=1 * u.second)}',
    )  # fmt: skip
    for name, value in given.items():
        path, what = found.find_param(name), parameter_named(name)
        if path in courses.names:
            raise argument_error(what, f"is named twice, as {courses.names[path]!r} too")
        if found.params[path].fit:
            raise argument_error(
                what, "must not be trainable", "is, and would be trained in vain: train those of its course",
                example=f"free=['parameters.{name}.amplitude']",
            )  # fmt: skip
        courses.names[path] = name
        _take(courses, what, path, value, found)
    for module in found.modules.values():
        for path in courses.moving if isinstance(module, KnowsWhatMoves) else ():
            module.check_moving(found.params[path])
    return courses


def _take(courses: Courses, what: Argument, path: str, value: Any, found: Inventory) -> None:
    if isinstance(value, Noise) or (isinstance(value, Drive) and value.draws):
        raise argument_error(what, "must not be random", f"is {show(value)}", kind=TypeError)
    if isinstance(value, Drive):
        courses.drives[path] = value
    elif is_function(value):
        if arguments_of(value) != ("t",):
            raise argument_error(what, "must be a function of time alone", "has more arguments", kind=TypeError)
        courses.functions[path] = value
    else:
        value = u.math.asarray(plain(what, value))
        _check_shape(what, found, path, u.math.shape(value))
        courses.constants[path] = checked_value(found, path, value, what)


def _check_shape(what: Argument, found: Inventory, path: str, shape: tuple[int, ...]) -> None:
    """One number, or one for each of what the parameter may have them."""
    fitting = {(), (1,), u.math.shape(found.params[path].value())}
    module, name, spec = declared_of(found, path)
    if spec is not None and name != "conn":
        # One number that moves may become one for each region, but weights keep their layout.
        fitting |= {module.shape_of(name, found.params[path])} - {None}
    elif u.math.ndim(found.params[path].value()) > 1:
        fitting -= {(), (1,)}  # all weights alike: connections that are not there would come
    if shape not in fitting:
        forms = " or ".join(str(x) for x in sorted(fitting))
        raise argument_error(
            what, f"must have shape {forms}", f"has shape {shape}",
            hint="Rows in time are brainmass.Recording(..., data=rows, every=...), or brainmass.Steps.",
        )  # fmt: skip
