"""The one place that decides what overwrites what.

A temporary may take the memory of an operand that dies at its step, where the op's record permits
it. An update is written straight into its state if nothing reads the old value later and nothing
can fail any more; otherwise the new value is kept aside and copied at the end. All updates of a
call thus see the old values, and a call that fails changes none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from arignote import ops
from arignote.ops.program import Program
from arignote.plan.plan import Plan, Reshaped, State, Step, Temp, View, sizes_read

# Steps that cannot fail, and so may write states in place.
COMMITTING = (ops.program_op.name, ops.copy_op.name)


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
    read = [name for name in step.inputs if plan.content(name).name == source]
    permitted = step.op == ops.copy_op.name or (output, source) in _permitted(step)
    return not read or (read == [source] and permitted and not step.host)


# --- updates


def _commit(plan: Plan) -> tuple[dict[str, str], tuple[Step, ...]]:
    """Return which temporaries are written into states, and the steps in their final order."""
    producer = {name: step for step in plan.steps for name in step.outputs}
    targets: dict[str, str] = {}
    for state, value in plan.updates:
        step = producer.get(value)
        if step is not None and value not in targets and _may_write(plan, step, state, value):
            targets[value] = state
    # A step moves to the end only as a whole: every other output of it must be free to move too.
    late = [step for step in plan.steps if any(name in targets for name in step.outputs)]
    late, last = _order_writes(plan, _free_to_move(plan, late), targets)
    moved = {id(step) for step in late}
    kept = {name for step in late for name in step.outputs}
    early = [step for step in plan.steps if id(step) not in moved]
    return (
        {name: state for name, state in targets.items() if name in kept and name not in last},
        (*early, *late),
    )


def _may_write(plan: Plan, step: Step, state: str, value: str) -> bool:
    buffer, target = plan.buffer(value), plan.buffer(state)
    return (
        isinstance(buffer, Temp)
        and isinstance(target, State)
        and step.op in COMMITTING
        and not step.host
        and not step.guards
        and value not in plan.outputs
        and buffer.type.dtype == target.type.dtype
        and buffer.shape == target.shape
        and _reads_elementwise(plan, step, state, value)
    )


def _reads_elementwise(plan: Plan, step: Step, state: str, value: str) -> bool:
    """Return whether a step reads a state only as a whole, element for element, if at all."""
    read = [name for name in step.inputs if plan.root(name).name == state]
    return not read or (set(read) == {state} and value not in _reduced(step))


def _free_to_move(plan: Plan, steps: Sequence[Step]) -> list[Step]:
    """Return those of whose outputs no other step reads one, and no size or window is made."""
    readers: dict[str, list[Step]] = {}
    for step in plan.steps:
        for name in roots_read(plan, step):
            readers.setdefault(name, []).append(step)
    windows = (item.name for item in plan.buffers if isinstance(item, View | Reshaped))
    needed = sizes_read(plan.dims()) | {plan.root(name).name for name in windows}
    return [
        step
        for step in steps
        if needed.isdisjoint(step.outputs)
        and all(reader is step for name in step.outputs for reader in readers.get(name, ()))
    ]


def _order_writes(
    plan: Plan, late: list[Step], targets: dict[str, str]
) -> tuple[list[Step], set[str]]:
    """Return the writing steps so that each state is read before it is written.

    Where they wait for each other in a circle, as in a swap, the values named second are kept
    aside.
    """
    aside: set[str] = set()
    remaining, ordered = list(late), []
    reads = {id(step): roots_read(plan, step) for step in late}
    while remaining:
        for step in remaining:
            written = {targets[name] for name in step.outputs if name in targets} - aside
            others = [other for other in remaining if other is not step]
            if all(written.isdisjoint(reads[id(other)]) for other in others):
                break
        else:
            step = remaining[0]
            aside.update(name for name in step.outputs if name in targets)
        ordered.append(step)
        remaining.remove(step)
    return ordered, aside


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
            if source in given or not may_overwrite(plan, step, source, output):
                continue
            if _dies(plan, source, output, position, last_use):
                storage[output] = source
                given.add(source)
    return storage


def _permitted(step: Step) -> list[tuple[str, str]]:
    """Return the pairs (output, input) of a step that may share memory."""
    if step.op == ops.program_op.name:
        whole = [output for output in step.outputs if output not in _reduced(step)]
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
