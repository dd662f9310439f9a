"""Arithmetic, rounding and casting, element by element."""

from __future__ import annotations

from functools import reduce
from typing import Any, Final

from arignote import ops
from arignote.graph.variable import Variable
from arignote.tensor.documented import binary, unary
from arignote.tensor.elementwise import FLOAT
from arignote.tensor.operators import symbolic
from arignote.tensor.var import TensorLike

SAME: Final = "of its dtype"
COMMON: Final = "of the common dtype"


@binary(COMMON)
def add(a: TensorLike, *others: TensorLike) -> Variable:
    """Return the sum of two or more tensors; ``or`` for booleans.

    >>> add([1.0, 2.0], [3.0, 4.0]).eval()
    array([4., 6.])
    """
    return reduce(ops.add, others, ops.as_variable(a))


@binary(COMMON)
def sub(a: TensorLike, b: TensorLike) -> Variable:
    """Return the difference.

    >>> sub([1.0, 2.0], [3.0, 5.0]).eval()
    array([-2., -3.])
    """
    return ops.sub(a, b)


@binary(COMMON)
def mul(a: TensorLike, *others: TensorLike) -> Variable:
    """Return the product of two or more tensors; ``and`` for booleans.

    >>> mul([1.0, 2.0], [3.0, 4.0]).eval()
    array([3., 8.])
    """
    return reduce(ops.mul, others, ops.as_variable(a))


@binary("of the common dtype; integers divide to ``config.floatX``")
def true_div(a: TensorLike, b: TensorLike) -> Variable:
    """Return the quotient.

    >>> true_div([1, 2], [4, 4]).eval()
    array([0.25, 0.5 ])
    """
    return ops.true_div(a, b)


@binary(COMMON)
def int_div(a: TensorLike, b: TensorLike) -> Variable:
    """Return the quotient rounded down, as Python's ``//``.

    >>> int_div([7, -7], [2, 2]).eval()
    array([ 3, -4])
    """
    return ops.floor_div(a, b)


floor_div = int_div


@binary(COMMON)
def mod(a: TensorLike, b: TensorLike) -> Variable:
    """Return the remainder of :func:`int_div`, with the sign of ``b``, as Python's ``%``.

    >>> mod([7, -7], [3, 3]).eval()
    array([1, 2])
    """
    return ops.mod(a, b)


@binary(COMMON)
def pow(a: TensorLike, b: TensorLike) -> Variable:
    """Return ``a`` to the power of ``b``.

    >>> pow([2.0, 3.0], 2).eval()
    array([4., 9.])
    """
    return ops.pow_(a, b)


@binary(COMMON)
def maximum(a: TensorLike, b: TensorLike) -> Variable:
    """Return the larger of each pair; nan if one is. Ties give their gradient to ``a``.

    >>> maximum([1.0, 4.0], [3.0, 2.0]).eval()
    array([3., 4.])
    """
    return ops.maximum(a, b)


@binary(COMMON)
def minimum(a: TensorLike, b: TensorLike) -> Variable:
    """Return the smaller of each pair; nan if one is. Ties give their gradient to ``a``.

    >>> minimum([1.0, 4.0], [3.0, 2.0]).eval()
    array([1., 2.])
    """
    return ops.minimum(a, b)


@binary("of the common float dtype")
def arctan2(a: TensorLike, b: TensorLike) -> Variable:
    """Return the angle of the point (b, a), between -pi and pi.

    >>> arctan2([1.0], [-1.0]).eval()
    array([2.35619449])
    """
    return ops.arctan2(a, b)


@binary(COMMON)
def clip(x: TensorLike, min: TensorLike, max: TensorLike) -> Variable:
    """Return ``x`` cut to the interval from ``min`` to ``max``; its derivative is 1 on both edges.

    >>> clip([0.0, 1.5, 9.0], 1.0, 2.0).eval()
    array([1. , 1.5, 2. ])
    """
    return ops.clip(x, min, max)


@unary(FLOAT)
def ceil(x: TensorLike) -> Variable:
    """Return the smallest integer that is not below each element.

    >>> ceil([1.2, -1.2]).eval()
    array([ 2., -1.])
    """
    return ops.ceil(x)


@unary(FLOAT)
def floor(x: TensorLike) -> Variable:
    """Return the largest integer that is not above each element.

    >>> floor([1.2, -1.2]).eval()
    array([ 1., -2.])
    """
    return ops.floor(x)


