"""Once a function has met its shapes, a call allocates its outputs and copies nothing else."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tracemalloc
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.plan.plan import State
from arignote.run import native
from helpers.programs import PROGRAMS

# It needs another array for its state with every call.
GROWING = {"resizing_update"}


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in GROWING])
def test_calls_allocate_nothing_in_the_runtime(name: str) -> None:
    item = PROGRAMS[name]()
    f = item.function()
    for _ in range(2):
        f(*item.arguments)
    before = native.allocations()
    for _ in range(20):
        f(*item.arguments)
    assert native.allocations() == before


def test_nor_do_shapes_that_come_back() -> None:
    x, w = T.dmatrix("x"), theano.shared(np.ones((3, 2)), "w")
    f = theano.function([x], T.tanh(T.dot(x, w)).sum(axis=0))
    batches = [np.ones((rows, 3)) for rows in (5, 7)]
    for batch in batches:
        f(batch)
    before = native.allocations()
    for _ in range(10):
        for batch in batches:
            f(batch)
    assert native.allocations() == before


def test_new_shapes_do() -> None:
    """The counter counts: without this the tests above would show nothing."""
    x = T.dmatrix("x")
    f = theano.function([x], T.dot(T.tanh(x), x.T))
    f(np.ones((2, 3)))
    before = native.allocations()
    f(np.ones((3, 3)))
    assert native.allocations() > before


@pytest.mark.parametrize("name", PROGRAMS)
def test_states_stay_where_they_are(name: str) -> None:
    item = PROGRAMS[name]()
    f = item.function()
    states = [state.container for state in f.compiled.states]
    before = [container.data for container in states]
    for _ in range(3):
        f(*item.arguments)
    for container, array in zip(states, before, strict=True):
        if container.data.shape == array.shape:
            assert container.data is array
    assert len(states) == sum(isinstance(buffer, State) for buffer in f.plan.buffers)


def test_elementwise_updates_are_written_into_the_state() -> None:
    """Of ordinary training steps no update waits in memory of its own."""
    for name in ("softmax_regression", "binary_logistic", "linear_regression", "momentum"):
        plan = PROGRAMS[name]().function().plan
        for state, value in plan.updates:
            assert plan.root(value).name == state, name


def peak(call: Any, *arguments: Any) -> int:
    """Return the most bytes that Python and NumPy held on account of a call."""
    call(*arguments)
    tracemalloc.start()
    try:
        call(*arguments)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_large_arguments_and_states_are_not_copied() -> None:
    """In the memory that NumPy asks for: a call of megabytes of data takes some kilobytes."""
    size = 1 << 20
    x, w = T.dvector("x"), theano.shared(np.ones(size), "w")
    f = theano.function([x], (x * w).sum(), updates=[(w, w + x)])
    assert peak(f, np.ones(size)) < 20_000
    doubled = theano.function([x], x * 2)
    assert 8 * size <= peak(doubled, np.ones(size)) < 8 * size + 20_000


def test_memory_of_a_function_goes_with_it() -> None:
    x = T.dmatrix("x")
    given = np.ones((256, 1024))
    f = theano.function([x], theano.Out(x * 2, borrow=True))
    result = f(given)
    again = pickle.loads(pickle.dumps(f))
    del f
    assert result[0, 0] == 2
    assert again(given)[0, 0] == 2


FAULTS = """
import resource
import numpy as np
import arignote as theano, arignote.tensor as T

x = T.fmatrix("x")
f = theano.function([x], [1 / (1 + T.exp(-x)), x * 2, T.dot(x, x)])
given = np.ones((1024, 1024), "float32")
for _ in range(3):
    f(given)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    f(given)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_large_results_that_are_dropped_take_no_fresh_memory() -> None:
    """Three of 4 MB in each call, which fresh would be 3000 pages, or six huge ones."""
    faults = subprocess.run(
        [sys.executable, "-c", FAULTS], check=True, capture_output=True, text=True
    ).stdout
    assert int(faults) < 20
