"""Pictures. Each function draws on `ax` (a new one if not given) and returns it.

Quantities, JAX and NumPy arrays are accepted alike; axes carry the unit. Lines have the colours of Okabe and Ito
(2008), which people with any colour vision can tell apart, without their black and yellow: so they are seen on a white
and on a dark page. Needs the extra `brainmass[viz]`.
"""

from brainmass.viz.bifurcations import plot_bifurcation_curves, plot_bifurcations
from brainmass.viz.brains import plot_connectome, view_connectome
from brainmass.viz.controls import plot_control
from brainmass.viz.fits import plot_fit, plot_front, plot_loss
from brainmass.viz.matrices import (
    plot_connectivity,
    plot_functional_connectivity,
    plot_functional_connectivity_dynamics,
)
from brainmass.viz.phase_planes import plot_phase_plane, plot_phase_portrait
from brainmass.viz.responses import plot_evoked, plot_response_map
from brainmass.viz.scalps import plot_topography
from brainmass.viz.spectra import plot_power_spectrum
from brainmass.viz.sweeps import plot_sweep, plot_sweep_map
from brainmass.viz.time_series import plot_timeseries

__all__ = [
    "plot_bifurcation_curves",
    "plot_bifurcations",
    "plot_connectivity",
    "plot_connectome",
    "plot_control",
    "plot_evoked",
    "plot_fit",
    "plot_front",
    "plot_functional_connectivity",
    "plot_functional_connectivity_dynamics",
    "plot_loss",
    "plot_phase_plane",
    "plot_phase_portrait",
    "plot_power_spectrum",
    "plot_response_map",
    "plot_sweep",
    "plot_sweep_map",
    "plot_timeseries",
    "plot_topography",
    "view_connectome",
]
