"""The emulated device itself: what kernels may rely on, and which mistakes of theirs it finds.

Its kernels are in ``fake/emulation_kernels.cpp``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from helpers.emulated import emulated
from helpers.values import Array

ORDERS = ["forward", "backward", "shuffled"]

INVALID_CONFIGURATION = 9  # of cudaError_t

SHAPES = [(1, 1), (1, 32), (3, 64), (2, 256)]


@pytest.fixture(params=ORDERS)
def device(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """The module of the device, whose threads come to run in each order."""
    module = emulated()
    module.set_order(request.param)
    yield module
    module.set_order("forward")


def launch(device: ModuleType, kernel: str, numbers: Array, **grid: Any) -> Array:
    error, found = device.launch(kernel, numbers.ravel().tolist(), **grid)
    assert error == 0
    return np.reshape(found, numbers.shape)


def places(blocks: int, threads: int) -> Array:
    return np.arange(blocks * threads).reshape(blocks, threads)


@pytest.mark.parametrize(("blocks", "threads"), [*SHAPES, (2, 37)])
def test_barriers_let_threads_see_what_all_have_written(
    device: ModuleType, blocks: int, threads: int
) -> None:
    grid = {"blocks": blocks, "threads": threads, "has_barriers": True}
    given = places(blocks, threads)
    found = launch(device, "exchange", np.zeros_like(given), **grid)
    np.testing.assert_array_equal(found, given[:, ::-1])
    found = launch(
        device, "exchange_dynamic", np.zeros_like(given), shared_bytes=8 * threads, **grid
    )
    np.testing.assert_array_equal(found, given[:, ::-1])


def test_every_barrier_of_a_loop_counts(device: ModuleType) -> None:
    threads = 48
    found = launch(
        device, "double_in_turns", np.zeros(threads, "int64"), threads=threads, has_barriers=True
    )
    np.testing.assert_array_equal(found, (np.arange(threads) + 20) % threads * 2**20)


@pytest.mark.parametrize(("blocks", "threads"), SHAPES[1:])
def test_shuffles_add_up_a_warp(device: ModuleType, blocks: int, threads: int) -> None:
    given = places(blocks, threads)
    found = launch(
        device,
        "shuffle",
        np.zeros_like(given),
        blocks=blocks,
        threads=threads,
        has_barriers=True,
    )
    warps = given.reshape(-1, 32)
    np.testing.assert_array_equal(found.reshape(-1, 32)[:, 0], warps.sum(axis=1))


def test_shuffles_take_values_of_any_size_and_none_from_another_warp(device: ModuleType) -> None:
    threads = 64
    found = launch(
        device, "shuffle_sizes", np.zeros(threads, "int64"), threads=threads, has_barriers=True
    )
    lanes, warps = np.arange(threads) % 32, np.arange(threads) // 32 * 32

    def shuffled(values: Array, by: int) -> Array:
        beyond = lanes + by >= 32
        return np.where(beyond, values, values[(np.arange(threads) + by) % threads])

    bytes_ = shuffled(lanes + warps, 1)
    numbers = shuffled(shuffled(lanes + warps, 2), 3)
    np.testing.assert_array_equal(found, bytes_ + 100 * numbers)


def test_shuffles_take_the_value_of_any_thread_of_the_warp(device: ModuleType) -> None:
    given = places(2, 64)
    found = launch(
        device, "shuffle_back", np.zeros_like(given), blocks=2, threads=64, has_barriers=True
    )
    np.testing.assert_array_equal(
        found.reshape(-1, 32), given.reshape(-1, 32)[:, ::-1], strict=True
    )


def test_a_block_learns_what_holds_for_any_of_its_threads(device: ModuleType) -> None:
    given = places(6, 50)
    grid = {"blocks": 6, "threads": 50, "has_barriers": True}
    found = launch(device, "look_for_hundreds", np.zeros_like(given), **grid)
    np.testing.assert_array_equal(found[:, 0], [11, 0, 11, 0, 11, 0])
    assert (found == found[:, :1]).all()


def test_copies_are_there_when_a_thread_has_waited_for_them(device: ModuleType) -> None:
    threads = 40
    given = np.stack([np.arange(1, threads + 1), np.arange(threads) + 50], axis=1)
    found = launch(device, "copy_in_groups", given, threads=threads, shared_bytes=16 * threads)
    np.testing.assert_array_equal(found[:, 0], 100 * given[:, 0] - 1)
    np.testing.assert_array_equal(found[:, 1], 100 * given[:, 0] + given[:, 1])


def test_warps_do_not_wait_for_each_other_to_shuffle(device: ModuleType) -> None:
    threads = 256
    found = launch(
        device, "shuffle_unevenly", np.zeros(threads, "int64"), threads=threads, has_barriers=True
    )
    warps = np.arange(threads) // 32
    np.testing.assert_array_equal(found, warps * 32 + warps)


def test_threads_and_blocks_come_in_the_order_that_is_set() -> None:
    module = emulated()
    blocks, threads = 5, 7
    found = {}
    for order in ORDERS:
        module.set_order(order)
        numbers = np.zeros(1 + blocks * threads, "int64")
        noted = launch(module, "note_order", numbers, blocks=blocks, threads=threads)
        found[order] = noted[1:].tolist()
    module.set_order("forward")
    assert found["forward"] == list(range(blocks * threads))
    assert found["backward"] == found["forward"][::-1]
    assert found["shuffled"] not in (found["forward"], found["backward"])
    assert sorted(found["shuffled"]) == found["forward"]
    with pytest.raises(ValueError, match="order must be forward, backward or shuffled: up"):
        module.set_order("up")


def test_atomic_extremes(device: ModuleType) -> None:
    found = launch(device, "find_extremes", np.zeros(2, "int64"), blocks=4, threads=50)
    np.testing.assert_array_equal(found, [-100, 299])


@pytest.mark.parametrize(
    "grid",
    [
        {"blocks": 0},
        {"blocks": -1},
        {"blocks": 2**31},
        {"threads": 0},
        {"threads": 257},
        {"shared_bytes": 227 * 1024 + 1},
    ],
    ids=str,
)
def test_grids_that_no_device_takes_run_nothing(grid: dict[str, int]) -> None:
    error, numbers = emulated().launch("note_order", [0] * 300, **grid)
    assert error == INVALID_CONFIGURATION
    assert numbers == [0] * 300


def ends_the_process(kernel: str, **grid: Any) -> str:
    """Return what a process says that runs a kernel and ends by it."""
    emulated()
    call = (
        "import arignote._cuda_emulated as device\n"
        f"device.launch({kernel!r}, [0] * 300, **{grid!r})\n"
    )
    done = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    return done.stderr


@pytest.mark.parametrize("kernel", ["miss_barrier", "miss_shuffle", "mix_barriers"])
@pytest.mark.parametrize("threads", [32, 64])
def test_threads_that_do_not_meet_are_found(kernel: str, threads: int) -> None:
    said = ends_the_process(kernel, threads=threads, has_barriers=True)
    assert "the threads of a block must meet at one barrier" in said


def test_copies_that_begin_between_their_multiples_are_found() -> None:
    said = ends_the_process("copy_astride", shared_bytes=64)
    assert "a copy must begin at a multiple of its bytes" in said


def test_barriers_that_the_launch_does_not_tell_of_are_found() -> None:
    said = ends_the_process("exchange", threads=2)
    assert "must be launched as one with barriers" in said


@pytest.mark.skipif(
    "libasan" not in os.environ.get("LD_PRELOAD", ""), reason="needs the address sanitizer"
)
@pytest.mark.parametrize("kernel", ["overrun_array", "overrun_dynamic"])
@pytest.mark.parametrize("has_barriers", [False, True])
def test_what_lies_beyond_shared_memory_is_found(kernel: str, has_barriers: bool) -> None:
    said = ends_the_process(kernel, threads=9, has_barriers=has_barriers, shared_bytes=64)
    assert "heap-buffer-overflow" in said
