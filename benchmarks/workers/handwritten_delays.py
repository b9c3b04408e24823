"""The delayed run as a hand-written `jax.lax.scan` over blocks of 16 steps, and with one gather per step.

Per block each source's past is read as one contiguous row per connection; connections shorter than a block are
gathered step by step. Heun's method, what arrives being linear between the steps.
"""

import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from problem import COUPLING, DELTA, DT, ETA, TAU, J, delay_steps, weights
from protocol import serve

T = 256  # steps of the past, more than the longest delay
BLOCK = 16


def rates(r, v, coupling):
    dr = (DELTA / np.pi + 2 * r * v) / TAU
    dv = (v * v + ETA + COUPLING * coupling + J * r - (np.pi * r) ** 2) / TAU
    return dr, dv


def heun(r, v, start, end):
    dr, dv = rates(r, v, start)
    er, ev = rates(r + DT * dr, v + DT * dv, end)
    return r + DT / 2 * (dr + er), v + DT / 2 * (dv + ev)


def gathered(w, delays, n_steps):
    n = len(w)
    source = jnp.broadcast_to(jnp.arange(n), (n, n))

    def step(carry, t):
        r, v, start, past = carry
        past = lax.dynamic_update_slice(past, r[None], (t & (T - 1), 0))
        end = (w * past[(t + 1 - delays) & (T - 1), source]).sum(1)
        r, v = heun(r, v, start, end)
        return (r, v, end, past), (r, v)

    rest = jnp.full(n, 0.02, jnp.float32)
    carry = rest, rest, w @ rest, jnp.full((T, n), 0.02, jnp.float32)
    return lax.scan(step, carry, jnp.arange(n_steps))[1]


def blocked(w, long_delays, index, w_short, n_steps):
    n = len(w)
    delay, source = index

    def block(carry, number):
        r, v, start, past, recent = carry  # past: (n, 2 T), every region's stored twice; recent: (2 BLOCK, n)
        position = (number * BLOCK) & (T - 1)

        def add(j, total):
            line = lax.dynamic_slice(past, (j, 0), (1, 2 * T))[0]
            at = position + T + 1 - long_delays[:, j]
            rows = jax.vmap(lambda a: lax.dynamic_slice(line, (a,), (BLOCK,)))(at)
            return total + w[:, j, None] * rows

        ahead = lax.fori_loop(0, n, add, jnp.zeros((n, BLOCK), jnp.float32)).T

        def step(carry, x):
            r, v, start, recent = carry
            q, end = x
            recent = lax.dynamic_update_slice(recent, r[None], (BLOCK + q, 0))
            end = end + (w_short * recent[BLOCK + q + 1 - delay, source]).sum(1)
            new_r, new_v = heun(r, v, start, end)
            return (new_r, new_v, end, recent), (r, new_r, new_v)

        (r, v, start, recent), (sent, *out) = lax.scan(step, (r, v, start, recent), (jnp.arange(BLOCK), ahead))
        recent = lax.dynamic_update_slice(recent, sent, (0, 0))
        for shift in (0, T):
            past = lax.dynamic_update_slice(past, sent.T, (0, position + shift))
        return (r, v, start, past, recent), out

    rest = jnp.full(n, 0.02, jnp.float32)
    carry = rest, rest, w_all @ rest, jnp.full((n, 2 * T), 0.02, jnp.float32), jnp.full((2 * BLOCK, n), 0.02)
    return lax.scan(block, carry, jnp.arange(n_steps // BLOCK))[1]


def tables(w, delays):
    """Connections of a block or longer; the others as padded rows of delay, source and weight."""
    far = delays > BLOCK
    width = int((~far).sum(1).max())
    order = np.argsort(far, axis=1, kind="stable")[:, :width]
    near = np.take_along_axis(~far, order, axis=1)
    index = np.where(near, np.take_along_axis(delays, order, axis=1), 1), order
    w_near = np.where(near, np.take_along_axis(w, order, axis=1), 0)
    return np.where(far, w, 0), np.where(far, delays, BLOCK + 1), index, w_near


if __name__ == "__main__":
    case, n_steps = sys.argv[1], int(sys.argv[2])
    kind, regions = case.split("_")
    w_all, delays = weights(int(regions)), delay_steps(int(regions))
    if kind == "gathered":
        f, args = jax.jit(gathered, static_argnums=2), (w_all, delays)
    else:
        f, args = jax.jit(blocked, static_argnums=4), tables(w_all, delays)
    args = jax.tree.map(jnp.asarray, args)

    def run():
        jax.block_until_ready(f(*args, n_steps))

    start = time.perf_counter()
    run()
    serve(run, first=time.perf_counter() - start)
