"""Trainer: regressions with known answers, what an epoch is, what is kept, and the delayed match-to-sample task."""

from collections import Counter

import brainstate
import brainunit as u
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from brainstate.nn import Linear, Param
from scipy.optimize import minimize

import brainmass

RNG = np.random.default_rng(7)
X = RNG.normal(size=(60, 3)).astype(np.float32)
Y = (X @ np.array([[1.0, 0.3], [-2.0, 0.0], [0.5, 1.0]]) + 0.3 * RNG.normal(size=(60, 2)) + 0.7).astype(np.float32)
LABELS = (X[:, 0] + 0.8 * RNG.normal(size=60) > 0.2).astype(np.int32)
OTHERS = RNG.normal(size=(17, 3)).astype(np.float32), RNG.normal(size=(17, 2)).astype(np.float32)


def squares(outputs, targets):
    return jnp.mean((outputs - targets) ** 2)


def entropy(outputs, targets):
    return optax.softmax_cross_entropy_with_integer_labels(outputs, targets).mean()


def accuracy(outputs, targets):
    return jnp.mean(jnp.argmax(outputs, axis=-1) == targets)


def linear():
    return Linear(3, 2, w_init=lambda shape: jnp.zeros(shape), b_init=lambda shape: jnp.zeros(shape))


def trainer(optimizer=None, model=None, loss_fn=squares, batch_size=20, **options):
    return brainmass.Trainer(model or linear(), optimizer, loss_fn=loss_fn, batch_size=batch_size, **options)


def weights(of):
    found = of.model.weight.value
    return np.concatenate([found["weight"], np.ravel(found["bias"])[None]])


# --- known answers --------------------------------------------------------------------------------------------------
def test_linear_regression_by_numpy():
    learner = trainer(optax.sgd(0.3, momentum=0.5), batch_size=60)
    result = learner.fit(X, Y, n_epochs=200)
    truth, residual, *_ = np.linalg.lstsq(np.c_[X, np.ones(60)], Y, rcond=None)
    np.testing.assert_allclose(weights(learner), truth, atol=1e-4)
    assert result.losses[-1] == pytest.approx(residual.sum() / 120, rel=1e-4)


def test_logistic_regression_by_scipy():
    learner = trainer(optax.sgd(2.0, momentum=0.5), loss_fn=entropy, batch_size=60)
    learner.fit(X, LABELS, n_epochs=300)

    def loss(w):
        return np.mean(np.logaddexp(0, -(2 * LABELS - 1) * (X @ w[:3] + w[3])))

    w = weights(learner)
    np.testing.assert_allclose(w[:, 1] - w[:, 0], minimize(loss, np.zeros(4), tol=1e-10).x, atol=2e-3)


