"""Theano's behaviour as its programs know it: calls, shared values, updates, gradients, errors.

Each test is one or more lines observed on Theano 1.0.5.
"""

from __future__ import annotations

import copy
import pickle
import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.errors import DisconnectedInputError, MissingInputError, UnusedInputError
from arignote.tensor.gradient import disconnected_grad, grad_clip, zero_grad

Build = Callable[[], Any]


def text(literal: str) -> str:
    return re.escape(literal)


# --- arguments of calls


def test_values_that_survive_are_converted() -> None:
    f = theano.function([v := T.fvector("v")], v * 1)
    assert f([1.0, 2.5]).dtype == "float32"
    assert f(np.array([1, 2], "int8")).tolist() == [1, 2]
    assert f([1, 2]).tolist() == [1, 2]
    i = theano.function([s := T.iscalar("s")], s + 0)
    assert i(3) == 3
    v64 = theano.function([d := T.dvector("d")], d * 1)
    assert v64(np.array([1, 2], "int32")).dtype == "float64"
    assert v64(np.array([0.5], "float32")).tolist() == [0.5]
    vi = theano.function([n := T.ivector("n")], n + 0)
    assert vi([1.0]).tolist() == [1]


@pytest.mark.parametrize(
    ("make", "value"),
    [
        (T.fvector, [1.1]),
        (T.fvector, np.array([1.0])),
        (T.ivector, np.array([1.0])),
        (T.ivector, np.array([1], "int64")),
        (T.ivector, [1.5]),
        (T.iscalar, 1.5),
        (T.iscalar, 2**40),
        (T.fscalar, np.float64(1.5)),
        (T.fscalar, 0.1),
        (T.dvector, 1.0),
        (T.dvector, [[1.0]]),
        (T.drow, np.ones((2, 3))),
        (T.dvector, "text"),
        (T.dvector, [1j]),
    ],
)
def test_values_that_do_not_survive_are_refused(make: Any, value: Any) -> None:
    x = make("x")
    f = theano.function([x], x * 1, name="line")
    with pytest.raises(
        TypeError, match=text('Bad input argument to theano function with name "line"')
    ):
        f(value)
    with pytest.raises(TypeError, match="Backtrace when that variable is created:"):
        f(value)


def test_a_python_float_is_taken_for_a_float_x_scalar() -> None:
    with theano.config.changed(floatX="float32"):
        x = T.scalar("x")
        f = theano.function([x], x * 1)
        assert f(0.1) == np.float32(0.1)
        with pytest.raises(TypeError):
            f(np.float64(0.1))
        with pytest.raises(TypeError):
            theano.function([], x * 1, givens={x: 0.1})


def test_downcasting_can_be_allowed_and_strictness_asked_for() -> None:
    x = T.ivector("x")
    f = theano.function([x], x + 0, allow_input_downcast=True)
    assert f([1.9, -1.9]).tolist() == [1, -1]
    assert f(np.array([300.7])).tolist() == [300]
    strict = theano.function([theano.In(x, strict=True)], x + 0)
    assert strict(np.array([1], "int32")).tolist() == [1]
    with pytest.raises(TypeError):
        strict([1])


def test_forms_of_outputs() -> None:
    x = T.dscalar("x")
    one = theano.function([x], x + 1)(1.0)
    assert type(one) is np.ndarray
    assert one.ndim == 0
    assert [float(item) for item in theano.function([x], [x, x + 1])(1.0)] == [1, 2]
    assert type(theano.function([x], [x + 1])(1.0)) is list
    assert theano.function([x], {"a": x, "b": x * 2})(2.0) == {"a": 2, "b": 4}
    for nothing in (None, []):
        assert theano.function([x], nothing, on_unused_input="ignore")(1.0) == []


def test_names_and_defaults_of_arguments() -> None:
    x, y = T.dscalars("xy")
    f = theano.function([x, theano.In(y, value=10.0)], x + y)
    assert f(1.0) == 11
    assert f(x=1.0, y=2.0) == f(1.0, y=2.0) == 3
    assert f[y] == 10
    f[y] = 20.0
    assert f(1.0) == 21
    count = theano.function([theano.In(x, value=1.0, update=x * 2, name="c")], x)
    assert [float(count()) for _ in range(3)] == [1, 2, 4]


