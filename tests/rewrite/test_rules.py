"""Every rewrite rule fires where its description says, and keeps the value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from arignote import ops
from arignote.graph.op import OPS
from arignote.graph.type import TensorType
from arignote.graph.variable import Variable
from arignote.rewrite import pipeline
from arignote.rewrite.engine import Log, Rewriter, Rule
from helpers.evaluate import evaluate
from helpers.tolerance import assert_close
from helpers.values import Array

Build = Callable[..., Variable]
RULES: dict[str, Rule] = {rule.name: rule for phase in pipeline.PHASES for rule in phase.rules}


@dataclass(frozen=True)
class Case:
    """A rule, a graph on which it fires, and the form that its description promises.

    ``types`` are the graph's variables, as dtype and pattern letters: n for a dimension, 1 for one
    that broadcasts. ``exact`` says that not a bit of the result changes.
    """

    rule: str
    before: Build
    after: Build
    types: Sequence[str] = ("float64 nn",)
    exact: bool = True

    def __str__(self) -> str:
        return self.rule


def stable(rule: str, before: Build, after: Build, *types: str) -> Case:
    """Return a case of a rule whose form is computed otherwise."""
    return Case(rule, before, after, types or ("float64 nn",), exact=False)


def case(rule: str, before: Build, after: Build, *types: str) -> Case:
    """Return a case of a rule that changes nothing."""
    return Case(rule, before, after, types or ("float64 nn",))


def variable_of(text: str) -> Variable:
    dtype, *pattern = text.split()
    flags = tuple(letter == "1" for letter in "".join(pattern))
    return TensorType(dtype, flags).make_variable()


def value_of(text: str, rng: np.random.Generator) -> Array:
    dtype, *pattern = text.split()
    letters = "".join(pattern)
    lengths = (4, 5)[2 - len(letters) :]
    shape = tuple(1 if p == "1" else n for p, n in zip(letters, lengths, strict=True))
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if dtype.startswith("uint"):
        return rng.integers(0, 100, shape).astype(dtype)
    if dtype.startswith("int"):
        return rng.integers(-100, 100, shape).astype(dtype)
    return rng.uniform(0.2, 2.5, shape).astype(dtype)


def op(name: str, **params: Any) -> Build:
    return lambda *operands: OPS[name](*operands, **params)


def log_sum_exp(x: Variable, axis: int, keepdims: bool = False) -> Variable:
    return ops.log(ops.sum_(ops.exp(x), axis=axis, keepdims=keepdims))


def largest(x: Variable) -> Variable:
    return ops.max_(x, axis=1, keepdims=True)


def shifted(x: Variable) -> Variable:
    return ops.sub(x, largest(x))


def row_softmax(x: Variable) -> Variable:
    e = ops.exp(x)
    return ops.true_div(e, ops.sum_(e, axis=1, keepdims=True))


def one_plus_exp(x: Variable) -> Variable:
    return ops.add(1, ops.exp(x))


def corner(x: Variable) -> Variable:
    return ops.reshape(ops.subtensor(x, (slice(1, 3), -1)), (2, 1))


def likelihoods(x: Variable, y: Variable) -> Variable:
    return ops.advanced_subtensor(ops.log_softmax_op(ops.transpose(x)), (numbers(y), labels(y)))


def label_scores(x: Variable, y: Variable) -> Variable:
    return ops.advanced_subtensor(ops.transpose(x), (numbers(y), labels(y)))


def turned(x: Variable) -> Variable:
    """Return a matrix with a row for each column of x that is no mere transpose."""
    return ops.exp(ops.transpose(x))


def row_losses(x: Variable, y: Variable) -> Variable:
    return ops.nll_op(ops.transpose(x), known_labels(y))


def known_labels(y: Variable) -> Variable:
    """Return as many labels as there are numbers."""
    return ops.specify_shape(labels(y), numbers(y).owner.inputs[2:])


def placed(x: Variable, y: Variable) -> Variable:
    zeros = ops.zeros_like(ops.transpose(x))
    return ops.place(zeros, labels(y), ops.constant([2.0]), increment=True)


def labels(y: Variable) -> Variable:
    return ops.mod(y, 4)


def numbers(y: Variable) -> Variable:
    return ops.arange(ops.length(y, 0))


CONSTANT = ops.constant(np.array([[1.5, 2.5]]))
ROWS, COLUMNS = ops.constant([2, 0, 1]), ops.constant([0, 3, 3])

CANONICAL = [
    case("fold_constants", lambda x: ops.add(x, ops.mul(CONSTANT, 2.0)),
         lambda x: ops.add(x, ops.constant([[3.0, 5.0]])), "float64 n1"),
    case("cast_constants", lambda x: ops.mul(x, ops.constant(3)),
         lambda x: ops.mul(x, ops.constant(3.0, dtype="float64"))),
    case("drop_identity", op("identity"), lambda x: x),
    case("merge_casts", lambda x: ops.cast(ops.cast(x, "int32"), "float64"),
         lambda x: ops.cast(x, "float64"), "int8 nn"),
    case("merge_casts", op("cast_float64"), lambda x: x),
    case("merge_dimshuffles",
         lambda x: ops.dimshuffle(ops.dimshuffle(x, (1, "x", 0)), (0, 2)), ops.transpose),
    case("merge_dimshuffles", lambda x: ops.transpose(ops.transpose(x)), lambda x: x),
    case("merge_dimshuffles", op("dimshuffle", order=(0, 1)), lambda x: x),
    case("dimshuffle_from_reshape", lambda x: ops.reshape(x, (-1,)),
         lambda x: ops.dimshuffle(x, (0,)), "float64 n1"),
    case("dimshuffle_from_reshape", lambda x: ops.reshape(x, (1, -1)),
         lambda x: ops.dimshuffle(x, ("x", 0)), "float64 n"),
    case("drop_empty_reduction", op("max", axis=()), lambda x: x),
    case("drop_empty_reduction", op("sum", axis=()), lambda x: ops.cast(x, "int64"), "int8 nn"),
    case("drop_empty_reduction", op("any", axis=()), lambda x: ops.neq(x, 0.0)),
    case("drop_broadcast", lambda x, y: ops.mul(x, ops.broadcast_like(y, x)), ops.mul,
         "float64 nn", "float64 1n"),
    case("element_of_broadcast", lambda x: ops.subtensor(x, (slice(None), 0)),
         lambda x: ops.dimshuffle(x, [0]), "float64 n1"),
    case("element_of_broadcast", lambda x: ops.subtensor(x, (-1, slice(None))),
         lambda x: ops.dimshuffle(x, [1]), "int8 1n"),
    case("merge_broadcasts", lambda x: ops.broadcast_like_op.make([x, x]).outputs[0],
         lambda x: x),
    case("drop_rebroadcast", op("rebroadcast", broadcastable=(False, True)), lambda x: x,
         "float64 n1"),
    case("drop_own_shape",
         lambda x: ops.specify_shape(x, (ops.shape_i(x, axis=0), ops.shape_i(x, axis=1))),
         lambda x: x),
    case("decided_switch", lambda x, y: ops.switch(True, x, y), lambda x, y: x,
         "float64 nn", "float64 nn"),
    case("decided_switch", lambda x, y: ops.switch(0, x, y), lambda x, y: y,
         "float64 nn", "float64 nn"),
    case("decided_ifelse", lambda x, y: ops.ifelse(False, x, y), lambda x, y: y,
         "float64 nn", "float64 nn"),
    case("add_zero", lambda x: ops.add(x, 0), lambda x: x),
    case("add_zero", lambda x: ops.add(ops.zeros_like(x), x), lambda x: x),
    case("subtract_zero", lambda x: ops.sub(x, 0), lambda x: x, "int16 nn"),
    case("multiply_by_one", lambda x: ops.mul(1, x), lambda x: x),
    case("multiply_by_one", lambda x: ops.mul(x, -1), ops.neg),
    case("merge_doubling", lambda x: ops.mul(0.3, ops.mul(2, x)), lambda x: ops.mul(0.6, x)),
    case("merge_doubling", lambda x: ops.mul(ops.mul(x, 8), -3), lambda x: ops.mul(-24, x)),
    case("divide_by_one", lambda x: ops.true_div(x, 1), lambda x: x),
    case("divide_by_one", lambda x: ops.true_div(x, x), lambda x: ops.broadcast_like(1.0, x)),
    case("floor_divide_by_one", lambda x: ops.floor_div(x, 1), lambda x: x, "int16 nn"),
    case("negate_twice", lambda x: ops.neg(ops.neg(x)), lambda x: x),
    case("negate_twice", lambda x, y: ops.neg(ops.sub(x, y)), lambda x, y: ops.sub(y, x),
         "float64 nn", "float64 1n"),
    case("add_negated", lambda x, y: ops.add(x, ops.neg(y)), ops.sub, "int8 nn", "int8 nn"),
    case("add_negated", lambda x, y: ops.add(ops.neg(x), y), lambda x, y: ops.sub(y, x),
         "uint8 nn", "uint8 nn"),
    case("add_negated", lambda x, y: ops.sub(x, ops.neg(y)), ops.add, "float64 n", "float64 n"),
    case("pull_out_negation", lambda x, y: ops.mul(ops.neg(x), y),
         lambda x, y: ops.neg(ops.mul(x, y)), "float64 nn", "float64 nn"),
    case("pull_out_negation", lambda x, y: ops.true_div(x, ops.neg(y)),
         lambda x, y: ops.neg(ops.true_div(x, y)), "float64 nn", "float64 nn"),
    case("pull_out_negation", lambda x, y: ops.mul(ops.neg(x), ops.neg(y)), ops.mul,
         "uint8 nn", "uint8 nn"),
    case("power_by_multiplying", lambda x: ops.pow_(x, 0), lambda x: ops.broadcast_like(1.0, x)),
    case("power_by_multiplying", lambda x: ops.pow_(x, 1), lambda x: x),
    case("power_by_multiplying", lambda x: ops.pow_(x, 2), ops.sqr),
    stable("power_by_multiplying", lambda x: ops.pow_(x, 3), lambda x: ops.mul(ops.sqr(x), x)),
    stable("power_by_multiplying", lambda x: ops.pow_(x, 4), lambda x: ops.sqr(ops.sqr(x))),
    case("power_by_multiplying", lambda x: ops.pow_(x, 0.5), ops.sqrt),
    case("power_by_multiplying", lambda x: ops.pow_(x, -1), ops.inv),
    case("power_by_multiplying", lambda x: ops.pow_(x, 3), lambda x: ops.mul(ops.sqr(x), x),
         "int8 nn"),
]  # fmt: skip

STABLE = [
    stable("sigmoid_from_exp", lambda x: ops.true_div(1, one_plus_exp(ops.neg(x))), ops.sigmoid),
    stable("sigmoid_from_exp", lambda x: ops.true_div(1, one_plus_exp(ops.neg(x))), ops.sigmoid,
           "float32 nn"),
    stable("sigmoid_from_exp", lambda x: ops.true_div(ops.exp(x), one_plus_exp(x)), ops.sigmoid),
    stable("sigmoid_from_inverse", lambda x: ops.inv(one_plus_exp(ops.neg(x))), ops.sigmoid),
    stable("one_minus_sigmoid", lambda x: ops.sub(1, ops.sigmoid(x)),
           lambda x: ops.sigmoid(ops.neg(x))),
    stable("expm1_from_exp", lambda x: ops.sub(ops.exp(x), 1), ops.expm1),
    stable("log_of_sigmoid", lambda x: ops.log(ops.sigmoid(x)),
           lambda x: ops.neg(ops.softplus(ops.neg(x)))),
    stable("log_of_sigmoid", lambda x: ops.log(ops.sigmoid(x)),
           lambda x: ops.neg(ops.softplus(ops.neg(ops.cast(x, "float32")))), "uint8 nn"),
    stable("log_of_softmax", lambda x: ops.log(ops.softmax_op(x)), ops.log_softmax_op),
    stable("nll_from_selection", likelihoods,
           lambda x, y: ops.neg(row_losses(x, y)),
           "float64 nn", "int64 n"),
    stable("log_of_selection",
           lambda x: ops.log(ops.advanced_subtensor(ops.softmax_op(x), (ROWS, COLUMNS))),
           lambda x: ops.advanced_subtensor(ops.log_softmax_op(x), (ROWS, COLUMNS))),
    stable("log_of_selection",
           lambda x: ops.log(ops.advanced_subtensor(ops.softmax_op(x), (slice(None), COLUMNS))),
           lambda x: ops.advanced_subtensor(ops.log_softmax_op(x), (slice(None), COLUMNS))),
    stable("log_of_selection", lambda x: ops.log(corner(ops.softmax_op(x))),
           lambda x: corner(ops.log_softmax_op(x))),
    stable("log_of_selection", lambda x: ops.log(corner(ops.sigmoid(x))),
           lambda x: ops.neg(ops.softplus(ops.neg(corner(x))))),
    stable("one_minus_sigmoid", lambda x: ops.sub(1, corner(ops.sigmoid(x))),
           lambda x: ops.sigmoid(ops.neg(corner(x)))),
    stable("one_minus_sigmoid", lambda x: ops.sub(1, ops.sigmoid(x)),
           lambda x: ops.sigmoid(ops.neg(ops.cast(x, "float32"))), "uint8 nn"),
    stable("log_of_one_plus", lambda x: ops.log(ops.add(1, x)), ops.log1p),
    stable("log_of_one_plus", lambda x: ops.log(ops.add(x, 1)), ops.log1p, "float32 n"),
    stable("log_of_one_plus", lambda x: ops.log(ops.sub(1, ops.mul(x, 0.25))),
           lambda x: ops.log1p(ops.neg(ops.mul(x, 0.25)))),
    stable("softplus_from_log1p", lambda x: ops.log1p(ops.exp(x)), ops.softplus),
    stable("softplus_from_log1p", lambda x: ops.log1p(ops.neg(ops.sigmoid(x))),
           lambda x: ops.neg(ops.softplus(x))),
    stable("softmax_from_exp", row_softmax, ops.softmax_op),
    stable("softmax_without_shift", lambda x: ops.softmax_op(shifted(x)), ops.softmax_op),
    stable("softmax_without_shift", lambda x: ops.log_softmax_op(shifted(x)),
           ops.log_softmax_op),
    stable("log_of_sum_of_exp", lambda x: log_sum_exp(x, 0),
           lambda x: log_sum_exp(ops.mul(x, 1), 0)),
    stable("log_of_sum_of_exp", lambda x: log_sum_exp(x, 0),
           lambda x: log_sum_exp(ops.cast(x, "float32"), 0), "int8 nn"),
    stable("log_softmax_from_logsumexp",
           lambda x: ops.sub(x, log_sum_exp(x, 1, keepdims=True)), ops.log_softmax_op),
    stable("nll_from_logsumexp",
           lambda x, y: ops.sub(log_sum_exp(ops.transpose(x), 1), label_scores(x, y)), row_losses,
           "float64 nn", "int64 n"),
    stable("nll_from_logsumexp",
           lambda x, y: ops.sub(
               ops.add(ops.dimshuffle(largest(ops.transpose(x)), [0]),
                       log_sum_exp(shifted(ops.transpose(x)), 1)),
               label_scores(x, y)),
           row_losses, "float64 nn", "int64 n"),
]  # fmt: skip


def class_sums(x: Variable, t: Variable | None, count: Variable) -> Variable:
    """Return the sums of rows of ``t * log_softmax(x)``, of which ``count`` is that of t."""
    difference = ops.sub(x, ops.disconnected_grad(ops.upper_bound(x, (1,))))
    none = ops.cast(ops.eq(ops.length(x, 1), 0), x.dtype)
    total = ops.add(ops.sum_(ops.exp(difference), axis=1), none)
    weighted = difference if t is None else ops.mul(t, difference)
    return ops.sub(ops.sum_(weighted, axis=1), ops.mul(count, ops.log(total)))


def classes_of(x: Variable) -> Variable:
    return ops.cast(ops.length(x, 1), x.dtype)


CLASS_SUMS = [
    stable("sum_of_log_softmax", lambda x: ops.sum_(ops.log_softmax_op(x), axis=1),
           lambda x: class_sums(x, None, classes_of(x))),
    stable("sum_of_log_softmax", lambda x: ops.sum_(ops.log_softmax_op(x)),
           lambda x: ops.sum_(class_sums(x, None, classes_of(x)), axis=0)),
    stable("sum_of_log_softmax", lambda x, t: ops.sum_(ops.mul(t, ops.log_softmax_op(x)), axis=1),
           lambda x, t: class_sums(x, t, ops.sum_(t, axis=1)), "float64 nn", "float64 1n"),
    stable("sum_of_log_softmax", lambda x, t: ops.sum_(ops.mul(ops.log_softmax_op(x), t), axis=1),
           lambda x, t: class_sums(x, t, ops.sum_(t, axis=1)), "float64 nn", "float64 nn"),
    stable("sum_of_log_softmax", lambda x, t: ops.sum_(ops.mul(t, ops.log_softmax_op(x)), axis=1),
           lambda x, t: class_sums(x, t, ops.mul(ops.dimshuffle(t, (0,)), classes_of(x))),
           "float64 nn", "float64 n1"),
    stable("sum_of_log_softmax", lambda x: ops.sum_(ops.neg(ops.log_softmax_op(x)), axis=1),
           lambda x: class_sums(x, ops.constant([[-1.0]]), ops.mul(ops.constant([-1.0]),
                                                                  classes_of(x)))),
]  # fmt: skip

SELECTIONS = [
    case("pick_from_selection", label_scores,
         lambda x, y: ops.pick_op(ops.transpose(x), known_labels(y)), "float64 nn", "int64 n"),
    case("pick_from_selection",
         lambda x, y: ops.advanced_subtensor(ops.transpose(x), (list(range(5)), labels(y))),
         lambda x, y: ops.pick_op(ops.transpose(x), ops.specify_shape(labels(y), (5,))),
         "float64 nn", "int64 n"),
    case("pick_from_selection",
         lambda x, y: ops.advanced_subtensor(ops.transpose(turned(x)), (labels(y), numbers(y))),
         lambda x, y: ops.pick_op(turned(x), known_labels(y)), "float64 nn", "int64 n"),
    *(case("place_from_update",
           lambda x, y, more=more: ops.put(ops.transpose(x), ops.constant(2.0),
                                           [numbers(y), labels(y)], more),
           lambda x, y, more=more: ops.place(ops.transpose(x), known_labels(y),
                                             ops.constant([2.0]), more),
           "float64 nn", "int64 n")
      for more in (False, True)),
    case("place_from_update",
         lambda x, y: ops.put(ops.transpose(turned(x)), ops.constant(2.0), [labels(y), numbers(y)],
                              True),
         lambda x, y: ops.transpose(ops.place(turned(x), known_labels(y), ops.constant([2.0]),
                                              True)),
         "float64 nn", "int64 n"),
    case("add_placed", lambda x, y: ops.add(ops.transpose(x), placed(x, y)),
         lambda x, y: ops.place(ops.transpose(x), labels(y), ops.constant([2.0]), True),
         "float64 nn", "int64 n"),
    case("add_placed", lambda x, y: ops.add(placed(x, y), ops.transpose(x)),
         lambda x, y: ops.place(ops.transpose(x), labels(y), ops.constant([2.0]), True),
         "float64 nn", "int64 n"),
    case("add_placed", lambda x, y: ops.sub(ops.transpose(x), placed(x, y)),
         lambda x, y: ops.place(ops.transpose(x), labels(y), ops.constant([-2.0]), True),
         "float64 nn", "int64 n"),
]  # fmt: skip

MARKS = [
    case("drop_gradient_mark", op("disconnected_grad"), lambda x: x),
    case("drop_gradient_mark", op("zero_grad"), lambda x: x),
    case("drop_gradient_mark", op("consider_constant"), lambda x: x),
    case("drop_gradient_mark", lambda x: ops.grad_clip(x, -1, 1), lambda x: x),
]


def through_float(op: Callable[..., Variable]) -> Build:
    """Return what computes an op of float16 in float32."""
    return lambda *operands: ops.cast(op(*(ops.cast(x, "float32") for x in operands)), "float16")


HALVES = [
    case("half_as_float", ops.add, through_float(ops.add), "float16 nn", "float16 nn"),
    case("half_as_float", ops.add, through_float(ops.add), "float16 nn", "int8 nn"),
    case("half_as_float", ops.lt,
         lambda x, y: ops.lt(ops.cast(x, "float32"), ops.cast(y, "float32")),
         "float16 nn", "float16 nn"),
    case("half_as_float", lambda x: ops.max_(x, 1), through_float(lambda x: ops.max_(x, 1)),
         "float16 nn"),
    stable("half_product_as_float", lambda x, y: ops.dot_op(x, ops.transpose(y)),
           through_float(lambda x, y: ops.dot_op(x, ops.transpose(y))),
           "float16 nn", "float16 nn"),
]  # fmt: skip


def floats(x: Variable) -> Variable:
    return ops.cast(x, "float32")


BYTES = [
    stable("dot_of_bytes", lambda x, y: ops.dot_op(floats(x), ops.transpose(y)),
           lambda x, y: ops.dot_op(x, ops.transpose(y)), "uint8 nn", "float32 nn"),
    stable("dot_of_bytes", lambda x, y: ops.dot_op(ops.transpose(floats(x)), y),
           lambda x, y: ops.dot_op(ops.transpose(x), y), "bool nn", "float32 nn"),
    stable("scale_after_dot",
           lambda x, y: ops.dot_op(ops.transpose(ops.true_div(floats(x), np.float32(7))), y),
           lambda x, y: ops.true_div(ops.dot_op(ops.transpose(x), y), np.float32(7)),
           "int8 nn", "float32 nn"),
    *(stable("scale_after_dot",
             lambda x, y, turn=turn: ops.dot_op(ops.mul(*turn(floats(x), np.float32(7))),
                                                ops.transpose(y)),
             lambda x, y: ops.mul(ops.dot_op(x, ops.transpose(y)), np.float32(7)),
             "uint8 nn", "float32 nn")
      for turn in (lambda x, c: (x, c), lambda x, c: (c, x))),
]  # fmt: skip


def scaled(x: Variable, row: Variable) -> Variable:
    return ops.true_div(ops.sub(ops.cast(x, "float64"), row), 2)


DATA = [
    case("select_data_first", lambda x: ops.subtensor(ops.cast(x, "float32"), slice(1, 3)),
         lambda x: ops.cast(ops.subtensor(x, slice(1, 3)), "float32"), "uint8 nn"),
    case("select_data_first", lambda x: ops.subtensor(ops.eq(x, 7), slice(None, None, -1)),
         lambda x: ops.eq(ops.subtensor(x, slice(None, None, -1)), 7), "int64 n"),
    case("select_data_first", lambda x, r: ops.subtensor(scaled(x, r), slice(0, 2)),
         lambda x, r: scaled(ops.subtensor(x, slice(0, 2)), r), "uint8 nn", "float64 1n"),
    case("select_data_first", lambda x, r: ops.subtensor(scaled(x, r), 1),
         lambda x, r: scaled(ops.subtensor(x, 1), ops.dimshuffle(r, (1,))),
         "uint8 nn", "float64 1n"),
    case("select_data_first", lambda x, r, y: ops.take_op(scaled(x, r), labels(y)),
         lambda x, r, y: scaled(ops.take_op(x, labels(y)), r),
         "uint8 nn", "float64 1n", "int64 n"),
]  # fmt: skip
CASES = [*CANONICAL, *STABLE, *CLASS_SUMS, *SELECTIONS, *MARKS, *HALVES, *BYTES, *DATA]


def same_graph(first: Variable, second: Variable) -> bool:
    """Return whether two graphs are equal node by node."""
    a, b = pipeline.merge([first, second])
    return a is b


def fired(rules: Sequence[Rule], output: Variable) -> tuple[Variable, list[str]]:
    """Return a rewritten graph and the names of the rules that applied."""
    log = Log()
    (result,) = Rewriter(rules, log=log).run([output])
    return result, [firing.rule for firing in log.firings]


def test_every_rule_has_a_case() -> None:
    assert {item.rule for item in CASES} == set(RULES) == pipeline.RULE_NAMES


@pytest.mark.parametrize("item", CASES, ids=str)
def test_rule_gives_the_form_that_its_description_says(item: Case) -> None:
    variables = [variable_of(text) for text in item.types]
    before, after = item.before(*variables), item.after(*variables)
    log = Log()
    (found,) = pipeline.optimize([before], log)
    (wanted,) = pipeline.optimize([after])
    assert item.rule in [firing.rule for firing in log.firings]
    assert same_graph(found, wanted), f"{found.owner} instead of {wanted.owner}"
    assert (found.dtype, found.ndim) == (before.dtype, before.ndim)


# Rules whose pattern holds what another one makes.
AFTER = {
    "log_softmax_from_logsumexp": [RULES["log_of_sum_of_exp"]],
    "nll_from_logsumexp": [RULES["log_of_sum_of_exp"], RULES["pick_from_selection"]],
    "nll_from_selection": [RULES["pick_from_selection"]],
}


@pytest.mark.parametrize("item", CASES, ids=str)
def test_rule_keeps_the_value(item: Case) -> None:
    rng = np.random.default_rng(3)
    variables = [variable_of(text) for text in item.types]
    before = item.before(*variables)
    # Numbers are given the rank of what they stand beside: that is folded first.
    rules = [RULES["fold_constants"], RULES[item.rule], *AFTER.get(item.rule, [])]
    after, names = fired(rules, before)
    assert item.rule in names
    given = dict(zip(variables, (value_of(text, rng) for text in item.types), strict=True))
    wanted, found = evaluate([before, after], given)
    if item.exact:
        assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_array_equal(found, wanted)
    else:
        assert_close(found, wanted, scale=1)
