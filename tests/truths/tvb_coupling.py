"""Coupling as The Virtual Brain computes it: writes `tvb_coupling.json`, which `tests/test_tvb_parity.py` reads.

    python3.11 -m venv /tmp/tvb
    /tmp/tvb/bin/pip install tvb-library==2.10.0
    /tmp/tvb/bin/python tests/truths/tvb_coupling.py

TVB is no dependency of brainmass; run this again by hand to take up a newer TVB or another case.

Every value is what TVB's `Simulator` of six regions, without delays, hands to its model: `coupling(step, history)` of
a configured simulator. As a check it then takes one Euler step, and the change of the state must be that value.
What was found on the way, in TVB 2.10.0:

- TVB's `weights[i, j]` is onto i from j, as our `conn[i, j]`: the weights here are not symmetric, and a third is zero.
- TVB keeps weights and past in float32. Here both are multiples of 1/64, which float32 holds exactly. Where a sine or a
  tanh of them is then a float32 as well (`IN_SINGLE`), the values come from the same `pre` and `post` called by hand in
  float64, and must agree with the simulator's to float32.
- `SigmoidalJansenRit` acts on the difference of the model's two coupling variables, y1 - y2, and returns its value for
  both; the model reads the first.
- `Kuramoto` is documented as a/N times the sum, but divides by the number of coupling variables, which is 1 here.
- `PreSigmoidal` is documented as a function of the source, but reads the receiver: what it sums over j is
  w_ij f(x_i), with f(0) for f(x_i) where j does not hear i.
"""

import importlib.metadata
import json
import logging
from pathlib import Path

import numpy as np
from tvb.datatypes.connectivity import Connectivity
from tvb.simulator import coupling, integrators, models, monitors, simulator

N, DT = 6, 0.5

# Per class the settings to try; an empty one is TVB's default.
CASES = {
    "Linear": [{}, {"a": 0.7, "b": 0.3}, {"a": -1.5, "b": -2.0}],
    "Scaling": [{}, {"a": 2.5}],
    "HyperbolicTangent": [{}, {"a": 0.4, "b": 1.7, "midpoint": 0.3, "sigma": 0.6}],
    "Sigmoidal": [
        {},
        {"cmin": 0.0, "cmax": 2.0, "midpoint": 0.5, "a": 1.8, "sigma": 0.9},
        {"cmin": -0.3, "cmax": 0.7, "midpoint": -0.2, "a": float(np.pi / np.sqrt(3)), "sigma": 1.5},
    ],
    "SigmoidalJansenRit": [{}, {"cmin": 0.001, "cmax": 0.004, "midpoint": 5.52, "r": 0.3, "a": 3.0}],
    "PreSigmoidal": [
        {"dynamic": False},
        {"dynamic": False, "H": 0.8, "Q": 0.6, "G": 2.0, "P": 1.3, "theta": -0.2},
    ],
    "Difference": [{}, {"a": 1.25}],
    "Kuramoto": [{}, {"a": 0.6}],
}
RANGES = {"SigmoidalJansenRit": (-10, 20), "Kuramoto": (0, 2 * np.pi)}  # mV, rad; the others dimensionless:
RANGE = (-2, 2)
IN_SINGLE = ("HyperbolicTangent", "Kuramoto")


def problem():
    rng = np.random.default_rng(20150401)
    weights = np.round(64 * rng.lognormal(size=(N, N))) / 64 * (rng.random((N, N)) > 1 / 3)
    np.fill_diagonal(weights, 0)
    assert np.all(weights.any(1)) and not np.allclose(weights, weights.T)
    return rng, weights


def settings(instance):
    """All parameters of a TVB object as plain numbers."""
    skip = {"gid", "state_variable_range", "variables_of_interest"}
    values = {name: getattr(instance, name) for name in type(instance).declarative_attrs if name not in skip}
    return {name: value.item() if isinstance(value, np.ndarray) else value for name, value in values.items()}


def simulate(model, rule, weights, state):
    """The coupling that enters the first step, shape (1, N), and the state after that step."""
    names = np.array([f"region {i}" for i in range(N)])
    regions = Connectivity(
        weights=weights,
        tract_lengths=np.zeros((N, N)),
        region_labels=names,
        centres=np.zeros((N, 3)),
        speed=np.array([1.0]),
    )
    sim = simulator.Simulator(
        model=model,
        connectivity=regions,
        coupling=rule,
        integrator=integrators.EulerDeterministic(dt=DT),
        monitors=(monitors.Raw(),),
        initial_conditions=state[None, :, :, None],
        simulation_length=DT,
    )
    sim.configure()
    value = rule(1, sim.history)[:1, :, 0]
    ((times, _),) = sim.run()
    assert len(times) == 1
    return value, sim.current_state[..., 0]


def in_double(rule, weights, x):
    """The same from the parts of the coupling, one entry per connection as TVB calls them."""
    onto, source = np.nonzero(weights)
    arriving = weights[onto, source, None] * rule.pre(x[:, onto, None], x[:, source, None])
    total = np.zeros((1, N, 1))
    np.add.at(total, (slice(None), onto), arriving)
    return rule.post(total)[..., 0]


def through_linear(rule, weights, x):
    """A node that only accumulates what it receives."""
    value, after = simulate(models.Linear(gamma=np.zeros(1)), rule, weights, x)
    return value, (after - x) / DT


def through_jansen_rit(rule, weights, x):
    """Coupling enters the fifth state, times A a: the difference to a run without connections."""
    y = np.zeros((6, N))
    y[1:3] = x
    column = models.JansenRit()
    value, after = simulate(column, rule, weights, y)
    _, alone = simulate(models.JansenRit(), coupling.Scaling(a=np.zeros(1)), weights, y)
    return value, (after - alone)[4:5] / (DT * column.A * column.a)


def main():
    logging.disable(logging.WARNING)
    rng, weights = problem()
    results = []
    for name, tried in CASES.items():
        low, high = RANGES.get(name, RANGE)
        through, variables = (through_jansen_rit, 2) if name == "SigmoidalJansenRit" else (through_linear, 1)
        for given in tried:
            x = np.round(64 * rng.uniform(low, high, size=(variables, N))) / 64
            arrays = {key: value if isinstance(value, bool) else np.array([value]) for key, value in given.items()}
            rule = getattr(coupling, name)(**arrays)
            value, received = through(rule, weights, x)
            np.testing.assert_allclose(received, value, rtol=1e-9, atol=1e-12, err_msg=name)
            if name in IN_SINGLE:
                single, value = value, in_double(rule, weights, x)
                np.testing.assert_allclose(single, value, rtol=2e-6, atol=1e-6, err_msg=name)
            if name == "Linear":
                np.testing.assert_allclose(value[0], rule.a * (weights @ x[0]) + rule.b, rtol=1e-12)
            results.append(
                {"coupling": name, "parameters": settings(rule), "states": x.tolist(), "values": value[0].tolist()}
            )
    facts = {"tvb-library": importlib.metadata.version("tvb-library"), "weights": weights.tolist()}
    head, cases = json.dumps(facts)[:-1], ",\n".join(map(json.dumps, results))
    Path(__file__).with_suffix(".json").write_text(f'{head}, "cases": [\n{cases}\n]}}\n')


if __name__ == "__main__":
    main()
