"""Elementwise programs that are compiled, beside the interpreter: the same bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.run.devices import library_folders
from helpers.emulated import emulated, function_on
from helpers.programs_compiled import LENGTH, Program, operation_parts, operations, reductions
from helpers.values import Values


@pytest.fixture
def device() -> Iterator[ModuleType]:
    """The module of the emulated device, which compiles nothing before and after."""
    module = emulated()
    module.set_compiler("none")
    yield module
    module.set_compiler("none")
    module.set_order("forward")


def run(program: Program) -> list[bytes]:
    builder, arrays = program
    call = function_on(emulated().open(0), builder)
    return [np.asarray(found).tobytes() for found in call(*arrays)]


def assert_same_bits(device: ModuleType, call: Callable[[], list[bytes]], compiled: int) -> None:
    wanted = call()
    device.set_compiler("host")
    for order in ("forward", "shuffled"):
        device.set_order(order)
        found = call()
        assert device.compiled(0) == (compiled, [])
        same = [got == want for got, want in zip(found, wanted, strict=True)]
        assert same == [True] * len(wanted)


def parts() -> list[Any]:
    """Return what programs there are of operations; two are enough for who looks at memory."""
    return [
        pytest.param(part, marks=[pytest.mark.slow] if number > 1 else [])
        for number, part in enumerate(operation_parts())
    ]


@pytest.mark.parametrize("part", parts())
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_every_operation_has_the_interpreters_bits(device: ModuleType, part: slice) -> None:
    program = operations(part)
    assert_same_bits(device, lambda: run(program), 1)


# Along rows, with several chunks of each; along columns.
@pytest.mark.parametrize(("shape", "mask"), [((3, 30_001), 0b10), ((301, 257), 0b01)])
def test_every_reduction_has_the_interpreters_bits(
    device: ModuleType, shape: tuple[int, int], mask: int
) -> None:
    programs = list(reductions(shape, mask, "float32", "float16", "int8", "uint64", "bool"))

    def call() -> list[bytes]:
        return [found for program in programs for found in run(program)]

    assert_same_bits(device, call, len(programs))


def shared(dtype: str, *shape: int) -> Any:
    return theano.shared(Values(len(shape))(dtype, *shape))


def misaligned() -> list[Any]:
    x, y, z = shared("float32", LENGTH + 1), shared("uint8", LENGTH), shared("float32")
    return [x[1:] * y + z]


def broadcast() -> list[Any]:
    x, row, column = shared("float32", 260, 256), shared("float32", 256), shared("float32", 260, 1)
    return [(x - row) * T.addbroadcast(column, 1)]


def odd_rows() -> list[Any]:
    return [shared("float64", 261, 253) * shared("float64", 253)]


def transposed() -> list[Any]:
    return [shared("float32", 260, 256).T + shared("float32", 256, 260)[::-1, ::-1]]


def several_axes() -> list[Any]:
    x = shared("float32", 40, 64, 41).dimshuffle(2, 0, 1)
    x *= shared("float32", 41, 64).dimshuffle(0, "x", 1)
    return [T.sum(x, axis=(0, 2)), T.max(x, axis=(0, 2))]


def beside_elements() -> list[Any]:
    x = T.sqr(shared("float32", 40, 1700))
    return [x, T.sum(x, axis=1), T.mean(x)]


# With how many elements a thread takes, where nothing is reduced, and how many kernels there are.
LAYOUTS = [
    (misaligned, 4, 1),
    (broadcast, 4, 1),
    (odd_rows, 1, 1),
    (transposed, 1, 1),
    (several_axes, 1, 1),
    (beside_elements, 1, 2),
]


@pytest.mark.parametrize(("build", "count", "kernels"), LAYOUTS)
def test_every_layout_has_the_interpreters_bits(
    on_device: None,
    device: ModuleType,
    build: Callable[[], list[Any]],
    count: int,
    kernels: int,
) -> None:
    outputs = build()

    def call() -> list[bytes]:
        return [np.asarray(found).tobytes() for found in theano.function([], outputs)()]

    assert_same_bits(device, call, kernels)
    assert f"kCount = {count};" in device.sources()[0]


# --- what is compiled


def doubled(length: int) -> Any:
    x = shared("float64", length)
    return theano.function([], x + x)()


def test_a_small_program_is_not_compiled(on_device: None, device: ModuleType) -> None:
    device.set_compiler("host")
    doubled(1000)
    assert device.compiled(0) == (0, [])


def test_a_program_is_compiled_once_for_all_lengths(on_device: None, device: ModuleType) -> None:
    device.set_compiler("host")
    for length in (LENGTH, 2 * LENGTH, LENGTH):
        doubled(length)
    assert device.compiled(0) == (1, [])


@pytest.mark.parametrize(
    ("compiler", "refused"),
    [
        ("none", []),
        ("broken", ["this compiler is broken"]),
        ("strange", ["unknown error"]),  # the driver's
    ],
)
def test_what_cannot_be_compiled_is_interpreted(
    on_device: None, device: ModuleType, compiler: str, refused: list[str]
) -> None:
    device.set_compiler(compiler)
    wanted = 2 * Values(1)("float64", LENGTH)
    for _ in range(2):
        np.testing.assert_array_equal(doubled(LENGTH), wanted)
    assert device.compiled(0) == (0, refused)


def test_libraries_are_sought_where_wheels_put_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "nvidia" / "cu13" / "lib"
    folder.mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert str(folder) in library_folders()


def test_what_is_not_nvrtc_is_not_taken_for_it(device: ModuleType) -> None:
    assert device.compile_for("/nowhere/libnvrtc.so.13", "", 75) is None
    assert device.compile_for(device.__file__, "", 75) is None
