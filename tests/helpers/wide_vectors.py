"""A source of workloads that tell whether contenders use the registers that only AVX-512 has."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from benchmarks import classes, peers_pytensor

from arignote.bench.workload import Case, Contender, Setup, Workload

STATUS = Path("/proc/self/arch_status")
_SECONDS = 0.5


def workloads(tiny: bool) -> Sequence[Workload]:
    """Return a layer and its gradient, whose contenders' values are whether they use them."""
    size = 64 if tiny else 512
    layer = classes.probe(classes.Scored(size, size, size, for_x=False, chunk=size))
    setups = {**layer.setups, peers_pytensor.NUMBA: partial(_in_numba, size)}
    return [replace(layer, name="layer", setups={n: _watched(s) for n, s in setups.items()})]


def _in_numba(size: int) -> Case:
    own = peers_pytensor.dialect(peers_pytensor.NUMBA)
    return classes.program(own, classes.Scored(size, size, size, for_x=False))


def _watched(setup: Setup) -> Setup:
    def setup_watched() -> Contender:
        contender = setup()
        assert isinstance(contender, Case)
        return Case(contender.call, lambda: [np.asarray(uses_wide_vectors(contender.call))])

    return setup_watched


def uses_wide_vectors(call: Callable[[], object]) -> bool:
    """Return whether a thread of this process uses them while calls are made.

    The system notes it when it takes a core away from a thread that has values in them. So all
    threads get one core, of which one that does nothing takes a share.
    """
    before, done = os.sched_getaffinity(0), threading.Event()
    _pin({min(before)})
    disturbing = threading.Thread(target=_wake_up_until, args=(done,))
    disturbing.start()
    start = time.monotonic()
    while time.monotonic() - start < _SECONDS:
        call()
    done.set()
    disturbing.join()
    since_start = (time.monotonic() - start) * 1000
    _pin(before)
    return any(0 <= milliseconds < since_start for milliseconds in _since_used())


def _wake_up_until(done: threading.Event) -> None:
    while not done.wait(1e-4):
        pass


def _pin(cores: set[int]) -> None:
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


def _since_used() -> list[int]:
    """Return the milliseconds since each thread was last seen to use them, -1 if it never was."""
    tasks = Path("/proc/self/task").iterdir()
    return [int((task / "arch_status").read_text().split()[1]) for task in tasks]
