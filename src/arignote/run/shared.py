"""Shared variables: values that live between calls and that functions update."""

from __future__ import annotations

import copy
from collections.abc import Callable
from numbers import Number
from typing import Any

import numpy as np

from arignote.graph import dtypes
from arignote.graph.dtypes import Array
from arignote.graph.type import GenericType, TensorType
from arignote.graph.variable import SharedVariable, Variable
from arignote.run.devices import OpenDevice, device_for_value
from arignote.run.native import Storage


class Container:
    """The value of a shared tensor: one aligned buffer that compiled functions use in place.

    It lies on the device if it is given one; its arrays are then copies.
    """

    def __init__(
        self,
        type: TensorType,
        value: Array,
        borrow: bool,
        strict: bool = False,
        allow_downcast: bool | None = None,
        device: OpenDevice | None = None,
    ) -> None:
        self.type = type
        self.strict = strict
        self.allow_downcast = allow_downcast
        self.device = device
        self.storage = (
            Storage(value, borrow) if device is None else Storage(value, borrow, device.capsule)
        )

    @property
    def data(self) -> Array:
        """The array itself, of a device a copy."""
        return self.storage.array

    value = data

    @property
    def shape(self) -> tuple[int, ...]:
        """The array's shape, for which nothing is brought from a device."""
        return self.storage.shape

    def copy(self) -> Array:
        """Return a copy of the array."""
        return self.storage.copy()

    def set(self, value: Any, borrow: bool = False) -> None:
        """Replace the value, after checking that the type can hold it."""
        array = filter_value(self.type, value, self.allow_downcast, self.strict)
        self.storage.set(array, borrow and array is value)

    def __reduce__(self) -> tuple[Callable[..., Container], tuple[Any, ...]]:
        return _new_container, (
            self.type,
            self.storage.copy(),
            False,
            self.strict,
            self.allow_downcast,
        )


def _new_container(
    type_: TensorType, value: Array, borrow: bool, strict: bool, allow_downcast: bool | None
) -> Container:
    """Return a container that lies where those of new shared variables do."""
    device = device_for_value(type_)
    return Container(type_, value, borrow, strict, allow_downcast, device)


class GenericContainer:
    """The value of a shared Python object."""

    def __init__(self, value: Any) -> None:
        self.data = value

    @property
    def value(self) -> Any:
        """The object itself."""
        return self.data


class GenericSharedVariable(SharedVariable):
    """A shared Python object that is no array. No op takes it."""

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> Any:  # noqa: ARG002
        """Return the object, a deep copy unless ``borrow``."""
        return self.container.data if borrow else copy.deepcopy(self.container.data)

    def set_value(self, value: Any, borrow: bool = False) -> None:
        """Replace the object, by a deep copy unless ``borrow``."""
        self.container.data = value if borrow else copy.deepcopy(value)


def filter_value(
    type_: TensorType, value: Any, allow_downcast: bool | None = False, strict: bool = False
) -> Array:
    """Return a value as an array that the type can hold.

    Parameters
    ----------
    type_
        The type.
    value
        An array, a number or nested lists of numbers.
    allow_downcast
        Whether any conversion is allowed. None allows a Python float to be rounded to ``floatX``.
        Otherwise integers become floats if the dtype holds them all, and lists and Python numbers
        are taken if every value survives.
    strict
        Whether only arrays of the very dtype are taken.

    Raises
    ------
    TypeError
        If the type cannot hold the value, saying why.
    """
    if isinstance(value, np.memmap | np.ndarray) and value.dtype == type_.dtype:
        array: Array = value
    elif strict:
        raise TypeError(
            f"{type_} expected a ndarray object of dtype {type_.dtype}: "
            f"{describe_value(value)} was given (strict)"
        )
    else:
        array = _convert(type_, value, allow_downcast)
    _check_shape(type_, array)
    return array


def describe_value(value: Any) -> str:
    """Return what a value is, in few words."""
    if isinstance(value, np.ndarray):
        return f"an array of dtype {value.dtype} and shape {value.shape}"
    return f"a {type(value).__name__}"


def _convert(type_: TensorType, value: Any, allow_downcast: bool | None) -> Array:
    given = _as_numbers(type_, value)
    is_plain = given.dtype.kind != "O"
    if is_plain and dtypes.upcast(given.dtype.name, type_.dtype) == type_.dtype:
        return given.astype(type_.dtype)
    if is_plain and isinstance(value, np.ndarray | np.generic) and not allow_downcast:
        raise TypeError(
            f"{type_} cannot store a value of dtype {given.dtype} without risking loss of "
            "precision. "
            "If you do not mind this loss, you can: 1) explicitly cast your data to "
            f'{type_.dtype}, or 2) set "allow_input_downcast=True" when calling "function".'
        )
    converted = _rounded(type_, given)
    is_float = isinstance(value, float) and type_.ndim == 0
    may_round = allow_downcast or (
        allow_downcast is None and is_float and type_.dtype == dtypes.normalize("floatX")
    )
    if may_round or _are_equal(converted, given):
        return converted
    raise TypeError(
        f"{type_} cannot store accurately value {value!r}, it would be represented as "
        f"{converted.tolist()!r}. If you do not mind this precision loss, you can: 1) "
        "explicitly convert "
        f'your data to a numpy array of dtype {type_.dtype}, or 2) set "allow_input_downcast=True" '
        'when calling "function".'
    )


