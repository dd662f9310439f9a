"""Arrays that are an argument, a state or a result at once: results are those of copies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import arignote as theano
import arignote.tensor as T

Array = npt.NDArray[Any]
WINDOWS: dict[str, Callable[[Array], Array]] = {
    "itself": lambda w: w,
    "transposed": lambda w: w.T,
    "reversed": lambda w: w[::-1],
    "rows": lambda w: w[1:],
    "a row, broadcast": lambda w: np.broadcast_to(w[1], (4, 4)),
    "a column": lambda w: w[:, :1],
    "every other row": lambda w: w[::2],
}


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
@pytest.mark.parametrize("mode", ["native", "reference", "check"])
def test_an_argument_that_lies_in_a_state_that_is_updated(
    window: Callable[[Array], Array], mode: str
) -> None:
    """As in pytensor's issue 1026, where results depended on what was written first."""
    start = np.arange(16.0).reshape(4, 4)
    w, v = theano.shared(start, "w"), theano.shared(np.zeros((4, 4)), "v")
    x = T.dmatrix("x")
    f = theano.function(
        [x],
        [x.sum(axis=0), x * 2],
        updates=[(w, w * 10 + x.sum()), (v, v + x.mean())],
        mode=mode,
    )
    inside = w.get_value(borrow=True)
    given = window(inside)
    copied = given.copy()
    sums, double = f(given)
    np.testing.assert_array_equal(sums, copied.sum(axis=0))
    np.testing.assert_array_equal(double, copied * 2)
    np.testing.assert_array_equal(w.get_value(), start * 10 + copied.sum())
    assert w.get_value(borrow=True) is inside or mode == "reference"


def test_issue_1026() -> None:
    """The update reads the argument where the state has been written already."""
    w = theano.shared(np.array([1.0, 2.0, 3.0]), "w", borrow=True)
    x = T.dvector("x")
    f = theano.function([x], x + w, updates=[(w, w + x[::-1])])
    result = f(w.get_value(borrow=True))
    assert result.tolist() == [2, 4, 6]
    assert w.get_value().tolist() == [4, 4, 4]


def test_a_borrowed_array_that_is_an_argument_too() -> None:
    buffer = np.arange(4.0)
    w = theano.shared(buffer, "w", borrow=True)
    x = T.dvector("x")
    f = theano.function([x], [], updates=[(w, x[::-1] + w)])
    f(buffer)
    assert buffer.tolist() == [3, 3, 3, 3]
    f(buffer[:1].repeat(4))
    assert buffer.tolist() == [6, 6, 6, 6]


OVERLAPS: dict[str, tuple[slice, slice]] = {
    "shifted": (slice(None, -1), slice(1, None)),
    "shifted back": (slice(1, None), slice(None, -1)),
    "the same": (slice(None), slice(None)),
    "reversed": (slice(None), slice(None, None, -1)),
    "interleaved": (slice(None, None, 2), slice(1, None, 2)),
}


@pytest.mark.parametrize(("first", "second"), OVERLAPS.values(), ids=OVERLAPS)
@pytest.mark.parametrize("size", [6, 60_000])
@pytest.mark.parametrize("mode", ["native", "check"])
def test_states_that_share_memory_see_old_values(
    first: slice, second: slice, size: int, mode: str
) -> None:
    memory = np.arange(size, dtype="float64")
    a_old, b_old = memory[first].copy(), memory[second].copy()
    a = theano.shared(memory[first], "a", borrow=True)
    b = theano.shared(memory[second], "b", borrow=True)
    f = theano.function([], [a - b], updates=[(a, a * 2 + b[::-1]), (b, b - a[::-1])], mode=mode)
    difference = f()[0]
    np.testing.assert_array_equal(difference, a_old - b_old)
    wanted = np.arange(size, dtype="float64")
    wanted[first] = a_old * 2 + b_old[::-1]
    wanted[second] = b_old - a_old[::-1]
    np.testing.assert_array_equal(memory, wanted)


def test_a_state_that_is_read_where_another_is_written() -> None:
    memory = np.arange(8.0)
    a = theano.shared(memory[1:], "a", borrow=True)
    b = theano.shared(memory[:-1], "b", borrow=True)
    f = theano.function([], (b * 2).sum(), updates=[(a, T.concatenate([b[::-1], a])[:7])])
    assert f() == 42
    assert memory.tolist() == [0, 6, 5, 4, 3, 2, 1, 0]
    resized = theano.function([], b.sum(), updates=[(a, T.concatenate([a, b]))])
    assert resized() == 21
    assert memory.tolist() == [0, 6, 5, 4, 3, 2, 1, 0]
    assert a.get_value().tolist() == [6, 5, 4, 3, 2, 1, 0, 0, 6, 5, 4, 3, 2, 1]


def test_states_that_share_memory_stay_as_they_are_if_the_call_fails() -> None:
    memory = np.arange(6.0)
    a = theano.shared(memory[1:], "a", borrow=True)
    b = theano.shared(memory[:-1], "b", borrow=True)
    i = T.ivector("i")
    f = theano.function([i], b[i], updates=[(a, a + b)])
    with pytest.raises(IndexError):
        f([0, 9])
    assert memory.tolist() == [0, 1, 2, 3, 4, 5]


def test_one_array_as_several_arguments() -> None:
    x, y = T.dmatrices("x", "y")
    f = theano.function([x, y], [T.dot(x, y), x - y])
    given = np.arange(9.0).reshape(3, 3)
    product, difference = f(given, given.T)
    np.testing.assert_array_equal(product, given @ given.T)
    np.testing.assert_array_equal(difference, given - given.T)


def test_a_result_as_an_argument() -> None:
    x = T.dvector("x")
    f = theano.function([x], theano.Out(x[::-1] * 2, borrow=True))
    once = f([1.0, 2.0, 3.0])
    twice = f(once)
    assert twice.tolist() == [4, 8, 12]
    assert once.tolist() == [6, 4, 2]
    inside = f(twice[1:])
    assert inside.tolist() == [24, 16]


def test_a_borrowed_result_that_becomes_a_state() -> None:
    x, w = T.dvector("x"), theano.shared(np.zeros(2), "w")
    f = theano.function([x], theano.Out(x + w, borrow=True))
    first = f([1.0, 2.0])
    w.set_value(first, borrow=True)
    second = f([10.0, 10.0])
    assert second.tolist() == [11, 12]
    assert w.get_value().tolist() == [1, 2]


def test_an_argument_that_becomes_a_state() -> None:
    """The state takes the values, not the array."""
    x, w = T.dvector("x"), theano.shared(np.zeros(2), "w")
    f = theano.function([x], [], updates=[(w, x)])
    given = np.ones(5)
    f(given)
    assert not np.shares_memory(w.get_value(borrow=True), given)
    given[:] = 7
    assert w.get_value().tolist() == [1] * 5


def test_read_only_and_broadcast_arguments() -> None:
    x = T.dmatrix("x")
    f = theano.function([x], [x.sum(axis=0), x + 1])
    given = np.broadcast_to(np.arange(3.0), (4, 3))
    sums, more = f(given)
    assert sums.tolist() == [0, 4, 8]
    np.testing.assert_array_equal(more, given + 1)


def test_a_constant_is_what_it_was_when_it_was_made() -> None:
    given = np.ones(3)
    x = T.dvector("x")
    f = theano.function([x], x + T.constant(given))
    given[:] = 100
    assert f(np.zeros(3)).tolist() == [1, 1, 1]