def test_a_minibatch_is_a_step_of_gradient_descent():
    """Two epochs of three minibatches in numpy, with the order of the samples read off from what `predict` is given."""
    learner, W, losses = trainer(optax.sgd(0.1)), np.zeros((4, 2)), []
    for epoch in range(2):
        order = np.random.default_rng([*_words(5), epoch]).permutation(60)
        for rows in order.reshape(3, 20):
            inputs = np.c_[X[rows], np.ones(20)]
            off = inputs @ W - Y[rows]
            losses.append(np.mean(off**2))
            W = W - 0.1 * inputs.T @ off / 20
    result = learner.fit(X, Y, n_epochs=2, seed=5)
    np.testing.assert_allclose(weights(learner), W, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(result.losses, np.reshape(losses, (2, 3)).mean(axis=1), rtol=1e-5)


def _words(seed):
    return [0, seed]


def test_an_epoch_sees_each_sample_once_and_in_another_order():
    seen = []
    still = trainer(optax.sgd(0.0), callbacks=lambda epoch: seen.append(epoch.loss))
    still.fit(X, Y, n_epochs=2)
    np.testing.assert_allclose(seen, np.mean(Y**2), rtol=1e-6)
    one, other = (trainer(optax.sgd(0.1)) for _ in range(2))
    one.fit(X, Y, n_epochs=1, seed=1), other.fit(X, Y, n_epochs=1, seed=2)
    assert not np.allclose(weights(one), weights(other), atol=1e-5)


def test_scores_of_samples_that_fill_no_batch():
    learner = trainer(batch_size=8, metric=lambda outputs, targets: jnp.max(jnp.abs(outputs - targets)))
    learner.fit(X, Y, n_epochs=1)
    outputs = OTHERS[0] @ weights(learner)[:3] + weights(learner)[3]
    np.testing.assert_allclose(learner.predict(OTHERS[0]), outputs, rtol=1e-5, atol=1e-6)
    score = learner.evaluate(*OTHERS)
    assert score.loss == pytest.approx(np.mean((outputs - OTHERS[1]) ** 2), rel=1e-5)
    assert score.metric == pytest.approx(np.abs(outputs - OTHERS[1]).max(), rel=1e-5)


# --- what is kept ---------------------------------------------------------------------------------------------------
def test_the_best_epoch_on_held_out_samples_is_kept_and_ends_the_training():
    """Held-out targets are those of half the slope: on the way there the loss first falls, then rises."""
    x, y = X[:40], X[:40, :2]
    learner = trainer(optax.sgd(0.05))
    result = learner.fit(x, y, n_epochs=200, held_out=(x, 0.5 * y), patience=5)
    losses = result.held_out_losses
    assert 3 < result.best_epoch == losses.argmin() == result.n_epochs - 6
    assert learner.evaluate(x, 0.5 * y).loss == pytest.approx(losses.min(), rel=1e-6)
    assert losses[-1] > losses.min()
    assert result.held_out_metrics is None


def test_training_goes_on_as_if_it_had_never_stopped(tmp_path):
    setting = dict(held_out=OTHERS, seed=3)
    whole, first, second = (trainer(optax.adam(0.05), metric=squares) for _ in range(3))
    expected = whole.fit(X, Y, n_epochs=7, **setting)
    first.fit(X, Y, n_epochs=3, **setting)
    first.save(tmp_path / "training.npz")
    result = second.fit(X, Y, n_epochs=7, resume=tmp_path / "training.npz", **setting)
    for name in "losses", "held_out_losses", "held_out_metrics":
        np.testing.assert_array_equal(getattr(result, name), getattr(expected, name))
    np.testing.assert_array_equal(weights(second), weights(whole))
    with pytest.raises(ValueError, match="has another set of samples"):
        second.fit(X + 1, Y, n_epochs=7, resume=tmp_path / "training.npz", **setting)
    with pytest.raises(ValueError, match="Trainer.save needs a training"):
        trainer().save(tmp_path / "none.npz")


def test_it_compiles_once(monkeypatch):
    traced = Counter()
    for name in "_step", "_measured":
        monkeypatch.setattr(brainmass.Trainer, name, counted(traced, getattr(brainmass.Trainer, name)))
    learner = trainer(metric=squares)
    learner.fit(X, Y, n_epochs=3, held_out=OTHERS, seed=0)
    assert traced == {"_step": 1, "_measured": 2}  # once by the look at what comes out, as for every fit
    learner.fit(X + 1, Y, n_epochs=3, held_out=OTHERS, seed=1)
    assert traced == {"_step": 1, "_measured": 3}


def counted(counts, function):
    def counting(*arguments):
        counts[function.__name__] += 1
        return function(*arguments)

    return counting


def test_callbacks_end_it():
    told = []
    learner = trainer(metric=squares, callbacks=[told.append, lambda epoch: epoch.epoch == 2])
    result = learner.fit(X, Y, n_epochs=9, held_out=OTHERS)
    assert result.n_epochs == len(told) == 3
    assert told[-1].held_out.metric == pytest.approx(result.held_out_metrics[-1])


def test_a_loss_that_is_not_finite_ends_it_and_the_best_is_kept():
    learner = trainer(optax.sgd(1e18))
    with pytest.warns(RuntimeWarning, match="keeps its best parameters"):
        result = learner.fit(X, Y, n_epochs=50)
    assert result.n_epochs < 50
    assert np.isfinite(weights(learner)).all()


# --- models ---------------------------------------------------------------------------------------------------------
class Scaled(brainstate.nn.Module):
    """A trainable parameter, and one that is not."""

    def __init__(self):
        super().__init__()
        self.gain, self.offset = Param(jnp.zeros(3), fit=True), Param(jnp.ones(3))

    def update(self, x):
        return self.gain.value() * x + self.offset.value()


def test_trainable_parameters_are_trained_and_others_are_not():
    model = Scaled()
    trainer(optax.adam(0.1), model).fit(X, 1 + X * np.array([1.0, -2.0, 0.5]), n_epochs=150)
    np.testing.assert_allclose(model.gain.value(), [1.0, -2.0, 0.5], atol=1e-3)
    np.testing.assert_array_equal(model.offset.value(), 1.0)


def test_what_is_random_has_a_new_key_at_each_step():
    def noisy(model, x, key):
        return model(x) + 0.1 * key[0].astype(float) / 2.0**32

    learner = trainer(optax.sgd(0.0), predict=noisy)
    losses = learner.fit(X, Y, n_epochs=3).losses
    assert len(set(losses)) == 3
    np.testing.assert_array_equal(trainer(optax.sgd(0.0), predict=noisy).fit(X, Y, n_epochs=3).losses, losses)


@pytest.mark.slow
def test_dropout_is_drawn_by_the_seed_and_absent_from_scores():
    def dropping():
        return trainer(optax.sgd(0.05), brainstate.nn.Sequential(linear(), brainstate.nn.Dropout(0.5)))

    before = brainstate.random.DEFAULT.value
    one, same, other = (dropping().fit(X, Y, n_epochs=3, seed=s).losses for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    assert before == brainstate.random.DEFAULT.value
    learner = dropping()
    learner.fit(X, Y, n_epochs=1)
    scored = learner.predict(X)
    np.testing.assert_array_equal(scored, learner.predict(X, seed=4))
    assert (np.asarray(scored) != 0).all()


@pytest.mark.slow
def test_a_layer_over_a_sequence_is_given_samples_first():
    brainstate.environ.set(dt=1.0 * u.ms)
    layer = brainmass.HORNSeqLayer(3, 5, alpha=0.5)
    sequences = RNG.normal(size=(7, 4, 3)).astype(np.float32)
    learner = trainer(optax.adam(0.01), layer, batch_size=3)
    outputs = learner.predict(sequences)
    brainstate.nn.init_all_states(layer, batch_size=7)
    np.testing.assert_allclose(outputs, np.swapaxes(layer(np.swapaxes(sequences, 0, 1)), 0, 1), rtol=1e-5, atol=1e-7)
    losses = learner.fit(sequences, np.zeros((7, 4, 5), np.float32), n_epochs=10).losses
    assert losses[-1] < losses[0]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_horn_learns_the_delayed_match_task(seed):
    brainstate.environ.set(dt=1.0 * u.ms)
    brainstate.random.seed(seed)
    omega = 2 * np.pi / np.linspace(6, 30, 32)
    net = brainmass.HORNSeqNetwork(4, 32, 2, alpha=1.0, omega=omega, rec_scale=32**-0.5)
    learner = trainer(optax.adam(0.02), net, entropy, 32, metric=accuracy)
    task = brainmass.datasets.delayed_match_task
    learner.fit(*task(512, seed=seed), n_epochs=20)
    assert learner.evaluate(*task(256, seed=1000 + seed)).metric > 0.95


# --- refusals -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("inputs", "targets", "words"),
    [
        (X, Y[:50], "one row for each sample, but have 60, 50 rows"),
        (X[:0], Y[:0], "one row for each sample"),
        (np.where(X > 2, np.nan, X), Y, "`inputs` of Trainer must be finite"),
        (X, np.where(Y > 2, np.inf, Y), "`targets` of Trainer must be finite"),
        (X[:10], Y[:10], "`batch_size` of Trainer must be at most the number of samples, 10, but is 20"),
        (3.0, Y, "`inputs` of Trainer must be an array with one row per sample"),
    ],
)
def test_samples_that_do_not_fit(inputs, targets, words):
    with pytest.raises(ValueError, match=words):
        trainer().fit(inputs, targets)


def test_held_out_losses_are_there_where_all_are_lost():
    with pytest.warns(RuntimeWarning, match="The loss is"):
        result = trainer(loss_fn=lambda out, y: squares(out, y) * jnp.nan).fit(X, Y, n_epochs=2, held_out=OTHERS)
    np.testing.assert_array_equal(result.held_out_losses, [np.nan])
    assert result.best_epoch == -1 and "held out" not in repr(result)


def test_held_out_samples_that_do_not_fit():
    with pytest.raises(ValueError, match="must have samples of the same shapes"):
        trainer().fit(X, Y, held_out=(X[:, :2], Y))
    with pytest.raises(TypeError, match=r"must be a pair \(inputs, targets\)"):
        trainer().fit(X, Y, held_out=X)
    with pytest.raises(ValueError, match="`held_out` of Trainer .* must be finite"):
        trainer().fit(X, Y, held_out=(X * np.nan, Y))


def test_losses_and_metrics_that_are_not_one_number():
    with pytest.raises(ValueError, match=r"loss must be one number, but has shape \(20, 2\)"):
        trainer(loss_fn=lambda outputs, targets: (outputs - targets) ** 2).fit(X, Y)
    with pytest.raises(ValueError, match=r"metric must be one number, but has shape \(20,\)"):
        trainer(metric=lambda outputs, targets: outputs[:, 0]).fit(X, Y)
    with pytest.raises(ValueError, match="one row per sample, 20 in a batch"):
        trainer(predict=lambda model, inputs: model(inputs).mean(0)).fit(X, Y)


def test_models_and_options_that_cannot_be_trained():
    with pytest.raises(ValueError, match="nothing to train"):
        trainer(model=brainstate.nn.ReLU())
    for wrong in {"batch_size": 0}, {"batch_size": 2.5}:
        with pytest.raises(ValueError, match="`batch_size` of Trainer must be a positive int"):
            trainer(**wrong)
    with pytest.raises(ValueError, match="`n_epochs` of Trainer must be a positive int"):
        trainer().fit(X, Y, n_epochs=0)
    with pytest.raises(TypeError, match="`loss_fn` of Trainer must be a function"):
        trainer(loss_fn="mse")
    with pytest.raises(ValueError, match="`optimizer` of Trainer cannot be one with a line search"):
        trainer(optimizer=optax.lbfgs())
