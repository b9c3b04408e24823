"""Synapse filters: how what arrives over a projection rises and decays before it enters the port."""

from __future__ import annotations

from typing import Any

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass._common.messages import Argument, argument_error
from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Par, param, positive, state
from brainmass.network.attached import Attached, chosen

__all__ = ["SYNAPSES", "AlphaSynapse", "DoubleExponentialSynapse", "NMDASynapse", "Synapse", "as_synapse"]


class Synapse(Attached):
    r"""Base of the synapse filters: a rise and a decay, one after the other, of what arrives at each target.

    .. math:: \tau_{rise}\,\dot r = c - r, \qquad \tau_{decay}\,\dot s = r - s

    :math:`c` is what the connections bring, and :math:`s` enters the port in its place. The integral of the response
    to an impulse is 1, so that a constant passes unchanged and strengths keep their meaning. As the filter is linear,
    to filter the sum is to filter what each connection brings. Both states begin at 0 and are integrated in the loop
    of the network, with its method. Time constants are one, or one for each target region.
    """

    rising: HiddenState = state("what arrives, after the rise", start=Constant(0.0))
    filtered: HiddenState = state("what enters the port", start=Constant(0.0))

    argument = "synapse"
    awaits = ("arriving",)

    _n_targets: int | None = None

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        # One per target, not per connection: filtering is linear, so that the sum may be filtered.
        return dict.fromkeys(self._states, (self._n_targets or 1,))

    def shape_of(self, key: str, value: Any) -> tuple[int, ...] | None:
        return None if self._n_targets is None else (self._n_targets,)

    def check(self) -> None:
        for name, spec in self._params.items():
            shape = u.math.shape(getattr(self, name).value())
            if len(shape) > 1 or (shape and self._n_targets not in (None, shape[0])):
                of_regions = "" if self._n_targets is None else f" of {self._n_targets}"
                what = Argument(name, self._owner, spec.doc)
                raise argument_error(
                    what, f"must be one, or one for each target region{of_regions}", f"has shape {shape}"
                )

    def attach(self, n_targets: int) -> None:
        """Told for how many target regions it is."""
        if self._n_targets not in (None, n_targets):
            raise self._refuse_another()
        self._n_targets = n_targets
        self.check()

    def _times(self) -> tuple[Numbers, Numbers]:
        """Time constants of rise and decay."""
        raise NotImplementedError

    # --- motion, as of a node -----------------------------------------------------------------------------------------
    def _motion(self, state: tuple, t: Numbers, *inputs: Numbers) -> tuple:
        # Two first-order filters in a row, each of unit area: a constant passes unchanged.
        (rising, filtered), (arriving,), (rise, decay) = state, inputs, self._times()
        return (arriving - rising) / rise, (rising - filtered) / decay


class AlphaSynapse(Synapse):
    r"""Alpha function: :math:`h(t) = t\, e^{-t/\tau}/\tau^2`, with its maximum at :math:`\tau`.

    Reference: Rall 1967, J. Neurophysiol. 30:1138.
    """

    tau: Par = param(default=5.0 * u.ms, doc="time constant of rise and decay", domain=positive)

    def _times(self) -> tuple[Numbers, Numbers]:
        return self.p.tau, self.p.tau


class DoubleExponentialSynapse(Synapse):
    r"""Difference of two exponentials.

    .. math:: h(t) = (e^{-t/\tau_{decay}} - e^{-t/\tau_{rise}})/(\tau_{decay} - \tau_{rise})

    Where both time constants are the same it is the alpha function. The defaults are of the order of AMPA receptors.

    Reference: Destexhe, Mainen, Sejnowski 1994, Neural Comput. 6:14.
    """

    tau_rise: Par = param(default=0.5 * u.ms, doc="time constant of the rise", domain=positive)
    tau_decay: Par = param(default=5.0 * u.ms, doc="time constant of the decay", domain=positive)

    def _times(self) -> tuple[Numbers, Numbers]:
        return self.p.tau_rise, self.p.tau_decay


class NMDASynapse(DoubleExponentialSynapse):
    """The double exponential with the slow decay of NMDA receptors.

    It is linear: neither saturation nor the block by magnesium, which needs a voltage that most nodes do not have.

    Reference: Wang 1999, J. Neurosci. 19:9587.
    """

    tau_rise: Par = param(default=2.0 * u.ms, doc="time constant of the rise", domain=positive)
    tau_decay: Par = param(default=100.0 * u.ms, doc="time constant of the decay", domain=positive)


SYNAPSES: dict[str, type[Synapse]] = {
    "alpha": AlphaSynapse,
    "double_exponential": DoubleExponentialSynapse,
    "nmda": NMDASynapse,
}


def as_synapse(synapse: Any) -> Synapse | None:
    """A synapse by its name, its class, or itself."""
    return chosen(Synapse, SYNAPSES, synapse, "synapse=brainmass.AlphaSynapse(tau=5 * u.ms).")
