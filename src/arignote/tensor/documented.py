"""Docstrings of the elementwise functions: what they share is written once, here.

A function brings a sentence and an example; its parameters and result are described around them.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import CO_VARARGS
from typing import Final, ParamSpec

from arignote.graph.variable import Variable
from arignote.tensor.operators import symbolic
from arignote.tensor.var import TensorVariable

P = ParamSpec("P")

_UNARY: Final = """

    Parameters
    ----------
    {names}
        A tensor of any shape, or what converts to one.

    Returns
    -------
    TensorVariable
        Of the same shape, {dtype}.

    Examples
    --------
    {example}"""

_BINARY: Final = """

    Parameters
    ----------
    {names}
        Tensors, or what converts to them. Dimensions that are broadcastable by their type are
        broadcast; a Python float takes the dtype of a float tensor beside it.

    Returns
    -------
    TensorVariable
        Of the common shape, {dtype}.

    Raises
    ------
    ValueError
        In a call, if lengths differ that are not broadcastable by type.

    Examples
    --------
    {example}"""


def _completed(
    template: str, dtype: str
) -> Callable[[Callable[P, Variable]], Callable[P, TensorVariable]]:
    def complete(function: Callable[P, Variable]) -> Callable[P, TensorVariable]:
        if function.__doc__:
            code = function.__code__
            count = code.co_argcount + bool(code.co_flags & CO_VARARGS)
            names = ", ".join(code.co_varnames[:count])
            sentence, _, example = function.__doc__.partition("\n\n")
            function.__doc__ = sentence + template.format(
                names=names, dtype=dtype, example=example.strip()
            )
        return symbolic(function)

    return complete


def unary(dtype: str) -> Callable[[Callable[P, Variable]], Callable[P, TensorVariable]]:
    """Complete the docstring of a function of one tensor; ``dtype`` tells that of the result."""
    return _completed(_UNARY, dtype)


def binary(dtype: str) -> Callable[[Callable[P, Variable]], Callable[P, TensorVariable]]:
    """Complete the docstring of a function of several tensors of one shape."""
    return _completed(_BINARY, dtype)
