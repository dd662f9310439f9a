"""How much memory a call takes at its peak, as the system counts it for the whole process."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path

from arignote.run import native

_STATUS = Path("/proc/self/status")
_MARKS = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


def peak_of(call: Callable[[], object]) -> int | None:
    """Return the largest resident size during a call, or None where the system does not say."""
    try:
        _MARKS.write_text(_RESET_PEAK)
    except OSError:
        return None
    call()
    return _status("VmHWM")


def at_rest() -> int:
    """Return the resident size once all is given back that the process can do without."""
    gc.collect()
    native.release_memory()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    return _status("VmRSS")


def _status(name: str) -> int:
    """Return a size that the system knows of this process."""
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) << 10
