"""Running a plan with NumPy: the meaning of every step, with fresh memory for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from arignote.errors import IndexRangeError, PlanError, ShapeError, add_note, with_origin
from arignote.graph.dim import Dim, Expr, Shape, evaluate
from arignote.graph.dtypes import Array
from arignote.plan.plan import Check, Const, Plan, Scalar, Step, View


class Values:
    """The buffers of one call as arrays, and the dims that follow from them."""

    def __init__(self, plan: Plan, arrays: Mapping[str, Array]) -> None:
        self.plan = plan
        self.arrays: dict[str, Array] = dict(arrays)
        self._dims: dict[Expr, int] = {}

    def dim(self, dim: Dim) -> int:
        """Return the value of a dim."""
        return evaluate(dim, self._source, self._dims)

    def shape(self, shape: Shape) -> tuple[int, ...]:
        """Return the values of a shape."""
        return tuple(map(self.dim, shape))

    def _source(self, expr: Expr) -> int:
        array = self.arrays[str(expr.args[0])]
        if expr.op == "shape":
            return int(array.shape[int(str(expr.args[1]))])
        if expr.op == "stride":
            return int(array.strides[int(str(expr.args[1]))])
        return int(array.astype("int64"))

    def known(self, dim: Dim) -> bool:
        """Return whether a dim can be evaluated: all scalars it is read from are computed."""
        return isinstance(dim, int) or dim.reads <= self.arrays.keys()

    def read(self, name: str) -> Array | None:
        """Return a buffer as an array; None if the step that writes it was not run."""
        if name in self.arrays:
            return self.arrays[name]
        buffer = self.plan.buffer(name)
        if isinstance(buffer, Const):
            return buffer.value
        if isinstance(buffer, Scalar):
            return np.asarray(self.dim(buffer.value)).astype(buffer.type.dtype)
        if isinstance(buffer, View):
            base = self.read(buffer.base)
            if base is None:
                return None
            strides = tuple(map(self.dim, buffer.strides))
            return window(base, self.dim(buffer.offset), self.shape(buffer.shape), strides)
        return None


class _Window:
    """Memory of an array seen through other strides, for NumPy's array interface."""

    def __init__(self, base: Array, interface: dict[str, Any]) -> None:
        self.base = base
        self.__array_interface__ = interface


def window(base: Array, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    """Return the elements of ``base`` from a byte offset on, with other shape and strides."""
    first, last = offset, offset
    for length, stride in zip(shape, strides, strict=True):
        if length == 0:
            return np.empty(shape, base.dtype)
        first += min(0, (length - 1) * stride)
        last += max(0, (length - 1) * stride)
    low = sum(min(0, (n - 1) * s) for n, s in zip(base.shape, base.strides, strict=True))
    high = sum(max(0, (n - 1) * s) for n, s in zip(base.shape, base.strides, strict=True))
    if base.size == 0 or first < low or last > high:
        raise PlanError(
            f"[view] must lie inside its base: bytes {first} to {last} of {low} to {high}"
        )
    address, _ = base.__array_interface__["data"]
    interface = {
        "data": (address + offset, True),
        "shape": shape,
        "strides": strides,
        "typestr": base.dtype.str,
        "version": 3,
    }
    # The interface does not tell dtypes that other packages bring.
    return np.asarray(_Window(base, interface)).view(base.dtype)


def check_error(check: Check, found: int, expected: int) -> Exception:
    """Return the error that a failed check means."""
    text = f"[{check.op}] {check.text.format(found=found, expected=expected)}"
    if check.kind == "index":
        return with_origin(IndexRangeError(text), check.origin)
    return with_origin(ShapeError(text), check.origin)


def failed_check(values: Values, checks: Sequence[Check]) -> Exception | None:
    """Return the error of the first check that does not hold, None if all do."""
    for check in checks:
        if not (values.known(check.found) and values.known(check.expected)):
            continue
        found, expected = values.dim(check.found), values.dim(check.expected)
        holds = {
            "equal": found == expected,
            "index": 0 <= found < expected,
            "true": found != 0,
        }[check.kind]
        if not holds:
            shown = found - expected if check.kind == "index" and found < 0 else found
            return check_error(check, shown, expected)
    return None


def run_step(plan: Plan, step: Step, inputs: Sequence[Array | None]) -> tuple[Array, ...]:
    """Return the outputs of one step, computed with NumPy."""
    if step.op == "reshape":
        raise PlanError("[reshape] a reshape is run with its shape")
    try:
        return step.record.compute(plan.call(step), *inputs)  # type: ignore[arg-type]
    except Exception as error:
        add_note(error, f"Plan step: {step.op} {' '.join(step.inputs)} -> {' '.join(step.outputs)}")
        with_origin(error, step.origin)
        raise


def start(plan: Plan, arguments: Sequence[Array], states: Sequence[Array]) -> Values:
    """Return the values of a call before its first step."""
    names = [item.name for item in plan.inputs] + [item.name for item in plan.states]
    return Values(plan, dict(zip(names, [*arguments, *states], strict=True)))


def bind(plan: Plan, arguments: Sequence[Array], states: Sequence[Array]) -> Values:
    """Return the values of a call before its first step; raises if a check fails."""
    values = start(plan, arguments, states)
    error = failed_check(values, plan.checks)
    if error is not None:
        raise error
    return values


def _runs(values: Values, step: Step) -> bool:
    for name, wanted in step.guards:
        flag = values.read(name)
        if flag is None or bool(flag) != wanted:
            return False
    return True


def _execute(values: Values, step: Step) -> None:
    plan = values.plan
    inputs = [values.read(name) for name in step.inputs]
    if step.op == "reshape":
        shape = values.shape(plan.buffer(step.outputs[0]).shape)
        source = inputs[0]
        assert source is not None
        values.arrays[step.outputs[0]] = np.ascontiguousarray(source).reshape(shape)
        return
    results = run_step(plan, step, inputs)
    for name, array in zip(step.outputs, results, strict=True):
        values.arrays[name] = np.array(array, order="C")


def run(
    plan: Plan, arguments: Sequence[Array], states: Sequence[Array]
) -> tuple[list[Array], list[Array]]:
    """Run a plan with NumPy.

    Parameters
    ----------
    plan
        The plan.
    arguments, states
        Arrays of the types of its inputs and states. They are not changed.

    Returns
    -------
    outputs, values
        The outputs, and the new values of the updated states in the order of ``plan.updates``.

    Raises
    ------
    ShapeError, IndexRangeError
        If the arrays do not fit each other.
    """
    values = bind(plan, arguments, states)
    late = [
        check
        for check in plan.checks
        if not values.known(check.found) or not values.known(check.expected)
    ]
    for step in plan.steps:
        if _runs(values, step):
            _execute(values, step)
            if late:
                error = failed_check(values, late)
                if error is not None:
                    raise error
    outputs = [_owned(values, name) for name in plan.outputs]
    return outputs, [_owned(values, value) for _, value in plan.updates]


def _owned(values: Values, name: str) -> Array:
    array = values.read(name)
    if array is None:
        raise PlanError(f"[plan] {name} must be computed by a step that ran")
    return np.array(array, order="C")
