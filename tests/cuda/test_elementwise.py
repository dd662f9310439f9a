"""Elementwise programs on the emulated device, beside the CPU's."""

from __future__ import annotations

import numpy as np
import pytest

from arignote.run import native
from helpers.backend import backend_module
from helpers.emulated import function_on
from helpers.random_programs import RandomProgram, axes_of, random_shape
from helpers.spec import SpecBuilder
from helpers.values import Array, Values

# How far the device's functions, the host's in the emulation, may be from the CPU's, in units in
# the last place of a result.
ULP = 8


def tables() -> dict[str, list[tuple[tuple[str, ...], str]]]:
    found: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for name, operands, result in native.block_table():
        found.setdefault(name, []).append((operands, result))
    return found


def apart(found: Array, wanted: Array, scale: Array | float = 0) -> Array:
    """Return which elements are further apart than two good implementations of a function.

    ``scale`` is what terms that cancel sum up to.
    """
    if found.dtype == wanted.dtype == "bfloat16":  # which is only converted
        return (found != wanted) & ~(np.isnan(found) & np.isnan(wanted))
    if wanted.dtype.kind != "f":
        return found != wanted
    info = np.finfo(wanted.dtype)
    size = np.maximum(np.abs(wanted.astype("float64")), scale)
    bound = size * (ULP * float(info.eps) / 2) + float(info.smallest_subnormal)
    near = np.abs(found.astype("float64") - wanted) <= bound
    return ~(near | (found == wanted) | (np.isnan(found) & np.isnan(wanted)))


@pytest.mark.parametrize("name", sorted(tables()))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_every_operation_equals_the_cpus(name: str) -> None:
    device = backend_module().open(0)
    values = Values(len(name), special=True)
    for operands, result in tables()[name]:
        builder = SpecBuilder()
        inputs = [builder.input(dtype, 1) for dtype in operands]
        out = builder.like(inputs[0], result)
        sources = list(range(len(operands)))
        builder.elementwise(inputs, [(name, result, sources)], [(out, len(operands), "", 0)])
        builder.output(out)
        arrays = [values(dtype, 777) for dtype in operands]
        (found,) = function_on(device, builder)(*arrays)
        wanted = builder.function()(*arrays)
        wrong = apart(found, wanted)
        assert not wrong.any(), (
            operands,
            *(array[wrong][:3] for array in (*arrays, found, wanted)),
        )


@pytest.mark.parametrize("seed", range(20))
def test_random_programs_equal_numpy(device: object, seed: int) -> None:
    rng = np.random.default_rng(seed)
    program = RandomProgram(rng, random_shape(rng))
    results = program.run(lambda builder: function_on(device, builder))
    for found, wanted in zip(results, program.expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8", "uint64", "bool"])
@pytest.mark.parametrize(
    "shape", [(1,), (140_000,), (3, 9_001), (9_001, 3), (67, 61), (41, 130), (1_300, 40)]
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_every_reduction_equals_the_cpus(
    device: object, dtype: str, shape: tuple[int, ...]
) -> None:
    array = Values(3)(dtype, *shape)
    for name, operand, _, result in native.reduction_table():
        if operand != dtype:
            continue
        for mask in range(1, 1 << len(shape)):
            builder = SpecBuilder()
            x = builder.input(dtype, len(shape))
            lengths = builder.shape_of(x)
            kept = [length for axis, length in enumerate(lengths) if not mask >> axis & 1]
            out = builder.temp(result, kept)
            builder.elementwise([x], [], [(out, 0, name, mask)])
            builder.output(out)
            (found,) = function_on(device, builder)(array)
            wanted = np.asarray(builder.function()(array))
            axes = axes_of(mask, len(shape))
            scale = np.abs(array.astype("float64")).sum(axes) if name == "sum" else 0
            if name == "prod":
                # Each factor rounds.
                scale = np.abs(wanted.astype("float64")) * array.size
            wrong = apart(found, wanted, scale)
            assert not wrong.any(), (name, mask, found, wanted)
