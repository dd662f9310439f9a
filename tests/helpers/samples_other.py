"""Calls of the ops that are not elementwise; importing this module completes ``SAMPLES``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import helpers.samples_random
import helpers.samples_rows  # noqa: F401 (both complete SAMPLES)
from arignote import ops
from arignote.graph import dtypes
from arignote.graph.op import Op, Params
from arignote.graph.variable import Variable
from arignote.ops import Instruction, Program, Result
from helpers.own_ops import Positive, Scaled
from helpers.samples import COLUMN, ROW, Sample, samples
from helpers.values import Array, Values

FLOATS = ("float32", "float64")
NUMBERS = (*dtypes.DISCRETE, *dtypes.FLOATS)


def number(value: int, dtype: str = "int64") -> Array:
    """Return an integer scalar."""
    return np.asarray(value, dtype)


# --- reductions


def _reducing(op: Op, axis: tuple[int, ...]) -> Any:
    return lambda x: op(x, axis=axis)


@samples("sum", "prod", "all", "any")
def reductions(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    yield from extremes(op, values, dtype)
    for axis in ((0,), (1,), (0, 1)):
        yield Sample(f"empty over {axis}", _reducing(op, axis), (values(dtype, 0, 5),))


@samples("max", "min", "argmax", "argmin")
def extremes(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    n, m, k = values.lengths(3, 4, 5)
    x = values(dtype, n, m, k)
    for axis in ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)):
        yield Sample(f"over {axis} of 3", _reducing(op, axis), (x,))
    for count in (values.lengths(67)[0], 1):
        yield Sample(f"vector of {count}", _reducing(op, (0,)), (values(dtype, count),))
    yield Sample("tall", _reducing(op, (0,)), (values(dtype, *values.lengths(41, 3)),))
    yield Sample("wide", _reducing(op, (1,)), (values(dtype, *values.lengths(3, 41)),))
    yield Sample("nothing left", _reducing(op, (1,)), (values(dtype, 0, 5),))
    if not op.name.startswith("arg"):
        yield Sample("over no axis", _reducing(op, ()), (values(dtype, n, m),))


# --- shapes


@samples("dimshuffle")
def dimshuffles(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    x = values(dtype, *values.lengths(3, 4, 5))
    for order in ((2, 0, 1), (1, 0, 2), (2, 1, 0), ("x", 0, "x", 2, 1)):
        yield Sample(f"to {order}", lambda v, order=order: op(v, order=order), (x,))
    column = values(dtype, values.lengths(9)[0], 1)
    yield Sample("dropping", lambda v: op(v, order=(0,)), (column,), (COLUMN,))
    yield Sample("of a scalar", lambda v: op(v, order=("x", "x")), (values(dtype),))


@samples("shape_i")
def sizes(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    for axis in range(3):
        x = values(dtype, *values.lengths(3, 0, 5))
        yield Sample(f"of axis {axis}", lambda v, axis=axis: op(v, axis=axis), (x,))


@samples("shape")
def shapes(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    for lengths in ((5,), (3, 0, 5)):
        yield Sample(f"of {lengths}", op, (values(dtype, *values.lengths(*lengths)),))
    yield Sample("of a row", op, (values(dtype, 1, 3),), (ROW,))


@samples("broadcast_like")
def broadcasts(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    n, m = values.lengths(5, 7)
    model = values("int8", n, m)
    for pattern, shape in ((ROW, (1, m)), (COLUMN, (n, 1)), ((True, True), (1, 1))):
        yield Sample(f"{shape}", ops.broadcast_like, (values(dtype, *shape), model), (pattern,))


@samples("alloc")
def allocations(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    n, m = values.lengths(5, 7)
    row = values(dtype, 1, m)
    arguments = (row, number(n), number(m, "int32"))
    yield Sample("a row", ops.alloc, arguments, (ROW,))
    yield Sample("a scalar", lambda v, a: ops.alloc(v, a, 3, 1), (values(dtype), number(4)))
    yield Sample("nothing", lambda v, a: ops.alloc(v, a, 3), (values(dtype), number(0)))


@samples("reshape")
def reshapes(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    n, m, k = values.lengths(4, 6, 5)
    x = values(dtype, n, m, k)
    yield Sample("to a vector", lambda v: ops.reshape(v, (-1,)), (x,))
    yield Sample("with a rest", lambda v, a: ops.reshape(v, (a, -1)), (x, number(2 * k)))
    yield Sample("to a row", lambda v: ops.reshape(v, (1, -1)), (x,))
    yield Sample("of nothing", lambda v: ops.reshape(v, (3, 0, 2)), (values(dtype, 0, 5),))
    yield Sample("of one", lambda v: ops.reshape(v, ()), (values(dtype, 1, 1),))
    merged = Sample("transposed", lambda v: ops.reshape(ops.transpose(v), (-1, n)), (x,))
    yield merged


@samples("rebroadcast")
def rebroadcasts(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    m = values.lengths(7)[0]
    yield Sample("to a row", lambda v: op(v, broadcastable=ROW), (values(dtype, 1, m),))
    plain = (False, False)
    yield Sample(
        "to a matrix", lambda v: op(v, broadcastable=plain), (values(dtype, 1, m),), (ROW,)
    )


@samples("specify_shape")
def specified(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    n, m = values.lengths(5, 7)
    arguments = (values(dtype, n, m), number(n))
    yield Sample("by a variable", lambda v, a: ops.specify_shape(v, (a, m)), arguments)


@samples("join")
def joins(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    n, m, k = values.lengths(3, 4, 5)
    parts = (values(dtype, n, k), values(dtype, m, k), values(dtype, 0, k), values(dtype, 1, k))
    yield Sample("rows", lambda *v: ops.join(0, *v), parts)
    yield Sample("columns", lambda *v: ops.join(1, *v), (parts[0], values(dtype, n, m)))
    yield Sample("vectors", lambda *v: ops.join(0, *v), (values(dtype, n), values(dtype, m)))
    cube = (values(dtype, n, m, k), values(dtype, n, 7, k))
    yield Sample("of rank 3", lambda *v: ops.join(1, *v), cube)


@samples("arange", of=NUMBERS)
def aranges(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    if dtype == "bool":
        return
    for start, step, count in ((0, 1, 67), (3, 2, 13), (5, -1, 5), (7, 1, 0), (7, 0, 4)):
        if step < 0 and dtype in dtypes.UNSIGNED:
            continue
        arguments = (np.asarray(start, dtype), np.asarray(step, dtype))
        length = number(values.lengths(count)[0])
        yield Sample(f"{start} by {step}", op, (*arguments, length))


@samples("copy", "to_device", "to_host")
def copies(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    for shape in ((), (0,), (67,), (5, 7), (2, 3, 5), (3, 0, 2)):
        lengths = values.lengths(*shape) if shape else ()
        yield Sample(f"shape {lengths}", op, (values(dtype, *lengths),))


@samples("diagonal")
def diagonals(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    for shape in ((5, 7), (7, 4), (0, 3)):
        yield Sample(f"shape {shape}", op, (values(dtype, *values.lengths(*shape)),))


# --- indices


def _index(*entries: Any) -> Any:
    return lambda x: ops.subtensor(x, entries)


@samples("subtensor")
def subtensors(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    s = slice
    x = values(dtype, *values.lengths(6, 9, 4))
    for entries in (
        (2,),
        (-1, s(None), 0),
        (s(1, -1), s(None, None, 2)),
        (s(None, None, -1), s(-2, None, -3), 1),
        (s(4, 100), s(7, 2), s(-100, 2)),
        (s(-2, 0, -1), Ellipsis, s(None, None, -2)),
        (None, s(2, 3), Ellipsis, None),
    ):
        yield Sample(f"{entries}", _index(*entries), (x,))
    arguments = (x, number(-2), number(7, "int32"), number(-2, "int8"))
    yield Sample(
        "symbolic", lambda v, a, b, c: ops.subtensor(v, (a, s(b, None, c), s(a, b))), arguments
    )


def _update(index: Any, increment: bool) -> Any:
    return lambda x, value: ops.slice_update(x, index, value, increment)


@samples("slice_update")
def slice_updates(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    n, m = values.lengths(7, 9)
    x = values(dtype, n, m)
    s = slice
    for increment in (False, True):
        kind = "increment" if increment else "set"
        for index in ((2,), (s(1, -1), s(None, None, 2)), (s(None, None, -2), -1), (s(3, 3),)):
            value = values(dtype, *np.zeros((n, m))[index].shape)
            yield Sample(f"{kind} {index}", _update(index, increment), (x, value))
        index = (s(1, None, 3), s(-1, 1, -2))
        yield Sample(f"{kind} by a scalar", _update(index, increment), (x, values(dtype)))
        width = np.zeros(m)[index[1]].shape[0]
        row = values(dtype, 1, width)
        yield Sample(f"{kind} by a row", _update(index, increment), (x, row), ((False,) * 2, ROW))
        if dtype in ("int32", "float32", "float64"):
            narrow = values("int8", width)
            yield Sample(f"{kind} by int8", _update((0, index[1]), increment), (x, narrow))
        arguments = (x, values(dtype), number(-3), number(2, "uint8"))
        yield Sample(
            f"{kind} symbolic",
            lambda v, w, a, b, increment=increment: ops.slice_update(
                v, (a, s(b, None)), w, increment
            ),
            arguments,
        )


@samples("take")
def takes(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    n, m, k = values.lengths(5, 7, 3)
    x, cube = values(dtype, n, m), values(dtype, n, m, k)
    count, many = values.lengths(11, 7)[0], values.lengths(11)[0]

    def take(v: Variable, *indices: Variable) -> Variable:
        return op.make([v, *indices]).outputs[0]

    for kind in ("int64", "int8", "uint16"):
        limit = min(n, 100)
        yield Sample(f"rows by {kind}", take, (x, values.below(limit, count, dtype=kind)))
    yield Sample("elements", take, (x, values.below(n, many), values.below(m, many)))
    yield Sample("by a matrix", take, (x, values.below(n, 2, 4)))
    yield Sample("by pairs", take, (cube, values.below(n, 4, 2), values.below(m, 4, 2)))
    three = tuple(values.below(length, many) for length in (n, m, k))
    yield Sample("by three", take, (cube, *three))
    crossed = (values.below(n, 4, 1), values.below(m, 1, 6, dtype="int32"))
    yield Sample(
        "row and column",
        lambda v, i, j: ops.advanced_subtensor(v, (i, j)),
        (x, *crossed),
        ((False,) * 2, COLUMN, ROW),
    )
    yield Sample("none", take, (x, values.below(n, 0)))
    yield Sample("scalar index", take, (x, values.below(n)))
    yield Sample("of a vector", take, (values(dtype, n), values.below(n, many)))


@samples("put")
def puts(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    n, m = values.lengths(5, 7)
    count, many = values.lengths(11, 7)[0], values.lengths(11)[0]
    x = values(dtype, n, m)
    for increment in (False, True):
        kind = "increment" if increment else "set"

        def put(v: Variable, w: Variable, *i: Variable, increment: bool = increment) -> Variable:
            return ops.put(v, w, i, increment)

        rows = values.below(n, count)
        yield Sample(f"{kind} rows", put, (x, values(dtype, count, m), rows))
        yield Sample(f"{kind} rows by one", put, (x, values(dtype), values.below(n, 2, 3)))
        pair = (values.below(n, many), values.below(m, many, dtype="int32"))
        yield Sample(f"{kind} elements", put, (x, values(dtype, many), *pair))
        yield Sample(f"{kind} a vector", put, (values(dtype, n), values(dtype, many), pair[0]))
        nothing = (values(dtype, 0, m), values.below(n, 0))
        yield Sample(f"{kind} nothing", put, (x, *nothing))
        small = (values(dtype, count, m), values.below(min(n, 100), count, dtype="uint8"))
        yield Sample(f"{kind} by uint8", put, (x, *small))


@samples("nonzero")
def nonzeros(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    for shape in ((67,), (5, 7), (2, 3, 5), (0, 4)):
        x = values(dtype, *values.lengths(*shape))
        sparse = np.where(values.rng.random(x.shape) < 0.5, x, np.zeros((), dtype))
        yield Sample(f"of rank {x.ndim}", ops.nonzero, (sparse,))


# --- matrix products


@samples("dot_tf32", of=["float32"])
@samples("dot")
def dots(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    n, k, m = values.lengths(5, 13, 7)
    for a, b in (((k,), (k,)), ((n, k), (k,)), ((k,), (k, m)), ((n, k), (k, m))):
        yield Sample(f"{a} {b}", op, (values(dtype, *a), values(dtype, *b)))
        if values.scale == 1:
            empty = [tuple(0 if length == k else length for length in shape) for shape in (a, b)]
            yield Sample(f"{a} {b} empty", op, tuple(values(dtype, *shape) for shape in empty))
    for a, b in (((n, 1), (1, m)), ((1, k), (k, 1)), ((0, k), (k, m)), ((n, k), (k, 0))):
        yield Sample(f"{a} {b}", op, (values(dtype, *a), values(dtype, *b)))
    wide = (values(dtype, 2, values.lengths(130)[0]), values(dtype, values.lengths(130)[0], 3))
    yield Sample("long sums", op, wide)


@samples("softmax", "log_softmax", of=dtypes.FLOATS)
def softmaxes(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    for shape in ((67,), (5, 7), (2, 3, 5), (4, 1), (0, 5), (5, 0), (3, 67)):
        lengths = values.lengths(*shape)
        yield Sample(f"shape {lengths}", op, (values(dtype, *lengths),))
    # Rows that numbers of the default scale leave alone: far from zero, and equal.
    with np.errstate(over="ignore"):
        x = values(dtype, *values.lengths(4, 9)) + np.asarray(900, dtype)
    yield Sample("large", op, (x,))


# --- control


@samples("ifelse")
def choices(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    n, m = values.lengths(5, 7)
    for flag in (True, False):
        arguments = (np.asarray(flag), values(dtype, n, m), values(dtype, m, n))
        yield Sample(f"{flag}", ops.ifelse, arguments)
    yield Sample("integer", ops.ifelse, (number(2), values(dtype, n), values(dtype, n)))


class Silence:
    """An action for the print op that only counts."""

    message = "silence"

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, value: Array) -> None:
        self.calls += 1


@samples("print")
def prints(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    action = Silence()
    yield Sample("matrix", lambda v: op(v, action=action), (values(dtype, 5, 7),))


@samples("disconnected_grad", "zero_grad", "consider_constant")
def identities(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    yield Sample("matrix", op, (values(dtype, *values.lengths(5, 7)),))


@samples("grad_clip")
def clipped(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    x = values(dtype, *values.lengths(5, 7))
    yield Sample("matrix", lambda v: ops.grad_clip(v, -0.5, 0.5), (x,))


@samples("map_rows")
def mapped_rows(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    def rows(x: Variable, count: Variable) -> list[Variable]:
        index = ops.scalar_input("int64")
        row = ops.subtensor(x, index)
        models = [ops.subtensor(x, 0), ops.subtensor(x, (0, 0))]
        return ops.map_rows(index, count, [ops.add(row, row), ops.subtensor(row, 0)], models)

    n, m = 4, values.lengths(7)[0]
    yield Sample("rows", rows, (values(dtype, n, m), number(n)))
    yield Sample("no row", rows, (values(dtype, n, m), number(0)))


# --- programs


def _program(*inputs: str, instructions: Any, results: Any) -> Params:
    listed = tuple(Instruction(op, sources, dtype) for op, sources, dtype in instructions)
    return Params({"program": Program(inputs, listed, tuple(Result(*item) for item in results))})


@samples("elementwise", of=FLOATS)
def programs(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    n, m = values.lengths(5, 7)
    instructions = [
        ("cast_" + dtype, (1,), dtype),
        ("mul", (0, 2), dtype),
        ("tanh", (3,), dtype),
        ("add", (4, 0), dtype),
        ("gt", (5, 3), "bool"),
    ]
    results: list[Any] = [(5,), (6,), (5, "sum", (0,)), (5, "max", (0,)), (6, "any", (0,))]
    chain = _program(dtype, "int16", instructions=instructions, results=results)
    arguments = (values(dtype, n, m), values("int16", 1, m))
    patterns = ((False, False), ROW)
    yield Sample("chain", lambda x, y: op.make([x, y], chain).outputs, arguments, patterns)
    total = _program(
        dtype, instructions=[("sqr", (0,), dtype)], results=[(1, "sum", (0, 1)), (0, "min", (0, 1))]
    )
    yield Sample("to scalars", lambda x: op.make([x], total).outputs, (values(dtype, m, n),))
    mixed = _program(
        dtype, dtype, instructions=[("sub", (0, 1), dtype)], results=[(2, "prod", (1,))]
    )
    cubes = (values(dtype, 2, n, m), values(dtype, 2, n, 1))
    yield Sample(
        "middle axis",
        lambda x, y: op.make([x, y], mixed).outputs,
        cubes,
        ((False,) * 3, (False, False, True)),
    )


@samples("classic", "classic_lengths", of=("float64",))
def own_ops(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    x = values(dtype, *values.lengths(7))
    if op.name == "classic":
        yield Sample("with infer_shape", Scaled(1.5), (x,))
    else:
        yield Sample("of a selection", lambda v: Positive()(v)[0].owner.inputs[1], (x,))
