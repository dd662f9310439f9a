"""Repeating a graph for each row of a result: what Jacobians are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from arignote.graph import walk
from arignote.graph.dim import Shape, maximum
from arignote.graph.dtypes import Array
from arignote.graph.op import Call, Op, Params, ShapeContext, Types
from arignote.graph.type import TensorType
from arignote.graph.variable import Apply, Constant, SharedVariable, Variable


@dataclass(frozen=True, eq=False)
class Body:
    """A graph from an index and free variables to the rows of each result."""

    index: Variable
    free: tuple[Variable, ...]
    rows: tuple[Variable, ...]

    def evaluate(self, index: int, *arrays: Array) -> list[Array]:
        """Compute the rows for one index with NumPy."""
        values: dict[Variable, Array] = dict(zip(self.free, arrays, strict=True))
        values[self.index] = np.asarray(index, dtype="int64")
        for node in walk.toposort(self.rows, stop=lambda variable: variable in values):
            inputs = [i.data if isinstance(i, Constant) else values[i] for i in node.inputs]
            values.update(zip(node.outputs, node.op.compute(Call.of(node), *inputs), strict=True))
        return [row.data if isinstance(row, Constant) else values[row] for row in self.rows]


def _infer(params: Params, types: Types) -> Types:
    return [TensorType(row.dtype, (False, *row.broadcastable)) for row in params["body"].rows]


def _shape(context: ShapeContext, node: Apply, shapes: Sequence[Shape]) -> Sequence[Shape]:
    count = maximum(context.value(node.inputs[0]), 0)
    return [(count, *shape) for shape in shapes[1 : 1 + len(node.params["body"].rows)]]


def run_rows(
    call: Call, row: Callable[..., Sequence[Array]], count: Array, *operands: Array
) -> tuple[Array, ...]:
    """Return the stacked results of ``row(index, *free)`` for each index."""
    number = len(call.output_types)
    models, free = operands[:number], operands[number:]
    rows = [row(index, *free) for index in range(int(count))]
    if not rows:
        return tuple(
            np.zeros((0, *model.shape), type_.dtype)
            for model, type_ in zip(models, call.output_types, strict=True)
        )
    return tuple(np.stack(column) for column in zip(*rows, strict=True))


def _reference(call: Call, *operands: Array) -> tuple[Array, ...]:
    return run_rows(call, call.params["body"].evaluate, *operands)


rows_op = Op(
    name="map_rows",
    arguments=("count", "*operands"),
    infer=_infer,
    shape=_shape,
    reference=_reference,
    foldable=False,
    family="Scan",
)
"""Results stacked from the rows that a graph gives for the indices 0 … count - 1."""


def scalar_input(dtype: str) -> Variable:
    """Return a new scalar variable."""
    return TensorType(dtype, ()).make_variable()


def map_rows(
    index: Variable, count: Variable, rows: Sequence[Variable], models: Sequence[Variable]
) -> list[Variable]:
    """Return, for each of ``rows``, its values for ``index`` from 0 to ``count`` - 1, stacked.

    A row has the shape of its model.
    """
    dependent = {index}
    outside: dict[Variable, None] = {}
    nodes = walk.toposort(rows)
    for node in nodes:
        if any(item in dependent for item in node.inputs):
            dependent.update(node.outputs)
    # What does not depend on the index is computed once, outside.
    for node in nodes:
        if node.outputs[0] in dependent:
            outside.update(dict.fromkeys(i for i in node.inputs if i not in dependent))
    outside.update(dict.fromkeys(row for row in rows if row not in dependent))
    free = tuple(item for item in outside if not isinstance(item, Constant))
    # Inside it stands for itself: nothing may look through it to what computes or updates it.
    inner = {
        item: item.type.make_variable()
        for item in free
        if item.owner is not None or isinstance(item, SharedVariable)
    }
    body = Body(
        index, tuple(inner.get(item, item) for item in free), tuple(walk.replace(rows, inner))
    )
    return list(rows_op.make([count, *models, *free], Params({"body": body})).outputs)
