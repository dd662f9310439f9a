"""The device's benchmarks run where the device is emulated, and contenders agree with ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from benchmarks import cuda, device_jax, device_torch

from arignote.bench.timing import Effort, measure
from arignote.bench.workload import OURS, Workload
from arignote.config import config
from arignote.run import devices
from helpers.emulated import emulated

TINY = [workload for workloads in cuda.catalogue(tiny=True).values() for workload in workloads]
BRIEF = Effort(rounds=2, turn=1e-5, budget=10.0, pause=0.0)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let ours run on the emulated device, and others on the CPU."""
    monkeypatch.setattr(devices, "module", emulated().__name__)
    monkeypatch.setattr(device_torch, "DEVICE", "cpu")
    monkeypatch.setattr(device_jax, "DEVICE", "cpu")
    with config.changed(device="cuda"):
        yield


@pytest.mark.parametrize("workload", TINY, ids=lambda workload: workload.name)
@pytest.mark.filterwarnings("default")
def test_what_is_measured_and_who_agrees(device: None, workload: Workload) -> None:
    result = measure(workload, BRIEF, cuda.DeviceMachine())
    assert result.samples[OURS].median > 0
    assert (result.floor > 0) == (workload.work.bytes > 0)
    # A graph needs a device, and others are left out only where they are not installed.
    wrong = {name: why for name, why in result.left_out.items() if "graph" not in name}
    assert all("No module named" in why for why in wrong.values()), wrong
    if workload.data:
        assert result.memory[OURS] > 0


def test_the_command_says_why_there_is_no_device(capsys: pytest.CaptureFixture[str]) -> None:
    assert cuda.main(["--device", "cuda7"]) == 1
    assert 'device="cuda7"' in capsys.readouterr().err


def test_the_command_runs_what_is_chosen(device: None, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuda, "catalogue", lambda: {"Tiny": TINY})
        patch.setattr("arignote.bench.command.QUICK", BRIEF)
        assert cuda.main(["sum of all", "--quick", "--patience", "0"]) == 0
    shown = capsys.readouterr().out
    assert "name emulated" in shown
    assert "the sum of all" in shown
    assert "last layer" not in shown
