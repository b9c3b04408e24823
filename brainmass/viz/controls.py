"""Controls: what enters each site over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import brainunit as u
import numpy as np

from brainmass._common.checks import instance, one_of
from brainmass._common.messages import Argument
from brainmass.controlling.outcome import Control
from brainmass.viz.drawing import DIVERGING, MANY, axes_or_new, axis_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_control"]


def plot_control(control: Control, port: str | None = None, *, ax: Axes | None = None) -> Axes:
    """Draw a control over time: a line for each site, or of more than seven an image.

    Parameters
    ----------
    control : Control
        Of `brainmass.control`.
    port : str, optional
        One of its ports; default the first.
    ax : matplotlib Axes, optional

    Raises
    ------
    ValueError, TypeError
        If the port is not controlled, or it is no control.
    """
    of = "plot_control"
    instance(Argument("control", of), control, Control, "a Control of brainmass.control")
    known = tuple(control.values)
    name: str = one_of(Argument("port", of), known[0] if port is None else port, known)
    values, sites = control.values[name], control.sites[name]
    unit = u.get_unit(values)
    label = axis_label(name, "" if unit.is_unitless else str(unit))
    plain = np.asarray(u.get_mantissa(values), float)
    every = float(control.every.to_decimal(u.ms))
    edges = np.arange(len(plain) + 1) * every
    names = getattr(control.simulator.model, "labels", None)
    ax = axes_or_new(ax, of)
    if len(sites) > MANY:
        # The same reach to either side: white is where nothing enters.
        most = np.abs(plain).max() or 1.0
        image = ax.pcolormesh(edges, np.arange(len(sites) + 1), plain.T, cmap=DIVERGING, vmin=-most, vmax=most)
        ax.figure.colorbar(image, ax=ax, label=label)
        ax.set_ylabel("site")
    else:
        for site, row in zip(sites, plain.T, strict=True):
            # A control is constant from one step to the next, where a line would slope.
            ax.stairs(row, edges, baseline=None, label=names[site] if names else f"site {site}")
        ax.set_ylabel(label)
        if len(sites) > 1:
            ax.legend(frameon=False)
    ax.set_xlabel(axis_label("time", "ms"))
    return ax
