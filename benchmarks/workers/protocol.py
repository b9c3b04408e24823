"""How a worker talks to the driver: it prepares a case, says so, then runs it once for every line it is sent.

A worker prints one JSON line per run: wall and CPU seconds, and whatever else the case reports. Nothing but JSON goes
to standard output. This file imports nothing but the standard library, so that it runs in any environment.
"""

import json
import os
import sys
import time


def serve(run, **facts):
    """Run `run()` for every line on standard input; `facts` are sent once, when the worker is ready."""
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    print(json.dumps({"ready": True, **facts}), file=out, flush=True)
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        extra = run() or {}
        report = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, **extra}
        print(json.dumps(report), file=out, flush=True)
