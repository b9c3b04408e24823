"""The runs of a sweep by number: which values and which key each of them has."""

from __future__ import annotations

import brainunit as u
import jax
import numpy as np

from brainmass._common.checks import is_whole
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.random import as_key, fold
from brainmass._common.typing import Numbers
from brainmass.sweeps.design import Design

__all__ = ["Jobs", "as_seeds"]


class Jobs:
    """The runs of a sweep, numbered in C order, the seed last: their values and keys."""

    def __init__(self, design: Design, seeds: np.ndarray, common_random_numbers: bool):
        self.design, self.n_seeds = design, len(seeds)
        self.seeds, self.common = seeds, common_random_numbers
        self._words = np.stack([as_key(int(seed)) for seed in seeds])

    def words(self, run: int) -> str:
        """Which run it is."""
        point, seed = divmod(run, self.n_seeds)
        numbers = {name: x[0] for name, x in self.design.at(np.asarray([point])).items() if x[0].ndim == 0}
        units = {name: "" if unit == u.UNITLESS else f" {unit}" for name, unit in self.design.units.items()}
        values = [f"`{name}` = {x:.4g}{units[name]}" for name, x in numbers.items()] or [f"point {point}"]
        return f"the run with {', '.join(values)} and seed {self.seeds[seed]}"

    def of(self, runs: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        points, seeds = np.divmod(runs, self.n_seeds)
        keys = self._words[seeds]
        return self.design.at(points), keys if self.common else np.asarray(_fold_each(keys, points.astype(np.uint32)))


_fold_each = jax.jit(jax.vmap(fold))


def as_seeds(seeds: Numbers, owner: str = "sweep") -> np.ndarray:
    if is_whole(seeds):
        return np.arange(seeds)
    given = np.asarray(seeds) if isinstance(seeds, list | tuple | range | np.ndarray) else np.zeros(0)
    if given.ndim != 1 or not given.size or given.dtype.kind not in "iu" or (given < 0).any():
        raise argument_error(
            Argument("seeds", owner),
            "must be a positive int or a sequence of nonnegative ints",
            f"is {show(seeds)}",
            "seeds=10.",
        )
    # The same seed twice is the same run.
    if len(set(given.tolist())) < len(given):
        raise argument_error(Argument("seeds", owner), "must hold different seeds", f"is {show(seeds)}")
    return given.astype(np.int64)
