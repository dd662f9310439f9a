"""Every op in functions for the emulated device, against its NumPy reference."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import helpers.samples_other  # noqa: F401 (completes SAMPLES)
from arignote.config import config
from arignote.graph.op import OPS
from arignote.run import devices
from arignote.run.compare import compare
from arignote.run.mode import Mode
from helpers.emulated import emulated
from helpers.evaluate import expected
from helpers.samples import dtypes_of, samples_of
from helpers.values import Values, lay_out

PLAIN = Mode(optimizer=None)


@pytest.fixture
def on_device(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let functions be made for the emulated device."""
    monkeypatch.setattr(devices, "module", emulated().__name__)
    with config.changed(device="cuda"):
        yield


@pytest.mark.parametrize("layout", ["contiguous", "reversed"])
@pytest.mark.parametrize("name", OPS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_ops_equal_their_references(on_device: None, name: str, layout: str) -> None:
    problems = []
    for dtype in dtypes_of(OPS[name]):
        for sample in samples_of(OPS[name], Values(len(name)), dtype):
            wanted, bounds = expected(sample)
            call = sample.function(PLAIN)
            found = call(*(lay_out(array, layout) for array in sample.arrays))
            for got, want, bound in zip(found, wanted, bounds, strict=True):
                text = compare(got, want, np.maximum(bound, 0))
                if text is not None:
                    problems.append(f"{dtype} {sample.label}: {text}\n{call.plan}")
    assert not problems, "\n".join([f"{len(problems)} differences", *problems[:3]])
