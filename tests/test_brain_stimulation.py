"""What stimulators put out: forms in closed form, charge that is balanced at any step, fields by reciprocity."""

import brainunit as u
import numpy as np
import pandas as pd
import pytest

import brainmass as bm


def series(stimulus, duration, dt):
    return np.asarray(stimulus.series(duration * u.ms, dt * u.ms), float)[:, 0]


def test_the_biphasic_pulse_is_one_cycle_of_a_cosine_and_the_monophasic_a_critically_damped_discharge(x64):
    dt, rise = 0.001, 0.07
    middle = (np.arange(2000) + 0.5) * dt - 0.1
    on = (middle > 0) & (middle < 4 * rise)
    biphasic = bm.MagneticPulses(1, onset=0.1 * u.ms, rise=rise * u.ms)
    expected = np.where(on, np.cos(0.5 * np.pi * middle / rise), 0.0)
    np.testing.assert_allclose(series(biphasic, 2, dt), expected, atol=1e-3)
    monophasic = bm.MagneticPulses(1, onset=0.1 * u.ms, rise=rise * u.ms, waveform="monophasic")
    expected = np.where(middle > 0, (1 - middle / rise) * np.exp(-np.maximum(middle, 0) / rise), 0.0)
    found = series(monophasic, 2, dt)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert found.min() == pytest.approx(-np.exp(-2), abs=1e-4)  # at twice the rise


@pytest.mark.parametrize("dt", [0.023, 0.1])
@pytest.mark.parametrize(
    "stimulus",
    [
        bm.MagneticPulses(1, onset=1.0137 * u.ms, period=7.3 * u.ms, count=5),
        bm.MagneticPulses(1, onset=1.0137 * u.ms, waveform="monophasic", period=7.3 * u.ms, count=5),
        bm.MagneticPulses(1, onset=0.5 * u.ms, period=20 * u.ms, pulses=3, pulse_period=3.01 * u.ms, count=2),
        bm.BalancedPulses(1, onset=1.01 * u.ms, frequency=173 * u.Hz, count=6),
        bm.BalancedPulses(1, frequency=130 * u.Hz, width=0.09 * u.ms, gap=0.03 * u.ms, recharge=7.0, count=6),
    ],
    ids=["biphasic", "monophasic", "bursts", "symmetric", "passive"],
)
def test_what_a_train_brings_it_takes_away_at_any_step(stimulus, dt):
    rows = series(stimulus, 2000 * 0.023 if dt == 0.023 else 50, dt)
    assert np.abs(rows).sum() * dt > 0.03
    assert abs(rows.sum()) < 2e-6 * np.abs(rows).sum()


def test_trains_have_their_pulses_where_they_belong():
    bursts = bm.MagneticPulses(1, period=200 * u.ms, pulses=3, count=2, onset=10 * u.ms)
    on = np.abs(series(bursts, 500, 0.05)) > 0
    starts = np.flatnonzero(np.diff(on.astype(int)) > 0) * 0.05 + 0.05
    np.testing.assert_allclose(starts, [10, 30, 50, 210, 230, 250], atol=1e-9)
    deep = series(bm.BalancedPulses(1, width=0.1 * u.ms, gap=0.05 * u.ms, recharge=4.0), 1000, 0.05)
    assert deep[deep > 0].sum() * 0.05 == pytest.approx(130 * 0.1, rel=1e-4)
    np.testing.assert_allclose(deep[:12], [1, 1, 0, *[-0.25] * 8, 0], atol=1e-6)


def test_currents_through_the_head_rise_and_fall():
    direct = bm.DirectCurrent(1, ramp=2 * u.ms, duration=8 * u.ms, amplitude=2.0)
    np.testing.assert_allclose(series(direct, 10, 1), [0.5, 1.5, 2, 2, 2, 2, 1.5, 0.5, 0, 0], atol=1e-6)
    np.testing.assert_allclose(series(bm.DirectCurrent(1, ramp=2 * u.ms), 4, 1), [0.25, 0.75, 1, 1], atol=1e-6)
    t = np.arange(800) * 0.25 + 0.125
    wave = bm.AlternatingCurrent(1, frequency=40 * u.Hz, phase=0.3, offset=0.5, ramp=50 * u.ms, duration=150 * u.ms)
    envelope = np.clip(np.minimum(t, 150 - t) / 50, 0, 1)
    np.testing.assert_allclose(series(wave, 200, 0.25), envelope * (0.5 + np.sin(0.08 * np.pi * t + 0.3)), atol=2e-6)


