"""Parameters of Liley's model: cells, synapses and inputs."""

from __future__ import annotations

import brainunit as u

from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Par, nonnegative, param, positive

__all__ = ["Cells"]


class Cells(Declared):
    """Excitatory and inhibitory cells; of two letters the second is the cell that receives."""

    tau_e: Par = param(default=138.366 * u.ms, doc="membrane time constant of excitatory cells", domain=positive)
    tau_i: Par = param(default=89.3207 * u.ms, doc="membrane time constant of inhibitory cells", domain=positive)
    h_e_rest: Par = param(default=-68.1355 * u.mV, doc="resting potential of excitatory cells")
    h_i_rest: Par = param(default=-77.2602 * u.mV, doc="resting potential of inhibitory cells")
    h_ee_eq: Par = param(default=-15.8527 * u.mV, doc="reversal potential, e to e")
    h_ei_eq: Par = param(default=7.4228 * u.mV, doc="reversal potential, e to i")
    h_ie_eq: Par = param(default=-85.9896 * u.mV, doc="reversal potential, i to e")
    h_ii_eq: Par = param(default=-84.5363 * u.mV, doc="reversal potential, i to i")
    Gamma_ee: Par = param(default=0.3127 * u.mV, doc="peak of the postsynaptic potential, e to e", domain=nonnegative)
    Gamma_ei: Par = param(default=0.9426 * u.mV, doc="peak of the postsynaptic potential, e to i", domain=nonnegative)
    Gamma_ie: Par = param(default=0.4947 * u.mV, doc="peak of the postsynaptic potential, i to e", domain=nonnegative)
    Gamma_ii: Par = param(default=1.4122 * u.mV, doc="peak of the postsynaptic potential, i to i", domain=nonnegative)
    gamma_ee: Par = param(default=0.4393 / u.ms, doc="rate constant of synapses, e to e", domain=positive)
    gamma_ei: Par = param(default=0.2350 / u.ms, doc="rate constant of synapses, e to i", domain=positive)
    gamma_ie: Par = param(default=0.0791 / u.ms, doc="rate constant of synapses, i to e", domain=positive)
    gamma_ii: Par = param(default=0.0782 / u.ms, doc="rate constant of synapses, i to i", domain=positive)
    N_beta_ee: Par = param(default=4582.0661, doc="synapses from nearby cells, e to e", domain=nonnegative)
    N_beta_ei: Par = param(default=4198.1829, doc="synapses from nearby cells, e to i", domain=nonnegative)
    N_beta_ie: Par = param(default=989.5281, doc="synapses from nearby cells, i to e", domain=nonnegative)
    N_beta_ii: Par = param(default=531.9419, doc="synapses from nearby cells, i to i", domain=nonnegative)
    N_alpha_ee: Par = param(default=4994.4860, doc="synapses from distant cells, e to e", domain=nonnegative)
    N_alpha_ei: Par = param(default=2222.9060, doc="synapses from distant cells, e to i", domain=nonnegative)
    v_Lambda: Par = param(
        default=0.2433 * 0.1714 / u.ms, doc="conduction speed over the range of long axons", domain=positive
    )
    S_max_e: Par = param(default=0.2801 / u.ms, doc="maximum firing rate of excitatory cells", domain=positive)
    S_max_i: Par = param(default=0.1228 / u.ms, doc="maximum firing rate of inhibitory cells", domain=positive)
    mu_e: Par = param(default=-47.1364 * u.mV, doc="mean firing threshold of excitatory cells")
    mu_i: Par = param(default=-45.3751 * u.mV, doc="mean firing threshold of inhibitory cells")
    sigma_e: Par = param(default=2.6120 * u.mV, doc="spread of thresholds of excitatory cells", domain=positive)
    sigma_i: Par = param(default=2.8294 * u.mV, doc="spread of thresholds of inhibitory cells", domain=positive)
    p_ee: Par = param(default=3.6032 / u.ms, doc="excitatory input to excitatory cells")
    p_ei: Par = param(default=0.3639 / u.ms, doc="excitatory input to inhibitory cells")
    p_ie: Par = param(default=0.0 / u.ms, doc="inhibitory input to excitatory cells")
    p_ii: Par = param(default=0.0 / u.ms, doc="inhibitory input to inhibitory cells")
