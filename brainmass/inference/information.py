"""`identifiability`: which parameters, and which combinations of them, data tell apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import brainunit as u
import jax
import numpy as np

from brainmass._common.checks import instance, number, one_of
from brainmass._common.display import page, table
from brainmass._common.extras import import_io
from brainmass._common.messages import Argument, argument_error
from brainmass._common.typing import ArrayLike, Pytree, Seed
from brainmass.fitting.fitter import Fitter
from brainmass.inference.asked import Asked, asked_of_fitter, asked_of_problem, derivatives
from brainmass.inference.problem import Problem
from brainmass.simulation.inventory import ByPath

if TYPE_CHECKING:
    import xarray

__all__ = ["Identifiability", "identifiability"]

_OWNER = "identifiability"
_SEEN = 0.05  # components of a direction that are told
_NATS = 0.05  # by which the log density may lie below its peak
_STEP, _FALL = 0.01, 1e-3  # of parameters and of a loss, relative


@dataclasses.dataclass(frozen=True, repr=False)
class Identifiability:
    """The curvature of a fit around a point, in relative changes of the parameters.

    Attributes
    ----------
    names : tuple of str
        One for each number, as "a" or "node.a[3]".
    values, scales : array (n,)
        The point, and of what changes are counted relative to: the size of a value, of one at zero the width of its
        bounds or prior.
    units : tuple
    information : array (n, n)
        Fisher's information, or the Hessian, by the parameters in their units.
    eigenvalues : array (n,)
        Of the information by relative changes, from the largest down: along a direction with the eigenvalue λ the
        relative standard error is 1/√λ.
    directions : array (n, n)
        The eigenvectors, as columns.
    method : str
        'fisher' or 'hessian'.
    tolerance : float
        Eigenvalues below it, relative to the largest, are zero but for rounding.
    is_density : bool
        Whether the information is that of a density, so that standard errors follow from it.
    """

    names: tuple[str, ...]
    values: np.ndarray
    scales: np.ndarray
    units: tuple[u.Unit, ...]
    information: np.ndarray
    eigenvalues: np.ndarray
    directions: np.ndarray
    method: str
    tolerance: float
    is_density: bool

    @property
    def is_flat(self) -> np.ndarray:
        """Which directions the data do not see at all, shape (n,)."""
        return self.eigenvalues <= self.tolerance * max(self.eigenvalues[0], 0.0)

    @property
    def condition(self) -> float:
        """The largest eigenvalue by the smallest; infinite with a flat direction."""
        return np.inf if self.is_flat.any() else float(self.eigenvalues[0] / self.eigenvalues[-1])

    def direction(self, i: int) -> dict[str, float]:
        """The i-th one, by the names of the parameters, the largest component first, and positive."""
        v = self.directions[:, i]
        order = np.argsort(-np.abs(v), kind="stable")
        return {self.names[k]: float(v[k] * np.sign(v[order[0]])) for k in order if abs(v[k]) > _SEEN}

    @property
    def flat_directions(self) -> tuple[dict[str, float], ...]:
        """Relative changes of parameters that together change nothing: of a product {a: 0.71, b: -0.71}."""
        return tuple(self.direction(int(i)) for i in np.flatnonzero(self.is_flat))

    @property
    def relative_errors(self) -> ByPath:
        """Standard errors by the scales; infinite for a parameter of a flat direction."""
        return ByPath(zip(self.names, np.sqrt(self._variances()).tolist(), strict=True))

    @property
    def standard_errors(self) -> ByPath:
        """The least that an unbiased estimate can have (Cramér, Rao), by name, with units."""
        errors = (np.sqrt(self._variances()) * self.scales).tolist()
        made = [u.maybe_decimal(u.Quantity(x, unit=unit)) for x, unit in zip(errors, self.units, strict=True)]
        return ByPath(zip(self.names, made, strict=True))

    def _variances(self) -> np.ndarray:
        if not self.is_density:
            raise argument_error(
                Argument("fit", _OWNER),
                "must have a likelihood for standard errors",
                "has a loss, of which only the curvature is known",
                hint="Give an inference.Problem, or method='fisher' with a Fitter that predicts.",
            )
        # The inverse without what is flat: a parameter that has any part in that is not determined at all.
        flat, squares = self.is_flat, self.directions**2
        variances = squares[:, ~flat] @ (1 / self.eigenvalues[~flat])
        return np.where((squares[:, flat] > 1e-6).any(axis=1), np.inf, variances)

    def to_xarray(self) -> xarray.Dataset:
        """Values, scales, information and eigenvalues over `parameter` and `direction`."""
        xr = import_io("xarray")
        both = ("parameter", "parameter_")
        data = {
            "value": ("parameter", self.values),
            "scale": ("parameter", self.scales),
            "unit": ("parameter", [str(unit) for unit in self.units]),
            "information": (both, self.information),
            "eigenvalue": ("direction", self.eigenvalues),
            "component": (("parameter", "direction"), self.directions),
        }
        names = list(self.names)
        return xr.Dataset(data, coords={"parameter": names, "parameter_": names}, attrs={"method": self.method})

    @property
    def _title(self) -> str:
        n = int(self.is_flat.sum())
        flat = f"{n} flat direction{'s' * (n > 1)}" if n else f"condition {self.condition:.3g}"
        return f"{len(self.names)} parameters, by the {self.method.replace('fisher', 'Fisher information')}, {flat}"

    def _rows(self) -> list[tuple[str, str]]:
        words = [" ".join(f"{x:+.2f} {name}" for name, x in self.direction(i).items()) for i in range(len(self.names))]
        values = ["flat" if f else f"{x:.3g}" for x, f in zip(self.eigenvalues, self.is_flat, strict=True)]
        return list(zip(values, words, strict=True))

    def __repr__(self) -> str:
        return "\n  ".join([f"Identifiability: {self._title}", *(f"{a}: {b}" for a, b in self._rows())])

    def _repr_html_(self) -> str:
        return page("Identifiability", self._title, table(("eigenvalue", "relative change of"), self._rows()))


def identifiability(
    fit: Problem | Fitter,
    target: Pytree = None,
    *,
    at: Mapping[str, ArrayLike] | None = None,
    method: str | None = None,
    noise: float | None = None,
    seed: Seed = 0,
    tolerance: float | None = None,
) -> Identifiability:
    """Which parameters, and which combinations, the data of a fit determine, and how well.

    By the eigenvalues and directions of Fisher's information, what data of such a design tell on average at a point,
    or of the Hessian, the curvature of this fit at its optimum. Priors are no part of either, but of the loss of a
    Fitter.

    Parameters
    ----------
    fit : inference.Problem or Fitter
    target : optional
        What the objective of a Fitter compares with.
    at : mapping of str to value, optional
        The point; default the present values of the model, which a fit leaves at its best.
    method : {'fisher', 'hessian'}, optional
        Fisher's information of a Problem takes its `Gaussian` or `StudentT` likelihood, of a Fitter its prediction and
        `noise`; the default for both likelihoods and for least squares. The Hessian is that of the log-likelihood, or
        of the loss.
    noise : float, optional
        Standard deviation of the data of a Fitter, in the unit of its prediction; default that of what the fit leaves.
    seed : int or JAX key
        Of the noise of the run of a Fitter.
    tolerance : float, optional
        Eigenvalues below it, relative to the largest, are flat; default by the precision.

    Raises
    ------
    ValueError, TypeError
        If the Hessian is asked for where the fit has not converged, or an argument does not suit the fit.

    Examples
    --------
    >>> import brainmass, brainunit as u, numpy as np
    >>> from brainmass import inference
    >>> problem = inference.Problem(
    ...     brainmass.HopfStep(1, a=2.0, w=3.0), {"a": (0.1, 10.0), "w": (0.1, 10.0)}, inference.Gaussian(0.1),
    ...     np.zeros(5), predict=lambda model: model.a.value() * model.w.value() * np.arange(5.0),
    ... )
    >>> [sorted(x) for x in inference.identifiability(problem).flat_directions]
    [['a', 'w']]
    """
    instance(Argument("fit", _OWNER), fit, Problem | Fitter, "an inference.Problem or a Fitter")
    one_of(Argument("method", _OWNER), method, ("fisher", "hessian", None))
    if noise is not None:
        noise = number(Argument("noise", _OWNER), noise, "> 0", lambda x: x > 0)
    asked, fisher = _asked(fit, target, at, method, noise, seed)
    x = np.asarray(asked.start, float)
    scales = asked.row.scales(x)
    eps = float(np.finfo(asked.start.dtype).eps)
    optimum: tuple[np.ndarray, float] | None = None
    if fisher:
        assert asked.standardised is not None
        J = np.asarray(jax.jit(jax.jacfwd(asked.standardised))(asked.start), float)
        _check_finite(J)
        # singular values, not eigenvalues of JᵀJ: those would lose half of the digits
        _, s, rows = np.linalg.svd(J * scales, full_matrices=True)
        eigenvalues, directions = np.pad(s, (0, len(x) - len(s))) ** 2, rows.T
        information, rounding = J.T @ J, (1e4 * eps) ** 2
    else:
        value, slope, H = (np.asarray(y, float) for y in derivatives(asked.log_density)(asked.start))
        _check_finite(slope, H)
        optimum = slope * scales, float(value)
        # Symmetric but for rounding, which `eigh` would take from one half alone.
        information, rounding = -(H + H.T) / 2, 1e4 * eps
        eigenvalues, directions = np.linalg.eigh(information * np.outer(scales, scales))
        eigenvalues, directions = eigenvalues[::-1], directions[:, ::-1]
    if tolerance is not None:
        rounding = number(Argument("tolerance", _OWNER), tolerance, "from 0 to 1", lambda x: 0 <= x <= 1)
    found = Identifiability(
        asked.row.names, x, scales, tuple(asked.row.units), information, eigenvalues, directions,
        "fisher" if fisher else "hessian", rounding, asked.is_density,
    )  # fmt: skip
    if optimum is not None:
        _check_converged(found, *optimum)
    return found


def _asked(fit: Any, target: Pytree, at: Any, method: str | None, noise: Any, seed: Any) -> tuple[Asked, bool]:
    if isinstance(fit, Problem):
        for name, x in {"target": target, "noise": noise}.items():
            if x is not None:
                raise argument_error(
                    Argument(name, _OWNER), "has no effect with a Problem, which has data and likelihood of its own"
                )
        asked = asked_of_problem(fit, at)
        if method == "fisher" and asked.standardised is None:
            raise argument_error(
                Argument("method", _OWNER),
                "must be 'hessian' for likelihoods other than Gaussian and StudentT, whose information is not known",
            )
        return asked, method != "hessian" and asked.standardised is not None
    least_squares = fit.backend == "optimistix"
    fisher = method == "fisher" or (method is None and least_squares)
    if not fisher and (least_squares or noise is not None):
        what, rule = ("method", "must be 'fisher' for least squares") if least_squares else ("noise", "has no effect")
        raise argument_error(Argument(what, _OWNER), rule + " with the Hessian of a loss" * (not least_squares))
    if fisher and not fit._problem.predicts:
        raise argument_error(
            Argument("method", _OWNER), "must be 'hessian' for a Fitter with `loss_fn`, which predicts nothing"
        )
    return asked_of_fitter(fit, target, at, noise, seed, fisher), fisher


def _check_finite(*arrays: np.ndarray) -> None:
    if not all(np.isfinite(x).all() for x in arrays):
        raise ValueError(
            "The derivatives of this fit are NaN or infinite at this point: run the model there once, which tells "
            "where it diverges, or give another point by `at`."
        )


def _check_converged(found: Identifiability, slope: np.ndarray, value: float) -> None:
    """That a step of Newton's would change next to nothing."""
    flat, along = found.is_flat, found.directions.T @ slope
    most = float(np.abs(found.eigenvalues).max())
    # A direction that rises makes it no peak; by less than a thousandth of the sharpest it may be rounding.
    down = found.eigenvalues < -max(found.tolerance, 1e-3) * most
    steps = np.where(flat, 0.0, along / np.where(flat, 1.0, found.eigenvalues))
    # Of a parabola: what is left between here and its top.
    gain = float(np.sum(steps * along) / 2)
    step = found.directions @ steps
    far = gain > _NATS if found.is_density else gain > _FALL * abs(value) and np.abs(step).max() > _STEP
    if not (down.any() or far or not most):
        return
    i = int(np.abs(step).argmax())
    given = f"a step by {step[i]:+.1%} of {found.names[i]} and others would change it by {gain:.3g}"
    if down.any():
        given = f"falls away along {found.direction(int(np.flatnonzero(down)[-1]))}"
    raise argument_error(
        Argument("fit", _OWNER),
        "must have converged for the Hessian",
        given,
        hint="Fit on, give the optimum by `at`, or take method='fisher', which holds at any point.",
    )
