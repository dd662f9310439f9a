"""Labels out of range, operands that do not fit, and halves, of the likelihood and its gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from arignote import ops
from arignote.autodiff import grad
from arignote.config import config
from arignote.errors import GraphTypeError
from arignote.graph import dtypes
from arignote.graph.op import Op
from arignote.graph.type import tensor_type
from arignote.graph.variable import Variable
from arignote.plan.plan import Temp
from arignote.run.function import Function, function
from arignote.run.mode import Mode
from helpers.values import LAYOUTS, Array, Values, lay_out

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


@pytest.mark.parametrize("op", BOTH[1:], ids=lambda op: op.name)
@pytest.mark.parametrize(
    ("dtype", "weights"),
    [
        *(("float64", "float32"), ("float32", "float64"), ("float32", "float16")),
        *(("float16", "float64"), ("float16", "bfloat16"), ("bfloat16", "float16")),
    ],
)
def test_weights_of_another_type(op: Op, dtype: str, weights: str) -> None:
    x, y = tensor_type(dtype, 2)(), tensor_type("int64", 1)()
    with pytest.raises(GraphTypeError, match="g must be a vector of the dtype of x, or float32"):
        op.make([x, y, tensor_type(weights, 1)()])


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


# --- halves, whose gradient is computed in float32

GRADIENTS = pytest.mark.parametrize("op", BOTH[1:], ids=lambda op: op.name)
EITHER = pytest.mark.parametrize("dtype", dtypes.HALVES)
# Rows in vectors together and one by one, several at a time in a core's cache and one by one.
SHAPES = [(9, 1), (300, 16), (300, 17), (700, 100), (40, 3000), (3, 9001), (0, 5), (5, 0)]
PLAIN = Mode(optimizer=None).excluding("fusion")


def of_halves(op: Op, dtype: str) -> Function:
    """Return a function of one step that reads and writes halves."""
    operands = [tensor_type(*item)() for item in ((dtype, 2), ("int64", 1), ("float32", 1))]
    f = function(operands, op.make(operands).outputs, mode=PLAIN)
    assert [(step.op, step.host) for step in f.plan.steps] == [(op.name, False)]
    return f


def between_casts(op: Op, dtype: str) -> Function:
    """Return a function whose step computes the same in float32."""
    x, y, g = (tensor_type(*item)() for item in ((dtype, 2), ("int64", 1), ("float32", 1)))
    gradient, *losses = op.make([ops.cast(x, "float32"), y, g]).outputs
    f = function([x, y, g], [ops.cast(gradient, dtype), *losses], mode=PLAIN)
    assert [step.op for step in f.plan.steps] == ["elementwise", op.name, "elementwise"]
    return f


def operands_of(dtype: str, rows: int, classes: int, special: bool) -> list[Array]:
    """Return scores, labels of some of the rows, negative ones among them, and weights."""
    values = Values(rows + classes, special)
    labels = 2 * rows // 3 if classes else 0
    return [
        values(dtype, rows, classes),
        values.below(classes or 1, labels),
        values("float32", labels),
    ]


def assert_same_bits(found: list[Array], wanted: list[Array]) -> None:
    for one, other in zip(found, wanted, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        assert one.tobytes() == other.tobytes()


@GRADIENTS
@EITHER
@pytest.mark.parametrize("special", [False, True], ids=["plain", "special"])
def test_a_gradient_of_halves_has_the_bits_of_one_between_casts(
    op: Op, dtype: str, special: bool, target: str
) -> None:
    f, wanted = of_halves(op, dtype), between_casts(op, dtype)
    for shape in SHAPES:
        arrays = operands_of(dtype, *shape, special)
        assert_same_bits(f(*arrays), wanted(*arrays))


@EITHER
def test_halves_lie_in_any_way(dtype: str, target: str) -> None:
    f = of_halves(ops.nll_with_gradient_op, dtype)
    for shape in ((70, 30), (30, 70), (3, 5000)):
        x, y, g = operands_of(dtype, *shape, special=False)
        wanted = f(x, y, g)
        for layout in LAYOUTS:
            assert_same_bits(f(lay_out(x, layout), y, lay_out(g, layout)), wanted)


@EITHER
def test_rows_that_are_not_finite(dtype: str, target: str) -> None:
    """NaNs where the definition has them, and no trace of them in other rows."""
    inf, nan = np.inf, np.nan
    rows = [[1, 2, 3], [nan, 0, 0], [inf, 0, 0], [-inf, 0, 1], [-inf] * 3, [inf, inf, 0], [3, 2, 1]]
    for repeats in (1, 20):
        x = np.tile(np.array(rows, dtype), (1, repeats))
        y, g = np.array([2, 0, 0, 0, 1, 1]), np.array([1, 1, 1, 1, 1, 1], "float32")
        gradient, losses = of_halves(ops.nll_with_gradient_op, dtype)(x, y, g)
        found = gradient.astype("float32")
        wrong = [False, True, True, False, True, True]
        np.testing.assert_array_equal(np.isnan(losses), wrong)
        for of_row in (np.any, np.all):
            np.testing.assert_array_equal(of_row(np.isnan(found), axis=1), [*wrong, False])
        np.testing.assert_array_equal(found[3, ::3], [-1] + [0] * (repeats - 1))
        assert (found[-1] == 0).all()
        assert losses[3] == inf


@pytest.mark.usefixtures("all_threads")
@EITHER
@pytest.mark.parametrize("shape", [(5000, 10), (900, 700), (67, 66_000)])
def test_halves_are_the_same_for_any_number_of_threads(dtype: str, shape: tuple[int, int]) -> None:
    f = of_halves(ops.nll_with_gradient_op, dtype)
    arrays = operands_of(dtype, *shape, special=False)
    wanted = between_casts(ops.nll_with_gradient_op, dtype)(*arrays)
    for threads in (1, 2, 7):
        config.threads = threads
        assert_same_bits(f(*arrays), wanted)


@EITHER
def test_a_gradient_of_halves_is_written_over_the_scores(dtype: str, target: str) -> None:
    x, y = tensor_type(dtype, 2)(), tensor_type("int64", 1)()
    scores = ops.add(x, x)
    cost = ops.sum_(ops.nll_op(scores, y))
    results = [cost, grad(cost, x)]
    f = function([x, y], results)
    (step,) = (item for item in f.plan.steps if item.op == "nll_with_gradient")
    gradient = f.plan.buffer(step.outputs[0])
    assert isinstance(gradient, Temp)
    assert gradient.storage == step.inputs[0]
    apart = function([x, y], results, mode=Mode().excluding("fusion"))
    for shape in ((300, 17), (3, 9001)):
        arrays = operands_of(dtype, *shape, special=False)[:2]
        assert_same_bits(f(*arrays), apart(*arrays))


@GRADIENTS
@EITHER
def test_the_first_bad_label_of_halves_is_named(op: Op, dtype: str) -> None:
    f = of_halves(op, dtype)
    x, g = np.zeros((ROWS, CLASSES), dtype), np.ones(ROWS, "float32")
    for first in (0, 64, 777):
        y = np.zeros(ROWS, "int64")
        y[first], y[-1] = CLASSES, -CLASSES - 1
        with pytest.raises(IndexError, match=f"element {first} of the labels"):
            f(x, y, g)


@EITHER
def test_what_a_gradient_of_halves_means(dtype: str) -> None:
    """Computed in float32 and rounded once: by the reference, and near enough by the kernel."""
    x, y, g = operands_of(dtype, 60, 30, special=False)
    wide = x[: len(y)].astype("float64")
    exact = np.exp(wide - wide.max(axis=1, keepdims=True))
    exact /= exact.sum(axis=1, keepdims=True)
    exact[np.arange(len(y)), y] -= 1
    exact *= g[:, None]
    for mode in ("native", "reference"):
        operands = [tensor_type(*item)() for item in ((dtype, 2), ("int64", 1), ("float32", 1))]
        f = function(operands, ops.nll_gradient_op.make(operands).outputs[0], mode=mode)
        found = f(x, y, g).astype("float64")[: len(y)]
        # Half a unit in the last place, and what float32 loses at the label.
        info = dtypes.finfo(x.dtype)
        rounding = np.maximum(float(info.eps) * np.abs(exact), float(info.smallest_subnormal)) / 2
        assert np.all(np.abs(found - exact) <= rounding + 2e-6 * np.abs(g)[:, None])
