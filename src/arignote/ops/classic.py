"""Ops of the user's own, as Theano's programs write them.

They are classes with ``make_node``, ``perform`` and ``grad``, and run on the host. A node of the
graph has such an op as a parameter of :data:`classic_op`; its inputs are followed by the lengths of
its outputs, which a plan must know before the op is performed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from arignote import ops
from arignote.errors import GraphTypeError, NullTypeGradError
from arignote.graph import op as record
from arignote.graph.dim import Shape
from arignote.graph.dtypes import Array
from arignote.graph.op import NODE_OBSERVERS, Call, Params, ShapeContext, Types, unobserved
from arignote.graph.type import TensorType
from arignote.graph.variable import Apply as Node
from arignote.graph.variable import Variable


class _OpMeta(type):
    """Records of arignote's own ops, too, are ops."""

    def __instancecheck__(cls, instance: object) -> bool:
        return super().__instancecheck__(instance) or (
            cls is Op and isinstance(instance, record.Op)
        )


class Op(metaclass=_OpMeta):
    """The base of a user's ops.

    A subclass has ``perform(node, inputs, output_storage)``, which puts an array into
    ``output_storage[k][0]`` for each output; ``make_node(*inputs)``, which returns an
    :class:`Apply`, or the lists ``itypes`` and ``otypes``; and if it likes
    ``grad(inputs, output_gradients)`` or ``L_op(inputs, outputs, output_gradients)``,
    ``infer_shape(node, input_shapes)``, and ``__props__``, the names of the attributes that tell
    equal ops. Without ``infer_shape`` a call performs the op twice, first for its shape.

    Examples
    --------
    >>> class Cube(Op):
    ...     __props__ = ()
    ...
    ...     def make_node(self, x):
    ...         x = ops.as_variable(x)
    ...         return Apply(self, [x], [x.type()])
    ...
    ...     def perform(self, node, inputs, output_storage):
    ...         output_storage[0][0] = inputs[0] ** 3
    >>> Cube()(ops.constant([1.0, 2.0])).type
    TensorType(float64, vector)
    >>> Cube() == Cube()
    True
    """

    __props__: ClassVar[tuple[str, ...] | None] = None
    itypes: Sequence[TensorType]
    otypes: Sequence[TensorType]
    default_output: int | None = None

    def _props(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__props__ or ())

    def __eq__(self, other: object) -> bool:
        if self.__props__ is None or type(self) is not type(other):
            return self is other
        return isinstance(other, Op) and self._props() == other._props()

    def __hash__(self) -> int:
        if self.__props__ is None:
            return object.__hash__(self)
        return hash((type(self), self._props()))

    def __str__(self) -> str:
        pairs = [f"{name}={getattr(self, name)!r}" for name in self.__props__ or ()]
        return f"{type(self).__name__}{{{', '.join(pairs)}}}" if pairs else type(self).__name__

    __repr__ = __str__

    def make_node(self, *inputs: Any) -> Node:
        """Return the node for some inputs: of the types that ``itypes`` and ``otypes`` list."""
        if not hasattr(self, "itypes") or not hasattr(self, "otypes"):
            raise NotImplementedError(f"[{self}] an op needs make_node, or itypes and otypes")
        variables = [ops.as_variable(item) for item in inputs]
        found = [item.type for item in variables]
        if found != list(self.itypes):
            raise GraphTypeError(f"[{self}] inputs must be of types {list(self.itypes)}: {found}")
        return Apply(self, variables, [item.make_variable() for item in self.otypes])

    def perform(self, node: Node, inputs: list[Array], output_storage: list[list[Any]]) -> None:
        """Compute the outputs."""
        raise NotImplementedError(f"[{self}] an op needs perform: C code cannot be run here")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Apply the op to some inputs; return its output, or the list of them."""
        outputs = self.make_node(*inputs, **options).outputs
        if self.default_output is not None:
            return outputs[self.default_output]
        return outputs[0] if len(outputs) == 1 else list(outputs)


class _ApplyMeta(type):
    """Nodes of the graph are what ``Apply`` makes."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Node)


class Apply(metaclass=_ApplyMeta):
    """Makes the node of a user's op from its inputs and variables of the outputs' types."""

    def __new__(  # type: ignore[misc]
        cls, op: Op, inputs: Sequence[Variable], outputs: Sequence[Variable]
    ) -> Node:
        """Return a node of the graph, with outputs of its own."""
        if isinstance(op, record.Op) or not isinstance(op, Op):
            raise TypeError(f"[Apply] op must be an instance of a subclass of Op: {op!r}")
        given = [ops.as_variable(item) for item in inputs]
        types = [item.type for item in outputs]
        rank = sum(item.ndim for item in types)
        params = Params({"op": op, "count": len(given), "rank": rank})
        with unobserved():
            lengths = _lengths(Node(classic_op, params, given, types))
        node = Node(classic_op, params, [*given, *lengths], types)
        for output, model in zip(node.outputs, outputs, strict=True):
            output.name = model.name
        for observer in NODE_OBSERVERS:
            observer(node)
        return node


