"""Layers and networks of harmonic oscillators."""

from __future__ import annotations

import brainunit as u

from brainmass._common.checks import one_of
from brainmass._common.messages import Argument, argument_error
from brainmass._common.times import milliseconds, time_step
from brainmass._common.typing import ArrayLike, Initialiser, Numbers, Pytree, Time
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.models.horn.step import HORNStep
from brainmass.training import sequence
from brainmass.training.sequence import CONNECTIONS, KAIMING, ZERO, Built, SequenceLayer, SequenceNetwork

__all__ = [
    "HORN_TR",
    "AdditiveConn",
    "DelayedAdditiveConn",
    "DelayedAdditiveConnTR",
    "DelayedLaplacianConn",
    "DelayedLaplacianConnTR",
    "HORNSeqLayer",
    "HORNSeqNetwork",
]

WEIGHTS = ("rec_w_init", "rec_b_init", "inp_w_init", "inp_b_init")
PARAMETERS = ("alpha", "omega", "gamma", "v")


class HORNSeqLayer(SequenceLayer):
    """A layer of harmonic oscillators that receive one another's velocities `y`; its activity is the positions `x`.

    In the paper what comes from the other units is divided by the root of their number: `rec_scale=n_hidden**-0.5`.
    """

    node_class, recurrent, port = HORNStep, "y", "inputs"
    order = (*PARAMETERS, "delay_init", "x_init", "y_init", "delay", *WEIGHTS)


class HORNSeqNetwork(SequenceNetwork):
    """Layers of harmonic oscillators, and a linear readout of the positions at the last step."""

    node_class, layer_class = HORNStep, HORNSeqLayer
    order = (*PARAMETERS, "x_init", "y_init", "delay_init", "delay", *WEIGHTS)


# --- connections ------------------------------------------------------------------------------------------------
# These differ from those of all layers in what is sent by default, and in the order of their arguments.
class AdditiveConn(sequence.AdditiveConn):
    __doc__ = sequence.AdditiveConn.__doc__

    def __init__(self, model: NeuralMassDynamics, state: str = "y", w_init: object = KAIMING, b_init: object = ZERO):
        super().__init__(model, state, w_init, b_init)


class DelayedAdditiveConn(sequence.DelayedAdditiveConn):
    __doc__ = sequence.DelayedAdditiveConn.__doc__

    def __init__(
        self,
        model: NeuralMassDynamics,
        delay_time: ArrayLike,
        state: str = "y",
        delay_init: Initialiser = ZERO,
        w_init: object = KAIMING,
        k: Numbers = 1.0,
    ):
        super().__init__(model, delay_time, state, delay_init, w_init, k)


class DelayedLaplacianConn(sequence.DelayedLaplacianConn):
    __doc__ = sequence.DelayedLaplacianConn.__doc__

    def __init__(
        self,
        model: NeuralMassDynamics,
        delay_time: ArrayLike,
        delay_init: Initialiser = ZERO,
        w_init: object = KAIMING,
        k: Numbers = 1.0,
    ):
        super().__init__(model, delay_time, "y", delay_init, w_init, k)


class _OncePerTR(sequence.DelayedAdditiveConn):
    """Sent, and received, once in a repetition time `tr`, in which delays are counted."""

    def __init__(
        self,
        model: NeuralMassDynamics,
        delay_time: ArrayLike,
        delay_init: Initialiser = ZERO,
        w_init: object = KAIMING,
        k: Numbers = 1.0,
        tr: Time = 1.0 * u.ms,
    ):
        super().__init__(model, delay_time, "y", delay_init, w_init, k, period=tr)

    def update(self) -> Numbers:
        """What arrives in a step: nothing."""
        return 0.0

    def update_tr(self) -> Numbers:
        """Take in what is sent now; what arrives at each unit through this repetition time."""
        return super().update()


class DelayedAdditiveConnTR(_OncePerTR):
    r"""Delayed connections, :math:`k \sum_j W_{ij}\, y_j(t - d_{ij})`, computed once in a repetition time `tr`."""


