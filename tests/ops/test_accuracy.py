"""Functions and rows of scores are as accurate as docs/accuracy.md states."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest

import arignote.tensor as T
from arignote import ops
from arignote.graph.op import OPS
from arignote.graph.type import tensor_type
from arignote.run.function import function
from helpers.accuracy import WIDER, each_dtype, stated, units, wide
from helpers.values import Array

FUNCTIONS = {
    name: op for name, op in OPS.items() if isinstance(op, ops.ElementwiseOp) and op.accuracy.ulp
}


def compute(build: Any, *arrays: Array) -> Array:
    inputs = [tensor_type(item.dtype.name, item.ndim).make_variable() for item in arrays]
    return np.asarray(function(inputs, build(*inputs), on_unused_input="ignore")(*arrays))


# --- elementwise functions


def arguments(dtype: str, count: int) -> Array:
    """Return numbers of all magnitudes, and many where functions bend."""
    rng = np.random.default_rng(0)
    integers = {"float32": "uint32", "float64": "uint64"}[dtype]
    bits = rng.integers(0, np.iinfo(integers).max, count, integers).view(dtype)
    near = [rng.normal(size=count) * scale for scale in (1e-3, 0.1, 1, 10)]
    items = (bits[np.isfinite(bits)], *near, 1 + near[0])
    return np.concatenate([item.astype(dtype) for item in items])


@cache
def exact_values(name: str, dtype: str) -> tuple[tuple[Array, ...], Array]:
    """Return arguments of a function, and its values."""
    x = arguments(dtype, 30_000 if dtype == "float32" else 10_000)
    operands = (x, np.random.default_rng(1).permutation(x))[: len(FUNCTIONS[name].arguments)]
    with np.errstate(all="ignore"):
        return operands, FUNCTIONS[name].scalar(*map(wide, operands))


def test_all_functions_are_stated() -> None:
    assert set(stated("Elementwise functions")) == set(FUNCTIONS)


@each_dtype
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str, dtype: str, target: str) -> None:
    operands, exact = exact_values(name, dtype)
    assert exact.dtype == WIDER[dtype]
    found = compute(FUNCTIONS[name], *operands)
    limits = np.finfo(dtype)
    inside = (np.abs(exact) >= limits.tiny) & (np.abs(exact) < limits.max)
    with np.errstate(invalid="ignore"):
        error = np.abs(found - exact)[inside] / np.spacing(np.abs(exact[inside]).astype(dtype))
    worst = int(np.argmax(error))
    bound = stated("Elementwise functions")[name][dtype]
    assert error[worst] <= bound, [item[inside][worst] for item in operands]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logarithms_of_powers_are_exact(dtype: str, target: str) -> None:
    twos = np.arange(-140, 128)
    assert np.array_equal(compute(ops.log2, np.ldexp(np.ones(1, dtype), twos)), twos)
    tens = np.arange(11)
    assert np.array_equal(compute(ops.log10, np.asarray(10.0**tens, dtype)), tens)


# --- rows of scores


class Scores(NamedTuple):
    """Rows of scores, each with a label and a weight, and what follows from them exactly."""

    x: Array
    labels: Array
    weights: Array
    distance: Array  # of a score from the largest of its row
    total: Array  # of the exponentials of these
    largest: Array

    @property
    def probabilities(self) -> Array:
        return np.exp(-self.distance) / self.total

    @property
    def logarithms(self) -> Array:
        return -self.distance - np.log(self.total)

    @property
    def losses(self) -> Array:
        return -self.logarithms[np.arange(len(self.x)), self.labels]


@cache
def scores(dtype: str, classes: int, spread: float) -> Scores:
    rng = np.random.default_rng(classes)
    rows = 200_000 // classes
    x = (spread * rng.normal(size=(rows, classes))).astype(dtype)
    largest = wide(x).max(axis=1, keepdims=True)
    distance = largest - wide(x)
    return Scores(
        x,
        rng.integers(0, classes, rows),
        rng.normal(size=rows).astype(dtype),
        distance,
        np.exp(-distance).sum(axis=1, keepdims=True),
        largest,
    )


def softmax(of: Scores) -> Iterator[tuple[Array, Array, Array]]:
    found, exact = compute(T.nnet.softmax, of.x), of.probabilities
    normal = exact >= np.finfo(of.x.dtype).tiny
    yield found[normal], exact[normal], (exact * (1 + of.distance))[normal]


def log_of_softmax(of: Scores) -> Iterator[tuple[Array, Array, Array]]:
    exact = of.logarithms
    yield compute(T.nnet.logsoftmax, of.x), exact, np.maximum(1, np.abs(exact))


def log_of_sum(of: Scores) -> Iterator[tuple[Array, Array, Array]]:
    exact = (of.largest + np.log(of.total))[:, 0]
    found = compute(lambda x: T.log(T.sum(T.exp(x), axis=1)), of.x)
    yield found, exact, np.maximum(1, np.abs(exact))


def likelihood(of: Scores) -> Iterator[tuple[Array, Array, Array]]:
    exact = of.losses
    scale = np.maximum(1, exact)
    yield compute(ops.nll_op, of.x, of.labels), exact, scale
    yield compute(both(1), of.x, of.labels, of.weights), exact, scale


def gradient(of: Scores) -> Iterator[tuple[Array, Array, Array]]:
    exact = of.probabilities
    exact[np.arange(len(exact)), of.labels] -= 1
    weights = wide(of.weights)[:, None]
    operands = (of.x, of.labels, of.weights)
    for found in (compute(ops.nll_gradient_op, *operands), compute(both(0), *operands)):
        yield found, exact * weights, np.abs(weights)


def both(output: int) -> Any:
    return lambda *operands: ops.nll_with_gradient_op.make(operands).outputs[output]


COMPUTATIONS = {
    "softmax": softmax,
    "log of softmax": log_of_softmax,
    "log of a sum of exponentials": log_of_sum,
    "likelihood of a label": likelihood,
    "its gradient": gradient,
}


def test_all_computations_are_stated() -> None:
    assert set(stated("Rows of scores")) == set(COMPUTATIONS)


@each_dtype
@pytest.mark.parametrize("name", COMPUTATIONS)
@pytest.mark.parametrize("classes", [2, 3, 10, 33, 1000, 100_003])
def test_rows_of_scores(classes: int, name: str, dtype: str, target: str) -> None:
    for spread in (0.1, 1, 10, 100):
        for found, exact, scale in COMPUTATIONS[name](scores(dtype, classes, spread)):
            assert found.dtype == dtype
            assert units(found, exact, scale) <= stated("Rows of scores")[name][dtype], spread
