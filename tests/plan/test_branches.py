"""Of the branches of an ``ifelse`` only the one that is taken is computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from arignote.ifelse import ifelse

import arignote as theano
import arignote.tensor as T
from arignote.graph.variable import Variable
from arignote.run.function import Function


def runs(f: Function, *arguments: Any) -> dict[str, int]:
    """Return how often a call runs each of its steps, by what they write."""
    f.profile(True)
    f(*arguments)
    counted = zip(f.plan.steps, f.profile().steps, strict=True)
    return {name: item.runs for step, item in counted for name in step.outputs}


def seen(log: list[str], name: str) -> Callable[[Any, Any], None]:
    return lambda op, value: log.append(name)


def printing(log: list[str], name: str, variable: Variable) -> Variable:
    """Note in the log that a variable is computed."""
    return theano.printing.Print(name, global_fn=seen(log, name))(variable)


def test_only_one_branch_is_computed() -> None:
    a, b = T.dscalars("a", "b")
    x, y = T.dmatrices("x", "y")
    f = theano.function([a, b, x, y], ifelse(T.lt(a, b), T.mean(x), T.mean(y)))
    ones, twos = np.ones((3, 4)), np.full((2, 2), 2.0)
    assert f(0, 1, ones, twos) == 1
    assert f(1, 0, ones, twos) == 2
    counts = runs(f, 0, 1, ones, twos)
    assert sorted(counts.values()) == [0, 0, 1, 1, 1, 1]


def test_in_all_modes_and_lazily_in_each() -> None:
    flag, x = T.bscalar("flag"), T.dvector("x")
    for mode in ("native", "reference", "check"):
        log: list[str] = []
        chosen = ifelse(
            T.gt(flag, 0), printing(log, "then", x * 2).sum(), printing(log, "else", x * 3).sum()
        )
        f = theano.function([flag, x], chosen, mode=mode)
        assert f(1, [1.0, 2.0]) == 6
        assert set(log) == {"then"}
        log.clear()
        assert f(0, [1.0, 2.0]) == 9
        assert set(log) == {"else"}


def test_what_both_branches_need_is_computed_once() -> None:
    flag, x = T.bscalar("flag"), T.dvector("x")
    log: list[str] = []
    common = printing(log, "common", x + 1)
    f = theano.function([flag, x], ifelse(T.gt(flag, 0), common.sum(), (common * 2).sum()))
    assert f(1, [1.0]) == 2
    assert f(0, [1.0]) == 4
    assert log == ["common", "common"]


def test_what_is_an_output_too_is_always_computed() -> None:
    flag, x = T.bscalar("flag"), T.dvector("x")
    log: list[str] = []
    value = printing(log, "value", x * 2)
    f = theano.function([flag, x], [ifelse(T.gt(flag, 0), value.sum(), x.sum()), value])
    chosen, given = f(0, [1.0])
    assert (chosen, given.tolist(), log) == (1, [2.0], ["value"])


@pytest.mark.parametrize("names", [("z", "b"), ("b", "z"), (None, None)], ids=str)
@pytest.mark.parametrize("outer_is_input", [True, False])
def test_conditions_within_conditions(
    names: tuple[str | None, str | None], outer_is_input: bool
) -> None:
    """The inner condition is computed in a branch of the outer one, whatever they are called."""
    log: list[str] = []
    flag: Variable = T.TensorType("bool", ())("flag") if outer_is_input else T.bscalar("flag")
    x = T.dvector("x")
    outer = flag if outer_is_input else T.gt(flag, 0)
    summed = printing(log, "sum", x.sum())
    inner = T.gt(summed, 0.0)
    outer.name, inner.name = names
    nested = ifelse(inner, printing(log, "inner then", x * 2), printing(log, "inner else", x * 3))
    f = theano.function([flag, x], ifelse(outer, nested, printing(log, "outer else", x * 4)))
    cases = {
        (1, 1.0): (2.0, ["sum", "inner then"]),
        (1, -1.0): (-3.0, ["sum", "inner else"]),
        (0, 1.0): (4.0, ["outer else"]),
    }
    for (taken, value), (result, steps) in cases.items():
        log.clear()
        argument = np.bool_(taken) if outer_is_input else np.int8(taken)
        assert f(argument, [value]).tolist() == [result]
        assert log == steps


def test_branches_of_different_lengths_and_a_mask_in_one() -> None:
    flag, x = T.bscalar("flag"), T.dvector("x")
    f = theano.function([flag, x], ifelse(T.gt(flag, 0), x[(x > 0).nonzero()], x) * 2)
    given = [1.0, -2.0, 3.0]
    assert f(1, given).tolist() == [2, 6]
    assert f(0, given).tolist() == [2, -4, 6]


def test_gradients_pass_the_branch_that_is_taken() -> None:
    flag, x = T.bscalar("flag"), T.dvector("x")
    cost = ifelse(T.gt(flag, 0), (x**2).sum(), (x**3).sum())
    f = theano.function([flag, x], T.grad(cost, x))
    assert f(1, [2.0, 3.0]).tolist() == [4, 6]
    assert f(0, [2.0, 3.0]).tolist() == [12, 27]


def test_an_update_may_be_chosen() -> None:
    flag, w = T.bscalar("flag"), theano.shared(np.ones(2), "w")
    f = theano.function([flag], [], updates=[(w, ifelse(T.gt(flag, 0), w * 2, w - 1))])
    f(1)
    assert w.get_value().tolist() == [2, 2]
    f(0)
    assert w.get_value().tolist() == [1, 1]
