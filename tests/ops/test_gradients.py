"""The gradient of every op, against central differences in float64."""

from __future__ import annotations

import pytest

import helpers.samples_other  # noqa: F401 (completes SAMPLES)
from arignote.graph.op import OPS
from helpers.derivatives import Projection, Smooth, gradient_sample
from helpers.samples import Sample, dtypes_of, samples_of

NO_GRADIENT = {
    *("elementwise", "map_rows", "by_rows", "nll_with_gradient", "dot_tf32"),
    *("to_device", "to_host"),
}
# Held against other things than difference quotients, in tests of their own.
OTHERWISE = {
    *("disconnected_grad", "zero_grad", "consider_constant", "grad_clip"),  # by intention
    *("cast_float16", "cast_bfloat16", "cast_float32"),  # the differences are lost in rounding
    *("cast_complex64", "cast_complex128", "conj"),  # no real cost
    "clip",  # has no derivative by bounds that cross
    "nonzero",  # the number of elements may change
}
DIFFERENTIABLE = [
    name for name, op in OPS.items() if op.gradient is not None and name not in OTHERWISE
]


def samples_for(name: str) -> list[Sample]:
    op = OPS[name]
    if "float64" not in dtypes_of(op):
        return []
    return samples_of(op, Smooth(len(name), name), "float64")


def test_which_ops_have_no_gradient() -> None:
    assert {name for name, op in OPS.items() if op.gradient is None} == NO_GRADIENT


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradient_equals_difference_quotient(name: str) -> None:
    for sample in samples_for(name):
        Projection(sample).check()


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_second_order_equals_difference_quotient(name: str) -> None:
    for sample in samples_for(name):
        Projection(gradient_sample(sample), seed=6).check()


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_forward_derivative_equals_gradient(name: str) -> None:
    for sample in samples_for(name):
        Projection(sample).check_forward()
