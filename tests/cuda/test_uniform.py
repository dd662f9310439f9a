"""Random numbers on the emulated device: the bits of the CPU, and states that live there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import arignote
import arignote.tensor as T
from arignote import ops
from arignote.tensor.random import RandomStreams
from helpers.backend import set_order
from helpers.emulated import ORDERS
from helpers.values import Array


@pytest.fixture(params=ORDERS, autouse=True)
def order(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let the threads of the device come to run in each order."""
    set_order(request.param)
    yield
    set_order("forward")


def stream(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(0,))))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_are_numpys(on_device: None, dtype: str) -> None:
    state, n = T.TensorType("uint64", (False,))(), T.lscalar()
    drawn, after = ops.uniform(state, [n], dtype)
    f = arignote.function([state, n], [drawn, after])
    assert all(step.device for step in f.plan.steps if step.op == "uniform")
    for counter in (0, 17, 2**64 - 2):
        for count in (0, 1, 7, 8, 9, 1023, 5000):
            key = np.array([3, 2**63 + 5], "uint64")
            bits = np.random.Philox(key=key, counter=counter)
            wanted = np.random.Generator(bits).random(count, dtype)
            found, left = f(np.array([*key, counter], "uint64"), count)
            assert found.tobytes() == wanted.tobytes()
            blocks = -(-wanted.nbytes // 32)
            assert left.tolist() == [*key.tolist(), (counter + blocks) % 2**64]


def test_states_live_there(on_device: None) -> None:
    rv = RandomStreams(5).uniform((3, 5))
    f = arignote.function([], rv)
    assert rv.rng.container.device is not None
    assert "state  random_state uint64[3] on device" in str(f.plan)
    numbers = stream(5)
    for _ in range(3):
        assert f().tobytes() == numbers.random((3, 5)).tobytes()
        numbers.random(1)  # the rest of the block
    assert rv.rng.get_value()[2] == 3 * 4


def test_a_loop_draws_anew_in_each_step(on_device: None) -> None:
    x, rv = T.dvector("x"), RandomStreams(7).uniform((3, 4))
    f = arignote.function([x], T.dot(rv, x))
    data = np.random.default_rng(0).normal(size=(9, 4))
    start = rv.rng.get_value()
    found = f.map(data)
    after = rv.rng.get_value()
    rv.rng.set_value(start)
    assert found.tobytes() == np.stack([f(row) for row in data]).tobytes()
    assert rv.rng.get_value().tolist() == after.tolist()
    rv.rng.set_value(start)
    repeated = arignote.function([], rv + 0).repeat(9)
    assert repeated.tobytes() == stream(7).random((9, 3, 4)).tobytes()


def test_a_failed_call_leaves_the_stream_as_it_was(on_device: None) -> None:
    index, rv = T.lvector("index"), RandomStreams(1).uniform((3,))
    f = arignote.function([index], rv[index])
    with pytest.raises(IndexError):
        f([5])
    assert f([0, 1, 2]).tobytes() == stream(1).random(3).tobytes()


def test_dropout(on_device: None) -> None:
    x, w = T.fmatrix("x"), arignote.shared(np.ones((6, 3), "float32"))
    mask = RandomStreams(81).binomial(size=x.shape, n=1, p=0.5, dtype="float32")
    step = arignote.function([x], [mask, T.grad(T.dot(x * mask, w).sum(), w)])
    data: Array = np.arange(24, dtype="float32").reshape(4, 6)
    used, slope = step(data)
    assert used.tobytes() == (stream(81).random((4, 6)) < 0.5).astype("float32").tobytes()
    np.testing.assert_array_equal(slope, np.tile((data * used).sum(axis=0)[:, None], 3))
