"""Right-hand sides of vbjax's model with dopamine: writes `vbjax_dopamine.json`, for `tests/test_dopamine.py`.

    python3.11 -m venv /tmp/vbjax
    /tmp/vbjax/bin/pip install vbjax==0.0.19
    /tmp/vbjax/bin/python tests/truths/vbjax_dopamine.py

vbjax is no dependency of brainmass. Its function is called on random states r, V, u, Sa, Sg, Dp, in ms and mV, with
c_inh, c_exc, c_dopa per ms. It has no receptors: excitation is modulated by Bd + Ad Dp, and only in the potential.
"""

import importlib.metadata
import json
from pathlib import Path

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)
import vbjax as vb  # noqa: E402

LOW = np.array([0.0, -80.0, 0.0, 0.0, 0.0, 0.0])
HIGH = np.array([0.3, 0.0, 200.0, 0.5, 0.3, 200.0])
KINDS = {"without_modulation": {"Bd": 1.0, "Ad": 0.0}, "modulated": {"Bd": 0.2, "Ad": 0.01}}


def main():
    rng = np.random.default_rng(0)
    cases = []
    for kind, given in KINDS.items():
        theta = vb.dopa_default_theta._replace(**given)
        for _ in range(4):
            y, c = rng.uniform(LOW, HIGH).round(4), rng.uniform(0, [0.1, 0.1, 0.01]).round(5)
            rates = [float(x) for x in vb.dopa_dfun(y, c, theta)]
            cases.append({"kind": kind, "state": y.tolist(), "inputs": c.tolist(), "rates": rates})
    parameters = {k: float(x) for k, x in vb.dopa_default_theta._asdict().items()}
    found = {"vbjax": importlib.metadata.version("vbjax"), "parameters": parameters, "cases": cases}
    Path(__file__).with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
