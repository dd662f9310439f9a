"""How far any way to compute a graph may be from its NumPy reference, node by node.

Every value carries a bound on its error. A node passes on what the bounds of its inputs make of it,
and adds its own rounding. Where a comparison or a cut may come out otherwise, it is infinite.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from arignote import ops
from arignote.graph import walk
from arignote.graph.op import OPS, Call, Op
from arignote.graph.variable import Apply, Constant, Variable
from helpers.values import Array

# Beyond the accuracy of a kernel: what the reference itself rounds.
_ROUNDINGS = 4
# Ops that move elements, with the numbers of the inputs whose elements these are.
_MOVING: dict[str, Collection[int]] = {
    **dict.fromkeys(("dimshuffle", "reshape", "rebroadcast", "specify_shape", "copy"), (0,)),
    **dict.fromkeys(("alloc", "broadcast_like", "subtensor", "take", "pick", "diagonal"), (0,)),
    **dict.fromkeys(("disconnected_grad", "zero_grad", "consider_constant", "grad_clip"), (0,)),
    **dict.fromkeys(("slice_update", "put"), (0, 1)),
    "place": (0, 2),
    "join": range(99),
}

Bounded = tuple[Array, Array]


def unit(array: Array) -> float:
    return float(np.finfo(array.dtype).eps) if array.dtype.kind == "f" else 0.0


def rounding(op: Op, value: Array) -> Array:
    """Return the rounding errors of an op that computes every element by itself."""
    if value.dtype.kind != "f":
        return np.zeros(value.shape)
    size: Array = np.maximum(np.abs(value.astype("float64")), op.accuracy.scale)
    smallest = float(np.finfo(value.dtype).smallest_subnormal)
    return size * ((op.accuracy.ulp + _ROUNDINGS) * unit(value)) + 4 * smallest


def _elementwise(node: Apply, inputs: Sequence[Bounded], value: Array) -> Array:
    call, arrays = Call.of(node), [array for array, _ in inputs]
    error = rounding(node.op, value)
    for position, (array, bound) in enumerate(inputs):
        if not np.any(bound):
            continue
        for sign in (1, -1):
            moved = list(arrays)
            moved[position] = array
            if array.dtype.kind == "f":
                moved[position] = (array + sign * bound).astype(array.dtype)
            changed = node.op.compute(call, *moved)[0]
            change = np.abs(changed.astype("float64") - value.astype("float64"))
            error = error + np.nan_to_num(change, nan=np.inf)
        error = np.where(np.isinf(bound), np.inf, error)
    if value.dtype.kind != "f":
        error = np.where(error > 0, np.inf, 0.0)
    return error


def _moving(node: Apply, inputs: Sequence[Bounded], value: Array) -> Array:
    moved = _MOVING[node.op.name]
    operands = [
        bound.astype("float64") if position in moved else array
        for position, (array, bound) in enumerate(inputs)
    ]
    result = node.op.reference(Call.of(node), *operands)
    return np.asarray(result, "float64") + rounding(node.op, value)


def _reduction(node: Apply, inputs: Sequence[Bounded], value: Array) -> Array:
    ((array, bound),) = inputs
    axes = node.params["axis"]
    if node.op is ops.sum_op:
        size = np.sum(np.abs(array.astype("float64")), axis=axes)
        ulps = node.op.accuracy.ulp + _ROUNDINGS
        return np.asarray(np.sum(bound, axis=axes) + size * (ulps * unit(value)))
    worst = np.asarray(np.max(bound, axis=axes, initial=0.0))
    if node.op in (ops.max_op, ops.min_op):
        return worst
    return np.where(worst > 0, np.inf, 0.0)


def _dot(node: Apply, inputs: Sequence[Bounded], value: Array) -> Array:
    (a, a_bound), (b, b_bound) = inputs
    a, b = np.abs(a.astype("float64")), np.abs(b.astype("float64"))
    ulps = (node.op.accuracy.ulp + _ROUNDINGS) * unit(value)
    return np.asarray(
        np.dot(a_bound, b) + np.dot(a, b_bound) + np.dot(a_bound, b_bound) + np.dot(a, b) * ulps
    )


def _softmax(node: Apply, inputs: Sequence[Bounded], value: Array) -> Array:
    ((_, bound),) = inputs
    worst = np.max(bound, axis=-1, keepdims=True, initial=0.0)
    moved = 2 * worst if node.op is ops.log_softmax_op else value * np.expm1(2 * worst)
    return np.asarray(moved + rounding(node.op, value))


def _nothing(node: Apply, inputs: Sequence[Bounded], value: Array) -> Array:
    return np.zeros(value.shape)


def _rule(op: Op) -> Callable[[Apply, Sequence[Bounded], Array], Array]:
    if isinstance(op, ops.ElementwiseOp):
        return _elementwise
    if op in ops.REDUCTIONS:
        return _reduction
    if op.name in _MOVING:
        return _moving
    return {
        OPS["dot"]: _dot,
        OPS["softmax"]: _softmax,
        OPS["log_softmax"]: _softmax,
        OPS["shape"]: _nothing,
        OPS["shape_i"]: _nothing,
        OPS["arange"]: _nothing,
    }[op]


def extend(values: dict[Variable, Bounded], outputs: Sequence[Variable]) -> None:
    """Add the values and bounds of variables, and of what they depend on, to those known."""
    for item in walk.ancestors(outputs, stop=values.__contains__):
        if isinstance(item, Constant):
            values[item] = (item.data, np.zeros(item.data.shape))
    for node in walk.toposort(outputs, stop=values.__contains__):
        inputs = [values[item] for item in node.inputs]
        results = node.op.compute(Call.of(node), *(array for array, _ in inputs))
        for output, value in zip(node.outputs, results, strict=True):
            with np.errstate(all="ignore"):
                bound = np.asarray(_rule(node.op)(node, inputs, value))
            values[output] = (value, np.nan_to_num(bound, nan=np.inf, posinf=np.inf))
