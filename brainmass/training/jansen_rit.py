"""Layers and networks of cortical columns."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from brainmass._common.typing import Initialiser, Numbers
from brainmass.dynamics.module import Module
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.models.jansen_rit.step import JansenRitStep
from brainmass.training.sequence import (
    CONNECTIONS,
    KAIMING,
    ZERO,
    DelayedAdditiveConn,
    SequenceLayer,
    SequenceNetwork,
    initial,
    linear,
    plain,
)

__all__ = ["JansenRit2Layer", "JansenRitLayer", "JansenRitNetwork", "LaplacianConnV2"]

NOT_OF_LAYERS = ("in_size", "fr_scale", "method", "clamp", "name")
ORDER = (
    *(k for k in inspect.signature(JansenRitStep).parameters if k not in NOT_OF_LAYERS),
    *CONNECTIONS,
    "method",
)


class JansenRitLayer(SequenceLayer):
    """A layer of cortical columns that receive one another's `M`, as pulses per second; its activity is the EEG."""

    node_class, recurrent, port, order = JansenRitStep, "M", "E_inp", ORDER
    recorded = ("M", "E", "I")


class LaplacianConnV2(Module):
    r"""Trainable connections to the three populations of other columns; despite its name no Laplacian.

    .. math::
        M_{inp} = \sum_j W_{ij} M_j(t - d_{ij}), \qquad E_{inp} = W_E\, y, \qquad I_{inp} = -W_I\, y

    with the undelayed EEG :math:`y` in mV; :math:`M_{inp}, I_{inp}` are in mV and :math:`E_{inp}` in Hz.

    Parameters
    ----------
    dynamics : JansenRitStep
        The columns.
    delays : Quantity, scalar or (N, N)
        Delays, rounded to whole steps.
    delay_init : callable
        What was sent before the start.
    weight : callable
        Initial weights of all three.
    """

    def __init__(
        self, dynamics: NeuralMassDynamics, delays: Numbers, delay_init: Initialiser = ZERO, weight: object = KAIMING
    ):
        super().__init__()
        self.dynamics, n = dynamics, dynamics.varshape[-1]
        # One initialiser for three matrices, each of which draws its own.
        weight = initial(self, "weight", weight)
        self.delayed = DelayedAdditiveConn(dynamics, delays, "M", delay_init, weight)
        self.excitatory, self.inhibitory = linear(n, n, weight, None), linear(n, n, weight, None)

    def update(self) -> dict[str, Numbers]:
        """Take in what is sent now; what arrives, by port, as plain numbers."""
        # In mV, the unit of `E`: the EEG is a difference of such potentials.
        eeg = plain(self.dynamics, "E", self.dynamics.activity())
        return {"M_inp": self.delayed(), "E_inp": self.excitatory(eeg), "I_inp": -self.inhibitory(eeg)}


class JansenRit2Layer(SequenceLayer):
    r"""A layer of cortical columns that drive all three populations of one another; its activity is the EEG.

    The inputs enter at `M_inp`; the connections are those of `LaplacianConnV2`, with the delays `delay`.
    """

    node_class, recurrent, port, order = JansenRitStep, "M", "M_inp", ORDER
    recorded = ("M", "E", "I")

    def connect(self, own: Mapping[str, Any]) -> None:
        if own["delay"] is None:
            raise ValueError(f"{type(self).__name__} needs the argument `delay`. Example: delay=5.0 * u.ms.")
        self.rec = LaplacianConnV2(self.node, own["delay"], own["delay_init"], own["rec_w_init"])

    def received(self, drive: Numbers) -> dict[str, Numbers]:
        arrived = {port: self.rec_scale * value for port, value in self.rec().items()}
        return {**arrived, "M_inp": drive + arrived["M_inp"]}


class JansenRitNetwork(SequenceNetwork):
    """Layers of cortical columns, each a `JansenRit2Layer`, and a linear readout of the EEG at the last step.

    The layers need `delay`.
    """

    node_class, layer_class, order = JansenRitStep, JansenRit2Layer, ORDER
