"""Devices beside the CPU: found by the names of ``config.device``, and opened when first asked for.

The module of a backend is imported by the first use of such a device, never before.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, Final

from arignote import ops
from arignote.config import DEVICE_NAME, config
from arignote.errors import DeviceError
from arignote.graph.op import Call, Op
from arignote.graph.type import TensorType
from arignote.graph.variable import SharedVariable
from arignote.plan.by_rows import body_of, does_without_host

module = "arignote._cuda"
"""The module of the backend; tests name another one here."""

_FORKED: Final = (
    "this process was forked from one that had opened a device, which CUDA does not allow; "
    'start processes by "spawn" or "forkserver"'
)
_NO_BACKEND: Final = (
    "this build of arignote has no CUDA backend; build it with "
    "`pip install . -C cmake.define.ARIGNOTE_CUDA=ON`, which needs nvcc of CUDA 12.8 or newer"
)
# By the kinds of the backend's refusals.
_REASONS: Final = {
    "driver": "there is no CUDA driver",
    "old driver": "the CUDA driver is too old",
    "device": "there is no CUDA device that works",
    "number": "there is no device of this number",
}


@dataclass(frozen=True, eq=False)
class OpenDevice:
    """A device that functions can be made for."""

    name: str
    capsule: object
    kernels: frozenset[str]
    process: int = field(default_factory=os.getpid)

    @property
    def number(self) -> int:
        return int(self.name.removeprefix("cuda"))

    def supports(self, call: Call, op: Op) -> bool:
        """Return whether it has a kernel for an op on operands of these types.

        Of rows that run together: whether it has one for each of their steps.
        """
        body = body_of(call.params)
        if body is None:
            return op.kernel in self.kernels and op.supports(call)
        return does_without_host(body) and all(
            step.op == ops.reshape_op.name or self.supports(body.call(step), step.record)
            for step in body.steps
        )


def describe(name: str) -> dict[str, Any]:
    """Return what is known of a device: its name, capability, memory and the versions.

    Versions are 1000 * major + 10 * minor; NVRTC's is None where it is not there.

    Raises
    ------
    DeviceError
        If it cannot be used, saying why.
    """
    device = open_device(name)
    found: dict[str, Any] = import_module(module).info(device.number)
    return found


def hindrance_to_tf32(device: OpenDevice) -> str | None:
    """Return why a device has no products in TF32, None if it has."""
    found: str | None = import_module(module).hindrance_to_tf32(device.number)
    return found


def allows_tf32(device: OpenDevice) -> bool:
    """Return whether a new function's float32 products may be in TF32, as ``config.allow_tf32``.

    Warns if that is set and a device does not have it.
    """
    if not config.allow_tf32:
        return False
    hindrance = hindrance_to_tf32(device)
    if hindrance is not None:
        message = f"[config] allow_tf32 has no effect on {device.name}: {hindrance}"
        warnings.warn(message, stacklevel=2)
    return hindrance is None


def compiled(name: str) -> tuple[int, list[str]]:
    """Return how many programs have been compiled for a device, and why others were refused."""
    device = open_device(name)
    found: tuple[int, list[str]] = import_module(module).compiled(device.number)
    return found


def library_folders() -> list[str]:
    """Return where NVIDIA's packages have put their libraries. None of them is imported."""
    spec = PathFinder.find_spec("nvidia")
    folders = spec.submodule_search_locations if spec is not None else None
    return [str(path) for folder in folders or () for path in sorted(Path(folder).glob("*/lib"))]


_opened: dict[tuple[str, int], OpenDevice] = {}


def open_device(name: str) -> OpenDevice:
    """Return the device of a name such as cuda, gpu or cuda1.

    Raises
    ------
    DeviceError
        If it cannot be used, saying why.
    """
    match = DEVICE_NAME.fullmatch(name)
    if match is None:
        raise DeviceError(f'[config] device="{name}": there is no such kind of device')
    number = int(match["number"] or 0)
    key = module, number
    if any(device.process != os.getpid() for device in _opened.values()):
        raise DeviceError(f'[config] device="{name}": {_FORKED}')
    if key not in _opened:
        try:
            backend: Any = import_module(module)
        except ImportError as error:
            is_missing = isinstance(error, ModuleNotFoundError) and error.name == module
            reason = _NO_BACKEND if is_missing else f"its backend cannot be loaded: {error}"
            raise DeviceError(f'[config] device="{name}": {reason}') from error
        backend.set_library_folders(library_folders())
        try:
            capsule = backend.open(number)
        except RuntimeError as error:
            kind, text = error.args if len(error.args) == 2 else ("", str(error))
            reason = f"{_REASONS[kind]}: {text}" if kind in _REASONS else text
            raise DeviceError(f'[config] device="{name}": {reason}') from error
        _opened[key] = OpenDevice(f"cuda{number}", capsule, frozenset(backend.kernels()))
    return _opened[key]


def current_device() -> OpenDevice | None:
    """Return the device that ``config.device`` names, None for the CPU."""
    if config.device != "cpu":
        # What the environment names is not open yet: this fails, or falls back, as setting it does.
        config.device = config.device
    return None if config.device == "cpu" else open_device(config.device)


def device_for_value(type_: TensorType) -> OpenDevice | None:
    """Return where a new shared variable is to lie.

    Single integers and booleans are kept by the host, which may have to read sizes from them.
    """
    is_size = type_.ndim == 0 and type_.numpy_dtype.kind in "biu"
    return None if is_size else current_device()


def device_for_function(states: Iterable[SharedVariable]) -> OpenDevice | None:
    """Return the device of a function: where its shared variables lie, or else the current one.

    Raises
    ------
    ValueError
        If they lie on several.
    """
    found = {device for state in states if (device := place_of(state)) is not None}
    if len(found) > 1:
        names = ", ".join(sorted(device.name for device in found))
        raise ValueError(f"[function] all shared variables must lie on one device: {names}")
    return found.pop() if found else current_device()


def place_of(state: SharedVariable) -> OpenDevice | None:
    """Return the device on which a shared variable lies, None for the host."""
    device: OpenDevice | None = getattr(state.container, "device", None)
    return device
