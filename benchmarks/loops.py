"""Many training steps in one call, beside as many calls and JAX's scan."""

from __future__ import annotations

from functools import partial

from arignote.bench import seeds
from arignote.bench.result import Goal, at_most, at_most_of
from arignote.bench.seeds import Digits, Line
from arignote.bench.workload import OURS, Setup, Work, Workload
from benchmarks import peers_jax

OWN = seeds.dialects()[OURS]
CALLS = f"{OURS}, call by call"
SCAN = "JAX scan"


def softmax_epoch(digits: Digits, *goals: Goal) -> Workload:
    """Return an epoch of softmax regression."""
    step = digits.work
    work = Work(digits.batches * step.bytes, digits.batches * step.flops, step.dtype)
    setups: dict[str, Setup] = {
        OURS: partial(seeds.softmax_epoch, OWN, digits),
        CALLS: partial(seeds.softmax_epoch, OWN, digits, in_one=False),
        SCAN: partial(peers_jax.softmax_epoch, digits),
    }
    name = f"softmax regression, {digits.dtype}, an epoch of {digits.batches} steps in one call"
    return Workload(name, setups, work, goals)


def linear_regression(line: Line, steps: int, *goals: Goal) -> Workload:
    """Return many steps of linear regression."""
    setups: dict[str, Setup] = {
        OURS: partial(seeds.line_loop, OWN, line, steps),
        CALLS: partial(seeds.line_loop, OWN, line, steps, in_one=False),
        SCAN: partial(peers_jax.line_loop, line, steps),
    }
    return Workload(f"linear regression, float64, {steps} steps in one call", setups, goals=goals)


def workloads(tiny: bool) -> list[Workload]:
    """Return both."""
    if tiny:
        digits = Digits(batches=2, rows=7, features=11, classes=3)
        return [softmax_epoch(digits), linear_regression(Line(), 5)]
    steps = 10_000
    return [
        softmax_epoch(Digits(), at_most_of(SCAN, 0.33)),
        linear_regression(Line(), steps, at_most(steps * 0.12e-6)),
    ]
