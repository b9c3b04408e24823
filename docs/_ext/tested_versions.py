"""The packages with which the tests pass: the oldest that `pyproject.toml` allows, and those that build this site.

`.ci/run` tests the package with both, and builds the site with those that it has tested.
"""

from __future__ import annotations

import platform
from typing import Any

from brainmass.experiments.machine import declared, installed

PAGE, MARK = "install", "<!-- the table of versions -->\n"
_WITHOUT_TESTS = {"cuda12", "cuda13", "tpu", "dev", "docs"}


def setup(app: Any) -> dict[str, Any]:
    app.connect("source-read", put_table)
    return {"parallel_read_safe": True}


def put_table(app: Any, name: str, source: list[str]) -> None:
    if name == PAGE:
        if MARK not in source[0]:
            raise ValueError(f"docs/{PAGE}.md must have a line {MARK.strip()!r}, where the table goes.")
        source[0] = source[0].replace(MARK, table())


def table() -> str:
    rows = [("Python", "3.11", platform.python_version(), "")]
    by_package: dict[str, list[Any]] = {}
    for needed in declared():
        if needed.extra not in _WITHOUT_TESTS:
            by_package.setdefault(needed.package, []).append(needed)
    for package, needs in by_package.items():
        oldest = max((needed.least for needed in needs), key=lambda least: [int(n) for n in least.split(".")])
        extras = ", ".join(f"`[{needed.extra}]`" for needed in needs if needed.extra)
        rows.append((package, oldest, installed(package) or "not installed", extras))
    head = "| package | oldest | newest | for the extra |\n| --- | --- | --- | --- |\n"
    return head + "".join(f"| {' | '.join(row)} |\n" for row in rows)
