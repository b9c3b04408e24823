"""The calls that the package was asked for by: what the pages of the published package show, each of its kinds."""

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import brainmass as bm

MS = u.ms
# Models stepped by hand: the constructor's arguments as they are shown, the noises that are set, the inputs of a step.
STEPPED = [
    ("WilsonCowanStep", {"in_size": 10, "tau_E": 10.0 * MS, "tau_I": 20.0 * MS}, (), {"rE_inp": 0.1, "rI_inp": 0.05}),
    ("HopfStep", {"in_size": 5, "w": 0.1, "a": 0.1}, (), {}),
    ("FitzHughNagumoStep", {"in_size": 1, "tau": 12.5 * MS, "a": 0.7, "b": 0.8}, (), {"inp": 0.5}),
    (
        "WilsonCowanStep",
        {
            "in_size": (10,),
            "tau_E": 10.0 * MS,
            "tau_I": 20.0 * MS,
            "c_EE": 12.0,
            "c_EI": -4.0,
            "c_IE": 12.0,
            "c_II": -3.0,
        },
        ("noise_E", "noise_I"),
        {"rE_inp": 0.5, "rI_inp": 0.2},
    ),
    ("JansenRitStep", {"in_size": 1}, (), {"p": 220.0}),
    (
        "MontbrioPazoRoxinStep",
        {"in_size": 5, "tau": 10.0 * MS, "v_rest": -65.0 * u.mV, "v_th": -50.0 * u.mV},
        (),
        {"I_ext": 2.0 * u.nA},
    ),
]
# Models in a Simulator: arguments, step and length in ms, monitors.
SIMULATED = [
    ("CoombesByrneStep", {"Delta": 1.0, "eta": 2.0, "k": 1.0, "v_syn": -4.0}, 0.1, 40.0, ["r", "v"]),
    ("LarterBreakspearStep", {"d_V": 0.57}, 0.1, 400.0, ["V"]),
    ("EpileptorStep", {"x0": -1.6}, 0.1, 2000.0, {"lfp": lambda m: m.lfp(), "z": "z"}),
    ("Generic2dOscillatorStep", {"a": 1.0, "b": 0.0, "c": -5.0, "d": 0.02}, 0.1, 200.0, ["V", "W"]),
    ("WongWangExcInhStep", {"J_i": 1.0, "G": 2.0}, 0.1, 3000.0, {"S_e": "S_e", "rate_e": lambda m: m.H_e()}),
    ("LorenzStep", {"sigma": 10.0, "rho": 28.0}, 0.01, 5.0, ["x", "y", "z"]),
    ("LinearStep", {"gamma": -10.0}, 0.1, 20.0, ["x"]),
]


def check(values):
    """All are numbers, and some change."""
    arrays = [np.asarray(u.get_mantissa(x)) for x in jax.tree.leaves(values, is_leaf=u.math.is_quantity)]
    assert arrays and all(np.isfinite(x).all() for x in arrays)
    assert any(np.ptp(x, axis=0).any() for x in arrays)


@pytest.mark.few(2)
@pytest.mark.parametrize(("name", "arguments", "noises", "inputs"), STEPPED, ids=[row[0] for row in STEPPED])
def test_stepped_by_hand(name, arguments, noises, inputs):
    brainstate.environ.set(dt=0.1 * MS)
    model = getattr(bm, name)(**arguments)
    model.init_all_states()
    for noise in noises:  # after there are states, as the pages do
        setattr(model, noise, bm.OUProcess(in_size=arguments["in_size"], sigma=0.3 * u.Hz, tau=20.0 * MS))
    check(brainstate.transform.for_loop(lambda i: model.update(**inputs), jnp.arange(500)))


def test_a_batch_of_states_made_by_hand():
    brainstate.environ.set(dt=0.1 * MS)
    model = bm.WilsonCowanStep(in_size=10)
    model.init_all_states(batch_size=32)
    assert model.rE.value.shape == (32, 10) and model.update(rE_inp=0.1, rI_inp=0.05).shape == (32, 10)


@pytest.mark.few(2)
@pytest.mark.parametrize(("name", "arguments", "dt", "duration", "monitors"), SIMULATED, ids=[r[0] for r in SIMULATED])
def test_simulated(name, arguments, dt, duration, monitors):
    model = getattr(bm, name)(in_size=1, **arguments)
    model.init_all_states()  # not needed, and done
    result = bm.Simulator(model, dt=dt * MS).run(duration * MS, monitors=monitors)
    assert set(result.recorded) == set(monitors)
    check(dict(result.recorded))


def test_noise_is_set_before_there_are_states():
    brainstate.environ.set(dt=0.1 * MS)
    model = bm.HopfStep(in_size=10, w=0.2)
    model.noise = bm.OUProcess(in_size=10, sigma=0.1 * u.Hz, tau=50.0 * MS)
    model.init_all_states()
    check(brainstate.transform.for_loop(lambda i: model.update(), jnp.arange(100)))


def test_a_coupling_called_on_activity_drives_the_next_state():
    brainstate.environ.set(dt=0.1 * MS)
    weights = np.random.default_rng(0).uniform(0, 0.05, (90, 90))
    nodes, coupling = bm.HopfStep(in_size=90, w=0.3), bm.DiffusiveCoupling(conn=weights, k=0.1)
    nodes.init_all_states()
    coupling.init_all_states()

    def step(i):
        activity = nodes.update()
        nodes.x.value += coupling(activity)
        return activity

    check(brainstate.transform.for_loop(step, jnp.arange(300)))
