"""Coupling by sines of phase differences: weights, lags and delays, as products with sines and cosines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from brainstate import HiddenState
from brainstate.nn import Param
from jax import lax

from brainmass._common.checks import is_function
from brainmass._common.messages import Argument, argument_error
from brainmass._common.precision import default_dtype
from brainmass._common.times import time_step
from brainmass._common.typing import Numbers, Pytree
from brainmass.delays.lines import DelayLine, checked_delays, delay_steps
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.step import Field

__all__ = ["PhaseCoupled"]


class PhaseCoupled(NeuralMassDynamics):
    """Base of oscillators of phase `theta` with the parameters `K`, `alpha`, `conn`, `delay` of `KuramotoNetwork`."""

    K: Any
    alpha: Any
    conn: Any
    delay: Any
    normalize_by_n: bool
    exclude_self: bool
    theta: Any

    _prepared = None

    # --- weights, lags, delays ----------------------------------------------------------------------------------
    def _admitted(self, key: str, value: object) -> Any:
        n = self.varshape[-1]
        if key == "conn" and value is not None:
            value = _as_square(self._owner, value, n)
        elif key == "delay":
            value = None if value is None else checked_delays(Argument("delay", self._owner), value, n)
            self._line, self._line_dt = None, None
        return super()._admitted(key, value)

    def shape_of(self, key: str, value: object) -> tuple[int, ...] | None:
        n = self.varshape[-1]
        per_edge = key == "alpha" and np.ndim(_bare(value)) == 2 and _shape(value) != self.varshape
        return (n, n) if key == "conn" or per_edge else self.varshape

    def prepare(self) -> dict[str, Numbers]:
        """What follows from weights and lags alone; a run computes it once."""
        alpha, n = self.alpha.value(), self.varshape[-1]
        per_edge = u.math.shape(alpha) == (n, n) != self.varshape
        if self.conn is None and self._line is None and not per_edge:
            return {"now": None}
        weights = jnp.ones((n, n), default_dtype()) if self.conn is None else self.conn.value()
        if self.exclude_self:
            weights = weights * (1 - np.eye(n, dtype=default_dtype()))
        turned = (weights * u.math.cos(alpha), weights * u.math.sin(alpha)) if per_edge else (weights,)
        if self._line is None:
            return {"now": turned}
        delayed = self._line.steps.value > 0
        return {"now": tuple(w * ~delayed for w in turned), "delayed": tuple(w * delayed for w in turned)}

    def set_time_step(self, dt: Numbers) -> None:
        """Turn the delays into steps of `dt`."""
        if self.delay is None:
            return
        step = float(dt.to_decimal(u.ms))
        if self._line_dt != step:
            steps = delay_steps(self.delay, dt)
            self._line_dt = step
            with jax.ensure_compile_time_eval():
                self._line = _PhaseLine(steps) if steps.any() else None
        if self._line is not None and not self._line.is_filled and isinstance(vars(self).get("theta"), HiddenState):
            self._fill_history()

    def _check_time_step(self) -> None:
        self.theta  # or the error that says how to make states  # noqa: B018
        dt = time_step(self._owner)
        if self._line_dt != float(dt.to_decimal(u.ms)):
            known = "not known" if self._line_dt is None else f"{self._line_dt} ms"
            raise RuntimeError(
                f"The time step for the delays of {self._owner} is {known}, but that of the environment is {dt}: "
                "call init_all_states() or set_time_step(dt) first."
            )

    def init_state(self, batch_size: int | tuple[int, ...] | None = None, *, rng: Any = None, **kwargs: Any) -> None:
        super().init_state(batch_size, rng=rng, **kwargs)
        if self.delay is not None:
            self.set_time_step(time_step(self._owner))
            self._fill_history()

    def reset_state(self, *args: object, **kwargs: object) -> None:
        super().reset_state(*args, **kwargs)
        self._fill_history()

    def _fill_history(self) -> None:
        if self._line is not None:
            self._line.start(_sent(self.theta.value), self.prepare()["delayed"])

    def check_moving(self, param: object) -> None:
        """Refuse to let weights or lags move where what arrives was weighed when it left."""
        for name in "conn", "alpha":
            if self._line is not None and param is getattr(self, name):
                raise argument_error(
                    Argument("parameters", "run", entry=name, text=f"Parameter `{name}`"),
                    "cannot move beside a `delay`",
                    "is given a course",
                )

    # --- coupling -----------------------------------------------------------------------------------------------
    def _own_field(self) -> Field:
        return self._field(advance=True)

    def _field(self, advance: bool) -> Field:
        """What comes from the others, as a function of the state at a stage and of the fraction of the step."""
        if self.delay is not None:
            self._check_time_step()
        tables = self.prepare() if self._prepared is None else self._prepared
        start = end = 0.0
        if self._line is not None and advance:
            start, end = self._line.advance(_sent(self.theta.value), tables["delayed"])
        elif self._line is not None:
            start = end = self._line.arriving.value
        n = self.varshape[-1]

        def field(values: Mapping[str, Numbers], fraction: Numbers) -> dict[str, Pytree]:
            theta, K = values["theta"], self.p.K
            strength = K / n if self.normalize_by_n else K
            tables = self.prepare() if self._prepared is None else self._prepared  # where they move, of this stage
            lag = self.p.alpha if tables["now"] is None or len(tables["now"]) == 1 else 0.0
            total = self._pull(tables["now"], _sent(theta)) + start + fraction * (end - start)
            here = theta + lag
            return {"drive": strength * (total[..., 0, :] * jnp.cos(here) - total[..., 1, :] * jnp.sin(here))}

        return field

    def _own_at_rest(self, values: Mapping[str, Numbers], arriving: Numbers = None) -> dict[str, Numbers]:
        theta, alpha, n = values["theta"], self.p.alpha, self.varshape[-1]
        each = theta[..., None, :] if arriving is None else arriving
        here = theta[..., :, None] + (alpha if u.math.shape(alpha) == (n, n) else jnp.expand_dims(alpha, -1))
        weights = jnp.ones((n, n), default_dtype()) if self.conn is None else self.conn.value()
        weights = weights * (1 - np.eye(n, dtype=default_dtype())) if self.exclude_self else weights
        strength = self.p.K / n if self.normalize_by_n else self.p.K
        return {"drive": strength * jnp.sum(weights * jnp.sin(each - here), axis=-1)}

    def _own_delays(self) -> tuple[Numbers, Numbers] | None:
        if self.delay is None:
            return None
        return self.delay.to_decimal(u.ms), np.arange(self.varshape[-1])[None, :]

    def _sent_to_itself(self, values: Mapping[str, object]) -> Numbers:
        return values["theta"]

    def _pull(self, weights: Numbers, sent: Numbers) -> Numbers:
        if weights is None:
            total = jnp.sum(sent, axis=-1, keepdims=True)
            return total - sent if self.exclude_self else total + 0 * sent
        return _turned([jnp.matmul(sent, w.T, precision=lax.Precision.HIGHEST) for w in weights])


class _PhaseLine(DelayLine):
    """Sines and cosines under way, shape (batch..., 2, N)."""

    def _arriving(self, weights: Numbers) -> Numbers:
        delayed = self.ago(self.steps.value - 1, jnp.arange(self.steps.value.shape[1])[None, :])
        return _turned([jnp.sum(w * delayed, axis=-1) for w in weights])


def _sent(theta: Numbers) -> Numbers:
    """What an oscillator sends: the sine and the cosine of its phase, shape (batch..., 2, N)."""
    return jnp.stack([jnp.sin(theta), jnp.cos(theta)], axis=-2)


def _turned(sums: list[Numbers]) -> Numbers:
    r"""Σ w sin(θ - α) and Σ w cos(θ - α), from Σ w cos(α) (sin θ, cos θ) and Σ w sin(α) (sin θ, cos θ)."""
    if len(sums) == 1:
        return sums[0]
    along, across = sums
    return along + jnp.stack([-across[..., 1, :], across[..., 0, :]], axis=-2)


# --- checks -------------------------------------------------------------------------------------------------------
def _bare(value: object) -> float:
    return u.get_mantissa(value.value() if isinstance(value, Param) else value)


def _shape(value: object) -> tuple[int, ...]:
    return np.shape(_bare(value))


def _as_square(owner: str, conn: Numbers, n: int) -> Numbers:
    conn = getattr(conn, "weights", conn)
    if is_function(conn) and not isinstance(conn, Param):
        conn = conn((n, n))
    shape = _shape(conn)
    if shape == (n * n,) and not isinstance(conn, Param):
        return u.math.reshape(u.math.asarray(conn), (n, n))
    if shape != (n, n):
        raise argument_error(
            Argument("conn", owner),
            f"must have one row and one column per oscillator, ({n}, {n}), or be that flat",
            f"has shape {shape}",
        )
    return conn if isinstance(conn, Param) else u.math.asarray(conn)
