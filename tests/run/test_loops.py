"""map and repeat: the bits of single calls, and variables at a step boundary whatever happens."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from arignote.ifelse import ifelse

import arignote as theano
import arignote.tensor as T
from arignote.config import config
from arignote.errors import ShapeError
from arignote.run import native
from arignote.run.function import Function
from helpers.programs import PROGRAMS, Program

MODES = ("native", "check", "reference")


def as_list(result: Any) -> list[Any]:
    return result if isinstance(result, list) else [result]


def bits(arrays: Any) -> list[tuple[str, tuple[int, ...], bytes]]:
    listed = map(np.asarray, as_list(arrays))
    return [(str(a.dtype), a.shape, a.tobytes()) for a in listed]


def by_single_calls(f: Function, arguments: list[list[Any]], count: int) -> list[Any]:
    """Return the stacked outputs of one call after the other."""
    results = [as_list(f(*(stack[k] for stack in arguments))) for k in range(count)]
    return [np.stack(column) for column in zip(*results, strict=True)]


def notes(error: BaseException) -> str:
    return "\n".join([str(error), *getattr(error, "__notes__", [])])


# --- the same bits


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_every_kind_of_program(name: str, mode: str) -> None:
    one, many = PROGRAMS[name](), PROGRAMS[name]()
    f, g = one.function(mode), many.function(mode)
    count = 5
    stacks = [[argument] * count for argument in one.arguments]
    wanted = by_single_calls(f, stacks, count)
    arrays = [np.array([np.asarray(item) for item in stack]) for stack in stacks]
    results = g.map(*arrays) if arrays else g.repeat(count)
    assert bits(results) == bits(wanted)
    assert bits(many.values()) == bits(one.values())
    # The next call of either kind goes on from there.
    assert bits(g(*many.arguments)) == bits(f(*one.arguments))
    again = g.map(*stacks) if arrays else g.repeat(count)
    assert bits(again) == bits(by_single_calls(f, stacks, count))
    assert bits(many.values()) == bits(one.values())


def minibatches(dtype: str = "float32") -> Program:
    """Softmax regression, large enough for work to be divided."""
    rng = np.random.default_rng(5)
    index, x, y = T.lscalar("index"), T.matrix("x", dtype=dtype), T.ivector("y")
    images = theano.shared(rng.random((2400, 300)).astype(dtype), "images")
    labels = theano.shared(rng.integers(0, 10, 2400).astype("int32"), "labels")
    w, b = theano.shared(np.zeros((300, 10), dtype), "W"), theano.shared(np.zeros(10, dtype), "b")
    likelihood = T.log(T.nnet.softmax(T.dot(x, w) + b))
    cost = -T.mean(likelihood[T.arange(y.shape[0]), y])
    rows = slice(index * 600, (index + 1) * 600)
    rate = np.asarray(0.13, dtype)
    return Program(
        [index],
        [cost, T.exp(x).sum(axis=0)],
        [np.arange(4)],
        [(p, p - rate * g) for p, g in zip([w, b], T.grad(cost, [w, b]), strict=True)],
        {x: images[rows], y: labels[rows]},
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_on_any_number_of_threads(all_threads: None, dtype: str) -> None:
    config.threads = 1
    single = minibatches(dtype)
    wanted = bits(by_single_calls(single.function(), [[0, 3, 1, 2]], 4))
    for count in (1, 2, 3, 7, 16):
        config.threads = count
        program = minibatches(dtype)
        assert bits(program.function().map([0, 3, 1, 2])) == wanted
        assert bits(program.values()) == bits(single.values())


def test_steps_that_take_another_branch_or_shape() -> None:
    """Sizes that depend on values are found anew, and skipped steps leave nothing behind."""
    flag, n, x = T.bscalar("flag"), T.lscalar("n"), T.dvector("x")
    state = theano.shared(np.zeros(4), "state")
    chosen = ifelse(flag, T.exp(x).sum(), T.dot(x, x))
    f = theano.function(
        [flag, n, x],
        [chosen, x[:n].sum(), x[(x > 0).nonzero()].sum()],
        updates=[(state, state + x)],
    )
    arguments = [
        np.array([0, 1, 1, 0], "int8"),
        np.array([4, 0, 2, 3]),
        np.random.default_rng(0).normal(size=(4, 4)),
    ]
    wanted, sums = by_single_calls(f, [list(a) for a in arguments], 4), state.get_value()
    state.set_value(np.zeros(4))
    assert bits(f.map(*arguments)) == bits(wanted)
    assert bits(state.get_value()) == bits(sums)


def test_slices_of_any_layout() -> None:
    x, y = T.fmatrix("x"), T.row("y", dtype="float32")
    f = theano.function([x, y], [T.dot(x, x.T) + 1, (x * y).sum(axis=1), x[1:]])
    data = np.random.default_rng(1).random((5, 7, 3)).astype("float32")
    rows = data[:, :1, :]
    for a, b in ((data, rows), (data[::-1], rows[::-1]), (data[::2], rows[::2])):
        assert bits(f.map(a, b)) == bits(by_single_calls(f, [list(a), list(b)], len(a)))
    turned = np.asfortranarray(data)
    assert bits(f.map(turned, rows)) == bits(by_single_calls(f, [list(turned), list(rows)], 5))
    one = np.broadcast_to(data[:1], data.shape)
    assert bits(f.map(one, rows)) == bits(by_single_calls(f, [list(one), list(rows)], 5))


def test_results_need_no_alignment() -> None:
    """A result begins where the one before ends, wherever that is."""
    for dtype in ("int8", "float32", "float64", "complex128"):
        x = T.vector("x", dtype=dtype)
        data = np.random.default_rng(2).integers(0, 9, (6, 37)).astype(dtype)
        f = theano.function([x], [x * x + x, x[::-1], T.concatenate([x, x])])
        assert bits(f.map(data)) == bits(by_single_calls(f, [list(data)], 6))


@pytest.mark.parametrize("mode", MODES)
def test_updates_that_read_old_values(mode: str) -> None:
    a, b = theano.shared(np.array([1.0, 2.0]), "a"), theano.shared(np.array([5.0, 7.0]), "b")
    f = theano.function([], [a, b], updates=[(a, b), (b, a + b)], mode=mode)
    first, second = f.repeat(3)
    assert first.tolist() == [[1, 2], [5, 7], [6, 9]]
    assert second.tolist() == [[5, 7], [6, 9], [11, 16]]
    assert a.get_value().tolist() == [11, 16]
    assert b.get_value().tolist() == [17, 25]


@pytest.mark.parametrize("mode", MODES)
def test_updates_that_change_a_shape(mode: str) -> None:
    w, x = theano.shared(np.zeros(1), "w"), T.dscalar("x")
    f = theano.function([x], w.sum(), updates=[(w, T.concatenate([w, w + x]))], mode=mode)
    assert f.map([1.0, 2.0, 3.0]).tolist() == [0, 1, 6]
    assert w.get_value().tolist() == [0, 1, 2, 3, 3, 4, 5, 6]


def test_variables_in_one_memory() -> None:
    def run(loop: bool) -> list[Any]:
        memory = np.arange(8.0)
        a = theano.shared(memory[:6], "a", borrow=True)
        b = theano.shared(memory[2:], "b", borrow=True)
        f = theano.function([], [a.sum(), b.sum()], updates=[(a, a * 2 + b), (b, b - 1)])
        results = f.repeat(4) if loop else by_single_calls(f, [], 4)
        return bits([*results, memory])

    assert run(True) == run(False)


@pytest.mark.parametrize("mode", MODES)
def test_arguments_that_lie_in_a_variable(mode: str) -> None:
    """They count as they are when the loop begins."""
    memory = np.array([1.0, 2.0, 3.0])
    w, x = theano.shared(memory, "w", borrow=True), T.dscalar("x")
    f = theano.function([x], x * 10, updates=[(w, w + x)], mode=mode)
    assert f.map(memory).tolist() == [10, 20, 30]
    assert w.get_value().tolist() == [7, 8, 9]


@pytest.mark.parametrize("mode", MODES)
def test_borrowed_outputs(mode: str) -> None:
    x = T.dvector("x")
    f = theano.function([x], theano.Out(x * 2, borrow=True), mode=mode)
    data = np.arange(6.0).reshape(3, 2)
    first = f.map(data)
    assert f(data[0]).tolist() == [0, 2]
    second = f.map(data + 1)
    np.testing.assert_array_equal(first, data * 2)
    np.testing.assert_array_equal(second, data * 2 + 2)


# --- the form of arguments and results


@pytest.mark.parametrize("mode", MODES)
def test_results_have_the_form_of_a_call(mode: str) -> None:
    x, w = T.dscalar("x"), theano.shared(0.0, "w")

    def compiled(outputs: Any) -> Function:
        return theano.function([x], outputs, updates=[(w, w + x)], mode=mode)

    assert compiled(None).map([1.0, 2.0]) == []
    assert compiled([]).map([1.0, 2.0]) == []
    assert w.get_value() == 6
    (listed,) = compiled([x * 2]).map([1.0, 2.0])
    assert listed.tolist() == [2, 4]
    named = compiled({"a": x, "b": x + 1}).map([1.0, 2.0])
    assert {key: value.tolist() for key, value in named.items()} == {"a": [1, 2], "b": [2, 3]}


@pytest.mark.parametrize("mode", MODES)
def test_names_and_defaults(mode: str) -> None:
    x, y = T.dvector("x"), T.dscalar("y")
    f = theano.function([x, theano.In(y, value=10.0)], x.sum() * y, mode=mode)
    data = np.arange(6.0).reshape(3, 2)
    assert f.map(data).tolist() == [10, 50, 90]
    assert f.map(x=data, y=[1, 2, 3]).tolist() == [1, 10, 27]
    f[y] = 2.0
    assert f.map(data).tolist() == [2, 10, 18]
    with pytest.raises(TypeError, match="Missing required input: x"):
        f.map(y=[1.0])
    with pytest.raises(TypeError, match="Missing required input: x"):
        f.repeat(3)
    with pytest.raises(TypeError, match="Unknown input or state: z"):
        f.map(data, z=[1])
    with pytest.raises(TypeError, match="Multiple values for input: x"):
        f.map(data, x=data)
    with pytest.raises(TypeError, match="Too many parameter"):
        f.map(data, data, data)


def test_defaults_that_calls_change() -> None:
    x = T.dscalar("x")
    f = theano.function([theano.In(x, value=1.0, update=x * 2)], x)
    assert f.repeat(4).tolist() == [1, 2, 4, 8]
    assert f[x] == 16
    w, v = theano.shared(1.0, "w"), T.dscalar("v")
    g = theano.function([theano.In(v, value=w)], v, updates=[(w, w + 1)])
    assert g.repeat(3).tolist() == [1, 2, 3]
    assert w.get_value() == 4


def test_conversions_are_those_of_a_call() -> None:
    x, s, k = T.fvector("x"), T.fscalar("s"), T.iscalar("k")
    f = theano.function([x, s, k], [x + s, k])
    total, index = f.map([[1, 2], [3, 4]], [0.5, True], np.array([1, 2], "int16"))
    assert total.dtype == "float32"
    assert total.tolist() == [[1.5, 2.5], [4, 5]]
    assert (index.dtype, index.tolist()) == ("int32", [1, 2])
    with pytest.raises(TypeError, match=r"index 0 .*\(input x\)[\s\S]*cannot store a value"):
        f.map(np.zeros((2, 2)), [0, 1], [0, 1])
    with pytest.raises(TypeError, match="cannot store accurately value") as info:
        f.map([[1, 2], [0.1, 4]], [0, 1], [0, 1])
    assert "item 1" in notes(info.value)
    with pytest.raises(TypeError, match=r"expected 2, got 1 with shape \(2,\)") as info:
        f.map(np.zeros(2, "float32"), [0, 1], [0, 1])
    assert "one more dimension" in notes(info.value)
    with pytest.raises(ValueError, match=r"\(2,\), then \(3,\) of item 1"):
        f.map([[1, 2], [1, 2, 3]], [0, 1], [0, 1])
    rounding = theano.function([x], x, allow_input_downcast=True)
    assert rounding.map(np.full((2, 1), 0.1)).dtype == "float32"
    strict = theano.function([theano.In(s, strict=True)], s)
    with pytest.raises(TypeError, match="strict"):
        strict.map(np.zeros(3))
    assert strict.map(np.zeros(3, "float32")).tolist() == [0, 0, 0]
    swapped = f.map(np.ones((2, 1), ">f4"), [0, 0], range(2))
    assert swapped[0].tolist() == [[1], [1]]


def test_arguments_that_do_not_fit_each_other() -> None:
    x, y = T.dscalar("x"), T.dscalar("y")
    f = theano.function([x, y], x + y)
    with pytest.raises(ValueError, match="one length: x has 3, y has 4"):
        f.map(np.zeros(3), np.zeros(4))
    with pytest.raises(TypeError, match="repeat"):
        theano.function([], []).map()
    g = theano.function([], [])
    assert g.repeat(np.int64(2)) == []
    with pytest.raises(TypeError, match=r"\[repeat\] n must be an integer: 1.5"):
        g.repeat(1.5)  # type: ignore[arg-type]
    for steps in (-1, 2**63):
        with pytest.raises(ValueError, match=rf"from 0 to 2\*\*63 - 1: {steps}"):
            g.repeat(steps)


@pytest.mark.parametrize("mode", MODES)
def test_no_step(mode: str) -> None:
    """Nothing runs; lengths that only a step would tell are 0."""
    x, k, w = T.fmatrix("x"), T.lscalar("k"), theano.shared(np.zeros((4, 3), "float32"), "w")
    f = theano.function(
        [x, k],
        {"p": T.dot(x, w), "mean": x.mean(), "part": x[:k], "mask": x[(x > 0).nonzero()]},
        updates=[(w, w + 1)],
        mode=mode,
    )
    results = f.map(np.zeros((0, 5, 4), "float32"), [])
    shapes = {key: (value.dtype.name, value.shape) for key, value in results.items()}
    assert shapes["p"] == ("float32", (0, 5, 3))
    assert shapes["mean"] == ("float32", (0,))
    assert shapes["part"] == ("float32", (0, 0, 4))
    assert shapes["mask"] == ("float32", (0, 0))
    assert not w.get_value().any()
    with pytest.raises(ValueError, match="one length"):
        f.map(np.zeros((0, 5, 4), "float32"), [1])


def test_pickled_and_copied_functions() -> None:
    program = PROGRAMS["linear_regression"]()
    f = program.function()
    again = pickle.loads(pickle.dumps(f))
    data = [np.stack([argument] * 3) for argument in program.arguments]
    assert bits(again.map(*data)) == bits(f.map(*data))


# --- what ends a loop early


@pytest.mark.parametrize("mode", [*MODES, "monitored"])
def test_outputs_of_different_shapes(mode: Any) -> None:
    if mode == "monitored":
        mode = theano.compile.monitormode.MonitorMode()
    w, n = theano.shared(np.zeros(9), "w"), T.lscalar("n")
    part = w[:n] + 1
    part.name = "part"
    f = theano.function([n], [w.sum(), part], updates=[(w, w + 1)], mode=mode)
    with pytest.raises(ShapeError, match=r"output 1 \(part\).*: \(3,\), then \(4,\)") as info:
        f.map([3, 3, 4, 3])
    assert "step 2" in notes(info.value)
    assert w.get_value().tolist() == [2] * 9
    assert f.map([5, 5])[1].shape == (2, 5)


@pytest.mark.parametrize("mode", MODES)
def test_a_step_that_fails(mode: str) -> None:
    w, x, y = theano.shared(np.zeros((2, 3)), "w"), T.dmatrix("x"), T.lvector("y")
    log_p = T.log(T.nnet.softmax(T.dot(x, w)))
    cost = -T.mean(log_p[T.arange(y.shape[0]), y])
    f = theano.function([x, y], cost, updates=[(w, w - T.grad(cost, w))], mode=mode)
    data = np.random.default_rng(3).random((9, 5, 2))
    labels = np.zeros((9, 5), "int64")
    labels[7, 1] = 3
    with pytest.raises(IndexError) as single:
        f(data[7], labels[7])
    assert not w.get_value().any()
    before = f.map(data[:7], labels[:7])
    wanted = w.get_value()
    w.set_value(np.zeros((2, 3)))
    with pytest.raises(IndexError) as info:
        f.map(data, labels)
    assert str(info.value) == str(single.value)
    assert "This was step 7 of map or repeat" in notes(info.value)
    assert notes(single.value) in notes(info.value)
    assert bits(w.get_value()) == bits(wanted)
    w.set_value(np.zeros((2, 3)))
    assert bits(f.map(data[:7], labels[:7])) == bits(before)


def test_a_step_in_python_that_fails() -> None:
    def check(op: Any, value: Any) -> None:
        if value > 2:
            raise ArithmeticError("too much")

    w, x = theano.shared(0.0, "w"), T.dscalar("x")
    f = theano.function(
        [x], theano.printing.Print(global_fn=check)(x) * 2, updates=[(w, w + x)], mode="native"
    )
    with pytest.raises(ArithmeticError, match="too much") as info:
        f.map([1.0, 2.0, 3.0, 4.0])
    assert "step 2" in notes(info.value)
    assert w.get_value() == 3


def test_a_variable_that_may_not_be_written() -> None:
    memory = np.zeros(3)
    w = theano.shared(memory, "w", borrow=True)
    f = theano.function([], [], updates=[(w, w + 1)])
    memory.flags.writeable = False
    with pytest.raises(ValueError, match="w must be writeable"):
        f.repeat(3)


def test_results_that_no_memory_holds() -> None:
    x = T.dvector("x")
    f = theano.function([theano.In(x, value=np.zeros(1000))], x + 1)
    for count in (1 << 45, 1 << 62):
        with pytest.raises(MemoryError, match=rf"shape \({count}, 1000\) and dtype float64"):
            f.repeat(count)
    assert f.repeat(2).shape == (2, 1000)


def test_the_loop_of_the_runtime_refuses_what_does_not_fit() -> None:
    x = T.row("x")
    f = theano.function([x], x)
    for array in (
        np.zeros((3, 1, 2))[:, :, ::-1].astype("float32"),
        np.zeros((2, 1, 2)),
        np.zeros((3, 2, 2)),
        np.zeros((1, 2)),
        np.zeros((3, 1, 2), ">f8"),
        "text",
    ):
        with pytest.raises(TypeError, match="argument 0 must be an array that fits"):
            f._loop((array,), (True,), 3)
    for arguments, stacked, count in (((), (), 1), ((np.zeros((1, 2)),), (False,), 0)):
        with pytest.raises(TypeError, match="_loop"):
            f._loop(arguments, stacked, count)
    with pytest.raises(TypeError):
        f._loop([np.zeros((1, 2))], (False,), 1)


# --- Ctrl-C


def interrupted(call: Callable[[], object], seconds: float = 0.2) -> float:
    """Send a Ctrl-C while a call runs; return how long it took to end."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(seconds, lambda: os.kill(os.getpid(), signal.SIGINT))
    start = time.perf_counter()
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt) as info:
            call()
        assert "of map or repeat" in notes(info.value)
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)
    return time.perf_counter() - start - seconds


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.alone
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [1, 30_000])
def test_interrupts_between_steps(mode: str, size: int) -> None:
    a, b = theano.shared(np.zeros(size), "a"), theano.shared(np.zeros(size), "b")
    f = theano.function([], a[0], updates=[(a, a + 1), (b, a)], mode=mode)
    f.repeat(2)
    late = interrupted(lambda: f.repeat(100_000_000))
    first, second = a.get_value(), b.get_value()
    assert first.min() == first.max() > 2
    np.testing.assert_array_equal(second, first - 1)
    assert late < 2
    count = int(first[0])
    assert f.repeat(2).tolist() == [count, count + 1]


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.alone
def test_signals_that_end_nothing() -> None:
    w = theano.shared(0.0, "w")
    f = theano.function([], [], updates=[(w, w + 1)])
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    timer = threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGINT))
    try:
        f.repeat(1000)
        start = time.perf_counter()
        f.repeat(20_000)
        count = int(0.5 / (time.perf_counter() - start) * 20_000)
        timer.start()
        f.repeat(count)
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.SIGINT]
    assert w.get_value() == 21_000 + count


