"""The loops that judge the seed programs: their gradients, their minima, the tutorial's figures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from helpers import seeds_numpy
from helpers.seeds_data import Data
from helpers.seeds_numpy import SoftmaxRun
from helpers.seeds_tolerance import CONVERGED, FINITE_DIFFERENCE, assert_relative, assert_ulp

Array = npt.NDArray[Any]


def slope(cost: Callable[[float], float], step: float = 1e-5) -> float:
    """Return the derivative at 0 by a fourth-order central difference."""
    near, far = cost(step) - cost(-step), cost(2 * step) - cost(-2 * step)
    return (8 * near - far) / (12 * step)


def test_the_softmax_step_follows_the_gradient() -> None:
    rng = np.random.default_rng(30)
    x, y = rng.normal(size=(7, 5)), rng.integers(0, 3, 7)
    w, b = rng.normal(size=(5, 3)), rng.normal(size=3)
    dw, db = rng.normal(size=w.shape), rng.normal(size=b.shape)
    new_w, new_b, _ = seeds_numpy.softmax_step(x, y, w, b, 0.5)
    analytic = float(((w - new_w) * dw).sum() + ((b - new_b) * db).sum()) / 0.5

    def cost(t: float) -> float:
        return seeds_numpy.softmax_step(x, y, w + t * dw, b + t * db, 0.5)[2]

    assert_relative(analytic, slope(cost), FINITE_DIFFERENCE)


def test_the_binary_step_follows_the_gradient() -> None:
    rng = np.random.default_rng(31)
    x, y = rng.normal(size=(9, 4)), rng.integers(0, 2, 9)
    w, b = rng.normal(size=4), 0.3
    dw, db = rng.normal(size=4), 0.7
    run = seeds_numpy.binary_logistic((x, y), (w, b), 1)
    analytic = float(((w - run.w) * dw).sum() + (b - run.b) * db) / 0.1

    def cost(t: float) -> float:
        return float(seeds_numpy.binary_logistic((x, y), (w + t * dw, b + t * db), 1).costs[0])

    assert_relative(analytic, slope(cost), FINITE_DIFFERENCE)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_losses_stay_finite_far_from_the_boundary(dtype: str) -> None:
    x, y = np.array([[1000.0], [-1000.0], [1000.0], [-1000.0]]), np.array([1, 0, 0, 1])
    run = seeds_numpy.binary_logistic((x, y), (np.ones(1), 0.0), 1, dtype)
    np.testing.assert_array_equal(run.xent, np.array([0, 0, 1000, 1000], dtype))
    assert run.w.dtype == run.xent.dtype == np.dtype(dtype)


def test_the_line_ends_at_least_squares() -> None:
    rng = np.random.default_rng(32)
    x = rng.uniform(-1, 2, 20)
    y = 3 * x - 2 + rng.normal(size=20)
    run = seeds_numpy.linear_regression((x, y), (0.1, -0.2), 20_000, rate=0.1)
    slope_and_intercept = np.polyfit(x, y, 1)
    assert_ulp(run.m, slope_and_intercept[0], CONVERGED)
    assert_ulp(run.c, slope_and_intercept[1], CONVERGED)
    assert run.costs[-1] < run.costs[0]


def test_early_stopping_waits_as_long_as_its_patience(noisy_data: Data) -> None:
    """3 minibatches an epoch, patience 12: without a new best it stops in the fifth epoch."""
    schedule = seeds_numpy.Schedule(rate=0.0, patience=12)
    run = seeds_numpy.logistic_sgd(noisy_data, "float64", schedule)
    assert (run.epochs, run.best_epoch, len(run.costs)) == (5, 1, 13)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_tutorials_figures(mnist_loop: Callable[[str], SoftmaxRun], dtype: str) -> None:
    run = mnist_loop(dtype)
    figures = f"{100 * run.best_validation_error:f} {100 * run.test_error:f}"
    assert (figures, run.best_epoch, run.epochs) == ("7.500000 7.489583", 73, 74)
