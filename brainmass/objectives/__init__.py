"""What to compare: scores and losses of a prediction against data.

Each builder returns `f(prediction, target) -> scalar`, safe under `jit`, `grad` and `vmap`. Time series are
of shape (time, region); map over batches with `jax.vmap`.

Functional connectivity is the Pearson correlation over time. A series that is constant (up to rounding) is
uncorrelated with all others and sends no gradient; no gradient is NaN unless the data are.
"""

from brainmass.objectives._checks import Objective
from brainmass.objectives.combination import Several, combine
from brainmass.objectives.connectivity import fc_corr, fc_mean, fc_rmse, fc_variance, functional_connectivity
from brainmass.objectives.connectivity_dynamics import fcd, fcd_ks, fcd_matrix, fcd_wasserstein
from brainmass.objectives.distributions import fcd_distribution, ks_distance, wasserstein_1d
from brainmass.objectives.filters import bandpass, filtered
from brainmass.objectives.responses import (
    decay_time,
    lempel_ziv_complexity,
    perturbational_complexity,
    state_transition_complexity,
)
from brainmass.objectives.signals import cosine_sim, timeseries_rmse
from brainmass.objectives.spectrum import power_spectral_density, psd_rmse
from brainmass.objectives.synchrony import (
    analytic_signal,
    instantaneous_phase,
    metastability,
    order_parameter,
    phase_locking_value,
    plv_rmse,
)

__all__ = [
    "Objective",
    "Several",
    "analytic_signal",
    "bandpass",
    "combine",
    "cosine_sim",
    "decay_time",
    "fc_corr",
    "fc_mean",
    "fc_rmse",
    "fc_variance",
    "fcd",
    "fcd_distribution",
    "fcd_ks",
    "fcd_matrix",
    "fcd_wasserstein",
    "filtered",
    "functional_connectivity",
    "instantaneous_phase",
    "ks_distance",
    "lempel_ziv_complexity",
    "metastability",
    "order_parameter",
    "perturbational_complexity",
    "phase_locking_value",
    "plv_rmse",
    "power_spectral_density",
    "psd_rmse",
    "state_transition_complexity",
    "timeseries_rmse",
    "wasserstein_1d",
]
