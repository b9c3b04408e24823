"""A loss and its gradient as JAX compiles them, timed in turn: for every package whose runs JAX can differentiate."""

import time

import jax


def forward_and_gradient(loss, values):
    """Both compiled ahead of time; what comes back runs each once, and says what memory the gradient takes."""
    forward = jax.jit(loss).lower(values).compile()
    gradient = jax.jit(jax.value_and_grad(loss)).lower(values).compile()
    memory = gradient.memory_analysis().temp_size_in_bytes / 1e6

    def timed(f):
        start = time.perf_counter()
        jax.block_until_ready(f(values))
        return time.perf_counter() - start

    return lambda: {"forward": timed(forward), "gradient": timed(gradient), "temporary_MB": memory}
