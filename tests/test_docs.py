"""The code of the documentation runs as it stands there."""

import re
import sys
from pathlib import Path

import brainstate
import brainunit as u
import pytest

import brainmass

DOCS = Path(__file__).parents[1] / "docs"
PAGES = [p for p in sorted(DOCS.glob("*.md")) if "```python" in p.read_text()]
LONG = {"cluster", "feedback_inhibition", "training"}


def cases():
    return [pytest.param(p, id=p.stem, marks=pytest.mark.slow if p.stem in LONG else ()) for p in PAGES]


@pytest.mark.pages
@pytest.mark.parametrize("page", cases())
def test_page(page, capsys):
    brainstate.environ.set(dt=0.1 * u.ms)
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL))
    exec(compile(code, str(page), "exec"), {"__name__": page.stem})
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


def test_every_public_name_is_documented(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    import public_api

    assert public_api.undocumented() == []
    found = {name for names in public_api.groups().values() for name in names}
    assert {"brainmass.Network", "brainmass.list_models", "brainmass.objectives.fc_corr"} <= found


def test_the_page_of_objectives_has_a_row_for_each_feature(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    import public_api
    import reference_pages

    page = reference_pages._page("brainmass.objectives", public_api.groups()["brainmass.objectives"])
    rows = dict(re.findall(r"^   \* - ``(\w+)``\n     - (.*)\n     - \(?\w.*\n     - ?\S*$", page, flags=re.MULTILINE))
    assert rows == brainmass.inference.list_features()


@pytest.mark.slow
def test_an_undocumented_method_is_found(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    import public_api

    monkeypatch.setattr(public_api.brainmass.Result.save, "__doc__", None)
    monkeypatch.setattr(public_api.brainmass.sweep, "__doc__", "")
    assert sorted(public_api.undocumented()) == ["brainmass.Result.save", "brainmass.sweep"]


# --- what a page needs, it says -------------------------------------------------------------------------------------
NEEDS = {
    "io": r"brainmass\.sweep\(",
    "fit": r'backend="(nevergrad|scipy|optimistix)"|"nevergrad"',
    "bayes": r"numpyro|arviz|inference\.(sample|npe|calibrate)\(",
}
WRITTEN = [*PAGES, *sorted(DOCS.glob("tutorials/[0-9]*.py")), *sorted(DOCS.glob("case_studies/[0-9]*.py"))]


def code_of(path):
    text = path.read_text()
    if path.suffix == ".md":
        return "\n".join(re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL))
    return re.sub(r"^#.*$", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize("extra", NEEDS)
def test_a_page_says_which_extra_it_needs(extra):
    using = [path for path in WRITTEN if re.search(NEEDS[extra], code_of(path))]
    assert using
    told = rf'"\.\[[\w,]*\b{extra}\b[\w,]*\]"'
    assert [path.name for path in using if not re.search(told, path.read_text())] == []


# --- the pages about the code --------------------------------------------------------------------------------------
PACKAGE = Path(brainmass.__file__).parent
PLACES = re.findall(r"^\| [^|]+ \| (`[^|]+) \| ([^|]*) \|$", (DOCS / "engine.md").read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize(("files", "names"), PLACES)
def test_what_a_newcomer_looks_for_is_where_the_table_says(files, names):
    paths = [PACKAGE / file for file in re.findall(r"`([^` ]+)`", files)]
    if paths == [PACKAGE / "__init__.py"]:
        paths = list(PACKAGE.rglob("__init__.py"))
    assert all(path.exists() for path in paths)
    text = "\n".join(path.read_text() for path in paths if path.is_file())
    for name in re.findall(r"`(\w+)`", names):
        assert re.search(rf"^ *((def|class) {name}\b|{name} = )", text, flags=re.MULTILINE), name


@pytest.mark.parametrize("page", ["engine.md", "why.md", "speed.md"])
def test_files_that_a_page_names_are_there(page):
    named = re.findall(r"`((?:\w+/)+\w+\.\w+)`", (DOCS / page).read_text())
    assert named
    assert [path for path in named if not ((PACKAGE / path).exists() or (DOCS.parent / path).exists())] == []


@pytest.mark.slow
def test_the_picture_of_the_rooms_shows_who_reaches_whom(monkeypatch):
    """Its arrows, followed to their ends, against all imports as the test of the order of rooms finds them."""
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    import rooms
    import test_architecture as order

    drawn = rooms.nearest(rooms.knows())
    found = {room: set() for room in order.LEVEL}
    for module, others in order.known().items():
        if (room := order.room_of(module)) in found:
            found[room] |= {order.room_of(other) for other in others} & found.keys() - {room}
    assert {room: rooms.reached(drawn, room) for room in drawn} == {room: rooms.reached(found, room) for room in found}
    text = rooms.svg(rooms.rows(), drawn)
    assert all(f">{room}</text>" in text for room in found)
    assert text.count("<path") == sum(map(len, drawn.values()))


@pytest.mark.slow
def test_an_import_upwards_is_not_drawn(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    import rooms

    with pytest.raises(ValueError, match="Room signals imports cli, which does not stand below it"):
        rooms.svg(rooms.rows(), rooms.knows() | {"signals": {"cli"}})
