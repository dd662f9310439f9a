"""Elements by position on the emulated device: taken, put, and found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import arignote as theano
import arignote.tensor as T
from arignote import _core
from arignote.graph import dtypes
from helpers.backend import backend_module, set_order
from helpers.emulated import function_on, window
from helpers.spec import SpecBuilder
from helpers.values import Array, Values, lay_out

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
LAYOUTS = ["contiguous", "transposed", "strided", "reversed", "rotated", "offset"]
THREADS = ["forward", "backward", "shuffled"]


def computed(order: str, builder: SpecBuilder, *arrays: Array) -> list[Array]:
    """Return what a plan comes to when threads come to run in an order."""
    set_order(order)
    try:
        found: list[Array] = function_on(backend_module().open(0), builder)(*arrays)
    finally:
        set_order("forward")
    return found


# --- put


@dataclass(frozen=True)
class Put:
    """Rows put into an array."""

    x: Array
    rows: Array
    indices: tuple[Array, ...]
    increment: bool

    @property
    def arrays(self) -> list[Array]:
        """The operands."""
        return [self.x, self.rows, *self.indices]

    @property
    def ints(self) -> list[int]:
        """The attributes of the step."""
        return [len(self.indices), int(self.increment)]

    def expected(self) -> Array:
        """Return what NumPy makes of it."""
        result = self.x.copy()
        if self.increment:
            np.add.at(result, self.indices, self.rows)
        else:
            result[self.indices] = self.rows
        return result

    def builder(self) -> SpecBuilder:
        """Return the plan of one step."""
        builder = SpecBuilder()
        inputs = [builder.input(item.dtype.name, item.ndim) for item in self.arrays]
        out = builder.like(inputs[0])
        builder.step("put", inputs, [out], ints=self.ints)
        builder.output(out)
        return builder

    def on_windows(self, layouts: Sequence[str], in_place: bool) -> tuple[SpecBuilder, list[Array]]:
        """Return a plan whose operands lie on the device in layouts, and its arguments."""
        builder = SpecBuilder()
        views = [lay_out(item, layout) for item, layout in zip(self.arrays, layouts, strict=True)]
        windows, bases = zip(*(window(builder, view) for view in views), strict=True)
        x = windows[0]
        if in_place:
            x = builder.like(windows[0])
            builder.step("copy", [windows[0]], [x])
        out = builder.like(x, storage=x if in_place else -1)
        builder.step("put", [x, *windows[1:]], [out], ints=self.ints)
        builder.output(out)
        return builder, list(bases)


SHAPES = [(), (0,), (1,), (7,), (2, 3), (255,), (256,), (257,), (30, 40), (5, 1, 300)]


@st.composite
def puts(draw: st.DrawFn) -> Put:
    values = Values(draw(st.integers(0, 2**32)))
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    arrays = draw(st.integers(1, len(shape)))
    increment = draw(st.booleans())
    dtype = draw(st.sampled_from(sorted(dtypes.REAL if increment else dtypes.ALL)))
    where = draw(st.sampled_from(SHAPES))
    indices = tuple(
        values.below(length, *where, dtype=draw(st.sampled_from(INTEGERS)))
        for length in shape[:arrays]
    )
    full = (*where, *shape[arrays:])
    rows = tuple(1 if draw(st.booleans()) and draw(st.booleans()) else length for length in full)
    return Put(values(dtype, *shape), values(dtype, *rows), indices, increment)


@settings(max_examples=120, deadline=None)
@given(puts(), st.data())
def test_put_equals_numpys_bit_for_bit(put: Put, data: st.DataObject) -> None:
    layouts = [data.draw(st.sampled_from(LAYOUTS)) for _ in put.arrays]
    builder, arguments = put.on_windows(layouts, data.draw(st.booleans()))
    order = data.draw(st.sampled_from(THREADS))
    (found,) = computed(order, builder, *arguments)
    np.testing.assert_array_equal(found, put.expected(), strict=True)


@pytest.mark.parametrize("increment", [False, True])
@pytest.mark.parametrize(("places", "count", "row"), [(1, 3_000, 1), (40, 9_000, 2), (3, 300, 70)])
def test_many_rows_come_to_few_places_in_order(
    device: object, places: int, count: int, row: int, increment: bool
) -> None:
    values = Values(count)
    x, rows = values("float32", places, row), values("float32", count, row)
    put = Put(x, rows, (values.below(places, count),), increment)
    (found,) = function_on(device, put.builder())(*put.arrays)
    np.testing.assert_array_equal(found, put.expected())


@pytest.mark.parametrize("increment", [False, True])
@pytest.mark.parametrize("dtype", sorted(dtypes.ALL))
def test_put_of_every_dtype(dtype: str, increment: bool) -> None:
    values = Values(3)
    put = Put(values(dtype, 5, 3), values(dtype, 40, 3), (values.below(5, 40),), increment)
    device = backend_module().open(0)
    if increment and dtype not in dtypes.REAL:
        with pytest.raises(RuntimeError, match="increments: a number"):
            function_on(device, put.builder())
        return
    (found,) = function_on(device, put.builder())(*put.arrays)
    np.testing.assert_array_equal(found, put.expected(), strict=True)


def test_operands_of_put_that_do_not_fit_are_found_when_they_are_bound() -> None:
    device = backend_module().open(0)
    x, where = np.zeros((4, 3)), np.array([1, 2])
    for rows in (np.zeros((3, 3)), np.zeros((2, 2)), np.zeros((1, 4))):
        put = Put(x, rows, (where,), False)
        with pytest.raises(RuntimeError, match="v must fit the shape"):
            function_on(device, put.builder())(*put.arrays)
    put = Put(x, np.zeros(2), (where, np.array([0, 1, 2])), False)
    with pytest.raises(RuntimeError, match="v must fit the shape"):
        function_on(device, put.builder())(*put.arrays)


# --- indices out of range


def taking(arrays: Sequence[Array]) -> SpecBuilder:
    builder = SpecBuilder()
    x, *indices = (builder.input(item.dtype.name, item.ndim) for item in arrays)
    shape = [*builder.shape_of(indices[0]), *builder.shape_of(x)[len(indices) :]]
    out = builder.temp(arrays[0].dtype.name, shape)
    builder.step("take", [x, *indices], [out], ints=[len(indices)])
    builder.output(out)
    return builder


# Dtypes of the two index arrays, and what stands in them that is out of range.
BAD = [
    ("int8", "int64", [(-4, 0), (0, -6)]),
    ("int64", "uint8", [(0, 5), (3, 0)]),
    ("uint64", "int32", [(2**64 - 1, 0), (7, 9)]),
    ("int16", "uint16", [(3, 5), (-3, 5)]),
]


def out_of_range(count: int, kinds: Sequence[str], bad: Sequence[Any]) -> list[Array]:
    """Return index arrays for an array of three by five, of which the first bad ones come late."""
    indices = [np.zeros(count, kind) for kind in kinds]
    for position, numbers in zip((count // 2, count - 1), bad, strict=True):
        for array, number in zip(indices, numbers, strict=True):
            array[position] = number
    return indices


@pytest.mark.parametrize("kernel", ["take", "put"])
@pytest.mark.parametrize("count", [2, 300, 9_000])
@pytest.mark.parametrize(("first", "second", "bad"), BAD)
def test_first_position_out_of_range_is_named_as_on_the_cpu(
    device: object, kernel: str, count: int, first: str, second: str, bad: Any
) -> None:
    indices = out_of_range(count, (first, second), bad)
    put = Put(np.zeros((3, 5)), np.ones(count), tuple(indices), True)
    arrays = put.arrays if kernel == "put" else [put.x, *indices]
    builder = put.builder() if kernel == "put" else taking(arrays)
    with pytest.raises(IndexError) as wanted:
        builder.function()(*arrays)
    function = function_on(device, builder)
    with pytest.raises(IndexError) as found:
        function(*arrays)
    # The inputs are brought to the device first.
    assert str(found.value) == str(wanted.value).replace("step 0", f"step {len(arrays)}")


@pytest.mark.parametrize("increment", [False, True])
@pytest.mark.parametrize("count", [2, 300, 9_000])
def test_put_writes_nothing_if_an_index_is_out_of_range(
    device: object, count: int, increment: bool
) -> None:
    builder = SpecBuilder()
    rows, index = builder.input(ndim=1), builder.input("int64", 1)
    state = builder.state(ndim=1)
    out = builder.like(state, storage=state)
    builder.step("put", [state, rows, index], [out], ints=[1, int(increment)])
    builder.update(state, out)
    memory = _core.State(np.arange(4.0), device=device)
    function = function_on(device, builder, memory)
    where = np.arange(count) % 4
    where[-1] = 4
    with pytest.raises(IndexError):
        function(np.ones(count), where)
    np.testing.assert_array_equal(memory.array, np.arange(4))
    where[-1] = -1
    function(np.ones(count), where)
    put = Put(np.arange(4.0), np.ones(count), (where,), increment)
    np.testing.assert_array_equal(memory.array, put.expected())


# --- nonzero


def seek(builder: SpecBuilder, x: int, count: int) -> None:
    """Complete a plan that finds so many elements."""
    (length,) = builder.const_dims(count)
    outputs = [builder.temp("int64", [length]) for _ in builder.shape_of(x)]
    builder.step("nonzero", [x], outputs)
    builder.output(*outputs)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(0, 2**32), st.sampled_from(dtypes.REAL))
def test_nonzero_equals_numpys(data: st.DataObject, seed: int, dtype: str) -> None:
    shapes = [(0,), (1,), (15,), (16,), (17,), (4_096,), (4_097,), (9_000,)]
    shapes += [(3, 0), (70, 70), (4, 5, 6), (2, 1, 3, 2_000)]
    values = Values(seed, special=True)
    x = values(dtype, *data.draw(st.sampled_from(shapes)))
    x[values.rng.random(x.shape) < data.draw(st.sampled_from([0, 0.5, 0.99, 1]))] = 0
    view = lay_out(x, data.draw(st.sampled_from(LAYOUTS)))
    builder = SpecBuilder()
    seen, base = window(builder, view)
    seek(builder, seen, np.count_nonzero(x))
    found = computed(data.draw(st.sampled_from(THREADS)), builder, base)
    for got, want in zip(found, np.nonzero(x), strict=True):
        np.testing.assert_array_equal(got, want, strict=True)


@pytest.mark.slow
def test_nonzero_of_more_blocks_than_one_has_threads() -> None:
    x = np.zeros((2, 550_000), "bool")
    x[1, 500_000:] = x[0, 5] = True
    builder = SpecBuilder()
    seek(builder, builder.input("bool", 2), np.count_nonzero(x))
    found = function_on(backend_module().open(0), builder)(x)
    for got, want in zip(found, np.nonzero(x), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("count", [0, 2, 4, 9_000])
def test_nonzero_finds_as_many_as_the_plan_says(device: object, count: int) -> None:
    x = np.array([0.0, 1.0, np.nan, -0.0, -1.0])
    builder = SpecBuilder()
    seek(builder, builder.input(ndim=1), count)
    with pytest.raises(RuntimeError) as wanted:
        builder.function()(x)
    function = function_on(device, builder)
    with pytest.raises(RuntimeError) as found:
        function(x)
    assert str(found.value) == str(wanted.value).replace("step 0", "step 1")
    y = np.resize([1.0, 0.0], 2 * count)
    np.testing.assert_array_equal(function(y)[0], 2 * np.arange(count))


# --- programs


def test_rows_of_a_table_are_learnt_on_the_device(on_device: None) -> None:
    rng = np.random.default_rng(5)
    rows, words = rng.normal(size=(20, 8)).astype("float32"), rng.integers(-20, 20, (6, 70))
    words[5, 33] = 20
    table, batches = theano.shared(rows, name="table"), theano.shared(words, name="batches")
    number, rate = T.lscalar("number"), np.float32(0.25)
    chosen = table[batches[number]]
    learnt = T.inc_subtensor(chosen, -rate * chosen)
    step = theano.function([number], chosen.sum(), updates=[(table, learnt)])
    assert all(item.device for item in step.plan.steps), step.plan
    step(0)
    step.map([1, 2, 3, 4])
    for where in words[:5]:
        np.add.at(rows, where, -rate * rows[where])
    np.testing.assert_array_equal(table.get_value(), rows)
    for fails in (lambda: step(5), lambda: step.map([5, 0, 0])):
        with pytest.raises(IndexError, match="index 20 is out of bounds for size 20"):
            fails()
        np.testing.assert_array_equal(table.get_value(), rows)


def test_what_a_mask_selects_is_changed_on_the_device(on_device: None) -> None:
    x = np.random.default_rng(7).normal(size=(30, 20))
    weights = theano.shared(x, name="weights")
    positive = (weights > 0).nonzero()
    halve = theano.function(
        [],
        weights[positive].sum(),
        updates=[(weights, T.set_subtensor(weights[positive], weights[positive] / 2))],
    )
    # Of what is read back, the one number says how many there are.
    assert [step.op for step in halve.plan.steps if not step.device] == []
    assert np.isclose(halve(), x[x > 0].sum())
    np.testing.assert_array_equal(weights.get_value(), np.where(x > 0, x / 2, x))
