"""Basic indexing: integers and slices. A subtensor is a view, its gradient a slice update.

An index is kept in a node's parameters as one entry for each dimension of ``x``: an integer, or a
tuple ``(start, stop, step)`` of integers and None. A symbolic integer stands there as ``"$k"``:
input ``k``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from arignote import ops
from arignote.errors import GraphTypeError
from arignote.graph import dtypes
from arignote.graph.dim import Dim, Shape, build, maximum, minimum
from arignote.graph.dtypes import Array
from arignote.graph.op import Attributes, Call, Op, Params, Rows, ShapeContext, Strided, Types
from arignote.graph.type import TensorType
from arignote.graph.variable import Apply, Variable

Place: TypeAlias = "int | str | None"
Entry: TypeAlias = "int | str | tuple[Place, Place, Place]"


@dataclass(frozen=True)
class Region:
    """Where an entry lies along its dimension: first element, their number, distance."""

    start: Dim
    length: Dim
    step: Dim
    kept: bool


def regions(context: ShapeContext, node: Apply, shape: Shape) -> list[Region]:
    """Return the region of each entry of a node's index on an ``x`` of the given shape."""

    def dim(place: Place) -> Dim | None:
        if isinstance(place, str):
            return context.value(node.inputs[int(place[1:])])
        return place

    result = []
    for axis, (entry, length) in enumerate(zip(node.params["index"], shape, strict=True)):
        if isinstance(entry, tuple):
            start, stop, step = map(dim, entry)
            if step is not None:
                context.require(step, f"the step of a slice of dimension {axis} must not be zero")
            result.append(_slice_region(start, stop, 1 if step is None else step, length))
            continue
        position = dim(entry)
        assert position is not None
        text = (
            "index out of bounds, index {found} is out of bounds for size {expected} "
            f"(dimension {axis})"
        )
        result.append(Region(context.require_index(position, length, text), 1, 1, kept=False))
    return result


def _slice_region(start: Dim | None, stop: Dim | None, step: Dim, length: Dim) -> Region:
    if step == 1 and start is None and stop is None:
        return Region(0, length, 1, kept=True)
    # Python's rule: bounds are counted from the end if negative, then cut to [low, high].
    backward = build("lt", step, 0)
    low = build("sub", 0, backward)
    high = build("sub", length, backward)

    def bound(place: Dim | None, default: Dim) -> Dim:
        if place is None:
            return default
        return minimum(maximum(build("wrap", place, length), low), high)

    first = bound(start, build("mul", backward, high))
    last = bound(stop, build("sub", build("mul", build("sub", 1, backward), length), backward))
    backward_count = build("floordiv", build("sub", first, last), step)
    count = build("sub", 0, backward_count)
    return Region(first, maximum(count, 0), step, kept=True)


def _infer(params: Params, types: Types) -> Types:
    x = types[0]
    if len(params["index"]) != x.ndim:
        raise subtensor_op.type_error("index must have an entry for each dimension of x")
    pattern = tuple(
        broadcastable and entry[0] in (None, 0) and entry[1] is None
        for entry, broadcastable in zip(params["index"], x.broadcastable, strict=True)
        if isinstance(entry, tuple)
    )
    return (TensorType(x.dtype, pattern),)


def _shape(context: ShapeContext, node: Apply, shapes: Sequence[Shape]) -> Sequence[Shape]:
    return (tuple(r.length for r in regions(context, node, shapes[0]) if r.kept),)


def _view(context: ShapeContext, node: Apply, base: Strided, shapes: Sequence[Shape]) -> Strided:
    offset = base.offset
    kept: list[tuple[Dim, Dim]] = []
    for region, stride in zip(regions(context, node, base.shape), base.strides, strict=True):
        offset = build("add", offset, build("mul", region.start, stride))
        if region.kept:
            kept.append((region.length, build("mul", region.step, stride)))
    return Strided(offset, tuple(k[0] for k in kept), tuple(k[1] for k in kept))


def numpy_index(call: Call, inputs: Sequence[Array]) -> tuple[Any, ...]:
    """Return the index as NumPy takes it."""

    def number(place: Place) -> int | None:
        return int(inputs[int(place[1:])]) if isinstance(place, str) else place

    return tuple(
        slice(*map(number, entry)) if isinstance(entry, tuple) else number(entry)
        for entry in call.params["index"]
    )


def _gradient(node: Apply, cotangents: Sequence[Variable | None]) -> Sequence[Variable | None]:
    nothing: list[Variable | None] = [None] * (len(node.inputs) - 1)
    x = node.inputs[0]
    if cotangents[0] is None or ops.is_discrete(x):
        return [None, *nothing]
    update = slice_update_op.make(
        [ops.zeros_like(x), _with_kept_axes(cotangents[0], node.params["index"]), *node.inputs[1:]],
        Params({"index": _shifted(node.params["index"], 1), "increment": True}),
    )
    return [update.outputs[0], *nothing]


def _kept_axes(index: Sequence[Entry]) -> list[int]:
    return [axis for axis, entry in enumerate(index) if isinstance(entry, tuple)]


