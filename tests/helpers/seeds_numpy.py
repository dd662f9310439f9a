"""The four seed programs as plain NumPy loops with gradients derived by hand.

Nothing of arignote enters, so that what leaves can be held against it. Probabilities and losses are
computed in the forms that neither overflow nor cancel, and every step uses the old parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Pair = tuple[Array, Array]


@dataclass
class SoftmaxRun:
    """What :func:`logistic_sgd` found; errors are fractions, epochs count from 1.

    ``checks`` holds (epoch, validation error) of every validation, ``improvements`` (epoch, test
    error) of those that were the best so far, ``costs`` the mean negative log-likelihood of every
    minibatch; the parameters are those of the best model and the last ones.
    """

    best_validation_error: float = np.inf
    test_error: float = np.inf
    best_epoch: int = 0
    epochs: int = 0
    checks: list[tuple[int, float]] = field(default_factory=list)
    improvements: list[tuple[int, float]] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    best_parameters: Pair = (np.empty(0), np.empty(0))
    parameters: Pair = (np.empty(0), np.empty(0))


@dataclass(frozen=True)
class Schedule:
    """The tutorial's numbers."""

    batch_size: int = 600
    rate: float = 0.13
    n_epochs: int = 1000
    patience: int = 5000
    patience_increase: int = 2
    improvement_threshold: float = 0.995


def softmax_step(x: Array, y: Array, w: Array, b: Array, rate: float) -> tuple[Array, Array, float]:
    """Return the parameters after one step of gradient descent, and the cost before it."""
    rows = np.arange(len(y))
    z = x @ w + b
    z -= z.max(axis=1, keepdims=True)
    exp_z = np.exp(z)
    total = exp_z.sum(axis=1, keepdims=True)
    cost = float(np.mean(np.log(total[:, 0]) - z[rows, y]))
    dz = exp_z / total
    dz[rows, y] -= 1
    dz /= len(y)
    scale = w.dtype.type(rate)
    return w - scale * (x.T @ dz), b - scale * dz.sum(axis=0), cost


def error_rate(pair: Pair, w: Array, b: Array, batch_size: int) -> float:
    """Return the mean over whole minibatches of the share of wrong labels in each."""
    images, labels = pair
    used = len(labels) // batch_size * batch_size
    wrong = np.argmax(images[:used] @ w + b, axis=1) != labels[:used]
    # Ties between epochs are decided by the last bit, so this is the tutorial's mean of means.
    return float(wrong.reshape(-1, batch_size).mean(axis=1).mean())


def logistic_sgd(
    data: tuple[Pair, Pair, Pair], dtype: npt.DTypeLike, schedule: Schedule = Schedule()
) -> SoftmaxRun:
    """Train softmax regression with the tutorial's early stopping."""
    train, valid, test = ((np.asarray(x, dtype), np.asarray(y)) for x, y in data)
    size = schedule.batch_size
    n_batches = len(train[1]) // size
    patience = schedule.patience
    frequency = min(n_batches, patience // 2)
    n_classes = int(max(labels.max() for _, labels in (train, valid, test))) + 1
    w, b = np.zeros((train[0].shape[1], n_classes), dtype), np.zeros(n_classes, dtype)
    run = SoftmaxRun()
    for iteration in range(schedule.n_epochs * n_batches):
        epoch, index = divmod(iteration, n_batches)
        rows = slice(index * size, (index + 1) * size)
        w, b, cost = softmax_step(train[0][rows], train[1][rows], w, b, schedule.rate)
        run.costs.append(cost)
        run.epochs = epoch + 1
        if (iteration + 1) % frequency == 0:
            error = error_rate(valid, w, b, size)
            run.checks.append((epoch + 1, error))
            if error < run.best_validation_error:
                if error < run.best_validation_error * schedule.improvement_threshold:
                    patience = max(patience, iteration * schedule.patience_increase)
                run.best_validation_error, run.best_epoch = error, epoch + 1
                run.test_error = error_rate(test, w, b, size)
                run.improvements.append((epoch + 1, run.test_error))
                run.best_parameters = (w, b)
        if patience <= iteration:
            break
    run.parameters = (w, b)
    return run


def softplus(z: Array) -> Array:
    """Return log(1 + exp(z)) without overflow."""
    value: Array = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
    return value


def sigmoid(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)) without overflow."""
    small = np.exp(-np.abs(z))
    p: Array = np.where(z >= 0, 1, small) / (1 + small)
    return p


@dataclass(frozen=True)
class BinaryRun:
    """Parameters after the last step; prediction, loss per row and cost from before it."""

    w: Array
    b: Array
    prediction: Array
    xent: Array
    costs: Array


def binary_logistic(
    data: Pair,
    start: tuple[Array, float],
    steps: int = 10000,
    dtype: npt.DTypeLike = "float64",
) -> BinaryRun:
    """Train logistic regression on all rows, L2 0.01 on the weights, rate 0.1; see seed 001."""
    x, y, w = (np.array(array, dtype) for array in (*data, start[0]))
    b = w.dtype.type(start[1])
    decay, rate = (w.dtype.type(number) for number in (0.01, 0.1))
    prediction, xent, costs = np.zeros(len(y), bool), np.zeros(len(y), w.dtype), []
    for _ in range(steps):
        z = x @ w + b
        p = sigmoid(z)
        prediction, xent = p > 0.5, y * softplus(-z) + (1 - y) * softplus(z)
        costs.append(xent.mean() + decay * (w * w).sum())
        dz = (p - y) / w.dtype.type(len(y))
        gw, gb = dz @ x + (decay + decay) * w, dz.sum()
        w, b = w - rate * gw, b - rate * gb
    return BinaryRun(w, np.asarray(b), prediction, xent, np.asarray(costs))


def notebook_logistic(
    data: Pair,
    start: tuple[Array, float],
    steps: int = 10001,
    dtype: npt.DTypeLike = "float64",
) -> tuple[BinaryRun, list[tuple[int, float]]]:
    """Train as seed 002 does: return the run, and the cost at every 1000th iteration."""
    run = binary_logistic(data, start, steps, dtype)
    return run, [(i, float(run.costs[i])) for i in range(0, steps, 1000)]


@dataclass(frozen=True)
class LineRun:
    """Slope and intercept after the last step, the cost before every step."""

    m: Array
    c: Array
    costs: Array


def linear_regression(
    data: Pair,
    start: tuple[float, float],
    steps: int = 10000,
    rate: float = 0.01,
    dtype: npt.DTypeLike = "float64",
) -> LineRun:
    """Fit y = m x + c by gradient descent on half the mean squared error; see seed 003."""
    x, y = (np.asarray(array, dtype) for array in data)
    scalar = x.dtype.type
    m, c, costs = scalar(start[0]), scalar(start[1]), []
    n, step = scalar(len(x)), scalar(rate)
    for _ in range(steps):
        residual = x * m + c - y
        costs.append((residual * residual).sum() / (n + n))
        m, c = m - step * ((residual * x).sum() / n), c - step * (residual.sum() / n)
    return LineRun(np.asarray(m), np.asarray(c), np.asarray(costs))
