"""Elementwise programs: chains of elementwise ops, with reductions at their ends, as one step.

A program is a list of instructions on registers. Registers ``0 … n-1`` are the inputs, each
instruction writes the next one; a result is a register, or its reduction over some axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from arignote import ops
from arignote.graph import dtypes
from arignote.graph.dim import Shape
from arignote.graph.dtypes import Array
from arignote.graph.op import Accuracy, Attributes, Call, Op, Params, ShapeContext, Types, op_named
from arignote.graph.type import TensorType
from arignote.graph.variable import Apply


@dataclass(frozen=True)
class Instruction:
    """``op(sources)``, written to the next register with the given dtype."""

    op: str
    sources: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Result:
    """A register as an output; ``reduction`` is empty or the name of a reduction over ``axes``."""

    register: int
    reduction: str = ""
    axes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Program:
    """What one elementwise step does with its inputs."""

    input_dtypes: tuple[str, ...]
    instructions: tuple[Instruction, ...]
    results: tuple[Result, ...]

    def dtype_of(self, register: int) -> str:
        """Return the dtype of a register."""
        count = len(self.input_dtypes)
        if register < count:
            return self.input_dtypes[register]
        return self.instructions[register - count].dtype

    def __str__(self) -> str:
        count = len(self.input_dtypes)
        lines = [
            f"r{count + k} = {item.op}({', '.join(f'r{s}' for s in item.sources)}):{item.dtype}"
            for k, item in enumerate(self.instructions)
        ]
        results = [
            f"r{item.register}"
            if not item.reduction
            else f"{item.reduction}(r{item.register}; {', '.join(map(str, item.axes))})"
            for item in self.results
        ]
        return "; ".join([*lines, f"-> {', '.join(results)}"])


def _infer(params: Params, types: Types) -> Types:
    program: Program = params["program"]
    pattern = ops.common_pattern(types)
    outputs = []
    for result in program.results:
        dtype = program.dtype_of(result.register)
        if not result.reduction:
            outputs.append(TensorType(dtype, pattern))
            continue
        model = TensorType(dtype, pattern)
        outputs.extend(op_named(result.reduction).infer(Params({"axis": result.axes}), (model,)))
    return outputs


def _shape(context: ShapeContext, node: Apply, shapes: Sequence[Shape]) -> Sequence[Shape]:
    whole = ops.common_shape(context, node, shapes)
    return [
        tuple(dim for axis, dim in enumerate(whole) if axis not in result.axes)
        for result in node.params["program"].results
    ]


def _reference(call: Call, *arrays: Array) -> tuple[Array, ...]:
    program: Program = call.params["program"]
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    registers = [np.asarray(array) for array in arrays]
    for item in program.instructions:
        op = op_named(item.op)
        types = tuple(TensorType(registers[s].dtype, (False,) * len(shape)) for s in item.sources)
        step = Call(call.params, types, (TensorType(item.dtype, (False,) * len(shape)),))
        registers.append(op.compute(step, *(registers[s] for s in item.sources))[0])
    outputs = []
    for result in program.results:
        value = np.broadcast_to(registers[result.register], shape)
        if result.reduction:
            op = op_named(result.reduction)
            value = op.reference(Call(Params({"axis": result.axes}), (), ()), value)
        outputs.append(value)
    return tuple(outputs)


def _encode(call: Call) -> Attributes:
    program: Program = call.params["program"]
    ints: list[int] = [len(program.instructions)]
    names: list[str] = []
    for item in program.instructions:
        ints += [dtypes.ALL_INDEX[item.dtype], len(item.sources), *item.sources]
        names.append("cast" if item.op.startswith("cast_") else item.op)
    for result in program.results:
        ints += [result.register, sum(1 << axis for axis in result.axes)]
        names.append(result.reduction)
    return Attributes(ints=tuple(ints), names=tuple(names))


def op_is_native(op: Op) -> bool:
    """Return whether an elementwise op has block operations."""
    return op.supports(_NO_CALL)


def call_is_native(op: Op, computed: Sequence[str], result: str) -> bool:
    """Return whether an elementwise op has a block operation of these dtypes."""
    known = dtypes.REAL if op.name.startswith("cast_") else dtypes.NATIVE
    return op_is_native(op) and all(dtype in known for dtype in (*computed, result))


def is_native(program: Program) -> bool:
    """Return whether every register and instruction has a block operation."""
    if not set(program.input_dtypes) <= set(dtypes.REAL):
        return False
    return all(
        call_is_native(op_named(item.op), [program.dtype_of(s) for s in item.sources], item.dtype)
        for item in program.instructions
    )


_NO_CALL: Final = Call(Params({}), (), ())


program_op = Op(
    name="elementwise",
    arguments=("*operands",),
    infer=_infer,
    shape=_shape,
    reference=_reference,
    kernel="elementwise",
    encode=_encode,
    supports=lambda call: is_native(call.params["program"]),
    accuracy=Accuracy(ulp=4, sums=True),
    family="Elemwise",
    display=lambda node: f"Elemwise{{Composite{{{node.params['program']}}}}}",
)
