"""JAX on a CUDA device: the same steps, jitted, with donated parameters."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from arignote.bench.seeds import Digits
from arignote.bench.workload import Case
from arignote.graph.dtypes import Array
from benchmarks import peers_jax
from benchmarks.classes import Scored

DEVICE = "gpu"
"""Where JAX computes; tests without a device say ``cpu``."""


def load() -> Any:
    """Return the module ``jax``, which leaves memory to others and has a device."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    jax = peers_jax.load()
    if jax.default_backend() != DEVICE:
        raise RuntimeError("JAX finds no CUDA device")
    jax.config.update("jax_default_matmul_precision", "float32")
    return jax


def epoch(digits: Digits) -> Case:
    """Return all minibatches of softmax regression in one call."""
    load()
    return peers_jax.softmax_epoch(digits)


def last_layer(scored: Scored, rate: float) -> Case:
    """Return a step over many classes; the loss and the gradient by rows stay on the device."""
    jax = load()
    x, y, w = map(jax.numpy.asarray, scored.draw())
    held = [w]

    def cost(w: Any, x: Any) -> Any:
        return peers_jax.negative_log_likelihood(x @ w, y)

    def step(w: Any, x: Any) -> Any:
        value, (by_w, by_x) = jax.value_and_grad(cost, argnums=(0, 1))(w, x)
        return value, by_x, w - rate * by_w

    jitted = jax.jit(step, donate_argnums=(0,))

    def call() -> list[Any]:
        value, by_x, held[0] = jax.block_until_ready(jitted(held[0], x))
        return [value, by_x]

    return Case(call, lambda: [np.asarray(result) for result in (*call(), held[0])])


def single(draw: Callable[[], Array], compute: Callable[[Any, Any], Any], writes: bool) -> Case:
    """Return a pass over an array, in the array's place if it writes one."""
    jax = load()
    jnp = jax.numpy
    held = [jnp.asarray(draw())]
    step = jax.jit(lambda x: compute(jnp, x), donate_argnums=(0,) if writes else ())

    def call() -> Any:
        result = step(held[0]).block_until_ready()
        if not writes:
            return result
        held[0] = result
        return None

    def values() -> list[Array]:
        result = call()
        return [np.array(held[0] if writes else result)]

    return Case(call, values)
