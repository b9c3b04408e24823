"""Default values of version 0.1.1 of the published package, against ours and what docs/differences.md says of them."""

import functools
import inspect
import json
import re
from pathlib import Path

import brainunit as u
import numpy as np

import brainmass as bm

HERE = Path(__file__).parent
THERE = json.loads((HERE / "data" / "published_0_1_1.json").read_text())["defaults"]
ROW = re.compile(r"\| `([\w.]+)` \| `(\w+)` \| `([^`]+)` \| `([^`]+)` \| (.+) \|")


def documented():
    """(class, argument) -> value here, value there, reason."""
    text = (HERE.parent / "docs" / "differences.md").read_text().partition("## Defaults")[2].partition("## Calls")[0]
    rows = [ROW.fullmatch(line) for line in text.splitlines()]
    return {(r[1], r[2]): (r[3], r[4], r[5]) for r in rows if r}


def numbers_and_words(text):
    """What is to be compared in two writings of a value."""
    numbers = [float(x) for x in re.findall(r"(?<![\w.])-?\d+\.?\d*(?:e-?\d+)?", text)]
    words = set(re.findall(r"[A-Za-z]{2,}", re.sub(r"\d\.?e-?\d", "", text))) - {
        "Quantity",
        "Unit",
        "low",
        "high",
        "value",
    }
    return numbers, words


UNITS = {"s": u.second, "mV / s": u.mV / u.second, "Hz / nA": u.Hz / u.nA}


def differs(ours, theirs):
    if (match := re.fullmatch(r'Quantity\((.+), "(.+)"\)', theirs)) and isinstance(ours, u.Quantity):
        unit = UNITS.get(match[2]) or getattr(u, match[2], ours.unit)
        return not np.isclose(ours.to_decimal(unit), float(match[1]), rtol=1e-6, atol=0)
    (a, b), (c, d) = numbers_and_words(str(ours)), numbers_and_words(theirs)
    return len(a) != len(c) or not np.allclose(a, c, rtol=1e-6, atol=0) or (b != d and not a)


def of_ours(owner):
    thing = functools.reduce(lambda at, name: getattr(at, name, None), owner.split("."), bm)
    return {} if thing is None else inspect.signature(thing).parameters


def test_every_default_that_differs_is_documented_with_its_reason():
    found = {}
    for owner, defaults in THERE.items():
        ours = of_ours(owner)
        assert ours, owner
        for name, theirs in defaults.items():
            assert name in ours, f"{owner} lacks {name}"
            if theirs[:1] not in "<KI" and differs(ours[name].default, theirs):  # an object without a value to compare
                found[owner.removeprefix("jansen_rit.JansenRitStep") or "JansenRitStep", name] = str(ours[name].default)
    told = documented()
    assert {key: told[key][0] for key in told} == found
    for (owner, name), (_, there, reason) in told.items():
        assert len(reason) > 20
        theirs = THERE.get(owner, THERE.get(f"jansen_rit.{owner}"))[name]
        assert not differs(there, theirs.strip("'")), (owner, name)
