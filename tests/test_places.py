"""One process, one place: noises, forward models, nodes and projections that stand in two are refused by name."""

import copy
import re

import brainstate
import brainunit as u
import numpy as np
import pytest

import brainmass as bm

W = np.array([[0.0, 1.0, 0.5], [1.0, 0.0, 0.2], [0.5, 0.2, 0.0]])


def noise(**options):
    return bm.OUProcess(3, sigma=0.1, **options)


def link(source="a", target="b"):
    return bm.Projection(W, coupled_var="x", source=source, target=target)


def two(**nodes):
    return bm.Network({"a": bm.HopfStep(3), "b": bm.HopfStep(3), **nodes}, projections=[link()])


def run(model, **options):
    return bm.Simulator(model, dt=0.1 * u.ms).run(1 * u.ms, seed=0, **options)


def refused(one, other, kind):
    start = re.escape(f"`{one}` and `{other}` of ")
    return pytest.raises(ValueError, match=f"{start}.*are one and the same {kind}, .*copy")


def test_where_it_is_made():
    x = noise()
    with refused("noise_x", "noise_y", "OUProcess"):
        bm.HopfStep(3, noise_x=x, noise_y=x)
    with refused("node.noise_x", "noise", "OUProcess"):
        bm.Network(bm.HopfStep(3, noise_x=x), conn=W, coupled_var="x", noise=x)
    with refused("a.noise_x", "b.noise_y", "OUProcess"):
        two(a=bm.HopfStep(3, noise_x=x), b=bm.HopfStep(3, noise_y=x))
    with refused("first.second", "second", "OUProcess"):
        bm.Pulse(3) * x + x
    node, down = bm.HopfStep(3), link()
    with refused("a", "b", "HopfStep"):
        two(a=node, b=node)
    with refused("projections[0]", "projections[1]", "Projection"):
        bm.Network({"a": bm.HopfStep(3), "b": bm.HopfStep(3)}, projections=[down, down])


def test_where_it_is_assigned():
    node = bm.HopfStep(3, noise_x=noise())
    node.noise_x = node.noise_x  # the same place
    with refused("noise_x", "noise_y", "OUProcess"):
        node.noise_y = node.noise_x
    node.noise_y = copy.deepcopy(node.noise_x)


def test_where_it_is_run():
    x, node = noise(), bm.HopfStep(3)
    with refused("noise_x", "inputs.y_inp", "OUProcess"):
        run(bm.HopfStep(3, noise_x=x), inputs={"y_inp": x})
    with refused("inputs.x_inp", "inputs.y_inp", "OUProcess"):
        run(node, inputs={"x_inp": x, "y_inp": x})
    with refused("inputs.x_inp.second", "inputs.y_inp.first", "OUProcess"):
        run(node, inputs={"x_inp": bm.Pulse(3) + x, "y_inp": x * bm.Pulse(3)})
    drive = bm.Pulse(3) * x
    with refused("inputs.x_inp", "inputs.y_inp", "Combined"):
        run(node, inputs={"x_inp": drive, "y_inp": drive})
    bold = bm.BOLDSignal(3)
    with refused("one", "other", "BOLDSignal"):
        run(node, monitors={"one": bold, "other": bm.Monitor(bold, source="y")})
    network = two()
    network.a.noise_x = network.b.noise_y = x
    with refused("a.noise_x", "b.noise_y", "OUProcess"):
        run(network)
    network = bm.Network({"a": bm.HopfStep(3), "b": bm.HopfStep(3)}, projections=[link(), link("b", "a")])
    network.projections[1] = network.projections[0]
    with refused("projections.0", "projections.1", "Projection"):
        run(network)


@pytest.mark.slow
def test_what_holds_no_process_may_be_shared():
    """A pulse at two ports is the pulse at each; a Param ties two nodes; one response serves two convolutions."""
    pulse = bm.Pulse(3, amplitude=2.0, width=0.5 * u.ms)
    both = run(bm.HopfStep(3), inputs={"x_inp": pulse, "y_inp": pulse})
    each = run(bm.HopfStep(3), inputs={"x_inp": pulse, "y_inp": copy.deepcopy(pulse)})
    np.testing.assert_allclose(both["y"], each["y"], rtol=1e-6)
    a = brainstate.nn.Param(0.3, fit=True)
    network = two(a=bm.HopfStep(3, a=a), b=bm.HopfStep(3, a=a))
    slope = bm.Simulator(network, dt=0.1 * u.ms).pure(1 * u.ms, monitors=["a.x", "b.x"])
    assert network.a.a is network.b.a and slope({}, 0)["a.x"].shape == (10, 3)
    kernel = bm.GammaHRFKernel(duration=20 * u.ms)
    kernels = {"one": (kernel, kernel), "two": (kernel, copy.deepcopy(kernel))}
    times = {"period": 0.4 * u.ms, "downsample_period": 0.1 * u.ms, "in_size": 3}
    found = {
        name: run(bm.HopfStep(3), monitors={"p": bm.HRFBold(kernel=k, **times), "q": bm.HRFBold(kernel=other, **times)})
        for name, (k, other) in kernels.items()
    }
    np.testing.assert_array_equal(found["one"]["q"], found["two"]["q"])


@pytest.mark.slow
def test_a_copy_is_a_process_of_its_own():
    """The correlation of an OU process at its time constant is 1/e, also beside a copy of it (0.14 stepped twice)."""
    x = bm.OUProcess(4000, sigma=0.1, tau=1.0 * u.ms, start="stationary")
    node = bm.HopfStep(4000, a=0.0, w=0.0, noise_x=x, noise_y=copy.deepcopy(x))
    seen = {"x": lambda m: m.noise_x.x.value, "y": lambda m: m.noise_y.x.value}
    result = bm.Simulator(node, dt=0.1 * u.ms).run(1.1 * u.ms, monitors=seen, seed=1)
    first, last = (np.asarray(result["x"])[i] for i in (0, 10))
    assert np.corrcoef(first, last)[0, 1] == pytest.approx(np.exp(-1), abs=0.05)
    assert abs(np.corrcoef(last, np.asarray(result["y"])[10])[0, 1]) < 0.06
