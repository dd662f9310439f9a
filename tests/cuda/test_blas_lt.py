"""Products by cuBLASLt: when the device's kernel uses it, and that it is used as it must be."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote import _core
from arignote.config import config
from arignote.cuda.__main__ import main
from arignote.run import devices
from arignote.run.function import Function
from helpers.backend import block_bytes
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

LIBRARY = "libcublasLt.so.13"
OLD_LIBRARY = "libcublasLt.so.12"

# Each just large enough, (m, k, n).
SHAPES = [(256, 256, 256), (17, 993, 994), (994, 993, 17), (1024, 16, 1024)]

# A device keeps the library that it has found, so a test takes one that none has had before.
_numbers = itertools.count(10)


@pytest.fixture
def blas() -> Iterator[ModuleType]:
    """The module of the emulated device, with cuBLASLt, and devices enough."""
    module = emulated()
    module.set_devices(1000, 13000)
    module.set_libraries({LIBRARY: []})
    yield module
    module.mend()
    module.set_libraries({})
    module.set_library_folders([])
    module.set_devices(2, 13000)


@pytest.fixture
def number(blas: ModuleType) -> int:
    """The number of a new device."""
    return next(_numbers)


@pytest.fixture
def device(blas: ModuleType, number: int) -> object:
    return blas.open(number)


def count(module: ModuleType, call: str = "cublasLtMatmul") -> int:
    """Return how often cuBLASLt has been called."""
    return int(module.calls().get(call, 0))


# --- which products, and what comes of them


@pytest.mark.parametrize("dtype", [*FLOATS, *HALVES])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_large_products(
    blas: ModuleType, device: object, dtype: str, shape: tuple[int, int, int]
) -> None:
    m, k, n = shape
    a, b = draw(dtype, m, k), draw(dtype, k, n)
    before = count(blas)
    assert_product(product_on(device, a, b), a, b)
    assert count(blas) == before + 1


@pytest.mark.parametrize(
    ("left", "right", "shape"),
    [
        ("float32", "float32", (256, 255, 256)),
        ("float64", "float64", (16, 1025, 1025)),
        ("float64", "float64", (1025, 1025, 16)),
        ("float32", "float32", (300, 0, 300)),
        ("float16", "float16", (256, 255, 256)),
        ("uint8", "float32", (256, 256, 256)),
        ("int32", "int32", (256, 256, 256)),
    ],
)
def test_other_products_are_by_kernels_of_our_own(
    blas: ModuleType, device: object, left: str, right: str, shape: tuple[int, int, int]
) -> None:
    m, k, n = shape
    a, b = draw(left, m, k), draw(right, k, n)
    before = count(blas)
    found = product_on(device, a, b)
    assert count(blas) == before
    if right == "int32":
        np.testing.assert_array_equal(found, np.dot(a, b))
    else:
        assert_product(found, a.astype(right), b)


def row_by_row(matrix: Array) -> Array:
    return matrix


def column_by_column(matrix: Array) -> Array:
    return lay_out(matrix, "transposed")


def apart(matrix: Array) -> Array:
    """Return a matrix of which each row begins at a multiple of 16 bytes."""
    rows, columns = matrix.shape
    base = np.ones((rows, columns // 16 * 16 + 32), matrix.dtype)
    base[:, 16 : 16 + columns] = matrix
    return base[:, 16 : 16 + columns]


def columns_apart(matrix: Array) -> Array:
    return apart(matrix.T).T


def askew(matrix: Array) -> Array:
    """Return a matrix that begins at one of the first 16 bytes' later elements."""
    base = np.ones((matrix.shape[0] + 1, matrix.shape[1] + 1), matrix.dtype)
    base[1:, 1:] = matrix
    return base[1:, 1:]


READABLE = [row_by_row, column_by_column, apart, columns_apart, askew]


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [
        *[(dtype, (100, 421, 400)) for dtype in (*FLOATS, *HALVES)],
        ("float32", (401, 1, 42_000)),
    ],
)
def test_rows_or_columns_may_lie_apart(
    blas: ModuleType, device: object, dtype: str, shape: tuple[int, int, int]
) -> None:
    m, k, n = shape
    a, b = draw(dtype, m, k), draw(dtype, k, n)
    wanted = product_on(device, a, b)
    for left, right in zip(READABLE, [*READABLE[1:], READABLE[0]], strict=True):
        before = count(blas)
        found = product_of_windows(device, left(a), right(b))
        np.testing.assert_array_equal(found, wanted)
        assert count(blas) == before + 1


