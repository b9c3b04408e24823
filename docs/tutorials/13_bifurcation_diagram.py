# %% [markdown]
# # The bifurcation diagram of a model of your own
#
# **You wrote down two equations. For which inputs do they rest, for which do they oscillate, and which parameter
# decides that?** A simulation answers for one input and one initial state. Ten lines answer for all of them, and also
# show what no simulation does: the states and cycles that are unstable.
#
# The model is a population of neurons that excite each other and tire. Its rate $E$, a share of the largest one,
# follows what the population receives: from itself, $w E$, from outside, $I$, less its fatigue $a$, which follows the
# rate slowly:
#
# $$\tau \dot E = -E + S(w E - a + I), \qquad \tau_a \dot a = -a + b E, \qquad S(x) = \frac{1}{1 + e^{-x}}$$

# %%
import brainunit as u
import jax
import matplotlib.pyplot as plt
import numpy as np
from brainstate import HiddenState
from braintools.init import Constant

import brainmass
from brainmass.declare import Initializer, Par, param, state

plt.rcParams["figure.constrained_layout.use"] = True


class Tiring(brainmass.NeuralMassDynamics):
    """A population that excites itself and tires."""

    w: Par = param(default=8.0, doc="excitation by itself")
    b: Par = param(default=6.0, doc="strength of fatigue")
    tau: Par = param(default=10.0 * u.ms, doc="time constant of the rate")
    tau_a: Par = param(default=100.0 * u.ms, doc="time constant of fatigue")
    init_E: Initializer = Constant(0.1)
    init_a: Initializer = Constant(0.0)
    E: HiddenState = state("rate", port="I")
    a: HiddenState = state("fatigue")

    def dE(self, E, a, I):  # noqa: E741
        return (-E + jax.nn.sigmoid(self.p.w * E - a + I)) / self.p.tau

    def da(self, a, E):
        return (-a + self.p.b * E) / self.p.tau_a


# %% [markdown]
# [Writing a model](../write_your_own_model.md) says more about this form. What follows are the ten lines.
#
# ## The diagram

# %%
model = Tiring(1)
diagram = brainmass.continue_equilibria(model, "I", (-4.0, 2.0))
diagram = brainmass.continue_cycles(diagram)
print(diagram)

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
brainmass.viz.plot_bifurcations(diagram, "E", ax=left)
for cycles in diagram.branches[1:]:
    right.plot(cycles.values, 1000 / cycles.period)
right.set(xlabel="I", ylabel="frequency of the cycles (Hz)")
plt.show()

# %% [markdown]
# Left: the population rests at weak and at strong input, where the line is drawn through, and cannot in between
# (dashed): there it swings between silence and firing (orange, lowest and highest rate). Both Hopf points, where the
# rhythm begins, are *subcritical*: the cycle that is born there is unstable and turns back in a fold of cycles. So the
# rhythm begins with its full size, not gradually, and just outside of the Hopf points, between them and the folds, the
# population may rest or swing, depending on where it was. Right: the frequency; the stable cycles are the arch.
#
# For these equations the Hopf points can be worked out by hand. At rest $I = \ln\frac{E}{1-E} - (w - b) E$, and the
# growth of a small deviation changes its sign where $E (1 - E) = (1 + \tau/\tau_a) / w$:

# %%
E = 0.5 + np.array([-1, 1]) * np.sqrt(0.25 - 1.1 / 8.0)
by_hand = np.log(E / (1 - E)) - (8.0 - 6.0) * E
print(by_hand)
assert np.allclose(diagram.values("Hopf"), by_hand, atol=1e-9)

# %% [markdown]
# ## The simulation agrees
#
# Each of 61 populations has its own input, and starts nearly silent.

# %%
inputs = np.linspace(-4, 2, 61)
run = brainmass.Simulator(Tiring(61), dt=0.5 * u.ms).run(
    3 * u.second, inputs={"I": inputs}, monitors=["E"], transient=2 * u.second
)
E = np.asarray(run["E"])
ax = brainmass.viz.plot_bifurcations(diagram, "E")
ax.plot(inputs, E.min(axis=0), "o", mfc="none", color="#009E73", label="simulated")
ax.plot(inputs, E.max(axis=0), "o", mfc="none", color="#009E73")
ax.legend()
plt.show()

# %% [markdown]
# ## What decides whether it oscillates
#
# Follow a Hopf point while the strength of fatigue $b$ changes, too.

# %%
hopf = diagram.points("Hopf")[0]
curve = brainmass.continue_curve(diagram, hopf, "b", (0.0, 12.0))
print(curve)
brainmass.viz.plot_bifurcation_curves(curve)
plt.show()

# %% [markdown]
# The curve ends at $b = 0.727$ in a *Bogdanov-Takens* point, where the frequency becomes zero and the Hopf point meets
# a fold: $b = w - w/(1 + \tau/\tau_a)$. A population that tires less than that has no Hopf points: it is silent or
# fires, and over a range of inputs either of the two.

# %%
(end,) = curve.special
assert end.kind == "Bogdanov-Takens" and abs(end.second - (8.0 - 8.0 / 1.1)) < 1e-6

# %% [markdown]
# ## What to try
#
# 1. Take `Tiring(1, b=0.5)` and draw its diagram. Where are its folds, and between which inputs are there two stable
#    states? ($E(1-E) = 1/(w-b)$ there.)
# 2. Make fatigue as fast as the rate, `tau_a=10 * u.ms`. Is there a rhythm at $b = 6$? From the formula above: which
#    excitation $w$ does it need?
# 3. Draw the diagram of a model of the package, such as `brainmass.WilsonCowanStep`, over one of its inputs. The
#    [guide](../bifurcations.md) has networks and delays.
