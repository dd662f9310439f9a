"""Which nodes of a graph must be computed, and in which order.

A node is computed if its value is asked for; one of which only the shape matters is not.
"""

from __future__ import annotations

from collections.abc import Sequence

from arignote import ops
from arignote.graph import walk
from arignote.graph.variable import Apply, Variable
from arignote.plan.shapes import Shapes


def needed_nodes(outputs: Sequence[Variable], shapes: Shapes) -> dict[Apply, list[Apply]]:
    """Return the nodes to compute, in topological order, each with those that must come before it.

    Scalars that sizes are read from are added to what is asked for; ``shapes.reads`` names them.
    """
    computed: dict[Apply, None] = {}
    pending = list(outputs)
    for variable in outputs:
        shapes.shape_of(variable)
    asked: list[Variable] = []
    while pending:
        variable = pending.pop()
        node = variable.owner
        if node is not None and node not in computed:
            computed[node] = None
            pending.extend(values_read(node))
            shapes.dims_of(node)
        while len(asked) < len(shapes.reads):
            for item in list(shapes.reads)[len(asked) :]:
                asked.append(item)
                shapes.shape_of(item)
                pending.append(item)
    return _ordered([*outputs, *asked], computed, shapes)


def values_read(node: Apply) -> list[Variable]:
    """Return the inputs whose values a node reads, in their order."""
    if node.op is ops.shape_i:
        return []
    return [item for k, item in enumerate(node.inputs) if k not in node.op.shape_only]


def _ordered(
    outputs: Sequence[Variable], computed: dict[Apply, None], shapes: Shapes
) -> dict[Apply, list[Apply]]:
    """Return the computed nodes in topological order, each with those it waits for.

    These are the nodes whose values it reads, and those from which its sizes are read.
    """
    result: dict[Apply, list[Apply]] = {}
    for node in walk.toposort(outputs):
        if node in computed:
            read = [*values_read(node), *shapes.reads_behind(node)]
            result[node] = list(dict.fromkeys(v.owner for v in read if v.owner is not None))
    return result
