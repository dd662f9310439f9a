"""Inputs of every dtype and rank, several at once, and constants."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import arignote
import arignote.tensor as T

PREFIXES = {
    "b": "int8",
    "w": "int16",
    "i": "int32",
    "l": "int64",
    "f": "float32",
    "d": "float64",
    "c": "complex64",
    "z": "complex128",
}
PATTERNS = {
    "scalar": ("scalars", ()),
    "vector": ("vectors", (False,)),
    "matrix": ("matrices", (False, False)),
    "row": ("rows", (True, False)),
    "col": ("cols", (False, True)),
    "tensor3": ("tensor3s", (False,) * 3),
    "tensor4": ("tensor4s", (False,) * 4),
    "tensor5": ("tensor5s", (False,) * 5),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_constructors_of_every_prefix(name: str) -> None:
    plural, pattern = PATTERNS[name]
    for prefix, dtype in PREFIXES.items():
        type_ = getattr(T, prefix + name)
        assert type_ == T.TensorType(dtype, pattern)
        variable = type_("x")
        assert (variable.name, variable.type) == ("x", type_)
        assert [item.type for item in getattr(T, prefix + plural)("u", "v")] == [type_, type_]
    for float_x in ("float32", "float64"):
        with arignote.config.changed(floatX=float_x):
            assert getattr(T, name)().type == T.TensorType(float_x, pattern)
            assert getattr(T, plural)(2)[1].type == T.TensorType(float_x, pattern)
    assert getattr(T, name)("y", dtype="int16").type == T.TensorType("int16", pattern)


def test_several_at_once() -> None:
    assert [item.name for item in T.dscalars("x", "yy")] == ["x", "yy"]
    assert [item.name for item in T.dscalars("xy")] == ["x", "y"]
    assert [item.name for item in T.dscalars(["one", "two"])] == ["one", "two"]
    assert T.dscalars("x").name == "x"
    assert [item.name for item in T.dscalars(3)] == [None] * 3
    assert [item.name for item in T.dscalars(1)] == [None]


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ((), "scalar"),
        ((False,), "vector"),
        ((False, False), "matrix"),
        ((True, False), "row"),
        ((False, True), "col"),
        ((False,) * 3, "3D"),
        ((False,) * 4, "4D"),
        ((False,) * 5, "5D"),
        ((True,), "(True,)"),
        ((True, True), "(True, True)"),
        ((False, True, False), "(False, True, False)"),
    ],
)
def test_types_are_written_as_in_theano(pattern: tuple[bool, ...], name: str) -> None:
    type_ = T.TensorType("float64", pattern)
    assert str(type_) == repr(type_) == f"TensorType(float64, {name})"
    assert repr(type_()) == f"<TensorType(float64, {name})>"


def test_variables_are_written_as_in_theano() -> None:
    x, y = T.dmatrix("x"), T.dmatrix()
    assert str(x) == repr(x) == "x"
    assert repr(y) == "<TensorType(float64, matrix)>"
    assert repr(x + y) == "Elemwise{add,no_inplace}.0"
    assert repr(T.dot(x, y)) == "dot.0"
    assert repr(T.constant(2)) == "TensorConstant{2}"
    assert repr(T.constant([2.0])) == "TensorConstant{(1,) of 2.0}"
    assert repr(T.constant([1, 2, 3])) == "TensorConstant{[1 2 3]}"


def test_attributes() -> None:
    x = T.col("x", dtype="float32")
    assert (x.dtype, x.ndim, x.broadcastable) == ("float32", 2, (False, True))
    assert isinstance(x.dtype, str)
    assert x.owner is None
    assert (x + 1).owner.inputs[0] is x
    assert x.T.broadcastable == (True, False)
    x.tag.note = "kept"
    assert x.tag.note == "kept"
    assert x.type().type == x.type
    assert x.type("y").name == "y"


def test_tensor_takes_any_pattern() -> None:
    variable = T.tensor("int8", [False, True, False], name="t")
    assert variable.type == T.TensorType("int8", (False, True, False))
    with pytest.raises(TypeError, match=r"\[tensor\] broadcastable must have a bool"):
        T.tensor("int8")


def test_too_many_dimensions_are_refused() -> None:
    with pytest.raises(TypeError, match="at most 16 dimensions are possible: 17"):
        T.TensorType("int8", (False,) * 17)


def test_constants() -> None:
    array = np.array([[1.0, 2.0]])
    constant = T.constant(array, name="c")
    array[0, 0] = 9
    assert constant.data.tolist() == [[1.0, 2.0]]
    assert not constant.data.flags.writeable
    assert (constant.name, constant.broadcastable) == ("c", (True, False))
    assert T.constant(2.0, ndim=2).data.shape == (1, 1)
    assert T.constant([1, 2], dtype="float32").dtype == "float32"
    assert T.constant(True).dtype == "bool"
    with pytest.raises(ValueError, match="x must have at most 0 dimensions: 1"):
        T.constant([1, 2], ndim=0)
    with pytest.raises(TypeError, match=r"\[constant\] x must be a number"):
        T.constant(T.dscalar("x"))


@pytest.mark.parametrize("value", ["text", None, object(), [1, [2]], {"a": 1}])
def test_what_is_no_tensor(value: Any) -> None:
    with pytest.raises(TypeError, match=r"\[constant\] value must be a number or an array"):
        T.as_tensor_variable(value)


def test_as_tensor_variable() -> None:
    x = T.drow("x")
    assert T.as_tensor_variable(x) is x
    assert T.as_tensor_variable(x, ndim=1).type == T.dvector
    assert T.as_tensor_variable(x, ndim=3).broadcastable == (True, True, False)
    assert T.as_tensor_variable(2, name="two").name == "two"
    assert T.as_tensor_variable([[x[0, 0], 1], [2, 3]]).type == T.dmatrix
    with pytest.raises(ValueError, match="x could not be cast to have 1 dimensions"):
        T.as_tensor_variable(T.dmatrix(), ndim=1)


def test_a_shared_python_object_is_no_tensor() -> None:
    with pytest.raises(TypeError, match="a tensor is needed: box holds a Python object"):
        T.exp(arignote.shared([1, 2], name="box"))


def test_constructors_can_be_pickled() -> None:
    for item in (T.matrix, T.dmatrix, T.dmatrices, T.exp, T.nnet.sigmoid, T.sum):
        again = pickle.loads(pickle.dumps(item))
        assert callable(again)
    assert pickle.loads(pickle.dumps(T.dmatrix)) == T.dmatrix
    assert pickle.loads(pickle.dumps(T.tanh)) is T.tanh
