"""Matrices: connectivity, functional connectivity, and its dynamics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from brainmass._common.checks import whole
from brainmass._common.messages import Argument
from brainmass._common.typing import Numbers
from brainmass.connectome.dense import Connectome
from brainmass.connectome.edges import Edges
from brainmass.objectives import functional_connectivity
from brainmass.objectives._checks import series
from brainmass.objectives.connectivity_dynamics import fcd_of
from brainmass.viz.drawing import (
    DIVERGING,
    SEQUENTIAL,
    axes_or_new,
    axis_label,
    check_looks,
    names_for,
    seconds,
    shown,
    table,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_connectivity", "plot_functional_connectivity", "plot_functional_connectivity_dynamics"]


def plot_connectivity(
    matrix: Numbers,
    *,
    labels: Sequence[str] | None = None,
    ax: Axes | None = None,
    cmap: object = SEQUENTIAL,
    colorbar: bool = True,
    **kwargs: object,
) -> Axes:
    """Draw a connectivity matrix. Rows receive: entry [i, j] is from region j to region i.

    Parameters
    ----------
    matrix : array, Quantity, Connectome or Edges, shape (N, N)
        Finite. Of a connectome, the weights and, unless given, the labels are taken. Any other table, of shape
        (M, N), such as the weights from one population onto another or what a sweep over two parameters found, is
        drawn, too, without labels.
    labels : N strings, optional
        Names of the regions; thinned out where more than 25.
    ax : matplotlib Axes, optional
    cmap : matplotlib colour map
        Weights of both signs are better seen with `cmap="RdBu_r"` and `vmin`, `vmax` of one size.
    colorbar : bool
    **kwargs
        Passed to `Axes.imshow`.

    Raises
    ------
    ValueError
        If the matrix has not two axes, has NaN, or there is another number of labels, or any where it is not square.
    """
    if isinstance(matrix, Edges):
        matrix = matrix.to_connectome()
    if isinstance(matrix, Connectome):
        labels = matrix.labels if labels is None else labels
        matrix = matrix.weights
    values, unit = table(matrix, "matrix", "plot_connectivity", square=labels is not None)
    names = names_for(labels, len(values), "plot_connectivity")
    check_looks("plot_connectivity", cmap=cmap, colorbar=colorbar)
    ax = axes_or_new(ax, "plot_connectivity")
    image = _draw_matrix(ax, values, names, {"cmap": cmap, **kwargs})
    ax.set_xlabel("from region")
    ax.set_ylabel("to region")
    if colorbar:
        ax.figure.colorbar(image, ax=ax, label=axis_label("weight", unit))
    return ax


def plot_functional_connectivity(
    data: object,
    *,
    is_matrix: bool = False,
    labels: Sequence[str] | None = None,
    ax: Axes | None = None,
    colorbar: bool = True,
    **kwargs: object,
) -> Axes:
    """Draw functional connectivity, on colours that are symmetric about 0 and reach from -1 to 1.

    Parameters
    ----------
    data : array or Quantity
        Time series of shape (T, R); with `is_matrix`, functional connectivity of shape (R, R).
    is_matrix : bool
        What `data` is; never guessed from its shape.
    labels : R strings, optional
    ax : matplotlib Axes, optional
    colorbar : bool
    **kwargs
        Passed to `Axes.imshow`; for example `vmin=-0.5, vmax=0.5`.

    Raises
    ------
    ValueError
        If `data` has not the shape announced, has NaN, or there is another number of labels.
    """
    of = "plot_functional_connectivity"
    check_looks(of, is_matrix=is_matrix, colorbar=colorbar)
    values, _ = table(data if is_matrix else functional_connectivity(series(data, "data", of)), "data", of)
    names = names_for(labels, len(values), of)
    ax = axes_or_new(ax, of)
    image = _draw_matrix(ax, values, names, {"cmap": DIVERGING, "vmin": -1, "vmax": 1, **kwargs})
    ax.set_xlabel("region")
    ax.set_ylabel("region")
    if colorbar:
        ax.figure.colorbar(image, ax=ax, label="functional connectivity (Pearson)")
    return ax


def plot_functional_connectivity_dynamics(
    data: object,
    *,
    window_size: int = 30,
    step_size: int = 5,
    sampling_period: Any = None,
    is_matrix: bool = False,
    ax: Axes | None = None,
    colorbar: bool = True,
    **kwargs: object,
) -> Axes:
    """Draw functional connectivity dynamics (FCD): the correlation of the functional connectivities of two windows.

    Colours are symmetric about 0 and reach from -1 to 1.

    Parameters
    ----------
    data : array or Quantity
        Time series of shape (T, R), R >= 3; with `is_matrix`, an FCD matrix of shape (W, W).
    window_size, step_size : int
        Samples in a window, and from one window to the next, as of `brainmass.objectives.fcd_matrix`.
    sampling_period : Quantity of time, optional
        Time between samples: the axes are then the starts of the windows in seconds, else their numbers.
    is_matrix : bool
        What `data` is; never guessed from its shape.
    ax : matplotlib Axes, optional
    colorbar : bool
    **kwargs
        Passed to `Axes.imshow`.

    Raises
    ------
    ValueError, TypeError
        If `data` has not the shape announced, has NaN, or is shorter than a window; for other window sizes.
    """
    of = "plot_functional_connectivity_dynamics"
    check_looks(of, is_matrix=is_matrix, colorbar=colorbar)
    values, _ = table(data if is_matrix else fcd_of(data, "data", window_size, step_size, of), "data", of)
    label, step = "window", 1.0
    if sampling_period is not None:
        whole(Argument("step_size", of), step_size)
        example = "sampling_period=0.72 * u.second"
        label, step = "start of window (s)", step_size * seconds(sampling_period, "sampling_period", of, example)
    # So the middle of a pixel lies at the start of its window.
    ends = -step / 2, (len(values) - 0.5) * step
    ax = axes_or_new(ax, of)
    # The second axis from top to bottom, as a matrix is written.
    style = {"cmap": DIVERGING, "vmin": -1, "vmax": 1, "extent": (*ends, *ends[::-1])}
    image = _draw_matrix(ax, values, None, {**style, **kwargs})
    ax.set_xlabel(label)
    ax.set_ylabel(label)
    if colorbar:
        ax.figure.colorbar(image, ax=ax, label="correlation of functional connectivities")
    return ax


def _draw_matrix(ax: Axes, values: np.ndarray, names: list[str] | None, kwargs: dict[str, object]) -> Any:
    # Sharp: smoothing would mix regions that are neighbours in a list alone.
    image = ax.imshow(values, **{"interpolation": "nearest", **kwargs})
    if names is not None:
        written = shown(len(names))
        ax.set_xticks(written, [names[i] for i in written], rotation=90)
        ax.set_yticks(written, [names[i] for i in written])
    return image
