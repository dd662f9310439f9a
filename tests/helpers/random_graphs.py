"""Random graphs whose every value is a small integer: whoever computes them gets the same bits."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

import arignote as theano
import arignote.tensor as T
from arignote import ops
from arignote.graph.type import TensorType
from arignote.graph.variable import SharedVariable, Variable
from helpers.evaluate import evaluate

Array = npt.NDArray[Any]

LENGTHS: Final = (0, 1, *[3] * 10, 4)
PATTERNS: Final = [(), (False,), (False,), *[(False, False)] * 4, (True, False), (False, True)]


@dataclass
class Graph:
    """Inputs and shared variables, what is computed from them, and the value of each variable."""

    inputs: list[Variable]
    states: list[SharedVariable]
    outputs: list[Variable]
    updates: list[tuple[SharedVariable, Variable]]
    values: Mapping[Variable, Array]

    @property
    def arguments(self) -> list[Array]:
        """Arguments for a call."""
        return [self.values[item] for item in self.inputs]


class Builder:
    """Grows one graph at random."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.values: dict[Variable, Array] = {}
        self.places: list[Variable] = []

    def pick(self, *items: Any) -> Any:
        """Return one of the items."""
        return self.random.choice(items)

    def array(self, dtype: str, pattern: tuple[bool, ...]) -> Array:
        """Return an array of small integers."""
        shape = tuple(1 if flag else self.pick(*LENGTHS) for flag in pattern)
        numbers = [self.random.randint(-3, 3) for _ in range(int(np.prod(shape)))]
        return np.array(numbers, dtype).reshape(shape)

    def leaf(self, shared: bool) -> Variable:
        """Return a new input or shared variable."""
        dtype = self.pick("float64", "float64", "float64", "float32", "int64")
        pattern = self.pick(*PATTERNS)
        array = self.array(dtype, pattern)
        variable: Variable
        if shared:
            variable = theano.shared(array, broadcastable=pattern)
        else:
            variable = TensorType(dtype, pattern).make_variable()
        self.values[variable] = array
        return variable

    def place(self) -> Variable:
        """Return an integer input, a place to cut at."""
        variable = T.lscalar()
        self.values[variable] = np.asarray(self.random.randint(-5, 5))
        self.places.append(variable)
        return variable

    def add(self, variable: Variable) -> None:
        """Take a variable up among the values."""
        self.values[variable] = evaluate(variable, self.values)

    def others_up_to(self, ndim: int) -> list[Variable]:
        """Return the variables of at most so many dimensions, without places."""
        return [item for item in self.values if item not in self.places and item.ndim <= ndim]

    def shape(self, variable: Variable) -> tuple[int, ...]:
        """Return a variable's shape."""
        return self.values[variable].shape

    def grow(self) -> None:
        """Apply one op that the values allow."""
        new = None
        while new is None:
            x = self.pick(*self.others_up_to(9))
            build = self.pick(*UNARY, *BINARY)
            if build in UNARY:
                new = build(self, x)
            else:
                new = build(self, x, self.pick(*self.others_up_to(x.ndim)))
        self.add(new)


def small(x: Variable) -> Variable:
    """Return the remainder by 7, so that numbers do not grow."""
    return T.mod(x, 7)


# --- ops on one variable; None where its shape does not allow the op


def _transposed(b: Builder, x: Variable) -> Variable:
    return x.T


def _reversed(b: Builder, x: Variable) -> Variable | None:
    return x[::-1] if x.ndim else None


def _cut(b: Builder, x: Variable) -> Variable | None:
    if not x.ndim:
        return None
    k = b.pick(1, -1, 2, b.pick(*b.places))
    last = b.pick(None, -1, b.pick(*b.places))
    cut = slice(k, last, b.pick(1, 2, -1))
    return x[cut] if b.pick(True, False) else x[..., cut]


def _row(b: Builder, x: Variable) -> Variable | None:
    return x[b.pick(0, -1)] if x.ndim and b.shape(x)[0] else None


def _summed(b: Builder, x: Variable) -> Variable:
    axis = b.pick(None, *range(x.ndim))
    return small(x.sum(axis=axis, keepdims=b.pick(True, False)))


def _largest(b: Builder, x: Variable) -> Variable | None:
    return x.max(axis=b.pick(None, *range(x.ndim))) if b.values[x].size else None


def _flat(b: Builder, x: Variable) -> Variable:
    return x.flatten()


def _reshaped(b: Builder, x: Variable) -> Variable | None:
    if x.ndim != 2:
        return None
    rows, columns = x.shape[0], x.shape[1]
    return x.reshape(b.pick((columns, rows), (1, rows * columns), (rows * columns, 1)))


