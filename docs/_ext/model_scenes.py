"""What the figures of the gallery show: a short run of each model, beside its phase plane or its response."""

from __future__ import annotations

from typing import Any, NamedTuple

import brainunit as u
import numpy as np

import brainmass

__all__ = ["Response", "Scene", "scene_of"]


class Response(NamedTuple):
    """Extrema of what is shown, for many values of one parameter or input, from `low` to `high`."""

    name: str
    low: float
    high: float
    unit: Any = u.UNITLESS
    n: int = 100
    transient: Any = 500 * u.ms
    duration: Any = 1000 * u.ms
    inputs: dict[str, Any] | None = None  # in place of those of the run

    @property
    def values(self) -> Any:
        values = np.linspace(self.low, self.high, self.n)
        return values if self.unit == u.UNITLESS else values * self.unit


class Scene(NamedTuple):
    """What makes a model move where its defaults let it rest, and what shows it."""

    model: Any
    arguments: dict[str, Any] = {}
    in_size: int = 1
    preset: str | None = None
    inputs: dict[str, Any] = {}
    duration: Any = 500 * u.ms
    dt: Any = 0.1 * u.ms
    show: str | None = None  # one signal in place of all states
    plane: dict[str, Any] = {}  # limits, where the trajectory says too little
    response: Response | None = None


class _Selkov(brainmass.XY_Oscillator):
    """Glycolysis as of Sel'kov, in the form of Strogatz 2015, section 7.3."""

    def dx(self, x, y, x_ext):
        return (-x + 0.08 * y + x**2 * y + x_ext) / u.ms

    def dy(self, y, x, y_ext):
        return (0.6 - 0.08 * y - x**2 * y + y_ext) / u.ms


_WHITE = brainmass.WhiteNoise

_SCENES: dict[str, dict[str, Any]] = {
    "CoombesByrneStep": dict(duration=40 * u.ms),
    "EpileptorStep": dict(
        preset="epileptogenic",
        duration=4000 * u.ms,
        show="lfp",
        response=Response("x0", -2.6, -1.4, n=61, transient=4000 * u.ms, duration=10000 * u.ms),
    ),
    "FitzHughNagumoStep": dict(
        preset="classic", inputs={"V_inp": 0.5}, duration=200 * u.ms, plane=dict(xlim=(-2.5, 2.5), ylim=(-1.0, 2.2))
    ),
    "Generic2dOscillatorStep": dict(plane=dict(xlim=(-2.0, 4.5), ylim=(-30.0, 30.0))),
    "HORNStep": dict(inputs={"inputs": 1.0}, dt=1 * u.ms),
    "HopfStep": dict(duration=200 * u.ms),
    "JansenRitStep": dict(
        arguments=dict(method="heun"),
        inputs={"E_inp": 220 * u.Hz},
        duration=1000 * u.ms,
        dt=0.5 * u.ms,
        show="eeg",
        response=Response("E_inp", 0.0, 400.0, u.Hz, n=101, transient=20000 * u.ms, duration=21000 * u.ms),
    ),
    "KuramotoNetwork": dict(in_size=5, arguments=dict(omega=np.linspace(0.1, 0.14, 5), K=0.03), duration=200 * u.ms),
    "LarterBreakspearStep": dict(
        arguments=dict(C=0.0),
        response=Response("d_V", 0.45, 0.7, n=161, transient=2000 * u.ms, duration=4000 * u.ms),
        show="V",
    ),
    "LinearStep": dict(
        arguments=dict(noise_x=_WHITE(1, sigma=0.1)),
        duration=100 * u.ms,
        response=Response("x_inp", -1.0, 1.0, n=21, transient=10 * u.ms, duration=12 * u.ms),
    ),
    "LorenzStep": dict(
        arguments=dict(method="rk4"),
        duration=30 * u.ms,
        dt=0.01 * u.ms,
        response=Response("rho", 0.0, 30.0, n=121, transient=300 * u.ms, duration=340 * u.ms),
    ),
    "MontbrioPazoRoxinStep": dict(
        preset="bistable",
        arguments=dict(method="heun"),
        duration=40 * u.ms,
        dt=0.02 * u.ms,
        plane=dict(xlim=(0.0 * u.kHz, 1.6 * u.kHz), ylim=(-3.0, 2.0)),
    ),
    "StuartLandauStep": dict(duration=200 * u.ms),
    "ThresholdLinearStep": dict(
        inputs={"E_inp": 10.0, "I_inp": 1.0}, duration=200 * u.ms, plane=dict(xlim=(0.0, 1.0), ylim=(0.0, 0.6))
    ),
    "VanDerPolStep": dict(duration=60 * u.ms),
    "WilsonCowanStep": dict(
        # the limit cycle of the paper, its figures 10 and 11
        arguments=dict(wEE=16.0, wIE=12.0, wEI=15.0, wII=3.0, a_E=1.3, theta_E=4.0, a_I=2.0, theta_I=3.7),
        inputs={"rE_inp": 1.25},
        duration=60 * u.ms,
        plane=dict(xlim=(0.0, 0.5), ylim=(0.0, 0.5)),
    ),
    "WilsonCowanAdaptiveStep": dict(inputs={"rE_inp": 1.25}, response=Response("rE_inp", 0.0, 3.0)),
    "WilsonCowanThreePopulationStep": dict(
        inputs={"rE_inp": 1.25},
        duration=150 * u.ms,
        response=Response("rE_inp", -2.0, 3.0, transient=300 * u.ms, duration=400 * u.ms),
    ),
    "WongWangExcInhStep": dict(
        arguments=dict(noise_e=_WHITE(1, sigma=0.003)),
        duration=2000 * u.ms,
        plane=dict(xlim=(0.0, 1.0), ylim=(0.0, 0.15)),
    ),
    "WongWangStep": dict(inputs={"coherence": 0.2}, duration=1500 * u.ms, plane=dict(xlim=(0.0, 0.8), ylim=(0.0, 0.8))),
    "XY_Oscillator": dict(duration=60 * u.ms, model=_Selkov, plane=dict(xlim=(0.0, 2.0), ylim=(0.0, 4.0))),
}

_WILSON_COWAN = dict(inputs={"rE_inp": 1.25}, duration=150 * u.ms, plane=dict(xlim=(-0.02, 0.62), ylim=(-0.02, 0.42)))
_SCENES["WilsonCowanNoSaturationStep"] = _WILSON_COWAN | dict(plane=dict(xlim=(-0.02, 1.1), ylim=(-0.02, 0.9)))
for _name in "WilsonCowanDivisiveStep", "WilsonCowanDivisiveInputStep", "WilsonCowanSimplifiedStep":
    _SCENES[_name] = _WILSON_COWAN | dict(plane=dict(xlim=(-0.02, 0.52), ylim=(-0.02, 0.22)))


def scene_of(name: str) -> Scene:
    """The scene of a model of the catalogue; a Wilson–Cowan model without one of its own gets that of the family."""
    family = _WILSON_COWAN if name.startswith("WilsonCowan") else {}
    return Scene(**{"model": getattr(brainmass, name), **_SCENES.get(name, family)})
