"""Contenders in processes of their own compute, fail and take memory as they do here."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from arignote.bench import memory
from arignote.bench.apart import Apart, ContenderError, apart
from arignote.bench.roofline import Machine
from arignote.bench.timing import Effort, measure
from arignote.bench.workload import OURS, Contender, Workload
from helpers import contenders

pytestmark = pytest.mark.alone

BRIEF = Effort(rounds=3, turn=1e-5, budget=10.0, pause=0.0)
HERE = {workload.name: workload for workload in contenders.workloads(True)}


def separate(name: str) -> Workload:
    return apart(HERE[name], contenders.workloads, tiny=True)


@pytest.fixture
def start() -> Iterator[Callable[[str], Contender]]:
    started: list[Contender] = []

    def setup(name: str) -> Contender:
        started.append(separate("tasks").setups[name]())
        return started[-1]

    yield setup
    for contender in started:
        contender.close()


def test_answers_come_from_another_process(start: Callable[[str], Contender]) -> None:
    contender = start("slow")
    assert contender.seconds(3) == 21.0
    assert contender.extra_memory() is None
    np.testing.assert_array_equal(start("same").values()[0], np.arange(5.0))


def test_a_contender_stands_still_until_it_is_asked(start: Callable[[str], Contender]) -> None:
    contender = start("same")
    assert isinstance(contender, Apart)
    stat = Path(f"/proc/{contender.pid}/stat")
    for _ in range(2):
        contender.seconds(1)
        deadline = time.monotonic() + 5
        while stat.read_text().rpartition(")")[2].split()[0] != "T":
            assert time.monotonic() < deadline


def test_a_closed_contender_has_ended(start: Callable[[str], Contender]) -> None:
    contender = start("same")
    assert isinstance(contender, Apart)
    pid = contender.pid
    contender.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("absent", "ModuleNotFoundError: No module named 'absent'"),
        ("dies", "ended with exit code 3"),
    ],
)
def test_failures_are_told(start: Callable[[str], Contender], name: str, text: str) -> None:
    contender = start(name)
    with pytest.raises(ContenderError, match=text):
        contender.seconds(1)


def test_who_fails_or_computes_something_else_is_left_out() -> None:
    result = measure(separate("tasks"), BRIEF, Machine())
    assert list(result.samples) == [OURS, "same", "slow"]
    assert result.left_out == {
        "other": "computes something else: result 0 differs by 1 of 4",
        "absent": "ModuleNotFoundError: No module named 'absent'",
        "dies": "ended with exit code 3",
    }


def test_memory_is_counted_above_the_data() -> None:
    if memory.peak_of(lambda: None) is None:
        pytest.skip("the system does not tell the peak of a process's memory")
    result = measure(separate("memory"), BRIEF, Machine())
    slack = 4_000_000
    assert abs(result.memory[OURS]) < slack
    assert abs(result.memory["hoarder"] - contenders.HOARD) < slack
    # Its times are not lost.
    assert "dies at last" in result.samples
    assert result.left_out == {"memory of dies at last": "ended with exit code 3"}
