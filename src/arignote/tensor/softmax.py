"""Softmax and its logarithm."""

from __future__ import annotations

import warnings
from typing import Final

from arignote import ops
from arignote.graph import dtypes
from arignote.graph.variable import Variable
from arignote.run.introspect import op_class
from arignote.tensor.operators import symbolic
from arignote.tensor.var import TensorLike

Softmax: Final = op_class("Softmax")
LogSoftmax: Final = op_class("LogSoftmax")


def _rows(name: str, x: TensorLike) -> Variable:
    """Return what a softmax takes: a matrix, or a vector as a row, as Theano has it."""
    variable = ops.as_variable(x)
    if variable.ndim not in (1, 2) or variable.dtype not in dtypes.FLOATS:
        raise ValueError(f"[{name}] x must be 1-d or 2-d tensor of floats. Got {variable.type}")
    if variable.ndim == 1:
        warnings.warn(
            f"DEPRECATION: {name} of a vector gives a matrix of one row. Pad the vector yourself, "
            "with x.dimshuffle('x', 0), to say that this is meant.",
            stacklevel=3,
        )
    return ops.pad_left(variable, 2)


@symbolic
def softmax(c: TensorLike) -> Variable:
    """Return ``exp(c)`` divided by its sum over each row.

    Parameters
    ----------
    c
        A matrix of floats. A vector is taken for a row, with a warning.

    Returns
    -------
    TensorVariable
        A matrix of the shape and dtype of ``c``, whose rows sum to 1.

    Raises
    ------
    ValueError
        If ``c`` has another rank, or holds no floats.

    Examples
    --------
    >>> softmax([[0.0, 0.0], [0.0, 1000.0]]).eval()
    array([[0.5, 0.5],
           [0. , 1. ]])
    """
    return ops.softmax_op(_rows("softmax", c))


@symbolic
def logsoftmax(c: TensorLike) -> Variable:
    """Return the logarithm of :func:`softmax`, finite also where that is zero.

    Parameters
    ----------
    c
        A matrix of floats. A vector is taken for a row, with a warning.

    Returns
    -------
    TensorVariable
        A matrix of the shape and dtype of ``c``.

    Raises
    ------
    ValueError
        If ``c`` has another rank, or holds no floats.

    Examples
    --------
    >>> logsoftmax([[0.0, 1000.0]]).eval()
    array([[-1000.,     0.]])
    """
    return ops.log_softmax_op(_rows("logsoftmax", c))
