"""Results have the same bits for any number of threads."""

from __future__ import annotations

import numpy as np
import pytest

import helpers.samples_other  # noqa: F401 (completes SAMPLES)
from arignote.config import config
from arignote.graph.op import OPS
from arignote.run.mode import Mode
from helpers.samples import dtypes_of, samples_of
from helpers.values import Array, Values

DTYPES = ("float64", "float32", "int32", "bool")


def as_bytes(array: Array) -> Array:
    """Return the bytes of an array, of which a NaN's equal themselves."""
    return array.reshape(-1).view("u1")


@pytest.mark.usefixtures("all_threads")
@pytest.mark.parametrize("name", OPS)
def test_any_number_of_threads_gives_the_same_bits(name: str) -> None:
    op = OPS[name]
    for dtype in [item for item in DTYPES if item in dtypes_of(op)][:2]:
        for sample in samples_of(op, Values(3, scale=10_000), dtype):
            call = sample.function(Mode(optimizer=None))
            results = []
            for count in (1, 2, 3, 7, 16):
                config.threads = count
                results.append([as_bytes(array) for array in call(*sample.arrays)])
            for found in results[1:]:
                same = map(np.array_equal, found, results[0])
                assert all(same), f"{dtype} {sample.label}"
