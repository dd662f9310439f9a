"""Rules that bring graphs into one form, without changing a bit of the result.

The exceptions are Theano's, and users rely on them: ``x / x`` is one even at zero, a sum of a
negated zero may come out with the other sign, and a power by 3, 4 or 0.5 is computed as products or
as a root, which is not a number at minus infinity.
"""

from __future__ import annotations

import math

import numpy as np

from arignote import ops
from arignote.graph import dtypes
from arignote.graph.op import Call
from arignote.graph.type import TensorType
from arignote.graph.variable import Apply, Constant, Variable
from arignote.rewrite.engine import Replacement, Rule, rule
from arignote.rewrite.match import is_number, made_by, same_shape

# A folded result larger than this stays a computation: it would only make the plan big.
FOLD_LIMIT = 4096


@rule()
def expand_op(node: Apply) -> Replacement:
    """an op that stands for others -> these; no plan can do without"""
    return None if node.op.expand is None else node.op.expand(node)


@rule()
def fold_constants(node: Apply) -> Replacement:
    """f(constants) -> constant"""
    if not node.op.foldable or not all(isinstance(item, Constant) for item in node.inputs):
        return None
    if node.op in ops.BROADCASTS or not node.inputs:
        return None
    arrays = [item.data for item in node.inputs if isinstance(item, Constant)]
    if sum(array.size for array in arrays) > FOLD_LIMIT:
        return None
    try:
        results = node.op.compute(Call.of(node), *arrays)
    except (ValueError, IndexError):
        return None  # The error belongs to the call, with its notes.
    if any(result.size > FOLD_LIMIT for result in results):
        return None
    return [
        TensorType(output.dtype, output.broadcastable).make_constant(
            np.ascontiguousarray(result).reshape(result.shape)
        )
        for output, result in zip(node.outputs, results, strict=True)
    ]


@rule()
def cast_constants(node: Apply) -> Replacement:
    """f(x, constant) -> f(x, constant cast to the dtype in which f is computed)"""
    if not isinstance(node.op, ops.ElementwiseOp) or node.op.name.startswith("cast_"):
        return None
    computed, _ = node.op.rule(tuple(item.dtype for item in node.inputs))
    operands = [
        _cast_constant(item, dtype) if isinstance(item, Constant) else item
        for item, dtype in zip(node.inputs, computed, strict=True)
    ]
    if all(new is old for new, old in zip(operands, node.inputs, strict=True)):
        return None
    rebuilt = node.op.make(operands).outputs
    return rebuilt if rebuilt[0].dtype == node.outputs[0].dtype else None


def _cast_constant(item: Constant, dtype: str) -> Constant:
    if item.dtype == dtype or item.data.size > FOLD_LIMIT:
        return item
    return TensorType(dtype, item.broadcastable).make_constant(item.data.astype(dtype))


@rule(ops.add)
def add_zero(node: Apply) -> Replacement:
    """x + 0 -> x"""
    for x, other in (node.inputs, node.inputs[::-1]):
        if is_number(other, 0) and same_shape(x, node.outputs[0]):
            return x
    return None


@rule(ops.sub)
def subtract_zero(node: Apply) -> Replacement:
    """x - 0 -> x"""
    x, other = node.inputs
    return x if is_number(other, 0) and same_shape(x, node.outputs[0]) else None


@rule(ops.mul)
def multiply_by_one(node: Apply) -> Replacement:
    """x * 1 -> x, x * -1 -> -x"""
    for x, other in (node.inputs, node.inputs[::-1]):
        if not same_shape(x, node.outputs[0]):
            continue
        if is_number(other, 1):
            return x
        if is_number(other, -1) and x.dtype != "bool":
            return ops.neg(x)
    return None


@rule(ops.mul)
def merge_doubling(node: Apply) -> Replacement:
    """c * (2 * x) -> (2 * c) * x, and the like for other powers of two, which round nothing"""
    output = node.outputs[0]
    if output.dtype not in dtypes.FLOATS:
        return None
    for factor, scaled in (node.inputs, node.inputs[::-1]):
        inner = made_by(scaled, ops.mul) if same_shape(scaled, output) else None
        for power, x in (inner, inner[::-1]) if inner is not None else ():
            product = _exact_multiple(factor, power, output.dtype)
            if product is not None and same_shape(x, output):
                return ops.mul(product, x)
    return None


def _exact_multiple(factor: Variable, power: Variable, dtype: str) -> Constant | None:
    """Return a number times another that is a power of two, of at least two."""
    c, p = ops.constant_value(factor), ops.constant_value(power)
    if c is None or p is None or not all((*factor.broadcastable, *power.broadcastable)):
        return None  # A longer constant also says how long x must be.
    if p < 2 or math.frexp(p)[0] != 0.5:
        return None
    product = ops.constant(c * p, dtype=dtype)
    return product if np.isfinite(product.data) else None


