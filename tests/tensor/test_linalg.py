"""Products of vectors and matrices against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import arignote
import arignote.tensor as T
from helpers.evaluate import evaluate
from helpers.tolerance import SUMMED, assert_ulp

RNG = np.random.default_rng(8)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((), ()),
        ((), (3,)),
        ((2, 3), ()),
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 4)),
        ((2, 3), (3, 4)),
        ((2, 5, 3), (3,)),
        ((2, 5, 3), (3, 4)),
        ((3,), (2, 3, 4)),
        ((2, 3), (5, 3, 4)),
        ((2, 5, 3), (6, 3, 4)),
    ],
)
def test_dot(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    a, b = RNG.integers(-9, 9, left) / 4, RNG.integers(-9, 9, right) / 4
    x, y = (T.tensor("float64", (False,) * item.ndim) for item in (a, b))
    for found in (T.dot(x, y), x.dot(y), arignote.dot(x, y)):
        np.testing.assert_array_equal(evaluate(found, {x: a, y: b}), np.dot(a, b))


def test_patterns_of_products() -> None:
    assert T.dot(T.drow(), T.dmatrix()).type == T.drow
    assert T.dot(T.dmatrix(), T.dcol()).type == T.dcol
    assert T.dot(T.dtensor3(), T.dmatrix()).type == T.dtensor3
    assert T.outer(T.dvector(), T.fvector()).type == T.dmatrix
    assert T.dot(T.imatrix(), T.ivector()).type == T.ivector


def test_shapes_must_fit() -> None:
    x, y = T.dmatrices("xy")
    f = arignote.function([x, y], T.dot(x, y))
    with pytest.raises(ValueError, match=r"a\.shape\[1\] must equal b\.shape\[0\]: 3 != 2"):
        f(np.ones((4, 3)), np.ones((2, 3)))


@pytest.mark.parametrize(
    ("left", "right", "axes"),
    [
        ((2, 3, 4), (3, 4, 5), 2),
        ((2, 3, 4), (4, 5), 1),
        ((2, 3), (4, 5), 0),
        ((2, 3, 4), (5, 3, 2), [[0, 1], [2, 1]]),
        ((2, 3, 4), (5, 3), [1, 1]),
        ((2, 3, 4), (3, 2, 4), ((1, 0, -1), (0, 1, 2))),
    ],
)
def test_tensordot(left: tuple[int, ...], right: tuple[int, ...], axes: Any) -> None:
    a, b = RNG.integers(-9, 9, left) / 4, RNG.integers(-9, 9, right) / 4
    x, y = (T.tensor("float64", (False,) * item.ndim) for item in (a, b))
    found = evaluate(T.tensordot(x, y, axes), {x: a, y: b})
    np.testing.assert_array_equal(found, np.tensordot(a, b, axes))


def test_tensordot_refuses_axes_without_partner() -> None:
    with pytest.raises(ValueError, match="axes must not exceed the ranks: 3"):
        T.tensordot(T.dmatrix(), T.dtensor3(), 3)
    with pytest.raises(ValueError, match="axes must come in pairs"):
        T.tensordot(T.dmatrix(), T.dmatrix(), [[0, 1], [0]])


def test_outer_and_trace() -> None:
    x, y, m = T.dvector("x"), T.dmatrix("y"), T.dmatrix("m")
    a, b = RNG.normal(size=3), RNG.normal(size=(2, 4))
    found = evaluate(T.outer(x, y), {x: a, y: b})
    np.testing.assert_array_equal(found, np.outer(a, b))
    assert_ulp(evaluate(m.trace(), {m: b}), np.asarray(np.trace(b)), SUMMED)
    with pytest.raises(TypeError, match="x must be a matrix"):
        T.trace(x)
