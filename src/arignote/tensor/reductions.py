"""Sums, products, means and norms over axes."""

from __future__ import annotations

from math import isinf
from typing import Any

from arignote import ops
from arignote.errors import GraphTypeError
from arignote.graph import dtypes
from arignote.graph.op import Op
from arignote.graph.variable import Variable
from arignote.tensor.extremes import max
from arignote.tensor.operators import symbolic
from arignote.tensor.var import TensorLike


def _accumulated(
    op: Op, x: TensorLike, axis: Any, dtype: Any, keepdims: bool, acc_dtype: Any
) -> Variable:
    """Apply a sum or a product with the given dtypes of accumulator and result."""
    variable = ops.as_variable(x)
    default = ops.sum_dtype(variable.dtype)
    result = default if dtype is None else dtypes.normalize(dtype)
    if acc_dtype is not None:
        wanted = dtypes.normalize(acc_dtype)
        from_discrete = variable.dtype in dtypes.DISCRETE and wanted in dtypes.CONTINUOUS
        if dtypes.upcast(variable.dtype, wanted) != wanted and not from_discrete:
            raise GraphTypeError(
                f"[{op.name}] acc_dtype must hold every value of x without loss: {wanted} for "
                f"{variable.dtype}"
            )
        variable = ops.cast(variable, wanted)
    elif variable.dtype in dtypes.CONTINUOUS and dtypes.upcast(variable.dtype, result) == result:
        variable = ops.cast(variable, result)
    return ops.cast(ops.reduce_with(op, variable, axis, keepdims), result)


@symbolic
def sum(
    input: TensorLike,
    axis: Any = None,
    dtype: Any = None,
    keepdims: bool = False,
    acc_dtype: Any = None,
) -> Variable:
    """Return the sum over axes.

    Parameters
    ----------
    input
        A tensor of any shape.
    axis
        An axis or a list of them, counted from the end if negative; None stands for all.
    dtype
        Of the result: by default that of ``input``, int64 for signed integers and booleans, uint64
        for unsigned ones.
    keepdims
        Whether to keep the axes, as broadcastable ones of length 1.
    acc_dtype
        To add in. By default floats are added in float64; fewer bits than that are never used.

    Returns
    -------
    TensorVariable
        Of the remaining dimensions.

    Raises
    ------
    ValueError
        If there is no such axis.
    TypeError
        If ``acc_dtype`` does not hold the values of ``input``.

    Examples
    --------
    >>> sum([[1, 2], [3, 4]], axis=0).eval()
    array([4, 6])
    """
    return _accumulated(ops.sum_op, input, axis, dtype, keepdims, acc_dtype)


@symbolic
def prod(
    input: TensorLike,
    axis: Any = None,
    dtype: Any = None,
    keepdims: bool = False,
    acc_dtype: Any = None,
) -> Variable:
    """Return the product over axes.

    Parameters
    ----------
    input, axis, dtype, keepdims, acc_dtype
        As for :func:`sum`.

    Returns
    -------
    TensorVariable
        Of the remaining dimensions.

    Examples
    --------
    >>> prod([[1, 2], [3, 4]], axis=1).eval()
    array([ 2, 12])
    """
    return _accumulated(ops.prod_op, input, axis, dtype, keepdims, acc_dtype)


def _count(x: Variable, axis: Any, beside: str, less: int = 0) -> Variable:
    """Return how many elements a reduction takes together, to divide a sum of this dtype by."""
    count: Variable = ops.constant(1, dtype="int64")
    for position, item in enumerate(ops.normalize_axis(ops.sum_op, axis, x.ndim)):
        length = ops.length(x, item)
        count = length if position == 0 else ops.mul(count, length)
    dtype = "float32" if beside in ("float32", "complex64") else "float64"
    return ops.cast(ops.sub(count, less) if less else count, dtype)


