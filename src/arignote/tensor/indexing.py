"""Reading and replacing selected elements."""

from __future__ import annotations

from typing import Any

from arignote import ops
from arignote.errors import GraphTypeError
from arignote.graph import dtypes
from arignote.graph.variable import Variable
from arignote.tensor.creation import arange, zeros
from arignote.tensor.operators import symbolic
from arignote.tensor.var import TensorLike, TensorVariable


def _updated(function: str, x: Variable, y: TensorLike, increment: bool) -> Variable:
    indexed = x.__dict__.get("_indexed") if isinstance(x, Variable) else None
    if indexed is None:
        raise GraphTypeError(f"[{function}] x must be what indexing a variable gave, a[i]: {x}")
    whole, items = indexed
    if any(ops.is_advanced(item) for item in items):
        return ops.advanced_update(whole, items, y, increment)
    return ops.slice_update(whole, items, y, increment)


@symbolic
def set_subtensor(x: Variable, y: TensorLike) -> Variable:
    """Return ``a`` with the elements ``a[i]`` set to ``y``.

    Parameters
    ----------
    x
        The expression ``a[i]`` itself.
    y
        A number or a tensor that broadcasts to it, of a dtype that fits into that of ``a``.

    Returns
    -------
    TensorVariable
        Of the shape and dtype of ``a``, which itself does not change.

    Raises
    ------
    TypeError
        If ``x`` is no result of indexing, or ``y`` does not fit.
    IndexError
        In a call, if an index is out of range.

    Examples
    --------
    >>> from arignote.tensor import dvector
    >>> a = dvector("a")
    >>> set_subtensor(a[1:], 9).eval({a: [1.0, 2.0, 3.0]})
    array([1., 9., 9.])
    """
    return _updated("set_subtensor", x, y, increment=False)


@symbolic
def inc_subtensor(x: Variable, y: TensorLike) -> Variable:
    """Return ``a`` with the elements ``a[i]`` increased by ``y``.

    Parameters
    ----------
    x
        The expression ``a[i]`` itself. An element that it holds twice is increased twice.
    y
        A number or a tensor that broadcasts to it, of a dtype that fits into that of ``a``.

    Returns
    -------
    TensorVariable
        Of the shape and dtype of ``a``, which itself does not change.

    Raises
    ------
    TypeError
        If ``x`` is no result of indexing, or ``y`` does not fit.
    IndexError
        In a call, if an index is out of range.

    Examples
    --------
    >>> from arignote.tensor import dvector
    >>> a = dvector("a")
    >>> inc_subtensor(a[[0, 0]], 10).eval({a: [1.0, 2.0, 3.0]})
    array([21.,  2.,  3.])
    """
    return _updated("inc_subtensor", x, y, increment=True)


def nonzero(a: TensorLike, return_matrix: bool = False) -> Any:
    """Return where elements are not zero, in C order.

    Parameters
    ----------
    a
        A tensor of at least one dimension.
    return_matrix
        Whether to return the coordinates as the rows of one matrix.

    Returns
    -------
    tuple of TensorVariable, or TensorVariable
        An int64 vector of coordinates for each dimension; ``a[nonzero(a)]`` are the elements.

    Raises
    ------
    TypeError
        If ``a`` is a scalar.

    Examples
    --------
    >>> [item.eval() for item in nonzero([[0, 5], [6, 0]])]
    [array([0, 1]), array([1, 0])]
    """
    coordinates = ops.nonzero(a)
    return ops.stack(coordinates) if return_matrix else tuple(coordinates)


@symbolic
def flatnonzero(a: TensorLike) -> Variable:
    """Return where elements of the flattened tensor are not zero.

    Parameters
    ----------
    a
        A tensor.

    Returns
    -------
    TensorVariable
        An int64 vector.

    Examples
    --------
    >>> flatnonzero([[0, 5], [6, 0]]).eval()
    array([1, 2])
    """
    return ops.nonzero(ops.flatten(a))[0]


@symbolic
def nonzero_values(a: TensorLike) -> Variable:
    """Return the elements that are not zero, in C order.

    Parameters
    ----------
    a
        A tensor.

    Returns
    -------
    TensorVariable
        A vector of the dtype of ``a``.

    Examples
    --------
    >>> nonzero_values([[0, 5], [6, 0]]).eval()
    array([5, 6])
    """
    flat = ops.flatten(a)
    return ops.advanced_subtensor(flat, ops.nonzero(flat))


@symbolic
def take(a: TensorLike, indices: TensorLike, axis: int | None = None) -> Variable:
    """Return elements or slices at given places along an axis.

    Parameters
    ----------
    a
        A tensor.
    indices
        Integers of any shape.
    axis
        The axis to take from; by default ``a`` is flattened first.

    Returns
    -------
    TensorVariable
        Of the shape of ``a`` with that of ``indices`` in place of ``axis``.

    Raises
    ------
    IndexError
        In a call, if an index is out of range.

    Examples
    --------
    >>> take([[1, 2, 3], [4, 5, 6]], [0, 2], axis=1).eval()
    array([[1, 3],
           [4, 6]])
    """
    variable: Any = ops.as_variable(a)
    if axis is None:
        variable, axis = ops.flatten(variable), 0
    (place,) = ops.normalize_axis(ops.take_op, axis, variable.ndim)
    index = (*[slice(None)] * place, ops.as_variable(indices))
    result: TensorVariable = variable[index]
    return result


@symbolic
def to_one_hot(y: TensorLike, nb_class: TensorLike, dtype: str | None = None) -> Variable:
    """Return a matrix with a row for each label, which is 1 in the column of that number, else 0.

    Parameters
    ----------
    y
        Labels, a vector of integers from 0 to ``nb_class - 1``. Negative ones count from the end.
    nb_class
        How many columns: an integer, or an integer scalar.
    dtype
        Of the result, ``config.floatX`` by default.

    Returns
    -------
    TensorVariable
        A matrix, one-hot targets of ``nnet.categorical_crossentropy``.

    Raises
    ------
    TypeError
        If ``y`` is no vector of integers.
    IndexError
        In a call, if a label is out of range.

    Examples
    --------
    >>> to_one_hot([2, 0], 3, dtype="int8").eval()
    array([[0, 0, 1],
           [1, 0, 0]], dtype=int8)
    """
    labels: Any = ops.as_variable(y)
    if labels.ndim != 1 or labels.dtype not in dtypes.INTEGERS:
        raise GraphTypeError(f"[to_one_hot] y must be a vector of integers: {labels.type}")
    rows = labels.shape[0]
    matrix: Any = zeros((rows, nb_class), dtype)
    return set_subtensor(matrix[arange(rows), labels], 1)
