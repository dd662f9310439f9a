"""Threads: many callers, functions that share variables, the GIL, forks, and equal bits."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.config import config
from arignote.graph.variable import SharedVariable
from arignote.run import native
from arignote.run.function import Function
from helpers.programs import PROGRAMS

pytestmark = pytest.mark.alone


def together(*tasks: Callable[[], object]) -> None:
    """Run tasks at once, each in a thread; raise what they raise."""
    errors: list[BaseException] = []
    start = threading.Barrier(len(tasks))

    def run(task: Callable[[], object]) -> None:
        try:
            start.wait()
            task()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    if errors:
        raise errors[0]


def repeated(f: Callable[..., object], count: int, *arguments: Any) -> Callable[[], None]:
    def task() -> None:
        for _ in range(count):
            f(*arguments)

    return task


# --- many callers


def test_one_function_called_by_many() -> None:
    x, w = T.dmatrix("x"), theano.shared(np.arange(12.0).reshape(4, 3), "w")
    f = theano.function([x], [T.tanh(T.dot(x, w)).sum(axis=1), x[::-1]])

    def call(rows: int) -> Callable[[], None]:
        given = np.full((rows, 4), rows / 100)
        wanted = f(given)[0].tobytes()

        def task() -> None:
            for _ in range(40):
                assert f(given)[0].tobytes() == wanted

        return task

    together(*(call(rows) for rows in (1, 7, 50, 300)))


@pytest.mark.parametrize("size", [1, 1000, 100_000])
def test_no_update_is_lost(size: int) -> None:
    w = theano.shared(np.zeros(size), "w")
    f = theano.function([], [], updates=[(w, w + 1)])
    count = 200 if size < 10_000 else 40
    together(*[repeated(f, count)] * 4)
    np.testing.assert_array_equal(w.get_value(), 4 * count)


def test_functions_that_share_variables() -> None:
    """Transfers in opposite directions and an audit: no update is lost, none is seen in part."""
    a, b = theano.shared(np.zeros(5000), "a"), theano.shared(np.zeros(5000), "b")
    x = T.dscalar("x")
    forth = theano.function([x], [], updates=[(a, a - x), (b, b + x)])
    back = theano.function([x], [], updates=[(b, b - x), (a, a + x)])
    swap = theano.function([], [], updates=[(a, b), (b, a)])
    total = theano.function([], [(a + b).min(), (a + b).max()])

    def audit() -> None:
        for _ in range(100):
            assert [float(item) for item in total()] == [0, 0]

    together(repeated(forth, 100, 2.0), repeated(back, 100, 2.0), repeated(swap, 51), audit, audit)
    np.testing.assert_array_equal(a.get_value() + b.get_value(), 0)
    both = {float(a.get_value()[0]), float(b.get_value()[0])}
    assert len(both) in (1, 2)


def test_reading_and_setting_while_others_call() -> None:
    w = theano.shared(np.zeros(50_000), "w")
    f = theano.function([], [], updates=[(w, w + 1)])

    def read() -> None:
        for _ in range(100):
            value = w.get_value()
            assert value.min() == value.max()

    def write() -> None:
        for k in range(100):
            w.set_value(np.full(50_000 + k % 3, float(k)))

    together(repeated(f, 100), read, write)


def test_failures_of_some_do_not_touch_the_others() -> None:
    w, i = theano.shared(np.zeros(4), "w"), T.lscalar("i")
    f = theano.function([i], w[i], updates=[(w, w + 1)])

    def fail() -> None:
        for _ in range(100):
            with pytest.raises(IndexError):
                f(9)

    together(repeated(f, 100, 3), fail, repeated(f, 100, 0), fail)
    assert w.get_value().tolist() == [200] * 4


def test_compiling_in_many_threads() -> None:
    def task() -> None:
        for _ in range(3):
            item = PROGRAMS["binary_logistic"]()
            predicted, _ = item.function()(*item.arguments)
            assert predicted.dtype == "bool"

    together(task, task, task)


def test_calls_within_calls() -> None:
    """A function that is called from a step of another, in many threads."""
    x = T.dvector("x")
    inner = theano.function([x], T.exp(x).sum())

    def call_inner(op: Any, value: Any) -> None:
        assert float(inner(value)) == len(value)

    outer = theano.function([x], theano.printing.Print(global_fn=call_inner)(x) + 1)
    together(*[repeated(outer, 30, np.zeros(size)) for size in (1, 100, 10_000)])


# --- the GIL


def test_others_run_while_a_call_computes() -> None:
    x = T.dmatrix("x")
    product = x
    for _ in range(6):
        product = T.dot(product, x)
    f = theano.function([x], product.sum())
    given = np.full((700, 700), 1e-3)
    f(given)
    moments: list[float] = []
    done = threading.Event()

    def tick() -> None:
        while not done.is_set():
            moments.append(time.perf_counter())
            time.sleep(1e-4)

    ticking = threading.Thread(target=tick)
    ticking.start()
    calls = []
    for _ in range(5):
        start = time.perf_counter()
        f(given)
        calls.append((start, time.perf_counter()))
    done.set()
    ticking.join()
    inside = [sum(start < moment < end for moment in moments) for start, end in calls]
    # With the GIL held there would be one per call at most.
    assert sum(inside) > 10 * len(calls), inside


# --- equal bits


def bits(f: Function, *arguments: Any) -> list[bytes]:
    outputs = f(*arguments)
    listed = outputs if isinstance(outputs, list) else [outputs]
    states = [state.get_value() for state in f.compiled.states]
    return [array.tobytes() for array in (*listed, *states)]


def large_program(dtype: str) -> tuple[Function, SharedVariable, list[Any]]:
    """Return a training step large enough for work to be divided."""
    rng = np.random.default_rng(3)
    x, y = T.TensorType(dtype, (False, False))("x"), T.lvector("y")
    w = theano.shared(rng.normal(size=(300, 40)).astype(dtype), "w")
    likelihood = T.log(T.nnet.softmax(T.dot(x, w)))
    cost = -T.mean(likelihood[T.arange(y.shape[0]), y])
    rate = np.asarray(0.1, dtype)
    f = theano.function(
        [x, y],
        [cost, T.exp(x).sum(axis=0), x.sum(), (x**2).sum(axis=1)],
        updates=[(w, w - rate * T.grad(cost, w))],
    )
    arguments = [rng.normal(size=(2000, 300)).astype(dtype), rng.integers(0, 40, 2000)]
    return f, w, arguments


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_do_not_depend_on_the_number_of_threads(all_threads: None, dtype: str) -> None:
    f, w, arguments = large_program(dtype)
    start = w.get_value()
    results = []
    for count in (1, 2, 3, 7, 1):
        config.threads = count
        assert native.threads() == count
        w.set_value(start)
        results.append(bits(f, *arguments))
    assert results[1:] == results[:1] * 4


def test_changing_the_number_while_others_call(all_threads: None) -> None:
    x = T.dvector("x")
    f = theano.function([x], T.exp(x).sum())
    given = np.linspace(-1, 1, 300_000)
    wanted = f(given).tobytes()

    def call() -> None:
        for _ in range(40):
            assert f(given).tobytes() == wanted

    def change() -> None:
        for count in range(40):
            config.threads = 1 + count % 4

    together(call, call, change)


def test_impossible_numbers(all_threads: None) -> None:
    config.threads = 2
    for count in (-1, "many", 1.5, None):
        with pytest.raises(ValueError, match=r"Invalid value .* configuration variable .threads."):
            config.threads = count  # type: ignore[assignment]
    with pytest.raises(ValueError, match="count must be from 0 to 1024: 5000"):
        config.threads = 5000
    assert config.threads == native.threads() == 2
    config.threads = 0
    assert native.threads() == len(os.sched_getaffinity(0))


# --- memory of large results


def test_large_results_of_many_callers_lie_apart() -> None:
    value = T.dscalar("value")
    f = theano.function([value], T.alloc(value, 1 << 18))

    def work(start: int) -> Callable[[], None]:
        def task() -> None:
            held: deque[Any] = deque(maxlen=3)
            for number in range(start, start + 100):
                held.append((number, f(number)))
                assert all((array == expected).all() for expected, array in held)

        return task

    together(*(work(1000 * k) for k in range(4)))


def test_large_results_may_be_used_until_the_end() -> None:
    """Of a process, by whatever still runs then."""
    script = """
