"""Models and presets with all their defaults, against scipy's solution of the same equations at tight tolerance."""

import warnings
from dataclasses import dataclass, field

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from long_models import LONG
from scipy.integrate import solve_ivp

import brainmass as bm
from brainmass.dynamics.regime import LargestStep, longest_step


@dataclass
class Case:
    """Starts and inputs side by side, and whether each of them comes to rest, oscillates, or is chaotic."""

    model: type
    preset: str | None
    kinds: list[str]
    duration: float = 400.0
    starts: dict = field(default_factory=dict)
    inputs: dict | None = None  # else those of the preset
    others: dict = field(default_factory=dict)
    window: float = 0.5  # the last part of the run, which is compared

    def node(self):
        starts = {self.model._states[s].init: lambda shape, x=x: jnp.asarray(x) for s, x in self.starts.items()}
        make = (lambda n, **k: self.model.preset(self.preset, n, **k)) if self.preset else self.model
        return make(len(self.kinds), **starts, **self.others)

    def given(self):
        preset = self.model.presets[self.preset].inputs if self.preset else {}
        ones = np.ones(len(self.kinds))
        return {port: x * ones for port, x in (preset if self.inputs is None else self.inputs).items()}


MPR, WC, LB = bm.MontbrioPazoRoxinStep, bm.WilsonCowanStep, bm.LarterBreakspearStep
TWO_STATES = {"r": [0.02, 1500.0], "v": [0.02, 0.0]}
PLANE = {"x": [0.1], "y": [0.0]}
NEAR = {"E": [2.0], "I": [9.0], "W_e": [75.0]}
ZERLAUT = [bm.ZerlautStep, bm.ZerlautSecondOrderStep]
PRESETS = [
    # a quiet state of some Hz and an active one near 1000 Hz
    Case(MPR, "bistable", ["rest", "rest"], 100, TWO_STATES),
    Case(MPR, "resting_state", ["rest", "rest"], 100, TWO_STATES),
    Case(bm.MontbrioAdaptationStep, "bursting", ["cycle"], 400),
    Case(bm.MontbrioDepressionStep, "bursting", ["cycle"], 400),
    Case(bm.TsodyksMarkramStep, "bursting", ["cycle"], 2500, {"E": [15.0], "x": [1.0]}),
    Case(bm.MontbrioDopamineStep, "bursting", ["cycle"], 300),
    Case(bm.MontbrioDopamineStep, "dopamine", ["rest"], 3000, window=0.1),
    Case(bm.DumontGutkinStep, "interneuron_gamma", ["cycle"], 400),
    Case(bm.CostaCortexStep, "n2", ["rest"], 2000, window=1.0),
    Case(bm.CostaCortexStep, "n3", ["cycle"], 8000, window=0.6),
    Case(WC, "hysteresis", ["rest", "rest"], 60, {"rE": [0.0, 0.5], "rI": [0.0, 0.1]}),
    Case(WC, "oscillatory", ["rest", "cycle"], 160, inputs={"rE_inp": np.array([0.0, 1.25])}),
    # the alpha rhythm at inputs from 140 to 315 Hz, rest outside
    Case(
        bm.JansenRitStep, "alpha", ["rest", "cycle", "cycle", "cycle", "rest"], 6000,
        inputs={"E_inp": np.array([0.0, 140.0, 220.0, 300.0, 450.0]) * u.Hz}, window=1 / 6,
    ),
    # rest, oscillation between inputs of 0.33 and 1.42, rest
    Case(
        bm.FitzHughNagumoStep, "classic", ["rest", "cycle", "cycle", "rest"], 400,
        {"V": [0.0] * 4, "w": [0.0] * 4}, {"V_inp": np.array([0.3, 0.5, 1.35, 1.5])},
    ),
    Case(bm.Generic2dOscillatorStep, "excitable", ["rest", "cycle"], 2000, others={"a": np.array([-2.0, 2.0])}),
    Case(bm.Generic2dOscillatorStep, "bistable", ["cycle", "rest"], 6000, {"V": [0.0, 3.0], "W": [0.0, -5.0]}),
    Case(bm.Generic2dOscillatorStep, "morris_lecar", ["rest", "rest"], 6000, {"V": [0.0, 3.0], "W": [0.0, -5.0]}),
    Case(LB, "fixed_point", ["rest"], 600, {"V": [-0.1], "W": [0.2], "Z": [0.1]}),
    Case(LB, "limit_cycle", ["cycle"], 300, {"V": [-0.1808], "W": [0.2183], "Z": [0.0996]}, window=0.7),
    Case(LB, "chaos", ["chaos"], 4000, {"V": [-0.1], "W": [0.2], "Z": [0.1]}, window=0.9),
    Case(bm.EpileptorStep, "epileptogenic", ["cycle"], 5000, window=0.9),
    Case(bm.Epileptor2DStep, "epileptogenic", ["cycle"], 7000, window=0.9),
    Case(bm.EpileptorRestingStateStep, "resting", ["rest"], 400, window=1.0),
    Case(bm.EpileptorCodim3Step, "c2s", ["cycle"], 3600, window=0.9),
    Case(bm.ReducedWongWangStep, "resting", ["rest", "rest"], 3000, {"S": [0.0, 0.9]}),
    Case(bm.ReducedWongWangStep, "parametric", ["rest", "rest"], 3000, {"S": [0.0, 0.9]}),
    Case(bm.LorenzStep, "chaotic", ["chaos"], 200, window=0.9),
    *(Case(bm.WendlingStep, name, ["cycle"], 3000) for name in ("rhythmic_spikes", "quasi_sinusoidal")),
    *(
        Case(bm.WendlingStep, name, ["rest"], 500, window=1.0)
        for name in ("background", "sporadic_spikes", "slow_rhythm", "low_voltage_fast")
    ),
    Case(bm.LileyStep, "alpha", ["rest"], 1000, window=1.0),
    *(Case(m, p, ["rest"], 300, NEAR, window=1.0) for m in ZERLAUT for p in m.presets),
]  # fmt: skip
UNDELAYED = [m.name for m in bm.list_models() if m.name.startswith("WilsonCowan") and "Delayed" not in m.name]
OF_WILSON_COWAN = [getattr(bm, name) for name in UNDELAYED]
DEFAULTS = [
    Case(bm.HopfStep, None, ["cycle"], 2000, PLANE),
    Case(bm.StuartLandauStep, None, ["cycle"], 2000, PLANE),
    Case(bm.VanDerPolStep, None, ["cycle"], 100, PLANE),
    Case(bm.CoombesByrneStep, None, ["rest"], 20, window=1.0),
    Case(bm.CoombesByrneSynapseStep, None, ["cycle"], 60),
    Case(bm.CoombesByrneExcInhStep, None, ["cycle"], 600),
    Case(bm.KIonExStep, None, ["rest"], 200, window=1.0),
    Case(bm.CostaThalamusStep, None, ["cycle"], 600, window=0.5),
    Case(bm.ThresholdLinearStep, None, ["rest"], 100, inputs={"E_inp": 100.0, "I_inp": 50.0}, window=1.0),
    Case(bm.LinearStep, None, ["rest"], 3, inputs={"x_inp": 1.0}, window=1.0),
    Case(bm.StefanescuJirsaFitzHughNagumoStep, None, ["rest"], 20, {"xi_1": [0.1]}, window=1.0),
    Case(bm.StefanescuJirsaHindmarshRoseStep, None, ["rest"], 20, {"xi_1": [0.1]}, window=1.0),
    Case(bm.HopfieldStep, None, ["rest"], 10, {"x": [1.0], "theta": [0.5]}, {"x_inp": 0.3}, window=1.0),
    Case(bm.EpileptorCodim3SlowModStep, None, ["rest"], 1500, window=1.0),  # it never repeats itself
    Case(bm.ZetterbergJansenStep, None, ["rest", "rest"], 400, inputs={"c": np.array([0.0, 200.0]) * u.Hz}, window=1.0),
    Case(bm.ERPColumnStep, None, ["rest"], 400, inputs={"u_inp": 100.0 * u.Hz}, window=1.0),
    Case(bm.CanonicalMicrocircuitStep, None, ["rest"], 200, inputs={"ss_inp": 100.0 * u.Hz}, window=1.0),
    Case(bm.WongWangStep, None, ["rest"], 2000, inputs={"coherence": 0.3}, window=1.0),
    Case(bm.WongWangExcInhStep, None, ["rest"], 400, inputs={"coupling": 0.1}, window=1.0),
    Case(bm.WongWangPlasticInhibitionStep, None, ["rest"], 400, inputs={"current_i": 0.01}, window=1.0),
    *(Case(m, None, ["rest"], 20, inputs={"rE_inp": 1.25}, window=1.0) for m in OF_WILSON_COWAN),
]  # fmt: skip


