"""The seeds by hand in NumPy: every buffer reused, every update in place."""

from __future__ import annotations

from itertools import cycle

import numpy as np

from arignote.bench.seeds import Digits, Line, Points
from arignote.bench.workload import Case
from arignote.graph.dtypes import Array


def softmax_step(digits: Digits) -> Case:
    """Scores and weights lie class by class: sums over classes go along whole vectors."""
    images, labels = digits.images, digits.labels
    w = np.zeros((digits.classes, digits.features), digits.dtype)
    b = np.zeros((digits.classes, 1), digits.dtype)
    scores = np.empty((digits.rows, digits.classes), digits.dtype)
    z = np.empty((digits.classes, digits.rows), digits.dtype)
    gw = np.empty_like(w)
    rows = np.arange(digits.rows)
    scale = z.dtype.type(digits.rate / digits.rows)
    turns = cycle(range(digits.batches))

    def step() -> Array:
        start = next(turns) * digits.rows
        x, y = images[start : start + digits.rows], labels[start : start + digits.rows]
        np.dot(x, w.T, out=scores)
        np.add(scores.T, b, out=z)
        np.subtract(z, z.max(axis=0), out=z)
        own = z[y, rows]
        np.exp(z, out=z)
        total = z.sum(axis=0)
        cost = np.mean(np.log(total) - own)
        np.multiply(z, scale / total, out=z)
        z[y, rows] -= scale
        np.dot(z, x, out=gw)
        np.subtract(w, gw, out=w)
        np.subtract(b, z.sum(axis=1, keepdims=True), out=b)
        return np.asarray(cost)

    return Case(step, lambda: [step(), w.T.copy(), b[:, 0].copy()])


def logistic_step(points: Points, with_rows: bool) -> Case:
    x, y, w = points.draw()
    scalar = w.dtype.type
    b = np.zeros((), points.dtype)
    decay, rate, per_row = scalar(points.decay), scalar(points.rate), scalar(1 / points.rows)

    def step() -> list[Array]:
        z = x @ w + b
        small = np.exp(-np.abs(z))
        p = np.where(z >= 0, 1, small) / (1 + small)
        xent = np.maximum(z, 0) - y * z + np.log1p(small)
        outputs = [p > 0.5, xent]
        if not with_rows:
            outputs = [np.asarray(xent.mean() + decay * w.dot(w))]
        dz = (p - y) * per_row
        gw = dz @ x
        gw += 2 * decay * w
        np.subtract(w, rate * gw, out=w)
        np.subtract(b, rate * dz.sum(), out=b)
        return outputs

    return Case(step, lambda: [*step(), w, b])


def line_step(line: Line) -> Case:
    x, y = line.draw()
    m = c = np.float64(0)
    rate, per_point = line.rate, 1 / len(x)

    def step() -> Array:
        nonlocal m, c
        residual = x * m + c - y
        cost = residual.dot(residual) * (per_point / 2)
        m, c = m - rate * (residual.dot(x) * per_point), c - rate * (residual.sum() * per_point)
        return np.asarray(cost)

    return Case(step, lambda: [step(), np.asarray(m), np.asarray(c)])
