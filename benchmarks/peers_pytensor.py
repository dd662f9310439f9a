"""The seeds in PyTensor: the very programs that arignote runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from arignote.bench.dialect import Dialect

C, UNCHECKED, NUMBA = "PyTensor C", "PyTensor C, checks off", "PyTensor Numba"
CHECKED = (C, NUMBA)
CONTENDERS = (C, UNCHECKED, NUMBA)
"""Those for steps whose arguments are arrays, as what checks nothing must be given."""

# What PyTensor's C code calls; SciPy's BLAS has them under names of its own.
_ROUTINES = [f"{kind}{name}_" for kind in "sd" for name in ("gemm", "gemv", "ger", "dot", "axpy")]


def dialect(contender: str, uses_blas: bool = True) -> Dialect:
    """Return PyTensor with the linker that a contender is named by.

    Raises
    ------
    ImportError
        PyTensor is not installed, or its C code has no BLAS and would look slower than it is.
    """
    _link_blas()
    pytensor = import_module("pytensor")
    tensor = import_module("pytensor.tensor")
    if uses_blas and contender != NUMBA and not pytensor.config.blas__ldflags:
        raise ImportError("no BLAS for its C code: set PYTENSOR_FLAGS=blas__ldflags=-lopenblas")
    return Dialect(
        tensor,
        partial(_function, pytensor, contender),
        pytensor.shared,
        pytensor.grad,
        partial(tensor.special.softmax, axis=-1),
    )


def _function(pytensor: Any, contender: str, *arguments: Any, **options: Any) -> Callable[..., Any]:
    mode = "NUMBA" if contender == NUMBA else "CVM"
    function: Any = pytensor.function(*arguments, **options, mode=mode)
    # Arguments are taken to be arrays of the right types.
    function.trust_input = contender == UNCHECKED
    compiled: Callable[..., Any] = function
    return compiled


def _link_blas() -> None:
    """Name the BLAS that comes with SciPy to PyTensor, before it is imported, unless there is one.

    It is an OpenBLAS, of which PyTensor finds only those that are installed for C programs.
    """
    flags = os.environ.get("PYTENSOR_FLAGS", "")
    library = _blas_of_scipy()
    if library is None or "blas__ldflags" in flags:
        return
    name = library.name.removeprefix("lib").removesuffix(".so")
    renamed = [f"-D{routine}=scipy_{routine}" for routine in _ROUTINES]
    linked = " ".join([f"-L{library.parent}", f"-l{name}", *renamed])
    os.environ["PYTENSOR_FLAGS"] = f"{flags},blas__ldflags={linked}".lstrip(",")


def _blas_of_scipy() -> Path | None:
    package = Path(import_module("scipy").__file__ or "").parent
    return next(package.with_name("scipy.libs").glob("libscipy_openblas-*.so"), None)
