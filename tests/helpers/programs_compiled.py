"""Elementwise programs that have every operation, and every reduction, of some dtypes."""

from __future__ import annotations

from collections.abc import Iterator

from arignote.run import native
from helpers.spec import SpecBuilder
from helpers.values import Array, Values

# As many elements as compiling is worth while for, and no multiple of a power of two.
LENGTH = (1 << 16) + 13
MOST_OPERATIONS = 80
MOST_REDUCTIONS = 16

Program = tuple[SpecBuilder, list[Array]]


def operation_parts() -> list[slice]:
    """Return the parts of the table of operations that one program each has."""
    length = len(native.block_table())
    return [slice(first, first + MOST_OPERATIONS) for first in range(0, length, MOST_OPERATIONS)]


def operations(part: slice) -> Program:
    """Return a program that has all operations of a part of the table."""
    table = native.block_table()[part]
    inputs: dict[tuple[str, int], int] = {}
    for _, operands, _ in table:
        for place, dtype in enumerate(operands):
            inputs.setdefault((dtype, place), len(inputs))
    builder = SpecBuilder()
    buffers = [builder.input(dtype, 1) for dtype, _ in inputs]
    instructions, outputs = [], []
    for number, (name, operands, result) in enumerate(table):
        sources = [inputs[dtype, place] for place, dtype in enumerate(operands)]
        instructions.append((name, result, sources))
        outputs.append((builder.like(buffers[0], result), len(inputs) + number, "", 0))
    builder.elementwise(buffers, instructions, outputs)
    builder.output(*(buffer for buffer, *_ in outputs))
    return builder, [Values(place, special=True)(dtype, LENGTH) for dtype, place in inputs]


def reductions(shape: tuple[int, int], mask: int, *dtypes: str) -> Iterator[Program]:
    """Yield programs that together have all reductions of these dtypes along some axes."""
    table = [
        (name, dtype, to) for name, dtype, _, to in native.reduction_table() if dtype in dtypes
    ]
    for first in range(0, len(table), MOST_REDUCTIONS):
        builder = SpecBuilder()
        inputs = {dtype: builder.input(dtype, 2) for dtype in dtypes}
        outputs = []
        for name, dtype, result in table[first : first + MOST_REDUCTIONS]:
            lengths = builder.shape_of(inputs[dtypes[0]])
            kept = [length for axis, length in enumerate(lengths) if not mask >> axis & 1]
            register = list(inputs).index(dtype)
            outputs.append((builder.temp(result, kept), register, name, mask))
        builder.elementwise(list(inputs.values()), [], outputs)
        builder.output(*(buffer for buffer, *_ in outputs))
        yield builder, [Values(3)(dtype, *shape) for dtype in dtypes]
