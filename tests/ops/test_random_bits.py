"""Random numbers have the bits of NumPy's Philox, wherever they are computed."""

from __future__ import annotations

import numpy as np
import pytest

import arignote
import arignote.tensor as T
from arignote import ops
from arignote.config import config
from helpers.spec import SpecBuilder
from helpers.values import LAYOUTS, Array, lay_out

KEYS = [(0, 0), (2**64 - 1, 1), (0x123456789ABCDEF0, 0xFEDCBA9876543210)]
COUNTERS = [0, 1, 12345, 2**64 - 3]


def words(key: tuple[int, int], counter: int, count: int) -> Array:
    """Return words that come after a counter."""
    bits = np.random.Philox(key=np.array(key, "uint64"), counter=counter)
    return np.asarray(bits.random_raw(count))


def numbers(raw: Array, dtype: str) -> Array:
    """Return what a word, or each of its halves, stands for."""
    if dtype == "float64":
        return np.asarray((raw >> np.uint64(11)).astype("float64") * 2.0**-53)
    halves = raw.astype("<u8").view("<u4")
    return np.asarray((halves >> np.uint32(8)).astype("float32") * np.float32(2.0**-24))


def drawing(dtype: str, ndim: int = 1) -> arignote.Function:
    """Return a function from a state and lengths to numbers and the state after them."""
    state = T.TensorType("uint64", (False,))()
    dims = [T.lscalar() for _ in range(ndim)]
    return arignote.function([state, *dims], ops.uniform(state, dims, dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("counter", COUNTERS)
@pytest.mark.parametrize("key", KEYS)
def test_bits_are_those_of_numpys_words(key: tuple[int, int], counter: int, dtype: str) -> None:
    f = drawing(dtype)
    for count in (0, 1, 3, 4, 5, 8, 9, 1001):
        found, after = f(np.array([*key, counter], "uint64"), count)
        wanted = numbers(words(key, counter, count), dtype)[:count]
        assert found.dtype == dtype
        assert found.tobytes() == wanted.tobytes()
        blocks = -(-wanted.nbytes // 32)
        assert after.tolist() == [*key, (counter + blocks) % 2**64]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_draws_follow_each_other_block_by_block(dtype: str) -> None:
    f = drawing(dtype, 2)
    per_block = 32 // np.dtype(dtype).itemsize
    state = np.array([1, 2, 3], "uint64")
    parts = []
    for rows in (3, 0, 1, 40):
        part, state = f(state, rows, per_block)
        parts.append(part)
    whole = numbers(words((1, 2), 3, 4 * 44), dtype)
    assert np.concatenate(parts).tobytes() == whole.tobytes()


@pytest.mark.usefixtures("all_threads")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_do_not_depend_on_threads(dtype: str) -> None:
    f = drawing(dtype)
    state = np.array([1, 2, 3], "uint64")
    wanted = numbers(words((1, 2), 3, 200_001), dtype)[:200_001].tobytes()
    for threads in (1, 2, 3, 7, 16):
        config.threads = threads
        assert f(state, 200_001)[0].tobytes() == wanted


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_state_may_lie_anyhow(layout: str) -> None:
    f = drawing("float64")
    state = np.array([9, 8, 7], "uint64")
    for found, wanted in zip(f(lay_out(state, layout), 5), f(state, 5), strict=True):
        assert found.tobytes() == wanted.tobytes()


def test_numbers_lie_in_the_unit_interval() -> None:
    for word, dtype, largest in (
        (2**64 - 1, "float64", 1 - 2.0**-53),
        (2**64 - 1, "float32", np.float32(1 - 2.0**-24)),
    ):
        assert numbers(np.array([word], "uint64"), dtype)[0] == largest < 1
        assert numbers(np.array([0], "uint64"), dtype)[0] == 0


# --- mistakes


@pytest.mark.parametrize("length", [0, 2, 4])
def test_a_state_has_three_words(length: int) -> None:
    f = drawing("float64")
    with pytest.raises(ValueError, match=rf"\[uniform\] state must have 3 elements: {length}"):
        f(np.zeros(length, "uint64"), 5)


def test_lengths_are_not_negative() -> None:
    f = drawing("float64", 2)
    with pytest.raises(ValueError, match=r"\[uniform\] size\[1\] must not be negative: -1"):
        f(np.zeros(3, "uint64"), 5, -1)


def test_too_many_numbers_are_an_error() -> None:
    f = drawing("float64", 2)
    for length in (2**31, 2**40, 2**62):
        with pytest.raises((MemoryError, ValueError)):
            f(np.zeros(3, "uint64"), length, length)


def test_types() -> None:
    with pytest.raises(TypeError, match=r"\[uniform\] state must be a vector of uint64"):
        ops.uniform(T.lvector(), [], "float64")
    with pytest.raises(TypeError, match=r"\[uniform\] dtype must be float32 or float64: int8"):
        ops.uniform(T.TensorType("uint64", (False,))(), [], "int8")


def step(state: tuple[str, int], out: str, after: tuple[str, int], words: int = 3) -> SpecBuilder:
    """Return a plan whose only step draws, its buffers of these dtypes and ranks."""
    builder = SpecBuilder()
    source = builder.input(*state)
    drawn = builder.temp(out, builder.const_dims(5))
    left = builder.temp(after[0], builder.const_dims(*[words] * after[1]))
    builder.step("uniform", [source], [drawn, left])
    builder.output(drawn, left)
    return builder


@pytest.mark.parametrize(
    "builder",
    [
        step(("int64", 1), "float64", ("uint64", 1)),
        step(("uint64", 2), "float64", ("uint64", 1)),
        step(("uint64", 1), "float16", ("uint64", 1)),
        step(("uint64", 1), "float64", ("uint64", 2)),
        step(("uint64", 1), "float64", ("int64", 1)),
    ],
)
def test_the_runtime_refuses_steps_of_other_types(builder: SpecBuilder) -> None:
    with pytest.raises(RuntimeError, match=r"\[uniform\] uint64 vectors state and next, out float"):
        builder.function()


def test_the_runtime_refuses_states_of_other_lengths() -> None:
    sound = step(("uint64", 1), "float64", ("uint64", 1)).function()
    assert sound(np.array([1, 2, 3], "uint64"))[1].tolist() == [1, 2, 5]
    with pytest.raises(RuntimeError, match=r"\[uniform\] state and next must have three elements"):
        sound(np.zeros(2, "uint64"))
    short = step(("uint64", 1), "float64", ("uint64", 1), words=2).function()
    with pytest.raises(RuntimeError, match=r"\[uniform\] state and next must have three elements"):
        short(np.zeros(3, "uint64"))
