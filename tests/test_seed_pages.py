"""The examples of the pages that the package was asked for by, as they are written there.

The pages are not part of the repository: `BRAINMASS_SEEDS` names their folder (default: `../shared/seeds` beside it).
"""

import os
import re
import textwrap
from pathlib import Path

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import brainmass

FOLDER = Path(os.environ.get("BRAINMASS_SEEDS", Path(__file__).parents[2] / "shared" / "seeds"))


def page(number):
    return next(FOLDER.glob(f"{number}_*.txt")).read_text() if FOLDER.is_dir() else ""


def blocks(text):
    """The code blocks of a page in reStructuredText."""
    found = re.findall(r"^\.\. code-block:: python\n\n((?:(?: {3}.*)?\n)+)", text, flags=re.MULTILINE)
    return [textwrap.dedent(block).strip() + "\n" for block in found]


def title(block):
    return re.search(r"brainmass\.(\w+)", block).group(1)


EXAMPLES = blocks(page("004"))
needs_pages = pytest.mark.skipif(not EXAMPLES, reason=f"the pages are not in {FOLDER}")


@needs_pages
def test_both_pages_have_the_same_examples():
    """The second page is the first as a browser shows it: the same words, with the white space lost."""
    assert len(EXAMPLES) == 15
    shown = " ".join(page("002").split())
    for block in EXAMPLES:
        assert " ".join(block.split()) in shown, block


@needs_pages
@pytest.mark.parametrize("block", EXAMPLES, ids=title)
def test_example_runs_as_written(block):
    brainstate.environ.set(dt=0.1 * u.ms)
    weights = np.random.default_rng(0).uniform(0, 0.05, (90, 90))
    names = {"brainmass": brainmass, "brainstate": brainstate, "u": u, "jnp": jnp, "connectivity_matrix": weights}
    exec(compile(block, title(block), "exec"), names)
    results = {name: names[name] for name in ("outputs", "ts", "output", "eeg_signals", "out") if name in names}
    assert results or title(block) in ("HopfStep",), block
    for name, value in results.items():
        arrays = jax.tree.leaves(dict(value) if isinstance(value, brainmass.Result) else value)
        assert arrays and all(np.isfinite(x).all() for x in arrays), name
        assert any(np.ptp(np.asarray(x)) > 0 for x in arrays if x.size > 1) or name == "output", f"{name} is constant"
