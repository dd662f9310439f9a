"""What the runtime converts by itself arrives as if Python had done it, or is refused alike."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import arignote as theano
from arignote.config import config
from arignote.graph import dtypes
from arignote.graph.type import TensorType
from arignote.run.function import Function


class Integer(int):
    """A Python int of another class."""


class Real(float):
    """A Python float of another class."""


class Colour(enum.IntEnum):
    """An int with a name."""

    RED = 3


class Window(np.ndarray):
    """An array of another class."""


class Convertible:
    """An object that NumPy can make a number of."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.asarray(2.0, dtype)


_EDGES = sorted(
    {
        sign * 2**power + offset
        for power in (0, 7, 8, 11, 15, 16, 24, 31, 32, 53, 63, 64, 70)
        for sign in (1, -1)
        for offset in (-1, 0, 1)
    }
)
_REALS = (
    *(0.0, -0.0, 0.1, 0.5, -0.5, 1.5, 127.5, 1e-46, 1e-320, 65504.0, 65520.0, 1e39, -1e300),
    *(np.nan, np.inf, -np.inf, float(2**24 + 1), 3.4028235677973366e38),
    *(float(edge) for edge in _EDGES),
)
_NAMES = (*dtypes.ALL, "longlong", "ulonglong", "longdouble", ">f8", ">i2", "m8[s]", "M8[s]", "U1")
PYTHON: list[Any] = [
    *(True, False, None, "1", 2j, 1 + 0j, [1.0], (2,), Convertible()),
    *(Integer(3), Integer(300), Real(0.5), Real(0.1), Colour.RED),
    *_EDGES,
    *_REALS,
]


def _of_numpy(name: str) -> Iterator[Any]:
    """Yield scalars and arrays of a dtype: bounds, 0-d, strided, misaligned, of other classes."""
    dtype = np.dtype(name)
    values: list[Any] = [0, 1, 2, 100]
    if dtype.kind in "iu":
        values += [np.iinfo(dtype).min, np.iinfo(dtype).max, np.iinfo(dtype).max // 3]
    if dtypes.kind_of(dtype) == "f":
        info = np.finfo(dtype) if dtype == "longdouble" else ml_dtypes.finfo(dtype)
        values += [0.1, -0.0, np.nan, np.inf, info.max, info.tiny]
    line = np.array(values, object).astype(dtype)
    for item in line:
        yield item
        yield np.array(item, dtype)
    raw = np.zeros(line.nbytes + 1, np.uint8)
    misaligned = raw[1:].view(dtype)
    misaligned[:] = line
    fixed = line.copy()
    fixed.flags.writeable = False
    square = np.array([line, line[::-1]])
    yield from (line, line[::-2], line[:0], line[:1], misaligned, misaligned[0, ...], fixed)
    yield from (square, square.T, square[:, :1], line.view(Window), line[:1].view(Window)[0, ...])


NUMPY = [value for name in _NAMES for value in _of_numpy(name)]
# What an input says about itself, and the flag floatX at the time of the call.
OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    **{f"default, floatX={name}": ({}, name) for name in dtypes.FLOATS},
    "downcast": ({"allow_downcast": True}, "float64"),
    "no downcast": ({"allow_downcast": False}, "float32"),
    "strict": ({"strict": True}, "float32"),
    "strict, downcast": ({"strict": True, "allow_downcast": True}, "float64"),
}


def copying(dtype: str, pattern: tuple[bool, ...], **options: Any) -> Function:
    """Return the function that gives its argument back."""
    x = TensorType(dtype, pattern)("x")
    return theano.function([theano.In(x, **options)], x)


def outcome(call: Any, *arguments: Any) -> tuple[Any, ...]:
    """Return what a call gives, to the bit, or how it fails."""
    try:
        result = call(*arguments)
    except Exception as error:
        return type(error), str(error)
    return result.dtype, result.shape, result.tobytes()


@pytest.mark.parametrize(("options", "floatx"), OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("dtype", dtypes.ALL)
def test_the_runtime_converts_as_python_does(
    dtype: str, options: dict[str, Any], floatx: str
) -> None:
    for pattern in ((), (False,), (False, True)):
        f = copying(dtype, pattern, **options)
        with config.changed(floatX=floatx):
            for value in (*(NUMPY if pattern else PYTHON + NUMPY), None, 1.0, [1.0]):
                assert outcome(f, value) == outcome(f._convert, 0, value), (pattern, value)


TAKEN_AT_ONCE: list[tuple[str, int, Any]] = [
    ("float32", 0, 0.5),
    ("float32", 0, np.nan),
    ("float64", 0, 0.1),
    ("int64", 0, 5.0),
    ("float64", 0, 3),
    ("float32", 0, 3),
    ("int8", 0, -128),
    ("bool", 0, 1),
    ("float32", 0, True),
    ("bool", 0, False),
    ("float64", 0, np.float32(0.1)),
    ("float64", 0, np.int64(3)),
    ("int64", 0, np.longlong(3)),
    ("float32", 0, np.uint16(3)),
    ("int8", 0, np.True_),
    ("float64", 0, np.array(3)),
    ("float64", 1, np.arange(3)),
    ("float32", 1, np.arange(3, dtype="int8")),
    ("float64", 2, np.ones((2, 3), "float32").T),
    ("complex128", 1, np.arange(3.0)),
    ("float64", 1, np.arange(3, dtype=">f8")),
    ("float64", 1, np.zeros(17, "uint8")[1:].view("float64")),
]


@pytest.mark.parametrize(("dtype", "ndim", "value"), TAKEN_AT_ONCE, ids=repr)
def test_usual_arguments_need_no_python(
    dtype: str, ndim: int, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    f = copying(dtype, (False,) * ndim)
    monkeypatch.delattr(Function, "_convert")  # the runtime's own refuses everything
    np.testing.assert_array_equal(f(value), np.asarray(value, dtype))
    with pytest.raises(TypeError, match="argument 0 must be an array of the input's dtype"):
        f(None)


def test_a_python_float_is_rounded_to_floatx_without_python(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(Function, "_convert")
    f = copying("float32", ())
    with config.changed(floatX="float32"):
        assert f(0.1) == np.float32(0.1)
    with pytest.raises(TypeError, match="argument 0"):
        f(0.1)
    assert copying("float32", (), allow_downcast=True)(0.1) == np.float32(0.1)


def test_converted_arguments_are_copies() -> None:
    """So they stay as they were when the call overwrites memory that they were read from."""
    state = theano.shared(np.arange(3, dtype="int32"), "w")
    x = TensorType("float64", (False,))("x")
    f = theano.function([x], x * 2, updates=[(state, state + 1)])
    result = f(state.get_value(borrow=True))
    assert result.tolist() == [0, 2, 4]
    assert state.get_value().tolist() == [1, 2, 3]
