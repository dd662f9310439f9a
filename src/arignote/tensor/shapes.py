"""The dimensions of tensors: their lengths, order, number and broadcast pattern."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from arignote import ops
from arignote.graph.variable import Variable
from arignote.tensor.operators import symbolic
from arignote.tensor.var import TensorLike, TensorVariable


def shape(x: TensorLike) -> TensorVariable:
    """Return the lengths of the dimensions.

    Parameters
    ----------
    x
        A tensor of n dimensions.

    Returns
    -------
    TensorVariable
        An int64 vector of length n; its elements can be taken one by one or by iteration.

    Examples
    --------
    >>> shape([[1, 2, 3], [4, 5, 6]]).eval()
    array([2, 3])
    """
    return symbolic(ops.as_variable)(x).shape


@symbolic
def size(x: TensorLike) -> Variable:
    """Return the number of elements.

    Parameters
    ----------
    x
        A tensor of any shape.

    Returns
    -------
    TensorVariable
        An int64 scalar.

    Examples
    --------
    >>> size([[1, 2, 3], [4, 5, 6]]).eval()
    array(6)
    """
    variable = ops.as_variable(x)
    result: Variable = ops.constant(1, dtype="int64")
    for axis in range(variable.ndim):
        result = ops.mul(result, ops.length(variable, axis))
    return result


@symbolic
def dimshuffle(x: TensorLike, pattern: Sequence[Any]) -> Variable:
    """Return ``x`` with its dimensions in another order.

    Parameters
    ----------
    x
        A tensor.
    pattern
        For each dimension of the result the number of one of ``x``, or ``"x"`` for a new one of
        length 1. Only a dimension that is broadcastable may be left out.

    Returns
    -------
    TensorVariable
        A view, of the dtype of ``x``.

    Raises
    ------
    ValueError
        If a dimension left out is not broadcastable.
    TypeError
        If the pattern names a dimension twice, or one that there is not.

    Examples
    --------
    >>> dimshuffle([[1, 2], [3, 4]], (1, "x", 0)).eval().shape
    (2, 1, 2)
    """
    return ops.dimshuffle(x, tuple(pattern))


@symbolic
def transpose(x: TensorLike, axes: Sequence[int] | None = None) -> Variable:
    """Return ``x`` with its dimensions in reverse, or another, order.

    Parameters
    ----------
    x
        A tensor.
    axes
        For each dimension of the result the number of one of ``x``.

    Returns
    -------
    TensorVariable
        A view, of the dtype of ``x``.

    Raises
    ------
    ValueError
        If ``axes`` does not name each dimension once.

    Examples
    --------
    >>> transpose([[1, 2], [3, 4]]).eval()
    array([[1, 3],
           [2, 4]])
    """
    return ops.transpose(x, axes)


@symbolic
def swapaxes(y: TensorLike, axis1: int, axis2: int) -> Variable:
    """Return a tensor with two dimensions exchanged.

    Parameters
    ----------
    y
        A tensor.
    axis1, axis2
        The dimensions, counted from the end if negative.

    Returns
    -------
    TensorVariable
        A view, of the dtype of ``y``.

    Examples
    --------
    >>> swapaxes([[1, 2, 3]], 0, 1).eval().shape
    (3, 1)
    """
    variable = ops.as_variable(y)
    (first,) = ops.normalize_axis(ops.dimshuffle_op, axis1, variable.ndim)
    (second,) = ops.normalize_axis(ops.dimshuffle_op, axis2, variable.ndim)
    order = list(range(variable.ndim))
    order[first], order[second] = second, first
    return ops.dimshuffle(variable, order)


@symbolic
def reshape(x: TensorLike, newshape: Any, ndim: int | None = None) -> Variable:
    """Return the elements of ``x``, in C order, under another shape.

    Parameters
    ----------
    x
        A tensor.
    newshape
        Integers, integer scalars, or an integer vector. One length may be -1: what is left.
    ndim
        Length of ``newshape``, needed if that is a vector whose length the graph does not tell.

    Returns
    -------
    TensorVariable
        Of the dtype of ``x``, broadcastable where the length is the number 1.

    Raises
    ------
    ValueError
        If two lengths are -1, or the number of dimensions is not known; in a call, if the number of
        elements differs.

    Examples
    --------
    >>> reshape([1, 2, 3, 4], (2, -1)).eval()
    array([[1, 2],
           [3, 4]])
    """
    return ops.reshape(x, newshape, ndim)


@symbolic
def flatten(x: TensorLike, ndim: int = 1) -> Variable:
    """Return ``x`` with its trailing dimensions merged.

    Parameters
    ----------
    x
        A tensor.
    ndim
        The number of dimensions to leave.

    Returns
    -------
    TensorVariable
        Of the dtype of ``x``.

    Raises
    ------
    ValueError
        If ``x`` has fewer dimensions.

    Examples
    --------
    >>> flatten([[[1, 2], [3, 4]]], ndim=2).eval()
    array([[1, 2, 3, 4]])
    """
    return ops.flatten(x, ndim)
