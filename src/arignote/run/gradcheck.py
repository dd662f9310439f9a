"""Holding a gradient against finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from arignote import ops
from arignote.autodiff import grad
from arignote.errors import GradientError
from arignote.graph.dtypes import Array
from arignote.graph.type import tensor_type
from arignote.graph.variable import Variable
from arignote.run.function import function
from arignote.run.mode import Mode

# By dtype: step of the central difference, and the error that is due to it and to rounding.
_STEPS = {"bfloat16": 3e-1, "float16": 1e-1, "float32": 1e-3, "float64": 1e-6}
_TOLERANCES = {"bfloat16": 3e-1, "float16": 1e-1, "float32": 1e-2, "float64": 1e-5}


def verify_grad(
    fun: Callable[..., Variable],
    pt: Sequence[Any],
    n_tests: int = 2,
    rng: Any = None,
    eps: float | None = None,
    out_type: str | None = None,
    abs_tol: float | None = None,
    rel_tol: float | None = None,
    mode: Mode | str | None = None,
    cast_to_output_type: bool = False,
) -> None:
    """Compare the gradient of a function with finite differences at a point.

    The output is projected on random vectors, so that every element of the Jacobian counts with a
    weight of its own; the derivative is taken along random directions.

    Parameters
    ----------
    fun
        From symbolic arguments to a variable.
    pt
        Arrays of floats, one for each argument.
    n_tests
        Number of random projections.
    rng
        A ``numpy.random.RandomState`` or ``Generator``; a fixed one by default.
    eps
        Step of the central difference; by dtype, 1e-6 for float64.
    out_type
        The dtype the output must have.
    abs_tol, rel_tol
        Allowed absolute and relative error; by dtype, 1e-5 for float64. Both must be exceeded to
        fail.
    mode
        How to run.
    cast_to_output_type
        Whether to cast the arguments to the output's dtype first.

    Raises
    ------
    GradientError
        If the two differ, with both values.
    TypeError
        If an argument is not of floats.

    Examples
    --------
    >>> import arignote.tensor as T
    >>> verify_grad(lambda x: T.tanh(x) ** 2, [np.array([0.3, -0.2])])
    """
    points = [np.asarray(point) for point in pt]
    for position, point in enumerate(points):
        if point.dtype.name not in _STEPS:
            raise TypeError(
                f"[verify_grad] pt[{position}] must be an array of floats: {point.dtype}"
            )
    generator = np.random.RandomState(12345) if rng is None else rng
    arguments = [tensor_type(point.dtype.name, point.ndim).make_variable() for point in points]
    output = fun(*arguments)
    if cast_to_output_type:
        points = [point.astype(output.dtype) for point in points]
    if out_type is not None and output.dtype != out_type:
        raise TypeError(f"[verify_grad] the output must have dtype {out_type}: {output.dtype}")
    weights = tensor_type(output.dtype, output.ndim).make_variable()
    cost = ops.sum_(ops.mul(ops.pad_left(weights, output.ndim), output))
    value = function([*arguments, weights], cost, mode=mode, name="projection")
    gradient = function(
        [*arguments, weights],
        grad(cost, arguments, disconnected_inputs="ignore"),
        mode=mode,
        name="gradient",
        on_unused_input="ignore",
    )
    shape = function(arguments, output, mode=mode)(*points).shape
    narrow = min((item.dtype.name for item in points), key=list(_STEPS).index, default="float64")
    step = _STEPS[narrow] if eps is None else eps
    tolerance = _TOLERANCES[narrow]
    limits = (
        tolerance if abs_tol is None else abs_tol,
        tolerance if rel_tol is None else rel_tol,
    )
    for _ in range(n_tests):
        weight = np.asarray(generator.uniform(0.5, 1.5, shape), output.dtype)
        directions = [generator.uniform(-1, 1, point.shape) for point in points]
        _compare(value, gradient, points, directions, weight, step, limits)


def _compare(
    value: Callable[..., Array],
    gradient: Callable[..., Sequence[Array]],
    points: Sequence[Array],
    directions: Sequence[Array],
    weight: Array,
    step: float,
    limits: tuple[float, float],
) -> None:
    def moved(sign: float) -> float:
        shifted = [
            (point + sign * step * direction).astype(point.dtype)
            for point, direction in zip(points, directions, strict=True)
        ]
        return float(value(*shifted, weight))

    numeric = (moved(1) - moved(-1)) / (2 * step)
    parts = gradient(*points, weight)
    symbolic = float(sum(np.sum(p * d) for p, d in zip(parts, directions, strict=True)))
    error = abs(numeric - symbolic)
    relative = error / max(abs(numeric) + abs(symbolic), 1e-300)
    if not (error <= limits[0] or relative <= limits[1]):
        raise GradientError(
            f"[verify_grad] the derivative along a random direction must be {numeric!r} (finite "
            f"differences with step {step}): the gradient gives {symbolic!r}, an error of "
            f"{error:.3g} "
            f"({relative:.3g} relative)"
        )
