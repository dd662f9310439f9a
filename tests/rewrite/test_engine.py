"""The rewriter: merging, what it leaves alone, and what it demands of rules."""

from __future__ import annotations

import numpy as np
import pytest

import arignote.tensor as T
from arignote import ops
from arignote.errors import PlanError
from arignote.graph.op import NODE_OBSERVERS
from arignote.graph.variable import Apply, Variable
from arignote.graph.walk import toposort
from arignote.rewrite import pipeline
from arignote.rewrite.canonical import add_zero, negate_twice
from arignote.rewrite.engine import Log, Replacement, Rewriter, rule
from arignote.run.function import function


def test_equal_nodes_become_one() -> None:
    x = T.dmatrix()
    first, second = ops.exp(ops.neg(x)), ops.exp(ops.neg(x))
    a, b = pipeline.merge([ops.add(first, 1.0), ops.mul(second, 2.0)])
    assert a.owner is not None
    assert b.owner is not None
    assert a.owner.inputs[0] is b.owner.inputs[0]


def test_equal_constants_become_one_but_not_zeros_of_other_sign() -> None:
    x = T.dscalar()
    numbers = [ops.constant(value) for value in (0.5, 0.5, 0.0, -0.0)]
    merged = pipeline.merge([ops.mul(x, number) for number in numbers])
    assert merged[0] is merged[1]
    assert merged[2] is not merged[3]


def test_nodes_of_other_parameters_stay_apart() -> None:
    x = T.dmatrix()
    first, second = pipeline.merge([ops.sum_(x, axis=0), ops.sum_(x, axis=1)])
    assert first is not second


def test_a_rule_sees_what_another_made_of_its_input() -> None:
    x = T.dscalar()
    inner = ops.add(ops.neg(x), 0.0)
    (result,) = Rewriter([add_zero, negate_twice]).run([ops.neg(inner)])
    assert result is x


def test_a_rule_sees_what_it_made_itself() -> None:
    x = T.dscalar()
    y: Variable = x
    for _ in range(4):
        y = ops.neg(y)
    log = Log()
    (result,) = Rewriter([negate_twice], log=log).run([y])
    assert result is x
    assert {firing.rule for firing in log.firings} == {"negate_twice"}


def test_kept_variables_and_what_computes_them_stay() -> None:
    x = T.dscalar()
    inner = ops.neg(ops.neg(x))
    (result,) = Rewriter([negate_twice], keep={inner}).run([ops.exp(inner)])
    assert result.owner is not None
    assert result.owner.inputs[0] is inner


def test_a_rule_must_keep_the_type() -> None:
    @rule(ops.exp)
    def narrow(node: Apply) -> Replacement:
        return ops.cast(node.outputs[0], "float32")

    with pytest.raises(PlanError, match=r"\[narrow\] a rewrite must keep the type of .*exp"):
        Rewriter([narrow]).run([ops.exp(T.dscalar())])


def test_excluded_rules_do_not_run() -> None:
    x = T.dscalar()
    y = ops.mul(x, 1.0)
    (result,) = pipeline.optimize([y], excluded={"multiply_by_one"})
    assert result.owner is not None
    (result,) = pipeline.optimize([y])
    assert result is x


def test_graphs_deeper_than_the_stack() -> None:
    x = T.dscalar()
    y: Variable = x
    for _ in range(3_000):
        y = ops.add(ops.neg(y), 1.5)
    (result,) = pipeline.optimize([y])
    assert len(toposort([result])) == 3_000


def test_users_do_not_see_the_nodes_of_a_rewrite() -> None:
    seen: list[Apply] = []
    x = T.dscalar()
    y = ops.true_div(1.0, ops.add(1.0, ops.exp(ops.neg(x))))
    NODE_OBSERVERS.append(seen.append)
    try:
        pipeline.optimize([y])
    finally:
        NODE_OBSERVERS.remove(seen.append)
    assert seen == []


def test_what_a_rule_builds_has_the_line_of_what_it_replaces() -> None:
    x = T.dscalar()
    y = ops.log(ops.add(1.0, x))
    (result,) = pipeline.optimize([y])
    assert result.owner is not None
    assert y.owner is not None
    assert result.owner.op is ops.log1p
    assert result.owner.origin == y.owner.origin


def test_rewriting_twice_changes_nothing_more() -> None:
    x = T.dmatrix()
    y = ops.log(ops.sum_(ops.exp(x), axis=1))
    once = pipeline.optimize([y])
    first, second = pipeline.merge([*once, *pipeline.optimize(once)])
    assert first is second


def test_a_large_constant_is_not_folded_into_the_plan() -> None:
    large = ops.constant(np.arange(5000.0))
    (result,) = pipeline.optimize([ops.neg(large)])
    assert result.owner is not None
    assert function([], result)()[-1] == -4999


def test_an_error_in_a_constant_is_the_calls() -> None:
    wrong = ops.specify_shape(ops.constant([1.0, 2.0]), (3,))
    with pytest.raises(ValueError, match=r"\[specify_shape\]"):
        function([], ops.neg(wrong))()
    outside = ops.subtensor(ops.constant([1.0, 2.0]), 5)
    with pytest.raises(IndexError, match="out of bounds"):
        function([], ops.neg(outside))()
