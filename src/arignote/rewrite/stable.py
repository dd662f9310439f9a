"""Rules that replace formulas which overflow, cancel or divide zero by zero by ones which do not.

They apply to what users write, also before a gradient is taken: the gradient of the stable form is
stable too.
"""

from __future__ import annotations

from collections.abc import Sequence

from arignote import ops
from arignote.graph import dtypes
from arignote.graph.variable import Apply, Variable
from arignote.rewrite.engine import Replacement, Rule, rule
from arignote.rewrite.match import is_number, made_by, other_operand, same_shape, through_dimshuffle


def _float_of(x: Variable, output: Variable) -> bool:
    return output.dtype in dtypes.FLOATS and same_shape(x, output)


# Ops that only move or select elements of their first input.
_MOVES = (
    *(ops.take_op, ops.pick_op, ops.subtensor_op),
    *(ops.dimshuffle_op, ops.reshape_op, ops.rebroadcast_op),
)


def _through_moves(variable: Variable) -> tuple[Variable, list[Apply]]:
    """Return what a variable holds moved elements of, and the nodes that move them, last first."""
    moves: list[Apply] = []
    while variable.owner is not None and variable.owner.op in _MOVES:
        moves.append(variable.owner)
        variable = variable.owner.inputs[0]
    return variable, moves


def _moved(variable: Variable, moves: Sequence[Apply]) -> Variable:
    for move in reversed(moves):
        variable = move.op.make([variable, *move.inputs[1:]], move.params).outputs[0]
    return variable


@rule(ops.true_div)
def sigmoid_from_exp(node: Apply) -> Replacement:
    """1 / (1 + exp(-x)) -> sigmoid(x), exp(x) / (1 + exp(x)) -> sigmoid(x)"""
    numerator, denominator = node.inputs
    grown = other_operand(denominator, ops.add, 1)
    exponent = None if grown is None else made_by(grown, ops.exp)
    if exponent is None or not _float_of(exponent[0], node.outputs[0]):
        return None
    if is_number(numerator, 1):
        return ops.sigmoid(ops.neg(exponent[0]))
    if numerator is grown:
        return ops.sigmoid(exponent[0])
    return None


@rule(ops.inv)
def sigmoid_from_inverse(node: Apply) -> Replacement:
    """inv(1 + exp(-x)) -> sigmoid(x)"""
    grown = other_operand(node.inputs[0], ops.add, 1)
    exponent = None if grown is None else made_by(grown, ops.exp)
    if exponent is None or not _float_of(exponent[0], node.outputs[0]):
        return None
    return ops.sigmoid(ops.neg(exponent[0]))


@rule(ops.sub)
def one_minus_sigmoid(node: Apply) -> Replacement:
    """1 - sigmoid(x) -> sigmoid(-x), 1 - sigmoid(x)[i] -> sigmoid(-x[i])"""
    one, value = node.inputs
    item, moves = _through_moves(value)
    inner = made_by(item, ops.sigmoid)
    if inner is None or not is_number(one, 1) or not _float_of(value, node.outputs[0]):
        return None
    return ops.sigmoid(ops.neg(ops.cast(_moved(inner[0], moves), item.dtype)))


@rule(ops.sub)
def expm1_from_exp(node: Apply) -> Replacement:
    """exp(x) - 1 -> expm1(x)"""
    value, one = node.inputs
    inner = made_by(value, ops.exp)
    if inner is None or not is_number(one, 1) or not _float_of(inner[0], node.outputs[0]):
        return None
    return ops.expm1(inner[0])


@rule(ops.log)
def log_of_sigmoid(node: Apply) -> Replacement:
    """log(sigmoid(x)) -> -softplus(-x)"""
    inner = made_by(node.inputs[0], ops.sigmoid)
    if inner is None or node.outputs[0].dtype not in dtypes.FLOATS:
        return None
    # Negated as an integer, 3 of uint8 would be 253.
    x = ops.cast(inner[0], node.outputs[0].dtype)
    return ops.neg(ops.softplus(ops.neg(x)))


@rule(ops.log)
def log_of_softmax(node: Apply) -> Replacement:
    """log(softmax(x)) -> log_softmax(x)"""
    inner = made_by(node.inputs[0], ops.softmax_op)
    return None if inner is None else ops.log_softmax_op(inner[0])


@rule(ops.log)
def log_of_selection(node: Apply) -> Replacement:
    """log(softmax(x)[i]) -> log(softmax(x))[i], log(sigmoid(x)[i]) -> log(sigmoid(x[i]))"""
    item, moves = _through_moves(node.inputs[0])
    if not moves:
        return None
    curve = made_by(item, ops.sigmoid)
    if curve is not None:
        return ops.log(ops.sigmoid(_moved(curve[0], moves)))
    return _moved(ops.log(item), moves) if made_by(item, ops.softmax_op) is not None else None


@rule(ops.pick_op)
def nll_from_selection(node: Apply) -> Replacement:
    """log_softmax(x)[arange(len(y)), y] -> -nll(x, y)"""
    logs, y = node.inputs
    inner = made_by(logs, ops.log_softmax_op)
    return None if inner is None else ops.neg(ops.nll_op(inner[0], y))


