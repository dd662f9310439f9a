"""Large results take the memory that earlier ones have left."""

from __future__ import annotations

import pickle
import sys
import tracemalloc
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.run.function import Function

try:
    from numpy._core.multiarray import get_handler_name
except ImportError:  # NumPy 1
    from numpy.core.multiarray import get_handler_name

MB = 1 << 20


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    """Begin with nothing kept."""
    theano.release_memory()


def filled(dtype: str = "uint8") -> Function:
    """Return the function that gives an array of so many items of one value."""
    n, value = T.lscalar("n"), T.lscalar("value")
    return theano.function([n, value], T.alloc(T.cast(value, dtype), n))


def address(array: Any) -> int:
    return int(array.ctypes.data)


def test_memory_is_taken_again_by_whichever_function() -> None:
    first = filled()(4 * MB, 1)
    place = address(first)
    assert place % 64 == 0
    del first
    second = filled("float64")(MB // 2, 2)
    assert address(second) == place
    assert second.tolist() == [2.0] * (MB // 2)


def test_memory_in_use_is_left_alone() -> None:
    f = filled()
    first = f(4 * MB, 1)
    window = first[5:]
    del first
    second = f(4 * MB, 2)
    assert not np.shares_memory(window, second)
    assert (window == 1).all()


def test_memory_of_about_the_same_size_is_taken() -> None:
    f = filled()
    for taken, given in ((16 * MB, True), (15 * MB, True), (17 * MB, False), (8 * MB, False)):
        theano.release_memory()
        place = address(f(16 * MB, 1))
        assert (address(f(taken, 1)) == place) is given


def test_small_results_are_not_kept() -> None:
    f = filled()
    assert get_handler_name(f(MB - 1, 1)) == "default_allocator"
    assert theano.release_memory() == 0
    assert get_handler_name(f(MB, 1)) == "arignote"
    assert MB <= theano.release_memory() <= MB + 128 * 1024
    assert theano.release_memory() == 0


def test_the_latest_256_mb_are_kept() -> None:
    f = filled()
    results = [f(60 * MB, 1) for _ in range(5)]
    places = [address(result) for result in results]
    while results:
        del results[0]
    results = [f(60 * MB, 2) for _ in range(4)]
    assert [address(result) for result in results] == places[:0:-1]
    results.clear()
    assert 240 * MB <= theano.release_memory() <= 256 * MB
    del results
    f(300 * MB, 1)
    assert theano.release_memory() == 0


def test_a_result_is_an_array_like_any_other() -> None:
    f = filled("int64")
    count = MB // 4
    result = f(count, 7)
    assert result.flags.owndata
    assert result.flags.writeable
    assert sys.getsizeof(result) == sys.getsizeof(np.ones(count, "int64"))
    assert (pickle.loads(pickle.dumps(result)) == 7).all()
    assert get_handler_name(result.copy()) == "default_allocator"


@pytest.mark.parametrize("factor", [0.9, 1.01, 0.25, 0.001, 0, 3, 40])
def test_a_result_may_be_resized(factor: float) -> None:
    count = MB
    result = filled("int64")(count, 7)
    wanted = int(count * factor)
    result.resize(wanted, refcheck=False)
    assert result.shape == (wanted,)
    kept = min(count, wanted)
    assert (result[:kept] == 7).all()
    assert (result[kept:] == 0).all()


def test_tracemalloc_counts_results() -> None:
    f = filled()
    tracemalloc.start()
    try:
        result = f(4 * MB, 1)
        held = tracemalloc.get_traced_memory()[0]
        del result
        freed = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert 4 * MB <= held < 5 * MB
    assert freed < MB


def test_other_arrays_are_numpys_own_again() -> None:
    """Also after a failure."""
    f = filled()
    f(4 * MB, 1)
    assert get_handler_name() == "default_allocator"
    with pytest.raises(MemoryError):
        f(1 << 60, 1)
    assert get_handler_name() == "default_allocator"
    assert get_handler_name(np.ones(MB)) == "default_allocator"


def test_converted_arguments_leave_their_memory_too() -> None:
    x = T.dvector("x")
    total = theano.function([x], x.sum())
    given = np.ones(MB, "float32")
    assert total(given) == MB
    assert theano.release_memory() >= 8 * MB
