"""The seeds in JAX: one jitted step, its gradient by JAX, its parameters donated."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from itertools import cycle
from typing import Any

import numpy as np

from arignote.bench.seeds import Digits, Line, Points
from arignote.bench.workload import Case


def load() -> Any:
    """Return the module ``jax``, with float64 allowed."""
    jax = import_module("jax")
    jax.config.update("jax_enable_x64", True)
    return jax


def jitted(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the compiled function; its call waits for the result."""
    jax = load()
    compiled = jax.jit(function)
    return lambda *arrays: jax.block_until_ready(compiled(*arrays))


def _training(step: Callable[..., Any], parameters: Any, arguments: Callable[[], Any]) -> Case:
    """Return a case of ``step(parameters, *arguments()) -> parameters, outputs``."""
    jax = load()
    compiled = jax.jit(step, donate_argnums=0)
    held = [parameters]

    def call() -> Any:
        held[0], outputs = compiled(held[0], *arguments())
        jax.block_until_ready((held[0], outputs))
        return outputs

    return Case(call, lambda: [np.asarray(value) for value in (*call(), *held[0])])


def _softmax(digits: Digits) -> tuple[Callable[..., Any], Any, Any]:
    """Return a step, the parameters to begin with, and the data."""
    jax = load()
    jnp = jax.numpy
    data = jnp.asarray(digits.images), jnp.asarray(digits.labels)
    rate = np.asarray(digits.rate, digits.dtype)

    def cost(parameters: Any, x: Any, y: Any) -> Any:
        w, b = parameters
        log_p = jax.nn.log_softmax(x @ w + b)
        return -jnp.mean(log_p[jnp.arange(digits.rows), y])

    def step(parameters: Any, images: Any, labels: Any, index: Any) -> Any:
        start = index * digits.rows
        x = jax.lax.dynamic_slice_in_dim(images, start, digits.rows)
        y = jax.lax.dynamic_slice_in_dim(labels, start, digits.rows)
        value, gradients = jax.value_and_grad(cost)(parameters, x, y)
        return tuple(p - rate * g for p, g in zip(parameters, gradients, strict=True)), (value,)

    zeros = (
        jnp.zeros((digits.features, digits.classes), digits.dtype),
        jnp.zeros(digits.classes, digits.dtype),
    )
    return step, zeros, data


def softmax_step(digits: Digits) -> Case:
    step, zeros, data = _softmax(digits)
    turns = cycle(range(digits.batches))
    return _training(step, zeros, lambda: (*data, next(turns)))


def softmax_epoch(digits: Digits) -> Case:
    step, zeros, data = _softmax(digits)
    jax = load()

    def epoch(parameters: Any, images: Any, labels: Any) -> Any:
        indices = jax.numpy.arange(digits.batches)
        return jax.lax.scan(lambda held, k: step(held, images, labels, k), parameters, indices)

    return _training(epoch, zeros, lambda: data)


def logistic_step(points: Points, with_rows: bool) -> Case:
    jax = load()
    jnp = jax.numpy
    x, y, start = map(jnp.asarray, points.draw())
    rate = np.asarray(points.rate, points.dtype)

    def cost(parameters: Any, x: Any, y: Any) -> Any:
        w, b = parameters
        z = x @ w + b
        xent = y * jax.nn.softplus(-z) + (1 - y) * jax.nn.softplus(z)
        total = jnp.mean(xent) + points.decay * jnp.sum(w * w)
        return total, ((jax.nn.sigmoid(z) > 0.5, xent) if with_rows else (total,))

    def step(parameters: Any, x: Any, y: Any) -> Any:
        gradients, outputs = jax.grad(cost, has_aux=True)(parameters, x, y)
        return tuple(p - rate * g for p, g in zip(parameters, gradients, strict=True)), outputs

    return _training(step, (start, jnp.zeros((), points.dtype)), lambda: (x, y))


def _line(line: Line) -> tuple[Callable[..., Any], Any, Any]:
    """Return a step, the parameters to begin with, and the points."""
    jax = load()
    jnp = jax.numpy
    points = tuple(map(jnp.asarray, line.draw()))

    def cost(parameters: Any, x: Any, y: Any) -> Any:
        m, c = parameters
        return jnp.sum((x * m + c - y) ** 2) / (2 * len(x))

    def step(parameters: Any, x: Any, y: Any) -> Any:
        value, gradients = jax.value_and_grad(cost)(parameters, x, y)
        moved = tuple(p - line.rate * g for p, g in zip(parameters, gradients, strict=True))
        return moved, (value,)

    return step, (jnp.zeros(()), jnp.zeros(())), points


def line_step(line: Line) -> Case:
    step, zeros, points = _line(line)
    return _training(step, zeros, lambda: points)


def line_loop(line: Line, steps: int) -> Case:
    step, zeros, points = _line(line)
    jax = load()

    def loop(parameters: Any, x: Any, y: Any) -> Any:
        return jax.lax.scan(lambda held, _: step(held, x, y), parameters, None, length=steps)

    return _training(loop, zeros, lambda: points)
