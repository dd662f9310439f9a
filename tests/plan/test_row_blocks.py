"""Which steps are joined to row blocks, and which not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.graph.variable import Variable
from arignote.plan.by_rows import body_of
from arignote.plan.parse import parse
from arignote.plan.plan import Plan, Step
from arignote.plan.verify import verify
from arignote.run import native
from arignote.run.function import host_calls
from arignote.run.mode import Mode
from helpers.row_models import CLASSES, ROW_MODELS, Setting


def blocks(plan: Plan) -> list[Step]:
    return [step for step in plan.steps if step.op == "by_rows"]


def ops_of(plan: Plan) -> list[str]:
    """Return the ops of a plan's steps, those of a row block in brackets."""
    result = []
    for step in plan.steps:
        body = body_of(step.params)
        result.append(step.op if body is None else f"[{' '.join(s.op for s in body.steps)}]")
    return result


def compiled(output: Any, *inputs: Variable, mode: Any = None) -> Plan:
    outputs = output if isinstance(output, list) else [output]
    return theano.function(list(inputs), outputs, mode=mode).plan


# --- what is joined

LIKELIHOOD = "elementwise nll_with_gradient elementwise dot elementwise"
SOFTMAX = f"[dot elementwise {LIKELIHOOD}]"
LOSSES = "[dot elementwise nll_with_gradient elementwise dot elementwise]"
REGRESSION = "[dot elementwise dot]"
JOINED = {
    "softmax": SOFTMAX,
    "softmax_without_bias": "[dot elementwise nll_with_gradient elementwise dot]",
    "softmax_with_errors": (
        "[dot elementwise elementwise nll_with_gradient elementwise softmax argmax elementwise dot "
        "elementwise]"
    ),
    **{
        f"softmax_with_{what}": SOFTMAX
        for what in ("decay", "penalties", "momentum", "nesterov", "adagrad", "rmsprop", "adam")
    },
    **dict.fromkeys(("log_of_selected", "log_softmax", "softmax_by_hand"), LOSSES),
    **dict.fromkeys(("weighted_rows", "ignored_labels", "scores_in_columns"), SOFTMAX),
    **dict.fromkeys(("categorical_crossentropy", "logsumexp", "logsumexp_with_maximum"), LOSSES),
    "smoothed_labels": (
        "[dot elementwise pick elementwise elementwise elementwise elementwise place dot "
        "elementwise]"
    ),
    "one_hot_labels": (
        "[elementwise dot elementwise elementwise elementwise elementwise elementwise dot]"
    ),
    "crammer_singer": "[dot elementwise pick elementwise elementwise place dot elementwise]",
    "weston_watkins": (
        "[dot elementwise pick place elementwise place elementwise elementwise place dot "
        "elementwise]"
    ),
    "largest_other": (
        "[dot elementwise place elementwise pick elementwise elementwise place place dot "
        "elementwise]"
    ),
    "sigmoid_rows": (
        "[dot elementwise elementwise elementwise place elementwise pick elementwise elementwise "
        "dot]"
    ),
    "softmax_of_a_slice": SOFTMAX,
    "softmax_of_a_selection": f"[take dot elementwise {LIKELIHOOD}]",
    "softmax_of_columns": SOFTMAX,
    "softmax_of_bytes": f"[elementwise dot elementwise {LIKELIHOOD}]",
    "softmax_of_halves": f"[take elementwise dot elementwise {LIKELIHOOD}]",
    "hidden_layer": (
        "[dot elementwise dot elementwise nll_with_gradient elementwise dot elementwise dot dot]"
    ),
    **dict.fromkeys(("logistic", "cross_entropy", "signed_labels", "hinge"), REGRESSION),
    **dict.fromkeys(("logistic_with_outputs", "squares", "poisson"), REGRESSION),
    **dict.fromkeys(("absolute", "huber", "softplus", "parameters_first"), REGRESSION),
    "column_of_parameters": "[dot elementwise elementwise slice_update dot]",
    "two_kinds_of_features": "[dot dot elementwise dot dot]",
    "joined_features": "[elementwise join dot elementwise dot]",
    "squares_of_several": "[dot elementwise elementwise dot]",
}


@pytest.mark.parametrize("name", ROW_MODELS)
def test_a_training_step_goes_through_its_rows_once(name: str) -> None:
    """Outside of the block there is arithmetic with parameters only."""
    plan = ROW_MODELS[name](Setting()).function().plan
    assert [item for item in ops_of(plan) if item != "elementwise"] == [JOINED[name]]


@pytest.mark.parametrize("name", ROW_MODELS)
def test_plans_are_read_back(name: str) -> None:
    plan = ROW_MODELS[name](Setting()).function(name=name).plan
    again = parse(str(plan))
    assert again == plan
    assert str(again) == str(plan)
    verify(again)
    native.load(again, host_calls(again))


def test_what_is_summed_and_what_is_put_below_each_other() -> None:
    plan = ROW_MODELS["logistic_with_outputs"](Setting()).function().plan
    (block,) = blocks(plan)
    found = dict(zip(block.outputs, block.params["sums"], strict=True))
    assert [found[name] for name in plan.outputs] == [False, False]
    assert sorted(found.values()) == [False, False, True]