@rule(ops.true_div)
def divide_by_one(node: Apply) -> Replacement:
    """x / 1 -> x, x / x -> 1"""
    x, other = node.inputs
    output = node.outputs[0]
    if is_number(other, 1) and same_shape(x, output):
        return x
    if x is other and same_shape(x, output):
        one = ops.constant(1, dtype=output.dtype)
        return ops.broadcast_like(one, x) if x.ndim else one
    return None


@rule(ops.floor_div)
def floor_divide_by_one(node: Apply) -> Replacement:
    """x // 1 -> x for integers"""
    x, other = node.inputs
    output = node.outputs[0]
    is_integer = x.dtype == output.dtype and x.dtype in dtypes.INTEGERS
    return x if is_integer and is_number(other, 1) and same_shape(x, output) else None


@rule(ops.neg)
def negate_twice(node: Apply) -> Replacement:
    """-(-x) -> x, -(x - y) -> y - x"""
    (x,) = node.inputs
    inner = made_by(x, ops.neg)
    if inner is not None:
        return inner[0]
    difference = made_by(x, ops.sub)
    return ops.sub(difference[1], difference[0]) if difference is not None else None


@rule(ops.add, ops.sub)
def add_negated(node: Apply) -> Replacement:
    """x + (-y) -> x - y, x - (-y) -> x + y"""
    x, y = node.inputs
    if not _of_one_dtype(node):
        return None
    right = made_by(y, ops.neg)
    if node.op is ops.sub:
        return ops.add(x, right[0]) if right is not None else None
    if right is not None:
        return ops.sub(x, right[0])
    left = made_by(x, ops.neg)
    return ops.sub(y, left[0]) if left is not None else None


@rule(ops.mul, ops.true_div)
def pull_out_negation(node: Apply) -> Replacement:
    """(-x) * y -> -(x * y), (-x) / y -> -(x / y)"""
    operands = [made_by(item, ops.neg) for item in node.inputs]
    if operands == [None, None] or not _of_one_dtype(node):
        return None
    plain = [
        item if inner is None else inner[0]
        for item, inner in zip(node.inputs, operands, strict=True)
    ]
    result = node.op(*plain)
    return result if None not in operands else ops.neg(result)


def _of_one_dtype(node: Apply) -> bool:
    """Return whether no operand is cast: a negated uint8 is another number as an int32."""
    dtype = node.outputs[0].dtype
    return all(item.dtype == dtype for item in node.inputs)


@rule(ops.pow_)
def power_by_multiplying(node: Apply) -> Replacement:
    """x ** 2 -> sqr(x), and the like for exponents 0, 1, 3, 4, 0.5 and -1"""
    base, exponent = node.inputs
    value = ops.constant_value(exponent)
    output = node.outputs[0]
    if value is None or not all(exponent.broadcastable) or output.dtype == "bool":
        return None
    if value in (0.5, -1) and output.dtype in dtypes.DISCRETE:
        return None
    x = ops.cast(base, output.dtype)
    if value == 0:
        return ops.broadcast_like(ops.constant(1, dtype=output.dtype), x)
    if value == 1:
        return x
    if value == 2:
        return ops.sqr(x)
    if value == 3:
        return ops.mul(ops.sqr(x), x)
    if value == 4:
        return ops.sqr(ops.sqr(x))
    if value == 0.5:
        return ops.sqrt(x)
    return ops.inv(x) if value == -1 else None


@rule(*(ops.op_named(f"cast_{dtype}") for dtype in dtypes.ALL))
def merge_casts(node: Apply) -> Replacement:
    """cast(cast(x)) -> cast(x) where the inner one loses nothing; a cast to the own dtype -> x"""
    (x,) = node.inputs
    wanted = node.outputs[0].dtype
    if x.dtype == wanted:
        return x
    owner = x.owner
    if owner is None or not owner.op.name.startswith("cast_"):
        return None
    source = owner.inputs[0]
    lossless = dtypes.upcast(source.dtype, x.dtype) == x.dtype
    if source.dtype in ("int64", "uint64") and x.dtype not in dtypes.DISCRETE:
        return None  # NumPy calls it safe, but large integers are rounded.
    return ops.cast(source, wanted) if lossless else None


@rule(ops.identity)
def drop_identity(node: Apply) -> Replacement:
    """identity(x) -> x"""
    return node.inputs[0]


@rule(ops.dimshuffle_op)
def merge_dimshuffles(node: Apply) -> Replacement:
    """dimshuffle(dimshuffle(x)) -> dimshuffle(x), and none where nothing moves"""
    (x,) = node.inputs
    order = node.params["order"]
    if order == tuple(range(x.ndim)):
        return x
    if x.owner is None or x.owner.op is not ops.dimshuffle_op:
        return None
    inner = x.owner.params["order"]
    source = x.owner.inputs[0]
    return ops.dimshuffle(source, tuple(i if i == "x" else inner[i] for i in order))


