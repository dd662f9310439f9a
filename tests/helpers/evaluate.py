"""What an expression means: each node computed by its record's NumPy reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from arignote.graph import walk
from arignote.graph.op import Call
from arignote.graph.variable import Constant, SharedVariable, Variable

Array = npt.NDArray[Any]


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
