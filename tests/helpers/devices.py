"""Devices that exist in plans only, and the reference runtime's answer to such plans."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from arignote.graph.op import Call, Op
from arignote.graph.variable import SharedVariable, Variable
from arignote.plan.lower import Choices, lower
from arignote.plan.plan import Plan
from arignote.rewrite.engine import Log
from arignote.rewrite.pipeline import optimize


@dataclass(frozen=True)
class PaperDevice:
    """A device that supports what a predicate says."""

    predicate: Callable[[Op], bool] = lambda op: True
    name: str = "paper"

    def supports(self, call: Call, op: Op) -> bool:
        """Return whether it can run an op."""
        return op.kernel is not None and self.predicate(op)


def device_plan(
    inputs: Sequence[Variable],
    outputs: Sequence[Variable],
    updates: Sequence[tuple[SharedVariable, Any]] = (),
    device: PaperDevice | None = PaperDevice(),
    on_device: Collection[SharedVariable] = (),
    name: str = "function",
    overwriting: bool = True,
) -> tuple[Plan, list[SharedVariable]]:
    """Return the plan of a graph for a device, and the shared variables in its order."""
    count = len(outputs)
    values = optimize([*outputs, *(value for _, value in updates)], Log())
    targets = [state for state, _ in updates]
    choices = Choices(
        by_rows=False, overwriting=overwriting, device=device, on_device=frozenset(on_device)
    )
    pairs = list(zip(targets, values[count:], strict=True))
    return lower(inputs, values[:count], pairs, name, choices)