@rule(ops.reshape_op)
def dimshuffle_from_reshape(node: Apply) -> Replacement:
    """reshape(x, (-1, 1, …)) -> dimshuffle(x) where x has one dimension that does not broadcast"""
    x, *shape = node.inputs
    axes = [axis for axis, broadcasts in enumerate(x.broadcastable) if not broadcasts]
    lengths = [ops.constant_value(length) for length in shape]
    if len(axes) != 1 or (lengths.count(-1), lengths.count(1)) != (1, len(lengths) - 1):
        return None
    result = ops.dimshuffle(x, [axes[0] if length == -1 else "x" for length in lengths])
    return result if same_shape(result, node.outputs[0]) else None


@rule(*ops.REDUCTIONS)
def drop_empty_reduction(node: Apply) -> Replacement:
    """a reduction over no axis -> x"""
    if node.params["axis"] == ():
        if node.outputs[0].dtype == "bool":
            return ops.neq(node.inputs[0], 0)
        return ops.cast(node.inputs[0], node.outputs[0].dtype)
    return None


@rule()
def drop_broadcast(node: Apply) -> Replacement:
    """f(x, broadcast_like(v, …)) -> f(x, v) where f broadcasts v to the same shape itself"""
    if not isinstance(node.op, ops.ElementwiseOp):
        return None
    pattern = node.outputs[0].broadcastable
    for position, item in enumerate(node.inputs):
        inner = made_by(item, ops.broadcast_like_op)
        if inner is None:
            continue
        operands: list[Variable] = list(node.inputs)
        operands[position] = inner[0]
        rebuilt = node.op.make(operands)
        if rebuilt.outputs[0].broadcastable == pattern:
            return rebuilt.outputs
    return None


@rule(ops.subtensor_op)
def element_of_broadcast(node: Apply) -> Replacement:
    """x[…, 0] -> x without that dimension, where x is broadcast along it"""
    x, index = node.inputs[0], node.params["index"]
    dropped = {axis for axis, entry in enumerate(index) if entry in (0, -1)}
    others = [entry for axis, entry in enumerate(index) if axis not in dropped]
    whole = all(entry == (None, None, None) for entry in others)
    if not dropped or not whole or not all(x.broadcastable[axis] for axis in dropped):
        return None
    return ops.dimshuffle(x, [axis for axis in range(x.ndim) if axis not in dropped])


@rule(ops.broadcast_like_op)
def merge_broadcasts(node: Apply) -> Replacement:
    """broadcast_like(x, y) -> x where no dimension of x is broadcast and x is y"""
    value, model = node.inputs
    return value if value is model else None


@rule(ops.switch)
def decided_switch(node: Apply) -> Replacement:
    """switch(constant, x, y) -> x or y"""
    condition, *branches = node.inputs
    value = ops.constant_value(condition)
    if value is None:
        return None
    taken = branches[0] if value else branches[1]
    return taken if same_shape(taken, node.outputs[0]) else None


@rule(ops.ifelse_op)
def decided_ifelse(node: Apply) -> Replacement:
    """ifelse(constant, x, y) -> x or y"""
    condition, *branches = node.inputs
    value = ops.constant_value(condition)
    return None if value is None else branches[0 if value else 1]


@rule(ops.rebroadcast_op)
def drop_rebroadcast(node: Apply) -> Replacement:
    """rebroadcast to a pattern that x has -> x"""
    (x,) = node.inputs
    return x if x.broadcastable == node.params["broadcastable"] else None


@rule(ops.specify_shape_op)
def drop_own_shape(node: Apply) -> Replacement:
    """specify_shape(x, x.shape) -> x"""
    x, *dims = node.inputs
    for axis, dim in enumerate(dims):
        owner = dim.owner
        is_own = owner is not None and owner.op is ops.shape_i and owner.inputs[0] is x
        if owner is None or not is_own or owner.params["axis"] != axis:
            return None
    return x if x.type == node.outputs[0].type else None


RULES: tuple[Rule, ...] = (
    fold_constants,
    cast_constants,
    drop_identity,
    merge_casts,
    merge_dimshuffles,
    dimshuffle_from_reshape,
    drop_empty_reduction,
    drop_broadcast,
    element_of_broadcast,
    merge_broadcasts,
    drop_rebroadcast,
    drop_own_shape,
    decided_switch,
    decided_ifelse,
    add_zero,
    subtract_zero,
    multiply_by_one,
    merge_doubling,
    divide_by_one,
    floor_divide_by_one,
    negate_twice,
    add_negated,
    pull_out_negation,
    power_by_multiplying,
)
