"""Right-hand sides of The Virtual Brain: writes `tvb_derivatives/<model>.json`, for `tests/test_tvb_parity.py`.

    python3.11 -m venv /tmp/tvb
    /tmp/tvb/bin/pip install tvb-library==2.10.0 "setuptools<80"
    /tmp/tvb/bin/python tests/truths/tvb_derivatives.py [MODEL ...]

TVB is no dependency of brainmass. Each model's `dfun` is called on random states of five regions, with its default
parameters and with all of them moved, each without and with coupling; local coupling is zero.
"""

import importlib.metadata
import json
import logging
import sys
from pathlib import Path

import numpy as np
from tvb.simulator import models

N = 5

# Range of every state.
STATES = {
    "Generic2dOscillator": [(-2, 4), (-6, 6)],
    "WilsonCowan": [(0, 1), (0, 1)],
    "ReducedWongWangExcInh": [(0, 1), (0, 1)],
    "DecoBalancedExcInh": [(0, 1), (0, 1)],
    "JansenRit": [(-1, 1), (-20, 20), (-20, 20), (-5, 5), (-5, 5), (-5, 5)],
    "Epileptor": [(-2, 1), (-20, 2), (-1, 5), (-2, 1), (0, 2), (-1, 1)],
    "Kuramoto": [(0, 2 * np.pi)],
    "LarterBreakspear": [(-1.5, 1.5), (0, 1), (-1.5, 1.5)],
    "MontbrioPazoRoxin": [(0, 2), (-2, 2)],
    "CoombesByrne2D": [(0, 2), (-2, 2)],
    "CoombesByrne": [(0, 2), (-2, 2), (0, 2), (-1, 1)],
    "DumontGutkin": [(0, 2), (-2, 1.5), (-1, 1), (-1, 1), (0, 2), (-2, 1.5), (-1, 1), (-1, 1)],
    "GastSchmidtKnosche_SD": [(0, 2), (-2, 1), (0, 1), (-0.2, 0.3)],
    "GastSchmidtKnosche_SF": [(0, 2), (-2, 1), (-1, 1), (-1, 1)],
    "KIonEx": [(0, 1), (-90, 10), (0, 1), (-10, 0), (-5, 5)],
    "SupHopf": [(-1, 1), (-1, 1)],
    "Linear": [(-1, 1)],
    "ReducedWongWang": [(0, 1)],
    "Epileptor2D": [(-2, 1), (-1, 5)],
    "EpileptorRestingState": [(-2, 1), (-20, 2), (-1, 5), (-2, 1), (0, 2), (-1, 1), (-2, 4), (-6, 6)],
    "EpileptorCodim3": [(-1, 1), (-1, 1), (-0.5, 0.5)],
    "EpileptorCodim3SlowMod": [(-1, 1), (-1, 1), (-0.5, 0.5), (0, 0.3), (0, 0.3)],
    "Hopfield": [(-1, 2), (0, 1)],
    "ReducedSetFitzHughNagumo": [(-1, 1)] * 4,
    "ReducedSetHindmarshRose": [(-1, 1)] * 6,
    "ZetterbergJansen": [(-1, 1), (-5, 5)] + [(-10, 10), (-5, 5)] * 4 + [(-10, 10)] * 2,
    "ZerlautAdaptationFirstOrder": [(0, 0.05), (0, 0.05), (0, 100), (0, 10), (0, 0)],
    # without covariances: by the rates TVB 2.10 has a thousandth of each derivative, of second ones a millionth
    "ZerlautAdaptationSecondOrder": [(0, 0.05), (0, 0.05), (0, 0), (0, 0), (0, 0), (0, 100), (0, 10), (0, 0)],
}
# Parameters that stay as they are when the others are moved: brainmass has no counterpart or no use of them.
FIXED = {
    "WilsonCowan": ("alpha_e", "alpha_i", "c_e", "c_i", "k_e", "k_i", "theta_e", "theta_i", "r_e", "r_i"),
    "JansenRit": ("p_min", "p_max"),
    "Epileptor": ("s",),
    "MontbrioPazoRoxin": ("Gamma",),
    "ReducedWongWang": ("sigma_noise",),
    "EpileptorRestingState": ("s",),
    "EpileptorCodim3": ("N",),
    "EpileptorCodim3SlowMod": ("N",),
    "Hopfield": ("dynamic",),
    # S_i has no effect in TVB's first order
    "ZerlautAdaptationFirstOrder": ("tau_OU", "weight_noise", "S_i", "K_ext_i"),
    "ZerlautAdaptationSecondOrder": ("tau_OU", "weight_noise", "K_ext_i"),
}
# The switches that are also tried the other way.
SWITCHED = {
    "Epileptor": {"modification": np.array([True])},
    "Epileptor2D": {"modification": np.array([True])},
    "EpileptorCodim3": {"modification": np.array([False])},
    "EpileptorCodim3SlowMod": {"modification": np.array([False])},
    "Hopfield": {"dynamic": np.array([1])},
}
# What is a small rate, per ms: of coupling, and of parameters that are zero by default. Else 1.
SMALL = {"ZerlautAdaptationFirstOrder": 0.01, "ZerlautAdaptationSecondOrder": 0.01}
NO_PARAMETERS = {
    "gid",
    "variables_of_interest",
    "state_variable_range",
    "state_variable_boundaries",
    "state_variable_dfuns",
    "parameter_names",
    "coupling_terms",
    "P_e",
    "P_i",
}


