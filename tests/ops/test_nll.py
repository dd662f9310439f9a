"""Labels out of range, and operands that do not fit, of the likelihood and its gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from arignote import ops
from arignote.config import config
from arignote.errors import GraphTypeError
from arignote.graph.op import Op
from arignote.graph.type import tensor_type
from arignote.graph.variable import Variable
from arignote.run.function import function
from helpers.values import Array

BOTH = [ops.nll_op, ops.nll_gradient_op, ops.nll_with_gradient_op]
ROWS, CLASSES = 1000, 5
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def call_of(op: Op, dtype: str, mode: Any) -> Callable[..., Array]:
    x, y, g = tensor_type("float64", 2)(), tensor_type(dtype, 1)(), tensor_type("float64", 1)()
    operands = [x, y, g][: len(op.arguments)]
    f = function(operands, op.make(operands).outputs[0], mode=mode)
    return lambda *arrays: f(*arrays[: len(operands)])


@pytest.mark.usefixtures("all_threads")
@pytest.mark.parametrize("mode", ["native", "reference"])
@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("op", BOTH, ids=lambda op: op.name)
def test_the_first_label_out_of_range_is_named(op: Op, dtype: str, mode: str) -> None:
    f = call_of(op, dtype, mode)
    x, weights = np.zeros((ROWS, CLASSES)), np.ones(ROWS)
    info = np.iinfo(dtype)
    # Larger ones of uint64 are shown as the largest index there is.
    for label in {CLASSES, min(int(info.max), 2**63 - 1), -CLASSES - 1, int(info.min)}:
        if info.min <= label and label not in range(-CLASSES, CLASSES):
            for first in (0, 63, 64, 777, ROWS - 1):
                y = np.zeros(ROWS, dtype)
                y[first] = y[-1] = label
                for threads in (1, 3):
                    config.threads = threads
                    with pytest.raises(
                        IndexError, match=f"index {label} is out of bounds"
                    ) as error:
                        f(x, y, weights)
                    if mode == "native":
                        assert f"element {first} of the labels" in str(error.value)


@pytest.mark.parametrize("op", BOTH, ids=lambda op: op.name)
def test_more_labels_than_rows(op: Op) -> None:
    f = call_of(op, "int64", None)
    for rows in (0, 4):
        with pytest.raises(IndexError, match=f"index 4 is out of bounds for the {rows} rows of x"):
            f(np.zeros((rows, CLASSES)), np.zeros(5, int), np.zeros(5))


def test_weights_of_another_length() -> None:
    f = call_of(ops.nll_gradient_op, "int64", None)
    with pytest.raises(ValueError, match="g must be as long as y: 4 != 5"):
        f(np.zeros((9, CLASSES)), np.zeros(5, int), np.zeros(4))


def test_no_label_of_no_class() -> None:
    """There is none in range."""
    f = call_of(ops.nll_op, "int64", None)
    assert f(np.zeros((3, 0)), np.zeros(0, int)).shape == (0,)
    with pytest.raises(IndexError, match="index 0 is out of bounds for size 0"):
        f(np.zeros((3, 0)), np.zeros(2, int))


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ((("float64", 1), ("int64", 1)), "x must be a matrix of floats"),
        ((("int64", 2), ("int64", 1)), "x must be a matrix of floats"),
        ((("float64", 2), ("float64", 1)), "y must be a vector of integers"),
        ((("float64", 2), ("int64", 2)), "y must be a vector of integers"),
        ((("float64", 2), ("bool", 1)), "y must be a vector of integers"),
    ],
)
def test_operands_of_other_types(types: Any, message: str) -> None:
    operands: list[Variable] = [tensor_type(*item)() for item in types]
    with pytest.raises(GraphTypeError, match=rf"\[nll\] {message}"):
        ops.nll_op.make(operands)
    with pytest.raises(GraphTypeError, match=rf"\[nll_gradient\] {message}"):
        ops.nll_gradient_op.make([*operands, tensor_type("float64", 1)()])


def test_weights_of_another_type() -> None:
    x, y = tensor_type("float64", 2)(), tensor_type("int64", 1)()
    with pytest.raises(GraphTypeError, match="g must be a vector of the dtype of x"):
        ops.nll_gradient_op.make([x, y, tensor_type("float32", 1)()])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scores_far_from_zero_lose_nothing(dtype: str) -> None:
    """The probability of the label would be zero, and its logarithm minus infinity."""
    x = np.asarray([[0, 1000.0], [-1e5, 0], [1e5, 1e5]], dtype)
    scores, y = tensor_type(dtype, 2)(), tensor_type("int64", 1)()
    f = function([scores, y], ops.nll_op.make([scores, y]).outputs[0])
    np.testing.assert_allclose(f(x, [0, 0, 1]), [1000, 1e5, np.log(2)], rtol=1e-6)


def test_rows_without_a_label_have_no_gradient() -> None:
    f = call_of(ops.nll_gradient_op, "int64", None)
    found = f(np.full((4, 3), np.inf), np.array([0]), np.array([2.0]))
    assert np.isnan(found[0]).all()
    assert (found[1:] == 0).all()
