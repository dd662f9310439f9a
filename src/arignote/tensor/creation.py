"""Tensors made from shapes and numbers."""

from __future__ import annotations

from typing import Any

from arignote import ops
from arignote.graph.variable import Variable
from arignote.tensor.operators import symbolic
from arignote.tensor.var import TensorLike


@symbolic
def alloc(val: TensorLike, *shapes: Any) -> Variable:
    """Return a tensor of a given shape that holds one value, or copies of a smaller tensor.

    Parameters
    ----------
    val
        A number, or a tensor whose broadcastable dimensions are broadcast and missing ones added.
    shapes
        The lengths: integers and integer scalars, or one vector of them.

    Returns
    -------
    TensorVariable
        Of the dtype of ``val``, broadcastable where the length is the number 1.

    Raises
    ------
    TypeError
        If ``val`` has more dimensions, or a length is no integer.

    Examples
    --------
    >>> alloc(1.5, 1, 2).eval()
    array([[1.5, 1.5]], dtype=float32)
    """
    return ops.alloc(val, *shapes)


@symbolic
def zeros(shape: Any, dtype: Any = None) -> Variable:
    """Return zeros.

    Parameters
    ----------
    shape
        The lengths: integers and integer scalars, or one vector of them; a single integer for a
        vector.
    dtype
        Of the elements; ``config.floatX`` by default.

    Returns
    -------
    TensorVariable
        Of the given shape, broadcastable where the length is the number 1.

    Examples
    --------
    >>> zeros((2, 3)).eval()
    array([[0., 0., 0.],
           [0., 0., 0.]])
    """
    return ops.alloc(ops.constant(0, dtype=dtype or "floatX"), shape)


@symbolic
def ones(shape: Any, dtype: Any = None) -> Variable:
    """Return ones.

    Parameters
    ----------
    shape, dtype
        As for :func:`zeros`.

    Returns
    -------
    TensorVariable
        Of the given shape, broadcastable where the length is the number 1.

    Examples
    --------
    >>> ones(2, dtype="int32").eval()
    array([1, 1], dtype=int32)
    """
    return ops.alloc(ops.constant(1, dtype=dtype or "floatX"), shape)


@symbolic
def zeros_like(model: TensorLike, dtype: Any = None) -> Variable:
    """Return zeros of the shape of a tensor.

    Parameters
    ----------
    model
        A tensor; only its shape matters.
    dtype
        Of the elements; that of ``model`` by default.

    Returns
    -------
    TensorVariable
        Of the shape and broadcast pattern of ``model``.

    Examples
    --------
    >>> zeros_like([1.5, 2.5]).eval()
    array([0., 0.])
    """
    return ops.zeros_like(model, dtype)


@symbolic
def ones_like(model: TensorLike, dtype: Any = None) -> Variable:
    """Return ones of the shape of a tensor.

    Parameters
    ----------
    model, dtype
        As for :func:`zeros_like`.

    Returns
    -------
    TensorVariable
        Of the shape and broadcast pattern of ``model``.

    Examples
    --------
    >>> ones_like([1.5, 2.5]).eval()
    array([1., 1.])
    """
    like = ops.as_variable(model)
    return ops.broadcast_like(ops.constant(1, dtype=dtype or like.dtype), like)


@symbolic
def fill(a: TensorLike, b: TensorLike) -> Variable:
    """Return a tensor of the shape of ``a`` that holds ``b``.

    Parameters
    ----------
    a
        A tensor; only its shape matters.
    b
        A number, or a tensor that broadcasts to the shape of ``a``.

    Returns
    -------
    TensorVariable
        Of the dtype of ``b``.

    Raises
    ------
    ValueError
        In a call, if lengths differ that are not broadcastable by type.

    Examples
    --------
    >>> fill([1, 2, 3], 7).eval()
    array([7, 7, 7], dtype=int8)
    """
    return ops.broadcast_like(ops.as_variable(b), a)


