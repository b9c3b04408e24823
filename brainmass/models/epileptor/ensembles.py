"""The two ensembles of the Epileptor, the permittivity between them, and the field that they make."""

from __future__ import annotations

from brainstate import HiddenState
from braintools.init import Constant

from brainmass._common.typing import Numbers
from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Initializer, state
from brainmass.dynamics.noise import Noise

__all__ = ["Ensembles"]


class Ensembles(Declared):
    """The states of the Epileptor, where they start, and what a contact nearby measures of them."""

    init_x1: Initializer = Constant(-1.5)
    init_y1: Initializer = Constant(-10.0)
    init_z: Initializer = Constant(3.5)
    init_x2: Initializer = Constant(-1.0)
    init_y2: Initializer = Constant(0.0)
    init_g: Initializer = Constant(0.0)
    noise_x1: Noise | None = None
    noise_x2: Noise | None = None

    x1: HiddenState = state("fast variable of the first ensemble", port="x1_inp", add="add1")
    y1: HiddenState = state("recovery variable of the first ensemble")
    z: HiddenState = state("slow permittivity variable")
    x2: HiddenState = state("fast variable of the second ensemble", port="x2_inp", add="add2")
    y2: HiddenState = state("recovery variable of the second ensemble")
    g: HiddenState = state("low-passed x1")

    def lfp(self) -> Numbers:
        """Local field potential, x2 - x1."""
        present = self.state_values()
        return present["x2"] - present["x1"]
