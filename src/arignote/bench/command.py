"""The command line of benchmarks: ``python -m arignote bench``."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from arignote.bench import seeds
from arignote.bench.apart import apart
from arignote.bench.report import as_json, describe_conditions, describe_machine, print_table
from arignote.bench.result import Result
from arignote.bench.roofline import Machine
from arignote.bench.timing import FULL, QUICK, measure
from arignote.bench.workload import Workload
from arignote.config import config


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1: {number}")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"must be finite and not negative: {text}")
    return number


def _output_file(text: str) -> Path:
    path = Path(text)
    is_new = not path.exists()
    try:
        path.open("ab").close()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"must be writable: {path}: {error.strerror}") from None
    if is_new:
        path.unlink()
    return path


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that every benchmark takes."""
    add = parser.add_argument
    add("--quick", action="store_true", help="fewer and shorter rounds")
    add("--threads", type=_positive, metavar="N", help="of each contender; default: all cores")
    add(
        "--patience",
        type=_seconds,
        default=30.0,
        metavar="SECONDS",
        help="that each workload may wait while other processes want the cores; default: 30",
    )
    add("--json", type=_output_file, metavar="FILE", help="write all figures here, too")


def limit_threads(count: int) -> None:
    """Let arignote, and every library in the processes that are started later, use `count` threads.

    Libraries count the cores that are theirs when they start.
    """
    config.threads = count
    os.environ["ARIGNOTE_FLAGS"] = f"{os.environ.get('ARIGNOTE_FLAGS', '')},threads={count}"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def run(
    groups: Mapping[str, Sequence[Workload]],
    options: argparse.Namespace,
    machine: Machine | None = None,
) -> None:
    """Measure groups of workloads, print a table for each, and write the JSON if asked for."""
    effort = replace(QUICK if options.quick else FULL, patience=options.patience)
    machine = machine or Machine()
    results: dict[str, list[Result]] = {}
    sys.stdout.write(f"{describe_conditions()}\n")
    for title, workloads in groups.items():
        results[title] = []
        for workload in workloads:
            results[title].append(measure(workload, effort, machine))
            # What is measured is there even if the run is ended before the rest.
            if options.json:
                options.json.write_text(json.dumps(as_json(results, machine), indent=1))
        print_table(title, results[title])
    sys.stdout.write(f"{describe_machine(machine)}\n")


def bench(options: argparse.Namespace) -> int:
    """Measure the four seeds' training steps, natively and as their NumPy reference."""
    if options.threads:
        limit_threads(options.threads)
    workloads = [apart(workload, seeds.workloads) for workload in seeds.workloads()]
    run({"The seeds' training steps": workloads}, options)
    return 0
