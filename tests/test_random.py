"""Random numbers: the published generator, the words of jax.random, and the normal law."""

import functools

import jax
import jax.extend.random
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from brainmass._common import random
from brainmass._common.random import as_key, fold, threefry

KEY = np.array([0x12345678, 0x9ABCDEF0], np.uint32)


@functools.partial(jax.jit, static_argnums=(1, 3, 4))
def draw(key, process, first, n, shape):
    drawn = random.Normals(key, {"it": process}, {"it": shape})
    return jax.vmap(drawn.of_row)(drawn.rows(first, n))["it"]


def normals(process, first, n, shape, key=KEY):
    """The standard normals of one process, compiled, as a run draws them."""
    return draw(key, process, first, n, shape)


# Random123, kat_vectors: threefry2x32 <rounds> <counter> <key> <result>
KNOWN_ANSWERS = """
13  00000000 00000000  00000000 00000000  9d1c5ec6 8bd50731
13  ffffffff ffffffff  ffffffff ffffffff  fd36d048 2d17272c
13  243f6a88 85a308d3  13198a2e 03707344  ba3e4725 f27d669e
20  00000000 00000000  00000000 00000000  6b200159 99ba4efe
20  ffffffff ffffffff  ffffffff ffffffff  1cb996fc bb002be7
20  243f6a88 85a308d3  13198a2e 03707344  c4923a9c 483df7a0
32  243f6a88 85a308d3  13198a2e 03707344  e2827716 c3c05cdf
"""


@pytest.mark.parametrize("row", KNOWN_ANSWERS.strip().splitlines())
def test_threefry_known_answers(row):
    rounds, *words = row.split()
    words = np.array([int(w, 16) for w in words], np.uint32)
    x, y = threefry(words[2:4], jnp.uint32(words[0]), jnp.uint32(words[1]), int(rounds))
    assert [int(x), int(y)] == words[4:].tolist()


@pytest.mark.slow
def test_threefry_is_that_of_jax():
    words = np.random.default_rng(0).integers(0, 2**32, (4, 257), dtype=np.uint32)
    ours = jax.jit(threefry)(words[:2].T, words[2], words[3])
    theirs = jax.extend.random.threefry2x32_p.bind(*map(jnp.asarray, words))
    assert jnp.array_equal(ours[0], theirs[0]) and jnp.array_equal(ours[1], theirs[1])


@pytest.mark.parametrize("data", [0, 1, 77, 2**31, 2**32 - 1])
def test_fold_is_fold_in(data):
    theirs = jax.random.key_data(jax.random.fold_in(jax.random.wrap_key_data(KEY), np.uint32(data)))
    assert jnp.array_equal(fold(KEY, data), theirs)


def words_of(key, process, step, elements):
    """Words of thirteen rounds (see the known answers): the substream of a process, counter step and element."""
    key = jax.random.key_data(jax.random.fold_in(jax.random.wrap_key_data(key), np.uint32(process)))
    return [np.asarray(x) for x in threefry(key, jnp.uint32(step), jnp.asarray(elements, jnp.uint32), 13)]


def of_box_and_muller(uniform, turns, shape):
    """Of uniform numbers in double precision: the normals of one step."""
    z = np.sqrt(-2 * np.log(uniform)) * np.exp(2j * np.pi * turns)
    return np.concatenate([z.real, z.imag])[: np.prod(shape)].reshape(shape)


