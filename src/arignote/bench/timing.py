"""Timing contenders in turns, so that what disturbs the machine disturbs them all alike."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from time import perf_counter, sleep

from arignote.bench.agreement import difference
from arignote.bench.apart import ContenderError
from arignote.bench.company import Company
from arignote.bench.result import Result, Sample
from arignote.bench.roofline import Machine
from arignote.bench.workload import OURS, Contender, Workload
from arignote.graph.dtypes import Array


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes
    ----------
    rounds
        Turns of every contender.
    turn
        Seconds of one turn, at least one call. One of several calls warms up for as long: an epoch
        of minibatches, or so, since systems may take the memory of those who stood still.
    budget
        Seconds for all rounds of a workload; at least three rounds are made whatever they take.
    patience
        Seconds to wait in all rounds together while other processes want the cores.
    pause
        Seconds before a turn: the threads of the contender before may spin for so long.
    """

    rounds: int
    turn: float
    budget: float
    patience: float = 0.0
    pause: float = 0.01


FULL = Effort(rounds=31, turn=0.05, budget=40.0)
QUICK = Effort(rounds=7, turn=0.05, budget=8.0)

# A call that takes longer than this is not made twice to see whether it was disturbed.
_LONG = 0.1


def measure(workload: Workload, effort: Effort, machine: Machine) -> Result:
    """Set the contenders up, time them in turns, and the machine before and after.

    A peer that is not installed, does not work as it is installed, or computes something else than
    ours is left out.
    """
    with _undisturbed(), ExitStack() as stack:
        contenders, left_out = _set_up(workload, stack)
        sleep(effort.pause)
        machine.probe(workload.work)
        company = Company(effort.patience)
        samples = time_in_turns(contenders, effort, company)
        sleep(effort.pause)
        machine.probe(workload.work)
        memory = _extra_memory(contenders, left_out)
    floor = machine.floor(workload.work)
    return Result(workload, samples, left_out, floor, memory, company.share)


def _set_up(workload: Workload, stack: ExitStack) -> tuple[dict[str, Contender], dict[str, str]]:
    """Return the contenders, which `stack` closes, and why others are left out."""
    contenders: dict[str, Contender] = {}
    left_out: dict[str, str] = {}
    for name, setup in workload.setups.items():
        with _leaving_out(name, left_out):
            contenders[name] = setup()
            stack.callback(contenders[name].close)
    ours: Sequence[Array] = ()
    for name, contender in contenders.items():
        with _leaving_out(name, left_out):
            contender.seconds(1)
            values = contender.values()
            ours = values if name == OURS else ours
            wrong = difference(values, ours) if values else None
            if wrong:
                left_out[name] = f"computes something else: {wrong}"
    kept = {name: each for name, each in contenders.items() if name not in left_out}
    return kept, left_out


def _extra_memory(contenders: Mapping[str, Contender], left_out: dict[str, str]) -> dict[str, int]:
    """Let the contenders go and return what they say; their times stay if they end before that."""
    memory: dict[str, int] = {}
    for name, contender in contenders.items():
        with _leaving_out(f"memory of {name}", left_out):
            size = contender.extra_memory()
            if size is not None:
                memory[name] = size
    return memory


@contextmanager
def _leaving_out(name: str, left_out: dict[str, str]) -> Iterator[None]:
    """Note why a contender fails; if ours does, so does the measurement."""
    try:
        yield
    except Exception as error:
        if name == OURS:
            raise
        left_out[name] = _reason(error)


def _reason(error: Exception) -> str:
    """Return an error's first line, under its own name if it is from another process."""
    text = str(error) if isinstance(error, ContenderError) else f"{type(error).__name__}: {error}"
    return text.splitlines()[0]


def time_in_turns(
    contenders: Mapping[str, Contender], effort: Effort, company: Company
) -> dict[str, Sample]:
    """Return seconds per call of each contender, one figure a round."""
    counts: dict[str, int] = {}
    for name, contender in contenders.items():
        company.wait()
        counts[name] = _calls_per_turn(contender, effort.turn)
    taken = 0.0
    rounds: list[dict[str, float]] = []
    while len(rounds) < effort.rounds:
        if len(rounds) >= 3 and taken > effort.budget:
            break
        rounds.append({})
        for name, contender in contenders.items():
            sleep(effort.pause)
            company.wait()
            start = perf_counter()
            rounds[-1][name] = _turn(contender, counts[name])
            taken += perf_counter() - start
    return {name: Sample(tuple(turn[name] for turn in rounds)) for name in contenders}


def _calls_per_turn(contender: Contender, turn: float) -> int:
    """Warm up, and return how many calls fill a turn."""
    count, taken = 1, contender.seconds(1)
    if taken < _LONG:
        taken = min(taken, contender.seconds(1), contender.seconds(1))
    while taken < turn / 2:
        count = math.ceil(count * min(10.0, turn / max(taken, 1e-9)))
        taken = contender.seconds(count)
    return max(1, round(count * turn / taken))


def _turn(contender: Contender, count: int) -> float:
    """Return seconds per call, after the calls that bring caches and threads back to the work.

    The first calls after a rest take up to three times as long where libraries wake threads.
    """
    if count > 1:
        contender.seconds(count)
    return contender.seconds(count) / count


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
