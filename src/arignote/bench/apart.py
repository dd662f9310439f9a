"""Contenders in processes of their own, of which only the one whose turn it is runs.

Libraries keep threads that wait for work in a loop: in one process, the threads of those that have
had their turn would take the cores from the one that is timed.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

import numpy as np

from arignote.bench import memory
from arignote.bench.agreement import sampled
from arignote.bench.workload import Workload
from arignote.graph.dtypes import Array

Source: TypeAlias = Callable[[bool], Sequence[Workload]]
"""A module's function that returns its workloads, tiny ones if asked for."""


class ContenderError(Exception):
    """A contender failed in its process; the text is the error's there."""


@dataclass(frozen=True)
class _Origin:
    """Where another process finds a contender: set-ups are functions that cannot be sent."""

    source: Source
    tiny: bool
    workload: str
    contender: str

    def find(self) -> Workload:
        return next(item for item in self.source(self.tiny) if item.name == self.workload)


def apart(workload: Workload, source: Source, tiny: bool = False) -> Workload:
    """Return a source's workload with each contender in a process of its own."""
    origin = partial(_Origin, source, tiny, workload.name)
    return replace(
        workload, setups={name: partial(Apart, origin(name)) for name in workload.setups}
    )


class Apart:
    """A contender in another process, which stands still while no answer is awaited.

    It is set up while others are, and may fail to be when it is first asked.
    """

    def __init__(self, origin: _Origin) -> None:
        # Not a copy of this process: it has threads that the copy would lack.
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, origin))
        self._process.start()
        theirs.close()
        self._is_set_up = False

    @property
    def pid(self) -> int:
        """The process's number."""
        assert self._process.pid is not None
        return self._process.pid

    def seconds(self, count: int) -> float:
        """Return how long `count` calls take."""
        taken: float = self._ask("seconds", count)
        return taken

    def values(self) -> Sequence[Array]:
        """Return what must agree, large arrays in part."""
        values: Sequence[Array] = self._ask("values")
        return values

    def extra_memory(self) -> int | None:
        """Let everything go; return the bytes that a call needed beside its data, if measured."""
        size: int | None = self._ask("let go")
        return size

    def close(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _ask(self, *request: Any) -> Any:
        if not self._is_set_up:
            self._answer()
            self._is_set_up = True
        self._pipe.send(request)
        self._signal(signal.SIGCONT)
        return self._answer()

    def _answer(self) -> Any:
        try:
            succeeded, answer = self._pipe.recv()
        except EOFError:
            self._process.join()
            raise ContenderError(f"ended with exit code {self._process.exitcode}") from None
        self._signal(signal.SIGSTOP)
        if not succeeded:
            raise ContenderError(answer)
        return answer

    def _signal(self, number: int) -> None:
        if self._process.is_alive():
            os.kill(self.pid, number)


def _serve(pipe: Connection, origin: _Origin) -> None:
    """Set a contender up, and answer requests until it is let go or fails."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asks is interrupted, and closes
    try:
        workload = origin.find()
        peak = _compete(pipe, workload, origin.contender)
        # Only now is the contender gone, and with it all but what its library keeps.
        pipe.send((True, None if peak is None else peak - memory.at_rest() - workload.data))
    except Exception as error:
        pipe.send((False, f"{type(error).__name__}: {error}"))


def _compete(pipe: Connection, workload: Workload, name: str) -> int | None:
    """Answer all requests but the last; return the peak of a call's memory, if it is asked for."""
    contender = workload.setups[name]()
    peak = None
    if workload.data:
        # The first call compiles, which takes memory that no later one needs.
        contender.seconds(1)
        peak = memory.peak_of(partial(contender.seconds, 1))
    pipe.send((True, None))
    while True:
        request, *arguments = pipe.recv()
        if request == "let go":
            return peak
        if request == "seconds":
            pipe.send((True, contender.seconds(*arguments)))
        else:
            pipe.send((True, [sampled(np.asarray(value)) for value in contender.values()]))
