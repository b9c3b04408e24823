"""Models from descriptions, and as descriptions: against TVB's numbers, our own models, and what must be refused."""

import copy
import json
import pickle
from pathlib import Path

import brainunit as u
import jax.numpy as jnp
import numpy as np
import pytest
from brainstate import HiddenState
from braintools.init import Constant
from long_models import long_are_slow

import brainmass as bm
from brainmass.dynamics.declaration import is_abstract

HERE = Path(__file__).parent
DESCRIPTIONS = sorted((HERE / "data" / "descriptions").glob("*.yaml"))
NODES = [getattr(bm, info.name) for info in bm.list_models()]
NODES = [cls for cls in NODES if issubclass(cls, bm.NeuralMassDynamics) and not is_abstract(cls)]
# What they are beside equations.
REFUSED = dict.fromkeys(("ALNStep", "KuramotoNetwork", "RobinsonStep", "WilsonCowanDelayedStep"), "_motion")
# what the modes of a region send one another is a table of numbers
REFUSED |= dict.fromkeys(("StefanescuJirsaFitzHughNagumoStep", "StefanescuJirsaHindmarshRoseStep"), "holds numbers")


def rates_of(cls, states, inputs, **params):
    """The derivatives per ms, from numbers in the declared units."""
    params = {n: u.maybe_decimal(x * u.get_unit(cls._params[n].default)) for n, x in params.items()}
    node = cls(np.shape(states)[-1], **params)
    states = [u.maybe_decimal(x * spec.unit) for x, spec in zip(states, cls._states.values(), strict=True)]
    entering = [u.maybe_decimal(inputs.get(port, 0.0) * unit) for port, unit in cls._port_units.items()]
    rates = node.derivative(tuple(states), 0 * u.ms, *entering)
    units = [spec.unit / u.ms for spec in cls._states.values()]
    return np.stack([u.Quantity(x).to_decimal(unit) for x, unit in zip(rates, units, strict=True)])


@pytest.mark.few(4)
@pytest.mark.parametrize("path", DESCRIPTIONS, ids=lambda path: path.stem)
def test_rates_are_those_that_the_virtual_brain_computed(path, x64):
    cls = bm.load_model(path)
    for case in json.loads((HERE / "truths" / "tvb_derivatives" / path.name.replace("yaml", "json")).read_text())[
        "cases"
    ]:
        params = {n: float(x) for n, x in case["parameters"].items() if n in cls._params}
        coupling = dict(zip(cls.description.inputs, np.array(case["coupling"]), strict=False))
        got = rates_of(cls, np.array(case["states"]), coupling, **params)
        np.testing.assert_allclose(got, case["derivatives"], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("cls", long_are_slow(NODES), ids=lambda cls: cls.__name__)
def test_what_is_written_is_read(cls, tmp_path, x64):
    path = tmp_path / "model.yaml"
    if cls.__name__ in REFUSED:
        with pytest.raises(ValueError, match=rf"`model` of save_model.*{cls.__name__}.*{REFUSED[cls.__name__]}"):
            bm.save_model(cls, path)
        assert not path.exists()
        return
    bm.save_model(cls, path)
    read = bm.load_model(path)
    rng = np.random.default_rng(1)
    for _ in range(2):
        states = rng.uniform(0.05, 0.9, (len(cls._states), 5))
        inputs = {port: rng.uniform(-0.5, 0.5, 5) for port in cls._port_units}
        params = {n: x.default for n, x in cls._params.items() if x.default is not None}
        params = {n: float(u.get_mantissa(x)) * rng.uniform(0.9, 1.1) for n, x in params.items()}
        params = {n: float(np.clip(x, *cls._params[n].domain.bounds)) for n, x in params.items()}
        one, other = (rates_of(x, states, inputs, **params) for x in (cls, read))
        np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-13 * np.abs(one).max())
    assert read.__name__ == cls.__name__ and read.output == cls.output and read.coupling_port == cls.coupling_port
    assert set(read.further_inputs) == set(cls.further_inputs)
    assert read._noises == cls._noises or set(read._noises.values()) >= set(cls._noises.values())
    for name, spec in read._params.items():
        assert spec.domain.text == cls._params[name].domain.text
        assert u.get_unit(spec.default).has_same_dim(u.get_unit(cls._params[name].default))
    for name, spec in read._states.items():
        assert (spec.domain.text, spec.is_angle) == (cls._states[name].domain.text, cls._states[name].is_angle)


