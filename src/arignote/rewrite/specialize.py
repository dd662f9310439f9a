"""Rules that apply only when a function is compiled: they drop what mattered to gradients alone."""

from __future__ import annotations

from arignote.graph.op import op_named
from arignote.graph.variable import Apply
from arignote.rewrite.engine import Replacement, Rule, rule


@rule(*(op_named(n) for n in ("disconnected_grad", "zero_grad", "consider_constant", "grad_clip")))
def drop_gradient_mark(node: Apply) -> Replacement:
    """an identity that changes only the gradient -> x"""
    return node.inputs[0]


RULES: tuple[Rule, ...] = (drop_gradient_mark,)
