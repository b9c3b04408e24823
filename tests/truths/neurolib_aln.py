"""Numbers of neurolib's ALN model, with our table in the place of its own: writes `neurolib_aln.json`.

    python3.11 -m venv /tmp/neurolib
    /tmp/neurolib/bin/pip install neurolib==0.6.2
    /tmp/neurolib/bin/python tests/truths/neurolib_aln.py

neurolib is no dependency of brainmass. `points` are entries of its own table, `step` the rates of change that one of
its steps takes from a state, `runs` the excitatory rate over the second half of runs from rest.
"""

import importlib.metadata
import json
from pathlib import Path

import numpy as np
from neurolib.models.aln import ALNModel

HERE = Path(__file__)
TABLE = HERE.parents[2] / "brainmass" / "models" / "aln" / "table.npz"
NAMES = ("precalc_r", "precalc_V", "precalc_tau_mu")
STATE = {"mufe": 1.3, "mufi": 0.9, "IA": 60.0, "seem": 0.3, "seim": 0.25, "siem": 0.2, "siim": 0.22}
STATE |= {"seev": 0.002, "seiv": 0.004, "siev": 0.003, "siiv": 0.005}
STEP = {"a": 15.0, "b": 40.0, "ext_exc_rate": 0.02, "ext_exc_current": 0.11, "ext_inh_current": -0.07}
RUNS = {
    "down": {"mue_ext_mean": 0.4, "mui_ext_mean": 0.9},
    "up": {"mue_ext_mean": 2.2, "mui_ext_mean": 0.9},
    "fast_oscillation": {"mue_ext_mean": 1.0, "mui_ext_mean": 0.3},
    "slow_oscillation": {"mue_ext_mean": 2.4, "mui_ext_mean": 1.7, "b": 40.0},
}


def model(duration, start, rates, dt=0.1, **others):
    made = ALNModel()
    p = made.params
    with np.load(TABLE) as stored:
        for i, name in enumerate(NAMES):
            p[name] = np.ascontiguousarray(stored["values"][..., i].astype(float))
    for name in [name for name in p if name.endswith("_init")]:
        p[name] = np.array([start.get(name[:-5], 0.0)])
    p["IA_init"] = np.array([[start.get("IA", 0.0)]])
    p["rates_exc_init"], p["rates_inh_init"] = (np.full((1, 100), rate) for rate in rates)
    p["duration"], p["dt"] = duration, dt
    p.update(others)
    made.run()
    return made


def points():
    p = ALNModel().params
    for i, j in ((60, 14), (80, 14), (100, 14), (100, 40), (160, 14), (160, 40)):
        yield [p["Irange"][i], p["sigmarange"][j], *(p[name][i, j] for name in NAMES)]


def step(dt=0.1):
    stepped = model(dt, STATE, (13.0, 21.0), dt, **STEP)
    ends = {name: float(np.ravel(stepped.state[name])[-1]) for name in STATE}
    rates = [float(np.ravel(stepped.state[f"rates_{k}"])[-1]) for k in ("exc", "inh")]
    return {
        "state": STATE,
        "given": STEP,
        "derivatives": {name: (ends[name] - STATE[name]) / dt for name in STATE},
        "rates": rates,
    }


def runs(duration=4000.0, dt=0.05):
    for name, given in RUNS.items():
        made = model(duration, {}, (0.0, 0.0), dt, **given)
        rate = made.rates_exc[0][len(made.rates_exc[0]) // 2 :]
        up = np.flatnonzero((rate[1:] >= rate.mean()) & (rate[:-1] < rate.mean()))
        period = float(np.diff(up).mean() * dt) if len(up) > 2 else None
        yield name, {"given": given, "quantiles": np.quantile(rate, [0, 0.5, 0.9, 1]).tolist(), "period": period}


found = {"neurolib": importlib.metadata.version("neurolib"), "points": list(points()), "step": step()}
found["runs"] = dict(runs())
HERE.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
