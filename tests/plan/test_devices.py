"""Which steps a device runs, what is moved there and back, and that results stay what they were."""

from __future__ import annotations

import itertools
import os
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import arignote as theano
import arignote.tensor as T
from arignote.graph import walk
from arignote.graph.variable import Variable
from arignote.plan import reference
from arignote.plan.parse import parse
from arignote.plan.plan import Plan, Temp
from arignote.plan.verify import verify
from helpers.devices import PaperDevice, device_plan
from helpers.programs import PROGRAMS
from helpers.random_graphs import Graph, graphs
from helpers.values import LAYOUTS, lay_out

GOLDEN = Path(__file__).parent / "golden_device"


def program_plan(name: str, device: PaperDevice) -> Plan:
    """Return the plan of a program whose shared variables lie on the device."""
    source = PROGRAMS[name]().function().compiled.source
    results = [*source.outputs, *(value for _, value in source.updates)]
    states = [state for state in walk.shared_inputs(results) if state.ndim]
    plan, _ = device_plan(source.leaves, source.outputs, source.updates, device, states, name)
    return plan


def transfers(plan: Plan) -> list[tuple[str, str]]:
    """Return what is moved: the op, and the old name."""
    return [(s.op, s.inputs[0]) for s in plan.steps if s.op in ("to_device", "to_host")]


# --- word for word


CASES = {
    "softmax_regression": ("softmax_regression", PaperDevice()),
    "softmax_regression_mixed": (
        "softmax_regression",
        PaperDevice(lambda op: op.name != "nll_with_gradient"),
    ),
    "lazy_branches": ("lazy_branches", PaperDevice()),
}


