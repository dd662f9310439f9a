"""The boundary to the compiled runtime: nothing else imports it.

A plan becomes the flat lists that the runtime loads: dims as registers, buffers and steps by
number.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from arignote import _core
from arignote.config import config
from arignote.errors import PlanError
from arignote.graph.dim import Dim, postorder
from arignote.graph.dtypes import Array
from arignote.plan.by_rows import body_of
from arignote.plan.plan import (
    Buffer,
    Const,
    Input,
    Plan,
    Reshaped,
    Scalar,
    State,
    Step,
    Temp,
    View,
)

Function = _core.Function
Program = _core.Program
Storage = _core.State

targets = _core.targets
current_target = _core.current_target
set_target = _core.set_target
threads = _core.threads
allocations = _core.allocations
left_outputs = _core.left_outputs
kernel_table = _core.kernel_table
block_table = _core.block_table
reduction_table = _core.reduction_table
build_info = _core.build_info
measure_bandwidth = _core.measure_bandwidth
measure_fma_rate = _core.measure_fma_rate

config.listen("threads", _core.set_threads)
config.listen("floatX", _core.set_floatX)
_wanted_target = os.environ.get("ARIGNOTE_TARGET", "")
if _wanted_target and _wanted_target != current_target():
    raise ValueError(f"ARIGNOTE_TARGET must be one of {', '.join(targets())}: {_wanted_target!r}")


def release_memory() -> int:
    """Give the memory that is kept for large results back to the system.

    An array of 1 MB or more that a function has returned leaves its memory to the next one of about
    its size, whichever function returns that. At most 256 MB are kept, the latest.

    Returns
    -------
    int
        How many bytes were kept.

    Examples
    --------
    >>> import numpy as np
    >>> import arignote, arignote.tensor as T
    >>> x = T.dvector("x")
    >>> double = arignote.function([x], x * 2)
    >>> result = double(np.ones(1_000_000))
    >>> del result
    >>> arignote.release_memory() >= 8_000_000
    True
    >>> arignote.release_memory()
    0
    """
    return _core.release_memory()


HostCall = Callable[..., tuple[Array, ...]]

_KINDS: Final[dict[type[Buffer], str]] = {
    Input: "input",
    State: "state",
    Const: "const",
    Scalar: "scalar",
    Temp: "temp",
    View: "view",
    Reshaped: "reshape",
}


class _Encoder:
    """Numbers the dims and buffers of one plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.dims: list[tuple[str, int, int]] = []
        self.registers: dict[Dim, int] = {}
        self.buffers = loaded_buffers(plan)
        self.numbers = {item.name: number for number, item in enumerate(self.buffers)}

    def register(self, dim: Dim) -> int:
        """Return the register that holds a dim."""
        for item in (*postorder([dim], self.registers), dim):
            if item not in self.registers:
                entry = self._entry(item)
                self.registers[item] = len(self.dims)
                self.dims.append(entry)
        return self.registers[dim]

    def _entry(self, dim: Dim) -> tuple[str, int, int]:
        if isinstance(dim, int):
            return ("const", dim, 0)
        if dim.op in ("shape", "stride"):
            return (dim.op, self.numbers[str(dim.args[0])], int(str(dim.args[1])))
        if dim.op in ("value", "read"):
            return (dim.op, self.numbers[str(dim.args[0])], 0)
        args = [self.register(arg) for arg in dim.args if not isinstance(arg, str)]
        return (dim.op, args[0], args[1] if len(args) > 1 else 0)

    def buffer(self, buffer: Buffer) -> dict[str, Any]:
        """Return a buffer as the runtime reads it."""
        entry: dict[str, Any] = {
            "kind": _KINDS[type(buffer)],
            "dtype": buffer.type.dtype,
            "shape": [self.register(dim) for dim in buffer.shape],
        }
        if isinstance(buffer, State | Const | Scalar | Temp) and buffer.device:
            entry["device"] = True
        if isinstance(buffer, Input):
            entry["broadcastable"] = list(buffer.type.broadcastable)
        elif isinstance(buffer, Const):
            entry["array"] = np.require(buffer.value, requirements=["C", "A"])
        elif isinstance(buffer, Scalar):
            entry["value"] = self.register(buffer.value)
        elif isinstance(buffer, Temp):
            entry["storage"] = -1 if buffer.storage is None else self.numbers[buffer.storage]
        elif isinstance(buffer, View):
            entry["base"] = self.numbers[buffer.base]
            entry["offset"] = self.register(buffer.offset)
            entry["strides"] = [self.register(dim) for dim in buffer.strides]
        elif isinstance(buffer, Reshaped):
            entry["base"] = self.numbers[buffer.base]
        return entry

    def step(self, step: Step, host: HostCall | None) -> dict[str, Any]:
        """Return a step as the runtime reads it; ``host`` computes it if no kernel does."""
        record = step.record
        attributes = record.encode(self.plan.call(step))
        body = body_of(step.params)
        entry = {
            "kernel": "host" if step.host else record.kernel,
            "ints": [] if step.host else list(attributes.ints),
            "reals": [] if step.host else list(attributes.reals),
            "names": [] if step.host else list(attributes.names),
            "dims": [self.register(dim) for dim in step.dims],
            "inputs": [self.numbers[name] for name in kernel_inputs(step)],
            "outputs": [self.numbers[name] for name in step.outputs],
            "guards": [(self.numbers[name], wanted) for name, wanted in step.guards],
            "host": host,
            "body": None if body is None else _specify(body, {}),
        }
        return entry | {"device": True} if step.device else entry


