"""Where likelihoods of labels share exponentials with sums of log-softmax."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.graph.variable import Variable
from arignote.plan.plan import Plan
from helpers.tolerance import assert_close
from helpers.values import Array

X, Y, Z = T.dmatrix("x"), T.lvector("y"), T.dvector("z")
NUMBERS = T.arange(Y.shape[0])


def likelihood(x: Variable, numbers: Variable = NUMBERS) -> Any:
    return -T.log(T.nnet.softmax(x))[numbers, Y]


def smoothed(x: Variable) -> Any:
    """The two terms are of as many rows, since they are added."""
    return T.mean(0.9 * likelihood(x) - 0.1 * T.mean(T.nnet.logsoftmax(x), axis=1))


def compiled(*outputs: Variable, **options: Any) -> Plan:
    inputs = [X, Y, Z]
    return theano.function(inputs, list(outputs), on_unused_input="ignore", **options).plan


def steps(plan: Plan) -> list[str]:
    return [step.op for step in plan.steps if step.op != "elementwise"]


def test_label_smoothing_has_no_step_of_a_likelihood() -> None:
    assert steps(compiled(smoothed(X))) == ["pick"]
    assert steps(compiled(smoothed(X), T.grad(smoothed(X), X))) == ["pick", "place"]


def test_exponentials_are_computed_once() -> None:
    plan = compiled(smoothed(X), T.grad(smoothed(X), X))
    assert str(plan).count("= exp(") == 1


def test_a_likelihood_alone_stays_as_it_is() -> None:
    cost = T.mean(likelihood(X))
    assert steps(compiled(cost, T.grad(cost, X))) == ["nll_with_gradient"]


def test_of_other_scores() -> None:
    cost = T.mean(likelihood(X) - T.mean(T.nnet.logsoftmax(2 * X), axis=1))
    assert steps(compiled(cost)) == ["nll"]


def test_rows_of_which_some_may_have_no_label() -> None:
    """Their means may be of more rows than there are labels, unless the rows are counted."""
    apart = T.mean(likelihood(X)) - T.mean(T.nnet.logsoftmax(X))
    assert steps(compiled(apart)) == ["nll"]
    counted = T.mean(likelihood(X, T.arange(X.shape[0]))) - T.mean(T.nnet.logsoftmax(X))
    assert steps(compiled(counted)) == ["pick"]
    scores, labels = np.random.default_rng(1).normal(size=(5, 3)), np.array([0, 2])
    f = theano.function([X, Y], apart)
    g = theano.function([X, Y], apart, mode="reference")
    assert_close(np.asarray(f(scores, labels)), np.asarray(g(scores, labels)))


def test_branches_keep_them_apart() -> None:
    """A branch that is not taken may have labels that are out of range."""
    flag = T.bscalar("flag")
    chosen = theano.ifelse.ifelse(flag, smoothed(X), T.mean(X))
    assert "nll" in steps(theano.function([flag, X, Y], chosen).plan)


def test_excluding_fusion_keeps_them_apart() -> None:
    mode = theano.compile.Mode().excluding("fusion")
    assert "nll" in steps(compiled(smoothed(X), mode=mode))


def by_hand(x: Array, y: Array) -> tuple[Any, Array]:
    logs = x - np.max(x, axis=1, keepdims=True)
    logs = logs - np.log(np.sum(np.exp(logs), axis=1, keepdims=True))
    targets = np.full(x.shape, 0.1 / x.shape[1])
    targets[np.arange(len(y)), y] += 0.9
    slope = (np.exp(logs) - targets) / len(y)
    return -np.mean(np.sum(targets * logs, axis=1)), slope


@pytest.mark.parametrize("offset", [0.0, 1e4])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values(dtype: str, offset: float) -> None:
    x = T.matrix("x", dtype=dtype)
    numbers = T.arange(x.shape[0])
    logs = T.nnet.logsoftmax(x)
    most, rest = (np.asarray(value, dtype) for value in (0.9, 0.1))
    cost = T.mean(-most * logs[numbers, Y] - rest * T.mean(logs, axis=1))
    f = theano.function([x, Y], [cost, T.grad(cost, x)])
    rng = np.random.default_rng(2)
    scores = (3 * rng.normal(size=(40, 9)) + offset).astype(dtype)
    labels = rng.integers(-9, 9, 40)
    loss, slope = by_hand(scores.astype("float64"), labels)
    found = f(scores, labels)
    assert_close(np.asarray(found[0]), np.asarray(loss, dtype))
    assert_close(found[1], np.asarray(slope, dtype), scale=1 / 40)


def test_a_second_reader_of_what_is_placed() -> None:
    """The gradient of the likelihood is needed by itself, too."""
    by_label = T.grad(T.sum(likelihood(X)), X)
    outputs = [T.grad(smoothed(X), X) + by_label, by_label, smoothed(X)]
    rng = np.random.default_rng(3)
    arguments = [rng.normal(size=(6, 4)), rng.integers(0, 4, 6)]
    found = theano.function([X, Y], outputs)(*arguments)
    wanted = theano.function([X, Y], outputs, mode="reference")(*arguments)
    for a, b in zip(found, wanted, strict=True):
        assert_close(np.asarray(a), np.asarray(b), scale=1)


@pytest.mark.parametrize("mode", ["native", "reference"])
def test_errors_tell_the_line_of_the_likelihood(mode: str) -> None:
    loss = likelihood(X)
    cost = T.mean(loss - T.mean(T.nnet.logsoftmax(X), axis=1))
    f = theano.function([X, Y], [cost, T.grad(cost, X)], mode=mode)
    with pytest.raises(
        IndexError, match=r"^\[pick\] index out of bounds, index 3 .*: element 1"
    ) as caught:
        f(np.zeros((2, 3)), [0, 3])
    assert "in likelihood" in "\n".join(caught.value.__notes__)


def test_own_sums_of_exponentials_count() -> None:
    """Whoever computes them by hand; what is added to them is not taken for a part of them."""
    shifted = X - T.max(X, axis=1, keepdims=True)
    total = 1 + T.sum(T.exp(shifted), axis=1)
    output = likelihood(X) + T.log(total)
    f = theano.function([X, Y], output)
    assert steps(f.plan) == ["pick"]
    scores, labels = np.random.default_rng(4).normal(size=(5, 3)), np.array([0, 2, 1, -1, 0])
    wanted = theano.function([X, Y], output, mode=theano.compile.Mode(optimizer=None))
    assert_close(f(scores, labels), wanted(scores, labels), scale=1)
