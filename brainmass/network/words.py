"""What a projection says of itself, and of delays that are hardly meant so."""

from __future__ import annotations

import numpy as np

from brainmass._common.display import parameter_words
from brainmass._common.typing import Numbers
from brainmass.network.coupling import Coupling

__all__ = ["described", "in_a_line", "odd_delays"]


def described(coupling: Coupling, sent: str, port: str, n: int, delays: Numbers) -> dict[str, str]:
    """In words, of `n` connections with delays in ms: None where they have none, 'traced' where they are not known."""
    strength, unit, trainable = parameter_words(coupling.k)
    return {
        "sends": sent,
        "through": type(coupling).__name__ + (", connection by connection" if coupling.pairwise else ""),
        "into": port,
        "k": f"{strength} {unit}".rstrip(),
        "trainable": ", ".join(["k"] * bool(trainable) + ["weights"] * bool(coupling.conn.fit)),
        "connections": str(n),
        "delays": _range_of(delays),
    }


def _range_of(delays: Numbers) -> str:
    if delays is None or isinstance(delays, str):
        return delays or ""
    ends = list(dict.fromkeys(f"{x:.3g}" for x in (delays.min(initial=np.inf), delays.max(initial=0.0))))
    return f"{' to '.join(ends)} ms" if delays.size else "none"


def odd_delays(
    delays: np.ndarray, lengths: np.ndarray | None, dt: float, duration: float, keeps_fractions: bool
) -> str:
    """What is odd about delays in ms, in a run of steps of `dt` ms; empty where nothing is."""
    if not delays.size or not delays.any():
        return ""
    of = "" if lengths is None else f"lengths of {lengths.min():g} to {lengths.max():g} mm, "
    spread = f"({of}delays of {delays.min():g} to {delays.max():g} ms)"
    if delays.max() < dt / 2 and not keeps_fractions:
        return f"All delays are shorter than half a step of {dt:g} ms, and so zero {spread}."
    if delays.min() > duration:
        return f"All delays are longer than the run of {duration:g} ms {spread}."
    return ""


def in_a_line(words: dict[str, str], source: str | None, target: str | None) -> str:
    """What `described` says, as one line."""
    delays = f", delays {words['delays']}" if words["delays"] else ""
    trainable = f" (trainable: {words['trainable']})" if words["trainable"] else ""
    ends = "" if source is None else f"{source} to {target}: "
    what = f"{words['through']} of {words['sends']} into {words['into']}"
    return f"{ends}{what}, k={words['k']}{trainable}, {words['connections']} connections{delays}"
