"""Spin tests: whether two maps over cortex agree more than maps as smooth as they would by chance."""

from __future__ import annotations

from typing import NamedTuple

import brainunit as u
import numpy as np

from brainmass._common.checks import instance, is_whole, numbers, whole
from brainmass._common.extras import import_extra
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import ArrayLike
from brainmass.connectome.dense import Connectome

__all__ = ["SpinTest", "spin_test"]


class SpinTest(NamedTuple):
    """How two maps agree, and how they do by chance."""

    #: Pearson correlation of the maps
    correlation: float
    #: two-sided: the share of rotations, the maps as they are among them, with a correlation as large
    p: float
    #: the correlations after each rotation, shape (n,)
    null: np.ndarray


def spin_test(x: ArrayLike, y: ArrayLike, connectome: Connectome, n: int = 1000, *, seed: int = 0) -> SpinTest:
    """Correlate two maps, and one with the other rotated over the cortex.

    Alexander-Bloch et al. 2018, NeuroImage 178:540. Neighbouring regions are alike, so that regions are no independent
    samples: a permutation of regions makes p too small, a rotation leaves neighbours neighbours. The right hemisphere
    turns as the mirror image of the left; each region takes the value of one rotated region, by the assignment of the
    least total distance (Markello & Misic 2021, NeuroImage 236:118052).

    Parameters
    ----------
    x, y : array (N,)
        Maps over the regions of the connectome.
    connectome : Connectome
        With `centres` and `hemispheres`. A hemisphere is seen as a sphere about the mean of its centres; give those on
        a spherical surface where you have them.
    n : int
        Rotations.
    seed : int

    Raises
    ------
    ValueError, TypeError
        If a map does not have one number for each region, or the connectome lacks places.
    """
    of = "spin_test"
    instance(Argument("connectome", of), connectome, Connectome, "a Connectome")
    first, second = (_map(name, given, connectome.n_regions) for name, given in {"x": x, "y": y}.items())
    if not is_whole(seed, 0):
        raise argument_error(Argument("seed", of), "must be an int of at least 0", f"is {show(seed)}")
    orders = _rotated(connectome, whole(Argument("n", of), n), seed)
    found = float(np.corrcoef(first, second)[0, 1])
    null = np.asarray([np.corrcoef(first[order], second)[0, 1] for order in orders])
    # Orders that give the same correlation may differ by rounding.
    as_large = np.sum(np.abs(null) >= abs(found) - 1e-12)
    return SpinTest(found, float((as_large + 1) / (len(null) + 1)), null)


# On scipy alone: of the packages with spin tests brainspace needs vtk, neuromaps may not be used commercially, and
# netneurotools 0.3 does not import beside scipy 1.17.
def _rotated(connectome: Connectome, n: int, seed: int) -> np.ndarray:
    """Which region stands where after each rotation: shape (n, N)."""
    rotations = import_extra("fit", "scipy.spatial.transform").Rotation.random(n, rng=np.random.default_rng(seed))
    assign = import_extra("fit", "scipy.optimize").linear_sum_assignment
    mirror = np.diag([-1.0, 1.0, 1.0])  # the first coordinate goes from left to right
    orders = np.zeros((n, connectome.n_regions), int)
    for side, which in _sides(connectome).items():
        places = np.asarray(connectome.centres.to_decimal(u.mm), float)[which]  # type: ignore[union-attr]
        places = places - places.mean(axis=0)
        places /= np.linalg.norm(places, axis=1, keepdims=True)
        for i, rotation in enumerate(rotations.as_matrix()):
            turn = rotation if side == "left" else mirror @ rotation @ mirror
            near = places @ (places @ turn.T).T  # cosines of the angles between places and turned places
            orders[i, which] = which[assign(near, maximize=True)[1]]
    return orders


def _sides(connectome: Connectome) -> dict[str, np.ndarray]:
    what = Argument("connectome", "spin_test")
    if connectome.centres is None or connectome.hemispheres is None:
        raise argument_error(what, "must have centres and hemispheres")
    sides = np.asarray(connectome.hemispheres)
    found = {side: np.flatnonzero(sides == side) for side in ("left", "right")}
    if sum(map(len, found.values())) < connectome.n_regions:
        raise argument_error(
            what, "must have each region left or right", f"has {show(sorted(set(sides) - set(found)))}"
        )
    if few := [side for side, which in found.items() if 0 < len(which) < 3]:
        raise argument_error(what, "must have three regions or more in a hemisphere", f"has fewer in the {few[0]}")
    return {side: which for side, which in found.items() if len(which)}


def _map(name: str, given: ArrayLike, n: int) -> np.ndarray:
    what = Argument(name, "spin_test")
    values = np.asarray(u.get_mantissa(numbers(what, given)), float)
    if values.shape != (n,):
        raise argument_error(what, f"must have shape ({n},), a number for each region", f"has {values.shape}")
    if not np.isfinite(values).all() or np.ptp(values) == 0:
        raise argument_error(what, "must be finite, and differ between regions", "is not")
    return values
