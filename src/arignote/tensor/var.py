"""The variables users hold, with the methods of an array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from arignote import ops, tensor
from arignote.config import config
from arignote.graph import type as graph_type
from arignote.graph.variable import Constant, SharedVariable, Variable
from arignote.tensor.operators import Operators, symbolic

TensorLike: TypeAlias = "Variable | npt.ArrayLike | Sequence[Any]"
"""What functions take for a tensor: a variable, or anything that converts to one."""


class Tensor(Operators):
    """A variable with the operators and methods of an array."""

    @property
    @symbolic
    def shape(self) -> Variable:
        """The lengths of the dimensions: an int64 vector."""
        if not self.ndim:
            return ops.constant(np.zeros(0, "int64"))
        return ops.shape_op(self)

    @property
    def size(self) -> TensorVariable:
        """The number of elements: an int64 scalar."""
        return tensor.size(self)

    @property
    def T(self) -> TensorVariable:
        """The variable with its dimensions in reverse order."""
        return tensor.transpose(self)

    @property
    def real(self) -> TensorVariable:
        """The real part of each element."""
        return tensor.real(self)

    @property
    def imag(self) -> TensorVariable:
        """The imaginary part of each element."""
        return tensor.imag(self)

    def sum(
        self, axis: Any = None, dtype: Any = None, keepdims: bool = False, acc_dtype: Any = None
    ) -> TensorVariable:
        """As :func:`arignote.tensor.sum`."""
        return tensor.sum(self, axis, dtype, keepdims, acc_dtype)

    def prod(
        self, axis: Any = None, dtype: Any = None, keepdims: bool = False, acc_dtype: Any = None
    ) -> TensorVariable:
        """As :func:`arignote.tensor.prod`."""
        return tensor.prod(self, axis, dtype, keepdims, acc_dtype)

    def mean(
        self, axis: Any = None, dtype: Any = None, keepdims: bool = False, acc_dtype: Any = None
    ) -> TensorVariable:
        """As :func:`arignote.tensor.mean`."""
        return tensor.mean(self, axis, dtype, keepdims, acc_dtype)

    def var(
        self, axis: Any = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False
    ) -> TensorVariable:
        """As :func:`arignote.tensor.var`."""
        return tensor.var(self, axis, ddof, keepdims, corrected)

    def std(
        self, axis: Any = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False
    ) -> TensorVariable:
        """As :func:`arignote.tensor.std`."""
        return tensor.std(self, axis, ddof, keepdims, corrected)

    def max(self, axis: Any = None, keepdims: bool = False) -> TensorVariable:
        """As :func:`arignote.tensor.max`."""
        return tensor.max(self, axis, keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> TensorVariable:
        """As :func:`arignote.tensor.min`."""
        return tensor.min(self, axis, keepdims)

    def argmax(self, axis: Any = None, keepdims: bool = False) -> TensorVariable:
        """As :func:`arignote.tensor.argmax`."""
        return tensor.argmax(self, axis, keepdims)

    def argmin(self, axis: Any = None, keepdims: bool = False) -> TensorVariable:
        """As :func:`arignote.tensor.argmin`."""
        return tensor.argmin(self, axis, keepdims)

    def ptp(self, axis: Any = None) -> TensorVariable:
        """As :func:`arignote.tensor.ptp`."""
        return tensor.ptp(self, axis)

    def any(self, axis: Any = None, keepdims: bool = False) -> TensorVariable:
        """As :func:`arignote.tensor.any`."""
        return tensor.any(self, axis, keepdims)

    def all(self, axis: Any = None, keepdims: bool = False) -> TensorVariable:
        """As :func:`arignote.tensor.all`."""
        return tensor.all(self, axis, keepdims)

    def norm(self, L: float, axis: Any = None, keepdims: bool = False) -> TensorVariable:
        """As :func:`arignote.tensor.norm`."""
        return tensor.norm(self, L, axis, keepdims)

    def dot(self, right: TensorLike) -> TensorVariable:
        """As :func:`arignote.tensor.dot`."""
        return tensor.dot(self, right)

    def trace(self) -> TensorVariable:
        """As :func:`arignote.tensor.trace`."""
        return tensor.trace(self)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> TensorVariable:
        """As :func:`arignote.tensor.diagonal`."""
        return tensor.diagonal(self, offset, axis1, axis2)

    def dimshuffle(self, *pattern: Any) -> TensorVariable:
        """Return the variable with its dimensions in another order.

        Parameters
        ----------
        pattern
            Numbers of dimensions, and ``"x"`` for a new one of length 1; also as one list. Only a
            dimension that is broadcastable may be left out.

        Raises
        ------
        ValueError
            If a dimension left out is not broadcastable.

        Examples
        --------
        >>> tensor.vector("x").dimshuffle(0, "x").type
        TensorType(float64, col)
        """
        return tensor.dimshuffle(self, _flat_arguments(pattern))

    def transpose(self, *axes: Any) -> TensorVariable:
        """As :func:`arignote.tensor.transpose`; the axes also as separate arguments."""
        order = _flat_arguments(axes)
        return tensor.transpose(self, None if tuple(order) in ((), (None,)) else order)

    def swapaxes(self, axis1: int, axis2: int) -> TensorVariable:
        """As :func:`arignote.tensor.swapaxes`."""
        return tensor.swapaxes(self, axis1, axis2)

    def reshape(self, shape: Any, ndim: int | None = None) -> TensorVariable:
        """As :func:`arignote.tensor.reshape`."""
        return tensor.reshape(self, shape, ndim)

    def flatten(self, ndim: int = 1) -> TensorVariable:
        """As :func:`arignote.tensor.flatten`."""
        return tensor.flatten(self, ndim)

    def ravel(self) -> TensorVariable:
        """Return the elements as a vector, in C order."""
        return tensor.flatten(self)

    def squeeze(self) -> TensorVariable:
        """As :func:`arignote.tensor.squeeze`."""
        return tensor.squeeze(self)

    def repeat(self, repeats: Any, axis: int | None = None) -> TensorVariable:
        """As :func:`arignote.tensor.repeat`."""
        return tensor.repeat(self, repeats, axis)

    def take(self, indices: TensorLike, axis: int | None = None) -> TensorVariable:
        """As :func:`arignote.tensor.take`."""
        return tensor.take(self, indices, axis)

    def nonzero(self, return_matrix: bool = False) -> Any:
        """As :func:`arignote.tensor.nonzero`."""
        return tensor.nonzero(self, return_matrix)

    def nonzero_values(self) -> TensorVariable:
        """As :func:`arignote.tensor.nonzero_values`."""
        return tensor.nonzero_values(self)

    def clip(self, a_min: TensorLike, a_max: TensorLike) -> TensorVariable:
        """As :func:`arignote.tensor.clip`."""
        return tensor.clip(self, a_min, a_max)

    def round(self, mode: str = "half_to_even") -> TensorVariable:
        """As :func:`arignote.tensor.round`."""
        return tensor.round(self, mode)

    def astype(self, dtype: Any) -> TensorVariable:
        """As :func:`arignote.tensor.cast`."""
        return tensor.cast(self, dtype)

    def fill(self, value: TensorLike) -> TensorVariable:
        """As :func:`arignote.tensor.fill`."""
        return tensor.fill(self, value)

    def zeros_like(self, dtype: Any = None) -> TensorVariable:
        """As :func:`arignote.tensor.zeros_like`."""
        return tensor.zeros_like(self, dtype)

    def ones_like(self, dtype: Any = None) -> TensorVariable:
        """As :func:`arignote.tensor.ones_like`."""
        return tensor.ones_like(self, dtype)

    def copy(self, name: str | None = None) -> TensorVariable:
        """Return another variable of the same value."""
        result = tensor.identity(self)
        result.name = name
        return result

    def eval(self, inputs_to_values: Mapping[Variable, Any] | None = None) -> npt.NDArray[Any]:
        """Compute the variable's value.

        The function compiled for it is kept, so that a second call with the same inputs is fast.

        Parameters
        ----------
        inputs_to_values
            A value for each input the variable depends on.

        Raises
        ------
        MissingInputError
            If an input has no value.

        Examples
        --------
        >>> x = tensor.dscalar("x")
        >>> (x + 1).eval({x: 2.0})
        array(3.)
        """
        from arignote.run.function import function

        values = inputs_to_values or {}
        inputs = tuple(sorted(values, key=id))
        compiled = self.__dict__.setdefault("_compiled", {})
        key = (inputs, config.mode)
        if key not in compiled:
            compiled[key] = function(list(inputs), self)
        return cast("npt.NDArray[Any]", compiled[key](*(values[item] for item in inputs)))


class TensorVariable(Tensor):
    """A variable that is an input or computed."""


class TensorConstant(Tensor, Constant):
    """A variable whose value is fixed when the graph is built."""


class TensorSharedVariable(Tensor, SharedVariable):
    """A variable whose value lives between calls; :func:`arignote.shared` makes one.

    Attributes
    ----------
    container
        Where the value is held; functions that update the variable write there.
    default_update
        An expression that every function using the variable updates it with, unless told otherwise.
    """

    def get_value(
        self,
        borrow: bool = False,
        return_internal_type: bool = False,  # noqa: ARG002 (a NumPy array is the internal type)
    ) -> npt.NDArray[Any]:
        """Return the value.

        Parameters
        ----------
        borrow
            Whether to return the array that functions use and update, instead of a copy. The value
            of a variable on a device is always a copy.
        return_internal_type
            Theano's, for arrays on a GPU: here the value is a NumPy array either way.

        Returns
        -------
        ndarray
            Of the variable's dtype and rank.

        Examples
        --------
        >>> import arignote
        >>> arignote.shared(1.5).get_value()
        array(1.5)
        """
        value = self.container.data if borrow else self.container.copy()
        return cast("npt.NDArray[Any]", value)

    def set_value(self, new_value: npt.ArrayLike, borrow: bool = False) -> None:
        """Replace the value.

        Parameters
        ----------
        new_value
            An array of the variable's rank, of any shape; lists and numbers if no value is rounded.
        borrow
            Whether functions may use, and update, the caller's array itself instead of a copy.

        Raises
        ------
        TypeError
            If the value has another rank or does not fit the dtype.

        Examples
        --------
        >>> import arignote
        >>> w = arignote.shared(1.5)
        >>> w.set_value(2.5)
        >>> w.get_value()
        array(2.5)
        """
        try:
            self.container.set(new_value, borrow)
        except TypeError as error:
            raise TypeError(f"{error}\nShared variable: {self}") from None

    def zero(self, borrow: bool = False) -> None:
        """Set the value to zeros of the shape it has, in place if ``borrow``."""
        if borrow and self.container.device is None:
            self.container.data[...] = 0
        else:
            self.set_value(np.zeros_like(self.container.data), borrow=True)


def _flat_arguments(arguments: Sequence[Any]) -> Sequence[Any]:
    """Return arguments that may also have been given as one list."""
    if len(arguments) == 1 and isinstance(arguments[0], list | tuple):
        return arguments[0]
    return arguments


graph_type.TensorType.variable_class = TensorVariable
graph_type.TensorType.constant_class = TensorConstant
graph_type.TensorType.shared_class = TensorSharedVariable

if TYPE_CHECKING:

    class TensorType(graph_type.TensorType):
        """What type checkers see: variables made by a type carry the operators."""

        def make_variable(self, name: str | None = None) -> TensorVariable:
            """Return a new variable of this type."""
            ...

        __call__ = make_variable
else:
    TensorType = graph_type.TensorType
