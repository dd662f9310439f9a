"""Shared variables: their types, reading and setting them, whose memory they are."""

from __future__ import annotations

import copy
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.config import config
from arignote.graph.variable import SharedVariable


def function_of(variable: SharedVariable) -> Any:
    """Return the value of a variable as a function sees it."""
    return theano.function([], variable)()


# --- types


@pytest.mark.parametrize("floatx", ["float32", "float64"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "TensorType(float64, scalar)"),
        (1, "TensorType(int64, scalar)"),
        (True, "TensorType(bool, scalar)"),
        (1j, "TensorType(complex128, scalar)"),
        (np.float32(0), "TensorType(float32, scalar)"),
        (np.int8(0), "TensorType(int8, scalar)"),
        (np.array(0.0), "TensorType(float64, scalar)"),
        (np.zeros((1, 3)), "TensorType(float64, matrix)"),
        (np.zeros((3, 1)), "TensorType(float64, matrix)"),
        (np.zeros(1, "uint16"), "TensorType(uint16, vector)"),
        (np.zeros((2, 3, 4), "float16"), "TensorType(float16, 3D)"),
        (np.zeros(2, ">f4"), "TensorType(float32, vector)"),
        ([1, 2], "<Generic>"),
        ("text", "<Generic>"),
        (None, "<Generic>"),
        ({"a": 1}, "<Generic>"),
    ],
    ids=repr,
)
def test_the_type_is_that_of_the_value(floatx: str, value: Any, expected: str) -> None:
    with config.changed(floatX=floatx):
        variable = theano.shared(value, "w")
    assert str(variable.type) == expected
    assert variable.name == "w"
    np.testing.assert_array_equal(variable.get_value(), value)


def test_broadcastable_dimensions() -> None:
    w = theano.shared(np.ones((1, 3)), broadcastable=(True, False))
    assert str(w.type) == "TensorType(float64, row)"
    x = T.dmatrix("x")
    assert theano.function([x], x + w)(np.zeros((2, 3))).tolist() == [[1, 1, 1], [1, 1, 1]]
    w.set_value(np.zeros((1, 4)))
    with pytest.raises(TypeError, match="Non-unit value on shape on a broadcastable dimension: "):
        w.set_value(np.zeros((2, 3)))
    assert w.get_value().shape == (1, 4)
    with pytest.raises(TypeError, match="Non-unit value on shape on a broadcastable dimension: "):
        theano.shared(np.ones((2, 3)), broadcastable=(True, False))
    with pytest.raises(TypeError, match="Wrong number of dimensions: expected 1, got 2"):
        theano.shared(np.ones((1, 3)), broadcastable=(True,))


def test_what_cannot_be_shared() -> None:
    with pytest.raises(TypeError, match="needs numeric values and not symbolic variables: x"):
        theano.shared(T.dscalar("x"))
    for large in (2**70, -(2**63) - 1):
        message = rf"^\[shared\] an integer must fit in 64 bits: {large}$"
        with pytest.raises(TypeError, match=message):
            theano.shared(large)
    with pytest.raises(TypeError, match="dtype must be one of bool, int8"):
        theano.shared(np.array(["a"]))
    with pytest.raises(TypeError, match=r"\[shared\] unknown argument: target"):
        theano.shared(0.0, target="gpu")


def test_it_is_recognised() -> None:
    w = theano.shared(np.zeros(2), "w")
    assert isinstance(w, theano.compile.SharedVariable)
    assert isinstance(w, T.sharedvar.TensorSharedVariable)
    assert isinstance(w, theano.gof.Variable)
    assert (w.owner, w.ndim, w.dtype, str(w)) == (None, 1, "float64", "w")


# --- reading and setting


def test_values_are_copied_in_and_out() -> None:
    given = np.zeros(3)
    w = theano.shared(given, "w")
    given[0] = 1
    assert w.get_value().tolist() == [0, 0, 0]
    taken = w.get_value()
    taken[1] = 1
    assert w.get_value().tolist() == [0, 0, 0]
    other = np.ones(3)
    w.set_value(other)
    other[2] = 5
    assert w.get_value().tolist() == [1, 1, 1]
    assert function_of(w).tolist() == [1, 1, 1]


def test_unless_they_are_borrowed() -> None:
    given = np.zeros(3)
    w = theano.shared(given, "w", borrow=True)
    assert w.get_value(borrow=True) is given
    assert w.get_value(borrow=True, return_internal_type=True) is given
    assert not np.shares_memory(w.get_value(), given)
    given[0] = 1
    assert function_of(w).tolist() == [1, 0, 0]
    theano.function([], [], updates=[(w, w * 10)])()
    assert given.tolist() == [10, 0, 0]
    other = np.ones(2)
    w.set_value(other, borrow=True)
    assert w.get_value(borrow=True) is other
    assert given.tolist() == [10, 0, 0]
    inside = w.get_value(borrow=True)
    inside[:] = 7
    assert function_of(w).tolist() == [7, 7]


