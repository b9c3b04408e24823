"""Stimuli: what drives a run from outside."""

from brainmass.stimuli.recordings import Recording
from brainmass.stimuli.steps import Steps
from brainmass.stimuli.waveforms import Chirp, Pulse, PulseTrain, Ramp, Sinusoid, Stimulus, ThetaBurst

__all__ = ["Chirp", "Pulse", "PulseTrain", "Ramp", "Recording", "Sinusoid", "Steps", "Stimulus", "ThetaBurst"]
