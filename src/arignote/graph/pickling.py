"""Pickling and deep-copying graphs of any depth.

``pickle`` and ``deepcopy`` go from an object into what it refers to; a graph may be deeper than Python's
stack. So the first variable they meet hands them all its ancestors, inputs first: whatever is then
reached has its own inputs done already.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any, Final

from arignote.graph import walk
from arignote.graph.variable import Apply, Variable

# What the constructors set, and functions compiled for a variable's own use.
_NOT_STATE: Final = frozenset({"type", "owner", "index", "data", "container", "_compiled"})


class _Walk(threading.local):
    """Whether this thread is within the ancestors of a variable."""

    active = False


_walk = _Walk()


class _Ancestors:
    """Is pickled and copied as the list of a variable's ancestors, itself last."""

    def __init__(self, variable: Variable) -> None:
        self.variable = variable

    def __reduce__(self) -> tuple[Any, ...]:
        return (list, (), None, self._inputs_first())

    def _inputs_first(self) -> Iterator[Variable]:
        _walk.active = True
        try:
            yield from walk.ancestors([self.variable])
        finally:
            _walk.active = False


def _last(variables: Sequence[Variable]) -> Variable:
    return variables[-1]


def _output(node: Apply, index: int) -> Variable:
    return node.outputs[index]


def reduce_variable(variable: Variable, leaf_arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return how ``pickle`` and ``deepcopy`` make a variable again."""
    state = {name: value for name, value in variable.__dict__.items() if name not in _NOT_STATE}
    if variable.owner is None:
        return (type(variable), leaf_arguments, state)
    if _walk.active:
        return (_output, (variable.owner, variable.index), state)
    return (_last, (_Ancestors(variable),))
