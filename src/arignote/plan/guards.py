"""Which steps belong to one branch of an ``ifelse`` only, and so run only if it is taken."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from arignote import ops
from arignote.graph.variable import Apply, Variable
from arignote.rewrite.fuse import Unit

Guards: TypeAlias = "tuple[tuple[Variable, bool], ...]"


def unit_guards(units: Sequence[Unit], outputs: Iterable[Variable]) -> list[tuple[Unit, Guards]]:
    """Return the units in order, each with the conditions under which its results are used.

    A unit that belongs to a branch comes after what computes the condition of the branch.
    """
    if not any(node.op is ops.ifelse_op for unit in units for node in unit.nodes):
        return [(unit, ()) for unit in units]
    guards = _find_guards(units, set(outputs))
    return [(unit, guards[unit]) for unit in _reordered(units, guards)]


def _find_guards(units: Sequence[Unit], outputs: set[Variable]) -> dict[Unit, Guards]:
    uses: dict[Apply, list[frozenset[tuple[Variable, bool]]]] = {}
    result: dict[Unit, Guards] = {}
    for unit in reversed(units):
        found = [use for node in unit.nodes for use in uses.get(node, [])]
        if any(output in outputs for node in unit.nodes for output in node.outputs):
            found.append(frozenset())
        own = frozenset.intersection(*found) if found else frozenset()
        inside = set(unit.nodes)
        result[unit] = tuple(sorted(own, key=lambda guard: str(guard[0])))
        for node in unit.nodes:
            for position, item in enumerate(node.inputs):
                if item.owner is None or item.owner in inside:
                    continue
                extra = frozenset[tuple[Variable, bool]]()
                if node.op is ops.ifelse_op and position > 0:
                    extra = frozenset({(node.inputs[0], position == 1)})
                uses.setdefault(item.owner, []).append(own | extra)
    return result


def _reordered(units: Sequence[Unit], guards: dict[Unit, Guards]) -> list[Unit]:
    unit_of = {node: unit for unit in units for node in unit.nodes}
    done: dict[Unit, None] = {}
    for start in units:
        stack = [start]
        while stack:
            unit = stack[-1]
            conditions = [
                unit_of[f.owner] for f, _ in guards[unit] if f.owner in unit_of and f.owner
            ]
            pending = [item for item in (*unit.inputs, *conditions) if item not in done]
            if unit in done or not pending:
                stack.pop()
                done.setdefault(unit)
            else:
                stack.extend(pending)
    return list(done)
