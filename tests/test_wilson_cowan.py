"""The Wilson–Cowan family against equations written out in numpy, scipy's solvers, and its own limits."""

# ruff: noqa: E741 (E and I are the names of the paper)

import inspect
import re

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from brainstate.nn import Param
from braintools.init import Constant, Uniform
from scipy.integrate import solve_ivp
from scipy.optimize import fsolve

import brainmass
from brainmass.delays.lines import History
from brainmass.models.wilson_cowan.adaptive import WilsonCowanAdaptiveStep
from brainmass.models.wilson_cowan.base import WilsonCowanBase
from brainmass.models.wilson_cowan.classical import WilsonCowanStep
from brainmass.models.wilson_cowan.delayed import WilsonCowanDelayedStep
from brainmass.models.wilson_cowan.divisive import WilsonCowanDivisiveInputStep, WilsonCowanDivisiveStep
from brainmass.models.wilson_cowan.fewer_parameters import WilsonCowanSimplifiedStep, WilsonCowanSymmetricStep
from brainmass.models.wilson_cowan.simpler_responses import WilsonCowanLinearStep, WilsonCowanNoSaturationStep
from brainmass.models.wilson_cowan.three_populations import WilsonCowanThreePopulationStep
from brainmass.models.wilson_cowan.three_populations_base import WilsonCowanThreePopBase

PER_MS = u.ms**-1
TIMES = ("tau_E", "tau_I", "tau_M", "tau", "tau_aE", "tau_aI", "delay_EE", "delay_IE", "delay_EI", "delay_II")


def says(error, message):
    """The exception is raised with a message that contains this one."""
    return pytest.raises(error, match=re.escape(message))


def at(values):
    """An initialiser that gives these values."""
    return lambda shape: np.broadcast_to(values, shape)


def made(cls, values, in_size=1, **options):
    """A model from plain numbers, those of time in ms."""
    return cls(in_size, **{k: x * u.ms if k in TIMES else x for k, x in values.items()}, **options)


def run(node, duration, dt, **inputs):
    """The recorded states of a run, as arrays (time, region)."""
    result = brainmass.Simulator(node, dt=dt * u.ms).run(duration * u.ms, inputs=inputs or None, seed=0)
    return {name: np.asarray(result[name]) for name in node._states}


# --- the equations, written out -----------------------------------------------------------------------------
def F(x, a, theta):
    return 1 / (1 + np.exp(-a * (x - theta))) - 1 / (1 + np.exp(a * theta))


def step(y, P, Q, tau_E, a_E, theta_E, tau_I, a_I, theta_I, wEE, wIE, wEI, wII, r):
    E, I = y
    dE = (-E + (1 - r * E) * F(wEE * E - wIE * I + P, a_E, theta_E)) / tau_E
    dI = (-I + (1 - r * I) * F(wEI * E - wII * I + Q, a_I, theta_I)) / tau_I
    return [dE, dI]


def no_saturation(y, P, Q, tau_E, a_E, theta_E, tau_I, a_I, theta_I, wEE, wIE, wEI, wII):
    E, I = y
    dE = (-E + F(wEE * E - wIE * I + P, a_E, theta_E)) / tau_E
    dI = (-I + F(wEI * E - wII * I + Q, a_I, theta_I)) / tau_I
    return [dE, dI]


def symmetric(y, P, Q, tau, a, theta, wEE, wIE, wEI, wII, r):
    E, I = y
    dE = (-E + (1 - r * E) * F(wEE * E - wIE * I + P, a, theta)) / tau
    dI = (-I + (1 - r * I) * F(wEI * E - wII * I + Q, a, theta)) / tau
    return [dE, dI]


def simplified(y, P, Q, tau_E, a_E, theta_E, tau_I, a_I, theta_I, w_exc, w_inh, r):
    E, I = y
    dE = (-E + (1 - r * E) * F(w_exc * E - w_inh * I + P, a_E, theta_E)) / tau_E
    dI = (-I + (1 - r * I) * F(w_exc * E - w_inh * I + Q, a_I, theta_I)) / tau_I
    return [dE, dI]


def linear(y, P, Q, tau_E, tau_I, wEE, wIE, wEI, wII, r):
    E, I = y
    dE = (-E + (1 - r * E) * np.maximum(wEE * E - wIE * I + P, 0)) / tau_E
    dI = (-I + (1 - r * I) * np.maximum(wEI * E - wII * I + Q, 0)) / tau_I
    return [dE, dI]


def divisive(y, P, Q, tau_E, a_E, theta_E, tau_I, a_I, theta_I, wEE, wIE, wEI, wII, r, sigma_E, sigma_I):
    E, I = y
    dE = (-E + (1 - r * E) / (sigma_E + wIE * I) * F(wEE * E + P, a_E, theta_E)) / tau_E
    dI = (-I + (1 - r * I) / (sigma_I + wII * I) * F(wEI * E + Q, a_I, theta_I)) / tau_I
    return [dE, dI]


def divisive_input(y, P, Q, tau_E, a_E, theta_E, tau_I, a_I, theta_I, wEE, wIE, wEI, wII, r, sigma_E, sigma_I):
    E, I = y
    dE = (-E + (1 - r * E) * F(wEE * E / (sigma_E + wIE * I) + P, a_E, theta_E)) / tau_E
    dI = (-I + (1 - r * I) * F(wEI * E / (sigma_I + wII * I) + Q, a_I, theta_I)) / tau_I
    return [dE, dI]


def adaptive(y, P, Q, tau_aE, tau_aI, b_E, b_I, **values):
    E, I, aE, aI = y
    return [*step((E, I), P - aE, Q - aI, **values), (-aE + b_E * E) / tau_aE, (-aI + b_I * I) / tau_aI]


def three_populations(
    y,
    P,
    Q,
    R,
    tau_E,
    a_E,
    theta_E,
    tau_I,
    a_I,
    theta_I,
    tau_M,
    a_M,
    theta_M,
    wEE,
    wIE,
    wEI,
    wII,
    wME,
    wMI,
    wEM,
    wIM,
    wMM,
    r,
):
    E, I, M = y
    dE = (-E + (1 - r * E) * F(wEE * E - wIE * I + wME * M + P, a_E, theta_E)) / tau_E
    dI = (-I + (1 - r * I) * F(wEI * E - wII * I + wMI * M + Q, a_I, theta_I)) / tau_I
    dM = (-M + (1 - r * M) * F(wEM * E - wIM * I + wMM * M + R, a_M, theta_M)) / tau_M
    return [dE, dI, dM]