def test_counts_and_names_of_arguments() -> None:
    v = T.dscalar("v")
    f = theano.function([v], v)
    with pytest.raises(TypeError, match=r"^Too many parameter passed to theano function"):
        f(1.0, 2.0)
    with pytest.raises(TypeError, match=r"^Missing required input: v"):
        f()
    with pytest.raises(TypeError, match=r"^Unknown input or state: zzz\."):
        f(1.0, zzz=1)


# --- shared variables


def test_shared_dtypes_and_patterns() -> None:
    with theano.config.changed(floatX="float32"):
        assert theano.shared(0.0).type == T.dscalar
    assert theano.shared(1).type == T.lscalar
    assert theano.shared(True).dtype == "bool"
    assert theano.shared(np.zeros((1, 3))).type == T.dmatrix
    assert theano.shared(np.zeros((1, 3)), broadcastable=(True, False)).type == T.drow
    assert not isinstance(theano.shared([1, 2]), T.TensorSharedVariable)
    with pytest.raises(TypeError, match="needs numeric values and not symbolic variables"):
        theano.shared(T.dscalar())


def test_borrowing() -> None:
    array = np.zeros(3)
    copied, borrowed = theano.shared(array), theano.shared(array, borrow=True)
    array[0] = 1
    assert copied.get_value().tolist() == [0, 0, 0]
    assert borrowed.get_value(borrow=True) is array
    assert borrowed.get_value() is not array
    assert borrowed.get_value(borrow=True, return_internal_type=True) is array
    other = np.ones(2)
    borrowed.set_value(other, borrow=True)
    assert borrowed.get_value(borrow=True) is other
    borrowed.zero()
    assert (other.tolist(), borrowed.get_value().tolist()) == ([1, 1], [0, 0])
    borrowed.set_value(other, borrow=True)
    borrowed.zero(borrow=True)
    assert other.tolist() == [0, 0]


def test_set_value() -> None:
    w = theano.shared(np.zeros(3, "float32"), name="w")
    w.set_value([1.0, 2.5])
    assert w.get_value().tolist() == [1.0, 2.5]
    message = (
        "TensorType(float32, vector) cannot store a value of dtype float64 without risking loss of "
        "precision"
    )
    with pytest.raises(TypeError, match=text(message)):
        w.set_value(np.zeros(3))
    with pytest.raises(TypeError, match="Wrong number of dimensions: expected 1, got 2"):
        w.set_value(np.zeros((1, 3), "float32"))
    with pytest.raises(TypeError):
        w.set_value([0.1])
    assert w.get_value().tolist() == [1.0, 2.5]


# --- updates and givens


@pytest.mark.parametrize(
    "form",
    [list, tuple, dict, OrderedDict, lambda pairs: [list(pair) for pair in pairs]],
    ids=["list", "tuple", "dict", "OrderedDict", "list of lists"],
)
def test_all_updates_see_old_values(form: Any) -> None:
    a, b = theano.shared(1.0, name="a"), theano.shared(2.0, name="b")
    f = theano.function([], a + b, updates=form([(a, b), (b, a)]))
    assert f() == 3
    assert (a.get_value(), b.get_value()) == (2, 1)
    f()
    assert (a.get_value(), b.get_value()) == (1, 2)


def test_wrong_updates() -> None:
    s, x = theano.shared(np.zeros(2, "float32"), name="s"), T.dvector("x")
    with pytest.raises(TypeError, match="update target must be a SharedVariable"):
        theano.function([x], updates=[(x, x + 1)])
    message = "An update must have the same type as the original shared variable (shared_var=s"
    with pytest.raises(TypeError, match=text(message)):
        theano.function([x], updates=[(s, x)])
    m = theano.shared(np.zeros((1, 2)), name="m")
    t = T.dtensor3("t")
    with pytest.raises(TypeError, match="An update must have the same type"):
        theano.function([t], updates=[(m, t)])
    with pytest.raises(ValueError, match="this shared variable already has an update expression"):
        theano.function([], updates=[(s, s), (s, s * 2)])
    with pytest.raises(TypeError, match=text("Cannot use a shared variable (s) as explicit input")):
        theano.function([s], s * 2)
    assert s.get_value().tolist() == [0, 0]


