"""Plans for a device whose parts lie where they must not: refused, each saying what is wrong."""

from __future__ import annotations

import pytest

from arignote.errors import PlanError
from arignote.plan.parse import parse
from arignote.plan.verify import verify

SOUND = """\
plan there
input  x float64[x.0]
input  flag bool[]
state  w float64[x.0] on device
const  two float64[1]:1 on device = 2.0
scalar n float64[] on device = x.0
view   wide float64[1]:1 of n at 0 strides (8)
temp   x_device float64[x.0] on device
reshaped square float64[x.0, 1]:n1 of x_device
view   first float64[] of square at 0 strides ()
temp   t0 float64[x.0] on device in x_device
temp   t1 float64[x.0] on device
temp   t2 float64[x.0] on device
temp   count int64[]
temp   count_device int64[] on device
temp   filled int64[count.read] on device
temp   new float64[x.0] on device in w
temp   out float64[x.0]
temp   rows int64[count.read]
0 to_device x -> x_device
1 device reshape x_device -> square
2 device elementwise x_device two -> t0 count_device
    r2 = mul(r0, r1) float64
    r3 = cast_int64(r0) int64
    -> r2, sum(r3, 0)
3 to_host count_device -> count
4 device elementwise t0 two -> t1 when flag
    r2 = add(r0, r1) float64
    -> r2
5 device ifelse flag t1 t0 -> t2
6 device nonzero t0 count -> filled
7 device elementwise w t2 wide -> new
    r3 = add(r0, r1) float64
    -> r3
8 to_host t2 -> out
9 to_host filled -> rows
update w <- new
output out rows"""

# What is said, and parts of the text in turn as they are and as they become.
BROKEN: dict[str, tuple[str, ...]] = {
    "a state": (
        "the new value of w must lie on the host|step 7 .*operand must lie on the device: w",
        *("state  w float64[x.0] on device", "state  w float64[x.0]"),
        *("on device in w", "on device"),
    ),
    "a constant": (
        "step 2 .*operand must lie on the device: two",
        *(" on device = 2.0", " = 2.0"),
    ),
    "a scalar": ("step 7 .*operand must lie on the device: wide", " on device = x.0", " = x.0"),
    "a result": (
        "step 4 .*result must lie on the device: t1",
        *("t1 float64[x.0] on device", "t1 float64[x.0]"),
    ),
    "a step of the host": (
        "step 4 .*operand must lie on the host: t0",
        *("4 device elementwise", "4 elementwise"),
    ),
    "a reshape": (
        "step 1 .*operand must lie on the host: x_device",
        *("1 device reshape", "1 reshape"),
    ),
    "an upload from the device": (
        "step 0 .*operand must lie on the host: w",
        *("0 to_device x ", "0 to_device w "),
    ),
    "an upload to the host": (
        "step 0 .*result must lie on the device: x_device",
        *("x_device float64[x.0] on device", "x_device float64[x.0]"),
        *("on device in x_device", "on device"),
    ),
    "a download to the device": (
        "step 8 .*result must lie on the host: out",
        *("out float64[x.0]", "out float64[x.0] on device"),
    ),
    "a transfer by the host": (
        "step 8 .*operand must lie on the host: t2",
        *("8 to_host", "8 host to_host"),
        *("new float64[x.0] on device in w", "new float64[x.0] on device"),
    ),
    "a condition": (
        "step 4 .*condition must lie on the host: late",
        *("const  two", "const  late bool[] on device = True\nconst  two"),
        *("when flag", "when late"),
        *("5 device ifelse flag t1 t0", "5 device ifelse flag t0 t0"),
    ),
    "what ifelse chooses by": (
        "step 5 .*operand must lie on the host: late",
        *("const  two", "const  late bool[] on device = True\nconst  two"),
        *("ifelse flag t1", "ifelse late t0"),
    ),
    "a size": (
        "a size must lie on the host: count_device",
        *("temp   filled int64[count.read]", "temp   filled int64[count_device.read]"),
        *("temp   rows int64[count.read]", "temp   rows int64[count_device.read]"),
        *("t0 count ->", "t0 count_device ->"),
    ),
    "memory of the other place": (
        "late cannot take the memory of t1",
        *("temp   out", "temp   late float64[x.0] in t1\ntemp   out"),
        *("-> rows\n", "-> rows\n10 to_host t2 -> late\n"),
    ),
    "a new value": (
        "the new value of w must lie on the device: out",
        *("update w <- new", "update w <- out"),
        *("on device in w", "on device"),
    ),
    "an output": (
        "an output must lie on the host: t2",
        *("output out rows", "output out rows t2"),
    ),
}


def test_the_sound_plan() -> None:
    plan = parse(SOUND)
    verify(plan)
    assert parse(str(plan)) == plan
    assert str(plan) == SOUND
    assert plan.on_device("first")
    assert not plan.on_device("x")


@pytest.mark.parametrize("name", BROKEN)
def test_what_lies_elsewhere_is_refused(name: str) -> None:
    message, *changes = BROKEN[name]
    text = SOUND
    for old, new in zip(changes[::2], changes[1::2], strict=True):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    with pytest.raises(PlanError, match=message):
        verify(parse(text))
