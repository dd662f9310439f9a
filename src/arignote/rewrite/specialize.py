"""Rules that apply only when a function is compiled.

They drop what mattered to gradients alone, and bring into native form what the dtypes keep out.
"""

from __future__ import annotations

from collections.abc import Collection

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


def _widened(x: Variable, dtype: str, for_product: bool) -> Variable:
    """Return an operand as float32 where a dtype asks for a half."""
    if dtype not in dtypes.HALVES:
        return ops.cast(x, dtype)
    # Of a matrix and its transpose, which products read, one is converted.
    source, order = through_dimshuffle(x) if for_product else (x, None)
    return _turned(ops.cast(ops.cast(source, dtype), "float32"), order)


def _turned(x: Variable, order: tuple[int | str, ...] | None) -> Variable:
    return x if order is None else ops.dimshuffle(x, order)


@rule()
def half_as_float(node: Apply) -> Replacement:
    """f(float16) -> f(float32), rounded to float16, as NumPy does; and so for bfloat16"""
    if isinstance(node.op, ops.ElementwiseOp):
        if node.op.name.startswith("cast_") or not ops.op_is_native(node.op):
            return None
        computed = ops.computed_dtypes(node)
    elif node.op in _COMPUTING:
        computed = tuple(item.dtype for item in node.inputs)
        if node.op is ops.dot_op and _has_kernel_of_halves(computed):
            return None
    else:
        return None
    has_half = any(dtype in dtypes.HALVES for dtype in computed)
    return _through_float(node, computed) if has_half else None


# Ops that are not elementwise, have one output, and compute rather than move.
_COMPUTING = frozenset(
    (
        *ops.REDUCTIONS,
        *(ops.argmax_op, ops.argmin_op, ops.softmax_op, ops.log_softmax_op),
        *(ops.nll_op, ops.nll_gradient_op, ops.dot_op),
    )
)


@rule(ops.dot_op)
def half_product_as_float(node: Apply) -> Replacement:
    """dot(half) -> dot(float32), rounded to half: what the products read is converted once"""
    computed = tuple(item.dtype for item in node.inputs)
    return _through_float(node, computed) if _has_kernel_of_halves(computed) else None


def _has_kernel_of_halves(factors: tuple[str, ...]) -> bool:
    return factors[0] == factors[1] and factors[0] in dtypes.HALVES


def _through_float(node: Apply, computed: tuple[str, ...]) -> Variable:
    """Return what a node computes of operands of these dtypes, with float32 for halves."""
    for_product = node.op is ops.dot_op
    operands = [
        _widened(item, dtype, for_product)
        for item, dtype in zip(node.inputs, computed, strict=True)
    ]
    (result,) = node.op.make(operands, node.params).outputs
    return ops.cast(result, node.outputs[0].dtype)


def _of_bytes(x: Variable) -> Variable | None:
    """Return what was cast to float32 if it consists of bytes."""
    inputs = made_by(x, ops.op_named("cast_float32"))
    return inputs[0] if inputs is not None and inputs[0].dtype in dtypes.BYTES else None


@rule(ops.dot_op)
def scale_after_dot(node: Apply) -> Replacement:
    """dot(bytes * c, y) -> dot(bytes, y) * c, and so with / c"""
    x, y = node.inputs
    scaled, order = through_dimshuffle(x)
    if scaled.dtype != y.dtype:
        return None
    for op in (ops.mul, ops.true_div):
        operands = made_by(scaled, op)
        if operands is None:
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


# Elementwise ops that take no longer than to read what they are given.
_CHEAP = frozenset(
    (
        *(op_named(f"cast_{dtype}") for dtype in dtypes.ALL),
        *(ops.add, ops.sub, ops.mul, ops.true_div, ops.neg),
        *(ops.eq, ops.neq, ops.lt, ops.le, ops.gt, ops.ge),
    )
)

# So many of them are still little beside a step, and are built anew for each selection.
_LONGEST = 16


def _carrier(computed: Apply, axes: Collection[int]) -> Variable | None:
    """Return the operand that alone has the elements along some axes, None if it is not one."""
    having = [
        item for item in computed.inputs if not all(item.broadcastable[axis] for axis in axes)
    ]
    if len(having) != 1 or any(having[0].broadcastable[axis] for axis in axes):
        return None
    return having[0]


def _arithmetic_on_data(variable: Variable, axes: Collection[int]) -> list[tuple[Apply, Variable]]:
    """Return the nodes that compute a variable by cheap arithmetic, last first, and their carriers.

    There are none unless what they begin with is there before any step.
    """
    chain: list[tuple[Apply, Variable]] = []
    while variable.owner is not None and variable.owner.op in _CHEAP:
        carrier = _carrier(variable.owner, axes)
        if carrier is None or len(chain) == _LONGEST:
            return []
        chain.append((variable.owner, carrier))
        variable = carrier
    while variable.owner is not None and variable.owner.op.view is not None:
        variable = variable.owner.inputs[0]
    return chain if variable.owner is None else []


@rule(ops.subtensor_op, ops.take_op)
def select_data_first(node: Apply) -> Replacement:
    """f(x)[i] -> f(x[i]) where f is arithmetic on data: only what is selected is computed"""
    rank = node.inputs[0].ndim
    if node.op is ops.take_op:
        axes = list(range(len(node.inputs) - 1))
        leading = range(node.inputs[1].ndim)
        order: list[int | str] = [axis if axis in axes else "x" for axis in leading]
        order += range(len(axes), rank)
    else:
        index = node.params["index"]
        axes = [axis for axis in range(rank) if index[axis] != (None, None, None)]
        order = [axis for axis in range(rank) if isinstance(index[axis], tuple)]
    chain = _arithmetic_on_data(node.inputs[0], axes)
    if not chain:
        return None
    _, data = chain[-1]
    selected = node.op.make([data, *node.inputs[1:]], node.params).outputs[0]
    for computed, carrier in reversed(chain):
        operands = [
            selected if item is carrier else ops.dimshuffle(item, order) for item in computed.inputs
        ]
        selected = computed.op.make(operands, computed.params).outputs[0]
    return selected


RULES: tuple[Rule, ...] = (
    drop_gradient_mark,
    half_as_float,
    half_product_as_float,
    select_data_first,
    scale_after_dot,
    dot_of_bytes,
)
