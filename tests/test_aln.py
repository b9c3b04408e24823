"""The adaptive linear-nonlinear model against the Siegert formula, and against numbers of neurolib (`truths/`)."""

import json
from pathlib import Path

import brainunit as u
import jax
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import erfcx

import brainmass as bm
from brainmass.dynamics.regime import longest_step
from brainmass.models.aln.fokker_planck import rate_response, stationary
from brainmass.models.aln.table import default_table

TRUTH = json.loads((Path(__file__).parent / "truths" / "neurolib_aln.json").read_text())
PER_MS, PER_ROOT = u.mV / u.ms, u.mV / u.ms**0.5


# --- the table ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("mu", "sigma"), [(0.3, 2.0), (0.8, 1.0), (2.0, 3.0)])
def test_rate_of_a_leaky_neuron_is_that_of_siegert(mu, sigma):
    """Without exponential, r = 1 / (Tref + tau sqrt(pi) int erfcx(-x) dx), over voltages in units of their spread."""
    neuron = bm.ExponentialNeuron(DeltaT=0.0, Vs=-50.0)
    tau = neuron.C / neuron.gL
    ends = [(V - neuron.EL - mu * tau) / (sigma * tau**0.5) for V in (neuron.Vr, neuron.Vs)]
    passage = tau * np.pi**0.5 * quad(lambda x: erfcx(-x), *ends)[0]
    found, _ = stationary(neuron, np.array([mu]), np.array([sigma]))
    assert found[0] == pytest.approx(1 / (neuron.Tref + passage), rel=1e-4)


def test_response_to_slow_input_is_the_slope_of_the_rate():
    neuron, mu, sigma, h = bm.ExponentialNeuron(), np.array([0.5, 1.5]), np.array([2.0, 1.0]), 1e-3
    response = rate_response(neuron, mu, sigma, np.array([1e-7]), 0.05)
    above, below = (stationary(neuron, mu + step, sigma)[0] for step in (h, -h))
    np.testing.assert_allclose(response[:, 0].real, (above - below) / (2 * h), rtol=2e-3)


def test_table_agrees_with_that_of_neurolib():
    """Rates to 1e-4; potentials to half of its cell, 0.005 mV; time constants, which are fits, to 4 %."""
    points = np.array(TRUTH["points"])
    rate, V, tau = default_table()(points[:, 0], points[:, 1])
    np.testing.assert_allclose(rate, points[:, 2], rtol=2e-4)
    np.testing.assert_allclose(V, points[:, 3], atol=0.006)
    np.testing.assert_allclose(tau, points[:, 4], rtol=0.04)


def test_the_shipped_table_is_what_compute_makes():
    shipped = default_table()
    made = bm.CascadeTable.compute(mu=shipped.mu[[80, 81]], sigma=shipped.sigma[[14, 15]])
    np.testing.assert_allclose(made.values, shipped.values[80:82, 14:16], rtol=1e-6)


@pytest.mark.slow
def test_look_up_is_linear_between_points_held_beyond_and_differentiable(x64):
    axis = np.array([0.0, 1.0])
    plane = np.stack(np.broadcast_arrays(*np.meshgrid(axis, 2 * axis, indexing="ij"), 3.0), axis=-1)
    table = bm.CascadeTable(bm.ExponentialNeuron(), axis, 2 * axis, plane)
    np.testing.assert_allclose(table(0.25, 0.5), (0.25, 0.5, 3.0))
    np.testing.assert_allclose(table(-1.0, 9.0), (0.0, 2.0, 3.0))
    assert jax.grad(lambda x: table(x, 0.5)[0])(0.3) == pytest.approx(1.0)
    assert jax.jit(jax.grad(lambda y: table(0.3, y)[1]))(0.3) == pytest.approx(1.0)


@pytest.mark.parametrize("given", [{"mu": [0.0, 1.0, 3.0]}, {"sigma": [0.0, 1.0]}, {"mu": 1.0}])
def test_refused_axes(given):
    with pytest.raises(ValueError, match=f"`{next(iter(given))}` of CascadeTable.compute must be two or more points"):
        bm.CascadeTable.compute(**given)


