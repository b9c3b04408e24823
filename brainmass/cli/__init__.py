"""The command line: `brainmass demo`, `models`, `keys`, `info`, `run`, `sweep`, `fit`, `posterior`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; returns the exit status: 0, 1 where a run failed, 2 where its input is wrong."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.command is None:
        parser.print_help(sys.stderr)
        return 2
    try:
        code = _COMMANDS[given.command](given)
        # Here, so that a reader who has gone is noticed within the `try`, and not when Python ends.
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        # As a shell has it: 128, and 2 for SIGINT.
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has seen enough: Python must not flush into it once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="brainmass", description="Differentiable whole-brain modelling.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    demo = commands.add_parser("demo", help="simulate and fit the resting brain on real data (about three minutes)")
    demo.add_argument("--seed", type=int, default=0, help="same seed, same numbers (default 0)")
    demo.add_argument("--out", type=Path, default=Path("."), help="folder for the result file and the figure")
    models = commands.add_parser("models", help="the catalogue of node models, or all about one of them")
    models.add_argument("name", nargs="?", help="e.g. JansenRitStep")
    keys = commands.add_parser("keys", help="what may stand in an experiment file, for run, sweep, fit and posterior")
    one = keys.add_mutually_exclusive_group()
    one.add_argument("table", nargs="?", help="one of its tables, e.g. simulation")
    one.add_argument("--json-schema", action="store_true", help="the whole as a JSON schema, for editors")
    commands.add_parser("info", help="versions, devices, settings and known problems, for a bug report")
    for name, text in _ON_FILES.items():
        _add_options(commands.add_parser(name, help=text, description=f"{text.capitalize()}.", epilog=_EPILOG))
    return parser


def _add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", type=Path, metavar="FILE", help="experiment file, in TOML")
    command.add_argument(
        "-o", "--output", type=Path, help="the file to write; by default named after FILE, in this folder"
    )
    command.add_argument("--force", action="store_true", help="write over a result that is there")
    command.add_argument("--check", action="store_true", help="check the file, and run nothing")
    command.add_argument("-q", "--quiet", action="store_true", help="tell nothing but where the result is, and errors")
    command.add_argument("--traceback", action="store_true", help="where an error was raised, for a bug report")


_EPILOG = "`brainmass keys` says what may stand in FILE."
_ON_FILES = {
    "run": "simulate what FILE describes",
    "sweep": "go through values of parameters; a sweep that was cut off goes on",
    "fit": "fit parameters to data; a fit that was cut off goes on",
    "posterior": "what data say of parameters: draws from their posterior; goes on where it was cut off",
}


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


def _keys(given: argparse.Namespace) -> int:
    from brainmass.cli.catalogue import keys, keys_for_editors

    return keys_for_editors() if given.json_schema else keys(given.table)


def _info(given: argparse.Namespace) -> int:
    from brainmass.cli.info import main as info

    return info()


def _on_file(given: argparse.Namespace) -> int:
    # Imported by the commands that need it: an experiment file brings `brainmass.inference` along.
    from brainmass.cli.fitting import fit, posterior
    from brainmass.cli.running import run
    from brainmass.cli.sweeping import sweep
    from brainmass.experiments.document import ExperimentError

    try:
        return {"run": run, "sweep": sweep, "fit": fit, "posterior": posterior}[given.command](given)
    except ExperimentError as error:
        if given.traceback:
            raise
        print(error, file=sys.stderr)
        return error.status  # 2, or 1 where the file is right and its run failed


_COMMANDS = {"demo": _demo, "models": _models, "keys": _keys, "info": _info, **dict.fromkeys(_ON_FILES, _on_file)}
