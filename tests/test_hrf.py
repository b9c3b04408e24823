"""Haemodynamic response functions against closed forms and scipy; convolved BOLD against numpy and the balloon."""

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.linalg import expm
from scipy.optimize import minimize_scalar
from scipy.stats import gamma

import brainmass as bm
from brainmass.forward.convolution import HRFBold
from brainmass.forward.hrf_kernels import (
    DoubleExponentialHRFKernel,
    FirstOrderVolterraHRFKernel,
    GammaHRFKernel,
    HRFKernel,
    MixtureOfGammasHRFKernel,
)

KERNELS = [
    FirstOrderVolterraHRFKernel,
    GammaHRFKernel,
    DoubleExponentialHRFKernel,
    MixtureOfGammasHRFKernel,
]
T = np.linspace(0.0, 40.0, 801)
SHORT = dict(period=20 * u.ms, downsample_period=2 * u.ms)
DT = 0.5 * u.ms


def brief():
    """A kernel of 37 rows of 2 ms: neither a multiple of them nor of the period."""
    return GammaHRFKernel(tau=0.01, a=30.0, duration=73.1 * u.ms)


def seconds(kernel, t):
    return np.asarray(kernel(t * u.second))


# --- kernels --------------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_volterra(x64):
    kernel, w = FirstOrderVolterraHRFKernel(), np.sqrt(1 / 0.4 - 1 / (4 * 0.8**2))
    assert w == pytest.approx(1.4524, abs=1e-4)
    np.testing.assert_allclose(seconds(kernel, T), np.exp(-T / 1.6) * np.sin(w * T) / w / 3, atol=1e-15)
    assert quad(lambda t: float(seconds(kernel, t)), 0, 30, limit=200)[0] == pytest.approx(0.4 / 3, rel=1e-8)


@pytest.mark.parametrize("tau_s", [0.8, 0.3165, 0.31623, 0.3161, 0.2, 0.05])
def test_volterra_is_the_impulse_response_of_flow_in_every_regime(x64, tau_s):
    """x' = -x/tau_s - f/tau_f, f' = x from x = 1: oscillating, critical (tau_s² = tau_f/4) and overdamped."""
    A = np.array([[-1 / tau_s, -1 / 0.4], [1.0, 0.0]])
    times = np.array([0.001, 0.1, 0.5, 1.0, 3.0, 10.0])
    kernel = FirstOrderVolterraHRFKernel(tau_s=tau_s, scaling=1.0)
    np.testing.assert_allclose(seconds(kernel, times), [expm(A * t)[1, 0] for t in times], rtol=1e-7, atol=1e-14)


def test_gamma(x64):
    """Its maximum 0.1 is at (n - 1) tau = 2.16 s; n need not be an integer."""
    for n in 3.0, 2.5:
        density = gamma.pdf(T, n, scale=1.08)
        expected = 0.1 * density / gamma.pdf((n - 1) * 1.08, n, scale=1.08)
        np.testing.assert_allclose(seconds(GammaHRFKernel(n=n), T), expected, rtol=1e-12, atol=1e-300)
    assert seconds(GammaHRFKernel(), 2.16) == pytest.approx(0.1, rel=1e-14)


@pytest.mark.slow
def test_double_exponential(x64):
    """Divided by its maximum, that scipy finds, and not by that on a grid."""

    def raw(t, f1=0.03):
        return 0.1 * np.exp(-t / 7.22) * np.sin(2 * np.pi * f1 * t) - 0.1 * np.exp(-t / 7.4) * np.sin(0.24 * np.pi * t)

    for f1 in 0.03, 0.05:
        grid = np.linspace(0, 40, 4000)
        best = grid[np.argmax(raw(grid, f1))]
        peak = -minimize_scalar(lambda t: -raw(t, f1), bounds=(best - 0.1, best + 0.1), method="bounded").fun  # noqa: B023
        found = seconds(DoubleExponentialHRFKernel(f_1=f1), T)
        np.testing.assert_allclose(found, 0.1 * raw(T, f1) / peak, rtol=1e-10, atol=1e-14)


