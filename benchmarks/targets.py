"""Holding every contender to a SIMD target, as if the machine had no better."""

from __future__ import annotations

import os
from importlib import import_module

from arignote.run import native

_AVX2 = {
    "OPENBLAS_CORETYPE": "Haswell",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
    "NUMBA_CPU_NAME": "haswell",
    "PYTENSOR_FLAGS": "gcc__cxxflags=-march=haswell",
}


def force(target: str) -> None:
    """Force arignote's target here and in the processes started later; for AVX2 the peers', too."""
    native.set_target(target)
    os.environ["ARIGNOTE_TARGET"] = target
    if target == "avx2":
        os.environ.update(_AVX2, NPY_DISABLE_CPU_FEATURES=" ".join(_wider_than_avx2()))


def _wider_than_avx2() -> list[str]:
    """Return the groups of instructions that NumPy would otherwise choose."""
    dispatched = import_module("numpy._core._multiarray_umath").__cpu_dispatch__
    return [name for name in dispatched if name.startswith(("AVX512", "X86_V4"))]
