"""Sizes that hang on sizes: each is met once, however often and however deeply it is used."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.graph.dim import Dim, Expr, evaluate, postorder
from arignote.graph.variable import Variable
from arignote.plan.parse import parse
from arignote.plan.plan import Buffer, Plan


def both_halves(y: Variable) -> Variable:
    return T.concatenate([y[:5], y[5:]])


def column_and_back(y: Variable) -> Variable:
    return y.reshape((y.shape[0], 1)).reshape((y.shape[0],))


# Each at a depth at which a walk along every path, or one call for each level, does not end well.
CHAINS: dict[str, tuple[int, Callable[[Variable], Variable]]] = {
    "both halves": (40, both_halves),
    "column and back": (60, column_and_back),
    "differences": (60, lambda y: y[1:] - y[:-1]),
    "all but the first": (80, lambda y: y[1:]),
    "backwards": (400, lambda y: y[::-1]),
    "reshapes": (400, lambda y: y.reshape((-1,))),
}


@pytest.mark.parametrize("name", CHAINS)
def test_chains_compile_and_run(name: str) -> None:
    count, change = CHAINS[name]
    x = T.dvector("x")
    y: Variable = x
    for _ in range(count):
        y = change(y)
    gradient = T.grad(y.sum(), x)
    f = theano.function([x], [y, gradient])
    given = np.arange(100.0)
    expected = theano.function([x], [y, gradient], mode="reference")(given)
    np.testing.assert_array_equal(f(given)[0], expected[0])
    np.testing.assert_array_equal(f(given)[1], expected[1])
    text = str(f.plan)
    assert len(text) < 6000 * count
    assert parse(text) == f.plan


def test_layers_between_reshapes() -> None:
    x, w = T.tensor3("x"), theano.shared(np.eye(4), "w")
    y: Variable = x
    for _ in range(12):
        flat = y.reshape((y.shape[0] * y.shape[1], y.shape[2]))
        y = T.dot(flat, w).reshape((y.shape[0], y.shape[1], 4))
    f = theano.function([x], [y, T.grad(y.sum(), w)])
    given = np.random.default_rng(0).random((2, 3, 4))
    np.testing.assert_allclose(f(given)[0], given)


def test_equal_expressions_are_one() -> None:
    x = Expr("shape", ("x", 0))
    dim: Dim = x
    for _ in range(200):
        dim = dim * dim + x
    assert Expr("shape", ("x", 0)) is x
    assert isinstance(dim, Expr)
    assert len(list(postorder([dim]))) == 401
    assert evaluate(dim, lambda source: 0) == 0
    assert len(str(dim)) < 1000
    with pytest.raises(AttributeError, match="cannot be changed"):
        dim.op = "max"


@pytest.mark.parametrize(
    "change", [lambda n: n + 1, lambda n: T.minimum(n + 1, 3)], ids=["sums", "bounds"]
)
def test_deep_formulas_are_sizes(change: Callable[[Variable], Variable]) -> None:
    x, n = T.dvector("x"), T.lscalar("n")
    stop: Variable = n
    for _ in range(2000):
        stop = change(stop)
    f = theano.function([x, n], x[:stop])
    assert f(np.arange(5.0), -1997).tolist() == [0, 1, 2]


def test_work_is_linear_in_the_number_of_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0
    plain = Plan.buffer

    def counted(plan: Plan, name: str) -> Buffer:
        nonlocal calls
        calls += 1
        return plain(plan, name)

    monkeypatch.setattr(Plan, "buffer", counted)
    found = []
    for count in (100, 200):
        x = T.dvector("x")
        y: Variable = x
        for _ in range(count):
            y = y.reshape((-1,))[::-1]
        calls = 0
        theano.function([x], y)
        found.append(calls)
    assert found[1] < 2.5 * found[0]
