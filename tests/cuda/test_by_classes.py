"""Losses over so many classes that the emulated device goes through parts of them, twice."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.graph import dtypes
from arignote.graph.variable import Variable
from arignote.run.function import Function
from helpers.backend import backend_module, block_bytes
from helpers.class_parts import CLASSES, FEATURES, ROWS, SMALL, assert_like, goes_through_parts
from helpers.emulated import emulated
from helpers.values import Array


@pytest.fixture(autouse=True)
def _device(on_device: None) -> None:
    """All functions are made for the device."""


@pytest.fixture
def small() -> Iterator[None]:
    with block_bytes(SMALL):
        yield


@dataclass(frozen=True)
class Head:
    """A language model's last layer.

    ``turned`` weights have a row for each class; ``scored`` is the dtype of the likelihoods.
    """

    dtype: str = "bfloat16"
    turned: bool = False
    has_bias: bool = False
    scored: str = ""
    classes: int = CLASSES
    rate: float = 0.5

    def data(self) -> tuple[Array, Array, Array, Array]:
        """Return rows, weights, a bias and labels, some of which count from the end."""
        rng = np.random.default_rng(0)
        dtype = dtypes.normalize(self.dtype)
        x = rng.standard_normal((ROWS, FEATURES)).astype(dtype)
        w = (rng.standard_normal((FEATURES, self.classes)) / 4).astype(dtype)
        b = rng.standard_normal(self.classes).astype(dtype)
        return (
            x,
            w.T.copy() if self.turned else w,
            b,
            rng.integers(-self.classes, self.classes, ROWS),
        )

    def states(self) -> list[Any]:
        """Return rows, weights and a bias as shared variables, all of which are to be trained."""
        x, w, b, _ = self.data()
        pairs = [("x", x), ("w", w), ("b", b)] if self.has_bias else [("x", x), ("w", w)]
        return [theano.shared(value, name) for name, value in pairs]

    def loss(self, labels: Any, states: list[Any]) -> Variable:
        """Return the mean likelihood of the labels."""
        x, w, *rest = states
        scores = T.dot(x, w.T if self.turned else w)
        scores = scores + rest[0] if rest else scores
        log_p = T.log(T.nnet.softmax(T.cast(scores, self.scored) if self.scored else scores))
        return -T.mean(log_p[T.arange(labels.shape[0]), labels])

    def step(self) -> tuple[Function, list[Any]]:
        """Return a function that trains all of it, and what it trains."""
        labels, states = T.lvector("labels"), self.states()
        loss = self.loss(labels, states)
        rate = T.constant(self.rate, dtype=self.dtype)
        pairs = zip(states, T.grad(loss, states), strict=True)
        updates = [(v, v - rate * g) for v, g in pairs]
        return theano.function([labels], loss, updates=updates), states


def trained(head: Head, steps: int = 2) -> tuple[Function, list[Array]]:
    """Return what some steps come to."""
    f, states = head.step()
    losses = [np.asarray(f(head.data()[-1])) for _ in range(steps)]
    return f, [np.asarray(a, "float64") for a in (losses, *(v.get_value() for v in states))]


HEADS = {
    "plain": Head(),
    "float16": Head(dtype="float16"),
    "bias": Head(has_bias=True),
    "turned": Head(turned=True),
    "turned with a bias": Head(turned=True, has_bias=True, dtype="float16"),
    "float32 scores": Head(scored="float32"),
    "float64 scores": Head(scored="float64", has_bias=True),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_training_step_comes_to_what_it_comes_to_in_one_piece(name: str, small: None) -> None:
    head = HEADS[name]
    f, found = trained(head)
    assert goes_through_parts(f)
    with block_bytes(512 << 20):
        whole, wanted = trained(head)
    assert not goes_through_parts(whole)
    assert_like(found, wanted, head.dtype)


def test_rows_that_have_no_likelihood_stay_without(small: None) -> None:
    head = Head(dtype="float16", rate=1e-3)
    f, states = head.step()
    x = states[0].get_value()
    # Infinite scores in some of the classes, and in all of them; and what is no number.
    x[3, :], x[5, :], x[7, 0] = np.inf, -np.inf, np.nan
    weights = np.abs(states[1].get_value())
    weights[:, 70:] *= -1
    for value, state in zip((x, weights), states, strict=True):
        state.set_value(value)
    labels = head.data()[-1]
    f(labels)
    assert goes_through_parts(f)
    found = [v.get_value() for v in states]
    for value, state in zip((x, weights), states, strict=True):
        state.set_value(value)
    with block_bytes(512 << 20):
        whole, others = head.step()
        for value, state in zip((x, weights), others, strict=True):
            state.set_value(value)
        whole(labels)
    for a, b in zip(found, (v.get_value() for v in others), strict=True):
        np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
    assert np.isnan(found[0]).any()
    assert not np.isnan(found[0]).all()


@pytest.mark.parametrize("place", [0, 77])
@pytest.mark.parametrize("turned", [False, True])
def test_a_wrong_label_changes_nothing(place: int, turned: bool, small: None) -> None:
    head = Head(turned=turned)
    f, states = head.step()
    labels = head.data()[-1]
    f(labels)
    assert goes_through_parts(f)
    before = [v.get_value() for v in states]
    for label in (CLASSES, -CLASSES - 1):
        labels[place] = label
        match = f"index {label} is out of bounds for size {CLASSES}: element {place} of the labels"
        with pytest.raises(IndexError, match=match):
            f(labels)
    for state, value in zip(states, before, strict=True):
        np.testing.assert_array_equal(state.get_value(), value)


@pytest.mark.parametrize("turned", [False, True])
def test_updates_of_weights_need_no_gradient_in_memory(turned: bool, small: None) -> None:
    device = backend_module()
    f, states = Head(turned=turned, classes=3000).step()
    gc.collect()
    device.memory(0, reset=True)
    now = device.memory(0)[0]
    f(Head().data()[-1])
    assert goes_through_parts(f)
    # The gradient by the rows takes some; that by the weights, as bfloat16, would take as much as
    # they do, and the sum that blocks of rows add up twice as much.
    assert device.memory(0)[1] - now < states[1].get_value().nbytes


def updates_of(name: str, w: Any, u: Any, g: Any) -> list[tuple[Any, Variable]]:
    """Return updates some of which must not come to pass while parts are still to be read."""
    half = T.constant(0.5, dtype="bfloat16")
    old = w[:, 3]
    return {
        "as it is": [(u, g)],
        "twice": [(w, w - half * g), (u, u + g)],
        "the old value": [(w, w - half * g), (u, T.nnet.sigmoid(w) * half)],
        "a swap": [(w, u - g), (u, w)],
        "momentum": [(u, half * u - half * g), (w, w + half * u - half * g)],
        "a column of the old value": [(w, w - half * old.dimshuffle(0, "x") * g)],
        "a sum": [(w, w - half * g), (u, u + T.sum(g))],
        "a part": [(w, T.inc_subtensor(w[:, 3:70], g[:, 3:70]))],
    }[name]


UPDATES = ["as it is", "twice", "the old value", "a swap", "momentum", "a sum", "a part"]


@pytest.mark.parametrize("name", [*UPDATES, "a column of the old value"])
def test_updates_see_the_old_values(name: str) -> None:
    results = []
    for is_small in (True, False):
        with block_bytes(SMALL) if is_small else nullcontext():
            head = Head()
            states = head.states()
            u = theano.shared(np.ones_like(states[1].get_value()), "u")
            labels = T.lvector("labels")
            loss = head.loss(labels, states)
            gradient = T.grad(loss, states[1])
            f = theano.function([labels], loss, updates=updates_of(name, states[1], u, gradient))
            losses = [np.asarray(f(head.data()[-1])) for _ in range(2)]
        assert goes_through_parts(f) == is_small
        values = (losses, states[1].get_value(), u.get_value())
        results.append([np.asarray(value, "float64") for value in values])
    assert_like(results[0], results[1], "bfloat16")


def test_other_lengths_are_laid_out_anew() -> None:
    head = Head()
    x, w, _, labels = head.data()
    rows, y = T.matrix("rows", dtype="bfloat16"), T.lvector("y")
    weights = theano.shared(w, "w")
    loss = head.loss(y, [rows, weights])
    gradients = T.grad(loss, [rows, weights])
    f = theano.function([rows, y], [loss, *gradients])
    whole = theano.function([rows, y], [loss, *gradients])
    for count in (ROWS, 77, ROWS):
        with block_bytes(SMALL):
            found = f(x[:count], labels[:count])
        assert goes_through_parts(f)
        wanted = whole(x[:count], labels[:count])
        for a, b in zip(found, wanted, strict=True):
            assert_like([a.astype("float64")], [b.astype("float64")], "bfloat16")


def test_a_profile_can_be_switched_on_and_off(small: None) -> None:
    head = Head()
    f, states = head.step()
    plain, others = head.step()
    for is_on in (False, True, False):
        f.profile(is_on)
        f(head.data()[-1])
        plain(head.data()[-1])
    for state, other in zip(states, others, strict=True):
        np.testing.assert_array_equal(state.get_value(), other.get_value())


@pytest.mark.parametrize("trains", [True, False])
def test_loops_come_to_what_calls_come_to(trains: bool, small: None) -> None:
    """Also one in which nothing changes but what adds up the gradient."""
    head = Head()
    _, w, _, labels = head.data()
    states = head.states()
    y, total = theano.shared(labels, "y"), theano.shared(np.zeros_like(w), "total")
    loss = head.loss(y, states)
    gradient = T.grad(loss, states[1])
    updates = [(states[1], states[1] - gradient)] if trains else [(total, total + gradient)]
    f = theano.function([], loss, updates=updates)
    looped = f.repeat(3)
    after = [v.get_value() for v in (states[1], total)]
    for state, value in zip((states[1], total), (w, np.zeros_like(w)), strict=True):
        state.set_value(value)
    np.testing.assert_array_equal(looped, [f() for _ in range(3)])
    assert goes_through_parts(f)
    for state, value in zip((states[1], total), after, strict=True):
        np.testing.assert_array_equal(state.get_value(), value)
    assert after[1].any() != trains


def with_hidden_layer(head: Head) -> tuple[Function, list[Any]]:
    """Return a step whose scores follow from a layer that is computed in the same rows."""
    states = head.states()
    v = theano.shared(np.full((FEATURES, FEATURES), 0.1, states[0].dtype), "v")
    labels = T.lvector("labels")
    hidden = T.tanh(T.dot(states[0], v))
    loss = head.loss(labels, [hidden, states[1]])
    trained = [v, states[1]]
    pairs = zip(trained, T.grad(loss, trained), strict=True)
    f = theano.function([labels], loss, updates=[(p, p - g) for p, g in pairs])
    return f, trained


def test_what_cannot_be_cut_goes_through_blocks_of_rows(small: None) -> None:
    head = Head()
    f, states = with_hidden_layer(head)
    found = [np.asarray(f(head.data()[-1]), "float64")]
    assert not goes_through_parts(f)
    with block_bytes(512 << 20):
        whole, others = with_hidden_layer(replace(head))
        wanted = [np.asarray(whole(head.data()[-1]), "float64")]
    for values, variables in ((found, states), (wanted, others)):
        values += [v.get_value().astype("float64") for v in variables]
    assert_like(found, wanted, head.dtype)


def assert_steps_are_like(
    make: Callable[[], tuple[Function, list[Any]]], labels: Array, in_parts: bool = True
) -> None:
    """Hold two steps where there is little memory against those in one piece."""
    results = []
    for is_small in (True, False):
        with block_bytes(SMALL) if is_small else nullcontext():
            f, states = make()
            losses = [np.asarray(f(labels)) for _ in range(2)]
        assert goes_through_parts(f) == (is_small and in_parts)
        values = [losses, *(v.get_value() for v in states)]
        results.append([np.asarray(value, "float64") for value in values])
    assert_like(results[0], results[1], "bfloat16")


def summands(rows: int, features: int, classes: int) -> tuple[Variable, list[Any], Variable]:
    """Return labels, two matrices of rows and two of weights, and the loss of summed scores."""
    rng = np.random.default_rng(1)
    shapes = [(rows, features)] * 2 + [(features, classes)] * 2
    dtype = dtypes.normalize("bfloat16")
    names = ["x", "y", "v", "w"]
    states: list[Any] = [
        theano.shared((rng.standard_normal(shape) / 4).astype(dtype), name)
        for shape, name in zip(shapes, names, strict=True)
    ]
    x, y, v, w = states
    labels = T.lvector("labels")
    log_p = T.log(T.nnet.softmax(T.dot(x, v) + T.dot(y, w)))
    return labels, states, -T.mean(log_p[T.arange(rows), labels])


@pytest.mark.parametrize("name", ["by weights", "by weights and rows"])
def test_an_update_may_read_several_gradients(name: str) -> None:
    """What it reads beside the one that comes in parts is not there before all of them."""

    def make() -> tuple[Function, list[Any]]:
        labels, states, loss = summands(192, 100, 192)
        x, _, v, w = states
        other = T.grad(loss, w) if name == "by weights" else T.grad(loss, x).T
        return theano.function([labels], loss, updates=[(v, v - T.grad(loss, v) - other)]), states

    assert_steps_are_like(make, np.arange(192) * 5 % 192)


def test_two_gradients_by_rows_may_be_worked_on() -> None:
    """The memory of the one is free for the other when it has been read."""

    def make() -> tuple[Function, list[Any]]:
        labels, states, loss = summands(ROWS, FEATURES, CLASSES)
        pairs = zip(states, T.grad(loss, states), strict=True)
        updates = [(p, T.tanh(p - p * g)) for p, g in pairs]
        return theano.function([labels], loss, updates=updates), states

    assert_steps_are_like(make, Head().data()[-1], in_parts=False)


def test_sums_over_the_classes_before_softmax_have_no_place_yet(small: None) -> None:
    """Where they were in the call before, the memory may have been given back."""
    head = Head()
    _, w, _, _ = head.data()
    rng = np.random.default_rng(0)
    weights, v = theano.shared(w, "w"), theano.shared(np.ascontiguousarray(w.T), "v")
    rows, labels = T.matrix("rows", dtype="bfloat16"), T.lvector("labels")
    loss = head.loss(labels, [rows, weights])
    outputs = [T.dot(T.dot(rows, weights), v), loss, T.grad(loss, weights)]
    f = theano.function([rows, labels], outputs)
    # So that what is given back is what comes next.
    gc.collect()
    emulated().trim(0)
    x = rng.standard_normal((300, FEATURES)).astype(w.dtype)
    y = rng.integers(0, CLASSES, 300)
    for _ in range(2):
        for count in (80, 88, 300):
            kept = [theano.shared(np.zeros(n, "float32")) for n in (10_000, 20_000, 40_000)]
            f(x[:count], y[:count])
            assert goes_through_parts(f)
            for zeros in kept:
                assert not zeros.get_value().any()


@pytest.mark.parametrize("behind", ["another loss", "a selection"])
def test_what_fails_behind_the_loss_changes_nothing(behind: str, small: None) -> None:
    """An update is not made part by part before it is known that nothing fails."""
    head = Head()
    states = head.states()
    labels, others = T.lvector("labels"), T.lvector("others")
    loss = head.loss(labels, states)
    gradients = T.grad(loss, states)
    v = theano.shared(states[1].get_value(), "v")
    if behind == "another loss":
        second = head.loss(others, [states[0], v])
    else:
        second = T.dot(gradients[0], v)[others].sum()
    updates = [(states[1], states[1] - gradients[1])]
    f = theano.function([labels, others], [loss, second], updates=updates)
    right = np.arange(ROWS)
    f(right, right)
    assert goes_through_parts(f)
    before = states[1].get_value()
    with pytest.raises(IndexError, match="index 600 is out of bounds"):
        f(right, np.where(right == 3, 600, right))
    np.testing.assert_array_equal(states[1].get_value(), before)


@pytest.mark.parametrize("name", ["rows", "a transpose"])
def test_an_update_waits_for_other_parts_of_what_it_overwrites(name: str) -> None:
    """All parts of the classes need all rows, and a transpose of weights in other parts."""
    length = 192

    def make() -> tuple[Function, list[Any]]:
        labels, states, loss = summands(length, length, length)
        x, y, v, w = states
        if name == "a transpose":
            scores = T.dot(x, v) + T.dot(y, w.T)
            loss = -T.mean(T.log(T.nnet.softmax(scores))[T.arange(length), labels])
        target = x if name == "rows" else w
        updates = [(target, target - T.constant(8.0, dtype="bfloat16") * T.grad(loss, v))]
        return theano.function([labels], loss, updates=updates), states

    assert_steps_are_like(make, np.arange(length) * 5 % length)


@pytest.mark.parametrize("name", ["a factor", "the old value"])
def test_an_update_stays_behind_what_follows_from_the_loss(name: str) -> None:
    """What it reads is made there, or what it overwrites is read."""

    def make() -> tuple[Function, list[Any]]:
        labels, (x, _, v, w), loss = summands(ROWS, FEATURES, CLASSES)
        gradient = T.grad(loss, w)
        if name == "a factor":
            updates = [(w, w - T.sqrt(loss) * gradient)]
        else:
            updates = [(w, w - gradient), (x, T.dot(loss * x, T.dot(w, w.T)))]
        return theano.function([labels], loss, updates=updates), [v, w, x]

    assert_steps_are_like(make, Head().data()[-1])
