"""Plans as text are read back equal, and what is no plan is refused with the line."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from ml_dtypes import bfloat16

import arignote as theano
import arignote.tensor as T
from arignote.errors import PlanError
from arignote.graph.op import Params
from arignote.graph.type import TensorType
from arignote.plan.parse import parse
from arignote.plan.plan import Check, Const, Plan, Step
from arignote.plan.verify import verify
from arignote.run import native
from arignote.run.function import host_calls
from helpers.programs import PROGRAMS
from helpers.random_graphs import Graph, graphs

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", PROGRAMS)
def test_plans_of_programs_are_read_back(name: str) -> None:
    plan = PROGRAMS[name]().function(name=name).plan
    again = parse(str(plan))
    assert again == plan
    assert str(again) == str(plan)
    verify(again)
    native.load(again, host_calls(again))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(graphs())
def test_plans_of_random_graphs_are_read_back(graph: Graph) -> None:
    f = theano.function(
        graph.inputs, graph.outputs, updates=graph.updates, on_unused_input="ignore"
    )
    assert parse(str(f.plan)) == f.plan


@pytest.mark.parametrize("name", ["two words", "two\nlines", "a\u2028b", " ", "'\"{[(", "résumé"])
def test_any_name_of_a_function(name: str) -> None:
    x = T.dscalar("x")
    plan = theano.function([x], x + 1, name=name).plan
    assert parse(str(plan)) == plan


@pytest.mark.parametrize("name", ["two words", "a.0", "t0", "d0", "not", "in", "-", "x y\nz", "é"])
def test_any_name_of_a_variable(name: str) -> None:
    x, w = T.dmatrix(name), theano.shared(np.ones((2, 2)), name)
    plan = theano.function([x], [T.dot(x, w), x[1:-1]], updates=[(w, x + w)]).plan
    assert parse(str(plan)) == plan


@pytest.mark.parametrize(
    "value",
    [
        *(np.float64(v) for v in (0.1, -0.0, 1e300, 5e-324, np.nan, np.inf, -np.inf)),
        *(np.float32(v) for v in (0.1, 1e-45, 3e38, np.nan)),
        *(bfloat16(0.1), np.full(2, np.nan, bfloat16)),
        *(np.float16(0.1), np.complex64(1 + 2j), np.complex128(np.nan)),
        *(np.int8(-128), np.uint64(2**64 - 1), np.int64(-(2**63)), np.bool_(True)),
        *(np.zeros((0, 3)), np.ones((1, 1, 1), "int16"), np.arange(6.0).reshape(2, 3)),
    ],
    ids=repr,
)
def test_any_constant(value: np.generic) -> None:
    array = np.asarray(value)
    type_ = TensorType(array.dtype, (False,) * array.ndim)
    plan = Plan("constant", (Const("c", type_, array),), (), (), (), ())
    again = parse(str(plan))
    assert again == plan
    assert again.buffers[0].value.tobytes() == array.tobytes()


def test_what_cannot_be_written_is_named() -> None:
    x = T.dvector("x")
    f = theano.function([x], theano.gradient.jacobian(x**2, x))
    with pytest.raises(PlanError, match="body="):
        parse(str(f.plan))


GOOD = (GOLDEN / "softmax_regression.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("", "must start with 'plan NAME'"),
        ("plam x", "must start with 'plan NAME'"),
        ("plan p\nfoo x float64[]", "a line must start with what it defines: 'foo x float64"),
        ("plan p\ninput x", "a buffer must read 'name dtype.dims.': 'x'"),
        ("plan p\ninput x float99[]", "this line cannot be read: 'input x float99..'"),
        ("plan p\ninput x float64[y]", "a dim must be an integer expression: 'y'"),
        ("plan p\nconst c float64[2] = 1.0.0", "this line cannot be read"),
        ("plan p\nconst c float64[2] = base64:AAAA", "this line cannot be read"),
        ("plan p\nview v float64[1] of x", "a dim must be an integer expression"),
        ("plan p\ncheck equal 1 [add] no", "this line cannot be read"),
        ("plan p\ncheck equal", "a check must read 'kind a, b .op. text'"),
        ("plan p\n0 add", "a step must read 'number op inputs -> outputs'"),
        ("plan p\n0 sum {axis=(} x -> y", "this parameter cannot be read back|this line"),
        ("plan p\n0 elementwise x -> y\n    r1 = neg(r0) float64\n    -> r1", "this line"),
        ("plan p\ninput x float64[]\n0 elementwise x -> y\n    hello\n    -> r1", "an instruction"),
        ("plan p\nupdate a", "an update must read 'state <- value': 'a'"),
        ("plan p\ndim d", "a dim must be an integer expression: ''"),
        ("plan p\ndim d = max(1)", "a dim must be an integer expression: 'max.1.'"),
        ("plan p\ndim d = wrap(1, 2, 3)", "a dim must be an integer expression"),
        ("plan p\ndim d = max(1, b=2)", "a dim must be an integer expression"),
        ("plan p\ndim d = True", "a dim must be an integer expression: 'True'"),
        ("plan p\ndim d = x.0" + " + x.0" * 20_000, "a dim must be an integer expression"),
        ("plan p\ndim d = " + "-" * 100_000 + "1", "a dim must be an integer expression"),
        ("plan p\nconst c float64[99999999999999] = 1.0", "this line cannot be read"),
    ],
    ids=lambda text: text[:40],
)
def test_what_is_no_plan_is_refused(line: str, match: str) -> None:
    with pytest.raises(PlanError, match=match):
        parse(line)


def test_garbled_text_is_refused_or_read() -> None:
    generator = random.Random(3)
    texts = [path.read_text(encoding="utf-8") for path in GOLDEN.glob("*.txt")]
    refused = 0
    for _ in range(300):
        text = generator.choice(texts)
        for _ in range(generator.randint(1, 3)):
            place = generator.randrange(len(text))
            new = generator.choice(["", " ", "0", "x", "-1", "[", "]", "{", "\n", "->", ".", "\0"])
            text = text[:place] + new + text[place + generator.randint(0, 4) :]
        try:
            plan = parse(text)
            verify(plan)
        except PlanError:
            refused += 1
            continue
        # What passes is another plan; the runtime takes it or says why not.
        try:
            native.load(plan, host_calls(plan))
        except (RuntimeError, KeyError, TypeError, ValueError):
            refused += 1
    assert refused > 100


def test_equal_plans_are_equal_whoever_built_them() -> None:
    first, second = (PROGRAMS["softmax_regression"]().function().plan for _ in range(2))
    assert first == second
    assert hash(first.buffers[0]) == hash(second.buffers[0])
    assert first != replace(first, name="other")
    check = Check("equal", 1, 1, "add", "text")
    assert first != replace(first, checks=(check,))
    assert first != replace(first, steps=(*first.steps, Step("copy", Params({}), ("W",), ("b",))))
