"""The cases of the driver that are about GPUs."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.gpu.cards import Card, Estimate, cards
from benchmarks.gpu.programs import Launch

HERE = Path(__file__).parent.parent
PLUGINS = "jax-cuda13-plugin", "jax-cuda13-pjrt"
DESCRIBED = "H200"
RUNS = {
    "mpr": "Montbrió, 84 regions",
    "mpr_delays": "Montbrió, 84 regions, delays",
    "wong_wang": "reduced Wong-Wang, 100 regions, BOLD",
}
LANES = 64, 1024, 32768
TOLERANCE = 1e-4


def gpu_compile(rounds: int) -> list[str]:
    """Compiled, not run, for an H200 that is described and not there: what a step of a batch launches.

    The networks of `forward`, `noisy_delays` and `wong_wang`, the last with 100 regions, without and with the gradient
    of the mean of what is recorded for the coupling of each run: 10,000 steps, of the last 100,000. Kernels, copies,
    bytes and operations are those of the whole program divided by its steps, so that drawing noise and BOLD are in
    them. An operation is one with a 32-bit number, or a product that is added; a division, a root or a transcendental
    function counts as eight. Where several steps go in one kernel, what it works out is counted in what it was traced
    to, and a tile of 16 runs is on one multiprocessor.

    **Times are estimates, and lower bounds: nothing was measured on a GPU.** A kernel takes what its launch (2.5 µs),
    its memory traffic at full bandwidth or its operations at the full rate of the card take, whichever is most; the
    figures of the cards are in `benchmarks/gpu/cards.toml`. After the µs of a step of all runs stand 10⁹ node-steps a
    second; a dash, where the temporary memory is more than the card has. The public record for the last network is
    5.85·10⁹ node-steps a second, of cuBNM on an A100: 32,768 runs of 60 s in 5.6 minutes, by its README.
    """
    known = cards()
    titles = "run", "lanes", "kernels", "copies", "temporary memory, GB", "MB moved", "10⁶ operations"
    lines = [
        f"| {' | '.join(titles)} | {' | '.join(f'{name}, µs' for name in known)} | {DESCRIBED} limited by |",
        "| --- " * (len(titles) + len(known) + 1) + "|",
    ]
    for what, title in RUNS.items():
        for of in "mean", "gradient":
            for lanes in LANES:
                facts = compiled(what, of, lanes)
                lines.append(_row(title if of == "mean" else f"{title}: gradient", lanes, facts, known))
                print(lines[-1], file=sys.stderr, flush=True)
    return lines


def compiled(what: str, of: str, lanes: int, card: str = DESCRIBED) -> dict[str, Any]:
    """What a batch of runs launches, in a process of its own; see `workers/compile_for_gpu.py`."""
    plugins = _plugins()
    env = os.environ | {
        "XLA_FLAGS": "",
        "BRAINMASS_WHOLE_LOOPS": "0",
        "JAX_PLATFORMS": "cpu",  # nothing runs on the card that is described
        "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(plugins)]),
    }
    env.pop("JAX_COMPILATION_CACHE_DIR", None)  # what is compiled for no device cannot be read back
    command = [sys.executable, str(HERE / "workers" / "compile_for_gpu.py"), what, of, str(lanes), card]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=env, check=True)
    facts = json.loads(done.stdout)
    return facts | {"launches": [Launch(*launch) for launch in facts["launches"]]}


def gpu(rounds: int, dry: bool = False) -> list[str]:
    """On the GPU that is there: equality with the CPU, and speed. One card, once.

    Equality: the networks of `gpu-compile` with the same couplings and seeds, on the GPU all at once and on the CPU one
    after the other: the largest difference of a mean and of a standard deviation over time, of any run and region, as a
    part of the largest of them. It should be less than 1e-4.

    Speed: reduced Wong-Wang with BOLD, 100 regions, noise in both states, dt 0.1 ms, programs compiled before. The
    public record is 5.85·10⁹ node-steps a second (cuBNM on an A100). A gradient is that of the mean of BOLD for the
    coupling; a step of `fit_each` takes one for each subject. The estimate is that of `gpu-compile`, for this program
    and this card, a lower bound.
    """
    command = [sys.executable, str(HERE / "workers" / "on_gpu.py"), *(["dry"] if dry else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(HERE.parent)})
    if done.returncode:
        raise SystemExit(done.returncode)  # what is wrong it has said
    return measured([json.loads(line) for line in done.stdout.splitlines()])


def measured(reports: list[dict[str, Any]]) -> list[str]:
    """The table of what `workers/on_gpu.py` reports."""
    device = next(report["kind"] for report in reports if report["measured"] == "device")
    lines = [
        f"Card: {device}.",
        "",
        "| what | runs | model time, s | wall, s | estimate, s | result |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for r in reports:
        if r["measured"] == "equality":
            title, agrees = f"equality: {RUNS[r['run']]}", max(r["mean"], r["sd"]) <= TOLERANCE
            result = f"means {r['mean']:.1e}, deviations {r['sd']:.1e}: {'equal' if agrees else '**not equal**'}"
        elif r["measured"] == "runs":
            title, result = "runs", f"{r['node_steps'] / 1e9:.2f}·10⁹ node-steps a second"
        elif r["measured"] == "gradients":
            title, result = "gradients", f"{r['runs'] / r['wall']:.1f} a second"
        elif r["measured"] == "fits":
            steps = f"{r['wall'] / r['steps']:.2f} s for a step of all"
            title, result = f"fits, {r['steps']} steps", f"{steps}; loss fell in {r['fell']:.0%}"
        else:
            continue
        wall, estimate = (f"{r[key]:.2f}" if r.get(key) is not None else "" for key in ("wall", "estimate"))
        lines.append(f"| {title} | {r['runs']:,} | {r['model_s']:g} | {wall} | {estimate} | {result} |")
    return lines


def _plugins() -> Path:
    """JAX's compiler for CUDA, without CUDA itself, made on first use: 400 MB, which only these cases see."""
    folder = HERE / ".venv-gpu"
    if not folder.exists():
        version = importlib.metadata.version("jax")
        wheels = [f"{name}=={version}" for name in PLUGINS]
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder), *wheels]
        subprocess.run(pip, check=True)
    return folder


def _row(title: str, lanes: int, facts: dict[str, Any], known: dict[str, Card]) -> str:
    launches, steps = facts["launches"], facts["steps"]

    def per_step(values: Any) -> float:
        return sum(values) / steps

    counts = [per_step(x.times for x in launches if x.is_copy == copies) for copies in (False, True)]
    moved, operations = (per_step(x.times * getattr(x, k) for x in launches) / 1e6 for k in ("bytes", "operations"))
    gigabytes = facts["temporary"] / 1e9
    estimates = {name: card.estimate(launches) for name, card in known.items()}

    def told(card: Card, estimate: Estimate) -> str:
        if gigabytes > card.memory:
            return "–"
        return f"{estimate.seconds / steps * 1e6:.0f}; {node_steps(lanes, facts, estimate.seconds) / 1e9:.2f}"

    cells = [f"{counts[0]:.1f}", f"{counts[1]:.1f}", f"{gigabytes:.2f}", f"{moved:.1f}", f"{operations:.1f}"]
    cells += [told(known[name], estimate) for name, estimate in estimates.items()]
    return f"| {title} | {lanes:,} | {' | '.join(cells)} | {estimates[DESCRIBED].limited_by} |"


def node_steps(lanes: int, facts: dict[str, Any], seconds: float) -> float:
    """Steps of single regions a second."""
    return lanes * facts["regions"] * facts["steps"] / seconds
