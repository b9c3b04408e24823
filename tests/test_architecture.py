"""Who may know whom, and where time is looped over."""

import ast
import functools
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import brainmass

PACKAGE = Path(brainmass.__file__).parent
# The rooms from the ground up: each may know those before it, and no other. Rooms in one line do not know one another.
ROOMS = """
_common
signals
connectome dynamics objectives
delays descriptions forward stimuli
models network
datasets simulation
analysis fitting sweeps
controlling inference responses training
declare testing viz
demo experiments
cli
__main__
"""
# The other package's names hang onto the whole; what it needs is looked up late.
ASIDE = {"published"}
LEVEL = {room: level for level, rooms in enumerate(ROOMS.split("\n")) for room in rooms.split()}
TOP = max(LEVEL.values()) + 1
# For what must go through time by itself: layers over a sequence, a model whose step is a repetition time.
OWN_LOOPS = {"dynamics/rows.py"}
OVER_DRAWS = {"inference/flow.py", "inference/nuts.py", "inference/starts.py", "inference/variational.py"}
# The steps of a numerical method.
ITERATIONS = {"analysis/stationary_covariance.py", "analysis/roots.py"}
# Runs of the one time loop, one from where the other ended: between them deviations are rescaled.
OVER_SEGMENTS = {"analysis/tangents.py"}
OVER_REGIONS = {"delays/blocks.py", "delays/lines.py", "network/products.py"}
LONGEST_MODEL = 100  # lines of a file: what can be read like the methods section of a paper
NODES = [getattr(brainmass, info.name) for info in brainmass.list_models()]
NODES = [model for model in NODES if issubclass(model, brainmass.NeuralMassDynamics)]
# The coupling of phases with one another, and the past of a node: no equations of a model.
MECHANISMS = {"models/phase_coupling.py", "models/own_past.py"}
LOOPS = {"scan", "for_loop", "while_loop", "fori_loop", "checkpointed_for_loop", "checkpointed_scan"}


def module_of(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@functools.cache
def parsed(path):
    return ast.parse(path.read_text())


def statements(block):
    """Of a block and of all within it; what an import cannot stand in is passed over, which is most of a tree."""
    for node in block:
        yield node
        for inner in "body", "orelse", "handlers", "finalbody", "cases":
            yield from statements(getattr(node, inner, ()))


def imported(path, for_types=True):
    """Modules of the package that a file imports, at its head or within functions, and those for types alone."""
    skipped = set()
    for node in statements(parsed(path).body):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not for_types:
            skipped |= set(node.body)
        if node in skipped:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                yield inner if inner in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


@functools.cache
def known():
    """By module, those of the package that it imports."""
    return {module: {other for other in imported(path) if other in MODULES} for module, path in MODULES.items()}


def room_of(module):
    return module.split(".")[1] if "." in module else ""


def imported_names(path):
    for node in statements(parsed(path).body):
        if isinstance(node, ast.ImportFrom):
            yield f"{node.module}."
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (name.name for name in node.names)


def test_every_room_has_its_place():
    assert {room_of(module) for module in MODULES} - {""} - ASIDE == set(LEVEL)


@pytest.mark.parametrize("room", LEVEL)
def test_a_room_knows_only_those_below_it(room):
    upwards = {
        (module, other)
        for module, others in known().items()
        for other in others
        if room_of(module) == room
        and room_of(other) != room
        # the command line and the experiment file are users: they take names where users do
        and not (other == "brainmass" and LEVEL[room] >= LEVEL["testing"])
        and LEVEL.get(room_of(other), TOP) >= LEVEL[room]
    }
    assert not upwards


def test_no_module_is_in_a_circle():
    """Modules that import none of those left are taken away; what is for types alone is no import."""
    left = {name: set(imported(path, for_types=False)) for name, path in MODULES.items() if name != "brainmass"}
    while ends := [module for module, others in left.items() if not others & left.keys()]:
        for module in ends:
            del left[module]
    within = {module: sorted(others & left.keys()) for module, others in left.items()}
    assert not within


def test_nothing_but_the_package_itself_knows_the_names_of_the_published_one():
    knowing = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0] != "published" and "published" in "".join(imported_names(path))
    }
    assert knowing == {"__init__.py"}


def test_there_is_one_time_loop():
    looping = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in LOOPS:
                looping.add(path.relative_to(PACKAGE).as_posix())
    # a kernel of a GPU goes through steps as the loop tells it to
    others = OWN_LOOPS | OVER_DRAWS | OVER_REGIONS | OVER_SEGMENTS | ITERATIONS
    assert looping == {"simulation/loop.py", "simulation/kernel.py"} | others


@pytest.mark.parametrize("model", NODES, ids=lambda model: model.__name__)
def test_a_model_and_what_it_is_made_of_stand_in_short_files(model):
    files = {Path(inspect.getfile(base)) for base in model.__mro__ if base.__module__.startswith("brainmass.models")}
    lengths = {path.relative_to(PACKAGE).as_posix(): len(path.read_text().splitlines()) for path in files}
    assert lengths
    assert not {path: n for path, n in lengths.items() if n > LONGEST_MODEL and path not in MECHANISMS}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "xla_cpu_small_while_loop_byte_threshold"),
        pytest.param(
            {"XLA_FLAGS": "--xla_cpu_enable_fast_math=false"},
            "fast_math=false --xla_backend_extra_options",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"XLA_FLAGS": "--xla_backend_extra_options=a=1"},
            "--xla_backend_extra_options=a=1",
            marks=pytest.mark.slow,
        ),
        pytest.param({"BRAINMASS_WHOLE_LOOPS": "0"}, "none", marks=pytest.mark.slow),
    ],
)
def test_import_sets_its_option_before_jax_starts_and_starts_nothing(given, expected):
    code = (
        "import os, sys, brainmass; from jax._src import xla_bridge; "
        "early = {'nevergrad', 'sklearn', 'scipy.stats'} & set(sys.modules); "
        "print(xla_bridge.backends_are_initialized() or bool(early), os.environ.get('XLA_FLAGS', 'none')); "
        "import braintools, scipy; print(braintools.optim._nevergrad_optimizer.ng.__file__, scipy.stats.norm.cdf(0.0))"
    )
    env = {k: v for k, v in os.environ.items() if k not in ("XLA_FLAGS", "BRAINMASS_WHOLE_LOOPS")} | given
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env).stdout
    state, waiting = out.splitlines()
    started, flags = state.split(maxsplit=1)
    assert started == "False"
    assert waiting.endswith("nevergrad/__init__.py 0.5")  # what was not imported is there when it is asked for
    assert expected in flags
    assert flags.count("xla_backend_extra_options") <= 1
