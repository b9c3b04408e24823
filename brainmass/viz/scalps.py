"""What the electrodes see, over the scalp, drawn by MNE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import brainunit as u
import numpy as np

from brainmass._common.checks import one_of
from brainmass._common.extras import import_extra
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import Numbers
from brainmass.viz.drawing import (
    DIVERGING,
    SEQUENTIAL,
    argument_of,
    axes_or_new,
    axis_label,
    check_looks,
    finite,
    names_for,
    split,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_topography"]

_OF = "plot_topography"


def plot_topography(
    values: Numbers,
    positions: object,
    *,
    labels: Sequence[str] | None = None,
    label: str = "potential",
    ax: Axes | None = None,
    cmap: object = None,
    colorbar: bool = True,
    **kwargs: object,
) -> Axes:
    """Draw one number for each electrode as a map over the scalp, seen from above. Needs the extra `eeg` (MNE).

    Values of both signs are drawn on colours that are symmetric about 0.

    Parameters
    ----------
    values : array or Quantity, shape (M,)
        E.g. a sample of EEG, or the power in a band.
    positions : Quantity (M, 3), mne Info or montage, or str
        Of the sensors. Lengths are coordinates of the head: to the right, to the front and upwards from its middle.
        Of a montage, such as `mne.channels.make_standard_montage(...)` or its name, the sensors that `labels` name.
    labels : M strings, optional
        Names of the sensors. A montage needs them, if it has other sensors.
    label : str
        What the colours show; the unit is added.
    ax : matplotlib Axes, optional
    cmap : matplotlib colour map, optional
        Default 'viridis', 'RdBu_r' for values of both signs.
    colorbar : bool
    **kwargs
        Passed to `mne.viz.plot_topomap`: `contours`, `names`, `sphere`, ...

    Raises
    ------
    ValueError, TypeError
        Without positions, or if values, positions and labels do not fit each other.
    """
    numbers, unit = split(values, "values", _OF)
    if numbers.ndim != 1 or len(numbers) < 3:
        raise argument_error(
            argument_of("values", _OF),
            "must be of shape (sensors,), three or more",
            f"are of shape {numbers.shape}",
            "plot_topography(result['eeg'][-1], positions)",
        )
    finite(numbers, "values", _OF)
    names = names_for(labels, len(numbers), _OF)
    if positions is None:
        raise argument_error(
            argument_of("positions", _OF),
            "must be given, as no sensor has a place without them",
            example="positions='biosemi64', labels=['Fz', 'Cz', 'Pz']",
        )
    if names is not None and len(set(names)) < len(names):
        raise argument_error(argument_of("labels", _OF), "must differ from each other", f"are {names}", _EXAMPLE)
    mne = import_extra("eeg", "mne")
    sensors = _sensors(mne, positions, names, len(numbers))
    # Zero has the colour of the middle only where there is something on both sides of it.
    signed = bool((numbers < 0).any() and (numbers > 0).any())
    reach = float(np.abs(numbers).max())
    limits = (-reach, reach) if signed else (float(numbers.min()), float(numbers.max()))
    check_looks(_OF, cmap=cmap, colorbar=colorbar)
    ax = axes_or_new(ax, _OF)
    # show=False: MNE would open a window, before the axes are done.
    default = {"cmap": cmap or (DIVERGING if signed else SEQUENTIAL), "vlim": limits, "show": False}
    image, _ = mne.viz.plot_topomap(numbers.astype(float), sensors, axes=ax, **{**default, **kwargs})
    if colorbar:
        ax.figure.colorbar(image, ax=ax, label=axis_label(label, unit))
    return ax


def _sensors(mne: Any, positions: Any, names: list[str] | None, n: int) -> Any:
    """An Info of MNE for the sensors, in the order of the values."""
    if isinstance(positions, mne.Info):
        found = positions if names is None else mne.pick_info(positions, _indices(positions.ch_names, names))
        if len(found.ch_names) != n:
            raise argument_error(
                argument_of("positions", _OF), f"must have {n} sensors", f"have {len(found.ch_names)}", _EXAMPLE
            )
        return found
    if isinstance(positions, str):
        one_of(Argument("positions", _OF), positions, mne.channels.get_builtin_montages())
        positions = mne.channels.make_standard_montage(positions)
    if isinstance(positions, mne.channels.DigMontage):
        known = list(positions.ch_names)
        names = known if names is None else names
        _indices(known, names)
        if len(names) != n:
            raise argument_error(
                argument_of("positions", _OF), f"must have {n} sensors", f"have {len(names)}", _EXAMPLE
            )
        return _info(mne, names, positions)
    names = [str(i) for i in range(n)] if names is None else names
    coordinates = dict(zip(names, _in_metres(positions, n), strict=True))
    return _info(mne, names, mne.channels.make_dig_montage(coordinates, coord_frame="head"))


_EXAMPLE = "positions='biosemi64', labels=['Fz', 'Cz', 'Pz']"


def _indices(known: Sequence[str], names: Sequence[str]) -> list[int]:
    for name in names:
        if name not in known:
            raise argument_error(
                argument_of("labels", _OF),
                "must be sensors of the montage",
                f"{name!r} is none; it has {', '.join(known)[:60]} ...",
                "labels=['Fz', 'Cz', 'Pz']",
            )
    return [known.index(name) for name in names]


def _in_metres(positions: Any, n: int) -> np.ndarray:
    is_length = isinstance(positions, u.Quantity) and positions.unit.has_same_dim(u.meter)
    if not is_length or u.math.shape(positions) != (n, 3):
        raise argument_error(
            argument_of("positions", _OF),
            f"must be lengths of shape ({n}, 3), or a montage of MNE",
            f"are {show(positions)}",
            "positions=xyz * u.mm",
            kind=TypeError if not is_length else ValueError,
        )
    return finite(np.asarray(positions.to_decimal(u.meter), float), "positions", _OF)


def _info(mne: Any, names: list[str], montage: object) -> Any:
    # An Info must have a rate, though nothing here is in time.
    info = mne.create_info(names, sfreq=1.0, ch_types="eeg", verbose="error")
    info.set_montage(montage, verbose="error")
    return info
