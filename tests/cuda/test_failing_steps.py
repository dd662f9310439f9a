"""Which step an error names where a kernel fails: CUDA tells of it late, unless it is to wait."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.errors import DeviceError
from arignote.run.function import Function
from helpers.emulated import emulated
from helpers.values import Array

SWITCH = "CUDA_LAUNCH_BLOCKING"
X = np.arange(12.0).reshape(4, 3)


@pytest.fixture(autouse=True)
def driver(on_device: None) -> Iterator[ModuleType]:
    """The emulated device, none of whose kernels fails before and after."""
    module = emulated()
    yield module
    module.mend()


def steps() -> tuple[Function, list[int]]:
    """Return a function of several steps, and by launch the step whose kernel it is."""
    x, rows = T.dmatrix(), T.lvector()
    sums = T.exp(x[rows]).sum(axis=0)
    f = theano.function([x, rows], [sums, T.dot(x, sums)])
    launches = {"take": 2, "elementwise": 2, "dot": 1, "to_device": 0, "to_host": 0}
    owners = [n for n, step in enumerate(f.plan.steps) for _ in range(launches[step.op])]
    return f, owners


def failure_of(f: Function, arguments: list[Array], launch: int) -> DeviceError:
    emulated().let_kernel_fail(launch)
    with pytest.raises(DeviceError, match="cudaErrorIllegalAddress: an illegal memory") as failure:
        f(*arguments)
    emulated().mend()
    return failure.value


def test_with_the_switch_it_is_the_step_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "1")
    f, owners = steps()
    arguments = [X, np.array([1, 3])]
    wanted = f(*arguments)
    for launch, step in enumerate(owners):
        error = str(failure_of(f, arguments, launch))
        assert f" step {step} ({f.plan.steps[step].op}): CUDA says" in error
        assert SWITCH not in error
    emulated().let_kernel_fail(len(owners))
    for found, want in zip(f(*arguments), wanted, strict=True):
        np.testing.assert_array_equal(found, want)


@pytest.mark.parametrize("value", [None, "", "0"])
def test_without_it_the_error_tells_of_the_switch(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    if value is not None:
        monkeypatch.setenv(SWITCH, value)
    f, owners = steps()
    for launch in range(len(owners)):
        error = str(failure_of(f, [X, np.array([1, 3])], launch))
        assert "an earlier step may have failed, and with CUDA_LAUNCH_BLOCKING=1 in the" in error
        # Where the host waits first.
        assert " (to_host): CUDA says" in error


def descent() -> tuple[Function, int]:
    """Return a training step whose nodes run together, and which step of its plan that is."""
    x, w = T.dmatrix(), theano.shared(np.ones((3, 2)))
    loss = T.sqr(T.tanh(T.dot(x, w))).sum()
    f = theano.function([x], loss, updates=[(w, w - 0.1 * T.grad(loss, w))])
    (number,) = [n for n, step in enumerate(f.plan.steps) if step.op == "by_rows"]
    return f, number


def test_a_step_of_rows_that_run_together_is_named(
    driver: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SWITCH, "1")
    driver.set_shared_bytes(0)
    try:
        f, number = descent()
        f(X)
        names = {str(failure_of(f, [X], launch)).split(": CUDA says")[0] for launch in range(2)}
        assert all(f"step {number} (by_rows), in it step " in name for name in names), names
        assert len(names) == 2
    finally:
        driver.set_shared_bytes(99 << 10)
    f, number = descent()
    assert f"step {number} (by_rows): CUDA says" in str(failure_of(f, [X], 0))


def test_faults_are_what_they_are_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "1")
    f, _ = steps()
    with pytest.raises(IndexError, match="index 9 is out of bounds for size 4"):
        f(X, np.array([1, 9]))


def test_loops_name_the_step_too(driver: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    f, _ = steps()
    rows = np.array([[1, 3], [0, 2], [1, 1]])
    x = np.stack([X, X + 1, X + 2])
    wanted = f.map(x, rows)
    monkeypatch.setenv(SWITCH, "1")
    f, owners = steps()
    before = driver.calls().get("launch_graph", 0)
    for found, want in zip(f.map(x, rows), wanted, strict=True):
        np.testing.assert_array_equal(found, want)
    assert driver.calls().get("launch_graph", 0) == before
    driver.let_kernel_fail(2 * len(owners))
    with pytest.raises(DeviceError, match=rf"step {owners[0]} \(take\): CUDA says") as failure:
        f.map(x, rows)
    assert "This was step 2 of map or repeat" in failure.value.__notes__[0]
