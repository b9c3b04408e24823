"""How much memory is free, what a compiled program needs, and how many runs go side by side."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

__all__ = ["bytes_needed", "free_memory", "host_memory", "runs_at_once"]

MOST = 256
_SHARE = 0.25  # of the memory: results are copied when parts are joined, and a run needs more than its results


def runs_at_once(n_runs: int, bytes_of_run: int, n_devices: int) -> int:
    """The size of chunks, all nearly full and a multiple of the number of devices."""
    fits = int(_SHARE * free_memory(jax.local_devices()) / max(1, bytes_of_run))
    most = max(1, min(n_runs, MOST * n_devices, fits))
    # Of 257 runs, at most 256 at once, 129 and 128: 256 and one would take as long as twice 256.
    chunks = -(-n_runs // most)
    each = -(-n_runs // chunks)
    return -(-each // n_devices) * n_devices


def free_memory(devices: Sequence[Any]) -> int:
    """Bytes that are free on these devices together."""
    if devices[0].platform == "cpu":
        return host_memory()
    known = [stats for device in devices if (stats := device.memory_stats())]
    free = [stats["bytes_limit"] - stats["bytes_in_use"] for stats in known if "bytes_limit" in stats]
    return sum(free) if free else host_memory()


def bytes_needed(compiled: Any) -> int:
    """Bytes that a compiled program takes on each of its devices: what goes in and comes out, and what is between."""
    # A backend that cannot tell gives None, and its programs are tried.
    sizes = compiled.memory_analysis()
    if sizes is None:
        return 0
    given, made = sizes.argument_size_in_bytes, sizes.output_size_in_bytes - sizes.alias_size_in_bytes
    return given + made + sizes.temp_size_in_bytes


def host_memory() -> int:
    """Bytes that are free in main memory, for this process: a batch system gives a job a part of the machine."""
    return max(0, min([_of_machine(), *_of_groups(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))]))


def _of_groups(own: Path, root: Path) -> list[int]:
    """Bytes that each control group that this process is in leaves it, of version 1 or 2."""
    try:
        rows = [row.split(":", 2) for row in own.read_text().splitlines()]
    except OSError:
        return []
    free = []
    for number, kinds, path in rows:
        # The line of version 2; version 1 has a line for each kind.
        if number == "0":
            top, limit, used = root, "memory.max", "memory.current"
        elif "memory" in kinds.split(","):
            top, limit, used = root / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        group = top / path.lstrip("/")
        # What is left is the least of its own limit and of those of the groups it is in.
        for folder in (group, *group.parents):
            try:
                used_up = int((folder / used).read_text()) - _given_back_on_demand(folder)
                free.append(int((folder / limit).read_text()) - used_up)
            except (OSError, ValueError):  # no such limit
                pass
    return free


def _given_back_on_demand(group: Path) -> int:
    """Bytes of files that were read or written and are kept for the next time."""
    kept = dict(row.split() for row in (group / "memory.stat").read_text().splitlines())
    return int(kept.get("total_inactive_file", kept.get("inactive_file", 0)))


def _of_machine() -> int:
    try:
        rows = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        return 1024 * int(rows["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):
        pass
    try:
        # Half of all there is, as how much of it is free is not told.
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, OSError, ValueError):
        return 4 << 30
