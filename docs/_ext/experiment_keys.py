"""The table of an experiment file's keys, from the schema that the command line reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reference_pages import write_if_changed

from brainmass.experiments.schema import TABLES, Table


def setup(app: Any) -> dict[str, Any]:
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}


def write(app: Any) -> None:
    folder = Path(app.srcdir) / "reference"
    folder.mkdir(exist_ok=True)
    write_if_changed(folder / "experiment_keys.inc", "\n".join(map(section, TABLES.values())))


def section(table: Table) -> str:
    """One table of the file: what it is about, and its keys."""
    needed = " It must be there." if table.required else ""
    lines = [
        f"### `[{table.name}]`",
        "",
        f"{table.says}{needed}",
        "",
        "| key | holds | meaning |",
        "| --- | --- | --- |",
    ]
    for key in table.keys:
        words = key.kind.words.replace("|", "or")
        lines.append(f"| `{key.name}` | {words} | {key.meaning}{' It must be there.' if key.required else ''} |")
    if table.others:
        lines.append(f"| any other | | {table.others} |")
    return "\n".join([*lines, ""])
