"""Whole programs on the emulated device, beside the CPU's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.config import config
from arignote.run.function import Function
from helpers.emulated import emulated
from helpers.own_ops import Scaled
from helpers.programs import PROGRAMS
from helpers.tolerance import assert_close

SEEDS = ["softmax_regression", "binary_logistic", "logistic_notebook", "linear_regression"]


def results(name: str) -> tuple[Function, list[Any]]:
    """Return a program's function, and what three calls return and leave."""
    program = PROGRAMS[name]()
    call = program.function()
    found = [np.asarray(value) for _ in range(3) for value in as_list(call(*program.arguments))]
    return call, found + [np.asarray(value) for value in program.values()]


def as_list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [] if found is None else [found]


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_come_to_what_they_come_to_on_the_cpu(
    name: str, request: pytest.FixtureRequest
) -> None:
    _, wanted = results(name)
    request.getfixturevalue("on_device")
    _, found = results(name)
    for got, want in zip(found, wanted, strict=True):
        if want.dtype == bool:
            np.testing.assert_array_equal(got, want)
        else:
            # Products are summed in another order.
            assert_close(got, want, scale=float(np.max(np.abs(want), initial=0)))


@pytest.mark.parametrize("name", SEEDS)
def test_the_seeds_run_wholly_on_the_device(on_device: None, name: str) -> None:
    call, _ = results(name)
    steps = call.plan.steps
    assert all(step.device for step in steps), call.plan
    # What is moved is what a call is given and what it returns.
    moved = [step.op for step in steps if step.op in ("to_device", "to_host")]
    assert moved.count("to_host") == len(call.plan.outputs)
    assert moved.count("to_device") <= len(call.plan.inputs)
    assert all(state.device or state.type.ndim == 0 for state in call.plan.states)


def descent(rows: int = 40) -> tuple[Function, Any]:
    """Return a training step on minibatches of a shared matrix, and its weights."""
    rng = np.random.default_rng(3)
    x, y, index = T.dmatrix("x"), T.ivector("y"), T.lscalar("index")
    images = theano.shared(rng.normal(size=(200, 12)), name="images")
    labels = theano.shared(rng.integers(0, 5, 200).astype("int32"), name="labels")
    w = theano.shared(np.zeros((12, 5)), name="w")
    p = T.nnet.softmax(T.dot(x, w))
    cost = -T.mean(T.log(p)[T.arange(y.shape[0]), y])
    rate = theano.shared(np.float64(0.5), name="rate")
    updates = [(w, w - rate * T.grad(cost, w)), (rate, rate * 0.9)]
    part = slice(index * rows, (index + 1) * rows)
    givens = {x: images[part], y: labels[part]}
    return theano.function([index], cost, updates=updates, givens=givens), w


def test_map_is_the_same_as_single_calls(on_device: None) -> None:
    (one, w), (many, v) = descent(), descent()
    costs = [one(index) for index in (0, 3, 4, 1)]
    np.testing.assert_array_equal(many.map(np.array([0, 3, 4, 1])), costs)
    np.testing.assert_array_equal(w.get_value(), v.get_value())


@pytest.mark.parametrize("order", ["backward", "shuffled"])
def test_results_do_not_depend_on_the_order_of_threads(on_device: None, order: str) -> None:
    (one, w), (other, v) = descent(), descent()
    costs = [one(index) for index in range(5)]
    emulated().set_order(order)
    try:
        assert [other(index) for index in range(5)] == costs
    finally:
        emulated().set_order("forward")
    np.testing.assert_array_equal(w.get_value(), v.get_value())


def test_a_call_that_fails_on_the_device_changes_nothing(on_device: None) -> None:
    x = theano.shared(np.arange(12.0).reshape(4, 3), name="x")
    w = theano.shared(np.ones(3), name="w")
    i = T.ivector("i")
    f = theano.function([i], x[i].sum(), updates=[(w, w * 2)])
    assert f([0, 1, -1]) == x.get_value()[[0, 1, -1]].sum()
    with pytest.raises(IndexError, match="index 7 is out of bounds for size 4"):
        f([0, 7, -9])
    np.testing.assert_array_equal(w.get_value(), [2, 2, 2])
    # What was wrong is forgotten.
    f([0])
    np.testing.assert_array_equal(w.get_value(), [4, 4, 4])


