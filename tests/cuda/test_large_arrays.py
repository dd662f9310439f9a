"""Arrays of more than 2^32 elements: whatever counts elements or bytes has 64 bits.

On the emulation only some blocks at both ends of a launch run, and of arrays that large the host
has memory only where these work. An index of 32 bits would begin again at the first element, and
leave the last ones as they were. The machine's device runs everything.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote import _core, ops
from arignote.graph.variable import SharedVariable, Variable
from helpers.backend import backend_module
from helpers.emulated import TESTED_DEVICE, emulated, function_on
from helpers.spec import SpecBuilder
from helpers.values import Array

pytestmark = pytest.mark.slow  # a sanitizer has much to do for such arrays

# The last blocks lie wholly behind 2^32, wherever they begin.
COLUMNS = 64
ROWS = 2**26 + 2**11
FEW = 16  # columns of float32, so that there are more than 2^32 bytes

GIGABYTE = 1 << 30
RNG = np.random.default_rng(5)
BYTES = RNG.integers(1, 9, (2, COLUMNS)).astype("uint8")
FLOATS = RNG.uniform(0, 1, (2, FEW)).astype("float32")


@pytest.fixture(autouse=True)
def large(on_device: None) -> Iterator[None]:
    """Let there be room for such arrays, and time for launches on them."""
    if TESTED_DEVICE != "emulated":
        if backend_module().info(0)["memory"] < 32 * GIGABYTE:
            pytest.skip("wants a device with 32 GB")
        yield
        return
    driver = emulated()
    driver.set_limit(64 * GIGABYTE)
    driver.set_ends(2)
    yield
    driver.set_compiler("none")
    driver.set_ends(0)
    driver.set_row_chunks(512)
    gc.collect()
    driver.trim(0)
    driver.set_limit(4 * GIGABYTE)


def at_the_ends(results: Array) -> Array:
    """Return those that are whole: each is joined by a block of its own."""
    if TESTED_DEVICE != "emulated":
        return results
    return np.concatenate([results.reshape(-1)[:2], results.reshape(-1)[-2:]])


def evaluate(*outputs: Variable) -> list[Array]:
    return theano.function([], list(outputs))()


def assign(shared: SharedVariable, value: Variable) -> None:
    """Compute a shared variable's value on the device, where it stays."""
    f = theano.function([], updates=[(shared, value)])
    assert all(step.device for step in f.plan.steps), f.plan
    f()


def ending_in(last: Array) -> SharedVariable:
    """Return an array of ones whose last two rows are given."""
    shared = theano.shared(np.zeros_like(last))
    assign(shared, T.alloc(np.ones((), last.dtype), ROWS, last.shape[1]))
    assign(shared, T.set_subtensor(shared[-2:], last))
    return shared


def bytes_at_both_ends() -> SharedVariable:
    shared = ending_in(BYTES)
    assign(shared, T.set_subtensor(shared[:2], BYTES + 10))
    return shared


@pytest.mark.parametrize("compiler", ["none", "host"])
def test_elementwise_programs(compiler: str) -> None:
    if compiler == "host":
        emulated().set_compiler("host")
    x = ending_in(BYTES)
    row = np.arange(COLUMNS, dtype="uint8")
    assign(x, x * np.uint8(2) + row)
    first, last = evaluate(x[:2], x[-2:])
    np.testing.assert_array_equal(first, [2 + row] * 2)
    np.testing.assert_array_equal(last, BYTES * 2 + row)
    if compiler == "host":
        assert emulated().compiled(0)[1] == []


def test_reductions_of_rows() -> None:
    x = bytes_at_both_ends()
    kept = [x.sum(axis=1), x.max(axis=1), T.argmin(x, axis=1)]
    for found, rows in zip(
        [evaluate(*(each[:2] for each in kept)), evaluate(*(each[-2:] for each in kept))],
        [BYTES + 10, BYTES],
        strict=True,
    ):
        np.testing.assert_array_equal(found, [rows.sum(1), rows.max(1), rows.argmin(1)])


@pytest.mark.parametrize("axis", [0, None])
def test_reductions_change_by_what_the_last_rows_do(axis: int | None) -> None:
    """On the emulation the other blocks' sums are whatever lies there, and stay that."""
    x = ending_in(BYTES)
    f = theano.function([], x.sum(axis=axis, dtype="int64"))
    before = f()
    assign(x, T.inc_subtensor(x[-2:], BYTES))
    wanted = BYTES.sum(axis=axis, dtype="int64")
    np.testing.assert_array_equal(at_the_ends(f() - before), at_the_ends(wanted))


def test_rows_and_elements_by_index() -> None:
    x = bytes_at_both_ends()
    rows = T.as_tensor_variable(np.array([ROWS - 1, 0, -2]))
    columns = T.as_tensor_variable(np.array([5, 6, 63]))
    by_row, by_both, flat = evaluate(x[rows], x[rows, columns], x.flatten()[rows * COLUMNS])
    wanted = np.stack([BYTES[1], BYTES[0] + 10, BYTES[0]])
    np.testing.assert_array_equal(by_row, wanted)
    np.testing.assert_array_equal(by_both, wanted[range(3), [5, 6, 63]])
    np.testing.assert_array_equal(flat, wanted[:, 0])


