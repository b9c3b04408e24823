"""The connectome in the brain, drawn by nilearn."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import brainunit as u
import numpy as np

from brainmass._common.extras import import_extra
from brainmass._common.messages import argument_error, show
from brainmass.connectome.dense import Connectome
from brainmass.connectome.edges import Edges
from brainmass.viz.drawing import DIVERGING, SEQUENTIAL, argument_of, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_connectome", "view_connectome"]


def plot_connectome(
    connectome: Connectome | Edges, *, strongest: int = 200, ax: Axes | None = None, **kwargs: object
) -> Any:
    """Draw regions and connections in a glass brain, from three sides. Needs the extra `brain` (nilearn).

    Parameters
    ----------
    connectome : Connectome or Edges
        With `centres`, in the space of the MNI. Connections whose directions differ are drawn as arrows.
    strongest : int
        How many connections are drawn, those with the largest absolute weights; one in each direction counts twice.
    ax : matplotlib Axes, optional
        Whose place the views take.
    **kwargs
        Passed to `nilearn.plotting.plot_connectome`: `display_mode`, `node_size`, `node_color`, `title`, ...

    Returns
    -------
    nilearn display
        In place of axes, since the views have one each: `display.axes["x"].ax`.

    Raises
    ------
    ValueError, TypeError
        If it has no coordinates, or is no connectome.
    """
    adjacency, centres, colours = _graph(connectome, strongest, "plot_connectome")
    plotting = import_extra("brain", "nilearn.plotting")
    is_new, ax = ax is None, axes_or_new(ax, "plot_connectome", figsize=(9, 3.2))
    if is_new:
        ax.figure.set_layout_engine("none")  # type: ignore[union-attr]  # nilearn places its views by itself
    if not np.array_equal(adjacency, adjacency.T):
        colours["edge_kwargs"] = {"linewidth": 0.2}  # arrows have a width of their own
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="'adjacency_matrix' is not symmetric")
        return plotting.plot_connectome(adjacency, centres, axes=ax, **{"node_size": 15, **colours, **kwargs})


def view_connectome(connectome: Connectome | Edges, *, strongest: int = 200, **kwargs: object) -> Any:
    """Draw regions and connections in 3-D, to be turned with the mouse. Needs the extra `brain` (nilearn).

    Parameters
    ----------
    connectome : Connectome or Edges
        With `centres`, in the space of the MNI. Directions are not seen: of two, the stronger one is drawn.
    strongest : int
        How many connections are drawn, as in `plot_connectome`.
    **kwargs
        Passed to `nilearn.plotting.view_connectome`.

    Returns
    -------
    nilearn view
        A web page: shown by itself in a notebook; else `view.save_as_html("brain.html")`, `view.open_in_browser()`.
    """
    adjacency, centres, colours = _graph(connectome, strongest, "view_connectome")
    plotting = import_extra("brain", "nilearn.plotting")
    # The picture has no directions: of both the stronger one stands on either side of the diagonal.
    stronger = np.where(np.abs(adjacency) >= np.abs(adjacency.T), adjacency, adjacency.T)
    style = {"edge_cmap": colours["edge_cmap"], "symmetric_cmap": colours["edge_cmap"] == DIVERGING}
    return plotting.view_connectome(np.tril(stronger) + np.tril(stronger, -1).T, centres, **{**style, **kwargs})


def _graph(connectome: object, strongest: object, of: str) -> tuple[np.ndarray, np.ndarray, dict[str, object]]:
    """Weights, row to column as nilearn reads them, of the strongest connections; coordinates in mm; colours."""
    if not isinstance(connectome, Connectome | Edges):
        raise argument_error(
            argument_of("connectome", of),
            "must be a Connectome or Edges",
            f"is {show(connectome)}",
            f"{of}(brainmass.Connectome(W, centres=xyz * u.mm))",
            kind=TypeError,
        )
    if connectome.centres is None:
        raise argument_error(
            argument_of("connectome", of),
            "must have coordinates of its regions",
            f"{connectome.name!r} has none",
            "brainmass.Connectome(weights, centres=xyz * u.mm)",
        )
    if isinstance(strongest, bool) or not isinstance(strongest, int | np.integer) or strongest < 1:
        raise argument_error(
            argument_of("strongest", of), "must be a positive int", f"is {strongest!r}", "strongest=200"
        )
    dense = connectome.to_connectome() if isinstance(connectome, Edges) else connectome
    weights = np.array(dense.weights)
    np.fill_diagonal(weights, 0.0)
    # Of hundreds of regions all connections are one tangle.
    order = np.argsort(np.abs(weights), axis=None, kind="stable")[::-1][:strongest]
    kept = np.zeros_like(weights)
    kept.flat[order] = weights.flat[order]
    largest = float(np.abs(kept).max()) or 1.0
    if (weights < 0).any():
        colours = {"edge_cmap": DIVERGING, "edge_vmin": -largest, "edge_vmax": largest}
    else:
        colours = {"edge_cmap": SEQUENTIAL, "edge_vmin": 0.0, "edge_vmax": largest}
    return kept.T, np.asarray(connectome.centres.to_decimal(u.mm)), colours
