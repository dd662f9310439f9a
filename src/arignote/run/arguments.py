"""The arguments of a function: what they may be, their defaults, and how they are converted."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from arignote.errors import add_note
from arignote.graph.dtypes import Array
from arignote.graph.type import TensorType
from arignote.graph.variable import Constant, SharedVariable, Variable
from arignote.run.shared import Container, filter_value

# What the runtime converts without asking: see _core.pyi.
Conversion = Literal["strict", "exact", "floatX", "any"]


class In:
    """An input of a function with more to say than its variable.

    Parameters
    ----------
    variable
        The variable.
    name
        By which the call may name the argument; that of the variable by default.
    value
        A default, also settable between calls as ``f[variable]``; or a container to share it.
    update
        An expression: after each call it becomes the default.
    mutable, borrow
        Whether the call may write into, or keep, the caller's array. Permissions that are never
        needed here.
    strict
        Whether only arrays of the very dtype are taken.
    allow_downcast
        Whether arguments may be rounded. None allows it for Python floats given for ``floatX``.

    Examples
    --------
    >>> import arignote.tensor as T
    >>> In(T.dscalar("x"), value=2.0).value
    2.0
    """

    def __init__(
        self,
        variable: Variable,
        name: str | None = None,
        value: Any = None,
        update: Any = None,
        mutable: bool | None = None,
        strict: bool = False,
        allow_downcast: bool | None = None,
        autoname: bool = True,
        implicit: bool | None = None,
        borrow: bool | None = None,
        shared: bool = False,
    ) -> None:
        if not isinstance(variable, Variable):
            raise TypeError(f"[In] variable must be a variable: {variable!r}")
        if update is not None and value is None:
            raise ValueError("[In] an input with an update needs a value")
        self.variable = variable
        self.name = variable.name if name is None and autoname else name
        self.value = value
        self.update = update
        self.mutable = mutable
        self.strict = strict
        self.allow_downcast = allow_downcast
        self.implicit = implicit
        self.borrow = borrow
        self.shared = shared


class Out:
    """An output of a function with more to say than its variable.

    Parameters
    ----------
    variable
        The variable.
    borrow
        Whether the array that a call returns may be overwritten by the next call.

    Examples
    --------
    >>> import arignote.tensor as T
    >>> Out(T.dscalar("x"), borrow=True).borrow
    True
    """

    def __init__(self, variable: Variable, borrow: bool = False) -> None:
        if not isinstance(variable, Variable):
            raise TypeError(f"[Out] variable must be a variable: {variable!r}")
        self.variable = variable
        self.borrow = borrow


def as_inputs(inputs: Sequence[Any], allow_downcast: bool | None) -> list[In]:
    """Return the inputs of a function as records, checked one by one."""
    if isinstance(inputs, Mapping | Variable) or not isinstance(inputs, list | tuple):
        raise TypeError(
            "Wrong syntax, input variables of a theano function should be in a list, even when "
            f"there is a single input: {inputs!r}"
        )
    return [_as_input(item, allow_downcast) for item in inputs]


def _as_input(item: Any, allow_downcast: bool | None) -> In:
    if isinstance(item, In):
        record = copy.copy(item)  # the user's may serve several functions
        if record.allow_downcast is None:
            record.allow_downcast = allow_downcast
    elif isinstance(item, Variable):
        record = In(item, allow_downcast=allow_downcast)
    elif isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], Variable):
        record = In(item[0], value=item[1], allow_downcast=allow_downcast)
    else:
        raise TypeError(f"Unknown parameter type: {type(item)}: {item!r}")
    if isinstance(record.variable, SharedVariable):
        raise TypeError(
            f"Cannot use a shared variable ({record.variable}) as explicit input. Consider "
            "substituting a non-shared variable via the `givens` parameter"
        )
    if isinstance(record.variable, Constant):
        raise TypeError(f"Cannot use a constant ({record.variable}) as explicit input")
    return record


def conversion(record: In) -> Conversion:
    """Return what the runtime may convert for an input by itself: no more than the rules allow."""
    if record.strict:
        return "strict"
    if record.allow_downcast is None:
        return "floatX"
    return "any" if record.allow_downcast else "exact"


class Arguments:
    """The inputs of one function, and the defaults that live with it."""

    def __init__(self, inputs: Sequence[In]) -> None:
        self.inputs = tuple(inputs)
        self.defaults: dict[int, Container] = {}
        self.by_name: dict[str, int] = {}
        for position, record in enumerate(self.inputs):
            if record.name:
                self.by_name.setdefault(record.name, position)
            if isinstance(record.value, Container):
                self.defaults[position] = record.value
            elif isinstance(getattr(record.value, "container", None), Container):
                self.defaults[position] = record.value.container
            elif record.value is not None:
                array = self.convert(position, record.value, "")
                self.defaults[position] = Container(record.variable.type, array, borrow=False)

    def position(self, key: Any) -> int:
        """Return the place of an input given by variable, name or number."""
        for position, record in enumerate(self.inputs):
            if key is record.variable or key == position:
                return position
        if isinstance(key, str) and key in self.by_name:
            return self.by_name[key]
        raise KeyError(f"Unknown input or state: {key}")

    def arrange(self, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None) -> tuple[Any, ...]:
        """Return all arguments in order, from positional and named ones and defaults."""
        return self.complete(self.given(args, kwargs))

    def given(self, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None) -> dict[int, Any]:
        """Return the arguments by position, from positional and named ones."""
        count = len(self.inputs)
        if len(args) > count:
            raise TypeError(
                f"Too many parameter passed to theano function: {len(args)} for {count} inputs"
            )
        given: dict[int, Any] = dict(enumerate(args))
        for name, value in (kwargs or {}).items():
            if name not in self.by_name:
                named = ", ".join(self.by_name) or "none"
                raise TypeError(
                    f"Unknown input or state: {name}. The function has {count} inputs, named: "
                    f"{named}"
                )
            if self.by_name[name] in given:
                raise TypeError(f"Multiple values for input: {name}")
            given[self.by_name[name]] = value
        return given

    def complete(self, given: Mapping[int, Any]) -> tuple[Any, ...]:
        """Return all arguments in order, defaults where none is given."""
        return tuple(
            given[position] if position in given else self._default(position)
            for position in range(len(self.inputs))
        )

    def _default(self, position: int) -> Array:
        if position not in self.defaults:
            raise TypeError(f"Missing required input: {self.label(position)}")
        return self.defaults[position].data

    def label(self, position: int) -> str:
        """Return what to call an input in messages."""
        return self.inputs[position].name or f"at index {position} (0-based)"

    def present(self) -> tuple[In, ...]:
        """Return the inputs with their present defaults, those in a container as they are."""
        result = list(self.inputs)
        for position, container in self.defaults.items():
            record = self.inputs[position]
            if record.value is not container and not hasattr(record.value, "container"):
                result[position] = copy.copy(record)
                result[position].value = container.copy()
        return tuple(result)

    def convert(self, position: int, value: Any, function: str) -> Array:
        """Return an argument as an array of its input's type; TypeError if it cannot be one."""
        return self._convert_to(self.inputs[position].variable.type, position, value, function)

    def convert_stack(self, position: int, value: Any, function: str) -> Array:
        """Return arguments of many calls as one array with a further axis, the first.

        Items of a list are taken one by one, as a call would take them.
        """
        type_ = self.inputs[position].variable.type
        if not isinstance(value, list | tuple | range):
            stacked = TensorType(type_.dtype, (False, *type_.broadcastable))
            try:
                return self._convert_to(stacked, position, value, function)
            except TypeError as error:
                add_note(error, "An argument of map has one more dimension, the first: the steps.")
                raise
        items = []
        for step, item in enumerate(value):
            try:
                items.append(self.convert(position, item, function))
            except TypeError as error:
                add_note(error, f"This was item {step} of the argument of map.")
                raise
            if items[-1].shape != items[0].shape:
                raise ValueError(
                    f"[map] items of {self.label(position)} must have one shape: "
                    f"{items[0].shape}, then {items[-1].shape} of item {step}"
                )
        shape = items[0].shape if items else tuple(map(int, type_.broadcastable))
        return np.array(items, type_.dtype).reshape(len(items), *shape)

    def _convert_to(self, type_: TensorType, position: int, value: Any, function: str) -> Array:
        record = self.inputs[position]
        try:
            array = filter_value(type_, value, record.allow_downcast, record.strict)
        except TypeError as error:
            origin = record.variable.origin
            created = f"Backtrace when that variable is created:\n\n  {origin}\n" if origin else ""
            name = f' with name "{function}"' if function else ""
            shown = f" (input {record.name})" if record.name else ""
            raise TypeError(
                f"Bad input argument to theano function{name} at index {position} (0-based){shown}."
                f"  \n{created}{error}"
            ) from None
        return _ready(array)


def _ready(array: Array) -> Array:
    """Return an array that the runtime can read: no subclass, aligned, in native byte order."""
    plain = array.view(np.ndarray) if type(array) is not np.ndarray else array
    if plain.flags.aligned and plain.dtype.isnative:
        return plain
    return plain.astype(plain.dtype.newbyteorder("="), order="C")