def test_mixture_of_gammas(x64):
    """A difference of densities; its integral is (1 - c)/l = 0.6."""
    np.testing.assert_allclose(
        seconds(MixtureOfGammasHRFKernel(), T), gamma.pdf(T, 6) - 0.4 * gamma.pdf(T, 13), rtol=1e-11, atol=1e-16
    )
    fast = MixtureOfGammasHRFKernel(l=2.0, a_1=4.5)
    np.testing.assert_allclose(
        seconds(fast, T), (gamma.pdf(2 * T, 4.5) - 0.4 * gamma.pdf(2 * T, 13)), rtol=1e-11, atol=1e-16
    )
    total = quad(lambda t: float(seconds(MixtureOfGammasHRFKernel(), t)), 0, 80, limit=200)[0]
    assert total == pytest.approx(0.6, rel=1e-8)


@pytest.mark.parametrize("kind", KERNELS)
def test_kernels_read_time_and_are_causal(kind):
    kernel = kind()
    assert kernel(np.array([-1.0, 0.0]) * u.second).tolist() == [0.0, 0.0]
    np.testing.assert_allclose(kernel(2500.0), kernel(2.5 * u.second), rtol=1e-6)  # a plain number is in ms
    with pytest.raises(u.UnitMismatchError, match=f"Input `t` of {kind.__name__} must have a unit like ms"):
        kernel(1 * u.mV)
    assert kind(duration=1 * u.minute).duration.to_decimal(u.second) == pytest.approx(60)
    with pytest.raises(u.UnitMismatchError, match=f"`duration` of {kind.__name__} must be a time"):
        kind(duration=20.0)


NUMBERS = {
    FirstOrderVolterraHRFKernel: dict(tau_s=0.8, tau_f=0.4, scaling=0.3),
    GammaHRFKernel: dict(tau=1.08, n=2.7, a=0.1),
    DoubleExponentialHRFKernel: dict(tau_1=7.22, tau_2=7.4, f_1=0.03, f_2=0.12, amp_1=0.1, amp_2=0.12, a=0.1),
    MixtureOfGammasHRFKernel: dict(a_1=6.0, a_2=13.0, l=1.1, c=0.4),
}


@pytest.mark.few(1)
@pytest.mark.parametrize("kind", KERNELS)
def test_gradients_of_kernels(x64, kind):
    """In every parameter, against finite differences, under jit and at t = 0 as well."""
    t = np.array([0.0, 0.7, 3.0, 9.0]) * u.second
    loss = lambda values: jnp.sum(jnp.array([1.0, 2.0, 3.0, 4.0]) * kind(**values)(t))  # noqa: E731
    slopes = jax.jit(jax.grad(loss))(NUMBERS[kind])
    for name, x in NUMBERS[kind].items():
        h = 1e-5 * x
        expected = (loss({**NUMBERS[kind], name: x + h}) - loss({**NUMBERS[kind], name: x - h})) / (2 * h)
        assert abs(expected) > 1e-6
        np.testing.assert_allclose(slopes[name], expected, rtol=1e-6, err_msg=name)


def test_gradient_of_volterra_where_it_is_critical(x64):
    """tau_s² = tau_f/4 exactly, and beyond it."""
    for tau_s in 0.5, 0.3:
        value = lambda tau_s: FirstOrderVolterraHRFKernel(tau_s, 1.0)(1.5 * u.second)  # noqa: E731
        expected = (value(tau_s + 1e-5) - value(tau_s - 1e-5)) / 2e-5
        np.testing.assert_allclose(jax.grad(value)(tau_s), expected, rtol=1e-6)


def test_kernel_parameters_are_checked():
    with pytest.raises(ValueError, match=r"`tau_s` of FirstOrderVolterraHRFKernel .* must be > 0, but is 0.0"):
        FirstOrderVolterraHRFKernel(tau_s=0.0)
    with pytest.raises(ValueError, match=r"`n` of GammaHRFKernel \(phase delay\) must be > 1, but is 1.0"):
        GammaHRFKernel(n=1.0)
    with pytest.raises(u.UnitMismatchError, match="`f_1` of DoubleExponentialHRFKernel"):
        DoubleExponentialHRFKernel(f_1=0.03 * u.second)
    given, plain = GammaHRFKernel(tau=1080.0 * u.ms), GammaHRFKernel(tau=1.08)
    np.testing.assert_allclose(given(T * u.second), plain(T * u.second), rtol=1e-5)


