"""NVRTC takes the source of every operation and reduction, where it is: it needs no device."""

from __future__ import annotations

from ctypes.util import find_library
from pathlib import Path

import pytest

from arignote.run.devices import library_folders
from helpers.emulated import emulated, function_on
from helpers.programs_compiled import operation_parts, operations, reductions

# The oldest and the newest of those that are supported.
CAPABILITIES = [75, 120]


def library() -> str:
    """Return NVRTC; skips the test where it is not."""
    for folder in library_folders():
        for path in sorted(Path(folder).glob("libnvrtc.so.*")):
            return str(path)
    found = find_library("nvrtc")
    if found is None:
        pytest.skip("NVRTC is not here: pip install nvidia-cuda-nvrtc")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nvrtc_compiles_every_program(capability: int) -> None:
    nvrtc = library()
    device = emulated()
    dtypes = "bool", "int16", "uint32", "int64", "float16", "float32", "float64"
    programs = [
        *map(operations, operation_parts()),
        # Few enough for several elements at once.
        *(operations(slice(first, first + 4)) for first in range(0, 160, 40)),
        *reductions((3, 30_001), 0b10, *dtypes),
        *reductions((301, 257), 0b01, *dtypes),
    ]
    device.set_compiler("broken")
    try:
        for builder, arrays in programs:
            function_on(device.open(0), builder)(*arrays)
        sources = device.sources()
    finally:
        device.set_compiler("none")
    assert len(sources) == len(programs)
    assert any("kCount = 1;" not in source for source in sources)
    for source in sources:
        size, log = device.compile_for(nvrtc, source, capability)
        assert log == ""
        assert size > 0
