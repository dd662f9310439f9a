"""Theano's dtype rules: casting of Python numbers, up-casting, and the dtypes of results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import arignote
import arignote.tensor as T
from arignote.graph import dtypes
from arignote.graph.variable import Variable
from helpers.values import DTYPES

Build = Callable[[], Variable]


def f32() -> Any:
    return T.fvector("v")


def i8() -> Any:
    return T.bvector("b")


def i32() -> Any:
    return T.ivector("i")


# (expression, with floatX=float64, with floatX=float32)
TABLE: list[tuple[str, Build, str, str]] = [
    ("float32 * 2.0", lambda: f32() * 2.0, "float32", "float32"),
    ("float32 * 0.1", lambda: f32() * 0.1, "float32", "float32"),
    ("float32 * 2", lambda: f32() * 2, "float32", "float32"),
    ("float32 * 1e300", lambda: f32() * 1e300, "float32", "float32"),
    ("2.0 * float32", lambda: 2.0 * f32(), "float32", "float32"),
    ("float32 * np.float32", lambda: f32() * np.float32(2), "float32", "float32"),
    ("float32 * np.float64", lambda: f32() * np.float64(2), "float64", "float64"),
    ("np.float64 * float32", lambda: np.float64(2) * f32(), "float64", "float64"),
    ("float32 * np.ones", lambda: f32() * np.ones(3), "float64", "float64"),
    ("np.ones * float32", lambda: np.ones(3) * f32(), "float64", "float64"),
    ("float32 * 0-d array", lambda: f32() * np.array(2.0), "float64", "float64"),
    ("int32 * float32", lambda: i32() * f32(), "float64", "float64"),
    ("int64 * float32", lambda: T.lvector() * f32(), "float64", "float64"),
    ("float32 / its length", lambda: (v := f32()) / v.shape[0], "float64", "float64"),
    ("sum of float32 / int32", lambda: f32().sum() / T.iscalar(), "float64", "float64"),
    ("arange * 0.5", lambda: T.arange(5) * 0.5, "float64", "float64"),
    ("int8 * float32", lambda: i8() * f32(), "float32", "float32"),
    ("uint8 * float32", lambda: T.vector(dtype="uint8") * f32(), "float32", "float32"),
    ("int32 / int32", lambda: i32() / i32(), "float64", "float32"),
    ("int8 / int8", lambda: i8() / i8(), "float64", "float32"),
    ("int64 / 2", lambda: T.lscalar() / 2, "float64", "float32"),
    ("int32 // 2", lambda: i32() // 2, "int32", "int32"),
    ("int8 * 2", lambda: i8() * 2, "int8", "int8"),
    ("int8 * 200", lambda: i8() * 200, "int16", "int16"),
    ("int8 * 2.0", lambda: i8() * 2.0, "float32", "float32"),
    ("int32 + 1.5", lambda: i32() + 1.5, "float64", "float64"),
    ("int32 ** 2.0", lambda: i32() ** 2.0, "float64", "float64"),
    ("int32 ** 2", lambda: i32() ** 2, "int32", "int32"),
    ("sqrt(int32)", lambda: T.sqrt(i32()), "float64", "float64"),
    ("exp(int32)", lambda: T.exp(i32()), "float64", "float64"),
    ("exp(int8)", lambda: T.exp(i8()), "float32", "float32"),
    ("exp(bool)", lambda: T.exp(f32() > 0), "float32", "float32"),
    ("float32 > 0", lambda: f32() > 0, "bool", "bool"),
    ("eq", lambda: T.eq(i32(), f32()), "bool", "bool"),
    ("neq", lambda: T.neq(i32(), 1), "bool", "bool"),
    ("1 - bool", lambda: 1 - (f32() > 0), "int8", "int8"),
    ("bool * float32", lambda: (v := f32()) * (v > 0), "float32", "float32"),
    ("bool & bool", lambda: (f32() > 0) & (f32() < 1), "bool", "bool"),
    ("sum(int8)", lambda: i8().sum(), "int64", "int64"),
    ("sum(int32)", lambda: i32().sum(), "int64", "int64"),
    ("sum(bool)", lambda: (f32() > 1).sum(axis=0), "int64", "int64"),
    ("sum(uint8)", lambda: T.vector(dtype="uint8").sum(), "uint64", "uint64"),
    ("sum(float32)", lambda: f32().sum(), "float32", "float32"),
    ("prod(int8)", lambda: i8().prod(), "int64", "int64"),
    ("sum(dtype=)", lambda: f32().sum(dtype="float64"), "float64", "float64"),
    ("sum(acc_dtype=)", lambda: f32().sum(acc_dtype="float64"), "float32", "float32"),
    ("mean(int8)", lambda: i8().mean(), "float64", "float64"),
    ("mean(int32)", lambda: i32().mean(), "float64", "float64"),
    ("mean(bool)", lambda: T.mean(T.neq(i32(), i32())), "float64", "float64"),
    ("var(int32)", lambda: i32().var(), "float64", "float64"),
    ("std(int32)", lambda: i32().std(), "float64", "float64"),
    ("mean(float32)", lambda: f32().mean(), "float32", "float32"),
    ("mean(float64)", lambda: T.dvector().mean(), "float64", "float64"),
    ("mean(float16)", lambda: T.vector(dtype="float16").mean(), "float16", "float16"),
    ("max(int8)", lambda: i8().max(), "int8", "int8"),
    ("argmax", lambda: f32().argmax(), "int64", "int64"),
    ("shape", lambda: f32().shape, "int64", "int64"),
    ("shape[0]", lambda: f32().shape[0], "int64", "int64"),
    ("size", lambda: T.imatrix().size, "int64", "int64"),
    ("arange(5)", lambda: T.arange(5), "int64", "int64"),
    ("arange(int32)", lambda: T.arange(T.iscalar()), "int64", "int64"),
    ("matrix()", T.matrix, "float64", "float32"),
    ("zeros", lambda: T.zeros((3,)), "float64", "float32"),
    ("ones", lambda: T.ones((3,)), "float64", "float32"),
    ("eye", lambda: T.eye(3), "float64", "float32"),
    ("zeros_like(int8)", lambda: T.zeros_like(i8()), "int8", "int8"),
    ("alloc(0., 3)", lambda: T.alloc(0.0, 3), "float32", "float32"),
    ("fill(float64, 0)", lambda: T.fill(T.dvector(), 0), "int8", "int8"),
    ("switch(c, 1, 0)", lambda: T.switch(f32() > 0, 1, 0), "int8", "int8"),
    ("switch(c, float32, 0)", lambda: T.switch((v := f32()) > 0, v, 0), "float32", "float32"),
    ("switch(c, float32, 0.)", lambda: T.switch((v := f32()) > 0, v, 0.0), "float32", "float32"),
    ("maximum(float32, 0)", lambda: T.maximum(f32(), 0), "float32", "float32"),
    ("clip(float32, 0, 1)", lambda: T.clip(f32(), 0, 1), "float32", "float32"),
    ("dot(int32, float32)", lambda: T.dot(T.imatrix(), T.fmatrix()), "float64", "float64"),
    ("relu(float32)", lambda: T.nnet.relu(f32()), "float32", "float32"),
    ("relu(int32)", lambda: T.nnet.relu(i32()), "float64", "float64"),
    ("hard_sigmoid(float32)", lambda: T.nnet.hard_sigmoid(f32()), "float32", "float32"),
    ("stack of numbers", lambda: T.stack([T.iscalar(), T.fscalar()]), "float64", "float64"),
    ("concatenate", lambda: T.concatenate([i8(), f32()]), "float32", "float32"),
    ("grad of float32", lambda: T.grad(T.sum((v := f32()) ** 2), v), "float32", "float32"),
    ("constant(1)", lambda: T.constant(1), "int8", "int8"),
    ("constant(1000)", lambda: T.constant(1000), "int16", "int16"),
    ("constant(1.5)", lambda: T.constant(1.5), "float32", "float32"),
    ("constant(0.1)", lambda: T.constant(0.1), "float64", "float32"),
    ("constant(np.float64)", lambda: T.constant(np.float64(1.5)), "float64", "float64"),
    ("shared(0.)", lambda: arignote.shared(0.0), "float64", "float64"),
    ("shared(1)", lambda: arignote.shared(1), "int64", "int64"),
    ("shared(True)", lambda: arignote.shared(True), "bool", "bool"),
]


@pytest.mark.parametrize("floatX", ["float64", "float32"])
@pytest.mark.parametrize(
    ("build", "wide", "narrow"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE]
)
def test_dtype_of_expression(build: Build, wide: str, narrow: str, floatX: str) -> None:
    with arignote.config.changed(floatX=floatX):
        assert build().dtype == (wide if floatX == "float64" else narrow)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (0, "int8"),
        (127, "int8"),
        (-128, "int8"),
        (128, "int16"),
        (-129, "int16"),
        (600, "int16"),
        (32768, "int32"),
        (2**31, "int64"),
        (-(2**63), "int64"),
        (2**63, "uint64"),
        (True, "bool"),
        (0.5, "float32"),
        (0.1, "float64"),
        (1e300, "float64"),
        (float("inf"), "float32"),
        (float("nan"), "float32"),
        (1j, "complex128"),
    ],
)
def test_constants_take_the_smallest_dtype_that_holds_them(value: complex, dtype: str) -> None:
    constant = T.constant(value)
    assert constant.dtype == dtype
    np.testing.assert_array_equal(constant.data, value)


def test_a_number_beyond_float32_is_infinite_beside_one() -> None:
    """As in Theano, and without NumPy's warning, which names a line that is not the user's."""
    x = f32()
    f = arignote.function([x], [x * 1e300, x + T.constant(-1e300, dtype="float32")])
    assert [value.tolist() for value in f(np.ones(2, "float32"))] == [[np.inf] * 2, [-np.inf] * 2]


def test_python_integers_beyond_int8_do_not_wrap() -> None:
    # Under NumPy 2 np.asarray(600, "int8") raises, and np.int32(x) & 0xffffffff does.
    x = T.bvector("x")
    assert (x + 600).dtype == "int16"
    assert (T.ivector() & 0xFFFFFFFF).dtype == "int64"
    assert (x + 600).eval({x: np.array([1, -1], "int8")}).tolist() == [601, 599]


def test_an_integer_beyond_64_bits_is_an_error() -> None:
    with pytest.raises(OverflowError, match=r"\[constant\] an integer must fit in 64 bits: "):
        T.constant(2**64)


def test_upcast_is_numpys_promotion_of_arrays() -> None:
    for first in DTYPES:
        for second in DTYPES:
            wanted = np.promote_types(first, second).name
            assert dtypes.upcast(first, second) == wanted
            assert arignote.scalar.upcast(first, second) == wanted


def test_bitwise_functions_refuse_floats() -> None:
    with pytest.raises(TypeError, match=r"\[&\] operands must be integers or booleans: float32"):
        T.fvector() & 1


def test_subtracting_booleans_is_refused() -> None:
    with pytest.raises(TypeError, match=r"\[-\] operands must be numbers: bool"):
        (f32() > 0) - (f32() > 1)


def test_a_complex_tensor_does_not_become_real() -> None:
    with pytest.raises(TypeError, match="a complex tensor cannot become float64"):
        T.cast(T.zvector(), "float64")


def test_float_x_may_be_named() -> None:
    with arignote.config.changed(floatX="float32"):
        assert T.cast(T.dvector(), "floatX").dtype == "float32"
        assert T.TensorType("floatX", (False,)).dtype == "float32"
        assert T.matrix(dtype="floatX").dtype == "float32"


def test_an_unknown_dtype_is_named() -> None:
    with pytest.raises(TypeError, match=r"dtype must be one of bool, int8, .*: 'float99'"):
        T.matrix(dtype="float99")


def test_a_bad_float_x_is_named() -> None:
    text = r'Invalid value \("float99"\) for configuration variable "floatX"\.'
    with pytest.raises(ValueError, match=text):
        arignote.config.floatX = "float99"
    assert arignote.config.floatX == "float64"
