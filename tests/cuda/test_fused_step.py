"""Row blocks that one kernel of the emulated device runs together, beside those of one for each."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.graph.type import TensorType
from arignote.run.function import Function
from helpers.emulated import emulated, launches, shared_memory
from helpers.row_models import ROW_MODELS, Setting
from helpers.tolerance import assert_reordered

Made = tuple[Function, list[Any], list[Any]]


@pytest.fixture
def few_chunks(on_device: None) -> Iterator[None]:
    """Let each block have many rows: several runs of them, and several tiles."""
    emulated().set_row_chunks(2)
    yield
    emulated().set_row_chunks(512)


def softmax(
    rows: int, features: int, classes: int, dtype: str = "float32", bias: bool = True
) -> Made:
    """Return a training step, its arguments, and what it changes."""
    rng = np.random.default_rng(rows + features + classes)
    x, y = T.matrix("x", dtype=dtype), T.ivector("y")
    w = theano.shared(rng.normal(size=(features, classes)).astype(dtype), name="w")
    b = theano.shared(rng.normal(size=classes).astype(dtype), name="b")
    scores = T.dot(x, w) + b if bias else T.dot(x, w)
    p = T.nnet.softmax(scores)
    cost = -T.mean(T.log(p)[T.arange(y.shape[0]), y])
    errors = T.sum(T.neq(T.argmax(p, axis=1), y))
    parameters = [w, b] if bias else [w]
    rate = np.asarray(0.1, dtype)
    updates = [(v, v - rate * g) for v, g in zip(parameters, T.grad(cost, parameters), strict=True)]
    data = (rng.normal(size=(rows, features)) / np.sqrt(features)).astype(dtype)
    labels = rng.integers(-classes, classes, rows).astype("int32")
    return theano.function([x, y], [cost, errors], updates=updates), [data, labels], parameters


def logistic(rows: int, features: int, dtype: str = "float32") -> Made:
    """Return a step of parameters that are a vector, with outputs for each row."""
    rng = np.random.default_rng(rows + features)
    x, t = T.matrix("x", dtype=dtype), T.vector("t", dtype=dtype)
    w = theano.shared(rng.normal(size=features).astype(dtype), name="w")
    b = theano.shared(np.asarray(0.25, dtype), name="b")
    p = 1 / (1 + T.exp(-T.dot(x, w) - b))
    losses = -t * T.log(p) - (1 - t) * T.log(1 - p)
    rate = np.asarray(0.1, dtype)
    gradients = T.grad(T.sum(losses) / t.shape[0].astype(dtype), [w, b])
    updates = [(v, v - rate * g) for v, g in zip([w, b], gradients, strict=True)]
    data = (rng.normal(size=(rows, features)) / np.sqrt(features)).astype(dtype)
    targets = rng.integers(0, 2, rows).astype(dtype)
    return theano.function([x, t], [p > 0.5, losses], updates=updates), [data, targets], [w, b]


def results(made: Made) -> list[Any]:
    f, arguments, parameters = made
    found = f(*arguments)
    values = [np.asarray(value.get_value()) for value in parameters]
    return [*(found if isinstance(found, list) else [found]), *values]


def notes_of(f: Function) -> list[str]:
    """Return what is told of how the device runs row blocks."""
    return [note for note in theano.explain(f).notes if "one kernel of the device" in note]


def is_one_kernel(made: Made) -> bool:
    """Return whether the device runs the only row block as one kernel."""
    (note,) = notes_of(made[0])
    return note.endswith(" is one kernel of the device")


SHAPES = [(1, 5, 3), (3, 1, 1), (37, 33, 10), (300, 7, 64), (70, 101, 2)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("rows", "features", "classes"), SHAPES)
def test_softmax_comes_to_what_it_comes_to_on_the_cpu(
    rows: int, features: int, classes: int, dtype: str, request: pytest.FixtureRequest
) -> None:
    wanted = results(softmax(rows, features, classes, dtype))
    request.getfixturevalue("on_device")
    made = softmax(rows, features, classes, dtype)
    assert_reordered(results(made), wanted)
    assert is_one_kernel(made)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("rows", "features"), [(1, 1), (40, 130), (700, 9)])
def test_outputs_of_rows_beside_a_vector_of_parameters(
    rows: int, features: int, dtype: str, request: pytest.FixtureRequest
) -> None:
    wanted = results(logistic(rows, features, dtype))
    request.getfixturevalue("on_device")
    made = logistic(rows, features, dtype)
    assert_reordered(results(made), wanted)
    assert is_one_kernel(made)


# Those that one kernel cannot run together.
APART = {
    "joined_features",  # rows of several matrices beside each other
    "column_of_parameters",  # a gradient that is a part of a matrix
}


@pytest.mark.parametrize("name", ROW_MODELS)
def test_models_whose_steps_run_together(on_device: None, name: str) -> None:
    # That they come to what they should is seen to in test_by_rows.py.
    item = ROW_MODELS[name](Setting(20, 5, "float32"))
    f = item.function()
    f(*item.arguments)
    together = launches(lambda: f(*item.arguments))
    with shared_memory(0):
        g = ROW_MODELS[name](Setting(20, 5, "float32")).function()
        g(*item.arguments)
        apart = launches(lambda: g(*item.arguments))
    assert (together == apart) == (name in APART)
    assert together <= apart
    assert is_one_kernel((f, [], [])) == (name not in APART)


@pytest.mark.parametrize(("features", "classes"), [(5, 65), (9000, 2)])
def test_what_does_not_fit_runs_apart(
    features: int, classes: int, request: pytest.FixtureRequest
) -> None:
    wanted = results(softmax(9, features, classes))
    request.getfixturevalue("on_device")
    made = softmax(9, features, classes)
    assert_reordered(results(made), wanted)
    assert not is_one_kernel(made)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_scores_of_another_dtype_than_products_run_apart(
    dtype: str, request: pytest.FixtureRequest
) -> None:
    rng = np.random.default_rng(9)
    weights = rng.normal(size=(12, 5)).astype("float32")
    arguments = [rng.normal(size=(70, 12)).astype("float32"), np.arange(70, dtype="int32") % 5]

    def made() -> Made:
        x, y, w = T.fmatrix("x"), T.ivector("y"), theano.shared(weights, name="w")
        log_p = T.log(T.nnet.softmax(T.cast(T.dot(x, w), dtype)))
        cost = -T.sum(T.cast(log_p[T.arange(y.shape[0]), y], "float32"))
        f = theano.function([x, y], cost, updates=[(w, w - np.float32(0.1) * T.grad(cost, w))])
        return f, arguments, [w]

    wanted = results(made())
    request.getfixturevalue("on_device")
    own = made()
    assert_reordered(results(own), wanted)
    assert not is_one_kernel(own)


def test_explain_tells_why_steps_run_apart(on_device: None) -> None:
    f, arguments, _ = softmax(9, 5, 65)
    (number,) = [n for n, step in enumerate(f.plan.steps) if step.op == "by_rows"]
    start = f"step {number} is not one kernel of the device: "
    unknown = f"step {number}: after a call it is known whether it is one kernel of the device"
    assert notes_of(f) == [unknown]
    f(*arguments)
    why = "the kernel has no such step, or none with so many columns (step 0 of it: dot)"
    assert notes_of(f) == [start + why]
    f, arguments, _ = softmax(9, 9000, 2)
    f(*arguments)
    why = "the parameters, the sums and four rows do not fit in the shared memory of a block"
    assert notes_of(f) == [start + why]


def test_bits_do_not_depend_on_how_many_rows_fit(few_chunks: None) -> None:
    wanted = results(softmax(300, 18, 4))
    # Four rows at a time in place of some hundred.
    with shared_memory(16 << 10):
        made = softmax(300, 18, 4)
        found = results(made)
        assert is_one_kernel(made)
    for own, want in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(own, want)


@pytest.mark.parametrize("rows", [512, 530, 1100])
def test_many_rows_of_a_block(rows: int, request: pytest.FixtureRequest) -> None:
    wanted = results(softmax(rows, 3, 2))
    request.getfixturevalue("few_chunks")
    made = softmax(rows, 3, 2)
    assert_reordered(results(made), wanted)
    assert is_one_kernel(made)


@pytest.mark.parametrize("order", ["backward", "shuffled"])
@pytest.mark.parametrize("make", [softmax, logistic])
def test_bits_do_not_depend_on_the_order_of_threads(
    on_device: None, make: Callable[..., Made], order: str
) -> None:
    shape = (90, 40, 3) if make is softmax else (90, 40)
    wanted = results(make(*shape))
    emulated().set_order(order)
    try:
        found = results(make(*shape))
    finally:
        emulated().set_order("forward")
    for own, want in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(own, want)


@pytest.mark.parametrize("rows", [16, 40])
def test_loops_are_the_same_as_calls(on_device: None, rows: int) -> None:
    one, other = softmax(rows, 12, 5), softmax(rows, 12, 5)
    rng = np.random.default_rng(5)
    data = rng.normal(size=(4, rows, 12)).astype("float32")
    labels = rng.integers(0, 5, (4, rows)).astype("int32")
    wanted = [one[0](x, y) for x, y in zip(data, labels, strict=True)]
    found = other[0].map(data, labels)
    for own, want in zip(found, zip(*wanted, strict=True), strict=True):
        np.testing.assert_array_equal(own, want)
    for mine, own in zip(one[2], other[2], strict=True):
        np.testing.assert_array_equal(mine.get_value(), own.get_value())


def test_numbers_that_are_not_finite_stay_in_their_rows(
    request: pytest.FixtureRequest,
) -> None:
    def made() -> Made:
        f, (data, targets), parameters = logistic(40, 5)
        data[3, 1], data[20, 0], data[21, 0] = np.nan, np.inf, -np.inf
        return f, [data, targets], parameters

    wanted = results(made())
    request.getfixturevalue("on_device")
    assert_reordered(results(made()), wanted)


def test_a_label_out_of_range_is_told_by_its_row(on_device: None) -> None:
    f, (data, labels), parameters = softmax(90, 5, 7)
    before = [value.get_value() for value in parameters]
    broken = labels.copy()
    broken[[70, 33, 88]] = 7, -8, 9
    with pytest.raises(IndexError, match="index -8 is out of bounds for size 7") as failure:
        f(data, broken)
    assert "element 33 of the labels" in str(failure.value)
    for value, old in zip(parameters, before, strict=True):
        np.testing.assert_array_equal(value.get_value(), old)
    # What was wrong is forgotten.
    assert np.isfinite(f(data, labels)[0])
    with pytest.raises(IndexError, match="index 9 is out of bounds"):
        f.map(np.stack([data] * 3), np.stack([labels, labels, np.where(broken == 9, 9, labels)]))


def chosen(dtype: str, rows: int = 50) -> Made:
    """Return a step on rows that an index chooses, of a small dtype."""
    rng = np.random.default_rng(6)
    data = theano.shared(rng.integers(0, 100, (30, 9)).astype(dtype), name="data")
    target = theano.shared(rng.normal(size=30).astype("float32"), name="target")
    index = T.lvector("index")
    w = theano.shared(rng.normal(size=9).astype("float32"), name="w")
    x = T.cast(data[index], "float32") / np.float32(100)
    cost = T.sum((T.dot(x, w) - target[index]) ** 2)
    updates = [(w, w - np.float32(0.01) * T.grad(cost, w))]
    f = theano.function([index], cost, updates=updates)
    return f, [rng.integers(-30, 30, rows)], [w]


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8", "int16"])
def test_rows_that_an_index_chooses(dtype: str, request: pytest.FixtureRequest) -> None:
    wanted = results(chosen(dtype))
    request.getfixturevalue("on_device")
    assert_reordered(results(chosen(dtype)), wanted)
    f, (index,), parameters = chosen(dtype)
    before = parameters[0].get_value()
    index[[20, 45]] = 30, -31
    with pytest.raises(IndexError, match="index 30 is out of bounds for size 30"):
        f(index)
    np.testing.assert_array_equal(parameters[0].get_value(), before)


def turned(order: Any) -> Made:
    """Return a step whose data lie in some order."""
    f, (data, targets), parameters = logistic(33, 7)
    del f
    x, t = T.fmatrix("x"), T.fvector("t")
    cost = T.sum((T.dot(x, parameters[0]) - t) ** 2)
    w = parameters[0]
    step = theano.function([x, t], cost, updates=[(w, w - T.grad(cost, w))])
    return step, [order(data), targets], [w]


ORDERS: list[Any] = [
    np.asfortranarray,
    lambda data: data[::-1],
    lambda data: data[:, ::-1],
    lambda data: np.repeat(data, 2, axis=1)[:, ::2],
    lambda data: np.concatenate([data, data], axis=1)[:, 3:10],
]


@pytest.mark.parametrize("order", ORDERS)
def test_data_in_any_order(order: Any, request: pytest.FixtureRequest) -> None:
    wanted = results(turned(order))
    request.getfixturevalue("on_device")
    assert_reordered(results(turned(order)), wanted)


def bytes_of_pixels(features: int) -> Made:
    rng = np.random.default_rng(7)
    x = TensorType("uint8", (False, False)).make_variable("x")
    t = T.fvector("t")
    w = theano.shared(rng.normal(size=features).astype("float32"), name="w")
    cost = T.sum((T.dot(T.cast(x, "float32") / np.float32(255), w) - t) ** 2)
    f = theano.function([x, t], cost, updates=[(w, w - np.float32(0.01) * T.grad(cost, w))])
    data = rng.integers(0, 256, (40, features)).astype("uint8")
    return f, [data, rng.normal(size=40).astype("float32")], [w]


@pytest.mark.parametrize("features", [16, 17, 20, 24])
def test_bytes(features: int, request: pytest.FixtureRequest) -> None:
    wanted = results(bytes_of_pixels(features))
    request.getfixturevalue("on_device")
    assert_reordered(results(bytes_of_pixels(features)), wanted)


def test_parameters_of_bytes(request: pytest.FixtureRequest) -> None:
    """Which stand on the left, where a product may have bytes: these steps run one by one."""
    rng = np.random.default_rng(8)
    weights, data = rng.integers(-9, 9, (5, 33)).astype("int8"), rng.random((70, 33), "float32")

    def found() -> Any:
        x = T.fmatrix("x")
        w = theano.shared(weights, name="w")
        shares = T.nnet.softmax(T.dot(T.cast(w, "float32"), x.T).T / 50)
        f = theano.function([x], T.dot(shares.T, x))
        assert any(step.op == "by_rows" and "w" in step.inputs for step in f.plan.steps)
        return f(data)

    wanted = found()
    request.getfixturevalue("on_device")
    np.testing.assert_allclose(found(), wanted, rtol=1e-5)


def test_a_lack_of_memory_changes_nothing(on_device: None) -> None:
    f, arguments, parameters = softmax(40, 50, 60)
    before = [value.get_value() for value in parameters]
    gc.collect()
    emulated().trim(0)
    emulated().set_limit(emulated().used() + (10 << 10))
    try:
        with pytest.raises(MemoryError):
            f(*arguments)
    finally:
        emulated().set_limit(1 << 32)
    for value, old in zip(parameters, before, strict=True):
        np.testing.assert_array_equal(value.get_value(), old)
    assert "after a call it is known whether" in notes_of(f)[0]
    assert np.isfinite(f(*arguments)[0])
