"""Jansen–Rit columns on a connectome, sampled once per repetition time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from braintools.init import Constant

from brainmass.dynamics.base import time_step
from brainmass.dynamics.declaration import population_shape
from brainmass.dynamics.delays import History, delay_steps
from brainmass.dynamics.fields import (
    Domain,
    Initializer,
    ParamSpec,
    as_input,
    as_param,
    check_input_shape,
    default_dtype,
    initial_values,
    is_traced,
    nonnegative,
    positive,
    real,
)
from brainmass.dynamics.module import Module
from brainmass.models.jansen_rit.step import JansenRitStep
from brainmass.noise import WhiteNoise
from brainmass.utils import bounded_input

__all__ = ["JansenRitTR", "LaplacianConnectivity"]

ZERO = Constant(0.0)


class LaplacianConnectivity(Module):
    r"""Lateral, forward and backward coupling of Jansen–Rit columns through one structural connectome.

    Each pathway :math:`p` has log-gains :math:`w_p` of its own on the structural connectivity :math:`C`:

    .. math::
        W_p &= B_p / \lVert B_p \rVert, \quad B_p = e^{w_p} \circ C, \qquad d_p(i) = \textstyle\sum_j W_p(i, j) \\
        I_M &= g_l \bigl(\textstyle\sum_j W_l(i, j)\, x_{ij} - d_l M\bigr) \\
        p &= g_f \bigl(\textstyle\sum_j W_f(i, j)\, x_{ij} - d_f (E - I)\bigr) \\
        I_I &= -g_b \bigl(\textstyle\sum_j W_b(i, j)\, x_{ij} - d_b (E - I)\bigr)

    with the Frobenius norm, and :math:`B_l` replaced by its symmetric part.

    Parameters
    ----------
    delayed_x : callable
        Returns what arrives over each edge, shape (..., N, N), row i at region i.
    M, E, I : callable
        Return the present states, e.g. `node.prefetch("M")`.
    sc : array (N, N)
        Structural connectivity; `sc[i, j]` is onto i from j.
    w_ll, w_ff, w_bb : number, array (N, N) or Param
        Log-gains of the lateral, the forward and the backward connections.
    g_l, g_f, g_b : number, array (N,) or Param
        Gains of the three pathways.
    mask : array (N, N), optional
        Factor on the normalised weights.
    """

    def __init__(
        self,
        delayed_x: Callable,
        M: Callable,
        E: Callable,
        I: Callable,  # noqa: E741
        sc: Any,
        w_ll: Any,
        w_ff: Any,
        w_bb: Any,
        g_l: Any = 1.0,
        g_f: Any = 1.0,
        g_b: Any = 1.0,
        mask: Any = None,
    ):
        super().__init__()
        self.delayed_x, self.M, self.E, self.I = delayed_x, M, E, I
        pairs = _check_connectivity(sc)
        owner, regions = "LaplacianConnectivity", pairs[:1]
        self.sc = as_param(owner, _spec("sc", "structural connectivity", nonnegative), sc, pairs)
        self.w_ll = as_param(owner, _spec("w_ll", "log-gains of lateral connections"), w_ll, pairs)
        self.w_ff = as_param(owner, _spec("w_ff", "log-gains of forward connections"), w_ff, pairs)
        self.w_bb = as_param(owner, _spec("w_bb", "log-gains of backward connections"), w_bb, pairs)
        self.g_l = as_param(owner, _spec("g_l", "gain of the lateral pathway"), g_l, regions)
        self.g_f = as_param(owner, _spec("g_f", "gain of the forward pathway"), g_f, regions)
        self.g_b = as_param(owner, _spec("g_b", "gain of the backward pathway"), g_b, regions)
        mask = jnp.asarray(np.ones(pairs) if mask is None else mask, default_dtype())
        self.mask = as_param(owner, _spec("mask", "factor on the weights"), mask, pairs)

    def weights(self) -> tuple[Any, Any, Any]:
        """The lateral, forward and backward matrices, each (N, N)."""
        lateral, forward, backward = (self._gained(w.value()) for w in (self.w_ll, self.w_ff, self.w_bb))
        mask = self.mask.value()
        return tuple(B / jnp.linalg.norm(B) * mask for B in ((lateral + lateral.T) / 2, forward, backward))

    def _gained(self, w: Any) -> Any:
        """exp(w) · SC up to a factor, which the norm takes out; without it large log-gains would overflow."""
        sc: Any = self.sc.value()
        w = jnp.where(sc > 0, w, -jnp.inf)
        return sc * jnp.exp(w - jax.lax.stop_gradient(jnp.max(w)))

    def update_tr(self) -> tuple[tuple[Any, Any], ...]:
        """What holds for a repetition time: by pathway, what arrives and the factor on the region's own state."""
        x = _in_mV(self.delayed_x())
        gains = (self.g_l.value(), self.g_f.value(), self.g_b.value())
        pathways = zip(gains, self.weights(), strict=True)
        return tuple((g * jnp.sum(W * x, axis=-1), g * jnp.sum(W, axis=-1)) for g, W in pathways)

    def update(self, arriving: tuple[tuple[Any, Any], ...]) -> tuple[Any, Any, Any]:
        """`M_inp`, `E_inp` and `I_inp` at the present state, given the result of `update_tr`."""
        (lateral, own_l), (forward, own_f), (backward, own_b) = arriving
        M, eeg = _in_mV(self.M()), _in_mV(self.E()) - _in_mV(self.I())
        return (lateral - own_l * M) * u.mV, (forward - own_f * eeg) * u.Hz, (own_b * eeg - backward) * u.mV


