"""The seeds in PyTorch: gradients by its autograd, by hand, and by hand through its compiler."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from itertools import cycle
from typing import Any, TypeAlias

import numpy as np

from arignote.bench.report import available_cores
from arignote.bench.seeds import Digits, Line, Points
from arignote.bench.workload import Case, Setup

Way: TypeAlias = Callable[[Any, Callable[..., Any], Callable[..., Any]], Callable[..., Any]]
"""From the module, a step that uses autograd and one by hand to the step that is timed."""


def load() -> Any:
    """Return the module ``torch``, on all cores that the process may use."""
    torch = import_module("torch")
    torch.set_num_threads(available_cores())
    return torch


def without_gradients(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function; its call records nothing for autograd."""
    wrapped: Callable[..., Any] = load().inference_mode()(function)
    return wrapped


def _autograd(torch: Any, by_autograd: Callable[..., Any], by_hand: object) -> Callable[..., Any]:
    del torch, by_hand
    return by_autograd


def _by_hand(torch: Any, by_autograd: object, by_hand: Callable[..., Any]) -> Callable[..., Any]:
    del by_autograd
    wrapped: Callable[..., Any] = torch.no_grad()(by_hand)
    return wrapped


def _compiled(torch: Any, by_autograd: object, by_hand: Callable[..., Any]) -> Callable[..., Any]:
    return _by_hand(torch, by_autograd, torch.compile(by_hand))


WAYS: dict[str, Way] = {
    "PyTorch autograd": _autograd,
    "PyTorch by hand": _by_hand,
    "torch.compile": _compiled,
}


def setups(step: Callable[..., Case], *arguments: Any) -> dict[str, Setup]:
    """Return how a step is set up in each way."""
    return {name: partial(step, way, *arguments) for name, way in WAYS.items()}


def _case(call: Callable[[], Any], *parameters: Any) -> Case:
    def values() -> list[Any]:
        return [np.asarray(value.detach()).copy() for value in (*call(), *parameters)]

    return Case(call, values)


def softmax_step(way: Way, digits: Digits) -> Case:
    torch = load()
    images, labels = torch.from_numpy(digits.images), torch.from_numpy(digits.labels).long()
    w = torch.zeros((digits.features, digits.classes), dtype=images.dtype, requires_grad=True)
    b = torch.zeros(digits.classes, dtype=images.dtype, requires_grad=True)
    rows = torch.arange(digits.rows)
    turns = cycle(range(digits.batches))

    def by_autograd(x: Any, y: Any) -> Any:
        cost = torch.nn.functional.cross_entropy(torch.addmm(b, x, w), y)
        gw, gb = torch.autograd.grad(cost, (w, b))
        with torch.no_grad():
            w.sub_(gw, alpha=digits.rate)
            b.sub_(gb, alpha=digits.rate)
        return (cost,)

    def by_hand(x: Any, y: Any) -> Any:
        log_p = torch.log_softmax(torch.addmm(b, x, w), 1)
        cost = -log_p[rows, y].mean()
        dz = log_p.exp_()
        dz[rows, y] -= 1
        scale = digits.rate / digits.rows
        w.addmm_(x.T, dz, alpha=-scale)
        b.sub_(dz.sum(0), alpha=scale)
        return (cost,)

    step = way(torch, by_autograd, by_hand)

    def call() -> Any:
        start = next(turns) * digits.rows
        return step(images[start : start + digits.rows], labels[start : start + digits.rows])

    return _case(call, w, b)


def logistic_step(way: Way, points: Points, with_rows: bool) -> Case:
    torch = load()
    x, y, w = map(torch.from_numpy, points.draw())
    w = w.requires_grad_()
    b = torch.zeros((), dtype=x.dtype, requires_grad=True)
    cross_entropy = torch.nn.functional.binary_cross_entropy_with_logits

    def by_autograd(x: Any, y: Any) -> Any:
        z = x @ w + b
        xent = cross_entropy(z, y, reduction="none")
        cost = xent.mean() + points.decay * (w * w).sum()
        gw, gb = torch.autograd.grad(cost, (w, b))
        with torch.no_grad():
            w.sub_(gw, alpha=points.rate)
            b.sub_(gb, alpha=points.rate)
        return (z > 0, xent) if with_rows else (cost,)

    def by_hand(x: Any, y: Any) -> Any:
        z = x @ w + b
        xent = cross_entropy(z, y, reduction="none")
        outputs = (z > 0, xent) if with_rows else (xent.mean() + points.decay * w.dot(w),)
        dz = (torch.sigmoid(z) - y) / points.rows
        gw = dz @ x + (2 * points.decay) * w
        w.sub_(gw, alpha=points.rate)
        b.sub_(dz.sum(), alpha=points.rate)
        return outputs

    return _case(partial(way(torch, by_autograd, by_hand), x, y), w, b)


def line_step(way: Way, line: Line) -> Case:
    torch = load()
    x, y = map(torch.from_numpy, line.draw())
    m = torch.zeros((), dtype=x.dtype, requires_grad=True)
    c = torch.zeros((), dtype=x.dtype, requires_grad=True)
    points = len(x)

    def by_autograd(x: Any, y: Any) -> Any:
        cost = ((x * m + c - y) ** 2).sum() / (2 * points)
        gm, gc = torch.autograd.grad(cost, (m, c))
        with torch.no_grad():
            m.sub_(gm, alpha=line.rate)
            c.sub_(gc, alpha=line.rate)
        return (cost,)

    def by_hand(x: Any, y: Any) -> Any:
        residual = x * m + c - y
        cost = residual.dot(residual) / (2 * points)
        m.sub_(residual.dot(x), alpha=line.rate / points)
        c.sub_(residual.sum(), alpha=line.rate / points)
        return (cost,)

    return _case(partial(way(torch, by_autograd, by_hand), x, y), m, c)