def exact(case):
    """The solution by scipy, (time, states, regions), at multiples of 0.1 ms or of a shorter step."""
    with jax.enable_x64(True):
        node = case.node()
        node.init_state()
        states = list(node._states.values())
        units = [u.UNITLESS if s.unit is None else s.unit for s in states]
        held = {p: u.maybe_decimal(0.0 * unit) for p, unit in node._port_units.items()}
        held |= {p: node._read(p, x) for p, x in case.given().items()}

        @jax.jit
        def rates(y):
            rows = y.reshape(len(states), -1)
            found = node.derivative(
                tuple(u.maybe_decimal(x * unit) for x, unit in zip(rows, units, strict=True)), 0 * u.ms, *held.values()
            )
            return jnp.stack([u.Quantity(x).to_decimal(n / u.ms) for x, n in zip(found, units, strict=True)]).ravel()

        start = [u.Quantity(x).to_decimal(n) for x, n in zip(node.state_values().values(), units, strict=True)]
        every = min(0.1, longest_step(case.model))
        times = np.arange(1, round(case.duration / every) + 1) * every
        solved = solve_ivp(
            lambda t, y: np.asarray(rates(y)), (0, times[-1]), np.ravel(start), "LSODA", times, rtol=1e-8, atol=1e-10
        )
        return times, np.moveaxis(solved.y.reshape(len(states), -1, len(times)), 2, 0)


