"""Which models the generic checks that need compiled programs run on, and on which they do behind the slow marker.

The equations of each model are held by tests of its own and by truths from elsewhere, which are not slow.
"""

import pytest

__all__ = ["LONG", "ONE_OF_A_KIND", "long_are_slow", "one_of_a_kind"]

# What holds of the machinery rather than of the equations is tried on one model of each mechanism.
ONE_OF_A_KIND = {
    "EpileptorStep",  # a slow variable and a switch
    "HORNStep",  # velocities
    "HopfStep",  # linear coupling
    "JansenRitStep",  # second order, several outputs
    "KuramotoNetwork",  # phases, a past of its own
    "LorenzStep",  # chaos
    "MontbrioPazoRoxinStep",  # a rate bounded below
    "ThresholdLinearStep",  # a kink
    "WilsonCowanDelayedStep",  # delays within a node
    "WilsonCowanStep",
    "WongWangExcInhStep",  # states within bounds
}

# Of these the equations take long to trace and to compile.
LONG = {
    "ALNStep",
    "CanonicalMicrocircuitStep",
    "CoombesByrneExcInhStep",
    "CostaCortexStep",
    "CostaThalamusStep",
    "ERPColumnStep",
    "EpileptorCodim3SlowModStep",
    "EpileptorCodim3Step",
    "EpileptorRestingStateStep",
    "KIonExStep",
    "LileyStep",
    "RobinsonStep",
    "StefanescuJirsaFitzHughNagumoStep",
    "StefanescuJirsaHindmarshRoseStep",
    "WendlingStep",
    "ZerlautSecondOrderStep",
    "ZerlautStep",
    "ZetterbergJansenStep",
}


def long_are_slow(models):
    """The models, or names of models, as parameters of a test."""
    return _slow_where(models, lambda name: name in LONG)


def one_of_a_kind(models):
    return _slow_where(models, lambda name: name not in ONE_OF_A_KIND)


def _slow_where(models, is_slow):
    return [pytest.param(m, marks=pytest.mark.slow) if is_slow(getattr(m, "__name__", m)) else m for m in models]
