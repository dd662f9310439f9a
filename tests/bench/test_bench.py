"""The benchmarks run, and their contenders compute the same; how fast they are is not tested."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from benchmarks import targets
from benchmarks.__main__ import catalogue, main

from arignote.bench import command, company, report
from arignote.bench.agreement import sampled
from arignote.bench.result import (
    Result,
    Sample,
    at_least_of_rate,
    at_least_of_roofline,
    at_most,
    at_most_beside,
    at_most_of,
    at_most_of_best_peer,
    format_seconds,
)
from arignote.bench.roofline import Machine
from arignote.bench.timing import Effort, measure
from arignote.bench.workload import OURS, Case, SelfTimed, Setup, Work, Workload
from arignote.graph.dtypes import Array
from arignote.run import native
from helpers.seeds_tolerance import TRAINING, assert_ulp_of_largest

pytestmark = pytest.mark.alone

TINY = [workload for workloads in catalogue(tiny=True).values() for workload in workloads]
BRIEF = Effort(rounds=4, turn=1e-5, budget=10.0, pause=0.0)


CONTENDERS = [
    pytest.param(workload, name, id=f"{workload.name}-{name}")
    for workload in TINY
    for name in workload.setups
]


def results_after_two_calls(setup: Setup) -> Sequence[Array]:
    case = setup()
    for _ in range(2):
        assert case.seconds(1) > 0
    return case.values()


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(("workload", "name"), CONTENDERS)
def test_a_contender_computes_what_ours_does(workload: Workload, name: str) -> None:
    try:
        found = results_after_two_calls(workload.setups[name])
    except ImportError as error:
        pytest.skip(str(error))
    expected = results_after_two_calls(workload.setups[OURS])
    if not found:
        assert not expected or name in workload.asides, "it computes nothing that can be compared"
        return
    assert len(found) == len(expected)
    for actual, wanted in zip(found, expected, strict=True):
        if wanted.dtype == bool:
            np.testing.assert_array_equal(actual, wanted)
        else:
            assert_ulp_of_largest(actual, wanted, TRAINING)


def test_every_workload_has_ours_and_a_name_of_its_own() -> None:
    full = [workload for workloads in catalogue().values() for workload in workloads]
    assert all(next(iter(workload.setups)) == OURS for workload in full)
    assert len({workload.name for workload in full}) == len(full)


# --- the harness


def counting() -> tuple[list[str], Callable[[str], Case]]:
    turns: list[str] = []
    return turns, lambda name: Case(partial(turns.append, name))


def missing() -> Case:
    raise ModuleNotFoundError("No module named 'absent'")


def test_contenders_take_turns_and_absent_ones_are_left_out_with_the_reason() -> None:
    turns, case = counting()
    workload = Workload("w", {OURS: lambda: case("a"), "B": lambda: case("b"), "C": missing})
    result = measure(workload, BRIEF, Machine())
    assert result.left_out == {"C": "ModuleNotFoundError: No module named 'absent'"}
    assert [len(sample.seconds) for sample in result.samples.values()] == [4, 4]
    changes = [one for one, two in zip(turns, [*turns[1:], ""], strict=True) if one != two]
    # Set up, counted, and timed in four rounds.
    assert changes == ["a", "b"] * 6


def test_who_computes_something_else_is_left_out() -> None:
    def giving(*values: float) -> Setup:
        return lambda: Case(lambda: None, lambda: [np.float64(value) for value in values])

    setups = {OURS: giving(1, 2), "same": giving(1, 2 + 1e-12), "other": giving(1, 3)}
    setups |= {"nan": giving(1, np.nan), "few": giving(1), "nothing": giving()}
    result = measure(Workload("w", setups), BRIEF, Machine())
    assert list(result.samples) == [OURS, "same", "nothing"]
    assert result.left_out == {
        "other": "computes something else: result 1 differs by 1 of 2",
        "nan": "computes something else: result 1 differs by nan of 2",
        "few": "computes something else: 1 results instead of 2",
    }


@pytest.mark.parametrize("shape", [(3, 5), (1000, 784), (100_000, 10)])
def test_a_part_of_a_large_array_comes_from_all_of_its_columns(shape: tuple[int, int]) -> None:
    value = np.broadcast_to(np.arange(shape[1]), shape)
    part = sampled(value)
    assert part.size <= 15_000
    assert set(part.flat) == set(range(shape[1]))


def test_turns_wait_for_other_processes_as_long_as_patience_lasts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ready = iter([2, 1, 2, 2, 3, 1, *[2] * 100])
    monkeypatch.setattr(company, "_ready", lambda: next(ready))
    waiting = company.Company(patience=0.06)
    waiting.wait()
    waiting.wait()
    assert waiting.share == 0
    waiting.wait()
    assert waiting.share == pytest.approx(1 / 3)
    assert next(ready) == 2


def test_a_budget_that_is_used_up_leaves_three_rounds() -> None:
    workload = Workload("w", {OURS: lambda: Case(lambda: None)})
    result = measure(workload, Effort(rounds=50, turn=1e-5, budget=0.0), Machine())
    assert len(result.samples[OURS].seconds) == 3


def test_a_contender_may_time_itself() -> None:
    workload = Workload("w", {OURS: lambda: SelfTimed(lambda: 7.0)})
    assert measure(workload, BRIEF, Machine()).samples[OURS].median == 7.0


def example() -> Result:
    goals = (
        at_most(2e-6),
        at_most(1e-6),
        at_most_of("NumPy", 0.5),
        at_most_of("absent", 0.5),
        at_most_of_best_peer(0.5),
        at_least_of_roofline(0.5),
        at_most_of("JAX", 0.5, contender="part"),
        at_least_of_rate("part", 0.5),
        at_most_beside(1_000_000),
    )
    workload = Workload("sum", {}, goals=goals, asides=frozenset({"part"}))
    samples = {
        OURS: Sample((1e-6, 2e-6, 9e-6)),
        "NumPy": Sample((4e-6, 8e-6, 36e-6)),
        "JAX": Sample((1e-6, 4e-6, 9e-6)),
        "part": Sample((0.5e-6, 1e-6, 3e-6)),
    }
    memory = {OURS: 2_000_000, "NumPy": 31_400_000}
    left_out = {"PyTorch": "not there"}
    return Result(workload, samples, left_out, floor=1e-6, memory=memory, company=0.25)


def test_ratios_are_medians_over_rounds() -> None:
    result = example()
    assert result.best_peer == "JAX"
    assert result.ratio(OURS, "NumPy") == 0.25
    assert result.ratio(OURS, "JAX") == 1.0
    assert result.share_of_floor() == 0.5
    assert result.samples[OURS].best == 1e-6


def test_goals_are_met_or_not_or_cannot_be_told() -> None:
    result = example()
    verdicts = [goal.met(result) for goal in result.workload.goals]
    assert verdicts == [True, False, True, None, False, True, True, True, False]


def test_the_table_names_all_that_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    report.print_table("Title", [example()])
    printed = capsys.readouterr().out
    for text in (
        "Title",
        "sum",
        "NumPy",
        "8 µs",
        "12%",
        "≤ 2 µs: met",
        "PyTorch (not there)",
        "31",
    ):
        assert text in printed
    assert "disturbed: sum (others ran during 25% of its turns)" in printed
    plain = report.plain_table("Title", report.HEADINGS, report.rows(example()))
    assert plain.splitlines()[2].split()[:6] == ["sum", "arignote", "2", "µs", "100%", "1"]


def test_memory_has_a_column_where_it_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    report.print_table("Title", [replace(example(), memory={})])
    assert "extra MB" not in capsys.readouterr().out
    report.print_table("Title", [example(), replace(example(), memory={})])
    assert "extra MB" in capsys.readouterr().out


def test_the_floor_is_what_bounds_the_work() -> None:
    machine = Machine(bandwidth={1 << 20: 8.0}, fma_rate={"float64": 4.0})
    assert machine.floor(Work(1 << 20, 1 << 18, "float64")) == (1 << 17) * 1e-9
    assert machine.floor(Work(1 << 10, 1 << 20, "float64", reach=1 << 20)) == (1 << 18) * 1e-9
    assert machine.floor(Work(flops=8, dtype="float64")) == 2e-9
    assert machine.floor(Work()) == 0


def test_the_machine_is_probed_for_what_a_workload_needs_and_keeps_its_best() -> None:
    machine = Machine()
    machine.probe(Work(bytes=1 << 20))
    machine.probe(Work(bytes=16, flops=1, dtype="float64", reach=1 << 21))
    assert set(machine.bandwidth) == {1 << 20, 1 << 21}
    assert set(machine.fma_rate) == {"float64"}
    machine.fma_rate["float64"] = 1e9
    machine.probe(Work(flops=1, dtype="float64"))
    assert machine.fma_rate["float64"] == 1e9


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2.5e-8, "0.025 µs"), (9.996e-4, "1 ms"), (0.12345, "123 ms"), (61.0, "61 s")],
)
def test_durations_have_three_digits(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


# --- the command lines


def test_a_run_prints_a_table_and_writes_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = argparse.Namespace(quick=True, patience=0.0, json=tmp_path / "figures.json")
    workloads = [workload.among(["NumPy"]) for workload in TINY if workload.work.bytes][:2]
    command.run({"Some": workloads}, options)
    printed = capsys.readouterr().out
    assert "threads on" in printed
    assert "GB/s" in printed
    figures = json.loads(options.json.read_text())
    entries = figures["groups"]["Some"]
    assert [entry["workload"] for entry in entries] == [workload.name for workload in workloads]
    for entry in entries:
        assert entry["contenders"][OURS]["median_s"] > 0
        assert entry["contenders"][entry["best_peer"]]["times_best_peer"] == 1
        assert entry["floor_s"] > 0


def test_figures_are_written_before_the_rest_is_measured(tmp_path: Path) -> None:
    options = argparse.Namespace(quick=True, patience=0.0, json=tmp_path / "figures.json")
    measured = Workload("measured", {OURS: lambda: Case(lambda: None)})
    with pytest.raises(ModuleNotFoundError):
        command.run({"Some": [measured, Workload("fails", {OURS: missing})]}, options)
    (entry,) = json.loads(options.json.read_text())["groups"]["Some"]
    assert entry["workload"] == "measured"


def test_a_pattern_and_peers_choose(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list", "a[*]b", "network", "--peers", "jax,out="]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Elementwise",
        "  a*b + c, 1,000 × 1,000: arignote, NumPy, out=, JAX",
        "A network",
        "  network, float32, 784-500-10, batch 20: arignote, JAX",
    ]


def test_a_target_is_forced_here_and_on_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    if "avx2" not in native.targets():
        pytest.skip("this machine has no AVX2")
    environment = dict(os.environ)
    monkeypatch.setattr(os, "environ", environment)
    try:
        targets.force("avx2")
        assert native.current_target() == "avx2"
    finally:
        native.set_target("")
    assert environment["ARIGNOTE_TARGET"] == "avx2"
    assert environment["ATEN_CPU_CAPABILITY"] == "avx2"


@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_a_number_of_threads_must_be_positive(
    count: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--threads", count])
    assert "--threads" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "long"])
def test_patience_must_be_a_number_of_seconds(
    seconds: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--patience", seconds])
    assert "--patience" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("no/figures.json", "must be writable: no/figures.json: No such file or directory"),
        (".", "must be writable: .: Is a directory"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_measuring(
    file: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["no such workload", "--json", file])
    assert caught.value.code == 2
    assert f"argument --json: {text}" in capsys.readouterr().err


@pytest.mark.slow
def test_the_seeds_are_measured_from_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    options = ["bench", "--quick", "--patience", "0", "--threads", "1", "--json", str(file)]
    subprocess.run([sys.executable, "-m", "arignote", *options], check=True, capture_output=True)
    figures = json.loads(file.read_text())
    assert figures["conditions"]["threads"] == 1
    (entries,) = figures["groups"].values()
    assert [set(entry["contenders"]) for entry in entries] == [{OURS, "reference"}] * 4
