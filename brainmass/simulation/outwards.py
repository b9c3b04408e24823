"""Results in the containers of other libraries: tables of pandas, recordings of MNE, CSV."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import brainunit as u
import numpy as np

from brainmass._common.checks import instance, items, one_of
from brainmass._common.extras import import_extra
from brainmass._common.files import whole_file
from brainmass._common.messages import Argument, argument_error
from brainmass._common.paths import as_path
from brainmass.simulation.storage import Recorded

if TYPE_CHECKING:
    import pandas


__all__ = ["to_csv", "to_mne", "to_pandas"]


def the_monitor(result: Recorded, name: str | None, method: str) -> str:
    monitors = list(result.times)  # the result itself has "ts" and what was assigned, too
    if name is None and len(monitors) != 1:
        raise argument_error(
            Argument("name", f"Result.{method}"), f"must say which monitor, one of {', '.join(map(repr, monitors))}"
        )
    return monitors[0] if name is None else one_of(Argument("name", f"Result.{method}"), name, monitors)


def to_pandas(result: Recorded, name: str | None) -> pandas.DataFrame:
    pandas = import_extra("tables", "pandas")
    name = the_monitor(result, name, "to_pandas")
    values = np.asarray(u.get_mantissa(result[name]))
    times = pandas.Index(np.asarray(u.get_mantissa(result.times[name]), float), name="time (ms)")
    table = pandas.DataFrame(values.reshape(len(values), -1), times, _columns(pandas, result, name, values.shape[1:]))
    table.attrs["units"] = str(u.get_unit(result[name]))
    return table


def _columns(pandas: ModuleType, result: Recorded, name: str, shape: tuple[int, ...]) -> object:
    """The names of the regions, or of sensors; in a batch beside the number of the run."""
    if not shape:
        return None
    sensors = result.sensors.get(name)
    named = result.labels is not None and len(result.labels) == shape[-1]
    last = list(sensors or (result.labels if named else None) or range(shape[-1]))
    what = "region" if sensors is None else "sensor"
    if len(shape) == 1:
        return pandas.Index(last, name=what)
    names = ["batch", *(f"batch_{i}" for i in range(2, len(shape)))][: len(shape) - 1]
    return pandas.MultiIndex.from_product([*(range(n) for n in shape[:-1]), last], names=[*names, what])


def to_csv(result: Recorded, path: str | os.PathLike[str], name: str | None) -> None:
    table = to_pandas(result, name)
    target = Path(as_path(path)).resolve()
    with whole_file(target) as partial:
        table.to_csv(partial)


# In which MNE takes its numbers.
_SI = {"eeg": u.volt, "seeg": u.volt, "ecog": u.volt, "mag": u.tesla}


def to_mne(result: Recorded, name: str | None, sensors: Sequence[str] | None, kind: str) -> Any:
    mne = import_extra("eeg", "mne")
    name = the_monitor(result, name, "to_mne")
    one_of(Argument("kind", "Result.to_mne"), kind, _SI)
    value, unit = result[name], _SI[kind]
    if not u.get_unit(value).has_same_dim(unit):
        raise u.UnitMismatchError(
            f"Monitor {name!r} must be in {unit} for the {kind!r} of MNE, but is in {u.get_unit(value)}."
        )
    data = np.asarray(u.Quantity(value).to_decimal(unit), float)
    if data.ndim != 2:
        raise ValueError(f"Monitor {name!r} must have shape (time, sensors) for MNE, but has {data.shape}.")
    n = data.shape[1]
    what = Argument("sensors", "Result.to_mne")
    names = _names(result, name, n) if sensors is None else items(what, sensors, "names")
    if len(names) != n:
        raise argument_error(Argument("sensors", "Result.to_mne"), f"must be {n} names", f"are {len(names)}")
    names = [instance("Each of the `sensors` of Result.to_mne", sensor, str, "text") for sensor in names]
    info = mne.create_info(names, _rate(name, result), kind)
    # Else MNE prints what it has made.
    return mne.io.RawArray(data.T, info, verbose="error")


def _names(result: Recorded, name: str, n: int) -> list[str]:
    labels = result.sensors.get(name, result.labels)
    return list(labels) if labels is not None and len(labels) == n else [f"sensor {i}" for i in range(n)]


def _rate(name: str, result: Recorded) -> float:
    """Samples per second."""
    gaps = np.diff(np.asarray(u.get_mantissa(result.times[name]), float))
    # Of a traced run times are in single precision: after ten thousand samples their gaps differ by 6e-4.
    if not len(gaps) or np.ptp(gaps) > 1e-3 * gaps.mean():
        raise ValueError(f"Monitor {name!r} must be sampled evenly, twice or more, for MNE, but is not.")
    return 1000.0 / float(gaps.mean())
