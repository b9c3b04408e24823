"""Parameters that move: `parameters` of a run, a sweep, a fit and an experiment file."""

import brainunit as u
import jax
import numpy as np
import optax
import pytest
from brainstate.nn import Param
from scipy.integrate import solve_ivp
from scipy.stats import multivariate_normal

import brainmass as bm

W = np.array([[0.0, 1.0, 0.5], [0.3, 0.0, 0.0], [0.7, 0.2, 0.0]])
TIMES = np.array([0.0, 3.0, 7.0]) * u.ms


def start(*values):
    return lambda shape: np.asarray(values)


def network(interpolate=None, **node):
    hopf = bm.HopfStep(3, noise_x=bm.WhiteNoise(3, sigma=0.1), **node)
    delays = dict(distance=10.0 * np.ones((3, 3)), speed=10.0, interpolate=interpolate)
    return bm.Network(hopf, conn=W, coupled_var="x", coupling="additive", k=0.1, **delays)


# --- jumps: a run whose parameters step is the runs of constant parameters, one after the other ----------------------
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "rows", "interpolate"),
    [
        pytest.param("a", [-0.1, 0.3, 0.1], None, marks=pytest.mark.slow),
        ("a", [[-0.1, 0.0, 0.1], [0.3, 0.2, 0.1], [0.1, 0.1, 0.0]], None),
        pytest.param("node.noise_x.sigma", [0.1, 0.3, 0.0], None, marks=pytest.mark.slow),
        pytest.param("coupling.k", [0.1, 1.0, 0.2], None, marks=pytest.mark.slow),
        pytest.param("speed", [10.0, 20.0, 40.0] * u.mm / u.ms, True, marks=pytest.mark.slow),
        pytest.param("inputs.x_inp.amplitude", [0.0, 0.5, 1.0], None, marks=pytest.mark.slow),
        pytest.param("conn", [W, 2 * W, 0.5 * W], True, marks=pytest.mark.slow),
    ],
)
def test_steps_are_the_runs_of_their_pieces(name, rows, interpolate):
    """Bit for bit, where each piece has a course of one value; to rounding, where it has a constant.

    Of a noise, whose sample is multiplied with what moves, only to rounding: XLA orders those products as it likes.
    """
    simulator = bm.Simulator(network(interpolate), dt=0.1 * u.ms)
    size = np.shape(u.get_mantissa(rows))[1:] or 1
    drive = bm.Sinusoid(3, amplitude=0.1, frequency=100 * u.Hz)
    same = dict(inputs={"x_inp": drive}, monitors=["x"])

    def steps(rows, times):
        return {name: bm.Steps(size, values=rows, times=times)}

    def in_pieces(given):
        pieces, state = [], None
        for row, length in zip(rows, (3, 4, 3), strict=True):
            how = dict(seed=0, batch_size=2) if state is None else {"state": state}
            part = simulator.run(length * u.ms, parameters=given(row), **how, **same)
            pieces.append(part["x"])
            state = part.final
        return np.concatenate(pieces), state["states"]

    moved = simulator.run(10 * u.ms, parameters=steps(rows, TIMES), seed=0, batch_size=2, **same)
    pieces, states = in_pieces(lambda row: steps(u.math.asarray(row)[None], [0.0] * u.ms))
    if "sigma" not in name:
        np.testing.assert_array_equal(moved["x"], pieces)
        for path, value in moved.final["states"].items():
            np.testing.assert_array_equal(value, states[path], err_msg=path)
    np.testing.assert_allclose(moved["x"], in_pieces(lambda row: {name: row})[0], rtol=1e-4, atol=1e-6)
    still = simulator.run(10 * u.ms, seed=0, batch_size=2, **same)
    assert np.abs(moved["x"] - still["x"]).max() > 1e-3


