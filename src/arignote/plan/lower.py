"""From a rewritten graph to a plan."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from keyword import iskeyword

from arignote import ops
from arignote.graph import walk
from arignote.graph.dim import Expr, Shape, contiguous_strides
from arignote.graph.op import SUM, Call, Params, Strided
from arignote.graph.variable import Apply, Constant, SharedVariable, Variable
from arignote.plan.by_rows import by_rows_op, by_rows_params
from arignote.plan.device_steps import Device
from arignote.plan.devices import place_on_device
from arignote.plan.exponentials import share_exponentials
from arignote.plan.guards import Guards, after_conditions, node_guards
from arignote.plan.half_scores import take_half_scores
from arignote.plan.memory import place
from arignote.plan.needs import needed_nodes, values_read
from arignote.plan.pair import pair_likelihoods
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
from arignote.plan.row_blocks import RowBlock, find_row_blocks
from arignote.plan.shapes import Shapes
from arignote.rewrite.fuse import ProgramWriter, Unit, group


@dataclass(frozen=True)
class Choices:
    """What lowering may do.

    Attributes
    ----------
    fusing
        Whether elementwise ops are joined to programs, and likelihoods to their gradients.
    by_rows
        Whether products and what follows from them run row block by row block.
    overwriting
        Whether results may take the memory of others.
    device
        What runs the steps that it supports, if it is not the CPU alone.
    tf32
        Whether its products of float32 may be in TF32.
    on_device
        The shared variables that lie there.
    """

    fusing: bool = True
    by_rows: bool = True
    overwriting: bool = True
    device: Device | None = None
    tf32: bool = False
    on_device: Collection[SharedVariable] = ()


class _Names:
    """Hands out buffer names: a variable's own where it is a free identifier of ASCII letters."""

    def __init__(self) -> None:
        self.taken: set[str] = set()
        self.counts: dict[str, int] = {}

    def give(self, wanted: str | None, prefix: str) -> str:
        name = re.sub(r"\W", "_", wanted, flags=re.ASCII) if wanted else ""
        if not name.isidentifier() or iskeyword(name) or name in self.taken:
            while True:
                number = self.counts.get(prefix, 0)
                self.counts[prefix] = number + 1
                name = f"{prefix}{number}"
                if name not in self.taken:
                    break
        self.taken.add(name)
        return name


