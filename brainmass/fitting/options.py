"""The back ends of a fit: which options belong to which, and the solver that each is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brainmass._common.checks import one_of, whole
from brainmass._common.messages import Argument, argument_error
from brainmass.fitting.problem import Problem
from brainmass.fitting.solvers.derivative_free import DifferentialEvolution, Nevergrad
from brainmass.fitting.solvers.gradient import GradientDescent
from brainmass.fitting.solvers.multi_objective import ParetoSearch
from brainmass.fitting.solvers.protocol import Solver
from brainmass.fitting.solvers.second_order import LeastSquares, Minimize

__all__ = ["BACKENDS", "check_options", "solver"]


BACKENDS = ("grad", "nevergrad", "scipy", "optimistix", "pymoo")


# Back ends that take each option, with the value that stands for "not given".
_OPTIONS = {
    "n_starts": (("grad",), 1),
    "popsize": (("nevergrad", "scipy", "pymoo"), None),
    "mode": (("grad", "scipy"), "reverse"),
    "grad_horizon": (("grad", "scipy", "optimistix"), None),
}


def check_options(backend: str, optimizer: object, options: Mapping[str, object]) -> None:
    one_of(Argument("mode", "Fitter"), options["mode"], ("reverse", "forward"))
    whole(Argument("n_starts", "Fitter"), options["n_starts"])
    if options["popsize"] is not None:
        whole(Argument("popsize", "Fitter"), options["popsize"])
    for name, value in options.items():
        backends, absent = _OPTIONS[name]
        if backend not in backends and _is_given(value, absent):
            raise argument_error(
                Argument(name, "Fitter"),
                f"belongs to the back ends {', '.join(backends)}; {backend!r} would ignore it",
            )
    if backend == "scipy":
        evolves = _evolves(optimizer)
        for name in ("mode", "grad_horizon") if evolves else ("popsize",):
            if _is_given(options[name], _OPTIONS[name][1]):
                raise argument_error(
                    Argument(name, "Fitter"), f"would be ignored by {optimizer or 'differential_evolution'}"
                )


def _is_given(value: object, absent: object) -> bool:
    return value is not None and not (isinstance(value, int | str) and value == absent)


def _evolves(optimizer: object) -> bool:
    return optimizer is None or str(optimizer).lower() == "differential_evolution"


def solver(
    backend: str,
    problem: Problem,
    optimizer: Any,
    n_starts: int,
    popsize: int | None,
    settings: Mapping[str, object],
    named: Any,
) -> Solver:
    if backend == "grad":
        return GradientDescent(problem, optimizer, n_starts)
    if backend == "nevergrad":
        searching = Nevergrad(problem, optimizer, popsize)
        searching.settings = settings
        return searching
    if backend == "pymoo":
        return ParetoSearch(problem, optimizer, popsize, named)
    if backend == "optimistix":
        return LeastSquares(problem, optimizer)
    if _evolves(optimizer):
        return DifferentialEvolution(problem, popsize)
    minimising = Minimize(problem, optimizer)
    minimising.settings = dict(settings)
    return minimising
