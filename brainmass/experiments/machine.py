"""What a run is made with: versions, devices, and what the package declares that it needs."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import tomllib
from pathlib import Path
from typing import NamedTuple

import jax

import brainmass

__all__ = ["PACKAGES", "Requirement", "declared", "devices", "installed", "versions"]

PACKAGES = ("jax", "jaxlib", "brainunit", "brainstate", "braintools", "optax", "numpy")


def installed(package: str) -> str | None:
    """The version of a package that is installed; None: it is not."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions() -> dict[str, str]:
    """Versions of brainmass, of Python and of what computes."""
    found = {"brainmass": brainmass.__version__, "python": platform.python_version()}
    return found | {name: installed(name) or "not installed" for name in PACKAGES}


def devices() -> str:
    """The devices that JAX computes on, in words: "2 × NVIDIA H200 (gpu)"."""
    kinds = [f"{device.device_kind} ({device.platform})" for device in jax.devices()]
    return ", ".join(f"{kinds.count(kind)} × {kind}" for kind in dict.fromkeys(kinds))


class Requirement(NamedTuple):
    """A package that is needed, in its least version, by one of the extras or ('') by all."""

    package: str
    least: str
    extra: str

    @property
    def is_met(self) -> bool:
        """Whether it is there, and new enough."""
        version = installed(self.package)
        return version is not None and _numbers(version) >= _numbers(self.least)


def declared() -> list[Requirement]:
    """What `pyproject.toml` says that the package and its extras need."""
    source = Path(brainmass.__file__).parents[1] / "pyproject.toml"
    if source.exists():  # a clone, installed or not
        project = tomllib.loads(source.read_text())["project"]
        lists = {"": project["dependencies"], **project["optional-dependencies"]}
        found = [_requirement(text, extra) for extra, texts in lists.items() for text in texts]
    else:
        texts = importlib.metadata.requires("brainmass") or []
        found = [_requirement(text, (re.findall(r"extra == ['\"](\w+)", text) or [""])[0]) for text in texts]
    return [needed for needed in found if needed.package != "brainmass"]  # extras that are made of others


def _requirement(text: str, extra: str) -> Requirement:
    # A requirement as in PEP 508: name, [extras], bounds; markers.
    package = re.split(r"[\s<>=!~;\[]", text, maxsplit=1)[0]
    least = re.search(r">=\s*([\w.]+)", text)
    return Requirement(package, least[1] if least else "0", extra)


def _numbers(version: str) -> tuple[int, ...]:
    # Without what follows a plus, the build of one machine, as in 2.1.0+cu121.
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3])
