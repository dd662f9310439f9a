"""Errors of calls: the class a Theano program catches, what failed, on which shapes, and where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from arignote.config import config
from arignote.errors import DeviceError, PlanError, add_note, selection_error, with_origin
from arignote.graph.dtypes import Array
from arignote.plan import reference
from arignote.plan.by_rows import body_of
from arignote.plan.plan import Input, Plan, State, Step, is_transfer
from arignote.run import native
from arignote.run.shared import Container


def call_error(
    plan: Plan,
    kind: str,
    place: tuple[int, int],
    details: tuple[int, int, int],
    what: str,
    arguments: Sequence[Any],
    states: Sequence[Container],
) -> Exception:
    """Return the exception for a failure that the runtime reports.

    ``place`` is the step that failed, and if that runs a body the step in there, else -1.
    ``details`` are position, value and other, whose meaning depends on ``kind``.
    """
    position, value, other = details
    if kind == "check":
        error: Exception = reference.check_error(
            plan.checks[position], _shown(plan, position, value, other), other
        )
        add_shapes(error, plan, arguments, states)
        return error
    if kind == "memory":
        error = _memory_error(plan, position, what)
        add_shapes(error, plan, arguments, states)
        return error
    if kind == "readonly":
        name = plan.states[position].name
        return ValueError(
            f"[{plan.name}] {name} must be writeable: its borrowed array is read-only"
        )
    if kind == "index":
        found = value % 2**64 if what == "unsigned" else value
        error = _index_error(_step_at(plan, place), position, found, other)
        add_shapes(error, plan, arguments, states)
        return error
    kind_of_error = DeviceError if kind == "device" else PlanError
    return kind_of_error(f"[{plan.name}]{_named(plan, place)} {what}")


def _named(plan: Plan, place: tuple[int, int]) -> str:
    step, inner = place
    if not 0 <= step < len(plan.steps):
        return ""
    body = body_of(plan.steps[step].params)
    if body is None or inner < 0:
        return f" step {step} ({plan.steps[step].op}):"
    return f" step {step} ({plan.steps[step].op}), in it step {inner} ({body.steps[inner].op}):"


def _step_at(plan: Plan, place: tuple[int, int]) -> Step:
    step, inner = place
    body = body_of(plan.steps[step].params)
    return plan.steps[step] if body is None else body.steps[inner]


def _shown(plan: Plan, position: int, value: int, other: int) -> int:
    """Return an index as the user gave it: the runtime counts negative ones from the end."""
    return value - other if plan.checks[position].kind == "index" and value < 0 else value


def _memory_error(plan: Plan, number: int, shape: str) -> Exception:
    if number < 0:
        return MemoryError(f"[{plan.name}] a call needs more memory than there is")
    buffer = native.loaded_buffers(plan)[number]
    step = _first_step(plan, buffer.name)
    error = MemoryError(
        f"[{plan.name if step is None else step.op}] an array of shape {shape} and dtype "
        f"{buffer.type.dtype} needs more memory than there is"
    )
    return error if step is None else with_origin(error, step.origin)


def _first_step(plan: Plan, name: str) -> Step | None:
    """Return the step that makes a value, or the first to read what a call is given.

    A step that copies it between the host and a device stands for the one that makes what it
    copies.
    """
    step = next((step for step in plan.steps if name in (*step.inputs, *step.outputs)), None)
    while step is not None and is_transfer(step):
        source = plan.content(step.inputs[0]).name
        maker = next((other for other in plan.steps if source in other.outputs), None)
        if maker is None:
            break
        step = maker
    return step


def _index_error(step: Step, position: int, value: int, length: int) -> Exception:
    error = selection_error(step.op, position, value, length)
    add_note(error, f"Plan step: {step.op} {' '.join(step.inputs)} -> {' '.join(step.outputs)}")
    return with_origin(error, step.origin)


def add_shapes(
    error: Exception,
    plan: Plan,
    arguments: Sequence[Any],
    states: Sequence[Array] | Sequence[Container],
) -> None:
    """Note the types and shapes, and the values if asked for, of what a call was given.

    Only values that are asked for are brought from a device.
    """
    lines = []
    buffers: list[Input | State] = [*plan.inputs, *plan.states]
    for buffer, array in zip(buffers, (*arguments, *states), strict=True):
        shape = tuple(getattr(array, "shape", ()))
        kind = "input" if isinstance(buffer, Input) else "shared"
        line = f"  {kind} {buffer.name}: {buffer.type.dtype} of shape {shape}"
        if config.exception_verbosity == "high":
            line += f" = {array.data if isinstance(array, Container) else array!r}"
        lines.append(line)
    add_note(error, "\n".join(["The call was given:", *lines]))
