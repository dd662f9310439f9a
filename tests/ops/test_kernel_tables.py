"""The compiled module has the kernels that the op records name, no more and no less."""

from __future__ import annotations

from itertools import product

import helpers.samples_other  # noqa: F401 (completes SAMPLES)
from arignote import ops
from arignote.graph import dtypes
from arignote.graph.op import OPS, Params
from arignote.graph.type import tensor_type
from arignote.ops.reduce import accumulator
from arignote.run import native
from arignote.run.mode import Mode
from helpers.samples import dtypes_of, samples_of
from helpers.values import Values

Row = tuple[str, tuple[str, ...], str]

# Steps that the runtime itself carries out: one copies only what does not lie without gaps, the
# other runs a plan of its own.
BY_RUNTIME = {"reshape", "by_rows"}
# Steps of a device, which has kernels of its own.
BY_DEVICE = {"to_device", "to_host"}


def test_kernels_are_those_the_records_name() -> None:
    table = native.kernel_table()
    assert len(set(table)) == len(table)
    named = {op.kernel for op in OPS.values() if op.kernel is not None}
    assert set(table) == named - BY_RUNTIME - BY_DEVICE


def test_every_kernel_is_used_by_a_plan() -> None:
    used = set()
    for op in OPS.values():
        dtype = "float64" if "float64" in dtypes_of(op) else "int64"
        for sample in samples_of(op, Values(0), dtype):
            plan = sample.function(Mode()).plan
            used |= {step.record.kernel for step in plan.steps if not step.host}
    assert set(native.kernel_table()) == used - BY_RUNTIME


def block_rows() -> set[Row]:
    """Return the block operations that the records of elementwise ops call for."""
    rows: set[Row] = {("cast", (a,), b) for a, b in product(dtypes.REAL, repeat=2)}
    for name, op in OPS.items():
        if not isinstance(op, ops.ElementwiseOp) or name.startswith("cast_"):
            continue
        if not ops.op_is_native(op):
            continue
        for dtype in set(dtypes_of(op)) & set(dtypes.NATIVE):
            computed, result = op.rule((dtype,) * len(op.arguments))
            rows.add((name, computed, result))
    return rows


def test_block_operations_are_those_the_records_name(target: str) -> None:
    table = native.block_table()
    assert len(set(table)) == len(table)
    found, wanted = set(table), block_rows()
    assert sorted(wanted - found) == []
    assert sorted(found - wanted) == []


def test_reductions_are_those_the_records_name(target: str) -> None:
    table = native.reduction_table()
    assert len(set(table)) == len(table)
    wanted = set()
    for op, dtype in product(ops.REDUCTIONS, dtypes.NATIVE):
        result = op.infer(Params({"axis": (0,)}), (tensor_type(dtype, 1),))[0].dtype
        held = accumulator(dtype) if op in (ops.sum_op, ops.prod_op) else result
        wanted.add((op.name, dtype, held, result))
    assert set(table) == wanted
