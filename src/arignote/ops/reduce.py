"""Reductions over any axes: sum, prod, max, min, all, any, and the position of an extreme.

The sums run inside elementwise programs (:mod:`arignote.ops.program`); argmax and argmin have
kernels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from arignote import ops
from arignote.errors import GraphTypeError
from arignote.graph import dtypes
from arignote.graph.dim import Shape
from arignote.graph.dtypes import Array
from arignote.graph.op import (
    EXACT,
    Accuracy,
    Attributes,
    Call,
    Op,
    Params,
    RowRule,
    ShapeContext,
    Types,
)
from arignote.graph.type import TensorType
from arignote.graph.variable import Apply, Variable
from arignote.ops import rows

Axis = int | Sequence[int] | None


def normalize_axis(op: Op, axis: Any, ndim: int) -> tuple[int, ...]:
    """Return axes as a sorted tuple counted from the start; None stands for all of them."""
    if axis is None:
        return tuple(range(ndim))
    given = axis if isinstance(axis, list | tuple) else (axis,)
    axes = []
    for item in given:
        value = ops.constant_value(item) if isinstance(item, Variable) else item
        if not isinstance(value, int | np.integer) or not -ndim <= value < ndim:
            raise ValueError(f"[{op.name}] axis must lie within the {ndim} dimensions of x: {item}")
        axes.append(int(value) % ndim)
    if len(set(axes)) != len(axes):
        raise ValueError(f"[{op.name}] axes must differ from each other: {axis}")
    return tuple(sorted(axes))


def kept_axes(node: Apply) -> list[int]:
    """Return the axes of the input that a reduction keeps."""
    return [axis for axis in range(node.inputs[0].ndim) if axis not in node.params["axis"]]


def sum_dtype(dtype: str) -> str:
    """Return the dtype of sums and products of a dtype."""
    if dtype in dtypes.BOOL + dtypes.SIGNED:
        return "int64"
    return "uint64" if dtype in dtypes.UNSIGNED else dtype


def accumulator(dtype: str) -> str:
    """Return the dtype in which sums and products of a dtype are accumulated."""
    if dtype in dtypes.FLOATS:
        return "float64"
    return "complex128" if dtype in dtypes.COMPLEXES else sum_dtype(dtype)


def _shape(context: ShapeContext, node: Apply, shapes: Sequence[Shape]) -> Sequence[Shape]:
    return (tuple(shapes[0][axis] for axis in kept_axes(node)),)


def _shape_of_extreme(
    context: ShapeContext, node: Apply, shapes: Sequence[Shape]
) -> Sequence[Shape]:
    for axis in () if node.params.get("total") else node.params["axis"]:
        context.require(
            shapes[0][axis], f"x must not be empty along axis {axis}, over which it is reduced"
        )
    return _shape(context, node, shapes)


def _display(name: str) -> Callable[[Apply], str]:
    def display(node: Apply) -> str:
        axis = node.params["axis"]
        return f"{name}{{axis={list(axis)}}}" if kept_axes(node) else name

    return display


def _reduction(
    name: str,
    meaning: Callable[..., Array],
    gradient: Callable[[Apply, Variable], Variable] | None,
    result: Callable[[str], str],
    *,
    shape: Callable[..., Sequence[Shape]] = _shape,
    by_rows: RowRule = rows.reduced,
    accuracy: Accuracy = EXACT,
) -> Op:
    def infer(params: Params, types: Types) -> Types:
        rank = types[0].ndim
        if not all(0 <= axis < rank for axis in params["axis"]):
            raise GraphTypeError(
                f"[{name}] axis must name dimensions of x, which has {rank}: {params['axis']}"
            )
        kept = [axis for axis in range(rank) if axis not in params["axis"]]
        pattern = tuple(types[0].broadcastable[axis] for axis in kept)
        return (TensorType(result(types[0].dtype), pattern),)

    def reference(call: Call, x: Array) -> Array:
        with np.errstate(all="ignore"):
            return meaning(x, call.params["axis"])

    def rule(node: Apply, cotangents: Sequence[Variable | None]) -> Sequence[Variable | None]:
        if cotangents[0] is None or gradient is None or ops.is_discrete(node.inputs[0]):
            return (None,)
        return (ops.cast(gradient(node, cotangents[0]), node.inputs[0].dtype),)

    return Op(
        name=name,
        arguments=("x",),
        infer=infer,
        shape=shape,
        reference=reference,
        gradient=rule,
        prepare=ops.as_variables,
        rows=by_rows,
        accuracy=accuracy,
        family="CAReduce" if name not in ("sum", "prod") else name.capitalize(),
        display=_display(name.capitalize()),
    )


def expand_reduced(value: Variable, node: Apply) -> Variable:
    """Return the result of a reduction with its reduced axes put back, of length one."""
    order: list[int | str] = []
    for axis in range(node.inputs[0].ndim):
        order.append("x" if axis in node.params["axis"] else order_position(order))
    return ops.dimshuffle(value, tuple(order))


def order_position(order: Sequence[int | str]) -> int:
    """Return the number of dimensions that an unfinished dimshuffle order has taken."""
    return sum(1 for item in order if item != "x")


def _sum_gradient(node: Apply, cotangent: Variable) -> Variable:
    return ops.broadcast_like(expand_reduced(cotangent, node), node.inputs[0])


def _prod_gradient(node: Apply, cotangent: Variable) -> Variable:
    x = node.inputs[0]
    zero = ops.eq(x, 0)
    zeros = expand_reduced(sum_op(zero, axis=node.params["axis"]), node)
    others = ops.switch(zero, 1, x)
    product = expand_reduced(prod_op(others, axis=node.params["axis"]), node)
    alone = ops.switch(ops.and_(zero, ops.eq(zeros, 1)), product, 0)
    partial = ops.switch(ops.eq(zeros, 0), ops.true_div(product, others), alone)
    return ops.mul(expand_reduced(cotangent, node), partial)


def _extreme_gradient(node: Apply, cotangent: Variable) -> Variable:
    tied = ops.eq(node.inputs[0], expand_reduced(node.outputs[0], node))
    return ops.mul(expand_reduced(cotangent, node), tied)


def _greatest(x: Array, axis: tuple[int, ...]) -> Array:
    # That nothing be reduced is demanded by the shape rule, unless the op is asked to be total.
    if all(x.shape[item] for item in axis) or dtypes.kind_of(x.dtype) != "f":
        return np.asarray(np.max(x, axis=axis))
    return np.asarray(np.max(x, axis=axis, initial=-np.inf))


_SUM_ACCURACY: Final = Accuracy(ulp=8, sums=True)

sum_op = _reduction(
    "sum",
    lambda x, axis: np.sum(x, axis=axis, dtype=accumulator(x.dtype.name)),
    _sum_gradient,
    sum_dtype,
    by_rows=rows.summed,
    accuracy=_SUM_ACCURACY,
)
prod_op = _reduction(
    "prod",
    lambda x, axis: np.prod(x, axis=axis, dtype=accumulator(x.dtype.name)),
    _prod_gradient,
    sum_dtype,
    accuracy=Accuracy(ulp=64),
)
max_op = _reduction(
    "max",
    _greatest,
    _extreme_gradient,
    lambda d: d,
    shape=_shape_of_extreme,
)
"""The maximum; with ``total=True`` that of no floats is minus infinity instead of an error."""
min_op = _reduction(
    "min",
    lambda x, axis: np.min(x, axis=axis),
    _extreme_gradient,
    lambda d: d,
    shape=_shape_of_extreme,
)
all_op = _reduction("all", lambda x, axis: np.asarray(np.all(x, axis=axis)), None, lambda d: "bool")
any_op = _reduction("any", lambda x, axis: np.asarray(np.any(x, axis=axis)), None, lambda d: "bool")

REDUCTIONS: Final = (sum_op, prod_op, max_op, min_op, all_op, any_op)


def reduce_with(op: Op, x: Any, axis: Any = None, keepdims: bool = False) -> Variable:
    """Apply a reduction over ``axis`` (None: all axes); ``keepdims`` keeps them with length one."""
    variable = ops.as_variable(x)
    node = op.node(variable, axis=normalize_axis(op, axis, variable.ndim))
    return expand_reduced(node.outputs[0], node) if keepdims else node.outputs[0]


def sum_(x: Any, axis: Any = None, keepdims: bool = False) -> Variable:
    """Return the sum over ``axis``."""
    return reduce_with(sum_op, x, axis, keepdims)


def max_(x: Any, axis: Any = None, keepdims: bool = False) -> Variable:
    """Return the maximum over ``axis``."""
    return reduce_with(max_op, x, axis, keepdims)


def upper_bound(x: Variable, axis: tuple[int, ...]) -> Variable:
    """Return the maximum of floats over axes, which stay; minus infinity if there are none."""
    node = max_op.node(x, axis=axis, total=True)
    return expand_reduced(node.outputs[0], node)


def _position(meaning: Callable[..., Array]) -> Callable[[Call, Array], Array]:
    def reference(call: Call, x: Array) -> Array:
        axes = call.params["axis"]
        kept = [axis for axis in range(x.ndim) if axis not in axes]
        lengths = [x.shape[axis] for axis in kept]
        size = math.prod(x.shape[axis] for axis in axes)
        return meaning(np.transpose(x, (*kept, *axes)).reshape([*lengths, size]), axis=-1)

    return reference


def _position_op(name: str, meaning: Callable[..., Array]) -> Op:
    return Op(
        name=name,
        arguments=("x",),
        infer=lambda params, types: (
            TensorType(
                "int64",
                tuple(b for a, b in enumerate(types[0].broadcastable) if a not in params["axis"]),
            ),
        ),
        shape=_shape_of_extreme,
        reference=_position(meaning),
        gradient=lambda node, cotangents: (None,),
        prepare=ops.as_variables,
        kernel=name,
        encode=lambda call: Attributes(ints=call.params["axis"]),
        rows=rows.reduced,
        supports=lambda call: call.input_types[0].dtype in dtypes.NATIVE,
        family=name.capitalize(),
        display=_display(name.capitalize()),
    )


argmax_op = _position_op("argmax", np.argmax)
argmin_op = _position_op("argmin", np.argmin)