@lru_cache(maxsize=256)
def _model(op: Op, types: tuple[TensorType, ...]) -> Node:
    """Return a node of the op on inputs of some types: all that ``perform`` may ask of its node."""
    with unobserved():
        return op.make_node(*(item.make_variable() for item in types))


def _infer(params: Params, types: Types) -> Types:
    return [item.type for item in _model(params["op"], tuple(types[: params["count"]])).outputs]


def _perform(call: Call, *arrays: Array) -> tuple[Array, ...]:
    op: Op = call.params["op"]
    count: int = call.params["count"]
    node = _model(op, call.input_types[:count])
    inputs = [array.view() for array in arrays[:count]]
    for array in inputs:
        array.flags.writeable = False  # Nothing is overwritten behind the plan's back.
    storage: list[list[Any]] = [[None] for _ in node.outputs]
    op.perform(node, inputs, storage)
    results = []
    for position, ((value,), output) in enumerate(zip(storage, node.outputs, strict=True)):
        array = None if value is None else np.asarray(value)
        found = None if array is None else (array.dtype.name, array.ndim)
        if array is None or found != (output.dtype, output.ndim):
            raise TypeError(
                f"[{op}] perform must put an array of {output.type} into output_storage"
                f"[{position}][0]: {'nothing' if found is None else '{} of rank {}'.format(*found)}"
            )
        results.append(array)
    return tuple(results)


def _lengths(node: Node) -> list[Variable]:
    """Return the lengths of all dimensions of the outputs, one after the other."""
    op: Op = node.params["op"]
    infer_shape: Callable[..., Any] | None = getattr(op, "infer_shape", None)
    if infer_shape is None:
        return list(lengths_op.make(node.inputs, node.params).outputs)
    told = infer_shape(node, [tuple(ops.lengths(item)) for item in node.inputs])
    lengths = [ops.dims_of(shape, f"[{op}] infer_shape") for shape in told]
    if [len(item) for item in lengths] != [item.ndim for item in node.outputs]:
        raise ValueError(f"[{op}] infer_shape must return a length for each dimension: {lengths}")
    return [item for shape in lengths for item in shape]


def _shape(context: ShapeContext, node: Node, shapes: Sequence[Shape]) -> Sequence[Shape]:
    lengths = iter(node.inputs[node.params["count"] :])
    return [tuple(context.value(next(lengths)) for _ in range(o.ndim)) for o in node.outputs]


def _gradient(node: Node, cotangents: Sequence[Variable | None]) -> Sequence[Variable | None]:
    op: Any = node.params["op"]
    inputs = list(node.inputs[: node.params["count"]])
    given = [
        ops.zeros_like(output) if cotangent is None else cotangent
        for output, cotangent in zip(node.outputs, cotangents, strict=True)
    ]
    if hasattr(op, "L_op"):
        found = op.L_op(inputs, list(node.outputs), given)
    elif hasattr(op, "grad"):
        found = op.grad(inputs, given)
    else:
        raise NullTypeGradError(f"[grad] the op {op} has no gradient: it needs a method grad")
    if len(found) != len(inputs):
        raise ValueError(f"[{op}] grad must return {len(inputs)} gradients: {len(found)}")
    parts = [
        ops.cast(part, item.dtype)
        if isinstance(part, Variable) and not ops.is_discrete(item)
        else None
        for part, item in zip(found, inputs, strict=True)
    ]
    return [*parts, *([None] * (len(node.inputs) - len(inputs)))]


classic_op = record.Op(
    name="classic",
    arguments=("*inputs",),
    infer=_infer,
    shape=_shape,
    reference=_perform,
    gradient=_gradient,
    foldable=False,
    family="Op",
    display=lambda node: str(node.params["op"]),
)
"""One application of a user's op, which is its parameter."""


lengths_op = record.Op(
    name="classic_lengths",
    arguments=("*inputs",),
    infer=lambda params, types: [TensorType("int64", ())] * params["rank"],
    shape=lambda context, node, shapes: [()] * len(node.outputs),
    reference=lambda call, *arrays: tuple(
        np.asarray(length) for array in _perform(call, *arrays) for length in array.shape
    ),
    gradient=lambda node, cotangents: [None] * len(node.inputs),
    foldable=False,
    family="Shape",
)
"""The lengths of all dimensions of the outputs of a user's op that has no ``infer_shape``."""
