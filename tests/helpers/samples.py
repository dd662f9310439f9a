"""Calls of every op, on arrays of a given dtype: what drives the tables of ``tests/ops``.

``SAMPLES`` maps the name of an op to a builder of calls. An elementwise op needs none of its own:
its record tells how many operands it has and which dtypes it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from arignote import ops
from arignote.graph import dtypes
from arignote.graph.op import Op
from arignote.graph.type import TensorType
from arignote.graph.variable import Variable
from arignote.run.function import Function, function
from arignote.run.mode import Mode
from helpers.values import DTYPES, Array, Values

Pattern = tuple[bool, ...]

ROW: Final = (True, False)
COLUMN: Final = (False, True)


@dataclass(frozen=True)
class Sample:
    """One use of an op: a graph over variables of the types of ``arrays``.

    ``patterns`` are the variables' broadcast patterns; those left out broadcast nothing.
    """

    label: str
    build: Callable[..., Variable | Sequence[Variable]]
    arrays: tuple[Array, ...]
    patterns: tuple[Pattern, ...] = ()

    def graph(self) -> tuple[list[Variable], list[Variable]]:
        """Return new variables, and the outputs built from them."""
        given = [*self.patterns, *((False,) * a.ndim for a in self.arrays[len(self.patterns) :])]
        variables = [
            TensorType(array.dtype.name, pattern).make_variable()
            for array, pattern in zip(self.arrays, given, strict=True)
        ]
        outputs = self.build(*variables)
        return variables, [outputs] if isinstance(outputs, Variable) else list(outputs)

    def function(self, mode: Mode) -> Function:
        """Return the compiled graph."""
        return function(*self.graph(), mode=mode, on_unused_input="ignore")


Builder = Callable[[Op, Values, str], Iterator[Sample]]
SAMPLES: Final[dict[str, tuple[tuple[str, ...], Builder]]] = {}


def samples(*names: str, of: Sequence[str] = dtypes.ALL) -> Callable[[Builder], Builder]:
    """Make a function the builder of calls of some ops, on the given dtypes."""

    def register(builder: Builder) -> Builder:
        for name in names:
            SAMPLES[name] = (tuple(of), builder)
        return builder

    return register


def dtypes_of(op: Op) -> tuple[str, ...]:
    """Return the dtypes for which there are calls of an op, of those that tables try."""
    if isinstance(op, ops.ElementwiseOp):
        return tuple(dtype for dtype in DTYPES if _takes(op, dtype))
    return tuple(dtype for dtype in SAMPLES[op.name][0] if dtype in DTYPES)


def samples_of(op: Op, values: Values, dtype: str) -> list[Sample]:
    """Return calls of an op on operands of a dtype."""
    if isinstance(op, ops.ElementwiseOp):
        return list(_elementwise(op, values, dtype))
    return list(SAMPLES[op.name][1](op, values, dtype))


# --- elementwise ops


def _takes(op: ops.ElementwiseOp, dtype: str) -> bool:
    if op.name.startswith("cast_") and dtype in dtypes.COMPLEXES:
        return op.name.removeprefix("cast_") in dtypes.COMPLEXES
    try:
        computed, _ = op.rule(_operand_dtypes(op, dtype))
        with np.errstate(all="ignore"):
            op.scalar(*(np.ones((), item) for item in computed))
    except TypeError:  # of the rule, or of NumPy, which has no complex version of some functions
        return False
    return True


def _operand_dtypes(op: ops.ElementwiseOp, dtype: str) -> tuple[str, ...]:
    return tuple("bool" if name == "condition" else dtype for name in op.arguments)


def _elementwise(op: ops.ElementwiseOp, values: Values, dtype: str) -> Iterator[Sample]:
    kinds = _operand_dtypes(op, dtype)
    shapes: list[tuple[int, ...]] = [values.lengths(5, 7)]
    if values.scale == 1:
        shapes += [(), (0,), (1,), (67,), (0, 3), (2, 3, 5)]
    for shape in shapes:
        yield Sample(f"shape {shape}", op, tuple(values(kind, *shape) for kind in kinds))
    if len(kinds) == 1:
        yield Sample("specials", op, (values.specials(dtype),))
    else:
        yield from _of_several(op, values, kinds)


def _of_several(op: ops.ElementwiseOp, values: Values, kinds: tuple[str, ...]) -> Iterator[Sample]:
    n, m = values.lengths(6, 11)
    first, second, *rest = kinds
    if len(set(kinds)) == 1:
        yield Sample("of itself", lambda x: op(*(x for _ in kinds)), (values(first, n, m),))
    pairs = np.meshgrid(values.specials(first), values.specials(second), indexing="ij")
    grid = tuple(np.ascontiguousarray(item).ravel() for item in pairs)
    others = tuple(values(kind, *grid[0].shape) for kind in rest)
    yield Sample("pairs of specials", op, (*grid, *others))
    row, column = values(first, 1, m), values(second, n, 1)
    others = tuple(values(kind, n, m) for kind in rest)
    yield Sample("row and column", op, (row, column, *others), (ROW, COLUMN))
    scalars = tuple(values(kind) for kind in kinds[1:])
    yield Sample("matrix and scalars", op, (values(first, n, m), *scalars))
    other = "bool" if first == "bool" or _bitwise(op) else "int8"
    mixed = (values(first, n, m), values(other, n, m), *(values(kind, n, m) for kind in rest))
    yield Sample(f"with {other}", op, mixed)


def _bitwise(op: ops.ElementwiseOp) -> bool:
    return not _takes(op, "float64")