# --- threads, time and memory


def test_loops_of_many_threads() -> None:
    w = theano.shared(np.zeros(100), "w")
    x = T.dscalar("x")
    f = theano.function([x], w.sum(), updates=[(w, w + x)])
    seen: list[Any] = []

    def work() -> None:
        seen.extend(f.map(np.ones(50)) for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert w.get_value().tolist() == [4000] * 100
    # No other thread came between the steps of one loop.
    assert all((np.diff(result) == 100).all() for result in seen)
    assert sorted(result[0] for result in seen) == [5000 * k for k in range(80)]


def test_others_run_meanwhile() -> None:
    w = theano.shared(0.0, "w")
    f = theano.function([], [], updates=[(w, w + 1)])
    done = threading.Event()

    def work() -> None:
        f.repeat(2_000_000)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    count = 0
    while not done.is_set():
        count += 1
        time.sleep(1e-3)
    thread.join()
    assert count > 10


def test_a_loop_within_a_step_of_another() -> None:
    x, w = T.dvector("x"), theano.shared(1.0, "w")
    inner = theano.function([x], x.sum() * w)

    def call(op: Any, value: Any) -> None:
        assert inner.map(np.stack([value, value])).tolist() == [value.sum()] * 2

    outer = theano.function([x], theano.printing.Print(global_fn=call)(x) * w)
    data = np.arange(6.0).reshape(3, 2)
    assert outer.map(data).tolist() == data.tolist()


def test_profiles_count_steps() -> None:
    w = theano.shared(np.zeros(3), "w")
    f = theano.function([], w.sum(), updates=[(w, w + 1)], profile=True)
    f()
    f.repeat(10)
    profile = f.profile()
    assert profile.calls == 11
    assert all(step.runs == 11 for step in profile.steps)


def test_versions_count_updates() -> None:
    w = theano.shared(0.0, "w")
    f = theano.function([], w, updates=[(w, w + 1)])
    before = w.container.storage.version
    f.repeat(7)
    assert w.container.storage.version == before + 7


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name != "resizing_update"])
def test_loops_allocate_nothing_in_the_runtime(name: str) -> None:
    program = PROGRAMS[name]()
    f = program.function()
    arguments = [np.stack([np.asarray(item)] * 20) for item in program.arguments]

    def run() -> None:
        f.map(*arguments) if arguments else f.repeat(20)

    for _ in range(2):
        run()
    before = native.allocations()
    run()
    assert native.allocations() == before