def test_what_is_looked_at_after_a_step_has_the_parameters_of_that_step():
    """A function of the model that reads a parameter, recorded at the end of each step, as in the pieces of a run."""
    simulator = bm.Simulator(bm.HopfStep(1), dt=0.5 * u.ms)
    course = bm.Steps(1, values=[1.0, 2.0], times=[0, 1] * u.ms)
    ramp = bm.Ramp(1, amplitude=1.0, duration=2 * u.ms)
    seen = {"a": lambda model: model.a.value()}
    stepped = simulator.run(2 * u.ms, parameters={"a": course}, monitors=seen, seed=0)["a"]
    np.testing.assert_array_equal(stepped, [1.0, 1.0, 2.0, 2.0])
    risen = simulator.run(2 * u.ms, parameters={"a": ramp}, monitors=seen, seed=0)["a"]
    np.testing.assert_allclose(risen, [0.25, 0.5, 0.75, 1.0], rtol=1e-6)


# --- smooth courses keep the order of the method ----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("method", "order"),
    [pytest.param("euler", 1, marks=pytest.mark.slow), pytest.param("rk4", 4, marks=pytest.mark.slow), ("heun", 2)],
)
def test_a_method_keeps_its_order_under_smooth_courses(x64, method, order):
    """A ramp, a sine, straight lines and a function, of node, strength and weights, against scipy."""
    x0, y0 = np.array([1.0, -0.5]), np.array([0.2, 0.4])
    node = bm.HopfStep(2, method=method, init_x=start(*x0), init_y=start(*y0))
    net = bm.Network(node, conn=W[:2, :2], coupled_var="x", coupling="additive")
    courses = {
        "a": -0.2 + bm.Ramp(1, amplitude=0.5, duration=4 * u.ms),
        "k": bm.Sinusoid(1, amplitude=0.5, frequency=200 * u.Hz, phase=0.3),
        "conn": bm.Steps((2, 2), values=[W[:2, :2], 3 * W[:2, :2]], times=[0, 4] * u.ms, interpolate=True),
        "w": lambda t: 0.2 + 0.05 * (t / u.ms) ** 2,
        "beta": bm.Recording(2, data=[[1.0, 2.0], [3.0, 1.0], [3.0, 1.0]], every=4 * u.ms),
    }

    def motion(t, z):
        x, y = z.reshape(2, 2)
        k, w = 0.5 * np.sin(2 * np.pi * 0.2 * t + 0.3), W[:2, :2] * (1 + t / 2)
        growth = -0.2 + t / 8 - np.array([1 + t / 2, 2 - t / 4]) * (x**2 + y**2)
        omega = 0.2 + 0.05 * t**2
        return np.r_[growth * x - omega * y + k * w @ x, growth * y + omega * x]

    exact = solve_ivp(motion, (0, 4), np.r_[x0, y0], rtol=1e-12, atol=1e-12, method="DOP853").y[:, -1]
    errors = []
    for dt in (0.2, 0.1):
        run = bm.Simulator(net, dt=dt * u.ms).run(4 * u.ms, parameters=courses, monitors=["x", "y"], seed=0)
        errors.append(np.abs(np.r_[run["x"][-1], run["y"][-1]] - exact).max())
    assert order - 0.3 < np.log2(errors[0] / errors[1]) < order + 1.2, errors


@pytest.mark.slow
def test_slow_passage_through_a_hopf_point_is_delayed_to_the_mirror_of_where_it_began():
    """While it is small, ln |z(t)/z(0)| is the integral of a, which comes back to 0 at a = -a(0).

    Neishtadt 1987, Differ. Equ. 23:1385; Baer, Erneux, Rinzel 1989, SIAM J. Appl. Math. 49:55.
    """
    a0, rate, begin = -0.1, 2e-4, 1e-3
    node = bm.HopfStep(1, method="rk4", init_x=start(begin), init_y=start(0.0))
    length = 1500.0
    ramp = a0 + bm.Ramp(1, amplitude=rate * length, duration=length * u.ms)
    run = bm.Simulator(node, dt=0.25 * u.ms).run(length * u.ms, parameters={"a": ramp}, monitors=["x", "y"], seed=0)
    size = np.hypot(run["x"], run["y"])[:, 0]
    t = np.asarray(run.time.to_decimal(u.ms))
    back = t[(size > begin) & (t > 10)][0]
    assert abs(a0 + rate * back - -a0) < 2e-3  # the static onset is at 0
    small = t < 900
    np.testing.assert_allclose(np.log(size / begin)[small], (a0 * t + rate * t**2 / 2)[small], atol=0.02)
    assert size[-1] == pytest.approx(np.sqrt(a0 + rate * length), rel=0.02)  # then the cycle, which it follows


