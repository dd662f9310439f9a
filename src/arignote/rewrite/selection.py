"""Rules that find selections of one element of each row, without changing a bit of the result."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arignote import ops
from arignote.graph.variable import Apply, Constant, Variable
from arignote.rewrite.engine import Replacement, Rule, rule
from arignote.rewrite.match import is_number, made_by, same_shape, through_dimshuffle


def _length_of_range(numbers: Variable) -> Variable | None:
    """Return ``n`` if a vector is ``arange(n)``."""
    if isinstance(numbers, Constant):
        count = numbers.data.size
        is_range = not numbers.broadcastable[0] and np.array_equal(numbers.data, np.arange(count))
        return ops.constant(count) if is_range else None
    ends = made_by(numbers, ops.arange_op)
    if ends is None:
        return None
    start, step, length = ends
    return length if is_number(start, 0) and is_number(step, 1) else None


def _columns(numbers: Variable, y: Variable) -> Variable | None:
    """Return the second index of a matrix if the first is ``arange(len(y))``."""
    if numbers.ndim != 1 or y.ndim != 1 or y.broadcastable[0]:
        return None
    length = _length_of_range(numbers)
    return None if length is None else ops.specify_shape(y, (length,))


def _by_rows(x: Variable, indices: Sequence[Variable]) -> tuple[Variable, Variable] | None:
    """Return a matrix and a column for each of its rows, if that is what x and indices say.

    A transpose read by columns is the matrix read by rows. What lies by columns itself is not
    turned: an update of its transpose would have to be turned back, which takes longer.
    """
    if x.ndim != 2 or len(indices) != 2:
        return None
    y = _columns(*indices)
    if y is None:
        x, order = through_dimshuffle(x)
        y = _columns(*reversed(indices)) if order == (1, 0) else None
    return None if y is None else (x, y)


@rule(ops.take_op)
def pick_from_selection(node: Apply) -> Replacement:
    """x[arange(len(y)), y] -> pick(x, y), x.T[y, arange(len(y))] -> pick(x, y)"""
    matrix, *indices = node.inputs
    found = _by_rows(matrix, indices)
    return None if found is None else ops.pick_op(*found)


@rule(ops.put_op)
def place_from_update(node: Apply) -> Replacement:
    """x with x[arange(len(y)), y] set or increased -> place(x, y, value); also if x is x.T"""
    matrix, value, *indices = node.inputs
    found = _by_rows(matrix, indices)
    if found is None:
        return None
    x, y = found
    placed = ops.place(x, y, value, node.params["increment"])
    return placed if x is matrix else ops.transpose(placed)


@rule(ops.add, ops.sub)
def add_placed(node: Apply) -> Replacement:
    """x + place(zeros, y, value) -> place(x, y, value), and the like for x - place(…)"""
    first, second = node.inputs
    pairs = [(first, second), (second, first)] if node.op is ops.add else [(first, second)]
    for x, other in pairs:
        operands = made_by(other, ops.place_op)
        if operands is None or other.owner is None or not same_shape(x, node.outputs[0]):
            continue
        zeros, y, value = operands
        if not is_number(zeros, 0) or not same_shape(other, x):
            continue
        return ops.place(x, y, value if node.op is ops.add else ops.neg(value), increment=True)
    return None


RULES: tuple[Rule, ...] = (pick_from_selection, place_from_update, add_placed)
