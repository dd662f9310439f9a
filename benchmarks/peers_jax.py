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
    """Return the module ``jax``, with float64 allowed, and with calls that do not change threads.

    Who waits for each result, as all do here, gains nothing from another thread and pays for the
    way there.
    """
    jax = import_module("jax")
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    return jax


def jitted(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the compiled function of one result; its call waits for it."""
    compiled = load().jit(function)
    return lambda *arrays: compiled(*arrays).block_until_ready()


def training(
    step: Callable[..., Any],
    parameters: Any,
    arguments: Callable[[], Any],
    shown: Callable[[Any], Any] = lambda parameters: parameters,
) -> Case:
    """Return a case of ``step(parameters, *arguments()) -> parameters, outputs``.

    `shown` makes of the parameters those that must agree with others'.
    """
    compiled = load().jit(step, donate_argnums=0)
    held = [parameters]

    def call() -> Any:
        held[0], outputs = compiled(held[0], *arguments())
        for output in outputs:
            output.block_until_ready()
        return outputs

    return Case(call, lambda: [np.array(value) for value in (*call(), *shown(held[0]))])


def descended(parameters: Any, gradients: Any, rate: Any) -> Any:
    """Return the parameters after a step against their gradients."""
    return tuple(p - rate * g for p, g in zip(parameters, gradients, strict=True))


def minibatch(digits: Digits, images: Any, labels: Any, index: Any) -> tuple[Any, Any]:
    """Return the images and labels of a minibatch, scaled if they are kept as pixels."""
    jax = load()
    start = index * digits.rows
    x = jax.lax.dynamic_slice_in_dim(images, start, digits.rows)
    y = jax.lax.dynamic_slice_in_dim(labels, start, digits.rows)
    return (x.astype(digits.dtype) / 255 if digits.in_bytes else x), y


def negative_log_likelihood(scores: Any, labels: Any) -> Any:
    """Return the mean over rows."""
    jax = load()
    log_p = jax.nn.log_softmax(scores)
    return -jax.numpy.mean(log_p[jax.numpy.arange(len(labels)), labels])


def _softmax(digits: Digits) -> tuple[Callable[..., Any], Any, Any]:
    """Return a step, the parameters to begin with, and the data.

    Weights lie class by class: XLA's products are faster so.
    """
    jax = load()
    jnp = jax.numpy
    data = jnp.asarray(digits.images), jnp.asarray(digits.labels)
    rate = np.asarray(digits.rate, digits.dtype)

    def cost(parameters: Any, x: Any, y: Any) -> Any:
        w, b = parameters
        return negative_log_likelihood(x @ w.T + b, y)

    def step(parameters: Any, images: Any, labels: Any, index: Any) -> Any:
        x, y = minibatch(digits, images, labels, index)
        value, gradients = jax.value_and_grad(cost)(parameters, x, y)
        return descended(parameters, gradients, rate), (value,)

    zeros = (
        jnp.zeros((digits.classes, digits.features), digits.dtype),
        jnp.zeros(digits.classes, digits.dtype),
    )
    return step, zeros, data


def _by_feature(parameters: Any) -> Any:
    w, b = parameters
    return w.T, b


def softmax_step(digits: Digits) -> Case:
    step, zeros, data = _softmax(digits)
    turns = cycle(range(digits.batches))
    return training(step, zeros, lambda: (*data, next(turns)), _by_feature)


def softmax_epoch(digits: Digits) -> Case:
    step, zeros, data = _softmax(digits)
    jax = load()

    def epoch(parameters: Any, images: Any, labels: Any) -> Any:
        indices = jax.numpy.arange(digits.batches)
        return jax.lax.scan(lambda held, k: step(held, images, labels, k), parameters, indices)

    return training(epoch, zeros, lambda: data, _by_feature)


def _logistic(points: Points, with_rows: bool) -> tuple[Callable[..., Any], Any, Any]:
    """Return a step, the parameters to begin with, and the points."""
    jax = load()
    jnp = jax.numpy
    x, y, start = map(jnp.asarray, points.draw())
    rate = np.asarray(points.rate, points.dtype)

    def cost(parameters: Any, x: Any, y: Any) -> Any:
        w, b = parameters
        z = x @ w + b
        xent = jax.nn.softplus(z) - y * z
        total = jnp.mean(xent) + points.decay * jnp.sum(w * w)
        return total, ((z > 0, xent) if with_rows else (total,))

    def step(parameters: Any, x: Any, y: Any) -> Any:
        gradients, outputs = jax.grad(cost, has_aux=True)(parameters, x, y)
        return descended(parameters, gradients, rate), outputs

    return step, (start, jnp.zeros((), points.dtype)), (x, y)


def logistic_step(points: Points, with_rows: bool) -> Case:
    step, start, data = _logistic(points, with_rows)
    return training(step, start, lambda: data)


def logistic_loop(points: Points, steps: int) -> Case:
    step, start, data = _logistic(points, with_rows=True)
    return training(_repeated(step, steps), start, lambda: data)


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
        return descended(parameters, gradients, line.rate), (value,)

    return step, (jnp.zeros(()), jnp.zeros(())), points


def line_step(line: Line) -> Case:
    step, zeros, points = _line(line)
    return training(step, zeros, lambda: points)


def line_loop(line: Line, steps: int) -> Case:
    step, zeros, points = _line(line)
    return training(_repeated(step, steps), zeros, lambda: points)


def _repeated(step: Callable[..., Any], steps: int) -> Callable[..., Any]:
    """Return a function of many steps on the same data, whose outputs it stacks."""
    jax = load()

    def loop(parameters: Any, *data: Any) -> Any:
        return jax.lax.scan(lambda held, _: step(held, *data), parameters, None, length=steps)

    return loop