@unary(FLOAT)
def trunc(x: TensorLike) -> Variable:
    """Return each element without its fraction.

    >>> trunc([1.2, -1.2]).eval()
    array([ 1., -1.])
    """
    return ops.trunc(x)


@unary(SAME)
def neg(a: TensorLike) -> Variable:
    """Return the negative of each element.

    >>> neg([1.0, -2.0]).eval()
    array([-1.,  2.])
    """
    return ops.neg(a)


@unary(SAME)
def abs_(a: TensorLike) -> Variable:
    """Return the absolute value; its derivative at zero is zero.

    >>> abs_([1.0, -2.0]).eval()
    array([1., 2.])
    """
    return ops.abs_(a)


@unary(SAME)
def sgn(a: TensorLike) -> Variable:
    """Return the sign: -1, 0 or 1.

    >>> sgn([3.0, 0.0, -2.0]).eval()
    array([ 1.,  0., -1.])
    """
    return ops.sgn(a)


@unary(SAME)
def sqr(a: TensorLike) -> Variable:
    """Return the square of each element.

    >>> sqr([3.0, -2.0]).eval()
    array([9., 4.])
    """
    return ops.sqr(a)


square = sqr


@unary(SAME)
def identity(x: TensorLike) -> Variable:
    """Return another variable of the same value.

    >>> identity([1.0, 2.0]).eval()
    array([1., 2.])
    """
    return ops.identity(x)


tensor_copy = identity


@unary(SAME)
def conj(z: TensorLike) -> Variable:
    """Return the complex conjugate.

    >>> conj([1.0 + 2.0j]).eval()
    array([1.-2.j])
    """
    return ops.conj(z)


@unary("of the dtype of its parts")
def real(z: TensorLike) -> Variable:
    """Return the real part of each element.

    >>> real([1.0 + 2.0j]).eval()
    array([1.])
    """
    return ops.real(z)


@unary("of the dtype of its parts")
def imag(z: TensorLike) -> Variable:
    """Return the imaginary part of each element.

    >>> imag([1.0 + 2.0j]).eval()
    array([2.])
    """
    return ops.imag(z)


_ROUNDINGS: Final = {
    "half_to_even": ops.round_half_to_even,
    "half_away_from_zero": ops.round_half_away,
}


@symbolic
def round(a: TensorLike, mode: str = "half_to_even") -> Variable:
    """Return each element rounded to the nearest integer, as a float.

    Parameters
    ----------
    a
        A tensor of any shape.
    mode
        Where a half goes: ``"half_to_even"`` or ``"half_away_from_zero"``.

    Returns
    -------
    TensorVariable
        Of the same shape, of its dtype if that is a float, else float32 or float64.

    Raises
    ------
    ValueError
        If there is no such mode.

    Examples
    --------
    >>> round([0.5, 1.5, -2.5]).eval()
    array([ 0.,  2., -2.])
    """
    if mode not in _ROUNDINGS:
        raise ValueError(f"[round] mode must be one of {', '.join(_ROUNDINGS)}: {mode!r}")
    return _ROUNDINGS[mode](a)


@symbolic
def iround(a: TensorLike, mode: str = "half_to_even") -> Variable:
    """Return each element rounded to the nearest integer, as int64.

    Parameters
    ----------
    a, mode
        As for :func:`round`.

    Returns
    -------
    TensorVariable
        Of the same shape, int64.

    Examples
    --------
    >>> iround([0.5, 1.5]).eval()
    array([0, 2])
    """
    return ops.cast(round(a, mode), "int64")


@symbolic
def cast(x: TensorLike, dtype: Any) -> Variable:
    """Return ``x`` converted to another dtype; ``x`` itself if it has it already.

    Parameters
    ----------
    x
        A tensor of any shape.
    dtype
        A dtype or its name; ``"floatX"`` stands for ``config.floatX``. Integer types cut floats
        towards zero.

    Returns
    -------
    TensorVariable
        Of the same shape.

    Raises
    ------
    TypeError
        If a complex tensor would become a real one, or there is no such dtype.

    Examples
    --------
    >>> cast([1.7, -1.7], "int32").eval()
    array([ 1, -1], dtype=int32)
    """
    return ops.cast(x, dtype)