POPULATIONS = {"tau_E": 1.7, "a_E": 1.3, "theta_E": 2.1, "tau_I": 2.9, "a_I": 0.9, "theta_I": 3.3}
WEIGHTS = {"wEE": 9.0, "wIE": 3.0, "wEI": 7.0, "wII": 5.0}
STEP = {**POPULATIONS, **WEIGHTS, "r": 0.8}
MODULATION = {"tau_M": 4.1, "a_M": 1.1, "theta_M": 2.7, "wME": 4.3, "wMI": 2.3, "wEM": 8.3, "wIM": 6.3, "wMM": 1.7}
FAMILY = {
    WilsonCowanStep: (step, STEP),
    WilsonCowanNoSaturationStep: (no_saturation, {**POPULATIONS, **WEIGHTS}),
    WilsonCowanSymmetricStep: (symmetric, {**WEIGHTS, "tau": 1.9, "a": 1.4, "theta": 2.6, "r": 0.7}),
    WilsonCowanSimplifiedStep: (simplified, {**POPULATIONS, "w_exc": 7.5, "w_inh": 4.5, "r": 0.8}),
    WilsonCowanLinearStep: (
        linear,
        {"tau_E": 1.7, "tau_I": 2.9, "wEE": 0.9, "wIE": 0.4, "wEI": 1.1, "wII": 0.7, "r": 0.6},
    ),
    WilsonCowanDivisiveStep: (divisive, {**STEP, "sigma_E": 0.8, "sigma_I": 1.3}),
    WilsonCowanDivisiveInputStep: (divisive_input, {**STEP, "sigma_E": 0.8, "sigma_I": 1.3}),
    WilsonCowanAdaptiveStep: (adaptive, {**STEP, "tau_aE": 11.0, "tau_aI": 7.0, "b_E": 2.0, "b_I": 1.5}),
    WilsonCowanThreePopulationStep: (three_populations, {**STEP, **MODULATION}),
    WilsonCowanDelayedStep: (step, STEP),  # before there is a past
}
each = pytest.mark.parametrize("cls", FAMILY, ids=lambda cls: cls.__name__)


@each
def test_right_hand_side(cls, x64):
    rates, values = FAMILY[cls]
    y = np.random.default_rng(1).uniform(0.05, 0.6, (len(cls._states), 3))
    inputs = np.array([1.2, 0.7, -0.4])[: len(cls._ports)]
    found = made(cls, values, 3).derivative(tuple(jnp.asarray(y)), 0 * u.ms, *inputs)
    expected = np.stack(rates(y, *inputs, **values))
    np.testing.assert_allclose([x.to_decimal(PER_MS) for x in found], expected, rtol=1e-13)


@pytest.mark.few(3)
@pytest.mark.parametrize("cls", [cls for cls in FAMILY if cls is not WilsonCowanDelayedStep], ids=lambda c: c.__name__)
def test_trajectory_against_scipy(cls, x64):
    rates, values = FAMILY[cls]
    start = [0.1, 0.25, 0.3, 0.05][: len(cls._states)]
    inputs = dict(zip(cls._ports, (1.5, 0.4, 0.2), strict=False))
    starts = {s.init: Constant(x) for s, x in zip(cls._states.values(), start, strict=True)}
    recorded = run(made(cls, values, method="rk4", **starts), 20, 0.02, **inputs)
    times = np.arange(1, 1001) * 0.02
    truth = solve_ivp(
        lambda t, y: rates(y, *inputs.values(), **values), (0, 20), start, "DOP853", times, rtol=1e-11, atol=1e-13
    )
    ours = np.stack([recorded[name][:, 0] for name in cls._states])
    np.testing.assert_allclose(ours, truth.y, rtol=2e-6, atol=1e-8)
    assert np.ptp(truth.y[0]) > 0.05


# --- names, order and defaults ------------------------------------------------------------------------------
SIGMOIDS = "tau_E a_E theta_E tau_I a_I theta_I"
ENDS = "noise_E noise_I rE_init rI_init"
ARGUMENTS = {
    WilsonCowanBase: ENDS,
    WilsonCowanStep: f"{SIGMOIDS} wEE wIE wEI wII r {ENDS} c_EE c_EI c_IE c_II",
    WilsonCowanNoSaturationStep: f"{SIGMOIDS} wEE wIE wEI wII {ENDS}",
    WilsonCowanSymmetricStep: f"tau a theta wEE wIE wEI wII r {ENDS}",
    WilsonCowanSimplifiedStep: f"{SIGMOIDS} w_exc w_inh r {ENDS}",
    WilsonCowanLinearStep: f"tau_E tau_I wEE wIE wEI wII r {ENDS}",
    WilsonCowanDivisiveStep: f"{SIGMOIDS} wEE wIE wEI wII r sigma_E sigma_I {ENDS}",
    WilsonCowanDivisiveInputStep: f"{SIGMOIDS} wEE wIE wEI wII r sigma_E sigma_I {ENDS}",
    WilsonCowanDelayedStep: f"{SIGMOIDS} wEE wIE wEI wII r delay_EE delay_IE delay_EI delay_II {ENDS}",
    WilsonCowanAdaptiveStep: f"{SIGMOIDS} wEE wIE wEI wII r tau_aE tau_aI b_E b_I {ENDS} aE_init aI_init",
    WilsonCowanThreePopBase: "noise_E noise_I noise_M rE_init rI_init rM_init",
    WilsonCowanThreePopulationStep: (
        f"{SIGMOIDS} tau_M a_M theta_M wEE wIE wEI wII wME wMI wEM wIM wMM r "
        "noise_E noise_I noise_M rE_init rI_init rM_init"
    ),
}


@pytest.mark.parametrize("cls", ARGUMENTS, ids=lambda cls: cls.__name__)
def test_arguments(cls):
    names = ARGUMENTS[cls].split()
    first, by_keyword = ([n for n in names if n.startswith("c_") == wanted] for wanted in (False, True))
    assert list(inspect.signature(cls).parameters) == ["in_size", *first, "method", *by_keyword, "clamp", "name"]
    populations = {"rE": "rI", "rI": "rE"}
    for name, other in populations.items():
        arguments = list(inspect.signature(getattr(cls, f"d{name}")).parameters)
        assert arguments[1:3] == [name, other] and arguments[-1] == "ext"
    assert cls.coupling_port == "rE_inp" and cls.output == "rE"


