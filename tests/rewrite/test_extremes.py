"""Naive formulas at values where they would overflow, cancel or divide zero by zero.

Expected values are computed in float64 by formulas that do none of that.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import arignote.tensor as T
from arignote import ops
from arignote.autodiff import grad
from arignote.graph.type import tensor_type
from arignote.graph.variable import Variable
from arignote.run.function import function
from arignote.run.mode import Mode
from helpers.tolerance import assert_close
from helpers.values import Array

Build = Callable[[Variable], Variable]
FLOATS = ["float32", "float64"]
Z = np.array([-1000, -104, -40, -20, -3, -1e-3, -1e-20, 0, 1e-20, 1e-3, 1, 20, 40, 104, 1000])


def softplus(z: Array) -> Array:
    return np.asarray(np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))))


def sigmoid(z: Array) -> Array:
    small = np.exp(-np.abs(z))
    return np.asarray(np.where(z >= 0, 1, small) / (1 + small))


def log_softmax(z: Array) -> Array:
    shifted = z - np.max(z, axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True)))


def value_and_slope(build: Build, at: Array, dtype: str) -> list[Array]:
    """Return a graph's value and the gradient of its sum, weighted unevenly."""
    point = at.astype(dtype)
    x = tensor_type(dtype, point.ndim)()
    y = build(x)
    weights = ops.constant(weights_for(at).astype(dtype))
    cost = ops.sum_(ops.mul(y, weights)) if y.ndim == at.ndim else ops.sum_(y)
    return list(function([x], [y, grad(cost, x)])(point))


def weights_for(array: Array) -> Array:
    return np.linspace(0.5, 2.0, array.size).reshape(array.shape)


def logistic(z: Variable) -> Variable:
    return ops.true_div(1, ops.add(1, ops.exp(ops.neg(z))))


def logistic_of_growth(z: Variable) -> Variable:
    return ops.true_div(ops.exp(z), ops.add(1, ops.exp(z)))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("p", [logistic, logistic_of_growth, ops.sigmoid, T.nnet.sigmoid])
@pytest.mark.parametrize("label", [0.0, 1.0, 0.25])
def test_cross_entropy_of_a_logistic_model(p: Build, label: float, dtype: str) -> None:
    def build(z: Variable) -> Variable:
        chance = p(z)
        y = ops.constant(np.asarray(label, dtype))
        likely = ops.mul(ops.neg(y), ops.log(chance))
        return ops.sub(likely, ops.mul(ops.sub(1, y), ops.log(ops.sub(1, chance))))

    value, slope = value_and_slope(build, Z, dtype)
    z = Z.astype(dtype).astype("float64")
    expected = label * softplus(-z) + (1 - label) * softplus(z)
    assert_close(value, expected.astype(dtype))
    # Where the two parts cancel, the gradient has the error of its parts.
    parts = (1 - label) * sigmoid(z) - label * sigmoid(-z)
    scale = 0 if label in (0, 1) else 2
    assert_close(slope, (weights_for(Z) * parts).astype(dtype), scale)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("build", "value", "slope"),
    [
        (lambda z: ops.log(logistic(z)), lambda z: -softplus(-z), lambda z: sigmoid(-z)),
        (lambda z: ops.log(ops.sigmoid(z)), lambda z: -softplus(-z), lambda z: sigmoid(-z)),
        (lambda z: ops.log(ops.sub(1, logistic(z))), lambda z: -softplus(z), lambda z: -sigmoid(z)),
        (lambda z: ops.log(ops.add(1, ops.exp(z))), softplus, sigmoid),
        (lambda z: ops.log1p(ops.exp(z)), softplus, sigmoid),
        (lambda z: ops.sub(1, logistic(z)),
         lambda z: sigmoid(-z), lambda z: -sigmoid(z) * sigmoid(-z)),
        (lambda z: ops.true_div(z, z), np.ones_like, np.zeros_like),
    ],
    ids=["log p", "log sigmoid", "log(1-p)", "log(1+e)", "log1p(e)", "1-p", "x/x"],
)  # fmt: skip
def test_elementwise_formulas(
    build: Build, value: Callable[[Array], Array], slope: Callable[[Array], Array], dtype: str
) -> None:
    z = Z.astype(dtype).astype("float64")
    found, gradient = value_and_slope(build, Z, dtype)
    assert_close(found, value(z).astype(dtype))
    assert_close(gradient, (weights_for(Z) * slope(z)).astype(dtype))


