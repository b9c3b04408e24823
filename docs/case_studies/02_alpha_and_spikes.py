# %% [markdown]
# # Jansen and Rit 1995: alpha, spikes, and what lies between
#
# **For which input does a column of cortex rest, for which does it have an alpha rhythm or spikes as in epilepsy, and
# where does one turn into the other?** The bifurcation diagram of
# [Grimbert and Faugeras 2006](https://doi.org/10.1162/neco.2006.18.12.3052) for the model of
# [Jansen and Rit 1995](https://doi.org/10.1007/BF00199471): equilibria and cycles, stable and unstable, as lines from
# theory, and simulations as dots upon them. It needs `pip install ".[viz]"`.
#
# Pyramidal cells ($M$ is the potential that they evoke in others) receive an excitatory potential $E$ and an inhibitory
# one $I$, and an input of $p$ pulses per second:
#
# $$\ddot M = A a\, S(E - I) - 2a \dot M - a^2 M$$
#
# $$\ddot E = A a \left(p + C_2 S(C_1 M)\right) - 2a \dot E - a^2 E$$
#
# $$\ddot I = B b\, C_4 S(C_3 M) - 2b \dot I - b^2 I$$
#
# The EEG is $y = E - I$. All that follows is in mV and seconds, in double precision, and with the paper's parameters,
# which are the model's defaults.

# %%
import brainunit as u
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from braintools.init import Constant

import brainmass

jax.config.update("jax_enable_x64", True)
plt.rcParams["figure.constrained_layout.use"] = True
BLUE, RED, GREEN = "#0072B2", "#D55E00", "#009E73"

column = brainmass.JansenRitStep(1)
A, B, a, b = 3.25, 22.0, 100.0, 50.0
C1, C2, C3, C4 = 135.0, 108.0, 33.75, 33.75


def S(v):
    return column.S(v * u.mV).to_decimal(u.Hz)


# %% [markdown]
# ## Equilibria
#
# At rest each potential is a function of $y$, and so is the input at which the column rests there:

# %%
y = np.linspace(-3, 10, 5001)
M = A / a * S(y)
I = B / b * C4 * S(C3 * M)  # noqa: E741
E = y + I
p = a / A * E - C2 * S(C1 * M)

# %% [markdown]
# The Jacobian of the model's own equations, by automatic differentiation, says which of them are stable. A real
# eigenvalue changes its sign at a *fold*, where two equilibria meet, and a pair of complex ones at a *Hopf* point,
# where a rhythm begins.

# %%
UNITS = 3 * [u.mV] + 3 * [u.mV / u.second]


def velocity(x, p):
    state = tuple(value * unit for value, unit in zip(x, UNITS, strict=True))
    rates = column.derivative(state, 0 * u.ms, 0 * u.mV, p * u.Hz, 0 * u.mV)
    return jnp.stack(
        [r.to_decimal(unit / u.second) for r, unit in zip(rates, UNITS, strict=True)]
    )


x = jnp.stack([M, E, I, 0 * M, 0 * M, 0 * M], axis=1)
assert np.abs(jax.vmap(velocity)(x, p)).max() < 1e-9
eigenvalues = np.linalg.eigvals(jax.jit(jax.vmap(jax.jacfwd(velocity)))(x, p))
unstable = (eigenvalues.real > 0).sum(axis=1)


def crossing(i):
    return eigenvalues[i][np.abs(eigenvalues[i].real).argmin()]


folds, hopfs = [], []
for i in np.flatnonzero(np.diff(unstable)):
    before, after = crossing(i), crossing(i + 1)
    at = i + before.real / (before.real - after.real)
    at_p, at_y = (np.interp(at, np.arange(len(y)), values) for values in (p, y))
    if before.imag == 0:
        folds.append((at_p, at_y))
        print(f"fold at p = {at_p:.2f}")
    else:
        omega = abs(before.imag)
        hopfs.append((at_p, at_y, omega))
        print(f"Hopf at p = {at_p:.2f}, {omega / (2 * np.pi):.2f} Hz")

published = [-12.15, 89.83, 315.70]
assert np.allclose([at_p for at_p, *_ in hopfs], published, atol=0.01)
assert np.allclose([at_p for at_p, _ in folds], [113.586, -41.301], atol=0.01)

# %% [markdown]
# The paper has the Hopf points at −12.15, 89.83 and 315.70, and a fold at 113.6. A
# [continuation](https://github.com/pclus/auto-tutorial) of the same equations with AUTO has −12.148 for the first, and
# 113.586 and −41.301 for the folds.
#
# ## Cycles
#
# A simulation shows stable cycles only. But in this model a population's synapses are a linear filter and its cells a
# function of the present, so that a cycle of period $2\pi/\omega$ is one function $y$ that comes back to itself after a
# walk round the loop, where a synapse multiplies the $k$th harmonic with $A a / (a + i k \omega)^2$. With $y$ at `n`
# times this is one equation for each, `n` with the two unknowns $\omega$ and $p$ besides. Two more say where on the
# cycle to start, and how far to go along the branch (*pseudo-arclength*, as in AUTO, so that it may turn back).
# Newton's method does the rest.