# --- a small one, by hand -------------------------------------------------------------------------------------------
ADAPTATION = """
name: Adaptation
description: A rate that is slowed by its own past.
references: ["Benda, Herz 2003, Neural Comput. 15:2523, in the simplest form"]
parameters:
  tau: {value: 10, unit: ms, description: Time constant of the rate, domain: {lo: 0, enforce: refuse, open: lo}}
  tau_a: {value: 0.2, unit: s, description: Time constant of adaptation}
  b: {value: 1.0, description: Strength of adaptation}
coupling_inputs:
  drive: {description: What the population is driven by}
derived_variables:
  goal: {equation: {rhs: tanh(drive - b*a)}}
state_variables:
  r: {equation: {rhs: (goal - r)/tau}, description: Firing rate, initial_value: 0.1}
  a: {equation: {rhs: (r - a)/tau_a}, description: Adaptation}
"""


class Adaptation(bm.NeuralMassDynamics):
    """The same in Python."""

    tau: bm.declare.Par = bm.declare.param(default=10.0 * u.ms, doc="time constant of the rate")
    tau_a: bm.declare.Par = bm.declare.param(default=200.0 * u.ms, doc="time constant of adaptation")
    b: bm.declare.Par = bm.declare.param(default=1.0, doc="strength of adaptation")
    init_r: bm.declare.Initializer = Constant(0.1)
    init_a: bm.declare.Initializer = Constant(0.0)
    r: HiddenState = bm.declare.state("firing rate", port="drive", port_unit=u.UNITLESS)
    a: HiddenState = bm.declare.state("adaptation")

    def dr(self, r, a, drive):
        return (-r + u.math.tanh(drive - self.p.b * a)) / self.p.tau

    def da(self, a, r):
        return (r - a) / self.p.tau_a


@pytest.fixture
def described(tmp_path):
    """A file with ADAPTATION, in which one text stands for another."""

    def write(old="", new="", text=ADAPTATION):
        assert old in text
        path = tmp_path / "adaptation.yaml"
        path.write_text(text.replace(old, new, 1) if old else text)
        return path

    return write


def test_a_run_is_that_of_the_same_model_in_python(described):
    read = bm.load_model(described())
    weights = np.array([[0, 1.0, 0.5], [1, 0, 0], [0.2, 0, 0]])
    runs = []
    for cls in read, Adaptation:
        network = bm.Network(cls(3, b=[0.5, 1.0, 2.0]), conn=weights, k=0.3, coupled_var="r")
        simulator = bm.Simulator(network, dt=0.5 * u.ms)
        runs.append(simulator.run(100 * u.ms, monitors=["r", "a"], inputs={"drive": 0.7}))
    for name in "ra":
        np.testing.assert_allclose(runs[0][name], runs[1][name], rtol=1e-6)
    assert runs[0]["r"].max() > 0.3


def test_it_can_be_pickled_and_copied(described):
    cls = bm.load_model(described())
    assert bm.load_model(described()) is cls
    simulator = bm.Simulator(cls(2, b=2.0), dt=0.5 * u.ms)
    expected = simulator.run(20 * u.ms, inputs={"drive": 0.7})
    for other in pickle.loads(pickle.dumps(simulator)), copy.deepcopy(simulator):
        np.testing.assert_array_equal(other.run(20 * u.ms, inputs={"drive": 0.7})["r"], expected["r"])


@pytest.mark.slow
def test_it_does_what_every_model_must_do(described):
    bm.testing.check_model(bm.load_model(described()))


def test_help_has_what_the_file_says(described):
    cls = bm.load_model(described())
    assert "A rate that is slowed by its own past." in cls.__doc__ and "Reference: Benda, Herz" in cls.__doc__
    assert "Time constant of the rate; > 0; ms." in cls.__doc__
    assert cls.coupling_port == "drive" and cls._ports == ("drive", "r_inp", "a_inp")
    assert cls._port_units["r_inp"].has_same_dim(u.Hz) and cls._port_units["drive"].has_same_dim(u.UNITLESS)
    with pytest.raises(u.UnitMismatchError, match="`tau`"):
        cls(2, tau=1 * u.mV)
    assert bm.list_models() == [info for info in bm.list_models() if info.name != "Adaptation"]


