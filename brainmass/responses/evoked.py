"""`evoked_response`: many trials of a stimulus, side by side, and what they have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import brainunit as u
import numpy as np

from brainmass._common.checks import number, one_of
from brainmass._common.display import page, table
from brainmass._common.extras import import_io
from brainmass._common.messages import Argument, argument_error
from brainmass._common.typing import Numbers, Period, RunParameters, Time
from brainmass.objectives import perturbational_complexity, state_transition_complexity
from brainmass.responses.measures import Measured, Window, plain, rows_in, stamps_of, with_unit
from brainmass.responses.trials import Study
from brainmass.simulation.simulator import Simulator

if TYPE_CHECKING:
    import xarray

__all__ = ["EvokedResponse", "evoked_response"]


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class EvokedResponse(Measured):
    """The responses of all trials to a stimulus, and their mean.

    Attributes
    ----------
    trials : array or Quantity (trial, time, region)
    time : Quantity (time,)
        After the onset of the stimulus.
    seeds : array (trial,)
    name : str
        Of the signal.
    labels : tuple of str or None
        Names of regions or sensors.
    """

    trials: Numbers
    time: u.Quantity
    seeds: np.ndarray
    name: str
    labels: tuple[str, ...] | None = None

    @property
    def mean(self) -> Numbers:
        """Over trials, shape (time, region)."""
        return self._with_unit(plain(self.trials).mean(axis=0))

    @property
    def standard_error(self) -> Numbers:
        """Of the mean, shape (time, region)."""
        self._check_several("standard_error")
        return self._with_unit(plain(self.trials).std(axis=0, ddof=1) / np.sqrt(len(self.seeds)))

    def band(self, level: float = 0.95, of: str = "mean") -> tuple[Numbers, Numbers]:
        """Lower and upper edge, shape (time, region).

        Parameters
        ----------
        level : float
            Between 0 and 1.
        of : 'mean' or 'trials'
            The confidence interval of the mean, by Student's t, or percentiles of the trials: where this share lies.
        """
        number(Argument("level", "band"), level, "between 0 and 1", lambda x: 0 < x < 1)
        one_of(Argument("of", "band"), of, ("mean", "trials"))
        self._check_several("band")
        if of == "mean":
            from scipy.special import stdtrit

            half = float(stdtrit(len(self.seeds) - 1, (1 + level) / 2)) * self.standard_error
            return self.mean - half, self.mean + half
        low, high = np.quantile(plain(self.trials), [(1 - level) / 2, (1 + level) / 2], axis=0)
        return self._with_unit(low), self._with_unit(high)

    def perturbational_complexity(
        self, window: Window = None, baseline: Window = None, *, alpha: float = 0.01, n_surrogates: int = 200
    ) -> float:
        """`brainmass.objectives.perturbational_complexity` of the trials.

        Parameters
        ----------
        window, baseline : (start, stop), optional
            Times after the onset; default all after it, and all before it.
        alpha, n_surrogates
            As there.
        """
        values, before, rows = self._parts(window, baseline, "perturbational_complexity")
        return float(
            perturbational_complexity(values[:, rows], values[:, before], alpha=alpha, n_surrogates=n_surrogates)
        )

    def state_transition_complexity(
        self, window: Window = None, baseline: Window = None, *, k: float = 1.2, least_snr: float = 1.1
    ) -> float:
        """`brainmass.objectives.state_transition_complexity` of the mean.

        Parameters
        ----------
        window, baseline : (start, stop), optional
            Times after the onset; default all after it, and all before it.
        k, least_snr
            As there.
        """
        values, before, rows = self._parts(window, baseline, "state_transition_complexity")
        mean = values.mean(axis=0)
        return float(state_transition_complexity(mean[rows], mean[before], k=k, least_snr=least_snr))

    def to_xarray(self) -> xarray.Dataset:
        """Trials, mean and standard error as an `xarray.Dataset`; times in ms after the onset. Needs the extra `io`."""
        xarray = import_io("xarray")
        units = {"units": str(u.get_unit(self.trials))}
        parts = {self.name: (("trial", "time", "region"), self.trials), "mean": (("time", "region"), self.mean)}
        if len(self.seeds) > 1:
            parts["standard_error"] = (("time", "region"), self.standard_error)
        variables = {name: (dims, plain(x), units) for name, (dims, x) in parts.items()}
        stamps = stamps_of(self.time)
        coords = {
            "trial": ("trial", self.seeds, {"long_name": "seed"}),
            "time": ("time", stamps, {"units": "ms", "long_name": "time after the onset"}),
        }
        if self.labels is not None:
            coords["region"] = ("region", np.asarray(self.labels), {})
        return xarray.Dataset(variables, coords)

    def _with_unit(self, values: np.ndarray) -> Numbers:
        return with_unit(values, u.get_unit(self.trials))

    def _parts(self, window: Window, baseline: Window, owner: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        stamps = stamps_of(self.time)
        before = rows_in(Argument("baseline", owner), baseline, stamps, (stamps[0], 0.0))
        return plain(self.trials), before, self._rows(window, owner)

    def _check_several(self, owner: str) -> None:
        if len(self.seeds) < 2:
            raise argument_error(Argument("seeds", owner), "must be two or more", "there is one trial")

    @property
    def _title(self) -> str:
        stamps = stamps_of(self.time)
        n_regions = u.math.shape(self.trials)[-1]
        return (
            f"`{self.name}` of {n_regions} region{'s' * (n_regions > 1)}, {len(self.seeds)} "
            f"trial{'s' * (len(self.seeds) > 1)}, from {stamps[0]:g} to {stamps[-1]:g} ms after the onset"
        )

    def _largest(self) -> list[tuple[str, str, str]]:
        """Names, peaks and latencies of the regions that respond most."""
        peaks = self.peaks()
        size = plain(peaks.amplitude)
        unit, late = u.get_unit(peaks.amplitude), stamps_of(peaks.latency)
        words = "" if unit == u.UNITLESS else f" {unit}"
        names = self.labels or [f"region {i}" for i in range(len(size))]
        return [(str(names[i]), f"{size[i]:.4g}{words}", f"{late[i]:g} ms") for i in np.argsort(-np.abs(size))[:5]]

    def __repr__(self) -> str:
        rows = [f"{name}: peak {peak} after {late}" for name, peak, late in self._largest()]
        return "\n  ".join([f"EvokedResponse: {self._title}", *rows])

    def _repr_html_(self) -> str:
        return page("EvokedResponse", self._title, table(("largest", "peak", "latency"), self._largest()))


def evoked_response(
    simulator: Simulator,
    duration: Time,
    inputs: Mapping[str, object],
    of: object,
    *,
    onset: Time | None = None,
    seeds: int | Sequence[int] | None = None,
    baseline: Window = None,
    against: str | None = "baseline",
    transient: Period | None = None,
    sample_every: Period | None = None,
    parameters: RunParameters = None,
    at_once: int | None = None,
) -> EvokedResponse:
    """Give the same stimulus in many trials, each with its own noise, and see what they have in common.

    Parameters
    ----------
    simulator : Simulator
    duration : Quantity
        Length of each trial.
    inputs : mapping
        What enters the ports, as of `Simulator.run`; the stimulus among them.
    of : str, observer, Monitor or function of the model
        The signal: a state by name, or what a forward model sees.
    onset : Quantity, optional
        When the stimulus begins, in the time of the run; default when the stimulus among the inputs says.
    seeds : int or sequence of int, optional
        How many trials, with the seeds 0, 1, ..., or which seeds they have; default 50, or one where nothing is random.
    baseline : (start, stop), optional
        Times after the onset, so negative, whose mean is taken off each trial; default all before it.
    against : 'baseline', 'sham' or None
        What a response is the difference to: the mean of the baseline of its trial, the run with the same noise and
        without the stimulus, or nothing.
    transient, sample_every, parameters
        As of `Simulator.run`.
    at_once : int, optional
        Number of trials side by side; default what memory allows.

    Returns
    -------
    EvokedResponse
        Trial k is the run with seed k.

    Raises
    ------
    ValueError, TypeError
        Before anything is run, where an argument is not as said here.
    DivergenceError
        If a state becomes infinite or NaN in a trial.

    Examples
    --------
    >>> import brainmass, brainunit as u
    >>> node = brainmass.LinearStep(1, gamma=-0.1, noise_x=brainmass.WhiteNoise(1, sigma=0.1))
    >>> pulse = brainmass.Pulse(1, amplitude=1.0, onset=20 * u.ms, width=1 * u.ms)
    >>> erp = brainmass.evoked_response(brainmass.Simulator(node, dt=0.1 * u.ms), 60 * u.ms, {"x_inp": pulse}, "x")
    >>> erp.trials.shape, erp.band()[0].shape
    ((50, 600, 1), (600, 1))
    """
    study = Study(
        "evoked_response", simulator, duration, inputs, of, onset, seeds, baseline, against, transient, sample_every,
        parameters, at_once,
    )  # fmt: skip
    values = np.empty((len(study.seeds), *study.shape))
    for trial in study.trials({}):
        values[trial.seed] = trial.values
    return EvokedResponse(with_unit(values, study.unit), study.time, study.seeds, study.name, study.labels)
