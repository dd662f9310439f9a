"""Read NumPy arrays from a pickle that nobody vouches for.

What enters is the bytes of a pickle, Python 2's included, what leaves is nested tuples and lists
of arrays. No name in the pickle is ever imported: the few that NumPy writes are answered by
stand-ins that only keep what they are given, and every other name is refused.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
import numpy.typing as npt


class _Dtype:
    """What a pickle says of an element type: its code, later its byte order."""

    def __init__(self, code: str, *_: object) -> None:
        self.dtype: np.dtype[Any] = np.dtype(str(code))
        if self.dtype.kind not in "fiub":
            raise ValueError(f"array of {self.dtype}")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """What a pickle says of an array: shape, element type, order and bytes."""

    def __init__(self, *_: object) -> None:
        self.array: npt.NDArray[Any] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, raw = state
        self.fill(raw, dtype, shape, "F" if fortran else "C")

    def fill(self, raw: bytes | str, dtype: _Dtype, shape: tuple[int, ...], order: Any) -> None:
        data = raw.encode("latin1") if isinstance(raw, str) else raw
        self.array = np.frombuffer(data, dtype.dtype).reshape(shape, order=order)


def _from_buffer(raw: bytes, dtype: _Dtype, shape: tuple[int, ...], order: str) -> _Array:
    stand_in = _Array()
    stand_in.fill(raw, dtype, shape, order)
    return stand_in


def _encode(text: str, _codec: str) -> bytes:
    """Answer ``_codecs.encode``, by which Python 3 writes bytes in the old protocols."""
    return text.encode("latin1")


_STAND_INS = {
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _Array,
    ("_codecs", "encode"): _encode,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _from_buffer for core in ("core", "_core")},
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _STAND_INS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"refused to load {module}.{name}") from None


def read_arrays(raw: bytes) -> Any:
    """Return the nested tuples and lists of arrays in a pickle.

    Parameters
    ----------
    raw : bytes
        The pickle, of any protocol, written by Python 2 or 3.

    Returns
    -------
    tuple, list or ndarray
        Nested as in the pickle; the arrays are of numbers and may be read-only.

    Raises
    ------
    ValueError
        The pickle is damaged, or holds anything but tuples, lists and arrays of numbers.

    Examples
    --------
    >>> read_arrays(pickle.dumps((np.arange(3, dtype="int8"), [])))
    (array([0, 1, 2], dtype=int8), [])
    >>> read_arrays(pickle.dumps(print))
    Traceback (most recent call last):
    ValueError: refused to load builtins.print
    """
    try:
        return _arrays_only(_ArrayUnpickler(io.BytesIO(raw), encoding="latin1").load())
    except Exception as error:  # a damaged pickle can raise anything
        raise ValueError(str(error) or type(error).__name__) from error


def _arrays_only(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return type(value)(_arrays_only(item) for item in value)
    if isinstance(value, _Array) and value.array is not None:
        return value.array
    raise ValueError(f"{type(value).__name__} in the place of an array")
