"""Calls of the ops that draw random numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from arignote import ops
from arignote.graph.op import Op
from arignote.graph.variable import Variable
from helpers.samples import Sample, samples
from helpers.values import Values


@samples("uniform", of=("float32", "float64"))
def uniforms(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    def draw(state: Variable, *dims: Variable) -> tuple[Variable, ...]:
        return ops.uniform(state, dims, dtype)

    state = values.rng.integers(0, 2**64, 3, "uint64")
    # The last block that it has counted is the last but one of all that 64 bits can count.
    last = np.array([5, 7, 2**64 - 2], "uint64")
    for shape in ((), (0,), (1,), (4,), (8,), (67,), (5, 7), (2, 3, 5)):
        dims = tuple(np.asarray(n) for n in (values.lengths(*shape) if shape else ()))
        yield Sample(f"size {shape}", draw, (state, *dims))
    yield Sample("past the last", draw, (last, np.asarray(values.lengths(67)[0], "int32")))
