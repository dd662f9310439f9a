"""One element of each row: what is refused, and losses of labels that are no likelihood."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote import ops
from arignote.config import config
from arignote.errors import GraphTypeError
from arignote.graph.type import tensor_type
from arignote.graph.variable import Variable
from arignote.run.function import function
from helpers.tolerance import assert_close
from helpers.values import Array

ROWS, COLUMNS = 10_000, 5


def call_of(name: str, dtype: str, mode: Any = None) -> Any:
    x, y = tensor_type("float64", 2)(), tensor_type(dtype, 1)()
    if name == "pick":
        return function([x, y], ops.pick_op(x, y), mode=mode)
    value = ops.constant([2.0])
    return function([x, y], ops.place(x, y, value, increment=name == "add"), mode=mode)


@pytest.mark.usefixtures("all_threads")
@pytest.mark.parametrize("mode", ["native", "reference"])
@pytest.mark.parametrize("dtype", ["int8", "int64", "uint8", "uint64"])
@pytest.mark.parametrize("name", ["pick", "set", "add"])
def test_the_first_position_out_of_range_is_named(name: str, dtype: str, mode: str) -> None:
    f = call_of(name, dtype, mode)
    x = np.zeros((ROWS, COLUMNS))
    info = np.iinfo(dtype)
    for position in {COLUMNS, min(int(info.max), 2**63 - 1), -COLUMNS - 1, int(info.min)}:
        if not info.min <= position or position in range(-COLUMNS, COLUMNS):
            continue
        for first in (0, 63, 64, 7777, ROWS - 1):
            y = np.zeros(ROWS, dtype)
            y[first] = y[-1] = position
            for threads in (1, 3):
                config.threads = threads
                message = f"index {position} is out of bounds for size 5: element {first} of a sel"
                with pytest.raises(IndexError, match=message):
                    f(x, y)


@pytest.mark.parametrize("name", ["pick", "set", "add"])
def test_more_positions_than_rows(name: str) -> None:
    f = call_of(name, "int64")
    for rows in (0, 4):
        with pytest.raises(IndexError, match=f"index 4 is out of bounds for the {rows} rows of x"):
            f(np.zeros((rows, COLUMNS)), np.zeros(5, int))


def test_values_of_another_length() -> None:
    x, y, v = tensor_type("float64", 2)(), tensor_type("int64", 1)(), tensor_type("float64", 1)()
    f = function([x, y, v], ops.place(x, y, v, increment=False))
    with pytest.raises(ValueError, match="value must be as long as y: 4 != 5"):
        f(np.zeros((9, COLUMNS)), np.zeros(5, int), np.zeros(4))


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ((("float64", 1), ("int64", 1)), "x must be a matrix"),
        ((("float64", 2), ("float64", 1)), "y must be a vector of integers"),
        ((("float64", 2), ("int64", 2)), "y must be a vector of integers"),
        ((("float64", 2), ("bool", 1)), "y must be a vector of integers"),
    ],
)
def test_operands_of_other_types(types: Any, message: str) -> None:
    x, y = (tensor_type(*item)() for item in types)
    with pytest.raises(GraphTypeError, match=rf"\[pick\] {message}"):
        ops.pick_op(x, y)
    with pytest.raises(GraphTypeError, match=rf"\[place\] {message}"):
        ops.place(x, y, ops.constant([2.0]), increment=True)


def test_values_of_another_type() -> None:
    x, y = tensor_type("float64", 2)(), tensor_type("int64", 1)()
    with pytest.raises(GraphTypeError, match="value must be a vector of the dtype of x"):
        ops.place(x, y, tensor_type("float32", 1)(), increment=True)


# --- what users write


def step_names(output: Variable, *inputs: Variable) -> list[str]:
    return [step.op for step in theano.function(list(inputs), output).plan.steps]


X, Y = T.dmatrix("x"), T.lvector("y")
NUMBERS = T.arange(Y.shape[0])
FORMS = {
    "selection": (lambda: X[NUMBERS, Y], ["pick"]),
    "numbers of the rows": (lambda: X[T.arange(X.shape[0]), Y], ["pick"]),
    "set": (lambda: T.set_subtensor(X[NUMBERS, Y], 1), ["place"]),
    "increased": (lambda: T.inc_subtensor(X[NUMBERS, Y], Y), ["elementwise", "place"]),
    "gradient": (lambda: T.grad(X[NUMBERS, Y].sum(), X), ["place"]),
    "gradient added": (lambda: X + T.grad(X[NUMBERS, Y].sum(), X), ["place"]),
    "from another number": (lambda: X[T.arange(1, Y.shape[0] + 1), Y], ["arange", "take"]),
    "columns before rows": (lambda: X[Y, NUMBERS], ["arange", "take"]),
    "columns before rows of a transpose": (lambda: X.T[Y, NUMBERS], ["pick"]),
    "transpose set": (lambda: T.set_subtensor(X.T[Y, NUMBERS], 1).T, ["place"]),
    "gradient by a transpose": (lambda: T.grad(X.T[Y, NUMBERS].sum(), X), ["place"]),
    "diagonal": (lambda: X[NUMBERS, NUMBERS], ["arange", "pick"]),
    "likelihood by columns": (
        lambda: T.log(T.nnet.softmax(X)).T[Y, NUMBERS],
        ["nll", "elementwise"],
    ),
    "likelihood of a transpose": (
        lambda: T.log(T.nnet.softmax(X).T[Y, NUMBERS]),
        ["nll", "elementwise"],
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_which_selections_are_of_each_row(name: str) -> None:
    build, wanted = FORMS[name]
    assert step_names(build(), X, Y) == wanted


def by_hand(z: Array, y: Array, margins: Array) -> tuple[float, Array]:
    """Return the mean of sums of hinges and its gradient, given what is above zero."""
    active = (margins > 0).astype(z.dtype)
    gradient = active.copy()
    gradient[np.arange(len(y)), y] -= active.sum(axis=1)
    return float(np.mean(margins.sum(axis=1))), gradient / z.dtype.type(len(y))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("own", [True, False], ids=["Crammer-Singer", "Weston-Watkins"])
def test_hinges_of_several_classes(own: bool, dtype: str) -> None:
    z, y = T.matrix("z", dtype=dtype), T.ivector("y")
    numbers = T.arange(z.shape[0])
    hinges = T.maximum(0, 1 + z - z[numbers, y][:, None])
    if not own:
        hinges = T.set_subtensor(hinges[numbers, y], 0)
    cost = T.mean(T.sum(hinges, axis=1))
    f = theano.function([z, y], [cost, T.grad(cost, z)])
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(200, 7)).astype(dtype)
    labels = rng.integers(-7, 7, 200).astype("int32")
    margins = np.maximum(0, 1 + scores - scores[np.arange(200), labels][:, None])
    if not own:
        margins[np.arange(200), labels] = 0
    loss, gradient = by_hand(scores, labels, margins)
    found = f(scores, labels)
    np.testing.assert_allclose(found[0], loss, rtol=1e-6)
    assert_close(found[1], gradient, scale=1 / 200)
