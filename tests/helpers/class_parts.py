"""Losses over more classes than a device takes at a time, in small."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import arignote as theano
from arignote.graph import dtypes
from arignote.run.function import Function
from helpers.values import Array

ROWS, FEATURES, CLASSES = 80, 40, 500
# Less than the scores of all rows, and than the float32 sum of the gradient by weights.
SMALL = 75_000


def goes_through_parts(f: Function) -> bool:
    """Return whether the device has run the only row block on parts of the classes."""
    return any("64 classes at a time" in note for note in theano.explain(f).notes)


def assert_like(found: Sequence[Array], wanted: Sequence[Array], dtype: str) -> None:
    """Hold values against those of other orders of sums: a few are rounded to the neighbour."""
    step = float(np.finfo(dtypes.normalize(dtype)).eps) if dtype != "bfloat16" else 2.0**-7
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=step, atol=step)
        assert np.mean(a != b) < 0.02