def test_the_unit_of_an_input_follows_from_the_equations():
    cls = bm.load_model(HERE / "data" / "descriptions" / "JansenRit.yaml")
    assert cls._port_units["c_glob"].has_same_dim(u.Hz)
    node = cls(2)
    node.init_all_states()
    assert u.get_unit(node.eeg()).has_same_dim(u.mV)


def test_noise_of_a_state_enters_its_rate(described):
    """White noise of sigma on a state that stays: its variance grows by sigma² per ms."""
    cls = bm.load_model(described("(r - a)/tau_a", "0"))
    node = cls(2000, noise_a=bm.WhiteNoise(2000, sigma=0.3))
    result = bm.Simulator(node, dt=1.0 * u.ms).run(50 * u.ms, monitors=["a"], seed=1)
    assert np.std(result["a"][-1]) == pytest.approx(0.3 * np.sqrt(50), rel=0.05)


def test_time_unit_and_numbers(described, x64):
    """dx/dt = -x, without units, is per ms, unless the time unit is another."""
    plain = described(text="state_variables: {x: {equation: -x}}\ncoupling_inputs: {}\n")
    for given, expected in ({}, -0.5), ({"time_unit": u.second}, -0.0005), ({"units": "numbers"}, -0.5):
        np.testing.assert_allclose(rates_of(bm.load_model(plain, **given), np.array([[0.5]]), {}), expected)
    seconds = described(text="state_variables: {x: {equation: -x/tau}}\nparameters: {tau: {value: 2, unit: s}}\n")
    assert rates_of(bm.load_model(seconds), np.array([[0.5]]), {}) == pytest.approx(-0.00025)
    assert rates_of(bm.load_model(seconds, units="numbers"), np.array([[0.5]]), {}) == pytest.approx(-0.25)


def test_numbers_and_names_of_yaml(described):
    text = (
        "parameters: {k: {value: 1e-3}, y: {value: 1E3}, off: {value: 2}}\nstate_variables: {x: {equation: -k*y*off*x}}"
    )
    assert rates_of(bm.load_model(described(text=text)), np.array([[1.0]]), {}) == pytest.approx(-2.0)


