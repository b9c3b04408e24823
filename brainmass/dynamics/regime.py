"""How far a model's own method of integration can be trusted: the largest time step, as part of a declaration."""

from __future__ import annotations

import dataclasses
import inspect
import math
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import brainunit as u
import numpy as np

from brainmass._common.checks import is_traced
from brainmass._common.typing import ArrayLike, Numbers

__all__ = ["LargestStep", "default_method", "longest_step", "warn_of_large_step"]

_PACKAGE = str(Path(__file__).parents[1])


@dataclasses.dataclass(frozen=True)
class LargestStep:
    """The largest step at which the default method of a model keeps amplitudes and periods of its output within 3 %.

    It is the least of a time, of shares of time constants, and of shares of one over rates, so that it follows the
    parameters: `LargestStep(of={"tau": 0.1})` is a tenth of `tau`.

    Parameters
    ----------
    at_most : Quantity, optional
        A time.
    of : mapping of str to float
        Shares of time constants, by parameter; plain numbers are in ms.
    over : mapping of str to float
        Shares of one over rates, by parameter; plain numbers are per ms.
    """

    at_most: Numbers = None
    of: Mapping[str, float] = dataclasses.field(default_factory=dict)
    over: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that it follows."""
        return (*self.of, *self.over)

    def given(self, value_of: Callable[[str], Numbers]) -> float:
        """In ms, for parameters of these values; those that JAX traces, or that are not there, do not count."""
        times = [] if self.at_most is None else [_in_ms(self.at_most).item()]
        for shares, longest in ((self.of, _least_time), (self.over, _least_inverse)):
            for name, share in shares.items():
                value = value_of(name)
                # A value that is traced is not known: then the step is judged by the others.
                if value is not None and not is_traced(value):
                    times.append(share * longest(value))
        return min(times, default=math.inf)

    def __str__(self) -> str:
        parts = [] if self.at_most is None else [f"{_in_ms(self.at_most).item():g} ms"]
        parts += [f"{share:g} {name}" for name, share in self.of.items()]
        parts += [f"{share:g}/{name}" for name, share in self.over.items()]
        return parts[0] if len(parts) == 1 else f"the least of {', '.join(parts)}"


# Written with numpy: the table of a class is made on import, which must not start JAX.
def _in_ms(time: ArrayLike) -> np.ndarray:
    if not isinstance(time, u.Quantity):
        return np.asarray(time, float)
    return np.asarray(time.mantissa, float) * (time.unit.magnitude / u.ms.magnitude)


def _least_time(time: ArrayLike) -> float:
    return float(_in_ms(time).min())


def _least_inverse(rate: ArrayLike) -> float:
    per_ms = (
        rate if not isinstance(rate, u.Quantity) else np.asarray(rate.mantissa) * (rate.unit.magnitude * u.ms.magnitude)
    )
    fastest = float(np.abs(np.asarray(per_ms, float)).max())
    return math.inf if fastest == 0 else 1 / fastest


def default_method(model: type) -> str:
    """The method that a model class takes when nothing is said."""
    shown = inspect.signature(model).parameters
    return shown["method"].default if "method" in shown else ""


def longest_step(node: Any, unknown: Collection[str] = ()) -> float:
    """The largest time step that a node declares, in ms: of a class at the defaults, else at its present parameters.

    Those that are `unknown` do not count.
    """
    if getattr(node, "largest_step", None) is None:
        return math.inf
    if isinstance(node, type):
        if strange := set(node.largest_step.names) - set(node._params):
            raise TypeError(f"{node.__name__}.largest_step must follow parameters of the model, but names {strange}.")
        return node.largest_step.given(lambda name: node._params[name].default)
    held = {name: None if name in unknown else getattr(node, name) for name in node.largest_step.names}
    return node.largest_step.given(lambda name: None if (param := held[name]) is None else param.value())


def warn_of_large_step(nodes: Iterable[Any], dt: float, free: Iterable[str] = ()) -> None:
    """Warn of a time step, in ms, that is larger than the nodes of a run declare; `free` parameters are not known."""
    # Freed parameters are given at each call: what they are now says nothing.
    unknown = {name.rpartition(".")[2] for name in free}
    for node in nodes:
        longest = longest_step(node, unknown)
        # A share of a time constant may come to a digit less than the step that is as large.
        if dt > longest * (1 + 1e-6):
            name = type(node).__name__
            warnings.warn(
                f"The time step, {dt:g} ms, is larger than the largest of {name}, {longest:.3g} ms "
                f"({node.largest_step}), up to which its method {default_method(type(node))!r} keeps amplitudes and "
                f"periods within 3 %: the model may be in another regime. Example: "
                f"Simulator(model, dt={longest:.3g} * u.ms).",
                UserWarning,
                stacklevel=_frames_of_the_package() + 1,
            )


def _frames_of_the_package() -> int:
    """How many calls up the code of the user stands, as `warnings.warn` counts from the caller of this."""
    depth = 1
    while depth < 50:
        try:
            # Not `inspect.stack`, which reads the source of each frame.
            frame = sys._getframe(depth)
        except ValueError:
            break
        if not frame.f_code.co_filename.startswith(_PACKAGE):
            return depth - 1
        depth += 1
    return 1
