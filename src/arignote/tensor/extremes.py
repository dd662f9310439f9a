"""Extremes and their places, and whether any or all elements are true, over axes."""

from __future__ import annotations

from typing import Any

from arignote import ops
from arignote.graph.variable import Variable
from arignote.tensor.operators import symbolic
from arignote.tensor.var import TensorLike, TensorVariable


@symbolic
def max(x: TensorLike, axis: Any = None, keepdims: bool = False) -> Variable:
    """Return the maximum over axes; nan if one is. Every tied element gets the whole gradient.

    Parameters
    ----------
    x, axis, keepdims
        As for :func:`arignote.tensor.sum`.

    Returns
    -------
    TensorVariable
        Of the remaining dimensions, of the dtype of ``x``.

    Raises
    ------
    ValueError
        If there is no such axis; in a call, if there is no element.

    Examples
    --------
    >>> max([[1, 5], [3, 2]], axis=1).eval()
    array([5, 3])
    """
    return ops.reduce_with(ops.max_op, x, axis, keepdims)


@symbolic
def min(x: TensorLike, axis: Any = None, keepdims: bool = False) -> Variable:
    """Return the minimum over axes; nan if one is. Every tied element gets the whole gradient.

    Parameters
    ----------
    x, axis, keepdims
        As for :func:`arignote.tensor.sum`.

    Returns
    -------
    TensorVariable
        Of the remaining dimensions, of the dtype of ``x``.

    Raises
    ------
    ValueError
        If there is no such axis; in a call, if there is no element.

    Examples
    --------
    >>> min([[1, 5], [3, 2]], axis=1).eval()
    array([1, 2])
    """
    return ops.reduce_with(ops.min_op, x, axis, keepdims)


@symbolic
def argmax(x: TensorLike, axis: Any = None, keepdims: bool = False) -> Variable:
    """Return where the maximum is, the first place of several, over an axis.

    Parameters
    ----------
    x, keepdims
        As for :func:`arignote.tensor.sum`.
    axis
        An axis; several, or None for all, count places in C order over them together.

    Returns
    -------
    TensorVariable
        Of the remaining dimensions, int64.

    Raises
    ------
    ValueError
        If there is no such axis; in a call, if there is no element.

    Examples
    --------
    >>> argmax([[1, 5], [3, 2]], axis=1).eval()
    array([1, 0])
    """
    return ops.reduce_with(ops.argmax_op, x, axis, keepdims)


@symbolic
def argmin(x: TensorLike, axis: Any = None, keepdims: bool = False) -> Variable:
    """Return where the minimum is, the first place of several, over an axis.

    Parameters
    ----------
    x, axis, keepdims
        As for :func:`argmax`.

    Returns
    -------
    TensorVariable
        Of the remaining dimensions, int64.

    Examples
    --------
    >>> argmin([[1, 5], [3, 2]], axis=1).eval()
    array([0, 1])
    """
    return ops.reduce_with(ops.argmin_op, x, axis, keepdims)


def max_and_argmax(a: TensorLike, axis: Any = None, keepdims: bool = False) -> list[TensorVariable]:
    """Return the maximum over axes and where it is.

    Parameters
    ----------
    a, axis, keepdims
        As for :func:`argmax`.

    Returns
    -------
    list of two TensorVariable
        As from :func:`max` and :func:`argmax`.

    Examples
    --------
    >>> [item.eval() for item in max_and_argmax([1, 5, 2])]
    [array(5), array(1)]
    """
    return [max(a, axis, keepdims), argmax(a, axis, keepdims)]


@symbolic
def ptp(a: TensorLike, axis: Any = None) -> Variable:
    """Return the difference of maximum and minimum over axes.

    Parameters
    ----------
    a, axis
        As for :func:`arignote.tensor.sum`.

    Returns
    -------
    TensorVariable
        Of the remaining dimensions, of the dtype of ``a``.

    Examples
    --------
    >>> ptp([1, 5, 2]).eval()
    array(4)
    """
    return ops.sub(max(a, axis), min(a, axis))


def _truth(x: TensorLike) -> Variable:
    variable = ops.as_variable(x)
    return variable if variable.dtype == "bool" else ops.neq(variable, 0)


@symbolic
def any(x: TensorLike, axis: Any = None, keepdims: bool = False) -> Variable:
    """Return whether some element over axes is not zero.

    Parameters
    ----------
    x, axis, keepdims
        As for :func:`arignote.tensor.sum`.

    Returns
    -------
    TensorVariable
        Of the remaining dimensions, boolean.

    Examples
    --------
    >>> any([[0, 1], [0, 0]], axis=1).eval()
    array([ True, False])
    """
    return ops.reduce_with(ops.any_op, _truth(x), axis, keepdims)


@symbolic
def all(x: TensorLike, axis: Any = None, keepdims: bool = False) -> Variable:
    """Return whether no element over axes is zero.

    Parameters
    ----------
    x, axis, keepdims
        As for :func:`arignote.tensor.sum`.

    Returns
    -------
    TensorVariable
        Of the remaining dimensions, boolean.

    Examples
    --------
    >>> all([[2, 1], [0, 1]], axis=1).eval()
    array([ True, False])
    """
    return ops.reduce_with(ops.all_op, _truth(x), axis, keepdims)
