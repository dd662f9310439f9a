"""The step that runs a plan of its own on blocks of rows.

What it means is its body run once, on everything at once: the blocks are the runtime's affair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from arignote.errors import PlanError
from arignote.graph.dim import Dim, Expr, Shape, build, postorder
from arignote.graph.dtypes import Array
from arignote.graph.op import Accuracy, Attributes, Call, Op, Params, ShapeContext, Types
from arignote.graph.variable import Apply
from arignote.plan import reference
from arignote.plan.plan import Plan, is_condition


def _infer(params: Params, types: Types) -> Types:
    body: Plan = params["body"]
    found = [(item.dtype, item.ndim) for item in types]
    wanted = [(item.type.dtype, item.type.ndim) for item in body.inputs]
    if found != wanted:
        raise PlanError(f"[by_rows] operands must have the types of the body's inputs: {types}")
    cut: Sequence[int | None] = params["cut"]
    if len(cut) != len(types) or not any(axis is not None for axis in cut):
        raise PlanError(f"[by_rows] some of the {len(types)} operands must be cut: {cut}")
    for axis, item in zip(cut, types, strict=True):
        if axis is not None and not 0 <= axis < item.ndim:
            raise PlanError(f"[by_rows] an operand must be cut along one of its axes: {axis}")
    sums: Sequence[bool] = params["sums"]
    if len(sums) != len(body.outputs):
        raise PlanError(f"[by_rows] each of {len(body.outputs)} outputs is a sum or not: {sums}")
    results = [body.buffer(name).type for name in body.outputs]
    for is_sum, item in zip(sums, results, strict=True):
        if is_sum not in (True, False) or (item.dtype == "bool" if is_sum else item.ndim == 0):
            raise PlanError(f"[by_rows] numbers are summed, and rows put below each other: {item}")
    return results


def _shape(context: ShapeContext, node: Apply, shapes: Sequence[Shape]) -> Sequence[Shape]:
    body: Plan = node.params["body"]
    places = {item.name: place for place, item in enumerate(body.inputs)}

    def outside(dim: Dim | str) -> Dim:
        if not isinstance(dim, Expr):
            return int(dim)
        if dim.op == "shape":
            return shapes[places[str(dim.args[0])]][int(str(dim.args[1]))]
        if dim.op == "value":
            return context.value(node.inputs[places[str(dim.args[0])]])
        return build(dim.op, *map(outside, dim.args))

    return [tuple(map(outside, body.buffer(name).shape)) for name in body.outputs]


def _reference(call: Call, *arrays: Array) -> tuple[Array, ...]:
    outputs, _ = reference.run(call.params["body"], arrays, ())
    return tuple(outputs)


def _encode(call: Call) -> Attributes:
    cut = [-1 if axis is None else axis for axis in call.params["cut"]]
    return Attributes(ints=(*cut, *map(int, call.params["sums"])))


by_rows_op = Op(
    name="by_rows",
    arguments=("*operands",),
    infer=_infer,
    shape=_shape,
    reference=_reference,
    kernel="by_rows",
    encode=_encode,
    fallible=True,
    accuracy=Accuracy(ulp=16, sums=True),
    family="ByRows",
)
"""The op of such steps.

Parameters: ``body``, a plan; ``cut``, for each of its inputs the axis along which it is cut, None
if every block gets the whole; ``sums``, for each of its outputs whether the results of the blocks
are added, rather than put below each other.
"""


def by_rows_params(body: Plan, cut: Sequence[int | None], sums: Sequence[bool]) -> Params:
    """Return the parameters of a step."""
    return Params({"body": body, "cut": tuple(cut), "sums": tuple(sums)})


def does_without_host(body: Plan) -> bool:
    """Return whether a body can lie on a device, which knows no sizes that are read from memory."""
    reads = any(dim.op in ("value", "read") for dim in postorder(body.dims()))
    return not reads and not any(
        step.host or step.guards or is_condition(step, 0) for step in body.steps
    )


def body_of(params: Params) -> Plan | None:
    """Return the body of a step with these parameters, None if it has none."""
    body: Any = params.get("body")
    return body if isinstance(body, Plan) else None
