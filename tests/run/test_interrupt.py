"""Ctrl-C: a call ends, or is given up as a whole, and variables are as before or as after it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T

pytestmark = [pytest.mark.skipif(os.name != "posix", reason="sends signals"), pytest.mark.alone]


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Send this process a Ctrl-C while the block runs."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(seconds, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        signal.signal(signal.SIGINT, before)


def forever(call: Callable[[], object]) -> None:
    while True:
        call()


@pytest.mark.parametrize("size", [1, 200_000])
def test_between_calls_or_in_one(size: int) -> None:
    a, b = theano.shared(np.zeros(size), "a"), theano.shared(np.zeros(size), "b")
    step = theano.function([], a[0], updates=[(a, a + 1), (b, a)])
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt), interrupted_after(0.05):
            forever(step)
        first, second = a.get_value(), b.get_value()
        assert first.min() == first.max()
        np.testing.assert_array_equal(second, np.maximum(first - 1, 0))
    count = a.get_value()[0]
    assert step() == count
    assert a.get_value()[0] == count + 1


@pytest.mark.parametrize("mode", ["native", "check", "reference"])
def test_within_a_step_in_python(mode: str) -> None:
    def interrupt(op: Any, value: Any) -> None:
        if value > 0:
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(10**6):
                pass

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        x, w = T.dscalar("x"), theano.shared(np.zeros(3), "w")
        watched = theano.printing.Print(global_fn=interrupt)(x)
        f = theano.function([x], watched * 2, updates=[(w, w + x)], mode=mode)
        with pytest.raises(KeyboardInterrupt):
            f(1.0)
        assert w.get_value().tolist() == [0, 0, 0]
        assert f(-1.0) == -2
        assert w.get_value().tolist() == [-1, -1, -1]
    finally:
        signal.signal(signal.SIGINT, before)
