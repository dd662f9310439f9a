"""The device that tests of the CUDA backend run on: the emulated one, or the machine's."""

from __future__ import annotations

import importlib
from types import ModuleType

from helpers.emulated import TESTED_DEVICE, emulated


def backend_module() -> ModuleType:
    """Return the backend's module; skips the test where that is emulated and not built."""
    return importlib.import_module("arignote._cuda") if TESTED_DEVICE == "cuda" else emulated()


def set_order(order: str) -> None:
    """Choose in which order threads come to run; skips the test where that cannot be chosen."""
    if TESTED_DEVICE == "emulated" or order != "forward":
        emulated().set_order(order)