def _are_equal(converted: Array, given: Array) -> bool:
    may_be_nan = dtypes.kind_of(given.dtype) in "fc"
    return np.array_equal(dtypes.plain(converted), dtypes.plain(given), equal_nan=may_be_nan)


def _as_numbers(type_: TensorType, value: Any) -> Array:
    """Return a value as an array of numbers. Text, dates and None are none."""
    if isinstance(value, Variable):
        raise TypeError(
            f"{type_} expected an array-like object, but found a Variable: maybe you are trying to "
            f"call a function on a (possibly shared) variable instead of a numeric array? {value}"
        )
    try:
        given = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise _no_numbers(type_, value) from error
    is_object = given.dtype.kind == "O"
    numeric = (
        all(isinstance(item, Number) for item in given.flat)
        if is_object
        else dtypes.kind_of(given.dtype) in "biufc"
    )
    if not numeric:
        raise _no_numbers(type_, value)
    return given


def _rounded(type_: TensorType, given: Array) -> Array:
    """Return numbers in the type's dtype, the nearest that it has or less near."""
    drops_imaginary = given.dtype.kind == "c" and type_.dtype not in dtypes.COMPLEXES
    try:
        with np.errstate(all="ignore"):
            return np.asarray((given.real if drops_imaginary else given).astype(type_.dtype))
    except OverflowError as error:
        raise TypeError(f"{type_} cannot hold all numbers given: {error}") from error
    except (TypeError, ValueError) as error:
        raise _no_numbers(type_, given) from error


def _no_numbers(type_: TensorType, value: Any) -> TypeError:
    return TypeError(f"{type_} needs numbers that form an array: {describe_value(value)} does not")


def _check_shape(type_: TensorType, array: Array) -> None:
    if array.ndim != type_.ndim:
        raise TypeError(
            f"Wrong number of dimensions: expected {type_.ndim}, got {array.ndim} with shape "
            f"{array.shape}."
        )
    for axis, (flag, length) in enumerate(zip(type_.broadcastable, array.shape, strict=True)):
        if flag and length != 1:
            raise TypeError(
                f"Non-unit value on shape on a broadcastable dimension: dimension {axis} of {type_}"
                f" must have length 1: {length} in shape {array.shape}"
            )


def shared(
    value: Any,
    name: str | None = None,
    strict: bool = False,
    allow_downcast: bool | None = None,
    borrow: bool = False,
    broadcastable: tuple[bool, ...] | None = None,
    **unknown: Any,
) -> Any:
    """Return a shared variable: its value lives between calls and functions can update it.

    Parameters
    ----------
    value
        A number or an array; of its dtype the variable will be: float64 for a Python float whatever
        ``floatX`` is, int64 for an int. Anything else (a list, say) is kept as a Python object
        that no op takes.
    name
        Of the variable.
    strict
        Whether ``set_value`` takes only arrays of the variable's dtype.
    allow_downcast
        Whether ``set_value`` may round.
    borrow
        Whether to use the caller's array itself instead of a copy. Updates then change it.
    broadcastable
        For each dimension, whether its length is always 1; by default none is.

    Returns
    -------
    TensorSharedVariable

    Raises
    ------
    TypeError
        If the value is a symbolic variable, or does not fit ``broadcastable``.

    Examples
    --------
    >>> import numpy as np
    >>> w = shared(np.zeros(3), name="w")
    >>> w.get_value()
    array([0., 0., 0.])
    """
    if unknown:
        raise TypeError(f"[shared] unknown argument: {', '.join(unknown)}")
    if isinstance(value, Variable):
        raise TypeError(
            f"Shared variable constructor needs numeric values and not symbolic variables: {value}"
        )
    if not isinstance(value, np.ndarray | np.generic | bool | int | float | complex):
        return GenericSharedVariable(GenericType(), GenericContainer(value), name)
    array = np.asarray(value)
    if isinstance(value, int) and array.dtype == object:
        raise TypeError(f"[shared] an integer must fit in 64 bits: {value}")
    if isinstance(value, np.memmap):
        array = value
    pattern = (False,) * array.ndim if broadcastable is None else tuple(broadcastable)
    type_ = TensorType(array.dtype.name, pattern)
    _check_shape(type_, array)
    container = _new_container(type_, array, borrow, strict, allow_downcast)
    return type_.shared_class(type_, container, name)
