"""Recordings of BOLD, and what is compared with simulations of them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import brainunit as u
import numpy as np

from brainmass._common import checks
from brainmass._common.extras import import_extra
from brainmass._common.foreign import Held, are_names, check_different, opened, positions
from brainmass._common.messages import Argument, argument_error
from brainmass._common.paths import as_path
from brainmass._common.reading.contents import opened_file
from brainmass._common.reading.text import TextStyle
from brainmass._common.typing import ArrayLike, PathLike, Time
from brainmass.datasets.sidecars import repetition_time
from brainmass.objectives import _checks as check
from brainmass.objectives import fcd_matrix, instantaneous_phase, power_spectral_density
from brainmass.signals.filters import least_samples

__all__ = ["Bold", "from_bold"]

_BOLD = Argument("bold", "from_bold", "BOLD signal")
_LEAVE_OUT = "Leave such regions out, of the connectome, too."
_CALL = "from_bold(signal, tr=0.72 * u.second)"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Bold:
    """One recording: its signal, and FC, FCD, spectra and phases of it. Made by `from_bold`; arrays are read-only."""

    #: shape (time, region)
    signal: np.ndarray
    #: from one sample to the next
    repetition_time: u.Quantity
    #: names of the regions; None where nothing says them
    labels: tuple[str, ...] | None = None
    #: lowest and highest frequency that were kept, in Hz; None where it was not filtered
    band: tuple[float, float] | None = None

    @functools.cached_property
    def fc(self) -> np.ndarray:
        """Functional connectivity: Pearson correlations, shape (N, N)."""
        fc = np.atleast_2d(np.corrcoef(self.signal, rowvar=False))
        # In double precision, whatever JAX is set to. Symmetric with ones up to rounding: made exactly so, by which an
        # objective tells it from a time series.
        fc = (fc + fc.T) / 2
        np.fill_diagonal(fc, 1.0)
        fc.setflags(write=False)
        return fc

    def fcd(self, window_size: int = 30, step_size: int = 5) -> np.ndarray:
        """Functional connectivity dynamics, shape (W, W), of windows counted in samples: `objectives.fcd_matrix`."""
        return np.asarray(fcd_matrix(self._about_mean, window_size, step_size))

    def spectrum(self, window_size: int = 256) -> tuple[u.Quantity, u.Quantity]:
        """Frequencies and power spectral densities: `objectives.power_spectral_density`."""
        return power_spectral_density(self._about_mean, self.repetition_time, window_size)

    @functools.cached_property
    def phases(self) -> np.ndarray:
        """Phases in radians, shape (time, region): `objectives.instantaneous_phase`.

        Raises
        ------
        ValueError
            If the signal was not filtered: of all frequencies together there is no phase.
        """
        if self.band is None:
            example = "from_bold(signal, tr=0.72 * u.second, bandpass=(0.04 * u.Hz, 0.07 * u.Hz)).phases"
            raise argument_error(check.what("bandpass", "from_bold"), "must be given for phases", "is None", example)
        return np.asarray(instantaneous_phase(self._about_mean))

    @property
    def _about_mean(self) -> np.ndarray:
        """The signal without its mean, beside which single precision would lose its digits."""
        return self.signal - self.signal.mean(axis=0)

    def of_regions(self, labels: Sequence[str]) -> Self:
        """The recording with these regions, in their order.

        Raises
        ------
        ValueError
            If it has no names, or a region is not among them.
        """
        what = Argument("labels", "of_regions")
        wanted = [str(label) for label in checks.items(what, labels, "names")]
        if self.labels is None:
            raise argument_error(what, "must be given to from_bold first", "this recording has no names")
        check_different(what, wanted)
        places = positions("The recording", wanted, self.labels)
        return dataclasses.replace(self, signal=_read_only(self.signal[:, places]), labels=tuple(wanted))

    def __repr__(self) -> str:
        samples, regions = self.signal.shape
        band = "not filtered" if self.band is None else f"{self.band[0]:g} to {self.band[1]:g} Hz"
        period = self.repetition_time.to_decimal(u.second)
        return f"Bold({samples} samples of {period:g} s, {regions} regions, {band})"


def from_bold(
    bold: ArrayLike | PathLike,
    tr: Time | None = None,
    *,
    bandpass: object = None,
    confounds: ArrayLike | PathLike | None = None,
    labels: Sequence[str] | None = None,
    detrend: bool = True,
    order: int = 5,
) -> Bold:
    """A recording of BOLD as it is compared with simulations: cleaned, with its FC, FCD, spectra and phases.

    The trend, the confounds and what lies outside the band are taken out together by `nilearn.signal.clean`, whose
    filter is that of `objectives.bandpass`: filter simulated signals with it.

    Parameters
    ----------
    bold : array, table or path, shape (time, region)
        A file is a table with a column for each region (fMRIPrep, XCP-D), or of any kind that `read_array` reads, CIFTI
        (`.ptseries.nii`) among them.
    tr : Quantity, optional
        Repetition time. Without it, that which the file says, or the `.json` beside it.
    bandpass : pair of Quantities, optional
        Lowest and highest frequency, as (0.01 * u.Hz, 0.1 * u.Hz).
    confounds : array, table or path, shape (time, confound), optional
        Regressed out.
    labels : sequence of names, optional
        Of the regions. Without it, those of the table.
    detrend : bool
        Take out a straight line.
    order : int
        Of the Butterworth filter, 1 to 12.

    Returns
    -------
    Bold

    Raises
    ------
    ValueError, TypeError
        If a sample is not finite or a region constant, which the message names; if no repetition time is known; if the
        band is not below half the sampling rate.
    """
    of = "from_bold"
    values, named, said = _opened("bold", bold)
    detrend = checks.flag(Argument("detrend", of), detrend)
    period = _period(tr, said)
    band = None if bandpass is None else check.below_nyquist(bandpass, period, "bandpass", of, f"{_CALL[:-1]}, ...)")
    order = check.whole(order, "order", of, 1, "order=5", most=12)
    names = _names(named if labels is None else labels, values, given=labels is not None)
    _check_signal(values, names)
    nuisance = None if confounds is None else _confounds(confounds, len(values))
    if band is not None:
        least = least_samples(order)
        if len(values) < least:
            rule = f"must have {least} samples or more for a filter of order {order}"
            raise argument_error(_BOLD, rule, f"has {len(values)}", "order=2")
    if detrend or band is not None or nuisance is not None:
        raw, values = values, _cleaned(values, period, band, nuisance, detrend, order)
        # Of a trend that is taken out rounding leaves 1e-15 or so of what there was.
        gone = np.ptp(values, axis=0) <= 1e-9 * np.ptp(raw, axis=0)
        if gone.any():
            rule = "must be more than a trend and confounds in each region"
            raise argument_error(_BOLD, rule, f"nothing is left of region {_listed(gone, names)}", hint=_LEAVE_OUT)
    return Bold(_read_only(values), u.Quantity(period, unit=u.second), names, band)


def _cleaned(
    values: np.ndarray,
    period: float,
    band: tuple[float, float] | None,
    confounds: np.ndarray | None,
    detrend: bool,
    order: int,
) -> np.ndarray:
    # In one go: done one after the other, a later step brings back what an earlier one took out (Lindquist et al. 2019,
    # Hum. Brain Mapp. 40:2358).
    signal = import_extra("brain", "nilearn.signal")
    low, high = band or (None, None)
    return signal.clean(
        values,
        detrend=detrend,
        standardize=None,  # the default would make z-scores
        confounds=confounds,
        filter="butterworth" if band else False,
        high_pass=low,
        low_pass=high,
        t_r=period,
        **({"butterworth__order": order} if band else {}),
    )


def _opened(argument: str, given: object) -> tuple[np.ndarray, list[str] | None, float | None]:
    """Samples, names of the columns, and the seconds between samples, where it says them."""
    what = Argument(argument, "from_bold")
    said = None
    if isinstance(given, str | Path):
        path = as_path(given, what)
        if not path.is_file():
            raise argument_error(what, "must be a file", f"{str(path)!r} is none", kind=FileNotFoundError)
        # An empty cell as NaN, which the check of samples then tells with its region.
        contents = opened_file(path, TextStyle(empty=np.nan))
        held: Any = contents.table
        if held is None:
            names = list(contents.variables)
            if len(names) != 1:
                rule = "must be a file of one array"
                raise argument_error(what, rule, f"has {contents.listing()}", "from_bold(read_array(file, 'bold'))")
            held = contents.held(names[0])
        said = _said_by(path, contents.kind)
    else:
        held = opened(what, given)
    held = opened(what, held) if isinstance(held, Held) else held
    values = np.asarray(checks.numbers(what, u.get_mantissa(held.values)), float)
    if values.ndim != 2 or min(values.shape) < 1 or len(values) < 2:
        rule = "must be of shape (time, region) with 2 samples or more"
        raise argument_error(what, rule, f"is of shape {values.shape}", _CALL)
    return values, held.texts(what, 1), said


def _said_by(path: Path, kind: str) -> float | None:
    """The repetition time in seconds that a file, or the description beside it, says."""
    if kind == "cifti":
        axis = import_extra("brain", "nibabel").load(path).header.get_axis(0)
        # Other axes, as of scalars, and those in hertz or metres have no time.
        in_seconds = type(axis).__name__ == "SeriesAxis" and axis.unit == "SECOND"
        return float(axis.step) if in_seconds else None
    return repetition_time(path)


def _period(tr: Time | None, said: float | None) -> float:
    if tr is None and said is None:
        raise argument_error(check.what("tr", "from_bold"), "must be given where no file says it", "is None", _CALL)
    period = check.seconds(u.Quantity(said, unit=u.second) if tr is None else tr, "from_bold", _CALL, "tr")
    # A header in single precision, or one that was rounded, says the same.
    if tr is not None and said is not None and not np.isclose(period, said, rtol=1e-3):
        raise argument_error(
            check.what("tr", "from_bold"), f"must be that of the file, {said:g} s", f"is {period:g} s", "tr=None"
        )
    return period


def _names(labels: object, values: np.ndarray, given: bool) -> tuple[str, ...] | None:
    if labels is None:
        return None
    what = Argument("labels", "from_bold", "names of the regions")
    names = [str(label) for label in checks.items(what, labels, "names")]
    if len(names) != values.shape[1]:
        hint = "Is it (region, time)? Then give bold.T." if len(names) == len(values) else ""
        raise argument_error(what, f"must be one per region ({values.shape[1]})", f"are {len(names)}", hint=hint)
    check_different(what, names)
    # Columns that are merely numbered have no names, by which a cohort would sort them.
    return tuple(names) if given or are_names(names) else None


def _check_signal(values: np.ndarray, names: tuple[str, ...] | None) -> None:
    odd = np.logical_not(np.isfinite(values).all(axis=0))
    if odd.any():
        but = f"has NaN or infinity in region {_listed(odd, names)}"
        raise argument_error(_BOLD, "must be finite", but, hint=_LEAVE_OUT)
    # Constant up to the rounding of single precision, in which files are often written; as in `signals.deviations`.
    flat = np.ptp(values, axis=0) <= 8 * np.finfo(np.float32).eps * np.abs(values).max(axis=0)
    if flat.any():
        but = f"is constant in region {_listed(flat, names)}"
        raise argument_error(_BOLD, "must vary in each region", but, hint=_LEAVE_OUT)


def _listed(bad: np.ndarray, names: tuple[str, ...] | None) -> str:
    shown = [repr(names[i]) if names else str(i) for i in np.flatnonzero(bad)[:5]]
    return f"{', '.join(shown)}{', ...' if bad.sum() > 5 else ''}"


def _confounds(confounds: object, samples: int) -> np.ndarray:
    what, (values, _, _) = Argument("confounds", "from_bold"), _opened("confounds", confounds)
    if len(values) != samples:
        raise argument_error(what, f"must have a row for each of the {samples} samples", f"has {len(values)}")
    if not np.isfinite(values).all():
        hint = "nilearn.interfaces.fmriprep.load_confounds chooses columns of fMRIPrep and fills them."
        raise argument_error(what, "must be finite", "has NaN or infinity", hint=hint)
    return values


def _read_only(values: np.ndarray) -> np.ndarray:
    # A copy: what a user gave stays writable.
    values = np.array(values)
    values.setflags(write=False)
    return values
