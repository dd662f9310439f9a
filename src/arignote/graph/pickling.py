"""Pickling and deep-copying graphs of any depth.

``pickle`` and ``deepcopy`` go from an object into what it refers to; a graph may be deeper than
Python's stack. So the first variable they meet hands them all its ancestors, inputs first: whatever
is then reached has its own inputs done already.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from typing import Any, Final

from arignote.graph import walk
from arignote.graph.variable import Apply, Variable

# What the constructors set, and functions compiled for a variable's own use.
_NOT_STATE: Final = frozenset({"type", "owner", "index", "data", "container", "_compiled"})


class _State(threading.local):
    """Within which list of ancestors this thread is; a list that failed is gone by itself."""

    start: weakref.ref[_Start] | None = None


_state = _State()


class _Start:
    """Stands before the ancestors of a variable."""

    def __reduce__(self) -> tuple[type[int], tuple[()]]:
        _state.start = weakref.ref(self)
        return (int, ())


class _End:
    """Stands behind them."""

    def __reduce__(self) -> tuple[type[int], tuple[()]]:
        _state.start = None
        return (int, ())


def _last(ancestors: Sequence[Any]) -> Variable:
    variable: Variable = ancestors[-2]
    return variable


def _output(node: Apply, index: int) -> Variable:
    return node.outputs[index]


def reduce_variable(variable: Variable, leaf_arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return how ``pickle`` and ``deepcopy`` make a variable again."""
    if variable.owner is not None and (_state.start is None or _state.start() is None):
        return (_last, ([_Start(), *walk.ancestors([variable]), _End()],))
    state = {name: value for name, value in variable.__dict__.items() if name not in _NOT_STATE}
    if variable.owner is None:
        return (type(variable), leaf_arguments, state)
    return (_output, (variable.owner, variable.index), state)
