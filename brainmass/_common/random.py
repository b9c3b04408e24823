"""Standard normals from counters: the number at (key, process, step, element) never depends on anything else.

Not on the length of blocks, nor on sampling, batching or restarts. The generator is Threefry-2x32 (Salmon et al. 2011),
with twenty rounds for keys, as in `jax.random`, and thirteen for numbers: from there on no statistical flaw is known
(Random123's `threefry.h`, and XLA's own code). Rounds are written out: on CPU jax lowers them as a rolled loop that XLA
cannot fuse, at 16-19 ns a word against about 1 ns here. Normals come in pairs from two words, for jax's inverse error
function takes longer than the words.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

import brainstate
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from brainmass._common.messages import Argument, argument_error
from brainmass._common.typing import Array, ArrayLike, Numbers

__all__ = ["Normals", "as_key", "fold", "fold_at_once", "keys_from", "next_key", "threefry"]

# Of Threefry-2x32, as are the four rounds between two additions of the key (Salmon et al. 2011).
_ROTATIONS = (13, 15, 26, 6), (17, 29, 16, 24)
_PARITY = np.uint32(0x1BD11BDA)

_ROUNDS_OF_KEYS, _ROUNDS_OF_NUMBERS = 20, 13

# What a vector of a CPU holds, and from where on a part of one is little beside the rest.
_WIDTH, _MANY = 16, 48


def as_key(seed: Numbers) -> Numbers:
    """The two words of a key, from an int, a typed JAX key, or key data."""
    if isinstance(seed, bool) or seed is None:
        raise argument_error(
            Argument("seed"), "must be an int or a JAX random key", f"is {seed!r}", "seed=0.", kind=TypeError
        )
    if isinstance(seed, int | np.integer):
        # The words of `jax.random.key(seed)`: a run can be repeated with JAX alone.
        return np.array([(int(seed) >> 32) & 0xFFFFFFFF, int(seed) & 0xFFFFFFFF], np.uint32)
    if hasattr(seed, "dtype") and jnp.issubdtype(seed.dtype, jax.dtypes.prng_key):
        seed = jax.random.key_data(seed)
    if getattr(seed, "shape", None) != (2,) or seed.dtype != jnp.uint32:
        raise argument_error(
            Argument("seed"),
            "must be an int or a JAX Threefry key",
            f"is {type(seed).__name__} of shape {getattr(seed, 'shape', None)}",
            "seed=jax.random.key(0).",
            kind=TypeError,
        )
    return seed


# Where runs without a seed get their keys: a key, and how many were taken from it; None for `brainstate.random`.
_source: ContextVar[tuple[Numbers, Iterator[int]] | None] = ContextVar("source of keys", default=None)


@contextmanager
def keys_from(key: Numbers) -> Iterator[None]:
    """Within it, runs without a seed have keys that follow from this one, which may be traced."""
    token = _source.set((key, itertools.count()))
    try:
        yield
    finally:
        _source.reset(token)


def next_key() -> Array:
    """The key of a run without a seed."""
    source = _source.get()
    return as_key(brainstate.random.split_key()) if source is None else fold(source[0], next(source[1]))


def threefry(
    key: Numbers | tuple[Numbers, Numbers], high: Numbers, low: Numbers, rounds: int = _ROUNDS_OF_KEYS
) -> tuple[jax.Array, jax.Array]:
    """Two random words for each pair of counter words; `key` holds two words along its last axis, or is a pair."""
    first, second = key if isinstance(key, tuple) else (key[..., 0], key[..., 1])
    schedule = first, second, first ^ second ^ _PARITY
    x, y = high + schedule[0], low + schedule[1]
    for done in range(1, rounds + 1):
        group, place = divmod(done - 1, 4)
        rotation = _ROTATIONS[group % 2][place]
        x = x + y
        y = ((y << rotation) | (y >> (32 - rotation))) ^ x
        if place == 3:
            x = x + schedule[(group + 1) % 3]
            y = y + schedule[(group + 2) % 3] + np.uint32(group + 1)
    return x, y


def fold(key: Numbers, data: ArrayLike) -> jax.Array:
    """The key of a substream, or of each of several, along the last axis: `jax.random.fold_in`, on key words."""
    return jnp.stack(threefry(key, jnp.uint32(0), jnp.asarray(data, jnp.uint32)))


fold_at_once = jax.jit(fold)
"""The same outside a trace, as one program: operation by operation it takes a second to compile."""


def normals(key: Numbers, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normals outside a trace, by NumPy: for each new shape JAX's take 0.5 to 1.5 s to compile."""
    words = np.random.SeedSequence(np.asarray(key).tolist())
    return np.random.default_rng(words).standard_normal(shape).astype(jnp.result_type(float))


