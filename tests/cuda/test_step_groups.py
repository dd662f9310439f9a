"""Small steps that a device runs in one launch, and the updates that end a training step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.graph.variable import SharedVariable
from arignote.run.function import Function
from helpers.backend import set_order
from helpers.emulated import ORDERS, emulated, launches

Model = tuple[Function, list[Any], list[SharedVariable]]


def parameters(rng: np.random.Generator) -> list[SharedVariable]:
    w = theano.shared(rng.normal(size=(6, 3)).astype("float32"), name="w")
    return [w, theano.shared(np.zeros(3, "float32"), name="b")]


def step(kind: str, rows: int = 20) -> Model:
    """Return a softmax step with one of several rules by which parameters are updated."""
    rng = np.random.default_rng(rows)
    x, y = T.fmatrix("x"), T.ivector("y")
    weights = parameters(rng)
    p = T.nnet.softmax(T.dot(x, weights[0]) + weights[1])
    cost = -T.mean(T.log(p)[T.arange(y.shape[0]), y])
    updates, states = [], [*weights]
    for w, g in zip(weights, T.grad(cost, weights), strict=True):
        if kind == "plain":
            updates.append((w, w - np.float32(0.1) * g))
            continue
        v = theano.shared(np.ones_like(w.get_value()), name=f"v_{w.name}")
        states.append(v)
        if kind == "momentum":
            new = np.float32(0.9) * v - np.float32(0.1) * g
            updates += [(v, new), (w, w + new)]
        elif kind == "weight decay":
            updates += [(w, w - np.float32(0.1) * (g + np.float32(0.01) * w)), (v, abs(g))]
        else:
            # Its old values are read at other places than they are written at.
            updates += [(w, w - np.float32(0.1) * g), (v, w[::-1])]
    f = theano.function([x, y], cost, updates=updates)
    data = rng.normal(size=(rows, 6)).astype("float32")
    return f, [data, rng.integers(0, 3, rows).astype("int32")], states


def values(states: list[SharedVariable]) -> list[Any]:
    return [np.asarray(state.get_value()) for state in states]


KINDS = ["plain", "momentum", "weight decay", "reversed"]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", KINDS)
def test_updates_are_those_of_steps_that_run_one_by_one(
    order: str, kind: str, on_device: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_LAUNCH_BLOCKING", "1")
    f, arguments, states = step(kind)
    wanted = [f(*arguments), f(*arguments), *values(states)]
    monkeypatch.delenv("CUDA_LAUNCH_BLOCKING")
    g, arguments, others = step(kind)
    set_order(order)
    found = [g(*arguments), g(*arguments), *values(others)]
    set_order("forward")
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("kind", "count"), [("plain", 3), ("momentum", 3), ("weight decay", 3)])
def test_updates_end_the_training_step(kind: str, count: int, on_device: None) -> None:
    f, arguments, _ = step(kind)
    f(*arguments)
    # What divides by the number of rows, the rows, and all that follows from their sums.
    assert launches(lambda: f(*arguments)) == count


@pytest.mark.parametrize("row", [0, 11, 19])
def test_nothing_is_updated_if_a_label_is_out_of_range(row: int, on_device: None) -> None:
    f, (data, labels), states = step("momentum")
    f(data, labels)
    before = values(states)
    wrong = labels.copy()
    wrong[row] = 3
    for order in ("forward", "backward", "shuffled"):
        emulated().set_order(order)
        with pytest.raises(IndexError, match=f"element {row} of the labels"):
            f(data, wrong)
    emulated().set_order("forward")
    for one, other in zip(values(states), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_turn_of_the_tutorial_is_three_kernels(on_device: None) -> None:
    rng = np.random.default_rng(3)
    data = theano.shared(rng.normal(size=(60, 6)).astype("float32"), name="data")
    labels = T.cast(theano.shared(rng.integers(0, 3, 60).astype("float32"), name="labels"), "int32")
    index, x, y = T.lscalar("index"), T.fmatrix("x"), T.ivector("y")
    w, b = parameters(rng)
    p = T.nnet.softmax(T.dot(x, w) + b)
    cost = -T.mean(T.log(p)[T.arange(y.shape[0]), y])
    updates = [
        (v, v - np.float32(0.1) * g) for v, g in zip([w, b], T.grad(cost, [w, b]), strict=True)
    ]
    part = slice(index * 20, (index + 1) * 20)
    f = theano.function([index], cost, updates=updates, givens={x: data[part], y: labels[part]})
    f(0)
    call = launches(lambda: f(1))
    assert call == 3
    # The first step of a loop is a call. What it has made of the number of rows, the turns that
    # follow need not make again: the rows, their sums, and what a turn ends with.
    assert launches(lambda: f.map(np.arange(3))) == call + 3


class Random:
    """Functions of several small steps, whose updates read what others write."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.states = [theano.shared(rng.integers(-9, 9, 12).astype("float64")) for _ in range(3)]
        square = theano.shared(rng.integers(-9, 9, (4, 4)).astype("float64"))
        x = T.dscalar("x")

        def vector() -> Any:
            of = self.states[rng.integers(3)]
            views = [
                of,
                of,
                of[::-1],
                T.concatenate([of[1:], of[:1]]),
                of[::2].repeat(2),
                of.sum() + of,
                of[3] - of,
            ]
            return views[rng.integers(len(views))]

        updates: list[tuple[Any, Any]] = [(square, square.T - x)] if rng.random() < 0.5 else []
        updates += [(state, vector() * x + vector()) for state in self.states]
        rng.shuffle(updates)
        outputs = [vector() - 1, vector()[:5], square[1] + x, square.T + square]
        self.states.append(square)
        self.function = theano.function([x], outputs, updates=updates)

    def results(self) -> list[Any]:
        found = [*self.function(2.0), *self.function(-1.0), *self.function.map([1.0, 0.5, 2.0])]
        return [*found, *values(self.states)]


@pytest.mark.parametrize("seed", range(12))
def test_what_depends_on_each_other_stays_in_order(
    seed: int, request: pytest.FixtureRequest
) -> None:
    wanted = Random(seed).results()
    request.getfixturevalue("on_device")
    set_order(["forward", "backward", "shuffled"][seed % 3])
    found = Random(seed).results()
    set_order("forward")
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_steps_that_share_nothing_are_one_kernel(on_device: None) -> None:
    x = T.dscalar("x")
    states = [theano.shared(np.arange(n, dtype="float64")) for n in (3, 700, 1, 40)]
    f = theano.function([x], [], updates=[(v, v * x + 1) for v in states])
    f(1.0)
    assert launches(lambda: f(2.0)) == 1
    g = theano.function([x], [], updates=[(states[0], x - states[0]), (states[3], states[3] + 1)])
    g(1.0)
    assert launches(lambda: g(2.0)) == 1


@pytest.mark.parametrize(("length", "kernels"), [(3, 2), (2048, 2), (2049, 3)])
def test_results_of_any_length_end_a_turn(length: int, kernels: int, on_device: None) -> None:
    x, v = T.dscalar("x"), theano.shared(np.arange(length, dtype="float64"))
    f = theano.function([x], v * x, updates=[(v, v + 1)])
    wanted = [f(2.0), f(3.0), f(-1.0)]
    v.set_value(np.arange(length, dtype="float64"))
    call = launches(lambda: f(1.0))
    v.set_value(np.arange(length, dtype="float64"))
    found: list[Any] = []
    turn = launches(lambda: found.extend(f.map([2.0, 3.0, -1.0]))) - call
    np.testing.assert_array_equal(found, wanted)
    assert turn == kernels + call
