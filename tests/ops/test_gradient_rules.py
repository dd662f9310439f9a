"""Gradients where there is no derivative, or a rule of Theano's decides what it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import arignote.tensor as T
from arignote import ops
from arignote.autodiff import grad, hessian, jacobian
from arignote.errors import DisconnectedInputError
from arignote.graph.type import TensorType, tensor_type
from arignote.graph.variable import Variable
from arignote.run.function import function
from helpers.derivatives import Projection
from helpers.samples import COLUMN, ROW, Sample
from helpers.tolerance import assert_close
from helpers.values import Array, Values

Build = Callable[..., Variable]


def slopes(build: Build, *arrays: Any) -> list[Array]:
    """Return the gradients of the sum of a graph's output by each of its float64 arguments."""
    values = [np.asarray(array) for array in arrays]
    variables = [tensor_type(v.dtype.name, v.ndim).make_variable() for v in values]
    cost = ops.sum_(build(*variables))
    wrt = [item for item in variables if item.dtype == "float64"]
    return list(function(variables, grad(cost, wrt), on_unused_input="ignore")(*values))


# --- kinks and ties


@pytest.mark.parametrize("op", [ops.maximum, ops.minimum])
def test_a_tie_of_two_goes_to_the_first(op: Any) -> None:
    first, second = slopes(op, [1.0, 2.0, 3.0], [3.0, 2.0, 1.0])
    assert (first + second).tolist() == [1, 1, 1]
    assert first[1] == 1


@pytest.mark.parametrize("op", [ops.max_op, ops.min_op])
def test_a_tie_along_an_axis_goes_to_all(op: Any) -> None:
    (found,) = slopes(lambda x: op(x, axis=(1,)), [[5.0, 2.0, 5.0], [1.0, 1.0, 1.0]])
    expected = {"max": [[1, 0, 1], [1, 1, 1]], "min": [[0, 1, 0], [1, 1, 1]]}
    assert found.tolist() == expected[op.name]


@pytest.mark.parametrize(
    ("build", "points", "expected"),
    [
        (ops.abs_, [-2.0, 0.0, -0.0, 2.0], [-1, 0, 0, 1]),
        (ops.sgn, [-2.0, 0.0, 2.0], [0, 0, 0]),
        (ops.sqrt, [0.0, 4.0], [np.inf, 0.25]),
        (ops.round_half_to_even, [0.5, 1.5, 2.2], [0, 0, 0]),
        (lambda x: ops.clip(x, -1.0, 2.0), [-1.5, -1.0, 0.0, 2.0, 2.5], [0, 1, 1, 1, 0]),
        (T.nnet.relu, [-1.0, 0.0, 3.0], [0, 0.5, 1]),
        (lambda x: ops.pow_(x, 0), [0.0, 2.0], [0, 0]),
        (lambda x: ops.pow_(x, 2), [0.0, -3.0], [0, -6]),
        (lambda x: ops.true_div(x, x), [0.0, 2.0], [0, 0]),
    ],
)
def test_kinks(build: Build, points: list[float], expected: list[float]) -> None:
    assert slopes(build, points)[0].tolist() == expected


def test_bounds_of_a_clip_get_what_they_cut() -> None:
    x, low, high = slopes(ops.clip, [-2.0, 0.0, 3.0, 1.0], [-1.0] * 4, [1.0] * 4)
    assert x.tolist() == [0, 1, 0, 1]
    assert low.tolist() == [1, 0, 0, 0]
    assert high.tolist() == [0, 0, 1, 0]


def test_clip_between_its_bounds() -> None:
    values = Values(4)
    x, width = values.reals((3, 4)), np.abs(values.reals((1, 4))) + 0.1
    sample = Sample(
        "clip", lambda v, w: ops.clip(v, ops.neg(w), w), (x, width), ((False,) * 2, ROW)
    )
    Projection(sample).check()


def test_power_of_zero() -> None:
    base, exponent = slopes(ops.pow_, [0.0, 0.0, 2.0], [0.0, 2.0, 0.0])
    assert base.tolist() == [0, 0, 0]
    assert exponent.tolist() == [0, 0, np.log(2)]


