"""Plans moved to the device that tests emulate."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from arignote import _core
from helpers.spec import Spec, SpecBuilder
from helpers.values import Array

# What tests/cuda runs on: emulated, or cuda for the machine's device.
TESTED_DEVICE = os.environ.get("ARIGNOTE_TEST_DEVICE", "emulated")
if TESTED_DEVICE not in ("emulated", "cuda"):
    raise ValueError(f"ARIGNOTE_TEST_DEVICE must be emulated or cuda: {TESTED_DEVICE}")

# In which blocks, and the threads of a block, come to run. One is enough for who looks at memory.
ORDERS = [
    "forward",
    pytest.param("backward", marks=pytest.mark.slow),
    pytest.param("shuffled", marks=pytest.mark.slow),
]


def emulated() -> ModuleType:
    """Return the module of the emulated device; skips the test where it is not the tested one.

    Only with it there are a driver and libraries that can be told to fail, and orders of threads.
    """
    if TESTED_DEVICE != "emulated":
        pytest.skip("wants the emulation: its driver, its libraries or its orders of threads")
    try:
        return importlib.import_module("arignote._cuda_emulated")
    except ModuleNotFoundError:
        pytest.skip("arignote._cuda_emulated is not built: see ARIGNOTE_CUDA_EMULATED")


@contextmanager
def set_while(set_to: Callable[[int], None], number: int, usual: int) -> Iterator[None]:
    """Set a limit, and what it usually is when that is over."""
    set_to(number)
    try:
        yield
    finally:
        set_to(usual)


def shared_memory(bytes_: int) -> AbstractContextManager[None]:
    """Set what a thread block may have of shared memory, for functions that meet new shapes."""
    return set_while(emulated().set_shared_bytes, bytes_, 99 << 10)


def launches(work: Callable[[], Any]) -> int:
    """Return how many kernels some work has queued."""
    before = emulated().launches()
    work()
    return int(emulated().launches() - before)


def calls(work: Callable[[], Any]) -> dict[str, int]:
    """Return how often work asked the driver for what; on a device that cannot tell, only do it."""
    before = dict(emulated().calls()) if TESTED_DEVICE == "emulated" else {}
    work()
    return {name: count - before.get(name, 0) for name, count in emulated().calls().items()}


def moved(spec: Spec) -> Spec:
    """Return a spec with all steps on the device, its inputs and outputs brought there and back."""
    buffers = [dict(buffer) for buffer in spec["buffers"]]
    steps: list[dict[str, Any]] = []
    places: dict[int, int] = {}

    def transfer(kernel: str, source: int, **fields: Any) -> int:
        buffer = buffers[source]
        copy = {"kind": "temp", "dtype": buffer["dtype"], "shape": buffer["shape"], "storage": -1}
        buffers.append({**copy, **fields})
        target = len(buffers) - 1
        steps.append({"kernel": kernel, "inputs": [source], "outputs": [target], "device": True})
        return target

    for number, buffer in enumerate(spec["buffers"]):
        if buffer["kind"] == "input":
            places[number] = transfer("to_device", number, device=True)
        else:
            buffers[number]["device"] = True
    assert not any(buffer.get("base") in places for buffer in buffers), "a window on an input"
    steps += [
        {**step, "device": True, "inputs": [places.get(item, item) for item in step["inputs"]]}
        for step in spec["steps"]
    ]
    outputs = [transfer("to_host", number) for number in spec["outputs"]]
    return {**spec, "buffers": buffers, "steps": steps, "outputs": outputs}


def function_on(device: object, builder: SpecBuilder, *states: _core.State) -> _core.Function:
    """Return a builder's plan as a function that runs on a device and returns a list."""
    program = _core.Program(moved(builder.spec), device)
    flags = [False] * len(builder.spec["outputs"])
    return _core.Function(program, states, "list", flags, ["exact"] * program.n_inputs)


def window(builder: SpecBuilder, view: Array) -> tuple[int, Array]:
    """Return a window that lies on the device as NumPy's view does, and the argument it is on."""
    base = view
    while isinstance(base.base, np.ndarray):
        base = base.base
    source = builder.input(base.dtype.name, base.ndim)
    copy = builder.like(source)
    builder.step("copy", [source], [copy])
    shape, strides = (builder.const_dims(*item) for item in (view.shape, view.strides))
    (offset,) = builder.const_dims(_address(view) - _address(base))
    return builder.view(copy, shape, strides, offset), base


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])