class _Lowering:
    """One graph on its way to a plan."""

    def __init__(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        updates: Sequence[tuple[SharedVariable, Variable]],
    ) -> None:
        self.names = _Names()
        self.buffers: dict[str, Buffer] = {}
        self.steps: list[Step] = []
        self.buffer_of: dict[Variable, str] = {}
        self.layouts: dict[str, tuple[str, Strided]] = {}
        values = [value for _, value in updates]
        self.updates = updates
        self.outputs = [*outputs, *values]
        self.states = list(
            dict.fromkeys([*walk.shared_inputs(self.outputs), *(state for state, _ in updates)])
        )
        leaves = {item: self.names.give(item.name, "x") for item in inputs}
        leaves |= {item: self.names.give(item.name, "s") for item in self.states}
        self.shapes = Shapes(leaves)
        for kind, items in ((Input, inputs), (State, self.states)):
            for item in items:
                name = leaves[item]
                shape = self.shapes.shape_of(item)
                self._define(item, kind(name, item.type, shape), self._leaf_strides(name, shape))

    # Buffers

    @staticmethod
    def _leaf_strides(name: str, shape: Shape) -> Strided:
        strides = tuple(Expr("stride", (name, axis)) for axis in range(len(shape)))
        return Strided(0, shape, strides)

    def _define(self, variable: Variable, buffer: Buffer, layout: Strided | None = None) -> str:
        if layout is None:
            strides = contiguous_strides(buffer.shape, buffer.type.numpy_dtype.itemsize)
            layout = Strided(0, buffer.shape, strides)
        self.buffers[buffer.name] = buffer
        base = buffer.base if isinstance(buffer, View) else buffer.name
        self.layouts[buffer.name] = (base, layout)
        self.buffer_of[variable] = buffer.name
        return buffer.name

    def read(self, variable: Variable) -> str:
        """Return the buffer a step reads a variable from."""
        if variable not in self.buffer_of:
            assert isinstance(variable, Constant), variable
            name = self.names.give(variable.name, "c")
            self._define(variable, Const(name, variable.type, variable.data))
        return self.buffer_of[variable]

    def _temp(self, variable: Variable) -> str:
        name = self.shapes.reads.get(variable) or self.names.give(variable.name, "t")
        return self._define(variable, Temp(name, variable.type, self.shapes.shape_of(variable)))

    # Units

    def run(self, choices: Choices, notes: list[str] | None) -> None:
        dependencies = needed_nodes(self.outputs, self.shapes)
        self.names.taken.update(self.shapes.reads.values())
        wanted = [*self.outputs, *self.shapes.reads]
        conditions = node_guards(list(dependencies), wanted)
        blocks: list[RowBlock] = []
        if choices.by_rows:
            blocks = find_row_blocks(
                dependencies, wanted, conditions, notes, partial(_suits, choices.device)
            )
        block_nodes = [block.nodes for block in blocks]
        units = group(
            dependencies, choices.fusing, conditions, block_nodes, self.updates, self.shapes.reads
        )
        block_of = {block.nodes[0]: block for block in blocks}
        exported = _exported(self.outputs, self.shapes.reads, units)
        for unit in after_conditions(units, conditions):
            guards = conditions.get(unit.nodes[0], ())
            if unit.nodes[0] in block_of:
                self._by_rows(block_of[unit.nodes[0]], exported, choices)
            elif unit.pattern is not None:
                self._program(unit, exported, guards)
            else:
                self._node(unit.nodes[0], guards)

    def _program(self, unit: Unit, exported: set[Variable], guards: Guards) -> None:
        writer = ProgramWriter(unit)
        wanted = [o for node in unit.nodes for o in node.outputs if o in exported]
        params = Params({"program": writer.program(wanted)})
        inputs = tuple(self.read(item) for item in writer.inputs)
        outputs = tuple(map(self._temp, wanted))
        self._step(Step(ops.program_op.name, params, inputs, outputs), unit.nodes[-1], guards)

    def _by_rows(self, block: RowBlock, exported: set[Variable], choices: Choices) -> None:
        wanted = [o for node in block.nodes for o in node.outputs if o in exported]
        params = _rows_params(block, wanted, choices)
        reads = tuple(map(self.read, block.inputs()))
        outputs = tuple(map(self._temp, wanted))
        self._step(Step(by_rows_op.name, params, reads, outputs), block.nodes[0], ())

    def _step(self, step: Step, node: Apply, guards: Guards) -> None:
        conditions = tuple((self.read(flag), taken) for flag, taken in guards)
        self.steps.append(replace(step, guards=conditions, origin=node.origin))

    def _node(self, node: Apply, guards: Guards) -> None:
        op = node.op
        if op.view is not None:
            self._view(node)
        elif op is ops.shape_i:
            output = node.outputs[0]
            name = self.names.give(output.name, "n")
            self._define(output, Scalar(name, output.type, self.shapes.value(output)))
        elif op is ops.reshape_op:
            self._reshape(node, guards)
        else:
            self._plain(node, guards)
        size = self.shapes.reads.get(node.outputs[0])
        if size is not None and size not in self.buffers:
            # Sizes are read from what steps write: a window on an argument is copied.
            self._copy(node.outputs[0], self.read(node.outputs[0]), size)

    def _plain(self, node: Apply, guards: Guards) -> None:
        op = node.op
        reads = tuple(
            self._dim_operand(item) if position in op.shape_only else self.read(item)
            for position, item in enumerate(node.inputs)
        )
        step = Step(
            op.name,
            node.params,
            reads,
            tuple(map(self._temp, node.outputs)),
            dims=self.shapes.dims_of(node),
            host=op.kernel is None or not op.supports(Call.of(node)),
        )
        self._step(step, node, guards)

    def _dim_operand(self, variable: Variable) -> str:
        """Return a buffer with an integer scalar that the op knows as a dim."""
        if variable in self.buffer_of or isinstance(variable, Constant):
            return self.read(variable)
        name = self.names.give(None, "n")
        value = self.shapes.value(variable)
        return self._define(variable, Scalar(name, variable.type, value))

    def _view(self, node: Apply) -> None:
        op, output = node.op, node.outputs[0]
        assert op.view is not None
        source = self.read(node.inputs[0])
        base, layout = self.layouts[source]
        shapes = [self.shapes.shape_of(item) for item in node.inputs]
        with self.shapes.asked_by(node):
            window = op.view(self.shapes, node, layout, shapes)
        if window == layout and self.buffers[source].type.ndim == output.ndim:
            self.buffer_of[output] = source
            return
        name = self.names.give(output.name, "v")
        view = View(
            name, output.type, base, window.offset, self.shapes.shape_of(output), window.strides
        )
        self._define(output, view, replace(window, shape=view.shape))

    def _reshape(self, node: Apply, guards: Guards) -> None:
        output = node.outputs[0]
        source = self.read(node.inputs[0])
        name = self.names.give(output.name, "r")
        shape = self.shapes.shape_of(output)
        self._define(output, Reshaped(name, output.type, source, shape))
        self._step(Step(node.op.name, Params({}), (source,), (name,)), node, guards)

    def canonical(self, buffer: Buffer) -> Buffer:
        """Return a buffer with its shape in terms of the dims that equal ones are written as."""
        if isinstance(buffer, Const | Scalar):
            return buffer
        return replace(buffer, shape=self.shapes.canonical_shape(buffer.shape))

    def result(self, variable: Variable, taken: set[str]) -> str:
        """Return a buffer of its own for an output."""
        name = self.read(variable)
        fresh = isinstance(self.buffers[name], Temp) and name not in taken
        return name if fresh else self._copy(variable, name)

    def new_value(self, variable: Variable) -> str:
        """Return the buffer that a state takes: never one that lies in a state itself."""
        name = self.read(variable)
        buffer = self.buffers[name]
        while isinstance(buffer, View | Reshaped):
            buffer = self.buffers[buffer.base]
        return self._copy(variable, name) if isinstance(buffer, State) else name

    def _copy(self, variable: Variable, name: str, copied: str = "") -> str:
        copied = copied or self.names.give(None, "t")
        self.buffers[copied] = Temp(copied, variable.type, self.buffers[name].shape)
        step = Step(ops.copy_op.name, Params({}), (name,), (copied,), origin=variable.origin)
        self.steps.append(step)
        return copied