@pytest.mark.parametrize("layout", ["strided", "reversed", "repeated"])
def test_elements_that_lie_otherwise_are_for_kernels_of_our_own(
    blas: ModuleType, device: object, layout: str
) -> None:
    a, b = draw("float32", 100, 420), draw("float32", 420, 401)
    is_repeated = layout == "repeated"
    view = np.broadcast_to(a[:1].copy(), a.shape) if is_repeated else lay_out(a, layout)
    before = count(blas)
    assert_product(product_of_windows(device, view, b), view, b)
    assert count(blas) == before


def test_what_no_algorithm_is_for_is_for_kernels_of_our_own(
    blas: ModuleType, device: object
) -> None:
    a, b = draw("float32", 100, 420), draw("float32", 420, 400)
    blas.set_libraries({LIBRARY: []}, least_alignment=16)
    for place, products in [(apart, 1), (askew, 0)]:
        before = count(blas)
        assert_product(product_of_windows(device, place(a), place(b)), a, b)
        assert count(blas) == before + products
    blas.set_libraries({LIBRARY: []}, least_alignment=1000)
    before = count(blas)
    assert_product(product_on(device, a, b), a, b)
    assert count(blas) == before


@pytest.mark.parametrize("dtype", [*FLOATS, *HALVES])
def test_blocks_add_to_a_sum(blas: ModuleType, device: object, dtype: str) -> None:
    is_half = dtype in HALVES
    a, b = draw(dtype, 300, 363), draw(dtype, 363, 520)
    wide_a, wide_b = (item.astype("float32") if is_half else item for item in (a, b))
    parts = [product_on(device, wide_a[:, i : i + 122], wide_b[i : i + 122]) for i in (0, 122, 244)]
    before, found = count(blas), []
    kernels = launches(lambda: found.append(product_by_blocks(device, 122, a, b)))
    # Sums of halves are float32, and rounded by a kernel of our own behind the last block.
    assert (kernels, count(blas)) == (is_half, before + 3)
    np.testing.assert_array_equal(found[0], (parts[0] + parts[1] + parts[2]).astype(dtype))


def test_kernels_of_our_own_add_to_the_same_sum(blas: ModuleType, device: object) -> None:
    # The second of three blocks begins at no multiple of 16 bytes.
    a, b = draw("float32", 300, 364), draw("float32", 364, 520)
    blas.set_libraries({LIBRARY: []}, least_alignment=16)
    before, found = count(blas), []
    kernels = launches(lambda: found.append(product_by_blocks(device, 122, a, b)))
    assert (kernels, count(blas)) == (2, before + 2)
    assert_product(found[0], a, b)


def test_a_function_chooses_once(blas: ModuleType, device: object) -> None:
    builder = SpecBuilder()
    builder.output(dot(builder, builder.input("float32", 2), builder.input("float32", 2)))
    function = function_on(device, builder)
    a, b = draw("float32", 256, 256), draw("float32", 256, 256)
    first = function(a, b)[0]
    before = blas.calls()
    np.testing.assert_array_equal(function(a, b)[0], first)
    after = blas.calls()
    called = {call for call in after if after[call] != before.get(call)}
    entering = {"use_device", "current_device"}
    assert called == {*entering, "copy", "synchronise", "cublasLtMatmul"}
    assert after["cublasLtMatmul"] == before["cublasLtMatmul"] + 1


# --- failures


def updated(device: object, state: _core.State, in_place: bool = False) -> _core.Function:
    """Return a function that puts the product of some rows and a matrix into a state."""
    builder = SpecBuilder()
    x, chosen, b = (builder.input(*item) for item in [("float32", 2), ("int64", 1), ("float32", 2)])
    memory = builder.state("float32", 2)
    (length,), (_, width) = builder.shape_of(chosen), builder.shape_of(x)
    rows = builder.temp("float32", [length, width])
    builder.step("take", [x, chosen], [rows], ints=[1])
    product = builder.like(memory, storage=memory if in_place else -1)
    builder.step("dot", [rows, b], [product])
    builder.update(memory, product)
    return function_on(device, builder, state)


