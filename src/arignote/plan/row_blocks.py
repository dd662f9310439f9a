"""Which nodes of a graph run together, row block by row block.

A product of matrices cuts its result into the rows of its first operand. What follows from the
same rows joins it, up to sums over the rows, and so do the steps that make those rows: a block of
rows then goes through all of them while it lies in a cache, and what stands between two of them is
never written to memory as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from arignote import ops
from arignote.graph.op import SUM, Call, Rows
from arignote.graph.variable import Apply, Constant, Variable
from arignote.plan.needs import values_read
from arignote.rewrite.fuse import iterated_pattern

Dependencies = Mapping[Apply, Collection[Apply]]

# In large graphs every product looks so many nodes ahead for its block, and so many times anew.
_REACH = 512
_MOST_ROUNDS = 8


@dataclass(eq=False)
class RowBlock:
    """Nodes that run together, in topological order.

    ``axes`` gives the axis along which each variable that they read or compute is cut, ``None``
    for those that every row needs as a whole, ``SUM`` for sums over the rows. ``apart`` tells of
    nodes that read the rows why they are not in the block.
    """

    nodes: list[Apply] = field(default_factory=list)
    axes: dict[Variable, int | None] = field(default_factory=dict)
    apart: dict[Apply, str] = field(default_factory=dict)

    def products(self) -> int:
        """Return how many matrix products there are."""
        return sum(node.op is ops.dot_op for node in self.nodes)

    def __len__(self) -> int:
        """Return how many of the nodes do more than look at something else."""
        return sum(node.op.view is None for node in self.nodes)

    def inputs(self) -> list[Variable]:
        """Return the variables that the nodes read and do not compute."""
        members = set(self.nodes)
        return [item for item in self.axes if item.owner not in members]

    def __str__(self) -> str:
        lines = [f"{len(self)} nodes run together, row block by row block:"]
        lines += [f"  {node}" for node in self.nodes if node.op.view is None]
        return "\n".join([*lines, *self.hindrances()])

    def hindrances(self) -> list[str]:
        """Return a line for each node that is apart."""
        return [f"  not {node}: {reason}" for node, reason in self.apart.items()]


def find_row_blocks(
    dependencies: Dependencies,
    outputs: Collection[Variable],
    apart: Collection[Apply] = (),
    notes: list[str] | None = None,
    suits: Callable[[RowBlock], bool] = bool,
) -> list[RowBlock]:
    """Return the row blocks of a graph.

    Parameters
    ----------
    dependencies
        For each node in topological order, those that must run before it.
    outputs
        Variables that are needed as a whole when all nodes have run.
    apart
        Nodes that run by themselves.
    notes
        Takes a text for each block, and for each product that is in none.
    suits
        Says whether a block, which has nodes, can run where it is to.
    """
    blocks: list[RowBlock] = []
    taken: set[Apply] = set(apart)
    alone: dict[Apply, RowBlock] = {}
    growth = _Growth(dependencies, set(outputs), taken)
    order = _Order(dependencies)
    for node in dependencies:
        if node.op is not ops.dot_op or node in taken or not _is_native(node):
            continue
        block = growth.around(node)
        if len(block) > 1 and suits(block) and order.join(block):
            blocks.append(block)
            taken.update(block.nodes)
        else:
            alone[node] = block
    if notes is not None:
        notes += map(str, blocks)
        for node, block in alone.items():
            if node not in taken:
                lacks = len(block) > 1 and not suits(block)
                reason = "the device lacks a kernel of its block" if lacks else _why_alone(block)
                notes.append("\n".join([f"{node} runs by itself: {reason}", *block.hindrances()]))
    return blocks


def _why_alone(block: RowBlock) -> str:
    """Say why a product is in no block, but for the hindrances of what would be its own."""
    if len(block) > 1:
        return "what works on its rows must wait for others in between"
    if len(block) == 0:
        return "its result has no rows, or needs them along another axis"
    return "nothing else works on its rows"


def _is_native(node: Apply) -> bool:
    op = node.op
    if op.view is not None:
        return True
    if isinstance(op, ops.ElementwiseOp) or op in ops.REDUCTIONS:
        return iterated_pattern(node) is not None
    return op.kernel is not None and op.supports(Call.of(node))


class _Growth:
    """Grows row blocks from products."""

    def __init__(
        self, dependencies: Dependencies, outputs: set[Variable], taken: set[Apply]
    ) -> None:
        self.dependencies = dependencies
        self.outputs = outputs
        self.taken = taken
        self.nodes = list(dependencies)
        self.number = {node: number for number, node in enumerate(self.nodes)}
        self.readers: dict[Variable, list[Apply]] = {}
        for node in dependencies:
            for item in values_read(node):
                self.readers.setdefault(item, []).append(node)

    def around(self, product: Apply) -> RowBlock:
        """Return the block around a product, empty if there is none.

        It cuts the result along its columns only where that saves reading an operand again.
        """
        a, b = product.inputs
        by_rows = self.grow(product, (0, None)) if a.ndim == 2 else RowBlock()
        by_columns = self.grow(product, (None, 1)) if b.ndim == 2 else RowBlock()
        return by_columns if by_columns.products() > max(1, by_rows.products()) else by_rows

    def grow(self, seed: Apply, cut: Sequence[int | None]) -> RowBlock:
        """Return the block around a product whose operands are cut so, empty if there is none."""
        refused: set[Apply] = set()
        for _ in range(_MOST_ROUNDS):
            block = self._forward(seed, cut, refused)
            self._backward(block)
            members = set(block.nodes)
            wrong = [node for node in block.nodes if self._is_cut_otherwise(block, members, node)]
            if not wrong:
                block.nodes.sort(key=self.number.__getitem__)
                return block
            if seed in wrong:
                break
            refused.update(wrong)
        return RowBlock()

    def _forward(self, seed: Apply, cut: Sequence[int | None], refused: set[Apply]) -> RowBlock:
        block = RowBlock()
        members: set[Apply] = set()
        outside: dict[Apply, str] = {}  # nodes that come after the block, and what keeps them there
        start = self.number[seed]
        for node in self.nodes[start : start + _REACH]:
            needed = self.dependencies[node]
            known = [block.axes.get(i) if i.owner in members else None for i in node.inputs]
            if node is seed:
                known = list(cut)
            late = next((outside[item] for item in needed if item in outside), None)
            reason = self._hindrance(node, known, refused, late)
            reason = reason or self._join(block, members, node, known, needed)
            if not reason:
                members.add(node)
                continue
            # One that reads nothing of the block but a shape may also come before it.
            if late is None and members.isdisjoint(needed):
                continue
            outside[node] = late or f"{node}, which comes after the block: {reason}"
            if any(axis not in (None, SUM) for axis in known):
                block.apart[node] = reason
        return block

    def _hindrance(
        self,
        node: Apply,
        known: Sequence[int | None],
        refused: Collection[Apply],
        late: str | None,
    ) -> str:
        """Return what keeps a node out of any block, if something does.

        `late` is what keeps one outside, and after the block, for which the node waits.
        """
        if all(axis is None for axis in known):
            return "it reads none of the rows"
        if SUM in known:
            return "it needs a sum over all rows"
        if node in refused:
            return "its result is needed elsewhere and has its rows along another axis"
        if node in self.taken:
            return "it runs in another block, or only under a condition"
        return "" if late is None else f"it waits for {late}"

    def _join(
        self,
        block: RowBlock,
        members: set[Apply],
        node: Apply,
        known: Sequence[int | None],
        needed: Collection[Apply],
    ) -> str:
        """Add a node to a block if it works on its rows; return why it does not."""
        if not _is_native(node):
            return "it has no native kernel for these types"
        rows = node.op.rows(node, known, None) if node.op.rows is not None else None
        if rows is None:
            return "a row of its result needs more than the same rows of its operands"
        # What it waits for without reading it, such as a size, must not come from the block.
        read = {item.owner for item in node.inputs}
        if any(item in members and item not in read for item in needed):
            return "it waits for a value that all rows give together"
        if not self._take_axes(block, members, node, rows):
            return "an operand is needed both row by row and as a whole"
        return ""

    def _take_axes(self, block: RowBlock, members: set[Apply], node: Apply, rows: Rows) -> bool:
        found: dict[Variable, int | None] = {}
        for position, (item, axis) in enumerate(zip(node.inputs, rows.inputs, strict=True)):
            if isinstance(item, Constant) and axis is None:
                continue
            inside = item.owner in members
            # Of such an input the value may not be there outside.
            if position in node.op.shape_only and not inside:
                return False
            known = found.get(item, axis) if item not in block.axes else block.axes[item]
            if (inside or item in block.axes or item in found) and known != axis:
                return False
            found[item] = axis
        found.update(zip(node.outputs, rows.outputs, strict=True))
        block.axes.update(found)
        block.nodes.append(node)
        return True

    def _backward(self, block: RowBlock) -> None:
        """Add the nodes that make rows for the block and for nothing else."""
        members = set(block.nodes)
        pending = [item for item in block.axes if item.owner not in members]
        while pending:
            item = pending.pop()
            node, axis = item.owner, block.axes[item]
            if node is None or axis is None or not self._may_be_pulled(node, members):
                continue
            rows = None
            if node.op.rows is not None and _is_native(node):
                rows = node.op.rows(node, [None] * len(node.inputs), axis)
            if rows is None or not self._take_axes(block, members, node, rows):
                continue
            members.add(node)
            pending.extend(i for i in node.inputs if i in block.axes and i.owner not in members)

    def _may_be_pulled(self, node: Apply, members: set[Apply]) -> bool:
        if node in self.taken or node not in self.dependencies or node in members:
            return False
        return all(
            output not in self.outputs and members.issuperset(self.readers.get(output, ()))
            for output in node.outputs
        )

    def _is_cut_otherwise(self, block: RowBlock, members: set[Apply], node: Apply) -> bool:
        """Return whether a result that is needed outside is not cut along its first axis."""
        return any(
            block.axes[output] not in (0, SUM)
            and (output in self.outputs or not members.issuperset(self.readers.get(output, ())))
            for output in node.outputs
        )


class _Order:
    """A topological order of a graph's nodes in which each block is in one piece."""

    def __init__(self, dependencies: Dependencies) -> None:
        self.dependencies = dependencies
        self.nodes = list(dependencies)
        self.place = {node: place for place, node in enumerate(self.nodes)}
        self.piece_of: dict[Apply, object] = {}

    def join(self, block: RowBlock) -> bool:
        """Bring a block into one piece; return whether that can be.

        What stands between its nodes goes before the block, or after it if it waits for the block:
        unless the block waits for that, too.
        """
        places = [self.place[node] for node in block.nodes]
        first, end = min(places), max(places) + 1
        members = set(block.nodes)
        before: list[Apply] = []
        after: dict[Apply, None] = {}
        for _, piece in groupby(self.nodes[first:end], lambda node: self.piece_of.get(node, node)):
            nodes = list(piece)
            needed = {item for node in nodes for item in self.dependencies[node]}
            late = not after.keys().isdisjoint(needed)
            if nodes[0] in members:
                if late:
                    return False
            elif late or not members.isdisjoint(needed):
                after.update(dict.fromkeys(nodes))
            else:
                before.extend(nodes)
        self.nodes[first:end] = [*before, *block.nodes, *after]
        self.place.update(zip(self.nodes[first:end], range(first, end), strict=True))
        self.piece_of.update(dict.fromkeys(block.nodes, block))
        return True
