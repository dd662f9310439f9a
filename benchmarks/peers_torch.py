"""The seeds in PyTorch: gradients by its autograd, by hand, and by hand through its compiler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import cycle
from typing import Any, TypeAlias

import numpy as np

from arignote.bench.report import available_cores
from arignote.bench.seeds import Digits, Line, Points
from arignote.bench.workload import Case, Setup

Step: TypeAlias = Callable[..., tuple[Any, ...]]


def load() -> Any:
    """Return the module ``torch``, on all cores that the process may use."""
    torch = import_module("torch")
    torch.set_num_threads(available_cores())
    return torch


@dataclass(frozen=True)
class Way:
    """How a step comes about; by hand, its parameters are plain tensors."""

    autograd: bool = False
    compiled: bool = False

    def choose(self, by_autograd: Step, by_hand: Step) -> Step:
        """Return the step that is timed."""
        if self.autograd:
            return by_autograd
        compiled: Step = load().compile(by_hand) if self.compiled else by_hand
        return compiled


WAYS = {
    "PyTorch autograd": Way(autograd=True),
    "PyTorch by hand": Way(),
    "torch.compile": Way(compiled=True),
}


def setups(step: Callable[..., Case], *arguments: Any) -> dict[str, Setup]:
    """Return how a step is set up in each way."""
    return {name: partial(step, way, *arguments) for name, way in WAYS.items()}


def case(call: Callable[[], Any], *parameters: Any) -> Case:
    """Return a case whose values are a call's and the parameters."""

    def values() -> list[Any]:
        return [np.asarray(value.detach()).copy() for value in (*call(), *parameters)]

    return Case(call, values)


def descend(cost: Any, parameters: tuple[Any, ...], rate: float) -> None:
    """Move parameters against the gradient of a cost, which autograd finds."""
    torch = load()
    gradients = torch.autograd.grad(cost, parameters)
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.sub_(gradient, alpha=rate)


def minibatches(digits: Digits, step: Step) -> Callable[[], tuple[Any, ...]]:
    """Return a call that steps to the next minibatch; its images and labels are views."""
    torch = load()
    images, labels = torch.from_numpy(digits.images), torch.from_numpy(digits.labels).long()
    views = cycle(zip(images.split(digits.rows), labels.split(digits.rows), strict=True))
    return lambda: step(*next(views))


def softmax_step(way: Way, digits: Digits) -> Case:
    """Weights lie as in ``torch.nn.Linear``, class by class: the products are faster so."""
    torch = load()
    functional = torch.nn.functional
    zeros = partial(torch.zeros, dtype=getattr(torch, digits.dtype), requires_grad=way.autograd)
    w, b = zeros((digits.classes, digits.features)), zeros(digits.classes)
    minus = torch.full((digits.rows, 1), -1.0, dtype=w.dtype)
    scale = digits.rate / digits.rows

    def by_autograd(x: Any, y: Any) -> tuple[Any, ...]:
        cost = functional.cross_entropy(functional.linear(x, w, b), y)
        descend(cost, (w, b), digits.rate)
        return (cost,)

    def by_hand(x: Any, y: Any) -> tuple[Any, ...]:
        log_p = torch.log_softmax(functional.linear(x, w, b), 1)
        cost = functional.nll_loss(log_p, y)
        dz = log_p.exp_().scatter_add_(1, y[:, None], minus)
        w.addmm_(dz.T, x, alpha=-scale)
        b.sub_(dz.sum(0), alpha=scale)
        return (cost,)

    return case(minibatches(digits, way.choose(by_autograd, by_hand)), w.T, b)


def logistic_step(way: Way, points: Points, with_rows: bool) -> Case:
    torch = load()
    x, y, w = map(torch.from_numpy, points.draw())
    w.requires_grad_(way.autograd)
    b = torch.zeros(1, dtype=x.dtype, requires_grad=way.autograd)
    cross_entropy = torch.nn.functional.binary_cross_entropy_with_logits
    rate, per_row = points.rate, points.rate / points.rows

    def by_autograd(x: Any, y: Any) -> tuple[Any, ...]:
        z = x @ w + b
        xent = cross_entropy(z, y, reduction="none")
        cost = xent.mean() + points.decay * w.dot(w)
        descend(cost, (w, b), rate)
        return (z > 0, xent) if with_rows else (cost,)

    def by_hand(x: Any, y: Any) -> tuple[Any, ...]:
        z = x.mv(w).add_(b)
        xent = cross_entropy(z, y, reduction="none")
        outputs = (z > 0, xent) if with_rows else (xent.mean() + points.decay * w.dot(w),)
        dz = z.sigmoid_().sub_(y)
        w.mul_(1 - 2 * rate * points.decay).addmv_(x.T, dz, alpha=-per_row)
        b.sub_(dz.sum(), alpha=per_row)
        return outputs

    return case(partial(way.choose(by_autograd, by_hand), x, y), w, b.view(()))


def line_step(way: Way, line: Line) -> Case:
    """Parameters are vectors of one element: the compiler loses updates of scalars."""
    torch = load()
    x, y = map(torch.from_numpy, line.draw())
    zeros = partial(torch.zeros, 1, dtype=x.dtype, requires_grad=way.autograd)
    m, c = zeros(), zeros()
    per_point = line.rate / len(x)

    def by_autograd(x: Any, y: Any) -> tuple[Any, ...]:
        residual = x * m + c - y
        cost = residual.dot(residual) / (2 * len(x))
        descend(cost, (m, c), line.rate)
        return (cost,)

    def by_hand(x: Any, y: Any) -> tuple[Any, ...]:
        residual = torch.addcmul(c, x, m).sub_(y)
        cost = residual.dot(residual) / (2 * len(x))
        m.sub_(residual.dot(x), alpha=per_point)
        c.sub_(residual.sum(), alpha=per_point)
        return (cost,)

    return case(partial(way.choose(by_autograd, by_hand), x, y), m.view(()), c.view(()))
