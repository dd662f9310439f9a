"""Products of matrices on the emulated device, at the edges of every way to cut them."""

from __future__ import annotations

import itertools
from types import ModuleType

import numpy as np
import pytest

from helpers.backend import backend_module
from helpers.emulated import emulated, function_on, launches
from helpers.products import (
    FLOATS,
    HALVES,
    assert_product,
    dot,
    draw,
    product_by_blocks,
    product_of_windows,
    product_on,
)
from helpers.spec import SpecBuilder
from helpers.values import Array, lay_out

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
BYTES = ["bool", "int8", "uint8"]

# (m, k, n): one result and few, few columns, few rows, tiles and more than one of them, each with a
# depth that is less than a part, and that makes several chunks.
SHAPES = [
    *[(1, 1, 1), (4, 5, 8), (1, 20_000, 1), (2, 140_000, 3), (20, 1_200, 3)],
    *[(33, 1, 1), (129, 17, 16), (40, 600, 10)],
    *[(1, 15, 40), (16, 33, 129), (9, 530, 40)],
    *[(17, 16, 17), (128, 32, 64), (129, 40, 65), (20, 700, 30)],
]


@pytest.mark.parametrize("dtype", [*FLOATS, *HALVES])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_products_of_floats(dtype: str, shape: tuple[int, int, int]) -> None:
    device = backend_module().open(0)
    m, k, n = shape
    a, b = draw(dtype, m, k), draw(dtype, k, n)
    assert_product(product_on(device, a, b), a, b)


@pytest.mark.parametrize("dtype", HALVES)
def test_halves_of_all_sizes(dtype: str) -> None:
    """Also subnormal ones, and those whose product does not fit."""
    bits = np.arange(1 << 16, dtype="uint16").view(dtype)
    with np.errstate(invalid="ignore"):
        numbers = bits[np.isfinite(bits)]
    found = product_on(backend_module().open(0), numbers[:, None], np.ones((1, 1), dtype))
    np.testing.assert_array_equal(found[:, 0], numbers)
    with np.errstate(over="ignore"):
        wanted = np.outer(numbers[::97].astype("float32"), numbers[::89].astype("float32"))
        found = product_on(backend_module().open(0), numbers[::97, None], numbers[None, ::89])
        np.testing.assert_array_equal(found, wanted.astype(dtype))


@pytest.mark.parametrize("dtype", ["bool", *INTEGERS])
def test_products_of_integers_wrap(dtype: str) -> None:
    device = backend_module().open(0)
    for m, k, n in [(1, 9_000, 2), (5, 3, 6), (33, 40, 35), (40, 600, 3), (40, 0, 3)]:
        a, b = draw(dtype, m, k), draw(dtype, k, n)
        np.testing.assert_array_equal(product_on(device, a, b), np.dot(a, b))


@pytest.mark.parametrize("dtype", BYTES)
def test_bytes_by_floats(dtype: str) -> None:
    device = backend_module().open(0)
    for m, k, n in [(2, 900, 3), (40, 300, 10), (10, 70, 40), (40, 20, 50)]:
        a, b = draw(dtype, m, k), draw("float32", k, n)
        assert_product(product_on(device, a, b), a.astype("float32"), b)


@pytest.mark.parametrize("dtype", ["float32", "int32", *HALVES])
def test_vectors(dtype: str) -> None:
    device = backend_module().open(0)
    a, b = draw(dtype, 70, 300), draw(dtype, 300, 60)
    for x, y in [(a, b[:, 0]), (a[0], b), (a[0], b[:, 0]), (a[:3], b[:, 1]), (a[1], b[:, :4])]:
        found = product_on(device, x, y)
        if dtype == "int32":
            np.testing.assert_array_equal(found, np.dot(x, y))
        else:
            assert_product(found, x, y)


@pytest.mark.parametrize("dtype", ["float32", "uint8", *HALVES])
@pytest.mark.parametrize("shape", [(0, 5, 3), (5, 3, 0), (40, 0, 50), (0, 0, 0), (1, 0, 1)])
def test_nothing_to_multiply(dtype: str, shape: tuple[int, int, int]) -> None:
    m, k, n = shape
    found = product_on(backend_module().open(0), np.ones((m, k), dtype), np.ones((k, n), dtype))
    np.testing.assert_array_equal(found, np.zeros((m, n), dtype))