def test_a_run_takes_them_and_a_pulse_within_a_step_is_refused():
    node = bm.LinearStep(2, gamma=0.0, init_x=np.zeros)
    pulse = bm.MagneticPulses(2, amplitude=5.0, onset=1 * u.ms, weights=np.array([1.0, 0.5]))
    x = bm.Simulator(node, dt=0.01 * u.ms).run(2 * u.ms, inputs={"x_inp": pulse}, monitors=["x"])["x"]
    # the integral of the field is the current of the coil, of which the largest is 2 rise / pi
    np.testing.assert_allclose(np.max(x, axis=0), 5 * 0.14 / np.pi * np.array([1, 0.5]), rtol=1e-3)
    np.testing.assert_allclose(x[-1], 0.0, atol=1e-6)
    coarse = bm.Simulator(node, dt=0.1 * u.ms)
    coarse.run(2 * u.ms, inputs={"x_inp": pulse})
    with pytest.raises(ValueError, match="Input `x_inp` must have pulses of two time steps .* 0.12 ms at dt=0.1 ms"):
        coarse.run(2 * u.ms, inputs={"x_inp": bm.BalancedPulses(2)})
    with pytest.raises(ValueError, match="Input `x_inp` must have pulses of two time steps"):
        bm.Simulator(node, dt=0.2 * u.ms).run(2 * u.ms, inputs={"x_inp": 2.0 * pulse})


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(ValueError, match="`count` .* needs `period`"):
        bm.MagneticPulses(1, count=2)
    with pytest.raises(ValueError, match="`period` .* must be at least 60"):
        bm.MagneticPulses(1, pulses=3, period=50 * u.ms)
    with pytest.raises(ValueError, match="`frequency` .* must leave each pulse its"):
        bm.BalancedPulses(1, frequency=1000 * u.Hz, recharge=20.0)
    with pytest.raises(ValueError, match="`duration` .* at least two ramps, 200"):
        bm.AlternatingCurrent(1, duration=150 * u.ms)
    with pytest.raises(ValueError, match="`waveform` of MagneticPulses must be 'biphasic' or 'monophasic'"):
        bm.MagneticPulses(1, waveform="square")


# --- fields ---------------------------------------------------------------------------------------------------------
def sphere_of_one_conductor():
    """Electrodes and dipoles in an infinite medium, where potentials and fields of points are known."""
    rng = np.random.default_rng(3)
    electrodes = rng.normal(size=(6, 3))
    electrodes *= 0.1 / np.linalg.norm(electrodes, axis=1, keepdims=True)
    dipoles = rng.uniform(-0.04, 0.04, (8, 3))
    directions = rng.normal(size=(8, 3))
    return electrodes, dipoles, directions / np.linalg.norm(directions, axis=1, keepdims=True)


def test_reciprocity_gives_the_field_of_point_electrodes():
    """In a medium of 0.33 S/m: V = p·r / (4 pi s r³) of a dipole, and E = I r / (4 pi s r³) of a current."""
    electrodes, dipoles, directions = sphere_of_one_conductor()
    away = electrodes[:, None] - dipoles  # from dipole to electrode
    cube = 4 * np.pi * 0.33 * np.linalg.norm(away, axis=-1) ** 3
    lead_field = np.einsum("erk,rk->er", away, directions) / cube
    currents = np.array([2e-3, 0, -0.5e-3, -1.5e-3, 0, 0])
    field = -np.einsum("e,erk,rk->r", currents, away / cube[..., None], directions)  # from electrode to dipole
    found = bm.field_of_electrodes(lead_field, currents)
    np.testing.assert_allclose(found.to_decimal(u.volt / u.meter), field, rtol=1e-6)
    names = [f"E{i}" for i in range(6)]
    by_name = {"E0": 2 * u.mA, "E3": -1.5 * u.mA, "E2": -500 * u.uA}
    table = pd.DataFrame(lead_field, index=names)
    units = lead_field * 1e3 * u.mV / (u.ampere * u.meter)
    for again in (
        bm.field_of_electrodes(table, by_name),
        bm.field_of_electrodes(units, by_name, sensors=names),
        bm.field_of_electrodes(lead_field - 3.0, currents),  # of another reference
    ):
        np.testing.assert_allclose(again.to_decimal(u.volt / u.meter), field, rtol=1e-5)


def test_a_stimulus_is_a_waveform_times_a_field(tmp_path):
    field = bm.field_of_electrodes([[3.0, 1.0], [-1.0, 2.0]], [2e-3, -2e-3])
    weights = field.to_decimal(u.volt / u.meter)
    tacs = bm.AlternatingCurrent(2, amplitude=0.2 * u.mV, weights=weights, frequency=10 * u.Hz)
    rows = tacs.series(200 * u.ms, 1 * u.ms)
    np.testing.assert_allclose(rows[125].to_decimal(u.mV), 0.2 * weights, rtol=2e-3)
    path = tmp_path / "field.csv"
    path.write_text("region,V/m\nB,0.5\nA,0.25\nC,-1\n")
    assert bm.read_array(path, regions=["A", "B", "C"]).tolist() == [0.25, 0.5, -1.0]


def test_fields_that_cannot_be_are_refused():
    lead = [[3.0, 1.0], [-1.0, 2.0]]
    with pytest.raises(ValueError, match="`currents` .* must have the sum zero"):
        bm.field_of_electrodes(lead, [1e-3, 0.0])
    with pytest.raises(ValueError, match="`currents` .* give `sensors`"):
        bm.field_of_electrodes(lead, {"C3": 1e-3, "C4": -1e-3})
    with pytest.raises(ValueError, match="`currents` .* C3, C4, but has 'C5'"):
        bm.field_of_electrodes(lead, {"C3": 1e-3, "C5": -1e-3}, sensors=["C3", "C4"])
    with pytest.raises(u.UnitMismatchError, match="`currents` .* in a unit like A"):
        bm.field_of_electrodes(lead, {"C3": 1 * u.mV, "C4": -1 * u.mV}, sensors=["C3", "C4"])
    with pytest.raises(ValueError, match="`lead_field` .* of shape"):
        bm.field_of_electrodes([1.0, 2.0], [1e-3, -1e-3])
    with pytest.raises(ValueError, match="`sensors` .* 2 names that differ, for the rows"):
        bm.field_of_electrodes(lead, [1e-3, -1e-3], sensors=["C3", "C3"])