def test_a_row_is_a_matrix_for_an_update() -> None:
    m = theano.shared(np.zeros((1, 2)), name="m")
    f = theano.function([], updates=[(m, m + T.constant([[1.0, 2.0]]))])
    f()
    assert m.get_value().tolist() == [[1, 2]]


def test_default_updates() -> None:
    s = theano.shared(1.0, name="s")
    s.default_update = s * 2
    f = theano.function([], s)
    g = theano.function([], s, no_default_updates=True)
    h = theano.function([], s, updates=[(s, s + 10)])
    assert [float(f()), float(g()), float(h()), float(g())] == [1, 2, 2, 12]


@pytest.mark.parametrize("form", [list, dict])
def test_givens(form: Any) -> None:
    data = theano.shared(np.arange(12.0).reshape(6, 2), name="data")
    x, i = T.dmatrix("x"), T.lscalar("i")
    f = theano.function([i], x.sum(axis=1), givens=form([(x, data[i * 2 : (i + 1) * 2])]))
    assert f(0).tolist() == [1, 5]
    assert f(2).tolist() == [17, 21]
    y = T.dscalar("y")
    assert theano.function([], y * 2, givens={y: np.float32(1.5)})() == 3
    assert theano.function([], T.sum(x), givens={x: T.constant([[1.0, 2.0]])})() == 3
    with pytest.raises(RuntimeError):
        theano.function([y], y * 2, givens={y: T.constant(1.0)})


# --- errors of compilation and calls


def test_unused_duplicate_and_missing_inputs() -> None:
    x, y = T.dscalars("xy")
    message = (
        "theano.function was asked to create a function computing outputs given certain inputs, "
        "but the provided input variable at index 1 is not part of the computational graph"
    )
    with pytest.raises(UnusedInputError, match=text(message)):
        theano.function([x, y], x * 2)
    with pytest.warns(UserWarning, match="at index 1 is not part"):
        theano.function([x, y], x * 2, on_unused_input="warn")
    assert theano.function([x, y], x * 2, on_unused_input="ignore")(1.0, 2.0) == 2
    message = "Variable x is used twice in inputs to theano.function, at indices 0 and 1."
    with pytest.raises(UnusedInputError, match=text(message)):
        theano.function([x, x], x * 2)
    message = "Input 1 of the graph (indices start from 0), used to compute "
    with pytest.raises(
        MissingInputError, match=text(message) + ".* was not provided and not given"
    ):
        theano.function([x], x + y)


def test_unknown_mode() -> None:
    # Exception itself, as in Theano.
    with pytest.raises(Exception, match=r"^No predefined mode exist for string: FOO$"):
        theano.function([], T.constant(1), mode="FOO")


def test_shapes_that_do_not_fit() -> None:
    x, y = T.dmatrices("xy")
    f = theano.function([x, y], x + y)
    message = "Input dimension mis-match. (input[0].shape[0] = 1, input[1].shape[0] = 2)"
    with pytest.raises(ValueError, match=text(message)):
        f(np.ones((1, 3)), np.ones((2, 3)))
    g = theano.function([x, y], T.dot(x, y))
    with pytest.raises(ValueError, match="not aligned"):
        g(np.ones((4, 3)), np.ones((2, 3)))