def test_behind_a_fault_states_stay_as_they_were(blas: ModuleType, device: object) -> None:
    state = _core.State(np.ones((256, 256), "float32"), device=device)
    function = updated(device, state)
    x, b = draw("float32", 256, 256), draw("float32", 256, 256)
    chosen = np.arange(256)[::-1].copy()
    before = count(blas)
    chosen[7] = 256
    with pytest.raises(IndexError, match="position 7, value 256, other 256"):
        function(x, chosen, b)
    # It cannot know, so its product must not be written there.
    assert count(blas) == before + 1
    np.testing.assert_array_equal(state.array, np.ones((256, 256)))
    chosen[7] = 255 - 7
    function(x, chosen, b)
    assert_product(state.array, x[::-1], b)
    with pytest.raises(RuntimeError, match=r"\(dot\) must not write on a device"):
        updated(device, state, in_place=True)


# And how often each is called for a product.
CALLS = {
    "cublasLtCreate": 1,
    "cublasLtMatmulDescCreate": 1,
    "cublasLtMatmulDescSetAttribute": 2,
    "cublasLtMatrixLayoutCreate": 3,
    "cublasLtMatmulPreferenceCreate": 2,
    "cublasLtMatmulPreferenceSetAttribute": 12,
    "cublasLtMatmulAlgoGetHeuristic": 2,
    "cublasLtMatmul": 1,
}


def of_columns(device: object, state: _core.State) -> _core.Function:
    """Return a function that puts the product of two matrices' transposes into a state."""
    builder = SpecBuilder()
    memory = builder.state("float32", 2)
    nothing, item = builder.const_dims(0, 4)
    windows = []
    for source in (builder.input("float32", 2), builder.input("float32", 2)):
        copy = builder.like(source)
        builder.step("copy", [source], [copy])
        rows, columns = builder.shape_of(source)
        strides = [item, builder.dim("mul", columns, item)]
        windows.append(builder.view(copy, [columns, rows], strides, nothing))
    builder.update(memory, dot(builder, *windows))
    return function_on(device, builder, state)


@pytest.mark.parametrize(
    ("call", "after"), sorted({(call, n) for call, many in CALLS.items() for n in (0, many - 1)})
)
def test_any_call_may_fail(blas: ModuleType, device: object, call: str, after: int) -> None:
    state = _core.State(np.ones((256, 260), "float32"), device=device)
    function = of_columns(device, state)
    x, y = draw("float32", 264, 256), draw("float32", 260, 264)
    if after > 0 or call != "cublasLtCreate":
        # The library is the device's by then.
        product_on(device, x.T.copy(), y.T.copy())
        gc.collect()
    before = blas.blas_objects()
    for error, raised in [
        (13, pytest.raises(RuntimeError, match="cuBLASLt says CUBLAS_STATUS_EXECUTION_FAILED")),
        (3, pytest.raises(MemoryError)),
    ]:
        blas.let_fail(call, after, error)
        with raised:
            function(x, y)
        blas.mend()
        np.testing.assert_array_equal(state.array, np.ones((256, 260)))
    # Only a function that has been laid out keeps what describes its product.
    assert blas.blas_objects() == before + (4 if call == "cublasLtMatmul" else 0)
    function(x, y)
    assert_product(state.array, x.T, y.T)


def test_functions_leave_nothing_behind(blas: ModuleType, device: object) -> None:
    a, b = draw("float32", 256, 256), draw("float32", 256, 256)
    product_on(device, a, b)
    gc.collect()
    objects = blas.blas_objects()
    product_on(device, a, b)
    gc.collect()
    assert blas.blas_objects() == objects


# --- the library


@pytest.mark.parametrize(
    ("libraries", "driver", "version"),
    [
        ({}, 13000, "not found"),
        ({LIBRARY: []}, 13000, "13.10.0"),
        ({LIBRARY: [], OLD_LIBRARY: []}, 13000, "13.10.0"),
        ({LIBRARY: [], OLD_LIBRARY: []}, 12080, "12.8.5"),
        ({LIBRARY: []}, 12080, "not found"),
        ({LIBRARY: ["cublasLtMatmul"], OLD_LIBRARY: []}, 13000, "12.8.5"),
        ({LIBRARY: ["cublasLtGetVersion"]}, 13000, "not found"),
        ({f"/second/{LIBRARY}": [], OLD_LIBRARY: []}, 13000, "13.10.0"),
        ({f"/third/{LIBRARY}": []}, 13000, "not found"),
    ],
)
def test_the_newest_that_the_driver_runs_is_taken(
    blas: ModuleType, number: int, libraries: dict[str, list[str]], driver: int, version: str
) -> None:
    blas.set_devices(1000, driver)
    blas.set_libraries(libraries)
    blas.set_library_folders(["/first", "/second"])
    assert blas.info(number)["cublaslt"] == version


