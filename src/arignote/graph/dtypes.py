"""The dtype rules: names, kinds, up-casting, and the dtype a Python number takes.

These are Theano's rules, not NumPy 2's: a Python number never widens a float tensor, and an integer
divided by an integer is ``floatX``. Beside other dtypes bfloat16 is what float16 is.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from arignote.bfloat16 import bfloat16_dtype
from arignote.config import config

BOOL: Final = ("bool",)
SIGNED: Final = ("int8", "int16", "int32", "int64")
UNSIGNED: Final = ("uint8", "uint16", "uint32", "uint64")
INTEGERS: Final = SIGNED + UNSIGNED
# Kernels convert them, or take them one at a time; their products are added up in float32.
HALVES: Final = ("float16", "bfloat16")
FLOATS: Final = (*HALVES, "float32", "float64")
COMPLEXES: Final = ("complex64", "complex128")
DISCRETE: Final = BOOL + INTEGERS
CONTINUOUS: Final = FLOATS + COMPLEXES
ALL: Final = DISCRETE + CONTINUOUS
# Position of each dtype in ALL, which is also its number in the native runtime.
ALL_INDEX: Final = {dtype: position for position, dtype in enumerate(ALL)}
# The dtypes native kernels compute in; steps on others run as their reference, on the host.
NATIVE: Final = (*DISCRETE, "float32", "float64")
# Those of one byte, all of whose numbers float32 holds: products read them beside it.
BYTES: Final = ("bool", "int8", "uint8")
# Those that kernels read and write.
REAL: Final = (*NATIVE, *HALVES)

Array = npt.NDArray[Any]


def normalize(dtype: Any) -> str:
    """Return the name of a dtype given as a name, a NumPy dtype or a scalar class.

    ``"floatX"`` stands for the configured one.

    >>> normalize(np.float32), normalize("int8"), normalize(bool)
    ('float32', 'int8', 'bool')
    """
    if isinstance(dtype, str):
        if dtype == "bfloat16":
            bfloat16_dtype()  # from here on NumPy knows the name
        if dtype in ALL_INDEX:
            return dtype
        if dtype == "floatX":
            return str(config.floatX)
    try:
        name = str(np.dtype(dtype).name)
    except TypeError:
        name = str(dtype)
    if name not in ALL:
        raise TypeError(f"dtype must be one of {', '.join(ALL)}: {dtype!r}")
    return name


@cache
def upcast(*dtypes: str) -> str:
    """Return the smallest dtype that holds every value of the given ones.

    >>> upcast("int8", "float32"), upcast("int32", "float32")
    ('float32', 'float64')
    >>> upcast("int8", "bfloat16"), upcast("float16", "bfloat16")
    ('bfloat16', 'float32')
    """
    names = ["float16" if dtype == "bfloat16" else dtype for dtype in dtypes]
    result = np.dtype(names[0])
    for name in names[1:]:
        result = np.promote_types(result, name)
    if result == "float16" and "bfloat16" in dtypes:
        return "float32" if "float16" in dtypes else "bfloat16"
    return str(result.name)


def float_for(dtype: str) -> str:
    """Return the float dtype in which a function such as ``exp`` of this dtype is computed.

    >>> float_for("int8"), float_for("int32"), float_for("float32")
    ('float32', 'float64', 'float32')
    """
    if dtype in CONTINUOUS:
        return dtype
    return "float32" if np.dtype(dtype).itemsize <= 2 else "float64"


def kind_of(dtype: np.dtype[Any]) -> str:
    """Return NumPy's letter for the kind of a dtype; to NumPy itself bfloat16 is of none.

    >>> kind_of(np.dtype("float32")), kind_of(np.dtype("bool"))
    ('f', 'b')
    """
    return "f" if dtype.name == "bfloat16" else dtype.kind


def finfo(dtype: np.dtype[Any]) -> Any:
    """Return ``numpy.finfo``, or that of ml_dtypes for bfloat16.

    >>> float(finfo(np.dtype("float64")).eps) == 2**-52
    True
    """
    if dtype.name != "bfloat16":
        return np.finfo(dtype)
    import ml_dtypes  # optional

    of_bfloat16: Any = ml_dtypes.finfo
    return of_bfloat16(dtype)


def plain(array: Array) -> Array:
    """Return an array that all of NumPy's functions take: float32 instead of bfloat16."""
    return array.astype("float32") if array.dtype.name == "bfloat16" else array


def of_constant(value: Any) -> str:
    """Return the dtype of a constant made from a Python number or an array.

    NumPy values keep theirs. A Python int takes the smallest signed integer that holds it; a Python
    float takes float32 if that is ``floatX`` or holds it exactly, else float64.

    >>> of_constant(1), of_constant(1000), of_constant(1.5), of_constant(np.float64(1.5))
    ('int8', 'int16', 'float32', 'float64')
    """
    if isinstance(value, np.ndarray | np.generic):
        return normalize(value.dtype)
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        for dtype in (*SIGNED, "uint64"):
            if np.iinfo(dtype).min <= value <= np.iinfo(dtype).max:
                return dtype
        raise OverflowError(f"[constant] an integer must fit in 64 bits: {value}")
    if isinstance(value, complex):
        return "complex128"
    if config.floatX != "float64":
        return config.floatX
    with np.errstate(over="ignore"):
        exact = np.isnan(value) or float(np.float32(value)) == value
    return "float32" if exact else "float64"


def of_scalar_beside(value: complex, neighbours: tuple[str, ...]) -> str:
    """Return the dtype a Python number takes as an operand beside tensors of the given dtypes.

    Beside a float tensor a Python int or float takes the tensor's dtype.

    >>> of_scalar_beside(0.1, ("float32",)), of_scalar_beside(200, ("int8",))
    ('float32', 'int16')
    """
    floats = [dtype for dtype in neighbours if dtype in FLOATS]
    if floats and isinstance(value, float) and not isinstance(value, np.generic):
        return upcast(*floats)
    return of_constant(value)
