"""The final state of a run goes on only where it belongs, and what does not belong is named."""

import copy
import functools

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from braintools.init import Constant

import brainmass as bm

N = 3
W = np.array([[0.0, 1.0, 0.5], [0.2, 0.0, 1.0], [1.0, 0.3, 0.0]])
LENGTHS = np.array([[0.0, 10.0, 20.0], [10.0, 0.0, 40.0], [20.0, 40.0, 0.0]])


def simulator(n=N, dt=0.1, model=bm.HopfStep):
    return bm.Simulator(model(n, init_x=Constant(0.3), init_y=Constant(0.1)), dt=dt * u.ms)


def network(speed=10.0, lengths=LENGTHS, dt=0.1, **options):
    node = bm.HopfStep(N, a=0.1, w=0.3, init_x=Constant(0.3), init_y=Constant(0.1), method="heun")
    net = bm.Network(node, conn=W, coupled_var="x", k=0.2, distance=lengths * u.mm, speed=speed, **options)
    return bm.Simulator(net, dt=dt * u.ms)


@functools.cache
def ended():
    return simulator().run(5 * u.ms, monitors=["x"], seed=0).final


@functools.cache
def delayed():
    return network().run(6 * u.ms, monitors=["x"], seed=0).final


@pytest.mark.slow
def test_it_says_when_it_is_and_what_it_is_from():
    final = ended()
    assert int(final["step"]) == 50 and float(final["time"].to_decimal(u.ms)) == pytest.approx(5.0)
    assert final["origin"].dt == 0.1 and final["origin"].model == "HopfStep"
    later = simulator().run(5 * u.ms, monitors=["x"], state=final).final
    assert float(later["time"].to_decimal(u.ms)) == pytest.approx(10.0)


OTHERS = {
    "another step": (lambda: simulator(dt=0.05), "comes from a run with dt=0.1 ms, and this has dt=0.05 ms"),
    "more regions": (lambda: simulator(4), r"its `x` has shape \(3,\), and here it has \(4,\)"),
    "another model": (
        lambda: simulator(model=bm.VanDerPolStep),
        "run of a HopfStep, and this is one of a VanDerPolStep",
    ),
}


@pytest.mark.parametrize(("make", "words"), OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("how", ["run", "pure"])
def test_a_state_of_another_run_is_refused_by_what_differs(make, words, how):
    with pytest.raises(ValueError, match=f"Argument `state` of run must belong to this run, but .*{words}"):
        if how == "run":
            make().run(5 * u.ms, monitors=["x"], state=ended())
        else:
            make().pure(5 * u.ms, monitors=["x"])({}, 0, ended())


@pytest.mark.slow
def test_delays_of_another_speed_or_other_lengths():
    with pytest.raises(ValueError, match="delays of 10 to 40 steps .*, and here they are 20 to 80: another speed, or"):
        network(speed=5.0).run(6 * u.ms, monitors=["x"], state=delayed())
    turned = LENGTHS[::-1, ::-1]  # as long, but between other regions: the past kept has the same shape
    with pytest.raises(ValueError, match="delays of 10 to 40 steps .*: another speed, or other lengths"):
        network(lengths=turned).run(6 * u.ms, monitors=["x"], state=delayed())
    interpolated = network(interpolate=True).run(6 * u.ms, monitors=["x"], seed=0).final
    with pytest.raises(ValueError, match="of the past, which follows from delays and time step, has shape"):
        network(speed=5.0, interpolate=True).run(6 * u.ms, monitors=["x"], state=interpolated)


def test_a_network_alike_goes_on_as_if_it_had_not_been_cut():
    whole = network().run(12 * u.ms, monitors=["x"], seed=0)["x"]
    rest = network().run(6 * u.ms, monitors=["x"], state=delayed())["x"]
    np.testing.assert_array_equal(whole[60:], rest)


def test_other_monitors():
    bold = {"bold": bm.Monitor(bm.BOLDSignal(N), source="x", every=10)}
    final = simulator().run(5 * u.ms, monitors=bold, seed=0).final
    with pytest.raises(ValueError, match="monitor `bold` is a BOLDSignal, and here it is no forward model"):
        simulator().run(5 * u.ms, monitors=["x"], state=final)
    mean = {"bold": bm.Monitor(bm.Mean(N), source="x")}
    with pytest.raises(ValueError, match="monitor `bold` is a BOLDSignal, and here it is a Mean"):
        simulator().run(5 * u.ms, monitors=mean, state=final)


def test_step_and_states_may_be_set_on_a_copy():
    state = dict(ended())
    state["step"] = jnp.int32(1000)
    state["states"] = {name: jnp.zeros_like(x) for name, x in state["states"].items()}
    result = simulator().run(1 * u.ms, monitors=["x"], state=state)
    assert float(result.time[0].to_decimal(u.ms)) == pytest.approx(100.1)
    np.testing.assert_array_equal(result["x"], 0.0)
    state["states"] = {name: jnp.zeros(5) for name in state["states"]}
    with pytest.raises(ValueError, match=r"its `x` has shape \(5,\)"):
        simulator().run(1 * u.ms, monitors=["x"], state=state)


@pytest.mark.slow
def test_lanes_and_transformations():
    several = simulator().run(5 * u.ms, monitors=["x"], seed=0, batch_size=4).final
    assert simulator().run(1 * u.ms, monitors=["x"], state=several)["x"].shape == (10, 4, N)
    run = simulator().pure(1 * u.ms, monitors=["x"])
    final = jax.jit(lambda key: run({}, key).final)(jnp.zeros(2, jnp.uint32))
    assert final["origin"] == run({}, 0).final["origin"] and float(final["time"].to_decimal(u.ms)) == pytest.approx(1.0)
    carried, _ = jax.lax.scan(lambda state, _: (run({}, 0, state).final, None), final, None, length=3)
    assert int(carried["step"]) == 40
    with pytest.raises(ValueError, match="dt=0.1 ms, and this has dt=0.05 ms"):
        jax.jit(lambda state: simulator(dt=0.05).pure(1 * u.ms)({}, 0, state)["x"])(final)


@pytest.mark.parametrize("suffix", ["npz", "nc"])
def test_a_file_keeps_it(tmp_path, suffix):
    if suffix == "nc":
        pytest.importorskip("h5netcdf")
    result = network().run(6 * u.ms, monitors=["x"], seed=0)
    result.save(tmp_path / f"run.{suffix}")
    loaded = bm.Result.load(tmp_path / f"run.{suffix}").final
    assert loaded["origin"] == result.final["origin"]
    with pytest.raises(ValueError, match="another speed, or other lengths"):
        network(speed=5.0).run(6 * u.ms, monitors=["x"], state=loaded)
    rest = network().run(6 * u.ms, monitors=["x"], state=loaded)["x"]
    np.testing.assert_array_equal(rest, network().run(6 * u.ms, monitors=["x"], state=result.final)["x"])


def test_a_state_that_does_not_say_what_it_is_from():
    state = {name: x for name, x in copy.copy(ended()).items() if name in ("step", "key", "states")}
    with pytest.warns(UserWarning, match="does not say which run it is from"):
        rest = simulator().run(1 * u.ms, monitors=["x"], state=state)["x"]
    np.testing.assert_array_equal(rest, simulator().run(1 * u.ms, monitors=["x"], state=ended())["x"])
