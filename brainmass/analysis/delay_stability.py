"""Characteristic roots of a network with conduction delays, around one of its equilibria."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import is_traced, number, whole
from brainmass._common.messages import Argument
from brainmass._common.precision import default_dtype, double_precision
from brainmass._common.typing import ArrayLike, Complex, Numbers, Pytree
from brainmass.analysis.drift import Drift, as_drift
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.network.network import Network

__all__ = ["DelayedJacobian", "characteristic_roots", "delayed_jacobian", "rightmost"]

_LARGEST = 1200  # unknowns of the discretisation of large networks
_ORDERS = 10, 24  # of its polynomials
_MOST = 24  # roots that are refined where none were asked for


class DelayedJacobian:
    r"""The linear part of a network with delays, :math:`\dot x = A x + \sum_e F_e\, s_e x(t - \tau_e)`.

    The sum is over connections: F_e, of shape (n,), is how what arrives over one enters the rates, and s_e, a row of
    `S`, how what is sent follows from the state. Of F only the entries that are not zero are kept: `F[k]` is that of
    the rate `row[k]`, of what left the source `source[k]` a time `delays[k]` ago.
    `at(z)` is :math:`J(z) = A + \sum_e F_e s_e e^{-z \tau_e}`, of which the characteristic roots are the :math:`z` with
    :math:`\det(z - J(z)) = 0`.
    """

    def __init__(self, A: jax.Array, F: jax.Array, S: jax.Array, delays: jax.Array, source: np.ndarray):
        whole = is_traced(F)  # then it is not known which are zero
        self.row, edge = (i.ravel() for i in np.indices(F.shape)) if whole else np.nonzero(np.asarray(F))
        self.A, self.S, self.F, self.delays, self.source = A, S, F[self.row, edge], delays[edge], source[edge]
        self.n_sources = S.shape[0]

    @property
    def parts(self) -> tuple[jax.Array | np.ndarray, ...]:
        """What `of_parts` makes the same of."""
        return self.A, self.F, self.S, self.delays, self.row, self.source

    @classmethod
    def of_parts(cls, *parts: Any) -> DelayedJacobian:
        made = object.__new__(cls)
        made.A, made.F, made.S, made.delays, made.row, made.source = parts
        made.n_sources = made.S.shape[0]
        return made

    def gathered(self, factors: jax.Array) -> jax.Array:
        """The sum of F times a factor for each of its entries, by source: shape (n, sources)."""
        weighted = self.F * factors
        return jnp.zeros((self.A.shape[0], self.n_sources), weighted.dtype).at[self.row, self.source].add(weighted)

    def at(self, z: jax.Array) -> jax.Array:
        """J(z), shape (n, n), for one complex number per ms."""
        return self.A + self.gathered(jnp.exp(-z * self.delays)) @ self.S

    def slope(self, z: jax.Array) -> jax.Array:
        """J'(z)."""
        return self.gathered(-self.delays * jnp.exp(-z * self.delays)) @ self.S


def delayed_jacobian(
    drift: Drift, x: jax.Array, parameters: Mapping[str, ArrayLike], rotation: jax.Array | float = 0.0
) -> DelayedJacobian:
    """The linear part at the equilibrium `x`; differentiable by parameters, the speed included.

    With a `rotation`, in rad per ms, what arrives is that much less for each ms of its delay: phases that turn along.
    """
    x = jnp.asarray(x)
    A, F, S, delays = _own_parts(drift, x, parameters, rotation)
    sources = [np.broadcast_to(s, np.shape(drift._which[key])) for key, s in _sources(drift).items()]
    offsets = np.cumsum([0, *(s.shape[0] for s in S)])
    source = np.concatenate([s.ravel() + o for s, o in zip(sources, offsets, strict=False)])
    F = jnp.concatenate([f.reshape(x.size, -1) for f in F], axis=1)
    return DelayedJacobian(A, F, jnp.concatenate(S), jnp.concatenate([jnp.ravel(d) for d in delays]), source)


def _sources(drift: Drift) -> dict[Any, np.ndarray]:
    return drift.equations({}, default_dtype()).sources()


def _own_parts(drift: Drift, x: jax.Array, parameters: Mapping[str, ArrayLike], rotation: jax.Array | float) -> Pytree:
    """By present states, by what arrives over each connection, of what is sent by states; and delays: by term."""
    if is_traced((x, drift.parameters, dict(parameters), rotation)):
        return _parts(drift, x, parameters, rotation)
    return jax.jit(lambda x: _parts(drift, x, parameters, rotation))(x)


