"""An output in the memory of a dying operand equals one in memory of its own, bit for bit."""

from __future__ import annotations

import pytest

import helpers.samples_other  # noqa: F401 (completes SAMPLES)
from arignote import ops
from arignote.graph.op import OPS
from arignote.graph.variable import Variable
from arignote.plan.plan import Plan, Temp
from arignote.run.mode import Mode
from helpers.samples import Sample, dtypes_of, samples_of
from helpers.values import Values

PLAIN = Mode(optimizer=None)
MAY_OVERWRITE = [name for name, op in OPS.items() if op.reuse or op is ops.program_op]


def between_copies(sample: Sample) -> Sample:
    """Return a sample whose operands die at the op, and whose outputs are not those of the call."""

    def build(*variables: Variable) -> list[Variable]:
        outputs = sample.build(*map(ops.copy_op, variables))
        return [ops.copy_op(o) for o in ([outputs] if isinstance(outputs, Variable) else outputs)]

    return Sample(sample.label, build, sample.arrays, sample.patterns)


def shares_memory(plan: Plan) -> bool:
    return any(isinstance(item, Temp) and item.storage is not None for item in plan.buffers)


@pytest.mark.parametrize("name", MAY_OVERWRITE)
def test_in_place_equals_not_in_place(name: str) -> None:
    op = OPS[name]
    shared, native = 0, 0
    # A cast shares memory with an operand of its own dtype, and tables have none of bfloat16.
    for dtype in ["bfloat16"] if name == "cast_bfloat16" else dtypes_of(op):
        for sample in samples_of(op, Values(1, special=True), dtype):
            inside = between_copies(sample).function(PLAIN)
            shared += shares_memory(inside.plan)
            native += not any(step.host for step in inside.plan.steps)
            found = inside(*sample.arrays)
            wanted = sample.function(PLAIN)(*sample.arrays)
            for got, want in zip(found, wanted, strict=True):
                assert got.tobytes() == want.tobytes(), f"{name} {dtype} {sample.label}"
    assert shared > 0 or native == 0
