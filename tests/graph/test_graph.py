"""Nodes, their origins, traversal and rebuilding of graphs; dims and parameters."""

from __future__ import annotations

import numpy as np
import pytest

import arignote
import arignote.tensor as T
from arignote.graph import dim, walk
from arignote.graph.dim import Expr, build
from arignote.graph.op import OPS, Params, op_named
from arignote.graph.variable import origin_of
from helpers.evaluate import evaluate


def test_nodes_know_the_line_that_built_them() -> None:
    x = T.dmatrix("x")
    y = T.nnet.relu(x).mean()
    line = int(y.origin.line) if y.origin is not None else 0
    for node in walk.toposort([y]):
        assert node.origin is not None
        assert node.origin.file == __file__
        assert node.origin.line == line
        assert node.origin.function == "test_nodes_know_the_line_that_built_them"
    with origin_of(x.origin):
        assert T.exp(x).origin == x.origin


def test_errors_at_run_time_name_the_line() -> None:
    x, y = T.dvectors("xy")
    total = x + y
    f = arignote.function([x, y], T.exp(total))
    with pytest.raises(ValueError, match="Input dimension mis-match") as caught:
        f([1.0], [1.0, 2.0])
    notes = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])
    assert total.origin is not None
    assert f"line {total.origin.line}" in notes
    assert __file__ in notes


def test_ancestors_come_inputs_first_and_once() -> None:
    x, y = T.dscalars("xy")
    z = x * y
    total = T.exp(z) + z
    found = list(walk.ancestors([total, z]))
    assert len(found) == len(set(found)) == 5
    assert found.index(z) < found.index(total)
    assert next(walk.ancestors([total], stop=lambda v: v is z)) is z
    assert walk.graph_inputs([total]) == [x, y]


def test_inputs_by_kind() -> None:
    x, w = T.dscalar("x"), arignote.shared(1.5, name="w")
    y = x * w + 2
    assert walk.free_inputs([y]) == [x]
    assert walk.shared_inputs([y]) == [w]
    assert len(walk.graph_inputs([y])) == 3


def test_deep_graphs_need_no_deep_stack() -> None:
    x = T.dscalar("x")
    y = x
    for _ in range(20_000):
        y = y + x
    assert len(walk.toposort([y])) == 20_000
    (z,) = walk.replace([y], {x: T.constant(1.0)})
    assert evaluate(z) == 20_001


def test_replacing() -> None:
    x, y = T.dvectors("xy")
    z = T.exp(x)
    z.name = "z"
    total = z * x
    (other,) = walk.replace([total], {x: y})
    assert walk.free_inputs([other]) == [y]
    assert other.owner.inputs[0].name == "z"
    assert other.origin == total.origin
    assert walk.replace([total], {y: x}) == [total]
    (inner,) = walk.replace([total], {z: y})
    assert evaluate(inner, {x: [2.0], y: [3.0]}).tolist() == [6.0]
    # A replacement is not searched for what is to be replaced.
    (twice,) = walk.replace([total], {x: x + 1})
    assert evaluate(twice, {x: [0.0]}).tolist() == [np.exp(1.0)]


def test_replacing_by_another_type_infers_anew() -> None:
    x = T.dmatrix("x")
    (total,) = walk.replace([x + T.drow("r")], {x: T.frow("y")})
    assert total.type == T.drow


def test_clients() -> None:
    x = T.dscalar("x")
    y = x * x
    (node, first), (same, second) = walk.clients([y])[x]
    assert node is same is y.owner
    assert (first, second) == (0, 1)


def test_nodes_as_text() -> None:
    x = T.dmatrix("x")
    assert str((x + 1).owner) == "Elemwise{add,no_inplace}(x, InplaceDimShuffle{x,x}.0)"
    assert T.sum(x, axis=1).owner.label == "Sum{axis=[1]}"
    assert T.sum(x).owner.label == "Sum"
    assert x[0, 1:].owner.label == "Subtensor{int64, int64::}"
    assert x[:, 1:2].owner.label == "Subtensor{::, int64:int64:}"
    assert T.cast(x, "int32").owner.label == "Elemwise{Cast{int32},no_inplace}"


def test_params_are_values() -> None:
    first, second = Params({"axis": (0,), "keep": True}), Params({"keep": True, "axis": (0,)})
    assert first == second
    assert hash(first) == hash(second)
    assert first != Params({"axis": (1,), "keep": True})
    assert repr(first) == "axis=(0,), keep=True"
    assert dict(first) == {"axis": (0,), "keep": True}


def test_ops_are_found_by_name() -> None:
    assert op_named("add") is OPS["add"]
    with pytest.raises(KeyError):
        op_named("no such op")


N, M = Expr("shape", ("x", 0)), Expr("shape", ("y", 1))


def test_dims_fold() -> None:
    assert N + 0 is N
    assert 0 + N is N
    assert N - N == 0
    assert 1 * N is N
    assert N * 0 == 0
    assert N // 1 is N
    assert build("min", N, N) is N
    assert build("wrap", 3, N) == 3
    assert build("add", 2, 3) == 5
    assert dim.product((N, 2)) == N * 2
    assert dim.product(()) == 1


def test_dims_as_text_and_as_values() -> None:
    expression = (N + 1) * M - 2 // M
    assert str(expression) == "(((shape(x, 0) + 1) * shape(y, 1)) - (2 // shape(y, 1)))"
    values = {N: 4, M: 3}
    assert dim.evaluate(expression, values.__getitem__) == 15
    assert dim.evaluate(-N, values.__getitem__) == -4
    assert dim.evaluate(build("wrap", build("sub", 0, M), N), values.__getitem__) == 1
    assert dim.evaluate(dim.maximum(N, M), values.__getitem__) == 4
    assert dim.evaluate(dim.minimum(N, M), values.__getitem__) == 3


@pytest.mark.parametrize(("bits", "value", "wanted"), [(8, 200, -56), (16, -40000, 25536)])
def test_dims_wrap_as_integers_do(bits: int, value: int, wanted: int) -> None:
    assert build(f"int{bits}", value) == wanted


def test_division_by_zero_is_zero() -> None:
    assert build("floordiv", 5, 0) == build("mod", 5, 0) == 0