def test_an_array_of_its_own_is_one_object_as_long_as_it_fits() -> None:
    w = theano.shared(np.zeros((2, 3)), "w")
    inside = w.get_value(borrow=True)
    assert inside.flags.c_contiguous
    assert inside.ctypes.data % 64 == 0
    theano.function([], [], updates=[(w, w + 1)])()
    assert w.get_value(borrow=True) is inside
    assert inside.tolist() == [[1, 1, 1], [1, 1, 1]]


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.arange(12.0).reshape(3, 4).T,
        lambda: np.arange(24.0).reshape(4, 6)[:, ::2],
        lambda: np.arange(12.0).reshape(4, 3)[::-1],
        lambda: np.asfortranarray(np.arange(12.0).reshape(4, 3)),
    ],
)
def test_borrowed_memory_may_have_any_strides(make: Any) -> None:
    given = make()
    before = given.copy()
    w = theano.shared(given, "w", borrow=True)
    x = T.dmatrix("x")
    f = theano.function([x], T.dot(w, x), updates=[(w, w * 2 + 1)])
    unit = np.eye(3)
    np.testing.assert_array_equal(f(unit), before)
    assert w.get_value(borrow=True) is given
    np.testing.assert_array_equal(given, before * 2 + 1)


def test_what_cannot_be_used_as_it_is_is_copied() -> None:
    swapped = np.arange(3).astype(">f8")
    raw = np.zeros(25, "uint8")
    misaligned = raw[1:].view("float64")
    for given in (swapped, misaligned):
        w = theano.shared(given, borrow=True)
        inside = w.get_value(borrow=True)
        assert inside is not given
        assert (inside.dtype, inside.dtype.isnative, inside.flags.aligned) == (
            "float64",
            True,
            True,
        )
        np.testing.assert_array_equal(inside, given)


def test_borrowed_memory_that_is_read_only() -> None:
    given = np.ones(3)
    given.flags.writeable = False
    w = theano.shared(given, "w", borrow=True)
    assert function_of(w).tolist() == [1, 1, 1]
    f = theano.function([], [], updates=[(w, w + 1)])
    with pytest.raises(ValueError, match=r"w must be writeable: its borrowed array is read-only"):
        f()
    assert given.tolist() == [1, 1, 1]
    w.set_value(given)
    f()
    assert w.get_value().tolist() == [2, 2, 2]


def test_a_memory_map(tmp_path: Path) -> None:
    file = tmp_path / "data"
    given = np.memmap(file, "float32", "w+", shape=(4, 3))
    given[:] = np.arange(12.0).reshape(4, 3)
    w = theano.shared(given, "w", borrow=True)
    assert w.get_value(borrow=True) is given
    theano.function([], [], updates=[(w, w * 2)])()
    given.flush()
    np.testing.assert_array_equal(np.fromfile(file, "float32"), np.arange(12.0) * 2)
    read_only = np.memmap(file, "float32", "r", shape=(4, 3))
    w.set_value(read_only, borrow=True)
    np.testing.assert_array_equal(theano.function([], w[1:3])(), read_only[1:3])
    with pytest.raises(ValueError, match="w must be writeable"):
        theano.function([], [], updates=[(w, w * 2)])()


def test_an_empty_one() -> None:
    w = theano.shared(np.zeros((0, 3)), "w")
    assert theano.function([], [w.sum(), w.sum(axis=0), w * 2])()[2].shape == (0, 3)
    theano.function([], [], updates=[(w, w + 1)])()
    assert w.get_value().shape == (0, 3)


# --- what it takes


def test_the_shape_may_change_and_the_rank_may_not() -> None:
    w = theano.shared(np.zeros((2, 3)), "w")
    total = theano.function([], w.sum())
    w.set_value(np.ones((5, 1)))
    assert total() == 5
    message = r"Wrong number of dimensions: expected 2, got .*\nShared variable: w$"
    for value in (np.ones(3), 1.0, np.ones((1, 2, 3))):
        with pytest.raises(TypeError, match=message):
            w.set_value(value)
        with pytest.raises(TypeError, match=message):
            total[w] = value
    assert w.get_value().shape == (5, 1)


