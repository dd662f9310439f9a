"""What models with row blocks share: their data and parameters, their names, their updates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

import arignote as theano
import arignote.tensor as T
from arignote.graph.variable import SharedVariable, Variable
from helpers.programs import Program
from helpers.values import Array

CLASSES: Final = 3


@dataclass(frozen=True)
class Setting:
    """How much data there is, and of which type."""

    rows: int = 20
    features: int = 5
    dtype: str = "float64"
    # In the models of ROW_LOSSES: what becomes of the losses of all rows, instead of their mean.
    cost: Callable[[Any], Any] | None = None

    def real(self, *shape: int, seed: int = 1) -> Array:
        """Return normally distributed numbers."""
        return np.random.default_rng(seed).normal(size=shape).astype(self.dtype)

    @property
    def x(self) -> Array:
        """The data, scaled such that products have the size of one."""
        return self.real(self.rows, self.features) / np.sqrt(self.features).astype(self.dtype)

    @property
    def labels(self) -> Array:
        """A class for each row; the last one is sometimes counted from the end."""
        return np.random.default_rng(2).integers(-1, CLASSES, self.rows)

    def shared(self, name: str, *shape: int) -> SharedVariable:
        """Return a parameter."""
        return theano.shared(self.real(*shape, seed=len(name) + len(shape)), name)

    def cost_of(self, losses: Any, usual: Callable[[Any], Any]) -> Any:
        """Return the cost of the losses of all rows."""
        return (self.cost or usual)(losses)

    def matrix(self, name: str = "x") -> Any:
        """Return an input for the data."""
        return T.matrix(name, dtype=self.dtype)

    def vector(self, name: str = "t") -> Any:
        """Return an input for targets."""
        return T.vector(name, dtype=self.dtype)


Build = Callable[[Setting], Program]
ROW_MODELS: Final[dict[str, Build]] = {}
# Those whose setting tells what becomes of their losses.
ROW_LOSSES: Final[dict[str, Build]] = {}


def model(build: Build) -> Build:
    """Register a model under the name of its function."""
    ROW_MODELS[build.__name__] = build
    return build


def loss_model(build: Build) -> Build:
    """Register a model whose setting tells what becomes of its losses."""
    ROW_LOSSES[build.__name__] = build
    return model(build)


def descent(
    cost: Variable, parameters: Sequence[SharedVariable]
) -> list[tuple[SharedVariable, Any]]:
    """Return the updates of a step down the gradient."""
    gradients = T.grad(cost, list(parameters))
    rate = np.asarray(0.1, cost.dtype)
    return [(p, p - rate * g) for p, g in zip(parameters, gradients, strict=True)]


def mean(values: Any) -> Any:
    """Return the mean as a sum and a quotient."""
    return T.sum(values) / values.shape[0].astype(values.dtype)
