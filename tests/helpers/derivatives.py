"""Holding gradients against central differences along random directions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arignote import ops
from arignote.autodiff import Rop, grad
from arignote.graph.variable import Variable
from arignote.graph.walk import replace
from arignote.run.function import function
from helpers.evaluate import evaluate
from helpers.samples import Sample
from helpers.tolerance import STEP, derivative_bound, rewritten_bound
from helpers.values import Array, Values

# Where each op is smooth, with all numbers of moderate size; (-1.5, 1.5) for the others.
DOMAINS = {
    **dict.fromkeys(("arccosh",), (1.2, 3.0)),
    **dict.fromkeys(("arcsin", "arccos", "arctanh", "tan"), (-0.8, 0.8)),
    **dict.fromkeys(("log", "log2", "log10", "sqrt"), (0.3, 3.0)),
    **dict.fromkeys(("log1p",), (-0.5, 2.0)),
    **dict.fromkeys(("pow", "true_div", "floor_div", "mod", "inv"), (0.4, 2.3)),
}


class Smooth(Values):
    """Random arrays of numbers at which an op is differentiable."""

    def __init__(self, seed: int, op: str) -> None:
        super().__init__(seed)
        self.domain = DOMAINS.get(op, (-1.5, 1.5))

    def specials(self, dtype: str) -> Array:
        """Return a few numbers like all others."""
        return self(dtype, 3)

    def plain(self, dtype: str, shape: tuple[int, ...]) -> Array:
        """Return numbers of the domain; integers are small and positive."""
        if np.dtype(dtype).kind in "iu":
            return self.rng.integers(1, 6, shape).astype(dtype)
        return super().plain(dtype, shape)

    def reals(self, shape: tuple[int, ...]) -> Array:
        """Return numbers of the domain."""
        return self.rng.uniform(*self.domain, shape)


def signed_weights(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Return weights of any sign, none of them near zero, no two the same."""
    return np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice([-1, 1], shape))


def floats_of(variables: Sequence[Variable]) -> list[Variable]:
    """Return the variables to differentiate by."""
    return [item for item in variables if item.dtype == "float64"]


class Projection:
    """A sample's outputs summed with random weights: its gradient shows every element."""

    def __init__(self, sample: Sample, seed: int = 5) -> None:
        self.sample = sample
        self.rng = np.random.default_rng(seed)
        self.variables, self.outputs = sample.graph()
        values = evaluate(self.outputs, dict(zip(self.variables, sample.arrays, strict=True)))
        self.weights = [signed_weights(self.rng, value.shape) for value in values]
        self.parts = [value * weight for value, weight in zip(values, self.weights, strict=True)]
        self.cost = self.weighted(self.outputs)

    def weighted(self, values: Sequence[Variable]) -> Variable:
        """Return the sum of values like the outputs, with the weights of these."""
        total: Variable = ops.constant(0.0, dtype="float64")
        for value, weights in zip(values, self.weights, strict=True):
            total = ops.add(total, ops.sum_(ops.mul(like(weights, value), value)))
        return total

    def gradients(self) -> list[Variable]:
        """Return the gradients by the float64 variables."""
        wrt = floats_of(self.variables)
        return list(grad(self.cost, wrt, disconnected_inputs="ignore"))

    def check(self) -> None:
        """Compare the gradient with the difference quotient along a random direction."""
        chosen = floats_of(self.variables)
        arrays = dict(zip(self.variables, self.sample.arrays, strict=True))
        directions = {item: signed_weights(self.rng, arrays[item].shape) for item in chosen}
        value = function(self.variables, self.cost, on_unused_input="ignore")
        gradient = function(self.variables, self.gradients(), on_unused_input="ignore")
        slopes = gradient(*arrays.values())

        def moved(sign: int) -> float:
            places = [
                array + sign * STEP * directions[item] if item in directions else array
                for item, array in arrays.items()
            ]
            return float(value(*places))

        terms = []
        for item, slope in zip(chosen, slopes, strict=True):
            assert slope.shape == arrays[item].shape
            assert slope.dtype == "float64"
            terms.append(slope * directions[item])
        found = sum(float(np.sum(term)) for term in terms)
        wanted = (moved(1) - moved(-1)) / (2 * STEP)
        bound = derivative_bound(terms, self.parts)
        assert abs(found - wanted) <= bound, f"{self.sample.label}: {found} instead of {wanted}"

    def check_forward(self) -> None:
        """Compare the derivative pushed forward along a direction with the gradient's share."""
        chosen = floats_of(self.variables)
        arrays = dict(zip(self.variables, self.sample.arrays, strict=True))
        directions = [signed_weights(self.rng, arrays[item].shape) for item in chosen]
        points = [like(array, item) for array, item in zip(directions, chosen, strict=True)]
        outputs = [item for item in self.outputs if item.dtype == "float64"]
        if len(outputs) < len(self.outputs):
            return
        pushed = self.weighted(Rop(outputs, chosen, points, disconnected_outputs="ignore"))
        call = function(self.variables, [pushed, *self.gradients()], on_unused_input="ignore")
        found, *slopes = call(*arrays.values())
        terms = [slope * direction for slope, direction in zip(slopes, directions, strict=True)]
        wanted = sum(float(np.sum(term)) for term in terms)
        bound = rewritten_bound(sum_of_magnitudes(terms))
        text = f"{self.sample.label}: {found} instead of {wanted}"
        assert abs(found - wanted) <= bound, text


def like(array: Array, variable: Variable) -> Variable:
    """Return a constant with the broadcast pattern of a variable."""
    return ops.restore_pattern(ops.constant(array), variable.broadcastable)


def sum_of_magnitudes(terms: Sequence[Array]) -> Array:
    """Return the scale of the rounding errors of a sum."""
    return np.asarray(sum(float(np.sum(np.abs(term))) for term in terms))


def gradient_sample(sample: Sample) -> Sample:
    """Return the sample whose outputs are the gradients of a projection of another's."""

    def build(*variables: Variable) -> list[Variable]:
        inner = Projection(Sample(sample.label, sample.build, sample.arrays, sample.patterns))
        replaced = dict(zip(inner.variables, variables, strict=True))
        return replace(inner.gradients(), replaced)

    return Sample(f"{sample.label}, second order", build, sample.arrays, sample.patterns)
