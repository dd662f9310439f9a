"""What neural networks and logistic models are built from."""

from __future__ import annotations

from typing import Final

import numpy as np

from arignote import ops
from arignote.graph import dtypes
from arignote.graph.variable import Variable
from arignote.tensor.crossentropy import (
    binary_crossentropy,
    categorical_crossentropy,
    crossentropy_categorical_1hot,
    crossentropy_softmax_1hot,
    crossentropy_softmax_1hot_with_bias,
    crossentropy_softmax_argmax_1hot_with_bias,
    crossentropy_softmax_max_and_argmax_1hot,
    crossentropy_softmax_max_and_argmax_1hot_with_bias,
    sigmoid_binary_crossentropy,
)
from arignote.tensor.documented import unary
from arignote.tensor.elementwise import FLOAT
from arignote.tensor.operators import symbolic
from arignote.tensor.softmax import LogSoftmax, Softmax, logsoftmax, softmax
from arignote.tensor.var import TensorLike

__all__ = [
    "LogSoftmax",
    "Softmax",
    "binary_crossentropy",
    "categorical_crossentropy",
    "crossentropy_categorical_1hot",
    "crossentropy_softmax_1hot",
    "crossentropy_softmax_1hot_with_bias",
    "crossentropy_softmax_argmax_1hot_with_bias",
    "crossentropy_softmax_max_and_argmax_1hot",
    "crossentropy_softmax_max_and_argmax_1hot_with_bias",
    "elu",
    "hard_sigmoid",
    "logsoftmax",
    "relu",
    "selu",
    "sigmoid",
    "sigmoid_binary_crossentropy",
    "softmax",
    "softplus",
    "softsign",
]

# Of the self-normalizing networks of Klambauer, Unterthiner, Mayr and Hochreiter (2017).
_SELU_ALPHA: Final = 1.6732632423543772848170429916717
_SELU_SCALE: Final = 1.0507009873554804934193349852946


def _as_float(x: TensorLike) -> Variable:
    variable = ops.as_variable(x)
    return ops.cast(variable, dtypes.float_for(variable.dtype))


@unary(FLOAT)
def sigmoid(x: TensorLike) -> Variable:
    """Return the logistic function ``1 / (1 + exp(-x))``.

    >>> sigmoid([0.0, 2.0]).eval()
    array([0.5       , 0.88079708])
    """
    return ops.sigmoid(x)


@unary(FLOAT)
def hard_sigmoid(x: TensorLike) -> Variable:
    """Return ``0.2 * x + 0.5`` cut to [0, 1]: a rough sigmoid.

    >>> hard_sigmoid([-9.0, 1.0, 9.0]).eval()
    array([0. , 0.7, 1. ])
    """
    variable = _as_float(x)
    return ops.clip(ops.add(ops.mul(variable, 0.2), 0.5), 0.0, 1.0)


@unary(FLOAT)
def softplus(x: TensorLike) -> Variable:
    """Return ``log(1 + exp(x))``, which does not overflow.

    >>> softplus([0.0, 1000.0]).eval()
    array([6.93147181e-01, 1.00000000e+03])
    """
    return ops.softplus(x)


@unary(FLOAT)
def softsign(x: TensorLike) -> Variable:
    """Return ``x / (1 + abs(x))``.

    >>> softsign([1.0, -3.0]).eval()
    array([ 0.5 , -0.75])
    """
    variable = _as_float(x)
    return ops.true_div(variable, ops.add(ops.abs_(variable), 1.0))


@symbolic
def relu(x: TensorLike, alpha: TensorLike = 0) -> Variable:
    """Return ``x`` where it is positive, else ``alpha * x``. Half of both slopes is that at zero.

    Parameters
    ----------
    x
        A tensor of any shape.
    alpha
        Slope below zero: a number, or a tensor that broadcasts to ``x``.

    Returns
    -------
    TensorVariable
        Of the shape of ``x``; integers give float32 or float64.

    Examples
    --------
    >>> relu([-2.0, 3.0], alpha=0.5).eval()
    array([-1.,  3.])
    """
    variable = _as_float(x)
    if not isinstance(alpha, Variable) and np.array_equal(alpha, 0):
        return ops.mul(ops.add(variable, ops.abs_(variable)), 0.5)
    slope = ops.prepare_beside(alpha, variable.dtype)
    linear = ops.mul(ops.mul(ops.add(slope, 1.0), 0.5), variable)
    return ops.add(linear, ops.mul(ops.mul(ops.sub(1.0, slope), 0.5), ops.abs_(variable)))


@symbolic
def elu(x: TensorLike, alpha: TensorLike = 1) -> Variable:
    """Return ``x`` where it is positive, else ``alpha * (exp(x) - 1)``.

    Parameters
    ----------
    x
        A tensor of any shape.
    alpha
        Minus the limit far below zero: a number, or a tensor that broadcasts to ``x``.

    Returns
    -------
    TensorVariable
        Of the shape of ``x``; integers give float32 or float64.

    Examples
    --------
    >>> elu([-1000.0, 3.0]).eval()
    array([-1.,  3.])
    """
    variable = _as_float(x)
    return ops.switch(ops.gt(variable, 0), variable, ops.mul(alpha, ops.expm1(variable)))


@unary(FLOAT)
def selu(x: TensorLike) -> Variable:
    """Return the scaled :func:`elu` whose activations keep mean 0 and variance 1.

    >>> selu([-1000.0, 1.0]).eval()
    array([-1.75809934,  1.05070099])
    """
    return ops.mul(elu(x, _SELU_ALPHA), _SELU_SCALE)
