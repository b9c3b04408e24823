"""The reduced sets of Stefanescu and Jirsa: their modes in closed form, the sum of them in a network.

Their derivatives are compared with those of The Virtual Brain in `test_tvb_parity.py`.
"""

from statistics import NormalDist

import brainunit as u
import numpy as np
import pytest
from scipy.optimize import root

import brainmass as bm

MODELS = [bm.StefanescuJirsaFitzHughNagumoStep, bm.StefanescuJirsaHindmarshRoseStep]
DT = 0.05 * u.ms


def test_modes_are_thirds_of_a_normal_distribution(x64):
    """The middle third of a standard normal reaches from -0.4307 to 0.4307; its neighbours are mirror images."""
    node = bm.StefanescuJirsaFitzHughNagumoStep(1, sigma=2.0, mu=0.5)
    width, drive = (np.asarray(part(np.zeros((3, 1))))[:, 0] for part in (node.width, node.drive))
    assert width[1] == pytest.approx(2 * 2 * NormalDist().inv_cdf(2 / 3), rel=2e-3)
    assert width[0] == pytest.approx(width[2], rel=1e-12)
    centres = drive / np.sqrt(width)
    np.testing.assert_allclose([centres[1], centres[0] + centres[2]], [0.5, 1.0], atol=1e-12)


@pytest.mark.parametrize("model", MODELS)
def test_a_network_sends_the_sum_of_the_modes(x64, model):
    W = np.array([[0.0, 0.3], [0.7, 0.0]])
    network = bm.Network(model(2), conn=W, coupled_var="xi", coupling="additive", k=0.5)
    drift, alone = bm.Drift(network), bm.Drift(model(2))
    x = np.random.default_rng(0).uniform(-1, 1, drift.size)
    sent = np.sum([drift.unpack(x)[f"xi_{k}"] for k in (1, 2, 3)], axis=0)
    np.testing.assert_allclose(drift(x), alone(x, {"coupling": 0.5 * W @ sent}), atol=1e-12)


def test_without_strengths_each_mode_is_a_neuron(x64):
    """The rest of each mode by scipy: tau (x - x^3 / (3 w) - y + I), (x - b y + a sqrt(w)) / tau."""
    node = bm.StefanescuJirsaFitzHughNagumoStep(1, K11=0.0, K12=0.0, K21=0.0)
    found = bm.fixed_points(node).x[0].reshape(4, 3)
    width, drive = (np.asarray(part(np.zeros((3, 1))))[:, 0] for part in (node.width, node.drive))
    for k in range(3):
        w, driven = width[k], drive[k]
        rest = root(
            lambda z, w=w, driven=driven: [
                z[0] - z[0] ** 3 / (3 * w) - z[1] + driven,
                z[0] - 0.9 * z[1] + 0.45 * w**0.5,
            ],
            [0, 0],
        )
        np.testing.assert_allclose(found[0::2, k], rest.x[0], atol=1e-6)
        np.testing.assert_allclose(found[1::2, k], rest.x[1], atol=1e-6)
