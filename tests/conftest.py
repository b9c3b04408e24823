"""What every test starts from: an empty environment, a fixed seed, single precision."""

import brainstate
import jax
import pytest

pytest.register_assert_rewrite("brainmass.testing")


@pytest.fixture(autouse=True)
def isolated():
    """Seed `brainstate.random`; afterwards put back `brainstate.environ` (dt, t, ...) and JAX's precision."""
    before = dict(brainstate.environ.all())
    enabled = jax.config.jax_enable_x64
    brainstate.random.seed(20150401)
    yield
    jax.config.update("jax_enable_x64", enabled)
    for name in brainstate.environ.all().keys() - before.keys():
        brainstate.environ.pop(name)
    changed = {name: value for name, value in before.items() if brainstate.environ.all()[name] is not value}
    if changed:
        brainstate.environ.set(**changed)


@pytest.fixture
def x64(isolated):
    """Double precision for one test."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)
