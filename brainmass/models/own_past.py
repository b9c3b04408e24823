"""Nodes that read their own past: delays among the populations within a region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import is_traced
from brainmass._common.messages import show
from brainmass._common.times import time_step
from brainmass._common.typing import Numbers
from brainmass.delays.lines import History
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.step import Field

__all__ = ["OwnPast"]


class OwnPast(NeuralMassDynamics):
    """Base of nodes whose populations hear each other after a time.

    A subclass says which parameters are delays, `_delays`, each with the share of it that one way takes; what is sent,
    `_sent`; over which ways, `_own_delays`; and what of it enters which port, `_own_at_rest`.
    """

    _delays: ClassVar[Mapping[str, float]] = {}

    _past: History | None = None
    _step = 0.0

    def _sent(self, values: Mapping[str, Numbers]) -> Numbers:
        """What the populations send, one after the other along the last axis, as plain numbers."""
        raise NotImplementedError

    def _arrived(self, past: History, values: Mapping[str, Numbers], fraction: Numbers) -> dict[str, Numbers]:
        """What arrives by port, at a stage with these values and this fraction of the step behind it."""
        own: Any = self._own_delays()
        delays, source = own
        sent = self._sent(values)[..., source]
        return dict(self._own_at_rest(values, past.before(sent, fraction, delays / self._step, source)))

    def _sent_to_itself(self, values: Mapping[str, Numbers]) -> Numbers:
        return self._sent(values)

    def __setattr__(self, key: str, value: Any) -> None:
        if key not in self._delays or callable(value):
            return super().__setattr__(key, value)
        with jax.ensure_compile_time_eval():  # delays stay numbers inside a jit: the depth of the history needs them
            super().__setattr__(key, value)

    def set_time_step(self, dt: Numbers) -> None:
        """Make room for the past, in steps of `dt`; filled, where there are states, as if they had been so always."""
        with jax.ensure_compile_time_eval():  # a model may be made inside a jit
            delays = [(getattr(self, name), share) for name, share in self._delays.items()]
            if not self._checked or is_traced((dt, [delay.value() for delay, _ in delays])):  # in a run it is arranged
                self._check_room(dt)
                return
            step = float(dt.to_decimal(u.ms))
            ways = [share * float(np.max(d.value().to_decimal(u.ms))) * (2 if d.fit else 1) for d, share in delays]
        depth = int(max(ways) / step) + 2
        if self._past is None or (self._past.depth, self._step) != (depth, step):
            self._past, self._step = History(depth), step
        if not self._past.is_filled and self._states.keys() <= vars(self).keys():
            self._fill()

    def _check_room(self, dt: Numbers) -> None:
        """Refuse to go on without the history that steps of `dt` need, where none can be made."""
        with jax.ensure_compile_time_eval():
            if self._past is not None and not is_traced(dt) and float(dt.to_decimal(u.ms)) == self._step:
                return
            kept = "no past yet" if self._past is None else f"its past in steps of {self._step:g} ms"
            raise ValueError(
                f"{self._owner} has {kept}, and must know the time step, now {show(dt)}, before it is compiled. "
                "Example: brainstate.environ.set(dt=0.1 * u.ms), then init_all_states()."
            )

    def check_given(self, name: str, value: Any) -> None:
        """Refuse a delay given to a run that is longer than the past that is kept."""
        if name not in self._delays or self._past is None or is_traced(value):
            return
        longest = (self._past.depth - 1) * self._step / self._delays[name]
        if (np.asarray(value.to_decimal(u.ms)) > longest * (1 + 1e-6)).any():
            raise ValueError(
                f"Values of `{name}` must be at most {longest:g} ms, as {self._owner} keeps no longer past: make it "
                f"with its longest delay. Example: {name}={show(value)}."
            )

    def _fill(self) -> None:
        self._past.fill(self._sent(self.state_values()))  # pyright: ignore[reportOptionalMemberAccess]

    def init_state(self, batch_size: Any = None, *, rng: Any = None, **kwargs: Any) -> None:
        super().init_state(batch_size, rng=rng)
        if brainstate.environ.get("dt", default=None) is None:
            self._past = None
            return
        self.set_time_step(time_step(self._owner))
        self._fill()

    def reset_state(self, *args: Any, **kwargs: Any) -> None:
        super().reset_state()
        if self._past is not None:
            self._fill()

    def _past_at(self, dt: Numbers) -> History:
        if is_traced(next(iter(self.state_values().values()))):
            self._check_room(dt)
        else:
            self.set_time_step(dt)
        past: Any = self._past
        if past.history.value.shape[-2] != past.depth:
            raise ValueError(
                f"The past of {self._owner} has {past.history.value.shape[-2]} steps, but its delays and the time step "
                f"need {past.depth}: it is from a run with others."
            )
        return past

    def _own_field(self) -> Field:
        past = self._past_at(time_step(self._owner))
        past.push(self._sent(self.state_values()))
        return lambda values, fraction: self._arrived(past, values, fraction)

    def _side_by_side(self, sent: list[Numbers]) -> Numbers:
        """What several populations send, each of the shape of a state, one after the other along one axis."""
        batch = u.math.shape(sent[0])[: -len(self.varshape)]
        return jnp.concatenate([x.reshape(*batch, -1) for x in sent], axis=-1)
