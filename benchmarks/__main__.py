"""Measure brainmass beside loops in C, a hand-written scan and other packages: `python -m benchmarks`.

Every subject is a process of its own; the driver lets them run in turn, so that a slow moment of the machine hits all
of them, and compares medians. Every other package lives in an environment of its own, made on first use. Results go
to `benchmarks/RESULTS.md`, those of named cases in the place of what was there.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import inspect
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np

from benchmarks.gpu.cases import gpu, gpu_compile
from brainmass._common.xla import WHOLE_LOOPS
from brainmass.inference.diagnostics import r_hat

HERE = Path(__file__).parent
OTHERS = {
    "published": "brainmass==0.1.1",
    "tvboptim": "tvboptim==0.4.0",
    "tvb": "tvb-library==2.10.0",
    "vbi": "vbi==0.4.4",
    "neurolib": "neurolib==0.6.2",
}


class Worker:
    """A subject in its own process, run once for every call."""

    def __init__(self, script: str, case: str, n: int, python: str = sys.executable, flags: str = ""):
        self.n = n
        env = os.environ | {
            "XLA_FLAGS": flags,
            "BRAINMASS_WHOLE_LOOPS": "0",
            "PYTHONPATH": str(HERE.parent) if python == sys.executable else "",
        }
        command = [python, str(HERE / "workers" / script), case, str(n)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        self.facts = self._read()
        self.reports: list[dict] = []

    def _read(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args} ended with code {self.process.wait()}")
        return json.loads(line)

    def run(self) -> None:
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        self.reports.append(self._read())

    def median(self, key: str) -> float:
        return statistics.median(report[key] for report in self.reports)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def interleaved(workers: dict[str, Worker], rounds: int) -> None:
    for _ in range(rounds):
        for worker in workers.values():
            worker.run()
    for worker in workers.values():
        worker.close()


def python_of(other: str) -> str:
    """The Python of the environment of another package, made on first use."""
    folder = HERE / f".venv-{other}"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", OTHERS[other]], check=True)
    return str(python)


def limit(case: str, n: int) -> dict[str, Worker]:
    """The loops in C, where there is a compiler."""
    return {"C": Worker("limit.py", case, n)} if shutil.which("gcc") else {}


def compared(workers: dict[str, Worker], rounds: int, start: str = "") -> list[str]:
    """Rows of a table: each subject's time for a step, beside that of "brainmass"."""
    interleaved(workers, rounds)
    times = {name: worker.median("wall") / worker.n * 1e6 for name, worker in workers.items()}
    return [
        f"{start}| {name} | {time:.2f} | {time / times['brainmass']:.2f} | {workers[name].facts['first']:.1f} |"
        for name, time in times.items()
    ]