def test_a_class_out_of_range_changes_nothing() -> None:
    w, x, y = theano.shared(np.zeros((2, 3)), name="w"), T.dmatrix("x"), T.ivector("y")
    loss = -T.mean(T.log(T.nnet.softmax(T.dot(x, w)))[T.arange(y.shape[0]), y])
    train = theano.function([x, y], loss, updates=[(w, w - T.grad(loss, w))])
    for bad in (3, -4):
        with pytest.raises(IndexError, match=f"index {bad} is out of bounds for size 3"):
            train(np.ones((2, 2)), [0, bad])
    assert not w.get_value().any()
    assert train(np.ones((2, 2)), [0, -1]) == pytest.approx(np.log(3))
    assert w.get_value().any()


# --- gradients


def test_gradients_have_the_form_of_wrt() -> None:
    x, y = T.dvectors("xy")
    cost = T.sum(x * y)
    assert isinstance(T.grad(cost, x), T.TensorVariable)
    assert isinstance(T.grad(cost, [x, y]), list)
    assert isinstance(T.grad(cost, (x, y)), tuple)
    assert T.grad(cost, [x, y])[0].eval({y: [1.0, 2.0], x: [0.0, 0.0]}).tolist() == [1, 2]


def test_the_cost_is_a_scalar() -> None:
    x = T.dvector("x")
    with pytest.raises(TypeError, match=r"^cost must be a scalar\.$"):
        T.grad(x * 2, x)


def test_disconnected_inputs() -> None:
    x, m = T.dvector("x"), T.dmatrix("m")
    cost = T.sum(x**2)
    with pytest.raises(DisconnectedInputError, match="Backtrace when that variable is created:"):
        T.grad(cost, m)
    message = "is used only by a non-differentiable operator: m"
    with pytest.warns(UserWarning, match=message):
        T.grad(cost, m, disconnected_inputs="warn")
    zeros = T.grad(cost, m, disconnected_inputs="ignore")
    assert zeros.eval({m: np.ones((2, 3))}).tolist() == [[0] * 3] * 2
    options = {"disconnected_inputs": "ignore"}
    assert T.grad(cost, [x, m], return_disconnected="None", **options)[1] is None
    kind = T.grad(cost, m, return_disconnected="Disconnected", **options)
    assert type(kind.type if hasattr(kind, "type") else kind).__name__ == "DisconnectedType"


def test_known_gradients_and_constants() -> None:
    x = T.dvector("x")
    y = x**2
    g = T.grad(None, x, known_grads={y: T.constant([1.0, 10.0])})
    assert g.eval({x: [1.0, 2.0]}).tolist() == [2, 40]
    g = T.grad(T.sum(x * y), x, consider_constant=[y])
    assert g.eval({x: [3.0]}).tolist() == [9]


def test_integers_and_places_have_zero_gradients() -> None:
    i, x = T.ivector("i"), T.dvector("x")
    g = T.grad(T.sum(x * i), i)
    assert theano.function([i], g)([1, 2]).tolist() == [0, 0]
    place = T.grad(T.cast(T.argmax(x), "float64"), x, disconnected_inputs="ignore")
    assert place.eval({x: [1.0, 3.0]}).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("function", "at", "slope"),
    [
        (T.max, [1.0, 3.0, 3.0], [0, 1, 1]),
        (T.min, [1.0, 1.0, 3.0], [1, 1, 0]),
        (lambda x: T.sum(T.maximum(x, T.constant([1.0, 2.0, 3.0]))), [1.0, 1.0, 4.0], [1, 0, 1]),
        (lambda x: T.sum(T.maximum(T.constant([1.0]), x)), [1.0, 2.0, 0.0], [0, 1, 0]),
        (lambda x: T.sum(T.minimum(x, T.constant([1.0]))), [1.0, 2.0, 0.0], [1, 0, 1]),
        (lambda x: T.sum(T.clip(x, 0.0, 1.0)), [0.0, 0.5, 1.0], [1, 1, 1]),
        (lambda x: T.sum(T.clip(x, 0.0, 1.0)), [-0.1, 0.5, 1.1], [0, 1, 0]),
        (lambda x: T.sum(abs(x)), [-1.0, 0.0, 2.0], [-1, 0, 1]),
        (lambda x: T.sum(T.sqrt(x)), [0.0, 1.0, 4.0], [np.inf, 0.5, 0.25]),
        (lambda x: T.sum(T.nnet.relu(x)), [-1.0, 0.0, 1.0], [0, 0.5, 1]),
        (lambda x: T.sum(disconnected_grad(x) * x), [1.0, 2.0, 3.0], [1, 2, 3]),
        (lambda x: T.sum(zero_grad(x) * x), [1.0, 2.0, 3.0], [1, 2, 3]),
        (lambda x: T.sum(grad_clip(x, -1, 1) ** 2), [0.25, -3.0, 3.0], [0.5, -1, 1]),
    ],
)
def test_gradients_at_special_points(function: Any, at: list[float], slope: list[float]) -> None:
    x = T.dvector("x")
    assert T.grad(function(x), x).eval({x: at}).tolist() == slope


