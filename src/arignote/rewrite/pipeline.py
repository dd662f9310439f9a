"""The order in which a graph is rewritten, on one screen.

``stabilize`` runs before a gradient is taken, ``optimize`` when a function is compiled; fusion
(:mod:`arignote.rewrite.fuse`) follows when the plan is lowered, since it needs to know which
values are computed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from arignote.graph.variable import Variable
from arignote.rewrite import canonical, selection, specialize, stable
from arignote.rewrite.engine import Log, Rewriter, Rule


@dataclass(frozen=True)
class Phase:
    """Rules that run together, in one pass from the inputs to the outputs."""

    name: str
    rules: tuple[Rule, ...]


STABILIZE: Final = Phase("stabilize", (*canonical.RULES, *selection.RULES, *stable.RULES))
SPECIALIZE: Final = Phase("specialize", (*specialize.RULES, *canonical.RULES))
PHASES: Final = (STABILIZE, SPECIALIZE)
RULE_NAMES: Final = frozenset(rule.name for phase in PHASES for rule in phase.rules)
# What a device does without: its products read halves as they are.
HOST_RULES: Final = frozenset({specialize.half_product_as_float.name})


def stabilize(outputs: Sequence[Variable], keep: Collection[Variable] = ()) -> list[Variable]:
    """Return ``outputs`` in stable form; what is in ``keep`` stays as it is."""
    return Rewriter(STABILIZE.rules, keep).run(outputs)


def merge(outputs: Sequence[Variable]) -> list[Variable]:
    """Return ``outputs`` with equal nodes merged and nothing else changed."""
    return Rewriter([canonical.expand_op]).run(outputs)


def optimize(
    outputs: Sequence[Variable], log: Log | None = None, excluded: Collection[str] = ()
) -> list[Variable]:
    """Return ``outputs`` after all phases, without the rules whose names are excluded."""
    result = list(outputs)
    for phase in PHASES:
        rules = [rule for rule in phase.rules if rule.name not in excluded]
        result = Rewriter([canonical.expand_op, *rules], log=log).run(result)
    return result
