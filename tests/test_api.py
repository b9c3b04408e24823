"""The signatures that users of the published package, version 0.1.1, know: names, order and defaults."""

import functools
import inspect
import re
from pathlib import Path

import brainunit as u
import numpy as np
import pytest

import brainmass

LIST = Path(__file__).parent / "data" / "api_0_1_1.txt"

# Argument -> why its default is another one here; docs/differences.md says it to users.
OTHER_DEFAULTS = {
    ("HopfStep", "init_x"): "the default there is the unstable fixed point",
    ("HopfStep", "init_y"): "the same",
    ("Network", "delay_init"): "the initial state, held; never random numbers",
    ("WongWangStep", "theta"): "the paper's threshold current b/a = 0.4 nA",
    ("WongWangStep", "J_A_ext"): "the paper's value for the model without recurrent AMPA",
    ("WilsonCowanDelayedStep", "delay_IE"): "from I to E: delays follow the source, as the weights' names do",
    ("WilsonCowanDelayedStep", "delay_EI"): "from E to I",
    ("WilsonCowanThreePopulationStep", "wME"): "from M to E",
    ("WilsonCowanThreePopulationStep", "wMI"): "from M to I",
    ("WilsonCowanThreePopulationStep", "wEM"): "from E to M",
    ("WilsonCowanThreePopulationStep", "wIM"): "from I to M",
}
# Of every model: by `exp_euler` presets are in other regimes at 0.1 ms.
METHODS = {"'exp_euler'": ("heun", "rk4", "exp_euler", "symplectic_euler")}


def entries():
    """(class or function below brainmass, 'callable', arguments), methods included."""
    owner, folder, indent = None, "", ""
    for line in LIST.read_text().splitlines():
        if match := re.match(r"module brainmass\.(\w+)", line):
            folder, indent = f"{match[1]}.", "  "
        elif match := re.match(rf"{indent}(class|def) (\w+)(\(.*\))?$", line):
            owner = folder + match[2]
            if match[1] == "def":
                yield owner, None, match[3]
        elif match := re.match(rf"{indent}  \.?(\w+)(\(.*\))$", line):
            yield owner, match[1], match[2]


def found(owner):
    """What stands under a dotted name below brainmass, or None."""
    return functools.reduce(lambda at, name: getattr(at, name, None), owner.split("."), brainmass)


def arguments(text):
    """[(name, default as written or None)] of an argument list; brackets within defaults are kept whole."""
    parts, depth, start = [], 0, 1
    for i, sign in enumerate(text):
        depth += (sign in "([{<") - (sign in ")]}>")
        if (sign == "," and depth == 1) or i == len(text) - 1:
            parts.append(text[start:i].strip())
            start = i + 1
    pairs = [part.partition("=")[::2] for part in parts if part]
    return [(name, default or None) for name, default in pairs if not name.startswith("*")]


def same_default(ours, written):
    if match := re.fullmatch(r'Quantity\((.+), "(.+)"\)', written):
        number, unit = float(match[1]), match[2].replace(" ", "")
        shown = u.Quantity(ours)
        known = {"Hz/nA": u.Hz / u.nA, "mV/s": u.mV / u.second, "s": u.second}.get(unit) or getattr(u, unit)
        return shown.unit.has_same_dim(known) and np.isclose(shown.to_decimal(known), number)
    if match := re.fullmatch(r"(Uniform|Constant)\((.*)\)", written):
        numbers = [float(x) for x in re.findall(r"=([-\d.]+)", match[2])]
        mine = [float(x) for x in re.findall(r"(?:=|\(| )([-\d.]+)", repr(ours))]
        return type(ours).__name__ == match[1] and np.allclose(numbers, mine[: len(numbers)])
    if written in ("None", "True", "False"):
        return str(ours) == written
    if re.fullmatch(r"[-\d.e]+", written):
        return np.isclose(float(ours), float(written))
    if written in METHODS:
        return ours in METHODS[written]
    if written.startswith("'"):
        return ours == written.strip("'")
    if written.startswith("Unit("):
        return str(ours).replace(" ", "") == written[6:-2].replace(" ", "")
    return True  # an object that has no value to compare


HERE = [e for e in entries() if found(e[0])]


def test_every_model_is_here():
    top = [name for name, _, _ in entries() if "." not in name]
    models = {name for name in top if name.endswith("Step") or name in ("KuramotoNetwork", "XY_Oscillator")}
    assert not [name for name in models if not found(name)]
    families = {name for name, _, _ in entries() if name.startswith(("horn.", "jansen_rit.", "wilson_cowan."))}
    assert not [name for name in families if not found(name)]


@pytest.mark.parametrize(("owner", "method", "text"), HERE, ids=lambda x: str(x)[:40])
def test_signature(owner, method, text):
    thing = found(owner)
    if method not in (None, "__init__"):
        thing = getattr(thing, method)
    shown = [p for p in inspect.signature(thing).parameters.values() if p.name != "self"]
    known = {p.name: p for p in shown}
    wanted = arguments(text)
    if method and (method == "derivative" or re.fullmatch(r"d[A-Zxyzrvwg]\w*", method)):
        assert len(shown) >= len(wanted)  # by position: `x_ext`, `inp` and `x_inp` name the same argument
        return
    assert all(name in known for name, _ in wanted), f"lacks {[n for n, _ in wanted if n not in known]}"
    order = [p.name for p in shown if p.kind is p.POSITIONAL_OR_KEYWORD]
    positional = [name for name, _ in wanted if known[name].kind is not inspect.Parameter.KEYWORD_ONLY]
    assert order[: len(positional)] == positional
    for name, default in wanted:
        if default is not None and (owner, name) not in OTHER_DEFAULTS and method in (None, "__init__"):
            assert same_default(known[name].default, default), f"{name}: {known[name].default!r}, not {default}"
