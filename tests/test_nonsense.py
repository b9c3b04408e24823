"""Whatever nonsense is given for one argument, a public call takes it or says in words what is wrong with it.

Clear is an error of ours: raised in the package, a ValueError, TypeError or one of units, that names the argument.
"""

import inspect
import traceback
import warnings
from pathlib import Path

import brainstate
import brainunit as u
import numpy as np
import pytest
from braintools.init import Constant
from calls_in_order import PUBLIC, N, arguments_of, call_of, names, write_files

import brainmass
from brainmass.dynamics.module import Closed

PACKAGE = str(Path(brainmass.__file__).parent)
NONSENSE = {
    "None": None,
    "text": "nonsense",
    "empty text": "",
    "negative": -1,
    "negative real": -1.5,
    "NaN": float("nan"),
    "infinity": float("inf"),
    "huge": 10**30,
    "complex": 1 + 2j,
    "bool": True,
    "texts": ["a", "b"],
    "empty list": [],
    "mapping": {"a": 1},
    "object": object(),
    "class": int,
    "function": lambda *args: None,
    "wrong shape": np.ones((5, 7)),
    "empty array": np.ones((0,)),
    "ragged": np.array([1, "a", None], object),
    "strange unit": 1.0 * u.katal,
    "array of NaN": np.full(N, np.nan),
    "bytes": b"\x00\xff",
}


def named(argument, given, text):
    """Whether an error names the argument, or one of its items: "Input `x_inp`" of `inputs`, a name that is unknown."""
    texts = [x for x in (given if isinstance(given, list | dict) else [given]) if isinstance(x, str)]
    ways = f"`{argument}`", f"{argument}=", f"{argument.removesuffix('s')} `", *map(repr, texts)
    return any(way in text or way.capitalize() in text for way in ways)


def outcome(call, name, arguments):
    """None where the call is in order or refused clearly, else what was said instead."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = call(**arguments)
            if hasattr(made, "init_state") and isinstance(made, brainmass.NeuralMassDynamics):
                made.init_state()
    except Exception as error:  # noqa: BLE001
        last = traceback.extract_tb(error.__traceback__)[-1]
        ours = last.filename.startswith(PACKAGE) and str(last.line).startswith("raise ")
        ours = ours or isinstance(error, ImportError)
        kind = isinstance(error, ValueError | TypeError | u.UnitMismatchError | OSError | ImportError)
        # a file that is not there is the system's to tell, by its name
        told = isinstance(error, OSError) and error.filename == arguments.get(name)
        if not told and not (ours and kind and named(name, arguments.get(name), str(error))):
            return f"{type(error).__name__} ({Path(last.filename).name}:{last.lineno}): {str(error)[:160]}"
    return None


MODULES = [name for name, thing in PUBLIC.items() if isinstance(thing, type) and issubclass(thing, Closed)]


def spoilt(call, kinds):
    """Each argument with each kind of nonsense."""
    for argument, parameter in inspect.signature(call).parameters.items():
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            yield from ((argument, kind, NONSENSE[kind]) for kind in kinds)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """With the files that some calls read; a text is a path to some."""
    monkeypatch.chdir(tmp_path)
    write_files()
    with brainstate.environ.context(dt=0.1 * u.ms):
        yield


def check_calls(name, kinds):
    call, arguments = call_of(name), arguments_of(name)
    assert outcome(call, "", arguments) is None, "the call itself must be in order"
    said = {(a, kind): outcome(call, a, {**arguments, a: wrong}) for a, kind, wrong in spoilt(call, kinds)}
    unclear = [f"{argument} = {kind}: {text}" for (argument, kind), text in said.items() if text]
    assert not unclear, "\n".join(unclear)


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_nonsense_is_refused_in_words(name, folder):
    check_calls(name, NONSENSE)


@pytest.mark.parametrize(
    "name", ["HopfStep", "Pulse", "Network", "Connectome", "Edges", "EdgeWeights", "additive_coupling", "HRFBold",
             "EEGLeadFieldModel", "Fitter", "Normal", "Connectome.from_csv", "Edges.split_table", "objectives.fc_corr"]
)  # fmt: skip
def test_some_nonsense_is_refused_in_words(name, folder):
    check_calls(name, ("text", "huge", "wrong shape", "strange unit", "object"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [n for n, thing in PUBLIC.items() if isinstance(thing, type) and issubclass(thing, Closed)]
)
def test_what_a_constructor_refuses_assigning_refuses(name, folder):
    call, arguments = call_of(name), arguments_of(name)
    unclear = []
    for argument, kind, wrong in spoilt(call, NONSENSE):
        made = call(**arguments)
        before = dict(vars(made))
        said = outcome(lambda **given: setattr(made, *given.popitem()), argument, {argument: wrong})  # noqa: B023
        changed = vars(made).keys() != before.keys() or any(vars(made)[key] is not x for key, x in before.items())
        if said and not (said.startswith("AttributeError") and f"`{argument}` of " in said):
            unclear.append(f"{argument} = {kind}: {said}")
        elif changed and refuses(call, {**arguments, argument: wrong}):
            unclear.append(f"{argument} = {kind} is refused by the constructor, but can be set")
    assert not unclear, "\n".join(unclear)


def refuses(call, arguments):
    try:
        call(**arguments)
    except Exception:  # noqa: BLE001
        return True
    return False


def test_a_table_of_mostly_nothing_is_refused_before_memory_is_asked_for():
    edges = brainmass.Edges(3, [0, 1], [1, 2], [1.0, 1.0])
    with pytest.raises(ValueError, match="`width` of Edges .*mostly padding, but is 2147483647"):
        edges.split_table(2**31 - 1)


def test_an_initialiser_is_no_nonsense():
    assert outcome(brainmass.HopfStep, "a", {"in_size": N, "a": Constant(0.1)}) is None