def test_what_is_loaded_comes_first(blas: ModuleType) -> None:
    blas.set_libraries({f"/b/{LIBRARY}": [], LIBRARY: ["cublasLtMatmul"]})
    blas.set_library_folders(["/b"])
    assert blas.info(next(_numbers))["cublaslt"] == "13.10.0"
    blas.set_library_folders([])
    assert blas.info(next(_numbers))["cublaslt"] == "13.10.0"


def test_info_says_why_it_is_not_used(blas: ModuleType, number: int) -> None:
    blas.let_fail("cublasLtCreate", error=13)
    text = "cuBLASLt says CUBLAS_STATUS_EXECUTION_FAILED"
    assert blas.info(number)["cublaslt"] == text
    blas.let_fail("cublasLtCreate", error=3)
    assert blas.info(number)["cublaslt"] == "there is no memory for it"


def test_libraries_of_packages_are_found(
    blas: ModuleType,
    number: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "nvidia" / "cu13" / "lib"
    folder.mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(devices, "module", blas.__name__)
    blas.set_libraries({str(folder / LIBRARY): []})
    assert main(["info", "--device", f"cuda{number}"]) == 0
    assert "cublaslt: 13.10.0" in capsys.readouterr().out


# --- whole programs


def layer(rows: int = 256) -> tuple[Function, Any]:
    """Return a training step on minibatches of a shared matrix, and its weights."""
    x, index = T.fmatrix("x"), T.lscalar("index")
    images = theano.shared(draw("float32", 1024, 300) / 100)
    w = theano.shared(draw("float32", 300, 300) / 100)
    cost = T.sqr(T.tanh(T.dot(x, w)) - 0.1).mean()
    updates = [(w, w - np.float32(100) * T.grad(cost, w))]
    part = slice(index * rows, (index + 1) * rows)
    return theano.function([index], cost, updates=updates, givens={x: images[part]}), w


def test_a_layer_learns_as_on_the_cpu(
    blas: ModuleType, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "module", blas.__name__)
    f, w = layer()
    costs = [f(i) for i in range(4)]
    before = count(blas)
    with config.changed(device=f"cuda{number}"):
        g, v = layer()
        found = [g(i) for i in range(4)]
    # Forward, and the gradient by the weights.
    assert count(blas) == before + 8
    np.testing.assert_allclose(found, costs, rtol=1e-5)
    np.testing.assert_allclose(v.get_value(), w.get_value(), rtol=1e-4, atol=1e-6)


def test_products_may_be_kept_in_a_graph(
    blas: ModuleType, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "module", blas.__name__)
    with config.changed(device=f"cuda{number}"):
        (one, w), (many, v) = layer(), layer()
    costs = [one(i) for i in (0, 3, 1, 2)]
    before = count(blas)
    np.testing.assert_array_equal(many.map(np.array([0, 3, 1, 2])), costs)
    np.testing.assert_array_equal(v.get_value(), w.get_value())
    # Those of the first turn, and those that all others replay.
    assert count(blas) == before + 4


def test_sums_over_blocks_may_be_kept_in_a_graph(
    blas: ModuleType, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "module", blas.__name__)
    with config.changed(device=f"cuda{number}"):
        (one, w), (many, v) = layer(512), layer(512)
    with block_bytes(256 * 300 * 4):
        before = count(blas)
        costs = [one(i) for i in (0, 1, 0)]
        # Two blocks, and two products of each.
        assert count(blas) == before + 3 * 4
        np.testing.assert_array_equal(many.map(np.array([0, 1, 0])), costs)
    np.testing.assert_array_equal(v.get_value(), w.get_value())
    assert count(blas) == before + 3 * 4 + 2 * 4