# --- cases: each returns lines of a table -------------------------------------------------------------------------
def forward(rounds: int) -> list[str]:
    """MPR, 84 regions, stochastic Heun, dt 0.01 ms, every 10th step kept; float32, but float64 in vbi and TVB.

    The C loop runs on one core. Rows of JAX have the option that importing brainmass sets for XLA
    (docs/speed.md), unless they say so.
    """
    n = 50_000
    workers = {
        "brainmass": Worker("ours.py", "forward", n, flags=WHOLE_LOOPS),
        **limit("forward", n),
        "hand-written scan": Worker("handwritten.py", "forward", n, flags=WHOLE_LOOPS),
        "brainmass, BRAINMASS_WHOLE_LOOPS=0": Worker("ours.py", "forward", n),
        "hand-written scan, without the option": Worker("handwritten.py", "forward", n),
        "published 0.1.1": Worker("published.py", "forward", n, python_of("published")),
        "tvboptim 0.4.0": Worker("with_tvboptim.py", "forward", n, python_of("tvboptim"), WHOLE_LOOPS),
        "vbi 0.4.4, numba": Worker("with_vbi.py", "mpr", n // 5, python_of("vbi")),
        "TVB 2.10": Worker("with_tvb.py", "forward", n // 25, python_of("tvb")),
        "TVB 2.10, numba": Worker("with_tvb.py", "forward_numba", n, python_of("tvb")),
    }
    lines = [
        "| subject | µs per step (wall, median) | relative to brainmass | first call, s |",
        "| --- | --- | --- | --- |",
    ]
    return lines + compared(workers, rounds)


def bold(rounds: int) -> list[str]:
    """The same with Balloon-Windkessel BOLD, whose states take a step every ten steps in C, in every one in vbi.

    In brainmass they take one every ms. BOLD alone is kept, ten samples.
    """
    n = 100_000
    workers = {
        "brainmass": Worker("ours.py", "bold", n, flags=WHOLE_LOOPS),
        **limit("bold", n),
        "vbi 0.4.4, numba": Worker("with_vbi.py", "mpr_bold", n // 2, python_of("vbi")),
    }
    lines = [
        "| subject | µs per step (wall, median) | relative to brainmass | first call, s |",
        "| --- | --- | --- | --- |",
    ]
    return lines + compared(workers, rounds)


def sweep(rounds: int) -> list[str]:
    """Many couplings at once, otherwise as `forward`: µs per step of all of them together.

    C has noise of its own for each, on all cores; so has brainmass, by `brainmass.sweep`, whose time includes the trace
    of a run and the labelled dataset. tvboptim has one noise for all.
    """
    lines = [
        "| simulations | subject | µs per step (wall, median) | relative to brainmass | first call, s |",
        "| --- | --- | --- | --- | --- |",
    ]
    for size, n in (64, 20_000), (512, 5_000):
        workers = {
            "brainmass": Worker("ours.py", f"sweep_{size}", n, flags=WHOLE_LOOPS),
            **limit(f"sweep_{size}", n),
            "tvboptim 0.4.0": Worker("with_tvboptim.py", f"sweep_{size}", n, python_of("tvboptim"), WHOLE_LOOPS),
        }
        lines += compared(workers, rounds, f"| {size} ")
    return lines


def sets(rounds: int) -> list[str]:
    """Parameter sets of the network of `forward`: the time for one set and step where there are many.

    brainmass runs 512 at once, by `brainmass.sweep`. vbi and TVB run them one after the other, in a process for each
    core. The published package makes a model of each set, and compiles every run, as does TVB's numba back end.
    """
    workers = {
        ("brainmass", 512): Worker("ours.py", "sweep_512", 5_000, flags=WHOLE_LOOPS),
        ("published 0.1.1", 2): Worker("published.py", "sets_2", 50_000, python_of("published")),
        ("vbi 0.4.4, numba", 8): Worker("with_vbi.py", "sets_8", 10_000, python_of("vbi")),
        ("TVB 2.10, numba", 4): Worker("with_tvb.py", "sets_4", 50_000, python_of("tvb")),
    }
    interleaved(workers, rounds)
    times = {key: worker.median("wall") / worker.n / key[1] * 1e6 for key, worker in workers.items()}
    ours = times["brainmass", 512]
    return [
        "| subject | sets | steps of each | µs for a set and step (wall, median) | relative to brainmass |",
        "| --- | --- | --- | --- | --- |",
        *(f"| {k[0]} | {k[1]} | {workers[k].n:,} | {t:.2f} | {t / ours:.1f} |" for k, t in times.items()),
    ]


def delays(rounds: int) -> list[str]:
    """MPR with delays of 1 to 250 steps, Heun, dt 0.01 ms, float32, every 10th step kept.

    Loops compiled whole, but for the published package. The hand-written ones keep every step. tvboptim reads the past
    once per step, to first order, unless it interpolates.
    """
    lines = [
        "| regions | subject | µs per step (wall, median) | relative to brainmass | first call, s |",
        "| --- | --- | --- | --- | --- |",
    ]
    for regions, n in (84, 16_000), (400, 1_600):
        workers = {
            "brainmass": Worker("ours.py", f"delays_{regions}", n, flags=WHOLE_LOOPS),
            **limit(f"delays_{regions}", n),
            "hand-written, blocks": Worker("handwritten_delays.py", f"blocked_{regions}", n, flags=WHOLE_LOOPS),
            "hand-written, a gather per step": Worker(
                "handwritten_delays.py", f"gathered_{regions}", n, flags=WHOLE_LOOPS
            ),
            "published 0.1.1": Worker("published.py", f"delays_{regions}", n, python_of("published")),
            "tvboptim 0.4.0": Worker("with_tvboptim.py", f"delays_{regions}", n, python_of("tvboptim"), WHOLE_LOOPS),
            "tvboptim 0.4.0, interpolating": Worker(
                "with_tvboptim.py", f"delays_{regions}_linear", n, python_of("tvboptim"), WHOLE_LOOPS
            ),
        }
        lines += compared(workers, rounds, f"| {regions} ")
    return lines


def noisy_delays(rounds: int) -> list[str]:
    """The same as a stochastic Heun scheme with noise in both states, against the other packages."""
    lines = [
        "| regions | subject | µs per step (wall, median) | relative to brainmass | first call, s |",
        "| --- | --- | --- | --- | --- |",
    ]
    for regions, n in (84, 16_000), (400, 1_600):
        case = f"delays_{regions}_noise"
        workers = {
            "brainmass": Worker("ours.py", case, n, flags=WHOLE_LOOPS),
            "published 0.1.1": Worker("published.py", case, n, python_of("published")),
            "tvboptim 0.4.0": Worker("with_tvboptim.py", case, n, python_of("tvboptim"), WHOLE_LOOPS),
            "tvboptim 0.4.0, interpolating": Worker(
                "with_tvboptim.py", f"{case}_linear", n, python_of("tvboptim"), WHOLE_LOOPS
            ),
        }
        lines += compared(workers, rounds, f"| {regions} ")
    return lines


def wong_wang(rounds: int) -> list[str]:
    """Reduced Wong-Wang (excitatory and inhibitory), 84 regions, noise in both states, dt 0.1 ms, BOLD every second.

    Heun's scheme, but Euler's in neurolib. tvboptim, as here, takes a step of the balloon model every ms, TVB convolves
    with a kernel. Ten minutes are 6 million steps; the slower ones run for less.
    """
    n = 600_000
    workers = {
        "brainmass": Worker("ours.py", "wong_wang", n, flags=WHOLE_LOOPS),
        "tvboptim 0.4.0": Worker("with_tvboptim.py", "wong_wang_bold", n // 10, python_of("tvboptim"), WHOLE_LOOPS),
        "tvboptim 0.4.0, without BOLD": Worker(
            "with_tvboptim.py", "wong_wang", n // 10, python_of("tvboptim"), WHOLE_LOOPS
        ),
        "neurolib 0.6.2": Worker("with_neurolib.py", "wong_wang", n // 6, python_of("neurolib")),
        "published 0.1.1, without BOLD": Worker("published.py", "wong_wang", n // 20, python_of("published")),
        "vbi 0.4.4, numba": Worker("with_vbi.py", "wong_wang", n // 20, python_of("vbi")),
        "TVB 2.10": Worker("with_tvb.py", "wong_wang", n // 60, python_of("tvb")),
    }
    interleaved(workers, rounds)
    times = {name: worker.median("wall") / worker.n * 1e6 for name, worker in workers.items()}
    return [
        "| subject | µs per step (wall, median) | ten minutes, s | relative to brainmass |",
        "| --- | --- | --- | --- |",
        *(f"| {name} | {t:.2f} | {6 * t:.0f} | {t / times['brainmass']:.2f} |" for name, t in times.items()),
    ]


def nodes(rounds: int) -> list[str]:
    """Jansen-Rit, Wilson-Cowan and Epileptor alone and in a network of 84 regions: Heun, every 10th step kept.

    Without noise. The published package compiles in every call.
    """
    n = 100_000
    lines = [
        "| model | regions | subject | µs per step (wall, median) | relative to brainmass | first call, s |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for kind in "JansenRit", "WilsonCowan", "Epileptor":
        for regions in 1, 84:
            case = f"{kind}_{regions}"
            workers = {
                "brainmass": Worker("nodes.py", case, n, flags=WHOLE_LOOPS),
                "published 0.1.1": Worker("nodes.py", case, n, python_of("published")),
                "tvboptim 0.4.0": Worker("with_tvboptim.py", case, n, python_of("tvboptim"), WHOLE_LOOPS),
            }
            lines += compared(workers, rounds, f"| {kind} | {regions} ")
    return lines


def growth(rounds: int) -> list[str]:
    """How the time grows: MPR with noise, Heun, one sample at the end of a run."""
    lines = ["| what | regions | steps | lanes | µs per step | ns per region and lane | ns per connection and lane |"]
    lines += ["| --- | --- | --- | --- | --- | --- | --- |"]

    def row(what: str, regions: int, inputs: int | None, n: int, lanes: int | None) -> str:
        case = f"growth_{regions}_{'dense' if inputs is None else inputs}_{lanes}"
        worker = Worker("ours.py", case, n, flags=WHOLE_LOOPS)
        interleaved({"brainmass": worker}, rounds)
        time = worker.median("wall") / n
        nodes = regions * (lanes or 1)
        each = time / nodes * 1e9
        connections = regions if inputs is None else inputs
        numbers = f"{time * 1e6:.2f} | {each:.1f} | {each / connections:.3f}"
        return f"| {what} | {regions:,} | {n:,} | {lanes or 1} | {numbers} |"

    for regions, n in (10, 100_000), (100, 50_000), (1_000, 2_000), (10_000, 40):
        lines.append(row("regions, dense", regions, None, n, None))
    for regions, n in (100, 50_000), (1_000, 5_000), (10_000, 100):
        lines.append(row("regions, 5 % of connections", regions, regions // 20, n, None))
    lines += [row("steps", 84, None, n, None) for n in (10_000, 100_000, 1_000_000)]
    lines += [row("lanes", 84, None, 2_000, lanes) for lanes in (2, 8, 64, 512)]
    return lines


def sparse(rounds: int) -> list[str]:
    """10,000 regions, each with 500 inputs (5 %), as an edge list and as a matrix: MPR, Heun, without noise.

    Delays are 1 to 250 steps. Memory includes what it takes to make the network, time the start of the run.
    """
    lines = [
        "| connectome | delays | ms per step (wall, median) | relative to the edge list | memory of the process, GB |",
        "| --- | --- | --- | --- | --- |",
    ]
    for delays, n in ("no", 200), ("yes", 400):
        workers = {
            name: Worker("ours.py", f"{kind}{'_delays' if delays == 'yes' else ''}", n, flags=WHOLE_LOOPS)
            for name, kind in (("edge list", "edge_list"), ("matrix", "matrix"))
        }
        interleaved(workers, rounds)
        least = workers["edge list"].median("wall")
        for name, worker in workers.items():
            wall, used = worker.median("wall"), worker.median("peak_GB")
            lines.append(f"| {name} | {delays} | {wall / n * 1e3:.1f} | {wall / least:.1f} | {used:.2f} |")
    return lines


def overhead(rounds: int) -> list[str]:
    """A second, identical `Simulator.run` of 100 steps, against the compiled call alone."""
    worker = Worker("ours.py", "overhead", 100, flags=WHOLE_LOOPS)
    interleaved({"brainmass": worker}, rounds)
    extra = [report["run"] - report["call"] for report in worker.reports]
    last = worker.reports[-1]
    return [
        f"run {worker.median('run') * 1e3:.2f} ms, compiled call {worker.median('call') * 1e3:.2f} ms: "
        f"{statistics.median(extra) * 1e3:.2f} ms of Python; programs {last['programs']}, traces {last['traces']}."
    ]


def memory(rounds: int) -> list[str]:
    """Temporary memory of a run that records BOLD alone, ten samples."""
    lines = ["| steps | temporary memory, MB |", "| --- | --- |"]
    for n in (6_000, 60_000, 600_000):
        worker = Worker("ours.py", "memory", n, flags=WHOLE_LOOPS)
        interleaved({"brainmass": worker}, 1)
        lines.append(f"| {10 * n:,} | {worker.median('temporary_MB'):.2f} |")
    return lines


def observers(rounds: int) -> list[str]:
    """BOLD every 20 ms, its functional connectivity, and that of the rate every ms, in a run of 120,000 steps.

    Against the same run without, in one process. Memory is temporary memory and what comes out.
    """
    n = 120_000
    worker = Worker("ours.py", "observers", n, flags=WHOLE_LOOPS)
    interleaved({"brainmass": worker}, rounds)
    ratio = statistics.median(r["observed"] / r["bare"] for r in worker.reports)
    return (
        ["| run | µs per step | memory, MB |", "| --- | --- | --- |"]
        + [
            f"| {name} | {worker.median(name) / n * 1e6:.2f} | {worker.median(f'{name}_MB'):.2f} |"
            for name in ("bare", "observed")
        ]
        + ["", f"Ratio of times {ratio:.2f}."]
    )


def gradient(rounds: int) -> list[str]:
    """Gradient of the mean rate for the coupling and 84 excitabilities, against the forward run in the same process.

    The network of `forward`, and that of `noisy_delays` with 84 regions.
    """
    lines = [
        "| delays | steps | subject | loops compiled whole | forward, µs/step | gradient, µs/step | ratio "
        "| temporary memory, MB |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]

    def row(case: str, n: int, subject: str, worker: Worker, flag: str) -> str:
        ratio = statistics.median(r["gradient"] / r["forward"] for r in worker.reports)
        times = [worker.median(k) / n * 1e6 for k in ("forward", "gradient")]
        numbers = f"{times[0]:.2f} | {times[1]:.2f} | {ratio:.2f} | {worker.median('temporary_MB'):.2f}"
        return f"| {'yes' if 'delays' in case else 'no'} | {n:,} | {subject} | {flag} | {numbers} |"

    for n in (10_000, 60_000):
        for flags in ("", WHOLE_LOOPS):
            worker = Worker("ours.py", "gradient", n, flags=flags)
            interleaved({"brainmass": worker}, rounds)
            lines.append(row("gradient", n, "brainmass", worker, "yes" if flags else "no"))
    for n in (10_000, 60_000):
        workers = {
            "brainmass": Worker("ours.py", "gradient_delays", n, flags=WHOLE_LOOPS),
            "tvboptim 0.4.0": Worker("with_tvboptim.py", "gradient_delays", n, python_of("tvboptim"), WHOLE_LOOPS),
        }
        interleaved(workers, rounds)
        lines += [row("gradient_delays", n, name, worker, "yes") for name, worker in workers.items()]
    return lines


def posteriors(rounds: int) -> list[str]:
    """The posterior of an evoked response: David-Friston column, 10 parameters, 201 samples of 1 ms, dt 0.5 ms, Heun.

    Means over the runs; the smallest effective size of the parameters, the largest rank-normalised split r̂ and the
    largest distance of a mean from that of 4 chains of 4000, in standard deviations. Whole calls of `sample`, from
    search of the peaks and warm-up to draws; "first" compiles. Four chains, of NUTS after 200 draws of warm-up.
    """
    lines = [
        "| method | draws of a chain | run | wall, s | CPU, s | effective draws | per s of CPU | r̂ | means off, sd |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    truth = Worker("posteriors.py", "nuts", 4000, flags=WHOLE_LOOPS)
    interleaved({"truth": truth}, 1)
    for case, n in ("nuts", 200), ("nuts", 500), ("laplace", 500):
        worker = Worker("posteriors.py", case, n, flags=WHOLE_LOOPS)
        interleaved({case: worker}, max(2, rounds // 3))
        for report in worker.reports:
            report["off"] = _off(report, truth.reports[0])
        for name, reports in ("first", worker.reports[:1]), ("further", worker.reports[1:]):
            wall, cpu, ess, rhat, off = (
                statistics.fmean(r[key] for r in reports) for key in ("wall", "cpu", "ess", "rhat", "off")
            )
            told = f"{wall:.1f} | {cpu:.1f} | {ess:.0f} | {ess / cpu:.1f} | {rhat:.3f} | {off:.2f}"
            lines.append(f"| {case} | {n} | {name} | {told} |")
    return [*lines, "", _of_independent_draws(200, len(truth.reports[0]["mean"]))]


def _of_independent_draws(n: int, numbers: int) -> str:
    """What r̂ can be expected to be."""
    rng = np.random.default_rng(0)
    worst = [r_hat(rng.standard_normal((4, n, numbers))).max() for _ in range(1000)]
    high = np.mean(np.array(worst) > 1.01)
    return f"Of 4 chains of {n} independent draws the largest r̂ is {np.median(worst):.3f}, above 1.01 in {high:.0%}."


def _off(report: dict, truth: dict) -> float:
    """The largest distance of the means, in standard deviations of the truth."""
    return max(abs(m - t) / sd for m, t, sd in zip(report["mean"], truth["mean"], truth["sd"], strict=True))


# simulations, those that vbi runs to be timed, and what the notebook has: truth, shrinkage, |z|
NOTEBOOKS = {
    "oscillator": (2000, 200, "a = b = 0.1", "1.000", "0.54"),
    "wilson_cowan": (500, 8, "0.27 of 0 to 1", "1.000", "0.28"),
    "wong_wang": (200, 4, "1.9 of 0 to 2.5", "0.999", "1.60"),
    "montbrio": (200, 2, "0.7 of 0 to 1", "0.951", "0.55"),
}


def npe(rounds: int) -> list[str]:
    """Posteriors learnt from as many simulations as in vbi's notebooks, of their models, priors and truths.

    A damped oscillator without noise (two parameters), and the global coupling of networks of vbi's 84 regions: 2 s of
    Wilson and Cowan's model, 5 min of BOLD of Wong and Wang's, 100 s of Montbrió's. vbi's flow (MAF of its `cde`, which
    needs no torch; its other trainer, of sbi, is not installed) learns from the simulations of brainmass with the same
    features, by the settings of its notebooks. Shrinkage is 1 - variance of the posterior / variance of the prior.
    "There" is at the notebook's truth: 20 observations, with the root mean square of z. Then 100 truths of the prior,
    whose posteriors are one batch, with the share that has |z| < 2: 0.95 where they are right; runs that diverge are
    left out. Noise differs from simulation to simulation; in the notebooks all have that of the observation, which in a
    trial of Wong and Wang's model raised the mean shrinkage from 0.76 to 0.87, but not that there: this one varied
    from 0.993 to 0.998 between trainings. vbi's flow knows no bounds: a few draws far beyond the prior
    make its mean shrinkage what it is for the oscillator. Where a coupling does not change the features, as in the
    lower half of Wong and Wang's, nothing can be learnt of it.
    """
    lines = [
        "| model | simulations | subject | a simulation with features, ms | training, s | shrinkage there | z there "
        "| mean shrinkage | abs(z) < 2 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for case, (n, few, truth, shrinkage, z) in NOTEBOOKS.items():
        timed = {
            "brainmass": Worker("npe.py", f"simulate_{case}", n if case == "oscillator" else 16, flags=WHOLE_LOOPS),
            "vbi": Worker("with_vbi_npe.py", f"simulate_{case}", few, python_of("vbi")),
        }
        interleaved(timed, max(1, rounds // 3))
        subjects = {"brainmass": ("npe.py", sys.executable), "vbi": ("with_vbi_npe.py", python_of("vbi"))}
        for name, (script, python) in subjects.items():
            learnt = Worker(script, case, n, python, WHOLE_LOOPS if name == "brainmass" else "")
            interleaved({name: learnt}, 1)
            told = [learnt.median(key) for key in ("shrinkage_there", "z_there", "shrinkage_truths", "within_truths")]
            numbers = "{:.3f} | {:.2f} | {:.3f} | {:.2f}".format(*told)
            each = timed[name].median("wall") / timed[name].n * 1e3
            subject = "vbi 0.4.4, its flow on these simulations" if name == "vbi" else name
            lines.append(f"| {case} | {n} | {subject} | {each:.2f} | {learnt.median('training'):.0f} | {numbers} |")
        lines.append(f"| {case} | {n} | vbi's notebook, {truth} | | | {shrinkage} | {z} | | |")
    return lines


def calibration(rounds: int) -> list[str]:
    """Simulation-based calibration, 100 studies of each of three models by three engines: `inference.calibrate`.

    A ringing population of Montbrió's model by Laplace, a damped oscillation (Hopf) with unknown errors by NUTS, a
    region of Wong and Wang's reduced model with noise by a flow that learnt from 4,000 simulations. Truths are of the
    prior. p says how likely ranks as uneven as these are by chance; 80 % intervals should hold 72 to 88 of 100 truths
    (two standard errors).
    """
    lines = [
        "| case | parameter | p of even ranks | truths in 80 % intervals | mean shrinkage | sd of z | wall, s |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for case in "montbrio_laplace", "hopf_nuts", "wong_wang_npe":
        worker = Worker("calibration.py", case, 100, flags=WHOLE_LOOPS)
        interleaved({case: worker}, 1)
        (found,) = worker.reports
        for name, p, covered, shrinkage, z in zip(
            *(found[key] for key in ("names", "p", "covered", "shrinkage", "z")), strict=True
        ):
            told = f"{p:.2f} | {covered:.0%} | {shrinkage:.2f} | {z:.2f} | {found['wall']:.0f}"
            lines.append(f"| {case} | {name} | {told} |")
    return lines


def imports(rounds: int) -> list[str]:
    """`import brainmass` against `import brainstate, braintools`, whole processes."""
    commands = {"brainmass": "import brainmass", "brainstate + braintools": "import brainstate, braintools"}
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds + 1):
        for name, code in commands.items():
            timed = f"import time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)"
            env = os.environ | {"PYTHONPATH": str(HERE.parent)}
            env.pop("PYTHONDONTWRITEBYTECODE", None)  # installed packages are compiled once
            out = subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True, env=env)
            seconds[name].append(float(out.stdout))
    ours, theirs = (statistics.median(times[1:]) for times in seconds.values())
    ratio = statistics.median(a / b for a, b in zip(*seconds.values(), strict=True))
    return [f"brainmass {ours:.2f} s, brainstate and braintools alone {theirs:.2f} s: ratio {ratio:.3f}."]


CASES = {
    f.__name__.replace("gpu_", "gpu-"): f
    for f in (
        forward,
        bold,
        sweep,
        sets,
        delays,
        noisy_delays,
        wong_wang,
        nodes,
        sparse,
        growth,
        overhead,
        memory,
        observers,
        gradient,
        posteriors,
        npe,
        calibration,
        imports,
        gpu_compile,
    )
}


ON_A_GPU = {"gpu": gpu}  # run where it is asked for


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    named = f"any of {', '.join(CASES | ON_A_GPU)}; default all but {', '.join(ON_A_GPU)}"
    parser.add_argument("cases", nargs="*", default=list(CASES), help=named)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=HERE / "RESULTS.md")
    parser.add_argument("--dry", action="store_true", help="of gpu alone: small, on a CPU too; printed, not kept")
    args = parser.parse_args()
    if args.dry:
        if args.cases != ["gpu"]:
            parser.error("--dry is for the case gpu alone")
        print("\n".join(gpu(1, dry=True)))
        return
    versions = {p: importlib.metadata.version(p) for p in ("jax", "brainstate", "braintools", "brainunit")}
    facts = (
        f"`python -m benchmarks {' '.join(args.cases)} --rounds {args.rounds}` on {datetime.date.today()}: "
        f"{os.cpu_count()} cores, {_processor()}, Python {platform.python_version()}, "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + f". Load average at the start {os.getloadavg()[0]:.1f}. Subjects ran in turn; medians of {args.rounds}."
    )
    whole = args.cases == list(CASES) or not args.out.exists()
    sections = _sections(args.out.read_text()) if args.out.exists() else {}
    if whole:  # what is only run where it is asked for stays
        sections = {"": f"# Results\n\n{facts}\n"} | {name: sections[name] for name in ON_A_GPU if name in sections}
    for name in args.cases:
        print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
        lines = (CASES | ON_A_GPU)[name](args.rounds)
        print("\n".join(lines), file=sys.stderr, flush=True)
        apart = [] if whole else [f"Apart from the rest, by {facts}", ""]
        text = [f"## {name}", "", inspect.cleandoc(CASES[name].__doc__ or ""), "", *apart, *lines]
        sections[name] = "\n".join(text) + "\n"
        args.out.write_text("\n".join(sections.values()))


def _sections(text: str) -> dict[str, str]:
    """The parts of a table of results by case; what stands before the first has no name."""
    parts = re.split(r"^(?=## )", text.rstrip("\n") + "\n\n", flags=re.MULTILINE)
    return {part[3:].split("\n")[0] if part.startswith("## ") else "": part[:-1] for part in parts}


def _processor() -> str:
    names = [line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


if __name__ == "__main__":
    main()
