"""Operators and NumPy functions on variables: both sides, all operands, what they refuse."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import arignote
import arignote.tensor as T
from helpers.evaluate import evaluate
from helpers.tolerance import FORMULA, assert_ulp

Binary = Callable[[Any, Any], Any]

X = np.array([[1.5, -2.0, 3.0], [0.5, 4.0, -1.0]])
OTHERS: dict[str, Any] = {
    "int": 2,
    "float": 2.5,
    "np.float64": np.float64(2.5),
    "np.int32": np.int32(3),
    "0-d array": np.array(1.5),
    "vector": np.array([1.0, 2.0, 4.0]),
    "matrix": np.array([[1.0, 2.0, 4.0], [3.0, -1.0, 2.0]]),
    "list": [1.0, 2.0, 4.0],
}
ARITHMETIC: list[Binary] = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.floordiv,
    operator.mod,
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
]


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("function", ARITHMETIC, ids=lambda f: f.__name__)
def test_operator_with_the_variable_on_either_side(function: Binary, other: Any) -> None:
    x = T.dmatrix("x")
    for found, wanted in (
        (function(x, other), function(X, np.asarray(other))),
        (function(other, x), function(np.asarray(other), X)),
    ):
        assert isinstance(found, T.TensorVariable)
        np.testing.assert_array_equal(evaluate(found, {x: X}), wanted)


@pytest.mark.parametrize("exponent", [2, 0.5, -1, np.float64(3.0), np.array([1.0, 2.0, 3.0])])
def test_powers(exponent: Any) -> None:
    x = T.dmatrix("x")
    base = np.abs(X)
    assert_ulp(evaluate(x**exponent, {x: base}), base ** np.asarray(exponent), FORMULA)
    positive = np.abs(exponent)
    assert_ulp(evaluate(positive**x, {x: X}), np.asarray(positive, "float64") ** X, FORMULA)


@pytest.mark.parametrize("function", [operator.and_, operator.or_, operator.xor])
@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_bitwise_operators(function: Binary, dtype: str) -> None:
    a, b = np.array([6, 0, 3], dtype), np.array([3, 5, 3], dtype)
    x = T.vector("x", dtype=dtype)
    np.testing.assert_array_equal(evaluate(function(x, b), {x: a}), function(a, b))
    np.testing.assert_array_equal(evaluate(function(b, x), {x: a}), function(b, a))
    np.testing.assert_array_equal(evaluate(~x, {x: a}), ~a)


def test_unary_operators() -> None:
    x = T.dmatrix("x")
    np.testing.assert_array_equal(evaluate(-x, {x: X}), -X)
    np.testing.assert_array_equal(evaluate(abs(x), {x: X}), np.abs(X))


@pytest.mark.parametrize(("a", "b"), [(7, 2), (-7, 2), (7, -2), (-7, -2)])
@pytest.mark.parametrize("dtype", ["int32", "float64"])
def test_remainder_and_quotient_follow_python_signs(a: int, b: int, dtype: str) -> None:
    x, y = T.scalar("x", dtype=dtype), T.scalar("y", dtype=dtype)
    assert evaluate(x % y, {x: a, y: b}) == a % b
    assert evaluate(x // y, {x: a, y: b}) == a // b


def test_matmul_is_the_product_of_vectors_and_matrices() -> None:
    a, b = T.dmatrix("a"), T.dmatrix("b")
    first, second = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4)
    wanted = first @ second
    np.testing.assert_array_equal(evaluate(a @ b, {a: first, b: second}), wanted)
    np.testing.assert_array_equal(evaluate(first @ b, {b: second}), wanted)
    np.testing.assert_array_equal(evaluate(a @ second, {a: first}), wanted)
    with pytest.raises(TypeError, match="operands of @ must be vectors or matrices"):
        a @ T.dtensor3()


def test_shared_variables_and_constants_have_the_operators_too() -> None:
    w, c = arignote.shared(np.array([1.0, 2.0]), name="w"), T.constant([3.0, 4.0])
    np.testing.assert_array_equal(evaluate(w * 2 + c), [5.0, 8.0])
    np.testing.assert_array_equal(evaluate(np.ones(2) - w), [0.0, -1.0])
    assert isinstance(w, T.TensorSharedVariable)
    assert isinstance(c, T.TensorConstant)
    assert not isinstance(w, T.TensorVariable)


UFUNCS = [
    *(np.exp, np.log, np.log1p, np.sqrt, np.sin, np.cos, np.tanh, np.arctan, np.cosh, np.sinh),
    *(np.floor, np.ceil, np.trunc, np.rint, np.absolute, np.negative, np.sign, np.square),
    *(np.reciprocal, np.isnan, np.isinf, np.exp2, np.expm1, np.log2, np.log10, np.tan, np.arcsinh),
]


@pytest.mark.parametrize("function", UFUNCS, ids=lambda f: f.__name__)
def test_numpy_function_of_a_variable(function: np.ufunc) -> None:
    x = T.dvector("x")
    values = np.array([0.5, 1.25, 2.5])
    found = evaluate(function(x), {x: values})
    np.testing.assert_array_equal(found, function(values))


@pytest.mark.parametrize(
    "function",
    [np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum, np.power, np.arctan2],
    ids=lambda f: f.__name__,
)
def test_numpy_function_of_two(function: np.ufunc) -> None:
    x = T.dvector("x")
    a, b = np.array([0.5, 1.25, 2.5]), np.array([2.0, 1.0, 3.0])
    np.testing.assert_array_equal(evaluate(function(x, b), {x: a}), function(a, b))
    np.testing.assert_array_equal(evaluate(function(b, x), {x: a}), function(b, a))


def test_numpy_functions_without_a_meaning_are_refused() -> None:
    x = T.dvector("x")
    with pytest.raises(TypeError, match="NotImplemented"):
        np.fmod(x, 2)
    with pytest.raises(TypeError, match="NotImplemented"):
        np.add.reduce(x)
    array = np.ones(2)
    with pytest.raises(TypeError, match="NotImplemented"):
        array += x


def test_equality_is_identity() -> None:
    x, y = T.dvector("x"), T.dvector("x")
    assert x == x
    assert x != y
    assert (x == y) is False
    assert (x == 1.0) is False
    assert (np.float64(1) == x) is False
    assert y not in [x, np.float64(0.5), np.zeros(3)]
    assert {x: 1, y: 2}[x] == 1
    assert len({x, y, x}) == 2


def test_truth() -> None:
    x = T.dvector("x")
    assert bool(x)
    assert bool(x + 1)
    assert bool(T.eq(x, 0))
    for comparison in (x > 0, x >= 0, x < 0, x <= 0):
        with pytest.raises(TypeError, match=r"^Variables do not support boolean operations\.$"):
            bool(comparison)
    with pytest.raises(TypeError, match="do not support boolean"):
        0 < x < 1


def test_length_and_iteration_need_a_known_length() -> None:
    x = T.dmatrix("x")
    with pytest.raises(TypeError, match="object of type 'TensorVariable' has no len"):
        len(x)
    for variable in (x, T.dvector(), T.dscalar(), x.sum()):
        with pytest.raises(TypeError, match="TensorType does not support iteration"):
            iter(variable)
    with pytest.raises(TypeError, match="Maybe you are using builtins"):
        sum(T.dvector())
    rows, columns = x.shape
    assert rows is not columns
    assert len(list(T.dtensor4().shape[:-2])) == 2


def test_iteration_over_what_the_graph_counts() -> None:
    x = T.dtensor3("x")
    value = np.zeros((2, 3, 4))
    assert [int(evaluate(item, {x: value})) for item in x.shape] == [2, 3, 4]
    assert [int(evaluate(item, {x: value})) for item in x.shape[:-1]] == [2, 3]
    assert [int(evaluate(item, {x: value})) for item in x.shape[::-1] * 2] == [8, 6, 4]
    a, b = T.dscalars("a", "b")
    assert list(T.stack([a, b])) == [a, b]
    assert [float(evaluate(item)) for item in T.constant([3.0, 4.0])] == [3.0, 4.0]


def test_a_list_of_variables_is_stacked() -> None:
    a, b = T.dscalars("a", "b")
    x = T.dvector("x")
    numbers = [a, b]
    total = x + numbers
    assert total.type == T.dvector
    assert evaluate(total, {x: [1, 2], a: 10, b: 20}).tolist() == [11, 22]


def test_variables_go_into_object_arrays_one_by_one() -> None:
    x, y = T.dmatrix("x"), T.dvector("y")
    array = np.array([x, y])
    assert array.dtype == object
    assert array.tolist() == [x, y]
    with pytest.raises(TypeError, match=r"\[constant\] value must be a number or an array"):
        T.as_tensor_variable(array)


def test_foreign_operands_are_refused() -> None:
    with pytest.raises(TypeError, match="value must be a number or an array of numbers: 'a'"):
        T.dvector() + "a"
    with pytest.raises(TypeError, match="value must be a number or an array of numbers: None"):
        T.dvector() * None


def test_there_is_no_item_assignment() -> None:
    with pytest.raises(TypeError, match="does not support item assignment"):
        T.dvector()[0] = 1.0


def test_mistakes_are_told_under_the_name_that_was_called() -> None:
    x = T.dvector()
    for name, call in (
        ("&", lambda: x & x),
        ("|", lambda: 1.5 | x),
        ("^", lambda: x ^ x),
        ("~", lambda: ~x),
        ("@", lambda: x @ T.dtensor3()),
        ("and_", lambda: T.and_(x, x)),
        ("concatenate", lambda: T.concatenate([x, T.dmatrix()])),
        ("concatenate", lambda: T.concatenate([x, x], axis=1)),
        ("stack", lambda: T.stack([x, T.dmatrix()])),
        ("join", lambda: T.join(0, x, T.dmatrix())),
    ):
        with pytest.raises((TypeError, ValueError), match=re.escape(f"[{name}] ")):
            call()
