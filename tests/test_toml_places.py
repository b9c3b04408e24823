"""Where the keys of a TOML document stand."""

import importlib.util
import tomllib
from pathlib import Path

import pytest

from brainmass.experiments.places import find_places, paths_of

# The documents by which Python tests its own parser, where it was installed with them, and ours.
_SPEC = importlib.util.find_spec("test.test_tomllib")
CORPUS = sorted(Path(_SPEC.origin).parent.glob("data/valid/**/*.toml")) if _SPEC and _SPEC.origin else []
OURS = [Path(__file__).parents[1] / "pyproject.toml", *(Path(__file__).parents[1] / "examples").glob("*.toml")]

TEXT = '''\
# a comment = with [brackets]
a = 1
[table]  # = [no.table]
b.c = "x # = y"
"quoted key" = {d = [1, 2,
  3], e = 'f'}
text = """
g = 2
[not.a.table]
"""

[[rows]]
h = 3
[[rows]]
h = 4
[rows.inner]
i = true
'''


@pytest.mark.parametrize("path", [*OURS, *CORPUS], ids=lambda path: path.stem)
def test_all_that_tomllib_finds_has_a_place(path):
    """`tomllib` is the judge: the same keys, at all depths, and none else."""
    text = path.read_text("utf-8").replace("\r\n", "\n")
    assert find_places(text).keys() == paths_of(tomllib.loads(text)).keys()


def test_corpus_is_large_where_it_is():
    assert not CORPUS or len(CORPUS) > 9


@pytest.mark.parametrize(
    ("path", "line", "shown"),
    [
        (("a",), 2, "a"),
        (("table",), 3, "[table]"),
        (("table", "b", "c"), 4, "b.c"),
        (("table", "quoted key"), 5, '"quoted key"'),
        (("table", "quoted key", "d"), 5, "d"),
        (("table", "quoted key", "d", 2), 6, "3"),
        (("table", "quoted key", "e"), 6, "e"),
        (("table", "text"), 7, "text"),
        (("rows", 0, "h"), 13, "h"),
        (("rows", 1), 14, "[[rows]]"),
        (("rows", 1, "h"), 15, "h"),
        (("rows", 1, "inner", "i"), 17, "i"),
    ],
)
def test_place(path, line, shown):
    place = find_places(TEXT)[path]
    assert place.line == line
    text = TEXT.splitlines()[line - 1]
    key = text[place.column - 1 : place.column - 1 + place.length]
    assert shown.endswith(key) if "." in shown else key == shown
