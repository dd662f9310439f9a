"""Small programs of every kind that a plan can hold, each with arguments to call it with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

import arignote as theano
import arignote.tensor as T
from arignote.graph.variable import SharedVariable, Variable
from arignote.run.function import Function


@dataclass
class Program:
    """What to compile, and arguments for a call."""

    inputs: list[Variable]
    outputs: Any
    arguments: list[Any]
    updates: list[tuple[SharedVariable, Any]] | None = None
    givens: dict[Variable, Variable] | None = None

    def function(self, mode: Any = None, name: str | None = None) -> Function:
        """Return it compiled."""
        return theano.function(
            self.inputs,
            self.outputs,
            updates=self.updates,
            givens=self.givens,
            mode=mode,
            name=name,
        )

    def values(self) -> list[Any]:
        """Return the values of the variables that a call updates."""
        return [target.get_value() for target, _ in self.updates or ()]


PROGRAMS: Final[dict[str, Callable[[], Program]]] = {}


def program(build: Callable[[], Program]) -> Callable[[], Program]:
    """Make a builder one of the programs."""
    PROGRAMS[build.__name__] = build
    return build


def _random() -> np.random.Generator:
    return np.random.default_rng(7)


@program
def plus_one() -> Program:
    x = T.dscalar("x")
    return Program([x], x + 1, [np.array(2.5)])


@program
def softmax_regression() -> Program:
    """Minibatch gradient descent; the batch is a slice of a shared data set."""
    rng = _random()
    index, x, y = T.lscalar("index"), T.fmatrix("x"), T.ivector("y")
    images = theano.shared(rng.random((12, 5), np.float32), "images")
    labels = theano.shared(rng.integers(0, 3, 12).astype("int32"), "labels")
    weights = theano.shared(np.zeros((5, 3), "float32"), "W")
    bias = theano.shared(np.zeros(3, "float32"), "b")
    likelihood = T.log(T.nnet.softmax(T.dot(x, weights) + bias))
    cost = -T.mean(likelihood[T.arange(y.shape[0]), y])
    gradients = T.grad(cost, [weights, bias])
    return Program(
        [index],
        cost,
        [np.array(2)],
        [(p, p - 0.13 * g) for p, g in zip([weights, bias], gradients, strict=True)],
        {x: images[index * 4 : (index + 1) * 4], y: labels[index * 4 : (index + 1) * 4]},
    )


@program
def binary_logistic() -> Program:
    """Cross-entropy as its formula reads, with decay; two outputs."""
    rng = _random()
    x, y = T.dmatrix("x"), T.dvector("y")
    w, b = theano.shared(rng.normal(size=4), "w"), theano.shared(0.0, "b")
    p = 1 / (1 + T.exp(-T.dot(x, w) - b))
    xent = -y * T.log(p) - (1 - y) * T.log(1 - p)
    cost = xent.mean() + 0.01 * (w**2).sum()
    gw, gb = T.grad(cost, [w, b])
    return Program(
        [x, y],
        [p > 0.5, xent],
        [rng.normal(size=(6, 4)), rng.integers(0, 2, 6).astype("float64")],
        [(w, w - 0.1 * gw), (b, b - 0.1 * gb)],
    )


@program
def logistic_notebook() -> Program:
    """The same model with the mean inside, and the cost as the only output."""
    rng = _random()
    x, y = T.fmatrix("x"), T.fvector("y")
    w = theano.shared(rng.normal(size=4).astype("float32"), "w")
    b = theano.shared(np.float32(0), "b")
    h = 1 / (1 + T.exp(-T.dot(x, w) - b))
    cost = -T.mean(y * T.log(h) + (1 - y) * T.log(1 - h)) + 0.01 * T.sum(w**2)
    gw, gb = T.grad(cost, [w, b])
    return Program(
        [x, y],
        cost,
        [rng.random((6, 4), np.float32), np.float32(rng.integers(0, 2, 6))],
        [(w, w - np.float32(0.1) * gw), (b, b - np.float32(0.1) * gb)],
    )


@program
def linear_regression() -> Program:
    x, y = T.dvector("x"), T.dvector("y")
    m, c = theano.shared(0.5, "m"), theano.shared(0.1, "c")
    cost = T.sum(T.pow(T.dot(x, m) + c - y, 2)) / (2 * 16)
    gm, gc = T.grad(cost, [m, c])
    xs = np.linspace(1, 9, 16)
    return Program([x, y], cost, [xs, 0.2 * xs + 1], [(m, m - 0.01 * gm), (c, c - 0.01 * gc)])


@program
def givens_slice() -> Program:
    """Every second row of a shared matrix, backwards."""
    x, start = T.dmatrix("x"), T.iscalar("start")
    data = theano.shared(_random().normal(size=(9, 3)), "data")
    return Program([start], T.dot(x, x.T), [np.int32(7)], givens={x: data[start:0:-2]})


@program
def momentum() -> Program:
    rng = _random()
    x = T.dmatrix("x")
    w = theano.shared(rng.normal(size=(3, 2)), "w")
    v = theano.shared(np.zeros((3, 2)), "v")
    gradient = T.grad(T.sum(T.dot(x, w) ** 2), w)
    return Program([x], [], [rng.normal(size=(5, 3))], [(v, 0.9 * v - gradient), (w, w + 0.01 * v)])


@program
def swap() -> Program:
    a, b = theano.shared(np.arange(3.0), "a"), theano.shared(np.ones(3), "b")
    return Program([], a + b, [], [(a, b), (b, a)])


@program
def lazy_branches() -> Program:
    flag, x = T.bscalar("flag"), T.dmatrix("x")
    chosen = theano.ifelse.ifelse(T.gt(flag, 0), T.dot(x, x), x.sum(axis=0, keepdims=True) + x)
    return Program([flag, x], T.tanh(chosen), [np.int8(1), _random().normal(size=(3, 3))])


@program
def boolean_mask() -> Program:
    """The length of the result is known only when a step has counted it."""
    x = T.dvector("x")
    return Program([x], x[(x > 0).nonzero()] * 2, [np.array([1.0, -2.0, 3.0])])


@program
def reshaped() -> Program:
    x, n = T.fmatrix("x"), T.lscalar("n")
    columns = x.T.reshape((n, -1))
    return Program([x, n], T.exp(columns), [np.float32(_random().normal(size=(4, 6))), 3])


@program
def resizing_update() -> Program:
    x = T.dvector("x")
    history = theano.shared(np.zeros(2), "history")
    longer = T.concatenate([history, x])
    return Program([x], history.sum(), [np.arange(3.0)], [(history, longer)])


@program
def complex_step() -> Program:
    """No kernel computes complex numbers: its steps run on the host."""
    z = T.zvector("z")
    return Program([z], abs(z * z), [np.array([1 + 2j, 3j])])


@program
def scalars_of_all_kinds() -> Program:
    """Constants that are not finite, an empty one, a size as a value, a wrapped integer."""
    x, k = T.dvector("x"), T.iscalar("k")
    edges = T.constant(np.array([np.nan, -np.inf, 0.0]))
    empty = T.constant(np.zeros((0, 2)))
    sizes = (x.shape[0] * k).astype("float64") + T.constant(np.float64(-0.0))
    last = x[-k]
    return Program([x, k], [edges + 1, empty * 2, sizes, last], [np.arange(5.0), np.int32(2)])