# --- kernels that differ between regions ----------------------------------------------------------------------------
@pytest.mark.slow
def test_a_region_has_the_kernel_of_its_parameters(x64):
    """The closed forms of each region, the maximum of the double exponential included."""
    kernel = FirstOrderVolterraHRFKernel(tau_s=[0.8, 0.6], tau_f=0.4 * u.second**2)
    for j, tau_s in enumerate([0.8, 0.6]):
        w = np.sqrt(1 / 0.4 - 1 / (4 * tau_s**2))
        np.testing.assert_allclose(
            seconds(kernel, T)[:, j], np.exp(-T / (2 * tau_s)) * np.sin(w * T) / w / 3, atol=1e-15
        )
    for kind in KERNELS:
        values = {name: np.array([1.0, 1.1, 0.95]) * x for name, x in NUMBERS[kind].items()}
        each = [seconds(kind(**{name: x[j] for name, x in values.items()}), T) for j in range(3)]
        np.testing.assert_allclose(seconds(kind(**values), T), np.stack(each, -1), rtol=1e-10, atol=1e-13)
        assert kind().n_regions is None and kind(**values).n_regions == 3 and seconds(kind(**values), 1.0).shape == (3,)


def of_regions():
    return GammaHRFKernel(tau=[0.01, 0.012, 0.008], n=3.0, a=[30.0, 20.0, 40.0], duration=73.1 * u.ms)


def of_one(j):
    return GammaHRFKernel(tau=[0.01, 0.012, 0.008][j], a=[30.0, 20.0, 40.0][j], duration=73.1 * u.ms)


@pytest.mark.few(1)
@pytest.mark.parametrize("method", ["fft", "direct"])
@pytest.mark.parametrize("mode", ["valid", "full"])
def test_convolution_by_region(x64, method, mode):
    x, options = activity(161, 2, 3), dict(**SHORT, method=method, convolution_mode=mode)
    whole = HRFBold(**options, kernel=of_regions())(x, DT)
    each = [HRFBold(**options, kernel=of_one(j))(x[..., j : j + 1], DT) for j in range(3)]
    np.testing.assert_allclose(whole, np.concatenate(each, -1), rtol=1e-11)


@pytest.mark.few(1)
@pytest.mark.parametrize("batch", [None, 2])
def test_a_run_with_kernels_by_region(x64, batch):
    bold = HRFBold(**SHORT, kernel=of_regions(), history=activity(41, 3), in_size=3)
    run = noisy().run(400 * DT, seed=3, monitors={"x": "x", "bold": bold}, batch_size=batch)
    past = activity(41, 3)[:, None] if batch else activity(41, 3)
    for j in range(3):
        alone = HRFBold(**SHORT, kernel=of_one(j), history=past[..., j : j + 1])(run["x"][..., j : j + 1], DT)
        np.testing.assert_allclose(run["bold"][..., j : j + 1], alone, rtol=1e-10, atol=1e-14)


def test_kernels_by_region_are_checked():
    with pytest.raises(
        ValueError, match=r"`a` of GammaHRFKernel .* fit the population shape \(2,\), but has shape \(3,\)"
    ):
        GammaHRFKernel(tau=[1.0, 1.1], a=[0.1, 0.1, 0.2])
    with pytest.raises(ValueError, match=r"`tau` .* one number, or one for each region, but has shape \(2, 2\)"):
        GammaHRFKernel(tau=np.ones((2, 2)))
    with pytest.raises(
        ValueError, match="`kernel` of HRFBold must .* one for each of the 2 regions of the signal.* has 3"
    ):
        HRFBold(**SHORT, kernel=of_regions())(np.ones((2000, 2)), DT)
    with pytest.raises(ValueError, match="each of the 4 regions of `in_size`, but has 3"):
        HRFBold(**SHORT, kernel=of_regions(), in_size=4).init_state()