def test_operands_are_cut_along_the_axis_of_their_rows() -> None:
    (block,) = blocks(ROW_MODELS["softmax_of_columns"](Setting()).function().plan)
    cut = dict(zip(block.inputs, block.params["cut"], strict=True))
    assert (cut["turned"], cut["y"], cut["W"]) == (1, 0, None)


def test_rows_that_are_made_for_the_product_are_pulled_in() -> None:
    x, w = T.dmatrix("x"), T.dmatrix("w")
    assert ops_of(compiled(T.dot(T.exp(x), w), x, w)) == ["[elementwise dot]"]


def test_rows_are_pulled_in_with_their_sums() -> None:
    x, w = T.dmatrix("x"), T.dmatrix("w")
    for total in (x.sum(axis=1, keepdims=True), x.max(axis=1).dimshuffle(0, "x")):
        assert ops_of(compiled(T.dot(x / total, w), x, w)) == ["[elementwise elementwise dot]"]
    assert ops_of(compiled(T.dot(x / x.sum(axis=0), w), x, w)) == [
        "elementwise",
        "[elementwise dot]",
    ]


def test_but_not_if_something_else_needs_them() -> None:
    x, w = T.dmatrix("x"), T.dmatrix("w")
    e = T.exp(x)
    assert ops_of(compiled([T.dot(e, w), e], x, w)) == ["elementwise", "dot"]
    assert ops_of(compiled([T.dot(e, w), e.max(axis=0)], x, w)) == ["elementwise", "dot"]


def test_parameters_that_are_numbers_take_one_pass_without_a_product() -> None:
    x, t = T.dvector("x"), T.dvector("t")
    w, b = theano.shared(0.5, "w"), theano.shared(0.25, "b")
    cost = T.mean((w * x + b - t) ** 2)
    updates = [(p, p - 0.1 * T.grad(cost, p)) for p in (w, b)]
    plan = theano.function([x, t], cost, updates=updates).plan
    assert [{"x", "t"} & set(step.inputs) for step in plan.steps] == [set(), {"x", "t"}, set()]


def test_constants_have_rows_like_other_operands() -> None:
    rng = np.random.default_rng(1)
    x, t = rng.normal(size=(300, 5)), rng.normal(size=300)
    w = T.dvector("w")
    cost = T.sum((T.dot(x, w) - t) ** 2)
    f = theano.function([w], T.grad(cost, w))
    assert ops_of(f.plan) == [REGRESSION]
    weights = rng.normal(size=5)
    np.testing.assert_allclose(f(weights), 2 * x.T @ (x @ weights - t), rtol=1e-12)


def test_two_products_of_the_same_rows_are_one_block_where_one_follows_from_the_other() -> None:
    x, w, v = T.dmatrix("x"), T.dmatrix("w"), T.dmatrix("v")
    assert ops_of(compiled(T.dot(T.tanh(T.dot(x, w)), v), x, w, v)) == ["[dot elementwise dot]"]


# --- what is not

MATRIX = T.dmatrix("x")
VECTOR = T.dvector("v")
WEIGHTS = T.dmatrix("w")
FLAG = T.bscalar("flag")
COUNT = T.lscalar("n")

APART: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "a product alone": (lambda: T.dot(MATRIX, WEIGHTS), ["dot"]),
    "a product of a vector": (
        lambda: T.tanh(T.dot(VECTOR, WEIGHTS)),
        ["dot", "elementwise"],
    ),
    "a factor that is needed cut and as a whole": (
        lambda: T.tanh(T.dot(MATRIX, MATRIX)),
        ["dot", "elementwise"],
    ),
    "a result that is needed cut and as a whole": (
        lambda: T.dot(T.tanh(T.dot(MATRIX, MATRIX.T)), T.tanh(T.dot(MATRIX, MATRIX.T))),
        ["[dot elementwise]", "dot"],
    ),
    "an output with its rows along another axis": (
        lambda: T.dot(MATRIX, WEIGHTS).T,
        ["dot", "copy"],
    ),
    "rows that are columns of the product": (
        lambda: T.tanh(T.dot(WEIGHTS, MATRIX).T),
        ["dot", "elementwise"],
    ),
    "a largest element over the rows": (
        lambda: T.tanh(T.dot(MATRIX, WEIGHTS)).max(axis=0),
        ["[dot elementwise]", "elementwise"],
    ),
    "what follows from a sum over the rows": (
        lambda: T.dot(MATRIX, WEIGHTS) - T.dot(MATRIX, WEIGHTS).sum(axis=0),
        ["[dot elementwise]", "elementwise"],
    ),
    "branches": (
        lambda: theano.ifelse.ifelse(T.gt(FLAG, 0), T.tanh(T.dot(MATRIX, WEIGHTS)), WEIGHTS),
        ["elementwise", "dot", "elementwise", "ifelse"],
    ),
    "a slice of the rows": (
        lambda: T.tanh(T.dot(MATRIX, WEIGHTS)[1:]),
        ["dot", "elementwise"],
    ),
    "a length that is asked for": (
        lambda: T.tanh(T.alloc(T.dot(MATRIX, WEIGHTS), COUNT, 3)),
        ["dot", "elementwise"],
    ),
    "data that are needed cut and as a whole": (
        lambda: T.dot(T.tanh(T.dot(MATRIX, WEIGHTS)), MATRIX),
        ["[dot elementwise]", "dot"],
    ),
    "complex numbers": (
        lambda: T.tanh(T.dot(T.cast(MATRIX, "complex128"), WEIGHTS)),
        ["cast_complex128", "cast_complex128", "dot", "tanh"],
    ),
}


