"""What every test starts from: an empty environment, a fixed seed, single precision."""

import os
from collections import Counter
from pathlib import Path

# Compiled programs are kept for the other workers, for the processes that tests start, and for the next time; they
# carry no trace of the lines of code that they are from, which takes a tenth of the time. Before JAX is imported.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "xla"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")

import brainstate  # noqa: E402
import jax  # noqa: E402
import pytest  # noqa: E402

pytest.register_assert_rewrite("brainmass.testing")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """`@pytest.mark.few(n)`: of its cases the first `n` always run, the others as slow ones do."""
    seen = Counter()
    for item in items:
        few = item.get_closest_marker("few")
        if few is not None:
            test = item.nodeid.partition("[")[0]
            seen[test] += 1
            if seen[test] > few.args[0]:
                item.add_marker("slow")


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
