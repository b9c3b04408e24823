"""How XLA compiles loops on CPU: decided when this package is imported, before JAX starts its CPU backend.

By default XLA dispatches every operation of a loop body by itself, which for a network of some hundred regions takes
longer than the arithmetic. The option below has it compile a loop whole. It is read once, when a process first uses
JAX: set here, it also holds for other JAX programs of the process, of which those made of small sparse gathers can
become slower. It does not change what GPU or TPU programs are.
"""

from __future__ import annotations

import os

__all__ = ["WHOLE_LOOPS", "compile_loops_whole"]

WHOLE_LOOPS = "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=1000000000"


def compile_loops_whole() -> None:
    """Add the option to `XLA_FLAGS`.

    Left alone where `XLA_FLAGS` has extra options of its own, and where the environment says `BRAINMASS_WHOLE_LOOPS=0`.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if os.environ.get("BRAINMASS_WHOLE_LOOPS", "1") != "0" and "xla_backend_extra_options" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {WHOLE_LOOPS}".strip()
