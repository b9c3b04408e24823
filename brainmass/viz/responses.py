"""Responses to stimuli: over time with their bands, and from each site."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import brainunit as u
import numpy as np

from brainmass._common.checks import instance, number, one_of, region_numbers
from brainmass._common.extras import import_extra
from brainmass._common.messages import Argument
from brainmass.responses.evoked import EvokedResponse
from brainmass.responses.maps import ResponseMap
from brainmass.viz.drawing import COLORS, DIVERGING, MANY, SEQUENTIAL, axes_or_new, axis_label, check_looks, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_evoked", "plot_response_map"]

_DECADES = 1e-8  # of the largest energy, below which all is one colour


def plot_evoked(
    response: EvokedResponse,
    regions: Sequence[int | str] | None = None,
    *,
    level: float = 0.95,
    of: str = "mean",
    ax: Axes | None = None,
) -> Axes:
    """Draw mean responses with their bands over the time after the onset, which a line marks.

    Parameters
    ----------
    response : EvokedResponse
    regions : list of int or str, optional
        Up to seven, by number or name; default the three that respond most.
    level, of
        Of the band, as of `EvokedResponse.band`. A single trial has none.
    ax : matplotlib Axes, optional
    """
    owner = "plot_evoked"
    instance(Argument("response", owner), response, EvokedResponse, "an EvokedResponse of brainmass.evoked_response")
    number(Argument("level", owner), level, "between 0 and 1", lambda x: 0 < x < 1)
    one_of(Argument("of", owner), of, ("mean", "trials"))
    size = np.abs(np.asarray(u.get_mantissa(response.peaks().amplitude)))
    which = Argument("regions", owner)
    chosen = (
        np.argsort(-size)[:3]
        if regions is None
        else region_numbers(which, regions, len(size), response.labels, most=MANY, example="regions=[0]")
    )
    mean, time = response.mean, np.asarray(response.time.to_decimal(u.ms))
    unit = u.get_unit(mean)
    edges = response.band(level, of) if len(response.seeds) > 1 else None
    plain = np.asarray(u.get_mantissa(mean))
    ax = axes_or_new(ax, owner)
    ax.axvline(0.0, color="#7F7F7F", linewidth=0.8, linestyle="--")
    for i, region in enumerate(chosen):
        name = response.labels[region] if response.labels else f"region {region}"
        if edges is not None:
            low, high = (np.asarray(u.get_mantissa(edge))[:, region] for edge in edges)
            ax.fill_between(time, low, high, color=COLORS[i], alpha=0.25, linewidth=0)
        ax.plot(time, plain[:, region], color=COLORS[i], label=name)
    ax.set_xlabel(axis_label("time after the onset", "ms"))
    ax.set_ylabel(axis_label(response.name, "" if unit == u.UNITLESS else str(unit)))
    ax.set_xlim(time[0], time[-1])
    if len(chosen) > 1 or response.labels:
        ax.legend(frameon=False)
    return ax


def plot_response_map(
    responses: ResponseMap, measure: str = "peak", *, ax: Axes | None = None, colorbar: bool = True
) -> Axes:
    """Draw what each region (row) answers to a stimulus at each site (column), as connectivity is drawn.

    Parameters
    ----------
    responses : ResponseMap
    measure : 'peak', 'latency', 'energy' or 'decay'
        Energy on a logarithmic scale.
    ax : matplotlib Axes, optional
    colorbar : bool
    """
    owner = "plot_response_map"
    instance(Argument("responses", owner), responses, ResponseMap, "a ResponseMap of brainmass.response_map")
    one_of(Argument("measure", owner), measure, ("peak", "latency", "energy", "decay"))
    check_looks(owner, colorbar=colorbar)
    measures = {
        "peak": lambda: responses.peaks().amplitude,
        "latency": lambda: responses.peaks().latency,
        "energy": responses.energy,
        "decay": responses.decay_time,
    }
    found = measures[measure]()
    unit, values = u.get_unit(found), np.asarray(u.get_mantissa(found)).T
    ax = axes_or_new(ax, owner)
    look: dict[str, Any] = {"cmap": SEQUENTIAL}
    if measure == "peak" and values.min() < 0:
        most = np.abs(values).max()
        look = {"cmap": DIVERGING, "vmin": -most, "vmax": most}
    if measure == "energy" and values.max() > 0:  # which differs by orders of magnitude from region to region
        least = max(values[values > 0].min(), _DECADES * values.max())
        look["norm"] = import_extra("viz", "matplotlib.colors").LogNorm(least, values.max(), clip=True)
    image = ax.imshow(values, interpolation="nearest", aspect="auto", **look)
    if responses.site_labels:
        at = shown(len(responses.site_labels))
        ax.set_xticks(at, [responses.site_labels[i] for i in at], rotation=90)
    if responses.labels:
        at = shown(len(responses.labels))
        ax.set_yticks(at, [responses.labels[i] for i in at])
    ax.set_xlabel("stimulated site")
    ax.set_ylabel("responding region")
    if colorbar:
        ax.figure.colorbar(image, ax=ax, label=axis_label(measure, "" if unit == u.UNITLESS else str(unit)))
    return ax
