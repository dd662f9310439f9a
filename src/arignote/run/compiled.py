"""From a normalized function to its plan."""

from __future__ import annotations

from dataclasses import dataclass

from arignote.graph import walk
from arignote.graph.variable import SharedVariable, Variable
from arignote.plan.lower import Choices, lower
from arignote.plan.plan import Plan
from arignote.plan.verify import verify
from arignote.rewrite.engine import Log
from arignote.rewrite.pipeline import HOST_RULES, merge, optimize
from arignote.run.build import Source
from arignote.run.devices import OpenDevice, allows_tf32, device_for_function, place_of
from arignote.run.mode import Mode


@dataclass(frozen=True)
class Compiled:
    """A function after compilation: its plan and how it came about."""

    source: Source
    mode: Mode
    plan: Plan
    states: tuple[SharedVariable, ...]
    graph: tuple[Variable, ...]
    log: Log
    device: OpenDevice | None = None


def compile_source(source: Source, mode: Mode) -> Compiled:
    """Rewrite, lower and verify a function."""
    log = Log()
    values = [*source.outputs, *(value for _, value in source.feedback)]
    results = [*values, *(value for _, value in source.updates)]
    targets = [target for target, _ in source.updates]
    shared = {*walk.shared_inputs(results), *targets}
    # What runs inside a step of the host is the host's.
    device = None if source.options.get("inside") else device_for_function(shared)
    excluded = mode.excluded | (HOST_RULES if device is not None else frozenset())
    rewritten = optimize(results, log, excluded) if mode.optimizer else merge(results)
    plan, states = lower(
        source.leaves,
        rewritten[: len(values)],
        list(zip(targets, rewritten[len(values) :], strict=True)),
        " ".join((source.name or "").split()) or "function",
        Choices(
            fusing=mode.optimizer is not None and "fusion" not in mode.excluded,
            # A mode that looks at steps is to see them all.
            by_rows=mode.optimizer is not None
            and "by_rows" not in mode.excluded
            and mode.watcher is None
            and mode.linker != "check",
            overwriting="inplace" not in mode.excluded,
            device=device,
            tf32=device is not None and allows_tf32(device),
            on_device={item for item in shared if place_of(item) is not None},
        ),
        log.notes,
    )
    verify(plan)
    return Compiled(source, mode, plan, tuple(states), tuple(rewritten), log, device)
