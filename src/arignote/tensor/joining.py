"""Tensors made of several, or of one several times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from arignote import ops
from arignote.errors import GraphTypeError, called
from arignote.graph.variable import Constant, Variable
from arignote.tensor.operators import symbolic
from arignote.tensor.var import TensorLike


@symbolic
def join(axis: Any, *tensors_list: TensorLike) -> Variable:
    """Return tensors joined along an existing dimension.

    Parameters
    ----------
    axis
        The dimension, counted from the end if negative.
    tensors_list
        Tensors of one rank, equal in all other lengths.

    Returns
    -------
    TensorVariable
        Of the common dtype.

    Raises
    ------
    TypeError
        If ranks differ, or there is no tensor.
    ValueError
        If there is no such dimension; in a call, if other lengths differ.

    Examples
    --------
    >>> join(1, [[1], [2]], [[3], [4]]).eval()
    array([[1, 3],
           [2, 4]])
    """
    return ops.join(axis, *tensors_list)


@symbolic
def concatenate(tensor_list: Sequence[TensorLike], axis: Any = 0) -> Variable:
    """Return tensors joined along an existing dimension, as :func:`join`.

    Parameters
    ----------
    tensor_list
        A list or tuple of tensors of one rank, equal in all other lengths.
    axis
        The dimension, counted from the end if negative.

    Returns
    -------
    TensorVariable
        Of the common dtype.

    Raises
    ------
    TypeError
        If ``tensor_list`` is no list or tuple, ranks differ, or there is no tensor.

    Examples
    --------
    >>> concatenate([[1], [2, 3]]).eval()
    array([1, 2, 3])
    """
    if not isinstance(tensor_list, list | tuple):
        raise GraphTypeError(
            "The 'tensors' argument must be either a tuple or a list, make sure you did not forget "
            f"() or [] around arguments of concatenate.: {tensor_list}"
        )
    return called("concatenate", ops.join, axis, *tensor_list)


@symbolic
def stack(*tensors: Any, axis: int = 0) -> Variable:
    """Return tensors of one rank joined along a new dimension.

    Parameters
    ----------
    tensors
        A list of tensors of equal shapes, with the axis perhaps after it; or the tensors
        themselves.
    axis
        Where the result has the new dimension.

    Returns
    -------
    TensorVariable
        Of the common dtype.

    Raises
    ------
    TypeError
        If ranks differ, or there is no tensor.
    IndexError
        If the result has no such dimension.

    Examples
    --------
    >>> stack([[1, 2], [3, 4]], axis=1).eval()
    array([[1, 3],
           [2, 4]])
    """
    items: Sequence[Any] = tensors
    if tensors and isinstance(tensors[0], list | tuple):
        items, *rest = tensors
        axis = rest[0] if rest else axis
    variables = [ops.as_variable(item) for item in items]
    rank = 1 + max((item.ndim for item in variables), default=0)
    if not -rank <= axis < rank:
        raise IndexError(f"[stack] axis must lie within the {rank} dimensions: {axis}")
    return called("stack", ops.stack, variables, axis)


@symbolic
def tile(x: TensorLike, reps: Any, ndim: int | None = None) -> Variable:
    """Return ``x`` laid side by side with itself.

    Parameters
    ----------
    x
        A tensor.
    reps
        How often along each dimension: integers or integer scalars. If there are fewer of them than
        dimensions they are those of the last ones; if there are more, ``x`` gets new ones in front.
    ndim
        Of the result, at least; missing counts are 1.

    Returns
    -------
    TensorVariable
        Of the dtype of ``x``.

    Examples
    --------
    >>> tile([1, 2], (2, 2)).eval()
    array([[1, 2, 1, 2],
           [1, 2, 1, 2]])
    """
    counts = ops.dims_of(reps, "[tile] reps")
    variable = ops.as_variable(x)
    rank = max(variable.ndim, len(counts), ndim or 0)
    counts = [ops.constant(1, dtype="int64")] * (rank - len(counts)) + counts
    padded = ops.pad_left(variable, rank)
    lengths = [ops.length(padded, axis) for axis in range(rank)]
    apart = ops.dimshuffle(padded, [item for axis in range(rank) for item in ("x", axis)])
    wide = ops.alloc(apart, *(dim for pair in zip(counts, lengths, strict=True) for dim in pair))
    return ops.reshape(wide, [ops.mul(c, n) for c, n in zip(counts, lengths, strict=True)])


@symbolic
def repeat(x: TensorLike, repeats: Any, axis: int | None = None) -> Variable:
    """Return ``x`` with each element repeated.

    Parameters
    ----------
    x
        A tensor.
    repeats
        How often: an integer, an integer scalar, or integers for each position along ``axis``.
    axis
        Along which to repeat; by default ``x`` is flattened first.

    Returns
    -------
    TensorVariable
        Of the dtype of ``x``.

    Raises
    ------
    NotImplementedError
        If ``repeats`` is a vector that is no constant.
    ValueError
        In a call, if a vector of repeats is not as long as the axis.

    Examples
    --------
    >>> repeat([[1, 2]], 2, axis=0).eval()
    array([[1, 2],
           [1, 2]])
    """
    variable = ops.as_variable(x)
    if axis is None:
        variable, axis = ops.flatten(variable), 0
    (place,) = ops.normalize_axis(ops.alloc_op, axis, variable.ndim)
    lengths = [ops.length(variable, item) for item in range(variable.ndim)]
    times = ops.as_variable(repeats)
    if times.broadcastable == (True,):
        times = ops.dimshuffle(times, ())
    if times.ndim == 1:
        if not isinstance(times, Constant):
            raise NotImplementedError(f"[repeat] a vector of repeats must be constant: {times}")
        lengths[place] = ops.constant(len(times.data), dtype="int64")
        positions = np.repeat(np.arange(len(times.data)), times.data)
        checked = ops.specify_shape(variable, lengths)
        return ops.advanced_subtensor(checked, [*[slice(None)] * place, positions])
    count = ops.scalar_dim(times, "[repeat] repeats")
    order = (*range(place + 1), "x", *range(place + 1, variable.ndim))
    wide = ops.alloc(
        ops.dimshuffle(variable, order), *lengths[: place + 1], count, *lengths[place + 1 :]
    )
    lengths[place] = ops.mul(lengths[place], count)
    return ops.reshape(wide, lengths)
