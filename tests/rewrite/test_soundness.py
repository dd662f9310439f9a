"""Graphs that nearly match a rule keep their meaning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from arignote import ops
from arignote.graph.type import TensorType
from arignote.graph.variable import Variable
from arignote.rewrite import pipeline
from arignote.rewrite.engine import Log
from arignote.run.function import function
from helpers.evaluate import evaluate
from helpers.tolerance import assert_close

Build = Callable[..., Variable]

RNG = np.random.default_rng(11)
X = RNG.normal(size=(3, 4)) * 3
Y = RNG.normal(size=(4, 3))
ROW = RNG.normal(size=(1, 4))
SMALL = np.array([-128, -100, -3, 0, 5, 100, 127], "int8")
BYTES = np.array([0, 1, 3, 100, 255], "uint8")
BIG = np.array([2**53 + 1, -(2**53) - 1, 2**62 + 3], "int64")


def column_max(x: Variable) -> Variable:
    return ops.max_(x, axis=0, keepdims=True)


def log_sum_exp(x: Variable, axis: int = 0) -> Variable:
    return ops.log(ops.sum_(ops.exp(x), axis=axis))


def with_offset(x: Variable, offset: Variable) -> Variable:
    shifted = ops.sub(x, ops.max_(x, axis=1, keepdims=True))
    total = ops.add(log_sum_exp(shifted, 1), offset)
    return ops.sub(x, ops.dimshuffle(total, (0, "x")))


def stable_by_hand(x: Variable) -> Variable:
    largest = ops.max_(x, axis=1)
    shifted = ops.sub(x, ops.dimshuffle(largest, (0, "x")))
    return ops.sub(x, ops.dimshuffle(ops.add(log_sum_exp(shifted, 1), largest), (0, "x")))


NEAR: dict[str, tuple[Build, list[Any]]] = {
    "cast that cuts": (lambda x: ops.cast(ops.cast(x, "int8"), "float64"), [X]),
    "cast that rounds": (lambda x: ops.cast(ops.cast(x, "float64"), "int64"), [BIG]),
    "cast that wraps": (lambda x: ops.cast(ops.cast(x, "uint8"), "int32"), [SMALL]),
    "cast to bool": (lambda x: ops.cast(ops.cast(x, "bool"), "int8"), [SMALL]),
    "softmax of shifted columns": (lambda x: ops.softmax_op(ops.sub(x, column_max(x))), [X]),
    "softmax of another shift": (lambda x, y: ops.softmax_op(ops.sub(x, y)), [X, ROW]),
    "log-softmax with an offset": (with_offset, [X, Y[0]]),
    "log-softmax by hand": (stable_by_hand, [X]),
    "log-sum-exp of int8": (log_sum_exp, [SMALL]),
    "log-sum-exp of uint8": (log_sum_exp, [BYTES[:3]]),
    "log-sigmoid of uint8": (lambda x: ops.log(ops.sigmoid(x)), [BYTES]),
    "softplus of int8": (lambda x: ops.log1p(ops.exp(x)), [SMALL[:5]]),
    "log of one plus bytes": (lambda x: ops.log(ops.add(1, x)), [BYTES[1:]]),
    "log of one minus bytes": (lambda x: ops.log(ops.sub(1, x)), [SMALL]),
    "exp of int8 minus one": (lambda x: ops.sub(ops.exp(x), 1), [SMALL[1:5]]),
    "negated bytes in wider ints": (lambda x, y: ops.mul(ops.neg(x), y), [BYTES, BIG[:1][[0] * 5]]),
    "bytes minus negated": (lambda x, y: ops.sub(y, ops.neg(x)), [BYTES, BIG[:1][[0] * 5]]),
    "negated difference of bytes": (lambda x: ops.neg(ops.sub(x, 7)), [BYTES]),
    "integers by themselves": (lambda x: ops.true_div(x, x), [SMALL]),
    "zeros of a larger shape": (lambda x, y: ops.add(y, ops.zeros_like(x)), [X, ROW]),
    "ones of a larger shape": (lambda x, y: ops.mul(y, ops.broadcast_like(1.0, x)), [X, ROW]),
    "switch to a larger shape": (
        lambda x, y: ops.switch(ops.broadcast_like(True, x), y, y),
        [X, ROW],
    ),
    "power of integers": (lambda x: ops.pow_(x, -1), [SMALL]),
    "root of integers": (lambda x: ops.pow_(x, 0.5), [BYTES]),
    "power of bytes": (lambda x: ops.pow_(x, 2), [BYTES]),
    "power to a row": (lambda x: ops.pow_(x, ops.constant([[2.0, 2.0, 2.0, 2.0]])), [X]),
    "sum of bools over nothing": (lambda x: ops.sum_op(x, axis=()), [X > 0]),
    "product over nothing": (lambda x: ops.prod_op(x, axis=()), [SMALL]),
    "zero times infinity": (lambda x: ops.mul(ops.sub(x, x), 0.0), [np.array([np.inf, 1.0])]),
    "row twice transposed": (
        lambda x: ops.dimshuffle(ops.dimshuffle(x, (1, 0)), (0, "x", 1)),
        [ROW],
    ),
    "elements of rows in another order": (
        lambda x, y: ops.take_op(x, ops.constant([0, 2, 1]), y),
        [X, np.array([3, 0, -1])],
    ),
    "an element of one row": (
        lambda x, y: ops.advanced_subtensor(x, ([0], y)),
        [X, np.array([3, 0, -1])],
    ),
    "rows of a sum": (lambda x, y: ops.subtensor(ops.add(x, y), slice(1, 3)), [X, X[::-1]]),
    "rows of an outer sum": (
        lambda x, y: ops.subtensor(ops.add(x, ops.dimshuffle(y, (0, "x"))), slice(1, 3)),
        [ROW, Y[:, 0]],
    ),
    "elements of an outer sum": (
        lambda x, y: ops.subtensor(ops.add(x, ops.dimshuffle(y, (0, "x"))), (2, slice(1, 3))),
        [ROW, Y[:, 0]],
    ),
    "elements chosen from a scaled matrix": (
        lambda x, y: ops.take_op(ops.mul(x, y), ops.constant([0, 2]), ops.constant([3, -1])),
        [X, ROW[:, :1]],
    ),
    "rows chosen by a matrix": (
        lambda x, y: ops.take_op(ops.sub(x, y), ops.constant([[0, 2], [1, -1]])),
        [X, ROW],
    ),
}  # fmt: skip


def variables_for(arrays: list[Any]) -> list[Variable]:
    return [
        TensorType(a.dtype.name, tuple(n == 1 for n in a.shape) if a.ndim > 1 else (False,))()
        for a in arrays
    ]


@pytest.mark.parametrize("name", NEAR)
def test_near_matches_keep_their_meaning(name: str) -> None:
    build, arrays = NEAR[name]
    variables = variables_for(arrays)
    output = build(*variables)
    (rewritten,) = pipeline.optimize([output])
    given = dict(zip(variables, arrays, strict=True))
    wanted, found = evaluate([output, rewritten], given)
    assert_close(found, wanted, scale=1)
    assert_close(function(variables, output)(*arrays), wanted, scale=1)


@pytest.mark.parametrize(
    "computed",
    [
        lambda x, y: ops.add(ops.dot(x, y), 1),
        lambda x, y: ops.exp(x),
        lambda x, y: ops.neg(ops.exp(x)),
        lambda x, y: ops.sub(x, ops.transpose(y)),
    ],
)
def test_only_arithmetic_on_data_comes_after_its_selection(computed: Build) -> None:
    x, y = variables_for([X, Y])
    log = Log()
    pipeline.optimize([ops.subtensor(computed(x, y), slice(1, 3))], log)
    assert "select_data_first" not in [firing.rule for firing in log.firings]


def test_what_is_wrong_about_rows_that_are_not_selected_stays_an_error() -> None:
    x, y = variables_for([X, X])
    f = function([x, y], ops.subtensor(ops.add(x, y), slice(0, 2)))
    with pytest.raises(ValueError, match="Input dimension mis-match"):
        f(X, X[:2])
