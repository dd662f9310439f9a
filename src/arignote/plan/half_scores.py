"""Gradients of likelihoods read scores that are halves, and write halves, themselves.

They compute in float32. A rewrite casts the scores to it and the gradient back, each of which would
be a pass over a matrix, and a temporary of twice the size. That nobody needs the gradient in
float32 shows only in a look at a whole graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from arignote import ops
from arignote.graph import dtypes, walk
from arignote.graph.op import op_named, unobserved
from arignote.graph.variable import Variable, origin_of
from arignote.plan.needs import values_read
from arignote.rewrite.match import made_by, through_dimshuffle

_GRADIENTS = (ops.nll_gradient_op, ops.nll_with_gradient_op)


def take_half_scores(outputs: Sequence[Variable]) -> list[Variable]:
    """Return ``outputs`` with no casts around gradients of likelihoods that halves do without."""
    result = list(outputs)
    while True:
        replacements = _find(result)
        if not replacements:
            return result
        result = walk.replace(result, replacements)


def _find(outputs: Sequence[Variable]) -> Mapping[Variable, Variable]:
    """Return what to replace for one gradient, nothing if there is none."""
    gradients = [node for node in walk.toposort(outputs) if node.op in _GRADIENTS]
    clients = walk.clients(outputs) if gradients else {}
    for node in gradients:
        scores, gradient = _half_scores(node.inputs[0]), node.outputs[0]
        if scores is None or gradient in outputs:
            continue
        readers = [item for item, _ in clients.get(gradient, ()) if gradient in values_read(item)]
        if all(reader.op is op_named(f"cast_{scores.dtype}") for reader in readers):
            with origin_of(node.origin), unobserved():
                new = node.op.make([scores, *node.inputs[1:]])
            pairs = dict(zip(node.outputs, new.outputs, strict=True))
            return pairs | {reader.outputs[0]: new.outputs[0] for reader in readers}
    return {}


def _half_scores(x: Variable) -> Variable | None:
    """Return the halves that were cast to float32, None if none were."""
    source, order = through_dimshuffle(x)
    inputs = made_by(source, op_named("cast_float32"))
    if inputs is None or inputs[0].dtype not in dtypes.HALVES:
        return None
    return inputs[0] if order is None else ops.dimshuffle(inputs[0], order)
