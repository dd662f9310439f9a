"""Softmax and its logarithm over the last dimension, and the losses built on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from arignote import ops
from arignote.graph import dtypes
from arignote.graph.dtypes import Array
from arignote.graph.op import Accuracy, Op, Params, Types
from arignote.graph.variable import Apply, Variable
from arignote.ops import rows


def _infer_for(name: str) -> Callable[[Params, Types], Types]:
    def infer(params: Params, types: Types) -> Types:
        if types[0].ndim < 1 or types[0].dtype not in dtypes.FLOATS:
            raise ops.op_named(name).type_error(
                f"x must be a tensor of floats with at least one dimension: {types[0]}"
            )
        return (types[0],)

    return infer


def softmax_reference(x: Array) -> Array:
    """Return the softmax of the vectors along the last axis."""
    if not x.size:
        return x
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return np.asarray(e / np.sum(e, axis=-1, keepdims=True, dtype="float64").astype(x.dtype))


def log_softmax_reference(x: Array) -> Array:
    """Return the logarithm of :func:`softmax_reference`, without loss."""
    if not x.size:
        return x
    shifted = x - np.max(x, axis=-1, keepdims=True)
    total = np.sum(np.exp(shifted), axis=-1, keepdims=True, dtype="float64")
    return np.asarray(shifted - np.log(total).astype(x.dtype))


def softmax_gradient(
    node: Apply, cotangents: Sequence[Variable | None]
) -> Sequence[Variable | None]:
    """Gradient rule of softmax."""
    (g,) = cotangents
    if g is None:
        return (None,)
    weighted = ops.mul(g, node.outputs[0])
    total = ops.sum_(weighted, axis=node.inputs[0].ndim - 1, keepdims=True)
    return (ops.sub(weighted, ops.mul(node.outputs[0], total)),)


def _log_softmax_gradient(
    node: Apply, cotangents: Sequence[Variable | None]
) -> Sequence[Variable | None]:
    (g,) = cotangents
    if g is None:
        return (None,)
    total = ops.sum_(g, axis=node.inputs[0].ndim - 1, keepdims=True)
    return (ops.sub(g, ops.mul(softmax_op(node.inputs[0]), total)),)


def _row_op(
    name: str,
    meaning: Callable[[Array], Array],
    gradient: Callable[..., Any],
    display: str,
    accuracy: Accuracy,
) -> Op:
    def reference(call: Any, x: Array) -> Array:
        with np.errstate(all="ignore"):
            return meaning(x)

    return Op(
        name=name,
        arguments=("x",),
        infer=_infer_for(name),
        shape=lambda context, node, shapes: (shapes[0],),
        reference=reference,
        gradient=gradient,
        prepare=ops.as_variables,
        kernel=name,
        rows=rows.within_rows,
        supports=lambda call: call.input_types[0].dtype in ("float32", "float64"),
        reuse=((0, 0),),
        accuracy=accuracy,
        family=display,
        display=lambda node: display,
    )


softmax_op = _row_op("softmax", softmax_reference, softmax_gradient, "Softmax", Accuracy(ulp=16))
# The logarithm of a sum that is hardly more than one has the error of the sum.
log_softmax_op = _row_op(
    "log_softmax",
    log_softmax_reference,
    _log_softmax_gradient,
    "LogSoftmax",
    Accuracy(ulp=16, scale=1),
)
