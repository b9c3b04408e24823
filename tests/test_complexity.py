"""Complexity and decay of responses: words by hand and by the published flow chart, transitions, closed forms."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import brainmass as bm
from brainmass.objectives import (
    decay_time,
    lempel_ziv_complexity,
    perturbational_complexity,
    state_transition_complexity,
)


def bits(text):
    return np.array([int(x) for x in text])


@pytest.mark.parametrize(
    ("sequence", "words"),
    [
        ("0001101001000101", 6),  # 0 001 10 100 1000 101: Lempel and Ziv 1976
        ("1001111011000010", 6),  # 1 0 01 1110 1100 0010
        ("0000000000", 2),  # 0 000000000
        ("0101010101", 3),  # 0 1 01010101
        ("0100011011000001", 6),  # 0 1 00 011 011000 001, of which the last is cut off
        ("01", 2),
    ],
)
def test_words_of_known_sequences(sequence, words):
    assert lempel_ziv_complexity(bits(sequence), normalize=False) == words
    assert lempel_ziv_complexity(bits(sequence) > 0, normalize=False) == words


def flow_chart(matrix):
    """Words of a matrix (time, region) by pointers, as in the supplement of Casali et al. 2013; ends count once."""
    n, size = matrix.shape
    columns = ["".join(map(str, row)) for row in matrix]
    words = 0
    for r in range(n):
        i = 0
        while i < size:
            k, q = 1, r
            while i + k <= size:
                past = columns[q] if q < r else columns[r][: i + k - 1]
                if columns[r][i : i + k] in past:
                    k += 1
                elif q > 0:
                    q -= 1
                else:
                    break
            words += i + k <= size or r == n - 1
            i += k
    return words


@pytest.mark.parametrize("shape", [(7, 5), (40, 12), (1, 60), (30, 1)])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_words_of_matrices_are_those_of_the_flow_chart(shape, share):
    matrix = (np.random.default_rng(sum(shape)).uniform(size=shape) < share).astype(int)
    assert lempel_ziv_complexity(matrix, normalize=False) == flow_chart(matrix)


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_random_comes_to_one_and_constants_to_zero(share):
    rng = np.random.default_rng(0)
    by_length = [lempel_ziv_complexity(rng.uniform(size=n) < share) for n in (300, 3000, 30000)]
    assert by_length[0] > by_length[1] > by_length[2] > 1 and by_length[2] == pytest.approx(1, abs=0.07)
    assert lempel_ziv_complexity(rng.uniform(size=(300, 100)) < share) == pytest.approx(1, abs=0.12)
    assert lempel_ziv_complexity(np.zeros((30, 10))) == lempel_ziv_complexity(np.ones(20)) == 0
    assert lempel_ziv_complexity(np.arange(30000) % 2) < 0.002


def responses(kind, n_trials=30, n_regions=20, seed=0):
    """Baseline and response of 100 samples: none, the same everywhere, or of each region its own."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(n_trials, 200, n_regions))
    t = np.arange(100)[:, None]
    shapes = {
        "none": np.zeros((100, n_regions)),
        "same": np.exp(-t / 30) * np.sin(t / 8) * np.ones(n_regions),
        "own": np.exp(-t / 60) * np.sin(t / rng.uniform(2, 10, n_regions) + rng.uniform(0, 6, n_regions)),
    }
    noise[:, 100:] += 3 * shapes[kind]
    return noise[:, 100:], noise[:, :100]


def test_what_differs_from_region_to_region_is_more_complex_than_what_is_the_same():
    pci = {kind: perturbational_complexity(*responses(kind)) for kind in ("none", "same", "own")}
    assert pci["none"] < 0.05 < pci["same"] < 0.5 * pci["own"] < pci["own"] < 1
    st = {}
    for kind in "same", "own":
        after, before = (x.mean(axis=0) for x in responses(kind, 200))
        st[kind] = state_transition_complexity(after, before)
    assert 1 < st["same"] < 0.1 * st["own"]


def test_the_order_of_regions_does_not_matter():
    """They are sorted by how long they respond."""
    rng = np.random.default_rng(5)
    before, after = rng.normal(size=(2, 20, 50, 12))
    for region in range(12):
        after[:, rng.permutation(50)[: 3 * region + 3], region] += 8.0
    whole = perturbational_complexity(after, before)
    assert whole > 0.5
    for order in (rng.permutation(12) for _ in range(5)):
        assert perturbational_complexity(after[..., order], before[..., order]) == whole


def test_a_constant_response_has_no_complexity():
    """In one trial what is constant is not significant, or significant always: of both the source has no entropy."""
    before = np.random.default_rng(0).normal(size=(200, 3))
    assert perturbational_complexity(np.zeros((100, 3)), before) == 0
    assert perturbational_complexity(np.full((100, 3), 50.0), before) == 0
    assert state_transition_complexity(np.zeros((100, 3)), before) == 0


@pytest.mark.parametrize("alpha", [0.2, 0.5])
def test_significance_is_that_of_the_largest_of_all(alpha):
    """Of noise without a response, a share alpha of experiments has something significant."""
    found = [
        perturbational_complexity(*responses("none", 10, 5, seed), alpha=alpha, n_surrogates=100) > 0
        for seed in range(100)
    ]
    assert np.mean(found) == pytest.approx(alpha, abs=0.1)


@pytest.mark.parametrize("switches", [1, 4, 9])
def test_state_transitions_are_counted(switches):
    """A response that goes to and fro between two states has a number of transitions: that of the switches."""
    wave = np.arange(100) * (switches + 1) // 100 % 2
    shifted = 1.0 + wave  # away from rest
    before = np.zeros((50, 2))
    response = np.outer(shifted, [3.0, 4.0])
    assert state_transition_complexity(response, before) == pytest.approx(switches)
    assert state_transition_complexity(response, before, n_thresholds=7) == pytest.approx(switches)
    loud = np.outer(np.random.default_rng(0).normal(size=50), [30.0, 40.0])
    assert state_transition_complexity(response, loud) == 0


