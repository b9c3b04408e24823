"""The mean field of neurons whose firing moves potassium, and is moved by it."""

from __future__ import annotations

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.fields import Initializer, Par, nonnegative, param, positive, state, unit_interval
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.noise import Noise
from brainmass.dynamics.regime import LargestStep
from brainmass.models.ion_exchange import ions

__all__ = ["KIonExStep"]


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
    minus below `Vstar`, of plus above. The units of `Cm` and `gamma` are those with which the equations hold in ms, mV,
    nS, pA, µm³ and mmol/l.

    Reference: Bandyopadhyay, Rabuffo, Calabrese et al. 2025, eLife 104249; Depannemaecker et al. 2022, J. Comput.
    Neurosci. 50:355 (the neuron).
    """

    use_case = "firing under changed potassium: bursts, seizures, depolarisation block"
    questions = ("seizures", "neurons", "drugs")
    output = "x"
    coupling_port = "coupling"
    shared_inputs = {"coupling": u.mV}
    largest_step = LargestStep(0.01 * u.ms)

    E: Par = param(default=0.0 * u.mV, doc="reversal potential of the synapses")
    K_bath: Par = param(default=5.5 * u.mM, doc="potassium in the bath", domain=positive)
    J: Par = param(default=0.1, doc="mean synaptic weight")
    eta: Par = param(default=0.0 * ions.mV_per_ms, doc="mean excitability")
    Delta: Par = param(default=1.0 * ions.mV_per_ms, doc="half-width of the spread of excitabilities", domain=positive)
    c_minus: Par = param(default=-40.0 * u.mV, doc="vertex of the left parabola")
    R_minus: Par = param(default=0.5 * ions.per_mV_ms, doc="curvature of the left parabola", domain=positive)
    c_plus: Par = param(default=-20.0 * u.mV, doc="vertex of the right parabola")
    R_plus: Par = param(default=-0.5 * ions.per_mV_ms, doc="curvature of the right parabola")
    # what jumps there has no slope in it
    Vstar: Par = param(default=-31.0 * u.mV, doc="potential at which the parabolas meet", in_derivative=False)
    Cm: Par = param(default=1.0 * u.pF, doc="membrane capacitance", domain=positive)
    tau_n: Par = param(default=4.0 * u.ms, doc="time constant of the potassium channels", domain=positive)
    gamma: Par = param(default=0.04 * u.mmol / u.coulomb, doc="potassium that goes with a charge")
    epsilon: Par = param(default=0.001 / u.ms, doc="rate of diffusion to the bath", domain=nonnegative)
    init_x: Initializer = Constant(0.1 * u.mV)  # pyright: ignore[reportArgumentType]
    init_V: Initializer = Constant(-70.0 * u.mV)  # pyright: ignore[reportArgumentType]
    init_n: Initializer = Constant(0.05)
    init_DKi: Initializer = Constant(-0.5 * u.mM)  # pyright: ignore[reportArgumentType]
    init_Kg: Initializer = Constant(-1.0 * u.mM)  # pyright: ignore[reportArgumentType]
    noise_x: Noise | None = None
    noise_V: Noise | None = None

    x: HiddenState = state(
        "width of the distribution of potentials, pi r / R",
        unit=u.mV,
        port="x_inp",
        port_unit=ions.mV_per_ms,
        domain=nonnegative,
    )
    V: HiddenState = state("mean membrane potential", unit=u.mV, port="V_inp", port_unit=ions.mV_per_ms)
    n: HiddenState = state("activation of potassium channels", domain=unit_interval)
    DKi: HiddenState = state("change of potassium inside", unit=u.mM)
    Kg: HiddenState = state("potassium from the bath and glia", unit=u.mM)

    def dx(self, x, V, x_inp):
        p = self.p
        c = u.math.where(V <= p.Vstar, p.c_minus, p.c_plus)
        return p.Delta + 2 * self._curvature(V) * (V - c) * x - p.J * p.R_minus / u.math.pi * x**2 + x_inp

    def dV(self, V, x, n, DKi, Kg, V_inp, coupling):
        p = self.p
        synapses = p.R_minus / u.math.pi * coupling * (p.E - V)
        membrane = ions.currents(V, n, DKi, Kg).total / p.Cm
        return p.eta + V_inp + synapses - self._curvature(V) * x**2 - membrane

    def dn(self, n, V):
        return (ions.steady_activation(V) - n) / self.p.tau_n

    def dDKi(self, DKi, V, n, Kg):
        return -self.p.gamma * ions.currents(V, n, DKi, Kg).of_potassium / ions.VOLUME_IN

    def dKg(self, Kg, DKi):
        return self.p.epsilon * (self.p.K_bath - ions.potassium_outside(DKi, Kg))

    def _curvature(self, V):
        return u.math.where(V <= self.p.Vstar, self.p.R_minus, self.p.R_plus)