def _padded(b: Builder, x: Variable) -> Variable | None:
    return x.dimshuffle("x", *range(x.ndim)) if x.ndim < 2 else None


def _cast(b: Builder, x: Variable) -> Variable:
    return x.astype(b.pick("float64", "float32", "int64"))


def _positive(b: Builder, x: Variable) -> Variable:
    return T.cast(T.gt(x, 0), x.dtype)


def _masked(b: Builder, x: Variable) -> Variable | None:
    return x[T.gt(x, 0).nonzero()] if x.ndim == 1 else None


def _selected(b: Builder, x: Variable) -> Variable | None:
    return x[[0, -1, 0]] if x.ndim and b.shape(x)[0] else None


def _lengths(b: Builder, x: Variable) -> Variable | None:
    return T.arange(x.shape[0]) * x.size if x.ndim else None


def _like(b: Builder, x: Variable) -> Variable:
    return T.ones_like(x) - x


# --- ops on two variables


def _elementwise(b: Builder, x: Variable, y: Variable) -> Variable | None:
    if b.shape(x)[x.ndim - y.ndim :] != b.shape(y):
        return None
    op = b.pick(T.add, T.sub, T.maximum, T.mul, lambda p, q: T.switch(T.gt(p, q), p, 2))
    return small(op(x, y))


def _with_transposed(b: Builder, x: Variable, y: Variable) -> Variable | None:
    return small(x + y.T) if b.shape(x) == b.shape(y)[::-1] else None


def _product(b: Builder, x: Variable, y: Variable) -> Variable | None:
    if not (y.ndim and x.ndim) or b.shape(x)[-1] != b.shape(y)[0]:
        return None
    return small(T.dot(x, y))


def _joined(b: Builder, x: Variable, y: Variable) -> Variable | None:
    if not x.ndim or x.ndim != y.ndim or b.shape(x)[1:] != b.shape(y)[1:]:
        return None
    return T.concatenate([x, y], axis=0) if b.values[x].size < 60 else None


def _chosen(b: Builder, x: Variable, y: Variable) -> Variable | None:
    if x.type != y.type:
        return None
    return theano.ifelse.ifelse(T.gt(b.pick(*b.places), 0), x, y)


def _is_list(x: Variable) -> bool:
    """Return whether a vector is one of known elements, which indexing picks."""
    return x.ndim == 1 and ops.static_length(x) is not None


def _written(b: Builder, x: Variable, y: Variable) -> Variable | None:
    if x.dtype != y.dtype or b.shape(x) != b.shape(y) or not x.ndim or _is_list(x):
        return None
    target = x[b.pick(slice(None), slice(None, None, -1), slice(1, None))]
    value = y if evaluate(target, b.values).shape == b.shape(y) else y[1:]
    return b.pick(T.set_subtensor, T.inc_subtensor)(target, value)


def _scattered(b: Builder, x: Variable, y: Variable) -> Variable | None:
    if x.dtype != y.dtype or x.ndim != y.ndim or not x.ndim or b.shape(x)[1:] != b.shape(y)[1:]:
        return None
    if not b.shape(x)[0] or _is_list(x):
        return None
    places = T.arange(y.shape[0]) % x.shape[0]
    return T.inc_subtensor(x[places], y)


UNARY: Final = (
    *(_transposed, _reversed, _cut, _row, _summed, _largest, _flat, _reshaped, _padded),
    *(_cast, _positive, _masked, _selected, _lengths, _like),
)
BINARY: Final = (
    *(_elementwise, _elementwise, _elementwise, _with_transposed, _product, _product, _product),
    *(_joined, _chosen, _written, _written, _scattered),
)


def random_graph(seed: int, size: int) -> Graph:
    """Return a graph of ``size`` ops."""
    b = Builder(seed)
    inputs = [b.leaf(False) for _ in range(b.pick(1, 2))]
    inputs += [b.place(), b.place()]
    states: list[Any] = [b.leaf(True) for _ in range(b.pick(0, 1, 2, 3))]
    for _ in range(size):
        b.grow()
    computed = b.others_up_to(9)[::-1]
    outputs = computed[: b.pick(0, 1, 2)]
    updates: list[tuple[SharedVariable, Variable]] = []
    for state in states:
        fitting = [item for item in computed if item.type == state.type and item is not state]
        if fitting and b.pick(True, True, False):
            updates.append((state, b.pick(*fitting[:4])))
    return Graph(inputs, states, outputs, updates, b.values)


def graphs(most: int = 16) -> st.SearchStrategy[Graph]:
    """Draw a graph of up to ``most`` ops."""
    return st.builds(random_graph, st.integers(0, 2**32), st.integers(1, most))
