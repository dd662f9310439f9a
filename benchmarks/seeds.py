"""The seeds' training steps against every peer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from arignote.bench import seeds
from arignote.bench.result import Goal, at_least_of_roofline, at_most, at_most_of_best_peer
from arignote.bench.seeds import Digits, Line, Points
from arignote.bench.workload import Case, Setup, Workload
from benchmarks import peers_jax, peers_numpy, peers_pytensor, peers_torch


def peers(step: str, *arguments: Any) -> dict[str, Setup]:
    """Return every peer's set-up of a seed's step, which all modules call by the same name."""
    program: Callable[..., Case] = getattr(seeds, step)

    takes_arrays = step != "softmax_step"
    contenders = peers_pytensor.CONTENDERS if takes_arrays else peers_pytensor.CHECKED

    def pytensor(contender: str) -> Case:
        own = peers_pytensor.dialect(contender, uses_blas=step != "line_step")
        return program(own, *arguments)

    return {
        "NumPy": partial(getattr(peers_numpy, step), *arguments),
        **{name: partial(pytensor, name) for name in contenders},
        "JAX": partial(getattr(peers_jax, step), *arguments),
        **peers_torch.setups(getattr(peers_torch, step), *arguments),
    }


def softmax_regression(digits: Digits, *goals: Goal) -> Workload:
    return seeds.softmax_regression(digits).against(peers("softmax_step", digits), *goals)


def binary_logistic(points: Points, *goals: Goal) -> Workload:
    return seeds.binary_logistic(points).against(peers("logistic_step", points, True), *goals)


def notebook(points: Points, *goals: Goal) -> Workload:
    return seeds.notebook(points).against(peers("logistic_step", points, False), *goals)


def linear_regression(line: Line, *goals: Goal) -> Workload:
    return seeds.linear_regression(line).against(peers("line_step", line), *goals)


def workloads(tiny: bool) -> list[Workload]:
    """Return the four steps."""
    if tiny:
        return [
            softmax_regression(Digits(batches=2, rows=7, features=11, classes=3)),
            binary_logistic(Points(rows=9, features=5)),
            notebook(Points(rows=9, features=5, dtype="float32")),
            linear_regression(Line()),
        ]
    return [
        softmax_regression(Digits(), at_most_of_best_peer(0.28), at_least_of_roofline(0.65)),
        binary_logistic(Points(), at_most_of_best_peer(0.5)),
        notebook(Points(dtype="float32"), at_most_of_best_peer(0.5)),
        linear_regression(Line(), at_most(1.2e-6)),
    ]
