"""Every model of the catalogue at steps 10^7 and beyond 2^24: to the bit what it is at the start, delays included."""

import brainunit as u
import jax.numpy as jnp
import numpy as np
import pytest
from long_models import one_of_a_kind

import brainmass as bm

NAMES = [info.name for info in bm.list_models()]


def made(name):
    cls = getattr(bm, name)
    delays = {"delay": 0.7 * u.ms} if name == "KuramotoNetwork" else {}
    return cls(2, **delays)


def samples(simulator, start):
    return {
        name: np.asarray(u.get_mantissa(x))
        for name, x in simulator.run(15 * simulator.dt, seed=1, state=start).recorded.items()
    }


@pytest.mark.parametrize("name", one_of_a_kind(NAMES))
def test_a_model_late_in_a_run(name):
    try:
        simulator = bm.Simulator(made(name), dt=0.01 * u.ms)
        start = simulator.run(3 * simulator.dt, seed=1).final
    except TypeError:
        pytest.skip("no node of its own")
    early = samples(simulator, {**start, "step": jnp.int32(0)})
    for late in (10**7, 2**24 + 1, 2**31 - 16):
        found = samples(simulator, {**start, "step": jnp.int32(late)})
        for state, values in early.items():
            np.testing.assert_array_equal(found[state], values, err_msg=f"{state} at {late}")
