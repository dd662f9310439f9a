"""A sound plan that holds one of everything, and every way to break it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from arignote.graph.dim import Expr
from arignote.graph.op import Params
from arignote.graph.type import TensorType
from arignote.ops.program import Instruction, Program, Result
from arignote.plan.parse import parse
from arignote.plan.plan import Check, Const, Plan, Scalar, Step, Temp, View

SOUND = """\
plan sound
input  x float64[x.0]
input  m float64[m.0, m.1]
input  flag bool[]
state  w float64[x.0]
state  v float64[v.0]
const  two float64[1]:1 = 2.0
scalar n int64[] = x.0
temp   t0 float64[x.0]
temp   t1 float64[x.0] in t0
view   row float64[1, x.0]:1n of t1 at 0 strides (0, 8)
reshaped flat float64[(m.0 * m.1)] of m
temp   g float64[x.0]
temp   chosen float64[x.0]
temp   mask bool[x.0]
temp   count int64[]
temp   places int64[count.read]
temp   rows float64[1, x.0]:1n
temp   product float64[]
temp   out float64[count.read]
temp   new float64[x.0] in w
check  equal w.0, x.0 [add] w and x must be equally long: {found} != {expected}
0 elementwise x two -> t0
    r2 = mul(r0, r1) float64
    -> r2
1 elementwise t0 two -> t1
    r2 = add(r0, r1) float64
    -> r2
2 reshape m -> flat
3 elementwise t1 x -> g when flag
    r2 = add(r0, r1) float64
    -> r2
4 ifelse flag g x -> chosen
5 elementwise x two -> mask count
    r2 = gt(r0, r1) bool
    -> r2, sum(r2, 0)
6 nonzero mask count -> places
7 take chosen places -> out
8 elementwise row -> rows
    r1 = neg(r0) float64
    -> r1
9 dot x x -> product
10 elementwise w chosen -> new
    r2 = add(r0, r1) float64
    -> r2
update w <- new
update v <- flat
output out rows"""


class Broken(NamedTuple):
    """A change to the sound plan, and what the two verifiers say; None where it cannot be sent."""

    change: Callable[[Plan], Plan]
    python: str
    runtime: str | None


def text(*changes: str) -> Callable[[Plan], Plan]:
    """Replace parts of the plan's text, given in turn as they are and as they become."""

    def change(plan: Plan) -> Plan:
        result = SOUND
        for old, new in zip(changes[::2], changes[1::2], strict=True):
            assert result.count(old) == 1, old
            result = result.replace(old, new)
        return parse(result)

    return change


def of_buffer(name: str, **fields: Any) -> Callable[[Plan], Plan]:
    """Change the fields of one buffer."""

    def change(plan: Plan) -> Plan:
        assert name in plan.by_name
        return replace(
            plan,
            buffers=tuple(replace(b, **fields) if b.name == name else b for b in plan.buffers),
        )

    return change


def of_step(number: int, **fields: Any) -> Callable[[Plan], Plan]:
    """Change the fields of one step."""

    def change(plan: Plan) -> Plan:
        steps = list(plan.steps)
        steps[number] = replace(steps[number], **fields)
        return replace(plan, steps=tuple(steps))

    return change


def moved(number: int, to: int) -> Callable[[Plan], Plan]:
    """Run a step at another place."""

    def change(plan: Plan) -> Plan:
        steps = list(plan.steps)
        steps.insert(to, steps.pop(number))
        return replace(plan, steps=tuple(steps))

    return change


def without_step(number: int) -> Callable[[Plan], Plan]:
    return lambda plan: replace(plan, steps=(*plan.steps[:number], *plan.steps[number + 1 :]))


def with_step(step: Step, *buffers: Any, at: int = 99) -> Callable[[Plan], Plan]:
    """Add a step, and buffers that it needs."""

    def change(plan: Plan) -> Plan:
        steps = (*plan.steps[:at], step, *plan.steps[at:])
        return replace(plan, steps=steps, buffers=(*plan.buffers, *buffers))

    return change


def with_check(kind: str, found: Any, expected: Any = 1) -> Callable[[Plan], Plan]:
    check = Check(kind, found, expected, "add", "text")
    return lambda plan: replace(plan, checks=(*plan.checks, check))


def program(*instructions: Instruction, results: tuple[Result, ...] = (Result(2),)) -> Params:
    return Params({"program": Program(("float64", "float64"), instructions, results)})


def copy(source: str, target: str, **fields: Any) -> Step:
    return Step("copy", Params({}), (source,), (target,), **fields)


