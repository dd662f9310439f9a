"""The negative log-likelihood of labels under softmax, and its gradient, each as one op.

A rewrite makes them of what users write: no matrix of probabilities is needed for the loss, and
none of zeros with a one in each row for its gradient.

The gradient of scores that are halves is computed in float32 and rounded once. Weights, and losses
beside it, are float32 then: compilation makes it so (``plan/half_scores.py``), users' graphs have
weights of the dtype of x.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arignote import ops
from arignote.graph import dtypes
from arignote.graph.dim import Shape
from arignote.graph.dtypes import Array
from arignote.graph.op import Accuracy, Call, Op, Params, ShapeContext, Types
from arignote.graph.type import TensorType
from arignote.graph.variable import Apply, Variable
from arignote.ops import rows
from arignote.ops.nnet import log_softmax_reference, softmax_gradient, softmax_reference
from arignote.ops.pick import check_positions, pick_op, require_rows


def _check(op: Op, types: Types) -> None:
    x, y, *_ = types
    if x.ndim != 2 or x.dtype not in dtypes.FLOATS:
        raise op.type_error(f"x must be a matrix of floats: {x}")
    if y.ndim != 1 or y.dtype not in dtypes.INTEGERS:
        raise op.type_error(f"y must be a vector of integers: {y}")


def _infer(params: Params, types: Types) -> Types:
    _check(nll_op, types)
    return (TensorType(types[0].dtype, types[1].broadcastable),)


def _shape(context: ShapeContext, node: Apply, shapes: Sequence[Shape]) -> Sequence[Shape]:
    require_rows(context, shapes)
    return (shapes[1],)


def _reference(call: Call, x: Array, y: Array) -> Array:
    check_positions(nll_op, x, y)
    with np.errstate(all="ignore"):
        return np.asarray(0 - log_softmax_reference(x)[np.arange(len(y)), y])


def _gradient(node: Apply, cotangents: Sequence[Variable | None]) -> Sequence[Variable | None]:
    (g,) = cotangents
    return (None if g is None else nll_gradient_op.make([*node.inputs, g]).outputs[0], None)


nll_op = Op(
    name="nll",
    arguments=("x", "y"),
    infer=_infer,
    shape=_shape,
    reference=_reference,
    gradient=_gradient,
    kernel="nll",
    rows=rows.below_each_other,
    supports=lambda call: call.input_types[0].dtype in ("float32", "float64"),
    fallible=True,
    accuracy=Accuracy(ulp=16, scale=1),
    family="NegativeLogLikelihood",
)
"""``-log(softmax(x))[i, y[i]]`` for each i: row i of x scores the classes, y[i] is the true one.

A negative label counts from the end, as an index does. x may have more rows than y elements.
"""


def _gradient_infer(params: Params, types: Types) -> Types:
    return (_weighted(nll_gradient_op, types)[0],)


def _weighted(op: Op, types: Types) -> Types:
    _check(op, types)
    x, _, g = types
    if g.ndim != 1 or g.dtype not in (x.dtype, _computed_dtype(x.dtype)):
        raise op.type_error(f"g must be a vector of the dtype of x, or float32 for halves: {g}")
    return types


def _computed_dtype(dtype: str) -> str:
    return "float32" if dtype in dtypes.HALVES else dtype


def _computed(x: Array) -> Array:
    """Return numbers as those that are computed with."""
    return x.astype(_computed_dtype(x.dtype.name), copy=False)


def _is_native(call: Call) -> bool:
    x, _, g = (item.dtype for item in call.input_types)
    return g == _computed_dtype(x)


def _gradient_shape(context: ShapeContext, node: Apply, shapes: Sequence[Shape]) -> Sequence[Shape]:
    require_rows(context, shapes)
    context.require_equal(
        shapes[2][0], shapes[1][0], "g must be as long as y: {found} != {expected}"
    )
    return (shapes[0],)


def _gradient_reference(call: Call, x: Array, y: Array, g: Array) -> Array:
    check_positions(nll_gradient_op, x, y)
    count, weights = len(y), _computed(g)
    result = np.zeros(x.shape, weights.dtype)
    with np.errstate(all="ignore"):
        result[:count] = softmax_reference(_computed(x[:count])) * weights[:, None]
        result[np.arange(count), y] -= weights
        return result.astype(x.dtype)


def _gradient_scale(x: Array, y: Array, g: Array) -> Array:
    """Return for each row the weight of its label, which cancels the likelihood of a good one.

    It does so before a half is rounded: what it leaves counts as much less then.
    """
    weights = _computed(g)
    result = np.zeros((len(x), 1), weights.dtype)
    result[: len(g), 0] = np.abs(weights)
    return result * float(np.finfo(weights.dtype).eps / dtypes.finfo(x.dtype).eps)


def _gradient_gradient(
    node: Apply, cotangents: Sequence[Variable | None]
) -> Sequence[Variable | None]:
    (c,) = cotangents
    if c is None:
        return (None, None, None)
    x, y, g = node.inputs
    labels = ops.arange(ops.length(y, 0))
    zero = ops.alloc(ops.constant(0, dtype=g.dtype), ops.length(x, 0))
    weights = ops.dimshuffle(ops.put(zero, g, [labels], increment=True), (0, "x"))
    softmax = ops.softmax_op.node(x)
    (by_x,) = softmax_gradient(softmax, (ops.mul(c, weights),))
    expected = ops.sum_(ops.mul(c, softmax.outputs[0]), axis=1)
    by_g = ops.sub(ops.take_op(expected, labels), pick_op(c, y))
    return (ops.cast(by_x, x.dtype), None, ops.cast(by_g, g.dtype))


nll_gradient_op = Op(
    name="nll_gradient",
    arguments=("x", "y", "g"),
    infer=_gradient_infer,
    shape=_gradient_shape,
    reference=_gradient_reference,
    gradient=_gradient_gradient,
    kernel="nll_gradient",
    rows=rows.below_each_other,
    supports=_is_native,
    reuse=((0, 0),),
    fallible=True,
    accuracy=Accuracy(ulp=16, scale=_gradient_scale),
    family="NegativeLogLikelihoodGrad",
)
"""``(softmax(x) - one_hot(y)) * g[:, None]``; zero in the rows of x that have no label.

g is of the dtype of x, or float32 beside halves.
"""


def _both_infer(params: Params, types: Types) -> Types:
    x, y, g = _weighted(nll_with_gradient_op, types)
    return (x, TensorType(g.dtype, y.broadcastable))


def _both_shape(context: ShapeContext, node: Apply, shapes: Sequence[Shape]) -> Sequence[Shape]:
    return (*_gradient_shape(context, node, shapes), shapes[1])


def _both_reference(call: Call, x: Array, y: Array, g: Array) -> tuple[Array, Array]:
    check_positions(nll_with_gradient_op, x, y)
    return _gradient_reference(call, x, y, g), _reference(call, _computed(x), y).astype(g.dtype)


nll_with_gradient_op = Op(
    name="nll_with_gradient",
    arguments=("x", "y", "g"),
    infer=_both_infer,
    shape=_both_shape,
    reference=_both_reference,
    kernel="nll_with_gradient",
    rows=rows.below_each_other,
    supports=_is_native,
    reuse=((0, 0),),
    fallible=True,
    accuracy=Accuracy(ulp=16, scale=(_gradient_scale, 1)),
    family="NegativeLogLikelihoodWithGrad",
)
"""``nll_gradient(x, y, g)`` and ``nll(x, y)``: compilation makes it where a graph has both."""
