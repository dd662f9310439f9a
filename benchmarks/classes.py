"""Softmax over many classes: the loss and its gradients by what scores are made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from arignote.bench.dialect import Dialect, dialects, one_call
from arignote.bench.result import (
    Goal,
    at_least_of_rate,
    at_most_beside,
    at_most_of_best_peer,
)
from arignote.bench.workload import OURS, Case, Setup, Work, Workload
from arignote.graph import dtypes
from arignote.graph.dtypes import Array
from benchmarks import peers_jax, peers_pytensor, peers_torch

PRODUCTS = "NumPy's products"


@dataclass(frozen=True)
class Scored:
    """Random rows with labels, and weights for each class.

    Attributes
    ----------
    for_x
        Whether the gradient by the rows is computed, too.
    chunk
        Rows that NumPy and PyTorch by hand take at a time.
    dtype
        Of rows and weights.
    """

    rows: int
    features: int
    classes: int
    for_x: bool = True
    chunk: int = 256
    dtype: str = "float32"

    def draw(self) -> tuple[Array, Array, Array]:
        """Return rows, labels and weights."""
        rng = np.random.default_rng(4)
        x = rng.standard_normal((self.rows, self.features), np.float32)
        w = rng.standard_normal((self.features, self.classes), np.float32)
        x /= np.float32(np.sqrt(self.features))
        dtype = dtypes.normalize(self.dtype)
        labels = rng.integers(0, self.classes, self.rows)
        return x.astype(dtype, copy=False), labels, w.astype(dtype, copy=False)

    @property
    def itemsize(self) -> int:
        """Bytes of a number."""
        return np.dtype(dtypes.normalize(self.dtype)).itemsize

    @property
    def work(self) -> Work:
        """A product for the scores and one for each gradient."""
        products = 3 if self.for_x else 2
        size = self.rows * self.features * self.classes
        weights = 2 * self.features * self.classes
        numbers = weights + products * self.rows * self.features
        return Work(self.itemsize * numbers, 2 * products * size)

    @property
    def data(self) -> int:
        """Bytes of rows, labels, weights and gradients."""
        gradients = 2 if self.for_x else 1
        weights = 2 * self.features * self.classes
        return self.itemsize * (weights + gradients * self.rows * self.features) + 8 * self.rows

    @property
    def few(self) -> int:
        """Bytes that a call may need beside the data: 48 MB, and some numbers a row and a class."""
        return 48_000_000 + 16 * (self.rows + self.classes)

    @property
    def sizes(self) -> str:
        """Rows, features and classes in a workload's name."""
        return f"{self.rows:,} × {self.features:,} → {self.classes:,}"

    @property
    def setups(self) -> dict[str, Setup]:
        """Contenders that compute loss and gradients."""
        return {
            OURS: partial(program, dialects()[OURS], self),
            "NumPy in chunks": partial(by_hand, self),
            "JAX": partial(in_jax, self),
            "PyTorch autograd": partial(in_torch, self),
            "PyTorch in chunks": partial(in_torch_by_hand, self),
            "torch.compile": partial(in_torch, self, compiled=True),
        }


def probe(scored: Scored, *goals: Goal) -> Workload:
    """Return the gradient of a layer over features that are given, beside its products alone."""
    pytensor = peers_pytensor.C
    setups: dict[str, Setup] = {
        **scored.setups,
        pytensor: lambda: program(peers_pytensor.dialect(pytensor), scored),
        PRODUCTS: partial(products, scored),
    }
    name = f"linear probe, {scored.sizes}"
    return Workload(name, setups, scored.work, goals, asides=frozenset({PRODUCTS}))


def vocabulary(scored: Scored, *goals: Goal) -> Workload:
    """Return the gradients of a language model's last layer, with the memory that they take."""
    goals = (*goals, at_most_beside(scored.few))
    name = f"vocabulary, {scored.sizes}"
    return Workload(name, scored.setups, scored.work, goals, data=scored.data)


def program(own: Dialect, scored: Scored) -> Case:
    tensor = own.tensor
    x, y, w = tensor.fmatrix("x"), tensor.lvector("y"), tensor.fmatrix("w")
    log_p = tensor.log(own.softmax(tensor.dot(x, w)))
    cost = -tensor.mean(log_p[tensor.arange(y.shape[0]), y])
    outputs = [cost, *own.grad(cost, [w, x] if scored.for_x else [w])]
    return one_call(partial(own.function([x, y, w], outputs), *scored.draw()))


