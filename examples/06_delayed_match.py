"""A network of damped harmonic oscillators learns to remember: delayed match to sample.

A symbol is shown, nothing follows for eight steps, then another symbol or the same: did they match? Oscillators of many
frequencies (HORN; Effenberger, Carvalho, Dubinin, Singer 2025, Proc. Natl. Acad. Sci. 122:e2412830122) keep the first
symbol in their motion, and learn from examples to compare. With four symbols there are only 16 different sequences:
what is held out, drawn with another seed, says whether the task is learned, not whether it carries over to others.
"""

from pathlib import Path

import brainstate
import brainunit as u
import jax.numpy as jnp
import matplotlib
import numpy as np
import optax

import brainmass

matplotlib.use("Agg")
import matplotlib.pyplot as plt

N, LENGTH, SYMBOLS = 32, 10, 4
brainstate.environ.set(dt=1.0 * u.ms)
brainstate.random.seed(0)
train = brainmass.datasets.delayed_match_task(512, seq_len=LENGTH, n_symbols=SYMBOLS, seed=0)
held_out = brainmass.datasets.delayed_match_task(256, seq_len=LENGTH, n_symbols=SYMBOLS, seed=1)

periods = np.linspace(6, 30, N)  # steps
network = brainmass.HORNSeqNetwork(SYMBOLS, N, 2, alpha=1.0, omega=2 * np.pi / periods, rec_scale=N**-0.5)


def cross_entropy(outputs, targets):
    return optax.softmax_cross_entropy_with_integer_labels(outputs, targets).mean()


def accuracy(outputs, targets):
    return jnp.mean(jnp.argmax(outputs, axis=-1) == targets)


trainer = brainmass.Trainer(network, optax.adam(0.02), loss_fn=cross_entropy, metric=accuracy, batch_size=32)
print(f"accuracy before training: {trainer.evaluate(*held_out).metric:.3f}")
result = trainer.fit(*train, n_epochs=25, held_out=held_out)
print(result)
score = trainer.evaluate(*held_out)
print(f"accuracy on held-out samples: {score.metric:.3f}")

# The motion of the oscillators after each symbol, alone: what the network has to go on when the second one comes.
alone = np.zeros((LENGTH, SYMBOLS, SYMBOLS), np.float32)  # time, samples, inputs
alone[0] = np.eye(SYMBOLS)
brainstate.nn.init_all_states(network, batch_size=SYMBOLS)
(motion,) = network.hidden_activation(alone)

figure, axes = plt.subplots(1, 3, figsize=(14, 4), layout="constrained")
axes[0].semilogy(result.losses, color="0.6", label="training")
axes[0].semilogy(result.held_out_losses, color="#0072B2", label="held out")
axes[0].set(xlabel="epoch", ylabel="cross-entropy", title="loss")
axes[0].legend()
axes[1].plot(result.held_out_metrics, color="#0072B2")
axes[1].axhline(0.5, color="0.6", ls="--", lw=1)
axes[1].set(xlabel="epoch", ylabel="share of right answers", ylim=(0.3, 1.03), title="held-out accuracy")
centred = np.asarray(motion) - np.asarray(motion).mean(axis=1, keepdims=True)
_, _, directions = np.linalg.svd(centred.reshape(-1, N), full_matrices=False)
for symbol in range(SYMBOLS):
    path = centred[:, symbol] @ directions[:2].T
    axes[2].plot(*path.T, ".-", label=f"after symbol {symbol}", color=plt.get_cmap("viridis")(symbol / SYMBOLS))
    axes[2].plot(*path[-1], "o", color=plt.get_cmap("viridis")(symbol / SYMBOLS))
axes[2].set(xlabel="first component", ylabel="second component", title="what is remembered")
axes[2].legend(fontsize=8)
out = Path(__file__).with_name("06_delayed_match.png")
figure.savefig(out, dpi=120)
print(f"wrote {out.name}")
