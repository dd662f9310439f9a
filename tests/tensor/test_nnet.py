"""The functions of neural networks, and the numbers clients rely on."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
import pytest

import arignote
import arignote.tensor as T
from helpers.evaluate import evaluate
from helpers.tolerance import FORMULA, SUMMED, assert_ulp

X = np.array([[0.5, -1.25, 3.0], [-2.0, 0.25, 0.0]])


def softmax(z: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p: npt.NDArray[np.float64] = e / e.sum(axis=1, keepdims=True)
    return p


def test_elementwise() -> None:
    x = T.dmatrix("x")
    positive = np.maximum(X, 0)
    negative = np.minimum(X, 0)
    for found, wanted in (
        (T.nnet.sigmoid(x), 1 / (1 + np.exp(-X))),
        (T.nnet.softplus(x), np.log1p(np.exp(X))),
        (T.nnet.softsign(x), X / (1 + np.abs(X))),
        (T.nnet.hard_sigmoid(x), np.clip(0.2 * X + 0.5, 0, 1)),
        (T.nnet.relu(x), positive),
        (T.nnet.relu(x, 0.1), positive + 0.1 * negative),
        (T.nnet.relu(x, T.constant([0.1, 0.2, 0.3])), positive + [0.1, 0.2, 0.3] * negative),
        (T.nnet.elu(x), positive + np.expm1(negative)),
        (T.nnet.elu(x, 2), positive + 2 * np.expm1(negative)),
        (T.nnet.selu(x), 1.0507009873554805 * (positive + 1.6732632423543772 * np.expm1(negative))),
    ):
        assert_ulp(evaluate(found, {x: X}), wanted, FORMULA)


def test_known_values() -> None:
    assert T.nnet.hard_sigmoid(T.constant(1.0)).eval() == np.float32(0.7)
    x = T.dvector("x")
    slope = T.grad(T.nnet.relu(x).sum(), x)
    assert slope.eval({x: [-1.0, 0.0, 2.0]}).tolist() == [0.0, 0.5, 1.0]
    slope = T.grad(T.nnet.relu(x, 0.2).sum(), x)
    assert_ulp(slope.eval({x: [-1.0, 0.0, 2.0]}), [0.2, 0.6, 1.0], FORMULA)


def test_softmax() -> None:
    x = T.dmatrix("x")
    wide = X * 500
    assert_ulp(evaluate(T.nnet.softmax(x), {x: X}), softmax(X), SUMMED)
    assert_ulp(evaluate(T.nnet.softmax(x), {x: wide}), softmax(wide), SUMMED)
    assert_ulp(evaluate(T.nnet.logsoftmax(x), {x: X}), np.log(softmax(X)), SUMMED)
    assert np.isfinite(evaluate(T.nnet.logsoftmax(x), {x: wide})).all()


@pytest.mark.parametrize("function", [T.nnet.softmax, T.nnet.logsoftmax])
def test_softmax_takes_a_vector_for_a_row(function: object) -> None:
    assert callable(function)
    x = T.dvector("x")
    with pytest.warns(UserWarning, match="of a vector gives a matrix of one row") as caught:
        result = function(x)
    assert caught[0].filename == __file__
    assert result.type == T.drow
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert function(x.dimshuffle("x", 0)).type == T.drow
    for wrong in (T.dtensor3(), T.imatrix(), T.dscalar()):
        with pytest.raises(ValueError, match=r"x must be 1-d or 2-d tensor of floats\. Got Tensor"):
            function(wrong)


def test_crossentropies() -> None:
    p, y, q = T.dmatrix("p"), T.ivector("y"), T.dmatrix("q")
    probabilities, classes = softmax(X), np.array([2, 0])
    onehot = np.eye(3)[classes]
    wanted = -np.log(probabilities[[0, 1], classes])
    values = {p: probabilities, y: classes, q: onehot}
    assert_ulp(evaluate(T.nnet.categorical_crossentropy(p, y), values), wanted, FORMULA)
    assert_ulp(evaluate(T.nnet.categorical_crossentropy(p, q), values), wanted, FORMULA)
    assert_ulp(evaluate(T.nnet.crossentropy_categorical_1hot(p, y), values), wanted, FORMULA)
    with pytest.raises(TypeError, match="rank mismatch between coding and true distributions"):
        T.nnet.categorical_crossentropy(p, T.lscalar())
    with pytest.raises(TypeError, match="integer vector required for argument: true_one_of_n"):
        T.nnet.categorical_crossentropy(p, T.dvector())
    with pytest.raises(TypeError, match="matrix required for argument: coding_dist"):
        T.nnet.crossentropy_categorical_1hot(T.dtensor3(), y)


def test_binary_crossentropies() -> None:
    z, y = T.dmatrix("z"), T.dmatrix("y")
    targets = np.array([[0.0, 1.0, 0.25], [1.0, 0.0, 0.5]])
    p = 1 / (1 + np.exp(-X))
    wanted = -(targets * np.log(p) + (1 - targets) * np.log(1 - p))
    values = {z: X, y: targets}
    found = evaluate(T.nnet.binary_crossentropy(T.nnet.sigmoid(z), y), values)
    assert_ulp(found, wanted, SUMMED)
    assert_ulp(evaluate(T.nnet.sigmoid_binary_crossentropy(z, y), values), wanted, SUMMED)
    extreme = evaluate(T.nnet.sigmoid_binary_crossentropy(z, y), {z: X * 1000, y: targets})
    assert np.isfinite(extreme).all()


def test_softmax_regression_in_one() -> None:
    x, b, y = T.dmatrix("x"), T.dvector("b"), T.lvector("y")
    bias, classes = np.array([0.5, -0.5, 0.25]), np.array([1, 2])
    values = {x: X, b: bias, y: classes}
    p = softmax(X + bias)
    loss, probabilities, prediction = T.nnet.crossentropy_softmax_argmax_1hot_with_bias(x, b, y)
    assert_ulp(evaluate(loss, values), -np.log(p[[0, 1], classes]), SUMMED)
    assert_ulp(evaluate(probabilities, values), p, SUMMED)
    np.testing.assert_array_equal(evaluate(prediction, values), p.argmax(axis=1))
    both = T.nnet.crossentropy_softmax_max_and_argmax_1hot_with_bias(x, b, y)
    for results in (both, T.nnet.crossentropy_softmax_max_and_argmax_1hot(x + b, y)):
        found = [evaluate(item, values) for item in results]
        np.testing.assert_array_equal(found[0], evaluate(loss, values))
        np.testing.assert_array_equal(found[1], evaluate(probabilities, values))
        np.testing.assert_array_equal(found[2], found[1].max(axis=1))
        np.testing.assert_array_equal(found[3], p.argmax(axis=1))
    for results in (
        T.nnet.crossentropy_softmax_1hot_with_bias(x, b, y),
        T.nnet.crossentropy_softmax_1hot(x + b, y),
    ):
        np.testing.assert_array_equal(evaluate(results[0], values), evaluate(loss, values))
        np.testing.assert_array_equal(evaluate(results[1], values), found[1])


# What programs rely on optimisation for.


@pytest.mark.parametrize("floatX", ["float64", "float32"])
def test_naive_formulas_are_finite(floatX: str) -> None:
    with arignote.config.changed(floatX=floatX):
        x, m, y = T.vector("x"), T.matrix("m"), T.lvector("y")

    def value(expression: T.Tensor, number: float) -> float:
        return float(expression.eval({x: np.array([number], floatX)})[0])

    assert value(T.log(T.nnet.sigmoid(x)), -1000) == -1000
    assert value(T.log(1 / (1 + T.exp(-x))), -1000) == -1000
    assert value(T.log(1 - T.nnet.sigmoid(x)), 40) == -40
    assert value(T.log(1 + x), 1e-20) == np.dtype(floatX).type(1e-20)
    assert value(x / x, 0) == 1
    loss = -T.log(T.nnet.softmax(m))[T.arange(y.shape[0]), y]
    z = np.array([[1000.0, -1000.0], [0.0, 0.0]], floatX)
    found = loss.eval({m: z, y: [1, 0]})
    assert_ulp(found, np.array([2000, np.log(2)], floatX), FORMULA)
