"""Pickles and deep copies of variables, graphs, constants and shared variables."""

from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import arignote
import arignote.tensor as T
from arignote.graph import walk
from arignote.graph.dim import Expr, build
from arignote.graph.op import Params
from helpers.evaluate import evaluate

Again = Callable[[Any], Any]


def pickled(item: Any) -> Any:
    return pickle.loads(pickle.dumps(item))


def pickled_in_python(item: Any) -> Any:
    file = io.BytesIO()
    pickle._Pickler(file).dump(item)  # type: ignore[attr-defined]
    return pickle._loads(file.getvalue())  # type: ignore[attr-defined]


def pickled_by(protocol: int) -> Again:
    return lambda item: pickle.loads(pickle.dumps(item, protocol))


WAYS: dict[str, Again] = {
    "pickle": pickled,
    "pickle in Python": pickled_in_python,
    **{f"protocol {number}": pickled_by(number) for number in range(6)},
    "deepcopy": copy.deepcopy,
}
every_way = pytest.mark.parametrize("again", WAYS.values(), ids=WAYS)


@every_way
def test_inputs(again: Again) -> None:
    x = T.drow("x")
    x.tag.test_value = np.array([[1.0, 2.0]])
    y = again(x)
    assert y is not x
    assert (type(y), y.type, y.name, y.owner, y.origin) == (type(x), x.type, "x", None, x.origin)
    np.testing.assert_array_equal(y.tag.test_value, x.tag.test_value)


@every_way
def test_constants(again: Again) -> None:
    c = T.constant([1.0, 2.0], name="c")
    d = again(c)
    assert isinstance(d, T.TensorConstant)
    assert (d.name, d.type, d.data.tolist()) == ("c", c.type, [1.0, 2.0])
    assert not d.data.flags.writeable


@every_way
def test_shared_variables(again: Again) -> None:
    w = arignote.shared(np.array([1.0, 2.0]), name="w")
    w.default_update = w * 2
    v = again(w)
    assert isinstance(v, T.TensorSharedVariable)
    assert (v.name, v.type, v.get_value().tolist()) == ("w", w.type, [1.0, 2.0])
    assert v.default_update.owner.inputs[0] is v
    v.set_value([5.0, 6.0])
    assert w.get_value().tolist() == [1.0, 2.0]


@every_way
def test_graphs(again: Again) -> None:
    x, w = T.dmatrix("x"), arignote.shared(np.array([[1.0, 2.0, 4.0]] * 2), name="w")
    y = T.exp(x * w).sum(axis=0)
    y.name = "y"
    z = again(y)
    assert z.name == "y"
    (v,) = walk.free_inputs([z])
    assert v is not x
    np.testing.assert_array_equal(evaluate(z, {v: np.ones((2, 3))}), 2 * np.exp([1.0, 2.0, 4.0]))
    assert z.owner.origin == y.owner.origin


@every_way
def test_what_variables_share_stays_shared(again: Again) -> None:
    x, w = T.dmatrix("x"), arignote.shared(np.eye(2), name="w")
    p = T.nnet.softmax(T.dot(x, w))
    model = {"input": x, "params": [w], "p": p, "y": T.argmax(p, axis=1), "row": p[0]}
    other = again(model)
    assert other["y"].owner.inputs[0] is other["p"]
    assert walk.free_inputs([other["y"]]) == [other["input"]]
    assert walk.shared_inputs([other["p"]]) == other["params"]
    again_set = T.set_subtensor(other["row"], 0)
    value = evaluate(again_set, {other["input"]: np.eye(2)})
    assert value[0].tolist() == [0, 0]


@every_way
def test_nodes_with_several_outputs(again: Again) -> None:
    x = T.dmatrix("x")
    rows, columns = (x > 1).nonzero()
    again_rows, again_columns = again((rows, columns))
    assert again_rows.owner is again_columns.owner
    assert (again_rows.index, again_columns.index) == (0, 1)


@pytest.mark.parametrize("way", ["pickle", "pickle in Python", "deepcopy"])
def test_graphs_deeper_than_the_stack(way: str) -> None:
    x = y = T.dscalar("x")
    for number in range(5_000):
        y = y + (x if number % 2 else 1)
    again = WAYS[way]
    z = again([y, x])
    assert evaluate(z[0], {z[1]: 3.0}) == 3 + 2_500 * 4


def test_copies_are_shallow() -> None:
    x = T.dvector("x")
    y = T.exp(x)
    z = copy.copy(y)
    assert z is not y
    assert z.owner is y.owner
    z.name = "z"
    assert y.name is None


def test_a_failed_pickle_leaves_nothing_behind() -> None:
    x = T.dscalar("x")
    bad = T.exp(x)
    bad.tag.note = lambda: None
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(bad + 1)
    deep = x
    for _ in range(3_000):
        deep = deep + 1
    assert evaluate(pickled([deep, x])[0].owner.inputs[1]) == 1


def test_hashes_are_made_anew() -> None:
    # The hash of a string differs from process to process: it must not travel in a pickle.
    params = Params({"axis": (0, 1), "name": "sum"})
    dim = build("mul", Expr("shape", ("x", 0)), 2)
    hash(params), hash(dim)
    program = """
import pickle, sys
from arignote.graph.dim import Expr, build
from arignote.graph.op import Params
params, dim = pickle.loads(sys.stdin.buffer.read())
assert hash(params) == hash(Params({"axis": (0, 1), "name": "sum"}))
assert hash(dim) == hash(build("mul", Expr("shape", ("x", 0)), 2))
"""
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", program],
            input=pickle.dumps((params, dim)),
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
        )


def test_a_pickled_model_is_compiled_in_another_process() -> None:
    x, w = T.dmatrix("x"), arignote.shared(np.array([[1.0], [2.0]]), name="w")
    model = {"input": x, "y": T.dot(x, w) + 1}
    program = """
import pickle, sys
import arignote
model = pickle.loads(sys.stdin.buffer.read())
f = arignote.function([model["input"]], model["y"])
assert f([[1.0, 1.0], [2.0, 0.0]]).tolist() == [[4.0], [3.0]]
"""
    subprocess.run(
        [sys.executable, "-c", program],
        input=pickle.dumps(model),
        check=True,
        env={"PYTHONPATH": ":".join(filter(None, sys.path))},
    )