class Looking(Scaled):
    """As Scaled, and remembers what it was given."""

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        seen.append(inputs[0])
        super().perform(node, inputs, output_storage)


seen: list[Any] = []


@pytest.mark.parametrize("rows", [1, 2**16])
def test_the_host_makes_nothing_of_what_a_failed_step_has_left(on_device: None, rows: int) -> None:
    x = theano.shared(np.arange(12.0).reshape(4, 3), name="x")
    w = theano.shared(np.ones(3), name="w")
    i = T.ivector("i")
    on_host = theano.function([i], Looking(2.0)(x[i] + 1).sum(), updates=[(w, w * 2)])
    as_size = theano.function([i], T.arange(T.cast(x[i].sum(), "int64")), updates=[(w, w * 2)])
    seen.clear()
    for f in (on_host, as_size):
        with pytest.raises(IndexError, match="index 7 is out of bounds for size 4"):
            f([0] * rows + [7])
    assert seen == []
    np.testing.assert_array_equal(w.get_value(), [1, 1, 1])
    assert on_host([0, 1]) == 2 * (x.get_value()[:2] + 1).sum()
    assert as_size([0, 1]).size == 15


def test_an_error_brings_variables_to_the_host_only_to_show_them(on_device: None) -> None:
    x = theano.shared(np.arange(12.0).reshape(4, 3), name="x")
    i = T.ivector("i")
    f = theano.function([i], x[i])

    def notes_and_copies() -> tuple[str, int]:
        before = emulated().calls()["copy"]
        with pytest.raises(IndexError) as caught:
            f([7])
        return "\n".join(caught.value.__notes__), emulated().calls()["copy"] - before

    notes_and_copies()
    notes, copies = notes_and_copies()
    assert "shared x: float64 of shape (4, 3)" in notes
    with config.changed(exception_verbosity="high"):
        notes, more = notes_and_copies()
    assert f"shared x: float64 of shape (4, 3) = {x.get_value()!r}" in notes
    assert more == copies + 1


def test_no_step_of_a_loop_brings_no_variables_to_the_host(on_device: None) -> None:
    f, _ = descent()
    before = emulated().calls().get("copy")
    assert f.map([]).shape == (0,)
    assert emulated().calls().get("copy") == before


def test_an_argument_is_not_kept_by_a_call_that_fails(on_device: None) -> None:
    x = theano.shared(np.arange(12.0).reshape(4, 3), name="x")
    w = theano.shared(1.0, name="w")
    i, v = T.ivector("i"), T.dscalar("v")
    f = theano.function([i, v], x[i].sum(), updates=[(w, v)])
    with pytest.raises(IndexError):
        f([0, 7], 2)
    assert w.get_value() == 1
    f([0], 3)
    assert w.get_value() == 3


def test_a_lack_of_memory_changes_nothing(on_device: None) -> None:
    device = emulated()
    w = theano.shared(np.ones(3), name="w")
    n = T.lscalar("n")
    f = theano.function([n], T.sqr(T.arange(n) + w.sum()).sum(), updates=[(w, w * 2)])
    f(10)
    device.set_limit(device.used() + (1 << 20))
    try:
        with pytest.raises(MemoryError):
            f(100_000_000)
    finally:
        device.set_limit(1 << 32)
    np.testing.assert_array_equal(w.get_value(), [2, 2, 2])
    f(10)
    np.testing.assert_array_equal(w.get_value(), [4, 4, 4])


def test_variables_stay_where_they_were_made(on_device: None) -> None:
    w = theano.shared(np.arange(6.0).reshape(2, 3), name="w")
    with config.changed(device="cpu"):
        v = theano.shared(np.ones((2, 3)), name="v")
        f = theano.function([], w + v, updates=[(w, w * v), (v, v + w)])
    np.testing.assert_array_equal(f(), np.arange(6.0).reshape(2, 3) + 1)
    np.testing.assert_array_equal(v.get_value(), np.arange(6.0).reshape(2, 3) + 1)
    w.set_value(np.zeros((4, 3)))
    assert w.get_value().shape == (4, 3)
    value = w.get_value(borrow=True)
    value += 1
    np.testing.assert_array_equal(w.get_value(), np.zeros((4, 3)))
