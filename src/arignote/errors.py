"""The exception classes, and the one form their messages have.

Each class also is the built-in class that Theano programs catch for the same mistake. A message
reads ``[op] what must hold: what was found``; :func:`with_origin` adds the line that built the
node.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, ParamSpec, TypeVar

P = ParamSpec("P")
ResultT = TypeVar("ResultT")
ErrorT = TypeVar("ErrorT", bound=BaseException)


class Origin(NamedTuple):
    """The user's line that built a node."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f'File "{self.file}", line {self.line}, in {self.function}'


class GraphTypeError(TypeError):
    """Operands of types that an op does not take."""


class ShapeError(ValueError):
    """Operand shapes that do not fit each other."""


class IndexRangeError(IndexError, ValueError):
    """An index or a class label outside its range."""


class GradientError(ValueError):
    """A gradient that does not exist, or that finite differences contradict."""


class DisconnectedInputError(ValueError):
    """A gradient asked for with respect to something the cost does not depend on."""


class NullTypeGradError(TypeError):
    """A gradient through something that has none."""


class MissingInputError(ValueError):
    """A graph needs an input that the function was not given."""


class UnusedInputError(Exception):
    """A function was given an input that its graph does not need."""


class DeviceError(ValueError):
    """A device that cannot be used."""


class PlanError(RuntimeError):
    """A plan that breaks its own rules: a defect of arignote or of a hand-written plan."""


class CheckModeError(AssertionError):
    """A native step that differs from its NumPy meaning."""


def selection_error(op: str, position: int, value: int, length: int) -> IndexRangeError:
    """Return the error of an index array that holds, at a flat position, what is out of range."""
    where = "a selection" if op in ("take", "put", "pick", "place") else "the labels"
    return IndexRangeError(
        f"[{op}] index out of bounds, index {value} is out of bounds for size {length}: "
        f"element {position} of {where}"
    )


def add_note(error: BaseException, note: str) -> None:
    """Attach a note to an exception, also on Python 3.10, where notes extend the message."""
    if hasattr(error, "add_note"):
        error.add_note(note)
    elif error.args and isinstance(error.args[0], str):
        error.args = (f"{error.args[0]}\n{note}", *error.args[1:])


def called(name: str, function: Callable[P, ResultT], *args: P.args, **kwargs: P.kwargs) -> ResultT:
    """Call a function; a mistake it finds is told under the name that the user called it by."""
    try:
        return function(*args, **kwargs)
    except (GraphTypeError, ValueError) as error:
        # A shape that does not fit, known from test values, is told as a call tells it.
        if not isinstance(error, ShapeError) and error.args and isinstance(error.args[0], str):
            text = re.sub(r"^\[\w+\]", f"[{name}]", error.args[0])
            error.args = (text, *error.args[1:])
        raise


def with_origin(error: ErrorT, origin: Origin | None) -> ErrorT:
    """Attach the line that built the node in question, where it is known."""
    if origin is not None:
        add_note(error, f"The node was built at: {origin}")
    return error
