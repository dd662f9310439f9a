"""Ops on shapes: transposing, broadcasting, reshaping, sizes, joining and ranges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from arignote import ops
from arignote.config import config
from arignote.errors import GraphTypeError
from arignote.graph import dtypes, walk
from arignote.graph.dim import Dim, Shape, build, maximum, product, size
from arignote.graph.dtypes import Array
from arignote.graph.op import Attributes, Call, Op, Params, ShapeContext, Strided, Types
from arignote.graph.type import TensorType
from arignote.graph.variable import Apply, Constant, Variable
from arignote.ops import rows

# --- dimshuffle: transposing, inserting and dropping dimensions of length one


def _dimshuffle_infer(params: Params, types: Types) -> Types:
    (x,) = types
    order = params["order"]
    kept = [item for item in order if item != "x"]
    if any(not isinstance(item, int) or not 0 <= item < x.ndim for item in kept):
        raise dimshuffle_op.type_error(
            f"order must name the {x.ndim} dimensions of x or be 'x': {order}"
        )
    if len(set(kept)) != len(kept):
        raise dimshuffle_op.type_error(f"order must name each dimension once: {order}")
    for axis in range(x.ndim):
        if axis not in kept and not x.broadcastable[axis]:
            raise ValueError(
                "You cannot drop a non-broadcastable dimension.", (x.broadcastable, order)
            )
    pattern = tuple(True if item == "x" else x.broadcastable[item] for item in order)
    return (TensorType(x.dtype, pattern),)


def _dimshuffle_view(
    context: ShapeContext, node: Apply, base: Strided, shapes: Sequence[Shape]
) -> Strided:
    order = node.params["order"]
    return Strided(
        base.offset,
        tuple(1 if item == "x" else base.shape[item] for item in order),
        tuple(0 if item == "x" else base.strides[item] for item in order),
    )


def _dimshuffle_reference(call: Call, x: Array) -> Array:
    order = call.params["order"]
    kept = [item for item in order if item != "x"]
    dropped = [axis for axis in range(x.ndim) if axis not in kept]
    moved = np.transpose(x, (*kept, *dropped)).reshape([x.shape[axis] for axis in kept])
    new_axes = tuple(position for position, item in enumerate(order) if item == "x")
    return np.expand_dims(moved, new_axes)


def _dimshuffle_gradient(
    node: Apply, cotangents: Sequence[Variable | None]
) -> Sequence[Variable | None]:
    if cotangents[0] is None:
        return (None,)
    order = node.params["order"]
    back = tuple(order.index(axis) if axis in order else "x" for axis in range(node.inputs[0].ndim))
    return (dimshuffle(cotangents[0], back),)


def _dimshuffle_label(node: Apply) -> str:
    order = ",".join(map(str, node.params["order"]))
    return f"InplaceDimShuffle{{{order}}}"


dimshuffle_op = Op(
    name="dimshuffle",
    arguments=("x",),
    infer=_dimshuffle_infer,
    shape=lambda context, node, shapes: (
        tuple(1 if item == "x" else shapes[0][item] for item in node.params["order"]),
    ),
    reference=_dimshuffle_reference,
    gradient=_dimshuffle_gradient,
    prepare=ops.as_variables,
    view=_dimshuffle_view,
    rows=rows.permuted,
    family="DimShuffle",
    display=_dimshuffle_label,
)


def dimshuffle(x: Any, order: Sequence[int | str]) -> Variable:
    """Return ``x`` with its dimensions in another order; ``"x"`` inserts one of length 1.

    >>> dimshuffle(ops.constant([1.0, 2.0]), (0, "x")).type
    TensorType(float64, col)
    """
    variable = ops.as_variable(x)
    normal = tuple(
        item + variable.ndim if isinstance(item, int) and item < 0 else item for item in order
    )
    if normal == tuple(range(variable.ndim)):
        return variable
    return dimshuffle_op(variable, order=normal)


def pad_left(x: Variable, rank: int) -> Variable:
    """Return ``x`` with dimensions of length one inserted in front up to ``rank``."""
    missing = rank - x.ndim
    return dimshuffle(x, ("x",) * missing + tuple(range(x.ndim))) if missing else x


# --- sizes


shape_i = Op(
    name="shape_i",
    arguments=("x",),
    infer=lambda params, types: (TensorType("int64", ()),),
    shape=lambda context, node, shapes: ((),),
    reference=lambda call, x: np.asarray(x.shape[call.params["axis"]]),
    gradient=lambda node, cotangents: (None,),
    prepare=ops.as_variables,
    shape_only=frozenset({0}),
    family="Shape_i",
    display=lambda node: f"Shape_i{{{node.params['axis']}}}",
)
"""The length of one dimension."""


def length(x: Variable, axis: int) -> Variable:
    """Return the length of a dimension: a constant where the type tells it."""
    if x.broadcastable[axis]:
        return ops.constant(1, dtype="int64")
    if isinstance(x, Constant):
        return ops.constant(x.data.shape[axis], dtype="int64")
    return shape_i(x, axis=axis)


shape_op = Op(
    name="shape",
    arguments=("x",),
    infer=lambda params, types: (TensorType("int64", (types[0].ndim == 1,)),),
    shape=lambda context, node, shapes: ((len(shapes[0]),),),
    reference=lambda call, x: np.array(x.shape, "int64"),
    gradient=lambda node, cotangents: (None,),
    prepare=ops.as_variables,
    expand=lambda node: [stack(lengths(node.inputs[0]))],
    shape_only=frozenset({0}),
    family="Shape",
    display=lambda node: "Shape",
)
"""The lengths of all dimensions, of which there is one at least."""


def lengths(x: Variable) -> list[Variable]:
    """Return the length of each dimension."""
    return [length(x, axis) for axis in range(x.ndim)]


def scalar_dim(value: Any, what: str) -> Variable:
    """Return an integer scalar variable for a dimension given as a number or a variable."""
    variable = ops.as_variable(value)
    if variable.ndim != 0 or variable.dtype not in dtypes.INTEGERS:
        raise GraphTypeError(f"{what} must be integers: {variable} of type {variable.type}")
    return variable


def dims_of(shape: Any, what: str) -> list[Variable]:
    """Return a shape given as numbers and variables, or as a vector of known length, as scalars."""
    if isinstance(shape, Variable) and shape.ndim == 1:
        return elements(shape, what)
    items = shape if isinstance(shape, list | tuple | np.ndarray) else [shape]
    return [scalar_dim(item, what) for item in items]


def elements(vector: Variable, what: str) -> list[Variable]:
    """Return the elements of a vector whose length the graph tells."""
    owner = vector.owner
    if owner is not None and owner.op is shape_op:
        return lengths(owner.inputs[0])
    if owner is not None and owner.op is join_op:
        return [part for item in owner.inputs for part in elements(item, what)]
    if owner is not None and owner.op is dimshuffle_op and owner.inputs[0].ndim == 0:
        return [owner.inputs[0]]
    count = static_length(vector)
    if count is None:
        raise ValueError(f"{what} must be a vector whose length is known: {vector}")
    return [ops.subtensor(vector, position) for position in range(count)]


def static_length(vector: Variable) -> int | None:
    """Return the length of a vector where the graph tells it, else None."""
    lengths: dict[Variable, int | None] = {}
    for item in walk.ancestors([vector], stop=lambda item: not _has_length_of_inputs(item)):
        lengths[item] = _static_length(item, lengths) if item.ndim == 1 else None
    return lengths[vector]


def _has_length_of_inputs(item: Variable) -> bool:
    if item.ndim != 1 or item.owner is None or item.broadcastable[0]:
        return False
    op = item.owner.op
    return op in (join_op, ops.subtensor_op) or isinstance(op, ops.ElementwiseOp)


def _static_length(vector: Variable, lengths: Mapping[Variable, int | None]) -> int | None:
    if vector.broadcastable[0]:
        return 1
    if isinstance(vector, Constant):
        return int(vector.data.shape[0])
    owner = vector.owner
    if owner is not None and owner.op is shape_op:
        return owner.inputs[0].ndim
    if owner is None or not _has_length_of_inputs(vector):
        return None
    known = [lengths[item] for item in owner.inputs]
    if owner.op is ops.subtensor_op:
        return ops.static_slice_length(owner, known[0])
    found = [length for length in known if length is not None]
    if owner.op is join_op:
        return sum(found) if len(found) == len(known) else None
    for length, item in zip(known, owner.inputs, strict=True):
        if length is not None and not item.broadcastable[0]:
            return length
    return None


# --- broadcasting


def _broadcast_view(
    context: ShapeContext, node: Apply, base: Strided, shapes: Sequence[Shape]
) -> Strided:
    wanted = node.outputs[0].broadcastable
    return Strided(
        base.offset,
        node.op.shape(context, node, shapes)[0],
        tuple(
            0 if own and not other else stride
            for own, other, stride in zip(
                node.inputs[0].broadcastable, wanted, base.strides, strict=True
            )
        ),
    )


def _broadcast_gradient(
    node: Apply, cotangents: Sequence[Variable | None]
) -> Sequence[Variable | None]:
    nothing: list[Variable | None] = [None] * (len(node.inputs) - 1)
    if cotangents[0] is None or ops.is_discrete(node.inputs[0]):
        return [None, *nothing]
    return [ops.fit(cotangents[0], node.inputs[0]), *nothing]


broadcast_like_op = Op(
    name="broadcast_like",
    arguments=("value", "model"),
    infer=lambda params, types: (TensorType(types[0].dtype, ops.common_pattern(types)),),
    shape=lambda context, node, shapes: (ops.common_shape(context, node, shapes),),
    reference=lambda call, value, model: np.broadcast_to(
        value, np.broadcast_shapes(value.shape, model.shape)
    ),
    gradient=_broadcast_gradient,
    view=_broadcast_view,
    rows=rows.aligned,
    shape_only=frozenset({1}),
    family="Elemwise",
    display=lambda node: "Elemwise{second,no_inplace}",
)


def broadcast_like(value: Any, model: Any) -> Variable:
    """Return ``value`` broadcast to the shape of ``model``, of which nothing else matters.

    >>> broadcast_like(0.0, ops.constant([1.0, 2.0])).type
    TensorType(float64, vector)
    """
    like = ops.as_variable(model)
    filler = pad_left(ops.prepare_beside(value, like.dtype), like.ndim)
    return broadcast_like_op.make([filler, pad_left(like, filler.ndim)]).outputs[0]


def zeros_like(model: Any, dtype: str | None = None) -> Variable:
    """Return zeros of the shape of ``model``, in its dtype unless another is given."""
    like = ops.as_variable(model)
    zero = ops.constant(0, dtype=dtype or like.dtype)
    return broadcast_like(zero, like) if like.ndim else zero


def _alloc_infer(params: Params, types: Types) -> Types:
    value, *dims = types
    if value.ndim != len(dims):
        raise alloc_op.type_error(f"value must have at most {len(dims)} dimensions: {value.ndim}")
    return (TensorType(value.dtype, params["broadcastable"]),)


def wanted_length(context: ShapeContext, dim: Variable, what: str) -> Dim:
    """Return the length that an integer scalar asks for, which must not be negative."""
    length = context.value(dim)
    wanted = maximum(length, 0)
    context.require_equal(length, wanted, f"{what} must not be negative: {{found}}")
    return wanted


def _alloc_shape(context: ShapeContext, node: Apply, shapes: Sequence[Shape]) -> Sequence[Shape]:
    value, *dims = node.inputs
    result: list[Dim] = []
    for axis, dim in enumerate(dims):
        wanted = wanted_length(context, dim, f"shape[{axis}]")
        if not value.broadcastable[axis]:
            text = f"value.shape[{axis}] must equal the length asked for: {{found}} != {{expected}}"
            wanted = context.require_equal(shapes[0][axis], wanted, text)
        result.append(wanted)
    return (tuple(result),)


alloc_op = Op(
    name="alloc",
    arguments=("value", "*shape"),
    infer=_alloc_infer,
    shape=_alloc_shape,
    reference=lambda call, value, *dims: np.broadcast_to(value, [int(d) for d in dims]),
    gradient=_broadcast_gradient,
    view=_broadcast_view,
    shape_only=frozenset(range(1, 17)),
    family="Alloc",
    display=lambda node: "Alloc",
)


def alloc(value: Any, *shape: Any) -> Variable:
    """Return ``value`` broadcast to a shape given as integers and integer scalars.

    >>> alloc(0.0, 1, 3).type.broadcastable
    (True, False)
    """
    given = shape[0] if len(shape) == 1 and not _is_scalar(shape[0]) else shape
    dims = dims_of(given, "[alloc] shape")
    filler = ops.as_variable(value)
    if filler.ndim > len(dims):
        raise alloc_op.type_error(f"value must have at most {len(dims)} dimensions: {filler.ndim}")
    pattern = tuple(ops.constant_value(dim) == 1 for dim in dims)
    padded = pad_left(filler, len(dims))
    return alloc_op.make([padded, *dims], Params({"broadcastable": pattern})).outputs[0]


def _is_scalar(value: Any) -> bool:
    return isinstance(value, int | np.integer) or (isinstance(value, Variable) and value.ndim == 0)


# --- reshape


def _reshape_shape(context: ShapeContext, node: Apply, shapes: Sequence[Shape]) -> Sequence[Shape]:
    total = product(shapes[0])
    dims = [context.value(dim) for dim in node.inputs[1:]]
    written = _as_written(node.inputs[1:])
    for axis, dim in enumerate(dims):
        text = f"shape[{axis}] must be a length or -1: {{expected}}"
        context.require_equal(maximum(dim, -1), dim, text)
    # A dim of -1 stands for what is left; with symbolic dims that is only known at run time.
    missing = [build("lt", dim, 0) for dim in dims]
    context.require(build("lt", sum(missing), 2), f"at most one dim may be -1: {written}")
    lengths = [_where(miss, 1, dim) for miss, dim in zip(missing, dims, strict=True)]
    known = product(lengths)
    rest = build("floordiv", total, known)
    result = tuple(_where(miss, rest, dim) for miss, dim in zip(missing, dims, strict=True))
    if total == product(result):
        return (result,)
    if size(lengths) != known:
        text = f"shape must have fewer than 2**63 elements: {written}"
        context.require(build("lt", size(lengths), 2**63 - 1), text)
    # Without a rest to fill, the size tells what is wrong.
    into = f"shape {written}" if "-1" in written else f"a shape of size {{expected}}: {written}"
    context.require_equal(
        total, product(result), f"cannot reshape array of size {{found}} into {into}"
    )
    return (result,)


def _as_written(dims: Sequence[Variable]) -> str:
    """Return a shape as the user wrote it; a number that has no name is a question mark."""
    known = [str(dim.data) if isinstance(dim, Constant) else dim.name or "?" for dim in dims]
    shown = [item if item.isidentifier() or item.lstrip("-").isdigit() else "?" for item in known]
    return f"({', '.join(shown)}{',' if len(shown) == 1 else ''})"


def _where(flag: Dim, x: Dim, y: Dim) -> Dim:
    """Return x where flag is 1, y where it is 0."""
    if isinstance(flag, int):
        return x if flag else y
    return flag * x + build("sub", 1, flag) * y


def _reshape_gradient(
    node: Apply, cotangents: Sequence[Variable | None]
) -> Sequence[Variable | None]:
    nothing: list[Variable | None] = [None] * (len(node.inputs) - 1)
    if cotangents[0] is None:
        return [None, *nothing]
    x = node.inputs[0]
    back = reshape(cotangents[0], lengths(x))
    return [restore_pattern(back, x.broadcastable), *nothing]


def restore_pattern(x: Variable, pattern: tuple[bool, ...]) -> Variable:
    """Return ``x`` with the given broadcast pattern, checked at run time where it is not known."""
    if x.broadcastable == pattern:
        return x
    return rebroadcast_op(x, broadcastable=pattern)


reshape_op = Op(
    name="reshape",
    arguments=("x", "*shape"),
    infer=lambda params, types: (TensorType(types[0].dtype, params["broadcastable"]),),
    shape=_reshape_shape,
    reference=lambda call, x, *dims: np.reshape(x, [int(dim) for dim in dims]),
    gradient=_reshape_gradient,
    kernel="reshape",
    shape_only=frozenset(range(1, 17)),
    family="Reshape",
    display=lambda node: f"Reshape{{{len(node.inputs) - 1}}}",
)


def reshape(x: Any, shape: Any, ndim: int | None = None) -> Variable:
    """Return the elements of ``x`` in C order under another shape; one dim may be -1.

    ``ndim`` is needed where ``shape`` is a vector whose length the graph does not tell.

    >>> reshape(ops.constant(np.zeros((2, 3))), (1, -1)).type
    TensorType(float64, row)
    """
    variable = ops.as_variable(x)
    if ndim is not None and isinstance(shape, Variable) and static_length(shape) is None:
        vector = specify_shape(shape, [ndim])
        dims = [ops.subtensor(vector, position) for position in range(ndim)]
    else:
        dims = dims_of(shape, "[reshape] shape")
    if ndim is not None and ndim != len(dims):
        raise ValueError(f"[reshape] ndim must be the length of shape: {ndim} != {len(dims)}")
    numbers = [ops.constant_value(dim) for dim in dims]
    if numbers.count(-1) > 1 or any(isinstance(n, int) and n < -1 for n in numbers):
        raise ValueError(f"[reshape] at most one dim may be -1, none smaller: {numbers}")
    pattern = tuple(number == 1 for number in numbers)
    return reshape_op.make([variable, *dims], Params({"broadcastable": pattern})).outputs[0]


def flatten(x: Any, ndim: int = 1) -> Variable:
    """Return ``x`` with its trailing dimensions merged so that ``ndim`` are left."""
    variable = ops.as_variable(x)
    if not 1 <= ndim <= max(variable.ndim, 1):
        raise ValueError(f"[flatten] ndim must lie between 1 and {variable.ndim}: {ndim}")
    if ndim == variable.ndim:
        return variable
    leading = [length(variable, axis) for axis in range(ndim - 1)]
    merged = reshape(variable, [*leading, -1])
    pattern = (*variable.broadcastable[: ndim - 1], all(variable.broadcastable[ndim - 1 :]))
    return restore_pattern(merged, pattern)


# --- promises about shapes, checked at run time


def _same_view(
    context: ShapeContext, node: Apply, base: Strided, shapes: Sequence[Shape]
) -> Strided:
    return Strided(base.offset, node.op.shape(context, node, shapes)[0], base.strides)


def _rebroadcast_shape(
    context: ShapeContext, node: Apply, shapes: Sequence[Shape]
) -> Sequence[Shape]:
    result = list(shapes[0])
    for axis, wanted in enumerate(node.params["broadcastable"]):
        if wanted and not node.inputs[0].broadcastable[axis]:
            text = (
                f"Dimension {axis} in Rebroadcast's input was supposed to be 1 "
                "(got {found} instead)"
            )
            result[axis] = context.require_equal(result[axis], 1, text)
    return (tuple(result),)


def _pass_through(node: Apply, cotangents: Sequence[Variable | None]) -> Sequence[Variable | None]:
    nothing: list[Variable | None] = [None] * (len(node.inputs) - 1)
    if cotangents[0] is None:
        return [None, *nothing]
    return [restore_pattern(cotangents[0], node.inputs[0].broadcastable), *nothing]


def _rebroadcast_reference(call: Call, x: Array) -> Array:
    for axis, wanted in enumerate(call.params["broadcastable"]):
        if wanted and x.shape[axis] != 1:
            raise ValueError(
                f"Dimension {axis} in Rebroadcast's input was supposed to be 1 "
                f"(got {x.shape[axis]} instead)"
            )
    return x


rebroadcast_op = Op(
    name="rebroadcast",
    arguments=("x",),
    infer=lambda params, types: (TensorType(types[0].dtype, params["broadcastable"]),),
    shape=_rebroadcast_shape,
    reference=_rebroadcast_reference,
    gradient=_pass_through,
    prepare=ops.as_variables,
    view=_same_view,
    family="Rebroadcast",
)


def _specify_shape(context: ShapeContext, node: Apply, shapes: Sequence[Shape]) -> Sequence[Shape]:
    found = shapes[0]
    result = []
    for axis, dim in enumerate(node.inputs[1:]):
        text = f"x.shape[{axis}] must be the specified one: {{found}} != {{expected}}"
        result.append(context.require_equal(found[axis], context.value(dim), text))
    return (tuple(result),)


def _specify_reference(call: Call, x: Array, *dims: Array) -> Array:
    for axis, (found, wanted) in enumerate(zip(x.shape, dims, strict=True)):
        if found != wanted:
            raise ValueError(
                f"[specify_shape] x.shape[{axis}] must be the specified one: {found} != {wanted}"
            )
    return x


specify_shape_op = Op(
    name="specify_shape",
    arguments=("x", "*shape"),
    infer=lambda params, types: (TensorType(types[0].dtype, params["broadcastable"]),),
    shape=_specify_shape,
    reference=_specify_reference,
    gradient=_pass_through,
    view=_same_view,
    shape_only=frozenset(range(1, 17)),
    family="SpecifyShape",
)


def specify_shape(x: Any, shape: Any) -> Variable:
    """Return ``x`` with a promise about its shape, checked when the function is called."""
    variable = ops.as_variable(x)
    dims = dims_of(shape, "[specify_shape] shape")
    if len(dims) != variable.ndim:
        raise specify_shape_op.type_error(
            f"shape must have the {variable.ndim} dimensions of x: {len(dims)}"
        )
    pattern = tuple(
        own or ops.constant_value(dim) == 1
        for own, dim in zip(variable.broadcastable, dims, strict=True)
    )
    return specify_shape_op.make([variable, *dims], Params({"broadcastable": pattern})).outputs[0]


# --- joining


def _join_infer(params: Params, types: Types) -> Types:
    axis = params["axis"]
    if any(item.ndim != types[0].ndim for item in types):
        ranks = ", ".join(str(item.ndim) for item in types)
        raise join_op.type_error(f"tensors must have the same number of dimensions: {ranks}")
    pattern = [all(flags) for flags in zip(*(item.broadcastable for item in types), strict=True)]
    pattern[axis] = len(types) == 1 and types[0].broadcastable[axis]
    return (TensorType(dtypes.upcast(*(item.dtype for item in types)), tuple(pattern)),)


def _join_shape(context: ShapeContext, node: Apply, shapes: Sequence[Shape]) -> Sequence[Shape]:
    axis = node.params["axis"]
    result = list(shapes[0])
    for position, shape in enumerate(shapes[1:], start=1):
        for other, found in enumerate(shape):
            if other == axis:
                result[axis] = result[axis] + found
            else:
                text = (
                    f"tensors[{position}].shape[{other}] must equal tensors[0].shape[{other}]: "
                    "{found} != {expected}"
                )
                result[other] = context.require_equal(found, result[other], text)
    return (tuple(result),)


def _join_gradient(node: Apply, cotangents: Sequence[Variable | None]) -> Sequence[Variable | None]:
    if cotangents[0] is None:
        return [None] * len(node.inputs)
    axis = node.params["axis"]
    start: Variable = ops.constant(0, dtype="int64")
    results: list[Variable | None] = []
    for item in node.inputs:
        stop = ops.add(start, length(item, axis))
        index = (slice(None),) * axis + (slice(start, stop),)
        piece = restore_pattern(ops.subtensor(cotangents[0], index), item.broadcastable)
        results.append(None if ops.is_discrete(item) else ops.cast(piece, item.dtype))
        start = stop
    return results


join_op = Op(
    name="join",
    arguments=("*tensors",),
    infer=_join_infer,
    shape=_join_shape,
    reference=lambda call, *arrays: np.concatenate(arrays, axis=call.params["axis"]),
    gradient=_join_gradient,
    kernel="join",
    encode=lambda call: Attributes(ints=(call.params["axis"],)),
    rows=rows.side_by_side,
    family="Join",
    display=lambda node: "Join",
)


def join(axis: Any, *tensors: Any) -> Variable:
    """Return tensors joined along an existing axis.

    >>> join(0, ops.constant([1.0]), ops.constant([2.0, 3.0])).type
    TensorType(float64, vector)
    """
    if not tensors:
        raise join_op.type_error("at least one tensor is needed: none given")
    variables = [ops.as_variable(item) for item in tensors]
    dtype = dtypes.upcast(*(item.dtype for item in variables))
    number = ops.constant_value(axis) if isinstance(axis, Variable) else axis
    if variables[0].ndim == 0:
        raise join_op.type_error("tensors must have at least one dimension: 0")
    if number is None or not -variables[0].ndim <= number < variables[0].ndim:
        raise ValueError(f"[join] axis must lie within the {variables[0].ndim} dimensions: {axis}")
    if len(variables) == 1:
        return variables[0]
    casted = [ops.cast(item, dtype) for item in variables]
    return join_op.make(casted, Params({"axis": int(number) % variables[0].ndim})).outputs[0]


def stack(tensors: Sequence[Any], axis: int = 0) -> Variable:
    """Return tensors of one rank joined along a new axis.

    >>> stack([ops.constant(1.0), ops.constant(2.0)]).type
    TensorType(float32, vector)
    """
    variables = [ops.as_variable(item) for item in tensors]
    if not variables:
        raise join_op.type_error("at least one tensor is needed: none given")
    rank = variables[0].ndim
    if any(item.ndim != rank for item in variables):
        ranks = ", ".join(str(item.ndim) for item in variables)
        raise join_op.type_error(f"tensors must have the same number of dimensions: {ranks}")
    place = axis % (rank + 1)
    order = (*range(place), "x", *range(place, rank))
    return join(place, *(dimshuffle(item, order) for item in variables))


# --- ranges


# Stands for the length of a range from or to infinity, or in steps of zero, or too far.
_NO_LENGTH: Final = -(2**63)
_TOO_LONG: Final = "(stop - start) / step must be finite and below 2**62"


def _arange_shape(context: ShapeContext, node: Apply, shapes: Sequence[Shape]) -> Sequence[Shape]:
    _, stride, length = node.inputs
    found = context.value(length)
    count = maximum(found, 0)
    context.require(build("lt", _NO_LENGTH, found), _TOO_LONG)
    if "length" in node.params:
        text = f"{node.params['length']} must not be negative: {{found}}"
        context.require_equal(found, count, text)
    if ops.is_discrete(stride):
        step = context.value(stride)
        magnitude = build("max", step, -step)
        # Of a division by zero comes a length of zero.
        if magnitude == 0 or not isinstance(magnitude, int):
            context.require(build("max", magnitude, count), "step must not be zero")
    return ((count,),)


def _arange_gradient(
    node: Apply, cotangents: Sequence[Variable | None]
) -> Sequence[Variable | None]:
    g = cotangents[0]
    if g is None or ops.is_discrete(node.inputs[0]):
        return (None, None, None)
    steps = ops.cast(arange(length(node.outputs[0], 0)), g.dtype)
    return (ops.sum_(g), ops.sum_(ops.mul(g, steps)), None)


def _arange_reference(call: Call, start: Array, step: Array, count: Array) -> Array:
    numbers = np.arange(max(int(count), 0))
    if call.output_types[0].dtype in dtypes.FLOATS:  # rounded once
        return np.asarray(start.astype("float64") + numbers * step.astype("float64"))
    return np.asarray(start + numbers.astype(start.dtype) * step)


arange_op = Op(
    name="arange",
    arguments=("start", "step", "length"),
    infer=lambda params, types: (TensorType(types[0].dtype, (False,)),),
    shape=_arange_shape,
    reference=_arange_reference,
    gradient=_arange_gradient,
    kernel="arange",
    supports=lambda call: call.output_types[0].dtype in dtypes.REAL,
    shape_only=frozenset({2}),
    family="ARange",
)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: str | None = None) -> Variable:
    """Return ``start, start + step, …`` up to but without ``stop``; a vector.

    The dtype is int64 for integers and the common float dtype else, unless given.

    >>> arange(5).dtype, arange(0.0, 1.0, 0.5).dtype
    ('int64', 'float64')
    """
    if stop is None:
        start, stop = 0, start
    first, last, stride = (ops.as_variable(item) for item in (start, stop, step))
    for name, item in (("start", first), ("stop", last), ("step", stride)):
        if item.ndim:
            raise arange_op.type_error(f"{name} must be a scalar: {item.type}")
    if ops.constant_value(stride) == 0:
        raise ValueError("[arange] step must not be zero")
    begin, end, by = (ops.constant_value(item) for item in (first, last, stride))
    if None not in (begin, end, by) and not abs((end - begin) / by) < 2**62:
        raise ValueError(f"[arange] {_TOO_LONG}: ({end} - {begin}) / {by}")
    common = dtypes.upcast(first.dtype, last.dtype, stride.dtype)
    if dtype is None:
        dtype = "int64" if common in dtypes.DISCRETE else dtypes.upcast(common, config.floatX)
    is_integer = common in dtypes.DISCRETE
    if is_integer and dtype not in dtypes.DISCRETE and ops.constant_value(stride) is None:
        # Whether the step is zero is asked of an integer.
        return ops.cast(arange(first, last, stride), dtype)
    # The number of elements is ceil((stop - start) / step).
    if is_integer:
        first, last, stride = (ops.cast(item, "int64") for item in (first, last, stride))
        count = ops.neg(ops.floor_div(ops.sub(first, last), stride))
        if begin is None or abs(begin) > 2**62:
            count = _unless_too_far(first, last, count)
    else:
        span = ops.cast(ops.true_div(ops.sub(last, first), stride), "float64")
        possible = ops.lt(ops.abs_(span), 2.0**62)
        count = ops.cast(ops.switch(possible, ops.ceil(span), float(_NO_LENGTH)), "int64")
    return arange_op.make([ops.cast(first, dtype), ops.cast(stride, dtype), count]).outputs[0]


def _unless_too_far(first: Variable, last: Variable, count: Variable) -> Variable:
    """Return a count, or what stands for none where ``last - first`` may exceed an integer."""
    half = ops.sub(ops.floor_div(last, 2), ops.floor_div(first, 2))
    beyond = ops.sub(half, ops.maximum(ops.minimum(half, 2**61), -(2**61)))
    # In arithmetic that sizes can follow: zero or one.
    is_too_far = ops.minimum(ops.mul(beyond, beyond), 1)
    return ops.add(ops.mul(count, ops.sub(1, is_too_far)), ops.mul(is_too_far, _NO_LENGTH))


# --- copies

copy_op = Op(
    name="copy",
    arguments=("x",),
    infer=lambda params, types: (types[0],),
    shape=lambda context, node, shapes: (shapes[0],),
    reference=lambda call, x: np.array(x),
    gradient=lambda node, cotangents: (cotangents[0],),
    prepare=ops.as_variables,
    kernel="copy",
    family="DeepCopyOp",
)
"""Memory of its own for a value; the compiler places it where a plan needs one."""


# --- diagonals


def _diagonal_view(
    context: ShapeContext, node: Apply, base: Strided, shapes: Sequence[Shape]
) -> Strided:
    return Strided(
        base.offset, node.op.shape(context, node, shapes)[0], (base.strides[0] + base.strides[1],)
    )


diagonal_op = Op(
    name="diagonal",
    arguments=("x",),
    infer=lambda params, types: (TensorType(types[0].dtype, (False,)),),
    shape=lambda context, node, shapes: ((build("min", shapes[0][0], shapes[0][1]),),),
    reference=lambda call, x: np.diagonal(x),
    gradient=lambda node, cotangents: (
        None if cotangents[0] is None else _diagonal_gradient(node, cotangents[0]),
    ),
    prepare=ops.as_variables,
    view=_diagonal_view,
    family="ExtractDiag",
)
"""The main diagonal of a matrix."""


def _diagonal_gradient(node: Apply, cotangent: Variable) -> Variable:
    positions = arange(length(cotangent, 0))
    return ops.put(zeros_like(node.inputs[0]), cotangent, (positions, positions), increment=True)


def _positions(count: Any, name: str) -> Variable:
    """Return 0, 1, … up to but without ``count``, which is refused under its name if negative."""
    start, step = ops.constant(0, dtype="int64"), ops.constant(1, dtype="int64")
    inputs = [start, step, ops.cast(scalar_dim(count, f"[eye] {name}"), "int64")]
    return arange_op.make(inputs, Params({"length": name})).outputs[0]


def eye(rows: Any, columns: Any = None, offset: Any = 0, dtype: str | None = None) -> Variable:
    """Return a matrix with ones on a diagonal; ``dtype`` is ``floatX`` by default."""
    row = dimshuffle(_positions(rows, "n"), (0, "x"))
    column = dimshuffle(_positions(*((rows, "n") if columns is None else (columns, "m"))), ("x", 0))
    ones = ops.eq(ops.add(row, ops.cast(ops.as_variable(offset), "int64")), column)
    return ops.cast(ones, dtype or "floatX")


BROADCASTS: Final = (broadcast_like_op, alloc_op)