class DelayedSource(History):
    """M of the other regions as it was one conduction delay ago, from samples at every repetition time."""

    def __init__(self, delay: Any, tr: Any):
        super().__init__(1)
        self.delay, self.tr = delay, tr

    def steps(self) -> np.ndarray:
        """The delays in repetition times, each rounded to the nearest."""
        plain = u.get_unit(self.delay).dim == u.DIMENSIONLESS
        return delay_steps(self.delay * time_step("JansenRitTR") if plain else self.delay, self.tr)

    def start(self, sent: Any) -> None:
        """Start from a past in which this was sent always."""
        self.depth = int(self.steps().max()) + 1
        self.fill(sent)

    def restart(self, sent: Any) -> None:
        """The same in the states that are there, which compiled functions hold."""
        fresh = History(self.depth)
        fresh.fill(sent)
        self.history.value, self.cursor.value = fresh.history.value, fresh.cursor.value

    def update(self) -> Any:
        """What arrives over each edge, shape (..., N, N)."""
        steps = self.steps()
        if steps.max() >= self.depth:
            raise ValueError(
                "JansenRitTR has a longer delay, in steps, than when its states were made: make them anew."
            )
        return self.ago(steps, np.arange(steps.shape[-1])[None, :])


class JansenRitTR(Module, brainstate.nn.Dynamics):
    r"""Jansen–Rit columns on a connectome; one `update` is one repetition time (TR).

    Inside it `step`, a `JansenRitStep`, takes tr/dt steps, driven by `k` times the input (into `M_inp`, in mV) and by
    the coupling that `LaplacianConnectivity` describes: what arrives from other regions is read once per TR, what a
    region subtracts of itself at every step. Regions send M.

    Reference: Momi, Wang, Griffiths 2023, eLife 12:e83232.

    Parameters
    ----------
    in_size : int
        Number of regions, N.
    delay : Quantity or array, (N, N) or scalar
        Conduction delays; plain numbers count time steps dt. They act in whole TRs, rounded to the nearest.
    sc : array (N, N)
        Structural connectivity; `sc[i, j]` is onto i from j.
    k : number, array (N,) or Param
        Gain of the input.
    w_ll, w_ff, w_bb : number, array (N, N) or Param
        Log-gains of the lateral, the forward and the backward connections; the lateral ones are made symmetric.
    g_l, g_f, g_b : number, array (N,) or Param
        Gains of the three pathways.
    std_in : number or Param, optional
        Strength of white noise at the three ports: its `sigma`, in the unit of the port.
    mask : array (N, N), optional
        Factor on the normalised weights.
    state_saturation : bool
        Whether each state is held between -1000 and 1000, in mV and mV/s. (As 1000 tanh(x/1000) after every step of
        dt it would be a leak that grows as dt falls, and end the alpha rhythm.)
    input_saturation : bool
        Whether each firing rate x enters its synapses as 500 tanh(x/500), in Hz.
    state_init : callable
        Initial values of the six states; plain numbers are in mV and mV/s.
    delay_init : callable
        What was sent before the start; plain numbers are in mV.
    tr : Quantity
        Repetition time, a multiple of dt.
    """

    def __init__(
        self,
        in_size: Any,
        delay: Any,
        sc: Any,
        k: Any,
        w_ll: Any,
        w_ff: Any,
        w_bb: Any,
        g_l: Any,
        g_f: Any,
        g_b: Any,
        std_in: Any = None,
        mask: Any = None,
        state_saturation: bool = True,
        input_saturation: bool = True,
        state_init: Initializer = ZERO,
        delay_init: Initializer = ZERO,
        tr: Any = 1e-3 * u.second,
    ):
        shape = population_shape("JansenRitTR", in_size)
        if u.math.shape(sc) != 2 * shape:
            raise ValueError(
                f"Argument `sc` of JansenRitTR must have one row and one column per region, in_size={shape}, "
                f"but has shape {u.math.shape(sc)}."
            )
        super().__init__(shape)
        settings: dict[str, Any] = {f"{name}_init": state_init for name in JansenRitStep._states}
        if input_saturation:
            settings["fr_scale"] = _saturated_rate
        if std_in is not None:
            std_in = as_param("JansenRitTR", _spec("std_in", "strength of the noise", nonnegative), std_in, shape)
            settings |= {f"noise_{port}": WhiteNoise(shape, sigma=std_in) for port in "EIM"}
        self.step = JansenRitStep(shape, **settings)
        self.k = as_param("JansenRitTR", _spec("k", "gain of the input"), k, shape)
        as_param("JansenRitTR", _spec("tr", "repetition time", positive, u.ms), tr, ())
        self.tr, self.state_saturation, self.delay_init = tr, state_saturation, delay_init
        self.delayed = DelayedSource(_as_delay(delay, 2 * shape), tr)
        M, E, I = (self.step.prefetch(name) for name in "MEI")  # noqa: E741
        self.connectivity = LaplacianConnectivity(self.delayed, M, E, I, sc, w_ll, w_ff, w_bb, g_l, g_f, g_b, mask)

    def init_state(self, batch_size: Any = None, *, rng: Any = None, **kwargs: Any) -> None:
        """Allocate the states of the columns, and fill the history with `delay_init`."""
        brainstate.nn.init_all_states(self.step, batch_size=batch_size, rng=rng)
        self.delayed.start(self._past(rng))

    def reset_state(self, *args: Any, **kwargs: Any) -> None:
        """Back to the initial values, with the batch as it was."""
        self.step.reset_state()
        self.delayed.restart(self._past(None))

    def _past(self, rng: Any) -> Any:
        rng = brainstate.random.DEFAULT if rng is None else rng
        spec, shape = JansenRitStep._states["M"], u.math.shape(self.step.M.value)
        return _in_mV(initial_values("JansenRitTR", spec, "delay_init", self.delay_init, shape, rng))

    def update(self, input: Any, record_state: bool = False, iter_input: bool = False) -> Any:
        """Advance one repetition time.

        Parameters
        ----------
        input : number, array or Quantity
            Constant over the repetition time; with `iter_input` one row per step of dt.
        record_state : bool
            Whether to return the six states as well, as a dictionary.

        Returns
        -------
        eeg : array (..., N)
            E − I at the end, in mV, as plain numbers; with `record_state` the pair `(eeg, states)`.
        """
        n = self.inner_steps()
        if iter_input and u.math.shape(input)[:1] != (n,):
            raise ValueError(
                f"Argument `input` of JansenRitTR.update must have one row per step of dt, {n} in a repetition time, "
                f"but has shape {u.math.shape(input)}."
            )
        self.delayed.push(_in_mV(self.step.M.value))
        arriving = self.connectivity.update_tr()

        def inner_step(row: Any) -> None:
            self._inner_step(row if iter_input else input, arriving)

        brainstate.transform.for_loop(inner_step, input if iter_input else np.arange(n))
        eeg = _in_mV(self.step.eeg())
        return (eeg, self.step.state_values()) if record_state else eeg

    def _inner_step(self, stimulus: Any, arriving: Any) -> None:
        M_inp, E_inp, I_inp = self.connectivity.update(arriving)
        drive = as_input("JansenRitTR", "input", u.mV, stimulus)
        check_input_shape("JansenRitTR", "input", drive, u.math.shape(M_inp))
        self.step.update(M_inp + self.k.value() * drive, E_inp, I_inp)
        if self.state_saturation:
            for name, value in self.step.state_values().items():
                bound = 1000.0 * u.get_unit(value)
                getattr(self.step, name).value = u.math.clip(value, -bound, bound)

    def inner_steps(self) -> int:
        """How many steps of dt make a repetition time."""
        dt = time_step("JansenRitTR")
        ratio = float(self.tr.to_decimal(u.ms)) / float(dt.to_decimal(u.ms))
        n = round(ratio)
        if n < 1 or abs(ratio - n) > 1e-5 * n:
            raise ValueError(
                f"Argument `tr` of JansenRitTR (repetition time) must be a multiple of dt={dt}, but is {self.tr}."
            )
        return n


