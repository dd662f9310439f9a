"""bfloat16, which is a dtype of NumPy's once the package ml_dtypes is imported."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np


@cache
def bfloat16_dtype() -> np.dtype[Any]:
    """Return bfloat16 as NumPy's object; ImportError says what must be installed for it.

    >>> bfloat16_dtype()
    dtype(bfloat16)
    """
    try:
        from ml_dtypes import bfloat16  # optional, and only for who uses it
    except ImportError:
        raise ImportError(
            "[dtype] for bfloat16 the package ml_dtypes must be installed "
            "(pip install 'arignote[bfloat16]'), and it is not"
        ) from None
    dtype: np.dtype[Any] = np.dtype(bfloat16)
    return dtype
