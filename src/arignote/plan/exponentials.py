"""Likelihoods of labels beside sums of log-softmax, as in label smoothing, share exponentials.

Those sums are elementwise, over the scores less their maxima. A likelihood of the same scores then
needs no more than the score of its label, and its gradient is one more term of theirs. That takes a
look at a whole graph: no node below one of them knows of the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arignote import ops
from arignote.graph import walk
from arignote.graph.variable import Apply, Constant, Variable
from arignote.plan.shapes import Shapes
from arignote.rewrite.engine import Replacement, Rewriter, Rule, rule
from arignote.rewrite.match import made_by, same_shape, through_dimshuffle


@dataclass(frozen=True)
class _Parts:
    """Of each row of scores: the maximum, ``exp(scores - maximum)``, and the sum of these."""

    maximum: Variable
    exponentials: Variable
    total: Variable


def share_exponentials(outputs: Sequence[Variable]) -> list[Variable]:
    """Return ``outputs`` with likelihoods by the exponentials that the graph has anyway.

    Nothing is changed in graphs with branches, of which one may have only the one or the other.
    """
    nodes = walk.toposort(outputs)
    labelled = [node for node in nodes if node.op in (ops.nll_op, ops.nll_gradient_op)]
    if not labelled or any(node.op is ops.ifelse_op for node in nodes):
        return list(outputs)
    parts = _find_parts(nodes)
    if parts.keys().isdisjoint(node.inputs[0] for node in labelled):
        return list(outputs)
    for x in _of_more_rows(outputs, labelled):
        parts.pop(x, None)
    return Rewriter(_rules(parts)).run(outputs)


def _find_parts(nodes: Sequence[Apply]) -> dict[Variable, _Parts]:
    """Return what the nodes compute of each matrix of scores."""
    parts: dict[Variable, _Parts] = {}
    for node in nodes:
        if node.op is not ops.sum_op or node.params["axis"] != (1,):
            continue
        (exponentials,) = node.inputs
        (shifted,) = made_by(exponentials, ops.exp) or (exponentials,)
        x, column = made_by(shifted, ops.sub) or (shifted, shifted)
        maximum, order = through_dimshuffle(column)
        owner = maximum.owner
        if order != (0, "x") or owner is None or owner.op is not ops.max_op:
            continue
        if owner.inputs[0] is x and owner.params["axis"] == (1,):
            parts[x] = _Parts(maximum, exponentials, node.outputs[0])
    return parts


def _of_more_rows(outputs: Sequence[Variable], labelled: Sequence[Apply]) -> list[Variable]:
    """Return the scores that may have more rows than there are labels for them."""
    leaves = [item for item in walk.graph_inputs(outputs) if not isinstance(item, Constant)]
    shapes = Shapes({item: f"x{number}" for number, item in enumerate(leaves)})
    for output in outputs:
        shapes.shape_of(output)
    result = []
    for node in labelled:
        x, y = (shapes.canonical_shape(shapes.shape_of(item)) for item in node.inputs[:2])
        if x[0] != y[0]:
            result.append(node.inputs[0])
    return result


def _rules(parts: Mapping[Variable, _Parts]) -> list[Rule]:
    @rule(ops.nll_op)
    def likelihood(node: Apply) -> Replacement:
        """Take what is there: -(x[arange(len(y)), y] - max(x) - log(sum(exp(x - max(x)))))."""
        x, y = node.inputs
        if x not in parts:
            return None
        score = ops.sub(ops.pick_op(x, y), parts[x].maximum)
        return ops.neg(ops.sub(score, ops.log(parts[x].total)))

    @rule(ops.nll_gradient_op)
    def gradient(node: Apply) -> Replacement:
        """Take what is there: g * exp(x - max(x)) / sum(exp(x - max(x))), less g at the label."""
        x, y, g = node.inputs
        if x not in parts:
            return None
        weights = ops.dimshuffle(ops.true_div(g, parts[x].total), (0, "x"))
        softmax = ops.mul(parts[x].exponentials, weights)
        return ops.place(softmax, y, ops.neg(g), increment=True)

    return [likelihood, gradient, place_last]


@rule(ops.add)
def place_last(node: Apply) -> Replacement:
    """Write x + place(z, y, value) as place(x + z, y, value): the sum is one with what z is."""
    for x, other in (node.inputs, node.inputs[::-1]):
        owner = other.owner
        if owner is None or owner.op is not ops.place_op or not owner.params["increment"]:
            continue
        if same_shape(x, node.outputs[0]) and same_shape(other, x):
            z, y, value = owner.inputs
            return ops.place(ops.add(x, z), y, value, increment=True)
    return None
