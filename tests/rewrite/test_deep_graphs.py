"""The work of compiling grows like the graph, however deep it is and whatever hangs together."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.graph.variable import Variable
from arignote.plan import row_blocks

Layer = Callable[[Variable, Variable], Variable]

LAYERS: dict[str, Layer] = {
    "elementwise": lambda y, w: T.tanh(y),
    "elementwise after a product": lambda y, w: T.tanh(y if y.owner else T.dot(y, w)),
    "products": lambda y, w: T.tanh(T.dot(y, w)),
    "products from the left": lambda y, w: T.tanh(T.dot(w, y)),
    "scalars between matrices": lambda y, w: y * T.tanh(y.sum()),
    "selections of data": lambda y, w: (y + 1)[::-1],
    "something early in all": lambda y, w: T.dot(y, w) * T.tanh(w),
}


def compiled(layer: Layer, depth: int, mode: str | None = None) -> theano.Function:
    x, w = T.dmatrix("x"), T.dmatrix("w")
    y: Variable = x
    for _ in range(depth):
        y = layer(y, w)
    outputs = [y, T.grad(y.sum(), x)]
    return theano.function([x, w], outputs, mode=mode, on_unused_input="ignore")


def calls(action: Callable[[], Any]) -> int:
    """Return how many calls, of C functions too, an action makes: its work, without a clock."""
    count = 0

    def note(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("name", LAYERS)
def test_work_grows_like_the_graph(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(row_blocks, "_REACH", 64)  # Seen in graphs that are less deep.
    layer = LAYERS[name]
    compiled(layer, 8)  # What is remembered of types and names is counted in neither.
    fewer, more = (calls(lambda depth=depth: compiled(layer, depth)) for depth in (32, 96))
    assert more < 6 * fewer


@pytest.mark.parametrize("name", LAYERS)
def test_a_deep_graph_is_right(name: str) -> None:
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((4, 4)), rng.standard_normal((4, 4)) / 2
    found, expected = (compiled(LAYERS[name], 30, mode)(x, w) for mode in (None, "reference"))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-300)


def test_a_block_is_gone_through_a_few_times_whatever_its_length(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Copies of what a block holds so far, one for each of its nodes, are no calls to count."""
    passes = 0

    class Nodes(list[Any]):
        def __iter__(self) -> Iterator[Any]:
            nonlocal passes
            passes += 1
            return super().__iter__()

    class Axes(dict[Any, Any]):
        def __iter__(self) -> Iterator[Any]:
            nonlocal passes
            passes += 1
            return super().__iter__()

    class Block(row_blocks.RowBlock):
        def __setattr__(self, name: str, value: Any) -> None:
            kinds = {"nodes": Nodes, "axes": Axes}
            super().__setattr__(name, kinds[name](value) if name in kinds else value)

    monkeypatch.setattr(row_blocks, "RowBlock", Block)
    seen = []
    for depth in (20, 60):
        passes = 0
        compiled(LAYERS["elementwise after a product"], depth)
        seen.append(passes)
    assert seen[0] == seen[1] > 0


def updated(layer: Layer, depth: int) -> theano.Function:
    """Return a step that updates as many weights as there are layers, each with a decay."""
    x, weights = T.dmatrix("x"), [theano.shared(np.eye(4), f"w{k}") for k in range(depth)]
    y: Variable = x
    for w in weights:
        y = layer(y, w)
    cost = y.sum() + sum((w**2).sum() for w in weights)
    updates = [(w, w - g) for w, g in zip(weights, T.grad(cost, weights), strict=True)]
    return theano.function([x], cost, updates=updates, on_unused_input="ignore")


@pytest.mark.parametrize("name", ["products", "products from the left", "something early in all"])
def test_work_grows_like_the_updates(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(row_blocks, "_REACH", 64)
    layer = LAYERS[name]
    updated(layer, 8)
    fewer, more = (calls(lambda depth=depth: updated(layer, depth)) for depth in (32, 96))
    assert more < 6 * fewer
