"""Results as a table for people and as JSON for programs."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeAlias

import numpy as np

import arignote
from arignote.bench.result import Goal, Result, format_seconds
from arignote.bench.roofline import Machine
from arignote.run import native

Row: TypeAlias = tuple[str, ...]

HEADINGS: Row = ("workload", "by", "time", "±", "× best peer", "of roofline", "extra MB", "goals")
_MEMORY = HEADINGS.index("extra MB")
# Wide enough for a row where nobody looks at a terminal.
_LEAST_WIDTH = 140


def rows(result: Result) -> list[Row]:
    """Return a result's rows, one for each contender, the first with what concerns all."""
    best = result.best_peer
    table: list[Row] = []
    for name, sample in result.samples.items():
        share = result.share_of_floor(name)
        memory = result.memory.get(name)
        table.append(
            (
                "",
                name,
                format_seconds(sample.median),
                f"{sample.spread:.0%}",
                f"{result.ratio(name, best):.3g}" if best else "",
                "" if share is None else f"{share:.0%}",
                "" if memory is None else f"{max(memory, 0) / 1e6:.0f}",
                "",
            )
        )
    goals = ", ".join(f"{goal.text}: {_verdict(goal, result)}" for goal in result.workload.goals)
    table[0] = (result.workload.name, *table[0][1:-1], goals)
    return table


def _verdict(goal: Goal, result: Result) -> str:
    return {True: "met", False: "not met", None: "cannot tell"}[goal.met(result)]


def print_table(title: str, results: Sequence[Result]) -> None:
    """Print results under a title, with ``rich`` where it is installed."""
    with_memory = any(result.memory for result in results)
    headings, *table = (
        row if with_memory else (*row[:_MEMORY], *row[_MEMORY + 1 :])
        for row in (HEADINGS, *(row for result in results for row in rows(result)))
    )
    if find_spec("rich"):
        _print_rich(title, headings, table)
    else:
        sys.stdout.write(plain_table(title, headings, table))
    for reason in sorted({text for result in results for text in _left_out(result)}):
        sys.stdout.write(f"left out: {reason}\n")
    for result in results:
        if result.company:
            share = f"{result.company:.0%} of its turns"
            sys.stdout.write(f"disturbed: {result.workload.name} (others ran during {share})\n")
    sys.stdout.flush()


def _left_out(result: Result) -> list[str]:
    return [f"{name} ({reason})" for name, reason in result.left_out.items()]


def plain_table(title: str, headings: Row, table: Sequence[Row]) -> str:
    """Return a table as text, its figures flush right.

    >>> headings = ("workload", "by", "time", "goals")
    >>> print(plain_table("title", headings, [("sum", "NumPy", "1 µs", "")]), end="")
    title
    workload  by     time  goals
    sum       NumPy  1 µs
    """
    columns = list(zip(headings, *table, strict=True))
    widths = [max(map(len, column)) for column in columns]
    lines = [
        "  ".join(
            cell.rjust(width) if 2 <= k < len(row) - 1 else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (headings, *table)
    ]
    return "\n".join([title, *lines]) + "\n"


def _print_rich(title: str, headings: Row, table: Sequence[Row]) -> None:
    rich_table = import_module("rich.table").Table(title=title, title_justify="left")
    for k, heading in enumerate(headings):
        numeric = 2 <= k < len(headings) - 1
        rich_table.add_column(heading, justify="right" if numeric else "left", no_wrap=numeric)
    for row in table:
        if row[0]:
            rich_table.add_section()
        rich_table.add_row(*row)
    console = import_module("rich.console").Console()
    console.width = max(console.width, _LEAST_WIDTH)
    console.print(rich_table)


def available_cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def conditions() -> dict[str, Any]:
    """Return what figures depend on beside the program."""
    return {
        "arignote": arignote.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine(),
        "cores": available_cores(),
        "load": os.getloadavg()[0],
        "threads": native.threads(),
        "target": native.current_target(),
    }


def describe_conditions() -> str:
    """Return the conditions in one line."""
    now = conditions()
    return (
        f"arignote {now['arignote']} with {now['threads']} threads on {now['target']}; "
        f"{now['machine']}, {now['cores']} cores, load {now['load']:.1f}; "
        f"Python {now['python']}, NumPy {now['numpy']}"
    )


def describe_machine(machine: Machine) -> str:
    """Return the measured rates in one line."""
    rates = [
        *(f"{r:.0f} GB/s over {size >> 10:,} KB" for size, r in sorted(machine.bandwidth.items())),
        *(f"{rate:.0f} GFLOP/s {dtype}" for dtype, rate in sorted(machine.fma_rate.items())),
    ]
    return f"The machine: {', '.join(rates)}" if rates else "The machine was not measured"


def as_json(groups: Mapping[str, Sequence[Result]], machine: Machine) -> dict[str, Any]:
    """Return everything that was measured."""
    return {
        "conditions": conditions(),
        "bandwidth_gbs": {str(size): rate for size, rate in machine.bandwidth.items()},
        "fma_rate_gflops": machine.fma_rate,
        "groups": {title: list(map(_entry, results)) for title, results in groups.items()},
    }


def _entry(result: Result) -> dict[str, Any]:
    best = result.best_peer
    return {
        "workload": result.workload.name,
        "floor_s": result.floor,
        "company": result.company,
        "best_peer": best,
        "contenders": {
            name: {
                "median_s": sample.median,
                "best_s": sample.best,
                "spread": sample.spread,
                "times_best_peer": result.ratio(name, best) if best else None,
                "of_roofline": result.share_of_floor(name),
                "extra_bytes": result.memory.get(name),
                "rounds_s": sample.seconds,
            }
            for name, sample in result.samples.items()
        },
        "left_out": dict(result.left_out),
        "goals": [{"goal": goal.text, "met": goal.met(result)} for goal in result.workload.goals],
    }