def test_jacobian_and_hessian() -> None:
    x = T.dvector("x")
    value = {x: [1.0, 2.0, 3.0]}
    assert T.jacobian(x**2, x).eval(value).tolist() == np.diag([2.0, 4.0, 6.0]).tolist()
    assert T.hessian(T.sum(x**3), x).eval(value).tolist() == np.diag([6.0, 12.0, 18.0]).tolist()


def test_jacobian_by_a_shared_variable_and_beside_one() -> None:
    x, w = T.dvector("x"), theano.shared(np.array([1.0, 2.0, 3.0]), "w")
    w.default_update = w + 1
    f = theano.function([x], [T.jacobian(w * x**2, x), T.jacobian(w * x, w)])
    for scale in (np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.0])):
        by_x, by_w = f([1.0, 2.0, 3.0])
        assert by_x.tolist() == np.diag(scale * [2, 4, 6]).tolist()
        assert by_w.tolist() == np.diag([1.0, 2.0, 3.0]).tolist()


def test_products_with_jacobians() -> None:
    w, x, v = T.dmatrix("w"), T.dvector("x"), T.dvector("v")
    y = T.dot(x, w)
    value = np.arange(6.0).reshape(2, 3)
    left = T.Lop(y, x, v)
    assert left.eval({w: value, v: [1.0, 0.0, 2.0]}).tolist() == [4, 13]
    right = T.Rop(y, x, v)
    assert right.eval({w: value, v: [1.0, 2.0]}).tolist() == [6, 9, 12]


# --- pickling and copying


class Model:
    def __init__(self) -> None:
        self.w = theano.shared(np.array([[1.0, -1.0], [2.0, 0.5]]), name="w")
        self.input = T.dmatrix("x")
        self.p = T.nnet.softmax(T.dot(self.input, self.w))
        self.y = T.argmax(self.p, axis=1)


@pytest.mark.parametrize(
    "again", [lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy], ids=["pickle", "deepcopy"]
)
def test_a_model_is_compiled_from_its_copy(again: Any) -> None:
    model = Model()
    other = again(model)
    model.w.set_value(-model.w.get_value())
    predict = theano.function(inputs=[other.input], outputs=other.y)
    assert predict([[1.0, 0.0], [0.0, -1.0]]).tolist() == [0, 1]
    shown = theano.function([other.input], other.y, givens={other.p: other.p * 2})
    assert shown([[1.0, 0.0]]).tolist() == [0]


def test_functions_are_pickled_and_copied() -> None:
    s, x = theano.shared(1.0, name="s"), T.dscalar("x")
    f = theano.function([x], s * x, updates=[(s, s + 1)], name="f")
    for again in (pickle.loads(pickle.dumps(f)), copy.deepcopy(f)):
        assert [float(again(10.0)), float(again(10.0))] == [10, 20]
    assert s.get_value() == 1
    other = theano.shared(5.0, name="other")
    swapped = f.copy(swap={s: other})
    frozen = f.copy(delete_updates=True, name="frozen")
    assert (float(swapped(2.0)), float(other.get_value())) == (10, 6)
    assert (float(frozen(2.0)), float(s.get_value())) == (2, 1)
    assert frozen.name == "frozen"
