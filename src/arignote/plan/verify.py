"""What must hold of a plan, whoever made it. The native runtime checks the same when it loads one."""

from __future__ import annotations

from typing import NoReturn

from arignote.errors import PlanError
from arignote.graph.dim import OPERATIONS, Dim, Expr
from arignote.graph.op import OPS
from arignote.plan.memory import COMMITTING
from arignote.plan.plan import (
    Buffer,
    Input,
    Plan,
    Reshaped,
    Scalar,
    State,
    Step,
    Temp,
    View,
)


def verify(plan: Plan) -> None:
    """Check a plan.

    Raises
    ------
    PlanError
        If a rule is broken: names defined once and before their use, every temporary written by one step,
        types as the ops' records say, memory taken over only from what is dead, states written once
        and last, outputs with memory of their own.
    """
    _Verifier(plan).run()


class _Verifier:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.written: dict[str, int] = {}
        self.known: set[str] = set()

    def _refuse(self, what: str) -> NoReturn:
        raise PlanError(f"[plan {self.plan.name}] {what}")

    def run(self) -> None:
        names = [buffer.name for buffer in self.plan.buffers]
        if len(set(names)) != len(names):
            self._refuse(f"buffers must have different names: {sorted(names)}")
        for buffer in self.plan.buffers:
            self._buffer(buffer)
        for position, step in enumerate(self.plan.steps):
            self._step(position, step)
        for buffer in self.plan.buffers:
            if isinstance(buffer, Temp | Reshaped) and buffer.name not in self.written:
                self._refuse(f"{buffer.name} must be written by a step: none does")
        self._storage()
        self._results()

    # Buffers

    def _named(self, name: str) -> Buffer:
        if name not in self.plan.by_name:
            self._refuse(f"every name must be that of a buffer: {name}")
        return self.plan.buffer(name)

    def _buffer(self, buffer: Buffer) -> None:
        if len(buffer.shape) != buffer.type.ndim:
            self._refuse(f"{buffer.name} must have the {buffer.type.ndim} dimensions of its type")
        dims: list[Dim] = list(buffer.shape)
        if isinstance(buffer, View):
            dims += [buffer.offset, *buffer.strides]
            if len(buffer.strides) != len(buffer.shape):
                self._refuse(f"{buffer.name} must have a stride for each dimension")
        if isinstance(buffer, Scalar):
            dims.append(buffer.value)
        for dim in dims:
            self._dim(dim)
        if isinstance(buffer, View | Reshaped) and buffer.base not in self.known:
            self._refuse(f"{buffer.name} must come after its base {buffer.base}")
        self.known.add(buffer.name)

    def _dim(self, dim: Dim) -> None:
        if isinstance(dim, int):
            return
        if dim.op in ("shape", "stride", "value", "read"):
            source = self._named(str(dim.args[0]))
            wanted = (Temp,) if dim.op == "read" else (Input, State)
            if not isinstance(source, wanted):
                self._refuse(f"a dim must be read from an input, a state or a step: {dim}")
            return
        if dim.op not in OPERATIONS:
            self._refuse(f"a dim must be made of known operations: {dim.op}")
        for arg in dim.args:
            if isinstance(arg, int | Expr):
                self._dim(arg)

    # Steps

    def _step(self, position: int, step: Step) -> None:
        label = f"step {position} ({step.op})"
        if step.op not in OPS:
            self._refuse(f"{label} must name an op")
        for name in (*step.inputs, *(flag for flag, _ in step.guards)):
            self._defined(label, name)
        for name in step.outputs:
            if not isinstance(self._named(name), Temp | Reshaped):
                self._refuse(f"{label} must write temporaries: {name}")
            if name in self.written:
                self._refuse(f"{label} writes {name}, which step {self.written[name]} wrote")
            self.written[name] = position
        self._types(label, step)

    def _defined(self, label: str, name: str) -> None:
        buffer = self._named(name)
        while isinstance(buffer, View):
            buffer = self._named(buffer.base)
        if isinstance(buffer, Temp | Reshaped) and buffer.name not in self.written:
            self._refuse(f"{label} reads {name} before it is written")

    def _types(self, label: str, step: Step) -> None:
        if step.op == "reshape":
            return
        call = self.plan.call(step)
        try:
            expected = list(step.record.infer(step.params, call.input_types))
        except TypeError as error:
            self._refuse(f"{label} is given operands of wrong types: {error}")
        found = [(item.dtype, item.ndim) for item in call.output_types]
        if found != [(item.dtype, item.ndim) for item in expected]:
            self._refuse(f"{label} must write {expected}: {list(call.output_types)}")

    # Memory

    def _storage(self) -> None:
        takers: dict[str, str] = {}
        for buffer in self.plan.buffers:
            if not isinstance(buffer, Temp) or buffer.storage is None:
                continue
            owner = self._named(buffer.storage)
            if buffer.storage in takers:
                self._refuse(
                    f"{buffer.name} and {takers[buffer.storage]} both take {buffer.storage}"
                )
            takers[buffer.storage] = buffer.name
            same = owner.type.dtype == buffer.type.dtype and owner.shape == buffer.shape
            if not isinstance(owner, Temp | State) or not same:
                self._refuse(f"{buffer.name} cannot take the memory of {buffer.storage}")
            self._dead(buffer, owner)

    def _dead(self, buffer: Temp, owner: Buffer) -> None:
        position = self.written[buffer.name]
        for later, step in enumerate(self.plan.steps):
            for name in step.inputs:
                if later > position and self._memory(name) == owner.name:
                    self._refuse(f"step {later} reads {name}, which {buffer.name} has overwritten")
        if isinstance(owner, State):
            for later, step in enumerate(self.plan.steps[position:], position):
                if step.host or step.op not in COMMITTING:
                    self._refuse(f"step {later} may fail after {owner.name} was written")
        elif owner.name in self.plan.outputs:
            self._refuse(f"{buffer.name} cannot take the memory of the output {owner.name}")

    def _memory(self, name: str) -> str:
        """Return the buffer of which a name is a window, not following shared storage."""
        buffer = self.plan.buffer(name)
        while isinstance(buffer, View | Reshaped):
            buffer = self.plan.buffer(buffer.base)
        return buffer.name

    def _results(self) -> None:
        if len(set(self.plan.outputs)) != len(self.plan.outputs):
            self._refuse(f"outputs must be different buffers: {self.plan.outputs}")
        for name in self.plan.outputs:
            buffer = self._named(name)
            if not isinstance(buffer, Temp) or buffer.storage is not None:
                self._refuse(f"the output {name} must have memory of its own")
        targets = [state for state, _ in self.plan.updates]
        if len(set(targets)) != len(targets):
            self._refuse(f"a state must be updated once: {targets}")
        for state, value in self.plan.updates:
            target, source = self._named(state), self._named(value)
            if not isinstance(target, State):
                self._refuse(f"only states can be updated: {state}")
            if (target.type.dtype, target.type.ndim) != (source.type.dtype, source.type.ndim):
                self._refuse(f"{state} cannot take a value of the type of {value}")
            self._defined("an update", value)
