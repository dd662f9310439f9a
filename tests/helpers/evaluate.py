"""What an expression means: each node computed by its record's NumPy reference, and how exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import overload

import numpy as np
import numpy.typing as npt

from arignote.graph import walk
from arignote.graph.op import Call
from arignote.graph.variable import Constant, SharedVariable, Variable
from arignote.ops.program import Program
from arignote.run.compare import allowed_error, run_program
from helpers.samples import Sample
from helpers.values import Array


@overload
def evaluate(
    variable: Variable, inputs: Mapping[Variable, npt.ArrayLike] | None = None
) -> Array: ...
@overload
def evaluate(
    variable: Sequence[Variable], inputs: Mapping[Variable, npt.ArrayLike] | None = None
) -> list[Array]: ...
def evaluate(
    variable: Variable | Sequence[Variable],
    inputs: Mapping[Variable, npt.ArrayLike] | None = None,
) -> Array | list[Array]:
    """Return the value of a variable, or of each of several, given those of the inputs."""
    outputs = [variable] if isinstance(variable, Variable) else list(variable)
    values = {key: np.asarray(value, key.dtype) for key, value in (inputs or {}).items()}
    for item in walk.ancestors(outputs, stop=values.__contains__):
        if isinstance(item, Constant):
            values[item] = item.data
        elif isinstance(item, SharedVariable):
            values[item] = item.container.data
        elif item not in values:
            assert item.owner is not None, f"{item} has no value"
            arrays = [values[source] for source in item.owner.inputs]
            results = item.owner.op.compute(Call.of(item.owner), *arrays)
            values.update(zip(item.owner.outputs, results, strict=True))
    results = [values[output] for output in outputs]
    return results[0] if isinstance(variable, Variable) else results


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
