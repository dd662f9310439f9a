"""Loops whose steps the emulated device runs by itself, beside calls one after the other."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.errors import DeviceError
from arignote.graph.variable import SharedVariable
from arignote.run.function import Function
from helpers.backend import set_order
from helpers.emulated import calls, emulated

Made = tuple[Function, list[SharedVariable]]


def descent(dtype: str = "float64", features: int = 12) -> Made:
    """A training step on minibatches of shared data: windows, a scalar, updates in place."""
    rng = np.random.default_rng(3)
    index, y = T.lscalar("index"), T.ivector("y")
    images = theano.shared(rng.integers(0, 9, (200, features)).astype(dtype), name="images")
    labels = theano.shared(rng.integers(0, 5, 200).astype("int32"), name="labels")
    w = theano.shared(np.zeros((features, 5)), name="w")
    rate = theano.shared(np.float64(0.01), name="rate")
    x = T.matrix("x", dtype=dtype)
    p = T.nnet.softmax(T.dot(T.cast(x, "float64"), w))
    cost = -T.mean(T.log(p)[T.arange(y.shape[0]), y])
    updates = [(w, w - rate * T.grad(cost, w))]
    part = slice(index * 30, (index + 1) * 30)
    givens = {x: images[part], y: labels[part]}
    outputs = [cost, T.argmax(p, axis=1) + index]
    return theano.function([index], outputs, updates=updates, givens=givens), [w]


def on_arguments() -> Made:
    """A step on rows that the caller brings, a new value that is no sum in place."""
    x, scale = T.fmatrix("x"), T.fscalar("scale")
    w = theano.shared(np.ones((3, 4), np.float32), name="w")
    v = theano.shared(np.zeros((4, 3), np.float32), name="v")
    updates = [(w, v.T + x), (v, w.T)]
    inputs = [x, scale, theano.In(T.fvector("shift"), value=np.arange(4, dtype=np.float32))]
    return theano.function(inputs, (w * scale + inputs[2].variable).sum(0), updates=updates), [w, v]


def alone() -> Made:
    """A step without arguments, and two new values that wait for each other."""
    a, b = theano.shared(np.arange(5.0), name="a"), theano.shared(np.ones(5), name="b")
    return theano.function([], (a * b).sum(), updates=[(a, b + 1), (b, a * 0.5)]), [a, b]


def swapped() -> Made:
    """A step that does nothing but move what lies on the device."""
    a, b = theano.shared(np.arange(5.0), name="a"), theano.shared(np.ones(5), name="b")
    c = theano.shared(np.zeros(5), name="c")
    return theano.function([], [a, c], updates=[(a, b), (b, a), (c, a)]), [a, b, c]


def assert_same(one: Made, found: Any, wanted: Any, other: Made) -> None:
    for got, want in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(got, want)
    for mine, own in zip(one[1], other[1], strict=True):
        np.testing.assert_array_equal(mine.get_value(), own.get_value())


@pytest.mark.parametrize(
    ("dtype", "features"), [("float64", 12), ("uint8", 7), ("float32", 3), ("int16", 5)]
)
def test_windows_and_numbers_differ_from_turn_to_turn(
    on_device: None, dtype: str, features: int
) -> None:
    one, other = descent(dtype, features), descent(dtype, features)
    indices = [0, 5, 2, 2, 4, 1, 3]
    wanted = [one[0](index) for index in indices]
    seen = calls(lambda: assert_same(one, other[0].map(indices), zip(*wanted, strict=True), other))
    assert seen["launch_graph"] == len(indices) - 1


def test_the_host_waits_once_for_many_turns(on_device: None) -> None:
    few, many = descent(), descent()
    seen = [
        calls(lambda f=f, count=count: f.map([0] * count))
        for f, count in ((few[0], 6), (many[0], 16))
    ]
    assert seen[1]["launch_graph"] - seen[0]["launch_graph"] == 10
    for name in ("synchronise", "copy", "begin_capture"):
        assert seen[0][name] == seen[1][name], name


def test_what_is_recorded_has_been_loaded_before(on_device: None) -> None:
    f, _ = descent()
    emulated().unload_kernels()
    asked = calls(lambda: f.map(range(6)))
    assert asked["launch_graph"] == 5


def test_arguments_and_results_of_all_turns_are_moved_together(on_device: None) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(9, 3, 4)).astype(np.float32)
    scale = rng.normal(size=9).astype(np.float32)
    one, other = on_arguments(), on_arguments()
    wanted = [one[0](*arguments) for arguments in zip(x, scale, strict=True)]
    seen = calls(lambda: assert_same(one, other[0].map(x, scale), wanted, other))
    assert seen["launch_graph"] == 8


def test_repeat_runs_by_itself(on_device: None) -> None:
    one, other = alone(), alone()
    wanted = [one[0]() for _ in range(50)]
    seen = calls(lambda: assert_same(one, other[0].repeat(50), wanted, other))
    assert seen["launch_graph"] == 49
    # The numbers of turns grow while they are quick, but each has its results in its place.
    assert seen["begin_capture"] == 1


def test_copies_that_need_each_other_stay_in_order(on_device: None) -> None:
    one, other = swapped(), swapped()
    wanted = [one[0]() for _ in range(5)]
    set_order("backward")
    try:
        seen = calls(lambda: assert_same(one, other[0].repeat(5), zip(*wanted, strict=True), other))
    finally:
        set_order("forward")
    assert seen["launch_graph"] == 4


def test_turns_that_are_not_alike_are_calls(on_device: None) -> None:
    one, other = descent(), descent()
    indices = [0, 1, 6, 2, 3]  # the last rows are fewer
    with pytest.raises(ValueError, match="must have the same shape in each step"):
        other[0].map(indices)
    costs = [one[0](index)[0] for index in indices[:2]]
    assert np.isfinite(costs).all()
    np.testing.assert_array_equal(one[1][0].get_value(), other[1][0].get_value())


def resizing() -> Made:
    n, w = T.lscalar("n"), theano.shared(np.zeros(2), "w")
    return theano.function([n], w.sum(), updates=[(w, T.arange(n) * 1.0)]), [w]


def test_variables_that_change_their_shape(on_device: None) -> None:
    one, other = resizing(), resizing()
    sizes = [2, 2, 3, 3, 3, 5]
    wanted = [one[0](size) for size in sizes]
    assert_same(one, other[0].map(sizes), wanted, other)


def gathering() -> Made:
    x = theano.shared(np.arange(12.0).reshape(4, 3), name="x")
    w, i = theano.shared(np.ones(3), name="w"), T.ivector("i")
    return theano.function([i], x[i].sum(), updates=[(w, w * 2)]), [w]


@pytest.mark.parametrize("wrong", [1, 2, 5])
def test_a_turn_that_fails_leaves_what_those_before_have_left(on_device: None, wrong: int) -> None:
    one, other = gathering(), gathering()
    indices = np.tile(np.array([0, 1, -1], np.int32), (6, 1))
    for row in indices[:wrong]:
        one[0](row)
    broken = indices.copy()
    broken[wrong, 1] = 4
    with pytest.raises(IndexError, match="index 4 is out of bounds for size 4") as failure:
        other[0].map(broken)
    assert f"step {wrong}" in "\n".join([str(failure.value), *failure.value.__notes__])
    np.testing.assert_array_equal(one[1][0].get_value(), other[1][0].get_value())
    # What was wrong is forgotten.
    assert other[0].map(indices).shape == (6,)


@pytest.mark.parametrize("call", ["begin_capture", "end_capture"])
def test_without_a_recording_turns_are_calls(on_device: None, call: str) -> None:
    one, other = descent(), descent()
    wanted = [one[0](index) for index in range(4)]
    emulated().let_fail(call)
    try:
        assert_same(one, other[0].map(range(4)), zip(*wanted, strict=True), other)
    finally:
        emulated().mend()


def test_a_driver_that_fails_is_told_of(on_device: None) -> None:
    one, other = descent(), descent()
    emulated().let_fail("launch_graph", after=1)
    try:
        with pytest.raises(DeviceError, match="illegal memory access") as failure:
            other[0].map(range(5))
    finally:
        emulated().mend()
    # Turns that the driver has taken are done.
    assert "This was step 2 of map or repeat" in failure.value.__notes__[0]
    for index in range(2):
        one[0](index)
    np.testing.assert_array_equal(one[1][0].get_value(), other[1][0].get_value())
    assert len(other[0].map(range(5))[0]) == 5


def test_without_memory_for_many_turns_they_are_calls(on_device: None) -> None:
    one, other = on_arguments(), on_arguments()
    x, scale = np.ones((40, 3, 4), np.float32), np.ones(40, np.float32)
    wanted = [one[0](*arguments) for arguments in zip(x, scale, strict=True)]
    other[0].map(x[:1], scale[:1])
    other = on_arguments()
    other[0](x[0], scale[0])
    for variable, value in zip(other[1], on_arguments()[1], strict=True):
        variable.set_value(value.get_value())
    gc.collect()
    emulated().trim(0)
    emulated().set_limit(emulated().used())
    try:
        assert_same(one, other[0].map(x, scale), wanted, other)
    finally:
        emulated().set_limit(1 << 32)


def test_a_loop_that_is_alike_is_not_recorded_again(on_device: None) -> None:
    f, own = descent()
    g, others = descent()
    f.map(range(4))
    used = emulated().used()

    def again(start: int, stop: int) -> dict[str, int]:
        return calls(lambda: f.map(range(start, stop)))

    assert [again(*ends)["begin_capture"] for ends in ((0, 4), (1, 5), (2, 4))] == [0, 0, 0]
    assert emulated().used() == used
    assert emulated().graphs() == 1
    for ends in ((0, 4), (0, 4), (1, 5), (2, 4)):
        g.map(range(*ends))
    np.testing.assert_array_equal(own[0].get_value(), others[0].get_value())


@pytest.mark.parametrize("change", ["value", "shape", "longer", "call"])
def test_a_loop_that_is_laid_out_otherwise_is(on_device: None, change: str) -> None:
    def run(made: Made, single: bool) -> list[Any]:
        f, (a, b) = made

        def repeat(count: int) -> list[Any]:
            return [f() for _ in range(count)] if single else list(f.repeat(count))

        found = repeat(4)
        if change in ("value", "shape"):
            a.set_value(np.arange(5.0 if change == "value" else 8.0) - 2)
            b.set_value(np.ones_like(a.get_value()))
        elif change == "call":
            found.append(f())
        return [*found, *repeat(40 if change == "longer" else 4), a.get_value(), b.get_value()]

    wanted = run(alone(), True)
    for one, other in zip(run(alone(), False), wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_nothing_is_left_of_a_loop(on_device: None) -> None:
    graphs, used = emulated().graphs(), emulated().used()
    f, _ = descent()
    f.map(range(3))
    del f, _
    gc.collect()
    emulated().trim(0)
    assert emulated().graphs() == graphs
    assert emulated().used() <= used


def test_much_memory_is_not_kept_between_loops(on_device: None) -> None:
    v = theano.shared(np.ones(100_000), name="v")
    f = theano.function([], v * 2, updates=[(v, v + 1)])
    f.repeat(3)
    assert emulated().graphs() == 0
