"""The operators of variables: arithmetic, comparison, NumPy's functions, indexing, iteration."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, ParamSpec, cast

import numpy as np

from arignote import ops
from arignote.errors import called
from arignote.graph.variable import Variable

if TYPE_CHECKING:
    from arignote.tensor.var import TensorVariable

P = ParamSpec("P")


def symbolic(function: Callable[P, Variable]) -> Callable[P, TensorVariable]:
    """Say what every variable in a graph is: one that carries the operators."""
    return cast("Callable[P, TensorVariable]", function)


def _operators(
    symbol: str, function: Callable[[Any, Any], Variable]
) -> tuple[Callable[[Any, Any], TensorVariable], Callable[[Any, Any], TensorVariable]]:
    """Return the methods for an operator with the variable on its left and on its right."""

    @symbolic
    def left(self: Any, other: Any) -> Variable:
        return called(symbol, function, self, other)

    @symbolic
    def right(self: Any, other: Any) -> Variable:
        return called(symbol, function, other, self)

    return left, right


def _method(
    function: Callable[[Any], Variable], symbol: str = ""
) -> Callable[[Any], TensorVariable]:
    @symbolic
    def method(self: Any) -> Variable:
        return called(symbol, function, self) if symbol else function(self)

    return method


def _matmul(a: Any, b: Any) -> Variable:
    x, y = ops.as_variable(a), ops.as_variable(b)
    if not (0 < x.ndim <= 2 and 0 < y.ndim <= 2):
        raise ops.dot_op.type_error(
            f"operands of @ must be vectors or matrices: {x.type}, {y.type}"
        )
    return ops.dot(x, y)


class Operators(Variable):
    """A variable with the operators of an array.

    Arithmetic, comparison (but ``==`` and ``!=``) and bitwise operators build variables, with a
    number, an array or a variable on the other side. Two variables are equal only if they are the
    same one.
    """

    # NumPy asks for one of these before it would take a variable for an object to put into an
    # array.
    __array_priority__ = 1000

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        function = _UFUNCS.get(ufunc)
        if function is None or method != "__call__" or options:
            return NotImplemented
        return function(*inputs)

    __add__, __radd__ = _operators("+", ops.add)
    __sub__, __rsub__ = _operators("-", ops.sub)
    __mul__, __rmul__ = _operators("*", ops.mul)
    __truediv__, __rtruediv__ = _operators("/", ops.true_div)
    __floordiv__, __rfloordiv__ = _operators("//", ops.floor_div)
    __mod__, __rmod__ = _operators("%", ops.mod)
    __pow__, __rpow__ = _operators("**", ops.pow_)
    __matmul__, __rmatmul__ = _operators("@", _matmul)
    __and__, __rand__ = _operators("&", ops.and_)
    __or__, __ror__ = _operators("|", ops.or_)
    __xor__, __rxor__ = _operators("^", ops.xor)
    __lt__, __gt__ = _operators("<", ops.lt)[0], _operators(">", ops.gt)[0]
    __le__, __ge__ = _operators("<=", ops.le)[0], _operators(">=", ops.ge)[0]
    __neg__ = _method(ops.neg, "-")
    __abs__ = _method(ops.abs_)
    __invert__ = _method(ops.invert, "~")

    exp = _method(ops.exp)
    exp2 = _method(ops.exp2)
    expm1 = _method(ops.expm1)
    log = _method(ops.log)
    log2 = _method(ops.log2)
    log10 = _method(ops.log10)
    log1p = _method(ops.log1p)
    sqrt = _method(ops.sqrt)
    sin = _method(ops.sin)
    cos = _method(ops.cos)
    tan = _method(ops.tan)
    sinh = _method(ops.sinh)
    cosh = _method(ops.cosh)
    tanh = _method(ops.tanh)
    arcsin = _method(ops.arcsin)
    arccos = _method(ops.arccos)
    arctan = _method(ops.arctan)
    arcsinh = _method(ops.arcsinh)
    arccosh = _method(ops.arccosh)
    arctanh = _method(ops.arctanh)
    ceil = _method(ops.ceil)
    floor = _method(ops.floor)
    trunc = _method(ops.trunc)
    conj = _method(ops.conj)

    def __bool__(self) -> bool:
        # ``a < b < c`` would silently drop its first half; ``if x:`` asks for None and must work.
        if self.owner is not None and self.owner.op in (ops.lt, ops.le, ops.gt, ops.ge):
            raise TypeError("Variables do not support boolean operations.")
        return True

    def __iter__(self) -> Iterator[TensorVariable]:
        length = ops.static_length(self) if self.ndim == 1 else None
        if length is None:
            raise TypeError(
                "TensorType does not support iteration. Maybe you are using builtins.sum instead "
                "of theano.tensor.sum? (Maybe .max?)"
            )
        return iter([self[position] for position in range(length)])

    @symbolic
    def __getitem__(self, index: Any) -> Variable:
        items = index if isinstance(index, tuple) else (index,)
        if any(ops.is_advanced(item) for item in items):
            result = ops.advanced_subtensor(self, items)
        else:
            known = _known_elements(self, index)
            if known is not None:
                return known
            result = ops.subtensor(self, items)
            if result is self:
                # A variable of its own, for set_subtensor to know what was indexed.
                result = ops.subtensor_op(self, index=((None, None, None),) * self.ndim)
        result.__dict__["_indexed"] = (self, items)
        return result


_VECTORS_OF_SCALARS: Final = (ops.shape_op, ops.join_op, ops.dimshuffle_op)


def _known_elements(vector: Variable, index: Any) -> Variable | None:
    """Return the part of a vector of scalars that an index selects; None if that is not known.

    So ``x.shape[0]`` is the length itself, and no element of a vector.
    """
    owner = vector.owner
    if vector.ndim != 1 or owner is None or owner.op not in _VECTORS_OF_SCALARS:
        return None
    count = ops.static_length(vector)
    if isinstance(index, bool | np.bool_) or count is None:
        return None
    if isinstance(index, int | np.integer):
        if not -count <= index < count:
            raise IndexError(
                f"index out of bounds, index {index} is out of bounds for size {count}"
            )
        if owner.op is ops.shape_op:
            return ops.length(owner.inputs[0], int(index) % count)
    items = ops.elements(vector, "[subtensor] x")
    if isinstance(index, int | np.integer):
        return items[index]
    if isinstance(index, slice):
        bounds = (index.start, index.stop, index.step)
        if all(item is None or isinstance(item, int | np.integer) for item in bounds):
            chosen = items[index]
            return ops.stack(chosen) if chosen else ops.constant(np.zeros(0, vector.dtype))
    return None


_UFUNCS: Final[dict[Any, Callable[..., Any]]] = {
    np.equal: operator.is_,
    np.not_equal: operator.is_not,
    np.add: ops.add,
    np.subtract: ops.sub,
    np.multiply: ops.mul,
    np.true_divide: ops.true_div,
    np.floor_divide: ops.floor_div,
    np.remainder: ops.mod,
    np.power: ops.pow_,
    np.matmul: _matmul,
    np.bitwise_and: ops.and_,
    np.bitwise_or: ops.or_,
    np.bitwise_xor: ops.xor,
    np.invert: ops.invert,
    np.less: ops.lt,
    np.less_equal: ops.le,
    np.greater: ops.gt,
    np.greater_equal: ops.ge,
    np.maximum: ops.maximum,
    np.minimum: ops.minimum,
    np.negative: ops.neg,
    np.absolute: ops.abs_,
    np.sign: ops.sgn,
    np.square: ops.sqr,
    np.reciprocal: ops.inv,
    np.conjugate: ops.conj,
    np.rint: ops.round_half_to_even,
    np.isnan: ops.isnan,
    np.isinf: ops.isinf,
    np.arctan2: ops.arctan2,
    **{
        getattr(np, op.name): op
        for op in (
            *(ops.exp, ops.exp2, ops.expm1, ops.log, ops.log2, ops.log10, ops.log1p, ops.sqrt),
            *(ops.sin, ops.cos, ops.tan, ops.arcsin, ops.arccos, ops.arctan),
            *(ops.sinh, ops.cosh, ops.tanh, ops.arcsinh, ops.arccosh, ops.arctanh),
            *(ops.ceil, ops.floor, ops.trunc),
        )
    },
}
"""What NumPy's functions mean on variables. Equality is that of the operator: identity."""