# --- their own parameters -----------------------------------------------------------------------------------------
@pytest.mark.slow
def test_gradients_by_the_parameters_of_a_course_are_finite_differences(x64):
    simulator = bm.Simulator(network(), dt=0.1 * u.ms)
    course = 0.1 + bm.Sinusoid(3, amplitude=0.3, frequency=100 * u.Hz)
    steps = bm.Steps(1, values=[0.1, 0.5, 0.2], times=TIMES, interpolate=True)
    run = simulator.pure(
        10 * u.ms,
        parameters={"a": course, "coupling.k": steps},
        free=["parameters.a.second.amplitude", "frequency", "coupling.k.values"],
        monitors=["x"],
    )

    def loss(values):
        return (run(values, 0)["x"] ** 2).sum()

    at = {"parameters.a.second.amplitude": 0.3, "frequency": 0.1 / u.ms, "coupling.k.values": np.array([0.1, 0.5, 0.2])}
    slopes = jax.jit(jax.grad(loss))(at)
    for name, value in at.items():
        shape = np.shape(u.get_mantissa(value))
        for index in np.ndindex(shape):
            step = np.zeros(shape)
            step[index] = 1e-5
            step = u.maybe_decimal(step * u.get_unit(value))
            ends = [float(loss(at | {name: value + sign * step})) for sign in (1, -1)]
            np.testing.assert_allclose(
                u.get_mantissa(slopes[name])[index], (ends[0] - ends[1]) / 2e-5, rtol=1e-5, err_msg=name
            )


@pytest.mark.slow
def test_a_sweep_names_the_parameters_of_a_course():
    pytest.importorskip("xarray")
    simulator = bm.Simulator(bm.HopfStep(1), dt=0.1 * u.ms)

    def ramp(height):
        return {"a": -0.2 + bm.Ramp(1, amplitude=height, duration=5 * u.ms)}

    same = dict(monitors=["x"], sample_every=1 * u.ms)
    swept = bm.sweep(simulator, 10 * u.ms, {"parameters.a.second.amplitude": [0.1, 0.9]}, parameters=ramp(0.5), **same)
    for i, height in enumerate((0.1, 0.9)):
        key = jax.random.fold_in(jax.random.key(0), i)
        one = simulator.pure(10 * u.ms, parameters=ramp(height), free=[], **same)({}, key)
        np.testing.assert_allclose(swept["x"][i, 0], one["x"], rtol=1e-6)
    with pytest.raises(ValueError, match="Parameter `a` cannot be freed or swept"):
        bm.sweep(simulator, 10 * u.ms, {"a": [0.1, 0.9]}, parameters=ramp(0.5), **same)


@pytest.mark.slow
def test_a_swept_course_that_leaves_the_domain_is_told():
    pytest.importorskip("xarray")
    simulator = bm.Simulator(bm.HopfStep(1), dt=0.1 * u.ms)
    course = {"beta": bm.Steps(1, values=[1.0, 0.0], times=[0, 5] * u.ms, interpolate=True)}
    with pytest.warns(UserWarning, match=r"Parameter `beta` .* must be >= 0, but came to -1"):
        bm.sweep(simulator, 5 * u.ms, {"values": [[1.0, 0.5], [1.0, -1.0]]}, parameters=course, monitors=["x"])


