"""`response_map`: each region stimulated in its turn, and what all regions answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import brainunit as u
import numpy as np

from brainmass._common.checks import one_of, region_numbers
from brainmass._common.display import page, table
from brainmass._common.extras import import_io
from brainmass._common.messages import Argument, argument_error
from brainmass._common.typing import Numbers, Period, RunParameters, Time
from brainmass.responses.measures import Measured, Window, plain, stamps_of, with_unit
from brainmass.responses.trials import Study
from brainmass.simulation.simulator import Simulator
from brainmass.stimuli.waveforms import Stimulus

if TYPE_CHECKING:
    import xarray

__all__ = ["ResponseMap", "response_map"]


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class ResponseMap(Measured):
    """What each region answers to a stimulus at each site.

    `peaks()`, `energy()` and `decay_time()` are of shape (site, region).

    Attributes
    ----------
    responses : array or Quantity (site, time, region)
        Mean over trials.
    time : Quantity (time,)
        After the onset of the stimulus.
    sites : array (site,)
        Numbers of the regions that are stimulated.
    seeds : array (trial,)
    name : str
        Of the signal.
    site_labels, labels : tuple of str or None
        Names of the sites, and of the regions or sensors that respond.
    """

    responses: Numbers
    time: u.Quantity
    sites: np.ndarray
    seeds: np.ndarray
    name: str
    site_labels: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None

    @property
    def mean(self) -> Numbers:
        """Over trials, shape (site, time, region)."""
        return self.responses

    def to_xarray(self) -> xarray.Dataset:
        """Responses, peaks, latencies and energies as an `xarray.Dataset`, times in ms. Needs the extra `io`."""
        xarray = import_io("xarray")
        peaks, each = self.peaks(), ("site", "region")
        parts = {
            self.name: (("site", "time", "region"), self.responses),
            "peak": (each, peaks.amplitude),
            "latency": (each, peaks.latency),
            "energy": (each, self.energy()),
        }
        variables = {name: (dims, plain(x), {"units": str(u.get_unit(x))}) for name, (dims, x) in parts.items()}
        sites = self.sites if self.site_labels is None else np.asarray(self.site_labels)
        stamps = stamps_of(self.time)
        coords = {
            "site": ("site", sites, {}),
            "time": ("time", stamps, {"units": "ms", "long_name": "time after the onset"}),
        }
        if self.labels is not None:
            coords["region"] = ("region", np.asarray(self.labels), {})
        return xarray.Dataset(variables, coords)

    @property
    def _title(self) -> str:
        return f"`{self.name}` of {u.math.shape(self.responses)[-1]} regions to {len(self.sites)} sites in turn"

    def _strongest(self) -> list[tuple[str, str]]:
        energy = plain(self.energy()).sum(axis=1)
        names = self.site_labels or [f"site {site}" for site in self.sites]
        return [(str(names[i]), f"{energy[i]:.4g}") for i in np.argsort(-energy)[:5]]

    def __repr__(self) -> str:
        rows = [f"{name}: energy {energy} over all regions" for name, energy in self._strongest()]
        return "\n  ".join([f"ResponseMap: {self._title}", *rows])

    def _repr_html_(self) -> str:
        return page("ResponseMap", self._title, table(("strongest sites", "energy over regions"), self._strongest()))


def response_map(
    simulator: Simulator,
    duration: Time,
    inputs: Mapping[str, object],
    of: object,
    *,
    port: str | None = None,
    sites: Sequence[int | str] | None = None,
    onset: Time | None = None,
    seeds: int | Sequence[int] | None = None,
    baseline: Window = None,
    against: str | None = "sham",
    transient: Period | None = None,
    sample_every: Period | None = None,
    parameters: RunParameters = None,
    at_once: int | None = None,
) -> ResponseMap:
    """Stimulate each region in its turn, as one batch: who answers whom, how strongly, and when.

    Parameters
    ----------
    simulator : Simulator
    duration : Quantity
        Length of each run.
    inputs : mapping
        What enters the ports, as of `Simulator.run`. The stimulus among them has weight 1 at the site of a run and 0
        elsewhere, whatever its own weights are.
    of : str, observer, Monitor or function of the model
        The signal.
    port : str, optional
        Of the stimulus that goes from site to site; default the only one.
    sites : list of int or str, optional
        Regions, by number or name; default all.
    onset, baseline, transient, sample_every, parameters, at_once
        As of `evoked_response`.
    seeds : int or sequence of int, optional
        Trials at each site, the same noises at all of them; default 50, or one where nothing is random.
    against : 'sham', 'baseline' or None
        As of `evoked_response`. Against sham, the run with the same noise and without the stimulus, few trials do.

    Returns
    -------
    ResponseMap

    Raises
    ------
    ValueError, TypeError
        Before anything is run, where an argument is not as said here.
    DivergenceError
        If a state becomes infinite or NaN in a run.

    Examples
    --------
    >>> import brainmass, brainunit as u, numpy as np
    >>> node = brainmass.LinearStep(2, gamma=-0.2, init_x=np.zeros)
    >>> network = brainmass.Network(node, conn=np.array([[0, 0], [0.1, 0]]), coupling="additive", coupled_var="x")
    >>> pulse = brainmass.Pulse(2, amplitude=1.0, onset=1 * u.ms, width=1 * u.ms)
    >>> found = brainmass.response_map(brainmass.Simulator(network, dt=0.1 * u.ms), 40 * u.ms, {"x_inp": pulse}, "x")
    >>> (found.peaks().amplitude > 0.1).tolist()
    [[True, True], [False, True]]
    """
    owner = "response_map"
    study = Study(
        owner, simulator, duration, inputs, of, onset, seeds, baseline, against, transient, sample_every, parameters,
        at_once,
    )  # fmt: skip
    moved = _moved(owner, study.inputs, port)
    stimulus = study.inputs[moved]
    n = int(np.prod(stimulus.varshape))
    names = getattr(simulator.model, "labels", None)
    names = names if names is not None and len(names) == n else None
    what = Argument("sites", owner)
    chosen = np.arange(n) if sites is None else region_numbers(what, sites, n, names, example="sites=[0, 1]")
    weights = np.zeros((len(chosen), *stimulus.varshape))
    weights.reshape(len(chosen), n)[np.arange(len(chosen)), chosen] = 1.0
    total = np.zeros((len(chosen), *study.shape))
    for trial in study.trials({f"{moved}.weights": weights}):
        total[trial.point] += trial.values
    mean = with_unit(total / len(study.seeds), study.unit)
    site_labels = None if names is None else tuple(names[i] for i in chosen)
    return ResponseMap(mean, study.time, chosen, study.seeds, study.name, site_labels, study.labels)


def _moved(owner: str, inputs: Mapping[str, object], port: str | None) -> str:
    """The port whose stimulus goes from site to site."""
    known = [name for name, x in inputs.items() if isinstance(x, Stimulus)]
    if port is not None:
        return one_of(Argument("port", owner), port, known)
    if len(known) != 1:
        held = "several" if known else "a sum or product of stimuli, which has no weights of its own,"
        raise argument_error(
            Argument("port", owner) if known else Argument("inputs", owner),
            "must name the stimulus that goes from site to site" if known else "must have a Stimulus with weights",
            f"`inputs` has {held}",
        )
    return known[0]
