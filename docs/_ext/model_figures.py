"""Figures of the gallery: a run over time, and beside it the phase plane, or the response to one quantity."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import brainstate
import brainunit as u
import numpy as np
from model_scenes import Branches, Response, Scene, branches_of, scene_of

import brainmass
from brainmass import viz
from brainmass.dynamics.declaration import plain_text
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.stimuli.algebra import Drive
from brainmass.viz.drawing import COLORS

__all__ = ["caption", "draw", "drawable"]


def drawable(name: str) -> bool:
    """Whether it has a figure; a layer that is given its weights has none."""
    model = scene_of(name).model
    return name in _OWN or (issubclass(model, NeuralMassDynamics) and not inspect.isabstract(model))


def draw(name: str, path: Path) -> None:
    import matplotlib.pyplot as plt

    scene = scene_of(name)
    beside = _beside_course(name, scene) if name not in _OWN else []
    figure, (left, *right) = plt.subplots(
        1, 1 + (len(beside) or 1), figsize=(10, 3.4), width_ratios=(3, *[2] * (len(beside) or 1)), layout="constrained"
    )
    if name in _OWN:
        _OWN[name][0](scene, left, right[0])
    elif scene.undershoots:  # which the caption says
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"State `r\w` .* must be >= 0", UserWarning)
            _draw_scene(scene, left, beside, right)
    else:
        _draw_scene(scene, left, beside, right)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw_scene(scene: Scene, left: Any, beside: list[Callable[[Scene, Any, Any], None]], right: list[Any]) -> None:
    result = _run(scene)
    _draw_course(scene, result, left)
    for ax, draw_what in zip(right, beside, strict=True):
        draw_what(scene, result, ax)


def _beside_course(name: str, scene: Scene) -> list[Callable[[Scene, Any, Any], None]]:
    """What is drawn beside the run, from left to right."""
    branches = branches_of(name)
    plane = [_draw_plane] if len(scene.model._states) == 2 else []
    response = [_draw_response] if scene.response is not None else []
    return [*plane, *response, *([partial(_draw_branches, branches)] if branches is not None else [])]


# --- words ----------------------------------------------------------------------------------------------------------
def caption(name: str) -> str:
    """What was run, as a user would write it, and what stands beside it."""
    if name in _OWN:
        return _OWN[name][1]
    scene = scene_of(name)
    inputs = "".join(f", {port} = {plain_text(value)}" for port, value in scene.inputs.items())
    start = "" if any(x.startswith("init_") for x in scene.arguments) else ", from its default initial values"
    text = f"Left: {_written(name, scene)}{inputs}{start}. {_beside(name, scene)}"
    return f"{text} {_UNDERSHOOTS}" if scene.undershoots else text


_UNDERSHOOTS = (
    "Where inhibition outweighs excitation rates go a little below zero, as the sigmoid does, which is shifted to be "
    "zero at zero input: zero stands for the activity at rest (Wilson, Cowan 1972). ``clamp=True`` would cut them off."
)


def _written(name: str, scene: Scene) -> str:
    if scene.model.__name__ != name:
        return f"a subclass: {(scene.model.__doc__ or '').splitlines()[0].rstrip('.')}"
    start = f'{name}.preset("{scene.preset}", ' if scene.preset else f"{name}("
    rest = [f"{k}={np.array2string(v, separator=', ') if isinstance(v, np.ndarray) else repr(v)}" for k, v in
            scene.arguments.items()]  # fmt: skip
    return f"``{start}{', '.join([str(scene.in_size), *rest])})``"


def _beside(name: str, scene: Scene) -> str:
    words, pulsed = [], "" if _held(scene) == scene.inputs else " of the model without the pulse"
    if len(scene.model._states) == 2:
        words.append(
            f"its course in the plane of both states, with the nullclines and the directions of motion{pulsed}"
        )
    if (response := scene.response) is not None:
        words.append(
            f"extrema of ``{_signals(scene)[0]}`` for {response.n} values of ``{response.name}``, "
            f"from {response.transient} to {response.duration}; one dot where it rests"
        )
    if (branches := branches_of(name)) is not None:
        cycles = ", cycles by their extremes" * branches.cycles
        words.append(
            f"its :doc:`bifurcation diagram </bifurcations>` over ``{branches.name}``, what is unstable dashed{cycles}"
        )
    return " ".join(f"{where}: {text}." for where, text in zip(("Middle", "Right")[-len(words) :], words, strict=True))


def _held(scene: Scene) -> dict[str, Any]:
    """The inputs that do not change."""
    return {port: value for port, value in scene.inputs.items() if not isinstance(value, Drive)}


def _signals(scene: Scene) -> list[str]:
    return [scene.show] if scene.show else list(scene.model._states)


# --- runs -----------------------------------------------------------------------------------------------------------
def _run(scene: Scene) -> Any:
    make = partial(scene.model.preset, scene.preset) if scene.preset else scene.model
    simulator = brainmass.Simulator(make(scene.in_size, **scene.arguments), dt=scene.dt)
    return simulator.run(scene.duration, inputs=scene.inputs, monitors=_monitors(scene), seed=0)


def _monitors(scene: Scene) -> list[str]:
    return list(dict.fromkeys([*scene.model._states, *_signals(scene)]))


def _draw_course(scene: Scene, result: Any, ax: Any) -> None:
    signals = _signals(scene)
    for i, name in enumerate(signals):
        values = result[name]
        many = values.shape[1] > 1
        colors = {} if many else {"color": COLORS[i % len(COLORS)], "label": name}
        viz.plot_timeseries(values, result.time, ax=ax, **colors)
    if len(signals) > 1:
        ax.set_ylabel("")
        ax.legend(loc="upper right")
    else:
        ax.set_ylabel(ax.get_ylabel().replace("signal", signals[0]))


def _draw_plane(scene: Scene, result: Any, ax: Any) -> None:
    make = partial(scene.model.preset, scene.preset) if scene.preset else scene.model
    model = make(scene.in_size, **scene.arguments)
    viz.plot_phase_plane(model, inputs=_held(scene), trajectory=result, ax=ax, **scene.plane)
    trajectory = max(ax.lines, key=lambda line: len(line.get_xdata()))
    trajectory.set_linewidth(0.9)
    ax.legend(loc="upper right", fontsize=8)


def _draw_branches(branches: Branches, scene: Scene, result: Any, ax: Any) -> None:
    make = partial(scene.model.preset, scene.preset) if scene.preset else scene.model
    held = {port: value for port, value in _held(scene).items() if port != branches.name}
    diagram = brainmass.continue_equilibria(
        make(1, **scene.arguments), branches.name, (branches.low, branches.high), held or None
    )
    if branches.cycles and len(diagram.values("Hopf")):
        diagram = brainmass.continue_cycles(diagram)
    viz.plot_bifurcations(diagram, branches.of, ax=ax)
    ax.legend(fontsize=7, frameon=False)
    if branches.shown:
        ax.set_ylabel(f"{branches.shown} {ax.get_ylabel()}".strip())  # with the unit, where it has one


def _draw_response(scene: Scene, result: Any, ax: Any) -> None:
    """One run, in which every region has another value."""
    response = scene.response
    assert response is not None
    given = {key: value for key, value in scene.arguments.items() if not key.startswith("noise")}
    inputs = _held(scene)
    if response.name in scene.model._params:
        given[response.name] = response.values
    else:
        inputs[response.name] = lambda t: response.values
    make = partial(scene.model.preset, scene.preset) if scene.preset else scene.model
    simulator = brainmass.Simulator(make(response.n, **given), dt=scene.dt)
    signal = _signals(scene)[0]
    recorded = simulator.run(response.duration, inputs=inputs, monitors=[signal], transient=response.transient, seed=0)[
        signal
    ]
    _draw_extrema(response, recorded, ax)
    unit = u.get_unit(recorded)
    ax.set_ylabel(f"{signal} ({unit})" if unit != u.UNITLESS else signal)


def _draw_extrema(response: Response, recorded: Any, ax: Any) -> None:
    rows, values = np.asarray(u.get_mantissa(recorded)), np.asarray(u.get_mantissa(response.values))
    for x, row in zip(values, rows.T, strict=True):
        highs, lows = _extrema(row)
        ax.plot(np.full(len(highs), x), highs, ".", color=COLORS[1], markersize=2.5)
        ax.plot(np.full(len(lows), x), lows, ".", color=COLORS[0], markersize=2.5)
    ax.set_xlabel(f"{response.name} ({response.unit})" if response.unit != u.UNITLESS else response.name)


def _extrema(row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Local maxima and minima of a signal; the last value, as a minimum, where it rests."""
    if np.ptp(row) < 1e-3 * max(1.0, float(np.abs(row).max())):
        return row[:0], row[-1:]
    inner, before, after = row[1:-1], row[:-2], row[2:]
    return inner[(inner > before) & (inner >= after)], inner[(inner < before) & (inner <= after)]


