"""Small questions about graphs, for patterns in rules."""

from __future__ import annotations

from arignote import ops
from arignote.graph import dtypes
from arignote.graph.op import Op
from arignote.graph.variable import Variable


def made_by(variable: Variable, op: Op) -> tuple[Variable, ...] | None:
    """Return the inputs of the node that computes a variable, if its op is ``op``."""
    owner = variable.owner
    return owner.inputs if owner is not None and owner.op is op else None


def is_number(variable: Variable, number: float) -> bool:
    """Return whether a variable is a constant (possibly broadcast) with this value everywhere."""
    value = ops.constant_value(variable)
    if value is None:
        for op in (ops.broadcast_like_op, ops.dimshuffle_op, *CASTS):
            inputs = made_by(variable, op)
            if inputs is not None:
                return is_number(inputs[0], number)
        return False
    return bool(value == number)


CASTS: tuple[Op, ...] = tuple(ops.op_named(f"cast_{dtype}") for dtype in dtypes.FLOATS)


def other_operand(variable: Variable, op: Op, number: float) -> Variable | None:
    """Return ``x`` if the variable is ``op(number, x)`` or ``op(x, number)``, else None."""
    inputs = made_by(variable, op)
    if inputs is None:
        return None
    first, second = inputs
    if is_number(first, number):
        return second
    return first if is_number(second, number) else None


def same_shape(x: Variable, output: Variable) -> bool:
    """Return whether an elementwise operand has the type of its result, and may stand for it."""
    return x.dtype == output.dtype and x.broadcastable == output.broadcastable


def through_dimshuffle(variable: Variable) -> tuple[Variable, tuple[int | str, ...] | None]:
    """Return what a dimshuffle was applied to and its order; the variable and None if none was."""
    owner = variable.owner
    if owner is not None and owner.op is ops.dimshuffle_op:
        return owner.inputs[0], owner.params["order"]
    return variable, None
