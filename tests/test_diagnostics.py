"""What is said of chains, against ArviZ."""

import numpy as np
import pytest

from brainmass.inference.diagnostics import effective_draws, effective_draws_of_tails, r_hat


def drawn(chains, draws, numbers=4):
    """Autoregressive chains, from ones that turn back to ones that hardly move, one of them displaced at the start."""
    x = np.random.default_rng(0).standard_normal((chains, draws, numbers))
    for i in range(1, draws):
        x[:, i] += np.linspace(-0.6, 0.95, numbers) * x[:, i - 1]
    x[0, : draws // 3] += 0.5
    return x


@pytest.mark.parametrize("shape", [(4, 200), (2, 37), (1, 100), (3, 9)])
def test_of_arviz(shape):
    arviz = pytest.importorskip("arviz")
    x = drawn(*shape)
    data = arviz.convert_to_dataset({"x": x})
    for found, method in (effective_draws(x), "bulk"), (effective_draws_of_tails(x), "tail"):
        np.testing.assert_allclose(found, arviz.ess(data, method=method)["x"], rtol=1e-10)
    if shape[0] > 1:
        np.testing.assert_allclose(r_hat(x), arviz.rhat(data)["x"], rtol=1e-10)
    else:
        assert np.isnan(r_hat(x)).all()


def test_chains_that_stand_still_are_worth_nothing_and_do_not_agree():
    x = drawn(4, 100)
    x[..., 1] = np.arange(4)[:, None]
    x[..., 2] = 1.0
    x[0, 3, 3] = np.nan
    assert r_hat(x)[1] > 1e6 and np.isnan(r_hat(x)[2:]).all()
    assert effective_draws(x)[1] < 20 and effective_draws(x)[2] == effective_draws_of_tails(x)[2] == 0
    assert np.isnan(effective_draws(x)[3]) and np.isfinite(effective_draws(x)[0])


def test_too_few_draws_for_autocorrelations():
    assert np.isnan(effective_draws(drawn(2, 7))).all() and np.isfinite(r_hat(drawn(2, 7))).all()
