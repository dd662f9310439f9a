"""What a call takes as an argument, and what it says to the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.config import config
from arignote.graph.type import TensorType
from arignote.run.function import Function


@pytest.fixture(params=["float64", "float32"])
def floatx(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test under both settings of ``floatX``."""
    with config.changed(floatX=request.param):
        yield request.param


def copying(dtype: str, ndim: int, **options: Any) -> Function:
    """Return the function that gives its argument back."""
    x = TensorType(dtype, (False,) * ndim)("x")
    return theano.function([x], x, **options)


def assert_taken(f: Function, value: Any, expected: Any, dtype: str) -> None:
    result = f(value)
    assert type(result) is np.ndarray
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, np.asarray(expected, dtype))


class Subclass(np.ndarray):
    """An array of another class."""


# dtype of the input, its rank, an argument, and what arrives (None: as given).
TAKEN = [
    # lists and Python numbers whose values survive
    ("float32", 1, [1.0, 2.5], None),
    ("float32", 1, (1, 2), None),
    ("float32", 2, [[1, 2], [3, 4]], None),
    ("int32", 1, [1.0], [1]),
    ("int8", 0, 5, None),
    ("int8", 0, 5.0, 5),
    ("int64", 0, True, 1),
    ("float64", 0, 3, None),
    ("float64", 0, 0.1, None),
    ("float64", 1, [], []),
    ("float64", 1, range(3), [0, 1, 2]),
    ("float64", 1, [2**70], [float(2**70)]),
    ("float64", 1, [Fraction(3, 2), Decimal("0.25")], [1.5, 0.25]),
    ("float32", 1, [np.float64(0.5), np.array(2.0)], [0.5, 2.0]),
    ("bool", 1, [True, 0], [True, False]),
    ("complex64", 1, [1, 2j], None),
    ("float64", 0, 2 + 0j, 2.0),
    ("float32", 0, float("nan"), np.nan),
    ("float32", 1, [np.inf, -np.inf, np.nan], None),
    # arrays of integers go to floats that hold them all
    ("float64", 1, np.arange(3), None),
    ("float64", 1, np.arange(3, dtype="uint32"), None),
    ("float32", 1, np.arange(3, dtype="int16"), None),
    ("float32", 0, np.int8(3), None),
    ("int64", 1, np.arange(3, dtype="int32"), None),
    ("int16", 1, np.arange(3, dtype="uint8"), None),
    ("int8", 1, np.array([True, False]), [1, 0]),
    ("float64", 1, np.ones(2, "float32"), None),
    ("float64", 1, np.ones(2, "float16"), None),
    ("complex128", 1, np.ones(2), None),
    # whatever order, strides, subclass or byte order they have
    ("float64", 2, np.arange(6.0).reshape(2, 3).T, None),
    ("float64", 1, np.arange(6.0)[::-2], None),
    ("float64", 2, np.ones((1, 2)).view(Subclass), None),
    ("float64", 1, np.arange(3, dtype=">f8"), None),
    ("float32", 1, np.arange(3, dtype=">i2"), None),
]


@pytest.mark.parametrize(("dtype", "ndim", "value", "expected"), TAKEN, ids=repr)
@pytest.mark.parametrize("linker", ["native", "reference"])
def test_taken(floatx: str, linker: str, dtype: str, ndim: int, value: Any, expected: Any) -> None:
    f = copying(dtype, ndim, mode=linker)
    assert_taken(f, value, value if expected is None else expected, dtype)


