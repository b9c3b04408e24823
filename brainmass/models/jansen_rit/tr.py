"""Jansen–Rit columns on a connectome, sampled once per repetition time."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import brainstate
import brainunit as u
import numpy as np
from braintools.init import Constant

from brainmass._common.checks import flag, function
from brainmass._common.messages import Argument, argument_error
from brainmass._common.times import time_step
from brainmass._common.typing import Numbers, Time
from brainmass.delays.lines import History, delay_steps
from brainmass.dynamics.catalogue import catalogued
from brainmass.dynamics.checks import as_input, check_input_shape, initial_values
from brainmass.dynamics.declaration import population_shape
from brainmass.dynamics.declared import WithRows
from brainmass.dynamics.fields import Initializer, Par, nonnegative, param, positive, setting
from brainmass.dynamics.module import ShowsConstructor, fixed
from brainmass.dynamics.noise import WhiteNoise
from brainmass.dynamics.rows import through_rows
from brainmass.models.jansen_rit.connectivity import LaplacianConnectivity, in_mV
from brainmass.models.jansen_rit.firing_rates import saturated_rate
from brainmass.models.jansen_rit.step import JansenRitStep

__all__ = ["JansenRitTR"]

ZERO = Constant(0.0)


class DelayedSource(History):
    """M of the other regions as it was one conduction delay ago, from samples at every repetition time."""

    def __init__(self, delay: Any, tr: Time):
        super().__init__(1)
        self.delay, self.tr = delay, tr

    def steps(self) -> np.ndarray:
        """The delays in repetition times, each rounded to the nearest."""
        plain = u.get_unit(self.delay).dim == u.DIMENSIONLESS
        return delay_steps(self.delay * time_step("JansenRitTR") if plain else self.delay, self.tr)

    def start(self, sent: Numbers) -> None:
        """Start from a past in which this was sent always."""
        self.depth = int(self.steps().max()) + 1
        self.fill(sent)

    def restart(self, sent: Numbers) -> None:
        """The same in the states that are there, which compiled functions hold."""
        fresh = History(self.depth)
        fresh.fill(sent)
        self.history.value, self.cursor.value = fresh.history.value, fresh.cursor.value

    def update(self) -> Numbers:
        """What arrives over each edge, shape (..., N, N)."""
        steps = self.steps()
        if steps.max() >= self.depth:
            raise ValueError(
                "JansenRitTR has a longer delay, in steps, than when its states were made: make them anew."
            )
        return self.ago(steps, np.arange(steps.shape[-1])[None, :])


@catalogued
class JansenRitTR(ShowsConstructor, WithRows, brainstate.nn.Dynamics):
    r"""Jansen–Rit columns on a connectome; one `update` is one repetition time (TR).

    Inside it `step`, a `JansenRitStep`, takes tr/dt steps of its method, driven by `k` times the input (into `M_inp`,
    in mV) and by the coupling that `LaplacianConnectivity` describes: what arrives from other regions is read once per
    TR, what a region subtracts of itself at every step. Regions send M.

    Reference: Momi, Wang, Griffiths 2023, eLife 12:e83232.

    Delays given as plain numbers count time steps dt; they act in whole TRs, rounded to the nearest.

    Other Parameters
    ----------------
    in_size : int
        Number of regions, N.
    sc : array (N, N)
        Structural connectivity; `sc[i, j]` is onto i from j.
    w_ll, w_ff, w_bb : number, array (N, N) or Param
        Log-gains of the lateral, the forward and the backward connections; the lateral ones are made symmetric.
    g_l, g_f, g_b : number, array (N,) or Param
        Gains of the three pathways.
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
    """

    delay: Any = setting(
        default=..., doc="conduction delays, one or (N, N)", domain=nonnegative, unit=(u.UNITLESS, u.ms)
    )
    k: Par = param(default=None, doc="gain of the input", unit=u.UNITLESS)
    std_in: Par = param(
        default=None,
        doc="strength of white noise at the three ports: its `sigma`, in the unit of the port",
        domain=nonnegative,
        unit=u.UNITLESS,
    )
    tr: Any = setting(default=1e-3 * u.second, doc="repetition time, a multiple of dt", domain=positive, unit=u.ms)

    loops_over_time = True
    category = "physiological"
    use_case = "EEG and MEG of Jansen–Rit columns on a connectome, sampled once per repetition time"
    questions = ("alpha", "evoked")
    output = "eeg"
    presets: ClassVar[dict[str, Any]] = {}
    _elsewhere = (
        fixed("delay", "tr", "step", "connectivity", "delayed", "in_size")
        | fixed("std_in", instead="it is the `sigma` of step.noise_E, step.noise_I and step.noise_M")
        | fixed(
            "sc", "w_ll", "w_ff", "w_bb", "g_l", "g_f", "g_b", "mask", instead="it is an attribute of .connectivity"
        )
    )

    _asked = {
        "state_saturation": flag,
        "input_saturation": flag,
        "state_init": partial(function, of="a shape"),
        "delay_init": partial(function, of="a shape"),
    }

    def __init__(
        self,
        in_size: Any,
        delay: Any,
        sc: Any,
        k: Numbers,
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
            raise argument_error(
                Argument("sc", "JansenRitTR"),
                f"must have one row and one column per region, in_size={shape}",
                f"has shape {u.math.shape(sc)}",
            )
        brainstate.nn.Dynamics.__init__(self, shape)
        self._ask(state_saturation=state_saturation, input_saturation=input_saturation)
        self._ask(state_init=state_init, delay_init=delay_init)
        self._set_rows({"delay": delay, "k": k, "std_in": std_in, "tr": tr})
        settings: dict[str, Any] = {f"{name}_init": state_init for name in JansenRitStep._states}
        if input_saturation:
            settings["fr_scale"] = saturated_rate
        if std_in is not None:
            settings |= {f"noise_{port}": WhiteNoise(shape, sigma=self.std_in) for port in "EIM"}
        self.step = JansenRitStep(shape, **settings)
        self.state_saturation, self.delay_init = state_saturation, delay_init
        self.delayed = DelayedSource(_of_pairs(delay, 2 * shape), tr)
        M, E, I = (self.step.prefetch(name) for name in "MEI")  # noqa: E741
        self.connectivity = LaplacianConnectivity(self.delayed, M, E, I, sc, w_ll, w_ff, w_bb, g_l, g_f, g_b, mask)

    def check(self) -> None:
        if self.k is None:
            raise TypeError("JansenRitTR needs the argument `k`, the gain of the input. Example: k=1.0.")

    def shape_of(self, key: str, value: object) -> tuple[int, ...] | None:
        shape: Any = self.varshape  # it has one axis
        return {"delay": (*shape, *shape), "tr": ()}.get(key, shape)

    def init_state(self, batch_size: Any = None, *, rng: Any = None, **kwargs: Any) -> None:
        """Allocate the states of the columns, and fill the history with `delay_init`."""
        brainstate.nn.init_all_states(self.step, batch_size=batch_size, rng=rng)
        self.delayed.start(self._past(rng))

    def reset_state(self, *args: object, **kwargs: object) -> None:
        """Back to the initial values, with the batch as it was."""
        self.step.reset_state()
        self.delayed.restart(self._past(None))

    def _past(self, rng: Any) -> Numbers:
        rng = brainstate.random.DEFAULT if rng is None else rng
        spec, shape = JansenRitStep._states["M"], u.math.shape(self.step.M.value)
        return in_mV(initial_values("JansenRitTR", spec, "delay_init", self.delay_init, shape, rng))

    def update(self, input: object, record_state: bool = False, iter_input: bool = False) -> Numbers:
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
            raise argument_error(
                Argument("input", "JansenRitTR.update"),
                f"must have one row per step of dt, {n} in a repetition time",
                f"has shape {u.math.shape(input)}",
            )
        self.delayed.push(in_mV(self.step.M.value))
        arriving = self.connectivity.update_tr()

        def inner_step(row: object) -> None:
            self._inner_step(row if iter_input else input, arriving)

        through_rows(inner_step, input if iter_input else np.arange(n))
        eeg = in_mV(self.step.eeg())
        return (eeg, self.step.state_values()) if record_state else eeg

    def _inner_step(self, stimulus: object, arriving: Numbers) -> None:
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
            raise argument_error(
                Argument("tr", "JansenRitTR", "repetition time"), f"must be a multiple of dt={dt}", f"is {self.tr}"
            )
        return n


def _of_pairs(delay: object, pairs: tuple[int, ...]) -> Numbers:
    """Delays of shape (N, N), in numpy: the longest must be known while JAX traces."""
    full = np.broadcast_to(np.asarray(u.get_mantissa(delay), np.float64), pairs)
    return full if u.get_unit(delay).dim == u.DIMENSIONLESS else u.Quantity(full, unit=u.get_unit(delay))


# As those of a node, for the catalogue and for pictures: they are the states of its columns.
JansenRitTR._states = JansenRitStep._states
