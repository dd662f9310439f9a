"""Printing values while a function runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from arignote import ops
from arignote.tensor.operators import symbolic
from arignote.tensor.var import TensorLike, TensorVariable


@dataclass(frozen=True)
class _Action:
    """What a print node does with a value; nodes with equal actions are merged."""

    message: str
    attrs: tuple[str, ...]
    function: Callable[[Any, Any], None]

    def __call__(self, value: Any) -> None:
        self.function(self, value)


def _print_attributes(op: Any, value: Any) -> None:
    for name in op.attrs:
        item = getattr(value, name)
        print(op.message, name, "=", item() if callable(item) else item)  # noqa: T201


class Print:
    """The identity, which prints its value each time it is computed.

    Parameters
    ----------
    message
        Printed first.
    attrs
        What to print: names of attributes, or of methods to call, of the array.
    global_fn
        Called with an object that has ``message`` and ``attrs``, and the array; instead of
        printing.

    Examples
    --------
    >>> import arignote.tensor as T
    >>> x = T.dscalar("x")
    >>> y = Print("now")(x) * 2
    >>> y.eval({x: 1.5})
    now __str__ = 1.5
    array(3.)
    """

    def __init__(
        self,
        message: str = "",
        attrs: Sequence[str] = ("__str__",),
        global_fn: Callable[[Any, Any], None] = _print_attributes,
    ) -> None:
        self.action = _Action(message, tuple(attrs), global_fn)

    def __call__(self, x: TensorLike) -> TensorVariable:
        """Return ``x``, to be printed when it is computed."""
        return symbolic(ops.print_op)(x, action=self.action)