def test_strengths_onto_the_modulatory_population_and_delays_are_from_to():
    """M receives 8 from E and 6 from I, and sends 4 and 2; what E sends takes 2 ms, what I sends 1.5 ms."""
    p = WilsonCowanThreePopulationStep(1).p
    assert (p.wEM, p.wIM, p.wME, p.wMI) == (8.0, 6.0, 4.0, 2.0)
    p = WilsonCowanDelayedStep(1).p
    assert [d.to_decimal(u.ms) for d in (p.delay_EE, p.delay_EI, p.delay_IE, p.delay_II)] == [2.0, 2.0, 1.5, 1.5]


def test_strength_wIE_inhibits_the_excitatory_population():
    """`wXY` is from X to Y in every variant: more wIE, less of rE and (through it) of nothing else at once."""
    for cls in FAMILY:
        if cls is WilsonCowanSimplifiedStep:
            continue
        node = {w: made(cls, {**FAMILY[cls][1], "wIE": w}) for w in (1.0, 2.0)}
        state = tuple(jnp.asarray([0.2]) for _ in cls._states)
        low, high = (node[w].derivative(state, 0 * u.ms, *(1.0,) * len(cls._ports)) for w in (1.0, 2.0))
        assert high[0][0] < low[0][0], cls.__name__
        assert all(a == b for a, b in zip(low[1:], high[1:], strict=True)), cls.__name__


def test_sigmoid():
    node = WilsonCowanStep(1)
    assert node.F(0.0, 1.2, 2.8) == 0
    x = np.linspace(-1e4, 1e4, 201)
    np.testing.assert_allclose(node.F(x[-1], 1.2, 2.8), 1 - 1 / (1 + np.exp(1.2 * 2.8)), rtol=1e-6)
    assert np.isfinite(jax.vmap(jax.grad(node.F), (0, None, None))(jnp.asarray(x), 1.2, 2.8)).all()


def test_base_classes_are_abstract():
    for base in WilsonCowanBase, WilsonCowanThreePopBase:
        with pytest.raises(TypeError, match=f"abstract class {base.__name__}|{base.__name__} is a base class"):
            base(1)
    names = [info.name for info in brainmass.list_models() if info.name.startswith(("Wilson", "_"))]
    assert {cls.__name__ for cls in FAMILY} == set(names)


def test_a_model_of_ones_own():
    class Mine(WilsonCowanBase):
        """Rates without inhibition."""

        def drE(self, rE, rI, ext):
            return (-rE + self.F(ext, 1.0, 2.0)) / u.ms

        def drI(self, rI, rE, ext):
            return -rI / u.ms

    found = run(Mine(1, method="rk4"), 30, 0.1, rE_inp=3.0)
    np.testing.assert_allclose(found["rE"][-1], F(3.0, 1.0, 2.0), rtol=1e-5)


# --- one variant as the limit of another --------------------------------------------------------------------
def same_rates(one, other, names=("rE", "rI"), inputs=(1.1, 0.6), rtol=1e-12):
    state = {name: jnp.asarray([0.15, 0.4]) * (1 + i) / 2 for i, name in enumerate(one._states)}
    rates = [node.derivative(tuple(state[n] for n in node._states), 0 * u.ms, *inputs) for node in (one, other)]
    for name in names:
        a, b = (x[list(node._states).index(name)] for x, node in zip(rates, (one, other), strict=True))
        np.testing.assert_allclose(a.to_decimal(PER_MS), b.to_decimal(PER_MS), rtol=rtol, err_msg=name)


def test_limits_are_the_classical_model(x64):
    classical = made(WilsonCowanStep, STEP, 2)
    same_rates(
        made(WilsonCowanNoSaturationStep, {**POPULATIONS, **WEIGHTS}, 2), made(WilsonCowanStep, {**STEP, "r": 0.0}, 2)
    )
    alike = {"tau_E": 1.9, "tau_I": 1.9, "a_E": 1.4, "a_I": 1.4, "theta_E": 2.6, "theta_I": 2.6, **WEIGHTS, "r": 0.7}
    same_rates(made(WilsonCowanSymmetricStep, FAMILY[WilsonCowanSymmetricStep][1], 2), made(WilsonCowanStep, alike, 2))
    two = {**POPULATIONS, "wEE": 7.5, "wEI": 7.5, "wIE": 4.5, "wII": 4.5, "r": 0.8}
    same_rates(made(WilsonCowanSimplifiedStep, FAMILY[WilsonCowanSimplifiedStep][1], 2), made(WilsonCowanStep, two, 2))
    unmodulated = {**STEP, **MODULATION, "wME": 0.0, "wMI": 0.0}
    three = made(WilsonCowanThreePopulationStep, unmodulated, 2)
    state = tuple(jnp.asarray([0.15, 0.4]) for _ in range(3))
    for a, b in zip(
        three.derivative(state, 0 * u.ms, 1.1, 0.6, 5.0),
        classical.derivative(state[:2], 0 * u.ms, 1.1, 0.6),
        strict=False,
    ):
        np.testing.assert_allclose(a.to_decimal(PER_MS), b.to_decimal(PER_MS), rtol=1e-14)


def test_without_adaptation_it_is_the_classical_model(x64):
    options = {"rE_init": Constant(0.2), "rI_init": Constant(0.1), "method": "heun"}
    free = run(made(WilsonCowanStep, STEP, **options), 20, 0.05, rE_inp=1.5)
    fast = {"tau_aE": 5.0, "b_I": 0.0}
    none = run(made(WilsonCowanAdaptiveStep, {**STEP, **fast, "b_E": 0.0}, **options), 20, 0.05, rE_inp=1.5)
    some = run(made(WilsonCowanAdaptiveStep, {**STEP, **fast, "b_E": 2.0}, **options), 20, 0.05, rE_inp=1.5)
    np.testing.assert_allclose(none["rE"], free["rE"], rtol=1e-13)
    assert not none["aE"].any() and np.abs(some["rE"] - free["rE"]).max() > 1e-2


def test_adaptation_follows_the_rates(x64):
    """At rest a = b r."""
    node = WilsonCowanAdaptiveStep(1, tau_aE=5 * u.ms, tau_aI=4 * u.ms, aE_init=Constant(0.3), method="rk4")
    final = {name: x[-1] for name, x in run(node, 200, 0.05, rE_inp=1.5).items()}
    np.testing.assert_allclose(final["aE"], 0.1 * final["rE"], rtol=1e-8)
    np.testing.assert_allclose(final["aI"], 0.08 * final["rI"], rtol=1e-8)
    assert final["rE"] > 0.4


