"""Sums of log-softmax over all classes keep their digits wherever the scores lie.

Expected values are computed in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote import ops
from arignote.run.mode import Mode
from helpers.tolerance import assert_close
from helpers.values import Array

FLOATS = ["float32", "float64"]

# Of scores, or of the logarithms of their softmax, and a row of weights.
SUMS: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Array, Array], Any]]] = {
    "sum": (lambda z, r: T.nnet.logsoftmax(z).sum(axis=1), lambda p, r: p.sum(axis=1)),
    "mean": (lambda z, r: T.log(T.nnet.softmax(z)).mean(axis=1), lambda p, r: p.mean(axis=1)),
    "mean of all": (lambda z, r: -T.mean(T.nnet.logsoftmax(z)), lambda p, r: -p.mean()),
    "weighted": (
        lambda z, r: T.sum(r * T.nnet.logsoftmax(z), axis=1),
        lambda p, r: np.sum(r * p, axis=1),
    ),
    "negative weights": (
        lambda z, r: T.sum(-2 * (T.nnet.logsoftmax(z) * r), axis=1),
        lambda p, r: -2 * np.sum(r * p, axis=1),
    ),
}


def log_softmax(z: Array) -> Array:
    shifted = z - np.max(z, axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True)))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("classes", [1, 3, 10_000])
@pytest.mark.parametrize("offset", [0.0, 1e4, -1e6])
@pytest.mark.parametrize("spread", [1e-3, 1.0, 50.0, 1e4])
@pytest.mark.parametrize("name", SUMS)
def test_no_digit_is_lost(
    name: str, spread: float, offset: float, classes: int, dtype: str
) -> None:
    """The mean of the scores less their logsumexp would be thousands of units off."""
    build, by_hand = SUMS[name]
    z, r = T.matrix("z", dtype=dtype), T.row("r", dtype=dtype)
    f = theano.function([z, r], build(z, r), on_unused_input="ignore")
    assert {step.op for step in f.plan.steps} == {"elementwise"}
    rng = np.random.default_rng(1)
    scores = (rng.normal(size=(7, classes)) * spread + offset).astype(dtype)
    weights = rng.random((1, classes)).astype(dtype)
    wanted = by_hand(log_softmax(scores.astype("float64")), weights.astype("float64"))
    assert_close(np.asarray(f(scores, weights)), np.asarray(wanted, dtype))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("offset", [0.0, 1e4, -1e6])
def test_gradients(offset: float, dtype: str) -> None:
    z, r = T.matrix("z", dtype=dtype), T.row("r", dtype=dtype)
    by_row = T.sum(r * T.nnet.logsoftmax(z), axis=1)
    rates = np.linspace(0.5, 2, 7, dtype=dtype)
    f = theano.function([z, r], T.grad(T.sum(rates * by_row), [z, r]))
    rng = np.random.default_rng(2)
    scores = (rng.normal(size=(7, 50)) + offset).astype(dtype)
    weights = rng.random((1, 50)).astype(dtype)
    logs, t = log_softmax(scores.astype("float64")), weights.astype("float64")
    each = rates[:, None].astype("float64")
    by_scores, by_weights = f(scores, weights)
    assert_close(by_scores, np.asarray(each * (t - np.exp(logs) * t.sum()), dtype), scale=2)
    assert_close(by_weights, np.asarray(np.sum(each * logs, axis=0, keepdims=True), dtype))


SPECIAL = {
    "a class that cannot be": [0.5, -np.inf, 1.5],
    "no class that can be": [-np.inf] * 3,
    "infinite": [0.5, np.inf, 1.5],
    "not a number": [0.5, np.nan, 1.5],
}


@pytest.mark.parametrize("name", SPECIAL)
@pytest.mark.parametrize("weights", [[1.0, 2.0, 3.0], [1.0, 0.0, 3.0]])
def test_what_is_not_finite(name: str, weights: list[float]) -> None:
    """It comes out as if nothing were rewritten."""
    z, r = T.matrix("z"), T.row("r")
    output = T.sum(r * T.nnet.logsoftmax(z), axis=1)
    arguments = (np.array([SPECIAL[name], [0.0, 1.0, 2.0]]), np.array([weights]))
    found = theano.function([z, r], output)(*arguments)
    wanted = theano.function([z, r], output, mode=Mode(optimizer=None))(*arguments)
    assert_close(found, wanted)


@pytest.mark.parametrize("shape", [(3, 0), (0, 4), (0, 0)])
def test_of_nothing(shape: tuple[int, int]) -> None:
    z = T.matrix("z")
    outputs = [T.sum(T.nnet.logsoftmax(z), axis=1), T.grad(T.nnet.logsoftmax(z).sum(), z)]
    total, slope = theano.function([z], outputs)(np.zeros(shape))
    np.testing.assert_array_equal(total, np.zeros(shape[0]))
    assert slope.shape == shape


@pytest.mark.parametrize("axis", [0, (0,)])
def test_sums_over_rows_stay(axis: Any) -> None:
    z = T.matrix("z")
    f = theano.function([z], T.nnet.logsoftmax(z).sum(axis=axis))
    assert "log_softmax" in [step.op for step in f.plan.steps]


def test_any_rank() -> None:
    z = T.tensor3("z")
    scores = np.random.default_rng(3).normal(size=(2, 5, 4))
    logs = log_softmax(scores.reshape(10, 4)).reshape(2, 5, 4)
    for axis in (2, (0, 2), None):
        f = theano.function([z], T.sum(ops.log_softmax_op(z), axis=axis))
        assert {step.op for step in f.plan.steps} == {"elementwise"}
        assert_close(np.asarray(f(scores)), np.asarray(logs.sum(axis=axis)))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("chosen", ["bool", "int8", "uint8", "int32", "int64", "float32"])
def test_any_type_of_weights(chosen: str, dtype: str) -> None:
    """Such as a comparison with all classes, which chooses one of them."""
    z, r = T.matrix("z", dtype=dtype), T.matrix("r", dtype=chosen)
    written = [T.sum(r * T.nnet.logsoftmax(z), axis=1), T.sum(-T.nnet.logsoftmax(z) * r, axis=1)]
    outputs = [*written, *(T.grad(total.sum(), z) for total in written)]
    rng = np.random.default_rng(4)
    scores = rng.normal(size=(7, 5)).astype(dtype)
    weights = (rng.random((7, 5)) < 0.5).astype(chosen)
    f = theano.function([z, r], outputs)
    wanted = theano.function([z, r], outputs, mode=Mode(optimizer=None))(scores, weights)
    for found, value in zip(f(scores, weights), wanted, strict=True):
        assert found.dtype == value.dtype
        assert_close(found.astype(dtype), value.astype(dtype), scale=4)
