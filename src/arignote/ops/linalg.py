"""Matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from arignote import ops
from arignote.graph import dtypes
from arignote.graph.dim import Shape
from arignote.graph.dtypes import Array
from arignote.graph.op import Accuracy, Attributes, Call, Op, Params, ShapeContext, Types
from arignote.graph.type import TensorType
from arignote.graph.variable import Apply, Variable
from arignote.ops import rows


def _dot_infer(params: Params, types: Types) -> Types:
    a, b = types
    if a.ndim not in (1, 2) or b.ndim not in (1, 2):
        raise dot_op.type_error(f"a and b must be vectors or matrices: {a}, {b}")
    dtype = dtypes.upcast(a.dtype, b.dtype)
    return (TensorType(dtype, a.broadcastable[:-1] + b.broadcastable[1:]),)


def _dot_shape(context: ShapeContext, node: Apply, shapes: Sequence[Shape]) -> Sequence[Shape]:
    a, b = shapes
    context.require_equal(
        b[0],
        a[-1],
        f"shapes not aligned: a.shape[{len(a) - 1}] must equal b.shape[0]: {{expected}} != "
        f"{{found}}",
    )
    return (a[:-1] + b[1:],)


def _dot_gradient(node: Apply, cotangents: Sequence[Variable | None]) -> Sequence[Variable | None]:
    g = cotangents[0]
    if g is None or ops.is_discrete(node.outputs[0]):
        return (None, None)
    a, b = node.inputs
    if a.ndim == 1 and b.ndim == 1:
        by_a, by_b = ops.mul(g, b), ops.mul(g, a)
    elif a.ndim == 1:
        by_a, by_b = dot(b, g), outer(a, g)
    elif b.ndim == 1:
        by_a, by_b = outer(g, b), dot(transpose(a), g)
    else:
        by_a, by_b = dot(g, transpose(b)), dot(transpose(a), g)
    return [
        None
        if ops.is_discrete(item)
        else ops.restore_pattern(ops.cast(part, item.dtype), item.broadcastable)
        for item, part in ((a, by_a), (b, by_b))
    ]


def _dot_is_native(call: Call) -> bool:
    a, b = (item.dtype for item in call.input_types)
    if a == b:
        return b in (*dtypes.NATIVE, *dtypes.HALVES)
    return a in dtypes.BYTES and b == "float32"


def _dot_reference(call: Call, a: Array, b: Array) -> Array:
    # NumPy adds up halves in float32, too, one by one.
    return np.asarray(np.dot(a, b))


dot_op = Op(
    name="dot",
    arguments=("a", "b"),
    infer=_dot_infer,
    shape=_dot_shape,
    reference=_dot_reference,
    gradient=_dot_gradient,
    kernel="dot",
    rows=rows.multiplied,
    supports=_dot_is_native,
    accuracy=Accuracy(ulp=4, sums=True),
    family="Dot",
    display=lambda node: "dot",
)
"""The product of vectors and matrices, as ``numpy.dot``: of one dtype, or of bytes and float32.

Products of halves are added up in float32 and rounded once, also where rows come block by block.
"""

# Both operands are rounded, or cut off, behind the tenth digit: so a term may be off by 2 ** -9 of
# itself, in units of float32.
_TF32_ULP = 2.0**-9 / 2.0**-23

dot_tf32_op = Op(
    name="dot_tf32",
    arguments=("a", "b"),
    infer=_dot_infer,
    shape=_dot_shape,
    reference=_dot_reference,
    kernel="dot",
    encode=lambda call: Attributes(ints=(1,)),
    supports=lambda call: {item.dtype for item in call.input_types} == {"float32"},
    accuracy=Accuracy(ulp=dot_op.accuracy.ulp + _TF32_ULP, sums=True),
    family="Dot",
    display=lambda node: "dot_tf32",
)
"""A product whose kernel may take its operands in TF32: float32 with ten digits behind the point.

