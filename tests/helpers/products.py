"""Products of matrices on the emulated device."""

from __future__ import annotations

import numpy as np

from arignote.graph import dtypes
from helpers.backend import block_bytes
from helpers.emulated import function_on, shared_memory, window
from helpers.spec import SpecBuilder
from helpers.tolerance import product_bound
from helpers.values import Array

FLOATS = ["float32", "float64"]
HALVES = [dtypes.normalize(dtype) for dtype in dtypes.HALVES]  # which makes NumPy know them


def dot(builder: SpecBuilder, a: int, b: int, dtype: str = "", tf32: bool = False) -> int:
    """Add a step that multiplies two buffers; return its result, of their dtype or another."""
    shapes = [builder.shape_of(item) for item in (a, b)]
    dtype = dtype or builder.spec["buffers"][b]["dtype"]
    out = builder.temp(dtype, shapes[0][:-1] + shapes[1][1:])
    builder.step("dot", [a, b], [out], ints=[1] if tf32 else [])
    return out


def product_on(device: object, a: Array, b: Array, tf32: bool = False) -> Array:
    """Multiply two arrays on a device."""
    builder = SpecBuilder()
    inputs = [builder.input(item.dtype.name, item.ndim) for item in (a, b)]
    builder.output(dot(builder, *inputs, tf32=tf32))
    (found,) = function_on(device, builder)(a, b)
    return np.asarray(found)


def product_by_blocks(device: object, rows: int, a: Array, b: Array) -> Array:
    """Multiply two arrays in blocks of so many rows of b at most, each by a kernel of its own."""
    body, builder = SpecBuilder(), SpecBuilder()
    for each in (body, builder):
        for item in (a, b):
            each.input(item.dtype.name, item.ndim)
    body.output(dot(body, 0, 1))
    sums = builder.temp(b.dtype.name, builder.shape_of(0)[:-1] + builder.shape_of(1)[1:])
    builder.step("by_rows", [0, 1], [sums], ints=[1, 0, 1], body=body.spec)
    builder.output(sums)
    # A block has no temporaries, which counts as a byte for each row.
    with block_bytes(rows), shared_memory(0):
        (found,) = function_on(device, builder)(a, b)
    return np.asarray(found)


def draw(dtype: str, *shape: int) -> Array:
    """Return numbers of all sizes that the type has, and real ones about zero."""
    rng = np.random.default_rng(sum(shape))
    if dtype in (*FLOATS, *HALVES):
        return rng.normal(size=shape).astype(dtype)
    if dtype == "bool":
        return rng.random(shape) < 0.1
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype, endpoint=True)


def assert_product(found: Array, a: Array, b: Array, is_tf32: bool = False) -> None:
    """Hold a product of real numbers against the exact one."""
    wide = np.longdouble if a.dtype == np.float64 else np.float64
    exact = np.dot(a.astype(wide), b.astype(wide))
    assert (found.shape, found.dtype) == (exact.shape, b.dtype)
    bound = product_bound(np.atleast_2d(a), b, found.dtype, is_tf32)
    assert np.all(np.abs(found - exact) <= bound)


def product_of_windows(device: object, *views: Array) -> Array:
    """Multiply windows that lie on the device as NumPy's views do."""
    builder = SpecBuilder()
    windows, bases = zip(*(window(builder, view) for view in views), strict=True)
    builder.output(dot(builder, *windows))
    (found,) = function_on(device, builder)(*bases)
    return np.asarray(found)
