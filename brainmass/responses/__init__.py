"""Stimulation studies: what a stimulus evokes, over trials, and from each site."""

from brainmass.responses.evoked import EvokedResponse, evoked_response
from brainmass.responses.maps import ResponseMap, response_map
from brainmass.responses.measures import Peaks

__all__ = ["EvokedResponse", "Peaks", "ResponseMap", "evoked_response", "response_map"]
