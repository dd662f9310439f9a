"""Steps of a loop that come to the same in each turn, and need not run again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.graph.variable import SharedVariable
from arignote.run.function import Function
from helpers.emulated import launches

Made = tuple[Function, list[SharedVariable]]


def vector(name: str, length: int = 5) -> SharedVariable:
    values = np.arange(1, length + 1, dtype="float64")
    return theano.shared(values, name=name)


def of_a_variable() -> Made:
    """What follows from a variable that nothing updates."""
    data, w = vector("data"), vector("w")
    gram = T.dot(T.outer(data, data), T.outer(data, data))
    return theano.function([], [w.sum(), gram], updates=[(w, T.dot(gram, w) % 7)]), [w]


def of_what_is_updated() -> Made:
    data, w = vector("data"), vector("w")
    updates = [(w, T.dot(T.outer(data, data), w) % 7), (data, data + 1)]
    return theano.function([], data.max(), updates=updates), [w, data]


def in_memory_that_is_used_again() -> Made:
    """Products that follow one another, each in the memory of one before."""
    data, w = theano.shared(np.eye(6) * 2 - 1, name="data"), theano.shared(np.ones((6, 6)), "w")
    constant = T.dot(T.exp(T.dot(data, data) % 3), data) % 5
    new = T.dot(T.dot(T.dot(constant, w), w) % 11, w + constant) % 13
    return theano.function([], new.sum(), updates=[(w, new)]), [w]


def of_an_argument() -> Made:
    """What follows from an argument that is the same in all turns."""
    rate, w = theano.In(T.dvector("rate"), value=np.array([0.5, 2, 1, 0, 1])), vector("w")
    scaled = T.exp(rate.variable) * 3
    return theano.function([rate], w.sum(), updates=[(w, w + scaled)]), [w]


LOOPS: dict[Callable[[], Made], int] = {
    of_a_variable: 2,
    of_what_is_updated: 0,
    in_memory_that_is_used_again: 0,
    of_an_argument: 0,
}


@pytest.mark.parametrize("make", LOOPS)
def test_loops_come_to_what_calls_come_to(make: Callable[[], Made], on_device: None) -> None:
    f, own = make()
    g, others = make()
    found = f.repeat(7)
    single = [g() for _ in range(7)]
    wanted = list(zip(*single, strict=True)) if isinstance(found, list) else [single]
    for got, want in zip(found if isinstance(found, list) else [found], wanted, strict=True):
        np.testing.assert_array_equal(got, want)
    for one, other in zip(own, others, strict=True):
        np.testing.assert_array_equal(one.get_value(), other.get_value())


@pytest.mark.parametrize("make", LOOPS)
def test_so_many_kernels_fall_away(make: Callable[[], Made], on_device: None) -> None:
    f, _ = make()
    call = launches(f)
    # A call, a recorded turn, and what ends it.
    assert launches(lambda: f.repeat(3)) == 2 * call + 1 - LOOPS[make]


def by_length() -> Made:
    """What follows from how many elements are left, a number that the device is told."""
    data, w, index = vector("data", 2000), vector("w"), T.lscalar("index")
    left = T.exp(-T.cast(data[index:].shape[0], "float64") / 1000)
    return theano.function([index], w.sum(), updates=[(w, w + left)]), [w]


@pytest.mark.parametrize(
    "numbers",
    [
        np.arange(40),
        # The device gets through 1,024 turns before the host looks at the next ones.
        np.r_[np.zeros(1100, "int64"), np.arange(100)],
    ],
    ids=["at once", "in later turns"],
)
def test_numbers_that_differ_are_brought(numbers: Any, on_device: None) -> None:
    f, own = by_length()
    g, others = by_length()
    assert any(line.startswith("scalar") for line in str(f.plan).splitlines())
    np.testing.assert_array_equal(f.map(numbers), [g(number) for number in numbers])
    np.testing.assert_array_equal(own[0].get_value(), others[0].get_value())


def test_numbers_that_are_the_same_leave_steps_standing(on_device: None) -> None:
    f, _ = by_length()
    call = launches(lambda: f(0))
    # What follows from the number alone falls away, and is no longer brought.
    assert launches(lambda: f.map(np.zeros(5, "int64"))) == 2 * call + 1 - 1
