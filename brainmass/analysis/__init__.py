"""Analysis: what the dynamics are."""

from brainmass.analysis.delay_stability import characteristic_roots
from brainmass.analysis.drift import Drift
from brainmass.analysis.effective_connectivity import EffectiveConnectivity, effective_connectivity
from brainmass.analysis.equilibria import Equilibria, fixed_points
from brainmass.analysis.feedback_inhibition import feedback_inhibition
from brainmass.analysis.linear_response import LinearResponse, linear_response
from brainmass.analysis.phase_locking import PhaseLocked, phase_locked

__all__ = [
    "Drift",
    "EffectiveConnectivity",
    "Equilibria",
    "LinearResponse",
    "PhaseLocked",
    "characteristic_roots",
    "effective_connectivity",
    "feedback_inhibition",
    "fixed_points",
    "linear_response",
    "phase_locked",
]