def _rows_params(block: RowBlock, wanted: Sequence[Variable], choices: Choices) -> Params:
    """Return the parameters of the step that a row block becomes, for its results."""
    inputs = block.inputs()
    leaves = [Variable(item.type, name=item.name) for item in inputs]
    results = walk.replace(wanted, dict(zip(inputs, leaves, strict=True)))
    body, _ = lower(leaves, results, (), "rows", replace(choices, by_rows=False, device=None))
    return by_rows_params(
        # What the body would check, the plan around it checks before its first step.
        replace(body, checks=()),
        [block.axes[item] for item in inputs],
        [block.axes[item] == SUM for item in wanted],
    )


def _suits(device: Device | None, block: RowBlock) -> bool:
    """Return whether the device, if there is one, can run all of a row block."""
    if device is None:
        return True
    wanted = [o for node in block.nodes if node.op.view is None for o in node.outputs]
    inputs, outputs = (tuple(v.type for v in part) for part in (block.inputs(), wanted))
    params = _rows_params(block, wanted, Choices())
    return device.supports(Call(params, inputs, outputs), by_rows_op)


def _exported(
    outputs: Iterable[Variable], reads: Mapping[Variable, str], units: Sequence[Unit]
) -> set[Variable]:
    """Return the variables that something outside their unit reads."""
    result = {*outputs, *reads}
    for unit in units:
        inside = set(unit.nodes)
        read = (item for node in unit.nodes for item in values_read(node))
        result.update(item for item in read if item.owner not in inside)
    return result


def lower(
    inputs: Sequence[Variable],
    outputs: Sequence[Variable],
    updates: Sequence[tuple[SharedVariable, Variable]],
    name: str = "function",
    choices: Choices = Choices(),
    notes: list[str] | None = None,
) -> tuple[Plan, list[SharedVariable]]:
    """Return the plan of a graph, and the shared variables in the order of the plan's states.

    Parameters
    ----------
    inputs
        The arguments of a call.
    outputs
        Rewritten variables to return.
    updates
        Shared variables with the rewritten variables that become their values.
    name
        Of the plan.
    choices
        What lowering may do.
    notes
        Takes sentences about what it did.
    """
    if choices.fusing:
        shared = share_exponentials([*outputs, *(value for _, value in updates)])
        joined = take_half_scores(pair_likelihoods(shared))
        outputs = joined[: len(outputs)]
        updates = [(s, v) for (s, _), v in zip(updates, joined[len(outputs) :], strict=True)]
    lowering = _Lowering(inputs, outputs, updates)
    lowering.run(choices, notes)
    results: list[str] = []
    for output in outputs:
        results.append(lowering.result(output, set(results)))
    values = [lowering.new_value(value) for _, value in updates]
    plan = Plan(
        name,
        tuple(map(lowering.canonical, lowering.buffers.values())),
        tuple(lowering.shapes.checks),
        tuple(lowering.steps),
        tuple(results),
        tuple(
            (lowering.buffer_of[state], value)
            for (state, _), value in zip(updates, values, strict=True)
        ),
    )
    if choices.device is not None:
        there = [
            lowering.buffer_of[state] for state in lowering.states if state in choices.on_device
        ]
        plan = place_on_device(plan, choices.device, there, choices.tf32)
    return place(plan) if choices.overwriting else plan, lowering.states
