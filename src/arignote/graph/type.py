"""What a variable may hold: a dtype and, for each dimension, whether its length is always one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from arignote.graph import dtypes

if TYPE_CHECKING:
    from arignote.graph.variable import Constant, SharedVariable, Variable

MAX_DIMS: Final = 16

_NAMES: Final[dict[tuple[bool, ...], str]] = {
    (): "scalar",
    (False,): "vector",
    (False, True): "col",
    (True, False): "row",
    (False, False): "matrix",
    (False,) * 3: "3D",
    (False,) * 4: "4D",
    (False,) * 5: "5D",
}


@dataclass(frozen=True)
class TensorType:
    """The type of an array: dtype and static broadcast pattern.

    Parameters
    ----------
    dtype
        A dtype or its name; ``"floatX"`` stands for ``config.floatX``.
    broadcastable
        One bool for each dimension, True where the length is always 1 and the dimension may be
        broadcast. A run-time 1 elsewhere does not broadcast.
    name
        Ignored, for Theano's signature has it.

    Raises
    ------
    TypeError
        If the dtype is none of the known ones, or there are more than 16 dimensions.

    Examples
    --------
    >>> TensorType("float64", (True, False))
    TensorType(float64, row)
    """

    dtype: str
    broadcastable: tuple[bool, ...]

    # Set by arignote.tensor, whose classes carry the operators; the graph itself needs none.
    variable_class: ClassVar[type[Variable]]
    constant_class: ClassVar[type[Constant]]
    shared_class: ClassVar[type[SharedVariable]]

    def __init__(self, dtype: Any, broadcastable: Any, name: str | None = None) -> None:
        object.__setattr__(self, "dtype", dtypes.normalize(dtype))
        object.__setattr__(self, "broadcastable", tuple(bool(b) for b in broadcastable))
        if self.ndim > MAX_DIMS:
            raise TypeError(f"[TensorType] at most {MAX_DIMS} dimensions are possible: {self.ndim}")

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.dtype, self.broadcastable))

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.broadcastable)

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        """The dtype as NumPy's object."""
        return np.dtype(self.dtype)

    def with_dtype(self, dtype: str) -> TensorType:
        """Return this type with another dtype."""
        return self if dtype == self.dtype else TensorType(dtype, self.broadcastable)

    def make_variable(self, name: str | None = None) -> Variable:
        """Return a new variable of this type with no owner."""
        if name is not None and not isinstance(name, str):
            raise TypeError(f"[{self}] the name of a variable must be a string: {name!r}")
        return self.variable_class(self, name=name)

    __call__ = make_variable

    def make_constant(self, data: dtypes.Array, name: str | None = None) -> Constant:
        """Return a constant of this type holding ``data``."""
        return self.constant_class(self, data, name=name)

    def __str__(self) -> str:
        pattern = _NAMES.get(self.broadcastable, str(self.broadcastable))
        return f"TensorType({self.dtype}, {pattern})"

    __repr__ = __str__


def tensor_type(dtype: str, ndim: int) -> TensorType:
    """Return the type with no broadcastable dimension.

    >>> tensor_type("int32", 1)
    TensorType(int32, vector)
    """
    return TensorType(dtype, (False,) * ndim)


@dataclass(frozen=True)
class GenericType:
    """The type of a shared Python object that is no array; no op takes one."""

    def __str__(self) -> str:
        return "<Generic>"
