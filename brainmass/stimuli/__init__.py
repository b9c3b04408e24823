"""Stimuli: what drives a run from outside."""

from brainmass.stimuli.brain_stimulation import AlternatingCurrent, BalancedPulses, DirectCurrent, MagneticPulses
from brainmass.stimuli.fields import field_of_electrodes
from brainmass.stimuli.recordings import Recording
from brainmass.stimuli.steps import Steps
from brainmass.stimuli.waveforms import Chirp, Pulse, PulseTrain, Ramp, Sinusoid, Stimulus, ThetaBurst

__all__ = [
    "AlternatingCurrent",
    "BalancedPulses",
    "Chirp",
    "DirectCurrent",
    "MagneticPulses",
    "Pulse",
    "PulseTrain",
    "Ramp",
    "Recording",
    "Sinusoid",
    "Steps",
    "Stimulus",
    "ThetaBurst",
    "field_of_electrodes",
]
