"""Published strengths of the connections of Robinson's model."""

from __future__ import annotations

from typing import Any

import brainunit as u

from brainmass._common.typing import Numbers
from brainmass.dynamics.node import Preset

__all__ = ["PRESETS", "mV_s"]

_FLUX: Any = u.mV * u.second  # which would be shown as webers
mV_s: Any = u.Unit(_FLUX.dim, scale=_FLUX.scale, base=_FLUX.base, factor=_FLUX.factor, name="mV * s", dispname="mV * s")


def _strengths(
    ee: float, ei: float, es: float, se: float, sr: float, sn: float, re: float, rs: float
) -> dict[str, Numbers]:
    """Strengths onto the first from the second, in mV s."""
    given = dict(ee=ee, ei=ei, es=es, se=se, sr=sr, sn=sn, re=re, rs=rs)
    return {f"nu_{ab}": nu * mV_s for ab, nu in given.items()}


PRESETS = {
    "eyes_closed": Preset(
        "wake with eyes closed: rests at 5.2, 15.4 and 8.8 pulses per second; noise makes an alpha rhythm of 9 Hz",
        "Abeysuriya, Rennie, Robinson 2015, J. Neurosci. Methods 253:55: `eirs-corticothalamic.conf` of NFTsim",
        {},
    ),
    "alpha": Preset(
        "wake with eyes closed and a high alpha peak, at 9.6 Hz: rests at 7.0, 15.3 and 5.6 pulses per second",
        "Sanz-Leon et al. 2018, PLoS Comput. Biol. 14:e1006387: `eirs_eyes_closed.conf` of NFTsim",
        _strengths(
            ee=1.5316368,
            ei=-9.6390641,
            es=9.7322420,
            se=1.1354746,
            sr=-1.2216477,
            sn=8.2218638,
            re=0.1428004,
            rs=0.0577027,
        ),
    ),
    "sleep_spindles": Preset(
        "sleep: rests at 7.6, 19.9 and 5.1 pulses per second; noise makes spindles",
        "Abeysuriya, Rennie, Robinson 2014, J. Theor. Biol. 344:70: `Abeysuriya_2014/figure_1.conf` of NFTsim",
        _strengths(
            ee=1.346879228,
            ei=-2.320281251,
            es=1.176634189,
            se=2.661985519,
            sr=-1.176930149,
            sn=0.1415780734,
            re=0.2584431651,
            rs=0.07762265571,
        ),
    ),
}