VECTOR, SCALAR = TensorType("float64", (False,)), TensorType("int64", ())
LENGTH = (Expr("shape", ("x", 0)),)
ADD = Instruction("add", (0, 1), "float64")


def extra(name: str = "extra", storage: str | None = None) -> Temp:
    return Temp(name, VECTOR, LENGTH, storage)


BROKEN: dict[str, Broken] = {
    # names
    "two buffers of one name": Broken(
        lambda plan: replace(plan, buffers=(*plan.buffers, plan.buffer("t0"))),
        "buffers must have different names",
        "must be a buffer before it",
    ),
    "an unknown operand": Broken(
        of_step(9, inputs=("x", "y")), "must be that of a buffer: y", "of a buffer: 'y'"
    ),
    "an unknown result": Broken(
        of_step(9, outputs=("y",)), "must be that of a buffer: y", "must be that of a buffer: 'y'"
    ),
    "an unknown condition": Broken(
        of_step(3, guards=(("y", True),)), "must be that of a buffer: y", "of a buffer: 'y'"
    ),
    "an unknown base": Broken(
        of_buffer("row", base="y"), "row must come after its base y", "of a buffer: 'y'"
    ),
    "an unknown storage": Broken(
        of_buffer("t1", storage="y"), "t1 must come after what it takes", "of a buffer: 'y'"
    ),
    "an unknown output": Broken(
        text("output out", "output y"), "must be that of a buffer: y", "of a buffer: 'y'"
    ),
    "an unknown state": Broken(
        text("update v", "update y"), "must be that of a buffer: y", "of a buffer: 'y'"
    ),
    "an unknown op": Broken(of_step(9, op="nothing"), "step 9 .nothing. must name an op", None),
    # dims
    "a shape of an unknown buffer": Broken(
        text("scalar n int64[] = x.0", "scalar n int64[] = y.0"), "of a buffer: y", None
    ),
    "a dimension that a buffer has not": Broken(
        text("(m.0 * m.1)", "(m.0 * m.2)"), "must name a dimension of m", "must name an axis: 2"
    ),
    "a negative dimension": Broken(
        of_buffer("flat", shape=(Expr("shape", ("m", -1)),)),
        "must name a dimension of m",
        "must name an axis: -1",
    ),
    "the shape of a temporary": Broken(
        of_buffer("g", shape=(Expr("shape", ("t1", 0)),)),
        "must be read from an input, a state or a step",
        "must ask an input, a state or a constant",
    ),
    "the value of an array": Broken(
        text("(m.0 * m.1)", "x.value"), "must be read from an integer", "must read a 0-d integer"
    ),
    "a size from an input": Broken(
        of_buffer("places", shape=(Expr("read", ("flag",)),)),
        "must be read from an input, a state or a step",
        "must read a temp",
    ),
    "a size from an array": Broken(
        text("places int64[count.read]", "places int64[t0.read]"),
        "must be read from an integer: t0",
        "must read a 0-d integer",
    ),
    "an unknown operation": Broken(
        of_buffer("flat", shape=(Expr("pow", (2, 3)),)),
        "must be made of known operations: pow",
        "must have a known operation: pow",
    ),
    "a dim of a check": Broken(
        with_check("equal", Expr("shape", ("y", 0))), "must be that of a buffer: y", "'y'"
    ),
    "a kind of check": Broken(
        with_check("less", 1), "a check must be one of equal, index, true: less", "less"
    ),
    "a dim of a step": Broken(
        of_step(9, dims=(Expr("shape", ("y", 0)),)), "must be that of a buffer: y", "'y'"
    ),
    "a size before it is written": Broken(
        moved(5, 7), "step 5 .nonzero. .* before it is written", "must be written before"
    ),
    "a shape before it is known": Broken(
        of_buffer("chosen", shape=(Expr("read", ("count",)),)),
        "step 4 .ifelse. needs the size count before it is written",
        "the shape of an output must be known by then",
    ),
    "an integer of a kernel before it is known": Broken(
        of_step(4, dims=(Expr("read", ("count",)),)),
        "step 4 .ifelse. needs the size count before",
        "dims must be known by then",
    ),
    "a size that only a branch computes": Broken(
        of_step(5, guards=(("flag", True),)),
        "step 6 .nonzero. must stand under the conditions",
        "must stand under the guards|must not read what a guarded step computes",
    ),
    # buffers
    "a rank that is not the type's": Broken(
        of_buffer("g", shape=()), "g must have the 1 dimensions of its type", "must suit its kernel"
    ),
    "a length in a broadcastable dimension": Broken(
        text("row float64[1, x.0]", "row float64[x.0, x.0]"), "row must have length 1", None
    ),
    "a view without strides": Broken(
        of_buffer("row", strides=()),
        "row must have a stride for each dimension",
        "strides must have one register per axis",
    ),
    "a view of another dtype": Broken(
        of_buffer("row", type=TensorType("int64", (True, False))),
        "row must have the dtype of its base t1",
        "base must have the same dtype",
    ),
    "a reshape of another dtype": Broken(
        of_buffer("flat", type=TensorType("float32", (False,))),
        "flat must have the dtype of its base m",
        "base must have the same dtype",
    ),
    "a view of what comes later": Broken(
        of_buffer("row", base="g"), "row must come after its base g", "must be a buffer before it"
    ),
    "a view of itself": Broken(
        of_buffer("row", base="row"), "row must come after its base row", "must be a buffer before"
    ),
    "a constant of another dtype": Broken(
        of_buffer("two", value=np.array([2])),
        "two must be an array of dtype float64",
        "of its dtype",
    ),
    "a complex size": Broken(
        with_step(
            copy("z", "zz"),
            Scalar("z", TensorType("complex128", ()), 2),
            Temp("zz", TensorType("complex128", ()), ()),
            at=9,
        ),
        "z must be bool, integer, float32 or float64",
        "a scalar must be bool, integer, float32 or float64",
    ),
    # steps
    "two writers": Broken(
        with_step(copy("x", "t0"), at=1),
        "step 1 .copy. writes t0, which step 0 wrote",
        "2 write it",
    ),
    "no writer": Broken(
        without_step(9), "product must be written by a step: none does", "0 write it"
    ),
    "a reshape that no step makes": Broken(
        without_step(2), "flat must be written by a step|before it is written", "0 write it"
    ),
    "a read before the write": Broken(
        moved(0, 1), "step 0 .elementwise. reads t0 before it is written", "be written before"
    ),
    "a read of a view before the write": Broken(
        moved(8, 1), "step 1 .elementwise. reads row before it is written", "be written before"
    ),
    "a step that reads its own result": Broken(
        of_step(9, inputs=("product", "x")), "reads product before it is written", "written before"
    ),
    "a written input": Broken(
        of_step(8, outputs=("m",)), "step 8 .* must write temporaries.*: m", "outputs must be temps"
    ),
    "a written state": Broken(
        of_step(10, outputs=("w",)), "step 10 .* must write temporaries", "outputs must be temps"
    ),
    "a written view": Broken(
        of_step(8, outputs=("row",)), "step 8 .* must write temporaries", "outputs must be temps"
    ),
    "a reshape from elsewhere": Broken(
        of_step(2, inputs=("x",)),
        "must go from a base to its reshape",
        "from a base to its reshape",
    ),
    "a reshape into a temporary": Broken(
        of_step(2, outputs=("t0",)), "step 2 .reshape. must write", "outputs must be temps"
    ),
    "a reshape on the host": Broken(
        of_step(2, host=True), "must go from a base to its reshape", "outputs must be temps"
    ),
    "an operand of the wrong rank": Broken(
        of_step(9, inputs=("x", "flag")), "step 9 .dot. is given operands", "must suit its kernel"
    ),
    "an operand of the wrong dtype": Broken(
        of_step(0, inputs=("flag", "two")), "step 0 .* is given operands", "must suit its kernel"
    ),
    "too few operands": Broken(
        of_step(9, inputs=("x",)), "step 9 .dot. is given operands", "must suit its kernel"
    ),
    "too many operands": Broken(
        of_step(9, inputs=("x", "x", "x")), "step 9 .dot. is given operands", "must suit its kernel"
    ),
    "too many results": Broken(
        of_step(4, outputs=("chosen", "t0")), "step 4 .ifelse. must write|wrote", "2 write it"
    ),
    "a result of the wrong dtype": Broken(
        of_buffer("product", type=SCALAR), "step 9 .dot. must write", "must suit its kernel"
    ),
    "a result of the wrong rank": Broken(
        of_buffer("product", type=VECTOR, shape=LENGTH),
        "step 9 .dot. must write",
        "must suit its kernel",
    ),
    "no parameters": Broken(
        of_step(8, params=Params({})), "step 8 .* parameters of wrong types: 'program'", None
    ),
    "no kernel": Broken(
        with_step(
            Step("real", Params({}), ("z",), ("re",)),
            Const("z", TensorType("complex128", (False,)), np.ones(2, "complex128")),
            Temp("re", VECTOR, (2,)),
            at=9,
        ),
        "has no kernel for its operands: it must run on the host",
        "kernel",
    ),
    # programs
    "a register that comes later": Broken(
        of_step(0, params=program(Instruction("add", (0, 2), "float64"))),
        "r2 must be computed from registers before it",
        "must suit its kernel",
    ),
    "a negative register": Broken(
        of_step(0, params=program(Instruction("add", (0, -1), "float64"))),
        "r2 must be computed from registers before it",
        "must suit its kernel",
    ),
    "an unknown instruction": Broken(
        of_step(0, params=program(Instruction("nothing", (0, 1), "float64"))),
        "step 0 .* is given operands or parameters of wrong types: 'nothing'",
        "must suit its kernel",
    ),
    "an instruction that is not elementwise": Broken(
        of_step(0, params=program(Instruction("dot", (0, 1), "float64"))),
        "r2 cannot be dot",
        "must suit its kernel",
    ),
    "an instruction of another dtype": Broken(
        of_step(0, params=program(Instruction("add", (0, 1), "float32"))),
        "r2 cannot be add of .'float64', 'float64'. as float32",
        "must suit its kernel",
    ),
    "a result that no register holds": Broken(
        of_step(0, params=program(ADD, results=(Result(3),))),
        "a result must be a register: 3",
        "must suit its kernel",
    ),
    "an unknown reduction": Broken(
        of_step(0, params=program(ADD, results=(Result(2, "median", (0,)),))),
        "wrong types: 'median'",
        "must suit its kernel",
    ),
    "a reduction of an axis that is not there": Broken(
        of_step(9, op="elementwise", params=program(ADD, results=(Result(2, "sum", (1,)),))),
        "step 9 .elementwise. ",
        "must suit its kernel",
    ),
    # conditions
    "a condition that is no boolean": Broken(
        of_step(3, guards=(("n", True),)), "must be guarded by boolean scalars: n", "be 0-d bool"
    ),
    "an array as condition": Broken(
        of_step(3, guards=(("x", True),)), "must be guarded by boolean scalars: x", "be 0-d bool"
    ),
    "a read outside of the branch": Broken(
        of_step(9, inputs=("x", "g")),
        "step 9 .dot. must stand under the conditions of what it reads: g",
        "step 9 .dot. must stand under the guards",
    ),
    "the wrong branch": Broken(
        of_step(4, inputs=("flag", "x", "g")),
        "step 4 .ifelse. must stand under the conditions",
        "step 4 .ifelse. must stand under the guards",
    ),
    "the other condition": Broken(
        of_step(3, guards=(("flag", False),)),
        "step 4 .ifelse. must stand under the conditions",
        "step 4 .ifelse. must stand under the guards",
    ),
    "an output of a branch": Broken(
        text("output out rows", "output g rows"),
        "an output must stand under the conditions of what it reads: g",
        "outputs must not stand under guards",
    ),
    "an update from a branch": Broken(
        text("update v <- flat", "update v <- g"),
        "an update must stand under the conditions of what it reads: g",
        "must not stand under guards",
    ),
    "an update in place in a branch": Broken(
        of_step(10, guards=(("flag", True),)), "under no conditions", "must not stand under guards"
    ),
    # memory
    "memory of what is read later": Broken(
        of_buffer("g", storage="t1"),
        "step 8 reads row, which g has overwritten",
        "be read any more",
    ),
    "memory of what a condition reads": Broken(
        with_step(
            copy("x", "extra", guards=(("late_flag", True),)),
            Temp("late_flag", TensorType("bool", ()), ()),
            Temp("taker", TensorType("bool", ()), (), "late_flag"),
            extra(),
            at=9,
        ),
        "late_flag before it is written|must be written",
        "must be written",
    ),
    "memory of what an update reads": Broken(
        text("update v <- flat", "update v <- t0"),
        "an update reads t0, which t1 has overwritten",
        "by the end of the call",
    ),
    "memory of what the step reads by a window": Broken(
        text(
            "8 elementwise row -> rows\n    r1 = neg(r0) float64",
            "8 elementwise row t1 -> rows\n    r2 = add(r0, r1) float64\n    r3 = neg(r2) float64",
            "    -> r1\n9",
            "    -> r3\n9",
            "rows float64[1, x.0]:1n",
            "rows float64[x.0] in t1",
            "output out rows",
            "output out",
        ),
        "is given operands|reads t1, which rows overwrites",
        "must not be read any more",
    ),
    "memory that an op may not overwrite": Broken(
        text(
            "9 dot x x -> product",
            "9 dot m m2 -> product",
            "temp   product float64[]",
            "temp   m2 float64[m.0, m.1]\ntemp   product float64[m.0, m.1] in m2",
            "2 reshape m -> flat",
            "2 reshape m -> flat\n3 copy m -> m2",
        ),
        "step 10 reads m2, which product overwrites",
        "must suit its kernel",
    ),
    "memory of another dtype": Broken(
        of_buffer("mask", storage="t1"), "mask cannot take the memory of t1", "be read any more"
    ),
    "memory of another shape": Broken(
        of_buffer("out", storage="chosen"),
        "out cannot take the memory of chosen",
        "outputs must be temps with memory of their own",
    ),
    "memory of an input": Broken(
        of_buffer("t0", storage="x"), "t0 cannot take the memory of x", "must be a temp or a state"
    ),
    "memory of itself": Broken(
        of_buffer("g", storage="g"), "g must come after what it takes", "must be a buffer before it"
    ),
    "memory of what comes later": Broken(
        of_buffer("t0", storage="g"), "t0 must come after what it takes", "be a buffer before it"
    ),
    "memory of what is written later": Broken(
        lambda plan: replace(
            with_step(copy("x", "extra"), extra(), at=9)(plan),
            buffers=(
                *plan.buffers[:7],
                extra(),
                extra("t0", storage="extra"),
                *plan.buffers[8:],
            ),
        ),
        "t0 must be written after extra, whose memory it is|has overwritten",
        "must be written before it|must not be read any more",
    ),
    "two takers": Broken(
        of_buffer("g", storage="t0"), "g and t1 both take t0", "must have only one taker"
    ),
    "the memory of an output": Broken(
        text("output out rows", "output out rows t0"),
        "t1 cannot take the memory of the output t0",
        "must not be read any more",
    ),
    # states
    "a state written by what is not its update": Broken(
        text("update w <- new\n", ""), "new must be the update of w", "which must be updated by it"
    ),
    "a state that takes another value": Broken(
        text("update w <- new", "update w <- chosen"),
        "new must be the update of w",
        "which must be updated by it",
    ),
    "a state read after the write": Broken(
        with_step(copy("w", "extra"), extra()),
        "step 11 reads w, which new has overwritten",
        "must not be read any more",
    ),
    "a window of a state read after the write": Broken(
        with_step(copy("window", "extra"), View("window", VECTOR, "w", 0, LENGTH, (8,)), extra()),
        "step 11 reads window, which new has overwritten",
        "must not be read any more",
    ),
    "a state read by its writer through a window": Broken(
        lambda plan: replace(
            of_step(10, inputs=("window", "chosen"))(plan),
            buffers=(*plan.buffers, View("window", VECTOR, "w", 0, LENGTH, (8,))),
        ),
        "step 10 reads w, which new overwrites",
        "must not be read any more",
    ),
    "what may fail after a state was written": Broken(
        moved(7, 10),
        "step 10 .* may fail after new was written|may fail",
        "may fail, so it must stand",
    ),
    "a host step after a state was written": Broken(
        with_step(copy("x", "extra", host=True), extra()),
        "step 11 may fail after new was written",
        "may fail, so it must stand before",
    ),
    "a size after a state was written": Broken(
        lambda plan: with_step(
            copy("late", "extra"),
            Temp("late_size", SCALAR, ()),
            Temp("late", VECTOR, (Expr("read", ("late_size",)),)),
            extra(),
        )(with_step(copy("n", "late_size"))(plan)),
        "late before it is written|must be known before new is written|must be written by a step",
        "must be written by one step|before the first step that writes a state",
    ),
    # results
    "an output twice": Broken(
        text("output out rows", "output out out"),
        "must be different buffers",
        "outputs must differ",
    ),
    "an output that is an input": Broken(
        text("output out", "output x"),
        "x must have memory of its own",
        "temps with memory of their",
    ),
    "an output that is a view": Broken(
        text("output out", "output row"), "row must have memory of its own", "with memory of their"
    ),
    "an output in the memory of another": Broken(
        text("output out", "output t1"),
        "t1 must have memory of its own",
        "with memory of their own",
    ),
    "an update of an input": Broken(
        text("update v", "update x"), "only states can be updated: x", "it must be a state"
    ),
    "two updates of a state": Broken(
        text("update v", "update w"), "a state must be updated once", "there must be only one"
    ),
    "an update of another dtype": Broken(
        text("v <- flat", "v <- mask"), "v cannot take a value of the type of mask", "state's dtype"
    ),
    "an update of another rank": Broken(
        text("v <- flat", "v <- m"), "v cannot take a value of the type of m", "dtype and ndim"
    ),
    "an update that lies in an updated state": Broken(
        text("v <- flat", "v <- v"),
        "v cannot take v, which lies in a state that is updated",
        "must not lie in a state that is updated",
    ),
}
