"""Variables to start from: inputs of every dtype and rank, and constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from arignote import ops
from arignote.errors import GraphTypeError
from arignote.tensor.operators import symbolic
from arignote.tensor.var import Tensor, TensorConstant, TensorLike, TensorType, TensorVariable

if TYPE_CHECKING:
    from arignote.graph.variable import Variable


class Constructor:
    """Makes input variables of one broadcast pattern.

    Parameters
    ----------
    name
        Of the variable; messages and keyword arguments of functions use it.
    dtype
        Of the elements; ``config.floatX`` by default.

    Returns
    -------
    TensorVariable
        A new variable. ``row`` and ``col`` have one broadcastable dimension, the others none.

    Raises
    ------
    TypeError
        If there is no such dtype.

    Examples
    --------
    >>> matrix("x").type, ivector("y").type, row(dtype="int8").type
    (TensorType(float64, matrix), TensorType(int32, vector), TensorType(int8, row))
    """

    def __init__(self, *broadcastable: bool) -> None:
        self.broadcastable = broadcastable

    def __call__(self, name: str | None = None, dtype: Any = None) -> TensorVariable:
        """Return a new variable."""
        return TensorType(dtype or "floatX", self.broadcastable)(name)


scalar = Constructor()
vector = Constructor(False)
matrix = Constructor(False, False)
row = Constructor(True, False)
col = Constructor(False, True)
tensor3 = Constructor(False, False, False)
tensor4 = Constructor(False, False, False, False)
tensor5 = Constructor(False, False, False, False, False)


def tensor(dtype: Any = None, broadcastable: Any = None, name: str | None = None) -> TensorVariable:
    """Return an input variable of any dtype and broadcast pattern.

    Parameters
    ----------
    dtype
        Of the elements; ``config.floatX`` by default.
    broadcastable
        One bool for each dimension, True where its length is always 1.
    name
        Of the variable.

    Raises
    ------
    TypeError
        If there is no such dtype, or no pattern is given.

    Examples
    --------
    >>> tensor("float32", (False, True)).type
    TensorType(float32, col)
    """
    if broadcastable is None:
        raise TypeError("[tensor] broadcastable must have a bool for each dimension: None")
    return TensorType(dtype or "floatX", broadcastable)(name)


if TYPE_CHECKING:
    _Type = TensorType
    _Types = tuple[_Type, _Type, _Type, _Type, _Type, _Type, _Type, _Type]


def _types(dtype: str) -> _Types:
    """Return the types of all the patterns above, in their order."""
    makers = (scalar, vector, matrix, row, col, tensor3, tensor4, tensor5)
    types = tuple(TensorType(dtype, maker.broadcastable) for maker in makers)
    return cast("_Types", types)


bscalar, bvector, bmatrix, brow, bcol, btensor3, btensor4, btensor5 = _types("int8")
wscalar, wvector, wmatrix, wrow, wcol, wtensor3, wtensor4, wtensor5 = _types("int16")
iscalar, ivector, imatrix, irow, icol, itensor3, itensor4, itensor5 = _types("int32")
lscalar, lvector, lmatrix, lrow, lcol, ltensor3, ltensor4, ltensor5 = _types("int64")
fscalar, fvector, fmatrix, frow, fcol, ftensor3, ftensor4, ftensor5 = _types("float32")
dscalar, dvector, dmatrix, drow, dcol, dtensor3, dtensor4, dtensor5 = _types("float64")
cscalar, cvector, cmatrix, crow, ccol, ctensor3, ctensor4, ctensor5 = _types("complex64")
zscalar, zvector, zmatrix, zrow, zcol, ztensor3, ztensor4, ztensor5 = _types("complex128")


class Plural:
    """Makes several input variables at once.

    Parameters
    ----------
    names
        A name for each variable, or one int: how many to make without a name. A single string of
        several letters names one variable with each.

    Returns
    -------
    TensorVariable, or a list of them
        A list, except for a single name.

    Examples
    --------
    >>> x, y = dscalars("x", "y")
    >>> dmatrices("ab")
    [a, b]
    """

    def __init__(self, make: Constructor | TensorType) -> None:
        self.make = make

    def __call__(self, *names: Any) -> Any:
        """Return a new variable for each name."""
        if names and isinstance(names[0], int):
            return [self.make() for _ in range(names[0])]
        chosen = names[0] if len(names) == 1 else names
        return self.make(chosen[0]) if len(chosen) == 1 else [self.make(name) for name in chosen]


if TYPE_CHECKING:
    _Plurals = tuple[Plural, Plural, Plural, Plural, Plural, Plural, Plural, Plural]


def _plurals(*makers: Constructor | TensorType) -> _Plurals:
    return cast("_Plurals", tuple(map(Plural, makers)))


scalars, vectors, matrices, rows, cols, tensor3s, tensor4s, tensor5s = _plurals(
    scalar, vector, matrix, row, col, tensor3, tensor4, tensor5
)
bscalars, bvectors, bmatrices, brows, bcols, btensor3s, btensor4s, btensor5s = _plurals(
    bscalar, bvector, bmatrix, brow, bcol, btensor3, btensor4, btensor5
)
wscalars, wvectors, wmatrices, wrows, wcols, wtensor3s, wtensor4s, wtensor5s = _plurals(
    wscalar, wvector, wmatrix, wrow, wcol, wtensor3, wtensor4, wtensor5
)
iscalars, ivectors, imatrices, irows, icols, itensor3s, itensor4s, itensor5s = _plurals(
    iscalar, ivector, imatrix, irow, icol, itensor3, itensor4, itensor5
)
lscalars, lvectors, lmatrices, lrows, lcols, ltensor3s, ltensor4s, ltensor5s = _plurals(
    lscalar, lvector, lmatrix, lrow, lcol, ltensor3, ltensor4, ltensor5
)
fscalars, fvectors, fmatrices, frows, fcols, ftensor3s, ftensor4s, ftensor5s = _plurals(
    fscalar, fvector, fmatrix, frow, fcol, ftensor3, ftensor4, ftensor5
)
dscalars, dvectors, dmatrices, drows, dcols, dtensor3s, dtensor4s, dtensor5s = _plurals(
    dscalar, dvector, dmatrix, drow, dcol, dtensor3, dtensor4, dtensor5
)
cscalars, cvectors, cmatrices, crows, ccols, ctensor3s, ctensor4s, ctensor5s = _plurals(
    cscalar, cvector, cmatrix, crow, ccol, ctensor3, ctensor4, ctensor5
)
zscalars, zvectors, zmatrices, zrows, zcols, ztensor3s, ztensor4s, ztensor5s = _plurals(
    zscalar, zvector, zmatrix, zrow, zcol, ztensor3, ztensor4, ztensor5
)


def constant(
    x: Any, name: str | None = None, ndim: int | None = None, dtype: Any = None
) -> TensorConstant:
    """Return a constant.

    Parameters
    ----------
    x
        A number, an array, or nested lists of numbers.
    name
        Of the variable.
    ndim
        Rank to give it, by dimensions of length 1 in front.
    dtype
        Of the elements. By default an array keeps its own; a Python int takes the smallest signed
        integer that holds it, a Python float float32 if that is ``floatX`` or exact, else float64.

    Returns
    -------
    TensorConstant
        Broadcastable in the dimensions of length 1.

    Raises
    ------
    TypeError
        If ``x`` is no number or array of numbers.
    ValueError
        If ``x`` has more than ``ndim`` dimensions.

    Examples
    --------
    >>> constant(1000).type, constant([[1.5, 2.5]]).type
    (TensorType(int16, scalar), TensorType(float64, row))
    """
    if isinstance(x, Tensor):
        raise GraphTypeError(f"[constant] x must be a number or an array of numbers: {x}")
    result = ops.constant(x, dtype, name)
    if ndim is not None and ndim != result.ndim:
        if ndim < result.ndim:
            raise ValueError(f"[constant] x must have at most {ndim} dimensions: {result.ndim}")
        data = result.data.reshape((1,) * (ndim - result.ndim) + result.data.shape)
        result = ops.constant(data, name=name)
    return cast("TensorConstant", result)


@symbolic
def as_tensor_variable(x: TensorLike, name: str | None = None, ndim: int | None = None) -> Variable:
    """Return a variable for a variable, a number, an array, or a list that may hold variables.

    Parameters
    ----------
    x
        What to convert. A variable is returned as it is, a list with variables is stacked.
    name
        Of the result, if ``x`` is no variable.
    ndim
        Rank of the result: dimensions of length 1 are added, or broadcastable ones dropped, in
        front.

    Returns
    -------
    TensorVariable
        A constant where ``x`` holds no variable.

    Raises
    ------
    TypeError
        If ``x`` does not convert to a tensor.
    ValueError
        If a dimension to drop is not broadcastable.

    Examples
    --------
    >>> as_tensor_variable(2.5)
    TensorConstant{2.5}
    >>> as_tensor_variable([scalar("a"), 1.0]).type
    TensorType(float64, vector)
    """
    variable = ops.as_variable(x, name)
    if ndim is None or ndim >= variable.ndim:
        return variable if ndim is None else ops.pad_left(variable, ndim)
    extra = variable.ndim - ndim
    if not all(variable.broadcastable[:extra]):
        raise ValueError(
            f"[as_tensor_variable] x could not be cast to have {ndim} dimensions: {variable.type}"
        )
    return ops.dimshuffle(variable, tuple(range(extra, variable.ndim)))
