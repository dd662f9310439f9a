"""Every op in functions for the emulated device, against its NumPy reference."""

from __future__ import annotations

import numpy as np
import pytest

import helpers.samples_other  # noqa: F401 (completes SAMPLES)
from arignote.graph.op import OPS
from arignote.run import native
from arignote.run.compare import compare
from arignote.run.mode import Mode
from helpers.backend import backend_module
from helpers.evaluate import expected
from helpers.samples import dtypes_of, samples_of
from helpers.values import Values, lay_out

PLAIN = Mode(optimizer=None)


@pytest.mark.parametrize("layout", ["contiguous", pytest.param("reversed", marks=pytest.mark.slow)])
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


# What the device has no kernel for.
HOST_ONLY: set[str] = set()


def test_the_device_has_every_other_kernel() -> None:
    assert set(native.kernel_table()) - set(backend_module().kernels()) == HOST_ONLY
    assert set(backend_module().kernels()) - set(native.kernel_table()) == {"to_device", "to_host"}
