"""What comes down to the loss of a row is an operand: costs that weight, scale, mix, bend losses.

Their gradients, and the gradients of a projection of these, against difference quotients and
against NumPy; with row blocks, and without.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.graph.variable import SharedVariable, Variable
from arignote.run.function import Function
from arignote.run.mode import Mode
from helpers.derivatives import signed_weights, sum_of_magnitudes
from helpers.programs import Program
from helpers.row_models import ROW_LOSSES, Setting
from helpers.tolerance import STEP, assert_reordered, derivative_bound
from helpers.values import Array

BY_ROWS, APART = Mode(), Mode().excluding("by_rows")
# The graph as it was written, in NumPy.
PLAIN = Mode("reference", optimizer=None)
# Some blocks of rows, the last one shorter; and none of the rows is near where a loss bends.
SETTING = Setting(rows=1001, features=80)

Terms = list[Any]


def weighted(losses: Any, weights: Any) -> Terms:
    return [weights * losses]


def scaled_and_mixed(losses: Any, weights: Any) -> Terms:
    """A multiple of the mean beside other terms of the same losses."""
    mean = T.sum(losses) / losses.shape[0].astype(losses.dtype)
    return [np.asarray(-2.5, losses.dtype) * mean, weights * losses, T.exp(-losses)]


def bent(losses: Any, weights: Any) -> Terms:
    """What comes down depends on the losses, as it does from a focal loss."""
    return [weights * losses**2, T.tanh(weights) * T.log(1 + losses**2)]


COSTS: dict[str, Callable[[Any, Any], Terms]] = {
    "weighted": weighted,
    "scaled and mixed": scaled_and_mixed,
    "bent": bent,
}


@dataclass
class Total:
    """A sum of terms that depend on the parameters and the data of a program."""

    program: Program
    parameters: list[SharedVariable]
    terms: Terms

    @property
    def variables(self) -> list[Variable]:
        return [*self.parameters, self.program.inputs[0]]

    @property
    def sum(self) -> Any:
        return sum(map(T.sum, self.terms), T.constant(np.zeros((), self.terms[0].dtype)))

    def gradients(self) -> list[Any]:
        return list(T.grad(self.sum, self.variables, disconnected_inputs="ignore"))

    def compiled(self, outputs: Any, mode: Mode) -> Function:
        return theano.function(self.program.inputs, outputs, mode=mode, on_unused_input="ignore")

    def computed(self, outputs: Any, mode: Mode) -> Any:
        return self.compiled(outputs, mode)(*self.program.arguments)


def cost_of(name: str, cost: str, setting: Setting = SETTING) -> Total:
    """Return a cost of a model's losses, with a random weight for each row."""
    rng = np.random.default_rng(len(name))
    weights = theano.shared(signed_weights(rng, (setting.rows,)).astype(setting.dtype), "weights")
    terms: Terms = []

    def keep_terms(losses: Any) -> Any:
        terms.extend(COSTS[cost](losses, weights))
        return T.sum(losses)

    program = ROW_LOSSES[name](replace(setting, cost=keep_terms))
    return Total(program, [target for target, _ in program.updates or ()], terms)


def projected(total: Total) -> Total:
    """Return the sum of all elements of the gradients, each with a random weight."""
    rng = np.random.default_rng(7)
    values = [item.get_value() for item in total.parameters] + total.program.arguments[:1]
    terms = [
        theano.shared(signed_weights(rng, value.shape).astype(value.dtype)) * gradient
        for value, gradient in zip(values, total.gradients(), strict=True)
    ]
    return Total(total.program, total.parameters, terms)


def check(total: Total) -> None:
    """Hold the gradients against NumPy's, and these along directions against quotients."""
    gradients = total.gradients()
    slopes = total.computed(gradients, PLAIN)
    terms = total.computed(total.terms, PLAIN)
    for mode in (BY_ROWS, APART):
        *of_parameters, of_data = total.computed(gradients, mode)
        assert_reordered(of_parameters, slopes[:-1], float(sum_of_magnitudes(terms)))
        assert_reordered([of_data], slopes[-1:])
    value = total.compiled(total.sum, PLAIN)
    rng = np.random.default_rng(3)
    for variable, slope in zip(total.variables, slopes, strict=True):
        direction = signed_weights(rng, slope.shape)
        ends = [moved(total, value, variable, sign * STEP * direction) for sign in (1, -1)]
        error = np.sum(slope * direction) - (ends[0] - ends[1]) / (2 * STEP)
        assert abs(error) <= derivative_bound([slope * direction], terms), variable


def moved(total: Total, value: Function, variable: Variable, step: Array) -> float:
    """Return the value where a variable has moved."""
    if variable not in total.parameters:
        first, *others = total.program.arguments
        return float(value(first + step, *others))
    start = variable.get_value()
    variable.set_value(start + step)
    result = float(value(*total.program.arguments))
    variable.set_value(start)
    return result


every_cost = pytest.mark.parametrize("cost", COSTS)
every_loss = pytest.mark.parametrize("name", ROW_LOSSES)


@every_cost
@every_loss
def test_gradients(name: str, cost: str) -> None:
    check(cost_of(name, cost))


@every_cost
@every_loss
def test_gradients_of_gradients(name: str, cost: str) -> None:
    check(projected(cost_of(name, cost)))


@every_cost
@every_loss
def test_rows_still_go_through_a_step_once(name: str, cost: str) -> None:
    """So it is row blocks that are tested above."""
    total = cost_of(name, cost)
    steps = [step.op for step in total.compiled(total.gradients(), BY_ROWS).plan.steps]
    assert [op for op in steps if op != "elementwise"] == ["by_rows"]


@every_cost
@every_loss
def test_float32(name: str, cost: str) -> None:
    """Against float64."""
    found, wanted = (
        cost_of(name, cost, replace(SETTING, dtype=dtype)) for dtype in ("float32", "float64")
    )
    wanted.program.arguments = [
        item.astype("float64") if item.dtype == "float32" else item
        for item in found.program.arguments
    ]
    for narrow, wide in zip(found.parameters, wanted.parameters, strict=True):
        wide.set_value(narrow.get_value().astype("float64"))
    terms = wanted.computed(wanted.terms, PLAIN)
    scale = float(sum_of_magnitudes(terms))
    slopes = [item.astype("float32") for item in wanted.computed(wanted.gradients(), PLAIN)]
    for mode in (BY_ROWS, APART):
        assert_reordered(found.computed(found.gradients(), mode), slopes, scale)
