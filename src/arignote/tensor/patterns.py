"""Broadcast patterns: dimensions of length 1 added and dropped, and promises about lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from arignote import ops
from arignote.graph.variable import Variable
from arignote.tensor.operators import symbolic
from arignote.tensor.var import TensorLike, TensorVariable


@symbolic
def squeeze(x: TensorLike) -> Variable:
    """Return ``x`` without its broadcastable dimensions.

    Parameters
    ----------
    x
        A tensor.

    Returns
    -------
    TensorVariable
        A view, of the dtype of ``x``.

    Examples
    --------
    >>> squeeze([[1, 2, 3]]).eval()
    array([1, 2, 3])
    """
    variable = ops.as_variable(x)
    kept = [axis for axis, flag in enumerate(variable.broadcastable) if not flag]
    return ops.dimshuffle(variable, kept)


@symbolic
def shape_padleft(t: TensorLike, n_ones: int = 1) -> Variable:
    """Return a tensor with dimensions of length 1 in front.

    Parameters
    ----------
    t
        A tensor.
    n_ones
        How many to add.

    Returns
    -------
    TensorVariable
        A view, of the dtype of ``t``.

    Examples
    --------
    >>> shape_padleft([1, 2]).eval()
    array([[1, 2]])
    """
    variable = ops.as_variable(t)
    return ops.pad_left(variable, variable.ndim + n_ones)


@symbolic
def shape_padright(t: TensorLike, n_ones: int = 1) -> Variable:
    """Return a tensor with dimensions of length 1 at the end.

    Parameters
    ----------
    t
        A tensor.
    n_ones
        How many to add.

    Returns
    -------
    TensorVariable
        A view, of the dtype of ``t``.

    Examples
    --------
    >>> shape_padright([1, 2]).eval()
    array([[1],
           [2]])
    """
    variable = ops.as_variable(t)
    return ops.dimshuffle(variable, (*range(variable.ndim), *["x"] * n_ones))


@symbolic
def shape_padaxis(t: TensorLike, axis: int) -> Variable:
    """Return a tensor with a new dimension of length 1.

    Parameters
    ----------
    t
        A tensor.
    axis
        Where the result has it, counted from the end if negative.

    Returns
    -------
    TensorVariable
        A view, of the dtype of ``t``.

    Raises
    ------
    IndexError
        If the result has no such dimension.

    Examples
    --------
    >>> shape_padaxis([1, 2], 1).eval().shape
    (2, 1)
    """
    variable = ops.as_variable(t)
    rank = variable.ndim + 1
    if not -rank <= axis < rank:
        raise IndexError(f"[shape_padaxis] axis must lie within the {rank} dimensions: {axis}")
    place = axis % rank
    return ops.dimshuffle(variable, (*range(place), "x", *range(place, rank - 1)))


@symbolic
def patternbroadcast(x: TensorLike, broadcastable: Sequence[bool]) -> Variable:
    """Return ``x`` with another broadcast pattern.

    Parameters
    ----------
    x
        A tensor.
    broadcastable
        One bool for each dimension. That a length is 1 where the type of ``x`` does not tell is
        checked in each call.

    Returns
    -------
    TensorVariable
        A view, of the dtype of ``x``.

    Raises
    ------
    ValueError
        If the pattern is not as long as ``x`` has dimensions; in a call, if a length is not 1.

    Examples
    --------
    >>> from arignote.tensor import matrix
    >>> patternbroadcast(matrix("x"), (True, False)).type
    TensorType(float64, row)
    """
    variable = ops.as_variable(x)
    pattern = tuple(bool(flag) for flag in broadcastable)
    if len(pattern) != variable.ndim:
        raise ValueError(
            f"[patternbroadcast] broadcastable must have {variable.ndim} items: {len(pattern)}"
        )
    return ops.restore_pattern(variable, pattern)


def _with_flags(x: TensorLike, axes: Sequence[int], flag: bool) -> TensorVariable:
    variable = ops.as_variable(x)
    changed = ops.normalize_axis(ops.rebroadcast_op, list(axes), variable.ndim)
    pattern = [flag if axis in changed else own for axis, own in enumerate(variable.broadcastable)]
    return patternbroadcast(variable, pattern)


def addbroadcast(x: TensorLike, *axes: int) -> TensorVariable:
    """Return ``x`` with dimensions made broadcastable.

    Parameters
    ----------
    x
        A tensor.
    axes
        The dimensions; their length is checked to be 1 in each call.

    Returns
    -------
    TensorVariable
        A view, of the dtype of ``x``.

    Raises
    ------
    ValueError
        If there is no such dimension; in a call, if its length is not 1.

    Examples
    --------
    >>> from arignote.tensor import matrix
    >>> addbroadcast(matrix("x"), 1).type
    TensorType(float64, col)
    """
    return _with_flags(x, axes, True)


def unbroadcast(x: TensorLike, *axes: int) -> TensorVariable:
    """Return ``x`` with dimensions made not broadcastable.

    Parameters
    ----------
    x
        A tensor.
    axes
        The dimensions.

    Returns
    -------
    TensorVariable
        A view, of the dtype of ``x``.

    Raises
    ------
    ValueError
        If there is no such dimension.

    Examples
    --------
    >>> from arignote.tensor import row
    >>> unbroadcast(row("x"), 0).type
    TensorType(float64, matrix)
    """
    return _with_flags(x, axes, False)


@symbolic
def specify_shape(x: TensorLike, shape: Any) -> Variable:
    """Return ``x`` with a promise about its shape, checked in each call.

    Parameters
    ----------
    x
        A tensor.
    shape
        Integers, integer scalars or an integer vector, one for each dimension.

    Returns
    -------
    TensorVariable
        A view, of the dtype of ``x``.

    Raises
    ------
    TypeError
        If the number of dimensions differs.
    ValueError
        In a call, if a length differs.

    Examples
    --------
    >>> from arignote.tensor import matrix
    >>> specify_shape(matrix("x"), (1, 4)).type
    TensorType(float64, row)
    """
    return ops.specify_shape(x, shape)
