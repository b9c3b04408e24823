"""The documentation site: `python -m sphinx -W --keep-going docs docs/_build`."""

import os
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent / "_ext"), str(Path(__file__).parents[1])]

os.environ.setdefault("MPLBACKEND", "Agg")

import brainmass  # noqa: E402

project = "brainmass"
author = "The brainmass developers"
release = brainmass.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "reference_pages",
    "model_pages",
    "experiment_keys",
    "outside_pages",
    "front_figure",
]
exclude_patterns = ["_build", "_ext"]
nb_execution_mode = "off"  # tests/test_docs.py runs the pages
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

default_role = "code"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_custom_sections = [("Other arguments", "params_style")]
napoleon_use_ivar = True
suppress_warnings = ["ref.python"]  # a type in words, such as "unit", is also the name of several attributes

html_theme = "pydata_sphinx_theme"
html_title = f"brainmass {release}"
html_theme_options = {"show_toc_level": 2, "secondary_sidebar_items": ["page-toc"], "show_prev_next": True}
