"""Phase oscillators that pull on one another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from brainstate import HiddenState
from brainstate.nn import Param
from braintools.init import Uniform

from brainmass.dynamics.base import Field, NeuralMassDynamics, time_step
from brainmass.dynamics.delays import DelayLine, delay_steps
from brainmass.dynamics.fields import (
    Initializer,
    Par,
    ParamSpec,
    as_param,
    default_dtype,
    option,
    param,
    show,
    state,
)
from brainmass.noise import Noise

__all__ = ["KuramotoNetwork"]

WEIGHTS = ParamSpec(None, "weights, row receives", units=(u.UNITLESS,), name="conn")


class KuramotoNetwork(NeuralMassDynamics):
    r"""Kuramoto–Sakaguchi network of phase oscillators; time in ms.

    .. math::
        \dot\theta_i = \omega_i + \frac{K_i}{N_c} \sum_{j \neq i} w_{ij}
            \sin(\theta_j(t - d_{ij}) - \theta_i - \alpha_i) + I_i

    :math:`N_c = N`, the number of oscillators, with `normalize_by_n`, although the sum leaves out one of them; else
    1. The oscillators are those of the last axis of `in_size`. Phases are not wrapped. By the addition theorem the
    sum is two matrix products, of the sources' sines and cosines, and without weights and delays two plain sums.

    Reference: Kuramoto 1975, Lect. Notes Phys. 39:420; Sakaguchi, Kuramoto 1986, Prog. Theor. Phys. 76:576; with
    delays Yeung, Strogatz 1999, Phys. Rev. Lett. 82:648.

    Other Parameters
    ----------------
    conn : array (N, N) or flat (N * N), Connectome or Param, optional
        Weights; `conn[i, j]` is onto i from j. None: all ones. A phase lag `alpha` may be given per connection, too.
    normalize_by_n : bool
        Whether the sum is divided by N.
    exclude_self : bool
        Whether an oscillator is left out of what it receives.
    delay : Quantity, scalar or (N, N), optional
        Delays, rounded to whole steps. The phases of the past are those of the start.
    """

    category = "phenomenological"
    use_case = "synchronisation of rhythms; phase lags, delays"

    omega: Par = param(default=0.0, doc="natural angular frequency, rad per ms")
    K: Par = param(default=0.0, doc="coupling strength, per ms")
    # at the default K = 0 no rate depends on it
    alpha: Par = param(default=0.0, doc="phase lag of the target, rad", in_derivative=False)
    conn: Any = None
    normalize_by_n: bool = True
    exclude_self: bool = True
    noise_theta: Noise | None = None
    init_theta: Initializer = Uniform(0.0, 2 * np.pi)
    delay: Any = option(default=None)

    theta: HiddenState = state("phase, rad", port="theta_inp", add="drive")

    _prepared = None

    def dtheta(self, theta, drive):
        return (self.p.omega + drive) / u.ms

    def derivative(self, state: tuple, t: Any, theta_inp: Any = 0.0, drive: Any = 0.0) -> tuple:
        """Rate of change of the phases under the coupling of this very state. `drive` adds to the input."""
        return self._motion(state, t, theta_inp, drive + self._field(advance=False)({"theta": state[0]}, 0.0)["drive"])

    def _motion(self, state: tuple, t: Any, *inputs: Any) -> tuple:
        theta_inp, drive = inputs
        return (self.dtheta(state[0], theta_inp + drive),)

    def order_parameter(self) -> Any:
        r"""The complex order parameter :math:`R e^{i\psi} = \frac1N \sum_j e^{i\theta_j}`, shape (batch...,)."""
        return jnp.mean(jnp.exp(1j * self.theta.value), axis=-1)

    # --- weights, lags, delays ----------------------------------------------------------------------------------
    def __setattr__(self, key: str, value: Any) -> None:
        n = self.varshape[-1] if self._checked else 0
        if self._checked and key == "conn" and value is not None:
            value = as_param(self._owner, WEIGHTS, _as_square(self._owner, value, n), (n, n))
        elif self._checked and key == "alpha" and np.ndim(_bare(value)) == 2 and _shape(value) != self.varshape:
            object.__setattr__(self, key, as_param(self._owner, self._params[key], value, (n, n)))
            return
        elif self._checked and key == "delay":
            value = _as_delays(self._owner, value, n)
            self._line, self._line_dt = None, None
        super().__setattr__(key, value)

    def prepare(self) -> dict[str, Any]:
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

    def set_time_step(self, dt: Any) -> None:
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

    def reset_state(self, *args: Any, **kwargs: Any) -> None:
        super().reset_state(*args, **kwargs)
        self._fill_history()

    def _fill_history(self) -> None:
        if self._line is not None:
            self._line.start(_sent(self.theta.value), self.prepare()["delayed"])

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
        K, alpha, n = self.p.K, self.p.alpha, self.varshape[-1]
        strength = K / n if self.normalize_by_n else K
        lag = alpha if tables["now"] is None or len(tables["now"]) == 1 else 0.0

        def field(values: Mapping[str, Any], fraction: Any) -> dict[str, Any]:
            theta = values["theta"]
            total = self._pull(tables["now"], _sent(theta)) + start + fraction * (end - start)
            here = theta + lag
            return {"drive": strength * (total[..., 0, :] * jnp.cos(here) - total[..., 1, :] * jnp.sin(here))}

        return field

    def _pull(self, weights: Any, sent: Any) -> Any:
        if weights is None:
            total = jnp.sum(sent, axis=-1, keepdims=True)
            return total - sent if self.exclude_self else total + 0 * sent
        return _turned([jnp.matmul(sent, w.T) for w in weights])


class _PhaseLine(DelayLine):
    """Sines and cosines under way, shape (batch..., 2, N)."""

    def _arriving(self, weights: Any) -> Any:
        delayed = self.ago(self.steps.value - 1, jnp.arange(self.steps.value.shape[1])[None, :])
        return _turned([jnp.sum(w * delayed, axis=-1) for w in weights])


def _sent(theta: Any) -> Any:
    """What an oscillator sends: the sine and the cosine of its phase, shape (batch..., 2, N)."""
    return jnp.stack([jnp.sin(theta), jnp.cos(theta)], axis=-2)


def _turned(sums: list[Any]) -> Any:
    r"""Σ w sin(θ - α) and Σ w cos(θ - α), from Σ w cos(α) (sin θ, cos θ) and Σ w sin(α) (sin θ, cos θ)."""
    if len(sums) == 1:
        return sums[0]
    along, across = sums
    return along + jnp.stack([-across[..., 1, :], across[..., 0, :]], axis=-2)


# --- checks -------------------------------------------------------------------------------------------------------
def _bare(value: Any) -> Any:
    return u.get_mantissa(value.value() if isinstance(value, Param) else value)


def _shape(value: Any) -> tuple[int, ...]:
    return np.shape(_bare(value))


def _as_square(owner: str, conn: Any, n: int) -> Any:
    conn = getattr(conn, "weights", conn)
    if callable(conn) and not isinstance(conn, Param):
        conn = conn((n, n))
    shape = _shape(conn)
    if shape == (n * n,) and not isinstance(conn, Param):
        return u.math.reshape(u.math.asarray(conn), (n, n))
    if shape != (n, n):
        raise ValueError(
            f"Argument `conn` of {owner} must have one row and one column per oscillator, ({n}, {n}), or be that flat, "
            f"but has shape {shape}."
        )
    return conn if isinstance(conn, Param) else u.math.asarray(conn)


def _as_delays(owner: str, delay: Any, n: int) -> Any:
    if delay is None:
        return None
    what = f"Argument `delay` of {owner}"
    if not u.get_unit(delay).has_same_dim(u.ms):
        raise u.UnitMismatchError(f"{what} must be a time, but is {show(delay)}. Example: delay=5.0 * u.ms.")
    values = np.asarray(delay.to_decimal(u.ms))
    if values.shape not in ((), (n, n)):
        raise ValueError(f"{what} must be a scalar or have shape ({n}, {n}), but has shape {values.shape}.")
    if not (np.isfinite(values) & (values >= 0)).all():
        raise ValueError(f"{what} must be finite and >= 0, but is {show(delay)}.")
    return np.broadcast_to(values.astype(float), (n, n)) * u.ms
