"""Steps of few elements, whose places are found once: operands that move are followed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from arignote.ifelse import ifelse

import arignote as theano
import arignote.tensor as T

Floats = npt.NDArray[np.float64]


def arrays(seed: int) -> list[Floats]:
    """Return arrays of more shapes than are remembered, each twice, some with steps between."""
    rng = np.random.default_rng(seed)
    lengths = [3, 5, 1, 16, 3, 8, 255, 256, 257, 2, 5, 1, 8, 16]
    spaced = [rng.normal(size=(length, 2))[:, 0] for length in lengths]
    return [item if k % 3 else np.ascontiguousarray(item) for k, item in enumerate(spaced)]


def test_operands_that_move() -> None:
    x, a = T.dvector("x"), T.dscalar("a")
    w = theano.shared(2.0, "w")
    f = theano.function([x, a], [x * 2 + a * w, (x * x).sum(), (x + 1).max(), x > a])
    for k, item in enumerate(arrays(1) * 2):
        w.set_value(np.asarray(k / 2))
        scaled, square, most, above = f(item, np.asarray(k / 3))
        np.testing.assert_array_equal(scaled, item * 2 + (k / 3) * (k / 2))
        np.testing.assert_allclose(square, (item * item).sum(), rtol=1e-15)
        assert most == (item + 1).max()
        np.testing.assert_array_equal(above, item > k / 3)


def test_after_steps_that_were_left_out() -> None:
    flag, x = T.bscalar("flag"), T.dvector("x")
    f = theano.function([flag, x], ifelse(flag, x * 3 + 1, x - 2))
    for k, item in enumerate(arrays(2) * 3):
        chosen = k * k % 5 % 2
        wanted = item * 3 + 1 if chosen else item - 2
        np.testing.assert_array_equal(f(chosen, item), wanted)


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32", "float64"])
def test_sums_have_the_bits_of_larger_ones(dtype: str) -> None:
    """Of a block that is everything, and of one among others."""
    x, y = T.vector("x", dtype=dtype), T.matrix("y", dtype=dtype)
    one, many = theano.function([x], x.sum()), theano.function([y], y.sum(axis=1))
    rng = np.random.default_rng(3)
    for length in (1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64, 100, 255, 256):
        row = (100 * rng.normal(size=length)).astype(dtype)
        rows = many(np.stack([row] * 5))
        assert {item.tobytes() for item in rows} == {one(row).tobytes()}
