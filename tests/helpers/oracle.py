"""What a graph means: every node computed by its record's NumPy reference, without a plan."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arignote.graph import walk
from arignote.graph.op import Call
from arignote.graph.variable import Constant, Variable
from arignote.ops.program import Program
from arignote.run.compare import allowed_error, run_program
from helpers.samples import Sample
from helpers.values import Array


def evaluate(
    outputs: Sequence[Variable], variables: Sequence[Variable], arrays: Sequence[Array]
) -> dict[Variable, Array]:
    """Return the values of outputs, and of all they depend on, for values of variables."""
    values = dict(zip(variables, arrays, strict=True))
    for item in walk.ancestors(outputs, stop=values.__contains__):
        if isinstance(item, Constant):
            values[item] = item.data
    for node in walk.toposort(outputs, stop=values.__contains__):
        inputs = [values[item] for item in node.inputs]
        with np.errstate(all="ignore"):
            results = node.op.compute(Call.of(node), *inputs)
        values.update(zip(node.outputs, results, strict=True))
    return values


def expected(sample: Sample) -> tuple[list[Array], list[Array]]:
    """Return the outputs of a sample, and how far a native result may be from each."""
    variables, outputs = sample.graph()
    values = evaluate(outputs, variables, sample.arrays)
    wanted, bounds = [], []
    for output in outputs:
        value = values[output]
        bound = np.zeros(())
        node = output.owner
        if node is not None:
            inputs = [values[item] for item in node.inputs]
            program = node.params.get("program")
            if isinstance(program, Program):
                results, errors = run_program(program, inputs)
                value, bound = results[output.index], errors[output.index]
            else:
                with np.errstate(all="ignore"):
                    bound = allowed_error(node.op, Call.of(node), inputs, output.index, value)
        wanted.append(value)
        bounds.append(bound)
    return wanted, bounds