def test_divisive_limits(x64):
    """Without inhibition and at sigma 1 both are the subtractive model; a large sigma takes a response away."""
    alone = {**STEP, "wIE": 0.0, "wII": 0.0}
    classical = made(WilsonCowanStep, alone, 2)
    for cls in WilsonCowanDivisiveStep, WilsonCowanDivisiveInputStep:
        same_rates(made(cls, {**alone, "sigma_E": 1.0, "sigma_I": 1.0}, 2), classical)
    quiet = made(WilsonCowanDivisiveInputStep, {**STEP, "sigma_E": 1e15, "sigma_I": 1e15}, 2)
    same_rates(quiet, made(WilsonCowanStep, {**alone, "wEE": 0.0, "wEI": 0.0}, 2))
    leak = jnp.asarray([0.15, 0.4]) / 1.7
    drive = []
    for sigma in 3.0, 6.0:  # without inhibition the response is that of the subtractive model over sigma
        node = made(WilsonCowanDivisiveStep, {**alone, "sigma_E": sigma}, 2)
        drive.append(node.drE(jnp.asarray([0.15, 0.4]), 0.2, 1.1).to_decimal(PER_MS) + leak)
    np.testing.assert_allclose(drive[0], 2 * drive[1], rtol=1e-12)


def test_divisive_inhibition_lowers_the_gain(x64):
    """The response to a drive is scaled by 1/(sigma + wIE rI), whatever the drive."""
    node = made(WilsonCowanDivisiveStep, {**FAMILY[WilsonCowanDivisiveStep][1], "wEE": 0.0})
    drives = jnp.asarray([0.5, 2.0, 6.0])
    with_inh, without = (node.drE(0.0, rI, drives).to_decimal(PER_MS) for rI in (0.5, 0.0))
    np.testing.assert_allclose(with_inh / without, 0.8 / (0.8 + 3.0 * 0.5), rtol=1e-12)


# --- what they do -------------------------------------------------------------------------------------------
def test_linear_steady_state_in_closed_form(x64):
    """Above threshold and without refractoriness: (1 - wEE) E + wIE I = P, -wEI E + (1 + wII) I = Q."""
    node = WilsonCowanLinearStep(1, r=0.0, method="rk4")
    exact = np.linalg.solve([[1 - 0.8, 0.3], [-1.0, 1 + 0.85]], [0.4, 0.2])
    found = run(node, 200, 0.1, rE_inp=0.4, rI_inp=0.2)
    np.testing.assert_allclose([found["rE"][-1, 0], found["rI"][-1, 0]], exact, rtol=1e-10)


def test_linear_refractory_steady_state(x64):
    """E + (E - 1)(wEE E - wIE I + P) = 0 and its like for I, solved by scipy."""

    def balance(y):
        return linear(y, 0.4, 0.2, 1.0, 1.0, 0.8, 0.3, 1.0, 0.85, 1.0)

    exact = fsolve(balance, [0.3, 0.2], xtol=1e-14)
    found = run(WilsonCowanLinearStep(1, method="rk4"), 100, 0.1, rE_inp=0.4, rI_inp=0.2)
    np.testing.assert_allclose([found["rE"][-1, 0], found["rI"][-1, 0]], exact, rtol=1e-10)


def test_linear_is_silent_below_threshold():
    found = run(WilsonCowanLinearStep(1, rE_init=Constant(0.0), method="rk4"), 20, 0.1, rE_inp=-1.0, rI_inp=-0.1)
    assert not found["rE"].any() and not found["rI"].any()


def paper(y, P, c1, c2, c3, c4, a_e, theta_e, a_i, theta_i, saturating):
    """Wilson & Cowan 1972, equations 11-12 at r = 1 and tau = 1; their k is sup F, ours 1."""
    k_e, k_i = (1 - 1 / (1 + np.exp(a * t)) if saturating else 1.0 for a, t in ((a_e, theta_e), (a_i, theta_i)))
    E, I = y
    dE = -E + (k_e - E) * F(c1 * E - c2 * I + P, a_e, theta_e)
    dI = -I + (k_i - I) * F(c3 * E - c4 * I, a_i, theta_i)
    return np.array([dE, dI])


HYSTERESIS = (12.0, 4.0, 13.0, 11.0, 1.2, 2.8, 1.0, 4.0)
OSCILLATORY = (16.0, 12.0, 15.0, 3.0, 1.3, 4.0, 2.0, 3.7)


def fixed_points(P, values, saturating):
    """All roots with their largest real part of an eigenvalue, in the order of E."""
    found = []
    for guess in np.stack(np.meshgrid(np.linspace(0, 0.5, 7), np.linspace(0, 0.3, 3)), -1).reshape(-1, 2):
        root, info, ok, _ = fsolve(lambda y: paper(y, P, *values, saturating), guess, full_output=True, xtol=1e-13)
        if (
            ok == 1
            and np.abs(info["fvec"]).max() < 1e-11
            and not any(np.allclose(root, x, atol=1e-6) for x, _ in found)
        ):
            h = 1e-6 * np.eye(2)
            jac = [
                (paper(root + e, P, *values, saturating) - paper(root - e, P, *values, saturating)) / 2e-6 for e in h
            ]
            found.append((root, np.linalg.eigvals(np.transpose(jac)).real.max()))
    return sorted(found, key=lambda x: x[0][0])


@pytest.mark.parametrize("saturating", [True, False], ids=["the paper's k", "our k"])
def test_hysteresis_set_has_three_states(saturating, x64):
    """Quiet, saddle, active: 1972, figure 4. Beyond a drive of about 0.3 the active one alone is left."""
    states = fixed_points(0.0, HYSTERESIS, saturating)
    assert [growth < 0 for _, growth in states] == [True, False, True]
    assert [growth < 0 for _, growth in fixed_points(0.5, HYSTERESIS, saturating)] == [True]
    if saturating:
        return
    quiet, saddle, active = (root for root, _ in states)
    node = WilsonCowanStep.preset("hysteresis", 1)
    for root in quiet, saddle, active:
        rates = node.derivative(tuple(jnp.asarray(root)[:, None]), 0 * u.ms, 0.0, 0.0)
        np.testing.assert_allclose([x.to_decimal(PER_MS)[0] for x in rates], 0, atol=1e-11)
    for start, end in ((0.9, quiet), (1.1, active)):
        node = WilsonCowanStep.preset("hysteresis", 1, rE_init=Constant(start * saddle[0]), rI_init=Constant(saddle[1]))
        found = run(node, 100, 0.1)
        np.testing.assert_allclose([found["rE"][-1, 0], found["rI"][-1, 0]], end, atol=1e-8)