@symbolic
def mean(
    input: TensorLike,
    axis: Any = None,
    dtype: Any = None,
    keepdims: bool = False,
    acc_dtype: Any = None,
) -> Variable:
    """Return the arithmetic mean over axes.

    Parameters
    ----------
    input, axis, keepdims, acc_dtype
        As for :func:`sum`.
    dtype
        Of the sum and the result: by default that of ``input``, float64 for integers and booleans.

    Returns
    -------
    TensorVariable
        Of the remaining dimensions; nan where there is nothing to take a mean of.

    Raises
    ------
    ValueError
        If there is no such axis.

    Examples
    --------
    >>> mean([[1, 2], [3, 5]], axis=0).eval()
    array([2. , 3.5])
    """
    variable = ops.as_variable(input)
    wanted = variable.dtype if dtype is None else dtypes.normalize(dtype)
    is_half = wanted in dtypes.HALVES  # a sum of these overflows, or has few digits
    total = sum(variable, axis, "float32" if is_half else dtype, keepdims, acc_dtype)
    result = ops.true_div(total, _count(variable, axis, total.dtype))
    if is_half:
        result = ops.cast(result, wanted)
    result.name = "mean"
    return result


@symbolic
def var(
    input: TensorLike,
    axis: Any = None,
    ddof: int = 0,
    keepdims: bool = False,
    corrected: bool = False,
) -> Variable:
    """Return the variance over axes: the mean square of the distance to the mean.

    Parameters
    ----------
    input, axis, keepdims
        As for :func:`sum`.
    ddof
        The sum of squares is divided by the number of elements less this.
    corrected
        Whether to take off what rounding of the mean adds.

    Returns
    -------
    TensorVariable
        Of the remaining dimensions; float64 for integers and booleans.

    Raises
    ------
    ValueError
        If there is no such axis, or ``ddof`` is a bool (it stands where other functions have
        ``keepdims``).

    Examples
    --------
    >>> var([1.0, 2.0, 4.0, 5.0]).eval()
    array(2.5)
    """
    if isinstance(ddof, bool):
        raise ValueError(f"[var] ddof must be an integer; keepdims comes after it: {ddof}")
    variable = ops.as_variable(input)
    centered = ops.sub(variable, mean(variable, axis, keepdims=True))
    result: Variable
    if ddof == 0:
        result = mean(ops.sqr(centered), axis, keepdims=keepdims)
    else:
        total = sum(ops.sqr(centered), axis, keepdims=keepdims)
        result = ops.true_div(total, _count(variable, axis, centered.dtype, ddof))
    if corrected:
        result = ops.sub(result, ops.sqr(mean(centered, axis, keepdims=keepdims)))
    result.name = "var"
    return result


@symbolic
def std(
    input: TensorLike,
    axis: Any = None,
    ddof: int = 0,
    keepdims: bool = False,
    corrected: bool = False,
) -> Variable:
    """Return the standard deviation over axes: the square root of :func:`var`.

    Parameters
    ----------
    input, axis, ddof, keepdims, corrected
        As for :func:`var`.

    Returns
    -------
    TensorVariable
        Of the remaining dimensions; float64 for integers and booleans.

    Examples
    --------
    >>> std([1.0, 3.0]).eval()
    array(1.)
    """
    result = ops.sqrt(var(input, axis, ddof, keepdims, corrected))
    result.name = "std"
    return result


@symbolic
def norm(
    x: TensorLike,
    L: float,
    axis: Any = None,
    keepdims: bool = False,
) -> Variable:
    """Return the L-norm over axes.

    Parameters
    ----------
    x, axis, keepdims
        As for :func:`sum`.
    L
        The order: 0 counts what is not zero, ``inf`` takes the largest magnitude.

    Returns
    -------
    TensorVariable
        Of the remaining dimensions.

    Examples
    --------
    >>> norm([3.0, 4.0], 2).eval()
    array(5.)
    """
    variable = ops.as_variable(x)
    if L == 0:
        return sum(ops.neq(variable, 0), axis, keepdims=keepdims)
    if isinf(L):
        return max(ops.abs_(variable), axis, keepdims)
    if L == 1:
        return sum(ops.abs_(variable), axis, keepdims=keepdims)
    if L == 2:
        return ops.sqrt(sum(ops.sqr(variable), axis, keepdims=keepdims))
    powers = ops.pow_(ops.abs_(variable), L)
    return ops.pow_(sum(powers, axis, keepdims=keepdims), 1.0 / L)
