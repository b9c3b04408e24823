"""The table of features of recordings, from the registry that `inference.Features` reads."""

from __future__ import annotations

from brainmass.inference.features import FEATURES, Feature

_INTRO = """Features of a recording
-----------------------

An objective compares two recordings; a feature tells one of them in numbers. By these names features are given to
:py:func:`brainmass.inference.npe`, to likelihoods (``inference.Gaussian(0.1, of=["fc"])``) and to
:py:class:`brainmass.inference.Features`, a function that can be a part of an objective, too.
:doc:`Posteriors from simulations </posteriors_by_simulation>` uses them. *signal* is the unit of the recording.
Frequencies are in Hz and times in seconds where a ``sampling_period`` is given, else in cycles per sample and in
samples.

.. list-table::
   :header-rows: 1
   :widths: 18 52 16 14

"""


def section() -> str:
    """A part of a page: all features by name, with what they are, shape and unit."""
    head = _row("name", "what it is", "shape", "unit")
    return _INTRO + head + "".join(_of(name, feature) for name, feature in FEATURES.items()) + "\n"


def _of(name: str, feature: Feature) -> str:
    shape = ", ".join(feature.axes)
    return _row(f"``{name}``", feature.doc, f"({shape})" if shape else "one number", feature.unit)


def _row(*cells: str) -> str:
    first, *others = cells
    return f"   * - {first}\n" + "".join(f"     - {cell}\n" for cell in others)
