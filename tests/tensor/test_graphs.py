"""Conditionals, test values, and graphs as values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import arignote
import arignote.tensor as T
from arignote.tensor import graphs
from arignote.tensor.control import ifelse
from arignote.tensor.testvalue import get_test_value
from helpers.evaluate import evaluate

# --- ifelse


def test_ifelse_takes_one_branch() -> None:
    c, x, y = T.bscalar("c"), T.dvector("x"), T.dvector("y")
    f = arignote.function([c, x, y], ifelse(c, x * 2, y.sum(keepdims=True)))
    assert f(1, [1.0, 2.0], [3.0]).tolist() == [2.0, 4.0]
    assert f(0, [1.0, 2.0], [3.0, 4.0]).tolist() == [7.0]
    g = arignote.function([x, y], ifelse(T.lt(x.sum(), y.sum()), x, y))
    assert g([1.0], [2.0, 3.0]).tolist() == [1.0]


def test_ifelse_of_lists() -> None:
    c, x, y = T.scalar("c"), T.dvector("x"), T.dscalar("y")
    first, second = ifelse(c, [x, y], (x + 1, y + 1), name="chosen")
    assert first.name == second.name == "chosen"
    assert evaluate([first, second], {c: 0, x: [1.0], y: 5.0})[1] == 6
    with pytest.raises(ValueError, match="must have the same number of values"):
        ifelse(c, [x], [x, x])
    with pytest.raises(ValueError, match="must have the same number of values"):
        ifelse(c, [x], x)


def test_ifelse_branches_have_one_type() -> None:
    text = (
        r"The two branches should have identical types, but they are TensorType\(float64, vector\)"
    )
    with pytest.raises(TypeError, match=text):
        ifelse(T.bscalar(), T.dvector(), T.fvector())
    with pytest.raises(TypeError, match=text):
        ifelse(T.bscalar(), T.dvector(), T.dmatrix())
    with pytest.raises(TypeError, match="condition must be a boolean scalar"):
        ifelse(T.bvector(), T.dvector(), T.dvector())


# --- test values


def test_test_values_are_computed_as_the_graph_is_built() -> None:
    x = T.dmatrix("x")
    x.tag.test_value = np.ones((2, 3))
    w = arignote.shared(np.arange(3.0), name="w")
    with arignote.config.changed(compute_test_value="raise"):
        y = T.dot(x, w) + 1
        gradient = T.grad(T.log(T.nnet.softmax(x))[0, 0], x)
    assert get_test_value(y).tolist() == [4.0, 4.0]
    assert get_test_value(gradient).shape == (2, 3)
    assert y.owner.inputs[0].tag.test_value.tolist() == [3.0, 3.0]
    assert not hasattr((y * 2).tag, "test_value")
    assert get_test_value(y * 2).tolist() == [8.0, 8.0]


def test_a_mistake_shows_at_its_own_line() -> None:
    x, y, i = T.dmatrix("x"), T.dmatrix("y"), T.lscalar("i")
    x.tag.test_value, y.tag.test_value, i.tag.test_value = np.ones((2, 3)), np.ones((1, 3)), 4
    with arignote.config.changed(compute_test_value="raise"):
        with pytest.raises(ValueError, match="Input dimension mis-match"):
            x + y
        with pytest.raises(ValueError, match="shapes not aligned"):
            T.dot(x, x)
        with pytest.raises(IndexError, match="index 4 is out of bounds for size 2"):
            x[i]
        with pytest.raises(ValueError, match="cannot reshape array of size 6"):
            x.reshape((i, 2))


def test_a_missing_test_value() -> None:
    x, y = T.dvector("x"), T.dvector("y")
    x.tag.test_value = np.ones(2)
    text = (
        r"Cannot compute test value: input 1 \(y\) of Op Elemwise\{add,no_inplace\}\(x, y\) "
        r"missing default value\."
    )
    flag = arignote.config.changed
    with flag(compute_test_value="raise"), pytest.raises(ValueError, match=text):
        x + y
    with flag(compute_test_value="warn"), pytest.warns(UserWarning, match=text):
        x + y
    with flag(compute_test_value="ignore"):
        z = x + y
        assert (x * 2).tag.test_value.tolist() == [2.0, 2.0]
    assert not hasattr(z.tag, "test_value")
    with pytest.raises(AttributeError, match="y has no test value"):
        get_test_value(z)


def test_a_test_value_must_fit_its_type() -> None:
    x = T.fvector("x")
    for wrong in (np.ones((2, 2), "float32"), np.ones(2), "text"):
        x.tag.test_value = wrong
        with pytest.raises(
            TypeError, match="one input test value does not have the requested type"
        ):
            get_test_value(x)


def test_compiling_computes_no_test_values() -> None:
    x = T.dvector("x")
    y = T.log(T.nnet.sigmoid(x))
    with arignote.config.changed(compute_test_value="raise"):
        assert arignote.function([x], y)([-1000.0]).tolist() == [-1000.0]


# --- graphs as values


def test_inputs_and_order() -> None:
    x, y = T.dscalars("xy")
    z = T.exp(x * y)
    assert graphs.inputs([z]) == [x, y]
    assert graphs.ancestors([z])[-1] is z
    assert [node.op.name for node in graphs.io_toposort([x, y], [z])] == ["mul", "exp"]
    product = z.owner.inputs[0]
    assert [node.op.name for node in graphs.io_toposort([product], [z])] == ["exp"]


def test_equality_of_computations() -> None:
    x, y = T.dvectors("xy")
    assert graphs.is_same_graph(T.exp(x) + 1, T.exp(x) + 1)
    assert not graphs.is_same_graph(T.exp(x) + 1, T.exp(x) + 2)
    assert not graphs.is_same_graph(x + 1, y + 1)
    assert graphs.is_same_graph(x + 1, y + 1, givens={y: x})
    assert graphs.equal_computations([x + 1, x], [y + 1, y], [x], [y])
    assert not graphs.equal_computations([x], [x, x])
    assert not graphs.equal_computations([x], [T.fvector()], [x], [])


def test_clone() -> None:
    x, y = T.dvectors("xy")
    z = T.exp(x)
    (other,) = arignote.clone([z], replace=[(x, y)])
    assert graphs.inputs([other]) == [y]
    assert arignote.clone(z, replace={x: 2 * y}).owner.inputs[0].owner.inputs[1] is y
    fresh = arignote.clone(z, share_inputs=False)
    (new,) = graphs.inputs([fresh])
    assert new is not x
    assert (new.type, new.name) == (x.type, "x")
    with pytest.raises(TypeError, match="a replacement must have the type of what it replaces"):
        arignote.clone(z, replace={x: T.fvector()})
    assert arignote.clone(z, replace={x: T.fvector()}, strict=False).dtype == "float32"


def test_eval_keeps_its_function(monkeypatch: pytest.MonkeyPatch) -> None:
    import arignote.run.function as module

    made: list[Any] = []
    function = module.function

    def counted(*args: Any, **kwargs: Any) -> Any:
        made.append(args)
        return function(*args, **kwargs)

    monkeypatch.setattr(module, "function", counted)
    x, y = T.dscalars("xy")
    z = x + y
    assert z.eval({x: 1.0, y: 2.0}) == 3
    assert z.eval({y: 3.0, x: 2.0}) == 5
    assert len(made) == 1
    with pytest.raises(ValueError, match="was not provided and not given a value"):
        z.eval({x: 1.0})
