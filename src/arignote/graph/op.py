"""The op record: everything there is to know about an op, stated once.

Type checks, shape inference, error text, the NumPy reference, the gradient, the native kernel and
the accuracy the tests hold it to all come from the record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

import numpy as np

from arignote.errors import GraphTypeError
from arignote.graph.dim import Dim, Shape
from arignote.graph.dtypes import Array
from arignote.graph.type import TensorType
from arignote.graph.variable import Apply, Variable

Types: TypeAlias = Sequence[TensorType]


class Params(Mapping[str, Any]):
    """The fixed attributes of a node, such as ``axis``: an immutable, hashable mapping."""

    __slots__ = ("_hash", "_items")

    def __init__(self, items: Mapping[str, Any]) -> None:
        self._items = dict(items)
        self._hash: int | None = None

    def __getitem__(self, name: str) -> Any:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(tuple(sorted(self._items.items(), key=lambda item: item[0])))
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Params) and self._items == other._items

    def __repr__(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self._items.items())

    def __reduce__(self) -> tuple[type[Params], tuple[dict[str, Any]]]:
        # Without the hash: that of a string differs from process to process.
        return (Params, (self._items,))


NO_PARAMS: Final = Params({})


@dataclass(frozen=True)
class Call:
    """What a node and a plan step have in common: parameters and operand types."""

    params: Params
    input_types: tuple[TensorType, ...]
    output_types: tuple[TensorType, ...]

    @classmethod
    def of(cls, node: Apply) -> Call:
        """Return the call that a node makes."""
        return cls(
            node.params,
            tuple(variable.type for variable in node.inputs),
            tuple(variable.type for variable in node.outputs),
        )


@dataclass(frozen=True)
class Attributes:
    """A step's attributes as its native kernel reads them; the kernel's file says what each is."""

    ints: tuple[int, ...] = ()
    reals: tuple[float, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Strided:
    """Where a view lies in its base: byte offset, and length and byte stride of each dimension."""

    offset: Dim
    shape: Shape
    strides: tuple[Dim, ...]


Scale: TypeAlias = "float | Callable[..., Array]"


@dataclass(frozen=True)
class Accuracy:
    """How far a native result may be from the NumPy one.

    ``ulp`` counts units in the last place of each element, or of ``scale`` where that is larger:
    the magnitude at which terms cancel, which a function may tell from the operands, or one for
    each output. ``sums`` says that the result is a sum of many terms: then it is the allowed error
    per element, in ulp of the sum of their magnitudes.
    """

    ulp: float = 0
    sums: bool = False
    scale: Scale | tuple[Scale, ...] = 0

    def scale_of(self, output: int) -> Scale:
        """Return the scale of an output."""
        return self.scale[output] if isinstance(self.scale, tuple) else self.scale


EXACT: Final = Accuracy()

SUM: Final = -1
"""In :class:`Rows`: the output is the sum of what all rows give."""


@dataclass(frozen=True)
class Rows:
    """How a node works row by row: the axis along which each operand is cut into rows.

    None stands for an input that every row needs as a whole; an output may be :data:`SUM`.
    """

    inputs: tuple[int | None, ...]
    outputs: tuple[int, ...]


class ShapeContext(Protocol):
    """What a shape rule may ask for besides the shapes of its inputs."""

    def value(self, variable: Variable) -> Dim:
        """Return the value of an integer scalar input."""

    def shape_of(self, variable: Variable) -> Shape:
        """Return the shape of any variable of the graph."""

    def require_equal(self, found: Dim, expected: Dim, text: str) -> Dim:
        """Demand that two dims are equal and return one; ``text`` says what must hold."""

    def require_index(self, index: Dim, length: Dim, text: str) -> Dim:
        """Demand ``-length <= index < length`` and return it counted from the start."""

    def require(self, holds: Dim, text: str) -> None:
        """Demand that a dim is not zero."""


InferRule: TypeAlias = "Callable[[Params, Types], Types]"
ShapeRule: TypeAlias = "Callable[[ShapeContext, Apply, Sequence[Shape]], Sequence[Shape]]"
GradientRule: TypeAlias = "Callable[[Apply, Sequence[Variable | None]], Sequence[Variable | None]]"
ViewRule: TypeAlias = "Callable[[ShapeContext, Apply, Strided, Sequence[Shape]], Strided]"
RowRule: TypeAlias = "Callable[[Apply, Sequence[int | None], int | None], Rows | None]"


@dataclass(frozen=True, eq=False, kw_only=True)
class Op:
    """One op.

    Attributes
    ----------
    name
        Unique; also the name of the step in a plan.
    arguments
        Names of the inputs for messages; a last one that starts with ``*`` stands for the rest.
    infer
        Types of the outputs from parameters and input types; raises :class:`GraphTypeError`.
    shape
        Shapes of the outputs from those of the inputs, on ints and on expressions alike.
    reference
        The meaning: ``reference(call, *arrays)`` returns one array, or a tuple of them.
    gradient
        ``gradient(node, cotangents)`` returns one cotangent per input, None where the output does
        not depend on the input's value. A cotangent is None where the cost does not use that
        output.
    prepare
        Turns the arguments of a call into variables.
    kernel, encode
        The native kernel and how a call's parameters are given to it. An op without a kernel, a
        view or an expansion runs as its reference, on the host.
    view
        For an op whose output is a window on its first input: where that window lies.
    expand
        Builds the outputs from other ops when a function is compiled.
    dims
        Integers that the kernel needs on each call, such as the start of a slice.
    rows
        ``rows(node, known, wanted)`` says how the node works row by row, None if it does not.
        ``known`` gives the axes of the inputs that are cut already, None for the others, which may
        be cut or not; ``wanted``, where none is known, the axis along which to cut the output.
    supports
        Whether the kernel takes operands of these types; for others the reference runs.
    reuse
        Pairs (output, input): the kernel may write the output over the input. A permission.
    shape_only
        Inputs of which only the shape matters (or, for integers, the value as a dim).
    disconnected
        Inputs through which no gradient passes, though their values matter.
    fallible
        Whether the kernel may fail on the values of its inputs.
    foldable
        Whether it may be computed when the function is compiled if its inputs are constants.
    accuracy
        Of the kernel against the reference.
    family, display
        Theano's class name of the op, and how a node of it is written.
    """

    name: str
    arguments: tuple[str, ...]
    infer: InferRule
    shape: ShapeRule
    reference: Callable[..., Any]
    gradient: GradientRule | None = None
    prepare: Callable[..., Sequence[Variable]] | None = None
    kernel: str | None = None
    encode: Callable[[Call], Attributes] = field(default=lambda call: Attributes())
    view: ViewRule | None = None
    expand: Callable[[Apply], Sequence[Variable]] | None = None
    dims: Callable[[ShapeContext, Apply], tuple[Dim, ...]] | None = None
    rows: RowRule | None = None
    supports: Callable[[Call], bool] = field(default=lambda call: True)
    reuse: tuple[tuple[int, int], ...] = ()
    shape_only: frozenset[int] = frozenset()
    disconnected: frozenset[int] = frozenset()
    fallible: bool = False
    foldable: bool = True
    accuracy: Accuracy = EXACT
    family: str = ""
    display: Callable[[Apply], str] | None = None

    def __init_subclass__(cls) -> None:
        if cls.__module__.partition(".")[0] != "arignote":
            raise TypeError(
                f"[Op] {cls.__name__} must be a subclass of arignote.gof.Op, which takes make_node "
                "and perform: arignote.graph.op.Op is a record"
            )

    def __post_init__(self) -> None:
        if self.name in OPS:
            raise ValueError(f"an op of this name exists: {self.name}")
        OPS[self.name] = self

    def __call__(self, *args: Any, **params: Any) -> Variable:
        """Apply the op and return its only (or first) output."""
        return self.node(*args, **params).outputs[0]

    def node(self, *args: Any, **params: Any) -> Apply:
        """Apply the op and return the node."""
        inputs = self.prepare(*args) if self.prepare is not None else args
        return self.make(inputs, Params(params) if params else NO_PARAMS)

    def make(self, inputs: Sequence[Variable], params: Params = NO_PARAMS) -> Apply:
        """Apply the op to variables that are ready for it."""
        output_types = self.infer(params, [variable.type for variable in inputs])
        node = Apply(self, params, inputs, output_types)
        for observer in NODE_OBSERVERS:
            observer(node)
        return node

    def argument(self, position: int) -> str:
        """Return the name of an input for messages."""
        if position >= len(self.arguments) - 1 and self.arguments[-1].startswith("*"):
            return f"{self.arguments[-1][1:]}[{position - len(self.arguments) + 1}]"
        return self.arguments[position]

    def type_error(self, text: str) -> GraphTypeError:
        """Return the error for operands of wrong types."""
        return GraphTypeError(f"[{self.name}] {text}")

    def label(self, node: Apply) -> str:
        """Return how a node of this op is written."""
        if self.display is not None:
            return self.display(node)
        return f"{self.name}{{{node.params!r}}}" if node.params else self.name

    def compute(self, call: Call, *arrays: Array) -> tuple[Array, ...]:
        """Compute all outputs with NumPy; what overflows or is undefined does so silently."""
        with np.errstate(all="ignore"):
            result = self.reference(call, *arrays)
            results = result if isinstance(result, tuple) else (result,)
            return tuple(
                np.asarray(array, dtype=type.dtype)
                for array, type in zip(results, call.output_types, strict=True)
            )

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __reduce__(self) -> tuple[Callable[[str], Op], tuple[str]]:
        return (op_named, (self.name,))


OPS: Final[dict[str, Op]] = {}
"""Every op, by name."""

NODE_OBSERVERS: Final[list[Callable[[Apply], None]]] = []
"""Called with each node a user's expression builds: test values hang here."""


@contextmanager
def unobserved() -> Iterator[None]:
    """Hide the nodes built within the block, which are no user's, from observers."""
    observers = NODE_OBSERVERS[:]
    NODE_OBSERVERS.clear()
    try:
        yield
    finally:
        NODE_OBSERVERS[:] = observers


def op_named(name: str) -> Op:
    """Return the op of this name; :class:`KeyError` if there is none."""
    return OPS[name]