def _rows(node: Apply, known: Sequence[int | None], wanted: int | None) -> Rows | None:
    """Rule of a part of each row."""
    index = node.params["index"]
    kept = _kept_axes(index)
    axis = known[0] if known[0] is not None else None if wanted is None else kept[wanted]
    if axis is None or index[axis] != (None, None, None):
        return None
    return Rows((axis, *(None for _ in node.inputs[1:])), (kept.index(axis),))


def _label(node: Apply) -> str:
    def part(place: Place) -> str:
        return "" if place is None else "int64"

    entries = [
        ":".join(map(part, entry)) if isinstance(entry, tuple) else "int64"
        for entry in node.params["index"]
    ]
    return f"Subtensor{{{', '.join(entries)}}}"


subtensor_op = Op(
    name="subtensor",
    arguments=("x", "*index"),
    infer=_infer,
    shape=_shape,
    reference=lambda call, *inputs: inputs[0][numpy_index(call, inputs)],
    gradient=_gradient,
    view=_view,
    rows=_rows,
    shape_only=frozenset(range(1, 49)),
    family="Subtensor",
    display=_label,
)


def static_slice_length(node: Apply, length: int | None) -> int | None:
    """Return the length of a slice of a vector of a known length where the graph tells it."""
    entry = node.params["index"][0]
    if length is None or node.inputs[0].ndim != 1 or any(isinstance(place, str) for place in entry):
        return None
    return len(range(*slice(*entry).indices(length)))


def _shifted(index: tuple[Entry, ...], by: int) -> tuple[Entry, ...]:
    """Return an index whose symbolic integers stand ``by`` inputs later."""

    def place(item: Place) -> Place:
        return f"${int(item[1:]) + by}" if isinstance(item, str) else item

    shifted: list[Entry] = []
    for entry in index:
        if isinstance(entry, tuple):
            shifted.append((place(entry[0]), place(entry[1]), place(entry[2])))
        else:
            moved = place(entry)
            assert moved is not None
            shifted.append(moved)
    return tuple(shifted)


def _with_kept_axes(value: Variable, index: tuple[Entry, ...]) -> Variable:
    """Return a value for a region of ``x`` with a dimension for each of x's, 1 if indexed."""
    padded = ops.pad_left(value, len(_kept_axes(index)))
    order: list[int | str] = []
    for entry in index:
        order.append(ops.order_position(order) if isinstance(entry, tuple) else "x")
    return ops.dimshuffle(padded, tuple(order))


# --- slice update


def _update_infer(params: Params, types: Types) -> Types:
    x, value = types[0], types[1]
    if value.ndim != x.ndim:
        raise slice_update_op.type_error(f"value must have {x.ndim} dimensions: {value.ndim}")
    if dtypes.upcast(x.dtype, value.dtype) != x.dtype:
        raise slice_update_op.type_error(
            f"value of dtype {value.dtype} does not fit into x of dtype {x.dtype} without loss"
        )
    return (x,)


def _update_shape(context: ShapeContext, node: Apply, shapes: Sequence[Shape]) -> Sequence[Shape]:
    for axis, region in enumerate(regions(context, node, shapes[0])):
        if not node.inputs[1].broadcastable[axis]:
            text = (
                f"value must have the length of the region of dimension {axis}: "
                "{found} != {expected}"
            )
            context.require_equal(shapes[1][axis], region.length, text)
    return (shapes[0],)


def _update_reference(call: Call, x: Array, value: Array, *rest: Array) -> Array:
    result: Array = x.copy()
    index = tuple(
        entry if isinstance(entry, slice) else slice(entry, entry + 1 if entry != -1 else None)
        for entry in numpy_index(call, (x, value, *rest))
    )
    if call.params["increment"]:
        result[index] += value
    else:
        result[index] = value
    return result


def _update_gradient(
    node: Apply, cotangents: Sequence[Variable | None]
) -> Sequence[Variable | None]:
    x, value, *places = node.inputs
    nothing: list[Variable | None] = [None] * len(places)
    g = cotangents[0]
    if g is None or ops.is_discrete(x):
        return [None, None, *nothing]
    index = node.params["index"]
    read = subtensor_op.make([g, *places], Params({"index": _shifted(index, -1)})).outputs[0]
    by_value = ops.fit(_with_kept_axes(read, index), value)
    if node.params["increment"]:
        return [g, by_value, *nothing]
    zero = ops.constant(0, dtype=g.dtype)
    padded = ops.pad_left(zero, x.ndim)
    cleared = slice_update_op.make(
        [g, padded, *places], Params({"index": index, "increment": False})
    )
    return [cleared.outputs[0], by_value, *nothing]


def _update_rows(node: Apply, known: Sequence[int | None], wanted: int | None) -> Rows | None:
    """Rule of a change to a part of each row."""
    x, value = node.inputs[:2]
    axes = {axis for axis in (*known, wanted) if axis is not None}
    if len(axes) != 1:
        return None
    (axis,) = axes
    if node.params["index"][axis] != (None, None, None) or x.broadcastable[axis]:
        return None
    by_value = None if value.broadcastable[axis] else axis
    return Rows((axis, by_value, *(None for _ in node.inputs[2:])), (axis,))


