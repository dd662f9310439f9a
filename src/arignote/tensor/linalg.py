"""Products of vectors and matrices, and diagonals."""

from __future__ import annotations

from typing import Any

from arignote import ops
from arignote.errors import GraphTypeError
from arignote.graph.op import Op
from arignote.graph.variable import Variable
from arignote.tensor.operators import symbolic
from arignote.tensor.var import TensorLike


@symbolic
def dot(a: TensorLike, b: TensorLike) -> Variable:
    """Return the product of two tensors.

    Parameters
    ----------
    a, b
        Vectors and matrices multiply as such, a scalar multiplies each element; of more dimensions,
        the last of ``a`` is summed with the last but one of ``b``.

    Returns
    -------
    TensorVariable
        Of the common dtype.

    Raises
    ------
    ValueError
        In a call, if the lengths to be summed over differ.

    Examples
    --------
    >>> dot([[1.0, 2.0], [3.0, 4.0]], [1.0, 10.0]).eval()
    array([21., 43.])
    """
    return ops.dot(a, b)


@symbolic
def outer(x: TensorLike, y: TensorLike) -> Variable:
    """Return the matrix of the products of all pairs of elements.

    Parameters
    ----------
    x, y
        Tensors of n and m elements; they are flattened.

    Returns
    -------
    TensorVariable
        Of shape (n, m), of the common dtype.

    Examples
    --------
    >>> outer([1, 2], [3, 4, 5]).eval()
    array([[ 3,  4,  5],
           [ 6,  8, 10]])
    """
    return ops.outer(ops.flatten(x), ops.flatten(y))


@symbolic
def tensordot(a: TensorLike, b: TensorLike, axes: Any = 2) -> Variable:
    """Return the sum of products over pairs of dimensions.

    Parameters
    ----------
    a, b
        Tensors.
    axes
        How many last dimensions of ``a`` and first ones of ``b`` to sum over; or two lists: those
        of ``a``, and those of ``b`` that they meet.

    Returns
    -------
    TensorVariable
        Of the other dimensions of ``a``, then those of ``b``, and the common dtype.

    Raises
    ------
    ValueError
        If the dimensions do not come in pairs; in a call, if their lengths differ.

    Examples
    --------
    >>> tensordot([[1, 2], [3, 4]], [[5, 6], [7, 8]], axes=[[1], [1]]).eval()
    array([[17, 23],
           [39, 53]])
    """
    return ops.tensordot(a, b, axes)


def _matrix(op: Op, x: TensorLike) -> Variable:
    variable = ops.as_variable(x)
    if variable.ndim != 2:
        raise op.type_error(f"x must be a matrix: {variable.type}")
    return variable


@symbolic
def diagonal(a: TensorLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Variable:
    """Return a diagonal of a matrix.

    Parameters
    ----------
    a
        A matrix.
    offset
        Which: 0 is the main diagonal, those above are positive.
    axis1, axis2
        Rows and columns; exchanged, they give the diagonal of the transpose.

    Returns
    -------
    TensorVariable
        A vector, of the dtype of ``a``.

    Raises
    ------
    TypeError
        If ``a`` is no matrix.

    Examples
    --------
    >>> diagonal([[1, 2], [3, 4]], 1).eval()
    array([2])
    """
    x = ops.dimshuffle(_matrix(ops.diagonal_op, a), (axis1, axis2))
    start = (slice(None), slice(offset, None)) if offset >= 0 else (slice(-offset, None),)
    return ops.diagonal_op(ops.subtensor(x, start) if offset else x)


@symbolic
def diag(v: TensorLike, k: int = 0) -> Variable:
    """Return a diagonal of a matrix, or the matrix that has a vector as its diagonal.

    Parameters
    ----------
    v
        A matrix or a vector.
    k
        Which diagonal: 0 is the main one, those above are positive.

    Returns
    -------
    TensorVariable
        A vector for a matrix; for a vector of length n, zeros but for the diagonal, of shape
        (n + abs(k), n + abs(k)).

    Raises
    ------
    TypeError
        If ``v`` is neither.

    Examples
    --------
    >>> diag([1, 2]).eval()
    array([[1, 0],
           [0, 2]])
    """
    x = ops.as_variable(v)
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1:
        raise GraphTypeError(f"[diag] v must be a vector or a matrix: {x.type}")
    side = ops.add(ops.length(x, 0), abs(k))
    empty = ops.alloc(ops.constant(0, dtype=x.dtype), side, side)
    along = ops.arange(ops.length(x, 0))
    places = [ops.add(along, max(-k, 0)), ops.add(along, max(k, 0))]
    return ops.put(empty, x, places, increment=False)


@symbolic
def trace(a: TensorLike) -> Variable:
    """Return the sum of the main diagonal of a matrix.

    Parameters
    ----------
    a
        A matrix.

    Returns
    -------
    TensorVariable
        A scalar.

    Raises
    ------
    TypeError
        If ``a`` is no matrix.

    Examples
    --------
    >>> trace([[1, 2], [3, 4]]).eval()
    array(5)
    """
    return ops.sum_(ops.diagonal_op(_matrix(ops.diagonal_op, a)))
