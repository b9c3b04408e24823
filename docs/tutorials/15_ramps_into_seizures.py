# %% [markdown]
# # Ramps into seizures
#
# **A region is driven slowly towards seizures. How far beyond the edge does it go before it seizes, and could one
# have seen it coming?**
#
# Before a seizure something changes slowly: excitability, ions, neuromodulators. In a model that is a parameter which
# moves, given to a run as a course ([how](../moving_parameters.md)). Here it is the epileptogenicity $x_0$ of an
# Epileptor (Jirsa et al. 2014); at rest, $x_1^3 + 2x_1^2 + 4x_1 = 4x_0 + 4.1$, and rest is lost at $x_0 \approx
# -2.06$ ([seizures in a network](11_seizure_spread.py) says why).

# %%
import brainunit as u
import jax
import matplotlib.pyplot as plt
import numpy as np

import brainmass

jax.config.update("jax_enable_x64", True)
plt.rcParams["figure.constrained_layout.use"] = True
critical = -2.06


def at_rest(x0):
    """x1, y1 and z of regions that do not seize."""
    roots = [np.roots([1, 2, 4, -4 * one - 4.1]) for one in np.atleast_1d(x0)]
    x1 = np.array([r[np.argmin(np.abs(r.imag))].real for r in roots])
    return x1, 1 - 5 * x1**2, 4 * (x1 - x0)


def regions(n, x0, sigma):
    """Regions that begin at rest, each for itself; what enters acts on x1."""
    rest = zip(("init_x1", "init_y1", "init_z"), at_rest(x0), strict=True)
    start = {name: lambda shape, v=v: np.broadcast_to(v, shape) for name, v in rest}
    noise = brainmass.WhiteNoise(n, sigma=sigma) if sigma else None
    return brainmass.EpileptorStep(n, x0=x0, noise_x1=noise, Kvf=1.0, **start)


# %% [markdown]
# ## How far beyond the edge
#
# Six regions go from $x_0 = -2.2$ to $-1.8$, each in its own time, from one second to 32. In the model's time a
# seizure comes round in about two seconds.

# %%
durations = np.array([1, 2, 4, 8, 16, 32]) * 1000.0
ramp = -2.2 + brainmass.Ramp(6, amplitude=0.4, duration=durations * u.ms)
onsets, shown = {}, {}
for sigma in (0.0, 0.05):
    result = brainmass.Simulator(regions(6, -2.2, sigma), dt=0.1 * u.ms).run(
        20_000 * u.ms,
        parameters={"x0": ramp},
        monitors={"x1": "x1", "x0": lambda model: model.x0.value()},
        sample_every=1 * u.ms,
        seed=0,
    )
    shown[sigma] = np.asarray(result["x1"])
    first = (shown[sigma] > 0).argmax(axis=0)
    onsets[sigma] = np.asarray(result["x0"])[first, np.arange(6)]
    print(f"noise {sigma}: x0 at the first discharge {onsets[sigma].round(3)}")

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.5))
left.plot(result.time.to_decimal(u.ms) / 1000, shown[0.0][:, 3], lw=0.5)
left.set(xlabel="time (s)", ylabel="$x_1$", title="to $-1.8$ in 8 s, without noise")
for sigma, beyond in onsets.items():
    right.semilogx(durations / 1000, beyond, "o-", label=f"noise {sigma}")
right.axhline(critical, color="gray", ls="--")
right.set(xlabel="duration of the ramp (s)", ylabel="$x_0$ at the first discharge")
right.legend(frameon=False)
plt.show()
assert (onsets[0.0] > critical + 0.02).all()
assert onsets[0.0][0] > onsets[0.0][-1] + 0.05
assert (onsets[0.05][3:] < onsets[0.0][3:] - 0.01).all()

# %% [markdown]
# A fast ramp is far beyond the edge before the region has time to answer. But slowness does not take it to the edge
# either: without noise a region that is pushed off rest by nothing keeps resting, though rest is not stable any more,
# and even in the slowest ramp is late. Noise is what pushes: with it slow ramps end in a seizure at the edge or
# before.
#
# ## Could one have seen it coming?
#
# Near the edge a region comes back more and more slowly from what pushes it, *critical slowing down*. That can be
# measured by pushing: one weak pulse to regions held at six values of $x_0$, and how long their responses last. The
# responses are differences to the same noise without the pulse; the largest eigenvalue of the fast part, $x_1$ and
# $y_1$ with $z$ held, says what to expect at least: $z$ moves as well, and comes back later.

