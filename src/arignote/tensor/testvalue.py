"""Test values: computing each node as it is built, so that a mistake shows at its own line.

Importing this module makes ``config.compute_test_value`` effective.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from arignote.config import config
from arignote.errors import IndexRangeError, ShapeError
from arignote.graph import walk
from arignote.graph.dim import Dim, Shape, wrap
from arignote.graph.op import NODE_OBSERVERS, Call
from arignote.graph.variable import Apply, Constant, SharedVariable, Variable


class _Shapes:
    """Answers what the shape rule of one node asks for, from the values of its inputs."""

    def __init__(self, node: Apply, values: list[npt.NDArray[Any]]) -> None:
        self.name = node.op.name
        self.values = dict(zip(node.inputs, values, strict=True))

    def value(self, variable: Variable) -> Dim:
        return int(self.values[variable])

    def shape_of(self, variable: Variable) -> Shape:
        return self.values[variable].shape

    def require_equal(self, found: Dim, expected: Dim, text: str) -> Dim:
        if found != expected:
            raise ShapeError(f"[{self.name}] {text.format(found=found, expected=expected)}")
        return expected

    def require_index(self, index: Dim, length: Dim, text: str) -> Dim:
        assert isinstance(index, int)
        assert isinstance(length, int)
        if not -length <= index < length:
            raise IndexRangeError(f"[{self.name}] {text.format(found=index, expected=length)}")
        return wrap(index, length)

    def require(self, holds: Dim, text: str) -> None:
        if not holds:
            raise ShapeError(f"[{self.name}] {text}")


def get_test_value(v: Variable) -> npt.NDArray[Any]:
    """Return the value a variable has while the graph is built.

    Parameters
    ----------
    v
        A constant, a shared variable, or one with a ``tag.test_value``.

    Returns
    -------
    ndarray
        Of the variable's type.

    Raises
    ------
    AttributeError
        If the variable has none.
    TypeError
        If its test value does not fit its type.

    Examples
    --------
    >>> from arignote import tensor
    >>> x = tensor.dvector("x")
    >>> x.tag.test_value = [1.0, 2.0]
    >>> get_test_value(x)
    array([1., 2.])
    """
    # Nodes that a rewrite built, for a gradient, were not observed.
    for node in walk.toposort([v], stop=_has_value):
        _evaluate(node)
    return _value(v)


def _has_value(variable: Variable) -> bool:
    held = isinstance(variable, Constant | SharedVariable)
    return held or hasattr(variable.tag, "test_value")


def _value(variable: Variable) -> npt.NDArray[Any]:
    if isinstance(variable, Constant):
        return variable.data
    if isinstance(variable, SharedVariable):
        value: npt.NDArray[Any] = variable.container.data
        return value
    if not hasattr(variable.tag, "test_value"):
        raise AttributeError(f"{variable} has no test value")
    from arignote.run.shared import filter_value

    try:
        return filter_value(variable.type, variable.tag.test_value)
    except TypeError as error:
        raise TypeError(
            "For compute_test_value, one input test value does not have the requested type.\n"
            f"The error when converting the test value to that variable type:\n{error}"
        ) from None


def _evaluate(node: Apply) -> None:
    values = [_value(variable) for variable in node.inputs]
    shapes = [np.shape(value) for value in values]
    node.op.shape(_Shapes(node, values), node, shapes)
    for output, value in zip(node.outputs, node.op.compute(Call.of(node), *values), strict=True):
        output.tag.test_value = value


def _observe(node: Apply) -> None:
    for position, variable in enumerate(node.inputs):
        if not _is_computable(variable):
            _report_missing(position, variable, node)
            return
        get_test_value(variable)
    _evaluate(node)


def _is_computable(variable: Variable) -> bool:
    reached = walk.ancestors([variable], stop=_has_value)
    return all(item.owner is not None or _has_value(item) for item in reached)


def _report_missing(position: int, variable: Variable, node: Apply) -> None:
    text = (
        f"Cannot compute test value: input {position} ({variable}) of Op {node} missing default "
        "value."
    )
    if config.compute_test_value == "raise":
        raise ValueError(text)
    if config.compute_test_value == "warn":
        warnings.warn(f"Warning, {text}", stacklevel=2)


def _switch(choice: str) -> None:
    if _observe in NODE_OBSERVERS:
        NODE_OBSERVERS.remove(_observe)
    if choice != "off":
        NODE_OBSERVERS.append(_observe)


config.listen("compute_test_value", _switch)
