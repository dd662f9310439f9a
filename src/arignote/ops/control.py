"""Ops that steer: the lazy choice between branches, and printing at run time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from arignote import ops
from arignote.graph.dim import Shape, build
from arignote.graph.dtypes import Array
from arignote.graph.op import Call, Op, Params, ShapeContext, Types
from arignote.graph.type import TensorType
from arignote.graph.variable import Apply, Variable


def _ifelse_infer(params: Params, types: Types) -> Types:
    condition, then, otherwise = types
    if condition.ndim != 0 or condition.dtype != "bool":
        raise ifelse_op.type_error(f"condition must be a boolean scalar: {condition}")
    if then.dtype != otherwise.dtype or then.ndim != otherwise.ndim:
        raise TypeError(
            "The two branches should have identical types, but they are "
            f"{then} and {otherwise} respectively."
        )
    pattern = tuple(
        a and b for a, b in zip(then.broadcastable, otherwise.broadcastable, strict=True)
    )
    return (TensorType(then.dtype, pattern),)


def _ifelse_shape(context: ShapeContext, node: Apply, shapes: Sequence[Shape]) -> Sequence[Shape]:
    then, otherwise = shapes[1], shapes[2]
    if then == otherwise:
        return (then,)
    # The branches may differ in size: the length is that of the one taken.
    taken = context.value(node.inputs[0])
    return (
        tuple(
            build("add", build("mul", taken, a), build("mul", build("sub", 1, taken), b))
            for a, b in zip(then, otherwise, strict=True)
        ),
    )


def _ifelse_gradient(
    node: Apply, cotangents: Sequence[Variable | None]
) -> Sequence[Variable | None]:
    condition, then, otherwise = node.inputs
    g = cotangents[0]
    if g is None:
        return (None, None, None)
    return (
        None,
        ifelse(condition, g, ops.zeros_like(then)),
        ifelse(condition, ops.zeros_like(otherwise), g),
    )


ifelse_op = Op(
    name="ifelse",
    arguments=("condition", "then_branch", "else_branch"),
    infer=_ifelse_infer,
    shape=_ifelse_shape,
    reference=lambda call, condition, then, otherwise: then if condition else otherwise,
    gradient=_ifelse_gradient,
    kernel="ifelse",
    family="IfElse",
    display=lambda node: "if{}",
)


def ifelse(condition: Any, then: Any, otherwise: Any) -> Variable:
    """Return ``then`` where the scalar ``condition`` holds, else ``otherwise``; one is computed.

    >>> x = ops.constant(2.0)
    >>> ifelse(ops.gt(x, 0), x, ops.neg(x)).type
    TensorType(float32, scalar)
    """
    flag = ops.as_variable(condition)
    if flag.dtype != "bool":
        flag = ops.neq(flag, 0)
    first, second = ops.as_variable(then), ops.as_variable(otherwise)
    return ifelse_op(flag, first, second)


def _print_reference(call: Call, x: Array) -> Array:
    call.params["action"](x)
    return x


print_op = Op(
    name="print",
    arguments=("x",),
    infer=lambda params, types: (types[0],),
    shape=lambda context, node, shapes: (shapes[0],),
    reference=_print_reference,
    gradient=lambda node, cotangents: (cotangents[0],),
    prepare=ops.as_variables,
    fallible=True,
    foldable=False,
    family="Print",
    display=lambda node: f"Print{{message='{node.params['action'].message}'}}",
)
"""The identity, which also calls ``action(value)`` when it runs."""
