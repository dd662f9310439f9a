"""Models with row blocks that tell classes apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import arignote as theano
import arignote.tensor as T
from arignote.graph.type import TensorType
from arignote.graph.variable import SharedVariable
from helpers.programs import Program
from helpers.row_setting import CLASSES, Setting, descent, loss_model, mean, model
from helpers.values import Array


def likelihood(scores: Any, y: Any) -> Any:
    """Return the mean negative log-likelihood of labels."""
    return -mean(T.log(T.nnet.softmax(scores))[T.arange(y.shape[0]), y])


def _classifier(of: Setting, bias: bool = True) -> tuple[Any, Any, Any, list[SharedVariable]]:
    x, y = of.matrix(), T.lvector("y")
    parameters = [of.shared("W", of.features, CLASSES)]
    scores = T.dot(x, parameters[0])
    if bias:
        parameters.append(of.shared("b", CLASSES))
        scores = scores + parameters[1]
    return x, y, scores, parameters


@model
def softmax(of: Setting) -> Program:
    x, y, scores, parameters = _classifier(of)
    cost = likelihood(scores, y)
    return Program([x, y], cost, [of.x, of.labels], descent(cost, parameters))


@model
def softmax_without_bias(of: Setting) -> Program:
    x, y, scores, parameters = _classifier(of, bias=False)
    cost = likelihood(scores, y)
    return Program([x, y], cost, [of.x, of.labels], descent(cost, parameters))


@model
def softmax_with_errors(of: Setting) -> Program:
    """The number of errors beside the cost."""
    x, y, scores, parameters = _classifier(of)
    cost = likelihood(scores, y)
    errors = T.sum(T.neq(T.argmax(T.nnet.softmax(scores), axis=1), y))
    return Program([x, y], [cost, errors], [of.x, of.labels], descent(cost, parameters))


@model
def softmax_with_decay(of: Setting) -> Program:
    x, y, scores, parameters = _classifier(of)
    cost = likelihood(scores, y) + np.asarray(0.01, of.dtype) * T.sum(parameters[0] ** 2)
    return Program([x, y], cost, [of.x, of.labels], descent(cost, parameters))


Change = Callable[[SharedVariable, Any, Callable[[float], Any]], list[tuple[SharedVariable, Any]]]


def _trained_by(of: Setting, change: Change) -> Program:
    """A classifier with updates ``change(parameter, gradient, number)``, numbers in its dtype."""
    x, y, scores, parameters = _classifier(of)
    cost = likelihood(scores, y)
    updates: list[tuple[SharedVariable, Any]] = []
    for parameter, gradient in zip(parameters, T.grad(cost, parameters), strict=True):
        updates += change(parameter, gradient, lambda value: np.asarray(value, of.dtype))
    return Program([x, y], cost, [of.x, of.labels], updates)


def _zeros(parameter: SharedVariable, name: str) -> SharedVariable:
    return theano.shared(np.zeros_like(parameter.get_value()), name)


@model
def softmax_with_momentum(of: Setting) -> Program:
    def change(p: SharedVariable, g: Any, number: Callable[[float], Any]) -> Any:
        v = _zeros(p, "v")
        step = number(0.9) * v - number(0.1) * g
        return [(v, step), (p, p + step)]

    return _trained_by(of, change)


@model
def softmax_with_nesterov(of: Setting) -> Program:
    def change(p: SharedVariable, g: Any, number: Callable[[float], Any]) -> Any:
        v = _zeros(p, "v")
        step = number(0.9) * v - number(0.1) * g
        return [(v, step), (p, p + number(0.9) * step - number(0.1) * g)]

    return _trained_by(of, change)


@model
def softmax_with_adagrad(of: Setting) -> Program:
    def change(p: SharedVariable, g: Any, number: Callable[[float], Any]) -> Any:
        squares = _zeros(p, "squares")
        total = squares + g**2
        return [(squares, total), (p, p - number(0.1) * g / T.sqrt(total + number(1e-6)))]

    return _trained_by(of, change)


@model
def softmax_with_rmsprop(of: Setting) -> Program:
    def change(p: SharedVariable, g: Any, number: Callable[[float], Any]) -> Any:
        squares = _zeros(p, "squares")
        average = number(0.9) * squares + number(0.1) * g**2
        return [(squares, average), (p, p - number(0.1) * g / T.sqrt(average + number(1e-6)))]

    return _trained_by(of, change)


@model
def softmax_with_adam(of: Setting) -> Program:
    def change(p: SharedVariable, g: Any, number: Callable[[float], Any]) -> Any:
        m, v = _zeros(p, "m"), _zeros(p, "v")
        t = theano.shared(number(0), "t")
        average = number(0.9) * m + number(0.1) * g
        square = number(0.999) * v + number(0.001) * g**2
        rate = T.sqrt(1 - number(0.999) ** (t + 1)) / (1 - number(0.9) ** (t + 1))
        # With Adam's 1e-8 the steps of gradients as small would be mostly rounding errors.
        step = number(0.1) * rate * average / (T.sqrt(square) + number(1e-3))
        return [(t, t + 1), (m, average), (v, square), (p, p - step)]

    return _trained_by(of, change)


@model
def softmax_with_penalties(of: Setting) -> Program:
    x, y, scores, parameters = _classifier(of)
    weights, little = parameters[0], np.asarray(0.01, of.dtype)
    cost = likelihood(scores, y) + little * T.sum(abs(weights)) + little * T.sum(weights**2)
    return Program([x, y], cost, [of.x, of.labels], descent(cost, parameters))


# --- the same loss in other words


def _losses(of: Setting, loss: Callable[[Any, Any], Any], labels: Array | None = None) -> Program:
    """A classifier with a loss of scores and labels for each row."""
    x, y, scores, parameters = _classifier(of)
    cost = of.cost_of(loss(scores, y), T.mean)
    arguments = [of.x, of.labels if labels is None else labels]
    return Program([x, y], cost, arguments, descent(cost, parameters))


@loss_model
def log_of_selected(of: Setting) -> Program:
    return _losses(of, lambda z, y: -T.log(T.nnet.softmax(z)[T.arange(y.shape[0]), y]))


@loss_model
def log_softmax(of: Setting) -> Program:
    return _losses(of, lambda z, y: -T.nnet.logsoftmax(z)[T.arange(z.shape[0]), y])


@loss_model
def categorical_crossentropy(of: Setting) -> Program:
    def loss(z: Any, y: Any) -> Any:
        return T.nnet.categorical_crossentropy(T.nnet.softmax(z), y)

    return _losses(of, loss, of.labels % CLASSES)


@loss_model
def logsumexp(of: Setting) -> Program:
    return _losses(of, lambda z, y: T.log(T.exp(z).sum(axis=1)) - z[T.arange(y.shape[0]), y])


@loss_model
def logsumexp_with_maximum(of: Setting) -> Program:
    def loss(z: Any, y: Any) -> Any:
        largest = z.max(axis=1, keepdims=True)
        total = T.log(T.exp(z - largest).sum(axis=1)) + largest[:, 0]
        return total - z[T.arange(y.shape[0]), y]

    return _losses(of, loss)


@loss_model
def softmax_by_hand(of: Setting) -> Program:
    def loss(z: Any, y: Any) -> Any:
        e = T.exp(z - z.max(axis=1, keepdims=True))
        return -T.log(e / e.sum(axis=1, keepdims=True))[T.arange(y.shape[0]), y]

    return _losses(of, loss)


@loss_model
def ignored_labels(of: Setting) -> Program:
    """A label below zero counts for nothing."""

    def loss(z: Any, y: Any) -> Any:
        counts = T.ge(y, 0)
        losses = -T.log(T.nnet.softmax(z))[T.arange(y.shape[0]), T.switch(counts, y, 0)]
        return T.switch(counts, losses, 0)

    return _losses(of, loss)


@loss_model
def smoothed_labels(of: Setting) -> Program:
    def loss(z: Any, y: Any) -> Any:
        logs = T.nnet.logsoftmax(z)
        most, rest = (np.asarray(value, of.dtype) for value in (0.9, 0.1))
        return -most * logs[T.arange(y.shape[0]), y] - rest * T.mean(logs, axis=1)

    return _losses(of, loss)


def _of_label(values: Any, y: Any) -> Any:
    return values[T.arange(y.shape[0]), y]


@loss_model
def crammer_singer(of: Setting) -> Program:
    """A hinge for each class, that of the label included."""

    def loss(z: Any, y: Any) -> Any:
        return T.sum(T.maximum(0, 1 + z - _of_label(z, y)[:, None]), axis=1)

    return _losses(of, loss)


@loss_model
def weston_watkins(of: Setting) -> Program:
    """A hinge for each class but that of the label."""

    def loss(z: Any, y: Any) -> Any:
        hinges = T.maximum(0, 1 + z - _of_label(z, y).dimshuffle(0, "x"))
        return T.sum(T.set_subtensor(_of_label(hinges, y), 0), axis=1)

    return _losses(of, loss)


@loss_model
def largest_other(of: Setting) -> Program:
    """A hinge of the best class that is not the label's."""

    def loss(z: Any, y: Any) -> Any:
        others = T.set_subtensor(_of_label(z, y), np.asarray(-np.inf, of.dtype))
        return T.maximum(0, 1 + T.max(others, axis=1) - _of_label(z, y))

    return _losses(of, loss)