def period(x, step):
    up = np.flatnonzero((x[1:] >= x.mean()) & (x[:-1] < x.mean()))
    return np.diff(up).mean() * step if len(up) > 2 else np.nan


def check_run(case, dt, times, truth):
    node = case.node()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = int(case.duration / dt + 1e-6) * dt * u.ms
        result = bm.Simulator(node, dt=dt * u.ms).run(whole, inputs=case.given(), seed=0)
    ours = np.stack([u.Quantity(result[s]).to_decimal(spec.unit or u.UNITLESS) for s, spec in node._states.items()], 1)
    stride = round(dt / (times[1] - times[0]))
    truth = truth[stride - 1 :: stride]
    first = round(len(truth) * (1 - case.window))
    ours, truth = ours[first:], truth[first:]
    assert len(ours) == len(truth)
    for region, kind in enumerate(case.kinds):
        for name, a, b in zip(node._states, ours[..., region].T, truth[..., region].T, strict=True):
            where = f"{case.model.__name__} {case.preset}: {name}[{region}] at {dt} ms"
            swing, size = np.ptp(b), np.abs(b).max()
            largest = np.abs(truth[:, list(node._states).index(name)]).max()  # in all regions
            rounding = 1e-5 * largest
            if kind == "rest" and case.window < 1:
                assert swing <= 0.01 * largest, f"{where} does not rest"
                np.testing.assert_allclose(a, b.mean(), atol=0.01 * largest, err_msg=where)
                continue
            tolerance = 0.1 if kind == "chaos" else 0.03
            q = [0.02, 0.25, 0.5, 0.75, 0.98] if kind == "chaos" else [0.0, 0.25, 0.5, 0.75, 1.0]
            np.testing.assert_allclose(
                np.quantile(a, q), np.quantile(b, q), atol=tolerance * swing + rounding, err_msg=where
            )
            if kind == "cycle" and name == next(iter(node._states)):
                assert swing > 0.05 * size, f"{where} does not oscillate"
                np.testing.assert_allclose(period(a, dt), period(b, dt), rtol=0.03, err_msg=where)


def steps(case):
    largest = min(longest_step(case.model), longest_step(case.node()))  # that of the preset may be shorter
    largest = largest if largest < 0.1 else int(largest * 10 + 1e-6) / 10  # at which the solution is sampled
    return sorted({min(0.1, largest), min(largest, 2.0)})


def named(case):
    return f"{case.model.__name__}-{case.preset}"


LONG_RUNS = {"chaos", "epileptogenic", "chaotic", "c2s"}
SLOW = [c for c in PRESETS if c.preset in LONG_RUNS or c.model.__name__ in LONG]
MARKED = [pytest.param(c, marks=pytest.mark.slow) if c in SLOW else c for c in PRESETS]


