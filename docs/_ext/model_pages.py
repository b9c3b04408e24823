"""The gallery: one page for each model, from its declaration, with a figure of a short run."""

from __future__ import annotations

import inspect
from functools import partial
from pathlib import Path
from typing import Any

import brainunit as u
import numpy as np
from reference_pages import heading, write_if_changed

import brainmass
from brainmass.dynamics.base import Declared, NeuralMassDynamics
from brainmass.dynamics.declaration import plain_text

# What makes a model move where its defaults let it rest, and the time that shows it: 0.1 ms and 500 ms unless said.
SCENES: dict[str, dict[str, Any]] = {
    "CoombesByrneStep": dict(duration=40 * u.ms),
    "EpileptorStep": dict(preset="epileptogenic", duration=4000 * u.ms, show="lfp"),
    "FitzHughNagumoStep": dict(preset="classic", inputs={"V_inp": 0.5}, duration=200 * u.ms),
    "HORNStep": dict(inputs={"inputs": 1.0}, dt=1 * u.ms),
    "HopfStep": dict(duration=200 * u.ms),
    "JansenRitStep": dict(inputs={"E_inp": 220 * u.Hz}, duration=1000 * u.ms, show="eeg"),
    "KuramotoNetwork": dict(in_size=5, omega=np.linspace(0.1, 0.14, 5), K=0.03, duration=200 * u.ms),
    "LinearStep": dict(noise_x=brainmass.WhiteNoise(1, sigma=0.1), duration=100 * u.ms),
    "LorenzStep": dict(duration=30 * u.ms, dt=0.005 * u.ms),
    "MontbrioPazoRoxinStep": dict(method="heun", inputs={"v_inp": 3.0}, duration=40 * u.ms, dt=0.02 * u.ms),
    "StuartLandauStep": dict(duration=200 * u.ms),
    "ThresholdLinearStep": dict(inputs={"E_inp": 10.0, "I_inp": 1.0}, duration=200 * u.ms),
    "VanDerPolStep": dict(duration=60 * u.ms),
    "WilsonCowanAdaptiveStep": dict(inputs={"rE_inp": 1.25}),
    "WongWangExcInhStep": dict(noise_e=brainmass.WhiteNoise(1, sigma=0.003), duration=2000 * u.ms),
    "WongWangStep": dict(inputs={"coherence": 0.2}, duration=1500 * u.ms),
} | {
    m.name: dict(inputs={"rE_inp": 1.25}, duration=150 * u.ms)
    for m in brainmass.list_models()
    if m.name.startswith("WilsonCowan") and m.name != "WilsonCowanAdaptiveStep"
}
OF_A_RUN = ("in_size", "preset", "inputs", "duration", "dt", "show")


def setup(app: Any) -> dict[str, Any]:
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-signature", shorten_signature)
    app.connect("autodoc-process-docstring", tabulate, priority=400)  # before napoleon
    return {"parallel_read_safe": True}


def write_pages(app: Any) -> None:
    folder = Path(app.srcdir) / "models"
    folder.mkdir(exist_ok=True)
    newest = max(path.stat().st_mtime for path in Path(brainmass.__file__).parent.rglob("*.py"))
    for info in brainmass.list_models():
        if not drawable(getattr(brainmass, info.name)):
            continue
        figure = Path(app.srcdir) / "_figures" / f"{info.name}.png"
        if not figure.exists() or figure.stat().st_mtime < max(newest, Path(__file__).stat().st_mtime):
            draw(getattr(brainmass, info.name), figure)
    for info in brainmass.list_models():
        write_if_changed(folder / f"{info.name}.rst", _page(info))
    write_if_changed(folder / "index.rst", _index())


# --- pages ----------------------------------------------------------------------------------------------------------
def _page(info: Any) -> str:
    model = getattr(brainmass, info.name)
    return (
        heading(info.name)
        + f"{info.category.capitalize()}; {info.use_case}.\n\n"
        + (f".. figure:: /_figures/{info.name}.png\n\n   {_caption(info.name)}\n\n" if drawable(model) else "")
        + f".. autoclass:: brainmass.{info.name}\n   :members:\n"
    )


def _caption(name: str) -> str:
    """What was run, as a user would write it."""
    scene = SCENES.get(name, {})
    start = f'{name}.preset("{scene["preset"]}", ' if "preset" in scene else f"{name}("
    rest = {key: value for key, value in scene.items() if key not in OF_A_RUN}
    made = f"{start}{', '.join([str(scene.get('in_size', 1)), *(f'{k}={_written(v)}' for k, v in rest.items())])})"
    inputs = "".join(f", {port} = {plain_text(value)}" for port, value in scene.get("inputs", {}).items())
    return f"``{made}``{inputs}, from its default initial values."


def _written(value: Any) -> str:
    return np.array2string(value, separator=", ") if isinstance(value, np.ndarray) else repr(value)


def _index() -> str:
    text = (
        heading("Models") + "What `brainmass models` lists in a terminal; each page is made from its declaration.\n\n"
    )
    for category in "phenomenological", "physiological":
        rows = [
            (f":doc:`{m.name} <{m.name}>`", ", ".join(m.states), m.use_case)
            for m in brainmass.list_models()
            if m.category == category
        ]
        text += heading(category.capitalize(), "-") + "\n".join(_table(("model", "states", "for"), rows)) + "\n"
    text += heading("At a glance", "-") + "".join(_thumbnail(m.name) for m in brainmass.list_models())
    entries = "\n".join(f"   {m.name}" for m in brainmass.list_models())
    return f"{text}\n.. toctree::\n   :hidden:\n\n{entries}\n"