# From the first base when something is sent, from the second the weights.
class DelayedLaplacianConnTR(_OncePerTR, sequence.DelayedLaplacianConn):
    r"""Delayed connections through the Laplacian of the weights, computed once in a repetition time `tr`."""


# --- a repetition time at once ------------------------------------------------------------------------------------
DELAYED = {
    "additive": DelayedAdditiveConn,
    "additive_tr": DelayedAdditiveConnTR,
    "laplacian": DelayedLaplacianConn,
    "laplacian_tr": DelayedLaplacianConnTR,
}


class HORN_TR(Built):
    """Harmonic oscillators that advance by one repetition time at a call.

    Parameters
    ----------
    n_hidden : int
        Number of oscillators.
    tr : Quantity
        Repetition time.
    delay : Quantity, scalar or (n_hidden, n_hidden), optional
        Delays of the recurrent connections; default none.
    rec_type : str
        With delays: `'additive'` or `'laplacian'`, computed at each step, or `'additive_tr'`, `'laplacian_tr'`, once
        in a repetition time.
    rec_w_init, rec_b_init : callable
        Initial weights and offsets of the recurrent connections; delayed ones have no offsets.
    delay_init : callable
        What was sent before the start.
    **others
        Arguments of HORNStep.
    """

    node_class = HORNStep
    sizes = ("n_hidden",)
    order = (*PARAMETERS, "x_init", "y_init", "tr", "delay", "rec_type", "rec_w_init", "rec_b_init", "delay_init")
    defaults = {k: v for k, v in CONNECTIONS.items() if not k.startswith("inp_")} | {
        "tr": 1.0 * u.ms,
        "rec_type": "additive",
    }

    def __init__(self, *args: object, **kwargs: object):
        super().__init__()
        given = self.given(args, kwargs)
        own = {k: given.pop(k, default) for k, default in self.defaults.items()}
        self.tr, rec_type = own["tr"], own["rec_type"]
        milliseconds("tr", self.tr, "HORN_TR", positive=True)
        _check_rec_type(rec_type, own["delay"])
        self.node = HORNStep(given.pop("n_hidden"), **given)
        start = {"delay_init": own["delay_init"], "w_init": own["rec_w_init"]}
        if own["delay"] is None:
            self.rec = AdditiveConn(self.node, w_init=own["rec_w_init"], b_init=own["rec_b_init"])
        elif rec_type.endswith("_tr"):
            self.rec = DELAYED[rec_type](self.node, own["delay"], tr=self.tr, **start)
        else:
            self.rec = DELAYED[rec_type](self.node, own["delay"], **start)

    def update(self, inputs: Pytree, record_state: bool = False) -> Numbers:
        """The positions `x` at each step of one repetition time.

        Parameters
        ----------
        inputs : array (steps, batch..., n_hidden)
        record_state : bool
            Whether to return the states as well: `(states by name, x)`.
        """
        inputs = sequence.checked_sequence(self, self.node, inputs, self.node.varshape[-1])
        steps = u.maybe_decimal(self.tr / time_step("HORN_TR"))
        # Delays are counted in calls then: another number of steps in one would make them another time. A quotient of
        # two times need not be whole to its last digit.
        if isinstance(self.rec, _OncePerTR) and abs(len(inputs) - steps) > 1e-3:
            raise argument_error(
                Argument("inputs", "HORN_TR"),
                f"must have one row per step of the repetition time tr={self.tr}, {float(steps):.6g} of them",
                f"has {len(inputs)}",
            )
        # Before the steps: what is sent is the state at the start of the repetition time.
        held = self.rec.update_tr()
        return sequence.over_time(
            self.node, inputs, lambda row: {"inputs": row + held + self.rec.update()}, () if record_state else None
        )


def _check_rec_type(rec_type: object, delay: object) -> None:
    one_of(Argument("rec_type", "HORN_TR"), rec_type, DELAYED)
    if delay is None and rec_type != "additive":
        raise argument_error(Argument(f"rec_type={rec_type!r}", "HORN_TR"), "has a meaning only with `delay`: give one")
