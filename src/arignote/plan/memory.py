"""The one place that decides what overwrites what.

A temporary may take the memory of an operand that dies at its step, where the op's record permits
it. An update is written straight into its state if nothing reads the old value later and nothing
can fail any more; otherwise the new value is kept aside and copied at the end. All updates of a
call thus see the old values, and a call that fails changes none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from heapq import heappop, heappush

from arignote import ops
from arignote.ops.program import Program
from arignote.plan.plan import Plan, State, Step, Temp, View, sizes_read

# Steps that cannot fail, and so may stand where states are written. What fails on a device, or with
# it, leaves nothing behind it but steps that write nothing.
COMMITTING = (
    ops.program_op.name,
    ops.copy_op.name,
    ops.to_device_op.name,
    ops.to_host_op.name,
)


def place(plan: Plan) -> Plan:
    """Return the plan with storage assigned and the steps that write states at its end."""
    in_place, ordered = _commit(plan)
    placed = replace(plan, steps=ordered)
    storage = in_place | _reuse(placed, set(in_place))
    buffers = tuple(
        replace(buffer, storage=storage[buffer.name])
        if isinstance(buffer, Temp) and buffer.name in storage
        else buffer
        for buffer in placed.buffers
    )
    return replace(placed, buffers=buffers)


def roots_read(plan: Plan, step: Step) -> set[str]:
    """Return the buffers whose memory a step reads, its guards included."""
    names = (*step.inputs, *(flag for flag, _ in step.guards))
    return {plan.root(name).name for name in names}


def may_overwrite(plan: Plan, step: Step, source: str, output: str) -> bool:
    """Return whether a step may write an output over a buffer, for all that it reads of it.

    It may if it reads it only once, as a whole, and its op permits it.
    """
    read = _readings(plan, step, source)
    permitted = step.op == ops.copy_op.name or (output, source) in _permitted(step)
    return not read or (read == [source] and permitted and not step.host)


def _readings(plan: Plan, step: Step, source: str) -> list[str]:
    """Return the operands of a step that lie in a buffer: its own name is all of it."""
    return [name for name in step.inputs if plan.content(name).name == source]


# --- updates


def _commit(plan: Plan) -> tuple[dict[str, str], tuple[Step, ...]]:
    """Return which temporaries are written into states, and the steps in their final order."""
    producer = {name: step for step in plan.steps for name in step.outputs}
    targets: dict[str, str] = {}
    for state, value in plan.updates:
        step = producer.get(value)
        if step is not None and value not in targets and _may_write(plan, step, state, value):
            targets[value] = state
    late, in_place = _free_to_move(plan, targets)
    late, aside = _order_writes(plan, late, in_place)
    moved = {id(step) for step in late}
    early = [step for step in plan.steps if id(step) not in moved]
    return (
        {name: state for name, state in in_place.items() if name not in aside},
        (*early, *late),
    )


def _may_write(plan: Plan, step: Step, state: str, value: str) -> bool:
    buffer, target = plan.buffer(value), plan.buffer(state)
    return (
        isinstance(buffer, Temp)
        and isinstance(target, State)
        and step.op in (ops.program_op.name, ops.copy_op.name)
        and not step.host
        and not step.guards
        and value not in plan.outputs
        and buffer.device == target.device
        and buffer.type.dtype == target.type.dtype
        and buffer.shape == target.shape
        and _reads_elementwise(plan, step, state, value)
    )


def _reads_elementwise(plan: Plan, step: Step, state: str, value: str) -> bool:
    """Return whether a step reads a state only as a whole, element for element, if at all."""
    read = [name for name in step.inputs if plan.root(name).name == state]
    return not read or (set(read) == {state} and value not in _reduced(step))


def _free_to_move(plan: Plan, targets: dict[str, str]) -> tuple[list[Step], dict[str, str]]:
    """Return the steps that move to the end, and which of the targets they write.

    Those that bring a result from the device are among them: the host waits in them.
    A step that writes states moves as a whole, with all that follows from what else it makes: none
    of that may fail, nor may a size be read from it. Of its new values there are neither readers
    nor windows.
    """
    readers: dict[str, list[Step]] = {}
    for step in plan.steps:
        for name in roots_read(plan, step):
            readers.setdefault(name, []).append(step)
    sizes = sizes_read(plan.dims())
    movable: set[int] = set()
    for step in reversed(plan.steps):
        followers = (reader for name in step.outputs for reader in readers.get(name, ()))
        if (
            step.op in COMMITTING
            and not step.host
            and sizes.isdisjoint(step.outputs)
            and all(id(reader) in movable for reader in followers)
        ):
            movable.add(id(step))
    windows = {plan.root(item.name).name for item in plan.buffers if isinstance(item, View)}
    late: dict[int, Step] = {}
    in_place: dict[str, str] = {}
    for step in plan.steps:
        written = [name for name in step.outputs if name in targets]
        is_free = id(step) in movable and not any(n in readers or n in windows for n in written)
        if written and is_free:
            in_place.update((name, targets[name]) for name in written)
            late[id(step)] = step
        elif id(step) in movable and _is_last(step, readers):
            late[id(step)] = step
        if id(step) in late:
            late.update((id(r), r) for name in step.outputs for r in readers.get(name, ()))
    return [step for step in plan.steps if id(step) in late], in_place


def _is_last(step: Step, readers: Mapping[str, Sequence[Step]]) -> bool:
    """Return whether a step only brings results to the host: the device does the rest meanwhile."""
    return step.op == ops.to_host_op.name and not any(name in readers for name in step.outputs)


def _order_writes(
    plan: Plan, late: list[Step], targets: dict[str, str]
) -> tuple[list[Step], set[str]]:
    """Return the last steps so that each follows what it reads and who reads what it overwrites.

    Where those that write wait for each other in a circle, as in a swap, the values named second
    are kept aside.
    """
    inputs, old_readers = _waits(plan, late, targets)
    followers: list[list[int]] = [[] for _ in late]
    for number in range(len(late)):
        for first in inputs[number] | old_readers[number]:
            followers[first].append(number)
    left = dict.fromkeys(range(len(late)))
    ready = [number for number in left if not inputs[number] and not old_readers[number]]
    ordered: list[Step] = []
    aside: set[str] = set()
    while left:
        if ready:
            number = heappop(ready)
        else:
            number = next(number for number in left if not inputs[number])
            aside.update(name for name in late[number].outputs if name in targets)
        del left[number]
        ordered.append(late[number])
        for follower in followers[number]:
            inputs[follower].discard(number)
            old_readers[follower].discard(number)
            if follower in left and not inputs[follower] and not old_readers[follower]:
                heappush(ready, follower)
    return ordered, aside


def _waits(
    plan: Plan, late: list[Step], targets: dict[str, str]
) -> tuple[list[set[int]], list[set[int]]]:
    """Return for each step those that make what it reads, and those that read what it overwrites.

    Steps are numbers in the list.
    """
    producer = {name: number for number, step in enumerate(late) for name in step.outputs}
    reads = [roots_read(plan, step) for step in late]
    readers: dict[str, set[int]] = {}
    for number, names in enumerate(reads):
        for name in names:
            readers.setdefault(name, set()).add(number)
    inputs = [{producer[name] for name in names if name in producer} for names in reads]
    old_readers: list[set[int]] = []
    for number, step in enumerate(late):
        states = [targets[name] for name in step.outputs if name in targets]
        found = {reader for state in states for reader in readers.get(state, ())}
        old_readers.append(found - {number})
    return inputs, old_readers


# --- temporaries


def _reuse(plan: Plan, taken: set[str]) -> dict[str, str]:
    """Return, for temporaries, the dying operand whose memory each takes over."""
    last_use = _last_uses(plan)
    storage: dict[str, str] = {}
    given: set[str] = set()
    for position, step in enumerate(plan.steps):
        if step.host:
            continue
        for output, source in _permitted(step):
            if output in storage or output in taken or output in plan.outputs:
                continue
            if source in given or _readings(plan, step, source) not in ([], [source]):
                continue
            if _dies(plan, source, output, position, last_use):
                storage[output] = source
                given.add(source)
    return storage


def _permitted(step: Step) -> list[tuple[str, str]]:
    """Return the pairs (output, input) of a step that may share memory."""
    if step.op == ops.program_op.name:
        reduced = _reduced(step)
        whole = [output for output in step.outputs if output not in reduced]
        return [(output, source) for output in whole for source in step.inputs]
    return [(step.outputs[o], step.inputs[i]) for o, i in step.record.reuse]


def _reduced(step: Step) -> set[str]:
    """Return the outputs of a step that are reductions, if over no axis."""
    program = step.params.get("program")
    if not isinstance(program, Program):
        return set()
    pairs = zip(step.outputs, program.results, strict=True)
    return {output for output, result in pairs if result.reduction}


def _dies(plan: Plan, source: str, output: str, position: int, last_use: dict[str, int]) -> bool:
    old, new = plan.buffer(source), plan.buffer(output)
    return (
        isinstance(old, Temp)
        and isinstance(new, Temp)
        and source not in plan.outputs
        and last_use[source] == position
        and old.device == new.device
        and old.type.dtype == new.type.dtype
        and old.shape == new.shape
    )


def _last_uses(plan: Plan) -> dict[str, int]:
    """Return the last step that reads each buffer, itself or through views; the end for updates."""
    result: dict[str, int] = {}
    for position, step in enumerate(plan.steps):
        for name in (*step.inputs, *(flag for flag, _ in step.guards)):
            result[plan.root(name).name] = position
    for _, value in plan.updates:
        result[plan.root(value).name] = len(plan.steps)
    return result
