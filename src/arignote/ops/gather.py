"""Advanced indexing: by integer arrays and masks. Reading is ``take``, its gradient ``put``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from arignote import ops
from arignote.errors import GraphTypeError, selection_error
from arignote.graph import dtypes
from arignote.graph.dim import Shape
from arignote.graph.dtypes import Array
from arignote.graph.op import Attributes, Call, Op, Params, ShapeContext, Types
from arignote.graph.type import TensorType, tensor_type
from arignote.graph.variable import Apply, Constant, Variable
from arignote.ops import rows


def _check_indices(op: Op, x: TensorType, indices: Types) -> tuple[bool, ...]:
    if not 0 < len(indices) <= x.ndim:
        raise op.type_error(f"x must have at least {len(indices)} dimensions: {x.ndim}")
    for position, item in enumerate(indices):
        if item.dtype not in dtypes.INTEGERS or item.ndim != indices[0].ndim:
            raise op.type_error(
                f"indices[{position}] must be integers of {indices[0].ndim} dimensions: {item}"
            )
        if item.broadcastable != indices[0].broadcastable:
            raise op.type_error(
                "indices must broadcast in the same dimensions: "
                f"{indices[0]} and {item} (indices[{position}])"
            )
    return indices[0].broadcastable


def _spread(indices: Sequence[Variable]) -> list[Variable]:
    """Return index arrays broadcast against each other, as windows of one shape."""
    result = []
    for item in indices:
        spread = item
        for other in indices:
            if ops.common_pattern([spread.type, other.type]) != spread.broadcastable:
                spread = ops.broadcast_like(spread, other)
        result.append(spread)
    return result


def _index_shape(context: ShapeContext, node: Apply, first: int, shapes: Sequence[Shape]) -> Shape:
    result: list[Any] = [1] * (node.inputs[first].ndim)
    for position in range(first, len(node.inputs)):
        for axis, dim in enumerate(shapes[position]):
            if node.inputs[position].broadcastable[axis]:
                continue
            text = (
                "index arrays must have equal shapes: "
                f"indices[{position - first}].shape[{axis}] is {{found}}, not {{expected}}"
            )
            seen = result[axis]
            result[axis] = dim if seen == 1 else context.require_equal(dim, seen, text)
    return tuple(result)


def check_range(op: Op, x: Array, indices: Sequence[Array]) -> None:
    """Raise for the first position at which an index array is out of range."""
    wrong = [
        (int(np.argmax(bad)), axis)
        for axis, (index, length) in enumerate(zip(indices, x.shape, strict=False))
        if (bad := ((index < -length) | (index >= length)).ravel()).any()
    ]
    if wrong:
        position, axis = min(wrong)
        value = int(indices[axis].ravel()[position])
        raise selection_error(op.name, position, value, x.shape[axis])


def _take_infer(params: Params, types: Types) -> Types:
    x, *indices = types
    pattern = _check_indices(take_op, x, indices)
    return (TensorType(x.dtype, pattern + x.broadcastable[len(indices) :]),)


def _take_shape(context: ShapeContext, node: Apply, shapes: Sequence[Shape]) -> Sequence[Shape]:
    count = len(node.inputs) - 1
    return (_index_shape(context, node, 1, shapes) + tuple(shapes[0][count:]),)


def _take_reference(call: Call, x: Array, *indices: Array) -> Array:
    check_range(take_op, x, indices)
    selected: Array = x[indices]
    return selected


def _take_gradient(node: Apply, cotangents: Sequence[Variable | None]) -> Sequence[Variable | None]:
    x, *indices = node.inputs
    nothing: list[Variable | None] = [None] * len(indices)
    if cotangents[0] is None or ops.is_discrete(x):
        return [None, *nothing]
    return [put(ops.zeros_like(x), cotangents[0], indices, increment=True), *nothing]


take_op = Op(
    name="take",
    arguments=("x", "*indices"),
    infer=_take_infer,
    shape=_take_shape,
    reference=_take_reference,
    gradient=_take_gradient,
    kernel="take",
    encode=lambda call: Attributes(ints=(len(call.input_types) - 1,)),
    rows=rows.selected,
    fallible=True,
    family="AdvancedSubtensor",
)
"""``x[i0, i1, …]``: the index arrays select in the leading dimensions of x."""


def _put_infer(params: Params, types: Types) -> Types:
    x, value, *indices = types
    _check_indices(put_op, x, indices)
    rank = indices[0].ndim + x.ndim - len(indices)
    if value.ndim != rank:
        raise put_op.type_error(f"value must have {rank} dimensions: {value.ndim}")
    if value.dtype != x.dtype:
        raise put_op.type_error(f"value must have the dtype of x: {value.dtype} != {x.dtype}")
    return (x,)


def _put_shape(context: ShapeContext, node: Apply, shapes: Sequence[Shape]) -> Sequence[Shape]:
    count = len(node.inputs) - 2
    wanted = _index_shape(context, node, 2, shapes) + tuple(shapes[0][count:])
    for axis, dim in enumerate(wanted):
        if not node.inputs[1].broadcastable[axis]:
            text = f"value.shape[{axis}] must be that of the selection: {{found}} != {{expected}}"
            context.require_equal(shapes[1][axis], dim, text)
    return (shapes[0],)


def _put_reference(call: Call, x: Array, value: Array, *indices: Array) -> Array:
    check_range(put_op, x, indices)
    result: Array = x.copy()
    if call.params["increment"]:
        np.add.at(result, indices, value)
    else:
        result[indices] = value
    return result


def _put_gradient(node: Apply, cotangents: Sequence[Variable | None]) -> Sequence[Variable | None]:
    x, value, *indices = node.inputs
    nothing: list[Variable | None] = [None] * len(indices)
    g = cotangents[0]
    if g is None or ops.is_discrete(x):
        return [None, None, *nothing]
    read = take_op.make([g, *indices]).outputs[0]
    if node.params["increment"]:
        return [g, ops.fit(read, value), *nothing]
    zero = ops.constant(0, dtype=g.dtype)
    if not _all_distinct(indices):
        read = ops.switch(_stays(x, indices, read.ndim), read, zero)
    return [put(g, zero, indices, increment=False), ops.fit(read, value), *nothing]


def _all_distinct(indices: Sequence[Variable]) -> bool:
    """Return whether they select one element, or what a mask selects."""
    if indices[0].ndim == 0:
        return True
    owner = indices[0].owner
    return owner is not None and owner.op is nonzero_op and set(owner.outputs) <= set(indices)


def _stays(x: Variable, indices: Sequence[Variable], rank: int) -> Variable:
    """Return, for each place that a put sets, whether it is not set again later."""
    leading = [ops.length(x, axis) for axis in range(len(indices))]
    numbers = ops.reshape(ops.arange(_size(indices[0])), ops.lengths(indices[0]))
    last = put(ops.alloc(ops.constant(0, dtype="int64"), *leading), numbers, indices, False)
    stays = ops.eq(take_op.make([last, *indices]).outputs[0], numbers)
    return ops.dimshuffle(stays, (*range(stays.ndim), *("x",) * (rank - stays.ndim)))


def _size(x: Variable) -> Variable:
    count: Variable = ops.constant(1, dtype="int64")
    for axis in range(x.ndim):
        count = ops.mul(count, ops.length(x, axis))
    return count


put_op = Op(
    name="put",
    arguments=("x", "value", "*indices"),
    infer=_put_infer,
    shape=_put_shape,
    reference=_put_reference,
    gradient=_put_gradient,
    kernel="put",
    encode=lambda call: Attributes(ints=(len(call.input_types) - 2, int(call.params["increment"]))),
    supports=lambda call: not call.params["increment"] or call.input_types[0].dtype in dtypes.REAL,
    reuse=((0, 0),),
    fallible=True,
    family="AdvancedIncSubtensor",
)
"""``x`` with ``x[i0, i1, …]`` set or increased, in index order."""


def put(x: Variable, value: Variable, indices: Sequence[Variable], increment: bool) -> Variable:
    """Return ``x`` with the selected elements set to, or increased by, ``value``."""
    rank = indices[0].ndim + x.ndim - len(indices)
    filler = ops.pad_left(ops.cast_exactly(value, x.dtype), rank)
    return put_op.make([x, filler, *indices], Params({"increment": increment})).outputs[0]


# --- masks


def _nonzero_shape(context: ShapeContext, node: Apply, shapes: Sequence[Shape]) -> Sequence[Shape]:
    return [(context.value(node.inputs[1]),)] * len(node.outputs)


nonzero_op = Op(
    name="nonzero",
    arguments=("x", "count"),
    infer=lambda params, types: [tensor_type("int64", 1)] * types[0].ndim,
    shape=_nonzero_shape,
    reference=lambda call, x, count: tuple(np.nonzero(x)),
    gradient=lambda node, cotangents: (None, None),
    kernel="nonzero",
    supports=lambda call: call.input_types[0].dtype in dtypes.REAL,
    shape_only=frozenset({1}),
    family="Nonzero",
)
"""The coordinates of the elements that are not zero, in C order."""


def nonzero(x: Any) -> list[Variable]:
    """Return, for each dimension, the int64 coordinates of the nonzero elements of ``x``."""
    variable = ops.as_variable(x)
    if variable.ndim == 0:
        raise nonzero_op.type_error("x must have at least one dimension: 0")
    count = ops.sum_(variable if variable.dtype == "bool" else ops.neq(variable, 0))
    return list(nonzero_op.make([variable, count]).outputs)


# --- from what a user writes to take and put


def is_advanced(item: Any) -> bool:
    """Return whether an index entry is an array, a list or a mask rather than an integer."""
    if isinstance(item, Variable):
        return item.ndim > 0 or item.dtype == "bool"
    return isinstance(item, list | np.ndarray) and np.ndim(item) > 0


def _as_indices(item: Any) -> list[Variable]:
    """Return an index entry as integer arrays; a mask becomes the coordinates of its Trues."""
    variable = ops.as_variable(np.asarray(item) if isinstance(item, list) and item == [] else item)
    if isinstance(variable, Constant) and variable.data.size == 0:
        variable = ops.constant(np.zeros(variable.data.shape, "int64"))
    if variable.dtype == "bool":
        return nonzero(variable)
    if variable.dtype not in dtypes.INTEGERS:
        raise GraphTypeError(
            f"[take] index arrays must hold integers or booleans: {variable} of {variable.type}"
        )
    return [variable]


def _expanded(x: Variable, items: Sequence[Any]) -> list[Any]:
    """Return an index with masks as index arrays, and slices for what an Ellipsis stands for."""
    expanded: list[Any] = []
    for item in items:
        expanded.extend(_as_indices(item) if is_advanced(item) else [item])
    if not any(item is Ellipsis for item in expanded):
        expanded.append(Ellipsis)
    used = sum(1 for i in expanded if i is not None and i is not Ellipsis)
    if used > x.ndim:
        raise IndexError(f"too many indices for array: {used} for {x.ndim} dimensions")
    at = next(k for k, item in enumerate(expanded) if item is Ellipsis)
    expanded[at : at + 1] = [slice(None)] * (x.ndim - used)
    return expanded


class _Selection:
    """An index in two parts: a basic one, then arrays within the region that it selects.

    Attributes
    ----------
    basic, region
        The index with whole slices for its arrays, and what it selects.
    order
        Of the region's dimensions, those with an index array first.
    indices
        The arrays, broadcast against each other.
    place
        Where the result's index dimensions belong, by NumPy's rule: that of the first array or
        integer if all of them stand side by side, else the front.
    """

    def __init__(self, x: Variable, items: Sequence[Any]) -> None:
        expanded = _expanded(x, items)
        self.basic = tuple(slice(None) if is_advanced(item) else item for item in expanded)
        self.region = ops.subtensor(x, self.basic)
        kept = [item for item in expanded if _is_span(item) or is_advanced(item)]
        arrays = [k for k, item in enumerate(kept) if is_advanced(item)]
        self.order = (*arrays, *(k for k in range(len(kept)) if k not in arrays))
        rank = max(kept[k].ndim for k in arrays)
        self.indices = _spread([ops.pad_left(kept[k], rank) for k in arrays])
        at = [k for k, item in enumerate(expanded) if not _is_span(item)]
        self.place = at[0] if at == list(range(at[0], at[0] + len(at))) else 0

    @property
    def leading(self) -> Variable:
        """The region with the indexed dimensions first."""
        return ops.dimshuffle(self.region, self.order)


def _is_span(item: Any) -> bool:
    return item is None or isinstance(item, slice)


def _moved_axes(rank: int, total: int, place: int) -> tuple[int, ...]:
    """Return the order that moves ``rank`` leading dimensions behind ``place`` others."""
    return (
        *range(rank, rank + place),
        *range(rank),
        *range(rank + place, total),
    )


def advanced_subtensor(x: Variable, items: Sequence[Any]) -> Variable:
    """Return ``x[items]`` where some entry is an array, a list or a mask."""
    selection = _Selection(x, items)
    result = take_op.make([selection.leading, *selection.indices]).outputs[0]
    rank = selection.indices[0].ndim
    return ops.dimshuffle(result, _moved_axes(rank, result.ndim, selection.place))


def advanced_update(x: Variable, items: Sequence[Any], value: Any, increment: bool) -> Variable:
    """Return ``x`` with ``x[items]`` set to, or increased by, ``value``."""
    if any(item is None for item in items):
        raise NotImplementedError("[put] an update by index arrays takes no new axis (None)")
    selection = _Selection(x, items)
    leading, region, order = selection.leading, selection.region, selection.order
    filler = ops.prepare_beside(value, x.dtype)
    rank = selection.indices[0].ndim
    total = rank + leading.ndim - len(selection.indices)
    forward = _moved_axes(rank, total, selection.place)
    moved = ops.dimshuffle(
        ops.pad_left(filler, total), tuple(forward.index(axis) for axis in range(total))
    )
    updated = put(leading, moved, selection.indices, increment)
    back = ops.dimshuffle(updated, tuple(order.index(axis) for axis in range(region.ndim)))
    return back if region is x else ops.slice_update(x, selection.basic, back, increment=False)
