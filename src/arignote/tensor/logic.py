"""Comparison, bitwise and selecting functions, element by element."""

from __future__ import annotations

from typing import Final

from arignote import ops
from arignote.graph.variable import Variable
from arignote.tensor.documented import binary, unary
from arignote.tensor.var import TensorLike

BITS: Final = "of the common dtype, which must be integer or boolean"


@binary("boolean")
def eq(a: TensorLike, b: TensorLike) -> Variable:
    """Return where ``a == b``.

    >>> eq([1, 2], [1, 3]).eval()
    array([ True, False])
    """
    return ops.eq(a, b)


@binary("boolean")
def neq(a: TensorLike, b: TensorLike) -> Variable:
    """Return where ``a != b``.

    >>> neq([1, 2], [1, 3]).eval()
    array([False,  True])
    """
    return ops.neq(a, b)


@binary("boolean")
def lt(a: TensorLike, b: TensorLike) -> Variable:
    """Return where ``a < b``.

    >>> lt([1, 2], [2, 2]).eval()
    array([ True, False])
    """
    return ops.lt(a, b)


@binary("boolean")
def le(a: TensorLike, b: TensorLike) -> Variable:
    """Return where ``a <= b``.

    >>> le([1, 2, 3], [2, 2, 2]).eval()
    array([ True,  True, False])
    """
    return ops.le(a, b)


@binary("boolean")
def gt(a: TensorLike, b: TensorLike) -> Variable:
    """Return where ``a > b``.

    >>> gt([1, 2, 3], [2, 2, 2]).eval()
    array([False, False,  True])
    """
    return ops.gt(a, b)


@binary("boolean")
def ge(a: TensorLike, b: TensorLike) -> Variable:
    """Return where ``a >= b``.

    >>> ge([1, 2], [2, 2]).eval()
    array([False,  True])
    """
    return ops.ge(a, b)


@binary(BITS)
def and_(a: TensorLike, b: TensorLike) -> Variable:
    """Return the bitwise ``and``.

    >>> and_([6, 5], 3).eval()
    array([2, 1])
    """
    return ops.and_(a, b)


@binary(BITS)
def or_(a: TensorLike, b: TensorLike) -> Variable:
    """Return the bitwise ``or``.

    >>> or_([6, 5], 3).eval()
    array([7, 7])
    """
    return ops.or_(a, b)


@binary(BITS)
def xor(a: TensorLike, b: TensorLike) -> Variable:
    """Return the bitwise exclusive ``or``.

    >>> xor([6, 5], 3).eval()
    array([5, 6])
    """
    return ops.xor(a, b)


@binary("of the common dtype of ``ift`` and ``iff``")
def switch(cond: TensorLike, ift: TensorLike, iff: TensorLike) -> Variable:
    """Return ``ift`` where ``cond`` is not zero, else ``iff``.

    >>> switch([True, False], [1.0, 2.0], -1.0).eval()
    array([ 1., -1.])
    """
    return ops.switch(cond, ift, iff)


where = switch


@unary("boolean")
def isnan(a: TensorLike) -> Variable:
    """Return which elements are not a number.

    >>> isnan([1.0, float("nan")]).eval()
    array([False,  True])
    """
    return ops.isnan(a)


@unary("boolean")
def isinf(a: TensorLike) -> Variable:
    """Return which elements are infinite.

    >>> isinf([1.0, float("inf")]).eval()
    array([False,  True])
    """
    return ops.isinf(a)


@unary("of its dtype, which must be integer or boolean")
def invert(a: TensorLike) -> Variable:
    """Return each element with its bits inverted; ``not`` for booleans.

    >>> invert([True, False]).eval()
    array([False,  True])
    """
    return ops.invert(a)


bitwise_and, bitwise_or, bitwise_xor, bitwise_not = and_, or_, xor, invert
