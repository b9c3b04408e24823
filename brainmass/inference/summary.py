"""`Features`: a recording as one row of numbers, each with a name."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import is_function, items, whole
from brainmass._common.messages import Argument, argument_error, show, suggestion
from brainmass._common.typing import Array, Numbers, Time
from brainmass.dynamics.module import Closed, fixed
from brainmass.inference.features import FEATURES, Settings
from brainmass.objectives._checks import seconds

__all__ = ["Features", "as_features", "list_features", "of_recordings", "restored"]

Named = str | Callable[[Array], Array]


class Features(Closed):
    """A function from a recording (time, region) to one row of numbers. Safe under `jit`, `grad` and `vmap`.

    Parameters
    ----------
    which : str, callable, or list of them
        Names of `list_features()`, and functions of a recording.
    sampling_period : Quantity, optional
        Time between samples. With it frequencies are in Hz and times in seconds; `"band_power"` needs it.
    window_size, step_size : int
        Of the windows of `"fcd"` and its like, in samples.

    Raises
    ------
    ValueError, TypeError
        If there is no such feature, or a recording does not have it: connectivity of one region, say.

    Notes
    -----
    A recording with a unit is taken in that unit by features with a name, and as it is by functions. Further axes are
    regions, too; one of shape (time,) is that of one region.

    Examples
    --------
    >>> import numpy as np
    >>> from brainmass.inference import Features
    >>> features = Features(["mean", "fc"])
    >>> recording = np.random.default_rng(0).normal(size=(100, 3))
    >>> features.names(recording)
    ['mean[0]', 'mean[1]', 'mean[2]', 'fc[0, 1]', 'fc[0, 2]', 'fc[1, 2]']
    >>> features(recording).shape
    (6,)
    """

    _elsewhere = fixed("which", "settings")

    def __init__(
        self,
        which: Named | Iterable[Named],
        *,
        sampling_period: Time | None = None,
        window_size: int = 30,
        step_size: int = 5,
    ):
        self.which = _listed(Argument("which", "Features"), which)
        if "band_power" in self.which and sampling_period is None:
            raise argument_error(
                Argument("sampling_period", "Features"),
                "is needed for band_power",
                "is missing",
                'inference.Features(["band_power"], sampling_period=1 * u.ms).',
            )
        period = None if sampling_period is None else seconds(sampling_period, "Features", "Features('mean')")
        sizes = whole(Argument("window_size", "Features"), window_size, 2), whole(Argument("step_size"), step_size)
        self.settings = Settings(period, *sizes)

    def __call__(self, recording: Array) -> jax.Array:
        """All features of a recording, shape (n,)."""
        return jnp.concatenate([jnp.ravel(part) for part in self._parts(recording)])

    def names(self, recording: Array, labels: Sequence[str] | None = None) -> list[str]:
        """One for each number, given a recording or what has its shape; `labels` are those of the regions."""
        shape = _flat_shape(u.math.shape(recording))
        parts = jax.eval_shape(self._parts, recording)
        regions = list(labels) if labels is not None and len(labels) == shape[1] else list(map(str, range(shape[1])))
        return [name for one, part in zip(self.which, parts, strict=True) for name in _names(one, part.shape, regions)]

    def describe(self) -> list[Any]:
        """What a file must agree with: names, those of functions, and the settings."""
        return [[_word(one) for one in self.which], list(self.settings)]

    def __repr__(self) -> str:
        return f"Features({', '.join(map(_word, self.which))})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Features) and (self.which, self.settings) == (other.which, other.settings)

    def __hash__(self) -> int:
        return hash((self.which, self.settings))

    def _parts(self, recording: Array) -> list[jax.Array]:
        return [self._one(one, recording) for one in self.which]

    def _one(self, one: Named, recording: Array) -> jax.Array:
        if not isinstance(one, str):
            return _numbers_of(one, one(recording))
        x = jnp.asarray(u.get_mantissa(recording))
        x = x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(float)
        what, rule = Argument("features", "Features", entry=one), "must be of what was recorded"
        try:
            found = FEATURES[one].function(x.reshape(_flat_shape(x.shape)), self.settings)
        except (ValueError, TypeError, ZeroDivisionError) as error:
            raise argument_error(what, rule, f"{one!r} is not: {str(error).rstrip('.')}") from error
        if not found.size:
            raise argument_error(what, rule, f"{one!r} has no number for a recording of shape {x.shape}")
        return found


def list_features() -> dict[str, str]:
    """What each feature is, by its name."""
    return {name: feature.doc for name, feature in FEATURES.items()}


def as_features(what: Argument, given: Any) -> Features:
    """Those that are, or are named."""
    if isinstance(given, Features):
        return given
    if not isinstance(given, str | list | tuple) and not is_function(given):
        raise argument_error(
            what, "must be names of features", f"is {show(given)}", 'features=["mean", "std", "fc"].', kind=TypeError
        )
    return Features(_listed(what, given))


def restored(described: list[Any]) -> Features:
    """From what `describe` gave; only of those that are all named."""
    which, (period, window_size, step_size) = described
    if unknown := [one for one in which if one not in FEATURES]:
        what = Argument("features", "Estimator.load")
        raise argument_error(what, f"must be given, as {', '.join(unknown)} are functions", "is missing")
    period = None if period is None else period * u.second
    return Features(which, sampling_period=period, window_size=window_size, step_size=step_size)


def of_recordings(what: Argument, given: Any) -> Callable[[Array], Numbers]:
    """A function as it is; features by name."""
    return given if is_function(given) else as_features(what, given)


def _listed(what: Argument, given: Named | Iterable[Named]) -> tuple[Named, ...]:
    """Each by its name or as a function, and each once."""
    listed = [given] if isinstance(given, str) or is_function(given) else items(what, given, "names and functions")
    if not listed:
        raise argument_error(what, "must hold at least one", "is empty", '["mean", "std", "fc"]')
    which = tuple(_checked(what, one) for one in listed)
    if again := [one for one in which if which.count(one) > 1]:
        raise argument_error(what, "must name each once", f"has {_word(again[0])} twice")
    return which


def _checked(what: Argument, one: Any) -> Named:
    if isinstance(one, str):
        if one not in FEATURES:
            hint = f"{suggestion(one, FEATURES)} There are {', '.join(FEATURES)}."
            raise argument_error(what, "must name features that there are", f"names {one!r}", hint=hint)
        return one
    if not is_function(one):
        raise argument_error(what, "must hold names and functions of a recording", f"has {show(one)}", kind=TypeError)
    return one


def _numbers_of(one: Named, told: Any) -> jax.Array:
    try:
        row = jnp.asarray(u.get_mantissa(told))
    except (TypeError, ValueError):
        row = None
    if row is None or jnp.iscomplexobj(row):
        what = Argument("features", "Features", entry=_word(one))
        raise argument_error(what, "must return real numbers", f"returns {show(told)}", kind=TypeError)
    return row


def _word(one: Named) -> str:
    return one if isinstance(one, str) else getattr(one, "__name__", type(one).__name__)


def _flat_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    if not shape or shape[0] < 2:
        what = Argument("features", text="A recording with features")
        raise argument_error(what, "must be of shape (time, region) with two samples or more", f"is of shape {shape}")
    return shape[0], math.prod(shape[1:])


def _names(one: Named, shape: tuple[int, ...], regions: list[str]) -> list[str]:
    axes = FEATURES[one].axes if isinstance(one, str) else ("number",) * len(shape)
    along = [_places(axis, n, regions) for axis, n in zip(axes, shape, strict=True)]
    return [f"{_word(one)}[{', '.join(place)}]" if place else _word(one) for place in itertools.product(*along)]


def _places(axis: str, n: int, regions: list[str]) -> list[str]:
    if axis == "region":
        return regions
    if axis in ("pair", "pair or region"):
        pairs = zip(*np.triu_indices(len(regions), k=int(axis == "pair")), strict=True)
        return [f"{regions[i]}, {regions[j]}" for i, j in pairs]
    if axis == "band name":
        return ["delta", "theta", "alpha", "beta", "gamma"]
    return list(map(str, range(n)))
