"""Steps with a broken body are refused in Python and by the runtime, each saying what is wrong."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from arignote.errors import PlanError
from arignote.graph.dim import Expr
from arignote.plan.by_rows import body_of, by_rows_params
from arignote.plan.parse import parse
from arignote.plan.plan import Plan, Temp, View
from arignote.plan.verify import verify
from arignote.run import native
from arignote.run.function import host_calls

SOUND = """\
plan sound
input  x float64[x.0, x.1]
input  w float64[x.1, w.1]
input  y float64[x.0]
temp   out float64[x.0, w.1]
temp   total float64[w.1]
0 by_rows {cut=(0, None, 0), sums=(False, True)} x w y -> out total
    plan rows
    input  x float64[x.0, x.1]
    input  w float64[x.1, w.1]
    input  y float64[x.0]
    view   v float64[x.0, 1]:n1 of y at 0 strides (y.s0, 0)
    temp   t float64[x.0, w.1]
    temp   out float64[x.0, w.1]
    temp   total float64[w.1]
    0 dot x w -> t
    1 elementwise t v -> out total
        r2 = add(r0, r1) float64
        -> r2, sum(r2, 0)
    output out total
output out total"""

INNER = """\
0 by_rows {cut=(0,), sums=(False,)} x -> t
        plan inner
        input  x float64[x.0, x.1]
        temp   t float64[x.0, x.1]
        0 copy x -> t
        output t"""


def changed(*changes: str) -> Plan:
    """Replace parts of the plan's text, given in turn as they are and as they become."""
    result = SOUND
    for old, new in zip(changes[::2], changes[1::2], strict=True):
        assert result.count(old) == 1, old
        result = result.replace(old, new)
    return parse(result)


def load(plan: Plan) -> native.Program:
    return native.load(plan, host_calls(plan))


def call(plan: Plan) -> native.Function:
    loaded = load(plan)
    return native.Function(loaded, [], "list", [False] * 2, ["exact"] * loaded.n_inputs)


X, W, Y = np.arange(8000.0).reshape(2000, 4), np.ones((4, 3)), np.arange(2000.0)


def test_the_sound_plan_runs() -> None:
    plan = changed()
    verify(plan)
    out, total = call(plan)(X, W, Y)
    np.testing.assert_array_equal(out, X @ W + Y[:, None])
    np.testing.assert_array_equal(total, out.sum(axis=0))


CUT = "{cut=(0, None, 0), sums=(False, True)}"

