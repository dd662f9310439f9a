"""Softmax over many classes: the loss and its gradients by what scores are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import arignote
import arignote.tensor as T
from arignote.bench.result import Goal, at_least_of_roofline, at_most_of_best_peer
from arignote.bench.workload import OURS, Case, Setup, Work, Workload
from arignote.graph.dtypes import Array
from benchmarks import peers_jax, peers_torch


@dataclass(frozen=True)
class Scored:
    """Random rows with labels, and weights for each class.

    Attributes
    ----------
    for_x
        Whether the gradient by the rows is computed, too.
    chunk
        Rows that NumPy takes at a time.
    """

    rows: int
    features: int
    classes: int
    for_x: bool = True
    chunk: int = 256

    def draw(self) -> tuple[Array, Array, Array]:
        """Return rows, labels and weights."""
        rng = np.random.default_rng(4)
        x = rng.standard_normal((self.rows, self.features), np.float32)
        w = rng.standard_normal((self.features, self.classes), np.float32)
        return x / np.float32(np.sqrt(self.features)), rng.integers(0, self.classes, self.rows), w

    def workload(self, name: str, *goals: Goal) -> Workload:
        """Return the workload: a product for the scores and one for each gradient."""
        products = 3 if self.for_x else 2
        size = self.rows * self.features * self.classes
        weights = 2 * self.features * self.classes
        rows = products * self.rows * self.features
        setups: dict[str, Setup] = {
            OURS: partial(ours, self),
            "NumPy in chunks": partial(by_hand, self),
            "JAX": partial(in_jax, self),
            "PyTorch autograd": partial(in_torch, self),
        }
        return Workload(name, setups, Work(4 * (weights + rows), 2 * products * size), goals)


def _case(call: Callable[[], Any]) -> Case:
    return Case(call, lambda: [np.asarray(value) for value in call()])


def ours(scored: Scored) -> Case:
    x, y, w = T.fmatrix("x"), T.lvector("y"), T.fmatrix("w")
    log_p = T.log(T.nnet.softmax(T.dot(x, w)))
    cost = -T.mean(log_p[T.arange(y.shape[0]), y])
    f = arignote.function([x, y, w], [cost, *T.grad(cost, [w, x] if scored.for_x else [w])])
    return _case(partial(f, *scored.draw()))


def by_hand(scored: Scored) -> Case:
    """So many rows at a time go through one buffer, as a careful user would write it."""
    x, y, w = scored.draw()
    chunk = min(scored.chunk, scored.rows)
    scores = np.empty((chunk, scored.classes), np.float32)
    scale = np.float32(1 / scored.rows)

    def call() -> list[Array]:
        cost, gw, product = 0.0, np.zeros_like(w), np.empty_like(w)
        gx = np.empty_like(x)
        for start in range(0, scored.rows, chunk):
            part, labels = x[start : start + chunk], y[start : start + chunk]
            z, own = scores[: len(part)], np.arange(len(part))
            np.dot(part, w, out=z)
            np.subtract(z, z.max(axis=1, keepdims=True), out=z)
            true = z[own, labels]
            np.exp(z, out=z)
            total = z.sum(axis=1, keepdims=True)
            cost += float(np.sum(np.log(total[:, 0]) - true))
            np.multiply(z, scale / total, out=z)
            z[own, labels] -= scale
            np.dot(part.T, z, out=product)
            np.add(gw, product, out=gw)
            if scored.for_x:
                np.dot(z, w.T, out=gx[start : start + chunk])
        return [np.float32(cost) * scale, gw, *([gx] if scored.for_x else [])]

    return _case(call)


def in_jax(scored: Scored) -> Case:
    jax = peers_jax.load()
    jnp = jax.numpy
    x, y, w = map(jnp.asarray, scored.draw())

    def cost(w: Any, x: Any) -> Any:
        log_p = jax.nn.log_softmax(x @ w)
        return -jnp.mean(log_p[jnp.arange(scored.rows), y])

    by = (0, 1) if scored.for_x else (0,)
    both = peers_jax.jitted(jax.value_and_grad(cost, argnums=by))

    def call() -> list[Any]:
        value, gradients = both(w, x)
        return [value, *gradients]

    return _case(call)


def in_torch(scored: Scored) -> Case:
    torch = peers_torch.load()
    x, y, w = map(torch.from_numpy, scored.draw())
    by = [w.requires_grad_(), *([x.requires_grad_()] if scored.for_x else [])]

    def call() -> list[Any]:
        cost = torch.nn.functional.cross_entropy(x @ w, y)
        return [cost.detach(), *torch.autograd.grad(cost, by)]

    return _case(call)


def workloads(tiny: bool) -> list[Workload]:
    """Return a linear probe and two vocabularies."""
    if tiny:
        return [
            Scored(9, 5, 7, for_x=False).workload("linear probe"),
            Scored(9, 5, 11, chunk=4).workload("vocabulary"),
        ]
    fast = (at_most_of_best_peer(0.85),)
    return [
        Scored(1024, 2048, 1000, for_x=False, chunk=1024).workload(
            "linear probe, 1,024 × 2,048 → 1,000",
            at_most_of_best_peer(0.93),
            at_least_of_roofline(0.85),
        ),
        Scored(2048, 512, 32_000).workload("vocabulary, 2,048 × 512 → 32,000", *fast),
        Scored(1024, 1024, 128_256).workload("vocabulary, 1,024 × 1,024 → 128,256", *fast),
    ]
