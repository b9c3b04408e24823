# %% [markdown]
# # Noise
#
# **How large are the fluctuations that a noise makes, do they depend on the time step, and how far can one run be
# trusted?**
#
# A region gets input from tens of thousands of cells that no model has. Their sum is close to Gaussian, and is put in
# as noise: $\mathrm{d}x = f(x)\,\mathrm{d}t + \sigma\,\mathrm{d}W$. This page checks the numbers that come out against
# closed forms. The model is a leak with the time constant $1/\lambda = 10$ ms, $f = -\lambda x$, for which everything
# can be calculated.

# %%
import brainunit as u
import jax
import matplotlib.pyplot as plt
import numpy as np
from braintools.init import Constant

import brainmass

plt.rcParams["figure.constrained_layout.use"] = True
COLORS = {"euler": "#D55E00", "exp_euler": "#009E73", "heun": "#0072B2"}
RATE = 0.1  # lambda, per ms
SIGMA = 0.1  # per sqrt(ms)
exact = SIGMA**2 / (2 * RATE)  # stationary variance of an Ornstein-Uhlenbeck process

# %% [markdown]
# ## White noise
#
# `WhiteNoise(sigma=0.1)` would let $x$ drift away by 0.1 in 1 ms, by 0.2 in 4 ms, and so on with the square root of
# time; the leak holds it at the variance $\sigma^2/2\lambda = 0.05$. Five hundred unconnected regions have as
# many independent noises:


# %%
def leaky(noise, method="heun", n=500):
    return brainmass.LinearStep(
        n, gamma=-RATE, init_x=Constant(0.0), noise_x=noise, method=method
    )


def variance(node, dt):
    simulator = brainmass.Simulator(node, dt=dt * u.ms)
    run = simulator.run(
        2000 * u.ms,
        transient=100 * u.ms,
        monitors=["x"],
        sample_every=10 * u.ms,
        seed=0,
    )
    return float(np.var(np.asarray(run["x"])))


found = variance(leaky(brainmass.WhiteNoise(500, sigma=SIGMA)), 0.5)
print(f"variance {found:.5f}, closed form {exact:.5f}")
assert abs(found / exact - 1) < 0.02

# %% [markdown]
# ## What the step does: Euler–Maruyama and Heun
#
# A method with the step $h$ solves another equation, a little. For the leak, each method multiplies $x$ by a factor
# $\phi$ in a step and adds $\psi\sigma\sqrt{h}$ times a standard normal number, so the variance that it should give is
# $\sigma^2 h\, \psi^2 / (1 - \phi^2)$:
#
# | method | $\phi$ | $\psi$ |
# | --- | --- | --- |
# | `euler` (Euler–Maruyama) | $1 - \lambda h$ | 1 |
# | `exp_euler` (the default) | $e^{-\lambda h}$ | $(1 - e^{-\lambda h})/\lambda h$ |
# | `heun` | $1 - \lambda h + (\lambda h)^2/2$ | $1 - \lambda h/2$ |

# %%
steps = [0.5, 2.0, 5.0, 10.0]
factors = {
    "euler": lambda q: (1 - q, 1.0),
    "exp_euler": lambda q: (np.exp(-q), (1 - np.exp(-q)) / q),
    "heun": lambda q: (1 - q + q**2 / 2, 1 - q / 2),
}


def predicted(method, h):
    phi, psi = factors[method](RATE * h)
    return SIGMA**2 * h * psi**2 / (1 - phi**2)


white = brainmass.WhiteNoise(500, sigma=SIGMA)
measured = {
    method: [variance(leaky(white, method), dt) for dt in steps] for method in factors
}
print("variance over the exact one   " + "".join(f"{dt:>8} ms" for dt in steps))
for method, values in measured.items():
    theory = [predicted(method, dt) for dt in steps]
    print(f"{method:>20} simulated" + "".join(f"{v / exact:11.3f}" for v in values))
    print(f"{'':>20} predicted" + "".join(f"{v / exact:11.3f}" for v in theory))
    assert np.allclose(values, theory, rtol=0.05)

figure, ax = plt.subplots(figsize=(6, 3.4))
h = np.linspace(0.05, 10, 200)
for method, color in COLORS.items():
    ax.plot(h, [predicted(method, dt) / exact for dt in h], color=color)
    ax.plot(steps, np.divide(measured[method], exact), "o", color=color, label=method)
ax.axhline(1, color="0.6", lw=0.8)
ax.set(
    xlabel="time step (ms), for a time constant of 10 ms",
    ylabel="variance over the exact one",
    ylim=(0, 2.1),
)
ax.legend()
plt.show()

# %% [markdown]
# Dots are simulated, lines are the formula. Euler–Maruyama doubles the variance at a step of one time constant, and is
# off by 2.5 % at a twentieth of it: its error is of first order. Those of the other two are of second order, to the
# other side, and below 2 % up to a quarter of the time constant. No run diverged: a figure may be wrong although
# nothing looks wrong.
#
# `GaussianNoise` is the trap here: a fresh number of standard deviation `sigma` at each step, whatever its length.
# Taken as input of an equation, its effect vanishes with the step. It is there for measurements, not for dynamics:

