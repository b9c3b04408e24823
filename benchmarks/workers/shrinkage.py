"""How much posteriors tell, and whether they hold the truth, of any subject: NumPy alone."""

import numpy as np


def measured(posterior, parts):
    """Of `truths` and of the notebook's truth, `there`: mean shrinkage, |z| below 2, root mean square of z.

    `posterior(rows, seed)` draws (row, draw, parameter).
    """
    variance = parts["theta"].var(axis=0)
    found = {}
    for name in "truths", "there":
        rows = parts[f"of_{name}"]
        good = np.isfinite(rows).all(axis=1)
        draws = np.asarray(posterior(rows[good], 3))
        z = (draws.mean(1) - parts[name][good]) / draws.std(1)
        found |= {f"shrinkage_{name}": float((1 - draws.var(1) / variance).mean()), f"n_{name}": int(good.sum())}
        found |= {f"within_{name}": float((abs(z) < 2).mean()), f"z_{name}": float(np.sqrt((z**2).mean()))}
    return found
