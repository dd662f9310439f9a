"""The identity with another gradient: stopped, zero, or clipped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from arignote import ops
from arignote.graph.op import Op, Params
from arignote.graph.variable import Apply, Variable


def _identity(
    name: str,
    gradient: Callable[[Apply, Variable], Variable | None],
    disconnected: frozenset[int] = frozenset(),
) -> Op:
    def rule(node: Apply, cotangents: Sequence[Variable | None]) -> Sequence[Variable | None]:
        return (None if cotangents[0] is None else gradient(node, cotangents[0]),)

    return Op(
        name=name,
        arguments=("x",),
        infer=lambda params, types: (types[0],),
        shape=lambda context, node, shapes: (shapes[0],),
        reference=lambda call, x: x,
        gradient=rule,
        prepare=ops.as_variables,
        view=lambda context, node, base, shapes: base,
        disconnected=disconnected,
        family=name,
    )


def _clipped(node: Apply, cotangent: Variable) -> Variable:
    return ops.clip(cotangent, node.params["lower"], node.params["upper"])


disconnected_op = _identity("disconnected_grad", lambda node, g: None, frozenset({0}))
zero_grad_op = _identity("zero_grad", lambda node, g: ops.zeros_like(g))
consider_constant_op = _identity("consider_constant", lambda node, g: ops.zeros_like(g))
clip_op = _identity("grad_clip", _clipped)


def disconnected_grad(x: Any) -> Variable:
    """Return ``x``, through which no gradient passes: to :func:`grad` it is disconnected.

    >>> disconnected_grad(ops.constant(2.0)).type
    TensorType(float32, scalar)
    """
    return disconnected_op(x)


def zero_grad(x: Any) -> Variable:
    """Return ``x`` with a gradient of zero.

    >>> zero_grad(ops.constant(2.0)).type
    TensorType(float32, scalar)
    """
    return zero_grad_op(x)


def consider_constant(x: Any) -> Variable:
    """Return ``x`` with a gradient of zero; Theano's older name of :func:`zero_grad`.

    >>> consider_constant(ops.constant(2.0)).type
    TensorType(float32, scalar)
    """
    return consider_constant_op(x)


def grad_clip(x: Any, lower_bound: float, upper_bound: float) -> Variable:
    """Return ``x`` with its gradient cut to ``[lower_bound, upper_bound]``, element by element.

    >>> grad_clip(ops.constant(2.0), -1, 1).type
    TensorType(float32, scalar)
    """
    if not lower_bound <= upper_bound:
        raise ValueError(
            f"[grad_clip] lower_bound must not exceed upper_bound: {lower_bound} > {upper_bound}"
        )
    params = Params({"lower": float(lower_bound), "upper": float(upper_bound)})
    return clip_op.make(ops.as_variables(x), params).outputs[0]
