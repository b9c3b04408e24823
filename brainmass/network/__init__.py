"""Networks: kernels of coupling, projections, and networks of nodes."""

from brainmass.network.coupling import Coupling
from brainmass.network.edge_weights import EdgeWeights
from brainmass.network.kernels import (
    AdditiveCoupling,
    DiffusiveCoupling,
    HyperbolicTangentCoupling,
    KuramotoCoupling,
    PreSigmoidalCoupling,
    PreTanhCoupling,
    SigmoidalCoupling,
    SigmoidalJansenRitCoupling,
    additive_coupling,
    diffusive_coupling,
    hyperbolic_tangent_coupling,
    sigmoidal_coupling,
    sigmoidal_jansen_rit_coupling,
)
from brainmass.network.laplacian import LaplacianConnParam, laplacian_connectivity
from brainmass.network.network import Network
from brainmass.network.plasticity import (
    BCMPlasticity,
    HebbianPlasticity,
    InhibitoryPlasticity,
    PairPlasticity,
    Plasticity,
    TsodyksMarkram,
)
from brainmass.network.projection import Projection
from brainmass.network.synapses import AlphaSynapse, DoubleExponentialSynapse, NMDASynapse, Synapse

__all__ = [
    "AdditiveCoupling",
    "AlphaSynapse",
    "BCMPlasticity",
    "Coupling",
    "DiffusiveCoupling",
    "DoubleExponentialSynapse",
    "EdgeWeights",
    "HebbianPlasticity",
    "HyperbolicTangentCoupling",
    "InhibitoryPlasticity",
    "KuramotoCoupling",
    "LaplacianConnParam",
    "NMDASynapse",
    "Network",
    "PairPlasticity",
    "Plasticity",
    "PreSigmoidalCoupling",
    "PreTanhCoupling",
    "Projection",
    "SigmoidalCoupling",
    "SigmoidalJansenRitCoupling",
    "Synapse",
    "TsodyksMarkram",
    "additive_coupling",
    "diffusive_coupling",
    "hyperbolic_tangent_coupling",
    "laplacian_connectivity",
    "sigmoidal_coupling",
    "sigmoidal_jansen_rit_coupling",
]
