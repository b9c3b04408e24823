"""Numbers that regions share: fewer are fitted than the parameter of the model has."""

from __future__ import annotations

from typing import Any

import brainunit as u
import numpy as np

from brainmass._common.messages import argument_error, show
from brainmass._common.typing import Numbers

__all__ = ["Sharing"]


class Sharing:
    """Which regions take which number.

    Parameters
    ----------
    what : str
        Name in errors.
    shared : bool or sequence of labels
        As in `Free`.
    shape : tuple
        Of the parameter.
    n_regions : int, optional
        Of the model, where one number stands for all regions.
    """

    def __init__(self, what: str, shared: Any, shape: tuple[int, ...], n_regions: int | None):
        self._shape, self._group = shape, None
        if isinstance(shared, bool):
            self._count = None if shared else 0
            return
        labels = np.asarray(shared)
        n = shape[0] if shape else labels.size if n_regions is None else n_regions
        if len(shape) > 1 or labels.shape != (n,):
            raise argument_error(
                what,
                f"must have one number for each region, and a label for each of the {n} in `shared`",
                f"has shape {shape} and {show(shared)}",
                'shared=["visual", "visual", "motor"].',
            )
        _, first, group = np.unique(labels, return_index=True, return_inverse=True)
        # `unique` numbers the labels in their own order; they are to be numbered as they appear.
        self._group, self._count = np.argsort(np.argsort(first))[group.reshape(-1)], len(first)

    def mean(self, whole: Numbers) -> Numbers:
        """What is fitted in place of the present values: their mean for each group."""
        if self._group is None:
            return whole if self._count == 0 or not self._shape else u.math.mean(whole)
        # One number for all regions so far: each group begins with it.
        if not self._shape:
            return u.math.stack([whole] * self._count)  # type: ignore[operator]
        return u.math.stack([u.math.mean(whole[self._group == i]) for i in range(self._count)])  # type: ignore[arg-type]

    def spread(self, x: Numbers) -> Numbers:
        """For every region the number that it takes."""
        if self._group is not None:
            return x[self._group]
        return x if self._count == 0 else u.math.broadcast_to(x, self._shape)

    def describe(self) -> object:
        return self._count == 0 or (None if self._group is None else self._group.tolist())
