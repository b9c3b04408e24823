"""The mean field of neurons whose firing moves potassium, and is moved by it."""

from __future__ import annotations

import brainunit as u
import jax.numpy as jnp
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.fields import Initializer, Par, nonnegative, param, positive, state, unit_interval
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.noise import Noise
from brainmass.dynamics.regime import LargestStep
from brainmass.models.ion_exchange.ions import VOLUME_IN, currents, potassium_outside, steady_activation

__all__ = ["KIonExStep"]

pi = u.math.pi


class KIonExStep(NeuralMassDynamics):
    r"""Ion exchange (KIonEx): Hodgkin–Huxley-like neurons between potassium inside, outside and in a bath.

    .. math::
        \dot x &= \Delta + 2 R_\pm (V - c_\pm)\, x - J r x \\
        C_m\dot V &= -I_{Na} - I_K - I_{Cl} - I_{pump} + C_m\,(\eta - R_\pm x^2 + r_c\,(E - V)) \\
        \tau_n\dot n &= n_\infty(V) - n \\
        \dot{\Delta K_i} &= -\frac{\gamma}{\omega_i}(I_K - 2 I_{pump}), \qquad
        \dot K_g = \epsilon\,(K_{bath} - K_o)

    with :math:`r = R_- x/\pi` and :math:`r_c = R_- c/\pi`, :math:`c` being the network's weighted sum of other
    regions' :math:`x`; :math:`K_o = 4.8 - 3\,\Delta K_i + K_g` mmol/l. The neurons' slope is two parabolas: those of
    minus below `Vstar`, of plus above. Time is in ms, potentials in mV, concentrations in mmol/l, as plain numbers.

    Reference: Bandyopadhyay, Rabuffo, Calabrese et al. 2025, eLife 104249; Depannemaecker et al. 2022, J. Comput.
    Neurosci. 50:355 (the neuron).
    """

    use_case = "firing under changed potassium: bursts, seizures, depolarisation block"
    questions = ("seizures", "neurons", "drugs")
    output = "x"
    coupling_port = "coupling"
    shared_inputs = {"coupling": u.UNITLESS}
    largest_step = LargestStep(0.01 * u.ms)

    E: Par = param(default=0.0, doc="reversal potential of the synapses, mV")
    K_bath: Par = param(default=5.5, doc="potassium in the bath, mmol/l", domain=positive)
    J: Par = param(default=0.1, doc="mean synaptic weight")
    eta: Par = param(default=0.0, doc="mean excitability, mV/ms")
    Delta: Par = param(default=1.0, doc="half-width of the distribution of excitabilities", domain=positive)
    c_minus: Par = param(default=-40.0, doc="vertex of the left parabola, mV")
    R_minus: Par = param(default=0.5, doc="curvature of the left parabola", domain=positive)
    c_plus: Par = param(default=-20.0, doc="vertex of the right parabola, mV")
    R_plus: Par = param(default=-0.5, doc="curvature of the right parabola")
    # what jumps there has no slope in it
    Vstar: Par = param(default=-31.0, doc="potential at which the parabolas meet, mV", in_derivative=False)
    Cm: Par = param(default=1.0, doc="membrane capacitance", domain=positive)
    tau_n: Par = param(default=4.0, doc="time constant of the potassium channels, ms", domain=positive)
    gamma: Par = param(default=0.04, doc="from current to concentration")
    epsilon: Par = param(default=0.001, doc="rate of diffusion to the bath, per ms", domain=nonnegative)
    init_x: Initializer = Constant(0.1)
    init_V: Initializer = Constant(-70.0)
    init_n: Initializer = Constant(0.05)
    init_DKi: Initializer = Constant(-0.5)
    init_Kg: Initializer = Constant(-1.0)
    noise_x: Noise | None = None
    noise_V: Noise | None = None

    x: HiddenState = state("width of the distribution of potentials, pi r / R", port="x_inp", domain=nonnegative)
    V: HiddenState = state("mean membrane potential, mV", port="V_inp")
    n: HiddenState = state("activation of potassium channels", domain=unit_interval)
    DKi: HiddenState = state("change of potassium inside, mmol/l")
    Kg: HiddenState = state("potassium from the bath and glia, mmol/l")

    def dx(self, x, V, x_inp):
        p = self.p
        R = self._curvature(V)
        c = jnp.where(V <= p.Vstar, p.c_minus, p.c_plus)
        return (p.Delta + 2 * R * (V - c) * x - p.J * p.R_minus / pi * x**2 + x_inp) / u.ms

    def dV(self, V, x, n, DKi, Kg, V_inp, coupling):
        p = self.p
        synapses = p.R_minus / pi * coupling * (p.E - V)
        membrane = sum(currents(V, n, DKi, Kg)) / p.Cm
        return (p.eta + V_inp + synapses - self._curvature(V) * x**2 - membrane) / u.ms

    def dn(self, n, V):
        return (steady_activation(V) - n) / self.p.tau_n / u.ms

    def dDKi(self, DKi, V, n, Kg):
        flow = currents(V, n, DKi, Kg)
        return -self.p.gamma / VOLUME_IN * (flow.potassium - 2 * flow.pump) / u.ms

    def dKg(self, Kg, DKi):
        return self.p.epsilon * (self.p.K_bath - potassium_outside(DKi, Kg)) / u.ms

    def _curvature(self, V):
        return jnp.where(V <= self.p.Vstar, self.p.R_minus, self.p.R_plus)