@pytest.mark.parametrize("adds", [False, True])
def test_writing_rows_and_elements_by_index(adds: bool) -> None:
    change = T.inc_subtensor if adds else T.set_subtensor
    x = ending_in(BYTES)
    rows = T.as_tensor_variable(np.array([ROWS - 1, 0, -1]))
    values = RNG.integers(20, 90, (3, COLUMNS)).astype("uint8")
    assign(x, change(x[rows], values))
    assign(x, change(x[rows[:2], T.as_tensor_variable([5, 6])], np.array([3, 4], "uint8")))
    first, last = evaluate(x[0], x[-1])
    wanted = np.stack([np.ones(COLUMNS, "uint8"), BYTES[1]])
    wanted[0] = values[1] + adds
    wanted[1] = values[0] + values[2] + BYTES[1] if adds else values[2]
    wanted[0, 6] = wanted[0, 6] + 4 if adds else 4
    wanted[1, 5] = wanted[1, 5] + 3 if adds else 3
    np.testing.assert_array_equal([first, last], wanted)


@pytest.mark.parametrize("adds", [False, True])
def test_an_element_of_each_row(adds: bool) -> None:
    x = bytes_at_both_ends()
    labels = theano.shared(np.full(ROWS, -3, "int8"))
    each = x[T.arange(ROWS), labels]
    (found,) = evaluate(each[-2:])
    np.testing.assert_array_equal(found, BYTES[:, -3])
    assign(x, (T.inc_subtensor if adds else T.set_subtensor)(each, np.uint8(77)))
    first, last = evaluate(x[:2], x[-2:])
    for rows, before in ((first, BYTES + 10), (last, BYTES)):
        wanted = before.copy()
        wanted[:, -3] = wanted[:, -3] + 77 if adds else 77
        np.testing.assert_array_equal(rows, wanted)


def test_copies() -> None:
    x = bytes_at_both_ends()
    y = theano.shared(np.zeros((1, 1), "uint8"))
    assign(y, x[::-1])
    first, last = evaluate(y[:2], y[-2:])
    np.testing.assert_array_equal([first, last], [BYTES[::-1], BYTES[::-1] + 10])
    assign(y, T.concatenate([x[:3], x]))
    first, last = evaluate(y[3:5], y[-2:])
    np.testing.assert_array_equal([first, last], [BYTES + 10, BYTES])


def test_ranges() -> None:
    x, n = theano.shared(np.zeros(0, "uint8")), T.lscalar()
    count = 2**32 + 2**17
    theano.function([n], updates=[(x, T.arange(n, dtype="uint8"))])(count)
    first, last = evaluate(x[:2], x[-2:])
    np.testing.assert_array_equal(first, [0, 1])
    np.testing.assert_array_equal(last, [(count - 2) % 256, (count - 1) % 256])