# What Python says and what the runtime says; None where it cannot be sent.
BROKEN: dict[str, tuple[tuple[str, ...], str, str | None]] = {
    "no operand is cut": (
        (CUT, "{cut=(None, None, None), sums=(False, True)}"),
        "some of the 3 operands must be cut",
        "must cut some operand",
    ),
    "too few axes": (
        (CUT, "{cut=(0, None), sums=(False, True)}"),
        "some of the 3 operands must be cut",
        "an operand for each input and output of its body, and an int",
    ),
    "an axis that an operand has not": (
        (CUT, "{cut=(0, None, 1), sums=(False, True)}"),
        "must be cut along one of its axes: 1",
        "must cut operands along an axis",
    ),
    "an axis counted from the end": (
        (CUT, "{cut=(-2, None, 0), sums=(False, True)}"),
        "must be cut along one of its axes: -2",
        "must cut operands along an axis",
    ),
    "axes of another kind": (
        (CUT, "{cut='no', sums=(False, True)}"),
        "operands must be cut|wrong types",
        None,
    ),
    "no axes": (("cut=(0, None, 0), ", ""), "wrong types: 'cut'", None),
    "sums of another number": (
        (CUT, "{cut=(0, None, 0), sums=(False,)}"),
        "each of 2 outputs is a sum or not",
        "an operand for each input and output of its body, and an int",
    ),
    "sums that are none": (
        (CUT, "{cut=(0, None, 0), sums=(False, 'a')}"),
        "numbers are summed",
        None,
    ),
    "truth values that are added": (
        (
            *("temp   total float64[w.1]\n0", "temp   total bool[w.1]\n0"),
            *("    temp   total float64[w.1]\n    0", "    temp   total bool[w.1]\n    0"),
            *("-> r2, sum(r2, 0)", "-> r2, any(r2, 0)"),
        ),
        "numbers are summed",
        "must add numbers",
    ),
    "no body": (
        (SOUND[SOUND.index("\n    plan rows") : SOUND.rindex("\noutput out total")], ""),
        "wrong types: 'body'",
        None,
    ),
    "operands of another number": (
        ("} x w y -> out total", "} x w -> out total"),
        "operands must have the types of the body's inputs",
        "an operand for each input and output of its body, and an int",
    ),
    "operands of another type": (
        ("} x w y -> out total", "} x w w -> out total"),
        "operands must have the types of the body's inputs",
        "must have operands as its body's inputs",
    ),
    "results of another type": (
        ("} x w y -> out total", "} x w y -> total out"),
        "must write",
        "must have outputs as its body's",
    ),
    "a body inside a body": (
        ("0 dot x w -> t", INNER, "temp   t float64[x.0, w.1]\n    temp   out",
         "temp   t float64[x.0, x.1]\n    temp   out"),
        "must not run a plan that runs another",
        "must not have a body inside a body",
    ),
    "a body with a state": (
        ("    input  y float64[x.0]\n    view", "    state  y float64[x.0]\n    view"),
        "must run a plan without states",
        "must run a body without states|must have an operand for each input",
    ),
    "a body with a check": (
        ("    0 dot x w -> t", "    check  equal w.0, x.1 [dot] no\n    0 dot x w -> t"),
        "must run a plan without states, checks",
        None,
    ),
    "a body with a step on the host": (
        ("    0 dot x w -> t", "    0 host dot x w -> t"),
        "without states, checks and host steps",
        None,
    ),
    "a body that is broken": (
        ("    0 dot x w -> t", "    0 dot x y -> t"),
        r"\[plan rows\] step 0 \(dot\)",
        "step 0 .dot.",
    ),
    "a body that reads what it has not written": (
        ("    1 elementwise t v", "    1 elementwise out v"),
        "reads out before it is written",
        "inputs must be written before",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_python_refuses(name: str) -> None:
    changes, message, _ = BROKEN[name]
    with pytest.raises(PlanError, match=message):
        verify(changed(*changes))


SENT = [name for name, (_, _, message) in BROKEN.items() if message is not None]


@pytest.mark.parametrize("name", SENT)
def test_the_runtime_refuses(name: str) -> None:
    changes, _, message = BROKEN[name]
    assert message is not None
    with pytest.raises((RuntimeError, TypeError, ValueError), match=message):
        load(changed(*changes))


def garbled(plan: Plan, generator: random.Random) -> Plan:
    """Replace sizes, axes, and what is a sum, at random."""
    step = plan.steps[0]
    body = body_of(step.params)
    assert body is not None
    rows, columns = Expr("shape", ("x", 0)), Expr("shape", ("w", 1))
    dims = [0, 1, 3, 16, 2000, 2**62, -1, rows, columns, Expr("min", (rows, 16))]
    dims += [Expr("max", (rows, 16)), Expr("sub", (rows, 16)), Expr("mul", (rows, 2))]
    buffers = list(body.buffers)
    cut, sums = list(step.params["cut"]), list(step.params["sums"])
    for _ in range(generator.randint(1, 3)):
        kind = generator.randrange(4)
        if kind == 0:
            cut[generator.randrange(3)] = generator.choice([None, 0, 1])
        elif kind == 1:
            sums[generator.randrange(2)] = generator.random() < 0.5
        else:
            place = generator.randrange(len(buffers))
            buffer, dim = buffers[place], generator.choice(dims)
            if isinstance(buffer, View):
                buffers[place] = replace(buffer, offset=generator.choice([dim, -8, 8, 2**61]))
            elif isinstance(buffer, Temp):
                buffers[place] = replace(buffer, shape=(dim, *buffer.shape[1:]))
    params = by_rows_params(replace(body, buffers=tuple(buffers)), cut, sums)
    outer = [
        replace(b, shape=(generator.choice(dims), *b.shape[1:]))
        if isinstance(b, Temp) and generator.random() < 0.3
        else b
        for b in plan.buffers
    ]
    return replace(plan, buffers=tuple(outer), steps=(replace(step, params=params),))


def test_hostile_bodies_never_crash() -> None:
    """What is loaded may fail in a call, but with an exception."""
    generator = random.Random(7)
    ran = failed = 0
    for _ in range(1500):
        try:
            f = call(garbled(changed(), generator))
        except (RuntimeError, TypeError, ValueError):
            continue
        for rows in (2000, 1999, 17, 3):
            try:
                f(X[:rows], W, Y[: generator.choice([rows, 5])])
                ran += 1
            except (RuntimeError, TypeError, ValueError, IndexError, MemoryError):
                failed += 1
    assert ran > 50
    assert failed > 500
