"""Calls of the ops that go through rows: likelihoods of labels, and row blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from arignote import ops
from arignote.graph import dtypes
from arignote.graph.op import Op
from arignote.graph.type import TensorType
from arignote.graph.variable import Variable
from arignote.plan.by_rows import by_rows_op, by_rows_params
from arignote.plan.lower import Choices, lower
from helpers.samples import Sample, samples
from helpers.values import Array, Values


@samples("nll", "nll_gradient", "nll_with_gradient", of=dtypes.FLOATS)
def labelled(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    def likelihood(*variables: Variable) -> Any:
        outputs = op.make(variables).outputs
        return outputs if len(outputs) > 1 else outputs[0]

    def sample(label: str, x: Array, y: Array, weights: str = dtype) -> Sample:
        more = () if op.name == "nll" else (values(weights, len(y)),)
        return Sample(label, likelihood, (x, y, *more))

    n, k = values.lengths(5, 7)
    x = values(dtype, n, k)
    for kind in ("int64", "int8", "uint16"):
        yield sample(f"by {kind}", x, values.below(min(k, 100), n, dtype=kind))
    yield sample("fewer labels than rows", x, values.below(k, n // 2))
    yield sample("one row", values(dtype, 1, k), values.below(k, 1))
    yield sample("no row", values(dtype, 0, k), values.below(k, 0))
    yield sample("no class", values(dtype, n, 0), values.below(k, 0))
    yield sample("one class", values(dtype, n, 1), values.below(1, n))
    yield sample("wide rows", values(dtype, 3, 32_000), values.below(32_000, 3, dtype="int32"))
    yield sample("many rows", values(dtype, 1030, 3), values.below(3, 1030, dtype="uint8"))
    if dtype in dtypes.HALVES and op.name != "nll":
        yield sample("weights in float32", x, values.below(k, n), "float32")


@samples("pick", "place")
def picked(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    def sample(label: str, x: Array, y: Array, one: bool = False) -> Iterator[Sample]:
        if op is ops.pick_op:
            yield Sample(label, ops.pick_op, (x, y))
            return
        for increment in (False, True):
            value, patterns = values(dtype, len(y)), ()
            if one:
                value, patterns = values(dtype, 1), ((False,) * 2, (False,), (True,))
            yield Sample(
                f"{'increment' if increment else 'set'} {label}",
                lambda x, y, v, increment=increment: ops.place(x, y, v, increment),
                (x, y, value),
                patterns,
            )

    n, k = values.lengths(5, 7)
    x = values(dtype, n, k)
    for kind in ("int64", "int8", "uint16"):
        yield from sample(f"by {kind}", x, values.below(min(k, 100), n, dtype=kind))
    yield from sample("by one value", x, values.below(k, n), one=True)
    yield from sample("fewer positions than rows", x, values.below(k, n // 2))
    yield from sample("no row", values(dtype, 0, k), values.below(k, 0))
    yield from sample("no column", values(dtype, n, 0), values.below(k, 0))
    yield from sample("one column", values(dtype, n, 1), values.below(1, n))
    yield from sample("many rows", values(dtype, 1030, 3), values.below(3, 1030, dtype="uint8"))


# --- row blocks


def _row_block(
    values: Values, label: str, build: Any, cut: Any, sums: Any, *arrays: Array
) -> Sample:
    """Return a sample of a step whose body computes a graph."""
    leaves = [TensorType(a.dtype.name, (False,) * a.ndim).make_variable() for a in arrays]
    body, _ = lower(leaves, build(*leaves), (), "rows", Choices(by_rows=False))
    params = by_rows_params(replace(body, checks=()), cut, sums)
    return Sample(label, lambda *v: by_rows_op.make(v, params).outputs, arrays)


@samples("by_rows", of=("float32", "float64", "int32"))
def row_blocks(op: Op, values: Values, dtype: str) -> Iterator[Sample]:
    n, k, m = values.lengths(19, 5, 3)
    w, b = values(dtype, k, m), values(dtype, m)

    def affine(x: Variable, w: Variable, b: Variable) -> list[Variable]:
        return [ops.add(ops.dot(x, w), ops.dimshuffle(b, order=("x", 0)))]

    def squares(x: Variable, w: Variable) -> list[Variable]:
        product = ops.dot(x, w)
        return [product, ops.sum_(ops.sqr(product), axis=0), ops.sum_(ops.sqr(product))]

    def pair(x: Variable, w: Variable, y: Variable) -> list[Variable]:
        return [ops.dot(ops.transpose(x), ops.add(ops.dot(x, w), y))]

    def labelled_rows(x: Variable, w: Variable, y: Variable) -> list[Variable]:
        return [ops.take_op(ops.dot(x, w), ops.arange(ops.length(y, 0)), y)]

    for rows in (n, 1, 0, 16 * n):
        x = values(dtype, rows, k)
        yield _row_block(values, f"{rows} rows", affine, (0, None, None), (False,), x, w, b)
        sums = (False, True, True)
        yield _row_block(values, f"sums of {rows} rows", squares, (0, None), sums, x, w)
        y = values(dtype, rows, m)
        yield _row_block(values, f"pair of {rows} rows", pair, (0, None, 0), (True,), x, w, y)
    turned = values(dtype, k, n)

    def columns(x: Variable, w: Variable) -> list[Variable]:
        return [ops.sqr(ops.dot(ops.transpose(x), w))]

    yield _row_block(values, "columns", columns, (1, None), (False,), turned, w)
