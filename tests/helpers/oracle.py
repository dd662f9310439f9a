"""What the outputs of a sample are by its NumPy reference, and how exact a kernel has to be."""

from __future__ import annotations

import numpy as np

from arignote.graph.op import Call
from arignote.ops.program import Program
from arignote.run.compare import allowed_error, run_program
from helpers.evaluate import evaluate
from helpers.samples import Sample
from helpers.values import Array


def expected(sample: Sample) -> tuple[list[Array], list[Array]]:
    """Return the outputs of a sample, and how far a native result may be from each."""
    variables, outputs = sample.graph()
    operands = [item for o in outputs if o.owner is not None for item in o.owner.inputs]
    needed = [*outputs, *operands]
    given = dict(zip(variables, sample.arrays, strict=True))
    values = dict(zip(needed, evaluate(needed, given), strict=True))
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
