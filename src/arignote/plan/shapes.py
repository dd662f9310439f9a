"""Shapes of all variables of a graph as dims, found without computing anything.

Along the way every demand of a shape rule is noted as a check, and integer scalars that sizes
depend on are turned into dims. One that only a step can compute becomes a ``read`` of its buffer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from arignote import ops
from arignote.errors import Origin, ShapeError, with_origin
from arignote.graph import dtypes
from arignote.graph.dim import Dim, Expr, Shape, build
from arignote.graph.variable import Apply, Constant, Variable
from arignote.plan.plan import Check, sizes_read

_DIM_OPS = {
    "add": "add",
    "sub": "sub",
    "mul": "mul",
    "floor_div": "floordiv",
    "mod": "mod",
    "minimum": "min",
    "maximum": "max",
}
_WRAPPED = ("int8", "int16", "int32")


class Shapes:
    """Shapes and integer values of a graph whose inputs and shared variables have names."""

    def __init__(self, names: Mapping[Variable, str]) -> None:
        self.names = names
        # A set in the order in which they were demanded.
        self.checks: dict[Check, None] = {}
        self.reads: dict[Variable, str] = {}
        self._shapes: dict[Variable, Shape] = {}
        self._values: dict[Variable, Dim] = {}
        self._same: dict[Dim, Dim] = {}
        self._node: Apply | None = None

    @contextmanager
    def asked_by(self, node: Apply) -> Iterator[None]:
        """Note the checks that are demanded within as those of a node."""
        outer, self._node = self._node, node
        try:
            yield
        finally:
            self._node = outer

    # What shape rules ask for.

    def shape_of(self, variable: Variable) -> Shape:
        """Return the shape of a variable."""
        stack = [variable]
        while stack:
            item = stack[-1]
            if item in self._shapes:
                stack.pop()
                continue
            pending = [] if item.owner is None else self._unknown_inputs(item.owner)
            if pending:
                stack.extend(pending)
            else:
                stack.pop()
                self._infer(item)
        return self._shapes[variable]

    def value(self, variable: Variable) -> Dim:
        """Return the value of an integer scalar."""
        stack = [variable]
        while stack:
            item = stack[-1]
            if item in self._values:
                stack.pop()
                continue
            pending = [term for term in self._terms(item) if term not in self._values]
            if pending:
                stack.extend(pending)
            else:
                stack.pop()
                self._values[item] = self._find_value(item)
        return self._values[variable]

    def require_equal(self, found: Dim, expected: Dim, text: str) -> Dim:
        """Demand that two dims are equal and return the one to go on with."""
        found, expected = self._canonical(found), self._canonical(expected)
        if found == expected:
            return expected
        if isinstance(found, int) and isinstance(expected, int):
            node = self._node
            name = node.op.name if node is not None else ""
            message = text.format(found=found, expected=expected)
            error = ShapeError(f"[{name}] {message}")
            raise with_origin(error, node.origin if node is not None else None)
        self._check("equal", found, expected, text)
        # Lengths known when the call starts stand for those that only a step computes; of two of
        # the latter neither does, for it may be known too late where the other is needed.
        if sizes_read((expected,)):
            found, expected = expected, found
        if sizes_read((expected,)):
            return found
        old, new = (found, expected) if isinstance(found, Expr) else (expected, found)
        self._same[old] = new
        return new

    def require_index(self, index: Dim, length: Dim, text: str) -> Dim:
        """Demand ``-length <= index < length`` and return the index counted from the start."""
        position = build("wrap", index, length)
        if isinstance(position, int) and isinstance(length, int):
            if not 0 <= position < length:
                raise IndexError(text.format(found=index, expected=length))
            return position
        # The text tells the index as the user wrote it.
        shown = text.replace("{found}", str(index)) if isinstance(index, int) else text
        self._check("index", position, length, shown)
        return position

    def require(self, holds: Dim, text: str) -> None:
        """Demand that a dim is not zero."""
        if holds == 0:
            raise ValueError(self._prefixed(text))
        if not isinstance(holds, int):
            self._check("true", holds, 0, text)

    # What the plan asks for.

    def canonical_shape(self, shape: Shape) -> Shape:
        """Return a shape in terms of the dims that equal ones are written as."""
        return tuple(map(self._canonical, shape))

    def dims_of(self, node: Apply) -> tuple[Dim, ...]:
        """Return the integers that the kernel of a node is given."""
        if node.op.dims is None:
            return ()
        with self.asked_by(node):
            return node.op.dims(self, node)

    def reads_behind(self, node: Apply) -> list[Variable]:
        """Return the scalars that the sizes of a node, or one that it tells, are read from."""
        dims = [dim for item in node.outputs for dim in self._shapes[item]]
        if node.op is ops.shape_i:
            dims.append(self.value(node.outputs[0]))
        dims += [self._values[item] for item in node.inputs if item in self._values]
        names = sizes_read(dims)
        return [variable for variable, name in self.reads.items() if name in names]

    # How they are answered.

    def _prefixed(self, text: str) -> str:
        return f"[{self._node.op.name}] {text}" if self._node is not None else text

    def _check(self, kind: str, found: Dim, expected: Dim, text: str) -> None:
        node = self._node
        name = node.op.name if node is not None else ""
        origin: Origin | None = node.origin if node is not None else None
        self.checks.setdefault(Check(kind, found, expected, name, text, origin))

    def _canonical(self, dim: Dim) -> Dim:
        while isinstance(dim, Expr) and dim in self._same:
            dim = self._same[dim]
        return dim

    def _unknown_inputs(self, node: Apply) -> list[Variable]:
        return [item for item in node.inputs if item not in self._shapes]

    def _infer(self, variable: Variable) -> None:
        node = variable.owner
        if node is None:
            self._shapes[variable] = self._leaf(variable)
            return
        with self.asked_by(node):
            shapes = node.op.shape(self, node, [self._shapes[item] for item in node.inputs])
        for output, shape in zip(node.outputs, shapes, strict=True):
            self._shapes[output] = tuple(
                1 if flag else self._canonical(dim)
                for dim, flag in zip(shape, output.broadcastable, strict=True)
            )

    def _leaf(self, variable: Variable) -> Shape:
        if isinstance(variable, Constant):
            return tuple(variable.data.shape)
        name = self.names[variable]
        return tuple(
            1 if flag else Expr("shape", (name, axis))
            for axis, flag in enumerate(variable.broadcastable)
        )

    def _terms(self, variable: Variable) -> tuple[Variable, ...]:
        """Return the scalars from whose values that of a scalar follows; none if it does not."""
        node, dtype = variable.owner, variable.dtype
        if variable in self.names or node is None or dtype not in dtypes.SIGNED:
            return ()
        if any(item.dtype not in dtypes.DISCRETE for item in node.inputs):
            return ()
        name = node.op.name
        follows = node.op is ops.neg or name in _DIM_OPS or name == f"cast_{dtype}"
        return node.inputs if follows else ()

    def _find_value(self, variable: Variable) -> Dim:
        if isinstance(variable, Constant):
            return int(variable.data)
        if variable in self.names:
            return Expr("value", (self.names[variable],))
        node = variable.owner
        if node is not None and node.op is ops.shape_i:
            axis: int = node.params["axis"]
            return self.shape_of(node.inputs[0])[axis]
        terms = self._terms(variable)
        if node is not None and terms:
            return _arithmetic(node, [self._values[term] for term in terms])
        name = self.reads.setdefault(variable, f"size{len(self.reads)}")
        return Expr("read", (name,))


def _arithmetic(node: Apply, values: Sequence[Dim]) -> Dim:
    """Return the value of a scalar that follows from those of its node's inputs."""
    op, dtype = node.op, node.outputs[0].dtype
    if op.name == f"cast_{dtype}":
        lossless = dtypes.upcast(node.inputs[0].dtype, dtype) == dtype
        return values[0] if lossless or dtype == "int64" else build(dtype, values[0])
    result = build("sub", 0, values[0]) if op is ops.neg else build(_DIM_OPS[op.name], *values)
    return build(dtype, result) if dtype in _WRAPPED else result
