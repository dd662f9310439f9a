"""Updates: every form they come in, all of them made from old values and written together."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.graph.variable import SharedVariable

Form = Callable[[list[tuple[SharedVariable, Any]]], Any]

FORMS: dict[str, Form] = {
    "list of tuples": list,
    "list of lists": lambda pairs: [list(pair) for pair in pairs],
    "tuple": tuple,
    "dict": dict,
    "OrderedDict": OrderedDict,
    "items": lambda pairs: dict(pairs).items(),
    "generator": lambda pairs: (pair for pair in pairs),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("mode", ["native", "reference", "check"])
def test_forms(form: Form, mode: str) -> None:
    a, b = theano.shared(1.0, "a"), theano.shared(np.ones(2), "b")
    f = theano.function([], [a, b], updates=form([(a, a + 1), (b, b * 3)]), mode=mode)
    before = f()
    assert [item.tolist() for item in before] == [1.0, [1.0, 1.0]]
    assert (float(a.get_value()), b.get_value().tolist()) == (2.0, [3.0, 3.0])


@pytest.mark.parametrize("updates", [None, [], {}, ()], ids=repr)
def test_none(updates: Any) -> None:
    x = T.dscalar("x")
    assert theano.function([x], x, updates=updates)(2) == 2


@pytest.mark.parametrize("mode", ["native", "reference", "check"])
def test_all_see_the_old_values(mode: str) -> None:
    """Fibonacci numbers: each is computed before any is written."""
    a, b = theano.shared(0, "a"), theano.shared(1, "b")
    step = theano.function([], a, updates=[(a, b), (b, a + b)], mode=mode)
    assert [int(step()) for _ in range(10)] == [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]


@pytest.mark.parametrize("mode", ["native", "reference", "check"])
def test_outputs_are_computed_from_the_old_values(mode: str) -> None:
    w = theano.shared(np.arange(3.0), "w")
    f = theano.function([], [w, w.sum(), w[::-1]], updates=[(w, w * 2)], mode=mode)
    whole, total, backwards = f()
    assert (whole.tolist(), float(total), backwards.tolist()) == ([0, 1, 2], 3.0, [2, 1, 0])
    assert w.get_value().tolist() == [0, 2, 4]


def test_values_may_be_numbers_arrays_and_constants() -> None:
    a, b = theano.shared(0.0, "a"), theano.shared(np.zeros(3, "float32"), "b")
    c = theano.shared(0, "c")
    theano.function([], [], updates=[(a, 2), (b, np.arange(3)[::-1].astype("int8")), (c, True)])()
    assert a.get_value() == 2
    assert b.get_value().tolist() == [2, 1, 0]
    assert c.get_value() == 1
    theano.function([], [], updates=[(a, T.constant(2.5)), (b, [0.5, 1, 1])])()
    assert (float(a.get_value()), b.get_value().tolist()) == (2.5, [0.5, 1.0, 1.0])


@pytest.mark.parametrize("mode", ["native", "reference", "check"])
def test_an_update_may_change_the_shape(mode: str) -> None:
    x = T.dvector("x")
    history = theano.shared(np.zeros(0), "history")
    f = theano.function(
        [x], history.sum(), updates=[(history, T.concatenate([history, x]))], mode=mode
    )
    assert [float(f([k])) for k in (1.0, 2.0, 3.0)] == [0, 1, 3]
    assert history.get_value().tolist() == [1, 2, 3]
    last = theano.function([], [], updates=[(history, history[-2:])], mode=mode)
    last()
    assert history.get_value().tolist() == [2, 3]


def test_an_array_taken_before_is_as_it_was_after_a_change_of_shape() -> None:
    history = theano.shared(np.ones(2), "history")
    before = history.get_value(borrow=True)
    theano.function([], [], updates=[(history, T.concatenate([history, history]))])()
    assert (before.shape, history.get_value().shape) == ((2,), (4,))


def test_one_function_s_update_is_seen_by_the_others() -> None:
    x, w = T.dscalar("x"), theano.shared(1.0, "w")
    train = theano.function([x], [], updates=[(w, w + x)])
    read = theano.function([], w * 10)
    assert read() == 10
    train(2)
    assert read() == 30
    w.set_value(-1.0)
    assert read() == -10


def test_a_variable_that_is_only_updated() -> None:
    x, w = T.dvector("x"), theano.shared(np.zeros(2), "w")
    f = theano.function([x], [], updates=[(w, x * 2)])
    assert f([1.0, 2.0]) == []
    assert w.get_value().tolist() == [2, 4]


# --- updates that variables bring along


def counting() -> SharedVariable:
    counter: SharedVariable = theano.shared(0, "counter")
    counter.default_update = counter + 1
    return counter


def test_default_updates_apply() -> None:
    counter = counting()
    f = theano.function([], counter * 10)
    assert [int(f()), int(f())] == [0, 10]
    assert counter.get_value() == 2


def test_unless_they_are_excluded() -> None:
    counter, other = counting(), counting()
    total = counter + other
    theano.function([], total, no_default_updates=True)()
    assert (counter.get_value(), other.get_value()) == (0, 0)
    theano.function([], total, no_default_updates=[counter])()
    assert (counter.get_value(), other.get_value()) == (0, 1)
    theano.function([], total, no_default_updates=False)()
    assert (counter.get_value(), other.get_value()) == (1, 2)


def test_or_given_otherwise() -> None:
    counter = counting()
    theano.function([], counter, updates=[(counter, counter + 100)])()
    assert counter.get_value() == 100


def test_they_may_need_others() -> None:
    counter, follower = counting(), theano.shared(0, "follower")
    follower.default_update = counter * 2
    f = theano.function([], follower)
    counter.set_value(4)
    f()
    assert (follower.get_value(), counter.get_value()) == (8, 5)


def test_they_apply_to_what_givens_bring_in() -> None:
    x, counter = T.lscalar("x"), counting()
    theano.function([], x * 2, givens={x: counter})()
    assert counter.get_value() == 1


# --- mistakes


def refused(error: type[Exception], message: str, updates: Any) -> None:
    with pytest.raises(error) as caught:
        theano.function([], [], updates=updates)
    assert message in str(caught.value)


def test_a_target_must_be_shared() -> None:
    x = T.dscalar("s")
    refused(TypeError, "('update target must be a SharedVariable', s)", [(x, x + 1)])
    refused(TypeError, "('update target must be a SharedVariable', s)", {x: x + 1})


def test_a_target_must_be_named_once() -> None:
    w = theano.shared(0.0, "w")
    refused(
        ValueError,
        "('this shared variable already has an update expression', (w, ",
        [(w, w + 1), (w, w + 2)],
    )


@pytest.mark.parametrize(
    ("start", "build", "types"),
    [
        (np.zeros(3, "float32"), lambda w: T.cast(w, "float64"), ("float32", "float64")),
        (0, lambda w: w / 2.0, ("int64", "float64")),
        (np.zeros(3), lambda w: w.sum(), ("vector", "scalar")),
        (np.zeros((2, 3)), lambda w: w.sum(axis=0), ("matrix", "vector")),
        (np.zeros((2, 3)), lambda w: w.sum(axis=0, keepdims=True), ("matrix", "row")),
    ],
)
def test_a_value_must_have_the_type_of_its_target(
    start: Any, build: Callable[..., Any], types: tuple[str, str]
) -> None:
    w = theano.shared(start, "w")
    value = build(w)
    with pytest.raises(TypeError) as caught:
        theano.function([], [], updates=[(w, value)])
    text = str(caught.value)
    assert text.startswith(
        "An update must have the same type as the original shared variable (shared_var=w, "
        f"shared_var.type={w.type}, update_val={value}, update_val.type={value.type})."
    )
    for part, item in zip(types, (w, value), strict=True):
        assert part in str(item.type)


def test_a_row_is_taken_once_it_is_no_row() -> None:
    w = theano.shared(np.ones((1, 3)), "w")
    row = w.sum(axis=0, keepdims=True)
    theano.function([], [], updates=[(w, T.unbroadcast(row, 0) * 2)])()
    assert w.get_value().tolist() == [[2, 2, 2]]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "needs numbers that form an array: a NoneType does not"),
        ("a", "needs numbers that form an array: a str does not"),
        (1.5, "TensorType(int64, scalar) cannot store accurately value 1.5"),
        ([1], "Wrong number of dimensions: expected 0, got 1"),
    ],
    ids=repr,
)
def test_a_value_that_cannot_be_one(value: Any, message: str) -> None:
    target = (
        "An update must have the same type as the original shared variable (shared_var=w, "
        f"shared_var.type=TensorType(int64, scalar), update_val={value!r}, "
        f"update_val.type={type(value).__name__}). "
    )
    w = theano.shared(0, "w")
    refused(TypeError, target, [(w, value)])
    refused(TypeError, message, [(w, value)])


def test_a_shared_object_cannot_be_updated() -> None:
    held = theano.shared([1], "held")
    for value in (2, held):
        message = "[function] an update needs a shared tensor: held holds a Python object"
        refused(TypeError, message, [(held, value)])


@pytest.mark.parametrize("updates", [[1], ["ab"], [(theano.shared(0.0), 1.0, 2.0)]], ids=repr)
def test_what_are_no_pairs(updates: Any) -> None:
    refused(ValueError, "[function] updates must be a dict or pairs: ", updates)


def test_a_value_of_the_wrong_length_becomes_the_value() -> None:
    """A shape is no part of a type: what does not fit later is told by who meets it."""
    w, v = theano.shared(np.zeros(2), "w"), theano.shared(np.ones(2), "v")
    add = theano.function([], w + v)
    theano.function([], [], updates=[(w, [1.0, 2.0, 3.0])])()
    assert w.get_value().tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match=r"shape\[0\] = 3, input\[1\].shape\[0\] = 2\)"):
        add()