# dtype of the input, its rank, an argument, and what the error says at its end.
REFUSED = [
    # lists and Python numbers whose values do not survive
    ("float32", 1, [1.1], "cannot store accurately value [1.1], it would be represented as [1.10"),
    ("int32", 1, [1.5], "cannot store accurately value [1.5], it would be represented as [1]"),
    ("int8", 0, 300, "cannot store accurately value 300, it would be represented as 44"),
    ("int32", 1, [2**40], "cannot store accurately value"),
    ("int64", 0, 0.5, "cannot store accurately value 0.5, it would be represented as 0"),
    ("int64", 1, [np.nan], "cannot store accurately value [nan]"),
    ("bool", 0, 2, "cannot store accurately value 2, it would be represented as True"),
    ("float64", 0, 1 + 2j, "cannot store accurately value (1+2j), it would be represented as 1.0"),
    ("int64", 1, [Fraction(3, 2)], "it would be represented as [1]"),
    ("int64", 0, 2**70, "TensorType(int64, scalar) cannot hold all numbers given: Python int too"),
    ("float64", 1, [10**400], "TensorType(float64, vector) cannot hold all numbers given: int too"),
    # arrays of dtypes that hold more
    ("float32", 1, np.ones(2), "cannot store a value of dtype float64 without risking loss of"),
    ("float32", 0, np.float64(0.5), "cannot store a value of dtype float64 without risking loss"),
    ("float32", 1, np.arange(3), "cannot store a value of dtype int64 without risking loss of"),
    ("int32", 1, np.arange(3), "cannot store a value of dtype int64 without risking loss of"),
    ("int64", 1, np.ones(2), "cannot store a value of dtype float64 without risking loss of"),
    ("int64", 1, np.ones(2, "uint64"), "cannot store a value of dtype uint64 without risking"),
    ("float64", 1, np.ones(2, "complex64"), "cannot store a value of dtype complex64 without"),
    ("float64", 1, np.ones(2, np.longdouble), "without risking loss of precision"),
    # the wrong rank
    ("float64", 1, 1.0, "Wrong number of dimensions: expected 1, got 0 with shape ()."),
    ("float64", 2, [1.0, 2.0], "Wrong number of dimensions: expected 2, got 1 with shape (2,)."),
    ("float64", 0, [1.0], "Wrong number of dimensions: expected 0, got 1 with shape (1,)."),
    ("float64", 1, np.ones((2, 2)), "expected 1, got 2 with shape (2, 2)."),
    # no numbers
    ("float64", 0, None, "needs numbers that form an array: a NoneType does not"),
    ("float64", 1, [None, 1.0], "needs numbers that form an array: a list does not"),
    ("float64", 0, "1.5", "needs numbers that form an array: a str does not"),
    ("float64", 1, ["1.5"], "needs numbers that form an array: a list does not"),
    ("float64", 1, np.array(["1"]), "needs numbers that form an array: an array of dtype <U1"),
    ("float64", 0, {"a": 1.0}, "needs numbers that form an array: a dict does not"),
    ("float64", 2, [[1.0, 2.0], [3.0]], "needs numbers that form an array: a list does not"),
    ("int64", 1, np.zeros(2, "datetime64[s]"), "an array of dtype datetime64[s] and shape (2,)"),
    ("float64", 0, range, "needs numbers that form an array: a type does not"),
    ("float64", 1, T.dvector("y"), "expected an array-like object, but found a Variable"),
    (
        "float64",
        1,
        theano.shared(np.ones(2)),
        "expected an array-like object, but found a Variable",
    ),
]


@pytest.mark.parametrize(("dtype", "ndim", "value", "message"), REFUSED, ids=repr)
def test_refused(floatx: str, dtype: str, ndim: int, value: Any, message: str) -> None:
    f = copying(dtype, ndim, name="copying")
    with pytest.raises(TypeError) as caught:
        f(value)
    text = str(caught.value)
    head, _, reason = text.partition("\n\n  File ")
    assert head == (
        'Bad input argument to theano function with name "copying" at index 0 (0-based) (input x).'
        "  \nBacktrace when that variable is created:"
    )
    assert re.match(rf'"{re.escape(__file__)}", line \d+, in copying\n', reason)
    name = str(TensorType(dtype, (False,) * ndim))
    assert message in text
    assert name in text or message.startswith("Wrong number") or "got 2" in message


def test_a_python_float_is_taken_for_floatx(floatx: str) -> None:
    """Rounded, but only for a scalar of that dtype; a NumPy float never is."""
    f = copying("float32", 0)
    if floatx == "float32":
        assert_taken(f, 0.1, 0.1, "float32")
    else:
        with pytest.raises(TypeError, match=r"cannot store accurately value 0\.1"):
            f(0.1)
    for value in (np.float64(0.1), np.array(0.1)):
        with pytest.raises(TypeError, match="cannot store a value of dtype float64"):
            f(value)
    with pytest.raises(TypeError, match="cannot store accurately value"):
        copying("float32", 1)([0.1])
    with pytest.raises(TypeError, match=r"cannot store accurately value 0\.1"):
        copying("float32", 0, allow_input_downcast=False)(0.1)


def test_downcast_allowed(floatx: str) -> None:
    for dtype, value, expected in [
        ("float32", [1.1], [1.1]),
        ("float32", np.array([1.1]), [1.1]),
        ("int64", [1.9, -1.9], [1, -1]),
        ("int32", np.array([2**32 + 5]), [5]),
        ("int8", [300], [44]),
    ]:
        f = copying(dtype, 1, allow_input_downcast=True)
        assert_taken(f, value, np.asarray(expected).astype(dtype), dtype)
    with pytest.raises(TypeError, match="Wrong number of dimensions"):
        copying("int64", 1, allow_input_downcast=True)(1.5)
    with pytest.raises(TypeError, match="needs numbers"):
        copying("int64", 1, allow_input_downcast=True)(["1"])


