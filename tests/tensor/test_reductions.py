"""Reductions over axes against NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import arignote
import arignote.tensor as T
from helpers.evaluate import evaluate
from helpers.tolerance import SUMMED, assert_ulp

X = np.random.default_rng(5).normal(size=(2, 3, 4))
AXES: list[Any] = [None, 0, 1, -1, (0, 2), [1, -1], (0, 1, 2), ()]
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sum": np.sum,
    "prod": np.prod,
    "mean": np.mean,
    "var": np.var,
    "std": np.std,
    "max": np.max,
    "min": np.min,
}


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_reduction(name: str, axis: Any, keepdims: bool) -> None:
    x = T.dtensor3("x")
    numpy_axis = tuple(axis) if isinstance(axis, list) else axis
    wanted = FUNCTIONS[name](X, axis=numpy_axis, keepdims=keepdims)
    for found in (
        getattr(T, name)(x, axis=axis, keepdims=keepdims),
        getattr(x, name)(axis=axis, keepdims=keepdims),
    ):
        assert_ulp(evaluate(found, {x: X}), np.asarray(wanted), SUMMED)


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_places_of_extremes(axis: int | None) -> None:
    x = T.imatrix("x")
    value = np.array([[3, 7, 7], [7, -2, -2]])
    for name in ("argmax", "argmin"):
        wanted = getattr(np, name)(value, axis=axis)
        np.testing.assert_array_equal(evaluate(getattr(T, name)(x, axis), {x: value}), wanted)
        np.testing.assert_array_equal(evaluate(getattr(x, name)(axis), {x: value}), wanted)
        kept = evaluate(getattr(T, name)(x, axis, keepdims=True), {x: value})
        np.testing.assert_array_equal(kept, getattr(np, name)(value, axis=axis, keepdims=True))
    largest, place = T.max_and_argmax(x, axis)
    np.testing.assert_array_equal(evaluate(largest, {x: value}), value.max(axis))
    np.testing.assert_array_equal(evaluate(place, {x: value}), value.argmax(axis))
    np.testing.assert_array_equal(evaluate(x.ptp(axis), {x: value}), np.ptp(value, axis))


@pytest.mark.parametrize("axis", [None, 0, (0, 1)])
def test_any_and_all(axis: Any) -> None:
    x = T.dmatrix("x")
    value = np.array([[0.0, 0.5, 2.0], [0.0, np.nan, 0.0]])
    for name in ("any", "all"):
        wanted = getattr(np, name)(value, axis=axis)
        np.testing.assert_array_equal(evaluate(getattr(T, name)(x, axis), {x: value}), wanted)
        np.testing.assert_array_equal(
            evaluate(getattr(x > 0, name)(axis), {x: value}),
            getattr(np, name)(value > 0, axis=axis),
        )


def test_patterns() -> None:
    x = T.dmatrix("x")
    assert x.sum(axis=1, keepdims=True).type == T.dcol
    assert x.mean(axis=0, keepdims=True).type == T.drow
    assert T.drow().sum(axis=1).broadcastable == (True,)
    assert x.sum().type == T.dscalar


def test_dtypes_of_result_and_accumulator() -> None:
    x = T.bvector("x")
    value = np.full(300, 127, "int8")
    assert evaluate(x.sum(), {x: value}) == 300 * 127
    assert evaluate(x.sum(dtype="int8"), {x: value}) == (300 * 127 + 128) % 256 - 128
    assert evaluate(x.sum(acc_dtype="float64"), {x: value}).dtype == "int64"
    single = T.fvector("s")
    tenth = np.full(1000, 0.1, "float32")
    wide = evaluate(single.sum(dtype="float64"), {single: tenth})
    assert wide == np.sum(tenth.astype("float64"))
    assert evaluate(single.sum(), {single: tenth}) == np.float32(wide)
    half = T.vector("h", dtype="float16")
    assert evaluate(half.mean(), {half: np.full(3000, 60, "float16")}) == 60
    with pytest.raises(TypeError, match="acc_dtype must hold every value of x without loss"):
        single.sum(acc_dtype="int64")


def test_variance_with_degrees_of_freedom() -> None:
    x = T.dmatrix("x")
    value = X[0]
    for axis in (None, 0, 1):
        found = evaluate(T.var(x, axis, ddof=1), {x: value})
        assert_ulp(found, np.var(value, axis, ddof=1), SUMMED)
        found = evaluate(x.std(axis, ddof=1), {x: value})
        assert_ulp(found, np.std(value, axis, ddof=1), SUMMED)
    shifted = value + 2.0**20
    corrected = evaluate(T.var(x, corrected=True), {x: shifted})
    assert abs(corrected - np.var(value)) < 2.0**-20 * np.var(value)
    with pytest.raises(ValueError, match="ddof must be an integer; keepdims comes after it: True"):
        T.var(x, 0, True)


@pytest.mark.parametrize("order", [0, 1, 2, 3, np.inf])
def test_norm(order: float) -> None:
    x = T.dvector("x")
    value = np.array([3.0, -4.0, 0.0])
    found = evaluate(x.norm(order), {x: value})
    assert_ulp(found, np.asarray(np.linalg.norm(value, order)).astype(found.dtype), SUMMED)


def test_names_of_means() -> None:
    x = T.dvector("x")
    assert (T.mean(x).name, T.var(x).name, T.std(x).name, T.sum(x).name) == (
        "mean",
        "var",
        "std",
        None,
    )


@pytest.mark.parametrize("name", [*FUNCTIONS, "argmax", "any"])
def test_axes_must_exist_and_differ(name: str) -> None:
    x = T.dmatrix("x")
    with pytest.raises(ValueError, match="axis must lie within the 2 dimensions of x: 2"):
        getattr(T, name)(x, axis=2)
    with pytest.raises(ValueError, match="axis must lie within the 2 dimensions of x: -3"):
        getattr(T, name)(x, axis=-3)
    with pytest.raises(ValueError, match="axes must differ from each other"):
        getattr(T, name)(x, axis=(0, -2))


def test_nothing_to_reduce() -> None:
    x = T.dmatrix("x")
    empty = np.zeros((0, 3))
    assert arignote.function([x], x.sum(0))(empty).tolist() == [0, 0, 0]
    assert arignote.function([x], x.prod())(empty) == 1
    assert np.isnan(arignote.function([x], x.mean())(empty))
    for function in (T.max, T.min, T.argmax):
        f = arignote.function([x], function(x, axis=0))
        with pytest.raises(ValueError, match="x must not be empty along axis 0"):
            f(empty)


def test_nan_passes_through() -> None:
    x = T.dvector("x")
    value = np.array([1.0, np.nan, 3.0])
    for name in ("sum", "mean", "max", "min", "prod", "var"):
        assert np.isnan(evaluate(getattr(T, name)(x), {x: value})), name
