"""Dims: the native evaluator, Python's, and what is folded when they are built agree."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arignote.errors import PlanError
from arignote.graph import dim as dim_module
from arignote.graph.dim import OPERATIONS, Dim, Expr, build, evaluate, is_length
from arignote.graph.op import Params
from arignote.graph.type import TensorType
from arignote.plan import reference
from arignote.plan.parse import parse, parse_dim
from arignote.plan.plan import Input, Plan, Scalar, Step, Temp
from arignote.plan.verify import verify
from arignote.run import native

SOURCES = {Expr("value", ("a",)): "a", Expr("value", ("b",)): "b", Expr("shape", ("v", 1)): "v"}
UNARY = ("int8", "int16", "int32")
BINARY = tuple(name for name in OPERATIONS if name not in UNARY)
EDGES = [0, 1, -1, 2, -2, 7, -7, 2**31, -(2**31), 2**62, 2**63 - 1, -(2**63)]

integers = st.one_of(st.sampled_from(EDGES), st.integers(-(2**63), 2**63 - 1))
small = st.integers(-9, 9)


def expressions(constants: st.SearchStrategy[int], folded: bool) -> st.SearchStrategy[Dim]:
    """Draw expressions over the sources, made by ``build`` or as they are written."""

    def make(op: str, *args: Dim) -> Dim:
        return build(op, *args) if folded else Expr(op, args)

    def grow(inner: st.SearchStrategy[Dim]) -> st.SearchStrategy[Dim]:
        return st.one_of(
            st.builds(make, st.sampled_from(BINARY), inner, inner),
            st.builds(make, st.sampled_from(UNARY), inner),
        )

    return st.recursive(st.one_of(constants, st.sampled_from(list(SOURCES))), grow, max_leaves=12)


def plan_of(dims: Sequence[Dim]) -> Plan:
    """Return a plan that returns the values of dims."""
    scalar = TensorType("int64", ())
    numbers = range(len(dims))
    return Plan(
        "dims",
        (
            Input("a", scalar, ()),
            Input("b", scalar, ()),
            Input("v", TensorType("bool", (False, False)), (0, Expr("shape", ("v", 1)))),
            *(Scalar(f"n{k}", scalar, dim) for k, dim in enumerate(dims)),
            *(Temp(f"t{k}", scalar, ()) for k in numbers),
        ),
        (),
        tuple(Step("copy", Params({}), (f"n{k}",), (f"t{k}",)) for k in numbers),
        tuple(f"t{k}" for k in numbers),
        (),
    )


def arguments(a: int, b: int, length: int) -> list[Any]:
    return [np.asarray(a), np.asarray(b), np.zeros((0, length), "bool")]


def in_python(dim: Dim, a: int, b: int, length: int) -> int:
    values = {"a": a, "b": b, "v": length}
    return evaluate(dim, lambda source: values[SOURCES[source]])


@settings(max_examples=60, deadline=None)
@given(st.lists(expressions(integers, False), min_size=1, max_size=6), integers, integers)
def test_native_equals_python(dims: list[Dim], a: int, b: int) -> None:
    plan = plan_of(dims)
    verify(plan)
    program = native.load(plan, {})
    f = native.Function(program, [], "list", [False] * len(dims), ["strict"] * program.n_inputs)
    given = arguments(a, b, 5)
    wanted = [in_python(dim, a, b, 5) for dim in dims]
    assert f(*given) == wanted
    outputs, _ = reference.run(plan, given, [])
    assert outputs == wanted


@settings(max_examples=100, deadline=None)
@given(expressions(small, True), small, small, st.integers(0, 9))
def test_what_is_called_a_length_is_not_negative(dim: Dim, a: int, b: int, length: int) -> None:
    assert in_python(dim, a, b, length) >= 0 or not is_length(dim)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(BINARY), st.data())
def test_each_fold_keeps_the_value(op: str, data: st.DataObject) -> None:
    left, right = (data.draw(expressions(small, True)) for _ in range(2))
    a, b, length = data.draw(small), data.draw(small), data.draw(st.integers(0, 9))
    folded = in_python(build(op, left, right), a, b, length)
    assert folded == in_python(Expr(op, (left, right)), a, b, length)


@settings(max_examples=60, deadline=None)
@given(expressions(integers, False))
def test_text_is_read_back(dim: Dim) -> None:
    plan = plan_of([dim])
    assert parse(str(plan)) == plan


@pytest.mark.parametrize(
    ("op", "a", "b", "expected"),
    [
        ("floordiv", 7, -2, -4),
        ("floordiv", -7, 2, -4),
        ("floordiv", 7, 0, 0),
        ("floordiv", -(2**63), -1, -(2**63)),
        ("mod", -7, 3, 2),
        ("mod", 7, -3, -2),
        ("mod", 7, 0, 0),
        ("mul", 2**62, 4, 0),
        ("add", 2**63 - 1, 1, -(2**63)),
        ("sub", -(2**63), 1, 2**63 - 1),
        ("wrap", -1, 5, 4),
        ("wrap", -(2**63), -1, 2**63 - 1),
        ("lt", -1, 0, 1),
        ("eq", 3, 3, 1),
    ],
)
def test_operations(op: str, a: int, b: int, expected: int) -> None:
    assert build(op, a, b) == OPERATIONS[op](a, b) == expected


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint32", "uint64", "int64", "bool"])
def test_integers_of_every_dtype_are_read_alike(dtype: str) -> None:
    scalar = TensorType("int64", ())
    value = Expr("add", (Expr("value", ("a",)), 0))
    plan = Plan(
        "value",
        (Input("a", TensorType(dtype, ()), ()), Scalar("n", scalar, value), Temp("t", scalar, ())),
        (),
        (Step("copy", Params({}), ("n",), ("t",)),),
        ("t",),
        (),
    )
    f = native.Function(native.load(plan, {}), [], "one", [False], ["strict"])
    kind = np.dtype(dtype).kind
    edges = [0, 1] if kind == "b" else [np.iinfo(dtype).min, np.iinfo(dtype).max, 3]
    for edge in edges:
        argument = np.array(edge, dtype)
        (wanted,), _ = reference.run(plan, [argument], [])
        assert f(argument) == wanted == argument.astype("int64")


@pytest.mark.parametrize(
    "text", ["x +", "f(2)", "x.y", "2.5", "[1]", "x", "a if b else c", "x.0.1", "'x'", ""]
)
def test_what_is_no_dim_is_refused(text: str) -> None:
    with pytest.raises(PlanError, match="a dim must be an integer expression"):
        parse_dim(text, {})


A = Expr("value", ("a",))


@pytest.mark.parametrize(
    "dim",
    [
        Expr("max", ()),
        Expr("min", (A,)),
        Expr("wrap", (A, A, A)),
        Expr("int8", (A, A)),
        Expr("add", ("a", 1)),
        Expr("add", (A, 2**63)),
        Expr("value", ()),
        Expr("shape", ("v",)),
        Expr("shape", ("v", "1")),
        Expr("shape", ("v", A)),
        2**63,
        -(2**63) - 1,
    ],
    ids=str,
)
def test_malformed_dims_are_refused(dim: Dim) -> None:
    with pytest.raises(
        PlanError, match=r"a dim must fit|an operation must have|a source must name"
    ):
        verify(plan_of([dim]))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_forked_while_a_thread_builds_dims() -> None:
    held, over = threading.Event(), threading.Event()

    def build_slowly() -> None:
        with dim_module._interned.lock:
            held.set()
            over.wait()

    thread = threading.Thread(target=build_slowly)
    thread.start()
    held.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        Expr("shape", ("built by a child", 0))
        os._exit(0)
    over.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
