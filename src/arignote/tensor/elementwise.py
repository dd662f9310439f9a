"""Functions of real analysis, element by element.

Integers of up to 16 bits and booleans are computed in float32, larger integers in float64.
"""

from __future__ import annotations

from math import pi
from typing import Final

from arignote import ops
from arignote.graph.variable import Variable
from arignote.tensor.documented import unary
from arignote.tensor.var import TensorLike

FLOAT: Final = "of its dtype if that is a float, else float32 or float64"


@unary(FLOAT)
def exp(x: TensorLike) -> Variable:
    """Return e to the power of each element.

    >>> exp([0.0, 1.0]).eval()
    array([1.        , 2.71828183])
    """
    return ops.exp(x)


@unary(FLOAT)
def exp2(x: TensorLike) -> Variable:
    """Return 2 to the power of each element.

    >>> exp2([0.0, 3.0]).eval()
    array([1., 8.])
    """
    return ops.exp2(x)


@unary(FLOAT)
def expm1(x: TensorLike) -> Variable:
    """Return ``exp(x) - 1``, accurate near zero.

    >>> expm1([0.0, 1.0]).eval()
    array([0.        , 1.71828183])
    """
    return ops.expm1(x)


@unary(FLOAT)
def log(x: TensorLike) -> Variable:
    """Return the natural logarithm: minus infinity at zero, nan below.

    >>> log([1.0, 2.0]).eval()
    array([0.        , 0.69314718])
    """
    return ops.log(x)


@unary(FLOAT)
def log2(x: TensorLike) -> Variable:
    """Return the logarithm to base 2.

    >>> log2([1.0, 8.0]).eval()
    array([0., 3.])
    """
    return ops.log2(x)


@unary(FLOAT)
def log10(x: TensorLike) -> Variable:
    """Return the logarithm to base 10.

    >>> log10([1.0, 100.0]).eval()
    array([0., 2.])
    """
    return ops.log10(x)


@unary(FLOAT)
def log1p(x: TensorLike) -> Variable:
    """Return ``log(1 + x)``, accurate near zero.

    >>> log1p([0.0, 1.0]).eval()
    array([0.        , 0.69314718])
    """
    return ops.log1p(x)


@unary(FLOAT)
def sqrt(x: TensorLike) -> Variable:
    """Return the square root: nan below zero.

    >>> sqrt([4.0, 9.0]).eval()
    array([2., 3.])
    """
    return ops.sqrt(x)


@unary(FLOAT)
def inv(x: TensorLike) -> Variable:
    """Return the reciprocal.

    >>> inv([2.0, 4.0]).eval()
    array([0.5 , 0.25])
    """
    return ops.inv(x)


@unary(FLOAT)
def sin(x: TensorLike) -> Variable:
    """Return the sine.

    >>> sin([0.0, 1.0]).eval()
    array([0.        , 0.84147098])
    """
    return ops.sin(x)


@unary(FLOAT)
def cos(x: TensorLike) -> Variable:
    """Return the cosine.

    >>> cos([0.0, 1.0]).eval()
    array([1.        , 0.54030231])
    """
    return ops.cos(x)


@unary(FLOAT)
def tan(x: TensorLike) -> Variable:
    """Return the tangent.

    >>> tan([0.0, 1.0]).eval()
    array([0.        , 1.55740772])
    """
    return ops.tan(x)


@unary(FLOAT)
def arcsin(x: TensorLike) -> Variable:
    """Return the inverse sine: nan outside [-1, 1].

    >>> arcsin([0.0, 1.0]).eval()
    array([0.        , 1.57079633])
    """
    return ops.arcsin(x)


@unary(FLOAT)
def arccos(x: TensorLike) -> Variable:
    """Return the inverse cosine: nan outside [-1, 1].

    >>> arccos([0.0, 1.0]).eval()
    array([1.57079633, 0.        ])
    """
    return ops.arccos(x)


@unary(FLOAT)
def arctan(x: TensorLike) -> Variable:
    """Return the inverse tangent.

    >>> arctan([0.0, 1.0]).eval()
    array([0.        , 0.78539816])
    """
    return ops.arctan(x)


@unary(FLOAT)
def sinh(x: TensorLike) -> Variable:
    """Return the hyperbolic sine.

    >>> sinh([0.0, 1.0]).eval()
    array([0.        , 1.17520119])
    """
    return ops.sinh(x)


@unary(FLOAT)
def cosh(x: TensorLike) -> Variable:
    """Return the hyperbolic cosine.

    >>> cosh([0.0, 1.0]).eval()
    array([1.        , 1.54308063])
    """
    return ops.cosh(x)


@unary(FLOAT)
def tanh(x: TensorLike) -> Variable:
    """Return the hyperbolic tangent.

    >>> tanh([0.0, 1.0]).eval()
    array([0.        , 0.76159416])
    """
    return ops.tanh(x)


@unary(FLOAT)
def arcsinh(x: TensorLike) -> Variable:
    """Return the inverse hyperbolic sine.

    >>> arcsinh([0.0, 1.0]).eval()
    array([0.        , 0.88137359])
    """
    return ops.arcsinh(x)


@unary(FLOAT)
def arccosh(x: TensorLike) -> Variable:
    """Return the inverse hyperbolic cosine: nan below 1.

    >>> arccosh([1.0, 2.0]).eval()
    array([0.       , 1.3169579])
    """
    return ops.arccosh(x)


@unary(FLOAT)
def arctanh(x: TensorLike) -> Variable:
    """Return the inverse hyperbolic tangent: nan outside [-1, 1].

    >>> arctanh([0.0, 0.5]).eval()
    array([0.        , 0.54930614])
    """
    return ops.arctanh(x)


@unary(FLOAT)
def deg2rad(x: TensorLike) -> Variable:
    """Return degrees as radians.

    >>> deg2rad([0.0, 180.0]).eval()
    array([0.        , 3.14159265])
    """
    return ops.mul(x, pi / 180)


@unary(FLOAT)
def rad2deg(x: TensorLike) -> Variable:
    """Return radians as degrees.

    >>> rad2deg([0.0, 1.0]).eval()
    array([ 0.        , 57.29577951])
    """
    return ops.mul(x, 180 / pi)
