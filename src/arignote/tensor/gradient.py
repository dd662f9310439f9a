"""Gradients: :mod:`arignote.autodiff` under Theano's module name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast, overload

from arignote import autodiff, ops
from arignote.autodiff import DisconnectedType, Lop, Rop, hessian, jacobian
from arignote.errors import DisconnectedInputError, GradientError, NullTypeGradError
from arignote.graph.variable import Variable
from arignote.tensor.operators import symbolic
from arignote.tensor.var import TensorVariable

if TYPE_CHECKING:
    from arignote.run.gradcheck import verify_grad

__all__ = [
    "DisconnectedInputError",
    "DisconnectedType",
    "GradientError",
    "Lop",
    "NullTypeGradError",
    "Rop",
    "consider_constant",
    "disconnected_grad",
    "grad",
    "grad_clip",
    "hessian",
    "jacobian",
    "verify_grad",
    "zero_grad",
]


class _Grad(Protocol):
    """What type checkers see of :func:`grad`: its results carry the operators."""

    @overload
    def __call__(self, cost: Variable | None, wrt: Variable, **options: Any) -> TensorVariable: ...
    @overload
    def __call__(
        self, cost: Variable | None, wrt: list[Any], **options: Any
    ) -> list[TensorVariable]: ...
    @overload
    def __call__(
        self, cost: Variable | None, wrt: tuple[Any, ...], **options: Any
    ) -> tuple[TensorVariable, ...]: ...


grad = cast("_Grad", autodiff.grad)
disconnected_grad = symbolic(ops.disconnected_grad)
zero_grad = symbolic(ops.zero_grad)
consider_constant = symbolic(ops.consider_constant)
grad_clip = symbolic(ops.grad_clip)


def __getattr__(name: str) -> Any:
    if name == "verify_grad":
        from arignote.run.gradcheck import verify_grad

        return verify_grad
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
