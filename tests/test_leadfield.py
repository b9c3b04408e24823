"""Lead fields against numpy, their units, the covariance of the noise, potentials in a homogeneous medium."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from brainstate.nn import Param

import brainmass as bm
from brainmass.forward.lead_fields import LeadFieldModel, LeadfieldReadout
from brainmass.forward.sensors import EEGLeadFieldModel, MEGLeadFieldModel, SEEGLeadFieldModel

DT = 0.5 * u.ms
R, M = 4, 3
RNG = np.random.default_rng(0)
L = RNG.normal(size=(R, M))
X = RNG.normal(size=(7, 2, R))
COV = np.array([[2.0, 0.8, -0.3], [0.8, 1.0, 0.1], [-0.3, 0.1, 0.5]])
NAM = u.nA * u.meter


def noisy():
    return bm.Simulator(bm.HopfStep(R, a=0.1, noise_x=bm.WhiteNoise(R, sigma=0.2)), dt=DT)


# --- the product and its units --------------------------------------------------------------------------------------
def test_product(x64):
    """Plain lead fields are in mV per nA m; plain numbers are dipole moments in nA m, potentials in mV are too."""
    model = EEGLeadFieldModel(R, M, L)
    for x in X, X * u.mV, X * 1e3 * u.uvolt, X * NAM, X * 1e-3 * (u.uA * u.meter):
        np.testing.assert_allclose(model(x).to_decimal(u.mV), X @ L, rtol=1e-12)
    assert (model.R, model.M) == (R, M) and model(X[0, 0]).shape == (M,)
    assert model(X).unit == u.mV


def test_units_of_lead_field_and_sensors(x64):
    """V/(A m) is 1e-6 mV/(nA m), T/(A m) is 1e-9 T/(nA m)."""
    per_volt = EEGLeadFieldModel(R, M, L * u.volt / (u.amp * u.meter))
    np.testing.assert_allclose(per_volt(X).to_decimal(u.uvolt), X @ L * 1e-3, rtol=1e-12)
    in_uV = EEGLeadFieldModel(R, M, L * u.volt / (u.amp * u.meter), sensor_unit=u.uvolt)
    assert in_uV(X).unit == u.uvolt
    np.testing.assert_allclose(in_uV(X).to_decimal(u.volt), X @ L * 1e-9, rtol=1e-12)
    meg = MEGLeadFieldModel(R, M, L * u.tesla / (u.amp * u.meter))
    np.testing.assert_allclose(meg(X * u.mV).to_decimal(u.tesla), X @ L * 1e-9, rtol=1e-12)
    assert meg(X).unit == u.tesla


@pytest.mark.parametrize(
    ("model", "largest", "options"),
    [
        (EEGLeadFieldModel, 45.7, {}),
        (EEGLeadFieldModel, 45.7, {"sensor_unit": u.volt}),
        (SEEGLeadFieldModel, 2.6e5, {}),
        (MEGLeadFieldModel, 2.7e-5, {}),
        (MEGLeadFieldModel, 2.7e-5, {"sensor_unit": u.ftesla}),
    ],
)
def test_plain_numbers_of_the_size_of_others_units_are_asked_for(x64, model, largest, options):
    """The largest entries of projections of The Virtual Brain, averaged over regions, and of a contact at 1 mm."""
    gain = largest * np.linspace(-0.5, 1.0, R * M).reshape(R, M)
    si = (u.tesla if model is MEGLeadFieldModel else u.volt) / (u.amp * u.meter)
    with pytest.raises(
        ValueError, match=r"`L` of .* must carry its unit where plain numbers.* reach .*Example: L=L \* u"
    ):
        model(R, M, gain, **options)
    seen = model(R, M, gain * si, **options)(X).to_decimal(si * u.amp * u.meter)
    np.testing.assert_allclose(seen, X @ gain * 1e-9, rtol=1e-12)
    unit = options.get("sensor_unit", u.tesla if model is MEGLeadFieldModel else u.mV) / NAM
    model(R, M, gain * unit, **options)  # whoever says so has it
    physical = {MEGLeadFieldModel: 2.7e-5, SEEGLeadFieldModel: 2.6e5}.get(model, 45.7)
    model(R, M, (gain / largest * physical * si).to_decimal(unit), **options)


def test_scale(x64):
    """Of rates, and one for each region."""
    each = np.array([1.0, 2.0, 3.0, 4.0])
    model = LeadFieldModel(R, M, L, scale=each * NAM / u.Hz)
    np.testing.assert_allclose(model(X * 1e-3 / u.ms).to_decimal(u.mV), (X * each) @ L, rtol=1e-12)
    with pytest.raises(u.UnitMismatchError, match="but is in mV, times the `scale` in"):
        model(X * u.mV)


def test_product_under_jit_grad_and_vmap(x64):
    def loss(gain, x):
        return jnp.sum(EEGLeadFieldModel(R, M, gain)(x).to_decimal(u.mV) ** 2)

    slope, by_x = jax.jit(jax.grad(loss, (0, 1)))(L, X)
    flat = X.reshape(-1, R)
    np.testing.assert_allclose(slope, 2 * flat.T @ flat @ L, rtol=1e-11)
    np.testing.assert_allclose(by_x, 2 * X @ L @ L.T, rtol=1e-11)
    model = EEGLeadFieldModel(R, M, L)
    np.testing.assert_allclose(jax.vmap(model.__call__)(X).to_decimal(u.mV), X @ L, rtol=1e-12)


@pytest.mark.few(1)
@pytest.mark.parametrize("batch", [None, 2])
def test_in_a_run(batch):
    """Sampled at every step, it is the product with the state."""
    monitors = {"x": "x", "eeg": bm.Monitor(EEGLeadFieldModel(R, M, L), every=1)}
    run = noisy().run(12 * DT, seed=1, monitors=monitors, batch_size=batch)
    np.testing.assert_allclose(run["eeg"].to_decimal(u.mV), np.asarray(run["x"]) @ L, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_trainable_gain_in_a_run(x64):
    model = EEGLeadFieldModel(R, M, Param(L * u.mV / NAM, fit=True))
    pure = noisy().pure(6 * DT, monitors={"x": "x", "eeg": bm.Monitor(model, every=1)}, free=["L"])
    x = np.asarray(pure({}, 3)["x"])
    slope = jax.grad(lambda g: jnp.sum(pure({"L": g * u.mV / NAM}, 3)["eeg"].to_decimal(u.mV) ** 2))(L)
    np.testing.assert_allclose(slope, 2 * x.T @ x @ L, rtol=1e-9)


# --- noise ----------------------------------------------------------------------------------------------------------
def check_covariance(noise, cov, n):
    """Each element within five standard errors (of a Wishart matrix), and rows independent of one another."""
    found = noise.T @ noise / n
    error = np.sqrt((cov**2 + np.outer(np.diag(cov), np.diag(cov))) / n)
    assert (np.abs(found - cov) < 5 * error).all()
    lagged = noise[1:].T @ noise[:-1] / n
    assert (np.abs(lagged) < 5 * np.sqrt(np.outer(np.diag(cov), np.diag(cov)) / n)).all()
    assert (np.abs(noise.mean(0)) < 5 * np.sqrt(np.diag(cov) / n)).all()


def test_noise_has_the_covariance_asked_for():
    model = EEGLeadFieldModel(R, M, L, noise_cov=COV * u.uvolt**2)
    y = model(np.zeros((20000, R), np.float32))
    check_covariance(np.asarray(y.to_decimal(u.uvolt)), COV, 20000)
    np.testing.assert_allclose(model.noise_cov.to_decimal(u.uvolt**2), COV, rtol=1e-4, atol=1e-5)
    again = EEGLeadFieldModel(R, M, L, noise_cov=COV)  # plain numbers are in mV²
    np.testing.assert_allclose(again.noise_cov.to_decimal(u.mV**2), COV, rtol=1e-4, atol=1e-5)
    assert EEGLeadFieldModel(R, M, L).noise_cov is None


def test_noise_of_an_average_reference():
    """Its covariance is singular: the sum over sensors has no noise."""
    C = np.eye(M) - 1 / M
    y = EEGLeadFieldModel(R, M, L, noise_cov=C)(np.zeros((500, R), np.float32)).to_decimal(u.mV)
    np.testing.assert_allclose(y.sum(-1), 0, atol=1e-5)
    assert y.std() > 0.5


def silent(noise_cov=COV):
    """A simulator of no activity, and noise at the sensors."""
    model = bm.LinearStep(R, init_x=lambda shape: np.zeros(shape))
    return bm.Simulator(model, dt=DT), {"eeg": bm.Monitor(EEGLeadFieldModel(R, M, L, noise_cov=noise_cov), every=2)}


@pytest.mark.few(1)
@pytest.mark.parametrize("batch", [None, 2])
def test_noise_in_a_run(batch):
    """The covariance, drawn afresh for each sample, from the key alone, another in each run of a batch."""
    simulator, monitors = silent()
    run = simulator.run(12000 * DT, monitors=monitors, seed=4, batch_size=batch)
    y = np.asarray(run["eeg"].to_decimal(u.mV)).reshape(6000, -1, M)
    for lane in range(y.shape[1]):
        check_covariance(y[:, lane], COV, 6000)
    if batch:
        between = y[:, 0].T @ y[:, 1] / 6000
        assert (np.abs(between) < 5 * np.sqrt(np.outer(np.diag(COV), np.diag(COV)) / 6000)).all()
    again = simulator.run(12000 * DT, monitors=monitors, seed=4, batch_size=batch, block=300)
    np.testing.assert_array_equal(again["eeg"].mantissa, run["eeg"].mantissa)
    other = simulator.run(12000 * DT, monitors=monitors, seed=5, batch_size=batch)
    assert not np.allclose(other["eeg"].mantissa, run["eeg"].mantissa)


@pytest.mark.slow
def test_noise_goes_on_where_a_run_ended_and_leaves_the_model_alone():
    simulator, monitors = silent()
    whole = simulator.run(40 * DT, monitors=monitors, seed=4)
    first = simulator.run(16 * DT, monitors=monitors, seed=4)
    rest = simulator.run(24 * DT, monitors=monitors, state=first.final)
    np.testing.assert_array_equal(np.concatenate([first["eeg"].mantissa, rest["eeg"].mantissa]), whole["eeg"].mantissa)
    sensors = {"x": "x", "eeg": bm.Monitor(EEGLeadFieldModel(R, M, L, noise_cov=COV), every=1)}
    np.testing.assert_array_equal(
        noisy().run(20 * DT, seed=2, monitors=sensors)["x"], noisy().run(20 * DT, seed=2)["x"]
    )


@pytest.mark.parametrize("how", ["the states of the model", "an earlier run"])
def test_noise_follows_the_seed_wherever_a_run_starts(how):
    simulator, monitors = silent()
    final = simulator.run(2 * DT, monitors=monitors, seed=0).final

    def run(seed):
        start = {"state": final} if how == "an earlier run" else {"init_states": False}
        return np.asarray(simulator.run(8 * DT, monitors=monitors, seed=seed, **start)["eeg"].mantissa)

    first = run(1)
    np.testing.assert_array_equal(run(1), first)
    assert np.abs(run(2) - first).min() > 0


def test_by_hand_with_states_and_a_batch():
    model = EEGLeadFieldModel(R, M, L, noise_cov=COV)
    model.init_state(500)
    x = np.zeros((500, R), np.float32)
    first, second = model.update(x), model.update(x)
    both = np.concatenate([first.to_decimal(u.mV), second.to_decimal(u.mV)])
    check_covariance(both, COV, 1000)
    between = both[:500].T @ both[500:] / 500
    assert (np.abs(between) < 5 * np.sqrt(np.outer(np.diag(COV), np.diag(COV)) / 500)).all()
    np.testing.assert_array_equal(model.signal().mantissa, second.mantissa)
    assert EEGLeadFieldModel(R, M, L).update(X).shape == (7, 2, M)


# --- refusals -------------------------------------------------------------------------------------------------------
def test_shapes_refused():
    for wrong, hint in ((L.T, r"has shape \(3, 4\). Write L=L.T"), (L[:3], r"has shape \(3, 3\)\.$")):
        with pytest.raises(ValueError, match=rf"`L` of EEGLeadFieldModel .* \(4, 3\), regions by sensors, but {hint}"):
            EEGLeadFieldModel(R, M, wrong)
    with pytest.raises(ValueError, match=r"EEGLeadFieldModel must have shape \(..., 4\), but has shape \(7, 3\)"):
        EEGLeadFieldModel(R, M, L)(np.ones((7, 3)))
    with pytest.raises(ValueError, match=r"`eeg` is a EEGLead.* of shape \(5,\), but what drives it has shape \(4,\)"):
        noisy().run(4 * DT, monitors={"eeg": bm.Monitor(EEGLeadFieldModel(5, M, np.ones((5, M))), every=1)})


def test_units_refused():
    with pytest.raises(u.UnitMismatchError, match=r"`L` of MEGLeadFieldModel \(lead field\) must have a unit like T"):
        MEGLeadFieldModel(R, M, L * u.mV / NAM)
    with pytest.raises(
        u.UnitMismatchError, match="must be a dipole moment like m . nA, .* but is in nA. Give .* `scale`"
    ):
        EEGLeadFieldModel(R, M, L)(X * u.nA)
    with pytest.raises(u.UnitMismatchError, match=r"`noise_cov` of EEGLeadFieldModel must be in mV\^2.* but is in mV"):
        EEGLeadFieldModel(R, M, L, noise_cov=COV * u.mV)
    with pytest.raises(TypeError, match="`sensor_unit` of EEGLeadFieldModel must be a unit, but is 1.0"):
        EEGLeadFieldModel(R, M, L, sensor_unit=1.0)


@pytest.mark.parametrize(
    ("cov", "rule"),
    [
        (np.eye(2), r"finite numbers of shape \(3, 3\)"),
        (np.full((3, 3), np.nan), "finite numbers"),
        (np.triu(np.ones((3, 3))), "symmetric, but differs from its transpose by 1"),
        (np.diag([1.0, 1.0, -0.5]), "positive semidefinite, but its smallest eigenvalue is -0.5"),
    ],
)
def test_covariances_refused(cov, rule):
    with pytest.raises(ValueError, match=f"`noise_cov` of EEGLeadFieldModel must be {rule}"):
        EEGLeadFieldModel(R, M, L, noise_cov=cov)


# --- from vertices to regions ---------------------------------------------------------------------------------------
def test_fixed_orientation_weights_and_compression(x64):
    """Against sums written out over vertices."""
    V = 5
    normals, parcel, area = RNG.normal(size=(V, 3)), RNG.random((V, R)), RNG.random(V)
    free = RNG.normal(size=(M, V, 3))
    expected = np.einsum("mvk,vk,v,vr->mr", free, normals, area, parcel)
    for interleaved in False, True:
        columns = free.reshape(M, -1) if interleaved else free.transpose(0, 2, 1).reshape(M, -1)
        weights = LeadFieldModel.build_fixed_orientation_weights(normals, parcel, area, interleaved=interleaved)
        assert weights.shape == (3 * V, R)
        found = LeadFieldModel.compress_vertex_leadfield(columns, weights)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        EEGLeadFieldModel(R, M, found.T)
    without = LeadFieldModel.build_fixed_orientation_weights(normals, parcel)
    np.testing.assert_allclose(without[V : 2 * V], parcel * normals[:, 1:2], rtol=1e-12)
    with_units = LeadFieldModel.build_fixed_orientation_weights(normals, parcel, area * u.mm**2)
    assert with_units.unit == u.mm**2
    with pytest.raises(ValueError, match=r"normals must have shape \(vertices, 3\).*\(5, 2\) and \(5, 4\)"):
        LeadFieldModel.build_fixed_orientation_weights(normals[:, :2], parcel)
    with pytest.raises(ValueError, match=r"areas must have shape \(5,\).*\(4,\)"):
        LeadFieldModel.build_fixed_orientation_weights(normals, parcel, area[:4])
    with pytest.raises(ValueError, match=r"\(sensors, 3 vertices\).*have shapes \(3, 14\) and \(15, 4\)"):
        LeadFieldModel.compress_vertex_leadfield(np.ones((M, 14)), without)


# --- sEEG -----------------------------------------------------------------------------------------------------------
CONTACTS = np.array([[0.0, 0.0, 10.0], [0.0, 30.0, 40.0]]) * u.mm
REGIONS = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 20.0], [5.0, 0.0, 0.0]]) * u.mm


def test_current_sources(x64):
    """1 uA at 1 cm and at 5 cm in 0.3 S/m: 26.5 uV and 5.3 uV."""
    model = SEEGLeadFieldModel.from_positions(CONTACTS, REGIONS)
    seen = model(np.array([1.0, 0.0, 0.0]) * u.uA)
    np.testing.assert_allclose(
        seen.to_decimal(u.volt), [1e-6 / (4 * np.pi * 0.3 * r) for r in (0.01, 0.05)], rtol=1e-12
    )
    twice = SEEGLeadFieldModel.from_positions(CONTACTS, REGIONS, conductivity=0.6 * u.siemens / u.meter)
    np.testing.assert_allclose(2 * twice(X[..., :3]).mantissa, model(X[..., :3]).mantissa, rtol=1e-12)


def test_dipoles_are_pairs_of_current_sources(x64):
    """A sink and a source close together, in the direction of the dipole."""
    directions = np.array([[0.0, 0.0, 2.0], [1.0, 1.0, 1.0], [-1.0, 2.0, 0.5]])
    units = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    half = 1e-3 * units * u.mm
    ahead, behind = (SEEGLeadFieldModel.from_positions(CONTACTS, REGIONS + s * half) for s in (1, -1))
    pairs = (ahead.L.value() - behind.L.value()) / (2e-3 * u.mm)
    model = SEEGLeadFieldModel.from_positions(CONTACTS, REGIONS, directions)
    np.testing.assert_allclose(
        model.L.value().to_decimal(u.mV / NAM), pairs.to_decimal(u.mV / NAM), rtol=1e-6, atol=1e-12
    )
    assert model.L.value()[0, 0].to_decimal(u.volt / (u.amp * u.meter)) == pytest.approx(1 / (4 * np.pi * 0.3 * 1e-4))


def test_positions_refused():
    build = SEEGLeadFieldModel.from_positions
    with pytest.raises(ValueError, match="Contact 0 lies at region 1 itself"):
        build(CONTACTS, np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 10.0]]) * u.mm)
    with pytest.raises(u.UnitMismatchError, match=r"`contacts` of SEEGLeadFieldModel must be lengths.*\* u.mm"):
        build(CONTACTS.mantissa, REGIONS)
    with pytest.raises(
        ValueError, match=r"`regions` .* must be finite, of shape \(regions, 3\), but has shape \(2, 2\)"
    ):
        build(CONTACTS, np.ones((2, 2)) * u.mm)
    with pytest.raises(u.UnitMismatchError, match="`conductivity` of SEEGLeadFieldModel must be a conductivity"):
        build(CONTACTS, REGIONS, conductivity=0.3)
    with pytest.raises(ValueError, match="`conductivity` of SEEGLeadFieldModel must be > 0"):
        build(CONTACTS, REGIONS, conductivity=0.0 * u.siemens / u.meter)
    with pytest.raises(ValueError, match=r"`orientations` .* vectors other than zero, of shape \(3, 3\)"):
        build(CONTACTS, REGIONS, np.zeros((3, 3)))


# --- readout --------------------------------------------------------------------------------------------------------
def by_hand(lm, x, y0, cy0, normalize=True, demean=True):
    if normalize == "l2":
        lm = lm / np.sqrt((lm**2).sum(1, keepdims=True))
    elif normalize:
        lm = lm / np.abs(lm).sum(1, keepdims=True)
    return cy0 * (x @ (lm - lm.mean(0) if demean else lm).T) - y0


@pytest.mark.parametrize("normalize", [True, False, "l1", "l2"])
@pytest.mark.parametrize("demean", [True, False])
def test_readout(x64, normalize, demean):
    for y0, cy0 in (0.3, 2.0), (np.array([1.0, 2.0, 3.0]), np.array([0.5, 1.0, 2.0])):
        model = LeadfieldReadout(L.T, y0, cy0, normalize, demean)
        np.testing.assert_allclose(model(X), by_hand(L.T, X, y0, cy0, normalize, demean), rtol=1e-12, atol=1e-14)
        np.testing.assert_array_equal(model.update(X), model(X))


def test_readout_of_potentials(x64):
    model = LeadfieldReadout(L.T, 300.0 * u.uvolt, Param(2.0))
    np.testing.assert_allclose(model(X * u.mV).to_decimal(u.uvolt), 1e3 * by_hand(L.T, X, 0.3, 2.0), rtol=1e-11)
    plain = LeadfieldReadout(L.T, 0.3, 2.0, unit=u.mV)
    np.testing.assert_allclose(plain(X * u.mV).to_decimal(u.mV), by_hand(L.T, X, 0.3, 2.0), rtol=1e-11)
    with pytest.raises(
        u.UnitMismatchError, match="LeadfieldReadout must be in plain numbers.* but is in mV.*unit=u.mV"
    ):
        LeadfieldReadout(L.T, 0.3, 2.0)(X * u.mV)


def test_gradients_of_the_readout(x64):
    """In the lead field, the offset and the gain, against finite differences, under jit."""
    values = {"lm": L.T, "y0": np.array([0.3, 0.1, 0.2]), "cy0": 2.0}
    loss = jax.jit(lambda values: jnp.sum(LeadfieldReadout(**values)(X) ** 2))
    slopes = jax.jit(jax.grad(loss))(values)
    for name, value in values.items():
        step = 1e-6 * np.random.default_rng(1).normal(size=np.shape(value))
        expected = loss({**values, name: value + step}) - loss({**values, name: value - step})
        np.testing.assert_allclose(2 * np.sum(slopes[name] * step), expected, rtol=1e-6)


@pytest.mark.few(1)
@pytest.mark.parametrize("batch", [None, 2])
def test_readout_in_a_run(batch):
    readout = LeadfieldReadout(L.T, 0.3, 2.0)
    run = noisy().run(12 * DT, seed=1, monitors={"x": "x", "eeg": bm.Monitor(readout, every=1)}, batch_size=batch)
    np.testing.assert_allclose(run["eeg"], by_hand(L.T, np.asarray(run["x"]), 0.3, 2.0), rtol=1e-4, atol=1e-5)


def test_gain_of_a_readout_in_a_pure_run():
    monitors = {"eeg": bm.Monitor(LeadfieldReadout(L.T, 0.3, 2.0), every=1)}
    pure = noisy().pure(4 * DT, monitors=monitors, free=["cy0"])
    seen = jax.jit(lambda gain: pure({"cy0": gain}, 1)["eeg"])
    np.testing.assert_allclose(seen(4.0) - seen(2.0), seen(2.0) + 0.3, rtol=1e-4, atol=1e-6)


def test_readout_refuses():
    with pytest.raises(ValueError, match=r"`lm` of LeadfieldReadout .* no row of zeros to be normalized, but row 1"):
        LeadfieldReadout(L.T * np.array([[1], [0], [1]]), 0.0, 1.0)
    with pytest.raises(
        ValueError, match=r"`lm` of LeadfieldReadout .* shape \(sensors, regions\), but has shape \(4,\)"
    ):
        LeadfieldReadout(np.ones(4), 0.0, 1.0)
    with pytest.raises(ValueError, match="`normalize` of LeadfieldReadout must be True, False, 'l1' or 'l2'"):
        LeadfieldReadout(L.T, 0.0, 1.0, "l3")
    with pytest.raises(ValueError, match="`cy0` of LeadfieldReadout"):
        LeadfieldReadout(L.T, 0.0, np.ones(2))
