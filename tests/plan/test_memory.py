"""What overwrites what: temporaries where nobody reads them any more, states at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import arignote as theano
import arignote.tensor as T
from arignote.graph.variable import SharedVariable, Variable
from arignote.plan.memory import place
from arignote.plan.parse import parse
from arignote.plan.plan import Plan, Temp
from arignote.plan.verify import verify
from arignote.run.function import Function
from arignote.run.mode import Mode
from helpers.programs import PROGRAMS
from helpers.random_graphs import Graph, graphs
from helpers.tolerance import assert_close
from helpers.values import LAYOUTS, lay_out

Array = npt.NDArray[Any]
Values = Sequence[Any]


def taken(plan: Plan) -> dict[str, str]:
    """Return, for each temporary in the memory of another buffer, that buffer."""
    return {
        item.name: item.storage
        for item in plan.buffers
        if isinstance(item, Temp) and item.storage is not None
    }


def on_both(
    inputs: Sequence[Variable],
    outputs: Sequence[Variable],
    arguments: Values,
    updates: Sequence[tuple[SharedVariable, Any]] = (),
) -> Function:
    """Hold the outputs and updates of a native call against the reference's; bits must agree.

    The native plan is one list of steps: a plan inside a step shares memory in the same way.
    """
    first = [target.get_value() for target, _ in updates]
    results: list[list[Array]] = []
    for mode in ("reference", "native"):
        for (target, _), value in zip(updates, first, strict=True):
            target.set_value(value)
        flat = Mode(mode).excluding("by_rows")
        call = theano.function(list(inputs), list(outputs), updates=list(updates), mode=flat)
        results.append([*call(*arguments), *(target.get_value() for target, _ in updates)])
    for wanted, found in zip(*results, strict=True):
        np.testing.assert_array_equal(found, wanted, strict=True)
    return call


def matrix(*shape: int) -> Array:
    return np.arange(float(np.prod(shape))).reshape(shape)


# --- temporaries


def test_a_dead_temporary_is_taken_over() -> None:
    x = T.dmatrix("x")
    f = on_both([x], [T.dot(abs(T.dot(x, x)), x)], [matrix(3, 3)])
    assert taken(f.plan) == {"t1": "t0"}


def test_one_that_is_read_later_is_not() -> None:
    x = T.dmatrix("x")
    square = T.dot(x, x)
    f = on_both([x], [T.dot(abs(square), square)], [matrix(3, 3)])
    assert taken(f.plan) == {}


def test_nor_one_of_which_a_window_is_read_later() -> None:
    x = T.dmatrix("x")
    square = T.dot(x, x)
    f = on_both([x], [T.dot(abs(square), square.T)], [matrix(3, 3)])
    assert taken(f.plan) == {}


def test_nor_an_output() -> None:
    x = T.dmatrix("x")
    square = T.dot(x, x)
    f = on_both([x], [square, T.dot(abs(square), x)], [matrix(3, 3)])
    assert taken(f.plan) == {}


def test_nor_by_an_output() -> None:
    x = T.dmatrix("x")
    f = on_both([x], [abs(T.dot(x, x))], [matrix(3, 3)])
    assert taken(f.plan) == {}


def test_nor_one_of_another_shape_or_dtype() -> None:
    x, i = T.dmatrix("x"), T.lmatrix("i")
    sums = T.dot(x, x.T).sum(axis=0)
    rounded = T.dot(T.cast(T.dot(x, x.T), "int64"), i)
    f = on_both([x, i], [T.dot(sums, x), rounded], [matrix(3, 2), np.arange(9).reshape(3, 3)])
    assert taken(f.plan) == {}


def test_nor_one_that_its_taker_reduces() -> None:
    """Over no axis, which leaves the shape as it is; rewriting would leave out the sum."""
    x, w = T.dscalar("x"), theano.shared(2.0, "w")
    literal = Mode(optimizer=None)
    f = theano.function([x], (x * 2).sum() + 1, updates=[(w, w.sum())], mode=literal)
    assert f(3) == 7
    assert w.get_value() == 2
    (reducing, _) = (step for step in f.plan.steps if "sum(" in str(step.params["program"]))
    assert reducing.outputs[0] not in taken(f.plan)


# What reads another window of the memory that it would overwrite.
TWICE: dict[str, Callable[[Variable, Variable], Variable]] = {
    "its transpose": lambda t, i: t + t.T,
    "its reverse": lambda t, i: t - t[::-1],
    "its first row": lambda t, i: t * t[:1].sum(axis=0),
    "a row of it, broadcast": lambda t, i: t + t[0],
    "selected by itself": lambda t, i: T.set_subtensor(t[i], t),
    "added to its reverse": lambda t, i: T.inc_subtensor(t[::-1], t),
    "its transpose, written": lambda t, i: T.set_subtensor(t[:, :], t.T),
    "a product with itself, added": lambda t, i: T.dot(t, t) + t,
}


@pytest.mark.parametrize("build", TWICE.values(), ids=TWICE)
def test_nor_one_that_its_taker_reads_twice(build: Callable[..., Variable]) -> None:
    x, i = T.dmatrix("x"), T.lvector("i")
    result = T.dot(build(T.dot(x, x), i), x)
    arguments = [matrix(3, 3), np.array([2, 0, 1])]
    call = theano.function([x, i], result, on_unused_input="ignore")
    slow = theano.function([x, i], result, on_unused_input="ignore", mode="reference")
    np.testing.assert_array_equal(call(*arguments), slow(*arguments))


# --- updates


def shared(*shape: int, name: str, factor: float = 1.0) -> SharedVariable:
    variable: SharedVariable = theano.shared(matrix(*shape) * factor, name)
    return variable


def test_an_elementwise_update_is_made_in_place() -> None:
    w, x = shared(3, name="w"), T.dvector("x")
    f = on_both([x], [], [matrix(3)], [(w, w - 2 * x)])
    assert taken(f.plan) == {"t0": "w"}


def test_after_the_last_reader() -> None:
    w, x = shared(3, name="w"), T.dvector("x")
    new = w + x
    f = on_both([x], [T.dot(w, x)], [matrix(3)], [(w, new)])
    assert [step.op for step in f.plan.steps] == ["dot", "elementwise"]
    assert taken(f.plan) == {"t1": "w"} or taken(f.plan) == {"t0": "w"}


def test_an_update_that_is_an_output_too_is_copied() -> None:
    w = shared(3, name="w")
    new = w * 2
    f = on_both([], [new, w], [], [(w, new)])
    assert taken(f.plan) == {}


def test_an_update_that_others_read_is_copied() -> None:
    w, v = shared(3, name="w"), shared(3, name="v")
    new = w * 2
    on_both([], [], [], [(w, new), (v, T.dot(new, new) + v)])


def test_an_update_is_not_in_place_before_what_may_fail() -> None:
    w, v, i = shared(3, name="w"), shared(3, name="v"), T.lvector("i")
    updates = [(w, w * 2), (v, T.set_subtensor(v[i], 0.0))]
    f = on_both([i], [], [[1]], updates)
    before = [w.get_value(), v.get_value()]
    with pytest.raises(IndexError):
        f([3])
    np.testing.assert_array_equal([w.get_value(), v.get_value()], before)


def _square() -> SharedVariable:
    return shared(3, 3, name="w")


# New values of a 3 x 3 state that read another window of it.
OF_ITSELF: dict[str, Callable[[SharedVariable], Variable]] = {
    "itself": lambda w: w,
    "transposed": lambda w: w.T,
    "reversed": lambda w: w[::-1],
    "both": lambda w: w[::-1, ::-1],
    "rolled": lambda w: T.concatenate([w[1:], w[:1]]),
    "plus its transpose": lambda w: w + w.T,
    "plus its reverse": lambda w: w[::-1] + w,
    "minus its first row": lambda w: w - w[0],
    "minus its means": lambda w: w - w.mean(axis=0, keepdims=True),
    "minus its transposed means": lambda w: w - w.T.mean(axis=0),
    "written by its reverse": lambda w: T.set_subtensor(w[::-1], w),
    "increased by its transpose": lambda w: T.inc_subtensor(w[:, ::-1], w.T),
    "of the same rows twice": lambda w: w[[0, 0, 1]],
    "squared": lambda w: T.dot(w, w),
    "a smaller window": lambda w: w[1:, 1:],
    "reshaped": lambda w: w.reshape((9, 1)),
    "reshaped window": lambda w: w.T.reshape((1, 9)),
    "window of the reshaped": lambda w: w.reshape((1, 9))[:, ::-1],
    "as a row of the flattened": lambda w: w.flatten().dimshuffle("x", 0),
}


@pytest.mark.parametrize("build", OF_ITSELF.values(), ids=OF_ITSELF)
def test_update_from_a_window_of_the_state(build: Callable[..., Variable]) -> None:
    w = _square()
    on_both([], [w.sum()], [], [(w, T.unbroadcast(build(w), 0, 1))])


# New values of two states, each of which reads the other.
OF_EACH_OTHER: dict[str, Callable[[SharedVariable, SharedVariable], tuple[Variable, Variable]]] = {
    "swapped": lambda a, b: (b, a),
    "swapped and transposed": lambda a, b: (b.T, a.T),
    "swapped and reversed": lambda a, b: (b[::-1], a[::-1]),
    "swapped and reshaped": lambda a, b: (b.reshape((9, 1)), a.reshape((1, 9))),
    "one from the other, reshaped": lambda a, b: (b.T.reshape((1, 9)), a + 1),
    "sum and difference": lambda a, b: (a + b, a - b),
    "each scaled by the other": lambda a, b: (a * b, b * 3 - a),
    "product and sum": lambda a, b: (T.dot(a, b), b + a.sum()),
    "each other's sums": lambda a, b: (a + b.sum(), b + a.sum()),
    "one from the other's transpose": lambda a, b: (a + b.T, b * 2),
    "both transposes": lambda a, b: (a + b.T, b - a.T),
    "the same value": lambda a, b: (a * 2, a * 2),
    "the other as it was": lambda a, b: (b, b),
    "a window, and another in place": lambda a, b: (b[::-1], b * 2),
}


@pytest.mark.parametrize("build", OF_EACH_OTHER.values(), ids=OF_EACH_OTHER)
def test_updates_that_read_each_other(build: Callable[..., tuple[Variable, Variable]]) -> None:
    a, b = _square(), shared(3, 3, name="b", factor=-0.5)
    values = [T.unbroadcast(value, 0, 1) for value in build(a, b)]
    on_both([], [], [], list(zip([a, b], values, strict=True)))


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("change", [lambda v: v, lambda v: v + 1], ids=["plain", "changed"])
def test_updates_in_a_circle(count: int, change: Callable[[Variable], Variable]) -> None:
    states = [shared(4, name=f"s{k}", factor=k + 1.0) for k in range(count)]
    turned = [*states[1:], states[0]]
    before = [state.get_value() for state in states]
    updates = [(state, change(other)) for state, other in zip(states, turned, strict=True)]
    theano.function([], [], updates=updates)()
    shift = 0.0 if change(T.dscalar()).owner is None else 1.0
    for state, value in zip(states, [*before[1:], before[0]], strict=True):
        np.testing.assert_array_equal(state.get_value(), value + shift)


def test_an_update_fused_with_a_size_is_made_before_it_is_needed() -> None:
    flag, x, y = T.lscalar("flag"), T.dmatrix("x"), T.dmatrix("y")
    w = theano.shared(5.0, "w")
    chosen = theano.ifelse.ifelse(T.gt(flag, 0), x, y)
    arguments = [np.array(1), matrix(2, 3), matrix(4, 4)]
    on_both([flag, x, y], [T.arange(chosen.shape[1])], arguments, [(w, T.mod(w, 3.0))])


SUMMED = """\
plan summed
input  i int64[i.0]
state  w float64[w.0]
temp   t0 float64[]
temp   t1 float64[w.0]
temp   t2 float64[]
temp   t3 float64[i.0]
view   v0 float64[1] of {selected} at 0 strides (8)
0 elementwise w -> t0 t1
    r1 = sqr(r0) float64
    -> sum(r1, 0), r1
