"""Random graphs, rewritten and run natively, against the reference of the graph as written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arignote import ops
from arignote.autodiff import grad
from arignote.graph.type import TensorType
from arignote.graph.variable import Variable
from arignote.run.function import function
from arignote.run.mode import Mode
from helpers.bounds import Bounded, extend
from helpers.values import Array

AS_WRITTEN = Mode(linker="py", optimizer=None)
LARGEST = 1e6
LENGTHS = (3, 4)

Item = TypeVar("Item")
Unary = Callable[[Variable], Variable]


def logistic(x: Variable) -> Variable:
    return ops.true_div(1, ops.add(1, ops.exp(ops.neg(x))))


def row_softmax(x: Variable) -> Variable:
    e = ops.exp(x)
    return ops.true_div(e, ops.sum_(e, axis=x.ndim - 1, keepdims=True))


def log_sum_exp(x: Variable) -> Variable:
    return ops.log(ops.sum_(ops.exp(x), axis=x.ndim - 1))


def shifted(x: Variable) -> Variable:
    return ops.sub(x, ops.max_(x, axis=x.ndim - 1, keepdims=True))


SMOOTH: list[Unary] = [
    *(ops.neg, ops.tanh, ops.sigmoid, ops.softplus, ops.exp, ops.sqr, ops.abs_, ops.arctan),
    *(ops.log1p, ops.expm1, logistic),
    lambda x: ops.log(ops.add(1, ops.sqr(x))),
    lambda x: ops.log(logistic(x)),
    lambda x: ops.log(ops.sub(1, logistic(x))),
    lambda x: ops.log(ops.add(1, ops.exp(x))),
    lambda x: ops.sub(ops.exp(x), 1),
    lambda x: ops.sqrt(ops.abs_(x)),
    lambda x: ops.inv(ops.add(ops.abs_(x), 1)),
    lambda x: ops.pow_(x, 2),
    lambda x: ops.pow_(x, 3),
    lambda x: ops.clip(x, -0.5, 1.5),
    lambda x: ops.mul(x, -1),
    lambda x: ops.sub(0, ops.neg(x)),
    lambda x: ops.true_div(ops.sub(x, 0), 1),
    lambda x: ops.inv(ops.add(1, ops.exp(x))),
    lambda x: ops.cast(ops.cast(x, "float64"), x.dtype),
]
SHAPES: list[Unary] = [
    *(ops.transpose, lambda x: ops.dimshuffle(x, (*range(x.ndim - 1), "x", x.ndim - 1))),
    lambda x: ops.subtensor(x, slice(None, None, -1)),
    lambda x: ops.subtensor(x, (Ellipsis, slice(1, None))),
    lambda x: ops.subtensor(x, -1),
    lambda x: ops.reshape(x, (-1,)),
    ops.flatten,
    lambda x: ops.join(0, x, ops.neg(x)),
    lambda x: ops.advanced_subtensor(x, ([1, 0, 1],)),
    lambda x: ops.put(x, ops.constant(2.0, dtype=x.dtype), [ops.constant([1, 1])], True),
    lambda x: ops.slice_update(x, slice(1, 3), 0.5, False),
    lambda x: ops.broadcast_like(ops.sum_(x, axis=0, keepdims=True), x),
]
ROWS: list[Unary] = [
    *(ops.softmax_op, ops.log_softmax_op, row_softmax, log_sum_exp),
    lambda x: ops.log(ops.softmax_op(x)),
    lambda x: ops.log(ops.subtensor(ops.softmax_op(x), (Ellipsis, slice(1, None)))),
    lambda x: ops.softmax_op(shifted(x)),
    lambda x: ops.sub(x, ops.log(ops.sum_(ops.exp(x), axis=x.ndim - 1, keepdims=True))),
]
REDUCING: list[Unary] = [
    *(ops.sum_, ops.max_, lambda x: ops.min_op(x, axis=(0,))),
    lambda x: ops.sum_(x, axis=0),
    lambda x: ops.sum_(x, axis=x.ndim - 1, keepdims=True),
    lambda x: ops.max_(x, axis=x.ndim - 1),
]
BINARY: list[Callable[[Variable, Variable], Variable]] = [
    *(ops.add, ops.sub, ops.mul, ops.maximum, ops.minimum, ops.dot),
    lambda x, y: ops.add(x, ops.neg(y)),
    lambda x, y: ops.mul(ops.neg(x), y),
    lambda x, y: ops.true_div(x, ops.add(ops.sqr(y), 1)),
    lambda x, y: ops.switch(ops.gt(x, y), x, y),
    lambda x, y: ops.neg(ops.sub(x, y)),
]


class Grower:
    """Grows a graph by one drawn op after the other, with the value and error bound of each."""

    def __init__(self, draw: Callable[[Any], Any], dtype: str) -> None:
        self.draw = draw
        self.rng = np.random.default_rng(draw(st.integers(0, 10_000)))
        self.values: dict[Variable, Bounded] = {}
        n, m = LENGTHS
        patterns = [((n, m), (False, False)), ((1, m), (True, False)), ((m,), (False,)), ((), ())]
        self.inputs = [self._input(dtype, shape, pattern) for shape, pattern in patterns]
        self.pool = list(self.inputs)

    def _input(self, dtype: str, shape: tuple[int, ...], pattern: tuple[bool, ...]) -> Variable:
        variable = TensorType(dtype, pattern).make_variable()
        array = np.asarray(self.rng.normal(size=shape) * 2, dtype)
        self.values[variable] = (array, np.zeros(shape))
        return variable

    @property
    def arguments(self) -> list[Array]:
        return [self.values[item][0] for item in self.inputs]

    def grow(self, steps: int) -> None:
        for _ in range(steps):
            result = self._apply()
            if result is not None and self._tame(result):
                self.pool.append(result)

    def _apply(self) -> Variable | None:
        """Return a new variable, or None where the drawn op does not fit the drawn operands."""
        # Late ones are drawn more often: graphs grow deep.
        x = self.pool[-1 - min(self.draw(st.integers(0, 6)), len(self.pool) - 1)]
        family = self._pick([SMOOTH, SHAPES, ROWS, REDUCING, None, None])
        if family is None:
            pair, y = self._pick(BINARY), self._pick(self.pool)
            return pair(x, y) if self._fit(x, y, pair is ops.dot) else None
        if x.ndim == 0 and family is not SMOOTH:
            return None
        if family is SHAPES and 1 in (self._shape(x)[0], self._shape(x)[-1]):
            return None
        return self._pick(family)(x)

    def _pick(self, items: Sequence[Item]) -> Item:
        position: int = self.draw(st.integers(0, len(items) - 1))
        return items[position]

    def _shape(self, x: Variable) -> tuple[int, ...]:
        return self.values[x][0].shape

    def _fit(self, x: Variable, y: Variable, product: bool) -> bool:
        first, second = self._shape(x), self._shape(y)
        if product:
            both = len(first) in (1, 2) and len(second) in (1, 2)
            return both and first[-1] == second[0]
        rank = max(x.ndim, y.ndim)
        a, b = ops.pad_left(x, rank).broadcastable, ops.pad_left(y, rank).broadcastable
        first, second = (1,) * (rank - x.ndim) + first, (1,) * (rank - y.ndim) + second
        return all(
            n == m or flag or other for n, m, flag, other in zip(first, second, a, b, strict=True)
        )

    def _tame(self, result: Variable) -> bool:
        extend(self.values, [result])
        value = self.values[result][0]
        return bool(0 < value.size <= 200 and np.all(np.abs(value) < LARGEST))


def check(grower: Grower, outputs: list[Variable]) -> None:
    def run(mode: Mode) -> Any:
        call = function(grower.inputs, outputs, mode=mode, on_unused_input="ignore")
        return call(*grower.arguments)

    written, found = run(AS_WRITTEN), run(Mode())
    for output, got, plain in zip(outputs, found, written, strict=True):
        wanted, bound = grower.values[output]
        for value in (got, plain):
            assert (value.shape, value.dtype) == (wanted.shape, wanted.dtype)
            with np.errstate(invalid="ignore"):
                near = np.abs(value.astype("float64") - wanted) <= bound
            near |= (value == wanted) | ~np.isfinite(wanted) | np.isinf(bound)
            assert np.all(near), f"{output}: {value} instead of {wanted}, bound {bound}"


MODERATE = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@given(data=st.data(), dtype=st.sampled_from(["float32", "float64"]))
@settings(MODERATE, max_examples=150)
def test_rewritten_equals_written(data: st.DataObject, dtype: str) -> None:
    grower = Grower(data.draw, dtype)
    grower.grow(data.draw(st.integers(2, 12)))
    check(grower, grower.pool[-3:])


@given(data=st.data())
@settings(MODERATE, max_examples=80)
def test_rewritten_gradients_equal_written_ones(data: st.DataObject) -> None:
    grower = Grower(data.draw, "float64")
    grower.grow(data.draw(st.integers(2, 8)))
    output = grower.pool[-1]
    uneven = ops.constant(grower.rng.uniform(0.5, 1.5, grower.values[output][0].shape))
    weights = ops.restore_pattern(uneven, output.broadcastable)
    cost = ops.sum_(ops.mul(weights, output))
    slopes = grad(cost, grower.inputs, disconnected_inputs="ignore")
    extend(grower.values, slopes)
    check(grower, slopes)


@pytest.mark.slow
@given(data=st.data(), dtype=st.sampled_from(["float32", "float64"]))
@settings(MODERATE, max_examples=1500)
def test_many_rewritten_equal_written(data: st.DataObject, dtype: str) -> None:
    grower = Grower(data.draw, dtype)
    grower.grow(data.draw(st.integers(2, 25)))
    check(grower, grower.pool[-3:])