@pytest.mark.few(1)
@pytest.mark.parametrize("shape", [(7, 12), (7, 11), (40_000,)], ids=str)
def test_normals_are_those_of_box_and_muller_from_their_words(shape):
    x, y = words_of(KEY, 0xDEADBEEF, 5, np.arange(-(-np.prod(shape) // 2)))
    uniform, turns = ((x >> 8) + 1.0) * 2.0**-24, (y >> 30) / 4 + ((y << 2 & 0xFFFFFFFF) >> 9) * 2.0**-25 - 1 / 8
    ours = normals(0xDEADBEEF, 4, 3, shape)[1]
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, of_box_and_muller(uniform, turns, shape), rtol=2e-6, atol=1e-6)


@pytest.mark.slow
def test_normals_in_double_precision(x64):
    (a, b), (c, d) = (words_of(KEY, 3, 0, np.arange(39) + half) for half in (0, 2**31))
    uniform, turns = (
        (((high.astype(np.uint64) << np.uint64(32)) | low) >> np.uint64(11)) * 2.0**-53
        for high, low in ((a, b), (c, d))
    )
    ours = normals(3, 0, 2, (7, 11))[0]
    assert ours.dtype == np.float64
    np.testing.assert_allclose(ours, of_box_and_muller(uniform + 2.0**-53, turns, (7, 11)), rtol=1e-12, atol=1e-14)


@pytest.mark.slow
def test_draws_do_not_depend_on_the_block():
    whole = np.asarray(normals(3, 0, 20, (5,)))
    for first, n in (0, 7), (7, 1), (8, 12):
        assert np.array_equal(whole[first : first + n], normals(3, first, n, (5,)))


@pytest.mark.slow
def test_scalar_process_and_late_steps():
    assert normals(0, 0, 4, ()).shape == (4,)
    late = 2**31 - 4
    assert np.array_equal(normals(0, late + 1, 2, (3,)), normals(0, late, 3, (3,))[1:])


def test_normal_law():
    z = np.asarray(normals(1, 0, 400, (100,)), np.float64)
    assert scipy.stats.kstest(z.ravel(), "norm").pvalue > 0.01
    n = z.size
    # five standard errors of each moment
    for k, moment, spread in (1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96):
        assert abs((z**k).mean() - moment) < 5 * (spread / n) ** 0.5


def test_the_tails_are_those_of_the_normal_law():
    z = np.asarray(normals(1, 0, 2000, (2000,)))
    for limit in 3.0, 4.0, 4.5:
        expected = z.size * 2 * scipy.stats.norm.sf(limit)
        assert abs((abs(z) > limit).sum() - expected) < 5 * expected**0.5


@pytest.mark.slow
def test_the_two_of_a_pair_are_independent():
    a, b = np.split(np.asarray(normals(1, 0, 1000, (200,)), np.float64), 2, axis=1)
    for f, g in (np.abs, np.abs), (np.square, np.square), (np.sign, np.sign), (np.square, np.sign):
        assert abs(np.corrcoef(f(a).ravel(), g(b).ravel())[0, 1]) < 5 / a.size**0.5


def test_draws_are_independent_across_steps_elements_processes_and_keys():
    z = np.asarray(normals(1, 0, 400, (100,)))
    others = [
        z[1:],
        z[:, 1:],
        np.asarray(normals(2, 0, 400, (100,))),
        np.asarray(normals(1, 0, 400, (100,), fold(KEY, 1))),
    ]
    for other in others:
        pair = z[: len(other), : other.shape[1]]
        assert abs(np.mean(pair * other)) < 5 / pair.size**0.5
        assert not np.isin(other, pair[:1]).mean() > 0.01


def test_as_key_takes_ints_typed_and_raw_keys():
    for seed in 0, 7, 2**31 - 1, np.int64(5), np.uint8(200):
        assert np.array_equal(as_key(seed), jax.random.key_data(jax.random.key(int(seed))))
    typed = jax.random.key(11)
    assert np.array_equal(as_key(typed), jax.random.key_data(typed))
    assert np.array_equal(as_key(jax.random.PRNGKey(11)), jax.random.key_data(typed))
    assert not np.array_equal(as_key(1), as_key(1 + 2**32))  # no bit of a seed is lost


@pytest.mark.parametrize(
    "seed",
    [None, True, 1.0, "0", np.zeros(3, np.uint32), np.zeros(2), np.zeros((4, 2), np.uint32), {"words": 2}],
    ids=str,
)
def test_as_key_refuses_the_rest(seed):
    with pytest.raises(TypeError, match="Argument `seed` must be an int or a JAX.*Example: seed="):
        as_key(seed)


def test_as_key_refuses_other_generators_and_many_keys():
    for key in jax.random.key(0, impl="rbg"), jax.random.split(jax.random.key(0), 3):
        with pytest.raises(TypeError, match="Argument `seed`"):
            as_key(key)


# --- late steps ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("step", [0, 4096, 2**20 + 3, 2**31 - 5])
def test_the_normals_of_a_late_step_are_of_its_words(step):
    """Counter (step, pair) under the key that jax folds with the process."""
    x, y = words_of(KEY, 77, step, np.arange(5))
    uniform, turns = ((x >> 8) + 1.0) * 2.0**-24, (y >> 30) / 4 + ((y << 2 & 0xFFFFFFFF) >> 9) * 2.0**-25 - 1 / 8
    row = normals(77, step, 1, (9,))[0]
    np.testing.assert_allclose(row, of_box_and_muller(uniform, turns, (9,)), rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("first", [0, 2**24 - 50_000])
def test_no_row_repeats_in_a_hundred_thousand_steps(first):
    rows = np.asarray(normals(5, first, 100_000, (4,)))
    assert len(np.unique(rows, axis=0)) == 100_000
    assert abs(np.corrcoef(rows[:-4096, 0], rows[4096:, 0])[0, 1]) < 0.02
