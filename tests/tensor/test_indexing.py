"""Indexing and updating by every kind of index, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import arignote
import arignote.tensor as T
from helpers.evaluate import evaluate

X = np.arange(60.0).reshape(3, 4, 5)

BASIC: list[Any] = [
    0,
    -1,
    slice(None),
    slice(1, None),
    slice(None, -1),
    slice(None, None, -1),
    slice(2, 0, -1),
    slice(-9, 9),
    slice(5, 2),
    slice(0, 1),
    np.int64(2),
    None,
    Ellipsis,
    (0, 1),
    (0, 1, 2),
    (slice(None), 1),
    (slice(None), slice(1, 3), slice(None, None, 2)),
    (Ellipsis, 0),
    (0, Ellipsis),
    (0, Ellipsis, slice(1, 2)),
    (None, 0),
    (0, None, slice(None), None),
    (slice(None), None, 1, Ellipsis, None),
    (None, None, Ellipsis),
    (),
]
ADVANCED: list[Any] = [
    [0, 2],
    [-1, 0, 0],
    np.array([1, 1, 2]),
    np.array([[0, 1], [2, 0]]),
    np.array([1, 2], "uint8"),
    [],
    ([0, 2], [1, 3]),
    ([0, 2], [1, 3], [0, -1]),
    (slice(None), [0, 3]),
    (slice(None), slice(None), [4, 0, 1]),
    (slice(1, None), [0, 3]),
    ([0, 2], slice(None), [1, 1]),
    ([0, 2], slice(1, 3)),
    (0, [1, 2]),
    (0, slice(None), [1, 2]),
    ([0, 1], 2),
    (Ellipsis, [0, 1]),
    (np.array([[0], [2]]), np.array([1, 3])),
    ([0, 2], None),
    (np.array([True, False, True]),),
    np.array([True, False, True]),
    [True, False, True],
    (slice(None), np.array([True, False, True, True])),
    (np.array([True, False, True]), [1, 3]),
    (0, slice(None), None, [1, 2]),
    (None, 1, slice(None), [1, 2]),
    (slice(0, 2), [0, 3], 4),
    (Ellipsis, slice(0, 1), [0]),
    (Ellipsis, slice(None), slice(0, 1), [0]),
    (slice(1, None), X[0] > 7),
    (X[..., 0] > 20, 2),
    (X[..., 0] > 20, slice(1, None)),
    X[..., 0] > 20,
    X > 30,
]


@pytest.mark.parametrize("index", BASIC + ADVANCED, ids=str)
def test_reading(index: Any) -> None:
    x = T.dtensor3("x")
    found, wanted = evaluate(x[index], {x: X}), X[index]
    assert x[index].ndim == wanted.ndim
    np.testing.assert_array_equal(found, wanted)


def test_symbolic_integers() -> None:
    x, i, j = T.dtensor3("x"), T.lscalar("i"), T.iscalar("j")
    values = {x: X, i: 1, j: -1}
    for found, wanted in (
        (x[i], X[1]),
        (x[i, j], X[1, -1]),
        (x[:, i:, ::j], X[:, 1:, ::-1]),
        (x[i * 2, : i + 1], X[2, :2]),
        (x[..., j, None], X[..., -1, None]),
        (x[i : i + 1], X[1:2]),
        (x[x.shape[0] - 1], X[2]),
    ):
        np.testing.assert_array_equal(evaluate(found, values), wanted)


def test_symbolic_arrays() -> None:
    x, rows, mask = T.dtensor3("x"), T.ivector("rows"), T.vector("mask", dtype="bool")
    values = {x: X, rows: [2, 0, 2], mask: [True, False, True]}
    for found, wanted in (
        (x[rows], X[[2, 0, 2]]),
        (x[T.arange(3), rows], X[np.arange(3), [2, 0, 2]]),
        (x[:, rows], X[:, [2, 0, 2]]),
        (x[mask], X[[0, 2]]),
        (x[T.eq(rows, 2).nonzero()], X[[0, 2]]),
        (x[(x > 30).nonzero()], X[X > 30]),
        (x[x > 30], X[X > 30]),
        (x[rows, 1:3], X[[2, 0, 2], 1:3]),
    ):
        np.testing.assert_array_equal(evaluate(found, values), wanted)


def test_patterns_of_results() -> None:
    x, row = T.dmatrix("x"), T.drow("row")
    assert x[0:1].broadcastable == (False, False)
    assert x[None, :].broadcastable == (True, False, False)
    assert T.dvector()[None, :].type == T.drow
    assert T.dvector()[:, None].type == T.dcol
    assert row[0].type == T.dvector
    assert row[:].type == T.drow
    assert row[:, 1:].type == T.drow
    assert row[::-1].broadcastable[1] is False
    assert x[:].owner is not None


def test_a_length_is_no_element_of_a_vector() -> None:
    x = T.dmatrix("x")
    assert str(x.shape[0].owner) == "Shape_i{0}(x)"
    assert str(x.shape[-1].owner) == "Shape_i{1}(x)"
    assert str(T.dvector("v").shape[0].owner) == "Shape_i{0}(v)"
    assert T.drow().shape[0].data == 1
    assert [str(item) for item in x.shape[1:]] == ["Shape_i{1}.0"]
    assert T.dscalar().shape.eval().tolist() == []
    with pytest.raises(IndexError, match="index 2 is out of bounds for size 2"):
        x.shape[2]


@pytest.mark.parametrize("index", [(0, 0), 0, (slice(None), 0)])
def test_too_many_indices(index: Any) -> None:
    s = T.dscalar() if index == 0 else T.dvector()
    with pytest.raises(IndexError, match="too many indices for array"):
        s[index]


@pytest.mark.parametrize(
    ("index", "error", "text"),
    [
        ((Ellipsis, Ellipsis), IndexError, "an index can only have a single ellipsis"),
        (1.5, TypeError, "an index must be an integer or a slice of integers"),
        (slice(0, 1.5), TypeError, "an index must be an integer or a slice of integers"),
        ([0.5, 1.5], TypeError, "index arrays must hold integers or booleans"),
        (True, TypeError, "an index must be an integer or a slice of integers: True"),
        ("a", TypeError, "value must be a number"),
    ],
)
def test_bad_indices(index: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        T.dmatrix()[index]


UPDATES: list[Any] = [
    *(
        0,
        -1,
        slice(1, None),
        slice(None, None, -1),
        slice(None),
        (0, 1),
        (slice(None), 2),
        (1, 2, 3),
    ),
    *((Ellipsis, 0), (slice(0, 2), slice(1, 3), slice(None, None, 2)), (0, slice(None), -1), None),
    *([0, 2], np.array([[0, 1], [2, 0]]), ([0, 2], [1, 3]), (slice(None), [0, 3]), X > 30),
    *(([0, 2], slice(None), [1, 1]), (slice(1, None), [0, 3]), (0, [1, 2]), [True, False, True]),
    *((0, slice(None), [1, 2]), ([1, 2], slice(1, 3), -1), (Ellipsis, [0, 0]), ([0, 2], Ellipsis)),
    # An Ellipsis that stands for nothing, and a mask of two dimensions beside a slice.
    *((Ellipsis, slice(1, 3), slice(0, 1), [0, 2]), (X[..., 0] > 20, slice(1, None))),
]


@pytest.mark.parametrize("index", UPDATES, ids=str)
def test_set_subtensor(index: Any) -> None:
    x = T.dtensor3("x")
    wanted = X.copy()
    wanted[index] = -1
    np.testing.assert_array_equal(evaluate(T.set_subtensor(x[index], -1), {x: X}), wanted)
    values = -np.arange(float(X[index].size)).reshape(X[index].shape)
    wanted[index] = values
    np.testing.assert_array_equal(evaluate(T.set_subtensor(x[index], values), {x: X}), wanted)


@pytest.mark.parametrize("index", UPDATES, ids=str)
def test_inc_subtensor(index: Any) -> None:
    x = T.dtensor3("x")
    values = np.arange(float(X[index].size)).reshape(X[index].shape)
    wanted = X.copy()
    np.add.at(wanted, index, values)
    found = T.inc_subtensor(x[index], values)
    assert found.type == x.type
    np.testing.assert_array_equal(evaluate(found, {x: X}), wanted)


def test_updates_with_symbolic_indices() -> None:
    x, i, rows = T.dtensor3("x"), T.lscalar("i"), T.lvector("rows")
    wanted = X.copy()
    wanted[1:, 0] = 7
    found = T.set_subtensor(x[i:, 0], 7)
    np.testing.assert_array_equal(evaluate(found, {x: X, i: 1}), wanted)
    wanted = X.copy()
    np.add.at(wanted, ([0, 0, 2],), 1)
    found = T.inc_subtensor(x[rows], 1)
    np.testing.assert_array_equal(evaluate(found, {x: X, rows: [0, 0, 2]}), wanted)


def test_updates_of_transposes_and_of_indexed_results() -> None:
    x = T.dmatrix("x")
    value = np.arange(6.0).reshape(2, 3)
    wanted = value.T.copy()
    wanted[0] = 9
    found = T.set_subtensor(x.T[0], 9)
    np.testing.assert_array_equal(evaluate(found, {x: value}), wanted)
    part = x[1]
    whole = T.set_subtensor(part[:], 5)
    assert evaluate(whole, {x: value}).tolist() == [5, 5, 5]
    assert evaluate(T.set_subtensor(part, 6), {x: value})[1].tolist() == [6, 6, 6]


def test_what_cannot_be_updated() -> None:
    x = T.dmatrix("x")
    with pytest.raises(
        TypeError, match=r"\[set_subtensor\] x must be what indexing a variable gave"
    ):
        T.set_subtensor(x, 1)
    with pytest.raises(
        TypeError, match=r"\[inc_subtensor\] x must be what indexing a variable gave"
    ):
        T.inc_subtensor(x + 1, 1)
    with pytest.raises(TypeError, match="does not fit"):
        T.set_subtensor(T.ivector()[0], 1.5)
    with pytest.raises(
        TypeError, match="value must have at most the 1 dimensions of the region: 2"
    ):
        T.set_subtensor(x[0], T.dmatrix())
    with pytest.raises(NotImplementedError, match="takes no new axis"):
        T.set_subtensor(x[[0, 1], None], 1)


def test_nonzero() -> None:
    x = T.imatrix("x")
    value = np.array([[0, 5, 0], [6, 0, 7]])
    for found, wanted in zip(T.nonzero(x), np.nonzero(value), strict=True):
        np.testing.assert_array_equal(evaluate(found, {x: value}), wanted)
    matrix = T.nonzero(x, return_matrix=True)
    np.testing.assert_array_equal(evaluate(matrix, {x: value}), np.array(np.nonzero(value)))
    np.testing.assert_array_equal(evaluate(T.flatnonzero(x), {x: value}), [1, 3, 5])
    np.testing.assert_array_equal(evaluate(x.nonzero_values(), {x: value}), [5, 6, 7])
    with pytest.raises(TypeError, match="x must have at least one dimension: 0"):
        T.nonzero(T.dscalar())


@pytest.mark.parametrize("dtype", [None, "int8"])
def test_one_hot_rows(dtype: str | None) -> None:
    y, classes = T.ivector("y"), T.lscalar("classes")
    f = arignote.function([y, classes], T.extra_ops.to_one_hot(y, classes, dtype))
    found = f([2, 0, -1], 4)
    wanted = np.eye(4, dtype=dtype or arignote.config.floatX)[[2, 0, 3]]
    np.testing.assert_array_equal(found, wanted, strict=True)
    with pytest.raises(IndexError, match="index 4 is out of bounds for size 4"):
        f([1, 4], 4)
    with pytest.raises(TypeError, match="y must be a vector of integers"):
        T.to_one_hot(T.fvector(), 3)


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("indices", [1, [0, 2, 2], [[0, 1], [2, 0]]])
def test_take(indices: Any, axis: int | None) -> None:
    x = T.dtensor3("x")
    found = evaluate(T.take(x, indices, axis), {x: X})
    np.testing.assert_array_equal(found, np.take(X, indices, axis))


# With the compiled runtime.


def test_an_index_out_of_range_is_named_at_run_time() -> None:
    x, i = T.dmatrix("x"), T.lscalar("i")
    row = arignote.function([x, i], x[i])
    np.testing.assert_array_equal(row(X[0], -4), X[0, 0])
    for bad in (4, -5):
        with pytest.raises(IndexError, match=f"index {bad} is out of bounds for size 4"):
            row(X[0], bad)
    rows = T.lvector("rows")
    pick = arignote.function([x, rows], x[T.arange(rows.shape[0]), rows])
    with pytest.raises(IndexError, match="index 7 is out of bounds for size 5"):
        pick(X[0], [0, 7])


@pytest.mark.parametrize("bad", [4, -5])
@pytest.mark.parametrize("before", [True, False])
def test_an_integer_beside_an_empty_array_must_be_in_range(bad: int, before: bool) -> None:
    x, i = T.dmatrix("x"), T.lscalar("i")
    values = X[0, :, :4]
    for number, given in ((bad, {}), (i, {i: bad})):
        part = x[number, []] if before else x[[], number]
        for expression in (part, T.set_subtensor(part, 0), T.inc_subtensor(part, 1)):
            with pytest.raises(IndexError, match=f"index {bad} is out of bounds for size 4"):
                expression.eval({x: values, **given})


def test_views_follow_the_indices_of_each_call() -> None:
    x, i, n = T.dmatrix("x"), T.lscalar("i"), T.lscalar("n")
    batch = arignote.function([x, i, n], x[i * n : (i + 1) * n])
    for number in (0, 1, 2):
        np.testing.assert_array_equal(batch(X[0], number, 2), X[0, number * 2 : number * 2 + 2])