def test_power_by_the_least_exponent_of_its_type() -> None:
    base = np.array([1.01, -1.0])
    (found,) = slopes(ops.pow_, base, np.array([-128, -128], "int8"))
    assert_close(found, -128 * base**-129.0)


@pytest.mark.parametrize("zeros", [0, 1, 2])
def test_product_with_zeros(zeros: int) -> None:
    x = np.array([[2.0, -3.0, 0.5, 4.0], [1.5, 2.5, -1.0, 3.0]])
    x[0, :zeros] = 0
    (found,) = slopes(lambda v: ops.prod_op(v, axis=(1,)), x)
    others = np.array([[np.prod(np.delete(row, k)) for k in range(4)] for row in x])
    assert_close(found, others)


# --- what has no gradient, or another one


def test_integers_have_a_gradient_of_zeros() -> None:
    x, k = T.dvector(), T.lvector()
    slope = grad(ops.sum_(ops.mul(x, k)), k)
    found = function([x, k], slope, on_unused_input="ignore")([1.0, 2.0], [3, 4])
    assert found.dtype == "float64"
    assert found.tolist() == [0, 0]


@pytest.mark.parametrize("op", [ops.argmax_op, ops.argmin_op])
def test_positions_have_a_gradient_of_zeros(op: Any) -> None:
    (found,) = slopes(lambda x: op(x, axis=(0,)), [[1.0, 5.0], [3.0, 2.0]])
    assert found.tolist() == [[0, 0], [0, 0]]


def test_coordinates_have_a_gradient_of_zeros() -> None:
    (found,) = slopes(lambda x: ops.nonzero(x)[0], [1.0, 0.0, 2.0])
    assert found.tolist() == [0, 0, 0]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_cast_passes_the_gradient_in_the_dtype_of_its_input(dtype: str) -> None:
    x = tensor_type("float32", 1).make_variable()
    found = grad(ops.sum_(ops.mul(ops.cast(x, dtype), np.array([2, 3], "int8"))), x)
    value = function([x], found, on_unused_input="ignore")(np.ones(2, "float32"))
    assert value.dtype == "float32"
    assert value.tolist() == [2, 3]


def test_a_cast_to_integers_has_a_gradient_of_zeros() -> None:
    (found,) = slopes(lambda x: ops.mul(ops.cast(x, "int32"), 2.0), [1.5, 2.5])
    assert found.tolist() == [0, 0]


@pytest.mark.parametrize("mark", [ops.zero_grad, ops.consider_constant])
def test_marks_with_a_gradient_of_zero(mark: Build) -> None:
    (found,) = slopes(lambda x: ops.mul(x, mark(ops.sqr(x))), [3.0])
    assert found.tolist() == [9]
    (found,) = slopes(mark, [3.0])
    assert found.tolist() == [0]


def test_a_disconnected_mark() -> None:
    (found,) = slopes(lambda x: ops.mul(x, ops.disconnected_grad(ops.sqr(x))), [3.0])
    assert found.tolist() == [9]
    with pytest.raises(DisconnectedInputError):
        slopes(ops.disconnected_grad, [3.0])


def test_a_clipped_gradient() -> None:
    (found,) = slopes(lambda x: ops.sqr(ops.grad_clip(x, -1, 2)), [-3.0, 0.25, 4.0])
    assert found.tolist() == [-1, 0.5, 2]


def test_set_twice_only_the_last_value_counts() -> None:
    x, value, index = np.zeros(4), np.array([5.0, 6.0, 7.0]), np.array([2, 0, 2])
    by_x, by_value = slopes(lambda v, w, i: ops.put(v, w, [i], False), x, value, index)
    assert by_x.tolist() == [0, 1, 0, 1]
    assert by_value.tolist() == [0, 1, 1]


# --- where the walk starts and ends


def test_a_known_gradient_replaces_what_comes_from_the_cost() -> None:
    x = T.dscalar()
    square = ops.sqr(x)
    known = grad(ops.mul(square, 3.0), x, known_grads={square: ops.constant(5.0)})
    assert function([x], known)(2.0) == 20


def test_known_gradients_alone() -> None:
    x = T.dvector()
    square, double = ops.sqr(x), ops.mul(x, 2.0)
    starts = {square: ops.constant([1.0, 2.0]), double: ops.constant([10.0, 20.0])}
    found = function([x], grad(None, x, known_grads=starts))([3.0, 4.0])
    assert found.tolist() == [6 + 20, 16 + 40]