SMALL = np.array([-0.5, -1e-8, -1e-20, 0.0, 1e-20, 1e-8, 0.5, 1e30])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("build", "value", "slope"),
    [
        (lambda x: ops.log(ops.add(1, x)), np.log1p, lambda x: 1 / (1 + x)),
        (lambda x: ops.log(ops.sub(1, ops.neg(x))), np.log1p, lambda x: 1 / (1 + x)),
        (lambda x: ops.sub(ops.exp(ops.clip(x, -1, 1)), 1),
         lambda x: np.expm1(np.clip(x, -1, 1)), lambda x: np.exp(x) * (x <= 1)),
    ],
    ids=["log(1+x)", "log(1--x)", "exp(x)-1"],
)  # fmt: skip
def test_small_numbers(
    build: Build, value: Callable[[Array], Array], slope: Callable[[Array], Array], dtype: str
) -> None:
    x = SMALL.astype(dtype).astype("float64")
    found, gradient = value_and_slope(build, SMALL, dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        expected = np.nan_to_num(weights_for(SMALL) * slope(x))
    assert_close(found, value(x).astype(dtype))
    assert_close(gradient, expected.astype(dtype))


@pytest.mark.parametrize("dtype", FLOATS)
def test_logarithms_of_selected_probabilities(dtype: str) -> None:
    half = (slice(None), slice(1, None, 2))
    z = np.stack([Z, Z[::-1] / 2]).astype(dtype)
    w = weights_for(z[half])

    def build(x: Variable) -> Variable:
        p = ops.subtensor(logistic(x), half)
        cost = ops.sub(ops.log(p), ops.log(ops.sub(1, p)))
        return ops.sum_(ops.mul(cost, ops.constant(w.astype(dtype))))

    value, slope = value_and_slope(build, z, dtype)
    expected = np.zeros(z.shape)
    expected[half] = w
    assert_close(value, np.sum(w * z[half].astype("float64")).astype(dtype), scale=1e4)
    assert_close(slope, expected.astype(dtype), scale=4)


def test_the_numbers_that_users_know() -> None:
    x = T.dscalar()
    assert function([x], ops.log(ops.sub(1, ops.sigmoid(x))))(40.0) == -40
    assert function([x], ops.log(ops.sigmoid(x)))(-1000.0) == -1000
    assert function([x], ops.log(ops.add(1, x)))(1e-20) == 1e-20


ROWS = np.array(
    [
        [1e4, -1e4, 0.0, 9_999.0],
        [-1e4, -1e4 - 1, -1e4 + 0.5, -1e4],
        [1e4, 1e4, 1e4, 1e4],
        [0.1, -0.2, 0.3, 5.0],
        [-np.inf, 3.0, -np.inf, 3.5],
    ]
)


def by_hand(x: Variable) -> Variable:
    e = ops.exp(x)
    return ops.true_div(e, ops.sum_(e, axis=1, keepdims=True))


def by_hand_shifted(x: Variable) -> Variable:
    return by_hand(ops.sub(x, ops.max_(x, axis=1, keepdims=True)))


def minus_log_sum(x: Variable) -> Variable:
    return ops.sub(x, ops.log(ops.sum_(ops.exp(x), axis=1, keepdims=True)))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "build",
    [
        lambda x: ops.log(ops.softmax_op(x)),
        lambda x: ops.log(by_hand(x)),
        lambda x: ops.log(by_hand_shifted(x)),
        minus_log_sum,
        ops.log_softmax_op,
    ],
    ids=["softmax", "by hand", "shifted", "minus log-sum", "log-softmax"],
)
def test_logarithm_of_softmax(build: Build, dtype: str) -> None:
    value, slope = value_and_slope(build, ROWS, dtype)
    x, w = ROWS.astype(dtype).astype("float64"), weights_for(ROWS)
    expected = log_softmax(x)
    assert_close(value, expected.astype(dtype), scale=1)
    row = np.sum(w, axis=1, keepdims=True)
    assert_close(slope, (w - np.exp(expected) * row).astype(dtype), scale=8)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("build", [ops.softmax_op, by_hand, by_hand_shifted])
