"""Sums over a state and its update are one step, which still writes the state in place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.config import config
from arignote.graph.variable import SharedVariable, Variable
from arignote.plan.plan import Plan, Step, Temp
from arignote.run.function import Function
from helpers.tolerance import assert_reordered
from helpers.values import Array

ROWS, FEATURES, CLASSES = 5, 7, 3
RATE = np.float32(0.1)


def weights(*shape: int, name: str = "w") -> SharedVariable:
    values = np.random.default_rng(len(name)).normal(size=shape).astype(np.float32)
    variable: SharedVariable = theano.shared(values, name)
    return variable


def readers(plan: Plan, state: str) -> list[Step]:
    """Return the steps that read a state as it is."""
    return [step for step in plan.steps if state in step.inputs]


def is_in_place(plan: Plan, state: str) -> bool:
    return any(isinstance(item, Temp) and item.storage == state for item in plan.buffers)


def assert_joined(plan: Plan, *states: str) -> None:
    for state in states:
        assert [step.op for step in readers(plan, state)] == ["elementwise"]
        assert len(readers(plan, state)[0].outputs) > 1
        assert is_in_place(plan, state)


def assert_right(
    build: Callable[..., Variable], *states: SharedVariable, arguments: tuple[Array, ...] = ()
) -> Function:
    """Hold some steps down a cost against the reference; return the function."""
    inputs = [T.TensorType(a.dtype, (False,) * a.ndim)() for a in arguments]
    cost = build(*inputs, *states)
    updates = [(s, s - RATE * g) for s, g in zip(states, T.grad(cost, list(states)), strict=True)]
    first = [state.get_value() for state in states]
    results: list[list[Array]] = []
    for mode in ("reference", None):
        for state, value in zip(states, first, strict=True):
            state.set_value(value)
        f = theano.function(inputs, cost, updates=updates, mode=mode)
        costs = [f(*arguments) for _ in range(3)]
        results.append([*costs, *(state.get_value() for state in states)])
    assert_reordered(results[1], results[0])
    return f


# --- joined


def decay(w: Variable) -> Variable:
    return np.float32(0.01) * (w**2).sum()


COSTS: dict[str, Callable[[Variable], Variable]] = {
    "squares": decay,
    "absolute values": lambda w: abs(w).sum(),
    "both": lambda w: abs(w).sum() + decay(w),
    "the state itself": lambda w: w.sum() + decay(w),
    "their mean": lambda w: (w**2).mean(),
    "exponentials": lambda w: T.exp(w / 8).sum() + decay(w),
    "as a matrix": lambda w: (w**2).sum(keepdims=True).sum(),
}


@pytest.mark.parametrize("build", COSTS.values(), ids=COSTS)
@pytest.mark.parametrize("shape", [(4,), (40, 30), (300, 700)], ids=str)
def test_the_state_is_read_once(build: Callable[[Variable], Variable], shape: tuple) -> None:
    f = assert_right(build, weights(*shape))
    assert_joined(f.plan, "w")


def test_what_follows_from_the_sums_runs_after_them() -> None:
    w, v = weights(40, 30), weights(30, name="other")
    f = assert_right(lambda a, b: decay(a) + decay(b), w, v)
    assert_joined(f.plan, "w", "other")
    assert [step.op for step in f.plan.steps] == ["elementwise"] * 3
    assert f.plan.outputs[0] in f.plan.steps[-1].outputs


def network(x: Variable, y: Variable, w: Variable, v: Variable) -> Variable:
    p = T.nnet.softmax(T.dot(T.tanh(T.dot(x, w)), v))
    return T.nnet.categorical_crossentropy(p, y).mean() + decay(w) + decay(v)


def batch(labels: list[int]) -> tuple[Array, Array]:
    x = np.random.default_rng(1).normal(size=(ROWS, FEATURES)).astype(np.float32)
    return x, np.array(labels, np.int32)


def test_the_weights_of_a_network() -> None:
    w, v = weights(FEATURES, 4), weights(4, CLASSES, name="other")
    f = assert_right(network, w, v, arguments=batch([0, 2, 1, 0, 2]))
    for state in ("w", "other"):
        (product, update) = readers(f.plan, state)
        assert (product.op, update.op, len(update.outputs)) == ("by_rows", "elementwise", 2)
        assert is_in_place(f.plan, state)


def test_a_call_that_fails_changes_nothing() -> None:
    w, v = weights(FEATURES, 4), weights(4, CLASSES, name="other")
    f = assert_right(network, w, v, arguments=batch([0, 2, 1, 0, 2]))
    before = [w.get_value(), v.get_value()]
    with pytest.raises(IndexError):
        f(*batch([0, 2, CLASSES, 0, 2]))
    np.testing.assert_array_equal(w.get_value(), before[0], strict=True)
    np.testing.assert_array_equal(v.get_value(), before[1], strict=True)


def test_the_velocity_of_a_state() -> None:
    """One step sums up the squares and writes two states."""
    w, v = weights(40, 30), weights(40, 30, name="velocity")
    cost = decay(w) + (w[:3] ** 3).sum()
    velocity = np.float32(0.9) * v - RATE * T.grad(cost, w)
    f = theano.function([], cost, updates=[(w, w + velocity), (v, velocity)])
    (step,) = readers(f.plan, "velocity")
    assert len(step.outputs) == 3
    assert is_in_place(f.plan, "w")
    assert is_in_place(f.plan, "velocity")


@pytest.mark.usefixtures("all_threads")
def test_any_number_of_threads_gives_the_same_bits() -> None:
    found = []
    for threads in (1, 2, 3, 7):
        config.threads = threads
        w = weights(300, 700)
        cost = decay(w) + T.cos(w).sum()
        f = theano.function([], cost, updates=[(w, w - RATE * T.grad(cost, w))])
        assert_joined(f.plan, "w")
        found.append([f(), f(), w.get_value()])
    for values in found[1:]:
        for value, first in zip(values, found[0], strict=True):
            np.testing.assert_array_equal(value, first, strict=True)


# --- not joined


def test_a_sum_that_the_update_waits_for() -> None:
    """As when a gradient is cut to a length."""
    w = weights(40, 30)
    f = theano.function([], [], updates=[(w, w / T.sqrt((w**2).sum()))])
    first = w.get_value()
    f()
    length = np.float32(np.sqrt((first.astype(float) ** 2).sum()))
    assert_reordered([w.get_value()], [first / length])
    assert len(readers(f.plan, "w")) == 2
    assert is_in_place(f.plan, "w")


# What is made of a sum by steps that may fail, or that are no programs: they stand before the first
# step that writes a state, so the sum does, too.
BEFORE: dict[str, Callable[[Variable], Variable]] = {
    "a product": lambda s: T.dot(s * T.ones((2, 3)), T.ones((3, 2))),
    "an index": lambda s: T.arange(9)[T.cast(T.clip(s, 1, 2), "int64")],
    "a length": lambda s: T.zeros((T.cast(T.clip(s, 1, 2), "int64"),)),
    "another shape": lambda s: T.exp((s * T.ones((2, 3))).reshape((6,))),
}


@pytest.mark.parametrize("build", BEFORE.values(), ids=BEFORE)
def test_a_sum_that_must_be_known_before(build: Callable[[Variable], Variable]) -> None:
    w = weights(40, 30)
    f = theano.function([], build(decay(w)), updates=[(w, w * RATE)])
    first = w.get_value()
    f()
    np.testing.assert_array_equal(w.get_value(), first * RATE, strict=True)
    assert len(readers(f.plan, "w")) == 2
    assert is_in_place(f.plan, "w")


def test_sums_along_one_axis() -> None:
    w = weights(40, 30)
    f = theano.function([], (w**2).sum(axis=0), updates=[(w, w * RATE)])
    assert len(readers(f.plan, "w")) == 2
    assert is_in_place(f.plan, "w")


def test_an_update_that_does_not_read_the_state() -> None:
    w, x = weights(40, 30), T.fmatrix("x")
    f = theano.function([x], decay(w), updates=[(w, T.unbroadcast(x * 2, 0, 1))])
    (step,) = readers(f.plan, "w")
    assert len(step.outputs) == 1


def test_a_sum_in_a_branch() -> None:
    w, flag = weights(40, 30), T.iscalar("flag")
    result = theano.ifelse.ifelse(flag, decay(w), T.constant(np.float32(0)))
    f = theano.function([flag], result, updates=[(w, w * RATE)])
    first = w.get_value()
    assert f(0) == 0
    np.testing.assert_array_equal(w.get_value(), first * RATE, strict=True)
    assert is_in_place(f.plan, "w")


# --- in the order of writes


def test_each_state_is_summed_before_the_other_is_updated_by_it() -> None:
    """The sums are of old values, though each update reads both states."""
    a, b = weights(40, 30, name="a"), weights(40, 30, name="bb")
    cost = decay(a) + 2 * decay(b)
    old = [a.get_value(), b.get_value()]
    f = theano.function([], cost, updates=[(a, a + b), (b, a - b)])
    squares = [0.01 * (value.astype(float) ** 2).sum() for value in old]
    assert_reordered([f()], [np.float32(squares[0] + 2 * squares[1])])
    np.testing.assert_array_equal(a.get_value(), old[0] + old[1], strict=True)
    np.testing.assert_array_equal(b.get_value(), old[0] - old[1], strict=True)


def test_what_follows_from_a_sum_reads_another_state_before_it_is_written() -> None:
    w, total = weights(40, 30), theano.shared(np.float32(5), "total")
    squares = (w**2).sum()
    f = theano.function([], squares + total, updates=[(w, w * RATE), (total, total * 2)])
    old = (w.get_value().astype(float) ** 2).sum()
    assert_reordered([f()], [np.float32(old + 5)])
    assert total.get_value() == 10
    assert is_in_place(f.plan, "w")


def test_a_running_total_of_sums_is_written_in_place() -> None:
    w, total = weights(40, 30), theano.shared(np.float32(5), "total")
    f = theano.function([], [], updates=[(w, w * RATE), (total, total + (w**2).sum())])
    old = (w.get_value().astype(float) ** 2).sum()
    f()
    assert_reordered([total.get_value()], [np.float32(old + 5)])
    assert is_in_place(f.plan, "w")
    assert is_in_place(f.plan, "total")
