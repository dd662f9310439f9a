"""The rewriter: rules, and phases of rules applied to a graph until nothing changes.

A rule is a function from a node to replacements for its outputs, or None. It is tried on the nodes
of the ops it is registered for. Rewriting rebuilds the graph bottom-up and merges equal nodes on
the way: two nodes with the same op, parameters and inputs become one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from arignote.errors import PlanError
from arignote.graph import walk
from arignote.graph.op import Op, Params, unobserved
from arignote.graph.variable import Apply, Constant, Variable, origin_of

Replacement: TypeAlias = "Variable | Sequence[Variable] | None"


@dataclass(frozen=True)
class Rule:
    """One rewrite: where it may apply, and what it does."""

    name: str
    ops: tuple[Op, ...]
    apply: Callable[[Apply], Replacement]
    doc: str = ""

    def __repr__(self) -> str:
        return f"<rule {self.name}>"


def rule(*ops: Op) -> Callable[[Callable[[Apply], Replacement]], Rule]:
    """Make a function a rule for nodes of the given ops; none given means all."""

    def decorate(function: Callable[[Apply], Replacement]) -> Rule:
        doc = (function.__doc__ or "").strip().split("\n")[0]
        return Rule(function.__name__, ops, function, doc)

    return decorate


@dataclass(frozen=True)
class Firing:
    """A rule that applied: what stood there and what replaced it."""

    rule: str
    before: str
    after: str


@dataclass
class Log:
    """The firings of a rewrite, in order, and what was decided after it, in sentences."""

    firings: list[Firing] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, rule_: Rule, node: Apply, outputs: Sequence[Variable]) -> None:
        """Record one firing."""
        self.firings.append(Firing(rule_.name, str(node), ", ".join(map(_text, outputs))))


def _text(variable: Variable) -> str:
    return str(variable.owner) if variable.owner is not None else str(variable)


class Rewriter:
    """One bottom-up pass over a graph: merging, and rules at each node until none applies.

    Rules look at a node and what is below it, which is final by then: one pass is enough.
    ``keep`` holds variables that are taken as they are: neither they nor what computes them change.
    """

    def __init__(
        self, rules: Iterable[Rule] = (), keep: Collection[Variable] = (), log: Log | None = None
    ) -> None:
        self.by_op: dict[Op | None, list[Rule]] = {}
        for item in rules:
            for op in item.ops or (None,):
                self.by_op.setdefault(op, []).append(item)
        self.log = log
        self.memo: dict[Variable, Variable] = {item: item for item in keep}
        self.nodes: dict[tuple[Op, Params, tuple[Variable, ...]], Apply] = {}
        self.constants: dict[tuple[Any, ...], Constant] = {}

    def run(self, outputs: Sequence[Variable]) -> list[Variable]:
        """Return the rewritten outputs."""
        with unobserved():
            self._visit(outputs)
        return [self.memo[output] for output in outputs]

    def _visit(self, outputs: Sequence[Variable]) -> None:
        memo = self.memo
        for variable in walk.ancestors(outputs, stop=memo.__contains__):
            if variable in memo:
                continue
            if variable.owner is not None:
                self._node(variable.owner)
            elif isinstance(variable, Constant):
                memo[variable] = self.constants.setdefault(variable.signature(), variable)
            else:
                memo[variable] = variable

    def _node(self, node: Apply) -> None:
        rebuilt = walk.rebuild(node, [self.memo[item] for item in node.inputs])
        merged = self.nodes.setdefault((rebuilt.op, rebuilt.params, rebuilt.inputs), rebuilt)
        if merged.outputs[0] not in self.memo:
            replacements = self._apply_rules(merged)
            if replacements is not None:
                # What a rule builds consists of nodes that no rule has seen: they come first.
                self._visit(replacements)
                replacements = [self.memo[item] for item in replacements]
            for old, new in zip(merged.outputs, replacements or merged.outputs, strict=True):
                self.memo[old] = new
                self.memo.setdefault(new, new)
        for old, new in zip(node.outputs, merged.outputs, strict=True):
            self.memo[old] = self.memo[new]

    def _apply_rules(self, node: Apply) -> Sequence[Variable] | None:
        with origin_of(node.origin):
            for item in (*self.by_op.get(node.op, ()), *self.by_op.get(None, ())):
                result = item.apply(node)
                if result is None:
                    continue
                outputs = [result] if isinstance(result, Variable) else list(result)
                _check(item, node, outputs)
                if self.log is not None:
                    self.log.add(item, node, outputs)
                return outputs
        return None


def _check(item: Rule, node: Apply, outputs: Sequence[Variable]) -> None:
    for old, new in zip(node.outputs, outputs, strict=True):
        if old.dtype != new.dtype or old.ndim != new.ndim:
            raise PlanError(
                f"[{item.name}] a rewrite must keep the type of {node}: {old.type} became "
                f"{new.type}"
            )
