"""How ops work row by row, for the rules that several share.

A matrix is cut into rows along one of its axes. An op works on rows if the rows of its output
follow from the same rows of its inputs, or if its output is a sum over rows.
"""

from __future__ import annotations

from collections.abc import Sequence

from arignote.graph.op import SUM, Rows
from arignote.graph.variable import Apply


def _only(known: Sequence[int | None], wanted: int | None) -> int | None:
    """Return the one axis that is known, or wanted; None if there are several."""
    axes = {axis for axis in known if axis is not None}
    if len(axes) > 1:
        return None
    return axes.pop() if axes else wanted


def aligned(node: Apply, known: Sequence[int | None], wanted: int | None) -> Rows | None:
    """Rule of ops on operands of one rank that broadcast against each other."""
    axis = _only(known, wanted)
    if axis is None or node.outputs[0].broadcastable[axis]:
        return None
    inputs = tuple(None if item.broadcastable[axis] else axis for item in node.inputs)
    return Rows(inputs, (axis,))


def within_rows(node: Apply, known: Sequence[int | None], wanted: int | None) -> Rows | None:
    """Rule of ops that treat each vector along the last axis of their only input by itself."""
    axis = known[0] if known[0] is not None else wanted
    if axis is None or axis == node.inputs[0].ndim - 1:
        return None
    return Rows((axis,), (axis,))


def permuted(node: Apply, known: Sequence[int | None], wanted: int | None) -> Rows | None:
    """Rule of a dimshuffle."""
    order: tuple[int | str, ...] = node.params["order"]
    if known[0] is not None:
        return Rows((known[0],), (order.index(known[0]),)) if known[0] in order else None
    axis = None if wanted is None else order[wanted]
    return Rows((axis,), (wanted,)) if isinstance(axis, int) and wanted is not None else None


def reduced(node: Apply, known: Sequence[int | None], wanted: int | None) -> Rows | None:
    """Rule of reductions that keep the rows apart."""
    axes: tuple[int, ...] = node.params["axis"]
    kept = [axis for axis in range(node.inputs[0].ndim) if axis not in axes]
    axis = known[0] if known[0] is not None else None if wanted is None else kept[wanted]
    return Rows((axis,), (kept.index(axis),)) if axis in kept else None


def summed(node: Apply, known: Sequence[int | None], wanted: int | None) -> Rows | None:
    """Rule of a sum, which may also be over the rows."""
    if known[0] is not None and known[0] in node.params["axis"]:
        return Rows((known[0],), (SUM,))
    return reduced(node, known, wanted)


def multiplied(node: Apply, known: Sequence[int | None], wanted: int | None) -> Rows | None:
    """Rule of a product of matrices: rows of the first, columns of the second, or a sum."""
    a, b = node.inputs
    by_a, by_b = known
    if by_a is None and by_b is None:
        if a.ndim == 2 and wanted == 0:
            by_a = 0
        elif b.ndim == 2 and wanted == a.ndim - 1:
            by_b = 1
        else:
            return None
    if by_b is None and by_a != a.ndim - 1:
        return Rows((by_a, None), (0,))
    if by_a is None and b.ndim == 2 and by_b == 1:
        return Rows((None, by_b), (node.outputs[0].ndim - 1,))
    inner = (a.ndim - 1, 0)
    if (by_a in (None, inner[0])) and (by_b in (None, inner[1])):
        return Rows(inner, (SUM,))
    return None


def side_by_side(node: Apply, known: Sequence[int | None], wanted: int | None) -> Rows | None:
    """Rule of a join of rows along another axis."""
    axis = _only(known, wanted)
    if axis in (None, node.params["axis"]) or any(x.broadcastable[axis] for x in node.inputs):
        return None
    return Rows((axis,) * len(node.inputs), (axis,))


def selected(node: Apply, known: Sequence[int | None], wanted: int | None) -> Rows | None:
    """Rule of a selection by index arrays: its rows are those of the indices."""
    # Along the first axis only: an error tells how many indices lie before a row.
    if known[0] is not None or _only(known[1:], wanted) != 0 or node.outputs[0].broadcastable[0]:
        return None
    cut = (None if item.broadcastable[0] else 0 for item in node.inputs[1:])
    return Rows((None, *cut), (0,))


def below_each_other(node: Apply, known: Sequence[int | None], wanted: int | None) -> Rows | None:
    """Rule of ops whose operands and results have a row each for the same things."""
    if any(axis not in (0, None) for axis in known) or wanted not in (0, None):
        return None
    return Rows((0,) * len(node.inputs), (0,) * len(node.outputs))
