"""Constants, and turning what a user writes into variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from arignote.errors import GraphTypeError
from arignote.graph import dtypes
from arignote.graph.type import GenericType, TensorType
from arignote.graph.variable import Constant, Variable


def constant(value: Any, dtype: str | None = None, name: str | None = None) -> Constant:
    """Return a constant variable.

    Parameters
    ----------
    value
        A number, an array or nested lists of numbers.
    dtype
        Of the constant. By default an array keeps its own; a Python int takes the smallest signed
        integer that holds it, a Python float float32 if that holds it exactly or is ``floatX``,
        else float64.
    name
        Of the variable.

    Raises
    ------
    GraphTypeError
        If the value is no number or array of numbers.

    Examples
    --------
    >>> constant(2).dtype, constant([1.5, 2]).dtype, constant(3, dtype="float32").dtype
    ('int8', 'float64', 'float32')
    """
    if dtype is not None:
        dtype = dtypes.normalize(dtype)
    elif isinstance(value, int | float | complex):
        dtype = dtypes.of_constant(value)
    try:
        with np.errstate(over="ignore"):  # beside a float32 1e300 is one, too: infinity
            data = np.asarray(value, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise GraphTypeError(
            f"[constant] value must be a number or an array of numbers: {value!r}"
        ) from error
    if data.dtype.name not in dtypes.ALL:
        raise GraphTypeError(
            f"[constant] value must be a number or an array of numbers: {value!r} "
            f"of type {type(value).__name__}"
        )
    pattern = tuple(length == 1 for length in data.shape)
    data = np.ascontiguousarray(data).reshape(data.shape)
    return TensorType(data.dtype.name, pattern).make_constant(data, name)


def as_variable(value: Any, name: str | None = None) -> Variable:
    """Return a variable for a variable, a number, an array, or a list that may hold variables.

    >>> as_variable(1.5)
    TensorConstant{1.5}
    """
    if isinstance(value, Variable):
        if isinstance(value.type, GenericType):
            raise GraphTypeError(
                f"[as_tensor_variable] a tensor is needed: {value} holds a Python object"
            )
        return value
    if isinstance(value, list | tuple) and any(_holds_variable(item) for item in value):
        from arignote.ops.shape import stack

        return stack([as_variable(item) for item in value])
    return constant(value, name=name)


def _holds_variable(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(_holds_variable(item) for item in value)
    return isinstance(value, Variable)


def constant_value(variable: Variable) -> Any:
    """Return the number a constant holds in every element, or None if it is no such constant."""
    if not isinstance(variable, Constant) or not variable.data.size:
        return None
    first = variable.data.flat[0]
    if variable.data.size > 1 and not bool(np.all(variable.data == first)):
        return None
    return first.item()


def is_discrete(variable: Variable) -> bool:
    """Return whether a variable holds integers or booleans."""
    return variable.dtype in dtypes.DISCRETE


def as_variables(*values: Any) -> Sequence[Variable]:
    """Return a variable for each value; the ``prepare`` of most ops."""
    return [as_variable(value) for value in values]
