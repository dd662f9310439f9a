"""Cross-entropies: the negative log-likelihood of what is true under what is predicted."""

from __future__ import annotations

from arignote import ops
from arignote.errors import GraphTypeError
from arignote.graph import dtypes
from arignote.graph.variable import Variable
from arignote.tensor.operators import symbolic
from arignote.tensor.softmax import logsoftmax, softmax
from arignote.tensor.var import TensorLike, TensorVariable


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
    z, y = ops.as_variable(output), ops.as_variable(target)
    z = ops.cast(z, dtypes.float_for(z.dtype))
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
    return _variables(*_loss_and_probabilities(z, y_idx), ops.argmax_op(z, axis=(1,)))


def crossentropy_softmax_max_and_argmax_1hot_with_bias(
    x: TensorLike, b: TensorLike, y_idx: TensorLike
) -> list[TensorVariable]:
    """Return loss, probabilities, and the largest of them and its class, of softmax regression.

    Parameters
    ----------
    x, b, y_idx
        As for :func:`crossentropy_softmax_argmax_1hot_with_bias`.

    Returns
    -------
    list of four TensorVariable
        The negative log-likelihood of each row, the softmax of ``x + b``, its largest element in
        each row, and the class of that (int64).

    Examples
    --------
    >>> results = crossentropy_softmax_max_and_argmax_1hot_with_bias([[0.0, 1.0]], [0.0, 0.0], [1])
    >>> results[2].eval(), results[3].eval()
    (array([0.73105858]), array([1]))
    """
    return crossentropy_softmax_max_and_argmax_1hot(ops.add(x, b), y_idx)


def crossentropy_softmax_max_and_argmax_1hot(
    x: TensorLike, y_idx: TensorLike
) -> list[TensorVariable]:
    """As :func:`crossentropy_softmax_max_and_argmax_1hot_with_bias`, without a bias.

    Examples
    --------
    >>> results = crossentropy_softmax_max_and_argmax_1hot([[0.0, 1.0]], [1])
    >>> results[2].eval(), results[3].eval()
    (array([0.73105858]), array([1]))
    """
    loss, p = _loss_and_probabilities(x, y_idx)
    return _variables(loss, p, ops.max_(p, axis=1), ops.argmax_op(ops.as_variable(x), axis=(1,)))


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
    return crossentropy_softmax_1hot(ops.add(x, b), y_idx)


def crossentropy_softmax_1hot(x: TensorLike, y_idx: TensorLike) -> list[TensorVariable]:
    """As :func:`crossentropy_softmax_1hot_with_bias`, without a bias.

    Examples
    --------
    >>> loss, p = crossentropy_softmax_1hot([[0.0, 1.0]], [1])
    >>> loss.eval()
    array([0.31326169])
    """
    return _variables(*_loss_and_probabilities(x, y_idx))


def _loss_and_probabilities(x: TensorLike, classes: TensorLike) -> tuple[Variable, Variable]:
    return ops.neg(_of_true_class(logsoftmax(x), classes)), softmax(x)


def _variables(*results: Variable) -> list[TensorVariable]:
    return [symbolic(ops.as_variable)(item) for item in results]
