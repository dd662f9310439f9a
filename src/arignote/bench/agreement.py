"""Whether contenders compute the same; one that does not is no match for the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arignote.graph.dtypes import Array

# Of the largest magnitude. Sums are taken in different orders, over many rows and some steps; what
# is bfloat16 in between differs as well.
_TOLERANCE = {"bfloat16": 5e-2, "float32": 1e-4, "float64": 1e-10}
# More elements than this are not compared, and need not be brought from another process.
_MOST = 10_000


def sampled(value: Array) -> Array:
    """Return an array, or so many elements spread evenly over it."""
    if value.size <= _MOST:
        return value
    # No multiple of a usual row's length: the elements come from all columns.
    step = value.size // _MOST | 1
    part: Array = value.reshape(-1)[::step].copy()
    return part


def difference(found: Sequence[Array], wanted: Sequence[Array]) -> str | None:
    """Return how results differ from ours, or None.

    >>> one, other = np.ones(3), np.array([1, 1, 2.0])
    >>> difference([one], [one]), difference([other], [one])
    (None, 'result 0 differs by 1 of 1')
    """
    if len(found) != len(wanted):
        return f"{len(found)} results instead of {len(wanted)}"
    for k, (one, other) in enumerate(zip(found, wanted, strict=True)):
        if one.shape != other.shape:
            return f"result {k} has shape {one.shape} instead of {other.shape}"
        distance, largest = _distance(one, other), _distance(other, np.zeros_like(other))
        if not distance <= _TOLERANCE.get(other.dtype.name, 0.0) * largest:
            return f"result {k} differs by {distance:.3g} of {largest:.3g}"
    return None


def _distance(one: Array, other: Array) -> float:
    return float(np.max(np.abs(one.astype(np.float64) - other), initial=0.0))