def test_softmax(build: Build, dtype: str) -> None:
    value, slope = value_and_slope(build, ROWS, dtype)
    x, w = ROWS.astype(dtype).astype("float64"), weights_for(ROWS)
    p = np.exp(log_softmax(x))
    assert_close(value, p.astype(dtype))
    expected = p * (w - np.sum(w * p, axis=1, keepdims=True))
    assert_close(slope, expected.astype(dtype), scale=2)


@pytest.mark.parametrize("dtype", FLOATS)
def test_selected_logarithms_of_softmax(dtype: str) -> None:
    columns = np.array([1, 0, 3, 3, 1])
    value, slope = value_and_slope(
        lambda x: ops.neg(
            ops.log(ops.advanced_subtensor(ops.softmax_op(x), (ops.arange(5), columns)))
        ),
        ROWS,
        dtype,
    )
    x = ROWS.astype(dtype).astype("float64")
    logs = log_softmax(x)
    assert_close(value, -logs[np.arange(5), columns].astype(dtype), scale=1)
    expected = np.exp(logs)
    expected[np.arange(5), columns] -= 1
    assert_close(slope, expected.astype(dtype), scale=1)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_logarithm_of_a_sum_of_exponentials(axis: int, keepdims: bool, dtype: str) -> None:
    point = ROWS.astype(dtype).astype("float64")
    largest = np.max(point, axis=axis, keepdims=True)
    shifted = np.exp(point - largest)
    total = np.sum(shifted, axis=axis, keepdims=True)
    expected = np.log(total) + largest
    v = tensor_type(dtype, 2)()
    y = ops.log(ops.sum_(ops.exp(v), axis=axis, keepdims=keepdims))
    value, slope = function([v], [y, grad(ops.sum_(y), v)])(ROWS.astype(dtype))
    wanted = expected if keepdims else np.squeeze(expected, axis)
    assert_close(value, wanted.astype(dtype))
    assert_close(slope, (shifted / total).astype(dtype))


@pytest.mark.parametrize("dtype", FLOATS)
def test_logarithm_of_a_sum_of_infinities(dtype: str) -> None:
    x = tensor_type(dtype, 2)()
    f = function([x], ops.log(ops.sum_(ops.exp(x), axis=1)))
    rows = [[-np.inf, -np.inf], [np.inf, 0.0], [np.inf, -np.inf], [np.nan, 1.0]]
    expected = np.array([-np.inf, np.inf, np.inf, np.nan], dtype)
    assert_close(f(np.array(rows, dtype)), expected)


@pytest.mark.parametrize("mode", ["native", "reference", "check", Mode(optimizer=None)])
@pytest.mark.parametrize("dtype", FLOATS)
def test_logarithm_of_a_sum_of_nothing(dtype: str, mode: Mode | str) -> None:
    x = tensor_type(dtype, 2)()
    y = ops.log(ops.sum_(ops.exp(x), axis=1))
    f = function([x], [y, grad(ops.sum_(y), x)], mode=mode)
    value, slope = f(np.empty((3, 0), dtype))
    assert_close(value, np.full(3, -np.inf, dtype))
    assert slope.shape == (3, 0)
    value, slope = f(np.empty((0, 3), dtype))
    assert (value.shape, slope.shape) == ((0,), (0, 3))
