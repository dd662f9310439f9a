"""Models with row blocks that compute one number for each row, or a few."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import arignote as theano
import arignote.tensor as T
from helpers.programs import Program
from helpers.row_setting import CLASSES, Setting, descent, loss_model, mean, model
from helpers.values import Array


def _regression(of: Setting, loss: Callable[[Any, Any], Any], targets: Array) -> Program:
    x, t = of.matrix(), of.vector()
    w, b = of.shared("w", of.features), theano.shared(np.asarray(0.25, of.dtype), "b")
    cost = of.cost_of(loss(T.dot(x, w) + b, t), mean)
    return Program([x, t], cost, [of.x, targets.astype(of.dtype)], descent(cost, [w, b]))


@loss_model
def logistic(of: Setting) -> Program:
    def loss(z: Any, t: Any) -> Any:
        p = 1 / (1 + T.exp(-z))
        return -t * T.log(p) - (1 - t) * T.log(1 - p)

    return _regression(of, loss, of.labels > 0)


@model
def logistic_with_outputs(of: Setting) -> Program:
    """The prediction and the loss of each row."""
    x, t = of.matrix(), of.vector()
    w = of.shared("w", of.features)
    p = 1 / (1 + T.exp(-T.dot(x, w)))
    losses = -t * T.log(p) - (1 - t) * T.log(1 - p)
    arguments = [of.x, (of.labels > 0).astype(of.dtype)]
    return Program([x, t], [p > 0.5, losses], arguments, descent(mean(losses), [w]))


@model
def parameters_first(of: Setting) -> Program:
    """A product with the transpose of the data."""
    x, t = of.matrix(), of.vector()
    w = of.shared("w", of.features)
    cost = mean((T.dot(w, x.T) - t) ** 2)
    return Program([x, t], cost, [of.x, of.real(of.rows, seed=5)], descent(cost, [w]))


@model
def column_of_parameters(of: Setting) -> Program:
    """A matrix of parameters with one column, which the program takes out of the product."""
    x, t = of.matrix(), of.vector()
    w = of.shared("W", of.features, 1)
    cost = mean(T.nnet.softplus(T.dot(x, w)[:, 0]) - t)
    return Program([x, t], cost, [of.x, of.real(of.rows, seed=5)], descent(cost, [w]))


@model
def two_kinds_of_features(of: Setting) -> Program:
    """Each kind is multiplied by its own parameters."""
    x, u, t = of.matrix(), of.matrix("u"), of.vector()
    w, v = of.shared("w", of.features), of.shared("v", CLASSES)
    cost = mean((T.dot(x, w) + T.dot(u, v) - t) ** 2)
    others = of.real(of.rows, CLASSES, seed=6)
    arguments = [of.x, others, of.real(of.rows, seed=5)]
    return Program([x, u, t], cost, arguments, descent(cost, [w, v]))


@model
def joined_features(of: Setting) -> Program:
    """Bytes, and a column of ones in place of a bias, beside the other features."""
    x, pixels, t = of.matrix(), T.bmatrix("pixels"), of.vector()
    w = of.shared("w", of.features + CLASSES + 1)
    ones = T.ones((x.shape[0], 1), dtype=of.dtype)
    joined = T.concatenate([x, T.cast(pixels, of.dtype), ones], axis=1)
    cost = mean((T.dot(joined, w) - t) ** 2)
    bits = np.random.default_rng(6).integers(-1, 2, (of.rows, CLASSES)).astype("int8")
    arguments = [of.x, bits, of.real(of.rows, seed=5)]
    return Program([x, pixels, t], cost, arguments, descent(cost, [w]))


@loss_model
def cross_entropy(of: Setting) -> Program:
    return _regression(
        of, lambda z, t: T.nnet.binary_crossentropy(T.nnet.sigmoid(z), t), of.labels > 0
    )


@loss_model
def signed_labels(of: Setting) -> Program:
    return _regression(of, lambda z, t: T.log(1 + T.exp(-t * z)), np.sign(of.labels - 0.5))


@loss_model
def hinge(of: Setting) -> Program:
    return _regression(of, lambda z, t: T.maximum(0, 1 - t * z), np.sign(of.labels - 0.5))


@loss_model
def squares(of: Setting) -> Program:
    return _regression(of, lambda z, t: (z - t) ** 2, of.real(of.rows, seed=5))


@loss_model
def absolute(of: Setting) -> Program:
    return _regression(of, lambda z, t: abs(z - t), of.real(of.rows, seed=5))


@loss_model
def huber(of: Setting) -> Program:
    def loss(z: Any, t: Any) -> Any:
        half, error = np.asarray(0.5, of.dtype), abs(z - t)
        return T.switch(error < 1, half * error**2, error - half)

    return _regression(of, loss, of.real(of.rows, seed=5))


@loss_model
def softplus(of: Setting) -> Program:
    return _regression(of, lambda z, t: T.nnet.softplus(z) - t * z, of.labels > 0)


@loss_model
def poisson(of: Setting) -> Program:
    return _regression(of, lambda z, t: T.exp(z) - t * z, np.abs(of.labels))


@loss_model
def squares_of_several(of: Setting) -> Program:
    x, t = of.matrix(), of.matrix("t")
    w = of.shared("W", of.features, CLASSES)
    cost = of.cost_of(T.sum((T.dot(x, w) - t) ** 2, axis=1), mean)
    return Program([x, t], cost, [of.x, of.real(of.rows, CLASSES, seed=5)], descent(cost, [w]))