@pytest.mark.slow
def test_windows_of_a_drifting_parameter_are_fitted(x64):
    """One value for each window, with a random walk as prior: the drift comes back."""
    times = np.arange(4) * 25.0 * u.ms
    true = np.array([0.1, 0.2, 0.35, 0.3])
    simulator = bm.Simulator(bm.HopfStep(1, init_x=start(0.5)), dt=0.5 * u.ms)
    run = dict(duration=100 * u.ms, monitors=["x"])
    data = simulator.run(parameters={"a": bm.Steps(1, values=true, times=times)}, seed=0, **run)["x"]
    guess = bm.Steps(1, values=np.full(4, 0.2), times=times)
    how = {"parameters.a.values": bm.Free(bounds=(0.01, 1.0), prior=bm.RandomWalk(0.2, 1.0, 1.0))}
    fitter = bm.Fitter(
        simulator, optax.adam(0.02), parameters={"a": guess}, search_space=how, **run,
        objective=lambda x, y: 1e3 * ((x - y) ** 2).mean(),
    )  # fmt: skip
    result = fitter.fit(data, n_steps=80)
    np.testing.assert_allclose(result.best_params["parameters.a.values"], true, atol=0.02)
    np.testing.assert_array_equal(guess.values.value(), result.best_params["values"])


def test_a_random_walk_is_the_normal_distribution_of_its_sums():
    walk = bm.RandomWalk(0.3 * u.mV, 2.0 * u.mV, 0.5 * u.mV)
    x = np.array([0.1, 0.5, 1.4, 0.9])
    sums = np.tril(np.ones((4, 4)))
    covariance = sums @ np.diag([4.0, 0.25, 0.25, 0.25]) @ sums.T
    expected = multivariate_normal(np.full(4, 0.3), covariance)
    np.testing.assert_allclose(walk.log_density(x * u.mV), expected.logpdf(x), rtol=1e-5)
    drawn = np.asarray(jax.vmap(lambda key: walk.sample(key, (4,)).mantissa)(jax.random.split(jax.random.key(0), 4000)))
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.35)
    # up to the density at the peak, squares of residuals are the negative log density
    peak = expected.logpdf(np.full(4, 0.3))
    np.testing.assert_allclose((walk.residuals(x * u.mV) ** 2).sum(), peak - expected.logpdf(x), rtol=1e-5)


# --- the stimulus itself ------------------------------------------------------------------------------------------
def test_steps_are_those_of_numpy():
    at = np.array([0.0, 1.0, 4.0]) * u.ms
    rows = np.array([[2.0, -1.0], [5.0, 0.0], [3.0, 2.0]])
    t = np.arange(120) * 0.1
    since = t - 2.0
    held = bm.Steps(2, values=rows, times=at, onset=2 * u.ms).series(12 * u.ms, 0.1 * u.ms)
    which = np.clip(np.searchsorted([0.0, 1.0, 4.0], since + 1e-6, side="right") - 1, 0, 2)
    np.testing.assert_array_equal(held, rows[which])
    lines = bm.Steps(2, values=rows, times=at, onset=2 * u.ms, interpolate=True, amplitude=3.0 * u.mV)
    expected = np.stack([np.interp(since, [0.0, 1.0, 4.0], row) for row in rows.T], axis=1)
    np.testing.assert_allclose(lines.series(12 * u.ms, 0.1 * u.ms).mantissa, 3 * expected, atol=1e-5)
    each = bm.Steps(2, values=rows, times=at, onset=np.array([2.0, 3.0]) * u.ms).series(12 * u.ms, 0.1 * u.ms)
    np.testing.assert_array_equal(each[:, 0], held[:, 0])
    np.testing.assert_array_equal(each[10:, 1], held[:-10, 1])


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: bm.Steps(1, values=[1.0]), TypeError, "Steps needs the argument `times`"),
        (lambda: bm.Steps(1, values=[1.0, 2.0], times=[1, 0] * u.ms), ValueError, "times in ascending order"),
        (lambda: bm.Steps(1, values=[1.0, 2.0], times=[0, 1] * u.mV), u.UnitMismatchError, "`times`"),
        (lambda: bm.Steps(2, values=np.ones((2, 3)), times=[0, 1] * u.ms), ValueError, r"\(2,\) or \(2, 2\)"),
        (lambda: bm.RandomWalk(0.0, 1.0, 0.0), ValueError, "`step` of RandomWalk must be > 0"),
    ],
)
def test_what_cannot_be_is_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        ({"bb": 1.0}, ValueError, "no parameter 'bb'"),
        ([("a", 1.0)], TypeError, "`parameters`"),
        ({"a": bm.Ramp(1, amplitude=1.0 * u.mV)}, u.UnitMismatchError, "Parameter `a` must have no unit"),
        ({"a": 1.0 * u.mV}, u.UnitMismatchError, "Parameter `a` must have no unit"),
        ({"a": bm.Ramp(2)}, ValueError, r"Parameter `a` must have shape .*, but has shape \(2,\)"),
        ({"a": np.ones(100)}, ValueError, "Rows in time are brainmass.Recording"),
        ({"a": bm.Recording(1, data=[0.1, 0.2])}, ValueError, "`a` is a Recording of 2 ms and so ends before the run"),
        ({"beta": lambda t: 1 - t / (5 * u.ms)}, ValueError, "`beta` must be >= 0, but comes to -0.0.* at 5.1 ms"),
        ({"noise_x.sigma": -bm.Pulse(1, onset=4 * u.ms)}, ValueError, "`noise_x.sigma` must be >= 0.* at 4 ms"),
        ({"beta": -1.0}, ValueError, "Parameter `beta` must be >= 0"),
        ({"a": lambda t, model: 1.0}, TypeError, "must be a function of time alone"),
        ({"a": 1.0 * bm.Ramp(1) + bm.WhiteNoise(1, sigma=0.1)}, TypeError, "must not be random"),
        ({"a": 0.1, "node.a": 0.2}, ValueError, "is named twice"),
        ({"conn": np.ones(3)}, ValueError, r"Parameter `conn` must have shape \(3, 3\)"),
        ({"conn": bm.Ramp((3, 3))}, ValueError, "`conn` cannot move where delays are whole steps"),
        ({"speed": bm.Steps(1, values=[9.0, 8.0] * u.mm / u.ms, times=[0, 1] * u.ms)}, ValueError, "interpolate=True"),
    ],
)  # fmt: skip
def test_a_course_that_cannot_be_names_the_parameter(parameters, error, words):
    simulator = bm.Simulator(network(), dt=0.1 * u.ms)
    with pytest.raises(error, match=words):
        simulator.run(10 * u.ms, parameters=parameters, seed=0)


