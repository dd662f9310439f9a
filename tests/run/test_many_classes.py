"""Softmax over many classes: no matrix of scores is ever in memory as a whole."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arignote.config import config
from arignote.plan.by_rows import body_of
from arignote.plan.plan import Temp
from arignote.run.mode import Mode
from helpers.many_classes import LOSSES, by_hand, compiled, draw

# Beside what inputs, outputs and a few vectors take.
MOST = 48_000_000
FLAT = Mode().excluding("by_rows")
DTYPES = ["float32", "float64"]
# In units in the last place of the largest element: sums of some hundreds of terms.
TOLERANCE = 64


def peak(call: Callable[[], Any]) -> int:
    """Return by how many bytes a call lets the process grow at its largest, its result included."""
    status = Path("/proc/self/status")

    def kilobytes(name: str) -> int:
        (line,) = (item for item in status.read_text().splitlines() if item.startswith(name))
        return int(line.split()[1])

    Path("/proc/self/clear_refs").write_text("5")
    before = kilobytes("VmRSS:")
    result = call()
    grown = kilobytes("VmHWM:") - before
    del result
    return grown * 1024


needs_peak = pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells peaks on Linux")


@needs_peak
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("gradients", [False, True], ids=["loss", "gradients"])
@pytest.mark.parametrize("loss", LOSSES)
def test_memory_is_bounded(loss: str, gradients: bool, dtype: str) -> None:
    """The scores would take 200 MB, or 400."""
    problem = draw(1000, 8, 50_000, dtype)
    f = compiled(loss, dtype, gradients)
    small = draw(40, 8, 50, dtype)
    f(*small.arguments)
    outputs = problem.w.nbytes + problem.x.nbytes if gradients else 0
    vectors = 4 * (problem.b.nbytes + problem.labels.nbytes)
    assert peak(lambda: f(*problem.arguments)) < MOST + outputs + vectors


@needs_peak
def test_memory_does_not_grow_with_the_gradient() -> None:
    """It is summed up where it is returned, whatever the number of blocks."""
    problem = draw(600, 300, 20_000, "float32")
    f = compiled("mean", "float32", True)
    f(*draw(40, 300, 50, "float32").arguments)
    assert peak(lambda: f(*problem.arguments)) < MOST + problem.w.nbytes + problem.x.nbytes


@needs_peak
def test_without_row_blocks_it_is_not() -> None:
    problem = draw(1000, 8, 50_000, "float32")
    f = compiled("mean", "float32", True, FLAT)
    f(*draw(40, 8, 50, "float32").arguments)
    assert peak(lambda: f(*problem.arguments)) > 1000 * 50_000 * 4


@pytest.mark.parametrize("gradients", [False, True], ids=["loss", "gradients"])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_scores_stay_inside_of_one_row_block(loss: str, gradients: bool) -> None:
    plan = compiled(loss, "float32", gradients).plan
    (block,) = (step for step in plan.steps if step.op == "by_rows")
    body = body_of(block.params)
    assert body is not None
    assert {step.op for step in plan.steps} <= {"by_rows", "elementwise", "arange"}
    assert [step.op for step in body.steps].count("dot") == (3 if gradients else 1)
    assert not any(body.buffer(name).type.ndim == 2 for name in body.outputs[:1])


@pytest.mark.parametrize("gradients", [False, True], ids=["loss", "gradients"])
@pytest.mark.parametrize("loss", LOSSES)
def test_one_matrix_of_scores_is_enough(loss: str, gradients: bool) -> None:
    """Whatever else has a score's place takes its memory: more rows fit a block."""
    plan = compiled(loss, "float32", gradients).plan
    (body,) = filter(None, (body_of(step.params) for step in plan.steps))
    classes = body.buffer("W").shape[1]
    scores = [
        buffer
        for buffer in body.buffers
        if isinstance(buffer, Temp) and buffer.type.ndim == 2 and buffer.shape[1] == classes
    ]
    own = [item for item in scores if item.storage is None and item.name not in body.outputs]
    assert len(own) == 1


@pytest.mark.parametrize("sizes", [(300, 6, 40_000), (450, 35, 30_011)])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", LOSSES)
def test_values(loss: str, dtype: str, sizes: tuple[int, int, int]) -> None:
    problem = draw(*sizes, dtype)
    found = compiled(loss, dtype, True)(*problem.arguments)
    for array, wanted in zip(found, by_hand(loss, problem), strict=True):
        assert array.dtype == dtype
        bound = TOLERANCE * np.finfo(dtype).eps * np.max(np.abs(wanted))
        assert np.max(np.abs(array - wanted)) <= bound


@pytest.mark.usefixtures("all_threads")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", ["mean", "label smoothing"])
def test_any_number_of_threads_gives_the_same_bits(loss: str, dtype: str) -> None:
    problem = draw(600, 40, 20_000, dtype)
    found = []
    for threads in (1, 2, 3, 7, 16):
        config.threads = threads
        results = compiled(loss, dtype, True)(*problem.arguments)
        found.append([array.tobytes() for array in results])
    assert all(item == found[0] for item in found)
