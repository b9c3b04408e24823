"""How XLA compiles for a CPU: decided when this package is imported, before JAX starts its CPU backend.

By default XLA dispatches every operation of a loop body by itself, which for a network of some hundred regions takes
longer than the arithmetic: the first option below has it compile a loop whole. And it works with half a vector register
where the processor has AVX-512: the second has it use all, which halves the time of random numbers. They are read once,
when a process first uses JAX: set here, they also hold for other JAX programs of the process, of which those made of
small sparse gathers can become slower. They do not change what GPU or TPU programs are.
"""

from __future__ import annotations

import os

from jaxlib.version import __version__ as jaxlib_version

__all__ = ["WHOLE_LOOPS", "WIDE_VECTORS", "choose_cpu_options"]

WHOLE_LOOPS = "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=1000000000"

WIDE_VECTORS = "--xla_cpu_prefer_vector_width=512"

# XLA ends the process where it does not know a name in `XLA_FLAGS`. These have the second; the first takes any name.
_HAVE_WIDE_VECTORS = (0, 10), (0, 13)


def choose_cpu_options() -> None:
    """Add the options to `XLA_FLAGS`.

    Each is left alone where `XLA_FLAGS` has its own, and loops where the environment says `BRAINMASS_WHOLE_LOOPS=0`.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if os.environ.get("BRAINMASS_WHOLE_LOOPS", "1") != "0" and "xla_backend_extra_options" not in flags:
        flags = f"{flags} {WHOLE_LOOPS}"
    first, end = _HAVE_WIDE_VECTORS
    if "xla_cpu_prefer_vector_width" not in flags and first <= _release(jaxlib_version) < end:
        flags = f"{flags} {WIDE_VECTORS}"
    if flags:
        os.environ["XLA_FLAGS"] = flags.strip()


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])