# --- models with figures of their own -------------------------------------------------------------------------------
def _draw_kuramoto(scene: Scene, left: Any, right: Any) -> None:
    result = _run(scene)
    phases = np.asarray(result["theta"])
    viz.plot_timeseries(np.sin(phases), result.time, ax=left)
    left.set_ylabel("sin(theta)")
    n, width = 200, 0.01  # quantiles of a Lorentzian, whose order parameter is known
    omega = 0.12 + width * np.tan(np.pi * ((np.arange(n) + 0.5) / n - 0.5))
    simulator = brainmass.Simulator(brainmass.KuramotoNetwork(n, omega=omega), dt=0.5 * u.ms)
    K = np.linspace(0.0, 0.06, 17)
    found = brainmass.sweep(
        simulator, 3000 * u.ms, {"K": K}, transient=2500 * u.ms, sample_every=5 * u.ms,
        monitors={"R": lambda model: abs(model.order_parameter())}, measure=lambda result: result["R"].mean(),
    )["measure"]  # fmt: skip
    fine = np.linspace(2 * width, K[-1], 200)
    right.plot(fine, np.sqrt(1 - 2 * width / fine), color=COLORS[6], label="N → ∞, Kuramoto 1975")
    right.plot(K, found.mean("seed"), "o", color=COLORS[0], label=f"{n} oscillators")
    right.set(xlabel="K (per ms)", ylabel="order parameter", ylim=(0, 1))
    right.legend(loc="lower right")


