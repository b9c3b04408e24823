"""Models: the catalogue of neural masses and oscillators."""

from brainmass.models.aln.fokker_planck import ExponentialNeuron
from brainmass.models.aln.step import ALNStep
from brainmass.models.aln.table import CascadeTable
from brainmass.models.coombes_byrne.exc_inh import CoombesByrneExcInhStep
from brainmass.models.coombes_byrne.step import CoombesByrneStep
from brainmass.models.coombes_byrne.synapse import CoombesByrneSynapseStep
from brainmass.models.costa.cortex import CostaCortexStep
from brainmass.models.costa.thalamus import CostaThalamusStep
from brainmass.models.dumont_gutkin.step import DumontGutkinStep
from brainmass.models.dynamic_causal.erp_column import ERPColumnStep
from brainmass.models.dynamic_causal.microcircuit import CanonicalMicrocircuitStep
from brainmass.models.epileptor.codim3 import EpileptorCodim3Step
from brainmass.models.epileptor.codim3_slow_mod import EpileptorCodim3SlowModStep
from brainmass.models.epileptor.resting_state import EpileptorRestingStateStep
from brainmass.models.epileptor.step import EpileptorStep
from brainmass.models.epileptor.two_dimensional import Epileptor2DStep
from brainmass.models.fitzhugh_nagumo import FitzHughNagumoStep
from brainmass.models.generic_2d_oscillator import Generic2dOscillatorStep
from brainmass.models.hopfield import HopfieldStep
from brainmass.models.horn.step import HORNStep
from brainmass.models.ion_exchange.step import KIonExStep
from brainmass.models.jansen_rit.step import JansenRitStep
from brainmass.models.jansen_rit.tr import JansenRitTR
from brainmass.models.jansen_rit.wendling import WendlingStep
from brainmass.models.jansen_rit.zetterberg import ZetterbergJansenStep
from brainmass.models.kuramoto import KuramotoNetwork
from brainmass.models.larter_breakspear.step import LarterBreakspearStep
from brainmass.models.liley.step import LileyStep
from brainmass.models.linear import LinearStep
from brainmass.models.lorenz import LorenzStep
from brainmass.models.montbrio_pazo_roxin.dopamine import MontbrioDopamineStep
from brainmass.models.montbrio_pazo_roxin.slow_feedback import MontbrioAdaptationStep, MontbrioDepressionStep
from brainmass.models.montbrio_pazo_roxin.step import MontbrioPazoRoxinStep
from brainmass.models.oscillators.base import XY_Oscillator
from brainmass.models.oscillators.hopf import HopfStep, StuartLandauStep
from brainmass.models.oscillators.van_der_pol import VanDerPolStep
from brainmass.models.robinson.step import RobinsonStep
from brainmass.models.stefanescu_jirsa.fitzhugh_nagumo import StefanescuJirsaFitzHughNagumoStep
from brainmass.models.stefanescu_jirsa.hindmarsh_rose import StefanescuJirsaHindmarshRoseStep
from brainmass.models.threshold_linear import ThresholdLinearStep
from brainmass.models.tsodyks_markram import TsodyksMarkramStep
from brainmass.models.wilson_cowan.adaptive import WilsonCowanAdaptiveStep
from brainmass.models.wilson_cowan.base import WilsonCowanBase
from brainmass.models.wilson_cowan.classical import WilsonCowanStep
from brainmass.models.wilson_cowan.delayed import WilsonCowanDelayedStep
from brainmass.models.wilson_cowan.divisive import WilsonCowanDivisiveInputStep, WilsonCowanDivisiveStep
from brainmass.models.wilson_cowan.fewer_parameters import WilsonCowanSimplifiedStep, WilsonCowanSymmetricStep
from brainmass.models.wilson_cowan.simpler_responses import WilsonCowanLinearStep, WilsonCowanNoSaturationStep
from brainmass.models.wilson_cowan.three_populations import WilsonCowanThreePopulationStep
from brainmass.models.wilson_cowan.three_populations_base import WilsonCowanThreePopBase
from brainmass.models.wong_wang.decision import WongWangStep
from brainmass.models.wong_wang.exc_inh import WongWangExcInhStep
from brainmass.models.wong_wang.plastic_inhibition import WongWangPlasticInhibitionStep
from brainmass.models.wong_wang.reduced import ReducedWongWangStep
from brainmass.models.zerlaut.second_order import ZerlautSecondOrderStep
from brainmass.models.zerlaut.step import ZerlautStep
from brainmass.models.zerlaut.transfer import EffectiveThreshold

__all__ = [
    "ALNStep",
    "CanonicalMicrocircuitStep",
    "CascadeTable",
    "CoombesByrneExcInhStep",
    "CoombesByrneStep",
    "CoombesByrneSynapseStep",
    "CostaCortexStep",
    "CostaThalamusStep",
    "DumontGutkinStep",
    "ERPColumnStep",
    "EffectiveThreshold",
    "Epileptor2DStep",
    "EpileptorCodim3SlowModStep",
    "EpileptorCodim3Step",
    "EpileptorRestingStateStep",
    "EpileptorStep",
    "ExponentialNeuron",
    "FitzHughNagumoStep",
    "Generic2dOscillatorStep",
    "HORNStep",
    "HopfStep",
    "HopfieldStep",
    "JansenRitStep",
    "JansenRitTR",
    "KIonExStep",
    "KuramotoNetwork",
    "LarterBreakspearStep",
    "LileyStep",
    "LinearStep",
    "LorenzStep",
    "MontbrioAdaptationStep",
    "MontbrioDepressionStep",
    "MontbrioDopamineStep",
    "MontbrioPazoRoxinStep",
    "ReducedWongWangStep",
    "RobinsonStep",
    "StefanescuJirsaFitzHughNagumoStep",
    "StefanescuJirsaHindmarshRoseStep",
    "StuartLandauStep",
    "ThresholdLinearStep",
    "TsodyksMarkramStep",
    "VanDerPolStep",
    "WendlingStep",
    "WilsonCowanAdaptiveStep",
    "WilsonCowanBase",
    "WilsonCowanDelayedStep",
    "WilsonCowanDivisiveInputStep",
    "WilsonCowanDivisiveStep",
    "WilsonCowanLinearStep",
    "WilsonCowanNoSaturationStep",
    "WilsonCowanSimplifiedStep",
    "WilsonCowanStep",
    "WilsonCowanSymmetricStep",
    "WilsonCowanThreePopBase",
    "WilsonCowanThreePopulationStep",
    "WongWangExcInhStep",
    "WongWangPlasticInhibitionStep",
    "WongWangStep",
    "XY_Oscillator",
    "ZerlautSecondOrderStep",
    "ZerlautStep",
    "ZetterbergJansenStep",
]