@loss_model
def sigmoid_rows(of: Setting) -> Program:
    """Probabilities that are no softmax."""

    def loss(z: Any, y: Any) -> Any:
        p = T.nnet.sigmoid(z)
        return -_of_label(T.log(p / p.sum(axis=1, keepdims=True)), y)

    return _losses(of, loss)


@model
def weighted_rows(of: Setting) -> Program:
    x, y, scores, parameters = _classifier(of)
    weights = of.vector("weights")
    losses = -T.log(T.nnet.softmax(scores))[T.arange(y.shape[0]), y]
    cost = T.sum(weights * losses) / T.sum(weights)
    arguments = [of.x, of.labels, np.abs(of.real(of.rows, seed=6))]
    return Program([x, y, weights], cost, arguments, descent(cost, parameters))


@loss_model
def one_hot_labels(of: Setting) -> Program:
    x, _, scores, parameters = _classifier(of)
    targets = of.matrix("targets")
    cost = of.cost_of(T.nnet.categorical_crossentropy(T.nnet.softmax(scores), targets), T.mean)
    one_hot = np.eye(CLASSES, dtype=of.dtype)[of.labels]
    return Program([x, targets], cost, [of.x, one_hot], descent(cost, parameters))


@model
def scores_in_columns(of: Setting) -> Program:
    """A row of the data is a column of the product."""
    x, y = of.matrix(), T.lvector("y")
    w, b = of.shared("W", CLASSES, of.features), of.shared("b", CLASSES)
    cost = likelihood((T.dot(w, x.T) + b.dimshuffle(0, "x")).T, y)
    return Program([x, y], cost, [of.x, of.labels], descent(cost, [w, b]))


