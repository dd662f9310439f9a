"""The driver of elementwise programs: layouts, tiles, reductions, sharing, threads.

The operations themselves are tested elsewhere: here they are chosen so that every result is exact,
whatever the order of the additions.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from arignote import _core
from arignote.run import native
from helpers.accuracy import stated, units
from helpers.random_programs import (
    RandomProgram,
    axes_of,
    integers,
    kept_shape,
    random_shape,
)
from helpers.spec import SpecBuilder

Array = npt.NDArray[Any]


@pytest.fixture
def all_threads() -> Iterator[None]:
    before = _core.threads()
    yield
    _core.set_threads(before)


@pytest.mark.parametrize("seed", range(300))
def test_random_programs_equal_numpy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    program = RandomProgram(rng, random_shape(rng))
    for got, expected in zip(program.run(), program.expected, strict=True):
        assert got.shape == expected.shape
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("length", [3, 100, 5000])
@pytest.mark.parametrize("sources", [(3, 2), (2, 3)])
@pytest.mark.parametrize("operation", [np.add, np.subtract])
@pytest.mark.parametrize("product", [("mul", [0, 1]), ("sqr", [0])])
def test_products_round_before_they_are_added(
    product: tuple[str, list[int]],
    operation: np.ufunc,
    sources: tuple[int, int],
    length: int,
    dtype: str,
    target: str,
) -> None:
    rng = np.random.default_rng(length)
    registers = [rng.normal(size=length).astype(dtype) for _ in range(3)]
    name, factors = product
    registers.append(registers[factors[0]] * registers[factors[-1]])
    builder = SpecBuilder()
    inputs = [builder.input(dtype, 1) for _ in range(3)]
    out = builder.like(inputs[0])
    second = {np.add: "add", np.subtract: "sub"}[operation]
    program = [(name, dtype, factors), (second, dtype, list(sources))]
    builder.elementwise(inputs, program, [(out, 4, "", 0)])
    builder.output(out)
    found = builder.function(returns="list")(*registers[:3])[0]
    np.testing.assert_array_equal(found, operation(*(registers[item] for item in sources)))


def sum_of_squares(values: Array, axes: tuple[int, ...], *, shown: bool) -> Array:
    """Return a sum over squares, which are returned, too, if shown: no longer the sum's alone."""
    builder = SpecBuilder()
    x = builder.input(values.dtype.name, 2)
    lengths = builder.shape_of(x)
    total = builder.temp(values.dtype.name, [lengths[axis] for axis in (0, 1) if axis not in axes])
    outputs = [(total, 1, "sum", sum(1 << axis for axis in axes))]
    if shown:
        outputs.append((builder.like(x), 1, "", 0))
    builder.elementwise([x], [("sqr", values.dtype.name, [0])], outputs)
    builder.output(*(buffer for buffer, *_ in outputs))
    return np.asarray(builder.function(returns="list")(values)[0])


all_axes = pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
shapes_of_squares = pytest.mark.parametrize("shape", [(1, 1), (3, 7), (70, 130), (1, 5000)])


@all_axes
@shapes_of_squares
def test_squares_round_before_they_are_summed(
    shape: tuple[int, int], axes: tuple[int, ...], target: str
) -> None:
    values = np.random.default_rng(shape[1]).normal(size=shape)
    found, alone = (sum_of_squares(values, axes, shown=shown) for shown in (False, True))
    np.testing.assert_array_equal(found, alone)
    np.testing.assert_allclose(found, np.square(values).sum(axes), rtol=1e-15)


@all_axes
@shapes_of_squares
def test_single_squares_are_added_in_one_order_on_every_target(
    shape: tuple[int, int], axes: tuple[int, ...]
) -> None:
    values = np.random.default_rng(shape[1]).normal(size=shape).astype(np.float32)
    exact = np.square(values.astype(float)).sum(axes)
    found = []
    for target in native.targets():
        native.set_target(target)
        found.append(sum_of_squares(values, axes, shown=False))
    native.set_target("")
    assert units(found[0], exact, exact) <= stated("Sums")["sum of squares"]["float32"]
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0], strict=True)


@pytest.mark.parametrize("shape", [(0,), (0, 5), (5, 0), (3, 0, 4)])
def test_empty_axes(shape: tuple[int, ...]) -> None:
    for mask in range(1 << len(shape)):
        builder = SpecBuilder()
        x = builder.input("float64", len(shape))
        kept = [
            register for axis, register in enumerate(builder.shape_of(x)) if not mask >> axis & 1
        ]
        outputs = [
            (builder.temp("float64", kept), 0, "sum", mask),
            (builder.temp("float64", kept), 0, "prod", mask),
            (builder.like(x), 0, "", 0),
        ]
        builder.elementwise([x], [], outputs)
        builder.output(*(buffer for buffer, *_ in outputs))
        total, product, same = builder.function()(np.ones(shape))
        kept_lengths = kept_shape(shape, mask)
        empty = 0 in (shape[axis] for axis in axes_of(mask, len(shape)))
        assert total.shape == product.shape == kept_lengths
        assert same.shape == shape
        if empty:
            assert not total.any()
            assert (product == 1).all()


