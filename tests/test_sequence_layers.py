"""Sequence layers against plain loops in numpy, finite differences, and a task to learn."""

import inspect

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from braintools.init import Constant

import brainmass
from brainmass.models.wilson_cowan.classical import WilsonCowanStep
from brainmass.training.horn import HORN_TR, HORNSeqLayer, HORNSeqNetwork
from brainmass.training.jansen_rit import JansenRit2Layer, JansenRitLayer, JansenRitNetwork
from brainmass.training.wilson_cowan import WilsonCowanSeqLayer, WilsonCowanSeqNetwork

RNG = np.random.default_rng(3)
T, N_IN, N = 25, 3, 4
INPUTS = RNG.normal(size=(T, N_IN))
STEPS = np.array([[0, 1, 2, 3], [3, 0, 1, 0], [2, 2, 0, 5], [1, 0, 4, 0]])
LATE = STEPS * 0.5 * u.ms
DT = 0.5
B = RNG.normal(size=N)
OFFSETS = {"inp_b_init": lambda n: jnp.asarray(B), "rec_b_init": lambda n: jnp.asarray(0.5 * B[::-1])}


@pytest.fixture
def half_ms():
    brainstate.environ.set(dt=DT * u.ms)


def started(layer, batch_size=None):
    return brainstate.nn.init_all_states(layer, batch_size=batch_size)


def assign(params, values):
    for key, value in values.items():
        params[key].value = value


def weights(connection):
    values = connection.weight.value
    return (values() if callable(values) else {k: np.asarray(v, float) for k, v in values.items()}) or None


def recurrence(layer):
    """The recurrent input in numpy, as a function of the present state and of the past ones, the latest last."""
    if hasattr(layer.rec, "linear"):
        w = weights(layer.rec.linear)
        return lambda now, past: now @ w["weight"] + w["bias"]
    w = np.asarray(getattr(layer.rec, "delayed", layer.rec).weight.value(), float)
    return lambda now, past: np.array([sum(w[i, j] * past[-1 - STEPS[i, j]][j] for j in range(N)) for i in range(N)])


def driven(layer, inputs=INPUTS):
    w = weights(layer.inp)
    return inputs @ w["weight"] + w["bias"]


