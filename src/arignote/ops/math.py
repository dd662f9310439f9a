"""Transcendental functions, elementwise.

The accuracy of each is the measured bound of the native kernel, in units in the last place.
"""

from __future__ import annotations

import numpy as np

from arignote.graph.dtypes import Array
from arignote.graph.variable import Variable
from arignote.ops.arithmetic import add, cast, mul, neg, sqr, sub, true_div
from arignote.ops.elementwise import ElementwiseOp, elementwise, float_rule

_LOG2 = float(np.log(2.0))
_LOG10 = float(np.log(10.0))


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def _softplus(x: Array) -> Array:
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def _arctan2_partials(
    inputs: tuple[Variable, ...], output: Variable, cotangent: Variable
) -> tuple[Variable, Variable]:
    # The square of an int8 would overflow.
    y, x = (cast(item, output.dtype) for item in inputs)
    squares = add(sqr(y), sqr(x))
    return (
        true_div(mul(cotangent, x), squares),
        neg(true_div(mul(cotangent, y), squares)),
    )


sqrt: ElementwiseOp = elementwise(
    "sqrt", "x", np.sqrt, lambda i, o, g: (true_div(mul(g, 0.5), o),), rule=float_rule
)
exp: ElementwiseOp = elementwise(
    "exp", "x", np.exp, lambda i, o, g: (mul(g, o),), rule=float_rule, ulp=2
)
exp2: ElementwiseOp = elementwise(
    "exp2", "x", np.exp2, lambda i, o, g: (mul(g, mul(o, _LOG2)),), rule=float_rule, ulp=2
)
expm1: ElementwiseOp = elementwise(
    "expm1", "x", np.expm1, lambda i, o, g: (mul(g, add(o, 1)),), rule=float_rule, ulp=4
)
log: ElementwiseOp = elementwise(
    "log", "x", np.log, lambda i, o, g: (true_div(g, i[0]),), rule=float_rule, ulp=4
)
log1p: ElementwiseOp = elementwise(
    "log1p", "x", np.log1p, lambda i, o, g: (true_div(g, add(i[0], 1)),), rule=float_rule, ulp=4
)
log2: ElementwiseOp = elementwise(
    "log2", "x", np.log2, lambda i, o, g: (true_div(g, mul(i[0], _LOG2)),), rule=float_rule, ulp=4
)
log10: ElementwiseOp = elementwise(
    "log10",
    "x",
    np.log10,
    lambda i, o, g: (true_div(g, mul(i[0], _LOG10)),),
    rule=float_rule,
    ulp=4,
)
sin: ElementwiseOp = elementwise(
    "sin", "x", np.sin, lambda i, o, g: (mul(g, cos(i[0])),), rule=float_rule, ulp=4
)
cos: ElementwiseOp = elementwise(
    "cos", "x", np.cos, lambda i, o, g: (neg(mul(g, sin(i[0]))),), rule=float_rule, ulp=4
)
tan: ElementwiseOp = elementwise(
    "tan", "x", np.tan, lambda i, o, g: (mul(g, add(sqr(o), 1)),), rule=float_rule, ulp=4
)
sinh: ElementwiseOp = elementwise(
    "sinh", "x", np.sinh, lambda i, o, g: (mul(g, cosh(i[0])),), rule=float_rule, ulp=4
)
cosh: ElementwiseOp = elementwise(
    "cosh", "x", np.cosh, lambda i, o, g: (mul(g, sinh(i[0])),), rule=float_rule, ulp=4
)
tanh: ElementwiseOp = elementwise(
    "tanh", "x", np.tanh, lambda i, o, g: (mul(g, sub(1, sqr(o))),), rule=float_rule, ulp=4
)
arcsin: ElementwiseOp = elementwise(
    "arcsin",
    "x",
    np.arcsin,
    lambda i, o, g: (true_div(g, sqrt(sub(1, sqr(i[0])))),),
    rule=float_rule,
    ulp=4,
)
arccos: ElementwiseOp = elementwise(
    "arccos",
    "x",
    np.arccos,
    lambda i, o, g: (neg(true_div(g, sqrt(sub(1, sqr(i[0]))))),),
    rule=float_rule,
    ulp=4,
)
arctan: ElementwiseOp = elementwise(
    "arctan",
    "x",
    np.arctan,
    lambda i, o, g: (true_div(g, add(sqr(i[0]), 1)),),
    rule=float_rule,
    ulp=4,
)
arcsinh: ElementwiseOp = elementwise(
    "arcsinh",
    "x",
    np.arcsinh,
    lambda i, o, g: (true_div(g, sqrt(add(sqr(i[0]), 1))),),
    rule=float_rule,
    ulp=4,
)
arccosh: ElementwiseOp = elementwise(
    "arccosh",
    "x",
    np.arccosh,
    lambda i, o, g: (true_div(g, sqrt(sub(sqr(i[0]), 1))),),
    rule=float_rule,
    ulp=4,
)
arctanh: ElementwiseOp = elementwise(
    "arctanh",
    "x",
    np.arctanh,
    lambda i, o, g: (true_div(g, sub(1, sqr(i[0]))),),
    rule=float_rule,
    ulp=4,
)
arctan2: ElementwiseOp = elementwise(
    "arctan2", "y x", np.arctan2, _arctan2_partials, rule=float_rule, ulp=4
)
sigmoid: ElementwiseOp = elementwise(
    "sigmoid", "x", _sigmoid, lambda i, o, g: (mul(mul(g, o), sub(1, o)),), rule=float_rule, ulp=4
)
softplus: ElementwiseOp = elementwise(
    "softplus", "x", _softplus, lambda i, o, g: (mul(g, sigmoid(i[0])),), rule=float_rule, ulp=4
)