def _saturated_rate(rate: Any) -> Any:
    return bounded_input(rate, 500.0 * u.Hz)


def _in_mV(x: Any) -> Any:
    return x.to_decimal(u.mV) if isinstance(x, u.Quantity) else x


# --- checks -------------------------------------------------------------------------------------------------------
def _spec(name: str, doc: str, domain: Domain = real, unit: Any = u.UNITLESS) -> ParamSpec:
    return ParamSpec(u.maybe_decimal(1.0 * unit), doc, domain, (unit,), name=name)


def _check_connectivity(sc: Any) -> tuple[int, ...]:
    shape = u.math.shape(sc)
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ValueError(f"Argument `sc` of LaplacianConnectivity must be a square matrix, but has shape {shape}.")
    if not is_traced(sc) and not np.any(np.asarray(sc)):
        raise ValueError("Argument `sc` of LaplacianConnectivity must have a connection, but is zero everywhere.")
    return shape


def _as_delay(delay: Any, pairs: tuple[int, ...]) -> Any:
    """Delays of shape (N, N), in numpy: the longest must be known while JAX traces."""
    if is_traced(delay):
        raise TypeError("Argument `delay` of JansenRitTR fixes shapes, so it must not be traced by JAX.")
    unit = u.UNITLESS if u.get_unit(delay).dim == u.DIMENSIONLESS else u.ms
    as_param("JansenRitTR", _spec("delay", "conduction delays", nonnegative, unit), delay, pairs)
    full = np.broadcast_to(np.asarray(u.get_mantissa(delay), np.float64), pairs)
    return full if unit == u.UNITLESS else u.Quantity(full, unit=u.get_unit(delay))
