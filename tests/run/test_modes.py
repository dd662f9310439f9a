"""Modes that look: check against NumPy, guard against NaN, monitor every step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from arignote.compile.monitormode import MonitorMode
from arignote.compile.nanguardmode import NanGuardMode
from arignote.ifelse import ifelse

import arignote as theano
import arignote.tensor as T
from arignote.errors import CheckModeError
from arignote.graph.op import op_named
from arignote.plan.plan import Step
from arignote.run.mode import Mode
from helpers.programs import PROGRAMS

Array = npt.NDArray[Any]


def notes(error: BaseException) -> str:
    """Return the text of an error with its notes."""
    return "\n".join([str(error), *getattr(error, "__notes__", [])])


# --- check


@contextmanager
def other_meaning(name: str, change: Callable[[Any], Any]) -> Iterator[None]:
    """Let the reference of an op differ from its kernel, as a wrong kernel would."""
    op = op_named(name)
    right = op.reference

    def wrong(*arguments: Any) -> Any:
        return change(right(*arguments))

    object.__setattr__(op, "reference", wrong)
    try:
        yield
    finally:
        object.__setattr__(op, "reference", right)


def test_check_mode_names_the_first_step_that_differs() -> None:
    x, w = T.dmatrix("x"), theano.shared(np.ones((3, 2)), "w")
    product = T.dot(x, w)
    outputs = [T.nnet.softmax(product), T.dot(product, product.T)]
    f = theano.function([x], outputs, updates=[(w, w * 2)], mode="check")
    given = np.arange(6.0).reshape(2, 3)
    f(given)
    w.set_value(np.ones((3, 2)))

    def off(array: Array) -> Array:
        changed = np.array(array)
        changed[1, 0] += 1e-9
        return changed

    with other_meaning("dot", off), pytest.raises(CheckModeError) as caught:
        f(given)
    text = notes(caught.value)
    first = text.splitlines()[0]
    assert first == "step 0 differs from its NumPy reference: dot x w -> t0"
    assert "t0: 1 of 4 elements differ, first at (1, 0): " in text
    assert "instead of" in text
    assert "Target: " in text
    assert "threads: " in text
    assert "test_modes.py" in text
    assert w.get_value().tolist() == [[1, 1]] * 3
    f(given)


@pytest.mark.parametrize(
    ("op", "build"),
    [
        ("exp", lambda x: T.exp(x) + 1),
        ("add", lambda x: x + T.sqrt(x)),
        ("softmax", T.nnet.softmax),
        ("argmax", lambda x: T.argmax(x, axis=1)),
        ("take", lambda x: x[[0, 1, 0]]),
        ("join", lambda x: T.concatenate([x, x])),
        ("put", lambda x: T.set_subtensor(x[[0]], 1)),
        ("slice_update", lambda x: T.set_subtensor(x[0], 7)),
        ("dot", lambda x: T.dot(x, x)),
    ],
)
def test_check_mode_finds_any_wrong_step(op: str, build: Callable[[Any], Any]) -> None:
    x = T.dmatrix("x")
    f = theano.function([x], build(x), mode="check")
    given = np.array([[1.0, 2.0], [3.0, 4.5]])
    f(given)
    with other_meaning(op, lambda array: np.asarray(array) + 1), pytest.raises(CheckModeError):
        f(given)


def test_check_mode_finds_a_wrong_shape_and_dtype() -> None:
    x = T.dmatrix("x")
    f = theano.function([x], T.dot(x, x), mode="check")
    given = np.ones((2, 2))
    differ = pytest.raises(CheckModeError, match=r"shape \(2, 2\) float64 instead of \(1, 2\)")
    with other_meaning("dot", lambda array: array[:1]), differ:
        f(given)


def test_check_mode_lets_nan_and_infinity_pass() -> None:
    x = T.dvector("x")
    f = theano.function([x], [T.log(x), T.exp(x).sum(), x / x[::-1], x.max()], mode="check")
    f([np.nan, np.inf, -np.inf, 0.0, -1.0, 1e308])


def test_check_mode_tells_bad_input_as_ever() -> None:
    x, y = T.dvectors("x", "y")
    f = theano.function([x, y], x + y, mode="check")
    with pytest.raises(ValueError, match="Input dimension mis-match"):
        f([1.0], [1.0, 2.0])
    with pytest.raises(TypeError, match="Bad input argument"):
        f("a", [1.0])
    g = theano.function([x], x[[0, 5]], mode="check")
    with pytest.raises(IndexError, match="index 5 is out of bounds for size 2"):
        g([1.0, 2.0])


# --- NaN guard


def guard(build: Callable[[Any], Any], value: Any, **options: bool) -> str | None:
    """Return what a guarded call says, None if nothing."""
    x = T.dvector("x")
    w = theano.shared(0.0, "w")
    y = build(x)
    f = theano.function([x], y, updates=[(w, y.sum())], mode=NanGuardMode(**options))
    try:
        f(value)
    except AssertionError as error:
        assert w.get_value() == 0
        return str(error)
    assert w.get_value() == np.sum(f(value))
    return None


def test_nan_guard() -> None:
    found = guard(T.log, [1.0, -1.0])
    assert found is not None
    assert found.startswith("NaN detected in the output of step 0: elementwise x")
    assert "The node was built at: File" in found
    assert "Inf detected" in str(guard(T.log, [0.0]))
    assert "Big value detected" in str(guard(lambda x: x * 1e11, [1.0]))
    assert "NaN and Inf detected" in str(guard(T.log, [0.0, -1.0]))
    assert guard(T.log, [1.0, 2.0]) is None


def test_nan_guard_looks_for_what_it_is_told() -> None:
    assert guard(lambda x: x * 1e11, [1.0], big_is_error=False) is None
    assert guard(lambda x: x / 0, [1.0], inf_is_error=False, big_is_error=False) is None
    quiet = {"nan_is_error": False, "inf_is_error": False, "big_is_error": False}
    x = T.dvector("x")
    f = theano.function([x], T.log(x), mode=NanGuardMode(**quiet))
    assert np.isnan(f([-1.0]))


def test_nan_guard_names_the_first_step() -> None:
    x = T.dmatrix("x")
    f = theano.function([x], T.dot(T.log(T.dot(x, x)), x), mode=NanGuardMode())
    with pytest.raises(AssertionError, match="NaN and Inf detected in the output of step 1: elem"):
        f([[0.0, -1.0], [1.0, 1.0]])


# --- monitor


def test_monitor_mode() -> None:
    """As in Theano's documentation: print inputs before, and outputs after every step."""
    seen: list[tuple[str, int, str, list[Any], list[Any]]] = []

    def note(when: str) -> Callable[..., None]:
        def call(fgraph: Any, i: int, node: Step, fn: Any) -> None:
            shown = [[item[0].tolist() for item in part] for part in (fn.inputs, fn.outputs)]
            seen.append((when, i, node.op, *shown))

        return call

    x = T.dmatrix("x")
    f = theano.function([x], T.dot(x, x).sum(), mode=MonitorMode(note("before"), note("after")))
    assert f([[2.0]]) == 4
    assert seen == [
        ("before", 0, "dot", [[[2.0]], [[2.0]]], []),
        ("after", 0, "dot", [[[2.0]], [[2.0]]], [[[4.0]]]),
        ("before", 1, "elementwise", [[[4.0]]], []),
        ("after", 1, "elementwise", [[[4.0]]], [4.0]),
    ]
    quiet = theano.function([x], T.dot(x, x), mode=MonitorMode())
    assert quiet([[3.0]]) == 9


