"""Softmax, the likelihood of labels and positions of extremes on the emulated device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from arignote import _core
from helpers.emulated import function_on
from helpers.spec import SpecBuilder
from helpers.values import Array

REALS = ["float32", "float64"]
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
# One thread for a row, some, and a whole block.
LENGTHS = [1, 10, 16, 17, 100, 600, 9_001]


def scores(dtype: str, *shape: int) -> Array:
    rng = np.random.default_rng(shape[-1])
    return (10 * rng.standard_normal(shape)).astype(dtype)


def both(device: object, builder: SpecBuilder, *arrays: Array) -> tuple[list[Array], list[Array]]:
    return function_on(device, builder)(*arrays), builder.function(returns="list")(*arrays)


def assert_close(found: list[Array], wanted: list[Array]) -> None:
    for one, other in zip(found, wanted, strict=True):
        eps = float(np.finfo(other.dtype).eps)
        np.testing.assert_allclose(one, other, rtol=16 * eps, atol=16 * eps, strict=True)


def likelihood(kernel: str, dtype: str = "float64", labels: str = "int64") -> SpecBuilder:
    builder = SpecBuilder()
    x = builder.input(dtype, 2)
    y = builder.input(labels, 1)
    if kernel == "nll":
        outputs = [builder.like(y, dtype)]
        builder.step(kernel, [x, y], outputs)
    else:
        weights = builder.input(dtype, 1)
        outputs = [builder.like(x)]
        if kernel == "nll_with_gradient":
            outputs.append(builder.like(y, dtype))
        builder.step(kernel, [x, y, weights], outputs)
    builder.output(*outputs)
    return builder


@pytest.mark.parametrize("kernel", ["softmax", "log_softmax"])
@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("shape", [*((7, length) for length in LENGTHS), (3, 0, 5), (3, 5, 21)])
def test_softmax_equals_the_cpus(
    device: object, kernel: str, dtype: str, shape: tuple[int, ...]
) -> None:
    builder = SpecBuilder()
    x = builder.input(dtype, len(shape))
    out = builder.like(x)
    builder.step(kernel, [x], [out])
    builder.output(out)
    assert_close(*both(device, builder, scores(dtype, *shape)))


@pytest.mark.parametrize("kernel", ["softmax", "log_softmax"])
def test_softmax_of_special_rows_equals_the_cpus(device: object, kernel: str) -> None:
    inf = np.inf
    rows = [[-inf, -inf, -inf], [inf, 1, 2], [np.nan, 1, 2], [-inf, 1, 2], [1e308, -1e308, 0]]
    builder = SpecBuilder()
    x = builder.input("float64", 2)
    out = builder.like(x)
    builder.step(kernel, [x], [out])
    builder.output(out)
    for repeats in (1, 100):
        assert_close(*both(device, builder, np.tile(np.array(rows), repeats)))


@pytest.mark.parametrize("length", [3, 600])
def test_softmax_of_columns_equals_the_cpus(device: object, length: int) -> None:
    builder = SpecBuilder()
    x = builder.input("float64", 2)
    rows, columns = builder.shape_of(x)
    copied = builder.like(x)
    builder.elementwise([x], [], [(copied, 0, "", 0)])
    item = builder.dim("const", 8)
    strides = [item, builder.dim("mul", columns, item)]
    view = builder.view(copied, [columns, rows], strides, builder.dim("const", 0))
    out = builder.like(view)
    builder.step("softmax", [view], [out])
    builder.output(out)
    assert_close(*both(device, builder, scores("float64", length, 5)))


@pytest.mark.parametrize("length", [3, 600])
def test_rows_are_worked_on_in_their_own_memory(device: object, length: int) -> None:
    builder = SpecBuilder()
    x = builder.input("float64", 2)
    y = builder.input("int64", 1)
    weights = builder.input("float64", 1)
    copied = builder.like(x)
    builder.elementwise([x], [], [(copied, 0, "", 0)])
    shares = builder.like(x, storage=copied)
    builder.step("softmax", [copied], [shares])
    out = builder.like(x, storage=shares)
    loss = builder.like(y, "float64")
    builder.step("nll_with_gradient", [shares, y, weights], [out, loss])
    result = builder.like(x)
    builder.elementwise([out], [], [(result, 0, "", 0)])
    builder.output(result, loss)
    x_values = scores("float64", 5, length)
    assert_close(*both(device, builder, x_values, np.arange(4) % length, x_values[:4, 0]))


@pytest.mark.parametrize("kernel", ["nll", "nll_gradient", "nll_with_gradient"])
@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("length", LENGTHS)
def test_likelihood_equals_the_cpus(device: object, kernel: str, dtype: str, length: int) -> None:
    x = scores(dtype, 9, length)
    # Two rows more than labels.
    y = np.arange(7) * 5 % length - np.array([0, 0, 0, 0, 0, 0, length])
    arrays = [x, y] if kernel == "nll" else [x, y, scores(dtype, 7)]
    assert_close(*both(device, likelihood(kernel, dtype), *arrays))


@pytest.mark.parametrize("labels", INTEGERS)
def test_labels_have_any_integer_dtype(device: object, labels: str) -> None:
    y = np.array([3, 0, 9, 1], labels)
    if labels.startswith("int"):
        y[0] = -10
    assert_close(*both(device, likelihood("nll", "float64", labels), scores("float64", 4, 10), y))


@pytest.mark.parametrize("kernel", ["nll", "nll_gradient", "nll_with_gradient"])
@pytest.mark.parametrize("count", [10, 4_096, 10_000])
@pytest.mark.parametrize(("labels", "bad"), [("int8", -4), ("int64", 3), ("uint64", 2**64 - 1)])
def test_first_label_out_of_range_is_named(
    device: object, kernel: str, count: int, labels: str, bad: int
) -> None:
    y = np.zeros(count, labels)
    y[[count // 2, count - 1]] = bad, labels.startswith("u") * 100 + 20
    x = np.zeros((count, 3))
    arrays = [x, y] if kernel == "nll" else [x, y, np.ones(count)]
    builder = likelihood(kernel, labels=labels)
    with pytest.raises(IndexError) as wanted:
        builder.function()(*arrays)
    function = function_on(device, builder)
    with pytest.raises(IndexError) as found:
        function(*arrays)
    # The inputs are brought to the device first.
    wanted_text = str(wanted.value).replace("step 0", f"step {len(arrays)}")
    assert str(found.value) == wanted_text
    # The next call starts without the fault.
    y[:] = 0
    assert_close(function(*arrays), builder.function(returns="list")(*arrays))


def test_steps_behind_a_fault_write_nothing(device: object) -> None:
    builder = likelihood("nll")
    state = builder.state("float64", 1)
    (loss,) = builder.spec["outputs"]
    total = builder.like(state, storage=state)
    builder.binary("add", state, loss, total)
    builder.update(state, total)
    memory = _core.State(np.ones(4), device=device)
    function = function_on(device, builder, memory)
    x = np.zeros((4, 2))
    with pytest.raises(IndexError):
        function(x, np.array([0, 1, 2, 0]))
    np.testing.assert_array_equal(memory.array, np.ones(4))
    function(x, np.array([0, 1, 1, 0]))
    np.testing.assert_allclose(memory.array, 1 + np.log(2) * np.ones(4))


def argmax(kernel: str, dtype: str, ndim: int, axes: list[int]) -> SpecBuilder:
    builder = SpecBuilder()
    x = builder.input(dtype, ndim)
    kept = [length for axis, length in enumerate(builder.shape_of(x)) if axis not in axes]
    out = builder.temp("int64", kept)
    builder.step(kernel, [x], [out], ints=axes)
    builder.output(out)
    return builder


@pytest.mark.parametrize("kernel", ["argmax", "argmin"])
@pytest.mark.parametrize("dtype", ["bool", *INTEGERS, *REALS])
def test_position_of_the_extreme_is_the_first(device: object, kernel: str, dtype: str) -> None:
    rng = np.random.default_rng(1)
    cases: list[tuple[tuple[int, ...], list[int]]] = [
        ((1,), [0]),
        ((9_001,), [0]),
        ((5, 300), [1]),
        ((300, 5), [0]),
        ((40, 1_100), [0]),
        ((4, 5, 6), [0, 2]),
        ((4, 5, 6), []),
        ((0, 3), [1]),
    ]
    for shape, axes in cases:
        array: Any = rng.integers(0, 4, shape).astype(dtype)
        if array.dtype.kind == "f" and array.size > 100:
            array.ravel()[rng.integers(0, array.size, 3)] = np.nan
        found, wanted = both(device, argmax(kernel, dtype, len(shape), axes), array)
        np.testing.assert_array_equal(found[0], wanted[0])
