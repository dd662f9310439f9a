"""Row blocks on the emulated device: in one block or in many, beside the CPU's."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.plan.by_rows import body_of
from arignote.run import compiled, devices
from arignote.run.function import Function
from helpers.backend import block_bytes
from helpers.emulated import emulated, launches
from helpers.row_models import ROW_MODELS, Setting
from helpers.tolerance import assert_reordered
from helpers.values import Array


@pytest.fixture
def small_blocks(on_device: None) -> Iterator[None]:
    """Let a block's temporaries take little memory, so that there are many blocks."""
    with block_bytes(1 << 10):
        yield


def results(name: str, rows: int) -> tuple[Function, list[Any]]:
    item = ROW_MODELS[name](Setting(rows, 5))
    f = item.function()
    found = f(*item.arguments)
    return f, [*(found if isinstance(found, list) else [found]), *item.values()]


@pytest.mark.parametrize("fixture", ["on_device", "small_blocks"])
@pytest.mark.parametrize("name", ROW_MODELS)
def test_models_come_to_what_they_come_to_on_the_cpu(
    name: str, fixture: str, request: pytest.FixtureRequest
) -> None:
    wanted = [results(name, rows)[1] for rows in (1, 70)]
    request.getfixturevalue(fixture)
    for rows, want in zip((1, 70), wanted, strict=True):
        f, found = results(name, rows)
        blocks = [step for step in f.plan.steps if step.op == "by_rows"]
        assert blocks, f.plan
        assert all(step.device for step in blocks), f.plan
        assert_reordered(found, want)


def vocabulary(rows: int, classes: int) -> tuple[Function, Any, Any]:
    """Return a loss whose gradient is kept on the device, the labels, and the gradient."""
    rng = np.random.default_rng(1)
    x = theano.shared(rng.normal(size=(rows, 4)), name="x")
    w = theano.shared(rng.normal(size=(4, classes)), name="w")
    labels, kept = T.lvector("labels"), theano.shared(np.zeros((4, classes)), name="kept")
    log_p = T.log(T.nnet.softmax(T.dot(x, w)))
    cost = -T.mean(log_p[T.arange(rows), labels])
    f = theano.function([labels], cost, updates=[(kept, T.grad(cost, w))])
    return f, rng.integers(0, classes, rows), kept


def test_many_classes_take_no_more_memory_than_a_block(small_blocks: None) -> None:
    device, (rows, classes) = emulated(), (256, 1000)
    f, labels, _ = vocabulary(rows, classes)
    gc.collect()
    device.memory(0, reset=True)
    now = device.memory(0)[0]
    f(labels)
    # Sixteen rows at least, and the gradient's sum; not all scores, which are 2 MB.
    assert device.memory(0)[1] - now < rows * classes * 8 / 4


def test_sums_of_halves_over_many_blocks_are_rounded_once(small_blocks: None) -> None:
    """Of integers that float32 adds up exactly, and the results of which float16 has to round."""
    dtype = "float16"
    rng = np.random.default_rng(2)
    x = theano.shared(rng.integers(-8, 9, (300, 40)).astype(dtype), "x")
    w = theano.shared(rng.integers(-1, 2, (40, 30)).astype(dtype), "w")
    kept = theano.shared(np.zeros((40, 30), dtype), "kept")
    f = theano.function([], updates=[(kept, T.grad(T.sqr(T.dot(x, w)).sum(), w))])
    (block,) = (step for step in f.plan.steps if step.op == "by_rows")
    body = body_of(block.params)
    assert block.device
    assert body is not None
    assert not any(step.host for step in f.plan.steps)
    products = [step for step in body.steps if step.op == "dot"]
    # The data are read as they are, by both products.
    assert len(products) == 2
    assert [step.inputs[0] for step in body.steps if step not in products] == ["t0"]
    f()
    data = x.get_value().astype("int64")
    wanted = data.T @ (2 * (data @ w.get_value().astype("int64")))
    assert np.max(np.abs(wanted)) > 2048
    np.testing.assert_array_equal(kept.get_value(), wanted.astype(dtype))


def gradient(rows: int, width: int) -> tuple[Function, Any, Array]:
    """Return a function that puts a gradient by many weights into a state, and what comes there."""
    rng = np.random.default_rng(3)
    x, w = rng.normal(size=(rows, width)), rng.normal(size=(width, width))
    data, weights = theano.shared(x, "x"), theano.shared(w, "w")
    kept = theano.shared(np.zeros((width, width)), "kept")
    cost = T.sqr(T.dot(data, weights)).sum()
    f = theano.function([], updates=[(kept, T.grad(cost, weights))])
    return f, kept, x.T @ (2 * (x @ w))


def test_products_add_to_the_sums_of_blocks_themselves(small_blocks: None) -> None:
    device, width = emulated(), 120
    one, *_ = gradient(16, width)
    f, kept, wanted = gradient(64, width)
    gc.collect()
    device.memory(0, reset=True)
    now = device.memory(0)[0]
    f()
    # The sum and a block's temporaries, but no other array of the sum's size.
    assert device.memory(0)[1] - now < 1.5 * wanted.nbytes
    one()
    assert launches(f) == 4 * launches(one)
    np.testing.assert_allclose(kept.get_value(), wanted, rtol=1e-10, atol=1e-10)


def test_a_label_out_of_range_is_told_by_its_row(small_blocks: None) -> None:
    f, labels, kept = vocabulary(256, 20)
    labels[201] = 20
    with pytest.raises(IndexError, match="index 20 is out of bounds for size 20") as failure:
        f(labels)
    assert "element 201 of the labels" in str(failure.value)
    assert not kept.get_value().any()
    labels[201] = 19
    assert np.isfinite(f(labels))


def test_loops_over_many_blocks_are_the_same_as_calls(small_blocks: None) -> None:
    (one, labels, first), (other, _, second) = vocabulary(64, 30), vocabulary(64, 30)
    stack = np.stack([np.roll(labels, k) for k in range(5)])
    np.testing.assert_array_equal(other.map(stack), [one(row) for row in stack])
    np.testing.assert_array_equal(first.get_value(), second.get_value())


def test_a_block_of_which_the_device_lacks_a_kernel_is_none(
    on_device: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    f, labels, kept = vocabulary(9, 7)
    wanted = f(labels), kept.get_value()
    device = devices.open_device("cuda")
    less = replace(device, kernels=device.kernels - {"nll_with_gradient"})
    monkeypatch.setattr(compiled, "device_for_function", lambda states: less)
    g, labels, other = vocabulary(9, 7)
    lacking = [step for step in g.plan.steps if step.op == "nll_with_gradient"]
    assert not any(step.op == "by_rows" for step in g.plan.steps)
    assert [step.device for step in lacking] == [False]
    assert "the device lacks a kernel of its block" in str(theano.explain(g))
    np.testing.assert_allclose(g(labels), wanted[0], rtol=1e-13)
    np.testing.assert_allclose(other.get_value(), wanted[1], rtol=1e-12, atol=1e-15)
