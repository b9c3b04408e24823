"""What the extra "fit" brings."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["import_fit"]


def import_fit(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f'This back end needs {name.partition(".")[0]}: pip install "brainmass[fit]" ({error}).'
        ) from error
