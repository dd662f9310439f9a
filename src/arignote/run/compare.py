"""Comparing a native step with its NumPy reference, within the accuracy that its op states.

For a program the allowed error of each result follows from that of its instructions: every register
carries a bound, and an instruction passes on what its inputs' bounds make of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from arignote.graph import dtypes
from arignote.graph.dtypes import Array
from arignote.graph.op import Call, Op, Params, op_named
from arignote.graph.type import TensorType
from arignote.ops.program import Instruction, Program, Result
from arignote.ops.reduce import prod_op
from arignote.plan import reference
from arignote.plan.plan import Step


def differences(
    values: reference.Values, step: Step, inputs: Sequence[Array], outputs: Sequence[Array]
) -> str | None:
    """Return in words how a step's outputs differ from the reference, None if they do not.

    ``values`` hold what the integers are that kernels are given as dims.
    """
    plan = values.plan
    if step.op == "reshape":
        expected: list[Array] = [inputs[0].reshape(outputs[0].shape)]
        bounds: list[Array] = [np.zeros(outputs[0].shape)]
    elif isinstance(step.params.get("program"), Program):
        expected, bounds = run_program(step.params["program"], inputs)
    else:
        full = _with_dims(values, step, inputs)
        expected = list(reference.run_step(plan, step, full))
        call = plan.call(step)
        bounds = [allowed_error(step.record, call, full, k, a) for k, a in enumerate(expected)]
    for name, found, wanted, bound in zip(step.outputs, outputs, expected, bounds, strict=True):
        text = compare(found, wanted, bound)
        if text is not None:
            return f"{name}: {text}"
    return None


def _with_dims(values: reference.Values, step: Step, inputs: Sequence[Array]) -> list[Array]:
    """Return the operands of the reference: integers known as dims are not given to kernels."""
    if len(inputs) == len(step.inputs):
        return list(inputs)
    given = iter(inputs)
    result = []
    for position, name in enumerate(step.inputs):
        array = values.read(name) if position in step.record.shape_only else next(given)
        assert array is not None, name
        result.append(array)
    return result


def unit(dtype: np.dtype[Any]) -> float:
    """Return one unit in the last place of 1.0, zero for exact types."""
    return float(dtypes.finfo(dtype).eps) if dtypes.kind_of(dtype) in "fc" else 0.0


def allowed_error(op: Op, call: Call, inputs: Sequence[Array], k: int, output: Array) -> Array:
    """Return how far a kernel may be from output ``k`` of an op's reference, by its accuracy."""
    accuracy = op.accuracy
    if accuracy.sums:
        scale = np.abs(dtypes.plain(op.compute(call, *map(_finite_magnitude, inputs))[k]))
        if output.dtype.name in dtypes.HALVES:
            # Added up in float32, the terms do not overflow.
            scale = _size(scale)
    else:
        cancelling = accuracy.scale_of(k)
        least = _size(cancelling(*inputs)) if callable(cancelling) else cancelling
        scale = np.maximum(_size(output), least)
    with np.errstate(all="ignore"):
        bound = np.asarray(scale * (accuracy.ulp * unit(output.dtype)))
        if op is prod_op and dtypes.kind_of(output.dtype) == "f":
            factors = dtypes.plain(inputs[0])
            bound = bound + _range_error(factors, call.params["axis"], dtypes.plain(output).dtype)
        if op.name.startswith("cast_"):
            bound = bound + _cut_error(dtypes.plain(inputs[0]), output.dtype)
    return bound


def _size(array: Array) -> Array:
    """Return magnitudes for rounding errors: NaN has none, infinity that of the largest number."""
    array = dtypes.plain(array)
    if array.dtype.kind not in "fc":
        return np.asarray(np.abs(array.astype("float64")))
    largest = float(np.finfo(array.dtype).max)
    return np.asarray(np.nan_to_num(np.abs(array), nan=0.0, posinf=largest), "float64")


def _finite_magnitude(array: Array) -> Array:
    """Return magnitudes without what is not finite: that has no rounding error."""
    array = dtypes.plain(array)
    if array.dtype.kind not in "fc":
        return array
    return np.asarray(np.nan_to_num(np.abs(array), nan=0.0, posinf=0.0))


