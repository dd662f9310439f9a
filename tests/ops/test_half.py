"""float16: converted natively with NumPy's rounding, and computed in float32 as NumPy does.

What takes one number at a time is tried on bfloat16, too; see also ``test_bfloat16.py``.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
import helpers.samples_other  # noqa: F401 (completes SAMPLES)
from arignote.config import config
from arignote.graph import dtypes
from arignote.graph.op import OPS
from arignote.plan.by_rows import body_of
from arignote.run.compare import compare
from arignote.run.function import Function
from arignote.run.mode import Mode
from helpers.accuracy import stated, units
from helpers.evaluate import expected
from helpers.products import assert_product, draw
from helpers.samples import dtypes_of, samples_of
from helpers.values import Array, Values, lay_out

HALVES: Array = np.arange(1 << 16, dtype="uint16").view("float16")
WIDER = ("float32", "float64")
LAYOUTS = ["transposed", "reversed", "strided"]


def cast(source: str, dtype: str) -> Function:
    x = T.vector("x", dtype=source)
    f = theano.function([x], T.cast(x, dtype))
    assert [step.host for step in f.plan.steps] == [False]
    return f


def assert_same_bits(found: Array, wanted: Array) -> None:
    """Hold all bits but those of NaNs."""
    assert found.dtype == wanted.dtype
    found, wanted = dtypes.plain(found), dtypes.plain(wanted)
    numbers = ~np.isnan(wanted)
    np.testing.assert_array_equal(np.isnan(found), ~numbers)
    np.testing.assert_array_equal(found[numbers], wanted[numbers])
    np.testing.assert_array_equal(np.signbit(found[numbers]), np.signbit(wanted[numbers]))


def widened(dtype: str) -> Array:
    """Return all halves; on some processors NumPy warns of the NaNs that signal."""
    with np.errstate(invalid="ignore"):
        return HALVES.astype(dtype)


@pytest.mark.parametrize("dtype", WIDER)
def test_every_half_is_widened(dtype: str, target: str) -> None:
    assert_same_bits(cast("float16", dtype)(HALVES), widened(dtype))


@pytest.mark.parametrize("dtype", WIDER)
def test_every_half_comes_back(dtype: str, target: str) -> None:
    assert_same_bits(cast(dtype, "float16")(widened(dtype)), HALVES)


@pytest.mark.parametrize("dtype", WIDER)
def test_rounding_where_it_changes(dtype: str, target: str) -> None:
    """At what ties between two halves, and at its neighbours: also where float32 would tie."""
    finite = np.sort(HALVES[np.isfinite(HALVES)].astype("float64"))
    beyond = [65520.0, 1e6, float(np.finfo("float32").max), np.inf]
    tiny = [float(np.finfo(dtype).tiny), float(np.finfo(dtype).smallest_subnormal)]
    edges = np.array([*beyond, *tiny])
    ties = np.concatenate([(finite[1:] + finite[:-1]) / 2, edges, -edges]).astype(dtype)
    infinity = np.asarray(np.inf, dtype)
    with np.errstate(all="ignore"):
        values = np.concatenate([ties, np.nextafter(ties, infinity), np.nextafter(ties, -infinity)])
        wanted = values.astype("float16")
    assert_same_bits(cast(dtype, "float16")(values), wanted)


def test_what_only_float64_holds_overflows(target: str) -> None:
    found = cast("float64", "float16")(np.array([1e300, -1e300, 1e-300, -1e-300]))
    assert_same_bits(found, np.array([np.inf, -np.inf, 0.0, -0.0], "float16"))


def converted(halves: Array, dtype: str) -> Array:
    """Return finite halves in another dtype: integers wrap, unsigned ones below zero, too.

    To these, C and with it NumPy may convert a number below zero as they like. NumPy wraps it on
    x86, as we do everywhere, and takes zero for some on AArch64.
    """
    by_way_of = "int64" if dtype in dtypes.INTEGERS else dtype
    return halves.astype(by_way_of).astype(dtype)


@pytest.mark.parametrize("length", [1, 7, 255, 256, 257, 1000])
@pytest.mark.parametrize("dtype", dtypes.NATIVE)
def test_any_length(dtype: str, length: int, target: str) -> None:
    values = Values(length)
    forth, back = values(dtype, length), values("float16", length)
    with np.errstate(all="ignore"):
        assert_same_bits(cast(dtype, "float16")(forth), forth.astype("float16"))
        np.testing.assert_array_equal(cast("float16", dtype)(back), converted(back, dtype))


def test_every_target_gives_the_same_bits_of_nans(target: str) -> None:
    """Quiet, and the rest of the bits as they were."""
    nans = HALVES[np.isnan(HALVES)]
    wide = cast("float16", "float32")(nans)
    bits = nans.view("uint16").astype("uint32")
    wanted = (bits & 0x8000) << 16 | 0x7FC00000 | (bits & 0x3FF) << 13
    np.testing.assert_array_equal(wide.view("uint32"), wanted)
    np.testing.assert_array_equal(cast("float32", "float16")(wide).view("uint16"), bits | 0x200)


# --- arithmetic

# What float16 does in NumPy even so: ops without kernels, and those that a rewrite makes only of
# other floats.
ON_HOST = {"real", "imag", "conj", "print", "map_rows"}
ON_HOST |= {"nll_with_gradient", "cast_complex64", "cast_complex128", "to_device", "to_host"}
# In the formulas that define these, float16 overflows on the way to a result that it holds.
BETTER = {"sigmoid"}


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if "float16" in dtypes_of(op)])
def test_arithmetic_is_native_and_that_of_numpy(name: str) -> None:
    op = OPS[name]
    for special in (False, True):
        for sample in samples_of(op, Values(0, special), "float16"):
            f = sample.function(Mode())
            assert name in ON_HOST or not any(step.host for step in f.plan.steps), sample.label
            # By a rule that Theano has, too, x / x is one.
            if name in BETTER or (name, sample.label) == ("true_div", "of itself"):
                continue
            results = zip(f(*sample.arrays), *expected(sample), strict=True)
            for found, wanted, bound in results:
                text = compare(found, wanted, bound)
                assert text is None, f"{sample.label}: {text}"


# --- products


def product() -> Function:
    """Return a product whose kernel reads float16 itself."""
    x, y = T.matrix("x", "float16"), T.matrix("y", "float16")
    f = theano.function([x, y], T.dot(x, y), mode=Mode().excluding("half_product_as_float"))
    assert [(step.op, step.host) for step in f.plan.steps] == [("dot", False)]
    return f


@pytest.mark.parametrize("shape", [(1, 700, 1), (40, 300, 3), (3, 70, 40), (40, 60, 70), (5, 0, 3)])
def test_products_are_added_up_in_float32(shape: tuple[int, int, int], target: str) -> None:
    f, (m, k, n) = product(), shape
    a, b = draw("float16", m, k), draw("float16", k, n)
    found = f(a, b)
    assert_product(found, a, b)
    for left, right in itertools.product(LAYOUTS, repeat=2):
        assert_product(f(lay_out(a, left), lay_out(b, right)), a, b)
    x, y = T.matrix("x", "float16"), T.matrix("y", "float16")
    assert_same_bits(theano.function([x, y], T.dot(x, y))(a, b), found)


@pytest.mark.usefixtures("all_threads")
def test_products_are_the_same_for_any_number_of_threads() -> None:
    a, b = draw("float16", 700, 300), draw("float16", 300, 400)
    found = []
    for threads in (1, 2, 7):
        config.threads = threads
        found.append(product()(a, b).tobytes())
    assert found == found[:1] * 3


def test_long_products_are_as_accurate_as_stated() -> None:
    """Terms of one sign, whose sum nearly overflows."""
    a = (np.random.default_rng(1).random((2, 100_000)) + 0.5).astype("float16")
    exact = a.astype("float64") @ (a.T / np.float16(4)).astype("float64")
    f, bound = product(), stated("Products")
    assert units(f(a, a.T / np.float16(4)), exact, exact) <= bound["of matrices"]["float16"]
    found = f(a[:1], a.T[:, :1] / np.float16(4))
    assert units(found, exact[:1, :1], exact[:1, :1]) <= bound["of vectors"]["float16"]


def test_sums_over_blocks_of_rows_are_rounded_once(target: str) -> None:
    x, w = T.matrix("x", "float16"), T.matrix("w", "float16")
    mode = Mode().excluding("half_product_as_float")
    f = theano.function([x, w], T.grad(T.sqr(T.dot(x, w)).sum(), w), mode=mode)
    (block,) = (step for step in f.plan.steps if step.op == "by_rows")
    body = body_of(block.params)
    assert body is not None
    assert [step.op for step in body.steps] == ["dot", "elementwise", "dot"]
    rng = np.random.default_rng(2)
    a, b = rng.integers(-8, 9, (3000, 40)), rng.integers(-1, 2, (40, 30))
    a[np.arange(3000) % 10 != 0] = 0
    wanted = (a.T @ (2 * (a @ b))).astype("float16")
    np.testing.assert_array_equal(f(a.astype("float16"), b.astype("float16")), wanted)


def test_what_overflows_on_the_way_does_not() -> None:
    x = T.vector("x", dtype="float16")
    found = theano.function([x], T.nnet.sigmoid(x))(np.array([-15, 15], "float16"))
    np.testing.assert_array_equal(found, np.array([3.059e-07, 1], "float16"))


def test_a_training_step_of_halves_is_native() -> None:
    x, y = T.matrix("x", dtype="float16"), T.lvector("y")
    w = theano.shared(np.zeros((5, 3), "float16"), "w")
    cost = -T.mean(T.log(T.nnet.softmax(T.dot(x, w)))[T.arange(y.shape[0]), y])
    f = theano.function([x, y], cost, updates=[(w, w - T.grad(cost, w))])
    assert not any(step.host for step in f.plan.steps)
    (block,) = (step for step in f.plan.steps if step.op == "by_rows")
    body = body_of(block.params)
    assert body is not None
    # The data are converted once for both products.
    assert [x for step in body.steps for x in step.inputs].count("x") == 1
    data = np.random.default_rng(1).normal(size=(50, 5)).astype("float16")
    labels = np.arange(50) % 3
    assert f(data, labels) == np.float16(np.log(3))
    wanted = data.astype("float64").T @ (np.eye(3)[labels] - 1 / 3) / 50
    np.testing.assert_allclose(w.get_value(), wanted, atol=2e-4)
    assert w.get_value().dtype == "float16"


# --- one number at a time


def native_function(inputs: list[Any], outputs: Any) -> Function:
    f = theano.function(inputs, outputs)
    assert not any(step.host for step in f.plan.steps)
    return f


EITHER = pytest.mark.parametrize("dtype", dtypes.HALVES)


def halves(dtype: str, seed: int, *shape: int) -> Array:
    """Return numbers of all magnitudes, with infinities and NaNs among them."""
    return np.random.default_rng(seed).choice(HALVES.view(dtype), shape)


@EITHER
@np.errstate(all="ignore")
def test_increments_round_after_each_addition(dtype: str, target: str) -> None:
    x, i, v = T.vector("x", dtype), T.lvector("i"), T.vector("v", dtype)
    f = native_function([x, i, v], T.inc_subtensor(x[i], v))
    places = np.random.default_rng(1).integers(-40, 40, 5000)
    base, added = halves(dtype, 2, 40), halves(dtype, 3, 5000)
    small = base / np.asarray(64, dtype), added / np.asarray(4096, dtype)
    for start, values in ((base, added), small):
        wanted = start.copy()
        np.add.at(wanted, places, values)
        assert_same_bits(f(start, places, values), wanted)


@EITHER
@np.errstate(all="ignore")
def test_increments_of_rows(dtype: str, target: str) -> None:
    x, i, v = T.matrix("x", dtype), T.lvector("i"), T.matrix("v", dtype)
    f = native_function([x, i, v], T.inc_subtensor(x[i], v))
    base, values, places = halves(dtype, 4, 9, 70), halves(dtype, 5, 30, 140), np.arange(30) % 9
    wanted = base.copy()
    np.add.at(wanted, places, values[:, ::2])
    assert_same_bits(f(base, places, values[:, ::2]), wanted)


@EITHER
@np.errstate(all="ignore")
def test_increments_of_a_region(dtype: str, target: str) -> None:
    x, v = T.matrix("x", dtype), T.matrix("v", dtype)
    f = native_function([x, v], T.inc_subtensor(x[1:, ::-2], v))
    base, values = halves(dtype, 6, 300, 41), halves(dtype, 7, 299, 21)
    wanted = base.copy()
    wanted[1:, ::-2] += values
    assert_same_bits(f(base, values), wanted)


@EITHER
@np.errstate(all="ignore")
def test_increments_of_an_element_of_each_row(dtype: str, target: str) -> None:
    x, y, v = T.matrix("x", dtype), T.lvector("y"), T.vector("v", dtype)
    f = native_function([x, y, v], T.inc_subtensor(x[T.arange(y.shape[0]), y], v))
    base, values, columns = halves(dtype, 8, 1000, 5), halves(dtype, 9, 1000), np.arange(1000) % 5
    wanted = base.copy()
    wanted[np.arange(1000), columns] += values
    assert_same_bits(f(base, columns, values), wanted)


@EITHER
def test_ranges_are_rounded_once(dtype: str, target: str) -> None:
    start, stop, step = (T.scalar(name, dtype=dtype) for name in ("start", "stop", "step"))
    f = native_function([start, stop, step], T.arange(start, stop, step, dtype))
    for first, last, by in ((0.1, 3000, 0.3), (-1, 1, 2**-12), (30000, -30000, -7.7), (1, 1, 1)):
        ends = [np.asarray(item, dtype) for item in (first, last, by)]
        found = f(*ends)
        exact = ends[0].astype(float) + np.arange(len(found)) * ends[2].astype(float)
        assert_same_bits(found, exact.astype(dtype))


@EITHER
def test_what_is_not_zero(dtype: str, target: str) -> None:
    x = T.vector("x", dtype)
    f = native_function([x], x.nonzero())
    values = HALVES.view(dtype)
    np.testing.assert_array_equal(f(values)[0], values.nonzero()[0])
