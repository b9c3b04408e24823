"""Synapse filters: how what arrives over a projection rises and decays before it enters the port."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import brainstate
import brainunit as u
import jax.numpy as jnp
from brainstate import HiddenState
from braintools.init import Constant

from brainmass._common.messages import Argument, argument_error, show, suggestion
from brainmass._common.precision import default_dtype
from brainmass._common.typing import Numbers
from brainmass.dynamics.declaration import batch_shape
from brainmass.dynamics.declared import WithRows
from brainmass.dynamics.fields import Par, param, positive, state

__all__ = ["SYNAPSES", "AlphaSynapse", "DoubleExponentialSynapse", "NMDASynapse", "Synapse", "as_synapse"]


class Synapse(WithRows):
    r"""Base of the synapse filters: a rise and a decay, one after the other, of what arrives at each target.

    .. math:: \tau_{rise}\,\dot r = c - r, \qquad \tau_{decay}\,\dot s = r - s

    :math:`c` is what the connections bring, and :math:`s` enters the port in its place. The integral of the response
    to an impulse is 1, so that a constant passes unchanged and strengths keep their meaning. As the filter is linear,
    to filter the sum is to filter what each connection brings. Both states begin at 0 and are integrated in the loop
    of the network, with its method. Time constants are one, or one for each target region.
    """

    rising: HiddenState = state("what arrives, after the rise", start=Constant(0.0))
    filtered: HiddenState = state("what enters the port", start=Constant(0.0))

    # What a step of time asks of whatever it steps.
    remembers: ClassVar[tuple[str, ...]] = ()

    _n_targets: int | None = None
    _batch: tuple[int, ...] | None = None

    @property
    def method(self) -> str:
        """That of the network: a filter has none of its own."""
        return ""  # that of the network

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
            raise argument_error(
                Argument("synapse", "Network"),
                "must be one of its own for each projection",
                f"is one of another with {self._n_targets} targets",
            )
        self._n_targets = n_targets
        self.check()

    def _times(self) -> tuple[Numbers, Numbers]:
        """Time constants of rise and decay."""
        raise NotImplementedError

    # --- states -----------------------------------------------------------------------------------------------------
    def init_state(
        self,
        batch_size: int | tuple[int, ...] | None = None,
        *,
        rng: brainstate.random.RandomState | None = None,
        **kwargs: object,
    ) -> None:
        self._batch = batch_shape(self._owner, batch_size)
        for name, value in self._initial().items():
            setattr(self, name, brainstate.HiddenState(value))

    def reset_state(self, *args: object, **kwargs: object) -> None:
        for name, value in self._initial().items():
            getattr(self, name).value = value

    def _initial(self, rng: brainstate.random.RandomState | None = None) -> dict[str, Numbers]:
        """Nothing has arrived, unless told otherwise."""
        # One per target, not per connection: filtering is linear, so that the sum may be filtered.
        zeros = jnp.zeros((*(self._batch or ()), self._n_targets or 1), default_dtype())
        return {name: zeros + u.get_mantissa(self._begins.get(name, 0.0)) for name in self._states}

    def state_values(self) -> dict[str, Numbers]:
        """The present values of the states, by name."""
        return {name: getattr(self, name).value for name in self._states}

    # --- motion, as of a node -----------------------------------------------------------------------------------------
    def _held_inputs(self, given: Mapping[str, Numbers]) -> tuple[dict[str, Numbers], None]:
        return {"arriving": 0.0}, None

    def _own_field(self) -> Callable | None:
        return None

    def _read(self, port: str, value: Numbers) -> Numbers:
        return value

    def _motion(self, state: tuple, t: Numbers, *inputs: Numbers) -> tuple:
        # Two first-order filters in a row, each of unit area: a constant passes unchanged.
        (rising, filtered), (arriving,), (rise, decay) = state, inputs, self._times()
        return (arriving - rising) / rise, (rising - filtered) / decay

    def _settled(self, name: str, value: Numbers) -> Numbers:
        return value


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
    if isinstance(synapse, str) and synapse in SYNAPSES:
        return SYNAPSES[synapse]()
    if isinstance(synapse, type) and issubclass(synapse, Synapse) and synapse is not Synapse:
        return synapse()
    if synapse is None or isinstance(synapse, Synapse):
        return synapse
    raise argument_error(
        Argument("synapse", "Network"),
        f"must be one of {', '.join(map(repr, SYNAPSES))}, or a Synapse",
        f"is {show(synapse)}",
        "synapse=brainmass.AlphaSynapse(tau=5 * u.ms).",
        hint=suggestion(str(synapse), SYNAPSES),
        kind=ValueError if isinstance(synapse, str) else TypeError,
    )