def _columns(n: int, **others: Any) -> Any:
    ring = np.roll(np.eye(n), 1, axis=1)
    given = dict(delay=5.0 * u.ms, sc=ring, k=1.0, w_ll=0.0, w_ff=0.0, w_bb=0.0, g_l=0.0, g_f=0.0, g_b=0.0)
    return brainmass.JansenRitTR(n, **{**given, **others})


def _eeg(model: Any, stimulus: Any, n_rows: int) -> np.ndarray:
    with brainstate.environ.context(dt=0.1 * u.ms):
        brainstate.nn.init_all_states(model)
        return np.asarray(brainstate.transform.for_loop(lambda i: model.update(stimulus), np.arange(n_rows)))


def _draw_tr(scene: Scene, left: Any, right: Any) -> None:
    n = 3
    with brainstate.random.seed_context(0):
        eeg = _eeg(_columns(n, k=4.2, g_l=1.0, std_in=0.1), 1.0, 1500)[500:]
    viz.plot_timeseries(eeg * u.mV, np.arange(len(eeg)) * u.ms, labels=[f"region {i}" for i in range(n)], ax=left)
    left.set_ylabel("eeg (mV)")
    response = Response("k", 0.0, 6.0, n=61)
    _draw_extrema(response, _eeg(_columns(response.n, k=response.values), 1.0, 9000)[8000:], right)
    right.set_ylabel("eeg (mV)")


_OWN: dict[str, tuple[Callable[[Scene, Any, Any], None], str]] = {
    "KuramotoNetwork": (
        _draw_kuramoto,
        "Left: five oscillators, ``omega`` from 0.1 to 0.14 per ms, ``K=0.03``. Right: the order parameter of 200 with "
        "frequencies after a Lorentzian of half-width 0.01 per ms, beside that of infinitely many, "
        r":math:`\sqrt{1 - 2\gamma/K}`.",
    ),
    "JansenRitTR": (
        _draw_tr,
        "Left: three columns in a ring, one sample each repetition time of 1 ms, ``g_l=1``, with noise and an input of "
        "4.2 mV. Right: extrema of the ``eeg`` of columns without connections, for 61 gains ``k`` of an input of 1 mV.",
    ),
}
