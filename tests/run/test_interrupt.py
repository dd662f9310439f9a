"""Ctrl-C: a call ends, or is given up as a whole, and variables are as before or as after it."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
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


def interrupted_at(line: int, call: Callable[[], object]) -> BaseException | None:
    """Interrupt a call before it runs this line of Python; None if it has fewer."""
    lines = itertools.count()

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        if event == "line" and next(lines) == line:
            raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt as error:
        return error
    finally:
        sys.settrace(None)
    return None


@pytest.mark.parametrize("mode", ["native", "check", "reference"])
def test_at_any_line(mode: str) -> None:
    a, b = theano.shared(0.0, "a"), theano.shared(-1.0, "b")
    step = theano.function([], a, updates=[(a, a + 1), (b, a)], mode=mode)
    step()
    for line in itertools.count():
        before = int(a.get_value())
        error = interrupted_at(line, lambda: step.repeat(2))
        done = int(a.get_value()) - before
        assert b.get_value() == a.get_value() - 1
        if error is None:
            break
        notes = getattr(error, "__notes__", [])
        assert notes or done != 1
        for note in notes:
            assert note.startswith(f"This was step {done} of map or repeat")
    assert done == 2


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
