"""What ``--target`` and ``--threads`` ask for holds in the processes of all contenders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from benchmarks import targets

from arignote.bench import command
from arignote.bench.apart import ContenderError, apart
from arignote.bench.workload import OURS, Contender, Workload
from arignote.config import config
from arignote.run import native
from helpers import contenders, wide_vectors

pytestmark = pytest.mark.alone

(LAYER,) = wide_vectors.workloads(tiny=False)

needs_avx512 = pytest.mark.skipif(
    not wide_vectors.STATUS.exists() or " avx512vl" not in Path("/proc/cpuinfo").read_text(),
    reason="this system has no AVX-512, or does not tell who uses it",
)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo what a test forces on this process and on those that it starts."""
    before, threads = dict(os.environ), config.threads
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    yield
    for name in {*os.environ} - {*before}:
        del os.environ[name]
    os.environ.update(before)
    config.threads = threads
    native.set_target("")
    if cores is not None:
        os.sched_setaffinity(0, cores)


def values_of(workload: Workload, name: str) -> list[float]:
    """Return what a contender gives in a process of its own; skip if it is not installed."""
    contender: Contender = workload.setups[name]()
    try:
        return [item for value in contender.values() for item in np.ravel(value).tolist()]
    except ContenderError as error:
        if "ImportError" in str(error) or "ModuleNotFoundError" in str(error):
            pytest.skip(str(error))
        raise
    finally:
        contender.close()


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
@needs_avx512
@pytest.mark.parametrize("name", LAYER.setups)
def test_on_avx2_nobody_uses_avx512(name: str) -> None:
    targets.force("avx2")
    assert values_of(apart(LAYER, wide_vectors.workloads), name) == [False]


@pytest.mark.slow
@needs_avx512
def test_who_uses_avx512_is_seen() -> None:
    assert native.current_target().startswith("avx3")
    assert values_of(apart(LAYER, wide_vectors.workloads), OURS) == [True]


@pytest.mark.usefixtures("environment")
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be taken away here")
def test_contenders_have_as_many_threads_and_cores_as_are_asked_for() -> None:
    command.limit_threads(1)
    workload = apart(contenders.resources(), contenders.workloads)
    assert values_of(workload, OURS) == [1, 1]


@pytest.mark.usefixtures("environment")
def test_settings_of_the_user_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    if "avx2" not in native.targets():
        pytest.skip("this machine has no AVX2")
    monkeypatch.setenv("PYTENSOR_FLAGS", "optimizer=fast_run")
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=false")
    targets.force("avx2")
    assert os.environ["PYTENSOR_FLAGS"].startswith(
        "optimizer=fast_run,gcc__cxxflags=-march=haswell"
    )
    assert os.environ["XLA_FLAGS"].split()[:2] == [
        "--xla_cpu_enable_fast_math=false",
        "--xla_cpu_max_isa=AVX2",
    ]