def test_extremes_of_nothing_are_neutral() -> None:
    builder = SpecBuilder()
    x = builder.input("float64", 1)
    largest, smallest = builder.temp(), builder.temp()
    builder.elementwise([x], [], [(largest, 0, "max", 1), (smallest, 0, "min", 1)])
    builder.output(largest, smallest)
    function = builder.function()
    assert function(np.array([2.0, 7.0, 1.0])) == [7.0, 1.0]
    assert function(np.empty(0)) == [-np.inf, np.inf]


BIG = [
    ((300_000,), 1),
    ((40, 9000), 2),
    ((9000, 40), 1),
    ((700, 700), 1),
    ((700, 700), 2),
    ((700, 700), 3),
    ((60_000, 10), 1),
    ((60_000, 10), 2),
    ((3, 200_000), 2),
    ((3, 200_000), 1),
    ((20, 300, 50), 2),
    ((20, 300, 50), 5),
]


@pytest.mark.parametrize(("shape", "mask"), BIG)
def test_same_bits_for_any_number_of_threads(
    shape: tuple[int, ...], mask: int, all_threads: None
) -> None:
    rng = np.random.default_rng(len(shape))
    x = rng.normal(size=shape)
    builder = SpecBuilder()
    a = builder.input("float64", len(shape))
    b = builder.input("float64", len(shape))
    kept = [register for axis, register in enumerate(builder.shape_of(a)) if not mask >> axis & 1]
    outs = [builder.like(a), builder.temp("float64", kept), builder.temp("float64", kept)]
    builder.elementwise(
        [a, b],
        [("mul", "float64", [0, 1]), ("exp", "float64", [2])],
        [(outs[0], 2, "", 0), (outs[1], 3, "sum", mask), (outs[2], 2, "max", mask)],
    )
    builder.output(*outs)
    function = builder.function()
    y = rng.normal(size=(1,) * (len(shape) - 1) + shape[-1:])
    results = []
    for count in (1, 2, 3, 7):
        _core.set_threads(count)
        results.append(function(x, y))
    for other in results[1:]:
        for got, expected in zip(other, results[0], strict=True):
            np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(results[0][0], x * y)
    np.testing.assert_array_equal(results[0][2], (x * y).max(axes_of(mask, len(shape))))
    total = np.exp(x * y).sum(axes_of(mask, len(shape)))
    assert results[0][1].shape == total.shape
    # The sum is of positive terms, in another order than NumPy's.
    np.testing.assert_allclose(results[0][1], total, rtol=1e-12)


def test_many_registers() -> None:
    """More registers in use than blocks of the usual length would have room for."""
    count = 300
    builder = SpecBuilder()
    x = builder.input("float64", 1)
    out = builder.like(x)
    program: list[tuple[str, str, list[int]]] = [("identity", "float64", [0])]
    program = [("add", "float64", [0, i]) for i in range(count)]
    # Sums all registers from the last to the first, so that all stay in use.
    program += [("add", "float64", [count + i, count - i]) for i in range(count)]
    builder.elementwise([x], program, [(out, 2 * count, "", 0)])
    builder.output(out)
    values = [np.linspace(-1, 1, 1000)]
    for _, _, (a, b) in program:
        values.append(values[a] + values[b])
    np.testing.assert_array_equal(builder.function()(values[0]), values[-1])


def in_place(
    program: list[tuple[str, str, list[int]]], outputs: list[tuple[int, int]], states: int
) -> tuple[SpecBuilder, list[int]]:
    """A program over vector states, where output i is (register, state whose memory it takes)."""
    builder = SpecBuilder()
    held = [builder.state("float64", 1) for _ in range(states)]
    news = [builder.like(held[state], storage=held[state]) for _, state in outputs]
    rows = [(new, register, "", 0) for new, (register, _) in zip(news, outputs, strict=True)]
    builder.elementwise(held, program, rows)
    for new, (_, state) in zip(news, outputs, strict=True):
        builder.update(held[state], new)
    return builder, held


@pytest.mark.parametrize("size", [1, 16, 1000, 100_000])
@pytest.mark.parametrize(
    ("program", "outputs", "expected"),
    [
        # The memory of an input that a later instruction reads must not be written early.
        ([("add", [0, 1]), ("mul", [0, 2])], [(2, 0), (3, 1)], lambda x, y: (x + y, x * (x + y))),
        ([("add", [0, 1]), ("sub", [0, 1])], [(3, 0), (2, 1)], lambda x, y: (x - y, x + y)),
        # A swap, and a state that stays what it is.
        ([], [(1, 0), (0, 1)], lambda x, y: (y, x)),
        ([], [(0, 0), (1, 1)], lambda x, y: (x, y)),
        ([("neg", [0])], [(2, 1), (0, 0)], lambda x, y: (x, -x)),
        ([("neg", [0])], [(0, 1), (2, 0)], lambda x, y: (-x, x)),
    ],
)
def test_in_place(size: int, program: Any, outputs: Any, expected: Any) -> None:
    typed = [(name, "float64", sources) for name, sources in program]
    builder, _ = in_place(typed, outputs, 2)
    rng = np.random.default_rng(size)
    arrays = [integers(rng, (size,)) for _ in range(2)]
    states = [_core.State(array) for array in arrays]
    builder.function(*states)()
    for state, want in zip(states, expected(*arrays), strict=True):
        np.testing.assert_array_equal(state.array, want)


