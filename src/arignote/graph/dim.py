"""Sizes that are known only when a function is called.

A dim is an ``int`` or an :class:`Expr` over the shapes, strides and integer values of a plan's
inputs and shared variables. The same shape rule of an op works on both, so the reference executor
(ints) and the plan (expressions) cannot disagree. Expressions are values: equal when built the
same way.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias
from weakref import WeakValueDictionary

Dim: TypeAlias = "int | Expr"
Shape: TypeAlias = tuple[Dim, ...]


def _wrap_bits(bits: int) -> Callable[[int], int]:
    half = 1 << (bits - 1)
    return lambda value: (value + half) % (2 * half) - half


_int64 = _wrap_bits(64)


def wrap(index: int, length: int) -> int:
    """Return an index counted from the end as one counted from the start."""
    return _int64(index + length) if index < 0 else index


# Every operation an expression may hold, with its meaning on ints. Results wrap to 64 bits, and
# division by zero is zero, as in NumPy's integer arrays; only the product ``size`` stays at the
# bound. The native evaluator knows the same names.
OPERATIONS: Final[dict[str, Callable[..., int]]] = {
    "add": lambda a, b: _int64(a + b),
    "sub": lambda a, b: _int64(a - b),
    "mul": lambda a, b: _int64(a * b),
    "size": lambda a, b: min(max(a * b, -(2**63)), 2**63 - 1),
    "floordiv": lambda a, b: _int64(a // b) if b else 0,
    "mod": lambda a, b: a % b if b else 0,
    "min": min,
    "max": max,
    "wrap": wrap,
    "eq": lambda a, b: int(a == b),
    "lt": lambda a, b: int(a < b),
    "int8": _wrap_bits(8),
    "int16": _wrap_bits(16),
    "int32": _wrap_bits(32),
}

UNARY: Final = ("int8", "int16", "int32")

# Sources: shape(buffer, axis), stride(buffer, axis) in bytes, value(buffer) of an integer scalar
# that is an input or shared, read(buffer) of one that a step computes.
SOURCES: Final = ("shape", "stride", "value", "read")


# Operands beyond this weight are no longer written out.
READABLE: Final = 64


class Expr:
    """An integer expression; ``args`` are dims, or buffer name and axis for a source.

    Equal expressions are one object: what several share is stored, compared and walked once.

    Attributes
    ----------
    op, args
        The operation, or kind of source, and its operands.
    reads
        Names of the buffers that steps must write before the value is known.
    is_length
        Whether it is known not to be negative.
    weight
        How many operations and sources it would be written with.
    """

    __slots__ = ("__weakref__", "args", "is_length", "op", "reads", "weight")

    op: str
    args: tuple[int | str | Expr, ...]
    reads: frozenset[str]
    is_length: bool
    weight: int

    def __new__(cls, op: str, args: tuple[int | str | Expr, ...]) -> Expr:
        key = (op, args)
        with _interned.lock:
            found = _interned.known.get(key)
            if found is None:
                found = super().__new__(cls)
                found._fill(op, args)
                _interned.known[key] = found
            return found

    def _fill(self, op: str, args: tuple[int | str | Expr, ...]) -> None:
        set_ = object.__setattr__
        operands = [arg for arg in args if isinstance(arg, Expr)]
        own = frozenset((str(args[0]),)) if op == "read" else frozenset()
        set_(self, "op", op)
        set_(self, "args", args)
        set_(self, "reads", own.union(*(item.reads for item in operands)))
        set_(self, "weight", 1 + sum(item.weight for item in operands))
        set_(self, "is_length", op == "shape" or _is_length(op, args))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"[dim] an expression cannot be changed: {name}")

    def __add__(self, other: Dim) -> Dim:
        return build("add", self, other)

    def __radd__(self, other: Dim) -> Dim:
        return build("add", other, self)

    def __sub__(self, other: Dim) -> Dim:
        return build("sub", self, other)

    def __rsub__(self, other: Dim) -> Dim:
        return build("sub", other, self)

    def __mul__(self, other: Dim) -> Dim:
        return build("mul", self, other)

    def __rmul__(self, other: Dim) -> Dim:
        return build("mul", other, self)

    def __floordiv__(self, other: Dim) -> Dim:
        return build("floordiv", self, other)

    def __rfloordiv__(self, other: Dim) -> Dim:
        return build("floordiv", other, self)

    def __neg__(self) -> Dim:
        return build("sub", 0, self)

    def __reduce__(self) -> tuple[type[Expr], tuple[str, tuple[int | str | Expr, ...]]]:
        # Without the hash: that of a string differs from process to process.
        return (Expr, (self.op, self.args))

    def __str__(self) -> str:
        symbol = {"add": "+", "sub": "-", "mul": "*", "floordiv": "//", "mod": "%"}.get(self.op)
        shown = [
            "…" if isinstance(arg, Expr) and arg.weight > READABLE else str(arg)
            for arg in self.args
        ]
        if symbol:
            return f"({shown[0]} {symbol} {shown[1]})"
        return f"{self.op}({', '.join(shown)})"

    __repr__ = __str__


class _Interned:
    """The expressions that there are, and the lock under which they grow in number."""

    def __init__(self) -> None:
        self.known: WeakValueDictionary[tuple[str, Any], Expr] = WeakValueDictionary()
        self.renew_lock()

    def renew_lock(self) -> None:
        """Make the lock anew: a forked process has none of the threads that may have held it."""
        # One that may be taken twice: while it is held, what the garbage collector runs may build
        # expressions.
        self.lock = threading.RLock()


_interned = _Interned()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_interned.renew_lock)


def _is_length(op: str, args: tuple[int | str | Expr, ...]) -> bool:
    operands = [is_length(arg) for arg in args if not isinstance(arg, str)]
    return any(operands) if op == "max" else op in ("add", "mul", "size", "min") and all(operands)


def postorder(dims: Iterable[Dim], done: Container[Dim] = frozenset()) -> Iterator[Expr]:
    """Yield each expression in dims once, after its operands; those in ``done`` are left out.

    >>> n = Expr("shape", ("x", 0))
    >>> [str(item) for item in postorder([(n + 1) * (n + 1)])]
    ['shape(x, 0)', '(shape(x, 0) + 1)', '((shape(x, 0) + 1) * (shape(x, 0) + 1))']
    """
    seen: set[Expr] = set()
    stack = [dim for dim in reversed(list(dims)) if isinstance(dim, Expr)]
    while stack:
        expr = stack[-1]
        if expr in seen or expr in done:
            stack.pop()
            continue
        pending = [
            arg
            for arg in expr.args
            if isinstance(arg, Expr) and arg not in seen and arg not in done
        ]
        if pending:
            stack.extend(reversed(pending))
        else:
            stack.pop()
            seen.add(expr)
            yield expr


def build(op: str, *args: Dim) -> Dim:
    """Return ``op(*args)``, folded where the result is plain.

    >>> n = Expr("shape", ("x", 0))
    >>> build("mul", n, 1) is n, build("sub", n, n), build("add", n, 2)
    (True, 0, (shape(x, 0) + 2))
    """
    ints = [arg for arg in args if isinstance(arg, int)]
    if len(ints) == len(args):
        return OPERATIONS[op](*ints)
    if len(args) == 2:
        folded = _fold(op, args[0], args[1])
        if folded is not None:
            return folded
    return Expr(op, args)


def _fold(op: str, a: Dim, b: Dim) -> Dim | None:
    if op in ("add", "sub"):
        return _fold_sum(op, a, b)
    if op in ("mul", "size") and 1 in (a, b):
        return b if a == 1 else a
    if op in ("mul", "size") and 0 in (a, b):
        return 0
    if op == "lt":
        return _fold_order(a, b)
    if op == "floordiv" and b == 1:
        return a
    if op in ("min", "max") and a == b:
        return a
    if op == "max":
        return _fold_maximum(a, b) or _fold_maximum(b, a)
    if op == "wrap" and isinstance(a, int) and a >= 0:
        return a
    return None


def _fold_maximum(a: Dim, bound: Dim) -> Dim | None:
    return a if isinstance(bound, int) and bound <= 0 and is_length(a) else None


def _fold_order(a: Dim, b: Dim) -> Dim | None:
    if isinstance(b, int) and b <= 0 and is_length(a):
        return 0
    return 1 if isinstance(a, int) and a < 0 and is_length(b) else None


def _fold_sum(op: str, a: Dim, b: Dim) -> Dim | None:
    if b == 0:
        return a
    if op == "add":
        return b if a == 0 else None
    if a == b:
        return 0
    if a == 0 and isinstance(b, Expr) and b.op == "sub":
        return build("sub", *reversed(_operands(b)))
    return None


def _operands(expr: Expr) -> list[Dim]:
    return [arg for arg in expr.args if not isinstance(arg, str)]


def is_length(dim: Dim) -> bool:
    """Return whether a dim is known not to be negative.

    >>> is_length(Expr("shape", ("x", 0))), is_length(Expr("value", ("n",)))
    (True, False)
    """
    return dim >= 0 if isinstance(dim, int) else dim.is_length


def minimum(a: Dim, b: Dim) -> Dim:
    """Return the smaller of two dims."""
    return build("min", a, b)


def maximum(a: Dim, b: Dim) -> Dim:
    """Return the larger of two dims."""
    return build("max", a, b)


def product(dims: Sequence[Dim]) -> Dim:
    """Return the product of dims, 1 for none.

    >>> product((3, 4))
    12
    """
    result: Dim = 1
    for dim in dims:
        result = result * dim
    return result


def contiguous_strides(shape: Shape, itemsize: int) -> tuple[Dim, ...]:
    """Return byte strides of an array of this shape in C order."""
    return tuple(product((*shape[axis + 1 :], itemsize)) for axis in range(len(shape)))


def size(dims: Sequence[Dim]) -> Dim:
    """Return the product of lengths, ``2**63 - 1`` where it is larger than that.

    >>> size((2**40, 2**40)) == 2**63 - 1
    True
    """
    result: Dim = 1
    for dim in dims:
        result = build("size", result, dim)
    return result


def substitute(dim: Dim, known: Mapping[Expr, Dim]) -> Dim:
    """Return a dim with some of its expressions replaced.

    >>> n = Expr("shape", ("x", 0))
    >>> substitute(n * 4 + 1, {n: 2})
    9
    """
    values: dict[Expr, Dim] = dict(known)
    for expr in postorder([dim], values):
        args = [arg if isinstance(arg, int) else values[arg] for arg in _operands(expr)]
        values[expr] = expr if expr.op in SOURCES else build(expr.op, *args)
    return dim if isinstance(dim, int) else values[dim]


def evaluate(dim: Dim, source: Callable[[Expr], int], known: dict[Expr, int] | None = None) -> int:
    """Return the value of a dim, asking ``source`` for its sources.

    ``known`` holds values of expressions, and is given those that are found.
    """
    values: dict[Expr, int] = {} if known is None else known
    for expr in postorder([dim], values):
        if expr.op in SOURCES:
            values[expr] = source(expr)
        else:
            args = [arg if isinstance(arg, int) else values[arg] for arg in _operands(expr)]
            values[expr] = OPERATIONS[expr.op](*args)
    return dim if isinstance(dim, int) else values[dim]
