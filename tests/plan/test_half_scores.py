"""Where the gradient of a likelihood reads and writes halves, and where casts stay around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote import ops
from arignote.graph import dtypes
from arignote.graph.variable import Variable
from arignote.plan.plan import Plan, Temp
from arignote.run.mode import Mode
from helpers.values import Values

EITHER = pytest.mark.parametrize("dtype", dtypes.HALVES)
Y = T.lvector("y")


def scores(dtype: str) -> tuple[Variable, Variable]:
    """Return scores that are halves, and their losses."""
    x = T.matrix("x", dtype=dtype)
    return x, -T.log(T.nnet.softmax(x))[T.arange(Y.shape[0]), Y]


def float_gradient(x: Variable, g: Variable) -> Variable:
    """Return the gradient by scores that were cast to float32, before it is rounded."""
    return ops.nll_gradient_op.make([ops.cast(x, "float32"), Y, g]).outputs[0]


def steps(plan: Plan) -> list[str]:
    return [step.op for step in plan.steps]


def around(plan: Plan) -> list[str]:
    """Return the dtypes of what gradients read, labels aside, and write."""
    found = [step for step in plan.steps if step.op.startswith("nll_")]
    return [plan.buffer(name).type.dtype for s in found for name in (*s.inputs, *s.outputs)]


@EITHER
def test_a_loss_and_its_gradient_are_one_step(dtype: str) -> None:
    x, losses = scores(dtype)
    cost = losses.sum()
    plan = theano.function([x, Y], [cost, T.grad(cost, x)]).plan
    assert steps(plan).count("nll_with_gradient") == 1
    assert around(plan) == [dtype, "int64", "float32", dtype, "float32"]
    large = [buffer for buffer in plan.buffers if len(buffer.type.broadcastable) == 2]
    assert {buffer.type.dtype for buffer in large} == {dtype}
    assert len([buffer for buffer in large if isinstance(buffer, Temp)]) == 1


@EITHER
def test_a_gradient_alone(dtype: str) -> None:
    x, g = T.matrix("x", dtype=dtype), T.fvector("g")
    plan = theano.function([x, Y, g], ops.cast(float_gradient(x, g), dtype)).plan
    assert steps(plan) == ["nll_gradient"]
    assert around(plan) == [dtype, "int64", "float32", dtype]


def test_the_gradient_takes_the_memory_of_scores() -> None:
    x = T.matrix("x", dtype="bfloat16")
    cost = -T.sum(T.log(T.nnet.softmax(x * 2))[T.arange(Y.shape[0]), Y])
    plan = theano.function([x, Y], [cost, T.grad(cost, x)]).plan
    (step,) = (item for item in plan.steps if item.op == "nll_with_gradient")
    gradient = plan.buffer(step.outputs[0])
    assert isinstance(gradient, Temp)
    assert gradient.storage == step.inputs[0]


@EITHER
def test_scores_may_be_turned(dtype: str) -> None:
    x = T.matrix("x", dtype=dtype)
    cost = -T.sum(T.log(T.nnet.softmax(x.T))[T.arange(Y.shape[0]), Y])
    f = theano.function([x, Y], T.grad(cost, x))
    assert around(f.plan)[:4] == [dtype, "int64", "float32", dtype]
    plain = theano.function([x, Y], T.grad(cost, x), mode=Mode().excluding("fusion"))
    given = Values(1)(dtype, 7, 30), np.arange(30) % 7
    np.testing.assert_array_equal(f(*given).view("uint16"), plain(*given).view("uint16"))


def test_scores_and_gradients_may_have_other_readers() -> None:
    x, losses = scores("float16")
    gradient = T.grad(losses.sum(), x)
    outputs = [gradient, T.exp(x), T.argmax(x, axis=1), gradient.sum(axis=0), gradient * 2]
    found = around(theano.function([x, Y], outputs).plan)
    assert found[:4] == ["float16", "int64", "float32", "float16"]


KEPT: dict[str, Callable[[Variable], list[Any]]] = {
    "an output": lambda z: [ops.cast(z, "float16"), z],
    "arithmetic": lambda z: [ops.cast(z, "float16"), z * 2],
    "no half": lambda z: [z * 2],
    "another half": lambda z: [ops.cast(z, "float16"), ops.cast(z, "bfloat16")],
    "float64": lambda z: [ops.cast(z, "float64")],
}


@pytest.mark.parametrize("name", KEPT)
def test_what_somebody_reads_in_float32_keeps_its_casts(name: str) -> None:
    x, g = T.matrix("x", dtype="float16"), T.fvector("g")
    plan = theano.function([x, Y, g], KEPT[name](float_gradient(x, g))).plan
    assert around(plan) == ["float32", "int64", "float32", "float32"]


def test_scores_that_were_no_halves_keep_theirs() -> None:
    x, g = T.fmatrix("x"), T.fvector("g")
    z = ops.nll_gradient_op.make([x, Y, g]).outputs[0]
    plan = theano.function([x, Y, g], ops.cast(z, "float16")).plan
    assert around(plan) == ["float32", "int64", "float32", "float32"]


def test_a_reader_of_the_shape_does_not_count() -> None:
    x, g = T.matrix("x", dtype="float16"), T.fvector("g")
    z = float_gradient(x, g)
    plan = theano.function([x, Y, g], [ops.cast(z, "float16"), T.zeros_like(z)]).plan
    assert around(plan) == ["float16", "int64", "float32", "float16"]


def test_gradients_of_gradients_are_each_taken() -> None:
    """Of two losses, of which one weights the other."""
    x, z = T.matrix("x", dtype="bfloat16"), T.matrix("z", dtype="bfloat16")
    weights = ops.nll_op(ops.cast(z, "float32"), Y)
    first = ops.cast(float_gradient(x, weights), "bfloat16")
    second = ops.cast(float_gradient(z, ops.sum_(ops.cast(first, "float32"), axis=1)), "bfloat16")
    f = theano.function([x, z, Y], [first, second])
    assert sorted(item for item in around(f.plan) if item in dtypes.HALVES) == ["bfloat16"] * 4


def test_without_fusion_casts_are_steps() -> None:
    x, losses = scores("float16")
    cost = losses.sum()
    mode = Mode().excluding("fusion")
    plan = theano.function([x, Y], [cost, T.grad(cost, x)], mode=mode).plan
    assert around(plan) == ["float32", "int64", "float32", "float32"]


@pytest.mark.parametrize("mode", ["native", "reference", "check"])
@EITHER
def test_errors_tell_the_line_of_the_loss(dtype: str, mode: str) -> None:
    x, losses = scores(dtype)
    cost = losses.sum()
    step = theano.function([x, Y], [cost, T.grad(cost, x)], mode=mode)
    with pytest.raises(IndexError, match="index out of bounds") as caught:
        step(np.zeros((2, 3), dtype), [0, 3])
    assert losses.owner is not None
    assert losses.owner.origin is not None
    assert f"line {losses.owner.origin.line}" in "\n".join(caught.value.__notes__)
