"""Ops of the user's own: classes with make_node, perform and grad, as Theano takes them."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.errors import NullTypeGradError
from arignote.graph.op import op_named
from helpers.own_ops import Positive, Scaled

MODES = ["native", "reference", "check"]


@pytest.mark.parametrize("mode", MODES)
def test_an_op_within_a_function(mode: str) -> None:
    x, w = T.dmatrix("x"), theano.shared(np.ones((2, 3)), "w")
    y = Scaled(3.0)(x)
    f = theano.function([x], T.exp(y).sum(), updates=[(w, w + y)], mode=mode)
    given = np.arange(6.0).reshape(2, 3)
    assert np.isclose(f(given), np.exp(given * 3).sum())
    assert w.get_value().tolist() == (given * 3 + 1).tolist()


def test_gradients_come_from_the_op() -> None:
    x = T.dvector("x")
    slope = theano.function([x], T.grad((Scaled(3.0)(x) ** 2).sum(), x))
    assert slope([1.0, -2.0]).tolist() == [18.0, -36.0]
    T.verify_grad(Scaled(0.5), [np.array([[1.0, 2.0]])], rng=np.random.default_rng(0))
    forward = theano.function([x], T.Rop(Scaled(2.0)(x), x, x))
    assert forward([1.0, 2.0]).tolist() == [2.0, 4.0]
    with pytest.raises(NullTypeGradError, match=r"the op Positive has no gradient: it needs"):
        T.grad(Positive()(x)[1], x)


def test_gradients_by_l_op() -> None:
    class Exponential(theano.Op):
        itypes = (T.dvector,)
        otypes = (T.dvector,)

        def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
            output_storage[0][0] = np.exp(inputs[0])

        def L_op(self, inputs: Any, outputs: Any, output_gradients: Any) -> Any:
            return [outputs[0] * output_gradients[0]]

    T.verify_grad(Exponential(), [np.array([0.5, 1.0])], rng=np.random.default_rng(0))
    with pytest.raises(TypeError, match=r"\[Exponential\] inputs must be of types"):
        Exponential()(T.dmatrix())


@pytest.mark.parametrize("mode", MODES)
def test_shapes_that_only_the_op_knows(mode: str) -> None:
    x = T.dvector("x")
    kept, total = Positive()(x)
    again, _ = Positive()(Scaled(-1.0)(T.concatenate([kept, -x])))
    f = theano.function([x], [kept * 2, total, kept.shape, again], mode=mode)
    for given in ([1.0, -2.0, 3.0], [-1.0], []):
        array = np.array(given)
        positive = array[array > 0]
        double, summed, shape, last = f(array)
        assert double.tolist() == (positive * 2).tolist()
        assert summed == positive.sum()
        assert shape.tolist() == [len(positive)]
        assert last.tolist() == positive.tolist()


def test_equal_ops_are_computed_once() -> None:
    x = T.dvector("x")
    assert Scaled(2.0) == Scaled(2.0) != Scaled(3.0)
    assert Positive() != Positive()
    assert (str(Scaled(2.0)), str(Positive())) == ("Scaled{factor=2.0}", "Positive")
    f = theano.function([x], [Scaled(2.0)(x), Scaled(2.0)(x) + 1, Scaled(3.0)(x)])
    assert [step.op for step in f.plan.steps].count("classic") == 2


def test_graphs_and_functions_with_them_pickle() -> None:
    x = T.dvector("x")
    f = theano.function([x], Scaled(2.0)(x))
    for again in (pickle.loads(pickle.dumps(f)), copy.deepcopy(f), f.copy()):
        assert again([1.0]).tolist() == [2.0]
    inputs, output = pickle.loads(pickle.dumps(([x], Positive()(x)[0])))
    assert theano.function(inputs, output)([1.0, -1.0]).tolist() == [1.0]


def test_what_programs_ask_of_nodes() -> None:
    x = T.dvector("x")
    y = Scaled(2.0)(x)
    assert isinstance(y.owner, theano.Apply)
    assert isinstance(y.owner, theano.gof.graph.Apply)
    assert Positive()(x)[0].name == "kept"
    nodes = theano.function([x], T.exp(y)).maker.fgraph.toposort()
    own = next(node for node in nodes if isinstance(node.op, Scaled))
    assert (own.op, own.inputs) == (Scaled(2.0), [x])
    assert isinstance(op_named("exp"), theano.gof.Op)
    assert not isinstance(op_named("exp"), Scaled)


def test_inputs_cannot_be_overwritten() -> None:
    class Careless(theano.Op):
        def make_node(self, x: Any) -> Any:
            return theano.Apply(self, [x], [x.type()])

        def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
            inputs[0] += 1
            output_storage[0][0] = inputs[0]

    w = theano.shared(np.ones(2))
    with pytest.raises(ValueError, match="read-only"):
        theano.function([], Careless()(w))()
    assert w.get_value().tolist() == [1, 1]


def test_mistakes_of_an_op_are_named() -> None:
    x = T.dvector("x")

    class Bare(theano.Op):
        itypes = (T.dvector,)
        otypes = (T.dvector,)

    class Wrong(Bare):
        result: Any = None

        def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
            output_storage[0][0] = self.result

        def infer_shape(self, node: Any, input_shapes: Any) -> Any:
            return input_shapes

        def grad(self, inputs: Any, output_gradients: Any) -> Any:
            return []

    with pytest.raises(NotImplementedError, match=r"\[Bare\] an op needs perform"):
        theano.function([x], Bare()(x))([1.0])
    with pytest.raises(NotImplementedError, match=r"needs make_node, or itypes and otypes"):
        theano.Op()(x)
    op = Wrong()
    f = theano.function([x], op(x))
    for op.result, found in (
        (None, "nothing"),
        (np.zeros(1, "float32"), "float32 of rank 1"),
        (1.0, "float64 of rank 0"),
    ):
        with pytest.raises(TypeError, match=rf"TensorType\(float64, vector\) .*: {found}"):
            f([1.0])
    op.result = np.zeros(3)
    with pytest.raises(Exception, match=r"shape|length"):
        f([1.0])
    with pytest.raises(ValueError, match=r"grad must return 1 gradients: 0"):
        T.grad(op(x).sum(), x)
    with pytest.raises(TypeError, match=r"\[Apply\] op must be an instance of a subclass of Op"):
        theano.Apply(op_named("exp"), [x], [x])
    with pytest.raises(TypeError, match=r"must be a subclass of arignote\.gof\.Op"):
        type("Own", (type(op_named("exp")),), {"__module__": "somewhere"})
