"""The selftest: it passes on the emulated device, and finds what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

import arignote.tensor as T
from arignote.cuda import selftest
from arignote.cuda.__main__ import main
from arignote.run.mode import Mode
from helpers.backend import backend_module
from helpers.emulated import emulated


@pytest.mark.slow
def test_every_part_runs_on_the_device(on_device: None) -> None:
    for part in selftest.parts():
        # Minibatches of 600 digits would take the emulation a minute; other tests have fewer.
        builds = [build for build in part.builds if build is not selftest._softmax]
        few = builds[:: max(1, len(builds) // 4)]
        outcome = selftest.attempt(selftest.Part(part.name, few))
        assert outcome.problems == []
        assert outcome.steps > 0
        # An argument that comes back as it is is copied where it lies.
        assert outcome.host <= outcome.functions // 10, part.name


def test_every_kernel_is_tried(on_device: None) -> None:
    tried: set[str | None] = set()
    for part in selftest.parts():
        # Most parts try one kernel many times over.
        for build in part.builds[:: 1 if part.name == "rows and positions" else 24]:
            function, _ = build(Mode("check"))
            tried.update(step.record.kernel for step in function.plan.steps if step.device)
    assert tried >= set(backend_module().kernels())


def test_what_fails_is_a_problem(on_device: None) -> None:
    lines: list[str] = []
    part = selftest.Part("failing", [selftest._calling(T.exp, np.ones((3, 4)))])
    assert selftest.run(lines.append, [part]) == 0
    assert lines[-1] == "all is as it should be"
    emulated().let_fail("copy", after=2)
    try:
        assert selftest.run(lines.append, [part]) == 1
    finally:
        emulated().mend()
    assert "an illegal memory access was encountered" in "".join(lines)
    assert lines[-1] == "1 problems"


def test_the_selftest_says_what_was_not_compiled(
    on_device: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    part = selftest.Part("large", [selftest._calling(T.exp, np.ones(1 << 16))])
    monkeypatch.setattr(selftest, "parts", lambda: [part])
    emulated().set_compiler("broken")
    try:
        assert main(["selftest"]) == 0
    finally:
        emulated().set_compiler("none")
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == ["programs compiled: 0, refused: 1", "this compiler is broken"]


def test_the_command_says_what_the_device_is(
    on_device: None, capsys: pytest.CaptureFixture[str]
) -> None:
    emulated()  # of which it is known what it is
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    assert "name: emulated" in out
    assert "nvrtc: none" in out


def test_the_command_says_why_there_is_no_device(
    on_device: None, capsys: pytest.CaptureFixture[str]
) -> None:
    module = emulated()
    assert module is not None
    assert main(["selftest", "--device", "cuda7"]) == 1
    assert "cuda7" in capsys.readouterr().err
