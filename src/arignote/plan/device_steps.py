"""Which steps of a plan a device is to run.

Every step that the device supports is its, but for those that read nothing from the device and
whose results only the host's steps and states take; or the caller, if they are single numbers.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from arignote import ops
from arignote.graph.op import Call, Op
from arignote.plan.plan import Plan, Step, is_condition


class Device(Protocol):
    """What a plan is made for. It moves and copies values of all types."""

    @property
    def name(self) -> str:
        """Its name, such as cuda0."""

    def supports(self, call: Call, op: Op) -> bool:
        """Return whether it can run an op on operands of these types."""


def choose_steps(plan: Plan, device: Device, states: Collection[str]) -> list[bool]:
    """Return for each step whether it runs on the device. Reshapes follow what they are of."""
    there = set(states)
    users = _users(plan)
    new_values = {plan.content(value).name for state, value in plan.updates if state in there}
    results = {plan.content(name).name for name in plan.outputs}

    def reads_there(step: Step) -> bool:
        return any(plan.content(name).name in there for name in step.inputs)

    supported = [
        step.op != ops.reshape_op.name and device.supports(plan.call(step), step.record)
        for step in plan.steps
    ]
    chosen: list[bool] = []
    for step, fits in zip(plan.steps, supported, strict=True):
        chosen.append(fits and (not _is_of_numbers(plan, step) or reads_there(step)))
        if chosen[-1]:
            there.update(step.outputs)
    for number in reversed(range(len(plan.steps))):
        step = plan.steps[number]
        is_wanted = any(
            name in new_values or any(chosen[user] for user in users.get(name, ()))
            for name in step.outputs
        )
        if step.op == ops.copy_op.name:
            # Or a transfer. Every device can do both.
            chosen[number] = is_wanted
        elif _is_of_numbers(plan, step):
            chosen[number] = supported[number] and (is_wanted or reads_there(step))
        elif not is_wanted and not reads_there(step) and results.isdisjoint(step.outputs):
            chosen[number] = False
        (there.update if chosen[number] else there.difference_update)(step.outputs)
    return chosen


def _users(plan: Plan) -> dict[str, list[int]]:
    """Return the numbers of the steps that read each buffer, itself or through windows."""
    users: dict[str, list[int]] = {}
    for number, step in enumerate(plan.steps):
        for position, name in enumerate(step.inputs):
            if is_condition(step, position):
                continue
            users.setdefault(plan.content(name).name, []).append(number)
    return users


def _is_of_numbers(plan: Plan, step: Step) -> bool:
    types = [plan.buffer(name).type for name in (*step.inputs, *step.outputs)]
    return all(all(type_.broadcastable) for type_ in types)