@pytest.mark.parametrize("case", MARKED, ids=named)
def test_presets_do_what_their_text_says(case):
    times, truth = exact(case)
    for dt in steps(case):
        check_run(case, dt, times, truth)


@pytest.mark.slow
@pytest.mark.parametrize("case", DEFAULTS, ids=named)
def test_defaults_hold_up_to_the_largest_step(case):
    times, truth = exact(case)
    for dt in steps(case):
        check_run(case, dt, times, truth)


def test_every_preset_and_every_declared_step_is_tested():
    models = [getattr(bm, info.name) for info in bm.list_models()]
    of_presets = {(m, preset) for m in models for preset in getattr(m, "presets", {})}
    # delays are not for scipy; they have tests of their own
    delayed = {bm.WilsonCowanDelayedStep, bm.RobinsonStep, bm.ALNStep}
    assert {(m, preset) for m, preset in of_presets if m not in delayed} == {(c.model, c.preset) for c in PRESETS}
    declared = {m for m in models if getattr(m, "largest_step", None) is not None}
    elsewhere = {bm.KuramotoNetwork, *delayed}  # the first is a network
    assert declared - elsewhere <= {case.model for case in PRESETS + DEFAULTS}


# As in the papers, copied from there: Wilson and Cowan's c2 is from I to E, c3 from E to I; Jansen and Rit's p is drawn
# evenly from 120 to 320 Hz; the rest of a preset are the defaults.
PUBLISHED = {
    (bm.EpileptorStep, "epileptogenic"): dict(x0=-1.6, r=1 / 2857, Iext=3.1, Iext2=0.45, tau=10.0, c=1.0),
    (bm.Epileptor2DStep, "epileptogenic"): dict(x0=-1.6, r=1 / 2857, Iext=3.1, a=1.0, b=3.0, c=1.0, d=5.0),
    (bm.EpileptorRestingStateStep, "resting"): dict(x0=-2.2, a_rs=1.74, b_rs=-10.0, d_rs=0.02, e_rs=3.0, f_rs=1.0),
    (bm.EpileptorCodim3Step, "c2s"): dict(
        mu1_start=-0.02285, mu2_start=0.3448, nu_start=0.2014, mu1_stop=-0.07465, mu2_stop=0.3351, nu_stop=0.2053, R=0.4
    ),
    (bm.ReducedWongWangStep, "resting"): dict(
        w=0.9, J_N=0.2609 * u.nA, I_0=0.3 * u.nA, gamma=0.641, tau_S=100 * u.ms, d=0.154 * u.second, b=108 * u.Hz
    ),
    (bm.ReducedWongWangStep, "parametric"): dict(w=0.63, I_0=0.272 * u.nA, G=6.43 * 0.2),
    (bm.FitzHughNagumoStep, "classic"): dict(
        delta=-0.7, epsilon=0.8, alpha=1 / 3, beta=0.0, gamma=1.0, tau=12.5 * u.ms, V_inp=0.5
    ),
    (bm.CostaCortexStep, "n2"): dict(sigma_p=4.7 * u.mV, g_KNa=1.33 * u.mS / u.cm**2),
    (bm.CostaCortexStep, "n3"): dict(sigma_p=6.0 * u.mV, g_KNa=2.0 * u.mS / u.cm**2),
    (bm.Generic2dOscillatorStep, "excitable"): dict(a=-2.0, b=-10.0, c=0.0, d=0.02),
    (bm.Generic2dOscillatorStep, "bistable"): dict(a=1.0, b=0.0, c=-5.0, d=0.02),
    (bm.Generic2dOscillatorStep, "morris_lecar"): dict(a=0.5, b=0.6, c=-4.0, d=0.02),
    (bm.JansenRitStep, "alpha"): dict(
        Ae=3.25 * u.mV, Ai=22 * u.mV, be=100 * u.Hz, bi=50 * u.Hz, C=135.0, E_inp=(120 + 320) / 2 * u.Hz
    ),
    (LB, "fixed_point"): dict(gCa=1.0, C=0.0, d_V=0.5),
    (LB, "limit_cycle"): dict(gCa=1.0, C=0.0, d_V=0.57),
    (LB, "chaos"): dict(gCa=1.0, C=0.0, d_V=0.65),
    (bm.LorenzStep, "chaotic"): dict(sigma=10.0, rho=28.0, beta=8 / 3),
    (bm.MontbrioAdaptationStep, "bursting"): dict(delta=2.0, J=15 * 2**0.5, alpha=10.0, tau_A=10 * u.ms),
    (bm.MontbrioDepressionStep, "bursting"): dict(delta=2.0, J=15 * 2**0.5, alpha=0.5, tau_A=10 * u.ms),
    (bm.TsodyksMarkramStep, "bursting"): dict(
        J=3.07, alpha=1.5 * u.Hz, tau=13 * u.ms, tau_D=200 * u.ms, tau_F=1.5 * u.second, U=0.3
    ),
    (bm.MontbrioDopamineStep, "bursting"): dict(
        a=0.04 / u.mV / u.ms, b=5 / u.ms, c=140 * u.mV / u.ms, eta=12 * u.mV / u.ms, Delta=5 * u.mV / u.ms, V_max=1300.0
    ),
    (bm.MontbrioDopamineStep, "dopamine"): dict(B_d=0.2, R_d=1.0, S_p=-1.0, c_dopa=1.0 * u.Hz),
    (bm.DumontGutkinStep, "interneuron_gamma"): dict(
        tau_I=10 * u.ms, tau_s=5 * u.ms, eta_I=4.0, Delta_I=0.3, wII=21.0
    ),
    (bm.LileyStep, "alpha"): dict(
        h_e_rest=-68.1355 * u.mV, Gamma_ie=0.4947 * u.mV, gamma_ie=0.0791 / u.ms, p_ee=3.6032 / u.ms
    ),
    **{
        (bm.WendlingStep, name): dict(A=5 * u.mV, B=B * u.mV, G=G * u.mV, p=90 * u.Hz)
        for name, B, G in (
            ("background", 50, 15), ("sporadic_spikes", 40, 15), ("rhythmic_spikes", 25, 15), ("slow_rhythm", 10, 15),
            ("low_voltage_fast", 5, 25), ("quasi_sinusoidal", 15, 0),
        )
    },
    (MPR, "bistable"): dict(delta=1.0 / u.ms, eta=-5.0, J=15.0, tau=1.0 * u.ms),
    (MPR, "resting_state"): dict(delta=0.7 / u.ms, eta=-4.6, J=14.5, tau=1.0 * u.ms),
    (WC, "hysteresis"): dict(wEE=12, wIE=4, wEI=13, wII=11, a_E=1.2, theta_E=2.8, a_I=1.0, theta_I=4.0),
    (WC, "oscillatory"): dict(
        wEE=16, wIE=12, wEI=15, wII=3, a_E=1.3, theta_E=4.0, a_I=2.0, theta_I=3.7, rE_inp=1.25
    ),
    **{
        (m, preset): {**given, "external_input_ex_ex": drive, "external_input_in_ex": drive}
        for m in ZERLAUT
        for preset, drive, given in [
            ("asynchronous", 2.5 * u.Hz, dict(Q_e=1.5 * u.nS, a_e=4 * u.nS, b_e=60 * u.pA, T=20 * u.ms)),
            ("zerlaut_2018", 4 * u.Hz, dict(C_m=150 * u.pF, Q_e=1 * u.nS, a_e=0 * u.nS, b_e=0 * u.pA, T=5 * u.ms)),
        ]
    },
}  # fmt: skip


