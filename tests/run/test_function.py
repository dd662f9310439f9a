"""Compiling functions: outputs in every form, names, modes, and what functions tell."""

from __future__ import annotations

import pickle
import re
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from arignote.compile import UnusedInputError

import arignote as theano
import arignote.tensor as T
from arignote.config import config
from arignote.plan.plan import Plan
from arignote.run.explain import Explanation
from arignote.run.function import Function
from arignote.run.profile import Profile
from arignote.tensor.nnet import softmax
from helpers.programs import PROGRAMS
from helpers.tolerance import assert_close

MODES = ["native", "reference", "check"]


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """Run the test in each mode."""
    return str(request.param)


# --- outputs


def test_outputs_have_the_form_they_are_asked_in(mode: str) -> None:
    x = T.dvector("x")
    total, double = x.sum(), x * 2

    def call(outputs: Any) -> Any:
        return theano.function([x], outputs, mode=mode, on_unused_input="ignore")([1.0, 2.0])

    bare = call(total)
    assert type(bare) is np.ndarray
    assert (bare.shape, float(bare)) == ((), 3.0)
    for outputs in ([total], (total,)):
        (only,) = call(outputs)
        assert only == 3
    for outputs in ([total, double], (total, double)):
        result = call(outputs)
        assert type(result) is list
        assert (float(result[0]), result[1].tolist()) == (3.0, [2.0, 4.0])
    for nothing in (None, [], ()):
        assert call(nothing) == []
    named = call({"double": double, "a": total})
    assert list(named) == ["a", "double"]
    assert (float(named["a"]), named["double"].tolist()) == (3.0, [2.0, 4.0])
    assert call(OrderedDict(b=total))["b"] == 3
    assert call({}) == {}


def test_outputs_may_be_records(mode: str) -> None:
    x = T.dvector("x")
    f = theano.function([x], theano.Out(x * 2), mode=mode)
    assert f([1.0]).tolist() == [2.0]
    g = theano.function([x], [theano.Out(x * 2, borrow=True), x], mode=mode)
    assert [item.tolist() for item in g([1.0])] == [[2.0], [1.0]]
    h = theano.function([x], {"y": theano.Out(x * 2)}, mode=mode)
    assert h([1.0])["y"].tolist() == [2.0]


def test_the_same_twice_an_input_a_constant_and_a_shared_variable(mode: str) -> None:
    x, w = T.dvector("x"), theano.shared(np.ones(2), "w")
    y = x + 1
    f = theano.function([x], [y, y, x, x, w, T.constant([7.0])], mode=mode)
    given = np.array([1.0, 2.0])
    results = f(given)
    assert [item.tolist() for item in results] == [[2, 3], [2, 3], [1, 2], [1, 2], [1, 1], [7]]
    for k, result in enumerate(results):
        assert result.flags.writeable
        assert result.flags.c_contiguous
        others = [*results[:k], *results[k + 1 :], given, w.get_value(borrow=True)]
        assert not any(np.shares_memory(result, other) for other in others)


def test_results_are_new_arrays(mode: str) -> None:
    x = T.dvector("x")
    f = theano.function([x], x * 2, mode=mode)
    first, second = f([1.0]), f([2.0])
    assert (first.tolist(), second.tolist()) == ([2.0], [4.0])
    assert not np.shares_memory(first, second)