def test_in_place_on_a_strided_state() -> None:
    memory = np.arange(60.0).reshape(6, 10)
    held = memory[::2, ::-3]
    builder = SpecBuilder()
    w = builder.state("float64", 2)
    g = builder.input("float64", 2)
    new = builder.like(w, storage=w)
    builder.elementwise([w, g], [("sub", "float64", [0, 1])], [(new, 2, "", 0)])
    builder.update(w, new)
    before, gradient = memory.copy(), np.full(held.shape, 0.5)
    builder.function(_core.State(held, borrow=True))(gradient)
    np.testing.assert_array_equal(held, before[::2, ::-3] - 0.5)
    untouched = np.ones(memory.shape, bool)
    untouched[::2, ::-3] = False
    np.testing.assert_array_equal(memory[untouched], before[untouched])


def test_reductions_of_several_axes_with_an_update_in_the_same_program() -> None:
    builder = SpecBuilder()
    w = builder.state("float64", 2)
    rows, cols = builder.shape_of(w)
    outs = [builder.temp("float64", [rows]), builder.temp("float64", [cols]), builder.temp()]
    new = builder.like(w, storage=w)
    builder.elementwise(
        [w],
        [("sqr", "float64", [0]), ("neg", "float64", [0])],
        [(outs[0], 1, "sum", 2), (outs[1], 0, "max", 1), (outs[2], 1, "sum", 3), (new, 2, "", 0)],
    )
    builder.output(*outs)
    builder.update(w, new)
    value = integers(np.random.default_rng(3), (37, 501))
    state = _core.State(value)
    by_row, by_col, total = builder.function(state)()
    np.testing.assert_array_equal(by_row, (value**2).sum(1))
    np.testing.assert_array_equal(by_col, value.max(0))
    assert total == (value**2).sum()
    np.testing.assert_array_equal(state.array, -value)


def test_shapes_that_do_not_broadcast_are_refused() -> None:
    builder = SpecBuilder()
    a, b = builder.input("float64", 1), builder.input("float64", 1)
    out = builder.like(a)
    builder.binary("add", a, b, out)
    builder.output(out)
    function = builder.function()
    np.testing.assert_array_equal(function(np.ones(3), np.ones(1)), np.full(3, 2.0))
    with pytest.raises(RuntimeError, match="must broadcast to one shape"):
        function(np.ones(3), np.ones(4))
    with pytest.raises(RuntimeError, match="must have the shape of the inputs"):
        function(np.ones(1), np.ones(4))


def mutated(ints: list[int]) -> Iterator[list[int]]:
    for i in range(len(ints)):
        for wrong in (-1, 2, 7, 31, 2**31, -(2**63), 2**63 - 1):
            yield [*ints[:i], wrong, *ints[i + 1 :]]
    yield ints[:-1]
    yield [*ints, 0]
    yield []


def test_no_encoding_crashes() -> None:
    """Every integer replaced by wrong ones: an error, or a program that is another but sound."""
    rng = np.random.default_rng(0)
    x, y = integers(rng, (4, 5)), integers(rng, (4, 5))
    ints = [2, 11, 2, 0, 1, 11, 1, 2, 2, 0, 3, 2]
    refused = 0
    for wrong in mutated(ints):
        builder = SpecBuilder()
        a, b = builder.input("float64", 2), builder.input("float64", 2)
        outs = [builder.like(a), builder.temp("float64", builder.shape_of(a)[:1])]
        names = ["add", "neg", "", "sum"]
        builder.step("elementwise", [a, b], outs, ints=wrong, names=names)
        builder.output(*outs)
        try:
            builder.function()(x, y)
        except RuntimeError:
            refused += 1
    assert refused > len(ints) * 5


def test_chain_keeps_bits_of_single_steps() -> None:
    """Fusing must not change a result: one program equals its instructions run one by one."""
    names = ["exp", "tanh", "sqr", "neg", "sigmoid"]
    x = np.random.default_rng(1).normal(size=(13, 1031))

    def chain(operations: list[str]) -> _core.Function:
        builder = SpecBuilder()
        a = builder.input("float64", 2)
        out = builder.like(a)
        program = [(name, "float64", [i]) for i, name in enumerate(operations)]
        builder.elementwise([a], program, [(out, len(operations), "", 0)])
        builder.output(out)
        return builder.function()

    single = reduce(lambda value, name: chain([name])(value), names, x)
    np.testing.assert_array_equal(chain(names)(x), single)