@model
def softmax_of_a_slice(of: Setting) -> Program:
    x, y, scores, parameters = _classifier(of)
    cost = likelihood(scores, y)
    start = T.lscalar("start")
    data = theano.shared(np.concatenate([of.x, of.x]), "data")
    labels = theano.shared(np.concatenate([of.labels, of.labels]), "labels")
    window = slice(start, start + of.rows)
    givens = {x: data[window], y: labels[window]}
    return Program([start], cost, [of.rows // 2], descent(cost, parameters), givens)


@model
def softmax_of_a_selection(of: Setting) -> Program:
    x, y, scores, parameters = _classifier(of)
    cost = likelihood(scores, y)
    chosen = T.lvector("chosen")
    data = theano.shared(of.x, "data")
    order = np.random.default_rng(3).permutation(of.rows)
    return Program(
        [chosen, y], cost, [order, of.labels], descent(cost, parameters), {x: data[chosen]}
    )


@model
def softmax_of_columns(of: Setting) -> Program:
    x, y, scores, parameters = _classifier(of)
    cost = likelihood(scores, y)
    turned = of.matrix("turned")
    arguments = [np.ascontiguousarray(of.x.T), of.labels]
    return Program([turned, y], cost, arguments, descent(cost, parameters), {x: turned.T})


@model
def softmax_of_bytes(of: Setting) -> Program:
    x, y, scores, parameters = _classifier(of)
    cost = likelihood(scores, y)
    images = TensorType("uint8", (False, False)).make_variable("images")
    scaled = T.cast(images, of.dtype) / np.asarray(255, of.dtype)
    pixels = np.random.default_rng(4).integers(0, 256, (of.rows, of.features)).astype("uint8")
    return Program([images, y], cost, [pixels, of.labels], descent(cost, parameters), {x: scaled})


@model
def softmax_of_halves(of: Setting) -> Program:
    """Selected rows of float16, scaled."""
    x, y, scores, parameters = _classifier(of)
    cost = likelihood(scores, y)
    data = theano.shared((255 * of.x).astype("float16"), "data")
    chosen = T.lvector("chosen")
    scaled = T.cast(data[chosen], of.dtype) / np.asarray(255, of.dtype)
    order = np.random.default_rng(3).permutation(of.rows)
    return Program([chosen, y], cost, [order, of.labels], descent(cost, parameters), {x: scaled})


@model
def hidden_layer(of: Setting) -> Program:
    x, y = of.matrix(), T.lvector("y")
    w, b, v = of.shared("W", of.features, 4), of.shared("b", 4), of.shared("V", 4, CLASSES)
    cost = likelihood(T.dot(T.tanh(T.dot(x, w) + b), v), y)
    return Program([x, y], cost, [of.x, of.labels], descent(cost, [w, b, v]))
