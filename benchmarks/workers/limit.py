"""The same work as loops in C (`limit.c`), compiled on first use for this machine: what one core can do."""

import ctypes
import hashlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from problem import (
    COUPLING,
    DELTA,
    DT,
    ETA,
    NOISE_R,
    NOISE_V,
    REGIONS,
    SAMPLE_EVERY,
    TAU,
    J,
    couplings,
    delay_steps,
    weights,
)
from protocol import serve

SOURCE = Path(__file__).with_name("limit.c")
OPTIONS = "-O3 -march=native -mprefer-vector-width=512 -ffast-math -fopenmp -shared -fPIC".split()


def library():
    name = hashlib.sha256(SOURCE.read_bytes() + " ".join(OPTIONS).encode()).hexdigest()[:16]
    built = Path(tempfile.gettempdir()) / f"brainmass-limit-{name}.so"
    if not built.exists():
        subprocess.run(["gcc", *OPTIONS, str(SOURCE), "-o", str(built), "-lm"], check=True)
    return ctypes.CDLL(str(built))


def at(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def prepared(case, n):
    """A function that makes the run and returns what it kept."""
    c, steps = library(), ctypes.c_long(n)
    model = (ctypes.c_float * 8)(TAU, ETA, DELTA, J, COUPLING, DT, NOISE_R, NOISE_V)
    kind, *number = case.split("_")
    regions = int(number[0]) if kind == "delays" else REGIONS
    w = weights(regions)
    if kind == "delays":
        d, out = delay_steps(regions).astype(np.int32), np.empty((n // SAMPLE_EVERY, 2, regions), np.float32)
        return lambda: (c.delayed(model, regions, at(w), at(d), steps, SAMPLE_EVERY, at(out)), out)[1]
    if kind == "sweep":
        size = int(number[0])
        out, k = np.empty((size, n // SAMPLE_EVERY, 2, REGIONS), np.float32), couplings(size)
        return lambda: (c.sweep(model, at(k), size, REGIONS, at(w), steps, SAMPLE_EVERY, at(out)), out)[1]
    bold = kind == "bold"
    keep = n // 10  # steps between samples of BOLD
    out = np.empty((n // keep, REGIONS) if bold else (n // SAMPLE_EVERY, 2, REGIONS), np.float32)
    every = ctypes.c_float(SAMPLE_EVERY * DT * 1e-3)
    return lambda: (c.network(model, REGIONS, at(w), steps, SAMPLE_EVERY, bold, keep, every, at(out)), out)[1]


if __name__ == "__main__":
    f = prepared(sys.argv[1], int(sys.argv[2]))

    def run():
        assert np.isfinite(f()).all()

    start = time.perf_counter()
    run()
    serve(run, first=time.perf_counter() - start)
