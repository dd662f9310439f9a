"""Holding every contender to a SIMD target, as if the machine had no better."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from arignote.run import native

_AVX2 = {
    "OPENBLAS_CORETYPE": "Haswell",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "TORCHINDUCTOR_CPP_MARCH": "haswell",
    "NUMBA_CPU_NAME": "haswell",
    # Those of the machine, unless some are named.
    "NUMBA_CPU_FEATURES": "+avx2,+fma",
}
# PyTensor would take code compiled for other flags from its cache: it gets another one.
_PYTENSOR_AVX2 = "gcc__cxxflags=-march=haswell,compiledir_format=haswell_%(python_version)s"
# Copies of memory and searches in the C library.
_GLIBC_AVX2 = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW"


def force(target: str) -> None:
    """Force arignote's target here and in the processes started later; for AVX2 the peers', too."""
    native.set_target(target)
    os.environ["ARIGNOTE_TARGET"] = target
    if target == "avx2":
        os.environ.update(_AVX2, NPY_DISABLE_CPU_FEATURES=" ".join(_wider_than_avx2()))
        _append("XLA_FLAGS", " ", _xla_flags())
        _append("PYTENSOR_FLAGS", ",", _PYTENSOR_AVX2)
        _append("GLIBC_TUNABLES", ":", _GLIBC_AVX2)


def _append(name: str, separator: str, settings: str) -> None:
    """Add settings to a variable that may hold others of the user's; the last ones count."""
    os.environ[name] = f"{os.environ.get(name, '')}{separator}{settings}".lstrip(separator)


def _xla_flags() -> str:
    """Return flags that XLA knows; it refuses to run with others."""
    flags = "--xla_cpu_max_isa=AVX2"
    # YNNPACK, which makes its products, looks at the processor itself. Eigen's call oneDNN.
    return f"{flags} --xla_cpu_experimental_ynn_fusion_type=" if _has_ynnpack() else flags


def _has_ynnpack() -> bool:
    try:
        release = version("jaxlib").split(".")
    except PackageNotFoundError:
        return False
    return (int(release[0]), int(release[1])) >= (0, 10)


def _wider_than_avx2() -> list[str]:
    """Return the groups of instructions that NumPy would otherwise choose."""
    dispatched = import_module("numpy._core._multiarray_umath").__cpu_dispatch__
    return [name for name in dispatched if name.startswith(("AVX512", "X86_V4"))]
