"""The device that tests of the CUDA backend run on: the emulated one, or the machine's."""

from __future__ import annotations

import importlib
from contextlib import AbstractContextManager
from types import ModuleType

from helpers.emulated import TESTED_DEVICE, emulated, set_while


def backend_module() -> ModuleType:
    """Return the backend's module; skips the test where that is emulated and not built."""
    return importlib.import_module("arignote._cuda") if TESTED_DEVICE == "cuda" else emulated()


def set_order(order: str) -> None:
    """Choose in which order threads come to run; skips the test where that cannot be chosen."""
    if TESTED_DEVICE == "emulated" or order != "forward":
        emulated().set_order(order)


def block_bytes(bytes_: int) -> AbstractContextManager[None]:
    """Set what the temporaries of a block of rows may take, for functions that meet new shapes."""
    return set_while(backend_module().set_block_bytes, bytes_, 512 << 20)
