"""Every op, on every SIMD target, in every dtype and memory layout, against its NumPy reference."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

import helpers.samples_other  # noqa: F401 (completes SAMPLES)
from arignote import ops
from arignote.graph import dtypes
from arignote.graph.op import OPS
from arignote.run import native
from arignote.run.compare import compare
from arignote.run.function import Function
from arignote.run.mode import Mode
from helpers.evaluate import expected
from helpers.samples import SAMPLES, Sample, dtypes_of, samples_of
from helpers.values import LAYOUTS, Array, Values, lay_out

PLAIN = Mode(optimizer=None)
Case = tuple[str, Sample, list[Array], list[Array]]

# NumPy's own choice between zeros of different signs depends on the machine, and sums start at zero
# or at their first term.
ANY_ZERO = {"maximum", "minimum", "clip", "max", "min"}
ANY_ZERO |= {name for name, op in OPS.items() if op.accuracy.sums}

# What runs as its NumPy reference, on the host: these ops always,
ALWAYS_ON_HOST = {"real", "imag", "conj", "print", "map_rows", "classic", "classic_lengths"}
# transfers, which are steps of a device,
ALWAYS_ON_HOST |= {"to_device", "to_host"}
# conversions to what no kernel knows,
ALWAYS_ON_HOST |= {"cast_complex64", "cast_complex128"}
# and in these dtypes whatever does not only move elements, or only if it adds to them,
HOST_DTYPES = {"float16", "complex64", "complex128"}
MOVING = {
    *("alloc", "broadcast_like", "copy", "diagonal", "dimshuffle", "ifelse", "join", "rebroadcast"),
    *("reshape", "shape", "shape_i", "specify_shape", "subtensor", "take", "pick"),
    *("consider_constant", "disconnected_grad", "grad_clip", "zero_grad"),
}
UPDATES = {"put", "place", "slice_update"}
# or takes float16: it converts it, or takes one number at a time. So does nonzero, but how many
# there are is found by a comparison.
TAKING_HALVES = {"dot", *UPDATES, "arange"} | {n for n in OPS if n.startswith("cast_")}
# These take halves if weights are float32.
WEIGHTED = {"nll_gradient", "nll_with_gradient"}


@cache
def cases(name: str, special: bool) -> list[Case]:
    """Return an op's calls with their results and the allowed errors."""
    op = OPS[name]
    return [
        (f"{name} {dtype} {sample.label}", sample, *expected(sample))
        for dtype in dtypes_of(op)
        for sample in samples_of(op, Values(len(name), special), dtype)
    ]


def layouts_of(call: Function, best: bool) -> Iterator[str]:
    """Steps on the host do not see the layout; targets differ only in how they meet alignment."""
    if all(step.host for step in call.plan.steps):
        yield "contiguous"
    else:
        yield from LAYOUTS if best else ("contiguous", "offset", "reversed")


def other_zero(found: Array, wanted: Array) -> bool:
    """Return whether a zero has the wrong sign."""
    if found.dtype.kind != "f":
        return False
    zeros = (found == 0) & (wanted == 0)
    return bool(np.any(zeros & (np.signbit(found) != np.signbit(wanted))))


def difference(name: str, found: Array, wanted: Array, bound: Array) -> str | None:
    """Return in words how a result differs from its reference, None if it does not."""
    text = compare(found, wanted, bound)
    if text is None and name not in ANY_ZERO and other_zero(found, wanted):
        return "a zero has the wrong sign"
    return text


def test_every_op_has_samples() -> None:
    missing = [
        name
        for name, op in OPS.items()
        if name not in SAMPLES and not isinstance(op, ops.ElementwiseOp)
    ]
    assert missing == []
    assert [name for name in SAMPLES if name not in OPS] == []
    for name, op in OPS.items():
        assert any(samples_of(op, Values(0), dtype) for dtype in dtypes_of(op)), name


@pytest.mark.parametrize("special", [False, True], ids=["plain", "special"])
@pytest.mark.parametrize("name", OPS)
def test_native_equals_reference(name: str, special: bool, target: str) -> None:
    problems = []
    for label, sample, wanted, bounds in cases(name, special):
        call = sample.function(PLAIN)
        for layout in layouts_of(call, target == native.targets()[0]):
            found = call(*(lay_out(array, layout) for array in sample.arrays))
            for got, want, bound in zip(found, wanted, bounds, strict=True):
                text = difference(name, got, want, bound)
                if text is not None:
                    problems.append(f"{label} {layout}: {text}")
    assert not problems, "\n".join([f"{len(problems)} differences", *problems[:10]])


@pytest.mark.parametrize("name", OPS)
def test_results_have_the_types_of_the_graph(name: str) -> None:
    for label, sample, wanted, _ in cases(name, False):
        for output, value in zip(sample.graph()[1], wanted, strict=True):
            assert (value.dtype.name, value.ndim) == (output.dtype, output.ndim), label
            for length, broadcastable in zip(value.shape, output.broadcastable, strict=True):
                assert length == 1 or not broadcastable, label


@pytest.mark.parametrize("name", OPS)
def test_check_mode_accepts_what_kernels_compute(name: str) -> None:
    for label, sample, _, _ in cases(name, True):
        try:
            sample.function(Mode("check", optimizer=None))(*sample.arrays)
        except AssertionError as error:
            pytest.fail(f"{label}: {error}")


@pytest.mark.parametrize("name", OPS)
def test_what_runs_on_the_host(name: str) -> None:
    op = OPS[name]
    hosted = set()
    for dtype in dtypes_of(op):
        plans = [sample.function(PLAIN).plan for sample in samples_of(op, Values(0), dtype)]
        flags = {any(step.host for step in plan.steps) for plan in plans if plan.steps}
        sometimes = name in UPDATES and dtype in dtypes.COMPLEXES
        sometimes |= name in WEIGHTED and dtype in dtypes.HALVES
        assert len(flags) == 1 + sometimes or not flags, f"{name} {dtype} runs on {flags}"
        if True in flags:
            hosted.add(dtype)
    if name in ALWAYS_ON_HOST:
        assert hosted == set(dtypes_of(op))
    else:
        native = HOST_DTYPES if name in MOVING else {"float16"} if name in TAKING_HALVES else set()
        assert hosted == (HOST_DTYPES - native) & set(dtypes_of(op))
