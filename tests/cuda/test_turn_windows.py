"""Windows that a loop's steps read where they lie, or find copied at the start of each turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.graph.variable import SharedVariable
from arignote.run.function import Function
from helpers.backend import backend_module
from helpers.emulated import calls
from helpers.values import Array

ROWS = 30
CLASSES = 4
INDICES = [0, 3, 1, 1, 2]

Made = tuple[Function, list[SharedVariable]]
Part = Callable[[Any, Any], Any]


def minibatch(data: Any, index: Any) -> Any:
    return data[index * ROWS : (index + 1) * ROWS]


def numbers(dtype: str, *shape: int) -> Array:
    return np.random.default_rng(7).integers(0, 9, shape).astype(dtype)


def trained(
    data: Array,
    part: Part = minibatch,
    also: Callable[[SharedVariable, Any], Any] | None = None,
    result: Callable[[Any], Any] | None = None,
    wrong: int | None = None,
) -> Made:
    """Return a training step that one kernel runs, on parts of shared data and labels.

    `also` makes a new value of the data, `result` an output of the part; one label is wrong.
    """
    index = T.lscalar("index")
    images = theano.shared(data, name="images")
    places = numbers("int32", 20 * ROWS) % CLASSES
    if wrong is not None:
        places[wrong] = 9
    labels = theano.shared(places, name="labels")
    dtype = "float64" if data.dtype == np.float64 else "float32"
    w = theano.shared(np.zeros((part(data, 0).shape[1], CLASSES), dtype), name="w")
    x, y = T.cast(part(images, index), dtype), minibatch(labels, index)
    p = T.nnet.softmax(T.dot(x, w))
    cost = -T.mean(T.log(p)[T.arange(y.shape[0]), y])
    updates = [(w, w - np.asarray(0.01, dtype) * T.grad(cost, w))]
    if also is not None:
        updates.append((images, also(images, index)))
    outputs = [cost, T.argmax(p, axis=1) if result is None else result(part(images, index))]
    return theano.function([index], outputs, updates=updates), [w, images]


def bytes_of_turns(make: Callable[[], Made], indices: list[int]) -> int:
    """Return how much memory turns of their own take that come to the bits of calls."""
    (f, variables), (g, others) = make(), make()
    wanted = [f(index) for index in [indices[0], *indices]][1:]
    g(indices[0])
    now, _ = backend_module().memory(0, reset=True)
    found = g.map(indices)
    taken = backend_module().memory(0)[1] - now
    for own, want in zip(found, zip(*wanted, strict=True), strict=True):
        np.testing.assert_array_equal(own, want)
    for mine, own in zip(variables, others, strict=True):
        np.testing.assert_array_equal(mine.get_value(), own.get_value())
    return int(taken)


@pytest.mark.parametrize(
    ("dtype", "features"),
    [("float32", 64), ("float32", 33), ("float64", 33), ("uint8", 160), ("uint8", 131)],
)
def test_windows_are_read_where_they_lie(on_device: None, dtype: str, features: int) -> None:
    data = numbers(dtype, 5 * ROWS, features)
    assert bytes_of_turns(lambda: trained(data), INDICES) < minibatch(data, 0).nbytes


# What else a window may be: rows or columns with others between them, backwards, a part of it.
PARTS: dict[str, Part] = {
    "shifted": lambda data, i: data[i : i + ROWS],
    "columns": lambda data, i: data[:ROWS, i * 40 : i * 40 + 40],
    "backwards": lambda data, i: data[i * ROWS : (i + 1) * ROWS][::-1, ::-1],
    "part of a window": lambda data, i: data[i * ROWS : (i + 1) * ROWS][:, 7:],
}


@pytest.mark.parametrize("name", PARTS)
def test_windows_of_any_form(on_device: None, name: str) -> None:
    data, part = numbers("float32", 5 * ROWS, 160), PARTS[name]
    taken = bytes_of_turns(lambda: trained(data, part), INDICES)
    assert taken < part(data, 0).nbytes


def test_what_is_read_at_a_time_follows_from_all_windows(on_device: None) -> None:
    data = numbers("uint8", 200, 16 * 3)

    def columns(data: Any, index: Any) -> Any:
        return data[:ROWS, index : index + 32]

    # Of the first turns that are recorded together, all windows begin at multiples of 16.
    indices = [*(16 * (turn % 2) for turn in range(17)), 8, 3]
    seen = calls(lambda: bytes_of_turns(lambda: trained(data, columns), indices))
    assert seen["begin_capture"] == 2


def test_what_others_read_is_copied(on_device: None) -> None:
    data = numbers("float32", 5 * ROWS, 64)
    taken = bytes_of_turns(lambda: trained(data, result=lambda part: part), INDICES)
    assert taken >= minibatch(data, 0).nbytes


def descent(rows: Callable[[Any], Any], features: int) -> Made:
    """A step of linear regression on some rows, by the number of the step."""
    index, w = T.lscalar("index"), theano.shared(np.ones(features), name="w")
    cost = T.sum((T.dot(rows(index), w) - 3.0) ** 2)
    return theano.function([index], [cost], updates=[(w, w - 1e-6 * T.grad(cost, w))]), [w]


def chosen_from(length: int) -> Made:
    """Return a step on a few rows of a window of so many."""
    data = theano.shared(numbers("float64", length + 5, 64), name="data")
    chosen = np.random.default_rng(2).integers(-length, length, ROWS)
    return descent(lambda index: data[index : index + length][chosen], 64)


def chosen_by(length: int) -> Made:
    """Return a step on so many rows, chosen by a window."""
    data = theano.shared(numbers("float64", 40, 8), name="data")
    order = theano.shared(np.random.default_rng(2).integers(-40, 40, 5 * length), name="order")
    return descent(lambda index: data[order[index * length : (index + 1) * length]], 8)


def test_rows_that_are_chosen_from_a_window(on_device: None) -> None:
    assert bytes_of_turns(lambda: chosen_from(40), INDICES) < 40 * 64 * 8


def test_rows_that_a_window_chooses(on_device: None) -> None:
    assert bytes_of_turns(lambda: chosen_by(500), INDICES) < 500 * 8


def test_a_window_that_is_too_large_to_be_copied(on_device: None) -> None:
    def work() -> None:
        assert bytes_of_turns(lambda: chosen_from(33_000), INDICES) < 16 << 20

    assert calls(work)["launch_graph"] == len(INDICES) - 1


def test_parameters_that_are_a_window(on_device: None) -> None:
    def one_of_many() -> Made:
        index, y = T.lscalar("index"), theano.shared(numbers("int32", ROWS) % CLASSES, name="y")
        x = theano.shared(numbers("float32", ROWS, 300), name="x")
        w = theano.shared(numbers("float32", 4, 300, CLASSES), name="w")
        b = theano.shared(np.zeros(CLASSES, "float32"), name="b")
        p = T.nnet.softmax(T.dot(x, w[index]) * np.float32(0.01) + b)
        cost = -T.mean(T.log(p)[T.arange(ROWS), y])
        return theano.function([index], [cost], updates=[(b, b - T.grad(cost, b))]), [b]

    assert bytes_of_turns(one_of_many, INDICES) < 300 * CLASSES * 4


def test_a_label_in_a_window_that_is_out_of_range(on_device: None) -> None:
    data = numbers("float32", 5 * ROWS, 9)
    (f, variables), (g, others) = (trained(data, wrong=ROWS + 5) for _ in range(2))
    for index in (0, 3):
        f(index)
    with pytest.raises(IndexError, match="index 9 is out of bounds for size 4") as failure:
        g.map([0, 3, 1, 2])
    assert "element 5 of the labels" in str(failure.value)
    assert "This was step 2 of map or repeat" in "\n".join(failure.value.__notes__)
    for mine, own in zip(variables, others, strict=True):
        np.testing.assert_array_equal(mine.get_value(), own.get_value())
    # What was wrong is forgotten, and so is where a loop's steps found their windows.
    assert f(4)[0] == g(4)[0]


@pytest.mark.parametrize("name", ["in place", "copied"])
def test_a_variable_that_the_same_step_updates(on_device: None, name: str) -> None:
    data = numbers("float32", 5 * ROWS, 64)
    values: dict[str, Callable[[SharedVariable, Any], Any]] = {
        "in place": lambda images, index: images * np.float32(0.5) + 1,
        "copied": lambda images, index: T.set_subtensor(
            minibatch(images, index), minibatch(images, index)[::-1] * np.float32(0.5)
        ),
    }
    bytes_of_turns(lambda: trained(data, also=values[name]), INDICES)
