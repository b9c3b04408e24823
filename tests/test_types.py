"""What an editor tells of a call before it is run: by pyright, on a script."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

RIGHT = """
import brainunit as u
import braintools
import jax.numpy as jnp
import numpy as np
import optax

import brainmass

node: brainmass.HopfStep = brainmass.HopfStep(2, a=0.1, w=np.full(2, 0.3))
W = np.ones((2, 2))
network = brainmass.Network(
    node, conn=W, coupled_var="x", coupling="diffusive", k=0.5, distance=W * u.mm, speed=5 * u.mm / u.ms
)
brainmass.Network(node, conn=brainmass.Connectome(W), coupled_var="x", coupling=brainmass.DiffusiveCoupling)
brainmass.Network({"a": node}, projections=[brainmass.Projection(W, coupled_var="x")])
simulator = brainmass.Simulator(network, dt=0.1 * u.ms)
result = simulator.run(5 * u.ms, monitors=["x"], sample_every=1 * u.ms, seed=3)
simulator.run(5.0, monitors={"x": "x", "y": lambda model: model.node.y.value}, inputs=lambda t: 1.0, transient=3)
simulator.run(5 * u.ms, monitors="x", inputs={"x_inp": brainmass.Pulse(2)}, state=result.final)
simulator.pure(5 * u.ms, monitors=None, free=["k"])
brainmass.Fitter(simulator, optax.adam(0.1), duration=5 * u.ms, monitors=["x"])
brainmass.Fitter(simulator, "CMA", backend="nevergrad", duration=5 * u.ms)
brainmass.Fitter(simulator, braintools.optim.Adam(0.1), duration=5 * u.ms)
brainmass.Fitter(simulator, {"method": "CMA"}, backend="nevergrad", duration=5 * u.ms)
data = brainmass.sweep(simulator, 5 * u.ms, {"k": [0.1, 0.2]}, seeds=2, store="sweep.zarr")
data["x"].mean("seed")
"""
WRONG = {  # a line, and what is said of it
    "simulator.run(5, monitors=3)": "monitors",
    'simulator.run("5 ms")': "duration",
    "simulator.run(5 * u.ms, seed=[3])": "seed",
    'simulator.run(5 * u.ms, sample_every="1 ms")': "sample_every",
    "simulator.pure(5 * u.ms, inputs=object())": "inputs",
    "brainmass.Simulator(3)": "model",
    'brainmass.Simulator(network, dt="0.1 ms")': "dt",
    "brainmass.Fitter(simulator, optimizer=3)": "optimizer",
    "brainmass.Fitter(3)": "model",
    "brainmass.Network(node=3)": "node",
    'brainmass.Network(node, conn=W, coupled_var="x", coupling=3)': "coupling",
    'brainmass.Network(node, conn=W, coupled_var="x", speed=[3])': "speed",
    'brainmass.Projection(object(), coupled_var="x")': "conn",
    "brainmass.sweep(simulator, 5 * u.ms, values=3)": "values",
    "brainmass.sweep(simulator, 5 * u.ms, {}, store=3)": "store",
    "brainmass.HopfStep(2, omega=0.3)": "omega",
}


@pytest.mark.slow
def test_an_editor_refuses_what_a_call_would_and_nothing_else(tmp_path):
    pyright = shutil.which("pyright") or str(Path(sys.executable).with_name("pyright"))
    if not Path(pyright).exists():
        pytest.skip("pyright is not installed")
    script = tmp_path / "script.py"
    script.write_text("\n".join([RIGHT, *WRONG]))
    told = subprocess.run([pyright, "--pythonpath", sys.executable, str(script)], capture_output=True, text=True).stdout
    first = RIGHT.count("\n") + 2
    lines = script.read_text().splitlines()
    errors = {int(n): text for n, text in re.findall(r"script\.py:(\d+):\d+ - error: (.*(?:\n    .*)*)", told)}
    assert [lines[n - 1] for n in errors if n < first] == []
    missed = [line for n, line in enumerate(WRONG, first) if f'"{WRONG[line]}"' not in errors.get(n, "")]
    assert missed == []