# %%
for dt in (2.0, 0.5):
    print(
        f"GaussianNoise at dt = {dt} ms: {variance(leaky(brainmass.GaussianNoise(500, sigma=SIGMA)), dt):.5f}"
    )

# %% [markdown]
# ## One path, ever smaller steps
#
# Variances compare distributions, *weak* convergence. In the *strong* sense, a method is good if it follows one given
# path of the noise. To see it, all steps must see the same path: draw increments $\Delta W$ at the smallest step, add
# them up for the larger ones, and give $\sigma\Delta W/h$ as an input with one row per step. The model is a Hopf
# oscillator in its limit cycle, 200 paths of it:

# %%
finest, length = 2**-7, 32.0  # ms
increments = np.random.default_rng(0).normal(
    0, np.sqrt(finest), (int(length / finest), 200)
)


def end_state(method, dt):
    """x after 32 ms, driven by the given path of the noise."""
    ratio = round(dt / finest)
    drive = 0.05 * increments.reshape(-1, ratio, 200).sum(axis=1) / dt
    node = brainmass.HopfStep(
        200, a=0.2, w=0.3, init_x=Constant(0.4), init_y=Constant(0.0), method=method
    )
    run = brainmass.Simulator(node, dt=dt * u.ms).run(
        length * u.ms,
        inputs={"x_inp": drive},
        monitors=["x"],
        sample_every=length * u.ms,
    )
    return np.asarray(run["x"][0])


reference = end_state("heun", finest)
path_steps = [2.0**-k for k in range(4, 0, -1)]
path_errors = {
    m: [np.abs(end_state(m, dt) - reference).mean() for dt in path_steps]
    for m in ("euler", "heun")
}
for method, values in path_errors.items():
    order = np.polyfit(np.log(path_steps), np.log(values), 1)[0]
    print(
        f"{method}: " + ", ".join(f"{e:.1e}" for e in values) + f" (order {order:.2f})"
    )

figure, ax = plt.subplots(figsize=(6, 3.4))
for method, values in path_errors.items():
    ax.loglog(path_steps, values, "o-", color=COLORS[method], label=method)
ax.loglog(
    path_steps, 0.02 * np.array(path_steps), "--", color="0.6", label="first order"
)
ax.set(xlabel="time step (ms)", ylabel="mean error of x after 32 ms")
ax.set_xticks(path_steps, path_steps)
ax.minorticks_off()
ax.legend()
plt.show()

# %% [markdown]
# At small steps both follow the path with an error of first order, as theory has it for additive noise
# ([Kloeden & Platen 1992](https://doi.org/10.1007/978-3-662-12616-5)), but Heun is six times closer; at large steps
# the error of its drift takes over, which is of second order. In a run, noises draw their own numbers: another step is
# another path, so compare distributions then, not traces.
#
# ## Noise with a memory: Ornstein–Uhlenbeck
#
# Synaptic input does not change from one instant to the next. `OUProcess` has a correlation time `tau` and the
# stationary variance $\sigma^2/2$, and is advanced exactly at any step. As input of the leak it gives the variance
# $(\sigma^2/2) / [\lambda (\lambda + 1/\tau)]$:

# %%
ou = brainmass.OUProcess(500, sigma=0.1, tau=20 * u.ms)
expected = 0.1**2 / 2 / (RATE * (RATE + 1 / 20))
for dt in (0.5, 5.0):
    found = variance(leaky(ou), dt)
    print(f"dt = {dt} ms: variance {found:.4f}, closed form {expected:.4f}")
    assert abs(found / expected - 1) < 0.05

# %% [markdown]
# The memory shows in the spectrum. One-sided and per hertz, that of the leak is
# $2\sigma^2/(\lambda^2 + \omega^2)$ under white noise, and that times $\tau/(1 + \omega^2\tau^2)$ under OU noise (times
# in ms):


# %%
def spectrum(noise):
    run = brainmass.Simulator(leaky(noise), dt=0.5 * u.ms).run(
        2100 * u.ms, transient=100 * u.ms, monitors=["x"], seed=0
    )
    x = np.asarray(run["x"])
    window = np.hanning(len(x))[:, None]
    power = np.abs(np.fft.rfft((x - x.mean(axis=0)) * window, axis=0)) ** 2
    return np.fft.rfftfreq(len(x), 0.5e-3), power.mean(axis=1) * 2 * 0.5e-3 / (
        window**2
    ).sum()


