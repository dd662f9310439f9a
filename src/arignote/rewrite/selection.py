"""Rules that find selections of one element of each row, without changing a bit of the result."""

from __future__ import annotations

import numpy as np

from arignote import ops
from arignote.graph.variable import Apply, Constant, Variable
from arignote.rewrite.engine import Replacement, Rule, rule
from arignote.rewrite.match import is_number, made_by, same_shape


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


def _of_each_row(x: Variable, *indices: Variable) -> Variable | None:
    """Return the columns if the indices are ``arange(len(y)), y`` on a matrix."""
    if len(indices) != 2 or x.ndim != 2:
        return None
    numbers, y = indices
    if y.ndim != 1 or y.broadcastable[0]:
        return None
    length = _length_of_range(numbers)
    return None if length is None else ops.specify_shape(y, (length,))


@rule(ops.take_op)
def pick_from_selection(node: Apply) -> Replacement:
    """x[arange(len(y)), y] -> pick(x, y)"""
    x, *indices = node.inputs
    y = _of_each_row(x, *indices)
    return None if y is None else ops.pick_op(x, y)


@rule(ops.put_op)
def place_from_update(node: Apply) -> Replacement:
    """x with x[arange(len(y)), y] set or increased -> place(x, y, value)"""
    x, value, *indices = node.inputs
    y = _of_each_row(x, *indices)
    return None if y is None else ops.place(x, y, value, node.params["increment"])


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