@pytest.mark.parametrize("name", APART)
def test_what_stays_apart(name: str) -> None:
    build, expected = APART[name]
    inputs = [MATRIX, VECTOR, WEIGHTS, FLAG, COUNT]
    plan = theano.function(inputs, build(), on_unused_input="ignore").plan
    assert ops_of(plan) == expected


# Of those above, what `explain` tells.
REASONS = {
    "a largest element over the rows": "needs more than the same rows",
    "what follows from a sum over the rows": (
        "waits for InplaceDimShuffle{x,0}(Sum{axis=[0]}.0), which comes after the block: "
        "it needs a sum over all rows"
    ),
    "a product alone": "runs by itself: nothing else works on its rows",
    "a product of a vector": "runs by itself: its result has no rows",
    "a result that is needed cut and as a whole": "needs more than the same rows",
    "data that are needed cut and as a whole": "needed both row by row and as a whole",
    "a slice of the rows": "needs more than the same rows",
}


@pytest.mark.parametrize("name", REASONS)
def test_why_it_stays_apart(name: str) -> None:
    build, _ = APART[name]
    inputs = [MATRIX, VECTOR, WEIGHTS, FLAG, COUNT]
    told = theano.explain(theano.function(inputs, build(), on_unused_input="ignore"))
    product = "run together" if "by_rows" in str(told.after) else "runs by itself"
    assert product in told.notes[0]
    assert REASONS[name] in "\n".join(told.notes)
    assert "Row blocks:" in str(told)


def test_what_runs_together_is_told() -> None:
    (note,) = theano.explain(ROW_MODELS["softmax"](Setting()).function()).notes
    head, *lines = note.splitlines()
    assert head == "8 nodes run together, row block by row block:"
    products = [line for line in lines if line.startswith("  dot(")]
    assert len(products) == 2
    assert not any(line.startswith("  not ") for line in lines)


def test_a_size_that_a_step_computes() -> None:
    """The rows of the second product are counted by the first: they are two blocks."""
    x, v, w = T.dmatrix("x"), T.dvector("v"), T.dmatrix("w")
    positive = T.sum(T.dot(x, v) > 0)
    numbers = T.cast(T.arange(positive), "float64")
    rows = numbers.dimshuffle(0, "x") * T.ones((1, 5))
    plan = compiled(T.dot(rows, w).sum(axis=0), x, v, w)
    assert len(blocks(plan)) == 2


def test_lengths_that_are_asked_for_compile() -> None:
    """Their operands are scalars, which have no rows."""
    x, w, n = T.dmatrix("x"), T.dmatrix("w"), T.lscalar("n")
    value, weights = np.arange(20.0).reshape(4, 5), np.ones((5, 3))
    for graph, wanted in (
        (T.dot(T.ones((n, 5)) + x, w).sum(axis=0), (1 + value) @ weights),
        ((T.dot(x, w) + T.alloc(w[0], n, 3)).sum(axis=0), value @ weights + weights[0]),
    ):
        found = theano.function([x, w, n], graph)(value, weights, 4)
        np.testing.assert_allclose(found, wanted.sum(axis=0), rtol=1e-14)


MODES = {
    "excluded": Mode().excluding("by_rows"),
    "not rewritten": Mode(optimizer=None),
    "checked": Mode("check"),
    "watched": theano.compile.nanguardmode.NanGuardMode(True, True, True),
}


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_modes_without_row_blocks(mode: Mode) -> None:
    """Who looks at steps is to see them all."""
    assert blocks(ROW_MODELS["softmax"](Setting()).function(mode=mode).plan) == []


def test_two_blocks_do_not_wait_for_each_other() -> None:
    """Joined they would: each takes something that the other makes."""
    x, y, v, w = T.dmatrix("x"), T.dmatrix("y"), T.dmatrix("v"), T.dmatrix("w")
    first, second = T.dot(x, v), T.dot(y, w)
    a = T.tanh(first) + T.sum(T.exp(second))
    b = T.tanh(second) + T.sum(T.exp(first))
    f = theano.function([x, y, v, w], [a, b])
    rng = np.random.default_rng(1)
    arrays = [rng.normal(size=shape) for shape in ((40, 5), (30, 4), (5, 3), (4, CLASSES))]
    wanted = theano.function([x, y, v, w], [a, b], mode=Mode().excluding("by_rows"))(*arrays)
    for found, expected in zip(f(*arrays), wanted, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
