"""One element of each row of a matrix: what ``x[arange(len(y)), y]`` reads and writes.

A rewrite makes these of selections and updates by such indices. Unlike them they work row by row.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arignote import ops
from arignote.graph import dtypes
from arignote.graph.dim import Shape, build
from arignote.graph.dtypes import Array
from arignote.graph.op import Attributes, Call, Op, Params, Rows, ShapeContext, Types
from arignote.graph.type import TensorType
from arignote.graph.variable import Apply, Variable
from arignote.ops import rows


def _check(op: Op, types: Types) -> None:
    x, y, *_ = types
    if x.ndim != 2:
        raise op.type_error(f"x must be a matrix: {x}")
    if y.ndim != 1 or y.dtype not in dtypes.INTEGERS:
        raise op.type_error(f"y must be a vector of integers: {y}")


def require_rows(context: ShapeContext, shapes: Sequence[Shape]) -> None:
    """Demand that x, whose shape is the first, has a row for the last element of y, if any."""
    count, positions = shapes[0][0], shapes[1][0]
    last = build("max", positions - 1, 0)
    context.require_index(
        last,
        build("max", count, build("eq", positions, 0)),
        "index {found} is out of bounds for the {expected} rows of x: y must not be longer",
    )


def check_positions(op: Op, x: Array, y: Array) -> None:
    """Raise for the first row that does not have its position."""
    ops.check_range(op, x.T, (y,))


def _infer(params: Params, types: Types) -> Types:
    _check(pick_op, types)
    return (TensorType(types[0].dtype, types[1].broadcastable),)


def _shape(context: ShapeContext, node: Apply, shapes: Sequence[Shape]) -> Sequence[Shape]:
    require_rows(context, shapes)
    return (shapes[1],)


def _reference(call: Call, x: Array, y: Array) -> Array:
    check_positions(pick_op, x, y)
    return np.asarray(x[np.arange(len(y)), y])


def _gradient(node: Apply, cotangents: Sequence[Variable | None]) -> Sequence[Variable | None]:
    x, y = node.inputs
    (g,) = cotangents
    if g is None or ops.is_discrete(x):
        return (None, None)
    return (place(ops.zeros_like(x), y, g, increment=True), None)


pick_op = Op(
    name="pick",
    arguments=("x", "y"),
    infer=_infer,
    shape=_shape,
    reference=_reference,
    gradient=_gradient,
    kernel="pick",
    rows=rows.below_each_other,
    fallible=True,
    family="AdvancedSubtensor",
)
"""``x[i, y[i]]`` for each i.

A negative position counts from the end, as an index does. x may have more rows than y elements.
"""


def _place_infer(params: Params, types: Types) -> Types:
    _check(place_op, types)
    x, _, value = types
    if value.ndim != 1 or value.dtype != x.dtype:
        raise place_op.type_error(f"value must be a vector of the dtype of x: {value}")
    return (x,)


def _place_shape(context: ShapeContext, node: Apply, shapes: Sequence[Shape]) -> Sequence[Shape]:
    require_rows(context, shapes)
    if not node.inputs[2].broadcastable[0]:
        context.require_equal(
            shapes[2][0], shapes[1][0], "value must be as long as y: {found} != {expected}"
        )
    return (shapes[0],)


def _place_reference(call: Call, x: Array, y: Array, value: Array) -> Array:
    check_positions(place_op, x, y)
    result: Array = x.copy()
    places = (np.arange(len(y)), y)
    if call.params["increment"]:
        result[places] += value
    else:
        result[places] = value
    return result


def _place_gradient(
    node: Apply, cotangents: Sequence[Variable | None]
) -> Sequence[Variable | None]:
    x, y, value = node.inputs
    (g,) = cotangents
    if g is None or ops.is_discrete(x):
        return (None, None, None)
    by_value = ops.fit(pick_op(g, y), value)
    if node.params["increment"]:
        return (g, None, by_value)
    zero = ops.dimshuffle(ops.constant(0, dtype=g.dtype), ("x",))
    return (place(g, y, zero, increment=False), None, by_value)


def _place_rows(node: Apply, known: Sequence[int | None], wanted: int | None) -> Rows | None:
    x, _, value = node.inputs
    found = rows.below_each_other(node, known, wanted)
    if found is None or x.broadcastable[0]:
        return None
    return Rows((0, 0, None), found.outputs) if value.broadcastable[0] else found


place_op = Op(
    name="place",
    arguments=("x", "y", "value"),
    infer=_place_infer,
    shape=_place_shape,
    reference=_place_reference,
    gradient=_place_gradient,
    kernel="place",
    encode=lambda call: Attributes(ints=(int(call.params["increment"]),)),
    rows=_place_rows,
    supports=lambda call: not call.params["increment"] or call.input_types[0].dtype in dtypes.REAL,
    reuse=((0, 0),),
    fallible=True,
    family="AdvancedIncSubtensor",
)
"""``x`` with ``x[i, y[i]]`` set to, or increased by, ``value[i]`` for each i."""


def place(x: Variable, y: Variable, value: Variable, increment: bool) -> Variable:
    """Return ``x`` with an element of each row set, or increased."""
    return place_op.make([x, y, value], Params({"increment": increment})).outputs[0]
