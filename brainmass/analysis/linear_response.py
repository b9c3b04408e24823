"""`linear_response`: how a model at rest answers to its noise and to small inputs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import is_traced, numbers
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.precision import double_precision
from brainmass._common.times import milliseconds
from brainmass._common.typing import ArrayLike, Numbers, Time
from brainmass.analysis import roots
from brainmass.analysis.delay_stability import characteristic_roots, delayed_jacobian
from brainmass.analysis.drift import Drift, as_drift
from brainmass.analysis.equations import Equations
from brainmass.analysis.equilibria import Equilibria, fixed_points
from brainmass.analysis.observed import observed
from brainmass.analysis.stationary_covariance import stationary_covariance
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.noise import Noise, OUProcess, WhiteNoise
from brainmass.network.network import Network

__all__ = ["LinearResponse", "linear_response"]

_NEWTON_STEPS = 12  # to a working point that moves with the parameters
_FREQUENCIES = 2048  # of the integral over a spectrum, with delays

_covariance = jax.jit(stationary_covariance)


class LinearResponse:
    r"""The linear theory of a model around a working point, as `linear_response` makes it.

    Numbers are in the units of what is observed, squared where it is a covariance, by Hz where it is a spectrum. They
    are arrays of numpy in double precision, or traced ones in the precision of JAX.

    Attributes
    ----------
    x : array (n,)
        The working point, flat as `drift.unpack` takes it.
    labels : tuple of str
        What is observed.
    """

    def __init__(self, drift: Drift, x: jax.Array, parameters: Mapping[str, ArrayLike], of: Any, through: Any):
        self.drift, self.x, self.parameters = drift, x, parameters
        self._traced = is_traced((x, drift.parameters, dict(parameters)))
        with self._precision():
            x = jnp.asarray(x)
            self._delayed = delayed_jacobian(drift, x, parameters) if drift.delays.size else None
            # A function or a forward model may be another one at the next call, or have changed: only names tell that
            # it is the same.
            reused = not self._traced and through is None and (of is None or isinstance(of, str))
            system = drift.program(_System, of) if reused else _System(drift, of, through)
            assemble = system.assembled if self._traced else system.compiled
            self._A, self._Q, self._C = assemble(x, dict(parameters))
            self.labels, self._sizes = system.labels, system.sizes

    def _precision(self) -> Numbers:
        return contextlib.nullcontext() if self._traced else double_precision()

    # --- in time ----------------------------------------------------------------------------------------------------
    def covariance(self, lag: Time | None = None) -> Numbers:
        """Of what is observed, shape (m, m); with a lag `<y_i(t + lag) y_j(t)>`."""
        ms = 0.0 if lag is None else milliseconds("lag", lag, "LinearResponse.covariance")
        with self._precision():
            if self._delayed is not None:
                return self._out(self._integrated(ms))
            X = _covariance(self._A, self._Q)
            stable = jnp.isfinite(X).all()
            X = jnp.where(stable, X, 0.0)  # infinity times what an output does not see would be NaN
            if lag is not None:
                # Deviations decay on average as the system does: ⟨x(t + lag) x(t)ᵀ⟩ = exp(A lag) X.
                flow = jax.scipy.linalg.expm(self._A * abs(ms))
                X = flow @ X if ms >= 0 else X @ flow.T
            return self._out(jnp.where(stable, self._C @ X @ self._C.T, jnp.inf))

    def correlation(self, lag: Time | None = None) -> Numbers:
        """The same as correlation coefficients: functional connectivity, with a lag lagged connectivity."""
        with self._precision():
            covariance = jnp.asarray(self.covariance(lag))
            variance = jnp.diagonal(covariance if lag is None else jnp.asarray(self.covariance()))
            # What does not move correlates with nothing, 0; where it is unstable, the covariance stays infinite.
            deviation = jnp.sqrt(jnp.where(jnp.isfinite(variance) & (variance > 0), variance, 1.0))
            return self._out(covariance / deviation[:, None] / deviation)

    # --- in frequency -----------------------------------------------------------------------------------------------
    def cross_spectrum(self, frequencies: ArrayLike) -> Numbers:
        """One-sided cross-spectral density per Hz at these frequencies, complex, shape (F, m, m).

        Its integral over all positive frequencies is the covariance, up to an imaginary part.
        """
        with self._precision():
            root = self._root()

            def at(f: jax.Array) -> jax.Array:
                y = self._C @ self._solved(f, root)
                return 2e-3 * y @ y.conj().T  # both sides; per ms is per kHz

            return self._out(jax.lax.map(at, self._per_ms(frequencies)))

    def power(self, frequencies: ArrayLike) -> Numbers:
        """One-sided power spectral density per Hz, shape (F, m)."""
        with self._precision():
            root = self._root()

            def at(f: jax.Array) -> jax.Array:
                return 2e-3 * (jnp.abs(self._C @ self._solved(f, root)) ** 2).sum(axis=1)

            return self._out(jax.lax.map(at, self._per_ms(frequencies)))

    def transfer(self, frequencies: ArrayLike, port: str) -> Numbers:
        """The response per unit of a small oscillating input at a port, complex, shape (F, m, N)."""
        with self._precision():
            name = self.drift.find(port)
            if name not in self.drift.input_names:
                raise argument_error(
                    Argument("port", "LinearResponse.transfer"),
                    f"must be one of {', '.join(self.drift.input_names)}",
                    f"is {show(port)}",
                )
            x, value = (
                jnp.asarray(self.x),
                self.drift.quantity(name, self.parameters.get(name, self.drift.parameters[name])),
            )
            prefix = name.rpartition(".")[0]
            shape = self._sizes[prefix if prefix else next(iter(self._sizes))]
            plain, unit = jnp.broadcast_to(u.get_mantissa(value), shape).astype(x.dtype), u.get_unit(value)
            others = {k: v for k, v in self.parameters.items() if self.drift.find(k) != name}

            def rates(plain: jax.Array) -> jax.Array:
                return self.drift(x, {**others, name: u.maybe_decimal(u.Quantity(plain, unit=unit))})

            own = jax.jacfwd(rates)(plain).reshape(x.size, -1)
            B = jnp.zeros((self._A.shape[0], own.shape[1]), x.dtype).at[: x.size].set(own)
            return self._out(jax.lax.map(lambda f: self._C @ self._solved(f, B), self._per_ms(frequencies)))

    def _per_ms(self, frequencies: ArrayLike) -> jax.Array:
        f = numbers(
            Argument("frequencies", "LinearResponse"), frequencies, unit=u.Hz, example="frequencies=freqs * u.Hz"
        )
        return jnp.atleast_1d(jnp.asarray(f, self._A.dtype)) / 1000

    def _solved(self, f: jax.Array, right: jax.Array) -> jax.Array:
        """(iω - J)⁻¹ `right`, at a frequency per ms."""
        z = 2j * jnp.pi * f
        J = self._A.astype(jnp.result_type(self._A, 1j))
        if self._delayed is not None:
            n = self.drift.size
            J = J.at[:n, :n].set(self._delayed.at(z))
        return jnp.linalg.solve(z * jnp.eye(J.shape[0]) - J, right.astype(J.dtype))

    def _root(self) -> jax.Array:
        """A square root of the covariance of the noise."""
        # The slope of eigh is infinite where eigenvalues are equal, as those of equal noises are: it is held, and one
        # is made below.
        values, vectors = jnp.linalg.eigh(jax.lax.stop_gradient(self._Q))
        held = vectors * jnp.sqrt(jnp.clip(values, 0.0))
        if not self._traced:
            # Each column is one more solution at each frequency, and often a few states alone have noise.
            return held[:, np.asarray(values) > 1e-14 * float(jnp.abs(values).max())]
        # one with the right slope, whatever its rank: Q' = R' Rᵀ + R R'ᵀ
        inverse = jnp.where(values > 1e-6 * values.max(), 1 / jnp.where(values > 0, values, 1.0), 0.0)
        change = self._Q - jax.lax.stop_gradient(self._Q)
        return held + 0.5 * (change @ (vectors * inverse)) * jnp.sqrt(jnp.clip(values, 0.0))

    def _integrated(self, lag: float) -> Numbers:
        """The covariance as an integral over the spectrum, with points that crowd where the rates of the model are."""
        # Between the fastest and the slowest rate, in cycles per ms.
        scale = jnp.sqrt(jnp.linalg.norm(self._A) / jnp.linalg.norm(jnp.linalg.inv(self._A))) / (2 * np.pi)
        scale, root = jax.lax.stop_gradient(scale), self._root()

        def total(n: int) -> jax.Array:
            phi = np.pi * (np.arange(n) + 0.5) / n / 2  # f = scale tan φ, from 0 to infinity
            weights = scale / np.cos(phi) ** 2 * np.pi / (2 * n)

            def at(given: tuple[jax.Array, jax.Array]) -> jax.Array:
                f, weight = given
                y = self._C @ self._solved(f, root)
                turned = jnp.exp(2j * jnp.pi * f * lag)
                return weight * 2 * jnp.real(turned * y @ y.conj().T)

            return jax.lax.map(at, (scale * np.tan(phi), weights), batch_size=64).sum(axis=0)

        n, found = _FREQUENCIES, total(_FREQUENCIES)
        # A trace has no numbers to compare, and takes what the first gives.
        while not self._traced:
            finer = total(2 * n)
            if np.abs(finer - found).max() <= 1e-7 * np.abs(finer).max():
                return finer
            n, found = 2 * n, finer
            if n > 2**16:
                raise ValueError(
                    "The covariance under delays does not converge: the working point is too near to a bifurcation."
                )
        return found

    def _out(self, x: jax.Array) -> Numbers:
        return x if self._traced else np.asarray(x)

    def __repr__(self) -> str:
        seen = self.labels[0] + (f" to {self.labels[-1]}" if len(self.labels) > 1 else "")
        return f"LinearResponse of {type(self.drift.model).__name__}, seen by {len(self.labels)} ({seen})"


def linear_response(
    model: NeuralMassDynamics | Network | Drift,
    inputs: Mapping[str, Any] | None = None,
    *,
    of: str | Callable[[dict[str, Numbers]], Numbers] | None = None,
    through: Any = None,
    at: Equilibria | ArrayLike | None = None,
    parameters: Mapping[str, ArrayLike] = MappingProxyType({}),
) -> LinearResponse:
    r"""Covariance, functional connectivity, spectra and transfer functions of a model around a stable equilibrium.

    Deviations follow :math:`\dot{\delta x} = J\,\delta x + B\,\xi`, with the noises of the model, white or
    Ornstein–Uhlenbeck, at their ports; exact in the limit of weak noise. With conduction delays covariances are
    integrals over the spectrum. All of it has gradients, by the parameters of the model or those given, also through
    the working point, so that `Fitter` takes it as a loss.

    Parameters
    ----------
    model : NeuralMassDynamics, Network or Drift
    inputs : mapping, optional
        What is held at the input ports, by name.
    of : str or function, optional
        What is observed: a state (`population.state`), what nodes send, such as `"eeg"`, or a function of the dict of
        states. Default: the first output of the model.
    through : BOLDSignal, LeadFieldModel or LeadfieldReadout, optional
        Seen through blood flow or a lead field, which `of` drives.
    at : Equilibria of one, or array (n,), optional
        The working point, or near it; default the only stable equilibrium that `fixed_points` finds. Where values are
        traced, as in a fit, a few Newton steps go from there, or from initial values, to the equilibrium.
    parameters : mapping, optional
        Values in place of those of the model.

    Raises
    ------
    ValueError
        If there is no stable equilibrium, or there are several, or that `at` is unstable; for noises that are neither
        white nor of Ornstein and Uhlenbeck. In a trace, where there are no numbers to look at, covariances of an
        unstable working point are infinite, and have no slope; with conduction delays nothing tells there that it is
        unstable.

    References
    ----------
    Deco, Ponce-Alvarez, Hagmann, Romani, Mantini, Corbetta 2014, J. Neurosci. 34:7886; Gilson, Moreno-Bote,
    Ponce-Alvarez, Ritter, Deco 2016, PLoS Comput. Biol. 12:e1004762.

    Examples
    --------
    >>> import brainmass, brainunit as u, numpy as np
    >>> noise = brainmass.WhiteNoise(2, sigma=0.1 * u.UNITLESS)
    >>> node = brainmass.LinearStep(2, gamma=-1.0, noise_x=noise)
    >>> network = brainmass.Network(node, conn=[[0.0, 0.5], [0.0, 0.0]], coupling="additive", coupled_var="x")
    >>> brainmass.linear_response(network).covariance()[1, 1].round(4)
    np.float64(0.005)
    """
    drift = as_drift(model, inputs)
    parameters = drift.held_values(parameters, "linear_response")
    x = _working_point(drift, at, parameters)
    response = LinearResponse(drift, x, parameters, of, through)
    if not response._traced:
        _check_stability(response)
    return response


def _working_point(drift: Drift, at: Any, parameters: Mapping[str, ArrayLike]) -> Numbers:
    given = at.x if isinstance(at, Equilibria) else at
    if given is not None:
        what = Argument("at", "linear_response", "working point")
        rule = f"must be one equilibrium, an array of shape ({drift.size},)"
        given = drift.flat(given, what, rule) if not is_traced(given) else given
        given = given[0] if given.shape == (1, drift.size) else given
        if not is_traced(given) and not np.isfinite(given).all():
            raise argument_error(what, rule, "is not finite", "at=found[0]")
        if given.shape != (drift.size,):
            raise argument_error(what, rule, f"has shape {given.shape}", "at=found[0]")
    if is_traced((drift.parameters, dict(parameters), given)):
        # No search for it, which would have to look at numbers.
        start = drift.starts(1)[0] if given is None else given
        return roots.newton(drift, jnp.asarray(start, float), parameters, _NEWTON_STEPS)
    if given is not None:
        return fixed_points(drift, parameters=parameters, start=given).x[0]
    found = fixed_points(drift, parameters=parameters)
    stable = found[found.stable]
    if len(stable) != 1:
        rule = "is needed: of several stable equilibria one" if len(stable) else "is needed: a stable equilibrium"
        example = "at=fixed_points(model)[0]" if len(stable) else ""
        raise argument_error(
            Argument("at", "linear_response", "working point"), rule, f"there are these:\n{found!r}", example
        )
    return stable.x[0]


def _check_stability(response: LinearResponse) -> None:
    drift, x = response.drift, response.x
    if drift.delays.size:
        growth = characteristic_roots(drift, x, parameters=response.parameters)[0].real
    else:
        growth = np.linalg.eigvals(np.asarray(response._A)).real.max()
    if growth >= 0:
        raise argument_error(
            Argument("at", "linear_response", "working point"),
            "must be stable",
            f"deviations from it grow by {growth:.3g} per ms: {drift.labels[0]} = {float(x[0]):.4g}, ...",
            hint="There the linear noise has no stationary law.",
        )


class _System:
    """The whole linear system: the model, the coloured noises that drive it, what it drives."""

    labels: tuple[str, ...]
    sizes: dict[str, tuple[int, ...]]

    def __init__(self, drift: Drift, of: Any = None, through: Any = None):
        self.drift, self.of, self.through = drift, of, through
        self.compiled = jax.jit(self.assembled)

    def assembled(self, x: jax.Array, parameters: Mapping[str, ArrayLike]) -> tuple[jax.Array, jax.Array, jax.Array]:
        drift = self.drift
        equations = drift.equations(parameters, x.dtype)
        noises = equations.noises()
        for key, noise in noises.items():
            _check_kind(key[1], noise)
        own = drift.jacobian(x, parameters)
        seen = observed(drift, equations, x, self.of, self.through)
        coloured = {key: noise for key, noise in noises.items() if isinstance(noise, OUProcess)}
        widths = [drift.size, *(_size(noise) for noise in coloured.values()), seen.size]
        # Side by side: the model, the coloured noises that drive it, what it drives.
        ends = np.cumsum([0, *widths])
        A = jnp.zeros((ends[-1], ends[-1]), x.dtype).at[: drift.size, : drift.size].set(own)
        Q = jnp.zeros_like(A)
        for key, noise in noises.items():
            B, strength = self._entering(equations, key, noise, x), _strength(noise, x.dtype)
            if key not in coloured:
                Q = Q.at[: drift.size, : drift.size].add(B @ strength @ B.T)
                continue
            part = slice(*ends[1 + list(coloured).index(key) :][:2])
            rate = 1 / jnp.broadcast_to(u.maybe_decimal(noise.p.tau / u.ms), noise.varshape).ravel().astype(x.dtype)
            A = A.at[: drift.size, part].set(B).at[part, part].set(-jnp.diag(rate))
            # A standard deviation of σ/√2 at any τ: σ²/τ per ms goes in.
            Q = Q.at[part, part].set(jnp.sqrt(rate)[:, None] * strength * jnp.sqrt(rate))
        last = slice(*ends[-2:])
        A = A.at[last, last].set(seen.A).at[last, : drift.size].set(seen.B)
        middle = jnp.zeros((seen.C.shape[0], ends[-2] - drift.size), x.dtype)
        self.labels = seen.labels
        self.sizes = {name: node.varshape for name, node in equations.nodes.items()}
        return A, Q, jnp.concatenate([seen.C, middle, seen.D], axis=1)

    def _entering(self, equations: Equations, key: tuple[str, str], noise: Noise, x: jax.Array) -> Numbers:
        """How a sample of a noise enters the rates, shape (n, its size)."""
        unit, mean = u.get_unit(noise.p.sigma), noise._mean()

        def rates(z: jax.Array) -> jax.Array:
            sample = mean + u.maybe_decimal(u.Quantity(z.reshape(noise.varshape), unit=unit))
            return self.drift._flat(equations.rates(self.drift.unpack(x), samples={key: sample}))

        return jax.jacfwd(rates)(jnp.zeros(_size(noise), x.dtype))


def _size(noise: Noise) -> int:
    return int(np.prod(noise.varshape))


def _strength(noise: Noise, dtype: np.dtype) -> Numbers:
    """The covariance of a noise among the regions: sigma squared where they are independent."""
    sigma = jnp.broadcast_to(u.get_mantissa(noise.p.sigma), noise.varshape).ravel().astype(dtype)
    if noise.mixing is None:
        return jnp.diag(sigma**2)
    factor = jnp.kron(jnp.eye(_size(noise) // noise.varshape[-1]), noise.mixing.value.T).astype(dtype)
    return sigma[:, None] * (factor @ factor.T) * sigma


def _check_kind(name: str, noise: Noise) -> None:
    if not isinstance(noise, WhiteNoise | OUProcess):
        raise argument_error(
            Argument(name, "linear_response"),
            "must be a WhiteNoise or an OUProcess",
            f"is a {type(noise).__name__}, which has no stationary law in continuous time here",
            kind=TypeError,
        )