def loaded_buffers(plan: Plan) -> list[Buffer]:
    """Return the buffers of a plan by the numbers that the runtime knows them by."""
    used = _names_used(plan)
    return [item for item in plan.buffers if item.name in used]


def kernel_inputs(step: Step) -> list[str]:
    """Return the operands that the kernel gets: not the integers that it has as dims."""
    if step.host:
        return list(step.inputs)
    shape_only = step.record.shape_only
    return [name for position, name in enumerate(step.inputs) if position not in shape_only]


def _names_used(plan: Plan) -> set[str]:
    """Return the buffers that the runtime needs: integers known as dims only are left out."""
    used = {buffer.name for buffer in plan.buffers if not isinstance(buffer, Scalar | Const)}
    for step in plan.steps:
        used.update((*kernel_inputs(step), *(flag for flag, _ in step.guards)))
    used.update(value for _, value in plan.updates)
    used.update(buffer.base for buffer in plan.buffers if isinstance(buffer, View | Reshaped))
    return used


def load(
    plan: Plan, host_calls: dict[int, HostCall], device: object | None = None
) -> _core.Program:
    """Load a plan into the runtime, which verifies it.

    Parameters
    ----------
    plan
        The plan.
    host_calls
        For each host step, by its number, what computes it from arrays.
    device
        The capsule of the device that the plan is for.

    Raises
    ------
    RuntimeError
        If the plan breaks a rule.
    DeviceError
        If the device fails.
    """
    try:
        spec = _specify(plan, host_calls)
    except KeyError as error:
        raise PlanError(
            f"[plan {plan.name}] every name must be that of a buffer: {error}"
        ) from None
    return _core.Program(spec) if device is None else _core.Program(spec, device)


def _specify(plan: Plan, host_calls: dict[int, HostCall]) -> _core.ProgramSpec:
    encoder = _Encoder(plan)
    numbers = encoder.numbers
    return {
        "buffers": [encoder.buffer(item) for item in encoder.buffers],
        "steps": [encoder.step(step, host_calls.get(k)) for k, step in enumerate(plan.steps)],
        "checks": [
            (check.kind, encoder.register(check.found), encoder.register(check.expected))
            for check in plan.checks
        ],
        "outputs": [numbers[name] for name in plan.outputs],
        "updates": [(numbers[state], numbers[value]) for state, value in plan.updates],
        # The last of all: the rest asks for registers.
        "dims": encoder.dims,
    }
