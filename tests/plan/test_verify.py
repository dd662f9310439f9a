"""Broken plans: refused in Python and by the runtime, each saying what is wrong."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from arignote.errors import PlanError
from arignote.graph.dim import Expr
from arignote.plan import reference
from arignote.plan.parse import parse
from arignote.plan.plan import Plan, Temp, View
from arignote.plan.verify import verify
from arignote.run import native
from arignote.run.function import host_calls
from helpers.broken_plans import BROKEN, SOUND, Broken


def load(plan: Plan) -> native.Program:
    return native.load(plan, host_calls(plan))


def test_the_sound_plan_runs() -> None:
    plan = parse(SOUND)
    verify(plan)
    states = [native.Storage(np.arange(4.0), False), native.Storage(np.zeros(1), False)]
    f = native.Function(load(plan), states, "list", [False] * 2, ["strict"] * 3)
    x, m = np.array([1.0, 3.0, 5.0, 7.0]), np.arange(6.0).reshape(2, 3)
    for flag in (True, False):
        before = [state.copy() for state in states]
        outputs, values = reference.run(plan, [x, m, np.array(flag)], before)
        for found, wanted in zip(f(x, m, np.array(flag)), outputs, strict=True):
            np.testing.assert_array_equal(found, wanted)
        for state, wanted in zip(states, values, strict=True):
            np.testing.assert_array_equal(state.array, wanted)


@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN)
def test_python_refuses(case: Broken) -> None:
    with pytest.raises(PlanError, match=rf"\[plan sound\] .*({case.python})"):
        verify(case.change(parse(SOUND)))


SENT = {name: case for name, case in BROKEN.items() if case.runtime is not None}


@pytest.mark.parametrize("case", SENT.values(), ids=SENT)
def test_the_runtime_refuses(case: Broken) -> None:
    with pytest.raises((RuntimeError, TypeError, ValueError), match=case.runtime):
        load(case.change(parse(SOUND)))


def test_hostile_plans_never_crash() -> None:
    """What both take after random changes may fail in a call, but with an exception."""
    generator = random.Random(5)
    ran = 0
    for _ in range(400):
        plan = _garbled(parse(SOUND), generator)
        try:
            loaded = load(plan)
        except (RuntimeError, TypeError, ValueError):
            continue
        count = len(plan.states)
        states = [native.Storage(np.arange(4.0), False) for _ in range(count)]
        try:
            borrowed, conversions = [False] * len(plan.outputs), ["exact"] * loaded.n_inputs
            f = native.Function(loaded, states, "list", borrowed, conversions)
            f(np.array([1.0, 3.0, 5.0, 7.0]), np.arange(6.0).reshape(2, 3), np.array(True))
            ran += 1
        except (RuntimeError, TypeError, ValueError, IndexError, MemoryError):
            continue
    assert ran


def _garbled(plan: Plan, generator: random.Random) -> Plan:
    buffers, steps = list(plan.buffers), list(plan.steps)
    names = [buffer.name for buffer in buffers]
    for _ in range(generator.randint(1, 2)):
        number = generator.randrange(len(steps))
        step = steps[number]
        kind = generator.randrange(6)
        if kind == 0 and step.inputs:
            inputs = list(step.inputs)
            inputs[generator.randrange(len(inputs))] = generator.choice(names)
            steps[number] = replace(step, inputs=tuple(inputs))
        elif kind == 1:
            steps[number] = replace(step, outputs=(generator.choice(names),))
        elif kind == 2:
            steps.insert(generator.randrange(len(steps)), steps.pop(number))
        elif kind == 3:
            place = generator.randrange(len(buffers))
            buffer = buffers[place]
            dim = generator.choice([0, 1, -1, 7, 2**62, Expr("shape", ("m", 0))])
            if isinstance(buffer, View):
                fields = {"offset": dim, "strides": (generator.choice([dim, 4, -8, 2**61]), 8)}
                buffers[place] = replace(buffer, **fields)
            elif isinstance(buffer, Temp) and buffer.shape:
                buffers[place] = replace(buffer, shape=(dim, *buffer.shape[1:]))
        elif kind == 4:
            place = generator.randrange(len(buffers))
            if isinstance(buffers[place], Temp):
                buffers[place] = replace(buffers[place], storage=generator.choice([None, *names]))
        else:
            steps[number] = replace(step, guards=(("flag", generator.random() < 0.5),))
    return replace(plan, buffers=tuple(buffers), steps=tuple(steps))
