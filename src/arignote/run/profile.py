"""The time that each step of a function has taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from arignote.plan.plan import Plan


@dataclass(frozen=True)
class StepTime:
    """One step: how often it ran, and its time in nanoseconds over all runs."""

    step: str
    runs: int
    nanoseconds: int


@dataclass(frozen=True)
class Profile:
    """Counts and times of a function's calls. Times are in nanoseconds; ``str`` gives a table."""

    name: str
    calls: int
    nanoseconds: int
    steps: tuple[StepTime, ...]

    @classmethod
    def of(cls, plan: Plan, data: Mapping[str, Any]) -> Profile:
        """Return the profile of a plan from what the runtime counted."""
        labels = [
            f"{number} {step.op} {' '.join(step.inputs)} -> {' '.join(step.outputs)}"
            for number, step in enumerate(plan.steps)
        ]
        times = data["steps"] or [(0, 0)] * len(labels)
        steps = tuple(StepTime(label, *time) for label, time in zip(labels, times, strict=True))
        return cls(plan.name, data["calls"], data["total_ns"], steps)

    def __str__(self) -> str:
        if not self.calls:
            return f"{self.name}: no calls counted yet"
        inside = sum(item.nanoseconds for item in self.steps)
        each = self.nanoseconds / self.calls / 1e3
        steps = inside / self.calls / 1e3
        head = f"{self.name}: {self.calls} calls, {each:.2f} µs each"
        lines = [f"{head}, of which {steps:.2f} µs in steps"]
        for item in sorted(self.steps, key=lambda step: -step.nanoseconds):
            share = 100 * item.nanoseconds / inside if inside else 0.0
            each = item.nanoseconds / item.runs / 1e3 if item.runs else 0.0
            lines.append(f"{share:6.1f} % {each:10.2f} µs  {item.step}")
        return "\n".join(lines)
