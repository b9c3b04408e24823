"""The BOLD signal: from neural activity through blood flow, volume and deoxyhaemoglobin."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import brainstate
import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass._common.checks import one_of
from brainmass._common.messages import Argument, argument_error
from brainmass._common.times import time_step
from brainmass._common.typing import Array, Numbers
from brainmass.dynamics.checks import check_input_shape
from brainmass.dynamics.fields import Domain, Initializer, Par, nonnegative, option, param, positive, state
from brainmass.forward.observer import ScaledDrive
from brainmass.forward.units import HERTZ, PER_SECOND_SQUARED, SECONDS, plain_value

__all__ = ["BOLDSignal"]

_fraction = Domain("between 0 and 1, exclusive", lambda x: (x > 0) & (x < 1), (0.0, 1.0))
_exponent = Domain("> 0 and at most 1", lambda x: (x > 0) & (x <= 1), (0.0, 1.5))
_OUTPUTS = ("friston2003", "obata2004", "stephan2007")


class BOLDSignal(ScaledDrive):
    r"""Balloon–Windkessel model of the BOLD signal.

    .. math::
        \dot x &= z - k x - \gamma (f - 1), & \dot f &= x \\
        \tau\dot v &= f - v^{1/\alpha}, & \tau\dot q &= f\,\frac{1 - (1-\rho)^{1/f}}{\rho}
            - v^{1/\alpha}\frac{q}{v}

    .. math:: y = V_0\,[k_1 (1 - q) + k_2 (1 - q/v) + k_3 (1 - v)]

    The `output` says what the coefficients are:

    - `'friston2003'`, the default: :math:`k_1 = 7\rho,\ k_2 = 2,\ k_3 = 2\rho - 0.2`;
    - `'stephan2007'`: :math:`k_1 = 4.3\,\nu_0 \rho\, T_E,\ k_2 = \epsilon r_0 \rho\, T_E,\ k_3 = 1 - \epsilon`,
      with the echo time, the field strength (by :math:`\nu_0, r_0`; defaults for 1.5 T) and :math:`\epsilon`;
    - `'obata2004'`: the same coefficients in a signal that is linear in :math:`v` and :math:`q`, with
      :math:`v - q` in place of :math:`1 - q/v`.

    Plain numbers are in seconds and hertz; parameters with a dimension take quantities as well. :math:`z` is the
    neural drive (per s²), of order 1: a constant 1 raises the flow to :math:`1 + 1/\gamma`, 3.4 times that at rest.
    `scale` makes it from activity of another size, such as a rate in Hz. At rest :math:`x = 0`,
    :math:`f = v = q = 1`, :math:`y = 0`. Flow, volume and content are stepped in their logarithms (Heun's
    method), so that they stay positive.

    References: Friston, Harrison, Penny 2003, NeuroImage 19:1273; Obata et al. 2004, NeuroImage 21:144;
    Stephan, Weiskopf, Drysdale, Robinson, Friston 2007, NeuroImage 38:387.

    Examples
    --------
    In a run it is a monitor. Of a trajectory that is there already it is run by itself:

    >>> import brainmass, brainunit as u, numpy as np
    >>> activity = np.zeros((4000, 2))
    >>> activity[:200] = 1.0  # for one second
    >>> alone = brainmass.Simulator(brainmass.BOLDSignal(2), dt=5 * u.ms)
    >>> monitors = {"bold": lambda model: model.bold()}
    >>> result = alone.run(20 * u.second, inputs={"z": activity}, monitors=monitors, sample_every=25 * u.ms, seed=0)
    >>> peak = int(result["bold"][:, 0].argmax())
    >>> print(f"{result['bold'][peak, 0]:.4f} at {result.time[peak]}")
    0.0252 at 3375. ms
    """

    # Against a step of 4 ms under a fluctuating drive: 3e-4 of the signal's standard deviation at 20 ms, 6e-3
    # at 100 ms.
    interval = 20.0 * u.ms

    gamma: Par = param(default=0.41, doc="flow-dependent elimination, per s²", domain=positive, unit=PER_SECOND_SQUARED)
    k: Par = param(default=0.65, doc="decay of the vasodilatory signal, per s", domain=positive, unit=HERTZ)
    alpha: Par = param(default=0.32, doc="Grubb's exponent", domain=_exponent)
    tau: Par = param(default=0.98, doc="haemodynamic transit time, s", domain=positive, unit=SECONDS)
    rho: Par = param(default=0.34, doc="resting oxygen extraction fraction", domain=_fraction)
    V0: Par = param(default=0.02, doc="resting blood volume fraction", domain=positive)
    init: Initializer = Constant(1.0)
    output: str = option(default="friston2003", check=partial(one_of, known=_OUTPUTS))
    TE: Par = param(default=40.0 * u.ms, doc="echo time", domain=positive, kw_only=True)
    epsilon: Par = param(
        default=1.43, doc="signal of blood at rest over that of tissue", domain=nonnegative, kw_only=True
    )
    nu0: Par = param(
        default=40.3 * u.Hz, doc="frequency offset at the surface of a vessel", domain=positive, kw_only=True
    )
    r0: Par = param(
        default=25.0 * u.Hz, doc="slope of blood's relaxation rate over desaturation", domain=positive, kw_only=True
    )

    x: HiddenState = state("vasodilatory signal", start=Constant(0.0))
    f: HiddenState = state("blood inflow", start="init", domain=positive)
    v: HiddenState = state("blood volume", start="init", domain=positive)
    q: HiddenState = state("deoxyhaemoglobin content", start="init", domain=positive)

    @classmethod
    def translate(cls, given: dict[str, Any]) -> dict[str, Any]:
        # Here, where defaults are not filled in yet: what was written is told from what was not.
        for name in given:
            cls._refuse_unused(name, given.get("output", "friston2003"))
        return given

    @classmethod
    def _refuse_unused(cls, name: str, output: str) -> None:
        if name in ("TE", "epsilon", "nu0", "r0") and output == "friston2003":
            raise argument_error(
                Argument(name, cls.__name__),
                "has no part in the output 'friston2003'",
                example="output='stephan2007'.",
                kind=TypeError,
            )

    def __setattr__(self, key: str, value: object) -> None:
        # While it is made, all rows are set, those without effect at their defaults.
        if self._closed:
            self._refuse_unused(key, self.output)
        super().__setattr__(key, value)

    def derivative(self, y: tuple, t: object, z: Numbers) -> tuple:
        """Rates of change of (x, f, v, q), per second."""
        x, f, v, q = y
        dx, df, dv, dq = self._log_rates(y, z)
        return tuple(rate / u.second for rate in (dx, f * df, v * dv, q * dq))

    def _log_rates(self, y: tuple, z: Array) -> tuple:
        """Rates of change of (x, ln f, ln v, ln q), as plain numbers per second."""
        p = self.p
        k, gamma = plain_value(self.k, u.Hz), plain_value(self.gamma, u.Hz**2)
        tau = plain_value(self.tau, u.second)
        x, f, v, q = y
        outflow = u.math.exp(u.math.log(v) / p.alpha)  # a power takes fifteen times as long on CPU
        # 1 - (1 - rho)^(1/f), which is small where the flow is large: as a difference it would lose its digits.
        extraction = -u.math.expm1(u.math.log1p(-p.rho) / f) / p.rho
        dx = z - k * x - gamma * (f - 1)
        # Of the logarithms: the equations divided by f, v and q.
        return dx, x / f, (f - outflow) / (tau * v), (f * extraction / q - outflow / v) / tau

    def update(self, z: Numbers) -> Numbers:
        """Advance one time step under the drive `z`, shape (batch..., regions); returns the signal."""
        z = self.as_drive(z)
        check_input_shape(self._owner, "z", z, u.math.shape(self.x.value))
        h = self._seconds()
        old = tuple(self.state_values().values())
        # Both stages have one drive: in a run it is the mean over just this step.
        first = self._log_rates(old, z)
        second = self._log_rates(_moved(old, first, h), z)
        new = _moved(old, tuple((a + b) / 2 for a, b in zip(first, second, strict=True)), h)
        for name, value in zip(self._states, new, strict=True):
            getattr(self, name).value = value
        return self.bold()

    def _seconds(self) -> Numbers:
        """The time step in seconds, which is what a plain number of `brainstate.environ` is taken for."""
        dt = brainstate.environ.get("dt", default=None)
        if dt is None or isinstance(dt, u.Quantity):
            return time_step(self._owner).to_decimal(u.second)
        warnings.warn(
            f"{self._owner} reads the time step {dt} of brainstate.environ as {dt} s, as its parameters are: write "
            f"{dt} * u.second.",
            stacklevel=3,
        )
        return dt

    def bold(self) -> Numbers:
        """The BOLD signal at the present state, as a fraction of the resting signal."""
        _, _, v, q = self.state_values().values()
        return self.bold_of(v, q)

    def bold_of(self, v: Numbers, q: Numbers) -> Numbers:
        """The BOLD signal at this blood volume and content of deoxyhaemoglobin."""
        k1, k2, k3 = self._coefficients()
        in_blood = v - q if self.output == "obata2004" else 1 - q / v
        return self.p.V0 * (k1 * (1 - q) + k2 * in_blood + k3 * (1 - v))

    signal = bold

    def _coefficients(self) -> tuple:
        """Of the signals from tissue, from blood, and of the change of volume."""
        p = self.p
        if self.output == "friston2003":
            return 7 * p.rho, 2, 2 * p.rho - 0.2
        # Pure numbers, in whatever units frequencies and echo time were given.
        cycles, decay = u.maybe_decimal(p.nu0 * p.TE), u.maybe_decimal(p.r0 * p.TE)
        return 4.3 * cycles * p.rho, p.epsilon * decay * p.rho, 1 - p.epsilon


def _moved(y: tuple, log_rates: tuple, h: object) -> tuple:
    """The state after `h` seconds at these rates: x shifted, the positive quantities scaled."""
    dx, *others = log_rates
    return (y[0] + h * dx, *(value * u.math.exp(h * rate) for value, rate in zip(y[1:], others, strict=True)))
