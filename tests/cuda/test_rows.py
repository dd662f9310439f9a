"""Softmax, the likelihood of labels and positions of extremes on the emulated device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from arignote import _core
from arignote.graph import dtypes
from helpers.emulated import function_on, moved, window
from helpers.spec import SpecBuilder
from helpers.values import Array, Values

REALS = ["float32", "float64"]
HALVES = ["float16", "bfloat16"]
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


# --- gradients of halves


def of_halves(kernel: str, dtype: str, casts: bool, over: bool = False) -> SpecBuilder:
    """Return a plan whose step reads and writes halves, or one in float32 between casts.

    With ``over`` it writes over its scores.
    """
    builder = SpecBuilder()
    given = builder.input(dtype, 2)
    y, weights = builder.input("int64", 1), builder.input("float32", 1)
    x = builder.like(given, "float32" if casts else dtype)
    cast = [("cast", "float32", [0])]
    builder.elementwise([given], cast if casts else [], [(x, int(casts), "", 0)])
    gradient = builder.like(x, storage=x if over else -1)
    losses = [builder.like(y, "float32")] if kernel == "nll_with_gradient" else []
    builder.step(kernel, [x, y, weights], [gradient, *losses])
    out = builder.like(given)
    narrow = [("cast", dtype, [0])]
    builder.elementwise([gradient], narrow if casts else [], [(out, int(casts), "", 0)])
    builder.output(out, *losses)
    return builder


def operands_of(dtype: str, rows: int, length: int, special: bool) -> list[Array]:
    values = Values(length, special)
    labels = rows - 2
    return [values(dtype, rows, length), values.below(length, labels), values("float32", labels)]


def plain(array: Array) -> Array:
    return array.astype("float32")


@pytest.mark.parametrize("kernel", ["nll_gradient", "nll_with_gradient"])
@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("length", LENGTHS)
def test_a_gradient_of_halves_has_the_bits_of_one_between_casts(
    device: object, kernel: str, dtype: str, length: int
) -> None:
    f = function_on(device, of_halves(kernel, dtype, casts=False))
    wanted = function_on(device, of_halves(kernel, dtype, casts=True))
    over = function_on(device, of_halves(kernel, dtype, casts=False, over=True))
    for special in (False, True):
        arrays = operands_of(dtype, 9, length, special)
        for one, other, third in zip(f(*arrays), over(*arrays), wanted(*arrays), strict=True):
            assert one.dtype == other.dtype == third.dtype
            np.testing.assert_array_equal(plain(one), plain(third))
            np.testing.assert_array_equal(plain(other), plain(third))


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("length", [3, 600])
def test_a_gradient_of_halves_equals_the_cpus(device: object, dtype: str, length: int) -> None:
    builder = of_halves("nll_with_gradient", dtype, casts=False)
    found, wanted = both(device, builder, *operands_of(dtype, 9, length, special=False))
    # Either may be rounded to the other side of what lies between two halves.
    unit = float(dtypes.finfo(wanted[0].dtype).eps)
    np.testing.assert_allclose(plain(found[0]), plain(wanted[0]), rtol=unit, atol=1e-5)
    assert_close(found[1:], wanted[1:])


@pytest.mark.parametrize("dtype", HALVES)
def test_scores_that_are_halves_may_have_gaps(device: object, dtype: str) -> None:
    x, y, g = operands_of(dtype, 9, 600, special=False)
    wanted = function_on(device, of_halves("nll_with_gradient", dtype, casts=False))(x, y, g)
    base: Array = np.zeros((1200, 9), dtype)
    base[::2] = x.T
    builder = SpecBuilder()
    gaps, source = window(builder, base[::2].T)
    labels, weights = builder.input("int64", 1), builder.input("float32", 1)
    outputs = [builder.like(gaps), builder.like(labels, "float32")]
    builder.step("nll_with_gradient", [gaps, labels, weights], outputs)
    builder.output(*outputs)
    for one, other in zip(function_on(device, builder)(source, y, g), wanted, strict=True):
        assert one.tobytes() == other.tobytes()


# The dtypes of scores, weights, gradient and losses.
UNSUITABLE = [
    *(("nll", ("float16", "", "", loss)) for loss in ("float16", "float32")),
    ("nll_gradient", ("float16", "float16", "float16", "")),
    ("nll_gradient", ("float16", "float64", "float16", "")),
    ("nll_gradient", ("float16", "float32", "float32", "")),
    ("nll_gradient", ("float16", "float32", "bfloat16", "")),
    ("nll_gradient", ("float32", "float16", "float32", "")),
    ("nll_gradient", ("float32", "float32", "float16", "")),
    ("nll_gradient", ("float64", "float32", "float64", "")),
    ("nll_with_gradient", ("bfloat16", "float32", "bfloat16", "bfloat16")),
    ("nll_with_gradient", ("bfloat16", "bfloat16", "bfloat16", "bfloat16")),
    ("nll_with_gradient", ("float16", "float32", "float16", "float64")),
]


@pytest.mark.parametrize(("kernel", "kinds"), UNSUITABLE)
def test_steps_of_unsuitable_dtypes_are_refused(
    device: object, kernel: str, kinds: tuple[str, str, str, str]
) -> None:
    x, g, out, loss = kinds
    builder = SpecBuilder()
    scores, labels = builder.input(x, 2), builder.input("int64", 1)
    inputs = [scores, labels, *([builder.input(g, 1)] if g else [])]
    outputs = [builder.like(scores, out)] if out else []
    outputs += [builder.like(labels, loss)] if loss else []
    builder.step(kernel, inputs, outputs)
    builder.output(*outputs)
    assert_refused(builder, device)


@pytest.mark.parametrize("dtype", [*HALVES, "float64"])
def test_losses_are_not_written_over_scores(device: object, dtype: str) -> None:
    number = "float32" if dtype in HALVES else dtype
    builder = SpecBuilder()
    given = builder.input(dtype, 2)
    labels, weights = builder.input("int64", 1), builder.input(number, 1)
    x = builder.like(given)
    builder.elementwise([given], [], [(x, 0, "", 0)])
    out, loss = builder.like(given), builder.like(labels, number, storage=x)
    builder.step("nll_with_gradient", [x, labels, weights], [out, loss])
    result = builder.like(labels, number)
    builder.elementwise([loss], [], [(result, 0, "", 0)])
    builder.output(out, result)
    assert_refused(builder, device)


def assert_refused(builder: SpecBuilder, device: object) -> None:
    """Hold that neither the CPU nor the device has a kernel for a plan's likelihood."""
    for arguments in ((builder.spec,), (moved(builder.spec), device)):
        with pytest.raises(RuntimeError, match=r"must suit its kernel: \[nll"):
            _core.Program(*arguments)
