"""Rules that apply only when a function is compiled.

They drop what mattered to gradients alone, and bring into native form what the dtypes keep out.
"""

from __future__ import annotations

from arignote import ops
from arignote.graph import dtypes
from arignote.graph.op import op_named
from arignote.graph.variable import Apply, Variable
from arignote.rewrite.engine import Replacement, Rule, rule
from arignote.rewrite.match import made_by, through_dimshuffle


@rule(*(op_named(n) for n in ("disconnected_grad", "zero_grad", "consider_constant", "grad_clip")))
def drop_gradient_mark(node: Apply) -> Replacement:
    """an identity that changes only the gradient -> x"""
    return node.inputs[0]


def _widened(x: Variable, dtype: str) -> Variable:
    """Return an operand as float32 where a dtype asks for float16."""
    if dtype != "float16":
        return ops.cast(x, dtype)
    source, order = through_dimshuffle(x)
    # A matrix and its transpose are one.
    wide = ops.cast(ops.cast(source, dtype), "float32")
    return wide if order is None else ops.dimshuffle(wide, order)


@rule()
def half_as_float(node: Apply) -> Replacement:
    """f(float16) -> f(float32), rounded to float16, as NumPy does"""
    if isinstance(node.op, ops.ElementwiseOp):
        if node.op.name.startswith("cast_") or not ops.op_is_native(node.op):
            return None
        computed = ops.computed_dtypes(node)
    elif node.op in _COMPUTING:
        computed = tuple(item.dtype for item in node.inputs)
    else:
        return None
    if "float16" not in computed:
        return None
    operands = [_widened(item, dtype) for item, dtype in zip(node.inputs, computed, strict=True)]
    (result,) = node.op.make(operands, node.params).outputs
    return ops.cast(result, node.outputs[0].dtype)


# Ops that are not elementwise, have one output, and compute rather than move.
_COMPUTING = frozenset(
    (
        *ops.REDUCTIONS,
        *(ops.argmax_op, ops.argmin_op, ops.dot_op, ops.softmax_op, ops.log_softmax_op),
        *(ops.nll_op, ops.nll_gradient_op),
    )
)


def _of_bytes(x: Variable) -> Variable | None:
    """Return what was cast to float32 if it consists of bytes."""
    inputs = made_by(x, ops.op_named("cast_float32"))
    return inputs[0] if inputs is not None and inputs[0].dtype in dtypes.BYTES else None


def _turned(x: Variable, order: tuple[int | str, ...] | None) -> Variable:
    return x if order is None else ops.dimshuffle(x, order)


@rule(ops.dot_op)
def scale_after_dot(node: Apply) -> Replacement:
    """dot(bytes * c, y) -> dot(bytes, y) * c, and so with / c"""
    x, y = node.inputs
    scaled, order = through_dimshuffle(x)
    for op in (ops.mul, ops.true_div):
        operands = made_by(scaled, op)
        if operands is None or scaled.dtype != y.dtype:
            continue
        pairs = (operands, operands[::-1]) if op is ops.mul else (operands,)
        for matrix, scale in pairs:
            if _of_bytes(matrix) is not None and all(scale.broadcastable):
                product = ops.dot_op(_turned(matrix, order), y)
                return op(product, ops.dimshuffle(scale, ()))
    return None


@rule(ops.dot_op)
def dot_of_bytes(node: Apply) -> Replacement:
    """dot(bytes cast to float32, y) -> dot(bytes, y): the kernel reads them as they are"""
    x, y = node.inputs
    source, order = through_dimshuffle(x)
    found = _of_bytes(source)
    if found is None or y.dtype != "float32":
        return None
    return ops.dot_op(_turned(found, order), y)


RULES: tuple[Rule, ...] = (drop_gradient_mark, half_as_float, scale_after_dot, dot_of_bytes)
