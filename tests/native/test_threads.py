"""Many Python threads, forks, and the pool beneath them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from arignote import _core
from helpers.spec import SpecBuilder

pytestmark = pytest.mark.alone


@pytest.fixture(autouse=True)
def same_threads_afterwards() -> Iterator[None]:
    before = _core.threads()
    yield
    _core.set_threads(before)


def run_together(*work: Callable[[], None]) -> None:
    errors: list[BaseException] = []
    start = threading.Barrier(len(work))

    def guarded(task: Callable[[], None]) -> None:
        start.wait()
        try:
            task()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(task,)) for task in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def exponential() -> _core.Function:
    builder = SpecBuilder()
    x = builder.input(ndim=1)
    out, total = builder.like(x), builder.temp()
    program = [("exp", "float64", [0]), ("tanh", "float64", [1])]
    builder.elementwise([x], program, [(out, 2, "", 0), (total, 2, "sum", 1)])
    builder.output(out, total)
    return builder.function()


def test_one_function_called_from_many_threads() -> None:
    f = exponential()
    sizes = (7, 1000, 40_000, 100_000)
    arrays = [np.linspace(-1, 1, size) for size in sizes]
    expected = [f(array) for array in arrays]

    def work(turn: int) -> None:
        for i in range(40):
            which = (i + turn) % len(sizes)
            out, total = f(arrays[which])
            np.testing.assert_array_equal(out, expected[which][0])
            assert total == expected[which][1]

    run_together(*(lambda turn=turn: work(turn) for turn in range(4)))


def counter(size: int) -> SpecBuilder:
    """Adds one to a state in place and returns its sum before."""
    builder = SpecBuilder()
    w, one = builder.state(ndim=1), builder.const([1.0])
    new, total = builder.like(w, storage=w), builder.temp()
    builder.elementwise([w], [], [(total, 0, "sum", 1)])
    builder.elementwise([w, one], [("add", "float64", [0, 1])], [(new, 2, "", 0)])
    builder.output(total)
    builder.update(w, new)
    return builder


@pytest.mark.parametrize("size", [1, 50_000])
def test_updates_of_one_state_do_not_mix(size: int) -> None:
    state = _core.State(np.zeros(size))
    f, g = counter(size).function(state), counter(size).function(state)
    seen: list[float] = []
    rounds = 100 if size > 1 else 1000

    def write(function: _core.Function) -> None:
        seen.extend(float(function()) for _ in range(rounds))

    def read() -> None:
        for _ in range(rounds):
            copy = state.copy()
            assert (copy == copy[0]).all()

    run_together(lambda: write(f), lambda: write(f), lambda: write(g), read)
    assert sorted(seen) == [size * i for i in range(3 * rounds)]
    assert (state.array == 3 * rounds).all()
    assert state.version == 3 * rounds


def test_set_while_others_call() -> None:
    state = _core.State(np.zeros(1000))
    builder = SpecBuilder()
    w = builder.state(ndim=1)
    smallest, largest = builder.temp(), builder.temp()
    builder.elementwise([w], [], [(smallest, 0, "min", 1), (largest, 0, "max", 1)])
    builder.output(smallest, largest)
    f = builder.function(state)

    def read() -> None:
        for _ in range(500):
            low, high = f()
            assert low == high

    def write() -> None:
        for i in range(500):
            state.set(np.full(1 + i * 7 % 3000, float(i)), borrow=i % 2 == 0)

    run_together(read, read, write)
    assert state.version == 500


def test_functions_that_update_the_same_states_in_any_order() -> None:
    states = [_core.State(np.zeros(10)) for _ in range(3)]

    def function(order: list[int]) -> _core.Function:
        builder = SpecBuilder()
        held = [builder.state(ndim=1) for _ in order]
        one = builder.const([1.0])
        for w in held:
            new = builder.like(w, storage=w)
            builder.elementwise([w, one], [("add", "float64", [0, 1])], [(new, 2, "", 0)])
            builder.update(w, new)
        return builder.function(*(states[i] for i in order))

    functions = [function(order) for order in ([0, 1, 2], [2, 1, 0], [1, 2], [2, 0])]

    def work(f: _core.Function) -> None:
        for _ in range(500):
            f()

    run_together(*(lambda f=f: work(f) for f in functions))
    assert [state.version for state in states] == [1500, 1500, 2000]
    assert [state.array[0] for state in states] == [1500, 1500, 2000]


def test_host_steps_and_threads() -> None:
    builder = SpecBuilder()
    x = builder.input(ndim=1)
    first, second, out = (builder.like(x) for _ in range(3))
    builder.elementwise([x], [("exp", "float64", [0])], [(first, 1, "", 0)])
    builder.host(lambda value: (value[::-1],), [first], [second])
    builder.elementwise([second], [("log", "float64", [0])], [(out, 1, "", 0)])
    builder.output(out)
    f = builder.function()
    x_value = np.linspace(-1, 1, 100_000)
    expected = f(x_value)

    def work() -> None:
        for _ in range(20):
            np.testing.assert_array_equal(f(x_value), expected)

    run_together(work, work, work)


def test_profile_while_others_call() -> None:
    f = exponential()
    x = np.ones(10)

    def call() -> None:
        for _ in range(500):
            f(x)

    def switch() -> None:
        for i in range(50):
            f.profile(i % 2 == 0)
            assert f.profile_data()["calls"] >= 0

    run_together(call, call, switch)


def test_changing_the_number_of_threads_while_others_call() -> None:
    f = exponential()
    x = np.linspace(-1, 1, 100_000)
    expected = f(x)

    def call() -> None:
        for _ in range(50):
            np.testing.assert_array_equal(f(x)[0], expected[0])

    def change() -> None:
        for i in range(50):
            _core.set_threads(1 + i % 4)

    run_together(call, call, change)


def test_set_threads() -> None:
    _core.set_threads(3)
    assert _core.threads() == 3
    _core.set_threads(0)
    assert _core.threads() == len(os.sched_getaffinity(0))
    for wrong in (-1, 1025):
        with pytest.raises(ValueError, match="from 0 to 1024"):
            _core.set_threads(wrong)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_computes_with_a_pool_of_its_own() -> None:
    f = exponential()
    x = np.linspace(-1, 1, 200_000)
    _core.set_threads(2)
    expected: Any = f(x)
    child = os.fork()
    if child == 0:
        same = all(np.array_equal(f(x)[0], expected[0]) for _ in range(5))
        os._exit(0 if same else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    np.testing.assert_array_equal(f(x)[0], expected[0])


TOGETHER = """
import importlib.util, os, sys
import numpy as np
sys.path[:] = {path!r}
spec = importlib.util.spec_from_file_location("functions", {file!r})
functions = importlib.util.module_from_spec(spec)
spec.loader.exec_module(functions)
cores = os.sched_getaffinity(0)
caller = os.getpid()
f, x = functions.exponential(), np.linspace(-1, 1, 300_000)
before = set(map(int, os.listdir("/proc/self/task")))
functions._core.set_threads(2)
for _ in range(5):
    f(x)
