"""What JAX was told holds after the import: by the environment, by `jax.config.update`, for a block, or nothing at all.

The truth is what a process says that imports JAX alone.
"""

import json
import os
import subprocess
import sys

import brainstate
import jax
import numpy as np
import pytest

from brainmass._common.precision import matching_precision
from brainmass._common.settings import asked_of_jax
from brainmass.cli import info

# What OpenMP is told by scikit-learn, where braintools finds it, and what docs/speed.md says of our own import.
ADDED = {"XLA_FLAGS", "KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK"}

SCRIPT = """
import json, os
import jax
{first}
settings, variables = dict(jax.config.values), dict(os.environ)
import brainmass, brainunit as u
from brainmass._common.extras import import_extra
for name in "matplotlib.pyplot", "xarray", "zarr", "nevergrad", "optimistix", "numpyro":
    try:
        import_extra("all", name)
    except ImportError:
        pass
after = dict(jax.config.values)
x = brainmass.Simulator(brainmass.LorenzStep(1), dt=0.01 * u.ms).run(0.1 * u.ms, monitors=["x"], seed=0)["x"]
print(json.dumps({{
    "changed": [n for n in settings if str(settings[n]) != str(after[n])],
    "variables": [n for n in {{*variables, *os.environ}} if variables.get(n) != os.environ.get(n)],
    "computed": str(x.dtype), "numbers": str(jax.numpy.ones(1).dtype),
    "matmul": after["jax_default_matmul_precision"], "nans": after["jax_debug_nans"],
}}))
"""


def told(first="", **variables):
    env = {name: value for name, value in os.environ.items() if not name.startswith("JAX_ENABLE")}
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT.format(first=first)]
    out = subprocess.run(command, env={**env, **variables}, capture_output=True, text=True, check=True)
    return json.loads(out.stdout.splitlines()[-1])


@pytest.mark.slow
def test_what_the_environment_asks_for():
    asked = {"JAX_ENABLE_X64": "1", "JAX_DEFAULT_MATMUL_PRECISION": "highest", "JAX_DEBUG_NANS": "true"}
    seen = told(**asked, KMP_DUPLICATE_LIB_OK="FALSE")
    assert seen["computed"] == seen["numbers"] == "float64"
    assert seen["matmul"] == "highest" and seen["nans"] is True
    assert seen["changed"] == []
    assert set(seen["variables"]) <= ADDED - {"KMP_DUPLICATE_LIB_OK"}


@pytest.mark.slow
def test_what_was_set_before_the_import():
    seen = told("jax.config.update('jax_enable_x64', True)", XLA_FLAGS="--xla_cpu_enable_fast_math=false")
    assert seen["computed"] == seen["numbers"] == "float64" and seen["changed"] == []


@pytest.mark.slow
def test_nothing_asked_for():
    seen = told()
    assert seen["computed"] == seen["numbers"] == "float32" and seen["changed"] == []
    assert set(seen["variables"]) <= ADDED


@pytest.mark.slow
def test_what_brainstate_did_away_with_before():
    seen = told("import brainstate", JAX_ENABLE_X64="1")
    assert seen["computed"] == seen["numbers"] == "float64"
    assert seen["changed"] in (["jax_enable_x64"], [])  # brainstate 0.5 did away with it, 0.6 does not


def test_settings_asked_for_by_variables(monkeypatch):
    """Against JAX itself, which has read the same variables in a process of its own."""
    variables = {
        "JAX_ENABLE_X64": "on",
        "JAX_DEBUG_NANS": "0",
        "JAX_TRACEBACK_IN_LOCATIONS_LIMIT": "7",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.5",
        "JAX_DEFAULT_MATMUL_PRECISION": "bfloat16",
    }
    names = [name.lower() for name in variables]
    code = f"import jax, json; print(json.dumps({{n: jax.config.values[n] for n in {names}}}))"
    out = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **variables}, capture_output=True, text=True, check=True
    )
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    assert {n: v for n, v in asked_of_jax().items() if n in names} == json.loads(out.stdout)


def test_info_compares_what_was_asked_with_what_holds(monkeypatch):
    monkeypatch.setenv("JAX_ENABLE_X64", "1")
    monkeypatch.setenv("JAX_DEFAULT_MATMUL_PRECISION", "highest")
    found = "\n".join(info.problems())
    assert "JAX_ENABLE_X64=1 is asked for, but what holds is jax_enable_x64 = False." in found
    assert "JAX_DEFAULT_MATMUL_PRECISION=highest is asked for" in found
    monkeypatch.delenv("JAX_ENABLE_X64")
    jax.config.update("jax_default_matmul_precision", "highest")
    try:
        assert "asked for" not in "\n".join(info.problems())
    finally:
        jax.config.update("jax_default_matmul_precision", None)


@pytest.mark.parametrize("enabled", [True, False])
def test_brainstate_follows_for_a_while_and_jax_is_not_touched(enabled):
    with jax.enable_x64(enabled):
        with matching_precision():
            drawn = np.asarray(brainstate.random.rand(20))
            assert jax.config.jax_enable_x64 is enabled
    assert drawn.dtype == (np.float64 if enabled else np.float32)
    assert jax.config.jax_enable_x64 is False and brainstate.environ.get_precision() == 32
