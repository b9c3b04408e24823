"""The Wilson–Cowan family, in one place."""

# ruff: noqa: F403
from brainmass.models.wilson_cowan.adaptive import *
from brainmass.models.wilson_cowan.base import *
from brainmass.models.wilson_cowan.classical import *
from brainmass.models.wilson_cowan.delayed import *
from brainmass.models.wilson_cowan.divisive import *
from brainmass.models.wilson_cowan.fewer_parameters import *
from brainmass.models.wilson_cowan.groups import *
from brainmass.models.wilson_cowan.layers import *
from brainmass.models.wilson_cowan.simpler_responses import *
from brainmass.models.wilson_cowan.three_populations import *
from brainmass.models.wilson_cowan.three_populations_base import *