def test_each_input_may_allow_it_for_itself(floatx: str) -> None:
    x, y = T.fvector("x"), T.fvector("y")
    f = theano.function([theano.In(x, allow_downcast=True), y], [x, y])
    assert f([0.1], [0.5])[0] == np.float32(0.1)
    with pytest.raises(TypeError, match=r"at index 1 \(0-based\) \(input y\)"):
        f([0.5], [0.1])
    g = theano.function([theano.In(x, allow_downcast=False), y], [x, y], allow_input_downcast=True)
    with pytest.raises(TypeError, match=r"at index 0 \(0-based\) \(input x\)"):
        g([0.1], [0.1])


def test_a_record_serves_several_functions() -> None:
    record = theano.In(T.fvector("x"))
    loose = theano.function([record], record.variable, allow_input_downcast=True)
    tight = theano.function([record], record.variable)
    assert loose([0.1]) == np.float32(0.1)
    with pytest.raises(TypeError, match="cannot store accurately"):
        tight([0.1])
    assert record.allow_downcast is None


def test_strict_inputs_take_arrays_of_their_dtype_only() -> None:
    x = T.fvector("x")
    f = theano.function([theano.In(x, strict=True)], x)
    assert_taken(f, np.ones(2, "float32"), [1, 1], "float32")
    for value in ([1.0], (1.0,), np.ones(2, "int8"), np.ones(2)):
        with pytest.raises(
            TypeError, match=r"expected a ndarray object of dtype float32: .*strict"
        ):
            f(value)


@pytest.mark.parametrize("pattern", [(True, False), (False, True), (True,), (True, True)])
def test_broadcastable_dimensions_have_length_one(pattern: tuple[bool, ...]) -> None:
    x = TensorType("float64", pattern)("x")
    f = theano.function([x], x * 2)
    shape = tuple(1 if flag else 3 for flag in pattern)
    np.testing.assert_array_equal(f(np.ones(shape)), np.full(shape, 2.0))
    np.testing.assert_array_equal(f(np.ones(shape).tolist()), np.full(shape, 2.0))
    with pytest.raises(TypeError, match="Non-unit value on shape on a broadcastable dimension"):
        f(np.ones([2] * len(pattern)))


def test_a_dimension_of_length_one_does_not_broadcast() -> None:
    x, y = T.dmatrices("x", "y")
    f = theano.function([x, y], x + y)
    with pytest.raises(
        ValueError, match=r"Input dimension mis-match. \(input\[0\].shape\[0\] = 1, "
    ):
        f(np.ones((1, 3)), np.ones((2, 3)))


def test_arguments_are_not_changed_nor_kept() -> None:
    x = T.dvector("x")
    f = theano.function([theano.In(x, mutable=True, borrow=True)], [x, x * 2])
    given = np.arange(3.0)
    same, double = f(given)
    assert not np.shares_memory(same, given)
    assert not np.shares_memory(double, given)
    np.testing.assert_array_equal(given, [0, 1, 2])
    given.flags.writeable = False
    np.testing.assert_array_equal(f(given)[0], given)


def test_memory_maps_are_arguments(tmp_path: Path) -> None:
    given = np.memmap(tmp_path / "data", "float64", "w+", shape=(4, 3))
    given[:] = np.arange(12.0).reshape(4, 3)
    x = T.dmatrix("x")
    result = theano.function([x], x.sum(axis=0))(given)
    assert type(result) is np.ndarray
    np.testing.assert_array_equal(result, given.sum(axis=0))


def test_misaligned_arguments() -> None:
    raw = np.zeros(8 * 3 + 1, "uint8")
    given = raw[1:].view("float64")
    given[:] = [1.0, 2.0, 3.0]
    np.testing.assert_array_equal(copying("float64", 1)(given), [1, 2, 3])


# --- how they are named


def test_keywords_and_defaults() -> None:
    x, y, z = T.dscalars("x", "y", "z")
    f = theano.function(
        [x, theano.In(y, value=10.0), theano.In(z, value=100.0, name="last")], x + y + z
    )
    assert f(1) == 111
    assert f(1, 2) == 103
    assert f(1, 2, 3) == 6
    assert f(1, last=3) == 14
    assert f(x=1, y=2, last=3) == 6
    assert f(last=0, x=5) == 15
    assert f(*[1], **{}) == 111


def test_a_pair_is_an_input_with_a_default() -> None:
    x, y = T.dscalars("x", "y")
    f = theano.function([x, (y, 3.0)], x * y)
    assert f(2) == 6
    assert f(2, 5) == 10