# --- convolution ----------------------------------------------------------------------------------------------------
def by_numpy(x, bold, mode="valid", past=None, per=None):
    """The formula, written out: window means, history, numpy.convolve, every 10th row."""
    w, K = 4, 37
    means = x[: len(x) // w * w].reshape(-1, w, *x.shape[1:]).mean(1)
    past = np.zeros((K, *x.shape[1:])) if past is None else past
    rows = np.concatenate([past, means]).reshape(K + len(means), -1)
    t = 0.002 * np.arange(K)
    h = 30.0 * gamma.pdf(t, 3, scale=0.01) / gamma.pdf(0.02, 3, scale=0.01) * (0.002 if per is None else 0.002 / per)
    c = np.stack([np.convolve(column, h, mode) for column in rows.T], axis=1)[10::10]
    return 5.6 * 0.02 * (c.reshape(-1, *x.shape[1:]) - 1)


def activity(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.few(2)
@pytest.mark.parametrize("method", ["fft", "direct"])
@pytest.mark.parametrize("mode", ["valid", "same", "full"])
def test_convolution_is_numpys(x64, method, mode):
    x = activity(403, 2, 3)
    bold = HRFBold(**SHORT, kernel=brief(), method=method, convolution_mode=mode)
    found = bold(x, DT)
    np.testing.assert_allclose(found, by_numpy(x, bold, mode), rtol=1e-11, atol=1e-13)
    if mode == "valid":
        assert found.shape == (10, 2, 3)


def test_history_baseline_and_scaling(x64):
    x, past = activity(400, 3), activity(37, 3, seed=1)
    common = dict(**SHORT, kernel=brief())
    np.testing.assert_allclose(HRFBold(**common, history=past)(x, DT), by_numpy(x, None, past=past), rtol=1e-11)
    longer = np.concatenate([activity(5, 3, seed=2), past])
    np.testing.assert_allclose(HRFBold(**common, history=longer)(x, DT), by_numpy(x, None, past=past), rtol=1e-11)
    part = np.concatenate([np.zeros((30, 3)), past[-7:]])
    np.testing.assert_allclose(HRFBold(**common, history=past[-7:])(x, DT), by_numpy(x, None, past=part), rtol=1e-11)
    steady = HRFBold(**common, history="steady", baseline=0.0)(np.full((400, 3), 2.0), DT)
    np.testing.assert_allclose(steady, np.broadcast_to(steady[:1], steady.shape), rtol=1e-11)
    tvb = HRFBold(**common, scaling="tvb")(x, DT)
    np.testing.assert_allclose(tvb, by_numpy(x, None, per=0.004), rtol=1e-11)


@pytest.mark.slow
def test_level_of_a_constant_does_not_depend_on_the_windows(x64):
    """Activity 2 through the default kernel, of integral 0.4/3: 5.6 · 0.02 · (0.8/3 - 1)."""
    for ms in 1, 4, 8:
        y = HRFBold(downsample_period=ms * u.ms, history="steady")(np.full((2000, 1), 2.0), 1 * u.ms)
        np.testing.assert_allclose(y, 0.112 * (0.8 / 3 - 1), rtol=1e-4)


@pytest.mark.slow
def test_convolution_under_jit_grad_and_vmap(x64):
    x, c = activity(160, 2), activity(4, 2, seed=1)

    def loss(values, x, method="fft"):
        kernel = GammaHRFKernel(tau=values["tau"], a=30.0, duration=73.1 * u.ms)
        bold = HRFBold(**SHORT, kernel=kernel, k_1=values["k_1"], method=method)
        return jnp.sum(c * bold(x, DT) ** 2)

    values = {"tau": 0.01, "k_1": 5.6}
    slopes, by_row = jax.jit(jax.grad(loss, (0, 1)))(values, x)
    for name, value in values.items():
        h = 1e-5 * value
        expected = (loss({**values, name: value + h}, x) - loss({**values, name: value - h}, x)) / (2 * h)
        np.testing.assert_allclose(slopes[name], expected, rtol=1e-6)
    moved = np.zeros_like(x)
    moved[17, 1] = 1e-5
    expected = (loss(values, x + moved) - loss(values, x - moved)) / 2e-5
    np.testing.assert_allclose(by_row[17, 1], expected, rtol=1e-5)
    direct = jax.grad(lambda x: loss(values, x, "direct"))(x)
    np.testing.assert_allclose(direct, by_row, rtol=1e-9, atol=1e-14)
    bold, batch = HRFBold(**SHORT, kernel=brief()), activity(3, 160, 2)
    found = jax.vmap(lambda x: bold(x, DT))(batch)
    np.testing.assert_allclose(found[2], by_numpy(batch[2], bold), rtol=1e-11)


# --- in a run -------------------------------------------------------------------------------------------------------
def noisy():
    return bm.Simulator(bm.HopfStep(3, a=0.1, noise_x=bm.WhiteNoise(3, sigma=0.2)), dt=DT)


@pytest.mark.few(1)
@pytest.mark.parametrize("batch", [None, 2])
@pytest.mark.parametrize("past", [None, activity(41, 3)])
def test_in_a_run_it_is_the_convolution_of_the_trajectory(x64, batch, past):
    bold = HRFBold(**SHORT, kernel=brief(), history=past, baseline=0.0, in_size=3)
    run = noisy().run(400 * DT, seed=3, monitors={"x": "x", "bold": bm.Monitor(bold, every=40)}, batch_size=batch)
    given = None if past is None else past[:, None] if batch else past
    whole = HRFBold(**SHORT, kernel=brief(), history=given, baseline=0.0)(run["x"], DT)
    assert np.abs(whole).max() > 0.01
    np.testing.assert_allclose(run["bold"], whole, rtol=1e-10, atol=1e-14)


@pytest.mark.slow
def test_a_run_samples_it_at_its_period_unless_told_otherwise(x64):
    bold = HRFBold(**SHORT, kernel=brief(), in_size=3)
    own, told = (noisy().run(400 * DT, seed=3, monitors={"bold": m}) for m in (bold, bm.Monitor(bold, every=80)))
    assert own["bold"].shape == (10, 3)  # 40 steps are 20 ms
    np.testing.assert_array_equal(own["bold"][1::2], told["bold"])
    assert noisy().run(400 * DT, monitors={"bold": bold}, sample_every=80)["bold"].shape == (5, 3)


@pytest.mark.slow
def test_a_run_keeps_one_row_per_period_and_can_go_on(x64):
    bold = HRFBold(**SHORT, kernel=brief(), in_size=3)
    monitors = {"bold": bm.Monitor(bold, every=40)}
    whole = noisy().run(400 * DT, seed=3, monitors=monitors)
    sizes = [x.size for name, x in whole.final["states"].items() if name.startswith("observers")]
    assert sorted(sizes) == [1, 3, 4 * 3]  # 73.1 ms of response at 20 ms
    first = noisy().run(160 * DT, seed=3, monitors=monitors)
    second = noisy().run(240 * DT, state=first.final, monitors=monitors)
    np.testing.assert_allclose(np.concatenate([first["bold"], second["bold"]]), whole["bold"], rtol=1e-14)


@pytest.mark.slow
def test_gradient_through_a_run(x64):
    """In a parameter of the kernel and in one of the model, against finite differences."""
    bold = HRFBold(**SHORT, kernel=brief(), in_size=3)
    simulator = noisy()
    pure = simulator.pure(160 * DT, monitors={"bold": bm.Monitor(bold, every=40)}, free=["kernel.tau", "w"])
    loss = jax.jit(lambda values: jnp.sum(pure(values, 5)["bold"] ** 2))
    values = {"kernel.tau": jnp.asarray(0.01), "w": jnp.asarray(0.2)}
    slopes = jax.grad(loss)(values)
    for name, value in values.items():
        h = 1e-5 * value
        expected = (loss({**values, name: value + h}) - loss({**values, name: value - h})) / (2 * h)
        np.testing.assert_allclose(slopes[name], expected, rtol=1e-5, err_msg=name)


# --- against the integrated model -----------------------------------------------------------------------------------
def drive(t):
    return 0.8 * (t > 0.3) * (t < 1.7) + 0.4 * np.sin(3 * t) ** 2


def integrated(z, h, **values):
    """Flow and signal of the balloon model after each step of `h` seconds."""
    bold = bm.BOLDSignal(1, **values)
    bold.init_state()

    def step(z):
        y = bold.update(z)
        return bold.f.value[0], y[0]

    with brainstate.environ.context(dt=h * u.second):
        return brainstate.transform.for_loop(step, z)


@pytest.mark.slow
def test_the_flow_of_the_balloon_model_is_the_volterra_convolution(x64):
    """Flow obeys a linear equation: the two agree at any strength, to first order in the windows."""
    error = {}
    for ms in 2, 4:
        h = 1e-3 * ms
        z = drive(h * (np.arange(round(6 / h)) + 0.5))
        f, _ = integrated(z, h, k=1 / 0.8, gamma=1 / 0.4)
        windows = ms * u.ms
        kernel = FirstOrderVolterraHRFKernel(scaling=1.0)
        bold = HRFBold(1.0, 1.0, period=windows, downsample_period=windows, kernel=kernel, baseline=0.0)
        error[ms] = np.abs(bold(z[:, None], windows)[:, 0] - (f - 1)).max()
        assert np.ptp(f) > 0.2
    assert error[2] < 2e-3
    assert error[4] / error[2] == pytest.approx(2, rel=0.05)


class Linearised(HRFKernel):
    """The response of the balloon model to a weak impulse: of its equations linearised at rest, by the exponential."""

    def __call__(self, t):
        k, gamma_, alpha, tau, rho, V0 = 0.65, 0.41, 0.32, 0.98, 0.34, 0.02
        extraction = 1 + (1 - rho) * np.log(1 - rho) / rho  # d(f E(f)/rho)/df at f = 1
        A = np.array(
            [
                [-k, -gamma_, 0, 0],
                [1, 0, 0, 0],
                [0, 1 / tau, -1 / (alpha * tau), 0],
                [0, extraction / tau, -(1 / alpha - 1) / tau, -1 / tau],
            ]
        )
        seen = V0 * np.array([0, 0, 2 - (2 * rho - 0.2), -7 * rho - 2])
        times = np.asarray(t.to_decimal(u.second))
        return jnp.asarray([seen @ expm(A * s)[:, 0] for s in times])


@pytest.mark.slow
def test_weak_input_gives_the_balloon_model_through_its_linear_response(x64):
    """The difference is of second order in the input."""
    h = 0.02
    error = {}
    for strength in 0.01, 0.02:
        z = strength * drive(h * (np.arange(1000) + 0.5))
        _, y = integrated(z, h)
        windows = 20 * u.ms
        bold = HRFBold(1.0, 1.0, windows, windows, kernel=Linearised(30 * u.second), baseline=0.0)
        # the middle of a window is half a step before its end
        convolved = bold(np.convolve(z, [0.5, 0.5])[1:, None], windows)[:, 0]
        error[strength] = np.abs(convolved - y).max() / np.abs(y).max()
    assert error[0.01] < 0.01
    assert error[0.02] / error[0.01] == pytest.approx(2, rel=0.1)


# --- refusals -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"convolution_mode": "vald"}, "`convolution_mode` of HRFBold must be 'valid'.*Did you mean 'valid'"),
        ({"method": "loop"}, "`method` of HRFBold must be 'fft' or 'direct', but is 'loop'"),
        ({"scaling": "sum"}, "`scaling` of HRFBold must be 'integral' or 'tvb'"),
        ({"history": "held"}, "`history` of HRFBold must be an array, None or 'steady'"),
        (
            {"period": 1001 * u.ms},
            r"`period` of HRFBold must be a multiple of `downsample_period`.*period=1000 \* u.ms",
        ),
        ({"V_0": 0.0}, "`V_0` of HRFBold .* must be > 0"),
    ],
)
def test_bold_refuses(given, message):
    with pytest.raises(ValueError, match=message):
        HRFBold(**given)


