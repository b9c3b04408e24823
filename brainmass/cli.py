"""The command line: `brainmass demo`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

__all__ = ["main"]


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
    from brainmass.demo import main as run

    run(seed, out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
