"""Elementwise functions against NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import arignote
import arignote.tensor as T
from helpers.evaluate import evaluate
from helpers.tolerance import FORMULA, assert_ulp

Meaning = Callable[..., Any]

X = np.array([[0.25, -1.5, 0.75], [2.5, -0.5, 3.0]])
Y = np.array([[2.0, 0.5, -0.75], [2.5, 1.5, -3.0]])

UNARY: dict[str, Meaning] = {
    **{
        name: getattr(np, name)
        for name in (
            *("exp", "exp2", "expm1", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arctan"),
            *(
                "arcsinh",
                "ceil",
                "floor",
                "trunc",
                "deg2rad",
                "rad2deg",
                "square",
                "isnan",
                "isinf",
            ),
        )
    },
    "neg": np.negative,
    "abs_": np.abs,
    "sgn": np.sign,
    "sqr": np.square,
    "inv": np.reciprocal,
    "identity": np.positive,
    "round": np.rint,
    "iround": lambda x: np.rint(x).astype("int64"),
    "conj": np.conj,
    "real": np.real,
    "imag": np.imag,
}
# On their domains.
POSITIVE: dict[str, Meaning] = {
    name: getattr(np, name) for name in ("log", "log2", "log10", "log1p", "sqrt")
}
WITHIN_ONE: dict[str, Meaning] = {
    name: getattr(np, name) for name in ("arcsin", "arccos", "arctanh")
}
BINARY: dict[str, Meaning] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "true_div": np.true_divide,
    "int_div": np.floor_divide,
    "mod": np.remainder,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "arctan2": np.arctan2,
    "eq": np.equal,
    "neq": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}


def check_unary(name: str, meaning: Meaning, value: Any) -> None:
    x = T.dmatrix("x")
    function = getattr(T, name)
    with np.errstate(all="ignore"):
        assert_ulp(evaluate(function(x), {x: value}), meaning(value), FORMULA)
    if hasattr(x, name) and name not in ("round", "real", "imag"):
        np.testing.assert_array_equal(
            evaluate(getattr(x, name)(), {x: value}), evaluate(function(x), {x: value})
        )


@pytest.mark.parametrize("name", UNARY)
def test_unary(name: str) -> None:
    special = np.array([[np.nan, np.inf, -np.inf], [0.0, -0.0, 1e300]])
    check_unary(name, UNARY[name], X)
    if name != "iround":
        check_unary(name, UNARY[name], special)


@pytest.mark.parametrize("name", POSITIVE)
def test_unary_of_positive_numbers(name: str) -> None:
    check_unary(name, POSITIVE[name], np.abs(X))
    check_unary(name, POSITIVE[name], np.array([[0.0, np.inf, np.nan]]))


@pytest.mark.parametrize("name", WITHIN_ONE)
def test_unary_within_one(name: str) -> None:
    check_unary(name, WITHIN_ONE[name], X / 4)


def test_arccosh() -> None:
    check_unary("arccosh", np.arccosh, 1 + np.abs(X))


@pytest.mark.parametrize("name", BINARY)
def test_binary(name: str) -> None:
    x, y = T.dmatrix("x"), T.dmatrix("y")
    found = getattr(T, name)(x, y)
    with np.errstate(all="ignore"):
        assert_ulp(evaluate(found, {x: X, y: Y}), BINARY[name](X, Y), FORMULA)
        assert_ulp(evaluate(getattr(T, name)(x, 2), {x: X}), BINARY[name](X, 2), FORMULA)


def test_pow() -> None:
    x, y = T.dmatrix("x"), T.dmatrix("y")
    assert_ulp(evaluate(T.pow(x, y), {x: np.abs(X), y: Y}), np.abs(X) ** Y, FORMULA)
    i = T.ivector("i")
    values = {i: np.array([-2, -1, 0, 1, 3])}
    assert evaluate(i**2, values).tolist() == [4, 1, 0, 1, 9]
    assert evaluate(i ** T.constant(-1), values).tolist() == [0, -1, 0, 1, 0]


def test_add_and_mul_take_many() -> None:
    x, y = T.dmatrix("x"), T.dmatrix("y")
    np.testing.assert_array_equal(evaluate(T.add(x, y, 1), {x: X, y: Y}), X + Y + 1)
    np.testing.assert_array_equal(evaluate(T.mul(x, y, 2), {x: X, y: Y}), X * Y * 2)
    assert T.add(x) is x


@pytest.mark.parametrize("name", ["and_", "or_", "xor"])
def test_bitwise(name: str) -> None:
    a, b = np.array([6, 5, 0], "int32"), np.array([3, 3, 3], "int32")
    numpy_name = {"and_": "bitwise_and", "or_": "bitwise_or", "xor": "bitwise_xor"}[name]
    x = T.ivector("x")
    wanted = getattr(np, numpy_name)(a, b)
    np.testing.assert_array_equal(evaluate(getattr(T, name)(x, b), {x: a}), wanted)
    np.testing.assert_array_equal(evaluate(getattr(T, numpy_name)(x, b), {x: a}), wanted)
    np.testing.assert_array_equal(evaluate(T.bitwise_not(x), {x: a}), ~a)


def test_switch_and_clip() -> None:
    x, y = T.dmatrix("x"), T.dmatrix("y")
    values = {x: X, y: Y}
    np.testing.assert_array_equal(evaluate(T.switch(x > 0, x, y), values), np.where(X > 0, X, Y))
    np.testing.assert_array_equal(evaluate(T.where(x, x, 0), values), np.where(X != 0, X, 0))
    np.testing.assert_array_equal(evaluate(T.clip(x, -1, y), values), np.clip(X, -1, Y))
    np.testing.assert_array_equal(evaluate(x.clip(0.0, 1.0), values), np.clip(X, 0, 1))


def test_rounding_modes() -> None:
    x = T.dvector("x")
    halves = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.4, np.inf])
    found = evaluate(T.round(x), {x: halves})
    np.testing.assert_array_equal(found, [-2, -2, -0.0, 0, 2, 2, 0, np.inf])
    np.testing.assert_array_equal(found, evaluate(x.round(), {x: halves}))
    away = evaluate(T.round(x, mode="half_away_from_zero"), {x: halves})
    np.testing.assert_array_equal(away, [-3, -2, -1, 1, 2, 3, 0, np.inf])
    with pytest.raises(ValueError, match="mode must be one of half_to_even, half_away_from_zero"):
        T.round(x, mode="up")


@pytest.mark.parametrize("dtype", ["bool", "int8", "int32", "int64", "float32", "float64"])
def test_casts(dtype: str) -> None:
    x = T.dvector("x")
    values = np.array([0.0, 1.7, -1.7, 100.0])
    found = evaluate(T.cast(x, dtype), {x: values})
    np.testing.assert_array_equal(found, values.astype(dtype))
    assert x.astype(dtype).dtype == dtype
    assert T.cast(x, "float64") is x


def test_xlogx() -> None:
    x, y = T.dvectors("xy")
    a, b = np.array([0.0, 0.5, 2.0]), np.array([0.0, 3.0, 0.25])
    wanted = np.array([0.0, 0.5 * np.log(3.0), 2 * np.log(0.25)])
    assert_ulp(evaluate(T.xlogx.xlogy0(x, y), {x: a, y: b}), wanted, FORMULA)
    wanted = np.array([0.0, 0.5 * np.log(0.5), 2 * np.log(2.0)])
    assert_ulp(evaluate(T.xlogx.xlogx(x), {x: a}), wanted, FORMULA)


# Broadcasting is decided by the static pattern.


def test_rows_columns_and_scalars_broadcast() -> None:
    m, r, c, v, s = T.dmatrix("m"), T.drow("r"), T.dcol("c"), T.dvector("v"), T.dscalar("s")
    row, column = X[:1], X[:, :1]
    values = {m: X, r: row, c: column, v: X[0], s: 2.0}
    for found, wanted in (
        (m + r, X + row),
        (m * c, X * column),
        (r + c, row + column),
        (m - v, X - X[0]),
        (m / s, X / 2.0),
    ):
        assert found.type == T.dmatrix
        np.testing.assert_array_equal(evaluate(found, values), wanted)
    assert (r + r).type == T.drow
    assert (r + T.zeros((1, 3))).type == T.drow


def test_a_run_time_one_does_not_broadcast() -> None:
    x, y = T.dmatrices("xy")
    f = arignote.function([x, y], x + y)
    np.testing.assert_array_equal(f(X[:1], X[:1]), X[:1] * 2)
    text = (
        r"Input dimension mis-match\. "
        r"\(input\[0\]\.shape\[0\] = 1, input\[1\]\.shape\[0\] = 2\)"
    )
    with pytest.raises(ValueError, match=text):
        f(X[:1], X)
