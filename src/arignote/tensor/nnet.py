"""What neural networks and logistic models are built from."""

from __future__ import annotations

import warnings
from typing import Final

import numpy as np

from arignote import ops
from arignote.errors import GraphTypeError
from arignote.graph import dtypes
from arignote.graph.variable import Variable
from arignote.run.introspect import op_class
from arignote.tensor.documented import unary
from arignote.tensor.elementwise import FLOAT
from arignote.tensor.operators import symbolic
from arignote.tensor.var import TensorLike, TensorVariable

Softmax: Final = op_class("Softmax")
LogSoftmax: Final = op_class("LogSoftmax")

# Of the self-normalizing networks of Klambauer, Unterthiner, Mayr and Hochreiter (2017).
_SELU_ALPHA: Final = 1.6732632423543772848170429916717
_SELU_SCALE: Final = 1.0507009873554804934193349852946


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


def _as_float(x: TensorLike) -> Variable:
    variable = ops.as_variable(x)
    return ops.cast(variable, dtypes.float_for(variable.dtype))


def _rows(name: str, x: TensorLike) -> Variable:
    """Return what a softmax takes: a matrix, or a vector as a row, as Theano has it."""
    variable = ops.as_variable(x)
    if variable.ndim not in (1, 2) or variable.dtype not in dtypes.FLOATS:
        raise ValueError(f"[{name}] x must be 1-d or 2-d tensor of floats. Got {variable.type}")
    if variable.ndim == 1:
        warnings.warn(
            f"DEPRECATION: {name} of a vector gives a matrix of one row. Pad the vector yourself, "
            "with x.dimshuffle('x', 0), to say that this is meant.",
            stacklevel=3,
        )
    return ops.pad_left(variable, 2)


@symbolic
def softmax(c: TensorLike) -> Variable:
    """Return ``exp(c)`` divided by its sum over each row.

    Parameters
    ----------
    c
        A matrix of floats. A vector is taken for a row, with a warning.

    Returns
    -------
    TensorVariable
        A matrix of the shape and dtype of ``c``, whose rows sum to 1.

    Raises
    ------
    ValueError
        If ``c`` has another rank, or holds no floats.

    Examples
    --------
    >>> softmax([[0.0, 0.0], [0.0, 1000.0]]).eval()
    array([[0.5, 0.5],
           [0. , 1. ]])
    """
    return ops.softmax_op(_rows("softmax", c))


@symbolic
def logsoftmax(c: TensorLike) -> Variable:
    """Return the logarithm of :func:`softmax`, finite also where that is zero.

    Parameters
    ----------
    c
        A matrix of floats. A vector is taken for a row, with a warning.

    Returns
    -------
    TensorVariable
        A matrix of the shape and dtype of ``c``.

    Raises
    ------
    ValueError
        If ``c`` has another rank, or holds no floats.

    Examples
    --------
    >>> logsoftmax([[0.0, 1000.0]]).eval()
    array([[-1000.,     0.]])
    """
    return ops.log_softmax_op(_rows("logsoftmax", c))


@symbolic
def categorical_crossentropy(coding_dist: TensorLike, true_dist: TensorLike) -> Variable:
    """Return, for each row, the negative log-likelihood of the true class.

    Parameters
    ----------
    coding_dist
        A matrix: the probability of each class in each row.
    true_dist
        The true classes as a vector of integers, or their distributions as a matrix.

    Returns
    -------
    TensorVariable
        A vector with an element for each row.

    Raises
    ------
    TypeError
        If ``true_dist`` is neither.
    IndexError
        In a call, if a class is out of range.

    Examples
    --------
    >>> categorical_crossentropy([[0.25, 0.75], [0.5, 0.5]], [1, 0]).eval()
    array([0.28768207, 0.69314718])
    """
    coding, true = ops.as_variable(coding_dist), ops.as_variable(true_dist)
    if true.ndim == coding.ndim:
        return ops.neg(ops.sum_(ops.mul(true, ops.log(coding)), axis=coding.ndim - 1))
    if true.ndim == coding.ndim - 1:
        return crossentropy_categorical_1hot(coding, true)
    raise GraphTypeError("rank mismatch between coding and true distributions")


@symbolic
def crossentropy_categorical_1hot(coding_dist: TensorLike, true_one_of_n: TensorLike) -> Variable:
    """Return, for each row, the negative log-likelihood of the true class.

    Parameters
    ----------
    coding_dist
        A matrix: the probability of each class in each row.
    true_one_of_n
        A vector of integers: the true class of each row.

    Returns
    -------
    TensorVariable
        A vector with an element for each row.

    Raises
    ------
    TypeError
        If ``coding_dist`` is no matrix or ``true_one_of_n`` no vector of integers.
    IndexError
        In a call, if a class is out of range.

    Examples
    --------
    >>> crossentropy_categorical_1hot([[0.25, 0.75], [0.5, 0.5]], [1, 0]).eval()
    array([0.28768207, 0.69314718])
    """
    return ops.neg(_of_true_class(ops.log(coding_dist), true_one_of_n))


