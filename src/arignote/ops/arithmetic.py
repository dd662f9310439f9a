"""Arithmetic, rounding, comparison, bitwise and selecting ops, elementwise."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from arignote import ops
from arignote.graph import dtypes
from arignote.graph.dtypes import Array
from arignote.graph.op import Params
from arignote.graph.variable import Variable
from arignote.ops.elementwise import (
    ElementwiseOp,
    bitwise_rule,
    comparison_rule,
    division_rule,
    elementwise,
    float_rule,
    magnitude_rule,
    no_partials,
    number_rule,
    predicate_rule,
)


def _power(base: Array, exponent: Array) -> Array:
    if base.dtype.kind in "fc":
        return np.asarray(np.power(base, exponent))
    # NumPy refuses negative integer powers; the value of a reciprocal cut to an integer is 0 or ±1.
    result = np.power(base, np.maximum(exponent, 0))
    reciprocal = np.where(base == 1, 1, np.where(base == -1, np.where(exponent % 2 == 0, 1, -1), 0))
    return np.where(exponent < 0, reciprocal.astype(base.dtype), result)


def _power_partials(
    inputs: tuple[Variable, ...], output: Variable, cotangent: Variable
) -> tuple[Variable, Variable]:
    # The least int8 less one would wrap.
    base, exponent = (cast(item, output.dtype) for item in inputs)
    # The power of zero that is left may be infinite; a constant has no derivative there either.
    by_base = switch(eq(exponent, 0), 0, mul(exponent, pow_(base, sub(exponent, 1))))
    # Where the base is zero, so is the derivative by the exponent; log(0) must not make it nan.
    positive = switch(eq(base, 0), 1, base)
    by_exponent = switch(eq(base, 0), 0, mul(output, ops.log(positive)))
    return mul(cotangent, by_base), mul(cotangent, by_exponent)


def _switch_rule(inputs: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    common = dtypes.upcast(*inputs[1:])
    return ("bool", common, common), common


def _clip_partials(
    inputs: tuple[Variable, ...], output: Variable, cotangent: Variable
) -> tuple[Variable, Variable, Variable]:
    x, low, high = inputs
    zero = ops.zeros_like(cotangent)
    inside = and_(ge(x, low), le(x, high))
    return (
        switch(inside, cotangent, zero),
        switch(lt(x, low), cotangent, zero),
        switch(gt(x, high), cotangent, zero),
    )


def _direction(x: Variable, magnitude: Variable) -> Variable:
    """Return the derivative of a magnitude; that of a complex number is a real part's."""
    return conj(true_div(x, magnitude)) if x.dtype in dtypes.COMPLEXES else sgn(x)


def _round_half_away(x: Array) -> Array:
    # Adding 0.5 first would round the largest number below 0.5 up.
    magnitude = np.abs(x)
    whole = np.trunc(magnitude)
    return np.asarray(np.copysign(whole + (magnitude - whole >= 0.5), x))


add: ElementwiseOp = elementwise("add", "x y", np.add, lambda i, o, g: (g, g))
sub: ElementwiseOp = elementwise(
    "sub", "x y", np.subtract, lambda i, o, g: (g, neg(g)), rule=number_rule
)
mul: ElementwiseOp = elementwise(
    "mul", "x y", np.multiply, lambda i, o, g: (mul(g, i[1]), mul(g, i[0]))
)
true_div: ElementwiseOp = elementwise(
    "true_div",
    "x y",
    np.true_divide,
    lambda i, o, g: (true_div(g, i[1]), neg(true_div(mul(g, i[0]), sqr(i[1])))),
    rule=division_rule,
)
floor_div: ElementwiseOp = elementwise(
    "floor_div", "x y", np.floor_divide, no_partials, rule=number_rule, display="int_div"
)
mod: ElementwiseOp = elementwise(
    "mod",
    "x y",
    np.remainder,
    lambda i, o, g: (g, neg(mul(g, floor_div(i[0], i[1])))),
    rule=number_rule,
)
pow_: ElementwiseOp = elementwise("pow", "x y", _power, _power_partials, rule=number_rule, ulp=2)
neg: ElementwiseOp = elementwise(
    "neg", "x", np.negative, lambda i, o, g: (neg(g),), rule=number_rule
)
sqr: ElementwiseOp = elementwise(
    "sqr", "x", np.square, lambda i, o, g: (mul(g, mul(2, i[0])),), rule=number_rule
)
inv: ElementwiseOp = elementwise(
    "inv", "x", np.reciprocal, lambda i, o, g: (neg(mul(g, sqr(o))),), rule=float_rule
)
abs_: ElementwiseOp = elementwise(
    "abs", "x", np.abs, lambda i, o, g: (mul(g, _direction(i[0], o)),), rule=magnitude_rule
)
sgn: ElementwiseOp = elementwise("sgn", "x", np.sign, no_partials, rule=number_rule)
identity: ElementwiseOp = elementwise("identity", "x", np.array, lambda i, o, g: (g,))
maximum: ElementwiseOp = elementwise(
    "maximum", "x y", np.maximum, lambda i, o, g: (mul(eq(o, i[0]), g), mul(neq(o, i[0]), g))
)
minimum: ElementwiseOp = elementwise(
    "minimum", "x y", np.minimum, lambda i, o, g: (mul(eq(o, i[0]), g), mul(neq(o, i[0]), g))
)
clip: ElementwiseOp = elementwise(
    "clip",
    "x low high",
    lambda x, low, high: np.minimum(np.maximum(x, low), high),
    _clip_partials,
    rule=number_rule,
)

