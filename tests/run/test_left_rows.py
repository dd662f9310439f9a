"""Products computed by the step that reads them: the bits are those of products in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.config import config
from arignote.graph.variable import SharedVariable, Variable
from arignote.run import native
from arignote.run.mode import Mode
from helpers.programs import Program
from helpers.values import LAYOUTS, Array, lay_out


@dataclass(frozen=True)
class Sizes:
    """Of a product (m x k) by (k x n)."""

    m: int = 611
    k: int = 20
    n: int = 389
    dtype: str = "float32"

    def real(self, *shape: int, seed: int = 1) -> Array:
        return np.random.default_rng(seed).normal(size=shape).astype(self.dtype)

    def matrix(self, name: str) -> Any:
        return T.matrix(name, dtype=self.dtype)

    def shared(self, name: str, *shape: int) -> SharedVariable:
        return theano.shared(self.real(*shape, seed=len(name) + len(shape)), name)

    def number(self, value: float) -> Array:
        return np.asarray(value, self.dtype)


def descent(of: Sizes, cost: Variable, *parameters: SharedVariable) -> list[Any]:
    gradients = T.grad(cost, list(parameters))
    return [(p, p - of.number(0.1) * g) for p, g in zip(parameters, gradients, strict=True)]


def network(of: Sizes) -> Program:
    """A training step: the gradient of the first weights comes from a block of all rows."""
    x, y = of.matrix("x"), T.lvector("y")
    w, b = of.shared("w", of.m, of.n), of.shared("b", of.n)
    v = of.shared("v", of.n, 7)
    p = T.nnet.softmax(T.dot(T.tanh(T.dot(x, w) + b), v))
    cost = -T.mean(T.log(p)[T.arange(y.shape[0]), y]) + of.number(0.01) * (w**2).sum()
    labels = np.random.default_rng(2).integers(0, 7, of.k)
    return Program([x, y], cost, [of.real(of.k, of.m), labels], descent(of, cost, w, b, v))


def deep_network(of: Sizes) -> Program:
    """Two hidden layers: two gradients are left by one step."""
    x = of.matrix("x")
    w, v = of.shared("w", of.m, of.n), of.shared("vv", of.n, of.m)
    cost = T.sqr(T.tanh(T.dot(T.tanh(T.dot(x, w)), v)) - x).mean()
    return Program([x], cost, [of.real(of.k, of.m)], descent(of, cost, w, v))


def layer(of: Sizes) -> Program:
    x, w, b = of.matrix("x"), of.matrix("w"), T.vector("b", dtype=of.dtype)
    outputs = T.tanh(T.dot(x, w) + b)
    return Program(
        [x, w, b], outputs, [of.real(of.m, of.k), of.real(of.k, of.n, seed=2), of.real(of.n)]
    )


def outer(of: Sizes) -> Program:
    """The factors are transposed."""
    w, a, b = of.shared("w", of.m, of.n), of.matrix("a"), of.matrix("b")
    updates = [(w, w - of.number(0.1) * T.dot(a.T, b.T))]
    return Program([a, b], [], [of.real(of.k, of.m), of.real(of.n, of.k, seed=2)], updates)


def sums_of_rows(of: Sizes) -> Program:
    a, b = of.matrix("a"), of.matrix("b")
    outputs = T.sqr(T.dot(a, b)).sum(axis=1)
    return Program([a, b], outputs, [of.real(of.m, of.k), of.real(of.k, of.n, seed=2)])


def sums_of_columns(of: Sizes) -> Program:
    a, b = of.matrix("a"), of.matrix("b")
    outputs = T.sqr(T.dot(a, b)).sum(axis=0)
    return Program([a, b], outputs, [of.real(of.m, of.k), of.real(of.k, of.n, seed=2)])


def overwritten_factor(of: Sizes) -> Program:
    """The step that reads the product overwrites one of its factors."""
    w, a = of.shared("w", of.m, of.n), of.matrix("a")
    updates = [(w, w - of.number(0.1) * T.dot(a, w[: of.k]))]
    return Program([a], [], [of.real(of.m, of.k)], updates)


def doubled(of: Sizes) -> Program:
    """Two products meet in a step, which takes one of them as it is computed."""
    a, b = of.matrix("a"), of.matrix("b")
    outputs = T.exp(T.dot(a, b)) * T.dot(abs(a), b)
    return Program([a, b], outputs, [of.real(of.m, of.k), of.real(of.k, of.n, seed=2)])


Build = Callable[[Sizes], Program]
# With how many products are left to their readers.
MODELS: dict[Build, int] = {
    network: 1,
    deep_network: 2,
    layer: 1,
    outer: 1,
    sums_of_rows: 1,
    sums_of_columns: 0,
    overwritten_factor: 1,
    doubled: 1,
}
each_model = pytest.mark.parametrize("build", MODELS)


def compiled(item: Program) -> Any:
    """Return the function; products are steps of their own where no sum over rows is needed."""
    is_trained = len(item.updates or ()) > 1
    return item.function(mode=None if is_trained else Mode().excluding("by_rows"))


def bits(item: Program, looks: bool = False) -> list[bytes]:
    """Return the bytes of what two calls give and leave in the parameters.

    Who looks at each step, as a profile does, has every product written.
    """
    f = compiled(item)
    if looks:
        f.profile(True)
    found = []
    for _ in range(2):
        outputs = f(*item.arguments)
        listed = outputs if isinstance(outputs, list) else [outputs]
        found += [np.asarray(array).tobytes() for array in (*listed, *item.values())]
    return found


@each_model
def test_products_are_left(build: Build) -> None:
    before = native.left_outputs()
    bits(build(Sizes()))
    assert native.left_outputs() - before == MODELS[build]


@each_model
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_bits_are_those_of_products_in_memory(build: Build, dtype: str) -> None:
    for m, k, n in [(1031, 1, 130), (512, 61, 512), (40, 3, 1700)]:
        of = Sizes(m, k, n, dtype)
        assert bits(build(of)) == bits(build(of), looks=True)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_on_any_target(dtype: str, target: str) -> None:
    of = Sizes(dtype=dtype)
    assert bits(outer(of)) == bits(outer(of), looks=True)


@pytest.mark.usefixtures("all_threads")
@each_model
def test_any_number_of_threads_gives_the_same_bits(build: Build) -> None:
    found = []
    for threads in (1, 2, 7):
        config.threads = threads
        found.append(bits(build(Sizes())))
    assert found[1:] == found[:-1]


@each_model
def test_small_and_deep_products_are_written(build: Build) -> None:
    before = native.left_outputs()
    for of in (Sizes(60, 20, 50), Sizes(260, 257, 270)):
        assert bits(build(of)) == bits(build(of), looks=True)
    assert native.left_outputs() == before


@pytest.mark.parametrize("name", LAYOUTS)
def test_any_layout(name: str) -> None:
    for build in (network, layer, outer):
        item = build(Sizes())
        item.arguments = [lay_out(argument, name) for argument in item.arguments]
        assert bits(item) == bits(build(Sizes()))


def test_batches_that_alternate() -> None:
    """Large ones have several blocks, whose sums are in memory."""
    before = native.left_outputs()
    sizes = [Sizes(k=k) for k in (20, 3, 2000, 20, 1, 700, 2000, 20)]
    item, looked = network(sizes[0]), network(sizes[0])
    f, g = item.function(), looked.function()
    g.profile(True)
    for of in sizes:
        arguments = network(of).arguments
        assert f(*arguments).tobytes() == g(*arguments).tobytes()
        for own, other in zip(item.values(), looked.values(), strict=True):
            np.testing.assert_array_equal(own, other)
    assert native.left_outputs() - before >= 6


def test_who_looks_in_between() -> None:
    """A function may be looked at now and then."""
    item, other = deep_network(Sizes()), deep_network(Sizes())
    f, g = item.function(), other.function()
    for looks in (False, True, False, False, True):
        f.profile(looks)
        assert f(*item.arguments).tobytes() == g(*item.arguments).tobytes()


def test_many_steps_in_one_call() -> None:
    item, other = network(Sizes()), network(Sizes())
    batches = [[item.arguments[0] * scale, item.arguments[1]] for scale in np.float32([1, 3, 2])]
    calls = [item.function()(*batch) for batch in batches]
    found = other.function().map(*(np.stack(column) for column in zip(*batches, strict=True)))
    assert np.stack(calls).tobytes() == found.tobytes()
    for own, theirs in zip(item.values(), other.values(), strict=True):
        np.testing.assert_array_equal(own, theirs)


def test_a_failed_call_leaves_everything_as_it_was() -> None:
    item, other = network(Sizes()), network(Sizes())
    f, g = item.function(), other.function()
    x, labels = item.arguments
    wrong = labels.copy()
    wrong[-1] = 7
    for _ in range(2):
        before = item.values()
        with pytest.raises(IndexError):
            f(x, wrong)
        for own, saved in zip(item.values(), before, strict=True):
            np.testing.assert_array_equal(own, saved)
        assert f(x, labels).tobytes() == g(x, labels).tobytes()


def test_nothing_is_allocated_in_the_steady_state() -> None:
    item = deep_network(Sizes())
    f = item.function()
    f(*item.arguments)
    before = native.allocations()
    f(*item.arguments)
    assert native.allocations() == before


def test_a_product_that_others_read_is_written() -> None:
    """An output, a window on it, and a second reader would see that nothing is there."""
    a, b = T.fmatrix("a"), T.fmatrix("b")
    product = T.dot(a, b)
    rng = np.random.default_rng(1)
    arguments = [rng.normal(size=shape).astype("float32") for shape in ((600, 8), (8, 400))]
    wanted = arguments[0].astype(float) @ arguments[1].astype(float)
    f = theano.function([a, b], [T.tanh(product), product, product[3:5, ::2]])
    g = theano.function([a, b], [T.tanh(product), T.sqr(product[::-1]).sum(axis=0)])
    before = native.left_outputs()
    (squashed, whole, part), (again, squares) = f(*arguments), g(*arguments)
    assert native.left_outputs() == before
    np.testing.assert_allclose(whole, wanted, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(part, whole[3:5, ::2])
    np.testing.assert_array_equal(squashed, again)
    np.testing.assert_allclose(squashed, np.tanh(whole), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(squares, (wanted**2).sum(axis=0), rtol=1e-4)
