"""Plans as text; :mod:`arignote.plan.parse` reads it back: ``parse(str(plan)) == plan``.

One line per buffer, check and step. Dims are written as Python expressions in which ``x.0`` is the
length of a dimension, ``x.s0`` its stride in bytes, ``x.value`` the integer that ``x`` holds when
the call starts, and ``x.read`` the one that a step gave it. Longer ones have a line and a name of
their own.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence

import numpy as np

from arignote.graph import dtypes
from arignote.graph.dim import READABLE, Dim, Expr, postorder
from arignote.graph.dtypes import Array
from arignote.ops.program import Program
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
    is_transfer,
)

ON_DEVICE = "on device"

SYMBOLS = {"add": "+", "sub": "-", "mul": "*", "floordiv": "//", "mod": "%"}


def format_plan(plan: Plan) -> str:
    """Return a plan as text."""
    return _Formatter(plan).text()


def _arguments(dim: Expr) -> list[Dim]:
    return [arg for arg in dim.args if not isinstance(arg, str)]


def _is_source(dim: Dim) -> bool:
    return isinstance(dim, Expr) and dim.op in ("shape", "stride", "value", "read")


def _is_long(dim: Dim) -> bool:
    """Return whether a dim holds an operation on the result of another."""
    return (
        isinstance(dim, Expr)
        and not _is_source(dim)
        and any(isinstance(arg, Expr) and not _is_source(arg) for arg in _arguments(dim))
    )


def _to_name(plan: Plan) -> Iterator[Dim]:
    """Yield the long dims that a plan names, and parts of them that would be unreadable."""
    seen: set[Expr] = set()
    for dim in plan.dims():
        for part in postorder([dim], seen):
            seen.add(part)
            if part.weight > READABLE and part is not dim:
                yield part
        if _is_long(dim):
            yield dim


class _Formatter:
    """Writes one plan, in which long dims have names."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.names: dict[Dim, str] = {}
        self.definitions: list[str] = []
        taken = {buffer.name for buffer in plan.buffers}
        for dim in _to_name(plan):
            if dim not in self.names:
                name = f"d{len(self.names)}"
                while name in taken:
                    name += "_"
                self.definitions.append(f"dim    {name} = {self.dim(dim)}")
                self.names[dim] = name

    def text(self) -> str:
        """Return the plan, a line for each of its parts."""
        plan = self.plan
        lines = [f"plan {plan.name}", *self.definitions]
        lines += map(self.buffer, plan.buffers)
        for check in plan.checks:
            sides = f"{self.dim(check.found)}, {self.dim(check.expected)}"
            lines.append(f"check  {check.kind} {sides} [{check.op}] {check.text}")
        for number, step in enumerate(plan.steps):
            lines += self.step(number, step)
        lines += [f"update {state} <- {value}" for state, value in plan.updates]
        lines.append(" ".join(["output", *plan.outputs]))
        return "\n".join(lines)

    def dim(self, dim: Dim) -> str:
        if isinstance(dim, int):
            return str(dim)
        if dim in self.names:
            return self.names[dim]
        if dim.op == "shape":
            return f"{dim.args[0]}.{dim.args[1]}"
        if dim.op == "stride":
            return f"{dim.args[0]}.s{dim.args[1]}"
        if dim.op in ("value", "read"):
            return f"{dim.args[0]}.{dim.op}"
        args = list(map(self.dim, _arguments(dim)))
        if dim.op in SYMBOLS:
            return f"({args[0]} {SYMBOLS[dim.op]} {args[1]})"
        return f"{dim.op}({', '.join(args)})"

    def dims(self, dims: Sequence[Dim]) -> str:
        return ", ".join(map(self.dim, dims))

    def buffer(self, buffer: Buffer) -> str:
        marks = "".join("1" if flag else "n" for flag in buffer.type.broadcastable)
        pattern = f":{marks}" if "1" in marks else ""
        head = f"{buffer.name} {buffer.type.dtype}[{self.dims(buffer.shape)}]{pattern}"
        if isinstance(buffer, State | Const | Scalar | Temp) and buffer.device:
            head += f" {ON_DEVICE}"
        if isinstance(buffer, Input):
            return f"input  {head}"
        if isinstance(buffer, State):
            return f"state  {head}"
        if isinstance(buffer, Const):
            return f"const  {head} = {format_array(buffer.value)}"
        if isinstance(buffer, Scalar):
            return f"scalar {head} = {self.dim(buffer.value)}"
        if isinstance(buffer, View):
            place = f"{self.dim(buffer.offset)} strides ({self.dims(buffer.strides)})"
            return f"view   {head} of {buffer.base} at {place}"
        if isinstance(buffer, Reshaped):
            return f"reshaped {head} of {buffer.base}"
        assert isinstance(buffer, Temp)
        return f"temp   {head}" + (f" in {buffer.storage}" if buffer.storage else "")

    def step(self, number: int, step: Step) -> list[str]:
        # Of a transfer it goes without saying.
        place = "host " if step.host else "device " if step.device and not is_transfer(step) else ""
        parts = [str(number), place + step.op]
        params = {k: v for k, v in step.params.items() if not isinstance(v, Program | Plan)}
        if params:
            parts.append("{" + ", ".join(f"{k}={v!r}" for k, v in params.items()) + "}")
        if step.dims:
            parts.append(f"({self.dims(step.dims)})")
        parts.append(f"{' '.join(step.inputs)} -> {' '.join(step.outputs)}")
        if step.guards:
            conditions = [name if wanted else f"not {name}" for name, wanted in step.guards]
            parts.append("when " + " and ".join(conditions))
        lines = [" ".join(parts)]
        for part in step.params.values():
            if isinstance(part, Program):
                lines += format_program(part)
            elif isinstance(part, Plan):
                lines += [f"    {line}" for line in format_plan(part).splitlines()]
        return lines


def format_array(array: Array) -> str:
    """Return a constant's value as text: a number, or the bytes in base 64."""
    shown = dtypes.plain(array)
    if shown.size == 1 and shown.dtype.kind in "biuf" and np.isfinite(shown).all():
        number = shown.reshape(())[()]
        # The shortest text that reads back as the same float of this dtype.
        return str(number) if shown.dtype.kind == "f" else repr(number.item())
    return "base64:" + base64.b64encode(array.tobytes()).decode()


def format_program(program: Program) -> list[str]:
    """Return the lines of a program: an instruction each, and its results."""
    count = len(program.input_dtypes)
    lines = [
        f"    r{count + k} = {item.op}({', '.join(f'r{s}' for s in item.sources)}) {item.dtype}"
        for k, item in enumerate(program.instructions)
    ]
    results = [
        f"r{item.register}"
        if not item.reduction
        else f"{item.reduction}(r{item.register}, {', '.join(map(str, item.axes))})"
        for item in program.results
    ]
    return [*lines, f"    -> {', '.join(results)}"]
