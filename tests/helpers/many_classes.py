"""Losses of scores for many classes as users spell them, and the same by a loop in float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

import arignote as theano
import arignote.tensor as T
from arignote.run.function import Function
from helpers.values import Array

IGNORED: Final = -100
SMOOTHING: Final = 0.1


@dataclass(frozen=True)
class Problem:
    """Rows of features with a label and a weight each, and the parameters of their scores."""

    x: Array
    labels: Array
    weights: Array
    w: Array
    b: Array

    @property
    def arguments(self) -> list[Array]:
        return [self.x, self.labels, self.weights, self.w, self.b]


def draw(rows: int, features: int, classes: int, dtype: str) -> Problem:
    """Return a random problem; every fifth label is to be ignored by losses that do so."""
    rng = np.random.default_rng(3)

    def real(*shape: int) -> Array:
        return rng.normal(size=shape).astype(dtype)

    labels = rng.integers(0, classes, rows)
    weights = (rng.random(rows) + 0.5).astype(dtype)
    return Problem(real(rows, features), labels, weights, real(features, classes), real(classes))


def _selected(scores: Any, y: Any) -> Any:
    return -T.log(T.nnet.softmax(scores))[T.arange(y.shape[0]), y]


def _mean(scores: Any, y: Any, weights: Any) -> Any:
    return T.mean(_selected(scores, y))


def _cross_entropy(scores: Any, y: Any, weights: Any) -> Any:
    return T.nnet.categorical_crossentropy(T.nnet.softmax(scores), y).mean()


def _weighted(scores: Any, y: Any, weights: Any) -> Any:
    return T.sum(weights * _selected(scores, y)) / T.sum(weights)


def _masked(scores: Any, y: Any, weights: Any) -> Any:
    """Labels that are to be ignored are valid indices."""
    kept = T.neq(y % 5, 0)
    return T.sum(T.switch(kept, _selected(scores, y), 0)) / T.sum(kept).astype(scores.dtype)


def _ignoring(scores: Any, y: Any, weights: Any) -> Any:
    """Labels that are to be ignored are out of range, and replaced before they are used."""
    labels = T.switch(T.eq(y % 5, 0), IGNORED, y)
    kept = T.neq(labels, IGNORED)
    losses = _selected(scores, T.switch(kept, labels, 0))
    return T.sum(kept * losses) / T.sum(kept).astype(scores.dtype)


def _smoothed(scores: Any, y: Any, weights: Any) -> Any:
    log_p = T.nnet.logsoftmax(scores)
    eps = np.asarray(SMOOTHING, scores.dtype)
    return T.mean(-(1 - eps) * log_p[T.arange(y.shape[0]), y] - eps * log_p.mean(axis=1))


def _of_all_classes(scores: Any, y: Any, weights: Any) -> Any:
    return -T.mean(T.nnet.logsoftmax(scores))


def _weighted_classes(scores: Any, y: Any, weights: Any) -> Any:
    """Each class counts by a constant of its own."""
    row = T.cast(1 + T.arange(scores.shape[1]) % 3, scores.dtype)
    return -T.mean(T.sum(row * T.nnet.logsoftmax(scores), axis=1))


LOSSES: Final[dict[str, Callable[[Any, Any, Any], Any]]] = {
    "mean": _mean,
    "categorical_crossentropy": _cross_entropy,
    "weights": _weighted,
    "mask": _masked,
    "labels out of range": _ignoring,
    "label smoothing": _smoothed,
    "all classes": _of_all_classes,
    "weighted classes": _weighted_classes,
}


def compiled(loss: str, dtype: str, gradients: bool, mode: Any = None) -> Function:
    """Return a function of a problem's arguments: the loss, then its gradients by W, b and x."""
    x, y = T.matrix("x", dtype=dtype), T.lvector("y")
    weights = T.vector("weights", dtype=dtype)
    w, b = T.matrix("W", dtype=dtype), T.vector("b", dtype=dtype)
    cost = LOSSES[loss](T.dot(x, w) + b, y, weights)
    outputs = [cost, *(T.grad(cost, [w, b, x]) if gradients else [])]
    return theano.function([x, y, weights, w, b], outputs, mode=mode, on_unused_input="ignore")


def _targets(loss: str, label: int, classes: int) -> Array:
    """Return what the logarithms of one row's softmax are weighted with."""
    if loss == "weighted classes":
        return 1.0 + np.arange(classes) % 3
    rest = {"label smoothing": SMOOTHING, "all classes": 1.0}.get(loss, 0.0)
    targets = np.full(classes, rest / classes)
    targets[label] += 1 - rest
    return targets


def by_hand(loss: str, problem: Problem) -> list[Array]:
    """Return the loss and its gradients by W, b and x."""
    x, w, b = (array.astype("float64") for array in (problem.x, problem.w, problem.b))
    each = problem.weights.astype("float64") if loss == "weights" else np.ones(len(x))
    if loss in ("mask", "labels out of range"):
        each = (problem.labels % 5 != 0).astype("float64")
    cost, gw, gb, gx = 0.0, np.zeros_like(w), np.zeros_like(b), np.empty_like(x)
    for i, (weight, label) in enumerate(zip(each / each.sum(), problem.labels, strict=True)):
        scores = x[i] @ w + b
        scores -= scores.max()
        log_p = scores - np.log(np.exp(scores).sum())
        targets = _targets(loss, label, len(b))
        cost -= weight * (targets @ log_p)
        by_scores = weight * (np.exp(log_p) * targets.sum() - targets)
        gw += np.outer(x[i], by_scores)
        gb += by_scores
        gx[i] = w @ by_scores
    return [np.asarray(cost), gw, gb, gx]