@rule(ops.log)
def log_of_one_plus(node: Apply) -> Replacement:
    """log(1 + x) -> log1p(x), log(1 - x) -> log1p(-x)"""
    (argument,) = node.inputs
    x = other_operand(argument, ops.add, 1)
    if x is not None and _float_of(x, node.outputs[0]):
        return ops.log1p(x)
    difference = made_by(argument, ops.sub)
    if difference is None or not is_number(difference[0], 1):
        return None
    return ops.log1p(ops.neg(difference[1])) if _float_of(difference[1], node.outputs[0]) else None


@rule(ops.log1p)
def softplus_from_log1p(node: Apply) -> Replacement:
    """log1p(exp(x)) -> softplus(x), log1p(-sigmoid(x)) -> -softplus(x)"""
    (argument,) = node.inputs
    if argument.dtype not in dtypes.FLOATS:
        return None
    inner = made_by(argument, ops.exp)
    if inner is not None:
        return ops.softplus(inner[0])
    negated = made_by(argument, ops.neg)
    curve = None if negated is None else made_by(negated[0], ops.sigmoid)
    return None if curve is None else ops.neg(ops.softplus(curve[0]))


@rule(ops.log)
def log_of_sum_of_exp(node: Apply) -> Replacement:
    """log(sum(exp(x))) -> m + log(sum(exp(x - m))) with m = max(x)"""
    total, order = through_dimshuffle(node.inputs[0])
    inner = made_by(total, ops.sum_op)
    exponent = None if inner is None else made_by(inner[0], ops.exp)
    if exponent is None or total.owner is None or node.outputs[0].dtype not in dtypes.FLOATS:
        return None
    x = ops.cast(exponent[0], node.outputs[0].dtype)
    # exp(x - m) with m the maximum is in that form already.
    shift = made_by(x, ops.sub)
    if shift is not None and _is_maximum(shift[1], shift[0]):
        return None
    axis = total.owner.params["axis"]
    largest = ops.upper_bound(x, axis)
    # An infinite maximum must not turn inf - inf into nan; its gradient cancels out of the result.
    shifted = ops.switch(ops.isinf(largest), ops.constant(0, dtype=x.dtype), largest)
    fixed = ops.zero_grad(shifted)
    result = ops.log(ops.sum_(ops.exp(ops.sub(x, fixed)), axis=axis))
    dropped = ops.dimshuffle(fixed, [a for a in range(x.ndim) if a not in axis])
    result = ops.add(result, dropped)
    return result if order is None else ops.dimshuffle(result, order)


def _is_maximum(value: Variable, x: Variable) -> bool:
    """Return whether a value is the maximum of ``x`` over some axes, guarded or not."""
    for op in (ops.zero_grad_op, ops.dimshuffle_op):
        inner = made_by(value, op)
        if inner is not None:
            return _is_maximum(inner[0], x)
    chosen = made_by(value, ops.switch)
    if chosen is not None:
        return _is_maximum(chosen[2], x)
    inner = made_by(value, ops.max_op)
    return inner is not None and inner[0] is x


def _is_row_value(value: Variable, column: Variable) -> bool:
    """Return whether a value is a column without its last dimension."""
    rows = tuple(range(value.ndim))
    source, order = through_dimshuffle(column)
    if source is value and order == (*rows, "x"):
        return True
    source, order = through_dimshuffle(value)
    return source is column and order == rows


def _row_sum(variable: Variable) -> Variable | None:
    """Return ``x`` if the variable is the sum of x over its last axis, kept with length one."""
    total, order = through_dimshuffle(variable)
    inner = made_by(total, ops.sum_op)
    if inner is None or total.owner is None:
        return None
    (x,) = inner
    rank = x.ndim
    if total.owner.params["axis"] != (rank - 1,) or order != (*range(rank - 1), "x"):
        return None
    return x


@rule(ops.true_div)
def softmax_from_exp(node: Apply) -> Replacement:
    """exp(x) / sum(exp(x), last axis, keepdims) -> softmax(x)"""
    numerator, denominator = node.inputs
    inner = made_by(numerator, ops.exp)
    if inner is None or _row_sum(denominator) is not numerator:
        return None
    return ops.softmax_op(inner[0]) if _float_of(inner[0], node.outputs[0]) else None


@rule(ops.softmax_op, ops.log_softmax_op)
def softmax_without_shift(node: Apply) -> Replacement:
    """softmax(x - max(x)) -> softmax(x): it subtracts the maximum itself"""
    shift = made_by(node.inputs[0], ops.sub)
    if shift is None or not _is_maximum(shift[1], shift[0]):
        return None
    x, largest = shift
    # Only a shift that is the same for a whole row cancels.
    if not largest.broadcastable[-1] or not same_shape(x, node.outputs[0]):
        return None
    return node.op(x)


