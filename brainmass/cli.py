"""The command line: `brainmass demo`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

__all__ = ["main"]

# XLA then compiles small loops whole instead of dispatching each operation: two to four times faster on CPU. It is
# read once, when a process first uses JAX, so that a command, which owns its process, may set it and a library not.
_WHOLE_LOOPS = "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=1000000000"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="brainmass", description="Differentiable whole-brain modelling.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="simulate and fit the resting brain on real data (about three minutes)")
    demo.add_argument("--seed", type=int, default=0, help="same seed, same numbers (default 0)")
    demo.add_argument("--out", type=Path, default=Path("."), help="folder for the result file and the figure")
    given = parser.parse_args(arguments)
    return _demo(given.seed, given.out)


def _demo(seed: int, out: Path) -> int:
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        print('brainmass demo draws a figure and needs matplotlib: pip install "brainmass[viz]"', file=sys.stderr)
        return 1
    if "xla_backend_extra_options" not in os.environ.get("XLA_FLAGS", ""):
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_WHOLE_LOOPS}".strip()
    from brainmass.demo import main as run

    run(seed, out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
