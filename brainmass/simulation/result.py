"""What a run returns: recorded activity with its time stamps, ready to look at, export and keep."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.display import folded, page, table
from brainmass._common.messages import Argument
from brainmass._common.paths import as_path, target_path
from brainmass._common.typing import Array, Numbers, Pytree
from brainmass.dynamics.module import Closed
from brainmass.simulation import outwards, storage
from brainmass.simulation.result_parts import (
    check_labels,
    check_modes,
    check_monitors,
    check_provenance,
    check_sensors,
    distinct_axes,
    is_concrete,
    listed,
    scalar_time,
    unknown_monitor,
    without_time_stamps,
)

if TYPE_CHECKING:
    import pandas
    import xarray


__all__ = ["Result"]


class Result(Closed, MutableMapping[str, Any]):
    """Recorded trajectories by monitor name, each of shape ``(time, batch..., region)``, and their time stamps.

    ``result["ts"]`` are the time stamps, where all monitors share them, and after a run without ``monitors``
    ``result["output"]`` is what the model returned. Further entries can be assigned; they are read in place of what was
    recorded under the same name, and are kept in files.

    Where states are the modes of one thing, as ``xi_1``, ``xi_2``, ``xi_3`` of ``xi`` in a Stefanescu–Jirsa model,
    ``result["xi"]`` has them with the modes as last axis, ``(time, batch..., region, mode)``, where all were recorded.

    A JAX pytree: the recordings, their time stamps and the final state are its leaves; names, ``dt``,
    ``duration``, ``labels`` and ``provenance`` belong to its structure.

    Parameters
    ----------
    monitors
        Recorded arrays or quantities, one row per sample.
    times
        Time stamps of every monitor, one per row. Kept in ms.
    dt, duration
        Integration step and length of the run.
    final
        State at the end of the run, from which it can be continued: nested dicts, tuples and lists of
        arrays, quantities, random keys and plain numbers.
    labels
        Names of the regions.
    provenance
        Where the numbers come from: version, model, seed, ...
    sensors
        Names of the sensors that monitors see, by monitor, one for each entry of the last axis.
    modes
        Monitors that are the modes of one thing, in order, by its name.

    Examples
    --------
    >>> import brainunit as u
    >>> import jax.numpy as jnp
    >>> result = Result({"r": jnp.ones((4, 2)) * u.Hz}, {"r": jnp.arange(1.0, 5.0) * u.ms},
    ...                 dt=0.1 * u.ms, duration=4 * u.ms)
    >>> result
    Result: 4 ms in steps of 0.1 ms
      r  (4, 2)  every 1 ms  Hz  min 1  mean 1  max 1
    >>> result["r"].shape
    (4, 2)
    """

    _monitors: dict[str, Numbers]
    _closed = True
    _axes: tuple[Numbers, ...]  # the distinct time axes, in ms
    _axis_of: dict[str, int]  # monitor name -> position in _axes
    _output: str | tuple[str, ...] | None  # the monitors that hold what the model returned
    _assigned: dict[str, object]
    _sensors: tuple[tuple[str, tuple[str, ...]], ...]  # names of sensors by monitor
    _modes: tuple[tuple[str, tuple[str, ...]], ...]  # monitors that are modes, by what they are modes of

    def __init__(
        self,
        monitors: Mapping[str, Pytree],
        times: Mapping[str, Pytree],
        *,
        dt: Numbers,
        duration: Numbers,
        final: object = None,
        labels: tuple[str, ...] | None = None,
        provenance: Mapping[str, str] | None = None,
        sensors: Mapping[str, Sequence[str]] | None = None,
        modes: Mapping[str, Sequence[str]] | None = None,
    ):
        self._monitors = without_time_stamps(monitors, times)
        check_monitors(self._monitors, times)
        self._axes, self._axis_of = distinct_axes({name: times[name] for name in self._monitors})
        self._dt = scalar_time("dt", dt)
        self._duration = scalar_time("duration", duration)
        self._final = final
        self._labels = check_labels(labels)
        self._provenance = check_provenance(provenance)
        self._output, self._assigned = None, {}
        self._sensors = check_sensors(sensors or {}, self._monitors)
        self._modes = check_modes(modes or {}, self._monitors, self._axis_of)

    # the mapping: what was recorded, "output", "ts", and what was assigned; "time" is a courtesy of __getitem__

    def __getitem__(self, name: str) -> Numbers:
        if name in self._assigned:
            return self._assigned[name]
        if name in self._monitors:
            value = self._monitors[name]
            return Outputs(value) if type(value) is tuple else value
        if name == "output" and self._output is not None:
            names = self._output
            return self._monitors[names] if isinstance(names, str) else Outputs(self._monitors[n] for n in names)
        if name in ("time", "ts"):
            return self.time
        if name in self.modes:
            return u.math.stack([self._monitors[mode] for mode in self.modes[name]], axis=-1)
        raise KeyError(unknown_monitor(name, (*self, *self.modes)))

    def __setitem__(self, name: str, value: Numbers) -> None:
        if not isinstance(name, str):
            raise TypeError(f"An entry of a Result must have a string as its name, but has {name!r}.")
        self._assigned[name] = value

    def __delitem__(self, name: str) -> None:
        if name in self and name not in self._assigned:
            raise TypeError(
                f"What a run recorded stays in its Result: {name!r} was not assigned. Copy it: dict(result)."
            )
        del self._assigned[name]

    def __iter__(self) -> Iterator[str]:
        names = [*self._monitors]
        names += ["output"] if self._output is not None else []
        # Of monitors with different periods no one time axis is that of the result: each has its own in `times`.
        names += ["ts"] if len(self._axes) == 1 else []
        return iter(dict.fromkeys([*names, *self._assigned]))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __contains__(self, name: object) -> bool:
        return name in list(self)

    # comparing arrays has no single truth value: two results are equal when they are the same object
    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    @property
    def recorded(self) -> Mapping[str, Numbers]:
        """What the run recorded, by monitor; without time stamps and without what was assigned later."""
        return MappingProxyType(self._monitors)

    @property
    def time(self) -> Numbers:
        """Time stamps in ms, where all monitors share them."""
        if len(self._axes) == 1:
            return self._axes[0]
        if not self._axes:
            raise ValueError("This result has no monitors, hence no time axis.")
        name = next(reversed(self._monitors))
        raise ValueError(
            f"The monitors {listed(self._monitors)} of this result do not share one time axis. "
            f'Ask for one: result.times["{name}"].'
        )

    @property
    def times(self) -> Mapping[str, Numbers]:
        """Time stamps in ms of every monitor, one per row."""
        return MappingProxyType({name: self._axes[axis] for name, axis in self._axis_of.items()})

    @property
    def dt(self) -> Numbers:
        """Integration step."""
        return u.Quantity(*self._dt)

    @property
    def duration(self) -> Numbers:
        """Length of the run."""
        return u.Quantity(*self._duration)

    @property
    def final(self) -> Pytree:
        """State at the end of the run, from which it can be continued."""
        return self._final

    @property
    def labels(self) -> tuple[str, ...] | None:
        """Names of the regions."""
        return self._labels

    @property
    def sensors(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the sensors, by monitor."""
        return MappingProxyType(dict(self._sensors))

    @property
    def modes(self) -> Mapping[str, tuple[str, ...]]:
        """Monitors that are modes of one thing, in order, by its name; `result[name]` is all of them."""
        return MappingProxyType(dict(self._modes))

    @property
    def provenance(self) -> Mapping[str, str]:
        """Where the numbers come from."""
        return MappingProxyType(dict(self._provenance))

    def __repr__(self) -> str:
        rows = [_summary(name, x, self.times[name]) for name, x in self.recorded.items()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return "\n  ".join([f"Result: {self._length}{self._origin}", *lines])

    def _repr_html_(self) -> str:
        rows = [(*_summary(n, x, self.times[n])[:4], *self._span(n)) for n, x in self.recorded.items()]
        head = ("recorded", "shape", "sampled", "unit", "from", "to", "min", "mean", "max")
        facts = [*self._provenance]
        facts += [("final state", "kept, to go on from: `state=result.final`")] if self._final is not None else []
        names = enumerate(self._labels or ())
        regions = [folded(f"{len(self._labels)} regions", table(("", "region"), names))] if self._labels else []
        return page("Result", self._length, table(head, rows), table(("", "provenance"), facts), *regions)

    def _span(self, name: str) -> tuple[str, ...]:
        """First and last time, lowest, mean and largest value."""
        stamps, values = u.get_mantissa(self.times[name]), u.get_mantissa(self._monitors[name])
        ends = (
            (f"{float(np.ravel(stamps)[i]):g} ms" for i in (0, -1)) if is_concrete(stamps) and len(stamps) else ("", "")
        )
        return *ends, *(_extremes(values).values() or ("", "", ""))

    @property
    def _length(self) -> str:
        return f"{_show_time(self._duration)} in steps of {_show_time(self._dt)}"

    @property
    def _origin(self) -> str:
        known = dict(self._provenance)
        facts = [
            f"{word}{known[name]}" for name, word in (("model", ""), ("method", ""), ("seed", "seed ")) if name in known
        ]
        return f" ({', '.join(facts)})" if facts else ""

    def to_xarray(self) -> xarray.Dataset:
        """An ``xarray.Dataset``: one variable per monitor, times in ms and regions as coordinates.

        Monitors that are modes of one thing are one variable, with a last dimension and coordinate ``mode``.
        """
        return storage.to_xarray(self)

    def to_pandas(self, name: str | None = None) -> pandas.DataFrame:
        """A DataFrame of one monitor: times in ms as its index, regions as its columns, the unit in `attrs`.

        Of a batch the columns are runs and regions. `name` says which monitor, where there are several.
        """
        return outwards.to_pandas(self, name)

    def to_csv(self, path: str | os.PathLike[str], name: str | None = None) -> None:
        """Write one monitor as text, with a row of names and a column of times in ms, whole or not at all."""
        outwards.to_csv(self, path, name)

    def to_mne(self, name: str | None = None, *, sensors: Any = None, kind: str = "eeg") -> Any:
        """A `RawArray` of MNE of what sensors see, with their names, in volt or tesla.

        Parameters
        ----------
        name : str, optional
            Which monitor, where there are several.
        sensors : sequence of strings, optional
            Names of the sensors.
        kind : 'eeg', 'seeg', 'ecog' or 'mag'
        """
        return outwards.to_mne(self, name, sensors, kind)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to ``.npz`` (numpy only) or ``.nc`` (netCDF); :meth:`load` restores all of it.

        The file appears whole or not at all: a write that fails leaves what was there before.
        """
        what = Argument("path", "Result.save")
        storage.save(self, target_path(path, what, storage.SUFFIXES, 'result.save("run.npz").'))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Result:
        """Read a file written by :meth:`save`."""
        what = Argument("path", "Result.load")
        return storage.load(cls, as_path(path, what, storage.SUFFIXES, 'Result.load("run.npz").'))

    def _axis_names(self) -> list[str]:
        if len(self._axes) == 1:
            return ["time"]
        first: dict[int, str] = {}
        for name, axis in self._axis_of.items():
            first.setdefault(axis, f"time_{name}")
        return list(first.values())


class Outputs(tuple):
    """What a model that returns several things at once returned, one trajectory each."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of each of them."""
        return u.math.shape(self[0])


jax.tree_util.register_pytree_node(Outputs, lambda parts: (tuple(parts), None), lambda _, parts: Outputs(parts))


# --- a result as a pytree -----------------------------------------------------------------------------


def _flatten(result: Result):
    key = jax.tree_util.GetAttrKey
    children = (
        (key("monitors"), tuple(result._monitors.values())),
        (key("times"), result._axes),
        (key("final"), result._final),
        (key("assigned"), result._assigned),
    )
    # All hashable, as the structure of a pytree must be: mappings stand as tuples of pairs.
    static = (
        tuple(result._axis_of.items()),
        result._dt,
        result._duration,
        result._labels,
        result._provenance,
        result._output,
        result._sensors,
        result._modes,
    )
    return children, static


def _unflatten(static, children) -> Result:
    # no checks: transformations put tracers, None and placeholders here, and vmap adds leading axes
    values, axes, final, assigned = children
    axis_of = dict(static[0])
    result = unchecked(dict(zip(axis_of, values, strict=True)), axes, axis_of, final, *static[1:])
    result._assigned = dict(assigned)
    return result


def unchecked(
    monitors: dict[str, Numbers],
    axes: tuple[Array, ...],
    axis_of: dict[str, int],
    final: object,
    dt: tuple[float, u.Unit],
    duration: tuple[float, u.Unit],
    labels: tuple[str, ...] | None,
    provenance: tuple[tuple[str, str], ...],
    output: str | tuple[str, ...] | None = None,
    sensors: tuple[tuple[str, tuple[str, ...]], ...] = (),
    modes: tuple[tuple[str, tuple[str, ...]], ...] = (),
) -> Result:
    """A result of parts that are known to be in order."""
    result = object.__new__(Result)
    result._monitors, result._axes, result._axis_of, result._final = monitors, axes, axis_of, final
    result._dt, result._duration, result._labels, result._provenance = dt, duration, labels, provenance
    result._output, result._assigned, result._sensors, result._modes = output, {}, sensors, modes
    return result


jax.tree_util.register_pytree_with_keys(Result, _flatten, _unflatten)


# --- the summary --------------------------------------------------------------------------------------


def _show_time(time: tuple[float, object]) -> str:
    return f"{time[0]:.6g} {time[1]}"


def _summary(name: str, value: object, stamps: object) -> tuple[str, ...]:
    values = u.get_mantissa(value) if isinstance(value, u.Quantity) else value
    unit = str(value.unit) if isinstance(value, u.Quantity) else ""
    shape = getattr(values, "shape", None)
    return name, "" if shape is None else str(tuple(shape)), _period(stamps), unit, _range(values)


def _period(stamps: Numbers) -> str:
    values = u.get_mantissa(stamps) if isinstance(stamps, u.Quantity) else stamps
    if not is_concrete(values) or values.shape[-1] < 2:
        return ""
    # `vmap` gives time stamps leading axes; all lanes have the same.
    values = np.asarray(values, dtype=np.float64).reshape(-1, values.shape[-1])[0]
    return f"every {(values[-1] - values[0]) / (len(values) - 1):.4g} ms"


def _range(values: Numbers) -> str:
    return "  ".join(f"{word} {number}" for word, number in _extremes(values).items())


def _extremes(values: Numbers) -> dict[str, str]:
    # Random keys, which may be recorded, have no least and no largest.
    if not is_concrete(values) or values.size == 0 or jnp.issubdtype(values.dtype, jax.dtypes.extended):
        return {}
    numbers = {"min": values.min(), "mean": values.mean(), "max": values.max()}
    return {word: f"{number.item():.4g}" for word, number in numbers.items()}
