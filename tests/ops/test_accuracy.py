"""Functions in float32 against the same in float64, which is exact beside them."""

from __future__ import annotations

import numpy as np
import pytest

from arignote import ops
from arignote.graph.op import OPS
from arignote.graph.type import tensor_type
from arignote.run.function import function
from helpers.values import Array

FUNCTIONS = {
    name: op.scalar
    for name, op in OPS.items()
    if isinstance(op, ops.ElementwiseOp) and op.accuracy.ulp and len(op.arguments) == 1
}
# In units in the last place: formulas of several roundings, and all others.
BOUNDS = {"sigmoid": 2.5, "softplus": 2.5}
BOUND = 1.7


def evaluate(name: str, value: Array) -> Array:
    x = tensor_type(value.dtype.name, 1).make_variable("x")
    return np.asarray(function([x], OPS[name](x))(value))


def arguments() -> Array:
    """Return numbers of all magnitudes, and many where functions bend."""
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 1 << 32, 30_000, dtype="uint32").view("float32")
    near = [rng.normal(size=30_000) * scale for scale in (1e-3, 0.1, 1, 10)]
    bits = bits[np.isfinite(bits)]
    return np.concatenate([item.astype("float32") for item in (bits, *near, 1 + near[0])])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_float32_is_accurate(name: str, target: str) -> None:
    x = arguments()
    with np.errstate(all="ignore"):
        exact = FUNCTIONS[name](x.astype("float64"))
        found = evaluate(name, x)
        limits = np.finfo("float32")
        inside = (np.abs(exact) >= limits.tiny) & (np.abs(exact) < limits.max)
        error = np.abs(found - exact)[inside] / np.spacing(np.abs(exact[inside]).astype("float32"))
    worst = int(np.argmax(error))
    assert error[worst] <= BOUNDS.get(name, BOUND), x[inside][worst]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logarithms_of_powers_are_exact(dtype: str, target: str) -> None:
    twos = np.arange(-140, 128)
    assert np.array_equal(evaluate("log2", np.ldexp(np.ones(1, dtype), twos)), twos)
    tens = np.arange(11)
    assert np.array_equal(evaluate("log10", np.asarray(10.0**tens, dtype)), tens)
