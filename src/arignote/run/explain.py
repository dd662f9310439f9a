"""What the compiler did to a function: the rules that fired, and the plan before and after."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from arignote.plan.by_rows import body_of
from arignote.plan.plan import Plan
from arignote.rewrite.engine import Firing
from arignote.rewrite.pipeline import PHASES
from arignote.run.compiled import compile_source
from arignote.run.function import Function
from arignote.run.mode import Mode

_TOGETHER = "one kernel of the device"


@dataclass(frozen=True)
class Explanation:
    """The rewrites of one function.

    Attributes
    ----------
    firings
        The rules that applied, in order, with what stood there and what replaced it.
    notes
        For each group of nodes that run together, row block by row block, what is in it, and what
        is not and why; also for each matrix product that is in no such group. On a device, whether
        one kernel runs all of a group, and if not, why: that is known after the first call.
    before, after
        The plan of the graph as it was written, and the one that runs.
    """

    firings: tuple[Firing, ...]
    notes: tuple[str, ...]
    before: Plan
    after: Plan

    def __str__(self) -> str:
        docs = {rule.name: rule.doc for phase in PHASES for rule in phase.rules}
        counts = Counter(firing.rule for firing in self.firings)
        lines = ["Rules that fired:"]
        lines += [f"  {count:3d} x {name}: {docs[name]}" for name, count in counts.items()]
        lines += ["", "In order:"]
        lines += [f"  {f.rule}: {f.before}  ->  {f.after}" for f in self.firings]
        if self.notes:
            lines += ["", "Row blocks:"]
            lines += [f"  {line}" for note in self.notes for line in note.splitlines()]
        lines += [
            "",
            f"Before, {len(self.before.steps)} steps:",
            str(self.before),
            "",
            f"After, {len(self.after.steps)} steps:",
            str(self.after),
        ]
        return "\n".join(lines)


def explain(function: Function) -> Explanation:
    """Return what the compiler did to a function.

    Parameters
    ----------
    function
        A compiled function.

    Returns
    -------
    Explanation
        Print it to read it.

    Raises
    ------
    TypeError
        If it is given something else.

    Examples
    --------
    >>> import arignote, arignote.tensor as T
    >>> x = T.dvector("x")
    >>> f = arignote.function([x], 1 / (1 + T.exp(-x)))
    >>> "sigmoid_from_exp" in [firing.rule for firing in explain(f).firings]
    True
    """
    if not isinstance(function, Function):
        raise TypeError(f"[explain] function must be a compiled function: {function!r}")
    compiled = function.compiled
    before = compile_source(compiled.source, Mode(optimizer=None)).plan
    log = compiled.log
    notes = (*log.notes, *_device_notes(function))
    return Explanation(tuple(log.firings), notes, before, compiled.plan)


def _device_notes(function: Function) -> list[str]:
    """Return how a device runs each row block of the plan."""
    steps = function.plan.steps
    ran = {number: (why, inner, classes) for number, why, inner, classes in function._row_blocks()}
    notes = []
    for number, step in enumerate(steps):
        body = body_of(step.params)
        if body is None or not step.device:
            continue
        if number not in ran:
            notes.append(f"step {number}: after a call it is known whether it is {_TOGETHER}")
            continue
        why, inner, classes = ran[number]
        if inner >= 0:
            why += f" (step {inner} of it: {body.steps[inner].op})"
        notes.append(
            f"step {number} is not {_TOGETHER}: {why}" if why else f"step {number} is {_TOGETHER}"
        )
        if classes:
            notes.append(
                f"step {number} computes its scores twice, for {classes:,} classes at a time: "
                f"blocks of rows would add up more than may lie apart"
            )
    return notes
