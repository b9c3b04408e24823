"""`brainmass info`: what one needs to know of a machine to understand a bug report."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import brainstate
import jax

import brainmass
from brainmass._common.machine import usable_cores
from brainmass._common.memory import host_memory
from brainmass._common.settings import asked_of_jax
from brainmass._common.xla import WHOLE_LOOPS
from brainmass.experiments.machine import declared, devices, installed, versions

__all__ = ["main", "problems"]

_FLAGS = (
    "jax_enable_x64",
    "jax_platforms",
    "jax_debug_nans",
    "jax_disable_jit",
    "jax_default_matmul_precision",
    "jax_threefry_partitionable",
    "jax_compilation_cache_dir",
)
_VARIABLES = (
    "XLA_FLAGS",
    "XLA_PYTHON_CLIENT_MEM_FRACTION",
    "XLA_PYTHON_CLIENT_PREALLOCATE",
    "BRAINMASS_WHOLE_LOOPS",
    "BRAINMASS_KERNELS",
)
_NOT_SHOWN = ("", "dev", "docs", "cuda12", "cuda13", "tpu")  # the last are seen in the devices


def main() -> int:
    """Print it all."""
    for title, rows in _sections():
        print(f"{title}:")
        width = max((len(name) for name, _ in rows), default=0)
        for name, text in rows:
            print(f"  {name.ljust(width)}  {text}".rstrip())
    found = problems()
    print("known problems:" if found else "known problems: none")
    for problem in found:
        print(f"  - {problem}")
    return 0


def _sections() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    yield "versions", [*versions().items(), ("installed in", str(Path(brainmass.__file__).parent))]
    yield "extras", [(extra, _state_of(extra)) for extra in _extras()]
    yield (
        "machine",
        [
            ("system", platform.platform()),
            ("cores", f"{usable_cores()} of {os.cpu_count()}"),
            ("memory free", f"{host_memory() / 2**30:.1f} GiB"),
            ("devices", _devices()),
            ("processes", str(jax.process_count())),
        ],
    )
    # Settings of JAX come and go with its versions.
    settings = [(flag, str(_flag(flag))) for flag in _FLAGS if hasattr(jax.config, flag)]
    yield "settings", settings + [(name, os.environ.get(name, "not set")) for name in _VARIABLES]


def _flag(name: str) -> Any:
    return getattr(jax.config, name)


def _devices() -> str:
    try:
        return devices()
    except RuntimeError as error:
        # A platform that is asked for and not there must not keep the rest of the report back.
        return f"none ({str(error).splitlines()[0]})"


def _extras() -> list[str]:
    return [extra for extra in dict.fromkeys(needed.extra for needed in declared()) if extra not in _NOT_SHOWN]


def _state_of(extra: str) -> str:
    """Which packages of an extra are there, and which are not."""
    needed = [x for x in declared() if x.extra == extra]
    there = [f"{x.package} {installed(x.package)}" for x in needed if installed(x.package)]
    missing = [x.package for x in needed if not installed(x.package)]
    return "; ".join([", ".join(there)] * bool(there) + [f"missing: {', '.join(missing)}"] * bool(missing))


def problems() -> list[str]:
    """What is known to go wrong, or to be slow, with what was found."""
    return [*_of_versions(), *_of_settings(), *_of_hardware()]


def _of_versions() -> Iterator[str]:
    for needed in declared():
        version = installed(needed.package)
        # An extra that is not there is no problem; one that is too old is.
        if needed.is_met or (needed.extra and (version is None or needed.extra in _NOT_SHOWN)):
            continue
        yield f"{needed.package} must be {needed.least} or newer, but is {version or 'not installed'}."
    # The last number may differ.
    if (installed("jax") or "").split(".")[:2] != (installed("jaxlib") or "").split(".")[:2]:
        yield f"jax {installed('jax')} and jaxlib {installed('jaxlib')} must be of one version."
    other = installed("brainmass")
    if other is not None and other != brainmass.__version__:
        yield (
            f"The brainmass that is installed is {other}, the one that is imported {brainmass.__version__}. "
            "The package of this name on PyPI is another one, by other authors."
        )


def _of_settings() -> Iterator[str]:
    flags = os.environ.get("XLA_FLAGS", "")
    if WHOLE_LOOPS.partition("=")[2] not in flags and jax.default_backend() == "cpu":
        why = "BRAINMASS_WHOLE_LOOPS=0" if os.environ.get("BRAINMASS_WHOLE_LOOPS") == "0" else "XLA_FLAGS has others"
        yield f"Loops are not compiled whole, since {why}: networks run slower on CPU (docs/speed.md)."
    for name, asked in asked_of_jax().items():
        if (holds := jax.config.values[name]) != asked:
            yield f"{name.upper()}={os.environ[name.upper()]} is asked for, but what holds is {name} = {holds}."
    if _flag("jax_disable_jit"):
        yield "jax_disable_jit is on: nothing is compiled."
    if _flag("jax_debug_nans"):
        yield "jax_debug_nans is on: runs are slower, and end with JAX's error in the place of ours."
    if _flag("jax_enable_x64") != (brainstate.environ.get_precision() == 64):
        yield (
            f"JAX computes in {64 if jax.config.read('jax_enable_x64') else 32} bits, brainstate is set to "
            f"{brainstate.environ.get_precision()}: brainmass follows JAX, other brainstate modules do not."
        )


def _of_hardware() -> Iterator[str]:
    if shutil.which("nvidia-smi") and jax.default_backend() == "cpu":
        yield 'There is an NVIDIA driver, but JAX computes on the CPU: pip install "brainmass[cuda12]" or "[cuda13]".'