def update_dims(context: ShapeContext, node: Apply) -> tuple[Dim, ...]:
    """Return start, length and step of the region along each dimension, for the kernel."""
    shape = context.shape_of(node.inputs[0])
    return tuple(dim for r in regions(context, node, shape) for dim in (r.start, r.length, r.step))


slice_update_op = Op(
    name="slice_update",
    arguments=("x", "value", "*index"),
    infer=_update_infer,
    shape=_update_shape,
    reference=_update_reference,
    gradient=_update_gradient,
    kernel="slice_update",
    encode=lambda call: Attributes(ints=(int(call.params["increment"]),)),
    dims=update_dims,
    rows=_update_rows,
    supports=lambda call: not call.params["increment"] or call.input_types[0].dtype in dtypes.REAL,
    reuse=((0, 0),),
    shape_only=frozenset(range(2, 50)),
    family="IncSubtensor",
    display=lambda node: f"{'Inc' if node.params['increment'] else 'Set'}{_label(node)}",
)


# --- from what a user writes to entries


def subtensor(x: Any, index: Any) -> Variable:
    """Return ``x[index]`` for integers, slices, None and Ellipsis, each number possibly symbolic.

    >>> subtensor(ops.constant([[1.0, 2.0]]), (slice(None), 0)).type.ndim
    1
    """
    variable = ops.as_variable(x)
    items = index if isinstance(index, tuple) else (index,)
    entries, places, new_axes = parse_index(variable, items)
    if all(entry == (None, None, None) for entry in entries):
        result = variable
    else:
        result = subtensor_op.make(
            [variable, *places], Params({"index": _shifted(entries, 1)})
        ).outputs[0]
    if new_axes:
        order: list[int | str] = []
        for axis in range(result.ndim + len(new_axes)):
            order.append("x" if axis in new_axes else ops.order_position(order))
        result = ops.dimshuffle(result, tuple(order))
    return result


def slice_update(x: Variable, index: Any, value: Any, increment: bool) -> Variable:
    """Return ``x`` with ``x[index]`` set to, or increased by, ``value``."""
    items = index if isinstance(index, tuple) else (index,)
    entries, places, new_axes = parse_index(x, items)
    filler = ops.prepare_beside(value, x.dtype)
    kept = len(_kept_axes(entries))
    if new_axes:
        filler = _drop_new_axes(filler, new_axes, kept)
    if filler.ndim > kept:
        raise slice_update_op.type_error(
            f"value must have at most the {kept} dimensions of the region: {filler.ndim}"
        )
    return slice_update_op.make(
        [x, ops.cast_exactly(_with_kept_axes(filler, entries), x.dtype), *places],
        Params({"index": _shifted(entries, 2), "increment": increment}),
    ).outputs[0]


def _drop_new_axes(value: Variable, new_axes: Sequence[int], kept: int) -> Variable:
    padded = ops.pad_left(value, kept + len(new_axes))
    order = tuple(axis for axis in range(padded.ndim) if axis not in new_axes)
    return ops.dimshuffle(padded, order)


def parse_index(
    x: Variable, items: Sequence[Any]
) -> tuple[tuple[Entry, ...], list[Variable], list[int]]:
    """Return the entries of a basic index, its symbolic integers, and where None adds an axis."""
    used = sum(item is not None and item is not Ellipsis for item in items)
    if used > x.ndim:
        raise IndexError(f"too many indices for array: {used} for {x.ndim} dimensions")
    if sum(item is Ellipsis for item in items) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    if not any(item is Ellipsis for item in items):
        items = (*items, Ellipsis)
    entries: list[Entry] = []
    places: list[Variable] = []
    new_axes: list[int] = []
    position = 0
    for item in items:
        if item is None:
            new_axes.append(position)
            position += 1
        elif item is Ellipsis:
            entries.extend([(None, None, None)] * (x.ndim - used))
            position += x.ndim - used
        elif isinstance(item, slice):
            entries.append(
                (_place(item.start, places), _place(item.stop, places), _place(item.step, places))
            )
            position += 1
        else:
            entry = _place(item, places)
            assert entry is not None
            entries.append(entry)
    return tuple(entries), places, new_axes


def _place(item: Any, places: list[Variable]) -> Place:
    if item is None:
        return None
    if isinstance(item, int | np.integer) and not isinstance(item, bool):
        return int(item)
    number = ops.constant_value(item) if isinstance(item, Variable) else None
    if isinstance(number, int) and not isinstance(number, bool):
        return number
    variable = ops.as_variable(item)
    if variable.ndim != 0 or variable.dtype not in dtypes.INTEGERS:
        raise GraphTypeError(
            f"[subtensor] an index must be an integer or a slice of integers: {item} "
            f"of type {variable.type}"
        )
    places.append(variable)
    return f"${len(places) - 1}"
