"""`fixed_points`: the equilibria of a node or a network, and their stability."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import brainunit as u
import jax
import numpy as np

from brainmass._common.checks import is_traced, whole
from brainmass._common.display import page, table
from brainmass._common.extras import import_io
from brainmass._common.messages import Argument, argument_error, counted
from brainmass._common.precision import double_precision
from brainmass._common.typing import ArrayLike, Complex, Numbers
from brainmass.analysis import roots
from brainmass.analysis.delay_stability import characteristic_roots
from brainmass.analysis.drift import Drift, as_drift
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.network.network import Network

if TYPE_CHECKING:
    import xarray

__all__ = ["Equilibria", "fixed_points"]

_MOST_FOR_A_SEARCH = 12  # entries of a state within which starts are drawn
_MOST_ALONG_LINES = 100  # roots beyond which they are no points
_NEUTRAL = 1e-9  # real part of an eigenvalue, relative to the largest eigenvalue, that is zero


@dataclasses.dataclass(frozen=True, repr=False)
class Equilibria:
    """Equilibria of a model, in order of their first state.

    Attributes
    ----------
    x : array (m, n)
        The flat states, as `drift.unpack` takes them.
    eigenvalues : complex array (m, n)
        Of the Jacobian, per ms, by falling real part; with conduction delays the rightmost characteristic roots, and
        NaN where there are fewer than of others.
    drift : Drift
        Of the model, with its inputs.
    parameters : dict
        Values that were given in place of those of the model.
    ends : tuple of str
        What became of branches that were followed from the uncoupled network and did not arrive.
    searched : str
        How they were looked for, in words.
    """

    x: np.ndarray
    eigenvalues: Complex
    drift: Drift
    parameters: Mapping[str, ArrayLike]
    ends: tuple[str, ...] = ()
    searched: str = ""

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, which: Any) -> Equilibria:
        """One of them, or some, by number, slice or mask."""
        # A number as a slice, which keeps the axis of equilibria; one of numpy, too, as `found.stable.argmax()` is.
        if not isinstance(which, slice) and np.ndim(which) == 0:
            number = operator.index(which)
            if not -len(self) <= number < len(self):
                raise IndexError(f"There is no equilibrium of number {number}: there are {len(self)}.")
            which = slice(number % len(self), number % len(self) + 1)
        return dataclasses.replace(self, x=self.x[which], eigenvalues=self.eigenvalues[which])

    def __iter__(self) -> Iterator[Equilibria]:
        return (self[i] for i in range(len(self)))

    @property
    def states(self) -> dict[str, Numbers]:
        """The states by name, in their units, each of shape (m, in_size)."""
        with double_precision():
            unpacked = self.drift.unpack(self.x)
        return {
            k: u.maybe_decimal(u.Quantity(np.asarray(u.get_mantissa(x)), unit=u.get_unit(x)))
            for k, x in unpacked.items()
        }

    @property
    def state(self) -> dict[str, Numbers]:
        """Of one equilibrium, the states by name, to begin a run with: `run(duration, state=found[0].state)`."""
        if len(self) != 1:
            raise ValueError(f"A run begins at one equilibrium, and these are {len(self)}: choose one, found[0].state.")
        return {name: values[0] for name, values in self.states.items()}

    @property
    def stable(self) -> np.ndarray:
        """Whether all deviations decay, shape (m,)."""
        return np.array([kind.startswith("stable") for kind in self.kinds], bool)

    @property
    def kinds(self) -> tuple[str, ...]:
        """'stable', 'unstable' (all deviations grow) 'node' or 'focus'; 'saddle', 'saddle-focus'; or 'neutral'.

        A focus is that of which the slowest decaying, or fastest growing, deviation oscillates.
        """
        return tuple(_kind(values, bool(self.drift.delays.size)) for values in self.eigenvalues)

    @property
    def frequency(self) -> Numbers:
        """Of the slowest decaying, or fastest growing, deviation, in Hz, shape (m,); zero if it does not oscillate."""
        return np.abs(self.eigenvalues[:, 0].imag) / (2 * np.pi) * 1000.0 * u.Hz

    def to_xarray(self) -> xarray.Dataset:
        """States, eigenvalues (per ms, real and imaginary part), stability and kind, over `equilibrium`."""
        xr = import_io("xarray")
        data = {}
        for name, values in self.states.items():
            axes = [f"{name}_axis_{i}" for i in range(u.math.ndim(values) - 2)]
            unit = u.get_unit(values)
            attrs = {} if unit.dim == u.DIMENSIONLESS else {"units": str(unit)}
            where = name.rpartition(".")[0]
            regions = f"{where}_region" if where else "region"
            data[name] = (("equilibrium", *axes, regions), np.asarray(u.get_mantissa(values)), attrs)
        for part in ("real", "imag"):
            values = getattr(self.eigenvalues, part)
            data[f"eigenvalue_{part}"] = (("equilibrium", "mode"), values, {"units": "1/ms"})
        data["stable"] = ("equilibrium", self.stable)
        data["kind"] = ("equilibrium", list(self.kinds))
        return xr.Dataset(
            data, coords={"equilibrium": np.arange(len(self))}, attrs={"model": type(self.drift.model).__name__}
        )

    def _rows(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        units = {name: "" if unit.dim == u.DIMENSIONLESS else f" ({unit})" for name, unit in self.drift.units.items()}
        head = ("", *(f"{name}{units[name]}" for name in self.drift.names), "kind", "growth (1/ms)", "frequency (Hz)")
        rows = []
        for i, point in enumerate(self.x):
            cells = [_range(point[self.drift.slices[name]]) for name in self.drift.names]
            growth, frequency = f"{self.eigenvalues[i, 0].real:.4g}", f"{float(self.frequency[i].mantissa):.4g}"
            rows.append((str(i), *cells, self.kinds[i], growth, frequency))
        return head, rows

    def _title(self) -> str:
        of = f"of {type(self.drift.model).__name__}"
        return f"{counted(len(self), 'equilibrium') if len(self) == 1 else f'{len(self)} equilibria'} {of}"

    def __repr__(self) -> str:
        head, rows = self._rows()
        lines = [self._title() + (f", {self.searched}" if not rows else "")]
        if rows:
            widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
            lines += ["  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in (head, *rows)]
        return "\n".join([*lines, *self.ends])

    def _repr_html_(self) -> str:
        head, rows = self._rows()
        return page(self._title(), "; ".join([self.searched, *self.ends]), table(head, rows))


def _range(values: np.ndarray) -> str:
    if np.ptp(values) <= 1e-9 * (1 + np.abs(values).max()):
        return f"{values[0]:.6g}"
    return f"{values.min():.4g} to {values.max():.4g}"


def _kind(eigenvalues: Complex, delayed: bool) -> str:
    values = eigenvalues[np.isfinite(eigenvalues)]
    scale = np.abs(values).max() or 1.0
    growing = values.real > _NEUTRAL * scale
    turns = "focus" if abs(values[0].imag) > _NEUTRAL * scale else "node"
    if not growing.any():
        return "neutral" if values[0].real >= -_NEUTRAL * scale else f"stable {turns}"
    if growing.all() and not delayed:  # with delays there are always modes that decay
        return f"unstable {turns}"
    return "saddle" if turns == "node" else "saddle-focus"


def fixed_points(
    model: NeuralMassDynamics | Network | Drift,
    inputs: Mapping[str, Any] | None = None,
    *,
    parameters: Mapping[str, ArrayLike] = MappingProxyType({}),
    start: Mapping[str, ArrayLike] | ArrayLike | None = None,
    n_starts: int = 256,
    seed: int = 0,
) -> Equilibria:
    r"""The equilibria of a model, with their eigenvalues and stability, in double precision.

    Up to 12 entries of the state: all that a search from many starts finds, by steps of Levenberg and Marquardt and of
    Newton. It is no proof that there are no others. Larger populations and networks: those that regions have without
    coupling, each region at the same one, followed while the coupling grows to what it is. With conduction delays the
    stability is that of the delayed network, by its characteristic roots.

    Parameters
    ----------
    model : NeuralMassDynamics, Network or Drift
    inputs : mapping, optional
        What is held at the input ports, by name.
    parameters : mapping, optional
        Values in place of those of the model, by the names of `drift.parameters`.
    start : mapping of states, or array (n,) or (m, n), optional
        Look from here alone; flat as `drift.pack` gives it.
    n_starts : int
        Number of starts of a search.
    seed : int
        Decides the starts.

    Returns
    -------
    Equilibria
        It may be empty, and says what became of branches that ended on the way.

    Raises
    ------
    ValueError
        If from a given `start` no equilibrium is found, or equilibria are not isolated.

    Examples
    --------
    >>> import brainmass, brainunit as u
    >>> found = brainmass.fixed_points(brainmass.JansenRitStep(1), {"E_inp": 100.0 * u.Hz})
    >>> len(found), found.kinds
    (3, ('stable focus', 'saddle', 'saddle-focus'))
    """
    drift = as_drift(model, inputs)
    whole(Argument("n_starts", "fixed_points"), n_starts)
    whole(Argument("seed", "fixed_points"), seed, least=0)
    parameters = drift.held_values(parameters, "fixed_points")
    if is_traced((drift.parameters, dict(parameters))):
        raise TypeError(
            "fixed_points looks at numbers, and cannot within jax.jit, grad and their like: find the equilibrium "
            "before, and follow it by linear_response(model, at=...)."
        )
    with double_precision():
        values = {name: drift.quantity(name, value) for name, value in parameters.items()}
        x, ends, searched = _found(drift, values, start, n_starts, seed)
        if len(x) > _MOST_ALONG_LINES:
            raise roots.not_isolated(drift)
        eigenvalues = _spectra(drift, x, values)
    return Equilibria(x, eigenvalues, drift, dict(parameters), ends, searched)


def _found(
    drift: Drift, parameters: Mapping[str, ArrayLike], start: Numbers, n_starts: int, seed: int
) -> tuple[np.ndarray, tuple[str, ...], str]:
    if start is not None:
        return _from_given(drift, parameters, start), (), "from the given starts"
    starts = roots.random_starts(drift, n_starts, seed)
    if drift.size <= _MOST_FOR_A_SEARCH:
        return roots.from_starts(drift, starts, parameters), (), f"from {n_starts} starts"
    alone = roots.of_regions(drift, starts, parameters)
    if not len(alone):
        return alone, (), f"none of a region without coupling, from {n_starts} starts"
    followed, reached = roots.along_coupling(drift, alone, parameters)
    arrived = reached == 1.0
    ends = tuple(
        f"The branch from {drift.labels[0]} = {x[0]:.4g} without coupling ends at {s:.3g} of the coupling."
        for x, s in zip(alone, reached, strict=False)
        if s < 1
    )
    # A branch may pass through where no state can be, such as a negative rate, and a point there is no equilibrium.
    inside = arrived & (followed >= drift.lower - 1e-9).all(axis=1) & (followed <= drift.upper + 1e-9).all(axis=1)
    ends += tuple(
        f"The branch from {drift.labels[0]} = {x[0]:.4g} without coupling leaves the domain of "
        f"{drift.labels[int(np.argmax((y < drift.lower - 1e-9) | (y > drift.upper + 1e-9)))]}."
        for x, y, lost in zip(alone, followed, arrived & ~inside, strict=False)
        if lost
    )
    return roots.distinct(drift, followed[inside]), ends, "followed from the network without coupling"


def _from_given(drift: Drift, parameters: Mapping[str, ArrayLike], start: Numbers) -> np.ndarray:
    what = Argument("start", "fixed_points")
    rule = f"must be finite, of shape ({drift.size},) or (m, {drift.size}), or a mapping of states"
    flat = np.atleast_2d(drift.flat(start, what, rule))
    if flat.shape[-1] != drift.size or flat.ndim != 2 or not np.isfinite(flat).all():
        raise argument_error(
            what,
            rule,
            f"has shape {flat.shape}" if np.isfinite(flat).all() else "is not finite",
        )
    x = roots.from_starts(drift, flat, parameters)
    if not len(x):
        raise argument_error(
            Argument("start", "fixed_points"),
            "must be near an equilibrium",
            f"none is found within the domain from there, with rates up to {_largest(drift, flat, parameters)}",
            "fixed_points(model) without `start`, which looks from many",
        )
    return x


def _largest(drift: Drift, x: np.ndarray, parameters: Mapping[str, ArrayLike]) -> str:
    rates = np.abs(np.asarray(drift(x, parameters))).max(axis=0)
    return f"{rates.max():.2g} per ms (of {drift.labels[int(rates.argmax())]})"


def _jacobian(drift: Drift) -> Numbers:
    return jax.jit(drift.jacobian)


def _spectra(drift: Drift, x: np.ndarray, parameters: Mapping[str, ArrayLike]) -> np.ndarray:
    if not len(x):
        return np.zeros((0, drift.size), complex)
    if drift.delays.size:
        each = [characteristic_roots(drift, point, parameters=parameters) for point in x]
    else:
        jacobian = drift.program(_jacobian)
        each = [np.linalg.eigvals(np.asarray(jacobian(point, parameters))) for point in x]
    each = [values[np.lexsort((-values.imag, -values.real))].astype(complex) for values in each]
    most = max(map(len, each))
    return np.stack([np.pad(values, (0, most - len(values)), constant_values=np.nan) for values in each])
