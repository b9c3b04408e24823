"""Right-hand sides of vbi and neurolib: writes `vbi_neurolib_derivatives.json`, for `tests/test_vbi_parity.py`.

    python3.11 -m venv /tmp/others
    /tmp/others/bin/pip install vbi==0.4.4 neurolib==0.6.2
    /tmp/others/bin/python tests/truths/vbi_neurolib_derivatives.py

Neither is a dependency of brainmass. vbi's right-hand sides are called on random states of three regions without
connections; neurolib has none to call, so a rate of change is what a tiny step of its integration takes. `VEP_sde`
keeps to `x < 0`, where its cubic is that of the Epileptor.
"""

import importlib.metadata
import json
from pathlib import Path

import numpy as np
from neurolib.models.fhn import FHNModel
from neurolib.models.hopf import HopfModel
from neurolib.models.wc import WCModel
from neurolib.models.ww import WWModel
from vbi.models.numba import jansen_rit, mpr, rww, sl, vep, wilson_cowan, ww

N = 3
NONE = np.zeros((N, N))
STATES = {
    "MPR_sde": [(0, 2), (-2, 2)],
    "JR_sde": [(-0.1, 0.1), (0, 30), (0, 20), (-1, 1), (-1, 1), (-1, 1)],
    "WC_sde": [(0, 1), (0, 1)],
    "VEP_sde": [(-2, 0), (0, 5)],
    "WW_sde": [(0, 1), (0, 1)],
    "RWW_sde": [(0, 1)],
    "SL_sde": [(-1, 1), (-1, 1)],
    "HopfModel": [(-1, 1), (-1, 1)],
    "FHNModel": [(-1, 1), (-1, 1)],
    "WCModel": [(0, 1), (0, 1)],
    "WWModel": [(0, 1), (0, 1)],
}


def of_vbi(right_hand_side, parameters, **others):
    given = parameters(weights=NONE, **others)
    given.nn = N
    for name in ("eta", "iext", "I_ext", "ext_current", "P", "Q", "c_ee", "c_ei", "c_ie", "c_ii", "tau_e", "tau_i"):
        if hasattr(given, name):
            setattr(given, name, np.full(N, np.ravel(getattr(given, name))[0]))
    return lambda y: np.reshape(right_hand_side(np.ravel(y), 0.0, given), np.shape(y))


def stuart_landau(y):
    p = sl.ParSL(weights=NONE)
    found = sl.f_sl(y[0] + 1j * y[1], np.zeros((N, N), complex), NONE, p.a, p.omega, 0.0)
    return np.stack([found.real, found.imag])


def of_neurolib(model, states, initial, dt=1e-6):
    def rates(y):
        found = []
        for region in np.transpose(y):
            made = model()
            for name, x in zip(initial, region, strict=True):
                made.params[f"{name}_init"] = np.array([[x]])
            made.params["duration"], made.params["dt"] = dt, dt
            for name in states:
                if f"{name}_ou" in made.params:
                    made.params[f"{name}_ou"] = np.zeros(1)
            made.run()
            ends = (float(np.ravel(made.state[name])[-1]) for name in states)
            found.append([(end - x) / dt for end, x in zip(ends, region, strict=True)])
        return np.transpose(found)

    return rates


COLUMN = {name: np.full(N, C) for name, C in (("C0", 135.0), ("C1", 108.0), ("C2", 33.75), ("C3", 33.75))}
RATES = {
    "MPR_sde": of_vbi(mpr.f_mpr, mpr.ParMPR),
    "JR_sde": of_vbi(jansen_rit.f_jr, jansen_rit.ParJR, **COLUMN),
    "WC_sde": of_vbi(wilson_cowan.f_wc, wilson_cowan.ParWC, shift_sigmoid=True, k_e=1.0, k_i=1.0),
    "VEP_sde": of_vbi(vep.f_vep, vep.ParVEP),
    "WW_sde": of_vbi(ww.f_ww, ww.ParWW),
    "RWW_sde": of_vbi(rww.f_rww, rww.ParRWW),
    "SL_sde": stuart_landau,
    "HopfModel": of_neurolib(HopfModel, ("x", "y"), ("xs", "ys")),
    "FHNModel": of_neurolib(FHNModel, ("x", "y"), ("xs", "ys")),
    "WCModel": of_neurolib(WCModel, ("exc", "inh"), ("exc", "inh")),
    "WWModel": of_neurolib(WWModel, ("se", "si"), ("ses", "sis")),
}
cases = {}
for name, rates in RATES.items():
    rng = np.random.default_rng([2026, *name.encode()])
    y = np.array([np.round(rng.uniform(*span, N), 4) for span in STATES[name]])
    cases[name] = {"states": y.tolist(), "rates": np.asarray(rates(y)).tolist()}
versions = {name: importlib.metadata.version(name) for name in ("vbi", "neurolib")}
path = Path(__file__).with_suffix(".json")
path.write_text(json.dumps({"versions": versions, "cases": cases}, indent=1) + "\n")
