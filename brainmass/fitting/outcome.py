"""What a fit tells: after each step, and at its end."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import brainunit as u
import numpy as np

from brainmass._common.archive import Archive, decode, encode
from brainmass._common.display import number, page, table
from brainmass._common.extras import import_io
from brainmass._common.messages import Argument, show
from brainmass._common.paths import as_path, target_path
from brainmass._common.typing import Numbers
from brainmass.dynamics.module import Closed
from brainmass.fitting.description import Bounds
from brainmass.fitting.front import ParetoFront
from brainmass.simulation.inventory import ByPath

if TYPE_CHECKING:
    import xarray


__all__ = ["FitResult", "FitStep"]

_MOST = 12
_ARCHIVE = Archive("brainmass.FitResult", 1, ("path", "FitResult.load"), "FitResult.save")
_SAVED = (
    "backend", "best_loss", "best_params", "history", "n_steps", "prediction", "histories", "grad_norms", "provenance",
)  # fmt: skip


class FitStep(NamedTuple):
    """What a callback is told after each step of a fit."""

    #: number of the step, from 0
    step: int
    #: loss at this step; of several starts or candidates the lowest
    loss: float
    #: lowest loss so far
    best_loss: float
    #: parameter values after the step, by path, as the equations see them; of several starts or candidates the best
    params: dict[str, Numbers]
    #: norm of the gradient; None with a search that uses none
    grad_norm: float | None = None

    def __getitem__(self, key: Any) -> Any:
        """By place, or by name: `info["loss"]`."""
        if not isinstance(key, str):
            return tuple.__getitem__(self, key)
        if key not in self._fields:
            raise KeyError(f"A FitStep has {', '.join(self._fields)}, but no {key!r}.")
        return getattr(self, key)

    def keys(self) -> tuple[str, ...]:
        """The names, so that `dict(info)` has them."""
        return self._fields


class FitResult(Closed):
    """The outcome of a fit.

    Attributes
    ----------
    backend : str
    best_loss : float
        The lowest loss seen.
    best_params : dict
        Where it was seen: values as the equations see them, by the whole path of the parameter, such as "node.a";
        to read one, an ending that tells it from the others will do, such as "a".
    bounds : dict of str to Bounds
        Of those parameters that have them: those given, else where the prior lies, all but 1e-4 at either side, else
        what the transform can give; infinite at a side without end.
    history : array (n_steps,)
        The loss at each step, the lowest where a step has several.
    histories : array (n_steps, n)
        The loss of each start, or of each candidate of a generation.
    grad_norms : array (n_steps,) or None
        Norm of the gradient at each step, in what the solver moves; that of the start with the lowest loss. None where
        there is no gradient.
    n_steps : int
        Steps taken; with a method of `scipy.optimize.minimize` evaluations.
    prediction
        What the model predicts at `best_params`, if the fit has a `predict`.
    divergence : DivergenceError or None
        Of the run that ended the fit, where a state became infinite or NaN: its `result` holds what was recorded.
    front : ParetoFront or None
        Of a search by pymoo for several objectives; `best_loss` is then the lowest weighted sum.
    optimizer, raw
        The optimiser, and its own state or result; not in a file.
    provenance : mapping of str to str
        Where the numbers come from: what one wants to be kept with them in a file.
    """

    def __init__(
        self,
        *,
        backend: str,
        best_loss: float,
        best_params: dict[str, Numbers],
        history: Numbers,
        n_steps: int,
        prediction: Numbers = None,
        optimizer: Any = None,
        raw: object = None,
        model: Any = None,
        histories: Numbers = None,
        grad_norms: Numbers = None,
        divergence: object = None,
        bounds: Mapping[str, Bounds] | None = None,
        front: ParetoFront | None = None,
        provenance: Mapping[str, str] | None = None,
    ):
        self.backend, self.best_loss, self.best_params = backend, best_loss, ByPath(best_params)
        self.history, self.n_steps, self.prediction = history, n_steps, prediction
        self.optimizer, self.raw, self.model = optimizer, raw, model
        self.histories, self.grad_norms, self.divergence = histories, grad_norms, divergence
        self.front = front
        self.bounds, self.provenance = ByPath(bounds or {}), dict(provenance or {})

    def __getstate__(self) -> dict[str, object]:
        """What is pickled: of the optimiser its name, as those of optax are made of functions that cannot be."""
        optimizer = self.optimizer if isinstance(self.optimizer, str | None) else _kind(self.optimizer)
        return {**vars(self), "optimizer": optimizer}

    @property
    def _course(self) -> str:
        first = f"{self.history[0]:.4g}" if len(self.history) else "nothing"
        # A search by scipy has one loss a step, and no second axis.
        runs = np.shape(self.histories)[1] if np.ndim(self.histories) == 2 else 1
        beside = f", {runs} side by side" if runs > 1 else ""
        lost = "; ended by a run that diverged" if self.divergence is not None else ""
        return f"loss {first} → {self.best_loss:.4g} in {self.n_steps} steps ({self.backend}{beside}){lost}"

    def _rows(self) -> list[tuple[str, str, str, str]]:
        """Name, value, unit and bounds of what was fitted."""
        return [(name, *number(x), _in_words(self.bounds.get(name))) for name, x in self.best_params.items()]

    def __repr__(self) -> str:
        rows = self._rows()
        lines = [
            f"{name} = {value} {unit}".rstrip()
            + (f", {b if b.startswith(('above', 'below')) else f'within {b}'}" if b else "")
            for name, value, unit, b in rows
        ]
        more = [f"... and {len(lines) - _MOST} more"] if len(lines) > _MOST else []
        return "\n  ".join([f"FitResult: {self._course}", *lines[:_MOST], *more])

    def _repr_html_(self) -> str:
        head = ("parameter", "value", "unit", "bounds")
        facts = [("optimiser", show(self.optimizer) if isinstance(self.optimizer, str) else _kind(self.optimizer))]
        facts += [("trouble", self.divergence)] if self.divergence is not None else []
        return page("FitResult", self._course, table(head, self._rows()), table(("", ""), facts))

    def to_xarray(self) -> xarray.Dataset:
        """An `xarray.Dataset`: losses over steps, each parameter with its unit, the prediction if it is one array."""
        xarray = import_io("xarray")
        variables: dict[str, object] = {"loss": ("step", np.asarray(self.history), {})}
        if np.ndim(self.histories) == 2:
            variables["losses"] = (("step", "start"), np.asarray(self.histories), {})
        if self.grad_norms is not None:
            variables["grad_norm"] = ("step", np.asarray(self.grad_norms), {})
        found = {**self.best_params, **({} if self.prediction is None else {"prediction": self.prediction})}
        for name, value in found.items():
            # A prediction may be a tree of arrays, for which a dataset has no place: it is in the file of `save`.
            numbers = np.asarray(u.get_mantissa(value)) if not isinstance(value, dict | list | tuple) else None
            if numbers is not None and numbers.dtype != object:
                dims = [f"{name}_{i}" for i in range(numbers.ndim)]
                variables[name] = (dims, numbers, {"units": str(u.get_unit(value))})
        facts = {"backend": self.backend, "best_loss": float(self.best_loss), "n_steps": int(self.n_steps)}
        return xarray.Dataset(variables, attrs={**self.provenance, **facts})

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to a `.npz` file, whole or not at all, what :meth:`load` restores: parameters, losses, prediction.

        To go on with a fit one needs the file of `Fitter.save`.
        """
        target = target_path(path, Argument("path", "FitResult.save"), (".npz",), 'result.save("fit.npz").')
        arrays: dict[str, np.ndarray] = {}
        held = {name: getattr(self, name) for name in _SAVED}
        held["bounds"] = {name: dict(vars(b)) for name, b in self.bounds.items()}
        held["front"] = None if self.front is None else self.front.parts()
        parts = {name: encode(x, arrays, name) for name, x in held.items()}
        _ARCHIVE.write(target, parts, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file written by :meth:`save`."""
        source = as_path(path, Argument("path", "FitResult.load"), (".npz",), 'FitResult.load("fit.npz").')
        with _ARCHIVE.reading(source):
            content, arrays = _ARCHIVE.read(source)
            held: dict[str, Any] = {name: decode(content[name], arrays) for name in (*_SAVED, "bounds")}
            held["bounds"] = {name: Bounds(**b) for name, b in held["bounds"].items()}
            # files of before there were fronts have none
            front = decode(content["front"], arrays) if "front" in content else None
            return cls(**held, front=None if front is None else ParetoFront(**front))


def _in_words(bounds: Bounds | None) -> str:
    if bounds is None:
        return ""
    ends = bounds.low, bounds.high
    low, high = (number(end)[0].partition(",")[0] for end in ends)
    # Arrays are shown by their first number; a side counts as open where any of it is.
    open_below, open_above = (np.isinf(np.asarray(u.get_mantissa(end))).any() for end in ends)
    span = f"below {high}" if open_below else f"above {low}" if open_above else f"{low} to {high}"
    return f"{span}{', log' if bounds.log else ''}"


def _kind(optimizer: object) -> str:
    return "" if optimizer is None else f"{type(optimizer).__module__.partition('.')[0]} {type(optimizer).__name__}"
