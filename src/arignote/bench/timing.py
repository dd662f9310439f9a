"""Timing contenders in turns, so that what disturbs the machine disturbs them all alike."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter, sleep

from arignote.bench.result import Result, Sample
from arignote.bench.roofline import Machine
from arignote.bench.workload import OURS, Case, Workload


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes
    ----------
    rounds
        Turns of every contender.
    turn
        Seconds of one turn, at least one call.
    budget
        Seconds for all rounds of a workload; at least three rounds are made whatever they take.
    pause
        Seconds before a turn: the threads of the contender before may spin for so long.
    """

    rounds: int
    turn: float
    budget: float
    pause: float = 0.01


FULL = Effort(rounds=31, turn=0.004, budget=15.0)
QUICK = Effort(rounds=7, turn=0.002, budget=2.0)


def measure(workload: Workload, effort: Effort, machine: Machine) -> Result:
    """Set the contenders up, time them in turns, and the machine before and after.

    A peer that is not installed, or does not work as it is installed, is left out.
    """
    cases: dict[str, Case] = {}
    left_out: dict[str, str] = {}
    for name, setup in workload.setups.items():
        try:
            case = setup()
            case.call()
            cases[name] = case
        except Exception as error:
            if name == OURS:
                raise
            left_out[name] = f"{type(error).__name__}: {error}".splitlines()[0]
    with _undisturbed():
        sleep(effort.pause)
        machine.probe(workload.work)
        samples = time_in_turns(cases, effort)
        sleep(effort.pause)
        machine.probe(workload.work)
    return Result(workload, samples, left_out, machine.floor(workload.work))


def time_in_turns(cases: Mapping[str, Case], effort: Effort) -> dict[str, Sample]:
    """Return seconds per call of each case, one figure a round."""
    counts = {name: _calls_per_turn(case, effort.turn) for name, case in cases.items()}
    start = perf_counter()
    rounds: list[dict[str, float]] = []
    while len(rounds) < effort.rounds:
        if len(rounds) >= 3 and perf_counter() - start > effort.budget:
            break
        rounds.append({name: _turn(cases[name], n, effort) for name, n in counts.items()})
    return {name: Sample(tuple(turn[name] for turn in rounds)) for name in cases}


def _calls_per_turn(case: Case, turn: float) -> int:
    """Warm up, and return how many calls fill a turn."""
    count, taken = 1, case.seconds(1)
    while taken < turn / 2:
        count = math.ceil(count * min(10.0, turn / max(taken, 1e-9)))
        taken = case.seconds(count)
    return max(1, round(count * turn / taken))


def _turn(case: Case, count: int, effort: Effort) -> float:
    """Return seconds per call, after the calls that bring caches and threads back to the work."""
    sleep(effort.pause)
    if count > 1:
        case.seconds(1 + count // 4)
    return case.seconds(count) / count


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep the garbage collector away, as ``timeit`` does."""
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
