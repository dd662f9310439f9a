"""Random elementwise programs, whose results are exact whatever the order of their additions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from arignote import _core
from helpers.spec import SpecBuilder

Array = npt.NDArray[Any]

REDUCTIONS = {"sum": np.sum, "max": np.max, "min": np.min, "prod": np.prod}


def integers(rng: np.random.Generator, shape: tuple[int, ...], dtype: str = "float64") -> Array:
    return rng.integers(-8, 9, shape).astype(dtype)


def random_layout(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    """An array of the shape: dense, transposed, reversed, with gaps, or constant along an axis."""
    order = rng.permutation(len(shape))
    steps = [int(rng.choice([1, 1, 2, -1, -3])) for _ in shape]
    padded = [abs(step) * max(length, 1) for step, length in zip(steps, shape, strict=True)]
    base = integers(rng, tuple(padded[axis] for axis in order), dtype)
    view = base.transpose(np.argsort(order))
    view = view[tuple(slice(None, None, step) for step in steps)]
    view = view[tuple(slice(0, length) for length in shape)]
    assert view.shape == shape
    if shape and rng.random() < 0.2:
        axis = int(rng.integers(len(shape)))
        view = np.broadcast_to(view[(slice(None),) * axis + (slice(0, 1),)], shape)
    return view


def axes_of(mask: int, ndim: int) -> tuple[int, ...]:
    return tuple(axis for axis in range(ndim) if mask >> axis & 1)


def kept_shape(shape: tuple[int, ...], mask: int) -> tuple[int, ...]:
    return tuple(length for axis, length in enumerate(shape) if not mask >> axis & 1)


def random_shape(rng: np.random.Generator) -> tuple[int, ...]:
    ndim = int(rng.integers(0, 5))
    limit = {0: 1, 1: 5000, 2: 120, 3: 30, 4: 9}[ndim]
    return tuple(int(rng.choice([1, 2, 3, rng.integers(1, limit + 1)])) for _ in range(ndim))


class RandomProgram:
    """(x + y) * x, and the like, with any outputs; runs natively and in NumPy."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, ...]) -> None:
        self.shape = shape
        dtypes = ["float64", "float32", "float16", "int32", "uint8"]
        self.dtypes = [str(rng.choice(dtypes)) for _ in range(3)]
        self.arrays = []
        for dtype in self.dtypes:
            own = tuple(1 if rng.random() < 0.15 else length for length in shape)
            self.arrays.append(random_layout(rng, own, dtype))
        self.builder = SpecBuilder()
        self.inputs = [self.builder.input(dtype, len(shape)) for dtype in self.dtypes]
        self.full = [self.builder.dim("const", n) for n in np.broadcast_shapes(*self.shapes())]
        self.instructions: list[tuple[str, str, list[int]]] = []
        self.values: list[Array] = []
        for register in range(3):
            self.emit("cast", "float64", [register])
        for _ in range(int(rng.integers(1, 6))):
            name = str(rng.choice(["add", "sub", "maximum", "neg", "mul", "sqr"]))
            # Products of sums would soon not be exact.
            registers = 3 if name in ("mul", "sqr") else len(self.values)
            arity = 1 if name in ("neg", "sqr") else 2
            self.emit(name, "float64", [3 + int(rng.integers(registers)) for _ in range(arity)])
        self.outputs: list[tuple[int, int, str, int]] = []
        self.expected: list[Array] = []
        for _ in range(int(rng.integers(1, 4))):
            self.add_output(rng)

    def shapes(self) -> list[tuple[int, ...]]:
        return [array.shape for array in self.arrays]

    def emit(self, name: str, dtype: str, sources: list[int]) -> None:
        operands = [self.arrays[r] if r < 3 else self.values[r - 3] for r in sources]
        operation = {
            "cast": lambda x: x.astype(dtype),
            "add": np.add,
            "sub": np.subtract,
            "maximum": np.maximum,
            "neg": np.negative,
            "mul": np.multiply,
            "sqr": np.square,
        }[name]
        self.instructions.append((name, dtype, sources))
        self.values.append(operation(*operands))

    def add_output(self, rng: np.random.Generator) -> None:
        shape = np.broadcast_shapes(*self.shapes())
        register = 3 + int(rng.integers(len(self.values)))
        value = np.broadcast_to(self.values[register - 3], shape)
        name = str(rng.choice(["", "sum", "max", "min"]))
        mask = int(rng.integers(1 << len(shape))) if name else 0
        if name in ("max", "min") and 0 in (shape[axis] for axis in axes_of(mask, len(shape))):
            name = "sum"
        kept = [register for axis, register in enumerate(self.full) if not mask >> axis & 1]
        self.outputs.append((self.builder.temp("float64", kept), register, name, mask))
        if name:
            value = REDUCTIONS[name](value, axis=axes_of(mask, len(shape)))
        self.expected.append(np.asarray(value))

    def run(self, make: Callable[[SpecBuilder], _core.Function] | None = None) -> list[Array]:
        """Return the results of the function that `make` makes of the plan, the CPU's if none."""
        self.builder.elementwise(self.inputs, self.instructions, self.outputs)
        self.builder.output(*(buffer for buffer, *_ in self.outputs))
        function = self.builder.function(returns="list") if make is None else make(self.builder)
        return list(function(*self.arrays))
