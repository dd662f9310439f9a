"""How many kernels the emulated device is asked to run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from helpers.emulated import emulated


def launches(work: Callable[[], Any]) -> int:
    """Return the number of kernels that work has launched or recorded."""
    before = emulated().launches()
    work()
    return int(emulated().launches() - before)
