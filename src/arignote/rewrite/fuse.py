"""Fusion: chains of elementwise ops and the reductions at their ends become one program each.

Nodes of one shape that feed each other are put in one group, as long as nothing outside a group
both depends on it and feeds it. Each group becomes a program node, which reads every operand once.
So that a state is read once too, its sums (the weight decay of a cost) join what updates it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from arignote import ops
from arignote.graph import dtypes, walk
from arignote.graph.variable import Apply, SharedVariable, Variable

# Larger programs would only grow the number of live registers.
MOST_INSTRUCTIONS = 128

# What bounds the time that one node takes in large graphs: the units visited in search of a path,
# the groups of scalars that a scalar may join, and the units that may follow from a state's sum.
# Fewer groups are fused beyond.
_MOST_VISITS = 256
_MOST_SCALARS = 16
_MOST_FOLLOWERS = 16


@dataclass(eq=False)
class Unit:
    """A group of nodes to fuse, or a single other node.

    Attributes
    ----------
    inputs, readers
        The units that this one depends on, and those that depend on it; in an order, as sets
        have none.
    number
        In the order of the graph.
    level
        Above that of every input.
    """

    nodes: list[Apply]
    pattern: tuple[bool, ...] | None
    axes: tuple[int, ...] | None = None
    inputs: dict[Unit, None] = field(default_factory=dict)
    readers: dict[Unit, None] = field(default_factory=dict)
    number: int = 0
    level: int = 0

    def needs(self) -> list[Unit]:
        """Return the units that this one depends on, in the order of the graph."""
        return sorted(self.inputs, key=lambda unit: unit.number)


def iterated_pattern(node: Apply) -> tuple[bool, ...] | None:
    """Return the broadcast pattern a node iterates over, None if it cannot be fused."""
    if isinstance(node.op, ops.ElementwiseOp):
        output = node.outputs[0]
        reads = all(item.dtype in dtypes.REAL for item in node.inputs)
        native = ops.call_is_native(node.op, ops.computed_dtypes(node), output.dtype)
        return output.broadcastable if reads and native else None
    if node.op in ops.REDUCTIONS and node.inputs[0].dtype in dtypes.NATIVE:
        return node.inputs[0].broadcastable
    return None


def _scalars_for_passes(dependencies: Mapping[Apply, Collection[Apply]]) -> set[Apply]:
    """Return the scalars that wait for no pass over more than scalars, and that such a pass reads.

    Those that such a scalar follows from are among them.
    """
    early: set[Apply] = set()
    pending: list[Apply] = []
    for node, needed in dependencies.items():
        is_scalar = node.op is ops.shape_i or iterated_pattern(node) == ()
        if is_scalar and early.issuperset(needed):
            early.add(node)
        elif not is_scalar:
            pending += early.intersection(needed)
    read: set[Apply] = set()
    while pending:
        node = pending.pop()
        if node not in read:
            read.add(node)
            pending += early.intersection(dependencies[node])
    return read


class _Grouping:
    """The units of a graph, grown node by node in topological order."""

    def __init__(
        self,
        dependencies: Mapping[Apply, Collection[Apply]],
        fusing: bool,
        labels: Mapping[Apply, object],
        blocks: Sequence[Sequence[Apply]],
    ) -> None:
        self.fusing = fusing
        self.labels = labels
        self.early = _scalars_for_passes(dependencies)
        self.unit_of: dict[Apply, Unit] = {}
        self.units: dict[Unit, None] = {}
        self.open_scalars: dict[Unit, None] = {}
        for nodes, needed in _in_one_piece(dependencies, blocks):
            unit = self._place(nodes, needed)
            if unit.pattern is not None and fusing:
                self._join(nodes[0], unit)

    def _place(self, nodes: Sequence[Apply], needed: Collection[Apply]) -> Unit:
        unit = Unit(list(nodes), None, number=len(self.unit_of))
        if len(nodes) == 1:
            unit.pattern = iterated_pattern(nodes[0])
            unit.axes = nodes[0].params["axis"] if nodes[0].op in ops.REDUCTIONS else None
        unit.inputs = dict.fromkeys(self.unit_of[item] for item in needed)
        for item in unit.inputs:
            item.readers[unit] = None
        _lift(unit)
        self.unit_of.update(dict.fromkeys(nodes, unit))
        self.units[unit] = None
        return unit

    def _join(self, node: Apply, unit: Unit) -> None:
        for other in self._candidates(node, unit):
            if other in self.units and self._fits(unit, other) and _convex(unit, other):
                unit = self._merge(unit, other)
        if unit.pattern == ():
            self.open_scalars[unit] = None
            if len(unit.nodes) == MOST_INSTRUCTIONS or len(self.open_scalars) > _MOST_SCALARS:
                full = len(unit.nodes) == MOST_INSTRUCTIONS
                del self.open_scalars[unit if full else next(iter(self.open_scalars))]

    def _candidates(self, node: Apply, unit: Unit) -> list[Unit]:
        found = []
        for item in node.inputs:
            owner = item.owner
            # The result of a reduction has another shape than its group iterates over.
            if owner in self.unit_of and owner is not None and owner.op not in ops.REDUCTIONS:
                found.append(self.unit_of[owner])
        if unit.pattern == () and unit.axes is None:
            found.extend(self.open_scalars)
        return [other for other in found if other is not unit]

    def _fits(self, unit: Unit, other: Unit) -> bool:
        if unit is other or unit.pattern != other.pattern:
            return False
        if self.labels.get(unit.nodes[0]) != self.labels.get(other.nodes[0]):
            return False
        # With what waits for a pass they would keep those who read them from joining it.
        if (unit.nodes[0] in self.early) != (other.nodes[0] in self.early):
            return False
        if unit.axes is not None and other.axes is not None and unit.axes != other.axes:
            return False
        return len(unit.nodes) + len(other.nodes) <= MOST_INSTRUCTIONS

    def _merge(self, unit: Unit, other: Unit) -> Unit:
        other.nodes.extend(unit.nodes)
        other.axes = other.axes if other.axes is not None else unit.axes
        self.unit_of.update(dict.fromkeys(unit.nodes, other))
        for item in unit.inputs:
            del item.readers[unit]
            item.readers[other] = None
        for item in unit.readers:
            del item.inputs[unit]
            item.inputs[other] = None
        other.inputs.update(unit.inputs)
        other.readers.update(unit.readers)
        for links in (other.inputs, other.readers):
            for item in (unit, other):
                links.pop(item, None)
        del self.units[unit]
        self.open_scalars.pop(unit, None)
        _lift(other)
        return other

    def join_sums(
        self, updates: Sequence[tuple[SharedVariable, Variable]], sizes: Collection[Variable]
    ) -> None:
        """Join sums over all of a state to the program that reads it for its update.

        From the highest level down: what follows from several sums is so lifted once.
        """
        first = {self.unit_of[item.owner] for item in sizes if item.owner in self.unit_of}
        states = {state for state, _ in updates}
        reads: dict[Variable, list[Apply]] = {}
        for node in self.unit_of:
            for item in states.intersection(node.inputs):
                reads.setdefault(item, []).append(node)
        updating = [
            (value.owner, reads.get(state, ()))
            for state, value in updates
            if value.owner in self.unit_of
        ]
        updating.sort(key=lambda item: self.unit_of[item[0]].level, reverse=True)
        for owner, readers in updating:
            if any(self.unit_of[node] is self.unit_of[owner] for node in readers):
                for node in readers:
                    sums, update = self.unit_of[node], self.unit_of[owner]
                    if self._fits(sums, update) and _may_end(sums, first) and _convex(sums, update):
                        # In this order the new value may be written over the old one at once.
                        self._merge(update, sums)

    def ordered(self) -> list[Unit]:
        """Return the units, each after those it depends on."""
        done: dict[Unit, None] = {}
        for start in self.units:
            stack = [start]
            while stack:
                unit = stack[-1]
                pending = [item for item in unit.needs() if item not in done]
                if unit in done or not pending:
                    stack.pop()
                    done.setdefault(unit)
                else:
                    stack.extend(pending)
        return list(done)


def _lift(unit: Unit) -> None:
    """Give a unit and those that depend on it levels above their inputs'."""
    stack = [unit]
    while stack:
        item = stack.pop()
        least = max((source.level + 1 for source in item.inputs), default=0)
        if least > item.level:
            item.level = least
            stack.extend(item.readers)


