"""Differentiable whole-brain modelling: neural masses on real connectomes, simulated and fitted by gradient."""

# ruff: noqa: E402, F403, I001, RUF022
import importlib
import sys
from typing import TYPE_CHECKING, Any

from brainmass._common.version import __version__

# Before all that imports brainstate, which sets JAX's precision
from brainmass._common import settings

settings.import_brainstate()

from brainmass import (
    analysis,
    connectome,
    controlling,
    descriptions,
    dynamics,
    fitting,
    forward,
    models,
    network,
    responses,
    simulation,
    stimuli,
    sweeps,
    training,
)
from brainmass import datasets, declare, objectives, published
from brainmass._common import copying, reading, xla
from brainmass.models import *
from brainmass.dynamics import *
from brainmass.descriptions import *
from brainmass.stimuli import *
from brainmass.connectome import *
from brainmass.network import *
from brainmass.forward import *
from brainmass.simulation import *
from brainmass.sweeps import *
from brainmass.fitting import *
from brainmass.training import *
from brainmass.analysis import *
from brainmass.controlling import *
from brainmass.responses import *
from brainmass._common.reading import *

if TYPE_CHECKING:  # imported when they are first asked for
    from brainmass import experiments, inference, testing, viz

# The rooms that have public names, in the order of the reference, which is made from their `__all__`.
__all__ = ["datasets", "declare", "experiments", "inference", "objectives", "testing", "viz", "__version__"]
__all__ += models.__all__
__all__ += dynamics.__all__
__all__ += descriptions.__all__
__all__ += stimuli.__all__
__all__ += connectome.__all__
__all__ += network.__all__
__all__ += forward.__all__
__all__ += simulation.__all__
__all__ += sweeps.__all__
__all__ += fitting.__all__
__all__ += training.__all__
__all__ += analysis.__all__
__all__ += controlling.__all__
__all__ += responses.__all__
__all__ += reading.__all__

xla.compile_loops_whole()
copying.register()
published.install(sys.modules[__name__])


def __getattr__(name: str) -> Any:
    """`brainmass.viz`, `testing`, `experiments` and `inference` are imported when they are first asked for."""
    if name in ("viz", "testing", "experiments", "inference"):
        return importlib.import_module(f"brainmass.{name}")
    return published.find(sys.modules[__name__], name)


def __dir__() -> list[str]:
    """The public names; the rooms they are from are there, too, but are not what one looks for."""
    return list(__all__)
