"""How a parameter is fitted: bounds, prior, what it is shared by, transform and regularisation, for every solver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from brainstate.nn import Regularization, Transform

from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import Numbers
from brainmass.fitting.priors import Prior
from brainmass.simulation.inventory import Inventory

__all__ = ["Bounds", "Fixed", "Free", "described", "fitted_paths"]


@dataclass(frozen=True)
class Bounds:
    """Where a parameter is searched for: from `low` to `high`, evenly or, with `log`, evenly in the logarithm.

    Parameters
    ----------
    low, high : number, Quantity or array
        Of the parameter as the equations see it; one number for all regions, or one for each.
    log : bool
        Whether starts are drawn in the logarithm, and, by solvers that search within bounds, steps measured in it;
        both bounds are then positive. Gradient descent steps the values themselves, or what is before their transform.
    """

    low: Numbers
    high: Numbers
    log: bool = False


@dataclass(frozen=True, eq=False)
class Free:
    """How one parameter is fitted, by whichever solver.

    Parameters
    ----------
    bounds : (low, high) or Bounds, optional
        Where it stays.
    prior : Prior, optional
        Its negative log density is added to the loss.
    shared : bool or sequence of labels
        True: one number for all regions, though the parameter of the model has one for each. Labels, one for each
        region, such as names of networks: one number for the regions of each label, in the order of first appearance.
        A fit starts from the means of the present values.
    transform : brainstate Transform, optional
        In place of that of the parameter; solvers without bounds move what is before it.
    reg : brainstate Regularization, optional
        In place of that of the parameter; its loss is added, for numbers in the unit of the parameter.
    """

    bounds: Any = None
    prior: Prior | None = None
    shared: Any = False
    transform: Transform | None = None
    reg: Regularization | None = None


@dataclass(frozen=True)
class Fixed:
    """A parameter that stays as it is, even one given with `fit=True`."""


def described(given: Mapping[str, object] | None, owner: str = "Fitter") -> dict[str, Free | Fixed]:
    """The descriptions that a user wrote, by name."""
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not given:
        raise argument_error(
            Argument("search_space", owner),
            "must map names to bounds or priors",
            f"is {show(given)}",
            'search_space={"a": (-1.0, 1.0)}.',
            kind=TypeError,
        )
    return {name: _as_free(name, what, owner) for name, what in given.items()}


def _as_free(name: str, given: object, owner: str) -> Free | Fixed:
    what = Argument("search_space", owner, entry=name, more=f", for the parameter `{name}`,")
    if isinstance(given, Fixed):
        return given
    if isinstance(given, Prior):
        given = Free(prior=given)
    elif not isinstance(given, Free):
        given = Free(bounds=given)
        if given.bounds is None:
            raise argument_error(
                what, "must say something", "is None", "brainmass.Free(), brainmass.Fixed().", kind=TypeError
            )
    kinds = {"prior": (Prior, "brainmass.Normal(0.0, 1.0)"), "transform": (Transform, "brainstate.nn.SoftplusT(0.0)")}
    kinds["reg"] = Regularization, "brainstate.nn.L2Reg(0.1)"
    for field, (kind, example) in kinds.items():
        value = getattr(given, field)
        if value is not None and not isinstance(value, kind):
            raise argument_error(
                what,
                f"must have a {kind.__name__} as `{field}`",
                f"has {show(value)}: e.g. {example}",
                kind=TypeError,
            )
    bounds = given.bounds
    if bounds is None or isinstance(bounds, Bounds):
        return given
    if not isinstance(bounds, tuple | list) or len(bounds) != 2:
        raise argument_error(
            what,
            "must be bounds (low, high) or a brainmass.Bounds, Prior, Free or Fixed",
            f"is {show(bounds)}",
            kind=TypeError,
        )
    return Free(Bounds(*bounds), given.prior, given.shared, given.transform, given.reg)


def fitted_paths(found: Inventory, by_name: Mapping[str, Free | Fixed]) -> dict[str, Free]:
    """What is fitted, by path: parameters given with `fit=True` and those that are described, save the fixed ones."""
    by_path = {found.find_param(name): what for name, what in by_name.items()}
    if len(by_path) < len(by_name):
        rule = f"names a parameter twice: {', '.join(by_name)}"
        raise argument_error(Argument("search_space", "Fitter"), rule)
    chosen = {path: by_path.get(path, Free()) for path, param in found.params.items() if param.fit or path in by_path}
    out = {path: what for path, what in chosen.items() if isinstance(what, Free)}
    if not out:
        raise ValueError(
            "The model has nothing to fit. Make a parameter trainable: "
            "brainmass.HopfStep(10, a=brainstate.nn.Param(0.1, fit=True)), or name it in `search_space`. "
            f"It has the parameters {', '.join(found.params)}."
        )
    return out
