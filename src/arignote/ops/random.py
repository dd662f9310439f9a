"""Random numbers, from a state that says which come next.

They come from Philox4x64-10, which makes them of a key and a counter: which numbers a state gives
does not depend on threads or devices. They are those of ``numpy.random.Philox``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from arignote import ops
from arignote.graph.dim import Shape
from arignote.graph.dtypes import Array
from arignote.graph.op import Call, Op, Params, ShapeContext, Types
from arignote.graph.type import TensorType
from arignote.graph.variable import Apply, Variable

STATE_TYPE: Final = TensorType("uint64", (False,))
"""Of a state: the two words of the key, and the number of blocks of words that it has given."""
STATE_WORDS: Final = 3

# Of so many bytes is a block of words; each call begins a new one.
_BLOCK_BYTES: Final = 32


def _infer(params: Params, types: Types) -> Types:
    state = types[0]
    if state != STATE_TYPE:
        raise uniform_op.type_error(f"state must be a vector of uint64: {state}")
    if params["dtype"] not in ("float32", "float64"):
        raise uniform_op.type_error(f"dtype must be float32 or float64: {params['dtype']}")
    return (TensorType(params["dtype"], params["broadcastable"]), STATE_TYPE)


def _shape(context: ShapeContext, node: Apply, shapes: Sequence[Shape]) -> Sequence[Shape]:
    text = "state must have {expected} elements: {found}"
    context.require_equal(shapes[0][0], STATE_WORDS, text)
    dims = node.inputs[1:]
    lengths = tuple(ops.wanted_length(context, dim, f"size[{k}]") for k, dim in enumerate(dims))
    return (lengths, (STATE_WORDS,))


def _reference(call: Call, state: Array, *dims: Array) -> tuple[Array, Array]:
    *key, counter = (int(word) for word in state)
    generator = np.random.Generator(np.random.Philox(key=np.array(key, "uint64"), counter=counter))
    numbers = generator.random([int(dim) for dim in dims], call.params["dtype"])
    blocks = -(-numbers.nbytes // _BLOCK_BYTES)
    return np.asarray(numbers), np.array([*key, (counter + blocks) % 2**64], "uint64")


uniform_op = Op(
    name="uniform",
    arguments=("state", "*size"),
    infer=_infer,
    shape=_shape,
    reference=_reference,
    gradient=lambda node, cotangents: (None,) * len(node.inputs),
    kernel="uniform",
    shape_only=frozenset(range(1, 17)),
    disconnected=frozenset({0}),
    # There may be many, and they take no time.
    foldable=False,
    family="RandomFunction",
    display=lambda node: "RandomFunction{uniform}",
)
"""Numbers in [0, 1), and the state after them.

A number is ``(w >> 11) * 2**-53`` of each word ``w`` in float64. In float32 it is
``(h >> 8) * 2**-24`` of each half ``h`` of a word, the lower one first.
"""


def uniform(state: Variable, dims: Sequence[Variable], dtype: str) -> tuple[Variable, Variable]:
    """Return numbers in [0, 1) and the state after them.

    Parameters
    ----------
    state
        Says which numbers come next; see :data:`STATE_TYPE`.
    dims
        The lengths, integer scalars.
    dtype
        ``"float32"`` or ``"float64"``.

    Examples
    --------
    >>> state = ops.constant(np.array([1, 2, 0], "uint64"))
    >>> numbers, after = uniform(state, [ops.constant(2)], "float64")
    >>> numbers.eval()
    array([0.30931491, 0.35695624])
    """
    pattern = tuple(ops.constant_value(dim) == 1 for dim in dims)
    params: dict[str, Any] = {"dtype": dtype, "broadcastable": pattern}
    numbers, after = uniform_op.make([state, *dims], Params(params)).outputs
    return numbers, after