(worker,) = set(map(int, os.listdir("/proc/self/task"))) - before
for thread in (caller, worker):
    os.sched_setaffinity(thread, {{min(cores)}})
f(x)
os.sched_setaffinity(worker, cores)
for _ in range(20):
    f(x)
with open(f"/proc/self/task/{{worker}}/stat") as stat:
    core = int(stat.read().rpartition(")")[2].split()[36])
print(core != min(cores), os.sched_getaffinity(worker) == cores)
"""


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs Linux and two cores",
)
def test_a_worker_leaves_the_core_of_its_caller() -> None:
    """Taking turns there, the two would each wait for the other, and other cores for both."""
    code = TOGETHER.format(path=sys.path, file=__file__)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.stdout.split() == ["True", "True"], done.stderr


EXIT = """
import importlib.util, sys, threading
import numpy as np
sys.path[:] = {path!r}
spec = importlib.util.spec_from_file_location("functions", {file!r})
functions = importlib.util.module_from_spec(spec)
spec.loader.exec_module(functions)
f = functions.exponential()
x = np.linspace(-1, 1, 300_000)
def work():
    while True:
        f(x)
for _ in range(2):
    threading.Thread(target=work, daemon=True).start()
f(x)
"""


def test_the_process_ends_while_threads_compute() -> None:
    code = EXIT.format(path=sys.path, file=__file__)
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False
        )
        assert done.returncode == 0, done.stderr
