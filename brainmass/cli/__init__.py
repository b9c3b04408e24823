"""The command line: `brainmass demo`, `models`, `info`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; returns the exit status: 0, 1 where a run failed, 2 where its input is wrong."""
    given = _parser().parse_args(arguments)
    try:
        code = _COMMANDS[given.command](given)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader, such as `head`, has seen enough: Python must not flush into it once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="brainmass", description="Differentiable whole-brain modelling.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="simulate and fit the resting brain on real data (about three minutes)")
    demo.add_argument("--seed", type=int, default=0, help="same seed, same numbers (default 0)")
    demo.add_argument("--out", type=Path, default=Path("."), help="folder for the result file and the figure")
    models = commands.add_parser("models", help="the catalogue of node models, or all about one of them")
    models.add_argument("name", nargs="?", help="e.g. JansenRitStep")
    commands.add_parser("info", help="versions, devices, settings and known problems, for a bug report")
    return parser


def _demo(given: argparse.Namespace) -> int:
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        print('brainmass demo draws a figure and needs matplotlib: pip install "brainmass[viz]"', file=sys.stderr)
        return 1
    from brainmass.demo import main as run

    run(given.seed, given.out)
    return 0


def _models(given: argparse.Namespace) -> int:
    from brainmass.cli.catalogue import catalogue, describe

    return catalogue() if given.name is None else describe(given.name)


def _info(given: argparse.Namespace) -> int:
    from brainmass.cli.info import main as info

    return info()


_COMMANDS = {"demo": _demo, "models": _models, "info": _info}
