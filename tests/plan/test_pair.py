"""Where a likelihood and its gradient are one step."""

from __future__ import annotations

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote import ops
from arignote.graph.variable import Variable
from arignote.plan.plan import Plan

X, Y, Z = T.dmatrix("x"), T.lvector("y"), T.dvector("z")
LOSS = ops.nll_op(X, Y)


def gradient(weights: Variable) -> Variable:
    return ops.nll_gradient_op.make([X, Y, weights]).outputs[0]


def steps(plan: Plan) -> list[str]:
    return [step.op for step in plan.steps if step.op.startswith("nll")]


def compiled(*outputs: Variable) -> Plan:
    return theano.function([X, Y, Z], list(outputs), on_unused_input="ignore").plan


def test_both_of_the_same_scores() -> None:
    assert steps(compiled(LOSS, gradient(Z))) == ["nll_with_gradient"]
    assert steps(compiled(LOSS.sum(), T.grad(LOSS.sum(), X))) == ["nll_with_gradient"]


def test_one_without_the_other() -> None:
    assert steps(compiled(LOSS)) == ["nll"]
    assert steps(compiled(gradient(Z))) == ["nll_gradient"]


def test_two_gradients_share_one_loss() -> None:
    assert sorted(steps(compiled(LOSS, gradient(Z), gradient(Z * Z)))) == [
        "nll_gradient",
        "nll_with_gradient",
    ]


def test_weights_that_follow_from_the_loss() -> None:
    """As those of a focal loss do; their shape may."""
    assert sorted(steps(compiled(LOSS, gradient(LOSS * LOSS)))) == ["nll", "nll_gradient"]
    assert steps(compiled(LOSS, gradient(T.ones_like(LOSS)))) == ["nll_with_gradient"]


def test_the_loss_of_one_model_weights_another() -> None:
    """Each loss is paired where it can be, and none comes to wait for itself."""
    scores = T.dmatrix("scores")
    other = ops.nll_op(scores, Y)
    back = ops.nll_gradient_op.make([scores, Y, LOSS]).outputs[0]
    f = theano.function([X, scores, Y], [LOSS, other, gradient(other), back])
    assert sorted(steps(f.plan)) == ["nll", "nll_gradient", "nll_with_gradient"]
    rng = np.random.default_rng(5)
    arguments = [rng.normal(size=(6, 4)), rng.normal(size=(6, 4)), rng.integers(0, 4, 6)]
    apart = theano.function([X, scores, Y], [LOSS, other, gradient(other), back], mode="reference")
    for found, wanted in zip(f(*arguments), apart(*arguments), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-13)


def test_branches_keep_them_apart() -> None:
    """A branch that is not taken may have labels that are out of range."""
    flag = T.bscalar("flag")
    chosen = theano.ifelse.ifelse(flag, LOSS.sum(), gradient(Z).sum())
    plan = theano.function([flag, X, Y, Z], chosen).plan
    assert sorted(steps(plan)) == ["nll", "nll_gradient"]


def test_excluding_fusion_keeps_them_apart() -> None:
    mode = theano.compile.Mode().excluding("fusion")
    f = theano.function([X, Y, Z], [LOSS, gradient(Z)], mode=mode)
    assert sorted(steps(f.plan)) == ["nll", "nll_gradient"]


@pytest.mark.parametrize("mode", ["native", "reference"])
def test_errors_tell_the_line_of_the_loss(mode: str) -> None:
    step = theano.function([X, Y], [LOSS, gradient(T.ones_like(LOSS))], mode=mode)
    with pytest.raises(IndexError, match=r"^\[nll_with_gradient\] index out of bounds") as caught:
        step(np.zeros((2, 3)), [0, 3])
    assert LOSS.owner.origin is not None
    assert f"line {LOSS.owner.origin.line}" in "\n".join(caught.value.__notes__)
