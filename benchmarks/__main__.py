"""The command line: ``python -m benchmarks [PATTERN ...]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from fnmatch import fnmatch

from arignote.bench import command
from arignote.bench.apart import apart
from arignote.bench.workload import Workload
from arignote.run import native
from benchmarks import classes, elementwise, loops, network, overhead, seeds, targets

GROUPS = {
    "Overhead": overhead,
    "Elementwise": elementwise,
    "The seeds' training steps": seeds,
    "Many steps in one call": loops,
    "A network": network,
    "Many classes": classes,
}


def catalogue(tiny: bool = False) -> dict[str, list[Workload]]:
    """Return all workloads by group; the tiny ones check the programs, not the speed."""
    return {title: module.workloads(tiny) for title, module in GROUPS.items()}


def chosen(patterns: Sequence[str], peers: Sequence[str] | None) -> dict[str, list[Workload]]:
    """Return the workloads whose names or groups' match a pattern, against the peers named."""
    groups = {
        title: [
            apart(workload, GROUPS[title].workloads)
            for workload in workloads
            if any(fnmatch(text, f"*{p}*") for text in (title, workload.name) for p in patterns)
        ]
        for title, workloads in catalogue().items()
    }
    if peers is not None:
        groups = {title: [w.among(peers) for w in items] for title, items in groups.items()}
    return {title: items for title, items in groups.items() if items}


def main(arguments: Sequence[str] | None = None) -> int:
    """List or run the benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add(
        "patterns",
        nargs="*",
        metavar="PATTERN",
        help="part of a workload's or a group's name; default all",
    )
    add("--list", action="store_true", help="list the workloads and their contenders")
    add("--peers", type=lambda text: text.split(","), metavar="A,B", help="parts of peers' names")
    add(
        "--target",
        default="",
        choices=("", *native.targets()),
        help="SIMD target to force; avx2 for peers, too",
    )
    command.add_options(parser)
    options = parser.parse_args(arguments)
    groups = chosen(options.patterns or [""], options.peers)
    if options.list:
        for title, workloads in groups.items():
            print(title)
            for workload in workloads:
                print(f"  {workload.name}: {', '.join(workload.setups)}")
        return 0
    if options.threads:
        command.limit_threads(options.threads)
    if options.target:
        targets.force(options.target)
    command.run(groups, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