# %%
held = np.array([-2.5, -2.4, -2.3, -2.25, -2.2, -2.15])
pulse = brainmass.Pulse(6, amplitude=0.02, onset=20 * u.ms, width=5 * u.ms)
erp = brainmass.evoked_response(
    brainmass.Simulator(regions(6, held, 0.002), dt=0.1 * u.ms),
    420 * u.ms,
    {"x1_inp": pulse},
    "y1",
    against="sham",
    seeds=10,
    sample_every=1 * u.ms,
)
measured = erp.decay_time(window=(6 * u.ms, 400 * u.ms)).to_decimal(u.ms)
x1 = at_rest(held)[0]
jacobian = [[[6 * x - 3 * x**2, 1], [-10 * x, -1]] for x in x1]
expected = -1 / np.linalg.eigvals(jacobian).real.max(axis=1)
for row in zip(held, measured, expected, strict=True):
    print("x0 = {:.2f}: decay in {:5.1f} ms, fast part {:5.1f} ms".format(*row))
assert (np.diff(measured) > 0).all() and measured[-1] > 3 * measured[0]
assert (measured > expected).all() and (measured < 2 * expected).all()

# %% [markdown]
# Who may not push can look at what noise does: fluctuations that fade more slowly add up to larger ones. In 40 ramps,
# each with its own noise, the standard deviation of $x_1$ over trials rises long before the first of them seizes:

# %%
ramp = -2.5 + brainmass.Ramp(1, amplitude=0.6, duration=6000 * u.ms)
many = brainmass.Simulator(regions(1, -2.5, 0.01), dt=0.1 * u.ms).run(
    6000 * u.ms,
    parameters={"x0": ramp},
    monitors=["x1"],
    sample_every=2 * u.ms,
    batch_size=40,
    seed=1,
)
x1 = np.asarray(many["x1"])[:, :, 0]
x0 = -2.5 + 0.6 * many.time.to_decimal(u.ms) / 6000
quiet = slice(0, int((x1 > 0).any(axis=1).argmax()))  # until the first seizes
spread = x1.std(axis=1)
windows = [spread[quiet][(x0[quiet] > low) & (x0[quiet] < low + 0.05)].mean()
           for low in (-2.45, -2.2, -2.1)]  # fmt: skip
print(f"first discharge at x0 = {x0[quiet][-1]:.3f}; spread {np.round(windows, 4)}")

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.5))
for i, value in enumerate(held):
    mean = np.asarray(erp.mean)[:, i]
    left.semilogy(erp.time.to_decimal(u.ms), np.abs(mean) + 1e-9, label=f"{value}")
left.set(xlabel="time after the onset (ms)", ylabel="response of $y_1$", xlim=(0, 200))
left.set_ylim(1e-5, 0.1)
left.legend(title="$x_0$", frameon=False)
right.semilogy(x0[quiet], spread[quiet], lw=0.8)
right.axvline(critical, color="gray", ls="--")
right.set(xlabel="$x_0$ on its way", ylabel="standard deviation of $x_1$ over trials")
plt.show()
assert windows[0] < windows[1] < windows[2]

# %% [markdown]
# ## Exercises
#
# 1. Let the ramp of the first section go back to $-2.2$ from where it is (`brainmass.Steps(..., interpolate=True)`).
#    When is the last discharge?
# 2. How does the onset of the slowest ramp change with the noise, over powers of ten? Without noise, does it change
#    when the ramp begins at $-2.5$?
# 3. In a recording there is one trial. Take the standard deviation of one run in moving windows in place of that over
#    trials: how long must they be?
#
# ## References
#
# - Jirsa, Stacey, Quilichini, Ivanov, Bernard 2014, *On the nature of seizure dynamics*, Brain 137:2210.
# - Maturana et al. 2020, *Critical slowing down as a biomarker for seizure susceptibility*, Nat. Commun. 11:2172.