def parameters(model):
    names = [name for name in type(model).declarative_attrs if name not in NO_PARAMETERS]
    return {name: getattr(model, name).item() for name in names}


def moved(name, rng):
    """A model with every parameter off its default."""
    given = {}
    for key, value in parameters(getattr(models, name)()).items():
        if key in FIXED.get(name, ()) or isinstance(value, bool):
            continue
        number = value * rng.uniform(0.7, 1.3) if value else SMALL.get(name, 1) * rng.uniform(0.1, 0.4)
        given[key] = np.array([float(f"{number:.3g}")])
        if name in SMALL:  # numbers of neurons stay whole
            given[key] = given[key].astype(type(value))
    return getattr(models, name)(**given)


def cases_of(name):
    rng = np.random.default_rng([2015, *name.encode()])  # of each model by itself, so that another adds a file alone
    nodes = [getattr(models, name)(), moved(name, rng)]
    if name in SWITCHED:
        nodes.append(getattr(models, name)(**SWITCHED[name]))
    for model in nodes:
        model.configure()
        size = (N, model.number_of_modes)
        y = np.array([np.round(rng.uniform(*span, size), 4) for span in STATES[name]])
        # rates are positive
        coupled, low = SMALL.get(name, 1), 0.0 if name in SMALL else -0.5
        for scale in 0.0, 1.0:
            c = np.round(scale * coupled * rng.uniform(low, 1.0, (len(model.cvar), *size)), 4)
            rates = model.dfun(y, c, local_coupling=0.0)
            yield {
                "model": name,
                "parameters": parameters(model),
                "states": _rows(y),
                "coupling": _rows(c),
                "derivatives": _rows(np.asarray(rates)),
            }


def _rows(x):
    """A row for each variable, of several modes one for each mode of each."""
    return np.moveaxis(x, -1, 1).reshape(-1, N).tolist()


def main(names):
    logging.disable(logging.WARNING)
    folder = Path(__file__).with_suffix("")
    folder.mkdir(exist_ok=True)
    head = json.dumps({"tvb-library": importlib.metadata.version("tvb-library")})[:-1]
    for name in names or STATES:
        cases = ",\n".join(map(json.dumps, cases_of(name)))
        (folder / f"{name}.json").write_text(f'{head}, "cases": [\n{cases}\n]}}\n')


if __name__ == "__main__":
    main(sys.argv[1:])
