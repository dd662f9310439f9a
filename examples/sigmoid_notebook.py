"""Two forms of the sigmoid, and the logistic regression built on it, as one would in a notebook.

Numbers in nested lists are accepted as input where the conversion is exact, and everywhere with
``allow_input_downcast=True``. The cost falls to the plateau that the weight decay leaves.

    python examples/sigmoid_notebook.py --plot sigmoid.png
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import trange

import arignote
import arignote.tensor as T
from options import plot_file, positive, seed

Array = npt.NDArray[Any]
Sigmoid = Callable[[npt.ArrayLike], Array]

POINTS, FEATURES = 400, 784
RATE, DECAY = 0.1, 0.01


def sigmoids() -> tuple[Sigmoid, Sigmoid]:
    """Compile the sigmoid by the exponential, and by the hyperbolic tangent."""
    x = T.matrix("x")
    by_exp = arignote.function([x], 1 / (1 + T.exp(-x)), allow_input_downcast=True)
    by_tanh = arignote.function([x], (1 + T.tanh(x / 2)) / 2, allow_input_downcast=True)
    return by_exp, by_tanh


def regression(points: Array, labels: Array, start: Array, steps: int) -> tuple[Array, Array]:
    """Fit a logistic regression; return the cost before every step, and the predicted labels."""
    x, y = T.matrix("x"), T.vector("y")
    float_x = arignote.config.floatX
    w = arignote.shared(start.astype(float_x), name="w")
    b = arignote.shared(np.zeros((), float_x), name="b")

    h = 1 / (1 + T.exp(-T.dot(x, w) - b))
    cost = -T.mean(y * T.log(h) + (1 - y) * T.log(1 - h)) + DECAY * T.sum(w**2)
    gw, gb = T.grad(cost, [w, b])

    train = arignote.function(
        inputs=[x, y],
        outputs=cost,
        updates=[(w, w - RATE * gw), (b, b - RATE * gb)],
        allow_input_downcast=True,
    )
    predict = arignote.function(inputs=[x], outputs=h > 0.5, allow_input_downcast=True)
    costs = np.array([train(points, labels) for _ in trange(steps, unit="step")])
    return costs, predict(points)


def plot(file: Path, sigmoid: Sigmoid, costs: Array) -> None:
    """Draw the sigmoid, and the cost of every step."""
    figure = import_module("matplotlib.figure").Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    grid = np.linspace(-6, 6, 100)
    left.plot(grid, sigmoid(grid[np.newaxis, :])[0])
    left.set(title="sigmoid", yticks=[0, 0.5, 1])
    left.grid(visible=True)
    right.semilogy(costs)
    right.set(title="cost", xlabel="step")
    figure.savefig(file, format="png")


def main(arguments: Sequence[str] | None = None) -> Array:
    """Print both sigmoids of four numbers, run the regression, and return its costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--steps", type=positive, default=10_001, help="default %(default)s")
    parser.add_argument("--seed", type=seed, default=0, help="of the points; default %(default)s")
    parser.add_argument(
        "--plot", type=plot_file, metavar="PNG", help="draw the sigmoid and the cost"
    )
    args = parser.parse_args(arguments)
    arignote.config.floatX = args.dtype

    by_exp, by_tanh = sigmoids()
    print("by exp: ", *by_exp([[0, 1], [-1, -2]]).flat)
    print("by tanh:", *by_tanh([[0, 1], [-1, -2]]).flat)

    rng = np.random.default_rng(args.seed)
    points = rng.standard_normal((POINTS, FEATURES))
    labels = rng.integers(0, 2, POINTS)
    costs, prediction = regression(points, labels, rng.standard_normal(FEATURES), args.steps)
    for step in range(0, args.steps, 1000):
        print(f"step {step:5d}, cost {costs[step]:f}")
    print(f"{int((prediction == labels).sum())} of {POINTS} labels reproduced")
    if args.plot:
        plot(args.plot, by_exp, costs)
    return costs


if __name__ == "__main__":
    main()
