"""Code for a wide SIMD target may not hide in a function that the linker shares between targets.

A template of the standard library that is instantiated inside Highway's per-target part becomes a
weak symbol full of AVX code under a name that baseline code uses too. The linker keeps one copy,
and an older CPU dies in it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OBJECTS = sorted(ROOT.glob("build/*/cpp/CMakeFiles/arignote_core.dir/kernels/*.o"))

SECTION = re.compile(r"^Disassembly of section \.text(?:\.\w+)?\.(_Z\w+):$")
AVX_INSTRUCTION = re.compile(r"\tv[a-z0-9]+ .*%[xyz]mm")
PER_TARGET_NAME = re.compile(r"\d+N_(?:AVX|SSE|NEON|SCALAR|EMU)")


def shared_functions_with_avx(disassembly: str) -> Iterator[str]:
    function: str | None = None
    for line in disassembly.splitlines():
        if line.startswith("Disassembly of section"):
            section = SECTION.match(line)
            shared = section is not None and not PER_TARGET_NAME.search(section[1])
            function = section[1] if section and shared else None
        elif function is not None and AVX_INSTRUCTION.search(line):
            yield function
            function = None


@pytest.mark.skipif(not OBJECTS, reason="no build tree in build/")
@pytest.mark.skipif(shutil.which("objdump") is None, reason="needs objdump")
@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: f"{path.parents[4].name}-{path.name}")
def test_no_shared_function_holds_avx_code(path: Path) -> None:
    command = ["objdump", "--disassemble", "--no-show-raw-insn", str(path)]
    disassembly = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert list(shared_functions_with_avx(disassembly)) == []


def test_the_check_finds_such_code() -> None:
    disassembly = """
Disassembly of section .text._ZSt3maxIfERKT_S2_S2_:
   0:\tvmovss (%rdi),%xmm0
Disassembly of section .text._ZN8arignote6N_AVX23addEv:
   0:\tvaddps %ymm0,%ymm1,%ymm2
Disassembly of section .text._ZSt3minIfERKT_S2_S2_:
   0:\tmovss (%rdi),%xmm0
"""
    assert list(shared_functions_with_avx(disassembly)) == ["_ZSt3maxIfERKT_S2_S2_"]
