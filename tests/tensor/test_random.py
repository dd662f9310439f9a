"""Streams of random numbers: what is drawn, when anew, and how it is distributed.

Seeds are fixed, so what is said of distributions holds always or never.
"""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import arignote
import arignote.tensor as T
from arignote.config import config
from arignote.tensor.random import MRG_RandomStreams, RandomStreams
from helpers.values import Array

MANY = 40_000


def generator(seed: int, number: int) -> np.random.Generator:
    """Return NumPy's generator of the numbers of a stream."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(number,))))


def drawn(variable: Any) -> Array:
    """Return the value of a variable in one call."""
    value: Array = arignote.function([], variable)()
    return value


def assert_distributed(values: Array, cumulative: Callable[[float], float]) -> None:
    """Hold values against a continuous distribution, by the test of Kolmogorov and Smirnov.

    One in a hundred sets of such values is further away.
    """
    ordered = np.sort(values.ravel().astype("float64"))
    count = len(ordered)
    wanted = np.array([cumulative(value) for value in ordered])
    steps = np.arange(count + 1) / count
    distance = max(np.max(wanted - steps[:-1]), np.max(steps[1:] - wanted))
    assert distance < 1.63 / math.sqrt(count)


def assert_frequencies(counts: Array, chances: Array) -> None:
    """Hold how often outcomes came up against their chances: four standard deviations."""
    total = counts.sum()
    wanted = total * np.asarray(chances)
    spread = np.sqrt(wanted * (1 - np.asarray(chances)))
    assert (abs(counts - wanted) <= 4 * spread).all()


# --- streams


def test_each_call_draws_anew() -> None:
    srng = RandomStreams(seed=234)
    f = arignote.function([], srng.uniform((2, 2)))
    numbers = generator(234, 0)
    for _ in range(3):
        assert f().tobytes() == numbers.random((2, 2)).tobytes()


def test_without_default_updates_the_same_again() -> None:
    rv = RandomStreams(seed=234).uniform((2, 2))
    g = arignote.function([], rv, no_default_updates=True)
    h = arignote.function([], rv, no_default_updates=[rv.rng])
    assert g().tobytes() == g().tobytes() == h().tobytes() == h().tobytes()
    other = RandomStreams(1).uniform((2, 2))
    assert arignote.function([], other, no_default_updates=[rv.rng])().tobytes() != (
        drawn(other).tobytes()
    )


def test_within_a_call_a_variable_has_one_value() -> None:
    srng = RandomStreams(seed=234)
    rv, other = srng.uniform((2, 2)), srng.uniform((2, 2))
    near_zeros = arignote.function([], rv + rv - 2 * rv)
    assert near_zeros().tolist() == [[0, 0], [0, 0]]
    first, second = arignote.function([], [rv, other])()
    assert not (first == second).any()


def test_functions_share_the_stream_of_a_variable() -> None:
    rv = RandomStreams(seed=5).uniform((3,))
    f, g = arignote.function([], rv), arignote.function([], rv * 2)
    numbers = generator(5, 0)
    assert f().tobytes() == numbers.random(3).tobytes()
    numbers.random(1)  # the rest of the block
    assert g().tobytes() == (2 * numbers.random(3)).tobytes()


def test_a_loop_draws_anew_in_each_step() -> None:
    x, rv = T.dscalar("x"), RandomStreams(seed=7).uniform((4,))
    numbers = generator(7, 0)
    found = arignote.function([x], x + rv).map([0.0, 1.0, 2.0])
    assert found.tobytes() == (np.array([[0.0], [1.0], [2.0]]) + numbers.random((3, 4))).tobytes()
    assert arignote.function([], rv).repeat(2).tobytes() == numbers.random((2, 4)).tobytes()


@pytest.mark.parametrize("mode", ["reference", "check"])
def test_modes_draw_the_same(mode: str) -> None:
    rv = RandomStreams(3).uniform((5,), dtype="float32")
    f = arignote.function([], rv, mode=mode)
    numbers = generator(3, 0)
    for _ in range(2):
        block: Array = numbers.random(8, "float32")
        assert f().tobytes() == block[:5].tobytes()


def test_an_explicit_update_takes_the_place_of_the_default_one() -> None:
    rv = RandomStreams(3).uniform((5,))
    state, after = rv.update
    f = arignote.function([], rv, updates=[(state, state)])
    assert f().tobytes() == f().tobytes()
    g = arignote.function([], rv, updates=[(state, after)])
    assert g().tobytes() != g().tobytes()


def test_seeding() -> None:
    srng = RandomStreams(seed=234)
    f = arignote.function([], [srng.uniform((3,)), srng.uniform((3,))])
    first = f()
    srng.seed(5)
    for found, number in zip(f(), range(2), strict=True):
        assert found.tobytes() == generator(5, number).random(3).tobytes()
    assert drawn(srng.uniform((3,))).tobytes() == generator(5, 2).random(3).tobytes()
    srng.seed()
    assert [item.tobytes() for item in f()] == [item.tobytes() for item in first]
    assert drawn(RandomStreams([1, 2]).uniform()) != drawn(RandomStreams([2, 1]).uniform())
    assert drawn(RandomStreams().uniform()) != drawn(RandomStreams().uniform())
    assert drawn(MRG_RandomStreams().uniform()) == drawn(MRG_RandomStreams(12345).uniform())


@pytest.mark.parametrize("seed", [-1, 1.5, "text", [1, -2]])
def test_what_is_no_seed(seed: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"\[RandomStreams\] seed must be"):
        RandomStreams(seed)


def test_states_are_shared_variables() -> None:
    srng, other = RandomStreams(1), RandomStreams(2)
    f, g = (arignote.function([], item.normal((3,))) for item in (srng, other))
    f()
    for (state, _), (of_other, _) in zip(srng.state_updates, other.updates(), strict=True):
        of_other.set_value(state.get_value())
    assert f().tobytes() == g().tobytes()
    rv = srng.uniform((4,))
    start = rv.rng.get_value()
    once = drawn(rv)
    rv.rng.set_value(start)
    assert drawn(rv).tobytes() == once.tobytes()


def test_pickles_go_on_where_they_were() -> None:
    srng = RandomStreams(1)
    rv = srng.uniform((4,))
    f = arignote.function([], rv)
    f()
    copies = [pickle.loads(pickle.dumps(f)), copy.deepcopy(f)]
    streams = pickle.loads(pickle.dumps(srng))
    wanted = f().tobytes()
    assert [again().tobytes() for again in copies] == [wanted, wanted]
    ((state, after),) = streams.state_updates
    assert drawn(after.owner.outputs[0]).tobytes() == wanted
    assert state.get_value().tolist() == rv.rng.get_value().tolist()
    assert drawn(streams.uniform((4,))).tobytes() == generator(1, 1).random(4).tobytes()


def test_the_compiler_keeps_draws_apart_and_merges_one() -> None:
    srng = RandomStreams(1)
    a, b = srng.uniform((3,)), srng.uniform((3,))
    f = arignote.function([], [a - b, a * 2 + 1])
    assert [step.op for step in f.plan.steps].count("uniform") == 2
    assert (f()[0] != 0).all()


def test_only_the_shape_of_a_draw() -> None:
    rv = RandomStreams(1).uniform((3, 4))
    f = arignote.function([], rv.shape, no_default_updates=True)
    assert f().tolist() == [3, 4]
    assert "uniform" not in [step.op for step in f.plan.steps]


def test_a_draw_in_one_branch() -> None:
    flag, rv = T.lscalar("flag"), RandomStreams(1).uniform((3,))
    f = arignote.function([flag], arignote.ifelse.ifelse(flag, rv, T.zeros(3)))
    numbers = generator(1, 0)
    assert f(1).tobytes() == numbers.random(3).tobytes()
    assert f(0).tolist() == [0, 0, 0]
    numbers.random(5)
    assert f(1).tobytes() == numbers.random(3).tobytes()


def test_a_failed_call_leaves_the_stream_as_it_was() -> None:
    index, rv = T.lvector("index"), RandomStreams(1).uniform((3,))
    f = arignote.function([index], rv[index])
    with pytest.raises(IndexError):
        f([5])
    assert f([0, 1, 2]).tobytes() == generator(1, 0).random(3).tobytes()


# --- sizes


def test_sizes() -> None:
    srng, x, n = RandomStreams(1), T.dmatrix("x"), T.lscalar("n")
    f = arignote.function(
        [x, n], [srng.uniform(size) for size in (x.shape, (n, x.shape[1]), n, [2, n, 1], ())]
    )
    shapes = [value.shape for value in f(np.zeros((3, 4)), 5)]
    assert shapes == [(3, 4), (5, 4), (5,), (2, 5, 1), ()]
    assert srng.uniform((1, n)).broadcastable == (True, False)
    assert srng.normal().ndim == 0


def test_a_vector_of_lengths() -> None:
    size = T.lvector("size")
    rv = RandomStreams(1).uniform(size, ndim=2)
    f = arignote.function([size], rv)
    assert f([2, 3]).shape == (2, 3)
    with pytest.raises(ValueError, match="specify_shape"):
        f([2, 3, 4])
    with pytest.raises(ValueError, match=r"\[uniform\] size must be a vector whose length is kn"):
        RandomStreams(1).uniform(size)
    with pytest.raises(ValueError, match=r"\[normal\] ndim must be the number of lengths, 1: 2"):
        RandomStreams(1).normal((3,), ndim=2)


def test_sizes_of_the_parameters() -> None:
    srng, low, high = RandomStreams(1), T.dcol("low"), T.drow("high")
    f = arignote.function([low, high], srng.uniform(low=low, high=high))
    assert f(np.zeros((3, 1)), np.ones((1, 4))).shape == (3, 4)
    p = T.dmatrix("p")
    g = arignote.function([p], srng.binomial(p=p))
    assert g([[0.0, 1.0], [1.0, 0.0]]).tolist() == [[0, 1], [1, 0]]
    with pytest.raises(ValueError, match=r"\[uniform\] size must have at least 2 lengths: 1"):
        srng.uniform((3,), low=low)
    with pytest.raises(TypeError, match=r"\[binomial\] size must be integers"):
        srng.binomial((2.5,))
    assert len(srng.state_updates) == 2


# --- distributions


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_uniform(dtype: str) -> None:
    values = drawn(RandomStreams(11).uniform((MANY,), low=-2, high=3, dtype=dtype))
    assert values.dtype == dtype
    assert values.min() >= -2
    assert values.max() <= 3
    assert_distributed(values, lambda x: (x + 2) / 5)
    below = drawn(RandomStreams(12).uniform((MANY,), dtype=dtype))
    assert 0 <= below.min() < below.max() < 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal(dtype: str) -> None:
    values = drawn(RandomStreams(21).normal((MANY,), avg=3.0, std=0.5, dtype=dtype))
    assert values.dtype == dtype
    assert_distributed(values, lambda x: 0.5 * (1 + math.erf((x - 3) / 0.5 / math.sqrt(2))))
    assert abs(values.mean() - 3) < 4 * 0.5 / math.sqrt(MANY)
    assert abs(values.std() - 0.5) < 4 * 0.5 / math.sqrt(2 * MANY)
    standard = (values - 3) / 0.5
    assert abs((standard**4).mean() - 3) < 4 * math.sqrt(96 / MANY)
    pairs = np.corrcoef(standard[:-1], standard[1:])[0, 1]
    assert abs(pairs) < 4 / math.sqrt(MANY)


def test_normal_in_half_precision() -> None:
    values = drawn(RandomStreams(22).normal((MANY,), dtype="float16"))
    assert values.dtype == "float16"
    assert abs(values.astype("float64").mean()) < 4 / math.sqrt(MANY)


def test_dtypes_follow_floatx_and_the_parameters() -> None:
    srng = RandomStreams(1)
    with config.changed(floatX="float32"):
        assert srng.uniform((2,)).dtype == srng.normal((2,)).dtype == "float32"
        assert srng.uniform((2,), low=T.dscalar()).dtype == "float64"
    assert srng.uniform((2,)).dtype == "float64"
    assert srng.binomial((2,)).dtype == srng.random_integers((2,)).dtype == "int64"
    assert srng.binomial((2,), dtype="floatX").dtype == "float64"
    for method in (srng.uniform, srng.normal):
        with pytest.raises(
            TypeError, match="dtype must be one of float16, bfloat16, float32, float64"
        ):
            method((2,), dtype="int32")


@pytest.mark.parametrize("dtype", ["int64", "float32", "bool"])
def test_binomial(dtype: str) -> None:
    p = 0.3
    values = drawn(RandomStreams(31).binomial((MANY,), p=p, dtype=dtype))
    assert values.dtype == dtype
    assert set(values.tolist()) == {0, 1}
    assert_frequencies(np.bincount(values.astype(int)), np.array([1 - p, p]))


def test_binomial_of_several_trials() -> None:
    n, p = T.lscalar("n"), 0.3
    f = arignote.function([n], RandomStreams(32).binomial((MANY,), n=n, p=p))
    chances = np.array([math.comb(4, k) * p**k * (1 - p) ** (4 - k) for k in range(5)])
    assert_frequencies(np.bincount(f(4), minlength=5), chances)
    assert not f(0).any()


def test_random_integers() -> None:
    values = drawn(RandomStreams(41).random_integers((MANY,), low=-2, high=3, dtype="int8"))
    assert values.dtype == "int8"
    assert_frequencies(np.bincount(values.astype(int) + 2), np.full(6, 1 / 6))
    wide = drawn(RandomStreams(42).random_integers((MANY,), low=0, high=2**53 - 1))
    assert_distributed(wide, lambda x: (x + 1) / 2**53)
    assert drawn(RandomStreams(43).random_integers((3,), low=7, high=7)).tolist() == [7] * 3
    with pytest.raises(TypeError, match=r"\[random_integers\] high must be integers"):
        RandomStreams(1).random_integers((3,), high=2.5)


def test_choice() -> None:
    srng = RandomStreams(51)
    below = drawn(srng.choice((MANY,), 5))
    assert_frequencies(np.bincount(below), np.full(5, 0.2))
    chances = np.array([0.5, 0.0, 0.2, 0.3])
    a, p = T.fvector("a"), T.dvector("p")
    f = arignote.function([a, p], srng.choice((MANY,), a, p=p))
    chosen = f([10, 20, 30, 40], chances)
    assert chosen.dtype == "float32"
    assert_frequencies(np.bincount((chosen / 10).astype(int) - 1, minlength=4), chances)
    assert drawn(srng.choice(a=[7])).tolist() == 7
    with pytest.raises(ValueError, match="specify_shape"):
        f([10, 20], chances)
    with pytest.raises(NotImplementedError, match=r"\[choice\] replace must be True"):
        srng.choice((3,), 5, replace=False)
    with pytest.raises(TypeError, match=r"\[choice\] a must be a vector or an integer"):
        srng.choice((3,), T.dmatrix())


def test_multinomial() -> None:
    srng = RandomStreams(61)
    chances = np.array([[0.5, 0.0, 0.5], [0.1, 0.2, 0.7]])
    counts = drawn(srng.multinomial((MANY, 2), pvals=chances))
    assert (counts.sum(axis=-1) == 1).all()
    for row, wanted in zip(counts.sum(axis=0), chances, strict=True):
        assert_frequencies(row, wanted)
    of_rows = drawn(srng.multinomial(n=100, pvals=chances, dtype="float32"))
    assert of_rows.dtype == "float32"
    assert of_rows.sum(axis=1).tolist() == [100, 100]
    assert of_rows[0, 1] == 0
    with pytest.raises(TypeError, match=r"\[multinomial\] pvals must be a vector or more"):
        srng.multinomial(pvals=0.5)


# --- gradients


def test_gradients_by_the_parameters() -> None:
    srng = RandomStreams(71)
    low, high, avg, std = (T.dscalar(name) for name in ("low", "high", "avg", "std"))
    u, z = srng.uniform((50,), low, high), srng.normal((50,), avg, std)
    slopes = T.grad(u.sum() + z.sum(), [low, high, avg, std])
    f = arignote.function([low, high, avg, std], [u, z, *slopes])
    unit, standard, *found = f(0, 1, 0, 1)
    wanted = [(1 - unit).sum(), unit.sum(), 50, standard.sum()]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_no_gradient_by_the_state() -> None:
    rv = RandomStreams(1).uniform((3,))
    with pytest.raises(ValueError, match="not part of the computational graph"):
        T.grad(rv.sum(), rv.rng)


def test_dropout_with_its_gradient() -> None:
    x, w = T.fmatrix("x"), arignote.shared(np.ones((6, 3), "float32"))
    srng = RandomStreams(81)
    mask = srng.binomial(size=x.shape, n=1, p=0.5, dtype="float32")
    kept = x * mask
    step = arignote.function([x], [mask, T.grad(T.dot(kept, w).sum(), w), T.grad(kept.sum(), x)])
    data = np.arange(24, dtype="float32").reshape(4, 6)
    seen = []
    for _ in range(2):
        used, slope, by_x = step(data)
        np.testing.assert_array_equal(slope, np.tile((data * used).sum(axis=0)[:, None], 3))
        np.testing.assert_array_equal(by_x, used)
        seen.append(used)
    assert (seen[0] != seen[1]).any()


def test_jacobians_hold_one_draw() -> None:
    x = T.dvector("x")
    rv = RandomStreams(91).uniform(x.shape)
    f = arignote.function([x], [rv, T.jacobian(rv * x**2, x)])
    for _ in range(2):
        numbers, found = f([1.0, 2.0, 3.0])
        np.testing.assert_allclose(found, np.diag(2 * numbers * [1, 2, 3]), rtol=1e-12)
    numbers_of_all = generator(91, 0)
    numbers_of_all.random(4)
    assert numbers.tobytes() == numbers_of_all.random(3).tobytes()


def test_test_values() -> None:
    with config.changed(compute_test_value="raise"):
        rv = RandomStreams(1).normal((2, 3))
        assert rv.tag.test_value.shape == (2, 3)
