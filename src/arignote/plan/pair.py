"""Likelihoods of labels join their gradients, with which they share a pass over the scores.

That takes a look at a whole graph, as fusion does: no node below one of them knows of the other.
"""

from __future__ import annotations

from collections.abc import Sequence

from arignote import ops
from arignote.graph import walk
from arignote.graph.variable import Apply, Variable, origin_of
from arignote.plan.needs import values_read


def pair_likelihoods(outputs: Sequence[Variable]) -> list[Variable]:
    """Return ``outputs`` with ``nll`` and ``nll_gradient`` of the same scores as one node.

    Nothing is changed in graphs with branches, of which one may have only the one or the other.
    """
    result = list(outputs)
    nodes = walk.toposort(result)
    while not any(node.op is ops.ifelse_op for node in nodes):
        found = _find(nodes)
        if found is None:
            break
        loss, gradient = found
        # Errors are to name the line of the loss, not that of the gradient.
        with origin_of(loss.origin):
            both = ops.nll_with_gradient_op.make(gradient.inputs)
        pairs = zip((*gradient.outputs, *loss.outputs), both.outputs, strict=True)
        result = walk.replace(result, dict(pairs))
        nodes = walk.toposort(result)
    return result


def _find(nodes: Sequence[Apply]) -> tuple[Apply, Apply] | None:
    losses = {node.inputs: node for node in nodes if node.op is ops.nll_op}
    for node in nodes:
        loss = losses.get(node.inputs[:2]) if node.op is ops.nll_gradient_op else None
        # The weights may follow from the loss itself.
        if loss is not None and not _follows(node.inputs[2], loss):
            return loss, node
    return None


def _follows(variable: Variable, node: Apply) -> bool:
    """Return whether the value of a variable follows from those of a node, not only its shape."""
    pending, done = [variable], set[Apply]()
    while pending:
        owner = pending.pop().owner
        if owner is node:
            return True
        if owner is not None and owner not in done:
            done.add(owner)
            pending.extend(values_read(owner))
    return False
