"""Which nodes belong to one branch of an ``ifelse`` only, and so run only if it is taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from arignote import ops
from arignote.graph.variable import Apply, Variable
from arignote.plan.needs import values_read
from arignote.rewrite.fuse import Unit

Guards: TypeAlias = "tuple[tuple[Variable, bool], ...]"


def node_guards(nodes: Sequence[Apply], outputs: Iterable[Variable]) -> dict[Apply, Guards]:
    """Return the conditions under which each of some nodes, in topological order, is used.

    A condition comes after those under which it is itself computed. Nodes without any are left out.
    """
    if not any(node.op is ops.ifelse_op for node in nodes):
        return {}
    wanted = set(outputs)
    uses: dict[Apply, list[frozenset[tuple[Variable, bool]]]] = {}
    # From the results back, an outer ``ifelse`` is met before those in its branches.
    order: dict[Variable, int] = {}
    result: dict[Apply, Guards] = {}
    for node in reversed(nodes):
        found = uses.get(node, [])
        if not found or any(output in wanted for output in node.outputs):
            found.append(frozenset())
        own = frozenset.intersection(*found)
        if own:
            result[node] = tuple(sorted(own, key=lambda guard: order[guard[0]]))
        is_choice = node.op is ops.ifelse_op
        if is_choice:
            order.setdefault(node.inputs[0], len(order))
        for position, item in enumerate(values_read(node)):
            if item.owner is None:
                continue
            chosen = {(node.inputs[0], position == 1)} if is_choice and position > 0 else set()
            uses.setdefault(item.owner, []).append(own | chosen)
    return result


def after_conditions(units: Sequence[Unit], guards: Mapping[Apply, Guards]) -> list[Unit]:
    """Return units so that one that is run under a condition comes after what computes that."""
    if not guards:
        return list(units)
    unit_of = {node: unit for unit in units for node in unit.nodes}
    done: dict[Unit, None] = {}
    for start in units:
        stack = [start]
        while stack:
            unit = stack[-1]
            flags = [flag.owner for flag, _ in guards.get(unit.nodes[0], ())]
            conditions = [unit_of[node] for node in flags if node in unit_of]
            pending = [item for item in (*unit.needs(), *conditions) if item not in done]
            if unit in done or not pending:
                stack.pop()
                done.setdefault(unit)
            else:
                stack.extend(pending)
    return list(done)
