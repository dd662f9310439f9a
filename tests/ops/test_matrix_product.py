"""Products of matrices of floating-point numbers, at the edges of every way to cut them."""

from __future__ import annotations

import ctypes
import itertools
import mmap
import sys
from collections.abc import Callable

import numpy as np
import pytest

import arignote
import arignote.tensor as T
from arignote.config import config
from arignote.run import native
from arignote.run.function import Function
from helpers.tolerance import product_bound
from helpers.values import Array

DTYPES = ["float32", "float64"]
FUSING = ["avx3", "avx2"]

Place = Callable[[Array], Array]


def compiled(dtype: str) -> Function:
    x, y = (T.matrix(name, dtype) for name in "xy")
    return arignote.function([x, y], T.dot(x, y))


def draw(dtype: str, m: int, k: int, n: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(m * 1000 + k * 100 + n)
    return rng.normal(size=(m, k)).astype(dtype), rng.normal(size=(k, n)).astype(dtype)


def assert_product(found: Array, a: Array, b: Array) -> None:
    wide = np.longdouble if a.dtype == np.float64 else np.float64
    exact = np.dot(a.astype(wide), b.astype(wide))
    assert (found.shape, found.dtype) == (exact.shape, a.dtype)
    assert np.all(np.abs(found - exact) <= product_bound(a, b))


def by_columns(array: Array) -> Array:
    return np.asfortranarray(array)


def backwards(array: Array) -> Array:
    return array[::-1, ::-1].copy()[::-1, ::-1]


def with_gaps(array: Array) -> Array:
    rows, columns = array.shape
    between = np.nan if np.issubdtype(array.dtype, np.floating) else 1
    room = np.full((3 * rows + 1, 2 * columns + 1), between, array.dtype)
    room[1::3, 1::2] = array
    return room[1::3, 1::2]


def far_apart(array: Array) -> Array:
    """Put the rows so far from each other that their distance in bytes needs more than 31 bits."""
    rows, columns = array.shape
    step = 2**31 // (array.itemsize * max(1, rows - 1)) + columns + 16
    room = np.empty(step * (rows - 1) + columns, array.dtype)
    placed = np.lib.stride_tricks.as_strided(
        room, array.shape, (step * array.itemsize, array.itemsize)
    )
    placed[...] = array
    return placed


LAYOUTS: list[Place] = [np.ascontiguousarray, by_columns, backwards, with_gaps]


# One more and one less than panels, their halves and vectors of any target have.
LENGTHS = [1, 2, 3, 5, 6, 7, 8, 9, 13, 14, 15, 16, 17, 28, 29, 31, 32, 33, 63, 65]


@pytest.mark.parametrize("dtype", DTYPES)
def test_edges_of_panels(dtype: str, target: str) -> None:
    f = compiled(dtype)
    for m, n in itertools.product(LENGTHS, LENGTHS):
        a, b = draw(dtype, m, 70 + m % 4, n)
        assert_product(f(a, b), a, b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_that_are_up_to_two_panels(dtype: str, target: str) -> None:
    """Columns that are read where they are give the same bits as those that are packed."""
    f = compiled(dtype)
    for m in range(6, 30):
        a, b = draw(dtype, m, 300, 70 + m % 3)
        wanted = f(a, by_columns(b))
        assert_product(wanted, a, b)
        for place in (np.ascontiguousarray, backwards, with_gaps):
            np.testing.assert_array_equal(f(a, place(b)), wanted)


# At the edges of strips, tiles and blocks, with either operand the one that is packed first.
SHAPES = [
    (40, 256, 130),
    (130, 257, 40),
    (15, 513, 530),
    (530, 255, 33),
    (520, 20, 515),
    (530, 1, 600),
    (600, 2, 530),
    (35, 4001, 37),
    (3, 20_001, 50),
    (3, 40_001, 40),
]


@pytest.mark.parametrize("dtype", DTYPES)
def test_layouts(dtype: str, target: str) -> None:
    f = compiled(dtype)
    for shape in SHAPES:
        a, b = draw(dtype, *shape)
        wanted = f(a, b)
        assert_product(wanted, a, b)
        for left, right in itertools.product(LAYOUTS, repeat=2):
            np.testing.assert_array_equal(f(left(a), right(b)), wanted)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_many_blocks(dtype: str, target: str) -> None:
    f = compiled(dtype)
    for m, k, n in [(2100, 520, 2060), (2060, 520, 2100)]:
        a, b = draw(dtype, m, k, n)
        found = f(a, by_columns(b))
        assert_product(found[::123], a[::123], b)
        assert_product(found[:, ::123], a, b[:, ::123])


@pytest.mark.parametrize("dtype", DTYPES)
def test_few_lines_of_great_depth(dtype: str, target: str) -> None:
    f = compiled(dtype)
    for m, k, n in [(40, 70_001, 3), (3, 70_001, 40), (2, 300_001, 1)]:
        a, b = draw(dtype, m, k, n)
        assert_product(f(with_gaps(a), with_gaps(b)), a, b)


# With more results than there is room for the sums of several parts, too.
MANY = 1_100_000


def test_more_results_than_parts_have_room_for() -> None:
    a, b = draw("float32", MANY, 4, 1)
    assert_product(compiled("float32")(a, b), a, b)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("features", [1, 2, 3, 4, 5])
def test_many_short_rows(dtype: str, features: int, target: str) -> None:
    f = compiled(dtype)
    for columns in (1, 2):
        a, b = draw(dtype, MANY, features, columns)
        d = draw(dtype, MANY, columns, 1)[0]
        assert_product(f(a, b), a, b)
        assert_product(f(a.T, d), a.T, d)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("features", [1, 2, 3, 4])
def test_layouts_of_short_rows(dtype: str, features: int, target: str) -> None:
    f = compiled(dtype)
    for rows, columns in itertools.product([1, 2, 7, 16, 33, 1100], [1, 2, 3, 6, 11]):
        a, b = draw(dtype, rows, features, columns)
        d = draw(dtype, rows, columns, 1)[0]
        for left, right in zip(LAYOUTS, LAYOUTS[1:] + LAYOUTS[:1], strict=True):
            assert_product(f(left(a), b), a, b)
            assert_product(f(a, right(b)), a, b)
            assert_product(f(left(a).T, right(d)), a.T, d)


@pytest.mark.parametrize("dtype", DTYPES)
def test_many_lines_of_great_depth(dtype: str, target: str) -> None:
    a, b = draw(dtype, 130, 16_800, 140)
    found = compiled(dtype)(a, b)
    assert_product(found[::50], a[::50], b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_repeated_lines(dtype: str, target: str) -> None:
    f = compiled(dtype)
    for m, k, n in [(20, 300, 90), (90, 20, 300), (300, 90, 100)]:
        a, b = draw(dtype, m, k, n)
        for left, right in itertools.product([a, a[:1], a[:, :1]], [b, b[:1], b[:, :1]]):
            x, y = np.broadcast_to(left, (m, k)), np.broadcast_to(right, (k, n))
            assert_product(f(x, y), x, y)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_huge_strides(dtype: str, target: str) -> None:
    f = compiled(dtype)
    a, b = draw(dtype, 40, 3, 50)
    assert_product(f(far_apart(a), b), a, b)
    assert_product(f(a, far_apart(b)), a, b)
    assert_product(f(far_apart(b).T, far_apart(a).T), b.T, a.T)


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_depth(dtype: str, target: str) -> None:
    found = compiled(dtype)(np.ones((40, 0), dtype), np.ones((0, 50), dtype))
    np.testing.assert_array_equal(found, np.zeros((40, 50), dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_not_a_number_stays_in_its_row_and_column(dtype: str, target: str) -> None:
    f = compiled(dtype)
    for m, k, n in [(17, 20, 35), (35, 20, 17)]:
        a, b = draw(dtype, m, k, n)
        a[m - 1, k - 1] = np.nan
        b[k - 1, n - 1] = np.inf
        found = f(a, b)
        rest = np.isfinite(found)
        assert not rest[m - 1].any()
        assert not rest[:, n - 1].any()
        assert rest[: m - 1, : n - 1].all()


def assert_same_bits_by_any_threads(f: Function, a: Array, b: Array) -> None:
    found = []
    for threads in (1, 2, 3, 7, 16):
        config.threads = threads
        found.append([f(left(a), b).tobytes() for left in (np.ascontiguousarray, by_columns)])
    assert all(item == found[0] for item in found)


@pytest.mark.slow
@pytest.mark.usefixtures("all_threads")
@pytest.mark.parametrize("dtype", DTYPES)
def test_any_number_of_threads_gives_the_same_bits(dtype: str, target: str) -> None:
    f = compiled(dtype)
    shapes = [(700, 600, 800), (800, 600, 700), (40, 2500, 2100), (2100, 2500, 40)]
    for m, k, n in [*shapes, (3, 40_001, 40), (130, 16_800, 140)]:
        a, b = draw(dtype, m, k, n)
        assert_same_bits_by_any_threads(f, a, b)


@pytest.mark.usefixtures("all_threads")
@pytest.mark.parametrize("dtype", DTYPES)
def test_few_rows_have_the_bits_that_they_have_among_many(dtype: str, target: str) -> None:
    """With few rows threads share out the depth, and what they sum up is added in order."""
    f = compiled(dtype)
    for rows, depth, columns in [(2, 300, 200), (20, 784, 500), (31, 1000, 333), (32, 4096, 130)]:
        a, b = draw(dtype, 40, depth, columns)
        bits = f(a, b)[:rows].tobytes()
        for threads in (1, 2, 7):
            config.threads = threads
            assert f(a[:rows], b).tobytes() == bits


@pytest.mark.skipif(not {*FUSING} <= {*native.targets()}, reason="needs both targets")
@pytest.mark.parametrize("dtype", DTYPES)
def test_targets_that_fuse_give_the_same_bits(dtype: str) -> None:
    for m, k, n in SHAPES:
        a, b = draw(dtype, m, k, n)
        found = []
        for name in FUSING:
            native.set_target(name)
            found.append(compiled(dtype)(a, b).tobytes())
        native.set_target("")
        assert found[0] == found[1]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [1, 2, 3, 4, 5, 7, 10])
def test_wherever_rows_begin_the_bits_are_the_same(dtype: str, columns: int, target: str) -> None:
    """Rows that lie a whole number of vectors apart are read in aligned vectors."""
    f = compiled(dtype)
    item = np.dtype(dtype).itemsize
    for rows, features, step in itertools.product([1, 9, 70], [16, 23, 31, 32, 832], [32, 832]):
        if features > step:
            continue
        x, w = draw(dtype, rows, features, columns)
        d = draw(dtype, features, rows, columns)[1]
        bits = set()
        for start in (0, 4, 8, 16, 32, 48, 60):
            room = np.full(rows * step + 128 // item, np.nan, dtype)
            first = (-room.ctypes.data % 64 + start // item * item) // item
            placed = room[first : first + rows * step].reshape(rows, step)[:, :features]
            placed[...] = x
            forward, backward = f(placed, w), f(placed.T, d)
            bits.add((forward.tobytes(), backward.tobytes()))
            assert_product(forward, x, w)
            assert_product(backward, np.ascontiguousarray(x.T), d)
        assert len(bits) == 1


BYTES = ["bool", "int8", "uint8"]
SHAPES_OF_BYTES = [
    *itertools.product([1, 2, 7, 33], [1, 2, 3, 4, 15, 17, 70], [1, 2, 5, 10]),
    (1100, 90, 11),
    (300, 2100, 3),
    (40, 60, 70),
    (0, 5, 3),
    (5, 0, 3),
]


def draw_bytes(dtype: str, *shape: int) -> Array:
    bits = np.random.default_rng(sum(shape)).integers(0, 256, shape, "uint8")
    return bits > 127 if dtype == "bool" else bits.view(dtype)


@pytest.mark.parametrize("dtype", BYTES)
def test_bytes_by_floats(dtype: str, target: str) -> None:
    x, y = T.matrix("x", dtype), T.fmatrix("y")
    f = arignote.function([x, y], T.dot(x, y))
    assert "cast" not in str(f.plan)
    for m, k, n in SHAPES_OF_BYTES:
        a, b = draw_bytes(dtype, m, k), draw("float32", m, k, n)[1]
        d = draw("float32", k, m, n)[1]
        for place in LAYOUTS:
            left = place(a)
            assert_product(f(left, b), a.astype("float32"), b)
            assert_product(f(left.T, d), a.T.astype("float32"), d)


@pytest.mark.usefixtures("all_threads")
def test_bytes_give_the_same_bits_for_any_number_of_threads(target: str) -> None:
    x, y = T.matrix("x", "uint8"), T.fmatrix("y")
    f = arignote.function([x, y], T.dot(x, y))
    for m, k, n in [(60_000, 90, 3), (3, 90_000, 70), (900, 70, 500)]:
        a, b = draw_bytes("uint8", m, k), draw("float32", m, k, n)[1]
        assert_same_bits_by_any_threads(f, a, b)


def guarded(array: Array, at_end: bool) -> Array:
    """Copy an array between two pages that cannot be read, up to one of them."""
    page = mmap.PAGESIZE
    size = (array.nbytes + page - 1) // page * page
    room = mmap.mmap(-1, size + 2 * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(room))
    for wall in (start, start + page + size):
        assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(wall), page, 0) == 0
    flat = np.frombuffer(room, array.dtype, array.size, page + (size - array.nbytes) * at_end)
    placed = flat.reshape(array.shape, order="C" if array.flags.c_contiguous else "F")
    placed[...] = array
    return placed


@pytest.mark.skipif(sys.platform != "linux", reason="protects pages as Linux does")
@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_is_read_beyond_the_operands(dtype: str, target: str) -> None:
    """Neither in one piece nor under a mask: the process would end."""
    f = compiled(dtype)
    for m, k, n in [
        (17, 19, 35),
        (31, 21, 150),
        (150, 21, 31),
        (9, 300, 33),
        (5, 3, 40),
        (70, 3, 1),
    ]:
        a, b = draw(dtype, m, k, n)
        for left, right in itertools.product([np.ascontiguousarray, by_columns], repeat=2):
            for at_end in (True, False):
                x, y = (guarded(item, at_end) for item in (left(a), right(b)))
                assert_product(f(x, y), a, b)


@pytest.mark.skipif(sys.platform != "linux", reason="protects pages as Linux does")
@pytest.mark.parametrize("dtype", BYTES)
def test_no_byte_is_read_beyond_the_operand(dtype: str, target: str) -> None:
    x, y = T.matrix("x", dtype), T.fmatrix("y")
    f = arignote.function([x, y], T.dot(x, y))
    for m, k, n in [(17, 19, 3), (31, 21, 10), (9, 300, 1), (5, 3, 2), (9, 40, 50)]:
        a = draw_bytes(dtype, m, k)
        b, d = draw("float32", m, k, n)[1], draw("float32", k, m, n)[1]
        for at_end in (True, False):
            left = guarded(a, at_end)
            assert_product(f(left, b), a.astype("float32"), b)
            assert_product(f(left.T, d), a.T.astype("float32"), d)
