"""The four seed programs' training steps on data of their shapes, natively and as reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import cycle
from typing import Any, Literal

import numpy as np

import arignote
import arignote.tensor as T
from arignote.bench.workload import OURS, Case, Setup, Work, Workload
from arignote.graph.dtypes import Array

Float = Literal["float32", "float64"]
REFERENCE = "reference"


@dataclass(frozen=True)
class Dialect:
    """A library that speaks Theano's language."""

    tensor: Any
    function: Callable[..., Any]
    shared: Callable[..., Any]
    grad: Callable[..., Any]
    softmax: Callable[[Any], Any]


def dialects() -> dict[str, Dialect]:
    """Return arignote itself, and with every function run as its NumPy reference."""
    reference = partial(arignote.function, mode="reference")
    return {
        name: Dialect(T, function, arignote.shared, T.grad, T.nnet.softmax)
        for name, function in ((OURS, arignote.function), (REFERENCE, reference))
    }


def setups(program: Callable[..., Case], *arguments: Any) -> dict[str, Setup]:
    """Return how a program is set up in each of our dialects."""
    return {name: partial(program, own, *arguments) for name, own in dialects().items()}


# --- seed 000: softmax regression on minibatches of a shared data set


@dataclass(frozen=True)
class Digits:
    """Random images and labels, as many minibatches of them as asked for."""

    batches: int = 83
    rows: int = 600
    features: int = 784
    classes: int = 10
    dtype: Float = "float32"
    rate: float = 0.13

    @property
    def images(self) -> Array:
        """Pixels between 0 and 1, rows × features for each minibatch."""
        return _digits(self)[0]

    @property
    def labels(self) -> Array:
        """Classes as int32."""
        return _digits(self)[1]

    @property
    def work(self) -> Work:
        """X once, W and its gradient; two products."""
        item = np.dtype(self.dtype).itemsize
        own = self.rows * self.features * item
        weights = 2 * self.features * self.classes * item
        flops = 4 * self.rows * self.features * self.classes
        return Work(own + weights, flops, self.dtype, self.batches * own)


@lru_cache(maxsize=1)
def _digits(digits: Digits) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    count = digits.batches * digits.rows
    images = rng.random((count, digits.features), np.float32).astype(digits.dtype, copy=False)
    return images, rng.integers(0, digits.classes, count, np.int32)


def softmax_training(own: Dialect, digits: Digits) -> tuple[Any, list[Any]]:
    """Return softmax regression's step, a function of the number of a minibatch, and W and b."""
    tensor, dtype = own.tensor, digits.dtype
    images = own.shared(digits.images, borrow=True)
    labels = own.shared(digits.labels, borrow=True)
    w = own.shared(np.zeros((digits.features, digits.classes), dtype), name="W")
    b = own.shared(np.zeros(digits.classes, dtype), name="b")
    x, y, index = tensor.matrix("x", dtype=dtype), tensor.ivector("y"), tensor.lscalar("index")
    p = own.softmax(tensor.dot(x, w) + b)
    cost = -tensor.mean(tensor.log(p)[tensor.arange(y.shape[0]), y])
    rate = np.asarray(digits.rate, dtype)
    updates = [(v, v - rate * g) for v, g in zip((w, b), own.grad(cost, [w, b]), strict=True)]
    rows = slice(index * digits.rows, (index + 1) * digits.rows)
    train = own.function([index], cost, updates=updates, givens={x: images[rows], y: labels[rows]})
    return train, [w, b]


def softmax_step(own: Dialect, digits: Digits) -> Case:
    """Set up softmax regression: a call takes the number of a minibatch and returns its cost."""
    train, parameters = softmax_training(own, digits)
    turns = cycle(range(digits.batches))
    return Case(
        lambda: train(next(turns)),
        lambda: [np.asarray(train(next(turns))), *(p.get_value() for p in parameters)],
    )


def softmax_epoch(own: Dialect, digits: Digits, in_one: bool = True) -> Case:
    """Set up softmax regression: an epoch, in one call or in many, gives all minibatches' costs."""
    train, parameters = softmax_training(own, digits)
    indices = np.arange(digits.batches)
    call = partial(train.map, indices) if in_one else lambda: np.array([*map(train, indices)])
    return Case(call, lambda: [call(), *(p.get_value() for p in parameters)])


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


def logistic_step(own: Dialect, points: Points, with_rows: bool) -> Case:
    """Set up logistic regression in the textbook's form.

    A call returns the prediction and the loss of each row, or else the cost alone.
    """
    tensor, dtype = own.tensor, points.dtype
    data, target, start = points.draw()
    x, y = tensor.matrix("x", dtype=dtype), tensor.vector("y", dtype=dtype)
    w, b = own.shared(start, name="w"), own.shared(np.zeros((), dtype), name="b")
    one, decay, rate = (np.asarray(number, dtype) for number in (1, points.decay, points.rate))
    p = one / (one + tensor.exp(-tensor.dot(x, w) - b))
    xent = -y * tensor.log(p) - (one - y) * tensor.log(one - p)
    cost = xent.mean() + decay * (w**2).sum()
    gradients = own.grad(cost, [w, b])
    updates = [(v, v - rate * g) for v, g in zip((w, b), gradients, strict=True)]
    outputs = [p > np.asarray(0.5, dtype), xent] if with_rows else [cost]
    train = own.function([x, y], outputs, updates=updates)
    return Case(
        partial(train, data, target),
        lambda: [*map(np.asarray, train(data, target)), w.get_value(), b.get_value()],
    )


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


def line_training(own: Dialect, line: Line, held: bool = False) -> tuple[Any, list[Any]]:
    """Return the step of linear regression, and m and c; the function holds the points if asked."""
    tensor = own.tensor
    x, y = tensor.dvector("x"), tensor.dvector("y")
    m, c = own.shared(np.zeros(()), name="m"), own.shared(np.zeros(()), name="c")
    data = line.draw()
    cost = tensor.sum((tensor.dot(x, m) + c - y) ** 2) / (2 * len(data[0]))
    gm, gc = own.grad(cost, [m, c])
    updates = [(m, m - line.rate * gm), (c, c - line.rate * gc)]
    points = {v: own.shared(values) for v, values in zip((x, y), data, strict=True)}
    inputs, givens = ([], points) if held else ([x, y], None)
    return own.function(inputs, cost, updates=updates, givens=givens), [m, c]


def line_step(own: Dialect, line: Line) -> Case:
    """Set up linear regression: a call returns the cost."""
    train, parameters = line_training(own, line)
    call = partial(train, *line.draw())
    return Case(call, lambda: [np.asarray(call()), *(p.get_value() for p in parameters)])


def line_loop(own: Dialect, line: Line, steps: int, in_one: bool = True) -> Case:
    """Set up linear regression: so many steps, in one call or in many, give their costs."""
    train, parameters = line_training(own, line, held=True)
    call = (
        partial(train.repeat, steps)
        if in_one
        else lambda: np.array([train() for _ in range(steps)])
    )
    return Case(call, lambda: [call(), *(p.get_value() for p in parameters)])


def linear_regression(line: Line = Line()) -> Workload:
    """Return the step of seed 003."""
    return Workload("linear regression, float64, 16 points", setups(line_step, line))


def workloads() -> Sequence[Workload]:
    """Return the four seeds' steps."""
    return [softmax_regression(), binary_logistic(), notebook(), linear_regression()]
