"""The linear theory of Robinson's papers."""

from __future__ import annotations

import brainunit as u

from brainmass._common.typing import Numbers
from brainmass.models.robinson.loop import Loop

__all__ = ["LinearTheory"]


class LinearTheory(Loop):
    """Gains of the connections and strengths of the loops."""

    def gains(self) -> dict[str, Numbers]:
        r"""Gains at the present state, as numbers: additional pulses out for each additional pulse in.

        `ab` is :math:`G_{ab} = \nu_{ab}\, dQ_a/dV_a`, onto a from b; `ese`, `esre`, `srs` are their products along the
        loops; `X`, `Y`, `Z` are the strengths of the cortical, the corticothalamic and the intrathalamic loop, with
        :math:`X + Y < 1` where the model is stable at low frequencies.
        """
        p, present = self.p, self.state_values()
        slopes = {a: (Q := self.Q(present[f"V_{a}"])) * (1 - Q / p.Q_max) / p.sigma for a in "ers"}
        pairs = ("ee", "ei", "es", "se", "sr", "sn", "re", "rs")
        g = {ab: u.maybe_decimal(slopes[ab[0]] * getattr(p, f"nu_{ab}")) for ab in pairs}
        g |= {"ese": g["es"] * g["se"], "esre": g["es"] * g["sr"] * g["re"], "srs": g["sr"] * g["rs"]}
        g["X"] = g["ee"] / (1 - g["ei"])
        g["Y"] = (g["ese"] + g["esre"]) / ((1 - g["srs"]) * (1 - g["ei"]))
        g["Z"] = -g["srs"] * u.maybe_decimal(p.alpha * p.beta / (p.alpha + p.beta) ** 2)
        return g