def _parts(drift: Drift, x: jax.Array, parameters: Mapping[str, ArrayLike], rotation: jax.Array | float) -> Pytree:
    equations = drift.equations(parameters, x.dtype)
    sources = {key: np.broadcast_to(s, np.shape(drift._which[key])) for key, s in equations.sources().items()}
    delays = equations.delays()

    def sent(x: jax.Array) -> list[Numbers]:
        values = equations.sent(drift.unpack(x))
        return [_mantissa(values[key]) for key in sources]

    present = equations.sent(drift.unpack(x))
    arriving = {key: present[key][source] for key, source in sources.items()}
    # Not by zero either: what arrives has units in models whose states are no phases.
    if not (isinstance(rotation, float) and rotation == 0):
        arriving = {key: each - rotation * delays[key] for key, each in arriving.items()}

    def rates(x: jax.Array, plain: list[jax.Array]) -> jax.Array:
        each = {key: _like(p, arriving[key]) for key, p in zip(sources, plain, strict=True)}
        return drift._flat(equations.rates(drift.unpack(x), each))

    plain = [_mantissa(arriving[key]) for key in sources]
    # Backwards: there are as many rates as states, but as many inputs as connections.
    A, F = jax.jacrev(rates, argnums=(0, 1))(x, plain)
    return A, F, jax.jacfwd(sent)(x), [delays[key].astype(x.dtype) for key in sources]


def _mantissa(x: jax.Array) -> Pytree:
    return getattr(x, "mantissa", x)


def _like(plain: Pytree, example: Pytree) -> Pytree:
    unit = getattr(example, "unit", None)
    return plain if unit is None else plain * unit


def characteristic_roots(
    model: NeuralMassDynamics | Network | Drift,
    x: ArrayLike,
    inputs: Mapping[str, Any] | None = None,
    *,
    parameters: Mapping[str, ArrayLike] = MappingProxyType({}),
    right_of: float | None = None,
    order: int | None = None,
) -> Complex:
    r"""The rightmost characteristic roots of a model with delays at an equilibrium, per ms, by falling real part.

    The past over the longest delay is a polynomial through Chebyshev points, which turns the delayed system into an
    ordinary one (Breda, Maset, Vermiglio 2005, SIAM J. Sci. Comput. 27:482); each of its eigenvalues is refined by
    Newton's method on the characteristic equation, and those that do not come to rest nearby are left out.

    Parameters
    ----------
    model : NeuralMassDynamics, Network or Drift
    x : array (n,)
        The equilibrium, as in `Equilibria.x`.
    inputs, parameters : mapping, optional
        As in `fixed_points`.
    right_of : float, optional
        All roots with a larger real part, per ms, as far as the order of the polynomial tells them; at least the first.
        Default: the first 24 or so of those to the right of minus three over the longest delay.
    order : int, optional
        Of the polynomial; default 24, less for large networks.

    Returns
    -------
    complex array
        The eigenvalues of the Jacobian if there are no delays.

    Examples
    --------
    Hayes' equation x' = -x(t - τ) loses its stability at τ = π/2:

    >>> import brainmass, brainunit as u, numpy as np
    >>> node = brainmass.LinearStep(1, gamma=0.0)
    >>> network = brainmass.Network(node, conn=[[-1.0]], distance=[[np.pi / 2]], speed=1.0 * u.mm / u.ms,
    ...     coupling="additive", coupled_var="x", self_connection=True)
    >>> root = brainmass.characteristic_roots(network, [0.0])[0]
    >>> bool(abs(root.real) < 1e-9), bool(abs(abs(root.imag) - 1) < 1e-9)
    (True, True)
    """
    drift = as_drift(model, inputs)
    parameters = drift.held_values(parameters, "characteristic_roots")
    if order is not None:
        whole(Argument("order", "characteristic_roots"), order, 2)
    if right_of is not None:
        number(Argument("right_of", "characteristic_roots"), right_of, "finite", np.isfinite)
    with double_precision():
        rule = f"must be one equilibrium, an array of shape ({drift.size},), or a mapping of states"
        x = drift._checked(drift.flat(x, Argument("x", "characteristic_roots", "equilibrium"), rule))
        jacobian = delayed_jacobian(drift, x, parameters) if drift.delays.size else None
        if jacobian is None or not jacobian.F.size:  # what is delayed may have no effect here, as at a coupling of zero
            found = np.linalg.eigvals(np.asarray(drift.jacobian(x, parameters))).astype(np.complex128)
        else:
            found = rightmost(jacobian, right_of, order)
    return found[np.lexsort((-found.imag, -found.real))]


def rightmost(jacobian: DelayedJacobian, right_of: float | None = None, order: int | None = None) -> Complex:
    """Its characteristic roots, as `characteristic_roots` has them."""
    longest = float(jnp.max(jacobian.delays))
    guesses = _approximate(jacobian, longest, order)
    if right_of is None:
        right_of, guesses = -3.0 / longest, guesses[np.argsort(-guesses.real)][:_MOST]
    return _refined(jacobian, guesses, right_of)