@pytest.mark.parametrize("case", PRESETS, ids=named)
def test_presets_have_the_numbers_of_the_papers(case):
    node, inputs = case.model.preset(case.preset, 1), case.model.presets[case.preset].inputs
    for name, published in PUBLISHED[case.model, case.preset].items():
        found = inputs[name] if name in inputs else getattr(node, name).value()
        unit = u.get_unit(published)
        assert float(np.ravel(u.Quantity(found).to_decimal(unit))[0]) == pytest.approx(
            u.get_mantissa(published), rel=1e-4
        ), name
    assert inputs.keys() <= PUBLISHED[case.model, case.preset].keys()


# --- numbers that presets, papers and the catalogue name ----------------------------------------------------------
def test_alpha_rhythm_and_the_limit_cycle_of_wilson_and_cowan():
    """10.5 Hz at 140 pulses a second (exp_euler at 0.1 ms: 4 Hz); a period of 5.00 ms (8.66 ms)."""
    column = bm.JansenRitStep.preset("alpha", 1)
    run = bm.Simulator(column, dt=0.1 * u.ms).run(
        4000 * u.ms, inputs={"E_inp": 140 * u.Hz}, monitors=["eeg"], transient=2000 * u.ms, seed=0
    )
    eeg = np.asarray(run["eeg"].to_decimal(u.mV))[:, 0]
    assert 1000 / period(eeg, 0.1) == pytest.approx(10.4, abs=0.1)
    node = WC.preset("oscillatory", 1)
    run = bm.Simulator(node, dt=0.1 * u.ms).run(
        200 * u.ms, inputs=WC.presets["oscillatory"].inputs, transient=100 * u.ms, seed=0
    )
    assert period(np.asarray(run["rE"])[:, 0], 0.1) == pytest.approx(5.0, abs=0.05)
    assert np.ptp(np.asarray(run["rE"])) == pytest.approx(0.170, abs=0.003)