def _of_true_class(x: Variable, classes: TensorLike) -> Variable:
    """Return the element of each row that a vector of classes names."""
    true = ops.as_variable(classes)
    if x.ndim != 2:
        raise GraphTypeError(f"matrix required for argument: coding_dist: {x.type}")
    if true.ndim != 1 or true.dtype not in dtypes.INTEGERS:
        raise GraphTypeError(f"integer vector required for argument: true_one_of_n: {true.type}")
    return ops.advanced_subtensor(x, [ops.arange(ops.length(true, 0)), true])


@symbolic
def binary_crossentropy(output: TensorLike, target: TensorLike) -> Variable:
    """Return the negative log-likelihood of each of independent yes-no outcomes.

    Parameters
    ----------
    output
        A tensor of any shape: the probabilities of yes.
    target
        A tensor that broadcasts to it: 1 for yes, 0 for no, or a probability.

    Returns
    -------
    TensorVariable
        Of the common shape.

    Examples
    --------
    >>> binary_crossentropy([0.25, 0.5], [0.0, 1.0]).eval()
    array([0.28768207, 0.69314718])
    """
    p, y = ops.as_variable(output), ops.as_variable(target)
    yes = ops.mul(y, ops.log(p))
    return ops.neg(ops.add(yes, ops.mul(ops.sub(1.0, y), ops.log(ops.sub(1.0, p)))))


@symbolic
def sigmoid_binary_crossentropy(output: TensorLike, target: TensorLike) -> Variable:
    """Return :func:`binary_crossentropy` of the :func:`sigmoid` of ``output``, always finite.

    Parameters
    ----------
    output
        A tensor of any shape: the logarithms of the odds of yes.
    target
        A tensor that broadcasts to it: 1 for yes, 0 for no, or a probability.

    Returns
    -------
    TensorVariable
        Of the common shape.

    Examples
    --------
    >>> sigmoid_binary_crossentropy([0.0, 1000.0], [1.0, 0.0]).eval()
    array([6.93147181e-01, 1.00000000e+03])
    """
    z, y = _as_float(output), ops.as_variable(target)
    yes = ops.mul(y, ops.softplus(ops.neg(z)))
    return ops.add(yes, ops.mul(ops.sub(1.0, y), ops.softplus(z)))


def crossentropy_softmax_argmax_1hot_with_bias(
    x: TensorLike, b: TensorLike, y_idx: TensorLike
) -> list[TensorVariable]:
    """Return loss, probabilities and prediction of softmax regression.

    Parameters
    ----------
    x
        A matrix of floats: the activation of each class in each row.
    b
        A vector: the bias of each class.
    y_idx
        A vector of integers: the true class of each row.

    Returns
    -------
    list of three TensorVariable
        The negative log-likelihood of each row, the softmax of ``x + b``, and the likeliest class
        of each row (int64).

    Raises
    ------
    TypeError
        If ``y_idx`` is no vector of integers.
    IndexError
        In a call, if a class is out of range.

    Examples
    --------
    >>> loss, p, y = crossentropy_softmax_argmax_1hot_with_bias([[0.0, 1.0]], [0.0, 0.0], [1])
    >>> loss.eval(), y.eval()
    (array([0.31326169]), array([1]))
    """
    z = ops.add(x, b)
    loss = ops.neg(_of_true_class(logsoftmax(z), y_idx))
    results = [loss, softmax(z), ops.argmax_op(z, axis=(1,))]
    return [symbolic(ops.as_variable)(item) for item in results]


def crossentropy_softmax_1hot_with_bias(
    x: TensorLike, b: TensorLike, y_idx: TensorLike
) -> list[TensorVariable]:
    """Return loss and probabilities of softmax regression.

    Parameters
    ----------
    x, b, y_idx
        As for :func:`crossentropy_softmax_argmax_1hot_with_bias`.

    Returns
    -------
    list of two TensorVariable
        The negative log-likelihood of each row, and the softmax of ``x + b``.

    Examples
    --------
    >>> loss, p = crossentropy_softmax_1hot_with_bias([[0.0, 1.0]], [0.0, 0.0], [1])
    >>> p.eval()
    array([[0.26894142, 0.73105858]])
    """
    return crossentropy_softmax_argmax_1hot_with_bias(x, b, y_idx)[:2]
