"""A line through sixteen points by gradient descent, beside the one that least squares gives.

The model is as small as a model can be, so all its steps are one call.

    python examples/linear_regression.py --plot line.png
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import arignote
import arignote.tensor as T
from options import plot_file, positive, seed

Array = npt.NDArray[Any]

POINTS = """
    3.00 0.90   4.00 1.60   5.00 1.90   6.10 2.90   6.30 1.54   2.88 1.43   8.89 3.06   5.62 2.36
    6.90 2.30   1.97 1.11   8.22 2.57   9.81 3.15   4.83 1.50   7.27 2.64   5.14 2.20   3.08 1.21
"""
X, Y = np.array(POINTS.split(), dtype=np.float64).reshape(-1, 2).T
RATE = 0.01


class Line(NamedTuple):
    """A fitted line, the cost before every step, and the compiled line itself."""

    slope: float
    intercept: float
    costs: Array
    apply: Callable[[Array], Array]


def fit(start: tuple[float, float], steps: int) -> Line:
    """Descend the gradient of half the mean squared distance from `start`, (slope, intercept)."""
    x, y = T.vector("x"), T.vector("y")
    m = arignote.shared(np.asarray(start[0], arignote.config.floatX), name="m")
    c = arignote.shared(np.asarray(start[1], arignote.config.floatX), name="c")

    line = T.dot(x, m) + c
    cost = T.sum((line - y) ** 2) / (2 * len(X))
    gm, gc = T.grad(cost, [m, c])

    updates = [(m, m - RATE * gm), (c, c - RATE * gc)]
    points = [arignote.In(x, value=X), arignote.In(y, value=Y)]
    train = arignote.function(points, cost, updates=updates, allow_input_downcast=True)
    apply = arignote.function([x], line, allow_input_downcast=True)
    costs = train.repeat(steps)
    return Line(float(m.get_value()), float(c.get_value()), costs, apply)


def plot(file: Path, line: Line) -> None:
    """Draw the points and the line."""
    figure = import_module("matplotlib.figure").Figure(layout="constrained")
    axes = figure.subplots()
    grid = np.linspace(0, 10, 10)
    axes.plot(X, Y, "ro")
    axes.plot(grid, line.apply(grid))
    figure.savefig(file, format="png")


def main(arguments: Sequence[str] | None = None) -> Line:
    """Fit from a random line and compare with least squares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float64")
    parser.add_argument("--steps", type=positive, default=10_000, help="default %(default)s")
    parser.add_argument("--seed", type=seed, default=0, help="of the first line; %(default)s")
    parser.add_argument(
        "--plot", type=plot_file, metavar="PNG", help="draw the points and the line"
    )
    args = parser.parse_args(arguments)
    arignote.config.floatX = args.dtype

    start = np.random.default_rng(args.seed).standard_normal(2)
    line = fit((float(start[0]), float(start[1])), args.steps)
    slope, intercept = np.polyfit(X, Y, 1)
    print(f"gradient descent: slope {line.slope:.6f}, intercept {line.intercept:.6f}")
    print(f"least squares:    slope {slope:.6f}, intercept {intercept:.6f}")
    if args.plot:
        plot(args.plot, line)
    return line


if __name__ == "__main__":
    main()
