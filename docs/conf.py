"""The documentation site: `python -m sphinx -W --keep-going docs docs/_build`."""

import os
import sys
import warnings
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent / "_ext"), str(Path(__file__).parents[1])]

import matplotlib  # noqa: E402

import brainmass  # noqa: E402

matplotlib.use("Agg")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import arviz  # noqa: F401  # once a day it says that it changes: here, and not in a page
# the kernel of the tutorials puts figures into the page
os.environ.pop("MPLBACKEND", None)

project = "brainmass"
author = "The brainmass developers"
release = brainmass.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # formulas without the net
    "reference_pages",
    "model_pages",
    "experiment_keys",
    "outside_pages",
    "front_figure",
    "page_figures",
    "rooms",
    "tested_versions",
    "tutorials",
]
exclude_patterns = [
    "_build",
    "_ext",
    "_templates",
    "_figures",
    "conf.py",
    "*/_notebooks",
    "jupyter_execute",
]
# The tutorials are scripts, executed as notebooks and again when their code changes; tests/test_docs.py runs the pages.
nb_custom_formats = {".py": ["tutorials.read", {}]}
nb_execution_mode = "cache"
nb_execution_cache_path = str(Path(__file__).parent / "_build" / ".jupyter_cache")
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_merge_streams = True  # one box for what a cell prints
nb_output_stderr = "warn"  # a warning of the code is one of the build
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

default_role = "code"
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_custom_sections = [("Other arguments", "params_style")]
napoleon_use_ivar = True
# a type in words, such as "unit", is also the name of several attributes
suppress_warnings = ["ref.python"]

html_theme = "pydata_sphinx_theme"
html_title = f"brainmass {release}"
templates_path = ["_templates"]
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "navbar_center": [],
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
}
html_sidebars = {"**": ["all-sections"]}