def test_hysteresis_set_remembers_a_pulse(x64):
    pulse = np.where(np.arange(600) < 100, 1.0, 0.0)[:, None]
    found = run(WilsonCowanStep.preset("hysteresis", 1), 60, 0.1, rE_inp=pulse)["rE"][-1, 0]
    assert found == pytest.approx(fixed_points(0.0, HYSTERESIS, False)[2][0][0], abs=1e-6)
    assert run(WilsonCowanStep.preset("hysteresis", 1), 60, 0.1)["rE"][-1, 0] == 0


def cycle(times, E):
    """Lowest, highest, and period of the last oscillations."""
    mean = (E.min() + E.max()) / 2
    up = np.flatnonzero((E[1:] > mean) & (E[:-1] <= mean))
    crossing = times[up] + (mean - E[up]) / (E[up + 1] - E[up]) * (times[1] - times[0])
    return E.min(), E.max(), np.diff(crossing).mean()


def test_oscillatory_set_has_a_limit_cycle(x64):
    """1972, figure 11, at P = 1.25: the only fixed point is an unstable focus, around it the same cycle."""
    times, cycles = np.arange(1601, 2401) * 0.05, []
    for saturating, start in (True, [0.0, 0.0]), (False, [0.0, 0.0]), (False, [0.22, 0.12]):
        ((root, growth),) = fixed_points(1.25, OSCILLATORY, saturating)
        assert growth > 0.1 and root[0] == pytest.approx(0.2, abs=0.01)
        solved = solve_ivp(
            lambda t, y, k=saturating: paper(y, 1.25, *OSCILLATORY, k), (0, 120), start, "DOP853", times, rtol=1e-10
        )
        cycles.append(cycle(times, solved.y[0]))
    np.testing.assert_allclose(cycles[1], cycles[2], rtol=1e-3)
    np.testing.assert_allclose(cycles[0], cycles[1], rtol=0.02)  # the k of the paper changes little
    found = run(WilsonCowanStep.preset("oscillatory", 1, method="rk4"), 120, 0.05, rE_inp=1.25)["rE"][1600:, 0]
    np.testing.assert_allclose(cycle(times, found), cycles[1], rtol=1e-3)
    assert run(WilsonCowanStep.preset("oscillatory", 1), 20, 0.1)["rE"][-1] == 0


# --- strengths with their sign ------------------------------------------------------------------------------
def test_signed_strengths():
    """As on the seed page: onto the first from the second, inhibition negative."""
    node = WilsonCowanStep(2, tau_E=10 * u.ms, c_EE=12.0, c_EI=-4.0, c_IE=13.0, c_II=np.array([-3.0, 0.0]))
    assert (node.p.wEE, node.p.wIE, node.p.wEI) == (12.0, 4.0, 13.0)
    np.testing.assert_array_equal(node.p.wII, [3.0, 0.0])
    assert WilsonCowanStep(1, c_EI=-2.0).p.wIE == 2.0 and WilsonCowanStep(1, c_EI=-2.0).p.wEE == 12.0
    assert WilsonCowanStep(1, c_EE=Param(5.0, fit=True)).wEE.fit
    np.testing.assert_allclose(WilsonCowanStep(2, c_II=at([-1.0, -2.0])).p.wII, [1.0, 2.0])
    np.testing.assert_allclose(WilsonCowanStep(2, c_II=[-1.0, -2.0]).p.wII, [1.0, 2.0])
    assert jax.grad(lambda c: WilsonCowanStep(1, c_EI=c).p.wIE)(-4.0) == -1


def test_signed_strengths_are_refused():
    with says(TypeError, "was given `c_EI`, a strength onto E with its sign, and `wEI`, one from E without"):
        WilsonCowanStep(1, c_EI=-4.0, wEI=12.0)
    with says(TypeError, "`c_II`, a strength onto I with its sign, and `wEE`, one from E without"):
        WilsonCowanStep(1, 1 * u.ms, 1.2, 2.8, 1 * u.ms, 1.0, 4.0, 12.0, c_II=-1.0)
    for name, value, rule in [("c_EI", 4.0, "<= 0"), ("c_II", [-1.0, 3.0], "<= 0"), ("c_IE", -12.0, ">= 0")]:
        with says(ValueError, f"Argument `{name}` of WilsonCowanStep must be {rule}, but is"):
            WilsonCowanStep(2, **{name: value})
    with says(ValueError, "`c_EI` of WilsonCowanStep must be <= 0"):
        WilsonCowanStep(2, c_EI=at([-1.0, 2.0]))
    with says(TypeError, "Give the Param to `wIE`"):
        WilsonCowanStep(1, c_EI=Param(-4.0, fit=True))
    with says(AttributeError, "`c_EE` of WilsonCowanStep is known to the constructor alone"):
        WilsonCowanStep(1).c_EE = 3.0
    with says(TypeError, "WilsonCowanNoSaturationStep has no argument `c_EE`"):
        WilsonCowanNoSaturationStep(1, c_EE=3.0)
    with says(ValueError, "Argument `wIE` of WilsonCowanStep (strength from I to E) must be >= 0"):
        WilsonCowanStep(1, wIE=-4.0)


@pytest.mark.slow
def test_noise_given_after_the_states():
    """The second example of the seed page."""
    brainstate.environ.set(dt=0.1 * u.ms)
    wc = WilsonCowanStep((10,), tau_E=10 * u.ms, tau_I=20 * u.ms, c_EE=12.0, c_EI=-4.0, c_IE=12.0, c_II=-3.0)
    wc.init_all_states(batch_size=3)
    wc.noise_E = brainmass.OUProcess(in_size=(10,), sigma=0.3 * u.Hz, tau=20 * u.ms)
    wc.noise_I = brainmass.OUProcess(in_size=(10,), sigma=0.3 * u.Hz, tau=20 * u.ms)
    out = brainstate.transform.for_loop(lambda i: wc.update(rE_inp=0.5, rI_inp=0.2), jnp.arange(200))
    assert out.shape == (200, 3, 10) and np.isfinite(out).all()
    assert np.std(out[-1]) > 1e-4
    with says(TypeError, "`noise_E` of WilsonCowanStep must be a brainmass.Noise"):
        wc.noise_E = 0.3


# --- delays -------------------------------------------------------------------------------------------------
DELAYS = {"delay_EE": 0.62, "delay_IE": 0.82, "delay_EI": 1.06, "delay_II": 0.74}
OSCILLATING = dict(zip("wEE wIE wEI wII a_E theta_E a_I theta_I".split(), OSCILLATORY, strict=True))
DELAYED = {**OSCILLATING, "tau_E": 1.3, "tau_I": 1.1, "r": 0.9, **DELAYS}
STARTS = {"rE_init": Constant(0.1), "rI_init": Constant(0.05)}
START = np.array([0.1, 0.05])


