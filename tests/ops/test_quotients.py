"""Division by one number throughout, which is multiplication by its reciprocal and corrections."""

from __future__ import annotations

import numpy as np
import pytest

import arignote
import arignote.tensor as T
from helpers.values import Array

DIVISORS = [3, 7, 10, 127.5, 255, 49_999, 1e-3, 0.1, -2 / 3, 1e9, 1e30, 1e-30, 0, np.inf, np.nan]


def assert_quotients(x: Array, divisor: float) -> None:
    by = x.dtype.type(divisor)
    symbol = T.vector("x", dtype=x.dtype.name)
    with np.errstate(all="ignore"):
        wanted = x / by
    found = arignote.function([symbol], symbol / by)(x)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))
    number = ~np.isnan(wanted)
    np.testing.assert_array_equal(found[number].view(bits(x)), wanted[number].view(bits(x)))


def bits(x: Array) -> np.dtype:
    return np.dtype(f"uint{8 * x.dtype.itemsize}")


def significands(dtype: str, step: int) -> Array:
    """Return numbers from 1 to 2, all of float32 if `step` is 1."""
    if dtype == "float32":
        return (np.arange(1 << 23, 1 << 24, step, dtype="uint32") / np.float64(1 << 23)).astype(
            "float32"
        )
    rng = np.random.default_rng(0)
    return 1 + rng.integers(0, 1 << 52, (1 << 23) // step) / float(1 << 52)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_significand(dtype: str, target: str) -> None:
    last = np.nextafter(np.ones((), dtype) * 2, 0)  # no reciprocal is farther off
    for divisor in [*DIVISORS, float(last), float(np.nextafter(np.ones((), dtype), 2))]:
        assert_quotients(significands(dtype, 1 if divisor in (255, last) else 37), divisor)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_random_divisors(dtype: str, target: str) -> None:
    rng = np.random.default_rng(1)
    for divisor in rng.uniform(1, 2, 60):
        assert_quotients(significands(dtype, 1009), divisor)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_at_the_ends_of_the_range(dtype: str, target: str) -> None:
    info = np.finfo(dtype)
    rng = np.random.default_rng(2)
    ends = [0.0, -0.0, np.inf, -np.inf, np.nan, info.max, info.tiny, info.smallest_subnormal]
    x = (rng.uniform(1, 2, 4000) * rng.choice([-1, 1], 4000)).astype(dtype)
    x = np.ldexp(x, rng.integers(info.minexp - info.nmant, info.maxexp - 1, 4000)).astype(dtype)
    x[rng.choice(4000, 800)] = rng.choice(ends, 800)
    x[2000:3000] = rng.choice(ends[:2], 1000)
    for divisor in DIVISORS:
        assert_quotients(x, divisor)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_divisors_that_change(dtype: str, target: str) -> None:
    rng = np.random.default_rng(3)
    a, b = rng.uniform(1, 2, (2, 3001)).astype(dtype)
    b[100:2000] = b[100]
    x, y = (T.vector(name, dtype=dtype) for name in "xy")
    np.testing.assert_array_equal(arignote.function([x, y], x / y)(a, b), a / b)