def test_random_numbers() -> None:
    count = 2**30 + 2**13  # of four bytes
    state, x = theano.shared(np.array([3, 4, 0], "uint64")), theano.shared(np.zeros(0, "float32"))
    drawn, _ = ops.uniform(state, [T.as_tensor_variable(count)], "float32")
    assign(x, drawn)
    (last,) = evaluate(x[-16:])
    bits = np.random.Philox(key=np.array([3, 4], "uint64"), counter=count // 8 - 2)
    np.testing.assert_array_equal(last, np.random.Generator(bits).random(16, "float32"))


def test_softmax_and_likelihoods() -> None:
    x = ending_in(FLOATS)
    labels = theano.shared(np.full(ROWS, -3, "int8"))
    shares = np.exp(FLOATS) / np.exp(FLOATS).sum(axis=1, keepdims=True)
    losses = T.nnet.categorical_crossentropy(T.nnet.softmax(x), labels)
    (found,) = evaluate(losses[-2:])
    np.testing.assert_allclose(found, -np.log(shares[:, -3]), rtol=1e-5)
    assign(x, T.nnet.softmax(x))
    first, last = evaluate(x[:2], x[-2:])
    np.testing.assert_allclose(first, np.full((2, FEW), 1 / FEW), rtol=1e-5)
    np.testing.assert_allclose(last, shares, rtol=1e-5)


def test_products() -> None:
    x = bytes_at_both_ends()
    one, few = RNG.integers(0, 3, (COLUMNS, 1)), RNG.integers(0, 3, (COLUMNS, 3))
    for w in (one.astype("uint8"), few.astype("uint8"), few.astype("float32")):
        product = T.dot(x, T.as_tensor_variable(w))
        first, last = evaluate(product[:2], product[-2:])
        np.testing.assert_array_equal(first, np.dot(BYTES + 10, w))
        np.testing.assert_array_equal(last, np.dot(BYTES, w))


def test_products_over_rows_change_by_what_the_last_ones_do() -> None:
    x, y = ending_in(BYTES), ending_in(BYTES[:, :3])
    f = theano.function([], T.dot(x[:, :32].T, y))
    before = f()
    assign(x, T.inc_subtensor(x[-2:], BYTES))
    wanted = np.dot(BYTES[:, :32].T, BYTES[:, :3])
    np.testing.assert_array_equal(at_the_ends(f() - before), at_the_ends(wanted))


def test_more_results_than_a_launch_has_blocks() -> None:
    count = 2**31 + 2**13
    x, y = theano.shared(np.zeros(0, "uint8")), theano.shared(np.zeros(0, "uint8"))
    row = np.arange(COLUMNS, dtype="uint8")
    assign(x, T.alloc(np.uint8(3), count))
    assign(y, (x.dimshuffle(0, "x") + row).max(axis=1))
    np.testing.assert_array_equal(evaluate(y[:2], y[-2:]), np.full((2, 2), 3 + row[-1]))


# So long that a block works on one row, if a launch can have so many blocks.
LONG = 2049


def first_and_last(builder: SpecBuilder, out: int, count: int, *states: Array) -> Array:
    """Return these two of so many results, which stay on the device."""
    item = np.dtype(builder.spec["buffers"][out]["dtype"]).itemsize
    shape, strides = builder.const_dims(2), builder.const_dims((count - 1) * item)
    builder.output(builder.view(out, shape, strides, builder.dim("const", 0)))
    device = backend_module().open(0)
    f = function_on(device, builder, *(_core.State(state, device=device) for state in states))
    (found,) = f()
    return found


def test_positions_in_more_rows_than_a_launch_has_blocks() -> None:
    shape = 2**20 + 8, 2**11
    elements = RNG.uniform(0, 1, shape[1] - 1 + LONG).astype("float32")
    builder = SpecBuilder()
    base, dims = builder.state("float32", 1), builder.const_dims(*shape, LONG)
    x = builder.view(base, dims, builder.const_dims(0, 4, 4), builder.dim("const", 0))
    out = builder.temp("int64", dims[:2])
    builder.step("argmax", [x], [out], ints=[2])
    found = first_and_last(builder, out, shape[0] * shape[1], elements)
    np.testing.assert_array_equal(found, [elements[:LONG].argmax(), elements[-LONG:].argmax()])


def test_likelihoods_of_more_rows_than_a_launch_has_blocks() -> None:
    count = 2**31 + 2**13
    row = RNG.uniform(0, 1, LONG).astype("float32")
    builder = SpecBuilder()
    bases = builder.state("float32", 1), builder.state("int8", 1)
    dims, (zero, item) = builder.const_dims(count, LONG), builder.const_dims(0, 4)
    x = builder.view(bases[0], dims, [zero, item], zero)
    labels = builder.view(bases[1], dims[:1], [zero], zero)
    out = builder.temp("float32", dims[:1])
    builder.step("nll", [x, labels], [out])
    found = first_and_last(builder, out, count, row, np.full(1, 3, "int8"))
    np.testing.assert_allclose(found, [np.log(np.exp(row).sum()) - row[3]] * 2, rtol=1e-5)


def test_windows_of_a_loop() -> None:
    x, number = bytes_at_both_ends(), T.lscalar()
    f = theano.function([number], x[2 * number : 2 * number + 2])
    indices = [0, ROWS // 2 - 1, 0, ROWS // 2 - 1]
    np.testing.assert_array_equal(f.map(indices), [BYTES + 10, BYTES, BYTES + 10, BYTES])


def test_training_steps_with_few_outputs() -> None:
    if TESTED_DEVICE == "emulated":
        emulated().set_row_chunks(2**14)  # of fewer rows
    x = bytes_at_both_ends()
    w = theano.shared(RNG.normal(0, 0.1, (COLUMNS, 3)).astype("float32"))
    losses = theano.shared(np.zeros(0, "float32"))
    each = T.sqr(T.dot(T.cast(x, "float32"), w)).sum(axis=1)
    f = theano.function([], updates=[(losses, each), (w, w - T.grad(T.mean(each), w))])
    assert [step.op for step in f.plan.steps].count("by_rows") == 1
    before = w.get_value()
    f()
    for found, rows in zip(evaluate(losses[:2], losses[-2:]), [BYTES + 10, BYTES], strict=True):
        np.testing.assert_allclose(found, (np.dot(rows, before) ** 2).sum(axis=1), rtol=1e-4)


def test_what_wants_all_blocks() -> None:
    if TESTED_DEVICE == "emulated":
        pytest.skip("wants a device, which runs all blocks")
    x = ending_in(BYTES)
    place = T.argmax(x.flatten())
    rows, columns = (x > 1).nonzero()
    found = evaluate(place, rows, columns)
    wanted_rows, wanted_columns = (BYTES > 1).nonzero()
    assert found[0] == (ROWS - 2) * COLUMNS + BYTES.argmax()
    np.testing.assert_array_equal(found[1], ROWS - 2 + wanted_rows)
    np.testing.assert_array_equal(found[2], wanted_columns)
    np.testing.assert_array_equal(x.get_value()[-2:], BYTES)
