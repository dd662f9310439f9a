"""The elementwise family: ops that compute each element of the output from one of each input.

A member states a dtype rule, its NumPy meaning and its partial derivatives; broadcasting, padding
of ranks, Python numbers as operands, and summing gradients over broadcast dimensions are the same
for all and live here. Members have no kernel of their own: :mod:`arignote.ops.program` runs chains
of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from arignote import ops
from arignote.config import config
from arignote.graph import dtypes
from arignote.graph.dim import Dim, Shape
from arignote.graph.dtypes import Array
from arignote.graph.op import Accuracy, Call, Op, ShapeContext, Types
from arignote.graph.type import TensorType
from arignote.graph.variable import Apply, Variable
from arignote.ops import rows
from arignote.ops.basic import as_variable

DtypeRule: TypeAlias = "Callable[[tuple[str, ...]], tuple[tuple[str, ...], str]]"
"""From input dtypes to the dtypes they are cast to before computing, and that of the output."""

Partials: TypeAlias = "Callable[..., Sequence[Variable | None]]"
"""``partials(inputs, output, cotangent)``: a cotangent per input, None where it is zero."""


def no_partials(
    inputs: Sequence[Variable], output: Variable, cotangent: Variable
) -> Sequence[Variable | None]:
    """Return the zero gradient of a function that is constant between jumps."""
    return [None] * len(inputs)


@dataclass(frozen=True, eq=False, kw_only=True)
class ElementwiseOp(Op):
    """An op that computes each element of its output from one of each input.

    Attributes
    ----------
    scalar
        The meaning on arrays that already have the dtypes the rule asks for.
    rule
        The dtype rule.
    """

    scalar: Callable[..., Any]
    rule: DtypeRule


def upcast_rule(inputs: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Compute in, and return, the common dtype."""
    common = dtypes.upcast(*inputs)
    return (common,) * len(inputs), common


