"""The figure of the front page: what the example of the README gives. Delete it to have it drawn again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any


def setup(app: Any) -> dict[str, Any]:
    app.connect("builder-inited", draw)
    return {"parallel_read_safe": True}


def draw(app: Any) -> None:
    path = Path(app.srcdir) / "front.png"
    if path.exists():
        return
    readme = Path(app.srcdir).parent / "README.md"
    import matplotlib.pyplot as plt

    from brainmass import viz

    found: dict[str, Any] = {}
    exec(re.findall(r"^```python\n(.*?)^```", readme.read_text(), flags=re.MULTILINE | re.DOTALL)[0], found)
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), width_ratios=(1, 2), layout="constrained")
    viz.plot_connectivity(found["data"].connectome.normalize("max"), labels=[""] * 100, ax=left, norm="log")
    left.set_title("structural connectivity, HCP")
    result = found["result"]
    viz.plot_timeseries(result["r"][-200:, ::10], result.time[-200:], ax=right, linewidth=0.8)
    right.set(title="firing rates of ten of its regions")
    figure.savefig(path, dpi=120)
    plt.close(figure)