def delayed(n=1, **others):
    options = {k: others.pop(k) for k in list(others) if k not in DELAYED}
    return made(WilsonCowanDelayedStep, {**DELAYED, **others}, n, **{**STARTS, "method": "heun", **options})


def by_method_of_steps(duration, P, Q=0.0, weights=0.0, start=START, **others):
    """The delay equations solved piece by piece, each with the dense output of those before; E and I by region."""
    v = {**DELAYED, **others}
    weights = np.atleast_2d(weights)
    n = len(weights)
    span = min(np.min(v[name]) for name in DELAYS)
    start = np.broadcast_to(np.asarray(start, float).reshape(2, -1), (2, n))
    pieces = []

    def rates_at(t, ago, which):
        """A rate some time ago, by region."""
        ago = np.broadcast_to(ago, n)
        return np.array([start[which, i] if t <= ago[i] else piece(t - ago[i])[which, i] for i in range(n)])

    def piece(t):
        return pieces[min(int(t / span), len(pieces) - 1)](t).reshape(2, n)

    def motion(t, y):
        E, I = y.reshape(2, n)
        x = v["wEE"] * rates_at(t, v["delay_EE"], 0) - v["wIE"] * rates_at(t, v["delay_IE"], 1) + P + weights @ E
        z = v["wEI"] * rates_at(t, v["delay_EI"], 0) - v["wII"] * rates_at(t, v["delay_II"], 1) + Q
        dE = (-E + (1 - v["r"] * E) * F(x, v["a_E"], v["theta_E"])) / v["tau_E"]
        dI = (-I + (1 - v["r"] * I) * F(z, v["a_I"], v["theta_I"])) / v["tau_I"]
        return np.concatenate([dE, dI])

    y, t = start.ravel(), 0.0
    while t < duration - 1e-12:
        end = min(t + span, duration)
        solved = solve_ivp(motion, (t, end), y, "DOP853", dense_output=True, rtol=1e-9, atol=1e-11, max_step=0.2)
        pieces.append(solved.sol)
        y, t = solved.y[:, -1], end
    return lambda t: piece(t)


@pytest.fixture(scope="module")
def truth():
    return by_method_of_steps(6.0, 1.5, 0.3)


def test_delayed_trajectory_by_the_method_of_steps(truth, x64):
    """To 1e-5 at a fine step, throughout a swing of the rates far from that without delay."""
    found = run(delayed(method="rk4"), 6, 0.01, rE_inp=1.5, rI_inp=0.3)
    exact = np.array([truth(t)[:, 0] for t in np.arange(1, 601) * 0.01])
    np.testing.assert_allclose(np.stack([found["rE"][:, 0], found["rI"][:, 0]], 1), exact, atol=1e-5)
    none = run(delayed(method="rk4", **dict.fromkeys(DELAYS, 0.0)), 6, 0.01, rE_inp=1.5, rI_inp=0.3)
    assert np.ptp(exact[:, 0]) > 0.1 and np.abs(none["rE"][:, 0] - exact[:, 0]).max() > 0.05


@pytest.mark.few(1)
@pytest.mark.parametrize(("method", "order"), [("exp_euler", 1), ("euler", 1), ("heun", 2), ("rk4", 2)])
def test_order_with_delays_between_the_steps(method, order, truth, x64):
    """All delays are thirds of a step off the grid, at both steps: the interpolation keeps order two."""
    errors = []
    for dt in 0.06, 0.03:
        found = run(delayed(method=method), 6, dt, rE_inp=1.5, rI_inp=0.3)
        exact = np.array([truth(t)[:, 0] for t in np.arange(1, round(6 / dt) + 1) * dt])
        errors.append(np.abs(np.stack([found["rE"][:, 0], found["rI"][:, 0]], 1) - exact).max())
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.3)


@pytest.mark.few(1)
@pytest.mark.parametrize("method", ["euler", "heun", "rk4", "midpoint"])
def test_no_delay_is_the_classical_model(method, x64):
    none = run(delayed(method=method, **dict.fromkeys(DELAYS, 0.0)), 6, 0.1, rE_inp=1.5)
    classical = {k: x for k, x in DELAYED.items() if k not in DELAYS}
    free = run(made(WilsonCowanStep, classical, method=method, **STARTS), 6, 0.1, rE_inp=1.5)
    for name in "rE", "rI":
        np.testing.assert_allclose(none[name], free[name], rtol=1e-11)


@pytest.mark.slow
def test_no_delay_with_exponential_euler(x64):
    """The exponent holds the leak and the refractoriness alone: the two differ by a first-order term."""
    classical = {k: x for k, x in DELAYED.items() if k not in DELAYS}
    gaps = []
    for dt in 0.1, 0.05:
        none = run(delayed(method="exp_euler", **dict.fromkeys(DELAYS, 0.0)), 6, dt, rE_inp=1.5)
        free = run(made(WilsonCowanStep, classical, **STARTS), 6, dt, rE_inp=1.5)
        gaps.append(np.abs(none["rE"] - free["rE"]).max())
    assert gaps[0] / gaps[1] == pytest.approx(2, abs=0.3)


@pytest.mark.slow
def test_a_delay_shorter_than_a_step_lies_between(x64):
    """A delay of half a step changes a step by half of what a whole one does, to first order."""
    found = {}
    for delay in 0.0, 0.005, 0.01:
        node = delayed(method="heun", **dict.fromkeys(DELAYS, delay))
        found[delay] = run(node, 1, 0.01, rE_inp=1.5)["rE"][-1, 0]
    assert (found[0.005] - found[0.0]) / (found[0.01] - found[0.0]) == pytest.approx(0.5, abs=0.02)


@pytest.mark.slow
def test_delays_by_region(x64):
    """Each region as if alone with its delay; a sheet of regions likewise."""
    delays = np.array([0.2, 0.55, 0.9, 1.1])
    together = run(delayed(4, delay_EE=delays), 4, 0.1, rE_inp=1.5)["rE"]
    for i, delay in ((1, 0.55), (3, 1.1)):
        alone = run(delayed(delay_EE=delay), 4, 0.1, rE_inp=1.5)["rE"]
        np.testing.assert_allclose(together[:, i], alone[:, 0], rtol=1e-12)
    sheet = run(delayed((2, 2), delay_EE=delays.reshape(2, 2)), 4, 0.1, rE_inp=1.5)["rE"]
    np.testing.assert_allclose(sheet.reshape(-1, 4), together, rtol=1e-12)