1 elementwise t0 -> t2
    r1 = exp(r0) float64
    -> r1
2 take v0 i -> t3
update w <- t1
output t2 t3
"""


def test_what_follows_from_a_step_that_writes_moves_with_it() -> None:
    placed = place(parse(SUMMED.format(selected="w")))
    verify(placed)
    assert [step.outputs for step in placed.steps] == [("t3",), ("t0", "t1"), ("t2",)]
    assert taken(placed) == {"t1": "w"}


@pytest.mark.parametrize("selected", ["t0", "t2"])
def test_but_not_if_what_may_fail_follows(selected: str) -> None:
    placed = place(parse(SUMMED.format(selected=selected)))
    verify(placed)
    assert [step.outputs for step in placed.steps] == [("t0", "t1"), ("t2",), ("t3",)]
    assert taken(placed) == {}


def test_two_states_take_one_value() -> None:
    a, b, x = shared(3, name="a"), shared(3, name="b"), T.dvector("x")
    on_both([x], [], [matrix(3)], [(a, a + x), (b, a + x)])


def test_a_state_takes_an_argument_a_size_and_a_constant() -> None:
    a, n, c, x = shared(3, name="a"), theano.shared(0, "n"), theano.shared(0.0, "c"), T.dvector("x")
    on_both([x], [], [matrix(5)], [(a, x), (n, x.shape[0]), (c, 2.5)])


# --- in general


def assert_sound(plan: Plan) -> None:
    """Follow a plan step by step and see that whatever is read still holds its own content."""
    holds = {item.name: item.name for item in plan.buffers}
    for step in plan.steps:
        for name in (*step.inputs, *(flag for flag, _ in step.guards)):
            place = plan.root(name).name
            assert holds[place] == plan.content(name).name, f"{holds[place]} has overwritten {name}"
        for name in step.outputs:
            holds[plan.root(name).name] = plan.content(name).name
    for name in plan.outputs:
        assert plan.root(name).name == name
    for state, value in plan.updates:
        place = plan.root(value).name
        assert holds[place] == plan.content(value).name, (
            f"{state} takes {value}, which is overwritten"
        )


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_keep_what_is_still_read(name: str) -> None:
    item = PROGRAMS[name]()
    slow = item.function("reference")
    native = item.function()
    assert_sound(native.plan)
    first = item.values()
    wanted = slow(*item.arguments), item.values()
    for (target, _), value in zip(item.updates or (), first, strict=True):
        target.set_value(value)
    found = native(*item.arguments), item.values()
    for one, other in zip(_flat(found), _flat(wanted), strict=True):
        assert_close(one * 1.0, other * 1.0, scale=1)


def _flat(results: Any) -> list[Array]:
    outputs, values = results
    return [*(outputs if isinstance(outputs, list) else [outputs]), *values]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(graphs(), st.sampled_from(sorted(LAYOUTS)))
def test_random_graphs_keep_what_is_still_read(graph: Graph, layout: str) -> None:
    expected = [graph.values[item] for item in graph.outputs]
    after = {state: graph.values[state] for state in graph.states}
    after |= {state: graph.values[value] for state, value in graph.updates}
    for mode, lie in [("native", "contiguous"), ("native", layout), ("reference", layout)]:
        for state in graph.states:
            state.set_value(lay_out(graph.values[state].copy(), lie), borrow=True)
        call = theano.function(
            graph.inputs,
            graph.outputs,
            updates=graph.updates,
            on_unused_input="ignore",
            mode=mode,
        )
        assert_sound(call.plan)
        arguments = [lay_out(array, lie) for array in graph.arguments]
        for found, wanted in zip(call(*arguments), expected, strict=True):
            np.testing.assert_array_equal(found, wanted, strict=True)
        for state, wanted in after.items():
            np.testing.assert_array_equal(state.get_value(), wanted, strict=True)