def _thumbnail(name: str) -> str:
    if not drawable(getattr(brainmass, name)):
        return ""
    return f".. image:: /_figures/{name}.png\n   :width: 48%\n   :target: {name}.html\n   :alt: {name}\n\n"


def shorten_signature(app: Any, what: str, name: str, symbol: Any, options: Any, signature: Any, returns: Any) -> Any:
    """The names of a model's arguments: defaults stand in the table."""
    if not (inspect.isclass(symbol) and issubclass(symbol, Declared)):
        return None
    names = [str(p).partition("=")[0].partition(":")[0] for p in inspect.signature(symbol).parameters.values()]
    return f"({', '.join(names)})", ""


def tabulate(app: Any, what: str, name: str, symbol: Any, options: Any, lines: list[str]) -> None:
    """Parameters, states and presets of a model as tables, in the place of their sections in the docstring."""
    if not (inspect.isclass(symbol) and issubclass(symbol, Declared) and symbol._params):
        return
    prose, _, rest = "\n".join(lines).partition("\nParameters\n----------\n")
    prose, _, own = prose.partition("\nOther Parameters\n----------------\n")
    others = [*own.strip("\n").splitlines(), *rest.split("\n\n")[0].splitlines()]
    lines[:] = [
        *prose.splitlines(),
        "",
        *_titled("Parameters", ("parameter", "default", "unit", "range", "meaning"), _parameters(symbol)),
        *_titled("States", ("state", "unit", "input", "meaning"), _states(symbol)),
        *_titled("Presets", ("preset", "meaning", "source"), _presets(symbol)),
        "Other arguments",
        "---------------",
        *_without(others, {*symbol._params}),
        "",
    ]


def _without(rows: list[str], names: set[str]) -> list[str]:
    """The entries of a numpy-style section but those of some names."""
    kept: list[str] = []
    for row in rows:
        if not row.startswith(" "):
            keep = row.partition(" :")[0] not in names
        if keep:
            kept.append(row)
    return kept


def _parameters(model: Any) -> list[tuple[str, ...]]:
    return [
        (f"``{key}``", _default(spec.default), _units(spec.units), spec.domain.text, spec.doc)
        for key, spec in model._params.items()
    ]


def _states(model: Any) -> list[tuple[str, ...]]:
    return [(f"``{s.name}``", _units((s.unit,)), s.port or "", s.doc) for s in model._states.values()]


def _presets(model: Any) -> list[tuple[str, ...]]:
    return [(f"``{key}``", x.doc, x.reference) for key, x in getattr(model, "presets", {}).items()]


def _default(value: Any) -> str:
    return "" if value is None else plain_text(value)


def _units(units: tuple) -> str:
    plain = ["" if unit is None or str(unit) == "1" else str(unit) for unit in units]
    return " or ".join(x or "none" for x in plain) if any(plain) else "" if units else "any"


def _titled(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return [f"**{title}**", "", *_table(head, rows)] if rows else []


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (head, *rows):
        lines += [f"   {'* -' if i == 0 else '  -'} {cell}" for i, cell in enumerate(row)]
    return [*lines, ""]


# --- figures --------------------------------------------------------------------------------------------------------
def drawable(cls: Any) -> bool:
    """Whether it can be made from its size alone; a base class, or a layer that is given its weights, cannot."""
    return issubclass(cls, NeuralMassDynamics) and not inspect.isabstract(cls)


def draw(cls: Any, path: Path) -> None:
    import matplotlib.pyplot as plt

    from brainmass import viz

    scene = SCENES.get(cls.__name__, {})
    result = run(cls, scene)
    shown = [scene["show"]] if "show" in scene else list(cls._states)
    plane = len(cls._states) == 2
    figure, (left, *right) = _axes(plt, plane)
    for name in shown:
        viz.plot_timeseries(result[name], result.time, ax=left, label=name)
    for i, line in enumerate(left.lines):
        line.set_color(f"C{i}")
    left.set_ylabel(shown[0] if len(shown) == 1 else "")
    if len(shown) > 1:
        left.legend(loc="upper right")
    if plane:
        x, y = cls._states
        viz.plot_phase_portrait(result[x], result[y], ax=right[0], linewidth=0.8)
        right[0].set(xlabel=x, ylabel=y)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _axes(plt: Any, plane: bool) -> tuple[Any, Any]:
    columns = (2, 1) if plane else (1,)
    size = (9 if plane else 7, 3)
    figure, axes = plt.subplots(
        1, len(columns), figsize=size, width_ratios=columns, layout="constrained", squeeze=False
    )
    return figure, axes[0]


def run(cls: Any, scene: dict[str, Any]) -> Any:
    arguments = {key: value for key, value in scene.items() if key not in OF_A_RUN}
    make = partial(cls.preset, scene["preset"]) if "preset" in scene else cls
    monitors: dict[str, Any] = {state: state for state in cls._states}
    if "show" in scene:
        monitors[scene["show"]] = lambda model: getattr(model, scene["show"])()
    simulator = brainmass.Simulator(make(scene.get("in_size", 1), **arguments), dt=scene.get("dt", 0.1 * u.ms))
    return simulator.run(scene.get("duration", 500 * u.ms), inputs=scene.get("inputs"), monitors=monitors, seed=0)
