"""A source of workloads for tests of contenders in processes of their own."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from arignote.bench.report import available_cores
from arignote.bench.workload import OURS, Case, Workload
from arignote.graph.dtypes import Array
from arignote.run import native

HOARD = 50_000_000
RESULT = 20_000_000


def workloads(tiny: bool) -> Sequence[Workload]:
    """Return a workload whose contenders do what is told of them by their names."""
    setups = {
        OURS: lambda: _case(np.arange(5.0)),
        "same": lambda: _case(np.arange(5.0)),
        "other": lambda: _case(np.arange(5.0) + 1),
        "slow": lambda: _Slow(lambda: None),
        "absent": _absent,
        "dies": lambda: os._exit(3),
    }
    return [Workload("tasks", setups), memory(HOARD if tiny else 1), resources()]


def memory(hoard: int) -> Workload:
    """Return a workload whose contenders return much, and one of which needs more than that."""

    def result() -> Array:
        return np.ones(RESULT, np.uint8)

    def hoarding() -> Array:
        buffer = np.ones(hoard, np.uint8)
        return buffer[:RESULT].copy()

    setups = {
        OURS: lambda: Case(result),
        "hoarder": lambda: Case(hoarding),
        "dies at last": _DiesAtLast,
    }
    return Workload("memory", setups, data=RESULT)


def resources() -> Workload:
    """Return a workload whose value is what the process has to compute with: cores, threads."""
    return Workload(
        "resources", {OURS: lambda: _case(np.array([available_cores(), native.threads()]))}
    )


class _Slow(Case):
    def seconds(self, count: int) -> float:
        return 7.0 * count


class _DiesAtLast(Case):
    def __init__(self) -> None:
        super().__init__(lambda: None)

    def __del__(self) -> None:
        os._exit(3)


def _case(value: Array) -> Case:
    return Case(lambda: value, lambda: [value])


def _absent() -> Case:
    raise ModuleNotFoundError("No module named 'absent'")
