"""Many training steps in one call, beside as many calls and JAX's scan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from arignote.bench import seeds
from arignote.bench.dialect import dialects
from arignote.bench.result import Goal, at_most, at_most_of, at_most_of_best_peer
from arignote.bench.seeds import Digits, Line, Points
from arignote.bench.workload import OURS, Case, Setup, Work, Workload
from benchmarks import peers_jax

OWN = dialects()[OURS]
CALLS = f"{OURS}, call by call"
FLOATS = f"{OURS}, from float32"
SCAN = "JAX scan"


def _times(work: Work, steps: int) -> Work:
    """Return the work of so many steps."""
    return replace(work, bytes=steps * work.bytes, flops=steps * work.flops)


def _setups(
    ours: Callable[..., Case], scan: Callable[..., Case], *arguments: Any
) -> dict[str, Setup]:
    return {
        OURS: partial(ours, OWN, *arguments),
        CALLS: partial(ours, OWN, *arguments, in_one=False),
        SCAN: partial(scan, *arguments),
    }


def softmax_epoch(digits: Digits, *goals: Goal) -> Workload:
    """Return an epoch of softmax regression; from bytes it is held against one from floats."""
    setups = _setups(seeds.softmax_epoch, peers_jax.softmax_epoch, digits)
    kept = ""
    if digits.in_bytes:
        setups[FLOATS] = partial(seeds.softmax_epoch, OWN, replace(digits, in_bytes=False))
        kept = " from uint8"
    name = (
        f"softmax regression, {digits.dtype}{kept}, an epoch of {digits.batches} steps in one call"
    )
    work = _times(digits.work, digits.batches)
    return Workload(name, setups, work, goals, asides=frozenset({CALLS, FLOATS}))


def binary_logistic(points: Points, steps: int, *goals: Goal) -> Workload:
    """Return many steps of logistic regression on all rows."""
    setups = _setups(seeds.logistic_loop, peers_jax.logistic_loop, points, steps)
    name = f"binary logistic, {points.dtype}, {steps} steps in one call"
    work = replace(_times(points.work, steps), reach=points.work.bytes)
    return Workload(name, setups, work, goals, asides=frozenset({CALLS}))


def linear_regression(line: Line, steps: int, *goals: Goal) -> Workload:
    """Return many steps of linear regression."""
    setups = _setups(seeds.line_loop, peers_jax.line_loop, line, steps)
    name = f"linear regression, float64, {steps} steps in one call"
    return Workload(name, setups, goals=goals, asides=frozenset({CALLS}))


def workloads(tiny: bool) -> list[Workload]:
    """Return all of them."""
    if tiny:
        digits = Digits(batches=2, rows=7, features=11, classes=3)
        return [
            softmax_epoch(digits),
            softmax_epoch(replace(digits, in_bytes=True)),
            binary_logistic(Points(rows=9, features=5), 5),
            linear_regression(Line(), 5),
        ]
    steps = 10_000
    return [
        softmax_epoch(Digits(), at_most_of(SCAN, 0.33)),
        softmax_epoch(Digits(in_bytes=True), at_most_of(FLOATS, 1.0)),
        binary_logistic(
            Points(), 100, at_most_of_best_peer(0.5), at_most_of(SCAN, 0.5, contender=CALLS)
        ),
        linear_regression(Line(), steps, at_most(steps * 0.12e-6)),
    ]
