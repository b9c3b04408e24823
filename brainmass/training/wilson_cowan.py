"""Layers and networks of Wilson–Cowan populations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brainmass._common.typing import ArrayLike, Initialiser, Numbers
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.models.wilson_cowan.simpler_responses import WilsonCowanNoSaturationStep
from brainmass.training import sequence
from brainmass.training.sequence import KAIMING, ZERO, SequenceLayer, SequenceNetwork

__all__ = ["AdditiveConn", "DelayedAdditiveConn", "WilsonCowanSeqLayer", "WilsonCowanSeqNetwork"]

DEFAULTS = {"wc_cls": WilsonCowanNoSaturationStep, **SequenceLayer.defaults}
ORDER = ("wc_cls", "delay_init", "rE_init", "rI_init", "delay")
ORDER = (*ORDER, "rec_w_init", "rec_b_init", "inp_w_init", "inp_b_init")


class WilsonCowanSeqLayer(SequenceLayer):
    """A layer of pairs of populations, of the model `wc_cls`, that excite one another; its activity is `rE`."""

    node_class, recurrent, port = WilsonCowanNoSaturationStep, "rE", "rE_inp"
    order, others, defaults = ORDER, "wc_kwargs", DEFAULTS

    def make_node(self, n_hidden: int, own: Mapping[str, Any], arguments: Mapping[str, Any]) -> NeuralMassDynamics:
        return own["wc_cls"](n_hidden, **arguments)


class WilsonCowanSeqNetwork(SequenceNetwork):
    """Layers of pairs of populations, and a linear readout of `rE` at the last step."""

    node_class, layer_class = WilsonCowanNoSaturationStep, WilsonCowanSeqLayer
    order, others, defaults = ORDER, "wc_kwargs", DEFAULTS


class AdditiveConn(sequence.AdditiveConn):
    __doc__ = sequence.AdditiveConn.__doc__

    def __init__(self, model: NeuralMassDynamics, w_init: object = KAIMING, b_init: object = ZERO):
        super().__init__(model, "rE", w_init, b_init)


class DelayedAdditiveConn(sequence.DelayedAdditiveConn):
    __doc__ = sequence.DelayedAdditiveConn.__doc__

    def __init__(
        self,
        model: NeuralMassDynamics,
        delay_time: ArrayLike,
        delay_init: Initialiser = ZERO,
        w_init: object = KAIMING,
        k: Numbers = 1.0,
    ):
        super().__init__(model, delay_time, "rE", delay_init, w_init, k)
