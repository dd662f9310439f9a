"""The execution plan: flat, typed, immutable. It is what runtimes run and a person can read.

Buffers are defined once, each by an input, a state (shared variable), a constant, a step, or as a
view of another. Sizes are dims: integers or expressions over the shapes of inputs and states.
Buffers and steps are the host's but for those that say that they are the device's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from arignote import ops
from arignote.errors import Origin
from arignote.graph.dim import Dim, Expr, Shape
from arignote.graph.dtypes import Array
from arignote.graph.op import Call, Op, Params, op_named
from arignote.graph.type import TensorType


@dataclass(frozen=True)
class Input:
    """An argument of the call."""

    name: str
    type: TensorType
    shape: Shape


@dataclass(frozen=True)
class State:
    """The value of a shared variable."""

    name: str
    type: TensorType
    shape: Shape
    device: bool = False


@dataclass(frozen=True, eq=False)
class Const:
    """A value fixed in the plan."""

    name: str
    type: TensorType
    value: Array
    device: bool = False

    @property
    def shape(self) -> Shape:
        """Its lengths."""
        return tuple(self.value.shape)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Const)
            and (self.name, self.type, self.device) == (other.name, other.type, other.device)
            and self.value.shape == other.value.shape
            and self.value.tobytes() == other.value.tobytes()
        )

    def __hash__(self) -> int:
        return hash((self.name, self.type))


@dataclass(frozen=True)
class Scalar:
    """A dim as a value that steps can read."""

    name: str
    type: TensorType
    value: Dim
    device: bool = False

    @property
    def shape(self) -> Shape:
        """It has no dimensions."""
        return ()


@dataclass(frozen=True)
class Temp:
    """The result of a step, in memory of its own or in that of ``storage``, which it overwrites."""

    name: str
    type: TensorType
    shape: Shape
    storage: str | None = None
    device: bool = False


@dataclass(frozen=True)
class View:
    """A window on another buffer: no work, no memory. Offset and strides are in bytes."""

    name: str
    type: TensorType
    base: str
    offset: Dim
    shape: Shape
    strides: tuple[Dim, ...]


@dataclass(frozen=True)
class Reshaped:
    """Another buffer's elements under another shape: a window if they lie without gaps."""

    name: str
    type: TensorType
    base: str
    shape: Shape


Buffer: TypeAlias = Input | State | Const | Scalar | Temp | View | Reshaped


@dataclass(frozen=True)
class Check:
    """What must hold of dims before steps run: ``equal``, ``index`` (0 <= a < b) or ``true``.

    ``text`` tells the user; ``{found}`` and ``{expected}`` stand for the two values.
    """

    kind: str
    found: Dim
    expected: Dim
    op: str
    text: str
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Step:
    """One op applied to buffers.

    ``guards`` are boolean scalars and the values they must have for the step to run; ``dims`` are
    integers the kernel is given; ``host`` says that it runs as its NumPy reference, and ``device``
    that the device runs it.
    """

    op: str
    params: Params
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    dims: tuple[Dim, ...] = ()
    guards: tuple[tuple[str, bool], ...] = ()
    host: bool = False
    device: bool = False
    origin: Origin | None = field(default=None, compare=False)

    @property
    def record(self) -> Op:
        """The op's record."""
        return op_named(self.op)


@dataclass(frozen=True)
class Plan:
    """A compiled function: what it needs, does and returns.

    ``updates`` pairs each state that changes with the buffer that it takes at the end of a call.
    """

    name: str
    buffers: tuple[Buffer, ...]
    checks: tuple[Check, ...]
    steps: tuple[Step, ...]
    outputs: tuple[str, ...]
    updates: tuple[tuple[str, str], ...]

    def buffer(self, name: str) -> Buffer:
        """Return the buffer of this name."""
        return self.by_name[name]

    @property
    def by_name(self) -> dict[str, Buffer]:
        """Buffers by name."""
        table: dict[str, Buffer] | None = self.__dict__.get("_by_name")
        if table is None:
            table = {buffer.name: buffer for buffer in self.buffers}
            self.__dict__["_by_name"] = table
        return table

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The arguments, in their order."""
        return tuple(buffer for buffer in self.buffers if isinstance(buffer, Input))

    @property
    def states(self) -> tuple[State, ...]:
        """The shared variables, in the order in which the runtime is given them."""
        return tuple(buffer for buffer in self.buffers if isinstance(buffer, State))

    def call(self, step: Step) -> Call:
        """Return the types with which a step applies its op."""
        return Call(
            step.params,
            tuple(self.buffer(name).type for name in step.inputs),
            tuple(self.buffer(name).type for name in step.outputs),
        )

    def dims(self) -> Iterator[Dim]:
        """Yield every dim that the plan names."""
        for buffer in self.buffers:
            yield from buffer.shape
            if isinstance(buffer, View):
                yield buffer.offset
                yield from buffer.strides
            elif isinstance(buffer, Scalar):
                yield buffer.value
        for check in self.checks:
            yield check.found
            yield check.expected
        for step in self.steps:
            yield from step.dims

    def on_device(self, name: str) -> bool:
        """Return whether a buffer lies on the device: a window lies where its base does."""
        content = self.content(name)
        return isinstance(content, State | Const | Scalar | Temp) and content.device

    def content(self, name: str) -> Buffer:
        """Return the buffer on which another is a window, through views and reshapes; or itself."""
        return self._end(name, "_contents", _base)

    def root(self, name: str) -> Buffer:
        """Return the buffer in whose memory another lies, through views and shared storage."""
        return self._end(name, "_roots", _base_or_storage)

    def _end(self, name: str, table: str, parent: Callable[[Buffer], str | None]) -> Buffer:
        """Return the buffer without parent that a name leads to; ``table`` keeps the answers."""
        ends: dict[str, Buffer] = self.__dict__.setdefault(table, {})
        path = []
        while name not in ends:
            path.append(name)
            following = parent(self.buffer(name))
            if following is None:
                ends[name] = self.buffer(name)
            else:
                name = following
        ends.update(dict.fromkeys(path, ends[name]))
        return ends[name]

    def __str__(self) -> str:
        from arignote.plan.text import format_plan

        return format_plan(self)


def _base(buffer: Buffer) -> str | None:
    return buffer.base if isinstance(buffer, View | Reshaped) else None


def _base_or_storage(buffer: Buffer) -> str | None:
    return buffer.storage if isinstance(buffer, Temp) else _base(buffer)


def is_transfer(step: Step) -> bool:
    """Return whether a step takes a value to the device or back."""
    return step.op in (ops.to_device_op.name, ops.to_host_op.name)


def is_condition(step: Step, position: int) -> bool:
    """Return whether an operand says which step is to run: it lies on the host as guards do."""
    return step.op == ops.ifelse_op.name and position == 0


def sizes_read(dims: Iterable[Dim]) -> set[str]:
    """Return the buffers that steps must write before dims are known."""
    return {name for dim in dims if isinstance(dim, Expr) for name in dim.reads}


def scalar_array(value: int, dtype: str) -> Array:
    """Return a dim as a 0-d array."""
    return np.asarray(value).astype(dtype)
