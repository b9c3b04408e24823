"""The thalamus of Schellenberger Costa et al. 2016 against neurolib's run of the same model, and its spindles."""

import brainunit as u
import numpy as np
import pytest
from braintools.init import Constant

import brainmass as bm

# neurolib 0.6.2, ThalamicMassModel at its defaults without noise, from V_t = -63, V_r = -55 mV and all gates shut, by
# Euler's method at 0.001 ms: potentials in mV after so many ms.
NEUROLIB = {
    1: (-63.9619, -56.5075),
    20: (-72.0415, -71.4250),
    50: (-70.1312, -74.0478),
    100: (-62.6684, -31.0456),
    300: (-70.3349, -65.5556),
}


def test_the_course_from_a_start_is_neurolibs():
    node = bm.CostaThalamusStep(
        1, init_V_t=Constant(-63.0), init_V_r=Constant(-55.0), init_gate=Constant(0.0), method="rk4"
    )
    run = bm.Simulator(node, dt=0.05 * u.ms).run(300 * u.ms, monitors=["V_t", "V_r"], sample_every=1 * u.ms, seed=0)
    for time, potentials in NEUROLIB.items():
        found = [float(run[name][time - 1, 0]) for name in ("V_t", "V_r")]
        np.testing.assert_allclose(found, potentials, atol=0.02)


def test_spindles_of_12_to_15_hz_come_and_go():
    """Published: fast spindles, 12-15 Hz. Ours begin at 12.0 Hz, slow down towards their end, and pause for seconds."""
    node = bm.CostaThalamusStep(1, g_LK=0.033, g_h=0.05)
    run = bm.Simulator(node, dt=0.1 * u.ms).run(
        15 * u.second, monitors=["V_t"], sample_every=1 * u.ms, transient=5 * u.second, seed=0
    )
    V = np.asarray(run["V_t"])[:, 0]
    peaks = np.flatnonzero((V[1:] > -50) & (V[:-1] <= -50))
    gaps = np.diff(peaks)
    within = gaps[gaps < 200]
    assert len(within) > 5 and np.count_nonzero(gaps > 1000) >= 2
    assert 1000 / within.min() == pytest.approx(12.0, abs=0.2)