@pytest.mark.parametrize(
    ("dtype", "value", "message"),
    [
        (
            "float32",
            np.ones(2),
            "TensorType(float32, vector) cannot store a value of dtype float64 ",
        ),
        ("float32", [0.1, 1], "TensorType(float32, vector) cannot store accurately value [0.1, 1]"),
        ("int64", np.ones(2), "TensorType(int64, vector) cannot store a value of dtype float64 "),
        ("int8", np.arange(2), "TensorType(int8, vector) cannot store a value of dtype int64 "),
        ("int8", [300], "TensorType(int8, vector) cannot store accurately value [300]"),
        ("float64", ["a"], "TensorType(float64, vector) needs numbers that form an array"),
        ("float64", None, "TensorType(float64, vector) needs numbers that form an array"),
        ("float64", T.dvector(), "expected an array-like object, but found a Variable"),
    ],
    ids=repr,
)
def test_values_that_would_be_changed(dtype: str, value: Any, message: str) -> None:
    w = theano.shared(np.array([1, 2], dtype), "w")
    with pytest.raises(TypeError, match=re.escape(message)):
        w.set_value(value)
    assert w.get_value().tolist() == [1, 2]


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("float32", [0.5, 2.0]),
        ("float32", (1, 2, 3)),
        ("float64", np.arange(4)),
        ("float64", np.ones(2, "float32")),
        ("int64", np.arange(3, dtype="int8")),
        ("int8", [5, 6.0]),
    ],
    ids=repr,
)
def test_values_that_survive(dtype: str, value: Any) -> None:
    w = theano.shared(np.zeros(2, dtype), "w")
    w.set_value(value)
    assert w.get_value().dtype == dtype
    np.testing.assert_array_equal(w.get_value(), value)
    np.testing.assert_array_equal(function_of(w), value)


def test_a_python_float_for_a_float32() -> None:
    w = theano.shared(np.float32(0), "w")
    with config.changed(floatX="float32"):
        w.set_value(0.1)
    assert w.get_value() == np.float32(0.1)
    with (
        config.changed(floatX="float64"),
        pytest.raises(TypeError, match="cannot store accurately"),
    ):
        w.set_value(0.2)


def test_strict_and_loose_ones() -> None:
    strict = theano.shared(np.zeros(2), "strict", strict=True)
    strict.set_value(np.ones(2))
    for value in ([1.0, 2.0], np.ones(2, "float32"), np.arange(2)):
        with pytest.raises(
            TypeError, match=r"expected a ndarray object of dtype float64: .*strict"
        ):
            strict.set_value(value)
    loose = theano.shared(np.zeros(2, "int64"), "loose", allow_downcast=True)
    loose.set_value([1.9, -1.9])
    assert loose.get_value().tolist() == [1, -1]


def test_borrowing_what_must_be_converted_copies() -> None:
    w = theano.shared(np.zeros(2), "w")
    given = np.arange(2)
    w.set_value(given, borrow=True)
    w.get_value(borrow=True)[0] = 5
    assert given.tolist() == [0, 1]


# --- Python objects


def test_objects() -> None:
    given = [1, [2]]
    w = theano.shared(given, "w")
    taken = w.get_value()
    assert taken == given
    assert taken is not given
    taken[1].append(3)
    assert w.get_value() == [1, [2]]
    assert w.get_value(borrow=True) is w.get_value(borrow=True)
    w.set_value({"a": 1})
    assert w.get_value() == {"a": 1}
    with pytest.raises(TypeError, match="a tensor is needed: w holds a Python object"):
        T.exp(w)
    with pytest.raises(TypeError, match="unsupported operand"):
        w + 1


# --- copies


def test_pickling() -> None:
    w = theano.shared(np.arange(3.0), "w", strict=True)
    w.tag.note = "mine"
    again = pickle.loads(pickle.dumps(w))
    assert (again.name, again.type, again.tag.note) == ("w", w.type, "mine")
    assert again.container.strict
    np.testing.assert_array_equal(again.get_value(), [0, 1, 2])
    again.set_value(np.ones(3))
    assert w.get_value().tolist() == [0, 1, 2]
    both = pickle.loads(pickle.dumps([w, {"w": w}]))
    assert both[0] is both[1]["w"]


def test_copying() -> None:
    w = theano.shared(np.arange(3.0), "w")
    shallow, deep = copy.copy(w), copy.deepcopy(w)
    w.set_value(np.zeros(3))
    assert shallow.get_value().tolist() == [0, 0, 0]
    assert deep.get_value().tolist() == [0, 1, 2]
    assert shallow.name == deep.name == "w"


def test_a_container_tells_its_value() -> None:
    w = theano.shared(np.arange(2.0), "w")
    assert w.container.value is w.container.data is w.get_value(borrow=True)
