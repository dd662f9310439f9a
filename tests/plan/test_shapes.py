"""Sizes found without computing anything are those that arrays then have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings

import arignote as theano
import arignote.tensor as T
from arignote.errors import ShapeError
from arignote.graph.dim import Dim, Expr
from arignote.graph.variable import Variable
from arignote.plan import reference
from arignote.plan.plan import Plan
from arignote.plan.shapes import Shapes
from helpers.evaluate import evaluate
from helpers.random_graphs import Graph, graphs

Array = npt.NDArray[Any]


def shapes_of(*leaves: Variable) -> Shapes:
    return Shapes({leaf: leaf.name or f"v{k}" for k, leaf in enumerate(leaves)})


def dims_in(shapes: Shapes, values: Mapping[Variable, Array]) -> reference.Values:
    """Return what gives dims their values, from those of the leaves."""
    arrays = {name: np.asarray(values[leaf]) for leaf, name in shapes.names.items()}
    arrays |= {name: evaluate(scalar, values) for scalar, name in shapes.reads.items()}
    return reference.Values(Plan("", (), (), (), (), ()), arrays)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(graphs())
def test_shapes_of_random_graphs(graph: Graph) -> None:
    shapes = shapes_of(*graph.inputs, *graph.states)
    dims = {item: shapes.shape_of(item) for item in graph.values}
    scalars = [v for v in graph.values if v.ndim == 0 and v.dtype == "int64"]
    numbers = {item: shapes.value(item) for item in scalars}
    values = dims_in(shapes, graph.values)
    for item, shape in dims.items():
        assert values.shape(shape) == graph.values[item].shape, theano.pp(item)
    for item, number in numbers.items():
        assert values.dim(number) == graph.values[item], theano.pp(item)
    assert reference.failed_check(values, shapes.checks) is None


def test_a_size_is_one_dim_whoever_tells_it() -> None:
    x, y = T.dmatrix("x"), T.dmatrix("y")
    shapes = shapes_of(x, y)
    rows = Expr("shape", ("x", 0))
    assert shapes.shape_of(x.T)[1] == shapes.shape_of(x + 1)[0] == rows
    assert shapes.value(x.shape[0]) == rows
    assert shapes.shape_of(T.zeros_like(x).sum(axis=1)) == (rows,)
    product = shapes.shape_of(T.dot(x, y))
    assert product == (rows, Expr("shape", ("y", 1)))
    # The check says that these two are equal; from then on one stands for the other.
    (check,) = shapes.checks
    assert (check.kind, check.found, check.expected) == (
        "equal",
        Expr("shape", ("y", 0)),
        Expr("shape", ("x", 1)),
    )
    assert shapes.canonical_shape(shapes.shape_of(y)) == (Expr("shape", ("x", 1)), product[1])


def test_static_lengths_are_numbers() -> None:
    x = T.drow("x")
    shapes = shapes_of(x)
    assert shapes.shape_of(x) == (1, Expr("shape", ("x", 1)))
    assert shapes.shape_of(T.stack([x[0], x[0]]))[0] == 2
    assert shapes.shape_of(T.constant(np.zeros((2, 3)))) == (2, 3)
    assert shapes.shape_of(T.zeros((2, 3)).reshape((3, -1))) == (3, 2)
    assert shapes.shape_of(T.arange(2, 11, 3)) == (3,)


def test_sizes_that_never_fit_are_refused_at_once() -> None:
    shapes = shapes_of()
    with pytest.raises(
        ShapeError, match=r"\[add\] Input dimension mis-match. .*= 2.*= 3"
    ) as caught:
        shapes.shape_of(T.constant([1.0, 2.0]) + T.constant([1.0, 2.0, 3.0]))
    assert "test_shapes.py" in "".join(getattr(caught.value, "__notes__", [str(caught.value)]))


def test_a_length_that_a_step_computes_is_read_from_it() -> None:
    x = T.dvector("x")
    shapes = shapes_of(x)
    positive = x[(x > 0).nonzero()]
    (length,) = shapes.shape_of(positive)
    assert length == Expr("read", ("size0",))
    assert [str(name) for name in shapes.reads.values()] == ["size0"]
    # A length that is known when the call starts stands for it from where they must be equal.
    shapes.shape_of(x + positive)
    assert shapes.canonical_shape((length,)) == (Expr("shape", ("x", 0)),)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64"])
def test_integer_arithmetic_wraps_as_the_dtype_does(dtype: str) -> None:
    a, b = T.TensorType(dtype, ())("a"), T.TensorType(dtype, ())("b")
    shapes = shapes_of(a, b)
    results = [a + b, a - b, a * b, a // b, a % b, -a, T.minimum(a, b), T.maximum(a, b)]
    dims: list[Dim] = [shapes.value(item) for item in results]
    assert not shapes.reads
    edges = [np.iinfo(dtype).min, np.iinfo(dtype).max, -7, -1, 0, 1, 3]
    for left in edges:
        for right in edges:
            given = {a: np.array(left, dtype), b: np.array(right, dtype)}
            values = dims_in(shapes, given)
            for item, dim in zip(results, dims, strict=True):
                wanted = evaluate(item, given)
                assert values.dim(dim) == wanted, (theano.pp(item), left, right)


@pytest.mark.parametrize("dtype", ["uint8", "uint64", "bool"])
def test_other_integers_are_computed_by_steps(dtype: str) -> None:
    a = T.TensorType(dtype, ())("a")
    x = T.dvector("x")
    f = theano.function([x, a], x[: a + a] if dtype != "bool" else x[: T.cast(a, "int64") * 2])
    np.testing.assert_array_equal(f(np.arange(5.0), np.array(1, dtype)), [0, 1])


X, IV = T.dvector("x"), T.lvector("iv")
DATA = theano.shared(np.arange(6.0), "data")
PAIR = theano.shared(np.array([2, 3]), "pair")
# Sizes that are elements of an argument, and what they give for [1, 4].
ELEMENTS: dict[str, tuple[Variable, Any]] = {
    "an index": (X[IV[0]], 1),
    "a stop": (X[: IV[1]], [0, 1, 2, 3]),
    "both ends": (X[IV[0] : IV[1]], [1, 2, 3]),
    "of a reversed view": (X[: IV[::-1][0]], [0, 1, 2, 3]),
    "zeros": (T.zeros((IV[0],)), [0]),
    "a range": (T.arange(IV[1]), [0, 1, 2, 3]),
    "a reshape": (X[:4].reshape((IV[0], -1)), [[0, 1, 2, 3]]),
    "a whole shape": (X[:4].reshape(IV, ndim=2), [[0, 1, 2, 3]]),
    "of a shared vector": (X.reshape(PAIR, ndim=2), [[0, 1, 2], [3, 4, 5]]),
    "of givens": (theano.clone(X * 2, {X: DATA[IV[0] : IV[1]]}), [2, 4, 6]),
    "a scalar by reshape": (X[: IV[:1].reshape(())], [0]),
}


@pytest.mark.parametrize("mode", ["native", "reference", "check"])
@pytest.mark.parametrize("name", ELEMENTS)
def test_sizes_that_are_elements_of_a_vector(name: str, mode: str) -> None:
    result, expected = ELEMENTS[name]
    f = theano.function([X, IV], result, mode=mode, on_unused_input="ignore")
    found = f(np.arange(6.0), [1, 4])
    assert found.tolist() == expected
