"""Below each block of code of a page, the figures that it draws; kept while the code of the page is the same."""

from __future__ import annotations

import contextlib
import hashlib
import re
import sys
import types
from pathlib import Path
from typing import Any

PAGES = {"bifurcations", "pictures", "plasticity"}
_BLOCK = re.compile(r"^```python\n(.*?)^```\n", flags=re.MULTILINE | re.DOTALL)


def setup(app: Any) -> dict[str, Any]:
    app.connect("source-read", show_figures)
    return {"parallel_read_safe": True}


def show_figures(app: Any, name: str, source: list[str]) -> None:
    if name not in PAGES:
        return
    blocks = _BLOCK.findall(source[0])
    kept = f"{name}-{hashlib.sha256(''.join(blocks).encode()).hexdigest()[:12]}"
    folder = Path(app.srcdir) / "_figures"
    folder.mkdir(exist_ok=True)
    if not (folder / f"{kept}.drawn").exists():
        _draw(blocks, folder, kept)
    i = iter(range(len(blocks)))

    def with_figures(block: re.Match) -> str:
        found = sorted(folder.glob(f"{kept}-{next(i)}-*.png"))
        return block.group() + "".join(f"\n![What these lines draw](_figures/{path.name})\n" for path in found)

    source[0] = _BLOCK.sub(with_figures, source[0])


def _draw(blocks: list[str], folder: Path, kept: str) -> None:
    import brainstate
    import matplotlib.pyplot as plt

    plt.close("all")
    # A module that can be found by its name, as classes that the page declares look for theirs.
    sys.modules[kept] = types.ModuleType(kept)
    names = vars(sys.modules[kept])
    with brainstate.environ.context(), contextlib.redirect_stdout(None):  # what it prints is for a terminal
        for i, block in enumerate(blocks):
            exec(block, names)
            for k in plt.get_fignums():
                plt.figure(k).savefig(folder / f"{kept}-{i}-{k:02d}.png", dpi=110)
            plt.close("all")
    del sys.modules[kept]
    (folder / f"{kept}.drawn").touch()
