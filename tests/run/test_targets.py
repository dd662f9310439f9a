"""On which SIMD target a function runs: for each set of shapes, on that in force at their first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import arignote
import arignote.tensor as T
from arignote.run import native
from helpers.values import Array

BEST, WORST = native.targets()[0], native.targets()[-1]


@pytest.fixture(autouse=True)
def best_target() -> Iterator[None]:
    yield
    native.set_target("")


def factors(rows: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(rows)
    return rng.normal(size=(rows, 300)), rng.normal(size=(300, 70))


def product() -> arignote.Function:
    a, b = T.dmatrices("a", "b")
    return arignote.function([a, b], T.dot(a, b))


def bits_on(target: str, rows: int) -> bytes:
    native.set_target(target)
    return product()(*factors(rows)).tobytes()


def test_a_function_keeps_its_kernels_for_shapes_that_it_has_met() -> None:
    met, new = 50, 60
    if bits_on(BEST, met) == bits_on(WORST, met) or bits_on(BEST, new) == bits_on(WORST, new):
        pytest.skip("the targets of this machine give the same bits")
    native.set_target(BEST)
    f = product()
    f(*factors(met))
    native.set_target(WORST)
    assert f(*factors(met)).tobytes() == bits_on(BEST, met)
    native.set_target(WORST)
    assert f(*factors(new)).tobytes() == bits_on(WORST, new)
