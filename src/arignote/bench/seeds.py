"""The four seed programs' training steps on data of their shapes, natively and as reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import cycle
from typing import Any, Literal, TypeAlias

import numpy as np

from arignote.bench.dialect import Dialect, call_by_call, one_call, setups
from arignote.bench.workload import Case, Work, Workload
from arignote.graph import dtypes
from arignote.graph.dtypes import Array

Float = Literal["float32", "float64"]
Step: TypeAlias = tuple[Any, Sequence[Any]]
"""A compiled function, and the shared variables that it updates."""


# --- seed 000: softmax regression on minibatches of a shared data set


@dataclass(frozen=True)
class Digits:
    """Random images and labels, as many minibatches of them as asked for.

    Attributes
    ----------
    rate
        Of learning. Such images are brighter than handwritten digits: at the tutorial's 0.13 costs
        would grow, and rounding errors with them.
    in_bytes
        Whether images are kept as pixels from 0 to 255, in bytes, and scaled in each step.
    """

    batches: int = 83
    rows: int = 600
    features: int = 784
    classes: int = 10
    dtype: Float | Literal["bfloat16"] = "float32"
    rate: float = 0.01
    in_bytes: bool = False

    @property
    def images(self) -> Array:
        """Pixels, rows × features for each minibatch; between 0 and 1 unless kept in bytes."""
        return _digits(self)[0]

    @property
    def labels(self) -> Array:
        """Classes as int32."""
        return _digits(self)[1]

    @property
    def work(self) -> Work:
        """X once, W and its gradient; two products."""
        item = np.dtype(dtypes.normalize(self.dtype)).itemsize
        own = self.rows * self.features * (1 if self.in_bytes else item)
        weights = 2 * self.features * self.classes * item
        flops = 4 * self.rows * self.features * self.classes
        arithmetic = "float32" if self.dtype == "bfloat16" else self.dtype
        return Work(own + weights, flops, arithmetic, self.batches * own)


@lru_cache(maxsize=1)
def _digits(digits: Digits) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    count = digits.batches * digits.rows
    images = rng.integers(0, 256, (count, digits.features), np.uint8)
    labels = rng.integers(0, digits.classes, count, np.int32)
    return images if digits.in_bytes else _scaled(images, digits.dtype), labels


def _scaled(pixels: Array, dtype: str) -> Array:
    scaled = pixels.astype(dtypes.normalize(dtype))
    scaled /= 255
    return scaled


def softmax_training(own: Dialect, digits: Digits) -> Step:
    """Return softmax regression's step, a function of the number of a minibatch."""
    tensor, dtype = own.tensor, digits.dtype
    images = own.shared(digits.images, borrow=True)
    labels = own.shared(digits.labels, borrow=True)
    w = own.shared(np.zeros((digits.features, digits.classes), dtype), name="W")
    b = own.shared(np.zeros(digits.classes, dtype), name="b")
    x = tensor.matrix("x", dtype=digits.images.dtype.name)
    y, index = tensor.ivector("y"), tensor.lscalar("index")
    scaled = tensor.cast(x, dtype) / np.asarray(255, dtype) if digits.in_bytes else x
    p = own.softmax(tensor.dot(scaled, w) + b)
    cost = -tensor.mean(tensor.log(p)[tensor.arange(y.shape[0]), y])
    updates = own.descent(cost, [w, b], np.asarray(digits.rate, dtype))
    rows = slice(index * digits.rows, (index + 1) * digits.rows)
    givens = {x: images[rows], y: labels[rows]}
    return own.function([index], cost, updates=updates, givens=givens), [w, b]


def softmax_step(own: Dialect, digits: Digits) -> Case:
    """Set up softmax regression: a call takes the number of a minibatch and returns its cost."""
    train, parameters = softmax_training(own, digits)
    turns = cycle(range(digits.batches))
    return one_call(lambda: train(next(turns)), parameters)


def softmax_epoch(own: Dialect, digits: Digits, in_one: bool = True) -> Case:
    """Set up softmax regression: an epoch, in one call or in many, gives all minibatches' costs."""
    train, parameters = softmax_training(own, digits)
    indices = np.arange(digits.batches)
    if in_one:
        return one_call(partial(train.map, indices), parameters)
    return call_by_call(train, [(index,) for index in indices], parameters)


def softmax_regression(digits: Digits = Digits()) -> Workload:
    """Return the step of seed 000."""
    sizes = f"{digits.rows} × {digits.features} → {digits.classes}"
    name = f"softmax regression, {digits.dtype}, {sizes}"
    return Workload(name, setups(softmax_step, digits), digits.work)


# --- seeds 001 and 002: logistic regression on all rows


@dataclass(frozen=True)
class Points:
    """Random points with labels 0 and 1, and weights to start from."""

    rows: int = 400
    features: int = 784
    dtype: Float = "float64"
    rate: float = 0.1
    decay: float = 0.01

    def draw(self) -> tuple[Array, Array, Array]:
        """Return points, labels and weights."""
        rng = np.random.default_rng(1)
        points = rng.standard_normal((self.rows, self.features))
        labels = rng.integers(0, 2, self.rows)
        weights = rng.standard_normal(self.features)
        return points.astype(self.dtype), labels.astype(self.dtype), weights.astype(self.dtype)

    @property
    def work(self) -> Work:
        """X once, and two products with a vector."""
        size = self.rows * self.features
        return Work(size * np.dtype(self.dtype).itemsize, 4 * size, self.dtype)


