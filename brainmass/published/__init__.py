"""What only scripts written for the published package, version 0.1.1, need: its module paths, old names and data.

Nothing else in brainmass knows this room: `install` hangs it onto the package, and without it all else works.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from brainmass._common.deprecation import warn_of_old_name
from brainmass.published import attributes, data, modules, typing, wired

__all__ = ["find", "install"]

_TYPES = ("Array", "Initializer", "Parameter")


def install(package: ModuleType) -> None:
    """Make the names of the published package known beside those of `package`."""
    modules.install(package)
    attributes.install(package)
    data.install(package)
    wired.install(package)


def find(package: ModuleType, name: str) -> Any:
    """What the package itself does not have under this name, or an AttributeError."""
    if name == "__version_info__":
        return tuple(int(part) for part in package.__version__.split(".")[:3])
    if name in _TYPES:
        return getattr(typing, name)
    if name in modules.PATHS:
        return modules.imported(package, name)
    step = name.removesuffix("Model") + "Step"
    if name.endswith("Model") and step in package.__all__:
        warn_of_old_name(f"brainmass.{name}", f"brainmass.{step}", stacklevel=3)
        return getattr(package, step)
    raise AttributeError(f"module {package.__name__!r} has no attribute {name!r}.{_instead(package, name)}")


def _instead(package: ModuleType, name: str) -> str:
    from brainmass._common.messages import suggestion

    return "" if name.startswith("_") else suggestion(name, package.__all__)