# --- the model ------------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_derivatives_are_those_of_neurolib(x64):
    """A step of Euler's there gives the rates of change; 13 and 21 Hz arrive."""
    step = TRUTH["step"]
    node = bm.ALNStep(1, a=step["given"]["a"] * u.nS, b=step["given"]["b"] * u.pA)
    units = {"mufe": PER_MS, "mufi": PER_MS, "IA": u.pA}
    state = [u.maybe_decimal(np.array([step["state"][name]]) * units.get(name, u.UNITLESS)) for name in node._states]
    drive = (step["given"][f"ext_{k}_current"] * PER_MS for k in ("exc", "inh"))
    found = node._motion(tuple(state), 0 * u.ms, step["given"]["ext_exc_rate"] * u.kHz, 13 * u.Hz, 21 * u.Hz, *drive)
    for name, x in zip(node._states, found, strict=True):
        value = u.Quantity(x).to_decimal(units.get(name, u.UNITLESS) / u.ms)
        np.testing.assert_allclose(value, step["derivatives"][name], rtol=1e-9, err_msg=name)
    rates = node._rates_at(dict(zip(node._states, state, strict=True)), 13 * u.Hz, 21 * u.Hz, 20 * u.Hz)
    np.testing.assert_allclose([rate.to_decimal(u.Hz)[0] for rate in rates], step["rates"], rtol=1e-9)


@pytest.mark.few(1)
@pytest.mark.parametrize(
    "preset",
    [pytest.param(p, marks=pytest.mark.slow) if p in ("down", "fast_oscillation") else p for p in TRUTH["runs"]],
)
def test_presets_do_what_neurolib_does(preset, x64):
    """From rest; neurolib by Euler's method, ours by Heun's, both at 0.05 ms, our largest step."""
    truth, node, dt = TRUTH["runs"][preset], bm.ALNStep.preset(preset, 1), longest_step(bm.ALNStep)
    for name, value in truth["given"].items():
        assert float(u.get_mantissa(getattr(node, name).value())) == value
    run = bm.Simulator(node, dt=dt * u.ms).run(
        4000 * u.ms, monitors={"rate": lambda model: model.rate_e()}, transient=2000 * u.ms
    )
    rate = np.asarray(run["rate"].to_decimal(u.Hz))[:, 0]
    expected = np.array(truth["quantiles"])
    np.testing.assert_allclose(
        np.quantile(rate, [0, 0.5, 0.9, 1]), expected, atol=max(0.03 * np.ptp(expected), 1e-4 * expected[-1])
    )
    if truth["period"]:
        up = np.flatnonzero((rate[1:] >= rate.mean()) & (rate[:-1] < rate.mean()))
        assert np.diff(up).mean() * dt == pytest.approx(truth["period"], rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("coupling", [0.0, 20.0])
def test_delays_do_not_move_a_fixed_point(coupling, x64):
    """Where a run rests, after a volley near 120 Hz, the rates of change without delays are zero, past or no past."""
    node, inputs = bm.ALNStep.preset("up", 1), {"coupling": coupling * u.Hz}
    sim = bm.Simulator(node, dt=longest_step(bm.ALNStep) * u.ms)
    run = sim.run(1500 * u.ms, sample_every=1500 * u.ms, monitors=[*node._states, "rate_e"], inputs=inputs)
    for at_rest in node, bm.ALNStep.preset("up", 1):
        drift = bm.Drift(at_rest, inputs=inputs)
        rest = {name: u.maybe_decimal(run[name][-1]) for name in drift.names}
        np.testing.assert_allclose(drift(drift.pack(rest)), 0.0, atol=1e-9)
        rate = at_rest.source("rate_e", {**rest, **inputs})
        np.testing.assert_allclose(rate.to_decimal(u.Hz), run["rate_e"][-1].to_decimal(u.Hz), rtol=1e-9)


def test_a_network_that_sends_rates_has_no_drift():
    network = bm.Network(bm.ALNStep(2), conn=np.eye(2)[::-1], coupling="additive", coupled_var="rate_e")
    with pytest.raises(ValueError, match="`model` of Drift must be of nodes that send what follows from their states"):
        bm.Drift(network)