WRONG = {
    "unknown symbol": ("b*a)", "bb*a)", "Equation of `goal` in adaptation.yaml", "`bb`", "Did you mean 'b'?"),
    "unknown function": ("tanh(", "tahn(", "calls `tahn`", "Did you mean"),
    "an import": ("tanh(drive - b*a)", "\"__import__('os').system('ls')\"", "`goal`", "__import__"),
    "an attribute": ("tanh(drive - b*a)", "tanh.__class__", "`goal`", "tanh.__class__"),
    "an index": ("tanh(drive - b*a)", '"r[0]"', "`goal`", "r[0]"),
    "a lambda": ("tanh(drive - b*a)", '"(lambda: 0)()"', "`goal`", "lambda"),
    "a text": ("tanh(drive - b*a)", "\"'a'\"", "`goal`", "'a'"),
    "a sentence": ("tanh(drive - b*a)", "r grows", "`goal`", "must be an expression"),
    "too large a number": ("b*a", "9**9**9**9*a", "`goal`", "finite"),
    "division by zero": ("b*a", "a/(1 - 1)", "`goal`", "divide by zero"),
    "depth": ("b*a", "(" * 300 + "a" + ")" * 300, "`goal`", "must be an expression"),
    "a condition as number": ("b*a)", "(b > a))", "`goal`", "numbers"),
    "a number as condition": ("tanh(drive - b*a)", '"Piecewise((1, a), (0, True))"', "`goal`", "x > 0"),
    "no last case": ("tanh(drive - b*a)", '"Piecewise((1, a > 0))"', "`goal`", "(value, True)"),
    "a circle": ("tanh(drive - b*a)", "tanh(drive) + goal", "`goal`", "goal -> goal"),
    "time": ("drive - b*a", "drive - b*t", "`goal`", "time t"),
    "latex": ("tanh(drive - b*a)", "tanh(drive - b*a), latex: true", "`goal`", "LaTeX"),
    "arguments": ("tanh(drive - b*a)", '"tanh(drive, a)"', "`tanh`", "gives it 2"),
    "key": ("coupling_inputs", "coupling_input", "`coupling_input`", "Did you mean 'coupling_inputs'?"),
    "no equation": ("{equation: {rhs: (r - a)/tau_a}, description: Adaptation}", "{}", "`a`", "`equation`"),
    "matrix": ("value: 1.0", "value: [1.0, 2.0]", "Parameter `b`", "Matrices"),
    "outside its domain": ("value: 10,", "value: -10,", "Parameter `tau`", "> 0"),
    "twice": ("  b: {value", "  a: {value", "Symbol `a`", "twice"),
    "taken": ("  b: {value", "  update: {value", "Symbol `update`"),
    "word of Python": ("  b: {value", "  lambda: {value", "Symbol `lambda`", "Python"),
    "unknown unit": ("unit: ms", "unit: msec", "Parameter `tau`", "'msec'"),
    "an input without effect": ("drive - b*a", "-b*a", "Input `drive`", "lost"),
    "components": ("parameters:", "components: {na: {}}\nparameters:", "components"),
    "events": (
        "parameters:",
        "events: {spike: {condition: {rhs: r > 1}, affect: {rhs: r = 0}}}\nparameters:",
        "`spike`",
    ),
    "modes": ("parameters:", "number_of_modes: 3\nparameters:", "mode"),
    "a map": ("parameters:", "system_type: discrete\nparameters:", "differential"),
    "a key twice": ("  b: {value", "  tau: {value", "`path` of load_model", "'tau' twice"),
    "a list for a key": ("parameters:", "? [a, b]\n: 1\nparameters:", "`path` of load_model", "no name"),
    "no YAML": ("parameters:", "parameters: [", "`path` of load_model", "YAML"),
    "a python object": ("value: 1.0", "value: !!python/object/apply:os.getcwd []", "`path` of load_model", "YAML"),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_with_its_place(described, case):
    old, new, *words = case
    with pytest.raises(ValueError) as raised:
        bm.load_model(described(old, new))
    assert all(word in str(raised.value) for word in words), raised.value


MISMATCHED = {
    "terms": ("(goal - r)/tau", "(goal - r)/tau + tau", "Equation of `r`", "tau with ms beside"),
    "nothing times a unit": ("(goal - r)/tau", "(goal - r + 0*tau)/tau", "Equation of `r`", "ms"),
    "a function": ("b*a)", "tau)", "`tanh`", "without unit", "tau with ms"),
    "an exponent": ("b*a)", "b**tau)", "exponents", "tau with ms"),
    "a comparison": ("tanh(drive - b*a)", '"Piecewise((drive, tau > 2), (0, True))"', "2.0 with no unit beside ms"),
    "a rate": ("(r - a)/tau_a", "(r - a)*tau_a", "Equation of `a`"),
    "a derived unit": ("goal: {", "goal: {unit: mV, ", "Equation of `goal`", "mV"),
}


@pytest.mark.parametrize("case", MISMATCHED.values(), ids=MISMATCHED)
def test_units_that_do_not_agree_are_told_and_numbers_are_read(described, case):
    old, new, *words = case
    path = described(old, new)
    with pytest.raises(u.UnitMismatchError) as raised:
        bm.load_model(path)
    assert all(word in str(raised.value) for word in [*words, "units='numbers'"]), raised.value
    assert issubclass(bm.load_model(path, units="numbers"), bm.NeuralMassDynamics)


def test_a_zero_has_any_unit(described):
    """In a case, a sum and a comparison."""
    path = described("(r - a)/tau_a", '"Piecewise((0, tau > 0), (a/tau, True)) + r/tau_a + 0"')
    assert rates_of(bm.load_model(path), np.array([[0.4], [0.3]]), {})[1] == pytest.approx(0.4 / 200)


def test_circles_of_several_and_functions_that_call_themselves(described):
    circle = described("  goal:", "  one: {equation: two + 1}\n  two: {equation: one}\n  goal:")
    with pytest.raises(ValueError, match="one -> two -> one"):
        bm.load_model(circle)
    functions = "functions:\n  f: {arguments: [x], equation: g(x)}\n  g: {arguments: [x], equation: f(x)}\n"
    with pytest.raises(ValueError, match="f -> g -> f"):
        bm.load_model(described(text=functions + ADAPTATION.replace("tanh", "f")))
    many = "".join(f"  f{i}: {{arguments: [x], equation: f{i + 1}(x)*f{i + 1}(x)}}\n" for i in range(40))
    many = f"functions:\n{many}  f40: {{arguments: [x], equation: x}}\n"
    with pytest.raises(ValueError, match="20000 parts"):
        bm.load_model(described(text=many + ADAPTATION.replace("tanh", "f0")))


def test_wrong_arguments(described, tmp_path):
    with pytest.raises(ValueError, match=r"`path` of load_model must end in \.yaml or \.yml"):
        bm.load_model("model.xml")
    with pytest.raises(FileNotFoundError, match="`path` of load_model"):
        bm.load_model(tmp_path / "none.yaml")
    with pytest.raises(ValueError, match="`units`.*Did you mean 'numbers'"):
        bm.load_model(described(), units="number")
    with pytest.raises(u.UnitMismatchError, match="`time_unit`"):
        bm.load_model(described(), time_unit=u.mV)
    with pytest.raises(TypeError, match="`model` of save_model"):
        bm.save_model(bm.HopfStep(2), tmp_path / "hopf.yaml")


def test_a_table_within_the_equations_is_not_written(tmp_path):
    class Tabled(Adaptation):
        def da(self, a, r):
            return u.math.interp(r, np.array([0.0, 0.4, 1.0]), np.array([0.0, 0.1, 1.0])) / self.p.tau_a - a / u.ms

    class Between(Adaptation):
        def da(self, a, r):
            return (r.mean() - a) / self.p.tau_a

    for cls in Tabled, Between:
        with pytest.raises(ValueError, match=f"{cls.__name__} has not: .* (between regions|no place)"):
            bm.save_model(cls, tmp_path / "model.yaml")
    assert not list(tmp_path.iterdir())


def test_an_experiment_names_a_description(described, tmp_path):
    described()
    experiment = tmp_path / "run.toml"
    experiment.write_text(
        '[model]\nfile = "adaptation.yaml"\nin_size = 2\nb = 2.0\n[inputs]\ndrive = 0.7\n'
        '[simulation]\ndt = "0.5 ms"\nduration = "100 ms"\n'
    )
    result = bm.experiments.load(experiment).run()
    node = bm.load_model(tmp_path / "adaptation.yaml")(2, b=2.0)
    expected = bm.Simulator(node, dt=0.5 * u.ms).run(100 * u.ms, inputs={"drive": 0.7})
    np.testing.assert_array_equal(result["r"], expected["r"])
    assert "sha256 of adaptation.yaml" in result.provenance
    experiment.write_text(experiment.read_text().replace("b = 2.0", 'type = "HopfStep"'))
    with pytest.raises(bm.experiments.ExperimentError, match="either `type`, the class of the model, or `file`"):
        bm.experiments.load(experiment)
    experiment.write_text(
        '[model]\ntype = "HopfStep"\nunits = "numbers"\nin_size = 2\n[simulation]\ndt = "1 ms"\nduration = "1 s"'
    )
    with pytest.raises(bm.experiments.ExperimentError, match="`units` of .model. goes with `file`"):
        bm.experiments.load(experiment)


def test_a_cube_root_keeps_its_sign(tmp_path, x64):
    class RootStep(bm.NeuralMassDynamics):
        """Relaxation by a cube root."""

        init_x: bm.declare.Initializer = Constant(0.5)
        x: HiddenState = bm.declare.state("activity", port="x_inp")

        def dx(self, x, x_inp):
            return (x_inp - jnp.cbrt(x)) / u.ms

    bm.save_model(RootStep, tmp_path / "root.yaml")
    states = np.array([[-8.0, -0.3, 0.0, 27.0]])
    rates = rates_of(bm.load_model(tmp_path / "root.yaml"), states, {})
    np.testing.assert_allclose(rates, -np.cbrt(states), rtol=1e-12)
