"""How closely a seed program agrees with its plain NumPy loop, in units in the last place (ULP)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

PRINTED_SIGMOID = 1  # the notebook's digits, from a GPU whose exp and tanh round in their own way
SIGMOID = 4  # exp or tanh, then two or three rounded operations; 1 - tanh cancels two bits
TRAINING = 256  # of the largest parameter, after steps whose sums are taken in another order
LINE = 16  # sums of 16 terms in another order, kept for some hundred steps by the slow direction
CONVERGED = 1024  # where the gradient is too small to move a parameter any further
FINITE_DIFFERENCE = 1e-9  # relative: step 1e-5, fourth order, float64


def assert_relative(actual: float, expected: float, tolerance: float) -> None:
    """Hold `actual` within a share of the expected magnitude."""
    assert abs(actual - expected) <= tolerance * abs(expected), f"{actual!r}, expected {expected!r}"


def assert_ulp(actual: npt.ArrayLike, expected: npt.ArrayLike, ulp: int) -> None:
    """Hold every element of `actual` within `ulp` ULP of its own expected value."""
    _assert_within(actual, expected, ulp * np.spacing(np.abs(expected)))


def assert_ulp_of_largest(actual: npt.ArrayLike, expected: npt.ArrayLike, ulp: int) -> None:
    """Hold every element of `actual` within `ulp` ULP of the largest expected magnitude."""
    _assert_within(actual, expected, ulp * np.spacing(np.max(np.abs(expected))))


def _assert_within(actual: npt.ArrayLike, expected: npt.ArrayLike, bound: npt.ArrayLike) -> None:
    found, wanted = np.asarray(actual), np.asarray(expected)
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
    excess = np.abs(found.astype(np.float64) - wanted) / np.asarray(bound, np.float64)
    worst = np.unravel_index(np.argmax(excess), excess.shape)
    assert excess[worst] <= 1, (
        f"{excess[worst]:.3g} times the permitted distance at {worst}: "
        f"{found[worst]!r}, expected {wanted[worst]!r}"
    )
