"""What JAX was told, by its environment or by `jax.config.update`, holds after other packages are imported.

brainstate has a precision of its own, 32 bits, and sets JAX to it when it is imported.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import jax

__all__ = ["asked_of_jax", "import_brainstate", "import_with_settings_kept"]

_X64 = "jax_enable_x64"


def import_with_settings_kept(*names: str) -> list[Any]:
    """Import modules, and undo what that changes of JAX's settings."""
    if all(name in sys.modules for name in names):
        return [importlib.import_module(name) for name in names]
    before = _of_process()
    try:
        return [importlib.import_module(name) for name in names]
    finally:
        after = _of_process()
        for name, value in before.items():
            if after[name] != value:
                jax.config.update(name, value)


def _of_process() -> dict[str, object]:
    """All settings as they hold for the process, and not for a block of this thread alone.

    `jax.config.values` has what a block says, which must not be mistaken for a setting that is to be kept:

        with jax.enable_x64(True):      here `jax.config.values` has True
            import brainmass            which is to leave the process as it was: False

    JAX has no public way to ask for the other, but a block is for its own thread: a new one is in none, and is asked.
    """
    with ThreadPoolExecutor(1) as in_no_block:
        return in_no_block.submit(lambda: dict(jax.config.values)).result()


def import_brainstate() -> None:
    """Import it and what rests on it; where JAX computes in 64 bits, so does brainstate from then on.

    Where it was imported before us, JAX's setting is lost, but what the environment asks for is known.
    """
    was_there = "brainstate" in sys.modules
    with _imported_when_used("nevergrad"), _imported_when_used("scipy.stats"):
        environ = import_with_settings_kept("brainstate", "braintools")[0].environ
    double = asked_of_jax().get(_X64) if was_there else _of_process()[_X64]
    if double and environ.get_precision() == 32:
        environ.set(precision=64)


class _Later(ModuleType):
    """Stands for a module, which is imported when something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:  # else its own import would find this
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


@contextlib.contextmanager
def _imported_when_used(name: str) -> Iterator[None]:
    """Within, what imports this module gets one that waits.

    braintools imports nevergrad for one of its optimisers, and that brings scikit-learn and pandas, and scipy.stats for
    one of its figures: 2 of the 5.5 s that `import brainmass` took, for most runs in vain.
    """
    if name in sys.modules or importlib.util.find_spec(name) is None:
        yield
        return
    sys.modules[name] = later = _Later(name)
    try:
        yield
    finally:
        if sys.modules.get(name) is later:
            del sys.modules[name]


def asked_of_jax() -> dict[str, object]:
    """What the environment asks of JAX, by setting: `JAX_ENABLE_X64=1` is `jax_enable_x64`, True."""
    present = jax.config.values
    return {name: _like(present[name], os.environ[name.upper()]) for name in present if name.upper() in os.environ}


def _like(present: object, text: str) -> object:
    """The text of a variable as a value of the same kind as another, as JAX reads it."""
    if isinstance(present, bool):
        return text.lower() in ("y", "yes", "t", "true", "on", "1")
    return type(present)(text) if isinstance(present, int | float) else text