def gradient_in_delays(given):
    """Of one number at 3 ms, by region of what is given by region; and the function itself."""
    node = delayed(2, delay_EE=np.array([0.62, 0.94]))
    pure = brainmass.Simulator(node, dt=0.06 * u.ms).pure(
        3 * u.ms, monitors=["rE", "rI"], free=list(DELAYS), inputs={"rE_inp": 1.5}
    )

    @jax.jit
    def loss(delays):
        result = pure({k: x * u.ms for k, x in delays.items()}, 0)
        return jnp.sum(result["rE"][-1] + 0.5 * result["rI"][-1] ** 2)

    return jax.jit(jax.grad(loss))(given), loss


@pytest.mark.slow
def test_gradient_in_a_delay(x64):
    """All four, one of them by region, against differences of the run."""
    given = {**{k: jnp.asarray(x) for k, x in DELAYS.items()}, "delay_EE": jnp.array([0.62, 0.94])}
    slopes, loss = gradient_in_delays(given)
    for name, x in given.items():
        for i in np.ndindex(x.shape):
            h = jnp.zeros(x.shape).at[i].set(1e-5)
            expected = (loss({**given, name: x + h}) - loss({**given, name: x - h})) / 2e-5
            assert abs(expected) > 1e-3
            np.testing.assert_allclose(slopes[name][i], expected, rtol=1e-6)


@pytest.mark.slow
def test_gradient_in_a_delay_of_the_exact_solution(x64):
    given = {**{k: jnp.asarray(x) for k, x in DELAYS.items()}, "delay_EE": jnp.array([0.62, 0.94])}
    exact = []
    for delay in 0.63, 0.61:
        rE, rI = by_method_of_steps(3.0, 1.5, delay_EE=delay)(3.0)[:, 0]
        exact.append(rE + 0.5 * rI**2)
    assert float(gradient_in_delays(given)[0]["delay_EE"][0]) == pytest.approx((exact[0] - exact[1]) / 0.02, rel=0.05)