def products(scored: Scored) -> Case:
    """The products alone, which are most of the work; their results are of no use to others."""
    x, _, w = scored.draw()
    scores = np.empty((scored.rows, scored.classes), np.float32)
    gw = np.empty_like(w)

    def call() -> None:
        np.dot(x, w, out=scores)
        np.dot(x.T, scores, out=gw)

    return Case(call)


def by_hand(scored: Scored) -> Case:
    """So many rows at a time go through one buffer, as a careful user would write it."""
    x, y, w = scored.draw()
    chunk = min(scored.chunk, scored.rows)
    scores = np.empty((chunk, scored.classes), np.float32)
    product = np.empty_like(w) if chunk < scored.rows else None
    scale = np.float32(1 / scored.rows)

    def call() -> list[Array]:
        cost, gw, gx = 0.0, np.zeros_like(w), np.empty_like(x)
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
            if product is None:
                np.dot(part.T, z, out=gw)
            else:
                np.add(gw, np.dot(part.T, z, out=product), out=gw)
            if scored.for_x:
                np.dot(z, w.T, out=gx[start : start + chunk])
        return [np.asarray(np.float32(cost) * scale), gw, *([gx] if scored.for_x else [])]

    return one_call(call)


def in_jax(scored: Scored) -> Case:
    jax = peers_jax.load()
    x, y, w = map(jax.numpy.asarray, scored.draw())
    by = (0, 1) if scored.for_x else (0,)

    def cost(w: Any, x: Any) -> Any:
        return peers_jax.negative_log_likelihood(x @ w, y)

    both = jax.jit(jax.value_and_grad(cost, argnums=by))

    def call() -> list[Any]:
        value, gradients = jax.block_until_ready(both(w, x))
        return [value, *gradients]

    return one_call(call)


def in_torch(scored: Scored, compiled: bool = False) -> Case:
    torch = peers_torch.load()
    x, y, w = map(torch.from_numpy, scored.draw())
    by = [w.requires_grad_(), *([x.requires_grad_()] if scored.for_x else [])]

    def loss(x: Any, y: Any, w: Any) -> Any:
        return torch.nn.functional.cross_entropy(x @ w, y)

    computed = torch.compile(loss) if compiled else loss

    def call() -> list[Any]:
        cost = computed(x, y, w)
        return [cost.detach(), *torch.autograd.grad(cost, by)]

    return peers_torch.case(call)


def in_torch_by_hand(scored: Scored) -> Case:
    """So many rows at a time, whose gradients are added up where they are kept."""
    torch = peers_torch.load()
    x, y, w = map(torch.from_numpy, scored.draw())
    chunk = min(scored.chunk, scored.rows)
    scores = torch.empty(chunk, scored.classes)
    scale = 1 / scored.rows
    minus = torch.full((chunk, 1), -scale)

    def call() -> list[Any]:
        cost, gw, gx = torch.zeros(()), torch.zeros_like(w), torch.empty_like(x)
        for part, labels, out in zip(
            *(rows.split(chunk) for rows in (x, y[:, None], gx)), strict=True
        ):
            z = scores[: len(part)]
            torch.mm(part, w, out=z)
            z.sub_(z.amax(1, keepdim=True))
            true = z.gather(1, labels)
            total = z.exp_().sum(1, keepdim=True)
            cost += (total.log() - true).sum()
            z.mul_(scale / total).scatter_add_(1, labels, minus[: len(part)])
            gw.addmm_(part.T, z)
            if scored.for_x:
                torch.mm(z, w.T, out=out)
        return [cost * scale, gw, *([gx] if scored.for_x else [])]

    return peers_torch.case(call)


def workloads(tiny: bool) -> list[Workload]:
    """Return a linear probe and two vocabularies."""
    if tiny:
        return [
            probe(Scored(9, 5, 7, for_x=False, chunk=9)),
            vocabulary(Scored(9, 5, 11, chunk=4)),
        ]
    return [
        probe(
            Scored(1024, 2048, 1000, for_x=False, chunk=1024),
            at_most_of_best_peer(0.93),
            at_least_of_rate(PRODUCTS, 0.85),
        ),
        vocabulary(Scored(2048, 512, 32_000), at_most_of_best_peer(0.85)),
        vocabulary(Scored(1024, 1024, 128_256), at_most_of_best_peer(0.85)),
    ]