ceil: ElementwiseOp = elementwise("ceil", "x", np.ceil, no_partials, rule=float_rule)
floor: ElementwiseOp = elementwise("floor", "x", np.floor, no_partials, rule=float_rule)
trunc: ElementwiseOp = elementwise("trunc", "x", np.trunc, no_partials, rule=float_rule)
round_half_to_even: ElementwiseOp = elementwise(
    "round_half_to_even", "x", np.rint, no_partials, rule=float_rule
)
round_half_away: ElementwiseOp = elementwise(
    "round_half_away",
    "x",
    _round_half_away,
    no_partials,
    rule=float_rule,
    display="round_half_away_from_zero",
)

eq: ElementwiseOp = elementwise(
    "eq", "x y", np.equal, no_partials, rule=comparison_rule, display="EQ"
)
neq: ElementwiseOp = elementwise(
    "neq", "x y", np.not_equal, no_partials, rule=comparison_rule, display="NEQ"
)
lt: ElementwiseOp = elementwise(
    "lt", "x y", np.less, no_partials, rule=comparison_rule, display="LT"
)
le: ElementwiseOp = elementwise(
    "le", "x y", np.less_equal, no_partials, rule=comparison_rule, display="LE"
)
gt: ElementwiseOp = elementwise(
    "gt", "x y", np.greater, no_partials, rule=comparison_rule, display="GT"
)
ge: ElementwiseOp = elementwise(
    "ge", "x y", np.greater_equal, no_partials, rule=comparison_rule, display="GE"
)
isnan: ElementwiseOp = elementwise("isnan", "x", np.isnan, no_partials, rule=predicate_rule)
isinf: ElementwiseOp = elementwise("isinf", "x", np.isinf, no_partials, rule=predicate_rule)

and_: ElementwiseOp = elementwise(
    "and_", "x y", np.bitwise_and, no_partials, rule=bitwise_rule, display="AND"
)
or_: ElementwiseOp = elementwise(
    "or_", "x y", np.bitwise_or, no_partials, rule=bitwise_rule, display="OR"
)
xor: ElementwiseOp = elementwise(
    "xor", "x y", np.bitwise_xor, no_partials, rule=bitwise_rule, display="XOR"
)
invert: ElementwiseOp = elementwise(
    "invert", "x", np.invert, no_partials, rule=bitwise_rule, display="INVERT"
)

switch: ElementwiseOp = elementwise(
    "switch",
    "condition x y",
    np.where,
    lambda i, o, g: (
        None,
        switch(i[0], g, ops.zeros_like(g)),
        switch(i[0], ops.zeros_like(g), g),
    ),
    rule=_switch_rule,
)
real: ElementwiseOp = elementwise(
    "real", "x", np.real, lambda i, o, g: (g,), rule=magnitude_rule, native=False
)
imag: ElementwiseOp = elementwise(
    "imag", "x", np.imag, lambda i, o, g: (mul(g, -1j),), rule=magnitude_rule, native=False
)
conj: ElementwiseOp = elementwise("conj", "x", np.conj, lambda i, o, g: (conj(g),), native=False)


def _cast_op(dtype: str) -> ElementwiseOp:
    return elementwise(
        f"cast_{dtype}",
        "x",
        lambda x: x if dtype != "bool" else x != 0,
        lambda i, o, g: (g,),
        rule=lambda inputs: (inputs, dtype),
        display=f"Cast{{{dtype}}}",
    )


CASTS: Final = {dtype: _cast_op(dtype) for dtype in dtypes.ALL}


def cast(x: Any, dtype: str) -> Variable:
    """Return ``x`` converted to another dtype; ``x`` itself if it has it already.

    Parameters
    ----------
    x
        A tensor.
    dtype
        Name of a dtype, or ``"floatX"``. Floats are cut towards zero by integer types.

    Raises
    ------
    GraphTypeError
        If a complex tensor would be cast to a real one.

    Examples
    --------
    >>> cast(ops.constant(2.75), "int32").dtype
    'int32'
    """
    variable = ops.as_variable(x)
    wanted = dtypes.normalize(dtype)
    if variable.dtype == wanted:
        return variable
    if variable.dtype in dtypes.COMPLEXES and wanted not in dtypes.COMPLEXES:
        raise CASTS[wanted].type_error(
            f"a complex tensor cannot become {wanted}: take real(x) or abs(x)"
        )
    return CASTS[wanted].make([variable], Params({})).outputs[0]


def cast_exactly(x: Variable, dtype: str) -> Variable:
    """Return ``x`` cast to a dtype that holds all its values; :class:`TypeError` if it does not."""
    if dtypes.upcast(x.dtype, dtype) != dtype:
        raise TypeError(f"a tensor of dtype {x.dtype} does not fit into {dtype} without loss: {x}")
    return cast(x, dtype)