def number_rule(inputs: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """As :func:`upcast_rule`, for what has no meaning on booleans."""
    common, _ = upcast_rule(inputs)
    if common[0] == "bool":
        raise TypeError("operands must be numbers: bool")
    return common, common[0]


def float_rule(inputs: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Compute in the common float dtype: int8 in float32, int32 in float64."""
    common = dtypes.float_for(dtypes.upcast(*inputs))
    return (common,) * len(inputs), common


def division_rule(inputs: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """As :func:`float_rule`, but integers divide to ``floatX``."""
    common = dtypes.upcast(*inputs)
    if common in dtypes.DISCRETE:
        common = config.floatX
    return (common,) * len(inputs), common


def comparison_rule(inputs: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Compare in the common dtype and return booleans."""
    return upcast_rule(inputs)[0], "bool"


def predicate_rule(inputs: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Ask a question of floats; integers are asked as floats."""
    return float_rule(inputs)[0], "bool"


def bitwise_rule(inputs: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Compute on booleans or integers only."""
    common, result = upcast_rule(inputs)
    if result not in dtypes.DISCRETE:
        raise TypeError(f"operands must be integers or booleans: {', '.join(inputs)}")
    return common, result


def magnitude_rule(inputs: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Return the dtype of a magnitude: that of the parts for complex numbers."""
    common, result = number_rule(inputs)
    return common, {"complex64": "float32", "complex128": "float64"}.get(result, result)


def elementwise(
    name: str,
    arguments: str,
    scalar: Callable[..., Any],
    partials: Partials,
    *,
    rule: DtypeRule = upcast_rule,
    ulp: float = 0,
    native: bool = True,
    display: str | None = None,
) -> ElementwiseOp:
    """Return the record of an elementwise op.

    ``arguments`` names the inputs, separated by blanks; ``native`` says whether a block operation
    of this name exists; ``display`` is Theano's name of the scalar op where it differs.
    """
    op: ElementwiseOp
    label = f"Elemwise{{{display or name},no_inplace}}"
    op = ElementwiseOp(
        name=name,
        arguments=tuple(arguments.split()),
        infer=lambda params, types: (_infer(op, types),),
        shape=lambda context, node, shapes: (common_shape(context, node, shapes),),
        reference=lambda call, *arrays: run_scalar(op, call, arrays),
        gradient=lambda node, cotangents: _gradient(node, cotangents[0], partials),
        prepare=prepare_operands,
        rows=rows.aligned,
        supports=lambda call: native,
        reuse=tuple((0, position) for position in range(len(arguments.split()))),
        accuracy=Accuracy(ulp=ulp),
        family="Elemwise",
        display=lambda node: label,
        scalar=scalar,
        rule=rule,
    )
    return op


def is_number(value: Any) -> bool:
    """Return whether a value is a Python number, which takes its dtype from its neighbours.

    NumPy's scalars are not: they keep theirs (``np.float64`` is a Python float too).
    """
    return isinstance(value, int | float | complex) and not isinstance(value, np.generic)


def prepare_operands(*values: Any) -> Sequence[Variable]:
    """Return operands as variables of one rank; Python numbers take their neighbours' dtype."""
    neighbours = tuple(as_variable(value).dtype for value in values if not is_number(value))
    variables = [
        ops.constant(value, dtype=dtypes.of_scalar_beside(value, neighbours))
        if is_number(value)
        else as_variable(value)
        for value in values
    ]
    rank = max(variable.ndim for variable in variables)
    return [ops.pad_left(variable, rank) for variable in variables]


def prepare_beside(value: Any, dtype: str) -> Variable:
    """Return a variable for a value used beside a tensor of ``dtype``, which a number adopts."""
    if is_number(value):
        return ops.constant(value, dtype=dtypes.of_scalar_beside(value, (dtype,)))
    return as_variable(value)


def common_pattern(types: Types) -> tuple[bool, ...]:
    """Return the broadcast pattern of the result of operands of equal rank."""
    return tuple(all(flags) for flags in zip(*(t.broadcastable for t in types), strict=True))


def _infer(op: ElementwiseOp, types: Types) -> TensorType:
    if len(types) != len(op.arguments):
        raise op.type_error(f"takes {len(op.arguments)} operands: {len(types)} given")
    try:
        _, dtype = op.rule(tuple(item.dtype for item in types))
    except TypeError as error:
        raise op.type_error(str(error)) from None
    return TensorType(dtype, common_pattern(types))


def common_shape(context: ShapeContext, node: Apply, shapes: Sequence[Shape]) -> Shape:
    """Return the shape of operands together; dimensions that do not broadcast must be equal."""
    lengths: list[Dim] = []
    for axis in range(node.inputs[0].ndim):
        first: tuple[int, Dim] | None = None
        for position, (variable, shape) in enumerate(zip(node.inputs, shapes, strict=True)):
            if variable.broadcastable[axis]:
                continue
            if first is None:
                first = (position, shape[axis])
                continue
            text = (
                f"Input dimension mis-match. (input[{first[0]}].shape[{axis}] = {{expected}}, "
                f"input[{position}].shape[{axis}] = {{found}})"
            )
            first = (first[0], context.require_equal(shape[axis], first[1], text))
        lengths.append(1 if first is None else first[1])
    return tuple(lengths)


def run_scalar(op: ElementwiseOp, call: Call, arrays: Sequence[Array]) -> Array:
    """Compute an elementwise op with NumPy, in the dtypes of its rule; bfloat16 as float32."""
    computed, result = op.rule(tuple(item.dtype for item in call.input_types))
    with np.errstate(all="ignore"):
        operands = [
            dtypes.plain(np.asarray(a).astype(d, copy=False))
            for a, d in zip(arrays, computed, strict=True)
        ]
        return np.asarray(op.scalar(*operands)).astype(result, copy=False)


def computed_dtypes(node: Apply) -> tuple[str, ...]:
    """Return the dtypes that the operands of an elementwise node have when it computes."""
    assert isinstance(node.op, ElementwiseOp)
    computed, result = node.op.rule(tuple(item.dtype for item in node.inputs))
    dtype = node.outputs[0].dtype
    # Integers divide to what floatX was when the node was built.
    return computed if result == dtype else (dtype,) * len(computed)


def _gradient(
    node: Apply, cotangent: Variable | None, partials: Partials
) -> Sequence[Variable | None]:
    if cotangent is None or all(ops.is_discrete(variable) for variable in node.inputs):
        return [None] * len(node.inputs)
    results = partials(node.inputs, node.outputs[0], cotangent)
    return [
        None if partial is None or ops.is_discrete(variable) else fit(partial, variable)
        for variable, partial in zip(node.inputs, results, strict=True)
    ]


def fit(cotangent: Variable, variable: Variable) -> Variable:
    """Return a cotangent summed over the dimensions that ``variable`` broadcasts, in its dtype."""
    axes = tuple(
        axis
        for axis, (own, other) in enumerate(
            zip(variable.broadcastable, cotangent.broadcastable, strict=True)
        )
        if own and not other
    )
    if axes:
        cotangent = ops.sum_(cotangent, axis=axes, keepdims=True)
    if cotangent.dtype != variable.dtype:
        if cotangent.dtype in dtypes.COMPLEXES and variable.dtype in dtypes.FLOATS:
            cotangent = ops.real(cotangent)
        cotangent = ops.cast(cotangent, variable.dtype)
    return cotangent