@pytest.mark.slow
def test_gradient_in_a_delay_of_zero_is_that_to_its_right(x64):
    node = delayed(method="euler", **dict.fromkeys(DELAYS, 0.0))
    pure = brainmass.Simulator(node, dt=0.1 * u.ms).pure(
        1 * u.ms, monitors=["rE"], free=["delay_EE"], inputs={"rE_inp": 1.5}
    )

    def last(delay):
        return pure({"delay_EE": delay * u.ms}, 0)["rE"][-1, 0]

    last = jax.jit(last)
    expected = float(last(1e-6) - last(0.0)) / 1e-6
    assert abs(expected) > 1e-3 and float(jax.jit(jax.grad(last))(0.0)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_a_history_does_not_wrap_around(x64):
    """Beyond its depth it gives what is oldest, with slope zero."""
    history = History(4)
    history.fill(jnp.zeros(1))
    for x in 1.0, 2.0, 3.0, 4.0, 5.0:
        history.push(jnp.asarray([x]))
    found = [float(history.ago(jnp.asarray([steps]))[0]) for steps in (0.0, 0.25, 2.5, 3.0, 3.5, 4.0, 7.3)]
    assert found == [5.0, 4.75, 2.5, 2.0, 2.0, 2.0, 2.0]
    assert np.all(jax.vmap(jax.grad(lambda s: history.ago(s)[0]))(jnp.array([3.5, 4.2])) == 0)


@pytest.mark.parametrize(("trainable", "reach"), [(False, 1.1), (True, 2.2)])
def test_a_delay_that_outgrows_the_history_reads_its_oldest(trainable, reach, x64):
    """A trainable delay may double; from the depth on, nothing changes."""
    node = delayed()
    node.delay_EI = Param(1.06 * u.ms, fit=True) if trainable else 1.06 * u.ms
    pure = brainmass.Simulator(node, dt=0.1 * u.ms).pure(4 * u.ms, monitors=["rE"], free=["delay_EI"])
    last = jax.jit(lambda delay: pure({"delay_EI": delay * u.ms}, 0)["rE"][-1, 0])
    assert last(2.9) == last(3.3) and last(1.0) != last(reach)
    exact = run(delayed(delay_EI=reach), 4, 0.1)["rE"][-1, 0]
    np.testing.assert_allclose(last(reach), exact, rtol=1e-9)


@pytest.mark.slow
def test_a_run_of_numbers_has_the_history_of_the_model():
    """A pure run that is not compiled keeps to the room that was made, as a compiled one does."""
    pure = brainmass.Simulator(delayed(), dt=0.1 * u.ms).pure(0.3 * u.ms, monitors=["rE"], free=["delay_EI"])

    def rates(delay):
        return pure({"delay_EI": delay * u.ms}, 0)["rE"]

    np.testing.assert_allclose(rates(1.1), jax.jit(rates)(1.1), rtol=1e-6)
    with pytest.raises(ValueError, match="must be at most 1.1 ms"):
        rates(2.0)


@pytest.mark.slow
def test_the_history_follows_the_delays_and_the_step(x64):
    node = delayed()
    run(node, 1, 0.1)
    for delay, dt in (2.0, 0.1), (0.3, 0.05):
        node.delay_EI = delay * u.ms
        found = run(node, 2.5, dt, rE_inp=1.5)["rE"]
        np.testing.assert_array_equal(found, run(delayed(delay_EI=delay), 2.5, dt, rE_inp=1.5)["rE"])


@pytest.mark.slow
def test_the_history_follows_a_delay_set_in_place(x64):
    node = delayed()
    run(node, 1, 0.1)
    node.delay_EE.set_value(2.5 * u.ms)
    found, expected = (run(x, 4, 0.1, rE_inp=1.5)["rE"] for x in (node, delayed(delay_EE=2.5)))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
def test_a_second_run_does_not_compile():
    node, n = delayed(), []
    simulator = brainmass.Simulator(node, dt=0.1 * u.ms)
    for delay in 1.06, 1.06, 1.02:
        node.delay_EI.set_value(delay * u.ms)
        simulator.run(2 * u.ms, seed=0)
        n.append(len(simulator._programs))
    assert n == [1, 1, 1]
    node.delay_EI.set_value(2.0 * u.ms)
    simulator.run(2 * u.ms, seed=0)
    assert len(simulator._programs) == 2


@pytest.mark.slow
def test_a_delayed_run_goes_on_where_it_ended():
    whole = brainmass.Simulator(delayed(2), dt=0.1 * u.ms).run(6 * u.ms, seed=0, inputs={"rE_inp": 1.5})["rE"]
    simulator = brainmass.Simulator(delayed(2), dt=0.1 * u.ms)
    first = simulator.run(2.5 * u.ms, seed=0, inputs={"rE_inp": 1.5})
    then = simulator.run(3.5 * u.ms, state=first.final, inputs={"rE_inp": 1.5})["rE"]
    np.testing.assert_array_equal(np.concatenate([first["rE"], then]), whole)
    simulator.model.delay_EE = 5 * u.ms
    with says(ValueError, "`state` of run must belong to this run, but its `_past.history` has shape"):
        simulator.run(1 * u.ms, state=first.final)


@pytest.mark.slow
def test_batch_of_delayed_runs():
    """Each lane is the run with its key."""

    def random():
        return brainmass.Simulator(delayed(2, rE_init=Uniform(0.0, 0.4)), dt=0.1 * u.ms)

    key = jax.random.key(3)
    lanes = random().run(4 * u.ms, batch_size=2, seed=key, inputs={"rE_inp": 1.5})["rE"]
    alone = random().run(4 * u.ms, seed=jax.random.fold_in(key, 1), inputs={"rE_inp": 1.5})["rE"]
    np.testing.assert_allclose(lanes[:, 1], alone, rtol=1e-5)
    assert np.abs(lanes[-1, 0] - lanes[-1, 1]).max() > 1e-3


@pytest.mark.slow
def test_batch_of_delayed_steps_by_hand():
    """Each lane is the run from its start."""
    brainstate.environ.set(dt=0.1 * u.ms)
    starts = np.array([[0.05, 0.2], [0.3, 0.1]])
    node = delayed(2, rE_init=at(starts))
    brainstate.nn.init_all_states(node, batch_size=2)
    by_hand = brainstate.transform.for_loop(lambda i: node.update(1.5), np.arange(40))
    for lane in range(2):
        np.testing.assert_allclose(
            by_hand[:, lane], run(delayed(2, rE_init=at(starts[lane])), 4, 0.1, rE_inp=1.5)["rE"], rtol=2e-5
        )


@pytest.mark.slow
def test_delayed_steps_by_hand():
    """In a loop and one by one, as in a Simulator; a reset forgets the past."""
    brainstate.environ.set(dt=0.1 * u.ms)
    expected = run(delayed(), 4, 0.1, rE_inp=1.5)["rE"]
    node = delayed()
    node.init_all_states()
    looped = brainstate.transform.for_loop(lambda i: node.update(1.5), np.arange(40))
    np.testing.assert_allclose(looped, expected, rtol=1e-5)
    node.reset_state()
    one_by_one = [node.update(1.5) for _ in range(20)]
    np.testing.assert_allclose(one_by_one, expected[:20], rtol=1e-5)


def test_delayed_steps_need_the_time_step_first():
    node = delayed()
    node.init_all_states()
    with brainstate.environ.context(dt=0.1 * u.ms):
        with says(ValueError, "WilsonCowanDelayedStep has no past yet, and must know the time step"):
            brainstate.transform.for_loop(lambda i: node.update(1.5), np.arange(4))
        node.update(1.5)  # outside of a loop it finds its own
    with brainstate.environ.context(dt=0.2 * u.ms):
        with says(ValueError, "has its past in steps of 0.1 ms, and must know the time step, now 0.2 ms"):
            brainstate.transform.for_loop(lambda i: node.update(1.5), np.arange(4))

    @jax.jit
    def traced(dt):
        with brainstate.environ.context(dt=dt * u.ms):
            delayed().init_all_states()

    with says(ValueError, "must know the time step"):
        traced(0.1)


def test_derivative_reads_the_past(x64):
    """Before there are states: of the given rates. Then of the rates as they were."""
    node, values = delayed(), {k: x for k, x in DELAYED.items() if k not in DELAYS}
    state = (jnp.array([0.3]), jnp.array([0.2]))
    expected = step((0.3, 0.2), 1.5, 0.1, **values)
    np.testing.assert_allclose(
        [x.to_decimal(PER_MS)[0] for x in node.derivative(state, 0 * u.ms, 1.5, 0.1)], expected, rtol=1e-12
    )

    recorded = run(node, 3, 0.02, rE_inp=1.5)
    past = {
        name: np.concatenate([[start], recorded[name][:, 0]]) for name, start in zip(("rE", "rI"), START, strict=True)
    }
    ago = {k: round(x / 0.02) for k, x in DELAYS.items()}  # whole steps
    E, I = past["rE"][-1], past["rI"][-1]
    x = values["wEE"] * past["rE"][-1 - ago["delay_EE"]] - values["wIE"] * past["rI"][-1 - ago["delay_IE"]] + 1.5
    z = values["wEI"] * past["rE"][-1 - ago["delay_EI"]] - values["wII"] * past["rI"][-1 - ago["delay_II"]] + 0.1
    expected = [
        (-E + (1 - 0.9 * E) * F(x, values["a_E"], values["theta_E"])) / 1.3,
        (-I + (1 - 0.9 * I) * F(z, values["a_I"], values["theta_I"])) / 1.1,
    ]
    found = node.derivative((node.rE.value, node.rI.value), 3 * u.ms, 1.5, 0.1)
    np.testing.assert_allclose([x.to_decimal(PER_MS)[0] for x in found], expected, rtol=1e-10)


@pytest.mark.slow
def test_delayed_nodes_in_a_network(x64):
    """Two regions that excite each other without delay, each with its own delays: solved by the method of steps."""
    W = np.array([[0.0, 3.0], [5.0, 0.0]])
    delays = {"delay_EE": np.array([0.62, 0.7]), "delay_EI": np.array([1.06, 0.5])}
    start = np.array([[0.1, 0.3], [0.05, 0.2]])
    exact = by_method_of_steps(4.0, 1.0, weights=0.5 * W, start=start, **delays)

    def network():
        node = delayed(2, **delays, rE_init=at(start[0]), rI_init=at(start[1]))
        return brainmass.Network(node, conn=W, k=0.5, coupling="additive", coupled_var="rE")

    result = brainmass.Simulator(network(), dt=0.02 * u.ms).run(4 * u.ms, inputs={"rE_inp": 1.0}, seed=0)
    times = np.arange(1, 201) * 0.02
    np.testing.assert_allclose(result["rE"], [exact(t)[0] for t in times], atol=2e-4)
    brainstate.environ.set(dt=0.02 * u.ms)
    net = network()
    brainstate.nn.init_all_states(net)
    by_hand = brainstate.transform.for_loop(lambda i: net.update(1.0), np.arange(200))
    np.testing.assert_allclose(by_hand, result["rE"], rtol=1e-10)
