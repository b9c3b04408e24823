"""GPUs that are described: for XLA, which compiles for them, and for an estimate of what they allow."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.gpu.programs import Launch

# From the end of one kernel to that of the next, however little it does: 2 to 4 µs are usual. An assumption.
LAUNCH = 2.5e-6


class Estimate(NamedTuple):
    """The least time that a program takes, in s, and what most of it goes to."""

    seconds: float
    limited_by: str


@dataclass(frozen=True)
class Card:
    """A GPU; fields as in `cards.toml`."""

    name: str
    device: str
    compute_capability: tuple[int, int]
    multiprocessors: int
    cores: int
    clock: float
    bandwidth: float
    memory: float
    cache: float
    shared: tuple[int, int]
    threads: int

    @property
    def operations(self) -> float:
        """Operations with 32-bit numbers per s, of which a product that is added counts as one."""
        return self.multiprocessors * self.cores * self.clock * 1e9

    def estimate(self, launches: Iterable[Launch]) -> Estimate:
        """Each kernel takes what its launch, its memory traffic or its arithmetic takes, whichever is most."""
        seconds = {"launches": 0.0, "bandwidth": 0.0, "arithmetic": 0.0}
        for launch in launches:
            each = {
                "launches": LAUNCH,
                "bandwidth": launch.bytes / (self.bandwidth * 1e9),
                "arithmetic": launch.operations / (self.operations * self._busy(launch.tiles)),
            }
            most = max(each, key=lambda name: each[name])
            seconds[most] += launch.times * each[most]
        return Estimate(sum(seconds.values()), max(seconds, key=lambda name: seconds[name]))

    def _busy(self, tiles: int) -> float:
        """The part of its multiprocessors that work, on the average of the rounds that it takes for all tiles."""
        return tiles / (self.multiprocessors * -(-tiles // self.multiprocessors)) if tiles else 1.0

    def description(self) -> str:
        """The card as XLA's target configuration, in the text form of protocol buffers."""
        major, minor = self.compute_capability
        of_core, of_block = self.shared
        return f"""
gpu_device_info {{
  threads_per_block_limit: 1024
  threads_per_warp: 32
  shared_memory_per_block: 49152
  shared_memory_per_core: {of_core}
  shared_memory_per_block_optin: {of_block}
  threads_per_core_limit: {self.threads}
  core_count: {self.multiprocessors}
  fpus_per_core: {self.cores}
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
  memory_bandwidth: {self.bandwidth * 10**9:.0f}
  l2_cache_size: {self.cache * 2**20:.0f}
  clock_rate_ghz: {self.clock}
  device_memory_size: {self.memory * 10**9:.0f}
  registers_per_core_limit: 65536
  registers_per_block_limit: 65536
  cuda_compute_capability {{ major: {major} minor: {minor} }}
}}
platform_name: "CUDA"
dnn_version_info {{ major: 9 minor: 10 patch: 0 }}
device_description_str: "{self.device}"
"""


def cards() -> dict[str, Card]:
    with (Path(__file__).parent / "cards.toml").open("rb") as file:
        tables = tomllib.load(file)
    return {
        name: Card(name, **{k: tuple(v) if isinstance(v, list) else v for k, v in table.items()})
        for name, table in tables.items()
    }
