"""The NumPy executor: windows stay inside their memory, and checks are made in time."""

from __future__ import annotations

import numpy as np
import pytest

from arignote.errors import IndexRangeError, PlanError, ShapeError
from arignote.graph.dim import Expr
from arignote.plan import reference
from arignote.plan.parse import parse
from arignote.plan.plan import Check, Plan


def test_windows() -> None:
    base = np.arange(24.0).reshape(4, 6)
    found = reference.window(base, 8, (2, 3), (96, 16))
    np.testing.assert_array_equal(found, base[::2, 1::2])
    assert np.shares_memory(found, base)
    assert not found.flags.writeable
    backwards = reference.window(base, 23 * 8, (24,), (-8,))
    np.testing.assert_array_equal(backwards, base.ravel()[::-1])
    np.testing.assert_array_equal(reference.window(base.T[::-1], 0, (4,), (48,)), base[:, -1])
    assert reference.window(base, 999, (0, 3), (10**9, 8)).shape == (0, 3)


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (-8, (1,), (8,)),
        (0, (25,), (8,)),
        (24 * 8, (), ()),
        (0, (2,), (-8,)),
        (0, (3, 2), (48, 96)),
        (0, (2,), (2**62,)),
    ],
)
def test_windows_outside_of_their_base(
    offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    with pytest.raises(PlanError, match=r"\[view\] must lie inside its base"):
        reference.window(np.arange(24.0), offset, shape, strides)
    with pytest.raises(PlanError, match=r"\[view\] must lie inside its base"):
        reference.window(np.zeros((0, 24)), 0, (1,), (8,))


def failing(kind: str, found: int, expected: int) -> Exception | None:
    check = Check(kind, Expr("value", ("n",)), expected, "op", "{found} against {expected}")
    values = reference.Values(Plan("", (), (), (), (), ()), {"n": np.array(found)})
    return reference.failed_check(values, [check])


def test_checks() -> None:
    assert failing("equal", 3, 3) is None
    assert failing("index", 0, 1) is None
    assert failing("true", -1, 0) is None
    unequal = failing("equal", 3, 4)
    assert isinstance(unequal, ShapeError)
    assert unequal.args[0] == "[op] 3 against 4"
    above = failing("index", 4, 4)
    assert isinstance(above, IndexRangeError)
    assert above.args[0] == "[op] 4 against 4"
    # An index from the end is told as it was given.
    below = failing("index", -1, 4)
    assert below is not None
    assert below.args[0] == "[op] -5 against 4"
    assert isinstance(failing("true", 0, 0), ShapeError)


def test_late_checks_are_made_when_their_sizes_are_known() -> None:
    plan = parse(
        "plan late\n"
        "input  x bool[x.0]\n"
        "temp   count int64[]\n"
        "temp   places int64[count.read]\n"
        "check  equal count.read, 2 [op] two of {found} must be true\n"
        "0 elementwise x -> count\n"
        "    -> sum(r0, 0)\n"
        "1 nonzero x count -> places\n"
        "output places"
    )
    (places,), _ = reference.run(plan, [np.array([True, False, True])], [])
    assert places.tolist() == [0, 2]
    with pytest.raises(ShapeError, match="two of 1 must be true"):
        reference.run(plan, [np.array([True, False])], [])


def test_arguments_and_states_are_not_changed() -> None:
    plan = parse(
        "plan update\n"
        "state  w float64[w.0]\n"
        "const  c float64[1]:1 = 1.0\n"
        "temp   t float64[w.0] in w\n"
        "0 elementwise w c -> t\n"
        "    r2 = add(r0, r1) float64\n"
        "    -> r2\n"
        "update w <- t\n"
        "output"
    )
    state = np.zeros(2)
    outputs, values = reference.run(plan, [], [state])
    assert outputs == []
    np.testing.assert_array_equal(values, [[1, 1]])
    np.testing.assert_array_equal(state, 0)