def test_nothing_behind_a_constant_counts() -> None:
    x, y = T.dscalars(2)
    inner = ops.mul(x, y)
    cost = ops.mul(ops.sqr(inner), x)
    by_x, by_inner = grad(cost, [x, inner], consider_constant=[inner])
    assert [v.tolist() for v in function([x, y], [by_x, by_inner])(2.0, 3.0)] == [36, 24]
    with pytest.raises(DisconnectedInputError):
        grad(cost, y, consider_constant=[inner])


def test_rewriting_disconnects_nothing() -> None:
    x = T.dvector()
    for cost in (ops.pow_(x, 0), ops.true_div(x, x)):
        assert function([x], grad(ops.sum_(cost), x))([0.0, 2.0]).tolist() == [0, 0]


# --- complex numbers between real ones


@pytest.mark.parametrize("part", [ops.real, ops.imag, ops.abs_, lambda z: ops.real(ops.conj(z))])
@pytest.mark.parametrize(
    "inner", [lambda z: z, ops.sqr, ops.exp, lambda z: ops.mul(z, ops.conj(ops.sqr(z)))]
)
def test_real_functions_of_complex_numbers(part: Build, inner: Build) -> None:
    factor = np.array([0.5 + 1j, -1 + 0.3j, 0.2 - 0.7j])

    def build(x: Variable, y: Variable) -> Variable:
        return part(inner(ops.add(ops.mul(x, factor), ops.mul(y, 1j))))

    values = Values(9)
    Projection(Sample("complex", build, (values.reals((3,)), values.reals((3,))))).check()


# --- Jacobians and Hessians


def test_jacobian_equals_numpy() -> None:
    rng = np.random.default_rng(1)
    a, x = rng.normal(size=(3, 4)), rng.normal(size=4)
    v, m = T.dvector(), T.dmatrix()
    found = function([m, v], jacobian(ops.tanh(ops.dot(m, v)), [v, m]))(a, x)
    slope = 1 - np.tanh(a @ x) ** 2
    assert_close(found[0], slope[:, None] * a, scale=1)
    assert_close(found[1], np.einsum("i,ij,k->ijk", slope, np.eye(3), x), scale=1)


def test_hessian_equals_numpy() -> None:
    rng = np.random.default_rng(2)
    a, x = rng.normal(size=(4, 4)), rng.normal(size=4)
    v = T.dvector()
    cost = ops.add(ops.sum_(ops.pow_(v, 3)), ops.dot(v, ops.dot(ops.constant(a), v)))
    found = function([v], hessian(cost, v))(x)
    assert_close(found, 6 * np.diag(x) + a + a.T, scale=1)


def test_third_derivative() -> None:
    x = T.dscalar()
    first = grad(ops.mul(ops.sin(x), ops.exp(x)), x)
    third = function([x], grad(grad(first, x), x))
    assert_close(third(0.3), 2 * np.exp(np.asarray(0.3)) * (np.cos(0.3) - np.sin(0.3)), scale=8)


# --- operands that broadcast, at every place of an op


@pytest.mark.parametrize("op", [ops.add, ops.mul, ops.true_div, ops.pow_, ops.maximum, ops.arctan2])
def test_a_row_a_column_and_a_scalar_type(op: Any) -> None:
    values = Values(8)
    row = np.abs(values.reals((1, 5))) + 0.5
    column = np.abs(values.reals((4, 1))) + 0.5
    for arrays, patterns in (((row, column), (ROW, COLUMN)), ((column, row), (COLUMN, ROW))):
        Projection(Sample(op.name, op, arrays, patterns)).check()
    both = Sample("ones", op, (row, np.array([[1.3]])), (ROW, (True, True)))
    Projection(both).check()


def test_gradients_keep_the_pattern_of_their_variable() -> None:
    row = TensorType("float64", ROW).make_variable()
    matrix = T.dmatrix()
    by_row, by_matrix = grad(ops.sum_(ops.mul(row, matrix)), [row, matrix])
    assert by_row.broadcastable == ROW
    assert by_matrix.broadcastable == (False, False)