LAYOUTS = ["transposed", "reversed", "strided"]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", *HALVES])
@pytest.mark.parametrize("shape", [(3, 700, 2), (40, 300, 6), (6, 40, 40), (40, 60, 70)], ids=str)
def test_any_layout_gives_the_same_bits(dtype: str, shape: tuple[int, int, int]) -> None:
    device = backend_module().open(0)
    m, k, n = shape
    a, b = draw(dtype, m, k), draw(dtype, k, n)
    wanted = product_on(device, a, b)
    for left, right in itertools.product(LAYOUTS, repeat=2):
        found = product_of_windows(device, lay_out(a, left), lay_out(b, right))
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("dtype", ["float32", "bool", *HALVES])
def test_any_order_of_threads_gives_the_same_bits(dtype: str) -> None:
    module: ModuleType = emulated()
    device = module.open(0)
    for m, k, n in [(1, 140_000, 2), (140, 1_200, 10), (33, 520, 40)]:
        a, b = draw(dtype, m, k), draw(dtype, k, n)
        found = []
        for order in ("forward", "backward", "shuffled"):
            module.set_order(order)
            found.append(product_on(device, a, b).tobytes())
        module.set_order("forward")
        assert found[1:] == found[:1] * 2


@pytest.mark.parametrize("dtype", [*FLOATS, *HALVES])
def test_what_is_not_a_number_stays_in_its_row_and_column(dtype: str) -> None:
    device = backend_module().open(0)
    for m, k, n in [(17, 20, 35), (35, 20, 10), (2, 30, 3)]:
        a, b = draw(dtype, m, k), draw(dtype, k, n)
        a[m - 1, k - 1] = np.nan
        b[k - 1, n - 1] = np.inf
        rest = np.isfinite(product_on(device, a, b))
        assert not rest[m - 1].any()
        assert not rest[:, n - 1].any()
        assert rest[: m - 1, : n - 1].all()


# As above, of a block: the depth is that of two of them and a shorter third.
BLOCKS = [
    *[(4, 22, 8), (2, 18_000, 3)],
    *[(40, 22, 10), (20, 330, 3), (16, 22, 40), (9, 270, 40), (33, 22, 66), (20, 330, 30)],
]


@pytest.mark.parametrize("dtype", [*FLOATS, *HALVES, "int8", "int64"])
@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_blocks_add_to_a_sum(dtype: str, block: tuple[int, int, int]) -> None:
    device = emulated().open(0)
    (m, rows, n), is_half = block, dtype in HALVES
    a, b = draw(dtype, m, 3 * rows - 3), draw(dtype, 3 * rows - 3, n)
    # Sums of halves are float32 until the last block has been added.
    wide_a, wide_b = (item.astype("float32") if is_half else item for item in (a, b))
    parts: list[Array] = []
    apart = launches(
        lambda: parts.extend(
            product_on(device, wide_a[:, first : first + rows], wide_b[first : first + rows])
            for first in range(0, len(b), rows)
        )
    )
    # Nothing but the products is launched, and what rounds their sum.
    whole = launches(lambda: parts.append(product_by_blocks(device, rows, a, b)))
    assert whole == apart + is_half
    *parts, found = parts
    assert len(parts) == 3
    if wide_a.dtype == np.float32 and m * n <= 32:
        # Those of float32 are added up in float64, also with what is there.
        assert_product(found, a, b)
    else:
        np.testing.assert_array_equal(found, (parts[0] + parts[1] + parts[2]).astype(dtype))


def test_sums_of_blocks_have_the_same_bits_in_any_order_of_threads() -> None:
    module = emulated()
    device = module.open(0)
    for m, rows, n in [(2, 18_000, 3), (20, 330, 30)]:
        a, b = draw("float32", m, 3 * rows - 3), draw("float32", 3 * rows - 3, n)
        found = []
        for order in ("forward", "backward", "shuffled"):
            module.set_order(order)
            found.append(product_by_blocks(device, rows, a, b).tobytes())
        module.set_order("forward")
        assert found[1:] == found[:1] * 2


def test_operands_that_do_not_fit_are_found_when_they_are_bound() -> None:
    device = backend_module().open(0)
    builder = SpecBuilder()
    inputs = [builder.input("float32", 2) for _ in range(2)]
    builder.output(dot(builder, *inputs))
    call = function_on(device, builder)
    with pytest.raises(RuntimeError, match="a and b must fit"):
        call(np.ones((3, 4), "float32"), np.ones((3, 4), "float32"))


def test_steps_of_other_types_are_refused() -> None:
    device = backend_module().open(0)
    wrong = [("int8", "float64", ""), ("float32", "int8", ""), ("float16", "float32", "")]
    wrong += [("float16", "float16", "float32"), ("float32", "float32", "float16")]
    for a, b, out in wrong:
        builder = SpecBuilder()
        inputs = [builder.input(dtype, 2) for dtype in (a, b)]
        builder.output(dot(builder, *inputs, out))
        with pytest.raises(RuntimeError, match="all of one number dtype"):
            function_on(device, builder)
    builder = SpecBuilder()
    inputs = [builder.input("float64", 2) for _ in range(2)]
    builder.output(dot(builder, *inputs, tf32=True))
    with pytest.raises(RuntimeError, match="all of one number dtype"):
        function_on(device, builder)
