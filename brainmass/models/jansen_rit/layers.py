"""Layers and networks of cortical columns."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from brainmass.models.jansen_rit.step import JansenRitStep
from brainmass.models.sequence import (
    CONNECTIONS,
    DelayedAdditiveConn,
    SequenceLayer,
    SequenceNetwork,
    linear,
    plain,
)

__all__ = ["JansenRit2Layer", "JansenRitLayer", "JansenRitNetwork"]

ORDER = (
    *(k for k in inspect.signature(JansenRitStep).parameters if k not in ("in_size", "fr_scale", "method", "name")),
    *CONNECTIONS,
    "method",
)


class JansenRitLayer(SequenceLayer):
    """A layer of cortical columns that receive one another's `M`, as pulses per second; its activity is the EEG."""

    node_class, recurrent, port, order = JansenRitStep, "M", "E_inp", ORDER
    recorded = ("M", "E", "I")


class JansenRit2Layer(SequenceLayer):
    r"""A layer of cortical columns that drive all three populations of one another; its activity is the EEG.

    The inputs, and `M` of the columns delayed by `delay`, enter at `M_inp`; from the undelayed EEG :math:`y`, in mV,
    :math:`W_E\, y` enters at `E_inp`, in Hz, and :math:`-W_I\, y` at `I_inp`, in mV.
    """

    node_class, recurrent, port, order = JansenRitStep, "M", "M_inp", ORDER
    recorded = ("M", "E", "I")

    def connect(self, own: Mapping[str, Any]) -> None:
        if own["delay"] is None:
            raise ValueError(f"{type(self).__name__} needs the argument `delay`. Example: delay=5.0 * u.ms.")
        n, start = self.node.varshape[-1], own["rec_w_init"]
        self.rec = DelayedAdditiveConn(self.node, own["delay"], "M", own["delay_init"], start)
        self.excitatory, self.inhibitory = linear(n, n, start, None), linear(n, n, start, None)

    def received(self, drive: Any) -> dict[str, Any]:
        eeg = plain(self.node, "E", self.node.activity())
        return {
            **super().received(drive),
            "E_inp": self.rec_scale * self.excitatory(eeg),
            "I_inp": -self.rec_scale * self.inhibitory(eeg),
        }


class JansenRitNetwork(SequenceNetwork):
    """Layers of cortical columns, each a `JansenRit2Layer`, and a linear readout of the EEG at the last step.

    The layers need `delay`.
    """

    node_class, layer_class, order = JansenRitStep, JansenRit2Layer, ORDER
