"""bfloat16: converted natively with the rounding of ml_dtypes, and computed in float32."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
import helpers.samples_other  # noqa: F401 (completes SAMPLES)
from arignote.graph import dtypes
from arignote.graph.op import OPS
from arignote.plan.by_rows import body_of
from arignote.run.compare import compare
from arignote.run.function import Function
from arignote.run.mode import Mode
from arignote.tensor.archive import dump, load
from arignote.tensor.random import RandomStreams
from helpers.evaluate import expected
from helpers.samples import dtypes_of, samples_of
from helpers.values import Array, Values, lay_out

DTYPE = np.dtype(ml_dtypes.bfloat16)
ALL: Array = np.arange(1 << 16, dtype="uint16").view(DTYPE)
OTHERS = tuple(dtype for dtype in dtypes.REAL if dtype != "bfloat16")


def native_function(inputs: list[Any], outputs: Any) -> Function:
    f = theano.function(inputs, outputs)
    assert not any(step.host for step in f.plan.steps)
    return f


def cast(source: str, dtype: str) -> Function:
    x = T.vector("x", dtype=source)
    return native_function([x], T.cast(x, dtype))


def assert_same_bits(found: Array, wanted: Array) -> None:
    """Hold all bits but those of NaNs."""
    assert found.dtype == wanted.dtype
    found, wanted = dtypes.plain(found), dtypes.plain(wanted)
    numbers = wanted == wanted
    np.testing.assert_array_equal(found == found, numbers)
    np.testing.assert_array_equal(found[numbers], wanted[numbers])
    np.testing.assert_array_equal(np.signbit(found[numbers]), np.signbit(wanted[numbers]))


# --- conversions


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_number_is_widened_and_comes_back(dtype: str, target: str) -> None:
    with np.errstate(invalid="ignore"):  # of NaNs that signal
        wide = ALL.astype(dtype)
    assert_same_bits(cast("bfloat16", dtype)(ALL), wide)
    assert_same_bits(cast(dtype, "bfloat16")(wide), ALL)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_rounding_where_it_changes(dtype: str, target: str) -> None:
    """At what ties between two numbers, and at its neighbours: float64 is rounded to float32."""
    wide = ALL.astype("float32")
    finite = np.sort(wide[np.isfinite(wide)].astype("float64"))
    beyond = [3.4e38, 3.3961775292304957e38, float(np.finfo("float32").max), np.inf]
    tiny = [float(np.finfo(dtype).tiny), float(np.finfo(dtype).smallest_subnormal)]
    edges = np.array([*beyond, *tiny])
    with np.errstate(all="ignore"):
        ties = np.concatenate([(finite[1:] + finite[:-1]) / 2, edges, -edges]).astype(dtype)
        up, down = (np.nextafter(ties, np.asarray(end, dtype)) for end in (np.inf, -np.inf))
        values = np.concatenate([ties, up, down])
        wanted = values.astype(DTYPE)
    assert_same_bits(cast(dtype, "bfloat16")(values), wanted)


def converted(values: Array, dtype: str) -> Array:
    """Return numbers in another dtype: integers wrap, unsigned ones below zero, too."""
    by_way_of = "int64" if dtype in dtypes.INTEGERS else dtype
    return values.astype(by_way_of).astype(dtype)


@pytest.mark.parametrize("dtype", OTHERS)
def test_any_length_and_layout(dtype: str, target: str) -> None:
    forth, back = cast(dtype, "bfloat16"), cast("bfloat16", dtype)
    for length in (0, 1, 7, 255, 256, 257, 1000):
        values = Values(length)
        there, here = values(dtype, length), values("bfloat16", length)
        with np.errstate(all="ignore"):
            assert_same_bits(forth(there), there.astype(DTYPE))
            np.testing.assert_array_equal(back(here), converted(here, dtype))
            for layout in ("strided", "reversed", "unaligned"):
                found = forth(lay_out(there, layout)), back(lay_out(here, layout))
                assert_same_bits(found[0], there.astype(DTYPE))
                np.testing.assert_array_equal(found[1], converted(here, dtype))


def test_every_target_gives_the_same_bits_of_nans(target: str) -> None:
    """Those that are there stay; what is rounded to one is quiet."""
    nans = ALL[np.isnan(ALL.astype("float32"))]
    bits = nans.view("uint16")
    wide = cast("bfloat16", "float32")(nans)
    np.testing.assert_array_equal(wide.view("uint32"), bits.astype("uint32") << 16)
    np.testing.assert_array_equal(cast("float32", "bfloat16")(wide).view("uint16"), bits | 0x40)
    low = np.array([0x7F800001, 0xFF80FFFF], "uint32").view("float32")
    found = cast("float32", "bfloat16")(low).view("uint16")
    np.testing.assert_array_equal(found, np.array([0x7FC0, 0xFFC0], "uint16"))


# --- arithmetic

FUNCTIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "add": (T.add, np.add),
    "sub": (T.sub, np.subtract),
    "mul": (T.mul, np.multiply),
    "true_div": (T.true_div, np.true_divide),
    "maximum": (T.maximum, np.maximum),
    "lt": (T.lt, np.less),
    "eq": (T.eq, np.equal),
    "neg": (T.neg, np.negative),
    "sqrt": (T.sqrt, np.sqrt),
    "floor": (T.floor, np.floor),
}


@np.errstate(all="ignore")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_that_are_exact_give_the_bits_of_ml_dtypes(name: str, target: str) -> None:
    build, meaning = FUNCTIONS[name]
    x, y = T.vector("x", "bfloat16"), T.vector("y", "bfloat16")
    operands = [x, y][: 1 if name in ("neg", "sqrt", "floor") else 2]
    f = native_function(operands, build(*operands))
    rng = np.random.default_rng(1)
    near = rng.normal(size=(2, 5000)).astype(DTYPE)
    for arrays in ((ALL, rng.permutation(ALL)), near):
        given = arrays[: len(operands)]
        assert_same_bits(f(*given), meaning(*given))


ON_HOST = {"real", "imag", "conj", "print", "map_rows"}
ON_HOST |= {"nll_with_gradient", "cast_complex64", "cast_complex128", "to_device", "to_host"}


def test_every_op_of_floats_is_native_and_that_of_numpy() -> None:
    for name, op in OPS.items():
        if "float16" not in dtypes_of(op):
            continue
        for sample in samples_of(op, Values(0, special=True), "bfloat16"):
            f = sample.function(Mode())
            assert name in ON_HOST or not any(step.host for step in f.plan.steps), sample.label
            if (name, sample.label) == ("true_div", "of itself"):
                continue  # by a rule that Theano has, too, x / x is one
            for found, wanted, bound in zip(f(*sample.arrays), *expected(sample), strict=True):
                text = compare(found, wanted, bound)
                assert text is None, f"{name} {sample.label}: {text}"


def test_products_and_means_are_rounded_once() -> None:
    x, y = T.matrix("x", "bfloat16"), T.matrix("y", "bfloat16")
    f = native_function([x, y], [T.dot(x, y), x.mean(), x.sum(axis=0), T.nnet.softmax(x)])
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(9, 300)).astype(DTYPE), rng.normal(size=(300, 5)).astype(DTYPE)
    wide = a.astype("float64")
    likely = np.exp(wide - wide.max(axis=1, keepdims=True))
    exact = [
        *(wide @ b.astype("float64"), wide.mean(), wide.sum(axis=0)),
        likely / likely.sum(axis=1, keepdims=True),
    ]
    for found, wanted in zip(f(a, b), exact, strict=True):
        assert found.dtype == DTYPE
        np.testing.assert_allclose(found.astype("float64"), wanted, rtol=2**-8, atol=1e-5)


def test_a_training_step_is_native_and_learns() -> None:
    x, y = T.matrix("x", dtype="bfloat16"), T.lvector("y")
    w = theano.shared(np.zeros((5, 3), DTYPE), "w")
    cost = -T.mean(T.log(T.nnet.softmax(T.dot(x, w)))[T.arange(y.shape[0]), y])
    f = native_function([x, y], cost)
    step = theano.function([x, y], cost, updates=[(w, w - T.grad(cost, w))])
    (block,) = (item for item in step.plan.steps if item.op == "by_rows")
    body = body_of(block.params)
    assert body is not None
    # The data are converted once for both products.
    assert [item for step in body.steps for item in step.inputs].count("x") == 1
    data = np.random.default_rng(1).normal(size=(50, 5)).astype(DTYPE)
    labels = np.arange(50) % 3
    assert step(data, labels) == DTYPE.type(np.log(3))
    wanted = data.astype("float64").T @ (np.eye(3)[labels] - 1 / 3) / 50
    np.testing.assert_allclose(w.get_value().astype("float64"), wanted, rtol=2**-8, atol=1e-5)
    assert w.get_value().dtype == DTYPE
    assert f(data, labels) < DTYPE.type(np.log(3))


def test_gradients_go_through_conversions() -> None:
    x = T.vector("x", "bfloat16")
    y = T.cast(x, "float64")
    gradient = T.grad(T.sum(y**3), x)
    assert gradient.dtype == "bfloat16"
    found = theano.function([x], gradient)(np.array([1, 2, 0.1], DTYPE))
    exact = 3 * np.array([1, 2, 0.1], DTYPE).astype("float64") ** 2
    np.testing.assert_array_equal(found, exact.astype(DTYPE))
    theano.gradient.verify_grad(lambda v: T.tanh(v) * 2, [np.array([0.3, -0.2], DTYPE)])


# --- dtypes


def test_beside_other_dtypes_it_is_what_float16_is() -> None:
    for dtype in dtypes.ALL:
        if dtype not in dtypes.HALVES:
            wanted = np.promote_types("float16", dtype).name.replace("float16", "bfloat16")
            assert dtypes.upcast("bfloat16", dtype) == dtypes.upcast(dtype, "bfloat16") == wanted
    assert dtypes.upcast("bfloat16", "float16") == dtypes.upcast("float16", "bfloat16") == "float32"
    assert dtypes.upcast("bfloat16", "bfloat16") == "bfloat16"


def test_where_ml_dtypes_has_a_common_dtype_it_is_ours() -> None:
    for dtype in dtypes.ALL:
        try:
            wanted = np.promote_types(DTYPE, dtype).name
        except TypeError:
            continue
        assert dtypes.upcast("bfloat16", dtype) == wanted


def test_numbers_take_the_dtype_of_the_tensor_beside_them() -> None:
    x = T.vector("x", "bfloat16")
    assert ((x + 1).dtype, (x * 0.1).dtype, (x / 3).dtype) == ("bfloat16",) * 3
    assert (
        T.constant(DTYPE.type(1.5)).dtype == T.constant(1.5, dtype="bfloat16").dtype == DTYPE.name
    )
    assert str(T.constant(DTYPE.type(1.5))) == "TensorConstant{1.5}"
    assert "0.100097656" in str(theano.function([x], x * 0.1).plan)


def test_arguments_are_converted_where_nothing_is_lost() -> None:
    x = T.vector("x", "bfloat16")
    f = theano.function([x], x)
    for value in ([1, 2], np.array([1, 2], "int8"), np.array([1.5], DTYPE), [0.5]):
        np.testing.assert_array_equal(f(value), np.asarray(value, DTYPE), strict=True)
    for dtype in ("int16", "float16", "float32"):
        with pytest.raises(TypeError, match="without risking loss"):
            f(np.array([1], dtype))
    with pytest.raises(TypeError, match=r"cannot store accurately value \[0\.1\]"):
        f([0.1])
    rounding = theano.function([theano.In(x, allow_downcast=True)], x)
    assert rounding(np.array([0.1]))[0] == DTYPE.type(0.1)


def test_wider_inputs_take_it() -> None:
    for dtype in ("float32", "float64", "complex64"):
        y = T.vector("y", dtype)
        np.testing.assert_array_equal(
            theano.function([y], y)(ALL[:1000]), ALL[:1000].astype(dtype), strict=True
        )
    s = T.scalar("s", "float32")
    assert theano.function([s], s)(DTYPE.type(0.1)) == np.float32(DTYPE.type(0.1))


def test_scalars() -> None:
    s = T.scalar("s", "bfloat16")
    f = theano.function([s], s + 1)
    for value in (DTYPE.type(1.5), np.array(1.5, DTYPE), 1.5):
        assert f(value) == DTYPE.type(2.5)
    assert f(1).dtype == DTYPE


def test_float_x_may_be_bfloat16() -> None:
    with theano.config.changed(floatX="bfloat16"):
        x, i = T.matrix("x"), T.ivector("i")
        assert (x.dtype, (i / 2).dtype, T.constant(0.1).dtype) == ("bfloat16",) * 3
        f = theano.function([x, i], [x * 0.5, i / 2])
        assert [item.dtype for item in f(np.ones((2, 2), DTYPE), np.ones(3, "int32"))] == [
            DTYPE
        ] * 2


def moved(x: Any) -> Sequence[Any]:
    return [
        *(x.T, x[::-1, 1:], T.concatenate([x, x], axis=1), x.reshape((-1,)), x[[2, 0, 0]]),
        *(T.set_subtensor(x[1], x[0]), T.switch(x > 0, x, -x), T.zeros_like(x), x.diagonal()),
    ]


@np.errstate(all="ignore")
def test_elements_are_moved_bit_for_bit(target: str) -> None:
    x = T.matrix("x", "bfloat16")
    plain = T.matrix("x", "uint16")
    f = theano.function([x], moved(x)[:6])
    g = theano.function([plain], moved(plain)[:6])
    array = ALL.reshape(512, 128)[100:163]
    for found, wanted in zip(f(array), g(array.view("uint16")), strict=True):
        np.testing.assert_array_equal(found.view("uint16"), wanted)


def test_every_mode_takes_it() -> None:
    x = T.matrix("x", "bfloat16")
    outputs = [*moved(x), T.exp(x), x.sum(), x.max(axis=0), T.dot(x, x.T), T.arange(x[0, 0], 9)]
    array = np.array([[1, -2.5, 3], [4, 0.5, -6], [7, 8, 0.1]], DTYPE)
    native = theano.function([x], outputs)(array)
    for mode in (
        "check",
        "reference",
        Mode("check", optimizer=None),
        theano.compile.NanGuardMode(),
    ):
        for found, wanted in zip(
            theano.function([x], outputs, mode=mode)(array), native, strict=True
        ):
            assert found.dtype == wanted.dtype
            np.testing.assert_allclose(dtypes.plain(found), dtypes.plain(wanted), rtol=2**-6)
    with pytest.raises(AssertionError, match="NaN detected"):
        theano.function([x], x + 1, mode=theano.compile.NanGuardMode())(array * DTYPE.type(np.nan))


def test_random_numbers_lie_below_one() -> None:
    numbers = RandomStreams(12).uniform((5000,), dtype="bfloat16")
    found = theano.function([], numbers)().astype("float64")
    assert 0 == found.min() < found.max() == 1 - 2**-8
    assert len(np.unique(found)) == 256


# --- between processes


def test_pickles_and_archives_hold_it() -> None:
    w = theano.shared(ALL[:8], name="w")
    x = T.vector("x", "bfloat16")
    file = io.BytesIO()
    dump({"w": w, "f": np.ones(2)}, file)
    file.seek(0)
    copies = [load(file)["w"], pickle.loads(pickle.dumps(w))]
    for copy in copies:
        np.testing.assert_array_equal(copy.get_value(), ALL[:8], strict=True)
    f = pickle.loads(pickle.dumps(theano.function([x], x + w)))
    np.testing.assert_array_equal(f(ALL[:8]), ALL[:8] + ALL[:8], strict=True)


def test_a_fresh_process_reads_a_type() -> None:
    text = pickle.dumps(T.vector("x", "bfloat16").type).hex()
    program = f"""
import pickle, arignote
type_ = pickle.loads(bytes.fromhex("{text}"))
x = type_("x")
print(type_, type_.numpy_dtype, arignote.function([x], x + 1)([1])[0])
"""
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "TensorType(bfloat16, vector) bfloat16 2"


def test_without_ml_dtypes_an_error_says_what_to_install() -> None:
    program = """
import sys
sys.modules["ml_dtypes"] = None
import arignote, arignote.tensor as T
from arignote import _core
for use in (lambda: T.vector(dtype="bfloat16"), lambda: T.cast(T.fvector(), "bfloat16"),
            lambda: setattr(arignote.config, "floatX", "bfloat16")):
    try:
        use()
    except ImportError as error:
        print(error)
buffer = {"kind": "input", "dtype": "bfloat16", "shape": [], "broadcastable": []}
spec = {"dims": [], "checks": [], "buffers": [buffer], "steps": [], "outputs": [0], "updates": []}
try:
    _core.Program(spec)
except ValueError as error:
    print(error)
"""
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    lines = found.stdout.splitlines()
    assert len(lines) == 4
    assert all("pip install 'arignote[bfloat16]'" in line for line in lines[:3])
    assert "buffer 0 must have a dtype that NumPy knows: import ml_dtypes" in lines[3]
