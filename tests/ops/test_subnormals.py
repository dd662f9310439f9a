"""No function works on subnormal numbers where neither its operand nor its result is one.

A processor may take a hundred cycles for an operation with such a number, so that a function would
become tens of times slower on some arrays. The flag for underflow tells it without measuring time.
"""

from __future__ import annotations

import ctypes
import platform

import numpy as np
import pytest

from arignote import ops
from arignote.graph.op import OPS
from arignote.graph.type import tensor_type
from arignote.run.function import function
from helpers.values import Array

# Targets that multiply and add in one step; the others round the product, which may be subnormal.
FUSING = {"avx2", "avx3"}
FE_UNDERFLOW = 0x10  # of x86

FUNCTIONS = sorted(
    name
    for name, op in OPS.items()
    if isinstance(op, ops.ElementwiseOp) and op.accuracy.ulp and len(op.arguments) == 1
)


def magnitudes(dtype: str) -> Array:
    powers = np.arange(-30, 31) if dtype == "float32" else np.arange(-200, 301, 5)
    ordinary = np.array([0, 1e-4, 0.1, 0.5, 0.9, 1, 2, 15, 80, 150, 700, 800, np.inf])
    return np.asarray(np.concatenate([10.0**powers, ordinary]) * 1.1, dtype)


def far_from_subnormal(value: Array) -> Array:
    return np.asarray((value == 0) | (np.abs(value) > 16 * np.finfo(value.dtype).tiny))


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the flag is another bit elsewhere")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_subnormal_numbers_are_avoided(name: str, dtype: str, target: str) -> None:
    x = tensor_type(dtype, 1).make_variable("x")
    call = function([x], OPS[name](x))
    library = ctypes.CDLL(None)
    slow = []
    values = magnitudes(dtype) if target in FUSING else np.zeros(1, dtype)
    for value in np.concatenate([values, -values]):
        operand = np.full(16, value)
        library.feclearexcept(FE_UNDERFLOW)
        result = call(operand)
        if library.fetestexcept(FE_UNDERFLOW) and far_from_subnormal(result).all():
            slow.append(float(value))
    assert slow == []
