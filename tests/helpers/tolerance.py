"""How far apart two results may be; the accuracy of native kernels is stated by the op records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from arignote.graph import dtypes
from helpers.values import Array

# The step of a central difference in float64: its error is of the order of the step squared, and
# rounding of the values adds their last digits divided by the step.
STEP = 1e-6
_TRUNCATION = 1e-6
_ROUNDING = 1e-8

# Two ways to compute the same in float64 or float32, in units in the last place.
REWRITTEN = 16
# Results too small to have all digits.
_SUBNORMALS = 4


def derivative_bound(terms: Sequence[Array], values: Sequence[Array]) -> float:
    """Return how far a central difference may be from a derivative.

    ``terms`` are the products of partial derivatives and directions that sum up to it, ``values``
    the weighted outputs that sum up to the function.
    """
    slope = sum(float(np.sum(np.abs(item))) for item in terms)
    height = sum(float(np.sum(np.abs(item))) for item in values)
    return _TRUNCATION * slope + _ROUNDING * height


def rewritten_bound(wanted: Array, scale: float = 0) -> Array:
    """Return how far two ways to compute the same may be apart.

    ``scale`` is the magnitude at which terms cancel.
    """
    if wanted.dtype.kind != "f":
        return np.zeros(())
    info = np.finfo(wanted.dtype)
    size = np.maximum(np.abs(wanted), scale)
    return np.asarray(size * (REWRITTEN * info.eps) + _SUBNORMALS * float(info.smallest_subnormal))


def assert_close(found: Array, wanted: Array, scale: float = 0) -> None:
    """Hold every element within the bound of two ways to compute the same."""
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
    with np.errstate(invalid="ignore"):
        near = np.abs(found - wanted) <= rewritten_bound(wanted, scale)
    same = near | (found == wanted) | (np.isnan(found) & np.isnan(wanted))
    assert np.all(same), f"{found} instead of {wanted}"


# Sums of the same rows in another order, in units in the last place of the largest element.
REORDERED = 64


def assert_reordered(
    found: Iterable[npt.ArrayLike], wanted: Iterable[npt.ArrayLike], scale: float = 1
) -> None:
    """Hold arrays within their bound; what is no float, or not finite, must be equal.

    ``scale`` is the magnitude at which terms cancel.
    """
    for a, b in zip(map(np.asarray, found), map(np.asarray, wanted), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        if b.dtype.kind != "f":
            np.testing.assert_array_equal(a, b)
            continue
        finite = np.isfinite(b)
        np.testing.assert_array_equal(a[~finite], b[~finite])
        largest = max(scale, float(np.max(np.abs(b[finite]), initial=0)))
        bound = REORDERED * float(np.finfo(b.dtype).eps) * largest
        assert np.all(np.abs(a[finite] - b[finite]) <= bound), f"{a} instead of {b}"


# Formulas of the surface against NumPy's, in units in the last place.
FORMULA = 8  # a handful of rounded operations, in another order
SUMMED = 64  # sums of some dozen terms, in another order


def assert_ulp(actual: npt.ArrayLike, expected: npt.ArrayLike, ulp: int) -> None:
    """Hold each element within ``ulp`` ULP of the expected one; what is not finite must agree."""
    found, wanted = np.asarray(actual), np.asarray(expected)
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
    if wanted.dtype.kind not in "fc":
        np.testing.assert_array_equal(found, wanted)
        return
    finite = np.isfinite(wanted)
    np.testing.assert_array_equal(found[~finite], wanted[~finite])
    distance = np.abs(found[finite] - wanted[finite])
    excess = distance / (ulp * np.spacing(np.abs(wanted[finite])))
    assert not excess.size or np.max(excess) <= 1, (
        f"{np.max(excess):.3g} times the permitted distance: {found!r}, expected {wanted!r}"
    )


# Of an operand in TF32, which has ten digits behind the point, whether it is rounded or cut off.
TF32 = 2.0**-10


def product_bound(a: Array, b: Array, dtype: npt.DTypeLike = None, is_tf32: bool = False) -> Array:
    """Return how far each element of ``dot(a, b)`` may be from its exact value.

    ``dtype`` is that of the result, if it is not that of the operands. Halves are added up in
    float32, and rounded once if the results are halves, too.

    A sum runs over at most 256 products, and then over 64 such sums, before it is added to the
    others as a tree. Each addition rounds by half a unit in the last place; without fused
    multiply-add the products are rounded, too.
    """
    depth = a.shape[1]
    roundings = min(depth, 256) + min(depth // 256, 64) + (depth // (256 * 64)).bit_length() + 3
    is_half = a.dtype.itemsize == 2
    wide = np.float64 if is_half else a.dtype
    unit = float(np.finfo(np.float32 if is_half else a.dtype).eps) / 2
    terms = np.abs(a.astype(wide)) @ np.abs(b.astype(wide))
    bound = (roundings * unit + (2 * TF32 if is_tf32 else 0)) * terms
    if is_half and np.dtype(dtype or a.dtype) == a.dtype:
        bound = bound + rounding_bound(a.astype(wide) @ b.astype(wide), bound, a.dtype)
    return np.asarray(bound)


def rounding_bound(exact: Array, error: Array, dtype: np.dtype[Any]) -> Array:
    """Return how far a number that is off by an error is then moved by rounding it to a dtype."""
    info = dtypes.finfo(dtype)
    largest = np.maximum(np.abs(exact) + error, float(info.smallest_normal))
    return np.asarray(largest * (float(info.eps) / 2))
