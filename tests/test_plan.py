"""From durations to integers."""

import brainunit as u
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainmass.simulation.plan import check_dt, interval_in_steps, make_plan, steps_in

DT = 0.1 * u.ms


@st.composite
def arrangements(draw):
    n_steps = draw(st.integers(1, 3000))
    transient = draw(st.integers(0, n_steps - 1))
    period = st.integers(1, n_steps - transient)
    periods = draw(st.dictionaries(st.sampled_from("abcd"), period, min_size=1))
    targets = draw(st.dictionaries(st.sampled_from(sorted(periods)), st.integers(1, 50)))
    return n_steps, transient, periods, targets, draw(st.none() | st.integers(1, 400)), {}


@st.composite
def exact_arrangements(draw):
    """With an observer `e` that is updated every so many steps, and one `f` at a multiple of that."""
    interval, times = draw(st.integers(1, 40)), draw(st.integers(1, 5))
    n_steps, transient, periods, targets, block, _ = draw(arrangements())
    many = interval * times
    n_steps, transient = many * max(1, n_steps // many), many * (transient // many)
    n_steps = max(n_steps, transient + many)
    periods = {name: min(period, n_steps - transient) for name, period in periods.items()}
    periods |= {"e": interval * draw(st.integers(1, (n_steps - transient) // interval)), "f": many}
    return n_steps, transient, periods, targets, block, {"e": interval, "f": many}


@settings(deadline=None, max_examples=200)
@given(arrangements() | exact_arrangements())
def test_plan(arrangement):
    n_steps, transient, periods, targets, block, exact = arrangement
    plan = make_plan(n_steps, transient, periods, targets, block, exact)
    assert (plan.n_steps, plan.transient, dict(plan.periods)) == (n_steps, transient, periods)
    # levels divide each other in turn; the block divides what it can, and is divided by all below it
    assert plan.block in plan.levels and plan.levels[0] >= 1
    assert list(plan.levels) == sorted(set(plan.levels))
    used = {*plan.recorded.values(), *plan.observed.values()}
    chain = [level for level in plan.levels if level in used or level != plan.block]
    for levels in chain, [level for level in plan.levels if level <= plan.block]:
        assert all(b % a == 0 for a, b in zip(levels, levels[1:], strict=False))
    # every monitor is recorded at a level that divides its period, so that thinning finds each sample
    assert plan.recorded.keys() == periods.keys() and used <= set(plan.levels)
    assert all(period % plan.recorded[name] == 0 for name, period in periods.items())
    for name, period in periods.items():
        stamps = range(transient + period, n_steps + 1, period)
        assert plan.n_samples(name) == len(stamps) >= 1
    # an observer is updated at most as rarely as it bears, and exactly at its samples and at both ends of the run
    assert plan.observed.keys() == targets.keys() | exact.keys()
    assert all(plan.observed[name] == interval for name, interval in exact.items())
    for name, target in targets.items():
        interval = plan.observed[name]
        assert 1 <= interval <= target
        assert all(n % interval == 0 for n in (periods[name], transient, n_steps))


def test_observer_takes_the_longest_interval_it_can():
    assert make_plan(10_000, 0, {"bold": 1000}, {"bold": 30}, None).observed["bold"] == 25
    assert make_plan(10_000, 500, {"bold": 1000}, {"bold": 1000}, None).observed["bold"] == 500
    # 5, not 12, beside an observer that must have 15: they would share 3
    assert make_plan(60, 0, {"bold": 60, "fc": 60}, {"bold": 12}, None, {"fc": 15}).observed["bold"] == 5


def test_default_block_is_about_the_root_of_the_steps():
    assert 60 <= make_plan(1000, 0, {"x": 1}, {}, None).block <= 400
    assert 128 <= make_plan(90_000, 0, {"x": 1}, {}, None).block <= 1000
    assert make_plan(10**8, 0, {"x": 1}, {}, None).block <= 4096


def test_transient_longer_than_the_run():
    with pytest.raises(ValueError, match=r"`transient` must not be longer than the run \(10 steps\), but has 11"):
        make_plan(10, 11, {}, {}, None)


def test_a_run_that_is_all_transient_has_blocks_too():
    plan = make_plan(1000, 1000, {}, {}, None)
    assert plan.transient == 1000 and 60 <= plan.block <= 400


def test_period_longer_than_what_is_recorded():
    with pytest.raises(ValueError, match=r"Monitor `x` is sampled every 6 steps, but the run records only 5"):
        make_plan(10, 5, {"x": 6}, {}, None)


@given(st.integers(0, 10**6), st.sampled_from([0.1, 0.05, 1 / 3, 0.7, 2.0]))
def test_steps_in_counts_steps(n, dt):
    assert steps_in("duration", n * dt * u.ms, dt * u.ms) == n
    assert steps_in("duration", np.float32(n * dt) * u.ms, np.float32(dt) * u.ms) == n
    assert steps_in("duration", n * dt / 1000 * u.second, dt * u.ms) == n
    assert steps_in("duration", n, dt * u.ms) == n


@given(st.integers(0, 1000), st.floats(0.02, 0.98))
def test_steps_in_names_the_nearest_multiple(n, fraction):
    near = max(1, n + round(fraction)) if fraction != 0.5 else None
    with pytest.raises(ValueError, match="`transient` must be a multiple of the time step 0.1") as error:
        steps_in("transient", (n + fraction) * 0.1 * u.ms, DT)
    suggested = float(str(error.value).split("transient=")[1].split(" ")[0])
    if near:
        assert suggested == pytest.approx(near * 0.1, rel=1e-5)
    assert steps_in("transient", suggested * u.ms, DT) >= 1  # what it suggests, it takes


@pytest.mark.parametrize("duration", [0 * u.ms, -1 * u.ms, 0, -3])
def test_steps_in_refuses_less_than_its_minimum(duration):
    with pytest.raises(ValueError, match="`duration` must be at least 1 time step"):
        steps_in("duration", duration, DT, minimum=1)


@pytest.mark.parametrize("duration", [1.5, "1 ms", 3 * u.mV, True, None], ids=str)
def test_steps_in_refuses_what_is_no_time(duration):
    with pytest.raises(u.UnitMismatchError, match="`duration` must be a time.*Example: duration=100"):
        steps_in("duration", duration, DT)


@pytest.mark.parametrize("duration", [np.nan * u.ms, np.inf * u.ms, np.ones(2) * u.ms])
def test_steps_in_refuses_what_is_not_one_finite_time(duration):
    with pytest.raises(ValueError, match="`duration` must be one finite time"):
        steps_in("duration", duration, DT)


@pytest.mark.parametrize("dt", [0.0 * u.ms, -0.1 * u.ms])
def test_dt_must_be_positive(dt):
    with pytest.raises(ValueError, match=r"`dt` \(time step\) must be > 0.*Example: dt=0.1"):
        check_dt(dt)


@pytest.mark.parametrize("dt", [0.1, 1 * u.mV, "0.1"], ids=str)
def test_dt_must_be_a_time(dt):
    with pytest.raises(u.UnitMismatchError, match="`dt` must be a time"):
        check_dt(dt)


def test_dt_must_be_one_finite_number():
    for dt in np.nan * u.ms, np.array([0.1, 0.2]) * u.ms:
        with pytest.raises(ValueError, match="`dt` must be one finite time"):
            check_dt(dt)


def test_interval_in_whole_steps():
    assert interval_in_steps(1 * u.ms, 0.1 * u.ms) == 10
    assert interval_in_steps(1 * u.ms, 0.3 * u.ms) == 3
    assert interval_in_steps(1 * u.ms, 5 * u.ms) == 1