Plans for a device have it in place of :data:`dot_op` where ``config.allow_tf32`` says so.
"""


def with_tf32(op: Op, call: Call) -> Op:
    """Return what takes the place of an op where TF32 is allowed: most ops stay as they are."""
    return dot_tf32_op if op is dot_op and dot_tf32_op.supports(call) else op


def transpose(x: Any, axes: Sequence[int] | None = None) -> Variable:
    """Return ``x`` with its dimensions reversed, or in the order of ``axes``."""
    variable = ops.as_variable(x)
    order = tuple(reversed(range(variable.ndim))) if axes is None else tuple(axes)
    if sorted(axis % variable.ndim for axis in order) != list(range(variable.ndim)):
        raise ValueError(f"[transpose] axes must name each dimension of x once: {axes}")
    return ops.dimshuffle(variable, order)


def outer(a: Any, b: Any) -> Variable:
    """Return the matrix of products of the elements of two vectors."""
    return ops.mul(
        ops.dimshuffle(ops.as_variable(a), (0, "x")), ops.dimshuffle(ops.as_variable(b), ("x", 0))
    )


def dot(a: Any, b: Any) -> Variable:
    """Return the product of two tensors as ``numpy.dot`` does, for any ranks.

    A scalar multiplies; for more than two dimensions the last of ``a`` meets the last but one of
    ``b``.

    Parameters
    ----------
    a, b
        Tensors or what converts to them.

    Returns
    -------
    Variable
        Of the common dtype.

    Examples
    --------
    >>> dot(ops.constant(np.ones((2, 3))), ops.constant(np.ones(3))).type
    TensorType(float64, vector)
    """
    x, y = ops.as_variable(a), ops.as_variable(b)
    if x.ndim == 0 or y.ndim == 0:
        return ops.mul(x, y)
    dtype = dtypes.upcast(x.dtype, y.dtype)
    x, y = ops.cast(x, dtype), ops.cast(y, dtype)
    if x.ndim <= 2 and y.ndim <= 2:
        return dot_op(x, y)
    return tensordot(x, y, ((x.ndim - 1,), (max(y.ndim - 2, 0),)))


def tensordot(a: Any, b: Any, axes: Any = 2) -> Variable:
    """Return the sum of products over pairs of axes, as ``numpy.tensordot``.

    >>> tensordot(ops.constant(np.ones((2, 3, 4))), ops.constant(np.ones((4, 5))), 1).type
    TensorType(float64, 3D)
    """
    x, y = ops.as_variable(a), ops.as_variable(b)
    if isinstance(axes, int):
        if axes > min(x.ndim, y.ndim):
            raise ValueError(f"[tensordot] axes must not exceed the ranks: {axes}")
        axes = (tuple(range(x.ndim - axes, x.ndim)), tuple(range(axes)))
    first, second = (
        tuple(item % v.ndim for item in (part if isinstance(part, list | tuple) else (part,)))
        for part, v in zip(axes, (x, y), strict=True)
    )
    if len(first) != len(second):
        raise ValueError(f"[tensordot] axes must come in pairs: {axes}")
    kept_x = [axis for axis in range(x.ndim) if axis not in first]
    kept_y = [axis for axis in range(y.ndim) if axis not in second]
    left = _as_matrix(x, kept_x, first)
    right = _as_matrix(y, second, kept_y)
    product = dot(left, right)
    dims = [ops.length(x, a) for a in kept_x] + [ops.length(y, a) for a in kept_y]
    pattern = tuple(x.broadcastable[a] for a in kept_x) + tuple(y.broadcastable[a] for a in kept_y)
    return ops.restore_pattern(ops.reshape(product, dims), pattern)


def _as_matrix(x: Variable, rows: Sequence[int], columns: Sequence[int]) -> Variable:
    moved = ops.dimshuffle(x, (*rows, *columns))
    if len(rows) == len(columns) == 1:
        return moved
    count: Variable = ops.constant(1, dtype="int64")
    for axis in range(len(rows)):
        count = ops.mul(count, ops.length(moved, axis))
    return ops.reshape(moved, [count, -1] if columns else [count, 1])
