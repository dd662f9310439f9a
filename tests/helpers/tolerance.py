"""How closely results agree with NumPy's, in units in the last place (ULP)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FORMULA = 8  # a handful of rounded operations, in another order
SUMMED = 64  # sums of some dozen terms, in another order


def assert_ulp(actual: npt.ArrayLike, expected: npt.ArrayLike, ulp: int) -> None:
    """Hold each element within ``ulp`` ULP of the expected one; what is not finite must agree."""
    found, wanted = np.asarray(actual), np.asarray(expected)
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
    if wanted.dtype.kind not in "fc":
        np.testing.assert_array_equal(found, wanted)
        return
    finite = np.isfinite(wanted)
    np.testing.assert_array_equal(found[~finite], wanted[~finite])
    distance = np.abs(found[finite] - wanted[finite])
    excess = distance / (ulp * np.spacing(np.abs(wanted[finite])))
    assert not excess.size or np.max(excess) <= 1, (
        f"{np.max(excess):.3g} times the permitted distance: {found!r}, expected {wanted!r}"
    )
