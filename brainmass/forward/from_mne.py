"""Lead fields of MNE: its layout, orientations and units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import brainunit as u
import numpy as np

from brainmass._common.checks import is_traced
from brainmass._common.messages import Argument, argument_error
from brainmass._common.typing import Numbers

__all__ = ["check_magnitude", "gain_of_forward", "is_forward"]

_FIXED = 1  # orientation of sources, by FIFF's constants
_EEG, _MEG, _TESLA = 2, 1, 112  # kinds of channels, and the unit of magnetometers
_SI: dict[str, Any] = {"eeg": u.volt / (u.amp * u.meter), "mag": u.tesla / (u.amp * u.meter)}
#: in SI units, where the largest number of a lead field lies, and where one lies of any head
_IN_SI = {"eeg": ((10.0, 1e7), (0.0, 1e7)), "mag": ((1e-9, 1e-3), (1e-9, 1.0))}


def is_forward(given: object) -> bool:
    return isinstance(given, dict) and {"sol", "src", "source_ori"} <= given.keys()


def gain_of_forward(
    owner: str, forward: Mapping[str, Any], kind: str, parcels: object, orientations: object
) -> tuple[Numbers, list[str]]:
    """The lead field (regions, sensors) with its unit, and the names of the sensors."""
    if not is_forward(forward):
        raise argument_error(
            Argument("forward", owner),
            "must be a Forward of MNE",
            f"is a {type(forward).__name__}",
            "from_mne(mne.read_forward_solution('subject-fwd.fif'))",
            kind=TypeError,
        )
    picks = [i for i, channel in enumerate(forward["info"]["chs"]) if _is(channel, kind)]
    if not picks:
        raise argument_error(Argument("forward", owner), f"must have sensors of {owner}", "has none")
    names = [forward["info"]["chs"][i]["ch_name"] for i in picks]
    # The rows of a solution may be in another order than the channels, and without some of them.
    rows = [list(forward["sol"]["row_names"]).index(name) for name in names]
    gain = _along(owner, forward, np.asarray(forward["sol"]["data"], float)[rows], orientations)
    weights = _weights(owner, forward, parcels, gain.shape[1])
    return (weights.T @ gain.T) * _SI[kind], names


def _is(channel: Mapping[str, Any], kind: str) -> bool:
    if kind == "eeg":
        return int(channel["kind"]) == _EEG
    return int(channel["kind"]) == _MEG and int(channel["unit"]) == _TESLA


def _along(owner: str, forward: Mapping[str, Any], gain: np.ndarray, orientations: object) -> np.ndarray:
    """Of dipoles along one direction per source, (sensors, sources): by default the normal of the cortex."""
    n = int(forward["nsource"])
    if int(forward["source_ori"]) == _FIXED:
        if orientations is not None:
            raise argument_error(Argument("orientations", owner), "has no part where those of the forward are fixed")
        return gain
    gain = gain.reshape(len(gain), n, 3)  # x, y, z of the first source, then of the second
    if orientations is not None:
        vectors = np.asarray(orientations, float)
        if vectors.shape != (n, 3):
            raise argument_error(
                Argument("orientations", owner),
                f"must have shape ({n}, 3), one direction per source",
                f"has {vectors.shape}",
            )
        if forward["surf_ori"]:
            raise argument_error(Argument("orientations", owner), "needs a forward with surf_ori=False")
        return np.einsum("msx,sx->ms", gain, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    if any(space["type"] != "surf" for space in forward["src"]):
        raise argument_error(
            Argument("forward", owner),
            "has sources in a volume, which have no normal",
            hint=f"Give `orientations`, of shape ({n}, 3).",
        )
    if forward["surf_ori"]:
        # In surface coordinates the third axis is the normal; two are tangential.
        return gain[:, :, 2]
    # A surface has more vertices than are sources: those in use are listed.
    normals = np.concatenate([space["nn"][space["vertno"]] for space in forward["src"]])
    return np.einsum("msx,sx->ms", gain, normals)


def _weights(owner: str, forward: object, parcels: object, n: int) -> np.ndarray:
    """Weights (sources, regions); a region is the mean of its sources."""
    if parcels is None:
        return np.eye(n)
    if isinstance(parcels, Sequence) and parcels and hasattr(parcels[0], "vertices"):
        members = np.stack([_members(forward, label) for label in parcels], axis=1)
    else:
        given = np.asarray(parcels)
        members = given.astype(float) if given.ndim == 2 else _of_regions(given)
    if members.shape[0] != n or (members.sum(axis=0) == 0).any():
        empty = "" if members.shape[0] != n else f" and none for region {int(np.argmin(members.sum(axis=0) != 0))}"
        raise argument_error(
            Argument("parcels", owner),
            f"must name a region for each of the {n} sources, and a source for each region",
            f"has shape {members.shape}{empty}",
        )
    return members / members.sum(axis=0)


def _of_regions(regions: np.ndarray) -> np.ndarray:
    """From the number of the region of each source; below zero it is in none."""
    return (regions[:, None] == np.arange(int(regions.max(initial=0)) + 1)).astype(float)


def _members(forward: Any, label: Any) -> np.ndarray:
    # The order of hemispheres in MNE's source spaces.
    sides = {"lh": 0, "rh": 1}
    return np.concatenate(
        [
            np.isin(space["vertno"], label.vertices).astype(float) * (sides[label.hemi] == i)
            for i, space in enumerate(forward["src"])
        ]
    )


def check_magnitude(what: str, values: Numbers, unit: Any) -> None:
    """Refuse plain numbers that are of the size of those in SI units, and are none in `unit`.

    In V/(A m) a dipole near the cortex is seen with 10 to 300 on the scalp, in T/(A m) with about 1e-5.
    """
    kind = next((kind for kind, si in _SI.items() if unit.has_same_dim(si)), None)
    if kind is None or is_traced(values):
        return
    largest = float(np.nanmax(np.abs(np.asarray(u.maybe_decimal(values), float)), initial=0.0))
    (low, high), (least, most) = _IN_SI[kind]
    if low <= largest <= high and not least <= u.Quantity(largest, unit=unit).to_decimal(_SI[kind]) < most:
        example = "u.volt" if kind == "eeg" else "u.tesla"
        raise argument_error(
            what,
            f"must carry its unit where plain numbers, which are in {unit}, reach {largest:.3g}: "
            f"those of MNE, Brainstorm and others are in {_SI[kind]}",
            example=f"L=L * {example} / (u.amp * u.meter).",
        )