def _logsumexp_of(value: Variable) -> Variable | None:
    """Return ``x`` if the value is its logsumexp over the last axis, as log_of_sum_of_exp forms it.

    A user may have written that form, too.
    """
    terms = made_by(value, ops.add)
    if terms is None:
        return None
    for logarithm, dropped in (terms, terms[::-1]):
        inner = made_by(logarithm, ops.log)
        summed = None if inner is None else made_by(inner[0], ops.sum_op)
        exponent = None if summed is None else made_by(summed[0], ops.exp)
        shift = None if exponent is None else made_by(exponent[0], ops.sub)
        if inner is None or inner[0].owner is None or shift is None:
            continue
        x, largest = shift
        is_last = inner[0].owner.params["axis"] == (x.ndim - 1,)
        if is_last and _is_maximum(largest, x) and _is_row_value(dropped, largest):
            return x
    return None


@rule(ops.sub)
def log_softmax_from_logsumexp(node: Apply) -> Replacement:
    """x - logsumexp(x) -> log_softmax(x), for the form that log_of_sum_of_exp makes"""
    x, value = node.inputs
    total, order = through_dimshuffle(value)
    if order != (*range(x.ndim - 1), "x") or not _float_of(x, node.outputs[0]):
        return None
    return ops.log_softmax_op(x) if _logsumexp_of(total) is x else None


@rule(ops.sub)
def nll_from_logsumexp(node: Apply) -> Replacement:
    """logsumexp(x) - x[arange(len(y)), y] -> nll(x, y)"""
    value, score = node.inputs
    selected = made_by(score, ops.pick_op)
    if selected is None or not _float_of(score, node.outputs[0]):
        return None
    x, y = selected
    return ops.nll_op(x, y) if _logsumexp_of(value) is x else None


def _weighted_log_softmax(variable: Variable) -> tuple[Variable, Variable | None] | None:
    """Return ``x`` and ``t`` if the variable is ``t * log_softmax(x)``; no t stands for one."""
    inner = made_by(variable, ops.log_softmax_op)
    if inner is not None:
        return inner[0], None
    negated = made_by(variable, ops.neg)
    if negated is not None:
        minus = ops.pad_left(ops.constant(-1, dtype=variable.dtype), variable.ndim)
        return _weighted(negated[0], minus)
    first, second = made_by(variable, ops.mul) or (variable, variable)
    return None if first is second else _weighted(first, second) or _weighted(second, first)


def _weighted(variable: Variable, weight: Variable) -> tuple[Variable, Variable] | None:
    found = _weighted_log_softmax(variable)
    if found is None:
        return None
    x, other = found
    return x, weight if other is None else ops.mul(other, weight)


@rule(ops.sum_op)
def sum_of_log_softmax(node: Apply) -> Replacement:
    """sum(t * log_softmax(x)) -> sum(t * (x - m)) - sum(t) * log(sum(exp(x - m))), m = max(x)"""
    (terms,) = node.inputs
    last = terms.ndim - 1
    found = _weighted_log_softmax(terms)
    if found is None or last not in node.params["axis"]:
        return None
    x, weight = found
    if weight is not None:
        # A sum of integers would be one, too wide for the logarithms beside it.
        weight = ops.cast(weight, terms.dtype)
    shifted, total = shifted_by_maximum(x)
    weighted = shifted if weight is None else ops.mul(weight, shifted)
    # Neither of the two is above zero, if no weight is below it: nothing cancels.
    result = ops.sub(
        ops.sum_(weighted, axis=last), ops.mul(_row_total(weight, x, terms), ops.log(total))
    )
    return ops.sum_(result, axis=[axis for axis in node.params["axis"] if axis != last])


def shifted_by_maximum(x: Variable) -> tuple[Variable, Variable]:
    """Return ``x - m`` and ``sum(exp(x - m))`` over the last axis, with m the maximum along it."""
    last = x.ndim - 1
    # The gradient of the shift cancels.
    shifted = ops.sub(x, ops.disconnected_grad(ops.upper_bound(x, (last,))))
    # Of no classes the sum is one, so that its logarithm is zero.
    none = ops.cast(ops.eq(ops.length(x, last), 0), x.dtype)
    return shifted, ops.add(ops.sum_(ops.exp(shifted), axis=last), none)


def _row_total(weight: Variable | None, x: Variable, terms: Variable) -> Variable:
    """Return the sum of the weights of each row of x; no weight stands for one."""
    last = terms.ndim - 1
    count = ops.cast(ops.length(x, last), terms.dtype)
    if weight is None:
        return count
    if weight.broadcastable[last] and not terms.broadcastable[last]:
        return ops.mul(ops.dimshuffle(weight, tuple(range(last))), count)
    return ops.sum_(weight, axis=last)


RULES: tuple[Rule, ...] = (
    sum_of_log_softmax,
    sigmoid_from_exp,
    sigmoid_from_inverse,
    one_minus_sigmoid,
    expm1_from_exp,
    softmax_from_exp,
    softmax_without_shift,
    log_softmax_from_logsumexp,
    nll_from_logsumexp,
    log_of_sigmoid,
    log_of_softmax,
    log_of_selection,
    nll_from_selection,
    log_of_sum_of_exp,
    log_of_one_plus,
    softplus_from_log1p,
)
