"""Libraries that speak Theano's language, and how steps that they compile are timed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import arignote
import arignote.tensor as T
from arignote.bench.workload import OURS, Case, Setup
from arignote.graph.dtypes import Array

REFERENCE = "reference"


@dataclass(frozen=True)
class Dialect:
    """A library that speaks Theano's language."""

    tensor: Any
    function: Callable[..., Any]
    shared: Callable[..., Any]
    grad: Callable[..., Any]
    softmax: Callable[[Any], Any]

    def descent(self, cost: Any, parameters: Sequence[Any], rate: Any) -> list[tuple[Any, Any]]:
        """Return the updates that move shared variables against the gradient of a cost."""
        gradients = self.grad(cost, parameters)
        return [(v, v - rate * g) for v, g in zip(parameters, gradients, strict=True)]


def dialects() -> dict[str, Dialect]:
    """Return arignote itself, and with every function run as its NumPy reference."""
    reference = partial(arignote.function, mode="reference")
    return {
        name: Dialect(T, function, arignote.shared, T.grad, T.nnet.softmax)
        for name, function in ((OURS, arignote.function), (REFERENCE, reference))
    }


def setups(program: Callable[..., Case], *arguments: Any) -> dict[str, Setup]:
    """Return how a program is set up in each of our dialects."""
    return {name: partial(program, own, *arguments) for name, own in dialects().items()}


def one_call(call: Callable[[], Any], parameters: Sequence[Any] = ()) -> Case:
    """Return a case whose values are a call's results and the shared variables after it."""
    return Case(call, lambda: [*_listed(call()), *_held(parameters)])


def call_by_call(step: Any, arguments: Sequence[Any], parameters: Sequence[Any]) -> Case:
    """Return a case of as many calls, with results stacked like those of one call of many steps."""

    def call() -> list[Any]:
        return [step(*each) for each in arguments]

    def values() -> list[Array]:
        results = [_listed(result) for result in call()]
        stacked = [np.array(column) for column in zip(*results, strict=True)]
        return [*stacked, *_held(parameters)]

    return Case(call, values)


def _listed(results: Any) -> list[Array]:
    return [*map(np.asarray, results if isinstance(results, list | tuple) else [results])]


def _held(parameters: Sequence[Any]) -> list[Array]:
    return [parameter.get_value() for parameter in parameters]