def logistic_training(own: Dialect, points: Points, with_rows: bool, held: bool = False) -> Step:
    """Return the step of logistic regression in the textbook's form.

    A call returns the prediction and the loss of each row, or else the cost alone. It takes the
    points, or else the function holds them.
    """
    tensor, dtype = own.tensor, points.dtype
    *data, start = points.draw()
    x, y = tensor.matrix("x", dtype=dtype), tensor.vector("y", dtype=dtype)
    w, b = own.shared(start, name="w"), own.shared(np.zeros((), dtype), name="b")
    one, decay = np.asarray(1, dtype), np.asarray(points.decay, dtype)
    p = one / (one + tensor.exp(-tensor.dot(x, w) - b))
    xent = -y * tensor.log(p) - (one - y) * tensor.log(one - p)
    cost = xent.mean() + decay * (w**2).sum()
    updates = own.descent(cost, [w, b], np.asarray(points.rate, dtype))
    outputs = [p > np.asarray(0.5, dtype), xent] if with_rows else [cost]
    inputs, givens = _arguments(own, [x, y], data, held)
    return own.function(inputs, outputs, updates=updates, givens=givens), [w, b]


def logistic_step(own: Dialect, points: Points, with_rows: bool) -> Case:
    """Set up logistic regression."""
    train, parameters = logistic_training(own, points, with_rows)
    return one_call(partial(train, *points.draw()[:2]), parameters)


def logistic_loop(own: Dialect, points: Points, steps: int, in_one: bool = True) -> Case:
    """Set up logistic regression: so many steps, in one call or in many, give all their rows."""
    train, parameters = logistic_training(own, points, with_rows=True, held=True)
    if in_one:
        return one_call(partial(train.repeat, steps), parameters)
    return call_by_call(train, [()] * steps, parameters)


def _arguments(
    own: Dialect, variables: list[Any], data: Sequence[Array], held: bool
) -> tuple[list[Any], dict[Any, Any]]:
    """Return a function's inputs and givens: it takes the data, or holds them."""
    if not held:
        return variables, {}
    return [], {v: own.shared(values) for v, values in zip(variables, data, strict=True)}


def binary_logistic(points: Points = Points()) -> Workload:
    """Return the step of seed 001."""
    name = f"binary logistic, {points.dtype}, {points.rows} × {points.features}"
    return Workload(name, setups(logistic_step, points, True), points.work)


def notebook(points: Points = Points(dtype="float32")) -> Workload:
    """Return the step of seed 002."""
    name = f"notebook's regression, {points.dtype}, {points.rows} × {points.features}"
    return Workload(name, setups(logistic_step, points, False), points.work)


# --- seed 003: a line through sixteen points


@dataclass(frozen=True)
class Line:
    """The seed's points; two parameters."""

    rate: float = 0.01

    def draw(self) -> tuple[Array, Array]:
        """Return abscissae and ordinates."""
        x = "3 4 5 6.1 6.3 2.88 8.89 5.62 6.9 1.97 8.22 9.81 4.83 7.27 5.14 3.08"
        y = "0.9 1.6 1.9 2.9 1.54 1.43 3.06 2.36 2.3 1.11 2.57 3.15 1.5 2.64 2.2 1.21"
        return np.array(x.split(), np.float64), np.array(y.split(), np.float64)


def line_training(own: Dialect, line: Line, held: bool = False) -> Step:
    """Return the step of linear regression; it takes the points, or else holds them."""
    tensor = own.tensor
    x, y = tensor.dvector("x"), tensor.dvector("y")
    m, c = own.shared(np.zeros(()), name="m"), own.shared(np.zeros(()), name="c")
    data = line.draw()
    cost = tensor.sum((tensor.dot(x, m) + c - y) ** 2) / (2 * len(data[0]))
    updates = own.descent(cost, [m, c], line.rate)
    inputs, givens = _arguments(own, [x, y], data, held)
    return own.function(inputs, cost, updates=updates, givens=givens), [m, c]


def line_step(own: Dialect, line: Line) -> Case:
    """Set up linear regression: a call returns the cost."""
    train, parameters = line_training(own, line)
    return one_call(partial(train, *line.draw()), parameters)


def line_loop(own: Dialect, line: Line, steps: int, in_one: bool = True) -> Case:
    """Set up linear regression: so many steps, in one call or in many, give their costs."""
    train, parameters = line_training(own, line, held=True)
    if in_one:
        return one_call(partial(train.repeat, steps), parameters)
    return call_by_call(train, [()] * steps, parameters)


def linear_regression(line: Line = Line()) -> Workload:
    """Return the step of seed 003."""
    return Workload("linear regression, float64, 16 points", setups(line_step, line))


def workloads(tiny: bool = False) -> Sequence[Workload]:
    """Return the four seeds' steps, on data for a test if asked for."""
    if tiny:
        return [
            softmax_regression(Digits(batches=2, rows=7, features=11, classes=3)),
            binary_logistic(Points(rows=9, features=5)),
            notebook(Points(rows=9, features=5, dtype="float32")),
            linear_regression(),
        ]
    return [softmax_regression(), binary_logistic(), notebook(), linear_regression()]
