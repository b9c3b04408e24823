"""Makes `brainmass/models/aln/table.npz`, which `ALNStep` reads, in some ten minutes on one core.

python tests/truths/aln_table.py
"""

from pathlib import Path

import numpy as np

from brainmass import CascadeTable

table = CascadeTable.compute()
path = Path(__file__).parents[2] / "brainmass" / "models" / "aln" / "table.npz"
np.savez_compressed(path, mu=table.mu, sigma=table.sigma, values=table.values.astype(np.float32))
