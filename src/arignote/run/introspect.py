"""A compiled function in Theano's terms: ``f.maker.fgraph``, with Theano's names of op classes.

It shows the rewritten graph before fusion. Programs look for ``Elemwise``, ``Softmax``, ``Gemm`` or
``Gemv`` in it to see what was compiled.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from arignote import ops
from arignote.graph import walk
from arignote.graph.op import Op
from arignote.graph.variable import Apply, Variable

if TYPE_CHECKING:
    from arignote.run.compiled import Compiled


class _Family(type):
    """The class of op classes: an op record, too, is an instance of its family's class."""

    def __instancecheck__(cls, instance: object) -> bool:
        if isinstance(instance, Op):
            return instance.family == cls.__name__
        return super().__instancecheck__(instance)


class OpView(metaclass=_Family):
    """An op of a compiled node, as Theano's programs see it."""

    def __init__(self, record: Op, label: str) -> None:
        self.record = record
        self.name = record.name
        self._label = label

    def __str__(self) -> str:
        return self._label

    __repr__ = __str__


_CLASSES: dict[str, Any] = {}


def op_class(name: str) -> Any:
    """Return the class that stands for Theano's op class of a name.

    >>> isinstance(ops.add, op_class("Elemwise"))
    True
    """
    if name not in _CLASSES:
        _CLASSES[name] = types.new_class(name, (OpView,))
    return _CLASSES[name]


def _class_name(node: Apply) -> str:
    if node.op is ops.dot_op and node.outputs[0].dtype in ("float32", "float64"):
        ranks = sorted(item.ndim for item in node.inputs)
        return {(1, 1): "Dot", (1, 2): "Gemv", (2, 2): "Gemm"}[ranks[0], ranks[1]]
    return node.op.family or node.op.name


class NodeView:
    """A node of a compiled graph; equal to the ``owner`` of its outputs."""

    def __init__(self, node: Apply) -> None:
        self.node = node
        own = node.op is ops.classic_op
        self.op: Any = (
            node.params["op"] if own else op_class(_class_name(node))(node.op, node.label)
        )
        self.inputs = list(node.inputs[: node.params["count"]] if own else node.inputs)
        self.outputs = list(node.outputs)

    def __eq__(self, other: object) -> bool:
        return self.node is (other.node if isinstance(other, NodeView) else other)

    def __hash__(self) -> int:
        return hash(self.node)

    @property
    def nin(self) -> int:
        """Number of inputs."""
        return len(self.inputs)

    @property
    def nout(self) -> int:
        """Number of outputs."""
        return len(self.outputs)

    def __str__(self) -> str:
        return str(self.node)

    __repr__ = __str__


class Clients(dict[Variable, list[tuple[Any, int]]]):
    """For each variable the nodes that read it, with the position: ``("output", k)`` for a result.

    Asked as ``fgraph.clients[x]`` or, as in Theano up to 1.0, ``fgraph.clients(x)``.
    """

    def __missing__(self, variable: Variable) -> list[tuple[Any, int]]:
        return []

    def __call__(self, variable: Variable) -> list[tuple[Any, int]]:
        return self[variable]


class FunctionGraph:
    """A graph between inputs and outputs, such as the rewritten one of a function.

    Attributes
    ----------
    inputs, outputs
        Its variables; outputs of a function are followed by the updates' values.
    clients
        Which nodes read a variable: see :class:`Clients`.
    """

    def __init__(self, inputs: Sequence[Variable], outputs: Sequence[Variable]) -> None:
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.nodes = [NodeView(node) for node in walk.toposort(self.outputs)]
        self.clients = Clients()
        for view in self.nodes:
            for position, item in enumerate(view.inputs):
                self.clients.setdefault(item, []).append((view, position))
        for position, item in enumerate(self.outputs):
            self.clients.setdefault(item, []).append(("output", position))

    def get_clients(self, variable: Variable) -> list[tuple[Any, int]]:
        """Return the nodes that read a variable, with the position."""
        return self.clients[variable]

    def toposort(self) -> list[NodeView]:
        """Return the nodes, each after those that compute its inputs."""
        return list(self.nodes)

    @property
    def apply_nodes(self) -> set[NodeView]:
        """The nodes."""
        return set(self.nodes)

    @property
    def variables(self) -> set[Variable]:
        """The variables."""
        return set(walk.ancestors(self.outputs))

    def __iter__(self) -> Iterator[NodeView]:
        return iter(self.nodes)

    def __str__(self) -> str:
        return f"[{', '.join(map(str, self.nodes))}]"


class Maker:
    """What ``f.maker`` is: how to get at the compiled graph."""

    def __init__(self, compiled: Compiled) -> None:
        leaves = [*compiled.source.leaves, *compiled.states]
        self.fgraph = FunctionGraph(leaves, compiled.graph)
        self.inputs = list(compiled.source.inputs)
        self.outputs = list(compiled.source.outputs)
        self.mode: Any = compiled.mode
