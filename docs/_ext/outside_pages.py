"""Pages of what stands outside the folder of the documentation: examples, what was measured, how to contribute."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from reference_pages import heading, write_if_changed


def setup(app: Any) -> dict[str, Any]:
    app.connect("builder-inited", write_pages)
    app.connect("source-read", relink)
    return {"parallel_read_safe": True}


def write_pages(app: Any) -> None:
    docs = Path(app.srcdir)
    for folder in "measured", "examples", "project":
        (docs / folder).mkdir(exist_ok=True)
    write_if_changed(docs / "project" / "CONTRIBUTING.md", (docs.parent / "CONTRIBUTING.md").read_text())
    for page in (docs.parent / "benchmarks").glob("*.md"):
        write_if_changed(docs / "measured" / page.name, page.read_text())
    scripts = sorted((docs.parent / "examples").glob("[0-9]*.py"))
    for script in scripts:
        write_if_changed(docs / "examples" / f"{script.stem}.rst", _example(script))
    write_if_changed(docs / "examples" / "index.rst", _index([script.stem for script in scripts]))


MOVED = {"](../benchmarks/": "](measured/", "](../CONTRIBUTING": "](project/CONTRIBUTING", "](docs/": "](../"}


def relink(app: Any, name: str, source: list[str]) -> None:
    for there, here in MOVED.items():
        source[0] = source[0].replace(there, here)


def _example(script: Path) -> str:
    title = (ast.get_docstring(ast.parse(script.read_text())) or "").split("\n")[0].rstrip(".")
    return f"{heading(title)}.. literalinclude:: /../examples/{script.name}\n   :caption: examples/{script.name}\n"


def _index(names: list[str]) -> str:
    entries = "".join(f"   {name}\n" for name in names)
    return f"{heading('Examples')}Whole studies, as scripts.\n\n.. toctree::\n   :maxdepth: 1\n\n{entries}"
