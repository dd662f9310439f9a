"""Row blocks: results equal those of the plan without them, whatever the rows, threads, layouts."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.config import config
from arignote.errors import PlanError
from arignote.plan.by_rows import body_of
from arignote.run import native
from arignote.run.mode import Mode
from helpers.programs import Program
from helpers.row_models import ROW_MODELS, Setting
from helpers.tolerance import assert_reordered
from helpers.values import LAYOUTS, Array, lay_out

FLAT = Mode().excluding("by_rows")
ROWS = (0, 1, 2, 15, 16, 17, 63, 64, 65, 1000, 5000)


def results(item: Program, mode: Any = None) -> list[Array]:
    """Return outputs, then the new values of the parameters."""
    f = item.function(mode=mode)
    found = f(*item.arguments)
    return [*(found if isinstance(found, list) else [found]), *item.values()]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("features", [0, 5, 600], ids=["none", "narrow", "wide"])
@pytest.mark.parametrize("name", ROW_MODELS)
def test_any_number_of_rows(name: str, features: int, dtype: str) -> None:
    for rows in ROWS if features == 5 else ROWS[:-1]:
        setting = Setting(rows, features, dtype)
        assert_reordered(
            results(ROW_MODELS[name](setting)), results(ROW_MODELS[name](setting), FLAT)
        )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("features", [0, 1, 2], ids=["none", "one", "two"])
@pytest.mark.parametrize("outputs", [1, 40, 3000])
@pytest.mark.parametrize("rows", [17, 33, 49, 4097])
def test_a_row_more_than_some_blocks(rows: int, outputs: int, features: int, dtype: str) -> None:
    x, w = T.matrix("x", dtype=dtype), T.matrix("w", dtype=dtype)
    cost = T.tanh(T.dot(x, w)).sum()
    rng = np.random.default_rng(1)
    shapes = [(rows, features), (features, outputs)]
    arrays = [rng.normal(size=shape).astype(dtype) for shape in shapes]
    results = [cost, T.grad(cost, w)]
    f, flat = (theano.function([x, w], results, mode=mode) for mode in (None, FLAT))
    assert [step.op for step in f.plan.steps] == ["by_rows"]
    assert_reordered(f(*arrays), flat(*arrays))


@pytest.mark.parametrize("name", ROW_MODELS)
def test_any_layout(name: str) -> None:
    item = ROW_MODELS[name](Setting(300, 90))
    f, flat = item.function(), item.function(mode=FLAT)
    start = item.values()
    for layout in LAYOUTS:
        arguments = [lay_out(np.asarray(argument), layout) for argument in item.arguments]
        found = []
        for call in (f, flat):
            for (target, _), value in zip(item.updates or (), start, strict=True):
                target.set_value(value)
            outputs = call(*arguments)
            listed = outputs if isinstance(outputs, list) else [outputs]
            found.append([*listed, *item.values()])
        assert_reordered(*found)


THREADS = (1, 2, 3, 7, 16)


def bits(outputs: Any, item: Program) -> list[bytes]:
    """Return the bytes of outputs and of the new values of the parameters."""
    listed = outputs if isinstance(outputs, list) else [outputs]
    return [np.asarray(array).tobytes() for array in (*listed, *item.values())]


@pytest.mark.usefixtures("all_threads")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ROW_MODELS)
def test_any_number_of_threads_gives_the_same_bits(name: str, dtype: str) -> None:
    found = []
    for threads in THREADS:
        config.threads = threads
        item = ROW_MODELS[name](Setting(5000, 40, dtype))
        found.append(bits(item.function()(*item.arguments), item))
    assert all(item == found[0] for item in found)


@pytest.mark.usefixtures("all_threads")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ROW_MODELS)
def test_many_steps_in_one_call_give_the_bits_of_single_calls(name: str, dtype: str) -> None:
    config.threads = 1
    item = ROW_MODELS[name](Setting(3000, 40, dtype))
    f = item.function()
    arrays = map(np.asarray, item.arguments)
    moves = [np.copy, lambda a: np.roll(a, 7, 0), lambda a: a[::-1].copy()]
    starts = [np.copy, lambda start: start - 3, lambda start: start + 9]
    steps = [[move(a) for move in (moves if a.ndim else starts)] for a in arrays]
    calls = [f(*arguments) for arguments in zip(*steps, strict=True)]
    columns = zip(*calls, strict=True) if isinstance(calls[0], list) else [calls]
    wanted = bits([np.stack(column) for column in columns], item)
    for threads in THREADS:
        config.threads = threads
        item = ROW_MODELS[name](Setting(3000, 40, dtype))
        assert bits(item.function().map(*steps), item) == wanted


@pytest.mark.usefixtures("all_threads")
def test_blocks_of_a_large_factor_run_one_after_the_other() -> None:
    """A factor that fits no cache of one core is worth no threads of its own."""
    x, w = T.dmatrix("x"), T.dmatrix("w")
    product = T.dot(x, w)
    outputs = [T.tanh(product).sum(axis=1), T.exp(product).mean()]
    rng = np.random.default_rng(1)
    arrays = [rng.normal(size=(2500, 32)) / 6, rng.normal(size=(32, 1100))]
    wanted = theano.function([x, w], outputs, mode=FLAT)(*arrays)
    f = theano.function([x, w], outputs)
    found = []
    for threads in (1, 2, 7):
        config.threads = threads
        found.append(f(*arrays))
        assert_reordered(found[-1], wanted)
    for other in found[1:]:
        assert [a.tobytes() for a in other] == [a.tobytes() for a in found[0]]


def test_sums_of_many_rows_keep_their_digits() -> None:
    rows = 200_000
    x, t = T.fmatrix("x"), T.fvector("t")
    w = theano.shared(np.float32([0.5, -0.25, 1.5, 2.0]), "w")
    cost = T.sum((T.dot(x, w) - t) ** 2)
    f = theano.function([x, t], [cost, T.grad(cost, w)])
    rng = np.random.default_rng(1)
    data = rng.random((rows, 4), np.float32)
    targets = rng.random(rows, np.float32)
    wide, weights = data.astype("float64"), w.get_value().astype("float64")
    error = wide @ weights - targets
    for found, wanted in zip(f(data, targets), [error @ error, 2 * error @ wide], strict=True):
        # Each term has a rounding error or two, which do not add up.
        np.testing.assert_allclose(found, wanted, rtol=4 * np.finfo("float32").eps)


# --- shapes that change, and that do not fit


@pytest.mark.parametrize("name", ["softmax", "logistic", "hidden_layer", "softmax_with_errors"])
def test_calls_allocate_nothing_for_shapes_that_come_back(name: str) -> None:
    settings = [Setting(rows, 60) for rows in (1000, 65)]
    f = ROW_MODELS[name](settings[0]).function()
    batches = [ROW_MODELS[name](setting).arguments for setting in settings]
    # Threads are started once there has been work for them, which may take some calls.
    for batch in batches * 10:
        f(*batch)
    before = native.allocations()
    for batch in batches * 10:
        f(*batch)
    assert native.allocations() == before


@pytest.mark.parametrize("rows", [20, 1000])
def test_fewer_labels_than_rows(rows: int) -> None:
    """What is cut has different lengths: the block runs as a whole."""
    for labels in (0, 1, rows // 2, rows - 1):
        found = []
        for mode in (None, FLAT):
            item = ROW_MODELS["softmax"](Setting(rows, 90))
            item.arguments[1] = item.arguments[1][:labels]
            found.append(results(item, mode))
        assert_reordered(*found)


def test_more_labels_than_rows() -> None:
    item = ROW_MODELS["softmax"](Setting(1000, 90))
    before = item.values()
    f = item.function()
    x, y = item.arguments
    with pytest.raises(IndexError, match=r"\[nll\] index 999 is out of bounds for the 700 rows"):
        f(x[:700], y)
    assert_reordered(item.values(), before)


def test_rows_that_do_not_fit() -> None:
    item = ROW_MODELS["squares"](Setting(1000, 90))
    before = item.values()
    x, t = item.arguments
    with pytest.raises(ValueError, match="Input dimension mis-match"):
        item.function()(x, t[1:])
    with pytest.raises(ValueError, match="shapes not aligned"):
        item.function()(x[:, 1:], t)
    assert_reordered(item.values(), before)


# --- labels and indices out of range


@pytest.mark.usefixtures("all_threads")
@pytest.mark.parametrize("threads", [1, 7])
@pytest.mark.parametrize("label", [3, -4, 2**40])
@pytest.mark.parametrize(
    ("name", "op", "place"),
    [
        ("softmax", "nll_with_gradient", "the labels"),
        ("crammer_singer", "pick", "a selection"),
        ("largest_other", "place", "a selection"),
    ],
)
def test_a_label_out_of_range(name: str, op: str, place: str, label: int, threads: int) -> None:
    config.threads = threads
    item = ROW_MODELS[name](Setting(5000, 40))
    f, before = item.function(), item.values()
    x, y = item.arguments
    for first in (0, 17, 4321, 4999):
        labels = y.copy()
        labels[first] = labels[-1] = label
        message = (
            rf"\[{op}\] index out of bounds, index {label} is out of bounds for size 3: "
            rf"element {first} of {place}"
        )
        with pytest.raises(IndexError, match=message) as caught:
            f(x, labels)
        notes = "".join(getattr(caught.value, "__notes__", [str(caught.value)]))
        assert f"Plan step: {op} " in notes
        assert "The node was built at: " in notes
        assert "row_classifiers.py" in notes
        for value, old in zip(item.values(), before, strict=True):
            np.testing.assert_array_equal(value, old)
    f(x, y)
    assert not np.array_equal(item.values()[0], before[0])


def test_an_index_of_a_row_that_is_not_there() -> None:
    item = ROW_MODELS["softmax_of_a_selection"](Setting(5000, 40))
    f, before = item.function(), item.values()
    chosen, y = item.arguments
    chosen[4321] = 5000
    message = r"\[take\] index out of bounds, index 5000 .* size 5000: element 4321 of a selection"
    with pytest.raises(IndexError, match=message):
        f(chosen, y)
    assert_reordered(item.values(), before)


def test_an_element_that_is_not_there_is_counted_in_all_indices() -> None:
    """Indices of several dimensions are cut along the first."""
    table, chosen, v = T.dvector("table"), T.lmatrix("chosen"), T.dvector("v")
    f = theano.function([table, chosen, v], T.tanh(T.dot(table[chosen], v)))
    assert [step.op for step in f.plan.steps] == ["by_rows"]
    indices = np.zeros((5000, 40), "int64")
    indices[4321, 7] = 10
    with pytest.raises(IndexError, match=f"element {4321 * 40 + 7} of a selection"):
        f(np.zeros(10), indices, np.zeros(40))


def test_a_defect_of_a_step_in_a_block_names_it() -> None:
    f = ROW_MODELS["softmax"](Setting(100)).function()
    number, block = next(item for item in enumerate(f.plan.steps) if item[1].op == "by_rows")
    body = body_of(block.params)
    assert body is not None
    place = rf"step {number} \(by_rows\), in it step 1 \({body.steps[1].op}\)"
    with pytest.raises(PlanError, match=rf"^\[function\] {place}: a view must lie inside its base"):
        f._fail("plan", number, 1, 0, 0, 0, "a view must lie inside its base", ())


# --- what is no number


@pytest.mark.parametrize("name", ["softmax", "softmax_with_errors", "logistic_with_outputs"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_passes_through(name: str, value: float) -> None:
    found = []
    for mode in (None, FLAT):
        item = ROW_MODELS[name](Setting(1000, 90))
        item.arguments[0][777, 3] = value
        found.append(results(item, mode))
    assert_reordered(*found)
    assert not all(np.all(np.isfinite(array)) for array in found[0])


# --- profiles and threads of the caller's


def test_a_profile_counts_a_block_as_one_step() -> None:
    item = ROW_MODELS["softmax"](Setting(1000, 90))
    f = item.function()
    f.profile()
    for _ in range(3):
        f(*item.arguments)
    profile = f.profile()
    assert profile.calls == 3
    assert len(profile.steps) == len(f.plan.steps)


def test_reference_mode_runs_the_body_once() -> None:
    setting = Setting(1000, 90)
    assert_reordered(
        results(ROW_MODELS["softmax"](setting)),
        results(ROW_MODELS["softmax"](setting), "reference"),
    )


def test_a_block_is_pickled_with_its_function() -> None:
    item = ROW_MODELS["logistic"](Setting(100))
    f = item.function()
    again = pickle.loads(pickle.dumps(f))
    assert again.plan == f.plan
    assert_reordered([again(*item.arguments)], [f(*item.arguments)])
