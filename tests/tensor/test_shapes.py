"""Shapes, orders, broadcast patterns, joining and making of tensors, against NumPy."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import arignote
import arignote.tensor as T
from arignote.graph.op import NODE_OBSERVERS
from helpers.evaluate import evaluate

X = np.arange(24.0).reshape(2, 3, 4)
FLAT = (False,)


@pytest.mark.parametrize("order", [(2, 0, 1), (0, "x", 1, 2), ("x", 2, 1, 0, "x"), (-1, 0, 1)])
def test_dimshuffle(order: tuple[Any, ...]) -> None:
    x = T.dtensor3("x")
    axes = [item % 3 for item in order if item != "x"]
    wanted = X.transpose(axes)
    for place, item in enumerate(order):
        if item == "x":
            wanted = np.expand_dims(wanted, place)
    for found in (x.dimshuffle(*order), x.dimshuffle(list(order)), T.dimshuffle(x, order)):
        np.testing.assert_array_equal(evaluate(found, {x: X}), wanted)
        assert found.broadcastable == tuple(item == "x" for item in order)


def test_only_broadcastable_dimensions_can_be_dropped() -> None:
    assert T.dcol().dimshuffle(0).type == T.dvector
    assert T.drow().dimshuffle(1, "x").type == T.dcol
    with pytest.raises(ValueError, match=r"You cannot drop a non-broadcastable dimension\."):
        T.dmatrix().dimshuffle(0)
    with pytest.raises(TypeError, match="order must name each dimension once"):
        T.dmatrix().dimshuffle(0, 0)
    with pytest.raises(TypeError, match="order must name the 2 dimensions of x"):
        T.dmatrix().dimshuffle(0, 2)


def test_transposes() -> None:
    x = T.dtensor3("x")
    for found, wanted in (
        (x.T, X.T),
        (T.transpose(x), X.T),
        (x.transpose(1, 2, 0), X.transpose(1, 2, 0)),
        (x.transpose((1, 2, 0)), X.transpose(1, 2, 0)),
        (x.transpose(), X.T),
        (T.transpose(x, (0, -1, 1)), X.transpose(0, 2, 1)),
        (x.swapaxes(0, 2), X.swapaxes(0, 2)),
        (T.swapaxes(x, -1, 1), X.swapaxes(-1, 1)),
    ):
        np.testing.assert_array_equal(evaluate(found, {x: X}), wanted)
    assert T.dvector("v").T.name == "v"
    with pytest.raises(ValueError, match="axes must name each dimension of x once"):
        T.transpose(x, (0, 0, 1))
    with pytest.raises(ValueError, match="axis must lie within the 3 dimensions"):
        x.swapaxes(0, 3)


@pytest.mark.parametrize("shape", [(6, 4), (4, -1), (-1,), (1, -1), (2, 3, 2, 2), (24, 1)])
def test_reshape(shape: tuple[int, ...]) -> None:
    x = T.dtensor3("x")
    found = x.reshape(shape)
    np.testing.assert_array_equal(evaluate(found, {x: X}), X.reshape(shape))
    assert found.broadcastable == tuple(length == 1 for length in shape)


def test_reshape_to_symbolic_shapes() -> None:
    x, n, s = T.dtensor3("x"), T.lscalar("n"), T.lvector("s")
    values = {x: X, n: 6, s: [3, 8]}
    for found in (
        x.reshape((n, 4)),
        x.reshape([n, -1]),
        T.reshape(x, (x.shape[0] * x.shape[1], x.shape[2])),
        x.flatten().reshape((n, 4)),
    ):
        np.testing.assert_array_equal(evaluate(found, values), X.reshape(6, 4))
    np.testing.assert_array_equal(evaluate(x.reshape(s, ndim=2), values), X.reshape(3, 8))
    np.testing.assert_array_equal(evaluate(x.flatten().reshape(x.shape), values), X)
    assert x.reshape((1, -1)).type == T.drow


@pytest.mark.parametrize("mode", ["native", "reference", "check"])
def test_lengths_may_be_elements_of_an_argument(mode: str) -> None:
    x, s = T.dvector("x"), T.lvector("s")
    f = arignote.function([x, s], [x.reshape(s, ndim=2), T.zeros((s[-1], s[0]))], mode=mode)
    for lengths in ((2, 3), (6, 1)):
        result, zeros = f(np.arange(6.0), lengths)
        assert result.tolist() == np.arange(6.0).reshape(lengths).tolist()
        assert zeros.shape == lengths[::-1]


def test_reshape_refuses_what_cannot_be() -> None:
    x = T.dtensor3("x")
    with pytest.raises(ValueError, match="at most one dim may be -1"):
        x.reshape((-1, -1))
    with pytest.raises(ValueError, match="must be a vector whose length is known"):
        x.reshape(T.lvector("s"))
    with pytest.raises(ValueError, match="ndim must be the length of shape: 3 != 2"):
        x.reshape((2, 12), ndim=3)
    with pytest.raises(TypeError, match="shape must be integers"):
        x.reshape((2.0, 12))
    with pytest.raises(ValueError, match="cannot reshape array of size 24 into a shape of size 25"):
        x.reshape((5, 5)).eval({x: X})


def test_reshape_shows_the_shape_as_it_was_written() -> None:
    x, n = T.dtensor3("x"), T.lscalar("n")
    for shape, shown in (
        ((5, -1), "into shape (5, -1)"),
        ((n, -1), "into shape (n, -1)"),
        ((-1, n * 2 + 1), "into shape (-1, ?)"),
        ((n, 2), "into a shape of size 10: (n, 2)"),
        ((n,), "into a shape of size 5: (n,)"),
    ):
        f = arignote.function([x, n], x.reshape(shape), on_unused_input="ignore")
        with pytest.raises(ValueError, match=re.escape(f"array of size 24 {shown}")):
            f(X, 5)


def test_flatten() -> None:
    x = T.dtensor3("x")
    for found, wanted in (
        (x.flatten(), X.ravel()),
        (x.ravel(), X.ravel()),
        (x.flatten(2), X.reshape(2, 12)),
        (x.flatten(ndim=2), X.reshape(2, 12)),
        (T.flatten(x, 2), X.reshape(2, 12)),
        (x.flatten(3), X),
    ):
        np.testing.assert_array_equal(evaluate(found, {x: X}), wanted)
    assert T.drow().flatten(2).type == T.drow
    assert T.dscalar().flatten().ndim == 1
    with pytest.raises(ValueError, match="ndim must lie between 1 and 3: 4"):
        x.flatten(4)


def test_padding_and_squeezing() -> None:
    x = T.dmatrix("x")
    assert T.shape_padleft(x, 2).broadcastable == (True, True, False, False)
    assert T.shape_padright(x).broadcastable == (False, False, True)
    assert T.shape_padaxis(x, 1).broadcastable == (False, True, False)
    assert T.shape_padaxis(x, -1).broadcastable == (False, False, True)
    assert T.squeeze(T.shape_padaxis(x, 1)).type == T.dmatrix
    assert T.drow().squeeze().type == T.dvector
    with pytest.raises(IndexError, match="axis must lie within the 3 dimensions: 3"):
        T.shape_padaxis(x, 3)


def test_patterns_can_be_changed_and_are_checked() -> None:
    x = T.dmatrix("x")
    assert T.addbroadcast(x, 0).type == T.drow
    assert T.addbroadcast(x, 0, 1).broadcastable == (True, True)
    assert T.unbroadcast(T.drow(), 0).type == T.dmatrix
    assert T.patternbroadcast(x, (False, True)).type == T.dcol
    assert T.addbroadcast(T.drow("r"), 0).name == "r"
    with pytest.raises(ValueError, match="broadcastable must have 2 items: 1"):
        T.patternbroadcast(x, (True,))
    f = arignote.function([x], T.addbroadcast(x, 0) + np.ones((2, 3)))
    np.testing.assert_array_equal(f([[1.0, 2.0, 3.0]]), [[2.0, 3.0, 4.0]] * 2)
    text = r"Dimension 0 in Rebroadcast's input was supposed to be 1 \(got 2 instead\)"
    with pytest.raises(ValueError, match=text):
        f(np.ones((2, 3)))


def test_specify_shape_is_a_checked_promise() -> None:
    x = T.dmatrix("x")
    assert T.specify_shape(x, (1, 3)).type == T.drow
    f = arignote.function([x], T.specify_shape(x, (2, 3)) * 2)
    np.testing.assert_array_equal(f(np.ones((2, 3))), np.full((2, 3), 2.0))
    with pytest.raises(ValueError, match=r"x\.shape\[1\] must be the specified one: 4 != 3"):
        f(np.ones((2, 4)))
    with pytest.raises(TypeError, match="shape must have the 2 dimensions of x: 1"):
        T.specify_shape(x, (2,))


def test_sizes() -> None:
    x = T.dtensor3("x")
    assert evaluate(x.shape, {x: X}).tolist() == [2, 3, 4]
    assert evaluate(T.shape(x), {x: X}).tolist() == [2, 3, 4]
    assert evaluate(x.size, {x: X}) == 24
    assert evaluate(T.dscalar("s").size) == 1
    assert evaluate(T.constant([[1, 2]]).shape).tolist() == [1, 2]


def test_one_length_is_built_without_the_others() -> None:
    built: list[str] = []
    x = T.dtensor4("x")
    NODE_OBSERVERS.append(lambda node: built.append(node.op.name))
    try:
        lengths = [x.shape[0], x.shape[-1], T.shape(x)[np.int64(1)]]
    finally:
        NODE_OBSERVERS.pop()
    assert built == ["shape", "shape_i"] * 3
    values = np.zeros((2, 3, 4, 5))
    assert [int(evaluate(item, {x: values})) for item in lengths] == [2, 5, 3]
    with pytest.raises(IndexError, match="index 4 is out of bounds for size 4"):
        x.shape[4]


# --- joining


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_concatenate(axis: int) -> None:
    x, y = T.dtensor3("x"), T.dtensor3("y")
    wanted = np.concatenate([X, X + 1, X], axis)
    for found in (T.concatenate([x, y, x], axis), T.join(axis, x, y, x)):
        np.testing.assert_array_equal(evaluate(found, {x: X, y: X + 1}), wanted)


def test_concatenate_patterns_and_refusals() -> None:
    assert T.concatenate([T.drow(), T.dmatrix()]).type == T.dmatrix
    assert T.concatenate([T.drow(), T.drow()], axis=1).type == T.drow
    assert T.concatenate([T.drow(), T.drow()]).type == T.dmatrix
    assert T.concatenate([T.bvector(), T.fvector()]).type == T.fvector
    with pytest.raises(TypeError, match="must be either a tuple or a list"):
        T.concatenate(T.dmatrix())
    with pytest.raises(TypeError, match="must have the same number of dimensions: 1, 2"):
        T.concatenate([T.dvector(), T.dmatrix()])
    with pytest.raises(ValueError, match="axis must lie within the 1 dimensions: 1"):
        T.concatenate([T.dvector(), T.dvector()], axis=1)
    with pytest.raises(TypeError, match="at least one tensor is needed"):
        T.concatenate([])
    x, y = T.dmatrices("xy")
    f = arignote.function([x, y], T.concatenate([x, y]))
    with pytest.raises(ValueError, match=r"tensors\[1\]\.shape\[1\] must equal tensors\[0\]"):
        f(np.ones((2, 3)), np.ones((2, 4)))


@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1])
def test_stack(axis: int) -> None:
    x, y = T.dtensor3("x"), T.dtensor3("y")
    wanted = np.stack([X, X + 1], axis)
    found = T.stack([x, y], axis=axis)
    np.testing.assert_array_equal(evaluate(found, {x: X, y: X + 1}), wanted)
    np.testing.assert_array_equal(evaluate(T.stack([x, y], axis), {x: X, y: X + 1}), wanted)


def test_stack_forms_and_refusals() -> None:
    x, y = T.dvectors("xy")
    assert T.stack([x, y]).type == T.stack(x, y).type == T.dmatrix
    assert T.stack([T.dscalar(), 1.5]).type == T.dvector
    with pytest.raises(IndexError, match="axis must lie within the 2 dimensions: 2"):
        T.stack([x, y], axis=2)
    with pytest.raises(TypeError, match="must have the same number of dimensions"):
        T.stack([x, T.dscalar()])
    with pytest.raises(TypeError, match="at least one tensor is needed"):
        T.stack([])


@pytest.mark.parametrize("reps", [2, (2,), (2, 1), (1, 2, 3), (2, 1, 1, 2)])
def test_tile(reps: Any) -> None:
    x = T.dtensor3("x")
    np.testing.assert_array_equal(evaluate(T.tile(x, reps), {x: X}), np.tile(X, reps))


def test_tile_by_symbolic_counts() -> None:
    x, n = T.dvector("x"), T.lscalar("n")
    found = T.tile(x, (n, 2))
    np.testing.assert_array_equal(evaluate(found, {x: X[0, 0], n: 3}), np.tile(X[0, 0], (3, 2)))
    assert T.tile(x, 2, ndim=3).ndim == 3


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("repeats", [0, 1, 3])
def test_repeat(repeats: int, axis: int | None) -> None:
    x, n = T.dtensor3("x"), T.lscalar("n")
    wanted = np.repeat(X, repeats, axis)
    np.testing.assert_array_equal(evaluate(T.repeat(x, repeats, axis), {x: X}), wanted)
    np.testing.assert_array_equal(evaluate(x.repeat(n, axis), {x: X, n: repeats}), wanted)


def test_repeat_each_its_own_times() -> None:
    x = T.dmatrix("x")
    value = X[0]
    found = T.repeat(x, [2, 0, 3], axis=0)
    np.testing.assert_array_equal(evaluate(found, {x: value}), np.repeat(value, [2, 0, 3], axis=0))
    np.testing.assert_array_equal(evaluate(T.repeat(x, [2], 1), {x: value}), value.repeat(2, 1))
    with pytest.raises(NotImplementedError, match="a vector of repeats must be constant"):
        T.repeat(x, T.lvector(), axis=0)
    with pytest.raises(ValueError, match="must be the specified one: 3 != 2"):
        T.repeat(x, [2, 1], axis=0).eval({x: value})


# --- making


def test_filled_tensors() -> None:
    n = T.lscalar("n")
    for found, wanted in (
        (T.zeros((2, 3)), np.zeros((2, 3))),
        (T.ones(3, dtype="int32"), np.ones(3, "int32")),
        (T.zeros((n, 2)), np.zeros((4, 2))),
        (T.ones(n), np.ones(4)),
        (T.zeros(()), np.zeros(())),
        (T.alloc(1.5, 2, n), np.full((2, 4), 1.5, "float32")),
        (T.alloc(T.constant([1, 2]), n, 2), np.full((4, 2), [1, 2])),
        (T.zeros(T.dmatrix("m").shape[:0]), np.zeros(())),
    ):
        value = evaluate(found, {n: 4})
        np.testing.assert_array_equal(value, wanted)
        assert value.dtype == wanted.dtype


def test_patterns_of_filled_tensors() -> None:
    i = T.iscalar("i")
    assert T.alloc(0.0, 1, i).type == T.frow
    assert T.zeros((1, i)).type == T.drow
    assert T.zeros((i, 1)).type == T.dcol
    assert T.zeros(T.dmatrix().shape).type == T.dmatrix
    with pytest.raises(TypeError, match="value must have at most 1 dimensions: 2"):
        T.alloc(T.dmatrix(), 3)
    with pytest.raises(TypeError, match="shape must be integers"):
        T.zeros((2.5,))
    with pytest.raises(ValueError, match="must be a vector whose length is known"):
        T.zeros(T.lvector())


def test_tensors_like_others() -> None:
    x = T.tensor("float32", (False, True), "x")
    value = np.ones((3, 1), "float32")
    for found, wanted in (
        (T.zeros_like(x), np.zeros((3, 1), "float32")),
        (T.ones_like(x), np.ones((3, 1), "float32")),
        (T.ones_like(x, dtype="int8"), np.ones((3, 1), "int8")),
        (x.zeros_like("float64"), np.zeros((3, 1))),
        (T.fill(x, 7), np.full((3, 1), 7, "int8")),
        (x.fill(np.float64(2.5)), np.full((3, 1), 2.5)),
    ):
        assert found.broadcastable == (False, True)
        result = evaluate(found, {x: value})
        np.testing.assert_array_equal(result, wanted)
        assert result.dtype == wanted.dtype
    assert evaluate(T.identity_like(T.constant(np.ones((2, 3), "int8")))).tolist() == [
        [1, 0, 0],
        [0, 1, 0],
    ]


@pytest.mark.parametrize(
    "arguments",
    [(5,), (2, 5), (0, 9, 2), (5, 0, -2), (5, 2), (0,), (0.0, 1.0, 0.25), (1.5, -1.0, -0.5)],
)
def test_arange(arguments: tuple[float, ...]) -> None:
    np.testing.assert_array_equal(evaluate(T.arange(*arguments)), np.arange(*arguments))
    variables = [T.as_tensor_variable(item).type() for item in arguments]
    found = T.arange(*variables)
    values = dict(zip(variables, arguments, strict=True))
    np.testing.assert_array_equal(evaluate(found, values), np.arange(*arguments))


def test_arange_dtype_and_refusals() -> None:
    assert T.arange(5, dtype="float32").dtype == "float32"
    with pytest.raises(TypeError, match="stop must be a scalar"):
        T.arange(T.lvector())
    with pytest.raises(ValueError, match="step must not be zero"):
        T.arange(0, 5, 0)
    step = T.lscalar("step")
    f = arignote.function([step], T.arange(0, 5, step))
    assert f(2).tolist() == [0, 2, 4]
    with pytest.raises(ValueError, match="step must not be zero"):
        f(0)


@pytest.mark.parametrize("k", [-2, -1, 0, 1, 3])
def test_diagonal_matrices(k: int) -> None:
    x = T.dmatrix("x")
    value = X[0]
    for found, wanted in (
        (T.eye(3, 4, k), np.eye(3, 4, k)),
        (T.tri(3, 4, k), np.tri(3, 4, k)),
        (T.tril(x, k), np.tril(value, k)),
        (T.triu(x, k), np.triu(value, k)),
        (T.diag(x, k), np.diag(value, k)),
        (x.diagonal(k), np.diagonal(value, k)),
        (T.diagonal(x, k, 1, 0), np.diagonal(value, k, 1, 0)),
        (T.diag(x[0], k), np.diag(value[0], k)),
    ):
        np.testing.assert_array_equal(evaluate(found, {x: value}), wanted)
    assert T.eye(3).ndim == 2
    with pytest.raises(TypeError, match="v must be a vector or a matrix"):
        T.diag(T.dtensor3())
    with pytest.raises(TypeError, match="x must be a matrix"):
        T.diagonal(T.dtensor3())
