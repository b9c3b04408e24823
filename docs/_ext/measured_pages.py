"""What was measured: the pages of `benchmarks/`, which stand outside the folder of the documentation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reference_pages import write_if_changed


def setup(app: Any) -> dict[str, Any]:
    app.connect("builder-inited", write_pages)
    app.connect("source-read", relink)
    return {"parallel_read_safe": True}


def write_pages(app: Any) -> None:
    folder = Path(app.srcdir) / "measured"
    folder.mkdir(exist_ok=True)
    for page in (Path(app.srcdir).parent / "benchmarks").glob("*.md"):
        write_if_changed(folder / page.name, page.read_text())


def relink(app: Any, name: str, source: list[str]) -> None:
    source[0] = source[0].replace("](../benchmarks/", "](measured/")
