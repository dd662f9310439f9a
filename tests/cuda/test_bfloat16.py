"""bfloat16 on the emulated device: the CPU's bits."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.plan.by_rows import body_of
from arignote.plan.plan import Temp
from arignote.run.function import Function
from helpers.values import Array, Values

DTYPE = np.dtype(ml_dtypes.bfloat16)
ALL: Array = np.arange(1 << 16, dtype="uint16").view(DTYPE)


def bits(array: Array) -> Array:
    """Return an array of bfloat16 as the bits of its elements; another as it is."""
    return array.view("uint16") if array.dtype == DTYPE else array


def computed() -> tuple[Function, list[Any]]:
    """Return a function of a shared matrix of bfloat16, and what it returns and leaves."""
    x = theano.shared(ALL.reshape(256, 256)[40:120, 1:250], name="x")
    numbers = theano.shared(np.arange(-120, 120).reshape(24, 10).astype(DTYPE), name="numbers")
    rows, added = T.lvector("rows"), T.matrix("added", dtype="bfloat16")
    outputs = [
        *(x * 3 - 0.1, x < 1, x.T[::-2], T.concatenate([x, x])),
        *(T.cast(x, dtype) for dtype in ("float16", "float32", "float64", "bool")),
        *(numbers.sum(axis=0), numbers.max(), numbers.mean(axis=1), numbers.nonzero()[0]),
        T.cast(T.cast(numbers, "int8"), "bfloat16"),
        T.inc_subtensor(numbers[rows], added),
        T.arange(numbers[1, 0], numbers[2, 0], np.asarray(0.3, DTYPE)),
        T.dot(numbers, numbers.T),
    ]
    updates = [(numbers, numbers * 0.5)]
    f = theano.function([rows, added], outputs, updates=updates)
    places = np.arange(300) % 7
    found = f(places, Values(1)("bfloat16", 300, 10))
    return f, [*found, numbers.get_value()]


def test_what_is_done_in_bfloat16_has_the_cpus_bits(request: pytest.FixtureRequest) -> None:
    _, wanted = computed()
    request.getfixturevalue("on_device")
    f, found = computed()
    assert not any(step.host for step in f.plan.steps)
    for got, want in zip(found, wanted, strict=True):
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(bits(got), bits(want))


def trained() -> tuple[Function, list[Any]]:
    """Return a training step, and what ten calls return and leave."""
    rng = np.random.default_rng(4)
    x, y = T.matrix("x", dtype="bfloat16"), T.ivector("y")
    w = theano.shared(np.zeros((20, 5), DTYPE), name="w")
    p = T.nnet.softmax(T.dot(x, w))
    cost = -T.mean(T.log(p)[T.arange(y.shape[0]), y])
    f = theano.function([x, y], cost, updates=[(w, w - 0.5 * T.grad(cost, w))])
    data, labels = rng.normal(size=(64, 20)).astype(DTYPE), rng.integers(0, 5, 64).astype("int32")
    return f, [*(f(data, labels) for _ in range(10)), w.get_value()]


def test_a_training_step_comes_to_what_it_comes_to_on_the_cpu(
    request: pytest.FixtureRequest,
) -> None:
    _, wanted = trained()
    request.getfixturevalue("on_device")
    f, found = trained()
    assert not any(step.host for step in f.plan.steps)
    for got, want in zip(found, wanted, strict=True):
        assert got.dtype == want.dtype == DTYPE
        np.testing.assert_allclose(
            got.astype("float64"), want.astype("float64"), rtol=2**-6, atol=1e-3
        )


def test_a_training_step_has_no_matrix_of_float32_for_each_row(on_device: None) -> None:
    f, _ = trained()
    (block,) = (step for step in f.plan.steps if step.op == "by_rows")
    body = body_of(block.params)
    assert body is not None
    assert [step.op for step in body.steps if step.op != "elementwise"] == [
        *("dot", "nll_with_gradient", "dot")
    ]
    results = {name for step in body.steps for name in step.outputs} - set(body.outputs)
    matrices = [item for item in map(body.buffer, results) if item.type.ndim == 2]
    assert [item.type.dtype for item in matrices] == ["bfloat16"] * 2
    # The gradient lies over the scores.
    assert [item.storage for item in matrices if isinstance(item, Temp)].count(None) == 1