def test_bold_refuses_kernels_units_and_signals():
    with pytest.raises(TypeError, match=r"`kernel` of HRFBold must be an HRFKernel.*brainmass.GammaHRFKernel\(\)"):
        HRFBold(kernel=np.exp)
    with pytest.raises(u.UnitMismatchError, match="`period` of HRFBold must be a time"):
        HRFBold(period=1000.0)
    with pytest.raises(ValueError, match=r"`downsample_period` of HRFBold must be a multiple.*=3.9 \* u.ms"):
        HRFBold()(np.ones((2000, 1)), 1.3 * u.ms)
    with pytest.raises(ValueError, match="at least one `period` long, 1000. ms, but has 249 rows"):
        HRFBold()(np.ones((999, 1)), 1 * u.ms)
    with pytest.raises(ValueError, match=r"`history` of HRFBold must have shape \(rows, 2\), but has shape \(5, 3\)"):
        HRFBold(history=np.ones((5, 3)))(np.ones((2000, 2)), 1 * u.ms)
    with pytest.raises(u.UnitMismatchError, match="The activity that drives HRFBold .* in mV"):
        HRFBold()(np.ones((2000, 1)) * u.mV, 1 * u.ms)
    with pytest.raises(ValueError, match="HRFBold needs `in_size`"):
        noisy().run(80 * DT, monitors={"bold": bm.Monitor(HRFBold(**SHORT), every=40)})
    with pytest.raises(ValueError, match="`history` of HRFBold must be an array or None in a run"):
        HRFBold(**SHORT, history="steady", in_size=3).init_state()


@pytest.mark.slow
def test_solving_the_flow_gives_what_the_reference_kernel_says(x64):
    """scipy, from rest under the drive: the flow that the convolution test compares with."""
    h = 0.002
    z = drive(h * (np.arange(1500) + 0.5))
    f, _ = integrated(z, h, k=1 / 0.8, gamma=1 / 0.4)
    solve = solve_ivp(
        lambda t, y: [drive(t) - y[0] / 0.8 - (y[1] - 1) / 0.4, y[0]], (0, 3), [0, 1], rtol=1e-9, max_step=0.01
    )
    assert f[-1] == pytest.approx(solve.y[1, -1], abs=1e-4)
