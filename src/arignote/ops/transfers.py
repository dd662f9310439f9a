"""Values on their way to a device and back. Only plans hold them, as steps.

A device runs them. On the CPU alone they are no more than their reference, a copy.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from arignote.graph.op import Op


def _transfer(name: str, family: str) -> Op:
    return Op(
        name=name,
        arguments=("x",),
        infer=lambda params, types: (types[0],),
        shape=lambda context, node, shapes: (shapes[0],),
        reference=lambda call, x: np.array(x),
        kernel=name,
        supports=lambda call: False,
        family=family,
    )


to_device_op: Final = _transfer("to_device", "GpuFromHost")
"""The same value in the memory of the device."""

to_host_op: Final = _transfer("to_host", "HostFromGpu")
"""The same value in the memory of the host."""