@symbolic
def arange(
    start: TensorLike, stop: TensorLike | None = None, step: TensorLike = 1, dtype: Any = None
) -> Variable:
    """Return ``start``, ``start + step``, … up to but without ``stop``.

    Parameters
    ----------
    start, stop, step
        Numbers or scalars. With only one, it is ``stop``, and ``start`` is 0.
    dtype
        Of the elements: by default int64 for integers, else the common float dtype.

    Returns
    -------
    TensorVariable
        A vector, empty if ``stop`` does not lie ahead.

    Raises
    ------
    TypeError
        If an argument is no scalar.

    Examples
    --------
    >>> arange(1, 7, 2).eval()
    array([1, 3, 5])
    """
    return ops.arange(start, stop, step, dtype)


@symbolic
def eye(n: Any, m: Any = None, k: Any = 0, dtype: Any = None) -> Variable:
    """Return a matrix with ones on a diagonal and zeros elsewhere.

    Parameters
    ----------
    n, m
        Numbers of rows and columns, integers or integer scalars; ``n`` columns by default.
    k
        The diagonal: 0 is the main one, those above are positive.
    dtype
        Of the elements; ``config.floatX`` by default.

    Returns
    -------
    TensorVariable
        Of shape (n, m).

    Examples
    --------
    >>> eye(2, 3, k=1).eval()
    array([[0., 1., 0.],
           [0., 0., 1.]])
    """
    return ops.eye(n, m, k, dtype)


@symbolic
def identity_like(x: TensorLike) -> Variable:
    """Return a matrix of the shape and dtype of ``x`` with ones on the main diagonal.

    Parameters
    ----------
    x
        A matrix; its values do not matter.

    Returns
    -------
    TensorVariable
        Of the shape and dtype of ``x``.

    Examples
    --------
    >>> identity_like([[5.0, 6.0], [7.0, 8.0]]).eval()
    array([[1., 0.],
           [0., 1.]])
    """
    like = ops.as_variable(x)
    return ops.eye(ops.length(like, 0), ops.length(like, 1), 0, like.dtype)


@symbolic
def tri(N: Any, M: Any = None, k: Any = 0, dtype: Any = None) -> Variable:
    """Return a matrix with ones on and below a diagonal and zeros above.

    Parameters
    ----------
    N, M
        Numbers of rows and columns, integers or integer scalars; ``N`` columns by default.
    k
        The diagonal: 0 is the main one, those above are positive.
    dtype
        Of the elements; ``config.floatX`` by default.

    Returns
    -------
    TensorVariable
        Of shape (N, M).

    Examples
    --------
    >>> tri(2, 3, dtype="int8").eval()
    array([[1, 0, 0],
           [1, 1, 0]], dtype=int8)
    """
    rows = ops.dimshuffle(ops.arange(N), (0, "x"))
    columns = ops.dimshuffle(ops.arange(N if M is None else M), ("x", 0))
    return ops.cast(ops.ge(ops.add(rows, k), columns), dtype or "floatX")


@symbolic
def tril(m: TensorLike, k: Any = 0) -> Variable:
    """Return a matrix with zeros above a diagonal.

    Parameters
    ----------
    m
        A matrix.
    k
        The diagonal: 0 is the main one, those above are positive.

    Returns
    -------
    TensorVariable
        Of the shape and dtype of ``m``.

    Examples
    --------
    >>> tril([[1, 2], [3, 4]]).eval()
    array([[1, 0],
           [3, 4]])
    """
    x = ops.as_variable(m)
    return ops.mul(x, tri(ops.length(x, 0), ops.length(x, 1), k, x.dtype))


@symbolic
def triu(m: TensorLike, k: Any = 0) -> Variable:
    """Return a matrix with zeros below a diagonal.

    Parameters
    ----------
    m
        A matrix.
    k
        The diagonal: 0 is the main one, those above are positive.

    Returns
    -------
    TensorVariable
        Of the shape and dtype of ``m``.

    Examples
    --------
    >>> triu([[1, 2], [3, 4]]).eval()
    array([[1, 2],
           [0, 4]])
    """
    x = ops.as_variable(m)
    below = tri(ops.length(x, 0), ops.length(x, 1), ops.sub(k, 1), x.dtype)
    return ops.mul(x, ops.sub(ops.constant(1, dtype=x.dtype), below))