@pytest.mark.parametrize("name", CASES)
def test_golden_plan(name: str) -> None:
    file = GOLDEN / f"{name}.txt"
    text = f"{program_plan(*CASES[name])}\n"
    if os.environ.get("WRITE_GOLDEN"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def test_a_step_of_training_moves_one_number() -> None:
    plan = program_plan("softmax_regression", PaperDevice())
    assert all(step.device for step in plan.steps)
    (moved,) = transfers(plan)
    assert moved[0] == "to_host"
    assert plan.buffer(moved[1]).shape == ()
    in_place = {item.storage for item in plan.buffers if getattr(item, "storage", None)}
    assert {state for state, _ in plan.updates} <= in_place


NOTHING = PaperDevice(lambda op: False)


@pytest.mark.parametrize("only", ["everything", "dot", "elementwise", "nothing"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_plans_of_programs(name: str, only: str) -> None:
    allowed = {"everything": lambda op: True, "nothing": lambda op: False}
    plan = program_plan(name, PaperDevice(allowed.get(only, lambda op: op.name == only)))
    verify(plan)
    assert parse(str(plan)) == plan


# --- what runs where


def test_a_device_that_supports_nothing_changes_nothing() -> None:
    x = T.dmatrix("x")
    w = theano.shared(np.ones((2, 2)), "w")
    built = [device_plan([x], [T.dot(x, w).sum()], [(w, w + x)], d) for d in (None, NOTHING)]
    assert built[0] == built[1]


def test_arithmetic_on_shapes_stays_on_the_host() -> None:
    x = T.dmatrix("x")
    plan, _ = device_plan([x], [x.shape[0] * 2 + 1, T.exp(x)])
    assert [step.op for step in plan.steps if not step.device] == ["elementwise"]
    assert [kind for kind, _ in transfers(plan)] == ["to_device", "to_host"]


def test_what_only_feeds_a_step_of_the_host_stays_there() -> None:
    x, y = T.dmatrix("x"), T.dmatrix("y")
    only = PaperDevice(lambda op: op.name == "elementwise")
    plan, _ = device_plan([x, y], [T.dot(T.exp(x), y)], device=only)
    assert [step.op for step in plan.steps] == ["elementwise", "dot"]
    assert not any(step.device for step in plan.steps)


def test_numbers_are_computed_where_they_are_read() -> None:
    x, rate = T.dmatrix("x"), T.dscalar("rate")
    plan, _ = device_plan([x, rate], [T.dot(x, x) * T.exp(rate).sum()])
    assert all(step.device for step in plan.steps)


# --- what is moved


def test_a_value_is_moved_once() -> None:
    x = T.dmatrix("x")
    plan, _ = device_plan([x], [T.dot(x, x.T), T.dot(x.T, x), T.exp(x).sum(axis=0)])
    assert transfers(plan).count(("to_device", "x")) == 1
    assert [kind for kind, _ in transfers(plan)].count("to_device") == 1


def test_of_a_minibatch_only_the_window_is_moved() -> None:
    x, index = T.dmatrix("x"), T.lscalar("index")
    batch = x[index * 600 : (index + 1) * 600]
    w = theano.shared(np.ones((3, 2)), "w")
    plan, _ = device_plan([x, index], [T.dot(batch.T, T.dot(batch, w))], on_device=[w])
    (moved,) = [name for kind, name in transfers(plan) if kind == "to_device"]
    assert plan.buffer(moved).base == "x"


def test_a_window_on_what_is_there_is_not_moved() -> None:
    x = T.dmatrix("x")
    plan, _ = device_plan([x], [T.dot(x[1:], x.T), T.exp(x).sum()])
    assert [name for kind, name in transfers(plan) if kind == "to_device"] == ["x"]


def test_a_copy_of_what_lies_there_is_one_transfer() -> None:
    w = theano.shared(np.ones((3, 2)), "w")
    plan, _ = device_plan([], [w], on_device=[w])
    assert [step.op for step in plan.steps] == ["to_host"]


def test_the_new_value_of_a_state_there_has_no_gaps() -> None:
    w = theano.shared(np.ones((3, 3)), "w")
    plan, _ = device_plan([], [], [(w, T.dot(w, w).T)], on_device=[w])
    assert [(step.op, step.device) for step in plan.steps] == [("dot", True), ("copy", True)]
    ((_, value),) = plan.updates
    assert plan.buffer(value) == Temp(value, w.type, plan.buffer("w").shape, "w", device=True)


def test_a_branch_that_is_not_taken_moves_nothing() -> None:
    flag, x, y = T.bscalar("flag"), T.dmatrix("x"), T.dmatrix("y")
    plan, _ = device_plan([flag, x, y], [theano.ifelse.ifelse(flag, T.exp(x), T.dot(y, y))])
    guards = {s.inputs[0]: s.guards for s in plan.steps if s.op == "to_device"}
    assert [[wanted for _, wanted in guards[name]] for name in ("x", "y")] == [[True], [False]]


def test_a_size_is_read_on_the_host() -> None:
    x = T.dvector("x")
    w = theano.shared(np.arange(3.0), "w")
    plan, _ = device_plan([x], [T.exp(x[(x * w > 1).nonzero()])], on_device=[w])
    verify(plan)
    assert parse(str(plan)) == plan


# --- the same results


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(graphs(), st.integers(0, 2**32), st.sampled_from(sorted(LAYOUTS)), st.booleans())
def test_results_are_those_without_a_device(
    graph: Graph, seed: int, layout: str, overwriting: bool
) -> None:
    choices = random.Random(seed)
    share = choices.choice([0.3, 0.6, 0.9, 1])
    known: dict[str, bool] = {}
    device = PaperDevice(lambda op: known.setdefault(op.name, choices.random() < share))
    on_device = [state for state in graph.states if state.ndim and choices.random() < 0.6]
    plan, states = device_plan(
        graph.inputs,
        graph.outputs,
        graph.updates,
        device,
        on_device,
        overwriting=overwriting,
    )
    verify(plan)
    assert parse(str(plan)) == plan
    arguments = [lay_out(array, layout) for array in graph.arguments]
    held = [
        graph.values[state].copy() if state in on_device else lay_out(graph.values[state], layout)
        for state in states
    ]
    outputs, values = reference.run(plan, arguments, held)
    for found, item in zip(outputs, graph.outputs, strict=True):
        np.testing.assert_array_equal(found, graph.values[item], strict=True)
    for found, (_, item) in zip(values, graph.updates, strict=True):
        np.testing.assert_array_equal(found, graph.values[item], strict=True)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32), st.booleans())
def test_results_of_branches_are_those_without_a_device(seed: int, overwriting: bool) -> None:
    choices = random.Random(seed)
    flags = [T.bscalar("p"), T.bscalar("q")]
    x = T.dmatrix("x")
    w = theano.shared(np.arange(9.0).reshape(3, 3), "w")

    def grow(depth: int) -> Variable:
        """Return a matrix of three rows and columns."""
        if depth == 0:
            return choices.choice([x, w])
        kind = choices.randrange(6)
        if kind == 0:
            return T.dot(grow(depth - 1), x)
        if kind == 1:
            return grow(depth - 1).T + grow(depth - 1)[::-1]
        if kind == 2:
            return T.dot(grow(depth - 1).reshape((9,)).reshape((3, 3)), w)
        if kind == 3:
            return T.max(grow(depth - 1), axis=0) + x
        flag = choices.choice([*flags, T.gt(grow(depth - 1).sum(), 0)])
        return theano.ifelse.ifelse(flag, grow(depth - 1), grow(depth - 1))

    outputs, value = [grow(4), grow(3)], grow(3)
    known: dict[str, bool] = {}
    device = PaperDevice(lambda op: known.setdefault(op.name, choices.random() < 0.6))
    arguments = [np.int8(choices.randrange(2)), np.int8(choices.randrange(2))]
    arguments += [np.array([choices.randint(-2, 2) for _ in range(9)], "float64").reshape(3, 3)]
    found = []
    for there in (None, device):
        on_device = [w] if there is not None and choices.random() < 0.5 else []
        plan, states = device_plan(
            [*flags, x], outputs, [(w, value)], there, on_device, overwriting=overwriting
        )
        verify(plan)
        assert parse(str(plan)) == plan
        held = [state.get_value() for state in states]
        found.append(reference.run(plan, list(map(np.asarray, arguments)), held))
    for one, other in zip(*(itertools.chain(*item) for item in found), strict=True):
        np.testing.assert_array_equal(one, other, strict=True)
