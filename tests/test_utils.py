"""The functions that models share, against their closed forms."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from brainmass.dynamics.functions import bounded_input, delay_index, process_sequence, sigmoid, sys2nd


# --- sys2nd -------------------------------------------------------------------------------------------------------
def test_impulse_response_is_an_alpha_function():
    """An impulse sets v to A a; then x = A a t e^(-a t)."""
    A, a = 3.25, 100.0
    solution = solve_ivp(
        lambda t, s: [s[1], sys2nd(A, a, 0.0, s[0], s[1])], (0, 0.08), [0.0, A * a], rtol=1e-10, atol=1e-12
    )
    t = solution.t
    np.testing.assert_allclose(solution.y[0], A * a * t * np.exp(-a * t), atol=1e-8)


def test_static_gain():
    """A constant input is in balance with x = (A/a) input."""
    A, a, rate = 22.0 * u.mV, 50.0 * u.Hz, 3.0 * u.Hz
    rest = sys2nd(A, a, rate, A / a * rate, 0.0 * u.mV / u.second)
    assert float(rest.to_decimal(u.mV / u.second**2)) == pytest.approx(0.0, abs=1e-3)
    assert float((A / a * rate).to_decimal(u.mV)) == pytest.approx(1.32)


# --- sigmoid ------------------------------------------------------------------------------------------------------
def test_sigmoid_closed_form(x64):
    v = np.linspace(-20, 30, 11)
    truth = 5 / (1 + np.exp(0.56 * (6 - v)))
    np.testing.assert_allclose(sigmoid(v, 5.0, 6.0, 0.56), truth, rtol=1e-13)
    with_units = sigmoid(v * u.mV, 5.0 * u.Hz, 0.006 * u.volt, 560.0 / u.volt)
    np.testing.assert_allclose(with_units.to_decimal(u.Hz), truth, rtol=1e-12)


def test_sigmoid_slope_at_its_centre():
    assert float(jax.grad(lambda x: sigmoid(x, 5.0, 6.0, 0.56))(6.0)) == pytest.approx(0.56 * 5 / 4, rel=1e-6)


@pytest.mark.parametrize("x, value", [(-1e6, 0.0), (1e6, 5.0)])
def test_sigmoid_far_out_in_single_precision(x, value):
    found, slopes = jax.value_and_grad(lambda x, r: sigmoid(x, 5.0, 6.0, r), argnums=(0, 1))(x, 0.56)
    assert float(found) == value
    assert np.all(np.isfinite(slopes))


def test_sigmoid_refuses_a_steepness_without_its_unit():
    with pytest.raises((TypeError, u.UnitMismatchError)):
        sigmoid(1.0 * u.mV, 5.0 * u.Hz, 6.0 * u.mV, 0.56)


# --- bounded_input ------------------------------------------------------------------------------------------------
def test_bounded_input_closed_form(x64):
    x = np.array([-1e9, -700.0, -1e-3, 0.0, 5.0, 500.0, 1e9])
    np.testing.assert_allclose(bounded_input(x), 500 * np.tanh(x / 500), rtol=1e-14)
    np.testing.assert_allclose(bounded_input(x, 20.0), 20 * np.tanh(x / 20), rtol=1e-14)


def test_bounded_input_reads_a_plain_bound_in_the_unit_of_what_it_bounds(x64):
    rate = 0.9 / u.ms
    truth = 500 * np.tanh(900 / 500)
    assert float(bounded_input(rate, 500.0 * u.Hz).to_decimal(u.Hz)) == pytest.approx(truth, rel=1e-12)
    assert float(bounded_input(rate, 0.5).to_decimal(u.Hz)) == pytest.approx(truth, rel=1e-12)
    velocity = bounded_input(700.0 * u.mV / u.second, 1000.0)
    assert u.get_unit(velocity) == u.mV / u.second
    assert float(velocity.mantissa) == pytest.approx(1000 * np.tanh(0.7), rel=1e-12)


@pytest.mark.parametrize("bound", [0.0, -1.0, np.nan, np.array([1.0, 0.0])])
def test_bounded_input_refuses_a_bound_that_is_not_positive(bound):
    with pytest.raises(ValueError, match="`bound` of bounded_input must be > 0"):
        bounded_input(np.ones(2), bound)


def test_bounded_input_refuses_a_bound_of_another_unit():
    with pytest.raises(u.UnitMismatchError):
        bounded_input(1.0 * u.mV, 500.0 * u.Hz)
    with pytest.raises(u.UnitMismatchError):
        bounded_input(1.0, 500.0 * u.Hz)


def test_bounded_input_is_differentiable_in_its_bound(x64):
    x, bound, h = 3.0, 2.0, 1e-6
    slope = jax.jit(jax.grad(lambda b: bounded_input(x, b)))(bound)
    above, below = ((bound + s * h) * np.tanh(x / (bound + s * h)) for s in (1, -1))
    assert float(slope) == pytest.approx((above - below) / (2 * h), rel=1e-8)


# --- process_sequence ---------------------------------------------------------------------------------------------
SERIES = np.array([[3.0, -1.0], [0.5, 4.0], [1.0, 0.0]])


@pytest.mark.parametrize(
    "mode, truth",
    [
        ("stack", SERIES),
        ("last", [1.0, 0.0]),
        ("first", [3.0, -1.0]),
        ("avg", [1.5, 1.0]),
        ("mean", [1.5, 1.0]),
        ("max", [3.0, 4.0]),
        ("min", [0.5, -1.0]),
        (lambda x: x[1] - x[0], [-2.5, 5.0]),
    ],
)
def test_process_sequence(mode, truth):
    found = process_sequence({"a": jnp.asarray(SERIES), "b": (SERIES * u.mV,)}, mode)
    np.testing.assert_allclose(found["a"], truth)
    np.testing.assert_allclose(found["b"][0].to_decimal(u.mV), truth)


def test_process_sequence_uses_stack_unless_told():
    np.testing.assert_array_equal(process_sequence(SERIES), SERIES)


@pytest.mark.parametrize("mode", ["meen", "", None, 3])
def test_process_sequence_refuses_an_unknown_mode(mode):
    with pytest.raises(ValueError, match="`mode` of process_sequence must be a function or one of 'stack', 'last'"):
        process_sequence(SERIES, mode)


# --- delay_index --------------------------------------------------------------------------------------------------
def test_delay_index_names_the_source_of_each_edge():
    index = delay_index(3)
    np.testing.assert_array_equal(index, [[0, 1, 2]] * 3)
    assert jnp.issubdtype(index.dtype, jnp.integer)
    sent = np.array([10.0, 20.0, 30.0])
    np.testing.assert_array_equal(sent[index][:, 1], 20.0)


@pytest.mark.parametrize("n", [0, -2, 2.0, True])
def test_delay_index_refuses_what_is_no_number_of_regions(n):
    with pytest.raises(ValueError, match="`n_hidden` of delay_index must be a positive int"):
        delay_index(n)