def test_a_borrowed_result_is_overwritten_by_the_next_call() -> None:
    x = T.dvector("x")
    f = theano.function([x], theano.Out(x * 2, borrow=True))
    first = f([1.0, 2.0])
    second = f([3.0, 4.0])
    assert second is first
    assert first.tolist() == [6.0, 8.0]
    longer = f([1.0, 2.0, 3.0])
    assert longer is not first
    # One that is an argument of the next call is not.
    once = f([1.0, 2.0])
    again = f(once)
    assert (once.tolist(), again.tolist()) == ([2.0, 4.0], [4.0, 8.0])


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ([1.0], "Outputs must be theano Variable or Out instances. Received 1.0 of type float at"),
        ("xy", "Outputs must be theano Variable or Out instances. Received 'xy' of type str at"),
        ([T.dscalar(), None], "Received None of type NoneType at index 1"),
        ({1: T.dscalar()}, "the keys of outputs must be strings: [1]"),
        (theano.shared([1, 2]), "a tensor is needed: <<Generic>> holds a Python object"),
    ],
    ids=repr,
)
def test_what_is_no_output(outputs: Any, message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        theano.function([], outputs)


# --- inputs that are not used, or lacking


def test_unused_inputs() -> None:
    x, y = T.dscalars("x", "y")
    message = (
        r"theano.function was asked to create a function computing outputs given certain inputs, "
        r"but the provided input variable at index 1 is not part of the computational graph "
        r"needed to compute the outputs: name 'y' y\."
    )
    with pytest.raises(UnusedInputError, match=message):
        theano.function([x, y], x)
    with pytest.raises(UnusedInputError, match=message):
        theano.function([x, y], x, on_unused_input="raise")
    with pytest.warns(UserWarning, match=message):
        f = theano.function([x, y], x, on_unused_input="warn")
    assert f(1, 2) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert theano.function([x, y], x, on_unused_input="ignore")(1, 2) == 1
        with config.changed(on_unused_input="ignore"):
            assert theano.function([x, y], x)(1, 2) == 1
    with pytest.raises(ValueError, match=r"Invalid value for keyword on_unused_input.*'maybe'"):
        theano.function([x], x, on_unused_input="maybe")


def test_an_unused_input_is_checked_all_the_same() -> None:
    x, y = T.dscalar("x"), T.ivector("y")
    f = theano.function([x, y], x, on_unused_input="ignore")
    with pytest.raises(TypeError, match=r"at index 1 \(0-based\) \(input y\)"):
        f(1, 2.5)


def test_what_only_an_update_or_a_default_needs_is_used() -> None:
    x, y, state = T.dscalars("x", "y", "state")
    w = theano.shared(0.0)
    theano.function([x, y], x, updates=[(w, y)])
    theano.function([x, theano.In(state, value=0.0, update=x + state)], [])


def test_lacking_inputs() -> None:
    x, y = T.dscalars("x", "y")
    with pytest.raises(theano.gof.MissingInputError) as caught:
        theano.function([x], x + y)
    text = str(caught.value)
    assert text.startswith(
        "Input 1 of the graph (indices start from 0), used to compute "
        "Elemwise{add,no_inplace}(x, y), was not provided and not given a value."
    )
    assert "Backtrace when that variable is created:" in text
    assert "test_function.py" in text
    with pytest.raises(theano.gof.MissingInputError, match="An output of the graph, y, was not"):
        theano.function([x], [x, y])
    w = theano.shared(0.0)
    with pytest.raises(theano.gof.MissingInputError, match="Variable: y of type"):
        theano.function([x], x, updates=[(w, w + y)])


def test_an_input_twice() -> None:
    x, v = T.dscalars("x", "v")
    message = r"Variable v is used twice in inputs to theano.function, at indices 0 and 2\."
    with pytest.raises(UnusedInputError, match=message):
        theano.function([v, x, v], v + x)


# --- modes


@pytest.mark.parametrize("name", PROGRAMS)
def test_all_modes_agree(name: str) -> None:
    item = PROGRAMS[name]()
    first = item.values()
    results = []
    for chosen in [*MODES, "FAST_COMPILE", "DebugMode", theano.Mode(optimizer=None)]:
        for (target, _), value in zip(item.updates or (), first, strict=True):
            target.set_value(value)
        f = item.function(chosen)
        outputs = [f(*item.arguments), f(*item.arguments)]
        results.append((outputs, item.values()))
    for outputs, values in results[1:]:
        for found, wanted in zip(outputs, results[0][0], strict=True):
            assert_all_close(found, wanted)
        assert_all_close(values, results[0][1])


def assert_all_close(found: Any, wanted: Any) -> None:
    if isinstance(wanted, list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert_all_close(one, other)
        return
    if wanted.dtype.kind == "f":
        assert_close(found, wanted, scale=1)
    else:
        np.testing.assert_array_equal(found, wanted, strict=True)


def test_modes_by_name_and_by_default() -> None:
    x = T.dscalar("x")
    linkers = {
        "FAST_RUN": "native",
        "FAST_COMPILE": "native",
        "Mode": "native",
        "DebugMode": "check",
        "DEBUG_MODE": "check",
    }
    for name, linker in linkers.items():
        assert theano.function([x], x, mode=name).maker.mode.linker == linker
    for name in MODES:
        with config.changed(mode=name):
            assert theano.compile.mode.get_default_mode().linker == name
            assert theano.function([x], x).maker.mode.linker == name
    with pytest.raises(Exception, match="No predefined mode exist for string: FOO"):
        theano.function([x], x, mode="FOO")
    message = r'^Invalid value \("BAR"\) for configuration variable "mode"\. It must be one of nat'
    with pytest.raises(ValueError, match=message), config.changed(mode="BAR"):
        theano.function([x], x)
    for name in (*linkers, "NanGuardMode"):
        with config.changed(mode=name):
            assert theano.function([x], x)(2.0) == 2
    with pytest.raises(ValueError, match=r"\[Mode\] linker must be one of .*: 'gpu'"):
        theano.Mode("gpu")
    with pytest.raises(ValueError, match=r"\[Mode\] optimizer must be one of .*: 'fastest'"):
        theano.Mode(optimizer="fastest")


def test_rules_may_be_excluded() -> None:
    x = T.dvector("x")
    y = 1 / (1 + T.exp(-x))
    rules = {firing.rule for firing in theano.explain(theano.function([x], y)).firings}
    assert "sigmoid_from_exp" in rules
    mode = theano.Mode().excluding("sigmoid_from_exp")
    f = theano.function([x], y, mode=mode)
    assert "sigmoid_from_exp" not in {firing.rule for firing in theano.explain(f).firings}
    again = theano.function([x], y, mode=mode.including("sigmoid_from_exp"))
    assert "sigmoid_from_exp" in {firing.rule for firing in theano.explain(again).firings}
    unfused = theano.function([x], T.exp(x) * 2, mode=theano.Mode().excluding("fusion"))
    assert len(unfused.plan.steps) == 2


# --- what a function tells


def test_names() -> None:
    x = T.dscalar("x")
    f = theano.function([x], x, name="identity")
    assert (f.name, f.plan.name) == ("identity", "identity")
    assert repr(f) == "<arignote function identity: 1 steps>"
    nameless = theano.function([x], x)
    assert (nameless.name, nameless.plan.name) == (None, "function")
    assert repr(nameless) == "<arignote function without name: 1 steps>"
    with pytest.raises(TypeError, match=r'function with name "test_function.py:\d+" at index 0'):
        nameless("a")
    for build in (lambda: theano.function([x], x, name=3), lambda: f.copy(name=3)):
        with pytest.raises(TypeError, match=r"^\[function\] name must be a string: 3$"):
            build()


def test_the_plan_is_read_only() -> None:
    x = T.dscalar("x")
    f = theano.function([x], x + 1)
    assert isinstance(f.plan, Plan)
    assert str(f.plan).startswith("plan function\ninput  x float64[]")
    with pytest.raises(AttributeError):
        f.plan = f.plan  # type: ignore[misc]


def test_the_compiled_graph_in_theano_s_terms() -> None:
    x, w = T.dmatrix("x"), theano.shared(np.ones((3, 2)), "w")
    b = theano.shared(np.ones(2), "b")
    f = theano.function([x], softmax(T.dot(x, w) + b), updates=[(b, b * 2)])
    graph = f.maker.fgraph
    names = [type(node.op).__name__ for node in graph.toposort()]
    assert names.count("Gemm") == 1
    assert "Softmax" in names
    assert "Elemwise" in names
    assert graph.apply_nodes == set(graph)
    assert graph.inputs[0] is x
    assert len(graph.outputs) == 2
    product = next(node for node in graph.toposort() if type(node.op).__name__ == "Gemm")
    assert isinstance(product.op, theano.tensor.blas.Gemm)
    assert any(isinstance(node.op, T.Elemwise) for node in graph.apply_nodes)
    assert all("Gpu" not in str(node) for node in graph.toposort())
    assert x in product.inputs
    seen = set()
    for node in graph.toposort():
        assert all(item.owner is None or item in seen for item in node.inputs)
        seen.update(node.outputs)
    assert (product.nin, product.nout) == (2, 1)


def test_which_nodes_read_a_variable() -> None:
    x, w = T.dmatrix("x"), theano.shared(np.ones((3, 2)), "w")
    f = theano.function([x], [T.dot(x, w), T.exp(x)], updates=[(w, w * 2)])
    graph = f.maker.fgraph
    product, grown = graph.outputs[:2]
    readers = graph.clients[x]
    assert readers == graph.clients(x) == graph.get_clients(x)
    assert [(type(node.op).__name__, position) for node, position in readers] == [
        ("Gemm", 0),
        ("Elemwise", 0),
    ]
    assert readers[0][0] == product.owner
    assert product.owner in graph.apply_nodes
    assert graph.clients[grown] == [("output", 1)]
    assert graph.clients[T.dscalar()] == []
    for variable in (x, graph.outputs[0], theano.shared([1])):
        with pytest.raises(AttributeError, match=r"ask the graph, f\.maker\.fgraph\.clients\["):
            variable.clients
    assert not hasattr(x, "clients")
    own = theano.gof.FunctionGraph([x], [T.exp(x) + x])
    assert [position for _, position in own.clients[x]] == [0, 1]


def test_explain() -> None:
    x = T.dvector("x")
    y = T.log(1 + T.exp(x)).sum()
    told = theano.explain(theano.function([x], y))
    assert isinstance(told, Explanation)
    assert [firing.rule for firing in told.firings]
    assert len(told.before.steps) > len(told.after.steps)
    text = str(told)
    for part in ("Rules that fired:", "In order:", f"Before, {len(told.before.steps)} steps:"):
        assert part in text
    assert str(told.after) in text
    plain = theano.explain(theano.function([x], x + 1))
    assert [step.op for step in plain.after.steps] == ["elementwise"]
    with pytest.raises(TypeError, match=r"\[explain\] function must be a compiled function: 3"):
        theano.explain(3)  # type: ignore[arg-type]


def test_profile() -> None:
    x = T.dmatrix("x")
    f = theano.function([x], T.dot(x, x).sum(), name="counted")
    assert str(f.profile()) == "counted: no calls counted yet"
    for _ in range(3):
        f(np.ones((4, 4)))
    counted = f.profile()
    assert isinstance(counted, Profile)
    assert (counted.calls, [item.runs for item in counted.steps]) == (3, [3, 3])
    assert counted.nanoseconds >= sum(item.nanoseconds for item in counted.steps) > 0
    lines = str(counted).splitlines()
    assert lines[0].startswith("counted: 3 calls, ")
    assert len(lines) == 3
    assert "0 dot x x -> t0" in str(counted)
    assert f.profile(True).calls == 0
    f(np.ones((4, 4)))
    assert f.profile().calls == 1
    f.profile(False)
    f(np.ones((4, 4)))
    assert f.profile(True).calls == 0


def test_profiling_from_the_first_call_on() -> None:
    x = T.dscalar("x")
    f = theano.function([x], x + 1, profile=True)
    f(1)
    assert f.profile().calls == 1
    with config.changed(profile=True):
        g = theano.function([x], x + 1)
    g(1)
    assert g.profile().calls == 1


def test_only_native_calls_are_counted() -> None:
    x, state = T.dscalar("x"), T.dscalar("state")
    for mode in ("reference", "check", theano.compile.nanguardmode.NanGuardMode()):
        f = theano.function([x], x + 1, mode=mode)
        with pytest.raises(
            NotImplementedError, match=r"\[profile\] the function must run natively"
        ):
            f.profile()
    g = theano.function([x, theano.In(state, value=0.0, update=state + x)], state, profile=True)
    g(1)
    assert g.profile().calls == 1


@pytest.mark.parametrize(("built", "compiled"), [("float32", "float64"), ("float64", "float32")])
def test_a_graph_keeps_the_floatx_it_was_built_with(built: str, compiled: str, mode: str) -> None:
    i, j, v = T.iscalar("i"), T.iscalar("j"), T.ivector("v")
    with config.changed(floatX=built):
        outputs = [i / j, v / 2, v.mean(), T.exp(v), T.zeros((2,)), T.constant(0.1) * 2]
    with config.changed(floatX=compiled):
        results = theano.function([i, j, v], outputs, mode=mode)(1, 3, [1, 2])
    assert [item.dtype for item in results] == [item.dtype for item in outputs]
    assert results[0].dtype == results[1].dtype == built
    assert results[0] == np.asarray(1, built) / np.asarray(3, built)


def test_what_theano_has_and_means_nothing_here() -> None:
    x = T.dscalar("x")
    f = theano.function([x], x + 1)
    f.free()
    assert f.trust_input is False
    f.trust_input = True
    with pytest.raises(TypeError, match="Bad input argument"):
        f("a")
    for options in ({"accept_inplace": True}, {"rebuild_strict": False}):
        with pytest.raises(NotImplementedError, match=r"\[function\] accept_inplace must be False"):
            theano.function([x], x, **options)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        theano.function([x], x, colour="blue")  # type: ignore[call-arg]


def test_function_dump(tmp_path: Path) -> None:
    x, w = T.dscalar("x"), theano.shared(2.0, "w")
    file = tmp_path / "function.pkl"
    theano.function_dump(file, [x], x * w, updates=[(w, w + x)], name="dumped")
    f = theano.function(**pickle.loads(file.read_bytes()))
    assert isinstance(f, Function)
    assert (f.name, float(f(3)), float(f(3))) == ("dumped", 6.0, 15.0)
    assert w.get_value() == 2


def test_a_graph_deeper_than_the_stack() -> None:
    x = T.dscalar("x")
    y = x
    for _ in range(800):
        y = T.tanh(y) + 0.5
    wanted = 1.0
    for _ in range(800):
        wanted = np.tanh(wanted) + 0.5
    for optimizer in (None, "fast_run"):
        f = theano.function([x], y, mode=theano.Mode(optimizer=optimizer))
        assert_close(f(1.0), np.asarray(wanted))