def _may_end(unit: Unit, first: Collection[Unit]) -> bool:
    """Return whether a unit makes sums over all there is, from which only programs follow, and few.

    They cannot fail, so they may run at the end of a call, where states are written; unless they
    are among those that must come first.
    """
    if not unit.pattern or unit.axes != tuple(range(len(unit.pattern))):
        return False
    seen: set[Unit] = set()
    stack = [unit]
    while stack:
        item = stack.pop()
        if item in seen:
            continue
        is_window = item.nodes[0].op.view is not None
        is_program = item.pattern is not None and item not in first
        if not (is_program or is_window) or len(seen) > _MOST_FOLLOWERS:
            return False
        seen.add(item)
        stack.extend(item.readers)
    return True


def _convex(first: Unit, second: Unit) -> bool:
    """Return whether surely no path leads from one of the two to the other through a third.

    It is looked for from both ends at once: where one leads nowhere, the other need not end.
    """
    low, high = sorted((first, second), key=lambda unit: unit.level)
    up = _reached(low, high, lambda unit: unit.readers)
    down = _reached(high, low, lambda unit: unit.inputs)
    for visits, (above, below) in enumerate(zip(up, down, strict=False)):
        if above is high or below is low or visits == _MOST_VISITS:
            return False
    return True


def _reached(start: Unit, end: Unit, links: Callable[[Unit], Iterable[Unit]]) -> Iterator[Unit]:
    """Yield the units that lead on from a start through a third, on the levels up to an end."""
    least, most = sorted((start.level, end.level))
    seen: set[Unit] = set()
    stack = [item for item in links(start) if item is not end]
    while stack:
        unit = stack.pop()
        if (unit is end or least < unit.level < most) and unit not in seen:
            seen.add(unit)
            yield unit
            stack.extend(links(unit))


