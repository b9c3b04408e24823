"""Analysis: what the dynamics are."""

from brainmass.analysis.continuation import continue_equilibria
from brainmass.analysis.cycles import continue_cycles
from brainmass.analysis.delay_stability import characteristic_roots
from brainmass.analysis.diagram import Branch, Diagram, Special
from brainmass.analysis.drift import Drift
from brainmass.analysis.effective_connectivity import EffectiveConnectivity, effective_connectivity
from brainmass.analysis.equilibria import Equilibria, fixed_points
from brainmass.analysis.exponents import LyapunovExponents, lyapunov_exponents
from brainmass.analysis.feedback_inhibition import feedback_inhibition
from brainmass.analysis.linear_response import LinearResponse, linear_response
from brainmass.analysis.phase_locking import PhaseLocked, phase_locked
from brainmass.analysis.resting_state import resting_state
from brainmass.analysis.sensitivity import Sensitivity, sensitivity
from brainmass.analysis.sparse_connectivity import SparseConnectivity, sparse_connectivity
from brainmass.analysis.two_parameters import BifurcationCurve, continue_curve

__all__ = [
    "BifurcationCurve",
    "Branch",
    "Diagram",
    "Drift",
    "EffectiveConnectivity",
    "Equilibria",
    "LinearResponse",
    "LyapunovExponents",
    "PhaseLocked",
    "Sensitivity",
    "Special",
    "characteristic_roots",
    "continue_curve",
    "continue_cycles",
    "continue_equilibria",
    "effective_connectivity",
    "SparseConnectivity",
    "sparse_connectivity",
    "feedback_inhibition",
    "fixed_points",
    "linear_response",
    "lyapunov_exponents",
    "phase_locked",
    "resting_state",
    "sensitivity",
]