def _range_error(factors: Array, axes: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return what a product may lose if an intermediate one is too small or too large to hold."""
    finite = np.where(np.isfinite(factors), np.abs(factors), 1).astype(dtype)
    grown = np.prod(np.maximum(finite, 1), axis=axes)
    shrunk = np.prod(np.minimum(finite, 1), axis=axes)
    # Zero times infinity is no number, but a little more than zero times infinity is infinity.
    unclear = (shrunk == 0) & np.any(np.isinf(factors), axis=axes)
    lost = grown.astype("float64") * float(np.finfo(dtype).smallest_subnormal)
    return np.where(unclear, np.inf, lost)


def _cut_error(operand: Array, dtype: np.dtype[Any]) -> Array:
    """Return infinity where a float does not fit an integer: NumPy leaves open what it becomes."""
    if operand.dtype.kind != "f" or dtype.kind not in "iu":
        return np.zeros(operand.shape)
    info = np.iinfo(dtype)
    whole = np.trunc(operand.astype("float64"))
    fits = (whole >= float(info.min)) & (whole < float(info.max) + 1)
    return np.where(fits, 0.0, np.inf)


def _near(found: Array, wanted: Array, bound: Array) -> Array:
    """Return where two arrays differ by at most a bound, or a few of the least numbers."""
    info = dtypes.finfo(found.dtype)
    found, wanted = dtypes.plain(found), dtypes.plain(wanted)
    near = np.abs(found - wanted) <= bound + 4 * float(info.smallest_subnormal)
    if found.dtype.kind == "f":
        # One may overflow where the other is hardly less than the largest number.
        least, most = (found.dtype.type(item) for item in (info.min, info.max))
        limited = (np.clip(item, least, most) for item in (found, wanted))
        near |= (bound > 0) & (np.abs(np.subtract(*limited)) <= bound)
    return np.asarray(near)


def compare(found: Array, wanted: Array, bound: Array) -> str | None:
    """Return how two arrays differ by more than a bound, None if they do not."""
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        return f"shape {found.shape} {found.dtype} instead of {wanted.shape} {wanted.dtype}"
    with np.errstate(all="ignore"):
        if dtypes.kind_of(found.dtype) in "fc":
            same = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
            same |= _near(found, wanted, bound) | np.isinf(bound)
        else:
            same = (found == wanted) | (bound > 0)
    if bool(np.all(same)):
        return None
    place = tuple(int(i) for i in np.argwhere(~same)[0])
    count = int(np.sum(~same))
    return (
        f"{count} of {found.size} elements differ, first at {place}: {found[place]!r} instead of "
        f"{wanted[place]!r} (allowed error {float(np.broadcast_to(bound, found.shape)[place]):.3g})"
    )


# --- programs


def run_program(program: Program, inputs: Sequence[Array]) -> tuple[list[Array], list[Array]]:
    """Return the results of a program, and how far a native result may be from each."""
    shape = np.broadcast_shapes(*(array.shape for array in inputs))
    values = [np.asarray(array) for array in inputs]
    errors = [np.zeros(()) for _ in values]
    with np.errstate(all="ignore"):
        for item in program.instructions:
            value, error = _instruction(item, values, errors)
            values.append(value)
            errors.append(error)
        results = [
            _result(item, np.broadcast_to(values[item.register], shape), errors[item.register])
            for item in program.results
        ]
    return [value for value, _ in results], [error for _, error in results]


def _compute(item: Instruction, operands: Sequence[Array]) -> Array:
    op = op_named(item.op)
    rank = max(array.ndim for array in operands)
    types = tuple(TensorType(array.dtype, (False,) * array.ndim) for array in operands)
    call = Call(Params({}), types, (TensorType(item.dtype, (False,) * rank),))
    return op.compute(call, *operands)[0]


def _instruction(
    item: Instruction, values: Sequence[Array], errors: Sequence[Array]
) -> tuple[Array, Array]:
    operands = [values[source] for source in item.sources]
    value = _compute(item, operands)
    wide = value.astype("float64") if value.dtype.kind != "c" else value
    error = _size(value) * (op_named(item.op).accuracy.ulp * unit(value.dtype))
    if item.op.startswith("cast_"):
        error = error + _cut_error(dtypes.plain(operands[0]), value.dtype)
    for position, source in enumerate(item.sources):
        if not np.any(errors[source]):
            continue
        for sign in (1, -1):
            moved = list(operands)
            moved[position] = (operands[position] + sign * errors[source]).astype(
                operands[position].dtype
            )
            changed = _compute(item, moved).astype(wide.dtype)
            same = (changed == wide) | (np.isnan(changed) & np.isnan(wide))
            change = np.nan_to_num(np.abs(changed - wide), nan=np.inf, posinf=np.inf)
            error = error + np.where(same, 0.0, change)
        error = np.where(np.isinf(errors[source]), np.inf, error)
    return value, np.asarray(error)


def _result(item: Result, value: Array, error: Array) -> tuple[Array, Array]:
    if not item.reduction:
        return np.array(value), np.broadcast_to(error, value.shape)
    op = op_named(item.reduction)
    call = Call(Params({"axis": item.axes}), (), ())
    reduced = np.asarray(op.reference(call, value))
    result = reduced.astype(_reduced_dtype(item, value))
    spread = np.broadcast_to(error, value.shape)
    if item.reduction in ("max", "min", "all", "any"):
        bound = np.max(spread, axis=item.axes) if value.size else np.zeros(result.shape)
        return result, np.asarray(bound)
    ulps = op.accuracy.ulp * unit(result.dtype)
    scale = _finite_magnitude(value).astype("float64")
    if item.reduction == "prod":
        relative = np.sum(spread / np.maximum(scale, 1e-300), axis=item.axes)
        bound = _size(result) * (relative + ulps)
        if result.dtype.kind == "f":
            bound = bound + _range_error(value, item.axes, result.dtype)
        return result, bound
    return result, np.asarray(np.sum(spread, axis=item.axes) + np.sum(scale, axis=item.axes) * ulps)


def _reduced_dtype(item: Result, value: Array) -> str:
    op = op_named(item.reduction)
    model = TensorType(value.dtype, (False,) * value.ndim)
    return op.infer(Params({"axis": item.axes}), (model,))[0].dtype