# %%
n = 128
harmonics = np.arange(n // 2 + 1)
scale = np.concatenate([np.full(n, np.sqrt(n / 10)), [0.1, 5.0]])


def synapse(rate, gain, speed, omega):
    filtered = gain * speed / (speed + 1j * omega * harmonics) ** 2
    return jnp.fft.irfft(filtered * jnp.fft.rfft(rate), n)


def round_the_loop(y, omega, p):
    M = synapse(S(y), A, a, omega)
    E = synapse(p + C2 * S(C1 * M), A, a, omega)
    return E - synapse(C4 * S(C3 * M), B, b, omega)


def unpack(point):
    point = point * scale
    return point[:n], jnp.exp(point[n]), point[n + 1]


@jax.jit
def equations(point, guess, direction):
    y, omega, p = unpack(point)
    before, *_ = unpack(guess)
    slope = jnp.fft.irfft(1j * harmonics * jnp.fft.rfft(before), n)
    further = jnp.stack([slope @ (y - before) / n, direction @ (point - guess)])
    return jnp.concatenate([y - round_the_loop(y, omega, p), further])


jacobian = jax.jit(jax.jacfwd(equations))


def branch(hopf, step, slowest=1.0, smallest=0.6):
    """Cycles from a Hopf point on, each with p, frequency, lowest and highest y."""
    at_p, at_y, omega = hopf
    wave = np.cos(2 * np.pi * np.arange(n) / n)
    ends = [[*(at_y + size * wave), np.log(omega), at_p] for size in (0, 0.05)]
    last, guess = np.array(ends) / scale
    found = [(at_p, omega / (2 * np.pi), at_y, at_y)]
    while True:
        direction = (guess - last) / np.linalg.norm(guess - last)
        point = guess
        for _ in range(6):
            error = equations(point, guess, direction)
            point = point - np.linalg.solve(jacobian(point, guess, direction), error)
        assert np.abs(equations(point, guess, direction)).max() < 1e-8
        shape, omega, at_p = unpack(point)
        found.append((at_p, omega / (2 * np.pi), shape.min(), shape.max()))
        shrunk = len(found) > 10 and np.ptp(shape) < smallest
        if shrunk or found[-1][1] < slowest:
            return np.array(found)
        direction = point - last
        last, guess = point, point + step * direction / np.linalg.norm(direction)


from_first, alpha = branch(hopfs[0], 1.0), branch(hopfs[1], 1.0)
turn = from_first[:, 0].argmax()
unstable_cycles, spikes = from_first[: turn + 1], from_first[turn:]
around = from_first[turn - 2 : turn + 3]
parabola = np.polynomial.Polynomial.fit(around[:, 1], around[:, 0], 2)
fold_of_cycles = parabola(parabola.deriv().roots()[0])
print(f"fold of cycles at p = {fold_of_cycles:.2f}")
for name, cycles in (("alpha", alpha), ("spikes", spikes)):
    hertz, low, high = cycles[:, 1], *cycles[len(cycles) // 2, 2:]
    print(
        f"{name}: {hertz.min():.1f} to {hertz.max():.1f} Hz, half-way {low:.1f} to {high:.1f} mV"
    )
assert abs(fold_of_cycles - 137.38) < 0.01

# %% [markdown]
# The branch from the first Hopf point is unstable as far as 137.38, a fold of cycles (137.4 in the paper). There it
# turns back as the spikes. Towards the fold of equilibria at 113.59 they come at ever longer intervals: the cycle is
# about to run through the point where two equilibria will be.
#
# ## The simulation
#
# For each $p$ there are two columns, one that starts from silence and one that starts near the uppermost equilibrium.
# Each is a region of one node, and has its own input.

# %%
p_run = np.arange(-40.0, 341.0, 5.0)
upper = y > folds[1][1]
starts = [np.zeros((3, len(p_run)))]
starts += [[np.interp(p_run, p[upper], values[upper]) for values in (M, E + 0.8, I)]]
M0, E0, I0 = np.concatenate(starts, axis=1)
columns = brainmass.JansenRitStep(
    2 * len(p_run),
    M_init=Constant(M0 * u.mV),
    E_init=Constant(E0 * u.mV),
    I_init=Constant(I0 * u.mV),
    method="rk4",
)
run = brainmass.Simulator(columns, dt=1 * u.ms).run(
    18 * u.second,
    transient=14 * u.second,
    inputs={"E_inp": np.tile(p_run, 2) * u.Hz},
    monitors={"eeg": lambda model: model.eeg()},
)
eeg = run["eeg"].to_decimal(u.mV).reshape(-1, 2, len(p_run))
print(run)


def frequency(x):
    """In Hz, from the times at which `x` goes up through the middle of its range."""
    x = x - (x.max() + x.min()) / 2
    up = np.flatnonzero((x[:-1] < 0) & (x[1:] >= 0))
    times = (up - x[up] / (x[up + 1] - x[up])) / 1000
    return (len(times) - 1) / (times[-1] - times[0])


size = np.ptp(eeg, axis=0)
spiking, rhythmic = size > 6, (size > 0.5) & (size < 6)
seen = {}
for name, cycles, where in (("alpha", alpha, rhythmic), ("spikes", spikes, spiking)):
    cycles = cycles[cycles[:, 0].argsort()]
    at = [(p_run[j], frequency(eeg[:, start, j])) for start, j in np.argwhere(where)]
    seen[name] = np.array(at)
    off = seen[name][:, 1] - np.interp(seen[name][:, 0], cycles[:, 0], cycles[:, 1])
    print(
        f"{name}: {len(at)} columns, up to {np.abs(off).max():.3f} Hz off the theory,",
        f"by median {np.median(np.abs(off)):.4f} Hz",
    )
    assert np.abs(off).max() < 0.03

# %%
figure, (left, middle, right) = plt.subplots(
    1, 3, figsize=(13, 4.4), width_ratios=(1.6, 1, 1)
)
left.plot(p, np.where(unstable == 0, y, np.nan), color="k", label="equilibria")
left.plot(p, np.where(unstable > 0, y, np.nan), "--", color="0.6", label="unstable")
for cycles, style, color, name in (
    (alpha, "-", BLUE, "alpha"),
    (spikes, "-", RED, "spikes"),
    (unstable_cycles, "--", RED, "unstable"),
):
    at_p, hertz, low, high = cycles.T
    left.plot(at_p, low, style, color=color, label=name)
    left.plot(at_p, high, style, color=color)
    middle.plot(at_p, hertz, style, color=color)
left.plot(*np.array(folds).T, "kD", ms=6, label="folds")
left.plot(*np.array(hopfs)[:, :2].T, "ks", ms=6, label="Hopf points")
dots = dict(color=GREEN, ms=3.5, mfc="none", ls="none", mew=0.8)
for start, marker, name in ((0, "o", "from silence"), (1, "x", "from above")):
    left.plot(p_run, eeg[..., start, :].min(axis=0), marker, **dots, label=name)
    left.plot(p_run, eeg[..., start, :].max(axis=0), marker, **dots)
for pairs in seen.values():
    middle.plot(*pairs.T, "o", **dots)
left.set(
    ylabel="EEG at rest, or its lowest and highest (mV)",
    ylim=(-2.5, 12.5),
    title="equilibria and cycles",
)
left.legend(ncols=2, fontsize=8, loc="lower right")
middle.set(ylabel="frequency (Hz)", ylim=(0, 12), title="frequency of the cycles")
for ax in (left, middle):
    ax.set(xlabel="input p (pulses per second)", xlim=(-50, 340))
column_120 = np.abs(p_run - 120).argmin()
for start, color, name in ((0, RED, "from silence"), (1, BLUE, "from above")):
    shown = eeg[:2000, start, column_120]
    right.plot(np.arange(2000) / 1000, shown, color=color, label=name)
right.set(
    xlabel="time (s)", ylabel="EEG (mV)", ylim=(0, 14), title="a column at p = 120"
)
right.legend(fontsize=8, loc="upper right", ncols=2)
plt.show()

# %% [markdown]
# Left: lines are theory, circles and crosses simulated columns. They leave the lines only near Hopf points, where an
# oscillation grows or fades too slowly for the 14 s before it was looked at. Below 89.83 the column rests, above −12.15
# in one of two states. From 89.83 to 315.70 it has an alpha rhythm of 10.4 to 11.2 Hz. A silent column stays silent up
# to 113.59, then spikes up to 137.38: in this range alpha and spikes exist side by side (right), and between them lies
# the unstable cycle. The input of Jansen and Rit, noise between 120 and 320 pulses per second, covers it, which is how
# one column makes both.
#
# | | Grimbert, Faugeras | here |
# | --- | --- | --- |
# | Hopf points | −12.15, 89.83, 315.70 | −12.15, 89.83, 315.70 |
# | fold of the silent state | 113.6 | 113.59 |
# | fold of cycles, where spikes end | 137.4 | 137.38 |
#
# Middle: alpha hardly depends on the input, as a Hopf point has a frequency of its own. Spikes do, as they are born
# with an infinite period.
#
# ## What to try
#
# 1. Scale the numbers of synapses ($C_1$ to $C_4$; `C` of the model) from 135 to 130 and to 140. Are alpha and spikes
#    still there side by side?
# 2. Start at $p = 120$ in the alpha rhythm and give `inputs={"E_inp": ...}` a pulse. Which is the smallest that turns
#    it into spikes, and does its phase matter? The unstable cycle is what it has to cross.
# 3. Drive the column with noise, `noise_E=brainmass.WhiteNoise(1, ...)`, about $p = 130$ and look for spikes among the
#    alpha waves.