def detect_nan(fgraph: Any, i: int, node: Step, fn: Any) -> None:
    """The function of Theano's documentation that looks for NaN after every step."""
    for output in fn.outputs:
        if np.isnan(output[0]).any():
            raise ArithmeticError(f"NaN detected at {i}")


def test_a_monitor_may_stop_the_call() -> None:
    x, w = T.dscalar("x"), theano.shared(1.0, "w")
    f = theano.function(
        [x], T.log(x) * x, updates=[(w, w + x)], mode=MonitorMode(post_func=detect_nan)
    )
    with pytest.raises(ArithmeticError, match="NaN detected at 0"):
        f(-1.0)
    assert w.get_value() == 1
    f(1.0)
    assert w.get_value() == 2


def test_what_a_watcher_is_given_it_may_keep() -> None:
    kept: list[Array] = []

    def watch(number: int, step: Step, inputs: Sequence[Array], outputs: Any) -> None:
        kept.extend([*inputs, *(outputs or ())])

    w = theano.shared(np.zeros(3), "w")
    f = theano.function([], [], updates=[(w, w + 1)], mode=Mode(watcher=watch))
    for _ in range(3):
        f()
    values = [array.tolist() for array in kept if array.shape == (3,)]
    old, new = values[::3], values[2::3]
    assert [item[0] for item in old] == [0, 1, 2]
    assert [item[0] for item in new] == [1, 2, 3]
    for array in kept:
        array[...] = 77
    assert w.get_value().tolist() == [3, 3, 3]


def test_only_steps_that_run_are_watched() -> None:
    numbers: list[int] = []

    def watch(number: int, step: Step, inputs: Sequence[Array], outputs: Any) -> None:
        if outputs is not None:
            numbers.append(number)

    flag, x = T.bscalar("flag"), T.dmatrix("x")
    f = theano.function([flag, x], ifelse(T.gt(flag, 0), T.dot(x, x), x), mode=Mode(watcher=watch))
    f(1, [[1.0]])
    f(0, [[1.0]])
    ops = [f.plan.steps[number].op for number in numbers]
    assert ops.count("dot") == 1
    assert ops.count("ifelse") == 2


@pytest.mark.parametrize("name", PROGRAMS)
def test_watched_functions_give_the_same_bits(name: str) -> None:
    item = PROGRAMS[name]()
    first = item.values()
    results = []
    for mode in ("native", NanGuardMode(False, False, False), MonitorMode()):
        for (target, _), value in zip(item.updates or (), first, strict=True):
            target.set_value(value)
        outputs = item.function(mode)(*item.arguments)
        listed = outputs if isinstance(outputs, list) else [outputs]
        results.append([array.tobytes() for array in (*listed, *item.values())])
    assert results[0] == results[1] == results[2]
