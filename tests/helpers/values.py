"""Random arrays for tests: plain numbers, the special values of each dtype, and memory layouts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import ml_dtypes
import numpy as np
import numpy.typing as npt

from arignote.graph import dtypes

Array = npt.NDArray[Any]

BLOCK: Final = 10_007

# Those of which the tables of ops try all: what is done in bfloat16 is done in float32 between two
# conversions, and has tests of its own.
DTYPES: Final = tuple(dtype for dtype in dtypes.ALL if dtype != "bfloat16")


def kind_of(dtype: str) -> str:
    """Return the letter for the kind of a dtype."""
    return dtypes.kind_of(np.dtype(dtype))


def float_specials(dtype: str) -> Array:
    """Return the values of a float dtype at which functions break."""
    info = ml_dtypes.finfo(dtype)
    edges: list[Any] = [np.nan, np.inf, 0.0, 1.0, 0.5, 1.5, 2.5, 2.0, 3.0, np.pi / 2, 1e-3, 30.0]
    edges += [
        88.8,
        104.0,
        709.9,
        745.2,
        1e4,
        info.smallest_subnormal,
        info.tiny,
        info.eps,
        info.max,
    ]
    edges += [1 - info.eps / 2, 1 + info.eps, 0.5 - info.eps / 4]
    with np.errstate(over="ignore"):
        positive = np.array(edges, "float64").astype(dtype)
    return np.concatenate([positive, -positive])


def specials(dtype: str) -> Array:
    """Return the special values of a dtype."""
    kind = kind_of(dtype)
    if kind == "f":
        return float_specials(dtype)
    if kind == "c":
        part = np.array([0.0, -0.0, 1.0, -2.5, np.inf, np.nan], np.zeros(1, dtype).real.dtype)
        with np.errstate(invalid="ignore"):
            return (part[:, None] + 1j * part).ravel().astype(dtype)
    if kind == "b":
        return np.array([False, True])
    info = np.iinfo(dtype)
    small = [k for k in (-3, -2, -1, 0, 1, 2, 3, 7, 64) if k >= info.min]
    return np.array([*small, info.min, info.min + 1, info.max // 2, info.max - 1, info.max], dtype)


class Values:
    """Random arrays of any dtype.

    With ``special`` a third of the elements are special values; ``scale`` multiplies the number of
    elements of what :meth:`lengths` gives shapes for.
    """

    def __init__(self, seed: int, special: bool = False, scale: int = 1) -> None:
        self.rng = np.random.default_rng(seed)
        self.special = special
        self.scale = scale

    def specials(self, dtype: str) -> Array:
        """Return the special values of a dtype."""
        return specials(dtype)

    def lengths(self, *small: int) -> tuple[int, ...]:
        """Return lengths in the proportions of the given ones."""
        factor = round(self.scale ** (1 / len(small)))
        return tuple(length * factor for length in small)

    def __call__(self, dtype: str, *shape: int) -> Array:
        """Return an array; a large one repeats itself after a prime number of elements."""
        if np.prod(shape) > BLOCK:
            return np.resize(self(dtype, BLOCK), shape)
        plain = self.plain(dtype, shape)
        if not self.special:
            return plain
        chosen = self.rng.choice(specials(dtype), shape)
        return np.where(self.rng.random(shape) < 0.3, chosen, plain).astype(dtype)

    def plain(self, dtype: str, shape: tuple[int, ...]) -> Array:
        """Return numbers of mixed magnitudes."""
        kind = kind_of(dtype)
        if kind == "b":
            return self.rng.random(shape) < 0.5
        if kind in "iu":
            info = np.iinfo(dtype)
            wide = self.rng.integers(info.min, info.max, shape, dtype, endpoint=True)
            near = self.rng.integers(0 if kind == "u" else -9, 10, shape).astype(dtype)
            return np.where(self.rng.random(shape) < 0.5, wide, near)
        if kind == "c":
            return (self.reals(shape) + 1j * self.reals(shape)).astype(dtype)
        return self.reals(shape).astype(dtype)

    def reals(self, shape: tuple[int, ...]) -> Array:
        """Return normally distributed numbers of mixed scales."""
        scales = self.rng.choice([1e-3, 1.0, 1.0, 20.0], shape)
        return np.asarray(self.rng.normal(size=shape) * scales)

    def below(self, length: int, *shape: int, dtype: str = "int64") -> Array:
        """Return indices of a dimension; half of the signed ones count from the end."""
        first = 0 if np.dtype(dtype).kind == "u" else -length
        return self.rng.integers(first, length, shape).astype(dtype)


# --- memory layouts: each gives an equal array that lies in memory in its own way


def _strided(array: Array) -> Array:
    base: Array = np.zeros([2 * length + 1 for length in array.shape], array.dtype)
    view = base[tuple(slice(1, None, 2) for _ in array.shape)]
    view[...] = array
    return view


def _reversed(array: Array) -> Array:
    flip = tuple(slice(None, None, -1) for _ in array.shape)
    base: Array = np.ascontiguousarray(array[flip])
    return base[flip]


def _transposed(array: Array) -> Array:
    base: Array = np.ascontiguousarray(array.T)
    return np.asarray(base.T)


def _rotated(array: Array) -> Array:
    """The middle axes outermost, with gaps between rows, the first one innermost and reversed."""
    order = (*range(1, array.ndim), 0)
    moved = array.transpose(order)
    base: Array = np.zeros((*moved.shape[:-1], moved.shape[-1] + 3), array.dtype)
    view: Array = base[..., moved.shape[-1] : 0 : -1]
    view[...] = moved
    return np.asarray(view.transpose(np.argsort(order)))


def _offset(array: Array) -> Array:
    """Contiguous, one element after the start of a bigger buffer."""
    base = np.zeros(array.size + 3, array.dtype)
    view = base[1 : array.size + 1].reshape(array.shape)
    view[...] = array
    return view


def _unaligned(array: Array) -> Array:
    """At an address that is not a multiple of the item size."""
    base = np.zeros(array.nbytes + 1, "uint8")
    view = base[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


LAYOUTS: Final[dict[str, Callable[[Array], Array]]] = {
    "contiguous": np.ascontiguousarray,
    "transposed": _transposed,
    "strided": _strided,
    "reversed": _reversed,
    "rotated": _rotated,
    "offset": _offset,
    "unaligned": _unaligned,
}


def lay_out(array: Array, layout: str) -> Array:
    """Return an equal array in the given layout; scalars have only one."""
    if array.ndim == 0 or (layout == "unaligned" and array.dtype.itemsize == 1):
        return array
    result = LAYOUTS[layout](array)
    assert result.shape == array.shape
    assert result.dtype == array.dtype
    return result