# --- against plain loops ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("delay", [None, LATE], ids=["now", "delayed"])
def test_horn_layer(x64, half_ms, delay):
    alpha, omega, gamma, v, scale, before = 0.4, np.linspace(0.1, 0.4, N), 0.05, 0.3, 0.7, 0.2
    options = OFFSETS if delay is None else {"inp_b_init": OFFSETS["inp_b_init"], "delay_init": Constant(before)}
    layer = started(HORNSeqLayer(N_IN, N, alpha, omega, gamma, v, delay=delay, rec_scale=scale, **options))
    receive, x, y, past = recurrence(layer), np.zeros(N), np.zeros(N), [np.full(N, before)] * 6
    xs, ys = [], []
    for s in driven(layer):
        past.append(y)
        drive = s + scale * receive(y, past)
        y = y + DT * (alpha * np.tanh(drive + v * x) - omega**2 * x - 2 * gamma * y)
        x = x + DT * y
        xs.append(x)
        ys.append(y)
    states, found = layer(INPUTS, record_state=True)
    np.testing.assert_allclose(found, xs, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(states["y"], ys, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(states["x"], xs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("delay", [None, LATE], ids=["now", "delayed"])
@pytest.mark.parametrize("refractory", [False, True])
def test_wilson_cowan_layer(x64, half_ms, delay, refractory):
    model = {"wc_cls": WilsonCowanStep, "r": 0.8} if refractory else {}
    options = OFFSETS if delay is None else {}
    layer = started(WilsonCowanSeqLayer(N_IN, N, delay=delay, method="euler", tau_E=2.0 * u.ms, **model, **options))

    def response(x, a, theta):
        return 1 / (1 + np.exp(-a * (x - theta))) - 1 / (1 + np.exp(a * theta))

    receive, E, I, past, expected = recurrence(layer), np.zeros(N), np.zeros(N), [np.zeros(N)] * 6, []  # noqa: E741
    for s in driven(layer):
        past.append(E)
        drive = s + receive(E, past)
        left = (1 - 0.8 * E, 1 - 0.8 * I) if refractory else (1.0, 1.0)
        dE = (-E + left[0] * response(12 * E - 4 * I + drive, 1.2, 2.8)) / 2.0
        dI = -I + left[1] * response(13 * E - 11 * I, 1.0, 4.0)
        E, I = E + DT * dE, I + DT * dI  # noqa: E741
        expected.append(E)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(layer(INPUTS), expected, rtol=1e-9, atol=1e-12)


def columns(state, m_inp, e_inp, i_inp):
    """One Euler step of the paper's equations, in mV, seconds and Hz."""
    M, E, I, Mv, Ev, Iv = state  # noqa: E741
    h = DT * 1e-3

    def rate(v):
        return 5.0 / (1 + np.exp(0.56 * (6.0 - v)))

    return (
        M + h * Mv,
        E + h * Ev,
        I + h * Iv,
        Mv + h * (325.0 * rate(E - I + m_inp) - 200.0 * Mv - 1e4 * M),
        Ev + h * (325.0 * (e_inp + 108.0 * rate(135.0 * M)) - 200.0 * Ev - 1e4 * E),
        Iv + h * (1100.0 * 33.75 * rate(33.75 * M + i_inp) - 100.0 * Iv - 2500.0 * I),
    )


@pytest.mark.parametrize("delay", [None, LATE], ids=["now", "delayed"])
def test_jansen_rit_layer(x64, half_ms, delay):
    layer = started(JansenRitLayer(N_IN, N, delay=delay, method="euler", inp_b_init=Constant(150.0)))
    receive, state, past, expected = recurrence(layer), (np.zeros(N),) * 6, [np.zeros(N)] * 6, []
    for s in driven(layer, 50 * INPUTS):
        past.append(state[0])
        state = columns(state, 0.0, s + receive(state[0], past), 0.0)
        expected.append(state)
    states, found = layer(50 * INPUTS, record_state=True)
    np.testing.assert_allclose(found.to_decimal(u.mV), [s[1] - s[2] for s in expected], rtol=1e-9, atol=1e-12)
    assert sorted(states) == ["E", "I", "M"]
    np.testing.assert_allclose(states["M"].to_decimal(u.mV), [s[0] for s in expected], rtol=1e-9, atol=1e-12)


def test_jansen_rit_2_layer(x64, half_ms):
    layer = started(JansenRit2Layer(N_IN, N, delay=LATE, method="euler", delay_init=Constant(0.3)))
    receive, state, past, expected = recurrence(layer), (np.zeros(N),) * 6, [np.full(N, 0.3)] * 6, []
    w_e, w_i = weights(layer.rec.excitatory)["weight"], weights(layer.rec.inhibitory)["weight"]
    for s in driven(layer):
        past.append(state[0])
        eeg = state[1] - state[2]
        state = columns(state, s + receive(state[0], past), eeg @ w_e, -(eeg @ w_i))
        expected.append(state[1] - state[2])
    np.testing.assert_allclose(layer(INPUTS).to_decimal(u.mV), expected, rtol=1e-8, atol=1e-12)
    with pytest.raises(ValueError, match="needs the argument `delay`"):
        JansenRit2Layer(N_IN, N)


@pytest.mark.few(2)
@pytest.mark.parametrize("kind", ["none", "additive", "additive_tr", "laplacian", "laplacian_tr"])
def test_horn_tr(x64, half_ms, kind):
    """Five repetition times of four steps; once in a repetition time, delays are counted in those."""
    n_sub, held = 4, kind.endswith("_tr")
    tr = n_sub * DT * u.ms
    options = {} if kind == "none" else {"delay": STEPS * (tr if held else DT * u.ms), "rec_type": kind}
    layer = started(HORN_TR(N, 0.4, 0.3, 0.05, tr=tr, **options))
    receive, x, y, past, expected = recurrence(layer), np.zeros(N), np.zeros(N), [np.zeros(N)] * 6, []
    if kind.startswith("laplacian"):
        w = np.asarray(layer.rec.weight.value(), float)
        layer_sum, plain_receive = w.sum(axis=1), receive
        own = np.arange(N)

        def receive(now, past):
            return plain_receive(now, past) - layer_sum * np.array([past[-1 - STEPS[i, i]][i] for i in own])

    sequence = RNG.normal(size=(5, n_sub, N))
    for block in sequence:
        if held:
            past.append(y)
            arriving = receive(y, past)
        for s in block:
            if not held:
                past.append(y)
                arriving = receive(y, past)
            y = y + DT * (0.4 * np.tanh(s + arriving) - 0.09 * x - 0.1 * y)
            x = x + DT * y
            expected.append(x)
    found = np.concatenate([layer(block) for block in sequence])
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


# --- networks -----------------------------------------------------------------------------------------------------
NETWORKS = {
    "horn": lambda: HORNSeqNetwork(N_IN, [N, 6], 2, alpha=0.5),
    "horn delayed": lambda: HORNSeqNetwork(N_IN, [N, N], 2, alpha=0.5, delay=LATE),
    "wilson-cowan": lambda: WilsonCowanSeqNetwork(N_IN, [N, 6], 2),
    "jansen-rit": lambda: JansenRitNetwork(N_IN, [N, N], 2, delay=LATE),
}


@pytest.mark.few(1)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_chains_its_layers_and_reads_the_last_step(half_ms, name):
    net = started(NETWORKS[name]())
    first, second = net.hidden_activation(INPUTS)
    started(net)
    output = net(INPUTS)
    started(net)
    by_hand = net.layers[1](u.get_mantissa(first))
    np.testing.assert_allclose(u.get_mantissa(second), u.get_mantissa(by_hand), rtol=1e-6)
    assert u.math.shape(first) == (T, N)
    w = weights(net.readout)
    np.testing.assert_allclose(output, u.get_mantissa(second)[-1] @ w["weight"] + w["bias"], rtol=1e-4, atol=1e-6)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_batch_equals_its_members(half_ms, name):
    net, batch = NETWORKS[name](), RNG.normal(size=(T, 3, N_IN))

    @brainstate.transform.jit
    def alone(inputs):
        return started(net)(inputs)

    states, together = started(net, 3)(batch, record_state=True)
    assert together.shape == (3, 2)
    assert all(u.math.shape(x)[:2] == (T, 3) for x in states[0].values())
    for i in range(3):
        np.testing.assert_allclose(alone(batch[:, i]), together[i], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_agree_with_finite_differences(x64, half_ms, name):
    net = NETWORKS[name]()
    params = net.states(brainstate.ParamState)

    def loss():
        started(net)
        return jnp.sum(jnp.sin(net(INPUTS[:12])))

    both = brainstate.transform.jit(lambda: brainstate.transform.grad(loss, params, return_value=True)())
    slopes = jax.tree.leaves(dict(both()[0]))
    before = params.to_dict_values()
    leaves, shape = jax.tree.flatten(dict(before))
    rng, h = np.random.default_rng(0), 1e-5
    assert len(leaves) == len(slopes) >= 6
    for k, slope in enumerate(slopes):
        direction = rng.normal(size=slope.shape)

        def moved(size, k=k, direction=direction):
            changed = [x + size * direction if i == k else x for i, x in enumerate(leaves)]
            assign(params, jax.tree.unflatten(shape, changed))
            value = float(both()[1])
            assign(params, before)
            return value

        expected = (moved(h) - moved(-h)) / (2 * h)
        assert np.sum(slope * direction) == pytest.approx(expected, rel=2e-5, abs=1e-9)


def test_a_sequence_goes_on_where_the_last_one_ended(half_ms):
    layer = started(HORNSeqLayer(N_IN, N, delay=LATE))
    whole = layer(INPUTS)
    started(layer)
    np.testing.assert_allclose(np.concatenate([layer(INPUTS[:10]), layer(INPUTS[10:])]), whole, rtol=1e-6)


# --- learning -----------------------------------------------------------------------------------------------------
def tones(n, rng, length=60):
    """Noisy tones of random phase with a period of 20 or of 28 steps, and which of the two."""
    which = rng.integers(0, 2, n)
    phase, t = rng.uniform(0, 2 * np.pi, n), np.arange(length)[:, None]
    tone = np.sin(2 * np.pi * t / np.where(which, 20, 28) + phase) + 0.3 * rng.normal(size=(length, n))
    return jnp.asarray(tone[..., None], jnp.float32), jnp.asarray(which)


@pytest.mark.slow
def test_horn_learns_to_tell_tones_apart():
    brainstate.environ.set(dt=1.0 * u.ms)
    rng = np.random.default_rng(5)
    omega = 2 * np.pi / np.linspace(16, 36, 16)
    net = HORNSeqNetwork(1, 16, 2, omega=omega, alpha=0.1)
    params = net.states(brainstate.ParamState)
    optimiser = optax.adam(0.02)
    memory = brainstate.ShortTermState(optimiser.init(params.to_dict_values()))

    def loss(inputs, which):
        started(net, inputs.shape[1])
        output = net(inputs)
        error = optax.softmax_cross_entropy_with_integer_labels(output, which).mean()
        return error, jnp.mean(jnp.argmax(output, axis=-1) == which)

    @brainstate.transform.jit
    def train(inputs, which):
        slopes, _, right = brainstate.transform.grad(loss, params, has_aux=True, return_value=True)(inputs, which)
        changes, memory.value = optimiser.update(slopes, memory.value)
        assign(params, optax.apply_updates(params.to_dict_values(), changes))
        return right

    right = [float(train(*tones(64, rng))) for _ in range(40)]
    assert np.mean(right[:3]) < 0.75  # each time on new tones
    assert np.mean(right[-5:]) > 0.9


# --- arguments ----------------------------------------------------------------------------------------------------
WEIGHTS = ["rec_w_init", "rec_b_init", "inp_w_init", "inp_b_init"]
HORN = ["alpha", "omega", "gamma", "v"]
COLUMN = "Ae Ai be bi C a1 a2 a3 a4 s_max v0 r M_init E_init I_init Mv_init Ev_init Iv_init noise_E noise_I noise_M"


@pytest.mark.parametrize(
    ("cls", "positional"),
    [
        (HORNSeqLayer, ["n_input", "n_hidden", *HORN, "delay_init", "x_init", "y_init", "delay", *WEIGHTS]),
        (
            HORNSeqNetwork,
            ["n_input", "n_hidden", "n_output", *HORN, "x_init", "y_init", "delay_init", "delay", *WEIGHTS],
        ),
        (
            HORN_TR,
            ["n_hidden", *HORN, "x_init", "y_init", "tr", "delay", "rec_type", *WEIGHTS[:2], "delay_init"],
        ),
        (JansenRitLayer, ["n_input", "n_hidden", *COLUMN.split(), "delay", "delay_init", *WEIGHTS, "method"]),
        (
            JansenRitNetwork,
            ["n_input", "n_hidden", "n_output", *COLUMN.split(), "delay", "delay_init", *WEIGHTS, "method"],
        ),
        (
            WilsonCowanSeqLayer,
            ["n_input", "n_hidden", "wc_cls", "delay_init", "rE_init", "rI_init", "delay", *WEIGHTS],
        ),
    ],
)
def test_signatures(cls, positional):
    shown = inspect.signature(cls).parameters.values()
    assert [p.name for p in shown if p.kind is p.POSITIONAL_OR_KEYWORD] == positional
    assert "Parameters\n----------" in cls.__doc__ and cls.__doc__.splitlines()[0].endswith(".")


@pytest.mark.parametrize(("shape", "batch"), [((T, 2), None), ((N_IN,), None), ((T, 5, N_IN), None), ((T, N_IN), 5)])
def test_a_wrong_shape_of_the_inputs_is_refused(half_ms, shape, batch):
    layer = started(HORNSeqLayer(N_IN, N), batch)
    wanted = r"\(time, 3\)" if batch is None else r"\(time, 5, 3\)"
    with pytest.raises(ValueError, match=f"`inputs` of HORNSeqLayer must have shape {wanted}.*init_all_states"):
        layer(np.zeros(shape))


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: HORNSeqLayer(N_IN, N, delay=1.0), u.UnitMismatchError, "must be a time"),
        (lambda: HORNSeqLayer(N_IN, N, delay=-1.0 * u.ms), ValueError, ">= 0"),
        (lambda: HORNSeqLayer(N_IN, N, delay=np.ones(3) * u.ms), ValueError, r"\(4, 4\)"),
        (lambda: HORNSeqLayer(N_IN, N, delay_init=Constant(1.0)), ValueError, "`delay_init`.*only with `delay`"),
        (
            lambda: HORNSeqLayer(N_IN, N, delay=1.0 * u.ms, rec_b_init=Constant(1.0)),
            ValueError,
            "`rec_b_init`.*only without `delay`",
        ),
        (lambda: HORNSeqLayer(N_IN, N, gama=1.0), TypeError, "no argument `gama`. Did you mean 'gamma'"),
        (lambda: HORNSeqLayer(N_IN, N, gamma=-1.0), ValueError, "`gamma`.*>= 0"),
        (lambda: WilsonCowanSeqLayer(N_IN, N, tau=1.0), TypeError, "no argument `tau`.*Did you mean 'tau_"),
        (lambda: HORN_TR(N, delay=1.0 * u.ms, rec_type="laplace"), ValueError, "Did you mean 'laplacian'"),
        (lambda: HORN_TR(N, rec_type="laplacian"), ValueError, "only with `delay`"),
        (lambda: HORN_TR(N, tr=0.0 * u.ms), ValueError, "`tr`.*> 0"),
    ],
)
def test_refusals(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_without_time_step_or_states_the_error_says_what_to_do(half_ms):
    brainstate.environ.pop("dt")
    with pytest.raises(ValueError, match="brainstate.environ.set"):
        started(HORNSeqLayer(N_IN, N))(INPUTS)
    with pytest.raises(ValueError, match="brainstate.environ.set"):
        started(HORNSeqLayer(N_IN, N, delay=LATE))
    with pytest.raises(AttributeError, match="init_all_states"):
        HORNSeqLayer(N_IN, N)(INPUTS)


def test_a_repetition_time_has_a_row_of_inputs_per_step(half_ms):
    layer = started(HORN_TR(N, delay=2.0 * u.ms, rec_type="additive_tr"))
    with pytest.raises(ValueError, match="one row per step.*tr=1. ms, 2 of them, but has 3"):
        layer(np.zeros((3, N)))


@pytest.mark.slow
def test_a_simulator_does_not_take_what_loops_over_time_itself(half_ms):
    for made in NETWORKS["horn"](), HORN_TR(N, 0.4, 0.3, 0.05):
        with pytest.raises(TypeError, match=f"one time step, but {type(made).__name__} goes through many"):
            brainmass.Simulator(made, dt=DT * u.ms)
