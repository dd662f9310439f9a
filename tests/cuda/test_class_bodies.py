"""What may stand beside a loss whose classes the device cuts, and what keeps it from that."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.graph import dtypes
from helpers.backend import block_bytes
from helpers.class_parts import CLASSES, FEATURES, ROWS, SMALL, assert_like, goes_through_parts
from helpers.values import Array


@pytest.fixture(autouse=True)
def _device(on_device: None) -> None:
    """All functions are made for the device."""


@dataclass(frozen=True)
class Given:
    """Shared variables, of which `w` are the weights, and what scores are made of."""

    x: Any
    w: Any
    b: Any
    v: Any
    y: Any

    def loss(self, scores: Any) -> Any:
        """Return the mean likelihood of the labels."""
        log_p = T.log(T.nnet.softmax(scores))
        return -T.mean(log_p[T.arange(self.y.shape[0]), self.y])


def number(value: float) -> Any:
    return T.constant(value, dtype="bfloat16")


def as_half(x: Any) -> Any:
    return T.cast(x, "bfloat16")


def given(weights: tuple[int, ...] = (FEATURES, CLASSES)) -> Given:
    rng = np.random.default_rng(1)
    dtype = dtypes.normalize("bfloat16")

    def draw(*shape: int) -> Any:
        return theano.shared((rng.standard_normal(shape) / 4).astype(dtype))

    labels = theano.shared(rng.integers(-CLASSES, CLASSES, ROWS))
    return Given(draw(ROWS, FEATURES), draw(*weights), draw(CLASSES), draw(FEATURES), labels)


def with_error_count(g: Given) -> tuple[Any, list[Any]]:
    scores = T.dot(g.x, g.w)
    wrong = T.mean(T.neq(T.argmax(scores, axis=1), g.y))
    return g.loss(scores) + as_half(wrong), [g.w]


def with_smoothed_labels(g: Given) -> tuple[Any, list[Any]]:
    scores = T.dot(g.x, g.w)
    return g.loss(scores) - number(0.1) * T.mean(T.log(T.nnet.softmax(scores))), [g.w]


def with_two_heads(g: Given) -> tuple[Any, list[Any]]:
    return g.loss(T.dot(g.x, g.w)) + g.loss(T.dot(g.x, g.w * number(0.5)) + g.b), [g.w, g.b]


# Each takes the place of the scores; the weights have the shape that stands beside it.
Scores = Callable[[Given], Any]
CUT: dict[str, tuple[Scores, tuple[int, ...]]] = {
    "a bias": (lambda g: T.dot(g.x, g.w) + g.b, (FEATURES, CLASSES)),
    "a temperature": (lambda g: T.dot(g.x, g.w) / number(1.5), (FEATURES, CLASSES)),
    "a mask": (
        lambda g: T.switch(T.gt(T.dot(g.x, g.w), number(0)), T.dot(g.x, g.w), number(-9)),
        (FEATURES, CLASSES),
    ),
    "some columns": (lambda g: T.dot(g.x, g.w[:, 3 : CLASSES + 3]), (FEATURES, CLASSES + 9)),
    "columns from the last to the first": (lambda g: T.dot(g.x, g.w[:, ::-1]), (FEATURES, CLASSES)),
    "some rows of turned weights": (
        lambda g: T.dot(g.x, g.w[2 : CLASSES + 2].T),
        (CLASSES + 5, FEATURES),
    ),
}
# What hangs on how many classes there are, or needs all of them, in its gradient at least.
OTHERS: dict[str, tuple[Scores, tuple[int, ...]]] = {
    "a number for each row": (
        lambda g: T.dot(g.x, g.w) * g.x[:, 0].dimshuffle(0, "x"),
        (FEATURES, CLASSES),
    ),
    "a number for each class and row": (
        lambda g: T.dot(g.x, g.w) * g.x[:, 0].dimshuffle(0, "x") + g.b.dimshuffle("x", 0),
        (FEATURES, CLASSES),
    ),
    "a temperature by the classes": (
        lambda g: T.dot(g.x, g.w) / as_half(T.sqrt(T.cast(g.w.shape[1], "float32"))),
        (FEATURES, CLASSES),
    ),
    "scores about their mean": (
        lambda g: T.dot(g.x, g.w) - T.mean(T.dot(g.x, g.w), axis=1, keepdims=True),
        (FEATURES, CLASSES),
    ),
    "scores and their turn": (
        lambda g: T.dot(g.x, g.w)[:, ::-1] + T.dot(g.x, g.w),
        (FEATURES, CLASSES),
    ),
    "weights of unit length": (
        lambda g: T.dot(g.x, g.w / T.sqrt(T.sum(T.sqr(g.w), axis=0))),
        (FEATURES, CLASSES),
    ),
}


def results(
    build: Callable[[Given], tuple[Any, list[Any]]], weights: tuple[int, ...], is_small: bool
) -> tuple[bool, list[Array]]:
    """Return whether classes were cut, and what two steps of training come to."""
    with block_bytes(SMALL) if is_small else nullcontext():
        g = given(weights)
        loss, trained = build(g)
        updates = [
            (p, p - number(0.5) * by_p)
            for p, by_p in zip(trained, T.grad(loss, trained), strict=True)
        ]
        f = theano.function([], loss, updates=updates)
        found = [np.asarray(f(), "float64") for _ in range(2)]
    found += [np.asarray(v.get_value(), "float64") for v in trained]
    return goes_through_parts(f), found


def of_scores(scores: Scores) -> Callable[[Given], tuple[Any, list[Any]]]:
    return lambda g: (g.loss(scores(g)), [g.w, g.x])


@pytest.mark.parametrize("name", [*CUT, *OTHERS])
def test_scores_come_to_what_they_come_to_in_one_piece(name: str) -> None:
    scores, weights = {**CUT, **OTHERS}[name]
    is_cut, found = results(of_scores(scores), weights, True)
    assert is_cut or name not in CUT
    _, wanted = results(of_scores(scores), weights, False)
    assert_like(found, wanted, "bfloat16")


BESIDE = {
    "an error count": with_error_count,
    "smoothed labels": with_smoothed_labels,
    "two heads": with_two_heads,
}


@pytest.mark.parametrize("name", BESIDE)
def test_what_stands_beside_a_loss(name: str) -> None:
    is_cut, found = results(BESIDE[name], (FEATURES, CLASSES), True)
    assert is_cut == (name == "two heads")
    _, wanted = results(BESIDE[name], (FEATURES, CLASSES), False)
    assert_like(found, wanted, "bfloat16")