def test_a_trainable_parameter_does_not_move():
    simulator = bm.Simulator(bm.HopfStep(1, a=Param(0.1, fit=True)), dt=0.1 * u.ms)
    with pytest.raises(ValueError, match="Parameter `a` must not be trainable"):
        simulator.pure(1 * u.ms, parameters={"a": bm.Ramp(1)})


@pytest.mark.slow
def test_a_course_compiles_once():
    simulator, traces = bm.Simulator(bm.HopfStep(2), dt=0.1 * u.ms), []

    def seen(model):
        traces.append(1)
        return model.x.value

    def run(height):
        ramp = bm.Ramp(1, amplitude=height, duration=5 * u.ms)
        return simulator.run(5 * u.ms, parameters={"a": ramp}, monitors={"x": seen}, seed=0)["x"]

    first = run(0.1)
    traced = len(traces)
    assert not np.array_equal(first, run(0.4))
    assert len(traces) == traced


# --- experiment files -------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_a_file_moves_parameters(tmp_path):
    """x' = gamma(t) x with gamma from -1 to 0 over 2 ms: ln x = -t + t^2/4."""
    text = """
        [model]
        type = "LinearStep"
        in_size = 2
        method = "heun"
        gamma = -1.0
        init_x = {type = "Constant", value = 1.0}

        [monitors]
        x = "x"

        [parameters]
        gamma = {type = "Steps", values = [-1.0, 0.0], times = ["0 ms", "2 ms"], interpolate = true}

        [simulation]
        dt = "0.05 ms"
        duration = "2 ms"
    """
    path = tmp_path / "moves.toml"
    path.write_text(text)
    result = bm.experiments.load(path).run()
    t = np.asarray(result.time.to_decimal(u.ms))
    np.testing.assert_allclose(result["x"], np.exp(-t + t**2 / 4)[:, None] * np.ones(2), rtol=1e-3)
    path.write_text(text.replace("gamma = {", "gama = {"))
    with pytest.raises(Exception, match="no parameter 'gama'. Did you mean 'gamma'"):
        bm.experiments.load(path)