# --- what is said of the method and its step --------------------------------------------------------------------------
@pytest.mark.filterwarnings("ignore:State `")  # which the large step takes below 0
def test_a_larger_step_is_told():
    node = MPR(2)
    with pytest.warns(
        UserWarning, match=r"0\.5 ms, is larger than .* MontbrioPazoRoxinStep, 0\.1 ms \(0\.1 tau\)"
    ) as told:
        bm.Simulator(node, dt=0.5 * u.ms).run(1 * u.ms, seed=0)
    assert told[0].filename == __file__ and "dt=0.1 * u.ms" in str(told[0].message)
    net = bm.Network(
        {"a": MPR(2), "b": MPR(2, tau=5.0 * u.ms)},
        projections=[bm.Projection(np.ones((2, 2)), coupled_var="r", source="a", target="b")],
    )
    with pytest.warns(UserWarning, match="MontbrioPazoRoxinStep") as told:
        bm.Simulator(net, dt=0.5 * u.ms).run(1 * u.ms, seed=0)
    assert sum("is larger than" in str(warning.message) for warning in told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bm.Simulator(node, dt=0.1 * u.ms).pure(1.0 * u.ms)
    with pytest.warns(UserWarning, match="0.101 ms, is larger than"):
        bm.Simulator(node, dt=0.101 * u.ms).pure(1.01 * u.ms)


def test_the_largest_step_follows_the_parameters():
    assert longest_step(MPR(2, tau=[2.0, 30.0] * u.ms)) == pytest.approx(0.2)
    assert longest_step(bm.JansenRitStep(1, be=0.2 / u.ms)) == pytest.approx(0.5)
    assert longest_step(bm.HopfStep(3, w=[0.1, -0.6, 0.0], a=0.0)) == pytest.approx(0.28 / 0.6)
    assert LargestStep(over={"K": 0.2}).given(lambda name: 0.0) == np.inf
    bm.Simulator(MPR(2, tau=10 * u.ms), dt=1 * u.ms).run(2 * u.ms, seed=0)  # without a warning
    with pytest.raises(TypeError, match="largest_step must follow parameters of the model, but names {'tua'}"):
        type("Mine", (MPR,), {"largest_step": LargestStep(of={"tua": 0.1})})


def test_the_result_the_catalogue_and_the_table_name_the_method():
    assert bm.Simulator(bm.EpileptorStep(1), dt=0.05 * u.ms).run(1 * u.ms, seed=0).provenance["method"] == "rk4"
    result = bm.Simulator(WC(1), dt=0.05 * u.ms).run(1 * u.ms, seed=0)
    assert "(WilsonCowanStep, heun, seed 0)" in repr(result)
    info = {row.name: row for row in bm.list_models()}
    assert (info["WilsonCowanStep"].method, info["WilsonCowanStep"].largest_step) == ("heun", 0.1)
    assert info["LinearStep"].method == "exp_euler" and info["HORNStep"].method == "symplectic_euler"
    assert "up to 0.1 ms (the least of 0.1 tau_E, 0.1 tau_I)" in WC.__doc__


def test_a_parameter_that_a_run_is_free_to_set_does_not_count():
    node = bm.HopfStep(1, w=0.2)
    bm.Simulator(node, dt=10 * u.ms).pure(20 * u.ms, free=["w"])  # its value is known later
    with pytest.warns(UserWarning, match=r"HopfStep, 1\.4 ms"):
        bm.Simulator(node, dt=10 * u.ms).pure(20 * u.ms, free=["a"])