@pytest.mark.parametrize("mode", ["native", "reference"])
def test_how_many_and_which(mode: str) -> None:
    x, y = T.dscalar("x"), T.dscalar()
    f = theano.function([x, y], x + y, mode=mode)
    for call, message in [
        (f, "Missing required input: x"),
        (lambda: f(1), "Missing required input: at index 1 (0-based)"),
        (lambda: f(1, 2, 3), "Too many parameter passed to theano function: 3 for 2 inputs"),
        (lambda: f(1, zzz=2), "Unknown input or state: zzz. The function has 2 inputs, named: x"),
        (lambda: f(1, 2, x=3), "Multiple values for input: x"),
    ]:
        with pytest.raises(TypeError) as caught:
            call()
        assert str(caught.value) == message


def test_defaults_are_read_and_set() -> None:
    x, y = T.dscalars("x", "y")
    w = theano.shared(5.0, "w")
    f = theano.function([x, theano.In(y, value=2)], x * y + w)
    assert f[y] == f["y"] == f[1] == f.value[y] == f.container[y] == 2
    assert [None if v is None else float(v) for v in f.defaults] == [None, 2]
    f[y] = 4
    assert f(1) == 9
    f.value["y"] = 3
    assert f(1) == 8
    assert f[w] == 5
    f[w] = 0.0
    assert w.get_value() == 0
    assert f(1) == 3
    with pytest.raises(TypeError, match="Wrong number of dimensions"):
        f[y] = [1.0]
    for key in (x, "x", 0):
        with pytest.raises(KeyError, match="has no default"):
            f[key]
        with pytest.raises(KeyError, match="has no default"):
            f[key] = 1.0
    for key in (T.dscalar(), "z", 7):
        with pytest.raises(KeyError, match="Unknown input or state"):
            f[key]


def test_two_inputs_of_one_name_are_told_apart_by_place() -> None:
    first, second = T.dscalar("x"), T.dscalar("x")
    f = theano.function([first, second], first - second)
    assert f(5, 3) == 2
    with pytest.raises(TypeError, match="Multiple values for input: x"):
        f(5, x=3)


def test_a_default_lives_with_its_function() -> None:
    x, state = T.dscalar("x"), T.dscalar("state")
    record = theano.In(state, value=1.0, update=state + x)
    f, g = (theano.function([x, record], state * 10) for _ in range(2))
    assert [float(f(2)), float(f(3)), float(f[state])] == [10, 30, 6]
    assert [float(g(5)), float(g[state])] == [10, 6]
    assert f(1, 100.0) == 1000
    assert f[state] == 101


def test_functions_share_a_default_by_its_container() -> None:
    x, state = T.dscalar("x"), T.dscalar("state")
    counter = theano.shared(0.0)
    f = theano.function([x, theano.In(state, value=counter.container, update=state + x)], state)
    g = theano.function([x, theano.In(state, value=counter, update=state - x)], state)
    f(5)
    assert counter.get_value() == 5
    assert g(2) == 5
    assert f[state] == g[state] == counter.get_value() == 3


def test_an_update_of_an_input_has_its_type() -> None:
    x, state = T.dscalar("x"), T.fscalar("state")
    with pytest.raises(TypeError, match=r"An update must have the same type .*float32.*float64"):
        theano.function([x, theano.In(state, value=1.0, update=x)], state)
    with pytest.raises(ValueError, match=r"\[In\] an input with an update needs a value"):
        theano.In(state, update=state)


def test_computed_variables_may_be_inputs() -> None:
    x = T.dvector("x")
    y = x**2
    f = theano.function([y], y + 1)
    assert f([3.0]).tolist() == [4.0]
    g = theano.function([x, y], x + y)
    assert g([1.0], [10.0]).tolist() == [11.0]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (T.dscalar("x"), "Wrong syntax, input variables of a theano function should be in a list"),
        ({}, "Wrong syntax, input variables of a theano function should be in a list"),
        ([1.0], "Unknown parameter type: <class 'float'>: 1.0"),
        (["x"], "Unknown parameter type: <class 'str'>: 'x'"),
        ([theano.shared(1.0, "w")], "Cannot use a shared variable (w) as explicit input."),
        ([T.constant(1.0)], "Cannot use a constant (TensorConstant{1.0}) as explicit input"),
    ],
    ids=repr,
)
def test_what_is_no_list_of_inputs(inputs: Any, message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        theano.function(inputs, T.constant(1.0))


def test_records_are_of_variables() -> None:
    with pytest.raises(TypeError, match=r"\[In\] variable must be a variable: 3"):
        theano.In(3)
    with pytest.raises(TypeError, match=r"\[Out\] variable must be a variable: 3"):
        theano.Out(3)