figure, ax = plt.subplots(figsize=(6, 3.4))
for name, noise, color in (
    ("white", brainmass.WhiteNoise(500, sigma=SIGMA), "#0072B2"),
    ("OU", ou, "#D55E00"),
):
    frequency, power = spectrum(noise)
    omega = 2 * np.pi * frequency / 1000  # rad per ms
    theory = 2 * SIGMA**2 / (RATE**2 + omega**2) / 1000  # per Hz is per 1/s
    theory *= 20 / (1 + (20 * omega) ** 2) if name == "OU" else 1
    low = (frequency > 3) & (frequency < 100)
    assert np.allclose(power[low], theory[low], rtol=0.2)
    ax.loglog(
        frequency[1:400], power[1:400], color=color, label=f"driven by {name} noise"
    )
    ax.loglog(frequency[1:400], theory[1:400], "k--", lw=0.8)
ax.set(xlabel="frequency (Hz)", ylabel="power spectral density (1/Hz)")
ax.legend()
plt.show()

# %% [markdown]
# Measured spectra lie on the dashed closed forms. The leak alone cuts off at $\lambda/2\pi = 16$ Hz, with a slope of
# $f^{-2}$; OU noise cuts off once more at 8 Hz, and ends with $f^{-4}$. `PinkNoise` and its kin have slopes of their
# own, $f^{-\beta}$.
#
# ## Seeds, batches, and how much one run says
#
# The same seed gives the same numbers; another seed is an independent realisation. `batch_size` makes many at once,
# each with its own random numbers. Run 2 of a batch is the run alone with the key that `fold_in` makes of 2:

# %%
pair = brainmass.LinearStep(
    2,
    gamma=-0.05,
    init_x=Constant(0.0),
    noise_x=brainmass.WhiteNoise(2, sigma=0.1),
    method="heun",
)
simulator = brainmass.Simulator(pair, dt=1 * u.ms)
batch = simulator.run(200 * u.ms, monitors=["x"], batch_size=3, seed=7)
alone = simulator.run(
    200 * u.ms, monitors=["x"], seed=jax.random.fold_in(jax.random.key(7), 2)
)
print(batch["x"].shape, "(time, run, region)")
assert np.array_equal(batch["x"][:, 2], alone["x"])

# %% [markdown]
# These two regions are *not* connected. What functional connectivity does a run of the length $T$ show between them?
# For two independent processes with the correlation time $\tau$, here $1/\lambda = 20$ ms, the correlation scatters
# around zero with a standard deviation of $\sqrt{\tau/T}$
# ([Bartlett 1935](https://doi.org/10.2307/2342284) gives the sum behind it):

# %%
lengths = np.array([0.25, 1.0, 4.0, 16.0])  # s
correlations = []
for seconds in lengths:
    run = simulator.run(
        (seconds + 0.1) * u.second,
        transient=0.1 * u.second,
        monitors=["x"],
        batch_size=400,
        seed=1,
    )
    x = np.asarray(run["x"])
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    correlations.append((z[..., 0] * z[..., 1]).mean(axis=0))
    theory = np.sqrt(0.02 / seconds)
    print(
        f"T = {seconds:5.2f} s: standard deviation {correlations[-1].std():.3f}, sqrt(tau / T) = {theory:.3f}"
    )
assert np.allclose(
    [c.std() for c in correlations[1:]], np.sqrt(0.02 / lengths[1:]), rtol=0.12
)

figure, ax = plt.subplots(figsize=(6, 3.6))
for seconds, values in zip(lengths, correlations, strict=True):
    ax.plot(
        seconds * np.exp(np.random.default_rng(0).normal(0, 0.08, 400)),
        values,
        ".",
        ms=2,
        color="0.6",
    )
for sign in (-1, 1):
    ax.plot(
        lengths,
        sign * np.sqrt(0.02 / lengths),
        color="#D55E00",
        label=r"$\pm\sqrt{\tau/T}$" if sign > 0 else None,
    )
    ax.plot(
        lengths,
        [sign * c.std() for c in correlations],
        "o",
        color="#0072B2",
        label="± SD" if sign > 0 else None,
    )
ax.set(
    xscale="log",
    xlabel="length of the run T (s)",
    ylabel="correlation of two unconnected regions",
)
ax.legend()
plt.show()

# %% [markdown]
# Each grey dot is a run, four hundred for each length. Short runs show strong "connections" between regions that have
# none; from 1 s on the blue dots lie on the red curve, so four times the length makes half the error. BOLD has a
# correlation time of some 5 s, so ten minutes of it leave $\sqrt{5/600} \approx 0.09$ on each entry of a functional
# connectivity. Whatever two simulations differ by less than this, with different seeds, is no finding; `batch_size`, or
# seeds in a [sweep](../sweeps.md), tell.
#
# ## Exercises
#
# 1. Give both regions 30 % of common noise with `WhiteNoise(2, sigma=0.1, covariance=...)`. At which length can you
#    tell their correlation from zero in nine runs of ten?
# 2. Add `"rk4"` to the table of methods. Is fourth order of any use with noise?
# 3. In the limit of small `tau`, which `sigma` of an `OUProcess` does to the leak what white noise of 0.1 does? Check
#    with `tau=1 * u.ms`.