def group(
    dependencies: Mapping[Apply, Collection[Apply]],
    fusing: bool = True,
    labels: Mapping[Apply, object] | None = None,
    blocks: Sequence[Sequence[Apply]] = (),
    updates: Sequence[tuple[SharedVariable, Variable]] = (),
    sizes: Collection[Variable] = (),
) -> list[Unit]:
    """Return the nodes in groups to fuse, each group after those it depends on.

    ``dependencies`` gives, for each node in topological order, the nodes that must run before it.
    Without ``fusing`` each node is a group of its own; only nodes of equal labels share one. Each
    of ``blocks`` is a group that nothing joins. ``updates`` pairs states with their new values, and
    ``sizes`` are what lengths are read from.
    """
    grouping = _Grouping(dependencies, fusing, labels or {}, blocks)
    if fusing:
        grouping.join_sums(updates, sizes)
    return grouping.ordered()


def _in_one_piece(
    dependencies: Mapping[Apply, Collection[Apply]], blocks: Sequence[Sequence[Apply]]
) -> Iterator[tuple[Sequence[Apply], list[Apply]]]:
    """Yield nodes in topological order, the nodes of a block at once, each with what it needs."""
    block_of = {node: block for block in blocks for node in block}
    done: set[Apply] = set()
    for start in dependencies:
        stack = [start]
        while stack:
            node = stack[-1]
            if node in done:
                stack.pop()
                continue
            nodes = block_of.get(node, (node,))
            needed = [n for own in nodes for n in dependencies[own] if n not in nodes]
            pending = [item for item in needed if item not in done]
            if pending:
                stack.extend(pending)
                continue
            done.update(nodes)
            yield nodes, needed


class ProgramWriter:
    """Writes the program of one group.

    Attributes
    ----------
    inputs
        The variables that the program reads, in the order of its first registers.
    """

    def __init__(self, unit: Unit) -> None:
        inside = {output for node in unit.nodes for output in node.outputs}
        self.inputs = list(
            dict.fromkeys(item for n in unit.nodes for item in n.inputs if item not in inside)
        )
        self.registers: dict[tuple[Variable, str], int] = {
            (item, item.dtype): position for position, item in enumerate(self.inputs)
        }
        self.instructions: list[ops.Instruction] = []
        self.results: dict[Variable, ops.Result] = {}
        for node in _inside_order(unit.nodes):
            self._write(node)

    def _emit(self, op: str, sources: tuple[int, ...], dtype: str) -> int:
        self.instructions.append(ops.Instruction(op, sources, dtype))
        return len(self.inputs) + len(self.instructions) - 1

    def _register(self, variable: Variable, dtype: str) -> int:
        key = (variable, dtype)
        if key not in self.registers:
            source = self.registers[variable, variable.dtype]
            self.registers[key] = self._emit(f"cast_{dtype}", (source,), dtype)
        return self.registers[key]

    def _write(self, node: Apply) -> None:
        output = node.outputs[0]
        if node.op in ops.REDUCTIONS:
            source = self._register(node.inputs[0], node.inputs[0].dtype)
            self.results[output] = ops.Result(source, node.op.name, node.params["axis"])
            return
        assert isinstance(node.op, ops.ElementwiseOp)
        if node.op.name.startswith("cast_"):
            register = self._register(node.inputs[0], output.dtype)
        else:
            sources = tuple(
                self._register(item, dtype)
                for item, dtype in zip(node.inputs, ops.computed_dtypes(node), strict=True)
            )
            register = self._emit(node.op.name, sources, output.dtype)
        self.registers[output, output.dtype] = register
        self.results[output] = ops.Result(register)

    def program(self, wanted: Sequence[Variable]) -> ops.Program:
        """Return the program whose results are the wanted variables."""
        return ops.Program(
            tuple(item.dtype for item in self.inputs),
            tuple(self.instructions),
            tuple(self.results[item] for item in wanted),
        )


def _inside_order(nodes: Sequence[Apply]) -> list[Apply]:
    inside = {output for node in nodes for output in node.outputs}
    outputs = [output for node in nodes for output in node.outputs]
    order = walk.toposort(outputs, stop=lambda variable: variable not in inside)
    return [node for node in order if node.outputs[0] in inside]
