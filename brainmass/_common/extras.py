"""Imports of what the optional extras of `pyproject.toml` bring."""

from __future__ import annotations

from functools import partial
from typing import Any

from brainmass._common.settings import import_with_settings_kept

__all__ = ["import_bayes", "import_extra", "import_fit", "import_io"]


def import_extra(extra: str, *names: str) -> Any:
    """Import these modules; the first is handed back. An error says what to install."""
    try:
        return import_with_settings_kept(*names)[0]
    except ImportError as error:
        needed = " and ".join(name.partition(".")[0] for name in names)
        raise ImportError(f'This needs {needed}: pip install "brainmass[{extra}]" ({error}).') from error


import_io, import_fit, import_bayes = (partial(import_extra, extra) for extra in ("io", "fit", "bayes"))
