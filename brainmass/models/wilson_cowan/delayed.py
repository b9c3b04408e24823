"""The Wilson–Cowan model with delays between and within its populations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass.dynamics.base import Field, time_step
from brainmass.dynamics.delays import History
from brainmass.dynamics.fields import Par, is_traced, nonnegative, param, show
from brainmass.models.wilson_cowan.base import Populations, Refractoriness, Sigmoids, Weights, _Recurrent

__all__ = ["WilsonCowanDelayedStep"]


class Delays(Populations):
    """The time that activity takes from population to population."""

    delay_EE: Par = param(default=2.0 * u.ms, doc="delay from E to E", domain=nonnegative, in_derivative=False)
    delay_IE: Par = param(default=1.5 * u.ms, doc="delay from I to E", domain=nonnegative, in_derivative=False)
    delay_EI: Par = param(default=2.0 * u.ms, doc="delay from E to I", domain=nonnegative, in_derivative=False)
    delay_II: Par = param(default=1.5 * u.ms, doc="delay from I to I", domain=nonnegative, in_derivative=False)


class WilsonCowanDelayedStep(Sigmoids, Weights, Refractoriness, Delays, _Recurrent):
    r"""Wilson–Cowan with delayed recurrent input.

    .. math::
        \tau_E\dot r_E &= -r_E + (1 - r\,r_E)\,
            F(w_{EE}\, r_E(t - d_{EE}) - w_{IE}\, r_I(t - d_{IE}) + I_E; a_E, \theta_E) \\
        \tau_I\dot r_I &= -r_I + (1 - r\,r_I)\,
            F(w_{EI}\, r_E(t - d_{EI}) - w_{II}\, r_I(t - d_{II}) + I_I; a_I, \theta_I)

    Before :math:`t = 0` the rates were the initial ones. The past is interpolated linearly, so that a method has
    order two at most, and delays can be trained. It is kept as far as the longest delay reaches when the run is
    arranged, twice as far if that delay is trainable; a delay that grows beyond reads what is oldest.
    `drE`, `drI`, and `derivative` before there is a past, take the recurrent input from the rates that they are given.
    The time step must be known when the states are made: in a `Simulator` it is.

    Reference: Wilson, Cowan 1972, Biophys. J. 12:1-24, with delays as in Roxin, Brunel, Hansel 2005,
    Phys. Rev. Lett. 94:238103.
    """

    use_case = "rhythms from conduction and synaptic delays; delays as parameters to fit"

    past = None
    _step = 0.0

    # --- the history ----------------------------------------------------------------------------------------
    def __setattr__(self, key: str, value: Any) -> None:
        if key not in Delays._params or callable(value):
            return super().__setattr__(key, value)
        with jax.ensure_compile_time_eval():  # delays stay numbers inside a jit: the depth of the history needs them
            super().__setattr__(key, value)

    def set_time_step(self, dt: Any) -> None:
        """Make room for the past, in steps of `dt`; filled, where there are states, as if they had been so always."""
        with jax.ensure_compile_time_eval():  # a model may be made inside a jit
            delays = [getattr(self, name) for name in Delays._params]
            if not self._checked or is_traced((dt, [delay.value() for delay in delays])):  # in a run it is arranged
                self._check_room(dt)
                return
            step = float(dt.to_decimal(u.ms))
            longest = max(float(np.max(d.value().to_decimal(u.ms))) * (2 if d.fit else 1) for d in delays)
        depth = int(longest / step) + 2
        if self.past is None or (self.past.depth, self._step) != (depth, step):
            self.past, self._step = History(depth), step
        if not self.past.is_filled and self._states.keys() <= vars(self).keys():
            self._fill()

    def _check_room(self, dt: Any) -> None:
        """Refuse to go on without the history that steps of `dt` need, where none can be made."""
        with jax.ensure_compile_time_eval():
            if self.past is not None and not is_traced(dt) and float(dt.to_decimal(u.ms)) == self._step:
                return
            kept = "no past yet" if self.past is None else f"its past in steps of {self._step:g} ms"
            raise ValueError(
                f"{self._owner} has {kept}, and must know the time step, now {show(dt)}, before it is compiled. "
                "Example: brainstate.environ.set(dt=0.1 * u.ms), then init_all_states()."
            )

    def _fill(self) -> None:
        self.past.fill(self._sent(self.state_values()))  # pyright: ignore[reportOptionalMemberAccess]

    def init_state(self, batch_size: Any = None, *, rng: Any = None, **kwargs: Any) -> None:
        super().init_state(batch_size, rng=rng)
        if brainstate.environ.get("dt", default=None) is None:
            self.past = None
            return
        self.set_time_step(time_step(self._owner))
        self._fill()

    def reset_state(self, *args: Any, **kwargs: Any) -> None:
        super().reset_state()
        if self.past is not None:
            self._fill()

    # --- motion ---------------------------------------------------------------------------------------------
    def derivative(self, state: tuple, t: Any, E_ext: Any, I_ext: Any) -> tuple:
        """Rates of change of (rE, rI): from the past as it is now, or without delay where there is none yet."""
        if self.past is None or not self.past.is_filled:
            return self._rates(state, {"rE_inp": E_ext, "rI_inp": I_ext})
        arrived = self._arrived(self.past, dict(zip(self._states, state, strict=True)), 1.0)
        return self._motion(state, t, E_ext + arrived["rE_inp"], I_ext + arrived["rI_inp"])

    def _motion(self, state: tuple, t: Any, *inputs: Any) -> tuple:
        return tuple(self._relax(k, r, 0.0, 0.0, x) for k, r, x in zip("EI", state, inputs, strict=True))

    def _own_field(self) -> Field:
        past = self._past_at(time_step(self._owner))
        past.push(self._sent(self.state_values()))
        return lambda values, fraction: self._arrived(past, values, fraction)

    def _past_at(self, dt: Any) -> History:
        if is_traced(self.rE.value):
            self._check_room(dt)
        else:
            self.set_time_step(dt)
        past: Any = self.past
        if past.history.value.shape[-2] != past.depth:
            raise ValueError(
                f"The past of {self._owner} has {past.history.value.shape[-2]} steps, but its delays and the time step "
                f"need {past.depth}: it is from a run with others."
            )
        return past

    def _sent(self, values: Mapping[str, Any]) -> Any:
        """Both rates, one after the other along one axis."""
        batch = u.math.shape(values["rE"])[: -len(self.varshape)]
        return jnp.concatenate([values[name].reshape(*batch, -1) for name in ("rE", "rI")], axis=-1)

    def _arrived(self, past: History, values: Mapping[str, Any], fraction: Any) -> dict[str, Any]:
        """The recurrent input by port, at a stage with these values and this fraction of the step behind it."""
        p, sent = self.p, self._sent(values)
        source = np.arange(sent.shape[-1]).reshape(2, -1)[[0, 1, 0, 1]]  # E, I, E, I
        delays = [u.math.broadcast_to(d, self.varshape) for d in (p.delay_EE, p.delay_IE, p.delay_EI, p.delay_II)]
        steps = jnp.stack([d.to_decimal(u.ms).reshape(-1) for d in delays]) / self._step
        rates = past.before(sent[..., source], fraction, steps, source)
        EE, IE, EI, II = jnp.moveaxis(rates, -2, 0).reshape(4, *u.math.shape(values["rE"]))
        exc_E, inh_E = self._onto_E(EE, IE)
        exc_I, inh_I = self._onto_I(EI, II)
        return {"rE_inp": exc_E - inh_E, "rI_inp": exc_I - inh_I}
