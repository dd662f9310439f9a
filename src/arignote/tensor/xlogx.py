"""Products with logarithms that are zero, not nan, where their factor is."""

from __future__ import annotations

from arignote import ops
from arignote.graph.variable import Variable
from arignote.tensor.documented import binary, unary
from arignote.tensor.elementwise import FLOAT
from arignote.tensor.var import TensorLike


@binary("of the common float dtype")
def xlogy0(x: TensorLike, y: TensorLike) -> Variable:
    """Return ``x * log(y)``, zero where ``x`` is zero.

    >>> xlogy0([0.0, 2.0], [0.0, 1.0]).eval()
    array([0., 0.])
    """
    factor = ops.as_variable(x)
    absent = ops.eq(factor, 0)
    return ops.switch(absent, 0, ops.mul(factor, ops.log(ops.switch(absent, 1, y))))


@unary(FLOAT)
def xlogx(x: TensorLike) -> Variable:
    """Return ``x * log(x)``, zero where ``x`` is zero.

    >>> xlogx([0.0, 1.0]).eval()
    array([0., 0.])
    """
    return xlogy0(x, x)
