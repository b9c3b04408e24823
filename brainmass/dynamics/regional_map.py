"""Parameters that differ between regions as cortical maps do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from brainstate.nn import IdentityT, Param

from brainmass._common.checks import flag, items, numbers, one_of
from brainmass._common.foreign import Held, opened, positions
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.precision import matching_precision
from brainmass._common.typing import Numbers
from brainmass.dynamics.checks import as_regularisation, as_transform
from brainmass.dynamics.module import ClosedModule, ShowsConstructor, fixed

__all__ = ["RegionalMap"]


class RegionalMap(ShowsConstructor, ClosedModule, Param):  # pyright: ignore[reportIncompatibleMethodOverride]
    r"""A parameter that follows cortical maps, :math:`p_i = T(T^{-1}(a) + \sum_k b_k\, m_{ki})`.

    It stands in the place of any parameter of a model. Trained are the coefficients, K + 1 of them: the first for the
    level, the others for the maps. The transform :math:`T` keeps the values in its range, e.g.
    `brainstate.nn.SoftplusT(0.0)` above zero; with none, :math:`p_i = a + \sum_k b_k\, m_{ki}`.

    Parameters
    ----------
    maps : array or table (K, N) or (N,), or mapping of str to array (N,)
        Maps over the regions, plain numbers, finite; e.g. the ratio of T1w to T2w images, or the principal gradient of
        functional connectivity, standardised. An empty mapping leaves the level, one number for all regions.
    a : number or Quantity
        The level: the value of a region where all maps are zero.
    b : number, array (K,), or mapping of str to number
        Where the coefficients of the maps start; by the names of maps, 0 for those that it lacks. Plain numbers; with a
        transform, before it.
    transform : brainstate Transform, optional
    reg : brainstate Regularization, optional
        Acts on the values.
    fit : bool
        Whether the coefficients are trainable.
    rows : 'maps' or 'regions', optional
        What a row of `maps` is. Default 'maps', where the shape leaves no doubt: a column (N, 1), a square and a table
        with names of its rows and columns do.
    regions : sequence of labels, or Connectome, optional
        The regions of the model in their order, by which those of a table are put in order.

    Examples
    --------
    >>> import brainmass, jax.numpy as jnp
    >>> gradient = jnp.array([-1.0, 0.0, 1.0])
    >>> node = brainmass.WongWangExcInhStep(3, w_p=brainmass.RegionalMap(gradient, a=1.5, b=0.25))
    >>> print(node.w_p.value())
    [1.25 1.5  1.75]

    Reference: Demirtaş et al. 2019, Neuron 101:1181.
    """

    _asked = {"reg": as_regularisation, "transform": as_transform, "fit": flag}
    _elsewhere = fixed("fit", "names")

    def __init__(self, maps: Any, a: Any, b: Any = 0.0, transform: Any = None, reg: Any = None, fit: bool = True,
        *, rows: str | None = None, regions: Any = None,
    ):  # fmt: skip
        self._ask(reg=reg, transform=transform, fit=fit)
        names, maps = _named(maps)
        maps = maps if names == () else _checked_maps(maps, rows, regions)
        a = numbers(Argument("a", "RegionalMap"), a)
        b = _by_name(b, names)
        b = np.asarray(numbers(Argument("b", "RegionalMap"), b, unit=u.UNITLESS))
        if b.shape not in ((), maps.shape[:1]):
            raise argument_error(
                Argument("b", "RegionalMap"),
                f"must be one number or one for each of the {len(maps)} maps",
                f"has shape {b.shape}",
            )
        if np.shape(u.get_mantissa(a)) != ():
            raise argument_error(Argument("a", "RegionalMap"), "must be one number, the level", f"is {show(a)}")
        transform = IdentityT() if transform is None else transform
        # A model may be made within jax.jit, where what JAX computes from numbers would be traced.
        with jax.ensure_compile_time_eval():
            level = np.asarray(transform.inverse(jnp.asarray(u.get_mantissa(a), float)))
        if not np.isfinite(level):
            raise argument_error(
                Argument("a", "RegionalMap"), f"must lie within the range of {show(transform)}", f"is {show(a)}"
            )
        with matching_precision(), jax.ensure_compile_time_eval():
            coefficients = jnp.asarray(np.r_[level, np.broadcast_to(b, maps.shape[:1])], float)
            super().__init__(coefficients, reg=reg, fit=fit)
            self.precompute = _OfMaps(jnp.asarray(maps, float), transform, u.get_unit(a))
        self.names = names

    @property
    def coefficients(self) -> Numbers:
        """The level, before the transform, and the coefficients of the maps: shape (K + 1,)."""
        value = self.val
        return getattr(value, "value", value)

    @property
    def named(self) -> dict[str, float]:
        """The coefficients by the names of the maps, with the level, before the transform, as 'level'.

        Raises
        ------
        ValueError
            If the maps have no names.
        """
        if self.names is None:
            raise ValueError('RegionalMap has no names of maps: give them, RegionalMap({"myelin": myelin}, a=1.4).')
        return dict(zip(("level", *self.names), map(float, np.asarray(self.coefficients)), strict=True))

    def set_value(self, value: Any) -> None:
        raise AttributeError("The values of a RegionalMap follow from its maps: make a new one, with other a and b.")


class _OfMaps(ClosedModule):
    """From coefficients to the values of the regions."""

    def __init__(self, maps: Numbers, transform: Any, unit: Any):
        super().__init__()
        # An argument of a program: one is compiled for all maps of a shape.
        self.maps = brainstate.LongTermState(maps)
        self.transform, self.unit = transform, unit

    def __call__(self, coefficients: Numbers) -> Numbers:
        # In full precision: the default of some accelerators would give parameters three decimal digits.
        sums = jnp.matmul(coefficients[1:], self.maps.value, precision=jax.lax.Precision.HIGHEST)
        return u.maybe_decimal(self.transform.forward(coefficients[0] + sums) * self.unit)


def _named(maps: Any) -> tuple[tuple[str, ...] | None, Numbers]:
    """The names of maps, where they are given by name, and the maps, one a row."""
    if not isinstance(maps, Mapping):
        return None, maps
    what = Argument("maps", "RegionalMap")
    if not maps:
        return (), np.zeros(0)  # a sum over no maps is zero, whatever the number of regions
    for name, values in maps.items():
        if not isinstance(name, str) or name == "level":
            raise argument_error(what, "must name maps by a text other than 'level'", f"has {name!r}")
        if np.ndim(values) != 1 or np.shape(values) != np.shape(next(iter(maps.values()))):
            raise argument_error(what, "must hold maps of one shape (N,)", f"{name!r} has {np.shape(values)}")
    rows = [_plain_numbers(what, values) for values in maps.values()]
    return tuple(maps), np.stack(rows) if len(rows) > 1 else rows[0]


def _by_name(b: Any, names: tuple[str, ...] | None) -> Any:
    if not isinstance(b, Mapping):
        return b
    what = Argument("b", "RegionalMap")
    if odd := [name for name in b if name not in (names or ())]:
        raise argument_error(
            what, f"may name {', '.join(names or ('no map: give maps by name',))}", f"names {odd[0]!r}"
        )
    return np.asarray([numbers(what, b.get(name, 0.0), unit=u.UNITLESS) for name in names or ()])


def _checked_maps(maps: Any, rows: str | None, regions: Any) -> np.ndarray:
    what = Argument("maps", "RegionalMap")
    one_of(Argument("rows", "RegionalMap"), rows, (None, "maps", "regions"))
    held = opened(what, maps)
    if regions is not None:
        labels = items(Argument("regions", "RegionalMap"), getattr(regions, "labels", regions), "names")
        held = _by_region(what, held, tuple(labels))
        # By their names regions stand in the last axis now.
        rows = "maps"
    values = _plain_numbers(what, held.values)
    if rows is None and values.ndim == 2 and _is_open(values, held):
        raise ValueError(
            f"{what} of shape {values.shape} could have a row for each map or for each region. Give rows='maps' or "
            "rows='regions'."
        )
    # One map alone, (N,), is one row.
    values = np.atleast_2d(values.T if rows == "regions" and values.ndim == 2 else values)
    if values.ndim != 2 or values.size == 0:
        raise argument_error(what, "must have shape (K, N) or (N,)", f"has {np.shape(maps)}")
    if not np.isfinite(values).all():
        k, i = np.argwhere(~np.isfinite(values))[0]
        raise argument_error(what, "must be finite", f"is {values[k, i]} in map {k}, region {i}")
    return values


def _plain_numbers(what: str, given: Any) -> np.ndarray:
    given = numbers(what, given)
    if u.get_unit(given).dim != u.DIMENSIONLESS:
        raise argument_error(
            what, "must be plain numbers", f"is in {u.get_unit(given)}: give `a` the unit", kind=u.UnitMismatchError
        )
    return np.asarray(u.maybe_decimal(given), dtype=float)


def _is_open(values: np.ndarray, held: Held) -> bool:
    """Whether rows could be maps as well as regions."""
    labelled = len(held.labels) == 2 and all(labels is not None for labels in held.labels)
    rows, columns = values.shape
    return labelled or (columns == 1 and rows > 1) or (rows == columns > 1)


def _by_region(what: str, held: Held, regions: tuple[str, ...]) -> Held:
    """With the regions, in their order, in the last axis."""
    axes = [axis for axis in range(len(held.labels)) if set(held.texts(what, axis) or ()) >= set(regions)]
    if not axes:
        if len(held.labels) == 0 or all(labels is None for labels in held.labels):
            raise argument_error(what, "must be a table with the names of its regions where `regions` is given")
        named = next(axis for axis, labels in enumerate(held.labels) if labels is not None)
        positions(what, regions, held.texts(what, named) or ())  # for its error
    axis = axes[0]
    # In the order of the model's regions, and without those that it lacks.
    held = held.taken(positions(what, regions, held.texts(what, axis) or ()), axis)
    return held if axis == len(held.labels) - 1 else held.transposed((1, 0))
