"""Progress bars, in a terminal and in a notebook."""

from __future__ import annotations

import warnings
from typing import Any

__all__ = ["progress_bar"]


def progress_bar(**options: Any) -> Any:
    """A bar of tqdm that goes away when it is closed: a widget in a notebook that has ipywidgets, else text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that ipywidgets are not there
        from tqdm.auto import tqdm
    return tqdm(leave=False, **options)
