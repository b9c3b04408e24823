"""Programs compiled for whole vector registers are those that they would be, where JAX takes options and where not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from brainmass._common import whole_vectors
from brainmass._common.whole_vectors import Alone


@pytest.fixture
def whole(monkeypatch):
    """As on a processor with registers of 512 bits; any takes the option."""
    monkeypatch.setattr(whole_vectors, "_has_whole", lambda: True)


@pytest.fixture
def asked_anew():
    whole_vectors._has_whole.cache_clear()
    yield
    whole_vectors._has_whole.cache_clear()


@pytest.fixture
def cube():
    return lambda x: x**3  # a new one: those that JAX knows share what it has compiled


def test_alone_it_has_the_option(cube, whole):
    f = Alone(cube)
    np.testing.assert_array_equal(f(jnp.arange(3.0)), [0, 1, 8])
    assert f._wide._cache_size() == f._cache_size() == 1
    assert f.lower(jnp.arange(3.0)).compile()(jnp.arange(3.0))[2] == 8


WITHIN = {
    "jit": lambda f: jax.jit(f)(2.0),
    "jit without arguments": lambda f: jax.jit(lambda: f(2.0))(),
    "grad": lambda f: jax.grad(f)(2.0) * 2 / 3,
    "grad of jit": lambda f: jax.grad(jax.jit(f))(2.0) * 2 / 3,
    "vmap": lambda f: jax.vmap(f)(jnp.full(1, 2.0))[0],
    "scan": lambda f: jax.lax.scan(lambda x, _: (f(x), None), 2.0, length=1)[0],
}


@pytest.mark.parametrize("how", WITHIN)
def test_within_another_program_it_goes_without(how, cube, whole):
    f = Alone(cube)
    assert WITHIN[how](f) == 8
    assert f._wide._cache_size() == 0
    assert f(2.0) == 8 and f._wide._cache_size() == 1  # and alone with it


@pytest.mark.parametrize(("most", "wide"), [(4, 1), (3, 0)])
def test_programs_with_many_equations_go_without_and_are_traced_once(most, wide, whole, monkeypatch):
    monkeypatch.setattr(whole_vectors, "_MOST_EQUATIONS", most)
    traced = []

    def doubled_and_doubled(x):  # a scan, and what is in it, a product and one more
        traced.append(x)
        return jax.lax.scan(lambda y, _: (2 * y, None), jnp.sin(x), length=2)[0] + 1

    f = Alone(doubled_and_doubled)
    assert f(0.0) == f(0.0) == 1
    assert (f._wide._cache_size(), f._cache_size(), len(traced)) == (wide, 1, 1)


def test_options_that_are_not_known_and_those_of_the_user_are_left(cube, asked_anew, monkeypatch):
    monkeypatch.setattr(whole_vectors.Path, "read_text", lambda path: "flags: avx512f")
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    assert whole_vectors._has_whole()
    whole_vectors._has_whole.cache_clear()
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_prefer_vector_width=256")
    assert not whole_vectors._has_whole()
    monkeypatch.delenv("XLA_FLAGS")
    whole_vectors._has_whole.cache_clear()
    monkeypatch.setattr(whole_vectors, "_WHOLE", {"xla_cpu_no_such_option": 1})
    assert not whole_vectors._has_whole()
    assert Alone(cube)(2.0) == 8
