"""Ten million rows: sums, products and gradients are as accurate as docs/accuracy.md states."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.run import native
from helpers.accuracy import each_dtype, stated, units, wide
from helpers.values import Array

ROWS = {"float32": 10_000_000, "float64": 1_000_000}
FEATURES = 2
CHUNK = 1 << 18

pytestmark = pytest.mark.slow

Kind = Callable[..., Array]


def equal(rng: np.random.Generator, *shape: int) -> Array:
    """All roundings go the same way."""
    return np.full(shape, np.linspace(0.1, 0.3, shape[1]) if len(shape) > 1 else 0.7)


def positive(rng: np.random.Generator, *shape: int) -> Array:
    return rng.random(shape)


def signed(rng: np.random.Generator, *shape: int) -> Array:
    """Terms that cancel."""
    return rng.random(shape) - 0.5


each_kind = pytest.mark.parametrize("kind", [equal, positive, signed])


@lru_cache(maxsize=1)
def draw(kind: Kind, dtype: str) -> tuple[Array, Array]:
    """Return a matrix and a vector."""
    rng, rows = np.random.default_rng(5), ROWS[dtype]
    return kind(rng, rows, FEATURES).astype(dtype), kind(rng, rows).astype(dtype)


def over_chunks(part: Callable[..., list[Array]], *arrays: Array) -> list[Array]:
    """Return the sums of what a part of the rows gives."""
    parts = [
        part(*(wide(array[first : first + CHUNK]) for array in arrays))
        for first in range(0, len(arrays[0]), CHUNK)
    ]
    return [np.sum(np.array(c, "longdouble"), axis=0) for c in zip(*parts, strict=True)]


def total(terms: Array) -> Array:
    """Return the sum over rows; along the last axis NumPy adds up in pairs."""
    return np.ascontiguousarray(np.moveaxis(terms, 0, -1)).sum(axis=-1)


# --- sums and products

# The row of the table, the graph, and the terms of each row.
Case = tuple[str, Callable[[Any, Any], Any], Callable[[Array, Array], Array]]
SUMS: dict[str, Case] = {
    "of a vector": ("sum", lambda x, v: v.sum(), lambda x, v: v),
    "of a matrix": ("sum", lambda x, v: x.sum(), lambda x, v: x.sum(axis=1)),
    "of squares": ("sum of squares", lambda x, v: (v**2).sum(), lambda x, v: v * v),
    "over rows": ("sum", lambda x, v: x.sum(axis=0), lambda x, v: x),
    "divided": ("mean", lambda x, v: v.mean(), lambda x, v: v),
}
PRODUCTS: dict[str, Case] = {
    "of two vectors": ("of vectors", lambda x, v: T.dot(v, x[:, 0]), lambda x, v: v * x[:, 0]),
    "of a vector by itself": ("of vectors", lambda x, v: T.dot(v, v), lambda x, v: v * v),
    "of a row": ("of vectors", lambda x, v: T.dot(v, x), lambda x, v: v[:, None] * x),
    "of a column": ("of matrices", lambda x, v: T.dot(x.T, v), lambda x, v: x * v[:, None]),
    "of a matrix by itself": (
        "of matrices",
        lambda x, v: T.dot(x.T, x),
        lambda x, v: x[:, :, None] * x[:, None, :],
    ),
}
CASES = {
    **{f"sum {name}": ("Sums", *case) for name, case in SUMS.items()},
    **{f"product {name}": ("Products", *case) for name, case in PRODUCTS.items()},
}


@pytest.mark.parametrize("case", CASES)
@each_kind
@each_dtype
def test_sums_and_products(case: str, kind: Kind, dtype: str) -> None:
    table, row, build, terms = CASES[case]
    arrays = draw(kind, dtype)
    exact, scale = over_chunks(
        lambda x, v: [total(terms(x, v)), total(np.abs(terms(x, v)))], *arrays
    )
    count = ROWS[dtype] if row == "mean" else 1
    x, v = T.matrix("x", dtype=dtype), T.vector("v", dtype=dtype)
    for found in on_each_target([x, v], build(x, v), *arrays):
        assert units(np.asarray(found), exact / count, scale / count) <= stated(table)[row][dtype]


@pytest.mark.parametrize(("features", "columns"), [(8, FEATURES), (FEATURES, 40)])
@each_dtype
def test_products_of_wider_matrices(features: int, columns: int, dtype: str) -> None:
    x, y = data(equal, features, dtype), data(equal, columns, dtype)
    exact, scale = over_chunks(lambda x, y: [x.T @ y, np.abs(x).T @ np.abs(y)], x, y)
    inputs = [T.matrix(name, dtype=dtype) for name in "xy"]
    bound = stated("Products")["of matrices"][dtype]
    for found in on_each_target(inputs, T.dot(inputs[0].T, inputs[1]), x, y):
        assert units(found, exact, scale) <= bound


def data(kind: Kind, features: int, dtype: str) -> Array:
    """Return a matrix; if it is wide, one row again and again, which takes no memory."""
    if features <= FEATURES:
        return np.ascontiguousarray(draw(kind, dtype)[0][:, :features])
    row = kind(np.random.default_rng(7), 1, features).astype(dtype)
    return np.broadcast_to(row, (ROWS[dtype], features))


def on_each_target(inputs: list[Any], outputs: Any, *arrays: Array) -> Iterator[Any]:
    """Yield the results of a function."""
    for target in native.targets():
        native.set_target(target)
        f = theano.function(inputs, outputs, on_unused_input="ignore")
        try:
            yield f(*arrays)
        finally:
            native.set_target("")


# --- training steps

STEPS = ("loss", "gradient by a bias", "gradient by weights")


class Loss(NamedTuple):
    """A loss of scores and targets as a graph; and in NumPy its values, and its slopes by scores.

    There the scores are a matrix, of one column if there are no classes.
    """

    graph: Callable[[Any, Any], Any]
    values: Callable[[Array, Array], tuple[Array, Array]]
    classes: int = 0


def squares(z: Array, t: Array) -> tuple[Array, Array]:
    error = z - t[:, None]
    return error[:, 0] ** 2, 2 * error


def logistic(z: Array, t: Array) -> tuple[Array, Array]:
    return np.logaddexp(0, z[:, 0]) - t * z[:, 0], 1 / (1 + np.exp(-z)) - t[:, None]


def softmax(z: Array, t: Array) -> tuple[Array, Array]:
    exponentials = np.exp(z)
    totals = exponentials.sum(axis=1, keepdims=True)
    chosen = np.arange(z.shape[1]) == t[:, None]
    return np.log(totals[:, 0]) - z[chosen], exponentials / totals - chosen


LOSSES = {
    "squares": Loss(lambda z, t: (z - t) ** 2, squares),
    "logistic": Loss(lambda z, t: T.nnet.softplus(z) - t * z, logistic),
    "softmax": Loss(lambda z, t: -T.log(T.nnet.softmax(z))[T.arange(t.shape[0]), t], softmax, 3),
}


def targets_of(name: str, kind: Kind) -> Array:
    values = draw(kind, "float32")[1]
    if name == "squares":
        return values
    return (3 * abs(values)).astype("int64") if name == "softmax" else np.float32(values > 0.25)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("kind", "features"), [(equal, 1), (signed, 20)])
def test_training_steps(kind: Kind, features: int, name: str) -> None:
    graph, values, classes = LOSSES[name]
    x, t = data(kind, features, "float32"), targets_of(name, kind)
    rng = np.random.default_rng(8)
    shape = (features, classes) if classes else (features,)
    w, b = (rng.normal(size=item).astype("float32") for item in (shape, shape[1:]))
    columns, biases = wide(w).reshape(features, -1), np.atleast_1d(wide(b))

    def sums(x: Array, t: Array) -> list[Array]:
        loss, slope = values(x @ columns + biases, t)
        # The roundings of a score are felt by its loss and its slope.
        score = np.abs(x) @ np.abs(columns) + np.abs(biases)
        sizes = np.abs(loss) + np.sum(np.abs(slope) * score, axis=1), np.abs(slope) + score
        exact = [total(loss), total(slope), x.T @ slope]
        return [*exact, total(sizes[0]), total(sizes[1]), np.abs(x).T @ sizes[1]]

    exact = over_chunks(sums, x, t)
    inputs = [T.TensorType(str(item.dtype), (False,) * item.ndim)() for item in (x, t, w, b)]
    cost = graph(T.dot(inputs[0], inputs[2]) + inputs[3], inputs[1]).sum()
    outputs = [cost, *T.grad(cost, [inputs[3], inputs[2]])]
    for results in on_each_target(inputs, outputs, x, t, w, b):
        for row, found, wanted, scale in zip(STEPS, results, exact[:3], exact[3:], strict=True):
            error = units(found.reshape(wanted.shape), wanted, scale)
            assert error <= stated("Training steps")[row]["float32"], row
