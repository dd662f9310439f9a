"""What must hold of a plan, whoever made it. The native runtime checks the same at loading."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NoReturn, TypeAlias

from arignote import ops
from arignote.errors import PlanError
from arignote.graph import dtypes
from arignote.graph.dim import OPERATIONS, SOURCES, UNARY, Dim, Expr, postorder
from arignote.graph.op import OPS, Call, op_named
from arignote.ops.program import Program
from arignote.plan.by_rows import body_of
from arignote.plan.memory import COMMITTING, may_overwrite
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
    sizes_read,
)
from arignote.plan.verify_places import verify_places

Guards: TypeAlias = "tuple[tuple[str, bool], ...]"

CHECKS = ("equal", "index", "true")


def verify(plan: Plan) -> None:
    """Check a plan.

    Raises
    ------
    PlanError
        If a rule is broken: names defined once and before their use, every temporary written by one
        step, types as the ops' records say, sizes known when they are needed, what a branch
        computes read in that branch only, memory taken over only from what is dead, states written
        once and last, outputs with memory of their own, what steps read and write lying where they
        run.
    """
    verifier = _Verifier(plan)
    verifier.buffers()
    verifier.steps()
    verifier.storage()
    verifier.results()
    verify_places(plan)


class _Verifier:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.known: set[str] = set()
        self.sound: set[Expr] = set()
        self.needed: dict[str, frozenset[str]] = {}
        # By name of a temporary or reshape: the step that writes it, and under which conditions.
        self.written: dict[str, int] = {}
        self.guards: dict[str, Guards] = {}

    def _refuse(self, what: str) -> NoReturn:
        raise PlanError(f"[plan {self.plan.name}] {what}")

    def _named(self, name: str) -> Buffer:
        if name not in self.plan.by_name:
            self._refuse(f"every name must be that of a buffer: {name}")
        return self.plan.buffer(name)

    # Buffers and dims

    def buffers(self) -> None:
        """Check each buffer by itself, and the checks."""
        names = [buffer.name for buffer in self.plan.buffers]
        if len(set(names)) != len(names):
            self._refuse(f"buffers must have different names: {sorted(names)}")
        for buffer in self.plan.buffers:
            self._shape(buffer)
            self._buffer(buffer)
            self.known.add(buffer.name)
            self.needed[buffer.name] = self._needed(buffer)
        for check in self.plan.checks:
            if check.kind not in CHECKS:
                self._refuse(f"a check must be one of {', '.join(CHECKS)}: {check.kind}")
            self._dims((check.found, check.expected))

    def _shape(self, buffer: Buffer) -> None:
        name, type_ = buffer.name, buffer.type
        if len(buffer.shape) != type_.ndim:
            self._refuse(f"{name} must have the {type_.ndim} dimensions of its type")
        for axis, (dim, flag) in enumerate(zip(buffer.shape, type_.broadcastable, strict=True)):
            if flag and dim != 1:
                self._refuse(f"{name} must have length 1 in the broadcastable dimension {axis}")
        self._dims(buffer.shape)

    def _buffer(self, buffer: Buffer) -> None:
        name = buffer.name
        if isinstance(buffer, Const) and buffer.value.dtype != buffer.type.dtype:
            self._refuse(f"{name} must be an array of dtype {buffer.type.dtype}")
        elif isinstance(buffer, Scalar):
            self._dims((buffer.value,))
            if buffer.type.dtype not in (*dtypes.DISCRETE, "float32", "float64"):
                self._refuse(f"{name} must be bool, integer, float32 or float64")
        elif isinstance(buffer, View | Reshaped):
            if buffer.base not in self.known:
                self._refuse(f"{name} must come after its base {buffer.base}")
            if self.plan.buffer(buffer.base).type.dtype != buffer.type.dtype:
                self._refuse(f"{name} must have the dtype of its base {buffer.base}")
        elif isinstance(buffer, Temp) and not self._is_known(buffer.storage):
            self._refuse(f"{name} must come after what it takes the memory of, {buffer.storage}")
        if isinstance(buffer, View):
            if len(buffer.strides) != len(buffer.shape):
                self._refuse(f"{name} must have a stride for each dimension")
            self._dims((buffer.offset, *buffer.strides))

    def _needed(self, buffer: Buffer) -> frozenset[str]:
        """Return the sizes that must be written before a buffer is read."""
        own = sizes_read(buffer.shape)
        if isinstance(buffer, View):
            own |= sizes_read((buffer.offset, *buffer.strides))
        below = self.needed[buffer.base] if isinstance(buffer, View | Reshaped) else frozenset()
        return below | own if own - below else below

    def _is_known(self, storage: str | None) -> bool:
        return storage is None or storage in self.known

    def _dims(self, dims: Sequence[Dim]) -> None:
        self._numbers(dims)
        for dim in postorder(dims, self.sound):
            if dim.op in SOURCES:
                self._source(dim)
            else:
                self._operation(dim)
            self.sound.add(dim)

    def _numbers(self, dims: Iterable[Dim]) -> None:
        for dim in dims:
            if isinstance(dim, int) and not -(2**63) <= dim < 2**63:
                self._refuse(f"a dim must fit into 64 bits: {dim}")

    def _operation(self, dim: Expr) -> None:
        if dim.op not in OPERATIONS:
            self._refuse(f"a dim must be made of known operations: {dim.op}")
        count = 1 if dim.op in UNARY else 2
        operands = [arg for arg in dim.args if not isinstance(arg, str)]
        if len(dim.args) != count or len(operands) != count:
            self._refuse(f"an operation must have as many dims as it takes, {count}: {dim}")
        self._numbers(operands)

    def _source(self, dim: Expr) -> None:
        kinds = [str, int] if dim.op in ("shape", "stride") else [str]
        if list(map(type, dim.args)) != kinds:
            self._refuse(f"a source must name a buffer, and a dimension if it has one: {dim}")
        source = self._named(str(dim.args[0]))
        is_read = dim.op == "read"
        if not isinstance(source, Temp if is_read else Input | State):
            self._refuse(f"a dim must be read from an input, a state or a step: {dim}")
        if dim.op in ("shape", "stride"):
            if not 0 <= int(str(dim.args[1])) < source.type.ndim:
                self._refuse(f"a dim must name a dimension of {source.name}: {dim}")
        elif source.type.ndim != 0 or source.type.dtype not in dtypes.DISCRETE:
            self._refuse(f"a dim must be read from an integer: {source.name} is {source.type}")

    # Steps

    def steps(self) -> None:
        """Check the steps in their order, and that they write everything there is to write."""
        for position, step in enumerate(self.plan.steps):
            self._step(f"step {position} ({step.op})", position, step)
        for buffer in self.plan.buffers:
            if isinstance(buffer, Temp | Reshaped) and buffer.name not in self.written:
                self._refuse(f"{buffer.name} must be written by a step: none does")

    def _step(self, label: str, position: int, step: Step) -> None:
        if step.op not in OPS:
            self._refuse(f"{label} must name an op")
        self._dims(step.dims)
        self._sizes(label, sizes_read(step.dims))
        for number, name in enumerate(step.inputs):
            self._read(label, name, (*step.guards, *_choice(step, number)))
        for number, (name, _) in enumerate(step.guards):
            type_ = self._named(name).type
            if type_.ndim != 0 or type_.dtype != "bool":
                self._refuse(f"{label} must be guarded by boolean scalars: {name} is {type_}")
            self._read(label, name, step.guards[:number])
        for name in step.outputs:
            buffer = self._named(name)
            if not isinstance(buffer, Reshaped if step.op == "reshape" else Temp):
                self._refuse(f"{label} must write temporaries, or as reshape a reshaped: {name}")
            if name in self.written:
                self._refuse(f"{label} writes {name}, which step {self.written[name]} wrote")
            self._sizes(label, sizes_read(buffer.shape))
        self._types(label, step)
        self.written.update(dict.fromkeys(step.outputs, position))
        self.guards.update(dict.fromkeys(step.outputs, step.guards))

    def _definer(self, name: str) -> Buffer:
        """Return the buffer on which a name is a window, or itself."""
        buffer = self._named(name)
        while isinstance(buffer, View):
            buffer = self._named(buffer.base)
        return buffer

    def _read(self, label: str, name: str, allowed: Guards) -> None:
        """Check that a name can be read under some conditions by now."""
        buffer = self._definer(name)
        if isinstance(buffer, Temp | Reshaped) and buffer.name not in self.written:
            self._refuse(f"{label} reads {name} before it is written")
        for guard in self.guards.get(buffer.name, ()):
            if guard not in allowed:
                self._refuse(f"{label} must stand under the conditions of what it reads: {name}")
        self._sizes(label, self.needed[name])

    def _sizes(self, label: str, names: Iterable[str]) -> None:
        for name in sorted(names):
            if name not in self.written:
                self._refuse(f"{label} needs the size {name} before it is written")
            if self.guards[name]:
                self._refuse(f"a size must be written under no conditions: {name}")

    def _types(self, label: str, step: Step) -> None:
        if step.op == "reshape":
            if step.host or [self._base(name) for name in step.outputs] != list(step.inputs):
                self._refuse(f"{label} must go from a base to its reshape")
            return
        call = self.plan.call(step)
        body = body_of(step.params)
        if body is not None:
            self._body(label, body)
        try:
            _check_program(step, call)
            expected = list(step.record.infer(step.params, call.input_types))
            # What a device has kernels for is told when a plan is loaded.
            runs = step.host or (
                step.record.kernel is not None and (step.device or step.record.supports(call))
            )
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            self._refuse(f"{label} is given operands or parameters of wrong types: {error}")
        if not runs:
            self._refuse(f"{label} has no kernel for its operands: it must run on the host")
        found = [(item.dtype, item.ndim) for item in call.output_types]
        if found != [(item.dtype, item.ndim) for item in expected]:
            self._refuse(f"{label} must write {expected}: {list(call.output_types)}")

    def _body(self, label: str, body: Plan) -> None:
        """Check a plan that a step runs: it computes outputs from inputs, and nothing else."""
        if body.states or body.updates or body.checks or any(step.host for step in body.steps):
            self._refuse(f"{label} must run a plan without states, checks and host steps")
        if any(body_of(step.params) is not None for step in body.steps):
            self._refuse(f"{label} must not run a plan that runs another")
        if any(getattr(item, "device", False) for item in (*body.buffers, *body.steps)):
            self._refuse(f"{label} must run a plan for the host")
        if sizes_read(body.dims()):
            self._refuse(f"{label} must run a plan whose sizes follow from its inputs")
        verify(body)

    def _base(self, name: str) -> str:
        buffer = self.plan.buffer(name)
        return buffer.base if isinstance(buffer, Reshaped) else ""

    # Memory

    def storage(self) -> None:
        """Check what overwrites what."""
        takers: dict[str, str] = {}
        readers = self._readers()
        for buffer in self.plan.buffers:
            if not isinstance(buffer, Temp) or buffer.storage is None:
                continue
            owner = self.plan.buffer(buffer.storage)
            if owner.name in takers:
                self._refuse(f"{buffer.name} and {takers[owner.name]} both take {owner.name}")
            takers[owner.name] = buffer.name
            same = owner.type.dtype == buffer.type.dtype and owner.shape == buffer.shape
            if not isinstance(owner, Temp | State) or not same:
                self._refuse(f"{buffer.name} cannot take the memory of {owner.name}")
            self._dead(buffer, owner, readers.get(owner.name, []))
            if isinstance(owner, State):
                self._updated(buffer, owner)
            elif owner.name in self.plan.outputs:
                self._refuse(f"{buffer.name} cannot take the memory of the output {owner.name}")
            elif self.written[owner.name] >= self.written[buffer.name]:
                self._refuse(
                    f"{buffer.name} must be written after {owner.name}, whose memory it is"
                )
        self._committed([taker for owner, taker in takers.items() if self._is_state(owner)])

    def _is_state(self, name: str) -> bool:
        return isinstance(self.plan.buffer(name), State)

    def _readers(self) -> dict[str, list[tuple[int, str]]]:
        """Return which steps read a buffer, and by what name; updates read last."""
        result: dict[str, list[tuple[int, str]]] = {}
        for position, step in enumerate(self.plan.steps):
            for name in (*step.inputs, *(flag for flag, _ in step.guards)):
                result.setdefault(self.plan.content(name).name, []).append((position, name))
        for _, value in self.plan.updates:
            content = self.plan.content(self._named(value).name).name
            result.setdefault(content, []).append((len(self.plan.steps), value))
        return result

    def _dead(self, buffer: Temp, owner: Buffer, readers: Sequence[tuple[int, str]]) -> None:
        """Check that nobody reads the owner once the buffer is written into its memory."""
        position = self.written[buffer.name]
        step = self.plan.steps[position]
        if not may_overwrite(self.plan, step, owner.name, buffer.name):
            self._refuse(f"step {position} reads {owner.name}, which {buffer.name} overwrites")
        for later, name in readers:
            if later > position:
                who = f"step {later}" if later < len(self.plan.steps) else "an update"
                self._refuse(f"{who} reads {name}, which {buffer.name} has overwritten")

    def _updated(self, buffer: Temp, owner: State) -> None:
        """Check that a state is written by its update, whatever branch is taken."""
        if (owner.name, buffer.name) not in self.plan.updates:
            self._refuse(f"{buffer.name} must be the update of {owner.name}, whose memory it takes")
        position = self.written[buffer.name]
        if self.plan.steps[position].guards:
            self._refuse(f"step {position} must write {owner.name} under no conditions")

    def _committed(self, values: Sequence[str]) -> None:
        """Check that nothing can fail from the first step on that writes into a state."""
        if not values:
            return
        first = min(values, key=self.written.__getitem__)
        for later in range(self.written[first], len(self.plan.steps)):
            step = self.plan.steps[later]
            if step.host or step.op not in COMMITTING:
                self._refuse(f"step {later} may fail after {first} was written")
        for name in sorted(sizes_read(self.plan.dims())):
            if self.written[name] >= self.written[first]:
                self._refuse(f"the size {name} must be known before {first} is written")

    # Results

    def results(self) -> None:
        """Check outputs and updates."""
        if len(set(self.plan.outputs)) != len(self.plan.outputs):
            self._refuse(f"outputs must be different buffers: {self.plan.outputs}")
        for name in self.plan.outputs:
            buffer = self._named(name)
            if not isinstance(buffer, Temp) or buffer.storage is not None:
                self._refuse(f"the output {name} must have memory of its own")
            self._read("an output", name, ())
        targets = [state for state, _ in self.plan.updates]
        if len(set(targets)) != len(targets):
            self._refuse(f"a state must be updated once: {targets}")
        for state, value in self.plan.updates:
            target, source = self._named(state), self._named(value)
            if not isinstance(target, State):
                self._refuse(f"only states can be updated: {state}")
            if (target.type.dtype, target.type.ndim) != (source.type.dtype, source.type.ndim):
                self._refuse(f"{state} cannot take a value of the type of {value}")
            if self.plan.content(value).name in targets:
                self._refuse(f"{state} cannot take {value}, which lies in a state that is updated")
            self._read("an update", value, ())


def _choice(step: Step, number: int) -> Guards:
    """Return the condition under which an operand of ``ifelse`` is read."""
    is_branch = step.op == ops.ifelse_op.name and number > 0
    return ((step.inputs[0], number == 1),) if is_branch else ()


def _check_program(step: Step, call: Call) -> None:
    """Raise unless the instructions of an elementwise program fit each other and their operands."""
    program = step.params.get("program")
    if not isinstance(program, Program):
        return
    if program.input_dtypes != tuple(type_.dtype for type_ in call.input_types):
        raise TypeError(f"the program reads {program.input_dtypes}")
    count = len(program.input_dtypes)
    for register, item in enumerate(program.instructions, count):
        if not all(0 <= source < register for source in item.sources):
            raise ValueError(f"r{register} must be computed from registers before it")
        found = tuple(map(program.dtype_of, item.sources))
        op = op_named(item.op)
        if not isinstance(op, ops.ElementwiseOp) or op.rule(found) != (found, item.dtype):
            raise TypeError(f"r{register} cannot be {item.op} of {found} as {item.dtype}")
    for result in program.results:
        if not 0 <= result.register < count + len(program.instructions):
            raise ValueError(f"a result must be a register: {result.register}")
        if result.reduction and op_named(result.reduction) not in ops.REDUCTIONS:
            raise ValueError(f"a result must be reduced by a reduction: {result.reduction}")
