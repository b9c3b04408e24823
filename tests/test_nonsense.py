"""Whatever nonsense is given for one argument, a public call takes it or says in words what is wrong with it.

Clear is an error of ours: raised in the package, a ValueError, TypeError or one of units, that names the argument.
"""

import inspect
import traceback
import warnings
from pathlib import Path

import brainstate
import brainunit as u
import jax
import numpy as np
import pytest
from braintools.init import Constant
from calls_in_order import N, arguments_of, call_of, names, write_files

import brainmass

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
    texts = [x for x in (given if isinstance(given, list) else [given]) if isinstance(x, str)]
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
        kind = isinstance(error, ValueError | TypeError | u.UnitMismatchError | ImportError)
        # a file that is not there is the system's to tell, by its name
        told = isinstance(error, OSError) and error.filename == arguments.get(name)
        if not told and not (ours and kind and named(name, arguments.get(name), str(error))):
            return f"{type(error).__name__} ({Path(last.filename).name}:{last.lineno}): {str(error)[:160]}"
    return None


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_nonsense_is_refused_in_words(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a text is a path to some
    write_files()
    call, arguments = call_of(name), arguments_of(name)
    unclear = {}
    with brainstate.environ.context(dt=0.1 * u.ms), jax.default_device(jax.devices("cpu")[0]):
        assert outcome(call, "", arguments) is None, "the call itself must be in order"
        for argument, parameter in inspect.signature(call).parameters.items():
            if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                continue
            for kind, wrong in NONSENSE.items():
                said = outcome(call, argument, {**arguments, argument: wrong})
                if said:
                    unclear[argument, kind] = said
    assert not unclear, "\n".join(f"{a} = {k}: {said}" for (a, k), said in unclear.items())


def test_an_initialiser_is_no_nonsense():
    assert outcome(brainmass.HopfStep, "a", {"in_size": N, "a": Constant(0.1)}) is None