def _approximate(jacobian: DelayedJacobian, longest: float, order: int | None) -> Complex:
    """Eigenvalues of the system in which the past of what is sent is a polynomial."""
    m, n = jacobian.n_sources, jacobian.A.shape[0]
    order = order or int(np.clip((_LARGEST - n) // m, *_ORDERS))
    points, D = chebyshev(order)
    # From [-1, 1] to the past, [-longest, 0]. The first point is the present.
    points, D = longest * (points - 1) / 2, D * 2 / longest
    ell = lagrange(points, -np.asarray(jacobian.delays))  # (order + 1, connections)
    blocks = [np.asarray(jacobian.gathered(weights)) for weights in ell]
    A, S = np.asarray(jacobian.A), np.asarray(jacobian.S)
    size = n + order * m
    whole_system = np.zeros((size, size))
    whole_system[:n, :n] = A + blocks[0] @ S
    for k in range(1, order + 1):
        whole_system[:n, n + (k - 1) * m : n + k * m] = blocks[k]
        # What was sent at a point of the past moves on as the slope of the polynomial there, in which S x, what is sent
        # now, is its value at the first point.
        whole_system[n + (k - 1) * m : n + k * m, :n] = D[k, 0] * S
    whole_system[n:, n:] = np.kron(D[1:, 1:], np.eye(m))
    return np.linalg.eigvals(whole_system).astype(np.complex128)


def chebyshev(order: int) -> tuple[np.ndarray, np.ndarray]:
    """Chebyshev points from 1 to -1 and the matrix of derivatives there (Trefethen 2000, Spectral Methods, ch. 6)."""
    k = np.arange(order + 1)
    points = np.cos(np.pi * k / order)
    c = np.where((k == 0) | (k == order), 2.0, 1.0) * (-1.0) ** k
    D = np.outer(c, 1 / c) / (points[:, None] - points + np.eye(order + 1))
    return points, D - np.diag(D.sum(axis=1))


def lagrange(points: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The values of the polynomials that are one at one of the Chebyshev points, by the barycentric formula."""
    order = len(points) - 1
    # Weights of Chebyshev points of the second kind: Berrut, Trefethen 2004, SIAM Rev. 46:501, eq. 5.4.
    w = (-1.0) ** np.arange(order + 1)
    w[[0, -1]] /= 2
    off = at[None, :] - points[:, None]
    hit = np.abs(off) < 1e-14 * np.ptp(points)
    terms = w[:, None] / np.where(hit, 1.0, off)
    values = terms / terms.sum(axis=0)
    return np.where(hit.any(axis=0), hit.astype(float), values)


def _refined(jacobian: DelayedJacobian, guesses: Complex, right_of: float) -> Complex:
    """Roots of the characteristic equation from guesses, by Newton's method on (z - J(z)) v = 0."""
    guesses = guesses[np.argsort(-guesses.real)]
    # Some more than asked for: a guess just left of the line may be refined to the right of it.
    wanted = guesses[guesses.real >= right_of - 0.1 * abs(right_of)]
    # The first may be one of a pair.
    if len(wanted) < 2:
        wanted = guesses[:2]
    wanted = wanted[wanted.imag >= -1e-12]  # the others are their conjugates
    padded = np.resize(wanted.astype(complex), -(-len(wanted) // 16) * 16)  # compiled for few lengths
    values, lengths = (np.asarray(x)[: len(wanted)] for x in _newton(jacobian.parts, padded))
    kept: list[complex] = []
    for guess, z, length in zip(wanted, values, lengths, strict=True):
        # The polynomial also has eigenvalues that are no roots: from these Newton's method goes elsewhere, or nowhere.
        near = abs(z - guess) <= 0.1 * (abs(guess) + abs(right_of))
        if np.isfinite(z) and length < 1e-9 * (1 + abs(z)) and near and _is_new(z, guess, kept, wanted):
            kept.append(complex(z))
    kept = [z for i, z in enumerate(kept) if z.real >= right_of or i == 0]
    real = [z for z in kept if abs(z.imag) < 1e-10 * (1 + abs(z))]
    return np.array([complex(z.real) for z in real] + [w for z in kept if z not in real for w in (z, z.conjugate())])


def _is_new(z: complex, guess: complex, kept: list[complex], guesses: Complex) -> bool:
    """Whether it was not found before; a root that several guesses are near is as often a root as there are those."""
    same = sum(abs(z - other) < 1e-8 * (1 + abs(z)) for other in kept)
    return same < (np.abs(guesses - z) < 1e-4 * (1 + abs(z))).sum() or same == 0


@jax.jit
def _newton(parts: tuple[jax.Array, ...], guesses: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Where Newton's method comes to from each guess, and the length of its last step."""
    jacobian = DelayedJacobian.of_parts(*parts)
    eye = jnp.eye(jacobian.A.shape[0])

    def refine(z: jax.Array) -> tuple[jax.Array, jax.Array]:
        # Near a root the matrix is nearly singular, and this v is nearly what it takes to zero.
        right = jnp.linalg.svd(z * eye - jacobian.at(z))[2]
        v, c, lengths = right[-1].conj(), right[-1], []
        for _ in range(8):
            M, dM = z * eye - jacobian.at(z), eye - jacobian.slope(z)
            # For v and z together, with the length of v held by c v = 1: regular at a simple root, where z - J(z) is
            # singular.
            bordered = jnp.block([[M, (dM @ v)[:, None]], [c[None, :], jnp.zeros((1, 1))]])
            step = jnp.linalg.solve(bordered, jnp.concatenate([M @ v, (c @ v - 1)[None]]))
            v, z = v - step[:-1], z - step[-1]
            lengths.append(jnp.abs(step[-1]))
        return z, lengths[-1]

    return jax.lax.map(refine, guesses)