def by_masks(after, before, k, least_snr, variance, n):
    """The definition of Comolatti et al. 2019, threshold by threshold."""
    after, before = after - before.mean(axis=0), before - before.mean(axis=0)
    V, S = np.linalg.svd(after.T, full_matrices=False)[:2]
    kept = int(np.argmax(np.cumsum(S**2) / np.sum(S**2) >= variance)) + 1
    total = 0.0
    for c in range(kept):
        x, b = after @ V[:, c], before @ V[:, c]
        if np.sqrt((x**2).mean() / (b**2).mean()) <= least_snr:
            continue
        apart = [np.abs(np.subtract.outer(y, y)) for y in (x, b)]
        best = 0.0
        for threshold in np.linspace(np.median(apart[1]), apart[0].max(), n):
            share = [np.abs(np.diff((d <= threshold).astype(int), axis=1)).sum() / d.size for d in apart]
            best = max(best, share[0] - k * share[1])
        total += best * len(x)
    return total


def test_state_transitions_are_those_of_the_definition():
    after, before = (x.mean(axis=0) for x in responses("own"))
    settings = dict(k=1.3, least_snr=1.05, variance=0.9)
    expected = by_masks(after, before, *settings.values(), 30)
    assert state_transition_complexity(after, before, **settings, n_thresholds=30) == pytest.approx(expected)
    assert expected > 3


def test_within_jit_and_vmap():
    after, before = responses("own", 5, 4)
    whole = float(jax.jit(perturbational_complexity)(after, before))
    assert whole == pytest.approx(perturbational_complexity(after, before), rel=1e-6)
    many = jax.vmap(state_transition_complexity)(jnp.asarray(after), jnp.asarray(before))
    each = [state_transition_complexity(a, b) for a, b in zip(after, before, strict=True)]
    np.testing.assert_allclose(many, each, rtol=1e-5)


def test_decay_times():
    tau = np.array([5.0, 20.0, 37.0])
    t = 0.5 * np.arange(800)[:, None]
    np.testing.assert_allclose(decay_time(np.exp(-t / tau), 0.5 * u.ms).to_decimal(u.ms), tau, rtol=4e-3)
    np.testing.assert_allclose(decay_time(-1e-9 * np.exp(-t / tau), 500 * u.us).to_decimal(u.ms), tau, rtol=4e-3)
    alpha = decay_time(t * np.exp(-t / tau), 0.5 * u.ms)  # the energy of t exp(-t/tau) is on average at 3 tau / 2
    np.testing.assert_allclose(alpha.to_decimal(u.ms), 3 * tau, rtol=0.04)
    assert decay_time(np.zeros((10, 1)), 1 * u.ms)[0] == 0 * u.ms


def test_decay_time_has_a_slope(x64):
    t = np.arange(400.0)[:, None]

    def measured(tau):
        return decay_time(jnp.exp(-t / tau), 1 * u.ms).to_decimal(u.ms)[0]

    slope = float(measured(20.01) - measured(19.99)) / 0.02
    assert float(jax.grad(measured)(20.0)) == pytest.approx(slope, rel=1e-6) and slope == pytest.approx(1, abs=0.01)
    silent = jax.grad(lambda a: decay_time(a * jnp.ones((10, 2)), 1 * u.ms).to_decimal(u.ms).sum())(0.0)
    assert np.isfinite(silent)


def test_what_cannot_be_is_refused():
    after, before = responses("own", 3, 4)
    with pytest.raises(ValueError, match="`baseline` .* must vary in all regions"):
        perturbational_complexity(after, np.zeros_like(before))
    with pytest.raises(ValueError, match="`baseline` .* as many trials"):
        perturbational_complexity(after, before[:2])
    with pytest.raises(ValueError, match="`response` .* must be of shape"):
        perturbational_complexity(after[0, 0], before)
    with pytest.raises(ValueError, match="`x` .* must be 0 and 1"):
        lempel_ziv_complexity([0, 1, 2])
    with pytest.raises(TypeError, match="`x` .* must be numbers that are known"):
        jax.jit(lempel_ziv_complexity)(np.ones(4))
    with pytest.raises(ValueError, match="`baseline` .* as many regions"):
        state_transition_complexity(after[0], before[0, :, :2])


def test_of_an_evoked_response():
    node = bm.LinearStep(3, gamma=-0.1, noise_x=bm.WhiteNoise(3, sigma=0.1), init_x=np.zeros)
    pulse = bm.Pulse(3, amplitude=1.0, onset=30 * u.ms, width=2 * u.ms, weights=np.array([1.0, 0.5, 0.0]))
    one = bm.Simulator(node, dt=0.2 * u.ms)
    erp = bm.evoked_response(one, 80 * u.ms, {"x_inp": pulse}, "x", seeds=20, sample_every=1 * u.ms)
    trials = np.asarray(erp.trials)
    assert erp.perturbational_complexity() == perturbational_complexity(trials[:, 30:], trials[:, :30])
    assert erp.state_transition_complexity(k=1) == state_transition_complexity(
        trials.mean(axis=0)[30:], trials.mean(axis=0)[:30], k=1
    )
    whole = erp.perturbational_complexity(window=(0.5 * u.ms, 20 * u.ms), baseline=(-20 * u.ms, -1 * u.ms))
    assert whole == perturbational_complexity(trials[:, 30:50], trials[:, 9:29])
