"""The seeds in PyTensor: the very programs that arignote runs."""

from __future__ import annotations

from functools import partial
from importlib import import_module

from arignote.bench.seeds import Dialect

LINKERS = {"PyTensor C": "CVM", "PyTensor Numba": "NUMBA"}


def dialect(contender: str, uses_blas: bool = False) -> Dialect:
    """Return PyTensor with the linker that a contender is named by.

    Raises
    ------
    ImportError
        PyTensor is not installed, or its C code has no BLAS and would look slower than it is.
    """
    pytensor = import_module("pytensor")
    tensor = import_module("pytensor.tensor")
    mode = LINKERS[contender]
    if uses_blas and mode == "CVM" and not pytensor.config.blas__ldflags:
        raise ImportError("it finds no BLAS: set PYTENSOR_FLAGS=blas__ldflags=-lopenblas")
    return Dialect(
        tensor,
        partial(pytensor.function, mode=mode),
        pytensor.shared,
        pytensor.grad,
        partial(tensor.special.softmax, axis=-1),
    )
