"""Compile a batch of runs for a GPU that is described and not there; say what it would launch, as JSON."""

import json
import sys
import time

import jax
import jax.numpy as jnp
from batches import batch
from jax.experimental import topologies
from jax.sharding import SingleDeviceSharding

from benchmarks.gpu.cards import cards
from benchmarks.gpu.kernels import kernels
from benchmarks.gpu.programs import Program
from brainmass._common.machine import compiled_for


def compile_for(card, function, lanes):
    described = topologies.get_topology_desc("described", "cuda", target_config=card.description(), topology="1x1x1")
    there = SingleDeviceSharding(described.devices[0])
    couplings = jax.ShapeDtypeStruct((lanes,), jnp.float32, sharding=there)
    keys = jax.ShapeDtypeStruct((lanes, 2), jnp.uint32, sharding=there)
    return jax.jit(function).lower(couplings, keys).compile()


if __name__ == "__main__":
    what, of, lanes, name = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    with compiled_for("gpu"):
        made = batch(what, of)
        start = time.perf_counter()
        compiled = compile_for(cards()[name], made.function, lanes)
        took = time.perf_counter() - start
        keys = jax.ShapeDtypeStruct((lanes, 2), jnp.uint32)
        traced = jax.make_jaxpr(made.function)(jax.ShapeDtypeStruct((lanes,), jnp.float32), keys)
    text = compiled.as_text()
    if len(sys.argv) > 5:
        with open(sys.argv[5], "w") as file:
            file.write(text)
    program = Program(text, kernels(traced.jaxpr))
    facts = {
        "seconds": took,
        "steps": made.steps,
        "regions": made.regions,
        "temporary": compiled.memory_analysis().temp_size_in_bytes,
        "launches": program.launches,
        "loops": program.loops,
    }
    print(json.dumps(facts))
