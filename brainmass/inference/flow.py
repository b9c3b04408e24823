"""A normalising flow that learns how parameters are distributed given features, by flowjax."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from brainmass._common.extras import import_bayes
from brainmass._common.typing import Numbers, Pytree

__all__ = ["Flow", "Shape", "Standard", "Training", "blank", "kept", "leaves_of", "train", "with_leaves"]

_KNOTS, _INTERVAL = 8, 5.0  # of the splines: beyond it they are straight
_RIDGE = 1e-3  # of the regression, per simulation
_PER_FEATURE = 10  # simulations that a regression needs
_HELD_OUT = 0.1
_TAILS = 3.0


class Shape(NamedTuple):
    """What a flow is built from."""

    size: int
    n_features: int
    n_layers: int
    width: int


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Standard:
    """Features and parameters as numbers of order one.

    Features lose the length of their tails. Parameters lose what a linear regression on
    the features tells, and have its errors as their unit: where models are linear and errors normal, that is all.
    """

    kept: np.ndarray  # which of the features
    centre: np.ndarray
    scale: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    slope: np.ndarray  # (size, n_features)
    offset: np.ndarray
    spread: np.ndarray  # lower triangle

    @classmethod
    def of(cls, z: np.ndarray, x: np.ndarray, kept: np.ndarray) -> Standard:
        """From simulations of parameters `z` (n, size) and features `x` (n, all features)."""
        x = x[:, kept].astype(float)
        low, centre, high = np.quantile(x, [0.25, 0.5, 0.75], axis=0)
        # By quartiles, which a few runs far out do not move.
        scale = np.where(high > low, (high - low) / 1.35, np.std(x, axis=0))  # of a normal: the standard deviation
        told = np.asarray(_shortened((x - centre) / scale))
        mean, sd = told.mean(0), told.std(0)
        told = (told - mean) / sd
        n, d = told.shape
        slope, offset = np.zeros((z.shape[1], d)), z.mean(0).astype(float)
        if n >= _PER_FEATURE * d:
            # The ridge is for features that nearly repeat one another.
            slope = np.linalg.solve(told.T @ told + _RIDGE * n * np.eye(d), told.T @ (z - offset)).T
        rest = z - offset - told @ slope.T
        covariance = rest.T @ rest / n
        # Some posteriors are as sharp as rounding: a root must be there all the same.
        spread = np.linalg.cholesky(covariance + 1e-12 * np.eye(len(covariance)))
        return cls(kept, centre, scale, mean, sd, slope, offset, spread)

    def features(self, x: Numbers) -> jax.Array:
        return (_shortened((x[..., self.kept] - self.centre) / self.scale) - self.mean) / self.sd

    def inner(self, z: jax.Array, told: jax.Array) -> jax.Array:
        rest = z - self.offset - told @ self.slope.T
        return jax.scipy.linalg.solve_triangular(jnp.asarray(self.spread, z.dtype), rest.T, lower=True).T

    def outer(self, y: jax.Array, told: jax.Array) -> jax.Array:
        return y @ jnp.asarray(self.spread, y.dtype).T + self.offset + told @ self.slope.T

    @property
    def log_slope(self) -> jax.Array:
        """Of the inner numbers in the outer ones."""
        return -jnp.sum(jnp.log(jnp.diag(self.spread)))


def _shortened(x: Numbers) -> jax.Array:
    """As it is up to three standard deviations of a normal; farther out its logarithm goes on."""
    far = jnp.abs(x) - _TAILS
    return jnp.where(far > 0, jnp.sign(x) * (_TAILS + jnp.log1p(jnp.maximum(far, 0.0))), x)


class Flow:
    """The distribution of parameters `z` given features `x`, both as simulations have them."""

    def __init__(self, shape: Shape, standard: Standard, weights: Pytree):
        self.shape, self.standard, self.weights = shape, standard, weights

    def draw(self, key: jax.Array, x: Numbers, n: int) -> tuple[jax.Array, jax.Array]:
        """`n` draws for each row of features, and their log density: shapes (rows, n, size), (rows, n)."""
        x, key = jnp.asarray(x), jax.random.wrap_key_data(jnp.asarray(key))
        return _programs(self.shape)[0](self.weights, self.standard, jax.random.split(key, len(x)), x, n)

    def log_density(self, z: jax.Array, x: Numbers) -> jax.Array:
        """Of rows `z` (n, size), given one row of features."""
        return _programs(self.shape)[1](self.weights, self.standard, z, jnp.asarray(x))


@functools.lru_cache(maxsize=32)
def _programs(shape: Shape) -> tuple[Any, Any]:
    """To draw, and to tell the density, of all flows of this shape: what they know is an argument."""
    static, combine = _made(shape, jax.random.key(0))[1], import_bayes("equinox").combine

    def draw(weights: Pytree, standard: Standard, key: jax.Array, x: jax.Array, n: int) -> tuple[jax.Array, jax.Array]:
        told = standard.features(x)
        y, density = combine(weights, static).sample_and_log_prob(key, (n,), condition=told)
        return standard.outer(y, told), density + standard.log_slope

    def log_density(weights: Pytree, standard: Standard, z: jax.Array, x: jax.Array) -> jax.Array:
        told = standard.features(x)
        return combine(weights, static).log_prob(standard.inner(z, told), told) + standard.log_slope

    return jax.jit(jax.vmap(draw, (None, None, 0, 0, None)), static_argnums=4), jax.jit(log_density)


def _made(shape: Shape, key: jax.Array) -> tuple[Pytree, Pytree]:
    """Weights as they are at first, and all else: autoregressive layers, each an affine map and a spline."""
    equinox, paramax = import_bayes("equinox"), import_bayes("paramax")
    flows, bijections = import_bayes("flowjax.flows"), import_bayes("flowjax.bijections")
    normal = import_bayes("flowjax.distributions").Normal(jnp.zeros(shape.size))
    layer = bijections.Chain(
        [bijections.Affine(), bijections.RationalQuadraticSpline(knots=_KNOTS, interval=_INTERVAL)]
    )
    flow = flows.masked_autoregressive_flow(
        key,
        base_dist=paramax.non_trainable(normal),
        transformer=layer,
        cond_dim=shape.n_features,
        flow_layers=shape.n_layers,
        nn_width=shape.width,
        nn_depth=2,
        nn_activation=jax.nn.silu,
    )
    return equinox.partition(
        flow, equinox.is_inexact_array, is_leaf=lambda leaf: isinstance(leaf, paramax.NonTrainable)
    )


def blank(shape: Shape) -> Pytree:
    """Weights in their places, to be filled in."""
    return _made(shape, jax.random.key(0))[0]


class Training(NamedTuple):
    """How far a training has come."""

    epoch: int
    weights: Pytree
    optimizer: Pytree
    best: Pytree
    lowest: float
    at: int  # epoch of the best
    losses: list[tuple[float, float]]  # of each epoch, on what it is trained with, and on what is held out


def train(
    shape: Shape,
    standard: Standard,
    z: np.ndarray,
    x: np.ndarray,
    key: jax.Array,
    n_epochs: int,
    patience: int,
    learning_rate: float,
    begun: Any = None,
    tell: Callable[[Training], None] = lambda training: None,
) -> Training:
    """Raise the log density of simulations, until that of those held out has not risen for `patience` epochs.

    `begun` is what `kept(training)` gave, to go on from; `tell` is called after each block of epochs.
    """
    of_weights, of_order, of_split = jax.random.split(key, 3)
    told = standard.features(jnp.asarray(x))
    y = standard.inner(jnp.asarray(z), told)
    # Mixed: later rounds stand last, and none is to be held out alone.
    order = np.asarray(jax.random.permutation(of_split, len(y)))
    n_out = max(1, int(_HELD_OUT * len(y)))
    out, within = (y[order[:n_out]], told[order[:n_out]]), (y[order[n_out:]], told[order[n_out:]])
    size = int(np.clip(len(within[0]) // 16, min(32, len(within[0])), 256))
    # A program has one number of epochs: one that divides them all, so that none is beyond the last.
    block = max(n for n in range(1, max(1, min(10, n_epochs // 10)) + 1) if n_epochs % n == 0)
    weights = _made(shape, of_weights)[0]
    optimizer, epochs = _training(shape, len(within[0]), size, block, n_epochs, learning_rate)
    state = optimizer.init(weights)
    training = Training(0, weights, state, weights, float("inf"), 0, [])
    if begun is not None:
        training = _restored(training, begun)
    while training.epoch < n_epochs and training.epoch - training.at <= patience:
        carry = (*training[1:4], jnp.asarray(training.lowest, y.dtype), jnp.int32(training.at))
        (weights, state, best, lowest, at), values = epochs(carry, training.epoch, of_order, within, out)
        losses = training.losses + list(zip(*(np.asarray(v).tolist() for v in values), strict=True))
        training = Training(training.epoch + block, weights, state, best, float(lowest), int(at), losses)
        tell(training)
    return training


@functools.lru_cache(maxsize=8)
def _training(shape: Shape, n: int, size: int, block: int, n_epochs: int, learning_rate: float) -> tuple[Any, Any]:
    """The optimizer, and a program of `block` epochs over `n` simulations in batches of `size`."""
    static, combine, n_steps = _made(shape, jax.random.key(0))[1], import_bayes("equinox").combine, n // size
    rate = optax.cosine_decay_schedule(learning_rate, n_epochs * n_steps, alpha=0.01)
    optimizer = optax.chain(optax.clip_by_global_norm(5.0), optax.adam(rate))

    def loss(weights: Pytree, y: jax.Array, told: jax.Array) -> jax.Array:
        return -jnp.mean(combine(weights, static).log_prob(y, told))

    def epochs(carry: tuple, first: Numbers, key: jax.Array, within: tuple, out: tuple) -> tuple[tuple, tuple]:
        def step(carry: tuple, which: jax.Array) -> tuple[tuple, jax.Array]:
            weights, state = carry
            value, slope = jax.value_and_grad(loss)(weights, *(part[which] for part in within))
            change, state = optimizer.update(slope, state, weights)
            return (optax.apply_updates(weights, change), state), value

        def epoch(carry: tuple, i: jax.Array) -> tuple[tuple, tuple]:
            weights, state, best, lowest, at = carry
            # By the number of the epoch, so that a training that goes on sees the same batches.
            shuffled = jax.random.permutation(jax.random.fold_in(key, i), n)[: n_steps * size]
            (weights, state), values = jax.lax.scan(step, (weights, state), shuffled.reshape(n_steps, size))
            value = loss(weights, *out)
            # Kept within the program: a copy at each epoch would leave it, and wait.
            better = value < lowest
            best = jax.tree.map(lambda new, old: jnp.where(better, new, old), weights, best)
            lowest, at = jnp.where(better, value, lowest), jnp.where(better, i, at)
            return (weights, state, best, lowest, at), (values.mean(), value)

        return jax.lax.scan(epoch, carry, first + jnp.arange(block))

    return optimizer, jax.jit(epochs)


def kept(training: Training) -> list[Any]:
    """As plain lists and arrays, for a file."""
    trees = training.weights, training.optimizer, training.best
    return [training.epoch, *(leaves_of(tree) for tree in trees), training.lowest, training.at, training.losses]


def leaves_of(tree: Pytree) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


def with_leaves(tree: Pytree, leaves: list[Numbers]) -> Pytree:
    """The tree with other numbers."""
    return jax.tree.unflatten(jax.tree.structure(tree), [jnp.asarray(leaf) for leaf in leaves])


def _restored(fresh: Training, begun: Any) -> Training:
    epoch, *trees, lowest, at, losses = begun
    weights, optimizer, best = (with_leaves(t, leaves) for t, leaves in zip(fresh[1:4], trees, strict=True))
    return Training(epoch, weights, optimizer, best, lowest, at, [tuple(pair) for pair in losses])