class Normals:
    """Standard normals of several processes, each with a stream and a shape of its own, drawn all together.

    Rows are complex numbers, with two normals in each: one array for both keeps XLA from working out the words twice,
    and one for all processes from compiling them again for each.
    """

    def __init__(self, key: Numbers, streams: Mapping[str, int], shapes: Mapping[str, tuple[int, ...]]):
        counts = [-(-math.prod(shapes[name]) // 2) for name in streams]
        keys = fold(key, np.array(list(streams.values()), np.uint32)).T
        # Pairs that nobody reads after the last, so that XLA has none left to work out one by one: of 84 pairs the last
        # four would take a tenth of the time. Of few pairs, too many would be drawn for nothing.
        drawn = sum(counts) if sum(counts) < _MANY else -(-sum(counts) // _WIDTH) * _WIDTH
        self.keys = dict(zip(streams, keys, strict=True))
        self._keys = jnp.repeat(keys, np.array(counts), axis=0, total_repeat_length=drawn)
        pairs = np.concatenate([np.arange(n, dtype=np.uint32) for n in counts])
        self._pairs = np.pad(pairs, (0, drawn - len(pairs)))
        ends = np.cumsum(counts).tolist()
        self._parts = {n: (end - count, end, shapes[n]) for n, count, end in zip(streams, counts, ends, strict=True)}

    def rows(self, first_step: Numbers, n_steps: int) -> jax.Array:
        """Those of consecutive steps, shape (n_steps, numbers)."""
        step = (jnp.asarray(first_step, jnp.uint32) + jnp.arange(n_steps, dtype=jnp.uint32))[:, None]
        step, pair = jnp.broadcast_arrays(step, self._pairs)
        words = threefry(self._keys, step, pair, _ROUNDS_OF_NUMBERS)
        if jax.config.read("jax_enable_x64"):
            # The upper half of the counters, which no pair reaches, for the further digits.
            half = pair | jnp.uint32(1 << 31)
            return _box_muller_double(words, threefry(self._keys, step, half, _ROUNDS_OF_NUMBERS))
        return lax.complex(*_box_muller(*words))

    def of_row(self, row: jax.Array) -> dict[str, jax.Array]:
        """By process, the normals in one row: the real parts, then the imaginary ones."""
        return {name: _unpaired(row[start:end], shape) for name, (start, end, shape) in self._parts.items()}

    @staticmethod
    def one_by_one(key: tuple[Numbers, Numbers], step: jax.Array, element: jax.Array, size: int) -> jax.Array:
        """The same of a process of `size` elements, for the words of its key: each for itself, in single precision."""
        half = -(-size // 2)
        second = element >= half
        pair = jnp.where(second, element - half, element)
        words = threefry(key, step.astype(jnp.uint32), pair.astype(jnp.uint32), _ROUNDS_OF_NUMBERS)
        return jnp.where(second, *_box_muller(*words)[::-1])


def _unpaired(pairs: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return jnp.concatenate([pairs.real, pairs.imag])[: math.prod(shape)].reshape(shape)


# Box and Muller (1958): of uniform x on (0, 1] and a uniform angle, sqrt(-2 log x) exp(i angle).
def _box_muller(x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """24 bits of x and all of y but the lowest seven: two for the quarter of the circle, 23 for the place in it.

    Sine and cosine are polynomials (Moshier's for single precision), as XLA calls a function for each on CPU.
    """
    radius = jnp.sqrt(-2 * jnp.log(((x >> 8).astype(jnp.int32) + 1).astype(np.float32) * np.float32(2**-24)))
    quarter, place = y >> 30, ((y << 2) >> 9).astype(jnp.int32).astype(np.float32) * np.float32(2**-23)
    # Within an eighth of the circle of zero, where the polynomials hold; the quarter turns it.
    angle = (place - np.float32(0.5)) * np.float32(np.pi / 2)
    square = angle * angle
    sine = angle + angle * square * _polynomial(square, -1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
    cosine = _polynomial(square, 2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2, -0.5, 1)
    odd = (quarter & 1) == 1
    radius = jnp.where(quarter >= 2, -radius, radius)
    return jnp.where(odd, -sine, cosine) * radius, jnp.where(odd, cosine, sine) * radius


def _polynomial(x: jax.Array, *coefficients: float) -> jax.Array:
    """From the highest power down."""
    total = jnp.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        total = total * x + np.float32(c)
    return total


def _box_muller_double(x: tuple[jax.Array, jax.Array], y: tuple[jax.Array, jax.Array]) -> jax.Array:
    uniform, turns = (
        (((high.astype(jnp.uint64) << 32) | low.astype(jnp.uint64)) >> 11).astype(np.float64) * 2.0**-53
        for high, low in (x, y)
    )
    radius, angle = jnp.sqrt(-2 * jnp.log(uniform + 2.0**-53)), 2 * np.pi * turns
    return lax.complex(radius * jnp.cos(angle), radius * jnp.sin(angle))
