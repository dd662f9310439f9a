"""Logistic regression on random points: more features than points, so every label can be learned.

The loss is written as in a textbook, ``-log p`` with ``p = 1 / (1 + exp(-z))``; arignote rewrites
it so that it stays finite where ``p`` rounds to 0 or 1.

    python examples/binary_logistic.py --steps 10000
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from tqdm import trange

import arignote
import arignote.tensor as T
from options import positive, seed

Array = npt.NDArray[Any]

POINTS, FEATURES = 400, 784
RATE, DECAY = 0.1, 0.01


class Fit(NamedTuple):
    """The fitted parameters, and what the model says of the points it has learned."""

    w: Array
    b: Array
    prediction: Array
    loss: Array


def fit(points: Array, labels: Array, start: Array, steps: int) -> Fit:
    """Descend the gradient of the mean cross-entropy plus ``DECAY * sum(w ** 2)``."""
    x, y = T.dmatrix("x"), T.dvector("y")
    w = arignote.shared(start, name="w")
    b = arignote.shared(0.0, name="b")

    p = 1 / (1 + T.exp(-T.dot(x, w) - b))
    loss = -y * T.log(p) - (1 - y) * T.log(1 - p)
    cost = loss.mean() + DECAY * (w**2).sum()
    gw, gb = T.grad(cost, [w, b])

    train = arignote.function(
        inputs=[x, y], outputs=loss, updates=[(w, w - RATE * gw), (b, b - RATE * gb)]
    )
    evaluate = arignote.function(inputs=[x, y], outputs=[p > 0.5, loss])

    for _ in trange(steps, unit="step"):
        train(points, labels)
    prediction, final_loss = evaluate(points, labels)
    return Fit(w.get_value(), b.get_value(), prediction, final_loss)


def main(arguments: Sequence[str] | None = None) -> Fit:
    """Draw the points, fit them, and count the labels that come out right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=positive, default=10_000, help="default %(default)s")
    parser.add_argument("--seed", type=seed, default=0, help="of the points; default %(default)s")
    args = parser.parse_args(arguments)

    rng = np.random.default_rng(args.seed)
    points = rng.standard_normal((POINTS, FEATURES))
    labels = rng.integers(0, 2, POINTS)
    result = fit(points, labels, rng.standard_normal(FEATURES), args.steps)
    right = int((result.prediction == labels).sum())
    print(f"{right} of {POINTS} labels reproduced, mean loss {result.loss.mean():.6f}")
    return result


if __name__ == "__main__":
    main()