import atexit, builtins, threading, time
import arignote as theano, arignote.tensor as T

value = T.dscalar("value")
f = theano.function([value], T.alloc(value, 1 << 18))
builtins.last = f(1.0)
atexit.register(lambda: print(f(2.0)[-1]))

def forever():
    while True:
        f(3.0)

threading.Thread(target=forever, daemon=True).start()
time.sleep(0.05)
print(builtins.last[-1])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["1.0", "2.0"]
    assert done.stderr == ""


# --- sleep


def wakings() -> int:
    """Return how often threads other than this one have gone to sleep."""
    count = 0
    for task in Path("/proc/self/task").iterdir():
        if int(task.name) != threading.get_native_id():
            status = (task / "status").read_text()
            count += int(status.split("voluntary_ctxt_switches:")[1].split()[0])
    return count


def wakings_of(f: Function, given: np.ndarray, pause: float) -> int:
    """Return how often calls of `f` woke a thread, `pause` seconds apart."""
    time.sleep(0.05)
    before = wakings()
    for _ in range(200 if pause else 20_000):
        f(given)
        time.sleep(pause) if pause else None
    time.sleep(0.05)
    return wakings() - before


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts in /proc")
@pytest.mark.parametrize(
    ("size", "pause", "wakes"),
    [(1 << 22, 0.002, True), (1 << 15, 0.002, False), (1 << 15, 0.0, True)],
    ids=["long work", "short work", "short work, again and again"],
)
def test_threads_are_woken_for_work_that_is_worth_it(
    all_threads: None, size: int, pause: float, wakes: bool
) -> None:
    config.threads = 2
    x = T.fvector("x")
    f = theano.function([x], 1 / (1 + T.exp(-x)))
    f(np.ones(1 << 22, "float32"))  # starts them
    given = np.ones(size, "float32")
    f(given)
    # Three times over: a thread that the machine held up may go to sleep late, once.
    assert (min(wakings_of(f, given, pause) for _ in range(3)) > 0) is wakes


# --- forks


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_goes_on_by_itself(all_threads: None) -> None:
    config.threads = 2
    f, w, arguments = large_program("float32")
    f(*arguments)
    before = w.get_value()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            f(*arguments)
            g = theano.function([], w.sum())
            status = 0 if np.isfinite(g()) and (w.get_value() != before).any() else 2
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    np.testing.assert_array_equal(w.get_value(), before)
    f(*arguments)
    assert (w.get_value() != before).any()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_while_others_make_large_results(all_threads: None) -> None:
    """The child neither finds their memory locked nor its list half changed."""
    config.threads = 1
    value = T.dscalar("value")
    f = theano.function([value], T.alloc(value, 1 << 17))
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            f(1.0)

    def fork() -> None:
        try:
            for _ in range(30):
                child = os.fork()
                if child == 0:
                    os._exit(0 if (f(2.0) == 2).all() and (f(3.0) == 3).all() else 1)
                assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        finally:
            over.set()

    together(work, work, fork)
