"""The nodes of a graph: variables, constants, shared variables, and apply nodes between them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from arignote.errors import Origin
from arignote.graph.dtypes import Array
from arignote.graph.type import GenericType, TensorType

if TYPE_CHECKING:
    from arignote.graph.op import Op, Params

_PACKAGE = str(Path(__file__).parent.parent)


class _Thread(threading.local):
    """The origins that blocks of this thread hand down, innermost last."""

    def __init__(self) -> None:
        self.origins: list[Origin | None] = []


_thread = _Thread()


def current_origin() -> Origin | None:
    """Return the innermost line outside this package, or the one set by :func:`origin_of`."""
    inherited = _thread.origins
    if inherited:
        return inherited[-1]
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    if frame is None:
        return None
    return Origin(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


@contextmanager
def origin_of(origin: Origin | None) -> Iterator[None]:
    """Give nodes built within the block this origin: a gradient has its forward node's line."""
    _thread.origins.append(origin)
    try:
        yield
    finally:
        _thread.origins.pop()


class Variable:
    """A value in a graph: an input if it has no owner, else an output of its owner.

    Attributes
    ----------
    type
        What it may hold.
    owner, index
        The apply node that computes it and which output it is, or None and 0.
    name
        Free for the user to set.
    tag
        A namespace for annotations, ``tag.test_value`` among them.
    """

    def __init__(
        self,
        type: Any,
        owner: Apply | None = None,
        index: int = 0,
        name: str | None = None,
    ) -> None:
        self.type: TensorType = type
        self.owner = owner
        self.index = index
        self.name = name
        self.origin = owner.origin if owner is not None else current_origin()

    @property
    def tag(self) -> SimpleNamespace:
        """Annotations of this variable, made on first use."""
        tag = self.__dict__.get("_tag")
        if tag is None:
            tag = self.__dict__["_tag"] = SimpleNamespace()
        return tag

    @property
    def dtype(self) -> str:
        """Name of the element type."""
        return self.type.dtype

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self.type.ndim

    @property
    def broadcastable(self) -> tuple[bool, ...]:
        """For each dimension, whether its length is always one."""
        return self.type.broadcastable

    @property
    def clients(self) -> NoReturn:
        """None, for a variable may be in many graphs: an error that says where to ask."""
        raise AttributeError(
            "a variable does not know its clients: ask the graph, f.maker.fgraph.clients[variable]"
        )

    def __str__(self) -> str:
        if self.name is not None:
            return self.name
        if self.owner is not None:
            return f"{self.owner.label}.{self.index}"
        return f"<{self.type}>"

    __repr__ = __str__

    def _leaf_arguments(self) -> tuple[Any, ...]:
        """Return what its class makes this variable from if it has no owner."""
        return (self.type,)

    def __reduce__(self) -> tuple[Any, ...]:
        from arignote.graph.pickling import reduce_variable

        return reduce_variable(self, self._leaf_arguments())

    def __copy__(self) -> Variable:
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        return new


class Constant(Variable):
    """A value fixed when the graph is built; its array is read-only."""

    def __init__(self, type: TensorType, data: Array, name: str | None = None) -> None:
        super().__init__(type, name=name)
        if data.flags.writeable:
            data = data.copy()
            data.flags.writeable = False
        self.data = data

    @property
    def value(self) -> Array:
        """The array itself."""
        return self.data

    def _leaf_arguments(self) -> tuple[Any, ...]:
        return (self.type, self.data)

    def signature(self) -> tuple[Any, ...]:
        """Return what makes two constants the same: type and bits."""
        if self.data.size > 64:
            return (self.type, id(self.data))
        return (self.type, self.data.shape, self.data.tobytes())

    def __str__(self) -> str:
        if self.name is not None:
            return self.name
        return f"TensorConstant{{{describe(self.data)}}}"

    __repr__ = __str__


def describe(data: Array) -> str:
    """Return a constant's value in few characters: ``2``, ``(1,) of 2.0``, ``[1 2 3]``."""
    if data.ndim == 0:
        return str(data[()])
    if data.size and np.all(data == data.flat[0]):
        return f"{data.shape} of {data.flat[0]}"
    text = str(data).replace("\n", "")
    return text if len(text) <= 30 else f"{text[:12]}..{text[-12:]}"


class SharedVariable(Variable):
    """A variable whose value lives between calls, in its ``container``; see ``arignote.shared``."""

    def __init__(self, type: TensorType | GenericType, container: Any, name: str | None) -> None:
        super().__init__(type, name=name)
        self.container = container
        self.default_update: Variable | None = None

    def _leaf_arguments(self) -> tuple[Any, ...]:
        return (self.type, self.container, self.name)


class Apply:
    """One application of an op to inputs.

    Nodes are never changed once built: a rewrite builds others.
    """

    __slots__ = ("__weakref__", "inputs", "op", "origin", "outputs", "params")

    def __init__(
        self,
        op: Op,
        params: Params,
        inputs: Sequence[Variable],
        output_types: Sequence[TensorType],
        origin: Origin | None = None,
    ) -> None:
        self.op = op
        self.params = params
        self.inputs = tuple(inputs)
        self.origin = origin or current_origin()
        self.outputs = tuple(
            type.variable_class(type, self, index) for index, type in enumerate(output_types)
        )

    def __reduce__(self) -> tuple[type[Apply], tuple[Any, ...]]:
        output_types = tuple(output.type for output in self.outputs)
        return (Apply, (self.op, self.params, self.inputs, output_types, self.origin))

    @property
    def label(self) -> str:
        """Theano's way of writing the op: ``Elemwise{add,no_inplace}``, ``Sum{axis=[0]}``."""
        return self.op.label(self)

    def __str__(self) -> str:
        return f"{self.label}({', '.join(map(str, self.inputs))})"

    __repr__ = __str__
