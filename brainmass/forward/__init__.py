"""Forward models: from activity to BOLD, EEG and MEG, and statistics worked out in a run."""

from brainmass.forward.balloon import BOLDSignal
from brainmass.forward.convolution import HRFBold
from brainmass.forward.hrf_kernels import (
    DoubleExponentialHRFKernel,
    FirstOrderVolterraHRFKernel,
    GammaHRFKernel,
    HRFKernel,
    MixtureOfGammasHRFKernel,
)
from brainmass.forward.lead_fields import LeadFieldModel, LeadfieldReadout
from brainmass.forward.observer import Observer
from brainmass.forward.sensors import EEGLeadFieldModel, MEGLeadFieldModel, SEEGLeadFieldModel
from brainmass.forward.statistics import (
    Covariance,
    FunctionalConnectivity,
    FunctionalConnectivityDynamics,
    Mean,
    Metastability,
    OrderParameter,
    WelchSpectrum,
)
from brainmass.forward.temporal_average import SpatialAverage, TemporalAverage

__all__ = [
    "BOLDSignal",
    "Covariance",
    "DoubleExponentialHRFKernel",
    "EEGLeadFieldModel",
    "FirstOrderVolterraHRFKernel",
    "FunctionalConnectivity",
    "FunctionalConnectivityDynamics",
    "GammaHRFKernel",
    "HRFBold",
    "HRFKernel",
    "LeadFieldModel",
    "LeadfieldReadout",
    "MEGLeadFieldModel",
    "Mean",
    "Metastability",
    "MixtureOfGammasHRFKernel",
    "Observer",
    "OrderParameter",
    "SEEGLeadFieldModel",
    "SpatialAverage",
    "TemporalAverage",
    "WelchSpectrum",
]
